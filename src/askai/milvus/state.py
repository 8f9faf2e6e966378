"""Publications: which one is current, and what those before it have left behind.

A state is written when all that it names is there, in rows of its own, and never changed: the one
of the highest number is current. It says what a reader of it sees: documents below `next` but for
those in `dead`, and of things that come in versions the newest up to its number.

What is no longer seen is taken out by a later publication, when it is dead for all states from
`oldest` on: those are at least the one before the current one, and all that were current within the
last GRACE seconds. A reader that takes longer is told so.
"""

import getpass
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from askai.errors import IndexDamaged, IndexMismatch
from askai.milvus.collections import (
    PART,
    VERSION,
    Thing,
    digest,
    key_of,
    packed,
    state_name,
    unpacked,
)
from askai.milvus.connection import Address, Client, Row

STATE, PUBLISHER = range(2)  # kinds of rows
GRACE = 600.0  # seconds, by the clocks of those who publish
_FIELDS = ["number", "part", "parts", "body"]


@dataclass(frozen=True, slots=True)
class Dead:
    """What the state `number` no longer shows and those before it do."""

    number: int
    at: float  # seconds since 1970, when that state was written
    documents: tuple[int, ...] = ()
    epoch: int | None = None  # one that was left as a whole


@dataclass(frozen=True, slots=True)
class PartAt:
    """Where a part of the index as a whole is."""

    digest: str  # of what it holds
    born: int  # the state that it is first of
    rows: int

    def keys(self, name: str) -> list[str]:
        """The primary keys of its rows."""
        thing = Thing(kind=PART, key=digest(name), born=self.born)
        return [key_of(thing, row) for row in range(self.rows)]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    number: int
    generation: str
    at: float  # seconds since 1970
    publisher: str
    model: str  # its fingerprint
    dim: int
    epoch: int  # of the collections
    next: int  # the first document number that is free
    passages: int  # in the word index
    tokens: int
    numbers: int  # the first number of a passage that is free
    postings: int
    found_by: dict[str, dict[str, Any]]  # how each kind of vectors is found, as `stores.Found`
    parts: dict[str, "PartAt"]  # by name
    oldest: int  # the first state that can still be read
    dead: tuple[Dead, ...] = ()
    version: int = field(default=VERSION)

    @property
    def alive(self) -> str:
        """The filter of documents that are seen."""
        gone = sorted(doc for dead in self.dead for doc in dead.documents)
        return f"doc < {self.next}" + (f" and doc not in {gone}" if gone else "")


def me() -> str:
    """Who publishes, for those who find it later."""
    user = "somebody"
    with suppress(KeyError, OSError):
        user = getpass.getuser()
    return f"{user}@{socket.gethostname()}"


def read_state(client: Client, *, anew: bool = False) -> State | None:
    """The current one; None where nothing was published, or where it cannot be read by this askai
    and all is made `anew`. Raises IndexMismatch where it is of another version, of a newer one in
    any case, and IndexDamaged where it is none."""
    states = state_name(client.address.name)
    try:
        rows = client.query(states, f"kind == {STATE}", _FIELDS)
    except IndexMismatch:  # there is no such collection
        return None
    for number in sorted({row["number"] for row in rows}, reverse=True):
        parts = {row["part"]: row for row in rows if row["number"] == number}
        if len(parts) == parts[min(parts)]["parts"]:  # else it is being written
            pieces = [parts[n]["body"] for n in sorted(parts)]
            return _parsed(pieces, client.address, anew=anew)
    return None


def _parsed(pieces: list[str], address: Address, *, anew: bool) -> State | None:
    try:
        values = json.loads(unpacked(pieces))
        version = int(values["version"])
    except (IndexDamaged, ValueError, KeyError, TypeError) as error:
        if anew:
            return None
        raise _damaged(address) from error
    if version > VERSION:
        raise IndexMismatch(
            f"The collections of {address.masked} are of version {version}, this askai knows "
            f"version {VERSION}: install a newer askai."
        )
    if version < VERSION and anew:
        return None
    if version < VERSION:
        raise IndexMismatch(
            f"The collections of {address.masked} are of version {version}, this askai reads "
            f"version {VERSION}: run `askai index --rebuild`."
        )
    try:
        dead = [Dead(**d | {"documents": tuple(d["documents"])}) for d in values.pop("dead")]
        parts = {name: PartAt(**at) for name, at in values.pop("parts").items()}
        return State(**values, dead=tuple(dead), parts=parts)
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(address) from error


def _damaged(address: Address) -> IndexDamaged:
    return IndexDamaged(
        f"The state of the index in {address.masked} is none: run `askai index --rebuild`."
    )


def write_state(client: Client, state: State) -> None:
    """Makes it the current one."""
    client.put(state_name(client.address.name), _rows(state))


def _rows(state: State) -> Iterator[Row]:
    pieces = packed(json.dumps(asdict(state)).encode())
    for part, piece in enumerate(pieces):
        yield {"pk": f"state.{state.number}.{part}", "kind": STATE, "key": "", "id": "",
               "number": state.number, "part": part, "parts": len(pieces), "body": piece,
               "nothing": [0.0, 0.0]}  # fmt: skip


def highest_number(client: Client) -> int:
    """Of all states, whatever their version; 0: there is none."""
    rows = client.query(state_name(client.address.name), f"kind == {STATE}", ["number"])
    return max((row["number"] for row in rows), default=0)


def oldest_after(before: State, now: float, grace: float) -> int:
    """`oldest` of the state that comes after `before`."""
    # A state was current until the next one was written.
    left = [dead.number for dead in (*before.dead, Dead(before.number, before.at))
            if dead.at <= now - grace]  # fmt: skip
    return max([before.oldest, *left])


def forget_states(client: Client, state: State) -> None:
    """Takes out those that can no longer be read."""
    states = state_name(client.address.name)
    client.delete(states, f"kind == {STATE} and number < {state.oldest}")
