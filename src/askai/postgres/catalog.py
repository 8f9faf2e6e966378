"""The catalogue in PostgreSQL; see `askai.catalog_reader`."""

import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from askai.manifest import SourceState
from askai.postgres.connection import Snapshot
from askai.postgres.texts import read, stored
from askai.records import Chunk, Document, Mark, Source

TUPLES = {
    Chunk: frozenset({"heading", "header", "related", "units", "beside"}),
    Source: frozenset({"pages"}),
}  # kept as JSON
SOURCE_NAMES = tuple(field.name for field in fields(Source))
CHUNK_NAMES = tuple(field.name for field in fields(Chunk))
# A passage's path is its document's.
_SOURCE = ", ".join(f's."{name}"' for name in SOURCE_NAMES)
_CHUNK = ", ".join("s.path" if name == "path" else f'c."{name}"' for name in CHUNK_NAMES)
_FROM = "FROM chunks c JOIN sources s USING (doc)"
_REMEMBERED = 4096  # passages


class PostgresCatalog:
    """Reads what `rows.put_documents` wrote."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._known: dict[str, Chunk] = {}

    def chunks(self, ids: Iterable[str]) -> dict[str, Chunk]:
        wanted = list(dict.fromkeys(ids))
        known = self._known
        found = {id_: known[id_] for id_ in wanted if id_ in known}
        if new := [stored(id_) for id_ in wanted if id_ not in found]:
            query = f"SELECT {_CHUNK} {_FROM} WHERE c.id = ANY(%s)"
            for row in self._snapshot.rows(query, (new,)):
                chunk = _chunk(row)
                found[chunk.id] = chunk
        if len(known) > _REMEMBERED:
            self._known = {}
        self._known.update(found)
        return {id_: found[id_] for id_ in wanted if id_ in found}

    def chunks_of(self, path: str) -> list[Chunk]:
        query = f"SELECT {_CHUNK} {_FROM} WHERE s.path = %s ORDER BY c.place"
        return [_chunk(row) for row in self._snapshot.rows(query, (stored(path),))]

    def chunk_places(self) -> list[tuple[str, str, str | None, int]]:
        query = (
            f"SELECT c.id, s.path, c.language, c.unit_count {_FROM} ORDER BY s.position, c.place"
        )
        rows = self._snapshot.rows(query)
        return [
            (read(id_), read(path), language and read(language), units)
            for id_, path, language, units in rows
        ]

    def languages(self) -> dict[str, int]:
        rows = self._snapshot.rows(
            "SELECT coalesce(language, ''), count(*) FROM chunks GROUP BY 1 ORDER BY 1"
        )
        return {read(language): count for language, count in rows}

    def document(self, path: str) -> Document:
        rows = self._snapshot.rows(
            f"SELECT t.text, t.marks, {_SOURCE} FROM sources s JOIN texts t USING (doc) "  # noqa: S608
            "WHERE s.path = %s",
            (stored(path),),
        )
        for text, marks, *source in rows:
            return Document(
                _source(source), read(text), tuple(Mark(*mark) for mark in json.loads(marks))
            )
        raise KeyError(path)

    def text(self, path: str) -> str:
        query = "SELECT t.text FROM sources s JOIN texts t USING (doc) WHERE s.path = %s"
        for (text,) in self._snapshot.rows(query, (stored(path),)):
            return read(text)
        raise KeyError(path)

    def sources(self) -> list[Source]:
        query = f"SELECT {_SOURCE} FROM sources s ORDER BY position"  # noqa: S608
        return [_source(row) for row in self._snapshot.rows(query)]

    def source(self, path: str) -> Source:
        query = f"SELECT {_SOURCE} FROM sources s WHERE path = %s"  # noqa: S608
        for row in self._snapshot.rows(query, (stored(path),)):
            return _source(row)
        raise KeyError(path)

    def states(self) -> list[SourceState]:
        """The files that the index was made of, as `manifest.read_sources` has them."""
        rows = self._snapshot.rows(
            "SELECT path, sha256, bytes, mtime_ns, ctime_ns FROM sources ORDER BY position"
        )
        return [SourceState(read(path), read(sha256), *rest) for path, sha256, *rest in rows]

    def positions(self) -> dict[str, int]:
        """For every source a number that orders them, over all shards."""
        rows = self._snapshot.rows("SELECT path, position FROM sources")
        return {read(path): position for path, position in rows}

    def document_count(self) -> int:
        ((count,),) = self._snapshot.rows("SELECT count(*) FROM sources")
        return int(count)

    def chunk_count(self) -> int:
        ((count,),) = self._snapshot.rows("SELECT count(*) FROM chunks")
        return int(count)

    def chunk_counts(self) -> dict[str, int]:
        query = f"SELECT s.path, count(*) {_FROM} GROUP BY s.path ORDER BY s.path"
        return {read(path): count for path, count in self._snapshot.rows(query)}


def to_column(name: str, value: Any, record: type[Chunk | Source]) -> Any:
    """A field of a record as its column holds it."""
    if name in TUPLES[record]:
        return json.dumps(value)
    return stored(value) if isinstance(value, str) else value


def _chunk(row: Iterable[Any]) -> Chunk:
    return Chunk(**_values(Chunk, CHUNK_NAMES, row))


def _source(row: Iterable[Any]) -> Source:
    return Source(**_values(Source, SOURCE_NAMES, row))


def _values(
    record: type[Chunk | Source], names: tuple[str, ...], row: Iterable[Any]
) -> dict[str, Any]:
    values = dict(zip(names, row, strict=True))
    for name, value in values.items():
        if name in TUPLES[record]:
            values[name] = _as_tuples(json.loads(value)) if value != "[]" else ()
        elif isinstance(value, str):
            values[name] = read(value)
    return values


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
