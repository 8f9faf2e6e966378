"""The vectors of texts from a BERT model whose weights have 4 bits, by ONNX Runtime.

What is kept in an index is multiplied with the weights of `model.safetensors` to the last bit
(`bert_graph`), and is what sentence-transformers gives. For a question both are rounded to 8 bits
(`rounded_graph`), which is faster; `tests/test_embedders.py` holds its vector against the exact
one. The graphs are made once, and load in a few hundredths of a second.

Texts are packed: linear layers see the tokens of all texts as rows of one matrix, without padding,
which is put in for attention alone. So a text's vector does not depend on the texts beside it. A
run has one thread, since two that divide each product wait for each other where a third program is
busy; of many texts, each processor has runs of its own.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askai.embedders import Vector, Vectors
from askai.embedders.bert_graph import BLOCK, BertGraph, in_four_bits
from askai.embedders.bert_inputs import WEIGHTS, BertInputs, bert_config, opened_weights
from askai.embedders.rounded_graph import RoundedBertGraph, highest_of
from askai.files import stamped_sha256
from askai.kept_graphs import graph_path, is_kept, keep, session

VERSION = 2  # of the graphs
_TOKENS = 1024  # in one run, at most


class OnnxBertEncoder:
    """Mean-pooled, normalised vectors; reentrant."""

    def __init__(self, folder: Path, *, name: str, max_tokens: int) -> None:
        """Opens the folder's graph, which is made the first time.

        Raises NotInFourBits for other weights, ValueError for another architecture, ImportError
        without ONNX Runtime, OSError for a missing file and where the cache cannot be written, and
        what ONNX Runtime and the tokenizer raise.
        """
        self._folder, self._name = folder, name
        graph = kept_graph(folder, name, rounded=True)
        self._question: Any = session(graph, threads=_for_one_text())
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
                # Each thread has texts of its own.
                self._passages = session(kept_graph(self._folder, self._name), threads=1)
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


def _for_one_text() -> int:
    """Two threads take half of the time where a processor is free; where none is, they wait for
    each other at each of a hundred steps, and take half as much again."""
    processors = _processors()
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # not on Windows
    return min(2, processors) if busy < processors else 1


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


def kept_graph(folder: Path, name: str, *, rounded: bool = False) -> Path:
    """The graph of a model's folder, made and kept if it is not yet there; `rounded` for a
    question, where what that takes is known of the model."""
    config = bert_config(folder)
    sizes = [config[key] for key in ("num_hidden_layers", "num_attention_heads", "hidden_size")]
    weights = stamped_sha256(folder / WEIGHTS)
    highest = highest_of(weights) if rounded else None
    kind = "rounded" if highest else "exact"
    path = graph_path(name, f"{VERSION} {weights} {sizes} {config['layer_norm_eps']} {kind}")
    if not is_kept(path):
        file = opened_weights(folder)
        in_four_bits(file.get_slice("encoder.layer.0.intermediate.dense.weight")[:BLOCK])
        graph = RoundedBertGraph(file, config, highest) if highest else BertGraph(file, config)
        keep(path, lambda partial: partial.write_bytes(graph.model()))
    return path
