"""The text within blocks of a web page, with what is raised in small digits: marks and powers."""

import re
from collections.abc import Callable
from html.entities import html5
from itertools import islice

from lxml import etree

from askai.readers.building import one_line, superscript
from askai.readers.html_elements import BLOCKS, Element, tag_of
from askai.readers.html_notes import Notes
from askai.sentences import SUPERSCRIPT

_SPACE = re.compile(r"\s+")
# A line break in the file between two Chinese characters is none in the text.
_HAN_BREAK = re.compile(
    r"(?<=[\u3000-\u9fff\uff00-\uffef])[ \t]*[\r\n]\s*(?=[\u3000-\u9fff\uff00-\uffef])"
)
_INVISIBLE = re.compile("[\u00ad\u200b\u2060]")
_RAISED = dict(zip("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ", strict=True))
_MOST_RAISED = 8  # characters; what is longer is text
_MARKS = re.compile(r"[\s\d\[\]()（）,;、]*\Z")
_MOST_IN_MARK = 40  # elements


def flat(
    element: Element,
    skips: Callable[[Element], bool],
    *,
    lines: bool = False,
    notes: Notes | None = None,
) -> str:
    """All visible text of an element on one line; or with its own line breaks, as `pre` has."""
    pieces: list[str] = []
    walk = etree.iterwalk(element, events=("start", "end"))
    unseen: Element | None = None
    for event, one in walk:
        if event == "start":
            if add_entity(pieces, one) or skips(one) or add_small_digits(pieces, one, notes):
                unseen = one
                walk.skip_subtree()
                continue
            if tag_of(one) == "br":
                pieces.append("\n")
            elif tag_of(one) in BLOCKS:
                pieces.append("\n" if lines else " ")
            pieces.append(plain(one.text, raw=lines))
            continue
        if one is unseen:
            unseen = None
        elif tag_of(one) in BLOCKS:
            pieces.append("\n" if lines else " ")
        if one is not element:
            pieces.append(plain(one.tail, raw=lines))
    text = "".join(pieces)
    if not lines:
        return one_line(text)
    return "\n".join(line.rstrip() for line in re.split(r"\r\n?|\n", text)).strip("\n")


def plain(text: str | None, *, raw: bool = False) -> str:
    """A piece of text as a page shows it; `raw` with its blanks and line breaks."""
    if not text:
        return ""
    text = _INVISIBLE.sub("", text)
    return text if raw else _SPACE.sub(" ", _HAN_BREAK.sub("", text))


def add_entity(pieces: list[str], element: Element) -> bool:
    """Adds what "&eacute;" stands for: XML without its DTD, which is never loaded, keeps the name.

    False where the element is no entity. One of the page's own making stays its name.
    """
    if element.tag is not etree.Entity:
        return False
    pieces.append(html5.get(element.name + ";", element.text))
    return True


def add_small_digits(pieces: list[str], element: Element, notes: Notes | None) -> bool:
    """Adds what stands for an element whose text is raised: marks of notes, or a power.

    False where it is neither.
    """
    inner = list(islice(element.iter(), _MOST_IN_MARK + 1)) if element.tag == "sup" else [element]
    links = notes.links if notes is not None else {}
    labels = [links[one] for one in inner if one in links]
    if not labels and element.tag != "sup":
        return False
    if len(inner) > _MOST_IN_MARK:  # left open, it holds the rest of the page
        return False
    text = "".join(element.itertext())
    power = "" if labels or len(element) > 2 else raised(text.strip())
    if not power and not (labels and _MARKS.match(text)):
        return False
    if pieces and notes is not None:
        # Some pages have a blank between a sentence and the mark of its note.
        pieces[-1] = pieces[-1].rstrip(" ")
    before = next((piece for piece in reversed(pieces) if piece.strip(" ")), "")
    if labels and before[-1:] and before[-1] in SUPERSCRIPT:
        pieces.append(" ")  # [1][2] are two notes, and not the twelfth
    pieces.append(power or " ".join(map(superscript, labels)))
    return True


def raised(text: str) -> str:
    """A text in small characters, as "⁻³" is; "" where not all of it has them."""
    if len(text) > _MOST_RAISED or not all(one in _RAISED for one in text):
        return ""
    return "".join(_RAISED[one] for one in text)
