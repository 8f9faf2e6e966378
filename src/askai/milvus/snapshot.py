"""One publication as a question reads it, whatever is published meanwhile."""

import time
from collections.abc import Iterable, Iterator, Sequence
from threading import RLock
from typing import Self

from askai.embedders import Vector
from askai.errors import IndexMismatch, IndexMissing
from askai.milvus.collections import FIELDS, NOBODY, Thing, epoch_name, things_of
from askai.milvus.connection import Address, Client, Row
from askai.milvus.state import GRACE, State, read_state
from askai.servers import Table

# Seconds after which a state has to be the current one still: what it names is there for GRACE at
# least from when it was last seen to be.
_CHECKED = GRACE / 2


class Snapshot:
    """The index of one name as the current state has it; safe for several threads."""

    def __init__(
        self, address: Address, client: Client | None = None, *, state: State | None = None
    ) -> None:
        """With a `client` that is kept open afterwards, and of a `state` that is known. Raises
        IndexMissing, IndexMismatch, IndexDamaged or StoreError."""
        self.address = address
        self._own = client is None
        self.client = client or address.connect()
        self._lock = RLock()
        try:
            self.state = state or self._current()
        except BaseException:
            self.close()
            raise
        self._checked = time.monotonic()

    def _current(self) -> State:
        state = read_state(self.client)
        if state is None:
            raise IndexMissing(
                f"No index of the name {self.address.name!r} in {self.address.masked}: run "
                "`askai index` where the documents are, with this store set."
            )
        return state

    def _check(self) -> None:
        with self._lock:
            if time.monotonic() - self._checked < _CHECKED:
                return
            now = read_state(self.client)
            if now is None or now.number != self.state.number:
                raise IndexMismatch(
                    f"The index in {self.address.masked} has been replaced since: ask again."
                )
            self._checked = time.monotonic()

    def _rows(self) -> str:
        return epoch_name(self.address.name, self.state.epoch, "rows")

    def things(self, kind: int, field: str, values: Iterable[str] | Iterable[int]) -> list[Thing]:
        """Those of documents that are there, by their `key` or another field."""
        self._check()
        where = f"kind == {kind} and doc > {NOBODY} and {self._seen}"
        return things_of(self.client.query_in(self._rows(), field, values, FIELDS, where=where))

    def places(
        self, kind: int, field: str, values: Iterable[str] | Iterable[int], names: Sequence[str]
    ) -> list[Row]:
        """As `things`, without what they hold."""
        self._check()
        where = f"kind == {kind} and part == 0 and doc > {NOBODY} and {self._seen}"
        return self.client.query_in(self._rows(), field, values, names, where=where)

    def all_things(self, kind: int) -> list[Thing]:
        """Every one of documents that are there."""
        self._check()
        where = f"kind == {kind} and doc > {NOBODY} and {self._seen}"
        return things_of(self.client.everything(self._rows(), where, FIELDS))

    def count(self, kind: int) -> int:
        where = f"kind == {kind} and part == 0 and {self._seen}"
        return self.client.count(self._rows(), where)

    @property
    def _seen(self) -> str:
        return f"born <= {self.state.number} and {self.state.alive}"

    def versions(self, kind: int, keys: Iterable[str], *, number: int | None = None) -> list[Row]:
        """Of things that come in versions those that hold, without what they hold."""
        self._check()
        names = ["pk", "key", "number", "born", "count", "parts"]
        where = f"kind == {kind} and part == 0 and born <= {self.state.number}"
        if number is not None:
            where += f" and number == {number}"
        return newest(self.client.query_in(self._rows(), "key", keys, names, where=where))

    def all_versions(self, kind: int) -> Iterator[Row]:
        """As `versions`, all of them."""
        self._check()
        names = ["pk", "key", "number", "born", "count", "parts"]
        where = f"kind == {kind} and part == 0 and born <= {self.state.number}"
        return iter(newest(self.client.everything(self._rows(), where, names)))

    def held(self, keys: Iterable[str]) -> list[Thing]:
        """What the rows with these primary keys hold."""
        self._check()
        return things_of(self.client.query_in(self._rows(), "pk", keys, FIELDS))

    def vectors(self, table: Table, keys: Iterable[str]) -> list[Row]:
        self._check()
        return self.client.query_in(
            self._table(table), "key", keys, ["id", "embedding"], where=self.state.alive
        )

    def all_vectors(self, table: Table, where: str = "") -> Iterator[Row]:
        self._check()
        seen = f"{where} and {self.state.alive}" if where else self.state.alive
        return self.client.everything(self._table(table), seen, ["id", "embedding"])

    def vector_count(self, table: Table) -> int:
        return self.client.count(self._table(table), self.state.alive)

    def search(
        self, table: Table, vector: Vector, limit: int, *, where: str = "", **parameters: int
    ) -> list[tuple[float, Row]]:
        self._check()
        seen = f"{where} and {self.state.alive}" if where else self.state.alive
        return self.client.search(
            self._table(table), vector, limit, seen, ["id", "embedding"], **parameters
        )

    def _table(self, table: Table) -> str:
        return epoch_name(self.address.name, self.state.epoch, table)

    def close(self) -> None:
        if self._own:
            self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def newest(rows: Iterable[Row]) -> list[Row]:
    """Of several versions of a thing the last."""
    found: dict[tuple[str, int], Row] = {}
    for row in rows:
        place = (row["key"], row["number"])
        if place not in found or found[place]["born"] < row["born"]:
            found[place] = row
    return list(found.values())


def all_keys(versions: Iterable[Row]) -> Iterator[str]:
    """The primary keys of all parts of things, given by their first."""
    for row in versions:
        stem = row["pk"].removesuffix("0")
        yield from (f"{stem}{part}" for part in range(row["parts"]))
