"""A PostgreSQL, or several as the shards of one index, as `askai.servers` has it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from askai.postgres import health
from askai.postgres.connection import Address
from askai.postgres.opened import Opened, open_servers
from askai.postgres.publish import publish
from askai.postgres.publish_shards import publish_shards
from askai.publication import LocalIndex, Progress, Published


class PostgresServer:
    """See `askai.servers.Server`; the name of the tables is that of their schema. Of several
    addresses, with blanks between them, each is a shard."""

    def __init__(self, url: str, name: str) -> None:
        self._addresses = [Address(one, name) for one in url.split()]

    @property
    def masked(self) -> str:
        return ", ".join(address.masked for address in self._addresses)

    def pool(self) -> AbstractContextManager[Any]:
        return self._pools()

    @contextmanager
    def _pools(self) -> Iterator[list[Any]]:
        with ExitStack() as stack:
            yield [stack.enter_context(address.pool()) for address in self._addresses]

    def open(self, pool: Any = None, *, partial: bool = False) -> Opened:
        return open_servers(self._addresses, pool, partial=partial)

    def publish(
        self, local: LocalIndex, *, replace: bool = False, progress: Progress = lambda *_: None
    ) -> Published:
        if len(self._addresses) > 1:
            return publish_shards(local, self._addresses, replace=replace, progress=progress)
        return publish(local, self._addresses[0], replace=replace, progress=progress)

    def checks(self, index: Opened) -> dict[str, Callable[[], str]]:
        return {
            "server": lambda: health.server(index),
            "index on the server": lambda: health.agreement(index),
            "recall on the server": lambda: health.recall(index),
        }
