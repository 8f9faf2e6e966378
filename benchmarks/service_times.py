"""What a question to an index on servers takes, and where: on each shard, and of whoever asks.

Measured one shard after the other, so that none waits for another: what they take together is what
`scale_sim` makes of it. Besides, the same questions as people ask them, at random moments.
"""

import json
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from askai.aliases import Aliases
from askai.centring import centring_for
from askai.legs import Legs, in_turn, together
from askai.postgres.connection import Address, Snapshot
from askai.postgres.opened import open_servers
from askai.postgres.published import opened
from askai.postgres.sharded import ShardedIndex
from askai.postgres.sharding import Fan
from askai.retrieve import Query, Retriever
from askai.servers import PublishedIndex

K = 10
WARM = 40  # questions that are not counted
_THREADS = 32  # of a process that asks
A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Times:
    """Of one question, in ms. It asks the shards in rounds: each waits for the slowest of the one
    before."""

    rounds: tuple[tuple[float, ...], ...]  # of each shard; 0 where it was not asked
    asker: float  # the rest: merging, weighing words, ranking

    @property
    def work(self) -> float:
        """Of all machines."""
        return sum(map(sum, self.rounds)) + self.asker


@dataclass(frozen=True)
class Measured:
    """What a file of `--times` holds."""

    passages: int  # of a shard, on average
    shards: int
    cores: int  # of the machine, which servers and asker shared
    load: float  # of it, over the minute before
    times: list[Times]

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)) + "\n", "utf-8")

    @classmethod
    def read(cls, file: Path) -> "Measured":
        held = json.loads(file.read_text("utf-8"))
        held["times"] = [Times(tuple(map(tuple, t["rounds"])), t["asker"]) for t in held["times"]]
        return cls(**held)


class _OneByOne(Fan):
    """Asks one shard after the other, and keeps how long each took."""

    def __init__(self, shards: int) -> None:
        super().__init__(shards)
        self._shards = shards
        self.rounds: list[tuple[float, ...]] = []

    def __call__(self, ask: Callable[[A], B], of: Iterable[A]) -> list[B]:
        found, spent = [], []
        for one in of:
            start = time.perf_counter()
            found.append(ask(one))
            spent.append(1000 * (time.perf_counter() - start))
        self.rounds.append((*spent, *[0.0] * (self._shards - len(spent))))
        return found


def measure(addresses: Sequence[Address], questions: Sequence[Query]) -> Measured:
    """The times of each question, asked alone, by connections that are there already."""
    times = []
    with ExitStack() as stack:
        pools = [stack.enter_context(address.pool(size=2)) for address in addresses]
        for query in [*questions[:WARM], *questions]:
            start = time.perf_counter()
            fan = _OneByOne(len(addresses))
            parts = fan(lambda pair: opened(Snapshot(*pair)), zip(addresses, pools, strict=True))
            index = ShardedIndex(dict(enumerate(parts)), len(addresses), {})
            with index:
                index.__dict__["_fan"] = fan
                retriever_of(index, None).search(query, K)
                passages = index.manifest.counts.chunks
            whole = 1000 * (time.perf_counter() - start)
            spent = sum(map(sum, fan.rounds))
            times.append(Times(tuple(fan.rounds), max(0.0, whole - spent)))
    return Measured(
        passages // len(addresses), len(addresses), os.cpu_count() or 1, os.getloadavg()[0],
        times[WARM:],
    )  # fmt: skip


def asked(
    addresses: Sequence[Address], questions: Sequence[Query], *, rate: float, seconds: float
) -> list[float]:
    """The ms of questions that come at random moments (Poisson), so many a second, asked by as many
    processes as there are cores; from the moment of each on, so that waiting counts."""
    spawned = multiprocessing.get_context("spawn")
    count = os.cpu_count() or 1
    queue, began = spawned.Queue(), spawned.Barrier(count)
    processes = [
        spawned.Process(
            target=_asks, args=(queue, began, addresses, questions, rate / count, seconds)
        )
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    found = [ms for _ in processes for ms in queue.get(timeout=seconds + 120)]
    for process in processes:
        process.join()
    return found


def _asks(
    queue: Any,
    began: Any,
    addresses: Sequence[Address],
    questions: Sequence[Query],
    *about: float,
) -> None:
    rate, seconds = about
    choose = random.Random(os.getpid())  # noqa: S311
    times: list[float] = []
    with ExitStack() as stack:
        pools = [stack.enter_context(address.pool(size=_THREADS)) for address in addresses]

        def ask(query: Query, due: float | None) -> None:
            with open_servers(addresses, pools) as index:
                legs = together if index.concurrent else in_turn
                retriever_of(index, None, legs).search(query, K)
            if due is not None:
                times.append(1000 * (time.perf_counter() - due))

        for query in questions[:WARM]:
            ask(query, None)
        began.wait()
        due = time.perf_counter()
        until = due + seconds
        with ThreadPoolExecutor(_THREADS) as threads:
            while (due := due + choose.expovariate(rate)) < until:
                time.sleep(max(0.0, due - time.perf_counter()))
                threads.submit(ask, choose.choice(questions), due)
    queue.put(times)


def retriever_of(opened: PublishedIndex, embedder: Any, legs: Legs = in_turn) -> Retriever:
    """Of an index with no names; `embedder` where questions are still to be prepared."""
    return Retriever(
        catalog=opened.catalog(),
        store=opened.vectors("passage_vectors"),
        units=opened.vectors("unit_vectors"),
        lexical=opened.words(),
        embedder=embedder,
        centring=centring_for(embedder) if embedder else cast("Any", None),
        aliases=Aliases(()),
        induced=opened.induced(),
        legs=legs,
    )
