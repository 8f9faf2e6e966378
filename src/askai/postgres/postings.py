"""The tables of the word index as `askai.lexical.block_updates` writes them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from askai.lexical import block_updates
from askai.lexical.block_updates import TOKEN, Passage, Tokens
from askai.lexical.blocks import ENTRY, Entries
from askai.postgres.connection import Connection
from askai.postgres.rows import copied
from askai.postgres.texts import stored
from askai.postgres.words import BLOCK

_TOTALS = (
    "INSERT INTO totals (passages, tokens, numbers) VALUES (%s, %s, %s) ON CONFLICT (one) DO "
    "UPDATE SET passages = excluded.passages, tokens = excluded.tokens, numbers = excluded.numbers"
)


def update_words(
    connection: Connection,
    gone: Sequence[int] | None,
    new: Iterable[tuple[str, int, Sequence[str]]],
) -> None:
    """As `askai.lexical.block_updates.update_words`, in the transaction that is going on."""
    block_updates.update_words(PostgresWordTables(connection), gone, new)


class PostgresWordTables:
    """See `askai.lexical.block_updates.WordTables`."""

    block = BLOCK

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, int] = {}  # the numbers of words
        self._new: dict[str, int] = {}
        self._next = self._after_the_last()

    def _after_the_last(self) -> int:
        query = "SELECT coalesce(max(number), -1) + 1 FROM terms"
        ((next_,),) = self._connection.execute(query).fetchall()
        return int(next_)

    def totals(self) -> tuple[int, int, int]:
        found = self._connection.execute("SELECT passages, tokens, numbers FROM totals").fetchone()
        passages, tokens, numbers = found or (0, 0, 0)
        return int(passages), int(tokens), int(numbers)

    def clear(self) -> None:
        for table in ("postings", "terms", "passage_tokens"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608
        self._next = 0

    def take_out(self, documents: Sequence[int]) -> list[tuple[int, Tokens]]:
        rows = self._connection.execute(
            "DELETE FROM passage_tokens WHERE doc = ANY(%s) RETURNING number, tokens",
            (list(documents),),
        ).fetchall()
        return [(number, np.frombuffer(held, dtype=TOKEN)) for number, held in rows]

    def numbered(self, words: Iterable[str]) -> Mapping[str, int]:
        unknown = [word for word in dict.fromkeys(words) if word not in self._known]
        if unknown and self._next > len(self._new):  # else there were no terms before
            rows = self._connection.execute(
                "SELECT term, number FROM terms WHERE term = ANY(%s)",
                ([stored(word) for word in unknown],),
            ).fetchall()
            there: dict[str, int] = dict(rows)
            self._known |= {w: there[stored(w)] for w in unknown if stored(w) in there}
        for word in unknown:
            if word not in self._known:
                self._known[word] = self._new[word] = self._next
                self._next += 1
        return self._known

    def put_tokens(self, passages: Sequence[Passage]) -> None:
        copied(
            self._connection, "passage_tokens", ["number", "id", "doc", "tokens"],
            ["int4", "text", "int4", "bytea"],
            ((p.number, stored(p.id), p.document, p.tokens.tobytes()) for p in passages),
        )  # fmt: skip

    def take_postings(self, block: int, terms: Sequence[int]) -> Iterator[tuple[int, Entries]]:
        rows = self._connection.execute(
            "DELETE FROM postings WHERE block = %s AND term = ANY(%s) RETURNING term, entries",
            (block, list(terms)),
            binary=True,
        ).fetchall()
        return ((term, np.frombuffer(content, dtype=ENTRY)) for term, content in rows)

    def put_postings(self, block: int, entries: Mapping[int, Entries]) -> None:
        copied(
            self._connection, "postings", ["term", "block", "entries"], ["int4", "int4", "bytea"],
            ((term, block, some.tobytes()) for term, some in entries.items() if len(some)),
        )  # fmt: skip

    def finish(self, more: Mapping[int, int], totals: tuple[int, int, int]) -> None:
        new = set(self._new.values())
        copied(
            self._connection, "terms", ["number", "term", "passages"], ["int4", "text", "int4"],
            ((number, stored(word), more[number]) for word, number in self._new.items()),
        )  # fmt: skip
        changed = [(n, by) for n, by in more.items() if by and n not in new]
        if changed:
            self._connection.execute(
                "UPDATE terms SET passages = passages + by FROM unnest(%s::int[], %s::int[]) "
                "AS changed (term, by) WHERE number = changed.term",
                ([n for n, _ in changed], [by for _, by in changed]),
            )
            self._connection.execute("DELETE FROM terms WHERE passages <= 0")
        self._connection.execute(_TOTALS, totals)
