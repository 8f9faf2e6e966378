"""The embedder seam: texts in, unit vectors out."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]  # shape (n, dim), rows of length 1
Vector = NDArray[np.float32]  # shape (dim,), length 1

EMBEDDERS = {
    "hashing": "askai.embedders.hashing:HashingEmbedder",
    "sentence-transformers": "askai.embedders.sentence_transformers:SentenceTransformerEmbedder",
}


class Embedder(Protocol):
    """A model of one meaning space for questions and passages.

    A text's vector does not depend on the texts that share its batch (to 1e-5).
    """

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def max_tokens(self) -> int:
        """Tokens of its own tokenizer beyond which a passage is cut."""
        ...

    @property
    def fingerprint(self) -> str:
        """Equal for two embedders exactly when their vectors can be compared."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Vectors: ...

    def embed_query(self, text: str) -> Vector:
        """May be rounded for the sake of speed: at a cosine above .999 to the model's own, or above
        .998 where a text is one word again and again."""
        ...


def queries(texts: Sequence[str], embedder: Embedder) -> Vectors:
    """Vectors of questions, of shape (n, dim); together where the embedder has `embed_queries`."""
    together: Callable[[Sequence[str]], Vectors] | None = getattr(embedder, "embed_queries", None)
    if together is not None:
        return together(texts)
    found = [embedder.embed_query(text) for text in texts]
    return np.array(found, dtype=np.float32).reshape(len(texts), embedder.dim)


def load_ahead(embedder: Embedder) -> None:
    """Begins to load an embedder that will be asked, where it has `load_ahead`."""
    begin: Callable[[], None] | None = getattr(embedder, "load_ahead", None)
    if begin is not None:
        begin()
