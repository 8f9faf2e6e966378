"""How much longer a question takes of a large folder than of a small one, from the shell.

A folder of made documents, ten passages each, is indexed with vectors made of real ones, see
`made`, and asked with the default model and reranker. The documents are sentences of the sets,
shuffled, each with a number of its own: a thousand times the same one would be found as one.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.growth.made import numbered, real
from benchmarks.growth.vectors import sentences

PER_FILE, PER_PASSAGE = 10, 5  # passages, sentences
_QUESTION = "Which team won the Super Bowl in 2015?"
_ROUNDS = 5


def folder(bench: Path, work: Path, passages: int) -> Path:
    """A corpus of so many passages, made once."""
    target = work / f"corpus-{passages}"
    if not (target / ".made").exists():
        shutil.rmtree(target, ignore_errors=True)
        some, chance = sentences(bench), random.Random(1)  # noqa: S311  the same each time
        for n in range(passages // PER_FILE):
            file = target / f"{n // 500:03d}" / f"document-{n:06d}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n\n".join(_passage(some, chance, n) for _ in range(PER_FILE)))
        (target / ".made").touch()
    return target


def _passage(some: Sequence[str], chance: random.Random, n: int) -> str:
    picked = (numbered(text, chance.randrange(10**9)) for text in chance.sample(some, PER_PASSAGE))
    return " ".join([f"Report {n} of {chance.randrange(10**6)}.", *picked])


def measured(bench: Path, work: Path, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Each size's figures; the questions of all sizes take turns, so that other work on the
    machine weighs on all alike."""
    rows = [_indexed(bench, work, size) for size in sizes]
    commands = ("ask", "search", "status")
    seconds: dict[tuple[int, str], list[float]] = {}
    for round_ in range(_ROUNDS + 1):
        for size in sizes:
            for command in commands:
                one = _asked(work, size, command)
                if round_:  # the first reads files that are not in memory yet
                    seconds.setdefault((size, command), []).append(one)
    for row in rows:
        for command in commands:
            took = seconds[row["passages"], command]
            small = seconds[sizes[0], command]
            row[f"{command}_s"] = round(statistics.median(took), 2)
            ratios = [a / b for a, b in zip(took, small, strict=True)]
            row[f"{command}_x"] = round(statistics.median(ratios), 2)
    return rows


def _indexed(bench: Path, work: Path, size: int) -> dict[str, Any]:
    """The figures of an index, which is made once: of 200,000 passages it takes half an hour."""
    corpus, index = folder(bench, work, size), work / f"index-{size}"
    kept = work / f"index-{size}.json"
    if kept.exists():
        row: dict[str, Any] = json.loads(kept.read_text())
        return row
    shutil.rmtree(index, ignore_errors=True)
    real(bench, work)
    start = time.perf_counter()
    arguments = (str(path) for path in (bench, work, corpus, index))
    _run("-m", "benchmarks.growth.made", *arguments)
    status = json.loads(_askai(corpus, index)("status", "--json"))
    found = sum(file.stat().st_size for file in index.rglob("*") if file.is_file())
    row = {
        "passages": size,
        "chunks": status["passages"],
        "found_by": {name: state["kind"] for name, state in status["vectors"].items()},
        "index_s": round(time.perf_counter() - start, 1),
        "size_mb": round(found / 1e6),
    }
    kept.write_text(json.dumps(row))
    return row


def _asked(work: Path, size: int, command: str) -> float:
    arguments = [] if command == "status" else [_QUESTION]
    run = _askai(work / f"corpus-{size}", work / f"index-{size}")
    start = time.perf_counter()
    run(command, *arguments)
    return time.perf_counter() - start


def _askai(corpus: Path, index: Path) -> Callable[..., str]:
    folders = ("--corpus", str(corpus), "--index", str(index))
    return lambda *arguments: _run("-m", "askai", *folders, *arguments)


def _run(*arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 3}:  # 3: no answer in the documents
        raise RuntimeError(done.stderr)
    return done.stdout
