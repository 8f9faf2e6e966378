"""The model of the gate: its file, its arithmetic, and what it weighs."""

import json
import math
from dataclasses import fields, replace
from importlib.resources import files

import pytest

from askai.answerability import FEATURES, Answerability, Held, features, trained
from small import filler, hit, passage, retriever, unit

# Measured the other way round: more of it, and the documents answer less.
LESS = {"uncovered"}


# --- the file -----------------------------------------------------------------------------------


def test_the_file_holds_exactly_the_features():
    data = json.loads(files("askai").joinpath("answerability.json").read_text("utf-8"))
    assert set(data) == {field.name for field in fields(Answerability)}
    for part in ("weights", "means", "scales"):
        assert tuple(data[part]) == FEATURES
        assert all(math.isfinite(value) for value in data[part].values())
    assert all(scale > 0 for scale in data["scales"].values())
    assert math.isfinite(data["bias"])
    assert 0 < data["threshold"] < 1


def test_the_model_is_read_once():
    assert trained() is trained()


@pytest.mark.parametrize("name", ["score", "dense", "names", "numbers", "asked", "uncovered"])
def test_the_sign_of_a_weight_is_that_of_its_meaning(name):
    assert (trained().weights[name] < 0) == (name in LESS)


# --- the arithmetic -----------------------------------------------------------------------------

MODEL = Answerability(
    weights={"score": 2.0, "dense": -1.0},
    means={"score": 0.5, "dense": 0.5},
    scales={"score": 0.5, "dense": 0.25},
    bias=1.0,
    threshold=0.5,
)


@pytest.mark.parametrize(
    ("score", "dense", "z"),
    [(0.5, 0.5, 1.0), (1.0, 0.5, 3.0), (0.5, 0.75, 0.0), (0.0, 1.0, -3.0)],
)
def test_confidence_is_the_logistic_of_standardised_features(score, dense, z):
    found = MODEL.confidence({"score": score, "dense": dense, "unweighed": 9.0})
    assert found == pytest.approx(1 / (1 + math.exp(-z)))


@pytest.mark.parametrize("name", FEATURES)
def test_confidence_moves_with_a_feature_as_its_weight_says(name):
    model = trained()
    lower, higher = (
        model.confidence({**model.means, name: model.means[name] + step * model.scales[name]})
        for step in (-2, 2)
    )
    weight = model.weights[name]
    assert (higher > lower, higher < lower) == (weight > 0, weight < 0)


@pytest.mark.parametrize("value", [1e9, -1e9, math.inf, -math.inf])
def test_a_feature_beyond_all_measure_overflows_nothing(value):
    for sign in (1.0, -1.0):
        model = replace(MODEL, weights={"score": sign})
        found = model.confidence({"score": value})
        assert 0 <= found <= 1
        assert (found > 0.5) == (sign * value > 0)


def test_a_feature_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        trained().confidence({})


# --- the features -------------------------------------------------------------------------------


@pytest.fixture
def found(tmp_path):
    """found(question, *units): features, where "a" was found with .8 and "b" with .6."""
    a = passage("a", "Wuhan builds 12 robots")
    b = passage("b", "Wuhan grows tea")
    finder, _ = retriever(tmp_path, [a, b, *filler(8)])
    hits = [hit(a, 1, 0.8), hit(b, 2, 0.6)]

    def of(question, held=Held(0.5, 0.25), **changes):  # noqa: B008  frozen
        best = replace(unit(a, 0.9, 0.4), dense=0.6, **changes)
        evidence = (best, unit(b, 0.5, 0.2))
        return features(finder.query(question), hits, evidence, held, finder.lexical)

    of.lexical = finder.lexical
    yield of
    finder.catalog.close()


def test_the_features_of_a_small_case(found):
    row = found("robots and dragons in Wuhan")  # three terms, one of them nowhere
    wuhan, robot = (found.lexical.idf(token) for token in ("wuhan", "robot"))
    dragon = found.lexical.idf("dragon")
    assert tuple(row) == FEATURES
    assert row == pytest.approx(
        {
            "score": 0.5 * 0.8 + 0.5 * 0.6 + 0.15 * 0.4,
            "dense": 0.6,
            "passage": 0.8,
            "margin": 0.9 - (0.9 + 0.5) / 2,
            "coverage": 0.4,
            "reach": (wuhan + robot) / (wuhan + robot + dragon),
            "uncovered": min(1.0, dragon / math.log1p(10)),
            "names": 0.5,
            "numbers": 0.25,
            "asked": 1.0,
            "rerank": 0.0,
            "unread": 1.0,
            "length": math.log(4),
        }
    )


def test_what_a_reranker_read_is_told_from_what_it_did_not(found):
    read = found("robots", rerank=2.0)
    assert (read["unread"], read["rerank"]) == (0.0, pytest.approx(1 / (1 + math.exp(-1.0))))
    assert found("robots", rerank=0.0)["rerank"] == 0.5
    assert (found("robots")["unread"], found("robots")["rerank"]) == (1.0, 0.0)


def test_the_kind_of_thing_asked_for_is_given_or_not(found):
    asked = {q: found(q)["asked"] for q in ("How many robots?", "When robots?", "Which robots?")}
    assert asked == {"How many robots?": 1.0, "When robots?": 0.0, "Which robots?": 1.0}


def test_a_question_all_of_whose_terms_are_held_leaves_none_uncovered(found):
    row = found("robots of Wuhan")
    assert (row["uncovered"], row["reach"]) == (0.0, 1.0)


def test_a_unit_whose_passage_is_not_among_the_hits_has_its_own_score(found):
    assert found("robots", chunk=passage("c", "Wuhan builds 12 robots"))["passage"] == 0.9
