"""The id of each row of a store: held in memory, or mapped, so that opening reads none of them.

A list of a million ids takes a second to parse, and a question needs a few hundred. In the file
beside the vectors (`.ids`, see `askai.mapped_tables`) an id is found by its hash, a row's id by its
row. A row that counts no more has none. What is looked at is checked when it is looked at, since a
file may be damaged and keep its size and time.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from askai.mapped_tables import MappedTexts, read_tables, write_tables
from askai.stores import Rows
from askai.stores.exact import damaged

_KIND = "ids"


class Ids(Protocol):
    """None in place of an id stands for a row that counts no more."""

    size: int  # rows, whether they count or not
    count: int  # that count

    def row(self, id_: str) -> int:
        """Raises KeyError."""
        ...

    def rows(self, ids: Iterable[str]) -> list[int]:
        """The row of each; −1 for one that there is not."""
        ...

    def known(self, ids: Iterable[str]) -> list[int]:
        """The rows of those of `ids` that there are, in their order."""
        return [row for row in self.rows(ids) if row >= 0]

    def at(self, rows: Rows) -> list[str]:
        """The ids of rows that count."""
        ...

    def live(self) -> Rows | None:
        """The rows that count, ascending; None: all do."""
        ...

    def __iter__(self) -> Iterator[str | None]:
        """By row."""
        ...


class HeldIds(Ids):
    """In memory; raises ValueError when two rows have the same id."""

    def __init__(self, ids: Iterable[str | None] = ()) -> None:
        self._ids = list(ids)
        self._rows = {id_: row for row, id_ in enumerate(self._ids) if id_ is not None}
        self.size, self.count = len(self._ids), len(self._rows)
        if self.count + self._ids.count(None) != self.size:
            raise ValueError("An id is given twice.")

    def row(self, id_: str) -> int:
        return self._rows[id_]

    def rows(self, ids: Iterable[str]) -> list[int]:
        return [self._rows.get(id_, -1) for id_ in ids]

    def at(self, rows: Rows) -> list[str]:
        return [self._ids[row] or "" for row in rows.tolist()]

    def live(self) -> Rows | None:
        if self.count == self.size:
            return None
        return np.array(sorted(self._rows.values()), dtype=np.int64)

    def __iter__(self) -> Iterator[str | None]:
        return iter(self._ids)

    def append(self, ids: Sequence[str]) -> None:
        """More rows, whose ids there are not yet."""
        self._rows.update((id_, row) for row, id_ in enumerate(ids, start=self.size))
        self._ids.extend(ids)
        self.size, self.count = len(self._ids), len(self._rows)


class MappedIds(Ids):
    """The ids in a file that `write_ids` wrote; every method raises IndexDamaged."""

    def __init__(self, path: Path, texts: MappedTexts, live: Rows, size: int) -> None:
        """The texts are of the rows that count, and these are listed if they are not all."""
        self._path = path
        self._texts = texts
        self.size, self.count = size, len(texts)
        self._live = live if self.count < size else None

    @classmethod
    def open(cls, path: Path, *, size: int) -> "MappedIds":
        """Raises IndexDamaged when it is not a file of the ids of `size` rows."""
        with _damage_named(path):
            tables = read_tables(path, kind=_KIND)
            ids = cls(path, MappedTexts(tables), tables["live"], int(tables["size"][0]))
            ids._check(size)
        return ids

    def _check(self, size: int) -> None:
        self._texts.check()
        if self.size != size:
            raise ValueError(f"it holds the ids of {self.size} rows for {size} vectors")
        if self.count > size or (self._live is not None and len(self._live) != self.count):
            raise ValueError(f"it does not say which {self.count} of {size} rows count")

    def row(self, id_: str) -> int:
        for row in self.known([id_]):
            return row
        raise KeyError(id_)

    def rows(self, ids: Iterable[str]) -> list[int]:
        with _damage_named(self._path):
            found = self._texts.rows([id_.encode() for id_ in ids])
            if self._live is None:
                return found
            if not self.count:
                return found
            places = np.array(found, dtype=np.int64)
            rows = np.where(places < 0, -1, self._live[places])
            if not -1 <= rows.min(initial=-1) <= rows.max(initial=-1) < self.size:
                raise ValueError(f"it names a row that is not one of {self.size}")
            return list(rows.tolist())

    def at(self, rows: Rows) -> list[str]:
        with _damage_named(self._path):
            places = rows if self._live is None else np.searchsorted(self._live, rows)
            texts = [self._texts[place] for place in places.tolist()]
            # A changed letter makes another id, but not one that is found by its hash.
            if self._texts.rows(texts) != places.tolist():
                raise ValueError("an id is not found by its hash")
            return [text.decode() for text in texts]

    def live(self) -> Rows | None:
        live = self._live
        if live is not None and len(live):
            with _damage_named(self._path):
                if live[0] < 0 or live[-1] >= self.size or (np.diff(live) <= 0).any():
                    raise ValueError(f"it does not say which of {self.size} rows count")
        return live

    def __iter__(self) -> Iterator[str | None]:
        live = self.live()
        counts = np.full(self.size, live is None)
        if live is not None:
            counts[live] = True
        with _damage_named(self._path):  # what is done with an id raises outside of it
            texts = iter(self._texts)
            for counted in counts.tolist():
                yield next(texts).decode() if counted else None


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """What tables that are not what was written lead to, as IndexDamaged."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise damaged(path, str(error)) from error


def write_ids(path: Path, ids: Sequence[str | None]) -> None:
    """Raises ValueError when two rows have the same id."""
    texts = MappedTexts.tables(id_.encode() for id_ in ids if id_ is not None)
    some = len(texts["rows"]) < len(ids)
    live = (row for row, id_ in enumerate(ids) if some and id_ is not None)
    tables = {
        "size": np.array([len(ids)], dtype=np.int64),
        "live": np.fromiter(live, dtype=np.int64),
    }
    write_tables(path, {**tables, **texts}, kind=_KIND)
