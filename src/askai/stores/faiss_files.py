"""Files of FAISS's flat inner-product index: written a batch at a time, read mapped.

The vectors of a large corpus do not fit into memory while it is indexed. FAISS cannot append to a
file, so rows are put behind the header that FAISS itself gives an index of so many.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askai.embedders import Vectors
from askai.files import writing_durably
from askai.stores import Batches
from askai.stores.exact import checked_batch, damaged

_READ = 8192  # vectors read at a time


def write_flat(file: Path, dim: int, batches: Batches) -> list[str | None]:
    """Writes an index of these batches; returns the ids of its rows."""
    ids: list[str | None] = []
    with writing_durably(file) as opened:
        opened.write(_header(dim, 0))
        for some, vectors in batches:
            opened.write(checked_batch(some, vectors, dim=dim).data)
            ids.extend(some)
        opened.seek(0)
        opened.write(_header(dim, len(ids)))
    return ids


def read_flat(file: Path) -> Any:
    """The index in a file, mapped; raises IndexDamaged."""
    return read_mapped(file, "IndexFlatIP")


def read_mapped(file: Path, kind: str) -> Any:
    """The FAISS index of this class in a file, only to be searched; raises IndexDamaged."""
    return _read(file, kind, mapping())


def read_whole(file: Path, kind: str) -> Any:
    """The FAISS index of this class in a file, in memory; raises IndexDamaged."""
    return _read(file, kind, 0)


def _read(file: Path, kind: str, flags: int) -> Any:
    try:
        index = faiss().read_index(str(file), flags)
    except RuntimeError as error:
        raise damaged(file, str(error).split("\n")[0]) from error
    if type(index).__name__ != kind:
        raise damaged(file, f"it is a {type(index).__name__}, not an {kind}")
    return index


def mapping() -> int:
    """The flag that has an index mapped; 0: this FAISS cannot."""
    # The older IO_FLAG_MMAP is accepted for a flat index but reads it into memory.
    return int(getattr(faiss(), "IO_FLAG_MMAP_IFC", 0))


def stored_batches(file: Path, ids: Sequence[str | None]) -> Batches:
    """What `write_flat` wrote."""
    with closing(RowFile(file, read_flat(file))) as vectors:
        for start, block in vectors.blocks():
            some = [id_ for id_ in ids[start : start + len(block)] if id_ is not None]
            yield some, block


def _header(dim: int, count: int) -> bytes:
    """What FAISS writes before the rows of a flat index (`write_index`): kind, dimensions, rows,
    two numbers of old, whether trained, metric, and how many numbers follow.

    Raises RuntimeError when this FAISS writes it otherwise.
    """
    index = faiss().IndexFlatIP(dim)
    index.add(np.zeros((1, dim), dtype=np.float32))
    written = faiss().serialize_index(index).tobytes()[: -4 * dim]

    def header(rows: int) -> bytes:
        return struct.pack("<4siqqqBiq", b"IxFI", dim, rows, 1 << 20, 1 << 20, 1, 0, rows * dim)

    if written != header(1):
        raise RuntimeError(
            "This version of faiss writes its files in another way: install faiss-cpu 1.15.1."
        )
    return header(count)


class RowFile:
    """Reads rows of a flat index's file, here and there or one block after the other.

    Of a mapped file the system maps many pages around each that is touched, so that after some
    hundred questions all vectors are resident.
    """

    def __init__(self, file: Path, index: Any) -> None:
        self._file = file.open("rb", buffering=0)
        self._index = index
        self.count, self.dim = int(index.ntotal), int(index.d)
        self._bytes = 4 * self.dim
        self._start = file.stat().st_size - self.count * self._bytes

    def read(self, rows: NDArray[np.int64]) -> Vectors:
        """The vectors of these rows, in their order, shape (n, dim)."""
        pread = getattr(os, "pread", None)
        if pread is None:  # Windows
            mapped: Vectors = self._index.reconstruct_batch(rows)
            return mapped
        descriptor, size, start = self._file.fileno(), self._bytes, self._start
        content = b"".join([pread(descriptor, size, start + size * row) for row in rows.tolist()])
        return np.frombuffer(content, np.float32).reshape(len(rows), self.dim)

    def many(self, rows: NDArray[np.int64]) -> Vectors:
        """`read` of so many rows that their vectors should not be held twice."""
        found = np.empty((len(rows), self.dim), dtype=np.float32)
        for at in range(0, len(rows), _READ):
            found[at : at + _READ] = self.read(rows[at : at + _READ])
        return found

    def blocks(self) -> Iterator[tuple[int, Vectors]]:
        """All vectors in their order, a few at a time, each time with the row of the first."""
        with Path(self._file.name).open("rb") as file:
            file.seek(self._start)
            for start in range(0, self.count, _READ):
                count = min(_READ, self.count - start)
                block = np.fromfile(file, np.float32, count * self.dim)
                yield start, block.reshape(count, self.dim)

    def close(self) -> None:
        self._file.close()


@contextmanager
def one_thread() -> Iterator[None]:
    """For a single question, whose threads would wait for each other where there is other work."""
    before = faiss().omp_get_max_threads()
    faiss().omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss().omp_set_num_threads(before)


def faiss() -> Any:
    """The library, imported at first use: it takes longer than a command that needs no vectors."""
    return import_module("faiss")
