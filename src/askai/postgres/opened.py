"""Opens what was published, on one server or in shards on several."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from askai.postgres.connection import Address, Snapshot
from askai.postgres.published import PublishedIndex, open_published
from askai.postgres.sharded import ShardedIndex, open_shards

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

    from askai.postgres.connection import Connection

Opened = PublishedIndex | ShardedIndex


def open_servers(
    addresses: Sequence[Address],
    pools: "Sequence[ConnectionPool[Connection]] | None" = None,
    *,
    partial: bool = False,
) -> Opened:
    """See `published.open_published` and `sharded.open_shards`; `pools` has one for each."""
    if len(addresses) > 1:
        return open_shards(addresses, pools, partial=partial)
    return open_published(Snapshot(addresses[0], pools[0] if pools else None))
