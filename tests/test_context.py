"""Passages whose score knows what stands beside them."""

import math

import pytest

from askai.context import LOOKED_AT, WEIGHT, in_context
from askai.records import Hit
from small import filler, passage, retriever


def said(id_, length, **more):
    """A passage that says something, of so many characters."""
    text = ("The ferry leaves the northern harbour at seven in the morning" + " again" * 99)[
        :length
    ]
    return passage(id_, f"{text[: length - 1]}.", **more)


def hit(chunk, score):
    return Hit(chunk, 0, score, score, 0.0)


def none(ids):
    return {}


def scores(hits):
    return {hit.chunk.id: hit.score for hit in hits}


def test_a_score_is_the_mean_with_those_beside_it_by_their_lengths():
    a = hit(said("a", 200, beside=("b",)), 0.8)
    b = hit(said("b", 100, beside=("a", "c")), 0.6)
    c = hit(said("c", 100, beside=("b",)), 0.5)
    found = scores(in_context([a, b, c], none, weight=0.5))
    assert found["a"] == pytest.approx((0.8 + 0.25 * 0.6) / 1.25)  # b is half as long
    assert found["b"] == pytest.approx((0.6 + 0.5 * 0.8 + 0.5 * 0.5) / 2)  # a counts as one as long
    assert found["c"] == pytest.approx((0.5 + 0.5 * 0.6) / 1.5)


def test_the_order_follows_the_new_scores_and_ties_their_ids():
    lone = hit(said("lone", 100, beside=("far",)), 0.62)
    far = hit(said("far", 100, beside=("lone",)), 0.1)
    first, second = (hit(said(i, 100, beside=(o,)), 0.6) for i, o in (("d", "e"), ("e", "d")))
    found = in_context([lone, second, first, far], none)
    assert [h.chunk.id for h in found] == ["d", "e", "lone", "far"]


@pytest.mark.parametrize(
    "chunks",
    [
        (said("a", 100), said("b", 100)),
        (said("a", 100, beside=("gone",)), said("b", 100)),
        (said("a", 100, beside=("b",)), passage("b", "A view", beside=("a",))),
    ],
    ids=["nothing beside", "one that nothing is known of", "a caption"],
)
def test_a_score_stays_without_text_beside(chunks):
    before = [hit(chunk, score) for chunk, score in zip(chunks, (0.7, 0.3), strict=True)]
    assert in_context(before, none) == before


def test_without_weight_nothing_changes():
    pair = [hit(said("a", 100, beside=("b",)), 0.7), hit(said("b", 90, beside=("a",)), 0.2)]
    assert scores(in_context(pair, none, weight=0.0)) == scores(pair)


def test_only_what_is_not_known_is_looked_up_and_only_for_the_first():
    chunks = [said(f"p{n:02}", 100, beside=(f"q{n:02}",)) for n in range(LOOKED_AT + 5)]
    hits = [hit(chunk, 1 - n / 100) for n, chunk in enumerate(chunks)]
    asked = []

    def scored(ids):
        asked.extend(ids)
        return {i: hit(said(i, 100), 0.0) for i in ids}

    found = scores(in_context(hits, scored))
    assert asked == [f"q{n:02}" for n in range(LOOKED_AT)]
    assert found["p00"] == pytest.approx(1 / (1 + WEIGHT))
    assert found[f"p{LOOKED_AT}"] == hits[LOOKED_AT].score


def test_a_search_knows_passages_that_it_did_not_find(tmp_path):
    """The one beside is far from the question: its score is worked out for it all the same."""
    near = passage("near", "The harbour of Oslo has a ferry in the morning.", beside=("other",))
    other = passage("other", "It closes for the winter when the ice is thick.", beside=("near",))
    finder, _ = retriever(tmp_path, [near, other, *filler(120)])
    query = finder.query("harbour of Oslo ferry")
    with finder.catalog:
        hits = finder.search(query, 5)
        beside = finder.leg(query, 200, name="dense")
    best = hits[0]
    assert best.chunk.id == "near"
    own = best.dense + finder.lexical_weight * best.lexical
    cosine = dict(beside).get("other", math.nan)
    share = WEIGHT * min(1.0, len(other.text) / len(near.text))
    assert best.score == pytest.approx((own + share * cosine) / (1 + share))
