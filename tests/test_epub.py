"""EPUB books: chapters in reading order, with what the package says of the book."""

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askai.errors import ReadError
from askai.readers.epub import EpubReader
from marked_up import read, read_or_refused, spans, texts, zipped

READER = EpubReader()
_CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>"""
_OPF = """<package xmlns="http://www.idpf.org/2007/opf"><metadata
xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>A Book</dc:title>
<dc:creator>A. One</dc:creator>
<dc:creator>B. Two</dc:creator><dc:date>2019-05-06</dc:date><dc:language>fr-FR</dc:language>
<dc:source>https://book.example/</dc:source></metadata><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="text/chapter%20two.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/one.xhtml" media-type="application/xhtml+xml"/>
<item id="c" href="../../outside.xhtml" media-type="application/xhtml+xml"/>
<item id="p" href="cover.png" media-type="image/png"/></manifest>
<spine><itemref idref="nav"/><itemref idref="a"/><itemref idref="b"/><itemref idref="c"/>
<itemref idref="p"/><itemref idref="gone"/><itemref idref="a"/></spine></package>"""
_ONE = """<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html
xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title/></head>
<body><h1>Un</h1><p>Une phrase.<a epub:type="noteref" href="#n1">1</a></p><script/>
<aside epub:type="footnote" id="n1"><p>1. La note.</p></aside></body></html>"""
_TWO = "<html><body><h1>Deux</h1><p>Not &nbsp; well formed<p>at all<ul><li>x</ul>"


def book(**changes: bytes | str | None) -> bytes:
    members: dict[str, bytes | str | None] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": _CONTAINER,
        "OEBPS/book.opf": _OPF,
        "OEBPS/nav.xhtml": "<html><body>Contents</body></html>",
        "OEBPS/text/one.xhtml": _ONE,
        "OEBPS/text/chapter two.xhtml": _TWO,
    } | changes
    return zipped({name: data for name, data in members.items() if data is not None})


def test_a_book():
    reading = read(READER, book())
    assert texts(reading, "heading") == ["Un", "Deux"]
    assert texts(reading, "paragraph") == ["Une phrase.¹", "Not well formed", "at all"]
    assert texts(reading, "bullet") == ["• x"]
    assert spans(reading, "footnote") == [("1", "¹ La note.")]
    assert spans(reading, "reference") == [("1", "¹")]
    assert (reading.title, reading.author, reading.published) == (
        "A Book", "A. One, B. Two", "2019-05-06",
    )  # fmt: skip
    assert (reading.language, reading.url) == ("fr", "https://book.example/")


def test_paths_that_lead_out_are_read_and_written_nowhere(tmp_path, monkeypatch):
    (tmp_path / "outside.xhtml").write_text("<p>secret</p>")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    reading = read(READER, book(**{"../evil.txt": "x"}))
    assert "secret" not in reading.text
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "outside.xhtml"]


def test_fonts_may_be_encrypted_and_text_may_not():
    entry = '<encryption><EncryptionMethod Algorithm="{}"/></encryption>'
    fonts = {"META-INF/encryption.xml": entry.format("http://www.idpf.org/2008/embedding")}
    assert read(READER, book(**fonts)).title == "A Book"
    locked = {
        "META-INF/encryption.xml": entry.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc")
    }
    with pytest.raises(ReadError, match="DRM"):
        READER.read(book(**locked))


@pytest.mark.parametrize("sign", ['"', "'"], ids=["double", "single"])
@pytest.mark.parametrize("equals", ["=", " = "], ids=["tight", "loose"])
def test_a_locked_book_however_it_is_written(sign, equals):
    how = f"Algorithm{equals}{sign}http://www.w3.org/2001/04/xmlenc#aes128-cbc{sign}"
    entry = f"<encryption><EncryptionMethod {how}/></encryption>"
    with pytest.raises(ReadError, match="DRM"):
        READER.read(book(**{"META-INF/encryption.xml": entry}))


def test_a_member_whose_name_is_escaped_in_the_archive_too():
    moved = {"OEBPS/text/chapter two.xhtml": None, "OEBPS/text/chapter%20two.xhtml": _TWO}
    assert texts(read(READER, book(**moved)), "heading") == ["Un", "Deux"]


def test_a_damaged_member_packed_by_lzma_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("META-INF/container.xml", _CONTAINER * 9)
    data = bytearray(file.getvalue())
    data[120:160] = bytes(40)
    with pytest.raises(ReadError, match="damaged"):
        READER.read(bytes(data))


def test_two_tables_that_follow_each_other_are_two():
    table = "<table><tr><th>a</th><th>b</th></tr><tr><td>{}</td><td>y</td></tr></table>"
    page = f"<html><body>{table.format(1)}{table.format(2)}</body></html>"
    reading = read(READER, book(**{"OEBPS/text/one.xhtml": page}))
    assert spans(reading, "table") == [
        ("Table ~1", "a\tb\n1\ty"),
        ("Table ~2", "a\tb\n2\ty"),
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"PK", "not an EPUB book"),
        (zipped({"a": "b"}), "zip archive of something else"),
        (book(**{"OEBPS/book.opf": None}), "no list of its pages"),
        (book(**{"OEBPS/book.opf": "<package/>"}), "no text"),
        (book(**{"OEBPS/book.opf": "<package"}), "damaged"),
        (book(**{"OEBPS/text/one.xhtml": b"<p>" + b"A" * 30_000_000}), "zip bomb"),
        (book(**{"OEBPS/text/one.xhtml": b"<div>" * 9_999}), "nests over 2,000"),
    ],
    ids=["empty", "cut", "zip", "no-package", "no-pages", "bad-package", "bomb", "deep"],
)
def test_refused_with_a_sentence(data, reason):
    with pytest.raises(ReadError, match=reason):
        READER.read(data)


_WHOLE = book()


@given(st.integers(0, len(_WHOLE)), st.binary(max_size=4), st.integers(0, 8))
@settings(max_examples=150, deadline=None)
def test_damaged_books(at, data, cut):
    read_or_refused(READER, _WHOLE[:at] + data + _WHOLE[at + cut :])


@given(st.text("<>/&;=\"'pdivha bc1#\n", max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_page(markup):
    read_or_refused(READER, book(**{"OEBPS/text/one.xhtml": markup}))
