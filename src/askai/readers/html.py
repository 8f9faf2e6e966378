"""Web pages: their main text with its headings, items, tables and notes, and what they say of
themselves. Nothing of a page is run or fetched.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from askai.errors import ReadError
from askai.readers import Reading
from askai.readers.building import Builder, iso_date, language_code, one_line
from askai.readers.decoding import decode
from askai.readers.html_main import main_part
from askai.readers.html_walk import Element, Visibility, Walker, find_notes

_MEGABYTE = 1_000_000
MOST_BYTES = 32 * _MEGABYTE  # the longest page in use, a standard, has 15
_MOST_TAGS = 2_000_000  # an element takes 350 bytes of memory
_HEAD = 4096
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
# Names that browsers take for another, larger character set.
_LARGER = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030",
           "big5": "big5hkscs", "shift_jis": "cp932", "euc_kr": "cp949"}  # fmt: skip
# What comes after these would be a second document to the parser; to browsers it is not.
_CLOSED_EARLY = re.compile(r"</(?:html|body)\s*>", re.IGNORECASE)
# Browsers do not look for tags in it, so that one left open in it takes nothing from the page.
_NEVER_SHOWN = re.compile(
    r"<noscript\b[^<>]*>(?:[^<]|<(?!/?noscript|!--|/?script))*+</noscript\s*>", re.IGNORECASE
)
_BINARY = "the file is binary, not a web page"
_ADDRESS = re.compile(r"https?://[^\s<>\"]+\Z", re.IGNORECASE)
_AUTHORS = ("author", "article:author", "dc.creator", "dcterms.creator", "citation_author",
            "parsely-author", "sailthru.author", "byl")  # fmt: skip
_DATES = ("article:published_time", "datepublished", "date", "dc.date", "dc.date.issued",
          "dcterms.date", "dcterms.issued", "dcterms.created", "citation_publication_date",
          "citation_date", "publishdate", "pubdate", "parsely-pub-date", "sailthru.date",
          "og:published_time", "publish_date", "publication_date")  # fmt: skip


class HtmlReader:
    name = "html"
    version = "2"

    def read(self, data: bytes, *, password: str = "") -> Reading:  # noqa: ARG002
        check_size(data)
        text, encoding = decoded(data)
        root = parsed(text)
        visibility = Visibility(root)
        builder = Builder()
        part, skips = main_part(root, visibility)
        walker = Walker(builder, skips, find_notes(root))
        walker.walk(part)
        walker.add_missing_notes()
        if builder.is_empty:
            raise ReadError("the page holds no text that can be seen")
        said = _Said(root)
        return builder.reading(
            encoding=encoding,
            title=said.title(),
            language=language_code(root.get("lang") or root.get("xml:lang")),
            author=said.author(),
            published=said.published(part),
            url=said.url(),
        )


def check_size(data: bytes) -> None:
    """Raises ReadError for a page that would take more memory than a page is worth."""
    if len(data) > MOST_BYTES:
        raise ReadError(
            f"the page is {len(data) // _MEGABYTE} MB; askai reads pages of up to "
            f"{MOST_BYTES // _MEGABYTE} MB: split it"
        )
    if data.count(b"<") > _MOST_TAGS:
        raise ReadError(f"the page holds over {_MOST_TAGS:,} tags; split it")


def parsed(text: str) -> Element:
    """The root of a page. Raises ReadError where the page nests too deep to be one."""
    parser = etree.HTMLParser(
        encoding="utf-8",  # whatever the page says it was
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
        no_network=True,
        recover=True,
    )
    text = _NEVER_SHOWN.sub("", _CLOSED_EARLY.sub("", text.removeprefix("\ufeff")))
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.LxmlError, ValueError, MemoryError) as error:
        raise ReadError("the file is not a web page: no element in it can be read") from error
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        raise ReadError("the page nests over 2,000 elements in each other; it is damaged")
    if root is None:
        raise ReadError("the page holds no text that can be seen")
    return root


def decoded(data: bytes) -> tuple[str, str]:
    """The text and its encoding: by its mark, by what the page says, else by its bytes."""
    found = _CHARSET.search(data[:_HEAD])
    if found is None or data.startswith(
        (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    ):
        return decode(data)
    try:
        name = codecs.lookup(found[1].decode("ascii")).name
        name = _LARGER.get(name, name)
        if name.startswith(("utf-16", "utf-32")):  # what says so in ASCII is not
            name = "utf-8"
        text = data.decode(name, "replace")
    except (LookupError, UnicodeError, ValueError):
        return decode(data)
    if text.count("\ufffd") > max(2, len(text) // 500):
        return decode(data)
    if text.count("\x00") > len(text) // 1000:
        raise ReadError(_BINARY)
    # One stray byte is no reason to lose a page; browsers show the same sign for it.
    return text.replace("\x00", "\ufffd"), name


class _Said:
    """What a page says of itself, in its head and in the records for search engines."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._metas: dict[str, str] = {}
        for meta in root.iter("meta"):
            name = meta.get("property") or meta.get("name") or meta.get("itemprop") or ""
            content = one_line(meta.get("content") or "")
            if name and content:
                self._metas.setdefault(name.strip().lower(), content)
        self._records = list(_records(root))

    def title(self) -> str | None:
        """The heading of the page where its title repeats it, with the site's name or without."""
        tag = next(self._root.iter("title"), None)
        title = one_line("".join(tag.itertext())) if tag is not None else ""
        title = title or self._metas.get("og:title", "")
        heads = [one_line("".join(h.itertext())).rstrip("¶# ") for h in self._root.iter("h1")]
        for head in heads:
            if head and head.casefold() in title.casefold():
                return head
        return title or self._metas.get("og:title") or next((h for h in heads if h), None)

    def author(self) -> str | None:
        for name in _AUTHORS:
            found = self._metas.get(name, "")
            if found and not _ADDRESS.match(found):
                return found
        for record in self._records:
            if names := list(_names(record.get("author"))):
                return ", ".join(names)
        for link in self._root.iter("a", "span"):
            if "author" in (link.get("rel") or "").split() or link.get("itemprop") == "author":
                name = one_line("".join(link.itertext()))
                if name and len(name) < 100:
                    return name
        return None

    def published(self, part: Element) -> str | None:
        for name in _DATES[:1]:
            if found := iso_date(self._metas.get(name)):
                return found
        for record in self._records:
            if found := iso_date(_text(record.get("datePublished"))):
                return found
        for name in _DATES[1:]:
            if found := iso_date(self._metas.get(name)):
                return found
        times = [time for time in part.iter("time") if iso_date(time.get("datetime"))]
        for time in times:
            marks = f"{time.get('itemprop')} {time.get('class')}"
            if "pubdate" in time.attrib or re.search(r"publish|pubdate", marks, re.IGNORECASE):
                return iso_date(time.get("datetime"))
        return iso_date(times[0].get("datetime")) if times else None

    def url(self) -> str | None:
        links = (
            link.get("href") or ""
            for link in self._root.iter("link")
            if "canonical" in (link.get("rel") or "").lower().split()
        )
        for address in (*links, self._metas.get("og:url", "")):
            if _ADDRESS.match(address.strip()):
                return address.strip()
        return None


def _records(root: Element) -> Iterator[dict[str, Any]]:
    """Records of JSON-LD that tell of the page; a damaged one tells nothing."""
    for script in root.iter("script"):
        if (script.get("type") or "").strip().lower() != "application/ld+json":
            continue
        try:
            told = json.loads((script.text or "")[:_MEGABYTE])
        except (ValueError, RecursionError):
            continue
        for record in told if isinstance(told, list) else [told]:
            if isinstance(record, dict):
                yield record
                graph = record.get("@graph")
                yield from (one for one in graph or () if isinstance(one, dict))


def _names(told: object) -> Iterator[str]:
    for one in told if isinstance(told, list) else [told]:
        name = _text(one.get("name") if isinstance(one, dict) else one)
        if name and not _ADDRESS.match(name):
            yield name


def _text(told: object) -> str | None:
    return one_line(told) if isinstance(told, str) and told.strip() else None
