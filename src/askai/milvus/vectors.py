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
from askai.stores import Found
from askai.stores.fetched import FetchedVectors

EXACT = 20_000  # vectors
KIND = "hnsw"
_ROUNDING = 2e-5  # of an inner product in float32, in whatever order, by both sides
_SENT = 1_000  # vectors that are scored here sooner than there
_MORE = 64  # candidates besides those that are wanted, for ties
_CANDIDATES = 4  # of the approximate index for each that is wanted …
_FEWEST = 200  # … and at least so many


class MilvusVectors(FetchedVectors):
    """See `askai.stores.VectorSearch`."""

    def __init__(
        self, snapshot: Snapshot, table: Table, *, dim: int, found: Found | None = None
    ) -> None:
        """`found` is how the publisher measured them to be found; None: by looking at all."""
        super().__init__(dim)
        self._snapshot = snapshot
        self._table = table
        self._found = found

    def _candidates(
        self, query: Vector, k: int, among: Sequence[str] | None
    ) -> tuple[list[str], Vectors]:
        near = self._found is not None and self._found.kind == KIND
        if among is not None and len(among) <= (EXACT if near else _SENT):
            return self.those_of(among)
        keys = () if among is None else (digest(id_) for id_ in dict.fromkeys(among))
        where = "" if among is None else f"key in {listed(keys)}"
        return self.near(query, k, where) if near else self._exactly(query, k, where)

    def _fetch(self, ids: Sequence[str]) -> tuple[list[str], Vectors]:
        return self._read(self._snapshot.vectors(self._table, [digest(id_) for id_ in ids]))

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
        return self._keep(
            {read_id(row["id"]): np.asarray(row["embedding"], np.float32) for row in rows}
        )

    def found_by(self) -> Found:
        return self._found or Found("flat", len(self), 1.0, 0)

    def __len__(self) -> int:
        return self._snapshot.vector_count(self._table)
