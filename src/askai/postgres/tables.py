"""The tables of an index, by version, and what is said of the index as a whole.

    sources, texts, chunks      the catalogue: documents, their texts and marks, their passages
    passage_vectors, unit_vectors
                                float32, found by id; `epoch` names the approximate index over them
    terms, postings, passage_tokens, totals
                                the word index: see `words`
    state                       one row: manifest, model, skipped files, aliases, induced words
    exact_queries               questions with what a look at all vectors finds: see `nearest`
    migrations                  which of MIGRATIONS were carried out, when and by whom

A document is what is put in and taken out: its rows carry its number, `doc`. Text columns hold
`texts.stored`; ids and terms are compared by code point (COLLATE "C"), as Python does. Where an
index on text serves equality alone it is a hash index, since a path or a word may be too long for a
B-tree.
"""

import getpass
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from askai.errors import IndexLocked, IndexMismatch, StoreError
from askai.postgres.connection import Address, Connection, explained

# Each is carried out once, in order, by the one who publishes. Never change one that was released:
# add another.
MIGRATIONS: tuple[str, ...] = (
    """
CREATE TABLE sources (
    doc integer PRIMARY KEY, position bigint NOT NULL, key bytea NOT NULL,
    mtime_ns bigint NOT NULL, ctime_ns bigint NOT NULL,
    path text COLLATE "C" NOT NULL, sha256 text NOT NULL, bytes bigint NOT NULL,
    reader text NOT NULL, version text NOT NULL, encoding text NOT NULL, title text,
    publisher text, author text, published text, language text, url text, pages text NOT NULL
);
CREATE INDEX sources_by_path ON sources USING hash (path);
CREATE TABLE texts (
    doc integer PRIMARY KEY REFERENCES sources ON DELETE CASCADE, text text NOT NULL,
    marks text NOT NULL
);
CREATE TABLE chunks (
    id text COLLATE "C" PRIMARY KEY, doc integer NOT NULL REFERENCES sources ON DELETE CASCADE,
    place integer NOT NULL, unit_count integer NOT NULL,
    "start" bigint NOT NULL, "end" bigint NOT NULL, text text NOT NULL, context text NOT NULL,
    kind text NOT NULL, label text NOT NULL, heading text NOT NULL, language text,
    header text NOT NULL, related text NOT NULL, units text NOT NULL
);
CREATE INDEX chunks_by_doc ON chunks (doc, place);
CREATE TABLE passage_vectors (
    id text COLLATE "C" PRIMARY KEY, doc integer NOT NULL, epoch integer NOT NULL,
    embedding vector NOT NULL
);
CREATE INDEX passage_vectors_by_doc ON passage_vectors (doc);
CREATE TABLE unit_vectors (
    id text COLLATE "C" PRIMARY KEY, doc integer NOT NULL, epoch integer NOT NULL,
    embedding vector NOT NULL
);
CREATE INDEX unit_vectors_by_doc ON unit_vectors (doc);
-- 384 numbers fit into a page beside others; out of line each would be one more look-up.
ALTER TABLE passage_vectors ALTER embedding SET STORAGE MAIN;
ALTER TABLE unit_vectors ALTER embedding SET STORAGE MAIN;
CREATE TABLE passage_tokens (
    number integer PRIMARY KEY, id text COLLATE "C" NOT NULL UNIQUE, doc integer NOT NULL,
    tokens bytea NOT NULL
);
CREATE INDEX passage_tokens_by_doc ON passage_tokens (doc);
CREATE TABLE terms (
    number integer PRIMARY KEY, term text COLLATE "C" NOT NULL, passages integer NOT NULL
);
CREATE INDEX terms_by_term ON terms USING hash (term);
CREATE TABLE postings (
    term integer NOT NULL, block integer NOT NULL, entries bytea NOT NULL,
    PRIMARY KEY (term, block)
);
CREATE TABLE totals (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), passages bigint NOT NULL,
    tokens bigint NOT NULL, numbers bigint NOT NULL
);
CREATE TABLE state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), generation text NOT NULL,
    manifest text NOT NULL, model text NOT NULL, dim integer NOT NULL, epoch integer NOT NULL,
    skipped text NOT NULL, aliases text NOT NULL, shares text NOT NULL, words bytea NOT NULL,
    found_by text NOT NULL, published timestamptz NOT NULL DEFAULT now(),
    publisher text NOT NULL
);
ALTER TABLE state ALTER words SET STORAGE EXTERNAL;
CREATE TABLE exact_queries (
    vectors text NOT NULL, number integer NOT NULL, query vector NOT NULL, ids text[] NOT NULL,
    PRIMARY KEY (vectors, number)
);
""",
    # Which part of the documents this server has, and what the parts of one publication share.
    """
ALTER TABLE state ADD shard integer NOT NULL DEFAULT 0, ADD shards integer NOT NULL DEFAULT 1,
    ADD publication text NOT NULL DEFAULT '';
""",
    # The passages that a passage goes on from and goes on in.
    """
ALTER TABLE chunks ADD beside text NOT NULL DEFAULT '[]';
""",
    # Postings hardly get smaller by compression (435 bytes of 515 in a million passages), and each
    # question waits for what undoes it. What `found_by` holds, an earlier askai does not know.
    """
ALTER TABLE postings ALTER entries SET STORAGE EXTERNAL;
""",
)
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('askai'), hashtext(%s))"
_HOLDER = (
    "SELECT coalesce(application_name, ''), usename, coalesce(host(client_addr), 'its own host'), "
    "a.pid, to_char(xact_start, 'YYYY-MM-DD HH24:MI:SS') "
    "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND l.database = a.datid "
    "AND classid = hashtext('askai')::oid::bigint AND objid = hashtext(%s)::oid::bigint"
)
_VERSION = "SELECT coalesce(max(version), 0) FROM migrations"
_MADE = """
CREATE TABLE IF NOT EXISTS migrations (
    version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), by text NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class State:
    """What `state` holds besides the induced words, which are large."""

    generation: str
    manifest: str  # as `manifest.json` has it
    model: str  # its fingerprint
    dim: int
    epoch: int
    skipped: str
    aliases: str  # aliases.toml
    shares: str
    found_by: str  # of each kind of vectors, as JSON
    publisher: str
    shard: int  # from 0
    shards: int
    publication: str  # the same on all shards, and of no other publication


_STATE = "SELECT {} FROM state".format(", ".join(State.__dataclass_fields__))  # noqa: S608 - our own names


def me() -> str:
    """Who publishes, for those who find it later."""
    user = "somebody"
    with suppress(KeyError, OSError):
        user = getpass.getuser()
    return f"{user}@{socket.gethostname()}"


def lock(connection: Connection, address: Address) -> None:
    """Holds the lock of the one who publishes until the transaction ends; raises IndexLocked."""
    name = address.schema
    if (connection.execute(_LOCK, (name,)).fetchone() or (False,))[0]:
        return
    found = connection.execute(_HOLDER, (name,)).fetchone()
    who = "another process"
    if found:
        application, user, host, pid, since = found
        who = f"{application or 'a process'} as {user} from {host} (backend {pid}) since {since}"
    raise IndexLocked(f"{address.masked} is being published to by {who}: wait for it, or stop it.")


def migrate(
    connection: Connection, address: Address, migrations: Sequence[str] = MIGRATIONS
) -> int:
    """Brings the tables to this version, in the transaction that is going on; returns how many
    steps were taken. Raises IndexMismatch when they are of a newer askai."""
    name = sql.Identifier(address.schema)
    try:
        exists = connection.execute(
            "SELECT 1 FROM pg_namespace WHERE nspname = %s", (address.schema,)
        ).fetchone()
        if not exists:  # IF NOT EXISTS would want the right to create even where it is there
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        there = connection.execute(
            "SELECT to_regclass(%s) IS NOT NULL", (f"{name.as_string(connection)}.migrations",)
        ).fetchone() or (False,)
        if not there[0]:
            connection.execute(_MADE)
        ((version,),) = connection.execute(_VERSION).fetchall()
        if version > len(migrations):
            raise newer(address, version, len(migrations))
        for number, step in enumerate(migrations[version:], start=version + 1):
            connection.execute(step)
            connection.execute(
                "INSERT INTO migrations (version, by) VALUES (%s, %s)", (number, me())
            )
    except errors.InsufficientPrivilege as error:
        raise explained(error, address) from error
    return len(migrations) - int(version)


def newer(address: Address, found: int, known: int) -> IndexMismatch:
    return IndexMismatch(
        f"The tables of {address.masked} are of version {found}, this askai knows version {known}: "
        "install a newer askai."
    )


def check_version(version: int, address: Address, known: int = len(MIGRATIONS)) -> None:
    """Raises IndexMismatch when tables of this version cannot be read."""
    if version > known:
        raise newer(address, version, known)
    if version < known:
        raise IndexMismatch(
            f"The tables of {address.masked} are of version {version}, this askai reads version "
            f"{known}: run `askai index`, which brings them up to date."
        )


def check_layout(state: State, address: Address, shard: int, shards: int) -> None:
    """Raises IndexMismatch when the server holds another part of the documents than is expected of
    it: its number from 0, and of how many."""
    if (state.shard, state.shards) != (shard, shards):
        raise IndexMismatch(
            f"{address.masked} has {_part(state.shard, state.shards)}, and by the addresses in "
            f"`store` it is {_part(shard, shards)}: set them as they were when it was published, "
            "or run `askai index --rebuild` to part the documents anew."
        )


def _part(shard: int, shards: int) -> str:
    return "the whole index" if shards == 1 else f"shard {shard + 1} of {shards}"


def read_state(connection: Connection) -> State | None:
    """What the publisher finds; None: nothing yet."""
    row = connection.execute(_STATE).fetchone()
    return State(*row) if row else None


def analyzed(connection: Connection) -> None:
    """Lets the planner know what is in the tables now."""
    for table in ("sources", "chunks", "passage_vectors", "unit_vectors", "terms", "postings",
                  "passage_tokens"):  # fmt: skip
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))


def vacuumed(address: Address) -> None:
    """Frees what was taken out, after the transaction; best left undone where it cannot be done."""
    with suppress(psycopg.Error, StoreError):
        connection = address.connect("vacuum")
        try:
            connection.autocommit = True
            for table in ("passage_vectors", "unit_vectors", "postings", "chunks"):
                name: Any = sql.Identifier(address.schema, table)
                connection.execute(sql.SQL("VACUUM (SKIP_LOCKED) {}").format(name))
        finally:
            connection.close()


STATE_QUERY = _STATE
VERSION_QUERY = _VERSION
