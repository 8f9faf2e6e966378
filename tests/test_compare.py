"""Two evaluations are paired by id, and what changed is named."""

import json
from dataclasses import replace

import pytest

from askai import compare as comparing
from askai.compare import check_same_questions, compare, load_evaluation
from askai.errors import GoldError
from askai.evaluate import MEASURES, summed_up, to_dict
from askai.scoreboard import comparison
from test_evaluate import (
    CHIPS,
    LASERS,
    VALIDATOR,
    answered,
    citation,
    declined,
    gold,
    hits,
    run,
    worked,
)

RIGHT = answered("Hefei.", citations=[citation(*CHIPS)], passages=hits(CHIPS))
WRONG = answered("Wuhan.", citations=[citation(*LASERS)], passages=hits(LASERS, CHIPS))
REFUSED = declined(passages=hits(*[LASERS] * 3, CHIPS))


def results(**answers):
    """q4, q5 and q6 are of the test half; those called u are unanswerable."""
    items = {name: gold(name) if name[0] == "u" else gold(name, CHIPS) for name in answers}
    return run(*[(items[name], answer) for name, answer in answers.items()]).results


BEFORE = results(q1=WRONG, q2=RIGHT, q3=REFUSED, q4=REFUSED, q7=RIGHT, u1=WRONG)
AFTER = results(q1=RIGHT, q2=REFUSED, q3=WRONG, q4=RIGHT, q8=RIGHT, u1=REFUSED)


def ids(changes):
    return [change.after.item.id for change in changes]


def test_what_got_better_and_worse():
    found = compare(BEFORE, AFTER)
    assert (found.questions, found.only_before, found.only_after) == (5, 1, 1)
    assert ids(found.better) == ["q1", "q4", "u1"]
    assert ids(found.worse) == ["q2", "q3"]  # a wrong answer is worse than a refusal
    assert ids(found.evidence_earlier) == ["q1", "q3", "q4"]
    assert ids(found.evidence_later) == ["q2"]


def test_a_difference_is_over_the_questions_that_both_have():
    differences = {found.name: found for found in compare(BEFORE, AFTER).differences}
    assert list(differences) == list(MEASURES)
    right = differences["answer_right"]
    assert (right.before, right.after, right.value) == (1 / 4, 2 / 4, 1 / 4)
    assert right.interval.low < 0 < right.interval.high
    assert not right.is_sure
    near = differences["false_answers_near"]
    assert (near.before, near.after, near.value, near.interval) == (None, None, None, None)


def test_questions_are_paired():
    """Unpaired, 20 questions of 40 that turn right would be beside so much noise unsure."""
    before = results(**{f"q{n}": RIGHT if n % 2 else WRONG for n in range(40)})
    after = results(**{f"q{n}": RIGHT if n % 2 or n < 8 else WRONG for n in range(40)})
    right = next(d for d in compare(before, after).differences if d.name == "answer_right")
    assert right.value == pytest.approx(4 / 40)
    low, high = right.interval
    # of 40 drawn, 4 in 40 are of those that changed: binomial, 0.1 ± 1.96 √(0.1 · 0.9 / 40)
    assert (low, high) == pytest.approx((0.1 - 0.093, 0.1 + 0.093), abs=0.03)
    assert right.is_sure


def test_an_evaluation_is_no_different_from_itself():
    found = compare(worked().results, worked().results)
    assert {d.value for d in found.differences} == {0}
    assert (found.better, found.worse, found.evidence_earlier, found.evidence_later) == ((),) * 4
    assert not any(d.is_sure for d in found.differences)


PAGE = """\
better: 3, 1 of them in the test half, kept back (--split test shows them)

q1  en  bullet  wrong answer → right
  question  question q1
  expected  HEFEI
  before    Wuhan. [1]
  now       Hefei. [1]

u1  en  far  false answer → rightly declined
  question  question u1
  expected  no answer: Off topic.
  before    Wuhan. [1]
  now       no answer: Not in these documents.

worse: 2

q2  en  bullet  right → false refusal
  question  question q2
  expected  HEFEI
  before    Hefei. [1]
  now       no answer: Not in these documents.

q3  en  bullet  false refusal → wrong answer
  question  question q3
  expected  HEFEI
  before    no answer: Not in these documents.
  now       Wuhan. [1]

evidence earlier: 3, 1 of them in the test half, kept back (--split test shows them)
  q1  rank 2 → 1
  q3  rank 4 → 2

evidence later: 1
  q2  rank 1 → 4"""


def test_the_page_a_person_reads():
    page = comparison(compare(BEFORE, AFTER), name="old.json")
    assert page.endswith(PAGE)
    assert page.startswith(
        "compared with old.json: 5 questions, 1 only there, 1 only here\n\n"
        "measure                      before  after  difference      95% interval\n"
        "evidence@1                    0.250  0.500      +0.250  -0.500 to +1.000\n"
    )
    assert "\nfalse_answers_near                –      –           –                 –\n" in page


def test_the_test_half_is_shown_on_purpose():
    page = comparison(compare(BEFORE, AFTER), name="old.json", keep_back_test=False)
    assert "\nbetter: 3\n" in page
    assert "\nq4  en  bullet  false refusal → right\n" in page
    assert "\n  q4  rank 4 → 1\n" in page


def test_a_comparison_keeps_to_the_schema():
    as_dict = comparing.to_dict(compare(BEFORE, AFTER))
    whole = to_dict(summed_up(AFTER), comparison=as_dict)
    VALIDATOR.validate(json.loads(json.dumps(whole)))
    assert as_dict["better"] == ["q1", "q4", "u1"]
    assert as_dict["differences"][9]["measure"] == "answer_right"
    assert as_dict["differences"][9]["difference"] == 0.25
    for part in (as_dict, as_dict["differences"][0]):
        for name in list(part):
            kept = part.pop(name)
            assert not VALIDATOR.is_valid(whole), name
            part[name] = kept


def test_what_eval_printed_is_loaded(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(to_dict(worked())))
    assert tuple(load_evaluation(path)) == worked().results
    path.write_bytes(json.dumps(to_dict(worked())).encode("utf-16"))  # as PowerShell redirects
    assert tuple(load_evaluation(path)) == worked().results


WHOLE = to_dict(worked())
TWICE = WHOLE | {"items": WHOLE["items"][:1] * 2}
BAD = {
    "no file": (None, "cannot be read (No such file or directory); expected the output of `askai"),
    "no JSON": ("7 questions", "is not JSON (Extra data: line 1 column 3 (char 2)); expected the"),
    "another schema": (
        json.dumps({"schema": "askai.answer/1"}),
        (
            "is no evaluation: its schema is 'askai.answer/1'. Expected the output of `askai eval "
            "--json`, schema 'askai.evaluation/2'."
        ),
    ),
    "no object": ("[]", "is no evaluation: $: [] is not of type 'object'. Expected"),
    "a field is missing": (
        json.dumps({k: v for k, v in WHOLE.items() if k != "items"}),
        "is no evaluation: $: 'items' is a required property. Expected",
    ),
    "an id twice": (json.dumps(TWICE), "is no evaluation: an id stands in it twice. Expected"),
    "no question": (json.dumps(WHOLE | {"items": []}), "is an evaluation of no question; there"),
}


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD)
def test_what_is_no_evaluation_is_refused(tmp_path, text, says):
    path = tmp_path / "old.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(GoldError) as caught:
        load_evaluation(path)
    assert str(caught.value).startswith(f"{path} {says}")


def test_other_questions_are_refused(tmp_path):
    path = tmp_path / "old.json"
    items = [result.item for result in BEFORE]
    check_same_questions(BEFORE, items[:1], path)
    with pytest.raises(GoldError) as none:
        check_same_questions(BEFORE, [gold("other", CHIPS)], path)
    assert str(none.value) == (
        f"{path} is an evaluation of other questions: none of its ids is among the 1 asked now."
    )
    changed = [replace(items[0], question="another"), replace(items[1], answers=(("Wuhan",),))]
    with pytest.raises(GoldError) as other:
        check_same_questions(BEFORE, [*changed, *items[2:]], path)
    assert str(other.value) == (
        f"{path} is an evaluation of other questions: 2 of them ask, expect or prove something "
        "else (q1, q2). Evaluate again with the gold set of today."
    )
