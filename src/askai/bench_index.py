"""From a BEIR folder to an index of it, through the same chunking, embedder, store and words."""

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from askai import chunking
from askai.beir import CORPUS, Bench, document, entries
from askai.catalog_writer import CatalogWriter
from askai.earlier import CATALOG
from askai.embedders.remembering import RememberingEmbedder
from askai.errors import CorpusError, StoredIndexError, UsageError
from askai.files import cache_dir
from askai.generation_writer import Building, writing
from askai.generations import open_generation
from askai.index_parts import Parts, Progress, Recipe, write_parts
from askai.index_report import IndexReport
from askai.manifest import Counts, Manifest, SourceState, settings_fingerprint, write_skipped
from askai.readers.text import TextReader

_BENCH = "beir"  # among the settings: what documents they are
_EMBEDDED = "embedded"  # what was embedded so far
_TELL = 100  # documents between two reports of progress


def bench_index_dir(bench: Bench, recipe: Recipe) -> Path:
    """Where the index of these documents by these settings is kept, in askai's cache."""
    made = settings_fingerprint(_settings(bench, recipe))
    return cache_dir() / "beir" / bench.sha256[:16] / made[:16]


def build_bench(
    bench: Bench,
    recipe: Recipe,
    index_dir: Path | None = None,
    *,
    progress: Progress = lambda *_: None,
) -> IndexReport:
    """Indexes the documents of a BEIR folder, unless the index is there already.

    Without `index_dir` it is in the cache. No text is embedded twice by a model: what was embedded
    is kept beside the indexes of the same documents, so that what was interrupted is taken up
    again, and other settings need new vectors for new texts only. Raises UsageError when
    `index_dir` holds another kind of index.
    """
    start = perf_counter()
    settings = _settings(bench, recipe)
    folder = index_dir or bench_index_dir(bench, recipe)
    found = _current(folder)
    if found is not None and _BENCH not in found.settings:
        raise UsageError(
            f"{folder} is the index of a folder of documents; name another with --index, or "
            "leave it out for one in the cache."
        )
    if found is not None and found.settings == settings:
        return _report(found, start, built=False)
    with writing(folder) as building:
        beside = index_dir or folder.parent
        embedder = RememberingEmbedder(recipe.embedder, beside / _EMBEDDED)
        remembering = replace(recipe, embedder=embedder)
        _catalogue(bench, building.path, remembering, progress)
        parts = write_parts(building.path, remembering, progress)
        return _report(_commit(bench, building, settings, parts), start, built=True)


def _settings(bench: Bench, recipe: Recipe) -> dict[str, Any]:
    return {
        **recipe.parts,
        "readers": {TextReader.name: TextReader.version},
        _BENCH: bench.sha256,
    }


def _current(index_dir: Path) -> Manifest | None:
    try:
        with open_generation(index_dir) as generation:
            return generation.manifest
    except StoredIndexError:
        return None  # none, or one that has to be built anew


def _catalogue(bench: Bench, folder: Path, recipe: Recipe, progress: Progress) -> None:
    """Reads and chunks each document, one at a time."""
    chunks = 0
    with CatalogWriter(folder / CATALOG) as writer:
        for done, entry in enumerate(entries(bench)):
            if done % _TELL == 0:
                progress("reading", done, bench.documents)
            read = document(entry)
            pieces = chunking.chunk(read, budget=recipe.chunk_tokens)
            writer.add_document(read, pieces, bench.mtime_ns)
            chunks += len(pieces)
        progress("reading", bench.documents, bench.documents)
    stat = (bench.folder / CORPUS).stat()
    if (stat.st_size, stat.st_mtime_ns) != (bench.bytes, bench.mtime_ns):
        raise CorpusError(f"{bench.folder / CORPUS} changed while it was read; run it again.")
    if not chunks:
        raise CorpusError(f"{bench.folder / CORPUS} has {bench.documents} documents without text.")


def _commit(bench: Bench, building: Building, settings: dict[str, Any], parts: Parts) -> Manifest:
    write_skipped(building.path, ())
    return building.commit(
        settings=settings,
        sources=[SourceState(CORPUS, bench.sha256, bench.bytes, bench.mtime_ns, 0)],
        counts=Counts(documents=bench.documents, chunks=parts.chunks, skipped=0, texts=parts.texts),
        stores=parts.stores,
    )


def _report(manifest: Manifest, start: float, *, built: bool) -> IndexReport:
    return IndexReport(
        generation=manifest.generation,
        built=built,
        documents=manifest.counts.documents,
        chunks=manifest.counts.chunks,
        skipped=(),
        encodings={},
        seconds=perf_counter() - start,
    )
