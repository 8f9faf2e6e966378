"""An embedder that writes down what it embeds, so that no passage is embedded twice.

A file of records, one after the other: SHA-256 of the text (32 bytes), vector (dim float32,
little endian), CRC-32 of both. A record that a killed process left unfinished, and all behind it,
is cut off. Several processes may add to a file, each under its lock.
"""

import hashlib
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from askai.embedders import Embedder, Vector, Vectors, queries

_READ = 1 << 12  # records at a time


class RememberingEmbedder:
    """See `askai.embedders.Embedder`; for one thread."""

    def __init__(self, embedder: Embedder, path: Path) -> None:
        """`path` is created when the first vector is written; its name gets the fingerprint."""
        self._embedder = embedder
        mark = hashlib.sha256(embedder.fingerprint.encode()).hexdigest()[:12]
        self.path = path.with_name(f"{path.name}-{mark}")
        self._record = np.dtype(
            [("text", "V32"), ("vector", "<f4", (embedder.dim,)), ("crc", "<u4")]
        )
        self._rows: dict[bytes, int] | None = None  # record by SHA-256, once the file was read

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dim(self) -> int:
        return self._embedder.dim

    @property
    def max_tokens(self) -> int:
        return self._embedder.max_tokens

    @property
    def fingerprint(self) -> str:
        return self._embedder.fingerprint

    def embed_query(self, text: str) -> Vector:
        return self._embedder.embed_query(text)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (n, dim); only of texts that are new the embedder is asked."""
        return self._remembered(texts, "", self._embedder.embed_passages)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (n, dim) of questions, remembered apart from passages."""
        return self._remembered(texts, "\0query\0", lambda new: queries(new, self._embedder))

    def _remembered(
        self, texts: Sequence[str], role: str, embed: Callable[[Sequence[str]], Vectors]
    ) -> Vectors:
        if self._rows is None:
            self._rows = self._read()
        written = (f"{role}{text}".encode("utf-8", "surrogatepass") for text in texts)
        keys = [hashlib.sha256(text).digest() for text in written]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._rows}
        if new:
            self._append(list(new), embed(list(new.values())))
        if not keys:
            return np.empty((0, self.dim), dtype=np.float32)
        known = np.memmap(self.path, dtype=self._record, mode="r")
        rows = [self._rows[key] for key in keys]
        return np.ascontiguousarray(known["vector"][rows], dtype=np.float32)

    def _append(self, keys: list[bytes], vectors: Vectors) -> None:
        records = np.zeros(len(keys), dtype=self._record)
        records["text"] = np.array(keys, dtype="V32")
        records["vector"] = vectors
        records["crc"] = [_crc(record.tobytes()) for record in records]
        with self._lock(), self.path.open("ab") as file:
            first = file.tell() // self._record.itemsize  # others may have written meanwhile
            file.write(records.tobytes())
        if self._rows is not None:
            self._rows.update((key, row) for row, key in enumerate(keys, start=first))

    def _read(self) -> dict[bytes, int]:
        """The place of each record; cuts off what is not whole."""
        rows: dict[bytes, int] = {}
        size = self._record.itemsize
        if not self.path.exists():
            return rows
        with self._lock(), self.path.open("rb+") as file:
            row = 0
            while block := file.read(_READ * size):
                for start in range(0, len(block), size):
                    record = block[start : start + size]
                    if len(record) < size or record[-4:] != _crc(record).to_bytes(4, "little"):
                        file.truncate(row * size)
                        return rows
                    rows[record[:32]] = row
                    row += 1
        return rows

    def forget(self) -> None:
        """Deletes what was written down, with this model or another one."""
        stem = self.path.name.rpartition("-")[0]
        for file in self.path.parent.glob(f"{stem}-*"):
            file.unlink(missing_ok=True)
        self._rows = None

    def _lock(self) -> FileLock:
        return FileLock(self.path.with_name(f"{self.path.name}.lock"))


def _crc(record: bytes) -> int:
    """Of a record, without its last four bytes."""
    return zlib.crc32(record[:-4])
