"""The oracle: every cosine is computed, with NumPy alone.

Beside the path given, whose suffix is replaced: `.npy` (float32, shape (n, dim), never pickled)
and `.ids.json` (the id of each row). The pieces that decide what a search returns are functions
here, so that another store can use the same arithmetic.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from typing import Self

import numpy as np

from askai.embedders import Vector, Vectors
from askai.errors import IndexDamaged
from askai.files import write_durably
from askai.stores import STAY, Batches, Found, Moves, Rows, Scores, Store

COPIED = 8192  # vectors taken over at a time


class ExactStore:
    """All vectors in one array, opened memory-mapped; see `askai.stores.Store`."""

    def __init__(self, path: Path, *, ids: list[str], vectors: Vectors) -> None:
        self._path = path
        self._ids = ids
        self._row = {id_: row for row, id_ in enumerate(ids)}
        self._dim = vectors.shape[1]
        self._rows = vectors  # the first len(ids) rows count; the others are room to grow

    @classmethod
    def create(cls, path: Path, *, dim: int) -> Self:
        return cls(path, ids=[], vectors=np.empty((0, dim), dtype=np.float32))

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
        store = cls.create(path, dim=dim)
        count = 0
        kept = earlier.after(moves) if earlier is not None else ()
        for ids, vectors in chain(kept, batches):
            store.add(ids, vectors)
            count += len(ids)
        if len(store) != count:
            raise ValueError("An id is given twice.")
        store.flush()

    def ids(self) -> list[str]:
        """In the order of their rows."""
        return list(self._ids)

    def after(self, moves: Moves) -> Batches:
        """The vectors as they are after `moves`, a few at a time."""
        return taken_over(self, after(self._ids, moves))

    @classmethod
    def open(cls, path: Path, *, near: bool = True) -> Self:  # noqa: ARG003  there is none
        file = path.with_suffix(".npy")
        try:
            # Not np.load, which takes a file that begins like a ZIP archive for one.
            vectors = np.lib.format.open_memmap(file, mode="r")
        except (OSError, ValueError) as error:
            raise damaged(file, str(error)) from error
        if vectors.dtype != np.float32 or vectors.ndim != 2:
            raise damaged(file, f"it holds {vectors.dtype} of shape {vectors.shape}")
        return cls(path, ids=_read_ids(path, count=vectors.shape[0]), vectors=vectors)

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        batch = checked_batch(ids, vectors, dim=self._dim)
        new = [id_ for id_ in ids if id_ not in self._row]
        self._make_room(len(self._ids) + len(new))
        for id_ in new:
            self._row[id_] = len(self._ids)
            self._ids.append(id_)
        self._rows[[self._row[id_] for id_ in ids]] = batch

    def _make_room(self, size: int) -> None:
        """A writable array of at least `size` rows; doubling keeps many small adds linear."""
        if size <= len(self._rows) and self._rows.flags.writeable:
            return
        grown = np.empty((max(size, 2 * len(self._ids)), self._dim), dtype=np.float32)
        grown[: len(self._ids)] = self._vectors
        self._rows = grown

    @property
    def _vectors(self) -> Vectors:
        return self._rows[: len(self._ids)]

    def delete(self, ids: Iterable[str]) -> None:
        gone = {self._row[id_] for id_ in ids if id_ in self._row}
        if not gone:
            return
        kept = [row for row in range(len(self._ids)) if row not in gone]
        self._rows = self._vectors[kept]
        self._ids = [self._ids[row] for row in kept]
        self._row = {id_: row for row, id_ in enumerate(self._ids)}

    def vectors(self, ids: Sequence[str]) -> Vectors:
        rows = [self._row[id_] for id_ in ids]
        return np.ascontiguousarray(self._vectors[rows], dtype=np.float32)

    def search(
        self, vector: Vector, k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        query = checked_query(vector, dim=self._dim)
        if among is None:
            return best(self._ids, cosines(self._vectors, query), k)
        rows = sorted({self._row[id_] for id_ in among if id_ in self._row})
        return best([self._ids[row] for row in rows], cosines(self._vectors[rows], query), k)

    def cosines(self, vector: Vector, ids: Sequence[str]) -> Scores:
        query = checked_query(vector, dim=self._dim)
        rows = [self._row.get(id_, -1) for id_ in ids]
        return scores_of(rows, lambda some: cosines(self._vectors[some], query))

    def found_by(self) -> Found:
        return Found("flat", len(self), 1.0, 0)

    def __len__(self) -> int:
        return len(self._ids)

    def flush(self) -> None:
        content = BytesIO()
        np.save(content, self._vectors, allow_pickle=False)
        write_durably(self._path.with_suffix(".npy"), content.getbuffer())
        write_durably(self._path.with_suffix(".ids.json"), json.dumps(self._ids))

    def close(self) -> None:
        self._rows = np.empty((0, self._dim), dtype=np.float32)
        self._ids, self._row = [], {}


def after(ids: Iterable[str], moves: Moves) -> Iterable[tuple[str, str]]:
    """Every id that there is after `moves` of these, with the one that it was before."""
    gone = set(moves.gone)
    return chain(((id_, id_) for id_ in ids if id_ not in gone), moves.taken.items())


def taken_over(earlier: Store, pairs: Iterable[tuple[str, str]]) -> Batches:
    """The vectors that a store has for ids by others, given as (other id, id), a few at a time."""
    pairs = iter(pairs)
    while some := list(islice(pairs, COPIED)):
        yield [id_ for id_, _ in some], earlier.vectors([there for _, there in some])


def cosines(vectors: Vectors, query: Vector) -> Scores:
    """The inner product of each row of `vectors`, shape (n, dim), with `query`, shape (dim,).

    Equal rows get equal scores to the last bit, which a BLAS product does not promise: there a
    score depends on the row's place in the matrix, and ties would not be ties.
    """
    scores: Scores = np.einsum("ij,j->i", vectors, query)
    return scores


def scores_of(rows: Sequence[int], score: Callable[[Rows], Scores]) -> Scores:
    """What `score` gives for these rows, in their order; −∞ for those below 0, which are none."""
    wanted = np.array(rows, dtype=np.int64)
    there = wanted >= 0
    found = np.full(len(wanted), -np.inf, dtype=np.float32)
    found[there] = score(wanted[there])
    return found


def best(ids: Sequence[str], scores: Scores, k: int) -> list[tuple[str, float]]:
    """The `k` highest of `scores` with their ids, best first, ties in order of id."""
    k = min(k, len(scores))
    if k <= 0:
        return []
    threshold = np.partition(scores, -k)[-k]
    rows = np.flatnonzero(scores >= threshold).tolist()
    ranked = sorted((-float(scores[row]), ids[row]) for row in rows)
    return [(id_, -negated) for negated, id_ in ranked[:k]]


def checked_batch(ids: Sequence[str], vectors: Vectors, *, dim: int) -> Vectors:
    """`vectors` as float32 of shape (len(ids), dim).

    Raises ValueError on another shape, a number that is not finite, or an id given twice.
    """
    batch = np.ascontiguousarray(vectors, dtype=np.float32)
    if batch.shape != (len(ids), dim):
        raise ValueError(f"Vectors of shape {batch.shape} given; expected {(len(ids), dim)}.")
    if not np.isfinite(batch).all():
        raise ValueError("A vector holds a number that is not finite.")
    if len(set(ids)) != len(ids):
        twice = next(id_ for row, id_ in enumerate(ids) if id_ in ids[:row])
        raise ValueError(f"Id {twice!r} is given twice in one call.")
    return batch


def checked_query(vector: Vector, *, dim: int) -> Vector:
    """`vector` as float32 of shape (dim,); raises ValueError as `checked_batch` does."""
    query: Vector = checked_batch(["query"], np.asarray(vector)[np.newaxis], dim=dim)[0]
    return query


def _read_ids(path: Path, *, count: int) -> list[str]:
    """The ids of the rows of the store at `path`; raises IndexDamaged if there are not `count`."""
    file = path.with_suffix(".ids.json")
    try:
        ids = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(file, str(error)) from error
    if not isinstance(ids, list) or not all(isinstance(id_, str) for id_ in ids):
        raise damaged(file, "it is not a list of ids")
    if len(ids) != count:
        raise damaged(file, f"it holds {len(ids)} ids for {count} vectors")
    if len(set(ids)) != count:
        raise damaged(file, "it holds an id twice")
    return ids


def damaged(file: Path, found: str) -> IndexDamaged:
    return IndexDamaged(f"{file} cannot be used: {found}. Run `askai index --rebuild`.")
