"""Kinds of FAISS indexes that could propose candidates, beside searching all: where they cross.

Each proposes candidates of which the exact cosines are computed with the vectors themselves, as the
store does; so recall is of the candidates alone.
"""

import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from askai.embedders import Vectors
from benchmarks.growth.vectors import made, real

faiss: Any = import_module("faiss")
K, CANDIDATES = 10, 200
_SAMPLE = 64  # vectors of each list that the centres are found by
_QUESTIONS = 300
_SEARCHES = {"hnsw-sq8": (32, 64, 128, 256)}
_PROBES = (8, 16, 32, 64, 128)


def measured(bench: Path, work: Path, sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    sentences, questions = real(bench, work)
    for count in sizes:
        vectors = np.concatenate(list(made(sentences, count)))
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(vectors)
        truth, times = _timed(lambda asked, flat=flat: flat.search(asked, K)[1][0], questions)
        yield {"count": count, "kind": "flat", "warm_ms": times}
        for kind in ("ivf-rabitq", "ivf-sq8", "hnsw-sq8"):
            if kind == "hnsw-sq8" and count > 200_000:
                continue
            yield from _kind(kind, vectors, questions, truth)


def _kind(kind: str, vectors: Vectors, questions: Vectors, truth: Any) -> Iterator[dict[str, Any]]:
    start = time.perf_counter()
    index = _built(kind, vectors)
    seconds = time.perf_counter() - start
    size = len(faiss.serialize_index(index)) / 1e6
    for effort in _SEARCHES.get(kind, _PROBES):

        def search(asked: Vectors, effort: int = effort) -> Any:
            rows = index.search(asked, CANDIDATES, params=_parameters(kind, effort))[1][0]
            rows = rows[rows >= 0]
            return rows[np.argsort(-(vectors[rows] @ asked[0]))[:K]]

        found, warm = _timed(search, questions)
        shares = [len(set(a) & set(b)) / K for a, b in zip(found, truth, strict=True)]
        yield {
            "count": len(vectors), "kind": kind, "effort": effort, "build_s": round(seconds, 1),
            "size_mb": round(size, 1), "warm_ms": warm, "recall": round(float(np.mean(shares)), 4),
        }  # fmt: skip


def _built(kind: str, vectors: Vectors) -> Any:
    dim, metric = vectors.shape[1], faiss.METRIC_INNER_PRODUCT
    if kind == "hnsw-sq8":
        index = faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_8bit, 32, metric)
        index.hnsw.efConstruction = 80
        index.train(vectors[:: max(1, len(vectors) // 20_000)])
    else:
        lists = int(2 * len(vectors) ** 0.5)
        name = {"ivf-rabitq": "RaBitQ", "ivf-sq8": "SQ8"}[kind]
        index = faiss.index_factory(dim, f"IVF{lists},{name}", metric)
        sample = np.random.default_rng(0).permutation(len(vectors))[: _SAMPLE * lists]
        index.cp.niter = 8
        index.train(vectors[np.sort(sample)])
    index.add(vectors)
    return index


def _parameters(kind: str, effort: int) -> Any:
    if kind == "hnsw-sq8":
        return faiss.SearchParametersHNSW(efSearch=max(effort, CANDIDATES))
    if kind == "ivf-rabitq":
        found = faiss.IVFRaBitQSearchParameters()
        found.nprobe, found.qb = effort, 8
        return found
    return faiss.SearchParametersIVF(nprobe=effort)


def _timed(search: Any, questions: Vectors) -> tuple[list[Any], float]:
    """What is found for each question, and the median of milliseconds."""
    found, times = [], []
    for question in questions[:_QUESTIONS]:
        start = time.perf_counter()
        found.append(search(question[np.newaxis]))
        times.append(time.perf_counter() - start)
    return found, round(float(np.median(times)) * 1e3, 2)
