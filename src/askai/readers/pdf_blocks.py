"""The blocks of a PDF, out of the rows of all its pages: paragraphs, notes, rows of tables."""

import re
from collections.abc import Iterator, Sequence

from askai.readers.pdf_layout import Row
from askai.readers.pdf_paragraphs import Draft, Typography, append, begun, is_contents, joins
from askai.readers.pdf_tables import Table, find_tables
from askai.records import MarkKind
from askai.sentences import SUPERSCRIPT, is_finished

_NOTE = re.compile(
    rf"\d?[{SUPERSCRIPT}]+\s*(?=\S)|\[\d{{1,3}}\]\s*(?=\S)|\d{{1,3}}(?:[.]?\s+|(?=[^\W\d_]))(?=\S)"
    r"|[*†‡]\s*(?=\S)(?![A-Z]{2})"
)
_PLAIN = str.maketrans(SUPERSCRIPT, "0123456789")
_NOTE_SIZE = 0.93  # of the body's


def drafts(pages: Sequence[list[Row]], typography: Typography) -> list[Draft]:
    """Blocks in reading order; notes and turned text follow the paragraph that a page end cuts."""
    found: list[Draft] = []
    waiting: list[Draft] = []  # until the paragraph that goes on over the page is whole
    current: Draft | None = None
    notes_of = _Notes(typography)
    over: Table | None = None  # that the page before ends with
    rows_before = 0  # of that table
    for rows in pages:
        body, notes = notes_of.split(rows)
        _set_near(body, typography)
        tables = {table.first: table for table in find_tables(body)}
        i = 0
        while i < len(body):
            row = body[i]
            table = tables.get(i)
            if row.turned:
                waiting.append(begun(row, typography))
                i += 1
                continue
            if table is None and current and joins(current, row, typography):
                append(current, row, typography)
                i += 1
                continue
            goes_on = i == 0 and table is not None and over is not None and table.goes_on_from(over)
            if not goes_on:
                found += waiting
                waiting, rows_before = [], 0
            if table is not None:
                found += _of_table(table, body, rows_before)
                current, i = None, table.end
                rows_before += len(table.rows)
            else:
                current = begun(row, typography)
                found.append(current)
                i += 1
        over = next((table for table in tables.values() if table.end == len(body)), None)
        waiting += notes
    return found + waiting


class _Notes:
    """Notes of a document: small type at the foot of a column, from a note's mark on."""

    def __init__(self, typography: Typography) -> None:
        self._typography = typography
        self._last: Draft | None = None

    def split(self, rows: list[Row]) -> tuple[list[Row], list[Draft]]:
        """The rows of a page that are not notes, and its notes."""
        body: list[Row] = []
        notes: list[Draft] = []
        for column in _by_column(rows):
            first = self._first(column)
            body += column[:first]
            for row in column[first:]:
                if self._last is None or self._begins(row):
                    note = _NOTE.match(row.text)
                    label = note[0].strip("[]. ").translate(_PLAIN) if note else ""
                    self._last = Draft("footnote", [], label=label)
                    notes.append(self._last)
                append(self._last, row, self._typography)
        return body, notes

    def _first(self, column: list[Row]) -> int:
        """Index of the first row of the column's notes."""
        small = len(column)
        tables = find_tables(column)  # in small type, too
        above = tables[-1].end if tables else 0
        while small > above and column[small - 1].size <= _NOTE_SIZE * self._typography.body:
            small -= 1
        first = small
        while first < len(column) and not self._begins(column[first]):
            first += 1
        last = self._last
        if last is not None and 0 < small < first and not is_finished(last.text.rstrip("> ")):
            over = column[small].page - last.rows[-1].page == 1
            apart = column[small].y - column[small - 1].y > 1.4 * column[small].size
            if over and apart and column[small].size == last.rows[-1].size:
                return small  # the last note of the page before goes on
        if first == 0 and len(column) > 1 and column[0].text[0] not in SUPERSCRIPT:
            return len(column)  # small type from top to bottom
        return first

    def _begins(self, row: Row) -> bool:
        """A number that is not raised must come after the last note's."""
        note = _NOTE.match(row.text)
        if note is None or row.mono or is_contents(row):
            return False
        mark = note[0].strip("[]. ")
        if not mark.isdecimal() or note[0].startswith("["):
            return True
        before = self._last.label if self._last is not None else ""
        return int(mark) == 1 or not before.isdecimal() or int(mark) == int(before) + 1


def _by_column(rows: list[Row]) -> Iterator[list[Row]]:
    column: list[Row] = []
    for row in rows:
        if column and column[-1].column != row.column:
            yield column
            column = []
        column.append(row)
    if column:
        yield column


def _of_table(table: Table, rows: Sequence[Row], before: int) -> Iterator[Draft]:
    """Its rows; `before` says how many of them are on the pages before."""
    page = rows[table.first].page
    for n, cells in enumerate(table.rows, before):
        kind: MarkKind = "table_row" if n else "table_header"
        text = "\t".join(cell.replace("\t", " ") for cell in cells).rstrip()
        if text.strip():
            yield Draft(kind, [rows[table.first]], [(page, text)], label=str(n))


def _set_near(rows: Sequence[Row], typography: Typography) -> None:
    """Tells each row how far the lines around it go."""
    chunk: list[Row] = []
    for row in [*rows, None]:
        if chunk and (
            row is None
            or row.column != chunk[-1].column
            or abs(row.size - chunk[-1].size) > 0.08 * row.size
            or row.mono != chunk[-1].mono
            or not 0 < row.y - chunk[-1].y <= 1.3 * typography.leading(row)
        ):
            near = min(part.x0 for part in chunk), max(part.x1 for part in chunk)
            if len(chunk) == 1:
                middle = 0.5 * (chunk[0].left + chunk[0].right)
                near = min(near[0], middle), max(near[1], middle)
            for part in chunk:
                part.near = near
            chunk = []
        if row is not None:
            chunk.append(row)
