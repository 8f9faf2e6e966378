"""A Ray cluster that makes parts: connected to, given work, watched; imported when it is wanted.

Work is given as tasks, and not to actors: a task that is lost with its worker or its node is done
again elsewhere, with nothing to put back first. A worker keeps the model between its tasks.
"""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex
from typing import Any

from askai.errors import AskaiError, ClusterError, UsageError
from askai.parts import PartContent
from askai.parts.making import Task, make_part

_ADDRESS = re.compile(r"ray://[^/\s]+:\d+")
_AHEAD = 2  # tasks that wait for each processor, so that none waits for its next
_RETRIES = 20  # of a task whose worker or node was lost
_POLL = 1.0  # seconds
_CONNECT = 5.0  # seconds to wait for the server of ray://

KEPT = "What was made is kept: run the same command again, and it goes on from there."


def check_address(on: str) -> None:
    """Raises UsageError for what is neither `ray` nor an address of Ray's."""
    if on != "ray" and not _ADDRESS.fullmatch(on):
        raise UsageError(
            f"--on is {on!r}; expected ray (the cluster that this machine is part of, or its own "
            "processors) or ray://HOST:PORT."
        )


@contextmanager
def connected(on: str) -> Iterator["Cluster"]:
    """The cluster; what was started for it ends with the block. Raises ClusterError."""
    check_address(on)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of the future
    try:
        import ray  # noqa: PLC0415
    except ImportError as error:
        raise ClusterError(
            "Building on Ray needs the package ray: pip install 'askai[ray]'"
        ) from error
    try:
        _init(ray, on)
    except Exception as error:
        raise ClusterError(
            f"No Ray cluster answers at {on if on != 'ray' else _here()}: {_first(error)} Start "
            "one with `ray start --head --block`, or leave --on out to build on this machine."
        ) from error
    try:
        yield Cluster(ray)
    finally:
        with suppress(Exception):
            ray.shutdown()


def _init(ray: Any, on: str) -> None:
    """Connects to the cluster, or starts one on this machine where `ray` finds none."""
    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if on != "ray":
        host, _, port = on.removeprefix("ray://").rpartition(":")
        socket.create_connection((host, int(port)), timeout=_CONNECT).close()  # Ray tries for 30 s
        ray.init(address=on, **options)
        return
    try:
        ray.init(address=os.environ.get("RAY_ADDRESS") or "auto", **options)
    except ConnectionError:
        if os.environ.get("RAY_ADDRESS"):
            raise
        # Only who knows its token may give it work; Ray's own would be left in the user's home.
        os.environ.setdefault("RAY_AUTH_TOKEN", token_hex(32))
        ray.init(address="local", include_dashboard=False, **options)


class Cluster:
    """One that is connected to."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self.processors = int(ray.cluster_resources().get("CPU", 0))
        if self.processors < 1:
            raise ClusterError("The Ray cluster has no processor that takes work.")
        self.nodes = sum(1 for node in ray.nodes() if node["Alive"])

    def made(self, tasks: Iterator[Task]) -> Iterator[tuple[str, PartContent]]:
        """The parts by name, as they come to an end.

        Only so many are given at a time as keep the cluster busy. Raises what a task raises, and
        ClusterError when the cluster is lost.
        """
        remote = self._ray.remote(num_cpus=1, max_retries=_RETRIES)(make_part)
        waiting: dict[Any, str] = {}
        with _explained(self._ray):
            while True:
                while len(waiting) < _AHEAD * self.processors:
                    if (task := next(tasks, None)) is None:
                        break
                    waiting[remote.remote(task)] = task.name
                if not waiting:
                    return
                done, _ = self._ray.wait(list(waiting), num_returns=1, timeout=_POLL)
                for reference in done:
                    content = self._ray.get(reference)
                    yield waiting.pop(reference), content


@contextmanager
def _explained(ray: Any) -> Iterator[None]:
    """Ray's errors as ours; an error of ours comes back from a worker as itself."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(error.cause, AskaiError) else None
        if cause is not None:
            raise cause from error
        raise ClusterError(f"A worker of the cluster failed: {_last(error)} {KEPT}") from error
    except ray.exceptions.RayError as error:
        raise ClusterError(f"Work on the cluster was lost: {_first(error)} {KEPT}") from error
    except ConnectionError as error:
        raise ClusterError(f"The Ray cluster was lost: {_first(error)} {KEPT}") from error


def _here() -> str:
    return os.environ.get("RAY_ADDRESS") or "this machine"


def _first(error: BaseException) -> str:
    """The first line, as a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{(lines or [type(error).__name__])[0].rstrip('.:')}."


def _last(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{(lines or [type(error).__name__])[-1].rstrip('.:')}."
