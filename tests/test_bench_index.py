"""Indexes of BEIR folders: kept, taken up again, and made by the same parts as any other."""

from dataclasses import replace

import numpy as np
import pytest

from askai.assemble import open_bench
from askai.beir import load_bench
from askai.bench_index import bench_index_dir, build_bench
from askai.earlier import VECTORS
from askai.embedders.hashing import HashingEmbedder
from askai.embedders.remembering import RememberingEmbedder
from askai.errors import CorpusError, UsageError
from askai.indexing import build
from askai.recipes import recipe
from askai.settings import Settings
from beir_folder import beir_folder

CORPUS = {
    "a": "The red fox hunts at night. It sleeps by day.",
    "b": "An owl calls at dusk. It hears a mouse.",
    "c": "One sentence only.",
}
TEXTS = 3 + 4 + 12  # passages, the sentences of a and b (c is one itself), and words
SETTINGS = Settings(model="hashing")


class Counting(HashingEmbedder):
    """Writes down what it embeds; fails when it has embedded `limit` texts."""

    def __init__(self, limit=None):
        super().__init__()
        self.texts = []
        self.limit = limit

    def embed_passages(self, texts):
        if self.limit is not None and len(self.texts) + len(texts) > self.limit:
            raise KeyboardInterrupt
        self.texts += texts
        return super().embed_passages(texts)


@pytest.fixture
def bench(tmp_path):
    return load_bench(beir_folder(tmp_path / "bench", corpus=CORPUS))


@pytest.fixture
def made(bench, tmp_path):
    """Builds in one folder; returns the report and what was embedded for it."""

    def make(*, index=tmp_path / "index", of=bench, **changes):
        embedder = Counting()
        parts = replace(recipe(replace(SETTINGS, **changes)), embedder=embedder)
        return build_bench(of, parts, index), embedder.texts

    return make


def test_the_second_run_embeds_nothing(made):
    first, embedded = made()
    assert (first.built, first.documents, first.chunks, len(embedded)) == (True, 3, 3, TEXTS)
    again, embedded = made()
    assert (again.built, again.generation, embedded) == (False, first.generation, [])


def test_what_was_embedded_before_a_stop_is_not_embedded_again(tmp_path):
    """Batches of 128: after a stop in the third, the first two are known."""
    corpus = {f"d{n}": f"Number {n} is a number." for n in range(300)}
    bench = load_bench(beir_folder(tmp_path / "bench", corpus=corpus))
    parts = recipe(SETTINGS)
    stopped, resumed = Counting(limit=260), Counting()
    with pytest.raises(KeyboardInterrupt):
        build_bench(bench, replace(parts, embedder=stopped), tmp_path / "index")
    build_bench(bench, replace(parts, embedder=resumed), tmp_path / "index")
    assert (len(stopped.texts), len(resumed.texts)) == (256, 44 + 1)  # and one word
    build_bench(bench, parts, tmp_path / "whole")
    (one,), (other,) = ([*(tmp_path / n).glob(f"g-*/{VECTORS}")] for n in ("index", "whole"))
    assert one.read_bytes() == other.read_bytes()


def test_other_settings_in_the_cache_need_no_text_embedded_again(
    made, bench, monkeypatch, tmp_path
):
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path / "cache"))
    first, embedded = made(index=None)
    assert (first.built, len(embedded)) == (True, TEXTS)
    for changes in ({"store": "exact"}, {"chunk_tokens": 64}):
        report, embedded = made(index=None, **changes)
        assert (report.built, embedded) == (True, [])
    assert made(index=None)[0].generation == first.generation  # each in a place of its own


CHANGES = {
    "documents": ({}, {"a": "Another text.", "c": CORPUS["c"]}, 1 + 2),  # and words
    "settings": ({"chunk_tokens": 64}, CORPUS, 0),  # the passages come out the same
    "store": ({"store": "exact"}, CORPUS, 0),
}


@pytest.mark.parametrize(("settings", "corpus", "embeds"), CHANGES.values(), ids=CHANGES)
def test_what_changes_is_indexed_anew(made, tmp_path, settings, corpus, embeds):
    first, _ = made()
    changed = load_bench(beir_folder(tmp_path / "bench", corpus=corpus))
    report, embedded = made(of=changed, **settings)
    assert (report.built, len(embedded)) == (True, embeds)
    assert report.generation != first.generation


def test_queries_and_judgements_are_no_part_of_an_index(made, tmp_path):
    first, _ = made()
    other = beir_folder(tmp_path / "bench", corpus=CORPUS, queries={"z": "Who?"},
                        qrels=[("z", "b", 1)])  # fmt: skip
    assert made(of=load_bench(other))[0].generation == first.generation


def test_the_place_in_the_cache_is_of_documents_settings_and_model(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path / "cache"))
    copy = load_bench(beir_folder(tmp_path / "copy", corpus=CORPUS, queries={"z": "?"},
                                  qrels=[("z", "a", 1)]))  # fmt: skip
    other = load_bench(beir_folder(tmp_path / "other", corpus={"a": "x"}))
    parts = recipe(SETTINGS)
    same = bench_index_dir(bench, parts)
    assert same.parent == tmp_path / "cache" / "beir" / bench.sha256[:16]
    assert bench_index_dir(copy, parts) == same
    assert len({
        same,
        bench_index_dir(other, parts),
        bench_index_dir(bench, replace(parts, chunk_tokens=64)),
        bench_index_dir(bench, replace(parts, embedder=HashingEmbedder(64))),
    }) == 4  # fmt: skip


def test_a_damaged_index_is_built_again(made, tmp_path):
    made()
    (file,) = (tmp_path / "index").glob(f"g-*/{VECTORS}")
    file.write_bytes(b"")
    assert made()[0].built


def test_the_index_of_a_folder_of_documents_is_left_alone(bench, made, tmp_path):
    from askai.recipes import open_corpus

    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("A fox.\n", "utf-8")
    settings = replace(SETTINGS, corpus=str(tmp_path / "corpus"))
    build(open_corpus(settings), tmp_path / "index", recipe(settings))
    before = sorted((tmp_path / "index").rglob("*"))
    with pytest.raises(UsageError, match="is the index of a folder of documents; name another"):
        made()
    assert sorted((tmp_path / "index").rglob("*")) == before


def test_documents_without_text_are_an_error_and_leave_nothing(tmp_path, made):
    empty = load_bench(beir_folder(tmp_path / "bench", corpus={"a": " "}))
    with pytest.raises(CorpusError, match="has 1 documents without text"):
        made(of=empty)
    assert not list((tmp_path / "index").glob("g-*"))


def test_a_corpus_that_changed_since_it_was_checked_is_an_error(bench, made):
    with (bench.folder / "corpus.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"_id": "new", "text": "x"}\n')
    with pytest.raises(CorpusError, match=r"corpus.jsonl changed while it was read"):
        made()


def test_the_open_index_has_no_aliases_and_all_the_documents(made, tmp_path):
    made()
    with open_bench(SETTINGS, tmp_path / "index") as found:
        assert found.retriever.aliases.mentions("iFLYTEK, 科大讯飞") == []
        assert {c.path for c in found.retriever.catalog.all_chunks()} == set(CORPUS)
        assert found.answerer.ask("Who calls at dusk?").passages


# --- remembering ------------------------------------------------------------------------------


def remembering(path, embedder=None):
    return RememberingEmbedder(embedder or Counting(), path / "embedded")


def test_vectors_are_those_of_the_embedder(tmp_path):
    texts = ["red fox", "owl", "red fox", ""]
    plain = HashingEmbedder().embed_passages(texts)
    first, second = remembering(tmp_path), remembering(tmp_path)
    for found in (first, first, second):
        vectors = found.embed_passages(texts)
        assert (vectors.dtype, vectors.flags.c_contiguous) == (np.float32, True)
        np.testing.assert_array_equal(vectors, plain)
    assert first.embed_passages([]).shape == (0, 512)
    np.testing.assert_array_equal(first.embed_query("owl"), plain[1])
    inner = HashingEmbedder()
    assert (first.name, first.dim, first.max_tokens, first.fingerprint) == (
        inner.name, inner.dim, inner.max_tokens, inner.fingerprint,
    )  # fmt: skip


def test_each_text_is_embedded_once(tmp_path):
    embedder = Counting()
    remembering(tmp_path, embedder).embed_passages(["a", "b", "a"])
    remembering(tmp_path, embedder).embed_passages(["b", "c"])
    assert embedder.texts == ["a", "b", "c"]


@pytest.mark.parametrize("lost", [1, 700, 2000, 2084, 2085, 3000])
def test_a_file_cut_short_loses_the_records_that_are_not_whole(tmp_path, lost):
    """A record has 32 + 4 · 512 + 4 = 2084 bytes."""
    texts = ["a", "b", "c"]
    first = remembering(tmp_path)
    first.embed_passages(texts)
    content = first.path.read_bytes()
    assert len(content) == 3 * 2084
    first.path.write_bytes(content[:-lost])
    embedder = Counting()
    vectors = remembering(tmp_path, embedder).embed_passages(texts)
    assert embedder.texts == texts[3 - -(-lost // 2084) :]
    np.testing.assert_array_equal(vectors, HashingEmbedder().embed_passages(texts))
    assert first.path.read_bytes() == content


@pytest.mark.parametrize("at", [0, 31, 32, 2079, 2080, 2083], ids=lambda at: f"byte {at}")
def test_an_altered_record_is_not_believed(tmp_path, at):
    first = remembering(tmp_path)
    first.embed_passages(["a", "b", "c"])
    content = bytearray(first.path.read_bytes())
    content[2084 + at] ^= 1
    first.path.write_bytes(content)
    embedder = Counting()
    vectors = remembering(tmp_path, embedder).embed_passages(["a", "b", "c"])
    assert embedder.texts == ["b", "c"]
    np.testing.assert_array_equal(vectors, HashingEmbedder().embed_passages(["a", "b", "c"]))


def test_two_processes_may_add_to_one_file(tmp_path):
    """Each has read the file before the other wrote."""
    one, other = remembering(tmp_path), remembering(tmp_path)
    plain = HashingEmbedder()
    for texts in (["a"], ["b", "c"], ["a", "d"], ["c", "b", "a"]):
        for embedder in (one, other):
            vectors = embedder.embed_passages(texts)
            np.testing.assert_array_equal(vectors, plain.embed_passages(texts))
    counting = Counting()
    remembering(tmp_path, counting).embed_passages(["a", "b", "c", "d"])
    assert counting.texts == []


def test_another_model_has_another_file(tmp_path):
    paths = {remembering(tmp_path, HashingEmbedder(dim)).path for dim in (64, 128)}
    assert len(paths) == 2
