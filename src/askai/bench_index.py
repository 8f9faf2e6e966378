"""From a BEIR folder to an index of it, through the same chunking, embedder, store and words."""

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from askai import chunking
from askai.beir import CORPUS, Bench, document, entries
from askai.catalog import CatalogWriter
from askai.embedders.remembering import RememberingEmbedder
from askai.errors import CorpusError, StoredIndexError, UsageError
from askai.files import cache_dir
from askai.generations import (
    Building,
    Manifest,
    SourceState,
    open_generation,
    settings_fingerprint,
    write_skipped,
    writing,
)
from askai.indexing import CATALOG, IndexReport, Progress, Recipe, write_parts
from askai.readers.text import TextReader

BENCH_SETTING, UNITS_SETTING = "beir", "units"
_EMBEDDED = "embedded"  # what was embedded so far, beside the generations
_TELL = 100  # documents between two reports of progress


def bench_index_dir(bench: Bench, recipe: Recipe) -> Path:
    """Where the index of these documents by these settings is kept, in askai's cache."""
    made = settings_fingerprint(_settings(bench, recipe))
    return cache_dir() / "beir" / f"{bench.sha256[:12]}-{made[:12]}"


def build_bench(
    bench: Bench,
    index_dir: Path,
    recipe: Recipe,
    *,
    units: bool,
    progress: Progress = lambda *_: None,
) -> IndexReport:
    """Indexes the documents of a BEIR folder, unless `index_dir` holds just that.

    Without `units` passages can be found and no answers picked, in half the time. What a process
    that was stopped has embedded is not embedded again, nor are the passages when units are added.
    Raises UsageError when `index_dir` holds another kind of index.
    """
    start = perf_counter()
    settings = _settings(bench, recipe)
    found = _current(index_dir)
    if found is not None and BENCH_SETTING not in found.settings:
        raise UsageError(
            f"{index_dir} is the index of a folder of documents; name another with --index, or "
            "leave it out for one in the cache."
        )
    if found is not None and _serves(found, settings, units=units):
        return _report(found, start, built=False)
    with writing(index_dir) as building:
        embedder = RememberingEmbedder(recipe.embedder, index_dir / _EMBEDDED)
        remembering = replace(recipe, embedder=embedder)
        _catalogue(bench, building.path, remembering, progress)
        count = write_parts(building.path, remembering, progress, units=units)
        manifest = _commit(bench, building, {**settings, UNITS_SETTING: units}, count)
        if units:
            embedder.path.unlink(missing_ok=True)  # nothing is left to be added
    return _report(manifest, start, built=True)


def _settings(bench: Bench, recipe: Recipe) -> dict[str, Any]:
    return {
        **recipe.parts,
        "readers": {TextReader.name: TextReader.version},
        BENCH_SETTING: bench.sha256,
    }


def _current(index_dir: Path) -> Manifest | None:
    try:
        with open_generation(index_dir) as generation:
            return generation.manifest
    except StoredIndexError:
        return None  # none, or one that has to be built anew


def _serves(found: Manifest, settings: dict[str, Any], *, units: bool) -> bool:
    has_units = found.settings.get(UNITS_SETTING)
    same = found.settings == {**settings, UNITS_SETTING: has_units}
    return same and (bool(has_units) or not units)


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


def _commit(bench: Bench, building: Building, settings: dict[str, Any], count: int) -> Manifest:
    write_skipped(building.path, ())
    return building.commit(
        settings=settings,
        sources=[SourceState(CORPUS, bench.sha256, bench.bytes, bench.mtime_ns)],
        documents=bench.documents,
        chunks=count,
        skipped=0,
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
