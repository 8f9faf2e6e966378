"""From parts to a generation of an index folder, without the documents and without a model."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from askai.catalog_writer import CatalogWriter
from askai.earlier import CATALOG, LEXICAL, UNITS, VECTORS
from askai.errors import PartsError
from askai.generation_writer import Building
from askai.index_parts import Progress, Recipe
from askai.manifest import Counts, Manifest, SourceState, StoreState, write_skipped
from askai.parts import Part
from askai.parts.address import Place
from askai.parts.tables import (
    read_chunks,
    read_documents,
    read_tokens,
    read_unit_vectors,
    read_vectors,
)
from askai.records import Chunk, Skipped


@dataclass(frozen=True, slots=True)
class Load:
    """What becomes of parts."""

    place: Place
    parts: Sequence[Part]
    dim: int
    settings: Mapping[str, Any]
    states: Mapping[str, SourceState]  # of the documents, by path
    skipped: Sequence[Skipped]
    pace: float
    write_words: Callable[[Path], None]  # into the folder of a generation with its catalogue


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of a part on this machine, checked."""

    documents: Path
    passages: Path


def load(given: Load, building: Building, recipe: Recipe, progress: Progress) -> Manifest:
    """Makes a generation of parts and commits it; raises PartsError when they are not whole.

    `recipe` tells the kinds of stores; its embedder is not asked.
    """
    folder = building.path
    within = folder.parent
    with TemporaryDirectory(prefix=".building-parts-", dir=within) as spool, _clashes(given.place):
        files = [*_checked(given, Path(spool), progress)]
        _write_catalogue(folder / CATALOG, given, files, progress)
        building.finished(CATALOG)
        passages = sum(part.passages for part in given.parts)
        units = sum(part.units for part in given.parts)
        recipe.lexical_class.build(
            folder / LEXICAL,
            _told(
                (pair for file in files for pair in read_tokens(file.passages)),
                "loading words", passages, progress,
            ),
        ).close()  # fmt: skip
        batches = (batch for file in files for batch in read_vectors(file.passages, given.dim))
        recipe.store_class.write(folder / VECTORS, dim=given.dim, batches=batches)
        batches = (batch for file in files for batch in read_unit_vectors(file.passages, given.dim))
        recipe.store_class.write(folder / UNITS, dim=given.dim, batches=batches)
    given.write_words(folder)
    write_skipped(folder, given.skipped)
    documents = sum(part.documents for part in given.parts)
    stores = {
        name: _found_by(recipe, folder / file)
        for name, file in (("passages", VECTORS), ("sentences", UNITS))
    }
    if (stores["passages"].vectors, stores["sentences"].vectors) != (passages, units):
        raise PartsError(
            f"{given.place.shown} has vectors of {stores['passages'].vectors} passages and "
            f"{stores['sentences'].vectors} sentences; expected {passages} and {units}: export "
            "again."
        )
    return building.commit(
        settings={**given.settings, "store": recipe.store, "lexical": recipe.lexical},
        sources=[*given.states.values()],
        counts=Counts(documents, passages, len(given.skipped), passages + units),
        stores=stores,
        pace=given.pace,
    )


def _checked(given: Load, spool: Path, progress: Progress) -> Iterator[_Files]:
    """Every file of every part, before anything is made of them."""
    for done, part in enumerate(given.parts):
        progress("checking parts", done, len(given.parts))
        documents, passages = (given.place.checked(file, spool) for file in part.files)
        yield _Files(documents, passages)
    progress("checking parts", len(given.parts), len(given.parts))


def _write_catalogue(file: Path, given: Load, files: Sequence[_Files], progress: Progress) -> None:
    total, done = sum(part.documents for part in given.parts), 0
    with CatalogWriter(file) as writer:
        for some in files:
            chunks = _ByDocument(read_chunks(some.passages))
            for document in read_documents(some.documents):
                progress("loading", done, total)
                path = document.source.path
                state = given.states.get(path)
                if state is None or state.sha256 != document.source.sha256:
                    raise PartsError(
                        f"{given.place.shown} has a document {path} that its list of sources does "
                        "not have. Export again."
                    )
                writer.add_document(document, chunks.of(path), state.mtime_ns)
                done += 1
            chunks.check_end()
        progress("loading", done, total)
    if done != len(given.states):
        raise PartsError(
            f"{given.place.shown} has {done} documents; its list of sources has "
            f"{len(given.states)}. Export again."
        )


class _ByDocument:
    """Passages one document after the other."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self._next = next(chunks, None)

    def of(self, path: str) -> list[Chunk]:
        found = []
        while self._next is not None and self._next.path == path:
            found.append(self._next)
            self._next = next(self._chunks, None)
        return found

    def check_end(self) -> None:
        if self._next is not None:
            raise PartsError(f"A part has passages of {self._next.path}, and not the document.")


def _told(
    items: Iterator[tuple[str, list[str]]], stage: str, total: int, progress: Progress
) -> Iterator[tuple[str, list[str]]]:
    for done, item in enumerate(items):
        if done % 1000 == 0:
            progress(stage, done, total)
        yield item
    progress(stage, total, total)


def _found_by(recipe: Recipe, path: Path) -> StoreState:
    with closing(recipe.store_class.open(path)) as store:
        return StoreState(**asdict(store.found_by()))


@contextmanager
def _clashes(place: Place) -> Iterator[None]:
    """A document, a passage or a vector that is there twice, as two parts that overlap have it."""
    try:
        yield
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            raise
        raise PartsError(f"{place.shown} cannot be loaded: {error} Export again.") from error
