"""The approximate index over many vectors (HNSW over halves), and how much of what is nearest it
finds.

It is of one `epoch`: the vectors of a corpus that is replaced as a whole get the next number, so
that filling the tables need not keep an index that nobody will read, and readers of the old ones
keep theirs. Its recall is measured when it is made, by stored questions whose answers a look at all
vectors gave; each publication brings those answers up to date, and `askai doctor` asks them again.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from askai.embedders import Vector, Vectors
from askai.errors import StoreError
from askai.postgres.connection import Address, Connection
from askai.postgres.rows import copied
from askai.postgres.texts import read, stored
from askai.postgres.vectors import ALL, EXACT, FEWEST, KIND, MOST, NEAR, TUNED, FoundNear
from askai.servers import Table
from askai.stores.exact import best, cosines
from askai.stores.near import questions_of

Rows = Callable[[Any, Any], list[tuple[Any, ...]]]
MOST_DIM = 4000  # numbers that an index over halves can have
SAMPLE = 50  # questions
K = 10
ENOUGH = 0.97  # recall@10 below which all vectors are looked at
# Of the index for a question: as few as are enough. Of a million vectors 200 are not.
_CANDIDATES = (FEWEST, 400, MOST)
_SEED = 20_261
_MEMORY_MB = (64, 2048)  # for making the index: it is several times slower where it does not fit


def brought_up_to_date(
    connection: Connection, table: Table, *, dim: int, epoch: int, since: int = 0
) -> FoundNear:
    """Sees to it that there is an index where there are many vectors, and measures how many
    candidates it takes; in the publisher's transaction. Documents from the number `since` on are
    new; 0: all are."""
    ((count,),) = connection.execute(
        _sql(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
    ).fetchall()
    if count <= EXACT or dim > MOST_DIM:
        connection.execute("DELETE FROM exact_queries WHERE vectors = %s", (table,))
        return FoundNear("flat", count, 1.0, 0)
    made = _make(connection, table, dim=dim, epoch=epoch, count=count)
    _write_truth(connection, table, dim, since=0 if made else since)
    for candidates in _CANDIDATES:
        measured = recall(
            lambda query, given: connection.execute(query, given).fetchall(),
            table,
            dim=dim,
            epoch=epoch,
            candidates=candidates,
        )
        if measured >= ENOUGH:
            return FoundNear(KIND, count, round(measured, 4), SAMPLE, candidates)
    return FoundNear("flat", count, 1.0, SAMPLE)


def name_of(table: str, epoch: int) -> str:
    return f"{table}_near_{epoch}"


def _make(connection: Connection, table: Table, *, dim: int, epoch: int, count: int) -> bool:
    """Whether one was made: there was none."""
    name = name_of(table, epoch)
    ((there,),) = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchall()
    if there:
        return False
    # Halves, and about 300 bytes of links for each.
    wanted = count * (2 * dim + 400) // 1_000_000 + 64
    memory = min(max(wanted, _MEMORY_MB[0]), _MEMORY_MB[1])
    connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", (f"{memory}MB",))
    connection.execute(
        _sql(
            f"CREATE INDEX {name} ON {table} USING hnsw "
            f"((embedding::halfvec({dim})) halfvec_ip_ops) WHERE epoch = {epoch}"
        )
    )
    return True


def drop_others(address: Address, epoch: int) -> None:
    """Drops the indexes of epochs that are gone, after the publication, waiting for no reader."""
    with suppress(psycopg.Error, StoreError):
        connection = address.connect("index")
        try:
            connection.autocommit = True
            connection.execute("SET lock_timeout = '2s'")
            rows = connection.execute(
                "SELECT indexname FROM pg_indexes WHERE schemaname = %s "
                "AND indexname ~ '^(passage|unit)_vectors_near_[0-9]+$'",
                (address.schema,),
            ).fetchall()
            for (name,) in rows:
                if name.rpartition("_")[2] != str(epoch):
                    index: Any = sql.Identifier(address.schema, name)
                    connection.execute(
                        sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(index)
                    )
        finally:
            connection.close()


def recall(rows: Rows, table: Table, *, dim: int, epoch: int, candidates: int) -> float:
    """recall@10 of the index, with so many candidates, against the stored answers of a look at all
    vectors; `rows` runs a query."""
    asked = rows(
        "SELECT query, ids FROM exact_queries WHERE vectors = %s ORDER BY number", (table,)
    )
    near = NEAR.format(table=table, epoch=epoch, dim=dim, among="")
    shares = []
    for query, ids in asked:
        vector = query.to_numpy()
        rows(TUNED, (str(candidates),))
        found = rows(near, {"query": vector, "count": candidates, "k": K, "slack": 0.0})
        shares.append(len({i for i, _ in _ranked(found, vector)} & set(map(read, ids))) / len(ids))
    return float(np.mean(shares)) if shares else 0.0


def _write_truth(connection: Connection, table: Table, dim: int, *, since: int) -> None:
    """Brings the answers to the stored questions up to date; makes questions where there are none
    of this dimension.

    A look at all vectors reads all of their table, so an answer is only looked for anew where one
    of its ids is gone or new; else the new vectors alone may be better.
    """
    rows = connection.execute(
        "SELECT query, ids FROM exact_queries WHERE vectors = %s AND vector_dims(query) = %s "
        "ORDER BY number",
        (table, dim),
    ).fetchall()
    known = [(query.to_numpy(), list(ids)) for query, ids in rows]
    known = known or [(query, []) for query in _questions(connection, table)]
    every = sorted({id_ for _, ids in known for id_ in ids})
    same = {
        id_
        for (id_,) in connection.execute(
            _sql(f"SELECT id FROM {table} WHERE id = ANY(%s) AND doc < %s"),  # noqa: S608
            (every, since),
        ).fetchall()
    }
    truth: list[tuple[int, Vector, list[str]]] = []
    for number, (query, ids) in enumerate(known):
        follows = len(ids) == K and same.issuperset(ids)
        where = "WHERE doc >= %(since)s OR id = ANY(%(ids)s)" if follows else ""
        found = connection.execute(
            _sql(ALL.format(table=table, where=where)),
            {"query": query, "k": K, "slack": 0.0}
            | ({"since": since, "ids": ids} if follows else {}),
        ).fetchall()
        truth.append((number, query, [stored(id_) for id_, _ in _ranked(found, query)]))
    connection.execute("DELETE FROM exact_queries WHERE vectors = %s", (table,))
    copied(
        connection, "exact_queries", ["vectors", "number", "query", "ids"],
        ["text", "int4", "vector", "text[]"],
        ((table, number, query, ids) for number, query, ids in truth),
    )  # fmt: skip


def _questions(connection: Connection, table: Table) -> list[Vector]:
    # By a hash of the id: the same for the same vectors, and no row is likelier than another.
    rows = connection.execute(
        _sql(f"SELECT embedding FROM {table} ORDER BY md5(id) LIMIT {2 * SAMPLE}")  # noqa: S608
    ).fetchall()
    some: Vectors = np.stack([vector.to_numpy() for (vector,) in rows])
    return [*questions_of(some, np.random.default_rng(_SEED))]


def _ranked(found: Sequence[tuple[str, Any]], query: Vector) -> list[tuple[str, float]]:
    vectors: Vectors = np.stack([vector.to_numpy() for _, vector in found])
    return best([read(id_) for id_, _ in found], cosines(vectors, query), K)


def _sql(text: str) -> Any:
    """A statement made of our own names and numbers."""
    return text
