"""Which shard has a document, and the asking of all shards at once."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def shard_of(path: str, shards: int) -> int:
    """The shard of a document, from 0: by a hash of its path, so that nobody has to look it up, and
    an edit stays where the document is."""
    digest = sha256(path.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % shards


class Fan:
    """Asks all shards at the same time, each in a thread; close it after use."""

    def __init__(self, shards: int) -> None:
        # Two legs of a question may ask at the same time, and none waits for the other.
        self._threads = ThreadPoolExecutor(max(1, 2 * (shards - 1)), "askai-shard")

    def __call__(self, ask: Callable[[A], B], of: Iterable[A]) -> list[B]:
        """What `ask` returns for each, in their order; raises what the first of them raises, when
        none is at work any more."""
        *others, last = list(of)
        waiting = [self._threads.submit(ask, one) for one in others]
        try:
            found = ask(last)
        finally:
            for future in waiting:
                future.exception()
        return [*(future.result() for future in waiting), found]

    def close(self) -> None:
        self._threads.shutdown()


class Places:
    """Which shard has a passage, as far as that was seen; `shards` are those that are asked."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._known: dict[str, int] = {}

    def learn(self, shard: int, ids: Iterable[str]) -> None:
        self._known.update(dict.fromkeys(ids, shard))

    def split(self, ids: Iterable[str], passage: Callable[[str], str] = str) -> list[list[str]]:
        """The ids that each shard is to be asked for, in their order: those of passages not seen
        yet are asked of all. `passage` makes the id of a passage of an id."""
        parts: list[list[str]] = [[] for _ in range(self._shards)]
        for id_ in ids:
            shard = self._known.get(passage(id_))
            for part in parts if shard is None else (parts[shard],):
                part.append(id_)
        return parts


def merged(found: Sequence[Sequence[tuple[str, float]]], k: int) -> list[tuple[str, float]]:
    """The k best of what each shard found best, ties in order of id: scores are exact, so these are
    the k best of all."""
    every = [pair for some in found for pair in some]
    return sorted(every, key=lambda pair: (-pair[1], pair[0]))[: max(0, k)]
