"""Many who ask while somebody publishes: no error, nothing stale, nothing half; and what counts
these sees them. `python -m benchmarks.postgres_load` is the same for a minute."""

import multiprocessing

import pytest
from benchmarks import postgres_load as loading

from engines.pg_server import PgServer

SECONDS = 3
DOCUMENTS = 40


@pytest.fixture(scope="module")
def second():
    server = PgServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(params=[1, 2], ids=["one server", "two shards"])
def editions(request, tmp_path, own_server, second):
    stores = [server.url() for server in (own_server, second)][: request.param]
    loading.drop(stores)
    yield loading.Editions(tmp_path, DOCUMENTS, stores)
    loading.drop(stores)


def test_nobody_sees_an_old_index_or_some_of_two_while_documents_are_edited(editions):
    load = loading.Load(editions.settings, clients=6, processes=0, seconds=SECONDS)
    found = loading.measured(editions, load, alone=False)["all"]
    assert (found["errors"], found["stale"], found["half"]) == (0, 0, 0), found["examples"]
    assert found["publications"] >= 2
    assert found["questions"] >= 10


def test_what_is_stale_half_or_wrong_would_be_counted(editions):
    current = multiprocessing.get_context("spawn").Value("l", 1)
    load = loading.Load(editions.settings, clients=2, processes=0, seconds=0.5)
    editions.publish(1)
    current.value = 2  # which nobody has published
    seen = loading.asked(load, current)
    assert seen.times
    assert len(seen.stale) == len(seen.times)
    assert not seen.half
    assert not seen.errors
    editions.publish(2, of=loading.EDITED // 2)
    current.value = 1
    assert loading.asked(load, current).half
    loading.drop(editions.settings.servers)
    seen = loading.asked(load, current)
    assert seen.errors
    assert not seen.times
    assert "No index" in seen.errors[0]
