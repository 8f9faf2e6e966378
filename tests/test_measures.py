"""Each measure by hand, and once against a reference where there is one."""

import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import RR, Qrel, R, ScoredDoc, Success, nDCG
from sklearn.metrics import roc_auc_score

from askai.measures import (
    RANKING_NAMES,
    Point,
    Span,
    aurc,
    auroc,
    excess_aurc,
    half_covered,
    interval,
    is_about,
    ranking,
    resamples,
    risk_coverage,
    shared,
    token_f1,
)


def span(start, end, path="a.txt"):
    return Span(path, start, end)


HALF = {
    "exactly half": (span(0, 10), [span(0, 5)], True),
    "one character less": (span(0, 10), [span(0, 4)], False),
    "two pieces": (span(0, 10), [span(8, 12), span(0, 3)], True),
    "overlaps count once": (span(0, 10), [span(0, 4), span(2, 4), span(1, 3)], False),
    "one inside the other": (span(0, 10), [span(0, 5), span(1, 2), span(4, 5)], True),
    "another document": (span(0, 10), [span(0, 10, "b.txt")], False),
    "nothing": (span(0, 10), [], False),
}


@pytest.mark.parametrize(("one", "by", "expected"), HALF.values(), ids=HALF)
def test_a_span_is_half_covered(one, by, expected):
    assert half_covered(one, by) is expected


places = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda p: span(min(p), max(p)))


@settings(deadline=None)
@given(places, st.lists(places, max_size=5))
def test_half_covered_counts_characters(one, by):
    held = [any(o.start <= at < o.end for o in by) for at in range(one.start, one.end)]
    assert half_covered(one, by) == (2 * sum(held) >= len(held))
    for other in by:
        both = set(range(one.start, one.end)) & set(range(other.start, other.end))
        assert shared(one, other) == shared(other, one) == len(both)


ABOUT = {
    "holds half of the quote": (span(5, 60), span(0, 10), True),
    "holds less": (span(6, 60), span(0, 10), False),
    "half of it is inside a long quote": (span(95, 105), span(0, 100), True),
    "less of it is": (span(96, 106), span(0, 100), False),
    "another document": (span(0, 10, "b.txt"), span(0, 10), False),
    "empty": (span(3, 3), span(0, 10), False),
}


@pytest.mark.parametrize(("passage", "place", "expected"), ABOUT.values(), ids=ABOUT)
def test_a_passage_is_about_a_place(passage, place, expected):
    assert is_about(passage, place) is expected


F1 = {
    "the same": ("Hefei makes chips", "hefei makes chips", 1.0),
    "one of three": ("Hefei makes chips.", "Hefei", 2 * 1 * (1 / 3) / (1 + 1 / 3)),
    "a word said twice is matched once": ("Hefei Hefei", "Hefei", 2 / 3),
    "none": ("Wuhan", "Hefei", 0.0),
    "Han by bigrams": ("合肥市", "合肥", 2 / 3),
    "accents and case": ("NANKÍN", "nankin", 1.0),
    "no words": ("…", "…", 0.0),
    "nothing said": ("", "Hefei", 0.0),
}


@pytest.mark.parametrize(("said", "accepted", "expected"), F1.values(), ids=F1)
def test_token_f1(said, accepted, expected):
    assert token_f1(said, accepted) == pytest.approx(expected)


LOG3, LOG7 = math.log2(3), math.log2(7)
RANKED = {
    "at once": ((1,), (1, 1, 1, 1, 1, 1)),
    "second": ((2,), (0, 1, 1, 1, 1 / 2, 1 / LOG3)),
    "sixth": ((6,), (0, 0, 0, 1, 1 / 6, 1 / LOG7)),
    "eleventh": ((11,), (0, 0, 0, 0, 0, 0)),
    "never": ((None,), (0, 0, 0, 0, 0, 0)),
    "two needs, one late": ((1, 6), (1, 1, 1 / 2, 1, 1, (1 + 1 / LOG7) / (1 + 1 / LOG3))),
    "two needs, one never": ((None, 2), (0, 1, 1 / 2, 1 / 2, 1 / 2, (1 / LOG3) / (1 + 1 / LOG3))),
    "two needs in one passage": ((2, 2), (0, 1, 1, 1, 1 / 2, 1 / LOG3)),
    "three, two of them in one passage": (
        (1, 1, None),
        (1, 1, 2 / 3, 2 / 3, 1, 1 / (1 + 1 / LOG3)),
    ),
}


@pytest.mark.parametrize(("need_ranks", "expected"), RANKED.values(), ids=RANKED)
def test_ranking(need_ranks, expected):
    assert ranking(need_ranks) == pytest.approx(dict(zip(RANKING_NAMES, expected, strict=True)))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.none() | st.integers(1, 12), min_size=1, max_size=4, unique=True))
def test_ranking_is_that_of_ir_measures_where_each_passage_meets_one_need(need_ranks):
    named = [("never" if rank is None else f"p{rank}") for rank in need_ranks]
    qrels = [Qrel("q", name, 1) for name in named]
    run = [ScoredDoc("q", f"p{rank}", 100.0 - rank) for rank in range(1, 13)]
    wanted = [Success @ 1, Success @ 5, R @ 5, R @ 10, RR @ 10, nDCG @ 10]
    reference = {str(m): v for m, v in ir_measures.calc_aggregate(wanted, qrels, run).items()}
    assert ranking(need_ranks) == pytest.approx(reference)


def test_risk_coverage_by_hand():
    # most confident first: right, wrong, right, wrong
    curve = risk_coverage([0.9, 0.1, 0.8, 0.5], [False, True, True, False])
    assert curve == [Point(0.25, 0), Point(0.5, 1 / 2), Point(0.75, 1 / 3), Point(1, 1 / 2)]
    assert aurc([0.9, 0.1, 0.8, 0.5], [False, True, True, False]) == pytest.approx(1 / 3)
    # the best order, right, right, wrong, wrong: (0 + 0 + 1/3 + 1/2) / 4
    excess = excess_aurc([0.9, 0.1, 0.8, 0.5], [False, True, True, False])
    assert excess == pytest.approx(1 / 3 - (1 / 3 + 1 / 2) / 4)


def test_questions_of_equal_confidence_share_their_errors():
    assert risk_coverage([0.5, 0.5], [True, False]) == [Point(0.5, 0.5), Point(1, 0.5)]
    assert excess_aurc([0.5, 0.5], [True, False]) == pytest.approx(0.5 - (0 + 0.5) / 2)


def test_a_perfect_order_has_no_excess_and_of_nothing_there_is_no_area():
    assert excess_aurc([3.0, 2.0, 1.0], [False, True, True]) == pytest.approx(0)
    assert (risk_coverage([], []), aurc([], []), excess_aurc([], [])) == ([], None, None)


judged = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), st.booleans()), min_size=1, max_size=12
)


@settings(deadline=None)
@given(judged, st.randoms(use_true_random=False))
def test_the_area_is_the_mean_risk_whatever_the_order_of_the_questions(pairs, random):
    def area(of):
        return aurc([c for c, _ in of], [e for _, e in of])

    shuffled = random.sample(pairs, len(pairs))
    assert area(shuffled) == pytest.approx(area(pairs))
    ordered = [area([(-n, e) for n, (_, e) in enumerate(pairs)])]  # no two alike: El-Yaniv's own
    risks = [sum(e for _, e in pairs[:c]) / c for c in range(1, len(pairs) + 1)]
    assert ordered[0] == pytest.approx(sum(risks) / len(risks))
    assert excess_aurc([c for c, _ in pairs], [e for _, e in pairs]) >= -1e-12


def test_auroc_by_hand():
    # of 2 × 2 pairs two are in order, one is tied, one is not
    assert auroc([0.9, 0.4, 0.4, 0.6], [True, True, False, False]) == pytest.approx(2.5 / 4)
    assert auroc([0.9], [True]) is None
    assert auroc([], []) is None


@settings(deadline=None)
@given(judged)
def test_auroc_is_that_of_scikit_learn(pairs):
    scores, positive = [c for c, _ in pairs], [p for _, p in pairs]
    if len(set(positive)) == 2:
        assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))
    else:
        assert auroc(scores, positive) is None


def test_samples_are_the_same_each_time_and_keep_the_base_rate():
    strata = [True, False, False, True, False]
    samples = resamples(strata)
    assert samples.shape == (2000, 5)
    assert (samples == resamples(strata)).all()
    assert (samples != resamples(strata, seed=1)).any()
    assert set(np.array(strata)[samples].sum(axis=1)) == {2}
    assert np.abs(np.bincount(samples.ravel()) / 2000 - 1).max() < 0.1  # each as often as any
    assert resamples([]).shape == (2000, 0)


def test_the_interval_of_a_mean_is_near_the_normal_one():
    values = np.random.default_rng(0).normal(size=400)
    means = values[resamples([True] * 400)].mean(axis=1)
    half = 1.96 * values.std() / 20
    low, high = interval(means)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)


def test_an_interval_passes_over_what_is_not_known():
    assert interval([float("nan"), *range(101)], level=0.9) == pytest.approx((5, 95))
    assert interval([float("nan")]) is None
