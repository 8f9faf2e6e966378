"""A kept answer is proved again, or it is said exactly what of it no longer is."""

import copy
import json
from contextlib import suppress
from time import perf_counter
from types import SimpleNamespace

import pytest

from askai.corpus import Corpus, read_document
from askai.errors import AnswerFileError
from askai.readers import READERS
from askai.tables import render_row
from askai.verify import load_answer, verify

CHIPS, ROBOTS = "Hefei makes chips.", "Wuhan makes robots."
TEXT = (
    f"The cities of the delta and what they are known for.\n\n{CHIPS} {ROBOTS} {CHIPS}\n\n"
    "Table 1 Strengths\n\nRegion\tCity\tFirms\nEast\tHefei\tiFLYTEK\n\tWuhan\tPony.ai\n"
)
ROW = "East\tHefei\tiFLYTEK"
PARTIAL_ROW = "Wuhan\tPony.ai"  # without its empty first cell
WRAPPED = "The two cities\nshare a line."


@pytest.fixture
def place(tmp_path):
    """A working directory with a corpus of two files, one of which it can change."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "b.txt").write_text(f"{WRAPPED}\n\n{ROBOTS}\n", encoding="utf-8")

    def write(text, name="a.txt"):
        (folder / name).write_bytes(text.encode())

    write(TEXT)
    corpus = Corpus.open(folder, max_bytes=10**6)
    return SimpleNamespace(corpus=corpus, folder=tmp_path, write=write)


def cited(n, quote, *, text=TEXT, source="corpus/a.txt", start=None, **more):
    sha = read_document(text.encode(), "a.txt", reader="text").source.sha256
    at = text.index(quote) if start is None else start
    found = {"n": n, "source": source, "sha256": sha, "reader": "text/1"}
    return found | {"start": at, "end": at + len(quote), "quote": quote} | more


def said(*sentences, citations):
    """An answer object; each sentence is (text, numbers)."""
    text = " ".join(s + "".join(f" [{n}]" for n in numbers) for s, numbers in sentences)
    return {
        "schema": "askai.answer/1",
        "question": "Who?",
        "status": "answered",
        "answer": text,
        "sentences": [{"text": s, "citations": list(numbers)} for s, numbers in sentences],
        "citations": list(citations),
        "abstention": None,
    }


ANSWER = said(
    (CHIPS, [1]),
    (ROBOTS, [2]),
    citations=[cited(1, CHIPS), cited(2, ROBOTS)],
)


def abstained(*closest):
    changes = {"status": "abstained", "answer": None}
    return (
        said(citations=()) | changes | {"abstention": {"reason": "No.", "closest": list(closest)}}
    )


def prove(place, answer, *, folders=None):
    """What is left of an answer that was kept in a file."""
    file = place.folder / "answer.json"
    file.write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")
    return verify(
        load_answer(file), corpus=place.corpus, folders=folders or (place.folder, file.parent)
    )


def statuses(found):
    return [citation.status for citation in found.citations]


def details(found):
    return [sentence.detail for sentence in found.sentences]


# --- the source -------------------------------------------------------------------------------


def test_nothing_has_changed(place):
    found = prove(place, ANSWER)
    assert (found.question, found.status, found.detail) == ("Who?", "answered", "")
    assert statuses(found) == ["same", "same"]
    assert [c.detail for c in found.citations] == ["", ""]
    assert [(c.found_at, c.start, c.end) for c in found.citations] == [
        ((c["start"], c["end"]), c["start"], c["end"]) for c in ANSWER["citations"]
    ]
    assert [(s.text, s.carried, s.detail) for s in found.sentences] == [
        (CHIPS, True, ""),
        (ROBOTS, True, ""),
    ]
    assert found.provable


def test_the_file_was_edited_elsewhere(place):
    place.write(TEXT + "A line at the end.\n")
    found = prove(place, ANSWER)
    assert statuses(found) == ["same", "same"]
    assert found.citations[0].detail == "the file has changed elsewhere, the quote stands"
    assert found.provable


def test_a_quote_that_moved_is_found(place):
    place.write("A new line.\n\n" + TEXT)
    found = prove(place, ANSWER)
    at = TEXT.index(ROBOTS) + 13
    assert statuses(found) == ["moved", "moved"]
    assert found.citations[1].found_at == (at, at + len(ROBOTS))
    assert found.citations[1].detail == f"the quote now stands at {at}-{at + len(ROBOTS)}"
    assert found.provable


@pytest.mark.parametrize(
    ("front", "wanted"), [("", 0), ("x" * 30, 1)], ids=["the-first-is-nearer", "the-last-is-nearer"]
)
def test_of_two_places_the_nearest_is_meant(place, front, wanted):
    """The quote stands twice in the text; one line more or less shifts both."""
    text = f"{front}{CHIPS} and then again {CHIPS}\n"
    place.write(text)
    found = prove(place, said((CHIPS, [1]), citations=[cited(1, CHIPS, start=4 + 57 * wanted)]))
    places = [text.index(CHIPS), text.rindex(CHIPS)]
    assert found.citations[0].found_at[0] == places[wanted]


def test_a_quote_that_changed(place):
    place.write(TEXT.replace(ROBOTS, "Wuhan makes rocket."))
    found = prove(place, ANSWER)
    at = TEXT.index(ROBOTS)
    assert statuses(found) == ["same", "changed"]
    assert found.citations[1].found_at is None
    assert found.citations[1].detail == (
        f"the source no longer says this; at {at}-{at + len(ROBOTS)} it says: Wuhan makes rocket."
    )
    assert details(found) == ["", "a quote of it cannot be proved"]
    assert not found.provable


def test_a_file_that_became_shorter(place):
    place.write("Short.\n")
    found = prove(place, ANSWER)
    assert statuses(found) == ["changed", "changed"]
    assert found.citations[0].detail.endswith("it says: nothing")


def test_a_file_that_is_gone(place):
    (place.folder / "corpus" / "a.txt").unlink()
    found = prove(place, ANSWER)
    assert statuses(found) == ["gone", "gone"]
    assert found.citations[0].detail == "corpus/a.txt: no such file"
    assert details(found) == ["a quote of it cannot be proved"] * 2
    assert not found.provable


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "corpus/a.txt: the file is empty"),
        (b"\x00\x01\x02\x03\x04" * 9, "corpus/a.txt: the file is binary, not text"),
    ],
    ids=["empty", "binary"],
)
def test_a_file_that_cannot_be_read_any_more(place, content, detail):
    (place.folder / "corpus" / "a.txt").write_bytes(content)
    found = prove(place, ANSWER)
    assert statuses(found) == ["gone", "gone"]
    assert found.citations[0].detail == detail


NAMED = ", ".join(sorted(READERS))


@pytest.mark.parametrize(
    ("reader", "detail"),
    [
        ("text/2", "corpus/a.txt: it was read by text/2; this askai has text/1"),
        ("text", "corpus/a.txt: it was read by text; this askai has text/1"),
        ("scroll/1", f"corpus/a.txt: No reader named 'scroll'. There are: {NAMED}."),
        ("", f"corpus/a.txt: No reader named ''. There are: {NAMED}."),
    ],
    ids=["other-version", "no-version", "unknown", "empty"],
)
def test_another_reader_decides_other_offsets(place, reader, detail):
    found = prove(place, said((CHIPS, [1]), citations=[cited(1, CHIPS, reader=reader)]))
    assert statuses(found) == ["gone"]
    assert found.citations[0].detail == detail
    assert not found.provable


# --- where the source is ------------------------------------------------------------------------


def test_the_answer_may_be_kept_in_another_folder(place):
    """Its paths are relative to where askai ran; the corpus of today is known by its option."""
    elsewhere = place.folder / "kept"
    elsewhere.mkdir()
    assert prove(place, ANSWER, folders=(elsewhere,)).provable


def test_sources_beside_the_answer_are_found(place):
    beside = place.folder / "kept"
    (beside / "notes").mkdir(parents=True)
    (beside / "notes" / "c.txt").write_text(TEXT, encoding="utf-8")
    answer = said((CHIPS, [1]), citations=[cited(1, CHIPS, source="notes/c.txt")])
    assert prove(place, answer, folders=(place.folder, beside)).provable
    assert statuses(prove(place, answer)) == ["gone"]


@pytest.mark.parametrize("source", ["old/place/corpus/a.txt", "/gone/corpus/a.txt", "a.txt"])
def test_a_corpus_that_was_moved_is_known_by_the_end_of_a_path(place, source):
    answer = said((CHIPS, [1]), citations=[cited(1, CHIPS, source=source)])
    assert prove(place, answer).provable


# --- the sentences ------------------------------------------------------------------------------

FORGED = [
    ("word", lambda a: a["sentences"][0].update(text="Hefei makes rockets."),
     "it says something else than its quotes"),
    ("part", lambda a: a["sentences"][0].update(text="Hefei makes"),
     "it says something else than its quotes"),
    ("more", lambda a: a["sentences"][0].update(text=f"{CHIPS} And tea."),
     "it says something else than its quotes"),
    ("empty", lambda a: a["sentences"][0].update(text=""),
     "it says something else than its quotes"),
    ("case", lambda a: a["sentences"][0].update(text=CHIPS.lower()),
     "it says something else than its quotes"),
    ("hidden", lambda a: a["sentences"][0].update(text=CHIPS + "\u202e"),
     "it says something else than its quotes"),
    ("other-citation", lambda a: a["sentences"][0].update(citations=[2]),
     "it says something else than its quotes"),
    ("both-citations", lambda a: a["sentences"][0].update(citations=[1, 2]),
     "it says something else than its quotes"),
    ("no-citation", lambda a: a["sentences"][0].update(citations=[]), "it has no citation"),
    ("unknown-citation", lambda a: a["sentences"][0].update(citations=[7]),
     "its citation 7 is not given"),
    ("one-unknown", lambda a: a["sentences"][0].update(citations=[1, -1]),
     "its citation -1 is not given"),
    ("quote", lambda a: a["citations"][0].update(quote="Hefei makes rockets."),
     "a quote of it cannot be proved"),
    ("no-citations-at-all", lambda a: a.update(citations=[]), "its citation 1 is not given"),
]  # fmt: skip


def with_its_text(answer):
    """The answer with its text made to fit its sentences, as a forger would."""
    answer["answer"] = " ".join(
        s["text"] + "".join(f" [{n}]" for n in s["citations"]) for s in answer["sentences"]
    )
    return answer


@pytest.mark.parametrize(("forge", "detail"), [f[1:] for f in FORGED], ids=[f[0] for f in FORGED])
def test_a_forged_sentence_is_not_carried(place, forge, detail):
    answer = copy.deepcopy(ANSWER)
    forge(answer)
    found = prove(place, with_its_text(answer))
    assert found.sentences[0].detail == detail
    assert not found.sentences[0].carried
    assert not found.provable


def test_a_quote_forged_with_its_sentence_has_changed(place):
    answer = copy.deepcopy(ANSWER)
    answer["citations"][0]["quote"] = answer["sentences"][0]["text"] = "Hefei makes rockets."
    found = prove(place, with_its_text(answer))
    assert statuses(found) == ["changed", "same"]
    assert not found.provable


def test_a_forged_place_is_found_out(place):
    answer = said((CHIPS, [1]), citations=[cited(1, CHIPS, start=0)])
    assert statuses(prove(place, answer)) == ["moved"]


def test_offsets_outside_the_text_are_found_out(place):
    answer = said((CHIPS, [1]), citations=[cited(1, CHIPS, start=10**9)])
    found = prove(place, answer)
    assert statuses(found) == ["moved"]
    assert found.citations[0].found_at == (TEXT.rindex(CHIPS), TEXT.rindex(CHIPS) + len(CHIPS))
    answer = said(("Rockets.", [1]), citations=[cited(1, "Rockets.", start=10**9)])
    assert statuses(prove(place, answer)) == ["changed"]


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (ANSWER | {"answer": "Hefei makes rockets. [1]"}, "its answer is not its sentences"),
        (ANSWER | {"answer": f"{CHIPS} {ROBOTS}"}, "its answer is not its sentences"),
        (ANSWER | {"answer": None}, "its answer is not its sentences"),
        (ANSWER | {"sentences": []}, "it has no sentences"),
        (abstained(cited(1, CHIPS)) | {"answer": "Yes."}, "it abstains and yet gives an answer"),
    ],
    ids=["other", "without-numbers", "none", "no-sentences", "abstained"],
)
def test_a_forged_answer_as_a_whole(place, answer, detail):
    found = prove(place, answer)
    assert found.detail == detail
    assert not found.provable


ROWS = [
    ("row", ROW, render_row(ROW, ("Region", "City", "Firms")), True),
    ("row-as-it-stands", ROW, "East Hefei iFLYTEK", True),
    ("empty-first-cell", PARTIAL_ROW, "Wuhan (Firms: Pony.ai)", True),
    ("wrong-column", ROW, "East (Firms: Hefei; City: iFLYTEK)", False),
    ("wrong-columns-of-a-part", PARTIAL_ROW, "Wuhan (City: Pony.ai)", False),
    ("other-row", PARTIAL_ROW, "East (City: Hefei; Firms: iFLYTEK)", False),
    ("wrong-cell", ROW, "East (City: Hefei; Firms: Pony.ai)", False),
    ("cell-left-out", ROW, "East (City: Hefei)", False),
]


@pytest.mark.parametrize(
    ("quote", "text", "carried"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_a_row_is_its_cells_with_their_columns(place, quote, text, carried):
    found = prove(place, said((text, [1]), citations=[cited(1, quote)]))
    assert statuses(found) == ["same"]
    assert found.provable is carried


def test_a_row_that_moved_has_the_columns_of_its_new_place(place):
    place.write("A new line at the front of it all.\n\n" + TEXT)
    answer = said(("Wuhan (Firms: Pony.ai)", [1]), citations=[cited(1, PARTIAL_ROW)])
    found = prove(place, answer)
    assert statuses(found) == ["moved"]
    assert found.provable
    place.write(TEXT.replace("City\tFirms", "City\tRivers"))
    found = prove(place, answer)
    assert details(found) == ["it says something else than its quotes"]


def test_a_sentence_of_two_pieces_is_both_quotes_in_order(place):
    citations = [cited(1, CHIPS), cited(2, ROBOTS)]
    assert prove(place, said((f"{CHIPS} {ROBOTS}", [1, 2]), citations=citations)).provable
    assert not prove(place, said((f"{ROBOTS} {CHIPS}", [1, 2]), citations=citations)).provable
    assert not prove(place, said((f"{CHIPS} {ROBOTS}", [1]), citations=citations)).provable


def test_a_sentence_of_two_pieces_needs_both(place):
    citations = [cited(1, CHIPS), cited(2, ROBOTS) | {"quote": "Wuhan makes rocket."}]
    found = prove(place, said((f"{CHIPS} Wuhan makes rocket.", [1, 2]), citations=citations))
    assert details(found) == ["a quote of it cannot be proved"]


def test_blanks_of_a_quote_may_be_printed_as_one(place):
    text = (place.folder / "corpus" / "b.txt").read_text("utf-8")
    citation = cited(1, WRAPPED, text=text, source="corpus/b.txt")
    printed = WRAPPED.replace("\n", " ")
    assert prove(place, said((printed, [1]), citations=[citation])).provable


# --- abstentions ------------------------------------------------------------------------------


def test_the_closest_quotes_of_an_abstention_are_proved(place):
    found = prove(place, abstained(cited(1, CHIPS), cited(2, ROBOTS)))
    assert (found.status, statuses(found), found.sentences) == ("abstained", ["same", "same"], ())
    assert found.provable
    place.write(TEXT.replace(ROBOTS, "Wuhan makes rocket."))
    assert not prove(place, abstained(cited(1, CHIPS), cited(2, ROBOTS))).provable


def test_an_abstention_without_anything_close(place):
    assert prove(place, abstained()).provable


# --- what is no answer --------------------------------------------------------------------------


def changed(change):
    answer = copy.deepcopy(ANSWER)
    change(answer)
    return json.dumps(answer)


NO_JSON = " is not JSON ("
NO_ANSWER = " is no answer: at "
FILES = [
    ("empty", "", NO_JSON),
    ("text", "Hefei makes chips.", NO_JSON),
    ("cut", json.dumps(ANSWER)[:-9], NO_JSON),
    ("other-encoding", "\u00e9".encode("latin-1"), NO_JSON),
    ("deep", "[" * 10**5 + "]" * 10**5, NO_JSON),
    ("huge-number", '{"n": ' + "9" * 5000 + "}", NO_JSON),
    ("list", "[]", f"{NO_ANSWER}the top: [] is not of type 'object'"),
    ("nothing", "null", f"{NO_ANSWER}the top: None is not of type 'object'"),
    ("schema", changed(lambda a: a.update(schema="askai.answer/2")),
     f"{NO_ANSWER}schema: 'askai.answer/1' was expected"),
    ("passages", json.dumps({"schema": "askai.passages/1"}), NO_ANSWER),
    ("no-question", changed(lambda a: a.pop("question")),
     f"{NO_ANSWER}the top: 'question' is a required property"),
    ("status", changed(lambda a: a.update(status="maybe")),
     f"{NO_ANSWER}status: 'maybe' is not one of ['answered', 'abstained']"),
    ("citations", changed(lambda a: a.update(citations={})), f"{NO_ANSWER}citations: "),
    ("citation", changed(lambda a: a["citations"].append(3)), f"{NO_ANSWER}citations/2: 3 is "),
    ("no-quote", changed(lambda a: a["citations"][1].pop("quote")),
     f"{NO_ANSWER}citations/1: 'quote' is a required property"),
    ("empty-quote", changed(lambda a: a["citations"][1].update(quote="")),
     f"{NO_ANSWER}citations/1/quote: "),
    ("negative", changed(lambda a: a["citations"][0].update(start=-1)),
     f"{NO_ANSWER}citations/0/start: -1 is less than the minimum of 0"),
    ("string-offset", changed(lambda a: a["citations"][0].update(start="1")),
     f"{NO_ANSWER}citations/0/start: '1' is not of type 'integer'"),
    ("true-offset", changed(lambda a: a["citations"][0].update(start=True)),
     f"{NO_ANSWER}citations/0/start: True is not of type 'integer'"),
    ("backwards", changed(lambda a: a["citations"][0].update(start=9, end=9)),
     " is no answer: citation 1 is from 9 to 9."),
    ("sentence-number", changed(lambda a: a["sentences"][0].update(citations=["1"])),
     f"{NO_ANSWER}sentences/0/citations/0: '1' is not of type 'integer'"),
    ("closest", changed(lambda a: a.update(abstention={"closest": [{}]})),
     f"{NO_ANSWER}abstention/closest/0: "),
    ("closest-backwards", json.dumps(abstained(cited(3, CHIPS) | {"end": 1})),
     " is no answer: citation 3 is from "),
]  # fmt: skip


@pytest.mark.parametrize(("content", "message"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_what_is_no_answer_is_refused_in_one_line(tmp_path, content, message):
    file = tmp_path / "answer.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(AnswerFileError) as error:
        load_answer(file)
    assert str(error.value).startswith(f"{file}{message}")
    assert len(str(error.value)) < len(str(file)) + 250
    assert "\n" not in str(error.value)
    ending = "expected what `askai ask --json` printed." if message == NO_JSON else (
        "Expected schema 'askai.answer/1'."
    )  # fmt: skip
    assert str(error.value).endswith(ending)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(AnswerFileError) as error:
        load_answer(tmp_path / "none.json")
    assert str(error.value) == (
        f"No file {tmp_path / 'none.json'}; expected what `askai ask --json` printed."
    )
    with pytest.raises(AnswerFileError) as error:
        load_answer(tmp_path)
    assert str(error.value) == f"{tmp_path} cannot be read: Is a directory."


def test_what_another_program_added_is_no_matter(place):
    answer = ANSWER | {"rating": 5, "citations": [c | {"note": "x"} for c in ANSWER["citations"]]}
    assert prove(place, answer).provable


@pytest.mark.parametrize("source", ["a\0b", "\ud800", "..", "/", "."], ids=ascii)
def test_a_source_that_is_no_file_is_gone(place, source):
    answer = said((CHIPS, [1]), citations=[cited(1, CHIPS, source=source)])
    file = place.folder / "answer.json"
    file.write_text(json.dumps(answer), encoding="utf-8")
    found = verify(load_answer(file), corpus=place.corpus, folders=(place.folder,))
    assert statuses(found) == ["gone"]


# --- known defects ------------------------------------------------------------------------------


def test_an_offset_written_as_1_0(place):
    citation = cited(1, CHIPS)
    citation |= {"start": float(citation["start"]), "end": float(citation["end"])}
    with suppress(AnswerFileError):  # to refuse it would do as well
        assert prove(place, said((CHIPS, [1]), citations=[citation])).provable


def test_a_source_of_five_thousand_letters_is_gone(place):
    answer = said((CHIPS, [1]), citations=[cited(1, CHIPS, source="a" * 5000)])
    assert statuses(prove(place, answer)) == ["gone"]


def test_a_field_nearly_as_deep_as_can_be_read(tmp_path):
    for depth in range(900, 1000, 3):
        file = tmp_path / "answer.json"
        deep = "[" * depth + "]" * depth
        file.write_text(json.dumps(ANSWER | {"citations": "deep"}).replace('"deep"', deep))
        with pytest.raises(AnswerFileError):
            load_answer(file)


def test_a_sentence_of_many_rows_takes_no_time(place):
    text = render_row(ROW, ("Region", "City", "Firms"))
    answer = said((" ".join([text] * 17), [1] * 17), citations=[cited(1, ROW)])
    start = perf_counter()
    assert prove(place, answer).provable
    assert perf_counter() - start < 0.2
