"""What a page has for the reader's orientation only: running heads and feet, page numbers."""

import re
from collections import Counter
from collections.abc import Sequence

from askai.readers.pdf_layout import Row

_NUMBER = re.compile(
    r"[-–—\[(|\s]*(?:(?:page|página|pág\.|p\.)\s*)?(?:\d{1,4}|[ivxlc]{1,7}|[IVXLC]{1,7})"
    r"(?:\s*(?:/|of|de|sur)\s*\d{1,4})?[-–—\])|\s]*|第\s*\d+\s*页(?:\s*[,，/共]*\s*\d+\s*页)?",
    re.IGNORECASE,
)
_EDGE = 0.2  # of the page's height, where furniture stands
_ROWS = 3  # at most, at the head or at the foot
_APART = 1.6  # of the size; furniture keeps its distance

Place = tuple[str, int, str]  # head or foot, height, text with its digits alike


def without_furniture(pages: Sequence[list[Row]], heights: Sequence[float]) -> list[list[Row]]:
    """The rows without those that stand at the same place, equal up to digits, on several pages."""
    edges = [_edges(rows, height) for rows, height in zip(pages, heights, strict=True)]
    seen = Counter(place for edge in edges for place in {place for place, _, _ in edge})
    # Running heads that differ from page to page still begin alike: "Chapter 3. …".
    seen += Counter(_beginning(place) for edge in edges for place, _, _ in edge)
    slots = _slots(edges, seen)
    found = [
        _kept(rows, edge, seen, slots, len(pages)) for rows, edge in zip(pages, edges, strict=True)
    ]
    return found if any(found) else list(pages)


def _beginning(place: Place) -> Place:
    side, height, text = place
    return side, height, f"{text.split(maxsplit=1)[0]} …" if text.strip() else " …"


def _edges(rows: list[Row], height: float) -> list[tuple[Place, Row, bool]]:
    """(place, row, whether it is apart from what comes next) from the edges inwards."""
    ordered = sorted(
        (row for row in rows if not row.cells[0].runs[0].look.angle), key=lambda r: r.y
    )
    found: list[tuple[Place, Row, bool]] = []
    for side, inwards in (("head", ordered), ("foot", ordered[::-1])):
        for row, following in zip(inwards[:_ROWS], [*inwards, None][1:], strict=False):
            if (row.y if side == "head" else height - row.y) > _EDGE * height:
                break
            apart = following is None or abs(following.y - row.y) >= _APART * max(
                row.size, 0.8 * following.size
            )
            found.append(((side, round(row.y / 3), re.sub(r"\d+", "#", row.text)), row, apart))
    return found


def _slots(
    edges: list[list[tuple[Place, Row, bool]]], seen: Counter[Place]
) -> set[tuple[str, int]]:
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


def _kept(
    rows: list[Row],
    edge: list[tuple[Place, Row, bool]],
    seen: Counter[Place],
    slots: set[tuple[str, int]],
    pages: int,
) -> list[Row]:
    dropped: set[int] = set()
    over = ""  # the side whose furniture has ended
    for place, row, apart in edge:
        side = place[0]
        if side == over:
            continue
        often = seen[place] >= 3 or (pages <= 3 and seen[place] == 2 and apart)
        running = often and len(row.text) <= 150
        if running or (apart and (place[:2] in slots or _is_numbered(row))):
            dropped.add(id(row))
        else:
            over = side
    return [row for row in rows if id(row) not in dropped]


def _is_numbered(row: Row) -> bool:
    """A page number, alone or at an end of a line in small type."""
    if _NUMBER.fullmatch(row.text.strip()):
        return True
    ends = (row.texts[0], row.texts[-1])
    return len(row.cells) == 2 and any(end.strip().isdecimal() for end in ends)
