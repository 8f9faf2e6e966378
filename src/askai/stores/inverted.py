"""The lists of an inverted file: made of all vectors, or of those of an earlier one.

They lie around centres, found by k-means over a sample, with one bit of each number of a vector
(RaBitQ: Gao and Long 2024, arXiv:2405.12497).
"""

from typing import Any

import numpy as np

from askai.embedders import Vectors
from askai.stores.faiss_files import RowFile, faiss

CLASS = "IndexIVFRaBitQ"
_LISTS = 2.0  # for each square root of the number of vectors
_TRAINED_BY = 64  # vectors of the sample for each list …
_MOST_TRAINED = 200_000_000  # … and of all of them so many bytes
_ROUNDS = 8  # of k-means
_SEED = 20_261


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


def sample_of(vectors: RowFile, count: int, random: np.random.Generator) -> Vectors:
    """So many vectors, or all."""
    rows = random.permutation(vectors.count)[:count]
    return vectors.many(np.sort(rows).astype(np.int64))
