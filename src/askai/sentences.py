"""Sentence boundaries in English, French, Spanish and Chinese, as offsets.

Rules rather than a model: a boundary follows closing punctuation (with its quotes and note marks)
where the next character can begin a sentence. An abbreviation or an initial ends none.
"""

import re

SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_CLOSERS = "\"'”’»›)）]】」』》"
# Western punctuation needs a following blank; Chinese needs none.
_END = re.compile(
    rf"(?:(?<![.!?…])(?P<western>[.!?…]++)(?:[{re.escape(_CLOSERS)}]|[ \xa0\u202f]»)*+"
    rf"(?:[{SUPERSCRIPT}]++[{re.escape(_CLOSERS)}]*+)?"
    rf"(?=\s|$)|[。！？；]+[{re.escape(_CLOSERS)}]*[{SUPERSCRIPT}]*)"
)
_LAST_WORD = re.compile(r"(?:^|[\s(\[“‘«\"'])((?:[^\W\d_]\.)*[^\W\d_]+)$")
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof gov sen lt mt st al etc cf vs viz approx dept "  # noqa: SIM905  read as words
    "e.g i.e u.s u.k e.u u.n a.m p.m m mm mme mlle sr sra srta uds av ee ee.uu".split()
)
# Words of their own in one of the languages, but before a number.
_BEFORE_NUMBERS = frozenset(
    "no nos vol vols fig figs eq ch sec art p pp núm pág págs est ud "  # noqa: SIM905
    "jan feb mar apr jun jul aug sept sep oct nov dec".split()
)
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff，、：；]")
_NUMBER = re.compile(r"[\s*_]*\d")  # also "No. **1863**"
_STARTS_LOWER = re.compile(r"\s*[a-zà-öø-ÿ]")
# A final "Inc." can end a sentence, so it does unless what follows is lower case or in brackets.
_COMPANY = frozenset(("inc", "ltd", "co", "corp", "llc", "plc", "cie"))
_BRACKET = re.compile(r"\s*[(（]")
_ENDS_FINISHED = re.compile(rf"[.!?…。！？；][{re.escape(_CLOSERS)}]*[{SUPERSCRIPT}]*\s*$")


def split(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, without the blanks around it; together they hold every
    non-blank character of `text`."""
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if match["western"] is not None and _goes_on(text, match):
            continue
        _append(spans, text, start, match.end())
        start = match.end()
    _append(spans, text, start, len(text))
    return spans


def is_finished(text: str) -> bool:
    """Whether a block of text ends with closing punctuation."""
    return bool(_ENDS_FINISHED.search(text[-12:]))


def _goes_on(text: str, match: re.Match[str]) -> bool:
    if _STARTS_LOWER.match(text[match.end() : match.end() + 8]):
        return True
    if match["western"] != ".":
        return False
    word = _LAST_WORD.search(text[max(0, match.start() - 24) : match.start()])
    if word is None:
        return False
    name = word[1]
    if name.lower() in _BEFORE_NUMBERS and _NUMBER.match(text, match.end()):
        return True
    if name.lower() in _COMPANY and _BRACKET.match(text, match.end()):
        return True
    return name.lower() in _ABBREVIATIONS or (len(name) == 1 and name.isupper())


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        first = start + len(piece) - len(piece.lstrip())
        spans.append((first, first + len(stripped)))


def joined(front: str, back: str) -> str:
    """Two pieces of a sentence: with a blank, but for two that meet in Han characters."""
    if _HAN.match(front[-1:]) and _HAN.match(back[:1]):
        return front + back
    return f"{front} {back}"
