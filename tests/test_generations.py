"""Whatever happens to a writer, CURRENT names a whole generation, and a reader keeps its own."""

import errno
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askai.catalog import Catalog
from askai.errors import IndexDamaged, IndexLocked, IndexMismatch, IndexMissing, StoredIndexError
from askai.files import link_or_copy
from askai.generation_writer import writing
from askai.generations import open_generation, read_manifest
from askai.manifest import (
    FORMAT,
    Counts,
    FileState,
    Manifest,
    SourceState,
    StoreState,
    listing_digest,
    parse_manifest,
    read_skipped,
    read_sources,
    settings_fingerprint,
    write_skipped,
)
from askai.records import Skipped

# What the processes of these tests run: a build of real files that says where it is.
BUILDER = """
import os, signal, sys, time
from pathlib import Path
from askai.catalog_writer import CatalogWriter
from askai.generation_writer import writing
from askai.generations import read_manifest
from askai.manifest import Counts, SourceState
from askai.records import Chunk, Document, Source

def build(index_dir, n, pause=lambda: None):
    text = f"generation {n}\\n" * 5000
    source = Source(path="a.txt", sha256="0" * 64, bytes=len(text), reader="text", version="1")
    chunk = Chunk(id="c", path="a.txt", start=0, end=12, text=text[:12], context="")
    with writing(index_dir) as building:
        with CatalogWriter(building.path / "catalog.sqlite") as catalog:
            catalog.add_document(Document(source, text, ()), [chunk], 0)
        (building.path / "lexical").mkdir()
        (building.path / "lexical" / "n").write_text(str(n))
        pause()
        building.commit(settings={"n": n}, sources=[], counts=Counts(1, 1, 0, 1))

index_dir = Path(sys.argv[1])
"""


def start(code, *arguments, **options):
    command = [sys.executable, "-W", "error", "-c", BUILDER + code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **options,
    )  # fmt: skip


def run(code, *arguments, **options):
    with start(code, *arguments, **options) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def build(index_dir, n=1, files=None):
    with writing(index_dir) as building:
        for name, content in (files or {"vectors": "x" * 1000, "lexical/terms": "abc"}).items():
            (building.path / name).parent.mkdir(exist_ok=True)
            (building.path / name).write_text(content)
        write_skipped(building.path, [Skipped("b.pdf", "no text")])
        sources = [SourceState("a.txt", "0" * 64, 3, 4, 5)]
        return building.commit(
            settings={"n": n, "pair": (1, 2)}, sources=sources, counts=Counts(1, 2, 1, 3)
        )


def check_whole(index_dir):
    """The number of the current generation, every byte of which is checked."""
    with open_generation(index_dir, full=True) as generation:
        n = generation.manifest.settings["n"]
        with Catalog.open(generation.path / "catalog.sqlite") as catalog:
            assert catalog.document("a.txt").text == f"generation {n}\n" * 5000
        assert (generation.path / "lexical" / "n").read_text() == str(n)
        return n


def leftovers(index_dir):
    """All but the current generation and the files that belong beside it."""
    named = {"CURRENT", "writer.lock", read_manifest(index_dir).generation}
    return sorted(path.name for path in index_dir.iterdir() if path.name not in named)


# --- what is written is what is read ----------------------------------------------------------


def test_a_commit_is_what_opens(tmp_path):
    manifest = build(tmp_path / "index")
    assert read_manifest(tmp_path / "index") == manifest
    with open_generation(tmp_path / "index", full=True) as generation:
        assert generation.manifest == manifest
        assert generation.path == tmp_path / "index" / manifest.generation
        assert sorted(manifest.files) == [
            "lexical/terms",
            "skipped.json",
            "sources.json",
            "vectors",
        ]
        assert manifest.files["vectors"].bytes == 1000
        assert manifest.settings == {"n": 1, "pair": [1, 2]}
        assert manifest.counts == Counts(documents=1, chunks=2, skipped=1, texts=3)
        assert read_skipped(generation.path) == [Skipped("b.pdf", "no text")]
    assert leftovers(tmp_path / "index") == []


def test_a_block_without_a_commit_leaves_nothing(tmp_path):
    with writing(tmp_path) as building:
        (building.path / "a").write_text("a")
    with pytest.raises(IndexMissing, match=r"No index in .*: run `askai index` to build one\."):
        open_generation(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["writer.lock"]


def test_a_generation_is_committed_once(tmp_path):
    with writing(tmp_path) as building:
        nothing = {"settings": {}, "sources": [], "counts": Counts(0, 0, 0, 0)}
        manifest = building.commit(**nothing)
        with pytest.raises(ValueError, match="committed already"):
            building.commit(**nothing)
    with open_generation(tmp_path, full=True) as generation:
        assert generation.manifest == manifest


def test_the_second_commit_replaces_the_first(tmp_path):
    first, second = build(tmp_path, 1), build(tmp_path, 2)
    assert first.generation != second.generation
    assert read_manifest(tmp_path) == second
    assert leftovers(tmp_path) == []


def test_an_error_in_the_block_is_passed_on_and_changes_nothing(tmp_path):
    first = build(tmp_path)
    for error in (ValueError("x"), KeyboardInterrupt(), PermissionError(13, "no", "/elsewhere/f")):
        with pytest.raises(type(error)), writing(tmp_path):  # noqa: PT012
            next(tmp_path.glob(".building-*")).joinpath("a").write_text("a")
            raise error
        assert read_manifest(tmp_path) == first
        assert leftovers(tmp_path) == []


def test_names_that_are_not_text_survive(tmp_path):
    odd = [Skipped("a\udcff.txt", "its name is not text"), Skipped("名前\n", "\0")]
    write_skipped(tmp_path, odd)
    assert read_skipped(tmp_path) == odd


@pytest.mark.parametrize("content", ["", "{}", "3", "[3]", '[{"path": "a"}]', '[{"x": 1}]', "null"])
def test_a_damaged_list_of_skipped_files_is_named(tmp_path, content):
    (tmp_path / "skipped.json").write_text(content)
    if content == "{}":
        assert read_skipped(tmp_path) == []
        return
    with pytest.raises(IndexDamaged, match=r"skipped\.json"):
        read_skipped(tmp_path)


def test_the_sources_come_back_and_damage_is_named(tmp_path):
    odd = SourceState("a\udcff.txt", "0" * 64, 3, 4, 5)
    other = SourceState("名.md", "1" * 64, 6, 7, 8)
    sources = [odd, other]
    with writing(tmp_path) as building:
        manifest = building.commit(settings={}, sources=sources, counts=Counts(2, 2, 0, 2))
        assert read_sources(building.path) == sources
        assert manifest.listing == listing_digest(reversed(sources))
        assert manifest.listing != listing_digest([replace(odd, ctime_ns=9), other])
        for content in ("", "3", "[3]", '[["a"]]', '[["a", "b", 3, 4, "5"]]', "null"):
            (building.path / "sources.json").write_text(content)
            with pytest.raises(IndexDamaged, match=r"sources\.json"):
                read_sources(building.path)


def test_the_fingerprint_depends_on_the_values_and_not_on_their_order():
    assert settings_fingerprint({"a": 1, "b": 2}) == settings_fingerprint({"b": 2, "a": 1})
    assert settings_fingerprint({"a": 1}) != settings_fingerprint({"a": 2})
    assert len(settings_fingerprint({})) == 64


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
numbers = st.integers(0, 2**63)
json_values = st.dictionaries(texts, st.none() | numbers | texts | st.lists(texts), max_size=4)
names = st.text("abc.名/", min_size=1).filter(lambda n: ".." not in n.split("/") and n[0] != "/")
manifests = st.builds(
    lambda **fields: Manifest(
        format=FORMAT, fingerprint=settings_fingerprint(fields["settings"]), **fields
    ),
    generation=texts, created=texts, askai=texts, settings=json_values,
    listing=texts,
    counts=st.builds(Counts, numbers, numbers, numbers, numbers),
    pace=st.floats(0, 1e6),
    stores=st.dictionaries(texts, st.builds(StoreState, texts, numbers, st.floats(0, 1), numbers)),
    files=st.dictionaries(names, st.builds(FileState, texts, numbers, numbers), max_size=3),
)  # fmt: skip


@given(manifest=manifests)
def test_a_manifest_comes_back_as_it_went_in(manifest):
    assert parse_manifest(json.dumps(asdict(manifest)).encode(), Path("m")) == manifest


# --- damage -----------------------------------------------------------------------------------


def edit(path, *, keep_time=False):
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(Path.unlink, "it is not there", id="gone"),
        pytest.param(lambda p: os.truncate(p, 2), r"it has 2 bytes, expected \d+", id="cut"),
        pytest.param(edit, "its SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}", id="edited"),
    ],
)
@pytest.mark.parametrize("name", ["vectors", "lexical/terms", "skipped.json"])
def test_a_damaged_file_is_named(tmp_path, name, damage, says):
    folder = tmp_path / build(tmp_path).generation
    damage(folder / name)
    with pytest.raises(IndexDamaged, match=rf"{name} cannot.*{says}.*`askai index --rebuild`"):
        open_generation(tmp_path)


def test_an_edit_that_keeps_size_and_time_is_found_by_the_full_check(tmp_path):
    folder = tmp_path / build(tmp_path).generation
    edit(folder / "vectors", keep_time=True)
    open_generation(tmp_path).close()
    with pytest.raises(IndexDamaged, match="vectors"):
        open_generation(tmp_path, full=True)


def test_a_copy_with_other_times_opens(tmp_path):
    build(tmp_path / "index")
    shutil.copytree(tmp_path / "index", tmp_path / "copy", copy_function=shutil.copyfile)
    for file in (tmp_path / "copy").rglob("*"):
        os.utime(file, (1, 1))
    open_generation(tmp_path / "copy").close()


BAD_MANIFESTS = {
    "not JSON": (b"{", IndexDamaged, "not the manifest of an index"),
    "not text": (b"\xff\xfe\x00", IndexDamaged, "not the manifest of an index"),
    "empty": (b"", IndexDamaged, "not the manifest of an index"),
    "a list": ([], IndexDamaged, "not the manifest of an index"),
    "no format": ({"format": ...}, IndexDamaged, "not the manifest of an index"),
    "older": (
        {"format": 0, "files": ...},
        IndexMismatch,
        r"has format 0, this askai \(\S+\) reads format 3: run `askai index --rebuild`\.",
    ),
    "newer": (
        {"format": 99, "new": 1},
        IndexMismatch,
        "99, .* reads format 3: install a newer askai, or run",
    ),
    "lacks a key": ({"counts": ...}, IndexDamaged, r"lacks \['counts'\]"),
    "unknown key": ({"more": 1}, IndexDamaged, r"has unknown \['more'\]"),
    "wrong type": ({"created": 3}, IndexDamaged, "'created' of the manifest is not of type str"),
    "true is no number": (
        {"counts": {"documents": True, "chunks": 1, "skipped": 1, "texts": 1}},
        IndexDamaged,
        "'documents' of counts is not of type int",
    ),
    "store": ({"stores": {"a": {"kind": "flat"}}}, IndexDamaged, r"store 'a' lacks \['recall'"),
    "no listing": ({"listing": ["a.txt"]}, IndexDamaged, "is not of type str"),
    "files": ({"files": {"a": {"bytes": 3}}}, IndexDamaged, r"file 'a' lacks \['mtime_ns'"),
    "settings": ({"settings": {"n": 2}}, IndexDamaged, "do not have its fingerprint"),
    "outside": (
        {"files": {"../x": {"sha256": "", "bytes": 3, "mtime_ns": 0}}},
        IndexDamaged,
        "outside the generation",
    ),
}


@pytest.mark.parametrize(("change", "error", "says"), BAD_MANIFESTS.values(), ids=BAD_MANIFESTS)
def test_a_manifest_that_is_not_exactly_right_is_refused(tmp_path, change, error, says):
    file = tmp_path / build(tmp_path).generation / "manifest.json"
    content = change
    if isinstance(change, dict):
        value = json.loads(file.read_bytes()) | change
        content = {key: item for key, item in value.items() if item is not ...}
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    for read in (open_generation, read_manifest):
        with pytest.raises(error, match=says) as caught:
            read(tmp_path)
        assert "askai index --rebuild" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds '', not the name of a generation"),
        (b"../../etc\n", "holds '../../etc'"),
        (b"\xff", "CURRENT cannot be used"),
        (b"g-20261121T215900-01234567\n", "g-20261121T215900-01234567/manifest.json .* not there"),
    ],
)
def test_a_current_that_names_no_generation_is_damage(tmp_path, content, says):
    build(tmp_path)
    (tmp_path / "CURRENT").write_bytes(content)
    for read in (open_generation, read_manifest):
        with pytest.raises(IndexDamaged, match=says):
            read(tmp_path)


def test_a_damaged_current_does_not_delete_what_it_may_have_named(tmp_path):
    folder = tmp_path / build(tmp_path).generation
    (tmp_path / "CURRENT").write_text("?")
    with writing(tmp_path):
        assert folder.exists()
    build(tmp_path, 2)
    assert read_manifest(tmp_path).settings["n"] == 2


def test_no_index_is_said_to_be_missing(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        for read in (open_generation, read_manifest):
            with pytest.raises(IndexMissing, match=f"No index in {folder}: run `askai index`"):
                read(folder)


# --- readers and writers ----------------------------------------------------------------------


def test_a_reader_keeps_its_generation_until_it_closes_it(tmp_path):
    first = build(tmp_path, 1)
    with open_generation(tmp_path) as old:
        build(tmp_path, 2)
        build(tmp_path, 3)
        assert (old.path / "vectors").read_text() == "x" * 1000
        assert leftovers(tmp_path) == [first.generation]
    build(tmp_path, 4)
    assert leftovers(tmp_path) == []


def test_a_reader_in_another_process_keeps_its_generation(tmp_path):
    first = build(tmp_path, 1)
    code = "from askai.generations import open_generation\nwith open_generation(index_dir) as g:"
    reading = f"{code}\n  print('open', flush=True); input(); print((g.path / 'vectors').stat())"
    with start(reading, tmp_path) as reader:
        assert reader.stdout.readline() == "open\n"
        build(tmp_path, 2)
        assert leftovers(tmp_path) == [first.generation]
        out, err = reader.communicate("\n", timeout=30)
        assert (out[:15], err) == ("os.stat_result(", "")
    build(tmp_path, 3)
    assert leftovers(tmp_path) == []


def test_readers_that_come_and_go_never_see_a_swap(tmp_path):
    build(tmp_path, 0)
    done = False

    def read():
        seen = []
        while not done:
            with open_generation(tmp_path, full=True) as generation:
                seen.append(generation.manifest.settings["n"])
                assert (generation.path / "vectors").stat().st_size == 1000
            assert read_manifest(tmp_path).settings["n"] >= seen[-1]
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for n in range(1, 31):
                build(tmp_path, n)
        finally:
            done = True
        for reader in readers:
            assert reader.result() == sorted(reader.result())
            assert len(reader.result()) > 30
    build(tmp_path, 99)
    assert leftovers(tmp_path) == []


def test_the_second_writer_is_told_who_the_first_is(tmp_path):
    holding = "build(index_dir, 7, lambda: (print('ready', flush=True), input()))"
    with start(holding, tmp_path) as first:
        assert first.stdout.readline() == "ready\n"
        with pytest.raises(
            IndexLocked, match=rf"is being written by process {first.pid} on \S+ since 20\d\d-"
        ):
            build(tmp_path)
        assert first.communicate("\n", timeout=30) == ("", "")
    assert check_whole(tmp_path) == 7
    build(tmp_path, 8)


def test_two_writers_in_one_process_are_two_writers(tmp_path):
    with (
        writing(tmp_path),
        pytest.raises(IndexLocked, match=f"process {os.getpid()} "),
        writing(tmp_path),
    ):
        pytest.fail("two writers at once")
    build(tmp_path)


def test_the_lock_of_a_killed_writer_is_free_and_its_leavings_are_swept(tmp_path):
    build(tmp_path, 1)
    with start("build(index_dir, 7, lambda: (print('ready', flush=True), input()))", tmp_path) as w:
        assert w.stdout.readline() == "ready\n"
        w.kill()
    assert "writer.json" in leftovers(tmp_path)
    assert any(name.startswith(f".building-{w.pid}-") for name in leftovers(tmp_path))
    assert read_manifest(tmp_path).settings["n"] == 1
    build(tmp_path, 2)
    assert leftovers(tmp_path) == []


# --- crashes ----------------------------------------------------------------------------------


def test_a_writer_killed_at_any_moment_leaves_a_whole_index(tmp_path):
    """SIGKILL at 20 random moments, to a process that builds one generation after the other."""
    forever = """
from itertools import count
for n in count(int(sys.argv[2])):
    build(index_dir, n)
    print(n, flush=True)
"""
    chance = random.Random(20261121)  # noqa: S311 - the same moments in every run
    last = 0
    for _ in range(20):
        with start(forever, tmp_path, last + 1) as writer:
            committed = int(writer.stdout.readline())
            time.sleep(chance.uniform(0, 0.12))
            writer.kill()
            committed = max([committed, *map(int, writer.stdout.read().split())])
        last = check_whole(tmp_path)
        assert last in {committed, committed + 1}  # killed before it could say so
    build(tmp_path, last + 1)
    assert leftovers(tmp_path) == []


# Kills, or interrupts, or fails a build at its first operation on a file, then one at its second,
# and so on: sys.audit reports each. A build that got through ends it.
AT_EVERY_OPERATION = """
import errno
import filelock
from itertools import count
from askai.catalog import Catalog
from askai.generations import open_generation
OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir",
              "os.scandir", "shutil.rmtree", "fcntl.flock", "sqlite3.connect"}
happening, until = sys.argv[2], 0

def hook(event, arguments):
    global until
    if until and event in OPERATIONS:
        until -= 1
        if not until and happening == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if not until and happening == "interrupt":
            raise KeyboardInterrupt
        if not until and happening == "disk full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

def build_until(step):
    global until
    until = step
    try:
        build(index_dir, step)
    except BaseException as error:
        print(step, type(error).__name__, error, file=sys.stderr, flush=True)
    os._exit(9 if until else 0)

def number():
    with open_generation(index_dir, full=True) as generation:
        n = generation.manifest.settings["n"]
        with Catalog.open(generation.path / "catalog.sqlite") as catalog:
            assert catalog.document("a.txt").text == f"generation {n}\\n" * 5000
    return n

sys.addaudithook(hook)
build(index_dir, 0)
before = 0
for step in count(1):
    if not (child := os.fork()):
        build_until(step)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    now = number()
    assert now in {before, step}, (before, step, now)
    print(step, "old" if now == before else "new", status, flush=True)
    before = now
    if status == 9:
        break
"""


@pytest.mark.parametrize("happening", ["kill", "interrupt", "disk full"])
def test_a_build_ended_at_any_operation_on_a_file_leaves_a_whole_index(tmp_path, happening):
    code, out, err = run(AT_EVERY_OPERATION, tmp_path, happening)
    assert code == 0, err
    *ended, through = [line.split() for line in out.splitlines()]
    assert len(ended) > 40
    assert through[1:] == ["new", "9"]
    assert {status for _, _, status in ended} == {"-9" if happening == "kill" else "0"}
    assert {which for _, which, _ in ended} == {"old", "new"}  # before the swap, and after it
    assert leftovers(tmp_path) == []
    for line in err.splitlines():
        assert ("KeyboardInterrupt" if happening == "interrupt" else "Cannot write the") in line


def test_ctrl_c_in_the_middle_leaves_the_old_index_and_nothing_else(tmp_path):
    build(tmp_path, 1)
    busy = "build(index_dir, 2, lambda: (print('ready', flush=True), time.sleep(60)))"
    with start(busy, tmp_path) as writer:
        assert writer.stdout.readline() == "ready\n"
        writer.send_signal(signal.SIGINT)
        _, err = writer.communicate(timeout=30)
    assert err.endswith("KeyboardInterrupt\n")
    assert writer.returncode == -signal.SIGINT
    assert read_manifest(tmp_path).settings["n"] == 1
    assert leftovers(tmp_path) == []


# --- disks and rights -------------------------------------------------------------------------


@contextmanager
def small_disk(folder, size="600k"):
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:  # noqa: PLW1510
        pytest.skip("no right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_index(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        first = build(disk / "index")
        with pytest.raises(
            StoredIndexError,
            match=r"Cannot write the index in \S+index: No space left on device; free some disk "
            r"space and run `askai index` again\. The index that was there is unchanged\.",
        ):
            build(disk / "index", 2, {"vectors": "x" * 1_000_000})
        with open_generation(disk / "index", full=True) as generation:
            assert generation.manifest == first
        assert leftovers(disk / "index") == []


@pytest.mark.parametrize("kilobytes", [4, 36, 40, 44, 48, 56, 64])
def test_a_disk_that_is_full_at_any_moment_leaves_the_old_index(tmp_path, kilobytes):
    """Little enough is left that files, manifest or CURRENT no longer fit."""
    with small_disk(tmp_path / "disk") as disk:
        first = build(disk / "index")
        with (disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(b"x" * 4096)
        free = os.statvfs(disk)
        os.truncate(disk / "ballast", (disk / "ballast").stat().st_size - kilobytes * 1024)
        assert free.f_bavail == 0
        manifest = first
        try:
            manifest = build(disk / "index", 2, {"a": "x" * 20_000, "b": "y" * 13_000})
        except StoredIndexError as error:
            assert "No space left on device" in str(error)  # noqa: PT017
        with open_generation(disk / "index", full=True) as generation:
            assert generation.manifest == manifest
        assert leftovers(disk / "index") == []


def test_a_file_that_may_not_grow_is_explained(tmp_path):
    build(tmp_path, 1)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    code, _, err = run("build(index_dir, 2)", tmp_path, preexec_fn=limit)
    assert code == 1
    assert "askai.errors.StoredIndexError: Cannot write the index in" in err
    assert read_manifest(tmp_path).settings["n"] == 1
    assert leftovers(tmp_path) == []


def test_a_disk_mounted_read_only_can_be_read_and_refuses_a_writer(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        first = build(disk / "index")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with open_generation(disk / "index", full=True) as generation:
            assert generation.manifest == first
        with pytest.raises(
            StoredIndexError, match="Read-only file system; allow writing there or name"
        ):
            build(disk / "index")


def test_a_folder_of_someone_else_can_be_read_and_refuses_a_writer(tmp_path):
    build(tmp_path / "index", 1)
    paths = [tmp_path / "index", *(tmp_path / "index").rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in [tmp_path, *tmp_path.parents][:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    code = """
import filelock
from askai.errors import StoredIndexError
from askai.generations import open_generation
os.chdir(index_dir)
if os.geteuid() == 0:
    os.setuid(65534)
with open_generation(Path("."), full=True) as generation:
    print(generation.manifest.settings["n"])
for folder in (Path("."), Path("deeper/index")):
    try:
        build(folder, 2)
    except StoredIndexError as error:
        print(error)
"""
    code, out, err = run(code, tmp_path / "index")
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert err == ""
    assert out.splitlines() == [
        "1",
        *(
            f"Cannot write the index in {folder}: Permission denied; allow writing there or name "
            "another folder with --index. The index that was there is unchanged."
            for folder in (".", "deeper/index")
        ),
    ]


def test_a_file_where_the_folder_should_be_is_explained(tmp_path):
    (tmp_path / "index").write_text("")
    with pytest.raises(StoredIndexError, match=r"Cannot write .*: File exists; see to that"):
        build(tmp_path / "index")


def test_a_short_write_of_numpy_counts_as_a_full_disk(tmp_path):
    says = "900 requested and 3 written; free some disk space"
    with pytest.raises(StoredIndexError, match=says), writing(tmp_path):
        raise OSError("900 requested and 3 written")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOENT])
def test_an_os_error_about_something_else_is_passed_on(tmp_path, number):
    with pytest.raises(OSError, match=os.strerror(number)), writing(tmp_path):
        raise OSError(number, os.strerror(number))


# --- files that are linked --------------------------------------------------------------------


def linked(index_dir, names, n=2):
    """A generation of some of the current one's files."""
    with open_generation(index_dir) as before, writing(index_dir) as building:
        for name in names:
            link_or_copy(before.path / name, building.path / name)
        (building.path / "more").write_text("of it")
        return before, building.commit(settings={"n": n}, sources=[], counts=Counts(1, 2, 1, 3))


def test_a_linked_file_keeps_its_checksum_and_is_not_read_again(tmp_path):
    """Another content under the old size and time, which nothing but a new checksum would see."""
    build(tmp_path / "index")
    with open_generation(tmp_path / "index") as generation:
        file = generation.path / "vectors"
        stat = file.stat()
        file.write_text("y" * 1000)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    before, manifest = linked(tmp_path / "index", ["vectors"])
    assert manifest.files["vectors"] == before.manifest.files["vectors"]
    assert set(manifest.files) == {"vectors", "more", "sources.json"}
    with pytest.raises(IndexDamaged, match="vectors cannot be used: its SHA-256"):
        open_generation(tmp_path / "index", full=True)


def test_a_linked_file_of_another_time_is_hashed_again(tmp_path):
    build(tmp_path / "index")
    with open_generation(tmp_path / "index") as generation:
        os.utime(generation.path / "vectors", (1, 1))
    before, manifest = linked(tmp_path / "index", ["vectors"])
    assert manifest.files["vectors"].mtime_ns == 1_000_000_000
    assert manifest.files["vectors"].sha256 == before.manifest.files["vectors"].sha256
    open_generation(tmp_path / "index", full=True).close()


def test_without_hard_links_a_copy_is_hashed(tmp_path, monkeypatch):
    def refuses(*_, **__):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuses)
    build(tmp_path / "index")
    before, manifest = linked(tmp_path / "index", ["vectors"])
    assert manifest.files["vectors"].sha256 == before.manifest.files["vectors"].sha256
    open_generation(tmp_path / "index", full=True).close()


def test_a_linked_file_outlives_the_generation_that_it_is_from(tmp_path):
    build(tmp_path / "index")
    before, _ = linked(tmp_path / "index", ["vectors"])
    build(tmp_path / "index", 3, {"other": "y"})
    assert not before.path.exists()
    build(tmp_path / "index", 4)
    _, manifest = linked(tmp_path / "index", ["vectors"], 5)
    with open_generation(tmp_path / "index", full=True) as generation:
        assert generation.manifest == manifest
        assert (generation.path / "vectors").read_text() == "x" * 1000


def test_a_file_that_is_finished_is_in_the_manifest_as_any_other(tmp_path):
    with writing(tmp_path / "index") as building:
        for name in ("early", "late"):
            (building.path / name).write_text("the same")
        building.finished("early")
        manifest = building.commit(settings={}, sources=[], counts=Counts(1, 1, 0, 1))
    assert manifest.files["early"].sha256 == manifest.files["late"].sha256
    open_generation(tmp_path / "index", full=True).close()
