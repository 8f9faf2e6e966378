"""PDF: the text of its pages in reading order, through PDFium."""

import re
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

import pypdfium2 as pdfium

from askai.errors import ReadError
from askai.language import parts
from askai.readers import Reading
from askai.readers.pdf_blocks import drafts
from askai.readers.pdf_furniture import without_furniture
from askai.readers.pdf_guard import check
from askai.readers.pdf_headings import Entry, set_headings
from askai.readers.pdf_layout import Row, rows, segments
from askai.readers.pdf_open import opened
from askai.readers.pdf_paragraphs import Draft, Typography
from askai.readers.pdf_text import TOTAL_CHARACTERS, PageText, read_page
from askai.readers.structure import Block, by_its_look, finish
from askai.records import Mark

PAGES = 20_000
_WORD = re.compile(r"[^\W\d_]+")
_LONG_WORD = 30  # letters; words of running text are shorter
_BROKEN = re.compile(r"[a-z][!\"#$][a-z]")  # by a ligature that the font does not name
_CID = re.compile(r"\(cid:\d+\)")
_DATE = re.compile(r"\s*(?:D:)?([0-9]{4})(?:-?(0[1-9]|1[0-2])(?:-?(0[1-9]|[12][0-9]|3[01]))?)?")
_BOOKMARKS = 20_000
_PIECES = ("paragraph", "footnote")
_NO_TITLE = re.compile(r"(?i)untitled.*|.*\.(?:docx?|pdf|indd|tex|dvi|odt|pptx?)|microsoft word.*")
_ONE_AT_A_TIME = threading.Lock()  # PDFium is not made for threads


class PdfReader:
    name = "pdf"
    version = "2"

    def read(self, data: bytes, *, password: str = "") -> Reading:
        if not data:
            raise ReadError("the file is empty")
        if b"%PDF-" not in data[:1024]:
            raise ReadError("it is not a PDF, though its name says so: %PDF- is not at its start")
        check(data)
        with _ONE_AT_A_TIME:
            try:
                return _read(data, password)
            except ReadError:
                raise
            except RecursionError:
                raise ReadError("it is nested too deeply to be read") from None
            except MemoryError:
                raise ReadError("it needs more memory to be read than there is") from None
            except Exception as error:
                raise ReadError(
                    f"PDFium cannot read it: {type(error).__name__}: {error}"
                ) from error


def _read(data: bytes, password: str) -> Reading:
    document = opened(data, password)
    try:
        count = len(document)
        if count > PAGES:
            raise ReadError(f"it says that it has {count:,} pages; at most {PAGES:,} are read")
        pages = [_page(document, index) for index in range(count)]
        outline = _outline(document)
        title, author, published = _metadata(document)
    finally:
        document.close()
    characters = sum(page.characters for page in pages if page is not None)
    if not count or all(page is None for page in pages):
        raise ReadError("no page of it can be read: it is damaged or cut short")
    if not characters:
        raise ReadError(
            f"{count} page{'s' * (count != 1)}, none with text: it is a scan; "
            "run OCR on it, for example ocrmypdf"
        )
    if characters > TOTAL_CHARACTERS:
        raise ReadError(f"it has {characters:,} characters; at most {TOTAL_CHARACTERS:,} are read")
    laid_out = [
        rows(page, index, segments(page)) if page is not None else []
        for index, page in enumerate(pages)
    ]
    qualities = tuple(_quality(page, found) for page, found in zip(pages, laid_out, strict=True))
    heights = [page.height if page is not None else 0.0 for page in pages]
    kept = without_furniture(laid_out, heights)
    typography = Typography(kept)
    found = drafts(kept, typography)
    set_headings(found, outline, typography)
    text, blocks, page_marks = _assembled(found)
    # The pieces of paragraphs and notes are joined already, where the pages show that they are.
    own = {(b.start, b.end): Mark(b.kind, b.start, b.end, b.label, b.level) for b in blocks}
    marks = [
        own.get((mark.start, mark.end), mark) if mark.kind in _PIECES else mark
        for mark in finish(text, blocks)
    ]
    spoken = parts(text, marks)
    return Reading(
        text=text,
        encoding="utf-8",
        marks=tuple(sorted((*marks, *spoken, *page_marks), key=lambda m: (m.start, -m.end))),
        title=title or next((m.label for m in marks if m.kind == "heading"), None),
        language=_language(spoken),
        author=author,
        published=published,
        pages=qualities,
    )


def _page(document: pdfium.PdfDocument, index: int) -> PageText | None:
    """None where PDFium cannot load the page."""
    try:
        return read_page(document, index)
    except pdfium.PdfiumError:
        return None


def _language(spoken: Sequence[Mark]) -> str | None:
    """Of most of the text: a title page may have names only."""
    lengths: Counter[str] = Counter()
    for mark in spoken:
        lengths[mark.label] += mark.end - mark.start
    return max(lengths, key=lambda code: lengths[code]) if lengths else None


def _outline(document: pdfium.PdfDocument) -> list[Entry]:
    """The bookmarks; a document without a usable outline has none."""
    found: list[Entry] = []
    try:
        for mark in document.get_toc(max_depth=8):
            target = mark.get_dest()
            page = target.get_index() if target is not None else None
            title = ""
            with suppress(UnicodeError):
                title = mark.get_title()
            if page is not None and title:
                found.append((title, mark.level + 1, page))
            if len(found) >= _BOOKMARKS:
                break
    except pdfium.PdfiumError:
        pass
    return found


def _metadata(document: pdfium.PdfDocument) -> tuple[str | None, str | None, str | None]:
    """Title, author, and the day it was made."""
    title, author, made = (_said(document, key) for key in ("Title", "Author", "CreationDate"))
    if _NO_TITLE.fullmatch(title):
        title = ""
    date = _DATE.match(made)
    published = "-".join(part for part in date.groups() if part) if date else None
    return title or None, author or None, published


def _said(document: pdfium.PdfDocument, key: str) -> str:
    try:
        return " ".join(document.get_metadata_value(key).replace("\0", " ").split())
    except UnicodeError:
        return ""


def _quality(page: PageText | None, found: Iterable[Row]) -> float:
    """How well the text of a page came out: 0 for none, 1 for all of it, or for a blank page."""
    if page is None:
        return 0.0
    if not page.characters:
        return 0.0 if page.shows_more else 1.0
    text = "\n".join(row.text for row in found)
    unread = sum(map(len, _CID.findall(text)))
    stuck = sum(
        len(word) for word in _WORD.findall(text) if len(word) > _LONG_WORD and word.isascii()
    )
    garbled = sum(len(line) for line in text.splitlines() if _is_garbled(line))
    broken = sum(
        len(word) for word in text.split() if _BROKEN.search(word) and not set(word) & set("/.:=")
    )
    lost = (page.unmapped + unread + stuck + garbled + broken) / page.characters
    return round(min(1.0, max(0.01, 1.0 - lost)), 3)


def _is_garbled(line: str) -> bool:
    """Signs where letters should be: what a font without a table of its characters leaves."""
    signs = [c for c in line if not (c.isalnum() or c.isspace())]
    return len(signs) > 0.4 * len(line) and len(set(signs)) >= 6


def _assembled(found: Sequence[Draft]) -> tuple[str, list[Block], list[Mark]]:
    """The text, its blocks, and the stretches of it that stand on one page each."""
    text: list[str] = []
    at = 0
    blocks: list[Block] = []
    pages: list[tuple[int, int, int]] = []  # page, start, end
    for draft, following in zip(found, [*found, None][1:], strict=True):
        start = at
        for page, piece in draft.pieces:
            if not piece:
                continue
            text.append(piece)
            if pages and pages[-1][0] == page:
                pages[-1] = (page, pages[-1][1], at + len(piece))
            else:
                pages.append((page, at, at + len(piece)))
            at += len(piece)
        held = draft.text
        if held.strip():
            blocks.append(_block(draft, start, held))
            close = following is not None and draft.kind == following.kind == "bullet"
            row = following is not None and following.kind == "table_row"
            gap = "\n" if close or row else "\n\n"
            text.append(gap)
            at += len(gap)
    whole = "".join(text).rstrip()
    return whole, _with_tables(blocks), _page_marks(whole, pages)


def _block(draft: Draft, start: int, text: str) -> Block:
    # The first cell of a row may be empty: its tab tells the columns of the others.
    held = text.rstrip() if draft.kind in ("table_header", "table_row") else text.strip()
    start += text.index(held)
    block = Block(
        start,
        start + len(held),
        held,
        alone=False,
        kind=draft.kind,
        label=draft.label,
        level=draft.level,
    )
    if block.kind == "heading":
        return replace(block, label=" ".join(block.text.split()))
    if block.kind == "paragraph" and not draft.mono:
        return by_its_look(block)
    return block


def _with_tables(blocks: list[Block]) -> list[Block]:
    """Rows named after their table; a title is one only above a table."""
    found: list[Block] = []
    tables = 0
    table = ""
    for block, following in zip(blocks, [*blocks, None][1:], strict=True):
        named = block
        if block.kind == "table_title":
            if following is None or following.kind != "table_header":
                named = replace(block, kind="paragraph", label="")  # "Table 2 shows that …"
        elif block.kind == "table_header":
            before = found[-1] if found else None
            if before is not None and before.kind == "table_title":
                table = before.label
            else:
                tables += 1
                table = f"Table ~{tables}"
            named = replace(block, label=table)
        elif block.kind == "table_row":
            named = replace(block, label=f"{table}, row {block.label}")
        found.append(named)
    return found


def _page_marks(text: str, pages: Sequence[tuple[int, int, int]]) -> list[Mark]:
    """One for each stretch; a page has two where its notes follow what the next page finishes."""
    marks: list[Mark] = []
    seen: set[int] = set()
    for page, start, end in pages:
        piece = text[start:end]
        lead = len(piece) - len(piece.lstrip())
        stop = start + len(piece.rstrip())
        if start + lead < stop:
            marks.append(Mark("page", start + lead, stop, str(page + 1), continues=page in seen))
            seen.add(page)
    return marks
