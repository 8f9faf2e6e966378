"""Files: what is written durably, and what is remembered of them."""

import json
import os
from pathlib import Path

import pytest

from askai.errors import UsageError
from askai.files import cache_dir, replacing, sha256_of, stamped_sha256, write_durably

OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    ("content", "written"),
    [
        (b"\x00\xff", b"\x00\xff"),
        (memoryview(b"abc"), b"abc"),
        ("é\r\n", b"\xc3\xa9\r\n"),
        ("a\udcff.txt", b"a\xed\xb3\xbf.txt"),
    ],
    ids=["bytes", "memory", "text", "the name of a file"],
)
def test_a_file_is_replaced_as_a_whole(
    tmp_path: Path, content: str | bytes | memoryview, written: bytes, shared: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old and longer")
    with path.open("rb") as before:
        write_durably(path, content, shared=shared)
        assert before.read() == b"old and longer"
    assert path.read_bytes() == written
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("shared", [False, True])
def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path, shared: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    (tmp_path / f"file.{os.getpid() if shared else 'tmp'}").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        write_durably(path, b"new", shared=shared)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_the_hash_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_of(tmp_path / "file") == OF_ABC


def test_a_hash_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    file, cache = tmp_path / "file", tmp_path / "cache"
    file.write_bytes(b"one")
    first = stamped_sha256(file, cache)
    (note,) = (cache / "checksums").iterdir()
    assert first == stamped_sha256(file, cache) == json.loads(note.read_text())["sha256"]
    note.write_text("{cut sho")
    assert stamped_sha256(file, cache) == first
    file.write_bytes(b"more")
    assert stamped_sha256(file, cache) != first


def test_a_hash_without_a_cache_to_write(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one")
    assert len(stamped_sha256(file, file / "not a folder")) == 64


def test_the_cache_is_where_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASKAI_CACHE", "/somewhere")
    assert cache_dir() == Path("/somewhere")
    monkeypatch.setenv("ASKAI_CACHE", "")
    assert cache_dir().name == "askai"


# --- a file that takes the place of another ---------------------------------------------------


def test_a_file_takes_its_place_at_the_end(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    with replacing(path) as file:
        file.write("南京\r\n")
        assert path.read_text() == "old"
    assert path.read_bytes() == "南京\r\n".encode()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def write_half(path):
    with replacing(path) as file:
        file.write("new")
        file.flush()
        raise KeyboardInterrupt


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half(path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("out", "old")]


@pytest.mark.parametrize(
    ("name", "says"),
    [(".", "is no file; name one"), ("no/out", "cannot be written: No such file"),
     ("x" * 300, "cannot be written: File name too long")],
    ids=["folder", "no folder", "a long name"],
)  # fmt: skip
def test_what_cannot_be_written_is_told_at_once(tmp_path, name, says):
    with pytest.raises(UsageError, match=says), replacing(tmp_path / name):
        pytest.fail("it began to write")
