# ruff: noqa: INP001, T201, S311  the same corpus each time
"""What updates of an index take: time and peak memory of `askai index` after each kind of change.

    python tools/update_speed.py FOLDER [--megabytes 20] [--model hashing] [--made] [--bench DIR]

Makes in FOLDER a corpus of text files of 10 kB each, out of the passages of BEIR-form sets, and
runs the command itself: a full build, nothing changed, one file edited, one added, one renamed, 100
deleted, and 100 more so often that one of these updates writes the stores anew. FOLDER may hold the
corpus and the index of an earlier run: then the full build is skipped.
With `hashing`, vectors of 384 numbers cost next to nothing to make, and what is measured is all
else; with the default model 20 MB take hours. With `--made` the first index has made vectors in
place of the model's, every update is made with the model, and what an edit takes is held against a
build, with the model, of every 20th file: a full build takes at least that. Linux only: peak memory
is that of /proc.
"""

import argparse
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from zlib import crc32

import numpy as np

from askai import indexing
from askai.embedders import Embedder, Vector, Vectors
from askai.recipes import open_corpus, recipe
from askai.settings import load_settings

EVERY = 20  # of the files that the model embeds all of, with --made
FILE_BYTES = 10_000
SETS = ("scifact", "squad2-unans")


def make_corpus(folder: Path, bench: Path, megabytes: float) -> None:
    """Files of passages in random order; a passage that is used again says in which report."""
    passages = [
        (row.get("title", ""), row["text"])
        for name in SETS
        for row in map(json.loads, (bench / name / "corpus.jsonl").open(encoding="utf-8"))
    ]
    random.Random(1).shuffle(passages)
    folder.mkdir(parents=True)
    number = count()
    for n in range(round(megabytes * 1_000_000 / FILE_BYTES)):
        parts: list[str] = []
        while sum(len(part.encode()) for part in parts) < FILE_BYTES:
            lap, i = divmod(next(number), len(passages))
            title, text = passages[i]
            parts.append(f"{title} ({lap})\n\nReport {n}: {text}" if lap else f"{title}\n\n{text}")
        (folder / f"f{n:05}.txt").write_text("\n\n".join(parts), encoding="utf-8")


def run(folder: Path, model: str, label: str) -> float:
    """Runs `askai index` in `folder`; prints and returns the seconds that it took."""
    environment = os.environ | {"ASKAI_MODEL": model, "ASKAI_RERANKER": "none"}
    # With compiled modules, as an installed program has them.
    environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    command = [sys.executable, "-m", "askai", "index", "--json"]
    start = time.perf_counter()
    out = os.open(folder / "last.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    at = (os.POSIX_SPAWN_DUP2, out, 1)
    here = Path.cwd()
    os.chdir(folder)
    try:
        child = os.posix_spawn(sys.executable, command, environment, file_actions=[at])
        _, status, used = os.wait4(child, 0)
    finally:
        os.chdir(here)
        os.close(out)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{label}: askai index ended with {os.waitstatus_to_exitcode(status)}")
    done = json.loads((folder / "last.json").read_text("utf-8"))
    print(
        f"{label:22} {seconds:8.2f} s  peak {used.ru_maxrss / 1e6:5.2f} GB  "
        f"{done['read']} files read, {done['embedded']} texts embedded, "
        f"{done['passages']} passages",
        flush=True,
    )
    return seconds


class MadeVectors:
    """Stands for a model while documents are embedded; see `askai.embedders.Embedder`."""

    def __init__(self, model: Embedder) -> None:
        self.name, self.fingerprint = model.name, model.fingerprint
        self.dim, self.max_tokens = model.dim, model.max_tokens

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        made: Vectors = np.stack([self.embed_query(text) for text in texts])
        return made

    def embed_query(self, text: str) -> Vector:
        made = np.random.default_rng(crc32(text.encode())).standard_normal(self.dim)
        vector: Vector = (made / np.linalg.norm(made)).astype(np.float32)
        return vector


def build_made(folder: Path, model: str) -> None:
    """The index of `folder` by this model, with vectors that it did not make."""
    options = {"corpus": str(folder / "corpus"), "index": str(folder / "index"), "model": model}
    settings = load_settings(folder=folder, environment={}, options=options)
    theirs = recipe(settings)
    made = replace(theirs, embedder=MadeVectors(theirs.embedder))
    indexing.build(open_corpus(settings), settings.index_dir, made)


def build_some(folder: Path, files: Sequence[Path], model: str) -> float:
    """The seconds that a build of every 20th file takes."""
    few = folder / "few"
    shutil.rmtree(few, ignore_errors=True)
    (few / "corpus").mkdir(parents=True)
    some = files[::EVERY]
    for file in some:
        shutil.copy(file, few / "corpus")
    return run(few, model, f"build of {len(some)} files")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=20.0)
    parser.add_argument("--model", default="hashing")
    parser.add_argument("--made", action="store_true")
    default = Path(__file__).parents[2] / "shared" / "bench"
    parser.add_argument("--bench", type=Path, default=default)
    options = parser.parse_args()
    corpus = options.folder / "corpus"
    if not corpus.is_dir():
        if not options.bench.is_dir():
            sys.exit(f"{options.bench} is not there; expected the sets {', '.join(SETS)} in it.")
        make_corpus(corpus, options.bench, options.megabytes)
    files = sorted(corpus.glob("f*.txt"))
    folder = options.folder.resolve()
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.1f} MB")

    def step(label: str) -> float:
        return run(folder, options.model, label)

    at_least = ""
    if options.made:
        full, at_least = build_some(folder, files, options.model), "at most "
        build_made(folder, options.model)
        step("up to date")  # modules are compiled
    elif (options.folder / "index").is_dir():
        full = 0.0
        step("up to date")  # it may be of another version, and modules are compiled
    else:
        full = step("full build")
    step("nothing changed")
    first = files[0].read_text("utf-8")
    files[0].write_text(f"{first}\n\nA sentence of {time.time_ns()} more.", "utf-8")
    edited = step("one file edited")
    if full:
        print(f"{'':22} {at_least}{edited / full:.1%} of the full build")
    (corpus / f"new{time.time_ns()}.txt").write_text(
        "Nobody had written this file before.", "utf-8"
    )
    step("one file added")
    files[1].rename(corpus / f"renamed{time.time_ns()}.txt")
    step("one file renamed")
    for at in range(2, 602, 100):
        for file in files[at : at + 100]:
            file.unlink()
        step("100 files deleted")


if __name__ == "__main__":
    main()
