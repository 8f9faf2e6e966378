"""What a page has for the reader's orientation only: running heads and feet, page numbers."""

import re
from collections import Counter
from collections.abc import Sequence

from askai.readers.pdf_layout import Row

_NUMBER = re.compile(
    r"[-–—\[(|\s]*(?:(?:page|página|pág\.|p\.)\s*)?"
    r"(?:\d{1,4}|(?=[ivxlc])c{0,3}(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3}))"
    r"(?:\s*(?:/|of|de|sur)\s*\d{1,4})?[-–—\])|\s]*|第\s*\d+\s*页(?:\s*[,，/共]*\s*\d+\s*页)?",
    re.IGNORECASE,
)
_EDGE = 0.2  # of the page's height, where furniture stands
_DIGITS = re.compile(r"\d+")
_COUNTED = re.compile(r"\d{1,5}")
_YEAR = re.compile(r"\d{4}")
_ROWS = 3  # at most, at the head or at the foot
_OFTEN = 3  # pages
_LARGE = 1.15  # of the body's size: a title, be it at the same place in each chapter
_SMALL = 0.95  # of it
_APART = 1.6  # of the size; furniture keeps its distance

Place = tuple[str, int, str]  # head or foot, height, text with its digits alike
Edge = tuple[Place, Row, bool]  # and whether it is apart from what comes next


def without_furniture(pages: Sequence[list[Row]], heights: Sequence[float]) -> list[list[Row]]:
    """The rows without those that stand at the same place, equal up to digits, on several pages."""
    common = _Common(pages, heights)
    found = [common.without(rows, edge) for rows, edge in zip(pages, common.edges, strict=True)]
    return found if any(found) else list(pages)


class _Common:
    """What the pages of a document have in common at their edges."""

    def __init__(self, pages: Sequence[list[Row]], heights: Sequence[float]) -> None:
        self._pages = len(pages)
        sizes: Counter[float] = Counter()
        for row in (row for rows in pages for row in rows):
            sizes[row.size] += len(row.text)
        self._body = max(sizes, key=lambda size: sizes[size], default=10.0)
        self.edges = [
            _edges(rows, height, _LARGE * self._body)
            for rows, height in zip(pages, heights, strict=True)
        ]
        self._seen = Counter(
            place for edge in self.edges for place in {place for place, _, _ in edge}
        )
        # Running heads that differ from page to page still begin alike: "Chapter 3. …".
        self._seen += Counter(_beginning(place) for edge in self.edges for place, _, _ in edge)
        self._slots = _slots(self.edges, self._seen)
        self._beside = Counter(
            place for rows in pages for place in {_beside(row) for row in rows if row.turned}
        )
        # Page numbers count with the pages, what else ends a line does not.
        self._starts = Counter(
            start
            for edge in self.edges
            for start in {s for _, row, _ in edge for s in _starts(row)}
        )

    def without(self, rows: list[Row], edge: list[Edge]) -> list[Row]:
        dropped: set[int] = set()
        over = ""  # the side whose furniture has ended
        for place, row, apart in edge:
            side = place[0]
            if side == over:
                continue
            seen = self._seen[place]
            often = seen >= _OFTEN or (self._pages <= _OFTEN and seen == 2 and apart)
            running = often and len(row.text) <= 150
            title = side == "head" and row.size >= _LARGE * self._body
            slot = place[:2] in self._slots and not title
            if running or (apart and (slot or self._is_numbered(row))):
                dropped.add(id(row))
            else:
                over = side
        return [
            row
            for row in rows
            if id(row) not in dropped and not (row.turned and self._beside[_beside(row)] >= _OFTEN)
        ]

    def _is_numbered(self, row: Row) -> bool:
        """A page number, alone or at an end of a line."""
        counted = any(self._starts[start] > 1 for start in _starts(row))
        text = row.text.strip()
        if _NUMBER.fullmatch(text):
            return counted or not _YEAR.fullmatch(text)
        ends = (row.texts[0], row.texts[-1])
        numbered = len(row.cells) == 2 and any(end.strip().isdecimal() for end in ends)
        return numbered and (counted or row.size <= _SMALL * self._body)


def _beginning(place: Place) -> Place:
    side, height, text = place
    return side, height, f"{text.split(maxsplit=1)[0]} …" if text.strip() else " …"


def _beside(row: Row) -> tuple[int, str]:
    return round(row.x0 / 3), _DIGITS.sub("#", row.text)


def _starts(row: Row) -> set[int]:
    """Which number the first page would have if a number at an end of the row is its page's."""
    ends = {row.texts[0].strip(), row.texts[-1].strip()}
    return {int(end) - row.page for end in ends if _COUNTED.fullmatch(end)}


def _edges(rows: list[Row], height: float, large: float) -> list[Edge]:
    """The rows at the head and at the foot, from the edges inwards."""
    ordered = sorted((row for row in rows if not row.turned), key=lambda r: r.y)
    found: list[Edge] = []
    for side, inwards in (("head", ordered), ("foot", ordered[::-1])):
        for row, following in zip(inwards[:_ROWS], [*inwards, None][1:], strict=False):
            if (row.y if side == "head" else height - row.y) > _EDGE * height:
                break
            apart = following is None or abs(following.y - row.y) >= _APART * max(
                row.size, 0.8 * following.size
            )
            # Titles that differ by their numbers only are not the same.
            text = row.text if row.size >= large else _DIGITS.sub("#", row.text)
            found.append(((side, round(row.y / 3), text), row, apart))
    return found


def _slots(edges: list[list[Edge]], seen: Counter[Place]) -> set[tuple[str, int]]:
    """Heights where most pages have a running line, be it another in each chapter."""
    total: Counter[tuple[str, int]] = Counter()
    apart: Counter[tuple[str, int]] = Counter()
    repeated: Counter[tuple[str, int]] = Counter()
    for edge in edges:
        for side in ("head", "foot"):
            first = next((entry for entry in edge if entry[0][0] == side), None)
            if first is not None:
                slot = first[0][:2]
                total[slot] += 1
                apart[slot] += first[2]
                repeated[slot] += seen[first[0]] > 1 or seen[_beginning(first[0])] > 2
    return {
        slot
        for slot, count in total.items()
        if count >= max(4, 0.3 * len(edges))
        and apart[slot] >= 0.8 * count
        and repeated[slot] >= 0.3 * count
    }
