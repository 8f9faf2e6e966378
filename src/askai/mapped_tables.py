"""Tables made of a file once, and mapped into memory from then on.

A tokenizer of 250,000 pieces takes half a second to parse and a dictionary of 120,000 words as
long, of which a question needs a few dozen. Made into sorted arrays in askai's cache they cost
nothing to open, and only the pages that are looked at are ever read.

    $ASKAI_CACHE/tables/NAME-1a2b3c4d5e6f7081.bin    arrays, each at a multiple of 64 bytes
    $ASKAI_CACHE/tables/NAME-1a2b3c4d5e6f7081.json   what they were made of, and their checksum

The second is written last. A cache that cannot be written costs the time and nothing else.

A part of an index keeps its tables in one file, whose checksum is in the manifest: `write_tables`.
"""

import json
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b, sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askai.files import cache_dir, stamped_sha256, write_durably, writing_durably

Tables = Mapping[str, NDArray[Any]]  # by name; not to be written to

_ALIGNED = 64  # bytes
_MARK = b"askai/t1"  # a file of `write_tables` begins with it
_FEW, _REMEMBERED = 2048, 32_768  # texts
_HEADER = struct.Struct("<8sQ")  # that, and the bytes of the layout as JSON


class MappedTexts:
    """Where each of many distinct texts stands among them, by tables that `tables` made."""

    def __init__(self, tables: Tables) -> None:
        self._hashes, self._rows = tables["hashes"], tables["rows"]
        self._ends, self._texts = tables["ends"], tables["texts"]
        # A single number or a few bytes come out of a view in a tenth of NumPy's time.
        self._end, self._text = self._ends.data, self._texts.data
        self._places: dict[bytes, int] = {}  # of texts that were asked for

    @staticmethod
    def tables(texts: Iterable[bytes]) -> Tables:
        """Raises ValueError when two texts have one hash of 64 bits, as the same one twice has.

        The texts are passed over once and not held: a store has a million of them.
        """
        hashed, ends, whole = array("Q"), array("q", [0]), bytearray()
        for text in texts:
            hashed.append(_hash(text))
            whole += text
            ends.append(len(whole))
        hashes = np.frombuffer(hashed, np.uint64)
        order = np.argsort(hashes)
        if (np.diff(hashes[order]) == 0).any():
            raise ValueError("two texts have one hash")
        return {
            "hashes": hashes[order],
            "rows": order.astype(np.int32),
            "ends": np.frombuffer(ends, np.int64),
            "texts": np.frombuffer(whole, np.uint8),
        }

    def check(self) -> None:
        """Raises ValueError when the tables cannot belong together, as far as can be told without
        reading them."""
        kinds = [table.dtype for table in (self._hashes, self._rows, self._ends, self._texts)]
        sizes = [len(self._hashes), len(self._ends) - 1, len(self._texts)]
        ends = [len(self), len(self), int(self._ends[-1]) if len(self._ends) else -1]
        if kinds != [np.uint64, np.int32, np.int64, np.uint8] or sizes != ends:
            raise ValueError("its tables do not belong together")

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[bytes]:
        """Every text, in order of place."""
        whole, ends = self._texts.tobytes(), self._ends.tolist()
        return (whole[start:end] for start, end in pairwise(ends))

    def __getitem__(self, row: int) -> bytes:
        return bytes(self._text[self._end[row] : self._end[row + 1]])

    def rows(self, texts: Sequence[bytes]) -> list[int]:
        """The place of each text; -1 for one that is not among them. Those of a question, which are
        few, are remembered: the next one asks for many of them again."""
        if len(texts) > _FEW:
            return self._looked_up(texts)
        if len(self._places) > _REMEMBERED:
            self._places = {}
        places = self._places  # of its own, should another thread begin a new one
        if new := [text for text in texts if text not in places]:
            places.update(zip(new, self._looked_up(new), strict=True))
        return [places[text] for text in texts]

    def _looked_up(self, texts: Sequence[bytes]) -> list[int]:
        if not len(self) or not texts:
            return [-1] * len(texts)
        wanted = np.array([_hash(text) for text in texts], dtype=np.uint64)
        places = np.minimum(np.searchsorted(self._hashes, wanted), len(self) - 1)
        rows = np.where(self._hashes[places] == wanted, self._rows[places], -1).tolist()
        return [
            row if row >= 0 and self[row] == text else -1
            for row, text in zip(rows, texts, strict=True)
        ]


def _hash(text: bytes) -> int:
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def tables_of(
    source: Path,
    *,
    name: str,
    version: int,
    make: Callable[[Path], Tables],
    cache: Path | None = None,
) -> Tables:
    """What `make` gives for `source`, from the cache where it was made before.

    Another content of `source`, another `version` of `make` and damaged tables are each made anew;
    whatever `make` raises goes on. Processes that make the same tables at once both succeed.
    """
    made_of = stamped_sha256(source, cache)
    key = sha256(f"{version} {made_of}".encode()).hexdigest()[:16]
    path = (cache or cache_dir()) / "tables" / f"{name}-{key}.bin"
    with suppress(OSError, ValueError, KeyError, TypeError):
        return _mapped(path, cache)
    tables = make(source)
    with suppress(OSError, ValueError):  # none, or what another process is just writing
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, tables)
        return _mapped(path, cache)
    return tables


def _write(path: Path, tables: Tables) -> None:
    parts: list[bytes] = []
    layout: dict[str, list[Any]] = {}
    at = 0
    for name, values in tables.items():
        content = np.ascontiguousarray(values).tobytes()
        layout[name] = [values.dtype.str, list(values.shape), at]
        parts += [content, bytes(-len(content) % _ALIGNED)]
        at += len(content) + len(parts[-1])
    whole = b"".join(parts)
    write_durably(path, whole, shared=True)
    record = {"sha256": sha256(whole).hexdigest(), "layout": layout}
    write_durably(path.with_suffix(".json"), json.dumps(record), shared=True)


def _mapped(path: Path, cache: Path | None) -> Tables:
    """Raises OSError, ValueError, KeyError or TypeError where there are none, or damaged ones."""
    record = json.loads(path.with_suffix(".json").read_text("utf-8"))
    if record["sha256"] != stamped_sha256(path, cache):
        raise ValueError(f"{path} is damaged")
    whole = np.memmap(path, np.uint8, mode="r").view(np.ndarray)
    return _arrays(whole, record["layout"])


def write_tables(path: Path, tables: Tables, *, kind: str) -> None:
    """Writes a file that `read_tables` maps; `kind` says what it is of."""
    arrays = {name: np.ascontiguousarray(values) for name, values in tables.items()}
    layout: dict[str, list[Any]] = {}
    end = 0
    for name, values in arrays.items():
        layout[name] = [values.dtype.str, list(values.shape), end]
        end += values.nbytes + -values.nbytes % _ALIGNED
    header = json.dumps({"kind": kind, "bytes": end, "layout": layout}).encode()
    with writing_durably(path) as file:
        file.write(_HEADER.pack(_MARK, len(header)) + header)
        file.write(bytes(-file.tell() % _ALIGNED))
        for values in arrays.values():
            file.write(values.reshape(-1).view(np.uint8).data)
            file.write(bytes(-values.nbytes % _ALIGNED))


def read_tables(path: Path, *, kind: str) -> Tables:
    """Maps what `write_tables` wrote, without looking at the arrays themselves.

    Raises OSError, or ValueError, KeyError or TypeError for a file that is not of this kind and
    size.
    """
    whole = np.memmap(path, np.uint8, mode="r").view(np.ndarray)
    if len(whole) < _HEADER.size:
        raise ValueError("it is cut short")
    mark, length = _HEADER.unpack(whole[: _HEADER.size].tobytes())
    if mark != _MARK:
        raise ValueError("it holds no tables")
    start = _HEADER.size + length
    header = json.loads(whole[_HEADER.size : start].tobytes())
    start += -start % _ALIGNED
    if header["kind"] != kind or len(whole) != start + header["bytes"]:
        raise ValueError(f"it holds {header['kind']!r} in {len(whole)} bytes")
    return _arrays(whole[start:], header["layout"])


def _arrays(whole: NDArray[np.uint8], layout: Mapping[str, Any]) -> Tables:
    tables: dict[str, NDArray[Any]] = {}
    for name, (kind, shape, at) in layout.items():
        dtype = np.dtype(kind)
        size = dtype.itemsize * int(np.prod(shape))
        tables[name] = whole[at : at + size].view(dtype).reshape(shape)
    return tables
