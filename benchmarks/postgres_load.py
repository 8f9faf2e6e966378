"""Many who ask while somebody publishes all the time: `python -m benchmarks.postgres_load`.

    --store "postgresql://… …"  a server with pgvector, or several, the shards, with blanks between
    --clients N      who ask, each with a connection of its own to each server [32]
    --processes N    in which they are threads; 0: in this one [4]
    --seconds N      [60]
    --documents N    of three passages each [300]

Each publication edits ten documents, and each of their passages says of which edition it is. A
question is stale when it sees an edition older than the one that was current when it began, and
half when it sees two; both are counted, and so are errors. Questions go the whole way, from the
opening of the snapshot to the answer, by `open_askai` as of a server; the model is `hashing`, since
the machine that asks is not what is measured. The same is then done by one client alone. Prints a
line of JSON; exit code 1: something was stale, half or an error.
"""

import argparse
import json
import multiprocessing
import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import numpy as np

from askai import recipes
from askai.assemble import open_askai, open_pool
from askai.errors import AskaiError
from askai.indexing import build
from askai.postgres.connection import Address
from askai.settings import Settings

SCHEMA = "askai_load"
EDITED = 10  # documents of each publication
_EDITION = re.compile(r"edition (\d{6})")
_SLOWEST = 60.0  # seconds until a client has to have ended
WORDS = [
    "river",
    "bridge",
    "harbour",
    "winter",
    "market",
    "robot",
    "price",
    "council",
    "school",
    "hospital",
    "railway",
    "forest",
    "energy",
    "budget",
    "village",
    "museum",
    "water",
    "festival",
    "factory",
    "tunnel",
    "engine",
    "cloud",
    "library",
    "garden",
    "border",
    "treaty",
]


@dataclass(frozen=True)
class Load:
    """What is asked, and by how many."""

    settings: Settings
    clients: int
    processes: int
    seconds: float


@dataclass
class Seen:
    """What clients saw."""

    times: list[float] = field(default_factory=list)  # ms, of each question
    stale: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, other: "Seen") -> None:
        for name in ("times", "stale", "half", "errors"):
            getattr(self, name).extend(getattr(other, name))


class Editions:
    """A folder of documents whose edited ones say of which edition they are."""

    def __init__(self, folder: Path, documents: int, stores: Sequence[str]) -> None:
        self.settings = Settings(
            corpus=str(folder / "corpus"), index=str(folder / "index"), model="hashing",
            reranker="none", store=" ".join(stores), store_schema=SCHEMA, chunk_tokens=32,
        )  # fmt: skip
        (folder / "corpus").mkdir()
        for n in range(documents):
            self._write(n, 0)

    def _write(self, n: int, edition: int) -> None:
        choose = random.Random(n)  # noqa: S311  the same words in each edition
        paragraphs = (
            f"Report {n} on {choose.choice(WORDS)} and {choose.choice(WORDS)}, "
            f"edition {edition:06}, part {part}: the {' '.join(choose.sample(WORDS, 8))}."
            for part in range(3)
        )
        path = self.settings.corpus_dir / f"{n:05}.txt"
        path.write_text("\n\n".join(paragraphs) + "\n", "utf-8")

    def publish(self, edition: int, *, of: int = EDITED) -> None:
        """Edits so many and publishes; what is published is current when this returns."""
        for n in range(of):
            self._write(n, edition)
        corpus = recipes.open_corpus(self.settings)
        build(corpus, self.settings.index_dir, recipes.recipe(self.settings))
        recipes.publish(self.settings)


def client(load: Load, pools: Any, current: "Synchronized[int]", until: float, seed: int) -> Seen:
    """One who asks until `until` (of `time.time`)."""
    choose = random.Random(seed)  # noqa: S311
    seen = Seen()
    while time.time() < until:
        n = choose.randrange(EDITED)
        question = f"What does report {n} say on the {choose.choice(WORDS)}, part {n % 3}?"
        began, start = current.value, time.perf_counter()
        try:
            with open_askai(load.settings, pool=pools) as askai:
                found = askai.answerer.ask(question, k=5)
                seen.times.append(1000 * (time.perf_counter() - start))
                texts = [hit.text for hit in found.passages if _is_edited(hit.chunk.path)]
                texts += [askai.catalog.text(f"{m:05}.txt") for m in (n, (n + 1) % EDITED)]
        except AskaiError as error:
            seen.errors.append(f"{type(error).__name__}: {error}")
            continue
        editions = {int(edition) for text in texts for edition in _EDITION.findall(text)}
        if len(editions) != 1:
            seen.half.append(f"{question} saw the editions {sorted(editions)}")
        if min(editions, default=-1) < began:
            seen.stale.append(f"{question} saw {sorted(editions)}, current was {began}")
    return seen


def _is_edited(path: str) -> bool:
    return int(path.removesuffix(".txt")) < EDITED


def clients(load: Load, count: int, current: "Synchronized[int]", until: float, seed: int) -> Seen:
    """So many clients, each a thread of this process."""
    seen = Seen()
    with open_pool(load.settings) as pools:
        found: list[Seen] = []
        threads = [
            threading.Thread(
                target=lambda n=n: found.append(client(load, pools, current, until, seed + n))
            )
            for n in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(load.seconds + _SLOWEST)
    for one in found:
        seen.add(one)
    if len(found) < count:
        seen.errors.append(f"{count - len(found)} clients did not end")
    return seen


def _process(
    queue: Any, load: Load, share: tuple[int, int], current: "Synchronized[int]", began: Any
) -> None:
    count, seed = share
    with open_askai(load.settings) as askai:  # what a process does once
        askai.answerer.ask("What does report 1 say?", k=5)
    began.wait()
    queue.put(clients(load, count, current, time.time() + load.seconds, seed))


def asked(load: Load, current: "Synchronized[int]") -> Seen:
    """What all clients see in the seconds of a load."""
    if not load.processes:  # in this one
        return clients(load, load.clients, current, time.time() + load.seconds, 0)
    spawned = multiprocessing.get_context("spawn")
    queue = spawned.Queue()
    began = spawned.Barrier(load.processes)
    shares = [len(range(n, load.clients, load.processes)) for n in range(load.processes)]
    processes = [
        spawned.Process(target=_process, args=(queue, load, (share, 1000 * n), current, began))
        for n, share in enumerate(shares)
    ]
    for process in processes:
        process.start()
    seen = Seen()
    for _ in processes:
        seen.add(queue.get(timeout=load.seconds + 2 * _SLOWEST))
    for process in processes:
        process.join()
    return seen


@contextmanager
def published(editions: Editions, current: "Synchronized[int]") -> Iterator[dict[str, Any]]:
    """Publishes one edition after another, until the block ends; says how many, and how long each
    took, in ms."""
    done: dict[str, Any] = {"times": [], "error": ""}
    stop = threading.Event()

    def publish() -> None:
        try:
            while not stop.is_set():
                start = time.perf_counter()
                editions.publish(current.value + 1)
                current.value += 1
                done["times"].append(1000 * (time.perf_counter() - start))
        except Exception as error:  # noqa: BLE001 - whatever it is, it counts
            done["error"] = f"{type(error).__name__}: {error}"

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def measured(editions: Editions, load: Load, *, alone: bool = True) -> dict[str, Any]:
    """The load with a publisher at work, and one client `alone` with one."""
    current = multiprocessing.get_context("spawn").Value("l", 1)
    editions.publish(1)
    result: dict[str, Any] = {
        "shards": len(editions.settings.servers), "clients": load.clients,
        "seconds": load.seconds,
    }  # fmt: skip
    loads = {"all": load} | ({"one": replace(load, clients=1, processes=1)} if alone else {})
    for name, one in loads.items():
        # The publisher has a processor's worth of this machine, too.
        with published(editions, current) as publications:
            seen = asked(one, current)
        result[name] = {
            "questions": len(seen.times),
            "per_second": round(len(seen.times) / load.seconds, 1),
            "ms": percentiles(seen.times),
            "publications": len(publications["times"]),
            "publication_ms": percentiles(publications["times"]),
            "stale": len(seen.stale),
            "half": len(seen.half),
            "errors": len(seen.errors) + bool(publications["error"]),
            "examples": [*seen.errors, *seen.stale, *seen.half, publications["error"]][:3],
        }
    return result


def percentiles(times: Sequence[float]) -> dict[str, float]:
    """In ms; empty where nothing was measured."""
    return {f"p{p}": round(float(np.percentile(times, p)), 1) for p in (50, 95, 99) if len(times)}


def drop(stores: Sequence[str]) -> None:
    for store in stores:
        with Address(store, SCHEMA).connect("benchmark") as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.postgres_load",
                                     description=(__doc__ or "").partition("\n")[0])  # fmt: skip
    parser.add_argument("--store", required=True, metavar="ADDRESSES")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--documents", type=int, default=300)
    options = parser.parse_args()
    stores = options.store.split()
    drop(stores)
    with tempfile.TemporaryDirectory() as folder:
        editions = Editions(Path(folder), options.documents, stores)
        load = Load(editions.settings, options.clients, options.processes, options.seconds)
        found = measured(editions, load)
    drop(stores)
    sys.stdout.write(json.dumps(found) + "\n")
    bad = sum(found[who][what] for who in ("all", "one") for what in ("stale", "half", "errors"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
