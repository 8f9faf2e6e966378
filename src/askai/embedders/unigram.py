"""The tokens of a text by a Unigram model (Kudo 2018, arXiv:1804.10959), from mapped tables.

`tokenizers` parses the 250,000 pieces of XLM-RoBERTa before its first token, which takes longer
than all else that a question needs. Here the pieces are an array sorted by hash: those of a text's
substrings are looked up together, and the best path through them is found as `tokenizers` does, to
the same ids. What is not the one form of tokenizer.json that is known here is left to that library.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from askai.mapped_tables import MappedTexts, Tables, tables_of

VERSION = 1  # of the tables

_SPACE = "\u2581"  # which stands for a blank in pieces
_UNKNOWN_PENALTY = 10.0  # below the worst piece, as in SentencePiece
_WORDS = 4096  # whose pieces are remembered
# Nmt, as SentencePiece names its rules: what is dropped, and what becomes a blank.
_DROPPED = {
    *range(0x01, 0x09), 0x0B, *range(0x0E, 0x20), 0x7F, 0x8F, 0x9F,
}  # fmt: skip
_BLANKS = {
    0x09, 0x0A, 0x0C, 0x0D, 0x1680, *range(0x200B, 0x2010), 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD,
}  # fmt: skip
_NMT = dict.fromkeys(_DROPPED) | dict.fromkeys(_BLANKS, " ")
_KNOWN: dict[str, Any] = {
    "normalizer": {
        "type": "Sequence",
        "normalizers": [
            {"type": "Nmt"},
            {"type": "NFKC"},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            {"type": "Strip", "strip_left": True, "strip_right": True},
        ],
    },
    "pre_tokenizer": {
        "type": "Metaspace",
        "replacement": _SPACE,
        "prepend_scheme": "always",
        "split": True,
    },
}


class UnigramTokenizer:
    """Ids of texts; several threads may share one."""

    def __init__(self, tables: Tables) -> None:
        self._pieces, self._scores = MappedTexts(tables), tables["scores"]
        self._longest, self._first, self._last, self._unknown = map(int, tables["numbers"])
        self._least = float(self._scores.min()) - _UNKNOWN_PENALTY
        self._special = re.compile("|".join(map(re.escape, _lines(tables["special"]))))
        self._of_word = lru_cache(_WORDS)(self._best_path)

    @classmethod
    def open(cls, file: Path) -> Self:
        """The tokenizer of a tokenizer.json; raises ValueError for one of another form."""
        return cls(tables_of(file, name="unigram", version=VERSION, make=_tables))

    def encode(self, text: str, *, max_tokens: int) -> list[int]:
        """The ids, special ones at both ends; what exceeds `max_tokens` is cut off.

        Raises ValueError where a special token is written out in the text, which is left to
        `tokenizers`.
        """
        if self._special.search(text):
            raise ValueError(f"{text!r} holds a special token")
        words = _words(text)
        ids = [id_ for word in words for id_ in self._of_word(word)]
        return [self._first, *ids[: max_tokens - 2], self._last]

    def _best_path(self, word: str) -> tuple[int, ...]:
        """The most probable pieces of a word; characters that are in none are one unknown."""
        size = len(word)
        best, begins, ids = [0.0] + [-np.inf] * size, [0] * (size + 1), [0] * (size + 1)
        found = self._found(word)
        for start in range(size):
            for length, id_ in found[start]:
                score = best[start] + float(self._scores[id_])
                if score > best[start + length]:
                    best[start + length] = score
                    begins[start + length], ids[start + length] = start, id_
            if not any(length == 1 for length, _ in found[start]):
                score = best[start] + self._least
                if score > best[start + 1]:
                    best[start + 1] = score
                    begins[start + 1], ids[start + 1] = start, self._unknown
        path: list[int] = []
        at = size
        while at:
            # Neighbouring unknown characters are one token.
            if not (ids[at] == self._unknown and path and path[-1] == self._unknown):
                path.append(ids[at])
            at = begins[at]
        return tuple(reversed(path))

    def _found(self, word: str) -> list[list[tuple[int, int]]]:
        """For each place of a word the (length, id) of the pieces that begin there, short first."""
        spans = [
            (start, length)
            for start in range(len(word))
            for length in range(1, min(self._longest, len(word) - start) + 1)
        ]
        parts = [word[start : start + length].encode() for start, length in spans]
        found: list[list[tuple[int, int]]] = [[] for _ in word]
        for (start, length), id_ in zip(spans, self._pieces.rows(parts), strict=True):
            if id_ >= 0:
                found[start].append((length, id_))
        return found


def _words(text: str) -> Iterator[str]:
    """Normalised, and cut at blanks, each word with the mark of a blank before it."""
    plain = unicodedata.normalize("NFKC", text.translate(_NMT))
    plain = re.sub(" {2,}", " ", plain).strip()
    if plain:
        for word in plain.split(" "):
            yield _SPACE + word


def _lines(table: NDArray[Any]) -> list[str]:
    return table.tobytes().decode().split("\n")


def _tables(file: Path) -> Tables:
    """The tables of a tokenizer.json; raises ValueError for one of another form."""
    content = json.loads(file.read_text("utf-8"))
    model = content["model"]
    first, last = _ends_of(content)
    if (
        model.get("type") != "Unigram"
        or model.get("byte_fallback")
        or any(content.get(part) != known for part, known in _KNOWN.items())
    ):
        raise ValueError(f"{file} is not a tokenizer of XLM-RoBERTa's form")
    pieces = [piece.encode() for piece, _ in model["vocab"]]
    special = [token["content"] for token in content["added_tokens"]]
    numbers = [max(len(piece) for piece, _ in model["vocab"]), first, last, model["unk_id"]]
    return {
        **MappedTexts.tables(pieces),
        "scores": np.array([score for _, score in model["vocab"]], dtype=np.float64),
        "special": np.frombuffer("\n".join(special).encode(), np.uint8),
        "numbers": np.array(numbers, dtype=np.int64),
    }


def _ends_of(content: Mapping[str, Any]) -> tuple[int, int]:
    """The ids of the tokens before and after a text."""
    template = content["post_processor"]
    before, text, after = template["single"]
    if template["type"] != "TemplateProcessing" or text["Sequence"]["id"] != "A":
        raise ValueError("not one special token at each end")
    ids = template["special_tokens"]
    first, last = (ids[part["SpecialToken"]["id"]]["ids"] for part in (before, after))
    return int(first[0]), int(last[0])
