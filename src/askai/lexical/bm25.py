"""BM25 (Lucene's form, k1 1.2, b 0.75): every term of every passage is scored at build time
(eager scoring: Lù 2024, arXiv:2407.03618).

score(q, p) = Σ over the terms t of q of idf(t) · tf / (tf + k1 · (1 − b + b · |p| / average |p|))
idf(t) = ln(1 + (N − df + 0.5) / (df + 0.5)); a term given twice in the question counts twice.

A folder of three arrays, a sparse matrix by columns: the postings of term number c are
`passages.npy[s:e]` (row of the passage) and `scores.npy[s:e]` with s, e = `offsets.npy[c:c+2]`;
`terms.tables` and `ids.tables` have the terms and the ids of the passages. Two more arrays keep
what was given, so that an update cuts into words only what is new: passage r is the terms numbered
`tokens.npy[s:e]` with s, e = `ends.npy[r:r+2]`. Nothing is pickled.

All of it is mapped, and opening looks at the sizes alone: what a question touches is checked when
it is touched.
"""

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from askai.errors import IndexDamaged
from askai.files import writing_durably
from askai.lexical import Term
from askai.mapped_tables import MappedTexts, read_tables, write_tables

K1 = 1.2
B = 0.75

_TOKENS = 1 << 21  # counted at a time
_LAST = 4  # searches whose scores are remembered
_KEPT = 1 << 16  # terms that a process that lives on remembers

ARRAYS = {"scores": np.float32, "passages": np.int32, "offsets": np.int64}
GIVEN = {"tokens": np.int32, "ends": np.int64}
_TEXTS = ("ids", "terms")  # their tables, each in a file


class BM25Index:
    """See `askai.lexical.LexicalIndex`; `search`, `idf` and `ceiling` may run in any thread."""

    def __init__(
        self, path: Path, *, ids: MappedTexts, terms: MappedTexts, arrays: dict[str, NDArray[Any]]
    ) -> None:
        self._path = path
        self._ids = ids
        self._terms = terms
        # Of terms that were asked for: their numbers, -1 for none, and what they weigh.
        self._idfs: dict[Term, float] = {}
        self._last: dict[tuple[Term, ...], NDArray[np.float64]] = {}
        self._tokens, self._ends = (arrays[name] for name in GIVEN)
        self._scores, self._passages, self._offsets = (arrays[name] for name in ARRAYS)

    @classmethod
    def build(
        cls,
        path: Path,
        passages: Iterable[tuple[str, Sequence[str]]],
        *,
        earlier: Self | None = None,
        kept: Mapping[str, str] | None = None,
    ) -> Self:
        """Raises ValueError when an id comes twice; see `LexicalIndex.build`."""
        ids = list(kept or {})
        terms, given, lengths = earlier.given(list((kept or {}).values())) if earlier else _NONE
        column = {term: number for number, term in enumerate(terms)}
        new, counts = array("i"), array("q")  # as lists, 200 MB of text would take gigabytes
        for id_, tokens in passages:
            ids.append(id_)
            before = len(new)
            new.extend(column.setdefault(token, len(column)) for token in tokens)
            counts.append(len(new) - before)
        if len(set(ids)) != len(ids):
            raise ValueError("A passage id is given twice.")
        numbers = np.concatenate([given, np.frombuffer(new, np.int32)])
        del new
        terms, numbers = _used(list(column), numbers)
        del column
        ends = np.cumsum(np.concatenate([[0], lengths, np.frombuffer(counts, np.int64)]))
        given_now: dict[str, NDArray[Any]] = {"tokens": numbers, "ends": ends}
        kinds = ARRAYS | GIVEN
        made = given_now | _weigh(numbers, ends, len(terms))
        arrays = {name: made[name].astype(kind, copy=False) for name, kind in kinds.items()}
        path.mkdir(parents=True, exist_ok=True)
        for name, values in arrays.items():
            with writing_durably(path / f"{name}.npy") as file:
                header = np.lib.format.header_data_from_array_1_0(values)
                np.lib.format.write_array_header_1_0(file, header)
                file.write(values.data)
        for name, texts in zip(_TEXTS, (ids, terms), strict=True):
            tables = MappedTexts.tables(map(_bytes, texts))
            write_tables(path / f"{name}.tables", tables, kind=name)
        return cls.open(path)

    def given(self, ids: Sequence[str]) -> tuple[list[str], NDArray[np.int32], NDArray[np.int64]]:
        """All terms; their numbers in these passages, one after the other; how many each has."""
        rows = np.array(self._rows(ids), dtype=np.int64)
        starts, lengths = self._ends[rows], self._ends[rows + 1] - self._ends[rows]
        before = np.cumsum(lengths) - lengths
        places = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
        return [*map(_text, self._terms)], np.asarray(self._tokens[places]), lengths

    def _rows(self, ids: Sequence[str]) -> list[int]:
        """Raises KeyError for an unknown id."""
        rows = self._ids.rows([_bytes(id_) for id_ in ids])
        if -1 in rows:
            raise KeyError(ids[rows.index(-1)])
        return rows

    @classmethod
    def open(cls, path: Path) -> Self:
        try:
            # Not np.load, which takes a file that begins like a ZIP archive for one.
            arrays: dict[str, NDArray[Any]] = {
                name: np.lib.format.open_memmap(path / f"{name}.npy", mode="r").view(np.ndarray)
                for name in ARRAYS | GIVEN
            }
            ids, terms = (
                MappedTexts(read_tables(path / f"{name}.tables", kind=name)) for name in _TEXTS
            )
            _check(ids, terms, arrays)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _damaged(path, f"{type(error).__name__}: {error}") from error
        return cls(path, ids=ids, terms=terms, arrays=arrays)

    def search(
        self, terms: Sequence[Term], k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        scores = self._scored(tuple(terms))
        if among is None:
            rows = np.flatnonzero(scores)
        else:
            known = {row for row in self._ids.rows([_bytes(id_) for id_ in among]) if row >= 0}
            allowed = np.array(sorted(known), dtype=np.int64)
            rows = allowed[scores[allowed] != 0]
        k = min(k, len(rows))
        if k <= 0:
            return []
        worth = scores[rows]
        threshold = np.partition(worth, -k)[-k]
        best = np.flatnonzero(worth >= threshold)
        ranked = sorted((-float(worth[n]), _text(self._ids[int(rows[n])])) for n in best)
        return [(id_, -negated) for negated, id_ in ranked[:k]]

    def _scored(self, terms: tuple[Term, ...]) -> NDArray[np.float64]:
        """Of every passage. Those of the last few searches are remembered: the same terms come
        again for what the other leg has found."""
        if (known := self._last.get(terms)) is not None:
            return known
        scores = np.zeros(len(self._ids), dtype=np.float64)
        for term in terms:
            columns = self._columns(term)
            if len(columns) == 1:
                postings = self._postings(columns[0])
                scores[self._passages[postings]] += self._scores[postings]
            elif columns:
                rows, weights = self._united(columns)
                scores[rows] += weights
        last = [*self._last.items()][-_LAST + 1 :]
        self._last = dict([*last, (terms, scores)])
        return scores

    def _columns(self, term: Term) -> list[int]:
        tokens = [term] if isinstance(term, str) else [*dict.fromkeys(term)]
        return [n for n in self._terms.rows([*map(_bytes, tokens)]) if n >= 0]

    def _postings(self, column: int) -> slice:
        """Raises IndexDamaged when they are no postings of passages that there are."""
        start, end = self._offsets[column : column + 2].tolist()
        rows = self._passages[max(0, start) : end]
        if not len(rows) or len(rows) != end - start:
            raise _damaged(self._path, f"the postings of term {column} are {start} to {end}")
        if not 0 <= rows.min() <= rows.max() < len(self._ids):
            raise _damaged(self._path, f"it names a passage that is not one of {len(self._ids)}")
        return slice(start, end)

    def _united(self, columns: Sequence[int]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        postings = [self._postings(column) for column in columns]
        return united([(self._passages[p], self._scores[p]) for p in postings], self._idf)

    def tokens_of(self, id_: str) -> list[str]:
        (row,) = self._rows([id_])
        numbers = self._tokens[self._ends[row] : self._ends[row + 1]].tolist()
        return [_text(self._terms[number]) for number in numbers]

    def idf(self, term: Term) -> float:
        """Natural logarithm; 0 only in an empty index."""
        found = self._idfs.get(term)
        if found is None:
            found = self._counted_idf(term)
            if len(self._idfs) >= _KEPT:
                self._idfs.clear()
            self._idfs[term] = found
        return found

    def _counted_idf(self, term: Term) -> float:
        columns = self._columns(term)
        if len(columns) > 1:
            rows = [self._passages[self._postings(column)] for column in columns]
            return self._idf(len(np.unique(np.concatenate(rows))))
        if columns:
            postings = self._postings(columns[0])
            return self._idf(postings.stop - postings.start)
        return self._idf(0.5)

    def _idf(self, frequency: float) -> float:
        return math.log1p((len(self._ids) - frequency + 0.5) / (frequency + 0.5))

    def __contains__(self, token: object) -> bool:
        return isinstance(token, str) and bool(self._columns(token))

    def ceiling(self, terms: Sequence[Term]) -> float:
        """The sum of the idfs: tf / (tf + …) stays below 1. A term given twice counts twice."""
        return math.fsum(self.idf(term) for term in terms)

    def __len__(self) -> int:
        return len(self._ids)

    def close(self) -> None:
        nothing = MappedTexts(MappedTexts.tables([]))
        self._ids, self._terms = nothing, nothing
        self._scores, self._passages, self._offsets = (np.empty(0, t) for t in ARRAYS.values())
        self._tokens, self._ends = (np.empty(0, t) for t in GIVEN.values())


def united(
    postings: Sequence[tuple[NDArray[Any], NDArray[np.float32]]], idf: Callable[[float], float]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Passages and scores of several tokens that count as one, of the passages and scores of each.

    A score over its idf is s = tf / (tf + K), so that tf / K = s / (1 - s), which add up over the
    tokens: K depends on the passage alone.
    """
    passages, places = np.unique(np.concatenate([p for p, _ in postings]), return_inverse=True)
    shares = np.concatenate([scores / idf(len(scores)) for _, scores in postings])
    shares = np.minimum(shares.astype(np.float64), 0.999999)
    frequencies = np.bincount(places, weights=shares / (1 - shares))
    return passages, idf(len(passages)) * frequencies / (1 + frequencies)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


def _damaged(path: Path, found: str) -> IndexDamaged:
    return IndexDamaged(
        f"The word index {path} cannot be used: {found}. Run `askai index --rebuild`."
    )


_NONE: tuple[list[str], NDArray[np.int32], NDArray[np.int64]] = (
    [],
    np.empty(0, np.int32),
    np.empty(0, np.int64),
)


def _used(terms: list[str], numbers: NDArray[np.int32]) -> tuple[list[str], NDArray[np.int32]]:
    """The terms that are in any passage, and the numbers that they have now."""
    used = np.bincount(numbers, minlength=len(terms)) > 0
    places = np.cumsum(used, dtype=np.int32) - 1
    return [term for term, kept in zip(terms, used, strict=True) if kept], places[numbers]


def _weigh(
    numbers: NDArray[np.int32], ends: NDArray[np.int64], terms: int
) -> dict[str, NDArray[Any]]:
    """The postings of every term: where it stands, and what it is worth there."""
    if not terms:  # and so no average length either
        return {"scores": np.empty(0), "passages": np.empty(0), "offsets": np.zeros(1)}
    lengths = np.diff(ends)
    blocks = [*_counted(numbers, ends)]
    found = np.zeros(terms, dtype=np.int64)  # in how many passages
    for block in blocks:
        found[block.columns[block.first]] += block.sizes
    offsets = np.concatenate([[0], np.cumsum(found)])
    rows = np.empty(offsets[-1], dtype=np.int32)
    counts = np.empty(offsets[-1], dtype=np.float32)
    place = offsets[:-1].copy()  # of the next posting of each term
    for block in blocks:
        of = block.columns[block.first]
        at = np.arange(len(block.rows)) + np.repeat(place[of] - block.first, block.sizes)
        rows[at], counts[at] = block.rows, block.counts
        place[of] += block.sizes
    del blocks
    idf = np.log1p((len(lengths) - found + 0.5) / (found + 0.5)).astype(np.float32)
    counts /= counts + (K1 * (1 - B + B * lengths / lengths.mean())).astype(np.float32)[rows]
    counts *= np.repeat(idf, found)
    return {"scores": counts, "passages": rows, "offsets": offsets}


@dataclass(frozen=True, slots=True)
class _Block:
    """The postings of some passages, by term and then by passage."""

    columns: NDArray[np.int32]  # the number of the term of each
    rows: NDArray[np.int32]
    counts: NDArray[np.float32]
    first: NDArray[np.int64]  # where those of each term begin
    sizes: NDArray[np.int64]  # and how many they are


def _counted(numbers: NDArray[np.int32], ends: NDArray[np.int64]) -> Iterator[_Block]:
    """How often each term is in each passage, so many passages at a time that what is made in
    between does not grow with the corpus."""
    start = 0
    while start < len(ends) - 1:
        stop = int(np.searchsorted(ends, ends[start] + _TOKENS, "right")) - 1
        stop = max(stop, start + 1)
        some = ends[start : stop + 1]
        here = np.repeat(np.arange(stop - start), np.diff(some))
        # Sorted, the tokens of a term stand together, and among them those of a passage.
        keys = np.sort(numbers[some[0] : some[-1]] * np.int64(stop - start) + here)
        distinct = np.flatnonzero(np.diff(keys, prepend=-1))
        columns, rows = np.divmod(keys[distinct], stop - start)
        first = np.flatnonzero(np.diff(columns, prepend=-1))
        yield _Block(
            columns=columns.astype(np.int32),
            rows=(rows + start).astype(np.int32),
            counts=np.diff(distinct, append=len(keys)).astype(np.float32),
            first=first,
            sizes=np.diff(first, append=len(columns)),
        )
        start = stop


def _check(ids: MappedTexts, terms: MappedTexts, arrays: dict[str, NDArray[Any]]) -> None:
    """Raises ValueError when the parts cannot belong together, by their sizes."""
    for name, dtype in (ARRAYS | GIVEN).items():
        if arrays[name].dtype != dtype or arrays[name].ndim != 1:
            raise ValueError(f"{name}.npy holds {arrays[name].dtype} of shape {arrays[name].shape}")
    ids.check()
    terms.check()
    scores, passages, offsets = (arrays[name] for name in ARRAYS)
    ends = [0, len(scores), len(passages)]
    if len(offsets) != len(terms) + 1 or [offsets[0], offsets[-1], offsets[-1]] != ends:
        raise ValueError(f"{len(terms)} terms, {len(offsets)} offsets, {len(scores)} postings")
    if len(arrays["ends"]) != len(ids) + 1 or arrays["ends"][-1] != len(arrays["tokens"]):
        raise ValueError(f"{len(ids)} passages, {len(arrays['ends'])} ends")
