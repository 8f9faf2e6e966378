"""What the styles of a Word document say of its paragraphs: headings, lists, and the language."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from askai.readers.building import language_code
from askai.readers.docx_numbering import list_of
from askai.readers.docx_xml import attribute, child_value, number, tag_of, value_of
from askai.readers.html_elements import Element

_HEADING_NAME = re.compile(
    r"(?:heading|überschrift|titre|título|titolo|标题|標題)\s*(\d)", re.IGNORECASE
)
_BODY_TEXT = 9  # the outline level of what is no heading


@dataclass(slots=True)
class Style:
    name: str = ""
    base: str = ""
    outline: int | None = None
    numbering: tuple[str, int] | None = None  # list and depth
    language: str | None = None


class Styles:
    """Of the part styles.xml."""

    def __init__(self, root: Element | None) -> None:
        self._styles: dict[str, Style] = {}
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
        while name and name not in seen and name in self._styles:
            seen.add(name)
            yield self._styles[name]
            name = self._styles[name].base


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
    return style


def _outline(properties: Element | None) -> int | None:
    level = number(child_value(properties, "outlineLvl"), _BODY_TEXT)
    return level + 1 if level < _BODY_TEXT else None


def _language_of(defaults: Element) -> str | None:
    for one in defaults.iter():
        if tag_of(one) == "lang":
            return value_of(one)
    return None
