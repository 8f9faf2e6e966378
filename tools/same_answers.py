# ruff: noqa: INP001  a script
"""Whether an index on a server answers as the folder does that it was published from.

    python tools/same_answers.py --store postgresql://… [--corpus DIR] [--gold FILE] [--split NAME]

Asks the gold questions of both, compares the whole JSON of each answer but for its timings
(sentences, citations, refusals, passages, every score), and prints how many were compared and how
many differ, and where. Exit code 1: some do. The development half is asked; nothing is tuned here,
but the test half stays unread all the same.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from askai.assemble import Askai, open_askai
from askai.cli.options import shown_by
from askai.gold import load_gold, split_of
from askai.output import answer_object
from askai.settings import Settings, load_settings


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--store", required=True, metavar="ADDRESS")
    parser.add_argument("--store-schema", default="askai", metavar="NAME")
    parser.add_argument("--corpus", default="corpus", metavar="DIR")
    parser.add_argument("--index", default=None, metavar="DIR")
    parser.add_argument("--model", default=None, metavar="NAME")
    parser.add_argument("--gold", type=Path, default=Path("evals/gold.jsonl"), metavar="FILE")
    parser.add_argument("--split", default="development", choices=["development"])
    options = parser.parse_args()
    given = {"corpus": options.corpus, "index": options.index, "model": options.model}
    environment = {k: v for k, v in os.environ.items() if k == "ASKAI_CACHE"}
    local = load_settings(folder=Path("/nonexistent"), environment=environment, options=given)
    server = replace(local, store=options.store, store_schema=options.store_schema)
    compared = differing = 0
    with ExitStack() as stack:
        here = stack.enter_context(open_askai(local))
        there = stack.enter_context(open_askai(server))
        texts = {s.path: here.catalog.document(s.path).text for s in here.catalog.sources()}
        for item in load_gold(options.gold, texts=texts):
            if split_of(item.id) != options.split:
                continue
            compared += 1
            one, other = (_asked(askai, item.question, local) for askai in (here, there))
            differences = list(_differences(one, other))
            differing += bool(differences)
            for where, mine, its in differences[:5]:
                sys.stdout.write(f"{item.id} {where}: {mine!r} here, {its!r} on the server\n")
    sys.stdout.write(f"{compared} compared, {differing} differing\n")
    return 1 if differing or not compared else 0


def _asked(askai: Askai, question: str, settings: Settings) -> Any:
    found = answer_object(
        askai.answerer.ask(question, k=settings.passages),
        manifest=askai.manifest,
        embedder=askai.embedder.name,
        shown=shown_by(settings),
        scope=None,
    )
    found.pop("timings_ms")
    return json.loads(json.dumps(found))


def _differences(one: Any, other: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every place where two JSON values are not equal, to the last bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from _differences(one.get(key), other.get(key), f"{where}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for n, (mine, its) in enumerate(zip(one, other, strict=True)):
            yield from _differences(mine, its, f"{where}/{n}")
    elif one != other:
        yield where, one, other


if __name__ == "__main__":
    sys.exit(main())
