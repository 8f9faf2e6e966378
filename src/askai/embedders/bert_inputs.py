"""What a BERT model is given for a text: the ids of its tokens, and the sum of their embeddings.

The words' embeddings are four fifths of a model of many languages, of which a text needs a few
rows: they are read from the mapped file.
"""

import json
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askai.embedders.unigram import UnigramTokenizer

Matrix = NDArray[np.float32]  # shape (tokens, hidden)

_CONFIG = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
WEIGHTS = "model.safetensors"


def bert_config(folder: Path) -> dict[str, Any]:
    """The configuration; raises ValueError for a model of another architecture."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for key, value in _CONFIG.items():
        if config.get(key, value) != value:
            raise ValueError(f"{folder}: {key} is {config[key]!r}; expected {value!r}")
    return config


class BertInputs:
    """Several threads may share one."""

    def __init__(self, folder: Path, *, max_tokens: int) -> None:
        """Raises OSError for a missing file, and what a library raises for one it cannot read."""
        self.file = opened_weights(folder)
        self._tokens = Tokens(folder / "tokenizer.json", max_tokens)
        self._words = _mapped(folder / WEIGHTS, "embeddings.word_embeddings.weight")
        self._positions = self._tensor("embeddings.position_embeddings.weight")
        self._type = self._tensor("embeddings.token_type_embeddings.weight")[0]

    def _tensor(self, name: str) -> Matrix:
        tensor: Matrix = self.file.get_tensor(name).astype(np.float32, copy=False)
        return tensor

    def ids(self, text: str) -> list[int]:
        """The ids of a text's tokens, special ones included; what exceeds `max_tokens` is cut."""
        return self._tokens.ids(text)

    def embedded(self, ids: Sequence[int] | NDArray[np.int32]) -> Matrix:
        """The sum of the embeddings of tokens, before it is normalised."""
        states: Matrix = self._words[ids].astype(np.float32, copy=False)
        states += self._positions[: len(ids)]
        states += self._type
        return states


def opened_weights(folder: Path) -> Any:
    """A handle on the tensors of `model.safetensors`."""
    from safetensors import safe_open  # noqa: PLC0415

    return safe_open(str(folder / WEIGHTS), framework="np")


def _mapped(file: Path, name: str) -> NDArray[Any]:
    """A tensor of a safetensors file, not yet read: a JSON header says where each one lies."""
    with file.open("rb") as opened:
        (size,) = struct.unpack("<Q", opened.read(8))
        entry = json.loads(opened.read(size))[name]
    dtype = {"F32": "<f4", "F16": "<f2"}[entry["dtype"]]
    at, shape = 8 + size + entry["data_offsets"][0], tuple(entry["shape"])
    return np.memmap(file, dtype, mode="r", offset=at, shape=shape).view(np.ndarray)


class Tokens:
    """The token ids of texts, by the library only where `UnigramTokenizer` does not do."""

    def __init__(self, file: Path, max_tokens: int) -> None:
        """Raises OSError for a missing file, and what the library raises for one it cannot read."""
        self._file = file
        self._max_tokens = max_tokens
        self._library: Any = None
        self._mapped: UnigramTokenizer | None = None
        try:
            self._mapped = UnigramTokenizer.open(file)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._load()

    def ids(self, text: str) -> list[int]:
        if self._mapped:
            with suppress(ValueError):  # a special token is written out in it
                return self._mapped.encode(text, max_tokens=self._max_tokens)
        ids: list[int] = self._load().encode(text).ids
        return ids

    def _load(self) -> Any:
        if self._library is None:
            from tokenizers import Tokenizer  # noqa: PLC0415  it parses for more than a second

            library = Tokenizer.from_file(str(self._file))
            library.no_padding()
            library.enable_truncation(self._max_tokens)
            self._library = library
        return self._library
