"""FAISS's flat inner-product index: exact, memory-mapped, in one file or in two.

Beside the path given, whose suffix is replaced: `.faiss`; `.added.faiss`, if an update added rows
since that one was written; and `.ids.json`, the id of each row of the first and then of the second,
null for a row that counts no more. An update links the first file, which nothing ever writes to
again, and writes only what is new, since copying the vectors of a large corpus would take longer
than everything else. FAISS finds the candidates and the oracle's arithmetic ranks them, so both
stores return the same ids, with the same scores, in the same order.

The vectors of a large corpus do not fit into memory while it is indexed. FAISS cannot append to a
file, so `write` puts rows behind the header that FAISS itself gives an index of so many.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from askai.embedders import Vector, Vectors
from askai.files import link_or_copy, write_durably, writing_durably
from askai.stores import STAY, Batches, Moves
from askai.stores.exact import (
    after,
    best,
    checked_batch,
    checked_query,
    cosines,
    damaged,
    read_rows,
    rows_by_id,
    taken_over,
    write_ids,
)

# Above the rounding of a float32 sum over some thousand dimensions, in whatever order.
ROUNDING = 1e-5
# Of all vectors: when more are dead or added than this, all are written into one file again. A
# search then reads at most a third more than it has to, and an update that changes a hundredth
# writes everything once in 25 times.
MOST_APART = 0.25
_READ = 8192  # vectors read at a time
_BASE, _ADDED = ".faiss", ".added.faiss"

Rows = NDArray[np.int64]  # shape (n,)


class FaissFlatStore:
    """A row of one of the FAISS indexes for each id; see `askai.stores.Store`."""

    def __init__(
        self, path: Path, *, ids: list[str | None], indexes: list[Any], mapped: bool
    ) -> None:
        """`ids` are of the rows of all `indexes`, one after the other; None: it counts no more."""
        self._path = path
        self._ids = ids
        self._row = rows_by_id(path, ids)
        self._indexes = indexes
        self._mapped = mapped
        self._counting: Rows | None = None

    @classmethod
    def create(cls, path: Path, *, dim: int) -> Self:
        return cls(path, ids=[], indexes=[_faiss().IndexFlatIP(dim)], mapped=False)

    @classmethod
    def write(
        cls,
        path: Path,
        *,
        dim: int,
        batches: Batches,
        earlier: Self | None = None,
        moves: Moves = STAY,
    ) -> None:
        if earlier is None:
            ids = _write(path.with_suffix(_BASE), dim, batches)
        else:
            ids = earlier.write_next(path, dim=dim, batches=batches, moves=moves)
        if len(set(ids) - {None}) != len(ids) - ids.count(None):
            raise ValueError("An id is given twice.")
        write_ids(path, ids)

    def write_next(
        self, path: Path, *, dim: int, batches: Batches, moves: Moves
    ) -> list[str | None]:
        """Writes all but the ids of the store at `path` that `write` makes of this earlier one;
        returns the id of each row."""
        base, added = path.with_suffix(_BASE), path.with_suffix(_ADDED)
        ids, elsewhere = self._shared(moves)
        dead = ids.count(None)
        if _are_many(dead + len(elsewhere), of=len(ids) - dead + len(elsewhere)):
            return _write(base, dim, chain(taken_over(self, after(self._row, moves)), batches))
        new = _write(added, dim, chain(taken_over(self, elsewhere.items()), batches))
        if _are_many(dead + len(new), of=len(ids) - dead + len(new)):
            first = taken_over(self, self._held(ids))
            ids, new = _write(base, dim, chain(first, _batches(added, new))), []
        else:
            link_or_copy(self._path.with_suffix(_BASE), base)
        if not new:
            added.unlink()
        return [*ids, *new]

    def _shared(self, moves: Moves) -> tuple[list[str | None], dict[str, str]]:
        """The id that each row of the first file has after `moves`; and the others, with those
        that they had: their vectors are in the second file, or in a row with an id already."""
        held = int(self._indexes[0].ntotal)
        ids, gone = self._ids[:held], set(moves.gone)
        for id_ in gone:
            if (row := self._row.get(id_, held)) < held:
                ids[row] = None
        elsewhere = {i: i for i in self._ids[held:] if i is not None and i not in gone}
        for id_, there in moves.taken.items():
            row = self._row[there]
            if id_ in elsewhere:
                raise ValueError(f"Id {id_!r} is given twice.")
            if row < held and ids[row] is None:
                ids[row] = id_
            else:
                elsewhere[id_] = there
        return ids, elsewhere

    def _held(self, ids: Sequence[str | None]) -> Iterator[tuple[str, str]]:
        """These ids of the first rows, with those that they have here."""
        for id_, there in zip(ids, self._ids, strict=False):
            if id_ is not None and there is not None:
                yield id_, there

    @classmethod
    def open(cls, path: Path) -> Self:
        indexes = [_read(path.with_suffix(_BASE))]
        added = path.with_suffix(_ADDED)
        if added.exists():
            indexes.append(_read(added))
            if indexes[0].d != indexes[1].d:
                raise damaged(added, f"its vectors have {indexes[1].d} numbers")
        ids = read_rows(path, count=sum(index.ntotal for index in indexes))
        return cls(path, ids=ids, indexes=indexes, mapped=_mapping() != 0)

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        batch = checked_batch(ids, vectors, dim=self._dim)
        self.delete(ids)
        self._own()
        self._indexes[0].add(batch)
        self._row.update((id_, row) for row, id_ in enumerate(ids, start=len(self._ids)))
        self._ids.extend(ids)

    def delete(self, ids: Iterable[str]) -> None:
        gone = {id_ for id_ in ids if id_ in self._row}
        if not gone:
            return
        self._own()
        rows = np.array(sorted(self._row[id_] for id_ in gone), dtype=np.int64)
        # A flat index closes the gaps and keeps the order of its rows.
        self._indexes[0].remove_ids(_faiss().IDSelectorBatch(rows))
        self._ids = [id_ for id_ in self._ids if id_ not in gone]
        self._row = {id_: row for row, id_ in enumerate(self._ids) if id_ is not None}

    def _own(self) -> None:
        """Copies all rows that count to one index in memory: FAISS aborts the process on a write
        to a mapped one."""
        if self._mapped or len(self._row) < self._size or len(self._indexes) > 1:
            copy = _faiss().IndexFlatIP(self._dim)
            for _, vectors in taken_over(self, after(self._row, STAY)):
                copy.add(vectors)
            self._ids = list(self._row)
            self._row = {id_: row for row, id_ in enumerate(self._ids) if id_ is not None}
            self._indexes, self._mapped = [copy], False

    @property
    def _live(self) -> Rows | None:
        """The rows that count; None: all do. A question does not look for them anew."""
        if len(self._row) == self._size:
            return None
        if self._counting is None:
            self._counting = np.array(sorted(self._row.values()), dtype=np.int64)
        return self._counting

    @property
    def _dim(self) -> int:
        return int(self._indexes[0].d)

    @property
    def _size(self) -> int:
        """Of all rows, whether they count or not."""
        return len(self._ids)

    def _parts(self, rows: Rows | None = None) -> Iterator[tuple[Any, int, Rows | None]]:
        """Each index, the row that it begins with, and those of `rows` in it, as it counts them."""
        start = 0
        for index in self._indexes:
            end = start + index.ntotal
            inside = None if rows is None else rows[(rows >= start) & (rows < end)] - start
            yield index, start, inside
            start = end

    def vectors(self, ids: Sequence[str]) -> Vectors:
        return self._at(np.array([self._row[id_] for id_ in ids], dtype=np.int64))

    def _at(self, rows: Rows) -> Vectors:
        found = np.empty((len(rows), self._dim), dtype=np.float32)
        for index, start, inside in self._parts(rows):
            if inside is not None and len(inside):
                here = (rows >= start) & (rows < start + index.ntotal)
                found[here] = index.reconstruct_batch(inside)
        return found

    def search(
        self, vector: Vector, k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        query = checked_query(vector, dim=self._dim)
        rows = self._live
        if among is not None:
            chosen = {self._row[id_] for id_ in among if id_ in self._row}
            rows = np.array(sorted(chosen), dtype=np.int64)
        size = self._size if rows is None else len(rows)
        if min(k, size) <= 0:
            return []
        wanted = min(size, k + 16)
        while True:
            # Of rows that are all wanted none need be found.
            if rows is not None and wanted == size:
                found = rows
            else:
                found = self._nearest(query, wanted, rows)
            scores = cosines(self._at(found), query)
            ranked = best([self._ids[row] or "" for row in found], scores, k)
            # What FAISS left out scores no more than the last candidate, give or take rounding.
            if wanted == size or ranked[-1][1] - scores.min() > ROUNDING:
                return ranked
            wanted = min(size, 4 * wanted)

    def _nearest(self, query: Vector, count: int, rows: Rows | None) -> Rows:
        """The rows of the `count` best by FAISS's own scores, among `rows` if given."""
        scores, places = [], []
        for index, start, inside in self._parts(rows):
            size = index.ntotal if inside is None else len(inside)
            chosen = None if inside is None else _faiss().SearchParameters(sel=_only(index, inside))
            if size:
                found = index.search(query[np.newaxis], min(count, size), params=chosen)
                scores.append(found[0][0])
                places.append(found[1][0] + start)
        highest = np.argsort(-np.concatenate(scores), kind="stable")[:count]
        nearest: Rows = np.concatenate(places)[highest]
        return nearest

    def __len__(self) -> int:
        return len(self._row)

    def flush(self) -> None:
        self._own()
        # faiss.write_index drops the error of its last write, so a full disk would go unseen.
        content = _faiss().serialize_index(self._indexes[0])
        write_durably(self._path.with_suffix(_BASE), content.data)
        with suppress(FileNotFoundError):
            self._path.with_suffix(_ADDED).unlink()
        write_ids(self._path, self._ids)

    def close(self) -> None:
        self._indexes, self._mapped = [_faiss().IndexFlatIP(self._dim)], False
        self._ids, self._row = [], {}


def _are_many(apart: int, *, of: int) -> bool:
    return apart > MOST_APART * of


def _only(index: Any, rows: Rows) -> Any:
    """What has FAISS look at these rows of an index alone."""
    mask = np.zeros(index.ntotal, dtype=np.bool_)
    mask[rows] = True
    return _faiss().IDSelectorBitmap(np.packbits(mask, bitorder="little"))


def _read(file: Path) -> Any:
    """The index in a file; raises IndexDamaged."""
    faiss = _faiss()
    try:
        index = faiss.read_index(str(file), _mapping())
    except RuntimeError as error:
        raise damaged(file, str(error).split("\n")[0]) from error
    if not isinstance(index, faiss.IndexFlatIP):
        raise damaged(file, f"it is a {type(index).__name__}, not an IndexFlatIP")
    return index


def _mapping() -> int:
    # The older IO_FLAG_MMAP is accepted for a flat index but reads it into memory.
    return int(getattr(_faiss(), "IO_FLAG_MMAP_IFC", 0))


def _write(file: Path, dim: int, batches: Batches) -> list[str | None]:
    """Writes an index of these batches; returns the ids of its rows."""
    ids: list[str | None] = []
    with writing_durably(file) as opened:
        opened.write(_header(dim, 0))
        for some, vectors in batches:
            opened.write(checked_batch(some, vectors, dim=dim).data)
            ids.extend(some)
        opened.seek(0)
        opened.write(_header(dim, len(ids)))
    return ids


def _batches(file: Path, ids: Sequence[str | None]) -> Batches:
    """What `_write` wrote."""
    index = _read(file)
    for start in range(0, len(ids), _READ):
        some = [id_ for id_ in ids[start : start + _READ] if id_ is not None]
        yield some, index.reconstruct_n(start, len(some))


def _header(dim: int, count: int) -> bytes:
    """What FAISS writes before the rows of a flat index (`write_index`): kind, dimensions, rows,
    two numbers of old, whether trained, metric, and how many numbers follow.

    Raises RuntimeError when this FAISS writes it otherwise.
    """
    index = _faiss().IndexFlatIP(dim)
    index.add(np.zeros((1, dim), dtype=np.float32))
    written = _faiss().serialize_index(index).tobytes()[: -4 * dim]

    def header(rows: int) -> bytes:
        return struct.pack("<4siqqqBiq", b"IxFI", dim, rows, 1 << 20, 1 << 20, 1, 0, rows * dim)

    if written != header(1):
        raise RuntimeError(
            "This version of faiss writes its files in another way: install faiss-cpu 1.15.1."
        )
    return header(count)


def _faiss() -> Any:
    """The library, imported at first use: it takes longer than a command that needs no vectors."""
    return import_module("faiss")
