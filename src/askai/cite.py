"""Evidence to citations, and a citation in its context."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from askai.errors import UsageError
from askai.records import Citation, Document, Evidence, Mark, Source
from askai.tables import cells

_FRAGMENT = re.compile(r"char=(\d{1,12})-(\d{1,12})|page=(\d{1,12})")
_NEWLINE = re.compile(r"\r\n?|\n")  # as the passages were cut; splitlines knows more
_AROUND = 300  # characters shown on each side


def citation(unit: Evidence, source: Source, *, n: int, page: int | None = None) -> Citation:
    """The n-th citation of an answer: the unit's span, word for word."""
    return Citation(
        n=n,
        source=source,
        start=unit.start,
        end=unit.end,
        quote=unit.quote,
        heading=unit.chunk.heading,
        label=unit.chunk.label,
        page=page,
        score=round(unit.score, 4),
    )


def page_at(marks: Iterable[Mark], start: int) -> int | None:
    """The page that a place of a document is on; None where it has no pages."""
    pages = (m for m in marks if m.kind == "page" and m.start <= start < m.end)
    found = next(pages, None)
    return int(found.label) if found and found.label.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Context:
    """A span of a document with what stands around it: before + quote + after is the text."""

    source: Source
    start: int
    end: int
    before: str
    quote: str
    after: str
    heading: tuple[str, ...]
    label: str


def parse_place(place: str) -> tuple[str, str]:
    """ "path#fragment" to its two parts; without a fragment the whole document is meant."""
    path, mark, fragment = place.rpartition("#")
    if not mark:
        path, fragment = place, ""
    if not path:
        raise UsageError(f"{place!r} names no source; expected SOURCE#char=A-B or SOURCE#label.")
    return path, fragment


def path_in(corpus: Path, source: str) -> str:
    """A source as the corpus names it, from that or from a path that a user can open."""
    for path in (Path(source), corpus / source):
        if not is_file(path):
            continue
        whole = path.resolve()
        if whole.is_relative_to(corpus.resolve()):
            return whole.relative_to(corpus.resolve()).as_posix()
    raise UsageError(f"No source {source!r} in {corpus}; `askai status` says what is indexed.")


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def show(document: Document, fragment: str) -> Context:
    """The place of a document that a fragment names; raises UsageError when there is none."""
    start, end = _span(document, fragment)
    first, last = _widened(document.text, start, end)
    text = document.text
    return Context(
        source=document.source,
        start=start,
        end=end,
        before=text[first:start],
        quote=text[start:end],
        after=text[end:last],
        heading=_headings(document, start),
        label=_label(document, start),
    )


def shown_path(path: str, *, corpus: Path, folder: Path) -> str:
    """A source's path as a user in `folder` can open it: relative where it lies below."""
    whole = (corpus / path).resolve()
    base = folder.resolve()
    return whole.relative_to(base).as_posix() if whole.is_relative_to(base) else whole.as_posix()


def row_header(document: Document, start: int) -> tuple[str, ...]:
    """The column names from the cell at `start` on; none outside a table's rows."""
    header = ""
    for mark in document.marks:
        if mark.start > start:
            break
        if mark.kind == "table_header":
            header = _NEWLINE.split(document.text[mark.start : mark.end], 1)[0]
        elif mark.kind == "table_row" and mark.start <= start < mark.end:
            before = document.text[mark.start : start]
            return tuple(cells(header))[before.count("\t") :]
    return ()


def _span(document: Document, fragment: str) -> tuple[int, int]:
    name = document.source.path
    if not fragment:
        return 0, len(document.text)
    match = _FRAGMENT.fullmatch(fragment)
    if match and match[1]:
        start, end = int(match[1]), int(match[2])
        if not 0 <= start < end <= len(document.text):
            raise UsageError(
                f"{name} has {len(document.text)} characters; char={start}-{end} is no part of it."
            )
        return start, end
    wanted = match[3] if match else fragment
    kinds = ("page",) if match else ("paragraph", "table_row", "table", "footnote", "heading")
    found = [m for m in document.marks if m.kind in kinds and _is_called(m.kind, m.label, wanted)]
    if not found:
        labels = [m.label for m in document.marks if m.kind in kinds and m.label]
        known = f" It has, among others: {', '.join(labels[:5])}." if labels else ""
        raise UsageError(f"{name} has no {wanted!r}.{known}")
    return found[0].start, found[0].end


def _is_called(kind: str, label: str, wanted: str) -> bool:
    name = f"note {label}" if kind == "footnote" else label
    return wanted.casefold() in (name.casefold(), name.casefold().replace(" ", "-"))


def _widened(text: str, start: int, end: int) -> tuple[int, int]:
    """Some text on both sides, from and to the nearest line ends or blanks."""
    first = max(0, start - _AROUND)
    if first:
        first = next((i + 1 for i in range(first, start) if text[i].isspace()), start)
    last = min(len(text), end + _AROUND)
    if last < len(text):
        last = next((i for i in range(last, end, -1) if text[i - 1].isspace()), end)
    return first, last


def _headings(document: Document, offset: int) -> tuple[str, ...]:
    path: list[tuple[int, str]] = []
    for mark in document.marks:
        if mark.kind == "heading" and mark.start <= offset:
            while path and path[-1][0] >= mark.level:
                path.pop()
            path.append((mark.level, mark.label))
    return tuple(label for _, label in path)


def _label(document: Document, offset: int) -> str:
    for mark in document.marks:
        if mark.kind in ("paragraph", "table_row", "footnote") and mark.start <= offset < mark.end:
            return f"note {mark.label}" if mark.kind == "footnote" else mark.label
    return ""
