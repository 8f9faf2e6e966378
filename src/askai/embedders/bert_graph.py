"""The graph of a BERT model whose weights have 4 bits, for ONNX Runtime, with nothing rounded.

Where each block of 32 weights is made of 16 levels, as in a model that was published in 4 bits,
ONNX Runtime's MatMulNBits takes the levels and multiplies in 32 bits: an eighth of the size, and
what sentence-transformers gives.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from askai.embedders.bert_inputs import Matrix
from askai.onnx_graph import CONTRIB, Graph

BLOCK, _LEVELS = 32, 8  # weights of one scale; they are −8 to 7 times it
_EXACT = 1  # MatMulNBits' accuracy level: activations in 32 bits
_PIECES = {  # our names of the linear layers -> BertModel's
    "qkv": tuple(f"attention.self.{piece}" for piece in ("query", "key", "value")),
    "attended": ("attention.output.dense",),
    "wide": ("intermediate.dense",),
    "narrow": ("output.dense",),
}


class NotInFourBits(ValueError):
    """The weights of a model are not made of blocks of 16 levels."""


class BertGraph:
    """A BertModel without its embeddings, up to the states of the last layer."""

    def __init__(self, file: Any, config: dict[str, Any]) -> None:
        """`file` gives the tensors of `model.safetensors`; see `bert_inputs`."""
        self._file = file
        self._hidden: int = config["hidden_size"]
        self._heads: int = config["num_attention_heads"]
        self._layers: int = config["num_hidden_layers"]
        self._epsilon: float = config["layer_norm_eps"]
        self._graph = Graph()

    def model(self) -> bytes:
        """The whole file; raises NotInFourBits for other weights."""
        graph = self._graph
        graph.constant("thirds", np.array([self._hidden] * 3))
        graph.constant("rows", np.array([-1, self._hidden]))
        norm = self._norm("embeddings.LayerNorm")
        states = graph.add(
            "LayerNormalization", ["states", *norm], "state0", axis=-1, epsilon=self._epsilon
        )
        for layer in range(self._layers):
            output = "encoded" if layer == self._layers - 1 else f"state{layer + 1}"
            states = self._layer(f"encoder.layer.{layer}.", states, output)
        tokens = ("float32", ("tokens", self._hidden))
        return graph.model(
            {
                "states": tokens,
                "padded": ("int64", ("texts", "longest")),  # the row of each token of each text
                "packed": ("int64", ("tokens",)),  # where in `padded` each row stands
                "lengths": ("int32", ("texts",)),
            },
            {"encoded": tokens},
        )

    def _layer(self, prefix: str, states: str, output: str) -> str:
        attended = self._dense(prefix, "attended", self._attention(prefix, states))
        bias = self._bias(prefix, "attended")
        middle = self._added(
            prefix + "attention.output.", states, attended, bias, f"{prefix}middle"
        )
        wide = self._dense(prefix, "wide", middle)
        activated = self._graph.add(
            "BiasGelu", [wide, self._bias(prefix, "wide")], f"{prefix}activated", domain=CONTRIB
        )
        narrow = self._dense(prefix, "narrow", activated)
        bias = self._bias(prefix, "narrow")
        return self._added(prefix + "output.", middle, narrow, bias, output)

    def _attention(self, prefix: str, states: str) -> str:
        graph = self._graph
        joined = self._dense(prefix, "qkv", states)
        padded = graph.add("Gather", [joined, "padded"], f"{prefix}padded", axis=0)
        parts = [prefix + part for part in ("query", "key", "value")]
        graph.split(padded, "thirds", parts)
        bias = self._bias(prefix, "qkv")
        found = graph.add(
            "MultiHeadAttention",
            [*parts, bias, "lengths"],
            f"{prefix}attention",
            domain=CONTRIB,
            num_heads=self._heads,
        )
        flat = graph.add("Reshape", [found, "rows"], f"{prefix}flat")
        return graph.add("Gather", [flat, "packed"], f"{prefix}attention_packed", axis=0)

    def _dense(self, prefix: str, part: str, states: str) -> str:
        """The product with the weights, without the bias, which the next operator adds."""
        name = prefix + part
        weight = self._weight(prefix, part)
        packed, scales = in_four_bits(weight)
        inputs = [self._graph.constant(f"{name}.levels", packed)]
        inputs.append(self._graph.constant(f"{name}.scales", scales.reshape(-1)))
        outputs, columns = weight.shape
        return self._graph.add(
            "MatMulNBits",
            [states, *inputs],
            name,
            domain=CONTRIB,
            K=columns,
            N=outputs,
            bits=4,
            block_size=BLOCK,
            accuracy_level=_EXACT,
        )

    def _weight(self, prefix: str, part: str) -> Matrix:
        """Of shape (outputs, inputs)."""
        return np.concatenate([self._tensor(f"{prefix}{p}.weight") for p in _PIECES[part]])

    def _biases(self, prefix: str, part: str) -> NDArray[np.float32]:
        return np.concatenate([self._tensor(f"{prefix}{p}.bias") for p in _PIECES[part]])

    def _bias(self, prefix: str, part: str) -> str:
        return self._graph.constant(f"{prefix}{part}.bias", self._biases(prefix, part))

    def _added(self, prefix: str, states: str, more: str, bias: str, output: str) -> str:
        return self._graph.add(
            "SkipLayerNormalization",
            [states, more, *self._norm(prefix + "LayerNorm"), bias],
            output,
            domain=CONTRIB,
            epsilon=self._epsilon,
        )

    def _norm(self, name: str) -> list[str]:
        pieces = (f"{name}.weight", f"{name}.bias")
        return [self._graph.constant(piece, self._tensor(piece)) for piece in pieces]

    def _tensor(self, name: str) -> Matrix:
        tensor: Matrix = self._file.get_tensor(name).astype(np.float32, copy=False)
        return tensor


def in_four_bits(weight: Matrix) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The levels of a matrix of shape (outputs, inputs), as MatMulNBits packs them, of shape
    (outputs, inputs / 32, 16), and the scales of its blocks, of shape (outputs, inputs / 32).

    A weight is (level - 8) · scale, exactly; raises NotInFourBits where no such levels give it.
    """
    outputs, inputs = weight.shape
    if inputs % BLOCK:
        raise NotInFourBits(f"rows of {inputs} weights, which are no blocks of {BLOCK}")
    blocks = weight.astype(np.float32, copy=False).reshape(-1, BLOCK)
    levels = np.zeros(blocks.shape, dtype=np.int8)
    scales = np.zeros(len(blocks), dtype=np.float32)
    sizes = np.where(blocks, np.abs(blocks), np.inf).min(axis=1)
    open_ = np.flatnonzero(np.isfinite(sizes))
    # The smallest weight that is not 0 is 1 to 8 times the scale, which may be negative.
    for level in (part * sign for part in range(1, _LEVELS + 1) for sign in (1, -1)):
        tried = (sizes[open_] / np.float32(level)).astype(np.float32)
        steps = np.rint(blocks[open_] / tried[:, None])
        fits = (steps * tried[:, None] == blocks[open_]) & (steps >= -_LEVELS) & (steps < _LEVELS)
        done = fits.all(axis=1)
        levels[open_[done]], scales[open_[done]] = steps[done], tried[done]
        open_ = open_[~done]
        if not len(open_):
            break
    else:
        raise NotInFourBits("its weights are not made of blocks of 4 bits")
    nibbles = (levels + _LEVELS).astype(np.uint8)
    packed = np.bitwise_or(nibbles[:, ::2], nibbles[:, 1::2] << 4, dtype=np.uint8)
    shape = (outputs, inputs // BLOCK)
    return packed.reshape(*shape, BLOCK // 2), scales.reshape(shape)
