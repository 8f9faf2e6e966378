"""Where sources put one thing in different places.

A place is stated by a table's column of places, by a place in brackets behind the name, or by a
sentence that says "headquartered", "home to" … beneath a heading, or with a name, of a place. A
branch is another thing than the firm ("SenseTime East China HQ", "iFLYTEK (regional presence)"),
and a thing that one table lists under several places is present there and not seated: neither
makes a conflict.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from askai.aliases import Aliases, occurrences
from askai.records import Chunk, Evidence, Hit
from askai.tables import cells
from askai.tokens import folded
from askai.units import unit_quote

_PLACE_COLUMN = re.compile(
    r"\b(?:location|headquarters|seat|city|cities|place|lieu|siege|ville|sede|ciudad|ubicacion)\b"
    r"|地点|城市|总部|所在地"
)
_SEATED = re.compile(
    r"headquarter|\bbased in\b|\bhome to\b|\bseat\b|\banchored by\b|\bhosts?\b|\blocated\b"
    r"|\bsiege\b|\bsede\b|总部|位于|坐落"
)
_FIRMLY = re.compile(r"headquarter|\bbased in\b|\bsiege\b|\bsede\b|总部")
_BRACKET = re.compile(r"[(（]([^)）]*)[)）]\s*$")  # at the end of a part of a cell
_POSSESSIVE = re.compile(r"['’]s\b")
# What may follow a name that is still the thing itself.
_ITSELF = re.compile(
    r"\s*(?:(?:holdings|group|inc|corp|technologies|information|ltd)\b\.?\s*)?"
    r"(?:$|[;,.，。；、:：()（）/&]|和|(?:hq|headquarters|is|are|and|or|et|y|special\w+)\b"
    r"|tiene su sede\b|a son siege\b|的?总部|位于|坐落)"
)
# A capitalised word after a name makes another thing of it, unless it is one of these.
_LONGER = re.compile(
    r"\s+(?!(?:Holdings|Group|Inc|Corp|Technologies|Information|Ltd|HQ|Headquarters|Is|Are)\b)[A-Z]"
)


@dataclass(frozen=True, slots=True)
class Stated:
    """A place that a unit states for a thing."""

    value: str  # as the source writes it
    places: frozenset[str]  # the places it names, by their first names
    unit: Evidence
    listed: bool  # under a place among other things, which need not be a seat


def has_a_seat(group: Sequence[str], question: str) -> bool:
    """Whether what a question names by these names can be in one place: it is no common noun
    ("artificial intelligence") and no branch or product ("Tencent Cloud")."""
    if group[0].split()[0].islower():
        return False
    longest_first = "|".join(re.escape(name) for name in sorted(group, key=len, reverse=True))
    named = re.finditer(longest_first, question, re.IGNORECASE)
    return question.isupper() or not any(_LONGER.match(question, name.end()) for name in named)


def stated_places(group: Sequence[str], hits: Iterable[Hit], aliases: Aliases) -> list[Stated]:
    """What the passages state of the place of a thing: one of those that agree, so that several
    are a conflict. `group` is the thing's names.
    """
    stated = [
        found
        for hit in hits
        for span in hit.chunk.units
        if (found := _stated(group, hit, span, aliases)) is not None
    ]
    stated = _without_presences(stated)
    distinct: list[Stated] = []
    for one in stated:
        if all(one.places.isdisjoint(other.places) for other in distinct):
            distinct.append(one)
    return distinct


def _without_presences(stated: Sequence[Stated]) -> list[Stated]:
    """Without what one document lists under several places, or seats elsewhere itself."""
    seated = {one.unit.chunk.path for one in stated if not one.listed}
    listed = Counter(one.unit.chunk.path for one in stated if one.listed)
    return [
        one
        for one in stated
        if not one.listed
        or (one.unit.chunk.path not in seated and listed[one.unit.chunk.path] == 1)
    ]


def _stated(
    group: Sequence[str], hit: Hit, span: tuple[int, int], aliases: Aliases
) -> Stated | None:
    quote = unit_quote(hit.chunk, span)
    found = (
        _in_row(group, hit.chunk, aliases)
        if hit.chunk.kind == "table_row"
        else _in_sentence(group, quote, hit.chunk, aliases)
    )
    if found is None:
        return None
    value, listed = found
    places = _places(value, aliases)
    unit = Evidence(hit.chunk, *span, quote, hit.score, hit.dense)
    return Stated(value, places, unit, listed) if places else None


def _in_row(group: Sequence[str], chunk: Chunk, aliases: Aliases) -> tuple[str, bool] | None:
    row = cells(chunk.text)
    columns = [i for i, name in enumerate(chunk.header) if _PLACE_COLUMN.search(folded(name))]
    if not columns or columns[0] >= len(row):
        return None
    at = columns[0]
    for i, cell in enumerate(row):
        if i == at:
            continue
        for segment in cell.split(";"):
            if not _names_itself(group, segment):
                continue
            bracket = _BRACKET.search(segment)
            if bracket is not None and _places(bracket[1], aliases):
                return bracket[1], False
            # In brackets right behind the name stands what kind of presence it is.
            if i < at or not _qualified(group, segment):
                return row[at], i > at
    return None


def _in_sentence(
    group: Sequence[str], quote: str, chunk: Chunk, aliases: Aliases
) -> tuple[str, bool] | None:
    plain = folded(quote)
    if not _SEATED.search(plain):
        return None
    if not _names_itself(group, quote, possessive=bool(_FIRMLY.search(plain))):
        return None
    within = [m.group[0] for m in aliases.mentions(quote) if m.group[0] in aliases.places]
    if len(set(within)) == 1:
        return within[0], False
    heading = chunk.heading[-1] if chunk.heading else ""
    named = [m.group[0] for m in aliases.mentions(heading) if m.group[0] in aliases.places]
    return (named[0], False) if len(set(named)) == 1 else None


def _names_itself(group: Sequence[str], text: str, *, possessive: bool = False) -> bool:
    """Whether a text names the thing, and not another one whose name begins with it."""
    plain = folded(text)
    return any(
        _ITSELF.match(plain, end) or (possessive and _POSSESSIVE.match(plain, end))
        for name in group
        for _, end in occurrences(folded(name), plain)
    )


def _qualified(group: Sequence[str], text: str) -> bool:
    plain = folded(text)
    ends = [end for name in group for _, end in occurrences(folded(name), plain)]
    return any(plain[end:].lstrip().startswith(("(", "（")) for end in ends)


def _places(text: str, aliases: Aliases) -> frozenset[str]:
    named = (mention.group[0] for mention in aliases.mentions(text))
    return frozenset(name for name in named if name in aliases.places)
