"""Marks of plain text: headings, numbered paragraphs, bullets, tables, notes, and their pieces.

Pages of a printed source leave paragraphs and notes in pieces, with the notes of one page between
the pieces of a paragraph: a piece that ends without closing punctuation is taken up by the next
block that is nothing else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from askai.records import Mark, MarkKind
from askai.sentences import SUPERSCRIPT, is_finished

_LINE = re.compile(r"[^\r\n]+")
_BULLET = re.compile(r"\s*(?:[•◦▪‣●○*–—-]|[(（]?[a-z0-9]{1,2}[)）])\s+\S")
_NUMBERED = re.compile(r"\s*(\d{1,4})(?:\.\s+|[、．]\s*)(?=\S)")
_NOTE = re.compile(rf"\s*([{SUPERSCRIPT}]+|\[\^?\d{{1,3}}\]:?)\s+(?=\S)")
_STAR_NOTE = re.compile(r"\s*\*\s*(?=\S)")
_STAR_REFERENCE = re.compile(r"(?<=\w)\*(?=\s|$)")
_REFERENCE = re.compile(rf"[{SUPERSCRIPT}]+|(?<=\S)\[\^?\d{{1,3}}\]")
# km² is a unit, and E = mc² a formula; neither refers to note 2.
_UNIT_BEFORE = re.compile(r"(?:\d\s?[kcdmµ]?m|\bmc)$")
_TABLE_TITLE = re.compile(
    r"\s*((?:table|tableau|tabla|cuadro|figure|exhibit)\s+[\dIVX]+|表\s*[\d一二三四五六七八九十]+)\b",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(r"\s*[^.!?。！？]{1,80}[:：]\s*$")
_LETTER = re.compile(r"[^\W\d_]")
_PLAIN_DIGITS = str.maketrans(SUPERSCRIPT, "0123456789")

_HEADING_CHARACTERS = 120  # a Han character says as much as three letters
_HAN = re.compile(r"[\u3400-\u9fff]")
_HEADING_WORDS = 20
_WRAPPED_WIDTH = range(30, 101)


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of text that is one thing; `text` is what the document holds there."""

    start: int
    end: int
    text: str
    alone: bool = True  # blank lines, or the ends of the file, on both sides
    kind: MarkKind = "paragraph"
    label: str = ""
    level: int = 0
    continues: bool = False


def find_marks(text: str) -> list[Mark]:
    """The marks of a plain text, ordered; blocks are disjoint and hold all but blanks."""
    return finish(text, _headings(_classified(list(_blocks(text)))))


def finish(text: str, blocks: list[Block]) -> list[Mark]:
    """Marks of ordered blocks: their pieces joined, their tables and note references found."""
    blocks = _pieces(blocks)
    marks = [Mark(b.kind, b.start, b.end, b.label, b.level, b.continues) for b in blocks]
    marks += _tables(blocks)
    marks += _references(text, blocks)
    return sorted(marks, key=lambda mark: (mark.start, -mark.end))


def _blocks(text: str) -> Iterator[Block]:
    """Lines, or whole paragraphs where a run of lines was wrapped at a fixed width."""
    run: list[re.Match[str]] = []
    for match in _LINE.finditer(text):
        if not match[0].replace("\ufeff", "").strip():
            continue
        if run and _blank_between(text, run[-1].end(), match.start()):
            yield from _run(run)
            run = []
        run.append(match)
    yield from _run(run)


def _blank_between(text: str, start: int, end: int) -> bool:
    gap = text[start:end].replace("\r\n", "\n")
    return sum(character in "\r\n" for character in gap) > 1


def _run(run: list[re.Match[str]]) -> Iterator[Block]:
    start = 0
    wrapped = _is_wrapped(run)
    for i in range(1, len(run) + 1):
        if i < len(run) and wrapped and not _begins_block(run[i][0]):
            continue
        first, last = run[start], run[i - 1]
        begin = first.start() + len(first[0]) - len(first[0].lstrip("\ufeff \f\v\xa0\u3000"))
        end = last.start() + len(last[0].rstrip())
        source = first.string
        yield Block(begin, end, source[begin:end], alone=len(run) == 1)
        start = i


def _is_wrapped(run: list[re.Match[str]]) -> bool:
    if len(run) < 2 or any("\t" in match[0].strip() for match in run):
        return False
    widths = [len(match[0]) for match in run]
    full = max(widths)
    if full not in _WRAPPED_WIDTH:
        return False
    inner = [
        width
        for width, following in zip(widths, run[1:], strict=False)
        if not _begins_block(following[0])
    ]
    return bool(inner) and all(width >= 0.6 * full for width in inner)


def _begins_block(line: str) -> bool:
    return bool(_BULLET.match(line) or _NUMBERED.match(line) or _NOTE.match(line))


def _classified(blocks: list[Block]) -> list[Block]:
    """Kinds that a block shows by itself, or with the block before it."""
    found: list[Block] = []
    columns = 0  # of the table that the block before belongs to
    table = ""
    tables = 0
    stars = any(_STAR_REFERENCE.search(block.text) for block in blocks)
    for i, block in enumerate(blocks):
        tabs = block.text.count("\t") if columns else block.text.strip().count("\t")
        following = blocks[i + 1] if i + 1 < len(blocks) else None
        # A row has fewer tabs than its header where its last cells are empty.
        if tabs and (columns or (following and 1 <= following.text.count("\t") <= tabs)):
            if not columns:
                if not (found and found[-1].kind == "table_title"):
                    tables += 1
                    table = f"Table ~{tables}"  # without a title of its own
                found.append(replace(block, kind="table_header", label=table))
                columns, row = tabs + 1, 0
            else:
                row += 1
                found.append(replace(block, kind="table_row", label=f"{table}, row {row}"))
            continue
        columns = 0
        found.append(by_its_look(block, star=stars))
        if found[-1].kind == "table_title":
            table = found[-1].label
            if following is None or not following.text.count("\t"):
                found[-1] = block  # "Table 2 shows that …"
    return found


def is_note(line: str) -> bool:
    return bool(_NOTE.match(line))


def by_its_look(block: Block, *, star: bool = False) -> Block:  # noqa: PLR0911  one per look
    """The block with the kind that its first characters show."""
    text = block.text
    if note := _NOTE.match(text):
        label = note[1].strip("[^]:").translate(_PLAIN_DIGITS)
        return replace(block, kind="footnote", label=label)
    if star and block.alone and _STAR_NOTE.match(text) and len(text) > 2:
        return replace(block, kind="footnote", label="*")
    if title := _TABLE_TITLE.match(text):
        return replace(block, kind="table_title", label=title[1].strip().capitalize())
    if _BULLET.match(text):
        return replace(block, kind="bullet")
    if number := _NUMBERED.match(text):
        if not _is_short(text):
            return replace(block, label=f"¶{number[1]}")
        if block.alone:
            return replace(block, kind="heading", level=2, label=text.strip())
        return replace(block, kind="bullet")
    return block


def _is_short(text: str) -> bool:
    stripped = text.strip()
    return (
        len(stripped) + 2 * len(_HAN.findall(stripped)) <= _HEADING_CHARACTERS
        and len(stripped.split()) <= _HEADING_WORDS
        and "\n" not in stripped
        and not is_finished(stripped)
        and stripped[-1] not in ",;:，；：、"
    )


def _headings(blocks: list[Block]) -> list[Block]:
    """Short lines that stand alone above something they can head."""
    found = list(blocks)
    titled = False
    for i, block in enumerate(blocks):
        if block.kind == "heading":
            titled = True
            continue
        if not (block.kind == "paragraph" and not block.label and block.alone):
            continue
        if not (_is_short(block.text) and _LETTER.search(block.text)):
            continue
        if i + 1 == len(blocks) or (titled and _LEAD_IN.match(blocks[i + 1].text)):
            continue
        capitals = block.text.isupper()
        followed_by_line = blocks[i + 1].alone and _is_short(blocks[i + 1].text)
        if titled and not capitals and followed_by_line and blocks[i + 1].kind == "paragraph":
            continue  # a byline, a date, a series: one of several lines that stand alone
        level = 1 if capitals or not titled else 2
        label = " ".join(block.text.split())
        found[i] = replace(block, kind="heading", level=level, label=label)
        titled = True
    return found


def _pieces(blocks: list[Block]) -> list[Block]:
    """Joins the pieces of paragraphs and notes that a page end cut."""
    found: list[Block] = []
    paragraph: Block | None = None  # unfinished, of the running text
    note: Block | None = None
    for block in blocks:
        current = block
        if block.kind == "footnote":
            note = None if _is_finished_note(block.text) else block
        elif block.kind == "paragraph" and not block.label and not _LEAD_IN.match(block.text):
            first = block.text.lstrip()[:1]
            if paragraph is not None and not (first.isupper() and is_finished(paragraph.text)):
                current = replace(block, label=paragraph.label, continues=True)
                paragraph = None if is_finished(block.text) else current
            elif note is not None and first.islower():
                current = replace(block, kind="footnote", label=note.label, continues=True)
                note = None
        elif block.kind == "paragraph" and block.label:
            paragraph = None if is_finished(block.text) else block
        elif block.kind in ("heading", "table_title"):
            paragraph = None
        found.append(current)
    return found


def _is_finished_note(text: str) -> bool:
    return is_finished(text) or text.rstrip().endswith(">")


def _tables(blocks: list[Block]) -> Iterator[Mark]:
    start: Block | None = None
    for i, block in enumerate(blocks):
        if block.kind == "table_title" or (block.kind == "table_header" and start is None):
            start = block
        following = blocks[i + 1] if i + 1 < len(blocks) else None
        if (
            start is not None
            and block.kind in ("table_header", "table_row")
            and not (following and _is_of(start.label, following))
        ):
            yield Mark("table", start.start, block.end, start.label)
            start = None


def _is_of(table: str, block: Block) -> bool:
    """Whether a block is a row of the table; the header of another one may follow at once."""
    return block.kind == "table_row" or (block.kind == "table_header" and block.label == table)


def _references(text: str, blocks: list[Block]) -> Iterator[Mark]:
    """The first place that carries each note's mark, since the last note with the same mark."""
    labels = {block.label for block in blocks if block.kind == "footnote"}
    found: dict[str, Mark] = {}
    missing: set[str] = set()  # labels of notes that come before their mark
    for block in blocks if labels else ():
        if block.kind == "footnote" and not block.continues:
            if block.label in found:
                yield found.pop(block.label)
            else:
                missing.add(block.label)
        offset = 0
        if block.kind == "footnote":
            own = _NOTE.match(block.text)
            offset = own.end() if own else 1
        for match in _REFERENCE.finditer(text, block.start + offset, block.end):
            label = match[0].strip("[^]").translate(_PLAIN_DIGITS)
            unit = _UNIT_BEFORE.search(text[max(block.start, match.start() - 6) : match.start()])
            if label in labels and not unit:
                found.setdefault(label, Mark("reference", match.start(), match.end(), label))
        if "*" in labels and block.kind != "footnote":
            star = _STAR_REFERENCE.search(text, block.start, block.end)
            if star:
                found.setdefault("*", Mark("reference", star.start(), star.end(), "*"))
    yield from (mark for label, mark in found.items() if label in missing)
