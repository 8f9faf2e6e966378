"""What the commands write to: stdout for results, stderr for progress and warnings, files."""

import codecs
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from askai.errors import AskaiError, UsageError

if TYPE_CHECKING:
    from askai.index_parts import Progress


@contextmanager
def progress() -> Iterator["Progress"]:
    """Bars with the time left on a terminal, a line for each stage elsewhere; on stderr."""
    if not sys.stderr.isatty():
        seen: set[str] = set()

        def tell_lines(stage: str, _: int, total: int) -> None:
            if stage not in seen:
                seen.add(stage)
                notify(f"{stage.capitalize()} {total} …")

        yield tell_lines
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield tell


class Stopwatch:
    """What a command spends its time on, in seconds, from the start of its process."""

    def __init__(self) -> None:
        self._at = time.perf_counter()
        self._spent = {"start": _since_start()}

    def lap(self, stage: str, parts: Mapping[str, float] | None = None) -> None:
        """The time since the last lap was spent on `stage`, or on these `parts` of it, in ms."""
        now = time.perf_counter()
        if parts is None:
            self._spent[stage] = now - self._at
        else:
            self._spent |= {part: ms / 1000 for part, ms in parts.items() if part != "total"}
        self._at = now

    def tell(self) -> None:
        """A line on stderr."""
        stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in self._spent.items())
        notify(f"Seconds: {stages}; in all {sum(self._spent.values()):.2f}.")


def _since_start() -> float:
    """Seconds since this process began, Python's own start included where the system tells it."""
    try:
        ticks = Path("/proc/self/stat").read_text("ascii").rpartition(")")[2].split()[19]
        began = int(ticks) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    except (OSError, ValueError, IndexError, AttributeError):
        return time.process_time()


def notify(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr)


def show_text(text: str) -> None:
    """A result on stdout; raises AskaiError when it cannot be written."""
    try:
        print(text, flush=True)  # here, since Typer makes exit code 1 of a reader that is gone
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        discard_output()
        raise AskaiError(f"The output cannot be written: {error.strerror}.") from error


def print_json(value: object) -> None:
    """A result for programs."""
    # A quotation with question marks in it cannot be proved: \u escapes where there is no UTF-8.
    whole = codecs.lookup(sys.stdout.encoding).name == "utf-8"
    show_text(json.dumps(value, ensure_ascii=not whole, indent=2))


def flush() -> None:
    """Writes out what is pending; raises BrokenPipeError when its reader is gone."""
    sys.stdout.flush()


def discard_output() -> None:
    """Lets what is still to be written go nowhere, when its reader has seen enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def prepare_streams() -> None:
    """Streams that are always there, and never fail over a character."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell: >&-
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        # A terminal without UTF-8 gets question marks, not a traceback.
        getattr(sys, name).reconfigure(errors="replace")


def made_folder(folder: Path) -> Path:
    """The folder, made where it is not there; raises UsageError when it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be a folder: {error.strerror}.") from error
    return folder


def check_writable(file: Path | None) -> None:
    """Before anything is asked: a result that cannot be kept is a run that was for nothing."""
    if file is not None and (file.is_dir() or not file.parent.is_dir()):
        raise UsageError(f"{file} cannot be written; expected a file in a folder that is there.")


def write_file(file: Path, text: str) -> None:
    """Writes a file whole or not at all; raises AskaiError when it cannot."""
    from askai.files import write_durably  # noqa: PLC0415

    try:
        write_durably(file, text)
    except OSError as error:
        raise AskaiError(f"{file} cannot be written: {error.strerror}.") from error
