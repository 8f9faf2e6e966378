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
from askai.readers.docx_styles import Styles, heading_level
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
from askai.readers.html_tables import MOST_COLUMNS, stacked
from askai.sentences import SUPERSCRIPT

_WHAT = "a Word document (.docx)"
_REPEATED = 2_000_000  # characters that merged cells may add


class DocxReader:
    name = "docx"
    version = "2"

    def read(self, data: bytes, *, password: str = "") -> Reading:  # noqa: ARG002
        with Archive(data, _WHAT) as archive:
            return _Document(archive).reading()


class _Document:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._main = self._main_name()
        self._folder = self._main.rpartition("/")[0]
        self._styles = Styles(self._part("styles.xml"))
        self._numbering = Numbering.of(self._part("numbering.xml"))
        self._notes = {
            kind: self._read_notes(kind) for kind in ("footnote", "endnote")
        }  # bodies by id
        self._labels: dict[tuple[str, str], str] = {}
        self._referred: list[tuple[str, str]] = []  # the keys of `_labels`, in order
        self._builder = Builder()
        self._repeated = 0

    def reading(self) -> Reading:
        body = child(self._archive.xml(self._main), "body")
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

    def _main_name(self) -> str:
        """The part that the package says is its main one."""
        if "[Content_Types].xml" not in self._archive:
            raise ReadError(f"the file is not {_WHAT}: it is a zip archive of something else")
        relations = self._archive.xml("_rels/.rels")
        for relation in relations if relations is not None else ():
            if (relation.get("Type") or "").endswith("/officeDocument"):
                name = (relation.get("Target") or "").lstrip("/")
                if name in self._archive:
                    return name
        return "word/document.xml"

    def _part(self, name: str) -> Element | None:
        return self._archive.xml(f"{self._folder}/{name}" if self._folder else name)

    def _read_notes(self, kind: str) -> dict[str, Element]:
        root = self._part(f"{kind}s.xml")
        return {
            attribute(one, "id") or "": one
            for one in (root if root is not None else ())
            if tag_of(one) == kind and attribute(one, "type") in (None, "normal")
        }

    def _told(self) -> dict[str, str]:
        """What the core properties say, by the names of Dublin Core."""
        root = self._archive.xml("docProps/core.xml")
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
        mark = None  # of an item; "" is one too
        numbering = list_of(properties) or next(
            (style.numbering for style in chain if style.numbering), None
        )
        # Word counts an empty item too, but none that is deleted.
        if (
            numbering
            and numbering[0] not in ("", "0")
            and (text.strip() or not _is_gone(paragraph))
        ):
            mark = self._numbering.mark(*numbering)
        if not text.strip():
            return boxes
        level = heading_level(properties, chain)
        if level is not None:
            self._builder.add_heading((mark or "").removeprefix("• ") + text, level)
        elif mark is not None and numbering:
            self._builder.add(mark + _lines(text), "bullet", indent="  " * numbering[1])
        elif any(style.name.lower().startswith("list bullet") for style in chain):
            self._builder.add(f"• {_lines(text)}", "bullet")
        else:
            self._builder.add(_lines(text))
        return boxes

    def _text(self, paragraph: Element, boxes: list[Element]) -> str:
        """The text of a paragraph; its text boxes are put aside, since they stand elsewhere."""
        pieces: list[str] = []
        walk = etree.iterwalk(paragraph, events=("start",))
        for _, one in walk:
            tag = tag_of(one)
            if not tag or tag in NO_TEXT or (tag == "r" and _is_hidden(one)):
                walk.skip_subtree()
            elif tag == "txbxContent":
                boxes.append(one)
                walk.skip_subtree()
            elif tag == "t":
                text = one.text or ""
                pieces.append(superscript(text) if _is_raised(one) else text)
            elif tag == "tab" and tag_of(one.getparent()) == "r":
                pieces.append(" ")
            elif tag in ("br", "cr"):
                pieces.append("\n")
            elif tag == "noBreakHyphen":
                pieces.append("-")
            elif tag in ("footnoteReference", "endnoteReference"):
                mark = self._reference(tag.removesuffix("Reference"), one)
                if mark and pieces and pieces[-1][-1:] and pieces[-1][-1] in SUPERSCRIPT:
                    pieces.append(" ")  # notes 1 and 2 in a row are not the twelfth
                pieces.append(mark)
        return "".join(pieces)

    def _all_text(self, element: Element) -> str:
        """All text on one line, that of tables and of text boxes too."""
        texts: list[str] = []
        walks = [topmost(element, "p")]
        while walks:
            one = next(walks[-1], None)
            if one is None:
                walks.pop()
                continue
            boxes: list[Element] = []
            texts.append(self._text(one, boxes))
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


def _is_gone(paragraph: Element) -> bool:
    """Whether the end of a paragraph is deleted or hidden, and it with it."""
    end = child(child(paragraph, "pPr"), "rPr")
    return child(end, "del") is not None or is_on(child(end, "vanish"))


def _is_hidden(run: Element) -> bool:
    properties = child(run, "rPr")
    return is_on(child(properties, "vanish")) or is_on(child(properties, "webHidden"))


def _is_raised(text: Element) -> bool:
    return child_value(child(text.getparent(), "rPr"), "vertAlign") == "superscript"


def _lines(text: str) -> str:
    lines = (one_line(line) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
