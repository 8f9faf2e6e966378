"""What is worked out of figures, as pure functions."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

Grades = Mapping[str, int]  # by document id


class Ratio(NamedTuple):
    """A system against the plain script, over measurements made side by side."""

    median: float
    low: float
    high: float


def paired_ratio(values: Sequence[float], base: Sequence[float]) -> Ratio:
    """The median of value over base of each pair, with the least and the greatest.

    The n-th of both was measured in the same round, so that what else the machine did then touches
    both. Where a run was stopped within a round, what has no partner is left out. Raises
    ValueError when there is no pair.
    """
    ratios = [value / other for value, other in zip(values, base, strict=False) if other]
    if not ratios:
        raise ValueError("no pair of measurements to compare")
    return Ratio(median(ratios), min(ratios), max(ratios))


def quantile(values: Sequence[float], share: float) -> float:
    """The least value that at least this share of the values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def ndcg_at_10(relevant: Grades, ranked: Sequence[str]) -> float:
    """Järvelin and Kekäläinen 2002 as trec_eval computes it: gain is the grade, discount log2."""
    gains = [max(0, relevant.get(name, 0)) for name in ranked[:10]]
    ideal = sorted((grade for grade in relevant.values() if grade > 0), reverse=True)[:10]
    best = _discounted(ideal)
    return _discounted(gains) / best if best else 0.0


def success_at_1(relevant: Grades, ranked: Sequence[str]) -> float:
    """Whether the first document is a relevant one."""
    return float(bool(ranked) and relevant.get(ranked[0], 0) > 0)


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
