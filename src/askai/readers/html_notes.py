"""Notes of a web page: the links in small digits, and the elements that they lead to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from askai.readers.building import superscript
from askai.readers.html_elements import HEADINGS, Element, is_longer, tag_of, tokens_of
from askai.sentences import SUPERSCRIPT

_INLINE_ANCHORS = frozenset("a span sup sub b i em strong cite small ins font".split())  # noqa: SIM905
# Of a text without blanks around it: two runs of blanks in a row take quadratic time.
_NOTE_LINK = re.compile(r"[\[(]?\s*(\d{1,3})\s*[\])]?\Z")
_MOST_CHARACTERS = 5_000
_MOST_IN_NOTE = 1_000  # elements


@dataclass(slots=True)
class Notes:
    """Links that are marks of notes, and the bodies of these notes, each with its label."""

    links: dict[Element, str] = field(default_factory=dict)
    bodies: dict[Element, str] = field(default_factory=dict)


def find_notes(root: Element) -> Notes:
    """Links that look like a note's mark and lead to a place further down."""
    links, places = _links_and_places(root)
    notes = Notes()
    pages: dict[Element, set[str]] = {}  # by body: those that it links to
    bodies: dict[Element, Element | None] = {}  # by place
    are_notes: dict[Element, bool] = {}  # judged once: many places may lie in one long element
    for number, link, target, label in links:
        page, _, anchor = target.partition("#")
        place = places.get(anchor)
        if place is None or place[0] <= number:
            continue
        if place[1] not in bodies:
            bodies[place[1]] = _around(place[1], link)
        body = bodies[place[1]]
        if body is None:
            continue
        if body not in are_notes:
            are_notes[body] = not is_longer(body, _MOST_CHARACTERS)
        if page:  # this one, where the note links back to it
            if body not in pages:
                pages[body] = set(_pages_linked(body))
            if page not in pages[body]:
                continue
        if are_notes[body] and notes.bodies.setdefault(body, label) == label:
            notes.links[link] = label
    return notes


def _links_and_places(
    root: Element,
) -> tuple[list[tuple[int, Element, str, str]], dict[str, tuple[int, Element]]]:
    """Links with their targets and labels, and what can be a target; numbered in their order."""
    links: list[tuple[int, Element, str, str]] = []
    places: dict[str, tuple[int, Element]] = {}
    for number, element in enumerate(root.iter()):
        if not isinstance(element.tag, str):
            continue
        for name in ("id", "name"):
            if (anchor := element.get(name)) and anchor not in places:
                places[anchor] = number, element
        target = element.get("href") or ""
        if element.tag == "a" and len(target) > 1 and "#" in target and len(element) < 4:
            shown = _NOTE_LINK.match("".join(islice(element.itertext(), 9)).strip())
            if shown and _is_note_link(element):
                links.append((number, element, target, shown[1]))
    return links, places


def _pages_linked(body: Element) -> Iterator[str]:
    for one in islice(body.iter(), _MOST_IN_NOTE):
        page, sign, _ = (one.get("href") or "").partition("#")
        if sign:
            yield page


def _is_note_link(element: Element) -> bool:
    names = tokens_of(element)
    if any("backref" in name or "backlink" in name for name in names):
        return False
    parent = element.getparent()
    near = [element, *element, *([parent] if parent is not None else [])]
    return any(tag_of(one) == "sup" for one in near) or any(
        "footnote" in name or "noteref" in name or name == "fn" for name in names
    )


def _around(place: Element, link: Element) -> Element | None:
    """The block that a place is in, where it can be a note's."""
    body: Element | None = place
    while body is not None and tag_of(body) in _INLINE_ANCHORS:
        body = body.getparent()
    if body is not None and tag_of(body) in ("td", "th", "tr"):
        while body is not None and tag_of(body) != "table":
            body = body.getparent()
        if body is not None and sum(1 for _ in islice(body.iter("tr"), 2)) > 1:
            return None
    if body is None or tag_of(body) in (*HEADINGS, "body", "html", "main"):
        return None
    # A note beside its own mark, in one paragraph: to take it out would take the paragraph.
    if body is not place and body in link.iterancestors():
        return None
    return body


def may_begin_with_number(body: Element, label: str) -> bool:
    """Whether a number without brackets at the front of a note can be its mark.

    In a list that shows its numbers only one that stands in an element of its own can.
    """
    item = body if tag_of(body) == "li" else body.getparent()
    around = item.getparent() if item is not None and tag_of(item) == "li" else None
    if around is None or tag_of(around) != "ol":
        return True
    first = next((text for text in body.itertext() if re.search(r"\w", text)), "")
    return first.strip().rstrip(".:") == label


def without_mark(text: str, label: str, *, bare: bool = True) -> str:
    """A note's text without its own mark at the front and the links back around it.

    `bare`: the mark may be without brackets.
    """
    digits = superscript(label)
    plain = label if bare else rf"[\[(]\s*{label}\s*[\])]"
    mark = re.match(
        rf"[\s\[(^↑]*(?:{plain}|{digits})(?![.,:/]?[\d{SUPERSCRIPT}]|-\w|%|(?:st|nd|rd|th)\b)"
        r"[\s\])]*(?:[.:]\s+)?|[\s^↑]*",
        text,
    )
    return text[mark.end() if mark else 0 :].rstrip(" ↑↩⤴^\ufe0e")
