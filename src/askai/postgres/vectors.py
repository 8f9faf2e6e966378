"""Vectors in PostgreSQL: pgvector finds the candidates, and the oracle's arithmetic ranks them.

So a search returns the ids of the local store, with its scores, in its order. The vectors are kept
in float32 for that; the approximate index over many of them (`nearest`) is over halves.

Up to EXACT vectors, and among so many, all of them are looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from askai.embedders import Vector, Vectors
from askai.postgres.connection import Snapshot
from askai.postgres.texts import read, stored
from askai.servers import Table
from askai.stores import Found
from askai.stores.fetched import FetchedVectors

EXACT = 20_000  # vectors
KIND = "hnsw"
_ROUNDING = 2e-5  # of an inner product in float32, in whatever order, by both sides
_SENT = 1_000  # vectors that are scored here sooner than there
_CANDIDATES = 4  # of the approximate index for each that is wanted …
FEWEST = 200  # … and at least so many, or more where these are too few
MOST = 1_000  # what hnsw.ef_search can be
ALL = """
WITH scored AS MATERIALIZED (
    SELECT id, embedding <#> %(query)s AS distance FROM {table} {where}
)
SELECT v.id, v.embedding FROM scored JOIN {table} v USING (id)
WHERE scored.distance <= %(slack)s
    + (SELECT max(distance) FROM (SELECT distance FROM scored ORDER BY 1 LIMIT %(k)s) first)
"""
_AMONG = "WHERE id = ANY(%(among)s)"
NEAR = """
WITH near AS MATERIALIZED (
    SELECT id, embedding FROM {table} WHERE epoch = {epoch} {among}
    ORDER BY (embedding::halfvec({dim})) <#> %(query)s::halfvec({dim}) LIMIT %(count)s
), scored AS (SELECT id, embedding, embedding <#> %(query)s AS distance FROM near)
SELECT id, embedding FROM scored WHERE distance <= %(slack)s
    + (SELECT max(distance) FROM (SELECT distance FROM scored ORDER BY 1 LIMIT %(k)s) first)
"""
TUNED = (
    "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), "
    "set_config('hnsw.ef_search', %s, true), "
    "set_config('hnsw.max_scan_tuples', '200000', true)"
)


@dataclass(frozen=True, slots=True)
class FoundNear(Found):
    """As `Found`, with the candidates that its recall was measured with."""

    candidates: int = FEWEST


class PostgresVectors(FetchedVectors):
    """See `askai.stores.VectorSearch`."""

    def __init__(
        self,
        snapshot: Snapshot,
        table: Table,
        *,
        dim: int,
        epoch: int = 0,
        found: FoundNear | None = None,
    ) -> None:
        """`found` is how the publisher measured them to be found; None: by looking at all."""
        super().__init__(dim)
        self._snapshot = snapshot
        self._table = table
        self._epoch = epoch
        self._found = found

    def _candidates(
        self, query: Vector, k: int, among: Sequence[str] | None
    ) -> tuple[list[str], Vectors]:
        wanted = None if among is None else [stored(id_) for id_ in dict.fromkeys(among)]
        if among is not None and len(among) <= _SENT:
            return self.those_of(among)
        if self._approximate and (wanted is None or len(wanted) > EXACT):
            return self._near(query, k, wanted)
        return self.exactly(query, k, wanted)

    def _fetch(self, ids: Sequence[str]) -> tuple[list[str], Vectors]:
        query = f"SELECT id, embedding FROM {self._table} {_AMONG}"  # noqa: S608 - our own names
        return self._fetched(query, {"among": [stored(id_) for id_ in ids]})

    @property
    def _approximate(self) -> bool:
        return self._found is not None and self._found.kind == KIND

    def exactly(
        self, query: Vector, k: int, among: Sequence[str] | None = None
    ) -> tuple[list[str], Vectors]:
        """The best k and what is as near as float32 can tell, by a look at all."""
        sql = ALL.format(table=self._table, where="" if among is None else _AMONG)
        return self._fetched(sql, {"query": query, "k": k, "slack": _ROUNDING} | _given(among))

    def _near(
        self, query: Vector, k: int, among: Sequence[str] | None
    ) -> tuple[list[str], Vectors]:
        fewest = self._found.candidates if self._found else FEWEST
        count = max(fewest, _CANDIDATES * k)
        self._snapshot.rows(TUNED, (str(min(MOST, count)),))
        sql = NEAR.format(
            table=self._table,
            epoch=self._epoch,
            dim=self._dim,
            among="" if among is None else "AND id = ANY(%(among)s)",
        )
        return self._fetched(
            sql, {"query": query, "count": count, "k": k, "slack": _ROUNDING} | _given(among)
        )

    def _fetched(self, query: str, parameters: dict[str, Any]) -> tuple[list[str], Vectors]:
        rows = self._snapshot.rows(query, parameters)
        return self._keep({read(id_): vector.to_numpy() for id_, vector in rows})

    def found_by(self) -> Found:
        return self._found or Found("flat", len(self), 1.0, 0)

    def __len__(self) -> int:
        ((count,),) = self._snapshot.rows(f"SELECT count(*) FROM {self._table}")  # noqa: S608
        return int(count)


def _given(among: Sequence[str] | None) -> dict[str, Any]:
    return {} if among is None else {"among": list(among)}
