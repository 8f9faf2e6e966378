"""Opening a PDF that may be locked or cut short."""

import re

import pypdfium2 as pdfium
from pypdfium2 import raw

from askai.errors import ReadError

_LOCK = "it is locked; put its password under [passwords] in askai.toml"
_OBJECT = re.compile(rb"(\d{1,9})\s+(\d{1,5})\s+obj\b")
_ENCRYPTION = re.compile(rb"/Filter\s*/Standard\b")
_PAGE_TREE = re.compile(rb"/Type\s*/Pages\b")


def opened(data: bytes, password: str) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(data, password=password or None)
    except pdfium.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            wrong = " (the one there is wrong)" if password else ""
            raise ReadError(f"{_LOCK}{wrong}") from None
        if error.err_code == raw.FPDF_ERR_SECURITY:
            raise ReadError("it is locked in a way that PDFium does not know") from None
    mended = _mended(data)
    if mended is not None:
        try:
            return pdfium.PdfDocument(mended, password=password or None)
        except pdfium.PdfiumError:
            pass
    raise ReadError("it begins as a PDF, but is damaged or cut short, and no page can be read")


def _mended(data: bytes) -> bytes | None:
    """With a catalogue at its end that names its page tree: one cut short has lost its own.

    None for a locked one: what unlocks it stood at its end, too.
    """
    if _ENCRYPTION.search(data):
        return None
    objects = list(_OBJECT.finditer(data))
    tree: re.Match[bytes] | None = None
    for one, following in zip(objects, [*objects, None][1:], strict=True):
        end = following.start() if following is not None else len(data)
        # The root of the tree has no parent, and what comes first of several is likely the root.
        if _PAGE_TREE.search(data, one.end(), min(end, one.end() + 100_000)):
            tree = one if tree is None or b"/Parent" not in data[one.end() : end] else tree
    if tree is None:
        return None
    number = max(int(one[1]) for one in objects) + 1
    return data + (
        b"\nendstream\nendobj\n%d 0 obj\n<</Type/Catalog/Pages %s %s R>>\nendobj\n"
        b"trailer\n<</Root %d 0 R/Size %d>>\n%%%%EOF\n"
    ) % (number, tree[1], tree[2], number, number + 1)
