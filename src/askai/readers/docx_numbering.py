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
    number,
    tag_of,
    value_of,
)
from askai.readers.html_elements import Element

_DEEPEST = 8  # Word has nine depths
_BULLETS = frozenset(("bullet", "none"))
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
          (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Level:
    """How one depth of a list counts."""

    form: str = "bullet"
    first: int = 1
    text: str = ""  # "%1.%2)": the counts of the depths, and what is around them


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
        for one in root if root is not None else ():
            if tag_of(one) == "abstractNum":
                abstract[attribute(one, "abstractNumId") or ""] = dict(_levels(one))
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
            return _counted(counts.get(at, own.first), own.form)

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
            yield depth, _Level(form, first, child_value(one, "lvlText") or "")


def _counted(count: int, form: str) -> str:
    if form in ("lowerLetter", "upperLetter") and 0 < count < 500:
        letter = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
        return letter if form == "lowerLetter" else letter.upper()
    if form in ("lowerRoman", "upperRoman") and 0 < count < 4000:
        roman = ""
        for value, sign in _ROMAN:
            roman += sign * (count // value)
            count %= value
        return roman if form == "lowerRoman" else roman.upper()
    return str(count)
