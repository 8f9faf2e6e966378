"""Word documents: the text of their paragraphs, lists, tables, notes and text boxes.

Read from the XML itself (ECMA-376, WordprocessingML): of the libraries, python-docx knows neither
notes nor text boxes, and drops what stands in content controls and in tracked insertions. Deleted
and hidden text is no source. Nothing that a document refers to is fetched, and nothing is run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

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
from askai.readers.html_walk import MOST_COLUMNS, Element

_WHAT = "a Word document (.docx)"
# Strict documents name their elements by other addresses, with the same endings.
_NAMESPACE = re.compile(r"\{[^}]*\}")
_HEADING_NAME = re.compile(
    r"(?:heading|überschrift|titre|título|titolo|标题|標題)\s*(\d)", re.IGNORECASE
)
_OFF = ("0", "false", "off", "none")
_NO_TEXT = frozenset("del moveFrom instrText delText fldData pPr rPr sdtPr sectPr Fallback".split())  # noqa: SIM905
_BLOCKS = frozenset(("p", "tbl"))
_REPEATED = 2_000_000  # characters that merged cells may add
_BULLETS = frozenset(("bullet", "none"))
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
          (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


class DocxReader:
    name = "docx"
    version = "1"

    def read(self, data: bytes, *, password: str = "") -> Reading:  # noqa: ARG002
        with Archive(data, _WHAT) as archive:
            return _Document(archive).reading()


@dataclass(slots=True)
class _Style:
    name: str = ""
    base: str = ""
    outline: int | None = None
    numbering: tuple[str, int] | None = None  # list and depth
    language: str | None = None


@dataclass(frozen=True, slots=True)
class _Level:
    """How one depth of a list counts."""

    form: str = "bullet"
    first: int = 1
    text: str = ""  # "%1.%2)": the counts of the depths, and what is around them


@dataclass(slots=True)
class _Numbering:
    """Lists of a document: how each depth counts, and how far it is."""

    levels: dict[tuple[str, int], _Level] = field(default_factory=dict)
    counts: dict[str, dict[int, int]] = field(default_factory=dict)
    abstract: dict[str, str] = field(default_factory=dict)  # by list: what it counts together with

    def mark(self, numbering: str, depth: int) -> str:
        """What Word shows before the next item, with a blank after it; a bullet is "• "."""
        level = self.levels.get((numbering, depth), _Level())
        if level.form in _BULLETS:
            return "• " if level.form == "bullet" else ""
        counts = self.counts.setdefault(self.abstract.get(numbering, numbering), {})
        for outer in range(depth):  # one that was passed over has begun
            if (numbering, outer) in self.levels:
                counts.setdefault(outer, self.levels[numbering, outer].first)
        counts[depth] = counts.get(depth, level.first - 1) + 1
        for deeper in [other for other in counts if other > depth]:
            del counts[deeper]

        def shown(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            own = self.levels.get((numbering, at), _Level("decimal"))
            return _counted(counts.get(at, own.first), own.form)

        text = one_line(re.sub(r"%([1-9])", shown, level.text))
        return f"{text} " if text else ""


def _counted(number: int, form: str) -> str:
    if form in ("lowerLetter", "upperLetter") and 0 < number < 500:
        letter = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letter if form == "lowerLetter" else letter.upper()
    if form in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        roman = ""
        for value, sign in _ROMAN:
            roman += sign * (number // value)
            number %= value
        return roman if form == "lowerRoman" else roman.upper()
    return str(number)


class _Document:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._main = self._main_name()
        self._folder = self._main.rpartition("/")[0]
        self._styles = self._read_styles()
        self._numbering = self._read_numbering()
        self._notes = {
            kind: self._read_notes(kind) for kind in ("footnote", "endnote")
        }  # bodies by id
        self._labels: dict[tuple[str, str], str] = {}
        self._builder = Builder()
        self._repeated = 0

    def reading(self) -> Reading:
        root = self._xml(self._main)
        body = (
            next((one for one in root if _tag(one) == "body"), None) if root is not None else None
        )
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
            language=language_code(told.get("language")) or self._language(),
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

    def _xml(self, name: str) -> Element | None:
        return self._archive.xml(name)

    def _part(self, name: str) -> Element | None:
        return self._xml(f"{self._folder}/{name}" if self._folder else name)

    def _read_styles(self) -> dict[str, _Style]:
        root = self._part("styles.xml")
        styles: dict[str, _Style] = {}
        for one in root if root is not None else ():
            if _tag(one) != "style":
                if _tag(one) == "docDefaults":
                    styles[""] = _Style(language=_language_of(one))
                continue
            style = _Style()
            for part in one:
                if _tag(part) == "name":
                    style.name = _value(part) or ""
                elif _tag(part) == "basedOn":
                    style.base = _value(part) or ""
                elif _tag(part) == "pPr":
                    style.outline = _outline(part)
                    style.numbering = _numbering_of(part)
            styles[_attribute(one, "styleId") or ""] = style
        return styles

    def _language(self) -> str | None:
        default = self._styles.get("")
        # Word writes "en-US" into the templates of all; only another language means something.
        code = language_code(default.language) if default else None
        return None if code == "en" else code

    def _read_numbering(self) -> _Numbering:
        root = self._part("numbering.xml")
        found = _Numbering()
        levels: dict[str, dict[int, _Level]] = {}
        for one in root if root is not None else ():
            if _tag(one) == "abstractNum":
                name = _attribute(one, "abstractNumId") or ""
                levels[name] = dict(_levels(one))
        for one in root if root is not None else ():
            if _tag(one) != "num":
                continue
            number = _attribute(one, "numId") or ""
            own: dict[int, _Level] = {}
            for part in one:
                if _tag(part) == "abstractNumId":
                    shared = _value(part) or ""
                    found.abstract[number] = shared
                    own = {**levels.get(shared, {}), **own}
                elif _tag(part) == "lvlOverride":
                    found.abstract[number] = f"own {number}"  # counts for itself
                    own |= dict(_levels(part))
            for depth, level in own.items():
                found.levels[number, depth] = level
        return found

    def _read_notes(self, kind: str) -> dict[str, Element]:
        root = self._part(f"{kind}s.xml")
        return {
            _attribute(one, "id") or "": one
            for one in (root if root is not None else ())
            if _tag(one) == kind and _attribute(one, "type") in (None, "normal")
        }

    def _told(self) -> dict[str, str]:
        """What the core properties say, by the names of Dublin Core."""
        root = self._xml("docProps/core.xml")
        told: dict[str, str] = {}
        for one in root if root is not None else ():
            text = one_line("".join(one.itertext()))
            if text:
                told[_tag(one)] = text
        return told

    def _walk(self, element: Element) -> None:
        """Paragraphs and tables in order, also those within content controls and the like."""
        walk = etree.iterwalk(element, events=("start",))
        for _, one in walk:
            tag = _tag(one)
            if tag in _NO_TEXT or not tag:
                walk.skip_subtree()
            elif tag == "p":
                self._paragraph(one)
                walk.skip_subtree()
            elif tag == "tbl":
                self._table(one)
                walk.skip_subtree()

    def _paragraph(self, paragraph: Element) -> None:
        boxes: list[Element] = []
        text = self._text(paragraph, boxes)
        properties = next((one for one in paragraph if _tag(one) == "pPr"), None)
        name = _child_value(properties, "pStyle")
        chain = list(self._chain(name))
        level = _heading_level(properties, chain)
        numbering = _numbering_of(properties) or next(
            (style.numbering for style in chain if style.numbering), None
        )
        listed = numbering is not None and numbering[0] not in ("", "0")
        mark = ""
        if listed and numbering is not None and text.strip():
            mark = self._numbering.mark(*numbering)
        if level is not None and text.strip():
            self._builder.add_heading(mark.removeprefix("• ") + text, level)
        elif listed and numbering is not None and text.strip():
            self._builder.add(mark + _lines(text), "bullet", indent="  " * numbering[1])
        elif any(style.name.lower().startswith("list bullet") for style in chain) and text.strip():
            self._builder.add(f"• {_lines(text)}", "bullet")
        else:
            self._builder.add(_lines(text))
        for box in boxes:
            self._walk(box)

    def _chain(self, name: str | None) -> Iterator[_Style]:
        """A style and those it is based on."""
        seen: set[str] = set()
        while name and name not in seen and name in self._styles:
            seen.add(name)
            yield self._styles[name]
            name = self._styles[name].base

    def _text(self, element: Element, boxes: list[Element]) -> str:
        """The text of a paragraph; its text boxes are put aside, since they stand elsewhere."""
        pieces: list[str] = []
        walk = etree.iterwalk(element, events=("start",))
        for _, one in walk:
            tag = _tag(one)
            if not tag or tag in _NO_TEXT or (tag == "r" and _is_hidden(one)):
                walk.skip_subtree()
            elif tag == "txbxContent":
                boxes.append(one)
                walk.skip_subtree()
            elif tag == "t":
                text = one.text or ""
                pieces.append(superscript(text) if _is_raised(one) else text)
            elif tag == "tab" and _tag(one.getparent()) == "r":
                pieces.append(" ")
            elif tag in ("br", "cr"):
                pieces.append("\n")
            elif tag == "noBreakHyphen":
                pieces.append("-")
            elif tag in ("footnoteReference", "endnoteReference"):
                pieces.append(self._reference(tag.removesuffix("Reference"), one))
        return "".join(pieces)

    def _reference(self, kind: str, element: Element) -> str:
        key = kind, _attribute(element, "id") or ""
        if key[1] not in self._notes[kind]:
            return ""
        label = self._labels.setdefault(key, str(len(self._labels) + 1))
        return superscript(label)

    def _add_notes(self) -> None:
        told = 0
        while told < len(self._labels):  # a note may refer to another
            (kind, number), label = list(self._labels.items())[told]
            told += 1
            boxes: list[Element] = []
            texts = [
                self._text(one, boxes)
                for one in self._notes[kind][number].iter()
                if _tag(one) == "p"
            ]
            text = " ".join(one_line(text) for text in texts if text.strip())
            if text:
                self._builder.add_note(label, text)

    def _table(self, table: Element) -> None:
        rows: list[list[str]] = []
        repeated: list[bool] = []
        above: dict[int, str] = {}
        for row in _rows(table):
            cells = self._row(row, above)
            rows.append(cells)
            repeated.append(_is_on(next(iter(_within(row, "trPr", "tblHeader")), None)))
        heads = 0
        while heads < len(rows) - 1 and repeated[heads]:
            heads += 1
        first = bool(rows and len(rows) > 1 and is_header(rows[0], rows[1]))
        header = rows[heads - 1] if heads else _padded_header(rows)
        if header is None and first:
            header = rows[0]
        if header is not None:
            self._builder.add_table(rows[max(1, heads) :], header=header)
        else:
            self._builder.add_table(rows)

    def _row(self, row: Element, above: dict[int, str]) -> list[str]:
        before = _number(next(iter(_within(row, "trPr", "gridBefore")), None), 0)
        cells = [""] * min(before, MOST_COLUMNS)
        for cell in _cells(row):
            properties = next((one for one in cell if _tag(one) == "tcPr"), None)
            wide = min(max(1, _number(_child(properties, "gridSpan"), 1)), MOST_COLUMNS)
            merge = _child(properties, "vMerge")
            if merge is not None and (_value(merge) or "continue") == "continue":
                text = above.get(len(cells), "")
                self._repeated += len(text)
            else:
                text = self._cell(cell)
            if self._repeated > _REPEATED:
                wide = 1
            self._repeated += (len(text) + 1) * (wide - 1)
            for column in range(len(cells), len(cells) + wide):
                above[column] = text
            cells += [text] * wide
            if len(cells) > MOST_COLUMNS:
                raise ReadError(f"a table has over {MOST_COLUMNS:,} columns; split it")
        return cells

    def _cell(self, cell: Element) -> str:
        """All text of a cell on one line, that of tables within it too."""
        texts: list[str] = []
        walk = etree.iterwalk(cell, events=("start",))
        for _, one in walk:
            if _tag(one) in _NO_TEXT:
                walk.skip_subtree()
            elif _tag(one) == "p":
                boxes: list[Element] = []
                texts.append(self._text(one, boxes))
                texts += ["".join(self._text(box, [])) for box in boxes]
                walk.skip_subtree()
        return one_line(" ".join(texts))


def _padded_header(rows: list[list[str]]) -> list[str] | None:
    """A first row that leaves only the corner, or the last columns, without a name."""
    if len(rows) < 2 or len(rows[0]) < 2:
        return None
    first, second = rows[0], rows[1]
    filled = [cell for cell in first if cell]
    inner = first[1:] if not first[0] else first
    while inner and not inner[-1]:
        inner = inner[:-1]
    if len(filled) < 2 or not all(inner) or not is_header([*filled], second):
        return None
    return first


def _tag(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _attribute(element: Element, name: str) -> str | None:
    """An attribute by its plain name: its address differs between kinds of documents."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return None


def _value(element: Element) -> str | None:
    return _attribute(element, "val")


def _child(element: Element | None, name: str) -> Element | None:
    if element is None:
        return None
    return next((one for one in element if _tag(one) == name), None)


def _child_value(element: Element | None, name: str) -> str | None:
    child = _child(element, name)
    return _value(child) if child is not None else None


def _within(element: Element, *names: str) -> Iterator[Element]:
    """Elements at the end of a path of names."""
    found = [element]
    for name in names:
        found = [child for one in found for child in one if _tag(child) == name]
    yield from found


def _number(element: Element | None, default: int) -> int:
    text = (_value(element) if element is not None else None) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else default


def _is_on(element: Element | None) -> bool:
    return element is not None and (_value(element) or "true").lower() not in _OFF


def _rows(table: Element) -> Iterator[Element]:
    """The table's own rows, in content controls too."""
    for one in table:
        if _tag(one) == "tr":
            yield one
        elif _tag(one) in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _rows(one)


def _cells(row: Element) -> Iterator[Element]:
    for one in row:
        if _tag(one) == "tc":
            yield one
        elif _tag(one) in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _cells(one)


def _levels(element: Element) -> Iterator[tuple[int, _Level]]:
    for one in element:
        if _tag(one) == "lvl":
            depth = _attribute(one, "ilvl") or "0"
            form = _child_value(one, "numFmt") or "bullet"
            if depth.isdigit():
                first = _number(_child(one, "start"), 1)
                yield int(depth), _Level(form, first, _child_value(one, "lvlText") or "")


def _numbering_of(properties: Element | None) -> tuple[str, int] | None:
    numbering = _child(properties, "numPr")
    if numbering is None:
        return None
    name = _child_value(numbering, "numId")
    return (name, min(8, _number(_child(numbering, "ilvl"), 0))) if name is not None else None


def _outline(properties: Element | None) -> int | None:
    level = _child_value(properties, "outlineLvl")
    return int(level) + 1 if level and level.isdigit() and int(level) < 9 else None


def _heading_level(properties: Element | None, chain: list[_Style]) -> int | None:
    own = _child_value(properties, "outlineLvl")
    if own is not None:
        return _outline(properties)
    for style in chain:
        if found := _HEADING_NAME.match(style.name):
            return max(1, int(found[1]))
        if style.name.lower() == "title":
            return 1
        if style.outline is not None:
            return style.outline
    return None


def _is_hidden(run: Element) -> bool:
    properties = _child(run, "rPr")
    return _is_on(_child(properties, "vanish")) or _is_on(_child(properties, "webHidden"))


def _is_raised(text: Element) -> bool:
    run = text.getparent()
    properties = _child(run, "rPr") if run is not None else None
    return _child_value(properties, "vertAlign") == "superscript"


def _lines(text: str) -> str:
    lines = (one_line(line) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _language_of(defaults: Element) -> str | None:
    for one in defaults.iter():
        if _tag(one) == "lang":
            return _value(one)
    return None
