"""Each measure equals what a person works out from a few made answers."""

import json
import math
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from askai.evaluate import MEASURES, Estimate, Measure, bootstrapped, evaluate, to_dict
from askai.gold import KINDS
from askai.judge import from_dict
from askai.judge import to_dict as result_dict
from askai.measures import Interval, Point
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
from askai.scoreboard import render

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
        answers=tuple((a,) if isinstance(a, str) else tuple(a) for a in answers) if quotes else (),
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


def answered(*texts, citations=(), passages=(), ms=None, confidence=0.0):
    return Answer(
        question="",
        language="en",
        sentences=tuple(Sentence(text, (1,)) for text in texts),
        citations=tuple(citations),
        passages=passages,
        confidence=confidence,
        timings_ms={} if ms is None else {"total": ms},
    )


def declined(reason="Not in these documents.", closest=(), passages=(), ms=None, confidence=0.0):
    return Answer(
        question="",
        language="en",
        sentences=(),
        citations=(),
        passages=passages,
        abstention=Abstention(reason, closest=tuple(closest)),
        confidence=confidence,
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
                confidence=0.9,
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
                confidence=0.8,
            ),
        ),
        (  # refused although the evidence stands at rank 6; what came closest is wrong
            gold("q3", CHIPS),
            declined(
                closest=[citation(*LASERS)],
                passages=hits(*[LASERS] * 5, CHIPS),
                ms=30,
                confidence=0.7,
            ),
        ),
        (  # refused, and what came closest would have been right
            gold("q4", CHIPS, language="fr"),
            declined(closest=[citation(*CHIPS)], ms=40, confidence=0.6),
        ),
        (gold("q5"), declined(passages=hits(CHIPS), ms=50, confidence=0.1)),
        (gold("q6", kind="near_miss"), declined(ms=60, confidence=0.5)),
        (
            gold("q7", kind="half_answered", language="zh"),
            answered("Hefei does.", citations=[citation(*CHIPS)], confidence=0.8),
        ),
    )


# The risk of the most confident 1, 2, … 7: q2 and q7 are as confident, and both are errors.
RISKS = [0, 1 / 2, 2 / 3, 3 / 4, 3 / 5, 4 / 6, 5 / 7]
AURC = sum(RISKS) / 7
IDEAL = sum([0, 0, 1 / 3, 2 / 4, 3 / 5, 4 / 6, 5 / 7]) / 7
WORKED = {
    "evidence@1": (1 / 4, 4),
    "evidence@5": (2 / 4, 4),
    "evidence@10": (3 / 4, 4),
    "Success@1": (1 / 4, 4),
    "Success@5": (2 / 4, 4),
    "R@5": (2 / 4, 4),
    "R@10": (3 / 4, 4),
    "RR@10": ((1 / 2 + 1 + 1 / 6 + 0) / 4, 4),
    "nDCG@10": ((1 / math.log2(3) + 1 + 1 / math.log2(7) + 0) / 4, 4),
    "answer_right": (1 / 4, 4),
    "token_f1": ((2 / 4 + 0 + 0 + 0) / 4, 4),
    "citation_precision": (1 / 2, 2),
    "citation_recall": (1 / 2, 2),
    "citations_on_evidence": (1 / 2, 2),
    "citations_verbatim": (5 / 6, 6),
    "sentences_per_answer_mean": ((1 + 2 + 1) / 3, 3),
    "sentences_per_answer_median": (1, 3),
    "answers_per_sentence": (1 / 4, 4),
    "false_answers": (1 / 3, 3),
    "false_answers_near": (1 / 2, 2),
    "false_answers_far": (0, 1),
    "false_refusals": (2 / 4, 4),
    "aurc": (AURC, 7),
    "e_aurc": (AURC - IDEAL, 7),
    "auroc": ((3 + 2.5 + 2 + 2) / (4 * 3), 7),
    "total_ms_median": (35, 6),
    "total_ms_p95": (60, 6),
}


@pytest.mark.parametrize(("name", "expected"), WORKED.items(), ids=WORKED)
def test_a_measure_over_all_questions(name, expected):
    found = measures(worked())[name]
    assert found.value == pytest.approx(expected[0])
    assert found.n == expected[1]


def test_every_measure_is_worked_out_here():
    assert list(measures(worked())) == list(WORKED) == list(MEASURES)


def test_where_the_gate_stands():
    whole, development, test = worked().operation
    assert (whole.name, development.name, test.name) == ("all", "development", "test")
    assert whole.curve == tuple(Point(n / 7, pytest.approx(RISKS[n - 1])) for n in range(1, 8))
    assert (whole.false_answers.value, whole.false_answers.n) == (pytest.approx(1 / 3), 3)
    assert (whole.false_refusals.value, whole.false_refusals.n) == (pytest.approx(2 / 4), 4)
    here = whole.at[0]
    assert here.unanswerable == pytest.approx(3 / 7)
    assert here.coverage.value == pytest.approx(3 / 7)  # of seven questions, three are answered
    assert here.risk.value == pytest.approx(2 / 3)  # of these, one is right
    low, high = whole.false_answers.interval
    assert (low, high) == (0, 1)  # three questions say next to nothing


def test_the_risk_is_restated_for_other_base_rates():
    for found in worked().operation[0].at[1:]:
        share = found.unanswerable
        false, answered_, right = share / 3, (1 - share) * 2 / 4, (1 - share) / 4
        assert found.coverage.value == pytest.approx(false + answered_)
        assert found.risk.value == pytest.approx((false + answered_ - right) / (false + answered_))
    assert [found.unanswerable for found in worked().operation[0].at[1:]] == [0.1, 0.25, 0.5]


def test_what_cannot_be_known_of_the_gate_is_not_stated():
    (whole, half) = run((gold("q1", CHIPS), declined())).operation
    assert (whole.name, half.name) == ("all", "development")
    assert whole.false_answers == Estimate(None, 0, None)
    assert whole.at[0].coverage == Estimate(0.0, 1, Interval(0, 0))
    assert whole.at[0].risk == Estimate(None, 0, None)  # nothing was answered
    assert whole.at[1].coverage == Estimate(None, 0, None)
    assert run((gold("q1"), answered("x"))).operation[0].at[0].risk.value == 1


def test_a_bootstrapped_median_takes_the_same_way_as_a_mean():
    results = worked().results
    samples = np.array([[0, 0, 0, 0], [0, 1, 1, 1], [4, 5, 4, 5]])
    assert bootstrapped("sentences_per_answer_mean", results, samples)[:2] == pytest.approx(
        [1, 7 / 4]
    )
    assert bootstrapped("sentences_per_answer_median", results, samples)[:2] == pytest.approx(
        [1, 2]
    )
    for name in ("sentences_per_answer_mean", "sentences_per_answer_median"):
        assert np.isnan(bootstrapped(name, results, samples)[2])  # nothing was answered


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
        ("near_miss", "false_answers", Measure(0.0, 1)),
        ("half_answered", "false_answers", Measure(1.0, 1)),
        ("near", "false_answers", Measure(0.5, 2)),
        ("near", "false_answers_far", Measure(None, 0)),
        ("en answerable", "false_refusals", Measure(0.5, 2)),
        ("en answerable", "auroc", Measure(None, 0)),
        ("zh unanswerable", "false_answers", Measure(1.0, 1)),
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
        ("kind", "near"),
        *[
            ("language, answerable or not", f"{name} {answerable}")
            for name in ("en", "zh", "fr", "es")
            for answerable in ("answerable", "unanswerable")
        ],
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


def test_done_is_told_each_question_with_its_answer():
    told = []
    items, answer = [gold("q1"), gold("q2"), gold("q3")], declined()
    evaluate(items, ask=lambda _: answer, texts=TEXTS, done=lambda *pair: told.append(pair))
    assert told == [(item, answer) for item in items]


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
    "all of an entry, in two sentences": ([["Hefei", "Wuhan"]], ["Hefei.", "Wuhan."], True),
    "half of an entry": ([["Hefei", "Wuhan"]], ["Hefei."], False),
    "the number of a citation": (["1"], ["Hefei makes chips."], False),
    "no sentence": (["Hefei"], [], False),
}


@pytest.mark.parametrize(("accepted", "said", "right"), RIGHT.values(), ids=RIGHT)
def test_an_answer_is_right_when_an_accepted_one_is_in_it(accepted, said, right):
    assert only(gold("q1", CHIPS, answers=accepted), answered(*said)).right is right


def test_a_refusal_is_wrong_whatever_it_says():
    assert only(gold("q1", CHIPS), declined("Hefei is not in these documents.")).right is False


def test_of_a_refusal_the_closest_quote_is_what_would_have_been_said():
    closest = [citation(*CHIPS), citation(*LASERS)]
    result = only(gold("q1", CHIPS), declined(closest=closest))
    assert (result.would_say, result.would_be_right) == (TEXT[slice(*CHIPS)], True)
    assert not only(gold("q1", CHIPS, answers=["lasers"]), declined(closest=closest)).would_be_right
    assert only(gold("q1", CHIPS), declined()).would_say == ""
    assert only(gold("q1"), answered("Hefei.")).would_err


def test_token_f1_is_that_of_the_nearest_accepted_answer():
    item = gold("q1", CHIPS, answers=["Wuhan", ["Hefei", "chips"]])
    assert only(item, answered("Hefei makes chips.")).token_f1 == pytest.approx(2 * 2 / (3 + 2))
    assert only(item, declined("Hefei chips")).token_f1 == 0


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
    evaluation = run((gold("q1", CHIPS), answered("x", citations=cited)))
    assert measures(evaluation)["citations_on_evidence"] == Measure(float(on_evidence), 1)


CITED = {
    "all of it, and no more": ([CHIPS], "any", [citation(*CHIPS)], 1, 1),
    "half of the quote": ([CHIPS], "any", [citation(0, 9)], 1, 1),
    "less than half": ([CHIPS], "any", [citation(0, 8)], 1, 0),
    "half of it by two citations": ([CHIPS], "any", [citation(0, 5), citation(14, 18)], 1, 1),
    "the other place of the quote": ([CHIPS], "any", [citation(*AGAIN)], 1, 1),
    "a citation too many": ([CHIPS], "any", [citation(*CHIPS), citation(*LASERS)], 1 / 2, 1),
    "any: one of two quotes": ([LASERS, (0, 5)], "any", [citation(*LASERS)], 1, 1),
    "all: one of two quotes": ([LASERS, (0, 5)], "all", [citation(*LASERS)], 1, 1 / 2),
    "beside it": ([CHIPS], "any", [citation(*LASERS)], 0, 0),
    "no citation": ([CHIPS], "any", [], 0, 0),
}


@pytest.mark.parametrize(
    ("quotes", "need", "cited", "precision", "recall"), CITED.values(), ids=CITED
)
def test_the_precision_and_recall_of_citations(quotes, need, cited, precision, recall):
    result = only(gold("q1", *quotes, need=need), answered("x", citations=cited))
    assert (result.citation_precision, result.citation_recall) == (precision, recall)


@pytest.mark.parametrize(
    ("item", "answer"), [(gold("q1", CHIPS), declined()), (gold("q1"), answered("x"))]
)
def test_citations_are_weighed_where_there_is_evidence_and_an_answer(item, answer):
    result = only(item, answer)
    assert (result.citation_precision, result.citation_recall) == (None, None)


ABOUT = {
    "half of the quote": ([CHIPS], "any", hits(LASERS, (0, 9)), (2,)),
    "less than half of the quote": ([CHIPS], "any", hits((10, 38)), (None,)),
    "half of a passage inside a quote": ([(0, 57)], "any", hits((0, 4)), (1,)),
    "any: the first of either": ([LASERS, CHIPS], "any", hits(CHIPS, LASERS), (1,)),
    "all: each": ([LASERS, (0, 5)], "all", hits((0, 5), LASERS), (2, 1)),
    "all: one is missing": ([LASERS, (0, 5)], "all", hits(LASERS), (1, None)),
}


@pytest.mark.parametrize(("quotes", "need", "passages", "ranks"), ABOUT.values(), ids=ABOUT)
def test_the_rank_of_the_first_passage_about_each_need(quotes, need, passages, ranks):
    assert only(gold("q1", *quotes, need=need), declined(passages=passages)).need_ranks == ranks


def test_a_result_comes_back_from_its_dictionary():
    for result in worked().results:
        assert from_dict(json.loads(json.dumps(result_dict(result)))) == result


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
    assert made["operation"][0]["curve"][0] == {"coverage": 1 / 7, "risk": 0.0}
    assert made["operation"][1]["false_answers"] == {"value": None, "n": 0, "interval": None}
    assert made["items"][1] == {
        "id": "q2",
        "language": "zh",
        "kind": "footnote",
        "split": "development",
        "question": "question q2",
        "answers": [["HEFEI"]],
        "evidence": [{"path": "a.txt", "quote": "Hefei makes chips."}],
        "need": "any",
        "unanswerable": None,
        "status": "answered",
        "said": "Wuhan makes lasers. [1] Lasers. [1]",
        "would_say": "Wuhan makes lasers. Lasers.",
        "right": False,
        "would_be_right": False,
        "confidence": 0.8,
        "evidence_rank": 1,
        "need_ranks": [1],
        "ranking": {
            "Success@1": 1.0,
            "Success@5": 1.0,
            "R@5": 1.0,
            "R@10": 1.0,
            "RR@10": 1.0,
            "nDCG@10": 1.0,
        },
        "token_f1": 0.0,
        "citations": 2,
        "citations_verbatim": 1,
        "citation_precision": 0.0,
        "citation_recall": 0.0,
        "sentences": 2,
        "total_ms": 20,
    }


def test_the_schema_allows_no_field_more_and_none_less():
    whole = to_dict(run((gold("q1", CHIPS), declined())))
    (item,), whole["slices"] = whole["items"], whole["slices"][:1]
    first, (operation, _) = whole["slices"][0], whole["operation"]
    table, at = first["measures"], operation["at"][0]
    inner = (item["evidence"][0], item["ranking"], operation["curve"][0], at, at["coverage"])
    for part in (whole, first, table, table["evidence@1"], item, operation, *inner):
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
    confidence=st.floats(0, 1),
) | st.builds(declined, st.text(max_size=9), confidence=st.floats(0, 1))


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
    assert max(map(len, render(evaluation).split("\n\nmisses: ")[0].split("\n"))) <= 100
