"""Lines that are cut at any byte, servers that are killed at any stage, clocks that differ and
publishers that begin at the same moment: a question has its answer or says why not, and the tables
hold one publication, whole."""

import json
import os
import shutil
import socket
import sys
import threading
import time
from contextlib import closing

import psycopg
import pytest

from askai.assemble import open_askai
from askai.errors import StoreError, StoreUnreachable
from askai.postgres.connection import Address
from askai.recipes import publish
from conftest import ANSWER, QUESTION
from engines.pg_server import PgServer
from engines.proxy import Proxy
from engines.test_pg_faults import SOURCE, counts, fails, settings_of
from engines.test_pg_same import asked, check_same, rows


@pytest.fixture
def line(url):
    made = Proxy(url)
    yield made
    made.close()


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "questions"])
def test_a_question_whose_line_is_cut_at_any_byte_has_its_answer_or_says_why(
    published, server, line, monkeypatch, answers
):
    """One cut after so many bytes: in the greeting, between two queries, in the middle of rows."""
    monkeypatch.chdir(published.folder)
    settings = settings_of(published, server | {"ASKAI_STORE": line.url})
    with open_askai(settings) as askai:
        expected = askai.answerer.ask(QUESTION, k=5)
    whole, told = 0, []
    for count in (90, 900, 2200, 3900, 5000, 8000, 20_000):
        line.cut_after(count, answers=answers)
        try:
            with open_askai(settings) as askai:
                found = askai.answerer.ask(QUESTION, k=5)
        except StoreError as error:
            told.append(str(error))
        else:
            assert (found.text, found.citations) == (expected.text, expected.citations)
            assert [h.score for h in found.passages] == [h.score for h in expected.passages]
            whole += bool(line.cuts)
    assert all("was lost" in said or "No connection to" in said for said in told)
    assert whole > len(told)  # what was cut while it asked was asked again
    line.cut_after(10**9, answers=True)
    assert published.run("ask", QUESTION, **server | {"ASKAI_STORE": line.url}).out.startswith(
        ANSWER
    )


def test_a_question_whose_line_is_cut_again_and_again_says_so(published, server, line):
    line.cut_after(0, answers=True, times=10**6)
    fails(published, "ask", QUESTION, says="No connection to", **server | {"ASKAI_STORE": line.url})


@pytest.mark.parametrize("times", [1, 10**6], ids=["once", "always"])
def test_a_load_that_is_cut_is_done_again_or_leaves_what_was_there(
    published, server, query, line, times
):
    schema = server["ASKAI_STORE_SCHEMA"]
    for n in range(8):
        published.write(f"m{n}.txt", f"Report {n} is of nothing in particular.\n" * 9)
    before = counts(query, schema)
    assert published.run("index").code == 0
    settings = settings_of(published, server | {"ASKAI_STORE": line.url})
    line.cut_after(9_000, answers=False, times=times)
    if times == 1:
        assert publish(settings).added == 8
        assert line.cuts == 1
    else:
        for count in (700, 5_000, 9_000):
            line.cut_after(count, answers=False, times=times)
            with pytest.raises(StoreError, match=r"was lost; nothing was changed|No connection to"):
                publish(settings)
            assert line.cuts >= 2
            assert counts(query, schema) == before
        assert publish(settings_of(published, server)).added == 8
    check_same(published, server, [QUESTION, "What is report 3 of?"])


def test_a_line_that_is_dead_is_given_up_in_seconds(address):
    """The kernel gives it up, and not a time-out of hours (a pulled cable is not tried here)."""
    with (
        closing(address.connect("ask")) as connection,
        socket.socket(fileno=os.dup(connection.fileno())) as line,
    ):
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 15
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


@pytest.fixture(scope="module")
def mortal():
    """A server to be killed."""
    server = PgServer()
    try:
        yield server
    finally:
        server.close()


def tables_of(server, schema):
    return rows(server.url(), schema)


@pytest.mark.parametrize(
    "stage", ["publishing", "publishing vectors", "publishing words", "the end", "commit"]
)
def test_a_server_killed_at_any_stage_has_the_index_of_before_or_the_new_one(desk, mortal, stage):
    schema = "s_" + stage.replace(" ", "_")
    store = {"ASKAI_STORE": mortal.url(), "ASKAI_STORE_SCHEMA": schema}
    for n in range(6):
        desk.write(f"m{n}.txt", f"Report {n} is of Hefei.\n")
    assert desk.run("index", **store).code == 0
    before = tables_of(mortal, schema)
    desk.write("c.txt", "Hefei is the capital of Anhui.\n\nIt is in the east.\n")
    desk.write("m1.txt", "Report 1 is of Wuhan.\n")
    assert desk.run("index").code == 0
    killed = []

    def kill(at, done, total):
        last = stage == "the end" and at == "publishing words" and done == total
        if not killed and ((at == stage and not done) or last):
            killed.append(at)
            mortal.kill()

    if stage == "commit":
        _slow_commit(mortal, schema)
        killer = threading.Thread(target=_kill_in_commit, args=(mortal, killed))
        killer.start()
    with pytest.raises(StoreError):
        publish(settings_of(desk, store), progress=kill)
    if stage == "commit":
        killer.join()
    assert killed
    mortal.start()
    assert tables_of(mortal, schema) == before  # it had not committed
    assert desk.run("ask", QUESTION, **store).out.startswith(ANSWER)
    if stage == "commit":
        with psycopg.connect(mortal.url(), autocommit=True) as connection:
            connection.execute(f"DROP TRIGGER slow ON {schema}.state")
    assert (publish(settings_of(desk, store)).added, desk.run("index", **store).code) == (2, 0)
    fresh = store | {"ASKAI_STORE_SCHEMA": f"{schema}_b"}
    assert desk.run("index", **fresh).code == 0
    assert tables_of(mortal, schema) == tables_of(mortal, f"{schema}_b")


def _slow_commit(server, schema):
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(
            f"CREATE FUNCTION {schema}.slow() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$;"
            f"CREATE CONSTRAINT TRIGGER slow AFTER INSERT OR UPDATE ON {schema}.state "
            f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.slow()"
        )


def _kill_in_commit(server, killed):
    until = time.monotonic() + 20
    with psycopg.connect(server.url(), autocommit=True) as connection:
        while time.monotonic() < until and not killed:
            found = connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            ).fetchone()
            if found:
                killed.append("commit")
            time.sleep(0.02)
    server.kill()


# askai in a process whose clock is so many seconds ahead: what it reads of the time is Python's.
CLOCK = """
import datetime, sys, time
ahead = float(sys.argv.pop(1))
real = datetime.datetime
class Wrong(real):
    @classmethod
    def now(cls, tz=None):
        return real.now(tz) + datetime.timedelta(seconds=ahead)
datetime.datetime = Wrong
clock = time.time
time.time = lambda: clock() + ahead
from askai.cli import main
main()
"""


def test_publishers_whose_clocks_differ_publish_in_the_order_in_which_they_do(
    published, server, query, address
):
    """A day ahead, then a day behind, with files from the future: the last one counts."""

    def index_with(ahead):
        command = (sys.executable, "-c", CLOCK, str(ahead), "index")
        with published.start(*command, environment=server | SOURCE) as process:
            _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return query(f"SELECT generation FROM {address.schema}.state")[0][0]

    names = [query(f"SELECT generation FROM {address.schema}.state")[0][0]]
    for ahead, text in ((86_400, "Hefei is ahead."), (-86_400, "Hefei is behind.")):
        path = published.write("c.txt", f"{text}\n")
        stamp = time.time() + ahead
        os.utime(path, (stamp, stamp))
        names.append(index_with(ahead))
        assert text in published.run("ask", "Is Hefei ahead or behind?", **server).out
        assert "1 put in" not in published.run("index", **server).err
    assert names[2] < names[0] < names[1]
    check_same(published, server)
    assert published.run("doctor", **server).code == 0


def test_two_publishers_that_begin_at_the_same_moment(published, server, url, address):
    """Each has documents of its own; one is told to wait, or they take turns; none is mixed in."""
    other = published.folder.parent / "other"
    shutil.copytree(published.corpus, other / "corpus")
    published.write("c.txt", "Hefei is the capital of Anhui.\n")
    (other / "corpus" / "d.txt").write_text("Wuhan is the capital of Hubei.\n", "utf-8")
    script = (sys.executable, "-m", "askai", "index")
    processes = [
        published.start(*script, environment=server | SOURCE),
        published.start(
            *script, "--corpus", str(other / "corpus"), "--index", str(other / "index"),
            environment=server | SOURCE,
        ),
    ]  # fmt: skip
    said = [process.communicate(timeout=60)[1] for process in processes]
    for process, err in zip(processes, said, strict=True):
        assert process.returncode in (0, 1), err
        assert (process.returncode == 0) == ("is being published to by" not in err), err
    assert 0 in [process.returncode for process in processes]
    assert published.run("index", "--rebuild", **server).code == 0
    check_same(published, server)
    fresh = server | {"ASKAI_STORE_SCHEMA": f"{address.schema}_b"}
    try:
        assert published.run("index", **fresh).code == 0
        assert rows(url, address.schema) == rows(url, f"{address.schema}_b")
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {address.schema}_b CASCADE")


def test_a_session_that_may_only_read_asks_and_is_told_why_it_does_not_publish(
    published, server, url
):
    only = f"{url}?options=-c%20default_transaction_read_only%3Don"
    reads = server | {"ASKAI_STORE": only}
    assert published.run("ask", QUESTION, **reads).out.startswith(ANSWER)
    published.write("c.txt", "Something new.\n")
    fails(published, "index", says="cannot execute", **reads)


def test_a_manifest_of_another_format_is_told_with_its_remedy(published, server, query, address):
    ((manifest,),) = query(f"SELECT manifest FROM {address.schema}.state")
    changed = json.dumps(json.loads(manifest) | {"format": 99})
    query(f"UPDATE {address.schema}.state SET manifest = %s", changed)
    last = fails(published, "ask", QUESTION, says="has format 99", **server)
    assert "`askai index --rebuild`" in last
    assert published.run("index", "--rebuild", **server).code == 0
    assert published.run("ask", QUESTION, **server).out.startswith(ANSWER)


def test_tables_that_are_not_askais_are_told_with_a_remedy_that_works(
    published, server, query, address
):
    """Somebody has dropped one, or changed a column."""
    for damage in ("DROP TABLE {}.chunks", "ALTER TABLE {}.chunks DROP COLUMN header"):
        query(damage.format(address.schema))
        for command in (("ask", QUESTION), ("index", "--rebuild")):
            last = fails(published, *command, says="are not those of this askai", **server)
            assert f"DROP SCHEMA {address.schema} CASCADE" in last
        query(f"DROP SCHEMA {address.schema} CASCADE")
        assert published.run("index", **server).code == 0
        assert published.run("ask", QUESTION, **server).out.startswith(ANSWER)


def test_a_schema_with_tables_of_something_else_is_not_touched(desk, server, query, address):
    query(f"CREATE SCHEMA {address.schema}")
    query(f"CREATE TABLE {address.schema}.sources (mine int)")
    query(f"INSERT INTO {address.schema}.sources VALUES (1)")
    fails(desk, "index", says='relation "sources" already exists', **server)
    fails(desk, "ask", QUESTION, says="No index in the schema", **server)
    assert query(f"SELECT mine FROM {address.schema}.sources") == [(1,)]


HOSTILE = ["'; DROP SCHEMA {0} CASCADE; --", '"; DROP TABLE {0}.state; --', "%s %(query)s %%",
           "$$; SELECT 1; $$", "{{0}} {{table}}", "\\'; DELETE FROM {0}.chunks; --"]  # fmt: skip


def test_hostile_words_are_only_words_wherever_they_stand(published, server, query, address):
    """In titles, texts, names of files, questions, filters and aliases."""
    described, named = [], []
    for n, hostile in enumerate(HOSTILE):
        words = hostile.format(address.schema)
        name = f"{n} {words.replace('/', '')}.md".replace("\\", "")
        published.write(name, f"# {words}\n\nHefei {words} is city {n} of Anhui.\n")
        title = json.dumps(words)
        described.append(f"[[source]]\npath = {json.dumps(name)}\ntitle = {title}\n")
        named.append(f'["City {n}", {title}]')
    (published.corpus / "sources.toml").write_text("\n".join(described), "utf-8")
    (published.corpus / "aliases.toml").write_text(f"names = [{', '.join(named)}]\n", "utf-8")
    assert published.run("index", **server).code == 0
    for n, hostile in enumerate(HOSTILE):
        words = hostile.format(address.schema)
        question = f"Is Hefei {words} city {n} of Anhui?"
        assert asked(published, question, **server) == asked(published, question)
    option = ("--source", "0*.md", "--language", words)
    assert asked(published, words, *option, **server) == asked(published, words, *option)
    shown = f"corpus/{name}"
    assert published.run("show", shown, **server).out == published.run("show", shown).out
    assert query(f"SELECT count(*) FROM {address.schema}.sources") == [(2 + len(HOSTILE),)]
    check_same(published, server, [QUESTION])


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ("the database system is in recovery mode", StoreUnreachable, "recovering from a crash"),
        ("the database system is not yet accepting connections", StoreUnreachable, "starting up"),
        ("the database system is shutting down", StoreUnreachable, "shutting down"),
        ("connection failed: No route to host", StoreUnreachable, "no way leads there"),
        ('database "nowhere" does not exist', StoreError, "no such database"),
        ('role "nobody" does not exist', StoreError, "no such user"),
    ],
)
def test_a_server_that_comes_back_is_told_from_one_that_is_set_up_wrong(said, kind, reason):
    with pytest.raises(StoreError, match=reason) as caught:
        Address("postgresql://h/d", "askai")._refused(psycopg.OperationalError(said))
    assert type(caught.value) is kind
