"""Rows of a page in reading order: runs beside each other, columns one after the other."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, pairwise
from statistics import median

from askai.readers.pdf_text import RAISED, PageText, Run
from askai.sentences import SUPERSCRIPT

_DIGITS = re.compile(r"\d{1,3}(?:\s?,\s?\d{1,3})*")
_LABEL = re.compile(
    r"(?:[•◦▪‣●○∙·*–—\-\uf0b7\uf0a7]|[(（\[]?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)）\]:、．]?"
    rf"|\d{{1,3}}(?:\.\d{{1,3}})+\.?|[A-Z](?:\.\d{{1,3}})+\.?|[{SUPERSCRIPT}]+|(?i:chapter|section"
    r"|table|figure|chapitre|capítulo)\s[\dA-Z.]+)"
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_LEFTWARDS = re.compile(r"[\u05d0-\u08c9\ufb1d-\ufdfb\ufe70-\ufefc]")
_CLOSING = frozenset(",.;:!?)]}»”’")
_CELL_GAP = 0.9  # of the size
_LABEL_GAP = 6  # of the size, at most, between a number or a bullet and its text
_WIDEST = 20_000  # points; a page that is wider has no columns
_LEAST_LINES = 4  # on each side of a gutter


@dataclass(slots=True)
class Segment:
    """Runs beside each other on one baseline."""

    runs: list[Run]
    x0: float
    x1: float
    y: float
    size: float
    order: int
    initial: float = 0.0  # how far a letter as high as some lines moves them to the right


@dataclass
class Row:
    """What stands on one baseline of a column; more than one cell where the gaps are wide."""

    page: int
    column: int  # counted over the page, in reading order
    left: float  # of the column
    right: float
    cells: list[Segment] = field(repr=False)
    near: tuple[float, float] = (0.0, 0.0)  # how far the lines around it go, left and right

    @cached_property
    def x0(self) -> float:
        return self.cells[0].x0

    @cached_property
    def x1(self) -> float:
        return max(cell.x1 for cell in self.cells)

    @cached_property
    def y(self) -> float:
        return max(self.cells, key=lambda cell: (cell.size, len(cell.runs))).y

    @cached_property
    def size(self) -> float:
        sizes: dict[float, int] = {}
        for cell in self.cells:
            for run in cell.runs:
                sizes[run.look.size] = sizes.get(run.look.size, 0) + len(run.text)
        return max(sizes, key=lambda size: (sizes[size], size))

    @cached_property
    def texts(self) -> list[str]:
        return [segment_text(cell) for cell in self.cells]

    @cached_property
    def text(self) -> str:
        return " ".join(self.texts[::-1] if self.leftwards else self.texts)

    @cached_property
    def bold(self) -> bool:
        return all(run.look.bold for cell in self.cells for run in cell.runs)

    @cached_property
    def turned(self) -> bool:
        """Whether it is not level, as most of its page is."""
        return bool(self.cells[0].runs[0].look.angle)

    @cached_property
    def mono(self) -> bool:
        """Set in the type of code; Chinese type has letters of one width, too."""
        if _HAN.search(self.text):
            return False
        return all(run.look.mono for cell in self.cells for run in cell.runs)

    @cached_property
    def leftwards(self) -> bool:
        """Whether it is written from right to left."""
        return is_leftwards("".join(self.texts))

    @cached_property
    def first_word(self) -> float:
        """Its width: where it would have fitted on the row above, that row ends by intent."""
        word = re.split(r"[\s\u3400-\u9fff]", self.texts[0].strip(), maxsplit=1)[0]
        width = (self.cells[0].x1 - self.x0) / max(1, len(self.texts[0]))
        return (len(word) or 1) * width


def is_leftwards(text: str) -> bool:
    """Whether most of its letters are of Arabic, Hebrew or their kin."""
    leftwards = len(_LEFTWARDS.findall(text))
    return bool(leftwards) and leftwards > 0.5 * sum(map(str.isalpha, text))


def segment_text(segment: Segment) -> str:
    """The text of a segment; raised digits become superscripts."""
    found = ""
    before: Run | None = None
    raised = False
    for run in segment.runs:
        text = run.text
        was_raised, raised = raised, is_raised(run, segment)
        if raised:
            text = text.translate(RAISED)
        if before is not None:
            gap = max(run.x0 - before.x1, before.x0 - run.x1)  # Arabic goes to the left
            tight = gap < 0.3 * segment.size and (raised or (was_raised and text[0] in _CLOSING))
            if (run.space or gap > 0.25 * segment.size) and not tight:
                found += " "
        found += text
        before = run
    return found


def is_raised(run: Run, segment: Segment) -> bool:
    return (
        run.look.size <= 0.85 * segment.size
        and run.y < segment.y - 0.12 * segment.size
        and bool(_DIGITS.fullmatch(run.text.strip()))
    )


def segments(page: PageText) -> list[Segment]:
    """Runs joined as the stream has them: text beside text, and a raised mark with its word."""
    found: list[Segment] = []
    for run in page.runs:
        last = found[-1] if found else None
        if last is not None and _is_initial(last, run):
            first = replace(run, text=last.runs[0].text + run.text)
            wide = run.x0 - last.x0
            found[-1] = Segment([first], run.x0, run.x1, run.y, run.look.size, last.order, wide)
        elif (
            last is not None and run.look.angle == last.runs[-1].look.angle and _adjacent(last, run)
        ):
            _add(last, run)
        else:
            found.append(Segment([run], run.x0, run.x1, run.y, run.look.size, run.order))
    return found


def _is_initial(segment: Segment, run: Run) -> bool:
    """Whether a segment is a letter as high as some lines, and the run what it begins."""
    size, text = run.look.size, segment.runs[0].text
    return (
        segment.size >= 1.8 * size
        and len(segment.runs) == len(text) == 1
        and text.isalpha()
        and run.text[0].isalpha()
        and not (run.look.angle or segment.runs[0].look.angle)
        and 0.25 * segment.size < segment.y - run.y < segment.size
        and -0.2 * size <= run.x0 - segment.x1 <= size
    )


def _adjacent(segment: Segment, run: Run) -> bool:
    if run.look.angle:
        return True
    big = max(segment.size, run.look.size)
    gap = run.x0 - segment.x1
    if abs(run.y - segment.y) > (0.3 if run.look.size == segment.size else 0.6) * big:
        return False
    if 0.2 * big < gap and (
        _LEFTWARDS.search(run.text) or _LEFTWARDS.search(segment.runs[-1].text)
    ):
        return False  # which of them is read first depends on the whole line
    return -0.35 * big <= gap <= 0.9 * big or (
        # A run of the other direction may stand before what the stream has before it.
        abs(run.y - segment.y) < 0.1 * big and abs(segment.x0 - run.x1) <= 0.5 * big
    )


def _add(segment: Segment, run: Run) -> None:
    if run.look.size > segment.size * 1.1 or (
        run.look.size >= segment.size * 0.9 and len(run.text) > len(segment.runs[-1].text)
    ):
        segment.y, segment.size = run.y, run.look.size
    segment.runs.append(run)
    segment.x0, segment.x1 = min(segment.x0, run.x0), max(segment.x1, run.x1)


def baselines(parts: list[Segment]) -> list[list[Segment]]:
    """Segments that share a baseline, from top to bottom, each list from left to right."""
    found: list[list[Segment]] = []
    for part in sorted(parts, key=lambda part: (part.y, part.x0)):
        if found:
            last = found[-1][-1]
            if part.y - last.y <= 0.25 * min(part.size, last.size):
                found[-1].append(part)
                continue
        found.append([part])
    return [sorted(row, key=lambda part: part.x0) for row in found]


def rows(page: PageText, index: int, parts: list[Segment]) -> list[Row]:
    """The rows of a page in reading order: left column before right, turned text last."""
    level = [part for part in parts if not part.runs[0].look.angle]
    # What stands beside the page is not seen; if that is all, the page's box is wrong.
    level = [part for part in level if _is_on_page(part, page)] or level
    turned = [part for part in parts if part.runs[0].look.angle]
    found: list[Row] = []
    column = 0
    for region in _regions(level, depth=0):
        left = min(part.x0 for part in region)
        right = max(part.x1 for part in region)
        lines = _attached(baselines(region))
        found += [Row(index, column, left, right, _cells(line)) for line in lines]
        column += 1
    for part in turned:
        found.append(Row(index, column, 0, page.width, [part]))
        column += 1
    return found


def _is_on_page(part: Segment, page: PageText) -> bool:
    inside = part.x1 > 0 and part.x0 < page.width
    return inside and 0 < part.y < page.height + part.size


def _regions(parts: list[Segment], depth: int) -> Iterator[list[Segment]]:
    """Stretches of one column each, in reading order."""
    gutter = _gutter(parts) if depth < 4 else None
    if gutter is None:
        if parts:
            yield parts
        return
    tops = sorted(part.y for part in parts if part.x0 < gutter < part.x1)
    # What stands beside a spanning segment on its baseline goes with it.
    across = [p for p in parts if p.x0 < gutter < p.x1 or _near(tops, p.y, 0.25 * p.size)]
    outside = {id(part) for part in across}
    inner = sorted((p for p in parts if id(p) not in outside), key=lambda part: part.y)
    heights = [part.y for part in inner]
    at = 0
    band: list[Segment] = []
    for part in sorted(across, key=lambda part: part.y):
        below = bisect_left(heights, part.y)
        if below > at:
            if band:
                yield band
            yield from _sides(inner[at:below], gutter, depth)
            at, band = below, []
        band.append(part)
    if band:
        yield band
    yield from _sides(inner[at:], gutter, depth)


def _near(places: list[float], y: float, distance: float) -> bool:
    i = bisect_left(places, y - distance)
    return i < len(places) and places[i] <= y + distance


def _sides(parts: list[Segment], gutter: float, depth: int) -> Iterator[list[Segment]]:
    for side in ([p for p in parts if p.x1 <= gutter], [p for p in parts if p.x0 >= gutter]):
        yield from _regions(side, depth + 1)


def _gutter(parts: list[Segment]) -> float | None:
    """Where a blank strip parts two columns of running text; None where there is none.

    A table has blank strips too, but its stream goes from row to row, and its cells are short.
    """
    gutter = _strip(parts) if len(parts) >= 2 * _LEAST_LINES else None
    if gutter is None:
        return None
    beside = sorted((p for p in parts if not p.x0 < gutter < p.x1), key=lambda p: p.order)
    lefts = [p for p in beside if p.x0 < gutter]
    rights = [p for p in beside if p.x0 >= gutter]
    least = min(len(lefts), len(rights))
    if least < _LEAST_LINES or len(parts) - len(beside) > len(beside) / 2:
        return None
    switches = sum((a.x0 < gutter) != (b.x0 < gutter) for a, b in pairwise(beside))
    by_column = switches <= max(3, 0.15 * least)
    return gutter if by_column and _is_filled(lefts) and _is_filled(rights) else None


def _strip(parts: list[Segment]) -> float | None:
    """The middle of the widest strip, away from the edges, that the fewest segments cross."""
    left, right = min(p.x0 for p in parts), max(p.x1 for p in parts)
    width, size = right - left, median(p.size for p in parts)
    if not 6 * size < width < _WIDEST:
        return None
    bins = int(width) + 1
    steps = [0] * (bins + 2)
    for part in parts:
        steps[int(part.x0 - left)] += 1
        steps[int(part.x1 - left) + 1] -= 1
    covered = list(accumulate(steps))
    middle = range(int(0.2 * bins), int(0.8 * bins))
    few = min(covered[i] for i in middle) + 0.02 * len(parts)
    best, start = (0, 0), middle.start  # width, start
    for i in middle:
        if covered[i] > few:
            start = i + 1
        best = max(best, (i + 1 - start, start))
    return left + best[1] + best[0] / 2 if best[0] >= 0.5 * size else None


def _is_filled(parts: list[Segment]) -> bool:
    """Whether most lines go from one edge of their column to the other."""
    width = max(p.x1 for p in parts) - min(p.x0 for p in parts)
    widths = [line[-1].x1 - line[0].x0 for line in baselines(parts)]
    return len(widths) >= _LEAST_LINES and median(widths) >= 0.6 * width


def _attached(lines: list[list[Segment]]) -> list[list[Segment]]:
    """Raised marks that the stream has apart from their words, set beside them."""
    found: list[list[Segment]] = []
    for line in lines:
        before = found[-1] if found else None
        size = max(part.size for part in line)
        if (
            before is not None
            and all(_DIGITS.fullmatch(segment_text(part).strip()) for part in before)
            and max(part.size for part in before) <= 0.85 * size
            and line[0].y - before[0].y <= 0.6 * size
        ):
            found[-1] = sorted([*before, *line], key=lambda part: part.x0)
        else:
            found.append(line)
    return found


def _is_label(last: Segment, part: Segment) -> bool:
    close = part.x0 - last.x1 <= _LABEL_GAP * max(part.size, last.size)
    return close and _LABEL.fullmatch(segment_text(last).strip()) is not None


def _cells(line: list[Segment]) -> list[Segment]:
    """The cells of a line; a number or a bullet is one with the text after it."""
    cells: list[list[Segment]] = []
    x1 = size = 0.0  # of the last cell
    for part in line:
        if cells and (
            part.x0 - x1 <= _CELL_GAP * max(part.size, size)
            or (len(line) == 2 and _is_label(cells[-1][0], part))
        ):
            cells[-1].append(part)
            x1, size = max(x1, part.x1), max(size, part.size)
        else:
            cells.append([part])
            x1, size = part.x1, part.size
    if len(cells) == len(line):
        return line
    leftwards = is_leftwards("".join(segment_text(part) for part in line))
    return [_as_one(cell, leftwards=leftwards) for cell in cells]


def _as_one(parts: list[Segment], *, leftwards: bool) -> Segment:
    if len(parts) == 1:
        return parts[0]
    y, size, count = parts[0].y, parts[0].size, len(parts[0].runs)
    for part in parts[1:]:
        if part.size > size or (part.size < size and len(part.runs) >= count):
            y = part.y
        size, count = max(size, part.size), count + len(part.runs)
    runs: list[Run] = []
    before: Segment | None = None
    for part in _from_the_right(parts) if leftwards else parts:
        first, *others = part.runs
        if before is not None:
            apart = max(part.x0 - before.x1, before.x0 - part.x1) > 0.15 * before.size
            first = replace(first, space=first.space or apart)
        runs += [first, *others]
        before = part
    x0, x1 = min(part.x0 for part in parts), max(part.x1 for part in parts)
    return Segment(runs, x0, x1, y, size, min(part.order for part in parts), parts[0].initial)


def _from_the_right(parts: list[Segment]) -> list[Segment]:
    """As a line of Arabic or Hebrew is read; Latin words within it go on from left to right."""
    found: list[list[Segment]] = []
    for part in parts:
        if found and not any(_LEFTWARDS.search(segment_text(p)) for p in (found[-1][-1], part)):
            found[-1].append(part)
        else:
            found.append([part])
    return [part for group in reversed(found) for part in group]
