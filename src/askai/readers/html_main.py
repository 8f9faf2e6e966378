"""Which element of a page holds its main text, and what in it is furniture.

A page that names its main part is believed. Of another one jusText judges each paragraph by its
length, its links and its neighbours, and the main part is the innermost element that holds nearly
all that it keeps: so tables and lists, which it does not judge, stay with the text around them.
Within the main part, what jusText keeps nothing of goes where it is mostly links, or where its
class says what it is.
"""

import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import groupby

from justext.core import (
    ParagraphMaker,
    classify_paragraphs,
    revise_paragraph_classification,
)
from justext.paragraph import Paragraph
from lxml import etree

from askai.readers.html_elements import Element, Skips, Visibility, tag_of, tokens_of

_FURNITURE_TAGS = frozenset(("nav", "aside", "form"))
_FURNITURE_ROLES = frozenset(
    "navigation banner contentinfo search complementary breadcrumb breadcrumbs headerlink "  # noqa: SIM905
    "noprint".split()
)
_FURNITURE_NAMES = re.compile(
    r"(?:^|[-_\s])(?:nav|navbar|navigation|menu|breadcrumbs?|sidebar|widgets?|share|sharing|social"
    r"|sharedaddy|related|comments?|commentlist|respond|footer|pagination|pager|cookies?|newsletter"
    r"|promo|teasers?|advert\w*|ads?|tags|tagcloud|postmeta|meta|recommended|popular|toolbar"
    r"|login|subscribe|banner)(?:$|[-_\s])",
    re.IGNORECASE,
)
_PARTS = frozenset("div section ul ol dl aside footer header p td span figure".split())  # noqa: SIM905
_LEAST = 0.25  # of the visible text, for a main part to be believed
_SMALL = 20_000  # characters: of a longer page the main part may well be less
_NEARLY_ALL = 0.85  # of what jusText keeps: one stray line of a footer moves nothing
_LINKED = 0.5
_MOST_ELEMENTS = 50_000  # of a page to judge; a longer one is taken whole
_MOST_KEPT = 5_000
_DEEPEST = 250
_MOST_RUNS = 2_000
_NUMBER = "data-askai-number"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(slots=True)
class _Size:
    """Visible characters of an element, blanks apart."""

    all: int
    linked: int
    kept: int = 0  # by jusText


def main_part(root: Element, visibility: Visibility) -> tuple[Element, Skips]:
    """The element to walk, and what to pass over in it."""
    body = next(root.iter("body"), root)
    sizes = _sizes(body, visibility)
    kept = _kept(body, sizes, visibility)
    for element, weight in kept.items():
        for one in (element, *element.iterancestors()):
            if one in sizes:
                sizes[one].kept += weight
    whole = sizes[body].all if body in sizes else 0
    least = _LEAST * whole if whole <= _SMALL else 0
    for candidate in _candidates(body, sizes):
        furniture = _furniture(candidate, sizes, judged=bool(kept), within=candidate is not body)
        if sizes[candidate].all - _lost(furniture, sizes) >= max(1, least):
            return candidate, Skips(visibility, furniture)
    return body, Skips(visibility, _furniture(body, sizes, judged=False, within=False))


def _candidates(body: Element, sizes: dict[Element, _Size]) -> Iterator[Element]:
    mains = [one for one in sizes if one.tag == "main" or one.get("role") == "main"]
    if mains:
        yield max(mains, key=lambda one: sizes[one].all)
    articles = [one for one in sizes if one.tag == "article"]
    if articles:
        largest = max(articles, key=lambda one: sizes[one].all)
        if sizes[largest].all > 0.5 * sum(sizes[one].all for one in articles):
            yield largest
    if body in sizes and sizes[body].kept:
        part = body
        while True:
            inner = (one for one in part if one in sizes)
            following = max(inner, key=lambda one: sizes[one].kept, default=None)
            if following is None or sizes[following].kept < _NEARLY_ALL * sizes[body].kept:
                break
            part = following
        # An item of a list or a cell of a table is the whole of nothing.
        while part is not body and part.tag in (
            "p",
            "li",
            "td",
            "tr",
            "tbody",
            "table",
            "ul",
            "ol",
        ):
            part = part.getparent()
        yield part


def _sizes(body: Element, visibility: Visibility) -> dict[Element, _Size]:
    sizes: dict[Element, _Size] = {}
    begun: list[tuple[int, int]] = []
    total = linked = links = 0
    walk = etree.iterwalk(body, events=("start", "end"))
    unseen: Element | None = None
    for event, element in walk:
        if event == "start":
            if visibility.hides(element):
                unseen = element
                walk.skip_subtree()
                continue
            begun.append((total, linked))
            links += element.tag == "a"
            length = _length(element.text)
        else:
            if element is unseen:
                unseen = None
            else:
                links -= element.tag == "a"
                before, linked_before = begun.pop()
                sizes[element] = _Size(total - before, linked - linked_before)
            length = _length(element.tail) if element is not body else 0
        total += length
        linked += length if links else 0
    return sizes


def _length(text: str | None) -> int:
    return len("".join(text.split())) if text else 0


def _furniture(
    root: Element, sizes: dict[Element, _Size], *, judged: bool, within: bool
) -> list[Element]:
    """Elements that are not text; one that holds most of it is text whatever its name says.

    `within` the main part a header or a footer is the text's own.
    """
    whole = max(1, sizes[root].all if root in sizes else 0)
    found: list[Element] = []
    walk = etree.iterwalk(root, events=("start",))
    for _, element in walk:
        size = sizes.get(element)
        if element is root or size is None:
            continue
        tag = tag_of(element)
        named = tag in _FURNITURE_TAGS or bool(_FURNITURE_ROLES.intersection(tokens_of(element)))
        if not named and not within and tag in ("header", "footer"):
            named = not any(one.tag in ("main", "article") for one in element.iterancestors())
        if not named and judged and tag in _PARTS and not size.kept:
            named = (size.linked > _LINKED * size.all and tag not in ("p", "td", "span")) or bool(
                _FURNITURE_NAMES.search(f"{element.get('class')} {element.get('id')}")
            )
        # What holds the heading of the page is none, nor is what holds most of its text.
        if named and size.all < 0.4 * whole and next(element.iter("h1"), None) is None:
            found.append(element)
            walk.skip_subtree()
    return found


def _lost(furniture: list[Element], sizes: dict[Element, _Size]) -> int:
    return sum(sizes[one].all for one in furniture)


def _kept(body: Element, sizes: dict[Element, _Size], visibility: Visibility) -> dict[Element, int]:
    """The elements of the paragraphs that jusText takes for text, with their lengths.

    Without its lists of common words, which it has for some languages only.
    """
    if len(sizes) > _MOST_ELEMENTS or _is_deep(body):
        return {}
    elements = list(sizes)
    root = _numbered_copy(body, elements, visibility)
    try:
        paragraphs = ParagraphMaker.make_paragraphs(root)
    except RecursionError:  # it descends by calls
        return {}
    classify_paragraphs(paragraphs, frozenset(), stopwords_low=0, stopwords_high=0)
    # Short paragraphs in a row share their neighbours, and so their fate. jusText looks for the
    # neighbours of each: of 4,000 in a row for 14 s.
    runs = [list(run) for _, run in groupby(paragraphs, key=_alike)]
    if len(runs) > _MOST_RUNS:
        return {}
    revise_paragraph_classification([run[0] for run in runs])
    good = [one for run in runs if not run[0].is_boilerplate for one in run if not one.is_heading]
    if len(good) > _MOST_KEPT:
        return {}
    tree = root.getroottree()
    numbers = [(tree.xpath(one.xpath), len(one.text)) for one in good]
    kept: Counter[Element] = Counter()
    for places, length in numbers:
        if places and places[0].get(_NUMBER):
            kept[elements[int(places[0].get(_NUMBER))]] += length
    return kept


def _numbered_copy(body: Element, elements: list[Element], visibility: Visibility) -> Element:
    """A page of what is seen of a body, for jusText, each element with its place among these."""
    for number, element in enumerate(elements):
        element.set(_NUMBER, str(number))
    copy = deepcopy(body)
    for element in elements:
        del element.attrib[_NUMBER]
    copy.tail = None
    # jusText names elements by paths, in which `<o:p>`, or `<td"` of a damaged page, has no place.
    for element in [one for one in copy.iter(etree.Element) if not _NAME.fullmatch(one.tag)]:
        element.tag = "span"
    for element in [one for one in copy.iterdescendants(etree.Element) if visibility.hides(one)]:
        _empty(element)
    root = etree.Element("html")
    root.append(copy)
    return root


def _alike(paragraph: Paragraph) -> tuple[str, int]:
    shared = paragraph.cf_class in ("short", "neargood")
    return paragraph.cf_class, paragraph.is_heading if shared else id(paragraph)


def _is_deep(body: Element) -> bool:
    """Whether elements nest so deep that the paths which jusText keeps would take minutes."""
    depth = 0
    for event, _ in etree.iterwalk(body, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > _DEEPEST:
            return True
    return False


def _empty(element: Element) -> None:
    """Takes what is in an element away, and what it was; the text after it stays."""
    element.text = None
    del element[:]
    element.attrib.clear()
    element.tag = "span"
