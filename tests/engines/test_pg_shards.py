"""An index in two shards, each a real server, answers as the one on one server and in the folder;
a shard that is lost, or has another publication, is never passed over in silence."""

import json
import random
import threading
import time
import uuid
from contextlib import closing

import psycopg
import pytest

from askai.embedders.hashing import HashingEmbedder
from askai.errors import AskaiError, IndexMismatch, IndexMissing, StoreError
from askai.postgres.connection import Address
from askai.postgres.opened import open_servers
from askai.postgres.sharded import open_shards
from askai.postgres.sharding import shard_of
from askai.recipes import publish
from conftest import ANSWER, QUESTION
from engines.pg_server import PgServer
from engines.test_pg_faults import fails, settings_of
from engines.test_pg_same import CHANGES, FILTERS, QUESTIONS, SOURCES, asked, rows

WORDS = ["river", "city", "ice", "lamp", "bridge", "robot", "cloud", "price", "winter", "plan"]
REPORTS = 12


@pytest.fixture(scope="module")
def second():
    server = PgServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def schema(own_server, second):
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    for server in (own_server, second):
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("SET lock_timeout = '10s'")  # what nobody closed
            connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
            connection.execute(f"DROP SCHEMA IF EXISTS {name}_b CASCADE")


@pytest.fixture
def shards(own_server, second, schema):
    """The variables that have askai use both servers."""
    return {"ASKAI_STORE": f"{own_server.url()} {second.url()}", "ASKAI_STORE_SCHEMA": schema}


@pytest.fixture
def parted(desk, shards):
    """A desk whose index is in a folder and in two shards."""
    choose = random.Random(7)  # noqa: S311
    for n in range(REPORTS):
        said = " ".join(choose.choices(WORDS, k=9))
        desk.write(f"m{n}.txt", f"Report {n} is of {said}.\n\nIt ends with {said[:20]}.\n")
    (desk.corpus / "sources.toml").write_text(SOURCES, "utf-8")
    ran = desk.run("index", **shards)
    assert ran.code == 0, ran.err
    return desk


def addresses(shards):
    return [Address(url, shards["ASKAI_STORE_SCHEMA"]) for url in shards["ASKAI_STORE"].split()]


def lost(shards, server):
    """The same shards, where the second cannot be reached."""
    first, _ = shards["ASKAI_STORE"].split()
    return shards | {"ASKAI_STORE": f"{first} postgresql://me:hunter2@127.0.0.1:1/gone"}


def check_same(desk, shards, questions=QUESTIONS):
    for question in questions:
        assert asked(desk, question, **shards) == asked(desk, question)


def test_two_shards_answer_as_the_folder_does(parted, shards):
    check_same(parted, shards)
    for option in FILTERS:
        mine, its = (asked(parted, QUESTION, *option, **more) for more in ({}, shards))
        assert mine == its
    for command in (("search", "ice on the river bridge", "--json"), ("show", "corpus/b.md"),
                    ("status", "--files"), ("doctor",)):  # fmt: skip
        mine, its = (parted.run(*command, **more) for more in ({}, shards))
        assert (mine.code, mine.err) == (its.code, its.err), its
        if command[0] != "doctor":
            both = ", ".join(address.masked for address in addresses(shards))
            assert its.out.replace(both, "index") == mine.out
    assert "14 documents" in its.out
    assert "already" in parted.run("index", **shards).err


def test_every_score_is_that_of_one_server_to_the_last_bit(parted, shards, own_server, schema):
    one = {"ASKAI_STORE": own_server.url(), "ASKAI_STORE_SCHEMA": f"{schema}_b"}
    assert parted.run("index", **one).code == 0
    embedder = HashingEmbedder()
    with open_servers(addresses(one)) as single, open_servers(addresses(shards)) as parts:
        assert all(index.catalog().document_count() for index in parts.parts())  # both have some
        mine, its = single.catalog(), parts.catalog()
        for name in ("sources", "states", "chunk_places", "languages", "chunk_counts",
                     "document_count", "chunk_count"):  # fmt: skip
            assert getattr(mine, name)() == getattr(its, name)(), name
        ids = [id_ for id_, *_ in mine.chunk_places()]
        units = [f"{id_}:{n}" for id_, _, _, count in mine.chunk_places() for n in range(count)]
        assert mine.chunks([*ids, "none"]) == its.chunks([*ids, "none"])
        for path in (source.path for source in mine.sources()):
            for name in ("document", "text", "source", "chunks_of"):
                assert getattr(mine, name)(path) == getattr(its, name)(path)
        with pytest.raises(KeyError):
            its.document("nowhere")
        for table, known in (("passage_vectors", ids), ("unit_vectors", units)):
            for text in (*WORDS, "Report 3 is of ice"):
                vector = embedder.embed_query(text)
                here, there = single.vectors(table), parts.vectors(table)
                assert len(here) == len(there) == len(known)
                for k in (1, 5, 100):
                    assert here.search(vector, k) == there.search(vector, k)
                    some = [*known[::3], "none"]
                    assert here.search(vector, k, among=some) == there.search(vector, k, among=some)
                assert (here.cosines(vector, some) == there.cosines(vector, some)).all()
                assert here.vectors(known).tolist() == there.vectors(known).tolist()
        with pytest.raises(KeyError):
            parts.vectors("unit_vectors").vectors(["none"])
        words, others = single.words(), parts.words()
        questions = [WORDS[:3], ["ice", "none"], [("ice", "winter"), "city"], ["report"], []]
        for question in questions:
            for k in (1, 4, 50):
                assert words.search(question, k) == others.search(question, k)
                assert words.search(question, k, among=ids[::2]) == others.search(
                    question, k, among=ids[::2]
                )
            assert words.ceiling(question) == others.ceiling(question)
        for term in (*WORDS, "none", ("ice", "winter"), ("none", "ice")):
            assert words.idf(term) == others.idf(term)
            assert (term in words) == (term in others)
        assert len(words) == len(others)
        assert all(words.tokens_of(id_) == others.tokens_of(id_) for id_ in ids)
        with pytest.raises(KeyError):
            others.tokens_of("none")


@pytest.mark.parametrize("changes", [list(CHANGES), ["deleted"], ["added in the middle"]], ids=str)
def test_an_update_of_shards_equals_a_first_publication(parted, shards, own_server, changes):
    assert parted.run("index", **shards).code == 0
    for name in changes:
        CHANGES[name](parted)
        if name == "renamed":
            parted.write("a.txt", "Nanjing again.\n")  # which the next change wants
    ran = parted.run("index", **shards)
    assert ran.code == 0, ran.err
    check_same(parted, shards, QUESTIONS[:3])
    schema = shards["ASKAI_STORE_SCHEMA"]
    assert parted.run("index", **shards | {"ASKAI_STORE_SCHEMA": f"{schema}_b"}).code == 0
    for url in shards["ASKAI_STORE"].split():
        assert rows(url, schema) == rows(url, f"{schema}_b")


def test_one_database_given_twice_is_not_two_shards(desk, shards):
    first = shards["ASKAI_STORE"].split()[0]
    mark = "&" if "?" in first else "?"
    twice = shards | {"ASKAI_STORE": f"{first} {first}{mark}connect_timeout=5"}
    fails(desk, "index", says="are the same database", **twice)


def test_a_shard_without_a_document_is_one_all_the_same(desk, shards):
    for name in ("a.txt", "b.md"):
        (desk.corpus / name).unlink()
    name = next(f"n{n}.txt" for n in range(99) if shard_of(f"n{n}.txt", 2) == 1)
    desk.write(name, f"{ANSWER}\n\nIt has 9 million people.\n")
    assert desk.run("index", **shards).code == 0
    check_same(desk, shards)
    assert desk.run("doctor", **shards).code == 0


def test_a_lost_shard_is_an_error_that_names_it(parted, shards, second):
    without = lost(shards, second)
    for command in (("ask", QUESTION), ("search", "ice"), ("status",)):
        said = fails(parted, *command, says="Shard 2 of 2: No connection to ", **without)
        assert "postgresql://me@127.0.0.1:1/gone: nothing listens there." in said
        assert "store_partial = true" in said
    parted.write("c.txt", "Hefei is the capital of Anhui.\n")
    fails(parted, "index", says="nothing listens there", **without)
    assert parted.run("ask", QUESTION, **shards).out.startswith(ANSWER)  # of the one before
    wrong = shards | {"ASKAI_STORE": shards["ASKAI_STORE"][:-8] + "nowhere",
                      "ASKAI_STORE_PARTIAL": "true"}  # fmt: skip
    fails(parted, "ask", QUESTION, says="Shard 2 of 2: No connection", **wrong)


def test_an_answer_without_a_lost_shard_says_that_it_is_partial(parted, shards, second):
    without = lost(shards, second) | {"ASKAI_STORE_PARTIAL": "true"}
    gone = "postgresql://me@127.0.0.1:1/gone"
    here = [s for s in ("a.txt", "b.md") if shard_of(s, 2) == 0]
    there = [f"m{n}.txt" for n in range(REPORTS) if shard_of(f"m{n}.txt", 2) == 1]
    assert there
    line = f"Incomplete: 1 of 2 parts of the index could not be asked ({gone})."
    for question in (QUESTION, "Who is Robert?"):
        ran = parted.run("ask", question, **without)
        assert ran.code in (0, 3), ran
        assert line in ran.out.splitlines()
        found = json.loads(parted.run("ask", question, "--json", **without).out)
        assert found["partial"] == {"shards": 2, "missing": [gone]}
        assert not {p["source"].removeprefix("corpus/") for p in found["passages"]} & set(there)
    assert "不完整" in parted.run("ask", "谁是罗伯特？", **without).out
    ran = parted.run("search", "ice", "--json", **without)
    assert json.loads(ran.out)["partial"]["missing"] == [gone]
    assert parted.run("search", "ice", **without).out.endswith(f"{line}\n")
    assert line in parted.run("status", **without).err
    told = fails(parted, "show", f"corpus/{there[0]}", says="which cannot be asked", **without)
    assert "belongs to shard 2 of 2, postgresql://me@127.0.0.1:1/gone" in told
    assert here
    for path in here:
        assert parted.run("show", f"corpus/{path}", **without).code == 0
        # The whole place may be a path, too: this one would be on the lost shard.
        place = next(p for n in range(2, 99) if shard_of(p := f"{path}#char=0-{n}", 2) == 1)
        assert parted.run("show", f"corpus/{place}", **without).code == 0
    whole = json.loads(parted.run("ask", QUESTION, "--json", **shards).out)
    assert whole["partial"] is None
    # What is on the lost shard is not taken for new.
    new = next(name for n in range(99) if shard_of(name := f"new{n}.txt", 2) == 0)
    parted.write(new, "It came later.")
    assert "1 file has changed since" in parted.run("ask", QUESTION, **without).err
    (parted.corpus / new).unlink()
    all_lost = {"ASKAI_STORE": "postgresql://127.0.0.1:1/a postgresql://127.0.0.1:1/b",
                "ASKAI_STORE_PARTIAL": "true"}  # fmt: skip
    fails(parted, "ask", QUESTION, says="Shard 1 of 2: No connection", **all_lost)


def test_a_server_that_lives_on_does_not_wait_for_a_lost_shard_with_every_question(shards, parted):
    first, other = addresses(shards)
    gone = Address("postgresql://127.0.0.1:1/gone_from_a_pool?connect_timeout=1", first.schema)
    with first.pool() as one, gone.pool() as nothing:
        took = []
        for _ in range(4):
            start = time.monotonic()
            with open_servers([first, gone], [one, nothing], partial=True) as index:
                assert index.partial.missing == (gone.masked,)
            took.append(time.monotonic() - start)
        assert took[0] >= 1
        assert max(took[1:]) < 0.9
        with pytest.raises(StoreError, match="within 1 seconds"):
            open_servers([first, gone], [one, nothing])
    with other.pool() as two, first.pool() as one:
        assert open_and_close([first, other], [one, two]) is None


def open_and_close(servers, pools):
    with open_servers(servers, pools, partial=True) as index:
        return index.partial


def test_another_number_or_order_of_shards_is_refused_until_they_are_parted_anew(
    parted, shards, own_server, second
):
    first, other = shards["ASKAI_STORE"].split()
    fewer = shards | {"ASKAI_STORE": first}
    turned = shards | {"ASKAI_STORE": f"{other} {first}"}
    for command in (("ask", QUESTION), ("index",)):
        said = fails(parted, *command, says="has shard 1 of 2, and by the addresses", **fewer)
        assert "`askai index --rebuild`" in said
        fails(parted, *command, says="it is shard 1 of 2", **turned)
    assert parted.run("index", "--rebuild", **fewer).code == 0
    check_same(parted, fewer, QUESTIONS[:2])
    fails(parted, "ask", QUESTION, says="has the whole index", **shards)
    fails(parted, "index", says="has the whole index", **shards)
    assert parted.run("index", "--rebuild", **turned).code == 0
    check_same(parted, turned, QUESTIONS[:2])
    assert parted.run("export", "out").code == 0
    fails(parted, "import", "out", says="it is shard 1 of 2", **shards)
    assert parted.run("import", "out", "--rebuild", **shards).code == 0
    check_same(parted, shards, QUESTIONS[:2])


def test_a_server_that_prepares_nothing_is_told_what_to_set(desk, own_server, schema):
    plain = PgServer(prepared=0)
    try:
        store = f"{own_server.url()} {plain.url()}"
        settings = {"ASKAI_STORE": store, "ASKAI_STORE_SCHEMA": schema}
        fails(desk, "index", says="max_prepared_transactions = 10", **settings)
        fails(desk, "ask", QUESTION, says="No index in the schema", **settings)
    finally:
        plain.close()


def prepared(server):
    with psycopg.connect(server.url(), autocommit=True) as connection:
        rows = connection.execute("SELECT gid FROM pg_prepared_xacts").fetchall()
        return [gid for (gid,) in rows]


class CutFirst:
    """Ends the publisher's connection to the first server when all is written, so many times."""

    def __init__(self, server, schema, times):
        self.server, self.schema, self.left, self.seen = server, schema, times, 0

    def __call__(self, stage, done, total):
        if stage == "publishing words" and done == total:
            self.seen += 1
            if self.seen % 2 == 0 and self.left:  # of the second shard
                self.left -= 1
                with psycopg.connect(self.server.url(), autocommit=True) as connection:
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = "
                        "'advisory' AND granted AND objid = hashtext(%s)::oid::bigint",
                        (self.schema,),
                    )


@pytest.mark.parametrize("times", [1, 2])
def test_a_publication_cut_before_it_is_decided_never_was(
    parted, shards, own_server, second, times
):
    """The second server has prepared all, the first is lost: the second takes it back."""
    schema = shards["ASKAI_STORE_SCHEMA"]
    for n in range(REPORTS):
        parted.write(f"m{n}.txt", f"Report {n} is edited.\n")
    before = [rows(url, schema) for url in shards["ASKAI_STORE"].split()]
    assert parted.run("index").code == 0
    settings = settings_of(parted, shards)
    cut = CutFirst(own_server, schema, times)
    if times == 1:
        assert publish(settings, progress=cut).changed
    else:
        with pytest.raises(StoreError, match="was lost"):
            publish(settings, progress=cut)
        assert len(prepared(second)) == 1  # it waits for whoever publishes next
        assert [rows(url, schema) for url in shards["ASKAI_STORE"].split()] == before
        with closing(open_shards(addresses(shards), patience=0)) as index:
            assert index.catalog().text("m0.txt").startswith("Report 0 is of")
        assert parted.run("index", **shards).code == 0
    assert prepared(second) == []
    check_same(parted, shards, [*QUESTIONS[:2], "Is report 3 edited?"])


SLOW = """
CREATE FUNCTION {0}.slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT OR UPDATE ON {0}.state
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {0}.slow();
"""


def test_a_server_killed_when_it_is_decided_gets_the_rest_later_and_is_not_mixed_in(
    parted, shards, own_server, second, schema
):
    """The first server has committed, the second is killed before it is told."""
    with psycopg.connect(own_server.url(), autocommit=True) as connection:
        connection.execute(SLOW.format(schema))  # its commit takes so long that another can die
    for n in range(REPORTS):
        parted.write(f"m{n}.txt", f"Report {n} is edited.\n")
    assert parted.run("index").code == 0
    told = []

    def publishes():
        try:
            publish(settings_of(parted, shards))
        except StoreError as error:
            told.append(str(error))

    publisher = threading.Thread(target=publishes)
    publisher.start()
    until = time.monotonic() + 20
    while not prepared(second):
        assert time.monotonic() < until
        time.sleep(0.02)
    second.kill()
    publisher.join(30)
    assert told
    assert "nothing listens there" in told[0]
    second.start()
    assert len(prepared(second)) == 1
    with pytest.raises(
        IndexMismatch, match=r"do not have the same publication .* run `askai index`"
    ):
        open_shards(addresses(shards), patience=0.2)
    ran = parted.run("index", **shards)
    assert ran.code == 0, ran.err
    assert "already" in ran.err
    assert prepared(second) == []
    check_same(parted, shards, [*QUESTIONS[:2], "Is report 3 edited?"])


def test_a_question_never_sees_some_of_each_publication(parted, shards):
    """One connection after another while all documents are edited again and again."""
    marks, stop, failed = set(), threading.Event(), []

    def reads():
        try:
            while not stop.is_set():
                with closing(open_shards(addresses(shards))) as index:
                    catalog = index.catalog()
                    seen = {catalog.text(f"m{n}.txt")[:12] for n in range(REPORTS)}
                    assert len(seen) == 1 or marks == set()
                    marks.update(seen)
        except (AskaiError, AssertionError) as error:
            failed.append(error)

    def edit(mark):
        for n in range(REPORTS):
            parted.write(f"m{n}.txt", f"Edition {mark:03} of report {n}.\n")
        assert parted.run("index", **shards).code == 0

    edit(0)
    reader = threading.Thread(target=reads)
    reader.start()
    for mark in range(1, 5):
        edit(mark)
    stop.set()
    reader.join(30)
    assert failed == []
    assert len(marks) >= 2


def test_a_shard_with_nothing_beside_one_that_is_published_is_named(parted, shards, schema):
    first, other = shards["ASKAI_STORE"].split()
    with pytest.raises(IndexMissing, match="Shard 2 of 2: No index in the schema"):
        open_shards([Address(first, schema), Address(other, f"{schema}_b")], patience=0.2)
