"""Faults that were found in the PDF reader, each in a file made here."""

import time
from io import BytesIO

import pypdf
import pytest

from askai.errors import ReadError
from askai.readers.pdf import PdfReader
from askai.readers.pdf_guard import check
from test_pdf import FONTS, line, lines, objects, pages_of, pdf, prose, read, stream, written
from test_readers import spans

BODY = lines(60, 780, [*prose(6), "It ends."])
TURNED = "BT /F1 10 Tf 0 1 -1 0 30 300 Tm (arXiv 2305, in the margin) Tj ET\n"


def table(rows, y=760, xs=(60, 200, 400)):
    return "".join(
        line(x, y - 15 * i, cell)
        for i, cells in enumerate(rows)
        for x, cell in zip(xs, cells, strict=True)
        if cell
    )


def texts(reading, kind="paragraph"):
    return [text for _, text in spans(reading, kind)]


# Tables.


def test_an_empty_first_cell_keeps_the_others_in_their_columns():
    rows = [("", "2019", "2020"), ("GDP", "5", "6"), ("", "7", "8"), ("Debt", "1", "2")]
    reading = read(pdf(table(rows) + lines(60, 600, prose(4))))
    assert texts(reading, "table_header") == ["\t2019\t2020"]
    assert texts(reading, "table_row") == ["GDP\t5\t6", "\t7\t8", "Debt\t1\t2"]


def test_a_bold_title_of_a_table_is_no_heading():
    rows = [("City", "Role", "Rank"), ("Hefei", "voice", "7"), ("Xi'an", "space", "11")]
    page = BODY + line(60, 600, "Table 1. Cities and their roles", font="F2") + table(rows, 580)
    reading = read(pdf(page))
    assert spans(reading, "table_title") == [("Table 1", "Table 1. Cities and their roles")]
    assert spans(reading, "table_header") == [("Table 1", "City\tRole\tRank")]
    assert not spans(reading, "heading")


CITIES = [(f"City {c}", f"role {c}", f"{i}") for i, c in enumerate("abcdefghijkl")]
HEAD = ("City", "Role", "Rank")


def test_a_table_that_goes_on_over_the_page_keeps_its_header():
    first = BODY + table([HEAD, *CITIES[:6]], 200)
    reading = read(pdf(first, table(CITIES[6:], 780) + lines(60, 500, prose(3))))
    assert texts(reading, "table_header") == ["City\tRole\tRank"]
    expected = [(f"Table ~1, row {i}", "\t".join(cells)) for i, cells in enumerate(CITIES, 1)]
    assert spans(reading, "table_row") == expected
    # One that has a header of its own is another.
    reading = read(pdf(first, table([HEAD, *CITIES[6:]], 780) + lines(60, 500, prose(3))))
    assert len(texts(reading, "table_header")) == 2
    assert len(texts(reading, "table_row")) == 12


def test_a_table_in_small_type_at_the_foot_is_no_note():
    rows = [("No", "City", "Rank"), ("1", "Hefei", "7"), ("2", "Xi'an", "11"), ("3", "Wuhan", "9")]
    page = lines(60, 780, [*prose(20), "It ends."])
    for i, cells in enumerate(rows):
        for x, cell in zip((60, 200, 400), cells, strict=True):
            page += line(x, 160 - 10 * i, cell, size=8)
    note = line(60, 90, "1 This is a note.", size=7)
    reading = read(pdf(page + note))
    assert texts(reading, "table_row") == ["1\tHefei\t7", "2\tXi'an\t11", "3\tWuhan\t9"]
    assert texts(reading, "footnote") == ["1 This is a note."]


# What stands at the edges of pages.


def test_titles_that_differ_by_their_numbers_are_no_running_heads():
    pages = [
        line(60, 720, f"Chapter {i // 3 + 1}", size=22, font="F2") + lines(60, 640, prose(9, i))
        if i % 3 == 0
        else lines(60, 780, prose(30, i))
        for i in range(9)
    ]
    found = texts(
        read(pdf(*(page + line(300, 40, str(i)) for i, page in enumerate(pages)))), "heading"
    )
    assert found == ["Chapter 1", "Chapter 2", "Chapter 3"]


def test_titles_of_slides_that_begin_alike_are_no_running_heads():
    titles = [
        f"{what} of {whom}" for what in ("Food", "Sleep") for whom in ("cats", "dogs", "birds")
    ]
    pages = [
        line(60, 780, title, size=24) + lines(60, 700, prose(3, i), size=12)
        for i, title in enumerate(titles)
    ]
    assert texts(read(pdf(*pages)), "heading") == titles


def test_a_row_that_ends_with_a_number_is_no_running_foot():
    page = BODY + line(60, 90, "Total due") + line(400, 90, "500")
    assert "Total due 500" in read(pdf(page)).text


def test_a_running_foot_whose_numbers_count_the_pages_is_left_out():
    heads = ("Of cats", "On dogs", "Some birds")
    pages = [
        lines(60, 780, prose(30, i)) + line(60, 40, head) + line(500, 40, str(i + 17))
        for i, head in enumerate(heads)
    ]
    text = read(pdf(*pages)).text
    assert not [head for head in heads if head in text]


def test_the_year_on_a_title_page_is_no_page_number():
    title = line(60, 700, "A report", size=20) + line(60, 60, "2024")
    pages = [BODY.replace("lorem", "Lorem", 1) + line(300, 40, str(i)) for i in (2, 3)]
    assert pages_of(read(pdf(title, *pages)))[0] == ("1", "A report\n\n2024")
    # Those of a volume go on from the one before it.
    volume = [lines(60, 780, prose(30, i)) + line(300, 40, str(1984 + i)) for i in range(3)]
    assert "1985" not in read(pdf(*volume)).text


def test_a_word_of_roman_digits_is_no_page_number():
    assert "Civil" in read(pdf(line(60, 800, "Civil") + lines(60, 740, prose(6)))).text


def test_text_in_the_margin_does_not_cut_the_paragraph_that_goes_over_the_page():
    first, second = prose(5), [*prose(3, 5), "and it ends."]
    reading = read(pdf(lines(60, 780, first) + TURNED, lines(60, 780, second)))
    assert texts(reading) == [" ".join([*first, *second]), "arXiv 2305, in the margin"]
    assert [label for label, _ in pages_of(reading)] == ["1", "2", "1"]


def test_text_in_the_margin_of_every_page_is_left_out():
    pages = [lines(60, 780, [*prose(5, i), "It ends."]) + TURNED for i in range(3)]
    assert "arXiv" not in read(pdf(*pages)).text


def test_what_stands_beside_the_page_is_no_text():
    reading = read(pdf(BODY + line(60, -40, "file.indd 3") + line(900, 500, "the other half")))
    assert reading.text == read(pdf(BODY)).text
    # A line that runs over the edge is one.
    assert "over the edge" in read(pdf(BODY + line(540, 500, "it runs over the edge"))).text


# Words.


@pytest.mark.parametrize(
    ("ends", "begins", "joined"),
    [
        ("it is a matter of short-", "and long-term work of us", "of short- and long-term work"),
        ("it is a matter of two-", "or three-year plans here", "of two- or three-year plans"),
        ("it was in the years 1990\x96", "1995 and in those before", "years 1990\x961995 and"),
    ],
    ids=["and", "or", "years"],
)
def test_words_at_the_ends_of_lines(ends, begins, joined):
    assert joined.replace("\x96", "–") in read(pdf(lines(60, 780, [ends, begins]))).text


def test_a_letter_as_high_as_two_lines_begins_the_first_of_them():
    page = line(60, 768, "T", size=27)
    page += lines(
        78, 780, ["his is the first line of what begins with a", "letter that is high, and the"]
    )
    page += lines(60, 756, ["third of its lines is as wide as any other", "and so is the last."])
    (text,) = texts(read(pdf(page + lines(60, 600, prose(5)))))[:1]
    assert text == (
        "This is the first line of what begins with a letter that is high, and the third of its "
        "lines is as wide as any other and so is the last."
    )


ARABIC = (
    b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def"
    b" 1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfrange <41> <5A> <0628> endbfrange"
    b" endcmap end end"
)


@pytest.mark.parametrize("gap", [3, 6, 9, 14])
@pytest.mark.parametrize("latin", ["F5", "F1"], ids=["Arabic", "Latin within"])
def test_words_of_a_line_that_goes_to_the_left(gap, latin):
    font = b"/F5<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>"
    words = zip(("CBA", "PDF", "IHG"), ("F5", latin, "F5"), strict=True)
    page = "".join(
        line(300 - i * (21 + gap), 780, word, font=font) for i, (word, font) in enumerate(words)
    )
    data = objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[4 0 R]/Count 1/MediaBox[0 0 595 842]>>",
        FONTS.replace(b"/F2<<", font + b"/F2<<", 1),
        b"<</Type/Page/Parent 2 0 R/Resources 3 0 R/Contents 5 0 R>>",
        stream(page.encode()),
        stream(ARABIC),
    )
    letters = {chr(0x628 + i): chr(ord("A") + i) for i in range(26)}
    found = "".join(letters.get(c, c) for c in read(data).text)
    assert found == ("ABC PDF GHI" if latin == "F1" else "ABC FDP GHI")


@pytest.mark.parametrize("name", [b"ArialUnicodeMS", b"MonotypeCorsiva"])
def test_fonts_whose_names_only_seem_to_tell_of_code(name):
    other = [*prose(3), "It ends."]
    page = lines(60, 780, prose(9)) + lines(60, 600, other, font="F2")
    assert " ".join(other) in texts(read(pdf(page).replace(b"Helvetica-Bold", name)))


# Files that are damaged, or meant to do damage.


def test_a_title_that_is_no_text_costs_only_itself():
    data = pdf(BODY).replace(b"trailer\n<<", b"trailer\n<</Info 90 0 R", 1)
    data = data.replace(b"/Catalog", b"/Catalog/Outlines 91 0 R", 1).replace(
        b"xref\n",
        b"90 0 obj\n<</Title<FEFFD83D0041>/Author(A. Writer)>>\nendobj\n"
        b"91 0 obj\n<</First 92 0 R/Last 92 0 R/Count 1>>\nendobj\n"
        b"92 0 obj\n<</Title<FEFFD83D0041>/Parent 91 0 R/Dest[4 0 R/Fit]>>\nendobj\nxref\n",
        1,
    )
    reading = read(data)
    assert (reading.text, reading.title, reading.author) == (
        read(pdf(BODY)).text,
        None,
        "A. Writer",
    )


@pytest.mark.parametrize(
    ("date", "published"),
    [
        ("D:20241399", "2024"),
        ("D:202402", "2024-02"),
        ("D:2024", "2024"),
    ],
)
def test_dates(date, published):
    writer = pypdf.PdfWriter(clone_from=BytesIO(pdf(BODY)))
    writer.add_metadata({"/CreationDate": date})
    assert read(written(writer)).published == published


def test_a_locked_file_cut_short_is_no_scan():
    writer = pypdf.PdfWriter(clone_from=BytesIO(pdf(BODY)))
    writer.encrypt("open sesame", algorithm="RC4-128")
    data = written(writer)
    with pytest.raises(ReadError, match="damaged or cut short"):
        read(data[: data.index(b"xref\n")], "open sesame")


@pytest.mark.parametrize("held", [b"<</X 12 0 R>>", b"[12 0 R]"], ids=["a number", "an array"])
def test_forms_that_are_none(held):
    shows = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>"
    data = objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>",
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</XObject %s>>>>" % held,
        stream(b"/X Do"),
        *(stream(b"/X Do " * 10, shows % (6 + i)) for i in range(7)),
        b"7",
    )
    with pytest.raises(ReadError, match="shows more than 100,000 forms"):
        PdfReader().read(data)


def seconds(work):
    started = time.process_time()
    work()
    return time.process_time() - started


def test_streams_that_all_have_the_same_end_take_no_time():
    data = b"%PDF-1.7\n" + b"stream\n" * 10_000 + b" " * 4_000_000

    def refused():
        with pytest.raises(ReadError, match="its streams unpack to more than"):
            check(data)

    assert seconds(refused) < 10


def test_a_word_without_an_end_takes_no_time():
    data = pdf(line(60, 700, "a" * 20_000, size=1))
    assert seconds(lambda: PdfReader().read(data)) < 10
