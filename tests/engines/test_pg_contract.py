"""The contracts of stores, word indexes and catalogues, held over PostgreSQL by the same tests."""

from contextlib import closing

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import test_catalog
from askai.lexical.bm25 import BM25Index
from askai.postgres.connection import Snapshot
from askai.postgres.postings import update_words
from askai.postgres.rows import put_vectors
from askai.postgres.texts import read, stored
from askai.postgres.vectors import PostgresVectors
from askai.postgres.words import PostgresWords
from askai.stores.exact import ExactStore
from engines.kinds import VectorsKind, WordsKind, catalog_on_server, drop_all, emptied
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
    max_examples=20, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture
def kind(request, url):
    """The one that the test that runs is about."""
    of_words = request.function.__module__ == "test_lexical"
    yield type("Kind", (WordsKind if of_words else VectorsKind,), {"url": url})
    drop_all(url)


def test_any_sequence_of_changes_equals_the_oracle(url):
    machine = type("PgSequences", (Sequences,), {"kind": type("K", (VectorsKind,), {"url": url})})
    case = machine.TestCase
    case.settings = settings(
        max_examples=15, stateful_step_count=15, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    case("runTest").runTest()
    drop_all(url)


def test_vectors_are_found_with_the_local_scores_to_the_last_bit(address, tmp_path):
    ids = [f"c{n:04d}" for n in np.random.default_rng(3).permutation(2000)]
    vectors = random_units(2000, dim=64, seed=1)
    vectors[500:900] = vectors[0]  # 401 ways to be equal
    local = ExactStore.create(tmp_path / "x", dim=64)
    local.add(ids, vectors)
    with closing(emptied(address)) as connection:
        put_vectors(connection, "unit_vectors", [(ids, range(2000), vectors)], epoch=0)
        connection.commit()
    with Snapshot(address) as snapshot:
        there = PostgresVectors(snapshot, "unit_vectors", dim=64)
        for query in [*random_units(20, dim=64, seed=2), vectors[0]]:
            for k in (1, 10, 50, 3000):
                assert there.search(query, k) == local.search(query, k)
            for some in (ids[:700], ids[:1500], [*ids[5:9], "unknown"]):
                assert there.search(query, 20, among=some) == local.search(query, 20, among=some)
        for at in range(0, 2000, 250):  # more than are remembered, over and over
            for some in (ids[at : at + 900], [*ids[:5], *ids[at : at + 900]]):
                assert there.search(query, 20, among=some) == local.search(query, 20, among=some)
        assert there.vectors(ids[:3]).tolist() == vectors[:3].tolist()
        with pytest.raises(KeyError):
            there.vectors(["unknown"])


words = st.lists(st.text("abcdef猫\0\\", max_size=2), max_size=8)
term = st.one_of(
    st.text("abcdef猫\0\\", max_size=2),
    st.lists(st.text("abc猫", max_size=2), max_size=3).map(tuple),
)


@given(
    steps=st.lists(st.tuples(st.lists(words, max_size=6), st.sets(st.integers(0, 12))), max_size=4),
    question=st.lists(term, max_size=5),
    k=st.integers(1, 15),
)
@WITHIN
def test_words_that_come_and_go_weigh_as_in_a_new_local_index(
    address, tmp_path_factory, steps, question, k
):
    """After each step: documents out, documents in; order, ties and scores to the last bit."""
    there = {}
    with closing(emptied(address)) as connection:
        number = 0
        for new, gone in steps:
            out = [doc for doc in gone if doc in there]
            for doc in out:
                del there[doc]
            fresh = {number + n: tokens for n, tokens in enumerate(new)}
            number += len(fresh)
            rows = [(f"p{doc}", doc, tokens) for doc, tokens in fresh.items()]
            update_words(connection, out, rows)
            there |= fresh
        connection.commit()
    passages = [(f"p{doc}", tokens) for doc, tokens in there.items()]
    folder = tmp_path_factory.mktemp("words")
    among = [id_ for id_, _ in passages[::2]] + ["unknown"]
    with closing(BM25Index.build(folder, passages)) as local, Snapshot(address) as snapshot:
        server = PostgresWords(snapshot)
        assert server.search(question, k) == local.search(question, k)
        assert server.search(question, k, among=among) == local.search(question, k, among=among)
        assert server.ceiling(question) == local.ceiling(question)
        assert len(server) == len(local)
        for asked in question:
            assert server.idf(asked) == local.idf(asked)
            assert (asked in server) == (asked in local)
        for id_, tokens in passages:
            assert server.tokens_of(id_) == tokens
        with pytest.raises(KeyError):
            server.tokens_of("unknown")


def test_postings_of_several_blocks_are_one_index(address, tmp_path):
    """More passages than a block holds, and then some out of the middle."""
    passages = [(f"p{n:05}", ["every", f"w{n % 1000}", "odd" if n % 2 else "even"])
                for n in range(20_000)]  # fmt: skip
    with closing(emptied(address)) as connection:
        update_words(connection, None, [(i, n, t) for n, (i, t) in enumerate(passages)])
        update_words(connection, range(7_000, 9_000), [("new", 30_000, ["every", "new"])])
        connection.commit()
    left = [*passages[:7_000], *passages[9_000:], ("new", ["every", "new"])]
    with (
        closing(BM25Index.build(tmp_path / "words", left)) as local,
        Snapshot(address) as snapshot,
    ):
        server = PostgresWords(snapshot)
        for question in (["every"], ["odd", "w7"], ["new"], [("w1", "w2"), "even"]):
            assert server.search(question, 50) == local.search(question, 50)
            assert server.ceiling(question) == local.ceiling(question)


def check_of_catalog(on_server, url, path, documents, chunks):
    """A catalogue in a file and the one that `on_server` makes of it on a server."""
    pairs = [(document, chunks[n :: len(documents)]) for n, document in enumerate(documents)]
    # A passage is its document's: others are nobody's to put in.
    pairs = [
        (document, [type(c)(**_fields(c) | {"path": document.source.path}) for c in some])
        for document, some in pairs
    ]
    every = [c for _, some in pairs for c in some]
    with (
        test_catalog.write(path, *pairs) as local,
        on_server(url, path, local) as there,
    ):
        assert there.sources() == local.sources()
        assert [there.document(d.source.path) for d in documents] == documents
        assert [there.text(d.source.path) for d in documents] == [d.text for d in documents]
        assert [there.source(d.source.path) for d in documents] == [d.source for d in documents]
        assert there.chunks(c.id for c in every) == {c.id: c for c in every}
        assert there.chunk_places() == local.chunk_places()
        assert there.languages() == local.languages()
        assert there.chunk_counts() == local.chunk_counts()
        for document, some in pairs:
            assert there.chunks_of(document.source.path) == some
        counts = (len(documents), len(every))
        assert (there.document_count(), there.chunk_count()) == counts


def _fields(record):
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


@given(
    documents=st.lists(
        test_catalog.documents, min_size=1, max_size=4, unique_by=lambda d: d.source.path
    ),
    chunks=st.lists(test_catalog.chunks, max_size=6, unique_by=lambda c: c.id),
)
@WITHIN
def test_a_catalogue_comes_back_as_it_went_in(url, tmp_path, documents, chunks):
    check_of_catalog(catalog_on_server, url, tmp_path / "catalog.sqlite", documents, chunks)


@pytest.mark.parametrize("hard", test_catalog.HARD_TEXTS.values(), ids=test_catalog.HARD_TEXTS)
def test_hard_texts_survive(url, tmp_path, hard):
    mark = test_catalog.Mark("heading", 0, len(hard), label=hard)
    source = test_catalog.source(path=f"x{hard}", title=hard)
    document = test_catalog.Document(source, hard, (mark,))
    piece = test_catalog.chunk(text=hard, label=hard, heading=(hard, hard))
    check_of_catalog(catalog_on_server, url, tmp_path / "catalog.sqlite", [document], [piece])
    drop_all(url)


def test_an_unknown_path_is_a_key_error(url, tmp_path):
    with (
        test_catalog.write(tmp_path / "c") as local,
        catalog_on_server(url, tmp_path / "c", local) as there,
    ):
        for ask in (there.document, there.source, there.text):
            with pytest.raises(KeyError, match="nowhere"):
                ask("nowhere")
        assert there.chunks_of("nowhere") == []
        assert there.chunks(["nowhere"]) == {}
    drop_all(url)


@given(st.text() | st.text("\\\0\ud800\udfffu0d8"))
def test_any_text_is_stored_without_what_postgresql_cannot_hold(text):
    assert read(stored(text)) == text
    assert "\0" not in stored(text)
    stored(text).encode()
