"""Addresses of a Milvus, and a client whose errors are sentences.

Everything is read with strong consistency: what was written before is seen. Every call has a time
limit, within which pymilvus itself tries again while a server is away.

The token comes from MILVUS_TOKEN or the address and goes nowhere else: an address is only ever
shown by `masked`.
"""

import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from askai.embedders import Vector
from askai.errors import AskaiError, IndexMismatch, StoreError

# It writes what it raises on stderr, too.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)

TOKEN = "MILVUS_TOKEN"  # noqa: S105  the name of a variable
MOST_FOUND = 16_384  # rows that one search or query gives
PORT = 19530
_CONNECT_SECONDS = 10
_SECONDS = 30  # for a call
_ROWS = 1_000  # sent or asked for at a time …
_BYTES = 8_000_000  # … and no more than so many are sent
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
# What TLS needs to know, by the names that pymilvus has.
_MUTUAL = frozenset({"ca_pem_path", "client_pem_path", "client_key_path"})  # all, or none
_FILES = _MUTUAL | {"server_pem_path", "server_name"}
ERRORS = (MilvusException, grpc.RpcError, grpc.FutureTimeoutError)
_NOT_FOUND, _NOT_LOADED = 100, 101  # a collection

Row = dict[str, Any]


class Address:
    """Where the index is, without ever telling the password."""

    def __init__(self, url: str, name: str) -> None:
        """`name` begins those of the collections. Raises StoreError for what is no address."""
        try:
            parts = urlsplit(url)
            self.host, self.port = parts.hostname or "", parts.port or PORT
            user, password = (unquote(part or "") for part in (parts.username, parts.password))
            self._options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        except ValueError:
            raise _no_address() from None
        self.name, self._user = name, user
        self._token = os.environ.get(TOKEN) or (f"{user}:{password}" if password else "")
        self.database = parts.path.strip("/") or "default"
        self._secure = self._options.pop("secure", "false")
        wrong = not self.host or parts.fragment or not _NAME.fullmatch(self.database)
        wrong = wrong or len(_MUTUAL & self._options.keys()) not in {0, len(_MUTUAL)}
        if wrong or self._options.keys() - _FILES or self._secure not in {"true", "false"}:
            raise _no_address()

    @property
    def masked(self) -> str:
        """For people: no password, no options."""
        user = f"{self._user}@" if self._user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"milvus://{user}{host}:{self.port}/{self.database}"

    def connect(self) -> "Client":
        """Raises StoreError."""
        return Client(self, self._opened())

    def _opened(self) -> MilvusClient:
        """Soon refused where nothing is there: pymilvus would go on trying."""
        try:
            socket.create_connection((self.host, self.port), _CONNECT_SECONDS).close()
        except OSError as error:
            raise self._refused(error) from None
        scheme = "https" if self._secure == "true" else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        try:
            return MilvusClient(
                f"{scheme}://{host}:{self.port}",
                token=self._token,
                # Milvus's own default database needs no name, and older servers know none.
                db_name="" if self.database == "default" else self.database,
                timeout=_CONNECT_SECONDS,
                dedicated=True,  # closed by whoever opened it
                **self._options,
            )
        except (*ERRORS, OSError) as error:  # a file of a certificate
            raise self._refused(error) from None

    def reopened(self) -> MilvusClient:
        """A connection in the place of one that was lost, when the server is there again."""
        until = time.monotonic() + _CONNECT_SECONDS
        while True:
            try:
                return self._opened()
            except StoreError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def _refused(self, error: Exception) -> StoreError:
        """In words of our own: a message may quote parts of the address."""
        # What a server says stands in the cause.
        said = f"{error} {error.__cause__}".lower()
        reasons = {
            "name or service not known": "there is no host of that name",
            "name resolution": "there is no host of that name",
            "no address associated": "there is no host of that name",
            "refused": "nothing listens there",
            "timed out": "it did not answer in time",
            "auth": "it refuses the user, the password or the token",
            "database": "it has no such database",
            "certificate": "its certificate is not accepted",
            "ssl": "TLS could not be agreed on",
            "no such file": "a file of its certificates is not there",
            "fail connecting": "what listens there does not answer as a Milvus, or wants TLS",
        }
        reason = next((why for words, why in reasons.items() if words in said), "")
        return StoreError(f"No connection to {self.masked}: {reason or type(error).__name__}.")


def _no_address() -> StoreError:
    return StoreError(
        "The store's address cannot be read; expected milvus://HOST:PORT/DATABASE, with "
        f"?secure=true for TLS, the token in {TOKEN} and special characters as %XX."
    )


class Client:
    """A connection. Filters are made of our own names, numbers and digests alone."""

    def __init__(self, address: Address, client: MilvusClient) -> None:
        self.address = address
        self.raw = client
        self.guard: Callable[[], None] = lambda: None  # raises where nothing may be written now

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Once more where the connection was lost: what is read is of one publication, and what is
        written goes by key."""
        options.setdefault("timeout", _SECONDS)
        try:
            return getattr(self.raw, method)(*arguments, **options)
        except ERRORS as error:
            lost = _is_lost(error)
            if not lost and getattr(error, "code", None) != _NOT_LOADED:
                raise explained(error, self.address) from error
        if lost:
            before, self.raw = self.raw, self.address.reopened()
            with suppress(*ERRORS):
                before.close()
        try:
            if not lost:  # Milvus Lite forgets it when it ends
                self.raw.load_collection(arguments[0], timeout=options["timeout"])
            return getattr(self.raw, method)(*arguments, **options)
        except ERRORS as error:
            raise explained(error, self.address) from error

    def version(self) -> str:
        return str(self._call("get_server_version"))

    def collections(self) -> list[str]:
        return list(self._call("list_collections"))

    def has(self, collection: str) -> bool:
        return bool(self._call("has_collection", collection))

    def query(self, collection: str, where: str, fields: Sequence[str]) -> list[Row]:
        """The rows, which are known to be few."""
        found = self._call("query", collection, filter=where, output_fields=list(fields),
            consistency_level="Strong",
        )  # fmt: skip
        return [dict(row) for row in found]

    def query_in(
        self, collection: str, field: str, values: Iterable[Any],
        fields: Sequence[str], *, where: str = "",
    ) -> list[Row]:  # fmt: skip
        """The rows with one of these values in `field`, of which each has few rows."""
        rows: list[Row] = []
        waiting = iter(values)
        while some := list(islice(waiting, _ROWS)):
            condition = f"{field} in {listed(some)}"
            rows += self.query(
                collection, f"{condition} and {where}" if where else condition, fields
            )
        return rows

    def everything(self, collection: str, where: str, fields: Sequence[str]) -> Iterator[Row]:
        """The rows, which may be many, a page at a time."""
        pages = self._call("query_iterator", collection, batch_size=_ROWS, filter=where,
            output_fields=list(fields), consistency_level="Strong",
        )  # fmt: skip
        try:
            while page := self._page(pages):
                yield from (dict(row) for row in page)
        finally:
            pages.close()

    def _page(self, pages: Any) -> Any:
        try:
            return pages.next()
        except ERRORS as error:
            raise explained(error, self.address) from error

    def count(self, collection: str, where: str) -> int:
        return int(self.query(collection, where, ["count(*)"])[0]["count(*)"])

    def search(
        self, collection: str, vector: Vector, limit: int, where: str, fields: Sequence[str],
        **parameters: int,
    ) -> list[tuple[float, Row]]:  # fmt: skip
        """The rows with the highest inner products, which come with them, best first."""
        ((found),) = self._call(
            "search", collection, data=[vector.tolist()], anns_field="embedding",
            limit=limit, filter=where, output_fields=list(fields), consistency_level="Strong",
            search_params={"metric_type": "IP", "params": parameters},
        )  # fmt: skip
        return [(float(hit["distance"]), dict(hit["entity"])) for hit in found]

    def put(self, collection: str, rows: Iterable[Row]) -> None:
        """By key, so that what is sent a second time is there once."""
        waiting, batch, size = iter(rows), list[Row](), 0
        for row in waiting:
            batch.append(row)
            size += sum(len(v) * (1 if isinstance(v, str) else 4)
                        for v in row.values() if not isinstance(v, int))  # fmt: skip
            if len(batch) >= _ROWS or size >= _BYTES:
                self._put(collection, batch)
                batch, size = [], 0
        if batch:
            self._put(collection, batch)

    def _put(self, collection: str, rows: list[Row]) -> None:
        self.guard()
        self._call("upsert", collection, rows)

    def delete(self, collection: str, where: str) -> None:
        self.guard()
        self._call("delete", collection, filter=where)

    def delete_in(self, collection: str, field: str, values: Iterable[Any]) -> None:
        waiting = iter(values)
        while some := list(islice(waiting, _ROWS)):
            self.delete(collection, f"{field} in {listed(some)}")

    def create(self, collection: str, schema: Any, index: Any) -> None:
        """Empty, and ready to be read."""
        self.guard()
        self._call("create_collection", collection, schema=schema, consistency_level="Strong",
            num_shards=1,
        )  # fmt: skip
        # Of nothing an index is made at once, which pymilvus would look at half a second later.
        self._call("create_index", collection, index_params=index, sync=False)
        self._call("load_collection", collection, timeout=4 * _SECONDS)

    def reindex(self, collection: str, index: Any) -> None:
        """Another index over the vectors of a collection that nobody reads yet."""
        self.guard()
        self._call("release_collection", collection)
        self._call("drop_index", collection, index_name="embedding")
        self._call("create_index", collection, index_params=index)
        self._call("load_collection", collection)

    def drop(self, collection: str) -> None:
        self.guard()
        self._call("drop_collection", collection)

    def settled(self, collections: Iterable[str]) -> None:
        """Has the server put what was written where it is searched sooner; it may refuse, since it
        limits how often, and will do so itself in time."""
        for collection in collections:
            try:
                self.raw.flush(collection, timeout=_SECONDS)
            except ERRORS:
                continue

    def close(self) -> None:
        self.raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def listed(values: Iterable[Any]) -> str:
    """As an expression has a list; strings are digests or keys of ours."""
    return "[" + ", ".join(f'"{v}"' if isinstance(v, str) else str(v) for v in values) + "]"


def explained(error: Exception, address: Address) -> AskaiError:
    """An error of the server as one sentence that says what to do."""
    at, said = address.masked, _said(error)
    low = said.lower()
    code = getattr(error, "code", None)
    if code == _NOT_FOUND:
        return IndexMismatch(
            f"A collection of {at} is gone: what was read has been replaced, ask again; or else "
            "run `askai index --rebuild`."
        )
    if "database" in low and ("not exist" in low or "not found" in low):
        return StoreError(f"No connection to {at}: it has no such database.")
    if "permission" in low or "privilege" in low or "unauth" in low:
        return StoreError(
            f"{at} does not allow this user to do that; docs/scale.md lists the rights that asking "
            "and indexing need."
        )
    if _is_lost(error):
        return StoreError(
            f"The connection to {at} was lost, or it took longer than {_SECONDS} seconds. What was "
            "published before stands. Try again."
        )
    return StoreError(f"{at} says: {said}.")


def _is_lost(error: Exception) -> bool:
    """Whether a call did not come through, or no answer came."""
    low = _said(error).lower()
    return not isinstance(error, MilvusException) or any(
        words in low for words in ("retry", "unavailable", "deadline", "connect", "closed")
    )


def _said(error: Exception) -> str:
    text = error.message if isinstance(error, MilvusException) else str(error)
    lines: Mapping[int, str] = dict(enumerate(str(text).splitlines()))
    return lines.get(0, type(error).__name__)[:200].rstrip(". ")
