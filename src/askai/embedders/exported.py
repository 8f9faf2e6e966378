"""A few vectors of any sentence-transformers model, without torch.

When torch has loaded a model, all of it up to the sentence's vector, its pooling included, is
written once as an ONNX graph (torch.onnx.export) and kept in askai's cache. A question, or an
edited file, then needs ONNX Runtime and the tokenizer, which load in a tenth of the time. The graph
is kept only if it gives torch's vectors for texts that models stumble over; a model that cannot be
exported so stays with torch, and is not tried again.
"""

import io
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from askai.embedders import Vector, Vectors
from askai.embedders.bert_inputs import Tokens
from askai.files import write_durably
from askai.kept_graphs import graph_path, is_kept, keep, session

VERSION = 1  # of what is exported, and how
_OPSET = 17
_LARGEST = 1_900_000_000  # bytes of weights: a graph is one message of protobuf, of 2 GiB at most
_LEAST_COSINE = 0.9999
_INPUTS = ("input_ids", "attention_mask")
_TRIED = ("Where is Hefei?", "A", "", "合肥在安徽省。", "É, ñ & ﬁ — 😀\n\t-", "word by word " * 400)

Prompts = Mapping[str, str]  # of a "query" and of a "document"


class NotExportable(Exception):
    """A model has no graph that gives its vectors."""


class ExportedEncoder:
    """Vectors of length 1, one text at a time; reentrant."""

    def __init__(self, folder: Path, graph: Path, *, max_tokens: int) -> None:
        """Raises OSError for a missing file, KeyError and ValueError for a graph of another make,
        and what ONNX Runtime and the tokenizer raise."""
        self._session = session(graph, threads=1)
        self._prompts: Prompts = json.loads(
            self._session.get_modelmeta().custom_metadata_map["prompts"]
        )
        self._tokens = Tokens(folder / "tokenizer.json", max_tokens)

    def encode(self, text: str, *, role: str) -> Vector:
        """A vector of shape (dim,); what exceeds the model's tokens is cut off."""
        ids = np.array([self._tokens.ids(self._prompts[role] + text)], dtype=np.int64)
        inputs = dict(zip(_INPUTS, (ids, np.ones_like(ids)), strict=True))
        vector: Vector = self._session.run(["vector"], inputs)[0][0]
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def open_exported(
    folder: Path, *, name: str, fingerprint: str, max_tokens: int
) -> ExportedEncoder | None:
    """The model as it was exported; None where it was not, or cannot be used."""
    graph = _graph(name, fingerprint)
    if is_kept(graph):
        with suppress(Exception):  # torch does it instead, and says what is wrong with the model
            return ExportedEncoder(folder, graph, max_tokens=max_tokens)
    return None


def export(
    model: Any,
    folder: Path,
    *,
    name: str,
    fingerprint: str,
    max_tokens: int,
    prompts: Prompts,
    encode: Callable[[Sequence[str]], Vectors],
) -> str | None:
    """Exports a loaded SentenceTransformer, unless that was done, or tried, before.

    `encode` gives its vectors for questions. Returns why it could not be exported, at the first
    try; a cache that cannot be written costs the next question its time, and nothing else.
    """
    graph = _graph(name, fingerprint)
    failed = graph.with_suffix(".failed")
    if is_kept(graph) or failed.exists():
        return None
    try:
        keep(graph, lambda partial: _write(model, partial, prompts))
        _compare(ExportedEncoder(folder, graph, max_tokens=max_tokens), encode)
    except OSError:
        return None
    except Exception as error:  # noqa: BLE001  three libraries, and models of all kinds
        reason = (" ".join(str(error).split()) or type(error).__name__)[:200]
        with suppress(OSError):
            graph.unlink(missing_ok=True)
            write_durably(failed, reason, shared=True)
        return reason
    return None


def _graph(name: str, fingerprint: str) -> Path:
    return graph_path(name.replace("/", "--"), f"exported {VERSION} {fingerprint}")


def _write(model: Any, path: Path, prompts: Prompts) -> None:
    """Exports a model to a file, rewritten by ONNX Runtime as for this kind of machine."""
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    if size > _LARGEST:
        raise NotExportable(f"its weights have {size / 1e9:.1f} GB, the most is 1.9")
    onnx = import_module("onnx")
    with TemporaryDirectory(dir=path.parent) as folder:
        raw, rewritten = Path(folder) / "raw.onnx", Path(folder) / "rewritten.onnx"
        _trace(model, raw)
        session(raw, level="ENABLE_EXTENDED", rewritten_to=rewritten)
        loaded = onnx.load(str(rewritten))
        onnx.helper.set_model_props(loaded, {"prompts": json.dumps(dict(prompts))})
        onnx.save(loaded, str(path))


def _trace(model: Any, path: Path) -> None:
    torch = import_module("torch")

    def forward(self: Any, input_ids: Any, attention_mask: Any) -> Any:
        found = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
        return found["sentence_embedding"]

    pipeline = type("Pipeline", (torch.nn.Module,), {"forward": forward})()
    pipeline.model = model
    ids = torch.ones((2, 9), dtype=torch.int64, device=model.device)
    rows = {name: {0: "texts", 1: "tokens"} for name in _INPUTS}
    # What it has to say of tracing is answered by `_compare`.
    with torch.inference_mode(), warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            pipeline.eval(),
            (ids, torch.ones_like(ids)),
            str(path),
            input_names=list(_INPUTS),
            output_names=["vector"],
            dynamic_axes={**rows, "vector": {0: "texts"}},
            opset_version=_OPSET,
            dynamo=False,
        )


def _compare(encoder: ExportedEncoder, encode: Callable[[Sequence[str]], Vectors]) -> None:
    for text, expected in zip(_TRIED, encode(_TRIED), strict=True):
        cosine = float(encoder.encode(text, role="query") @ expected)
        if not cosine >= _LEAST_COSINE:
            raise NotExportable(f"for {text[:20]!r} it gives a cosine of {cosine:.4f} to its own")
