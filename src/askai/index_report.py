"""What indexing did, as its reports say it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from askai.catalog import Catalog
from askai.earlier import CATALOG
from askai.manifest import Manifest
from askai.records import Skipped, Source


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


def reported(
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
