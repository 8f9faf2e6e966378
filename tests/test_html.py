"""Web pages: what they hold survives, what no one sees does not, and nothing breaks the reader."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from askai.errors import ReadError
from askai.readers.archive import xml_parser
from askai.readers.building import Builder
from askai.readers.html import MOST_BYTES, HtmlReader
from askai.readers.html_elements import Skips, Visibility
from askai.readers.html_inline import flat
from askai.readers.html_walk import Walker
from askai.tables import cells
from marked_up import (
    read,
    read_or_refused,
    rows_of,
    rows_read,
    sample,
    spans,
    texts,
    words_found,
)

READER = HtmlReader()


def page(body: str, head: str = "", attributes: str = "") -> bytes:
    return f"<!DOCTYPE html><html {attributes}><head>{head}</head><body>{body}</body>".encode()


def text_of(body: str, head: str = "") -> str:
    return read(READER, page(body, head)).text


# Real pages.


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("example_08", 1.0),
        ("html_description_list", 1.0),
        ("html_rich_table_cells", 0.93),  # the truth has what images show, and "H 2 O"
        ("table_06", 1.0),
    ],
)
def test_samples_hold_the_words_of_their_truth(name, share):
    truth = sample(f"docling/html/{name}.groundtruth.md").decode()
    reading = read(READER, sample(f"docling/html/{name}.html"))
    assert words_found(reading, truth) >= share


@pytest.mark.parametrize("name", ["example_08", "table_06"])
def test_samples_hold_the_rows_of_their_truth(name):
    def plain(rows):
        return [[" ".join(cell.split()) for cell in row] for row in rows]

    truth = rows_of(sample(f"docling/html/{name}.groundtruth.md").decode())
    assert plain(rows_read(read(READER, sample(f"docling/html/{name}.html")))) == plain(truth)


def test_rich_cells():
    rows = rows_read(read(READER, sample("docling/html/html_rich_table_cells.html")))
    assert ["Goose (not a duck!)", "Water & wetlands", "Large, loud, noisy, small"] in rows
    assert ["Teal", "Pond Marsh Riverbank", "Fly south in winter Build nest on ground"] in rows
    assert ["Swim", "Gracefully glide on H2O surfaces."] in rows
    assert len(rows) == 5 + 4 + 4 + 5


def test_a_manual_page():
    reading = read(READER, sample("debian/ch-controlfields.html"))
    headings = [(m.level, m.label) for m in reading.marks if m.kind == "heading"]
    assert headings[:2] == [
        (1, "5. Control files and their fields"),
        (2, "5.1. Syntax of control files"),
    ]
    assert len(headings) == 46
    assert [label for label, _ in spans(reading, "footnote")] == [str(n) for n in range(1, 15)]
    assert [label for label, _ in spans(reading, "reference")] == [str(n) for n in range(1, 15)]
    assert texts(reading, "footnote")[0] == "¹ dpkg’s internal databases are in a similar format."
    assert "next" not in texts(reading, "bullet")[:3]
    assert "Created using" not in reading.text
    assert reading.title == "5. Control files and their fields"


# What a page says of itself.


def test_what_a_page_says_of_itself():
    head = """<title>Cities &amp; chips – The Paper</title><meta name=author content="A. Writer">
      <meta property="article:published_time" content="2025-03-04T10:00:00+08:00">
      <link rel=canonical href="https://paper.example/cities">"""
    reading = read(READER, page("<h1>Cities &amp; chips</h1><p>Text.</p>", head, "lang=fr-CA"))
    assert reading.title == "Cities & chips"
    assert reading.author == "A. Writer"
    assert reading.published == "2025-03-04"
    assert reading.url == "https://paper.example/cities"
    assert reading.language == "fr"


_LINKED_DATA = """<script type="application/ld+json">{"@graph": [{"datePublished": "2024-05-06",
"author": [{"name": "B"}, {"name": "C"}]}]}</script>"""


@pytest.mark.parametrize(
    ("head", "body", "published", "author"),
    [
        (_LINKED_DATA, "", "2024-05-06", "B, C"),
        ('<script type="application/ld+json">{broken</script>', "", None, None),
        ("", '<time datetime="2023-02-01">today</time>', "2023-02-01", None),
        ('<meta name=date content="2023-02-31">', "", None, None),
        ('<meta name=date content="2023-02">', "", "2023-02", None),
        ('<meta name=date content="Tue, 05 Mar 2024 10:00:00 GMT">', "", "2024-03-05", None),
        ('<meta property="article:author" content="https://x.example/me">', "", None, None),
    ],
    ids=["json-ld", "broken-json", "time", "no-day", "month", "mail-date", "address-as-author"],
)  # fmt: skip
def test_date_and_author(head, body, published, author):
    reading = read(READER, page(f"<p>Some text.</p>{body}", head))
    assert (reading.published, reading.author) == (published, author)


def test_the_script_is_surer_than_what_a_template_says():
    reading = read(READER, page("<p>南京市人工智能产业排名第六，位于江苏省。</p>", "", "lang=en"))
    assert reading.language == "zh"


# Encodings.


@pytest.mark.parametrize(
    ("declared", "codec", "name"),
    [("gb2312", "gb18030", "gb18030"), ("iso-8859-1", "cp1252", "cp1252"),
     ("Big5", "big5", "big5hkscs"), ("utf-8", "utf-8", "utf-8"), ("nonsense", "utf-8", "utf-8")],
)  # fmt: skip
def test_declared_encodings(declared, codec, name):
    said = "L’été à Zürich." if codec == "cp1252" else "人工智慧" if codec == "big5" else "人工智能"
    data = f'<meta charset="{declared}"><p>{said}</p>'.encode(codec)
    reading = read(READER, data)
    assert (reading.text, reading.encoding) == (said, name)


def test_encodings_that_are_not_declared():
    assert read(READER, "<p>人工智能产业</p>".encode("utf-16")).text == "人工智能产业"
    assert read(READER, ("\ufeff<p>été</p>").encode()).text == "été"


def test_one_stray_byte_loses_no_page():
    data = b'<?xml version="1.0" encoding="utf-8"?><meta charset=utf-8><p>One \xff word.</p>'
    assert read(READER, data).text == "One � word."


# Structure.


def test_lists_and_paragraphs():
    reading = read(READER, page(
        "<p>One<br>two</p><ul><li>a<ul><li>b</li></ul></li><li><p>c</p><p>d</p></li></ul>"
        "<ol start=3><li>x<li value=7>y<li>z</ol><blockquote>said</blockquote>loose <b>text</b>"
    ))  # fmt: skip
    assert texts(reading, "bullet") == ["• a", "• b", "• c", "d", "3. x", "7. y", "8. z"]
    assert texts(reading, "paragraph") == ["One\ntwo", "said", "loose text"]


@pytest.mark.parametrize(
    ("attributes", "marks"),
    [
        ("type=a", ["a.", "b.", "c."]),
        ("type=A start=26", ["Z.", "AA.", "AB."]),
        ("type=i start=3", ["iii.", "iv.", "v."]),
        ("type=I start=3999", ["MMMCMXCIX.", "4000.", "4001."]),
        ("type=a start=-1", ["-1.", "0.", "a."]),
        ("start=9999999", ["9999999.", "10000000.", "10000001."]),
        ("reversed", ["3.", "2.", "1."]),
        ("reversed start=10", ["10.", "9.", "8."]),
        ("type=disc", ["1.", "2.", "3."]),
    ],
)
def test_numbers_of_lists(attributes, marks):
    reading = read(READER, page(f"<ol {attributes}><li>x<li>x<li>x</ol>"))
    assert texts(reading, "bullet") == [f"{mark} x" for mark in marks]


def test_the_number_of_an_item_is_the_first_of_those_after_it():
    reading = read(READER, page("<ol type=a reversed><li>x<li value=9>y<li>z</ol>"))
    assert texts(reading, "bullet") == ["c. x", "i. y", "h. z"]


def test_pre_keeps_its_lines():
    assert text_of("<pre>\n def f():\n     return 1  \n</pre>") == "def f():\n     return 1"


def test_definitions():
    reading = read(READER, page("<dl><dt>Term<dd>Meaning.<dt>Alone<dt>Two<dd>A.<dd>B.</dl>"))
    assert texts(reading, "bullet") == ["• Term: Meaning.", "• Alone", "• Two: A.", "• B."]


def test_headings():
    reading = read(READER, page(
        '<h1>T</h1><p>x.<h2>Part <a href="#p" class=headerlink>¶</a></h2><p>y.'
        "<h3><button>Asked?</button></h3><div role=heading aria-level=4>Deep</div><p>z."
    ))  # fmt: skip
    found = [(m.level, m.label) for m in reading.marks if m.kind == "heading"]
    assert found == [(1, "T"), (2, "Part"), (3, "Asked?"), (4, "Deep")]


def test_spans_repeat_their_value():
    reading = read(READER, page(
        "<table><caption>Table 3. Cities</caption><tr><th rowspan=2>City<th colspan=2>Rank"
        "<tr><th>2024<th>2025<tr><td rowspan=2>Hefei<td>7<td>6<tr><td colspan=2>none</table>"
    ))  # fmt: skip
    assert rows_read(reading) == [
        ["City", "Rank 2024", "Rank 2025"], ["Hefei", "7", "6"], ["Hefei", "none", "none"],
    ]  # fmt: skip
    assert spans(reading, "table_title") == [("Table 3", "Table 3. Cities")]
    rows = [label for label, _ in spans(reading, "table_row")]
    assert rows == ["Table 3, row 1", "Table 3, row 2"]
    assert [label for label, _ in spans(reading, "table")] == ["Table 3"]


@pytest.mark.parametrize("first", ["", "<caption>Ranks</caption>", "<colgroup><col></colgroup>"])
def test_a_label_that_its_rows_repeat_is_no_row(first):
    reading = read(READER, page(
        f"<table>{first}<tr><th>Group<th>City<th>Rank<tr><td rowspan=3>East"
        "<tr><td>Hefei<td>7<tr><td>Nanjing<td>6</table>"
    ))  # fmt: skip
    assert texts(reading, "table_row") == ["East\tHefei\t7", "East\tNanjing\t6"]


def test_a_table_of_facts_has_no_header():
    reading = read(READER, page("<table><tr><th>Founded<td>1984<tr><th>Seat<td>Nanjing</table>"))
    assert not spans(reading, "table_header")
    assert [cells(row) for row in texts(reading, "table_row")] == [
        ["Founded", "1984"], ["Seat", "Nanjing"],
    ]  # fmt: skip


def test_a_table_that_lays_out_the_page_is_none():
    reading = read(READER, page(
        "<table role=presentation><tr><td><h1>Head</h1><p>Text.</td><td>side</td></tr></table>"
    ))  # fmt: skip
    assert texts(reading, "heading") == ["Head"]
    assert not spans(reading, "table_row")


def test_notes():
    reading = read(READER, page(
        "<p>A fact.<sup><a href='#n1'>[1]</a></sup> An area of 5 km<sup>2</sup>.</p>"
        "<ol><li id=n1>The source of it. <a href='#r1'>↩</a></li></ol>"
    ))  # fmt: skip
    assert texts(reading, "paragraph") == ["A fact.¹ An area of 5 km²."]
    assert spans(reading, "footnote") == [("1", "¹ The source of it.")]
    assert spans(reading, "reference") == [("1", "¹")]


_FACT = "<p>A fact.<sup><a href='#n1'>[1]</a></sup> More.</p>"


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ("<ol><li id=n1>1984 was the year.</li></ol>", "1984 was the year."),
        ("<ol><li id=n1>1.5 million live there.</li></ol>", "1.5 million live there."),
        ("<ol><li id=n1>1st edition.</li></ol>", "1st edition."),
        ("<ol><li id=n1>(in French) A source.</li></ol>", "(in French) A source."),
        ("<p id=n1><sup>1</sup> A source.</p>", "A source."),
        ("<p id=n1>[1] A source. ↩</p>", "A source."),
        ("<p id=n1>1. A source.</p>", "A source."),
        ("<ol><li id=n1>1 city of two.</li></ol>", "1 city of two."),
        ("<ol><li id=n1>1. Mai 2020.</li></ol>", "1. Mai 2020."),
        ("<ol><li><p id=n1><a href='#r1'>^</a> 1 city of two.</p></li></ol>", "1 city of two."),
        ("<ol><li id=n1><a href='#r1'>1</a> A source.</li></ol>", "A source."),
        ("<ol><li id=n1>[1] A source.</li></ol>", "A source."),
        ("<ul><li id=n1>1 A source.</li></ul>", "A source."),
    ],
    ids=["year", "decimal", "ordinal", "bracket", "raised", "marked", "numbered", "count", "day",
         "linked-count", "linked", "item-marked", "no-numbers"],
)  # fmt: skip
def test_a_note_loses_its_mark_and_nothing_else(body, note):
    reading = read(READER, page(_FACT + body))
    assert spans(reading, "footnote") == [("1", f"¹ {note}")]


def test_a_note_in_a_cell_is_told_once():
    reading = read(READER, page(
        "<table><tr><th>City<th>Rank<tr><td>Hefei<sup><a href='#n1'>1</a></sup><td>7"
        "<tr><td>Nanjing<td>6<tr><td colspan=2><p id=n1>1 By size.</p></table><p>Rest.</p>"
    ))  # fmt: skip
    assert reading.text == "City\tRank\nHefei¹\t7\nNanjing\t6\n\nRest.\n\n¹ By size."
    assert spans(reading, "footnote") == [("1", "¹ By size.")]


def test_a_link_to_another_page_is_no_note():
    reading = read(READER, page(
        "<p>A fact.<sup><a href='other.html#n1'>1</a></sup></p>"
        "<p id=n1>Its own. <a href='#top'>top</a></p>"
    ))  # fmt: skip
    assert not spans(reading, "footnote")
    assert "Its own." in texts(reading, "paragraph")[-1]


def test_a_page_that_links_to_itself_by_its_name_has_notes():
    reading = read(READER, page(
        "<p>A fact.<sup><a id=r1 href='ch1.xhtml#n1'>1</a></sup></p>"
        "<p id=n1><a href='ch1.xhtml#r1'>1</a> A source.</p>"
    ))  # fmt: skip
    assert spans(reading, "footnote") == [("1", "¹ A source.")]


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        ("10<sup>-3</sup> m", "10⁻³ m"),
        ("10<sup>\u22123</sup> m", "10⁻³ m"),
        ("Ca<sup>2+</sup> ions", "Ca²⁺ ions"),
        ("x<sup>n+1</sup> is", "xⁿ⁺¹ is"),
        ("f<sup><i>(n)</i></sup> is", "f⁽ⁿ⁾ is"),
        ("the 1<sup>st</sup> city", "the 1st city"),
    ],
)
def test_raised_characters(raised, shown):
    assert text_of(f"<p>{raised}</p>") == shown
    assert text_of(f"<table><tr><td>a<td>{raised}</table>") == f"a\t{shown}"


@pytest.mark.parametrize(
    "marks",
    [
        "<sup><a href='#n1'>[1]</a></sup><sup><a href='#n2'>[2]</a></sup>",
        "<sup><a href='#n1'>1</a>, <a href='#n2'>2</a></sup>",
        "<sup><a href='#n1'>1</a><a href='#n2'>2</a></sup>",
    ],
    ids=["each", "comma", "together"],
)
def test_two_notes_in_a_row_are_two(marks):
    notes = "<ol><li id=n1>One.<li id=n2>Two.</ol>"
    reading = read(READER, page(f"<p>A fact.{marks} More.</p>{notes}"))
    assert texts(reading, "paragraph") == ["A fact.¹ ² More."]
    assert [label for label, _ in spans(reading, "reference")] == ["1", "2"]


def test_small_digits_that_are_left_open_take_nothing():
    text = text_of(f"<p>It has 10 m<sup>2 of land.{_FACT}<p>Rest.<p id=n1>A source.")
    assert text == "It has 10 m2 of land.\n\nA fact.¹ More.\n\nRest.\n\n¹ A source."


def test_a_note_beside_its_mark_leaves_the_paragraph():
    reading = read(READER, page(
        "<p>A fact.<sup><a href='#n1'>1</a></sup> <small id=n1>Its source.</small> More.</p>"
    ))  # fmt: skip
    assert texts(reading, "paragraph") == ["A fact.¹ Its source. More."]


def test_a_note_in_a_list_counts_as_its_item():
    reading = read(READER, page(_FACT + "<ol><li id=n1>A source.</li><li>Another.</li></ol>"))
    assert texts(reading, "bullet") == ["2. Another."]


def test_a_numbered_list_that_is_a_meaning_keeps_its_numbers():
    reading = read(READER, page("<dl><dt>Steps<dd><ol><li>Open.<li>Close.</ol></dl>"))
    assert texts(reading, "bullet") == ["• Steps", "1. Open.", "2. Close."]


def test_what_stands_in_a_table_and_in_no_cell_is_kept():
    cells = "<tr><td>a</td><td>b</td></tr>"
    assert text_of(f"<table>{cells}<h2>Next</h2><p>The rest.</p>") == "a\tb\n\nNext\n\nThe rest."
    text = text_of(f"<table>{cells}<tr>one<td>c</td><td>d</td></tr>two</table>")
    assert text == "a\tb\nc\td\n\none\n\ntwo"


def test_a_label_for_rows_that_do_not_come_is_kept():
    table = "<table><tr><td>a<td>b<tr><td rowspan=2>A label</table>"
    assert text_of(table) == "a\tb\nA label"


def test_a_line_break_between_chinese_characters_is_none():
    assert text_of("<p>人工\n  智能</p>") == "人工智能"


def test_named_characters_of_a_page_that_is_xml():
    said = '<!DOCTYPE html SYSTEM "xhtml.dtd"><p>caf&eacute;&nbsp;au lait <b>&mdash; &own;</b></p>'
    root = etree.fromstring(said, xml_parser())
    assert flat(root, Skips(Visibility(root))) == "café au lait — &own;"
    builder = Builder()
    Walker(builder, Skips(Visibility(root))).walk(root)
    assert builder.reading().text == "café au lait — &own;"


# Main text.

_PROSE = "<p>" + "The city has a plan, and it says what the city will do in the coming years. " * 6

_LINKS = "<div id=top><ul><li><a href=a>Home</a><li><a href=b>About</a></ul></div>"


@pytest.mark.parametrize(
    "body",
    [
        f"<nav>Home About</nav><main><h1>T</h1>{_PROSE}</main><footer>Imprint</footer>",
        f"<header>Home About</header><article><h1>T</h1>{_PROSE}</article><aside>Ads</aside>",
        f"{_LINKS}<div id=c><h1>T</h1>{_PROSE * 3}</div><div id=b><a href=c>Imprint</a></div>",
        f"<form><h1>T</h1>{_PROSE}</form><div role=navigation>Home About</div>",
    ],
    ids=["main", "article", "judged", "all-in-a-form"],
)
def test_main_text_without_navigation(body):
    text = text_of(body)
    assert text.startswith("T\n")
    assert text.count("coming years.") >= 6
    for furniture in ("Home", "About", "Imprint", "Ads"):
        assert furniture not in text


def test_a_main_part_with_too_little_is_not_believed():
    text = text_of("<main>Loading</main><div><p>" + "All of the text is here. " * 20 + "</div>")
    assert "All of the text" in text


def test_the_table_after_the_last_paragraph_stays():
    table = "<table><tr><th>City<th>Rank" + "<tr><td>Hefei<td>7" * 9 + "</table>"
    text = text_of(f"<div class=text><h1>T</h1>{_PROSE * 2}{table}</div><div>Imprint</div>")
    assert text.count("Hefei\t7") == 9


# What no one sees.

HIDDEN = {
    "script": "<script>hidden</script>",
    "style": "<style>hidden{}</style>",
    "template": "<template>hidden</template>",
    "noscript": "<noscript>hidden</noscript>",
    "comment": "<!-- hidden -->",
    "attribute": "<p hidden>hidden</p>",
    "aria": '<p aria-hidden="true">hidden</p>',
    "display": '<div style="color:red; display : none"><p>hidden</p></div>',
    "visibility": "<p style='visibility:hidden'>hidden</p>",
    "size": "<span style='font-size:0px'>hidden</span>",
    "class": "<style>.x{display:none}</style><p class='y x'>hidden</p>",
    "input": "<input type=hidden value=hidden><textarea>hidden</textarea>",
    "cell": "<table><tr><td>a<td>b<tr><td>c<td style='display:none'>hidden</table>",
    "frame": "<iframe srcdoc='hidden'>hidden</iframe><object>hidden</object>",
    "dialog": "<dialog>hidden</dialog>",
    "charset": "<style>@charset 'utf-8'; .x{display:none}</style><p class=x>hidden</p>",
    "later-size": "<style>.x{display:none} .x{font-size:12px}</style><p class=x>hidden</p>",
    "later-colour": "<style>.x{visibility:hidden} .x{display:block}</style><p class=x>hidden</p>",
    "note": "<sup><a href='#n1'>1</a></sup><div hidden><p id=n1>hidden</p></div>",
    "much": "All of it.<br>" * 9
    + f"<style>.x{{display:none}}</style><p class=x>{'hidden ' * 20}</p>",
    "unclosed": "<script>hidden",
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN.keys())
def test_hidden_text_is_no_source(hidden):
    text = text_of(f"<p>Seen.</p>{hidden}")
    assert "Seen." in text
    assert "hidden" not in text


def test_what_only_print_or_a_later_rule_hides_is_seen():
    head = (
        "<style>@media print {.x{display:none}} .y{display:none;font-size:9px} "
        ".y{display:block}</style>"
    )
    assert "one" in text_of("<p class=x>one<p class=y>two", head)
    assert "two" in text_of("<p class=x>one<p class=y>two", head)


# What is no page.


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n", "nothing but blanks"),
        (b"<p hidden>x", "no text that can be seen"),
        (b"<!-- -->", "no text that can be seen"),
        (b"\x00\x01" * 99, "binary"),
        (b"<meta charset=utf-8>" + b"\x00" * 99, "binary"),
        (b"<div>" * 100_000 + b"x", "nests over 2,000"),
        (b"<p>x</p>" * (MOST_BYTES // 8 + 1), "32 MB"),
        (b"<b>" * 2_000_001, "tags"),
    ],
    ids=["empty", "blank", "hidden", "comment", "binary", "nul", "deep", "large", "tags"],
)
def test_refused_with_a_sentence(data, reason):
    with pytest.raises(ReadError, match=reason):
        READER.read(data)


def test_unclosed_and_misplaced_tags():
    reading = read(READER, b"<ul><li>a<li><b>b</ul><p>c</i><table><tr><td>d<td>e<tr><td>f<h1>g")
    for letter in "abcdefg":
        assert letter in reading.text.replace("\t", " ").split() or f"• {letter}" in reading.text


def test_a_page_that_closes_too_early_goes_on():
    assert text_of("</html><p>one</body></html><p>two") == "one\n\ntwo"
    assert read(READER, b"<head></head></html><body><p>x</body></html>").text == "x"


def test_a_tag_left_open_where_scripts_run_takes_nothing():
    assert text_of("<noscript><div id=x></noscript><p>Seen.</p>") == "Seen."


def test_a_page_that_a_script_uncovers_is_seen():
    assert text_of("<div class=page><p>All of it.</p></div>", "<style>.page{display:none}</style>")


def test_spans_of_a_bomb_are_not_all_repeated():
    data = b"<table>" + b"<tr><td colspan=1000 rowspan=1000>xxxxxxxxxx<td>y" * 2_000 + b"</table>"
    assert len(read(READER, data).text) < 6_000_000


def test_empty_cells_of_a_bomb_are_not_all_repeated():
    row = b"<tr>" + b"<td>" * 999 + b"<td rowspan=65000>x"
    data = b"<table>" + row + b"<tr>" * 7_000 + b"</table>"
    assert len(read(READER, data).text) < 6_000_000


@pytest.mark.parametrize(
    "body",
    [
        f"<style>{'a' * 60_000};x{{}}</style>",
        f"<style>{'/*a' * 60_000}</style>",
        f"<a href='#n'>{' ' * 60_000}x</a>",
        "".join(f"<sup><a href='#n{i}'>1</a></sup>" for i in range(2_000)) + "<p>"
        + "".join(f"<a id=n{i}></a>" for i in range(2_000)) + "<i></i>" * 40_000,
    ],
    ids=["selector", "style-comment", "blanks", "notes"],
)  # fmt: skip
def test_time_grows_with_the_page_and_not_with_its_square(body):
    data = page(f"{body}<p>Seen.</p>")
    begun = time.process_time()
    assert READER.read(data).text.endswith("Seen.")
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("name", ['td"', "o:p", "b'", "x[1]", "é", "p=", "a.b", "--"])
def test_an_element_of_a_name_that_no_path_can_have_is_read(name):
    said = "Hefei makes chips, and it has done so for many years, as everybody knows. " * 5
    text = READER.read(page(f"<nav>Home</nav><{name}><p>{said}</p><p>{said}</p></{name}>")).text
    assert text.count("Hefei makes chips") == 10


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes(data):
    read_or_refused(READER, data)


_TAGS = "p div ul ol li dl dt dd table tr td th thead caption h1 h2 pre sup a br b span main nav"
_TAGS += " article aside form header footer script template style dialog blockquote section"
pieces = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in _TAGS.split()] + [f"</{tag}>" for tag in _TAGS.split()]),
    st.sampled_from([
        "<td rowspan=3>", "<td colspan=2>", "<td rowspan=0>", "<a href='#n'>1</a>", "<p id=n>",
        "<sup><a href='#n'>1</a></sup>", "<li id=n>", "<dt id=n>", "<td id=n>", "<p hidden>",
        "<ol start=5>", "<table role=presentation>", "<!-- ", "-->", "&amp;", "&#13;", "&#x85;",
    ]),
    st.text("aB1.:。¹*#-|[] \t\n\x85\u2028\ufeff\xa0中", max_size=8),
)  # fmt: skip


@given(st.lists(pieces, max_size=40).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_markup(markup):
    read_or_refused(READER, markup.encode())
