"""What of the passages found is given for a question: their sentences that are near to it.

A passage of ten sentences answers with one or two of them. A unit (a sentence, a bullet) is given
where it is worth enough beside the others found; units that follow each other are one part, over
the end of a passage too; of a passage that has none the best unit is given. So the best passage is
mostly given whole, and of the further ones less and less. Rows and notes stay whole and apart. On
chroma-chunking the first five parts hold .88 of the wanted characters in 2,800 characters, where
the first five passages take 4,200; see docs/retrieval.md.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from askai.records import Chunk, Hit, Part
from askai.retrieve import Query, Retriever
from askai.tokens import tokens
from askai.units import embedded_units, unit_id, unit_quote

POOL = 20  # passages looked at, or twice as many as are asked for
_GAP = 60  # characters between two units of one part: a blank line, a bullet's mark, a scrap
_LONGEST = 1300  # characters of a part, as most passages have at most
_TELLING = 12  # different words of a part that is looked for earlier in its document

# What a unit is worth: a logistic regression on half of the questions of chroma-chunking (does a
# wanted span hold half of the unit?), rounded; the other half confirms it. No weight is of a
# model's own scale but the score's.
_NEARNESS = 0.65  # of its cosine, in standard deviations of those of all units looked at
_COVERAGE = 1.6  # of the share of the question's terms that it or a neighbour holds
_RANK = 0.9  # off, times the natural logarithm of its passage's rank
_BEHIND = 9.5  # off, for each point that its passage's score is behind the best
_ENOUGH = -1.4


@dataclass(frozen=True, slots=True)
class _Unit:
    hit: Hit
    start: int
    end: int
    worth: float


@dataclass(slots=True)
class _Run:
    """Units of one document that are given as one part."""

    units: list[_Unit]

    @property
    def start(self) -> int:
        return self.units[0].start

    @property
    def end(self) -> int:
        return max(unit.end for unit in self.units)

    @property
    def best(self) -> _Unit:
        """That of the best passage; there, the one that is worth most."""
        return min(self.units, key=lambda unit: (unit.hit.rank, -unit.worth, unit.start))


def search(retriever: Retriever, query: Query, k: int) -> list[Hit]:
    """The k best parts, by the rank of their passages."""
    return narrowed(retriever, query, retriever.search(query, pool(k)), k)


def pool(k: int) -> int:
    """How many passages k parts are taken of."""
    return max(POOL, 2 * k)


def narrowed(retriever: Retriever, query: Query, hits: Sequence[Hit], k: int) -> list[Hit]:
    """The k best parts of passages that are ranked, with the scores of the passage that each is of.

    A part that stands in its document before, word for word, is given where it first stands.
    """
    runs = [(run.best, run) for run in _runs(_given(_weighed(retriever, query, hits)))]
    runs.sort(key=lambda pair: (pair[0].hit.rank, -pair[0].worth, pair[1].start))
    texts: dict[str, str] = {}
    found: list[Hit] = []
    for best, run in runs:
        if len(found) == k:
            break
        path = best.hit.chunk.path
        if path not in texts:
            texts[path] = retriever.catalog.text(path)
        hit = _part(retriever, best.hit, texts[path], run)
        if not any(_overlap(hit, other) for other in found):
            found.append(replace(hit, rank=len(found) + 1))
    return found


def _weighed(retriever: Retriever, query: Query, hits: Sequence[Hit]) -> list[list[_Unit]]:
    """The units of each passage, in their order."""
    if not hits:
        return []
    ids = [unit_id(hit.chunk, n) for hit in hits for n in embedded_units(hit.chunk)]
    cosines = iter(retriever.unit_cosines(query, ids))
    near = [_nearness(query, hit, cosines) for hit in hits]
    every = np.array([cosine for of_units in near for cosine in of_units])
    middle, spread = float(every.mean()), float(every.std()) or 1.0
    terms = _Terms(retriever, query)
    found = []
    # By their own texts: what stands beside a passage does not make its sentences worth more.
    best = max(hit.own_score for hit in hits)
    alone = sorted(hits, key=lambda hit: (-hit.own_score, hit.rank))
    ranks = {hit.chunk.id: rank for rank, hit in enumerate(alone, 1)}
    for hit, of_units in zip(hits, near, strict=True):
        spans = hit.chunk.units or ((hit.chunk.start, hit.chunk.end),)
        shares = terms.around([unit_quote(hit.chunk, span) for span in spans])
        behind = _BEHIND * (best - hit.own_score)
        behind += _RANK * float(np.log(ranks[hit.chunk.id]))
        worth = [
            _NEARNESS * (cosine - middle) / spread + _COVERAGE * share - behind
            for cosine, share in zip(of_units, shares, strict=True)
        ]
        found.append([_Unit(hit, *span, w) for span, w in zip(spans, worth, strict=True)])
    return found


def _nearness(query: Query, hit: Hit, cosines: Iterator[float]) -> list[float]:
    """The cosine of each unit of a passage, or that of a passage that is one unit itself."""
    units = embedded_units(hit.chunk)
    if not units:
        return [hit.dense]
    loss = query.loss(hit.chunk)
    return [next(cosines) - loss for _ in units]


@lru_cache(4096)  # the same sentences come up again and again
def _held(quote: str) -> frozenset[str]:
    return frozenset(tokens(quote))


class _Terms:
    """The terms of a question with their weights, by each of its views."""

    def __init__(self, retriever: Retriever, query: Query) -> None:
        idf = retriever.lexical.idf
        self._views = [[(frozenset(term), idf(term)) for term in view] for view in query.views]
        self._totals = [sum(weight for _, weight in view) or 1.0 for view in self._views]

    def around(self, quotes: Sequence[str]) -> list[float]:
        """For each of the texts of units that follow each other, the IDF-weighted share of the
        terms that it holds, or one beside it if that is higher."""
        shares = [self._share(_held(quote)) for quote in quotes]
        return [max(shares[max(0, n - 1) : n + 2]) for n in range(len(shares))]

    def _share(self, held: frozenset[str]) -> float:
        best = 0.0
        for view, total in zip(self._views, self._totals, strict=True):
            there = sum([weight for term, weight in view if not held.isdisjoint(term)])
            best = max(best, there / total)
        return best


def _given(passages: Sequence[Sequence[_Unit]]) -> Iterator[_Unit]:
    """The units that are worth enough, and the best of each passage."""
    for units in passages:
        best = max(units, key=lambda unit: unit.worth)
        yield from (unit for unit in units if unit is best or unit.worth >= _ENOUGH)


def _runs(units: Iterator[_Unit]) -> list[_Run]:
    """Units that follow each other, in the order of the documents."""
    runs: list[_Run] = []
    for unit in sorted(units, key=lambda unit: (unit.hit.chunk.path, unit.start)):
        if runs and _follows(runs[-1], unit):
            runs[-1].units.append(unit)
        else:
            runs.append(_Run([unit]))
    return runs


def _follows(run: _Run, unit: _Unit) -> bool:
    last = run.units[-1]
    near = last.hit.chunk.path == unit.hit.chunk.path and unit.start - run.end <= _GAP
    return near and unit.end - run.start <= _LONGEST and _joins(last) and _joins(unit)


def _joins(unit: _Unit) -> bool:
    """Whether it may be given with others: a row may not, nor what is but the best there is."""
    return unit.hit.chunk.kind == "text" and unit.worth >= _ENOUGH


def _part(retriever: Retriever, hit: Hit, text: str, run: _Run) -> Hit:
    quote = text[run.start : run.end]
    start = text.find(quote) if len(set(tokens(quote))) >= _TELLING else run.start
    part = Part(start, start + len(quote), quote)
    if start == run.start:
        return replace(hit, part=part)
    return replace(hit, part=part, chunk=_holding(retriever, hit.chunk.path, start) or hit.chunk)


def _holding(retriever: Retriever, path: str, offset: int) -> Chunk | None:
    """The passage of a document that holds a character, which may be none of what is searched."""
    chunks = retriever.catalog.chunks_of(path)
    place = bisect_right(chunks, offset, key=lambda chunk: chunk.start) - 1
    return chunks[place] if place >= 0 and offset < chunks[place].end else None


def _overlap(one: Hit, other: Hit) -> bool:
    same = one.chunk.path == other.chunk.path
    return same and one.start < other.end and other.start < one.end
