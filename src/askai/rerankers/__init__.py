"""The reranker seam: question and text read together, for how well the one answers the other."""

from collections.abc import Sequence
from typing import Protocol

RERANKERS = {
    "none": "askai.rerankers.none:NoReranker",
    "ms-marco-MiniLM-L-12-v2": "askai.rerankers.packaged_minilm:reranker",
}


class Reranker(Protocol):
    """Slow and sharp: for the few texts among which it decides."""

    @property
    def name(self) -> str: ...

    def speaks(self, language: str) -> bool:
        """Whether it was trained on this language (ISO 639-1), of question and text."""
        ...

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """A logit for each text, any real number, higher for a better one; not comparable between
        models. Raises ModelError when the model cannot be loaded."""
        ...
