"""Graphs made node by node, run by ONNX Runtime."""

import numpy as np

from askai.kept_graphs import runtime
from askai.onnx_graph import CONTRIB, Graph


def run(model, **inputs):
    session = runtime().InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def test_nodes_constants_and_settings() -> None:
    graph = Graph()
    weight = np.arange(6, dtype=np.float32).reshape(3, 2)
    states = graph.add("MatMul", ["x", graph.constant("weight", weight)], "product")
    norm = [graph.constant(name, np.full(2, n, np.float32)) for n, name in ((2, "w"), (1, "b"))]
    graph.add("LayerNormalization", [states, *norm], "y", axis=-1, epsilon=1e-3)
    model = graph.model({"x": ("float32", ("rows", 3))}, {"y": ("float32", ("rows", 2))})
    x = np.array([[1, 2, 300], [0, -1, 5]], dtype=np.float32)
    product = x @ weight
    centred = product - product.mean(axis=1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-3) * 2 + 1
    np.testing.assert_allclose(run(model, x=x)[0], expected, rtol=1e-5)


def test_a_cut_and_an_operator_of_onnx_runtime_itself() -> None:
    graph = Graph()
    graph.split("x", graph.constant("sizes", np.array([1, 2])), ["first", "rest"])
    graph.add(
        "BiasGelu", ["rest", graph.constant("b", np.zeros(2, np.float32))], "y", domain=CONTRIB
    )
    model = graph.model(
        {"x": ("float32", (1, 3))}, {"y": ("float32", (1, 2)), "first": ("float32", (1, 1))}
    )
    y, first = run(model, x=np.array([[7, 0, 100]], dtype=np.float32))
    assert first.tolist() == [[7]]
    np.testing.assert_allclose(y, [[0, 100]])
