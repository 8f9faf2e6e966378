"""A second connection for a question, so that the nearest vectors are looked for while its words
are.

It is a snapshot of its own, and it is used only where it sees the same publication as the first: a
publication has a name that no other one has, and is seen whole or not at all.
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

from askai.errors import AskaiError
from askai.postgres.connection import Snapshot


class Beside:
    """Reads as the `first` snapshot does; close it before that one."""

    def __init__(self, first: Snapshot, same: Callable[[Snapshot], bool]) -> None:
        """`same` tells whether another snapshot is of the same publication."""
        self._first = first
        self._same = same
        self._lock = Lock()
        self._second: Snapshot | None = None
        self._tried = False

    def rows(
        self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """See `Snapshot.rows`."""
        return self._snapshot().rows(query, parameters)

    def _snapshot(self) -> Snapshot:
        with self._lock:
            if not self._tried:
                self._tried = True
                self._second = self._opened()
            return self._second if self._second is not None else self._first

    def _opened(self) -> Snapshot | None:
        """None: the first has to do, since no connection is free or something else has been
        published since."""
        try:
            second = self._first.another()
        except AskaiError:
            return None
        if second is None:
            return None
        try:
            if not self._same(second):
                second.close()
                return None
        except AskaiError:
            second.close()
            return None
        second.expect(lambda: self._same(second))
        return second

    def close(self) -> None:
        with self._lock:
            if self._second is not None:
                self._second.close()
                self._second = None
