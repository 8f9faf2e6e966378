"""`askai index`: brings up to date, recovers from damage, and survives whatever ends it."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from askai.corpus import Corpus
from askai.indexing import build
from askai.recipes import recipe
from askai.settings import Settings
from conftest import ANSWER, QUESTION, SCRIPT, check_failure


def leftovers(desk):
    """All but the current generation and the files that belong beside it; what an interrupted
    build has embedded may stay, for the next one."""
    named = {"CURRENT", "writer.lock", desk.generation.name}
    return sorted(
        path.name
        for path in desk.index.iterdir()
        if path.name not in named and not path.name.startswith(".embedded-")
    )


def snapshot(folder):
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
    }


# --- up to date -------------------------------------------------------------------------------


def test_the_first_index_says_what_it_did(desk):
    ran = desk.run("index")
    assert ran.code == 0
    assert ran.out.startswith("Indexed 2 documents of corpus as 2 passages in ")
    head, *table = ran.out.splitlines()
    assert head.endswith(f" s: index/{desk.generation.name}")
    assert table == [
        "Read 2 files, embedded 4 texts.",
        "format    files  passages  pages  without text",
        "markdown      1         1      –             –",
        "text          1         1      –             –",
    ]
    assert ran.err == "Reading 2 …\nEmbedding 4 …\nWords 10 …\n"
    assert leftovers(desk) == []


def test_a_second_index_changes_nothing(indexed):
    before = snapshot(indexed.folder)
    ran = indexed.run("index")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"Up to date: 2 documents of corpus, 2 passages, in index/{indexed.generation.name}\n"
    )
    assert snapshot(indexed.folder) == before


def test_a_new_time_is_no_change(indexed):
    os.utime(indexed.corpus / "a.txt", (1, 1))
    before = snapshot(indexed.index)
    assert indexed.run("status", "--json").json["up_to_date"]
    assert indexed.run("ask", QUESTION).err == ""
    assert indexed.run("index").out.startswith("Up to date: ")
    assert snapshot(indexed.index) == before


def test_rebuild_builds_the_same_anew(indexed):
    first = indexed.generation.name
    passages = indexed.run("search", "people Harbin", "--json").json["passages"]
    assert indexed.run("index", "--rebuild").out.startswith("Indexed 2 documents")
    assert indexed.generation.name != first
    assert indexed.run("search", "people Harbin", "--json").json["passages"] == passages
    assert leftovers(indexed) == []


EDITS = {
    "edited": (
        lambda d: d.write("b.md", "# Suzhou\n\nSuzhou is known for its gardens.\n"),
        {"changed": ["b.md"]},
        "1 file has changed",
    ),
    "edited to the same size": (
        lambda d: d.write("b.md", (d.corpus / "b.md").read_bytes().replace(b"Harbin", b"Suzhou")),
        {"changed": ["b.md"]},
        "1 file has changed",
    ),
    "added": (
        lambda d: d.write("c.txt", "Suzhou is known for its gardens.\n"),
        {"added": ["c.txt"]},
        "1 file has changed",
    ),
    "deleted": (
        lambda d: (d.corpus / "b.md").unlink(),
        {"removed": ["b.md"]},
        "1 file has changed",
    ),
    "renamed": (
        lambda d: (d.corpus / "b.md").rename(d.corpus / "c.md"),
        {"added": ["c.md"], "removed": ["b.md"]},
        "2 files have changed",
    ),
    "swapped": (
        lambda d: (
            (d.corpus / "b.md").rename(d.corpus / "x"),
            (d.corpus / "a.txt").rename(d.corpus / "b.md"),
            (d.corpus / "x").rename(d.corpus / "a.txt"),
        ),
        {"changed": ["a.txt", "b.md"]},
        "2 files have changed",
    ),
}


@pytest.mark.parametrize(("edit", "changes", "warns"), EDITS.values(), ids=EDITS)
def test_an_edit_is_said_asked_about_and_indexed(indexed, edit, changes, warns):
    edit(indexed)
    status = indexed.run("status")
    assert (status.code, status.err) == (0, "")
    assert "The corpus has changed since then; run `askai index`:\n" in status.out
    for kind, paths in changes.items():
        assert all(f"  {kind}: {path}\n" in status.out + "\n" for path in paths)
    found = indexed.run("status", "--json").json
    nothing = {"added": [], "changed": [], "removed": [], "descriptions": False}
    assert (found["up_to_date"], found["changes"]) == (False, nothing | changes)
    asked = indexed.run("ask", QUESTION)
    assert (
        asked.err == f"{warns} since the index was made; run `askai index`, or ask with --fresh.\n"
    )
    assert asked.out.startswith(ANSWER)  # from the index as it is
    updated = indexed.run("index", "--json").json
    assert updated["built"]
    assert indexed.run("status", "--json").json["up_to_date"]
    passages = indexed.run("search", "Harbin ice festival gardens people", "--json").json
    sources = {p["source"] for p in passages["passages"]}
    assert sources == {f"corpus/{p.name}" for p in indexed.corpus.iterdir()}
    for passage in passages["passages"]:
        text = (indexed.folder / passage["source"]).read_text("utf-8")
        assert text[passage["start"] : passage["end"]] == passage["text"]
    rebuilt = indexed.run("index", "--rebuild", "--json").json
    assert rebuilt["passages"] == updated["passages"]
    again = indexed.run("search", "Harbin ice festival gardens people", "--json").json
    assert again["passages"] == passages["passages"]


def test_a_deleted_file_is_in_no_answer(indexed):
    assert "ice festival" in indexed.run("search", "Harbin").out
    (indexed.corpus / "b.md").unlink()
    assert indexed.run("index").code == 0
    assert "Harbin" not in indexed.run("search", "Harbin ice festival").out
    assert indexed.run("ask", "Is Harbin known for its ice festival?").code == 3
    assert b"Harbin" not in (indexed.generation / "catalog.sqlite").read_bytes()


def test_an_index_inside_the_corpus_is_no_document(desk):
    first = desk.run("index", "--index", "corpus/index", "--json").json
    second = desk.run("index", "--index", "corpus/index", "--json").json
    assert first["skipped"] == second["skipped"] == []
    assert not second["built"]


# --- an index that does not fit ---------------------------------------------------------------


def test_an_index_made_with_another_model_is_named_and_rebuilt(indexed):
    manifest = json.loads((indexed.generation / "manifest.json").read_bytes())
    name = {"name": "other", "fingerprint": "other/1"}
    forge(indexed, manifest["settings"] | {"embedder": name})
    line = indexed.fails("ask", QUESTION, says="was made with the model 'other' (other/1), but ")
    assert "'hashing' (hashing/1/512) is set. Run `askai index` to rebuild it" in line
    assert indexed.run("index", "--json").json["built"]
    indexed.answers()


@pytest.mark.parametrize("key", ["tokens", "centring"])
def test_an_index_of_other_words_or_vectors_is_named_and_rebuilt(indexed, key):
    manifest = json.loads((indexed.generation / "manifest.json").read_bytes())
    forge(indexed, manifest["settings"] | {key: "0"})
    indexed.fails("ask", QUESTION, says="was made by another version of askai (0.1.0). Run `askai")
    assert indexed.run("index", "--json").json["built"]
    indexed.answers()


def forge(desk, settings):
    """The current generation as one of other settings."""
    from askai.manifest import settings_fingerprint

    file = desk.generation / "manifest.json"
    manifest = json.loads(file.read_bytes())
    manifest |= {"settings": settings, "fingerprint": settings_fingerprint(settings)}
    file.write_text(json.dumps(manifest), "utf-8")


@pytest.mark.parametrize(
    ("number", "advice"),
    [(0, "run"), (99, "install a newer askai, or run")],
    ids=["older", "newer"],
)
def test_another_format_is_named_and_rebuilt(indexed, number, advice):
    file = indexed.generation / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | {"format": number}))
    says = f"reads format 3: {advice} `askai index --rebuild`."
    for command in (("ask", QUESTION), ("search", "people"), ("status",)):
        indexed.fails(*command, says=says)
    assert indexed.run("index", "--json").json["built"]
    indexed.answers()


FILES = [
    "catalog.sqlite", "vectors.faiss", "vectors.ids", "units.faiss", "units.ids",
    "words.npz", "lexical/terms.tables", "lexical/scores.npy", "lexical/passages.npy",
    "lexical/offsets.npy", "skipped.json", "manifest.json",
]  # fmt: skip


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def edit_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


DAMAGES = {
    "gone": os.unlink,
    "cut": cut,
    "emptied": lambda p: os.truncate(p, 0),
    "edited": edit_byte,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_index_is_named_and_rebuilt(indexed, damage):
    for name in FILES:
        damage(indexed.generation / name)
        for command in (("ask", QUESTION), ("search", "people")):
            line = indexed.fails(*command, says="cannot be used: ")
            assert f"/{name} " in line
            assert line.endswith("Run `askai index --rebuild`.")
        assert indexed.run("index", "--rebuild").code == 0
        indexed.answers()
        assert leftovers(indexed) == []


@pytest.mark.parametrize("name", ["catalog.sqlite", "vectors.faiss", "lexical/scores.npy"])
def test_a_damaged_index_is_not_up_to_date(indexed, name):
    cut(indexed.generation / name)
    ran = indexed.run("index")
    assert "Up to date" not in ran.out
    indexed.answers()


@pytest.mark.parametrize("name", ["manifest.json", "skipped.json"])
def test_what_index_reads_itself_is_rebuilt_without_being_told(indexed, name):
    cut(indexed.generation / name)
    assert indexed.run("index", "--json").json["built"]
    indexed.answers()


def test_damage_that_size_and_time_do_not_show_is_no_traceback(indexed):
    for name in FILES[:-1]:
        path = indexed.generation / name
        stat = path.stat()
        path.write_bytes(b"\xff" * stat.st_size)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        indexed.fails("ask", QUESTION, says="cannot be used: ")
        assert indexed.run("index", "--rebuild").code == 0
    indexed.answers()


CURRENTS = {
    "gone": (os.unlink, "No index in index yet: indexing corpus."),
    "empty": (lambda p: p.write_text(""), "CURRENT cannot be used: it holds '', not the name"),
    "binary": (lambda p: p.write_bytes(b"\xff\xfe"), "CURRENT cannot be used: "),
    "another's": (lambda p: p.write_text("g-20200101T000000-00000000"), "manifest.json cannot be"),
    "elsewhere": (lambda p: p.write_text("../corpus"), "CURRENT cannot be used: it holds '../c"),
}


@pytest.mark.parametrize(("damage", "says"), CURRENTS.values(), ids=CURRENTS)
def test_a_damaged_current_is_named_and_index_mends_it(indexed, damage, says):
    damage(indexed.index / "CURRENT")
    ran = indexed.run("ask", QUESTION)
    assert says in ran.err
    if ran.code:
        check_failure(ran, says="Run `askai index --rebuild`.")
    assert indexed.run("index").code == 0
    indexed.answers()


@pytest.mark.parametrize("command", [("status",), ("status", "--json")], ids=["text", "JSON"])
def test_without_an_index_status_says_how_to_make_one(desk, command):
    desk.fails(*command, says="No index in index: run `askai index` to build one.")
    assert not desk.index.exists()


# --- disks and rights -------------------------------------------------------------------------


def test_no_right_to_write_keeps_the_index_readable(indexed, powerless):
    indexed.write("c.txt", "Suzhou is known for its gardens.\n")
    folders = [indexed.index, *(p for p in indexed.index.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        ran = indexed.command("index", prefix=powerless)
        asked = indexed.command("ask", QUESTION, prefix=powerless)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    says = (
        "Cannot write the index in index: Permission denied; allow writing there or name another "
        "folder with --index. The index that was there is unchanged."
    )
    check_failure(ran, says=says)
    assert asked.out.startswith(ANSWER)
    assert (
        asked.err
        == "1 file has changed since the index was made; run `askai index`, or ask with --fresh.\n"
    )


def test_an_index_that_is_a_file(desk):
    desk.index.write_text("")
    says = "Cannot write the index in index: File exists; see to that and run `askai index` again."
    desk.fails("index", says=says)
    desk.fails("ask", QUESTION, says=says)


@contextmanager
def small_disk(folder, kilobytes):
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:  # noqa: PLW1510
        pytest.skip("no right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_at_any_moment_leaves_the_last_index(desk):
    with small_disk(desk.folder / "index", 600):
        first = desk.indexed().generation.name
        desk.write("c.txt", "Suzhou is known for its gardens.\n" * 100)
        used = 600 - os.statvfs(desk.index).f_bavail * 4
        failed = 0
        for kilobytes in range(used, 900, 12):  # room for two generations
            subprocess.run(
                ["mount", "-o", f"remount,size={kilobytes}k", str(desk.index)], check=True
            )
            ran = desk.run("index")
            if ran.code == 0:
                break
            failed += 1
            check_failure(
                ran,
                says="; free some disk space and run `askai index` again. The index that was there "
                "is unchanged.",
            )
            assert "Cannot write the index in index: No space left on device" in ran.err
            assert desk.generation.name == first
            assert leftovers(desk) == []
            asked = desk.run("ask", QUESTION)
            assert asked.out.startswith(ANSWER)
        else:
            pytest.fail("it never fitted")
        assert failed > 3
        assert desk.generation.name != first
        desk.answers()


# --- what ends it -----------------------------------------------------------------------------

MOMENTS = {
    "reading": "open|corpus/b.md",
    "catalogue": "open|catalog.sqlite",
    "embedding": "import|faiss",
    "vectors": "open|vectors.faiss",
    "units": "open|units.ids",
    "words": "open|lexical/scores.npy",
    "manifest": "open|manifest.json.tmp",
    "into place": "os.rename|.building|index/g-",
    "current": "os.rename|CURRENT",
}


@pytest.mark.parametrize("when", MOMENTS.values(), ids=MOMENTS)
def test_ctrl_c_keeps_the_last_index(indexed, when):
    first = indexed.generation.name
    indexed.write("c.txt", "Suzhou is known for its gardens.\n")
    ran = indexed.hooked(when, "os.kill(os.getpid(), signal.SIGINT)", "index")
    assert (ran.code, ran.out) == (130, ""), ran
    assert "Traceback" not in ran.err
    assert indexed.generation.name == first or "CURRENT" in when
    assert leftovers(indexed) == []
    assert indexed.run("ask", QUESTION).out.startswith(ANSWER)
    indexed.answers()


@pytest.mark.parametrize(
    "when",
    ["sqlite3.connect|catalog.sqlite", "import|faiss", "open|lexical", "open|aliases.toml"],
)
def test_ctrl_c_while_asking(indexed, when):
    ran = indexed.hooked(when, "os.kill(os.getpid(), signal.SIGINT)", "ask", QUESTION)
    assert (ran.code, ran.out) == (130, ""), ran
    assert "Traceback" not in ran.err
    indexed.answers()


def test_ctrl_c_says_that_nothing_is_lost(indexed):
    when = "open|corpus/a.txt"
    ran = indexed.hooked(when, "os.kill(os.getpid(), signal.SIGINT)", "index", "--rebuild")
    assert ran.err.splitlines()[-1] == "Stopped. The index is as it was."


def test_ctrl_c_while_python_is_still_loading_is_quiet(desk):
    """The console script imports askai.cli before there is anyone to catch it."""
    code = (
        "import os, runpy, signal, sys\n"
        "sys.addaudithook(lambda event, args: event == 'import' and args[0] == 'askai.settings' "
        "and os.kill(os.getpid(), signal.SIGINT))\n"
        f"sys.argv = ['askai', 'status']\nrunpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    with desk.start(sys.executable, "-c", code) as process:
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")


KILL = "os.kill(os.getpid(), signal.SIGKILL)"


def test_kill_9_ten_times_leaves_the_last_index_each_time(indexed):
    """At every second opening of a file of the new generation."""
    first = indexed.generation.name
    indexed.write("c.txt", "Suzhou is known for its gardens.\n")
    for n in range(10):
        ran = indexed.hooked("open|.building", KILL, "index", count=1 + 2 * n)
        assert (ran.code, ran.out) == (-signal.SIGKILL, "")
        assert indexed.generation.name == first
        assert indexed.run("ask", QUESTION).out.startswith(ANSWER)
    assert any(name.startswith(".building-") for name in leftovers(indexed))
    assert indexed.run("index", "--json").json["documents"] == 3
    assert leftovers(indexed) == []
    indexed.answers()


@pytest.mark.parametrize("when", ["units.ids.tmp", "words.json.tmp", "manifest.json.tmp"])
def test_kill_9_after_files_were_linked_leaves_the_last_index(indexed, when):
    first = indexed.generation.name
    (indexed.corpus / "b.md").rename(indexed.corpus / "c.md")
    names = ("vectors.faiss", "units.faiss", "words.npz")
    held = [(indexed.generation / name).stat().st_ino for name in names]
    ran = indexed.hooked(f"open|.building|{when}", KILL, "index")
    assert (ran.code, ran.out) == (-signal.SIGKILL, "")
    (killed,) = indexed.index.glob(".building-*")
    assert (killed / "units.faiss").stat().st_ino == held[1]
    assert indexed.generation.name == first
    indexed.answers()
    assert indexed.run("index", "--json").json["built"]
    assert [(indexed.generation / name).stat().st_ino for name in names] == held
    assert leftovers(indexed) == []
    indexed.answers()


KILLS = 200 if os.environ.get("ASKAI_LONG") else 20


def test_kill_9_at_any_moment_of_an_update_loses_nothing(indexed):
    """Each time files are edited, renamed and deleted, and the update is killed at some moment of
    its work; then what was there answers, and the next update that is left alone finishes it."""
    dice = random.Random(3)  # noqa: S311
    took = 1.5
    died = 0
    indexed.write("x.md", "# Jinan\n\nJinan is known for its springs.\n")
    for n in range(KILLS):
        before = indexed.generation.name
        others = sorted(p for p in indexed.corpus.glob("*.md") if p.name != "b.md")
        indexed.write(f"n{n}.md", f"# Town {n}\n\nTown {n} has {n + 2} gardens.\n")
        others[0].rename(indexed.corpus / f"m{n}.md")
        if len(others) > 4:
            others[1].unlink()
        begin = time.monotonic()
        with indexed.start(SCRIPT, "index", *(["--rebuild"] if n % 5 == 4 else [])) as process:
            try:
                process.communicate(timeout=dice.uniform(0.2, 1.0) * took)
                took = max(0.5, time.monotonic() - begin)  # it was faster than its death
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                died += 1
        asked = indexed.run("ask", QUESTION)
        assert asked.out.startswith(ANSWER), asked
        found = indexed.run("doctor", "--json").json
        assert found["well"], (before, found)
    assert died > KILLS // 4
    report = indexed.run("index", "--json").json
    there = {path.name for path in indexed.corpus.iterdir()}
    files = indexed.run("status", "--files", "--json").json["files"]
    assert {file["path"] for file in files} == there
    assert {file["state"] for file in files} == {"indexed"}
    assert report["documents"] == len(there)
    assert leftovers(indexed) == []
    assert not list(indexed.index.glob(".embedded-*"))
    indexed.answers()


# --- two at once ------------------------------------------------------------------------------


def test_the_second_index_says_who_the_first_is(indexed):
    (indexed.folder / "go").unlink(missing_ok=True)
    os.mkfifo(indexed.folder / "go")
    wait = "print('here', file=sys.stderr, flush=True); open('go').read()"
    code = (sys.executable, "-c", HOOK_AT_WRITING.format(wait=wait), "index", "--rebuild")
    with indexed.start(*code) as first:
        while "here" not in first.stderr.readline():
            pass
        says = f"index is being written by process {first.pid} on "
        line = indexed.fails("index", "--rebuild", says=says)
        assert line.endswith(": wait for it, or stop it.")
        asked = indexed.run("ask", QUESTION)
        assert asked.out.startswith(ANSWER)
        (indexed.folder / "go").write_text("")
        out, _ = first.communicate(timeout=60)
    assert (first.returncode, out.startswith("Indexed 2 documents")) == (0, True)
    indexed.answers()


HOOK_AT_WRITING = """
import sys
from askai import cli
done = False
def hook(event, arguments):
    global done
    if not done and event == "open" and "vectors.faiss" in str(arguments[0]):
        done = True
        {wait}
sys.addaudithook(hook)
cli.main()
"""


def test_asking_while_another_process_rebuilds_in_a_loop(indexed):
    loop = (
        "import os, sys\nfrom askai import cli\n"
        "while not os.path.exists('stop'):\n"
        "    sys.argv = ['askai', 'index', '--rebuild']\n"
        "    try:\n        cli.main()\n"
        "    except SystemExit as stop:\n        assert not stop.code\n"
    )
    seen = set()
    with indexed.start(sys.executable, "-c", loop, stdout=subprocess.DEVNULL) as builder:
        with ThreadPoolExecutor(1) as pool:  # its pipe must not fill
            errors = pool.submit(builder.stderr.read)
            end = time.monotonic() + 30
            while len(seen) < 4 and time.monotonic() < end:
                ran = indexed.run("ask", QUESTION, "--json")
                assert (ran.code, ran.err) == (0, "")
                seen.add(ran.json["index"]["generation"])
            (indexed.folder / "stop").touch()
            builder.wait(60)
        assert "Traceback" not in errors.result()
    assert builder.returncode == 0
    assert len(seen) > 3
    assert leftovers(indexed) == []


def test_a_rebuild_between_two_looks_is_not_seen(indexed):
    """`status`, and `ask` looking for changes, read manifest and list without holding either."""
    rebuild = f"subprocess.run([{str(SCRIPT)!r}, 'index', '--rebuild'], capture_output=True)"
    ran = indexed.hooked("open|skipped.json", rebuild, "status")
    assert (ran.code, ran.err) == (0, "")


# --- fresh, files, watch ----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["ask", "search"])
def test_a_fresh_question_brings_the_index_up_to_date_first(indexed, command):
    indexed.write("b.md", "# Suzhou\n\nSuzhou has the best gardens.\n")
    ran = indexed.run(command, "Has Suzhou the best gardens?", "--fresh")
    assert (ran.code, "Suzhou has the best gardens." in ran.out) == (0, True)
    assert "changed since" not in ran.err
    assert indexed.run("status", "--json").json["up_to_date"]
    again = indexed.run(command, "Has Suzhou the best gardens?", "--fresh")
    assert (again.out, again.err) == (ran.out, "")


def test_every_file_is_listed_with_what_the_index_has_of_it(indexed):
    indexed.write("new.txt", "Suzhou has gardens.\n")
    indexed.write("picture.png", b"\x89PNG")
    indexed.run("index")
    (indexed.corpus / "a.txt").unlink()
    indexed.write("b.md", "# Suzhou\n")
    indexed.write("z.txt", "Jinan has springs.\n")
    listed = indexed.run("status", "--files").out.splitlines()
    table = listed[next(i for i, line in enumerate(listed) if line.startswith("file ")) :]
    assert [line.split()[0] for line in table[1:]] == [
        "a.txt", "b.md", "new.txt", "picture.png", "z.txt",
    ]  # fmt: skip
    files = {
        file["path"]: file for file in indexed.run("status", "--files", "--json").json["files"]
    }
    assert {path: file["state"] for path, file in files.items()} == {
        "a.txt": "removed",
        "b.md": "changed",
        "new.txt": "indexed",
        "picture.png": files["picture.png"]["state"],
        "z.txt": "added",
    }
    assert files["picture.png"]["state"].startswith("not read: no reader for .png")
    assert (files["new.txt"]["reader"], files["new.txt"]["passages"]) == ("text/1", 1)
    assert indexed.run("status", "--json").json["files"] is None


def test_the_folder_is_followed_until_ctrl_c(indexed):
    with indexed.start(SCRIPT, "index", "--watch") as process:
        seen = []

        def line(stream, words):
            end = time.monotonic() + 30
            while time.monotonic() < end:
                seen.append(stream.readline())
                if words in seen[-1]:
                    return
            pytest.fail(f"no {words!r} in {seen}")

        line(process.stdout, "Up to date: 2 documents")
        line(process.stderr, "Following corpus; Ctrl-C ends it.")
        time.sleep(0.5)  # until the folder is really followed
        indexed.write("c.txt", "Suzhou has the best gardens.\n")
        line(process.stdout, "Indexed 3 documents")
        line(process.stdout, "Read 1 file, embedded ")
        (indexed.corpus / "c.txt").unlink()
        (indexed.corpus / "b.md").rename(indexed.corpus / "d.md")
        line(process.stdout, "Indexed 2 documents")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err + out) == (130, False)
    indexed.answers()


def test_counting_the_words_of_many_passages_is_told(desk):
    desk.write("many.txt", "\n\n".join(f"Town {n} has {n} gardens and a lake." for n in range(9)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("askai.index_parts._MANY_CUT", 1)
        told = []
        corpus = Corpus.open(desk.corpus, max_bytes=10**6)
        how = recipe(replace(Settings(), model="hashing"))
        build(corpus, desk.index, how, progress=lambda *step: told.append(step))
    counting = [(done, of) for stage, done, of in told if stage == "counting"]
    assert counting == [(n, counting[-1][1]) for n in range(len(counting))]
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == [
        "reading", "counting", "embedding", "words"
    ]  # fmt: skip
