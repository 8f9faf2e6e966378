"""An index that is published answers as the folder does that it was published from, update after
update."""

import json
import shutil
from contextlib import closing

import psycopg
import pytest
from psycopg import sql

from askai.postgres.connection import Address, Snapshot
from askai.postgres.published import open_published
from conftest import ANSWER, QUESTION

QUESTIONS = [
    QUESTION,
    "What is Harbin known for?",
    "How many people live there?",
    "What is the stock code of Unitree?",
    "¿Por qué es conocida Harbin?",
    "哈尔滨以什么闻名？",
    "Wer weiß?",
]
FILTERS = [("--source", "a.txt"), ("--language", "en"), ("--since", "2024"), ("--until", "2025-02")]
SOURCES = """
[[source]]
path = "a.txt"
published = "2025-01-05"
[[source]]
path = "b.md"
title = "Robert'); DROP TABLE sources;--"
published = "2023"
"""
TABLES = ("sources", "texts", "chunks", "passage_vectors", "unit_vectors", "passage_tokens",
          "terms", "postings", "totals")  # fmt: skip


def asked(desk, question, *options, **environment):
    ran = desk.run("ask", question, "--json", *options, **environment)
    assert ran.code in (0, 2, 3), ran
    if ran.code == 2:
        return ran.err
    found = json.loads(ran.out)
    found.pop("timings_ms")
    return found


def check_same(desk, server, questions=QUESTIONS):
    for question in questions:
        assert asked(desk, question, **server) == asked(desk, question)


def test_every_command_that_reads_says_the_same(published, server):
    (published.corpus / "sources.toml").write_text(SOURCES, "utf-8")
    assert published.run("index", **server).code == 0
    check_same(published, server)
    for option in FILTERS:
        mine, its = (asked(published, QUESTION, *option, **more) for more in ({}, server))
        assert mine == its
    for command in (("search", "ice festival", "--json"), ("show", "corpus/b.md"),
                    ("status", "--files")):  # fmt: skip
        mine, its = (published.run(*command, **more) for more in ({}, server))
        assert (mine.code, mine.err) == (its.code, its.err)
        assert its.out.replace(its_place(server), "index") == mine.out


def its_place(server):
    return Address(server["ASKAI_STORE"], "x").masked


def test_another_machine_needs_the_address_alone(published, server):
    answer = published.folder / "answer.json"
    answer.write_text(published.run("ask", QUESTION, "--json").out, "utf-8")
    shutil.rmtree(published.index)
    shutil.rmtree(published.corpus)
    for command in (("ask", QUESTION), ("search", "ice festival"), ("status",),
                    ("show", "corpus/a.txt#char=0-9"), ("verify", "answer.json")):  # fmt: skip
        ran = published.run(*command, **server)
        assert (ran.code, ran.err) == (0, ""), (command, ran)
    assert published.run("ask", QUESTION, **server).out.startswith(f"{ANSWER} [1]")
    published.fails("show", "corpus/none.txt", says="No source", code=2, **server)
    assert not published.index.exists()


def rows(url, schema):
    """What the tables hold, whatever numbers things have there."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('search_path', %s, false)", (f"{schema}, public",))
        text = {
            "documents": "SELECT s.path, s.position, s.title, t.text, t.marks "
            "FROM sources s JOIN texts t USING (doc)",
            "chunks": "SELECT s.path, c.place, c.id, c.text, c.units "
            "FROM chunks c JOIN sources s USING (doc)",
            "passages": "SELECT v.id, s.path, embedding::text "
            "FROM passage_vectors v JOIN sources s USING (doc)",
            "units": "SELECT v.id, s.path, embedding::text "
            "FROM unit_vectors v JOIN sources s USING (doc)",
            "terms": "SELECT term, passages FROM terms",
            "totals": "SELECT passages, tokens FROM totals",
        }
        found = {name: sorted(connection.execute(query).fetchall()) for name, query in text.items()}
        found["postings"] = connection.execute(
            "SELECT count(*), sum(length(entries)) FROM postings"
        ).fetchall()
        return found


CHANGES = {
    "edited": lambda d: d.write("a.txt", "Nanjing is a city.\n\nIt has 9 million people.\n"),
    "added first": lambda d: d.write("0.txt", "Zero comes before all.\n"),
    "added in the middle": lambda d: d.write("aa.txt", f"{ANSWER}\n\nTwice.\n"),
    "renamed": lambda d: (d.corpus / "a.txt").rename(d.corpus / "z.txt"),
    "deleted": lambda d: (d.corpus / "a.txt").unlink(),
    "touched": lambda d: (d.corpus / "a.txt").touch(),
    "described": lambda d: (d.corpus / "sources.toml").write_text(SOURCES, "utf-8"),
    "named": lambda d: (d.corpus / "aliases.toml").write_text(
        'places = [["Nanjing", "Nankin"]]', "utf-8"
    ),
}


@pytest.mark.parametrize("changes", [[name] for name in CHANGES] + [list(CHANGES)[:4]], ids=str)
def test_an_update_equals_a_first_publication(published, server, url, address, changes):
    for n in range(9):  # so that what changes is less than half
        published.write(f"m{n}.txt", f"Report {n} is about nothing in particular.\n")
    assert published.run("index", **server).code == 0
    for name in changes:
        CHANGES[name](published)
    ran = published.run("index", **server)
    assert ran.code == 0, ran.err
    check_same(published, server, QUESTIONS[:2])
    fresh = {**server, "ASKAI_STORE_SCHEMA": f"{address.schema}_b"}
    try:
        assert "put in" in published.run("index", **fresh).err
        assert rows(url, address.schema) == rows(url, f"{address.schema}_b")
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            name = sql.Identifier(f"{address.schema}_b")
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))


def test_only_what_has_changed_is_sent(published, server):
    for n in range(9):
        published.write(f"m{n}.txt", f"Report {n} is about nothing in particular.\n")
    assert "11 documents, 9 put in, 0 taken out" in published.run("index", **server).err
    assert "has g-" in published.run("index", **server).err
    CHANGES["edited"](published)
    assert "11 documents, 1 put in, 1 taken out" in published.run("index", **server).err
    CHANGES["named"](published)
    assert "11 documents, 0 put in, 0 taken out" in published.run("index", **server).err
    assert (
        "11 documents, 11 put in, 11 taken out" in published.run("index", "--rebuild", **server).err
    )


def test_a_reader_sees_the_index_before_or_after_and_never_some_of_each(published, server, address):
    with closing(open_published(Snapshot(address))) as before:
        texts = {s.path: before.catalog().document(s.path).text for s in before.catalog().sources()}
        CHANGES["edited"](published)
        assert published.run("index", **server).code == 0
        again = before.catalog()
        assert {s.path: again.document(s.path).text for s in again.sources()} == texts
        assert before.manifest.generation == before.state.generation
        with closing(open_published(Snapshot(address))) as after:
            assert after.manifest.generation != before.manifest.generation
            assert after.catalog().document("a.txt").text.startswith("Nanjing is a city.")
            assert len(after.words()) == len(after.vectors("passage_vectors"))
