"""The order of the measurements: every round measures each system once, in changing order."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import getloadavg
from pathlib import Path
from shutil import rmtree
from time import monotonic
from typing import TypeVar

from benchmarks.errors import BenchError
from benchmarks.measure import Processes, Server, folder_bytes
from benchmarks.measures import ndcg_at_10, success_at_1
from benchmarks.results import Results
from benchmarks.sets import BenchSet, Question
from benchmarks.systems import ASKAI, KINDS, PLAIN, SHOWN, Kind

ABSTAINED = 3  # of `askai ask`: it is an answer, too
RANKED = 10
_BLOCK = 10  # questions to one system in a row, as of somebody who works with it
_FIRST = 3  # questions before those that count
_EMBEDDED = 64  # passages in one measurement of embedding
_TRIED = 12  # documents that are embedded to see how fast that is
_INDEXED = 0.013  # the share of the time in which the plain script has to embed all documents
_COLD = 4  # rounds of cold starts that always run, with the one that does not count
_WARM = 5  # blocks of warm questions that always run
_TOLD = 50  # questions between two lines of progress

T = TypeVar("T")
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Amounts:
    """How often each thing is measured."""

    minutes: float  # when they have passed, no further repetition begins
    documents: int | None  # None: all
    cold_rounds: int
    warm_questions: int
    embed_rounds: int
    quality_questions: int
    index_rounds: int


WHOLE = Amounts(20, None, 9, 60, 5, 200, 3)
QUICK = Amounts(3, 40, 2, 10, 1, 20, 1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is."""

    work: Path  # indexes and logs, made anew
    model: Path
    python: str  # askai's
    peers: str  # the Python of all others

    def command(self, kind: Kind, do: str, *given: str) -> list[str]:
        """The worker of a system."""
        python = self.peers if kind.is_peer else self.python
        folder = str(self.work / kind.name)
        return [python, "-m", "benchmarks.worker", kind.name, do, str(self.model), folder, *given]

    def shell(self, kind: Kind, way: str, question: str) -> list[str]:
        """What is typed to get an answer."""
        if kind.name != ASKAI:
            return self.command(kind, "search", question)
        folder = self.work / ASKAI
        where = ["--corpus", str(folder / "corpus"), "--index", str(folder / "index")]
        shown = ["-k", str(SHOWN)] if way == "search" else []
        return [self.python, "-m", "askai", *where, *way.split(), *shown, "--", question]


def column(kind: Kind, way: str) -> str:
    """What a way of asking is called among the figures."""
    return f"{kind.name} {way}" if len(kind.ways) > 1 else kind.name


WAYS = tuple((kind, way) for kind in KINDS for way in kind.ways)


def turned(items: Sequence[T], n: int) -> list[T]:
    """The items from the n-th on, then those before: nobody is always first."""
    start = n % len(items)
    return [*items[start:], *items[:start]]


class Clock:
    """Minutes since the start, and whether there is time for more."""

    def __init__(self, minutes: float, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._began = now()
        self._limit = 60 * minutes

    @property
    def seconds(self) -> float:
        return self._now() - self._began

    def rounds(
        self,
        count: int,
        share: float,
        cut_short: Callable[[int], None],
        *,
        least: int = 1,
        expected: float | None = None,
    ) -> Iterator[int]:
        """0 to count - 1; ends earlier, and says so, before a round that would pass the share.

        The first `least` rounds always run. A round is taken to last as long as the one before
        it, the first as long as `expected`.
        """
        for n in range(count):
            over = expected is not None and self.seconds + expected > share * self._limit
            if n >= least and over:
                cut_short(n)
                return
            began = self.seconds
            yield n
            expected = self.seconds - began


class Run:
    """One run of the benchmark; figures go into `results`, which `keep` writes."""

    def __init__(
        self,
        sets: Sequence[BenchSet],
        amounts: Amounts,
        place: Place,
        processes: Processes,
        results: Results,
        *,
        keep: Callable[[], None],
        tell: Tell,
    ) -> None:
        self._sets = sets
        self._amounts = amounts
        self._place = place
        self._processes = processes
        self._results = results
        self._keep = keep
        self._tell = tell
        self._clock = Clock(amounts.minutes)

    def all(self) -> None:
        """Everything, what matters most first."""
        self.fit()
        documents = self._place.work / "passages.json"
        documents.write_text(json.dumps(self._sets[0].passages), "utf-8")
        began = self._clock.seconds
        self.indexing(documents, 0)
        once = self._clock.seconds - began
        self.cold()
        with self._servers() as servers:
            self.warm(servers)
            self.embedding(servers)
            self.quality(servers)
        more = self._amounts.index_rounds - 1
        for n in self._rounds("indexing", more, 1.0, before=1, least=0, expected=once):
            self.indexing(documents, n + 1)
        self._results.about["seconds"] = round(self._clock.seconds)
        self._results.about["load_at_end"] = getloadavg()[0]
        self._results.about["complete"] = True
        self._keep()

    def fit(self) -> None:
        """As many documents as the machine can index often enough in the time that there is."""
        plain = next(kind for kind in KINDS if kind.name == PLAIN)
        texts = [passage.text for passage in self._sets[0].passages[:_TRIED]]
        self._say("how fast the plain script embeds here")
        with self._processes.serve(PLAIN, self._place.command(plain, "serve")) as server:
            server.ask("embed", texts=texts[:1])
            seconds = server.ask("embed", texts=texts)
        budget = _INDEXED * 60 * self._amounts.minutes * sum(map(len, texts)) / seconds
        whole = len(self._sets[0].passages)
        count = self._sets[0].holding(int(budget), least=_TRIED)
        if count < whole:
            self._sets = [bench.first(count) for bench in self._sets]
            note = f"the first {count} of {whole} documents and the questions about them"
            self._results.note(f"{note}, for lack of time")
        self._results.about["documents"] = count
        self._results.about["characters"] = self._sets[0].characters

    def indexing(self, documents: Path, n: int) -> None:
        """Each system's index, made anew: rate, memory, size."""
        characters = self._sets[0].characters
        for kind in turned(KINDS, n):
            self._say(f"indexing, round {n + 1} of {self._amounts.index_rounds}: {kind.name}")
            folder = self._place.work / kind.name
            rmtree(folder, ignore_errors=True)
            ran = self._processes.run(self._place.command(kind, "index", str(documents)))
            took = json.loads(ran.out)
            self._add("indexing characters per second", kind.name, characters / took["seconds"])
            self._add("indexing load seconds", kind.name, took["load_seconds"])
            self._add("indexing peak MB", kind.name, ran.megabytes)
            self._add("embedded characters", kind.name, took["characters"])
            self._add("embedded texts", kind.name, took["texts"])
            kept = folder / "index" if kind.name == ASKAI else folder
            self._add("index bytes", kind.name, folder_bytes(kept))
            self._keep()

    def cold(self) -> None:
        """From the shell to the answer; a first round, which does not count, warms the disk."""
        rounds = self._amounts.cold_rounds
        questions = self._sets[0].spread(rounds + 1)
        for n in self._rounds("cold start", rounds + 1, 0.55, before=-1, least=_COLD):
            self._say(f"cold start, round {n} of {rounds}" if n else "cold start, to warm the disk")
            for kind, way in turned(WAYS, n):
                question = questions[n % len(questions)].text
                fine = (0, ABSTAINED) if way.startswith("ask") else (0,)
                ran = self._processes.run(self._place.shell(kind, way, question), fine=fine)
                if not ran.out.strip():
                    raise BenchError(f"{column(kind, way)} printed nothing.")
                if n:
                    self._add("cold seconds", column(kind, way), ran.seconds)
                    self._add("cold peak MB", column(kind, way), ran.megabytes)
            self._keep()

    @contextmanager
    def _servers(self) -> Iterator[dict[str, Server]]:
        with ExitStack() as stack:
            servers = {}
            for kind in KINDS:
                self._say(f"loading {kind.name}")
                command = self._place.command(kind, "serve")
                servers[kind.name] = stack.enter_context(self._processes.serve(kind.name, command))
                servers[kind.name].ask("open")
            yield servers

    def warm(self, servers: dict[str, Server]) -> None:
        """Question by question within one process that has everything loaded."""
        wanted = self._amounts.warm_questions
        texts = [question.text for question in self._sets[0].spread(wanted + _FIRST)]
        before, texts = texts[:_FIRST], texts[_FIRST:]
        for kind, way in WAYS:
            servers[kind.name].ask("ask", questions=before, k=SHOWN, how=way)
        blocks = [texts[at : at + _BLOCK] for at in range(0, len(texts), _BLOCK)]
        for n in self._rounds("warm questions", len(blocks), 0.75, least=_WARM):
            self._say(f"warm, block {n + 1} of {len(blocks)} of {_BLOCK} questions")
            for kind, way in turned(WAYS, n):
                took = servers[kind.name].ask("ask", questions=blocks[n], k=SHOWN, how=way)
                for seconds in took:
                    self._add("warm seconds", column(kind, way), seconds)
            self._keep()

    def embedding(self, servers: dict[str, Server]) -> None:
        """Nothing but vectors: askai's embedder beside `encode` with default arguments."""
        texts = [passage.text for passage in self._sets[0].passages]
        names = (PLAIN, ASKAI)
        for name in names:  # 32 texts, so that what many texts need is loaded
            servers[name].ask("embed", texts=[f"{n}: {texts[0][:80]}" for n in range(32)])
        for n in self._rounds("embedding", self._amounts.embed_rounds, 0.85):
            self._say(f"embedding, round {n + 1} of {self._amounts.embed_rounds}")
            part = turned(texts, n * _EMBEDDED)[:_EMBEDDED]
            characters = sum(map(len, part))
            for name in turned(names, n):
                seconds = servers[name].ask("embed", texts=part)
                self._add("embedding characters per second", name, characters / seconds)
            self._keep()

    def quality(self, servers: dict[str, Server]) -> None:
        """nDCG@10 and Success@1 of whole documents, by each set."""
        for n, bench in enumerate(self._sets):
            asked = bench.spread(self._amounts.quality_questions)
            blocks = [asked[at : at + _TOLD] for at in range(0, len(asked), _TOLD)]
            share = 0.85 + 0.15 * (n + 1) / len(self._sets)
            for m in self._rounds(f"questions of {bench.name}", len(blocks), share):
                self._say(f"quality on {bench.name}, {m * _TOLD} of {len(asked)} questions")
                for kind in KINDS:
                    self._rank(servers[kind.name], kind.name, bench.name, blocks[m])
                self._keep()

    def _rank(self, server: Server, name: str, bench: str, asked: Sequence[Question]) -> None:
        texts = [question.text for question in asked]
        found = server.ask("rank", questions=texts, k=RANKED)
        for question, ranked in zip(asked, found, strict=True):
            self._add(f"nDCG@10 {bench}", name, ndcg_at_10(question.relevant, ranked))
            self._add(f"Success@1 {bench}", name, success_at_1(question.relevant, ranked))

    def _add(self, measure: str, system: str, value: float) -> None:
        self._results.add(measure, system, value)

    def _rounds(
        self,
        what: str,
        count: int,
        share: float,
        *,
        before: int = 0,
        least: int = 1,
        expected: float | None = None,
    ) -> Iterator[int]:
        """See `Clock.rounds`; `before` are rounds of this that were measured before it."""

        def cut_short(after: int) -> None:
            done, wanted = after + before, count + before
            self._results.note(f"{what}: {done} of {wanted} rounds, for lack of time")

        return self._clock.rounds(count, share, cut_short, least=least, expected=expected)

    def _say(self, what: str) -> None:
        minutes, seconds = divmod(int(self._clock.seconds), 60)
        self._tell(f"[{minutes:2}:{seconds:02}] {what}")


def to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
