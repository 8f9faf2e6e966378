"""An index that was published, opened to read: what `generations` is for an index folder."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from askai.errors import IndexDamaged
from askai.manifest import Manifest, SourceState, StoreState, parse_manifest, parse_skipped
from askai.milvus.catalog import MilvusCatalog
from askai.milvus.collections import TABLES, digest, from_json
from askai.milvus.snapshot import Snapshot
from askai.milvus.vectors import MilvusVectors
from askai.milvus.words import MilvusWords
from askai.records import Skipped
from askai.servers import Table
from askai.stored_lexicon import StoredLexicon
from askai.stores import Found

MANIFEST, SKIPPED, ALIASES, SHARES, WORDS, QUESTIONS = (
    "manifest.json", "skipped.json", "aliases.toml", "words.json", "words.npz", "questions.json",
)  # fmt: skip
_EARLY = (MANIFEST, SKIPPED, ALIASES, SHARES)  # what every question needs


@dataclass(frozen=True, slots=True)
class PublishedIndex:
    """One generation; see `askai.servers.PublishedIndex`."""

    snapshot: Snapshot
    manifest: Manifest
    parts: dict[str, bytes]

    @property
    def concurrent(self) -> bool:
        """Not tried with Milvus."""
        return False

    @property
    def partial(self) -> None:
        """It is whole: the shards of a Milvus are its own."""

    @property
    def where(self) -> str:
        """For messages: the server and the database."""
        return self.snapshot.address.masked

    @property
    def skipped(self) -> list[Skipped]:
        return parse_skipped(self.parts[SKIPPED], Path(SKIPPED))

    @property
    def aliases(self) -> str:
        """aliases.toml, as it was when this was published."""
        return self.parts[ALIASES].decode("utf-8", "surrogatepass")

    def sources(self) -> list[SourceState]:
        return self.catalog().states()

    def catalog(self) -> MilvusCatalog:
        return MilvusCatalog(self.snapshot)

    def vectors(self, table: Table) -> MilvusVectors:
        state = self.snapshot.state
        found = Found(**state.found_by[table])
        return MilvusVectors(self.snapshot, table, dim=state.dim, found=found)

    def stores(self) -> dict[str, StoreState]:
        """How vectors are found here, by the names that a manifest has for them."""
        names = ("passages", "sentences")
        found = self.snapshot.state.found_by
        return {name: StoreState(**found[table]) for name, table in zip(names, TABLES, strict=True)}

    def words(self) -> MilvusWords:
        return MilvusWords(self.snapshot)

    def induced(self) -> StoredLexicon:
        def fetch() -> bytes:
            return parts_of(self.snapshot, [WORDS])[WORDS]

        return StoredLexicon(fetch, from_json(self.parts[SHARES]), self.where)

    def close(self) -> None:
        self.snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_published(snapshot: Snapshot) -> PublishedIndex:
    """Raises IndexDamaged when a part is missing or its manifest is none. Closes the snapshot when
    it raises."""
    try:
        parts = parts_of(snapshot, _EARLY)
        manifest = parse_manifest(parts[MANIFEST], Path(MANIFEST))
    except BaseException:
        snapshot.close()
        raise
    return PublishedIndex(snapshot, manifest, parts)


def parts_of(snapshot: Snapshot, names: Iterable[str]) -> dict[str, bytes]:
    """The parts of these names; raises IndexDamaged when one is missing."""
    named = {digest(name): name for name in names}
    at = snapshot.state.parts
    keys = [key for name in named.values() if name in at for key in at[name].keys(name)]
    found = {named[thing.key]: thing.content for thing in snapshot.held(keys)}
    for name in named.values():
        if name not in found:
            raise IndexDamaged(
                f"{name} is missing in {snapshot.address.masked}: run `askai index --rebuild`."
            )
    return found
