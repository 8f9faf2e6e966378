"""BM25 over our own tokens, from postings in PostgreSQL: the scores of `askai.lexical.bm25`.

PostgreSQL's own ranking knows no inverse document frequency and no Chinese. Here the server keeps
which passages hold a term, and whoever asks weighs them, with the arithmetic of the local index to
the last bit. A row of postings for each term of each passage was measured at 4.5 KB a passage; so
the postings of a term are rows of BLOCK passages, each an array: passage number, how often, how
many tokens the passage has. What a term weighs (its idf) is counted over all rows of it.

Passage numbers are the publisher's; a number that was taken out is not given again.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askai.lexical import Term
from askai.lexical.bm25 import K1, B, united
from askai.postgres.connection import Snapshot
from askai.postgres.texts import read, stored

BLOCK = 1 << 13  # passage numbers
ENTRY = np.dtype([("passage", "<i4"), ("count", "<u4"), ("length", "<u4")])
TOKEN = np.dtype("<i4")
_KEPT = 1 << 16  # terms that are remembered
_HELD = 1 << 22  # postings that are
_TERMS = "SELECT term, number, passages FROM terms WHERE term = ANY(%s)"
_POSTINGS = "SELECT term, entries FROM postings WHERE term = ANY(%s) ORDER BY term, block"
Entries = NDArray[Any]  # of ENTRY


class PostgresWords:
    """See `askai.lexical.WordSearch`. Of one snapshot; what was looked up is remembered."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        rows = snapshot.rows("SELECT passages, tokens, numbers FROM totals")
        self._passages, tokens, self._numbers = rows[0] if rows else (0, 0, 0)
        self._average = tokens / self._passages if self._passages else 0.0
        self._known: dict[str, tuple[int, int]] = {}  # number and passages; (-1, 0): not there
        self._idfs: dict[Term, float] = {}
        self._entries: dict[int, Entries] = {}
        self._ids: dict[int, str] = {}  # of passages, by number

    def search(
        self, terms: Sequence[Term], k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        if k <= 0 or not self._passages:
            return []
        self._load(token for term in terms for token in _tokens(term))
        scores = np.zeros(self._numbers, dtype=np.float64)
        for term in terms:
            numbers = self._present(term)
            if len(numbers) == 1:
                entries = self._entries[numbers[0]]
                scores[entries["passage"]] += self._weights(entries)
            elif numbers:
                passages, weights = self._united(numbers)
                scores[passages] += weights
        if among is None:
            rows = np.flatnonzero(scores)
        else:
            allowed = self._numbers_of(among)
            rows = allowed[scores[allowed] != 0]
        return self._best(scores, rows, k)

    def _best(
        self, scores: NDArray[np.float64], rows: NDArray[np.int64], k: int
    ) -> list[tuple[str, float]]:
        k = min(k, len(rows))
        if k <= 0:
            return []
        worth = scores[rows]
        threshold = np.partition(worth, -k)[-k]
        first = rows[worth >= threshold].tolist()
        if new := [number for number in first if number not in self._ids]:
            found = self._snapshot.rows(
                "SELECT number, id FROM passage_tokens WHERE number = ANY(%s)", (new,)
            )
            self._ids.update((number, read(id_)) for number, id_ in found)
        ranked = sorted((-float(scores[number]), self._ids[number]) for number in first)
        return [(id_, -negated) for negated, id_ in ranked[:k]]

    def _numbers_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        rows = self._snapshot.rows(
            "SELECT number, id FROM passage_tokens WHERE id = ANY(%s)",
            ([stored(id_) for id_ in dict.fromkeys(ids)],),
        )
        if len(self._ids) > _KEPT:
            self._ids = {}
        self._ids.update((number, read(id_)) for number, id_ in rows)
        return np.array(sorted(number for number, _ in rows), dtype=np.int64)

    def _weights(self, entries: Entries) -> NDArray[np.float32]:
        """What a term is worth in each passage, as the local index computes it once for all."""
        found = len(entries)
        idf = np.log1p((self._passages - found + 0.5) / (found + 0.5)).astype(np.float32)
        lengths = entries["length"].astype(np.int64)
        counts = entries["count"].astype(np.float32)
        counts /= counts + (K1 * (1 - B + B * lengths / self._average)).astype(np.float32)
        counts *= idf
        return counts

    def _united(self, numbers: Sequence[int]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        postings = [self._entries[number] for number in numbers]
        return united([(e["passage"], self._weights(e)) for e in postings], self._idf)

    def tokens_of(self, id_: str) -> list[str]:
        rows = self._snapshot.rows(
            "SELECT tokens FROM passage_tokens WHERE id = %s", (stored(id_),)
        )
        if not rows:
            raise KeyError(id_)
        numbers = np.frombuffer(rows[0][0], dtype=TOKEN).tolist()
        terms = dict(
            self._snapshot.rows(
                "SELECT number, term FROM terms WHERE number = ANY(%s)", (sorted(set(numbers)),)
            )
        )
        return [read(terms[number]) for number in numbers]

    def idf(self, term: Term) -> float:
        found = self._idfs.get(term)
        if found is None:
            if len(self._idfs) >= _KEPT:
                self._idfs.clear()
            found = self._idfs[term] = self._counted_idf(term)
        return found

    def _counted_idf(self, term: Term) -> float:
        self._look_up(_tokens(term))
        numbers = self._present(term)
        if len(numbers) > 1:
            self._load(_tokens(term))
            every = [self._entries[number]["passage"] for number in numbers]
            return self._idf(len(np.unique(np.concatenate(every))))
        if numbers:
            return self._idf(next(n for t in _tokens(term) if (n := self._known[t][1])))
        return self._idf(0.5)

    def _idf(self, frequency: float) -> float:
        return math.log1p((self._passages - frequency + 0.5) / (frequency + 0.5))

    def __contains__(self, token: object) -> bool:
        if not isinstance(token, str):
            return False
        self._look_up([token])
        return self._known[token][0] >= 0

    def ceiling(self, terms: Sequence[Term]) -> float:
        self._look_up(token for term in terms for token in _tokens(term))
        return math.fsum(self.idf(term) for term in terms)

    def _present(self, term: Term) -> list[int]:
        """The numbers of a term's tokens that are in any passage."""
        return [n for token in _tokens(term) if (n := self._known[token][0]) >= 0]

    def _look_up(self, tokens: Iterable[str]) -> None:
        wanted = list(dict.fromkeys(tokens))
        if len(self._known) >= _KEPT:
            self._known = {}
        new = [token for token in wanted if token not in self._known]
        if not new:
            return
        rows = self._snapshot.rows(_TERMS, ([stored(token) for token in new],))
        found = {read(term): (number, passages) for term, number, passages in rows}
        self._known |= {token: found.get(token, (-1, 0)) for token in new}

    def _load(self, tokens: Iterable[str]) -> None:
        """The postings of these tokens, those that are not here yet."""
        wanted = list(dict.fromkeys(tokens))
        self._look_up(wanted)
        numbers = [n for token in wanted if (n := self._known[token][0]) >= 0]
        new = [number for number in numbers if number not in self._entries]
        if not new:
            return
        if sum(map(len, self._entries.values())) > _HELD:
            self._entries = {n: self._entries[n] for n in numbers if n in self._entries}
        blocks: dict[int, list[bytes]] = {number: [] for number in new}
        for number, entries in self._snapshot.rows(_POSTINGS, (new,)):
            blocks[number].append(entries)
        self._entries |= {
            number: np.frombuffer(b"".join(some), dtype=ENTRY) for number, some in blocks.items()
        }

    def __len__(self) -> int:
        return int(self._passages)

    def close(self) -> None:
        """The snapshot is closed by whoever opened it."""
        self._entries = {}


def _tokens(term: Term) -> tuple[str, ...]:
    return (term,) if isinstance(term, str) else tuple(dict.fromkeys(term))
