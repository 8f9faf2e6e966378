"""The collections of an index, and things of any size in their rows.

    NAME_state              the states, and who is publishing: see `state` and `lease`
    NAME_EPOCH_rows         things by KIND, each a JSON value or an array, packed and cut in parts
    NAME_EPOCH_passage_vectors, NAME_EPOCH_unit_vectors
                            float32 by id

A corpus that is replaced as a whole gets the next epoch, so that readers of the last one keep it.

Things are found by the digest of what names them (a path, an id, a term), so that no text of a
document is ever part of a filter. A field holds 65,535 bytes at most, so large things are several
rows. What they hold is compressed and then written in ASCII.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import Any, Literal

from pymilvus import CollectionSchema, DataType, FieldSchema
from pymilvus.milvus_client import IndexParams

from askai.embedders import Vectors
from askai.errors import IndexDamaged
from askai.milvus.connection import Client, Row
from askai.servers import Table

VERSION = 1  # of all of this
TABLES: tuple[Table, ...] = ("passage_vectors", "unit_vectors")
MOST = 65_000  # characters of a row
IndexKind = Literal["FLAT", "HNSW"]

SOURCE, TEXT, CHUNK, TOKENS, POSTINGS, PART, GARBAGE = range(1, 8)
NOBODY = -1  # the document of things that are of none
_PLACE = ["kind", "key", "id", "doc", "number", "born", "count"]
FIELDS = [*_PLACE, "part", "parts", "body"]
_HNSW = {"M": 32, "efConstruction": 200}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What one or several rows hold."""

    kind: int
    key: str  # `digest` of what names it
    born: int  # the publication that wrote it
    doc: int = NOBODY  # its document's number
    number: int = 0  # CHUNK: its place, TOKENS: of the passage, POSTINGS: of the block
    id: str = ""  # of a passage
    count: int = 0  # POSTINGS: entries
    content: bytes = b""


def digest(name: str) -> str:
    """128 bits, as 32 characters."""
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def from_json(content: bytes) -> Any:
    return json.loads(content.decode("utf-8", "surrogatepass"))


def ascii_id(id_: str) -> str:
    """Any id as a field of the server takes it."""
    return id_.encode("unicode_escape").decode("ascii")


def read_id(field: str) -> str:
    return field.encode("ascii").decode("unicode_escape") if "\\" in field else field


def packed(content: bytes) -> list[str]:
    """In pieces that a row can hold."""
    text = base64.b64encode(zlib.compress(content, 1)).decode("ascii")
    return [text[at : at + MOST] for at in range(0, len(text), MOST)]


def unpacked(pieces: Iterable[str]) -> bytes:
    """Raises IndexDamaged."""
    try:
        return zlib.decompress(base64.b64decode("".join(pieces), validate=True))
    except (ValueError, zlib.error) as error:
        raise IndexDamaged(
            "A row of the index on the server is damaged: run `askai index --rebuild`."
        ) from error


def rows_of(things: Iterable[Thing]) -> Iterator[Row]:
    for thing in things:
        pieces = packed(thing.content)
        place = {
            "kind": thing.kind, "key": thing.key, "id": ascii_id(thing.id), "doc": thing.doc,
            "number": thing.number, "born": thing.born, "count": thing.count,
            "parts": len(pieces), "nothing": [0.0, 0.0],
        }  # fmt: skip
        for part, piece in enumerate(pieces):
            yield place | {"pk": key_of(thing, part), "part": part, "body": piece}


def key_of(thing: Thing, part: int = 0) -> str:
    """The primary key of a row."""
    named = (thing.kind, thing.key, thing.doc, thing.number, thing.born, part)
    return ".".join(map(str, named))


def things_of(rows: Iterable[Row]) -> list[Thing]:
    """Puts rows with FIELDS together again; raises IndexDamaged when a part is missing."""
    found = []
    by_place = sorted(rows, key=lambda row: (*_placed(row), row["part"]))
    for _, some in groupby(by_place, key=_placed):
        # A page that ends while rows are added may repeat one.
        parts = {row["part"]: row for row in some}
        first = next(iter(parts.values()))
        if len(parts) != first["parts"]:
            raise IndexDamaged(
                f"Of a thing of the index on the server there are {len(parts)} of "
                f"{first['parts']} parts: run `askai index --rebuild`."
            )
        named = {name: first[name] for name in _PLACE} | {"id": read_id(first["id"])}
        content = unpacked(row["body"] for row in parts.values())
        found.append(Thing(**named, content=content))
    return found


def _placed(row: Row) -> tuple[Any, ...]:
    return row["key"], row["kind"], row["doc"], row["number"], row["born"]


def vector_rows(ids: Iterable[str], documents: Iterable[int], vectors: Vectors) -> Iterator[Row]:
    """Of shape (n, dim)."""
    for id_, doc, vector in zip(ids, documents, vectors, strict=True):
        key = digest(id_)
        yield {"pk": f"{key}.{doc}", "key": key, "id": ascii_id(id_), "doc": doc,
               "embedding": vector}  # fmt: skip


def state_name(name: str) -> str:
    return f"{name}_state"


def epoch_name(name: str, epoch: int, what: str) -> str:
    return f"{name}_{epoch}_{what}"


def epoch_of(name: str, collection: str) -> int | None:
    """The epoch of a collection; None where it is none of this index."""
    middle = collection.removeprefix(f"{name}_").partition("_")
    ours = collection.startswith(f"{name}_") and middle[2] in {"rows", *TABLES}
    return int(middle[0]) if ours and middle[0].isdigit() else None


def create_state(client: Client, name: str) -> None:
    """Where it is not there."""
    if not client.has(state_name(name)):
        whole = ["kind", "number", "part", "parts"]
        client.create(state_name(name), *_scalars(whole, looked_up=[]))


def create_epoch(
    client: Client, name: str, epoch: int, *, dim: int, kinds: dict[Table, IndexKind]
) -> None:
    """The collections of an epoch, with nothing in them."""
    drop_epoch(client, name, epoch)
    whole = ["kind", "doc", "number", "born", "count", "part", "parts"]
    rows = _scalars(whole, looked_up=["kind", "key", "doc", "number"])
    client.create(epoch_name(name, epoch, "rows"), *rows)
    for table in TABLES:
        client.create(epoch_name(name, epoch, table), *_vectors(dim, kinds[table]))


def drop_epoch(client: Client, name: str, epoch: int) -> None:
    for collection in client.collections():
        if epoch_of(name, collection) == epoch:
            client.drop(collection)


def vector_index(kind: IndexKind) -> IndexParams:
    index = IndexParams()
    parameters = _HNSW if kind == "HNSW" else {}
    index.add_index("embedding", index_type=kind, metric_type="IP", params=parameters)
    return index


def _scalars(whole: list[str], *, looked_up: list[str]) -> tuple[CollectionSchema, IndexParams]:
    """A collection has to have a vector: two zeros."""
    fields = [
        _text("pk", 200, is_primary=True), _text("key", 32), _text("id", 2048),
        *(FieldSchema(name, DataType.INT64) for name in whole), _text("body", 65_535),
        FieldSchema("nothing", DataType.FLOAT_VECTOR, dim=2),
    ]  # fmt: skip
    index = IndexParams()
    index.add_index("nothing", index_type="FLAT", metric_type="L2")
    for field in looked_up:
        index.add_index(field, index_type="INVERTED")
    return CollectionSchema(fields), index


def _vectors(dim: int, kind: IndexKind) -> tuple[CollectionSchema, IndexParams]:
    fields = [
        _text("pk", 200, is_primary=True), _text("key", 32), _text("id", 2048),
        FieldSchema("doc", DataType.INT64),
        FieldSchema("embedding", DataType.FLOAT_VECTOR, dim=dim),
    ]  # fmt: skip
    index = vector_index(kind)
    for field in ("key", "doc"):
        index.add_index(field, index_type="INVERTED")
    return CollectionSchema(fields), index


def _text(name: str, most: int, **options: Any) -> FieldSchema:
    return FieldSchema(name, DataType.VARCHAR, max_length=most, **options)
