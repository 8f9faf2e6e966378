"""Reading a file in a process that can be killed: nothing that one file does stops the others.

A parser of a large format can hang, take all memory or crash the interpreter. So it runs in a
worker: the parent sends a line of JSON (reader, password, size) and the bytes, and gets a line of
JSON (its size) and the reading as JSON. The worker reads one file after the other; one that takes
too long, or dies, is replaced, and its file is named with the reason.
"""

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import IO, Any

from askai import seams
from askai.errors import ReadError, ReaderStopped, UsageError
from askai.readers import MOST_SECONDS, READERS, Reader, Reading
from askai.records import Mark

MEGABYTES = 2048  # of address space
# -P: a file of the user's folder that is called like a module is none of ours.
COMMAND = [sys.executable, "-P", "-m", "askai.readers.worker"]
_BLOCK = 1 << 16


class Worker:
    """One process; `read` may be called from any thread, one call at a time runs."""

    def __init__(self, *, seconds: float = MOST_SECONDS, megabytes: int = MEGABYTES) -> None:
        self._seconds = seconds
        self._megabytes = megabytes
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def read(self, reader: str, data: bytes, *, password: str = "") -> Reading:
        """What the reader makes of these bytes; raises ReadError also when it had to be stopped."""
        with self._lock:
            process = self._started()
            try:
                answer = self._asked(process, reader, data, password)
            except BaseException:
                self.close()
                raise
        if "error" in answer:
            raise ReadError(answer["error"])
        return _reading(answer)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            self._process = subprocess.Popen(
                [*COMMAND, str(self._megabytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the parent to act on
            )
        return self._process

    def _asked(
        self, process: subprocess.Popen[bytes], reader: str, data: bytes, password: str
    ) -> dict[str, Any]:
        end = time.monotonic() + self._seconds
        request = {"reader": reader, "password": password, "bytes": len(data)}
        head = json.dumps(request).encode() + b"\n"
        # Written beside the reading: a worker that does not listen must not hold up the parent.
        writing = threading.Thread(target=_write, args=(process.stdin, head + data), daemon=True)
        writing.start()
        size = int(self._received(process, None, end))
        answer: dict[str, Any] = json.loads(self._received(process, size, end))
        writing.join()
        return answer

    def _received(self, process: subprocess.Popen[bytes], size: int | None, end: float) -> bytes:
        """A line, or so many bytes; raises ReadError at the end of the time or of the worker."""
        assert process.stdout is not None  # noqa: S101  for the types
        handle = process.stdout.fileno()
        found = bytearray()
        with selectors.DefaultSelector() as waiting:
            waiting.register(handle, selectors.EVENT_READ)
            while not (found.endswith(b"\n") if size is None else len(found) == size):
                if not waiting.select(max(0.0, end - time.monotonic())):
                    raise self._too_long()
                wanted = 1 if size is None else min(_BLOCK, size - len(found))
                if not (block := os.read(handle, wanted)):
                    try:
                        raise ReaderStopped(_ended(process.wait(max(0.0, end - time.monotonic()))))
                    except subprocess.TimeoutExpired:
                        raise self._too_long() from None
                found += block
        return bytes(found)

    def _too_long(self) -> ReaderStopped:
        return ReaderStopped(
            f"it was not read within {self._seconds:g} s; split it, or raise max_read_seconds in "
            "askai.toml"
        )

    def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError, ValueError):
                    stream.close()  # type: ignore[union-attr]


def _write(stream: IO[bytes], content: bytes) -> None:
    with suppress(OSError, ValueError):  # the worker is gone, which the reading side will see
        stream.write(content)
        stream.flush()


def _ended(code: int) -> str:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"its reader crashed ({how}): the file is damaged, or too large for its memory"


def _reading(answer: dict[str, Any]) -> Reading:
    marks = tuple(Mark(**mark) for mark in answer.pop("marks"))
    return Reading(marks=marks, pages=tuple(answer.pop("pages")), **answer)


_shared: dict[tuple[float, int], Worker] = {}


def read(
    reader: str,
    data: bytes,
    *,
    password: str = "",
    seconds: float = MOST_SECONDS,
    megabytes: int = MEGABYTES,
) -> Reading:
    """As `Worker.read`, by a worker that this process keeps."""
    limits = (seconds, megabytes)
    if limits not in _shared:
        _shared[limits] = Worker(seconds=seconds, megabytes=megabytes)
        atexit.register(_shared[limits].close)
    return _shared[limits].read(reader, data, password=password)


# --- in the worker ----------------------------------------------------------------------------


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answers until there are no more requests."""
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["bytes"])
        try:
            answer = _answer(request, data)
        except MemoryError:
            answer = {"error": "it needs more memory than a file may take; split it"}
        content = json.dumps(answer).encode()
        answers.write(b"%d\n" % len(content) + content)
        answers.flush()


def _answer(request: dict[str, Any], data: bytes) -> dict[str, Any]:
    try:
        chosen: Reader = seams.load("reader", READERS, request["reader"])()
        return asdict(chosen.read(data, password=request["password"]))
    except (ReadError, UsageError) as error:
        return {"error": str(error)}
    except RecursionError:
        return {"error": "it is nested too deeply to be read"}


def main() -> None:
    """The worker's process."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415

        limit = int(sys.argv[1]) * 1_000_000
        with suppress(ValueError, OSError):  # a lower limit is set already, or macOS sets none
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the answers
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
