"""What a question needs of a catalogue, wherever it lies: sources, their texts, their passages."""

from collections.abc import Iterable
from typing import Protocol

from askai.records import Chunk, Document, Source


class CatalogReader(Protocol):
    """Reads the catalogue of one generation; `catalog.Catalog` is the one of an index folder."""

    def chunks(self, ids: Iterable[str]) -> dict[str, Chunk]:
        """The chunks by id, in the order of `ids`; an id that is not there is left out."""
        ...

    def chunks_of(self, path: str) -> list[Chunk]:
        """The chunks of one document, in their order; none for an unknown path."""
        ...

    def chunk_places(self) -> list[tuple[str, str, str | None, int]]:
        """For every chunk its id, the path of its document, its language, and how many of its units
        have vectors of their own."""
        ...

    def languages(self) -> dict[str, int]:
        """How many chunks are in each language; "" where it is not known."""
        ...

    def document(self, path: str) -> Document:
        """The document with its text and marks; raises KeyError for an unknown path."""
        ...

    def text(self, path: str) -> str:
        """The text of a document; raises KeyError for an unknown path."""
        ...

    def sources(self) -> list[Source]:
        """Every source, in the order in which they were added."""
        ...

    def source(self, path: str) -> Source:
        """Raises KeyError for an unknown path."""
        ...

    def document_count(self) -> int: ...

    def chunk_count(self) -> int: ...

    def chunk_counts(self) -> dict[str, int]:
        """How many chunks each document has that has any, by path."""
        ...
