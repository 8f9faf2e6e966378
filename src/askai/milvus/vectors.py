"""Vectors in Milvus: it finds the candidates, and the oracle's arithmetic ranks them.

So a search returns the ids of the local store, with its scores, in its order. Up to EXACT vectors
the server looks at all of them (FLAT), and above finds them by HNSW; among no more than EXACT they
are all fetched and scored here.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from askai.embedders import Vector, Vectors
from askai.milvus.collections import digest, read_id
from askai.milvus.connection import MOST_FOUND, Row, listed
from askai.milvus.snapshot import Snapshot
from askai.servers import Table
from askai.stores import Found, Scores
from askai.stores.exact import best, checked_query, cosines

EXACT = 20_000  # vectors
KIND = "hnsw"
_ROUNDING = 2e-5  # of an inner product in float32, in whatever order, by both sides
_SENT = 1_000  # vectors that are scored here sooner than there
_MORE = 64  # candidates besides those that are wanted, for ties
_CANDIDATES = 4  # of the approximate index for each that is wanted …
_FEWEST = 200  # … and at least so many
_REMEMBERED = 4_096  # vectors


class MilvusVectors:
    """See `askai.stores.VectorSearch`."""

    def __init__(
        self, snapshot: Snapshot, table: Table, *, dim: int, found: Found | None = None
    ) -> None:
        """`found` is how the publisher measured them to be found; None: by looking at all."""
        self._snapshot = snapshot
        self._table = table
        self._dim = dim
        self._found = found
        self._held: dict[str, Vector] = {}

    def vectors(self, ids: Sequence[str]) -> Vectors:
        held = dict(zip(*self._of(ids), strict=True))
        return np.stack([held[id_] for id_ in ids]) if ids else np.empty((0, self._dim), np.float32)

    def search(
        self, vector: Vector, k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        query = checked_query(vector, dim=self._dim)
        if k <= 0 or (among is not None and not among):
            return []
        ids, vectors = self._candidates(query, k, among)
        return best(ids, cosines(vectors, query), k)

    def cosines(self, vector: Vector, ids: Sequence[str]) -> Scores:
        query = checked_query(vector, dim=self._dim)
        there, vectors = self._of(ids)
        found = dict(zip(there, cosines(vectors, query).tolist(), strict=True))
        return np.array([found.get(id_, -np.inf) for id_ in ids], dtype=np.float32)

    def _candidates(
        self, query: Vector, k: int, among: Sequence[str] | None
    ) -> tuple[list[str], Vectors]:
        """Those that the best k are among, or with an approximate index nearly all of these."""
        near = self._found is not None and self._found.kind == KIND
        if among is not None and len(among) <= (EXACT if near else _SENT):
            return self._of(among)
        keys = () if among is None else (digest(id_) for id_ in dict.fromkeys(among))
        where = "" if among is None else f"key in {listed(keys)}"
        return self.near(query, k, where) if near else self._exactly(query, k, where)

    def _of(self, ids: Sequence[str]) -> tuple[list[str], Vectors]:
        """The vectors of these ids, those that there are; a question comes to the same again."""
        held = {id_: self._held[id_] for id_ in ids if id_ in self._held}
        if new := [digest(id_) for id_ in dict.fromkeys(ids) if id_ not in held]:
            held.update(zip(*self._read(self._snapshot.vectors(self._table, new)), strict=True))
        return list(held), self._stacked(held.values())

    def _exactly(self, query: Vector, k: int, where: str) -> tuple[list[str], Vectors]:
        """The best k and what is as near as float32 can tell, of which there may be many."""
        limit = k + _MORE
        while limit <= MOST_FOUND:
            hits = self._snapshot.search(self._table, query, limit, where=where)
            scores = [score for score, _ in hits]
            if len(hits) < limit or scores[-1] < scores[k - 1] - _ROUNDING:
                return self._read([row for _, row in hits])
            limit = MOST_FOUND if limit < MOST_FOUND < 8 * limit else 8 * limit
        return self._among_all(where)

    def _among_all(self, where: str) -> tuple[list[str], Vectors]:
        """Where a search cannot give so many: all pass by here."""
        return self._read(self._snapshot.all_vectors(self._table, where))

    def near(self, query: Vector, k: int, where: str = "") -> tuple[list[str], Vectors]:
        """By the approximate index."""
        limit = min(MOST_FOUND, max(_FEWEST, _CANDIDATES * k))
        hits = self._snapshot.search(self._table, query, limit, where=where, ef=limit)
        return self._read([row for _, row in hits])

    def _read(self, rows: Iterable[Row]) -> tuple[list[str], Vectors]:
        held = {read_id(row["id"]): np.asarray(row["embedding"], np.float32) for row in rows}
        if len(self._held) > _REMEMBERED:
            self._held = {}
        self._held.update(held)
        return list(held), self._stacked(held.values())

    def _stacked(self, vectors: Iterable[Vector]) -> Vectors:
        """Shape (n, dim)."""
        arrays = list(vectors)
        return np.stack(arrays) if arrays else np.empty((0, self._dim), dtype=np.float32)

    def found_by(self) -> Found:
        return self._found or Found("flat", len(self), 1.0, 0)

    def __len__(self) -> int:
        return self._snapshot.vector_count(self._table)

    def close(self) -> None:
        """The snapshot is closed by whoever opened it."""
        self._held = {}
