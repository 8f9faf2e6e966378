"""What opening, searching, building and memory cost a store of so many vectors.

Each size is built in a process of its own and searched in another one, so that neither's memory
counts as the other's. Truth is what NumPy finds by all cosines.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from askai.embedders import Vectors
from askai.seams import load
from askai.stores import STORES
from benchmarks.growth.vectors import made, real

K = 10
SECONDS = 20  # of warm questions at most, in turns of both kinds
MOVED = 200  # stored vectors that are asked for, moved by noise as long as they are


class Case(NamedTuple):
    """What a process is told."""

    bench: str
    work: str
    name: str
    size: str
    folder: str

    @property
    def truth(self) -> Path:
        return Path(self.work, f"truth-{self.size}.npz")


def measured(bench: Path, work: Path, name: str, count: int) -> dict[str, Any]:
    """The figures of one store of one size."""
    folder = work / "stores" / f"{name}-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    arguments = (str(bench), str(work), name, str(count), str(folder))
    built = _process("build", *arguments)
    asked = [_process("ask", *arguments) for _ in range(3)]
    middle = sorted(asked, key=lambda one: one["shell_s"])[1]
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    return {"store": name, "count": count, **built, **middle, "size_mb": round(size, 1)}


def _process(what: str, *arguments: str) -> dict[str, Any]:
    start = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.growth.stores", what, *arguments]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(out)
    if what == "ask":  # what a command would wait for: the start, the opening, the first search
        found["shell_s"] = round(found.pop("answered_at") - start, 3)
    return found


def batches(sentences: Vectors, count: int) -> Iterator[tuple[Sequence[str], Vectors]]:
    """With ids as long as those of an index."""
    at = 0
    for some in made(sentences, count):
        yield [f"{n * 2654435761 % 2**80:020x}:{n % 8}" for n in range(at, at + len(some))], some
        at += len(some)


def _build(case: Case) -> dict[str, Any]:
    sentences, questions = real(Path(case.bench), Path(case.work))
    kind, count = load("store", STORES, case.name), int(case.size)
    start = time.perf_counter()
    file, dim = Path(case.folder, "v.faiss"), sentences.shape[1]
    kind.write(file, dim=dim, batches=batches(sentences, count))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    asked = np.concatenate([questions, _moved(sentences, count)])
    _truth(case.truth, sentences, count, asked)
    return {"build_s": round(seconds, 1), "build_mb": round(peak)}


def _moved(sentences: Vectors, count: int) -> Vectors:
    """Stored vectors with noise: what is asked lies near something that is there."""
    some = next(made(sentences, count))[:MOVED]
    random = np.random.default_rng(7)
    noise = random.standard_normal(some.shape, dtype=np.float32) / some.shape[1] ** 0.5
    moved = some + noise
    asked: Vectors = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return asked


def _truth(file: Path, sentences: Vectors, count: int, asked: Vectors) -> None:
    """The ids of the best by all cosines, kept since they do not depend on the store."""
    if file.exists():
        return
    ids: list[str] = []
    best = np.full((len(asked), K), -2, np.float32)
    rows = np.zeros((len(asked), K), np.int64)
    for some, vectors in batches(sentences, count):
        scores = np.concatenate([best, asked @ vectors.T], axis=1)
        places = np.concatenate(
            [rows, np.broadcast_to(np.arange(len(some)) + len(ids), (len(asked), len(some)))], 1
        )
        top = np.argpartition(-scores, K - 1, axis=1)[:, :K]
        best, rows = np.take_along_axis(scores, top, 1), np.take_along_axis(places, top, 1)
        ids += some
    np.savez(file, asked=asked, ids=np.array(ids)[rows])


def _ask(case: Case) -> dict[str, Any]:
    with np.load(case.truth) as stored:
        asked, truth = stored["asked"], stored["ids"]
    kind = load("store", STORES, case.name)
    start = time.perf_counter()
    store = kind.open(Path(case.folder, "v.faiss"))
    opened = time.perf_counter()
    store.search(asked[0], K)
    answered = time.perf_counter()
    times, shares = [], []
    order = np.random.default_rng(0).permutation(len(asked))
    for n in order:
        begin = time.perf_counter()
        found = store.search(asked[n], K)
        times.append(time.perf_counter() - begin)
        shared = len({id_ for id_, _ in found} & set(truth[n].tolist())) / K
        shares.append((n < len(asked) - MOVED, shared))
        if sum(times) > SECONDS:
            break
    resident = _resident()
    store.close()
    return {
        "open_ms": round((opened - start) * 1e3, 1),
        "first_ms": round((answered - opened) * 1e3, 1),
        "answered_at": answered,
        "warm_ms": round(float(np.median(times)) * 1e3, 2),
        "p95_ms": round(float(np.quantile(times, 0.95)) * 1e3, 2),
        "recall_questions": _mean(share for real, share in shares if real),
        "recall_moved": _mean(share for real, share in shares if not real),
        "resident_mb": round(resident),
    }


def _mean(shares: Iterable[float]) -> float:
    return round(float(np.mean(list(shares))), 4)


def _resident() -> float:
    """MB of this process now, mapped pages included."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1e3


if __name__ == "__main__":
    run = {"build": _build, "ask": _ask}[sys.argv[1]]
    sys.stdout.write(json.dumps(run(Case(*sys.argv[2:]))))
