"""BM25 over blocks of postings that a server keeps: what is fetched is weighed here, with the
arithmetic of `askai.lexical.bm25`, to the last bit of its scores.

A server's own ranking knows no inverse document frequency of ours and no Chinese. So it keeps which
passages hold a term, and whoever asks weighs them. A row of postings for each term of each passage
was measured at 4.5 KB a passage; so the postings of a term are rows of as many passages as a block
has numbers, each an array: passage number, how often, how many tokens the passage has. What a term
weighs (its idf) is counted over all rows of it.

Passage numbers are the publisher's; a number that was taken out is not given again.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from askai.lexical import Term
from askai.lexical.bm25 import K1, B, united

ENTRY = np.dtype([("passage", "<i4"), ("count", "<u4"), ("length", "<u4")])
_KEPT = 1 << 16  # terms that are remembered
_HELD = 1 << 22  # postings that are
_LAST = 2  # searches whose scores are remembered: a question has two views at most
_ENOUGH = 50  # passages of a term, for it to tell which scores are high
_LONG = 1 << 16  # tokens of a passage above which nothing is remembered for its length
Entries = NDArray[Any]  # of ENTRY
# The score of every passage, and the passages of a term that few have.
_Scored = tuple[NDArray[np.float64], NDArray[np.integer[Any]]]


class Postings(Protocol):
    """The side that fetches. Nothing need be remembered there, and no argument is empty or has
    anything twice."""

    def totals(self) -> tuple[int, int, int]:
        """How many passages there are, how many tokens in them, and the first free number."""
        ...

    def frequencies(self, tokens: Sequence[str]) -> Mapping[str, int]:
        """How many passages hold each of these tokens, those that any holds."""
        ...

    def entries(self, tokens: Sequence[str]) -> Mapping[str, Entries]:
        """The postings of each of these tokens, which were all in `frequencies`, by number."""
        ...

    def ids(self, numbers: Sequence[int]) -> Mapping[int, str]:
        """The ids of passages by their numbers."""
        ...

    def numbers(self, ids: Sequence[str]) -> Mapping[str, int]:
        """The numbers of passages by their ids; unknown ones are left out."""
        ...

    def tokens_of(self, id_: str) -> list[str]:
        """The tokens of a passage, in order; raises KeyError."""
        ...


class BlockWords:
    """See `askai.lexical.WordSearch`. Of one generation; what was looked up is remembered."""

    def __init__(self, postings: Postings) -> None:
        self._postings = postings
        self._passages, tokens, self._numbers = postings.totals()
        self._average = tokens / self._passages if self._passages else 0.0
        self._known: dict[str, int] = {}  # in how many passages a token is
        self._idfs: dict[Term, float] = {}
        self._entries: dict[str, Entries] = {}
        self._ids: dict[int, str] = {}  # of passages, by number
        self._norm_of = np.empty(0, np.float32)  # by length
        self._last: dict[tuple[Term, ...], _Scored] = {}

    def search(
        self, terms: Sequence[Term], k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        if k <= 0 or not self._passages:
            return []
        scores, least = self._scored(tuple(terms), k)
        if among is None:
            rows = np.flatnonzero(scores >= least if least else scores)
        else:
            allowed = self._numbers_of(among)
            rows = allowed[scores[allowed] != 0]
        return self._best(scores, rows, k, every=among is None)

    def _scored(self, terms: tuple[Term, ...], k: int) -> tuple[NDArray[np.float64], float]:
        """The score of every passage, and what at least k passages reach; 0 where none is known.

        Those of the last searches are remembered: the same terms come again for what the other
        leg has found."""
        if terms in self._last:
            scores, rarest = self._last[terms]
        else:
            scores, rarest = self._counted(terms)
            last = [*self._last.items()][-_LAST + 1 :]
            self._last = dict([*last, (terms, (scores, rarest))])
        if len(rarest) < k:
            return scores, 0.0
        # Of a million scores to look for the best k takes longer than to compute them; few reach
        # what the best k of those with a rare term do.
        return scores, float(np.partition(scores[rarest], -k)[-k])

    def _counted(self, terms: tuple[Term, ...]) -> _Scored:
        self._load(token for term in terms for token in _tokens(term))
        scores = np.zeros(self._numbers, dtype=np.float64)
        found: list[NDArray[np.integer[Any]]] = []
        for term in terms:
            present = self._present(term)
            if len(present) == 1:
                entries = self._entries[present[0]]
                passages = entries["passage"].astype(np.intp)
                scores[passages] += self._weights(entries)
                found.append(passages)
            elif present:
                passages, weights = self._united(present)
                scores[passages] += weights
                found.append(passages)
        enough = [some for some in found if len(some) >= _ENOUGH] or found
        return scores, min(enough, key=len, default=np.empty(0, np.intp))

    def _best(
        self, scores: NDArray[np.float64], rows: NDArray[np.int64], k: int, *, every: bool = False
    ) -> list[tuple[str, float]]:
        """Of these rows; of `every` row they are those that the best are among."""
        k = min(k, len(rows))
        if k <= 0:
            return []
        worth = scores[rows]
        threshold = np.partition(worth, -k)[-k]
        first = rows[worth >= threshold].tolist()
        if new := [number for number in first if number not in self._ids]:
            self._ids.update(self._postings.ids(new))
            # Postings are of all passages; a policy of the server may hide the rows of some.
            if not self._ids.keys() >= set(new):
                rows = np.flatnonzero(scores) if every else rows
                seen = [*self._postings.ids(rows.tolist())]
                return self._best(scores, np.array(sorted(seen), dtype=np.int64), k)
        ranked = sorted((-float(scores[number]), self._ids[number]) for number in first)
        return [(id_, -negated) for negated, id_ in ranked[:k]]

    def _numbers_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        wanted = list(dict.fromkeys(ids))
        found = self._postings.numbers(wanted) if wanted else {}
        if len(self._ids) > _KEPT:
            self._ids = {}
        self._ids.update((number, id_) for id_, number in found.items())
        return np.array(sorted(found.values()), dtype=np.int64)

    def _weights(self, entries: Entries) -> NDArray[np.float32]:
        """What a term is worth in each passage, as the local index computes it once for all."""
        found = len(entries)
        idf = np.log1p((self._passages - found + 0.5) / (found + 0.5)).astype(np.float32)
        counts = entries["count"].astype(np.float32)
        counts /= counts + self._norms(entries["length"])
        counts *= idf
        return counts

    def _norms(self, lengths: NDArray[np.uint32]) -> NDArray[np.float32]:
        """What divides a count besides itself, in a passage of so many tokens."""
        longest = int(lengths.max(initial=0))
        if longest > _LONG:
            return self._norm(lengths.astype(np.int64))
        if longest >= len(self._norm_of):
            self._norm_of = self._norm(np.arange(longest + 1))
        return self._norm_of[lengths]

    def _norm(self, lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        return (K1 * (1 - B + B * lengths / self._average)).astype(np.float32)

    def _united(self, tokens: Sequence[str]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        postings = [self._entries[token] for token in tokens]
        return united([(e["passage"], self._weights(e)) for e in postings], self._idf)

    def tokens_of(self, id_: str) -> list[str]:
        return self._postings.tokens_of(id_)

    def idf(self, term: Term) -> float:
        found = self._idfs.get(term)
        if found is None:
            if len(self._idfs) >= _KEPT:
                self._idfs.clear()
            found = self._idfs[term] = self._counted_idf(term)
        return found

    def _counted_idf(self, term: Term) -> float:
        self._look_up(_tokens(term))
        present = self._present(term)
        if len(present) > 1:
            self._load(present)
            every = [self._entries[token]["passage"] for token in present]
            return self._idf(len(np.unique(np.concatenate(every))))
        return self._idf(self._known[present[0]] if present else 0.5)

    def _idf(self, frequency: float) -> float:
        return math.log1p((self._passages - frequency + 0.5) / (frequency + 0.5))

    def __contains__(self, token: object) -> bool:
        if not isinstance(token, str):
            return False
        self._look_up([token])
        return self._known[token] > 0

    def ceiling(self, terms: Sequence[Term]) -> float:
        self._look_up(token for term in terms for token in _tokens(term))
        return math.fsum(self.idf(term) for term in terms)

    def _present(self, term: Term) -> list[str]:
        """A term's tokens that are in any passage."""
        return [token for token in _tokens(term) if self._known[token]]

    def _look_up(self, tokens: Iterable[str]) -> None:
        wanted = list(dict.fromkeys(tokens))
        if len(self._known) >= _KEPT:
            self._known = {}
        if new := [token for token in wanted if token not in self._known]:
            found = self._postings.frequencies(new)
            self._known |= {token: found.get(token, 0) for token in new}

    def _load(self, tokens: Iterable[str]) -> None:
        """The postings of these tokens, those that are not here yet."""
        wanted = list(dict.fromkeys(tokens))
        self._look_up(wanted)
        there = [token for token in wanted if self._known[token]]
        new = [token for token in there if token not in self._entries]
        if not new:
            return
        if sum(map(len, self._entries.values())) > _HELD:
            self._entries = {t: self._entries[t] for t in there if t in self._entries}
        self._entries |= self._postings.entries(new)

    def __len__(self) -> int:
        return self._passages

    def close(self) -> None:
        """What was fetched is forgotten; the connection is closed by whoever opened it."""
        self._entries = {}
        self._last = {}


def _tokens(term: Term) -> tuple[str, ...]:
    return (term,) if isinstance(term, str) else tuple(dict.fromkeys(term))
