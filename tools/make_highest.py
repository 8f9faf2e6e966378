# ruff: noqa: INP001, T201, SLF001  what runs the graph also runs one with more outputs
"""Makes src/askai/embedders/e5_highest.npz from questions of evals/.

    python tools/make_highest.py

The highest number, without its sign, that each column of what a linear layer of
multilingual-e5-small is given has with some hundreds of questions in four languages, by which
`askai.embedders.rounded_graph` makes columns more alike. Only questions are read, of the
development half of the gold set and of the fragments.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from askai.embedders import packaged_e5
from askai.embedders.bert_graph import BertGraph
from askai.embedders.bert_inputs import WEIGHTS, bert_config, opened_weights
from askai.embedders.bert_onnx import OnnxBertEncoder
from askai.files import sha256_of
from askai.gold import split_of
from askai.kept_graphs import session

ROOT = Path(__file__).parent.parent
EVERY = 20  # of the fragments' questions, and of the words of a question


def questions() -> list[str]:
    gold = map(json.loads, (ROOT / "evals/gold.jsonl").read_text("utf-8").splitlines())
    found = [item["question"] for item in gold if split_of(item["id"]) == "development"]
    fragments = (ROOT / "evals/fragments/queries.jsonl").read_text("utf-8").splitlines()
    found += [json.loads(line)["text"] for line in fragments[::EVERY]]
    # A word is also asked for alone, where it is to be translated.
    return found + [word for text in found for word in text.split()[::EVERY]]


class Watched:
    """A session that keeps the highest number in each column of some states."""

    def __init__(self, model: Any, states: list[str], folder: Path) -> None:
        for name in states:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        graph = folder / "watched.onnx"
        graph.write_bytes(model.SerializeToString())
        self._session = session(graph, threads=1)
        graph.unlink()
        self._states = states
        self.highest: dict[str, Any] = {}

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        encoded, *found = self._session.run([*outputs, *self._states], inputs)
        for name, state in zip(self._states, found, strict=True):
            columns = np.abs(state).reshape(-1, state.shape[-1]).max(axis=0)
            self.highest[name] = np.maximum(self.highest.get(name, 0), columns)
        return [encoded]


def main() -> None:
    folder = packaged_e5.model_folder()
    model = onnx.load_from_string(BertGraph(opened_weights(folder), bert_config(folder)).model())
    given = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "MatMulNBits"}
    path = ROOT / "src/askai/embedders/e5_highest.npz"
    watched = Watched(model, sorted(set(given.values())), path.parent)
    encoder = OnnxBertEncoder(folder, name="multilingual-e5-small", max_tokens=512)
    asked = questions()
    for question in asked:
        encoder._run(watched, [encoder._inputs.ids(f"query: {question}")])
    layers: dict[str, list[Any]] = {}
    for product, states in given.items():  # in the order of the layers
        layers.setdefault(product.rpartition(".")[2], []).append(watched.highest[states])
    arrays = {part: np.stack(found).astype(np.float32) for part, found in layers.items()}
    np.savez_compressed(path, weights=np.array(sha256_of(folder / WEIGHTS)), **arrays)
    print(f"{path.name} of {len(asked)} questions and words, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
