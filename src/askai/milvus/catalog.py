"""The catalogue in Milvus; see `askai.catalog_reader`.

What is asked of all documents (their places, their languages) is answered from their sources, which
are read once: each names the passages of its document.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

from askai.manifest import SourceState
from askai.milvus.collections import (
    CHUNK,
    SOURCE,
    TEXT,
    Thing,
    as_json,
    digest,
    from_json,
)
from askai.milvus.snapshot import Snapshot
from askai.publication import Before, NewDocument, Times
from askai.records import Chunk, Document, Mark, Source
from askai.units import embedded_units

_REMEMBERED = 4096  # passages
_SOURCE = tuple(field.name for field in fields(Source))
_CHUNK = tuple(field.name for field in fields(Chunk))


@dataclass(frozen=True, slots=True)
class Listed:
    """A document as its source's row has it."""

    before: Before
    source: Source
    chunks: tuple[tuple[str, str | None, int], ...]  # id, language, how many units
    born: int


class MilvusCatalog:
    """Reads what `things_of_document` wrote."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._known: dict[str, Chunk] = {}
        self._all: list[Listed] | None = None

    def listed(self) -> list[Listed]:
        """All documents, in their order."""
        if self._all is None:
            newest: dict[int, Thing] = {}
            for thing in self._snapshot.all_things(SOURCE):
                if thing.doc not in newest or newest[thing.doc].born < thing.born:
                    newest[thing.doc] = thing
            found = (listed_of(thing) for thing in newest.values())
            self._all = sorted(found, key=lambda one: one.before.times[0])
        return self._all

    def chunks(self, ids: Iterable[str]) -> dict[str, Chunk]:
        wanted = list(dict.fromkeys(ids))
        known = self._known
        found = {id_: known[id_] for id_ in wanted if id_ in known}
        if new := [digest(id_) for id_ in wanted if id_ not in found]:
            for thing in self._snapshot.things(CHUNK, "key", new):
                chunk = _record(Chunk, _CHUNK, from_json(thing.content))
                found[chunk.id] = chunk
        if len(known) > _REMEMBERED:
            self._known = {}
        self._known.update(found)
        return {id_: found[id_] for id_ in wanted if id_ in found}

    def chunks_of(self, path: str) -> list[Chunk]:
        listed = self._listed(path)
        if listed is None:
            return []
        return list(self.chunks(id_ for id_, _, _ in listed.chunks).values())

    def chunk_places(self) -> list[tuple[str, str, str | None, int]]:
        return [
            (id_, listed.source.path, language, units)
            for listed in self.listed()
            for id_, language, units in listed.chunks
        ]

    def languages(self) -> dict[str, int]:
        counts = Counter(language or "" for _, _, language, _ in self.chunk_places())
        return dict(sorted(counts.items()))

    def document(self, path: str) -> Document:
        text, marks = self._text(path)
        return Document(self.source(path), text, tuple(Mark(*mark) for mark in marks))

    def text(self, path: str) -> str:
        return str(self._text(path)[0])

    def _text(self, path: str) -> Any:
        for thing in self._snapshot.things(TEXT, "key", [digest(path)]):
            return from_json(thing.content)
        raise KeyError(path)

    def sources(self) -> list[Source]:
        return [listed.source for listed in self.listed()]

    def source(self, path: str) -> Source:
        listed = self._listed(path)
        if listed is None:
            raise KeyError(path)
        return listed.source

    def _listed(self, path: str) -> Listed | None:
        if self._all is not None:
            return next((one for one in self._all if one.source.path == path), None)
        things = self._snapshot.things(SOURCE, "key", [digest(path)])
        return listed_of(max(things, key=lambda thing: thing.born)) if things else None

    def states(self) -> list[SourceState]:
        """The files that the index was made of, as `manifest.read_sources` has them."""
        return [
            SourceState(one.source.path, one.source.sha256, one.source.bytes, *one.before.times[1:])
            for one in self.listed()
        ]

    def document_count(self) -> int:
        return len(self.listed())

    def chunk_count(self) -> int:
        return sum(len(listed.chunks) for listed in self.listed())

    def chunk_counts(self) -> dict[str, int]:
        counts = {one.source.path: len(one.chunks) for one in self.listed() if one.chunks}
        return dict(sorted(counts.items()))


def listed_of(thing: Thing) -> Listed:
    value = from_json(thing.content)
    position, mtime_ns, ctime_ns = value["times"]
    return Listed(
        before=Before(thing.doc, bytes.fromhex(value["key"]), (position, mtime_ns, ctime_ns)),
        source=_record(Source, _SOURCE, value["source"]),
        chunks=tuple((id_, language, units) for id_, language, units in value["chunks"]),
        born=thing.born,
    )


def things_of_document(new: NewDocument, born: int) -> list[Thing]:
    """All but its vectors and its words."""
    source = new.document.source
    listed = Listed(
        before=Before(new.number, new.key, (new.position, new.mtime_ns, new.ctime_ns)),
        source=source,
        chunks=tuple((c.id, c.language, len(embedded_units(c))) for c in new.chunks),
        born=born,
    )
    text = as_json([new.document.text, [astuple(mark) for mark in new.document.marks]])
    chunks = [
        Thing(kind=CHUNK, key=digest(chunk.id), id=chunk.id, doc=new.number, number=place,
              born=born, content=as_json(_values(chunk, _CHUNK)))
        for place, chunk in enumerate(new.chunks)
    ]  # fmt: skip
    whole = Thing(kind=TEXT, key=digest(source.path), doc=new.number, born=born, content=text)
    return [source_thing(listed, born), whole, *chunks]


def source_thing(listed: Listed, born: int, times: Times | None = None) -> Thing:
    """A new version of a document's source, with other times."""
    content = {
        "key": listed.before.key.hex(),
        "times": times or listed.before.times,
        "source": _values(listed.source, _SOURCE),
        "chunks": listed.chunks,
    }
    return Thing(
        kind=SOURCE, key=digest(listed.source.path), doc=listed.before.number, born=born,
        content=as_json(content),
    )  # fmt: skip


def _values(record: Chunk | Source, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _record(kind: Any, names: tuple[str, ...], values: Mapping[str, Any]) -> Any:
    return kind(**{name: _as_tuples(values[name]) for name in names})


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
