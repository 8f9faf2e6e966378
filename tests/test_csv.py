"""Tables in text: rows with their header, whatever parts and quotes the cells."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askai.errors import ReadError
from askai.readers.tables_csv import MOST_COLUMNS, CsvReader
from askai.tables import cells
from marked_up import read, read_or_refused, rows_read, spans, texts

READER = CsvReader()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"], ids=["comma", "semi", "tab", "pipe"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_dialects(delimiter, newline):
    lines = ["City{0}Role{0}Rank", 'Xi\'an{0}"chips, lasers; ""more"""{0}7', "Hefei{0}voice{0}6"]
    data = newline.join(lines).format(delimiter).encode()
    reading = read(READER, data)
    assert texts(reading, "table_header") == ["City\tRole\tRank"]
    assert [cells(row) for row in texts(reading, "table_row")] == [
        ["Xi'an", 'chips, lasers; "more"', "7"],
        ["Hefei", "voice", "6"],
    ]
    labels = [label for label, _ in spans(reading, "table_row")]
    assert labels == ["Table ~1, row 1", "Table ~1, row 2"]


def test_a_comma_in_numbers_and_sentences_is_no_delimiter():
    reading = read(READER, b"Name;Price;Note\nA;1,5;so, it is\nB;2,5;yes, it is\n")
    assert rows_read(reading)[1] == ["A", "1,5", "so, it is"]


def test_a_line_break_in_quotes_is_a_blank():
    reading = read(READER, b'a,b\n"one\ntwo\r\n\r\nthree",x\ny,z\n')
    assert texts(reading, "table_row") == ["one two three\tx", "y\tz"]


def test_a_tab_in_a_cell_is_a_blank():
    assert texts(read(READER, b'a,b\n"x\ty",z\n'), "table_row") == ["x y\tz"]


def test_ragged_rows_lose_nothing():
    reading = read(READER, b"a,b,c\n1\n1,2\n1,2,3,4,5\n,,x\n,,\n")
    rows = texts(reading, "table_row")
    assert rows == ["1", "1\t2", "1\t2\t3\t4\t5", "\t\tx"]
    assert texts(reading, "table_header") == ["a\tb\tc"]


@pytest.mark.parametrize(
    "data",
    [b"Hefei,7\nNanjing,6\n", b"a,a\nb,c\n", b"a,,b\n1,2,3\n", b"2024-01-02,x\n2024-01-03,y\n"],
    ids=["number", "twice", "empty", "date"],
)
def test_columns_without_names_get_none(data):
    reading = read(READER, data)
    assert not spans(reading, "table_header")
    assert len(spans(reading, "table_row")) == 2
    assert "Column" not in reading.text


def test_lines_above_the_table():
    reading = read(READER, b"Cities of 2025,,\n\nCity,Rank,Note\nHefei,7,x\nXi'an,6,y\n")
    assert texts(reading, "paragraph") == ["Cities of 2025"]
    assert texts(reading, "table_header") == ["City\tRank\tNote"]


def test_one_column():
    assert texts(read(READER, b"City\nHefei\n\nNanjing\n"), "paragraph") == [
        "City", "Hefei", "Nanjing",
    ]  # fmt: skip


def test_a_hint_of_excel_and_encodings():
    assert texts(read(READER, b"sep=;\na;b\n1,2;3\n"), "table_row") == ["1,2\t3"]
    chinese = "城市,排名\n南京,第六\n".encode("gb18030")
    assert texts(read(READER, chinese), "table_row") == ["南京\t第六"]
    assert texts(read(READER, "\ufeffa,b\nx,y\n".encode()), "table_header") == ["a\tb"]


def test_a_quote_that_never_closes_takes_nothing_with_it():
    rows = b"".join(b"r%d,x\n" % n for n in range(3_000))
    reading = read(READER, b'a,b\n5" pipe,"six\n' + rows)
    assert len(spans(reading, "table_row")) == 3_001


DECIMAL = {
    "semicolon": b"1,5;2,5\n3,5;4,5\n",
    "tab": b"1,5\t2,5\n3,5\t4,5\n",
    "pipe": b"1,5|2,5\n3,5|4,5\n",
}


@pytest.mark.parametrize("data", DECIMAL.values(), ids=DECIMAL)
def test_decimal_commas_under_no_header(data):
    assert rows_read(read(READER, data)) == [["1,5", "2,5"], ["3,5", "4,5"]]


def test_whole_numbers_between_commas():
    assert rows_read(read(READER, b"1,2,3\n4,5,6\n")) == [["1", "2", "3"], ["4", "5", "6"]]


def test_a_first_column_that_counts_the_rows_has_no_name():
    reading = read(READER, b",City,Rank\n0,Hefei,7\n1,Nanjing,6\n")
    assert texts(reading, "table_header") == ["\tCity\tRank"]
    assert texts(reading, "table_row") == ["0\tHefei\t7", "1\tNanjing\t6"]


@pytest.mark.parametrize("sign", ['"', "\r"], ids=["quote", "line-end"])
def test_a_hint_that_no_table_can_follow(sign):
    reading = read(READER, f"sep={sign}\na,b\nx,y\n".encode())
    assert texts(reading, "table_row") == ["x\ty"]


def test_a_quote_that_never_closes_below_one_that_is_odd():
    reading = read(READER, b'a,b\n"y"z,1\n"open,2\nr1,x\nr2,y\n')
    assert texts(reading, "table_row")[1:] == ['"open\t2', "r1\tx", "r2\ty"]


def test_a_quote_within_a_cell():
    assert texts(read(READER, b'a,b\n5" pipe,x\n"y"z,"w"\n'), "table_row") == [
        '5" pipe\tx',
        "yz\tw",
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n \n", "nothing but blanks"),
        (b",,\n,\n", "no text"),
        (b",".join(b"%d" % n for n in range(10_000)) + b"\n", "row 1 has 10,000 columns"),
        (b"a,b\n" + b"x," * MOST_COLUMNS + b"x\n", "row 2 has 1,001 columns"),
        (b"\x00\x01\x02" * 99, "binary"),
        (b"a,b\n1,2\n" * 8_000_001, "64 MB"),
        (b"a,b\n" * 500_001, "500,000 rows"),
        (b"a,b\n" + b"x" * 1_100_000, "field larger"),
    ],
    ids=["empty", "blank", "commas", "wide", "wide-row", "binary", "large", "long", "cell"],
)
def test_refused_with_a_sentence(data, reason):
    with pytest.raises(ReadError, match=reason):
        READER.read(data)


def test_the_limit_of_the_csv_module_is_left_as_it_was():
    before = csv.field_size_limit()
    read(READER, b"a,b\n1,2\n")
    assert csv.field_size_limit() == before


_cell = st.text("aBé7,;|\"'\t\n 中", max_size=6)


@given(st.lists(st.lists(_cell, min_size=2, max_size=4), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_what_was_written_is_read(rows):
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    reading = read_or_refused(READER, f"name,role,note,more\n{file.getvalue()}x,y,z,w\n".encode())
    assert reading is not None
    whole = "".join("".join(row) for row in rows)
    if not set('"|;\t').intersection(whole):  # else another delimiter may look likelier
        wanted = "".join(whole.split())
        assert wanted in "".join(reading.text.split())


@given(st.one_of(st.binary(max_size=200), st.text('a1,;|"\t\n\r\x85 \ufeff', max_size=80)))
@settings(max_examples=200, deadline=None)
def test_any_bytes(data):
    read_or_refused(READER, data if isinstance(data, bytes) else data.encode())
