"""Each measure equals what a person works out from a few made answers."""

import json
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from askai.evaluate import Measure, evaluate, render, to_dict
from askai.gold import KINDS
from askai.records import (
    Abstention,
    Answer,
    Chunk,
    Citation,
    GoldItem,
    GoldQuote,
    Hit,
    Sentence,
    Source,
)

#        0         1         2         3         4         5
#        012345678901234567890123456789012345678901234567890123456
TEXT = "Hefei makes chips. Wuhan makes lasers. Hefei makes chips."
TEXTS = {"a.txt": TEXT, "b.txt": TEXT}
CHIPS, LASERS = (0, 18), (19, 38)
AGAIN = (39, 57)


def gold(id_, *quotes, kind="bullet", language="en", need="any", answers=("HEFEI",)):
    """An answerable item with (start, end) of a.txt as its evidence; unanswerable without."""
    return GoldItem(
        id=id_,
        language=language,
        kind=kind if quotes else ("far" if kind == "bullet" else kind),
        question=f"question {id_}",
        answers=tuple(answers) if quotes else (),
        evidence=tuple(GoldQuote("a.txt", TEXT[start:end]) for start, end in quotes),
        need=need,
        unanswerable=None if quotes else "Off topic.",
    )


def hits(*places, path="a.txt"):
    """Passages in rank order, each (start, end)."""
    return tuple(
        Hit(Chunk(f"{path}-{rank}", path, start, end, TEXT[start:end], ""), rank, 0.0, 0.0, 0.0)
        for rank, (start, end) in enumerate(places, start=1)
    )


def citation(start, end, quote=None, path="a.txt"):
    source = Source(path=path, sha256="", bytes=57, reader="text", version="1")
    return Citation(1, source, start, end, TEXT[start:end] if quote is None else quote)


def answered(*texts, citations=(), passages=(), ms=None):
    return Answer(
        question="",
        language="en",
        sentences=tuple(Sentence(text, (1,)) for text in texts),
        citations=tuple(citations),
        passages=passages,
        timings_ms={} if ms is None else {"total": ms},
    )


def declined(reason="Not in these documents.", closest=(), passages=(), ms=None):
    return Answer(
        question="",
        language="en",
        sentences=(),
        citations=(),
        passages=passages,
        abstention=Abstention(reason, closest=tuple(closest)),
        timings_ms={} if ms is None else {"total": ms},
    )


def run(*pairs):
    """Evaluates (item, answer) pairs."""
    answers = {item.question: answer for item, answer in pairs}
    return evaluate([item for item, _ in pairs], ask=answers.__getitem__, texts=TEXTS)


def only(item, answer):
    """The result of one question."""
    return run((item, answer)).results[0]


def measures(evaluation, name="all"):
    (part,) = [part for part in evaluation.table if part.name == name]
    return part.measures


def worked():
    """Four answerable questions and three that are not, on which the tests below are worked out."""
    return run(
        (  # right, evidence at rank 2
            gold("q1", CHIPS),
            answered(
                "Hefei makes chips.",
                citations=[citation(*CHIPS)],
                passages=hits(LASERS, CHIPS),
                ms=10,
            ),
        ),
        (  # wrong, evidence at rank 1, one citation of two not verbatim, neither on the evidence
            gold("q2", CHIPS, kind="footnote", language="zh"),
            answered(
                "Wuhan makes lasers.",
                "Lasers.",
                citations=[citation(*LASERS), citation(*LASERS, quote="Lasers.")],
                passages=hits(CHIPS),
                ms=20,
            ),
        ),
        (  # refused although the evidence stands at rank 6
            gold("q3", CHIPS),
            declined(closest=[citation(*LASERS)], passages=hits(*[LASERS] * 5, CHIPS), ms=30),
        ),
        (gold("q4", CHIPS, language="fr"), declined(ms=40)),
        (gold("q5"), declined(passages=hits(CHIPS), ms=50)),
        (gold("q6", kind="near_miss"), declined(ms=60)),
        (
            gold("q7", kind="near_miss", language="zh"),
            answered("Hefei does.", citations=[citation(*CHIPS)]),
        ),
    )


WORKED = {
    "evidence@1": (1 / 4, 4),
    "evidence@5": (2 / 4, 4),
    "evidence@10": (3 / 4, 4),
    "answer_right": (1 / 4, 4),
    "false_answers": (1 / 3, 3),
    "false_refusals": (2 / 4, 4),
    "citations_verbatim": (4 / 5, 5),
    "citations_on_evidence": (1 / 2, 2),
    "sentences_per_answer": ((1 + 2 + 1) / 3, 3),
    "total_ms_median": (35, 6),
    "total_ms_p95": (60, 6),
}


@pytest.mark.parametrize(("name", "expected"), WORKED.items(), ids=WORKED)
def test_a_measure_over_all_questions(name, expected):
    found = measures(worked())[name]
    assert found.value == pytest.approx(expected[0])
    assert found.n == expected[1]


def test_every_measure_is_worked_out_here():
    assert list(measures(worked())) == list(WORKED)


@pytest.mark.parametrize(
    ("part", "name", "expected"),
    [
        ("development", "answer_right", Measure(1 / 3, 3)),
        ("test", "answer_right", Measure(0.0, 1)),
        ("en", "evidence@5", Measure(0.5, 2)),
        ("zh", "evidence@1", Measure(1.0, 1)),
        ("zh", "false_answers", Measure(1.0, 1)),
        ("fr", "false_refusals", Measure(1.0, 1)),
        ("fr", "false_answers", Measure(None, 0)),
        ("es", "total_ms_median", Measure(None, 0)),
        ("bullet", "evidence@10", Measure(2 / 3, 3)),
        ("footnote", "citations_verbatim", Measure(0.5, 2)),
        ("near_miss", "false_answers", Measure(0.5, 2)),
        ("near_miss", "evidence@1", Measure(None, 0)),
        ("far", "false_answers", Measure(0.0, 1)),
    ],
)
def test_a_measure_over_a_slice(part, name, expected):
    found = measures(worked(), part)[name]
    assert found.n == expected.n
    assert found.value == (None if expected.value is None else pytest.approx(expected.value))


def test_slices_and_their_counts():
    table = worked().table
    assert [(part.group, part.name) for part in table] == [
        ("all", "all"),
        ("split", "development"),
        ("split", "test"),
        *[("language", name) for name in ("en", "zh", "fr", "es")],
        *[("kind", name) for name in KINDS],
    ]
    counts = {
        part.name: (
            part.questions,
            part.answerable,
            part.unanswerable,
            part.answered,
            part.abstained,
        )
        for part in table
    }
    assert counts["all"] == (7, 4, 3, 3, 4)
    assert counts["zh"] == (2, 1, 1, 2, 0)
    assert counts["es"] == (0, 0, 0, 0, 0)


def test_of_nothing_there_is_no_average():
    evaluation = evaluate([], ask=lambda _: answered(), texts={})
    assert {m for part in evaluation.table for m in part.measures.values()} == {Measure(None, 0)}


def test_done_is_told_how_many_are_done():
    told = []
    evaluate(
        [gold("q1"), gold("q2"), gold("q3")],
        ask=lambda _: declined(),
        texts=TEXTS,
        done=told.append,
    )
    assert told == [1, 2, 3]


RANKS = {
    "exactly half of the quote": ([CHIPS], "any", hits((0, 9)), 1),
    "one character less": ([CHIPS], "any", hits((0, 8)), None),
    "two passages together": ([CHIPS], "any", hits((0, 5), LASERS, (14, 25)), 3),
    "overlapping passages count once": ([CHIPS], "any", hits((0, 5), (0, 8)), None),
    "a passage around it": ([LASERS], "any", hits((0, 57)), 1),
    "another place of the same quote": ([CHIPS], "any", hits(LASERS, AGAIN), 2),
    "two places do not add up": ([CHIPS], "any", hits((0, 6), (39, 45)), None),
    "another document with the same text": ([CHIPS], "any", hits(CHIPS, path="b.txt"), None),
    "no passages": ([CHIPS], "any", (), None),
    "any: the first found": ([LASERS, (0, 5)], "any", hits((0, 5), LASERS), 1),
    "any: one is enough": ([LASERS, (0, 5)], "any", hits(LASERS), 1),
    "all: the last found": ([LASERS, (0, 5)], "all", hits((0, 5), LASERS), 2),
    "all: one is missing": ([LASERS, (0, 5)], "all", hits((0, 5)), None),
    "ranks decide, not the order": ([CHIPS], "any", tuple(reversed(hits(LASERS, CHIPS))), 2),
}


@pytest.mark.parametrize(("quotes", "need", "passages", "rank"), RANKS.values(), ids=RANKS)
def test_the_rank_at_which_evidence_is_found(quotes, need, passages, rank):
    item = gold("q1", *quotes, need=need)
    assert only(item, declined(passages=passages)).evidence_rank == rank


places = st.tuples(st.integers(0, 57), st.integers(0, 57)).map(lambda pair: tuple(sorted(pair)))


@settings(deadline=None)
@given(st.lists(places, max_size=12), places.filter(lambda place: TEXT[slice(*place)].strip()))
def test_found_at_k_is_half_covered_by_the_first_k(passages, quote):
    length = quote[1] - quote[0]
    spots = [at for at in range(58) if TEXT.startswith(TEXT[slice(*quote)], at)]
    result = only(gold("q1", quote), answered(passages=hits(*passages)))
    for k in range(14):
        shares = [
            sum(any(s <= at < e for s, e in passages[:k]) for at in range(spot, spot + length))
            for spot in spots
        ]
        assert result.found_at(k) == (2 * max(shares) >= length)


RIGHT = {
    "inside the answer": (["makes chips"], ["Hefei makes chips."], True),
    "any of the accepted ones": (["Wuhan", "Hefei"], ["Hefei makes chips."], True),
    "case": (["HEFEI"], ["hefei"], True),
    "width, and another form of blank": (["AI 2025"], ["ＡＩ\u3000２０２５"], True),
    "runs of white space": (["a b"], ["a \n\t b"], True),
    "composed or not": (["caf\u00e9"], ["cafe\u0301"], True),
    "other words": (["Wuhan"], ["Hefei makes chips."], False),
    "no sentence": (["Hefei"], [], False),
}


@pytest.mark.parametrize(("accepted", "said", "right"), RIGHT.values(), ids=RIGHT)
def test_an_answer_is_right_when_an_accepted_one_is_in_it(accepted, said, right):
    assert only(gold("q1", CHIPS, answers=accepted), answered(*said)).right is right


def test_a_refusal_is_wrong_whatever_it_says():
    assert only(gold("q1", CHIPS), declined("Hefei is not in these documents.")).right is False


def test_right_is_not_asked_of_an_unanswerable_question():
    assert only(gold("q1"), answered("Hefei.")).right is None


VERBATIM = {
    "verbatim": (citation(*CHIPS), 1),
    "another quote": (citation(*CHIPS, quote="Hefei makes chips"), 0),
    "beside its place": (citation(1, 19, quote=TEXT[0:18]), 0),
    "no such document": (citation(*CHIPS, path="c.txt"), 0),
}


@pytest.mark.parametrize(("cited", "count"), VERBATIM.values(), ids=VERBATIM)
@pytest.mark.parametrize("abstains", [False, True], ids=["answered", "declined"])
def test_a_citation_is_verbatim_when_its_place_holds_its_quote(cited, count, abstains):
    answer = declined(closest=[cited]) if abstains else answered("x", citations=[cited])
    result = only(gold("q1", CHIPS), answer)
    assert (result.citations, result.citations_verbatim) == (1, count)


ON_EVIDENCE = {
    "one character shared": ([citation(17, 25)], True),
    "only touching": ([citation(18, 39)], False),
    "the other place of the quote": ([citation(45, 50)], True),
    "another document": ([citation(*CHIPS, path="b.txt")], False),
    "one of two": ([citation(*LASERS), citation(*CHIPS)], True),
    "no citation": ([], False),
}


@pytest.mark.parametrize(("cited", "on_evidence"), ON_EVIDENCE.values(), ids=ON_EVIDENCE)
def test_a_citation_is_on_the_evidence_when_they_share_a_character(cited, on_evidence):
    assert only(gold("q1", CHIPS), answered("x", citations=cited)).on_evidence is on_evidence


@pytest.mark.parametrize(
    ("times", "p95", "middle"),
    [([7], 7, 7), (range(1, 21), 19, 10.5), (range(1, 22), 20, 11), (range(100, 0, -1), 95, 50.5)],
    ids=["1", "20", "21", "100"],
)
def test_the_times(times, p95, middle):
    found = measures(run(*[(gold(f"q{ms}"), declined(ms=ms)) for ms in times]))
    assert found["total_ms_p95"] == Measure(p95, len(times))
    assert found["total_ms_median"] == Measure(middle, len(times))


SCHEMA = json.loads((resources.files("askai") / "schemas" / "evaluation.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


def test_the_dictionary_keeps_to_its_schema():
    made = json.loads(json.dumps(to_dict(worked())))
    VALIDATOR.validate(made)
    assert made == to_dict(worked())
    assert made["slices"][0]["measures"]["evidence@1"] == {"value": 0.25, "n": 4}
    assert made["items"][1] == {
        "id": "q2",
        "language": "zh",
        "kind": "footnote",
        "split": "development",
        "question": "question q2",
        "answers": ["HEFEI"],
        "unanswerable": None,
        "status": "answered",
        "said": "Wuhan makes lasers. [1] Lasers. [1]",
        "evidence_rank": 1,
        "right": False,
        "citations": 2,
        "citations_verbatim": 1,
        "on_evidence": False,
        "sentences": 2,
        "total_ms": 20,
    }


def test_the_schema_allows_no_field_more_and_none_less():
    whole = to_dict(run((gold("q1"), declined())))
    (item,), whole["slices"] = whole["items"], whole["slices"][:1]
    first = whole["slices"][0]
    table = first["measures"]
    for part in (whole, first, table, table["evidence@1"], item):
        part["more"] = 1
        assert not VALIDATOR.is_valid(whole)
        del part["more"]
        for name in list(part):
            kept = part.pop(name)
            assert not VALIDATOR.is_valid(whole), name
            part[name] = kept
    assert VALIDATOR.is_valid(whole)


@pytest.mark.parametrize("measure", [{"value": None, "n": 1}, {"value": 0.0, "n": 0}])
def test_the_schema_knows_that_null_means_nothing_to_measure(measure):
    whole = to_dict(worked())
    whole["slices"][0]["measures"]["answer_right"] = measure
    assert not VALIDATOR.is_valid(whole)


kinds_of_answer = st.builds(
    answered,
    st.text(max_size=9),
    citations=st.lists(places.map(lambda place: citation(*place)), max_size=3),
    passages=st.lists(places, max_size=4).map(lambda found: hits(*found)),
    ms=st.none() | st.floats(0, 1e6),
) | st.builds(declined, st.text(max_size=9))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([(), (CHIPS,)]), kinds_of_answer), max_size=6))
def test_whatever_is_answered_the_schema_holds_and_shares_are_shares(asked):
    pairs = [(gold(f"q{n}", *quotes), answer) for n, (quotes, answer) in enumerate(asked)]
    evaluation = run(*pairs)
    VALIDATOR.validate(to_dict(evaluation))
    found = measures(evaluation)
    values = [found[f"evidence@{k}"].value or 0 for k in (1, 5, 10)]
    assert values == sorted(values)
    assert found["false_answers"].n + found["false_refusals"].n == len(pairs)
    assert len(render(evaluation)) > 0


RENDERED = """\
7 questions: 3 answered, 4 declined

answerable   n     E@1     E@5    E@10  right  false refusals
all          4   25.0%   50.0%   75.0%  25.0%           50.0%
development  3   33.3%   66.7%  100.0%  33.3%           33.3%
test         1    0.0%    0.0%    0.0%   0.0%          100.0%
en           2    0.0%   50.0%  100.0%  50.0%           50.0%
zh           1  100.0%  100.0%  100.0%   0.0%            0.0%
fr           1    0.0%    0.0%    0.0%   0.0%          100.0%
es           0       –       –       –      –               –
paragraph    0       –       –       –      –               –
bullet       3    0.0%   33.3%   66.7%  33.3%           66.7%
table_cell   0       –       –       –      –               –
footnote     1  100.0%  100.0%  100.0%   0.0%            0.0%
abstract     0       –       –       –      –               –

unanswerable  n  false answers
all           3          33.3%
development   0              –
test          3          33.3%
en            2           0.0%
zh            1         100.0%
fr            0              –
es            0              –
near_miss     2          50.0%
far           1           0.0%

citations verbatim     80.0% of 5 citations
citations on evidence  50.0% of 2 answers to answerable questions
sentences per answer   1.3 over 3 answers
milliseconds           median 35.0, p95 60.0 over 6 questions

misses: 4

q2  zh  footnote  wrong answer, evidence not cited, citation not verbatim, evidence at rank 1
  question  question q2
  expected  HEFEI
  came      Wuhan makes lasers. [1] Lasers. [1]

q3  en  bullet  false refusal, evidence at rank 6
  question  question q3
  expected  HEFEI
  came      no answer: Not in these documents.

q4  fr  bullet  false refusal, evidence not in the top 10
  question  question q4
  expected  HEFEI
  came      no answer: Not in these documents.

q7  zh  near_miss  false answer
  question  question q7
  expected  no answer: Off topic.
  came      Hefei does. [1]"""


def test_the_page_a_person_reads():
    assert render(worked()) == RENDERED


def test_the_page_without_misses_and_without_questions():
    page = render(evaluate([], ask=lambda _: answered(), texts={}))
    assert page.startswith("0 questions: 0 answered, 0 declined\n")
    assert "citations verbatim     – of 0 citations\n" in page
    assert "milliseconds           median –, p95 – over 0 questions\n" in page
    assert page.endswith("misses: 0")


def test_what_came_is_cut_at_120_characters_on_one_line():
    page = render(run((gold("q1", CHIPS), answered("a\tb\n" + 200 * "c"))))
    assert page.endswith("\n  came      a b " + 116 * "c")


MISSES = {
    "evidence out of reach": (
        gold("q1", CHIPS),
        answered("Hefei", citations=[citation(*CHIPS)], passages=hits(*[LASERS] * 10, CHIPS)),
        "evidence not in the top 10",
    ),
    "right by chance": (
        gold("q1", CHIPS),
        answered("Hefei", citations=[citation(*LASERS)], passages=hits(CHIPS)),
        "evidence not cited, evidence at rank 1",
    ),
    "a misquotation beside a refusal": (
        gold("q1"),
        declined(closest=[citation(*CHIPS, quote="Hefei")]),
        "citation not verbatim",
    ),
}


@pytest.mark.parametrize(("item", "answer", "faults"), MISSES.values(), ids=MISSES)
def test_a_miss_is_named(item, answer, faults):
    heading = f"misses: 1\n\n{item.id}  {item.language}  {item.kind}  {faults}\n"
    assert heading in render(run((item, answer)))
