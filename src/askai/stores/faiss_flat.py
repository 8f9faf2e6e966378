"""FAISS's flat inner-product index: exact, in one file, memory-mapped.

Beside the path given, whose suffix is replaced: `.faiss` and `.ids.json` (the id of each row).
FAISS finds the candidates and the oracle's arithmetic ranks them, so both stores return the same
ids, with the same scores, in the same order.

The vectors of a large corpus do not fit into memory while it is indexed. FAISS cannot append to a
file, so `write` puts rows behind the header that FAISS itself gives an index of so many.
"""

import struct
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np

from askai.embedders import Vector, Vectors
from askai.files import write_durably, writing_durably
from askai.stores import Batches
from askai.stores.exact import (
    best,
    checked_batch,
    checked_query,
    cosines,
    damaged,
    read_ids,
    write_ids,
)

# Above the rounding of a float32 sum over some thousand dimensions, in whatever order.
ROUNDING = 1e-5


class FaissFlatStore:
    """A row of the FAISS index for each id; see `askai.stores.Store`."""

    def __init__(self, path: Path, *, ids: list[str], index: Any, mapped: bool) -> None:
        self._path = path
        self._ids = ids
        self._row = {id_: row for row, id_ in enumerate(ids)}
        self._index = index
        self._mapped = mapped

    @classmethod
    def create(cls, path: Path, *, dim: int) -> Self:
        return cls(path, ids=[], index=_faiss().IndexFlatIP(dim), mapped=False)

    @classmethod
    def write(cls, path: Path, *, dim: int, batches: Batches) -> None:
        ids: list[str] = []
        with writing_durably(path.with_suffix(".faiss")) as file:
            file.write(_header(dim, 0))
            for some, vectors in batches:
                file.write(checked_batch(some, vectors, dim=dim).data)
                ids.extend(some)
            file.seek(0)
            file.write(_header(dim, len(ids)))
        if len(set(ids)) != len(ids):
            raise ValueError("An id is given twice.")
        write_ids(path, ids)

    @classmethod
    def open(cls, path: Path) -> Self:
        faiss = _faiss()
        file = path.with_suffix(".faiss")
        # The older IO_FLAG_MMAP is accepted for a flat index but reads it into memory.
        flag = getattr(faiss, "IO_FLAG_MMAP_IFC", 0)
        try:
            index = faiss.read_index(str(file), flag)
        except RuntimeError as error:
            raise damaged(file, str(error).split("\n")[0]) from error
        if not isinstance(index, faiss.IndexFlatIP):
            raise damaged(file, f"it is a {type(index).__name__}, not an IndexFlatIP")
        return cls(path, ids=read_ids(path, count=index.ntotal), index=index, mapped=flag != 0)

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        batch = checked_batch(ids, vectors, dim=self._index.d)
        self.delete(ids)
        self._unmap()
        self._index.add(batch)
        self._row.update((id_, row) for row, id_ in enumerate(ids, start=len(self._ids)))
        self._ids.extend(ids)

    def delete(self, ids: Iterable[str]) -> None:
        gone = {self._row[id_] for id_ in ids if id_ in self._row}
        if not gone:
            return
        self._unmap()
        # A flat index closes the gaps and keeps the order of its rows.
        self._index.remove_ids(_faiss().IDSelectorBatch(np.array(sorted(gone), dtype=np.int64)))
        self._ids = [id_ for row, id_ in enumerate(self._ids) if row not in gone]
        self._row = {id_: row for row, id_ in enumerate(self._ids)}

    def _unmap(self) -> None:
        """Copies a mapped index to memory: FAISS aborts the process on a write to a mapped one."""
        if self._mapped:
            copy = _faiss().IndexFlatIP(self._index.d)
            copy.add(self._index.reconstruct_n(0, self._index.ntotal))
            self._index, self._mapped = copy, False

    def vectors(self, ids: Sequence[str]) -> Vectors:
        rows = np.array([self._row[id_] for id_ in ids], dtype=np.int64)
        if not len(rows):
            return np.empty((0, self._index.d), dtype=np.float32)
        found: Vectors = self._index.reconstruct_batch(rows)
        return found

    def search(
        self, vector: Vector, k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        query = checked_query(vector, dim=self._index.d)
        rows = None
        if among is not None:
            rows = sorted({self._row[id_] for id_ in among if id_ in self._row})
        size = len(self._ids) if rows is None else len(rows)
        if min(k, size) <= 0:
            return []
        wanted = min(size, k + 16)
        while True:
            found = self._nearest(query, wanted, rows)
            scores = cosines(self._index.reconstruct_batch(found), query)
            ranked = best([self._ids[row] for row in found], scores, k)
            # What FAISS left out scores no more than the last candidate, give or take rounding.
            if wanted == size or ranked[-1][1] - scores.min() > ROUNDING:
                return ranked
            wanted = min(size, 4 * wanted)

    def _nearest(self, query: Vector, count: int, rows: list[int] | None) -> Any:
        """The rows of the `count` best by FAISS's own scores, among `rows` if given."""
        chosen = None
        if rows is not None:
            selector = _faiss().IDSelectorBatch(np.array(rows, dtype=np.int64))
            chosen = _faiss().SearchParameters(sel=selector)
        _, found = self._index.search(query[np.newaxis], count, params=chosen)
        return found[0]

    def __len__(self) -> int:
        return len(self._ids)

    def flush(self) -> None:
        # faiss.write_index drops the error of its last write, so a full disk would go unseen.
        content = _faiss().serialize_index(self._index)
        write_durably(self._path.with_suffix(".faiss"), content.data)
        write_ids(self._path, self._ids)

    def close(self) -> None:
        self._index, self._mapped = type(self._index)(self._index.d), False
        self._ids, self._row = [], {}


def _header(dim: int, count: int) -> bytes:
    """What FAISS writes before the rows of a flat index (`write_index`): kind, dimensions, rows,
    two numbers of old, whether trained, metric, and how many numbers follow.

    Raises RuntimeError when this FAISS writes it otherwise.
    """
    index = _faiss().IndexFlatIP(dim)
    index.add(np.zeros((1, dim), dtype=np.float32))
    written = _faiss().serialize_index(index).tobytes()[: -4 * dim]

    def header(rows: int) -> bytes:
        return struct.pack("<4siqqqBiq", b"IxFI", dim, rows, 1 << 20, 1 << 20, 1, 0, rows * dim)

    if written != header(1):
        raise RuntimeError(
            "This version of faiss writes its files in another way: install faiss-cpu 1.15.1."
        )
    return header(count)


def _faiss() -> Any:
    """The library, imported at first use: it takes longer than a command that needs no vectors."""
    return import_module("faiss")
