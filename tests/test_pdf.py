"""The PDF reader: what it finds in PDFs made here and in real ones, and how it refuses the bad."""

import importlib.util
import lzma
import re
import zlib
from io import BytesIO
from pathlib import Path

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from askai.errors import ReadError
from askai.readers.pdf import PdfReader
from test_readers import check_contract, spans

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT.parent / "shared" / "samples"
LOREM = re.findall(
    r"\w+",
    "lorem ipsum dolor sit amet consetetur sadipscing elitr sed diam nonumy eirmod tempor invidunt "
    "ut labore et dolore magna aliquyam erat sed diam voluptua at vero eos et accusam et justo duo",
)


def sample(name):
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"the sample {name} is not at {SAMPLES}")
    return path.read_bytes()


def line(x, y, text, *, size=10, font="F1"):
    """Operators that show a text with its baseline at (x, y) from the page's lower left."""
    shown = f"<{text.encode('utf-16-be').hex()}>" if font == "F4" else f"({escaped(text)})"
    return f"BT /{font} {size} Tf 1 0 0 1 {x} {y} Tm {shown} Tj ET\n"


def escaped(text):
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def lines(x, y, texts, *, leading=12, **look):
    return "".join(line(x, y - i * leading, text, **look) for i, text in enumerate(texts))


def prose(count, start=0, width=400):
    """Lines that each take as many words as a column of that width has room for, at 10 points."""
    found, words = [], [*LOREM[start:], *LOREM * (count * width // 800 + 1)]
    at = 0
    for _ in range(count):
        first, at = at, at + 1
        while set_width(" ".join(words[first : at + 1])) <= width:
            at += 1
        found.append(" ".join(words[first:at]))
    return found


def set_width(text):
    """Roughly, of Helvetica at 10 points."""
    return sum(2.5 if c in "ijltf ,." else 8 if c in "mw" else 5.5 for c in text)


def objects(*bodies):
    """A PDF of numbered objects, of which the first is its catalogue."""
    found = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(found))
        found += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(bodies) + 1
    return (
        found
        + b"xref\n0 %d\n0000000000 65535 f \n" % size
        + table
        + b"trailer\n<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF\n" % (size, len(found))
    )


def stream(content, entries=b""):
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(content), content)


FONTS = (
    b"<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
    b"/F2<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold>>"
    b"/F3<</Type/Font/Subtype/Type1/BaseFont/Courier>>"
    b"/F4<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-H/DescendantFonts["
    b"<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/DW 1000/CIDSystemInfo"
    b"<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>/FontDescriptor<</Type/FontDescriptor"
    b"/FontName/STSong-Light/Flags 4/FontBBox[0 -200 1000 900]/Ascent 880/Descent -120"
    b"/ItalicAngle 0/CapHeight 880/StemV 90>>>>]>>>>>>"
)


def pdf(*pages, box="0 0 595 842"):
    """A PDF of pages, each given by its operators."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}/MediaBox[{box}]>>".encode(),
        FONTS,
    ]
    for i, page in enumerate(pages):
        bodies.append(b"<</Type/Page/Parent 2 0 R/Resources 3 0 R/Contents %d 0 R>>" % (5 + 2 * i))
        bodies.append(stream(page if isinstance(page, bytes) else page.encode("latin-1")))
    return objects(*bodies)


def read(data, password=""):
    reading = PdfReader().read(data, password=password)
    check_contract(reading)
    assert reading == PdfReader().read(data, password=password)
    return reading


def pages_of(reading):
    return spans(reading, "page")


# Layout.


def test_two_columns_are_read_one_after_the_other():
    left, right = prose(20, 0, 220), prose(20, 3, 220)
    page = line(150, 780, "A title over both of the columns", size=16, font="F2")
    page += lines(60, 740, left) + lines(320, 740, right)
    reading = read(pdf(page))
    expected = " ".join([*left, *right])
    assert reading.text == f"A title over both of the columns\n\n{expected}"
    assert [label for label, _ in spans(reading, "heading")] == ["A title over both of the columns"]


def test_rows_of_a_table_are_no_columns():
    rows = [
        ("City", "Role", "Rank"),
        ("Nanjing", "chips", "6"),
        ("Hefei", "voice and vision", "7"),
        ("Xi'an", "space", "11"),
    ]
    page = line(60, 790, "Table 1. Cities and their roles.")
    for i, cells in enumerate(rows):
        for x, cell in zip((60, 200, 400), cells, strict=True):
            page += line(x, 760 - 15 * i, cell)
    reading = read(pdf(page + lines(60, 600, prose(4))))
    assert spans(reading, "table_title") == [("Table 1", "Table 1. Cities and their roles.")]
    assert spans(reading, "table_header") == [("Table 1", "City\tRole\tRank")]
    assert spans(reading, "table_row")[1] == ("Table 1, row 2", "Hefei\tvoice and vision\t7")


def test_centred_cells_belong_to_the_rows_beside_them():
    page = ""
    for i, name in enumerate(("one", "two", "three")):
        y = 700 - 40 * i
        page += line(60, y - 6, name) + line(200, y, "upper") + line(300, y, f"1{i}")
        page += line(200, y - 12, "lower") + line(300, y - 12, f"2{i}")
    reading = read(pdf(page))
    assert [text for _, text in spans(reading, "table_row")] == [
        "two\tupper lower\t11 21",
        "three\tupper lower\t12 22",
    ]


def test_paragraphs_are_joined_across_lines_and_parted_by_indents():
    first = [*prose(3), "and this is its end."]
    second = [*prose(3, 7), "and so does this one end."]
    page = lines(60, 780, first)
    page += line(75, 732, second[0]) + lines(60, 720, second[1:])
    reading = read(pdf(page))
    assert [text for _, text in spans(reading, "paragraph")] == [" ".join(first), " ".join(second)]


@pytest.mark.parametrize(
    ("ends", "begins", "joined"),
    [
        ("it is a matter of co-", "operation between all of us", "of cooperation between"),
        ("it is a matter of AI-", "driven work of all of us", "of AI-driven work"),
        ("it is a matter of well-", "known work of all of us", "of well-known work"),
        ("it is a matter of Covid-", "19 and of all of us here", "of Covid-19 and"),
        ("it is a matter of Franco-", "German work of all of us", "of Franco-German work"),
        ("it is under /usr/share/", "doc and not under the other", "/usr/share/doc and"),
        ("see https://a.example/long-", "path and then the other one", "a.example/long-path and"),
    ],
    ids=["undone", "capitals", "seen elsewhere", "digits", "capital", "path", "address"],
)
def test_hyphens_at_the_ends_of_lines(ends, begins, joined):
    page = lines(60, 780, [ends, begins]) + line(60, 700, "A well-known fact.")
    assert joined in read(pdf(page)).text


def test_running_heads_and_page_numbers_are_left_out():
    chapters = ["Of cats", "Of cats", "Of dogs", "Of dogs", "Of dogs", "Of birds"]
    pages = [
        line(60, 810, f"The animals, chapter {i // 2}. {chapter}", size=9)
        + lines(60, 760, [*prose(30, i), f"It is the end of page {i}."])
        + line(295, 40, str(i + 7), size=9)
        for i, chapter in enumerate(chapters)
    ]
    reading = read(pdf(*pages))
    assert "animals" not in reading.text
    assert [label for label, _ in pages_of(reading)] == ["1", "2", "3", "4", "5", "6"]
    for i, (_, text) in enumerate(pages_of(reading)):
        assert text == " ".join([*prose(30, i), f"It is the end of page {i}."])


def test_a_paragraph_goes_on_over_the_page_and_its_note_comes_after_it():
    begins, ends = prose(3), ["and this is the end of what began", "on the page before."]
    note = line(60, 84, "1", size=5) + line(64, 80, "The note of page one.", size=8)
    page = (
        lines(60, 780, begins) + line(60, 744, "a word with a mark") + line(146, 748, "1", size=6)
    )
    page += line(150, 744, ", which goes on with words and")
    reading = read(pdf(page + note, lines(60, 780, ends) + lines(60, 700, ["And more of it."])))
    (_, whole), (_, more) = spans(reading, "paragraph")
    assert whole == " ".join([*begins, "a word with a mark¹, which goes on with words and", *ends])
    assert more == "And more of it."
    assert spans(reading, "footnote") == [("1", "¹ The note of page one.")]
    assert spans(reading, "reference") == [("1", "¹")]
    assert [(m.label, m.continues) for m in reading.marks if m.kind == "page"] == [
        ("1", False), ("2", False), ("1", True), ("2", True),
    ]  # fmt: skip
    assert reading.text.index(whole) < reading.text.index("The note") < reading.text.index(more)


def test_a_note_without_a_raised_number():
    page = lines(60, 780, prose(8))
    page += lines(
        60, 100, ["1 The first of the notes.", "2 The second of them."], size=7, leading=9
    )
    reading = read(pdf(page))
    assert spans(reading, "footnote") == [
        ("1", "1 The first of the notes."), ("2", "2 The second of them."),
    ]  # fmt: skip


def test_bullets_and_numbers_begin_items():
    page = lines(60, 780, prose(3))
    for i, mark in enumerate(("\x95", "\x95", "1.", "2.")):
        page += line(60, 720 - 40 * i, mark) + line(75, 720 - 40 * i, " ".join(prose(1)))
        page += line(75, 708 - 40 * i, f"and its second line {i}.")
    bullets = [text for _, text in spans(read(pdf(page)), "bullet")]
    assert len(bullets) == 4
    assert bullets[2] == f"1. {prose(1)[0]} and its second line 2."


def test_lines_of_code_stay_lines():
    page = lines(60, 780, prose(3))
    page += line(70, 730, "def f(x):", font="F3") + line(94, 718, "return x", font="F3")
    reading = read(pdf(page + lines(60, 690, prose(3))))
    assert "def f(x):\n    return x" in [text for _, text in spans(reading, "paragraph")]


def test_headings_by_their_type():
    page = line(60, 780, "The whole", size=20, font="F2")
    for i in range(3):
        page += line(60, 740 - 100 * i, f"Part {i}", size=13, font="F2")
        page += lines(60, 720 - 100 * i, [*prose(3, i), "It ends."])
    reading = read(pdf(page))
    assert [(m.label, m.level) for m in reading.marks if m.kind == "heading"] == [
        ("The whole", 1), ("Part 0", 2), ("Part 1", 2), ("Part 2", 2),
    ]  # fmt: skip
    assert reading.title == "The whole"


def test_headings_by_the_outline_whose_type_tells_nothing():
    page = line(60, 780, "1 Cats") + lines(60, 750, [*prose(3), "It ends."])
    page += line(60, 650, "1.1 Their food") + lines(60, 620, [*prose(3), "It ends."])
    writer = pypdf.PdfWriter(clone_from=BytesIO(pdf(page)))
    cats = writer.add_outline_item(title="Cats", page_number=0)
    writer.add_outline_item(title="Their food", page_number=0, parent=cats)
    reading = read(written(writer))
    assert [(m.label, m.level) for m in reading.marks if m.kind == "heading"] == [
        ("1 Cats", 1), ("1.1 Their food", 2),
    ]  # fmt: skip


def test_lines_of_a_table_of_contents():
    page = line(60, 780, "Contents", size=16, font="F2")
    for i in range(4):
        page += line(60, 750 - 14 * i, f"{i} Of something " + ". " * 40 + str(i + 3))
    reading = read(pdf(page + lines(60, 600, prose(9))))
    assert [text for _, text in spans(reading, "bullet")][1] == "1 Of something 4"


def test_chinese_lines_are_joined_without_blanks():
    chinese = [
        "人工智能产业正在中国迅速发展，各地",
        "政府相继出台政策支持企业的创新。北",
        "京使用 Debian 系统。",
    ]
    page = "".join(line(60, 780 - 16 * i, text, font="F4") for i, text in enumerate(chinese))
    reading = read(pdf(page))
    assert "".join(reading.text.split()) == "".join(chinese).replace(" ", "")
    assert reading.text.startswith("".join(chinese)[:38])
    assert reading.language == "zh"


def test_turned_pages_are_read_as_they_are_shown():
    text = [*prose(4), "It ends."]
    writer = pypdf.PdfWriter(clone_from=BytesIO(pdf(lines(60, 780, text))))
    for quarter in (90, 180, 270):
        writer.pages[0].rotation = quarter
        assert pages_of(read(written(writer)))[0][1].split()[0] in (text[0].split()[0], "It")


def written(writer):
    made = BytesIO()
    writer.write(made)
    return made.getvalue()


# What else is known of a file.


def test_metadata():
    writer = pypdf.PdfWriter(clone_from=BytesIO(pdf(lines(60, 780, prose(3)))))
    writer.add_metadata(
        {"/Title": "Of things", "/Author": "A. Writer", "/CreationDate": "D:20240305101112+01'00'"}
    )
    reading = read(written(writer))
    assert (reading.title, reading.author, reading.published) == (
        "Of things", "A. Writer", "2024-03-05",
    )  # fmt: skip


def test_quality_of_pages():
    image = "q 100 0 0 100 60 600 cm BI /W 2 /H 2 /BPC 8 /CS /G ID abcd EI Q\n"
    broken = "".join(line(60, 780 - 12 * i, '!"# $%&\'&()*+,") +-./(0+$+,)"*1+') for i in range(5))
    good = lines(60, 780, [*prose(3), "It ends."])
    whole, blank, scanned, garbled = read(pdf(good, "", image, broken)).pages
    assert (whole, blank, scanned) == (1.0, 1.0, 0.0)
    assert garbled < 0.2


# Bad input.


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"hello", "it is not a PDF"),
        (b"%PDF-1.7\nnothing more", "damaged or cut short"),
        (pdf("", ""), "2 pages, none with text: it is a scan; run OCR on it, for example ocrmypdf"),
        (pdf(), "no page can be read"),
        (objects(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1>>"), ""),
        (objects(b"<</Type/Catalog/Pages 1 0 R>>"), ""),
        (b"%PDF-1.7\n" + b"[" * 500_000, "damaged or cut short"),
        (b"%PDF-1.7\n1 0 obj\n" + b"<</A" * 200_000, "damaged or cut short"),
    ],
    ids=[
        "empty", "not a PDF", "cut short", "no text", "no pages", "its own parent",
        "catalogue as pages", "deep arrays", "deep dictionaries",
    ],
)  # fmt: skip
def test_refused(data, said):
    with pytest.raises(ReadError) as error:
        PdfReader().read(data)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_cut_short_gives_the_pages_it_still_has():
    whole = pdf(*(lines(60, 780, [*prose(9, i), f"End of page {i}."]) for i in range(8)))
    reading = read(whole[: whole.index(b"17 0 obj")])
    assert [label for label, _ in pages_of(reading)] == ["1", "2", "3", "4", "5", "6"]
    assert reading.pages[:6] == (1.0,) * 6


def test_a_form_that_holds_itself():
    page = lines(60, 780, prose(3)) + "/X Do\n"
    form = stream(
        b"/X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 6 0 R>>>>"
    )
    data = objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[4 0 R]/Count 1/MediaBox[0 0 595 842]>>",
        FONTS.replace(b"<</Font", b"<</XObject<</X 6 0 R>>/Font", 1),
        b"<</Type/Page/Parent 2 0 R/Resources 3 0 R/Contents 5 0 R>>",
        stream(page.encode()),
        form,
    )
    assert read(data).text == " ".join(prose(3))


def test_an_outline_that_goes_round_in_circles():
    data = pdf(lines(60, 780, prose(3)))
    data = data.replace(b"/Catalog", b"/Catalog/Outlines 90 0 R", 1).replace(
        b"xref\n",
        b"90 0 obj\n<</First 91 0 R/Last 91 0 R/Count 1>>\nendobj\n"
        b"91 0 obj\n<</Title(lorem)/Parent 90 0 R/Next 91 0 R/First 91 0 R/Dest[4 0 R/Fit]>>\n"
        b"endobj\nxref\n",
        1,
    )
    assert read(data).text == " ".join(prose(3))


@pytest.mark.parametrize("box", ["0 0 1000000000 1000000000", "0 0 0 0", "9 9 1 1", "a b c d"])
def test_boxes_of_pages_that_none_can_print(box):
    assert "lorem" in read(pdf(lines(60, 780, prose(3)), box=box)).text


def test_a_stream_that_fills_the_memory():
    packer = zlib.compressobj()
    packed = b"".join(packer.compress(b" " * 1_000_000) for _ in range(210)) + packer.flush()
    data = objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
        FONTS,
        b"<</Type/Page/Parent 2 0 R/Resources 3 0 R/Contents 5 0 R>>",
        stream(packed, b"/Filter/FlateDecode"),
    )
    with pytest.raises(ReadError, match="unpacks to more than 200 MB"):
        PdfReader().read(data)
    twice = zlib.compress(packed)
    with pytest.raises(ReadError, match="unpacks to more than 200 MB"):
        PdfReader().read(
            pdf("").replace(stream(b""), stream(twice, b"/Filter[/FlateDecode/FlateDecode]"))
        )


def test_forms_that_each_show_the_next_ten_times():
    shows = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>"
    data = objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>",
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>",
        stream(b"/X Do"),
        *(stream(b"/X Do " * 10, shows % (6 + i)) for i in range(7)),
        stream(b"0 0 9 9 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]"),
    )
    with pytest.raises(ReadError, match="shows more than 100,000 forms"):
        PdfReader().read(data)


def test_scripts_and_attachments_are_left_alone():
    writer = pypdf.PdfWriter(clone_from=BytesIO(pdf(lines(60, 780, prose(3)))))
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(
        {
            NameObject("/S"): NameObject("/JavaScript"),
            NameObject("/JS"): TextStringObject("app.alert('hello'); this.pageNum = 7;"),
        }
    )
    writer.add_attachment("secret.txt", b"what is attached")
    reading = read(written(writer))
    assert reading.text == " ".join(prose(3))


def test_locked_files():  # AES needs a package more to write; samples below have it
    writer = pypdf.PdfWriter(clone_from=BytesIO(pdf(lines(60, 780, prose(3)))))
    writer.encrypt("open sesame", algorithm="RC4-128")
    data = written(writer)
    assert read(data, "open sesame").text == " ".join(prose(3))
    asked = "it is locked; put its password under [passwords] in askai.toml"
    for password in ("", "wrong"):
        with pytest.raises(ReadError) as error:
            PdfReader().read(data, password=password)
        assert str(error.value).startswith(asked)
        assert ("wrong" in str(error.value)) == bool(password)


PLAIN = pdf(lines(60, 780, prose(3)), lines(60, 780, prose(3, 5)))


@given(
    st.lists(
        st.tuples(st.integers(9, len(PLAIN) - 1), st.binary(min_size=0, max_size=6)), max_size=12
    ),
    st.integers(0, len(PLAIN)),
)
@settings(max_examples=150, deadline=None)
def test_changed_bytes_are_read_or_refused(changes, cut):
    data = bytearray(PLAIN)
    for at, changed in changes:
        data[at : at + len(changed)] = changed
    for whole in (bytes(data), bytes(data[:cut])):
        try:
            reading = PdfReader().read(whole)
        except ReadError:
            continue
        check_contract(reading)


# Real files.


def quality():
    spec = importlib.util.spec_from_file_location("quality", ROOT / "tools" / "pdf_quality.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "characters", "words", "order"),
    [
        ("debian/debian-policy.en.pdf", 0.97, 0.97, 0.90),
        ("debian/maint-guide.es.pdf", 0.97, 0.95, 0.90),
        ("sample-files/multicolumn.pdf", 0.99, 0.99, 0.99),
        ("docling/pdf/2305.03393v1-pg9.pdf", 0.97, 0.97, 0.99),
        ("docling/pdf/code_and_formula.pdf", 0.97, 0.97, 0.80),
        ("docling/pdf/redp5110_sampled.pdf", 0.97, 0.94, 0.98),
        ("docling/pdf/right_to_left_01.pdf", 0.97, 0.93, 0.99),
        ("pypdf/crazyones.pdf", 0.99, 0.99, 0.99),
    ],
)
def test_samples_come_out_as_given(name, characters, words, order):
    tool = quality()
    data = sample(name)
    wanted = tool.given_text(SAMPLES / tool.GIVEN[name])
    if "multicolumn" in name:
        data = tool.first_page(data)
    reading = PdfReader().read(data)
    check_contract(reading)
    found = tool.measured(reading.text, wanted)
    assert all(a >= b for a, b in zip(found, (characters, words, order), strict=True)), found


def test_chinese_pages_come_out_as_given():
    """The text of the Debian FAQ, set here: 40 characters a line, as a Chinese book has them."""
    given = lzma.decompress(sample("debian/debian-faq.zh-cn.txt.xz")).decode()
    given = given.replace("\xa0", " ")
    blocks = ([line.strip() for line in block.split("\n")] for block in given.split("\n\n"))
    paragraphs = [HAN_GAP.sub("", " ".join(block)) for block in blocks if "。" in block[-1]][:150]
    rows = []
    for paragraph in paragraphs:
        rows += [*wrapped(paragraph, 40), ""]
    pages = [
        line(60, 810, "常见问题", font="F4", size=8)
        + lines(60, 780, rows[i : i + 44], font="F4", leading=16)
        + line(290, 40, str(i // 44 + 1), size=8)
        for i in range(0, len(rows), 44)
    ]
    reading = read(pdf(*pages))
    characters, _, order = quality().measured(" ".join(reading.text), " ".join("".join(paragraphs)))
    assert min(characters, order) >= 0.99
    assert reading.language == "zh"
    # Whether a blank stood where a line ends between Han and Latin letters is not to be known.
    found = "".join(reading.text.split())
    lost = [p for p in paragraphs if "".join(p.split()) not in found]
    assert len(lost) <= 0.05 * len(paragraphs), lost
    kept = sum(paragraph in reading.text for paragraph in paragraphs)
    assert kept >= 0.7 * len(paragraphs), f"{kept} of {len(paragraphs)}"


HAN_GAP = re.compile(r"(?<=[\u3000-\u9fff\uff01-\uff60]) (?=[\u3000-\u9fff\uff01-\uff60])")


def wrapped(text, width):
    """Lines of Han characters, between which they may end anywhere, and of other words."""
    found = [""]
    for word in re.findall(r"[\u2e80-\uffef]|[^\u2e80-\uffef\s]+|\s+", text):
        if len(found[-1]) + len(word) > width and found[-1]:
            found.append("")
        if found[-1] or not word.isspace():
            found[-1] += word
    return [row.rstrip() for row in found]


def test_characters_that_are_lost_count_in_the_quality():
    """PDFium drops what a font that is neither in the file nor on the machine shows alone."""
    page = line(60, 780, "和", font="F4") + line(60, 760, "这些字都在这里", font="F4")
    reading = read(pdf(page))
    assert "和" in reading.text or reading.pages[0] < 1


def test_a_table_of_a_paper():
    reading = read(sample("docling/pdf/2305.03393v1-pg9.pdf"))
    rows = [text.split("\t") for _, text in spans(reading, "table_row")]
    assert [row[-5:] for row in rows] == [
        ["0.965 0.969", "0.934 0.927", "0.955 0.955", "0.88 0.857", "2.73 5.39"],
        ["0.938 0.952", "0.909 0.904", "0.927 0.938", "0.853 0.843", "1.97 3.77"],
        ["0.923 0.945", "0.897 0.901", "0.915 0.931", "0.859 0.834", "1.91 3.81"],
        ["0.952 0.944", "0.92 0.903", "0.942 0.931", "0.857 0.824", "1.22 2"],
    ] or rows[0][-4:] == ["0.934 0.927", "0.955 0.955", "0.88 0.857", "2.73 5.39"]
    assert spans(reading, "table_title")[0][0] == "Table 1"


@pytest.mark.parametrize(
    ("name", "password", "text"),
    [
        ("sample-files/libreoffice-writer-password.pdf", "openpassword", ""),
        ("docling/pdf/password_2206.01062_pg3.pdf", "1234", "DocLayNet"),
        ("pypdf/r6-user-password.pdf", "asdfzxcv", ""),
        ("pypdf/r6-empty-password.pdf", "", ""),
        ("pypdf/r4-owner-password.pdf", "", ""),
        ("pypdf/encrypted-file.pdf", "test", ""),
        ("pypdf/multilang.pdf", "", "你好世界"),
        ("pypdf/indirect-rotation.pdf", "", "Appendix A - Members"),
        ("pypdf/Seige_of_Vicksburg_Sample_OCR.pdf", "", "Vicksburg"),
        ("sample-files/google-doc-document.pdf", "", "Population\t273.879.750¹"),
    ],
)
def test_other_samples(name, password, text):
    assert text in read(sample(name), password).text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("docling/pdf/scanned_ocr_test.pdf", "1 page, none with text"),
        ("made_here/zero_bytes.pdf", "the file is empty"),
        ("made_here/not_a_pdf.pdf", "it is not a PDF"),
        ("pypdf/r6-user-password.pdf", "it is locked"),
    ],
)
def test_samples_refused(name, said):
    with pytest.raises(ReadError, match=said):
        PdfReader().read(sample(name))


def test_a_truncated_sample_gives_what_is_there():
    reading = read(sample("made_here/truncated_multi_page.pdf"))
    assert "word processor" in reading.text
    assert len(reading.pages) == 5
    assert min(reading.pages) < 0.99  # its headings have lost the names of their letters
