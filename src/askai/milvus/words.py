"""What the word index needs of Milvus; `askai.lexical.blocks` weighs it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from askai.lexical.blocks import ENTRY, BlockWords, Entries
from askai.milvus.collections import POSTINGS, TOKENS, digest, from_json, read_id
from askai.milvus.connection import Row
from askai.milvus.snapshot import Snapshot, all_keys

BLOCK = 1 << 13  # passage numbers
_KEPT = 1 << 16  # rows of postings whose keys are remembered


class MilvusPostings:
    """See `askai.lexical.blocks.Postings`."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._rows: dict[str, list[Row]] = {}  # of postings, by the digest of their term

    def totals(self) -> tuple[int, int, int]:
        state = self._snapshot.state
        return state.passages, state.tokens, state.numbers

    def frequencies(self, tokens: Sequence[str]) -> dict[str, int]:
        if len(self._rows) >= _KEPT:
            self._rows = {}
        named = {digest(token): token for token in tokens}
        counts: Counter[str] = Counter()
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self._snapshot.versions(POSTINGS, named):
            if row["count"]:
                counts[named[row["key"]]] += row["count"]
                rows[row["key"]].append(row)
        self._rows |= rows
        return counts

    def entries(self, tokens: Sequence[str]) -> dict[str, Entries]:
        named = {digest(token): token for token in tokens}
        if not self._rows.keys() >= named.keys():
            self.frequencies(tokens)
        blocks: dict[str, dict[int, bytes]] = {token: {} for token in tokens}
        wanted = [row for key in named for row in self._rows[key]]
        for thing in self._snapshot.held(all_keys(wanted)):
            blocks[named[thing.key]][thing.number] = thing.content
        return {token: _joined(some) for token, some in blocks.items()}

    def ids(self, numbers: Sequence[int]) -> dict[int, str]:
        rows = self._snapshot.places(TOKENS, "number", numbers, ["number", "id"])
        return {row["number"]: read_id(row["id"]) for row in rows}

    def numbers(self, ids: Sequence[str]) -> dict[str, int]:
        keys = (digest(id_) for id_ in ids)
        rows = self._snapshot.places(TOKENS, "key", keys, ["number", "id"])
        return {read_id(row["id"]): row["number"] for row in rows}

    def tokens_of(self, id_: str) -> list[str]:
        for thing in self._snapshot.things(TOKENS, "key", [digest(id_)]):
            return [str(token) for token in from_json(thing.content)]
        raise KeyError(id_)


class MilvusWords(BlockWords):
    """See `askai.lexical.WordSearch`. Of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(MilvusPostings(snapshot))


def _joined(blocks: dict[int, bytes]) -> Entries:
    return entries_of(blocks[number] for number in sorted(blocks))


def entries_of(contents: Iterable[bytes]) -> Entries:
    return np.frombuffer(b"".join(contents), dtype=ENTRY)
