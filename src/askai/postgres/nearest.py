"""The approximate index over many vectors (IVFFlat over halves), and how much of what is nearest it
finds.

IVFFlat puts vectors into lists, each around a centre (k-means over a sample), and a question looks
into those of the nearest centres. How many, is measured: the fewest with which the stored questions
find what a look at all vectors finds; where no number is enough all vectors are looked at. HNSW,
which it was before, took several times as long to make and found too little of a million.

An index is of one `epoch`: the vectors of a corpus that is replaced as a whole get the next number,
so that filling the tables need not keep an index that nobody will read, and readers of the old ones
keep theirs. Within an epoch it takes in what is new; where there are twice as many vectors as it
was made for, another is made beside it, for other lists; where it finds too little before that, all
vectors are looked at.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from math import isqrt
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from askai.errors import StoreError
from askai.postgres.connection import Address, Connection
from askai.postgres.exact_queries import K, ranked, write_truth
from askai.postgres.texts import read
from askai.postgres.vectors import EXACT, FEWEST, HNSW, IVF, MOST, FoundNear
from askai.servers import Table

Rows = Callable[[Any, Any], list[tuple[Any, ...]]]
MOST_DIM = 4000  # numbers that an index over halves can have
ENOUGH = 0.97  # recall@10 below which all vectors are looked at
_AIM = 0.985  # for a new index: the questions of people are not the stored ones
_PROBES = (4, 8, 12, 16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 256)  # lists looked into
_CANDIDATES = (FEWEST, 400, MOST)  # of HNSW
_GROWTH = 2  # times as many vectors as an index was made for: then another is made
_SAMPLED = 50  # vectors for each list that pgvector finds its centres by
_MEMORY_MB = (64, 2_560)  # for making the index, which fails where it does not fit


def brought_up_to_date(
    connection: Connection,
    table: Table,
    *,
    dim: int,
    epoch: int,
    since: int = 0,
    before: FoundNear | None = None,
) -> FoundNear:
    """Sees to it that there is an index where there are many vectors, and measures what it takes to
    find enough by it; in the publisher's transaction. `before` is what the last publication of the
    same epoch found; documents from the number `since` on are new; 0: all are."""
    ((count,),) = connection.execute(
        _sql(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
    ).fetchall()
    if count <= EXACT or dim > MOST_DIM:
        connection.execute("DELETE FROM exact_queries WHERE vectors = %s", (table,))
        return FoundNear("flat", count, 1.0, 0)
    sample = write_truth(connection, table, dim, since=since)

    def measured(found: FoundNear) -> FoundNear:
        share = recall(_rows(connection), table, found, dim=dim, epoch=epoch)
        return replace(found, recall=round(share, 4), vectors=count, sample=sample)

    kept = _kept(connection, table, epoch, before)
    if kept is not None and (kept.kind == HNSW or count < _GROWTH * kept.made_for):
        found = _enough(kept, measured)
        if found is not None:
            return found
        if kept.kind == IVF:  # another would find no more
            return replace(kept, kind="flat", vectors=count, recall=1.0, sample=sample)
    new = FoundNear(IVF, count, 0.0, sample, made=1, made_for=count)
    while is_there(_rows(connection), table, epoch, new):  # in use, or not dropped yet
        new = replace(new, made=new.made + 1)
    _make(connection, table, new, dim=dim, epoch=epoch)
    return _enough(new, measured) or replace(new, kind="flat", recall=1.0)


def name_of(table: str, epoch: int, found: FoundNear) -> str:
    name = f"{table}_near_{epoch}"
    return name if found.kind == HNSW else f"{name}_{found.made}"


def is_there(rows: Rows, table: str, epoch: int, found: FoundNear) -> bool:
    ((there,),) = rows("SELECT to_regclass(%s) IS NOT NULL", (name_of(table, epoch, found),))
    return bool(there)


def _kept(
    connection: Connection, table: Table, epoch: int, before: FoundNear | None
) -> FoundNear | None:
    """The index that is there already, as it was found by; None: another has to be made."""
    if before is None:
        return None
    # One that found too little has no kind of its own.
    kept = before if before.kind == HNSW else replace(before, kind=IVF)
    if kept.kind == IVF and not kept.made:
        return None
    return kept if is_there(_rows(connection), table, epoch, kept) else None


def _enough(found: FoundNear, measured: Callable[[FoundNear], FoundNear]) -> FoundNear | None:
    """With the least work by which it finds enough; None: by none."""
    if found.kind == HNSW:
        tried = (measured(replace(found, candidates=n)) for n in _CANDIDATES)
        return next((one for one in tried if one.recall >= ENOUGH), None)
    if found.probes:
        now = measured(found)
        if now.recall >= ENOUGH:
            return now
    least, most = 0, len(_PROBES) - 1
    best = measured(replace(found, probes=_PROBES[most]))
    if best.recall < ENOUGH:
        return None
    while least < most:
        middle = (least + most) // 2
        one = measured(replace(found, probes=_PROBES[middle]))
        if one.recall >= _AIM:
            best, most = one, middle
        else:
            least = middle + 1
    return best


def _make(connection: Connection, table: Table, found: FoundNear, *, dim: int, epoch: int) -> None:
    lists = 3 * isqrt(found.vectors)
    while _memory(lists, dim) > _MEMORY_MB[1]:
        lists = lists * 9 // 10
    memory = max(_memory(lists, dim), _MEMORY_MB[0])
    connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", (f"{memory}MB",))
    connection.execute(
        _sql(
            f"CREATE INDEX {name_of(table, epoch, found)} ON {table} USING ivfflat "
            f"({found.indexed(dim)} halfvec_ip_ops) WITH (lists = {lists}) "
            f"WHERE {found.condition(epoch)}"
        )
    )


def _memory(lists: int, dim: int) -> int:
    """MB in which k-means holds a sample, and of each vector of it how far every centre is at
    least: 2 GB of 3,000 lists."""
    sampled = max(_SAMPLED * lists, 10_000)
    return (sampled * (2 * dim + 4 * lists + 64) + 8 * lists * (lists + dim)) // 1_000_000 + 64


def drop_others(address: Address, kept: Iterable[str]) -> None:
    """Drops the indexes that are not of these names, after the publication, waiting for no
    reader."""
    with suppress(psycopg.Error, StoreError):
        connection = address.connect("index")
        try:
            connection.autocommit = True
            connection.execute("SET lock_timeout = '2s'")
            rows = connection.execute(
                "SELECT indexname FROM pg_indexes WHERE schemaname = %s "
                "AND indexname ~ '^(passage|unit)_vectors_near_[0-9]+(_[0-9]+)?$'",
                (address.schema,),
            ).fetchall()
            for name in sorted({name for (name,) in rows} - set(kept)):
                index: Any = sql.Identifier(address.schema, name)
                connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(index))
        finally:
            connection.close()


def recall(rows: Rows, table: Table, found: FoundNear, *, dim: int, epoch: int) -> float:
    """recall@10 of the index, asked as `found` says, against the stored answers of a look at all
    vectors; `rows` runs a query."""
    asked: Sequence[tuple[Any, ...]] = rows(
        "SELECT query, ids FROM exact_queries WHERE vectors = %s ORDER BY number", (table,)
    )
    near = found.query(table, dim=dim, epoch=epoch)
    tuned, value = found.tuned(K)
    shares = []
    for query, ids in asked:
        vector = query.to_numpy()
        rows(tuned, (value,))
        there = rows(near, {"query": vector, "count": found.looked_at(K), "k": K, "slack": 0.0})
        right = {i for i, _ in ranked(there, vector)} & set(map(read, ids))
        shares.append(len(right) / len(ids))
    return float(np.mean(shares)) if shares else 0.0


def _rows(connection: Connection) -> Rows:
    return lambda query, given: connection.execute(query, given).fetchall()


def _sql(text: str) -> Any:
    """A statement made of our own names and numbers."""
    return text
