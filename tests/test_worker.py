"""A file that hangs, crashes or swells its reader is named, and the next one is read."""

import os
import signal
import sys
import threading
import time

import pytest

from askai.errors import ReadError
from askai.readers import READERS, Reading, worker
from askai.readers.html import HtmlReader
from askai.records import Mark

# A worker whose reader does what the file says.
FAKE = """
import sys
from askai.readers import READERS, Reading, worker
from askai.records import Mark

class Obedient:
    name, version = "obedient", "1"
    def read(self, data, *, password=""):
        exec(data.decode(), {"password": password})
        return Reading("read: é猫\\x00", "utf-8", (Mark("page", 0, 4, "1"),), pages=(0.5, 0.0))

READERS["obedient"] = "__main__:Obedient"
worker.main()
"""


@pytest.fixture
def obedient(monkeypatch):
    monkeypatch.setattr(worker, "COMMAND", [sys.executable, "-c", FAKE])
    made = worker.Worker(seconds=20.0, megabytes=1500)
    yield made
    made.close()


def read(made, code, **more):
    return made.read("obedient", code.encode(), **more)


GOOD = Reading("read: é猫\x00", "utf-8", (Mark("page", 0, 4, "1"),), pages=(0.5, 0.0))


def test_a_reading_comes_back_as_it_was_made(obedient):
    assert read(obedient, "") == GOOD


def test_one_process_reads_one_file_after_the_other(obedient):
    read(obedient, "")
    first = obedient._process.pid
    assert read(obedient, "print('a library talks'); import os; os.write(1, b'noise')") == GOOD
    assert obedient._process.pid == first


def test_the_password_is_handed_on(obedient):
    assert read(obedient, "assert password == 'sésame'", password="sésame") == GOOD  # noqa: S106


BAD = {
    "says no": ("from askai.errors import ReadError; raise ReadError('it is torn')", "it is torn"),
    "crashes": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed (signal 11)"),
    "exits": ("import os; os._exit(7)", "crashed (exit code 7)"),
    "swells": ("x = b'x' * 3_000_000_000", "more memory than a file may take"),
    "recurses": ("def f(): f()\nf()", "nested too deeply"),
    "throws": ("1 / 0", "crashed (exit code 1)"),
}


@pytest.mark.parametrize(("code", "says"), BAD.values(), ids=BAD)
def test_what_goes_wrong_is_said_and_the_next_file_is_read(obedient, code, says):
    with pytest.raises(ReadError) as caught:
        read(obedient, code)
    assert says in str(caught.value)
    assert read(obedient, "") == GOOD


def test_a_file_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(worker, "COMMAND", [sys.executable, "-c", FAKE])
    made = worker.Worker(seconds=3.0)
    try:
        read(made, "")
        begin = time.monotonic()
        with pytest.raises(ReadError, match=r"not read within 3 s; split it, or raise max_read_"):
            read(made, "while True: pass")
        assert time.monotonic() - begin < 10
        assert read(made, "") == GOOD
    finally:
        made.close()


def test_the_time_ends_too_for_a_worker_that_answers_no_more(monkeypatch):
    monkeypatch.setattr(worker, "COMMAND", [sys.executable, "-c", FAKE])
    made = worker.Worker(seconds=3.0)
    try:
        with pytest.raises(ReadError, match="not read within 3 s"):
            read(made, "import os, time; os.closerange(3, 99); time.sleep(60)")
        assert read(made, "") == GOOD
    finally:
        made.close()


def test_a_module_in_the_users_folder_is_not_taken_for_ours(tmp_path, monkeypatch):
    for name in ("askai", "lxml", "resource", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    made = worker.Worker()
    try:
        assert made.read("html", b"<p>Suzhou has gardens.</p>").text == "Suzhou has gardens."
    finally:
        made.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_a_lower_limit_of_memory_is_left_as_it_is(monkeypatch):
    limited = ["sh", "-c", 'ulimit -v 1000000 && exec "$0" "$@"', sys.executable, "-c", FAKE]
    monkeypatch.setattr(worker, "COMMAND", limited)
    made = worker.Worker(megabytes=2048)
    try:
        assert read(made, "") == GOOD
        with pytest.raises(ReadError, match="more memory"):
            read(made, "x = b'x' * 1_500_000_000")
    finally:
        made.close()


def test_a_large_file_and_a_worker_that_does_not_listen(obedient):
    with pytest.raises(ReadError):
        read(obedient, "raise SystemExit(3)\n#" + "x" * 5_000_000)
    assert read(obedient, "#" + "x" * 5_000_000) == GOOD


def test_a_worker_ends_with_its_parent(obedient):
    read(obedient, "")
    pid = obedient._process.pid
    obedient._process.stdin.close()
    end = time.monotonic() + 10
    while time.monotonic() < end and obedient._process.poll() is None:
        time.sleep(0.05)
    assert obedient._process.poll() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)
    assert read(obedient, "") == GOOD


def test_several_threads_share_it(obedient):
    found = []
    threads = [threading.Thread(target=lambda: found.append(read(obedient, ""))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [GOOD] * 8


def test_the_real_worker_reads_what_the_reader_reads():
    data = b"<html><title>A page</title><body><h1>Suzhou</h1><p>It has many gardens.</p></body>"
    assert worker.read("html", data) == HtmlReader().read(data)
    assert set(READERS) >= {"pdf", "html", "docx", "epub"}
    with pytest.raises(ReadError, match="not a PDF"):
        worker.read("pdf", b"no")
