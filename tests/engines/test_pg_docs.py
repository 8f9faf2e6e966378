"""docs/scale.md is true: its roles are enough, and its lines of backup and restore work."""

import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from conftest import ANSWER, QUESTION
from engines.pg_server import PgServer

TEXT = (Path(__file__).parents[2] / "docs" / "scale.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def fresh():
    server = PgServer()
    try:
        yield server
    finally:
        server.close()


def test_the_roles_are_enough_and_a_copy_answers(desk, fresh, tmp_path):
    (setup,) = blocks("sql")
    with psycopg.connect(fresh.url(), autocommit=True) as connection:
        connection.execute(setup)
    store = fresh.url(user="askai_publisher")
    assert "2 put in" in desk.run("index", ASKAI_STORE=store).err
    desk.write("c.txt", "Hefei is the capital of Anhui.\n")
    assert "1 put in" in desk.run("index", ASKAI_STORE=store).err
    reader = fresh.url(user="askai_reader")
    assert desk.run("ask", QUESTION, ASKAI_STORE=reader).out.startswith(ANSWER)
    assert desk.run("doctor", ASKAI_STORE=reader).code == 0
    ran = desk.run("index", "--rebuild", ASKAI_STORE=reader)
    assert (ran.code, "does not allow this user" in ran.err) == (1, True)

    (lines,) = (block for block in blocks("sh") if "pg_dump" in block)
    programs = fresh.programs / "bin"
    if not (programs / "psql").is_file():
        pytest.fail(f"No psql in {programs}.")
    restored = fresh.url("askai_restored")
    done = subprocess.run(
        ["bash", "-e", "-c", lines],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}",
             "STORE": fresh.url(), "RESTORED": restored},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    copied = desk.run("ask", QUESTION, "--json", ASKAI_STORE=restored)
    assert copied.code == 0, copied.err
    assert ANSWER in copied.out
    assert desk.run("doctor", ASKAI_STORE=restored).code == 0
