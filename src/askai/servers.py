"""Servers that hold an index, as the rest of askai sees them; the address says which kind.

Nothing of a kind is imported before an address of it is used.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, Self

from askai.catalog_reader import CatalogReader
from askai.errors import IndexDamaged
from askai.lexical import WordSearch
from askai.manifest import Manifest, SourceState, StoreState
from askai.publication import LocalIndex, Progress, Published
from askai.records import Partial, Skipped
from askai.seams import load
from askai.stored_lexicon import StoredLexicon
from askai.stores import VectorSearch

Table = Literal["passage_vectors", "unit_vectors"]
SERVERS = {
    "postgresql": "askai.postgres.server:PostgresServer",
    "postgres": "askai.postgres.server:PostgresServer",
    "milvus": "askai.milvus.server:MilvusServer",
}


class PublishedIndex(Protocol):
    """One generation of an index on a server, opened to read; what `generations` is for a folder.

    Whatever is published meanwhile, all that it gives is of that generation, or it raises
    IndexMismatch. Everything of it raises StoreError when the server cannot be read.
    """

    @property
    def manifest(self) -> Manifest: ...

    @property
    def where(self) -> str:
        """For messages: the server and the database."""
        ...

    @property
    def skipped(self) -> list[Skipped]: ...

    @property
    def aliases(self) -> str:
        """aliases.toml, as it was when this was published."""
        ...

    @property
    def partial(self) -> Partial | None:
        """Which of several servers were not asked; None: the index is whole."""
        ...

    @property
    def concurrent(self) -> bool:
        """Whether vectors and words are best looked for at the same time."""
        ...

    def sources(self) -> list[SourceState]: ...

    def catalog(self) -> CatalogReader: ...

    def vectors(self, table: Table) -> VectorSearch: ...

    def stores(self) -> dict[str, StoreState]:
        """How vectors are found here, by the names that a manifest has for them."""
        ...

    def words(self) -> WordSearch: ...

    def induced(self) -> StoredLexicon: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Server(Protocol):
    """One address, or where a kind knows that several with blanks between them, and the name of the
    tables there."""

    @property
    def masked(self) -> str:
        """The address for people: no password, no options."""
        ...

    def pool(self) -> AbstractContextManager[Any]:
        """Connections for a process that asks much; what it gives is for `open`."""
        ...

    def open(self, pool: Any = None, *, partial: bool = False) -> PublishedIndex:
        """What was published; raises IndexMissing when nothing was, IndexMismatch when it is of
        another version, IndexDamaged when its manifest is none. With `partial` an address of
        several may be lost."""
        ...

    def publish(
        self, local: LocalIndex, *, replace: bool = False, progress: Progress = lambda *_: None
    ) -> Published:
        """Brings the server to what `local` holds.

        Raises IndexLocked while another process publishes, IndexMismatch when the server holds
        vectors of another model and not `replace`, and StoreError when the server will not.
        """
        ...

    def checks(self, index: Any) -> Mapping[str, Callable[[], str]]:
        """What `askai doctor` looks at in an index that `open` gave, by name: each says what it
        found, or raises StoredIndexError."""
        ...


def server_at(url: str, name: str) -> Server:
    """The server of an address, with the name of its tables; raises StoreError for what is no
    address or where the kind's package is not installed."""
    kind, _, _ = url.partition("://")
    server: Server = load("server", SERVERS, kind)(url, name)
    return server


def has_what_the_primary_has(index: PublishedIndex, primary: Server) -> str:
    """What `askai doctor` says of a replica; raises IndexDamaged when it has something else."""
    with primary.open() as first:
        there, here = first.manifest.generation, index.manifest.generation
        if there != here:
            raise IndexDamaged(f"The replica still has {here}, the primary has {there}.")
    return f"has {here}, as the primary"


def checked_counts(pairs: Mapping[str, Sequence[int]]) -> None:
    """Raises IndexDamaged where, by name, what is there is not what was expected."""
    for name, (there, expected) in pairs.items():
        if there != expected:
            raise IndexDamaged(f"The {name} are {there}, expected are {expected}.")
