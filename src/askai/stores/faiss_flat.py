"""FAISS's flat inner-product index: exact, memory-mapped, in one file or in two.

Beside the path given, whose suffix is replaced: `.faiss`; `.added.faiss`, if an update added rows
since that one was written; and `.ids`, the id of each row of the first and then of the second, none
for a row that counts no more. An update links the first file, which nothing ever writes to
again, and writes only what is new, since copying the vectors of a large corpus would take longer
than everything else. FAISS finds the candidates and the oracle's arithmetic ranks them, so both
stores return the same ids, with the same scores, in the same order.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

import numpy as np

from askai.embedders import Vector, Vectors
from askai.files import link_or_copy, write_durably
from askai.stores import STAY, Batches, Found, Moves, Rows, Scores
from askai.stores.exact import (
    COPIED,
    after,
    best,
    checked_batch,
    checked_query,
    cosines,
    damaged,
    scores_of,
    taken_over,
)
from askai.stores.faiss_files import (
    RowFile,
    faiss,
    mapping,
    one_thread,
    read_flat,
    stored_batches,
    write_flat,
)
from askai.stores.ids import HeldIds, Ids, MappedIds, write_ids
from askai.stores.near import LEAST, Before, Near, found_by

# Above the rounding of a float32 sum over some thousand dimensions, in whatever order.
ROUNDING = 1e-5
# Of the vectors that count: when more are dead or added than this, all are written into one file
# again. A search then reads at most a third more than it has to, and an update that changes a
# hundredth writes everything once in 25 times. Of many vectors as many may be dead: a search passes
# over them, and to write the others takes longer than all else in a deletion.
MOST_APART = 0.25
MOST_DEAD = 1.0
_SCORED = 65_536  # vectors scored at a time where all of some ids are
_BASE, _ADDED, _IDS = ".faiss", ".added.faiss", ".ids"
_NO_SCORES: Scores = np.empty(0, dtype=np.float32)


class FaissFlatStore:
    """A row of one of the FAISS indexes for each id; see `askai.stores.Store`."""

    def __init__(self, path: Path, *, ids: Ids, indexes: list[Any], mapped: bool) -> None:
        """`ids` are of the rows of all `indexes`, one after the other."""
        self._path = path
        self._ids = ids
        self._indexes = indexes
        self._mapped = mapped
        self._chosen: list[Any] | None = None
        self._near_whole = True  # so that it can be taken over, if there is one
        self._near: Near | None = None  # beside the first index …
        self._file: RowFile | None = None  # … and then its vectors are read from here

    @classmethod
    def create(cls, path: Path, *, dim: int) -> Self:
        return cls(path, ids=HeldIds(), indexes=[faiss().IndexFlatIP(dim)], mapped=False)

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
            ids = write_flat(path.with_suffix(_BASE), dim, batches)
            Near.write(path, path.with_suffix(_BASE))
        else:
            ids = earlier.write_next(path, dim=dim, batches=batches, moves=moves)
        dead = ids.count(None)
        if len(set(ids)) - min(dead, 1) != len(ids) - dead:
            raise ValueError("An id is given twice.")
        write_ids(path.with_suffix(_IDS), ids)

    def write_next(
        self, path: Path, *, dim: int, batches: Batches, moves: Moves
    ) -> list[str | None]:
        """Writes all but the ids of the store at `path` that `write` makes of this earlier one;
        returns the id of each row."""
        base, added = path.with_suffix(_BASE), path.with_suffix(_ADDED)
        every = list(self._ids)
        ids, elsewhere = self._shared(every, moves)
        dead = ids.count(None)
        if _are_many(dead, len(elsewhere), of=len(ids) - dead + len(elsewhere)):
            return self._write_anew(path, dim, self._after(every, moves), batches)
        new = write_flat(added, dim, chain(taken_over(self, elsewhere.items()), batches))
        if _are_many(dead, len(new), of=len(ids) - dead + len(new)):
            held = ((id_, row) for row, id_ in enumerate(ids) if id_ is not None)
            ids = self._write_anew(path, dim, held, stored_batches(added, new))
            new = []
        else:
            link_or_copy(self._path.with_suffix(_BASE), base)
            if self._near_whole:
                Near.link(self._path, path)
            else:
                Near.write(path, base)
        if not new:
            added.unlink()
        return [*ids, *new]

    def _write_anew(
        self, path: Path, dim: int, pairs: Iterable[tuple[str, int]], batches: Batches
    ) -> list[str | None]:
        """Writes one file of the vectors of `pairs` (id, row here) and then of `batches`."""
        noted: list[Rows] = []
        ids = write_flat(path.with_suffix(_BASE), dim, chain(self._moved(pairs, noted), batches))
        before = None
        if self._near_whole:
            rows = np.full(len(ids), -1, dtype=np.int64)
            moved = np.concatenate([*noted, rows[:0]])
            rows[: len(moved)] = np.where(moved < self._indexes[0].ntotal, moved, -1)
            before = Before(self._path, rows)
        Near.write(path, path.with_suffix(_BASE), before)
        return ids

    def _moved(self, pairs: Iterable[tuple[str, int]], noted: list[Rows]) -> Batches:
        """The vectors of `pairs`, a few at a time; notes the rows that they are read from."""
        pairs = iter(pairs)
        while some := list(islice(pairs, COPIED)):
            noted.append(np.array([row for _, row in some], dtype=np.int64))
            yield [id_ for id_, _ in some], self._at(noted[-1])

    def _after(self, every: Sequence[str | None], moves: Moves) -> Iterator[tuple[str, int]]:
        """Of `every` id, by row, and after `moves`, those that there are, with the row of the
        vector."""
        gone = set(moves.gone)
        for row, id_ in enumerate(every):
            if id_ is not None and id_ not in gone:
                yield id_, row
        for id_, there in moves.taken.items():
            yield id_, self._ids.row(there)

    def _shared(
        self, every: Sequence[str | None], moves: Moves
    ) -> tuple[list[str | None], dict[str, str]]:
        """The id that each row of the first file has after `moves`, `every` row's before being
        given; and the others, with those that they had: their vectors are in the second file, or in
        a row with an id already."""
        held = int(self._indexes[0].ntotal)
        ids, gone = [*every[:held]], set(moves.gone)
        for row in self._ids.known(gone):
            if row < held:
                ids[row] = None
        elsewhere = {i: i for i in every[held:] if i is not None and i not in gone}
        for id_, there in moves.taken.items():
            row = self._ids.row(there)
            if id_ in elsewhere:
                raise ValueError(f"Id {id_!r} is given twice.")
            if row < held and ids[row] is None:
                ids[row] = id_
            else:
                elsewhere[id_] = there
        return ids, elsewhere

    def ids(self) -> Iterator[str]:
        """Those that count, in the order of their rows."""
        return (id_ for id_ in self._ids if id_ is not None)

    @classmethod
    def open(cls, path: Path, *, near: bool = True) -> Self:
        indexes = [read_flat(path.with_suffix(_BASE))]
        added = path.with_suffix(_ADDED)
        if added.exists():
            indexes.append(read_flat(added))
            if indexes[0].d != indexes[1].d:
                raise damaged(added, f"its vectors have {indexes[1].d} numbers")
        size = sum(index.ntotal for index in indexes)
        ids = MappedIds.open(path.with_suffix(_IDS), size=size)
        store = cls(path, ids=ids, indexes=indexes, mapped=mapping() != 0)
        store._near_whole = near
        store._near = Near.open(path, indexes[0]) if near else None
        if store._near is not None:
            store._file = RowFile(path.with_suffix(_BASE), indexes[0])
        return store

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        batch = checked_batch(ids, vectors, dim=self._dim)
        self.delete(ids)
        self._own().append(ids)
        self._indexes[0].add(batch)

    def delete(self, ids: Iterable[str]) -> None:
        rows = sorted(set(self._ids.known(ids)))
        if not rows:
            return
        gone = set(self._ids.at(np.array(rows, dtype=np.int64)))
        rows = sorted(self._own().known(gone))
        # A flat index closes the gaps and keeps the order of its rows.
        selected = faiss().IDSelectorBatch(np.array(rows, dtype=np.int64))
        self._indexes[0].remove_ids(selected)
        self._ids = HeldIds(id_ for id_ in self._ids if id_ not in gone)

    def _own(self) -> HeldIds:
        """Copies all rows that count to one index in memory: FAISS aborts the process on a write
        to a mapped one."""
        if isinstance(self._ids, HeldIds) and not self._mapped:
            return self._ids
        copy = faiss().IndexFlatIP(self._dim)
        for _, vectors in taken_over(self, after(self.ids(), STAY)):
            copy.add(vectors)
        held = HeldIds(self.ids())
        self._ids, self._indexes, self._mapped = held, [copy], False
        self._forget_near()
        return held

    @property
    def _dim(self) -> int:
        return int(self._indexes[0].d)

    def _parts(self) -> Iterator[tuple[int, Any]]:
        """The row that each index begins with, and the index."""
        start = 0
        for index in self._indexes:
            yield start, index
            start += index.ntotal

    def vectors(self, ids: Sequence[str]) -> Vectors:
        rows = self._ids.rows(ids)
        if -1 in rows:
            raise KeyError(ids[rows.index(-1)])
        return self._at(np.array(rows, dtype=np.int64))

    def _at(self, rows: Rows) -> Vectors:
        found = np.empty((len(rows), self._dim), dtype=np.float32)
        for start, index in self._parts():
            here = (rows >= start) & (rows < start + index.ntotal)
            if here.any():
                read = self._file.read if self._file and not start else index.reconstruct_batch
                found[here] = read(rows[here] - start)
        return found

    def search(
        self, vector: Vector, k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        query = checked_query(vector, dim=self._dim)
        if among is not None:
            rows = np.array(sorted(set(self._ids.known(among))), dtype=np.int64)
            return self._best(rows, self._cosines(rows, query), k)
        if min(k, self._ids.count) <= 0:
            return []
        with one_thread():
            return self._searched(query, k)

    def _searched(self, query: Vector, k: int) -> list[tuple[str, float]]:
        near, near_scores = self._proposed(query, k)
        first = 1 if len(near) else 0  # of the indexes that are searched through
        size = sum(index.ntotal for index in self._indexes[1:]) if first else self._ids.count
        wanted = min(size, k + 16)
        while True:
            found = self._nearest(query, wanted, first=first)
            scores = self._cosines(found, query)
            rows = np.concatenate([near, found])
            ranked = self._best(rows, np.concatenate([near_scores, scores]), k)
            # What FAISS left out scores no more than the last candidate, give or take rounding.
            if wanted == size or len(found) < wanted or ranked[-1][1] - scores.min() > ROUNDING:
                return ranked
            wanted = min(size, 4 * wanted)

    def _proposed(self, query: Vector, k: int) -> tuple[Rows, Scores]:
        """Rows of the first index, where its inverted file has as many as are wanted; else none."""
        if self._near is not None:
            only, score = self._choices()[0], partial(self._cosines, query=query)
            rows, scores = self._near.scored(query, k, only, score)
            if len(rows) >= min(k, self._ids.count):
                return rows, scores
        return np.empty(0, dtype=np.int64), _NO_SCORES

    def _cosines(self, rows: Rows, query: Vector) -> Scores:
        """Of all these rows, however many they are."""
        some = (rows[at : at + _SCORED] for at in range(0, len(rows), _SCORED))
        return np.concatenate([*(cosines(self._at(few), query) for few in some), _NO_SCORES])

    def _best(self, rows: Rows, scores: Scores, k: int) -> list[tuple[str, float]]:
        """Of few the ids are looked up at once, of many only for those that may be among the k."""
        if 0 < k < len(scores):
            near = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
            rows, scores = rows[near], scores[near]
        return best(self._ids.at(rows), scores, k)

    def _nearest(self, query: Vector, count: int, *, first: int) -> Rows:
        """The rows of the `count` best by FAISS's own scores, of indexes from the `first` on."""
        scores, places = [_NO_SCORES], [np.empty(0, dtype=np.int64)]
        for number, (start, index) in enumerate(self._parts()):
            if number < first or not index.ntotal:
                continue
            selector = self._choices()[number]
            only = faiss().SearchParameters(sel=selector) if selector else None
            found = index.search(query[np.newaxis], min(count, index.ntotal), params=only)
            there = found[1][0] >= 0  # of fewer that count than asked for, the last are none
            scores.append(found[0][0][there])
            places.append(found[1][0][there] + start)
        highest = np.argsort(-np.concatenate(scores), kind="stable")[:count]
        nearest: Rows = np.concatenate(places)[highest]
        return nearest

    def _choices(self) -> list[Any]:
        """For each index FAISS's selector of the rows that count; None where all do. A question
        does not make it anew."""
        if self._chosen is None:
            live = self._ids.live()
            self._chosen = [_only(start, index, live) for start, index in self._parts()]
        return self._chosen

    def cosines(self, vector: Vector, ids: Sequence[str]) -> Scores:
        query = checked_query(vector, dim=self._dim)
        return scores_of(self._ids.rows(ids), partial(self._cosines, query=query))

    def found_by(self) -> Found:
        return found_by(self._path, len(self)) if self._mapped else Found("flat", len(self), 1.0, 0)

    def __len__(self) -> int:
        return self._ids.count

    def flush(self) -> None:
        self._own()
        # faiss.write_index drops the error of its last write, so a full disk would go unseen.
        content = faiss().serialize_index(self._indexes[0])
        write_durably(self._path.with_suffix(_BASE), content.data)
        with suppress(FileNotFoundError):
            self._path.with_suffix(_ADDED).unlink()
        Near.remove(self._path)
        Near.write(self._path, self._path.with_suffix(_BASE))
        write_ids(self._path.with_suffix(_IDS), list(self._ids))

    def close(self) -> None:
        self._indexes, self._mapped = [faiss().IndexFlatIP(self._dim)], False
        self._ids = HeldIds()
        self._forget_near()

    def _forget_near(self) -> None:
        if self._file is not None:
            self._file.close()
        self._chosen = self._near = self._file = None


def _are_many(dead: int, added: int, *, of: int) -> bool:
    if dead + added <= MOST_APART * of:
        return False
    return of < LEAST or added > MOST_APART * of or dead > MOST_DEAD * of


def _only(start: int, index: Any, live: Rows | None) -> Any:
    if live is None:
        return None
    first, last = np.searchsorted(live, [start, start + index.ntotal])
    if last - first == index.ntotal:
        return None
    mask = np.zeros(index.ntotal, dtype=np.bool_)
    mask[live[first:last] - start] = True
    return faiss().IDSelectorBitmap(np.packbits(mask, bitorder="little"))
