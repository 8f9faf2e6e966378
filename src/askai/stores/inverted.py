"""The lists of an inverted file: made of all vectors, or taken over from an earlier one.

They lie around centres, found by k-means over a sample, with one bit of each number of a vector
(RaBitQ: Gao and Long 2024, arXiv:2405.12497).
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askai.embedders import Vectors
from askai.stores import Rows
from askai.stores.exact import damaged
from askai.stores.faiss_files import RowFile, faiss, read_whole

CLASS = "IndexIVFRaBitQ"
_LISTS = 2.0  # for each square root of the number of vectors
_TRAINED_BY = 64  # vectors of the sample for each list …
_MOST_TRAINED = 200_000_000  # … and of all of them so many bytes
_ROUNDS = 8  # of k-means
_SEED = 20_261
_ADDED = 8192  # vectors at a time


def built(vectors: RowFile) -> Any:
    """The same for the same vectors, on one machine."""
    lists = int(_LISTS * vectors.count**0.5)
    metric = faiss().METRIC_INNER_PRODUCT
    index = faiss().index_factory(vectors.dim, f"IVF{lists},RaBitQ", metric)
    index.cp.niter, index.cp.seed = _ROUNDS, _SEED
    index.cp.min_points_per_centroid = 1  # for fewer than 39 it would warn on stderr
    count = min(_TRAINED_BY * lists, _MOST_TRAINED // (4 * vectors.dim))
    sample = sample_of(vectors, count, np.random.default_rng(_SEED))
    # Not index.train, which then makes the residuals of the sample, for bits that need no training.
    index.train_q1(len(sample), faiss().swig_ptr(sample), False, metric)  # noqa: FBT003
    index.is_trained = True
    del sample
    for _, block in vectors.blocks():
        index.add(block)
    return index


def taken_over(file: Path, rows: Rows, vectors: RowFile) -> Any:
    """The lists in `file` for these vectors: `rows` has the row that each was in before, -1 for one
    that is new and is put into the lists that there are.

    To find centres and to fill lists takes minutes for a million vectors, and to renumber what was
    filled a second. A vector is in the same list with the same bits, whatever its row. Raises
    IndexDamaged.
    """
    index = read_whole(file, CLASS)
    try:
        lists, codes = _by_row(index)
    except IndexError as error:
        raise damaged(file, str(error)) from error
    index.reset()
    (known,) = np.nonzero(rows >= 0)
    there = lists[rows[known]]
    order = np.argsort(there, kind="stable")
    ends = np.searchsorted(there[order], np.arange(index.nlist), side="right")
    for number, few in enumerate(np.split(known[order], ends[:-1])):
        if len(few):
            some = np.ascontiguousarray(codes[rows[few]])
            pointers = faiss().swig_ptr(few), faiss().swig_ptr(some)
            index.invlists.add_entries(number, len(few), *pointers)
    index.ntotal = len(known)
    (new,) = np.nonzero(rows < 0)
    for at in range(0, len(new), _ADDED):
        added = new[at : at + _ADDED]
        index.add_with_ids(vectors.many(added), added)
    return index


def _by_row(index: Any) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The list that each row is in, shape (n,), and its bits, shape (n, bytes)."""
    lists = np.empty(index.ntotal, dtype=np.int32)
    codes = np.empty((index.ntotal, index.code_size), dtype=np.uint8)
    for number in range(index.nlist):
        if size := index.invlists.list_size(number):
            rows = faiss().rev_swig_ptr(index.invlists.get_ids(number), size)
            bits = faiss().rev_swig_ptr(index.invlists.get_codes(number), size * index.code_size)
            lists[rows] = number
            codes[rows] = bits.reshape(size, -1)
    return lists, codes


def sample_of(vectors: RowFile, count: int, random: np.random.Generator) -> Vectors:
    """So many vectors, or all."""
    rows = random.permutation(vectors.count)[:count]
    return vectors.many(np.sort(rows).astype(np.int64))
