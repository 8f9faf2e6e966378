"""What Word shows before the items of its lists: bullets, and numbers that it counts itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from askai.readers.building import one_line
from askai.readers.docx_xml import (
    attribute,
    child,
    child_number,
    child_value,
    is_on,
    number,
    tag_of,
    value_of,
)
from askai.readers.html_elements import Element
from askai.readers.html_lists import roman

_DEEPEST = 8  # Word has nine depths
_BULLETS = frozenset(("bullet", "none"))
_CHINESE = frozenset(
    ("chineseCounting", "chineseCountingThousand", "taiwaneseCounting", "taiwaneseCountingThousand")
)


@dataclass(frozen=True, slots=True)
class _Level:
    """How one depth of a list counts."""

    form: str = "bullet"
    first: int = 1
    text: str = ""  # "%1.%2)": the counts of the depths, and what is around them
    legal: bool = False  # shows the counts of all depths in plain digits


@dataclass(slots=True)
class Numbering:
    """Lists of a document: how each depth counts, and how far it is."""

    _levels: dict[tuple[str, int], _Level] = field(default_factory=dict)
    _counts: dict[str, dict[int, int]] = field(default_factory=dict)
    _shared: dict[str, str] = field(default_factory=dict)  # by list: what it counts together with

    @classmethod
    def of(cls, root: Element | None) -> "Numbering":
        """Of the part numbering.xml."""
        found = cls()
        abstract: dict[str, dict[int, _Level]] = {}
        by_style: dict[str, dict[int, _Level]] = {}
        borrowed: dict[str, str] = {}  # by list without levels: the style that has them
        for one in root if root is not None else ():
            if tag_of(one) == "abstractNum":
                name = attribute(one, "abstractNumId") or ""
                abstract[name] = dict(_levels(one))
                if style := child_value(one, "styleLink"):
                    by_style[style] = abstract[name]
                if style := child_value(one, "numStyleLink"):
                    borrowed[name] = style
        for name, style in borrowed.items():
            abstract[name] = abstract[name] or by_style.get(style, {})
        for one in root if root is not None else ():
            if tag_of(one) == "num":
                found._add(one, abstract)
        return found

    def _add(self, element: Element, abstract: dict[str, dict[int, _Level]]) -> None:
        name = attribute(element, "numId") or ""
        own: dict[int, _Level] = {}
        for part in element:
            if tag_of(part) == "abstractNumId":
                shared = value_of(part) or ""
                self._shared[name] = shared
                own = {**abstract.get(shared, {}), **own}
            elif tag_of(part) == "lvlOverride":
                self._shared[name] = f"own {name}"  # counts for itself
                own |= dict(_levels(part))
                depth = number(attribute(part, "ilvl"), 0)
                first = child_number(part, "startOverride", -1)
                if first >= 0 and depth in own:
                    own[depth] = replace(own[depth], first=first)
        for depth, level in own.items():
            self._levels[name, depth] = level

    def mark(self, name: str, depth: int) -> str:
        """What Word shows before the next item, with a blank after it; a bullet is "• "."""
        level = self._levels.get((name, depth), _Level())
        if level.form in _BULLETS:
            return "• " if level.form == "bullet" else ""
        counts = self._counts.setdefault(self._shared.get(name, name), {})
        for outer in range(depth):  # one that was passed over has begun
            if (name, outer) in self._levels:
                counts.setdefault(outer, self._levels[name, outer].first)
        counts[depth] = counts.get(depth, level.first - 1) + 1
        for deeper in [other for other in counts if other > depth]:
            del counts[deeper]

        def shown(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            own = self._levels.get((name, at), _Level("decimal"))
            return _counted(counts.get(at, own.first), "decimal" if level.legal else own.form)

        text = one_line(re.sub(r"%([1-9])", shown, level.text))
        return f"{text} " if text else ""


def list_of(properties: Element | None) -> tuple[str, int] | None:
    """The list of a paragraph or a style, and its depth in it; list "0" takes it out of any."""
    numbering = child(properties, "numPr")
    name = child_value(numbering, "numId")
    return (name, min(_DEEPEST, child_number(numbering, "ilvl", 0))) if name is not None else None


def _levels(element: Element) -> Iterator[tuple[int, _Level]]:
    for one in element:
        depth = number(attribute(one, "ilvl") or "0", -1)
        if tag_of(one) == "lvl" and depth >= 0:
            form = child_value(one, "numFmt") or "bullet"
            first = child_number(one, "start", 1)
            text = child_value(one, "lvlText") or ""
            yield depth, _Level(form, first, text, is_on(child(one, "isLgl")))


def _counted(count: int, form: str) -> str:
    if form in ("lowerLetter", "upperLetter") and 0 < count < 500:
        letter = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
        return letter if form == "lowerLetter" else letter.upper()
    if form in ("lowerRoman", "upperRoman") and 0 < count < 4000:
        return roman(count) if form == "lowerRoman" else roman(count).upper()
    if form in _CHINESE and 0 < count < 10_000:
        return _chinese(count)
    return f"{count:02}" if form == "decimalZero" else str(count)


def _chinese(count: int) -> str:
    shown = ""
    for digit, unit in zip(f"{count:04}", "千百十 ", strict=True):
        if digit != "0":
            shown += "零一二三四五六七八九"[int(digit)] + unit.strip()
        elif shown and not shown.endswith("零"):
            shown += "零"
    shown = shown.rstrip("零")
    return shown.removeprefix("一") if 10 <= count < 20 else shown  # 十一, but 一百一十一
