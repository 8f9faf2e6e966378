"""Real servers for these tests: those of the wheels, or those that ASKAI_PG_DSN and
ASKAI_MILVUS_URI name.

A server that does not start is a failure, with its reason, and never a skip.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from askai.postgres.connection import Address
from conftest import Desk, made_desk, write_documents
from engines.milvus_kinds import drop_name
from engines.milvus_server import MilvusServer
from engines.pg_server import PgServer

DSN = os.environ.get("ASKAI_PG_DSN", "")
MILVUS = os.environ.get("ASKAI_MILVUS_URI", "")


@pytest.fixture(scope="session")
def own_server() -> Iterator[PgServer]:
    """One that may be stopped and killed."""
    server = PgServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    """The address of a database with pgvector, by a role that may do anything in it."""
    found = DSN or request.getfixturevalue("own_server").url()
    with psycopg.connect(found, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    return found


@pytest.fixture
def address(url: str) -> Iterator[Address]:
    """An empty schema, dropped afterwards."""
    schema = f"test_{uuid.uuid4().hex[:12]}"
    yield Address(url, schema)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '10s'")  # a snapshot that nobody closed
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is made once of dictionaries and models."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def desk(tmp_path: Path, cache: Path) -> Desk:
    """Two documents, and no index."""
    made = made_desk(tmp_path)
    made.environment["ASKAI_CACHE"] = str(cache)
    write_documents(made)
    return made


@pytest.fixture
def server(address: Address, url: str) -> dict[str, str]:
    """The variables that have askai use the server."""
    return {"ASKAI_STORE": url, "ASKAI_STORE_SCHEMA": address.schema}


@pytest.fixture
def published(desk: Desk, server: dict[str, str]) -> Desk:
    """A desk whose index is in a folder and on the server."""
    ran = desk.run("index", **server)
    assert ran.code == 0, ran.err
    assert "Published g-" in ran.err
    return desk


@pytest.fixture
def query(url: str):
    """Runs SQL in a transaction of its own."""

    def run(statement, *parameters):
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture(scope="session")
def own_milvus() -> Iterator[MilvusServer]:
    server = MilvusServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def milvus_url(request: pytest.FixtureRequest) -> str:
    """The address of a database, by a user who may do anything in it."""
    return MILVUS or request.getfixturevalue("own_milvus").url()


@pytest.fixture
def milvus_name(milvus_url: str) -> Iterator[str]:
    """Of collections, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    drop_name(milvus_url, name)


@pytest.fixture
def milvus(milvus_url: str, milvus_name: str) -> dict[str, str]:
    """The variables that have askai use the server."""
    return {"ASKAI_STORE": milvus_url, "ASKAI_STORE_SCHEMA": milvus_name}


@pytest.fixture
def on_milvus(desk: Desk, milvus: dict[str, str]) -> Desk:
    """A desk whose index is in a folder and on the server."""
    ran = desk.run("index", **milvus)
    assert ran.code == 0, ran.err
    assert "Published g-" in ran.err
    return desk
