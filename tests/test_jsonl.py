"""JSON Lines: records one below the other, each with the structure of its own text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askai.errors import ReadError
from askai.readers.jsonl import JsonLinesReader
from marked_up import read, read_or_refused, spans, texts
from strategies import documents

READER = JsonLinesReader()


def lines(*records: object) -> bytes:
    return "\n".join(json.dumps(record) for record in records).encode()


def test_records():
    text = "It has parks.¹\n\n- one\n- two\n\nCity\tRank\nHefei\t7\n\n¹ A note.\n"
    reading = read(READER, lines(
        {"title": "Cities", "text": text, "date": "2025-03-04T00:00:00Z", "url": "https://a.example"},
        {"title": "Chips", "text": "They are small.", "date": None, "other": [1]},
        {"title": "Third", "url": "https://b.example"},
    ))  # fmt: skip
    assert [(m.level, m.label) for m in reading.marks if m.kind == "heading"] == [
        (1, "Cities"), (1, "Chips"), (1, "Third"),
    ]  # fmt: skip
    assert texts(reading, "paragraph") == [
        "2025-03-04 · https://a.example", "It has parks.¹", "They are small.", "https://b.example",
    ]  # fmt: skip
    assert texts(reading, "bullet") == ["- one", "- two"]
    assert texts(reading, "table_row") == ["Hefei\t7"]
    assert spans(reading, "footnote") == [("1", "¹ A note.")]
    assert spans(reading, "reference") == [("1", "¹")]
    assert (reading.title, reading.published, reading.url) == ("Cities", None, None)


def test_one_record_tells_of_the_file():
    reading = read(READER, lines({"title": "T", "text": "X.", "date": 2025, "url": "https://a.b"}))
    assert (reading.title, reading.published, reading.url) == ("T", "2025", "https://a.b")


def test_headings_of_a_text_are_below_its_title():
    text = "MAIN PART\n\nSome text is here, and it ends.\n"
    reading = read(READER, lines({"title": "T", "text": text}, {"text": text}))
    found = [(m.level, m.label) for m in reading.marks if m.kind == "heading"]
    assert found == [(1, "T"), (2, "MAIN PART"), (1, "MAIN PART")]


def test_languages_of_records():
    chinese = "中国的人工智能领域已从数字经济的支撑者提升为国家现代化的核心驱动力。"
    english = "The text of this record is in English, and so is what follows it."
    reading = read(READER, lines({"text": english}, {"text": chinese}))
    assert [label for label, _ in spans(reading, "language")] == ["en", "zh"]


def test_bad_lines_are_named():
    data = b'{"text": "a"}\n\n{"text": 1\n[1]\n{"text": ["a"]}\n{"date": "2025"}\n"x"\n1\n2\n'
    with pytest.raises(ReadError) as failure:
        READER.read(data)
    message = str(failure.value)
    assert message.startswith("7 lines are no records of title, text, date, url: line 3: ")
    assert "line 4: no {…}; line 5: text is no text; line 6: neither title nor text" in message
    assert message.endswith(" and 2 more")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n", "nothing but blanks"),
        (b'{"text": "\\ufeff "}', "neither title nor text"),
        (b"[" * 100_000, "line 1: "),
        (b'{"text": ' + b"9" * 5_000 + b"}", "line 1: "),
        (b"\x00\x01" * 99, "binary"),
    ],
    ids=["empty", "blank", "blank-text", "deep", "long-number", "binary"],
)
def test_refused_with_a_sentence(data, reason):
    with pytest.raises(ReadError, match=reason):
        READER.read(data)


def test_what_is_true_or_false_is_no_text():
    with pytest.raises(ReadError, match="line 2: title is no text"):
        READER.read(b'{"text": "a"}\n{"title": false, "text": "b"}\n')


def test_what_python_writes_for_an_empty_cell_is_empty():
    data = b'{"title": NaN, "text": "A text.", "date": NaN, "url": NaN, "score": Infinity}'
    assert read(READER, data).text == "A text."


def test_files_put_together_keep_their_byte_order_marks():
    assert read(READER, b'{"text": "a"}\n\xef\xbb\xbf{"text": "b"}\n').text == "a\n\nb"


def test_half_a_character():
    assert read(READER, b'{"text": "a \\ud83d b"}').text == "a � b"


@given(st.lists(st.tuples(documents(), st.text(max_size=9), st.text(max_size=9)), min_size=1))
@settings(max_examples=60, deadline=None)
def test_any_records(records):
    read_or_refused(
        READER, lines(*({"text": text, "title": a, "date": b, "url": a} for text, a, b in records))
    )


@given(st.one_of(st.binary(max_size=99), st.text('{}[]":,\\ntexi1\n', max_size=60)))
@settings(max_examples=150, deadline=None)
def test_any_bytes(data):
    read_or_refused(READER, data if isinstance(data, bytes) else data.encode())
