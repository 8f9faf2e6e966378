"""Bytes to text without loss: which encoding a file is in, found and named."""

import codecs
import re

from charset_normalizer import from_bytes

from askai.errors import ReadError

# A UTF-8 mark stays in the text, so that an offset is an offset in the file as
# `open(path, encoding="utf-8", newline="")` reads it. Python's own UTF-16 reader drops its mark.
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The order is the order of preference where the library finds two equally likely.
_CANDIDATES = ["gb18030", "big5", "cp1252", "latin_1"]
# Only zero bytes speak for UTF-16 without its mark: three Chinese characters in GB18030 are three
# other ones in UTF-16.
_WIDE = ["utf_16_le", "utf_16_be"]
_SAMPLE = 1 << 18
_BINARY = "the file is binary, not text"
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffe\uffff]")


def decode(data: bytes) -> tuple[str, str]:
    """The text of `data`, and the encoding it is in, as Python names it.

    Raises ReadError when the bytes are not text in any encoding that askai reads.
    """
    if not data:
        raise ReadError("the file is empty")
    encoding = _encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ReadError(
            f"the file begins as {encoding} but byte {error.start} is not; save it as UTF-8"
        ) from error
    if not text.replace("\ufeff", "").strip():
        raise ReadError("the file holds nothing but blanks")
    controls = len(_CONTROL.findall(text[:_SAMPLE]))
    if controls > max(2, len(text[:_SAMPLE]) // 200):
        raise ReadError(_BINARY)
    return text, encoding


def _encoding(data: bytes) -> str:
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if _was_utf8(data, error):
            raise ReadError(
                f"the file begins as utf-8 but byte {error.start} is not; save it as UTF-8"
            ) from error
        return _guess(data)
    zeros = data.count(0, 0, _SAMPLE)
    if zeros and zeros < 0.4 * len(data[:_SAMPLE]):  # half the bytes of Western UTF-16 are zero
        raise ReadError(_BINARY)
    return _guess(data) if zeros else "utf-8"


def _was_utf8(data: bytes, error: UnicodeDecodeError) -> bool:
    """Whether `data` is UTF-8 that was cut or damaged, rather than text in another encoding."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(character > "\x7f" for character in text) - bad
    cut = error.reason == "unexpected end of data"
    return good >= (1 if cut else 4 * bad)


def _guess(data: bytes) -> str:
    wide = bool(data.count(0, 0, _SAMPLE))
    special = None if wide else re.search(rb"[\x80-\xff]", data)
    at = max(0, special.start() - 1024) if special else 0  # what comes before tells nothing
    sample = data[at : at + _SAMPLE]
    if len(data) > at + _SAMPLE:  # not in the middle of a character
        line = sample.rfind(b"\n")
        sample = data if line < 1 else sample[: line // 2 * 2 if wide else line]
    best = from_bytes(
        sample, cp_isolation=_WIDE if wide else _CANDIDATES, enable_fallback=False
    ).best()
    if best is not None:
        return codecs.lookup(best.encoding).name
    if wide:
        raise ReadError(_BINARY)
    raise ReadError(
        "the file is not text in UTF-8, UTF-16, GB18030, Big5 or Latin-1; save it as UTF-8"
    )
