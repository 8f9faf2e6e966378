"""What a question reads of an index in several shards: the catalogue, the vectors, the words.

Each shard ranks its own vectors with exact cosines, and the best of all are the best of these.
Words are weighed here, as those of one server are, with numbers that are summed over the shards:
how many passages there are and hold a term, and how long they are on average.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np

from askai.embedders import Vector, Vectors
from askai.errors import StoreUnreachable
from askai.lexical.blocks import Entries
from askai.manifest import SourceState
from askai.postgres.catalog import PostgresCatalog
from askai.postgres.sharding import Fan, Places, merged, shard_of
from askai.postgres.vectors import PostgresVectors
from askai.postgres.words import PostgresPostings
from askai.records import Chunk, Document, Source
from askai.stores import Found, Scores
from askai.units import chunk_of


class ShardedCatalog:
    """See `askai.catalog_reader`: a document is looked up on its shard, a list made of all."""

    def __init__(
        self,
        parts: Mapping[int, PostgresCatalog],
        *,
        shards: int,
        lost: Mapping[int, str],
        fan: Fan,
        places: Places,
    ) -> None:
        """`parts` by the numbers of their shards; `lost` says where the others are."""
        self._by_number = dict(parts)
        self._parts = list(parts.values())
        self._shards = shards
        self._lost = dict(lost)
        self._fan = fan
        self._places = places

    def _of(self, path: str) -> PostgresCatalog:
        number = shard_of(path, self._shards)
        if number in self._lost:
            raise StoreUnreachable(
                f"{path!r} belongs to shard {number + 1} of {self._shards}, "
                f"{self._lost[number]}, which cannot be asked now."
            )
        return self._by_number[number]

    def chunks(self, ids: Iterable[str]) -> dict[str, Chunk]:
        wanted = list(dict.fromkeys(ids))
        asked = [pair for pair in enumerate(self._places.split(wanted)) if pair[1]]
        found: dict[str, Chunk] = {}
        if asked:
            some = self._fan(lambda pair: self._parts[pair[0]].chunks(pair[1]), asked)
            for (shard, _), there in zip(asked, some, strict=True):
                self._places.learn(shard, there)
                found |= there
        return {id_: found[id_] for id_ in wanted if id_ in found}

    def chunks_of(self, path: str) -> list[Chunk]:
        return self._of(path).chunks_of(path)

    def chunk_places(self) -> list[tuple[str, str, str | None, int]]:
        each = self._fan(PostgresCatalog.chunk_places, self._parts)
        for shard, some in enumerate(each):
            self._places.learn(shard, (id_ for id_, *_ in some))
        positions = self._positions()
        return sorted(chain.from_iterable(each), key=lambda place: positions[place[1]])

    def languages(self) -> dict[str, int]:
        return _added(self._fan(PostgresCatalog.languages, self._parts))

    def document(self, path: str) -> Document:
        return self._of(path).document(path)

    def text(self, path: str) -> str:
        return self._of(path).text(path)

    def sources(self) -> list[Source]:
        every = chain.from_iterable(self._fan(PostgresCatalog.sources, self._parts))
        positions = self._positions()
        return sorted(every, key=lambda source: positions[source.path])

    def source(self, path: str) -> Source:
        return self._of(path).source(path)

    def states(self) -> list[SourceState]:
        every = chain.from_iterable(self._fan(PostgresCatalog.states, self._parts))
        positions = self._positions()
        return sorted(every, key=lambda state: positions[state.path])

    def _positions(self) -> dict[str, int]:
        each = self._fan(PostgresCatalog.positions, self._parts)
        return {path: position for some in each for path, position in some.items()}

    def document_count(self) -> int:
        return sum(self._fan(PostgresCatalog.document_count, self._parts))

    def chunk_count(self) -> int:
        return sum(self._fan(PostgresCatalog.chunk_count, self._parts))

    def chunk_counts(self) -> dict[str, int]:
        return _added(self._fan(PostgresCatalog.chunk_counts, self._parts))


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """By code point, as the database orders them."""
    total: dict[str, int] = {}
    for some in counts:
        for key, count in some.items():
            total[key] = total.get(key, 0) + count
    return dict(sorted(total.items()))


class ShardedVectors:
    """See `askai.stores.VectorSearch`."""

    def __init__(
        self, parts: Sequence[PostgresVectors], *, units: bool, fan: Fan, places: Places
    ) -> None:
        """`units`: these are of units, whose ids are made of those of their passages."""
        self._parts = list(parts)
        self._passage = chunk_of if units else str
        self._fan = fan
        self._places = places

    def search(
        self, vector: Vector, k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        given = [None] * len(self._parts) if among is None else self._split(among)
        asked = list(zip(self._parts, given, strict=True))
        found = self._fan(lambda pair: pair[0].search(vector, k, among=pair[1]), asked)
        for shard, some in enumerate(found):
            self._places.learn(shard, (self._passage(id_) for id_, _ in some))
        return merged(found, k)

    def vectors(self, ids: Sequence[str]) -> Vectors:
        asked = list(zip(self._parts, self._split(ids), strict=True))
        found = self._fan(lambda pair: pair[0].those_of(pair[1]), asked)
        held = {id_: v for some, vectors in found for id_, v in zip(some, vectors, strict=True)}
        return np.stack([held[id_] for id_ in ids]) if ids else self._parts[0].vectors(ids)

    def cosines(self, vector: Vector, ids: Sequence[str]) -> Scores:
        asked = list(zip(self._parts, self._split(ids), strict=True))
        found = self._fan(lambda pair: pair[0].cosines(vector, pair[1]).tolist(), asked)
        best = dict.fromkeys(ids, -np.inf)
        for (_, some), scores in zip(asked, found, strict=True):
            for id_, score in zip(some, scores, strict=True):
                best[id_] = max(best[id_], score)  # −∞ where a shard has none
        return np.array([best[id_] for id_ in ids], dtype=np.float32)

    def _split(self, ids: Sequence[str]) -> list[list[str]]:
        return self._places.split(ids, self._passage)

    def found_by(self) -> Found:
        """As the worst of the shards finds: what it misses is missed in the whole."""
        each = [part.found_by() for part in self._parts]
        worst = min(each, key=lambda found: found.recall)
        kind = next((found.kind for found in each if found.kind != "flat"), "flat")
        return Found(kind, sum(f.vectors for f in each), worst.recall, sum(f.sample for f in each))

    def __len__(self) -> int:
        return sum(self._fan(len, self._parts))

    def close(self) -> None:
        """Snapshots are closed by whoever opened them."""


class ShardedPostings:
    """See `askai.lexical.blocks.Postings`: the passages of each shard are numbered on from those of
    the one before."""

    def __init__(self, parts: Sequence[PostgresPostings], *, fan: Fan, places: Places) -> None:
        self._parts = list(parts)
        self._fan = fan
        self._places = places
        self._totals = fan(PostgresPostings.totals, self._parts)
        ends = np.cumsum([0, *(numbers for _, _, numbers in self._totals)])
        self._first = ends[:-1]  # the number of each shard's passage 0

    def totals(self) -> tuple[int, int, int]:
        passages, tokens, numbers = (sum(column) for column in zip(*self._totals, strict=True))
        return passages, tokens, numbers

    def frequencies(self, tokens: Sequence[str]) -> dict[str, int]:
        each = self._fan(lambda part: part.frequencies(tokens), self._parts)
        return _added(each)

    def entries(self, tokens: Sequence[str]) -> dict[str, Entries]:
        each = self._fan(lambda part: part.entries(tokens), self._parts)
        found: dict[str, list[Entries]] = {}
        for some, first in zip(each, self._first, strict=True):
            for token, entries in some.items():
                piece = entries.copy()
                piece["passage"] += np.int32(first)
                found.setdefault(token, []).append(piece)
        return {token: np.concatenate(pieces) for token, pieces in found.items()}

    def ids(self, numbers: Sequence[int]) -> dict[int, str]:
        wanted = np.array(numbers, dtype=np.int64)
        # A shard without passages begins where the next one does.
        shards = np.searchsorted(self._first, wanted, side="right") - 1
        own = [(wanted[shards == n] - first).tolist() for n, first in enumerate(self._first)]
        asked = list(zip(self._parts, own, strict=True))
        each = self._fan(lambda pair: pair[0].ids(pair[1]) if pair[1] else {}, asked)
        found: dict[int, str] = {}
        for shard, (some, first) in enumerate(zip(each, self._first.tolist(), strict=True)):
            self._places.learn(shard, some.values())
            found |= {number + first: id_ for number, id_ in some.items()}
        return found

    def numbers(self, ids: Sequence[str]) -> dict[str, int]:
        asked = list(zip(self._parts, self._places.split(ids), strict=True))
        each = self._fan(lambda pair: pair[0].numbers(pair[1]) if pair[1] else {}, asked)
        found: dict[str, int] = {}
        for shard, (some, first) in enumerate(zip(each, self._first.tolist(), strict=True)):
            self._places.learn(shard, some)
            found |= {id_: number + first for id_, number in some.items()}
        return found

    def tokens_of(self, id_: str) -> list[str]:
        for part, some in zip(self._parts, self._places.split([id_]), strict=True):
            if some:
                try:
                    return part.tokens_of(id_)
                except KeyError:
                    continue
        raise KeyError(id_)
