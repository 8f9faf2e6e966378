"""The command: checks what it needs, runs, and writes results, table and plot."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from os import environ, getloadavg
from pathlib import Path
from shutil import rmtree
from typing import Any

from benchmarks import machine
from benchmarks.errors import BenchError
from benchmarks.measure import Processes, environment
from benchmarks.plan import QUICK, WHOLE, Place, Run, to_stderr
from benchmarks.plot import svg
from benchmarks.report import rewritten, tables
from benchmarks.results import Results
from benchmarks.sets import BenchSet, load_sets
from benchmarks.systems import KINDS

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
PAGE, PLOT = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.svg"
REQUIREMENTS = ROOT / "benchmarks" / "requirements.txt"
SETS = ("xquad-en", "xquad-zh2en")
INTERRUPTED = 130  # as a shell counts a process ended by Ctrl-C

_MODEL = "from askai.embedders.packaged_e5 import model_folder; print(model_folder())"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.report:
            results = Results.load(RESULTS)
            _write_page(results)
            sys.stdout.write(f"{tables(results)}\n")
            return 0
        return _measure(options)
    except BenchError as error:
        to_stderr(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        to_stderr("Stopped before anything was measured.")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="askai beside a plain script and its peers: time, memory, size and quality.",
    )
    parser.add_argument(
        "--bench",
        type=Path,
        action="append",
        metavar="DIR",
        help="a set in the form of BEIR; the questions of the first are timed, those of all are "
        f"measured; all must have the same documents [{' and '.join(SETS)} in ../shared/bench]",
    )
    parser.add_argument("--quick", action="store_true", help="2 to 3 minutes, to see that it works")
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        help="when no further repetition begins [20; quick: 3]",
    )
    parser.add_argument(
        "--report", action="store_true", help="write the page anew, measure nothing"
    )
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-bench", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench", metavar="DIR")
    return parser


def _measure(options: argparse.Namespace) -> int:
    amounts = QUICK if options.quick else WHOLE
    if options.minutes is not None:
        amounts = replace(amounts, minutes=options.minutes)
    folders = options.bench or [ROOT.parent / "shared" / "bench" / name for name in SETS]
    sets = load_sets(folders)
    if amounts.documents:
        sets = [bench.first(amounts.documents) for bench in sets]
    if sys.platform != "linux":
        raise BenchError("The benchmark runs on Linux only: peak memory is that of its kernel.")
    work: Path = options.work.absolute()
    rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    place, processes = _place(options.peers, work)
    # A quick or an interrupted run does not take the place of a whole one.
    file = work / "results.json" if options.quick else RESULTS
    partial = file.with_suffix(".partial.json")
    results = Results(_about(sets, place))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    run = Run(
        sets, amounts, place, processes, results, keep=lambda: results.save(partial), tell=to_stderr
    )
    code = _interruptible(run.all)
    if code == 0:
        results.save(file)
        partial.unlink(missing_ok=True)
        if not options.quick:
            _write_page(results)
    if results.figures:
        sys.stdout.write(f"{tables(results)}\n")
    if code and results.figures:
        results.save(partial)
        to_stderr(f"Stopped. What was measured until now is kept in {partial}.")
    return code


def _interruptible(run: Callable[[], None]) -> int:
    try:
        run()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BenchError as error:
        to_stderr(f"bench: {error}")
        return 1
    return 0


def _place(peers: Path, work: Path) -> tuple[Place, Processes]:
    python = peers.absolute() / "bin" / "python"
    if not python.is_file():
        raise BenchError(
            f"There is no environment of the peers in {peers}; `make bench` makes it, "
            "or name one with --peers DIR."
        )
    names = [name for kind in KINDS for name in kind.packages]
    wanted = machine.pins(REQUIREMENTS.read_text("utf-8"))
    machine.check_installed(machine.versions(str(python), names), wanted)
    processes = Processes(work, environment(ROOT, environ))
    model = processes.run((sys.executable, "-c", _MODEL)).out.strip()
    return Place(work, Path(model), sys.executable, str(python)), processes


def _about(sets: Sequence[BenchSet], place: Place) -> dict[str, Any]:
    names = [name for kind in KINDS for name in kind.packages]
    peers = machine.versions(place.peers, [*names, "torch", "transformers", "numpy"])
    commit, changed = machine.commit(ROOT)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit,
        "changed": changed,
        "machine": machine.machine(),
        "load": getloadavg()[0],
        "threads": "each system's default; no variable sets a number",
        "packages": {
            "askai": machine.versions(place.python, machine.OWN_PACKAGES),
            "the others": peers,
        },
        "sets": [bench.name for bench in sets],
    }


def _write_page(results: Results) -> None:
    page = rewritten(PAGE.read_text("utf-8"), tables(results))
    PAGE.write_text(page, "utf-8")
    PLOT.write_text(svg(results), "utf-8")
