"""The contracts of stores, word indexes and catalogues, held over Milvus by the same tests."""

from contextlib import closing

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import test_catalog
from askai.errors import IndexDamaged
from askai.lexical.bm25 import BM25Index
from askai.milvus.collections import (
    MOST,
    PART,
    Thing,
    ascii_id,
    digest,
    epoch_name,
    read_id,
    rows_of,
    things_of,
    vector_rows,
)
from askai.milvus.snapshot import Snapshot
from askai.milvus.vectors import MilvusVectors
from askai.milvus.words import MilvusWords
from askai.stores.exact import ExactStore
from engines.milvus_kinds import (
    VectorsKind,
    WordsKind,
    a_state,
    catalog_on_server,
    drop_all,
    emptied,
    put_words,
)
from engines.test_pg_contract import check_of_catalog, term, words
from test_lexical import (  # noqa: F401  they run here, over the kind below
    test_a_corpus_without_a_single_term,
    test_a_question_without_known_terms_finds_nothing,
    test_equal_scores_come_in_order_of_id,
    test_no_term_is_required,
    test_passages_may_come_from_a_generator,
    test_scores_and_order_are_those_of_the_reference,
    test_the_ceiling_is_approached_by_a_passage_of_nothing_else,
    test_the_idf_of_an_unknown_term_is_above_that_of_every_known_one,
)
from test_stores import (  # noqa: F401
    Sequences,
    random_units,
    test_a_query_of_another_dimension_is_refused,
    test_a_wrong_batch_is_refused_and_changes_nothing,
    test_k_of_nothing_and_k_beyond_the_size,
)

WITHIN = settings(
    max_examples=8, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture
def kind(request, milvus_url):
    """The one that the test that runs is about."""
    of_words = request.function.__module__ == "test_lexical"
    yield type("Kind", (WordsKind if of_words else VectorsKind,), {"url": milvus_url})
    drop_all(milvus_url)


def test_any_sequence_of_changes_equals_the_oracle(milvus_url):
    kind = type("K", (VectorsKind,), {"url": milvus_url})
    case = type("MilvusSequences", (Sequences,), {"kind": kind}).TestCase
    case.settings = settings(
        max_examples=5, stateful_step_count=12, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    case("runTest").runTest()
    drop_all(milvus_url)


def test_vectors_are_found_with_the_local_scores_to_the_last_bit(milvus_url, milvus_name, tmp_path):
    ids = [f"c{n:04d}" for n in np.random.default_rng(3).permutation(2000)]
    vectors = random_units(2000, dim=64, seed=1)
    vectors[500:900] = vectors[0]  # 401 ways to be equal
    local = ExactStore.create(tmp_path / "x", dim=64)
    local.add(ids, vectors)
    client = emptied(milvus_url, milvus_name, dim=64)
    rows = vector_rows(ids, range(2000), vectors)
    client.put(epoch_name(milvus_name, 1, "unit_vectors"), rows)
    state = a_state(dim=64)
    there = MilvusVectors(Snapshot(client.address, client, state=state), "unit_vectors", dim=64)
    for query in [*random_units(2, dim=64, seed=2), vectors[0]]:
        for k in (1, 10, 3000):
            assert there.search(query, k) == local.search(query, k)
        for some in (ids[:700], ids[:1500], [*ids[5:9], "unknown"]):
            assert there.search(query, 20, among=some) == local.search(query, 20, among=some)
    assert there.search(vectors[0], 20_000) == local.search(vectors[0], 20_000)
    for at in range(0, 2000, 500):  # more than are remembered, over and over
        some = [*ids[:5], *ids[at : at + 900]]
        assert there.search(query, 20, among=some) == local.search(query, 20, among=some)
    assert there.vectors(ids[:3]).tolist() == vectors[:3].tolist()
    with pytest.raises(KeyError):
        there.vectors(["unknown"])


@given(
    steps=st.lists(st.tuples(st.lists(words, max_size=6), st.sets(st.integers(0, 12))), max_size=4),
    asked=st.tuples(st.lists(term, max_size=5), st.integers(1, 15)),
)
@WITHIN
def test_words_that_come_and_go_weigh_as_in_a_new_local_index(
    milvus_url, milvus_name, tmp_path_factory, steps, asked
):
    """After each step: documents out, documents in; order, ties and scores to the last bit."""
    client = emptied(milvus_url, milvus_name)
    question, k = asked
    snapshot = put_words(client, None, None, [])
    there, number = {}, 0
    for new, gone in steps:
        out = [doc for doc in gone if doc in there]
        for doc in out:
            del there[doc]
        fresh = {number + n: tokens for n, tokens in enumerate(new)}
        number += len(fresh)
        rows = [(f"p{doc}", doc, tokens) for doc, tokens in fresh.items()]
        snapshot = put_words(client, snapshot, out, rows)
        there |= fresh
    passages = [(f"p{doc}", tokens) for doc, tokens in there.items()]
    folder = tmp_path_factory.mktemp("words")
    among = [id_ for id_, _ in passages[::2]] + ["unknown"]
    with closing(BM25Index.build(folder, passages)) as local:
        server = MilvusWords(snapshot)
        assert server.search(question, k) == local.search(question, k)
        assert server.search(question, k, among=among) == local.search(question, k, among=among)
        assert server.ceiling(question) == local.ceiling(question)
        assert len(server) == len(local)
        for one in question:
            assert server.idf(one) == local.idf(one)
            assert (one in server) == (one in local)
        for id_, tokens in passages:
            assert server.tokens_of(id_) == tokens
        with pytest.raises(KeyError):
            server.tokens_of("unknown")


def test_postings_of_several_blocks_are_one_index(milvus_url, milvus_name, tmp_path):
    """More passages than a block holds, and then some out of the middle."""
    passages = [(f"p{n:05}", ["every", f"w{n % 10}", "odd" if n % 2 else "even"])
                for n in range(900)]  # fmt: skip
    client = emptied(milvus_url, milvus_name)
    first = [(id_, n // 100, tokens) for n, (id_, tokens) in enumerate(passages)]
    before = put_words(client, None, None, first, block=256)
    new = [("new", 30_000, ["every", "new"])]
    after = put_words(client, before, [7], new, block=256)
    left = [*passages[:700], *passages[800:], ("new", ["every", "new"])]
    questions = (["every"], ["odd", "w7"], ["new"], [("w1", "w2"), "even"])
    for snapshot, there in ((after, left), (before, passages)):  # the one before stays as it was
        with closing(BM25Index.build(tmp_path / f"words{len(there)}", there)) as local:
            server = MilvusWords(snapshot)
            for question in questions:
                assert server.search(question, 50) == local.search(question, 50)
                assert server.ceiling(question) == local.ceiling(question)


@given(
    documents=st.lists(
        test_catalog.documents, min_size=1, max_size=4, unique_by=lambda d: d.source.path
    ),
    chunks=st.lists(test_catalog.chunks, max_size=6, unique_by=lambda c: c.id),
)
@WITHIN
def test_a_catalogue_comes_back_as_it_went_in(milvus_url, tmp_path, documents, chunks):
    check_of_catalog(catalog_on_server, milvus_url, tmp_path / "c.sqlite", documents, chunks)


def test_hard_texts_survive(milvus_url, tmp_path):
    documents, pieces = [], []
    for n, hard in enumerate(test_catalog.HARD_TEXTS.values()):
        mark = test_catalog.Mark("heading", 0, len(hard), label=hard)
        source = test_catalog.source(path=f"x{n}{hard}", title=hard)
        documents.append(test_catalog.Document(source, hard, (mark,)))
        pieces.append(test_catalog.chunk(f"{n}", text=hard, label=hard, heading=(hard, hard)))
    check_of_catalog(catalog_on_server, milvus_url, tmp_path / "c.sqlite", documents, pieces)
    drop_all(milvus_url)


def test_an_unknown_path_is_a_key_error(milvus_url, tmp_path):
    with (
        test_catalog.write(tmp_path / "c") as local,
        catalog_on_server(milvus_url, tmp_path / "c", local) as there,
    ):
        for ask in (there.document, there.source, there.text):
            with pytest.raises(KeyError, match="nowhere"):
                ask("nowhere")
        assert there.chunks_of("nowhere") == []
        assert there.chunks(["nowhere"]) == {}
    drop_all(milvus_url)


@given(content=st.binary() | st.integers(0, 99).map(lambda n: np.random.default_rng(n).bytes(MOST)))
@settings(deadline=None)
def test_things_of_any_size_are_rows_and_things_again(content):
    thing = Thing(kind=PART, key=digest("x"), born=3, content=content)
    rows = list(rows_of([thing]))
    assert all(len(row["body"]) <= MOST and row["body"].isascii() for row in rows)
    assert things_of(reversed(rows)) == [thing]
    assert len({row["pk"] for row in rows}) == len(rows)
    if len(rows) > 1:
        with pytest.raises(IndexDamaged, match="1 of 2 parts"):
            things_of(rows[1:])


@given(st.text() | st.text("\\\0\ud800\udfff\"'u0d8"))
def test_any_id_is_a_field_of_ascii(id_):
    assert read_id(ascii_id(id_)) == id_
    assert ascii_id(id_).isascii()
    assert len(digest(id_)) == 32
