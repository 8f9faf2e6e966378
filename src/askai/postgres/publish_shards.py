"""Publishes to several servers, each the documents that are its own, all at once or none.

All servers are brought up to date in a transaction each. Then all but the first prepare theirs
(PREPARE TRANSACTION: it outlives the connection and the server), the first commits, and with that
it is decided; then the others commit what they have prepared. Whoever publishes next, under the
lock of the first server, ends what was broken off in between: what the first server has of a
publication the others get, and what it has not they never had.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg
from psycopg import sql

from askai.errors import StoreError
from askai.postgres import tables
from askai.postgres.connection import Address, Connection, begun, explained, writing
from askai.postgres.publish import (
    Layout,
    carry_out,
    check_before,
    is_there,
    there,
    tidy,
    was_lost,
)
from askai.postgres.sharding import shard_of
from askai.publication import LocalIndex, Progress, Published, keys_of, planned, unchanged

_PREPARED = (
    "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() "
    "AND starts_with(gid, %s) ORDER BY gid"
)


def publish_shards(
    local: LocalIndex,
    addresses: Sequence[Address],
    *,
    replace: bool = False,
    progress: Progress = lambda *_: None,
) -> Published:
    """Publishes `local` to the shards; a connection that is lost is made again once, and all is
    done again.

    Raises as `publish.publish`, StoreError too for a server that prepares no transactions, and
    IndexMismatch when the shards were others and not `replace`.
    """
    try:
        return _once(local, addresses, replace=replace, progress=progress)
    except StoreError as error:
        if not was_lost(error):
            raise
    return _once(local, addresses, replace=replace, progress=progress)


def _once(
    local: LocalIndex, addresses: Sequence[Address], *, replace: bool, progress: Progress
) -> Published:
    with ExitStack() as stack:
        first = stack.enter_context(begun(addresses[0]))
        tables.lock(first, addresses[0])
        tables.migrate(first, addresses[0])
        decided = tables.read_state(first)
        shards = _Shards(addresses, [first])
        for address in addresses[1:]:
            with closing(address.connect("index")) as connection, _speaking_of(address):
                _check_another(connection, address, shards)
            _make_ready(address, decided.publication if decided else "")
            connection = stack.enter_context(begun(address))
            with _speaking_of(address):
                tables.lock(connection, address)
            shards.connections.append(connection)
        states = _states(local, shards, replace=replace)
        if not replace and _are_there(local, states):
            first.commit()  # migrations
            return unchanged(local)
        each = _carried_out(local, shards, states, replace=replace, progress=progress)
        shards.commit()
    for (done, indexes), address in zip(each, addresses, strict=True):
        tidy(done, address, indexes)
    parts = [done for done, _ in each]
    return Published(
        local.manifest.generation,
        changed=True,
        documents=sum(part.documents for part in parts),
        added=sum(part.added for part in parts),
        removed=sum(part.removed for part in parts),
    )


def _check_another(connection: Connection, address: Address, shards: "_Shards") -> None:
    """Raises StoreError where two addresses are of one database: its lock would be held by the
    other connection, which is ours."""
    # Of those that are open by now.
    for other, held in zip(shards.addresses, shards.connections, strict=False):
        ((pid, begun_at),) = held.execute(
            "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        ).fetchall()
        same = connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND backend_start = %s "
            "AND datname = current_database()",
            (pid, begun_at),
        ).fetchall()
        if same:
            raise StoreError(
                f"{other.masked} and {address.masked} are the same database: each shard needs one "
                "of its own."
            )


def _states(local: LocalIndex, shards: "_Shards", *, replace: bool) -> list[tables.State | None]:
    """What the shards have now; raises as `publish.check_before`."""
    states = []
    for number, (address, connection) in enumerate(shards):
        with _speaking_of(address):
            states.append(tables.read_state(connection))
        if state := states[-1]:
            layout = Layout(number, len(shards.addresses))
            check_before(local, state, address, layout, replace=replace)
    return states


def _are_there(local: LocalIndex, states: Sequence[tables.State | None]) -> bool:
    """Whether all shards have this generation, of one publication."""
    have = [state for state in states if state and is_there(local, state)]
    same = len({state.publication for state in have}) == 1
    return same and len(have) == len(states)


def _carried_out(
    local: LocalIndex,
    shards: "_Shards",
    states: Sequence[tables.State | None],
    *,
    replace: bool,
    progress: Progress,
) -> list[tuple[Published, list[str]]]:
    """What was done on each, with the names of its indexes over vectors."""
    keys = keys_of(local)
    count = len(shards.connections)
    homes = {path: shard_of(path, count) for path in keys}
    each = []
    for number, ((address, connection), before) in enumerate(zip(shards, states, strict=True)):
        own = {path: key for path, key in keys.items() if homes[path] == number}
        layout = Layout(number, count, shards.publication)
        with _speaking_of(address):
            held = there(connection)
            plan = planned(local, held, replace=replace, progress=progress, keys=own)
            each.append((plan.published, carry_out(plan, connection, before, layout)))
    return each


@dataclass(frozen=True, slots=True)
class _Shards:
    """The transactions that are open, one on each shard."""

    addresses: Sequence[Address]
    connections: list[Connection]
    publication: str = field(default_factory=lambda: Layout().publication)

    def __iter__(self) -> Iterator[tuple[Address, Connection]]:
        return zip(self.addresses, self.connections, strict=True)

    def commit(self) -> None:
        """All or none; see above."""
        prepared: list[tuple[Address, Connection, str]] = []
        (first, decides), *others = self
        try:
            for number, (address, connection) in enumerate(others, start=1):
                name = f"{_prefix(address)}{self.publication} {number}"
                _execute(address, connection, "PREPARE TRANSACTION {}", name)
                prepared.append((address, connection, name))
        except BaseException:
            for address, connection, name in prepared:
                with suppress(StoreError):  # whoever publishes next does it
                    _execute(address, connection, "ROLLBACK PREPARED {}", name)
            raise
        # From here on nothing is taken back: whether a commit that was cut off is one, only the
        # server knows.
        with _speaking_of(first):
            decides.commit()
        for address, connection, name in prepared:
            _execute(address, connection, "COMMIT PREPARED {}", name)


def _prefix(address: Address) -> str:
    """Of the names of transactions: those of one server are common to its databases."""
    return f"askai {address.schema} "


def _execute(address: Address, connection: Connection, statement: LiteralString, name: str) -> None:
    with _speaking_of(address):
        if not connection.autocommit and statement.endswith("PREPARED {}"):
            connection.autocommit = True  # it takes no transaction around it
        connection.execute(sql.SQL(statement).format(sql.Literal(name)))


@contextmanager
def _speaking_of(address: Address) -> Iterator[None]:
    """An error of a server is of this one, of the several that are open."""
    try:
        yield
    except psycopg.Error as error:
        raise explained(error, address) from error


def _make_ready(address: Address, decided: str) -> None:
    """Ends what a publication left prepared, which is to be committed if it is the one that was
    `decided`, and brings the tables to this version."""
    with closing(address.connect("index")) as connection:
        with _speaking_of(address):
            connection.autocommit = True
            ((most,),) = connection.execute("SHOW max_prepared_transactions").fetchall()
            left = connection.execute(_PREPARED, (_prefix(address),)).fetchall()
        if not int(most):
            raise StoreError(
                f"{address.masked} prepares no transactions, which a publication to several "
                "servers needs: set max_prepared_transactions = 10 in its postgresql.conf and "
                "restart it."
            )
        for (name,) in left:
            publication = name.split(" ")[2]
            ends = "COMMIT PREPARED {}" if publication == decided else "ROLLBACK PREPARED {}"
            _execute(address, connection, ends, name)
    with writing(address) as connection:
        tables.lock(connection, address)
        tables.migrate(connection, address)
