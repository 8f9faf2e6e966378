"""A Milvus for the tests: Milvus Lite, which the package `milvus-lite` carries, as a server.

It answers by the same protocol as a cluster. It asks for no password and has no TLS.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

_READY = 60.0  # seconds to wait for it


class CannotStart(Exception):
    """Said with the reason; the tests fail with it."""


class MilvusServer:
    """A server on a free port of this machine, in a folder of its own."""

    def __init__(self) -> None:
        if find_spec("milvus_lite") is None:
            raise CannotStart(
                "The package milvus-lite is not installed; `make test-engines` installs it, or set "
                "ASKAI_MILVUS_URI to the address of a server."
            )
        self.folder = Path(tempfile.mkdtemp(prefix="askai-milvus-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def url(self, database: str = "default") -> str:
        return f"milvus://127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Starts it, again after `kill`, and waits until it listens."""
        command = [sys.executable, "-m", "milvus_lite", "server", "--host", "127.0.0.1",
                   "--port", str(self.port), "--data-dir", str(self.folder / "data")]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        until = time.monotonic() + _READY
        while time.monotonic() < until and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise CannotStart(f"Milvus Lite did not start: {self._said()}")

    def kill(self) -> None:
        """As a power cut."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()  # what it holds goes with it
        shutil.rmtree(self.folder, ignore_errors=True)

    def _said(self) -> str:
        try:
            return (self.folder / "log").read_text("utf-8", "replace")[-600:] or "it said nothing"
        except OSError as error:
            return str(error)
