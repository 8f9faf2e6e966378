"""The index folder: generations of the index, one of them current.

    index/CURRENT              the name of the current generation
    index/g-20261121T215900-1f2e3d4c/
        manifest.json          how the generation was made, and the checksum of each file
        sources.json           what it was made from; not read while nothing has changed
        catalog.sqlite, vectors.faiss, lexical/, skipped.json …
    index/.building-…          a generation being written; left behind by a killed process
    index/.removing-…          an old generation being deleted
    index/writer.lock          locked by the one process that writes; writer.json says which

A generation is complete and fsynced before CURRENT names it, by one atomic rename, so whatever
happens to the writer CURRENT names a whole generation. A reader holds a shared lock on the
manifest of the generation that it opened, and only a generation that can be locked exclusively is
deleted. Without fcntl (Windows) an open file itself cannot be deleted, which comes to the same.

A file that two generations have in common may be one file with two names (hard links), so nothing
ever writes to a file of a generation again.
"""

import errno
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self, TypeVar

from askai.errors import IndexDamaged, IndexMissing, StoredIndexError
from askai.files import sha256_of
from askai.manifest import (
    MANIFEST,
    FileState,
    Manifest,
    SourceState,
    parse_manifest,
    read_sources,
    unusable,
)

if sys.platform != "win32":
    import fcntl

CURRENT = "CURRENT"
NAME = re.compile(r"g-\d{8}T\d{6}-[0-9a-f]{8}")
ATTEMPTS = 50  # to open a generation while writers replace it
PAUSE = 0.01  # seconds between two attempts

T = TypeVar("T")


class Generation:
    """An open generation: its files stay where they are until it is closed."""

    def __init__(self, path: Path, manifest: Manifest, lock: IO[bytes]) -> None:
        self.path = path
        self.manifest = manifest
        self._lock = lock

    @property
    def where(self) -> str:
        """For messages: the index folder."""
        return str(self.path.parent)

    def sources(self) -> list[SourceState]:
        """The files that it was made of; raises IndexDamaged."""
        return read_sources(self.path)

    def close(self) -> None:
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_generation(index_dir: Path, *, full: bool = False) -> Generation:
    """Opens the current generation and checks its files.

    Every file of the manifest must be there with its size; one whose time is not as recorded, or
    every one with `full`, must have its SHA-256 too. Raises IndexMissing when there is no index,
    IndexMismatch when its format is another one, IndexDamaged when it is not whole.
    """
    generation = open_unchecked(index_dir)
    try:
        for name, state in generation.manifest.files.items():
            _check_file(generation.path / name, state, full=full)
    except BaseException:
        generation.close()
        raise
    return generation


def open_unchecked(index_dir: Path) -> Generation:
    """Opens the current generation, whatever state its files are in; see `damaged_files`."""
    path, lock = _retried(index_dir, _lock_to_read)
    try:
        return Generation(path, parse_manifest(lock.read(), path / MANIFEST), lock)
    except BaseException:
        lock.close()
        raise


def damaged_files(generation: Generation, *, full: bool) -> dict[str, str]:
    """What is wrong with each file that is not whole, by name; `full` as in `open_generation`."""
    found: dict[str, str] = {}
    for name, state in generation.manifest.files.items():
        try:
            _check_file(generation.path / name, state, full=full)
        except IndexDamaged as error:
            found[name] = str(error)
    return found


def read_manifest(index_dir: Path) -> Manifest:
    """The manifest of the current generation, its files unchecked; raises as `open_generation`."""
    path, content = _retried(index_dir, lambda path: (path / MANIFEST).read_bytes())
    return parse_manifest(content, path / MANIFEST)


def _retried(index_dir: Path, attempt: Callable[[Path], T | None]) -> tuple[Path, T]:
    """The current generation's folder with what `attempt` returns for it.

    A writer may replace and delete the generation between the reading of its name and the opening
    of its files: then CURRENT has another name by now, and the next attempt gets it.
    """
    for _ in range(ATTEMPTS):
        path = index_dir / current_name(index_dir)
        try:
            if (result := attempt(path)) is not None:
                return path, result
        except FileNotFoundError as error:
            if current_name(index_dir) == path.name:
                unusable(path / MANIFEST, "it is not there", cause=error)
        except OSError as error:
            unusable(path / MANIFEST, str(error), cause=error)
        time.sleep(PAUSE)
    raise StoredIndexError(f"{index_dir} is being replaced all the time: try again later.")


def current_name(index_dir: Path) -> str:
    """The name that CURRENT holds."""
    try:
        name = (index_dir / CURRENT).read_text("utf-8").strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IndexMissing(f"No index in {index_dir}: run `askai index` to build one.") from error
    except (OSError, ValueError) as error:
        unusable(index_dir / CURRENT, str(error), cause=error)
    if not NAME.fullmatch(name):
        unusable(index_dir / CURRENT, f"it holds {name[:40]!r}, not the name of a generation")
    return name


def _lock_to_read(path: Path) -> IO[bytes] | None:
    """The manifest, open and under a shared lock; None while, or after, it is deleted."""
    file = (path / MANIFEST).open("rb")
    try:
        # Deleted between the opening and the lock: the file would be locked, but nobody's.
        if locked(file, shared=True) and os.path.samestat(
            os.fstat(file.fileno()), (path / MANIFEST).stat()
        ):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def locked(file: IO[bytes], *, shared: bool) -> bool:
    """Whether the file could be locked at once; its closing, or the process's end, unlocks it."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        # A file system without locks: readers go on, and nothing is known to be out of use.
        return shared and error.errno not in {errno.EAGAIN, errno.EACCES}
    return True


def _check_file(file: Path, state: FileState, *, full: bool) -> None:
    try:
        found = file.stat()
        if found.st_size != state.bytes:
            unusable(file, f"it has {found.st_size} bytes, expected {state.bytes}")
        if full or found.st_mtime_ns != state.mtime_ns:
            digest = sha256_of(file)
            if digest != state.sha256:
                unusable(file, f"its SHA-256 is {digest}, expected {state.sha256}")
    except OSError as error:
        unusable(file, "it is not there" if not file.exists() else str(error), cause=error)
