"""The page a person reads in a terminal, word for word."""

from dataclasses import replace

import pytest

from askai.evaluate import evaluate
from askai.scoreboard import render
from test_evaluate import CHIPS, LASERS, answered, citation, declined, gold, hits, run, worked

RENDERED = """\
7 questions: 3 answered, 4 declined

found        n     E@1     E@5    E@10  Success@1  Success@5    R@5   R@10  RR@10  nDCG@10
all          4   25.0%   50.0%   75.0%      25.0%      50.0%  0.500  0.750  0.417    0.497
development  3   33.3%   66.7%  100.0%      33.3%      66.7%  0.667  1.000  0.556    0.662
test         1    0.0%    0.0%    0.0%       0.0%       0.0%  0.000  0.000  0.000    0.000
en           2    0.0%   50.0%  100.0%       0.0%      50.0%  0.500  1.000  0.333    0.494
zh           1  100.0%  100.0%  100.0%     100.0%     100.0%  1.000  1.000  1.000    1.000
fr           1    0.0%    0.0%    0.0%       0.0%       0.0%  0.000  0.000  0.000    0.000
bullet       3    0.0%   33.3%   66.7%       0.0%      33.3%  0.333  0.667  0.222    0.329
footnote     1  100.0%  100.0%  100.0%     100.0%     100.0%  1.000  1.000  1.000    1.000

answered     n  right  token F1  cited: precision  recall  right/sentence  false refusals
all          4  25.0%     0.125             0.500   0.500           0.250           50.0%
development  3  33.3%     0.167             0.500   0.500           0.333           33.3%
test         1   0.0%     0.000                 –       –           0.000          100.0%
en           2  50.0%     0.250             1.000   1.000           1.000           50.0%
zh           1   0.0%     0.000             0.000   0.000           0.000            0.0%
fr           1   0.0%     0.000                 –       –               –          100.0%
bullet       3  33.3%     0.167             1.000   1.000           1.000           66.7%
footnote     1   0.0%     0.000             0.000   0.000           0.000            0.0%

declined       n  no answer  false answers    near   far  false refusals   AURC  E-AURC  AUROC
all            7          3          33.3%   50.0%  0.0%           50.0%  0.557   0.155  0.792
development    3          0              –       –     –           33.3%  0.389   0.000      –
test           4          3          33.3%   50.0%  0.0%          100.0%  0.729   0.250  0.667
en             4          2           0.0%    0.0%  0.0%           50.0%  0.479   0.000  1.000
zh             2          1         100.0%  100.0%     –            0.0%  1.000   0.000  0.500
fr             1          0              –       –     –          100.0%  0.000   0.000      –
near_miss      1          1           0.0%    0.0%     –               –      –       –      –
half_answered  1          1         100.0%  100.0%     –               –      –       –      –
far            1          1           0.0%       –  0.0%               –      –       –      –
near           2          2          50.0%   50.0%     –               –      –       –      –

operating point  value    95% interval  n
false answers    33.3%  0.0% to 100.0%  3
false refusals   50.0%  0.0% to 100.0%  4

unanswerable    answered    95% interval  of these wrong    95% interval
42.9%, as here     42.9%  14.3% to 85.7%           66.7%  0.0% to 100.0%
10.0%              48.3%   3.3% to 93.3%           53.4%  0.0% to 100.0%
25.0%              45.8%   8.3% to 83.3%           59.1%  0.0% to 100.0%
50.0%              41.7%  12.5% to 83.3%           70.0%  0.0% to 100.0%
(2000 bootstrap samples of the questions, each with their base rate)

citations verbatim     83.3% of 6 citations
citations on evidence  50.0% of 2 answers to answerable questions
sentences per answer   median 1.0, mean 1.3 over 3 answers
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

q7  zh  half_answered  false answer
  question  question q7
  expected  no answer: Off topic.
  came      Hefei does. [1]"""


def test_the_page_a_person_reads():
    assert render(worked(), keep_back_test=False) == RENDERED


def test_misses_of_the_test_half_are_counted_and_kept_back():
    kept = render(worked())
    head, q2, q3 = kept[kept.index("misses") :].split("\n\n")
    assert head == ("misses: 4, 2 of them in the test half, kept back (--split test shows them)")
    assert (q2[:2], q3[:2]) == ("q2", "q3")
    assert RENDERED.startswith(kept[: kept.index("misses")])


def test_what_a_question_or_an_answer_holds_cannot_move_the_cursor():
    item = replace(gold("q1", CHIPS), question="a\x1b[2J\nb")
    page = render(run((item, answered("\u202eHefei\x07", "Wuhan"))))
    assert "\n  question  a [2J b\n" in page
    assert not {"\x1b", "\x07", "\u202e"} & set(page)


def test_several_texts_that_are_all_expected():
    item = gold("q1", CHIPS, LASERS, need="all", answers=[["Hefei", "Wuhan"], "both"])
    assert "\n  expected  Hefei + Wuhan | both\n" in render(run((item, declined())))


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
