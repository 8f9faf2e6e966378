"""Word documents: structure, notes and merged cells; and archives that mean harm."""

import time
import zipfile
from io import BytesIO
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askai.errors import ReadError
from askai.readers.docx import DocxReader
from marked_up import (
    read,
    read_or_refused,
    rows_of,
    rows_read,
    sample,
    spans,
    texts,
    words_found,
    zipped,
)

READER = DocxReader()
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_STYLES = f"""<w:styles {_W}>
<w:style w:styleId="H2"><w:name w:val="heading 2"/></w:style>
<w:style w:styleId="Own"><w:name w:val="My part"/><w:basedOn w:val="H2"/></w:style>
<w:style w:styleId="Loop"><w:name w:val="x"/><w:basedOn w:val="Loop"/></w:style>
<w:style w:styleId="Item"><w:name w:val="List Bullet"/></w:style></w:styles>"""
_NUMBERING = f"""<w:numbering {_W}><w:abstractNum w:abstractNumId="0">
<w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl>
</w:abstractNum><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/>
<w:lvlText w:val="o"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>
<w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num></w:numbering>"""


def p(text: str = "", properties: str = "", more: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{escape(text)}</w:t></w:r>{more}</w:p>"


def style(name: str) -> str:
    return f'<w:pStyle w:val="{name}"/>'


def item(number: int, depth: int = 0) -> str:
    return f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>'


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(text)}</w:tc>"


def table(*rows: str) -> str:
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def document(body: str) -> str:
    return f"<w:document {_W}><w:body>{body}</w:body></w:document>"


def docx(body: str, **parts: str) -> bytes:
    members: dict[str, bytes | str] = {
        "[Content_Types].xml": _TYPES,
        "word/document.xml": document(body),
        "word/styles.xml": _STYLES,
        "word/numbering.xml": _NUMBERING,
    }
    return zipped(members | {f"word/{name}.xml": text for name, text in parts.items()})


# Real documents.


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("docx_lists", 1.0),
        ("unit_test_headers_numbered", 1.0),
        ("word_sample", 1.0),
        ("word_tables", 1.0),
    ],
)
def test_samples_hold_the_words_of_their_truth(name, share):
    truth = sample(f"docling/docx/{name}.groundtruth.md").decode()
    assert words_found(read(READER, sample(f"docling/docx/{name}.docx")), truth) >= share


@pytest.mark.parametrize("name", ["word_sample", "word_tables"])
def test_samples_hold_the_rows_of_their_truth(name):
    truth = rows_of(sample(f"docling/docx/{name}.groundtruth.md").decode())
    assert rows_read(read(READER, sample(f"docling/docx/{name}.docx"))) == truth


def test_a_sample_by_kind():
    reading = read(READER, sample("docling/docx/word_sample.docx"))
    found = [(m.level, m.label) for m in reading.marks if m.kind == "heading"]
    assert found == [(1, "Swimming in the lake"), (1, "Let’s swim!"), (2, "Let’s eat")]
    assert "1. Wear sunglasses" in texts(reading, "bullet")
    assert (reading.author, reading.published) == ("Christoph Auer", "2024-10-09")


# Documents made here.


def test_headings_and_lists():
    reading = read(READER, docx(
        p("Part", style("Own")) + p("Outline", '<w:outlineLvl w:val="2"/>') + p("Text.")
        + p("a", item(1)) + p("b", item(1, 1)) + p("c", item(1, 1)) + p("d", item(1))
        + p("e", item(2)) + p("f", style("Item")) + p("g", style("Loop")) + p("h", item(0))
    ))  # fmt: skip
    found = [(m.level, m.label) for m in reading.marks if m.kind == "heading"]
    assert found == [(2, "Part"), (3, "Outline")]
    assert texts(reading, "bullet") == ["III. a", "III.a) b", "III.b) c", "IV. d", "• e", "• f"]
    assert texts(reading, "paragraph") == ["Text.", "g", "h"]


def test_notes_are_tied_to_their_sentences():
    reading = read(READER, docx(
        p("A fact.", more='<w:r><w:footnoteReference w:id="2"/></w:r>')
        + p("Another.", more='<w:r><w:endnoteReference w:id="5"/></w:r>')
        + p("5 m", more='<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
            "<w:t>2</w:t></w:r>"),
        footnotes=f'<w:footnotes {_W}>'
        f'<w:footnote w:id="0" w:type="separator">{p("-")}</w:footnote>'
        f'<w:footnote w:id="2">{p(" See here.")}{p("And there.")}</w:footnote></w:footnotes>',
        endnotes=f'<w:endnotes {_W}>'
        f'<w:endnote w:id="5">{p("At the end.")}</w:endnote></w:endnotes>',
    ))  # fmt: skip
    assert texts(reading, "paragraph") == ["A fact.¹", "Another.²", "5 m²"]
    assert spans(reading, "footnote") == [("1", "¹ See here. And there."), ("2", "² At the end.")]
    assert [label for label, _ in spans(reading, "reference")] == ["1", "2"]


def test_merged_cells_repeat_their_value():
    down, on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    reading = read(READER, docx(table(
        cell("City") + cell("2024") + cell("2025"),
        cell("Hefei", down) + cell("both", '<w:gridSpan w:val="2"/>'),
        cell("", on) + cell("7") + cell("6"),
    )))  # fmt: skip
    assert rows_read(reading) == [
        ["City", "2024", "2025"], ["Hefei", "both", "both"], ["Hefei", "7", "6"],
    ]  # fmt: skip


def test_a_row_that_repeats_on_each_page_is_the_header():
    row = "<w:trPr><w:tblHeader/></w:trPr>" + cell("1") + cell("2")
    reading = read(READER, docx(table(row, cell("a") + cell("b"))))
    assert texts(reading, "table_header") == ["1\t2"]


def test_text_boxes_and_tables_within_cells():
    box = f"<w:r><w:pict><w:txbxContent>{p('In the box.')}</w:txbxContent></w:pict></w:r>"
    inner = f"<w:tc>{table(cell('x') + cell('y'))}{p('z')}</w:tc>"
    reading = read(READER, docx(p("Around.", more=box) + table(cell("a") + inner)))
    assert texts(reading, "paragraph") == ["Around.", "In the box."]
    assert texts(reading, "table_row") == ["a\tx y z"]


def text_box(*texts: str) -> str:
    inner = "".join(map(p, texts))
    return f"<w:r><w:pict><w:txbxContent>{inner}</w:txbxContent></w:pict></w:r>"


def footnotes(*texts: str) -> str:
    notes = (f'<w:footnote w:id="{i}">{p(text)}</w:footnote>' for i, text in enumerate(texts))
    return f"<w:footnotes {_W}>{''.join(notes)}</w:footnotes>"


def reference(number: int) -> str:
    return f'<w:r><w:footnoteReference w:id="{number}"/></w:r>'


def test_text_boxes_within_cells():
    boxes = f"<w:tc>{p('Around.', more=text_box('One.', 'Two.'))}</w:tc>"
    assert texts(read(READER, docx(table(cell("a") + boxes))), "table_row") == [
        "a\tAround. One. Two."
    ]


def test_text_boxes_within_notes_are_told_once():
    box = f"<w:drawing>{text_box('In the box.')}</w:drawing>"
    both = f"<w:AlternateContent>{box}<w:Fallback>{box}</w:Fallback></w:AlternateContent>"
    note = f'<w:footnotes {_W}><w:footnote w:id="0">{p("Note.", more=both)}</w:footnote>'
    reading = read(READER, docx(p("A.", more=reference(0)), footnotes=note + "</w:footnotes>"))
    assert texts(reading, "footnote") == ["¹ Note. In the box."]


def test_two_rows_of_names_are_one_header():
    head = "<w:trPr><w:tblHeader/></w:trPr>"
    reading = read(READER, docx(table(
        head + cell("City") + cell("Rank", '<w:gridSpan w:val="2"/>'),
        head + cell("") + cell("2024") + cell("2025"),
        cell("Hefei") + cell("7") + cell("6"),
    )))  # fmt: skip
    assert texts(reading, "table_header") == ["City\tRank 2024\tRank 2025"]
    assert texts(reading, "table_row") == ["Hefei\t7\t6"]


def test_two_notes_in_a_row_are_two():
    body = p("A fact.", more=reference(0) + reference(1))
    reading = read(READER, docx(body, footnotes=footnotes("One.", "Two.")))
    assert texts(reading, "paragraph") == ["A fact.¹ ²"]
    assert [label for label, _ in spans(reading, "reference")] == ["1", "2"]


def test_a_list_begins_where_its_document_says():
    own = (
        '<w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0">'
        '<w:startOverride w:val="7"/></w:lvlOverride></w:num></w:numbering>'
    )
    numbering = _NUMBERING.replace("</w:numbering>", own)
    reading = read(READER, docx(p("a", item(3)) + p("b", item(3)), numbering=numbering))
    assert texts(reading, "bullet") == ["VII. a", "VIII. b"]


def test_numbers_that_word_counts_in_cells():
    numbered = f"<w:tc>{p('', item(1))}</w:tc>"
    items = f"<w:tc>{p('One.', item(1, 1))}{p('Two.', item(2))}</w:tc>"
    reading = read(READER, docx(
        table(cell("No.") + cell("City"), numbered + cell("Hefei"), numbered + cell("Nanjing"))
        + table(cell("a") + items) + p("Text.", item(1))
    ))  # fmt: skip
    assert texts(reading, "table_row") == ["III.\tHefei", "IV.\tNanjing", "a\tIV.a) One. Two."]
    assert texts(reading, "bullet") == ["V. Text."]


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("decimalZero", ["第09条", "第10条", "第11条"]),
        ("chineseCounting", ["第九条", "第十条", "第十一条"]),
        ("chineseCountingThousand", ["第九条", "第十条", "第十一条"]),
        ("taiwaneseCountingThousand", ["第九条", "第十条", "第十一条"]),
    ],
)
def test_forms_of_numbers(form, shown):
    level = f'<w:start w:val="9"/><w:numFmt w:val="{form}"/><w:lvlText w:val="第%1条"/>'
    numbering = (
        f'<w:numbering {_W}><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0">{level}</w:lvl>'
        '<w:lvl w:ilvl="1"><w:numFmt w:val="decimal"/><w:isLgl/><w:lvlText w:val="%1.%2"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
    )
    body = p("x", item(1)) * 3 + p("y", item(1, 1))
    items = texts(read(READER, docx(body, numbering=numbering)), "bullet")
    assert items == [*(f"{mark} x" for mark in shown), "11.1 y"]


@pytest.mark.parametrize(
    ("count", "shown"),
    [(20, "二十"), (99, "九十九"), (101, "一百零一"), (110, "一百一十"), (1001, "一千零一"),
     (9999, "九千九百九十九"), (10_000, "10000")],
)  # fmt: skip
def test_chinese_numbers(count, shown):
    numbering = _NUMBERING.replace("upperRoman", "chineseCountingThousand")
    numbering = numbering.replace('w:start w:val="3"', f'w:start w:val="{count}"')
    reading = read(READER, docx(p("x", item(1)), numbering=numbering))
    assert texts(reading, "bullet") == [f"{shown}. x"]


def test_a_list_by_the_style_of_another_keeps_its_numbers():
    numbering = _NUMBERING.replace(
        '<w:abstractNum w:abstractNumId="0">',
        '<w:abstractNum w:abstractNumId="7"><w:numStyleLink w:val="Steps"/></w:abstractNum>'
        '<w:abstractNum w:abstractNumId="0"><w:styleLink w:val="Steps"/>',
    ).replace("</w:numbering>", '<w:num w:numId="3"><w:abstractNumId w:val="7"/></w:num>'
              "</w:numbering>")  # fmt: skip
    reading = read(READER, docx(p("a", item(3)) + p("b", item(3, 1)), numbering=numbering))
    assert texts(reading, "bullet") == ["III. a", "III.a) b"]


def test_an_empty_item_counts_and_a_deleted_one_does_not():
    gone = p("", item(1) + "<w:rPr><w:del/></w:rPr>")
    reading = read(READER, docx(p("a", item(1)) + p("", item(1)) + gone + p("b", item(1))))
    assert texts(reading, "bullet") == ["III. a", "V. b"]


def test_how_characters_are_read_stands_above_them_and_not_among_them():
    ruby = (
        "<w:r><w:ruby><w:rt><w:r><w:t>Héféi</w:t></w:r></w:rt>"
        "<w:rubyBase><w:r><w:t>合肥</w:t></w:r></w:rubyBase></w:ruby></w:r>"
    )
    assert read(READER, docx(p("", more=ruby))).text == "合肥"


def test_deleted_and_hidden_text_is_no_source():
    reading = read(READER, docx(
        p("Seen.", more="<w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
          "<w:ins><w:r><w:t> Added.</w:t></w:r></w:ins>"
          "<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r>"
          '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> Shown.</w:t></w:r>'
          "<w:r><w:instrText>PAGE</w:instrText></w:r>")
        + f"<w:sdt><w:sdtContent>{p('In a control.')}</w:sdtContent></w:sdt>"
    ))  # fmt: skip
    assert texts(reading, "paragraph") == ["Seen. Added. Shown.", "In a control."]


_HIDING = f"""<w:styles {_W}>
<w:style w:styleId="Gone"><w:name w:val="Gone"/><w:rPr><w:vanish/></w:rPr></w:style>
<w:style w:styleId="Heir"><w:name w:val="Heir"/><w:basedOn w:val="Gone"/></w:style>
<w:style w:styleId="Back"><w:name w:val="Back"/><w:basedOn w:val="Heir"/>
<w:rPr><w:vanish w:val="0"/></w:rPr></w:style></w:styles>"""


def run(text: str, properties: str) -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


@pytest.mark.parametrize("name", ["Gone", "Heir"])
def test_text_that_a_style_hides_is_no_source(name):
    by_run = f'<w:rStyle w:val="{name}"/>'
    shown = run(" Shown.", f'{by_run}<w:vanish w:val="0"/>') + run(
        " B.", '<w:rStyle w:val="Back"/>'
    )
    reading = read(READER, docx(
        p("A.", more=run("secret", by_run) + shown)
        + p("secret", style(name), run("C.", '<w:vanish w:val="0"/>'))
        + p("D.", style("Back")) + table(cell("a") + f"<w:tc>{p('secret', style(name))}</w:tc>")
        + p("secret", style(name) + item(1)) + p("E.", item(1)),
        styles=_HIDING,
    ))  # fmt: skip
    assert reading.text == "A. Shown. B.\n\nC.\n\nD.\n\na\n\nIII. E."


def test_what_is_hidden_by_two_styles_is_shown():
    # Each of them turns it over: ECMA-376, part 1, 17.7.3.
    body = p("secret", style("Gone"), run("Seen.", '<w:rStyle w:val="Gone"/>'))
    assert read(READER, docx(body, styles=_HIDING)).text == "Seen."


def symbol(font: str, code: str) -> str:
    return f'<w:r><w:sym w:font="{font}" w:char="{code}"/></w:r>'


@pytest.mark.parametrize(
    ("font", "code", "shown"),
    [
        ("Segoe UI Symbol", "2713", "✓"),
        ("Wingdings", "F0E0", "→"),
        ("Wingdings", "00FC", "✔"),
        ("Wingdings 2", "F052", "☑"),
        ("Symbol", "F06D", "μ"),
        ("Symbol", "F0B3", "≥"),
        ("Webdings", "F041", ""),
        ("Webdings", "0041", ""),
        ("Wingdings", "2022", "•"),
        ("Arial", "D800", ""),
        ("Arial", "0007", ""),
        ("Arial", "110000", ""),
        ("Arial", "x", ""),
    ],
)
def test_symbols_are_kept_as_their_characters(font, code, shown):
    body = p("a", more=symbol(font, code) + "<w:r><w:ptab/><w:t>b</w:t></w:r>")
    assert read(READER, docx(body)).text == f"a{shown} b"


def test_powers_keep_their_sign():
    body = p("10", more=run("-3", '<w:vertAlign w:val="superscript"/>'))
    assert read(READER, docx(body)).text == "10⁻³"


def test_two_columns_of_text_alone_are_rows_without_a_header():
    reading = read(READER, docx(table(cell("Founded") + cell("1984"), cell("Seat") + cell("X"))))
    assert not spans(reading, "table_header")
    assert len(spans(reading, "table_row")) == 2


# Where parts are.


def relations(**targets: str) -> str:
    parts = (f'<x Type="{_OFFICE}/{kind}" Target="{name}"/>' for kind, name in targets.items())
    return f"<Relationships>{''.join(parts)}</Relationships>"


def test_parts_are_found_by_the_relations_of_the_document():
    body = p("a", style("H2")) + p("b", item(1), reference(0))
    end = f'<w:endnotes {_W}><w:endnote w:id="0">{p("End.")}</w:endnote></w:endnotes>'
    reading = read(READER, zipped({
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": relations(officeDocument="/a/b/main.xml", **{"core-properties": "c.xml"}),
        "c.xml": "<x><title>Its title</title></x>",
        "a/b/main.xml": document(body + p("c", more='<w:r><w:endnoteReference w:id="0"/></w:r>')),
        "a/b/_rels/main.xml.rels": relations(
            styles="s.xml", numbering="../n.xml", footnotes="/f.xml", endnotes="./b/e.xml"
        ),
        "a/b/s.xml": _STYLES,
        "a/n.xml": _NUMBERING,
        "f.xml": footnotes("Foot."),
        "a/b/b/e.xml": end,
    }))  # fmt: skip
    assert reading.text == "a\n\nIII. b¹\n\nc²\n\n¹ Foot.\n\n² End."
    assert texts(reading, "heading") == ["a"]
    assert reading.title == "Its title"


def test_the_main_part_is_found_by_its_type():
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    types = f'<Types><Override PartName="/word/document2.xml" ContentType="{kind}"/></Types>'
    data = zipped({"[Content_Types].xml": types, "word/document2.xml": document(p("Text."))})
    assert read(READER, data).text == "Text."


@pytest.mark.parametrize(
    "told",
    [
        relations(styles="../../../outside.xml"),
        relations(styles="missing.xml"),
        relations(styles="file:///etc/passwd"),
        relations(styles="other.xml").replace("<x ", '<x TargetMode="External" '),
        "<Relationships",
    ],
    ids=["outside", "missing", "file", "external", "damaged"],
)
def test_parts_that_are_not_where_the_document_says(told):
    data = zipped({
        "[Content_Types].xml": _TYPES,
        "../outside.xml": f"<w:styles {_W}/>",
        "word/other.xml": f"<w:styles {_W}/>",
        "word/_rels/document.xml.rels": told,
        "word/styles.xml": _STYLES,
        "word/document.xml": document(p("Part", style("H2"))),
    })  # fmt: skip
    assert texts(read(READER, data), "heading") == ["Part"]


def test_damaged_properties_refuse_no_document():
    data = zipped({
        "[Content_Types].xml": _TYPES,
        "docProps/core.xml": "<cp:coreProperties",
        "word/document.xml": document(p("Text.")),
    })  # fmt: skip
    assert read(READER, data).text == "Text."


# Harm.


@pytest.mark.parametrize("number", ["²", "1" * 5_000], ids=["no-digit", "long"])
def test_numbers_that_are_none(number):
    numbering = _NUMBERING.replace('w:ilvl="1"', f'w:ilvl="{number}"')
    body = p("Text.", f'<w:outlineLvl w:val="{number}"/>')
    assert texts(read(READER, docx(body, numbering=numbering)), "paragraph") == ["Text."]


def test_deep_nesting_is_read():
    rows = "<w:ins>" * 1_500 + f"<w:tr>{cell('a')}{cell('b')}</w:tr>" + "</w:ins>" * 1_500
    assert read(READER, docx(f"<w:tbl>{rows}</w:tbl>")).text == "a\tb"
    boxes = "<w:p><w:txbxContent>" * 900 + p("Text.") + "</w:txbxContent></w:p>" * 900
    assert read(READER, docx(boxes)).text == "Text."


@pytest.mark.parametrize(
    "rows",
    [
        [cell("x" * 50_000, '<w:vMerge w:val="restart"/>') + cell("a")]
        + [cell("", "<w:vMerge/>") + cell("b")] * 200,
        ['<w:trPr><w:gridBefore w:val="999"/></w:trPr>' + cell("b")] * 7_000,
    ],
    ids=["down", "before"],
)
def test_merged_cells_of_a_bomb_are_not_all_repeated(rows):
    assert len(READER.read(docx(table(*rows))).text) < 6_000_000


def test_time_grows_with_the_notes_and_not_with_their_square():
    count = 20_000
    data = docx(
        p("A.", more="".join(map(reference, range(count)))), footnotes=footnotes(*["x"] * count)
    )
    begun = time.process_time()
    READER.read(data)
    assert time.process_time() - begun < 20


def test_time_grows_with_the_styles_and_not_with_their_square():
    styles = "".join(
        f'<w:style w:styleId="S{i}"><w:basedOn w:val="S{i + 1}"/></w:style>' for i in range(10_000)
    )
    body = "".join(p("x", style(f"S{i}")) for i in range(10_000))
    data = docx(body, styles=f"<w:styles {_W}>{styles}</w:styles>")
    begun = time.process_time()
    READER.read(data)
    assert time.process_time() - begun < 10


def test_what_is_outside_is_never_fetched(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
    data = zipped({
        "[Content_Types].xml": _TYPES,
        "word/document.xml": f"{entity}<w:document {_W}><w:body>{p('Seen.')}"
        "<w:p><w:r><w:t>a &e; b</w:t></w:r></w:p></w:body></w:document>",
        "word/_rels/document.xml.rels": "<Relationships><Relationship TargetMode='External' "
        f"Type='{_OFFICE}/attachedTemplate' Target='http://127.0.0.1:9/x'/></Relationships>",
    })  # fmt: skip
    reading = read_or_refused(READER, data)
    assert reading is not None
    assert "Seen." in reading.text
    assert "secret" not in reading.text


def test_entities_are_not_expanded():
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    data = zipped({
        "[Content_Types].xml": _TYPES,
        "word/document.xml": f'<!DOCTYPE x [<!ENTITY l0 "lol">{lol}]><w:document {_W}><w:body>'
        f"{p('Seen.')}<w:p><w:r><w:t>&l9;</w:t></w:r></w:p></w:body></w:document>",
    })  # fmt: skip
    reading = read_or_refused(READER, data)
    assert reading is None or "lollol" not in reading.text


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    body = p("A" * 30_000_000)
    with pytest.raises(ReadError, match="looks like a zip bomb"):
        READER.read(docx(body))


def test_a_bomb_that_lies_about_its_size():
    data = bytearray(docx(p("A" * 5_000_000)))
    name = b"word/document.xml"
    entry = data.rindex(name) - 46  # in the directory: the size is at 24
    data[entry + 24 : entry + 28] = (1000).to_bytes(4, "little")
    with pytest.raises(ReadError, match=r"damaged|longer"):
        READER.read(bytes(data))


def test_much_that_is_not_read_does_no_harm():
    members: dict[str, bytes | str] = {"word/media/image1.png": b"\0" * 30_000_000}
    with zipfile.ZipFile(BytesIO(docx(p("Text.")))) as archive:
        members |= {name: archive.read(name) for name in archive.namelist()}
    assert read(READER, zipped(members)).text == "Text."


def test_paths_that_lead_out_are_written_nowhere(tmp_path, monkeypatch):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    reading = read(READER, zipped({
        "[Content_Types].xml": _TYPES,
        "../../evil.txt": "x",
        "_rels/.rels": f"<Relationships><Relationship Type='{_OFFICE}/officeDocument' "
        "Target='../../evil.xml'/></Relationships>",
        "word/document.xml": f"<w:document {_W}><w:body>{p('Text.')}</w:body></w:document>",
    }))  # fmt: skip
    assert reading.text == "Text."
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "b"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "locked with a password"),
        (b"PK\x03\x04 cut", "not a Word document"),
        (b"plain text", "not a Word document"),
        (zipped({"a.txt": "x"}), "zip archive of something else"),
        (zipped({"[Content_Types].xml": _TYPES}), "no text part"),
        (zipped({"[Content_Types].xml": _TYPES, "word/document.xml": "<w:document"}), "damaged"),
        (docx(""), "holds no text"),
        (docx(table(*["".join(cell("x", '<w:gridSpan w:val="900"/>') for _ in "ab")])), "columns"),
        (docx("<w:p>" * 3_000), "damaged"),
        (docx("<w:x>" * 3_000 + "</w:x>" * 3_000), "damaged"),
    ],
    ids=["empty", "locked", "cut", "text", "zip", "no-part", "bad-xml", "no-text", "wide",
         "unclosed", "deep"],
)  # fmt: skip
def test_refused_with_a_sentence(data, reason):
    with pytest.raises(ReadError, match=reason):
        READER.read(data)


def test_an_encrypted_member():
    data = bytearray(docx(p("Text.")))
    for place in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[place] |= 1
    entry = data.rindex(b"word/document.xml") - 46
    data[entry + 8] |= 1
    with pytest.raises(ReadError, match="locked with a password"):
        READER.read(bytes(data))


_WHOLE = docx(p("Part", style("H2")) + table(cell("a") + cell("b")) + p("Text.", item(1)))


@given(st.integers(0, len(_WHOLE)), st.binary(max_size=4), st.integers(0, 8))
@settings(max_examples=200, deadline=None)
def test_damaged_documents(at, data, cut):
    read_or_refused(READER, _WHOLE[:at] + data + _WHOLE[at + cut :])


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_bytes(data):
    read_or_refused(READER, data)


_NAMES = ("p", "r", "t", "tbl", "tr", "tc", "pPr", "txbxContent", "sdt", "ins", "br", "tab", "rPr")
_pieces = st.one_of(
    st.tuples(
        st.sampled_from(_NAMES),
        st.text("aB1.:¹*-|[] \t\n\x85\u2028\ufeff\xa0中", max_size=8),
    ).map(lambda pair: f"<w:{pair[0]}>{escape(pair[1])}"),
    st.sampled_from([
        p("x"), p("y", item(1)), p("z", style("H2")), cell("c", "<w:vMerge/>"), p(""),
        cell("d", '<w:gridSpan w:val="3"/>'), table(cell("e") + cell("f"), cell("")),
        '<w:r><w:footnoteReference w:id="1"/></w:r>', '<w:gridBefore w:val="2"/>',
    ]),
)  # fmt: skip


@given(st.lists(_pieces, max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_elements(pieces):
    opened: list[str] = []
    body = ""
    for piece in pieces:
        body += piece
        if piece.startswith("<w:") and "</" not in piece and not piece.endswith("/>"):
            opened.append(piece[3:].split(">")[0])
    body += "".join(f"</w:{name}>" for name in reversed(opened))
    notes = f'<w:footnotes {_W}><w:footnote w:id="1">{p("n")}</w:footnote></w:footnotes>'
    read_or_refused(READER, docx(body, footnotes=notes))
