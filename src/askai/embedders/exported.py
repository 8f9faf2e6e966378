"""A few vectors of any sentence-transformers model, without torch.

When torch has loaded a model, all of it up to the sentence's vector, its pooling included, is
written once as an ONNX graph (torch.onnx.export) and kept in askai's cache. A question, or an
edited file, then needs ONNX Runtime and the tokenizer, which load in a tenth of the time. The graph
is kept only if it gives torch's vectors for texts that models stumble over; a model that cannot be
exported so stays with torch, and is not tried again with the same libraries.
"""

import io
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from askai.embedders import Vector, Vectors
from askai.embedders.bert_inputs import Tokens
from askai.files import write_durably
from askai.kept_graphs import PARTIAL, graph_path, is_kept, keep, session

VERSION = 1  # of what is exported, and how
_OPSET = 17
_LARGEST = 1_900_000_000  # bytes of weights: a graph is one message of protobuf, of 2 GiB at most
_ROOM = 3  # times the weights: the graph is written three times
_MOST_OFF = 1e-4  # of a number of a vector, which are 1e-7 off as a rule
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
    encode: Callable[[Sequence[str], str], Vectors],
) -> str | None:
    """Exports a loaded SentenceTransformer, unless that was done before.

    `encode` gives its vectors for texts in a role. Returns why there is no graph, if there is none:
    a model that has none is not tried again with the same libraries.
    """
    graph = _graph(name, fingerprint)
    if is_kept(graph):
        return None
    failed = graph.with_suffix(".failed")
    if reason := _remembered(failed):
        return reason

    def write(partial: Path) -> None:
        _write(model, partial, prompts)
        _compare(ExportedEncoder(folder, partial, max_tokens=max_tokens), encode)

    try:
        keep(graph, write)
    except (OSError, ImportError, MemoryError) as error:  # which may pass
        return _reason(error)
    except Exception as error:  # noqa: BLE001  three libraries, and models of all kinds
        record = json.dumps({"reason": _reason(error), "by": _versions()})
        with suppress(OSError):
            write_durably(failed, record, shared=True)
        return _reason(error)
    with suppress(OSError):
        failed.unlink(missing_ok=True)
    return None


def _remembered(failed: Path) -> str | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(failed.read_text("utf-8"))
        if record["by"] == _versions():
            return str(record["reason"])
    return None


def _versions() -> list[str]:
    found = []
    for package in ("torch", "transformers", "sentence-transformers", "onnx", "onnxruntime"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(package)
    return found


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


def _graph(name: str, fingerprint: str) -> Path:
    return graph_path(name.replace("/", "--"), f"exported {VERSION} {fingerprint}")


def _write(model: Any, path: Path, prompts: Prompts) -> None:
    """Exports a model to a file, rewritten by ONNX Runtime as for this kind of machine."""
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    if size > _LARGEST:
        raise NotExportable(f"its weights have {size / 1e9:.1f} GB, the most is 1.9")
    free = disk_usage(path.parent).free
    if free < _ROOM * size:  # a library that finds the disk full says something else
        raise OSError(
            f"{path.parent} has {free / 1e6:.0f} MB free, and it takes {_ROOM * size / 1e6:.0f}"
        )
    onnx = import_module("onnx")
    with TemporaryDirectory(dir=path.parent, prefix=PARTIAL) as folder:
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


def _compare(encoder: ExportedEncoder, encode: Callable[[Sequence[str], str], Vectors]) -> None:
    for role in ("query", "document"):
        for text, expected in zip(_TRIED, encode(_TRIED, role), strict=True):
            off = float(np.abs(encoder.encode(text, role=role) - expected).max())
            if not off <= _MOST_OFF:
                raise NotExportable(f"for {text[:20]!r} its graph's vector is off by {off:.2g}")
