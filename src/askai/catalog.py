"""The catalogue of one generation: every source, its text and marks, and its passages, in SQLite.

Written once, then only read, by any number of threads and processes. Text comes back as it went
in, to the last code point (NUL, lone CR and U+FEFF included).
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, Self
from zlib import crc32

from askai.errors import IndexDamaged, IndexMismatch
from askai.records import Chunk, Document, Mark, Source
from askai.units import KEY

# The columns are the fields of the records. Brackets, because SQLite takes a name in double quotes
# that it does not know for a string.
SOURCE_COLUMNS = ", ".join(f"[{field.name}]" for field in fields(Source))
CHUNK_COLUMNS = ", ".join(f"[{field.name}]" for field in fields(Chunk))
TUPLES = {field.name for field in fields(Chunk) if field.default == ()}  # kept as JSON
SOURCE_TUPLES = {field.name for field in fields(Source) if field.default == ()}

TABLES = f"""
CREATE TABLE sources (position INTEGER PRIMARY KEY, {SOURCE_COLUMNS}, mtime_ns);
CREATE UNIQUE INDEX sources_by_path ON sources (path);
CREATE TABLE texts (position INTEGER PRIMARY KEY, text, marks, words);
CREATE TABLE chunks (position INTEGER PRIMARY KEY, {CHUNK_COLUMNS}, vector_key, unit_keys);
CREATE TABLE words (word PRIMARY KEY, chunks) WITHOUT ROWID;
CREATE UNIQUE INDEX chunks_by_id ON chunks (id);
CREATE INDEX chunks_by_path ON chunks (path);
"""
_NAMES = {record: tuple(field.name for field in fields(record)) for record in (Chunk, Source)}
VERSION = crc32(TABLES.encode()) >> 1  # SQLite's user_version: 31 bits, and 0 when never set
TextKeys = tuple[str, bytes, bytes]  # see `Catalog.text_keys`
_REMEMBERED = 4096  # chunks, of some kilobytes each: questions come to the same ones again
BATCH = 500  # SQLite takes 999 parameters in a statement, or more


class Catalog:
    """Reads a catalogue that a `CatalogWriter` closed; raises IndexDamaged when it cannot."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._path = path
        self._database = database
        self._lock = Lock()
        self._known: dict[str, Chunk] = {}

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens `path` without locks, journal or a single write, so a read-only folder will do."""
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        try:
            database = sqlite3.connect(uri, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            damaged_catalog(path, error)
        catalog = cls(path, database)
        try:
            catalog._check_version()
        except BaseException:
            database.close()
            raise
        return catalog

    def _check_version(self) -> None:
        ((version,),) = self._rows("PRAGMA user_version")
        if version == 0:
            damaged_catalog(self._path, "it is not a catalogue")
        if version != VERSION:
            raise IndexMismatch(
                f"{self._path} has tables {version:08x}, this askai reads tables {VERSION:08x}: "
                "run `askai index --rebuild`."
            )

    def _rows(self, query: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._database.execute(query, parameters).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            damaged_catalog(self._path, error)

    def chunks(self, ids: Iterable[str]) -> dict[str, Chunk]:
        """The chunks by id, in the order of `ids`; an id that is not there is left out."""
        wanted = list(dict.fromkeys(ids))
        known = self._known  # of its own, should another thread begin a new one
        found = {id_: known[id_] for id_ in wanted if id_ in known}
        new = [id_ for id_ in wanted if id_ not in found]
        for first in range(0, len(new), BATCH):
            batch = tuple(new[first : first + BATCH])
            marks = ", ".join("?" * len(batch))
            query = f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE id IN ({marks})"  # noqa: S608
            for row in self._rows(query, batch):
                chunk = self._chunk(row)
                found[chunk.id] = chunk
        if len(known) > _REMEMBERED:
            self._known = {}
        self._known.update(found)
        return {id_: found[id_] for id_ in wanted if id_ in found}

    def all_chunks(self) -> Iterator[Chunk]:
        """Every chunk, in the order of the documents and of the chunks in them."""
        after = 0
        query = f"SELECT position, {CHUNK_COLUMNS} FROM chunks WHERE position > ? ORDER BY position LIMIT {BATCH}"  # noqa: E501, S608
        while rows := self._rows(query, (after,)):
            yield from (self._chunk(row[1:]) for row in rows)
            after = rows[-1][0]

    def chunks_of(self, path: str) -> list[Chunk]:
        """The chunks of one document, in their order; none for an unknown path."""
        query = f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE path = ? ORDER BY position"  # noqa: S608
        return [self._chunk(row) for row in self._rows(query, (path,))]

    def _chunk(self, row: tuple[Any, ...]) -> Chunk:
        return Chunk(**self._with_tuples(Chunk, row, TUPLES))

    def _with_tuples(
        self, record: type[Chunk | Source], row: tuple[Any, ...], tuples: set[str]
    ) -> dict[str, Any]:
        values = dict(zip(_NAMES[record], row, strict=True))
        for name in tuples:
            values[name] = _as_tuples(self._json(values[name])) if values[name] != "[]" else ()
        return values

    def _json(self, text: str) -> list[Any]:
        try:
            value = json.loads(text)
        except ValueError as error:
            damaged_catalog(self._path, error)
        if not isinstance(value, list):
            damaged_catalog(self._path, f"{text!r} is no list")
        return value

    def text_keys(self) -> list[TextKeys]:
        """For every chunk its id, the `units.vector_key` of it, and those of its units as one."""
        return self._rows("SELECT id, vector_key, unit_keys FROM chunks ORDER BY position")

    def chunk_places(self) -> list[tuple[str, str, str | None, int]]:
        """For every chunk its id, the path of its document, its language, and how many of its units
        have vectors of their own."""
        columns = f"id, path, language, length(unit_keys) / {KEY}"
        return self._rows(f"SELECT {columns} FROM chunks ORDER BY position")  # noqa: S608

    def word_counts(self) -> dict[str, int]:
        """In how many chunks each word stands, see `vocabulary.word_counts`."""
        return dict(self._rows("SELECT word, chunks FROM words"))

    def languages(self) -> dict[str, int]:
        """How many chunks are in each language; "" where it is not known."""
        return dict(self._rows("SELECT coalesce(language, ''), count(*) FROM chunks GROUP BY 1"))

    def document(self, path: str) -> Document:
        """The document with its text and marks; raises KeyError for an unknown path."""
        query = "SELECT text, marks FROM texts NATURAL JOIN sources WHERE path = ?"
        source = self.source(path)
        ((text, marks),) = self._rows(query, (path,))
        return Document(source, text, tuple(Mark(*mark) for mark in self._json(marks)))

    def text(self, path: str) -> str:
        """The text of a document; raises KeyError for an unknown path."""
        for (text,) in self._rows(
            "SELECT text FROM texts NATURAL JOIN sources WHERE path = ?", (path,)
        ):
            return str(text)
        raise KeyError(path)

    def sources(self) -> list[Source]:
        """Every source, in the order in which they were added."""
        rows = self._rows(f"SELECT {SOURCE_COLUMNS} FROM sources ORDER BY position")  # noqa: S608
        return [self._source(row) for row in rows]

    def source(self, path: str) -> Source:
        """Raises KeyError for an unknown path."""
        query = f"SELECT {SOURCE_COLUMNS} FROM sources WHERE path = ?"  # noqa: S608
        for row in self._rows(query, (path,)):
            return self._source(row)
        raise KeyError(path)

    def _source(self, row: tuple[Any, ...]) -> Source:
        return Source(**self._with_tuples(Source, row, SOURCE_TUPLES))

    def mtimes(self) -> dict[str, int]:
        """For every source the time of its file when it was read, in nanoseconds."""
        return dict(self._rows("SELECT path, mtime_ns FROM sources ORDER BY position"))

    def positions(self) -> dict[str, int]:
        """For every source a number that orders them; by most updates it stays."""
        return dict(self._rows("SELECT path, position FROM sources ORDER BY position"))

    def document_count(self) -> int:
        ((count,),) = self._rows("SELECT count(*) FROM sources")
        return int(count)

    def chunk_count(self) -> int:
        ((count,),) = self._rows("SELECT count(*) FROM chunks")
        return int(count)

    def chunk_counts(self) -> dict[str, int]:
        """How many chunks each document has that has any, by path."""
        return dict(self._rows("SELECT path, count(*) FROM chunks GROUP BY path ORDER BY path"))

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def damaged_catalog(path: Path, found: object) -> NoReturn:
    cause = found if isinstance(found, Exception) else None
    raise IndexDamaged(f"{path} cannot be used: {found}. Run `askai index --rebuild`.") from cause
