"""A Milvus as `askai.servers` has it."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from askai.milvus import health
from askai.milvus.connection import Address, Client
from askai.milvus.publish import publish
from askai.milvus.published import PublishedIndex, open_published
from askai.milvus.snapshot import Snapshot
from askai.publication import LocalIndex, Progress, Published


class MilvusServer:
    """See `askai.servers.Server`; the names of the collections begin with the name."""

    def __init__(self, url: str, name: str) -> None:
        self._address = Address(url, name)

    @property
    def masked(self) -> str:
        return self._address.masked

    def pool(self) -> AbstractContextManager[Client]:
        """One connection, which serves many questions at a time."""
        return self._address.connect()

    def open(self, pool: Client | None = None, *, partial: bool = False) -> PublishedIndex:
        """`partial` says nothing here: a Milvus parts its collections itself."""
        del partial
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
