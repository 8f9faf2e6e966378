"""The lexical seam: passages found by the words of the question."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

LEXICALS = {"bm25": "askai.lexical.bm25:BM25Index"}

# A token, or several that stand for one term, each as good as another: names in two scripts, or
# the translations of a word.
Term = str | tuple[str, ...]


class WordSearch(Protocol):
    """Term statistics over tokenised passages, with OR semantics: no term is required.

    Tokens come from `askai.tokens`, the same for passages and for questions.
    """

    def search(
        self, terms: Sequence[Term], k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """The k best ids with their BM25 scores, best first, ties in order of id.

        Passages that share no term with the question are left out. `among` restricts the search.
        A term of several tokens counts as one word with all their occurrences (Pirkola 1998,
        doi:10.1145/290941.290957), so that a rare translation weighs no more than a common one.
        """
        ...

    def tokens_of(self, id_: str) -> list[str]:
        """The tokens that a passage was given with, in order; raises KeyError."""
        ...

    def idf(self, term: Term) -> float:
        """Inverse document frequency; a term in no passage has the idf of one in half a passage."""
        ...

    def __contains__(self, token: object) -> bool:
        """Whether any passage holds this term."""
        ...

    def ceiling(self, terms: Sequence[Term]) -> float:
        """An upper bound of `search` scores: every term, unknown ones included, saturated."""
        ...

    def __len__(self) -> int: ...

    def close(self) -> None: ...


class LexicalIndex(WordSearch, Protocol):
    """One that is made here, too: in files."""

    @classmethod
    def build(
        cls,
        path: Path,
        passages: Iterable[tuple[str, Sequence[str]]],
        *,
        earlier: Self | None = None,
        kept: Mapping[str, str] | None = None,
    ) -> Self:
        """Indexes (id, tokens) pairs and writes the folder `path`, fsynced.

        `kept` are more passages: ids, each with the id that has its tokens in an `earlier` index.
        """
        ...

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens what `build` wrote; raises IndexDamaged when it cannot be read."""
        ...
