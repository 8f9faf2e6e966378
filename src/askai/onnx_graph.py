"""A graph for ONNX Runtime, node by node, by the package `onnx`, loaded when a graph is made."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

_IR_VERSION, _OPSET = 8, 17  # of LayerNormalization, which ONNX Runtime has had from 1.11 on
CONTRIB = "com.microsoft"  # ONNX Runtime's own operators, docs/ContribOperators.md

Shape = Sequence[int | str]  # a name for what is known only when it runs


class Graph:
    """Nodes in the order in which they run, and the arrays that belong to the model."""

    def __init__(self) -> None:
        self._onnx = import_module("onnx")
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str,
        *,
        domain: str = "",
        **settings: Any,
    ) -> str:
        """Adds a node of one output; returns the output's name."""
        make = self._onnx.helper.make_node
        self._nodes.append(make(operator, inputs, [output], name=output, domain=domain, **settings))
        return output

    def split(self, source: str, sizes: str, outputs: Sequence[str]) -> None:
        """Adds a node that cuts the last axis into parts of these `sizes`, a constant's name."""
        node = self._onnx.helper.make_node("Split", [source, sizes], outputs, axis=-1)
        self._nodes.append(node)

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Adds an array; returns its name."""
        self._constants[name] = self._onnx.numpy_helper.from_array(array, name)
        return name

    def model(
        self, inputs: Mapping[str, tuple[str, Shape]], outputs: Mapping[str, tuple[str, Shape]]
    ) -> bytes:
        """The whole file; inputs and outputs are (dtype, shape) by name."""
        make = self._onnx.helper
        graph = make.make_graph(
            self._nodes,
            "graph",
            [self._value(name, *kind) for name, kind in inputs.items()],
            [self._value(name, *kind) for name, kind in outputs.items()],
            [*self._constants.values()],
        )
        operators = [make.make_opsetid(domain, n) for domain, n in (("", _OPSET), (CONTRIB, 1))]
        model = make.make_model(graph, opset_imports=operators, ir_version=_IR_VERSION)
        content: bytes = model.SerializeToString()
        return content

    def _value(self, name: str, dtype: str, shape: Shape) -> Any:
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self._onnx.helper.make_tensor_value_info(name, kind, shape)
