"""From HTML elements to blocks: headings, paragraphs, items, tables, definitions and notes.

All walks are loops over events, so that no nesting is too deep for them. What a reader of the page
would not see is passed over: scripts, templates, comments, and what an attribute or a plain rule
of the page's own styles hides. Text that is moved off the page or painted in its colour is seen.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from lxml import etree

from askai.readers.building import Builder, is_header, one_line, superscript

Element: TypeAlias = etree._Element  # noqa: SLF001  lxml has no public name for it

_UNSEEN = frozenset(
    "script style template noscript iframe object embed svg canvas audio video map head select "  # noqa: SIM905
    "textarea input datalist progress meter button annotation annotation-xml rt rp "
    "noembed noframes applet".split()
)
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset "  # noqa: SIM905
    "figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main "
    "menu nav ol p pre search section summary table tbody td tfoot th thead tr ul "
    "xmp listing plaintext".split()
)
HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_INLINE_ANCHORS = frozenset("a span sup sub b i em strong cite small ins font".split())  # noqa: SIM905
_HIDING = re.compile(
    r"(?:^|;|\s)(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)"
    r"|font-size\s*:\s*0+(?:\.0*)?(?:px|pt|em|rem|%)?\s*(?:!important\s*)?(?:;|$))",
    re.IGNORECASE,
)
_RULE = re.compile(r"([^{}@;]+)\{([^{}]*)\}")
_PLAIN_SELECTOR = re.compile(r"\s*(?:[a-z][\w-]*)?[.#][A-Za-z_][\w-]*\s*\Z")
_SPACE = re.compile(r"\s+")
# A line break in the file between two Chinese characters is none in the text.
_HAN_BREAK = re.compile(
    r"(?<=[\u3000-\u9fff\uff00-\uffef])[ \t]*[\r\n]\s*(?=[\u3000-\u9fff\uff00-\uffef])"
)
_INVISIBLE = re.compile("[\u00ad\u200b\u2060]")
_PERMALINKS = frozenset(("¶", "#", "§", "🔗", ""))  # "" is the link sign of icon fonts
_NOTE_LINK = re.compile(r"\s*[\[(]?\s*(\d{1,3})\s*[\])]?\s*\Z")
_SUPERSCRIPT = re.compile(r"\s*(\d{1,4})\s*\Z")
_BACK_LINK = re.compile(r"[\s↑↩⤴^\ufe0e]*\Z")

_TERM_CHARACTERS = 300  # a term and what it means up to here are one item
_NOTE_CHARACTERS = 5_000
_CELL_CHARACTERS = 500  # a cell of several blocks beyond this lays out a page
MOST_COLUMNS = 1_000
_REPEATED = 2_000_000  # characters that spans may add to a page


def tag_of(element: Element) -> str:
    return element.tag if isinstance(element.tag, str) else ""


def tokens_of(element: Element) -> list[str]:
    """Its classes, roles and types, in lower case."""
    names = (element.get(name) or "" for name in ("class", "role", "epub:type", "type"))
    return " ".join(names).lower().split()


class Visibility:
    """What of a page is hidden, by its elements and by rules of its own styles for one name."""

    def __init__(self, root: Element) -> None:
        self._rules: dict[str, bool] = {}
        for style in root.iter("style"):
            text = re.sub(r"/\*.*?\*/", "", style.text or "", flags=re.DOTALL)
            for names, body in _top_rules(text[:1_000_000]):
                hides = bool(_HIDING.search(body))
                if hides or re.search(r"(?:display|visibility|font-size)\s*:", body):
                    for name in names.split(","):
                        if _PLAIN_SELECTOR.match(name):
                            self._rules[name.strip()] = hides
        self._rules = {name: True for name, hides in self._rules.items() if hides}
        if self._rules:
            # A page that hides nearly all of itself until a script shows it hides nothing.
            shown = (one for one in root.iter(etree.Element) if one.tag not in ("script", "style"))
            most = int(0.9 * sum(len((one.text or "").strip()) for one in shown))
            for element in root.iter(etree.Element):
                for name in self._names(element, tag_of(element)):
                    if is_longer(element, most):
                        del self._rules[name]

    def hides(self, element: Element) -> bool:
        tag = tag_of(element)
        if tag in _UNSEEN or not tag:
            # The question of a fold-out answer is often a button.
            parent = element.getparent()
            return not (tag == "button" and parent is not None and parent.tag in HEADINGS)
        attributes = element.attrib
        if not attributes:
            return tag == "dialog"
        if "hidden" in attributes or (tag == "dialog" and "open" not in attributes):
            return str(attributes.get("hidden")) != "until-found"
        if (attributes.get("aria-hidden") or "").strip().lower() == "true":
            return True
        style = attributes.get("style")
        if style and _HIDING.search(style):
            return True
        return bool(self._rules) and bool(self._names(element, tag))

    def _names(self, element: Element, tag: str) -> list[str]:
        """The rules that hide an element."""
        names = [f".{name}" for name in (element.get("class") or "").split()]
        if one := element.get("id"):
            names.append(f"#{one}")
        return [
            name for one in dict.fromkeys(names) for name in (one, tag + one) if name in self._rules
        ]


def _top_rules(text: str) -> Iterator[tuple[str, str]]:
    """Rules that hold always: none within @media and the like."""
    depth = start = 0
    for match in re.finditer(r"[{}]", text):
        if match[0] == "{":
            depth += 1
            continue
        depth = max(0, depth - 1)
        if depth == 0:
            piece = text[start : match.end()]
            start = match.end()
            if piece.count("{") == 1 and "@" not in piece and (rule := _RULE.search(piece)):
                yield rule[1], rule[2]


class Skips:
    """What a walk passes over: the hidden, and the furniture that is named."""

    def __init__(self, visibility: Visibility, furniture: Iterable[Element] = ()) -> None:
        self.visibility = visibility
        self.furniture = frozenset(furniture)

    def __call__(self, element: Element) -> bool:
        return element in self.furniture or self.visibility.hides(element)


@dataclass(slots=True)
class Notes:
    """Notes of a page: the links in small digits, and the elements that they lead to."""

    links: dict[Element, str] = field(default_factory=dict)  # to labels
    bodies: dict[Element, str] = field(default_factory=dict)


def find_notes(root: Element) -> Notes:  # noqa: C901  one look at all elements
    """Links that look like a note's mark and lead to a place further down."""
    links: list[tuple[int, Element, str, str]] = []
    places: dict[str, tuple[int, Element]] = {}
    for number, element in enumerate(root.iter()):
        if not isinstance(element.tag, str):
            continue
        for name in ("id", "name"):
            if (anchor := element.get(name)) and anchor not in places:
                places[anchor] = number, element
        target = element.get("href") or ""
        if element.tag == "a" and len(target) > 1 and "#" in target and len(element) < 4:
            shown = _NOTE_LINK.match("".join(islice(element.itertext(), 9)))
            if shown and _is_note_link(element):
                links.append((number, element, target.partition("#")[2], shown[1]))
    notes = Notes()
    bodies: dict[Element, Element | None] = {}
    for number, link, target, label in links:
        place = places.get(target)
        if place is None or place[0] <= number:
            continue
        if place[1] not in bodies:
            bodies[place[1]] = _note_body(place[1])
        body = bodies[place[1]]
        if body is None:
            continue
        if notes.bodies.setdefault(body, label) == label:
            notes.links[link] = label
    return notes


def _is_note_link(element: Element) -> bool:
    names = tokens_of(element)
    if any("backref" in name or "backlink" in name for name in names):
        return False
    parent = element.getparent()
    near = [element, *element, *([parent] if parent is not None else [])]
    return any(tag_of(one) == "sup" for one in near) or any(
        "footnote" in name or "noteref" in name or name == "fn" for name in names
    )


def _note_body(element: Element) -> Element | None:
    body: Element | None = element
    while body is not None and tag_of(body) in _INLINE_ANCHORS:
        body = body.getparent()
    if body is not None and tag_of(body) in ("td", "th", "tr"):
        while body is not None and tag_of(body) != "table":
            body = body.getparent()
        if body is not None and sum(1 for _ in islice(body.iter("tr"), 2)) > 1:
            return None
    if body is None or tag_of(body) in (*HEADINGS, "body", "html", "main"):
        return None
    return None if is_longer(body, _NOTE_CHARACTERS) else body


def is_longer(element: Element, limit: int) -> bool:
    """Whether it holds more characters than `limit`, hidden ones too."""
    for text in element.itertext():
        limit -= len(text.strip())
        if limit < 0:
            return True
    return False


def flat(  # noqa: C901  one look at all elements
    element: Element,
    skips: Callable[[Element], bool],
    *,
    lines: bool = False,
    notes: Notes | None = None,
) -> str:
    """All visible text of an element on one line; or with its own line breaks, as `pre` has."""
    pieces: list[str] = []
    walk = etree.iterwalk(element, events=("start", "end"))
    unseen: Element | None = None
    for event, one in walk:
        if event == "start":
            if skips(one):
                unseen = one
                walk.skip_subtree()
                continue
            mark = _small_digits(one, notes)
            if mark is not None:
                _close_up(pieces, one, notes)
                pieces.append(mark)
                unseen = one
                walk.skip_subtree()
                continue
            if tag_of(one) == "br":
                pieces.append("\n")
            elif tag_of(one) in _BLOCKS:
                pieces.append("\n" if lines else " ")
            pieces.append(_own(one.text, raw=lines))
            continue
        if one is unseen:
            unseen = None
        elif tag_of(one) in _BLOCKS:
            pieces.append("\n" if lines else " ")
        if one is not element:
            pieces.append(_own(one.tail, raw=lines))
    text = "".join(pieces)
    if not lines:
        return one_line(text)
    return "\n".join(line.rstrip() for line in re.split(r"\r\n?|\n", text)).strip("\n")


def _own(text: str | None, *, raw: bool = False) -> str:
    if not text:
        return ""
    text = _INVISIBLE.sub("", text)
    return text if raw else _SPACE.sub(" ", _HAN_BREAK.sub("", text))


def _small_digits(element: Element, notes: Notes | None) -> str | None:
    """What stands for an element whose text is raised: a note's mark, or a power."""
    if notes is not None and element in notes.links:
        return superscript(notes.links[element])
    if element.tag != "sup":
        return None
    for child in element.iter("a"):
        if notes is not None and child in notes.links:
            return superscript(notes.links[child])
    if len(element) > 2:
        return None
    shown = _SUPERSCRIPT.match("".join(islice(element.itertext(), 5)))
    return superscript(shown[1]) if shown else None


def _close_up(pieces: list[str], element: Element, notes: Notes | None) -> None:
    """Takes the blank away that some pages have between a sentence and the mark of its note."""
    if pieces and notes is not None and (element in notes.links or element.tag == "sup"):
        pieces[-1] = pieces[-1].rstrip(" ")


class Walker:
    """Adds what an element holds to a text that is being built."""

    def __init__(self, builder: Builder, skips: Skips, notes: Notes | None = None) -> None:
        self._builder = builder
        self._skips = skips
        self._notes = notes or Notes()
        self._told: set[Element] = set()  # notes that are in the text
        self._buffer: list[str] = []
        self._lists: list[int | None] = []  # of each open list its next number, if it has any
        self._items = 0
        self._prefix = ""
        self._terms: list[str] = []  # waiting for what they mean
        self._in_term = False
        self._definitions: list[int] = []  # depths of the open `dd`, in lists
        self._after_note = False  # within a `dl`, after a `dt` that is a note
        self._repeated = 0

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
                self._buffer.append(_own(element.tail))
        self._flush()
        self._release()

    def add_missing_notes(self) -> None:
        """Notes that the walked elements refer to and do not hold."""
        for body in self._notes.bodies:
            if body not in self._told:
                self._note(body)

    def _start(self, element: Element) -> bool:  # noqa: C901, PLR0911, PLR0912  one per tag
        """Takes an element up; True: with all that is in it."""
        if self._skips(element):
            return True
        tag = tag_of(element)
        if element in self._notes.bodies and element not in self._told:
            self._flush()
            self._note(element)
            return True
        mark = _small_digits(element, self._notes)
        if mark is not None:
            _close_up(self._buffer, element, self._notes)
            self._buffer.append(mark)
            return True
        if tag in _BLOCKS:
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
            self._definitions.append(len(self._lists))
            if not self._terms:
                self._prefix = "• "
        elif tag in ("ul", "menu", "dir", "dl"):
            self._release()
            self._lists.append(None)
        elif tag == "ol":
            self._lists.append(_number(element.get("start"), 1))
        elif tag == "li":
            self._items += 1
            self._prefix = self._item_mark(element)
        elif tag == "br":
            self._buffer.append("\n")
        self._buffer.append(_own(element.text))
        return False

    def _end(self, element: Element) -> None:
        tag = tag_of(element)
        if tag in _BLOCKS:
            self._flush()
        if tag == "li":
            self._items -= 1
            self._prefix = ""
        elif tag == "dt":
            self._in_term = False
        elif tag == "dd":
            if self._definitions:
                self._definitions.pop()
            self._prefix = ""
            self._release()
        elif tag in ("ul", "menu", "dir", "dl", "ol") and self._lists:
            if tag == "dl":
                self._after_note = False
                self._release()
            self._lists.pop()

    def _item_mark(self, element: Element) -> str:
        number = self._lists[-1] if self._lists else None
        if number is None:
            return "• "
        number = _number(element.get("value"), number)
        self._lists[-1] = number + 1
        return f"{number}. "

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
        text = re.sub(rf"^[\s\[(^↑]*(?:{label}[\s\])]*(?:[.:]\s+)?)?", "", text)
        text = re.sub(r"[\s↑↩⤴^\ufe0e]+$", "", text)
        if text:
            self._builder.add_note(label, text)

    def _table(self, table: Element) -> bool:
        """Takes a table up as rows; False: it lays out the page."""
        if _is_layout(table):
            return False
        title, header, rows = self._rows(table)
        self._release()
        self._builder.add_table(rows, header=header, title=title)
        self._prefix = ""
        return True

    def _rows(self, table: Element) -> tuple[str, list[str], list[list[str]]]:
        title = ""
        found: list[tuple[list[str], bool]] = []  # cells, and whether all of them are names
        spans: dict[int, tuple[str, int]] = {}  # by column: what goes on below, and how far
        for part in _parts(table):
            if part.tag == "caption":
                title = title or flat(part, self._skips, notes=self._notes)
                continue
            if not self._skips(part):
                cells, names = self._row(part, spans)
                if cells:
                    found.append((cells, names))
        named = 0
        for cells, names in found[: len(found) - 1]:
            if not (names and any(cells)):
                break
            named += 1
        rows = [cells for cells, _ in found]
        if named > 1 and not title and len(set(rows[0])) == 1:
            title, rows, named = rows[0][0], rows[1:], named - 1
        if named:
            return title, _stacked(rows[:named]), rows[named:]
        has_names = next(table.iter("th"), None) is not None
        if len(rows) > 1 and not has_names and is_header(rows[0], rows[1]):
            return title, rows[0], rows[1:]
        return title, [], rows

    def _row(self, row: Element, spans: dict[int, tuple[str, int]]) -> tuple[list[str], bool]:
        cells: list[str] = []
        parent = row.getparent()
        in_head = parent is not None and parent.tag == "thead"
        names = True
        own = [c for c in row if c.tag in ("td", "th") and not self._skips(c)]
        for cell in own:
            self._spanned(cells, spans)
            text = flat(cell, self._skips, notes=self._notes)
            names = names and (cell.tag == "th" or in_head or not text)
            wide = min(_number(cell.get("colspan"), 1), MOST_COLUMNS - len(cells))
            high = _number(cell.get("rowspan"), 1) or 1_000  # 0: to the end
            if len(own) == 1 and wide > 1 and not names and not cells:
                wide = 1  # a line across the table
            cost = (len(text) + 1) * (wide - 1)
            if self._repeated + cost > _REPEATED:
                wide = 1
            else:
                self._repeated += max(0, cost)
            for column in range(len(cells), len(cells) + max(1, wide)):
                cells.append(text)
                if high > 1:
                    spans[column] = text, high - 1
            if len(cells) >= MOST_COLUMNS:
                break
        while any(column >= len(cells) for column in spans):
            if len(cells) not in spans:
                cells.append("")
            self._spanned(cells, spans)
        if own and len(own) < len(row.getparent()[0]) and all(_goes_on(cell) for cell in own):
            return [], False  # but a label for the rows below, which have it too
        return cells, names and bool(own)

    def _spanned(self, cells: list[str], spans: dict[int, tuple[str, int]]) -> None:
        """Cells from rows above that the next column of this row holds."""
        while (column := len(cells)) in spans:
            text, left = spans.pop(column)
            self._repeated += len(text) + 1
            if self._repeated > _REPEATED:
                spans.clear()
                return
            cells.append(text)
            if left > 1:
                spans[column] = text, left - 1


def _goes_on(cell: Element) -> bool:
    return _number(cell.get("rowspan"), 1) != 1


def _stacked(rows: list[list[str]]) -> list[str]:
    """Several rows of names as one: each column's names from the top down."""
    width = max(len(row) for row in rows)
    padded = [row + [""] * (width - len(row)) for row in rows]
    return [
        " ".join(dict.fromkeys(name for name in column if name))
        for column in zip(*padded, strict=True)
    ]


def _parts(table: Element) -> Iterator[Element]:
    """Captions and rows of a table, and not those of a table within; the foot's rows last."""
    feet: list[Element] = []
    for part in table:
        if part.tag in ("caption", "tr"):
            yield part
        elif part.tag == "tfoot":
            feet += [row for row in part if row.tag == "tr"]
        elif isinstance(part.tag, str):
            yield from (row for row in part if row.tag in ("tr", "caption"))
    yield from feet


def _is_layout(table: Element) -> bool:
    if (table.get("role") or "") in ("presentation", "none"):
        return True
    rows = [part for part in _parts(table) if part.tag == "tr"]
    if not any(len(row) > 1 for row in rows):
        return True
    own = [cell for row in rows for cell in row if isinstance(cell.tag, str)]
    if any(cell.tag == "th" for cell in own) or any(p.tag in ("caption", "thead") for p in table):
        return False
    return any(_holds_blocks(cell) and is_longer(cell, _CELL_CHARACTERS) for cell in own)


def _holds_blocks(cell: Element) -> bool:
    return any(one is not cell and tag_of(one) in _BLOCKS for one in cell.iter())


def _level(text: str | None) -> int:
    return min(6, max(1, _number(text, 2)))


def _number(text: str | None, default: int) -> int:
    found = re.match(r"\s*(\d{1,5})", text or "")
    return int(found[1]) if found else default
