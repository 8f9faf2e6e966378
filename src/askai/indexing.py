"""From a folder of documents to a generation of the index."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

from askai import chunking, induced_lexicon, tokens
from askai.catalog import Catalog, CatalogWriter
from askai.centring import Centring
from askai.changes import changes_since, description_digest
from askai.corpus import Corpus, Listing
from askai.embedders import Embedder
from askai.errors import CorpusError, ReadError, StoredIndexError
from askai.generations import (
    Building,
    Manifest,
    SourceState,
    open_generation,
    read_skipped,
    settings_fingerprint,
    write_skipped,
    writing,
)
from askai.lexical import LexicalIndex
from askai.readers import READERS
from askai.records import Skipped
from askai.seams import load
from askai.stores import Store
from askai.units import unit_texts

CATALOG, VECTORS, UNITS, LEXICAL = "catalog.sqlite", "vectors.faiss", "units.faiss", "lexical"
WORDS = "words.npz"
_BATCH = 128  # passages embedded at a time

# Told (stage, done, of how many) as the work goes on; stages are "reading" and "embedding".
Progress = Callable[[str, int, int], None]


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
            "readers": {name: load("reader", READERS, name).version for name in sorted(READERS)},
            "descriptions": description_digest(corpus),
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
class IndexReport:
    """What `build` did."""

    generation: str
    built: bool  # False: everything was up to date
    documents: int
    chunks: int
    skipped: tuple[Skipped, ...]
    encodings: dict[str, str]  # by path, of the files that are not UTF-8
    seconds: float


def build(
    corpus: Corpus,
    index_dir: Path,
    recipe: Recipe,
    *,
    rebuild: bool = False,
    progress: Progress = lambda *_: None,
) -> IndexReport:
    """Builds a generation, unless the current one is of the same documents and settings.

    Files that cannot be read are named in the report and left out. Raises CorpusError when there
    is nothing to index, IndexLocked when another process is building.
    """
    start = perf_counter()
    settings = recipe.settings(corpus)
    listing = corpus.list()
    if not rebuild and (manifest := _unchanged(corpus, index_dir, settings, listing)):
        skipped = tuple(read_skipped(index_dir / manifest.generation))
        counts = manifest.counts
        seconds = perf_counter() - start
        return IndexReport(
            generation=manifest.generation,
            built=False,
            documents=counts.documents,
            chunks=counts.chunks,
            skipped=skipped,
            encodings=_encodings(index_dir / manifest.generation),
            seconds=seconds,
        )
    if not listing.files:
        raise CorpusError(_nothing(corpus, listing.skipped))
    with writing(index_dir) as building:
        return _build(corpus, building, recipe, settings, listing, progress, start)


def _unchanged(
    corpus: Corpus, index_dir: Path, settings: dict[str, Any], listing: Listing
) -> Manifest | None:
    try:
        with open_generation(index_dir) as generation:  # damage is rebuilt, not called up to date
            manifest, skipped = generation.manifest, read_skipped(generation.path)
    except StoredIndexError:
        return None
    if manifest.fingerprint != settings_fingerprint(settings):
        return None
    # A file that a reader failed at has its size and time; one that none was tried on has not.
    listed = {(s.path, s.reason) for s in skipped if not s.ctime_ns}
    failed = {s.path for s in skipped if s.ctime_ns}
    same_skips = listed == {(s.path, s.reason) for s in listing.skipped}
    there = failed <= {file.path for file in listing.files}
    changes = changes_since(corpus, manifest, skipped, listing)
    return manifest if same_skips and there and not changes.count else None


def _build(  # noqa: PLR0917  one call, in the order of the data's way
    corpus: Corpus,
    building: Building,
    recipe: Recipe,
    settings: dict[str, Any],
    listing: Listing,
    progress: Progress,
    start: float,
) -> IndexReport:
    states, skipped = _catalogue(corpus, building.path, recipe, listing, progress)
    skipped = sorted((*skipped, *listing.skipped), key=lambda skip: skip.path)
    if not states:
        raise CorpusError(_nothing(corpus, skipped))
    count = write_parts(building.path, recipe, progress)
    write_skipped(building.path, skipped)
    manifest = building.commit(
        settings=settings,
        sources=states,
        documents=len(states),
        chunks=count,
        skipped=len(skipped),
    )
    return IndexReport(
        generation=manifest.generation,
        built=True,
        documents=len(states),
        chunks=count,
        skipped=tuple(skipped),
        encodings=_encodings(building.path),
        seconds=perf_counter() - start,
    )


def _catalogue(
    corpus: Corpus, folder: Path, recipe: Recipe, listing: Listing, progress: Progress
) -> tuple[list[SourceState], list[Skipped]]:
    """Reads and chunks each file, one at a time."""
    states: list[SourceState] = []
    skipped: list[Skipped] = []
    with CatalogWriter(folder / CATALOG) as writer:
        for done, file in enumerate(listing.files):
            progress("reading", done, len(listing.files))
            try:
                document = corpus.read(file.path)
            except ReadError as error:
                skipped.append(Skipped(file.path, str(error), file.bytes, file.ctime_ns))
                continue
            chunks = chunking.chunk(document, budget=recipe.chunk_tokens)
            writer.add_document(document, chunks, file.mtime_ns)
            source = document.source
            states.append(SourceState(source.path, source.sha256, source.bytes, file.mtime_ns))
        progress("reading", len(listing.files), len(listing.files))
    return states, skipped


def write_parts(folder: Path, recipe: Recipe, progress: Progress) -> int:
    """Makes of the catalogue in `folder` what answers are found by; returns its passages' count."""
    with Catalog.open(folder / CATALOG) as catalog:
        _embed_all(catalog, folder, recipe, progress)
        told = ((c.embedded_text, c.language) for c in catalog.all_chunks())
        induced_lexicon.InducedLexicon.build(told, recipe.embedder).save(folder / WORDS)
        recipe.lexical_class.build(
            folder / LEXICAL,
            ((c.id, tokens.content_tokens(c.embedded_text)) for c in catalog.all_chunks()),
        ).close()
        return catalog.chunk_count()


def _embed_all(catalog: Catalog, folder: Path, recipe: Recipe, progress: Progress) -> None:
    """Vectors of the passages, and of the units that an answer is picked from."""
    units = sum(len(unit_texts(chunk)) for chunk in catalog.all_chunks())
    total = catalog.chunk_count() + units
    passages = ((c.id, c.embedded_text, c.language) for c in catalog.all_chunks())
    done = _embed(passages, folder / VECTORS, recipe, lambda n: progress("embedding", n, total))
    _embed(
        ((id_, text, c.language) for c in catalog.all_chunks() for id_, text in unit_texts(c)),
        folder / UNITS,
        recipe,
        lambda n: progress("embedding", done + n, total),
    )


def _embed(
    texts: Iterator[tuple[str, str, str | None]],
    path: Path,
    recipe: Recipe,
    tell: Callable[[int], None],
) -> int:
    """Writes a store of vectors of (id, text, language), a batch at a time; returns how many."""
    store = recipe.store_class.create(path, dim=recipe.embedder.dim)
    done = 0
    tell(done)
    while batch := list(islice(texts, _BATCH)):
        ids, written, languages = zip(*batch, strict=True)
        vectors = recipe.embedder.embed_passages(written)
        store.add(list(ids), recipe.centring.passages(vectors, languages))
        done += len(batch)
        tell(done)
    store.flush()
    store.close()
    return done


def _encodings(generation: Path) -> dict[str, str]:
    with Catalog.open(generation / CATALOG) as catalog:
        return {s.path: s.encoding for s in catalog.sources() if s.encoding != "utf-8"}


def _nothing(corpus: Corpus, skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return f"{corpus.folder} holds no documents; put text or Markdown files in it."
    named = "; ".join(f"{skip.path}: {skip.reason}" for skip in skipped[:3])
    more = f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    return f"No file of {corpus.folder} could be read ({named}{more})."
