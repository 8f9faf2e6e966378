"""Brings the tables to what a generation of an index folder holds, in one transaction.

A document is taken out and put in again where its key is another one: of its source, of the ids and
texts of its passages, and of the settings that shape them. So an update sends what has changed, and
a reader sees the generation before or this one, whole.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from hashlib import sha256

import psycopg

from askai.catalog import Catalog
from askai.embedders import Vectors
from askai.errors import IndexMismatch, StoreError
from askai.lexical import LexicalIndex
from askai.manifest import Manifest, SourceState
from askai.postgres import nearest, tables
from askai.postgres.connection import Address, Connection, writing
from askai.postgres.postings import update_words
from askai.postgres.rows import NewDocument, copied, put_documents, put_vectors, remove_documents
from askai.postgres.texts import read, stored
from askai.stores import Store
from askai.units import numbered

# What shapes the rows of a document besides its bytes.
_SHAPING = ("embedder", "centring", "chunking", "readers", "tokens", "descriptions")
_BATCH = 512  # passages whose vectors are read at a time
_MOST_GONE = 0.5  # share of the documents above which the tables are emptied and filled anew
# (stage, done, of how many): "publishing" documents, "publishing vectors", "publishing words".
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class LocalIndex:
    """A generation of an index folder, open."""

    manifest: Manifest
    catalog: Catalog
    store: Store
    units: Store
    lexical: LexicalIndex
    states: Sequence[SourceState]
    skipped: str  # the content of skipped.json
    shares: str  # of words.json
    words: bytes  # of words.npz
    aliases: str  # of aliases.toml, which lies with the documents


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did."""

    generation: str
    changed: bool  # False: this generation was there already
    documents: int  # in the tables now
    added: int  # put in, those that have changed too
    removed: int  # taken out, those that have changed too


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
            _check_model(local, before, address, replace=replace)
        if before and not replace and _is_there(local, before):
            count = local.manifest.counts.documents
            return Published(before.generation, changed=False, documents=count, added=0, removed=0)
        done = _Publication(local, connection, before, progress).carry_out(replace=replace)
    if done.published.added > _MOST_GONE * done.published.documents:  # else autovacuum sees to it
        tables.vacuumed(address)
    nearest.drop_others(address, done.epoch)
    return done.published


def _is_there(local: LocalIndex, before: tables.State) -> bool:
    same = before.generation == local.manifest.generation
    return same and before.aliases == stored(local.aliases)


def _check_model(
    local: LocalIndex, before: tables.State, address: Address, *, replace: bool
) -> None:
    mine = local.manifest.settings["embedder"]
    if before.model != mine["fingerprint"] and not replace:
        there = json.loads(before.manifest)["settings"]["embedder"]["name"]
        raise IndexMismatch(
            f"{address.masked} holds vectors of the model {there!r} ({before.model}), and this "
            f"index has those of {mine['name']!r} ({mine['fingerprint']}). They cannot be mixed: "
            "run `askai index --rebuild` to replace what is there, or set the model or the "
            "store_schema."
        )


@dataclass(frozen=True, slots=True)
class _Before:
    """A document that the tables hold."""

    number: int
    key: bytes
    times: tuple[int, int, int]  # position, mtime_ns, ctime_ns


@dataclass(frozen=True, slots=True)
class _Done:
    published: Published
    epoch: int


@dataclass(frozen=True, slots=True)
class _Publication:
    """One that is going on."""

    local: LocalIndex
    connection: Connection
    before: tables.State | None
    progress: Progress

    def carry_out(self, *, replace: bool) -> _Done:
        there = self._there()
        keys = self._keys()
        kept = {p for p, b in there.items() if not replace and keys.get(p) == b.key}
        if len(there) - len(kept) > _MOST_GONE * len(there):
            kept = set()
        gone = [b.number for p, b in there.items() if p not in kept]
        whole = bool(there) and not kept
        epoch = (self.before.epoch if self.before else 0) + whole
        next_ = max((b.number for b in there.values()), default=-1) + 1
        new = {path: next_ + n for n, path in enumerate(path for path in keys if path not in kept)}
        times = self._times()
        if gone:
            remove_documents(self.connection, gone)
        put_documents(self.connection, self._documents(new, keys, times))
        self._move({p: (there[p], times[p]) for p in kept if there[p].times != times[p]})
        chunks = self._chunks(new)
        put_vectors(self.connection, "passage_vectors", self._vectors(chunks), epoch=epoch)
        put_vectors(self.connection, "unit_vectors", self._unit_vectors(chunks), epoch=epoch)
        update_words(self.connection, None if not kept else gone, self._words(chunks))
        tables.analyzed(self.connection)
        self._write_state(epoch, since=0 if whole else next_)
        published = Published(
            self.local.manifest.generation, changed=True, documents=len(keys),
            added=len(new), removed=len(gone),
        )  # fmt: skip
        return _Done(published, epoch)

    def _there(self) -> dict[str, _Before]:
        rows = self.connection.execute(
            "SELECT path, doc, key, position, mtime_ns, ctime_ns FROM sources"
        ).fetchall()
        return {read(path): _Before(doc, key, (at, m, c)) for path, doc, key, at, m, c in rows}

    def _keys(self) -> dict[str, bytes]:
        """The key of each document, by path, in their order."""
        shaping = {name: self.local.manifest.settings.get(name) for name in _SHAPING}
        digests = {
            source.path: sha256(json.dumps([shaping, astuple(source)]).encode())
            for source in self.local.catalog.sources()
        }
        places = self.local.catalog.chunk_places()
        for (_, path, *_), keys in zip(places, self.local.catalog.text_keys(), strict=True):
            id_, passage, units = keys
            digests[path].update(f"\0{id_}\0".encode("utf-8", "surrogatepass") + passage + units)
        return {path: digest.digest() for path, digest in digests.items()}

    def _times(self) -> dict[str, tuple[int, int, int]]:
        """Where each document stands, and its file's times."""
        places = self.local.catalog.positions()
        return {s.path: (places[s.path], s.mtime_ns, s.ctime_ns) for s in self.local.states}

    def _documents(
        self,
        new: Mapping[str, int],
        keys: Mapping[str, bytes],
        times: Mapping[str, tuple[int, int, int]],
    ) -> Iterator[NewDocument]:
        for done, (path, number) in enumerate(new.items()):
            self.progress("publishing", done, len(new))
            position, mtime_ns, ctime_ns = times[path]
            yield NewDocument(
                number, position, keys[path], mtime_ns, ctime_ns,
                self.local.catalog.document(path), self.local.catalog.chunks_of(path),
            )  # fmt: skip
        self.progress("publishing", len(new), len(new))

    def _move(self, moved: Mapping[str, tuple[_Before, tuple[int, int, int]]]) -> None:
        """Documents that are the same, in another place or of a file with another time."""
        if not moved:
            return
        self.connection.execute(
            "CREATE TEMP TABLE moved (doc int, position bigint, mtime_ns bigint, ctime_ns bigint) "
            "ON COMMIT DROP"
        )
        rows = ((before.number, *times) for before, times in moved.values())
        columns = ["doc", "position", "mtime_ns", "ctime_ns"]
        copied(self.connection, "pg_temp.moved", columns, ["int4", "int8", "int8", "int8"], rows)
        self.connection.execute(
            "UPDATE sources s SET position = m.position, mtime_ns = m.mtime_ns, "
            "ctime_ns = m.ctime_ns FROM pg_temp.moved m WHERE m.doc = s.doc"
        )

    def _chunks(self, new: Mapping[str, int]) -> list[tuple[str, int, int]]:
        """Of each new passage its id, its document's number, and how many units it has."""
        return [
            (id_, new[path], units)
            for id_, path, _, units in self.local.catalog.chunk_places()
            if path in new
        ]

    def _vectors(
        self, chunks: Sequence[tuple[str, int, int]]
    ) -> Iterator[tuple[list[str], list[int], Vectors]]:
        for at in range(0, len(chunks), _BATCH):
            self.progress("publishing vectors", at, len(chunks))
            batch = chunks[at : at + _BATCH]
            ids = [id_ for id_, _, _ in batch]
            yield ids, [number for _, number, _ in batch], self.local.store.vectors(ids)
        self.progress("publishing vectors", len(chunks), len(chunks))

    def _unit_vectors(
        self, chunks: Sequence[tuple[str, int, int]]
    ) -> Iterator[tuple[list[str], list[int], Vectors]]:
        for at in range(0, len(chunks), _BATCH):
            batch = chunks[at : at + _BATCH]
            pairs = [(unit, doc) for id_, doc, count in batch for unit in _units(id_, count)]
            if pairs:
                ids = [id_ for id_, _ in pairs]
                yield ids, [number for _, number in pairs], self.local.units.vectors(ids)

    def _words(
        self, chunks: Sequence[tuple[str, int, int]]
    ) -> Iterator[tuple[str, int, list[str]]]:
        for done, (id_, number, _) in enumerate(chunks):
            if done % _BATCH == 0:
                self.progress("publishing words", done, len(chunks))
            yield id_, number, self.local.lexical.tokens_of(id_)
        self.progress("publishing words", len(chunks), len(chunks))

    def _write_state(self, epoch: int, *, since: int) -> None:
        local, manifest = self.local, self.local.manifest
        ((dim,),) = self.connection.execute(
            "SELECT coalesce((SELECT vector_dims(embedding) FROM passage_vectors LIMIT 1), 1)"
        ).fetchall()
        found = {
            table: asdict(
                nearest.brought_up_to_date(
                    self.connection, table, dim=dim, epoch=epoch, since=since
                )
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
        self.connection.execute(statement, list(values.values()))


def _units(id_: str, count: int) -> Iterator[str]:
    return (numbered(id_, n) for n in range(count))
