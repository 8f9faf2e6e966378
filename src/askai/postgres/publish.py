"""Brings the tables to what a generation of an index folder holds, in one transaction.

What has changed is sent, see `publication`; a reader sees the generation before or this one, whole.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict

import psycopg

from askai.errors import StoreError
from askai.postgres import nearest, tables
from askai.postgres.connection import Address, Connection, writing
from askai.postgres.postings import update_words
from askai.postgres.rows import copied, put_documents, put_vectors, remove_documents
from askai.postgres.texts import read, stored
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
        if not _was_lost(error):
            raise
    return _once(local, address, replace=replace, progress=progress)


def _was_lost(error: StoreError) -> bool:
    cause = error.__cause__
    lost = isinstance(cause, psycopg.OperationalError)
    return lost and not isinstance(cause, psycopg.errors.DiskFull | psycopg.errors.QueryCanceled)


def _once(local: LocalIndex, address: Address, *, replace: bool, progress: Progress) -> Published:
    with writing(address) as connection:
        tables.lock(connection, address)
        tables.migrate(connection, address)
        before = tables.read_state(connection)
        if before:
            check_model(
                local,
                manifest=before.manifest,
                model=before.model,
                where=address.masked,
                replace=replace,
            )
        if before and not replace and _is_there(local, before):
            return unchanged(local)
        plan = planned(local, _there(connection), replace=replace, progress=progress)
        epoch = (before.epoch if before else 0) + plan.whole
        _carry_out(plan, connection, epoch)
    done = plan.published
    if done.added > _MOST_NEW * done.documents:  # else autovacuum sees to it
        tables.vacuumed(address)
    nearest.drop_others(address, epoch)
    return done


def _is_there(local: LocalIndex, before: tables.State) -> bool:
    same = before.generation == local.manifest.generation
    return same and before.aliases == stored(local.aliases)


def _there(connection: Connection) -> dict[str, Before]:
    rows = connection.execute(
        "SELECT path, doc, key, position, mtime_ns, ctime_ns FROM sources"
    ).fetchall()
    return {read(path): Before(doc, key, (at, m, c)) for path, doc, key, at, m, c in rows}


def _carry_out(plan: Plan, connection: Connection, epoch: int) -> None:
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
    _write_state(plan.local, connection, epoch, since=0 if plan.whole else plan.next)


def _move(connection: Connection, moved: Mapping[str, tuple[Before, Times]]) -> None:
    """Documents that are the same, in another place or of a file with another time."""
    if not moved:
        return
    connection.execute(
        "CREATE TEMP TABLE moved (doc int, position bigint, mtime_ns bigint, ctime_ns bigint) "
        "ON COMMIT DROP"
    )
    rows = ((before.number, *times) for before, times in moved.values())
    columns = ["doc", "position", "mtime_ns", "ctime_ns"]
    copied(connection, "pg_temp.moved", columns, ["int4", "int8", "int8", "int8"], rows)
    connection.execute(
        "UPDATE sources s SET position = m.position, mtime_ns = m.mtime_ns, "
        "ctime_ns = m.ctime_ns FROM pg_temp.moved m WHERE m.doc = s.doc"
    )


def _write_state(local: LocalIndex, connection: Connection, epoch: int, *, since: int) -> None:
    manifest = local.manifest
    ((dim,),) = connection.execute(
        "SELECT coalesce((SELECT vector_dims(embedding) FROM passage_vectors LIMIT 1), 1)"
    ).fetchall()
    found = {
        table: asdict(
            nearest.brought_up_to_date(connection, table, dim=dim, epoch=epoch, since=since)
        )
        for table in ("passage_vectors", "unit_vectors")
    }
    values = {
        "generation": manifest.generation,
        "manifest": stored(json.dumps(asdict(manifest), ensure_ascii=True)),
        "model": manifest.settings["embedder"]["fingerprint"],
        "dim": dim,
        "epoch": epoch,
        "skipped": stored(local.skipped),
        "aliases": stored(local.aliases),
        "shares": local.shares,
        "found_by": json.dumps(found),
        "publisher": tables.me(),
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
