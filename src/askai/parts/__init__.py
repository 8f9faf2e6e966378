"""An index as Parquet files in a folder or at any address that fsspec knows.

    documents-NAME.parquet     documents: source, text, marks
    passages-NAME.parquet      their passages: text, tokens, vector, the vectors of sentences
    part-NAME.json             the checksums of the two, written after them: then the part is whole
    sources-HASH.json, skipped-HASH.json, words-HASH.npz, shares-HASH.json, aliases-HASH.toml
    manifest.json              the settings, the parts in order, all checksums: written last

NAME is a hash of what the part is made of and of the settings that shape it, so that what is there
need not be made again. Everything of an index folder can be made of them without the documents;
what is left out is made again of what is there (the word index, the lists of neighbours).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from json import dumps
from typing import Any, TypeVar
from zlib import crc32

FORMAT = 1  # raised whenever parts written before could be misread

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file at an address."""

    name: str
    sha256: str
    size: int  # bytes

    @classmethod
    def of(cls, name: str, content: bytes) -> "StoredFile":
        return cls(name, sha256(content).hexdigest(), len(content))


@dataclass(frozen=True, slots=True)
class Part:
    """Some documents with all that is found by them."""

    name: str
    model: str  # the fingerprint of the embedder
    documents: int
    passages: int
    units: int  # vectors of sentences
    files: tuple[StoredFile, StoredFile]  # of documents and of passages
    # (path, reason) of files that could not be read, which an export keeps elsewhere.
    unread: tuple[tuple[str, str], ...] = ()
    stopped: int = 0  # of these, whose reader crashed or took too long: they are tried again
    texts: int = 0  # that were embedded for it

    def as_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}


@dataclass(frozen=True, slots=True)
class PartContent:
    """A part with its files' bytes, before they are written; none where they are already."""

    part: Part
    files: Mapping[str, bytes] = field(default_factory=dict)


def part_name(shaping: Mapping[str, Any], keys: Iterable[bytes]) -> str:
    """The name of a part by the settings that shape it and the keys of what it holds."""
    digest = sha256(dumps([FORMAT, shaping], sort_keys=True).encode())
    for key in keys:
        digest.update(sha256(key).digest())
    return digest.hexdigest()[:32]


def grouped(
    items: Iterable[tuple[str, int, T]], *, least: int, most: int, count: int = 1 << 62
) -> Iterator[list[T]]:
    """Items, given as (path, weight, item), in groups that weigh from `least` to about `most`, or
    are of `count` items to four times as many.

    Where a group ends is decided by the path of its last item, so that one more item at the front
    does not move the ends of all groups behind it.
    """
    group: list[T] = []
    held = 0
    for path, weight, item in items:
        group.append(item)
        held += weight
        ends = held >= least or len(group) >= count
        if ends and (crc32(path.encode("utf-8", "surrogatepass")) % 4 == 0 or held >= most
                     or len(group) >= 4 * count):  # fmt: skip
            yield group
            group, held = [], 0
    if group:
        yield group
