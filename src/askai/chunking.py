"""Passages along the structure of a document, within a token budget, cut on character offsets.

A numbered paragraph is a passage; a heading goes with what it heads; bullets stay with their
heading; a table row and a note are passages of their own, with their header and their sentence as
context. What is too long is cut between sentences, and only a longer sentence within itself.
"""

import hashlib
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile

from askai.records import Chunk, Document, Mark
from askai.sentences import SUPERSCRIPT, is_finished, split
from askai.tables import cells
from askai.token_count import count_tokens, front_within

VERSION = "3"  # of passages and of their languages, see `language.parts`
BUDGET = 256  # tokens of text; context comes on top
_SMALL = 48  # tokens below which a paragraph joins its neighbour
_CONTEXT_CHARACTERS = 400
# Passages. Of more than that without a heading between them, those beside a passage are often about
# something else: in chroma-chunking's documents of hundreds they cost recall (docs/retrieval.md).
_LONG_SECTION = 16
_BLOCKS = frozenset(
    ("heading", "paragraph", "bullet", "table_title", "table_header", "table_row", "footnote")
)
# These never share a passage with what is around them, but for a table's title and its columns.
_ALONE = frozenset(("table_title", "table_header", "table_row", "footnote"))
_ADDRESS = re.compile(r"\S{1,4}\s*<?\w+://\S+(?:\W+accessed[^.]*)?\.?\s*$", re.IGNORECASE)
_BULLET_MARK = re.compile(r"[\s>\ufeff]*[•◦▪‣●○*+–—-]\s+")
_NEWLINE = re.compile(r"\r\n?|\n")
_NOTE_MARK = re.compile(rf"\s*(?:[{SUPERSCRIPT}]+|\*)\s*")


@dataclass(slots=True)
class _Draft:
    """A passage while it grows: blocks that follow each other."""

    blocks: list[Mark] = field(default_factory=list)
    tokens: int = 0
    heading: tuple[str, ...] = ()
    language: str | None = None

    @property
    def has_text(self) -> bool:
        return any(block.kind != "heading" for block in self.blocks)


class _Outline:
    """The marks of a document, found by what they mean."""

    def __init__(self, document: Document) -> None:
        self.document = document
        marks = document.marks
        self.blocks = [mark for mark in marks if mark.kind in _BLOCKS]
        self._starts = [block.start for block in self.blocks]
        self._titles: dict[Mark, Mark | None] = {}  # of a row
        self._headers: dict[Mark, Mark | None] = {}
        self._places: dict[Mark, Mark] = {}  # of a note's mark in the running text
        self._before: dict[Mark, Mark] = {}  # the piece that a piece goes on from
        self._groups: dict[Mark, str] = {}  # a row's first cell, or the one it leaves to rows above
        self._read(self.blocks)
        self._place([mark for mark in marks if mark.kind == "reference"])

    def _place(self, references: list[Mark]) -> None:
        """Each note with the nearest place before it that carries its mark, or else after it."""
        by_label: dict[str, list[Mark]] = {}
        for mark in references:
            by_label.setdefault(mark.label, []).append(mark)
        for note in self.blocks:
            places = by_label.get(note.label) if note.kind == "footnote" else None
            if places:
                i = bisect_right(places, note.start, key=lambda mark: mark.start)
                self._places[note] = places[max(0, i - 1)]

    def _read(self, blocks: list[Mark]) -> None:
        last: dict[tuple[str, str], Mark] = {}
        group = ""
        title: Mark | None = None
        header: Mark | None = None
        before: Mark | None = None
        for block in blocks:
            if block.kind == "table_header":
                group = ""
                header = block
                title = before if before and before.kind == "table_title" else None
            elif block.kind == "table_row":
                if header and _table_of(block) != _table_of(header):
                    header, title, group = None, None, ""  # a table without names of its columns
                group = cells(self.text(block))[0] or group
                self._groups[block] = group
                self._titles[block], self._headers[block] = title, header
            if block.continues and (block.kind, block.label) in last:
                self._before[block] = last[block.kind, block.label]
            last[block.kind, block.label] = before = block

    def text(self, mark: Mark) -> str:
        return self.document.text[mark.start : mark.end]

    def header(self, row: Mark) -> tuple[str, ...]:
        header = self._headers.get(row)
        return tuple(cells(_NEWLINE.split(self.text(header), 1)[0])) if header else ()

    def table_context(self, row: Mark) -> str:
        """The table's title, and the group that an empty first cell stands for."""
        title = self._titles.get(row)
        header = self.header(row)
        parts = [self.text(title)] if title else []
        if header and not cells(self.text(row))[0] and self._groups[row]:
            parts.append(f"{header[0]}: {self._groups[row]}")
        return " · ".join(parts)

    def sentence_with_mark(self, note: Mark) -> str:
        place = self._places.get(note)
        if place is None:
            return ""
        block = self.blocks[bisect_right(self._starts, place.start) - 1]
        for a, b in split(self.text(block)):
            if block.start + a <= place.start < block.start + b:
                return self.document.text[block.start + a : block.start + b]
        return ""

    def unfinished_before(self, piece: Mark) -> str:
        """The sentence that a piece of a paragraph goes on from."""
        before = self._before.get(piece)
        if before is None:
            return ""
        text = self.text(before)
        return text[split(text)[-1][0] :]

    def ties(self) -> Iterator[tuple[int, int]]:
        """Offsets in passages that belong together."""
        for note, place in self._places.items():
            yield place.start, note.start
        for piece, before in self._before.items():
            if not is_finished(self.text(before)):
                yield before.end - 1, piece.start


def _table_of(part: Mark) -> str:
    """Table 1, of "Table 1, row 3"."""
    return part.label.partition(",")[0]


def chunk(document: Document, *, budget: int = BUDGET) -> list[Chunk]:
    """The passages of a document, in order: together they hold every non-blank character."""
    if budget < 16:
        raise ValueError(f"a budget of {budget} tokens is too small; 16 is the least")
    outline = _Outline(document)
    chunks = [
        piece
        for draft in _drafts(document, outline.blocks, budget)
        for piece in _chunks_of(outline, draft, budget)
    ]
    return _beside(_tied(outline, chunks))


def _drafts(document: Document, blocks: list[Mark], budget: int) -> Iterator[_Draft]:
    languages = [mark for mark in document.marks if mark.kind == "language"]
    path: list[tuple[int, str]] = []
    draft = _Draft()
    language = 0
    for block in blocks:
        while language + 1 < len(languages) and languages[language].end <= block.start:
            language += 1
        spoken = languages[language].label if languages else document.source.language
        tokens = count_tokens(document.text[block.start : block.end])
        gap = count_tokens(document.text[draft.blocks[-1].end : block.start]) if draft.blocks else 0
        if not _joins(draft, block, tokens + gap, budget=budget, spoken=spoken):
            if draft.blocks:
                yield draft
            draft, gap = _Draft(), 0
        if block.kind == "heading":
            while path and path[-1][0] >= block.level:
                path.pop()
            path.append((block.level, block.label or document.text[block.start : block.end]))
        draft.blocks.append(block)
        draft.tokens += tokens + gap
        draft.heading = tuple(label for _, label in path)
        draft.language = spoken
    if draft.blocks:
        yield draft


def _joins(draft: _Draft, block: Mark, tokens: int, *, budget: int, spoken: str | None) -> bool:
    """Whether a block belongs to the passage that ends before it."""
    if not draft.blocks:
        return True
    last = draft.blocks[-1]
    if draft.language != spoken or draft.tokens + tokens > budget:
        return False
    if block.kind in _ALONE or last.kind in _ALONE or block.continues or last.continues:
        return (last.kind, block.kind) == ("table_title", "table_header")
    if block.kind == "heading":
        return not draft.has_text
    if last.kind == "heading" or block.kind == "bullet":
        return last.kind == "heading" or not (block.label or last.label)
    unlabelled = not (block.label or last.label)
    return unlabelled and last.kind != "bullet" and min(draft.tokens, tokens) < _SMALL


def _chunks_of(outline: _Outline, draft: _Draft, budget: int) -> Iterator[Chunk]:
    document = outline.document
    first, last = draft.blocks[0], draft.blocks[-1]
    kind = first.kind if first.kind in ("table_row", "footnote") else "text"
    label = next((b.label for b in draft.blocks if b.label and b.kind != "heading"), "")
    if first.kind == "footnote":
        label = f"note {first.label}"
    whole = Chunk(
        id="",
        path=document.source.path,
        start=first.start,
        end=last.end,
        text=document.text[first.start : last.end],
        context=_context(outline, draft),
        kind=kind,
        label=label,
        heading=draft.heading,
        language=draft.language,
        header=outline.header(first) if first.kind == "table_row" else (),
    )
    if draft.tokens <= budget:
        yield _named(replace(whole, units=tuple(_units(document.text, draft.blocks))))
        return
    if kind == "table_row":
        whole = replace(whole, kind="text", header=())  # part of a row has no columns
    spans = deque(_units(document.text, draft.blocks))
    for start, end in _pieces(document.text, draft.blocks, budget):
        while spans and spans[0][1] <= start:
            spans.popleft()
        inner = takewhile(partial(_begins_before, end), spans)
        units = tuple((max(a, start), min(b, end)) for a, b in inner) or ((start, end),)
        text = document.text[start:end]
        yield _named(replace(whole, start=start, end=end, text=text, units=units))


def _begins_before(end: int, span: tuple[int, int]) -> bool:
    return span[0] < end


def _named(chunk: Chunk) -> Chunk:
    text = hashlib.sha256(chunk.text.encode()).hexdigest()
    name = f"{chunk.path}\0{chunk.start}\0{chunk.end}\0{text}"
    return replace(chunk, id=hashlib.sha256(name.encode()).hexdigest()[:20])


def _units(text: str, blocks: list[Mark]) -> Iterator[tuple[int, int]]:
    """What an answer may quote: sentences, whole bullets and whole rows, without their marks."""
    for block in blocks:
        if block.kind in ("heading", "table_header"):
            continue
        if block.kind in ("table_row", "table_title"):
            row = text[block.start : block.end]
            yield block.start + len(row) - len(row.lstrip()), block.end
            continue
        start = block.start + _mark_width(text, block)
        spans = (
            [(start, block.end)]
            if block.kind == "bullet"
            else ((start + a, start + b) for a, b in split(text[start : block.end]))
        )
        yield from (span for span in spans if span[0] < span[1])


def _mark_width(text: str, block: Mark) -> int:
    """Characters of "33. ", "¹³ " or "• " at the front of a block."""
    piece = text[block.start : block.start + 24]
    if block.kind in ("bullet", "footnote") and not block.continues:
        if block.kind == "footnote" and piece.startswith("["):
            return len(piece) - len(piece.partition("]")[2].lstrip(": "))
        mark = (_BULLET_MARK if block.kind == "bullet" else _NOTE_MARK).match(piece)
        return mark.end() if mark else 0
    if block.label.startswith("¶") and not block.continues:
        number = piece.lstrip()[: len(block.label) - 1]
        rest = piece.lstrip()[len(number) :].lstrip(".、． \t")
        return len(piece) - len(rest)
    return 0


def _pieces(text: str, blocks: list[Mark], budget: int) -> Iterator[tuple[int, int]]:
    """Spans of at most `budget` tokens that begin and end where sentences do, where they can."""
    start, end, tokens = -1, -1, 0
    for first, last in _atoms(text, blocks, budget):
        size = count_tokens(text[end if start >= 0 else first : last])
        if start >= 0 and tokens + size > budget:
            yield start, end
            start, size = -1, count_tokens(text[first:last])
        if start < 0:
            start, tokens = first, 0
        end = last
        tokens += size
    if start >= 0:
        yield start, end


def _atoms(text: str, blocks: list[Mark], budget: int) -> Iterator[tuple[int, int]]:
    for block in blocks:
        for a, b in split(text[block.start : block.end]):
            yield from _within(text, block.start + a, block.start + b, budget)


def _within(text: str, start: int, end: int, budget: int) -> Iterator[tuple[int, int]]:
    """Cuts one sentence that is over the budget: after a blank where there is one near."""
    while (width := front_within(text[start : min(end, start + 8 * budget)], budget)) < end - start:
        blank = max(text.rfind(mark, start + width // 2, start + width) for mark in " \t\n，、；")
        cut = blank + 1 if blank > 0 else start + width
        if text[start:cut].strip():
            yield _stripped(text, start, cut)
        start = cut
    if text[start:end].strip():
        yield _stripped(text, start, end)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    first = start + len(piece) - len(piece.lstrip())
    return first, first + len(piece.strip())


def _context(outline: _Outline, draft: _Draft) -> str:
    """The heading above (or the title), then the table, the note's sentence, or what goes before.

    One heading, not the whole path: on the development questions the reciprocal rank of the
    evidence was .82 with it, .76 with the path, .72 with title and path.
    """
    first = draft.blocks[0]
    source = outline.document.source
    held = {block.label for block in draft.blocks if block.kind == "heading"}
    above = [heading for heading in draft.heading if heading not in held]
    title = _spoken_name(source.path) if source.title is None else source.title
    lines = [above[-1] if above else title]
    if first.kind == "table_row":
        lines.append(outline.table_context(first))
    elif first.kind == "footnote":
        # A note that is but an address would only compete with the sentence it supports.
        if not _ADDRESS.match(outline.text(first)):
            lines.append(outline.sentence_with_mark(first))
    elif first.continues:
        lines.append(outline.unfinished_before(first))
    return "\n".join(line[:_CONTEXT_CHARACTERS] for line in lines if line)


def _spoken_name(path: str) -> str:
    name = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return name.replace("-", " ").replace("_", " ")


def _tied(outline: _Outline, chunks: list[Chunk]) -> list[Chunk]:
    """Ties notes to the passages that carry their marks, and the pieces of what a page cut."""
    ties: dict[str, list[str]] = {chunk.id: [] for chunk in chunks}
    starts = [chunk.start for chunk in chunks]

    def holding(offset: int) -> str:
        return chunks[bisect_right(starts, offset) - 1].id

    for one, other in outline.ties():
        if (a := holding(one)) != (b := holding(other)):
            ties[a].append(b)
            ties[b].append(a)
    return [replace(chunk, related=tuple(dict.fromkeys(ties[chunk.id]))) for chunk in chunks]


def _beside(chunks: list[Chunk]) -> list[Chunk]:
    """Names to each passage of running text those before and behind it in its section."""
    sections: list[list[Chunk]] = []
    for piece in chunks:
        if sections and _goes_on(sections[-1][-1], piece):
            sections[-1].append(piece)
        else:
            sections.append([piece])
    return [named for section in sections for named in _naming_neighbours(section)]


def _naming_neighbours(section: list[Chunk]) -> Iterator[Chunk]:
    if len(section) > _LONG_SECTION:
        yield from section
        return
    for n, piece in enumerate(section):
        neighbours = (*section[max(0, n - 1) : n], *section[n + 1 : n + 2])
        yield replace(piece, beside=tuple(other.id for other in neighbours))


def _goes_on(one: Chunk, other: Chunk) -> bool:
    """Whether the text of a passage goes on in the next one. Numbered paragraphs, rows and notes
    say what they say by themselves."""
    running = (one.kind, other.kind) == ("text", "text") and not (one.label or other.label)
    return running and (one.heading, one.language) == (other.heading, other.language)
