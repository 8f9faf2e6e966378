"""The vector of one question from a BERT model's folder, by NumPy alone.

Importing sentence-transformers takes longer than everything else that a question needs. A question
is a few dozen tokens, for which the forward pass of a small BERT (Devlin et al. 2019,
arXiv:1810.04805) with mean pooling is some tens of milliseconds of matrix products over weights
that are mapped into memory: the same weights, in the same precision, to the same vector.
`bert_onnx` is quicker, where the model and the machine allow it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from askai.embedders import Vector
from askai.embedders.bert_inputs import BertInputs, Matrix, bert_config


class BertEncoder:
    """Mean-pooled, normalised BERT vectors, one text at a time; reentrant."""

    def __init__(self, folder: Path, *, max_tokens: int) -> None:
        """Opens `config.json`, `tokenizer.json` and `model.safetensors` of a folder.

        Raises ValueError for a model of another architecture, OSError for a missing file.
        """
        config = bert_config(folder)
        self._heads: int = config["num_attention_heads"]
        self._epsilon: float = config["layer_norm_eps"]
        self._inputs = BertInputs(folder, max_tokens=max_tokens)
        file = self._inputs.file
        norm = "embeddings.LayerNorm"
        self._norm: tuple[Matrix, Matrix] = tuple(
            file.get_tensor(f"{norm}.{part}").astype(np.float32) for part in ("weight", "bias")
        )
        self._layers = [
            _Layer(file, f"encoder.layer.{n}.") for n in range(config["num_hidden_layers"])
        ]

    def encode(self, text: str) -> Vector:
        """A vector of shape (hidden,) and length 1; what exceeds `max_tokens` is cut off."""
        embedded = self._inputs.embedded(self._inputs.ids(text))
        states = _normalised(embedded, *self._norm, self._epsilon)
        for layer in self._layers:
            states = layer.forward(states, heads=self._heads, epsilon=self._epsilon)
        mean = states.mean(axis=0, dtype=np.float32)
        vector: Vector = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return vector


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
