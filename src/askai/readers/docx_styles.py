"""What the styles of a Word document say of its paragraphs: headings, lists, and the language."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from askai.readers.building import language_code
from askai.readers.docx_numbering import list_of
from askai.readers.docx_xml import (
    attribute,
    child,
    child_value,
    is_on,
    number,
    tag_of,
    value_of,
)
from askai.readers.html_elements import Element

_HEADING_NAME = re.compile(
    r"(?:heading|überschrift|titre|título|titolo|标题|標題)\s*(\d)", re.IGNORECASE
)
_BODY_TEXT = 9  # the outline level of what is no heading
_DEEPEST = 100  # styles based on each other; Word makes no more than ten


@dataclass(slots=True)
class Style:
    name: str = ""
    base: str = ""
    outline: int | None = None
    numbering: tuple[str, int] | None = None  # list and depth
    language: str | None = None
    hides: bool | None = None  # None: as the style that it is based on


class Styles:
    """Of the part styles.xml."""

    def __init__(self, root: Element | None) -> None:
        self._styles: dict[str, Style] = {}
        self._hiding: dict[str, bool] = {}  # each run asks
        for one in root if root is not None else ():
            if tag_of(one) == "docDefaults":
                self._styles[""] = Style(language=_language_of(one))
            elif tag_of(one) == "style":
                self._styles[attribute(one, "styleId") or ""] = _style(one)

    def language(self) -> str | None:
        default = self._styles.get("")
        # Word writes "en-US" into the templates of all; only another language means something.
        code = language_code(default.language) if default else None
        return None if code == "en" else code

    def chain(self, name: str | None) -> Iterator[Style]:
        """A style and those it is based on."""
        seen: set[str] = set()
        while name and name not in seen and name in self._styles and len(seen) < _DEEPEST:
            seen.add(name)
            yield self._styles[name]
            name = self._styles[name].base

    def hides(self, name: str | None) -> bool:
        """Whether a style hides the text that it is of."""
        if not name:
            return False
        if name not in self._hiding:
            said = (style.hides for style in self.chain(name) if style.hides is not None)
            self._hiding[name] = next(said, False)
        return self._hiding[name]


def heading_level(properties: Element | None, chain: list[Style]) -> int | None:
    """By what the paragraph says itself, else by its styles; None: it is no heading."""
    if child_value(properties, "outlineLvl") is not None:
        return _outline(properties)
    for style in chain:
        if found := _HEADING_NAME.match(style.name):
            return max(1, int(found[1]))
        if style.name.lower() == "title":
            return 1
        if style.outline is not None:
            return style.outline
    return None


def _style(element: Element) -> Style:
    style = Style()
    for part in element:
        if tag_of(part) == "name":
            style.name = value_of(part) or ""
        elif tag_of(part) == "basedOn":
            style.base = value_of(part) or ""
        elif tag_of(part) == "pPr":
            style.outline = _outline(part)
            style.numbering = list_of(part)
        elif tag_of(part) == "rPr" and (vanish := child(part, "vanish")) is not None:
            style.hides = is_on(vanish)
    return style


def _outline(properties: Element | None) -> int | None:
    level = number(child_value(properties, "outlineLvl"), _BODY_TEXT)
    return level + 1 if level < _BODY_TEXT else None


def _language_of(defaults: Element) -> str | None:
    for one in defaults.iter():
        if tag_of(one) == "lang":
            return value_of(one)
    return None
