"""Keeps the word index of `words` in step with the documents, a block of postings at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from askai.postgres.connection import Connection
from askai.postgres.rows import copied
from askai.postgres.texts import stored
from askai.postgres.words import BLOCK, ENTRY, TOKEN, Entries

Tokens = NDArray[np.int32]  # numbers of terms, in the order of a passage
_BATCH = 1_000  # passages whose unknown words are looked up together
_TOTALS = (
    "INSERT INTO totals (passages, tokens, numbers) VALUES (%s, %s, %s) ON CONFLICT (one) DO "
    "UPDATE SET passages = excluded.passages, tokens = excluded.tokens, numbers = excluded.numbers"
)


@dataclass(slots=True)
class _Terms:
    """The numbers of words, and by how many passages each is in more, or fewer, than before."""

    connection: Connection
    next: int
    fresh: bool  # nothing was there before, so that nothing need be looked up
    known: dict[str, int] = field(default_factory=dict)
    new: dict[str, int] = field(default_factory=dict)
    more: Counter[int] = field(default_factory=Counter)

    def numbers(self, words: Iterable[str]) -> None:
        """Sees to it that each of these has a number."""
        unknown = [word for word in dict.fromkeys(words) if word not in self.known]
        if unknown and not self.fresh:
            rows = self.connection.execute(
                "SELECT term, number FROM terms WHERE term = ANY(%s)",
                ([stored(word) for word in unknown],),
            ).fetchall()
            there: dict[str, int] = dict(rows)
            self.known |= {w: there[stored(w)] for w in unknown if stored(w) in there}
        for word in unknown:
            if word not in self.known:
                self.known[word] = self.new[word] = self.next
                self.next += 1

    def write(self) -> None:
        new = set(self.new.values())
        copied(
            self.connection, "terms", ["number", "term", "passages"], ["int4", "text", "int4"],
            ((number, stored(word), self.more[number]) for word, number in self.new.items()),
        )  # fmt: skip
        changed = [(n, by) for n, by in self.more.items() if by and n not in new]
        if changed:
            self.connection.execute(
                "UPDATE terms SET passages = passages + by FROM unnest(%s::int[], %s::int[]) "
                "AS changed (term, by) WHERE number = changed.term",
                ([n for n, _ in changed], [by for _, by in changed]),
            )
            self.connection.execute("DELETE FROM terms WHERE passages <= 0")


def update_words(
    connection: Connection,
    gone: Sequence[int] | None,
    new: Iterable[tuple[str, int, Sequence[str]]],
) -> None:
    """Takes out the words of documents, of all of them where `gone` is None, and puts in those of
    new passages: (id, number of its document, tokens)."""
    passages, tokens, numbers = connection.execute(
        "SELECT passages, tokens, numbers FROM totals"
    ).fetchone() or (0, 0, 0)
    out: list[tuple[int, Tokens]] = []
    if gone is None:
        for table in ("postings", "terms", "passage_tokens"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
        passages = tokens = numbers = 0
    elif gone:
        rows = connection.execute(
            "DELETE FROM passage_tokens WHERE doc = ANY(%s) RETURNING number, tokens",
            (list(gone),),
        ).fetchall()
        out = sorted((number, np.frombuffer(held, dtype=TOKEN)) for number, held in rows)
        passages -= len(out)
        tokens -= sum(len(held) for _, held in out)
    ((last,),) = connection.execute("SELECT coalesce(max(number), -1) FROM terms").fetchall()
    terms = _Terms(connection, last + 1, fresh=last < 0)
    taken = {block: list(some) for block, some in groupby(out, lambda pair: pair[0] // BLOCK)}
    before = numbers  # numbers from here on are new, and their blocks too but for the first
    for block, some in _blocks(terms, new, first=numbers):
        _put_tokens(connection, some)
        numbers = some[-1].number + 1
        passages += len(some)
        tokens += sum(len(passage.tokens) for passage in some)
        held = block * BLOCK < before
        _merge(connection, terms, block, taken.pop(block, []), some, held=held)
    for block, gone_here in taken.items():
        _merge(connection, terms, block, gone_here, [], held=True)
    terms.write()
    connection.execute(_TOTALS, (passages, tokens, numbers))


@dataclass(frozen=True, slots=True)
class _Passage:
    number: int
    id: str
    document: int
    tokens: Tokens


def _blocks(
    terms: _Terms, new: Iterable[tuple[str, int, Sequence[str]]], *, first: int
) -> Iterator[tuple[int, list[_Passage]]]:
    """New passages with their numbers, those of one block at a time."""
    waiting, number = iter(new), first
    block: list[_Passage] = []
    while batch := list(islice(waiting, _BATCH)):
        terms.numbers(word for _, _, words in batch for word in words)
        for id_, document, words in batch:
            if block and number % BLOCK == 0:
                yield block[0].number // BLOCK, block
                block = []
            held = np.fromiter((terms.known[word] for word in words), TOKEN, len(words))
            block.append(_Passage(number, id_, document, held))
            number += 1
    if block:
        yield block[0].number // BLOCK, block


def _put_tokens(connection: Connection, passages: Sequence[_Passage]) -> None:
    copied(
        connection, "passage_tokens", ["number", "id", "doc", "tokens"],
        ["int4", "text", "int4", "bytea"],
        ((p.number, stored(p.id), p.document, p.tokens.tobytes()) for p in passages),
    )  # fmt: skip


def _merge(
    connection: Connection,
    terms: _Terms,
    block: int,
    gone: Sequence[tuple[int, Tokens]],
    new: Sequence[_Passage],
    *,
    held: bool,
) -> None:
    """Writes the postings of a block anew for the terms that are in more or fewer passages of it;
    `held`: the block may have postings already."""
    added = _entries(new)
    terms.more.update({term: len(entries) for term, entries in added.items()})
    without: Counter[int] = Counter()
    for _, tokens in gone:
        without.update(np.unique(tokens).tolist())
    terms.more.subtract(without)
    touched = sorted(added.keys() | without.keys())
    if held and touched:
        numbers = np.array([number for number, _ in gone], dtype=np.int32)
        rows = connection.execute(
            "DELETE FROM postings WHERE block = %s AND term = ANY(%s) RETURNING term, entries",
            (block, touched),
            binary=True,
        ).fetchall()
        for term, content in rows:
            there = np.frombuffer(content, dtype=ENTRY)
            if term in without:
                there = there[~np.isin(there["passage"], numbers)]
            added[term] = np.concatenate([there, added[term]]) if term in added else there
    copied(
        connection, "postings", ["term", "block", "entries"], ["int4", "int4", "bytea"],
        ((term, block, entries.tobytes()) for term, entries in added.items() if len(entries)),
    )  # fmt: skip


def _entries(passages: Sequence[_Passage]) -> dict[int, Entries]:
    """The postings of each term in these passages."""
    lengths = np.array([len(passage.tokens) for passage in passages], dtype=np.int64)
    if not lengths.sum():
        return {}
    numbers = np.array([passage.number for passage in passages], dtype=np.int64)
    tokens = np.concatenate([passage.tokens for passage in passages])
    places = np.repeat(np.arange(len(passages)), lengths)
    # Sorted, the tokens of a term stand together, and among them those of a passage.
    keys = np.sort(tokens.astype(np.int64) * len(passages) + places)
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    of, place = np.divmod(keys[first], len(passages))
    entries = np.empty(len(first), dtype=ENTRY)
    entries["passage"] = numbers[place]
    entries["count"] = np.diff(first, append=len(keys))
    entries["length"] = lengths[place]
    starts = np.flatnonzero(np.diff(of, prepend=-1))
    pieces = np.split(entries, starts[1:])
    return dict(zip(of[starts].tolist(), pieces, strict=True))
