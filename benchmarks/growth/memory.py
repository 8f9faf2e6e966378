"""How much memory the writing of a store takes, in a process of its own.

The vectors are made a batch at a time, of length 1 and in all directions: there the inverted file
finds the least, so that its making goes the whole way, with every number of lists.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from askai.embedders import Vectors
from askai.seams import load
from askai.stores import STORES

DIM = 384
_BATCH = 5_000


def measured(work: Path, name: str, count: int) -> dict[str, str]:
    """The figures of one store of one size."""
    work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.growth.memory", str(work), name, str(count)]
    start = time.perf_counter()
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    before, after = out.split()
    seconds = time.perf_counter() - start
    return {
        "store": name,
        "count": str(count),
        "before_mb": before,
        "peak_mb": after,
        "wall_s": f"{seconds:.0f}",
    }


def _batches(count: int) -> Iterator[tuple[list[str], Vectors]]:
    random = np.random.default_rng(1)
    for start in range(0, count, _BATCH):
        ids = [f"{row:016x}" for row in range(start, min(start + _BATCH, count))]
        vectors = random.standard_normal((len(ids), DIM), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        yield ids, vectors


def _peak() -> str:
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6:.0f}"


def main() -> None:
    work, name, count = sys.argv[1:]
    store = load("store", STORES, name)
    if name == "faiss":
        import faiss  # noqa: F401, PLC0415  its libraries are no part of what grows
    before = _peak()
    with TemporaryDirectory(dir=work) as folder:
        store.write(Path(folder) / "units.faiss", dim=DIM, batches=_batches(int(count)))
    sys.stdout.write(f"{before} {_peak()}\n")


if __name__ == "__main__":
    main()
