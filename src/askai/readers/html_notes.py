"""Notes of a web page: the links in small digits, and the elements that they lead to."""

import re
from dataclasses import dataclass, field
from itertools import islice

from askai.readers.building import superscript
from askai.readers.html_elements import HEADINGS, Element, is_longer, tag_of, tokens_of
from askai.sentences import SUPERSCRIPT

_INLINE_ANCHORS = frozenset("a span sup sub b i em strong cite small ins font".split())  # noqa: SIM905
# Of a text without blanks around it: two runs of blanks in a row take quadratic time.
_NOTE_LINK = re.compile(r"[\[(]?\s*(\d{1,3})\s*[\])]?\Z")
_MOST_CHARACTERS = 5_000


@dataclass(slots=True)
class Notes:
    """Links that are marks of notes, and the bodies of these notes, each with its label."""

    links: dict[Element, str] = field(default_factory=dict)
    bodies: dict[Element, str] = field(default_factory=dict)


def find_notes(root: Element) -> Notes:
    """Links that look like a note's mark and lead to a place further down."""
    links, places = _links_and_places(root)
    notes = Notes()
    bodies: dict[Element, Element | None] = {}  # by place
    are_notes: dict[Element, bool] = {}  # judged once: many places may lie in one long element
    for number, link, target, label in links:
        place = places.get(target)
        if place is None or place[0] <= number:
            continue
        if place[1] not in bodies:
            bodies[place[1]] = _around(place[1], link)
        body = bodies[place[1]]
        if body is None:
            continue
        if body not in are_notes:
            are_notes[body] = not is_longer(body, _MOST_CHARACTERS)
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
                links.append((number, element, target.partition("#")[2], shown[1]))
    return links, places


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


def without_mark(text: str, label: str) -> str:
    """A note's text without its own mark at the front and the links back around it."""
    digits = superscript(label)
    mark = re.match(
        rf"[\s\[(^↑]*(?:{label}|{digits})(?![.,:/]?[\d{SUPERSCRIPT}]|-\w|%|(?:st|nd|rd|th)\b)"
        r"[\s\])]*(?:[.:]\s+)?|[\s^↑]*",
        text,
    )
    return text[mark.end() if mark else 0 :].rstrip(" ↑↩⤴^\ufe0e")
