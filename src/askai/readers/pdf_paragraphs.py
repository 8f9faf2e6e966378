"""Rows into paragraphs: which row goes on with which block, and what joins their texts."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from askai.readers.pdf_layout import Row
from askai.records import MarkKind
from askai.sentences import is_finished

_BULLET = re.compile(r"[•◦▪‣●○∙][\s\xa0]*(?=\S)|[\ufffd\uf0a0-\uf0ff]\s+(?=\S)|[·*–—-]\s+(?=\S)")
_NUMBER = re.compile(
    r"[(（]?(?:\d{1,3}|[a-z]|[ivx]{1,4})(?:[)）]|\.(?!\d))\s+\S|\d{1,3}[、．]\s*\S"
)
_UNNAMED = frozenset(map(chr, (0xFFFD, *range(0xF0A0, 0xF100))))  # of fonts of signs
_LEADER = re.compile(r"(?:\s*[.·…]){4,}\s*")
_LABELLED = re.compile(r"[\dA-Z]{1,3}(?:\.\d+)*\.?\s")
_PAGE_NUMBER = re.compile(r"\d{1,4}|[ivxlc]{1,7}")
_SUSPENDED = re.compile(r"(?:and|or|und|oder|et|ou)\s")  # "short- and long-term"
_YEARS = re.compile(r"\d–$")
_HYPHENATED = re.compile(r"(?<![^\W\d_])[^\W\d_]+(?:-[^\W\d_]+)+")
_HAN = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_HAN_GAP = re.compile(
    r"(?<=[\u3000-\u303f\u3400-\u9fff\uff01-\uff60]) +(?=[\u3000-\u303f\u3400-\u9fff\uff01-\uff60])"
)
# TeX's fonts have an opening quote at the place of the grave accent.
_GRAVE = re.compile(r"(?<![^\W\d_])\u0300")


@dataclass(slots=True)
class Draft:
    """A block while it grows; each piece of its text stands on one page."""

    kind: MarkKind
    rows: list[Row]
    pieces: list[tuple[int, str]] = field(default_factory=list)  # (page, text)
    label: str = ""
    level: int = 0
    mono: bool = False

    @property
    def text(self) -> str:
        return "".join(piece for _, piece in self.pieces)


class Typography:
    """What is usual in a document: the size of its body, the distance of its lines, its words."""

    def __init__(self, pages: Sequence[list[Row]]) -> None:
        _typed(pages)
        sizes: Counter[float] = Counter()
        gaps: dict[float, list[float]] = defaultdict(list)
        self._hyphenated: set[str] = set()
        blanks = joined = 0
        for rows in pages:
            for row, following in zip(rows, [*rows, None][1:], strict=True):
                sizes[row.size] += len(row.text)
                self._hyphenated.update(
                    word.casefold() for word in _HYPHENATED.findall(row.text.rstrip("-"))
                )
                blanks += len(re.findall(r"[\u4e00-\u9fff] [A-Za-z]", row.text))
                joined += len(re.findall(r"[\u4e00-\u9fff][A-Za-z]", row.text))
                if following is not None and following.column == row.column:
                    gap = following.y - row.y
                    if 0.8 * row.size < gap < 2.2 * row.size and following.size == row.size:
                        gaps[round(row.size)].append(gap)
        self.body = max(sizes, key=lambda size: (sizes[size], size)) if sizes else 10.0
        self._leading = {size: median(found) / size for size, found in gaps.items() if size}
        self.blank_after_han = blanks > joined

    def leading(self, row: Row) -> float:
        """The distance from the row to the next one of its paragraph."""
        return self._leading.get(round(row.size), 1.2) * row.size

    def without_hyphen(self, before: str, after: str) -> bool:
        """Whether a hyphen at the end of a line is there only because the line ends."""
        head = re.search(r"[^\W\d_]+(?:-[^\W\d_]+)*$", before[-60:-1])
        tail = re.match(r"[^\W\d_]+", after)
        if head is None or tail is None or not tail[0][0].islower():
            return False
        if head[0].isupper() and len(head[0]) > 1:
            return False  # "AI-driven"
        return f"{head[0]}-{tail[0]}".casefold() not in self._hyphenated


def _typed(pages: Sequence[list[Row]]) -> None:
    """What a typewriter wrote is no code, though its letters are all as wide."""
    rows = [row for page in pages for row in page]
    mono = sum(len(row.text) for row in rows if row.mono)
    if mono > 0.5 * sum(len(row.text) for row in rows):
        for row in rows:
            row.mono = False


def is_contents(row: Row) -> bool:
    """A line of a table of contents: a leader, or a page number at the far end."""
    if is_leader(row.text):
        return True
    *front, last = row.texts
    far = row.x1 > row.right - 0.1 * (row.right - row.left)
    return bool(front) and far and bool(_PAGE_NUMBER.fullmatch(last.strip()))


def is_leader(text: str) -> bool:
    return ". . . ." in text or "....." in text or "·····" in text or "……" in text


def begun(row: Row, typography: Typography) -> Draft:
    kind: MarkKind = "paragraph"
    if is_contents(row) or _BULLET.match(row.text) or _NUMBER.match(row.text):
        kind = "bullet"
    draft = Draft(kind, [], mono=row.mono)
    append(draft, row, typography)
    return draft


def joins(  # noqa: PLR0911  one per sign of an end
    draft: Draft, row: Row, typography: Typography
) -> bool:
    """Whether a row goes on with a block."""
    last = draft.rows[-1]
    if draft.kind not in ("paragraph", "bullet") or is_contents(last):
        return False
    if abs(row.size - last.size) > 0.08 * last.size:
        return False
    if (row.page, row.column) != (last.page, last.column):
        return _goes_over(draft, row)
    gap = row.y - last.y
    if draft.mono or row.mono:
        return _joins_code(draft, row, gap, typography)
    if not 0 < gap <= 1.28 * typography.leading(last):
        return False
    loose = gap > 1.12 * typography.leading(last)
    if draft.rows[0].bold and all(part.bold for part in draft.rows) != row.bold:
        return False
    if row.bold and not last.bold and loose:
        return False
    short = _is_short(last, row)
    if _begins_item(draft, row, short=short or loose):
        return False
    if short and not (row.text[:1].islower() and not is_finished(last.text) and not loose):
        return False
    # A long title hangs below its first word, which may be far from its number.
    return last.size >= 1.15 * typography.body or _is_aligned(draft, row)


def _is_aligned(draft: Draft, row: Row) -> bool:
    last = draft.rows[-1]
    shift = (last.x1 - row.x1 if row.leftwards else row.x0 - last.x0) / max(1.0, row.size)
    off_centre = abs((row.x0 + row.x1) - (last.x0 + last.x1)) / max(1.0, row.size)
    if len(draft.rows) > 1:
        below = shift + draft.rows[0].cells[0].initial / max(1.0, row.size)
        return min(abs(shift), abs(below)) < 0.7 or off_centre < 0.5
    if draft.kind == "bullet":
        return (-0.3 if _BULLET.match(last.text) else -5) < shift < 5
    # The first line may be indented; in a centred title the shorter line is.
    return off_centre < 1 or -5 < shift < 0.7


def _begins_item(draft: Draft, row: Row, *, short: bool) -> bool:
    text = row.text
    if is_contents(row):
        # A title in a table of contents may take two lines, of which the first has no number.
        return len(draft.rows) > 1 or _LABELLED.match(text) is not None
    if _BULLET.match(text) and text[0] not in "-–—*·\ufffd":
        return True
    if not (_BULLET.match(text) or _NUMBER.match(text)):
        return False
    same = draft.kind == "bullet" and abs(row.x0 - draft.rows[0].x0) < 0.5 * row.size
    return short or same or is_finished(draft.rows[-1].text)


def _is_short(last: Row, row: Row) -> bool:
    """Whether the row above ends where the next word would still have had room."""
    left, right = last.near
    room = 2.0 * row.size if _HAN.match(row.text[:1] or " ") else 0.6 * row.size
    free = last.x0 - left if last.leftwards else right - last.x1
    return 1.15 * row.first_word + room < free


def _joins_code(draft: Draft, row: Row, gap: float, typography: Typography) -> bool:
    """Lines of code stay together; a line of prose may be all in the type of code."""
    last = draft.rows[-1]
    if draft.mono and row.mono:
        return 0 < gap <= 2.3 * typography.leading(last)
    if draft.mono:
        return False
    fits = 0 < gap <= 1.12 * typography.leading(last) and not _is_short(last, row)
    return fits and not last.text.rstrip().endswith(":") and _is_aligned(draft, row)


def _goes_over(draft: Draft, row: Row) -> bool:
    """Whether an unfinished paragraph goes on in the next column or on the next page."""
    last = draft.rows[-1]
    if row.page - last.page > 1 or draft.mono or row.mono or row.bold != last.bold:
        return False
    text = draft.text.rstrip()
    if is_finished(text) or text.endswith((":", "：")):
        return False
    if _is_short(last, row) and not row.text[:1].islower():
        return False
    if _BULLET.match(row.text) or (_NUMBER.match(row.text) and not text.endswith(",")):
        return False
    return not is_contents(row) and row.x0 - row.left < 4 * row.size


def append(draft: Draft, row: Row, typography: Typography) -> None:
    text = row.text.strip()
    if is_leader(text):
        text = _LEADER.sub(" ", text).strip()
    text = _GRAVE.sub("`", text)
    text = _HAN_GAP.sub("", text.replace("\xad", "") if not text.endswith("\xad") else text)
    if not draft.rows and _BULLET.match(text) and text[0] in _UNNAMED:
        text = f"• {text[1:].lstrip()}"
    if draft.rows:
        last = draft.rows[-1]
        if draft.mono and row.mono:
            width = max(1.0, (row.x1 - row.x0) / max(1, len(row.text)))
            left = min(part.x0 for part in draft.rows)
            text = "\n" + " " * min(60, max(0, round((row.x0 - left) / width))) + text
        else:
            text = _joined(draft, text, typography)
        if last.page == row.page and draft.pieces:
            draft.pieces[-1] = (row.page, draft.pieces[-1][1] + text)
        else:
            draft.pieces.append((row.page, text))
    else:
        draft.pieces.append((row.page, text))
    draft.rows.append(row)


def _joined(  # noqa: PLR0911  one per way
    draft: Draft, text: str, typography: Typography
) -> str:
    """The next line's text with what joins it to the line before; may take off a hyphen."""
    page, before = draft.pieces[-1]
    if before.endswith("\xad"):
        draft.pieces[-1] = (page, before.rstrip("\xad"))
        return text
    if _is_address(before, text):
        return text
    if len(before) > 1 and before.endswith("-") and before[-2].isalnum():
        if _SUSPENDED.match(text):
            return f" {text}"
        if typography.without_hyphen(before, text):
            draft.pieces[-1] = (page, before[:-1])
        return text
    if _YEARS.search(before[-2:]) and text[:1].isdecimal():
        return text
    if before.endswith("/") and not before.endswith(" /"):
        return text  # a path, or either/or
    ends, begins = bool(_HAN.match(before[-1:])), bool(_HAN.match(text[:1]))
    if ends and begins:
        return text
    if (ends or begins) and not typography.blank_after_han:
        return text
    return f" {text}"


def _is_address(before: str, text: str) -> bool:
    """Whether a line ends within an address, as TeX cuts them after punctuation."""
    word = before.rpartition(" ")[2]
    if "://" not in word:
        return False
    return word[-1] in "/-_?&=#%" or text[:1] in "/?#&" or (word[-1] == "." and text[:1].islower())
