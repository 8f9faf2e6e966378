"""BEIR folders: what is read of them, and what is said of those that are not whole."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askai.beir import document, entries, id_of, load_bench, path_of
from askai.chunking import chunk
from askai.errors import GoldError
from askai.measures import Span
from beir_folder import beir_folder, write_lines

BENCH = Path(__file__).parents[2] / "shared" / "bench"
SETS = {  # (documents, questions) as its README says
    "xquad-en": (240, 1190),
    "xquad-zh": (240, 1190),
    "xquad-zh2en": (240, 1190),
    "debianfaq-zh2en": (147, 123),
    "service-public-fr": (535, 535),
    "scifact": (5183, 300),
    "squad2-unans": (1216, 6078),
    "chroma-chunking": (5, 472),
}


def problems(folder, **options):
    """The lines of the error, without the folder's path."""
    with pytest.raises(GoldError) as caught:
        load_bench(folder, **options)
    return str(caught.value).replace(f"{folder}/", "").replace(str(folder), "DIR").splitlines()


# --- what is read -----------------------------------------------------------------------------


def test_a_folder_is_read(tmp_path):
    corpus = [
        {"_id": "a", "title": "Foxes", "text": "The red fox.", "metadata": {}},
        {"_id": "b/1", "text": " "},
    ]
    queries = [
        {"_id": "q1", "text": "Which fox?", "metadata": {"x": 1}},
        {"_id": "q2", "text": "Which owl?", "answerable": False},
        {"_id": "q3", "text": "Of another split"},
        {"_id": "q4", "text": "Only what is not relevant was judged"},
    ]
    folder = beir_folder(
        tmp_path, corpus=corpus, queries=queries, qrels=[("q1", "a", 2), ("q4", "b/1", 0)]
    )
    bench = load_bench(folder)
    assert [(q.id, q.answerable, q.relevant) for q in bench.queries] == [
        ("q1", True, {"a": 2}),
        ("q2", False, {}),
    ]
    assert (bench.documents, bench.blank, bench.unjudged) == (2, 1, 2)
    assert bench.sha256 == hashlib.sha256((folder / "corpus.jsonl").read_bytes()).hexdigest()
    assert [(e.id, e.title, e.text) for e in entries(bench)] == [
        ("a", "Foxes", "The red fox."),
        ("b/1", "", " "),
    ]


def test_answers_and_references_become_spans(tmp_path):
    queries = [
        {
            "_id": "q1",
            "text": "?",
            "answers": [
                {"text": "red", "start": 4},
                {"text": "red fox", "start": 4},
                {"text": "said otherwise"},  # without a place
                {"text": "red", "start": 5},  # of another document, perhaps
            ],
        },
        {
            "_id": "q2",
            "text": "?",
            "references": [
                {"corpus_id": "a", "start": 0, "end": 3, "content": "The"},
                {"corpus_id": "b", "start": 3, "end": 6},
            ],
        },
    ]
    corpus = {"a": "The red fox.", "b": "An owl."}
    qrels = [("q1", "a", 1), ("q1", "b", 0), ("q2", "a", 1)]
    bench = load_bench(beir_folder(tmp_path, corpus=corpus, queries=queries, qrels=qrels))
    assert bench.queries[0].spans == ((Span("a", 4, 7),), (Span("a", 4, 11),))
    assert bench.queries[1].spans == ((Span("a", 0, 3), Span("b", 3, 6)),)


def test_beirs_own_layout_and_its_splits(tmp_path):
    queries = {"q1": "One?", "q2": "Two?"}
    beir_folder(tmp_path, queries=queries, qrels=[("q1", "a", 1)], qrels_name="qrels/test.tsv")
    beir_folder(tmp_path, queries=queries, qrels=[("q2", "a", 1)], qrels_name="qrels/dev.tsv")
    assert [q.id for q in load_bench(tmp_path).queries] == ["q1"]
    assert [q.id for q in load_bench(tmp_path, split="dev").queries] == ["q2"]
    (line,) = problems(tmp_path, split="train")
    assert line.startswith("DIR is no whole BEIR folder; it lacks qrels/train.tsv. There are the")
    assert line.endswith(" splits dev, test: --beir-split NAME.")


def test_blank_lines_carriage_returns_and_a_byte_order_mark_are_no_matter(tmp_path):
    folder = beir_folder(tmp_path)
    for file in folder.iterdir():
        lines = file.read_bytes().replace(b"\n", b"\r\n")
        file.write_bytes(b"\xef\xbb\xbf" + lines + b"\r\n\r\n")
    assert [q.relevant for q in load_bench(folder).queries] == [{"a": 1}]


# --- documents --------------------------------------------------------------------------------

TEXTS = {
    "plain": "One.\n\nTwo.",
    "a byte-order mark": "\ufeffOne.",
    "carriage returns": "One.\r\n\r\nTwo.\rThree.",
    "NUL and controls": "One\x00two\x0cthree.",
    "blanks around": "  \n One. \n ",
    "Chinese": "南京是江苏的省会。\n\n它有九百万人。",
    "beyond the basic plane": "𠮷 is a kanji. 🦊 is a fox.",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_text_is_kept_character_by_character(tmp_path, text):
    bench = load_bench(beir_folder(tmp_path, corpus={"a": text}))
    (entry,) = entries(bench)
    made = document(entry)
    assert made.text == text
    assert made.source.bytes == len(text.encode())
    assert made.source.sha256 == hashlib.sha256(text.encode()).hexdigest()
    for piece in chunk(made):
        assert piece.text == text[piece.start : piece.end]


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [("Foxes", "The fox is red.", "Foxes\nThe fox is red."), ("", "It is red.", "It is red.")],
    ids=["title", "none"],
)
def test_a_passage_stands_under_its_title_and_never_under_its_id(tmp_path, title, text, expected):
    corpus = [{"_id": "hidden-answer", "title": title, "text": text}]
    (entry,) = entries(
        load_bench(beir_folder(tmp_path, corpus=corpus, qrels=[("q", "hidden-answer", 1)]))
    )
    (piece,) = chunk(document(entry))
    assert piece.embedded_text == expected


PATHS = {
    "31715818": "31715818",
    "basic-defs#whatisfaq": "basic-defs#whatisfaq",
    "a/b": "a%2Fb",
    "../../etc/passwd": "..%2F..%2Fetc%2Fpasswd",
    "..": "%2E%2E",
    ".": "%2E",
    "50%": "50%25",
    "a\\b\n": "a%5Cb%0A",
    "维基 1": "%E7%BB%B4%E5%9F%BA 1",
}


@pytest.mark.parametrize(("name", "path"), PATHS.items(), ids=PATHS)
def test_the_path_of_an_id_is_safe(name, path):
    assert path_of(name) == path


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_an_id_comes_back_from_its_path(name):
    path = path_of(name)
    assert id_of(path) == name
    assert not {"/", "\\", "\x00"} & set(path)
    assert path not in {".", ".."}


# --- what is wrong ----------------------------------------------------------------------------


def test_no_folder(tmp_path):
    assert problems(tmp_path / "no") == [
        "DIR is not there; expected a folder with corpus.jsonl, queries.jsonl, qrels.tsv."
    ]
    (tmp_path / "file").write_text("")
    assert problems(tmp_path / "file")[0].startswith("DIR is a file; expected a folder")


@pytest.mark.parametrize(
    ("names", "lacks"),
    [
        (["corpus.jsonl"], "corpus.jsonl"),
        (["queries.jsonl", "qrels.tsv"], "queries.jsonl, qrels.tsv or qrels/test.tsv"),
        (["corpus.jsonl", "queries.jsonl", "qrels.tsv"],
         "corpus.jsonl, queries.jsonl, qrels.tsv or qrels/test.tsv"),
    ],
    ids=["one", "two", "all"],
)  # fmt: skip
def test_missing_files_are_named_together(tmp_path, names, lacks):
    folder = beir_folder(tmp_path)
    for name in names:
        (folder / name).unlink()
    assert problems(folder) == [f"DIR is no whole BEIR folder; it lacks {lacks}."]


def test_only_another_split_is_there(tmp_path):
    folder = beir_folder(tmp_path, qrels_name="qrels/dev.tsv")
    (line,) = problems(folder)
    assert line.endswith("it lacks qrels.tsv or qrels/test.tsv. There are the splits dev: "
                         "--beir-split NAME.")  # fmt: skip


GOOD = {"_id": "a", "text": "The red fox."}
BAD_CORPUS = {
    "no JSON": (b"{a}", "corpus.jsonl:2: it is not JSON (Expecting property name"),
    "not UTF-8": (b'{"_id": "\xff"}', "corpus.jsonl:2: it is not JSON ('utf-8' codec can't"),
    "nested": (b"[" * 100_000, "corpus.jsonl:2: it is not JSON (maximum recursion depth"),
    "a list": ([1, 2], "corpus.jsonl:2: found [1, 2], expected an object."),
    "no id": ({"text": "x"}, "corpus.jsonl:2: _id is nothing, expected a string."),
    "a number for an id": ({"_id": 7, "text": "x"}, "corpus.jsonl:2: _id is 7, expected a string."),
    "a blank id": ({"_id": " ", "text": "x"}, 'corpus.jsonl:2: _id is " ", expected a string.'),
    "half a character": (b'{"_id": "\\ud800", "text": "x"}', "corpus.jsonl:2: _id is "),
    "an id twice": (GOOD, "corpus.jsonl:2: _id 'a' was given to line 1 already."),
    "no text": ({"_id": "b"}, "corpus.jsonl:2: text is nothing, expected a string."),
    "a list for text": (
        {"_id": "b", "text": ["x"]}, 'corpus.jsonl:2: text is ["x"], expected a string.',
    ),
    "half a character in text": (
        b'{"_id": "b", "text": "\\udc00"}', "corpus.jsonl:2: text is ",
    ),
    "a number for a title": (
        {"_id": "b", "text": "x", "title": 3}, "corpus.jsonl:2: title is 3, expected a string.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("line", "says"), BAD_CORPUS.values(), ids=BAD_CORPUS)
def test_a_bad_document(tmp_path, line, says):
    (found,) = problems(beir_folder(tmp_path, corpus=[GOOD, line]))
    assert found.startswith(says)


ASKED = {"_id": "q", "text": "Which fox?"}
BAD_QUERIES = {
    "no text": ({"_id": "p"}, "queries.jsonl:2: text is nothing, expected a question."),
    "blank": ({"_id": "p", "text": " "}, 'queries.jsonl:2: text is " ", expected a question.'),
    "an id twice": (ASKED, "queries.jsonl:2: _id 'q' was given to line 1 already."),
    "answerable": (
        {"_id": "p", "text": "?", "answerable": "no"},
        'queries.jsonl:2: answerable is "no", expected true or false.',
    ),
    "answers": (
        {"_id": "p", "text": "?", "answers": ["red"]},
        'queries.jsonl:2: answers is ["red"], expected [{"text", "start"}, …].',
    ),
    "an offset below 0": (
        {"_id": "p", "text": "?", "answers": [{"text": "red", "start": -1}]},
        'queries.jsonl:2: answers is [{"text": "red", "start": -1}], expected [{"text", "start"}',
    ),
    "references": (
        {"_id": "p", "text": "?", "references": [{"corpus_id": "a", "start": 5, "end": 5}]},
        "queries.jsonl:2: references is ",
    ),
    "a reference beyond the end": (
        {"_id": "p", "text": "?", "references": [{"corpus_id": "a", "start": 5, "end": 13}]},
        "queries.jsonl:2: reference 5-13 of 'a' is beyond its 12 characters.",
    ),
    "a reference to other words": (
        {"_id": "p", "text": "?", "references": [
            {"corpus_id": "a", "start": 4, "end": 7, "content": "owl"}]},
        "queries.jsonl:2: reference 4-7 of 'a' is 'red', and its content 'owl'.",
    ),
    "a reference to nothing": (
        {"_id": "p", "text": "?", "references": [{"corpus_id": "z", "start": 5, "end": 13}]},
        "queries.jsonl:2: reference to 'z', which is not in corpus.jsonl.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("line", "says"), BAD_QUERIES.values(), ids=BAD_QUERIES)
def test_a_bad_query(tmp_path, line, says):
    (found,) = problems(beir_folder(tmp_path, corpus=[GOOD], queries=[ASKED, line]))
    assert found.startswith(says)


def test_an_answer_that_stands_elsewhere(tmp_path):
    queries = [{**ASKED, "answers": [{"text": "red", "start": 5}]}]
    assert problems(beir_folder(tmp_path, corpus=[GOOD], queries=queries)) == [
        "queries.jsonl:1: the answer 'red' does not stand at 5 of a relevant document."
    ]


def test_unanswerable_with_a_relevant_document(tmp_path):
    queries = [{**ASKED, "answerable": False}]
    assert problems(beir_folder(tmp_path, queries=queries)) == [
        "queries.jsonl:1: answerable is false, but a document is relevant."
    ]


BAD_QRELS = {
    "unknown query": ("p\ta\t1", "qrels.tsv:3: query-id 'p' is not in queries.jsonl."),
    "unknown document": ("q\tz\t1", "qrels.tsv:3: corpus-id 'z' is not in corpus.jsonl."),
    "as trec_eval has it": ("q 0 a 1", "qrels.tsv:3: found 1 columns, expected 3 columns betw"),
    "no number": ("q\ta\tyes", "qrels.tsv:3: the score is 'yes', expected a whole number."),
    "two scores": ("q\ta\t2", "qrels.tsv:3: the score is 2, and 1 in line 2."),
}


@pytest.mark.parametrize(("line", "says"), BAD_QRELS.values(), ids=BAD_QRELS)
def test_a_bad_judgement(tmp_path, line, says):
    folder = beir_folder(tmp_path)
    with (folder / "qrels.tsv").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    (found,) = problems(folder)
    assert found.startswith(says)


def test_qrels_without_their_header_lose_no_line(tmp_path):
    folder = beir_folder(tmp_path)
    (folder / "qrels.tsv").write_text("q\ta\t1\n", "utf-8")
    assert problems(folder)[0] == (
        "qrels.tsv:1: found 'q\\ta\\t1', expected query-id corpus-id score between tabs."
    )


def test_the_same_judgement_twice_is_one(tmp_path):
    bench = load_bench(beir_folder(tmp_path, qrels=[("q", "a", 1), ("q", "a", 1)]))
    assert bench.queries[0].relevant == {"a": 1}


def test_nothing_in_the_files(tmp_path):
    assert problems(beir_folder(tmp_path, corpus=[], queries=[], qrels=[])) == [
        "queries.jsonl:1: there are no queries.",
        "corpus.jsonl:1: there are no documents.",
    ]


def test_no_query_is_judged(tmp_path):
    (line,) = problems(beir_folder(tmp_path, qrels=[]))
    assert line.startswith("DIR has no question to ask: none of its 1 queries has a relevant doc")


def test_all_problems_are_named_at_once_and_then_counted(tmp_path):
    folder = beir_folder(tmp_path, corpus=[GOOD, b"{", {"_id": 1}], queries=[ASKED, b"{"])
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\np\ta\t1\nq\tz\t1\n", "utf-8")
    assert [line.split(": ")[0] for line in problems(folder)] == [
        "queries.jsonl:2", "qrels.tsv:2", "corpus.jsonl:2", "corpus.jsonl:3", "corpus.jsonl:3",
        "qrels.tsv:3",
    ]  # fmt: skip
    write_lines(folder / "corpus.jsonl", [GOOD, *[b"{"] * 40])
    found = problems(folder)
    assert (len(found), found[-1]) == (21, "… and 23 more.")


# --- our own set ------------------------------------------------------------------------------

FRAGMENTS = Path(__file__).parents[1] / "evals" / "fragments"


def test_the_fragments_are_a_set_whose_answers_stand_where_they_say():
    bench = load_bench(FRAGMENTS)
    assert (bench.documents, len(bench.queries), bench.unjudged) == (340, 3440, 0)
    texts = {entry.id: entry.text for entry in entries(bench)}
    for line in (FRAGMENTS / "queries.jsonl").read_text("utf-8").splitlines():
        query = json.loads(line)
        units = texts.get(query.get("context_id"), "").split("\n\n")
        assert all(place < len(units) for place in query.get("near", ()))
        assert bool(query.get("answers")) is query["answerable"]
    for query in bench.queries:
        for (span,) in query.spans:
            assert texts[span.path][span.start : span.end] in texts[span.path].split("\n\n")
    asked = [(query.text, *query.relevant) for query in bench.queries if query.answerable]
    assert len(set(asked)) == len(asked)


# --- the sets of others ------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_a_set_of_others_is_read_whole(name):
    if not (BENCH / name).is_dir():
        pytest.skip(f"{name} is not in ../shared/bench")
    bench = load_bench(BENCH / name)
    assert (bench.documents, len(bench.queries), bench.unjudged) == (*SETS[name], 0)
    lines = (BENCH / name / "queries.jsonl").read_text("utf-8").splitlines()
    known = {q["_id"]: q for q in map(json.loads, lines)}
    for query in bench.queries:
        assert query.answerable is known[query.id]["answerable"]
        assert bool(query.spans) == bool(
            known[query.id].get("references") or known[query.id].get("answers")
        )
