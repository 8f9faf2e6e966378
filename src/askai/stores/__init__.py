"""The store seam: unit vectors by stable string id. A store knows nothing of texts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from askai.embedders import Vector, Vectors

STORES = {
    "exact": "askai.stores.exact:ExactStore",
    "faiss": "askai.stores.faiss_flat:FaissFlatStore",
}


Rows = NDArray[np.int64]  # numbers of rows, shape (n,)
Scores = NDArray[np.float32]  # shape (n,)
Batches = Iterable[tuple[Sequence[str], Vectors]]  # of ids and their vectors, shape (n, dim)


@dataclass(frozen=True, slots=True)
class Moves:
    """What becomes of the ids of a store; an id that is not named here stays."""

    gone: Collection[str] = frozenset()
    # More ids, each with the one, gone or not, whose vector it has.
    taken: Mapping[str, str] = field(default_factory=dict)


STAY = Moves()


@dataclass(frozen=True, slots=True)
class Found:
    """How a store finds what it holds."""

    kind: str  # "flat": all vectors are looked at
    vectors: int
    recall: float  # recall@10 against a search through all, measured when it was made
    sample: int  # questions that it was measured by; 0: none, since all are looked at


class VectorSearch(Protocol):
    """What a question needs of a store: vectors found by inner product, which for unit vectors is
    the cosine."""

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The vectors of these ids, in their order, shape (n, dim); raises KeyError."""
        ...

    def search(
        self, vector: Vector, k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """The k nearest ids with their cosines, best first, ties in order of id.

        `among` restricts the search to these ids (unknown ones are ignored). Cosines are exact;
        whether all of the nearest are found, `found_by` tells.
        """
        ...

    def cosines(self, vector: Vector, ids: Sequence[str]) -> Scores:
        """The cosine of each of these ids, in their order, as `search` has it; −∞ where there is no
        such id."""
        ...

    def found_by(self) -> Found:
        """How `search` finds without `among`. With it, all of these are looked at."""
        ...

    def __len__(self) -> int: ...

    def close(self) -> None: ...


class Store(VectorSearch, Protocol):
    """One that is made here, too: in files."""

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
        moves: Moves = STAY,
    ) -> None:
        """Flushes a store of these batches at `path`; none need be held when it is written.

        The vectors of an `earlier` store go before them, after `moves`. That store was opened from
        another folder and stays as it is; the new one may share its files.
        Raises ValueError on a wrong shape or an id given twice.
        """
        ...

    @classmethod
    def open(cls, path: Path, *, near: bool = True) -> Self:
        """The store that was flushed at `path`; raises IndexDamaged when it cannot be read.

        Not `near`: what is made of the vectors to find them sooner is damaged. It is not looked at,
        and `write` makes it anew for a store that goes on from this one.
        """
        ...

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Adds or replaces; raises ValueError on a wrong shape or a repeated id in one call."""
        ...

    def delete(self, ids: Iterable[str]) -> None:
        """Forgets these ids; an unknown one is ignored."""
        ...

    def flush(self) -> None:
        """Writes everything to `path` and fsyncs it."""
        ...
