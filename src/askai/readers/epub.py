"""EPUB books: their chapters in reading order, each as a web page without furniture."""

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote

from lxml import etree

from askai.errors import ReadError
from askai.readers import Reading
from askai.readers.archive import Archive, xml_parser
from askai.readers.building import Builder, iso_date, language_code, one_line
from askai.readers.html import check_size, decoded, parsed
from askai.readers.html_walk import Element, Skips, Visibility, Walker, find_notes

_WHAT = "an EPUB book"
_PAGES = frozenset(("application/xhtml+xml", "text/html", "application/x-dtbook+xml"))
_MOST_PAGES = 5_000
# What is encrypted otherwise than fonts are is the text.
_LOCKING = re.compile(
    rb"EncryptionMethod[^>]*Algorithm\s*=\s*[\"'](?!http://(?:www\.idpf\.org|ns\.adobe\.com))"
)


class EpubReader:
    name = "epub"
    version = "2"

    def read(self, data: bytes, *, password: str = "") -> Reading:  # noqa: ARG002
        with Archive(data, _WHAT) as archive:
            return _read(archive)


def _read(archive: Archive) -> Reading:
    container = archive.xml("META-INF/container.xml")
    if container is None:
        raise ReadError(f"the file is not {_WHAT}: it is a zip archive of something else")
    if _LOCKING.search(archive.read("META-INF/encryption.xml")):
        raise ReadError("the book is locked by its seller (DRM); askai cannot open it")
    name = next((one.get("full-path") for one in container.iter() if _tag(one) == "rootfile"), None)
    package = archive.xml(name) if name else None
    if package is None:
        raise ReadError(f"the file is not {_WHAT}: it has no list of its pages")
    builder = Builder()
    for page in _pages(package, archive, str(name)):
        root = _page(archive.read(page))
        if root is None:
            continue
        visibility = Visibility(root)
        body = next(root.iter("body"), root)
        contents = [one for one in body.iter("nav") if one is not body]
        walker = Walker(builder, Skips(visibility, contents), find_notes(root))
        walker.walk(body)
        walker.add_missing_notes()
    if builder.is_empty:
        raise ReadError("the book holds no text that can be seen")
    told = _told(package)
    return builder.reading(
        title=told.get("title"),
        author=told.get("creator"),
        published=iso_date(told.get("date")),
        language=language_code(told.get("language")),
        url=next(
            (one for one in (told.get("source"), told.get("identifier")) if _is_url(one)), None
        ),
    )


def _pages(package: Element, archive: Archive, name: str) -> Iterator[str]:
    """Names of the members that the spine lists, in its order."""
    folder = posixpath.dirname(name)
    items: dict[str, str] = {}
    contents: set[str] = set()
    for one in package.iter():
        if _tag(one) == "item" and (one.get("media-type") or "") in _PAGES and one.get("id"):
            href = (one.get("href") or "").partition("#")[0]
            places = [
                posixpath.normpath(posixpath.join(folder, place))
                for place in (unquote(href), href)  # some archives have names with %20
            ]
            items[one.get("id")] = next((place for place in places if place in archive), places[0])
            if "nav" in (one.get("properties") or "").split():
                contents.add(one.get("id"))
    told: set[str] = set()
    for one in package.iter():
        if _tag(one) != "itemref":
            continue
        key = one.get("idref") or ""
        page = items.get(key)
        if page is None or key in contents or page in told or page not in archive:
            continue
        told.add(page)
        if len(told) > _MOST_PAGES:
            raise ReadError(f"the book has over {_MOST_PAGES:,} pages; split it")
        yield page


def _page(data: bytes) -> Element | None:
    """The root of a page: as XML, which it should be, else as HTML; None where it is empty."""
    if not data.strip():
        return None
    check_size(data)
    try:
        root = etree.fromstring(data, xml_parser())
    except (etree.XMLSyntaxError, ValueError):
        return parsed(decoded(data)[0])
    for one in root.iter():
        if isinstance(one.tag, str):
            one.tag = one.tag.rpartition("}")[2].lower()
            kind = one.attrib.pop("{http://www.idpf.org/2007/ops}type", None)
            if kind:
                one.set("class", f"{one.get('class') or ''} {kind}")
    return root


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _told(package: Element) -> dict[str, str]:
    """What the package says of the book, by the names of Dublin Core; the first of each."""
    told: dict[str, str] = {}
    creators: list[str] = []
    for one in package.iter():
        if not isinstance(one.tag, str) or "purl.org/dc/" not in one.tag:
            continue
        text = one_line("".join(one.itertext()))
        if text and _tag(one) == "creator":
            creators.append(text)
        elif text:
            told.setdefault(_tag(one), text)
    if creators:
        told["creator"] = ", ".join(creators)
    return told


def _is_url(text: str | None) -> bool:
    return bool(text and re.fullmatch(r"https?://\S+", text))
