"""What is wrong with a server, or goes wrong on the way, is said in a sentence without a password;
what it held stays whole."""

import json
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import askai
from askai.assemble import open_askai
from askai.errors import IndexLocked, IndexMismatch, StoreError
from askai.manifest import settings_fingerprint
from askai.postgres import tables
from askai.postgres.connection import Address, Snapshot, prepare, writing
from askai.postgres.published import open_published
from askai.recipes import publish
from askai.settings import load_settings
from conftest import ANSWER, QUESTION
from engines.pg_server import PgServer

WORD = "hunter2"
# Where this askai is: a process that a desk starts has no PYTHONPATH.
SOURCE = {"PYTHONPATH": str(Path(askai.__file__).parents[1])}


def settings_of(desk, server):
    """As the command makes them, for what is tried in this process."""
    keys = {k.removeprefix("ASKAI_").lower(): v for k, v in server.items()}
    options = {"corpus": str(desk.corpus), "index": str(desk.index), "model": "hashing"} | keys
    return load_settings(folder=desk.folder, environment={}, options=options)


def fails(desk, *command, says, **environment):
    ran = desk.run(*command, **environment)
    assert ran.code == 1, ran
    assert "Traceback" not in ran.err
    assert WORD not in ran.err + ran.out
    last = ran.err.splitlines()[-1]
    assert last.startswith("askai: ")
    assert says in last
    return last


@pytest.mark.parametrize(
    ("store", "says"),
    [
        (f"postgresql://me:{WORD}@127.0.0.1:1/d", "postgresql://me@127.0.0.1:1/d: nothing listens"),
        (f"postgresql://me:{WORD}@no.such.host.invalid/d", "there is no host of that name"),
        (f"postgresql://me:a@{WORD}@no.such.host.invalid/d", "No connection to"),
        (f"postgresql://me:{WORD}@[::1/d", "The store's address cannot be read"),
        (f"postgresql://me:{WORD}%zz@h/d", "The store's address cannot be read"),
        (f"postgresql://me:{WORD}@h/d?no_such_option=1", "The store's address cannot be read"),
    ],
    ids=["closed", "no host", "@ in a password", "no address", "bad escape", "unknown option"],
)
def test_a_wrong_address_is_told_without_its_password(desk, store, says):
    fails(desk, "ask", QUESTION, says=says, ASKAI_STORE=store)


def test_a_wrong_password_or_database(published, own_server, server):
    with psycopg.connect(own_server.url(), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS guarded")
        connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    place = own_server.url(user=f"guarded:{WORD}")
    fails(published, "ask", QUESTION, says="it refuses the user or the password", ASKAI_STORE=place)
    fails(published, "index", says="it refuses the user or the password", ASKAI_STORE=place)
    nothing = own_server.url(user="guarded")
    fails(published, "ask", QUESTION, says="it wants a password", ASKAI_STORE=nothing)
    other = own_server.url("nowhere")
    fails(published, "ask", QUESTION, says="it has no such database", ASKAI_STORE=other)


@pytest.fixture
def database(own_server):
    """An empty database of its own, without pgvector."""
    name = f"d_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(own_server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(
            sql.Identifier(name)))  # fmt: skip
        yield own_server.url(name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def run_sql(url, *statements):
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def test_no_pgvector_or_one_that_is_too_old(desk, database):
    fails(desk, "ask", QUESTION, says="has no pgvector", ASKAI_STORE=database)
    run_sql(database, "DROP ROLE IF EXISTS plain", "CREATE ROLE plain LOGIN")
    plain = database.replace("postgres@", "plain@")
    fails(desk, "index", says="may not be created by this user", ASKAI_STORE=plain)
    run_sql(database, "CREATE EXTENSION vector",
            "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")  # fmt: skip
    for command in (("ask", QUESTION), ("index",)):
        fails(desk, *command, says="has pgvector 0.7.4; askai needs 0.8", ASKAI_STORE=database)


def test_the_owner_of_a_database_needs_no_administrator(desk, database):
    assert desk.run("index", ASKAI_STORE=database).code == 0
    assert desk.run("ask", QUESTION, ASKAI_STORE=database).out.startswith(ANSWER)


def test_an_empty_server_says_how_to_begin(desk, server):
    fails(desk, "ask", QUESTION, says="No index in the schema", **server)
    assert not desk.index.exists()


def test_tables_of_another_version(published, server, address, query):
    schema = address.schema
    query(f"INSERT INTO {schema}.migrations (version, by) VALUES (99, 'x')")
    for command in (("ask", QUESTION), ("index",)):
        fails(
            published,
            *command,
            says=f"version 99, this askai knows version {len(tables.MIGRATIONS)}",
            **server,
        )
    query(f"DELETE FROM {schema}.migrations")
    fails(published, "ask", QUESTION, says="run `askai index`, which brings them up", **server)


def test_tables_are_migrated_once_and_in_order(address):
    steps = (*tables.MIGRATIONS, "CREATE TABLE more (a int)", "ALTER TABLE more ADD b int")
    with writing(address) as connection:
        assert tables.migrate(connection, address) == len(tables.MIGRATIONS)
    with writing(address) as connection:
        assert tables.migrate(connection, address, steps) == 2
        assert tables.migrate(connection, address, steps) == 0
        connection.execute("INSERT INTO more (a, b) VALUES (1, 2)")
    with pytest.raises(IndexMismatch, match="install a newer askai"), writing(address) as late:
        tables.migrate(late, address)


def test_an_index_of_another_model_is_not_mixed_in(published, server, address, query):
    schema = address.schema
    ((manifest,),) = query(f"SELECT manifest FROM {schema}.state")
    changed = json.loads(manifest)
    changed["settings"]["embedder"] = {"name": "other", "fingerprint": "another"}
    changed["fingerprint"] = settings_fingerprint(changed["settings"])
    query(f"UPDATE {schema}.state SET manifest = %s, model = 'another'", json.dumps(changed))
    fails(published, "ask", QUESTION, says="was made with the model 'other'", **server)
    fails(published, "index", says="They cannot be mixed", **server)
    assert published.run("index", "--rebuild", **server).code == 0
    assert published.run("ask", QUESTION, **server).code == 0


def test_a_role_that_may_only_read_asks_and_does_not_publish(published, server, address, url):
    schema = address.schema
    run_sql(url, "DO $$ BEGIN CREATE ROLE reads LOGIN; EXCEPTION WHEN duplicate_object THEN END $$",
            f"GRANT USAGE ON SCHEMA {schema} TO reads",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reads")  # fmt: skip
    as_reader = server | {"ASKAI_STORE": url.replace("postgres@", "reads@")}
    assert published.run("ask", QUESTION, **as_reader).out.startswith(ANSWER)
    published.write("c.txt", "Something new.\n")
    fails(published, "index", says="does not allow this user to do that", **as_reader)
    run_sql(url, f"REVOKE SELECT ON {schema}.chunks FROM reads")
    fails(published, "ask", QUESTION, says="permission denied for table chunks", **as_reader)


def test_a_question_that_takes_too_long_is_given_up(address):
    with writing(address) as connection:
        tables.migrate(connection, address)
    with Snapshot(address) as snapshot:
        snapshot.rows("SELECT set_config('statement_timeout', '50', true)")
        with pytest.raises(StoreError, match="longer than its statement_timeout"):
            snapshot.rows("SELECT pg_sleep(5)")


def backend(snapshot):
    ((pid,),) = snapshot.rows("SELECT pg_backend_pid()")
    return pid


def test_a_connection_cut_in_the_middle_of_a_question_is_made_again(
    published, server, query, monkeypatch
):
    monkeypatch.chdir(published.folder)
    settings = settings_of(published, server)
    with open_askai(settings) as askai:
        before = askai.answerer.ask(QUESTION, k=5)
        snapshot = askai.catalog._snapshot
        query("SELECT pg_terminate_backend(%s)", backend(snapshot))
        after = askai.answerer.ask(QUESTION, k=5)
        assert (after.text, after.citations) == (before.text, before.citations)
        published.write("a.txt", "Nanjing has changed.\n")
        query("SELECT pg_terminate_backend(%s)", backend(snapshot))
        assert published.run("index", **server).code == 0
        with pytest.raises(IndexMismatch, match="replaced since: ask again"):
            askai.answerer.ask("Is Harbin known for its ice festival?", k=5)


class Cut:
    """Ends the publisher's connection when it is at its vectors, so many times."""

    def __init__(self, query, address, times):
        self.query, self.address, self.left = query, address, times

    def __call__(self, stage, done, _):
        if stage == "publishing vectors" and self.left and not done:
            self.left -= 1
            self.query(
                "SELECT pg_terminate_backend(l.pid) FROM pg_locks l "
                "WHERE locktype = 'advisory' AND granted AND objid = hashtext(%s)::oid::bigint",
                self.address.schema,
            )


def counts(query, schema):
    return [
        query(f"SELECT count(*) FROM {schema}.{table}")
        for table in ("sources", "chunks", "passage_vectors", "unit_vectors", "passage_tokens",
                      "terms", "postings", "state")
    ]  # fmt: skip


@pytest.mark.parametrize("times", [1, 2])
def test_a_publication_that_is_cut_is_done_again_as_a_whole_or_not_at_all(
    published, server, address, query, times
):
    before = counts(query, address.schema)
    published.write("c.txt", "Hefei is the capital of Anhui.\n\nIt is in the east.\n")
    assert published.run("index").code == 0
    settings = settings_of(published, server)
    if times == 1:
        assert publish(settings, progress=Cut(query, address, 1)).added == 1
        return
    with pytest.raises(StoreError, match="was lost; nothing was changed"):
        publish(settings, progress=Cut(query, address, 2))
    assert counts(query, address.schema) == before
    assert publish(settings).added == 1


def test_a_server_killed_in_mid_publication_loses_nothing_and_doubles_nothing(desk):
    own = PgServer()
    try:
        server = {"ASKAI_STORE": own.url(), "ASKAI_STORE_SCHEMA": "askai"}
        assert desk.run("index", **server).code == 0

        def query(statement, *parameters):
            with psycopg.connect(own.url(), autocommit=True) as connection:
                return connection.execute(statement, parameters).fetchall()

        def kill(stage, done, total):
            if stage == "publishing words" and not done:
                own.kill()

        before = counts(query, "askai")
        desk.write("c.txt", "Hefei is the capital of Anhui.\n\nIt is in the east.\n")
        desk.write("a.txt", "Nanjing has changed.\n")
        assert desk.run("index").code == 0
        with pytest.raises(StoreError):
            publish(settings_of(desk, server), progress=kill)
        own.start()
        assert counts(query, "askai") == before
        assert desk.run("ask", QUESTION, **server).out.startswith(ANSWER)
        assert (publish(settings_of(desk, server)).added, desk.run("index", **server).code) == (
            2,
            0,
        )
        after = counts(query, "askai")
        assert desk.run("index", ASKAI_STORE=own.url(), ASKAI_STORE_SCHEMA="new").code == 0
        assert counts(query, "new")[:5] == after[:5]
        assert "Hefei" in desk.run("ask", "What is the capital of Anhui?", **server).out
    finally:
        own.close()


def test_questions_go_to_a_replica_which_answers_on_when_the_primary_is_gone(desk):
    primary = PgServer()
    try:
        store = {"ASKAI_STORE": primary.url()}
        assert desk.run("index", **store).code == 0
        replica = PgServer(of=primary)
        try:
            both = store | {"ASKAI_STORE_READ": replica.url()}
            fails(desk, "index", "--rebuild", says="is a replica", ASKAI_STORE=replica.url())
            assert desk.run("index", "--rebuild", **both).code == 0
            until = time.monotonic() + 20
            while "still has" in (ran := desk.run("doctor", **both)).out:
                assert time.monotonic() < until
            assert "a replica: PostgreSQL" in ran.out
            primary.kill()
            assert desk.run("ask", QUESTION, **both).out.startswith(ANSWER)
            with psycopg.connect(replica.url(), autocommit=True) as connection:
                connection.execute("SELECT pg_promote()")
            desk.write("c.txt", "Hefei is the capital of Anhui.\n")
            promoted = {"ASKAI_STORE": replica.url()}
            assert "1 put in" in desk.run("index", **promoted).err
            assert "Hefei" in desk.run("ask", "What is the capital of Anhui?", **promoted).out
        finally:
            replica.close()
    finally:
        primary.close()


def test_a_second_publisher_is_told_who_is_first(published, server, address):
    with closing(address.connect("index")) as first:
        prepare(first, address, read_only=False)
        tables.lock(first, address)
        last = fails(published, "index", says="is being published to by askai index (", **server)
        assert "wait for it, or stop it" in last
        with pytest.raises(IndexLocked), writing(address) as second:
            tables.lock(second, address)
        other = Address(server["ASKAI_STORE"], "another_schema")
        with writing(other) as beside:
            tables.lock(beside, other)
    assert published.run("index", **server).code == 0


HOSTILE = "x'); DROP TABLE sources; --"


def test_hostile_names_and_titles_are_only_text(published, server, address, query):
    published.write(f"{HOSTILE}.txt", "Robert is a student of Hefei.\n")
    published.write("t.md", f"# {HOSTILE} %s %(a)s {{}}\n\nZhipu is a company of Beijing.\n")
    (published.corpus / "sources.toml").write_text(
        f'[[source]]\npath = "t.md"\ntitle = "{HOSTILE} \\\\"\n', "utf-8"
    )
    assert published.run("index", **server).code == 0
    for question in ("Is Robert a student of Hefei?", "Is Zhipu a company of Beijing?", HOSTILE):
        mine, its = (published.run("ask", question, "--json", **more) for more in ({}, server))
        one, other = (json.loads(ran.out) | {"timings_ms": 0} for ran in (mine, its))
        assert one == other
    option = ("--source", f"{HOSTILE}.txt")
    assert published.run("ask", "Is Robert a student of Hefei?", *option, **server).code == 0
    assert query(f"SELECT count(*) FROM {address.schema}.sources") == [(4,)]


def test_a_pool_gives_each_question_its_snapshot(published, server, address):
    with closing(address.pool(size=2)) as pool:
        for _ in range(5):
            with closing(open_published(Snapshot(address, pool))) as index:
                assert index.catalog().document_count() == 2
        assert pool.get_stats()["pool_size"] <= 2


def test_a_full_disk_on_the_server_leaves_what_was_there(desk, own_server):
    small = own_server.folder / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)]
    if not shutil.which("mount") or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("no right to mount a small file system")
    try:
        shutil.chown(small, own_server.user or None)
        with psycopg.connect(own_server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{small}'")
            connection.execute("CREATE DATABASE small TABLESPACE pg_default")
            connection.execute("ALTER DATABASE small SET default_tablespace = small")
        store = {"ASKAI_STORE": own_server.url("small")}
        assert desk.run("index", **store).code == 0
        text = "\n\n".join(f"Paragraph {n} is about {uuid.uuid4().hex * 9}." for n in range(2500))
        desk.write("large.txt", text)
        fails(desk, "index", says="The disk of", **store)
        assert desk.run("ask", QUESTION, **store).out.startswith(ANSWER)
        (desk.corpus / "large.txt").unlink()
        desk.write("c.txt", "Hefei is the capital of Anhui.\n")
        assert "1 put in" in desk.run("index", **store).err
    finally:
        with psycopg.connect(own_server.url(), autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS small WITH (FORCE)")
            connection.execute("DROP TABLESPACE IF EXISTS small")
        subprocess.run(["umount", str(small)], check=True)


def test_a_machine_without_the_extra_is_told_what_to_install(desk):
    code = "import sys; sys.modules['psycopg'] = None; from askai.cli import main; main()"
    environment = {"ASKAI_STORE": "postgresql://h/d"} | SOURCE
    for command in (("ask", QUESTION), ("status",), ("show", "a.txt")):
        with desk.start(sys.executable, "-c", code, *command, environment=environment) as process:
            _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert err.splitlines()[-1].endswith("not installed: pip install 'askai[postgres]'")
