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
import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn, Self, TypeVar

from askai.errors import IndexDamaged, IndexLocked, IndexMismatch, IndexMissing, StoredIndexError
from askai.files import sha256_of, sync_folder, write_durably
from askai.records import Skipped

if TYPE_CHECKING:
    from askai.corpus import CorpusFile

if sys.platform != "win32":
    import fcntl

FORMAT: Final = 3  # raised whenever a generation written before could be misread

CURRENT = "CURRENT"
MANIFEST = "manifest.json"
SKIPPED = "skipped.json"
SOURCES = "sources.json"
NAME = re.compile(r"g-\d{8}T\d{6}-[0-9a-f]{8}")
ATTEMPTS = 50  # to open a generation while writers replace it
PAUSE = 0.01  # seconds between two attempts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SourceState:
    """A file of the corpus as the generation knows it."""

    path: str
    sha256: str
    bytes: int
    mtime_ns: int
    ctime_ns: int  # 0: not known, so that a look at its content decides


@dataclass(frozen=True, slots=True)
class FileState:
    """A file of the generation."""

    sha256: str
    bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Counts:
    documents: int
    chunks: int
    skipped: int
    texts: int  # that have a vector: passages and their units


@dataclass(frozen=True, slots=True)
class StoreState:
    """How vectors are found, as `stores.Found` has it."""

    kind: str
    vectors: int
    recall: float
    sample: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """How a generation was made, and what it consists of; its size is not the corpus's."""

    format: int
    generation: str
    created: str  # ISO 8601, UTC
    askai: str  # version of the program
    fingerprint: str  # `settings_fingerprint(settings)`
    settings: dict[str, Any]  # all that shapes the index, as JSON
    listing: str  # `listing_digest` of the sources
    counts: Counts
    pace: float  # seconds to embed a text, by the last build that embedded many; 0: not known
    stores: dict[str, StoreState]  # by what they are of: "passages", "sentences"
    files: dict[str, FileState]  # by name relative to the generation, with forward slashes


class Generation:
    """An open generation: its files stay where they are until it is closed."""

    def __init__(self, path: Path, manifest: Manifest, lock: IO[bytes]) -> None:
        self.path = path
        self.manifest = manifest
        self._lock = lock

    def close(self) -> None:
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def settings_fingerprint(settings: Mapping[str, Any]) -> str:
    """The SHA-256 of the settings as canonical JSON; raises TypeError for what JSON cannot hold."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256(text.encode()).hexdigest()


# --- reading ---------------------------------------------------------------------------------


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
        path = index_dir / _current(index_dir)
        try:
            if (result := attempt(path)) is not None:
                return path, result
        except FileNotFoundError as error:
            if _current(index_dir) == path.name:
                _damaged(path / MANIFEST, "it is not there", cause=error)
        except OSError as error:
            _damaged(path / MANIFEST, str(error), cause=error)
        time.sleep(PAUSE)
    raise StoredIndexError(f"{index_dir} is being replaced all the time: try again later.")


def _current(index_dir: Path) -> str:
    """The name that CURRENT holds."""
    try:
        name = (index_dir / CURRENT).read_text("utf-8").strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IndexMissing(f"No index in {index_dir}: run `askai index` to build one.") from error
    except (OSError, ValueError) as error:
        _damaged(index_dir / CURRENT, str(error), cause=error)
    if not NAME.fullmatch(name):
        _damaged(index_dir / CURRENT, f"it holds {name[:40]!r}, not the name of a generation")
    return name


def _lock_to_read(path: Path) -> IO[bytes] | None:
    """The manifest, open and under a shared lock; None while, or after, it is deleted."""
    file = (path / MANIFEST).open("rb")
    try:
        # Deleted between the opening and the lock: the file would be locked, but nobody's.
        if _locked(file, shared=True) and os.path.samestat(
            os.fstat(file.fileno()), (path / MANIFEST).stat()
        ):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def _locked(file: IO[bytes], *, shared: bool) -> bool:
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
            _damaged(file, f"it has {found.st_size} bytes, expected {state.bytes}")
        if full or found.st_mtime_ns != state.mtime_ns:
            digest = sha256_of(file)
            if digest != state.sha256:
                _damaged(file, f"its SHA-256 is {digest}, expected {state.sha256}")
    except OSError as error:
        _damaged(file, "it is not there" if not file.exists() else str(error), cause=error)


def parse_manifest(content: bytes, file: Path) -> Manifest:
    """The manifest that `content` holds; `file` is for the message.

    Raises IndexMismatch for another format, IndexDamaged for anything else that is not exactly a
    manifest.
    """
    try:
        value = json.loads(content)
        found = value["format"]
    except (ValueError, TypeError, KeyError) as error:
        _damaged(file, "it is not the manifest of an index", cause=error)
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        advice = "install a newer askai, or run" if newer else "run"
        raise IndexMismatch(
            f"{file} has format {found!r}, this askai ({version('askai')}) reads format {FORMAT}: "
            f"{advice} `askai index --rebuild`."
        )
    try:
        return _manifest(value)
    except ValueError as error:
        _damaged(file, str(error), cause=error)


def _manifest(value: Any) -> Manifest:
    top = _checked(value, Manifest, "the manifest")
    manifest = Manifest(
        **top
        | {
            "counts": Counts(**_checked(top["counts"], Counts, "counts")),
            "stores": {
                name: StoreState(**_checked(item, StoreState, f"store {name!r}"))
                for name, item in top["stores"].items()
            },
            "files": {
                name: FileState(**_checked(item, FileState, f"file {name!r}"))
                for name, item in top["files"].items()
            },
        }
    )
    for name in manifest.files:
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\\" in name:
            raise ValueError(f"file {name!r} is outside the generation")
    if manifest.fingerprint != settings_fingerprint(manifest.settings):
        raise ValueError("its settings do not have its fingerprint")
    return manifest


# As JSON gives them; a dict or a list is looked into by `_manifest`.
TYPES: Final[dict[str, type]] = {
    "format": int, "generation": str, "created": str, "askai": str, "fingerprint": str,
    "settings": dict, "listing": str, "counts": dict, "stores": dict, "files": dict,
    "path": str, "sha256": str, "bytes": int, "mtime_ns": int, "ctime_ns": int,
    "documents": int, "chunks": int, "skipped": int, "texts": int, "pace": float,
    "kind": str, "vectors": int, "recall": float, "sample": int,
}  # fmt: skip


def _checked(value: Any, record: Any, what: str) -> dict[str, Any]:
    """`value`, if it is a dict with exactly the fields of `record`; raises ValueError if not."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")  # noqa: TRY004 - one error for any bad JSON
    expected = set(record.__dataclass_fields__)
    if value.keys() != expected:
        raise ValueError(
            f"{what} lacks {sorted(expected - value.keys())} "
            f"and has unknown {sorted(value.keys() - expected)}"
        )
    for name, item in value.items():
        if type(item) is not TYPES[name]:
            raise ValueError(f"{name!r} of {what} is not of type {TYPES[name].__name__}")
    return value


def _damaged(file: Path, found: str, *, cause: Exception | None = None) -> NoReturn:
    raise IndexDamaged(f"{file} cannot be used: {found}. Run `askai index --rebuild`.") from cause


# --- writing ---------------------------------------------------------------------------------


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
        _write_sources(self.path, sources)
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
            folder = self._index_dir / _current(self._index_dir)
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
            current = _current(self._index_dir)
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
        current = _current(index_dir)
    except StoredIndexError:
        return  # without a readable CURRENT nobody can say which generation is the good one
    for path in index_dir.iterdir():
        if NAME.fullmatch(path.name) and path.name != current:
            _remove_unread(path)


def _remove_unread(path: Path) -> None:
    doomed = path.with_name(f".removing-{path.name}")
    try:
        with (path / MANIFEST).open("rb+") as lock:
            if not _locked(lock, shared=False):
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


# --- the files of the corpus -----------------------------------------------------------------


def listing_digest(files: "Iterable[SourceState | CorpusFile]") -> str:
    """The SHA-256 of what a folder's listing says of these files: one of the same digest as a
    generation's needs no look at its sources."""
    lines = sorted(f"{file.path}\0{file.bytes} {file.mtime_ns} {file.ctime_ns}" for file in files)
    return sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _write_sources(generation: Path, sources: Sequence[SourceState]) -> None:
    rows = [[getattr(source, name) for name in SourceState.__dataclass_fields__]
            for source in sources]  # fmt: skip
    write_durably(generation / SOURCES, json.dumps(rows, ensure_ascii=False))


def read_sources(generation: Path) -> list[SourceState]:
    """What a generation was made from; raises IndexDamaged when it cannot be read."""
    file = generation / SOURCES
    try:
        names = list(SourceState.__dataclass_fields__)
        rows = [dict(zip(names, row, strict=True)) for row in json.loads(file.read_bytes())]
        return [SourceState(**_checked(row, SourceState, "a source")) for row in rows]
    except (OSError, ValueError, TypeError) as error:
        _damaged(file, str(error), cause=error)


# --- files that were not read ----------------------------------------------------------------


def write_skipped(generation: Path, skipped: Iterable[Skipped]) -> None:
    """Writes skipped.json into a generation's folder."""
    rows = [asdict(item) for item in skipped]
    write_durably(generation / SKIPPED, json.dumps(rows, ensure_ascii=False, indent=1))


def read_skipped(generation: Path) -> list[Skipped]:
    """Reads what `write_skipped` wrote; raises IndexDamaged when it cannot."""
    file = generation / SKIPPED
    try:
        rows = json.loads(file.read_bytes())
        return [Skipped(path=row.pop("path"), **row) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        _damaged(file, str(error), cause=error)
