"""From an open index, in a folder or on a server, to its parts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from askai.catalog_reader import CatalogReader
from askai.earlier import WORDS
from askai.embedders import Vectors
from askai.lexical import WordSearch
from askai.manifest import SKIPPED, SOURCES, Manifest
from askai.parts import grouped, part_name
from askai.parts.address import Place
from askai.parts.manifest import PartsManifest, manifest_of, put_files, put_manifest
from askai.parts.tables import Piece, arrow
from askai.parts.writing import content_of, put_part, whole_part
from askai.records import Source
from askai.stores import VectorSearch
from askai.units import embedded_units, unit_id

# Vectors in a part: all of it is in memory once.
_LEAST, _MOST = 4096, 32_768

Progress = Callable[[str, int, int], None]  # (stage, done, of how many)


@dataclass(frozen=True, slots=True)
class OpenIndex:
    """An index to export, wherever it lies."""

    manifest: Manifest
    catalog: CatalogReader
    store: VectorSearch
    units: VectorSearch
    lexical: WordSearch
    files: dict[str, bytes]  # by `manifest.KINDS`


def export(
    index: OpenIndex, place: Place, *, progress: Progress = lambda *_: None
) -> PartsManifest:
    """Writes all parts that are not there yet, and the manifest last; raises PartsError."""
    arrow()  # before anything is written
    there = place.names()
    sources = index.catalog.sources()
    weights = dict.fromkeys((source.path for source in sources), 0)
    for _, path, _, units in index.catalog.chunk_places():
        weights[path] += 1 + units
    dim = _dim(index)
    parts, done = [], 0
    weighed = ((source.path, weights[source.path], source) for source in sources)
    for group in grouped(weighed, least=_LEAST, most=_MOST):
        progress("exporting", done, len(sources))
        pieces = [_piece(index, source, dim) for source in group]
        name = part_name(index.manifest.settings, _keys(pieces))
        model = index.manifest.settings["embedder"]["fingerprint"]
        known = whole_part(place, name, there, model=model)
        parts.append(known or put_part(place, content_of(name, pieces, model=model, dim=dim)))
        done += len(group)
    progress("exporting", len(sources), len(sources))
    manifest = manifest_of(index.manifest, parts, put_files(place, index.files), dim=dim)
    put_manifest(place, manifest)
    return manifest


def other_files(folder: Path, aliases: str) -> dict[str, bytes]:
    """What of a generation's folder is in no part, by kind; with the content of aliases.toml, which
    lies with the documents."""
    return {
        "sources": (folder / SOURCES).read_bytes(),
        "skipped": (folder / SKIPPED).read_bytes(),
        "words": (folder / WORDS).read_bytes(),
        "shares": (folder / WORDS).with_suffix(".json").read_bytes(),
        "aliases": aliases.encode(),
    }


def _dim(index: OpenIndex) -> int:
    for id_, *_ in index.catalog.chunk_places():
        return int(index.store.vectors([id_]).shape[1])
    return 1  # of an index without a passage


def _piece(index: OpenIndex, source: Source, dim: int) -> Piece:
    chunks = index.catalog.chunks_of(source.path)
    units = [unit_id(chunk, n) for chunk in chunks for n in embedded_units(chunk)]
    return Piece(
        document=index.catalog.document(source.path),
        chunks=chunks,
        tokens=[index.lexical.tokens_of(chunk.id) for chunk in chunks],
        vectors=_vectors(index.store, [chunk.id for chunk in chunks], dim),
        units=_vectors(index.units, units, dim),
    )


def _vectors(store: VectorSearch, ids: Sequence[str], dim: int) -> Vectors:
    return store.vectors(ids) if ids else np.empty((0, dim), dtype=np.float32)


def _keys(pieces: Sequence[Piece]) -> Iterator[bytes]:
    """Of the vectors too: those of one text may differ in their last bits from one build to the
    next, and an import has to give back those of this index."""
    for piece in pieces:
        source = piece.document.source
        ids = "\0".join(chunk.id for chunk in piece.chunks)
        yield f"{source.path}\0{source.sha256}\0{source.title}\0{ids}".encode()
        yield piece.vectors.tobytes() + piece.units.tobytes()
