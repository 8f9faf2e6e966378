"""The reader seam: one contract over all readers, then what each finds in real files."""

import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askai.errors import ReadError
from askai.readers import READERS, Reading
from askai.readers.building import iso_date
from askai.readers.decoding import decode
from askai.seams import load
from askai.tables import cells
from strategies import documents

CORPUS = Path(__file__).parents[1] / "corpus"
BRIEF = CORPUS / "eai-brief-1863-china-ai-takes-off.txt"
TOP_TEN = CORPUS / "top-10-ai-cities-2025.txt"
BLOCKS = {
    "heading", "paragraph", "bullet", "table_title", "table_header", "table_row", "footnote",
}  # fmt: skip
# Those whose text is the file itself; the others have tests of their own.
EVERY_READER = pytest.mark.parametrize(
    "reader", [load("readers", READERS, name) for name in ("text", "markdown")]
)
MARKDOWN = """\
# AI cities

Nanjing is *sixth*.[^1] It has **two** parks.[^2]

Setext, over
two lines
=========

| City | Role \\| rank | Note |
|------|:------------:|------|
| Xi'an | chips \\| 7 | |
| | voice | second |

- Beijing
  - Haidian

    Its second paragraph.
- Hefei
1. first

```python
# not a heading
- not a bullet
```

> A quotation.

[^1]: The note of Nanjing.

[link]: https://a.example/x "a title"
"""


def text_reader():
    return load("readers", READERS, "text")()


def markdown_reader():
    return load("readers", READERS, "markdown")()


def check_contract(reading: Reading) -> None:
    text, marks = reading.text, reading.marks
    assert list(marks) == sorted(marks, key=lambda m: (m.start, -m.end))
    at = 0
    for mark in marks:
        assert 0 <= mark.start < mark.end <= len(text), mark
        if mark.kind in BLOCKS:
            assert at <= mark.start, f"{mark} overlaps the block before it"
            assert not bare(text[at : mark.start]), f"no block holds {text[at : mark.start]!r}"
            assert bare(text[mark.start : mark.end]), f"{mark} holds nothing but blanks"
            at = mark.end
    assert not bare(text[at:]), f"no block holds {text[at:]!r}"


def bare(text: str) -> str:
    """Text without its blanks; a byte order mark is one."""
    return text.replace("\ufeff", "").strip()


def as_opened(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def spans(reading, kind):
    return [(m.label, reading.text[m.start : m.end]) for m in reading.marks if m.kind == kind]


# One contract, over all readers.


@EVERY_READER
@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.txt")), ids=lambda path: path.stem)
def test_contract_on_the_corpus(reader, path):
    data = path.read_bytes()
    reading = reader().read(data)
    check_contract(reading)
    assert reading == reader().read(data)
    assert reading.text == as_opened(path)
    assert (reading.encoding, reading.language) == ("utf-8", "en")


@EVERY_READER
@given(documents())
@settings(max_examples=80, deadline=None)
def test_contract_on_generated_documents(reader, text):
    reading = reader().read(text.encode())
    assert reading.text == text
    check_contract(reading)
    assert reading == reader().read(text.encode())


@EVERY_READER
@given(st.text("aB1.:。¹*#-|[]^`>\t\n\r \ufeff\xa0中", min_size=1, max_size=60))
@settings(max_examples=150, deadline=None)
def test_contract_on_any_punctuation(reader, text):
    check_contract(reader().read(f"{text}x".encode()))


BLANKS = {
    "em-space": "\u2003",
    "line-separator": "\u2028",
    "next-line": "\x85",
    "narrow": "\u202f",
    "file-separator": "\x1c",
    "zero-width-mark": " \ufeff \u2003",
}


@EVERY_READER
@pytest.mark.parametrize("blank", BLANKS.values(), ids=BLANKS.keys())
def test_a_line_of_any_blank_is_a_blank_line(reader, blank):
    reading = reader().read(f"A heading\n\n{blank}\n\nIts text is here.\n{blank}\n".encode())
    check_contract(reading)
    assert [text for _, text in spans(reading, "paragraph")][-1] == "Its text is here."


@EVERY_READER
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("front", ["", "\ufeff"], ids=["plain", "bom"])
def test_an_offset_is_an_offset_in_the_file(reader, newline, front, tmp_path):
    lines = [
        "Cities of 2025",
        "",
        "",
        "南京排名第六。",
        "Second line is here.",
        "",
        "- Xi'an",
        "end",
    ]
    path = tmp_path / "a.txt"
    path.write_bytes((front + newline.join(lines)).encode())
    reading = reader().read(path.read_bytes())
    whole = as_opened(path)
    check_contract(reading)
    assert reading.text == whole
    blocks = [whole[m.start : m.end] for m in reading.marks if m.kind in BLOCKS]
    assert "".join(blocks).replace(newline, "") == "".join(lines)
    assert blocks[0] == "Cities of 2025"
    assert "- Xi'an" in blocks[-2] + blocks[-1]


# Encodings: the text exactly, and the name of what was found.

TEXTS = {
    "en": "The 15th Plan puts “AI+” at the centre of China’s economy — it cost £5 million. "
    "Cities such as Hangzhou and Shenzhen lead the way in robotics.",
    "fr": "L'écosystème est structuré par des couches : l'amont repose sur des infrastructures "
    "à grande échelle, conçues en Chine. Où est la forêt ? Ça dépend.",
    "es": "El ecosistema chino es jerárquico y cada vez más integrado. ¿Dónde está la señal? "
    "En la conducción autónoma y en el diseño de chips.",
    "zh": "中国的人工智能领域已从数字经济的支撑者提升为国家现代化的核心驱动力。\n"
    "在国际层面，中国希望通过行动计划塑造规则与规范。",
    "zh-Hant": "中國的人工智慧領域已從數位經濟的支撐者提升為國家現代化的核心驅動力。\n"
    "在國際層面，中國希望透過行動計畫塑造規則與規範。",
}
_WESTERN = ("en", "fr", "es")
ENCODINGS = [
    *[(lang, how, "utf-8") for lang in TEXTS for how in ("utf-8", "utf-8-sig")],
    *[(lang, how, "utf-16") for lang in TEXTS for how in ("utf-16", "utf-16-be+bom")],
    *[(lang, how, how) for lang in _WESTERN for how in ("utf-16-le", "utf-16-be", "cp1252")],
    *[(lang, how, how) for lang in ("zh", "zh-Hant") for how in ("utf-16-le", "utf-16-be")],
    ("zh", "gb18030", "gb18030"),
    ("zh-Hant", "gb18030", "gb18030"),
    ("zh-Hant", "big5", "big5"),
    # The two differ where this text has nothing.
    ("fr", "latin-1", "cp1252"),
    ("es", "latin-1", "cp1252"),
]


def encoded(text, how):
    if how == "utf-16-be+bom":
        return ("\ufeff" + text).encode("utf-16-be")
    return text.encode(how)


@EVERY_READER
@pytest.mark.parametrize(
    ("language", "how", "name"), ENCODINGS, ids=[f"{lang}-{how}" for lang, how, _ in ENCODINGS]
)
def test_encodings(reader, language, how, name):
    reading = reader().read(encoded(TEXTS[language], how))
    assert reading.text.removeprefix("\ufeff") == TEXTS[language]
    assert reading.encoding == name
    assert reading.language == language[:2]
    check_contract(reading)


@pytest.mark.parametrize("odd", range(4))
@pytest.mark.parametrize(
    ("language", "encoding"),
    [("zh", "gb18030"), ("zh-Hant", "big5"), ("fr", "cp1252"), ("zh", "utf-16-le")],
)
def test_a_large_file_is_not_cut_within_a_character(language, encoding, odd):
    text = "x" * odd + (TEXTS[language] + "\n") * 4000
    assert decode(text.encode(encoding)) == (text, encoding)


def test_a_large_file_without_line_breaks():
    text = "x" + TEXTS["zh"].replace("\n", "") * 4000
    assert decode(text.encode("gb18030")) == (text, "gb18030")


@pytest.mark.parametrize(("language", "encoding"), [("zh", "gb18030"), ("fr", "cp1252")])
def test_a_large_file_that_begins_in_ascii(language, encoding):
    text = "Plain words come first.\n" * 20_000 + (TEXTS[language] + "\n") * 20
    assert decode(text.encode(encoding)) == (text, encoding)


# What is not text.

_RANDOM = random.Random(7)  # noqa: S311  bytes of a test
BINARY = {
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x10\x08\x06\x00\x00",
    "elf": Path(sys.executable).resolve().read_bytes()[:100_000],
    "zip": b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + _RANDOM.randbytes(400),
    "random": _RANDOM.randbytes(2000),
    "nul": b"\x00",
    "nuls": b"\x00" * 64,
    "words-and-nuls": b"Text\x00words\x00" * 50,
}
_NOT_TEXT = (
    "the file is binary, not text",
    "the file is not text in UTF-8, UTF-16, GB18030, Big5 or Latin-1; save it as UTF-8",
)
_BLANKS_ONLY = "the file holds nothing but blanks"
REFUSED = [
    ("empty", b"", "the file is empty"),
    ("blanks", b" \t\r\n\x0c", _BLANKS_ONLY),
    ("bom", b"\xef\xbb\xbf", _BLANKS_ONLY),
    ("bom-and-blanks", b"\xef\xbb\xbf\r\n", _BLANKS_ONLY),
    ("utf-16-bom", b"\xff\xfe", _BLANKS_ONLY),
    ("cut-utf-16", b"\xff\xfeA\x00B", "the file begins as utf-16 but byte 4 is not; "),
    ("surrogate", b"\xff\xfe\x00\xd8A\x00", "the file begins as utf-16 but byte 2 is not; "),
]


@EVERY_READER
@pytest.mark.parametrize(("data", "reason"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refused_with_a_sentence(reader, data, reason):
    with pytest.raises(ReadError) as failure:
        reader().read(data)
    assert str(failure.value).startswith(reason)


@EVERY_READER
@pytest.mark.parametrize("data", BINARY.values(), ids=BINARY.keys())
def test_binary_is_refused(reader, data):
    with pytest.raises(ReadError) as failure:
        reader().read(data)
    assert str(failure.value) in _NOT_TEXT


@pytest.mark.parametrize("blank", ["\u3000\n", "\u2003", "\xa0\u2028"], ids=ascii)
@EVERY_READER
def test_wide_blanks_only(reader, blank):
    with pytest.raises(ReadError, match="nothing but blanks"):
        reader().read(blank.encode())


@pytest.mark.parametrize("data", [b"# T\x00\n\nA\n", b"One \x00NUL among many words here."])
def test_one_nul_makes_no_utf_16(data):
    with pytest.raises(ReadError, match="binary"):
        decode(data)


def _cuts(path):
    """A few places of a file inside a character, after a whole one that is not ASCII."""
    data = path.read_bytes()
    inside = [at for at, byte in enumerate(data) if 0x80 <= byte < 0xC0]
    return [data[:at] for at in inside[3 :: max(1, len(inside) // 12)]]


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.txt")), ids=lambda path: path.stem)
def test_utf_8_cut_within_a_character_is_no_other_encoding(path):
    for data in _cuts(path):
        with pytest.raises(ReadError, match=r"^the file begins as utf-8 but byte \d+ is not"):
            decode(data)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.txt")), ids=lambda path: path.stem)
def test_utf_8_with_a_wrong_byte_is_no_other_encoding(path):
    data = path.read_bytes()
    with pytest.raises(ReadError, match=r"^the file begins as utf-8 but byte 200 is not"):
        decode(data[:200] + b"\xff" + data[200:])


# The brief.


@pytest.fixture(scope="module")
def brief():
    return text_reader().read(BRIEF.read_bytes())


def test_brief_has_its_59_numbered_paragraphs(brief):
    first = [(m.label, m.start) for m in brief.marks if m.label.startswith("¶") and not m.continues]
    assert [label for label, _ in first] == [f"¶{n}" for n in range(1, 60)]
    for label, start in first:
        assert brief.text.startswith(f"{label[1:]}. ", start)


@pytest.mark.parametrize(
    ("kind", "label", "first_ends", "second_begins"),
    [
        ("paragraph", "¶25", "Abundant edge devices foster", "hardware-software feedback loops."),
        ("paragraph", "¶33", "and embodied AI, hosting", "iFLYTEK and ChangXin Memory"),
        ("paragraph", "¶40", "via pilots and strengthened", "intellectual property protection."),
        ("paragraph", "¶44", "operational details. It specifies", "domains and mechanisms such"),
        ("paragraph", "¶48", "stacks: chips, basic software,", "a national computing network"),
        ("footnote", "14", "HBM is nearly indispensable", "for generative AI as the volume"),
    ],
    ids=["¶25", "¶33", "¶40", "¶44", "¶48", "note 14"],
)
def test_brief_pieces_that_a_page_end_cut(brief, kind, label, first_ends, second_begins):
    first, second = [m for m in brief.marks if (m.kind, m.label) == (kind, label)]
    assert (first.continues, second.continues) == (False, True)
    assert brief.text[: first.end].endswith(first_ends)
    assert brief.text[second.start :].startswith(second_begins)


def test_brief_has_no_other_pieces(brief):
    cut = {m.label for m in brief.marks if m.continues}
    assert cut == {"¶25", "¶33", "¶40", "¶44", "¶48", "14"}


def test_brief_has_its_25_notes_each_with_its_reference(brief):
    labels = ["*", *map(str, range(1, 25))]
    notes = [m for m in brief.marks if m.kind == "footnote" and not m.continues]
    assert [m.label for m in notes] == labels
    small = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    expected = [(label, label.translate(small)) for label in labels]
    assert spans(brief, "reference") == expected
    places = [m for m in brief.marks if m.kind == "reference"]
    assert all(place.end <= note.start for place, note in zip(places, notes, strict=True))


def test_a_unit_or_a_formula_is_no_reference(brief):
    squared = brief.text.index("km²") + 2
    assert not any(m.kind == "reference" and m.start == squared for m in brief.marks)
    text = "Title here\n\nIt has 220 km² and E = mc² in 5 m² of land.² It is so.\n\n² A note.\n"
    assert spans(text_reader().read(text.encode()), "reference") == [("2", "²")]
    reading = text_reader().read(text.encode())
    place = next(m for m in reading.marks if m.kind == "reference")
    assert reading.text[: place.start].endswith("land.")


def test_brief_tables(brief):
    titles = ["TABLE 1 SELECTED KEY AI INDUSTRY ENTERPRISES IN CHINA"]
    titles.append("TABLE 2 CHINA'S KEY AI CITIES IN 2024")
    assert spans(brief, "table_title") == list(zip(["Table 1", "Table 2"], titles, strict=True))
    rows = spans(brief, "table_row")
    expected = [f"Table {t}, row {r}" for t in (1, 2) for r in range(1, 13)]
    assert [label for label, _ in rows] == expected
    headers = [cells(text) for _, text in spans(brief, "table_header")]
    assert [len(header) for header in headers] == [6, 5]
    assert [len(cells(text)) for _, text in rows] == [6] * 12 + [5] * 12
    assert headers[0][0] == "Company Name"
    assert [cells(text)[0] for _, text in rows[:3]] == [
        "Alibaba Group", "Tencent Holdings", "Baidu, Inc.",
    ]  # fmt: skip
    categories = {n + 1: cells(text)[0] for n, (_, text) in enumerate(rows[12:]) if cells(text)[0]}
    assert categories == {1: "Top AI Cities", 4: "Emerging AI Cities"}
    whole = spans(brief, "table")
    assert [label for label, _ in whole] == ["Table 1", "Table 2"]
    assert whole[0][1].startswith("TABLE 1")
    assert whole[0][1].endswith("government/enterprise pilots")
    assert whole[1][1].endswith("National AI Pilot City designation")


def test_brief_languages(brief):
    found = spans(brief, "language")
    assert [label for label, _ in found] == ["en", "zh", "fr", "es", "en"]
    assert found[1][1].startswith("从“数字经济基础设施”")
    assert found[2][1].startswith("DES « FONDATIONS")
    assert found[3][1].startswith("DE «CIMIENTOS")
    assert brief.text.count(found[4][1]) == 1
    assert found[4][1].startswith("FROM “DIGITAL FOUNDATIONS”")
    assert brief.language == "en"


def test_brief_headings(brief):
    title = "FROM “DIGITAL FOUNDATIONS” TO “AI EVERYWHERE”: CHINA’S AI TAKES OFF"
    found = [(m.level, m.label) for m in brief.marks if m.kind == "heading"]
    assert brief.title == title
    assert [label for level, label in found if level == 1].count(title) == 2
    assert [label for level, label in found if level == 2] == [
        "EAI Background Brief No. 1863",
        "China’s AI Industry: Infrastructure, Ecosystem and Governance",
        "China's AI Ecosystem",
        "Regional Patterns and Strategic AI Cities",
        "AI in China's Policy Architecture",
        "Challenges and Risks in China's AI Development",
    ]


# The other pages.


def test_top_ten_headings():
    reading = text_reader().read(TOP_TEN.read_bytes())
    found = [(m.level, m.label) for m in reading.marks if m.kind == "heading"]
    cities = [
        "Beijing", "Hangzhou", "Shanghai", "Shenzhen", "Guangzhou",
        "Nanjing", "Chengdu", "Jinan", "Tianjin", "Xiamen",
    ]  # fmt: skip
    assert found[:12] == [
        (1, "China’s Top 10 AI Cities in 2025: The Complete Ranking"),
        *[(2, f"{rank}. {city}") for rank, city in enumerate(cities, 1)],
        (2, "Trends & Observations"),
    ]
    assert len(spans(reading, "bullet")) == 27
    assert reading.title == found[0][1]


@pytest.mark.parametrize("name", ["nanjing-city-profile", "race-to-agi-nanjing-ai-software"])
def test_prose_without_headings(name):
    data = (CORPUS / f"{name}.txt").read_bytes()
    reading = text_reader().read(data)
    lines = [line for line in data.decode().splitlines() if line.strip()]
    assert [text for _, text in spans(reading, "paragraph")] == lines
    assert reading.title is None


# Plain text, by structure.


def test_wrapped_lines_are_one_paragraph():
    text = (
        "A report on chips\n\n"
        "The city has a plan that runs over more than a single line of\n"
        "text, as text that was wrapped at a fixed width does, until it\n"
        "ends here.\n\n- one bullet\n- two bullets\n"
    )
    reading = text_reader().read(text.encode())
    assert len(spans(reading, "paragraph")) == 1
    assert spans(reading, "paragraph")[0][1].endswith("ends here.")
    assert [text for _, text in spans(reading, "bullet")] == ["- one bullet", "- two bullets"]


def test_a_sentence_about_a_table_is_no_title():
    text = "Results\n\nTable 2 shows that cities grow.\n\nThey do grow, and fast.\n"
    assert not spans(text_reader().read(text.encode()), "table_title")


def test_lines_that_begin_with_a_tab_are_no_table():
    text = "Title\n\n\tThe first paragraph is here.\n\tThe second is here.\n\tThe third.\n"
    reading = text_reader().read(text.encode())
    assert not spans(reading, "table_row")
    assert len(spans(reading, "paragraph")) == 3


def test_a_table_whose_first_row_ends_in_an_empty_cell():
    text = (
        "Table 1 Cities\n\nCity\tRole\tNote\nXi'an\tchips\t\nHefei\tvoice\tbest\n\nText is here.\n"
    )
    reading = text_reader().read(text.encode())
    assert [label for label, _ in spans(reading, "table_row")] == [
        "Table 1, row 1",
        "Table 1, row 2",
    ]


def test_notes_that_start_again_in_each_chapter_have_each_their_reference():
    chapter = "{0} begins\n\nThe fact of {0} is here.¹ It is so, they say.\n\n¹ Note of {0}.\n\n"
    text = chapter.format("Spring") + chapter.format("Autumn")
    reading = text_reader().read(text.encode())
    places = [m.start for m in reading.marks if m.kind == "reference"]
    assert places == [text.index("¹"), text.index("¹", text.index("Autumn"))]


# Markdown.


@pytest.fixture(scope="module", params=["\n", "\r\n"], ids=["lf", "crlf"])
def markdown(request):
    return markdown_reader().read(MARKDOWN.replace("\n", request.param).encode())


def test_markdown_contract(markdown):
    check_contract(markdown)


def test_markdown_headings(markdown):
    found = [(m.level, m.label) for m in markdown.marks if m.kind == "heading"]
    assert found == [(1, "AI cities"), (1, "Setext, over two lines")]
    assert markdown.title == "AI cities"


def test_markdown_bullets(markdown):
    assert [" ".join(text.split()) for _, text in spans(markdown, "bullet")] == [
        "- Beijing", "- Haidian", "Its second paragraph.", "- Hefei", "1. first",
    ]  # fmt: skip


def test_markdown_table(markdown):
    header = spans(markdown, "table_header")
    assert [label for label, _ in header] == ["Table ~1"]
    assert header[0][1].splitlines()[1].startswith("|---")
    rows = spans(markdown, "table_row")
    assert [label for label, _ in rows] == ["Table ~1, row 1", "Table ~1, row 2"]
    assert [len(cells(row)) for _, row in rows] == [3, 3]
    assert cells(rows[1][1]) == ["", "voice", "second"]


def test_markdown_cell_with_an_escaped_pipe(markdown):
    assert cells(spans(markdown, "table_row")[0][1]) == ["Xi'an", "chips | 7", ""]


def test_markdown_fence_is_one_paragraph(markdown):
    fences = [text for _, text in spans(markdown, "paragraph") if text.startswith("```")]
    assert len(fences) == 1
    assert "# not a heading" in fences[0]
    assert fences[0].endswith("```")


def test_markdown_notes(markdown):
    assert spans(markdown, "footnote") == [("1", "[^1]: The note of Nanjing.")]
    assert spans(markdown, "reference") == [("1", "[^1]")]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_markdown_notes_on_lines_that_follow_each_other(newline):
    text = "# T\n\nOne.[^1] Two.[^2]\n\n[^1]: First note\n    goes on.\n[^2]: Second note.\n"
    reading = markdown_reader().read(text.replace("\n", newline).encode())
    check_contract(reading)
    first = newline.join(["[^1]: First note", "    goes on."])
    assert spans(reading, "footnote") == [("1", first), ("2", "[^2]: Second note.")]
    assert [label for label, _ in spans(reading, "reference")] == ["1", "2"]


def test_markdown_with_a_byte_order_mark_keeps_its_heading():
    reading = markdown_reader().read("\ufeff# Cities\n\nText.\n".encode())
    check_contract(reading)
    assert reading.title == "Cities"


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_markdown_front_matter_is_no_heading(newline):
    text = "---\ntitle: X\ndate: 2025\n---\n\n# Cities\n\nText.\n".replace("\n", newline)
    reading = markdown_reader().read(text.encode())
    check_contract(reading)
    assert [m.label for m in reading.marks if m.kind == "heading"] == ["Cities"]


def test_markdown_sentence_about_a_table_is_no_title():
    reading = markdown_reader().read(b"# T\n\nTable 2 shows that cities grow. They do.\n")
    assert not spans(reading, "table_title")


def test_markdown_deep_nesting_loses_nothing():
    lines = ["  " * depth + f"- level {depth}" for depth in range(40)]
    reading = markdown_reader().read("\n".join(lines).encode())
    check_contract(reading)


FRONT = {
    "yaml": (
        '---\ntitle: "A: b"\nauthor: [A, B]\ndate: 2025-03-04\nlang: fr-CA\nurl: https://a.b\n---\n',
        ("A: b", "A, B", "2025-03-04", "fr", "https://a.b"),
    ),
    "plain": (
        "---\ntitle: Cities: a list\nauthor: 'A. One'\npublished: 2025-03\n---\n",
        ("Cities: a list", "A. One", "2025-03", "en", None),
    ),
    "other": (
        "---\nlayout: post\nauthor:\n  name: A\ndate: soon\nurl: /x\n---\n",
        ("Cities", "A", None, "en", None),
    ),
    "nested": (f"---\ntitle: {'[' * 5_000}\n---\n", ("[" * 5_000, None, None, "en", None)),
    "bomb": (
        "---\na: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ntitle: *c\ndate: 2025-13-45\n---\n",
        ("*c", None, None, "en", None),
    ),
    "none": ("", ("Cities", None, None, "en", None)),
}


@pytest.mark.parametrize(("front", "expected"), FRONT.values(), ids=FRONT.keys())
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_markdown_front_matter_tells_of_the_file(front, expected, newline):
    text = f"{front}\n# Cities\n\nThe text is here.\n".replace("\n", newline)
    reading = markdown_reader().read(text.encode())
    check_contract(reading)
    assert reading.text == text
    told = (reading.title, reading.author, reading.published, reading.language, reading.url)
    assert told == expected


ODD_FRONT = {
    "holds itself": "title: &a [*a]",
    "names of names": "\n".join(
        ["a0: &a0 [" + "x," * 20 + "]"]
        + [f"a{n}: &a{n} [" + f"*a{n - 1}," * 20 + "]" for n in range(1, 9)]
        + ["title: *a8"]
    ),
    "merges of merges": "\n".join(
        ["a0: &a0 {x: 1}"]
        + [f"a{n}: &a{n} {{<<: [" + f"*a{n - 1}," * 10 + "]}" for n in range(1, 10)]
    ),
    "a long number": "title: 0x" + "f" * 5_000,
    "no truth": "title: !!bool x",
    "no number": "title: !!int ''",
    "no time": "title: !!timestamp x",
}


@pytest.mark.parametrize("front", ODD_FRONT.values(), ids=ODD_FRONT)
def test_markdown_front_matter_that_is_odd_stops_nothing(front):
    reading = markdown_reader().read(f"---\ndate: 2025\n{front}\n---\n\nText.\n".encode())
    check_contract(reading)
    assert reading.published == "2025"


def test_markdown_front_matter_may_name_a_value():
    text = "---\nauthor: &a Li Na\ntitle: *a\n---\n\nText.\n"
    reading = markdown_reader().read(text.encode())
    assert (reading.author, reading.title) == ("Li Na", "Li Na")


def test_markdown_code_and_rules_are_neither_headings_nor_items():
    text = "# T\n\nIt is so.\n\n    1. step one\n\n* * *\n\n    - x\n\n    [1] y\n\nEnd.\n"
    reading = markdown_reader().read(text.encode())
    check_contract(reading)
    assert [label for label, _ in spans(reading, "heading")] == ["T"]
    assert not spans(reading, "bullet")
    assert not spans(reading, "footnote")


def test_markdown_tables_that_follow_each_other_are_two():
    table = "| a | b |\n|---|---|\n| {} | y |\n\n"
    reading = markdown_reader().read((table.format(1) + table.format(2)).encode())
    check_contract(reading)
    assert [label for label, _ in spans(reading, "table")] == ["Table ~1", "Table ~2"]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2025-03-04", "2025-03-04"),
        ("20250304T1", "2025-03-04"),
        ("２０２５-０３", "2025-03"),
        ("Tue, 4 Mar 2025 10:00:00 GMT", "2025-03-04"),
        ("2025-13", None),
        ("soon", None),
    ],
)
def test_dates_are_written_in_plain_digits(text, date):
    assert iso_date(text) == date
