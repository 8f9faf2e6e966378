"""What stands on a page of a PDF: runs of characters of one look, each with its place.

PDFium finds the characters; its blanks are kept, since it infers them from the gaps, which pypdf
does not (see `tools/pdf_quality.py`). Scripts are never run: no form environment is opened, and the
build that pypdfium2 carries has no JavaScript engine. Attachments and images are never opened.
"""

import ctypes
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pypdfium2 as pdfium
from pypdfium2 import raw

from askai.errors import ReadError
from askai.sentences import SUPERSCRIPT

PAGE_CHARACTERS = 2_000_000
TOTAL_CHARACTERS = 50_000_000
_HYPHEN = 0x02  # how PDFium tells of a hyphen at the end of a line
_FIXED_PITCH, _FORCE_BOLD = 1, 1 << 18  # of a font's descriptor, ISO 32000-1 table 123
_MONO = ("mono", "courier", "consol", "typewriter", "cmtt", "sltt", "menlo", "code", "fixed")
_NOT_MONO = re.compile("unicode|monotype")  # names of makers and sets, not of a pitch
_BOLD = ("bold", "black", "heavy", "semibold", "cmbx", "sfbx", "medi", "demi")
_LIGATURES = {
    0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st",
    0xFB06: "st", 0x2010: "-", 0x2011: "-",
}  # fmt: skip
_ALEFS = frozenset("اأإآ")
_PATHS = 30  # on a page without text; more may be letters drawn as outlines
RAISED = str.maketrans("0123456789", SUPERSCRIPT)
_GAP = 0.9  # of the size; a wider gap parts cells and columns


@dataclass(frozen=True, slots=True)
class Look:
    size: float  # in points, as printed
    bold: bool
    mono: bool
    angle: int  # of the writing, in quarter turns


@dataclass(slots=True)
class Run:
    """Characters beside each other in one look; y grows downwards, and is the baseline's."""

    text: str
    x0: float
    x1: float
    y: float
    look: Look
    order: int  # in the page's stream
    space: bool = False  # a blank stands before it


@dataclass(frozen=True, slots=True)
class PageText:
    runs: list[Run]
    width: float
    height: float
    characters: int  # that are not blank
    unmapped: int  # of them, those without a meaning
    shows_more: bool = False  # pictures or drawings, of a page without text


def read_page(document: pdfium.PdfDocument, index: int) -> PageText:
    """The runs of a page, turned as it is shown; raises PdfiumError if it cannot be loaded."""
    page = document[index]
    try:
        shown = raw.FS_RECTF()  # with boxes that the page inherits, unlike page.get_cropbox()
        raw.FPDF_GetPageBoundingBox(page, shown)
        turns = page.get_rotation() // 90 % 4
        textpage = page.get_textpage()
        try:
            found = _Collector(textpage, _Turn(shown, turns))
            found.collect()
            if most := _most_usual_angle(found.runs):
                found = _Collector(textpage, _Turn(shown, turns + most))
                found.collect()
        finally:
            textpage.close()
        found.count_lost(page)
        more = not found.characters and _shows_more(page)
    finally:
        page.close()
    turned = found.turned
    return PageText(found.runs, turned.width, turned.height, found.characters, found.unmapped, more)


def _most_usual_angle(runs: list[Run]) -> int:
    """Of the writing: a page laid on its side is read as if it stood upright."""
    lengths: Counter[int] = Counter()
    for run in runs:
        lengths[run.look.angle] += len(run.text)
    return max(lengths, key=lambda angle: lengths[angle]) if lengths else 0


def _shows_more(page: pdfium.PdfPage) -> bool:
    """Whether a page without text shows anything but a few lines."""
    drawn = (shown.type for shown in page.get_objects(max_depth=3))
    return any(kind != raw.FPDF_PAGEOBJ_PATH or n > _PATHS for n, kind in enumerate(drawn))


class _Turn:
    """From PDF's coordinates to those of the page as it is shown, y downwards."""

    def __init__(self, shown: raw.FS_RECTF, turns: int) -> None:
        self.left, self._right = shown.left, shown.right
        self._bottom, self._top = shown.bottom, shown.top
        self.turns = turns % 4
        width, height = abs(shown.right - shown.left), abs(shown.top - shown.bottom)
        self.width, self.height = (height, width) if turns % 2 else (width, height)

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        if self.turns == 1:
            return y - self._bottom, x - self.left
        if self.turns == 2:
            return self._right - x, y - self._bottom
        if self.turns == 3:
            return self._top - y, self._right - x
        return x - self.left, self._top - y


class _Looks:
    """Looks of the page's text objects, asked for once each."""

    def __init__(self, textpage: pdfium.PdfTextPage, turns: int) -> None:
        self._textpage = textpage
        self._turns = turns
        self._found: dict[int, Look] = {}
        self._fonts: dict[tuple[str, int, int], tuple[bool, bool]] = {}
        self._matrix = raw.FS_MATRIX()
        self._name = ctypes.create_string_buffer(128)
        self._flags = ctypes.c_int()
        self._box = tuple(ctypes.c_double() for _ in range(4))

    def __call__(self, address: int, i: int) -> Look:
        look = self._found.get(address)
        if look is None:
            look = self._found[address] = self._ask(i)
        return look

    def is_raised(self, i: int, baseline: float, size: float) -> bool:
        """Whether a digit is a superscript by its shape, as those of some fonts are."""
        raw.FPDFText_GetCharBox(self._textpage, i, *self._box)
        bottom, top = self._box[2].value, self._box[3].value
        return bottom > baseline + 0.2 * size and 0 < top - bottom < 0.6 * size

    def _ask(self, i: int) -> Look:
        page, matrix = self._textpage, self._matrix
        raw.FPDFText_GetMatrix(page, i, matrix)
        size = abs(raw.FPDFText_GetFontSize(page, i)) * math.hypot(matrix.c, matrix.d)
        angle = (
            round(math.degrees(math.atan2(matrix.b, matrix.a)) / 90) if matrix.a or matrix.b else 0
        )
        self._name.value = b""
        raw.FPDFText_GetFontInfo(page, i, self._name, 128, self._flags)
        name = self._name.value.decode("latin-1").lower()
        weight = raw.FPDFText_GetFontWeight(page, i)
        bold, mono = self._style(name, self._flags.value, weight)
        return Look(round(size, 2) or 1.0, bold, mono, (angle - self._turns) % 4)

    @staticmethod
    def _style(name: str, flags: int, weight: int) -> tuple[bool, bool]:
        bold = any(part in name for part in _BOLD) or weight >= 600 or bool(flags & _FORCE_BOLD)
        pitch = _NOT_MONO.sub("", name)
        mono = any(part in pitch for part in _MONO) or bool(flags & _FIXED_PITCH)
        return bold, mono


class _Collector:
    """Puts the characters of a page together as they come."""

    def __init__(self, textpage: pdfium.PdfTextPage, turned: _Turn) -> None:
        self._textpage = textpage
        self.turned = turned
        self._looks = _Looks(textpage, turned.turns)
        self._run: Run | None = None
        self._blank = False
        self._edge = 0.0  # left, of the character before
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._box = raw.FS_RECTF()
        self._seen: set[int] = set()
        self._widths: dict[Look, dict[str, float]] = {}
        self.runs: list[Run] = []
        self.characters = self.unmapped = 0

    def collect(self) -> None:
        count = self._textpage.count_chars()
        if count > PAGE_CHARACTERS:
            raise ReadError(
                f"a page has {count:,} characters, and at most {PAGE_CHARACTERS:,} are read: "
                "it is no page that a person could read"
            )
        for i, code in self._codes(count):
            if code in (10, 13):
                self._run, self._blank = None, True
                continue
            text, known = _character(code)
            if text == " ":
                self._blank = True
                self._see(i)
                continue
            self.characters += 1
            known = known and raw.FPDFText_HasUnicodeMapError(self._textpage, i) != 1
            self.unmapped += not known
            self._take(i, text)
        _tell_mono(self.runs, self._widths)

    def _codes(self, count: int) -> Iterator[tuple[int, int]]:
        """(index, code point), where PDFium has a pair of surrogates as one."""
        high = 0
        for i in range(count):
            code = raw.FPDFText_GetUnicode(self._textpage, i)
            if high and 0xDC00 <= code < 0xE000:
                yield i - 1, 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)
                high = 0
                continue
            if high:
                yield i - 1, high
            high = code if 0xD800 <= code < 0xDC00 else 0
            if code == _HYPHEN:
                code = 0x2D if raw.FPDFText_IsHyphen(self._textpage, i) == 1 else 0xFFFD
            if not high:
                yield i, code
        if high:
            yield count - 1, high

    def _take(self, i: int, text: str) -> None:
        run = self._run
        address = self._see(i)
        if not address:
            if run is not None:  # PDFium's own, such as a hyphen
                self._grow(run, text, run.x0, run.x1)
            return
        look = self._looks(address, i)
        left, right, base = self._place(i, look)
        if "0" <= text <= "9" and self._looks.is_raised(i, self._y.value, look.size):
            text = text.translate(RAISED)
        elif "a" <= text <= "z":
            self._widths.setdefault(look, {})[text[-1]] = right - left
        elif text == "ل" and run is not None and run.text[-1:] in _ALEFS and self._edge == left:
            # The two letters of a ligature, which PDFium turns round with the line.
            run.text = f"{run.text[:-1]}{text}{run.text[-1]}"
            return
        self._edge = left
        if (
            run is not None
            and run.look == look
            and (look.angle or _is_beside(run, left, right, base, text))
        ):
            # To the left, as in Arabic, the gaps tell of blanks.
            apart = left < run.x0 and run.x0 - right > 0.15 * look.size
            self._blank = self._blank or apart
            self._grow(run, text, left, right)
            return
        self._run = Run(text, left, right, base, look, len(self.runs), self._blank)
        self.runs.append(self._run)
        self._blank = False

    def _see(self, i: int) -> int:
        """The address of the text object that holds a character; 0 for one that none holds."""
        shown = raw.FPDFText_GetTextObject(self._textpage, i)
        if not shown:
            return 0
        address = ctypes.addressof(shown.contents)
        self._seen.add(address)
        return address

    def count_lost(self, page: pdfium.PdfPage) -> None:
        """Text objects that PDFium leaves out, since it thinks that they have no width.

        Those are single characters of a font that is neither in the file nor on the machine.
        """
        # Blanks have no width either, so only pages with Han characters are looked at.
        if not any("\u3400" <= c <= "\u9fff" for run in self.runs for c in run.text):
            return
        left, bottom, right, top = (ctypes.c_float() for _ in range(4))
        for i in range(raw.FPDFPage_CountObjects(page)):
            shown = raw.FPDFPage_GetObject(page, i)
            if raw.FPDFPageObj_GetType(shown) != raw.FPDF_PAGEOBJ_TEXT:
                continue
            if ctypes.addressof(shown.contents) in self._seen:
                continue
            raw.FPDFPageObj_GetBounds(shown, left, bottom, right, top)
            font = raw.FPDFTextObj_GetFont(shown)
            if right.value - left.value < 0.01 and not raw.FPDFFont_GetIsEmbedded(font):
                self.characters += 1
                self.unmapped += 1

    def _grow(self, run: Run, text: str, left: float, right: float) -> None:
        run.text += " " * self._blank + text
        run.x0, run.x1 = min(run.x0, left), max(run.x1, right)
        self._blank = False

    def _place(self, i: int, look: Look) -> tuple[float, float, float]:
        """Left, right and baseline of a character on the page as it is shown."""
        raw.FPDFText_GetCharOrigin(self._textpage, i, self._x, self._y)
        x, base = self.turned(self._x.value, self._y.value)
        if look.angle:
            return x, x, base
        box = self._box
        raw.FPDFText_GetLooseCharBox(self._textpage, i, box)
        if not self.turned.turns:  # as nearly all
            left = self.turned.left
            return box.left - left, box.right - left, base
        one, other = self.turned(box.left, box.bottom)[0], self.turned(box.right, box.top)[0]
        return min(one, other), max(one, other), base


def _tell_mono(runs: list[Run], widths: dict[Look, dict[str, float]]) -> None:
    """Type whose letters are all as wide is that of code, whatever its name."""
    even = {
        look: replace(look, mono=True)
        for look, found in widths.items()
        if len(found) >= 8 and max(found.values()) - min(found.values()) <= 0.03 * look.size
    }
    for run in runs:
        run.look = even.get(run.look, run.look)


def _is_beside(run: Run, left: float, right: float, base: float, text: str) -> bool:
    """The letters of a ligature all have its place; those of Arabic and Hebrew go to the left."""
    size = run.look.size
    if abs(run.y - base) > 0.06 * size:
        return False
    if -1.3 * size <= left - run.x1 <= _GAP * size:
        return True
    leftwards = unicodedata.bidirectional(text[-1]) in ("R", "AL", "NSM")
    return leftwards and run.x0 - _GAP * size <= right and left <= run.x1 + _GAP * size


def _character(code: int) -> tuple[str, bool]:
    """The character as text, and whether it means something; "�" where it is none."""
    if code in _LIGATURES:
        return _LIGATURES[code], True
    if code >= 0x110000 or 0xD800 <= code < 0xE000 or code & 0xFFFE == 0xFFFE:
        return "\ufffd", False
    character = chr(code)
    if character.isspace():
        return " ", True
    if unicodedata.category(character) == "Cc":
        return "\ufffd", False
    return character, code != 0xFFFD and not 0xE000 <= code < 0xF900
