"""What stands beside a passage in its section says what its own words are about.

A section of several passages is cut where its tokens run out or a paragraph ends, not where its
subject changes: the passage that answers may name its thing no more, and one that names it by the
way stands alone. So the score of a passage of running text is a mean of its own and of those beside
it, each of these weighed by how long it is. No vector is made for that: all scores are known, or
worked out for the question.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from askai.records import Chunk, Hit
from askai.units import says_something

WEIGHT = 0.25  # of a passage beside one that is as long or shorter: see docs/retrieval.md
LOOKED_AT = 20  # passages whose surroundings count: of 10 debianfaq keeps .639, of more the same

Scores = Mapping[str, Hit]  # by the id of the passage


def in_context(
    hits: Sequence[Hit], scored: Callable[[Iterable[str]], Scores], weight: float = WEIGHT
) -> list[Hit]:
    """The hits, which are given best first, in an order that knows what stands beside them.

    `scored` gives the hits of passages by id; one that it does not know counts as not there.
    """
    first = hits[:LOOKED_AT]
    known = {hit.chunk.id: hit for hit in hits}
    wanted = dict.fromkeys(i for hit in first for i in hit.chunk.beside if i not in known)
    if wanted:
        known |= scored(wanted)
    moved = [_moved(hit, _score(hit, known, weight)) for hit in first]
    # What is further down keeps its place: by a score that is no mean it would get before these.
    return [*sorted(moved, key=order), *hits[LOOKED_AT:]]


def order(hit: Hit) -> tuple[float, str]:
    """Best first, ties in order of id."""
    return (-hit.score, hit.chunk.id)


def _moved(hit: Hit, score: float) -> Hit:
    return hit if score == hit.score else replace(hit, score=score, alone=hit.score)


def _score(hit: Hit, known: Scores, weight: float) -> float:
    if not says_something(hit.chunk):
        return hit.score
    total, weights = hit.score, 1.0
    for other in (known[i] for i in hit.chunk.beside if i in known):
        if says_something(other.chunk):
            share = weight * min(1.0, _length(other.chunk) / _length(hit.chunk))
            total += share * other.score
            weights += share
    return total / weights


def _length(chunk: Chunk) -> int:
    return chunk.end - chunk.start
