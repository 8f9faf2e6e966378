"""What an index of so many passages costs in PostgreSQL: `python -m benchmarks.postgres_scale`.

    --store postgresql://…   a server with pgvector, or several, the shards, with blanks between; a
                             schema of its own is made and dropped there
    --rows N                 passages [50000]
    --units N                sentences with a vector of their own, of each passage [0]
    --times FILE             writes what each question takes where, for `benchmarks.scale_sim`
    --keep                   leaves the schema there, for its --check
    --bench DIR  --work DIR  where the sets are, and where their vectors are kept

Vectors are real ones, mixed and blurred (`growth.vectors`), texts and words those of real
sentences. They are published as an index folder would be, in one transaction; questions are real,
and each is asked by a snapshot of its own from a pool. Truth is what NumPy finds by all cosines.
Prints a line of JSON.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np

from askai import servers
from askai.embedders import Vectors
from askai.embedders.models import resolve
from askai.legs import in_turn, together
from askai.manifest import FORMAT, Counts, Manifest, SourceState, settings_fingerprint
from askai.postgres.connection import Address
from askai.postgres.opened import Opened, open_servers
from askai.postgres.publish import publish
from askai.postgres.publish_shards import publish_shards
from askai.publication import LocalIndex
from askai.records import Chunk, Document, Source
from askai.retrieve import Query
from askai.tokens import content_tokens
from benchmarks import service_times
from benchmarks.growth.vectors import made, real, sentences
from benchmarks.service_times import retriever_of

ROOT = Path(__file__).parents[1]
SCHEMA = "askai_scale"
OF_A_DOCUMENT = 100  # passages
K = 10
QUESTIONS = 200
SECONDS = 60  # of warm questions at most


@dataclass(frozen=True)
class Made:
    """An index of made passages, with the parts that a publication reads of a folder."""

    texts: Sequence[str]
    found: Vectors  # of passages
    unit_found: Vectors
    per_passage: int
    words: dict[str, list[str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.found)

    def id(self, n: int) -> str:
        return f"{n * 2654435761 % 2**80:020x}"

    @cached_property
    def rows(self) -> dict[str, int]:
        return {self.id(n): n for n in range(self.count)}

    def paths(self) -> list[str]:
        return [f"{n:06}.txt" for n in range(-(-self.count // OF_A_DOCUMENT))]

    def of(self, path: str) -> range:
        first = int(path[:-4]) * OF_A_DOCUMENT
        return range(first, min(first + OF_A_DOCUMENT, self.count))

    def text(self, n: int) -> str:
        one, other = n % len(self.texts), n * 7919 % len(self.texts)
        return f"{self.texts[one]} {self.texts[other]}"

    # What a catalogue gives.
    def sources(self) -> list[Source]:
        return [self.source(path) for path in self.paths()]

    def source(self, path: str) -> Source:
        return Source(path, "0" * 64, 1, "text", "1", language="en", title=f"Report {path}")

    def positions(self) -> dict[str, int]:
        return {path: n for n, path in enumerate(self.paths())}

    def chunk_places(self) -> list[tuple[str, str, str | None, int]]:
        return [(self.id(n), path, "en", self.per_passage)
                for path in self.paths() for n in self.of(path)]  # fmt: skip

    def text_keys(self) -> list[tuple[str, bytes, bytes]]:
        return [(id_, b"", b"") for id_, *_ in self.chunk_places()]

    def chunks_of(self, path: str) -> list[Chunk]:
        return [self._chunk(path, n) for n in self.of(path)]

    def _chunk(self, path: str, n: int) -> Chunk:
        text = self.text(n)
        parts = max(1, self.per_passage)
        ends = [len(text) * part // parts for part in range(parts + 1)]
        spans = tuple(pairwise(ends))
        return Chunk(self.id(n), path, 0, len(text), text, "Report", language="en", units=spans)

    def document(self, path: str) -> Document:
        whole = "\n".join(self.text(n) for n in self.of(path))
        return Document(self.source(path), whole, ())

    def vectors(self, ids: Sequence[str]) -> Vectors:
        return np.asarray(self.found[[self.rows[id_] for id_ in ids]])

    def tokens_of(self, id_: str) -> list[str]:
        n = self.rows[id_]
        halves = (self.texts[n % len(self.texts)], self.texts[n * 7919 % len(self.texts)])
        for half in halves:
            if half not in self.words:
                self.words[half] = content_tokens(half)
        return [*self.words[halves[0]], *self.words[halves[1]]]


@dataclass(frozen=True)
class MadeUnits:
    """The vectors of a made index's sentences."""

    index: Made

    def vectors(self, ids: Sequence[str]) -> Vectors:
        def row(unit: str) -> int:
            passage, _, n = unit.partition(":")
            return self.index.rows[passage] * self.index.per_passage + int(n)

        return np.asarray(self.index.unit_found[[row(id_) for id_ in ids]])


def local(index: Made) -> LocalIndex:
    settings = {"embedder": {"name": "multilingual-e5-small", "fingerprint": "made"}}
    counts = Counts(len(index.paths()), index.count, 0, index.count * (1 + index.per_passage))
    manifest = Manifest(
        FORMAT, "g-20260101T000000-00000000", "2026-01-01T00:00:00+00:00", "0",
        settings_fingerprint(settings), settings, "", counts, 0.0, {}, {},
    )  # fmt: skip
    states = [SourceState(path, "0" * 64, 1, 0, 0) for path in index.paths()]
    made_parts: Any = index  # it has the methods that are called
    return LocalIndex(
        manifest, made_parts, made_parts, cast("Any", MadeUnits(index)), made_parts, states,
        "[]", '{"en": 1.0}', b"", "",
    )  # fmt: skip


class Stages:
    """When each stage of a publication began."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {"keys": time.perf_counter()}

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.began.setdefault(stage, time.perf_counter())
        if done == total:
            self.began.setdefault(f"after {stage}", time.perf_counter())

    def seconds(self) -> dict[str, float]:
        ends = [*list(self.began.values())[1:], time.perf_counter()]
        return {
            name: round(end - start, 2)
            for (name, start), end in zip(self.began.items(), ends, strict=True)
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.postgres_scale",
                                     description=(__doc__ or "").partition("\n")[0])  # fmt: skip
    parser.add_argument("--store", required=True, metavar="ADDRESS")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--units", type=int, default=0, choices=[0, 2, 3])
    parser.add_argument("--bench", type=Path, default=ROOT.parent / "shared" / "bench")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "growth")
    parser.add_argument("--times", type=Path, metavar="FILE")
    parser.add_argument("--keep", action="store_true", help="leave the schema there")
    options = parser.parse_args()
    addresses = addresses_of(options.store)
    drop(addresses)
    found = measured(addresses, options.bench, options.work, options.rows, options.units)
    if options.times:
        prepared = prepared_questions(lambda: open_servers(addresses), options.bench)
        service_times.measure(addresses, prepared).write(options.times)
    if not options.keep:
        drop(addresses)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def addresses_of(store: str) -> list[Address]:
    return [Address(one, SCHEMA) for one in store.split()]


def drop(addresses: Sequence[Address]) -> None:
    for address in addresses:
        with address.connect("benchmark") as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def measured(
    addresses: Sequence[Address], bench: Path, work: Path, rows: int, units: int
) -> dict[str, Any]:
    passages, asked = real(bench, work)
    index = Made(
        sentences(bench),
        np.concatenate([*made(passages, rows)]),
        np.concatenate([passages[:0], *made(passages, rows * units, seed=1)]),
        units,
    )
    stages = Stages()
    start = time.perf_counter()
    if len(addresses) > 1:
        publish_shards(local(index), addresses, progress=stages)
    else:
        publish(local(index), addresses[0], progress=stages)
    seconds = stages.seconds()
    result: dict[str, Any] = {
        "rows": rows,
        "units": rows * units,
        "published_s": round(time.perf_counter() - start, 1),
        "stages_s": seconds,
    }
    if len(addresses) == 1:  # of shards, the stages of the first alone are told apart
        documents_s = seconds["publishing"] + seconds["after publishing"]
        result |= {
            "documents_rows_per_s": round(rows / documents_s),
            "vectors_rows_per_s": round(rows / seconds["publishing vectors"]),
            "words_rows_per_s": round(rows / seconds["publishing words"]),
        }
    with ExitStack() as stack:
        pools = [stack.enter_context(address.pool(size=4)) for address in addresses]
        opened = open_servers(addresses, pools)
        stack.callback(opened.close)
        result |= recalls(opened, index, asked)
        result["bytes_per_passage"] = sizes(opened, rows)
        result |= questions(lambda: open_servers(addresses, pools), bench)
    return result


def recalls(opened: Opened, index: Made, asked: Vectors) -> dict[str, Any]:
    """recall@10 of all passages, and under filters of documents."""
    store = opened.vectors("passage_vectors")
    result: dict[str, Any] = {"found_by": asdict(store.found_by())}
    ids = np.array([index.id(n) for n in range(index.count)])
    for name, share in (("all", 1), ("1 %", 100), ("5 %", 20)):
        kept = np.array([n for n in range(index.count) if n // OF_A_DOCUMENT % share == 0])
        among = None if share == 1 else ids[kept].tolist()
        held = index.found if share == 1 else index.found[kept]
        shares, times = [], []
        for vector in asked[:QUESTIONS]:
            store = opened.vectors("passage_vectors")  # which remembers what it has read
            truth = set(ids[kept[np.argsort(-(held @ vector), kind="stable")[:K]]].tolist())
            start = time.perf_counter()
            found = store.search(vector, K, among=among)
            times.append(1000 * (time.perf_counter() - start))
            shares.append(len(truth & {id_ for id_, _ in found}) / K)
        result[f"recall@10 {name}"] = round(float(np.mean(shares)), 4)
        result[f"vector_ms {name}"] = percentiles(times)
    return result


def sizes(opened: Opened, rows: int) -> dict[str, int]:
    found: Counter[str] = Counter()
    for part in opened.parts():
        there = part.snapshot.rows(
            "SELECT relname, pg_total_relation_size(c.oid) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = %s AND relkind = 'r' "
            "AND pg_total_relation_size(c.oid) > 100000",
            (SCHEMA,),
        )
        found.update(dict(there))
    each = {name: round(size / rows) for name, size in found.most_common()}
    return {"all": sum(each.values()), **each}


Opens = Callable[[], servers.PublishedIndex]


def prepared_questions(opens: Opens, bench: Path) -> list[Query]:
    """Real questions, embedded."""
    embedder = resolve("multilingual-e5-small")
    texts = list(_questions(bench))[:QUESTIONS]
    with opens() as opened:
        return [retriever_of(opened, embedder).query(text) for text in texts]


def questions(opens: Opens, bench: Path) -> dict[str, Any]:
    """Warm hybrid questions: a snapshot each, both legs, the passages; embedded beforehand."""
    embedder = resolve("multilingual-e5-small")
    prepared = prepared_questions(opens, bench)
    times: list[float] = []
    for warm in (True, False):
        begun = time.perf_counter()
        for query in prepared:
            if time.perf_counter() - begun > SECONDS:
                break
            start = time.perf_counter()
            with opens() as opened:
                legs = together if opened.concurrent else in_turn
                retriever_of(opened, embedder, legs).search(query, K)
            if not warm:
                times.append(1000 * (time.perf_counter() - start))
    return {"questions": len(times), "hybrid_ms": percentiles(times)}


def _questions(bench: Path) -> Iterator[str]:
    for name in ("xquad-en", "scifact"):
        lines = (bench / name / "queries.jsonl").read_text("utf-8").splitlines()[: QUESTIONS // 2]
        yield from (json.loads(line)["text"] for line in lines)


def percentiles(times: Sequence[float]) -> dict[str, float]:
    return {f"p{p}": round(float(np.percentile(times, p)), 2) for p in (50, 95, 99)}


if __name__ == "__main__":
    sys.exit(main())
