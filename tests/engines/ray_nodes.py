"""A real Ray cluster for the tests: two nodes where this machine allows namespaces, else one.

Ray takes the address of the network interface for a node's name, so two nodes on one machine need
a network each: two namespaces, joined by a pair of virtual interfaces. It is ended by its own
process ids; `ray stop` would end every Ray on the machine.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_READY = 60.0  # seconds to wait for a node
_STARTED = "Ray runtime started"
_RAY = [sys.executable, "-m", "ray.scripts.scripts"]
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "GRPC_ENABLE_FORK_SUPPORT": "0",  # else the server of ray:// dies when it forks (grpcio 1.85)
    "PYTHONWARNINGS": "ignore",
}


class CannotStart(Exception):
    """Said with the reason; the tests fail with it."""


class RayNodes:
    """A head and, where namespaces can be made, a second node, of one processor each."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="askai-ray-", dir="/tmp"))
        # Who gives the cluster work needs the same.
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self._environment = {**os.environ, **_ENVIRONMENT, **environment, **self.environment}
        self._names = [f"askai-{os.getpid()}-{n}" for n in (1, 2)]
        self._processes: list[subprocess.Popen[bytes]] = []
        self.why_one = self._no_namespaces()
        self.two = not self.why_one
        self.hosts = ["10.231.77.1", "10.231.77.2"] if self.two else ["127.0.0.1"]
        self.port, self.client_port = (6399, 10001) if self.two else (_free_port(), _free_port())
        try:
            self._start_all()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        return f"{self.hosts[0]}:{self.port}"

    @property
    def client_address(self) -> str:
        return f"ray://{self.hosts[0]}:{self.client_port}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command so that it runs on the head's host."""
        return self._inside(0)

    def _inside(self, node: int) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self._names[node]) if self.two else ()

    def _no_namespaces(self) -> str:
        """Makes them; why not, where that cannot be done."""
        if not shutil.which("ip"):
            return "there is no program ip"
        one, two = self._names
        link = ["link", "add", "veth-1", "type", "veth", "peer", "name", "veth-2", "netns", two]
        commands = [["netns", "add", one], ["netns", "add", two], ["-n", one, *link]]
        for n, name in enumerate(self._names, start=1):
            commands += [
                ["-n", name, "addr", "add", f"10.231.77.{n}/24", "dev", f"veth-{n}"],
                ["-n", name, "link", "set", f"veth-{n}", "up"],
                ["-n", name, "link", "set", "lo", "up"],
            ]
        for command in commands:
            done = subprocess.run(["ip", *command], capture_output=True, text=True, check=False)
            if done.returncode:
                self._remove_namespaces()
                return f"ip {' '.join(command)}: {done.stderr.strip()}"
        return ""

    def _start_all(self) -> None:
        common = ["--num-cpus", "1", "--object-store-memory", "100000000",
                  "--temp-dir", str(self.folder / "s")]  # fmt: skip
        if not self.two:
            common[1] = "2"
        self._start(0, "--head", "--node-ip-address", self.hosts[0], "--port", str(self.port),
                    "--ray-client-server-port", str(self.client_port),
                    "--include-dashboard", "false", *common)  # fmt: skip
        # A node that comes before the head is whole may wait for it a minute, or be refused.
        self._wait(lambda: _STARTED in self._said(0), "the head")
        if self.two:
            self._start(1, "--address", self.address, "--node-ip-address", self.hosts[1], *common)
            self._wait(lambda: _STARTED in self._said(1), "the second node")
        self._wait(lambda: self._answers(self.client_port), "the server of ray://")

    def _start(self, node: int, *arguments: str) -> None:
        with (self.folder / f"log-{node}").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [*self._inside(node), *_RAY, "start", "--block", *arguments],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment,
                    start_new_session=True,
                )
            )  # fmt: skip

    def _wait(self, ready, what: str) -> None:
        until = time.monotonic() + _READY
        while time.monotonic() < until:
            for node, process in enumerate(self._processes):
                if process.poll() is not None:
                    raise CannotStart(f"Ray did not start: {self._said(node)[-800:]}")
            if ready():
                return
            time.sleep(0.1)
        raise CannotStart(
            f"{what} of Ray was not there after {_READY:.0f} s: {self._said(-1)[-800:]}"
        )

    def _answers(self, port: int) -> bool:
        if not self.two:
            with suppress(OSError), socket.create_connection((self.hosts[0], port), 1):
                return True
            return False
        probe = f"import socket; socket.create_connection(('{self.hosts[0]}', {port}), 1)"
        command = [*self._inside(0), sys.executable, "-S", "-c", probe]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _said(self, node: int) -> str:
        return (self.folder / f"log-{node % len(self._processes)}").read_text("utf-8", "replace")

    def workers(self, node: int) -> list[int]:
        """The processes of a node that make a part just now."""
        return [
            pid for pid in descendants(self._processes[node].pid)
            if b"ray::make_part" in _read(f"/proc/{pid}/cmdline")
        ]  # fmt: skip

    def kill_node(self, node: int) -> None:
        """As a power cut: no process of it ends in order."""
        process = self._processes[node]
        for pid in (process.pid, *descendants(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(10)

    def close(self) -> None:
        for process in reversed(self._processes):
            below = descendants(process.pid)
            if process.poll() is None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
            for pid in (*below, process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait(10)
        self._remove_namespaces()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _remove_namespaces(self) -> None:
        if shutil.which("ip"):
            for name in self._names:
                subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def descendants(pid: int) -> list[int]:
    """The children of a process, theirs, and so on."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = _read(str(stat)).rpartition(b")")[2].split()
        if len(fields) > 1:
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _free_port() -> int:
    """Outside of the ports that Ray gives its workers, 10002 to 19999."""
    while True:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        if not 10002 <= port <= 19999:
            return port
