"""An index in several shards, opened to read: what `published` is for one server.

Shards are published to one after the other, so for a moment one has the new publication and another
the one before. A question never mixes them: it looks again until all have the same, or says that
they have not.
"""

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn, Self

from askai.errors import AskaiError, IndexMismatch, IndexMissing, StoreUnreachable
from askai.lexical.blocks import BlockWords
from askai.manifest import Manifest, SourceState, StoreState
from askai.postgres import tables
from askai.postgres.connection import Address, Snapshot
from askai.postgres.published import TABLES, PublishedIndex, opened
from askai.postgres.sharded_parts import ShardedCatalog, ShardedPostings, ShardedVectors
from askai.postgres.sharding import Fan, Places
from askai.postgres.words import PostgresPostings
from askai.records import Partial, Skipped
from askai.servers import Table
from askai.stored_lexicon import StoredLexicon

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

    from askai.postgres.connection import Connection

_AGREED = 10.0  # seconds: the shards commit a publication one after the other, in milliseconds
_PAUSE = 0.05
_TRIED_AGAIN = 5.0  # seconds after which one who may do without a lost shard tries it again
_LOST: dict[tuple[str, str], float] = {}  # when, by address and schema; of a process that lives on


@dataclass(frozen=True)
class ShardedIndex:
    """One generation, by a snapshot of each shard."""

    shards: Mapping[int, PublishedIndex]  # those that are asked, by their numbers
    of: int  # shards in all
    lost: Mapping[int, Address]  # the others

    @property
    def _first(self) -> PublishedIndex:
        return next(iter(self.shards.values()))

    @property
    def where(self) -> str:
        """For messages: the servers and the databases."""
        return ", ".join(index.where for index in self.shards.values())

    @property
    def manifest(self) -> Manifest:
        """Of the whole index: each shard has it."""
        return self._first.manifest

    @property
    def state(self) -> tables.State:
        """What the shards have in common of it."""
        return self._first.state

    @property
    def skipped(self) -> list[Skipped]:
        return self._first.skipped

    @property
    def aliases(self) -> str:
        return self._first.aliases

    @property
    def partial(self) -> Partial | None:
        """What is missing of the whole index."""
        missing = tuple(address.masked for address in self.lost.values())
        return Partial(self.of, missing) if missing else None

    def parts(self) -> list[PublishedIndex]:
        return list(self.shards.values())

    @property
    def concurrent(self) -> bool:
        return any(index.concurrent for index in self.parts())

    @cached_property
    def _fan(self) -> Fan:
        return Fan(len(self.shards))

    @cached_property
    def _places(self) -> Places:
        return Places(len(self.shards))

    def sources(self) -> list[SourceState]:
        return self.catalog().states()

    def catalog(self) -> ShardedCatalog:
        return ShardedCatalog(
            {number: index.catalog() for number, index in self.shards.items()},
            shards=self.of,
            lost={number: address.masked for number, address in self.lost.items()},
            fan=self._fan,
            places=self._places,
        )

    def vectors(self, table: Table) -> ShardedVectors:
        # A shard without a document does not know the dimension.
        dim = max(index.state.dim for index in self.parts())
        return ShardedVectors(
            [index.vectors(table, dim=dim) for index in self.parts()],
            units=table == "unit_vectors",
            fan=self._fan,
            places=self._places,
        )

    def stores(self) -> dict[str, StoreState]:
        """See `PublishedIndex.stores`."""
        found = {name: self.vectors(table).found_by() for name, table in TABLES.items()}
        return {n: StoreState(f.kind, f.vectors, f.recall, f.sample) for n, f in found.items()}

    def words(self) -> BlockWords:
        parts = [PostgresPostings(index.snapshot) for index in self.parts()]
        return BlockWords(ShardedPostings(parts, fan=self._fan, places=self._places))

    def induced(self) -> StoredLexicon:
        return self._first.induced()

    def close(self) -> None:
        self._fan.close()
        for index in self.shards.values():
            index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_shards(
    addresses: Sequence[Address],
    pools: "Sequence[ConnectionPool[Connection]] | None" = None,
    *,
    partial: bool = False,
    patience: float = _AGREED,
) -> ShardedIndex:
    """Opens the shards in the order that they were published in; `patience` is how many seconds
    they may be of different publications.

    Raises StoreUnreachable when one cannot be reached, unless `partial` and another can;
    IndexMismatch when they are not the shards of one index, or stay at different publications; and
    otherwise as `open_published`.
    """
    until = time.monotonic() + patience
    while True:
        found, failed = _reached(addresses, pools, waits=not (partial and pools))
        try:
            index = _agreed(addresses, found, failed, partial=partial)
            if index is not None:
                return index
            if time.monotonic() > until:
                _disagree(found, failed, len(addresses))
        except BaseException:
            _close(found)
            raise
        _close(found)
        time.sleep(_PAUSE)


def _agreed(
    addresses: Sequence[Address],
    found: dict[int, PublishedIndex],
    failed: Mapping[int, BaseException],
    *,
    partial: bool,
) -> ShardedIndex | None:
    """The shards as one index; None where they are of several publications, or one has none yet."""
    lost: dict[int, Address] = {}
    for number, error in failed.items():
        if partial and found and isinstance(error, StoreUnreachable):
            lost[number] = addresses[number]
        elif not (found and isinstance(error, IndexMissing)):
            raise _named(number, error, len(addresses))
    for number, index in found.items():
        tables.check_layout(index.state, index.snapshot.address, number, len(addresses))
    there = {index.state.publication for index in found.values()}
    whole = len(there) == 1 and len(found) + len(lost) == len(addresses)
    return ShardedIndex(found, len(addresses), lost) if whole else None


def _reached(
    addresses: Sequence[Address],
    pools: "Sequence[ConnectionPool[Connection]] | None",
    *,
    waits: bool,
) -> tuple[dict[int, PublishedIndex], dict[int, BaseException]]:
    """The shards that were opened, by their numbers, and why the others were not; unless one
    `waits`, a shard that was lost a moment ago is not waited for by every question again."""

    def one(number: int) -> PublishedIndex:
        address = addresses[number]
        key = (address.masked, address.schema)
        if not waits and time.monotonic() - _LOST.get(key, -math.inf) < _TRIED_AGAIN:
            raise StoreUnreachable(f"No connection to {address.masked} a moment ago.")
        try:
            return opened(Snapshot(address, pools[number] if pools else None))
        except StoreUnreachable:
            _LOST[key] = time.monotonic()
            raise

    with ThreadPoolExecutor(len(addresses)) as threads:
        waiting = [threads.submit(one, number) for number in range(len(addresses))]
    failed = {n: error for n, future in enumerate(waiting) if (error := future.exception())}
    found = {n: future.result() for n, future in enumerate(waiting) if n not in failed}
    return found, failed


def _named(number: int, error: BaseException, shards: int) -> BaseException:
    """The error of a shard, with the shard in it; what to do where it is lost."""
    if not isinstance(error, AskaiError):
        return error
    remedy = ""
    if isinstance(error, StoreUnreachable):
        remedy = " With store_partial = true the others answer, and say that one is missing."
    said = type(error)(f"Shard {number + 1} of {shards}: {error}{remedy}")
    said.__cause__ = error
    return said


def _disagree(
    found: Mapping[int, PublishedIndex], failed: Mapping[int, BaseException], shards: int
) -> NoReturn:
    for number, error in failed.items():
        if isinstance(error, IndexMissing):
            raise _named(number, error, shards)
    has = "; ".join(f"{index.where} has {index.state.generation}" for index in found.values())
    raise IndexMismatch(
        f"The shards do not have the same publication ({has}): one is going on, or was broken off. "
        "Ask again later, or run `askai index`, which completes it."
    )


def _close(found: Mapping[int, PublishedIndex]) -> None:
    for index in found.values():
        index.close()
