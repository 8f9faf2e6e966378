"""Puts documents, their passages and their vectors into the tables, and takes documents out."""

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from itertools import islice
from typing import Any

from askai.embedders import Vectors
from askai.postgres.catalog import CHUNK_NAMES, SOURCE_NAMES, to_column
from askai.postgres.connection import Connection
from askai.postgres.texts import stored
from askai.publication import NewDocument
from askai.records import Chunk, Document
from askai.servers import Table
from askai.units import embedded_units

_BATCH = 200  # documents copied at a time
_NUMBERS = {"bytes", "start", "end"}
# A passage's path is its document's.
_CHUNK_NAMES = tuple(name for name in CHUNK_NAMES if name != "path")
_DELETED = (
    "DELETE FROM sources WHERE doc = ANY(%s)",  # and with them texts and chunks
    "DELETE FROM passage_vectors WHERE doc = ANY(%s)",
    "DELETE FROM unit_vectors WHERE doc = ANY(%s)",
)


def put_documents(connection: Connection, documents: Iterable[NewDocument]) -> None:
    """Copies documents in; raises psycopg's UniqueViolation for an id that is there already."""
    source_names = [*_quoted(SOURCE_NAMES)]
    sources = ["doc", "position", "key", "mtime_ns", "ctime_ns", *source_names]
    chunks = ["id", "doc", "place", "unit_count", *_quoted(n for n in _CHUNK_NAMES if n != "id")]
    waiting = iter(documents)
    while batch := list(islice(waiting, _BATCH)):
        copied(
            connection,
            "sources",
            sources,
            ["int4", "int8", "bytea", "int8", "int8", *_types(SOURCE_NAMES)],
            (_source_row(document) for document in batch),
        )
        texts = ((d.number, stored(d.document.text), _marks(d.document)) for d in batch)
        copied(connection, "texts", ["doc", "text", "marks"], ["int4", "text", "text"], texts)
        copied(
            connection,
            "chunks",
            chunks,
            ["text", "int4", "int4", "int4", *_types(n for n in _CHUNK_NAMES if n != "id")],
            (row for document in batch for row in _chunk_rows(document)),
        )


def put_vectors(
    connection: Connection,
    table: Table,
    batches: Iterable[tuple[Sequence[str], Sequence[int], Vectors]],
    *,
    epoch: int,
) -> int:
    """Copies vectors in, given as ids, their documents' numbers and an array of shape (n, dim);
    returns how many."""
    count = 0

    def rows() -> Iterator[tuple[Any, ...]]:
        nonlocal count
        for ids, documents, vectors in batches:
            count += len(ids)
            # As pgvector sends and takes them. Dumping arrays one by one is slower.
            head = struct.pack(">HH", vectors.shape[1], 0)
            numbers = vectors.astype(">f4")
            for id_, document, vector in zip(ids, documents, numbers, strict=True):
                yield stored(id_), document, epoch, head + vector.tobytes()

    types = ["text", "int4", "int4", "bytea"]  # of a field COPY sends its bytes and no type
    copied(connection, table, ["id", "doc", "epoch", "embedding"], types, rows())
    return count


def remove_documents(connection: Connection, numbers: Sequence[int]) -> None:
    """Everything of these documents but their words; see `postings`."""
    for statement in _DELETED:
        connection.execute(statement, (list(numbers),))


def copied(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    types: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> None:
    """COPY in binary, row by row; `table` and `columns` are our own names."""
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _quoted(names: Iterable[str]) -> Iterator[str]:
    """start and end are words of SQL."""
    return (f'"{name}"' for name in names)


def _types(names: Iterable[str]) -> list[str]:
    return ["int8" if name in _NUMBERS else "text" for name in names]


def _source_row(new: NewDocument) -> tuple[Any, ...]:
    source = new.document.source
    columns = (to_column(name, getattr(source, name), type(source)) for name in SOURCE_NAMES)
    return (new.number, new.position, new.key, new.mtime_ns, new.ctime_ns, *columns)


def _marks(document: Document) -> str:
    return json.dumps([astuple(mark) for mark in document.marks])


def _chunk_rows(new: NewDocument) -> Iterator[tuple[Any, ...]]:
    for place, chunk in enumerate(new.chunks):
        rest = (to_column(n, getattr(chunk, n), Chunk) for n in _CHUNK_NAMES if n != "id")
        yield stored(chunk.id), new.number, place, len(embedded_units(chunk)), *rest
