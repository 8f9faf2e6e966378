"""Translations out of the embedder: the words of the corpus that lie nearest to a word.

A model of many languages puts empresas beside companies (bilingual lexicon induction: Mikolov, Le
and Sutskever 2013, arXiv:1309.4168). The words of the corpus are embedded when it is indexed; a
question in another language than most of it is then also searched for in the corpus's own words,
without a dictionary. Spanish questions about xquad's English passages went from .958 to .967
nDCG@10; what it finds wrong (seizing for siège) costs little, since a passage gets the better of
its scores.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askai.embedders import Embedder, Vector, Vectors, queries
from askai.errors import IndexDamaged
from askai.tokens import folded, stemmed

VERSION = "3"
_BATCH = 256  # words embedded at a time
_WORDS = 20_000  # the commonest of a corpus; vectors of so many take 15 MB
# The next ones are embedded too: an update that makes them commoner need not embed a word.
_SPARE = 4_000
_MEAN = 0.9  # share of what all words have in common that is taken off
_LEAST = 0.5  # cosine of a translation
_MOST = 3  # translations of a word
_NEAREST = 12  # words looked at for them, since several have one stem


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
        ranked = [word for word, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
        there = known or KnownWords()
        words = ranked[:_WORDS]
        spare = ranked[_WORDS : _WORDS + _SPARE]
        if all(word in there.rows for word in words):
            spare = [word for word in spare if word in there.rows]
        raw = _embedded([*words, *spare], embedder, there, tell)
        found = raw[: len(words)].astype(np.float32)
        mean = _MEAN * found.sum(axis=0) / max(1, len(words))
        total = sum(languages.values())
        shares = {code: count / total for code, count in sorted(languages.items())}
        mean = mean.astype(np.float32)
        stems = tuple(map(there.stem, words))
        return cls(stems, _normalised(found - mean), mean, shares, (*words, *spare), raw)

    @property
    def language(self) -> str:
        """That of most passages; "": there are none."""
        return min(self.shares, key=lambda code: (-self.shares[code], code), default="")

    @classmethod
    def open(cls, path: Path) -> "InducedLexicon":
        """What `save` wrote; raises IndexDamaged."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return cls(
                    tuple(stored["stems"].tolist()),
                    stored["vectors"].astype(np.float32),
                    stored["mean"],
                    dict(zip(stored["languages"].tolist(), stored["shares"].tolist(), strict=True)),
                )
        except Exception as error:  # zip, header and key errors of several kinds
            reason = type(error).__name__
            raise IndexDamaged(
                f"{path} cannot be used: {reason}. Run `askai index --rebuild`."
            ) from error

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(
                file,
                stems=np.array(self.stems, dtype=np.str_),
                vectors=self.vectors.astype(np.float16),
                mean=self.mean,
                languages=np.array(list(self.shares), dtype=np.str_),
                shares=np.array(list(self.shares.values()), dtype=np.float64),
                words=np.array(self.words, dtype=np.str_),
                raw=self.raw if self.raw is not None else np.empty((0, 0), dtype=np.float16),
            )

    def translates(self, language: str) -> bool:
        """Whether a question in this language is put into the corpus's own words."""
        return bool(self.stems) and language not in {self.language, "zh"} and self.language != "zh"

    def translations(self, vector: Vector) -> tuple[str, ...]:
        """The stems that lie nearest to the vector of a word, nearest first; or none."""
        centred = _normalised((vector - self.mean)[np.newaxis])[0]
        cosines = self.vectors @ centred
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

    @classmethod
    def open(cls, path: Path) -> "KnownWords":
        """None where the file cannot be read."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                words = stored["words"].tolist()
                rows = {word: row for row, word in enumerate(words)}
                return cls(rows, tuple(stored["stems"].tolist()), stored["raw"])
        except Exception:  # noqa: BLE001  of several kinds; then they are embedded again
            return cls()

    def stem(self, word: str) -> str:
        row = self.rows.get(word, len(self.stems))
        return self.stems[row] if row < len(self.stems) else stemmed(folded(word))


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


def _normalised(vectors: NDArray[Any]) -> Vectors:
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    normalised: Vectors = (vectors / lengths).astype(np.float32)
    return normalised
