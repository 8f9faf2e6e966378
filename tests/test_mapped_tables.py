"""Tables that are made of a file once and mapped into memory from then on."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from askai.mapped_tables import MappedTexts, tables_of


class _Maker:
    """Counts how often it makes the tables of a file: its lines' lengths."""

    def __init__(self):
        self.calls = 0

    def __call__(self, source):
        self.calls += 1
        lines = source.read_bytes().split(b"\n")
        return {
            "lengths": np.array([len(line) for line in lines], dtype=np.int64),
            "square": np.eye(3, dtype=np.float32),
            "none": np.empty(0, dtype=np.int32),
        }


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.txt"
    path.write_bytes(b"one\nthree")
    return path


def _tables(source, make, cache, version=1):
    return tables_of(source, name="lines", version=version, make=make, cache=cache)


def test_they_are_made_once(source, tmp_path):
    make = _Maker()
    for _ in range(3):
        tables = _tables(source, make, tmp_path / "cache")
        assert tables["lengths"].tolist() == [3, 5]
        assert tables["square"].tolist() == np.eye(3).tolist()
        assert len(tables["none"]) == 0
    assert make.calls == 1


def test_they_cannot_be_written_to(source, tmp_path):
    tables = _tables(source, _Maker(), tmp_path / "cache")
    with pytest.raises(ValueError, match="read-only"):
        tables["lengths"][0] = 7


def test_another_source_or_version_is_made_anew(source, tmp_path):
    make, cache = _Maker(), tmp_path / "cache"
    _tables(source, make, cache)
    _tables(source, make, cache, version=2)
    assert make.calls == 2
    source.write_bytes(b"four")
    assert _tables(source, make, cache)["lengths"].tolist() == [4]
    assert make.calls == 3


@pytest.mark.parametrize("suffix", [".bin", ".json"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-8]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"\x03", b"\x04") + b" "),
    ],
)
def test_damaged_tables_are_made_anew(source, tmp_path, suffix, spoil):
    make, cache = _Maker(), tmp_path / "cache"
    _tables(source, make, cache)
    (path,) = (cache / "tables").glob(f"*{suffix}")
    spoil(path)
    assert _tables(source, make, cache)["lengths"].tolist() == [3, 5]


def test_a_cache_that_cannot_be_written_costs_only_time(source, tmp_path):
    make, cache = _Maker(), tmp_path / "cache"
    cache.write_text("a file where the folder should be")
    for _ in range(2):
        assert _tables(source, make, cache)["lengths"].tolist() == [3, 5]
    assert make.calls == 2


def test_several_may_make_them_at_once(source, tmp_path):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: _tables(source, _Maker(), tmp_path / "cache"), range(16)))
    assert all(tables["lengths"].tolist() == [3, 5] for tables in found)
    left = sorted(path.suffix for path in (tmp_path / "cache" / "tables").iterdir())
    assert left == [".bin", ".json"]


def test_what_making_raises_goes_on(source, tmp_path):
    def make(_):
        raise ValueError("no tables of this")

    with pytest.raises(ValueError, match="no tables of this"):
        _tables(source, make, tmp_path / "cache")
    assert not (tmp_path / "cache" / "tables").exists()


def test_the_record_says_what_the_arrays_are(source, tmp_path):
    _tables(source, _Maker(), tmp_path / "cache")
    (path,) = (tmp_path / "cache" / "tables").glob("*.json")
    layout = json.loads(path.read_text())["layout"]
    assert layout["lengths"] == ["<i8", [2], 0]
    assert all(at % 64 == 0 for _, _, at in layout.values())
    assert path.with_suffix(".bin").stat().st_size % 64 == 0


@given(st.sets(st.binary(max_size=6), max_size=40), st.lists(st.binary(max_size=6)))
def test_texts_are_found_where_they_stand(held, asked):
    texts = sorted(held)
    found = MappedTexts(MappedTexts.tables(texts))
    assert len(found) == len(texts)
    assert [found[row] for row in range(len(texts))] == texts
    expected = [texts.index(text) if text in held else -1 for text in [*asked, *texts]]
    assert found.rows([*asked, *texts]) == expected


def test_what_is_remembered_is_bounded_and_changes_nothing(monkeypatch):
    monkeypatch.setattr("askai.mapped_tables._FEW", 3)
    monkeypatch.setattr("askai.mapped_tables._REMEMBERED", 5)
    texts = [b"%d" % n for n in range(40)]
    found = MappedTexts(MappedTexts.tables(texts))
    for start in (0, 1, 2, 30, 0):
        for size in (1, 3, 4, 30):
            asked = [*texts[start : start + size], b"none"]
            assert found.rows(asked) == [*range(start, min(40, start + size)), -1]
            assert len(found._places) <= 5 + 3


def test_a_text_twice_is_an_error():
    with pytest.raises(ValueError, match="one hash"):
        MappedTexts.tables([b"a", b"b", b"a"])


def test_of_two_texts_of_one_hash_only_the_one_there_is_found(monkeypatch):
    monkeypatch.setattr("askai.mapped_tables._hash", len)
    found = MappedTexts(MappedTexts.tables([b"a", b"bb"]))
    assert found.rows([b"a", b"x", b"bb", b"yy", b""]) == [0, -1, 1, -1, -1]
