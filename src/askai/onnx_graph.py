"""ONNX graphs written by hand: the few messages of onnx.proto3 (IR version 8) that a model needs.

ONNX Runtime reads such files without the package `onnx`, which would be one more dependency for
what is a list of nodes with names. A message is a row of fields, each with its number and a value:
https://protobuf.dev/programming-guides/encoding; the numbers are those of onnx/onnx.proto3.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_IR_VERSION, _OPSET = 8, 17  # of LayerNormalization
CONTRIB = "com.microsoft"  # ONNX Runtime's own operators, docs/ContribOperators.md
_KINDS = {"float32": 1, "uint8": 2, "int32": 6, "int64": 7}  # TensorProto.DataType
_FLOAT, _INT = (2, 1), (3, 2)  # field of the value, AttributeProto.AttributeType

Shape = Sequence[int | str]  # a name for what is known only when it runs


@dataclass(slots=True)
class Graph:
    """Nodes in the order in which they run, and the arrays that belong to the model."""

    _nodes: list[bytes] = field(default_factory=list)
    _constants: dict[str, bytes] = field(default_factory=dict)

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
        parts = [_field(1, name) for name in inputs]
        parts += [_field(2, output), _field(3, output), _field(4, operator)]
        parts += [_field(5, _attribute(name, value)) for name, value in settings.items()]
        self._nodes.append(_field(1, b"".join((*parts, _field(7, domain)))))
        return output

    def split(self, source: str, sizes: str, outputs: Sequence[str]) -> None:
        """Adds a node that cuts the last axis into parts of these `sizes`, a constant's name."""
        names = [_field(1, source), _field(1, sizes), *(_field(2, name) for name in outputs)]
        kind = [_field(4, "Split"), _field(5, _attribute("axis", -1))]
        self._nodes.append(_field(1, b"".join((*names, *kind))))

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Adds an array; returns its name."""
        dims = b"".join(_field(1, size) for size in array.shape)
        content = np.ascontiguousarray(array).tobytes()
        kind = _field(2, _KINDS[array.dtype.name])
        self._constants[name] = dims + kind + _field(8, name) + _field(9, content)
        return name

    def model(
        self, inputs: Mapping[str, tuple[str, Shape]], outputs: Mapping[str, tuple[str, Shape]]
    ) -> bytes:
        """The whole file; inputs and outputs are (dtype, shape) by name."""
        graph = [*self._nodes, _field(2, "graph")]
        graph += [_field(5, constant) for constant in self._constants.values()]
        graph += [_field(11, _value(name, *kind)) for name, kind in inputs.items()]
        graph += [_field(12, _value(name, *kind)) for name, kind in outputs.items()]
        operators = (("", _OPSET), (CONTRIB, 1))
        sets = (_field(8, _field(1, domain) + _field(2, n)) for domain, n in operators)
        return _field(1, _IR_VERSION) + _field(7, b"".join(graph)) + b"".join(sets)


def _value(name: str, dtype: str, shape: Shape) -> bytes:
    """A ValueInfoProto."""
    dims = (_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in shape)
    tensor = _field(1, _KINDS[dtype]) + _field(2, b"".join(dims))
    return _field(1, name) + _field(2, _field(1, tensor))


def _attribute(name: str, value: float) -> bytes:
    place, kind = _INT if isinstance(value, int) else _FLOAT
    return _field(1, name) + _field(place, value) + _field(20, kind)


def _field(number: int, value: float | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, low ones first; a negative number in two's complement of 64 bits."""
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))
