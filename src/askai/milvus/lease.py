"""One publisher at a time, as far as a server without transactions and locks allows it.

Each that begins writes a row with a number that it raises every BEAT seconds, and then reads the
rows of all. Of two that begin at the same time at least one sees the other, since what was written
before is read. A row of another whose number rises belongs to one that is alive: who sees that,
gives up. One that does not rise for SECONDS was left by one that was killed, and is taken out.

A publisher that could not raise its number for so long (the machine slept, the server was away)
stops before its next write. What is not covered is a write that was sent before and arrives after
another has taken over: `askai doctor` finds what it leaves.
"""

import os
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Self

from askai.errors import AskaiError, IndexLocked, StoreError
from askai.milvus.collections import as_json, from_json, packed, state_name, unpacked
from askai.milvus.connection import ERRORS, Client, Row, explained
from askai.milvus.state import PUBLISHER, me

SECONDS = 15.0
BEAT = 3.0


class Lease:
    """Held within a `with`, which raises IndexLocked while another publishes."""

    def __init__(self, client: Client, *, seconds: float = SECONDS, beat: float = BEAT) -> None:
        self._client = client
        self._states = state_name(client.address.name)
        self._seconds, self._beat = seconds, beat
        self._id = uuid.uuid4().hex
        self._since = time.strftime("%Y-%m-%d %H:%M:%S")
        self._number = 0
        self._raised = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="askai lease", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._raise()
        except ERRORS as error:  # `_call` would try again, and a row that came late would be ours
            raise explained(error, self._client.address) from error
        self._thread.start()
        try:
            self._wait_for_others()
        except BaseException:
            self._end()
            raise
        self._client.guard = self.check
        return self

    def __exit__(self, *_: object) -> None:
        self._client.guard = lambda: None
        self._end()

    def check(self) -> None:
        """Raises StoreError when another may have taken over."""
        if time.monotonic() - self._raised > self._seconds * 2 / 3:
            raise StoreError(
                f"For {self._seconds * 2 / 3:.0f} seconds {self._client.address.masked} could not "
                "be told that this publication goes on, so another may have begun. What was "
                "published before stands. Run it again."
            )

    def _raise(self) -> None:
        began = time.monotonic()
        self._number += 1
        self._client.raw.upsert(self._states, [self._row()], timeout=self._seconds / 3)
        self._raised = began

    def _row(self) -> Row:
        who = {"who": me(), "pid": os.getpid(), "since": self._since, "machine": _machine()}
        (body,) = packed(as_json(who))
        return {"pk": f"publisher.{self._id}", "kind": PUBLISHER, "key": self._id, "id": "",
                "number": self._number, "part": 0, "parts": 1, "body": body,
                "nothing": [0.0, 0.0]}  # fmt: skip

    def _go_on(self) -> None:
        while not self._ended.wait(self._beat):
            with suppress(Exception):  # `check` says so when it lasts
                self._raise()

    def _others(self) -> dict[str, Row]:
        rows = self._client.query(self._states, f"kind == {PUBLISHER}", ["key", "number", "body"])
        return {row["key"]: row for row in rows if row["key"] != self._id}

    def _wait_for_others(self) -> None:
        first = self._others()
        for key, row in list(first.items()):
            if _has_ended(from_json(unpacked([row["body"]]))):
                self._take_out(first.pop(key)["key"])
        until = time.monotonic() + self._seconds
        while first:
            for key, row in self._others().items():
                if key not in first or row["number"] != first[key]["number"]:
                    raise self._locked(row)
            if time.monotonic() > until:
                break
            time.sleep(min(self._beat, 1.0))
        for key in first:
            self._take_out(key)

    def _locked(self, row: Row) -> IndexLocked:
        who = from_json(unpacked([row["body"]]))
        return IndexLocked(
            f"{self._client.address.masked} is being published to by {who['who']} (process "
            f"{who['pid']}) since {who['since']}: wait for it, or stop it."
        )

    def _take_out(self, key: str) -> None:
        self._client.delete_in(self._states, "pk", [f"publisher.{key}"])

    def _end(self) -> None:
        self._ended.set()
        self._thread.join()
        with suppress(AskaiError):
            self._take_out(self._id)


def _machine() -> str:
    """What says of two processes that they see each other's numbers; "": nothing does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _has_ended(who: dict[str, str]) -> bool:
    """Whether a publisher of this machine is no more."""
    if not _machine() or who["machine"] != _machine():
        return False
    return not Path(f"/proc/{who['pid']}").exists()
