"""The word index as `askai.lexical.block_updates` writes it, in things of Milvus.

Here terms go by their digests; the numbers that they have are of this publication alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from askai.lexical.block_updates import TOKEN, Passage, Tokens
from askai.lexical.blocks import Entries
from askai.milvus.collections import (
    POSTINGS,
    TOKENS,
    Thing,
    as_json,
    digest,
    from_json,
    rows_of,
)
from askai.milvus.connection import Client
from askai.milvus.snapshot import Snapshot, all_keys
from askai.milvus.words import BLOCK, entries_of


class MilvusWordTables:
    """See `askai.lexical.block_updates.WordTables`. Nothing is written over: what is taken out is
    named in `outdated`."""

    def __init__(
        self,
        client: Client,
        collection: str,
        before: Snapshot | None,
        *,
        born: int,
        block: int = BLOCK,
    ) -> None:
        """`before` is what is brought up to date; None: nothing is there yet."""
        self.block = block
        self._client, self._collection = client, collection
        self._before, self._born = before, born
        self._known: dict[str, int] = {}
        self._words: list[str] = []
        self._held: set[int] = set()  # terms of the block whose postings were taken out last
        self.outdated: list[str] = []  # primary keys
        self.written = self.totals()
        self.postings = before.state.postings if before else 0

    def totals(self) -> tuple[int, int, int]:
        state = self._before.state if self._before else None
        return (state.passages, state.tokens, state.numbers) if state else (0, 0, 0)

    def clear(self) -> None:
        """Only ever called for an epoch that holds nothing yet."""

    def take_out(self, documents: Sequence[int]) -> list[tuple[int, Tokens]]:
        if self._before is None:
            return []
        out = []
        for thing in self._before.things(TOKENS, "doc", documents):
            words = from_json(thing.content)
            known = self.numbered(words)
            out.append((thing.number, np.array([known[word] for word in words], dtype=TOKEN)))
        return out

    def numbered(self, words: Iterable[str]) -> Mapping[str, int]:
        for word in words:
            if word not in self._known:
                self._known[word] = len(self._words)
                self._words.append(word)
        return self._known

    def put_tokens(self, passages: Sequence[Passage]) -> None:
        self._put(
            Thing(
                kind=TOKENS, key=digest(p.id), id=p.id, doc=p.document, number=p.number,
                born=self._born, content=as_json([self._words[n] for n in p.tokens.tolist()]),
            )
            for p in passages
        )  # fmt: skip

    def take_postings(self, block: int, terms: Sequence[int]) -> Iterator[tuple[int, Entries]]:
        self._held = set()
        if self._before is None:
            return
        named = {digest(self._words[term]): term for term in terms}
        rows = self._before.versions(POSTINGS, named, number=block)
        self.outdated += all_keys(rows)
        for thing in self._before.held(all_keys(row for row in rows if row["count"])):
            self._held.add(named[thing.key])
            yield named[thing.key], entries_of([thing.content])

    def put_postings(self, block: int, entries: Mapping[int, Entries]) -> None:
        self._put(
            Thing(
                kind=POSTINGS, key=digest(self._words[term]), number=block, born=self._born,
                count=len(some), content=some.tobytes(),
            )
            for term, some in entries.items()
            if len(some) or term in self._held  # none are left: that has to be said
        )  # fmt: skip

    def finish(self, more: Mapping[int, int], totals: tuple[int, int, int]) -> None:
        self.postings += sum(more.values())
        self.written = totals

    def _put(self, things: Iterable[Thing]) -> None:
        self._client.put(self._collection, rows_of(things))
