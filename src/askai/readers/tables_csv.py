"""Tables in text: each line a row, its cells between commas, semicolons, tabs or pipes.

The text that askai keeps has the cells between tabs, without quotes, and each row on one line.
"""

import csv
import io
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from askai.errors import ReadError
from askai.readers import Reading
from askai.readers.building import Builder, is_header, one_line
from askai.readers.decoding import decode

MOST_COLUMNS = 1_000
_MOST_BYTES = 64_000_000
_MOST_ROWS = 500_000
_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 200
_SAMPLE = 1 << 18
_CELL = 1 << 20  # characters; a longer one is a quote that never closes
_CELL_LINES = 1_000  # and so is one of more lines
_END = "\x00"  # a row that no text has
_COMMA_OF_NO_NUMBER = re.compile(r"(?<!\d),|,(?!\d)")
_SEPARATOR_LINE = re.compile(r"sep=([^\r\n\"])[\r\n]+", re.IGNORECASE)


class CsvReader:
    name = "csv"
    version = "2"

    def read(self, data: bytes, *, password: str = "") -> Reading:  # noqa: ARG002
        if len(data) > _MOST_BYTES:
            raise ReadError(
                f"the table is {len(data) // 10**6} MB; askai reads tables of up to "
                f"{_MOST_BYTES // 10**6} MB: split it"
            )
        text, encoding = decode(data)
        text = text.replace(_END, "").removeprefix("\ufeff")
        delimiter = None
        if said := _SEPARATOR_LINE.match(text):  # Excel's own hint
            delimiter, text = said[1], text[said.end() :]
        # A limit of the module, which all of its users share.
        before = csv.field_size_limit(_CELL)
        try:
            builder = _built(text, delimiter or _delimiter(text))
        except csv.Error as error:
            raise ReadError(f"the file is no table: {error}") from error
        finally:
            csv.field_size_limit(before)
        return builder.reading(encoding=encoding)


def _built(text: str, delimiter: str) -> Builder:
    builder = Builder()
    rows = _rows(text, delimiter)
    first = list(islice(rows, _SAMPLE_LINES))
    # Lines above the table say what it is of, in one cell each.
    if any(len(row) > 1 for row in first):
        while len(first) > 2 and len(first[0]) == 1:
            builder.add(first.pop(0)[0])
    # Names on top: all there, each once, none a number, and over something to be named. Only a
    # first column that counts the rows has no name.
    names = [first[0][0] or _END, *first[0][1:]] if first else []
    if len(first) > 1 and is_header(names, max(first[1:], key=len)):
        # A row with more cells than the header has keeps them, without a column.
        builder.add_table(chain(first[1:], rows), header=first[0])
    else:
        builder.add_table(chain(first, rows))
    return builder


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """The rows that hold something, each without its last empty cells."""
    options = _options(text, delimiter)
    for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), **options), 1):
        if len(row) > MOST_COLUMNS:
            raise ReadError(
                f"row {number:,} has {len(row):,} columns; askai reads up to {MOST_COLUMNS:,}"
            )
        if number > _MOST_ROWS:
            raise ReadError(f"the table has over {_MOST_ROWS:,} rows; split it")
        cells = [one_line(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield cells


def _options(text: str, delimiter: str) -> dict[str, Any]:
    """How the file is quoted.

    A quote that is opened and not closed would take the rest of the file into one cell: then
    quotes are read as characters.
    """
    row: list[str] = []
    try:
        for row in csv.reader(chain(io.StringIO(text, newline=""), [_END]), delimiter=delimiter):
            if any(max(map(cell.count, "\r\n")) >= _CELL_LINES for cell in row):
                break
    except csv.Error:
        row = []
    closes = row == [_END]
    return {"delimiter": delimiter, "quoting": csv.QUOTE_MINIMAL if closes else csv.QUOTE_NONE}


def _delimiter(text: str) -> str:
    """The sign that cuts the first lines into the same number of cells, most often.

    `csv.Sniffer` takes letters for delimiters, and fails on one column.
    """
    lines = [line for line in text[:_SAMPLE].splitlines()[:_SAMPLE_LINES] if line.strip()]
    sample = "\n".join(lines)
    best, score = ",", 0.0
    decimal = not _COMMA_OF_NO_NUMBER.search(sample)
    for delimiter in _DELIMITERS:
        try:
            rows = list(csv.reader(io.StringIO(sample), delimiter=delimiter))
        except csv.Error:
            continue
        widths = [len(row) for row in rows if row]
        if not widths or max(widths) < 2:
            continue
        width, count = Counter(w for w in widths if w > 1).most_common(1)[0]
        # Equal widths speak louder than wide rows: a comma stands in many sentences.
        share = count / len(widths)
        spread = statistics.pstdev(widths)
        found = share * share * (1 + width / (width + 4)) / (1 + spread / width)
        if delimiter == "," and decimal:  # 1,5;2,5
            found /= 2
        if found > score + 1e-9:
            best, score = delimiter, found
    return best
