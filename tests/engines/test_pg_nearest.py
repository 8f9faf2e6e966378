"""The approximate index over many vectors: made where there are many, and measured."""

from contextlib import closing

import numpy as np
import pytest

from askai.postgres import nearest
from askai.postgres.connection import Snapshot, prepare
from askai.postgres.rows import put_vectors, remove_documents
from askai.postgres.vectors import EXACT, KIND, PostgresVectors
from askai.stores.exact import ExactStore
from engines.kinds import address_of, drop_all, emptied
from test_stores import random_units

DIM = 16
COUNT = EXACT + 3_000
IDS = [f"c{n:05d}" for n in range(COUNT)]


@pytest.fixture(scope="module")
def vectors():
    """In clusters, as those of texts are."""
    random = np.random.default_rng(1)
    centres = random.standard_normal((200, DIM))
    spread = centres[random.integers(0, 200, COUNT)] + 0.4 * random.standard_normal((COUNT, DIM))
    return (spread / np.linalg.norm(spread, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def filled(url, vectors):
    address = address_of(url, "filled")
    with closing(emptied(address)) as connection:
        put_vectors(connection, "passage_vectors", [(IDS, range(COUNT), vectors)], epoch=3)
        found = nearest.brought_up_to_date(connection, "passage_vectors", dim=DIM, epoch=3)
        connection.commit()
    yield address, found
    drop_all(url)


def test_many_vectors_are_found_by_an_index_with_exact_scores(filled, vectors, tmp_path):
    address, found = filled
    assert (found.kind, found.vectors, found.sample) == (KIND, COUNT, nearest.SAMPLE)
    assert found.recall >= nearest.ENOUGH
    local = ExactStore.create(tmp_path / "x", dim=DIM)
    local.add(IDS, vectors)
    shares = []
    some = IDS[:: COUNT // 300]  # a filter of about one in a hundred
    many = IDS[: EXACT + 100]
    with Snapshot(address) as snapshot:
        store = PostgresVectors(snapshot, "passage_vectors", dim=DIM, epoch=3, found=found)
        plan = snapshot.rows(
            "EXPLAIN SELECT id FROM passage_vectors WHERE epoch = 3 ORDER BY "
            f"(embedding::halfvec({DIM})) <#> %s::halfvec({DIM}) LIMIT 200",
            (vectors[0],),
        )
        assert nearest.name_of("passage_vectors", 3) in str(plan)
        for query in random_units(40, dim=DIM, seed=7):
            there, here = store.search(query, 10), local.search(query, 10)
            shares.append(len({i for i, _ in there} & {i for i, _ in here}) / 10)
            scores = dict(local.search(query, COUNT))
            assert all(score == scores[id_] for id_, score in there)
            assert store.search(query, 10, among=some) == local.search(query, 10, among=some)
            among = store.search(query, 10, among=many)
            assert {i for i, _ in among} <= set(many)
            assert len(among) == 10
    assert np.mean(shares) >= 0.97


def test_the_answers_to_stored_questions_follow_what_goes_in_and_out(filled):
    """As if all were looked at again."""
    address, _ = filled
    with closing(address.connect("test")) as connection:  # and nothing is committed
        prepare(connection, address, read_only=False)

        def stored(since):
            found = nearest.brought_up_to_date(
                connection, "passage_vectors", dim=DIM, epoch=3, since=since
            )
            assert found.recall >= nearest.ENOUGH
            return connection.execute(
                "SELECT query, ids FROM exact_queries ORDER BY number"
            ).fetchall()

        before = stored(COUNT)
        gone = before[0][1][0]
        remove_documents(connection, [IDS.index(gone)])
        near = [(before[n][0].to_numpy(), f"new{n}") for n in (3, 7)]
        for number, (vector, id_) in enumerate(near):
            new = [([id_], [COUNT + number], vector[np.newaxis])]
            put_vectors(connection, "passage_vectors", new, epoch=3)
        after = stored(COUNT)
        assert len(after) == nearest.SAMPLE
        assert all(gone not in ids and len(ids) == nearest.K for _, ids in after)
        assert [after[n][1][0] for n in (3, 7)] == ["new3", "new7"]
        assert [ids for _, ids in after] == [ids for _, ids in stored(0)]


def test_an_index_of_another_epoch_is_dropped_afterwards(address, query):
    with closing(emptied(address)) as connection:
        for epoch in (1, 2):
            connection.execute(f"CREATE INDEX unit_vectors_near_{epoch} ON unit_vectors (id)")
        connection.commit()
    nearest.drop_others(address, 2)
    found = query(
        "SELECT indexname FROM pg_indexes WHERE schemaname = %s AND indexname LIKE '%%near%%'",
        address.schema,
    )
    assert found == [("unit_vectors_near_2",)]


def test_few_vectors_need_no_index(address):
    with closing(emptied(address)) as connection:
        put_vectors(connection, "unit_vectors", [(["a"], [0], random_units(1, dim=DIM))], epoch=0)
        found = nearest.brought_up_to_date(connection, "unit_vectors", dim=DIM, epoch=0)
        assert (found.kind, found.vectors, found.recall) == ("flat", 1, 1.0)


def test_as_many_candidates_are_looked_at_as_are_enough(filled, monkeypatch):
    """A million vectors have been seen to need more than the fewest."""
    address, _ = filled
    asked = []

    def recall(rows, table, *, dim, epoch, candidates):
        asked.append(candidates)
        return {400: 0.98}.get(candidates, 0.9)

    monkeypatch.setattr(nearest, "recall", recall)
    with closing(address.connect("test")) as connection:
        prepare(connection, address, read_only=False)
        found = nearest.brought_up_to_date(
            connection, "passage_vectors", dim=DIM, epoch=3, since=COUNT
        )
    assert (found.kind, found.recall, found.candidates) == (KIND, 0.98, 400)
    assert asked == [200, 400]
    with Snapshot(address) as snapshot:
        sent = []
        fetched = snapshot.rows
        monkeypatch.setattr(
            snapshot,
            "rows",
            lambda sql, values=(): sent.append((sql, values)) or fetched(sql, values),
        )
        store = PostgresVectors(snapshot, "passage_vectors", dim=DIM, epoch=3, found=found)
        assert len(store.search(random_units(1, dim=DIM)[0], 10)) == 10
    assert sent[0][1] == ("400",)
    assert sent[1][1]["count"] == 400


def test_where_no_number_of_candidates_is_enough_all_are_looked_at(filled, monkeypatch):
    address, _ = filled
    monkeypatch.setattr(nearest, "recall", lambda *_, **__: 0.9)
    with closing(address.connect("test")) as connection:
        prepare(connection, address, read_only=False)
        found = nearest.brought_up_to_date(
            connection, "passage_vectors", dim=DIM, epoch=3, since=COUNT
        )
    assert (found.kind, found.vectors, found.recall) == ("flat", COUNT, 1.0)
