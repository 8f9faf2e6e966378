"""From a folder of documents to a generation of the index."""

import gc
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

from askai import chunking, induced_lexicon, tokens
from askai.catalog import Catalog, TextKeys
from askai.catalog_writer import CatalogWriter, Taken
from askai.centring import Centring
from askai.changes import changes_since, description_digest, is_same
from askai.corpus import Corpus, CorpusFile, Listing
from askai.earlier import (
    CATALOG,
    EMBEDDING,
    LEXICAL,
    UNITS,
    VECTORS,
    WORDS,
    Earlier,
    open_earlier,
)
from askai.embedders import Embedder, Vectors
from askai.embedders.remembering import RememberingEmbedder
from askai.errors import CorpusError, ReadError, StoredIndexError
from askai.generation_writer import Building, writing
from askai.generations import open_generation
from askai.kept_vectors import Kept, kept_passages, kept_units, unit_count
from askai.lexical import LexicalIndex
from askai.manifest import (
    Counts,
    Manifest,
    SourceState,
    StoreState,
    read_skipped,
    settings_fingerprint,
    write_skipped,
)
from askai.readers import VERSIONS
from askai.records import Skipped, Source
from askai.stores import Store
from askai.units import chunk_of, unit_texts

_JOURNAL = ".embedded"  # beside the generations: what an interrupted build has embedded
_BATCH = 128  # passages embedded at a time
_MANY_CUT = 1000  # passages that take a while to cut into words
_MANY = 100  # texts embedded that tell the pace

# What is said of a setting that is another one than the index was made with.
_REBUILDS = {
    "embedder": "the model is another one: all is embedded anew",
    "centring": "the model's means are others: all is embedded anew",
    "store": "the store is another one: all is embedded anew",
    "chunking": "passages are cut otherwise: all files are read again",
    "readers": "readers are others: all files are read again",
    "descriptions": "sources.toml has changed: all files are read again",
}
# Told (stage, done, of how many) as the work goes on; stages are "reading",
# "counting" the words of many passages, "embedding" and "words".
Progress = Callable[[str, int, int], None]
Text = tuple[str, str, str | None]  # (id, text, language)
Words = tuple[str, list[str]]  # an id and the words of its text
Batch = tuple[Sequence[str], Vectors]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What builds an index, by name and by part."""

    embedder: Embedder
    centring: Centring
    store: str
    store_class: type[Store]
    lexical: str
    lexical_class: type[LexicalIndex]
    chunk_tokens: int

    def settings(self, corpus: Corpus) -> dict[str, Any]:
        """All that shapes an index besides the documents, as the manifest keeps it."""
        return {
            **self.parts,
            "readers": VERSIONS,
            "descriptions": description_digest(corpus),
            "passwords": _mark(corpus.passwords),
            "max_read_seconds": corpus.max_read_seconds,
        }

    @property
    def parts(self) -> dict[str, Any]:
        """What shapes an index of texts, wherever they come from."""
        return {
            "embedder": {"name": self.embedder.name, "fingerprint": self.embedder.fingerprint},
            "centring": self.centring.version,
            "store": self.store,
            "lexical": self.lexical,
            "chunking": {"version": chunking.VERSION, "tokens": self.chunk_tokens},
            "tokens": tokens.VERSION,
            "words": induced_lexicon.VERSION,
        }


@dataclass(frozen=True, slots=True)
class FormatCount:
    """What the index holds of one format."""

    reader: str
    documents: int
    passages: int
    pages: int  # 0: the format has none
    pages_without_text: int


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What `build` did."""

    generation: str
    built: bool  # False: everything was up to date
    documents: int
    chunks: int
    skipped: tuple[Skipped, ...]
    encodings: dict[str, str]  # by path, of the files that are not UTF-8
    seconds: float
    read: int = 0  # documents that were read; the others were taken over
    embedded: int = 0  # texts that were embedded; the vectors of the others were kept
    formats: tuple[FormatCount, ...] = ()
    pages_without_text: dict[str, tuple[int, ...]] = field(default_factory=dict)  # by path


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
    if not rebuild and (manifest := _unchanged(corpus, index_dir, settings, listing, full=full)):
        folder = index_dir / manifest.generation
        return _report(manifest, folder, read_skipped(folder), start, built=False)
    if not listing.files:
        raise CorpusError(_nothing(corpus, listing.skipped))
    journal = RememberingEmbedder(recipe.embedder, index_dir / _JOURNAL)
    with _few_collections(), writing(index_dir) as building:
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
        report = _report(manifest, building.path, made.skipped, start, built=True)
        return replace(report, read=made.read, embedded=made.parts.embedded)


@contextmanager
def _few_collections() -> Iterator[None]:
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


def _unchanged(
    corpus: Corpus, index_dir: Path, settings: dict[str, Any], listing: Listing, *, full: bool
) -> Manifest | None:
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
    parts: "Parts"


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
            raise CorpusError(_nothing(self.corpus, skipped))
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
                states.append(_state(document.source, file))
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


def _state(source: Source, file: CorpusFile) -> SourceState:
    return SourceState(source.path, source.sha256, source.bytes, file.mtime_ns, file.ctime_ns)


@dataclass(frozen=True, slots=True)
class Parts:
    """What was made of a catalogue."""

    chunks: int
    texts: int  # passages and their units
    embedded: int  # of them, since no vector was kept
    seconds: float  # it took to embed them
    stores: Mapping[str, StoreState]  # how each finds what it holds

    @property
    def pace(self) -> float:
        """Seconds a text; 0 where too few were embedded to tell."""
        return self.seconds / self.embedded if self.embedded >= _MANY else 0.0


def write_parts(
    folder: Path, recipe: Recipe, progress: Progress, earlier: Earlier | None = None
) -> Parts:
    """Makes of the catalogue in `folder` what answers are found by."""
    known = earlier or Earlier()
    # While an update copies vectors, which is the disk's work, another thread weighs the words.
    with Catalog.open(folder / CATALOG) as catalog, ThreadPoolExecutor(1) as beside:
        keys = catalog.text_keys()
        cut = partial(_cut, catalog, progress)
        lexical = partial(_write_lexical, folder / LEXICAL, recipe, cut, keys, known)
        pending = beside.submit(lexical) if known.lexical else None
        if pending is None:  # before the model needs memory, too
            lexical()
        embedding = _Embedding(recipe, progress, len(keys) + unit_count(keys))
        kept = kept_passages(known.passages.keys, keys)
        embedding.run(
            kept, partial(_passages, catalog), folder / VECTORS, known.passages.store, len(keys)
        )
        kept = kept_units(known.units.keys, keys)
        embedding.run(
            kept, partial(_units, catalog), folder / UNITS, known.units.store, unit_count(keys)
        )
        induced_lexicon.write(
            folder / WORDS,
            catalog.word_counts(),
            catalog.languages(),
            recipe.embedder,
            known=known.words,
            tell=lambda done, total: progress("words", done, total),
        )
        if pending is not None:
            pending.result()
        return Parts(
            chunks=len(keys),
            texts=embedding.total,
            embedded=embedding.new,
            seconds=embedding.seconds,
            stores={
                "passages": _found_by(recipe, folder / VECTORS),
                "sentences": _found_by(recipe, folder / UNITS),
            },
        )


def _found_by(recipe: Recipe, path: Path) -> StoreState:
    with closing(recipe.store_class.open(path)) as store:
        return StoreState(**asdict(store.found_by()))


def _write_lexical(
    path: Path,
    recipe: Recipe,
    cut: Callable[[Sequence[str]], Iterator[Words]],
    keys: Sequence[TextKeys],
    known: Earlier,
) -> None:
    kept = {id_: known.cut[key] for id_, key, _ in keys if key in known.cut}
    new = cut([id_ for id_, _, _ in keys if id_ not in kept])
    recipe.lexical_class.build(path, new, earlier=known.lexical, kept=kept).close()


def _cut(catalog: Catalog, progress: Progress, ids: Sequence[str]) -> Iterator[Words]:
    """The words of passages; of many it is told how far it is."""
    tell = progress if len(ids) >= _MANY_CUT else lambda *_: None
    for done, (id_, text, _) in enumerate(_passages(catalog, ids)):
        tell("counting", done, len(ids))
        yield id_, tokens.content_tokens(text)
    tell("counting", len(ids), len(ids))


def _passages(catalog: Catalog, ids: Sequence[str]) -> Iterator[Text]:
    """The texts of passages, a few at a time."""
    for at in range(0, len(ids), _BATCH):
        for chunk in catalog.chunks(ids[at : at + _BATCH]).values():
            yield chunk.id, chunk.embedded_text, chunk.language


def _units(catalog: Catalog, ids: Sequence[str]) -> Iterator[Text]:
    """The texts of units, what an answer is picked from."""
    wanted = set(ids)
    passages = list(dict.fromkeys(map(chunk_of, ids)))
    for at in range(0, len(passages), _BATCH):
        for chunk in catalog.chunks(passages[at : at + _BATCH]).values():
            for id_, text in unit_texts(chunk):
                if id_ in wanted:
                    yield id_, text, chunk.language


@dataclass(slots=True)
class _Embedding:
    """Fills stores with vectors; counts as it goes."""

    recipe: Recipe
    progress: Progress
    total: int
    done: int = 0
    new: int = 0
    seconds: float = 0.0

    def run(
        self,
        kept: Kept,
        texts: Callable[[Sequence[str]], Iterator[Text]],
        path: Path,
        earlier: Store | None,
        total: int,
    ) -> None:
        """Writes a store of `total` vectors: those that are kept, then those of the others, whose
        `texts` are embedded a batch at a time."""
        self._did(total - len(kept.new))
        self.recipe.store_class.write(
            path,
            dim=self.recipe.embedder.dim,
            batches=self._embedded(texts(kept.new)),
            earlier=earlier,
            moves=kept.moves,
        )

    def _embedded(self, texts: Iterator[Text]) -> Iterator[Batch]:
        while batch := list(islice(texts, _BATCH)):
            ids, written, languages = zip(*batch, strict=True)
            start = perf_counter()
            found = self.recipe.embedder.embed_passages(written)
            self.seconds += perf_counter() - start
            yield ids, self.recipe.centring.passages(found, languages)
            self.new += len(batch)
            self._did(len(batch))

    def _did(self, count: int) -> None:
        self.done += count
        self.progress("embedding", self.done, self.total)


def _report(
    manifest: Manifest, folder: Path, skipped: Sequence[Skipped], start: float, *, built: bool
) -> IndexReport:
    with Catalog.open(folder / CATALOG) as catalog:
        sources = catalog.sources()
        passages = catalog.chunk_counts()
    empty = {s.path: tuple(n for n, q in enumerate(s.pages, 1) if not q) for s in sources}
    return IndexReport(
        generation=manifest.generation,
        built=built,
        documents=manifest.counts.documents,
        chunks=manifest.counts.chunks,
        skipped=tuple(skipped),
        encodings={s.path: s.encoding for s in sources if s.encoding != "utf-8"},
        seconds=perf_counter() - start,
        formats=tuple(_formats(sources, passages)),
        pages_without_text={path: pages for path, pages in empty.items() if pages},
    )


def _formats(sources: Sequence[Source], passages: Mapping[str, int]) -> Iterator[FormatCount]:
    for reader in sorted({source.reader for source in sources}):
        those = [source for source in sources if source.reader == reader]
        yield FormatCount(
            reader=reader,
            documents=len(those),
            passages=sum(passages.get(source.path, 0) for source in those),
            pages=sum(len(source.pages) for source in those),
            pages_without_text=sum(not quality for s in those for quality in s.pages),
        )


def _mark(passwords: Mapping[str, str]) -> str:
    """Tells one table of passwords from another, and is too short to try guesses on."""
    text = json.dumps(sorted(passwords.items()))
    return sha256(text.encode()).hexdigest()[:4] if passwords else ""


def _nothing(corpus: Corpus, skipped: Sequence[Skipped]) -> str:
    if not skipped:
        kinds = "PDF, HTML, Word, text or Markdown"
        return f"{corpus.folder} holds no documents; put {kinds} files in it."
    named = "; ".join(f"{skip.path}: {skip.reason}" for skip in skipped[:3])
    more = f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    return f"No file of {corpus.folder} could be read ({named}{more})."
