"""The contract of `askai.stores.Store`, held over every implementation by a NumPy oracle."""

import json
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from askai.errors import IndexDamaged, UsageError
from askai.seams import load
from askai.stores import STORES
from askai.stores.faiss_flat import FaissFlatStore
from askai.stores.ids import write_ids

DIM = 5
IDS = [f"chunk-{n:02d}" for n in range(12)]


@pytest.fixture(params=sorted(STORES))
def kind(request):
    return load("stores", STORES, request.param)


def unit(*rows):
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_units(n, dim=DIM, seed=0):
    return unit(*np.random.default_rng(seed).standard_normal((n, dim)))


def expected(vectors, query, k, among=None):
    """The oracle: `vectors` is {id: vector}; float64, sorted in Python."""
    chosen = set(vectors) if among is None else set(vectors) & set(among)
    scored = [(float(vectors[i].astype("f8") @ query.astype("f8")), i) for i in chosen]
    return [(i, s) for s, i in sorted(scored, key=lambda pair: (-pair[0], pair[1]))][:k]


def check(found, vectors, query, k, among=None):
    wanted = expected(vectors, query, k, among)
    assert len(found) == len(wanted)
    assert [s for _, s in found] == pytest.approx([s for _, s in wanted], abs=1e-5)
    # Two vectors whose cosines differ by less than float32 can tell may come in either order.
    for (found_id, score), (wanted_id, _) in zip(found, wanted, strict=True):
        true = float(vectors[found_id].astype("f8") @ query.astype("f8"))
        assert found_id == wanted_id or true == pytest.approx(score, abs=1e-6)
    assert len({i for i, _ in found}) == len(found)
    assert all(a[1] > b[1] or (a[1] == b[1] and a[0] < b[0]) for a, b in zip(found, found[1:]))  # noqa: B905, RUF007


# Small whole numbers make equal vectors, and so ties, common.
vectors_of_few = st.lists(st.integers(-2, 2), min_size=DIM, max_size=DIM).filter(any)


class Sequences(RuleBasedStateMachine):
    """Any order of changes, flushes and re-openings gives what the oracle gives."""

    kind: type

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "vectors.faiss"
        self.oracle = {}

    @initialize()
    def create(self):
        self.store = self.kind.create(self.path, dim=DIM)

    @rule(batch=st.dictionaries(st.sampled_from(IDS), vectors_of_few, max_size=8))
    def add(self, batch):
        vectors = unit(*batch.values()) if batch else np.empty((0, DIM), np.float32)
        self.store.add(list(batch), vectors)
        self.oracle.update(zip(batch, vectors, strict=True))

    @rule(ids=st.lists(st.sampled_from([*IDS, "unknown"]), max_size=6))
    def delete(self, ids):
        self.store.delete(ids)
        for id_ in ids:
            self.oracle.pop(id_, None)

    @rule()
    def reopen(self):
        self.store.flush()
        self.store.close()
        self.store = self.kind.open(self.path)

    @rule(
        query=vectors_of_few,
        k=st.integers(0, 15),
        among=st.none() | st.lists(st.sampled_from([*IDS, "unknown"]), max_size=8),
    )
    def search(self, query, k, among):
        query = unit(query)[0]
        check(self.store.search(query, k, among=among), self.oracle, query, k, among)
        asked = among or [*IDS]
        every = dict(self.store.search(query, len(IDS), among=asked))
        cosines = self.store.cosines(query, asked)
        assert cosines.tolist() == [every.get(id_, -np.inf) for id_ in asked]

    @invariant()
    def counts(self):
        if hasattr(self, "store"):
            assert len(self.store) == len(self.oracle)

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
        self.folder.cleanup()


def test_any_sequence_of_changes_equals_the_oracle(kind):
    machine = type(f"{kind.__name__}Sequences", (Sequences,), {"kind": kind})
    case = machine.TestCase
    case.settings = settings(
        max_examples=30, stateful_step_count=20, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    case("runTest").runTest()


def test_all_stores_return_the_same_to_the_last_bit(tmp_path):
    ids = [f"c{n:04d}" for n in np.random.default_rng(3).permutation(2000)]
    vectors = random_units(2000, dim=64, seed=1)
    vectors[500:900] = vectors[0]  # 401 ways to be equal
    answers = []
    for name in STORES:
        store = load("stores", STORES, name).create(tmp_path / f"{name}.x", dim=64)
        store.add(ids, vectors)
        queries = [*random_units(20, dim=64, seed=2), vectors[0]]
        answers.append([store.search(q, k) for q in queries for k in (1, 10, 50, 3000)])
        answers[-1].append(store.search(vectors[0], 20, among=ids[:700]))
        check(answers[-1][0], dict(zip(ids, vectors, strict=True)), queries[0], 1)
        store.close()
    assert all(answer == answers[0] for answer in answers)
    tied = sorted(ids[n] for n in [0, *range(500, 900)])
    assert [i for i, _ in answers[0][-4]][:10] == tied[:10]


@given(seed=st.integers(0, 10_000), k=st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_real_valued_vectors_equal_the_oracle(seed, k):
    vectors = random_units(30, dim=384, seed=seed)
    query = random_units(1, dim=384, seed=seed + 1)[0]
    ids = [f"c{n}" for n in range(30)]
    for name in STORES:
        store = load("stores", STORES, name).create(Path("unused"), dim=384)
        store.add(ids, vectors)
        check(store.search(query, k), dict(zip(ids, vectors, strict=True)), query, k)
        assert store.search(vectors[4], 1) == [("c4", pytest.approx(1.0, abs=1e-6))]


def test_an_empty_store_finds_nothing_and_survives_reopening(kind, tmp_path):
    store = kind.create(tmp_path / "vectors.faiss", dim=DIM)
    query = random_units(1)[0]
    assert store.search(query, 3) == []
    assert store.search(query, 3, among=["a"]) == []
    store.flush()
    with closing(kind.open(tmp_path / "vectors.faiss")) as again:
        assert len(again) == 0
        assert again.search(query, 3) == []
        again.add(["a"], query[np.newaxis])
        assert again.search(query, 3) == [("a", pytest.approx(1.0))]


def test_k_of_nothing_and_k_beyond_the_size(kind, tmp_path):
    store = kind.create(tmp_path / "v.x", dim=DIM)
    store.add(["a", "b"], random_units(2))
    assert store.search(random_units(1)[0], 0) == []
    assert len(store.search(random_units(1)[0], 100)) == 2
    assert store.search(random_units(1)[0], 5, among=[]) == []


@pytest.mark.parametrize(
    ("ids", "vectors"),
    [
        pytest.param(["a"], random_units(1, dim=DIM + 1), id="dim"),
        pytest.param(["a"], random_units(2), id="count"),
        pytest.param(["a"], random_units(1)[0], id="one-dimensional"),
        pytest.param(["a", "b", "a"], random_units(3), id="repeated id"),
        pytest.param(["a"], np.full((1, DIM), np.nan, np.float32), id="not a number"),
    ],
)
def test_a_wrong_batch_is_refused_and_changes_nothing(kind, tmp_path, ids, vectors):
    store = kind.create(tmp_path / "v.x", dim=DIM)
    store.add(["a"], random_units(1))
    with pytest.raises(ValueError, match=r"expected|given twice|not finite"):
        store.add(ids, vectors)
    assert store.search(random_units(1)[0], 5) == [("a", pytest.approx(1.0))]


def test_a_query_of_another_dimension_is_refused(kind, tmp_path):
    store = kind.create(tmp_path / "v.x", dim=DIM)
    store.add(["a"], random_units(1))
    with pytest.raises(ValueError, match="expected"):
        store.search(random_units(1, dim=DIM + 1)[0], 1)


def test_a_change_after_opening_reaches_the_disk_only_with_flush(kind, tmp_path):
    path = tmp_path / "vectors.faiss"
    store = kind.create(path, dim=DIM)
    store.add(["a", "b"], random_units(2))
    store.flush()
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with closing(kind.open(path)) as reader, closing(kind.open(path)) as changed:
        changed.delete(["a"])
        changed.add(["c"], random_units(1, seed=9))
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
        changed.flush()
        assert {i for i, _ in reader.search(random_units(1)[0], 9)} == {"a", "b"}
    with closing(kind.open(path)) as again:
        assert {i for i, _ in again.search(random_units(1)[0], 9)} == {"b", "c"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_an_error_and_leaves_what_was_flushed(kind, tmp_path):
    path = tmp_path / "vectors.faiss"
    store = kind.create(path, dim=DIM)
    store.add(["a"], random_units(1))
    store.flush()
    for file in list(tmp_path.iterdir()):
        full = tmp_path / f"{file.name}.tmp"
        full.symlink_to("/dev/full")
        with pytest.raises(OSError, match="No space left on device"):
            store.flush()
        assert not full.is_symlink()
    with closing(kind.open(path)) as again:
        assert len(again) == 1


@pytest.mark.parametrize("sizes", [[], [0], [1], [3, 0, 4]], ids=str)
def test_written_from_batches_is_the_same_file_as_flushed(kind, tmp_path, sizes):
    batches = [
        ([f"c{place}-{n}" for n in range(size)], random_units(size, seed=place))
        for place, size in enumerate(sizes)
        if size
    ]
    flushed, written = tmp_path / "flushed", tmp_path / "written"
    flushed.mkdir()
    written.mkdir()
    store = kind.create(flushed / "v.faiss", dim=DIM)
    for ids, vectors in batches:
        store.add(ids, vectors)
    store.flush()
    kind.write(written / "v.faiss", dim=DIM, batches=iter(batches))
    for file in flushed.iterdir():
        assert (written / file.name).read_bytes() == file.read_bytes()
    assert len(list(written.iterdir())) == 2


def test_batches_are_taken_one_at_a_time_and_no_id_twice(kind, tmp_path):
    def batches():
        yield ["a", "b"], random_units(2)
        yield ["c", "a"], random_units(2, seed=1)

    with pytest.raises(ValueError, match="twice"):
        kind.write(tmp_path / "v.faiss", dim=DIM, batches=batches())
    with pytest.raises(ValueError, match="shape"):
        kind.write(tmp_path / "w.faiss", dim=DIM + 1, batches=batches())
    assert not [file for file in tmp_path.iterdir() if file.stem.startswith("w")]


def test_nothing_is_pickled(kind, tmp_path):
    store = kind.create(tmp_path / "vectors.faiss", dim=DIM)
    store.add(["a"], random_units(1))
    store.flush()
    for file in tmp_path.iterdir():
        assert file.suffix in {".json", ".npy", ".faiss", ".ids"}


def damages(folder):
    """(what, file, content) for everything that can be wrong with a flushed store."""
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        yield "gone", file, None
        for length in {0, 3, len(content) // 2, len(content) - 1}:
            yield f"cut to {length}", file, content[:length]
        yield "something else", file, b"PK\x03\x04" + content[4:]
    if (ids := folder / "vectors.ids.json").exists():
        for value in (["a"], ["a", "a", "b"], ["a", "b", 3], {"a": 1}, None):
            yield f"ids {value}", ids, json.dumps(value).encode()
    if (ids := folder / "vectors.ids").exists():
        whole = ids.read_bytes()
        for value in (["a"], ["a", "b"], ["a", "b", "c", "d"], [None, "a", "b", "c"], [None] * 2):
            write_ids(ids, value)
            yield f"ids {value}", ids, ids.read_bytes()
        ids.write_bytes(whole)
        yield "another kind", ids, whole.replace(b'"ids"', b'"idx"')
        yield "other sizes", ids, whole.replace(b"[3]", b"[2]", 1)


def test_whatever_is_damaged_is_named(kind, tmp_path):
    store = kind.create(tmp_path / "vectors.faiss", dim=DIM)
    store.add(["a", "b", "c"], random_units(3))
    store.flush()
    for what, file, content in list(damages(tmp_path)):
        whole = file.read_bytes()
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(IndexDamaged, match=r"vectors\..* `askai index --rebuild`"):
            pytest.fail(f"{file.name} {what}: {kind.open(tmp_path / 'vectors.faiss')}")
        file.write_bytes(whole)
    assert len(kind.open(tmp_path / "vectors.faiss")) == 3


def looked_at(path):
    """Everything that asks a store for its ids."""
    with closing(FaissFlatStore.open(path)) as store:
        found = [store.search(query, 3) for query in random_units(3, seed=5)]
        found += [store.search(random_units(1)[0], 3, among=["a", "c", "é"])]
        assert len([*store.ids()]) == len(store)
        return [{id_ for id_, _ in some} for some in found]


@pytest.mark.parametrize("dead", [False, True])
def test_a_flipped_bit_among_the_ids_is_named_or_does_no_harm(dead, tmp_path):
    """Of every byte, size and time kept. No id that there is not is ever found; one that is not
    found by its hash any more is as one unknown, and only the checksum tells one row from another.
    """
    path, ids = tmp_path / "vectors.faiss", tmp_path / "vectors.ids"
    FaissFlatStore.write(path, dim=DIM, batches=[(["a", "b", "c", "é"], random_units(4))])
    write_ids(ids, ["a", None, "c", "é"] if dead else ["a", "b", "c", "é"])
    whole, expected = ids.read_bytes(), looked_at(path)
    named = 0
    for at in range(len(whole)):
        for bit in (0x01, 0x80):
            ids.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            try:
                found = looked_at(path)
            except IndexDamaged as error:
                assert str(error).startswith(f"{ids} cannot be used: ")  # noqa: PT017
                assert str(error).endswith(" Run `askai index --rebuild`.")  # noqa: PT017
                named += 1
            else:
                assert found[:3] == expected[:3]
                assert found[3] <= expected[3]
    assert named > 200


def test_importing_the_stores_does_not_import_faiss():
    code = "import sys, askai.stores.exact, askai.stores.faiss_flat; print('faiss' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_an_unknown_store_is_an_error_that_names_the_known():
    with pytest.raises(UsageError, match="exact, faiss"):
        load("stores", STORES, "nonesuch")
