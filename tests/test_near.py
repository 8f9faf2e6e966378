"""A store with an inverted file: approximate in what is found, and in nothing else."""

import json
import shutil
from contextlib import closing

import numpy as np
import pytest

from askai.errors import IndexDamaged
from askai.stores import Found, Moves
from askai.stores.exact import ExactStore
from askai.stores.faiss_files import RowFile, read_flat
from askai.stores.faiss_flat import FaissFlatStore
from askai.stores.near import KIND, _nearest

DIM, COUNT = 32, 12_000
NAME = "vectors.faiss"
IDS = [f"{n * 7919 % COUNT:05d}" for n in range(COUNT)]


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def clustered(count, seed):
    """Vectors around 150 centres, which are the same whatever the seed."""
    centres = np.random.default_rng(0).standard_normal((150, DIM))
    random = np.random.default_rng(seed)
    return unit(centres[random.integers(150, size=count)] + random.standard_normal((count, DIM)))


VECTORS = clustered(COUNT, 1)
VECTORS[300:340] = VECTORS[300]  # ties
ASKED = clustered(100, 2)


@pytest.fixture(autouse=True, scope="module")
def small():
    """Made from a thousand vectors on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("askai.stores.near.LEAST", 10_000)
        yield


def batches(ids, vectors):
    for at in range(0, len(ids), 1000):
        yield ids[at : at + 1000], vectors[at : at + 1000]


def written(folder, ids=IDS, vectors=VECTORS, kind=FaissFlatStore, **update):
    folder.mkdir()
    kind.write(folder / NAME, dim=DIM, batches=batches(ids, vectors), **update)
    return folder


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory):
    return written(tmp_path_factory.mktemp("near") / "first")


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    with closing(ExactStore.open(
        written(tmp_path_factory.mktemp("near") / "exact", kind=ExactStore) / NAME
    )) as store:  # fmt: skip
        yield store


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def recall(store, oracle, k=10):
    shares = []
    for query in ASKED:
        found, wanted = store.search(query, k), oracle.search(query, k)
        assert len(found) == k
        shares.append(len({i for i, _ in found} & {i for i, _ in wanted}) / k)
    return np.mean(shares)


def test_most_of_the_nearest_are_found_with_their_exact_cosines(folder, oracle):
    with closing(FaissFlatStore.open(folder / NAME)) as store:
        assert names(folder) == [
            "vectors.faiss", "vectors.ids", "vectors.near.faiss", "vectors.near.json"
        ]  # fmt: skip
        assert recall(store, oracle) >= 0.97
        assert recall(store, oracle, k=50) >= 0.97
        for query in ASKED[:20]:
            found = store.search(query, 10)
            exact = dict(oracle.search(query, COUNT, among=[id_ for id_, _ in found]))
            assert dict(found) == exact
            assert found == sorted(found, key=lambda pair: (-pair[1], pair[0]))


def test_ties_are_in_order_of_id_and_some_ids_or_very_many_are_exact(folder, oracle):
    with closing(FaissFlatStore.open(folder / NAME)) as store:
        tied = sorted(IDS[300:340])
        assert [id_ for id_, _ in store.search(VECTORS[300], 30)] == tied[:30]
        for query in ASKED[:5]:
            some = IDS[::7]
            assert store.search(query, 20, among=some) == oracle.search(query, 20, among=some)
            assert store.search(query, COUNT) == oracle.search(query, COUNT)
        assert store.search(ASKED[0], 0) == []


def test_what_was_measured_is_told_and_the_files_are_the_same_each_time(folder, tmp_path):
    written(tmp_path / "again")
    for name in names(folder):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    with closing(FaissFlatStore.open(folder / NAME)) as store:
        found = store.found_by()
    assert (found.kind, found.vectors, found.sample) == (KIND, COUNT, 200)
    assert 0.97 <= found.recall <= 1
    assert json.loads((folder / "vectors.near.json").read_text())["recall"] == found.recall


def test_an_update_links_it_and_finds_all_that_is_new_and_nothing_that_is_gone(folder, tmp_path):
    new = clustered(500, 3)
    ids, gone = [f"new {n:03d}" for n in range(500)], IDS[:1000]
    with closing(FaissFlatStore.open(folder / NAME)) as first:
        written(tmp_path / "next", ids, new, earlier=first, moves=Moves(gone, {"moved": IDS[0]}))
    for name in ("vectors.faiss", "vectors.near.faiss", "vectors.near.json"):
        assert (tmp_path / "next" / name).samefile(folder / name)
    with closing(FaissFlatStore.open(tmp_path / "next" / NAME)) as store:
        assert len(store) == COUNT - 1000 + 501
        assert store.found_by().kind == KIND
        assert store.search(VECTORS[0], 1)[0][0] == "moved"
        for id_, vector in zip(ids[:50], new[:50], strict=True):
            assert store.search(vector, 1)[0][0] == id_
        left = {*store.ids()}
        for vector in VECTORS[:50]:
            assert {id_ for id_, _ in store.search(vector, 100)} <= left
        vectors = np.concatenate([VECTORS[1000:], new, VECTORS[:1]])
        written(tmp_path / "exact", [*IDS[1000:], *ids, "moved"], vectors, kind=ExactStore)
        with closing(ExactStore.open(tmp_path / "exact" / NAME)) as exact:
            assert recall(store, exact) >= 0.97


def test_when_much_is_new_or_gone_its_lists_are_taken_over(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("askai.stores.near.built", None)  # no centres are looked for
    monkeypatch.setattr("askai.stores.near.LEAST", 5_000)
    new = clustered(4000, 4)
    ids = [f"new {n:04d}" for n in range(4000)]
    with closing(FaissFlatStore.open(folder / NAME)) as first:
        some = Moves(IDS[:200], {"moved": IDS[0], "twice": IDS[500]})
        written(tmp_path / "apart", ids[:1000], new[:1000], earlier=first, moves=some)
        written(tmp_path / "fewer", [], VECTORS[:0], earlier=first, moves=Moves(IDS[:5000]))
    with closing(FaissFlatStore.open(tmp_path / "apart" / NAME)) as apart:
        written(tmp_path / "more", ids[1000:], new[1000:], earlier=apart)
    for name, kept, vectors in (
        ("fewer", IDS[5000:], VECTORS[5000:]),
        ("more", ["moved", *IDS[200:], "twice", *ids],
         np.concatenate([VECTORS[:1], VECTORS[200:], VECTORS[500:501], new])),
    ):  # fmt: skip
        assert names(tmp_path / name) == names(folder)
        written(tmp_path / f"exact {name}", kept, vectors, kind=ExactStore)
        with (
            closing(FaissFlatStore.open(tmp_path / name / NAME)) as store,
            closing(ExactStore.open(tmp_path / f"exact {name}" / NAME)) as exact,
        ):
            assert {*store.ids()} == {*kept}
            assert store.found_by().kind == KIND
            assert store.found_by().vectors == len(kept)
            assert store.found_by().recall >= 0.97
            assert recall(store, exact) >= 0.97
            assert store._near._index.ntotal == len(kept)
            for id_, vector in zip(kept[::97], vectors[::97], strict=True):
                assert id_ in dict(store.search(vector, 50))


def test_with_several_times_as_many_its_centres_are_found_anew(folder, tmp_path):
    with closing(FaissFlatStore.open(folder / NAME)) as first:
        ids = [f"new {n:05d}" for n in range(COUNT + 1)]
        written(tmp_path / "more", ids, clustered(len(ids), 4), earlier=first)
    said = json.loads((tmp_path / "more" / "vectors.near.json").read_text())
    assert said["trained"] == said["vectors"] == 2 * COUNT + 1


def test_of_few_it_is_not_made(folder, tmp_path):
    with closing(FaissFlatStore.open(folder / NAME)) as first:
        written(tmp_path / "few", [], VECTORS[:0], earlier=first, moves=Moves(IDS[:5000]))
    assert names(tmp_path / "few") == ["vectors.faiss", "vectors.ids"]
    with closing(FaissFlatStore.open(tmp_path / "few" / NAME)) as store:
        assert store.found_by() == Found("flat", COUNT - 5000, 1.0, 0)


@pytest.mark.parametrize("name", ["vectors.near.faiss", "vectors.near.json"])
def test_where_it_alone_is_damaged_it_is_made_anew_of_the_same_vectors(folder, tmp_path, name):
    shutil.copytree(folder, tmp_path / "hurt")
    (tmp_path / "hurt" / name).unlink()
    with closing(FaissFlatStore.open(tmp_path / "hurt" / NAME, near=False)) as hurt:
        assert recall(hurt, hurt) == 1
        written(tmp_path / "whole", [], VECTORS[:0], earlier=hurt)
    assert names(tmp_path / "whole") == names(folder)
    assert (tmp_path / "whole" / "vectors.faiss").samefile(tmp_path / "hurt" / "vectors.faiss")
    for made in ("vectors.near.faiss", "vectors.near.json"):
        assert (tmp_path / "whole" / made).read_bytes() == (folder / made).read_bytes()


def test_a_changed_store_in_memory_searches_all_until_it_is_flushed(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with closing(FaissFlatStore.open(tmp_path / NAME)) as store:
        store.add(["more"], ASKED[:1])
        store.delete(IDS[:10])
        assert store.search(ASKED[0], 1)[0][0] == "more"
        assert store.found_by().kind == "flat"
        store.flush()
    with closing(FaissFlatStore.open(tmp_path / NAME)) as store:
        assert store.found_by().vectors == len(store) == COUNT - 9
        assert store.found_by().kind == KIND
        assert store.search(ASKED[0], 1)[0][0] == "more"


def test_without_enough_recall_all_are_searched_and_it_is_told(oracle, tmp_path, monkeypatch):
    monkeypatch.setattr("askai.stores.near._PROBES", (1,))
    written(tmp_path / "poor")
    assert "vectors.near.faiss" not in names(tmp_path / "poor")
    with closing(FaissFlatStore.open(tmp_path / "poor" / NAME)) as store:
        assert store.found_by() == Found("flat", COUNT, 1.0, 200)
        assert recall(store, oracle) == 1
        monkeypatch.setattr("askai.stores.near.built", None)  # it is not tried again
        new = [f"new {n}" for n in range(1000)]
        written(tmp_path / "next", new, VECTORS[:1000], earlier=store, moves=Moves(IDS[:1900]))
    assert names(tmp_path / "next") == ["vectors.faiss", "vectors.ids", "vectors.near.json"]
    with closing(FaissFlatStore.open(tmp_path / "next" / NAME)) as store:
        assert store.found_by() == Found("flat", COUNT - 900, 1.0, 200)


def test_block_by_block_the_same_is_found_as_in_all(folder):
    with closing(RowFile(folder / NAME, read_flat(folder / NAME))) as vectors:
        assert [start for start, _ in vectors.blocks()] == [0, 8192]
        found = _nearest(ASKED, vectors)
    assert found.shape == (len(ASKED), 10)
    scores = ASKED @ VECTORS.T
    highest = -np.sort(-scores, axis=1)[:, :10]
    found = -np.sort(-np.take_along_axis(scores, found, axis=1), axis=1)
    np.testing.assert_allclose(found, highest, atol=1e-6)


def damages(folder):
    for name in ("vectors.near.faiss", "vectors.near.json"):
        content = (folder / name).read_bytes()
        yield name, None
        for length in (0, 3, len(content) // 2, len(content) - 4):
            yield name, content[:length]
        yield name, b"PK\x03\x04" + content[4:]
    whole = (folder / "vectors.near.json").read_text()
    for value in (whole.replace(":", ":-", 1).replace("12000", '"x"'), "{}", "[]", "3"):
        yield "vectors.near.json", value.encode()
    yield "vectors.near.faiss", (folder / "vectors.faiss").read_bytes()


def test_whatever_is_damaged_is_named(folder, tmp_path):
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}
    for name, content in damages(folder):
        for other, data in whole.items():
            (tmp_path / other).write_bytes(data)
        (tmp_path / name).unlink()
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(IndexDamaged, match=r"vectors\.near\..* `askai index --rebuild`"):
            pytest.fail(f"{name}: {FaissFlatStore.open(tmp_path / NAME)}")


def test_one_of_other_vectors_is_damage(folder, tmp_path):
    written(tmp_path / "other", IDS[:-1], VECTORS[:-1])
    for name in ("vectors.near.faiss", "vectors.near.json"):
        (tmp_path / "other" / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(IndexDamaged, match="it is of 12000 vectors"):
        FaissFlatStore.open(tmp_path / "other" / NAME)
