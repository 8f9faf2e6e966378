"""The id of each row of a store: held in memory, or mapped, so that opening reads none of them.

A list of a million ids takes a second to parse, and a question needs a few hundred. In the file
beside the vectors (`.ids`, see `askai.mapped_tables`) an id is found by its hash, a row's id by its
row. A row that counts no more has none.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from askai.errors import IndexDamaged
from askai.mapped_tables import MappedTexts, read_tables, write_tables

Rows = NDArray[np.int64]  # shape (n,)
_KIND = "ids"


class Ids(Protocol):
    """None in place of an id stands for a row that counts no more."""

    size: int  # rows, whether they count or not
    count: int  # that count

    def row(self, id_: str) -> int:
        """Raises KeyError."""
        ...

    def known(self, ids: Iterable[str]) -> list[int]:
        """The rows of those of `ids` that there are, in their order."""
        ...

    def at(self, rows: Rows) -> list[str]:
        """The ids of rows that count."""
        ...

    def live(self) -> Rows | None:
        """The rows that count, ascending; None: all do."""
        ...

    def __iter__(self) -> Iterator[str | None]:
        """By row."""
        ...


class HeldIds:
    """In memory; raises ValueError when two rows have the same id."""

    def __init__(self, ids: Iterable[str | None] = ()) -> None:
        self._ids = list(ids)
        self._rows = {id_: row for row, id_ in enumerate(self._ids) if id_ is not None}
        self.size, self.count = len(self._ids), len(self._rows)
        if self.count + self._ids.count(None) != self.size:
            raise ValueError("An id is given twice.")

    def row(self, id_: str) -> int:
        return self._rows[id_]

    def known(self, ids: Iterable[str]) -> list[int]:
        return [self._rows[id_] for id_ in ids if id_ in self._rows]

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


class MappedIds:
    """The ids in a file that `write_ids` wrote."""

    def __init__(self, texts: MappedTexts, live: Rows, size: int) -> None:
        """The texts are of the rows that count, and these are listed if they are not all."""
        self._texts = texts
        self.size, self.count = size, len(texts)
        self._live = live if self.count < size else None

    @classmethod
    def open(cls, path: Path, *, size: int) -> "MappedIds":
        """Raises IndexDamaged when it is not a file of the ids of `size` rows."""
        try:
            tables = read_tables(path, kind=_KIND)
            ids = cls(MappedTexts(tables), tables["live"], int(tables["size"][0]))
            ids._check(size)
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise IndexDamaged(
                f"{path} cannot be used: {error}. Run `askai index --rebuild`."
            ) from error
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

    def known(self, ids: Iterable[str]) -> list[int]:
        places = [place for place in self._texts.rows([i.encode() for i in ids]) if place >= 0]
        return places if self._live is None else self._live[places].tolist()

    def at(self, rows: Rows) -> list[str]:
        places = rows if self._live is None else np.searchsorted(self._live, rows)
        return [self._texts[place].decode() for place in places.tolist()]

    def live(self) -> Rows | None:
        return self._live

    def __iter__(self) -> Iterator[str | None]:
        ids = (text.decode() for text in self._texts)
        if self._live is None:
            yield from ids
            return
        counts = np.zeros(self.size, dtype=np.bool_)
        counts[self._live] = True
        yield from (next(ids) if counted else None for counted in counts.tolist())


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
