"""The gold set is loaded whole or refused with a reason for every bad line."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askai.errors import GoldError
from askai.gold import KINDS, load_gold, normalise, places, says, split_of
from askai.records import GoldItem, GoldQuote

ROOT = Path(__file__).parent.parent
TEXTS = {
    "a.txt": "Hefei makes chips. Wuhan makes lasers.",
    "b.txt": "合肥。Hefei makes chips. 合肥。",
}
WELL_FORMED = {
    "id": "g1",
    "language": "en",
    "kind": "paragraph",
    "question": "Who makes chips?",
    "answers": ["hefei"],
    "evidence": [{"source": "a.txt", "quote": "Hefei makes chips."}],
    "need": "any",
    "unanswerable": None,
}
DECLINED = {"kind": "far", "answers": [], "evidence": [], "unanswerable": "Off topic."}
ALL_KINDS = (
    "paragraph, bullet, table_cell, table_row, footnote, abstract, list, two_documents, conflict, "
    "near_miss, false_premise, half_answered, far"
)
ANSWERS = "a list of texts that are not blank, or of lists of such texts"
LONG = "Wuhan makes lasers and other things that nobody has ever seen anywhere."


def line(**changes):
    """A well-formed line with some fields changed, and those that are `...` left out."""
    record = {**WELL_FORMED, **changes}
    return json.dumps({key: value for key, value in record.items() if value is not ...})


def load(tmp_path, data):
    path = tmp_path / "gold.jsonl"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return load_gold(path, texts=TEXTS)


def refusal(tmp_path, data):
    """The message without the path, which differs from run to run."""
    with pytest.raises(GoldError) as caught:
        load(tmp_path, data)
    return str(caught.value).replace(str(tmp_path / "gold.jsonl"), "gold.jsonl")


def from_repository():
    texts = {path.name: path.read_bytes().decode() for path in (ROOT / "corpus").glob("*.txt")}
    return load_gold(ROOT / "evals" / "gold.jsonl", texts=texts), texts


def test_the_gold_set_of_the_repository_holds():
    items, texts = from_repository()
    ids = [item.id for item in items]
    assert ids == sorted(set(ids))
    assert (ids[0], ids[-1], len(ids)) == ("g001", "g583", 437)
    for item in items:
        for quote in item.evidence:
            found = places(quote, texts)
            assert found
            assert all(texts[quote.path][start:end] == quote.quote for start, end in found)


def test_the_counts_that_the_readme_states():
    items, _ = from_repository()
    answerable = [item for item in items if item.unanswerable is None]
    assert len(answerable) == 265
    assert Counter(item.language for item in items) == {"en": 173, "zh": 102, "fr": 81, "es": 81}
    assert Counter(item.kind for item in items) == {
        "paragraph": 80, "bullet": 40, "table_cell": 49, "table_row": 18, "footnote": 24,
        "abstract": 10, "list": 20, "two_documents": 12, "conflict": 12,
        "near_miss": 110, "false_premise": 20, "half_answered": 18, "far": 24,
    }  # fmt: skip
    assert Counter(split_of(item.id) for item in items) == {"development": 290, "test": 147}
    assert Counter(split_of(item.id) for item in answerable) == {"development": 168, "test": 97}


def test_a_line_becomes_an_item(tmp_path):
    assert load(tmp_path, line()) == [
        GoldItem(
            id="g1",
            language="en",
            kind="paragraph",
            question="Who makes chips?",
            answers=(("hefei",),),
            evidence=(GoldQuote("a.txt", "Hefei makes chips."),),
        )
    ]


def test_an_accepted_answer_may_be_several_texts_from_any_of_the_quotes(tmp_path):
    evidence = [
        {"source": "a.txt", "quote": "Hefei makes chips."},
        {"source": "a.txt", "quote": "Wuhan makes lasers."},
    ]
    answers = [["HEFEI", "Wuhan"], "chips"]
    written = line(kind="two_documents", need="all", answers=answers, evidence=evidence)
    (item,) = load(tmp_path, written)
    assert item.answers == (("HEFEI", "Wuhan"), ("chips",))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_one_that_has_an_answer_or_one_that_has_none(tmp_path, kind):
    declined = kind in ("near_miss", "false_premise", "half_answered", "far")
    (item,) = load(tmp_path, line(**({**DECLINED, "kind": kind} if declined else {"kind": kind})))
    assert item.kind == kind


SAID = {
    "one of two entries": ([["wuhan"], ["Hefei"]], "hefei", True),
    "all of an entry": ([["wuhan", "Hefei"]], "Hefei and Wuhan", True),
    "half of an entry": ([["wuhan", "Hefei"]], "Hefei", False),
    "halves of two entries": ([["a", "b"], ["c", "d"]], "b, c", False),
    "case, width and blanks": ([["AI  2025"]], "ａｉ\n２０２５", True),
}


@pytest.mark.parametrize(("answers", "text", "expected"), SAID.values(), ids=SAID)
def test_a_text_says_an_accepted_answer(answers, text, expected):
    item = GoldItem("g1", "en", "list", "?", answers=tuple(map(tuple, answers)))
    assert says(text, item) is expected


REFUSED = {
    "not JSON": (
        '{"id": "g1"',
        "line 1: not JSON (Expecting ',' delimiter, column 12); expected an object",
    ),
    "not an object": ("[1, 2]", "line 1: found [1, 2]; expected an object"),
    "not UTF-8": (
        line(question="Où ?").replace("\\u00f9", "ù").encode("latin-1"),
        "line 1: byte 67 is 0xf9, which is not UTF-8; expected UTF-8",
    ),
    "missing field": (line(need=...), 'line 1 (g1): "need" is missing; expected one of any, all'),
    "no id": (line(id=...), 'line 1: "id" is missing; expected text that is not blank'),
    "unknown field": (
        line(knd="far"),
        (
            'line 1 (g1): "knd" is not a field; expected id, language, kind, question, answers, '
            "evidence, need, unanswerable"
        ),
    ),
    "id of a wrong type": (line(id=7), 'line 1: "id" is 7; expected text that is not blank'),
    "blank question": (
        line(question=" "),
        'line 1 (g1): "question" is " "; expected text that is not blank',
    ),
    "half a character": (
        line(question="\ud800"),
        'line 1 (g1): "question" is "\\ud800"; expected text that is not blank',
    ),
    "answers of a wrong type": (
        line(answers="hefei"),
        f'line 1 (g1): "answers" is "hefei"; expected {ANSWERS}',
    ),
    "a blank answer": (
        line(answers=["hefei", ""]),
        f'line 1 (g1): "answers" is ["hefei", ""]; expected {ANSWERS}',
    ),
    "an accepted answer of no texts": (
        line(answers=[[]]),
        f'line 1 (g1): "answers" is [[]]; expected {ANSWERS}',
    ),
    "an accepted answer that is too deep": (
        line(answers=[["hefei", ["chips"]]]),
        f'line 1 (g1): "answers" is [["hefei", ["chips"]]]; expected {ANSWERS}',
    ),
    "evidence of a wrong form": (
        line(evidence=[{"source": "a.txt", "text": "Hefei"}]),
        (
            'line 1 (g1): "evidence" is [{"source": "a.txt", "text": "Hefei"}]; '
            'expected a list of {"source": text, "quote": text}'
        ),
    ),
    "unanswerable of a wrong type": (
        line(**{**DECLINED, "unanswerable": True}),
        'line 1 (g1): "unanswerable" is true; expected null or one sentence',
    ),
    "unknown kind": (
        line(kind="table"),
        (f'line 1 (g1): "kind" is "table"; expected one of {ALL_KINDS}'),
    ),
    "unknown language": (
        line(language="de"),
        'line 1 (g1): "language" is "de"; expected one of en, zh, fr, es',
    ),
    "unknown need": (line(need="one"), 'line 1 (g1): "need" is "one"; expected one of any, all'),
    "source not in the corpus": (
        line(evidence=[{"source": "c.txt", "quote": "Hefei"}]),
        'line 1 (g1): the source "c.txt" is not in the corpus; expected one of its 2 documents',
    ),
    "quote not in its source": (
        line(answers=["wuhan"], evidence=[{"source": "b.txt", "quote": LONG}]),
        (
            'line 1 (g1): the quote "Wuhan makes lasers and other things that nobody has ever '
            'see…" is not in b.txt; expected its text, character by character'
        ),
    ),
    "no evidence": (
        line(evidence=[]),
        'line 1 (g1): there is no evidence; expected some, or "unanswerable" to say why',
    ),
    "no answers": (
        line(answers=[]),
        'line 1 (g1): there is no accepted answer; expected some, or "unanswerable" to say why',
    ),
    "answerable, of a kind that is not": (
        line(kind="near_miss"),
        'line 1 (g1): the kind is near_miss; expected "unanswerable" to say why',
    ),
    "unanswerable, of a kind that is answerable": (
        line(**{**DECLINED, "kind": "bullet"}),
        (
            "line 1 (g1): unanswerable, and the kind is bullet; "
            "expected near_miss or false_premise or half_answered or far"
        ),
    ),
    "unanswerable with evidence": (
        line(**{**DECLINED, "evidence": WELL_FORMED["evidence"]}),
        "line 1 (g1): unanswerable, with evidence (1); expected none",
    ),
    "unanswerable with answers": (
        line(**{**DECLINED, "answers": ["hefei"]}),
        "line 1 (g1): unanswerable, with accepted answers (1); expected none",
    ),
    "accepted answer in no quote": (
        line(answers=["hefei", "wuhan"]),
        'line 1 (g1): the accepted answer "wuhan" is in no evidence quote; expected in one',
    ),
    "part of an accepted answer in no quote": (
        line(answers=[["hefei", "wuhan"], ["wuhan", "chips"]]),
        'line 1 (g1): the accepted answer "wuhan" is in no evidence quote; expected in one',
    ),
}


@pytest.mark.parametrize(("data", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_bad_line_is_refused_with_its_reason(tmp_path, data, sentence):
    assert (
        refusal(tmp_path, data)
        == f"gold.jsonl has 1 bad line; correct and run again:\n  {sentence}"
    )


def test_every_bad_line_is_named_at_once(tmp_path):
    lines = [
        line(),
        line(id="g2", kind="table", language="de"),
        "",
        "7",
        line(answers=["wuhan"]),
        line(id="g3", **DECLINED),
    ]
    assert refusal(tmp_path, "\n".join(lines)).split("\n") == [
        "gold.jsonl has 3 bad lines; correct and run again:",
        (
            '  line 2 (g2): "language" is "de"; expected one of en, zh, fr, es; "kind" is "table"; '
            f"expected one of {ALL_KINDS}"
        ),
        "  line 4: found 7; expected an object",
        (
            '  line 5 (g1): the accepted answer "wuhan" is in no evidence quote; expected in one; '
            "the id is that of line 1; expected each id once"
        ),
    ]


def test_an_id_is_taken_by_a_bad_line_too(tmp_path):
    assert refusal(tmp_path, f"{line(need='one')}\n{line()}").split("\n")[2] == (
        "  line 2 (g1): the id is that of line 1; expected each id once"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused(tmp_path, encoding):
    message = refusal(tmp_path, line().encode(encoding))
    if encoding == "utf-16":
        assert message == "gold.jsonl is UTF-16; expected UTF-8: save it as UTF-8"
    else:  # without its mark it is UTF-8 with zero bytes between
        assert "line 1: not JSON" in message


@pytest.mark.parametrize("data", ["", "\n\n", "\ufeff"], ids=["empty", "blank", "only a mark"])
def test_a_file_without_questions_is_refused(tmp_path, data):
    assert refusal(tmp_path, data) == (
        "gold.jsonl holds no question; expected one JSON object a line"
    )


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(GoldError) as caught:
        load_gold(tmp_path / "none.jsonl", texts=TEXTS)
    assert str(caught.value) == (
        f"{tmp_path / 'none.jsonl'} cannot be read (No such file or directory); "
        "expected a gold set in JSON Lines"
    )


@pytest.mark.parametrize("data", ["[" * 100_000, "1" * 5000], ids=["deep", "long number"])
def test_json_that_python_cannot_read_is_refused(tmp_path, data):
    assert "line 1: not JSON" in refusal(tmp_path, data)


def test_windows_line_ends_a_mark_and_line_separators_inside_are_read(tmp_path):
    second = json.dumps(
        {**WELL_FORMED, "id": "g2", "question": "a\u2028b\x85c"}, ensure_ascii=False
    )
    items = load(tmp_path, b"\xef\xbb\xbf" + f"{line()}\r\n{second}\r\n".encode())
    assert [item.question for item in items] == ["Who makes chips?", "a\u2028b\x85c"]


@settings(deadline=None)
@given(st.text("ab", min_size=1, max_size=12), st.text("ab", min_size=1, max_size=3))
def test_places_are_all_that_slice_the_quote(text, quote):
    expected = [
        (start, start + len(quote))
        for start in range(len(text))
        if text[start : start + len(quote)] == quote
    ]
    assert list(places(GoldQuote("t", quote), {"t": text})) == expected


def test_the_split_is_the_parity_of_the_checksum():
    assert split_of("123456789") == "development"  # CRC-32's published check value: 0xCBF43926
    assert split_of("g001") == "test"  # 0x2D46C3FF


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  New\t\nYork ", "new york"),
        ("STRASSE straße", "strasse strasse"),
        ("ＡＩ　２０２５", "ai 2025"),
        ("220 km²\u00a0", "220 km2"),
        ("cafe\u0301", "caf\u00e9"),
    ],
)
def test_normalise(text, expected):
    assert normalise(text) == expected


@settings(deadline=None)
@given(st.text())
def test_normalise_twice_is_once(text):
    assert normalise(normalise(text)) == normalise(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.sampled_from(sorted(WELL_FORMED)), JSON)
def test_any_value_in_any_field_loads_or_is_refused(tmp_path_factory, field, value):
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    path.write_text(line(**{field: value}))
    try:
        (item,) = load_gold(path, texts=TEXTS)
    except GoldError as error:
        str(error).encode()  # can be printed
    else:
        assert split_of(item.id) in ("development", "test")


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.bin"
    path.write_bytes(data)
    with pytest.raises(GoldError):
        load_gold(path, texts=TEXTS)


def test_the_repository_file_comes_back_as_it_was_written():
    items, _ = from_repository()
    lines = (ROOT / "evals" / "gold.jsonl").read_bytes().decode().rstrip("\n").split("\n")
    for item, written in zip(items, lines, strict=True):
        record = asdict(item)
        record["answers"] = [a[0] if len(a) == 1 else list(a) for a in item.answers]
        record["evidence"] = [{"source": q.path, "quote": q.quote} for q in item.evidence]
        assert record == json.loads(written)
