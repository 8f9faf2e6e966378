"""Word documents: the text of their paragraphs, lists, tables, notes and text boxes.

Read from the XML itself (ECMA-376, WordprocessingML): of the libraries, python-docx knows neither
notes nor text boxes, and drops what stands in content controls and in tracked insertions. Deleted
and hidden text is no source. Nothing that a document refers to is fetched, and nothing is run.
"""

from lxml import etree

from askai.errors import ReadError
from askai.readers import Reading
from askai.readers.archive import Archive
from askai.readers.building import (
    Builder,
    is_header,
    iso_date,
    language_code,
    one_line,
    superscript,
)
from askai.readers.docx_numbering import Numbering, list_of
from askai.readers.docx_parts import Parts
from askai.readers.docx_styles import Styles, heading_level
from askai.readers.docx_symbols import symbol
from askai.readers.docx_xml import (
    NO_TEXT,
    attribute,
    child,
    child_number,
    child_value,
    is_on,
    tag_of,
    topmost,
    value_of,
)
from askai.readers.html_elements import Element
from askai.readers.html_inline import raised
from askai.readers.html_tables import MOST_COLUMNS, stacked
from askai.sentences import SUPERSCRIPT

_WHAT = "a Word document (.docx)"
_SIGNS = {"br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": " "}
_REPEATED = 2_000_000  # characters that merged cells may add


class DocxReader:
    name = "docx"
    version = "2"

    def read(self, data: bytes, *, password: str = "") -> Reading:  # noqa: ARG002
        with Archive(data, _WHAT) as archive:
            return _Document(archive).reading()


class _Document:
    def __init__(self, archive: Archive) -> None:
        if "[Content_Types].xml" not in archive:
            raise ReadError(f"the file is not {_WHAT}: it is a zip archive of something else")
        self._archive = archive
        self._parts = Parts(archive)
        self._styles = Styles(self._parts.related("styles"))
        self._numbering = Numbering.of(self._parts.related("numbering"))
        self._notes = {
            kind: self._read_notes(kind) for kind in ("footnote", "endnote")
        }  # bodies by id
        self._labels: dict[tuple[str, str], str] = {}
        self._referred: list[tuple[str, str]] = []  # the keys of `_labels`, in order
        self._builder = Builder()
        self._repeated = 0

    def reading(self) -> Reading:
        body = child(self._archive.xml(self._parts.main), "body")
        if body is None:
            raise ReadError(f"the file is not {_WHAT}: it has no text part")
        self._walk(body)
        self._add_notes()
        if self._builder.is_empty:
            raise ReadError("the document holds no text")
        told = self._told()
        return self._builder.reading(
            title=told.get("title"),
            author=told.get("creator"),
            published=iso_date(told.get("created")) or iso_date(told.get("modified")),
            language=language_code(told.get("language")) or self._styles.language(),
        )

    def _read_notes(self, kind: str) -> dict[str, Element]:
        root = self._parts.related(f"{kind}s")
        return {
            attribute(one, "id") or "": one
            for one in (root if root is not None else ())
            if tag_of(one) == kind and attribute(one, "type") in (None, "normal")
        }

    def _told(self) -> dict[str, str]:
        """What the core properties say, by the names of Dublin Core."""
        root = self._parts.properties()
        told: dict[str, str] = {}
        for one in root if root is not None else ():
            text = one_line("".join(one.itertext()))
            if text:
                told[tag_of(one)] = text
        return told

    def _walk(self, element: Element) -> None:
        """Paragraphs and tables in order; text boxes after the paragraph that they hang on."""
        walks = [topmost(element, "p", "tbl")]
        while walks:
            one = next(walks[-1], None)
            if one is None:
                walks.pop()
            elif tag_of(one) == "tbl":
                self._table(one)
            else:
                walks += [topmost(box, "p", "tbl") for box in reversed(self._paragraph(one))]

    def _paragraph(self, paragraph: Element) -> list[Element]:
        """Adds a paragraph; its text boxes are for the caller to add."""
        boxes: list[Element] = []
        text = self._text(paragraph, boxes)
        properties = child(paragraph, "pPr")
        chain = list(self._styles.chain(child_value(properties, "pStyle")))
        mark, depth = self._mark(properties, text)
        if not text.strip():
            return boxes
        level = heading_level(properties, chain)
        if level is not None:
            self._builder.add_heading((mark or "").removeprefix("• ") + text, level)
        elif mark is not None:
            self._builder.add(mark + _lines(text), "bullet", indent="  " * depth)
        elif any(style.name.lower().startswith("list bullet") for style in chain):
            self._builder.add(f"• {_lines(text)}", "bullet")
        else:
            self._builder.add(_lines(text))
        return boxes

    def _mark(self, properties: Element | None, text: str) -> tuple[str | None, int]:
        """What Word shows before a paragraph, "" too, and its depth; None: it is no item."""
        chain = self._styles.chain(child_value(properties, "pStyle"))
        numbering = list_of(properties) or next(
            (style.numbering for style in chain if style.numbering), None
        )
        # Word counts an empty item too, but none that is deleted.
        if (
            not numbering
            or numbering[0] in ("", "0")
            or (not text.strip() and self._is_gone(properties))
        ):
            return None, 0
        return self._numbering.mark(*numbering), numbering[1]

    def _is_gone(self, properties: Element | None) -> bool:
        """Whether the end of a paragraph is deleted or hidden, and it with it."""
        end = child(properties, "rPr")
        by_style = self._styles.hides(child_value(properties, "pStyle"))
        return child(end, "del") is not None or self._is_hidden(end, by_style=by_style)

    def _is_hidden(self, run: Element | None, *, by_style: bool) -> bool:
        """By what its properties say, else by its style and that of its paragraph.

        One of these turns over what the other says: ECMA-376, part 1, 17.7.3.
        """
        if is_on(child(run, "webHidden")):
            return True
        vanish = child(run, "vanish")
        if vanish is not None:
            return is_on(vanish)
        return by_style != self._styles.hides(child_value(run, "rStyle"))

    def _text(self, paragraph: Element, boxes: list[Element]) -> str:
        """The text of a paragraph; its text boxes are put aside, since they stand elsewhere."""
        pieces: list[str] = []
        by_style = self._styles.hides(child_value(child(paragraph, "pPr"), "pStyle"))
        walk = etree.iterwalk(paragraph, events=("start",))
        for _, one in walk:
            tag = tag_of(one)
            hidden = tag == "r" and self._is_hidden(child(one, "rPr"), by_style=by_style)
            if hidden or not tag or tag in NO_TEXT:
                walk.skip_subtree()
            elif tag == "txbxContent":
                boxes.append(one)
                walk.skip_subtree()
            elif tag in ("footnoteReference", "endnoteReference"):
                mark = self._reference(tag.removesuffix("Reference"), one)
                if mark and pieces and pieces[-1][-1:] and pieces[-1][-1] in SUPERSCRIPT:
                    pieces.append(" ")  # notes 1 and 2 in a row are not the twelfth
                pieces.append(mark)
            elif shown := _shown(one, tag):
                pieces.append(shown)
        return "".join(pieces)

    def _all_text(self, element: Element) -> str:
        """All text on one line with its numbers, that of tables and of text boxes too."""
        texts: list[str] = []
        walks = [topmost(element, "p")]
        while walks:
            one = next(walks[-1], None)
            if one is None:
                walks.pop()
                continue
            boxes: list[Element] = []
            text = self._text(one, boxes)
            mark, _ = self._mark(child(one, "pPr"), text)
            texts += [(mark or "").removeprefix("• "), text]
            walks += [topmost(box, "p") for box in reversed(boxes)]
        return one_line(" ".join(texts))

    def _reference(self, kind: str, element: Element) -> str:
        key = kind, attribute(element, "id") or ""
        if key[1] not in self._notes[kind]:
            return ""
        if key not in self._labels:
            self._referred.append(key)
            self._labels[key] = str(len(self._referred))
        return superscript(self._labels[key])

    def _add_notes(self) -> None:
        for kind, name in self._referred:  # grows: a note may refer to another
            text = self._all_text(self._notes[kind][name])
            if text:
                self._builder.add_note(self._labels[kind, name], text)

    def _table(self, table: Element) -> None:
        rows: list[list[str]] = []
        named: list[bool] = []  # whether Word repeats the row on each page
        above: dict[int, str] = {}
        for row in topmost(table, "tr"):
            rows.append(self._row(row, above))
            named.append(is_on(child(child(row, "trPr"), "tblHeader")))
        heads = 0
        while heads < len(rows) - 1 and named[heads]:
            heads += 1
        if not heads and len(rows) > 1 and (_is_padded_header(*rows[:2]) or is_header(*rows[:2])):
            heads = 1
        self._builder.add_table(rows[heads:], header=stacked(rows[:heads]))

    def _row(self, row: Element, above: dict[int, str]) -> list[str]:
        before = min(child_number(child(row, "trPr"), "gridBefore", 0), MOST_COLUMNS)
        cells = [""] * self._repeats("", before)
        for cell in topmost(row, "tc"):
            properties = child(cell, "tcPr")
            wide = min(max(1, child_number(properties, "gridSpan", 1)), MOST_COLUMNS)
            merge = child(properties, "vMerge")
            if merge is not None and (value_of(merge) or "continue") == "continue":
                text = above.get(len(cells), "")
                text *= self._repeats(text, 1)
            else:
                text = self._all_text(cell)
            wide = 1 + self._repeats(text, wide - 1)
            for column in range(len(cells), len(cells) + wide):
                above[column] = text
            cells += [text] * wide
            if len(cells) > MOST_COLUMNS:
                raise ReadError(f"a table has over {MOST_COLUMNS:,} columns; split it")
        return cells

    def _repeats(self, text: str, times: int) -> int:
        """How often a cell may be repeated: `times`, or not at all."""
        cost = (len(text) + 1) * times
        if self._repeated + cost > _REPEATED:
            return 0
        self._repeated += cost
        return times


def _is_padded_header(first: list[str], second: list[str]) -> bool:
    """Whether a first row leaves only the corner, or the last columns, without a name."""
    if len(first) < 2:
        return False
    filled = [cell for cell in first if cell]
    inner = first[1:] if not first[0] else first
    while inner and not inner[-1]:
        inner = inner[:-1]
    return len(filled) > 1 and all(inner) and is_header(filled, second)


def _shown(element: Element, tag: str) -> str:
    """What an element of a run shows by itself."""
    if tag == "t":
        text = element.text or ""
        return (raised(text) or superscript(text)) if _is_raised(element) else text
    if tag == "sym":
        return symbol(element)
    if tag == "tab":
        return " " if tag_of(element.getparent()) == "r" else ""
    return _SIGNS.get(tag, "")


def _is_raised(text: Element) -> bool:
    return child_value(child(text.getparent(), "rPr"), "vertAlign") == "superscript"


def _lines(text: str) -> str:
    lines = (one_line(line) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
