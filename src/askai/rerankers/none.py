"""No reranker: the order of retrieval stands."""

from collections.abc import Sequence


class NoReranker:
    name = "none"

    def speaks(self, language: str) -> bool:  # noqa: ARG002  it speaks none
        return False

    def score(self, question: str, texts: Sequence[str]) -> list[float]:  # noqa: ARG002
        return [0.0] * len(texts)
