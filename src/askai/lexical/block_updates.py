"""Keeps the postings of `blocks` in step with the documents, a block at a time, on any server."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from askai.lexical.blocks import ENTRY, Entries

TOKEN = np.dtype("<i4")
Tokens = NDArray[np.int32]  # numbers of terms, in the order of a passage
_BATCH = 1_000  # passages whose unknown words are looked up together


@dataclass(frozen=True, slots=True)
class Passage:
    """A new passage of the word index."""

    number: int
    id: str
    document: int  # its number
    tokens: Tokens


class WordTables(Protocol):
    """What a server keeps of the words. Terms go by numbers, which the server's side gives."""

    block: int  # passage numbers of a block

    def totals(self) -> tuple[int, int, int]:
        """As `blocks.Postings.totals`."""
        ...

    def clear(self) -> None:
        """Takes out everything."""
        ...

    def take_out(self, documents: Sequence[int]) -> list[tuple[int, Tokens]]:
        """Takes out the passages of these documents, but not their postings; returns their numbers
        and tokens."""
        ...

    def numbered(self, words: Iterable[str]) -> Mapping[str, int]:
        """The number of each of these words, and maybe of others."""
        ...

    def put_tokens(self, passages: Sequence[Passage]) -> None: ...

    def take_postings(self, block: int, terms: Sequence[int]) -> Iterable[tuple[int, Entries]]:
        """Takes out the postings that a block has of these terms, and returns them."""
        ...

    def put_postings(self, block: int, entries: Mapping[int, Entries]) -> None:
        """The postings of a block for these terms, of which some may have none now."""
        ...

    def finish(self, more: Mapping[int, int], totals: tuple[int, int, int]) -> None:
        """By how many passages each term is in more or in fewer, and the new totals."""
        ...


def update_words(
    tables: WordTables,
    gone: Sequence[int] | None,
    new: Iterable[tuple[str, int, Sequence[str]]],
) -> None:
    """Takes out the words of documents, of all of them where `gone` is None, and puts in those of
    new passages: (id, number of its document, tokens)."""
    passages, tokens, numbers = tables.totals()
    out: list[tuple[int, Tokens]] = []
    if gone is None:
        tables.clear()
        passages = tokens = numbers = 0
    elif gone:
        out = sorted(tables.take_out(gone), key=lambda pair: pair[0])
        passages -= len(out)
        tokens -= sum(len(held) for _, held in out)
    more: Counter[int] = Counter()
    size = tables.block
    taken = {block: list(some) for block, some in groupby(out, lambda pair: pair[0] // size)}
    before = numbers  # numbers from here on are new, and their blocks too but for the first
    for block, some in _blocks(tables, new, first=numbers):
        tables.put_tokens(some)
        numbers = some[-1].number + 1
        passages += len(some)
        tokens += sum(len(passage.tokens) for passage in some)
        held = block * size < before
        _merge(tables, more, block, taken.pop(block, []), some, held=held)
    for block, gone_here in taken.items():
        _merge(tables, more, block, gone_here, [], held=True)
    tables.finish(more, (passages, tokens, numbers))


def _blocks(
    tables: WordTables, new: Iterable[tuple[str, int, Sequence[str]]], *, first: int
) -> Iterator[tuple[int, list[Passage]]]:
    """New passages with their numbers, those of one block at a time."""
    waiting, number = iter(new), first
    block: list[Passage] = []
    while batch := list(islice(waiting, _BATCH)):
        known = tables.numbered(word for _, _, words in batch for word in words)
        for id_, document, words in batch:
            if block and number % tables.block == 0:
                yield block[0].number // tables.block, block
                block = []
            held = np.fromiter((known[word] for word in words), TOKEN, len(words))
            block.append(Passage(number, id_, document, held))
            number += 1
    if block:
        yield block[0].number // tables.block, block


def _merge(
    tables: WordTables,
    more: Counter[int],
    block: int,
    gone: Sequence[tuple[int, Tokens]],
    new: Sequence[Passage],
    *,
    held: bool,
) -> None:
    """Writes the postings of a block anew for the terms that are in more or fewer passages of it;
    `held`: the block may have postings already."""
    added = _entries(new)
    more.update({term: len(entries) for term, entries in added.items()})
    without: Counter[int] = Counter()
    for _, tokens in gone:
        without.update(np.unique(tokens).tolist())
    more.subtract(without)
    touched = sorted(added.keys() | without.keys())
    if held and touched:
        numbers = np.array([number for number, _ in gone], dtype=np.int32)
        for term, there in tables.take_postings(block, touched):
            left = there[~np.isin(there["passage"], numbers)] if term in without else there
            added[term] = np.concatenate([left, added[term]]) if term in added else left
    tables.put_postings(block, added)


def _entries(passages: Sequence[Passage]) -> dict[int, Entries]:
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
