"""Vectors that a server finds and that are ranked here, by the arithmetic of the exact store.

So a search returns the ids of the local store, with its scores, in its order, whichever server has
found the candidates.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from askai.embedders import Vector, Vectors
from askai.stores import Scores
from askai.stores.exact import best, checked_query, cosines

_REMEMBERED = 4_096  # vectors


class FetchedVectors(ABC):
    """What the servers' `askai.stores.VectorSearch` have in common; a question comes to the same
    vectors again, so those that were fetched are remembered."""

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._held: dict[str, Vector] = {}

    @abstractmethod
    def _candidates(
        self, query: Vector, k: int, among: Sequence[str] | None
    ) -> tuple[list[str], Vectors]:
        """Ids with their vectors that the best k are among, or with an approximate index nearly
        all of these."""

    @abstractmethod
    def _fetch(self, ids: Sequence[str]) -> tuple[list[str], Vectors]:
        """The vectors of these ids, those that there are, from the server; see `_keep`."""

    def vectors(self, ids: Sequence[str]) -> Vectors:
        held = dict(zip(*self.those_of(ids), strict=True))
        return np.stack([held[id_] for id_ in ids]) if ids else np.empty((0, self._dim), np.float32)

    def search(
        self, vector: Vector, k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        query = checked_query(vector, dim=self._dim)
        if k <= 0 or (among is not None and not among):
            return []
        ids, vectors = self._candidates(query, k, among)
        return best(ids, cosines(vectors, query), k)

    def cosines(self, vector: Vector, ids: Sequence[str]) -> Scores:
        query = checked_query(vector, dim=self._dim)
        there, vectors = self.those_of(ids)
        found = dict(zip(there, cosines(vectors, query).tolist(), strict=True))
        return np.array([found.get(id_, -np.inf) for id_ in ids], dtype=np.float32)

    def those_of(self, ids: Sequence[str]) -> tuple[list[str], Vectors]:
        """The vectors of these ids, those that there are."""
        held = {id_: self._held[id_] for id_ in ids if id_ in self._held}
        if new := [id_ for id_ in dict.fromkeys(ids) if id_ not in held]:
            held.update(zip(*self._fetch(new), strict=True))
        return list(held), self._stacked(held.values())

    def _keep(self, found: Mapping[str, Vector]) -> tuple[list[str], Vectors]:
        """Remembers what was fetched, and gives it with its vectors as rows."""
        if len(self._held) > _REMEMBERED:
            self._held = {}
        self._held.update(found)
        return list(found), self._stacked(found.values())

    def _stacked(self, vectors: Iterable[Vector]) -> Vectors:
        """Shape (n, dim)."""
        arrays = list(vectors)
        return np.stack(arrays) if arrays else np.empty((0, self._dim), dtype=np.float32)

    def close(self) -> None:
        """The snapshot is closed by whoever opened it."""
        self._held = {}
