"""An index goes through its parts and comes back the same; what is not whole is refused."""

import json
import os
import random
import re
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from askai import parts, recipes
from askai.catalog import Catalog
from askai.chunking import chunk
from askai.errors import CorpusError, PartsError
from askai.lexical.bm25 import BM25Index
from askai.parts.address import Place, without_user
from askai.parts.building import build_on
from askai.parts.making import Task, make_part
from askai.parts.pace import Pace
from askai.parts.planning import Planner
from askai.parts.tables import (
    Piece,
    read_chunks,
    read_documents,
    read_tokens,
    read_unit_vectors,
    read_vectors,
    written_documents,
    written_passages,
)
from askai.readers import worker
from askai.readers.markdown import MarkdownReader
from askai.records import Document, Source
from askai.settings import Settings
from askai.stores.faiss_flat import FaissFlatStore
from askai.units import unit_texts
from conftest import QUESTION
from strategies import paragraphs, tables
from test_updates import corpus

QUESTIONS = (
    QUESTION,
    "What is Harbin known for?",
    "Who is the mayor of Lanzhou?",
    "哈尔滨以什么闻名？",
)
TABLE = "# Firms\n\n| firm | city |\n| --- | --- |\n| Unitree | Hangzhou |\n\nA.[^1]\n\n[^1]: So.\n"


def asked(desk, question, *options):
    found = desk.run("ask", question, "--json", *options).json
    found.pop("timings_ms")
    found["index"].pop("generation")
    return found


def rows(index):
    """All that the index folder holds that is found by, whatever order its files have."""
    folder = index / (index / "CURRENT").read_text("utf-8").strip()
    with Catalog.open(folder / "catalog.sqlite") as catalog:
        held = list(catalog.all_chunks())
        documents = [catalog.document(source.path) for source in catalog.sources()]
        counts, times = catalog.word_counts(), catalog.mtimes()
    words = BM25Index.open(folder / "lexical")
    vectors, units = (FaissFlatStore.open(folder / f"{n}.faiss") for n in ("vectors", "units"))
    unit_ids = [id_ for c in held for id_, _ in unit_texts(c)]
    return {
        "documents": documents,
        "chunks": held,
        "word counts": counts,
        "times": times,
        "tokens": [words.tokens_of(c.id) for c in held],
        "vectors": vectors.vectors([c.id for c in held]).tobytes(),
        "units": units.vectors(unit_ids).tobytes() if unit_ids else b"",
        "in the stores": (len(vectors), len(units)),
        "skipped": (folder / "skipped.json").read_text("utf-8"),
        "sources": json.loads((folder / "sources.json").read_text("utf-8")),
        "induced": [(folder / name).read_bytes() for name in ("words.npz", "words.json")],
    }


@pytest.fixture
def desk(desk):
    """Documents of several forms, one that cannot be read, and their index."""
    desk.write("c/table.md", TABLE)
    desk.write("nul.txt", "A NUL \0 and an emoji 🤖 in it.\n\nNanjing lies on a river.\n")
    desk.write("broken.pdf", b"%PDF-1.4 is not one")
    desk.write("empty.txt", "")
    return desk.indexed()


@pytest.fixture
def exported(desk):
    ran = desk.run("export", "out")
    assert (ran.code, ran.out.startswith("Exported g-")) == (0, True), ran
    assert desk.run("export", "out", "--json").json["documents"] == 3
    return desk


def test_an_import_gives_back_the_index_to_the_bit(exported):
    ran = exported.run("--index", "other", "import", "out")
    assert ran.code == 0, ran
    assert re.fullmatch(r"Imported \d documents as \d+ passages in [\d.]+ s: other/g-.*\n", ran.out)
    assert rows(exported.folder / "other") == rows(exported.index)
    for question in QUESTIONS:
        assert asked(exported, question, "--index", "other") == asked(exported, question)


def test_what_was_imported_is_verified_checked_and_updated_as_what_was_built(exported):
    assert exported.run("--index", "other", "import", "out", "--json").json["built"]
    answer = exported.run("--index", "other", "ask", QUESTION, "--json").out
    (exported.folder / "answer.json").write_text(answer, "utf-8")
    assert exported.run("--index", "other", "verify", "answer.json").code == 0
    mine, its = (exported.run("--index", name, "doctor").out for name in ("index", "other"))
    generation = re.compile(r"g-\d{8}T\d{6}-\w{8}")
    assert generation.sub("", re.sub(r"\bother\b", "index", its)) == generation.sub("", mine)
    assert exported.run("--index", "other", "index").out.startswith("Up to date")
    exported.write("d.txt", "Wuhan has 12 robots in use.\n")
    ran = exported.run("--index", "other", "index")
    assert "embedded 1 texts" in ran.out


def test_updates_come_back_too_and_leave_parts_that_have_not_changed(exported):
    before = {file.name: file.stat().st_mtime_ns for file in (exported.folder / "out").iterdir()}
    assert exported.run("export", "out").code == 0
    after = {file.name: file.stat().st_mtime_ns for file in (exported.folder / "out").iterdir()}
    assert {name for name in after if after[name] != before.get(name)} == {"manifest.json"}
    (exported.corpus / "a.txt").rename(exported.corpus / "z.txt")
    (exported.corpus / "c" / "table.md").unlink()
    exported.write("b.md", "# Harbin\n\nHarbin is cold. It has an ice festival.\n")
    exported.indexed()
    assert exported.run("export", "out").code == 0
    assert exported.run("--index", "other", "import", "out").code == 0
    assert rows(exported.folder / "other") == rows(exported.index)


def test_an_address_of_fsspec_does_what_a_folder_does(exported):
    assert exported.run("export", "memory://askai-test/out").code == 0
    assert exported.run("--index", "other", "import", "memory://askai-test/out").code == 0
    assert rows(exported.folder / "other") == rows(exported.index)


def test_who_has_no_documents_is_told_what_needs_them(exported):
    ran = exported.run("--corpus", "nowhere", "--index", "other", "import", "out")
    assert (ran.code, "There is no folder nowhere here" in ran.err) == (0, True)
    exported.write("aliases.toml", 'names = [["Nanjing", "Nankín"]]\n')
    ran = exported.run("--index", "other", "import", "out")
    assert "aliases.toml is not the one that the index was exported with" in ran.err


def manifest(folder, **changes):
    file = folder / "manifest.json"
    value = json.loads(file.read_text("utf-8"))
    for path, change in changes.items():
        value[path] = change(value[path])
    file.write_text(json.dumps(value), "utf-8")


def passages_file(folder):
    (file,) = folder.glob("passages-*.parquet")
    return file


def flipped(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def emptied(folder):
    shutil.rmtree(folder)
    folder.mkdir()


FAULTS = {
    "empty": (emptied, "out is not there; expected a folder with a manifest.json"),
    "unfinished": (lambda f: (f / "manifest.json").unlink(), "did not come to its end"),
    "damaged part": (lambda f: flipped(passages_file(f)), "its SHA-256 is"),
    "damaged words": (lambda f: flipped(next(f.glob("words-*"))), "its SHA-256 is not the one"),
    "missing part": (lambda f: passages_file(f).unlink(), "it is not there"),
    "newer format": (lambda f: manifest(f, format=lambda n: n + 1), "install a newer askai"),
    "older format": (lambda f: manifest(f, format=lambda n: n - 1), "export the index again"),
    "no manifest": (lambda f: (f / "manifest.json").write_text("[]"), "it is not the manifest"),
    "two models": (
        lambda f: manifest(f, parts=lambda p: [{**p[0], "model": "another/1"}]),
        "has parts of two models",
    ),
    "twice": (
        lambda f: manifest(
            f,
            parts=lambda p: p * 2,
            counts=lambda c: {**c, "documents": 2 * c["documents"], "chunks": 2 * c["chunks"],
                              "texts": 2 * c["texts"]},
        ),
        "already among the sources",
    ),
    "a file outside": (
        lambda f: manifest(f, files=lambda n: {**n, "words": {**n["words"], "name": "../x"}}),
        "is outside of the folder",
    ),
    "settings": (lambda f: manifest(f, settings=lambda s: {**s, "x": 1}), "its fingerprint"),
    "counts": (lambda f: manifest(f, parts=lambda _: []), "not as many documents"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_whole_is_refused_and_the_old_index_answers_on(exported, fault):
    breaks, says = FAULTS[fault]
    breaks(exported.folder / "out")
    generation = exported.generation
    ran = exported.run("import", "out")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1].startswith("askai: ")
    assert says in ran.err.splitlines()[-1]
    assert exported.generation == generation
    assert not list(exported.index.glob(".building*"))
    exported.answers()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("nowhere", "nowhere is not there"),
        ("nope://bucket/x", "Nothing here opens addresses nope://"),
        ("adl://bucket/x", "Install fsspec's package for it"),
        (" ", "is empty"),
    ],
)
def test_an_address_that_cannot_be_read_is_named(exported, address, says):
    ran = exported.run("import", address)
    assert ran.code in (1, 2)
    assert says in ran.err.splitlines()[-1]
    exported.answers()


def test_an_export_that_cannot_be_written_says_so(desk):
    (desk.folder / "file").write_text("x", "utf-8")
    ran = desk.run("export", "file/out")
    assert (ran.code, ran.err.splitlines()[-1]) == (
        1,
        "askai: Cannot write to file/out: Not a directory.",
    )


FOREIGN = '{"name": "my app", "manifest_version": 3}'


def test_a_manifest_of_something_else_is_not_overwritten(desk):
    for content in (FOREIGN, "[]", "{", '{"format": 1, "files": {}}'):
        (desk.folder / "app").mkdir(exist_ok=True)
        (desk.folder / "app" / "manifest.json").write_text(content, "utf-8")
        desk.fails("export", "app", says="app has a manifest.json that askai did not write")
        with pytest.raises(PartsError, match="did not write"):
            build_here(desk, "by-parts", place=Place(str(desk.folder / "app")))
        assert [file.name for file in (desk.folder / "app").iterdir()] == ["manifest.json"]
        assert (desk.folder / "app" / "manifest.json").read_text("utf-8") == content


def test_an_export_into_an_index_is_refused(exported):
    before = sorted(exported.index.rglob("*"))
    inside = ("index", "index/x", "index/parts", f"index/{exported.generation}",
              f"file://{exported.index}", "out/../index")  # fmt: skip
    for folder in inside:
        exported.fails("export", folder, says="is in the index folder index: name another one")
    exported.fails("--index", "other", "export", "index", says="is the folder of an index")
    assert sorted(exported.index.rglob("*")) == before
    build_here(exported, "by-parts", place=Place(str(exported.folder / "by-parts" / "parts")))
    with pytest.raises(PartsError, match="is in the index folder"):
        build_here(
            exported, "by-parts", place=Place(str(exported.folder / "by-parts")), rebuild=True
        )


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ftp://u:secret@host/x", "ftp://host/x"),
        ("ftp://u:sec@ret@host/x", "ftp://host/x"),
        ("ftp://u:sec/ret@host/x", "ftp://host/x"),
        ("ftp://u:sec@ret/secret@host/x", "ftp://host/x"),
        ("ftp://secret@host/x", "ftp://host/x"),
        ("ftp://u:sec?ret@host/x", "ftp://…"),
        ("https://host:80/x?sig=sec@ret", "https://…"),
        ("https://host/x?sig=secret", "https://host/x"),
        ("simplecache::ftp://u:secret@host/x", "simplecache::ftp://host/x"),
        ("s3://bucket/a@b/x", "s3://bucket/a@b/x"),
        ("a folder?/u:x@y", "a folder?/u:x@y"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(address, shown):
    assert without_user(address) == shown


@pytest.mark.parametrize(
    "address",
    [
        "nope://user:secret@host/x",
        "nope://user:sec@ret/secret@host/x",
        "ftp://user:sec@ret@127.0.0.1:9/x",
        "ftp://user:sec/ret@127.0.0.1:9/x",
        "http://user:secret@127.0.0.1:9/x",
        "http://127.0.0.1:9/x?sig=secret",
        "ftp://[u:secret@host/x",
    ],
)
@pytest.mark.parametrize("command", ["import", "export"])
def test_a_password_in_an_address_is_not_shown(exported, command, address):
    ran = exported.run(command, address, "--json")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1].startswith("askai: ")
    for part in ("sec@", "@ret", "/ret", "sig=", "user"):
        assert part not in ran.err
    assert "secret" not in ran.err


def test_parts_of_another_model_or_version_are_refused(exported):
    value = json.loads((exported.folder / "out" / "manifest.json").read_text("utf-8"))
    from askai.manifest import settings_fingerprint

    def changed(**settings):
        made = {**value["settings"], **settings}
        parts_now = [{**p, "model": made["embedder"]["fingerprint"]} for p in value["parts"]]
        text = json.dumps({**value, "settings": made, "parts": parts_now,
                           "fingerprint": settings_fingerprint(made)})  # fmt: skip
        (exported.folder / "out" / "manifest.json").write_text(text, "utf-8")

    changed(embedder={"name": "big", "fingerprint": "big/1"})
    exported.fails_quietly = exported.run("import", "out")
    assert "was made with the model 'big' (big/1)" in exported.fails_quietly.err
    changed(tokens="0")
    assert "which differs in tokens" in exported.run("import", "out").err
    exported.answers()


def test_an_export_without_an_index_says_so(tmp_path):
    from conftest import made_desk, write_documents

    desk = made_desk(tmp_path)
    write_documents(desk)
    desk.fails("export", "out", says="No index in index")
    assert not (desk.folder / "out").exists()


# Records and tables


@given(
    st.lists(st.one_of(paragraphs(), tables()), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_records_come_back_from_parquet_as_they_were(blocks, dice):
    import tempfile

    reading = MarkdownReader().read("\n\n".join(blocks).encode())
    source = Source("a/b.md", "0" * 64, 3, "markdown", "1", title="", pages=(0.5, 1.0))
    document = Document(source, reading.text, reading.marks)
    held = list(chunk(document, budget=64))
    count = sum(len(unit_texts(c)) for c in held)
    random_ = np.random.default_rng(dice.randrange(1 << 30))
    piece = Piece(
        document,
        held,
        [c.text.split() for c in held],
        random_.standard_normal((len(held), 5), dtype=np.float32),
        random_.standard_normal((count, 5), dtype=np.float32),
    )
    with tempfile.TemporaryDirectory() as name:
        documents, passages = (Path(name) / part for part in ("d", "p"))
        documents.write_bytes(written_documents([piece, piece], {}))
        passages.write_bytes(written_passages([piece, piece], 5, {}))
        assert list(read_documents(documents)) == [document, document]
        assert list(read_chunks(passages)) == held * 2
        assert [t for _, t in read_tokens(passages)] == list(piece.tokens) * 2
        for read, given_, ids in (
            (read_vectors, piece.vectors, [c.id for c in held]),
            (read_unit_vectors, piece.units, [i for c in held for i, _ in unit_texts(c)]),
        ):
            found = list(read(passages, 5))
            assert [i for some, _ in found for i in some] == ids * 2
            whole = np.concatenate([v for _, v in found] or [np.empty((0, 5), np.float32)])
            assert whole.tobytes() == given_.tobytes() * 2


@pytest.mark.parametrize("file", [written_documents([], {}), written_passages([], 4, {})])
def test_a_table_of_nothing_is_read_as_nothing(tmp_path, file):
    (tmp_path / "x").write_bytes(file)
    reads = read_documents if b"marks" in file else read_chunks
    assert list(reads(tmp_path / "x")) == []


def test_what_is_no_parquet_is_named(tmp_path):
    (tmp_path / "x").write_bytes(b"PAR1 is not one")
    with pytest.raises(PartsError, match="x cannot be used"):
        list(read_documents(tmp_path / "x"))


# Groups


def test_one_item_more_moves_only_the_ends_beside_it():
    dice = random.Random(5)  # noqa: S311
    items = [(f"{n:04}.txt", dice.randrange(1, 9), n) for n in range(2000)]
    limits = {"least": 40, "most": 160, "count": 64}
    before = [tuple(g) for g in parts.grouped(items, **limits)]
    assert [n for group in before for n in group] == list(range(2000))
    for at in (0, 777, 2000):
        more = [*items[:at], (f"{at:04}a.txt", 5, -1), *items[at:]]
        after = [tuple(g) for g in parts.grouped(more, **limits)]
        assert len(set(after) - set(before)) <= 4
    weights = {n: w for _, w, n in items}
    assert all(sum(weights[n] for n in g) >= 40 or len(g) >= 64 for g in before[:-1])
    assert all(sum(weights[n] for n in g[:-1]) < 160 for g in before)


# Building by parts, here in one process; tests/engines does it on a cluster.


class Here:
    """Makes parts in this process."""

    processors = nodes = 1

    def __init__(self, dies_after=None):
        self.made_parts, self.dies_after = [], dies_after

    @contextmanager
    def connected(self):
        yield self

    def made(self, tasks):
        for task in tasks:
            assert isinstance(task, Task)
            if self.dies_after is not None and len(self.made_parts) == self.dies_after:
                raise KeyboardInterrupt
            self.made_parts.append(task.name)
            yield task.name, make_part(task)


RECIPE = recipes.recipe(Settings(model="hashing"))


def build_here(desk, index, here=None, **options):
    here = here or Here()
    folder = desk.folder / index
    report = build_on(
        here.connected, corpus(desk.corpus), folder, RECIPE, model="hashing", **options
    )
    return report, here


def planned(desk):
    """A planner, and the parts that it plans."""
    documents = corpus(desk.corpus)
    planner = Planner(documents, RECIPE, "hashing", RECIPE.settings(documents))
    return planner, planner.plan(documents.list().files, lambda *_: None)[0]


@pytest.fixture
def many(desk):
    for n in range(30):
        desk.write(
            f"many/{n:02}.md", f"# City {n}\n\nCity {n} has {n} robots. It is far.\n\n{TABLE}"
        )
    return desk.indexed()


def test_a_build_by_parts_makes_the_index_that_a_build_makes(many):
    report, here = build_here(many, "by-parts")
    assert (report.built, report.read, len(here.made_parts) > 2) == (True, 36, True)
    assert rows(many.folder / "by-parts") == rows(many.index)
    assert "broken.pdf" in [skip.path for skip in report.skipped]
    assert many.run("--index", "by-parts", "index").out.startswith("Up to date")
    again, none = build_here(many, "by-parts")
    assert (again.built, none.made_parts) == (False, [])
    assert many.run("--index", "other", "import", "by-parts/parts").code == 0
    assert rows(many.folder / "other") == rows(many.index)


def test_what_was_interrupted_goes_on(many):
    stopped = Here(dies_after=2)
    with pytest.raises(KeyboardInterrupt):
        build_here(many, "by-parts", stopped)
    assert not (many.folder / "by-parts" / "CURRENT").exists()
    _, rest = build_here(many, "by-parts")
    assert not set(stopped.made_parts) & set(rest.made_parts)
    assert rows(many.folder / "by-parts") == rows(many.index)


def test_an_update_makes_the_parts_of_what_has_changed(many):
    _, first = build_here(many, "by-parts")
    many.write("many/15.md", "# City 15\n\nCity 15 has a new garden.\n")
    (many.corpus / "many" / "22.md").unlink()
    _, second = build_here(many, "by-parts")
    assert 0 < len(second.made_parts) <= 3 < len(first.made_parts)
    assert rows(many.folder / "by-parts") == rows(many.indexed().index)
    kept = {file.name for file in (many.folder / "by-parts" / "parts").glob("part-*")}
    _, anew = build_here(many, "by-parts", rebuild=True)
    assert {f"part-{name}.json" for name in anew.made_parts} == kept


def test_a_damaged_part_is_made_again(many):
    build_here(many, "by-parts")
    damaged = max(
        (many.folder / "by-parts" / "parts").glob("passages-*"), key=lambda f: f.stat().st_size
    )
    flipped(damaged)
    many.write("z.txt", "It is new.\n")
    _, here = build_here(many, "by-parts")
    assert damaged.name.removeprefix("passages-").removesuffix(".parquet") in here.made_parts
    assert rows(many.folder / "by-parts") == rows(many.indexed().index)


class HereCrashing(Here):
    """Has the reader of one file's part crash, as when a machine is short of memory."""

    def made(self, tasks):
        for task in tasks:
            if "many/15.html" in {file.path for file in task.files}:
                worker.read("html", b"<p>It is started.</p>")
                reader = worker._shared[worker.MOST_SECONDS, worker.MEGABYTES]._process
                reader.send_signal(signal.SIGSTOP)  # the read waits for it, and then it is gone
                Timer(0.5, reader.kill).start()
            yield from super().made(iter([task]))


@pytest.mark.skipif(os.name != "posix", reason="SIGSTOP is POSIX's")
def test_a_file_whose_reader_crashed_is_tried_again_by_the_next_build(many):
    many.write("many/15.html", "<h1>Lanzhou</h1><p>Lanzhou has 15 robots in use.</p>")
    report, first = build_here(many, "by-parts", HereCrashing())
    (reason,) = [skip.reason for skip in report.skipped if skip.path == "many/15.html"]
    assert "its reader crashed (signal 9)" in reason
    many.write("z.txt", "It is new.\n")
    report, second = build_here(many, "by-parts")
    assert "many/15.html" not in {skip.path for skip in report.skipped}
    assert 0 < len(second.made_parts) <= 3 < len(first.made_parts)
    assert rows(many.folder / "by-parts") == rows(many.indexed().index)
    many.write("z.txt", "It is newer.\n")
    _, third = build_here(many, "by-parts")
    assert len(third.made_parts) == 1  # broken.pdf is not tried again


def test_parts_elsewhere_are_written_by_who_makes_them(many):
    place = Place("memory://askai-test/parts")
    build_here(many, "by-parts", place=place)
    assert not (many.folder / "by-parts" / "parts").exists()
    assert "manifest.json" in place.names()
    assert many.run("--index", "other", "import", "memory://askai-test/parts").code == 0
    assert rows(many.folder / "other") == rows(many.index)


def test_an_address_of_this_machine_is_a_folder_of_it(tmp_path):
    for scheme in ("file", "local"):
        place = Place(f"{scheme}://{tmp_path}/x")
        assert (place.is_here, place.folder) == (True, tmp_path / "x")


def test_a_file_that_changes_in_between_stops_the_build(many):
    planner, plans = planned(many)
    many.write("many/00.md", "# Other\n")
    (plan,) = (p for p in plans if "many/00.md" in {file.path for file in p.files})
    with pytest.raises(CorpusError, match=r"00\.md changed while the index was made"):
        planner.task(plan, address="")


def test_a_folder_without_a_readable_file_leaves_the_index(many):
    generation = many.generation
    shutil.rmtree(many.corpus)
    many.write("broken.pdf", b"%PDF-1.4 is not one")
    with pytest.raises(CorpusError, match=r"No file of .* could be read"):
        build_here(many, "index")
    assert many.generation == generation


def test_a_worker_with_another_askai_is_refused(many):
    from dataclasses import replace

    from askai.errors import ClusterError

    planner, plans = planned(many)
    task = planner.task(plans[0], address="")
    with pytest.raises(ClusterError, match="another askai or model"):
        make_part(replace(task, shaping={**task.shaping, "tokens": "0"}))


def test_progress_tells_the_rate_and_the_time_left():
    told = []
    pace = Pace(4, 400, told.append)
    pace.tell(100, 50)
    assert told == []
    assert pace.line(10) == "Built 1 of 4 parts, 5 texts/s, about 30 s left."
    for _ in range(3):
        pace.tell(100, 50)
    (line,) = told
    assert line.startswith("Built 4 of 4 parts, ")
    assert pace.line(200) == "Built 4 of 4 parts, 1 texts/s, in 3 minutes."


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--on", "dask://x:1"), "expected ray ("),
        (("--on", "ray://x"), "ray://HOST:PORT"),
        (("--parts", "x"), "name a cluster, too"),
        (("--on", "ray", "--parts", "memory://x"), "each machine of the cluster has for itself"),
        (("--on", "ray", "--parts", "simplecache::file:///x"), "expected a folder"),
    ],
)
def test_wrong_usage_of_a_cluster_is_named(desk, arguments, says):
    desk.fails("index", *arguments, says=says, code=2)
