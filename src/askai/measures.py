"""What is measured, as pure functions: of spans, of words, of ranks, of confidence, of chance.

Spans count code points, half open. Shares are from 0 to 1.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import ir_measures
import numpy as np
from ir_measures import RR, Qrel, ScoredDoc, Success, nDCG
from numpy.typing import NDArray

from askai.tokens import tokens

Floats = NDArray[np.float64]
Indexes = NDArray[np.intp]

RESAMPLES = 2000
SEED = 20260108  # any number will do, so long as it stays
LEVEL = 0.95

_RANKING = (Success @ 1, Success @ 5, RR @ 10, nDCG @ 10)
_RECALLS = (5, 10)
RANKING_NAMES = ("Success@1", "Success@5", "R@5", "R@10", "RR@10", "nDCG@10")


class Span(NamedTuple):
    """A stretch of a document."""

    path: str
    start: int
    end: int


class Point(NamedTuple):
    """The share of questions answered, the most confident first, and the share of them wrong."""

    coverage: float
    risk: float


class Interval(NamedTuple):
    low: float
    high: float


def shared(one: Span, other: Span) -> int:
    """How many characters two spans have in common."""
    return max(0, min(one.end, other.end) - max(one.start, other.start)) * (one.path == other.path)


def half_covered(span: Span, by: Sequence[Span]) -> bool:
    """Whether spans together hold at least half of the characters of one; each counts once."""
    covered, reached = 0, span.start
    for other in sorted(other for other in by if other.path == span.path):
        start, end = max(other.start, reached), min(other.end, span.end)
        covered += max(0, end - start)
        reached = max(reached, end)
    return 2 * covered >= span.end - span.start


def is_about(passage: Span, place: Span) -> bool:
    """Whether a passage holds half of a place, or half of the passage lies inside the place."""
    least = min(place.end - place.start, passage.end - passage.start)
    return least > 0 and 2 * shared(passage, place) >= least


def token_f1(said: str, accepted: str) -> float:
    """The harmonic mean of precision and recall over the words that two texts have in common.

    Rajpurkar et al. 2016, SQuAD, with askai's own words (`tokens.tokens`) in place of English
    ones: Han text counts by bigrams. No word in common is 0, and so is a text without words.
    """
    one, other = Counter(tokens(said)), Counter(tokens(accepted))
    common = (one & other).total()
    return 2 * common / (one.total() + other.total()) if common else 0.0


def ranking(need_ranks: Sequence[int | None]) -> dict[str, float]:
    """How early what a question needs is found, by the names that papers use.

    `need_ranks` has, for each thing needed, the rank of the first passage that brings it, from 1;
    None: no passage does. R@k is the share of needs met by the first k passages. For the others,
    which ir_measures works out, a passage is relevant when it is the first to meet a need, so that
    a second passage on the same evidence adds nothing, and each need never met is one more
    relevant passage that is not in the ranking. Success@k: a relevant passage among the first k;
    RR@10: one over the rank of the first, 0 after ten; nDCG@10: Järvelin and Kekäläinen 2002.
    """
    met = sorted({rank for rank in need_ranks if rank is not None})
    never = sum(rank is None for rank in need_ranks)
    relevant = [f"at {rank}" for rank in met] + [f"never {n}" for n in range(never)]
    qrels = [Qrel("question", name, 1) for name in relevant]
    run = [
        ScoredDoc("question", f"at {rank}", -float(rank))
        for rank in range(1, max(met, default=1) + 1)
    ]
    found = {str(m.measure): float(m.value) for m in ir_measures.iter_calc(_RANKING, qrels, run)}
    for k in _RECALLS:
        found[f"R@{k}"] = sum(r is not None and r <= k for r in need_ranks) / len(need_ranks)
    return {name: found[name] for name in RANKING_NAMES}


def risk_coverage(confidences: Sequence[float], errors: Sequence[bool]) -> list[Point]:
    """The risk of answering the c most confident questions, for each c from 1 to all.

    El-Yaniv and Wiener 2010. Questions of equal confidence are as wrong as they are on average,
    so that their order does not matter.
    """
    if not len(confidences):
        return []
    _, group = np.unique(-np.asarray(confidences, dtype=np.float64), return_inverse=True)
    wrong = np.bincount(group, np.asarray(errors, dtype=np.float64)) / np.bincount(group)
    count = np.arange(1, len(group) + 1)
    risks = np.cumsum(wrong[np.sort(group)]) / count
    return [Point(float(c), float(r)) for c, r in zip(count / len(group), risks, strict=True)]


def aurc(confidences: Sequence[float], errors: Sequence[bool]) -> float | None:
    """The area under the risk–coverage curve: its mean risk. Lower is better; None of nothing."""
    curve = risk_coverage(confidences, errors)
    return float(np.mean([point.risk for point in curve])) if curve else None


def excess_aurc(confidences: Sequence[float], errors: Sequence[bool]) -> float | None:
    """AURC less that of the ideal order, every error last (Geifman, Uziel and El-Yaniv 2019).

    0 is a perfect order; what is left says nothing of how many errors there are.
    """
    area = aurc(confidences, errors)
    ideal = aurc([-float(wrong) for wrong in errors], errors)
    return None if area is None or ideal is None else max(0.0, area - ideal)  # but for rounding


def auroc(confidences: Sequence[float], positive: Sequence[bool]) -> float | None:
    """How often a positive question is more confident than a negative one, ties counting half.

    The area under the receiver operating characteristic (Hanley and McNeil 1982); .5 is chance.
    None where there are not both.
    """
    scores, is_positive = (
        np.asarray(confidences, dtype=np.float64),
        np.asarray(positive, dtype=bool),
    )
    ours, others = scores[is_positive], scores[~is_positive]
    if not len(ours) or not len(others):
        return None
    above = ours[:, None] - others[None, :]
    return float(np.mean((above > 0) + 0.5 * (above == 0)))


def resamples(strata: Sequence[bool], *, count: int = RESAMPLES, seed: int = SEED) -> Indexes:
    """`count` bootstrap samples of questions, one a row, as indexes: the same each time.

    Efron 1979. Questions are drawn with replacement within their stratum, answerable or not, so
    that each sample has the base rate of the set.
    """
    chance, whole = np.random.default_rng(seed), np.asarray(strata, dtype=bool)
    drawn = [
        members[chance.integers(0, len(members), (count, len(members)))]
        for members in (np.flatnonzero(whole), np.flatnonzero(~whole))
        if len(members)
    ]
    return np.hstack(drawn) if drawn else np.empty((count, 0), dtype=np.intp)


def interval(values: Sequence[float] | Floats, *, level: float = LEVEL) -> Interval | None:
    """The percentile interval of bootstrapped values; those of samples without one are NaN."""
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
