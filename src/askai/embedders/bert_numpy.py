"""The vector of one question from a BERT model's folder, by NumPy alone.

Importing sentence-transformers takes longer than everything else that a question needs. A question
is a few dozen tokens, for which the forward pass of a small BERT (Devlin et al. 2019,
arXiv:1810.04805) with mean pooling is some tens of milliseconds of matrix products over weights
that are mapped into memory: the same weights, in the same precision, to the same vector.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askai.embedders import Vector
from askai.embedders.unigram import UnigramTokenizer

Matrix = NDArray[np.float32]  # shape (tokens, hidden)

_CONFIG = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}


class BertEncoder:
    """Mean-pooled, normalised BERT vectors, one text at a time; reentrant."""

    def __init__(self, folder: Path, *, max_tokens: int) -> None:
        """Opens `config.json`, `tokenizer.json` and `model.safetensors` of a folder.

        Raises ValueError for a model of another architecture, OSError for a missing file.
        """
        from safetensors import safe_open  # noqa: PLC0415

        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for key, value in _CONFIG.items():
            if config.get(key, value) != value:
                raise ValueError(f"{folder}: {key} is {config[key]!r}; expected {value!r}")
        self._heads: int = config["num_attention_heads"]
        self._epsilon: float = config["layer_norm_eps"]
        self._tokens = _Tokens(folder / "tokenizer.json", max_tokens)
        self._file: Any = safe_open(str(folder / "model.safetensors"), framework="np")
        self._layers = [
            _Layer(self._file, f"encoder.layer.{n}.") for n in range(config["num_hidden_layers"])
        ]

    def encode(self, text: str) -> Vector:
        """A vector of shape (hidden,) and length 1; what exceeds `max_tokens` is cut off."""
        states = self._embedded(self._tokens.ids(text))
        for layer in self._layers:
            states = layer.forward(states, heads=self._heads, epsilon=self._epsilon)
        mean = states.mean(axis=0, dtype=np.float32)
        vector: Vector = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return vector

    def _embedded(self, ids: list[int]) -> Matrix:
        words = self._file.get_slice("embeddings.word_embeddings.weight")
        states = np.concatenate([words[i : i + 1] for i in ids])
        states = states + self._file.get_slice("embeddings.position_embeddings.weight")[: len(ids)]
        states += self._file.get_slice("embeddings.token_type_embeddings.weight")[0:1]
        weight = self._file.get_tensor("embeddings.LayerNorm.weight")
        bias = self._file.get_tensor("embeddings.LayerNorm.bias")
        return _normalised(states, weight, bias, self._epsilon)


class _Tokens:
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


class _Layer:
    """One block: self-attention and a feed-forward network, each added and normalised."""

    def __init__(self, file: Any, prefix: str) -> None:
        names = {
            "query": "attention.self.query",
            "key": "attention.self.key",
            "value": "attention.self.value",
            "attended": "attention.output.dense",
            "attended_norm": "attention.output.LayerNorm",
            "wide": "intermediate.dense",
            "narrow": "output.dense",
            "norm": "output.LayerNorm",
        }
        self._parts: Mapping[str, tuple[Matrix, Matrix]] = {
            part: (
                file.get_tensor(f"{prefix}{name}.weight").astype(np.float32, copy=False),
                file.get_tensor(f"{prefix}{name}.bias").astype(np.float32, copy=False),
            )
            for part, name in names.items()
        }

    def forward(self, states: Matrix, *, heads: int, epsilon: float) -> Matrix:
        attended = self._dense("attended", self._attention(states, heads))
        states = _normalised(states + attended, *self._parts["attended_norm"], epsilon)
        wide = _gelu(self._dense("wide", states))
        return _normalised(states + self._dense("narrow", wide), *self._parts["norm"], epsilon)

    def _attention(self, states: Matrix, heads: int) -> Matrix:
        tokens, hidden = states.shape
        query, key, value = (
            self._dense(part, states).reshape(tokens, heads, hidden // heads).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(hidden // heads))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = scores / scores.sum(axis=-1, keepdims=True)
        joined: Matrix = (weights @ value).transpose(1, 0, 2).reshape(tokens, hidden)
        return joined

    def _dense(self, part: str, states: Matrix) -> Matrix:
        weight, bias = self._parts[part]
        product: Matrix = states @ weight.T + bias
        return product


def _normalised(states: Matrix, weight: Matrix, bias: Matrix, epsilon: float) -> Matrix:
    centred = states - states.mean(axis=-1, keepdims=True)
    deviation = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(epsilon))
    scaled: Matrix = centred / deviation * weight + bias
    return scaled


def _gelu(x: Matrix) -> Matrix:
    """x Φ(x), with the error function of Abramowitz and Stegun, 7.1.26 (to 1.5e-7)."""
    z = np.abs(x) * np.float32(0.7071067811865476)
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = np.full_like(t, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = series * t + np.float32(factor)
    error = 1 - series * t * np.exp(-z * z)
    activated: Matrix = 0.5 * x * (1 + np.copysign(error, x))
    return activated
