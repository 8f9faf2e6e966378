"""The store seam: unit vectors by stable string id. A store knows nothing of texts."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

from askai.embedders import Vector, Vectors

STORES = {
    "exact": "askai.stores.exact:ExactStore",
    "faiss": "askai.stores.faiss_flat:FaissFlatStore",
}


Batches = Iterable[tuple[Sequence[str], Vectors]]  # of ids and their vectors, shape (n, dim)


class Store(Protocol):
    """Vectors found by inner product, which for unit vectors is the cosine."""

    @classmethod
    def create(cls, path: Path, *, dim: int) -> Self:
        """An empty store that `flush` will write at `path`."""
        ...

    @classmethod
    def write(
        cls,
        path: Path,
        *,
        dim: int,
        batches: Batches,
        earlier: Self | None = None,
        kept: Mapping[str, str] | None = None,
    ) -> None:
        """Flushes a store of these batches at `path`; none need be held when it is written.

        `kept` are more vectors: ids, each with the id that has its vector in an `earlier` store.
        That one was opened from another folder and stays as it is; the new one may share its files.
        Raises ValueError on a wrong shape or an id given twice.
        """
        ...

    @classmethod
    def open(cls, path: Path) -> Self:
        """The store that was flushed at `path`; raises IndexDamaged when it cannot be read."""
        ...

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Adds or replaces; raises ValueError on a wrong shape or a repeated id in one call."""
        ...

    def delete(self, ids: Iterable[str]) -> None:
        """Forgets these ids; an unknown one is ignored."""
        ...

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The vectors of these ids, in their order, shape (n, dim); raises KeyError."""
        ...

    def search(
        self, vector: Vector, k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """The k nearest ids with their cosines, best first, ties in order of id.

        `among` restricts the search to these ids (unknown ones are ignored).
        """
        ...

    def __len__(self) -> int: ...

    def flush(self) -> None:
        """Writes everything to `path` and fsyncs it."""
        ...

    def close(self) -> None: ...
