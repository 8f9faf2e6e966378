"""Sessions of ONNX Runtime, and graphs that were made once and are kept in askai's cache.

    $ASKAI_CACHE/onnx/NAME-1a2b3c4d5e6f7081.onnx
    $ASKAI_CACHE/onnx/NAME-1a2b3c4d5e6f7081.json   its checksum

The second is written last. Only a graph whose checksum is as recorded is used.
"""

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from secrets import token_hex
from typing import Any

from askai.files import cache_dir, sha256_of, stamped_sha256, write_durably

PARTIAL = "partial-"  # the name of what is being written begins with it
_AN_HOUR = 3600.0


def runtime() -> Any:
    """The library, imported at first use. Raises ImportError where it is not installed.

    From 1.32 on its telemetry begins with the import: it writes an identifier of the machine into
    the user's cache, and sends what it notes to its makers when there is a network. askai works
    offline.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    return import_module("onnxruntime")


def session(
    graph: Path,
    *,
    level: str = "DISABLE_ALL",
    threads: int = 0,
    rewritten_to: Path | None = None,
) -> Any:
    """An inference session on the processor; `level` says how far the graph is rewritten first, and
    0 threads are as many as ONNX Runtime likes."""
    onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_{level}")
    options.intra_op_num_threads = threads
    if rewritten_to:
        options.optimized_model_filepath = str(rewritten_to)
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def graph_path(name: str, made_of: str) -> Path:
    """Where the graph lies that is made of what `made_of` says, or will lie."""
    key = sha256(made_of.encode()).hexdigest()[:16]
    return cache_dir() / "onnx" / f"{name}-{key}.onnx"


def is_kept(graph: Path) -> bool:
    """Whether it is there, as it was written."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(graph.with_suffix(".json").read_text("utf-8"))
        return bool(record["sha256"] == stamped_sha256(graph))
    return False


def keep(graph: Path, write: Callable[[Path], object]) -> None:
    """Has `write` write a graph beside its place, and puts it there; raises what `write` raises,
    and OSError where the cache cannot be written."""
    graph.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(graph.parent)
    partial = graph.with_name(f"{PARTIAL}{token_hex(4)}-{graph.name}")
    try:
        write(partial)
        digest = sha256_of(partial)
        partial.replace(graph)
        write_durably(graph.with_suffix(".json"), json.dumps({"sha256": digest}), shared=True)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """What killed processes left; none takes so long to write a graph."""
    for leftover in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime < _AN_HOUR:
                continue
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()
