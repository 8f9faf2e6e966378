"""Tables of a web page as rows of cells, with what their spans repeat."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from askai.readers.building import is_header
from askai.readers.html_elements import BLOCKS, Element, Skips, is_longer, number_at_front, tag_of
from askai.readers.html_inline import flat
from askai.readers.html_notes import Notes

MOST_COLUMNS = 1_000
_CELL_CHARACTERS = 500  # a cell of several blocks beyond this lays out a page
_REPEATED = 2_000_000  # characters that spans may add to a page
_SECTIONS = frozenset(("thead", "tbody", "tfoot", "tr"))


@dataclass(slots=True)
class Table:
    title: str = ""
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    taken: set[Element] = field(default_factory=set)  # cells and captions that the text is of


class Tables:
    """Reads tables of one page, which share what spans may repeat."""

    def __init__(self, skips: Skips, notes: Notes) -> None:
        self._skips = skips
        self._notes = notes
        self._repeated = 0

    def read(self, element: Element) -> Table:
        table = Table()
        found: list[tuple[list[str], bool]] = []  # cells, and whether all of them are names
        labels: list[list[str]] = []  # rows that go on in those below
        spans: dict[int, tuple[str, int]] = {}  # by column: what goes on below, and how far
        section: Element | None = None
        width = 0  # of the first row of the section
        for part in _parts(element):
            if part.tag == "caption":
                if not table.title:
                    table.title = flat(part, self._passes_over, notes=self._notes)
                    table.taken.add(part)
                continue
            if part.getparent() is not section:
                section, width = part.getparent(), len(part)
            if self._skips(part):
                continue
            own = [one for one in part if one.tag in ("td", "th") and not self._skips(one)]
            cells, names = self._row(part, own, spans, table.taken)
            if own and len(own) < width and all(_goes_on(cell) for cell in own):
                labels.append(cells)
                continue
            # A label that no row below repeats would be lost.
            found += [(label, False) for label in labels if not {*label} <= {*cells, ""}]
            labels.clear()
            if cells:
                found.append((cells, names))
        found += [(label, False) for label in labels]
        self._name(table, element, found)
        return table

    def _name(self, table: Table, element: Element, found: list[tuple[list[str], bool]]) -> None:
        """Puts the rows in, and those of names into the header or the title."""
        named = 0
        for cells, names in found[: len(found) - 1]:
            if not (names and any(cells)):
                break
            named += 1
        rows = [cells for cells, _ in found]
        if named > 1 and not table.title and len(set(rows[0])) == 1:
            table.title, rows, named = rows[0][0], rows[1:], named - 1
        has_names = next(element.iter("th"), None) is not None
        if not named and len(rows) > 1 and not has_names and is_header(rows[0], rows[1]):
            named = 1
        table.header = stacked(rows[:named])
        table.rows = rows[named:]

    def _passes_over(self, element: Element) -> bool:
        return element in self._notes.bodies or self._skips(element)  # a note is told by itself

    def _row(
        self,
        row: Element,
        own: list[Element],
        spans: dict[int, tuple[str, int]],
        taken: set[Element],
    ) -> tuple[list[str], bool]:
        cells: list[str] = []
        parent = row.getparent()
        in_head = parent is not None and parent.tag == "thead"
        names = True
        for cell in own:
            self._spanned(cells, spans)
            text = flat(cell, self._passes_over, notes=self._notes)
            taken.add(cell)
            names = names and (cell.tag == "th" or in_head or not text)
            wide = min(number_at_front(cell.get("colspan"), 1), MOST_COLUMNS - len(cells))
            high = number_at_front(cell.get("rowspan"), 1) or 1_000  # 0: to the end
            if len(own) == 1 and wide > 1 and not names and not cells:
                wide = 1  # a line across the table
            cost = (len(text) + 1) * (wide - 1)
            if self._repeated + cost > _REPEATED:
                wide = 1
            else:
                self._repeated += max(0, cost)
            for column in range(len(cells), len(cells) + max(1, wide)):
                cells.append(text)
                if high > 1:
                    spans[column] = text, high - 1
            if len(cells) >= MOST_COLUMNS:
                break
        last = max(spans, default=-1)
        while spans and len(cells) <= last:
            if len(cells) not in spans:
                cells.append("")
                self._repeated += 1
            self._spanned(cells, spans)
        return cells, names and bool(own)

    def _spanned(self, cells: list[str], spans: dict[int, tuple[str, int]]) -> None:
        """Cells from rows above that the next column of this row holds."""
        while (column := len(cells)) in spans:
            text, left = spans.pop(column)
            self._repeated += len(text) + 1
            if self._repeated > _REPEATED:
                spans.clear()
                return
            cells.append(text)
            if left > 1:
                spans[column] = text, left - 1


def stacked(rows: list[list[str]]) -> list[str]:
    """Several rows of names as one: each column's names from the top down."""
    width = max((len(row) for row in rows), default=0)
    padded = [row + [""] * (width - len(row)) for row in rows]
    return [
        " ".join(dict.fromkeys(name for name in column if name))
        for column in zip(*padded, strict=True)
    ]


def is_layout(table: Element) -> bool:
    """Whether a table only puts parts of the page beside each other."""
    if (table.get("role") or "") in ("presentation", "none"):
        return True
    rows = [part for part in _parts(table) if part.tag == "tr"]
    if not any(len(row) > 1 for row in rows):
        return True
    own = [cell for row in rows for cell in row if isinstance(cell.tag, str)]
    if any(cell.tag == "th" for cell in own) or any(p.tag in ("caption", "thead") for p in table):
        return False
    return any(_holds_blocks(cell) and is_longer(cell, _CELL_CHARACTERS) for cell in own)


def has_loose_text(table: Element, taken: set[Element]) -> bool:
    """Whether a table holds what is in no cell, as where it is left open above the next part."""
    pending = [table]
    while pending:
        element = pending.pop()
        if (element.text or "").strip():
            return True
        for part in element:
            if (part.tail or "").strip():
                return True
            if part in taken or part.tag in ("col", "colgroup"):
                continue
            if part.tag not in _SECTIONS:
                return True
            pending.append(part)
    return False


def _goes_on(cell: Element) -> bool:
    return number_at_front(cell.get("rowspan"), 1) != 1


def _parts(table: Element) -> Iterator[Element]:
    """Captions and rows of a table, and not those of a table within; the foot's rows last."""
    feet: list[Element] = []
    for part in table:
        if part.tag in ("caption", "tr"):
            yield part
        elif part.tag == "tfoot":
            feet += [row for row in part if row.tag == "tr"]
        elif isinstance(part.tag, str):
            yield from (row for row in part if row.tag in ("tr", "caption"))
    yield from feet


def _holds_blocks(cell: Element) -> bool:
    return any(one is not cell and tag_of(one) in BLOCKS for one in cell.iter())
