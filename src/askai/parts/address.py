"""Where parts lie: a folder, or an address that fsspec knows (s3://, gs://, sftp://, …).

Credentials stand where fsspec and its packages look for them; none is shown in a message.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from secrets import token_hex
from typing import Any

from askai.errors import AskaiError, PartsError, UsageError
from askai.files import sync_folder, write_durably
from askai.parts import StoredFile

_TEMPORARY = ".askai-tmp-"  # in the names of files that are being written
_LOCAL = re.compile(r"(?:file|local)://(?!.*::)")  # fsspec's names for a folder of this machine
_OWN = {"file", "local", "memory"}  # of which each machine has its own


class Place:
    """A folder somewhere; every method raises PartsError when it cannot be reached."""

    def __init__(self, address: str) -> None:
        """Raises PartsError when nothing here can open such an address, UsageError for none."""
        if not address.strip():
            raise UsageError("The address of the parts is empty; expected a folder or scheme://…")
        self.address = address
        self.shown = without_user(address)
        plain = _LOCAL.sub("", address, count=1) if _LOCAL.match(address) else address
        self.folder = None if "://" in plain else Path(plain).expanduser()
        self._files: Any = None  # fsspec's, where it is no folder
        self._root = ""
        if self.folder is None:
            self._files, self._root = _opened(address, self.shown)

    @property
    def is_here(self) -> bool:
        """Whether it is a folder of this machine, which another may not have."""
        return self.folder is not None

    def names(self) -> set[str]:
        """Of all files in it; none where it is not there."""
        with self._explained("list"):
            if self.folder:
                there = self.folder.is_dir()
                return {file.name for file in self.folder.iterdir()} if there else set()
            self._files.invalidate_cache()
            if not self._files.isdir(self._root):
                return set()
            return {name.rpartition("/")[2] for name in self._files.ls(self._root, detail=False)}

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        with self._explained(f"read {name} of"):
            if self.folder:
                return (self.folder / name).read_bytes()
            content: bytes = self._files.cat_file(self._path(name))
            return content

    def write(self, name: str, content: bytes) -> None:
        """Writes a file whole, under another name first, or not at all."""
        with self._explained("write to"):
            if self.folder:
                self.folder.mkdir(parents=True, exist_ok=True)
                write_durably(self.folder / name, content, shared=True)
                sync_folder(self.folder)
                return
            self._files.makedirs(self._root, exist_ok=True)
            temporary = self._path(f"{_TEMPORARY}{token_hex(8)}")
            try:
                self._files.pipe_file(temporary, content)
                self._files.mv(temporary, self._path(name))
            except BaseException:
                with suppress(Exception):
                    self._files.rm(temporary)
                raise

    def checked(self, file: StoredFile, spool: Path) -> Path:
        """A file on this machine that has the bytes that it should have; it is brought into
        `spool` where it lies elsewhere. Raises PartsError when it is gone or damaged."""
        if self.folder:
            path = self.folder / file.name
        else:
            path = spool / file.name
            path.write_bytes(self.read(file.name))
        with self._explained(f"read {file.name} of"), path.open("rb") as content:
            found = file_digest(content, "sha256").hexdigest()
        if found != file.sha256:
            raise self.damaged(file.name, f"its SHA-256 is {found}, expected {file.sha256}")
        return path

    def content(self, file: StoredFile) -> bytes:
        """The bytes of a small file, checked as `checked` does."""
        content = self.read(file.name)
        if StoredFile.of(file.name, content) != file:
            raise self.damaged(file.name, "its SHA-256 is not the one of the manifest")
        return content

    def remove(self, name: str) -> None:
        with self._explained("delete in"):
            if self.folder:
                (self.folder / name).unlink(missing_ok=True)
            else:
                self._files.rm(self._path(name))

    def damaged(self, name: str, found: object) -> PartsError:
        return PartsError(
            f"{name} of {self.shown} cannot be used: {found}. Export again, or copy it again."
        )

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """What a file system has against it, in one sentence; there are as many kinds of errors as
        packages for them."""
        try:
            yield
        except AskaiError:
            raise
        except FileNotFoundError as error:
            raise PartsError(
                f"Cannot {what} {self.shown}: it is not there. Export again, or copy all of it."
            ) from error
        except OSError as error:
            why = error.strerror if self.folder and error.strerror else _why(error, self.address)
            raise PartsError(f"Cannot {what} {self.shown}: {why}.") from error
        except Exception as error:
            why = _why(error, self.address)
            raise PartsError(f"Cannot {what} {self.shown}: {why}.") from error


def check_shared(address: str) -> None:
    """Raises UsageError for an address that is another place on each machine of a cluster."""
    schemes = {link.partition("://")[0] for link in address.split("::") if "://" in link}
    if schemes & _OWN and not _LOCAL.match(address):
        raise UsageError(
            f"--parts is {without_user(address)}, which each machine of the cluster has for "
            "itself; expected a folder (its parts are brought to this machine) or an address that "
            "all of them reach, such as s3://…"
        )


def without_user(address: str) -> str:
    """The address as it may be shown: without a user, his password and a query.

    Passwords may hold what ends them elsewhere: rather more is cut than a part of one shown.
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address
    scheme = scheme.rpartition("@")[2]
    before, at, after = rest.rpartition("@")
    if at and "?" in before:
        return f"{scheme}://…"  # one may be a part of the other
    if at and (":" in before or "/" not in before):
        rest = after
    elif at:
        host, slash, path = rest.partition("/")
        rest = host.rpartition("@")[2] + slash + path
    return f"{scheme}://{rest.partition('?')[0]}"


def _why(error: Exception, address: str) -> str:
    """What another package says; not its words where they may repeat what is not to be shown."""
    said = " ".join(str(error).split()).rstrip(".")
    if without_user(address) != address and not isinstance(error, ImportError):
        said = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _opened(address: str, shown: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - a folder needs none of it
    except ImportError as error:
        raise PartsError(
            f"{shown} needs the package fsspec: pip install 'askai[parts]'; a folder needs none."
        ) from error
    try:
        files, root = url_to_fs(address)
    except (ImportError, ValueError) as error:
        scheme = shown.partition("://")[0]
        why = _why(error, address)
        raise PartsError(
            f"Nothing here opens addresses {scheme}:// ({why}). Install fsspec's package for it, "
            "or name a folder."
        ) from error
    except Exception as error:
        raise PartsError(f"Cannot open {shown}: {_why(error, address)}.") from error
    return files, str(root).rstrip("/")


def is_leftover(name: str) -> bool:
    """Whether a file is what an interrupted `Place.write` left in a folder."""
    return _TEMPORARY in name or bool(re.search(r"\.(parquet|json|npz|toml)\.\d+$", name))
