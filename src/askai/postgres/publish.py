"""Brings the tables to what a generation of an index folder holds, in one transaction.

What has changed is sent, see `publication`; a reader sees the generation before or this one, whole.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import psycopg

from askai.errors import StoreError
from askai.postgres import nearest, tables
from askai.postgres.connection import Address, Connection, writing
from askai.postgres.postings import update_words
from askai.postgres.rows import put_documents, put_vectors, remove_documents
from askai.postgres.texts import read, stored
from askai.postgres.vectors import FoundNear
from askai.publication import (
    Before,
    LocalIndex,
    Plan,
    Progress,
    Published,
    Times,
    check_model,
    planned,
    unchanged,
)
from askai.servers import Table

_VECTORS: tuple[Table, ...] = ("passage_vectors", "unit_vectors")
_MOST_NEW = 0.5  # share of the documents above which the tables are vacuumed at once


def publish(
    local: LocalIndex,
    address: Address,
    *,
    replace: bool = False,
    progress: Progress = lambda *_: None,
) -> Published:
    """Publishes `local`; a connection that is lost is made again once, and all is done again.

    Raises IndexLocked while another process publishes, IndexMismatch when the tables hold vectors
    of another model and not `replace`, and StoreError when the server will not.
    """
    try:
        return _once(local, address, replace=replace, progress=progress)
    except StoreError as error:
        if not was_lost(error):
            raise
    return _once(local, address, replace=replace, progress=progress)


def was_lost(error: StoreError) -> bool:
    cause = error.__cause__
    lost = isinstance(cause, psycopg.OperationalError)
    return lost and not isinstance(cause, psycopg.errors.DiskFull | psycopg.errors.QueryCanceled)


def _once(local: LocalIndex, address: Address, *, replace: bool, progress: Progress) -> Published:
    with writing(address) as connection:
        tables.lock(connection, address)
        tables.migrate(connection, address)
        before = tables.read_state(connection)
        layout = Layout()
        if before:
            check_before(local, before, address, layout, replace=replace)
        if before and not replace and is_there(local, before):
            return unchanged(local)
        plan = planned(local, there(connection), replace=replace, progress=progress)
        indexes = carry_out(plan, connection, before, layout)
    tidy(plan.published, address, indexes)
    return plan.published


@dataclass(frozen=True, slots=True)
class Layout:
    """Which part of the documents a server gets, and of which publication."""

    shard: int = 0
    shards: int = 1
    publication: str = field(default_factory=lambda: uuid.uuid4().hex)


def check_before(
    local: LocalIndex, before: tables.State, address: Address, layout: Layout, *, replace: bool
) -> None:
    """Raises IndexMismatch when what is there can only be replaced, and is not to be."""
    if not replace:
        tables.check_layout(before, address, layout.shard, layout.shards)
    check_model(
        local,
        manifest=before.manifest,
        model=before.model,
        where=address.masked,
        replace=replace,
    )


def tidy(done: Published, address: Address, indexes: Sequence[str]) -> None:
    """After the transaction: frees what was taken out, and drops the indexes over vectors that are
    not these."""
    if done.added > _MOST_NEW * done.documents:  # else autovacuum sees to it
        tables.vacuumed(address)
    nearest.drop_others(address, indexes)


def is_there(local: LocalIndex, before: tables.State) -> bool:
    same = before.generation == local.manifest.generation
    return same and before.aliases == stored(local.aliases)


def there(connection: Connection) -> dict[str, Before]:
    rows = connection.execute(
        "SELECT path, doc, key, position, mtime_ns, ctime_ns FROM sources"
    ).fetchall()
    return {read(path): Before(doc, key, (at, m, c)) for path, doc, key, at, m, c in rows}


def carry_out(
    plan: Plan, connection: Connection, before: tables.State | None, layout: Layout
) -> list[str]:
    """Does what is planned, in the transaction that is going on; returns the names of the indexes
    over vectors that it has."""
    epoch = (before.epoch if before else 0) + plan.whole
    gone = plan.gone
    if gone:
        remove_documents(connection, gone)
    put_documents(connection, plan.documents())
    _move(connection, plan.moved)
    chunks = plan.chunks()
    put_vectors(connection, "passage_vectors", plan.vectors(chunks), epoch=epoch)
    put_vectors(connection, "unit_vectors", plan.unit_vectors(chunks), epoch=epoch)
    update_words(connection, None if not plan.kept else gone, plan.words(chunks))
    tables.analyzed(connection)
    found = _found(plan, connection, before, epoch)
    _write_state(plan, connection, epoch, layout, found)
    return [nearest.name_of(table, epoch, one) for table, one in found.items()]


def _move(connection: Connection, moved: Mapping[str, tuple[Before, Times]]) -> None:
    """Documents that are the same, in another place or of a file with another time."""
    if not moved:
        return
    # Not by a temporary table: PREPARE TRANSACTION takes none.
    rows = [(before.number, *times) for before, times in moved.values()]
    connection.execute(
        "UPDATE sources s SET position = m.position, mtime_ns = m.mtime_ns, "
        "ctime_ns = m.ctime_ns FROM unnest(%s::int[], %s::bigint[], %s::bigint[], "
        "%s::bigint[]) AS m (doc, position, mtime_ns, ctime_ns) WHERE m.doc = s.doc",
        [list(column) for column in zip(*rows, strict=True)],
    )


def _found(
    plan: Plan, connection: Connection, before: tables.State | None, epoch: int
) -> dict[Table, FoundNear]:
    """How vectors are found now, in each table."""
    since = 0 if plan.whole else plan.next
    was = json.loads(before.found_by) if before and before.epoch == epoch else {}
    dim = _dim(connection)
    return {
        table: nearest.brought_up_to_date(
            connection, table, dim=dim, epoch=epoch, since=since,
            before=FoundNear(**was[table]) if table in was else None,
        )
        for table in _VECTORS
    }  # fmt: skip


def _dim(connection: Connection) -> int:
    ((dim,),) = connection.execute(
        "SELECT coalesce((SELECT vector_dims(embedding) FROM passage_vectors LIMIT 1), 1)"
    ).fetchall()
    return int(dim)


def _write_state(
    plan: Plan,
    connection: Connection,
    epoch: int,
    layout: Layout,
    found: Mapping[Table, FoundNear],
) -> None:
    local, manifest = plan.local, plan.local.manifest
    values = {
        "generation": manifest.generation,
        "manifest": stored(json.dumps(asdict(manifest), ensure_ascii=True)),
        "model": manifest.settings["embedder"]["fingerprint"],
        "dim": _dim(connection),
        "epoch": epoch,
        "skipped": stored(local.skipped),
        "aliases": stored(local.aliases),
        "shares": local.shares,
        "found_by": json.dumps({table: asdict(one) for table, one in found.items()}),
        "publisher": tables.me(),
        "shard": layout.shard,
        "shards": layout.shards,
        "publication": layout.publication,
        "words": local.words,
    }
    names = ", ".join(values)
    marks = ", ".join("%s" for _ in values)
    updates = ", ".join(f"{name} = excluded.{name}" for name in values)
    statement = (
        f"INSERT INTO state ({names}) VALUES ({marks}) "  # noqa: S608 - our own names
        f"ON CONFLICT (one) DO UPDATE SET {updates}, published = now()"
    )
    connection.execute(statement, list(values.values()))
