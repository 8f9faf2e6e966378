"""The approximate index over many vectors: made where there are many, and measured."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from askai.postgres import nearest
from askai.postgres.beside import Beside
from askai.postgres.connection import Snapshot, prepare
from askai.postgres.exact_queries import SAMPLE, K
from askai.postgres.rows import put_vectors, remove_documents
from askai.postgres.vectors import EXACT, HNSW, IVF, FoundNear, PostgresVectors
from askai.stores.exact import ExactStore
from askai.stores.near import questions_of
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
    assert (found.kind, found.vectors, found.sample) == (IVF, COUNT, SAMPLE)
    assert found.recall >= nearest.ENOUGH
    local = ExactStore.create(tmp_path / "x", dim=DIM)
    local.add(IDS, vectors)
    # Others than the stored ones. In any direction, where no vector is near and what is nearest
    # lies in many lists, less is found (.955 to .97: pgvector's k-means begins at random).
    random = np.random.default_rng(7)
    like_texts = questions_of(vectors[random.permutation(COUNT)[:200]], random)
    kinds = {"like texts": like_texts, "any": random_units(40, dim=DIM, seed=7)}
    shares = {kind: [] for kind in kinds}
    some = IDS[:: COUNT // 300]  # a filter of about one in a hundred
    many = IDS[: EXACT + 100]
    with Snapshot(address) as snapshot:
        store = PostgresVectors(snapshot, "passage_vectors", dim=DIM, epoch=3, found=found)
        plan = snapshot.rows(
            "EXPLAIN " + found.query("passage_vectors", dim=DIM, epoch=3),
            {"query": vectors[0], "count": 100, "k": 10, "slack": 0.0},
        )
        assert nearest.name_of("passage_vectors", 3, found) in str(plan)
        for kind, query in ((kind, query) for kind, queries in kinds.items() for query in queries):
            there, here = store.search(query, 10), local.search(query, 10)
            shares[kind].append(len({i for i, _ in there} & {i for i, _ in here}) / 10)
            scores = dict(local.search(query, COUNT))
            assert all(score == scores[id_] for id_, score in there)
            assert store.search(query, 10, among=some) == local.search(query, 10, among=some)
            among = store.search(query, 10, among=many)
            assert {i for i, _ in among} <= set(many)
            assert len(among) == 10
    assert np.mean(shares["like texts"]) >= 0.97
    assert np.mean(shares["any"]) >= 0.9


def test_the_answers_to_stored_questions_follow_what_goes_in_and_out(filled):
    """As if all were looked at again."""
    address, was = filled
    with closing(address.connect("test")) as connection:  # and nothing is committed
        prepare(connection, address, read_only=False)

        def stored(since):
            found = nearest.brought_up_to_date(
                connection, "passage_vectors", dim=DIM, epoch=3, since=since, before=was
            )
            assert found.made == was.made
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
        assert len(after) == SAMPLE
        assert all(gone not in ids and len(ids) == K for _, ids in after)
        assert [after[n][1][0] for n in (3, 7)] == ["new3", "new7"]
        assert [ids for _, ids in after] == [ids for _, ids in stored(0)]


def test_an_index_that_is_not_kept_is_dropped_afterwards(address, query):
    names = ["unit_vectors_near_1", "unit_vectors_near_2_1", "unit_vectors_near_2_2"]
    with closing(emptied(address)) as connection:
        for name in names:
            connection.execute(f"CREATE INDEX {name} ON unit_vectors (id)")
        connection.commit()
    nearest.drop_others(address, ["passage_vectors_near_2_1", "unit_vectors_near_2_2"])
    found = query(
        "SELECT indexname FROM pg_indexes WHERE schemaname = %s AND indexname LIKE '%%near%%'",
        address.schema,
    )
    assert found == [("unit_vectors_near_2_2",)]


def test_few_vectors_need_no_index(address):
    with closing(emptied(address)) as connection:
        put_vectors(connection, "unit_vectors", [(["a"], [0], random_units(1, dim=DIM))], epoch=0)
        found = nearest.brought_up_to_date(connection, "unit_vectors", dim=DIM, epoch=0)
        assert (found.kind, found.vectors, found.recall) == ("flat", 1, 1.0)


class Changing:
    """The table in a transaction that is not committed, and how often all of it was measured."""

    def __init__(self, address, shares, monkeypatch):
        """`shares` gives the recall that is measured, of what is measured."""
        self.address = address
        self.asked = []
        monkeypatch.setattr(nearest, "recall", self.recall)
        self.shares = shares

    def __enter__(self):
        self.connection = self.address.connect("test")
        prepare(self.connection, self.address, read_only=False)
        return self

    def __exit__(self, *_):
        self.connection.close()

    def recall(self, _rows, _table, found, **_):
        self.asked.append(found)
        return self.shares(found)

    def updated(self, before):
        return nearest.brought_up_to_date(
            self.connection, "passage_vectors", dim=DIM, epoch=3, since=COUNT, before=before
        )

    def indexes(self):
        rows = self.connection.execute(
            "SELECT indexname FROM pg_indexes WHERE schemaname = %s AND indexname LIKE '%%near%%'",
            (self.address.schema,),
        ).fetchall()
        return sorted(name for (name,) in rows)


def test_as_few_lists_are_looked_into_as_are_enough(filled, monkeypatch):
    address, before = filled
    with Changing(address, lambda f: 0.99 if f.probes >= 48 else 0.96, monkeypatch) as changing:
        found = changing.updated(before)
        assert (found.kind, found.recall, found.probes) == (IVF, 0.99, 48)
        # As long as they are enough no other number is tried.
        del changing.asked[:]
        assert changing.updated(found) == found
        assert len(changing.asked) == 1
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
    assert "ivfflat.probes" in sent[0][0]
    assert sent[0][1] == ("48",)


def test_what_is_nearly_enough_is_better_than_to_look_at_all(filled, monkeypatch):
    address, before = filled
    with Changing(address, lambda f: 0.975 if f.probes > 200 else 0.9, monkeypatch) as changing:
        found = changing.updated(before)
    assert (found.kind, found.recall, found.probes) == (IVF, 0.975, 256)


def test_where_no_number_of_lists_is_enough_all_are_looked_at(filled, monkeypatch):
    address, before = filled
    with Changing(address, lambda _: 0.9, monkeypatch) as changing:
        found = changing.updated(before)
        assert (found.kind, found.vectors, found.recall) == ("flat", COUNT, 1.0)
        # Another index of as many vectors would find no more, so none is made.
        assert changing.updated(found).kind == "flat"
        assert changing.indexes() == [nearest.name_of("passage_vectors", 3, before)]
        changing.shares = lambda _: 0.99
        assert changing.updated(found).kind == IVF


def test_of_twice_as_many_vectors_another_index_is_made_beside_it(filled):
    address, before = filled
    old = nearest.name_of("passage_vectors", 3, before)
    with closing(address.connect("test")) as connection:
        prepare(connection, address, read_only=False)
        found = nearest.brought_up_to_date(
            connection, "passage_vectors", dim=DIM, epoch=3, since=COUNT,
            before=replace(before, made_for=COUNT // 2),
        )  # fmt: skip
        new = nearest.name_of("passage_vectors", 3, found)
        assert (found.made, found.made_for) == (before.made + 1, COUNT)
        assert found.recall >= nearest.ENOUGH
        given = {"query": random_units(1, dim=DIM)[0], "count": 100, "k": 10, "slack": 0.0}
        for one, name in ((before, old), (found, new)):
            query = "EXPLAIN " + one.query("passage_vectors", dim=DIM, epoch=3)
            plan = str(connection.execute(query, given).fetchall())
            assert f" {name} " in plan  # readers of the old one use it until they end


def test_an_index_of_the_older_kind_is_used_until_it_finds_too_little(url, vectors):
    address = address_of(url, "older")
    older = FoundNear(HNSW, COUNT, 0.99, 50)
    name = nearest.name_of("passage_vectors", 0, older)
    with closing(emptied(address)) as connection:
        put_vectors(connection, "passage_vectors", [(IDS, range(COUNT), vectors)], epoch=0)
        connection.execute(
            f"CREATE INDEX {name} ON passage_vectors USING hnsw "
            f"((embedding::halfvec({DIM})) halfvec_ip_ops) WHERE epoch = 0"
        )

        def updated(before):
            return nearest.brought_up_to_date(
                connection, "passage_vectors", dim=DIM, epoch=0, since=COUNT, before=before
            )

        kept = updated(older)
        assert (kept.kind, kept.candidates) == (HNSW, 200)
        assert kept.recall >= nearest.ENOUGH
        # One that found too little, so that all vectors were looked at.
        found = updated(replace(older, kind="flat"))
        assert (found.kind, found.made) == (IVF, 1)
        connection.commit()
    with Snapshot(address) as snapshot:
        for one, index in ((kept, name), (found, nearest.name_of("passage_vectors", 0, found))):
            plan = snapshot.rows(
                "EXPLAIN " + one.query("passage_vectors", dim=DIM, epoch=0),
                {"query": vectors[0], "count": 100, "k": 10, "slack": 0.0},
            )
            assert f" {index} " in str(plan)
            store = PostgresVectors(snapshot, "passage_vectors", dim=DIM, found=one)
            assert store.search(vectors[5], 1)[0][0] == IDS[5]


def test_a_second_connection_is_used_where_it_sees_the_same(filled):
    address, _ = filled
    asked = "SELECT pg_backend_pid()"
    with address.pool(size=2) as pool, Snapshot(address, pool) as first:
        for same in (True, False):
            beside = Beside(first, lambda _, same=same: same)
            for _ in range(100):  # until the pool has a second one
                if beside.rows(asked) != first.rows(asked) or not same:
                    break
                beside.close()
                beside = Beside(first, lambda _, same=same: same)
            assert (beside.rows(asked) != first.rows(asked)) is same
            beside.close()
    with address.pool(size=1) as pool, Snapshot(address, pool) as first:
        beside = Beside(first, lambda _: True)  # which waits for no connection
        assert beside.rows(asked) == first.rows(asked)
        beside.close()
    with Snapshot(address) as first:
        beside = Beside(first, lambda _: True)
        assert beside.rows(asked) == first.rows(asked)


def test_a_second_connection_that_is_lost_is_made_again_in_a_pool_of_two(filled):
    address, _ = filled
    asked = "SELECT pg_backend_pid()"
    with address.pool(size=2) as pool:
        with pool.connection(), pool.connection():
            pass  # it has two now
        first = Snapshot(address, pool)
        beside = Beside(first, lambda _: True)
        ((one,),), ((other,),) = first.rows(asked), beside.rows(asked)
        assert one != other
        with closing(address.connect("test")) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", (other,))
        ((again,),) = beside.rows(asked)
        assert again not in {one, other}
        assert first.rows(asked) == [(one,)]
        beside.close()
        first.close()
        first.close()  # which gives nothing back twice
        assert pool.get_stats()["pool_available"] <= 2
