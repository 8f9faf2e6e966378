"""The graph of a BERT model for a question: numbers of 8 bits, with one scale for all tokens.

ONNX Runtime multiplies them in two thirds of the time that the weights' own 4 bits take. Rounded as
they are, the few numbers of a state that are a hundred times the others would leave these no
levels. So each column of what a layer is given is divided by what makes columns more alike, by
which the weights are multiplied (SmoothQuant: Xiao et al. 2023, arXiv:2211.10438); and of the
layer that has 1,536 columns the highest have a product, and thus a scale, of their own. A
question's vector then has a cosine above .999 with the exact one; without the division, .988.
"""

from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askai.embedders.bert_graph import BertGraph
from askai.embedders.bert_inputs import Matrix
from askai.onnx_graph import CONTRIB

Highest = dict[str, NDArray[np.float32]]  # by part of a layer, of shape (layers, inputs)

_FILE = "e5_highest.npz"  # made by tools/make_highest.py
_TO_WEIGHTS = 0.75  # how much of a column's unlikeness goes over, as an exponent
_APART = 256  # columns of the widest layer
_ZERO, _LEVELS = 128, 127  # of 8 bits without a sign


def highest_of(weights: str) -> Highest | None:
    """The highest number that each column has had in the layers of the model whose weights have
    this SHA-256; None where they are not known."""
    with files("askai.embedders").joinpath(_FILE).open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        if str(stored["weights"]) != weights:
            return None
        return {name: stored[name] for name in stored.files if name != "weights"}


class RoundedBertGraph(BertGraph):
    """See `bert_graph.BertGraph`; the columns between the two outer layers are in another order."""

    def __init__(self, file: Any, config: dict[str, Any], highest: Highest) -> None:
        super().__init__(file, config)
        self._highest = highest

    def _dense(self, prefix: str, part: str, states: str) -> str:
        name, weight = prefix + part, self._weight(prefix, part)
        highest = self._columns(prefix, part)
        if part != "narrow":
            return self._product(name, states, weight, highest)
        apart = [f"{name}.high", f"{name}.low"]
        sizes = self._graph.constant(f"{name}.sizes", np.array([_APART, len(highest) - _APART]))
        self._graph.split(states, sizes, apart)
        products = [
            self._product(f"{half}.product", half, weight[:, columns], highest[columns])
            for half, columns in zip(apart, (slice(0, _APART), slice(_APART, None)), strict=True)
        ]
        return self._graph.add("Add", products, name)

    def _product(self, name: str, states: str, weight: Matrix, highest: NDArray[np.float32]) -> str:
        graph = self._graph
        theirs = np.maximum(np.abs(weight).max(axis=0), 1e-5)
        divisor = np.maximum(highest, 1e-3) ** _TO_WEIGHTS / theirs ** (1 - _TO_WEIGHTS)
        divisor /= np.exp(np.log(divisor).mean())  # so that neither side grows
        factor = graph.constant(f"{name}.factor", (1 / divisor).astype(np.float32))
        alike = graph.add("Mul", [states, factor], f"{name}.alike")
        weight = weight * divisor
        scales = (np.abs(weight).max(axis=1) / _LEVELS).astype(np.float32)
        # Without a sign: with one, processors that lack VNNI cut off sums of two products.
        levels = (np.rint(weight / scales[:, None]) + _ZERO).astype(np.uint8)
        zeros = np.full(len(weight), _ZERO, dtype=np.uint8)
        inputs = [
            graph.constant(f"{name}.levels", np.ascontiguousarray(levels.T)),
            graph.constant(f"{name}.scales", scales),
            graph.constant(f"{name}.zeros", zeros),
        ]
        return graph.add("DynamicQuantizeMatMul", [alike, *inputs], name, domain=CONTRIB)

    def _weight(self, prefix: str, part: str) -> Matrix:
        weight = super()._weight(prefix, part)
        if part == "wide":
            return weight[self._order(prefix)]
        return weight[:, self._order(prefix)] if part == "narrow" else weight

    def _biases(self, prefix: str, part: str) -> NDArray[np.float32]:
        biases = super()._biases(prefix, part)
        return biases[self._order(prefix)] if part == "wide" else biases

    def _columns(self, prefix: str, part: str) -> NDArray[np.float32]:
        """The highest number in each column of what a layer is given, in the graph's order."""
        highest: NDArray[np.float32] = self._highest[part][int(prefix.split(".")[2])]
        return highest[self._order(prefix)] if part == "narrow" else highest

    def _order(self, prefix: str) -> NDArray[np.int64]:
        """Of the columns between the wide and the narrow layer, the highest first."""
        order: NDArray[np.int64] = np.argsort(
            -self._highest["narrow"][int(prefix.split(".")[2])], kind="stable"
        )
        return order
