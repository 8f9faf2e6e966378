"""What the tests of the command share: a folder with documents, and askai run in it.

`Desk.run` calls the entry point in this process, `Desk.command` starts the console script: the
first where the claim is about words and files, the second where it is about processes.
"""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings

from askai import cli

# On a machine with other work a disk may take longer than the 200 ms of a deadline; how fast askai
# is is measured elsewhere.
settings.register_profile("askai", deadline=None)
settings.load_profile("askai")

QUESTION = "Is Nanjing the capital of Jiangsu?"  # all words of its answer: a match in any embedder
ANSWER = "Nanjing is the capital of Jiangsu."

SCRIPT = Path(sys.executable).with_name("askai")
# What a Python process does before main(): sends a signal, deletes a file … at the first moment
# that sys.audit reports, with the words in it.
HOOK = """
import os, signal, subprocess, sys
wanted, count, happens = sys.argv[1].split("|"), int(sys.argv[2]), sys.argv[3]
del sys.argv[1:4]
def hook(event, arguments):
    global count
    if count and event == wanted[0] and all(w in str(arguments) for w in wanted[1:]):
        count -= 1
        if not count:
            exec(happens)
from askai import cli
sys.addaudithook(hook)
cli.main()
"""


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Desk:
    """A folder to work in, with askai's own settings out of the way."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def corpus(self) -> Path:
        return self.folder / "corpus"

    @property
    def index(self) -> Path:
        return self.folder / "index"

    @property
    def generation(self) -> Path:
        return self.index / (self.index / "CURRENT").read_text("utf-8").strip()

    def write(self, name: str, content: str | bytes) -> Path:
        """A file of the corpus."""
        path = self.corpus / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def run(self, *arguments: str | Path, **environment: str) -> Ran:
        """askai's entry point, with streams like those of a pipe."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("ASKAI_")]:
                patch.delenv(name)
            for name, value in (self.environment | environment).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["askai", *map(str, arguments)])
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.chdir(self.folder)
            with pytest.raises(SystemExit) as stop:
                cli.main()
        for stream in (out, err):
            stream.flush()
        code = stop.value.code
        return Ran(
            code if isinstance(code, int) else 1,
            out.buffer.getvalue().decode(),  # type: ignore[attr-defined]
            err.buffer.getvalue().decode(),  # type: ignore[attr-defined]
        )

    def start(self, *command: str | Path, **options: Any) -> subprocess.Popen[str]:
        """A process in the folder, warnings as errors."""
        environment = self.process_environment() | options.pop("environment", {})
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [*map(str, command)], cwd=self.folder, env=environment, encoding="utf-8",
            **(pipes | options),
        )  # fmt: skip

    def process_environment(self) -> dict[str, str]:
        ours = re.compile("ASKAI_|PYTHON|LC_|LANG|HF_")
        kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
        written = os.environ.get("PYTHONDONTWRITEBYTECODE", "")
        return kept | {"PYTHONDONTWRITEBYTECODE": written, "LC_ALL": "C.UTF-8"} | self.environment

    def command(self, *arguments: str | Path, prefix: tuple[str, ...] = (), **options: Any) -> Ran:
        """The console script in a process of its own."""
        with self.start(*prefix, SCRIPT, *arguments, **options) as process:
            out, err = process.communicate(timeout=60)
        return Ran(process.returncode, out or "", err or "")

    def hooked(self, when: str, happens: str, *arguments: str | Path, count: int = 1) -> Ran:
        """askai in a process in which something happens at the moment `when`.

        `when` is the name of an audit event and words in its arguments, between bars; `happens` is
        Python; `count` tells which of the moments that fit.
        """
        command = (sys.executable, "-W", "error", "-c", HOOK, when, str(count), happens)
        with self.start(*command, *arguments) as process:
            out, err = process.communicate(timeout=60)
        return Ran(process.returncode, out, err)

    def indexed(self, *arguments: str | Path) -> "Desk":
        assert self.run("index", *arguments).code == 0
        return self

    def fails(self, *arguments: str | Path, says: str, code: int = 1, **environment: str) -> str:
        """Checks that askai gives up with one line, which `says` is found in."""
        return check_failure(self.run(*arguments, **environment), says=says, code=code)

    def answers(self) -> None:
        """Checks that the index that is there answers."""
        asked = self.run("ask", QUESTION)
        assert asked.out.startswith(f"{ANSWER} [1]\n"), asked
        assert (asked.code, "Traceback" in asked.err) == (0, False)


def check_failure(ran: Ran, *, says: str, code: int = 1) -> str:
    """One line for one failure, after lines that tell of progress; returns it."""
    assert "Traceback" not in ran.err, ran.err
    assert (ran.code, ran.out) == (code, ""), ran
    *before, last = ran.err.splitlines()
    assert all(re.match("Reading |Embedding |Words |No index in ", line) for line in before), (
        ran.err
    )
    assert last.startswith("askai: ")
    assert says in last
    return last


def made_desk(folder: Path) -> Desk:
    return Desk(
        folder / "desk",
        {
            "ASKAI_MODEL": "hashing",
            "ASKAI_CACHE": str(folder / "cache"),
            "HF_HUB_CACHE": str(folder / "hub"),
            "HF_HUB_OFFLINE": "1",
        },
    )


def write_documents(made: Desk) -> None:
    made.write("a.txt", f"{ANSWER}\n\nIt has 9 million people.\n")
    made.write("b.md", "# Harbin\n\nHarbin is known for its ice festival in winter.\n")


@pytest.fixture(autouse=True)
def ctrl_c():
    """A runner in the background ignores Ctrl-C, and what it starts would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Two documents, no index."""
    made = made_desk(tmp_path)
    write_documents(made)
    return made


@pytest.fixture(scope="session")
def indexed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexed")
    made = made_desk(folder)
    write_documents(made)
    return made.indexed().folder


@pytest.fixture
def indexed(tmp_path: Path, indexed_once: Path) -> Desk:
    """Two documents and their index, copied with their times."""
    made = made_desk(tmp_path)
    shutil.copytree(indexed_once, made.folder)
    return made


@pytest.fixture
def powerless() -> tuple[str, ...]:
    """What to put before a command so that rights of files count for it, for root too."""
    if os.name != "posix":
        pytest.skip("rights of files are POSIX's")
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("root needs setpriv to be refused a file")
    return ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
