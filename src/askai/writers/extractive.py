"""Answers made of the evidence itself: the fewest spans that answer, in reading order."""

from collections.abc import Sequence

from askai.records import Evidence
from askai.retrieve import Query
from askai.tokens import tokens
from askai.writers import Drafted, printed

_MOST = 3
# A further unit must be nearly as good as the best, and hold terms of the question that none of
# the units before it holds; measured on the development half of the gold set.
_NEARLY = 0.03


class ExtractiveWriter:
    """Needs no model: each sentence is its quote, a table row is its cells with their columns."""

    def write(self, query: Query, evidence: Sequence[Evidence]) -> list[Drafted]:
        chosen = self._chosen(query, evidence)
        in_order = sorted(chosen, key=lambda unit: (_rank(unit, chosen), unit.start))
        return [(printed(unit), (unit,)) for unit in in_order]

    def _chosen(self, query: Query, evidence: Sequence[Evidence]) -> list[Evidence]:
        best = evidence[0]
        chosen = [best]
        held = _held(query, best)
        for unit in evidence[1:]:
            if len(chosen) == _MOST or unit.score < best.score - _NEARLY:
                break
            new = _held(query, unit) - held
            if new and not any(_overlap(unit, other) for other in chosen):
                chosen.append(unit)
                held |= new
        return chosen


def _held(query: Query, unit: Evidence) -> set[tuple[str, ...]]:
    """The question's terms that a unit holds; for a note that holds half of them itself, also those
    of the sentence that it is about, which then need not be printed beside it."""
    own = _terms_in(query, unit.quote)
    if unit.chunk.kind == "footnote" and 2 * len(own) >= len(query.terms):
        return own | _terms_in(query, unit.chunk.context)
    return own


def _terms_in(query: Query, text: str) -> set[tuple[str, ...]]:
    """In the view of the question that the text fits best."""
    words = set(tokens(text))
    held = ({term for term in view if words & set(term)} for view in query.views)
    return max(held, key=len)


def _overlap(one: Evidence, other: Evidence) -> bool:
    if one.quote == other.quote:
        return True
    same = one.chunk.path == other.chunk.path
    return same and one.start < other.end and other.start < one.end


def _rank(unit: Evidence, chosen: Sequence[Evidence]) -> int:
    """The place of a unit's source among those chosen: sources stand in order of their best."""
    return next(i for i, other in enumerate(chosen) if other.chunk.path == unit.chunk.path)
