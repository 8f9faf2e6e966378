"""A model of any kind answers questions without torch, once torch has exported it."""

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from typing import NamedTuple

import numpy as np
import pytest

from askai.embedders import sentence_transformers
from askai.embedders.sentence_transformers import SentenceTransformerEmbedder

pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("default")]

TEXTS = ["Where is the bank?", "", "where " * 90, "合肥 THE river", "bank\nriver"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "where", "is", "the", "bank", "river"]
SCRIPT = """
import sys
from askai.embedders.sentence_transformers import SentenceTransformerEmbedder
model = SentenceTransformerEmbedder({folder!r}, notify=print)
print(*model.embed_query("Where is the bank?"))
print(*sorted({{"torch", "transformers", "onnx"}} & set(sys.modules)))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "onnx"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A real model of a kind that askai knows nothing of: MPNet, the first token, a dense layer,
    lower case and prompts."""
    made = tmp_path_factory.mktemp("mpnet")
    transformers, torch = import_module("transformers"), import_module("torch")
    modules = import_module("sentence_transformers.sentence_transformer.modules")
    vocabulary = {word: n for n, word in enumerate(WORDS)}
    tokenizer = transformers.BertTokenizerFast(vocab=vocabulary)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.MPNetConfig(
        vocab_size=len(WORDS), intermediate_size=24, initializer_range=1.0, **sizes
    )
    torch.manual_seed(1)
    transformers.MPNetModel(config).save_pretrained(made / "base")
    tokenizer.save_pretrained(made / "base")
    library = import_module("sentence_transformers")
    word = modules.Transformer(str(made / "base"), max_seq_length=32)
    pooling = modules.Pooling(16, "cls")
    dense = modules.Dense(16, 12)
    model = library.SentenceTransformer(
        modules=[word, pooling, dense], prompts={"query": "where ", "document": "river "}
    )
    model.save_pretrained(str(made / "model"))
    return made / "model"


def by_torch(folder, texts, *, role):
    model = SentenceTransformerEmbedder(folder, by_torch=True)
    embed = model.embed_passages if role == "document" else model.embed_queries
    return embed(texts)


def exported(folder):
    """The model in a process that has exported it already."""
    SentenceTransformerEmbedder(folder).embed_query("where")
    return SentenceTransformerEmbedder(folder)


@pytest.mark.parametrize("role", ["query", "document"])
def test_its_vectors_are_those_of_torch(folder, role):
    model = exported(folder)
    embed = model.embed_passages if role == "document" else model.embed_queries
    found = embed(TEXTS)
    assert model._model is None
    assert np.abs(found - by_torch(folder, TEXTS, role=role)).max() < 1e-5
    assert found.shape == (len(TEXTS), 12)
    assert len(set(found[:, 0].tolist())) == len(TEXTS)


def test_the_second_question_loads_neither_torch_nor_onnx(folder):
    script = SCRIPT.format(folder=str(folder))
    ran = [subprocess.check_output([sys.executable, "-c", script], text=True) for _ in range(2)]
    (first, loaded), (second, nothing) = (text.split("\n")[:2] for text in ran)
    assert loaded == "onnx torch transformers"
    assert nothing == ""
    assert np.allclose([*map(float, first.split())], [*map(float, second.split())], atol=1e-5)


def test_many_passages_are_for_torch(folder):
    model = exported(folder)
    model.embed_passages(["river"] * 25)
    assert model._model is not None


@pytest.mark.parametrize("spoil", ["cut short", "removed", "record removed"])
def test_a_damaged_graph_is_made_anew(folder, cache, spoil):
    exported(folder)
    (graph,) = cache.glob("*.onnx")
    if spoil == "cut short":
        graph.write_bytes(graph.read_bytes()[:-100])
    else:
        (graph if spoil == "removed" else graph.with_suffix(".json")).unlink()
    again = SentenceTransformerEmbedder(folder)
    assert np.allclose(again.embed_query("the bank"), by_torch(folder, ["the bank"], role="query"))
    assert again._model is not None
    assert SentenceTransformerEmbedder(folder)._exported_encoder() is not None


def test_a_model_that_cannot_be_exported_stays_with_torch_and_is_tried_once(
    folder, cache, monkeypatch
):
    tried = []

    def fails(*_, **__):
        tried.append(1)
        raise RuntimeError("no such operator\n  in this place")

    monkeypatch.setattr(import_module("torch").onnx, "export", fails)
    said = []
    for _ in range(2):
        model = SentenceTransformerEmbedder(folder, notify=said.append)
        assert model.embed_query("the bank").shape == (12,)
        assert model._model is not None
    why = "no such operator in this place"
    assert said == 2 * [
        f"The model model cannot be exported to ONNX ({why}): each question loads torch."
    ]
    assert len(tried) == 1
    assert [file.suffix for file in cache.iterdir()] == [".failed"]
    monkeypatch.setattr("askai.embedders.exported.version", lambda package: f"{package} 99")
    SentenceTransformerEmbedder(folder).embed_query("the bank")
    assert len(tried) == 2


@pytest.mark.parametrize("error", [ImportError("no onnx"), MemoryError(), OSError(28, "full")])
def test_what_may_pass_is_tried_again(folder, cache, monkeypatch, error):
    def fails(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(import_module("torch").onnx, "export", fails)
        said = []
        SentenceTransformerEmbedder(folder, notify=said.append).embed_query("the bank")
        assert len(said) == 1
        assert [*cache.iterdir()] == []
    assert exported(folder)._exported_encoder() is not None


def test_without_room_for_it_nothing_is_begun(folder, cache, monkeypatch):
    monkeypatch.setattr("askai.embedders.exported.disk_usage", lambda _: Usage(0))
    said = []
    SentenceTransformerEmbedder(folder, notify=said.append).embed_query("the bank")
    assert " has 0 MB free, and it takes " in said[0]
    assert [*cache.iterdir()] == []


class Usage(NamedTuple):
    free: int


@pytest.mark.parametrize("role", ["query", "document"])
def test_a_graph_of_other_vectors_is_not_kept(folder, cache, monkeypatch, role):
    right = sentence_transformers._full_prompt

    def wrong(model, name, asked):
        return "bank " if asked == role else right(model, name, asked)

    monkeypatch.setattr(sentence_transformers, "_full_prompt", wrong)
    said = []
    SentenceTransformerEmbedder(folder, notify=said.append).embed_query("the river")
    assert "its graph's vector is off by " in said[0]
    assert not [*cache.glob("*.onnx")]


def test_a_default_prompt_is_no_prompt_of_passages(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    settings = copy / "config_sentence_transformers.json"
    content = json.loads(settings.read_text("utf-8"))
    content |= {"prompts": {"query": "where "}, "default_prompt_name": "query"}
    settings.write_text(json.dumps(content), "utf-8")
    found = exported(copy).embed_passages(TEXTS)
    assert np.abs(found - by_torch(copy, TEXTS, role="document")).max() < 1e-5


def test_a_graph_is_in_its_place_only_when_it_was_compared(folder, cache, monkeypatch):
    def stopped(*_):
        assert not [*cache.glob("model-*")]
        raise KeyboardInterrupt

    monkeypatch.setattr("askai.embedders.exported._compare", stopped)
    with pytest.raises(KeyboardInterrupt):
        SentenceTransformerEmbedder(folder).embed_query("the bank")
    assert [*cache.iterdir()] == []


def test_what_a_killed_export_left_is_removed_later(folder, cache):
    cache.mkdir(parents=True)
    left, recent = cache / "partial-1-model.onnx", cache / "partial-2-model.onnx"
    (cache / "partial-3").mkdir()
    for file in (left, recent, cache / "partial-3" / "raw.onnx"):
        file.write_bytes(b"half")
    for file in (left, cache / "partial-3"):
        os.utime(file, (1, 1))
    exported(folder)
    assert sorted(file.name for file in cache.glob("partial-*")) == [recent.name]


def test_a_cache_that_cannot_be_written_costs_time_and_a_line(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path / "file"))
    said = []
    model = SentenceTransformerEmbedder(folder, notify=said.append)
    assert model.embed_query("the bank").shape == (12,)
    assert "Not a directory" in said[0]
