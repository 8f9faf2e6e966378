"""Vectors in PostgreSQL: pgvector finds the candidates, and the oracle's arithmetic ranks them.

So a search returns the ids of the local store, with its scores, in its order. The vectors are kept
in float32 for that; the approximate index over many of them (`nearest`) is over halves.

Up to EXACT vectors, and among so many, all of them are looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from askai.embedders import Vector, Vectors
from askai.postgres.beside import Beside
from askai.postgres.connection import Snapshot
from askai.postgres.texts import read, stored
from askai.servers import Table
from askai.stores import Found
from askai.stores.fetched import FetchedVectors

EXACT = 20_000  # vectors
IVF = "ivfflat"
HNSW = "hnsw"  # of an index that was published before there was the other
_ROUNDING = 2e-5  # of an inner product in float32, in whatever order, by both sides
_SENT = 1_000  # vectors that are scored here sooner than there
_CANDIDATES = 4  # of the approximate index for each that is wanted …
FEWEST = 200  # … and at least so many, or more where these are too few
MOST = 1_000  # what hnsw.ef_search can be
_RANKED = 100  # of the lists' vectors: their halves put them nearly in the order of the floats
ALL = """
WITH scored AS MATERIALIZED (
    SELECT id, embedding <#> %(query)s AS distance FROM {table} {where}
)
SELECT v.id, v.embedding FROM scored JOIN {table} v USING (id)
WHERE scored.distance <= %(slack)s
    + (SELECT max(distance) FROM (SELECT distance FROM scored ORDER BY 1 LIMIT %(k)s) first)
"""
_AMONG = "id = ANY(%(among)s)"
_NEAR = """
WITH near AS MATERIALIZED (
    SELECT id, embedding FROM {table} WHERE {where} {among}
    ORDER BY {halves} <#> %(query)s::halfvec({dim}) LIMIT %(count)s
), scored AS (SELECT id, embedding, embedding <#> %(query)s AS distance FROM near)
SELECT id, embedding FROM scored WHERE distance <= %(slack)s
    + (SELECT max(distance) FROM (SELECT distance FROM scored ORDER BY 1 LIMIT %(k)s) first)
"""
_GRAPH = (
    "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), "
    "set_config('hnsw.ef_search', %s, true), "
    "set_config('hnsw.max_scan_tuples', '200000', true)"
)
# What is in the lists that are looked into is sorted: in the memory of a small server's work_mem
# only where these are few.
_LISTS = (
    "SELECT set_config('ivfflat.iterative_scan', 'relaxed_order', true), "
    "set_config('ivfflat.probes', %s, true), set_config('work_mem', '64MB', true)"
)


@dataclass(frozen=True, slots=True)
class FoundNear(Found):
    """As `Found`, with what its recall was measured with."""

    candidates: int = FEWEST  # of HNSW
    probes: int = 0  # lists of IVFFlat that are looked into
    made: int = 0  # the how manieth index of its epoch that is
    made_for: int = 0  # vectors that there were when it was made

    @property
    def approximate(self) -> bool:
        return self.kind in {IVF, HNSW}

    @property
    def how(self) -> str:
        """For people."""
        if self.kind == IVF:
            return f"{self.kind}, {self.probes} lists looked into"
        return f"{self.kind}, {self.candidates} candidates"

    def indexed(self, dim: int) -> str:
        """The expression that its index is over. A query is answered by an index of the same
        expression and condition alone, so that two of them may be there while one takes the
        other's place."""
        halves = "embedding" if self.kind == HNSW else f"embedding::vector({dim})"
        return f"({halves}::halfvec({dim}))"

    def condition(self, epoch: int) -> str:
        """Which rows its index is over: all of the epoch, since no document has such a number."""
        return f"epoch = {epoch}" + ("" if self.kind == HNSW else f" AND doc <> {-self.made}")

    def tuned(self, k: int) -> tuple[str, str]:
        """The query that sets what a search for k takes, with its parameter."""
        if self.kind == IVF:
            return _LISTS, str(self.probes)
        return _GRAPH, str(min(MOST, self.looked_at(k)))

    def looked_at(self, k: int) -> int:
        """How many candidates are scored."""
        if self.kind == IVF:
            return max(_RANKED, 2 * k)
        return max(self.candidates, _CANDIDATES * k)

    def query(self, table: Table, *, dim: int, epoch: int, among: bool = False) -> str:
        return _NEAR.format(
            table=table,
            dim=dim,
            where=self.condition(epoch),
            halves=self.indexed(dim),
            among=f"AND {_AMONG}" if among else "",
        )


class PostgresVectors(FetchedVectors):
    """See `askai.stores.VectorSearch`."""

    def __init__(
        self,
        snapshot: Snapshot | Beside,
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
        if self._found and self._found.approximate and (wanted is None or len(wanted) > EXACT):
            return self._near(self._found, query, k, wanted)
        return self.exactly(query, k, wanted)

    def _fetch(self, ids: Sequence[str]) -> tuple[list[str], Vectors]:
        query = f"SELECT id, embedding FROM {self._table} WHERE {_AMONG}"  # noqa: S608 - our own names
        return self._fetched(query, {"among": [stored(id_) for id_ in ids]})

    def exactly(
        self, query: Vector, k: int, among: Sequence[str] | None = None
    ) -> tuple[list[str], Vectors]:
        """The best k and what is as near as float32 can tell, by a look at all."""
        sql = ALL.format(table=self._table, where="" if among is None else f"WHERE {_AMONG}")
        return self._fetched(sql, {"query": query, "k": k, "slack": _ROUNDING} | _given(among))

    def _near(
        self, found: FoundNear, query: Vector, k: int, among: Sequence[str] | None
    ) -> tuple[list[str], Vectors]:
        tuned, value = found.tuned(k)
        self._snapshot.rows(tuned, (value,))
        sql = found.query(self._table, dim=self._dim, epoch=self._epoch, among=among is not None)
        given = {"query": query, "count": found.looked_at(k), "k": k, "slack": _ROUNDING}
        return self._fetched(sql, given | _given(among))

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
