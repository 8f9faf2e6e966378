"""An embedder without a model: its vectors count words, so a test can state them by hand.

Feature hashing after Weinberger et al. 2009 (arXiv:0902.2206), without the sign: every feature
adds 1 at `crc32(feature) % dim`, and the counts are scaled to length 1. It knows words and no
meanings; it is for tests of the plumbing and for trying askai where no model can be had.
"""

import re
import sys
import unicodedata
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from askai.embedders import Vector, Vectors
from askai.errors import UsageError

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_RUNS = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
_IS_HAN = re.compile(f"[{_HAN}]")
_ACCENTS = re.compile("[\u0300-\u036f]")


def features(text: str) -> Iterator[str]:
    """The features of a text, in reading order and with repetitions.

    Words are folded to lower case without accents ("Élan" -> "elan"); a run of Han characters
    gives each character and each pair of neighbours, since Chinese writes no spaces.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    folded = unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed))
    for run in _RUNS.findall(folded):
        if _IS_HAN.match(run):
            yield from run
            yield from (run[i : i + 2] for i in range(len(run) - 1))
        else:
            yield run


class HashingEmbedder:
    """Counts of hashed words and Han bigrams, scaled to length 1; a question is a passage."""

    def __init__(self, dim: int = 512) -> None:
        """Raises UsageError for a dimension below 1."""
        if dim < 1:
            raise UsageError(f"A hashing embedder of {dim} dimensions: expected at least 1.")
        self._dim = dim

    @property
    def name(self) -> str:
        return "hashing"

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def max_tokens(self) -> int:
        """No text is cut."""
        return sys.maxsize

    @property
    def fingerprint(self) -> str:
        return f"hashing/1/{self._dim}"

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (n, dim); a text without words is the first axis."""
        vectors = np.zeros((len(texts), self._dim), dtype=np.float32)
        for i, text in enumerate(texts):
            places = [zlib.crc32(feature.encode()) % self._dim for feature in features(text)]
            vectors[i] = np.bincount(places or [0], minlength=self._dim)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def embed_query(self, text: str) -> Vector:
        """A vector of shape (dim,)."""
        vector: Vector = self.embed_passages([text])[0]
        return vector
