"""What the word index needs of PostgreSQL; `askai.lexical.blocks` weighs it."""

from collections.abc import Sequence

import numpy as np

from askai.lexical.block_updates import TOKEN
from askai.lexical.blocks import ENTRY, BlockWords, Entries
from askai.postgres.connection import Snapshot
from askai.postgres.texts import read, stored

BLOCK = 1 << 13  # passage numbers
_KEPT = 1 << 16  # terms whose numbers are remembered
_TERMS = "SELECT term, number, passages FROM terms WHERE term = ANY(%s)"
_POSTINGS = "SELECT term, entries FROM postings WHERE term = ANY(%s) ORDER BY term, block"


class PostgresPostings:
    """See `askai.lexical.blocks.Postings`. Of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._terms: dict[str, int] = {}  # their numbers

    def totals(self) -> tuple[int, int, int]:
        rows = self._snapshot.rows("SELECT passages, tokens, numbers FROM totals")
        passages, tokens, numbers = rows[0] if rows else (0, 0, 0)
        return int(passages), int(tokens), int(numbers)

    def frequencies(self, tokens: Sequence[str]) -> dict[str, int]:
        if len(self._terms) >= _KEPT:
            self._terms = {}
        rows = self._snapshot.rows(_TERMS, ([stored(token) for token in tokens],))
        self._terms.update((read(term), number) for term, number, _ in rows)
        return {read(term): passages for term, _, passages in rows}

    def entries(self, tokens: Sequence[str]) -> dict[str, Entries]:
        """Of those that there are here: a shard has not all."""
        if not self._terms.keys() >= set(tokens):
            self.frequencies(tokens)
        words = {self._terms[token]: token for token in tokens if token in self._terms}
        if not words:
            return {}
        blocks: dict[int, list[bytes]] = {number: [] for number in words}
        for number, entries in self._snapshot.rows(_POSTINGS, (list(words),)):
            blocks[number].append(entries)
        return {
            words[number]: np.frombuffer(b"".join(some), dtype=ENTRY)
            for number, some in blocks.items()
        }

    def ids(self, numbers: Sequence[int]) -> dict[int, str]:
        # As a text: psycopg takes longer to write a list of numbers than the server to use it.
        query = "SELECT number, id FROM passage_tokens WHERE number = ANY(%s::integer[])"
        rows = self._snapshot.rows(query, ("{" + ",".join(map(str, numbers)) + "}",))
        return {number: read(id_) for number, id_ in rows}

    def numbers(self, ids: Sequence[str]) -> dict[str, int]:
        query = "SELECT number, id FROM passage_tokens WHERE id = ANY(%s)"
        rows = self._snapshot.rows(query, ([stored(id_) for id_ in ids],))
        return {read(id_): number for number, id_ in rows}

    def tokens_of(self, id_: str) -> list[str]:
        query = "SELECT tokens FROM passage_tokens WHERE id = %s"
        rows = self._snapshot.rows(query, (stored(id_),))
        if not rows:
            raise KeyError(id_)
        numbers = np.frombuffer(rows[0][0], dtype=TOKEN).tolist()
        named = "SELECT number, term FROM terms WHERE number = ANY(%s)"
        terms = dict(self._snapshot.rows(named, (sorted(set(numbers)),)))
        return [read(terms[number]) for number in numbers]


class PostgresWords(BlockWords):
    """See `askai.lexical.WordSearch`. Of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(PostgresPostings(snapshot))
