"""What has changed in the folder of documents since an index was made from it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from askai.corpus import SOURCES, Corpus, CorpusFile, Listing, read_bytes
from askai.errors import ReadError
from askai.manifest import Manifest, SourceState, listing_digest
from askai.records import Skipped

if TYPE_CHECKING:
    from askai.catalog_reader import CatalogReader


class Indexed(Protocol):
    """An open index, in a folder or on a server."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def where(self) -> str:
        """For messages."""
        ...

    def sources(self) -> list[SourceState]:
        """The files that it was made of."""
        ...


@dataclass(frozen=True, slots=True)
class Changes:
    """How the folder differs from what a generation was made from; paths."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    descriptions: bool = False  # sources.toml

    @property
    def count(self) -> int:
        return len(self.added) + len(self.changed) + len(self.removed) + self.descriptions


@dataclass(frozen=True, slots=True)
class FileStatus:
    """A file of the corpus, and what the index has of it."""

    path: str
    state: str  # "indexed", "changed", "added", "removed", or why it is not read
    reader: str | None = None  # with its version; None: it was not read
    passages: int = 0
    pages: int = 0
    pages_without_text: tuple[int, ...] = ()
    bytes: int = 0
    title: str | None = None


def file_statuses(
    catalog: "CatalogReader", changes: Changes, skipped: Sequence[Skipped]
) -> list[FileStatus]:
    """Every file that is in the index, in the folder or left out, ordered by path."""
    states = dict.fromkeys(changes.changed, "changed") | dict.fromkeys(changes.removed, "removed")
    passages = catalog.chunk_counts()
    found = [
        FileStatus(
            path=source.path,
            state=states.get(source.path, "indexed"),
            reader=f"{source.reader}/{source.version}",
            passages=passages.get(source.path, 0),
            pages=len(source.pages),
            pages_without_text=tuple(n for n, q in enumerate(source.pages, 1) if not q),
            bytes=source.bytes,
            title=source.title,
        )
        for source in catalog.sources()
    ]
    found += [FileStatus(path, "added") for path in changes.added]
    known = {status.path for status in found}
    left = (skip for skip in skipped if skip.path not in known)
    found += [FileStatus(s.path, f"not read: {s.reason}", bytes=s.bytes) for s in left]
    return sorted(found, key=lambda status: status.path)


def changes_since(
    corpus: Corpus, generation: Indexed, skipped: Sequence[Skipped], listing: Listing
) -> Changes:
    """Compares sizes and times, and contents only where a time alone differs.

    While the folder lists what it listed then, the sources of the generation are not read.
    """
    manifest = generation.manifest
    described = manifest.settings.get("descriptions") != description_digest(corpus)
    unread = {skip.path: (skip.bytes, skip.ctime_ns) for skip in skipped}
    files = [f for f in listing.files if unread.get(f.path) != (f.bytes, f.ctime_ns)]
    if listing_digest(files) == manifest.listing:
        return Changes((), (), (), described)
    known = {state.path: state for state in generation.sources()}
    added, changed = [], []
    for file in listing.files:
        state = known.pop(file.path, None)
        if state is None:
            if unread.get(file.path) != (file.bytes, file.ctime_ns):
                added.append(file.path)
        elif not is_same(corpus, file, state):
            changed.append(file.path)
    return Changes(tuple(added), tuple(changed), tuple(sorted(known)), described)


def description_digest(corpus: Corpus) -> str:
    """The SHA-256 of sources.toml; empty when there is none."""
    return _digest(corpus.folder / SOURCES)


def is_same(corpus: Corpus, file: CorpusFile, state: SourceState) -> bool:
    """Whether a file holds what was indexed: by its times, and by its content where one differs.

    The time of change (ctime) is nobody's to set, so that a file put in place with the old time
    and size (cp -p, rsync) is looked into all the same.
    """
    if file.bytes != state.bytes:
        return False
    times = (file.mtime_ns, file.ctime_ns)
    untouched = times == (state.mtime_ns, state.ctime_ns)
    return untouched or _digest(corpus.folder / file.path) == state.sha256


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(read_bytes(path)).hexdigest()
    except ReadError:
        return ""
