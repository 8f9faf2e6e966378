"""Characters of the fonts that have their own: what `w:sym` shows, in Unicode."""

from askai.readers.docx_xml import attribute
from askai.readers.html_elements import Element

# From A and from a: the order of the font Symbol.
_GREEK = dict(enumerate("ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", 0x41)) | dict(
    enumerate("αβχδεφγηιϕκλμνοπθρστυϖωξψζ", 0x61)
)
_FONTS: dict[str, dict[int, str]] = {
    "symbol": _GREEK | {
        0x2D: "−", 0xA2: "′", 0xA3: "≤", 0xA5: "∞", 0xAB: "↔", 0xAC: "←", 0xAD: "↑", 0xAE: "→",
        0xAF: "↓", 0xB0: "°", 0xB1: "±", 0xB2: "″", 0xB3: "≥", 0xB4: "×", 0xB5: "∝", 0xB6: "∂",
        0xB7: "•", 0xB8: "÷", 0xB9: "≠", 0xBA: "≡", 0xBB: "≈", 0xBC: "…", 0xCE: "∈", 0xCF: "∉",
        0xD6: "√", 0xDB: "⇔", 0xDC: "⇐", 0xDD: "⇑", 0xDE: "⇒", 0xDF: "⇓", 0xE5: "∑", 0xF2: "∫",
    },
    "wingdings": {
        0x6C: "●", 0x6E: "■", 0x6F: "□", 0x76: "❖", 0x9F: "•", 0xA7: "▪", 0xA8: "□", 0xD8: "➢",
        0xDF: "←", 0xE0: "→", 0xE1: "↑", 0xE2: "↓", 0xE8: "➔", 0xEF: "⇦", 0xF0: "⇨", 0xFB: "✘",
        0xFC: "✔", 0xFD: "☒", 0xFE: "☑",
    },
    "wingdings 2": {0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0xA3: "□"},
    "wingdings 3": {},
    "webdings": {},
}  # fmt: skip


def symbol(element: Element) -> str:
    """The character of a `w:sym`; "" where its font shows something that Unicode may not have."""
    font = _FONTS.get((attribute(element, "font") or "").strip().lower())
    try:
        code = int(attribute(element, "char") or "", 16)
        shown = chr(code)
    except (ValueError, OverflowError):
        return ""
    if font is not None and code >> 8 in (0x00, 0xF0):  # F0E0 and 00E0 are the same
        return font.get(code & 0xFF, "")
    return shown if shown.isprintable() else ""
