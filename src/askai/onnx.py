"""ONNX Runtime, which from 1.32 on reports to its makers unless it is told not to."""

import os
from importlib import import_module
from typing import Any


def runtime() -> Any:
    """The library, imported at first use. Raises ImportError where it is not installed.

    Its telemetry begins with the import: it writes an identifier of the machine into the user's
    cache and sends what it notes to a server, when there is a network. askai works offline.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    return import_module("onnxruntime")
