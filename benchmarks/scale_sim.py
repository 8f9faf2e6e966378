"""What N shards with R replicas each take and cost under a load: `python -m benchmarks.scale_sim`.

    --times FILE      what a question takes on a shard and of the asker, as measured by
                      `benchmarks.postgres_scale --times`
    --shards 1,2,8    each as large as the measured ones, so that more shards are more passages
    --replicas 1,2    of each shard
    --rate 20,100     questions a second
    --cores 4         of a server; the asker has as many, times --askers
    --price 0.20      of a server for an hour, in whatever money
    --check ADDRESSES does as much for the shards that are there, where servers and asker share
                      this machine's cores, asks them really, and prints both and their ratio;
                      with --times it writes what it has measured

Questions come at random moments (Poisson). Each goes to one replica of every shard, chosen at
random, in rounds (the snapshot, the vectors, the words …) that each wait for the slowest shard of
the one before; what has come is then merged by the asker. A machine shares its cores
among what it has to do, each having one at most (processor sharing). Not in it: the network, the
embedding of the question, caches that are cold, publications. Prints a table in Markdown.
"""

import argparse
import heapq
import itertools
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from askai.postgres.opened import open_servers
from benchmarks import service_times
from benchmarks.postgres_scale import ROOT, addresses_of, prepared_questions
from benchmarks.service_times import Measured, Times

QUESTIONS = 20_000  # of a simulation
_WARM = 0.1  # of them, which find the machines idle and are not counted
_SEED = 20_261
_OVERLOADED = 0.98  # use of cores from which on the queue grows without end


@dataclass
class Machine:
    """Cores that are shared by what is at work, each of which has one core at most."""

    cores: int
    now: float = 0.0
    served: float = 0.0  # ms of a core that each of those at work has had since the beginning
    waiting: list[tuple[float, int]] = field(default_factory=list)  # (end in `served`, job)
    stamp: int = 0  # of the last change; an end that was foreseen before it is none
    used: float = 0.0  # ms of cores

    def _pace(self) -> float:
        return min(1.0, self.cores / len(self.waiting)) if self.waiting else 0.0

    def advance(self, time: float) -> None:
        gained = (time - self.now) * self._pace()
        self.used += gained * len(self.waiting)
        self.served += gained
        self.now = time

    def next_end(self) -> float:
        return self.now + max(0.0, self.waiting[0][0] - self.served) / self._pace()


@dataclass(frozen=True)
class Cluster:
    """What is asked: `replicas[s]` are the machines of shard s; `asker` merges."""

    replicas: list[list[Machine]]
    asker: Machine

    @classmethod
    def of(cls, shards: int, replicas: int, *, cores: int, askers: int = 1) -> "Cluster":
        machines = [[Machine(cores) for _ in range(replicas)] for _ in range(shards)]
        return cls(machines, Machine(cores * askers))

    @classmethod
    def on_one_machine(cls, shards: int, *, cores: int) -> "Cluster":
        """All shards and the asker share the cores, as in `--check`."""
        machine = Machine(cores)
        return cls([[machine]] * shards, machine)


@dataclass(frozen=True)
class Outcome:
    """Of a simulation."""

    ms: list[float]  # of each question, without those at the beginning
    per_second: float  # answered
    use: float  # of the cores of the busiest machine, from 0 to 1


class _Clock:
    """What happens, in its order: questions come, and machines end what they do."""

    def __init__(self) -> None:
        self._order = itertools.count()
        # (when, order, machine or None for the coming of a question, question or stamp)
        self.events: list[tuple[float, int, Machine | None, int]] = []

    def comes(self, when: float, question: int) -> None:
        heapq.heappush(self.events, (when, next(self._order), None, question))

    def put(self, machine: Machine, now: float, question: int, ms: float) -> None:
        """Gives a machine something to do."""
        machine.advance(now)
        heapq.heappush(machine.waiting, (machine.served + ms, question))
        self._foresee(machine)

    def take(self, machine: Machine, now: float) -> int:
        """What it has ended."""
        machine.advance(now)
        _, question = heapq.heappop(machine.waiting)
        self._foresee(machine)
        return question

    def _foresee(self, machine: Machine) -> None:
        machine.stamp += 1
        if machine.waiting:
            event = (machine.next_end(), next(self._order), machine, machine.stamp)
            heapq.heappush(self.events, event)


def simulate(
    cluster: Cluster, times: Sequence[Times], *, rate: float, questions: int = QUESTIONS
) -> Outcome:
    """Asks the cluster at random moments, `rate` a second. A question takes on each shard in a
    round what one that was measured took on one of its shards, so that one that is hard is so on
    all."""
    choose = random.Random(_SEED)  # noqa: S311
    clock = _Clock()
    began, ended = [0.0] * questions, [0.0] * questions
    left, round_ = [0] * questions, [0] * questions
    asks: list[list[Machine]] = [[]] * questions
    drawn = [choose.choice(times) for _ in range(questions)]

    def put_round(question: int, now: float) -> None:
        asked = drawn[question]
        if round_[question] < len(asked.rounds):
            left[question] = len(asks[question])
            for machine in asks[question]:
                clock.put(machine, now, question, choose.choice(asked.rounds[round_[question]]))
        elif round_[question] == len(asked.rounds):
            left[question] = 1
            clock.put(cluster.asker, now, question, asked.asker)
        else:
            ended[question] = now

    due = 0.0
    for question in range(questions):
        due += 1000 * choose.expovariate(rate)
        began[question] = due
        clock.comes(due, question)
    while clock.events:
        now, _, machine, about = heapq.heappop(clock.events)
        if machine is None:
            asks[about] = [choose.choice(replicas) for replicas in cluster.replicas]
            put_round(about, now)
        elif machine.stamp == about:
            question = clock.take(machine, now)
            left[question] -= 1
            if left[question] == 0:
                round_[question] += 1
                put_round(question, now)
    first = int(_WARM * questions)
    spent = [end - start for start, end in zip(began[first:], ended[first:], strict=True)]
    last = max(ended)
    every = {id(m): m for m in (cluster.asker, *itertools.chain(*cluster.replicas))}.values()
    use = max(machine.used / (last * machine.cores) for machine in every)
    return Outcome(spent, 1000 * questions / last, use)


def offered(times: Sequence[Times], rate: float, cores: int, asker_cores: int) -> float:
    """What the busiest machines have to do, as a share of what they can: the replicas of a shard,
    which have so many cores together, or the asker."""
    of_shards = float(np.mean([np.mean(np.sum(one.rounds, axis=0)) for one in times])) / cores
    of_asker = float(np.mean([one.asker for one in times])) / asker_cores
    return rate / 1000 * max(of_shards, of_asker)


def table(measured: Measured, options: argparse.Namespace) -> str:
    """Every combination, one a line."""
    lines = [
        "| shards × replicas | passages | a second | p50 ms | p99 | busiest | an hour | million |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for shards, replicas, rate in itertools.product(options.shards, options.replicas, options.rate):
        use = offered(
            measured.times, rate, replicas * options.cores, options.askers * options.cores
        )
        hour = options.price * (shards * replicas + options.askers)
        about = f"| {shards} × {replicas} | {shards * measured.passages:,} | {rate:g} | "
        cost = f"{hour:.2f} | {hour / (rate * 3600) * 1e6:.2f} |"
        if use >= _OVERLOADED:
            lines.append(f"{about}overloaded | | {use:.0%} | {hour:.2f} | |")
        else:
            cluster = Cluster.of(shards, replicas, cores=options.cores, askers=options.askers)
            found = simulate(cluster, measured.times, rate=rate, questions=options.questions)
            p50, p99 = np.percentile(found.ms, [50, 99])
            lines.append(f"{about}{p50:.0f} | {p99:.0f} | {use:.0%} | {cost}")
    return "\n".join(lines)


def check(options: argparse.Namespace) -> str:
    """A simulation of this machine beside what it really does."""
    addresses = addresses_of(options.check)
    questions = prepared_questions(lambda: open_servers(addresses), options.bench)
    measured = service_times.measure(addresses, questions)
    if options.times:
        measured.write(options.times)
    cores = measured.cores
    work = float(np.mean([times.work for times in measured.times]))
    lines = [
        _about(measured, work),
        "",
        "| use | a second | really p50 ms | p99 | simulated p50 | p99 | ratio of p50 | of p99 |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for use in options.use:
        rate = use * cores * 1000 / work
        real = service_times.asked(addresses, questions, rate=rate, seconds=options.seconds)
        cluster = Cluster.on_one_machine(len(addresses), cores=cores)
        found = simulate(cluster, measured.times, rate=rate, questions=options.questions)
        (r50, r99), (s50, s99) = (np.percentile(ms, [50, 99]) for ms in (real, found.ms))
        lines.append(
            f"| {use:.0%} | {rate:.1f} | {r50:.0f} | {r99:.0f} | {s50:.0f} | {s99:.0f} | "
            f"{s50 / r50:.2f} | {s99 / r99:.2f} |"
        )
    return "\n".join(lines)


def _about(measured: Measured, work: float) -> str:
    return (
        f"{measured.shards} shards of {measured.passages:,} passages and the asker share "
        f"{measured.cores} cores; a question alone is {work:.1f} ms of work; load "
        f"{measured.load:.1f} when that was measured."
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_sim",
                                     description=(__doc__ or "").partition("\n")[0])  # fmt: skip
    parser.add_argument("--times", type=Path, metavar="FILE")
    parser.add_argument("--shards", type=_numbers, default=[1, 2, 4, 8])
    parser.add_argument("--replicas", type=_numbers, default=[1, 2])
    parser.add_argument("--rate", type=_rates, default=[20, 100])
    parser.add_argument("--cores", type=int, default=4)
    parser.add_argument("--askers", type=int, default=1)
    parser.add_argument("--price", type=float, default=0.20)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--check", metavar="ADDRESSES")
    parser.add_argument("--use", type=_rates, default=[0.2, 0.5], help="of the cores, in --check")
    parser.add_argument("--seconds", type=float, default=30, help="of each real run in --check")
    parser.add_argument("--bench", type=Path, default=ROOT.parent / "shared" / "bench")
    options = parser.parse_args()
    if not (options.times or options.check):
        parser.error("expected --times FILE, or --check ADDRESSES")
    shown = check(options) if options.check else table(Measured.read(options.times), options)
    sys.stdout.write(shown + "\n")
    return 0


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _rates(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
