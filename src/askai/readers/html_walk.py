"""From HTML elements to blocks: headings, paragraphs, items, tables, definitions and notes.

All walks are loops over events, so that no nesting is too deep for them.
"""

from itertools import islice

from lxml import etree

from askai.readers.building import Builder, one_line
from askai.readers.html_elements import (
    BLOCKS,
    HEADINGS,
    Element,
    Skips,
    Visibility,
    number_at_front,
    tag_of,
)
from askai.readers.html_inline import add_entity, add_small_digits, flat, plain
from askai.readers.html_lists import NumberedList
from askai.readers.html_notes import Notes, find_notes, may_begin_with_number, without_mark
from askai.readers.html_tables import Tables, has_loose_text, is_layout

__all__ = ["Element", "Skips", "Visibility", "Walker", "find_notes"]  # what readers of pages need

_PERMALINKS = frozenset(("¶", "#", "§", "🔗", ""))  # "" is the link sign of icon fonts
_TERM_CHARACTERS = 300  # a term and what it means up to here are one item


class Walker:
    """Adds what an element holds to a text that is being built."""

    def __init__(self, builder: Builder, skips: Skips, notes: Notes | None = None) -> None:
        self._builder = builder
        self._skips = skips
        self._notes = notes or Notes()
        self._told: set[Element] = set()  # notes that are in the text
        self._buffer: list[str] = []
        self._lists: list[NumberedList | None] = []  # that are open; None: one without numbers
        self._items = 0
        self._prefix = ""
        self._terms: list[str] = []  # waiting for what they mean
        self._in_term = False
        self._definitions = 0  # open `dd`
        self._after_note = False  # within a `dl`, after a `dt` that is a note
        self._tables = Tables(skips, self._notes)
        self._taken: set[Element] = set()  # parts of tables whose other parts are walked

    def walk(self, root: Element) -> None:
        walk = etree.iterwalk(root, events=("start", "end"))
        unseen: Element | None = None
        for event, element in walk:
            if event == "start":
                if self._start(element):
                    unseen = element
                    walk.skip_subtree()
                continue
            if element is unseen:
                unseen = None
            else:
                self._end(element)
            if element is not root:
                self._buffer.append(plain(element.tail))
        self._flush()
        self._release()

    def add_missing_notes(self) -> None:
        """Notes that the walked elements do not hold, such as those in an aside."""
        seen = self._skips.visibility.seen(self._notes.bodies.keys() - self._told)
        for body in self._notes.bodies:
            if body in seen:
                self._note(body)

    def _start(self, element: Element) -> bool:  # noqa: C901, PLR0911, PLR0912  one per tag
        """Takes an element up; True: with all that is in it."""
        if add_entity(self._buffer, element):
            return True
        if element in self._taken or self._skips(element):
            return True
        tag = tag_of(element)
        if element in self._notes.bodies and element not in self._told:
            self._flush()
            if tag == "li":
                self._item_mark(element)  # counts, though the note shows its own label
            self._note(element)
            return True
        if add_small_digits(self._buffer, element, self._notes):
            return True
        if tag in BLOCKS:
            self._flush()
        if tag in HEADINGS or (element.get("role") or "") == "heading":
            self._flush()
            self._release()
            level = int(tag[1]) if tag in HEADINGS else _level(element.get("aria-level"))
            self._builder.add_heading(self._heading(element), level)
            return True
        if tag in ("pre", "xmp", "listing", "plaintext"):
            self._emit(flat(element, self._skips, lines=True))
            return True
        if tag == "table" and self._table(element):
            return True
        if tag == "dt":
            self._after_note = False
            self._in_term = True
        elif tag == "dd":
            self._in_term = False
            if self._after_note:
                return True  # its text went with the note
            self._definitions += 1
            if not self._terms:
                self._prefix = "• "
        elif tag in ("ul", "menu", "dir", "dl"):
            self._release()
            self._lists.append(None)
        elif tag == "ol":
            self._release()
            self._lists.append(NumberedList.of(element))
        elif tag == "li":
            self._items += 1
            self._prefix = self._item_mark(element)
        elif tag == "br":
            self._buffer.append("\n")
        self._buffer.append(plain(element.text))
        return False

    def _end(self, element: Element) -> None:
        tag = tag_of(element)
        if tag in BLOCKS:
            self._flush()
        if tag == "li":
            self._items -= 1
            self._prefix = ""
        elif tag == "dt":
            self._in_term = False
        elif tag == "dd":
            self._definitions = max(0, self._definitions - 1)
            self._prefix = ""
            self._release()
        elif tag in ("ul", "menu", "dir", "dl", "ol") and self._lists:
            if tag == "dl":
                self._after_note = False
                self._release()
            self._lists.pop()

    def _item_mark(self, element: Element) -> str:
        around = self._lists[-1] if self._lists else None
        return around.mark(element) if around is not None else "• "

    def _heading(self, element: Element) -> str:
        """Its text without the sign that links to it."""
        signs = [
            link
            for link in element.iter("a", "span")
            if "mw-editsection" in (link.get("class") or "")
            or (link.tag == "a" and "".join(islice(link.itertext(), 4)).strip() in _PERMALINKS)
        ]
        skips = Skips(self._skips.visibility, {*self._skips.furniture, *signs})
        return flat(element, skips if signs else self._skips, notes=self._notes)

    def _flush(self) -> None:
        """Ends the block that text was gathered for."""
        if not self._buffer:
            return
        text = "".join(self._buffer)
        self._buffer.clear()
        if self._in_term:
            if term := one_line(text):
                self._terms.append(term)
            return
        lines = (one_line(line) for line in text.split("\n"))
        self._emit("\n".join(line for line in lines if line))

    def _emit(self, text: str) -> None:
        if not text.strip():
            return
        indent = "  " * max(0, len(self._lists) - 1)
        if self._terms:
            term = self._terms[-1]
            if self._definitions and len(term) + len(text) <= _TERM_CHARACTERS:
                self._terms.pop()
                self._release()
                between = " " if term.endswith((":", "：", ".", "?", "!")) else ": "
                self._builder.add(f"• {term}{between}{text}", "bullet", indent=indent)
                self._prefix = ""
                return
            self._release()
            self._prefix = ""
        if self._items or (self._definitions and len(text) <= _TERM_CHARACTERS):
            self._builder.add(f"{self._prefix}{text}", "bullet", indent=indent)
        else:
            self._builder.add(text)
        self._prefix = ""

    def _release(self) -> None:
        """Terms that nothing was said of, each as an item."""
        indent = "  " * max(0, len(self._lists) - 1)
        for term in self._terms:
            self._builder.add(f"• {term}" if term else "", "bullet", indent=indent)
        self._terms.clear()

    def _note(self, body: Element) -> None:
        self._told.add(body)
        self._release()
        label = self._notes.bodies[body]
        seen = self._skips.visibility.hides  # a note may stand in an aside
        text = flat(body, seen)
        if tag_of(body) == "dt":
            self._after_note = True
            for after in body.itersiblings():
                if tag_of(after) == "dt":
                    break
                text += " " + flat(after, seen)
        text = without_mark(text, label, bare=may_begin_with_number(body, label))
        if text:
            self._builder.add_note(label, text)

    def _table(self, element: Element) -> bool:
        """Takes a table up as rows; False: it lays out the page, or more than its cells is left."""
        if is_layout(element):
            return False
        table = self._tables.read(element)
        self._release()
        self._builder.add_table(table.rows, header=table.header, title=table.title)
        self._prefix = ""
        if has_loose_text(element, table.taken):
            self._taken |= table.taken
            return False
        return True


def _level(text: str | None) -> int:
    return min(6, max(1, number_at_front(text, 2)))
