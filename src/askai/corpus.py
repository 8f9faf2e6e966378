"""The folder of documents: which files it holds, what is known of them, and reading one."""

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatch
from operator import attrgetter
from pathlib import Path, PurePosixPath
from stat import S_ISFIFO, S_ISREG
from typing import Any

from askai import seams
from askai.errors import CorpusError, ReadError
from askai.readers import ISOLATED, MOST_SECONDS, READERS, SUFFIXES, Reader, Reading
from askai.records import Document, Skipped, Source

SOURCES = "sources.toml"
ALIASES = "aliases.toml"
_HALF = re.compile(r"[\ud800-\udfff]")
_OWN_FILES = frozenset({SOURCES, ALIASES})


@dataclass(frozen=True, slots=True)
class Description:
    """What `sources.toml` says of one file."""

    title: str | None = None
    publisher: str | None = None
    author: str | None = None
    published: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """A file that a reader exists for, as the folder lists it."""

    path: str  # relative to the corpus, with forward slashes
    bytes: int
    mtime_ns: int
    ctime_ns: int  # changes with the right to read it, too


@dataclass(frozen=True, slots=True)
class Listing:
    files: tuple[CorpusFile, ...]  # ordered by path
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder of documents with what is said about them."""

    folder: Path
    max_bytes: int
    described: dict[str, Description] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    index: Path | None = None  # askai's own folder, which may be inside and is no document
    passwords: Mapping[str, str] = field(default_factory=dict)  # by path, or a pattern of paths
    max_read_seconds: float = MOST_SECONDS  # for one file

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        max_bytes: int,
        index: Path | None = None,
        passwords: Mapping[str, str] | None = None,
        max_read_seconds: float = MOST_SECONDS,
    ) -> "Corpus":
        """Raises CorpusError when there is no such folder, or `sources.toml` has an error."""
        try:
            there = folder.exists()
        except OSError as error:  # a name too long, a folder above that may not be entered
            raise CorpusError(f"{folder} cannot be used: {_why(error)}.") from error
        if not there:
            raise CorpusError(
                f"No folder {folder}. Make it and put documents in it, or name another: "
                "askai --corpus DIR …"
            )
        if not folder.is_dir():
            raise CorpusError(f"{folder} is a file; expected a folder of documents.")
        exclude, described = _read_sources(folder / SOURCES)
        inside = index and index.resolve()
        return cls(folder, max_bytes, described, exclude, inside, passwords or {}, max_read_seconds)

    def list(self) -> Listing:
        """Every file with its size and time, without opening any."""
        files: list[CorpusFile] = []
        skipped: list[Skipped] = []
        for found in self._walk():
            (files if isinstance(found, CorpusFile) else skipped).append(found)  # type: ignore[arg-type]
        by_path = sorted(files, key=attrgetter("path"))
        return Listing(tuple(by_path), tuple(sorted(skipped, key=lambda skip: skip.path)))

    def _walk(self) -> Iterator[CorpusFile | Skipped]:
        """All entries, in no order; folders wait in a list, so that no depth is too deep."""
        folders = [(self.folder, "")]  # and what the paths of files in it begin with
        top = self.folder.resolve()
        while folders:
            folder, at = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    found = list(entries)
            except OSError as error:
                if folder == self.folder:
                    raise CorpusError(f"{folder} cannot be listed: {_why(error)}.") from error
                yield Skipped(at, f"the folder cannot be listed: {_why(error)}")
                continue
            for entry in found:
                path = at + entry.name
                if entry.name.startswith(".") or path in _OWN_FILES or self._is_excluded(path):
                    continue
                if entry.is_dir(follow_symlinks=False) and _is_unicode(path):
                    if top / path != self.index:
                        folders.append((Path(entry.path), f"{path}/"))
                else:
                    yield self._ordinary(entry, path) or self._entry(entry, path)

    def _ordinary(self, entry: os.DirEntry[str], path: str) -> CorpusFile | None:
        """A file that is read, as nearly all are; None: it takes a closer look."""
        before, dot, suffix = entry.name.rpartition(".")
        if not (before and path.isascii() and f"{dot}{suffix.lower()}" in SUFFIXES):
            return None
        try:
            stat = entry.stat(follow_symlinks=False)
        except OSError:
            return None
        if not S_ISREG(stat.st_mode) or stat.st_size > self.max_bytes:
            return None
        return CorpusFile(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    def _entry(self, entry: os.DirEntry[str], path: str) -> CorpusFile | Skipped:
        if not _is_unicode(path):
            shown = os.fsencode(path).decode("utf-8", "replace")
            return Skipped(shown, "its name is not valid Unicode; rename it")
        if entry.is_symlink():
            return Skipped(path, _about_link(Path(entry.path), self.folder))
        return self._file(entry, path)

    def _file(self, entry: os.DirEntry[str], path: str) -> CorpusFile | Skipped:
        try:
            stat = entry.stat(follow_symlinks=False)
        except OSError as error:
            return Skipped(path, f"it cannot be read: {_why(error)}")
        if not entry.is_file(follow_symlinks=False):
            return Skipped(path, "it is not a regular file")
        suffix = os.path.splitext(path)[1].lower().rstrip(".")  # noqa: PTH122  pathlib is slow
        if suffix not in SUFFIXES:
            known = ", ".join(sorted(SUFFIXES))
            return Skipped(
                path, f"no reader for {suffix or 'a name without suffix'}; read are {known}"
            )
        if stat.st_size > self.max_bytes:
            return Skipped(
                path,
                f"{stat.st_size / 1e6:.1f} MB is over the limit of {self.max_bytes / 1e6:g} MB; "
                "split it, or raise max_file_mb in askai.toml",
            )
        return CorpusFile(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    def _is_excluded(self, path: str) -> bool:
        return bool(self.exclude) and any(fnmatch(path, pattern) for pattern in self.exclude)

    def read(self, path: str) -> Document:
        """Reads one file of the corpus; raises ReadError saying why it could not be."""
        if PurePosixPath(path).suffix.lower() not in SUFFIXES:
            raise ReadError(f"no reader for {path}")
        return self.document(path, read_bytes(self.folder / path))

    def document(self, path: str, data: bytes) -> Document:
        """What a reader makes of these bytes of one file; raises ReadError as `read`."""
        name = SUFFIXES.get(PurePosixPath(path).suffix.lower())
        if name is None:
            raise ReadError(f"no reader for {path}")
        return read_document(
            data,
            path,
            reader=name,
            described=self.described.get(path),
            password=self.password(path),
            seconds=self.max_read_seconds,
        )

    def password(self, path: str) -> str:
        """The user's password for a file; "" for none."""
        exact = self.passwords.get(path)
        matching = (word for pattern, word in self.passwords.items() if fnmatch(path, pattern))
        return exact if exact is not None else next(matching, "")


def read_document(
    data: bytes,
    path: str,
    *,
    reader: str,
    described: Description | None = None,
    password: str = "",
    seconds: float = MOST_SECONDS,
) -> Document:
    """The document that a reader makes of these bytes; raises ReadError."""
    chosen: Reader = seams.load("reader", READERS, reader)()
    known = described or Description()
    if reader in ISOLATED:
        from askai.readers import worker  # noqa: PLC0415  most commands read no file

        reading = worker.read(reader, data, password=password, seconds=seconds)
    else:
        reading = chosen.read(data, password=password)
    reading = _of_whole_characters(reading)
    source = Source(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        reader=chosen.name,
        version=chosen.version,
        encoding=reading.encoding,
        title=known.title or reading.title or None,
        publisher=known.publisher,
        author=known.author or reading.author,
        published=known.published or reading.published,
        language=known.language or reading.language,
        url=reading.url,
        pages=reading.pages,
    )
    return Document(source, reading.text, reading.marks)


def _of_whole_characters(reading: Reading) -> Reading:
    """The reading with U+FFFD for each half of a character, which JSON, YAML and PDF can name, and
    no file can hold; no offset changes."""
    words = (reading.title, reading.author, reading.published, reading.language, reading.url)
    title, author, published, language, url = (word and _HALF.sub("\ufffd", word) for word in words)
    marks = reading.marks
    if _HALF.search(reading.text):
        marks = tuple(replace(m, label=_HALF.sub("\ufffd", m.label)) for m in marks)
    return replace(
        reading,
        text=_HALF.sub("\ufffd", reading.text),
        marks=marks,
        title=title,
        author=author,
        published=published,
        language=language,
        url=url,
    )


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that did not change meanwhile; raises ReadError."""
    try:
        before = path.stat()
        if S_ISFIFO(before.st_mode):  # reading would wait for ever
            raise ReadError("it is a pipe, not a file")
        data = path.read_bytes()
        after = path.stat()
    except FileNotFoundError as error:
        raise ReadError("the file is gone") from error
    except OSError as error:
        raise ReadError(f"it cannot be read: {_why(error)}") from error
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, len(data)):
        raise ReadError("the file changed while it was read; run `askai index` again")
    return data


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _is_unicode(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _about_link(link: Path, corpus: Path) -> str:
    try:
        target = link.resolve(strict=True)
    except FileNotFoundError:
        return "a symbolic link to nothing"
    except (OSError, RuntimeError):
        return "a symbolic link in a loop"
    inside = target.is_relative_to(corpus.resolve())
    if not inside:
        return "a symbolic link out of the corpus; put the file itself here"
    return "a symbolic link to a place in the corpus, which is read under its own name"


def _read_sources(path: Path) -> tuple[tuple[str, ...], dict[str, Description]]:
    try:
        if path.is_fifo():
            raise CorpusError(f"{path} is a pipe; expected a file.")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return (), {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise CorpusError(f"{path} cannot be read: {error}.") from error
    if unknown := set(data) - {"exclude", "source"}:
        raise CorpusError(f"{path}: unknown key {min(unknown)!r}; expected exclude and [[source]].")
    exclude = data.get("exclude", [])
    entries = data.get("source", [])
    if not (isinstance(exclude, list) and all(isinstance(e, str) for e in exclude)):
        raise CorpusError(f"{path}: exclude is {exclude!r}; expected a list of names.")
    if not (isinstance(entries, list) and all(isinstance(e, dict) for e in entries)):
        raise CorpusError(f"{path}: expected each source as [[source]].")
    return tuple(exclude), dict(_described(path, entry) for entry in entries)


def _described(path: Path, entry: dict[str, Any]) -> tuple[str, Description]:
    known = {field.name for field in fields(Description)}
    name = entry.get("path")
    if not isinstance(name, str):
        raise CorpusError(f"{path}: a [[source]] has no path; expected one relative to the corpus.")
    for key, value in entry.items():
        if key != "path" and key not in known:
            raise CorpusError(
                f"{path}: unknown key {key!r} of {name}; expected {', '.join(sorted(known))}."
            )
        if not isinstance(value, str):
            raise CorpusError(f"{path}: {key} of {name} is {value!r}; expected a string in quotes.")
    return name, Description(**{k: v for k, v in entry.items() if k != "path"})
