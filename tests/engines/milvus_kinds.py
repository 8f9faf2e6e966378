"""The stores and word indexes of a Milvus with the interface of those in files, so that the same
contract tests run over both: what is made in memory is written to the server before it is read."""

import uuid
from contextlib import nullcontext
from dataclasses import replace

from askai.catalog import Catalog
from askai.lexical.block_updates import update_words
from askai.milvus.catalog import MilvusCatalog, things_of_document
from askai.milvus.collections import (
    TABLES,
    create_epoch,
    create_state,
    epoch_name,
    epoch_of,
    rows_of,
    state_name,
    vector_rows,
)
from askai.milvus.connection import Address
from askai.milvus.postings import MilvusWordTables
from askai.milvus.snapshot import Snapshot
from askai.milvus.state import Dead, State, write_state
from askai.milvus.vectors import MilvusVectors
from askai.milvus.words import MilvusWords
from askai.publication import NewDocument
from askai.stores.exact import ExactStore

NAMES = {}  # by the path that a test gives to what it makes
CLIENTS = {}  # by address: one for all tests, since Milvus has no transactions to end
FLAT = dict.fromkeys(TABLES, "FLAT")


def client_of(url):
    if url not in CLIENTS:
        CLIENTS[url] = Address(url, "none").connect()
    return CLIENTS[url]


def named(url, name):
    """The client of all tests, for the collections of this name."""
    client = client_of(url)
    client.address = Address(url, name)
    return client


def name_of(path):
    return NAMES.setdefault(str(path), f"test_{uuid.uuid4().hex[:12]}")


def a_state(number=1, **values):
    """One that shows everything."""
    whole = {
        "number": number, "generation": "g", "at": 0.0, "publisher": "test", "model": "m", "dim": 5,
        "epoch": 1, "next": 1 << 30, "passages": 0, "tokens": 0, "numbers": 0, "postings": 0,
        "found_by": {}, "parts": {}, "oldest": 1,
    }  # fmt: skip
    return State(**whole | values)


def emptied(url, name, *, dim=5):
    """A client, with collections that hold nothing."""
    client = named(url, name)
    create_state(client, name)
    create_epoch(client, name, 1, dim=dim, kinds=FLAT)
    return client


def drop_name(url, name):
    client = client_of(url)
    for collection in client.collections():
        if epoch_of(name, collection) is not None or collection == state_name(name):
            client.drop(collection)


def drop_all(url):
    for name in NAMES.values():
        drop_name(url, name)
    NAMES.clear()


class VectorsKind:
    """`MilvusVectors` that can be added to, as `askai.stores.Store`."""

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
        """A document for each time that it changes, of which the last alone is seen."""
        name = name_of(self.path)
        state = self.snapshot.state.number if self.snapshot else 0
        if self.dirty:
            client = named(self.url, name)
            if not state:
                emptied(self.url, name, dim=self.held._dim)
            ids = self.held.ids()
            rows = vector_rows(ids, [state] * len(ids), self.held.vectors(ids))
            client.put(epoch_name(name, 1, "passage_vectors"), rows)
            number = state + 1
            seen = a_state(number, next=number, dead=(), dim=self.held._dim)
            hidden = tuple(range(state))
            self.snapshot = Snapshot(client.address, client, state=without(seen, hidden))
            self.dirty = False
        return MilvusVectors(self.snapshot, "passage_vectors", dim=self.held._dim)

    def vectors(self, ids):
        return self.reader().vectors(ids)

    def search(self, vector, k, *, among=None):
        return self.reader().search(vector, k, among=among)

    def cosines(self, vector, ids):
        return self.reader().cosines(vector, ids)

    def __len__(self):
        return len(self.reader())

    def close(self):
        self.held.close()


def without(state, documents):
    return replace(state, dead=(Dead(state.number, 0.0, documents),) if documents else ())


def put_words(client, before, gone, new, **options):
    """A publication of words alone; returns a snapshot of what is there then."""
    number = before.state.number + 1 if before else 1
    rows = epoch_name(client.address.name, 1, "rows")
    tables = MilvusWordTables(client, rows, before, born=number, **options)
    update_words(tables, gone, new)
    passages, tokens, numbers = tables.written
    dead = before.state.dead if before else ()
    state = a_state(
        number, passages=passages, tokens=tokens, numbers=numbers, postings=tables.postings
    )
    documents = [*(d for one in dead for d in one.documents), *(gone or ())]
    return Snapshot(client.address, client, state=without(state, tuple(documents)))


class WordsKind:
    """`MilvusWords` built as `askai.lexical.LexicalIndex`."""

    url = ""

    @classmethod
    def build(cls, path, passages):
        name = name_of(path)
        client = emptied(cls.url, name)
        new = [(id_, 0, tokens) for id_, tokens in passages]
        snapshot = put_words(client, None, None, new)
        write_state(client, snapshot.state)
        return cls.open(path)

    @classmethod
    def open(cls, path):
        client = named(cls.url, name_of(path))
        return MilvusWords(Snapshot(client.address, client))


def catalog_on_server(url, path, local: Catalog):
    """What a catalogue in a file holds, on the server."""
    name = name_of(path)
    client = emptied(url, name)
    new = [
        NewDocument(n, n, b"", 0, 0, local.document(source.path), local.chunks_of(source.path))
        for n, source in enumerate(local.sources())
    ]
    rows = (row for one in new for row in rows_of(things_of_document(one, 1)))
    client.put(epoch_name(name, 1, "rows"), rows)
    return nullcontext(MilvusCatalog(Snapshot(client.address, client, state=a_state())))
