"""The README is true: every console block prints what it shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
EXIT_CODES = {"What is the AI+ target for 2040?": 3}


def commands():
    """(command, what it prints) of every console block."""
    for block in BLOCK.findall((ROOT / "README.md").read_text("utf-8")):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = step.partition("\n")
            yield command, printed


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A folder with the corpus of the repository, and its index by the default model."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "corpus", folder / "corpus")
    run("askai index", folder)
    return folder


def run(command, folder):
    scripts = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    for name in [name for name in environment if name.startswith("ASKAI_")]:
        del environment[name]
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_there_are_commands_and_each_shows_something():
    found = list(commands())
    assert len(found) >= 7
    assert all(printed.strip() for command, printed in found if ">" not in command)


@pytest.mark.model
def test_every_console_block_prints_what_it_shows(clone):
    for command, printed in commands():
        ran = run(command, clone)
        expected = next((c for question, c in EXIT_CODES.items() if question in command), 0)
        assert (ran.returncode, ran.stderr) == (expected, ""), command
        assert ran.stdout.rstrip("\n") == printed.rstrip("\n"), command


def test_every_command_and_every_setting_is_in_it():
    from dataclasses import fields

    from askai.cli import app
    from askai.settings import Settings

    text = (ROOT / "README.md").read_text("utf-8")
    names = [c.name or c.callback.__name__ for c in app.registered_commands]
    assert [name for name in names if f"`askai {name}" not in text] == []
    assert [field.name for field in fields(Settings) if f"`{field.name}`" not in text] == []
