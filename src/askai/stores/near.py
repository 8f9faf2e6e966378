"""An inverted file beside the vectors of a large store: it proposes, the vectors themselves decide.

Searching a million vectors reads 1.5 GB. Here they lie in lists, each around a centre (k-means over
a sample), with one bit of each number (RaBitQ: Gao and Long 2024, arXiv:2405.12497); a question
looks into the lists of the nearest centres, and of the best by those bits the store computes the
exact cosines. FAISS maps the lists, so that opening does not read them.

How many lists a question looks into is found out when the file is made: the fewest with which a
sample of questions finds what a search through all finds. The sample is made of stored vectors, so
that it needs no model. If no number of lists is enough there is no such file, and all vectors are
searched as before.

It is made from the file of the vectors a block at a time: all of them may be more than fits into
memory, and the pages of a mapped file count as memory that the process uses.

An update that writes the vectors of a store anew takes the lists over from the earlier one, until
there are several times as many; and where recall was not enough it is not tried again until then.

Beside the vectors: `.near.faiss`, and `.near.json` with what was measured.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from askai.embedders import Vector, Vectors
from askai.files import link_or_copy, write_durably, writing_durably
from askai.stores import Found, Rows, Scores
from askai.stores.exact import cosines, damaged
from askai.stores.faiss_files import RowFile, faiss, one_thread, read_flat, read_mapped
from askai.stores.inverted import CLASS, built, sample_of, taken_over

# Vectors above which the file is made. See docs/growth.md for the crossing points.
LEAST = 20_000
KIND = "inverted file"
_SEED = 20_262
_SAMPLE = 200  # questions that recall is measured by
_K = 10
_GROWTH = 2.0  # times as many vectors as the centres were found for: then they are found anew
_AIM, _ENOUGH = 0.99, 0.97  # recall@10
_PROBES = (8, 16, 32, 48, 64, 96, 128, 192, 256)  # lists looked into
_PROPOSED = 20  # candidates for each that is wanted …
_FEWEST = 1000  # … and at least so many
_FIRST = 200  # of them scored whatever the bits say of the others
_SLACK = 3.0  # standard deviations between what the bits say and the cosine
_QUERY_BITS = 4  # of each number of a question

_FAISS, _JSON = ".near.faiss", ".near.json"


@dataclass(frozen=True, slots=True)
class Before:
    """A flat index that another one goes on from."""

    path: Path  # of its store
    rows: Rows  # for each vector of the other the row that it had; -1 for a new one


@dataclass(frozen=True, slots=True)
class _Measured:
    """What `.near.json` holds."""

    vectors: int
    probes: int
    recall: float
    sample: int
    trained: int = 0  # vectors that its centres were found for
    bytes: int = 0  # of the other file; FAISS maps one that is cut short without a word


class Near:
    """Proposes rows of the flat index that it was made of."""

    def __init__(self, index: Any, measured: _Measured) -> None:
        self._index = index
        self._measured = measured

    @classmethod
    def write(cls, path: Path, flat: Path, before: Before | None = None) -> None:
        """Makes the files beside `path` for the flat index in the file `flat`, if it is large and
        recall is high enough; raises IndexDamaged when those `before` cannot be read."""
        with closing(RowFile(flat, read_flat(flat))) as vectors:
            if vectors.count < LEAST:
                return
            index, measured = _made(vectors, before)
        if measured.recall >= _ENOUGH:
            # faiss.write_index to a name drops the error of its last write, so a full disk would
            # go unseen; and serialize_index holds all of it once more.
            with writing_durably(path.with_suffix(_FAISS)) as file:
                faiss().write_index(index, faiss().PyCallbackIOWriter(file.write))
                measured = replace(measured, bytes=file.tell())
        write_durably(path.with_suffix(_JSON), json.dumps(asdict(measured)))

    @classmethod
    def link(cls, earlier: Path, path: Path) -> None:
        """Takes over what was made for a flat index that is taken over."""
        for suffix in (_FAISS, _JSON):
            if (file := earlier.with_suffix(suffix)).exists():
                link_or_copy(file, path.with_suffix(suffix))

    @classmethod
    def remove(cls, path: Path) -> None:
        for suffix in (_FAISS, _JSON):
            path.with_suffix(suffix).unlink(missing_ok=True)

    @classmethod
    def open(cls, path: Path, vectors: Any) -> "Self | None":
        """What was made for this flat index, if anything was; raises IndexDamaged."""
        measured = _read(path)
        if measured is None or measured.recall < _ENOUGH:
            return None
        file = path.with_suffix(_FAISS)
        size = file.stat().st_size if file.exists() else 0
        if size != measured.bytes:
            raise damaged(file, f"it has {size} bytes, expected {measured.bytes}")
        index = read_mapped(file, CLASS)
        if (index.ntotal, index.d) != (vectors.ntotal, vectors.d):
            raise damaged(file, f"it is of {index.ntotal} vectors")
        return cls(index, measured)

    def scored(
        self, query: Vector, k: int, only: Any, cosines: Callable[[Rows], Scores]
    ) -> tuple[Rows, Scores]:
        """The rows that the best k may be among, with what `cosines` gives for them; `only` is
        FAISS's selector of some, or None.

        Of the proposed ones the first are scored, and of the others those that may still be among
        the best by what the bits say and by how far off they were for the first.
        """
        count = max(_FEWEST, _PROPOSED * k)
        parameters = _parameters(self._measured.probes)
        if only is not None:
            parameters.sel = only
        found = self._index.search(query[np.newaxis], count, params=parameters)
        rows: Rows = found[1][0][found[1][0] >= 0]
        guesses = found[0][0][: len(rows)]
        first = max(_FIRST, 2 * k)
        scores = cosines(rows[:first])
        if len(rows) <= first:
            return rows, scores
        least = np.partition(scores, -k)[-k] - _SLACK * np.std(scores - guesses[:first])
        more = rows[first:][guesses[first:] >= least]
        return np.concatenate([rows[:first], more]), np.concatenate([scores, cosines(more)])


def found_by(path: Path, count: int) -> Found:
    """How a store finds what it holds; raises IndexDamaged."""
    measured = _read(path)
    if measured is None:
        return Found("flat", count, 1.0, 0)
    if measured.recall < _ENOUGH:
        return Found("flat", count, 1.0, measured.sample)
    return Found(KIND, count, measured.recall, measured.sample)


def _read(path: Path) -> _Measured | None:
    file = path.with_suffix(_JSON)
    try:
        value = json.loads(file.read_bytes())
        measured = _Measured(**value)
    except FileNotFoundError:
        if path.with_suffix(_FAISS).exists():
            raise damaged(file, "it is not there") from None
        return None
    except (OSError, ValueError, TypeError) as error:
        raise damaged(file, str(error)) from error
    if [type(number) for number in asdict(measured).values()] != [int, int, float, int, int, int]:
        raise damaged(file, f"it holds {value}")
    return measured


def _made(vectors: RowFile, before: Before | None) -> tuple[Any, _Measured]:
    if before is not None and (was := _read(before.path)) is not None:
        few = vectors.count <= _GROWTH * was.trained
        if few and was.recall < _ENOUGH:
            return None, replace(was, vectors=vectors.count)
        if few:
            index = taken_over(before.path.with_suffix(_FAISS), before.rows, vectors)
            measured = _measure(index, vectors, least=was.probes)
            if measured.recall >= _ENOUGH:
                return index, replace(measured, trained=was.trained)
    index = built(vectors)
    return index, _measure(index, vectors)


def _measure(index: Any, vectors: RowFile, *, least: int = 0) -> _Measured:
    """How much of what all vectors give is found, with the fewest lists, but at `least` so many,
    that do."""
    asked = _questions(vectors)
    truth = _nearest(asked, vectors)
    recall, probes = 0.0, 0
    for probes in (number for number in _PROBES if number >= least):
        found = Near(index, _Measured(vectors.count, probes, 0.0, len(asked), 0))
        recall = float(np.mean([*_shares(found, vectors, asked, truth)]))
        if recall >= _AIM:
            break
    return _Measured(vectors.count, probes, round(recall, 4), len(asked), vectors.count)


def _nearest(asked: Vectors, vectors: RowFile) -> Rows:
    """The rows of the best for each of `asked`, of all, in any order: shape (n, _K)."""
    rows = np.empty((len(asked), 0), dtype=np.int64)
    scores = np.empty((len(asked), 0), dtype=np.float32)
    for start, block in vectors.blocks():
        here = np.arange(start, start + len(block))[np.newaxis]
        rows = np.concatenate([rows, np.repeat(here, len(asked), axis=0)], axis=1)
        scores = np.concatenate([scores, asked @ block.T], axis=1)  # in a third of faiss.knn's time
        highest = np.argpartition(-scores, min(_K, scores.shape[1]) - 1, axis=1)[:, :_K]
        scores = np.take_along_axis(scores, highest, axis=1)
        rows = np.take_along_axis(rows, highest, axis=1)
    return rows


def _shares(near: Near, vectors: RowFile, asked: Vectors, truth: Rows) -> Iterator[float]:
    for query, wanted in zip(asked, truth, strict=True):
        with one_thread():
            rows, scores = near.scored(query, _K, None, partial(_cosines, vectors, query))
        best = rows[np.argsort(-scores, kind="stable")[:_K]]
        yield len(set(best.tolist()) & set(wanted.tolist())) / len(wanted)


def _cosines(vectors: RowFile, query: Vector, rows: Rows) -> Scores:
    return cosines(vectors.read(rows), query) if len(rows) else np.empty(0, np.float32)


def _questions(vectors: RowFile) -> Vectors:
    random = np.random.default_rng(_SEED)
    return questions_of(sample_of(vectors, 2 * _SAMPLE, random), random)


def questions_of(some: Vectors, random: np.random.Generator) -> Vectors:
    """Half as many as stored vectors are given: near to one, or amid three, as a question often
    lies between what answers it and what does not. Blurred vectors alone promised .99 where
    questions found .85 (docs/growth.md)."""
    half = len(some) // 4
    noise = random.standard_normal((half, some.shape[1]), dtype=np.float32) / some.shape[1] ** 0.5
    amid = some[half : 2 * half] + some[2 * half : 3 * half] + some[3 * half : 4 * half]
    asked = np.concatenate([some[:half] + noise, amid])
    asked /= np.maximum(np.linalg.norm(asked, axis=1, keepdims=True), 1e-12)
    return asked.astype(np.float32)


def _parameters(probes: int) -> Any:
    found = faiss().IVFRaBitQSearchParameters()
    found.nprobe, found.qb = probes, _QUERY_BITS
    return found
