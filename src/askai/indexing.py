"""From a folder of documents to a generation of the index."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from askai import chunking
from askai.catalog_writer import CatalogWriter, Taken
from askai.changes import changes_since, is_same
from askai.corpus import Corpus, CorpusFile, Listing
from askai.earlier import CATALOG, EMBEDDING, Earlier, open_earlier
from askai.embedders.remembering import RememberingEmbedder
from askai.errors import CorpusError, ReadError, StoredIndexError
from askai.generation_writer import Building, writing
from askai.generations import open_generation
from askai.index_parts import Parts, Progress, Recipe, write_parts
from askai.index_report import IndexReport, reported
from askai.manifest import (
    Counts,
    Manifest,
    SourceState,
    read_skipped,
    settings_fingerprint,
    write_skipped,
)
from askai.records import Skipped, Source

_JOURNAL = ".embedded"  # beside the generations: what an interrupted build has embedded

# What is said of a setting that is another one than the index was made with.
_REBUILDS = {
    "embedder": "the model is another one: all is embedded anew",
    "centring": "the model's means are others: all is embedded anew",
    "store": "the store is another one: all is embedded anew",
    "chunking": "passages are cut otherwise: all files are read again",
    "readers": "readers are others: all files are read again",
    "descriptions": "sources.toml has changed: all files are read again",
}


def build(
    corpus: Corpus,
    index_dir: Path,
    recipe: Recipe,
    *,
    rebuild: bool = False,
    full: bool = False,
    progress: Progress = lambda *_: None,
    announce: Callable[[tuple[str, ...], float], None] = lambda *_: None,
) -> IndexReport:
    """Builds a generation, unless the current one is of the same documents and settings.

    `full` holds every file of the index against its checksum; what is damaged is made anew.
    What has not changed is taken over from the current one: documents, the vectors of all texts,
    and what they were cut into. `announce` is told what makes more than an update of it, and the
    seconds that embedding will take, 0 where they are not known. What an interrupted build has
    embedded is not embedded again. Files that cannot be read are named in the report and left out.
    Raises CorpusError when there is nothing to index, IndexLocked when another process is building.
    """
    start = perf_counter()
    settings = recipe.settings(corpus)
    listing = corpus.list()
    if not rebuild and (manifest := unchanged(corpus, index_dir, settings, listing, full=full)):
        folder = index_dir / manifest.generation
        return reported(manifest, folder, read_skipped(folder), start, built=False)
    if not listing.files:
        raise CorpusError(nothing(corpus, listing.skipped))
    journal = RememberingEmbedder(recipe.embedder, index_dir / _JOURNAL)
    with few_collections(), writing(index_dir) as building:
        with ExitStack() as stack:  # closed before the commit, which deletes what nobody reads
            earlier = Earlier()
            if not rebuild:
                stores = recipe.store_class, recipe.lexical_class
                earlier = stack.enter_context(open_earlier(index_dir, settings, *stores, full=full))
                if earlier.manifest:
                    announce(*_why_anew(earlier.manifest, settings))
            parts = replace(recipe, embedder=journal)
            made = _Making(corpus, building, parts, earlier, progress).make(listing)
        manifest = building.commit(
            settings=settings,
            sources=made.states,
            counts=Counts(
                documents=len(made.states),
                chunks=made.parts.chunks,
                skipped=len(made.skipped),
                texts=made.parts.texts,
            ),
            stores=made.parts.stores,
            pace=made.parts.pace or (earlier.manifest.pace if earlier.manifest else 0.0),
        )
        journal.forget()
        report = reported(manifest, building.path, made.skipped, start, built=True)
        return replace(report, read=made.read, embedded=made.parts.embedded)


@contextmanager
def few_collections() -> Iterator[None]:
    """Python looks for cycles after every so many new objects, and of the ids and keys of a large
    index, which are in none, there are hundreds of thousands."""
    before = gc.get_threshold()
    gc.set_threshold(1_000_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _why_anew(earlier: Manifest, settings: Mapping[str, Any]) -> tuple[tuple[str, ...], float]:
    """What makes a rebuild of an update, and the seconds that its embedding will take by the pace
    of the last one; 0 where nothing is embedded anew, or the pace is not known."""
    changed = [name for name in _REBUILDS if earlier.settings.get(name) != settings.get(name)]
    anew = any(name in EMBEDDING for name in changed)
    seconds = earlier.pace * earlier.counts.texts if anew else 0.0
    return tuple(_REBUILDS[name] for name in changed), seconds


def unchanged(
    corpus: Corpus, index_dir: Path, settings: dict[str, Any], listing: Listing, *, full: bool
) -> Manifest | None:
    """The manifest of the current generation, if it is of these documents and settings."""
    try:
        # What is damaged is made anew, and not called up to date.
        with open_generation(index_dir, full=full) as generation:
            manifest, skipped = generation.manifest, read_skipped(generation.path)
            if manifest.fingerprint != settings_fingerprint(settings):
                return None
            changes = changes_since(corpus, generation, skipped, listing)
    except StoredIndexError:
        return None
    # A file that a reader failed at has its size and time; one that none was tried on has not.
    listed = {(s.path, s.reason) for s in skipped if not s.ctime_ns}
    failed = {s.path for s in skipped if s.ctime_ns}
    same_skips = listed == {(s.path, s.reason) for s in listing.skipped}
    there = failed <= {file.path for file in listing.files}
    return manifest if same_skips and there and not changes.count else None


@dataclass(frozen=True, slots=True)
class _Made:
    """A generation before its commit."""

    states: list[SourceState]
    skipped: list[Skipped]
    read: int  # documents
    parts: Parts


@dataclass(frozen=True, slots=True)
class _Making:
    """A generation in the making."""

    corpus: Corpus
    building: Building
    recipe: Recipe
    earlier: Earlier
    progress: Progress

    def make(self, listing: Listing) -> _Made:
        states, failed, read = self._catalogue(listing)
        skipped = sorted((*failed, *listing.skipped), key=lambda skip: skip.path)
        if not states:
            raise CorpusError(nothing(self.corpus, skipped))
        self.building.finished(CATALOG)
        folder = self.building.path
        parts = write_parts(folder, self.recipe, self.progress, self.earlier)
        write_skipped(folder, skipped)
        return _Made(states, skipped, read, parts)

    def _catalogue(self, listing: Listing) -> tuple[list[SourceState], list[Skipped], int]:
        """Reads and chunks each file that is new or has changed; the others are taken over."""
        states: list[SourceState] = []
        skipped: list[Skipped] = []
        read = 0
        before = {file.path: self._state_before(file) for file in listing.files}
        with CatalogWriter(self.building.path / CATALOG, self._taken(listing, before)) as writer:
            for done, file in enumerate(listing.files):
                self.progress("reading", done, len(listing.files))
                if state := before[file.path]:
                    states.append(replace(state, mtime_ns=file.mtime_ns, ctime_ns=file.ctime_ns))
                    continue
                read += 1
                try:
                    document = self.corpus.read(file.path)
                except ReadError as error:
                    skipped.append(Skipped(file.path, str(error), file.bytes, file.ctime_ns))
                    continue
                chunks = chunking.chunk(document, budget=self.recipe.chunk_tokens)
                writer.add_document(document, chunks, file.mtime_ns)
                states.append(state_of(document.source, file))
            self.progress("reading", len(listing.files), len(listing.files))
        return states, skipped, read

    def _taken(self, listing: Listing, before: Mapping[str, SourceState | None]) -> Taken | None:
        """The documents of files that are as they were."""
        if not self.earlier.catalog:
            return None
        times = {file.path: file.mtime_ns for file in listing.files if before[file.path]}
        return Taken(self.earlier.catalog, times, [file.path for file in listing.files])

    def _state_before(self, file: CorpusFile) -> SourceState | None:
        state = self.earlier.states.get(file.path)
        return state if state and is_same(self.corpus, file, state) else None


def state_of(source: Source, file: CorpusFile) -> SourceState:
    return SourceState(source.path, source.sha256, source.bytes, file.mtime_ns, file.ctime_ns)


def nothing(corpus: Corpus, skipped: Sequence[Skipped]) -> str:
    if not skipped:
        kinds = "PDF, HTML, Word, text or Markdown"
        return f"{corpus.folder} holds no documents; put {kinds} files in it."
    named = "; ".join(f"{skip.path}: {skip.reason}" for skip in skipped[:3])
    more = f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    return f"No file of {corpus.folder} could be read ({named}{more})."
