"""The stores and word indexes of a server with the interface of those in files, so that the same
contract tests run over both: what is made in memory is written to the server before it is read."""

import uuid
from contextlib import closing

import psycopg

from askai.catalog import Catalog
from askai.postgres import tables
from askai.postgres.catalog import PostgresCatalog
from askai.postgres.connection import Address, Snapshot, prepare
from askai.postgres.postings import update_words
from askai.postgres.rows import put_documents, put_vectors
from askai.postgres.vectors import PostgresVectors
from askai.postgres.words import PostgresWords
from askai.publication import NewDocument
from askai.stores.exact import ExactStore

OPENED = []  # snapshots, which tests of files need not close
SCHEMAS = {}  # by the path that a test gives to what it makes


def address_of(url, path):
    schema = SCHEMAS.setdefault(str(path), f"test_{uuid.uuid4().hex[:12]}")
    return Address(url, schema)


def emptied(address):
    """A connection in a transaction, with tables that hold nothing."""
    connection = address.connect("test")
    prepare(connection, address, read_only=False)
    tables.migrate(connection, address)
    for table in ("sources", "passage_vectors", "unit_vectors", "passage_tokens", "postings",
                  "terms", "totals"):  # fmt: skip
        connection.execute(f"DELETE FROM {table}")
    return connection


def snapshot_of(address):
    OPENED.append(Snapshot(address))
    return OPENED[-1]


def drop_all(url):
    while OPENED:
        OPENED.pop().close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '10s'")  # a snapshot that nobody closed
        for schema in SCHEMAS.values():
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    SCHEMAS.clear()


class VectorsKind:
    """`PostgresVectors` that can be added to, as `askai.stores.Store`."""

    url = ""

    def __init__(self, path, held):
        self.path, self.held, self.dirty = path, held, True
        self.snapshot = None

    @classmethod
    def create(cls, path, *, dim):
        return cls(path, ExactStore.create(path, dim=dim))

    @classmethod
    def open(cls, path):
        return cls(path, ExactStore.open(path))

    def add(self, ids, vectors):
        self.held.add(ids, vectors)
        self.dirty = True

    def delete(self, ids):
        self.held.delete(ids)
        self.dirty = True

    def flush(self):
        self.held.flush()

    def reader(self):
        if self.dirty:
            self.forget()
            address = address_of(self.url, self.path)
            ids = self.held.ids()
            with closing(emptied(address)) as connection:
                batches = [(ids, [0] * len(ids), self.held.vectors(ids))] if ids else []
                put_vectors(connection, "passage_vectors", batches, epoch=0)
                connection.commit()
            self.snapshot, self.dirty = snapshot_of(address), False
        return PostgresVectors(self.snapshot, "passage_vectors", dim=self.held._dim)

    def vectors(self, ids):
        return self.reader().vectors(ids)

    def search(self, vector, k, *, among=None):
        return self.reader().search(vector, k, among=among)

    def cosines(self, vector, ids):
        return self.reader().cosines(vector, ids)

    def __len__(self):
        return len(self.reader())

    def forget(self):
        if self.snapshot:
            self.snapshot.close()
            self.snapshot = None

    def close(self):
        self.forget()
        self.held.close()


class WordsKind:
    """`PostgresWords` built as `askai.lexical.LexicalIndex`."""

    url = ""

    @classmethod
    def build(cls, path, passages):
        passages = list(passages)
        address = address_of(cls.url, path)
        with closing(emptied(address)) as connection:
            update_words(connection, None, [(id_, 0, tokens) for id_, tokens in passages])
            connection.commit()
        return cls.open(path)

    @classmethod
    def open(cls, path):
        return Closing(snapshot_of(address_of(cls.url, path)))


class Closing(PostgresWords):
    """Closes its snapshot, which in askai belongs to whoever opened the index."""

    def __init__(self, snapshot):
        super().__init__(snapshot)
        self.snapshot = snapshot

    def close(self):
        self.snapshot.close()


class ClosingCatalog(PostgresCatalog):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._snapshot.close()


def catalog_on_server(url, path, local: Catalog):
    """What a catalogue in a file holds, on the server."""
    address = address_of(url, path)
    with closing(emptied(address)) as connection:
        sources = local.sources()
        new = [
            NewDocument(n, n, b"", 0, 0, local.document(source.path), local.chunks_of(source.path))
            for n, source in enumerate(sources)
        ]
        put_documents(connection, new)
        connection.commit()
    return ClosingCatalog(snapshot_of(address))
