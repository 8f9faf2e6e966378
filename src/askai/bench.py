"""How good retrieval and abstention are on a BEIR folder: each question asked, then measured.

A document scores what its best passage scores (Dai and Callan 2019, arXiv:1905.09217).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal, get_args

import ir_measures
import numpy as np

from askai import narrowing
from askai.beir import BeirQuery, id_of
from askai.measures import Interval, Span, aurc, half_covered, interval, resamples
from askai.records import Answer, Chunk
from askai.retrieve import Query, Retriever
from askai.spans import SpanScores, best_span_scores

Legs = Literal["both", "dense", "lexical"]
LEGS: tuple[Legs, ...] = get_args(Legs)
MEASURES = ("nDCG@10", "R@5", "R@10", "RR@10", "Success@1", "P@5")  # as ir_measures parses them
DOCUMENTS = 100  # ranked for a question
SPAN_K = 5  # passages held against the spans of a question
_FIRST = 128  # passages asked for at first, then twice as many until there are enough documents

Scored = tuple[Chunk, float]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What was found for a question, best first."""

    query: BeirQuery
    documents: tuple[tuple[str, float], ...]  # (corpus id, score of its best passage)
    passages: tuple[Span, ...]  # as `askai search` gives them, by corpus id and characters


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a question."""

    query: BeirQuery
    measures: dict[str, float] = field(default_factory=dict)  # empty: nothing relevant is known
    spans: SpanScores | None = None  # None: no spans are known
    answered: bool | None = None  # None: it was not asked for an answer
    right: bool | None = None  # None: not asked, or unanswerable
    would_err: bool | None = None  # answered, or its closest quotation taken for an answer
    confidence: float | None = None  # 0..1, see `records.Answer`
    cosine: float | None = None  # of the nearest passage


@dataclass(frozen=True, slots=True)
class Worth:
    """What a confidence is worth beside a mere cosine: areas under the risk–coverage curve."""

    n: int
    confidence: float  # lower is better
    cosine: float
    difference: float  # below 0: the confidence is worth more
    interval: Interval | None  # of the difference, by a paired bootstrap


class Ranker:
    """Passages for a question by both legs, or by one alone."""

    def __init__(self, retriever: Retriever, legs: Legs = "both", *, span_k: int = SPAN_K) -> None:
        """`span_k` is how many passages are wanted beside the documents."""
        self._retriever = retriever
        self._legs = legs
        self._span_k = span_k

    def rank(self, query: BeirQuery, *, documents: int = DOCUMENTS) -> Ranking:
        """The best documents, and the best passages: as `search` gives them, or by one leg whole
        ones."""
        asked = self._retriever.query(query.text)
        scored = self._passages(asked, documents)
        best: dict[str, float] = {}
        for chunk, score in scored:
            best.setdefault(id_of(chunk.path), score)
        spans = tuple(self._spans(asked, scored)) if query.spans else ()
        return Ranking(query, tuple(best.items())[:documents], spans)

    def _spans(self, asked: Query, scored: Sequence[Scored]) -> Iterator[Span]:
        if self._legs == "both":
            for hit in narrowing.search(self._retriever, asked, self._span_k):
                yield Span(id_of(hit.chunk.path), hit.start, hit.end)
        else:
            yield from (Span(id_of(c.path), c.start, c.end) for c, _ in scored[: self._span_k])

    def _passages(self, asked: Query, documents: int) -> list[Scored]:
        """As many of the best passages as it takes for so many documents, or all."""
        k = _FIRST
        while True:
            found = self._best(asked, k)
            if len(found) < k or len({chunk.path for chunk, _ in found}) >= documents:
                return found
            k *= 2

    def _best(self, asked: Query, k: int) -> list[Scored]:
        if self._legs == "both":
            return [(hit.chunk, hit.score) for hit in self._retriever.search(asked, k)]
        scored = self._retriever.leg(asked, k, name=self._legs)
        chunks = self._retriever.catalog.chunks(i for i, _ in scored)
        return [(chunks[i], score) for i, score in scored]


def outcomes(
    queries: Iterable[BeirQuery],
    *,
    rank: Callable[[BeirQuery], Ranking],
    ask: Callable[[BeirQuery], Answer] | None = None,
    span_k: int = SPAN_K,
    ranked: Callable[[Ranking], None] = lambda _: None,
) -> Iterator[Outcome]:
    """Asks the questions one by one; `ranked` is told of each ranking.

    `span_k` is how many passages are held against the spans of a question.
    """
    for query in queries:
        ranking = rank(query)
        ranked(ranking)
        yield _outcome(ranking, ask(query) if ask else None, span_k)


def _outcome(ranking: Ranking, answer: Answer | None, span_k: int) -> Outcome:
    query = ranking.query
    measures = ranking_measures(query.relevant, ranking.documents) if query.relevant else {}
    spans = best_span_scores(query.spans, ranking.passages[:span_k]) if query.spans else None
    if answer is None:
        return Outcome(query, measures, spans)
    quotes = answer.citations if answer.abstention is None else answer.abstention.closest[:1]
    quoted = [Span(id_of(c.source.path), c.start, c.end) for c in quotes]
    would_be_right = query.answerable and _is_right(query, quoted)
    answered = answer.abstention is None
    cosine = max((hit.dense for hit in answer.passages), default=-1.0)
    return Outcome(
        query=query,
        measures=measures,
        spans=spans,
        answered=answered,
        right=(answered and would_be_right) if query.answerable else None,
        would_err=not would_be_right,
        confidence=answer.confidence,
        cosine=cosine,
    )


def _is_right(query: BeirQuery, quoted: Sequence[Span]) -> bool:
    """Whether a quotation holds half of a span that answers, or else is of a relevant document."""
    if query.spans:
        return any(half_covered(span, quoted) for spans in query.spans for span in spans)
    return any(query.relevant.get(span.path, 0) > 0 for span in quoted)


def trec_lines(ranking: Ranking, legs: Legs) -> str:
    """The ranking in the form of trec_eval: query, Q0, document, rank, score and a name."""
    return "".join(
        f"{ranking.query.id} Q0 {name} {rank} {score:.9g} askai-{legs}\n"
        for rank, (name, score) in enumerate(ranking.documents, 1)
    )


def ranking_measures(
    relevant: dict[str, int], documents: Sequence[tuple[str, float]]
) -> dict[str, float]:
    """Each of MEASURES for one question, by ir_measures; a question without results scores 0."""
    wanted = [ir_measures.parse_measure(name) for name in MEASURES]
    if not documents:
        return dict.fromkeys(MEASURES, 0.0)
    found = ir_measures.iter_calc(wanted, {"q": relevant}, {"q": dict(documents)})
    values = {str(metric.measure): float(metric.value) for metric in found}
    return {name: values[name] for name in MEASURES}


def worth(outcomes: Sequence[Outcome]) -> Worth | None:
    """AURC by confidence and by the cosine of the nearest passage, over the questions asked.

    An error is a question that is unanswerable, or whose quotations (or, for a refusal, the one
    that came closest) do not answer it. None where no question that was asked is answerable.
    """
    known = [outcome for outcome in outcomes if outcome.answered is not None]
    if not any(outcome.query.answerable for outcome in known):
        return None
    errors = np.array([bool(outcome.would_err) for outcome in known])
    ours, theirs = (
        np.array([getattr(outcome, name) for outcome in known], dtype=np.float64)
        for name in ("confidence", "cosine")
    )
    samples = resamples([outcome.query.answerable for outcome in known])
    spread = [
        _area(ours[rows], errors[rows]) - _area(theirs[rows], errors[rows]) for rows in samples
    ]
    one, other = _area(ours, errors), _area(theirs, errors)
    return Worth(len(known), one, other, one - other, interval(spread))


def _area(scores: Any, errors: Any) -> float:
    return float(aurc(scores, errors) or 0.0)


def mean(values: Iterable[float | None]) -> tuple[float | None, int]:
    """The mean of what is known, and of how many; of nothing None."""
    known = [value for value in values if value is not None]
    return (fmean(known) if known else None), len(known)
