"""The approximate index over many vectors (HNSW), and how much of what is nearest it finds.

Its recall is measured by each publication, with questions whose answers a look at all vectors of
the index folder gave; they are stored, and `askai doctor` asks them again.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nsmallest
from typing import Any

import numpy as np

from askai.embedders import Vector, Vectors
from askai.milvus.collections import IndexKind
from askai.milvus.vectors import EXACT, MilvusVectors
from askai.stores import VectorSearch
from askai.stores.exact import best, cosines
from askai.stores.near import questions_of

SAMPLE = 50  # questions
K = 10
ENOUGH = 0.97  # recall@10 below which all vectors are looked at
_SEED = 20_261
_BATCH = 8_192  # vectors read at a time


@dataclass(frozen=True, slots=True)
class Question:
    vector: Vector
    ids: list[str]  # the nearest


def kind_for(count: int, *, exact: int = EXACT) -> IndexKind:
    """How so many vectors are found."""
    return "FLAT" if count <= exact else "HNSW"


def questions_about(store: VectorSearch, ids: Sequence[str]) -> list[Question]:
    """Made of the vectors that `store` has for these, answered by a look at all of them."""
    # By a hash of the id: the same for the same vectors, and no id is likelier than another.
    some = nsmallest(2 * SAMPLE, ids, key=lambda id_: blake2b(id_.encode()).digest())
    asked = [*questions_of(store.vectors(some), np.random.default_rng(_SEED))]
    found: list[list[tuple[str, float]]] = [[] for _ in asked]
    for at in range(0, len(ids), _BATCH):
        batch = ids[at : at + _BATCH]
        vectors: Vectors = store.vectors(batch)
        for n, vector in enumerate(asked):
            found[n] = _merged(found[n], best(batch, cosines(vectors, vector), K))
    return [
        Question(vector, [id_ for id_, _ in near])
        for vector, near in zip(asked, found, strict=True)
    ]


def _merged(
    one: Iterable[tuple[str, float]], other: Iterable[tuple[str, float]]
) -> list[tuple[str, float]]:
    return sorted([*one, *other], key=lambda pair: (-pair[1], pair[0]))[:K]


def recall(store: MilvusVectors, questions: Sequence[Question]) -> float:
    """recall@10 of the approximate index."""
    shares = []
    for question in questions:
        ids, vectors = store.near(question.vector, K)
        found = best(ids, cosines(vectors, question.vector), K)
        shares.append(len({i for i, _ in found} & set(question.ids)) / len(question.ids))
    return float(np.mean(shares)) if shares else 0.0


def to_json(questions: Sequence[Question]) -> list[Any]:
    return [
        [base64.b64encode(question.vector.astype("<f4").tobytes()).decode(), question.ids]
        for question in questions
    ]


def from_json(value: Any) -> list[Question]:
    return [
        Question(np.frombuffer(base64.b64decode(vector), dtype="<f4"), ids) for vector, ids in value
    ]
