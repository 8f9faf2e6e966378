"""An index in Milvus answers as the folder does that it was published from, update after update."""

import json
import shutil
import threading
from contextlib import closing

import pytest

from askai.milvus.collections import FIELDS, GARBAGE, TABLES, epoch_name, epoch_of, state_name
from askai.milvus.connection import Address
from askai.milvus.publish import Limits, publish
from askai.milvus.published import open_published
from askai.milvus.snapshot import Snapshot
from askai.milvus.state import STATE, read_state
from askai.recipes import opened_local
from conftest import ANSWER, QUESTION
from engines.milvus_kinds import client_of, drop_name, named
from engines.test_pg_faults import settings_of
from engines.test_pg_same import (
    CHANGES,
    FILTERS,
    QUESTIONS,
    SOURCES,
    asked,
    check_same,
)

NAMES = ["alpha", "gamma", "delta", "omega", "sigma"]
NOW = Limits(grace=0.0, lease=2.0, beat=0.2)  # what is no longer seen is taken out at once


def published_now(desk, milvus, *, limits=NOW, replace=False, progress=lambda *_: None):
    """Brings the server to what the folder holds, in this process."""
    address = Address(milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"])
    with opened_local(settings_of(desk, milvus)) as local:
        return publish(local, address, replace=replace, progress=progress, limits=limits)


def test_every_command_that_reads_says_the_same(on_milvus, milvus):
    (on_milvus.corpus / "sources.toml").write_text(SOURCES, "utf-8")
    assert on_milvus.run("index", **milvus).code == 0
    check_same(on_milvus, milvus)
    for option in FILTERS:
        mine, its = (asked(on_milvus, QUESTION, *option, **more) for more in ({}, milvus))
        assert mine == its
    for command in (("search", "ice festival", "--json"), ("show", "corpus/b.md"),
                    ("status", "--files")):  # fmt: skip
        mine, its = (on_milvus.run(*command, **more) for more in ({}, milvus))
        assert (mine.code, mine.err) == (its.code, its.err)
        place = Address(milvus["ASKAI_STORE"], "x").masked
        assert its.out.replace(place, "index") == mine.out


def test_another_machine_needs_the_address_alone(on_milvus, milvus):
    answer = on_milvus.folder / "answer.json"
    answer.write_text(on_milvus.run("ask", QUESTION, "--json").out, "utf-8")
    shutil.rmtree(on_milvus.index)
    shutil.rmtree(on_milvus.corpus)
    for command in (("ask", QUESTION), ("search", "ice festival"), ("status",),
                    ("show", "corpus/a.txt#char=0-9"), ("verify", "answer.json")):  # fmt: skip
        ran = on_milvus.run(*command, **milvus)
        assert (ran.code, ran.err) == (0, ""), (command, ran)
    assert on_milvus.run("ask", QUESTION, **milvus).out.startswith(f"{ANSWER} [1]")
    on_milvus.fails("show", "corpus/none.txt", says="No source", code=2, **milvus)
    assert not on_milvus.index.exists()


def seen(url, name):
    """What a reader sees, whatever numbers things have there."""
    client = named(url, name)
    with closing(open_published(Snapshot(client.address, client))) as index:
        catalog, words = index.catalog(), index.words()
        places = catalog.chunk_places()
        units = [f"{id_}:{n}" for id_, _, _, units in places for n in range(units)]
        ids = [id_ for id_, *_ in places]
        terms = sorted({token for id_ in ids for token in words.tokens_of(id_)})
        return {
            "places": places,
            "documents": [catalog.document(source.path) for source in catalog.sources()],
            "chunks": catalog.chunks(ids),
            "states": index.sources(),
            "vectors": index.vectors("passage_vectors").vectors(ids).tolist(),
            "units": index.vectors("unit_vectors").vectors(units).tolist(),
            "words": {term: (words.idf(term), words.search([term], 99)) for term in terms},
            "aliases": index.aliases,
            "counts": (len(words), len(index.vectors("unit_vectors")), words.ceiling(terms)),
        }


def rows(url, name):
    """All there is, seen or not."""
    client = client_of(url)
    epoch = read_state(named(url, name)).epoch
    counts = {w: client.count(epoch_name(name, epoch, w), "") for w in ("rows", *TABLES)}
    return counts | {"epochs": {epoch_of(name, c) for c in client.collections()} - {None}}


@pytest.mark.parametrize(
    "changes", [list(CHANGES)[:4], ["deleted", "described"], ["touched", "named"]], ids=str
)
def test_an_update_equals_a_first_publication(on_milvus, milvus, changes):
    url, name = milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"]
    for n in range(9):  # so that what changes is less than half
        on_milvus.write(f"m{n}.txt", f"Report {n} is about nothing in particular.\n")
    assert on_milvus.run("index").code == 0
    published_now(on_milvus, milvus)
    for change in changes:
        CHANGES[change](on_milvus)
    assert on_milvus.run("index").code == 0
    published_now(on_milvus, milvus)
    fresh = milvus | {"ASKAI_STORE_SCHEMA": f"{name}_b"}
    try:
        published_now(on_milvus, fresh)
        assert seen(url, name) == seen(url, f"{name}_b")
    finally:
        drop_name(url, f"{name}_b")


def test_only_what_has_changed_is_sent(on_milvus, milvus):
    for n in range(9):
        on_milvus.write(f"m{n}.txt", f"Report {n} is about nothing in particular.\n")
    assert "11 documents, 9 put in, 0 taken out" in on_milvus.run("index", **milvus).err
    assert "has g-" in on_milvus.run("index", **milvus).err
    CHANGES["edited"](on_milvus)
    assert "11 documents, 1 put in, 1 taken out" in on_milvus.run("index", **milvus).err
    CHANGES["named"](on_milvus)
    assert "11 documents, 0 put in, 0 taken out" in on_milvus.run("index", **milvus).err
    ran = on_milvus.run("index", "--rebuild", **milvus)
    assert "11 documents, 11 put in, 11 taken out" in ran.err


def test_what_no_reader_sees_any_more_is_taken_out(on_milvus, milvus):
    """After three publications of the same two states there is no more than after the first."""
    url, name = milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"]
    for n in range(9):
        on_milvus.write(f"m{n}.txt", f"Report {n} is about nothing in particular.\n")
    assert on_milvus.run("index").code == 0
    published_now(on_milvus, milvus)
    found = []
    for n in range(8):
        on_milvus.write("a.txt", f"Nanjing is a city of number {n % 2}.\n")
        assert on_milvus.run("index").code == 0
        assert published_now(on_milvus, milvus).added == 1
        found.append(rows(url, name))
    assert found[4:6] == found[6:8]
    client = named(url, name)
    states = client.query(state_name(name), f"kind == {STATE}", ["number"])
    assert len({row["number"] for row in states}) == 2
    garbage = client.query(epoch_name(name, found[-1]["epochs"].pop(), "rows"),
                           f"kind == {GARBAGE}", FIELDS)  # fmt: skip
    assert len({row["born"] for row in garbage}) == 1
    published_now(on_milvus, milvus, replace=True)
    published_now(on_milvus, milvus, replace=True)
    assert len(rows(url, name)["epochs"]) == 2  # this one and the one before
    assert on_milvus.run("doctor", **milvus).code == 0


def test_readers_within_the_grace_keep_what_they_see(on_milvus, milvus):
    url, name = milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"]
    client = named(url, name)
    with closing(open_published(Snapshot(client.address, client))) as before:
        texts = {s.path: before.catalog().text(s.path) for s in before.catalog().sources()}
        words = before.words().search(["citi", "harbin"], 9)
        for n in range(4):
            on_milvus.write("a.txt", f"Nanjing has changed {n} times.\n")
            assert on_milvus.run("index", *(["--rebuild"] if n == 2 else []), **milvus).code == 0
        again = before.catalog()
        assert {s.path: again.text(s.path) for s in again.sources()} == texts
        assert before.words().search(["citi", "harbin"], 9) == words
        with closing(open_published(Snapshot(Address(url, name)))) as after:
            assert after.manifest.generation != before.manifest.generation
            assert after.catalog().text("a.txt").startswith("Nanjing has changed 3")


def test_a_question_during_an_update_sees_the_old_or_the_new(on_milvus, milvus):
    """A document and its twin say the same number, in every state that is ever seen."""
    url, name = milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"]
    for n in range(9):
        on_milvus.write(f"m{n}.txt", f"Report {n} is about nothing in particular.\n")
    numbers, wrong, ended = set(), [], threading.Event()

    def write(number):
        for twin in "xy":
            on_milvus.write(f"{twin}.txt", f"Twin {twin} is called {NAMES[number]}.\n")
        assert on_milvus.run("index").code == 0

    def ask():
        address = Address(url, name)
        with address.connect() as client:
            while not ended.is_set():
                with open_published(Snapshot(address, client)) as index:
                    check(index)

    def check(index):
        catalog, words = index.catalog(), index.words()
        texts = [catalog.text(f"{twin}.txt") for twin in "xy"]
        said = {text.rpartition(" ")[2].strip(".\n") for text in texts}
        found = words.search(NAMES, 9)
        chunks = catalog.chunks(id_ for id_, _ in found)
        ids = [id_ for id_, *_ in catalog.chunk_places()]
        vectors = index.vectors("passage_vectors")
        query = vectors.vectors(ids[:1])[0]
        near = {id_ for id_, _ in vectors.search(query, 99)}
        paths = sorted(chunk.path for chunk in chunks.values())
        if len(said) != 1 or near != set(ids) or paths != ["x.txt", "y.txt"]:
            wrong.append((said, paths, near ^ set(ids)))
        numbers.update(said)

    write(0)
    published_now(on_milvus, milvus)
    reader = threading.Thread(target=ask)
    reader.start()
    try:
        for number in range(1, 5):
            write(number)
            published_now(on_milvus, milvus, limits=Limits())
    finally:
        ended.set()
        reader.join()
    assert wrong == []
    assert len(numbers) > 1


@pytest.mark.parametrize("question", QUESTIONS[:1])
def test_hostile_names_and_titles_are_only_text(on_milvus, milvus, question):
    hostile = 'x"] or pk != "'
    on_milvus.write(f"{hostile}.txt", "Robert is a student of Hefei.\n")
    on_milvus.write("t.md", f"# {hostile} {{keys}} %s\n\nZhipu is a company of Beijing.\n")
    (on_milvus.corpus / "sources.toml").write_text(
        f"[[source]]\npath = 't.md'\ntitle = '{hostile} \\'\n", "utf-8"
    )
    assert on_milvus.run("index", **milvus).code == 0
    for text in ("Is Robert a student of Hefei?", "Is Zhipu a company of Beijing?", hostile,
                 question):  # fmt: skip
        mine, its = (on_milvus.run("ask", text, "--json", **more) for more in ({}, milvus))
        one, other = (json.loads(ran.out) | {"timings_ms": 0} for ran in (mine, its))
        assert one == other
    option = ("--source", f"{hostile}.txt")
    assert on_milvus.run("ask", "Is Robert a student of Hefei?", *option, **milvus).code == 0
    shown = on_milvus.run("show", f"corpus/{hostile}.txt", **milvus)
    assert "Robert" in shown.out
