"""What every server is told of an index folder: which documents change, and what their rows hold.

A document is taken out and put in again where its key is another one: of its source, of the ids and
texts of its passages, and of the settings that shape them. So an update sends what has changed.
Documents have numbers, which the publisher gives and never gives again.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256

from askai.catalog import Catalog
from askai.embedders import Vectors
from askai.errors import IndexMismatch
from askai.lexical import LexicalIndex
from askai.manifest import Manifest, SourceState
from askai.records import Chunk, Document
from askai.stores import Store
from askai.units import numbered

# What shapes the rows of a document besides its bytes.
_SHAPING = ("embedder", "centring", "chunking", "readers", "tokens", "descriptions")
_BATCH = 512  # passages whose vectors are read at a time
_MOST_GONE = 0.5  # share of the documents above which all are put in anew
# (stage, done, of how many): "publishing" documents, "publishing vectors", "publishing words".
Progress = Callable[[str, int, int], None]
VectorBatch = tuple[list[str], list[int], Vectors]  # ids, documents' numbers, shape (n, dim)


@dataclass(frozen=True, slots=True)
class LocalIndex:
    """A generation of an index folder, open."""

    manifest: Manifest
    catalog: Catalog
    store: Store
    units: Store
    lexical: LexicalIndex
    states: Sequence[SourceState]
    skipped: str  # the content of skipped.json
    shares: str  # of words.json
    words: bytes  # of words.npz
    aliases: str  # of aliases.toml, which lies with the documents


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did."""

    generation: str
    changed: bool  # False: this generation was there already
    documents: int  # on the server now
    added: int  # put in, those that have changed too
    removed: int  # taken out, those that have changed too


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document as it is put in."""

    number: int  # `doc` of its rows
    position: int
    key: bytes  # what tells whether it has changed
    mtime_ns: int
    ctime_ns: int
    document: Document
    chunks: Sequence[Chunk]


Times = tuple[int, int, int]  # position, mtime_ns, ctime_ns


@dataclass(frozen=True, slots=True)
class Before:
    """A document that the server holds."""

    number: int
    key: bytes
    times: Times


def unchanged(local: LocalIndex) -> Published:
    """That this generation was there already."""
    return Published(
        local.manifest.generation, changed=False, documents=local.manifest.counts.documents,
        added=0, removed=0,
    )  # fmt: skip


def check_model(local: LocalIndex, *, manifest: str, model: str, where: str, replace: bool) -> None:
    """Raises IndexMismatch where the server holds vectors of another model, and not `replace`;
    `manifest` and `model`, its fingerprint, are the server's."""
    mine = local.manifest.settings["embedder"]
    if model != mine["fingerprint"] and not replace:
        there = json.loads(manifest)["settings"]["embedder"]["name"]
        raise IndexMismatch(
            f"{where} holds vectors of the model {there!r} ({model}), and this "
            f"index has those of {mine['name']!r} ({mine['fingerprint']}). They cannot be mixed: "
            "run `askai index --rebuild` to replace what is there, or set the model or the "
            "store_schema."
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a publication changes."""

    local: LocalIndex
    there: Mapping[str, Before]  # by path
    keys: Mapping[str, bytes]  # of all documents of the folder, by path, in their order
    times: Mapping[str, Times]
    kept: frozenset[str]  # paths of documents that stay
    new: Mapping[str, int]  # the numbers of those that are put in, by path
    next: int  # the first number that was free before
    progress: Progress

    @property
    def gone(self) -> list[int]:
        """The numbers of the documents that are taken out."""
        return [before.number for path, before in self.there.items() if path not in self.kept]

    @property
    def whole(self) -> bool:
        """Whether none of the documents that are there stays."""
        return bool(self.there) and not self.kept

    @property
    def moved(self) -> dict[str, tuple[Before, Times]]:
        """Documents that stay, in another place or of a file with another time."""
        there, times = self.there, self.times
        return {p: (there[p], times[p]) for p in self.kept if there[p].times != times[p]}

    @property
    def published(self) -> Published:
        generation = self.local.manifest.generation
        return Published(
            generation, changed=True, documents=len(self.keys), added=len(self.new),
            removed=len(self.gone),
        )  # fmt: skip

    def documents(self) -> Iterator[NewDocument]:
        """Those that are put in."""
        for done, (path, number) in enumerate(self.new.items()):
            self.progress("publishing", done, len(self.new))
            position, mtime_ns, ctime_ns = self.times[path]
            yield NewDocument(
                number, position, self.keys[path], mtime_ns, ctime_ns,
                self.local.catalog.document(path), self.local.catalog.chunks_of(path),
            )  # fmt: skip
        self.progress("publishing", len(self.new), len(self.new))

    def chunks(self) -> list[tuple[str, int, int]]:
        """Of each new passage its id, its document's number, and how many units it has."""
        return [
            (id_, self.new[path], units)
            for id_, path, _, units in self.local.catalog.chunk_places()
            if path in self.new
        ]

    def vectors(self, chunks: Sequence[tuple[str, int, int]]) -> Iterator[VectorBatch]:
        """Those of these passages."""
        for at in range(0, len(chunks), _BATCH):
            self.progress("publishing vectors", at, len(chunks))
            batch = chunks[at : at + _BATCH]
            ids = [id_ for id_, _, _ in batch]
            yield ids, [number for _, number, _ in batch], self.local.store.vectors(ids)
        self.progress("publishing vectors", len(chunks), len(chunks))

    def unit_vectors(self, chunks: Sequence[tuple[str, int, int]]) -> Iterator[VectorBatch]:
        """Those of the units of these passages."""
        for at in range(0, len(chunks), _BATCH):
            batch = chunks[at : at + _BATCH]
            pairs = [(numbered(i, n), doc) for i, doc, count in batch for n in range(count)]
            if pairs:
                ids = [id_ for id_, _ in pairs]
                yield ids, [number for _, number in pairs], self.local.units.vectors(ids)

    def words(self, chunks: Sequence[tuple[str, int, int]]) -> Iterator[tuple[str, int, list[str]]]:
        """Of each of these passages its id, its document's number and its tokens."""
        for done, (id_, number, _) in enumerate(chunks):
            if done % _BATCH == 0:
                self.progress("publishing words", done, len(chunks))
            yield id_, number, self.local.lexical.tokens_of(id_)
        self.progress("publishing words", len(chunks), len(chunks))


def planned(
    local: LocalIndex,
    there: Mapping[str, Before],
    *,
    replace: bool,
    progress: Progress,
    next_: int | None = None,
    keys: Mapping[str, bytes] | None = None,
) -> Plan:
    """What to do, given what the server holds; all anew where more than half has changed or
    `replace`. `next_` is the first free number, where the server knows better; `keys` are those of
    `keys_of` that the server is to have, where these are not all."""
    keys = keys_of(local) if keys is None else keys
    kept = {p for p, b in there.items() if not replace and keys.get(p) == b.key}
    if len(there) - len(kept) > _MOST_GONE * len(there):
        kept = set()
    if next_ is None:
        next_ = max((before.number for before in there.values()), default=-1) + 1
    new = {path: next_ + n for n, path in enumerate(path for path in keys if path not in kept)}
    return Plan(
        local=local, there=there, keys=keys, times=_times(local), kept=frozenset(kept), new=new,
        next=next_, progress=progress,
    )  # fmt: skip


def keys_of(local: LocalIndex) -> dict[str, bytes]:
    """What tells whether a document has changed, by path, in their order."""
    shaping = {name: local.manifest.settings.get(name) for name in _SHAPING}
    digests = {
        source.path: sha256(json.dumps([shaping, astuple(source)]).encode())
        for source in local.catalog.sources()
    }
    places = local.catalog.chunk_places()
    for (_, path, *_), keys in zip(places, local.catalog.text_keys(), strict=True):
        id_, passage, units = keys
        digests[path].update(f"\0{id_}\0".encode("utf-8", "surrogatepass") + passage + units)
    return {path: digest.digest() for path, digest in digests.items()}


def _times(local: LocalIndex) -> dict[str, Times]:
    places = local.catalog.positions()
    return {s.path: (places[s.path], s.mtime_ns, s.ctime_ns) for s in local.states}
