"""What a language's texts share is taken off their vectors, by half, and only where it is known."""

from importlib.resources import files

import numpy as np
import pytest

from askai.centring import Centring, centring_for
from askai.embedders.hashing import HashingEmbedder
from askai.embedders.models import resolve

MEANS = np.load(files("askai.embedders").joinpath("e5_language_means.npz"), allow_pickle=False)


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    """One cache for the run, shared with test_embedders.py: the model is prepared once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASKAI_CACHE", str(tmp_path_factory.getbasetemp() / "askai-cache"))
        yield


def array(*numbers):
    return np.array(numbers, dtype=np.float32)


BY_HAND = Centring(
    passage_means={"en": array(0, 1, 0), "zh": array(0, 0, 0.8)},
    query_means={"en": array(0.6, 0, 0), "zh": array(0, 0.6, 0)},
)
ONE = array(1, 0, 0)


class Known(HashingEmbedder):
    """As the model whose means are known, for what looks at its fingerprint only."""

    fingerprint = str(MEANS["fingerprint"])


def units(count, dim=384):
    rows = np.random.default_rng(0).standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        ("en", array(1, -0.5, 0) / 1.25**0.5),
        ("zh", array(1, 0, -0.4) / 1.16**0.5),
        ("fr", array(1, -0.5, 0) / 1.25**0.5),  # as English: of French nothing is known
        (None, array(1, -0.5, 0) / 1.25**0.5),
    ],
)
def test_half_of_the_mean_of_its_language_is_taken_off_a_passage(language, wanted):
    [found] = BY_HAND.passages(ONE[None], [language])
    assert found == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    ("language", "wanted"),
    [("en", ONE), ("zh", array(1, -0.3, 0) / 1.09**0.5), ("es", ONE)],
)
def test_a_question_has_means_of_its_own(language, wanted):
    assert BY_HAND.query(ONE, language) == pytest.approx(wanted, abs=1e-6)


def test_each_passage_is_of_its_own_language():
    together = BY_HAND.passages(np.stack([ONE, ONE]), ["en", "zh"])
    alone = [BY_HAND.passages(ONE[None], [language])[0] for language in ("en", "zh")]
    assert together == pytest.approx(np.stack(alone))
    assert not np.array_equal(*together)


def test_vectors_stay_of_length_one_and_float32():
    centring = centring_for(Known())
    found = centring.passages(units(40), ["en", "zh", "fr", "es", None] * 8)
    question = centring.query(units(1)[0], "zh")
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(40), abs=1e-6)
    assert np.linalg.norm(question) == pytest.approx(1, abs=1e-6)
    assert (found.dtype, question.dtype) == (np.float32, np.float32)
    assert (found.shape, question.shape) == ((40, 384), (384,))


def test_no_passages_are_no_vectors():
    assert centring_for(Known()).passages(units(0), []).shape == (0, 384)
    assert Centring().passages(units(0), []).shape == (0, 384)


def test_an_unknown_model_is_left_as_it_is():
    centring = centring_for(HashingEmbedder())
    assert centring == Centring()
    rows = units(3)
    assert centring.passages(rows, ["en", "zh", None]) is rows
    assert centring.query(rows[0], "zh") is not None
    assert np.array_equal(centring.query(rows[0], "zh"), rows[0])


def test_an_index_is_known_by_what_was_taken_off():
    versions = [centring.version for centring in (Centring(), centring_for(Known()))]
    assert versions == ["none", "language means/0.5/1"]


def test_the_means_are_of_all_four_languages_and_both_roles():
    centring = centring_for(Known())
    for means in (centring.passage_means, centring.query_means):
        assert sorted(means) == ["en", "es", "fr", "zh"]
        for mean in means.values():
            assert (mean.shape, mean.dtype) == ((384,), np.float32)
            assert 0.5 < np.linalg.norm(mean) < 1  # of unit vectors that are much alike


@pytest.mark.model
def test_the_means_are_those_of_the_default_model():
    assert resolve("multilingual-e5-small").fingerprint == str(MEANS["fingerprint"])


@pytest.mark.model
def test_a_translation_gains_on_what_is_only_in_the_language_of_the_question():
    """An English text that answers, and a Chinese one beside the point; before and after."""
    model = resolve("multilingual-e5-small")
    texts = [
        "Shanghai is China's most populous city and an important port.",
        "中国的许多学校在春天举办运动会，参加的学生很多。",
    ]
    question = "中国哪个城市人口最多？"
    vectors, asked = model.embed_passages(texts), model.embed_query(question)
    before = vectors @ asked
    centring = centring_for(model)
    after = centring.passages(vectors, ["en", "zh"]) @ centring.query(asked, "zh")
    assert after[0] - after[1] > before[0] - before[1]
