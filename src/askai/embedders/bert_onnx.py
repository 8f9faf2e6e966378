"""The vectors of texts from a BERT model whose weights have 4 bits, by ONNX Runtime.

The weights of the layers are those of `model.safetensors`, to the last bit: where each block of 32
is made of 16 levels, as in a model that was published in 4 bits, ONNX Runtime's MatMulNBits takes
the levels. They are an eighth of the size, so that a question need not wait for memory, and the
graph, which is made once, loads in a few hundredths of a second.

What is kept in an index is multiplied in 32 bits, and is what sentence-transformers gives. For a
question the rows are rounded to 8 bits, each 32 numbers with a scale of their own, which is faster;
`tests/test_embedders.py` holds its vector against the exact one.

Texts are packed: linear layers see the tokens of all texts as rows of one matrix, without padding,
which is put in for attention alone. So a text's vector does not depend on the texts beside it. A
run has one thread, since two that divide each product wait for each other where a third program is
busy; of many texts, each processor has runs of its own.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askai.embedders import Vector, Vectors
from askai.embedders.bert_inputs import WEIGHTS, BertInputs, Matrix, bert_config, opened_weights
from askai.files import stamped_sha256
from askai.kept_graphs import graph_path, is_kept, keep, session
from askai.onnx_graph import CONTRIB, Graph

VERSION = 1  # of the graph
BLOCK, _LEVELS = 32, 8  # weights of one scale; they are −8 to 7 times it
_TOKENS = 1024  # in one run, at most
_EXACT, _ROUNDED = 1, 4  # MatMulNBits' accuracy levels: activations in 32 bits, or in 8
_PARTS = {  # our names -> BertModel's
    "qkv": tuple(f"attention.self.{part}" for part in ("query", "key", "value")),
    "attended": ("attention.output.dense",),
    "wide": ("intermediate.dense",),
    "narrow": ("output.dense",),
}


class NotInFourBits(ValueError):
    """The weights of a model are not made of blocks of 16 levels."""


class OnnxBertEncoder:
    """Mean-pooled, normalised vectors; reentrant."""

    def __init__(self, folder: Path, *, name: str, max_tokens: int) -> None:
        """Opens the folder's graph, which is made the first time.

        Raises NotInFourBits for other weights, ValueError for another architecture, ImportError
        without ONNX Runtime, OSError for a missing file and where the cache cannot be written, and
        what ONNX Runtime and the tokenizer raise.
        """
        self._open: Callable[[int], Any] = lambda level: _opened(folder, name, level)
        self._question: Any = self._open(_ROUNDED)
        self._passages: Any = None
        self._lock = Lock()
        self._inputs = BertInputs(folder, max_tokens=max_tokens)

    def encode(self, text: str) -> Vector:
        """A vector of shape (hidden,) and length 1; what exceeds `max_tokens` is cut off."""
        vector: Vector = self._run(self._question, [self._inputs.ids(text)])[0]
        return vector

    def encode_all(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (n, hidden) of one or more texts, as sentence-transformers gives them,
        to 1e-5; those of `encode` are near to them."""
        with self._lock:
            if self._passages is None:
                self._passages = self._open(_EXACT)
        ids = [np.array(self._inputs.ids(text), dtype=np.int32) for text in texts]
        processors = _processors()
        batches = [*_batches(ids, processors)]
        with ThreadPoolExecutor(processors) as pool:
            found = pool.map(
                lambda rows: self._run(self._passages, [ids[row] for row in rows]), batches
            )
            return np.concatenate([*found])[np.argsort(np.concatenate(batches))]

    def _run(self, by: Any, texts: Sequence[Sequence[int] | NDArray[np.int32]]) -> Vectors:
        lengths = np.array([len(ids) for ids in texts])
        first = np.cumsum(lengths) - lengths
        columns = np.arange(lengths.max())
        within = columns < lengths[:, None]
        inputs = {
            "states": np.concatenate([self._inputs.embedded(ids) for ids in texts]),
            "padded": np.where(within, first[:, None] + columns, 0),
            "packed": np.flatnonzero(within),
            "lengths": lengths.astype(np.int32),
        }
        (states,) = by.run(["encoded"], inputs)
        means = np.add.reduceat(states, first) / lengths[:, None].astype(np.float32)
        vectors: Vectors = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        return vectors


def _opened(folder: Path, name: str, level: int) -> Any:
    # Of many passages each thread has its own; a question is alone.
    threads = _for_one_text() if level == _ROUNDED else 1
    return session(kept_graph(folder, name, level=level), threads=threads)


def _for_one_text() -> int:
    """Two threads take half of the time where a processor is free; where none is, they wait for
    each other at each of a hundred steps, and take half as much again."""
    processors = _processors()
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # not on Windows
    return 2 if busy < processors else 1


def _processors() -> int:
    """Those of the machine, or as many as OMP_NUM_THREADS allows: a cluster gives a worker one."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return int(allowed) if allowed.isdecimal() and int(allowed) else os.cpu_count() or 1


def _batches(ids: Sequence[NDArray[np.int32]], processors: int) -> Iterator[list[int]]:
    """Rows of texts of like length, for each processor some; the longest first, so that a batch
    that is too much for the machine fails at once and not after an hour."""
    most = min(_TOKENS, -(-sum(map(len, ids)) // processors))
    rows: list[int] = []
    room = most
    for row in sorted(range(len(ids)), key=lambda i: -len(ids[i])):
        if rows and len(ids[row]) > room:
            yield rows
            rows, room = [], most
        rows.append(row)
        room -= len(ids[row])
    yield rows


def kept_graph(folder: Path, name: str, *, level: int = _EXACT) -> Path:
    """The graph of a model's folder, made and kept if it is not yet there."""
    config = bert_config(folder)
    sizes = [config[key] for key in ("num_hidden_layers", "num_attention_heads", "hidden_size")]
    weights = stamped_sha256(folder / WEIGHTS)
    path = graph_path(name, f"{VERSION} {weights} {sizes} {config['layer_norm_eps']} {level}")
    if not is_kept(path):
        file = opened_weights(folder)
        in_four_bits(file.get_slice("encoder.layer.0.intermediate.dense.weight")[:BLOCK])
        keep(path, lambda partial: partial.write_bytes(_Builder(file, config, level).model()))
    return path


class _Builder:
    """A BertModel without its embeddings, up to the states of the last layer."""

    def __init__(self, file: Any, config: dict[str, Any], level: int) -> None:
        self._file = file
        self._level = level
        self._hidden: int = config["hidden_size"]
        self._heads: int = config["num_attention_heads"]
        self._layers: int = config["num_hidden_layers"]
        self._epsilon: float = config["layer_norm_eps"]
        self._graph = Graph()

    def model(self) -> bytes:
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
        weight = np.concatenate([self._tensor(f"{prefix}{piece}.weight") for piece in _PARTS[part]])
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
            accuracy_level=self._level,
        )

    def _bias(self, prefix: str, part: str) -> str:
        biases = [self._tensor(f"{prefix}{piece}.bias") for piece in _PARTS[part]]
        return self._graph.constant(f"{prefix}{part}.bias", np.concatenate(biases))

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
