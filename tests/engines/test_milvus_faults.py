"""What is wrong with a Milvus, or goes wrong on the way, is said in a sentence without a
token; what it held stays whole."""

import os
import signal
import sys
import time
from concurrent import futures
from contextlib import closing
from dataclasses import asdict, replace
from itertools import pairwise

import grpc
import pytest
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.db import MilvusLite
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2_grpc

from askai.errors import AskaiError, IndexLocked, StoreError
from askai.milvus.collections import POSTINGS, TEXT, epoch_name, state_name
from askai.milvus.connection import Address
from askai.milvus.lease import Lease
from askai.milvus.publish import Limits
from askai.milvus.state import read_state, write_state
from conftest import ANSWER, QUESTION
from engines.milvus_kinds import client_of, drop_name, named
from engines.milvus_server import MilvusServer
from engines.test_milvus_same import NOW, published_now, rows, seen
from engines.test_pg_doctor import checks
from engines.test_pg_faults import WORD, fails


@pytest.mark.parametrize(
    ("store", "says"),
    [
        (f"milvus://me:{WORD}@127.0.0.1:1/d", "milvus://me@127.0.0.1:1/d: nothing listens"),
        (f"milvus://me:{WORD}@no.such.host.invalid/d", "there is no host of that name"),
        (f"milvus://me:{WORD}@[::1/d", "The store's address cannot be read"),
        (f"milvus://me:{WORD}@h:port/d", "The store's address cannot be read"),
        (f"milvus://me:{WORD}@h/d?no_such_option=1", "The store's address cannot be read"),
        (f"milvus://me:{WORD}@h/d?ca_pem_path=x", "The store's address cannot be read"),
        (f"milvus://me:{WORD}@h/d?secure=maybe", "The store's address cannot be read"),
        (f"milvus://me:{WORD}@h/two/parts", "The store's address cannot be read"),
        (f"milvus://me:{WORD}@/d", "The store's address cannot be read"),
    ],
    ids=[
        "closed",
        "no host",
        "no address",
        "no port",
        "option",
        "half a certificate",
        "secure",
        "path",
        "nowhere",
    ],
)
def test_a_wrong_address_is_told_without_its_password(desk, store, says):
    fails(desk, "ask", QUESTION, says=says, ASKAI_STORE=store, MILVUS_TOKEN=f"x:{WORD}")


class Guard(grpc.ServerInterceptor):
    """Asks for a token as Milvus does, which Milvus Lite does not."""

    def __init__(self, token):
        import base64

        self.wanted = base64.b64encode(token.encode()).decode()

        def refuse(_, context):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "auth check failure, please check")

        self.refusal = grpc.unary_unary_rpc_method_handler(refuse)

    def intercept_service(self, continuation, details):
        given = dict(details.invocation_metadata).get("authorization")
        return continuation(details) if given == self.wanted else self.refusal


@pytest.fixture
def guarded(tmp_path):
    """A Milvus Lite behind a door."""
    server = grpc.server(futures.ThreadPoolExecutor(4), interceptors=[Guard("me:right")])
    with closing(MilvusLite(str(tmp_path / "lite"))) as database:
        milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(database), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait(10)


def test_a_wrong_token_is_refused_and_a_right_one_is_not_told(desk, guarded):
    store = {"ASKAI_STORE": f"milvus://{guarded}/default"}
    says = "it refuses the user, the password or the token"
    fails(desk, "index", says=says, **store, MILVUS_TOKEN=f"me:{WORD}")
    fails(desk, "ask", QUESTION, says=says, ASKAI_STORE=f"milvus://me:{WORD}@{guarded}/default")
    fails(desk, "ask", QUESTION, says=says, **store)
    token = {"MILVUS_TOKEN": "me:right"}
    assert desk.run("index", **store, **token).code == 0
    right = {"ASKAI_STORE": f"milvus://me:right@{guarded}"}
    for command in (("ask", QUESTION), ("status",), ("doctor",), ("index",)):
        ran = desk.run(*command, **right)
        assert (ran.code, "right" in ran.out + ran.err) == (0, False), ran


def test_a_publisher_that_may_not_write_is_told_so(on_milvus, milvus, monkeypatch):
    client = named(milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"])

    def refuses(*_, **__):
        raise MilvusException(65535, "permission deny")

    monkeypatch.setattr(client.raw, "upsert", refuses)
    with pytest.raises(StoreError), Lease(client):
        pytest.fail("it holds the lease")


def test_a_database_that_is_not_there(desk, milvus_url):
    other = milvus_url.rpartition("/")[0] + "/nowhere"
    for command in (("ask", QUESTION), ("index",)):
        fails(desk, *command, says="it has no such database", ASKAI_STORE=other)


def test_an_empty_server_says_how_to_begin(desk, milvus):
    fails(desk, "ask", QUESTION, says="No index of the name", **milvus)
    assert not desk.index.exists()


def changed_state(milvus, **values):
    """Writes a state after the current one."""
    client = named(milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"])
    state = read_state(client)
    write_state(client, replace(state, number=state.number + 1, **values))
    return state


def test_collections_of_another_version(on_milvus, milvus):
    url, name = milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"]
    before = changed_state(milvus, version=99)
    for command in (("ask", QUESTION), ("index",), ("index", "--rebuild")):
        fails(on_milvus, *command, says="version 99, this askai knows version 1", **milvus)
    write_state(named(url, name), replace(before, number=before.number + 2, version=0))
    for command in (("ask", QUESTION), ("index",)):
        fails(on_milvus, *command, says="run `askai index --rebuild`", **milvus)
    assert on_milvus.run("index", "--rebuild", **milvus).code == 0
    assert on_milvus.run("ask", QUESTION, **milvus).out.startswith(ANSWER)


def test_an_index_of_another_model_is_not_mixed_in(on_milvus, milvus):
    changed_state(milvus, model="another")
    fails(on_milvus, "index", says="They cannot be mixed", **milvus)
    assert on_milvus.run("index", "--rebuild", **milvus).code == 0
    assert on_milvus.run("ask", QUESTION, **milvus).code == 0


KILLED = """
import os, signal
from pathlib import Path
from askai.recipes import publish
from askai.settings import load_settings
def tell(stage, done, total):
    if stage == {stage!r} and done == total:
        os.kill(os.getpid(), signal.SIGKILL)
publish(load_settings(folder=Path(), environment=os.environ, options={{}}), progress=tell)
"""


def killed(desk, milvus, stage):
    code = KILLED.format(stage=stage)
    with desk.start(sys.executable, "-c", code, environment=milvus) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err


@pytest.mark.parametrize("stage", ["publishing vectors", "publishing words"])
def test_a_publication_that_is_killed_leaves_what_was_there(on_milvus, milvus, stage):
    url, name = milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"]
    for n in range(9):
        on_milvus.write(f"m{n}.txt", f"Report {n} is about nothing in particular.\n")
    assert on_milvus.run("index", **milvus).code == 0
    before, held = seen(url, name), rows(url, name)
    on_milvus.write("c.txt", "Hefei is the capital of Anhui.\n\nIt is in the east.\n")
    on_milvus.write("a.txt", "Nanjing has changed.\n")
    assert on_milvus.run("index").code == 0
    killed(on_milvus, milvus, stage)
    assert rows(url, name) != held  # it had begun
    assert seen(url, name) == before
    assert on_milvus.run("doctor", **milvus).out.count("agree")
    assert published_now(on_milvus, milvus).added == 2
    fresh = milvus | {"ASKAI_STORE_SCHEMA": f"{name}_b"}
    try:
        published_now(on_milvus, fresh)
        assert seen(url, name) == seen(url, f"{name}_b")
    finally:
        drop_name(url, f"{name}_b")
    assert checks(on_milvus, milvus)[1]["index on the server"]["state"] == "good"


def test_a_first_publication_that_is_killed_is_as_none(desk, milvus):
    assert desk.run("index").code == 0
    killed(desk, milvus, "publishing words")
    fails(desk, "ask", QUESTION, says="No index of the name", **milvus)
    assert desk.run("index", **milvus).code == 0
    assert desk.run("ask", QUESTION, **milvus).out.startswith(ANSWER)
    assert len(rows(milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"])["epochs"]) == 1


def test_a_server_that_is_killed_and_comes_back_has_the_publication_go_on(desk):
    own = MilvusServer()
    try:
        milvus = {"ASKAI_STORE": own.url(), "ASKAI_STORE_SCHEMA": "askai"}
        assert desk.run("index", **milvus).code == 0

        def kill(stage, done, _):
            if stage == "publishing words" and not done:
                own.kill()
                own.start()

        desk.write("c.txt", "Hefei is the capital of Anhui.\n\nIt is in the east.\n")
        assert desk.run("index").code == 0
        assert published_now(desk, milvus, limits=Limits(), progress=kill).added == 1
        assert "Hefei" in desk.run("ask", "What is the capital of Anhui?", **milvus).out
        assert checks(desk, milvus)[0] == 0
    finally:
        own.close()


def test_a_second_publisher_is_told_who_is_first(on_milvus, milvus):
    url, name = milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"]
    with Address(url, name).connect() as client, Lease(client, seconds=10, beat=0.2):
        on_milvus.write("c.txt", "Something new.\n")
        last = fails(on_milvus, "index", says="is being published to by ", **milvus)
        assert f"(process {os.getpid()}) since" in last
        assert "wait for it, or stop it" in last
    assert on_milvus.run("index", **milvus).code == 0


def test_of_two_that_begin_at_once_no_more_than_one_goes_on(milvus_url, on_milvus, milvus):
    name = milvus["ASKAI_STORE_SCHEMA"]

    def begin(_):
        with Address(milvus_url, name).connect() as client:
            try:
                with Lease(client, seconds=3, beat=0.1):
                    began = time.monotonic()
                    time.sleep(0.5)
                    return began, time.monotonic()
            except IndexLocked:
                return None

    with futures.ThreadPoolExecutor(4) as pool:
        held = sorted(span for span in pool.map(begin, range(4)) if span)
    assert all(one[1] <= other[0] for one, other in pairwise(held))
    client = named(milvus_url, name)
    assert client.query(state_name(name), "kind == 1", ["key"]) == []


def test_what_a_publisher_elsewhere_has_left_is_taken_over_after_a_while(on_milvus, milvus):
    url, name = milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"]
    client = named(url, name)
    left = Lease(client, seconds=1, beat=0.1)
    left._raise()
    on_milvus.write("c.txt", "Something new.\n")
    assert on_milvus.run("index").code == 0
    began = time.monotonic()
    assert published_now(on_milvus, milvus).added == 1
    assert time.monotonic() - began >= NOW.lease


def test_a_publisher_that_slept_for_long_writes_no_more(milvus_url, on_milvus, milvus):
    name = milvus["ASKAI_STORE_SCHEMA"]
    client = Address(milvus_url, name).connect()
    with client, Lease(client, seconds=0.9, beat=9) as lease:
        lease.check()
        time.sleep(0.7)
        with pytest.raises(StoreError, match="so another may have begun"):
            client.delete(state_name(name), "number < 0")


DAMAGES = {
    "a document is gone": ("rows", f"kind == {TEXT}", "index on the server", "texts are 0"),
    "postings are gone": ("rows", f"kind == {POSTINGS}", "index on the server", "postings are 0"),
    "vectors are gone": ("unit_vectors", "doc >= 0", "index on the server", "vectors are 0"),
    "a part is gone": ("rows", "doc < 0 and part == 0", "server", "is missing in"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_damaged_is_named_with_its_remedy(on_milvus, milvus, damage):
    what, where, name, says = damage
    client = named(milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"])
    epoch = read_state(client).epoch
    client.delete(epoch_name(milvus["ASKAI_STORE_SCHEMA"], epoch, what), where)
    code, found = checks(on_milvus, milvus)
    assert (code, found[name]["state"]) == (1, "wrong")
    assert says in found[name]["found"]
    assert found[name]["remedy"]


def test_a_collection_that_is_gone_is_named(on_milvus, milvus):
    url, name = milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"]
    client_of(url).drop(epoch_name(name, 1, "passage_vectors"))
    assert "passage_vectors" in checks(on_milvus, milvus)[1]["server"]["found"]
    fails(on_milvus, "ask", QUESTION, says="is gone", **milvus)
    assert on_milvus.run("index", "--rebuild", **milvus).code == 0
    assert on_milvus.run("ask", QUESTION, **milvus).out.startswith(ANSWER)


def test_a_replica_is_held_against_its_primary(on_milvus, milvus):
    both = milvus | {"ASKAI_STORE_READ": milvus["ASKAI_STORE"]}
    code, found = checks(on_milvus, both)
    assert (code, found["replica"]["state"]) == (0, "good")


def test_many_vectors_are_found_by_an_index_that_is_measured(on_milvus, milvus):
    """What is few for a server is many here."""
    kinds = ["abc", "bcd", "cde", "def", "efg"]
    paragraphs = [f"Number {n} of {kinds[n % 5]} is in {n * 37 % 101}." for n in range(60)]
    on_milvus.write("many.txt", "\n\n".join(paragraphs))
    on_milvus.write("most.txt", "\n\n".join(reversed(paragraphs)))
    assert on_milvus.run("index").code == 0
    limits = replace(NOW, exact=20)
    url, name = milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"]
    published_now(on_milvus, milvus, limits=limits)
    state = read_state(named(url, name))
    kinds = {table: found["kind"] for table, found in state.found_by.items()}
    assert (state.epoch, kinds["unit_vectors"]) == (2, "hnsw")
    assert state.found_by["unit_vectors"]["recall"] >= 0.97
    assert "hnsw, recall@10 " in checks(on_milvus, milvus)[1]["recall on the server"]["found"]
    assert on_milvus.run("ask", QUESTION, **milvus).out.startswith(ANSWER)
    # Where the index does not find enough, all are looked at.
    published_now(on_milvus, milvus, limits=replace(limits, enough=1.1), replace=True)
    found = read_state(named(url, name)).found_by["unit_vectors"]
    assert (found["kind"], found["recall"], found["sample"]) == ("flat", 1.0, 50)
    assert on_milvus.run("ask", QUESTION, **milvus).out.startswith(ANSWER)


def test_a_state_is_read_as_it_was_written(on_milvus, milvus):
    before = changed_state(milvus, generation="another")
    after = read_state(named(milvus["ASKAI_STORE"], milvus["ASKAI_STORE_SCHEMA"]))
    assert asdict(after) == asdict(before) | {"generation": "another", "number": before.number + 1}


def test_a_machine_without_the_extra_is_told_what_to_install(desk):
    code = "import sys; sys.modules['pymilvus'] = None; from askai.cli import main; main()"
    for command in (("ask", QUESTION), ("status",)):
        environment = {"ASKAI_STORE": "milvus://h/d"}
        with desk.start(sys.executable, "-c", code, *command, environment=environment) as process:
            _, err = process.communicate(timeout=60)
        assert process.returncode == 1, err
        assert err.splitlines()[-1].endswith("not installed: pip install 'askai[milvus]'")


def test_errors_are_those_of_askai(milvus_url):
    client = named(milvus_url, "none")
    with pytest.raises(AskaiError, match="is gone"):
        client.query("none_at_all", "a == 1", ["a"])
    with pytest.raises(AskaiError, match="says: "):
        client.create("none", None, None)
