"""An index that was published, opened to read: what `generations` is for an index folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from askai.errors import IndexMissing
from askai.manifest import Manifest, SourceState, StoreState, parse_manifest, parse_skipped
from askai.postgres import tables
from askai.postgres.beside import Beside
from askai.postgres.catalog import PostgresCatalog
from askai.postgres.connection import Snapshot
from askai.postgres.texts import read
from askai.postgres.vectors import FoundNear, PostgresVectors
from askai.postgres.words import PostgresWords
from askai.records import Partial, Skipped
from askai.servers import Table
from askai.stored_lexicon import StoredLexicon

# Vectors above which looking for them takes so long that words are looked for meanwhile. Of 50,000,
# on two cores, a second connection and a thread cost a question more than they saved it.
_LONG = 500_000
TABLES: Mapping[str, Table] = {"passages": "passage_vectors", "sentences": "unit_vectors"}


@dataclass(frozen=True, slots=True)
class PublishedIndex:
    """One generation, by one snapshot."""

    snapshot: Snapshot
    state: tables.State
    manifest: Manifest
    beside: Beside

    @property
    def where(self) -> str:
        """For messages: the server and the database."""
        return self.snapshot.address.masked

    @property
    def skipped(self) -> list[Skipped]:
        return parse_skipped(read(self.state.skipped).encode(), Path("skipped.json"))

    @property
    def aliases(self) -> str:
        """aliases.toml, as it was when this was published."""
        return read(self.state.aliases)

    def sources(self) -> list[SourceState]:
        return self.catalog().states()

    def catalog(self) -> PostgresCatalog:
        return PostgresCatalog(self.snapshot)

    @property
    def partial(self) -> Partial | None:
        """What is missing: nothing, since there is one server."""
        return None

    def parts(self) -> "list[PublishedIndex]":
        """As of an index in several shards."""
        return [self]

    def vectors(self, table: Table, *, dim: int | None = None) -> PostgresVectors:
        """`dim` where the tables hold no vector that tells it."""
        return PostgresVectors(
            self.beside if self.concurrent else self.snapshot,
            table,
            dim=dim or self.state.dim,
            epoch=self.state.epoch,
            found=self.found(table),
        )

    @property
    def concurrent(self) -> bool:
        """Whether looking for vectors takes so long that the words are better looked for
        meanwhile."""
        return any(self.found(table).vectors > _LONG for table in TABLES.values())

    def found(self, table: Table) -> FoundNear:
        return FoundNear(**json.loads(self.state.found_by)[table])

    def stores(self) -> dict[str, StoreState]:
        """How vectors are found here, by the names that a manifest has for them."""
        found = {name: self.found(table) for name, table in TABLES.items()}
        return {n: StoreState(f.kind, f.vectors, f.recall, f.sample) for n, f in found.items()}

    def words(self) -> PostgresWords:
        return PostgresWords(self.snapshot)

    def induced(self) -> StoredLexicon:
        return StoredLexicon(self._words, json.loads(self.state.shares), self.where)

    def _words(self) -> bytes:
        ((content,),) = self.snapshot.rows("SELECT words FROM state")
        return bytes(content)

    def close(self) -> None:
        self.beside.close()
        self.snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_published(snapshot: Snapshot) -> PublishedIndex:
    """Raises IndexMissing when nothing was published, IndexMismatch when it is of another version
    or one of several shards, IndexDamaged when its manifest is none. Closes the snapshot when it
    raises."""
    index = opened(snapshot)
    try:
        tables.check_layout(index.state, snapshot.address, 0, 1)
    except BaseException:
        index.close()
        raise
    return index


def opened(snapshot: Snapshot) -> PublishedIndex:
    """What one server has, whether it is all or a shard; raises as `open_published`."""
    try:
        state = _state(snapshot)
        manifest = parse_manifest(read(state.manifest).encode(), Path("manifest.json"))
    except BaseException:
        snapshot.close()
        raise
    # What is read after a lost connection has to be of the same publication.
    snapshot.expect(lambda: _state(snapshot) == state)
    beside = Beside(snapshot, lambda other: _state(other) == state)
    return PublishedIndex(snapshot, state, manifest, beside)


def _state(snapshot: Snapshot) -> tables.State:
    address = snapshot.address
    missing = IndexMissing(
        f"No index in the schema {address.schema!r} of {address.masked}: run `askai index` where "
        "the documents are, with this store set."
    )
    ((there,),) = snapshot.rows("SELECT to_regclass('migrations') IS NOT NULL")
    if not there:
        raise missing
    ((version,),) = snapshot.rows(tables.VERSION_QUERY)
    tables.check_version(version, address)
    rows = snapshot.rows(tables.STATE_QUERY)
    if not rows:
        raise missing
    return tables.State(*rows[0])
