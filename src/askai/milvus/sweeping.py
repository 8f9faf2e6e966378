"""Takes out what no state shows any more: what a killed publication left, and what was replaced."""

from askai.milvus.collections import (
    FIELDS,
    GARBAGE,
    TABLES,
    drop_epoch,
    epoch_name,
    epoch_of,
    from_json,
    things_of,
)
from askai.milvus.connection import Client
from askai.milvus.state import State, highest_number


def sweep(client: Client, before: State | None, *, replace: bool = False) -> None:
    """Takes out what no state names, or none that can still be read; only whole epochs of these
    where all is put in anew."""
    name = client.address.name
    if before is None:
        if not highest_number(client):  # else they are of another version, and somebody's
            for epoch in epochs(client):
                drop_epoch(client, name, epoch)
        return
    dead = [one for one in before.dead if one.number <= before.oldest]
    left = {one.epoch for one in before.dead if one not in dead} | {before.epoch}
    for epoch in epochs(client) - left:
        drop_epoch(client, name, epoch)
    if replace:
        return
    rows = epoch_name(name, before.epoch, "rows")
    vectors = [epoch_name(name, before.epoch, table) for table in TABLES]
    for collection in (rows, *vectors):
        client.delete(collection, f"doc >= {before.next}")
        client.delete_in(collection, "doc", sorted(d for one in dead for d in one.documents))
    client.delete(rows, f"born > {before.number}")
    where = f"kind == {GARBAGE} and born <= {before.oldest}"
    for thing in things_of(client.everything(rows, where, FIELDS)):
        client.delete_in(rows, "pk", from_json(thing.content))
    client.delete(rows, where)


def epochs(client: Client) -> set[int]:
    """The numbers of those that there are, whole or not."""
    found = (epoch_of(client.address.name, name) for name in client.collections())
    return {epoch for epoch in found if epoch is not None}
