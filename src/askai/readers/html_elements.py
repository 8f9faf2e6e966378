"""Elements of a web page: their names, and which of them its reader sees.

What a reader of the page would not see is passed over: scripts, templates, comments, and what an
attribute or a plain rule of the page's own styles hides. Text that is moved off the page or painted
in its colour is seen.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import TypeAlias

from lxml import etree

Element: TypeAlias = etree._Element  # noqa: SLF001  lxml has no public name for it

_UNSEEN = frozenset(
    "script style template noscript iframe object embed svg canvas audio video map head select "  # noqa: SIM905
    "textarea input datalist progress meter button annotation annotation-xml rt rp "
    "noembed noframes applet".split()
)
BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset "  # noqa: SIM905
    "figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main "
    "menu nav ol p pre search section summary table tbody td tfoot th thead tr ul "
    "xmp listing plaintext".split()
)
HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_DECLARED = re.compile(r"(?:^|[;\s])(display|visibility|font-size)\s*:[^;]*", re.IGNORECASE)
_HIDING = re.compile(
    r"[;\s]?(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)"
    r"|font-size\s*:\s*0+(?:\.0*)?(?:px|pt|em|rem|%)?\s*(?:!important\s*)?\Z)",
    re.IGNORECASE,
)
_STYLE_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_PLAIN_SELECTOR = re.compile(r"\s*(?:[a-z][\w-]*)?[.#][A-Za-z_][\w-]*\s*\Z")
_MOST_STYLE = 1_000_000  # characters of one style sheet


def tag_of(element: Element) -> str:
    return element.tag if isinstance(element.tag, str) else ""


def tokens_of(element: Element) -> list[str]:
    """Its classes, roles and types, in lower case."""
    names = (element.get(name) or "" for name in ("class", "role", "epub:type", "type"))
    return " ".join(names).lower().split()


def number_at_front(text: str | None, default: int) -> int:
    found = re.match(r"\s*(\d{1,5})", text or "")
    return int(found[1]) if found else default


def is_longer(element: Element, limit: int) -> bool:
    """Whether it holds more characters than `limit`, hidden ones too."""
    for text in element.itertext():
        limit -= len(text.strip())
        if limit < 0:
            return True
    return False


class Visibility:
    """What of a page is hidden, by its elements and by rules of its own styles for one name."""

    def __init__(self, root: Element) -> None:
        found: dict[str, dict[str, bool]] = {}
        for style in root.iter("style"):
            for names, body in _top_rules((style.text or "")[:_MOST_STYLE]):
                if declared := _declared(body):
                    for name in names.split(","):
                        if _PLAIN_SELECTOR.match(name):
                            found.setdefault(name.strip(), {}).update(declared)
        self._rules = {name for name, declared in found.items() if any(declared.values())}
        if self._rules:
            self._rules -= self._uncovered(root)

    def hides(self, element: Element) -> bool:
        tag = tag_of(element)
        if tag in _UNSEEN or not tag:
            # The question of a fold-out answer is often a button.
            parent = element.getparent()
            return not (tag == "button" and parent is not None and parent.tag in HEADINGS)
        attributes = element.attrib
        if not attributes:
            return tag == "dialog"
        if "hidden" in attributes or (tag == "dialog" and "open" not in attributes):
            return str(attributes.get("hidden")) != "until-found"
        if (attributes.get("aria-hidden") or "").strip().lower() == "true":
            return True
        style = attributes.get("style")
        if style and any(_declared(style).values()):
            return True
        return bool(self._rules) and bool(self._rules_for(element, tag))

    def seen(self, elements: Collection[Element]) -> set[Element]:
        """Those that stand in nothing hidden."""
        found: set[Element] = set()
        if not elements:
            return found
        root = next(iter(elements)).getroottree().getroot()
        walk = etree.iterwalk(root, events=("start",))
        for _, element in walk:
            if self.hides(element):
                walk.skip_subtree()
            elif element in elements:
                found.add(element)
        return found

    def _rules_for(self, element: Element, tag: str) -> list[str]:
        """The rules that hide an element."""
        names = [f".{name}" for name in (element.get("class") or "").split()]
        if one := element.get("id"):
            names.append(f"#{one}")
        return [
            name for one in dict.fromkeys(names) for name in (one, tag + one) if name in self._rules
        ]

    def _uncovered(self, root: Element) -> set[str]:
        """Rules that hide nearly all of a page: a script shows it, and so they hide nothing."""
        total = 0
        begun: list[int] = []
        longest: dict[str, int] = {}
        walk = etree.iterwalk(root, events=("start", "end"))
        for event, element in walk:
            tag = tag_of(element)
            if event == "start":
                begun.append(total)
                if tag in ("script", "style"):
                    walk.skip_subtree()
                else:
                    total += len((element.text or "").strip())
                continue
            length = total - begun.pop()
            for name in self._rules_for(element, tag):
                longest[name] = max(length, longest.get(name, 0))
            total += len((element.tail or "").strip())
        return {name for name, length in longest.items() if length > int(0.9 * total)}


def _declared(style: str) -> dict[str, bool]:
    """By property whether it hides; of two of one name the last."""
    return {match[1].lower(): bool(_HIDING.match(match[0])) for match in _DECLARED.finditer(style)}


def _top_rules(text: str) -> Iterator[tuple[str, str]]:
    """Rules that hold always: none within @media and the like."""
    text = _STYLE_COMMENT.sub("", text)
    depth = start = 0
    for match in re.finditer(r"[{}]", text):
        if match[0] == "{":
            depth += 1
            continue
        depth = max(0, depth - 1)
        if depth == 0:
            piece = text[start : match.start()]
            start = match.end()
            names, _, body = piece.partition("{")
            names = names.rpartition(";")[2]  # @charset and @import end before them
            if piece.count("{") == 1 and "@" not in names:
                yield names, body


class Skips:
    """What a walk passes over: the hidden, and the furniture that is named."""

    def __init__(self, visibility: Visibility, furniture: Iterable[Element] = ()) -> None:
        self.visibility = visibility
        self.furniture = frozenset(furniture)

    def __call__(self, element: Element) -> bool:
        return element in self.furniture or self.visibility.hides(element)
