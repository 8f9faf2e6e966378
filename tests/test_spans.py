"""Recall, precision and IoU of characters, each worked by hand."""

import pytest

from askai.measures import Span
from askai.spans import SpanScores, best_span_scores, span_scores


def d(start, end, document="d"):
    return Span(document, start, end)


CASES = {
    "exactly": ([d(10, 20)], [d(10, 20)], (1, 1, 1)),
    # 10 of 10 wanted, 10 of 50 retrieved; union 50
    "inside": ([d(10, 20)], [d(0, 50)], (1, 0.2, 0.2)),
    # 5 of 10 wanted, 5 of 15 retrieved; union 20
    "half": ([d(10, 20)], [d(0, 15)], (0.5, 1 / 3, 0.25)),
    "touching": ([d(10, 20)], [d(0, 10)], (0, 0, 0)),
    "another document": ([d(10, 20)], [d(10, 20, "e")], (0, 0, 0)),
    "nothing retrieved": ([d(10, 20)], [], (0, 0, 0)),
    # 20 wanted in two places, 15 of them in 30 + 10 retrieved; 40 + 5 missed
    "two places": ([d(0, 10), d(30, 40)], [d(0, 30), d(35, 45)], (0.75, 15 / 40, 15 / 45)),
    "two documents": ([d(0, 10), d(0, 10, "e")], [d(0, 10, "e")], (0.5, 1, 0.5)),
    # Passages 0-20 and 10-30 both hold 10-20: wanted characters count once (10 of 10), retrieved
    # ones twice (40), as in Chroma's code.
    "passages overlap": ([d(10, 20)], [d(0, 20), d(10, 30)], (1, 0.25, 0.25)),
    "a passage twice": ([d(0, 10)], [d(0, 10), d(0, 10)], (1, 0.5, 0.5)),
    # 10-25 is wanted, 15 characters, not 20
    "references overlap": ([d(10, 20), d(15, 25)], [d(10, 25)], (1, 1, 1)),
    "overlap in part": ([d(10, 20)], [d(0, 15), d(12, 18)], (0.8, 8 / 21, 8 / 23)),
}


@pytest.mark.parametrize(("wanted", "retrieved", "expected"), CASES.values(), ids=CASES)
def test_spans_worked_by_hand(wanted, retrieved, expected):
    assert span_scores(wanted, retrieved) == pytest.approx(expected)
    assert span_scores(wanted[::-1], retrieved[::-1]) == pytest.approx(expected)


def test_nothing_wanted_is_no_score():
    with pytest.raises(ValueError, match="Nothing is wanted"):
        span_scores([], [d(0, 1)])


def test_of_several_answers_the_best_counts_for_each_measure():
    # The short one is found whole (recall 1), the long one fills more of the passage.
    short, long = [d(0, 10)], [d(5, 45)]
    assert span_scores(short, [d(0, 30)]) == pytest.approx((1, 1 / 3, 1 / 3))
    assert span_scores(long, [d(0, 30)]) == pytest.approx((25 / 40, 25 / 30, 25 / 45))
    best = best_span_scores([short, long], [d(0, 30)])
    assert best == pytest.approx(SpanScores(1, 25 / 30, 25 / 45))
