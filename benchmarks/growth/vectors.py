"""Vectors for as large an index as is asked for: real ones, mixed and blurred.

A million real passages would take this machine a day to embed. A made vector is a real sentence's
(by the default model, its language mean taken off as in an index) moved towards that of another
sentence and by isotropic noise, and made of length 1. The questions are real and unmoved.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from askai.centring import centring_for
from askai.embedders import Vectors, queries
from askai.embedders.models import resolve
from askai.sentences import split

SETS = ("xquad-en", "scifact", "service-public-fr")
_SENTENCES, _QUESTIONS = 600, 100  # of each set
TOWARDS = 0.5  # at most, of the way to another sentence
NOISE = 0.3  # the length of the noise beside a vector of length 1
_BLOCK = 16_384
_LANGUAGES = {"service-public-fr": "fr"}


def real(bench: Path, cache: Path) -> tuple[Vectors, Vectors]:
    """The vectors of sentences and of questions of the sets in `bench`, kept in `cache`."""
    file = cache / "real.npz"
    if not file.exists():
        embedder = resolve("multilingual-e5-small")
        centring = centring_for(embedder)
        passages, asked = [], []
        for name in SETS:
            language = _LANGUAGES.get(name, "en")
            some = _sentences(bench / name / "corpus.jsonl")
            found = embedder.embed_passages(some)
            passages.append(centring.passages(found, [language] * len(some)))
            lines = (bench / name / "queries.jsonl").read_text("utf-8").splitlines()[:_QUESTIONS]
            found = queries([json.loads(line)["text"] for line in lines], embedder)
            asked += [centring.query(vector, language) for vector in found]
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(file, passages=np.concatenate(passages), questions=np.stack(asked))
    with np.load(file) as stored:
        return stored["passages"], stored["questions"]


def sentences(bench: Path) -> list[str]:
    """Of the English sets."""
    names = [name for name in SETS if name not in _LANGUAGES]
    return [text for name in names for text in _sentences(bench / name / "corpus.jsonl")]


def _sentences(corpus: Path) -> list[str]:
    found: list[str] = []
    for line in corpus.open(encoding="utf-8"):
        text = json.loads(line)["text"]
        found += [text[a:b] for a, b in split(text)][:8]
        if len(found) >= _SENTENCES:
            break
    return found[:_SENTENCES]


def made(sentences: Vectors, count: int, *, seed: int = 0) -> Iterator[Vectors]:
    """`count` vectors, some thousand at a time; the first are the same whatever the count."""
    dim = sentences.shape[1]
    for block, start in enumerate(range(0, count, _BLOCK)):
        random = np.random.default_rng((seed, block))
        one, other = random.integers(len(sentences), size=(2, _BLOCK))
        share = random.uniform(0, TOWARDS, (_BLOCK, 1)).astype(np.float32)
        noise = random.standard_normal((_BLOCK, dim), dtype=np.float32) * (NOISE / dim**0.5)
        moved = (1 - share) * sentences[one] + share * sentences[other] + noise
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        yield moved[: count - start]
