"""A system in a process of its own, in the Python that it is installed in.

    python -m benchmarks.worker SYSTEM index MODEL FOLDER PASSAGES.json
    python -m benchmarks.worker SYSTEM search MODEL FOLDER QUESTION
    python -m benchmarks.worker SYSTEM serve MODEL FOLDER

`index` prints what it took as JSON, `search` prints five passages, `serve` answers each line of
JSON on stdin with one on stdout. What libraries print goes to stderr.
"""

import json
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.errors import BenchError
from benchmarks.systems import SHOWN, Passage, System, made


def main(arguments: list[str]) -> int:
    name, command, model, folder, *rest = arguments
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries greet on stdout
    system = made(name, Path(model), Path(folder))
    try:
        if command == "index":
            rows = json.loads(Path(rest[0]).read_text("utf-8"))
            json.dump(system.index([Passage(*row) for row in rows])._asdict(), out)
        elif command == "search":
            system.open()
            for passage in system.answer(rest[0], SHOWN, how="search"):
                out.write(f"{passage.id}\t{passage.text}\n")
        else:
            _serve(system, out)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        out.close()
    return 0


def _serve(system: System, out: TextIOWrapper) -> None:
    """Lines of {"do": …}; each of its questions or batches is timed by itself."""
    does: dict[str, Callable[[Any], Any]] = {
        "open": lambda _: system.open(),
        "ask": lambda asked: [_timed(system, question, asked) for question in asked["questions"]],
        "rank": lambda asked: [_ranked(system, q, asked["k"]) for q in asked["questions"]],
        "embed": lambda asked: _embedded(system, asked["texts"]),
    }
    for line in sys.stdin:
        asked = json.loads(line)
        json.dump(does[asked["do"]](asked), out)
        out.write("\n")
        out.flush()


def _timed(system: System, question: str, asked: dict[str, Any]) -> float:
    began = perf_counter()
    system.answer(question, asked["k"], how=asked["how"])
    return perf_counter() - began


def _ranked(system: System, question: str, k: int) -> list[str]:
    ranked = getattr(system, "ranked", None)
    found = ranked(question, k) if ranked else system.answer(question, k, how="search")
    return [passage.id for passage in found]


def _embedded(system: Any, texts: list[str]) -> float:
    began = perf_counter()
    system.embed(texts)
    return perf_counter() - began


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
