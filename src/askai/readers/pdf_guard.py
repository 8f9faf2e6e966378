"""What is looked at before PDFium sees a file, since it would fill the memory on some.

PDFium unpacks up to a gigabyte of a stream, and shows a form as often as the page and other forms
ask for it: seven forms that each ask ten times for the next made it take 17 GB.
"""

import re
import zlib
from collections import Counter
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from askai.errors import ReadError

_STREAM_BYTES = 200_000_000  # that one stream may hold, unpacked
_ALL_BYTES = 1_000_000_000  # that all may hold which are looked into
_KEPT = 4_000_000  # bytes of a stream that are looked into
_SHOWN = 100_000  # forms that a page may show, those within forms counted each time
_HEAD = 4_000  # bytes before a stream that tell of it
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_SHOW = re.compile(rb"/([^\s/<>\[\](){}%]+)\s+Do\b")


def check(data: bytes) -> None:
    """Raises ReadError for a file whose streams or forms grow to more than any page needs.

    Of a locked file nothing is seen here. Pictures may be large, and are never unpacked.
    """
    total = 0
    bound = 1  # of the times that forms are shown, whichever asks for which
    for match in _STREAM.finditer(data):
        head = data[max(0, match.start() - _HEAD) : match.start()]
        head = head[head.rfind(b" obj") + 1 :]
        if b"/Image" in head:
            continue
        content, size = _content(data, match.end(), head)
        total += size
        if size >= _STREAM_BYTES or total >= _ALL_BYTES:
            limit = _STREAM_BYTES if size >= _STREAM_BYTES else _ALL_BYTES
            what = "a stream of it unpacks" if size >= _STREAM_BYTES else "its streams unpack"
            raise ReadError(f"{what} to more than {limit // 1_000_000:,} MB, which no page needs")
        if b"/Form" in head:
            bound *= max(1, len(_SHOW.findall(content)))
    if bound > _SHOWN and _most_shown(data) > _SHOWN:
        raise ReadError(f"a page of it shows more than {_SHOWN:,} forms, each within others")


def _content(data: bytes, start: int, head: bytes) -> tuple[bytes, int]:
    """The first megabytes of a stream, unpacked, and how much it unpacks to."""
    times = head.count(b"/FlateDecode") + len(re.findall(rb"/Fl\b", head))
    if not times:
        end = data.find(b"endstream", start, start + _KEPT)
        content = data[start : end if end >= 0 else start + _KEPT]
        return content, len(content)  # which may hold the beginnings of others
    piece, most = memoryview(data)[start:], 0
    content = b""
    for _ in range(min(4, times)):
        size, content = _unpacked(piece)
        most = max(most, size)
        piece = memoryview(content)
    return content, most


def _unpacked(piece: memoryview) -> tuple[int, bytes]:
    unpacker = zlib.decompressobj()
    size, kept, at = 0, b"", 0
    waiting: bytes | memoryview = b""
    try:
        while size < _STREAM_BYTES and not unpacker.eof:
            if not waiting:
                waiting = piece[at : at + 65536]
                at += 65536
                if not waiting:
                    break
            found = unpacker.decompress(waiting, _KEPT)
            waiting = unpacker.unconsumed_tail
            size += len(found)
            if len(kept) < _KEPT:
                kept += found
    except zlib.error:
        pass
    return size, kept


def _most_shown(data: bytes) -> int:
    """How many forms the page shows that shows most; more than are allowed if it is not clear."""
    import pypdf  # noqa: PLC0415  seldom needed

    try:
        pages = pypdf.PdfReader(BytesIO(data)).pages
        return max(
            (_shown(page.get("/Resources"), _bytes(page.get_contents()), {}) for page in pages),
            default=0,
        )
    except Exception:  # noqa: BLE001  pypdf raises whatever a damaged object leads to
        return _SHOWN + 1


def _bytes(content: Any) -> bytes:
    return bytes(content.get_data()) if content is not None else b""


def _shown(resources: Any, content: bytes, known: dict[int, int]) -> int:
    held = resources.get_object() if resources is not None else {}
    forms: Any = held.get("/XObject", {}) if isinstance(held, Mapping) else {}
    forms = forms.get_object() if hasattr(forms, "get_object") else forms
    total = 0
    for name, times in Counter(_SHOW.findall(content)).items():
        reference = forms.raw_get("/" + name.decode("latin-1")) if forms else None
        form = reference.get_object() if reference is not None else None
        if form is None or form.get("/Subtype") != "/Form":
            continue
        number = getattr(reference, "idnum", id(form))
        if number not in known:
            known[number] = 0  # one that holds itself is shown once
            known[number] = 1 + _shown(form.get("/Resources", resources), _bytes(form), known)
        total += times * known[number]
    return total
