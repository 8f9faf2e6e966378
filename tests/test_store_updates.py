"""A store written on top of an earlier one is, to whoever asks it, a store of the live vectors."""

import os
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askai.errors import IndexDamaged
from askai.seams import load
from askai.stores import STORES, Moves
from askai.stores.exact import ExactStore
from askai.stores.faiss_flat import MOST_APART, FaissFlatStore
from askai.stores.ids import MappedIds

DIM = 4
NAME = "vectors.faiss"
IDS = [f"c{n:02d}" for n in range(30)]

# Few and small whole numbers, so that equal vectors, and with them ties, are common.
rows = st.lists(st.integers(-1, 1), min_size=DIM, max_size=DIM).filter(any).map(tuple)
batches_of = st.dictionaries(st.sampled_from(IDS), rows, max_size=6)
# What an update does: ids that go, ids that another one is renamed or copied to, and new vectors.
updates = st.lists(
    st.tuples(
        st.sets(st.sampled_from(IDS), max_size=8),
        st.dictionaries(st.sampled_from(IDS), st.sampled_from(IDS), max_size=5),
        batches_of,
    ),
    max_size=5,
)


@pytest.fixture(params=sorted(STORES))
def kind(request):
    return load("stores", STORES, request.param)


def unit(row):
    vector = np.array(row, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def batches(vectors):
    """Of two each, as an embedder gives them."""
    ids = list(vectors)
    for at in range(0, len(ids), 2):
        some = ids[at : at + 2]
        yield some, np.array([unit(vectors[id_]) for id_ in some])


def written(kind, folder, vectors):
    folder.mkdir()
    kind.write(folder / NAME, dim=DIM, batches=batches(vectors))
    return kind.open(folder / NAME)


def updated(kind, folder, earlier, kept, new):
    """`kept` are the ids that there are afterwards, each with the one that it was before."""
    folder.mkdir()
    gone = [id_ for id_ in earlier.ids() if kept.get(id_) != id_]
    moves = Moves(gone, {id_: there for id_, there in kept.items() if id_ != there})
    kind.write(folder / NAME, dim=DIM, batches=batches(new), earlier=earlier, moves=moves)
    return kind.open(folder / NAME)


def answers(store, ids):
    """Every kind of search, of queries in all directions."""
    queries = [unit(row) for row in ((1, 0, 0, 0), (1, 1, 0, 0), (0, -1, 1, 1), (1, 1, 1, -1))]
    among = [None, ids[::2], [*ids[:3], "unknown"], []]
    return [store.search(q, k, among=a) for q in queries for k in (1, 3, 100) for a in among]


@pytest.mark.parametrize("name", sorted(STORES))
@given(first=st.dictionaries(st.sampled_from(IDS), rows, max_size=25), steps=updates)
@settings(max_examples=60, deadline=None)
def test_updates_after_updates_equal_one_store_of_the_live_vectors(
    name, first, steps, tmp_path_factory
):
    kind, folder = load("stores", STORES, name), tmp_path_factory.mktemp("updates")
    live, store = first, written(kind, folder / "0", first)
    for number, (gone, renamed, new) in enumerate(steps, start=1):
        kept = {id_: id_ for id_ in live if id_ not in gone}
        kept |= {id_: there for id_, there in renamed.items() if there in live}
        new = {id_: row for id_, row in new.items() if id_ not in kept}  # noqa: PLW2901
        after = updated(kind, folder / str(number), store, kept, new)
        store.close()
        store, live = after, {id_: live[there] for id_, there in kept.items()} | new
        with closing(written(ExactStore, folder / f"oracle{number}", live)) as oracle:
            ids = sorted(live)
            assert len(store) == len(oracle)
            assert np.array_equal(store.vectors(ids), oracle.vectors(ids))
            assert answers(store, ids) == answers(oracle, ids)
        assert len(list((folder / str(number)).iterdir())) <= 3  # two of vectors, one of ids
    store.close()


def hundred(kind, folder):
    return written(kind, folder, {f"c{n:02d}": (n + 1, 1, n % 7, 2) for n in range(100)})


def same(ids):
    return {id_: id_ for id_ in ids}


ALL = [f"c{n:02d}" for n in range(100)]


def test_a_deleted_row_is_never_found_again(kind, tmp_path):
    with (
        closing(hundred(kind, tmp_path / "a")) as first,
        closing(updated(kind, tmp_path / "b", first, same(ALL[10:]), {})) as store,
    ):
        assert len(store) == 90
        for id_ in ALL[:10]:
            (vector,) = first.vectors([id_])
            assert id_ in {found for found, _ in first.search(vector, 100)}
            assert id_ not in {found for found, _ in store.search(vector, 100)}
            assert store.search(vector, 5, among=[id_]) == []
            with pytest.raises(KeyError):
                store.vectors([id_])


def test_an_id_given_twice_is_refused_with_an_earlier_store_too(kind, tmp_path):
    with closing(hundred(kind, tmp_path / "a")) as first, pytest.raises(ValueError, match="twice"):
        updated(kind, tmp_path / "b", first, same(ALL), {"c05": (1, 1, 1, 1)})


def test_a_store_of_two_files_can_be_changed_and_flushed_as_one(kind, tmp_path):
    with closing(hundred(kind, tmp_path / "a")) as first:
        store = updated(kind, tmp_path / "b", first, same(ALL[5:]), {"new": (9, 1, 1, 1)})
        store.add(["c50", "more"], np.array([unit((1, 0, 0, 0)), unit((0, 1, 0, 0))]))
        store.delete(["new", "c60"])
        ids, before = sorted(store.ids()), store.vectors(sorted(store.ids()))
        store.flush()
        store.close()
        assert len(first) == 100
    assert len(list((tmp_path / "b").iterdir())) == 2
    with closing(kind.open(tmp_path / "b" / NAME)) as again:
        assert len(again) == len(ids) == 95
        assert np.array_equal(again.vectors(ids), before)


# --- what FAISS's store has on the disk -------------------------------------------------------


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def shares(folder, other):
    return (folder / NAME).samefile(other / NAME)


ONE = ["vectors.faiss", "vectors.ids"]
TWO = ["vectors.added.faiss", *ONE]


def test_a_renamed_or_deleted_row_copies_nothing(tmp_path):
    renamed = {f"renamed {id_}": id_ for id_ in ALL[:30]} | same(ALL[40:])
    with (
        closing(hundred(FaissFlatStore, tmp_path / "a")) as first,
        closing(updated(FaissFlatStore, tmp_path / "b", first, renamed, {})) as store,
    ):
        assert files(tmp_path / "b") == ONE
        assert shares(tmp_path / "a", tmp_path / "b")
        assert np.array_equal(store.vectors(list(renamed)), first.vectors(list(renamed.values())))


def test_only_what_is_new_is_written(tmp_path):
    with (
        closing(hundred(FaissFlatStore, tmp_path / "a")) as first,
        closing(
            updated(FaissFlatStore, tmp_path / "b", first, same(ALL), {"new": (1, 1, 0, 0)})
        ) as second,
    ):
        size = (tmp_path / "b" / "vectors.added.faiss").stat().st_size
        kept = {**same(ALL[1:]), "moved": "new"}
        updated(FaissFlatStore, tmp_path / "c", second, kept, {}).close()
    assert [files(tmp_path / name) for name in "bc"] == [TWO, TWO]
    assert shares(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c" / "vectors.added.faiss").stat().st_size == size < 100
    ids = list(MappedIds.open(tmp_path / "c" / "vectors.ids", size=101))
    assert ids[::100] == [None, "moved"]


@pytest.mark.parametrize(("gone", "new"), [(21, 0), (0, 34), (10, 18)], ids=str)
def test_when_much_is_dead_or_added_all_is_written_into_one_file(tmp_path, gone, new):
    added = {f"new {n}": (n, 1, 0, 1) for n in range(new)}
    with closing(hundred(FaissFlatStore, tmp_path / "a")) as first:
        some = dict(list(added.items())[1:])
        updated(FaissFlatStore, tmp_path / "b", first, same(ALL[max(0, gone - 1) :]), some).close()
        updated(FaissFlatStore, tmp_path / "c", first, same(ALL[gone:]), added).close()
    assert shares(tmp_path / "a", tmp_path / "b")
    assert not shares(tmp_path / "a", tmp_path / "c")
    assert files(tmp_path / "c") == ONE
    assert None not in MappedIds.open(tmp_path / "c" / "vectors.ids", size=100 - gone + new)
    assert gone + new > MOST_APART * (100 - gone + new)


@pytest.mark.parametrize(
    ("gone", "new", "anew"),
    [(49, 0, False), (50, 0, False), (51, 0, True), (30, 15, False), (10, 31, True)],
    ids=str,
)
def test_of_many_as_many_may_be_dead(tmp_path, monkeypatch, gone, new, anew):
    monkeypatch.setattr("askai.stores.faiss_flat.LEAST", 40)
    added = {f"new {n}": (n, 1, 0, 1) for n in range(new)}
    with closing(hundred(FaissFlatStore, tmp_path / "a")) as first:
        updated(FaissFlatStore, tmp_path / "b", first, same(ALL[gone:]), added).close()
    assert shares(tmp_path / "a", tmp_path / "b") is not anew


def test_without_hard_links_the_file_is_copied(tmp_path, monkeypatch):
    def refuses(*_, **__):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuses)
    with (
        closing(hundred(FaissFlatStore, tmp_path / "a")) as first,
        closing(updated(FaissFlatStore, tmp_path / "b", first, same(ALL[1:]), {})) as store,
    ):
        assert not shares(tmp_path / "a", tmp_path / "b")
        assert np.array_equal(store.vectors(ALL[1:]), first.vectors(ALL[1:]))


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_damaged_file_of_two_is_named(tmp_path, name, damage):
    with closing(hundred(FaissFlatStore, tmp_path / "a")) as first:
        updated(FaissFlatStore, tmp_path / "b", first, same(ALL), {"new": (1, 1, 0, 0)}).close()
    file = tmp_path / "b" / name
    content = file.read_bytes()
    file.unlink()
    if damage == "cut":
        file.write_bytes(content[:-4])
    with pytest.raises(IndexDamaged, match=r"vectors\..* `askai index --rebuild`"):
        FaissFlatStore.open(tmp_path / "b" / NAME)


def test_files_of_other_dimensions_do_not_go_together(tmp_path):
    with closing(hundred(FaissFlatStore, tmp_path / "a")) as first:
        updated(FaissFlatStore, tmp_path / "b", first, same(ALL), {"new": (1, 1, 0, 0)}).close()
    FaissFlatStore.write(
        tmp_path / "b" / "other.faiss", dim=3, batches=[(["new"], np.ones((1, 3), np.float32))]
    )
    (tmp_path / "b" / "other.faiss").replace(tmp_path / "b" / "vectors.added.faiss")
    with pytest.raises(IndexDamaged, match="3 numbers"):
        FaissFlatStore.open(tmp_path / "b" / NAME)
