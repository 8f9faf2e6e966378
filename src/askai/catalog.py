"""The catalogue of one generation: every source, its text and marks, and its passages, in SQLite.

Written once, then only read, by any number of threads and processes. Text comes back as it went
in, to the last code point (NUL, lone CR and U+FEFF included).
"""

import errno
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, Self
from zlib import crc32

from askai.errors import IndexDamaged, IndexMismatch
from askai.records import Chunk, Document, Mark, Source
from askai.units import unit_texts, vector_key
from askai.vocabulary import word_counts

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
VERSION = crc32(TABLES.encode()) >> 1  # SQLite's user_version: 31 bits, and 0 when never set
SCHEMA = f"""
PRAGMA journal_mode = OFF;  -- a catalogue that was not closed is thrown away as a whole
PRAGMA synchronous = OFF;   -- one fsync in close() instead
PRAGMA user_version = {VERSION};
BEGIN;
{TABLES}
"""

DISK_ERRORS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}
TextKeys = tuple[str, bytes, bytes]  # see `Catalog.text_keys`
# A document's position counts from 1; its chunks come after position * WITHIN.
WITHIN = 1 << 32
# What is copied from an earlier catalogue: of each document in `taken`, with the position and the
# file's time that it has now.
COPIES = f"""
INSERT INTO main.sources
SELECT t.position, {SOURCE_COLUMNS}, t.mtime_ns
FROM taken t JOIN earlier.sources e ON e.position = t.earlier ORDER BY 1;
INSERT INTO main.texts
SELECT t.position, text, marks, words
FROM taken t JOIN earlier.texts e ON e.position = t.earlier ORDER BY 1;
INSERT INTO main.chunks
SELECT e.position + (t.position - t.earlier) * {WITHIN}, {CHUNK_COLUMNS}, vector_key, unit_keys
FROM taken t JOIN earlier.chunks e
ON e.position BETWEEN t.earlier * {WITHIN} AND (t.earlier + 1) * {WITHIN} - 1 ORDER BY 1;
"""  # noqa: S608 - our own table names
BATCH = 500  # SQLite takes 999 parameters in a statement, or more


class CatalogWriter:
    """Writes a new catalogue; leaving its `with` block without an error closes it.

    Raises OSError when it cannot be written, as plain files do.
    """

    def __init__(self, path: Path) -> None:
        """An empty catalogue at `path`, where no file may be."""
        self._path = path
        self._documents = 0
        self._words: Counter[str] = Counter()
        self._earlier: dict[str, int] = {}  # positions there, by path; what is taken leaves it
        self._taken: list[tuple[int, int, int]] = []  # (position, position there, mtime)
        path.touch(exist_ok=False)
        self._database = sqlite3.connect(path.resolve().as_uri(), uri=True, isolation_level=None)
        try:
            with _as_os_errors(path):
                self._database.executescript(SCHEMA)
        except BaseException:
            self._database.close()
            raise

    def add_document(self, document: Document, chunks: Iterable[Chunk], mtime_ns: int) -> None:
        """Adds a document after those before it; `mtime_ns` is its file's, in nanoseconds.

        Raises ValueError when its path or the id of a chunk is there already.
        """
        source = document.source
        marks = json.dumps([astuple(mark) for mark in document.marks])
        with _as_os_errors(self._path):
            self._documents += 1
            row = (self._documents, *map(_to_column, astuple(source)), mtime_ns)
            self._insert("sources", row, source.path)
            held = list(chunks)
            words = word_counts(chunk.embedded_text for chunk in held)
            row = (self._documents, document.text, marks, json.dumps(words))
            self._insert("texts", row, source.path)
            for place, chunk in enumerate(held, start=self._documents * WITHIN):
                row = (place, *map(_to_column, astuple(chunk)), *_keys(chunk))
                self._insert("chunks", row, chunk.id)
            self._words.update(words)

    def take_from(self, earlier: Path) -> None:
        """Names the catalogue that `take` copies from; raises IndexDamaged when it is none."""
        uri = f"{earlier.resolve().as_uri()}?mode=ro&immutable=1"
        with _as_os_errors(self._path):
            self._database.execute("COMMIT")  # none can be attached within a transaction
            try:
                self._database.execute("ATTACH ? AS earlier", (uri,))
                self._earlier = dict(
                    self._database.execute("SELECT path, position FROM earlier.sources")
                )
                self._words.update(
                    dict(self._database.execute("SELECT word, chunks FROM earlier.words"))
                )
            except sqlite3.Error as error:
                _damaged(earlier, error)
            self._database.execute("BEGIN")

    def take(self, path: str, mtime_ns: int) -> None:
        """Adds a document after those before it, as the earlier catalogue has it; it is copied
        when this one is closed.

        Raises KeyError when that has none of this path, or it is taken already.
        """
        position = self._earlier.pop(path)
        self._documents += 1
        self._taken.append((self._documents, position, mtime_ns))

    def _copy(self) -> None:
        """Copies what was taken; raises IndexDamaged when the earlier catalogue cannot be read."""
        self._database.execute("CREATE TEMP TABLE taken (position PRIMARY KEY, earlier, mtime_ns)")
        self._database.executemany("INSERT INTO taken VALUES (?, ?, ?)", self._taken)
        for statement in COPIES.split(";"):  # `executescript` would commit
            self._database.execute(statement)

    def _count_words(self) -> None:
        """Writes in how many chunks each word is: those of documents not taken count no more."""
        for position in self._earlier.values():
            query = "SELECT words FROM earlier.texts WHERE position = ?"
            for (words,) in self._database.execute(query, (position,)):
                self._words.subtract(json.loads(words))
        counts = ((word, count) for word, count in self._words.items() if count > 0)
        self._database.executemany("INSERT INTO words VALUES (?, ?)", counts)

    def _insert(self, table: str, row: tuple[Any, ...], key: str) -> int | None:
        marks = ", ".join("?" * len(row))
        try:
            return self._database.execute(f"INSERT INTO {table} VALUES ({marks})", row).lastrowid  # noqa: S608 - our own table names
        except sqlite3.IntegrityError as error:
            raise ValueError(f"{key!r} is already among the {table} of the catalogue.") from error

    def close(self) -> None:
        """Writes what is pending and fsyncs the file."""
        try:
            with _as_os_errors(self._path):
                if self._taken:
                    self._copy()
                self._count_words()
                self._database.execute("COMMIT")
        except (sqlite3.DatabaseError, ValueError) as error:
            _damaged(self._path, error)
        finally:
            self._database.close()
        with self._path.open("rb+") as file:
            os.fsync(file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self._database.close()


class Catalog:
    """Reads a catalogue that `CatalogWriter` closed; raises IndexDamaged when it cannot."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._path = path
        self._database = database
        self._lock = Lock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens `path` without locks, journal or a single write, so a read-only folder will do."""
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        try:
            database = sqlite3.connect(uri, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            _damaged(path, error)
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
            _damaged(self._path, "it is not a catalogue")
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
            _damaged(self._path, error)

    def chunks(self, ids: Iterable[str]) -> dict[str, Chunk]:
        """The chunks by id, in the order of `ids`; an id that is not there is left out."""
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Chunk] = {}
        for first in range(0, len(wanted), BATCH):
            batch = tuple(wanted[first : first + BATCH])
            marks = ", ".join("?" * len(batch))
            query = f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE id IN ({marks})"  # noqa: S608
            for row in self._rows(query, batch):
                chunk = self._chunk(row)
                found[chunk.id] = chunk
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
        values = dict(zip((f.name for f in fields(record)), row, strict=True))
        for name in tuples:
            values[name] = _as_tuples(self._json(values[name]))
        return values

    def _json(self, text: str) -> list[Any]:
        try:
            value = json.loads(text)
        except ValueError as error:
            _damaged(self._path, error)
        return value if isinstance(value, list) else _damaged(self._path, f"{text!r} is no list")

    def text_keys(self) -> list[TextKeys]:
        """For every chunk its id, the `units.vector_key` of it, and those of its units as one."""
        return self._rows("SELECT id, vector_key, unit_keys FROM chunks ORDER BY position")

    def word_counts(self) -> Counter[str]:
        """In how many chunks each word stands, see `vocabulary.word_counts`."""
        return Counter(dict(self._rows("SELECT word, chunks FROM words")))

    def languages(self) -> dict[str, int]:
        """How many chunks are in each language; "" where it is not known."""
        return dict(self._rows("SELECT coalesce(language, ''), count(*) FROM chunks GROUP BY 1"))

    def document(self, path: str) -> Document:
        """The document with its text and marks; raises KeyError for an unknown path."""
        query = "SELECT text, marks FROM texts NATURAL JOIN sources WHERE path = ?"
        source = self.source(path)
        ((text, marks),) = self._rows(query, (path,))
        return Document(source, text, tuple(Mark(*mark) for mark in self._json(marks)))

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


def _keys(chunk: Chunk) -> tuple[bytes, bytes]:
    units = (vector_key(text, chunk.language) for _, text in unit_texts(chunk))
    return vector_key(chunk.embedded_text, chunk.language), b"".join(units)


def _to_column(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, tuple) else value


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


@contextmanager
def _as_os_errors(path: Path) -> Iterator[None]:
    """SQLite's own errors about the disk, as the OSError that a plain file would raise."""
    try:
        yield
    except sqlite3.OperationalError as error:
        number = DISK_ERRORS.get(error.sqlite_errorcode & 0xFF)  # without SQLite's finer code
        if number is None:
            raise
        raise OSError(number, f"{os.strerror(number)} ({error})", str(path)) from error


def _damaged(path: Path, found: object) -> NoReturn:
    cause = found if isinstance(found, Exception) else None
    raise IndexDamaged(f"{path} cannot be used: {found}. Run `askai index --rebuild`.") from cause
