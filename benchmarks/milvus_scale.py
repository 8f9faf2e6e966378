"""What an index of so many passages costs in Milvus: `python -m benchmarks.milvus_scale`.

    --store milvus://…       a server; collections of their own are made and dropped there
    --rows N                 passages [10000]
    --units N                sentences with a vector of their own, of each passage [0]
    --bench DIR  --work DIR  where the sets are, and where their vectors are kept

Passages, vectors and questions are those of `postgres_scale`. Prints a line of JSON.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from askai.milvus.collections import epoch_of, state_name
from askai.milvus.connection import Address, Client
from askai.milvus.publish import publish
from askai.milvus.published import open_published
from askai.milvus.snapshot import Snapshot
from askai.servers import PublishedIndex
from benchmarks import postgres_scale as shared
from benchmarks.growth.vectors import made, real, sentences

NAME = "askai_scale"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.milvus_scale",
                                     description=(__doc__ or "").partition("\n")[0])  # fmt: skip
    parser.add_argument("--store", required=True, metavar="ADDRESS")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=0, choices=[0, 2, 3])
    parser.add_argument("--bench", type=Path, default=shared.ROOT.parent / "shared" / "bench")
    parser.add_argument("--work", type=Path, default=shared.ROOT / "build" / "growth")
    options = parser.parse_args()
    address = Address(options.store, NAME)
    with address.connect() as client:
        drop(client)
        found = measured(address, client, options)
        drop(client)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def drop(client: Client) -> None:
    for collection in client.collections():
        if epoch_of(NAME, collection) is not None or collection == state_name(NAME):
            client.drop(collection)


def measured(address: Address, client: Client, options: argparse.Namespace) -> dict[str, Any]:
    rows, units = options.rows, options.units
    passages, asked = real(options.bench, options.work)
    index = shared.Made(
        sentences(options.bench),
        np.concatenate([*made(passages, rows)]),
        np.concatenate([passages[:0], *made(passages, rows * units, seed=1)]),
        units,
    )
    stages = shared.Stages()
    start = time.perf_counter()
    publish(shared.local(index), address, progress=stages)
    result: dict[str, Any] = {
        "rows": rows,
        "units": rows * units,
        "published_s": round(time.perf_counter() - start, 1),
        "stages_s": stages.seconds(),
    }

    def opened() -> PublishedIndex:
        return open_published(Snapshot(address, client))

    with opened() as there:
        result["recall"] = recall(there, index, asked)
        result["found_by"] = asdict(there.vectors("passage_vectors").found_by())
    return result | shared.questions(opened, options.bench)


def recall(there: PublishedIndex, index: shared.Made, asked: Any) -> dict[str, Any]:
    """recall@10 of all passages."""
    ids = np.array([index.id(n) for n in range(index.count)])
    shares, times = [], []
    for vector in asked[: shared.QUESTIONS]:
        store = there.vectors("passage_vectors")  # which remembers what it has read
        first = np.argsort(-(index.found @ vector), kind="stable")[: shared.K]
        start = time.perf_counter()
        found = store.search(vector, shared.K)
        times.append(1000 * (time.perf_counter() - start))
        shares.append(len(set(ids[first].tolist()) & {id_ for id_, _ in found}) / shared.K)
    return {"recall@10": round(float(np.mean(shares)), 4), "ms": shared.percentiles(times)}


if __name__ == "__main__":
    sys.exit(main())
