"""Translations out of the embedder: the words of the corpus that lie nearest to a word.

A model of many languages puts empresas beside companies (bilingual lexicon induction: Mikolov, Le
and Sutskever 2013, arXiv:1309.4168). The words of the corpus are embedded when it is indexed; a
question in another language than most of it is then also searched for in the corpus's own words,
without a dictionary. Spanish questions about xquad's English passages went from .958 to .967
nDCG@10; what it finds wrong (seizing for siège) costs little, since a passage gets the better of
its scores.

They are in two files, since by most updates the words stay and the shares of the languages do
not: `words.npz` has the words by alphabet and their vectors, `words.json` the shares.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from askai.embedders import Embedder, Vector, Vectors, queries
from askai.errors import IndexDamaged
from askai.files import link_or_copy, write_durably
from askai.tokens import folded, stemmed

VERSION = "4"
_BATCH = 256  # words embedded at a time
_WORDS = 20_000  # the commonest of a corpus; vectors of so many take 15 MB
# The next ones are embedded too: an update that makes them commoner need not embed a word. Of
# 2,000 files of 10 kB, 600 could be deleted, 100 at a time, until one of 4,000 was not enough.
_SPARE = 8_000
_MEAN = 0.9  # share of what all words have in common that is taken off
_LEAST = 0.5  # cosine of a translation
_MOST = 3  # translations of a word
_NEAREST = 12  # words looked at for them, since several have one stem


class Translator(Protocol):
    """What a question needs of the words of a corpus."""

    @property
    def language(self) -> str:
        """That of most passages; "": there are none."""
        ...

    @property
    def shares(self) -> Mapping[str, float]:
        """Of the passages, by language (ISO 639-1)."""
        ...

    def translates(self, language: str) -> bool:
        """Whether a question in this language is put into the corpus's own words."""
        ...

    def translations(self, vector: Vector) -> tuple[str, ...]:
        """The stems that lie nearest to the vector of a word, nearest first; or none."""
        ...


@dataclass(frozen=True, slots=True)
class InducedLexicon:
    """The words of a corpus with their centred vectors, of shape (words, dim) and length 1."""

    stems: tuple[str, ...]
    vectors: Vectors
    mean: Vector  # what was taken off
    shares: Mapping[str, float]  # of the passages, by language (ISO 639-1)
    # What an update need not embed again, with the spare ones last; not there to answer with.
    words: tuple[str, ...] = ()
    raw: NDArray[np.float16] | None = None

    @classmethod
    def build(
        cls,
        counts: Mapping[str, int],
        languages: Mapping[str, int],
        embedder: Embedder,
        *,
        known: "KnownWords | None" = None,
        tell: Callable[[int, int], None] = lambda *_: None,
    ) -> "InducedLexicon":
        """`counts` are of passages by word, see `vocabulary.word_counts`; `languages` of them by
        language. `tell` hears how many of the words that are not `known` are embedded."""
        there = known or KnownWords()
        words, spare = _commonest(counts)
        spare = there.replenished(spare, sum(word not in there.rows for word in words))
        raw = _embedded([*words, *spare], embedder, there, tell)
        vectors, mean = _centred(raw[: len(words)])
        stems = tuple(map(there.stem, words))
        return cls(stems, vectors, mean, _shares(languages), (*words, *spare), raw)

    @property
    def language(self) -> str:
        """That of most passages; "": there are none."""
        return min(self.shares, key=lambda code: (-self.shares[code], code), default="")

    @classmethod
    def open(cls, path: Path) -> "InducedLexicon":
        """What `save` wrote; raises IndexDamaged."""
        try:
            shares = dict(json.loads(path.with_suffix(".json").read_text("utf-8")))
            with path.open("rb") as file:
                return cls.read(file, shares)
        except Exception as error:  # zip, header and key errors of several kinds
            reason = type(error).__name__
            raise IndexDamaged(
                f"{path} cannot be used: {reason}. Run `askai index --rebuild`."
            ) from error

    @classmethod
    def read(cls, file: BinaryIO, shares: Mapping[str, float]) -> "InducedLexicon":
        """What a file that `save` wrote holds; raises errors of several kinds where it is none."""
        with np.load(file, allow_pickle=False) as stored:
            stems = _listed(stored["stems"])
            vectors, mean = _centred(stored["raw"][: len(stems)])
            return cls(stems, vectors, mean, shares)

    def save(self, path: Path) -> None:
        """Writes the file `path` and the one of the shares beside it."""
        with path.open("wb") as file:
            np.savez(
                file,
                stems=_joined(self.stems),
                words=_joined(self.words),
                raw=self.raw if self.raw is not None else np.empty((0, 0), dtype=np.float16),
            )
        write_durably(path.with_suffix(".json"), json.dumps(self.shares))

    def translates(self, language: str) -> bool:
        """Whether a question in this language is put into the corpus's own words."""
        return bool(self.stems) and language not in {self.language, "zh"} and self.language != "zh"

    def translations(self, vector: Vector) -> tuple[str, ...]:
        """The stems that lie nearest to the vector of a word, nearest first; or none."""
        centred = (vector - self.mean)[np.newaxis]
        cosines = self.vectors @ (centred / _lengths(centred))[0]
        found: dict[str, None] = {}
        for i in np.argsort(-cosines, kind="stable")[:_NEAREST]:
            if cosines[i] >= _LEAST and len(found) < _MOST:
                found.setdefault(self.stems[i])
        return tuple(found)


@dataclass(frozen=True, slots=True)
class KnownWords:
    """The words of a file that `save` wrote: what an update need not embed again."""

    rows: Mapping[str, int] = field(default_factory=dict)
    stems: tuple[str, ...] = ()
    raw: NDArray[np.float16] = field(default_factory=lambda: np.empty((0, 0), np.float16))
    path: Path | None = None

    @classmethod
    def open(cls, path: Path) -> "KnownWords":
        """None where the file cannot be read."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                rows = {word: row for row, word in enumerate(_listed(stored["words"]))}
                return cls(rows, _listed(stored["stems"]), stored["raw"], path)
        except Exception:  # noqa: BLE001  of several kinds; then they are embedded again
            return cls()

    def are(self, words: Sequence[str]) -> bool:
        """Whether a lexicon of these words has the vectors of this file."""
        return list(islice(self.rows, len(self.stems))) == words

    def replenished(self, spare: Sequence[str], new: int) -> list[str]:
        """Of the spare words, the commonest first, those to keep beside `new` words to embed.

        What an update embeds ahead must not be what it takes long for: nothing where no word is
        new, and otherwise what fills a batch, or half as many as it must.
        """
        room = max(_BATCH - new, new // 2) if new else 0
        unknown = [word for word in spare if word not in self.rows][:room]
        return [word for word in spare if word in self.rows] + unknown

    def stem(self, word: str) -> str:
        row = self.rows.get(word, len(self.stems))
        return self.stems[row] if row < len(self.stems) else stemmed(folded(word))


def write(
    path: Path,
    counts: Mapping[str, int],
    languages: Mapping[str, int],
    embedder: Embedder,
    *,
    known: KnownWords,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> None:
    """Saves at `path` what `InducedLexicon.build` makes; the vectors of the same words that are
    `known` are linked."""
    if known.path is not None and known.are(_commonest(counts)[0]):
        link_or_copy(known.path, path)
        write_durably(path.with_suffix(".json"), json.dumps(_shares(languages)))
    else:
        InducedLexicon.build(counts, languages, embedder, known=known, tell=tell).save(path)


def _commonest(counts: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """The commonest words by alphabet, and the next ones, the commonest of them first."""
    ranked = sorted(sorted(counts), key=counts.__getitem__, reverse=True)
    return sorted(ranked[:_WORDS]), ranked[_WORDS : _WORDS + _SPARE]


def _shares(languages: Mapping[str, int]) -> dict[str, float]:
    total = sum(languages.values())
    return {code: count / total for code, count in sorted(languages.items())}


def _joined(words: Sequence[str]) -> NDArray[np.uint8]:
    """Words, of letters and hyphens alone, a line each."""
    return np.frombuffer("\n".join(words).encode(), dtype=np.uint8)


def _listed(joined: NDArray[np.uint8]) -> tuple[str, ...]:
    return tuple(joined.tobytes().decode().split("\n")) if len(joined) else ()


def _embedded(
    words: Sequence[str],
    embedder: Embedder,
    known: KnownWords,
    tell: Callable[[int, int], None],
) -> NDArray[np.float16]:
    """The vectors of words, shape (words, dim), as those of questions: so, words of two languages
    are nearer to each other than as passages."""
    raw = np.zeros((len(words), embedder.dim), dtype=np.float16)
    rows = np.array([known.rows.get(word, -1) for word in words], dtype=np.int64)
    kept, new = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
    if len(kept):
        raw[kept] = known.raw[rows[kept]]
    for at in range(0, len(new), _BATCH):
        tell(at, len(new))
        batch = new[at : at + _BATCH]
        raw[batch] = queries([words[row] for row in batch], embedder)
    if len(new):
        tell(len(new), len(new))
    return raw


def _centred(raw: NDArray[np.float16]) -> tuple[Vectors, Vector]:
    """The vectors of words without what they have in common, of length 1; and that."""
    found = raw.astype(np.float32)
    mean = (_MEAN * found.sum(axis=0) / max(1, len(found))).astype(np.float32)
    found -= mean
    found /= _lengths(found)
    return found, mean


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each row, shape (n, 1)."""
    squares = np.einsum("ij,ij->i", vectors, vectors)
    lengths: NDArray[np.float32] = np.maximum(np.sqrt(squares), 1e-12)[:, np.newaxis]
    return lengths
