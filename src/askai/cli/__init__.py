"""The command line: the only place that prints. Each command loads what it needs and no more."""

from typing import NoReturn

import typer

from askai.cli import (  # noqa: F401  each adds its commands
    asking,
    doctoring,
    evaluating,
    indexing,
    moving,
)
from askai.cli.app import app
from askai.cli.console import discard_output, flush, notify, prepare_streams
from askai.errors import AskaiError, GoldError

__all__ = ["app", "main"]

INTERRUPTED = 130  # as a shell counts a process ended by Ctrl-C
_STOPPED = "Stopped. The index is as it was."

# The base of its errors of usage: Typer brings its own copy of Click or uses the installed one.
_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[2]


def main() -> NoReturn:
    """The console script: one line for each expected failure, and its exit code."""
    prepare_streams()
    try:
        code = app(standalone_mode=False)
        flush()
        if code == INTERRUPTED:  # Typer makes this of KeyboardInterrupt
            notify(_STOPPED)
    except typer.Exit as stop:
        code = stop.exit_code
    except SystemExit as stop:  # Typer's, when nobody reads its help
        code = 0 if isinstance(stop.__context__, BrokenPipeError) else stop.code
    except (KeyboardInterrupt, typer.Abort):
        notify(_STOPPED)
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough
        discard_output()
        code = 0
    except AskaiError as error:
        from askai.render import safe  # noqa: PLC0415

        lines = str(error).splitlines() if isinstance(error, GoldError) else [str(error)]
        notify("askai: " + "\n".join(" ".join(safe(line).split()) for line in lines))
        code = error.exit_code
    except _USAGE_ERROR as error:
        error.show()  # type: ignore[attr-defined]
        code = error.exit_code  # type: ignore[attr-defined]
    except MemoryError:
        notify("askai: not enough memory; close other programs or use smaller files.")
        code = 1
    raise SystemExit(code if isinstance(code, int) else 0)
