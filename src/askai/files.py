"""Files: written whole or not at all, known by their SHA-256; and where askai's cache is."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

import platformdirs

from askai.errors import UsageError


def cache_dir() -> Path:
    """$ASKAI_CACHE, or askai's folder in the user's cache; it need not exist.

    Assembled models, checksums, and the indexes of folders elsewhere are kept in it.
    """
    return Path(os.environ.get("ASKAI_CACHE") or platformdirs.user_cache_dir("askai"))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamped_sha256(path: Path, cache: Path | None = None) -> str:
    """SHA-256 of a file, remembered in askai's cache for as long as its size and mtime stand.

    Hashing a model takes half a second at every start. A cache that cannot be written costs that
    time and nothing else.
    """
    stat = path.stat()  # before the hash: a file that changes meanwhile is hashed again next time
    key = [str(path.resolve()), stat.st_size, stat.st_mtime_ns]
    name = hashlib.sha256(str(key[0]).encode()).hexdigest()[:24]
    note = (cache or cache_dir()) / "checksums" / name
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["key"] == key:
            return str(known["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no note yet, or one cut short: the file itself decides
    digest = sha256_of(path)
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        write_durably(note, json.dumps({"key": key, "sha256": digest}), shared=True)
    return digest


def write_durably(path: Path, content: str | bytes | memoryview, *, shared: bool = False) -> None:
    """Replaces `path` as a whole, fsynced: whoever has the old file open or mapped keeps it.

    A write that fails leaves the old file and nothing beside it. What a killed process leaves is
    overwritten by the next one, unless `shared`: then several processes may write at once. The
    new name outlives a power cut after `sync_folder` of its folder.
    """
    if isinstance(content, str):
        # The name of a file need not be text: Python has its stray bytes as lone surrogates.
        content = content.encode("utf-8", "surrogatepass")
    with writing_durably(path, shared=shared) as file:
        file.write(content)


@contextmanager
def writing_durably(path: Path, *, shared: bool = False) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` as `write_durably` has it."""
    temporary = path.with_name(f"{path.name}.{os.getpid() if shared else 'tmp'}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file to write, which takes the place of `path` when the block ends without an error.

    Raises UsageError at once when it cannot be written.
    """
    try:
        target = path.resolve()  # through a link, which stays
        if target.exists() and not target.is_file():
            raise UsageError(f"{path} is no file; name one to write, or one to replace.")
        temporary = target.with_name(f"{target.name}.{os.getpid()}")
        file = temporary.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.") from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a file that is never written to again a second name; where the file system has no hard
    links, or no more of them, a copy."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def sync_folder(path: Path) -> None:
    """Makes the names in a folder last."""
    if os.name == "nt":
        return  # Windows opens no folders; its renames are journalled
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
