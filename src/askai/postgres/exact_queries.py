"""Questions that recall is measured by, stored with what a look at all vectors finds for each.

Each publication brings those answers up to date. A look at all reads all of a table, so an answer
is only looked for anew where one of its ids is gone or new; else the new vectors alone may be
better. Many answers that are looked for anew are looked for in one reading.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from askai.embedders import Vector, Vectors
from askai.postgres.connection import Connection
from askai.postgres.rows import copied
from askai.postgres.texts import read, stored
from askai.postgres.vectors import ALL
from askai.servers import Table
from askai.stores.exact import best, cosines
from askai.stores.near import questions_of

SAMPLE = 100  # questions
K = 10
_SEED = 20_261
_ONE_BY_ONE = 5  # questions that the server answers sooner than all vectors are sent
_READ = 8_192  # vectors at a time
_HEAD = 4  # bytes of a vector as it is sent, before its numbers


def write_truth(connection: Connection, table: Table, dim: int, *, since: int) -> int:
    """Brings the answers to the stored questions up to date; makes questions where there are none
    of this dimension. Returns how many there are."""
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
    anew = [n for n, (_, ids) in enumerate(known) if len(ids) < K or not same.issuperset(ids)]
    answers: dict[int, list[str]] = {}
    if len(anew) > _ONE_BY_ONE:
        found = _looked_through(connection, table, np.stack([known[n][0] for n in anew]))
        answers = dict(zip(anew, found, strict=True))
    truth: list[tuple[int, Vector, list[str]]] = []
    for number, (query, ids) in enumerate(known):
        if number not in answers:
            answers[number] = _looked_for(
                connection, table, query, ids if number not in anew else None, since
            )
        truth.append((number, query, [stored(id_) for id_ in answers[number]]))
    connection.execute("DELETE FROM exact_queries WHERE vectors = %s", (table,))
    copied(
        connection, "exact_queries", ["vectors", "number", "query", "ids"],
        ["text", "int4", "vector", "text[]"],
        ((table, number, query, ids) for number, query, ids in truth),
    )  # fmt: skip
    return len(truth)


def _looked_for(
    connection: Connection, table: Table, query: Vector, ids: Sequence[str] | None, since: int
) -> list[str]:
    """The ids of the K best, by the server: of all, or of `ids` and those that are new."""
    where = "" if ids is None else "WHERE doc >= %(since)s OR id = ANY(%(ids)s)"
    found = connection.execute(
        _sql(ALL.format(table=table, where=where)),
        {"query": query, "k": K, "slack": 0.0}
        | ({} if ids is None else {"since": since, "ids": ids}),
    ).fetchall()
    return [id_ for id_, _ in ranked(found, query)]


def _looked_through(connection: Connection, table: Table, queries: Vectors) -> list[list[str]]:
    """The ids of the K best of all, for each of several questions, by one reading of the table."""
    held: list[dict[str, Vector]] = [{} for _ in queries]
    least = np.full(len(queries), -np.inf, np.float32)  # the score of the K-th so far
    with connection.cursor(name="askai_truth", binary=True) as cursor:
        cursor.itersize = _READ
        cursor.execute(_sql(f"SELECT id, vector_send(embedding) FROM {table}"))  # noqa: S608
        while rows := cursor.fetchmany(_READ):
            sent = np.frombuffer(b"".join(vector for _, vector in rows), np.uint8)
            vectors = sent.reshape(len(rows), -1)[:, _HEAD:].copy().view(">f4").astype(np.float32)
            scores = queries @ vectors.T
            for number, query in enumerate(queries):
                # A little more: the ranking below may round otherwise.
                some = np.flatnonzero(scores[number] >= least[number] - 1e-5)
                if not len(some):
                    continue
                if len(some) > 2 * K:
                    some = some[np.argsort(-scores[number][some], kind="stable")]
                    enough = scores[number][some[K]] - 1e-5
                    some = some[scores[number][some] >= enough]
                mine = held[number] | {read(rows[n][0]): vectors[n] for n in some.tolist()}
                first = best(list(mine), cosines(np.stack([*mine.values()]), query), K)
                held[number] = {id_: mine[id_] for id_, _ in first}
                if len(first) == K:
                    least[number] = first[-1][1]
    return [list(mine) for mine in held]  # in the order that `best` has put them in


def _questions(connection: Connection, table: Table) -> list[Vector]:
    # By a hash of the id: the same for the same vectors, and no row is likelier than another.
    rows = connection.execute(
        _sql(f"SELECT embedding FROM {table} ORDER BY md5(id) LIMIT {2 * SAMPLE}")  # noqa: S608
    ).fetchall()
    some: Vectors = np.stack([vector.to_numpy() for (vector,) in rows])
    return [*questions_of(some, np.random.default_rng(_SEED))]


def ranked(found: Sequence[tuple[str, Any]], query: Vector) -> list[tuple[str, float]]:
    """The K best (id, cosine) of rows (id, vector) as they were read."""
    if not found:
        return []
    vectors: Vectors = np.stack([vector.to_numpy() for _, vector in found])
    return best([read(id_) for id_, _ in found], cosines(vectors, query), K)


def _sql(text: str) -> Any:
    """A statement made of our own names and numbers."""
    return text
