"""A text made block by block, for formats whose files are not the text themselves.

What a reader adds stands in the text once, with its offsets; what lies between two blocks is blank.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from email.utils import parsedate

from askai.errors import ReadError
from askai.language import parts
from askai.readers import Reading
from askai.readers.structure import Block, by_its_look, finish
from askai.records import MarkKind

# A file may say more than it holds, by repeating; beyond this no one reads it anyway.
MOST_CHARACTERS = 100_000_000
_TOGETHER: frozenset[MarkKind] = frozenset(
    ("bullet", "table_title", "table_header", "table_row")
)  # on lines that follow each other
_NUMBER = re.compile(r"[\s$€£¥%+\-–().,:/\d]*\d[\s$€£¥%+\-–().,:/\d]*\w?")
_DATE = re.compile(r"\s*(\d{4})(?:([-/]?)(\d\d)(?:\2(\d\d))?)?(?!\d)")
_SMALL = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Builder:
    """Grows a text and its blocks; `reading` gives both with all marks."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._blocks: list[Block] = []
        self._length = 0
        self._tables = 0  # without a title that numbers them

    @property
    def is_empty(self) -> bool:
        return not self._blocks

    def add(
        self,
        text: str,
        kind: MarkKind = "paragraph",
        *,
        label: str = "",
        level: int = 0,
        indent: str = "",
    ) -> None:
        """A block; one of nothing but blanks is none. `indent` goes before it, and is not in it.

        A paragraph that shows by its first characters that it is something else becomes that.
        """
        # The blanks before a row are its empty cells.
        text = text.rstrip() if kind in ("table_header", "table_row") else text.strip()
        if not text.replace("\ufeff", "").strip():
            return
        joined = (
            self._blocks
            and kind in _TOGETHER
            and self._blocks[-1].kind in _TOGETHER
            and (kind == "bullet") == (self._blocks[-1].kind == "bullet")
            and kind != "table_title"
        )
        gap = ("\n" if joined else "\n\n") if self._blocks else ""
        start = self._length + len(gap) + len(indent)
        block = Block(start, start + len(text), text, kind=kind, label=label, level=level)
        self._length = block.end
        if self._length > MOST_CHARACTERS:
            raise ReadError(f"the file holds over {MOST_CHARACTERS:,} characters; split it")
        self._pieces.append(f"{gap}{indent}{text}")
        self._blocks.append(by_its_look(block) if kind == "paragraph" else block)

    def add_heading(self, text: str, level: int) -> None:
        line = one_line(text)
        self.add(line, "heading", label=line, level=level)

    def add_note(self, label: str, text: str) -> None:
        """A note with its mark as the running text has it: in small digits."""
        self.add(f"{superscript(label)} {text.strip()}", "footnote", label=label)

    def add_table(
        self, rows: Iterable[Sequence[str]], *, header: Sequence[str] = (), title: str = ""
    ) -> None:
        """Rows as lines of cells between tabs; empty ones are left out, and so are closing tabs.

        A table of one column is no table: its rows are paragraphs.
        """
        lines = [line for line in map(_line, rows) if line.strip()]
        top = _line(header)
        title = one_line(title)
        if not any("\t" in line for line in (top, *lines)):
            for line in (title, top, *lines):
                self.add(line)
            return
        label = ""
        if title:
            shown = by_its_look(Block(0, len(title), title))
            label = shown.label if shown.kind == "table_title" else ""
        if not label:
            self._tables += 1
            label = f"Table ~{self._tables}"
        self.add(title, "table_title", label=label)
        self.add(top, "table_header", label=label)
        for number, line in enumerate(lines, 1):
            self.add(line, "table_row", label=f"{label}, row {number}")

    def reading(
        self,
        *,
        encoding: str = "utf-8",
        title: str | None = None,
        language: str | None = None,
        author: str | None = None,
        published: str | None = None,
        url: str | None = None,
    ) -> Reading:
        """Raises ReadError when no block was added."""
        if not self._blocks:
            raise ReadError("the file holds no text")
        text = "".join(self._pieces)
        blocks = [
            # "Table 2 shows that …"
            replace(block, kind="paragraph", label="")
            if block.kind == "table_title" and (after is None or not _is_of_table(after))
            else block
            for block, after in zip(self._blocks, [*self._blocks[1:], None], strict=True)
        ]
        marks = finish(text, blocks)
        spoken = parts(text, marks)
        heard = spoken[0].label if spoken else None
        if title is None:
            title = next((mark.label for mark in marks if mark.kind == "heading"), None)
        return Reading(
            text=text,
            encoding=encoding,
            marks=tuple(sorted((*marks, *spoken), key=lambda m: (m.start, -m.end))),
            title=title,
            # A template says "en" above Chinese text; the script is surer.
            language=heard if language is None or "zh" in (heard, language) else language,
            author=author,
            published=published,
            url=url,
        )


def _is_of_table(block: Block) -> bool:
    return block.kind in ("table_header", "table_row")


def _line(cells: Sequence[str]) -> str:
    return "\t".join(one_line(cell) for cell in cells).rstrip()


def one_line(text: str) -> str:
    return " ".join(text.split())


def superscript(digits: str) -> str:
    return digits.translate(_SMALL)


def is_header(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether the first row of a table that does not say so names the columns.

    A name is there, is the only one of its kind, and is no number.
    """
    names = [one_line(cell).casefold() for cell in first]
    return (
        len(names) > 1
        and all(names)
        and len(set(names)) == len(names)
        and not any(_NUMBER.fullmatch(name) for name in names)
        and len(second) > 1
    )


def iso_date(text: str | None) -> str | None:
    """The day, month or year that a date says in ISO 8601, or as e-mail has it; else None."""
    if not text:
        return None
    found = _DATE.match(text)
    if found is None:
        stamp = parsedate(text[:100])
        if stamp is None:
            return None
        year, month, day = map(str, stamp[:3])
    else:
        year, month, day = found[1], found[3], found[4]
    try:
        whole = date(int(year), int(month or 1), int(day or 1)).isoformat()
    except ValueError:
        return None
    return whole[: 10 if day else 7 if month else 4]


def language_code(text: str | None) -> str | None:
    """The ISO 639-1 code at the front of "en-GB"; None where there is none."""
    found = re.match(r"\s*([a-zA-Z]{2})(?![a-zA-Z])", text or "")
    return found[1].lower() if found else None
