"""Writes a generation of the index and makes it the current one; see `generations`."""

import errno
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from typing import Any

from askai.errors import IndexLocked, IndexMissing, StoredIndexError
from askai.files import sync_folder, write_durably
from askai.generations import CURRENT, NAME, current_name, locked
from askai.manifest import (
    FORMAT,
    MANIFEST,
    Counts,
    FileState,
    Manifest,
    SourceState,
    StoreState,
    listing_digest,
    parse_manifest,
    settings_fingerprint,
    write_sources,
)


class Building:
    """A generation being written: put its files under `path`, then `commit`."""

    def __init__(self, index_dir: Path) -> None:
        self._index_dir = index_dir
        self.name = f"g-{datetime.now(UTC):%Y%m%dT%H%M%S}-{token_hex(4)}"
        self.path = index_dir / f".building-{os.getpid()}-{self.name}"
        self.path.mkdir()
        self._pool = ThreadPoolExecutor()  # fsyncs and hashes
        self._begun: dict[Path, Future[FileState]] = {}

    def finished(self, name: str) -> None:
        """Begins what `commit` does with a file, since nobody will write to it any more; so it
        need not be waited for when all else is done."""
        file = self.path / name
        self._begun[file] = self._pool.submit(_state, file)

    def commit(
        self,
        *,
        settings: Mapping[str, Any],
        sources: Iterable[SourceState],
        counts: Counts,
        pace: float = 0.0,
        stores: Mapping[str, StoreState] | None = None,
    ) -> Manifest:
        """Makes this generation the current one and deletes the old ones that nobody reads.

        All files under `path` are fsynced and go into the manifest with their checksums. Then
        `path` is the generation's final folder. Raises ValueError when called again.
        """
        if self.path.name == self.name:
            raise ValueError(f"{self.name} is committed already.")
        as_json = json.loads(json.dumps(settings))
        sources = tuple(sources)
        write_sources(self.path, sources)
        written = [file for file in sorted(self.path.rglob("*")) if file.is_file()]
        known = self._known()
        for file in written:
            if _inode(file) not in known and file not in self._begun:
                self._begun[file] = self._pool.submit(_state, file)
        states = [known.get(_inode(file)) or self._begun[file].result() for file in written]
        manifest = Manifest(
            format=FORMAT,
            generation=self.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            askai=version("askai"),
            fingerprint=settings_fingerprint(as_json),
            settings=as_json,
            listing=listing_digest(sources),
            counts=counts,
            pace=pace,
            stores=dict(stores or {}),
            files={
                file.relative_to(self.path).as_posix(): state
                for file, state in zip(written, states, strict=True)
            },
        )
        content = json.dumps(asdict(manifest), ensure_ascii=False, indent=1)
        write_durably(self.path / MANIFEST, content)
        for folder in (*(f for f in self.path.rglob("*") if f.is_dir()), self.path):
            sync_folder(folder)
        self.path = self.path.rename(self._index_dir / self.name)
        sync_folder(self._index_dir)
        write_durably(self._index_dir / CURRENT, f"{self.name}\n")
        sync_folder(self._index_dir)
        with suppress(OSError):  # what is left is for the next writer
            _prune(self._index_dir)
        return manifest

    def _known(self) -> dict[tuple[int, int], FileState]:
        """The states of the current generation's files that are as they were committed, by inode:
        one of them that was linked is here already, under its old checksum."""
        found = {}
        with suppress(StoredIndexError, OSError):
            folder = self._index_dir / current_name(self._index_dir)
            files = parse_manifest((folder / MANIFEST).read_bytes(), folder / MANIFEST).files
            for name, state in files.items():
                with suppress(OSError):
                    stat = (folder / name).stat()
                    if (stat.st_size, stat.st_mtime_ns) == (state.bytes, state.mtime_ns):
                        found[stat.st_dev, stat.st_ino] = state
        return found

    def discard_unless_current(self) -> None:
        """Deletes what was written, unless it became the current generation."""
        self._pool.shutdown(cancel_futures=True)
        try:
            current = current_name(self._index_dir)
        except IndexMissing:
            current = ""
        except StoredIndexError:  # it may name this one: what is left is for the next writer
            return
        if current != self.name:
            for path in (self.path, self._index_dir / self.name):
                shutil.rmtree(path, ignore_errors=True)


@contextmanager
def writing(index_dir: Path) -> Iterator[Building]:
    """A new generation to fill and to `commit`, under the writer's lock.

    Whatever ends the block before the commit, the index stays as it was. Raises IndexLocked when
    another process is writing, StoredIndexError when the disk is full or writing is forbidden.
    """
    with _os_errors_explained(index_dir):
        index_dir.mkdir(parents=True, exist_ok=True)
        with _writer_lock(index_dir):
            _prune(index_dir)
            building = Building(index_dir)
            try:
                yield building
            finally:
                building.discard_unless_current()


@contextmanager
def _writer_lock(index_dir: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only a writer pays for it

    holder = index_dir / "writer.json"
    lock = FileLock(index_dir / "writer.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise IndexLocked(
            f"{index_dir} is being written by {_holder(holder)}: wait for it, or stop it."
        ) from error
    try:
        me = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        holder.write_text(json.dumps(me), "utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _holder(file: Path) -> str:
    """Who holds the lock; the file is only as good as the moment it is read."""
    try:
        value = json.loads(file.read_text("utf-8"))
        return f"process {value['pid']} on {value['host']} since {value['since']}"
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"


def _prune(index_dir: Path) -> None:
    """Deletes, under the writer's lock, what is neither current nor read by anyone."""
    for leftover in (*index_dir.glob(".building-*"), *index_dir.glob(".removing-*")):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        current = current_name(index_dir)
    except StoredIndexError:
        return  # without a readable CURRENT nobody can say which generation is the good one
    for path in index_dir.iterdir():
        if NAME.fullmatch(path.name) and path.name != current:
            _remove_unread(path)


def _remove_unread(path: Path) -> None:
    doomed = path.with_name(f".removing-{path.name}")
    try:
        with (path / MANIFEST).open("rb+") as lock:
            if not locked(lock, shared=False):
                return
            if sys.platform == "win32":
                lock.close()  # there a folder with an open file, this one too, cannot be renamed
            path.rename(doomed)  # a half-deleted folder must not look like a generation
            shutil.rmtree(doomed, ignore_errors=True)
    except FileNotFoundError:
        shutil.rmtree(path, ignore_errors=True)  # never complete, so never read
    except OSError:
        return


def _inode(file: Path) -> tuple[int, int]:
    """What two names of one file have in common."""
    stat = file.stat()
    return stat.st_dev, stat.st_ino


def _state(file: Path) -> FileState:
    """Fsyncs a file and measures it."""
    with file.open("rb+") as content:
        os.fsync(content.fileno())
        digest = file_digest(content, "sha256").hexdigest()
        found = os.fstat(content.fileno())
    return FileState(sha256=digest, bytes=found.st_size, mtime_ns=found.st_mtime_ns)


FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def _os_errors_explained(index_dir: Path) -> Iterator[None]:
    """One sentence for what the operating system has against writing in `index_dir`."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and not _inside(error.filename, index_dir):
            raise
        # NumPy raises an OSError without a number when not all could be written.
        if error.errno in FULL or error.errno is None:
            advice = "free some disk space and run `askai index` again"
        elif error.errno in FORBIDDEN:
            advice = "allow writing there or name another folder with --index"
        elif error.filename is not None:
            advice = "see to that and run `askai index` again"
        else:
            raise
        raise StoredIndexError(
            f"Cannot write the index in {index_dir}: {error.strerror or error}; {advice}. "
            "The index that was there is unchanged."
        ) from error


def _inside(filename: Any, folder: Path) -> bool:
    if not isinstance(filename, str | bytes | os.PathLike):
        return False
    path = Path(os.path.abspath(os.fsdecode(filename)))  # noqa: PTH100 - links stay as they are
    top = Path(os.path.abspath(folder))  # noqa: PTH100
    return path.is_relative_to(top) or path in top.parents
