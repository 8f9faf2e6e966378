"""Indexes a folder of `asking` with made vectors in the place of the default model's.

To embed 200,000 passages and their sentences would take this machine most of a day. A text of known
sentences gets the mean of their vectors, which are real, moved as those of `vectors` are: towards
another sentence's and by noise. Questions are embedded by the model itself: the index has its name
and fingerprint.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np

from askai import indexing
from askai.embedders import Embedder, Vector, Vectors
from askai.embedders.models import resolve
from askai.recipes import open_corpus, recipe
from askai.sentences import split
from askai.settings import load_settings
from benchmarks.growth.vectors import NOISE, TOWARDS, sentences

_NUMBER = re.compile(r", No\. \d+(?=\W*$)")


def real(bench: Path, cache: Path) -> tuple[list[str], Vectors]:
    """The sentences of the documents, and the model's vectors of them, kept in `cache`."""
    some, file = sentences(bench), cache / "sentences.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(file, vectors=resolve("multilingual-e5-small").embed_passages(some))
    with np.load(file) as stored:
        return some, stored["vectors"]


def numbered(sentence: str, number: int) -> str:
    """The sentence with a number before its full stop, if it has one."""
    words = sentence.rstrip(".!?")
    return f"{words}, No. {number}{sentence[len(words) :] or '.'}"


class MadeVectors:
    """Stands for a model while documents are embedded; see `askai.embedders.Embedder`."""

    def __init__(self, model: Embedder, texts: Sequence[str], vectors: Vectors) -> None:
        self.name, self.fingerprint = model.name, model.fingerprint
        self.dim, self.max_tokens = model.dim, model.max_tokens
        self._row = {_bare(text): row for row, text in enumerate(texts)}
        self._vectors = vectors

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        made: Vectors = np.stack([self._made(text) for text in texts])
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return made

    def embed_query(self, text: str) -> Vector:
        """Words of the documents alone are embedded so while an index is made."""
        vector: Vector = self.embed_passages([text])[0]
        return vector

    def _made(self, text: str) -> Vector:
        seed = crc32(text.encode())
        random = np.random.default_rng(seed)
        noise = random.standard_normal(self.dim, dtype=np.float32) * (NOISE / self.dim**0.5)
        parts = (_bare(text[a:b]) for a, b in split(text))
        known = [self._row[part] for part in parts if part in self._row]
        rows = known or [seed % len(self._vectors)]
        other = self._vectors[random.integers(len(self._vectors))]
        share = np.float32(random.uniform(0, TOWARDS))
        vector: Vector = (1 - share) * self._vectors[rows].mean(axis=0) + share * other + noise
        return vector


def _bare(sentence: str) -> str:
    return _NUMBER.sub("", sentence).rstrip(".!?")


def main() -> None:
    bench, work, corpus, index = sys.argv[1:]
    settings = load_settings(
        folder=Path(corpus).parent, environment={}, options={"corpus": corpus, "index": index}
    )
    ours = recipe(settings)
    made = replace(ours, embedder=MadeVectors(ours.embedder, *real(Path(bench), Path(work))))
    report = indexing.build(open_corpus(settings), settings.index_dir, made)
    sys.stdout.write(f"{report.chunks}\n")


if __name__ == "__main__":
    main()
