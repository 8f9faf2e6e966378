"""Processes: run once and measured, or kept open and asked. Linux, for the peak memory."""

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Self

from benchmarks.errors import BenchError

# Settings of one's own, and numbers of threads: every system has its own defaults.
_LEFT_OUT = re.compile(r"ASKAI_(?!CACHE$)|PYTHON|OMP_|KMP_|TOKENIZERS_|\w+_NUM_THREADS$")
_KIB = 1024
_PATIENCE = 10.0  # seconds for a process to end after it was told to


@dataclass(frozen=True, slots=True)
class Ran:
    """What a process took, from its start to its end."""

    seconds: float
    megabytes: float  # the most that was resident
    code: int
    out: str


def environment(root: Path, given: Mapping[str, str]) -> dict[str, str]:
    """For every process alike: offline, this clone's askai, no settings from outside."""
    kept = {name: value for name, value in given.items() if not _LEFT_OUT.match(name)}
    return kept | {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join((str(root / "src"), str(root))),
    }


class Processes:
    """Starts processes in one folder, with one environment."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)

    def run(self, command: Sequence[str], *, fine: Sequence[int] = (0,)) -> Ran:
        """Runs to the end; raises BenchError when the exit code is none of `fine`.

        The memory of a child is counted from that of its parent upwards, which therefore imports
        nothing large.
        """
        out, log = self._folder / "out.txt", self._folder / "log.txt"
        with out.open("wb") as stdout, log.open("wb") as stderr:
            began = perf_counter()
            child = subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
            try:
                _, status, used = os.wait4(child.pid, 0)
            except BaseException:
                child.kill()
                child.wait()
                raise
            seconds = perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in fine:
            raise _failed(command, child.returncode, log)
        megabytes = used.ru_maxrss * _KIB / 1e6
        return Ran(seconds, megabytes, child.returncode, out.read_text("utf-8", "replace"))

    def serve(self, name: str, command: Sequence[str]) -> "Server":
        """A process that answers lines of JSON."""
        log = self._folder / f"log-{name}.txt"
        with log.open("wb") as stderr:
            child = subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                encoding="utf-8",
            )
        return Server(command, child, log)


class Server:
    """See `benchmarks.worker`; a context manager that ends the process."""

    def __init__(self, command: Sequence[str], child: "subprocess.Popen[str]", log: Path) -> None:
        self._command = command
        self._child = child
        self._log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            if self._child.stdin:
                self._child.stdin.close()
        try:
            self._child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout:
            self._child.stdout.close()

    def ask(self, do: str, **given: Any) -> Any:
        """What it answers; raises BenchError when it has ended instead."""
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None:
            raise BenchError(f"{_shown(self._command)} has no pipes.")
        with suppress(BrokenPipeError):
            stdin.write(json.dumps({"do": do, **given}) + "\n")
            stdin.flush()
        line = stdout.readline()
        if not line:
            raise _failed(self._command, self._child.wait(), self._log)
        return json.loads(line)


def folder_bytes(folder: Path) -> int:
    """What the files in a folder hold."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _failed(command: Sequence[str], code: int, log: Path) -> BenchError:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    reason = lines[-1].strip() if lines else "It said nothing."
    return BenchError(f"{_shown(command)} ended with exit code {code}: {reason}")


def _shown(command: Sequence[str]) -> str:
    """A command without its interpreter and its folders."""
    return " ".join(part for part in command[1:] if not part.startswith(("-", "/"))) or command[0]
