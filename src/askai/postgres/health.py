"""What `askai doctor` looks at on a server; each tells it, or raises StoredIndexError."""

from askai.errors import IndexDamaged
from askai.postgres import nearest
from askai.postgres.connection import OLDEST_SERVER, OLDEST_VECTOR
from askai.postgres.opened import Opened
from askai.postgres.published import PublishedIndex
from askai.servers import Table, checked_counts

_TABLES: tuple[Table, ...] = ("passage_vectors", "unit_vectors")
_COUNTS = """
SELECT (SELECT count(*) FROM sources), (SELECT count(*) FROM texts),
    (SELECT count(*) FROM chunks), (SELECT count(*) FROM passage_vectors),
    (SELECT count(*) FROM passage_tokens), (SELECT coalesce(sum(passages), 0) FROM totals),
    (SELECT coalesce(sum(unit_count), 0) FROM chunks), (SELECT count(*) FROM unit_vectors),
    (SELECT coalesce(sum(passages), 0) FROM terms),
    (SELECT coalesce(sum(length(entries)), 0) / 12 FROM postings)
"""
_INVALID = (
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = %s AND NOT (indisvalid AND indisready) ORDER BY 1"
)
_FACTS = (
    "SELECT current_setting('server_version'), extversion, pg_is_in_recovery(), "
    "(SELECT max(version) FROM migrations), "
    "(SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r') "
    "FROM pg_extension WHERE extname = 'vector'"
)


def server(index: Opened) -> str:
    """Versions and size; a server that is too old could not be opened."""
    return "; ".join(map(_server, index.parts()))


def _server(index: PublishedIndex) -> str:
    schema = index.snapshot.address.schema
    ((version, vector, standby, tables, size),) = index.snapshot.rows(_FACTS, (schema,))
    kind = "replica" if standby else "primary"
    least = f"{OLDEST_SERVER // 10000} and {'.'.join(map(str, OLDEST_VECTOR))}"
    return (
        f"{index.where}, a {kind}: PostgreSQL {version}, pgvector {vector} (at least {least}), "
        f"schema {schema}, tables of version {tables}, {float(size) / 1e6:.1f} MB"
    )


def agreement(index: Opened) -> str:
    """Holds the tables against each other and against the manifest, over all shards."""
    counts = index.manifest.counts
    each = [part.snapshot.rows(_COUNTS)[0] for part in index.parts()]
    found = [sum(map(int, column)) for column in zip(*each, strict=True)]
    documents, texts, chunks, passages, worded, total, units, unit_vectors, in_terms, entries = (
        found
    )
    pairs = {
        "documents": (documents, counts.documents),
        "texts": (texts, documents),
        "passages": (chunks, counts.chunks),
        "passages' vectors": (passages, chunks),
        "passages in the word index": (worded, chunks),
        "passages in its total": (total, chunks),
        "sentences' vectors": (unit_vectors, units),
        "postings": (entries, in_terms),
    }
    checked_counts(pairs)
    for part in index.parts():
        if broken := part.snapshot.rows(_INVALID, (part.snapshot.address.schema,)):
            names = ", ".join(name for (name,) in broken)
            raise IndexDamaged(f"Not valid in {part.where}: the index {names}.")
    return (
        f"{index.manifest.generation}: {documents} documents, {chunks} passages, published by "
        f"{index.state.publisher}"
    )


def recall(index: Opened) -> str:
    """Asks the stored questions of the approximate indexes again."""
    parts = index.parts()
    said = [f"{part.where}: " if len(parts) > 1 else "" for part in parts]
    return "; ".join(where + _recall(part) for where, part in zip(said, parts, strict=True))


def _recall(index: PublishedIndex) -> str:
    said = []
    for table in _TABLES:
        found = index.found(table)
        if not found.approximate:
            said.append(f"{found.vectors} {table.replace('_', ' ')}: all are looked at")
            continue
        rows, epoch = index.snapshot.rows, index.state.epoch
        name = nearest.name_of(table, epoch, found)
        if not nearest.is_there(rows, table, epoch, found):
            raise IndexDamaged(f"The index {name} is not there, so that every question is slow.")
        now = nearest.recall(rows, table, found, dim=index.state.dim, epoch=epoch)
        if now < nearest.ENOUGH:
            raise IndexDamaged(
                f"recall@10 of {name} is {now:.3f}, expected is {nearest.ENOUGH} or more."
            )
        said.append(
            f"{found.vectors} {table.replace('_', ' ')}: {found.how}, recall@10 {now:.3f} of "
            f"{found.sample} stored questions"
        )
    return "; ".join(said)
