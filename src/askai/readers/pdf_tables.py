"""Tables without a word of markup: rows of cells that stand under each other."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from askai.readers.pdf_layout import Row
from askai.readers.pdf_paragraphs import is_leader


@dataclass(frozen=True, slots=True)
class Table:
    first: int  # index of its first row, and of the one after its last
    end: int
    rows: tuple[tuple[str, ...], ...]  # cells, in columns
    columns: tuple[tuple[float, float], ...]  # from left to right
    bold: bool  # its first row

    def goes_on_from(self, before: "Table") -> bool:
        """Whether it is the rest of a table that the page before ends with."""
        if self.bold or self.rows[0] == before.rows[0] or len(self.columns) != len(before.columns):
            return False
        pairs = zip(self.columns, before.columns, strict=True)
        return all(max(a[0], b[0]) < min(a[1], b[1]) for a, b in pairs)


def find_tables(rows: Sequence[Row]) -> list[Table]:
    """Tables of one page, in order; a stretch is one if its cells make at least two columns."""
    found: list[Table] = []
    start = 0
    while start < len(rows):
        end = _stretch(rows, start)
        table = _table(rows, start, end) if end > start else None
        if table is not None:
            found.append(table)
        start = max(end, start + 1)
    return found


def _has_cells(row: Row) -> bool:
    return len(row.cells) > 1 and not row.mono and not is_leader(row.text)


def _stretch(rows: Sequence[Row], start: int) -> int:
    """The end of the rows with cells from here on, those between them with one cell included."""
    if not _has_cells(rows[start]):
        return start
    end = start + 1
    for i in range(start + 1, len(rows)):
        row, before = rows[i], rows[i - 1]
        near = row.column == before.column and row.y - before.y <= 3.2 * max(row.size, before.size)
        if not near or is_leader(row.text) or row.mono or abs(row.size - before.size) > 1.5:
            break
        if _has_cells(row):
            end = i + 1
        elif i - end >= 2:
            break
    return end


def _table(rows: Sequence[Row], start: int, end: int) -> Table | None:
    full = [row for row in rows[start:end] if _has_cells(row)]
    logical = _logical(rows[start:end])
    columns = max(_columns(full), _merged(logical[1:]), key=len)
    # Code and addresses may be in line by chance; the more columns, the less likely that is.
    if len(columns) < 2 or len(full) < max(3, 6 - len(columns)):
        return None
    if not _are_aligned(full, columns):
        return None
    filled = [[""] * len(columns) for _ in logical]
    for cells, group in zip(filled, logical, strict=True):
        for row in group:
            for cell, text in zip(row.cells, row.texts, strict=True):
                column = _column(columns, cell.x0, cell.x1)
                cells[column] = f"{cells[column]} {text.strip()}".strip()
    several = [cells for cells in filled if sum(map(bool, cells)) > 1]
    # Words of running text with a wide gap here and there fill no column from top to bottom.
    shares = [sum(bool(cells[i]) for cells in filled) / len(filled) for i in range(len(columns))]
    if len(several) < 2 or len(several) < 0.6 * len(filled) or max(shares) < 0.6:
        return None
    if len(columns) == 2 and min(shares) < 0.6:
        return None
    letters = sum(any(map(str.isalnum, cell)) for cells in filled for cell in cells)
    if letters < 0.7 * sum(bool(cell) for cells in filled for cell in cells):
        return None
    cells_of = tuple(tuple(cells) for cells in filled)
    return Table(start, end, cells_of, tuple(columns), rows[start].bold)


def _columns(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Intervals that the cells of the most usual kind of row fill."""
    if not rows:
        return []
    usual = Counter(len(row.cells) for row in rows).most_common()
    most = max(usual, key=lambda pair: (pair[1], pair[0]))[0]
    return _merged([[row for row in rows if len(row.cells) == most]])


def _merged(groups: Sequence[Sequence[Row]]) -> list[tuple[float, float]]:
    """Intervals that cells fill, those that overlap as one."""
    spans = sorted((c.x0, c.x1) for group in groups for row in group for c in row.cells)
    found: list[tuple[float, float]] = []
    for left, right in spans:
        if found and left <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], right))
        else:
            found.append((left, right))
    return found


def _column(columns: list[tuple[float, float]], left: float, right: float) -> int:
    """The column that a cell overlaps most, or is nearest to."""

    def nearness(i: int) -> float:
        a, b = columns[i]
        return min(b, right) - max(a, left)

    return max(range(len(columns)), key=nearness)


def _are_aligned(rows: Sequence[Row], columns: list[tuple[float, float]]) -> bool:
    """Whether most cells begin, end or have their middle where others of their column do.

    Wide blanks in running text make columns by chance, but not that.
    """
    places: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        for cell in row.cells:
            places.setdefault(_column(columns, cell.x0, cell.x1), []).append((cell.x0, cell.x1))
    near = 0.3 * rows[0].size
    aligned = 0
    for cells in places.values():
        ways = [a for a, _ in cells], [b for _, b in cells], [0.5 * (a + b) for a, b in cells]
        aligned += max(sum(abs(place - median(way)) <= near for place in way) for way in ways)
    # Where cells span columns, fewer are; and the more columns, the less is chance.
    return aligned >= (0.7 if len(columns) < 4 else 0.5) * sum(map(len, places.values()))


def _logical(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of the table: lines of cells that overlap in height, as centred cells do, are one."""
    found: list[list[Row]] = []
    for row in rows:
        if (found and row.y - found[-1][-1].y < 0.9 * row.size) or (found and _goes_on(found, row)):
            found[-1].append(row)
        else:
            found.append([row])
    return found


def _goes_on(found: list[list[Row]], row: Row) -> bool:
    """A single cell, close below and not in the first column: a cell's second line."""
    last = found[-1][-1]
    return (
        len(row.cells) == 1
        and row.y - last.y <= 1.35 * row.size
        and row.x0 > found[-1][0].cells[0].x1
    )
