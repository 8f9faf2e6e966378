"""A PostgreSQL as `askai.servers` has it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from askai.postgres import health
from askai.postgres.connection import Address, Snapshot
from askai.postgres.publish import publish
from askai.postgres.published import PublishedIndex, open_published
from askai.publication import LocalIndex, Progress, Published


class PostgresServer:
    """See `askai.servers.Server`; the name of the tables is that of their schema."""

    def __init__(self, url: str, name: str) -> None:
        self._address = Address(url, name)

    @property
    def masked(self) -> str:
        return self._address.masked

    def pool(self) -> AbstractContextManager[Any]:
        return self._address.pool()

    def open(self, pool: Any = None) -> PublishedIndex:
        return open_published(Snapshot(self._address, pool))

    def publish(
        self, local: LocalIndex, *, replace: bool = False, progress: Progress = lambda *_: None
    ) -> Published:
        return publish(local, self._address, replace=replace, progress=progress)

    def checks(self, index: PublishedIndex) -> dict[str, Callable[[], str]]:
        return {
            "server": lambda: health.server(index),
            "index on the server": lambda: health.agreement(index),
            "recall on the server": lambda: health.recall(index),
        }
