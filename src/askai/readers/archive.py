"""Zip archives that may be bombs: what they say they unpack to is checked before it is read.

Nothing is ever written: a member is read into memory under the name it has, so that a name with
`../` in it is but a name.
"""

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from lxml import etree

from askai.errors import ReadError

_MEGABYTE = 1_000_000
MOST_BYTES = 200 * _MEGABYTE  # unpacked, of all members that are read
MOST_MEMBERS = 20_000
MOST_TAGS = 3_000_000  # of one member; an element takes 350 bytes of memory
_RATIO = 200  # Word's own XML packs to a thirtieth; a bomb to a thousandth
_SMALL = 10 * _MEGABYTE  # below this the ratio does not matter
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = 0x1
_FAILURES = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    UnicodeError,
    ValueError,
    OverflowError,
    MemoryError,
)


class Archive:
    """The members of a zip file, by name; `what` is what the file should be, for messages."""

    def __init__(self, data: bytes, what: str) -> None:
        self._what = what
        if not data:
            raise ReadError("the file is empty")
        if data.startswith(_OLE):
            raise ReadError(
                f"the file is locked with a password, or is of an older format than {what}; "
                "save it anew without a password"
            )
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            members = self._zip.infolist()
        except _FAILURES as error:
            raise ReadError(f"the file is not {what}: no zip archive, or a cut one") from error
        if len(members) > MOST_MEMBERS:
            raise ReadError(f"the file packs {len(members):,} files; {MOST_MEMBERS:,} are the most")
        self._members = {member.filename: member for member in members}
        self._left = MOST_BYTES

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def read(self, name: str) -> bytes:
        """The bytes of a member; b"" where there is none of that name."""
        member = self._members.get(name)
        if member is None:
            return b""
        if member.flag_bits & _ENCRYPTED:
            raise ReadError("the file is locked with a password; save it anew without one")
        size = member.file_size
        packed = max(1, member.compress_size)
        if size > self._left:
            raise ReadError(
                f"the file unpacks to over {MOST_BYTES // _MEGABYTE} MB, more than askai unpacks"
            )
        if size > _SMALL and size > _RATIO * packed:
            raise ReadError(
                f"the file unpacks to {size // packed:,} times its size ({name!r:.80}); "
                "it looks like a zip bomb"
            )
        try:
            with self._zip.open(member) as stream:
                data = stream.read(size + 1)  # what the directory says may be a lie
        except _FAILURES as error:
            raise ReadError(f"the file is not {self._what}: {name!r:.80} is damaged") from error
        if len(data) > size:
            raise ReadError(f"the file is not {self._what}: {name!r:.80} is longer than it says")
        self._left -= size
        return data

    def xml(self, name: str) -> etree._Element | None:
        """The root of a member that is XML; None where there is none of that name.

        No entity is expanded, no DTD loaded, no address fetched.
        """
        data = self.read(name)
        if not data:
            return None
        if data.count(b"<") > MOST_TAGS:
            raise ReadError(f"the file holds over {MOST_TAGS:,} tags ({name!r:.80}); split it")
        try:
            return etree.fromstring(data, xml_parser())
        except (etree.XMLSyntaxError, ValueError) as error:
            raise ReadError(f"the file is not {self._what}: {name!r:.80} is damaged") from error


def xml_parser(*, recover: bool = False) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        dtd_validation=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
        huge_tree=True,  # else a long document is refused; how much there is was checked before
    )
