"""Elements of WordprocessingML by their plain names.

Strict documents name their elements by other addresses than all others do, with the same endings.
"""

from collections.abc import Iterator

from lxml import etree

from askai.readers.html_elements import Element

# `rt` says how the characters below it are read.
NO_TEXT = frozenset(
    "del moveFrom instrText delText fldData pPr rPr sdtPr sectPr Fallback rt".split()  # noqa: SIM905
)
_OFF = ("0", "false", "off", "none")


def tag_of(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str | None:
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return None


def value_of(element: Element) -> str | None:
    return attribute(element, "val")


def child(element: Element | None, name: str) -> Element | None:
    if element is None:
        return None
    return next((one for one in element if tag_of(one) == name), None)


def child_value(element: Element | None, name: str) -> str | None:
    one = child(element, name)
    return value_of(one) if one is not None else None


def number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else default


def child_number(element: Element | None, name: str, default: int) -> int:
    return number(child_value(element, name), default)


def is_on(element: Element | None) -> bool:
    return element is not None and (value_of(element) or "true").lower() not in _OFF


def topmost(element: Element, *names: str) -> Iterator[Element]:
    """Elements of these names with text, in content controls and the like too; none within one."""
    walk = etree.iterwalk(element, events=("start",))
    for _, one in walk:
        tag = tag_of(one)
        if one is element:
            continue
        if tag in names:
            walk.skip_subtree()
            yield one
        elif tag in NO_TEXT or not tag:
            walk.skip_subtree()
