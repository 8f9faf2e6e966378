"""Writes the catalogue of a generation, anew or on top of the one before.

Of an earlier catalogue, the documents that are as they were are taken over. Where they are most of
it, its file is copied as a whole, which is quick, and only what has changed is written into the
copy; else they are copied row by row, which also leaves out the room of what is gone. Documents lie
in the order of their positions, and these are apart from each other, so that one between two others
finds room without moving any.
"""

import errno
import json
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Self

from askai.catalog import CHUNK_COLUMNS, SOURCE_COLUMNS, TABLES, VERSION, damaged_catalog
from askai.records import Chunk, Document
from askai.units import unit_texts, vector_key
from askai.vocabulary import word_counts

OPTIONS = """
PRAGMA journal_mode = OFF;  -- a catalogue that was not closed is thrown away as a whole
PRAGMA synchronous = OFF;   -- the commit of the generation fsyncs it
PRAGMA secure_delete = ON;  -- what is gone from the corpus is gone from the file
"""
SCHEMA = f"""
PRAGMA user_version = {VERSION};
BEGIN;
{TABLES}
COMMIT;
"""
DISK_ERRORS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}
# A document's chunks come after its position * WITHIN, in 63 bits.
WITHIN = 1 << 32
APART = 1 << 7  # of one document's position from the next: room for 16 million documents
LAST = (1 << 31) - 1
# Shares of the earlier file: what is gone, or free already, that makes rows be copied one by one.
MOST_GONE = 0.25
MOST_FREE = 0.25
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
INSERT INTO main.words SELECT word, chunks FROM earlier.words;
"""  # noqa: S608 - our own table names
DELETIONS = (
    "DELETE FROM sources WHERE position = ?1",
    "DELETE FROM texts WHERE position = ?1",
    f"DELETE FROM chunks WHERE position BETWEEN ?1 * {WITHIN} AND (?1 + 1) * {WITHIN} - 1",  # noqa: S608
)
COUNT = (
    "INSERT INTO words VALUES (?, ?) "
    "ON CONFLICT (word) DO UPDATE SET chunks = chunks + excluded.chunks"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a new catalogue takes over from an earlier one."""

    catalog: Path
    documents: Mapping[str, int]  # by path, each with the time that its file has now
    order: Sequence[str]  # the paths of all documents, those that are added too


@dataclass(frozen=True, slots=True)
class _Before:
    """The earlier catalogue."""

    positions: dict[str, int]
    mtimes: dict[str, int]
    free: float  # share of the file


class CatalogWriter:
    """Writes a new catalogue; leaving its `with` block without an error closes it.

    Raises OSError when it cannot be written, as plain files do.
    """

    def __init__(self, path: Path, taken: Taken | None = None) -> None:
        """A catalogue at `path`, where no file may be, of the documents that are taken, or empty.

        Raises IndexDamaged when the earlier catalogue is none, and KeyError when a document that
        is taken is not in it.
        """
        self._path = path
        self._last = 0
        self._places: Mapping[str, int] = {}  # positions of documents, by path
        self._words: Counter[str] = Counter()  # in how many more chunks each word is
        path.touch(exist_ok=False)
        before = _before(taken) if taken else None
        places = before and taken and _in_place(before, taken)
        if taken and places:
            shutil.copyfile(taken.catalog, path)
        self._database = sqlite3.connect(path.resolve().as_uri(), uri=True, isolation_level=None)
        try:
            with _as_os_errors(path):
                self._database.executescript(OPTIONS)
                if not places:
                    self._database.executescript(SCHEMA)
                if before and taken:
                    self._take(before, taken, places or {})
                else:
                    self._database.execute("BEGIN")
        except BaseException:
            self._database.close()
            raise

    def _take(self, before: _Before, taken: Taken, places: Mapping[str, int]) -> None:
        """Takes documents over: in the copy of the earlier catalogue if they have `places`."""
        self._places = places or {path: n * APART for n, path in enumerate(taken.order, start=1)}
        self._last = max(self._places.values(), default=0)
        gone = [at for path, at in before.positions.items() if path not in taken.documents]
        try:
            if not places:  # none can be attached within a transaction
                self._database.execute("ATTACH ? AS earlier", (_uri(taken.catalog),))
            self._database.execute("BEGIN")
            self._forget_words(gone, "main" if places else "earlier")
            if places:
                for deletion in DELETIONS:
                    self._database.executemany(deletion, [(position,) for position in gone])
                times = [
                    (mtime, before.positions[path])
                    for path, mtime in taken.documents.items()
                    if before.mtimes[path] != mtime
                ]
                query = "UPDATE sources SET mtime_ns = ? WHERE position = ?"
                self._database.executemany(query, times)
            else:
                self._copy(before, taken)
        except (sqlite3.DatabaseError, ValueError) as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            damaged_catalog(taken.catalog, error)

    def _copy(self, before: _Before, taken: Taken) -> None:
        """Copies rows of the attached catalogue."""
        rows = [
            (self._places[path], before.positions[path], mtime)
            for path, mtime in taken.documents.items()
        ]
        self._database.execute("CREATE TEMP TABLE taken (position PRIMARY KEY, earlier, mtime_ns)")
        self._database.executemany("INSERT INTO taken VALUES (?, ?, ?)", rows)
        for statement in COPIES.split(";"):  # `executescript` would commit
            self._database.execute(statement)

    def _forget_words(self, positions: Iterable[int], schema: str) -> None:
        query = f"SELECT words FROM {schema}.texts WHERE position = ?"  # noqa: S608 - our own names
        for position in positions:
            for (words,) in self._database.execute(query, (position,)):
                self._words.subtract(json.loads(words))

    def add_document(self, document: Document, chunks: Iterable[Chunk], mtime_ns: int) -> None:
        """Adds a document in its place by the order of what is taken, or after those before it;
        `mtime_ns` is its file's, in nanoseconds.

        Raises ValueError when its path or the id of a chunk is there already.
        """
        source = document.source
        marks = json.dumps([astuple(mark) for mark in document.marks])
        with _as_os_errors(self._path):
            position = self._places.get(source.path, self._last + APART)
            self._last = max(self._last, position)
            row = (position, *map(_to_column, astuple(source)), mtime_ns)
            self._insert("sources", row, source.path)
            held = list(chunks)
            words = word_counts(chunk.embedded_text for chunk in held)
            self._insert("texts", (position, document.text, marks, json.dumps(words)), source.path)
            for place, chunk in enumerate(held, start=position * WITHIN):
                row = (place, *map(_to_column, astuple(chunk)), *_keys(chunk))
                self._insert("chunks", row, chunk.id)
            self._words.update(words)

    def _insert(self, table: str, row: tuple[Any, ...], key: str) -> None:
        marks = ", ".join("?" * len(row))
        try:
            self._database.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - our own table names
        except sqlite3.IntegrityError as error:
            raise ValueError(f"{key!r} is already among the {table} of the catalogue.") from error

    def close(self) -> None:
        """Writes what is pending."""
        try:
            with _as_os_errors(self._path):
                changed = ((word, count) for word, count in self._words.items() if count)
                self._database.executemany(COUNT, changed)
                self._database.execute("DELETE FROM words WHERE chunks <= 0")
                self._database.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            damaged_catalog(self._path, error)
        finally:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self._database.close()


def _before(taken: Taken) -> _Before:
    try:
        with closing(sqlite3.connect(_uri(taken.catalog), uri=True)) as database:
            rows = database.execute("SELECT path, position, mtime_ns FROM sources").fetchall()
            ((free,),) = database.execute("PRAGMA freelist_count")
            ((pages,),) = database.execute("PRAGMA page_count")
    except sqlite3.Error as error:
        damaged_catalog(taken.catalog, error)
    positions = {path: position for path, position, _ in rows}
    if unknown := taken.documents.keys() - positions.keys():
        raise KeyError(min(unknown))
    return _Before(positions, {path: mtime for path, _, mtime in rows}, free / max(1, pages))


def _in_place(before: _Before, taken: Taken) -> dict[str, int] | None:
    """The position of each document if the earlier file is to be changed, in which those that are
    taken stay where they are; None if a new one is to be written."""
    gone = len(before.positions) - len(taken.documents)
    if before.free > MOST_FREE or gone > MOST_GONE * len(before.positions):
        return None
    places: dict[str, int] = {}
    waiting: list[str] = []  # for the next document that is taken
    last = 0
    for path in taken.order:
        if path not in taken.documents:
            waiting.append(path)
            continue
        position = before.positions[path]
        step = (position - last) // (len(waiting) + 1)
        if step < 1:
            return None
        places |= {new: last + n * step for n, new in enumerate(waiting, start=1)}
        places[path] = last = position
        waiting = []
    places |= {new: last + n * APART for n, new in enumerate(waiting, start=1)}
    return places if max(places.values(), default=LAST) < LAST else None


def _uri(path: Path) -> str:
    return f"{path.resolve().as_uri()}?mode=ro&immutable=1"


def _keys(chunk: Chunk) -> tuple[bytes, bytes]:
    units = (vector_key(text, chunk.language) for _, text in unit_texts(chunk))
    return vector_key(chunk.embedded_text, chunk.language), b"".join(units)


def _to_column(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, tuple) else value


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
