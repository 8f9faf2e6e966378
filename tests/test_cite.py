"""A place of a document by its offsets, its label or its note, with what stands around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askai.cite import citation, parse_place, path_in, row_header, show, shown_path
from askai.corpus import read_document
from askai.errors import UsageError
from small import passage, unit

TEXT = """THE CITIES OF THE DELTA

Complementing Shanghai

33. Complementing Shanghai, Hangzhou has risen as a global competitor through its six dragons¹³ of \
start-ups, which the city supports with land and money.
34. Suzhou specialises in industrial AI and biomedicine, and its neighbour Wuxi in sensors and in \
the chips that read them.

¹³ The six dragons are DeepSeek, Unitree and four others.

Table 1 Strengths

Region\tCity\tFirms
East\tHefei\tiFLYTEK
\tWuhan\tPony.ai

The table says what the cities are known for, and which of the firms are there now.
"""
DOCUMENT = read_document(TEXT.encode(), "cities.txt", reader="text")


def test_by_offsets():
    start = TEXT.index("Hangzhou")
    found = show(DOCUMENT, f"char={start}-{start + 8}")
    assert (found.start, found.end, found.quote) == (start, start + 8, "Hangzhou")
    assert found.heading == ("THE CITIES OF THE DELTA", "Complementing Shanghai")
    assert found.label == "¶33"
    assert found.source.path == "cities.txt"
    assert found.before.endswith("Complementing Shanghai, ")
    assert found.after.startswith(" has risen")


LABELS = [
    ("paragraph", "¶34", "34. Suzhou", "¶34"),
    ("note", "note-13", "¹³ The six dragons", "note 13"),
    ("note-with-blank", "note 13", "¹³ The six dragons", "note 13"),
    ("note-in-capitals", "NOTE-13", "¹³ The six dragons", "note 13"),
    ("row", "Table 1, row 1", "East\tHefei", "Table 1, row 1"),
    ("row-with-hyphens", "table-1,-row-2", "\tWuhan", "Table 1, row 2"),
    ("table", "Table-1", "Table 1 Strengths", ""),
    ("heading", "complementing shanghai", "Complementing Shanghai", ""),
]


@pytest.mark.parametrize(
    ("fragment", "beginning", "label"), [c[1:] for c in LABELS], ids=[c[0] for c in LABELS]
)
def test_by_label(fragment, beginning, label):
    found = show(DOCUMENT, fragment)
    assert found.quote.startswith(beginning)
    assert found.label == label
    assert TEXT[found.start : found.end] == found.quote


def test_a_whole_table_has_its_title_and_all_rows():
    assert show(DOCUMENT, "table-1").quote.splitlines()[-1] == "\tWuhan\tPony.ai"


def test_without_a_fragment_the_whole_document_is_shown():
    found = show(DOCUMENT, "")
    assert (found.before, found.quote, found.after) == ("", TEXT, "")


SIZE = len(TEXT)
LABELLED = "It has, among others: THE CITIES OF THE DELTA, Complementing Shanghai, ¶33, ¶34, 13."
WRONG = [
    ("empty-span", "char=5-5", f"cities.txt has {SIZE} characters; char=5-5 is no part of it."),
    ("backwards", "char=9-3", f"cities.txt has {SIZE} characters; char=9-3 is no part of it."),
    ("beyond", f"char=0-{SIZE + 1}",
     f"cities.txt has {SIZE} characters; char=0-{SIZE + 1} is no part of it."),
    ("unknown-label", "¶99",
     f"cities.txt has no '¶99'. {LABELLED}"),
    ("negative", "char=-1-3",
     f"cities.txt has no 'char=-1-3'. {LABELLED}"),
    ("no-pages", "page=3", "cities.txt has no '3'."),
]  # fmt: skip


@pytest.mark.parametrize(("fragment", "message"), [c[1:] for c in WRONG], ids=[c[0] for c in WRONG])
def test_a_place_that_is_not_there(fragment, message):
    with pytest.raises(UsageError) as error:
        show(DOCUMENT, fragment)
    assert str(error.value) == message


@given(start=st.integers(0, SIZE - 1), length=st.integers(1, 200))
def test_what_stands_around_is_the_text_around(start, length):
    end = min(SIZE, start + length)
    found = show(DOCUMENT, f"char={start}-{end}")
    assert found.quote == TEXT[start:end]
    assert TEXT[: found.start].endswith(found.before)
    assert TEXT[found.end :].startswith(found.after)
    assert max(len(found.before), len(found.after)) <= 300
    for piece, rest in ((found.before, TEXT[: found.start]), (found.after[::-1], TEXT[end:][::-1])):
        inner = len(rest) - len(piece)  # cut at a blank, or not cut at all
        assert not piece or not inner or rest[inner - 1].isspace() or piece[0].isspace()


@pytest.mark.parametrize(
    ("place", "parts"),
    [
        ("a.txt", ("a.txt", "")),
        ("a.txt#", ("a.txt", "")),
        ("corpus/a.txt#char=1-2", ("corpus/a.txt", "char=1-2")),
        ("a.txt#¶33", ("a.txt", "¶33")),
    ],
    ids=["path", "nothing-after", "offsets", "label"],
)
def test_a_place_is_a_path_and_a_fragment(place, parts):
    assert parse_place(place) == parts


@pytest.mark.parametrize("place", ["", "#char=1-2"])
def test_a_place_without_a_source(place):
    with pytest.raises(UsageError) as error:
        parse_place(place)
    assert (
        str(error.value) == f"{place!r} names no source; expected SOURCE#char=A-B or SOURCE#label."
    )


# --- paths --------------------------------------------------------------------------------------


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    folder = tmp_path / "docs" / "corpus"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.txt").write_text("a")
    (tmp_path / "outside.txt").write_text("secret")
    monkeypatch.chdir(tmp_path / "docs")
    return folder


@pytest.mark.parametrize(
    "source", ["sub/a.txt", "corpus/sub/a.txt", "sub/../sub/a.txt", "absolute"]
)
def test_a_source_as_the_corpus_names_it(corpus, source):
    given_path = str(corpus / "sub" / "a.txt") if source == "absolute" else source
    assert path_in(corpus, given_path) == "sub/a.txt"


@pytest.mark.parametrize("source", ["b.txt", "sub", "../outside.txt", "../../outside.txt", ""])
def test_a_source_that_the_corpus_does_not_have(corpus, source):
    with pytest.raises(UsageError) as error:
        path_in(corpus, source)
    assert (
        str(error.value)
        == f"No source {source!r} in {corpus}; `askai status` says what is indexed."
    )


def test_a_path_is_shown_as_a_user_can_open_it(corpus, tmp_path):
    assert shown_path("sub/a.txt", corpus=corpus, folder=tmp_path) == "docs/corpus/sub/a.txt"
    elsewhere = shown_path("sub/a.txt", corpus=corpus, folder=corpus / "sub")
    assert elsewhere == "a.txt"
    (tmp_path / "other").mkdir()
    outside = shown_path("sub/a.txt", corpus=corpus, folder=tmp_path / "other")
    assert outside == (corpus / "sub" / "a.txt").resolve().as_posix()


# --- rows and citations -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "header"),
    [
        ("East\tHefei", ("Region", "City", "Firms")),
        ("Hefei\tiFLYTEK", ("City", "Firms")),
        ("Wuhan", ("City", "Firms")),
        ("iFLYTEK", ("Firms",)),
        ("Region", ()),
        ("The table", ()),
        ("33.", ()),
    ],
    ids=["row", "from-second-cell", "empty-first-cell", "third-cell", "header", "after", "before"],
)
def test_the_columns_from_a_cell_on(at, header):
    assert row_header(DOCUMENT, TEXT.index(at)) == header


def test_a_citation_is_the_span_of_its_unit():
    chunk = passage("a", "Hefei talks. Wuhan builds.", units=((0, 12), (13, 26)), label="¶3")
    made = citation(unit(chunk, score=0.123456, n=1), DOCUMENT.source, n=4)
    assert (made.n, made.start, made.end, made.quote) == (4, 13, 26, "Wuhan builds.")
    assert (made.label, made.score, made.page, made.source) == ("¶3", 0.1235, None, DOCUMENT.source)


# --- known defects ------------------------------------------------------------------------------


def test_an_offset_of_five_thousand_digits():
    with pytest.raises(UsageError):
        show(DOCUMENT, f"char={'9' * 5000}-1")


@pytest.mark.parametrize("source", ["a" * 5000, "a\0b"], ids=["long", "null"])
def test_a_name_that_no_file_can_have(corpus, source):
    with pytest.raises(UsageError):
        path_in(corpus, source)


def test_a_hash_in_a_file_name():
    assert parse_place("C# notes.txt#char=1-2") == ("C# notes.txt", "char=1-2")


@pytest.mark.parametrize("mark", ["\u2028", "\x0b", "\x0c", "\x85"], ids=ascii)
def test_the_columns_are_those_that_the_passage_was_printed_with(mark):
    text = (
        f"Table 1 Cities\n\nCity\tFirms{mark}(2025)\tShare\nHefei\tiFLYTEK\t3\n\nThe end of it.\n"
    )
    document = read_document(text.encode(), "a.txt", reader="text")
    assert row_header(document, text.index("Hefei")) == ("City", "Firms (2025)", "Share")
