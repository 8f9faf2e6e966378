"""`python -m benchmarks.growth`: prints the figures of docs/growth.md."""

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.growth import asking, memory, stores
from benchmarks.growth.vectors import real

ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("what", choices=("stores", "ask", "kinds", "memory"))
    parser.add_argument("--sizes", type=int, nargs="+", help="vectors, or passages")
    parser.add_argument("--store", default="faiss")
    parser.add_argument("--bench", type=Path, default=ROOT.parent / "shared" / "bench")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "growth")
    options = parser.parse_args()
    bench, work = options.bench, options.work
    if options.what == "ask":
        _print(asking.measured(bench, work, options.sizes or [200, 20_000, 200_000]))
        return 0
    if options.what == "kinds":
        from benchmarks.growth import kinds  # noqa: PLC0415  needs faiss, which the others do not

        _print(kinds.measured(bench, work, options.sizes or [10_000, 100_000]))
        return 0
    if options.what == "memory":
        sizes = options.sizes or [150_000, 600_000]
        _print(memory.measured(work, options.store, count) for count in sizes)
        return 0
    real(bench, work)
    for count in options.sizes or [1_000, 10_000, 100_000, 1_000_000]:
        _print([stores.measured(bench, work, options.store, count)])
    return 0


def _print(rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        sys.stdout.write("  ".join(f"{name} {value}" for name, value in row.items()) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
