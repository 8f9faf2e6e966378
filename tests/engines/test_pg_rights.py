"""docs/scale.md is true of row-level security: what a policy hides askai does not say."""

import json

import psycopg
import pytest

from askai.postgres.connection import Address
from askai.postgres.opened import open_servers
from conftest import ANSWER, QUESTION
from engines.pg_server import PgServer
from engines.test_pg_docs import blocks

HIDDEN = "Is Wuhan the seat of project Tianhe?"


@pytest.fixture(scope="module")
def guarded():
    server = PgServer()
    try:
        yield server
    finally:
        server.close()


def test_what_a_policy_hides_is_in_no_answer_and_members_have_it(desk, guarded):
    (setup,), (policies,) = blocks("sql"), blocks("postgresql")
    store = guarded.url(user="askai_publisher")
    for n in range(4):
        desk.write(f"confidential/{n}.txt", f"Wuhan is the seat of project Tianhe, part {n}.\n")
    desk.write("open.txt", "Project Yinhe has a seat, and Wuhan has projects.\n")
    with psycopg.connect(guarded.url(), autocommit=True) as connection:
        connection.execute(setup)
        assert desk.run("index", ASKAI_STORE=store).code == 0
        connection.execute(policies)
        connection.execute("CREATE ROLE cleared LOGIN IN ROLE askai_cleared, askai_reader")
    one, member = ({"ASKAI_STORE": guarded.url(user=u)} for u in ("askai_reader", "cleared"))
    found = desk.run("ask", HIDDEN, "--json", **one)
    assert "confidential" not in found.out + found.err
    assert "Tianhe, part" not in found.out
    hits = json.loads(desk.run("search", "seat of project Tianhe", "--json", **one).out)["passages"]
    assert [hit["source"] for hit in hits if "confidential" in hit["source"]] == []
    assert "corpus/open.txt" in [hit["source"] for hit in hits]
    assert "confidential" not in desk.run("status", "--files", "--corpus", "none", **one).out
    desk.fails("show", "corpus/confidential/1.txt", says="No source", code=2, **one)
    assert desk.run("ask", QUESTION, **one).out.startswith(ANSWER)
    whole = desk.run("ask", HIDDEN, **member)
    assert "Tianhe" in whole.out
    assert "confidential/" in whole.out
    for question in (HIDDEN, QUESTION):
        local, there = (json.loads(desk.run("ask", question, "--json", **more).out)
                        for more in ({}, member))  # fmt: skip
        assert local | {"timings_ms": 0} == there | {"timings_ms": 0}
    desk.write("confidential/5.txt", "Wuhan is the seat of project Tianhe, at last.\n")
    assert "1 put in" in desk.run("index", ASKAI_STORE=store).err  # its owner is not bound
    assert "at last" not in desk.run("search", HIDDEN, **one).out


def test_words_of_what_is_hidden_find_the_next_best(guarded):
    """The best passages of a lexical search are hidden: the others come, with their scores."""
    with open_servers([Address(guarded.url(user="cleared"), "askai")]) as all_of_it:
        every = all_of_it.words().search(["seat", "project"], 20)
    with open_servers([Address(guarded.url(user="askai_reader"), "askai")]) as index:
        ids = {id_ for id_, *_ in index.catalog().chunk_places()}
        for k in (1, 2, 20):
            expected = [pair for pair in every if pair[0] in ids][:k]
            assert index.words().search(["seat", "project"], k) == expected
        assert len(expected) < len(every)
