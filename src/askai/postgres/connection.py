"""Connections to the server that holds the index, and the snapshot that a question reads.

A question reads one REPEATABLE READ, READ ONLY transaction, so that it sees the index as it was
before a publication or as it is after, and never some of each. A connection that is lost while it
reads is made once more: what is read is of one generation, and the new transaction has to see the
same one.

Passwords come from where libpq takes them (the address, PGPASSFILE, a service file, PGPASSWORD)
and go nowhere else: an address is only ever shown by `masked`.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any, NoReturn, Self
from weakref import WeakSet

import psycopg
from pgvector.psycopg import register_vector
from psycopg import IsolationLevel, conninfo, errors
from psycopg_pool import ConnectionPool, PoolTimeout

from askai.errors import AskaiError, IndexMismatch, StoreError, StoreUnreachable

Connection = psycopg.Connection[tuple[Any, ...]]
OLDEST_SERVER = 130000  # pgvector 0.8 needs it
OLDEST_VECTOR = (0, 8)  # its HNSW goes on searching when a filter leaves too few
_CONNECT_SECONDS = 10
# A line that is dead (a pulled cable, a firewall that forgets) is given up in half a minute: nobody
# says that it is, and the system's own patience is hours.
_DEAD_LINES = {
    "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}  # fmt: skip
_STATEMENT_SECONDS = 30  # of a question, unless the address or the role says otherwise
_KEPT = 8  # connections of a pool at most
# Seconds in which a pool gives a connection that it has; with none it would not even make more.
_AT_ONCE = 0.005
# What there is, and what holds in this transaction: where names are looked for (pgvector may lie in
# any schema), and no compiling of queries that take milliseconds.
_FACTS = (
    "SELECT current_setting('server_version_num')::int, extversion, pg_is_in_recovery(), "
    "set_config('search_path', concat_ws(', ', quote_ident(%s), quote_ident(nspname)), true), "
    "set_config('jit', 'off', true) FROM (SELECT 1) one "
    "LEFT JOIN pg_extension ON extname = 'vector' "
    "LEFT JOIN pg_namespace n ON n.oid = extnamespace"
)
_LIMIT = (
    "SELECT set_config('statement_timeout', %s, true) "
    "WHERE current_setting('statement_timeout') = '0'"
)


_REGISTERED: "WeakSet[Connection]" = WeakSet()  # that know pgvector's types


class Address:
    """Where the index is, without ever telling the password."""

    def __init__(self, url: str, schema: str) -> None:
        """Raises StoreError for what is no address."""
        try:
            self._parts: Mapping[str, Any] = conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            # Its message quotes the address, and with it the password.
            raise StoreError(
                "The store's address cannot be read; expected postgresql://USER@HOST:PORT/DATABASE "
                "with special characters as %XX."
            ) from None
        self.schema = schema

    @property
    def masked(self) -> str:
        """For people: no password, no options."""
        parts = self._parts
        user = f"{parts['user']}@" if parts.get("user") else ""
        # An unescaped @ in a password makes its end the beginning of the host.
        host = str(parts.get("host") or parts.get("hostaddr") or "").rpartition("@")[2]
        port = f":{parts['port']}" if parts.get("port") else ""
        service = f"?service={parts['service']}" if parts.get("service") else ""
        return f"postgresql://{user}{host}{port}/{parts.get('dbname') or ''}{service}"

    @property
    def patience(self) -> float:
        """Seconds in which there has to be a connection."""
        return float(self._parts.get("connect_timeout") or _CONNECT_SECONDS)

    def connect(self, role: str) -> Connection:
        """A connection; `role` tells the server's administrator what for. Raises StoreError."""
        parts = _DEAD_LINES | dict(self._parts)
        parts.setdefault("connect_timeout", _CONNECT_SECONDS)
        parts.setdefault("application_name", f"askai {role} ({socket.gethostname()} {os.getpid()})")
        try:
            # Not prepared: a plan made for all arrays would not see how many ids this one has.
            return psycopg.connect(**parts, prepare_threshold=None)
        except psycopg.Error as error:
            self._refused(error)

    def pool(self, *, size: int = _KEPT) -> "ConnectionPool[Connection]":
        """Connections for a process that lives on; close it after use."""
        return ConnectionPool(
            kwargs={"prepare_threshold": None, "connect_timeout": _CONNECT_SECONDS,
                    "application_name": f"askai ask ({socket.gethostname()} {os.getpid()})"}
            | _DEAD_LINES | dict(self._parts),
            min_size=0, max_size=size, timeout=self.patience, open=True,
            check=ConnectionPool.check_connection, name="askai",
        )  # fmt: skip

    def _refused(self, error: psycopg.Error) -> NoReturn:
        """What libpq says, in words of our own: its message may quote parts of the address."""
        said = str(error).lower()
        wrong = {  # for ever, unless somebody sets it right
            "password authentication failed": "it refuses the user or the password",
            "no password supplied": "it wants a password; give one in PGPASSFILE or a service file",
            "pg_hba.conf": "it does not let this user in from here",
        }
        away = {
            "translate host": "there is no host of that name",
            "resolve host": "there is no host of that name",
            "refused": "nothing listens there",
            "timeout": "it did not answer in time",
            "ssl": "TLS could not be agreed on",
            "certificate": "its certificate is not accepted",
            "too many": "it has no connection left",
            "starting up": "it is starting up",
            "shutting down": "it is shutting down",
            "recovery mode": "it is recovering from a crash",
            "accepting connections": "it is starting up",
            "no route to host": "no way leads there",
            "unreachable": "no way leads there",
        }
        missing = {'database "': "it has no such database", 'role "': "it has no such user"}
        reasons = wrong | away | missing
        words = next((words for words in reasons if words in said), "")
        reason = reasons.get(words) or type(error).__name__
        kind = StoreError if words in wrong or words in missing else StoreUnreachable
        raise kind(f"No connection to {self.masked}: {reason}.") from None


class Snapshot:
    """The index of one schema as it is at one moment; safe for several threads."""

    def __init__(
        self,
        address: Address,
        pool: "ConnectionPool[Connection] | None" = None,
        *,
        waits: bool = True,
    ) -> None:
        """Unless it `waits`, a pool without a free connection is StoreUnreachable at once; for the
        place of one that was lost it waits all the same."""
        self.address = address
        self._pool = pool
        self._timeout = None if waits else _AT_ONCE
        self._lock = RLock()
        self._same: Callable[[], bool] = lambda: True
        self._connection = self._begun()
        self._held = True
        self._timeout = None

    def another(self) -> "Snapshot | None":
        """Another one, of this moment, by a connection that is free in the pool; None where there
        is no pool. Raises StoreUnreachable when none is free."""
        return Snapshot(self.address, self._pool, waits=False) if self._pool else None

    def expect(self, same: Callable[[], bool]) -> None:
        """What has to hold in the transaction that takes the place of one that was lost."""
        self._same = same

    def _begun(self) -> Connection:
        connection = self._taken()
        try:
            prepare(connection, self.address, read_only=True)
        except psycopg.Error as error:
            self._return(connection)
            raise explained(error, self.address) from error
        except BaseException:
            self._return(connection)
            raise
        return connection

    def _taken(self) -> Connection:
        if self._pool is None:
            return self.address.connect("ask")
        try:
            return self._pool.getconn(self._timeout)
        except PoolTimeout:
            raise StoreUnreachable(
                f"No connection to {self.address.masked} within {self.address.patience:g} seconds."
            ) from None

    def _return(self, connection: Connection) -> None:
        if self._pool is None:
            connection.close()
            return
        with suppress(psycopg.Error):
            connection.rollback()
        self._pool.putconn(connection)

    def rows(
        self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """What a query gives; raises StoreError, or IndexMismatch when the index was replaced while
        the connection was lost."""
        with self._lock:
            try:
                return self._executed(query, parameters)
            except (psycopg.OperationalError, errors.SerializationFailure) as error:
                if not _is_lost(self._connection, error):
                    raise explained(error, self.address) from error
            except psycopg.Error as error:
                raise explained(error, self.address) from error
            self._renew()
            try:
                return self._executed(query, parameters)
            except psycopg.Error as error:
                raise explained(error, self.address) from error

    def _executed(
        self, query: str, parameters: Sequence[Any] | Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        # In its own cursor: a binary one, since numbers and vectors are many.
        with self._connection.cursor(binary=True) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def _renew(self) -> None:
        same = self._same
        self._give_back()
        self._connection = self._begun()
        self._held = True
        self._same = lambda: True  # it reads through this snapshot itself
        try:
            if not same():
                raise IndexMismatch(
                    f"The connection to {self.address.masked} was lost, and the index has been "
                    "replaced since: ask again."
                )
        finally:
            self._same = same

    def _give_back(self) -> None:
        """Once: a pool would count a connection twice that is given back twice."""
        if self._held:
            self._held = False
            self._return(self._connection)

    def close(self) -> None:
        with self._lock:
            self._give_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def writing(address: Address) -> Iterator[Connection]:
    """One transaction that may write: committed at the end of the block, or else nothing is."""
    with begun(address) as connection:
        yield connection
        connection.commit()


@contextmanager
def begun(address: Address) -> Iterator[Connection]:
    """A transaction that may write, and that the block commits."""
    connection = address.connect("index")
    try:
        prepare(connection, address, read_only=False)
        yield connection
    except psycopg.Error as error:
        raise explained(error, address) from error
    finally:
        connection.close()


def prepare(connection: Connection, address: Address, *, read_only: bool) -> None:
    """Begins the transaction in which a connection is used; raises StoreError when the server, or
    its pgvector, will not do."""
    if read_only:
        connection.read_only = True
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
    version, vector, standby = _facts(connection, address)
    if version < OLDEST_SERVER:
        raise StoreError(
            f"{address.masked} is PostgreSQL {version // 10000}; askai needs 13 or newer."
        )
    if standby and not read_only:
        raise StoreError(
            f"{address.masked} is a replica, which takes no writes; set `store` to the primary and "
            "`store_read` to this one."
        )
    if vector is None and not read_only:
        _create_extension(connection, address)
        version, vector, standby = _facts(connection, address)
    check_extension(vector, address)
    if read_only:
        connection.execute(_LIMIT, (f"{_STATEMENT_SECONDS}s",))
    if connection not in _REGISTERED:  # of a pool, it may have been used before
        register_vector(connection)
        _REGISTERED.add(connection)


def _facts(connection: Connection, address: Address) -> tuple[int, str | None, bool]:
    """The server's version, pgvector's, and whether it is a replica."""
    ((version, vector, standby, *_),) = connection.execute(_FACTS, (address.schema,)).fetchall()
    return version, vector, standby


def check_extension(version: str | None, address: Address) -> None:
    """Raises StoreError when it is not there, or too old."""
    if version is None:
        raise StoreError(
            f"The database {address.masked} has no pgvector: where it is installed, its owner runs "
            "CREATE EXTENSION vector."
        )
    if vector_version(version) < OLDEST_VECTOR:
        raise StoreError(
            f"{address.masked} has pgvector {version}; askai needs "
            f"{'.'.join(map(str, OLDEST_VECTOR))} or newer: its owner runs "
            "ALTER EXTENSION vector UPDATE."
        )


def vector_version(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())


def _create_extension(connection: Connection, address: Address) -> None:
    try:
        with connection.transaction():
            # Where the database puts things, and not among the tables of one index.
            connection.execute("SET LOCAL search_path TO DEFAULT")
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        why = "is not installed there" if not isinstance(
            error, errors.InsufficientPrivilege
        ) else "may not be created by this user"  # fmt: skip
        raise StoreError(
            f"The database {address.masked} has no pgvector, and it {why}: an administrator "
            "installs it and runs CREATE EXTENSION vector."
        ) from error


def _is_lost(connection: Connection, error: psycopg.Error) -> bool:
    """Whether to try once more: it is gone, or a replica had to give up the snapshot."""
    return connection.broken or connection.closed or isinstance(error, errors.SerializationFailure)


def explained(error: psycopg.Error, address: Address) -> AskaiError:
    """An error of the server as one sentence that says what to do."""
    at = address.masked
    if isinstance(error, errors.QueryCanceled):
        return StoreError(f"{at} took longer than its statement_timeout; ask again, or raise that.")
    if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
        return StoreError(
            f"{at} does not allow this user to do that ({_first(error)}); docs/scale.md lists the "
            "rights that asking and indexing need."
        )
    if isinstance(error, errors.DiskFull):
        return StoreError(
            f"The disk of {at} is full; what it held is unchanged. Free some and run it again."
        )
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
        return IndexMismatch(
            f"The tables of {at} are not those of this askai ({_first(error)}): run there DROP "
            f"SCHEMA {address.schema} CASCADE, and then `askai index`, which makes them anew."
        )
    if isinstance(error, psycopg.OperationalError):
        return StoreError(f"The connection to {at} was lost; nothing was changed. Try again.")
    return StoreError(f"{at} says: {_first(error)}.")


def _first(error: psycopg.Error) -> str:
    """The server's own sentence, which holds no part of the address."""
    return (error.diag.message_primary or type(error).__name__).rstrip(".")
