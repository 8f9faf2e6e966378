"""The page to look at: whole in itself; no text of a question or a document becomes markup."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from askai.evaluate import evaluate
from askai.report import render
from askai.scoreboard import tables
from test_evaluate import CHIPS, LASERS, answered, citation, declined, gold, hits, run, worked

VOID = {"meta", "line", "circle", "rect", "polyline"}


class Page(HTMLParser):
    """Tags in order, with their attributes, and the text inside the body."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        if "body" in self.open and data.strip():
            self.texts.append(" ".join(data.split()))


def page(evaluation, **options):
    found = Page(render(evaluation, about={"Model": "hashing"}, **options))
    assert not found.open  # every element is closed
    return found


def after(texts, title, count):
    at = texts.index(title)
    return texts[at + 1 : at + 1 + count]


def test_the_headlines_with_their_intervals():
    texts = page(worked()).texts
    assert texts[0] == "askai: 7 questions, 3 answered, 4 declined"
    assert texts[1].startswith("4 of them can be answered from the documents, 3 cannot. Model: has")
    assert after(texts, "evidence in 5 passages", 2) == ["50.0%", "0.0% to 100.0% · n = 4"]
    assert after(texts, "false answers, near", 2) == ["50.0%", "0.0% to 100.0% · n = 2"]


def test_the_tables_are_those_of_the_terminal():
    texts = page(worked()).texts
    for table in tables(worked().table):
        at = texts.index(table.title.capitalize())
        cells = [cell for row in table.rows for cell in row]
        assert texts[at + 1 : at + 1 + len(table.head)] == ["slice", *table.head[1:]]
        assert texts[at + 1 + len(table.head) :][: len(cells)] == cells


def test_the_curves():
    evaluation = worked()
    html = render(evaluation, about={})
    lines = dict(re.findall(r'<polyline class="(\w+)" points="([-\d., ]+)"/>', html)[:2])
    # evidence found at ranks 2, 1, 6 and never, in a field of 300 by 180: 1/4 at 1, 3/4 from 6 on
    ends = [1, 2, 2, 2, 2, 3, 3, 3, 3, 3]
    expected = [f"{300 * n / 9:.1f},{180 * (1 - found / 4):.1f}" for n, found in enumerate(ends)]
    assert lines["first"].split() == expected
    assert "evidence@k, all that is needed: 25% at 1, 75% at 10" in html
    assert "by confidence: area 0.557" in html
    assert "no order at all: 71.4% wrong" in html
    assert "the gate: 42.9% answered, 66.7% of it wrong" in html
    x, y = map(
        float, re.search(r'<circle class="point" cx="([\d.]+)" cy="([\d.]+)"', html).groups()
    )
    assert (x, y) == pytest.approx((300 * 3 / 7, 180 / 3))


def test_the_bars():
    html = render(worked(), about={})
    part = html[html.index("<h3>False answers</h3>") :]
    bars = re.findall(
        r">(\w+)</text>\s*<rect [^>]*width=\"([\d.]+)\"", part[: part.index("</svg>")]
    )
    assert [name for name, _ in bars] == [
        "all", "test", "en", "zh", "near_miss", "half_answered", "far", "near",
    ]  # fmt: skip
    assert float(dict(bars)["all"]) == pytest.approx(170 / 3, abs=0.06)


def test_misses_stand_under_their_gravest_fault_with_what_came():
    texts = page(worked(), keep_back_test=False).texts
    misses = texts[texts.index("Misses") + 1 : texts.index("As it should be")]
    assert misses == [
        "False answer: 1",
        "question q7",
        "q7 · zh · half_answered · confidence 0.80 · false answer",
        *["expected", "no answer: Off topic.", "came", "Hefei does. [1]"],
        "Wrong answer: 1",
        "question q2",
        (
            "q2 · zh · footnote · confidence 0.80 · wrong answer · evidence not cited · citation "
            "not verbatim · evidence at rank 1"
        ),
        *["expected", "HEFEI", "evidence", "Hefei makes chips.", "a.txt"],
        *["came", "Wuhan makes lasers. [1] Lasers. [1]"],
        "False refusal: 2",
        "question q3",
        "q3 · en · bullet · confidence 0.70 · false refusal · evidence at rank 6",
        *["expected", "HEFEI", "evidence", "Hefei makes chips.", "a.txt"],
        *["declined", "Not in these documents.", "came closest", "Wuhan makes lasers."],
        "question q4",
        "q4 · fr · bullet · confidence 0.60 · false refusal · evidence not in the top 10",
        *["expected", "HEFEI", "evidence", "Hefei makes chips.", "a.txt"],
        *["declined", "Not in these documents.", "came closest", "Hefei makes chips."],
    ]
    assert texts[texts.index("As it should be") + 1 :][:3] == [
        "Right: 1",
        "question q1",
        "q1 · en · bullet · confidence 0.90 · evidence at rank 2",
    ]
    assert "Rightly declined: 2" in texts


def test_questions_of_the_test_half_are_not_shown():
    texts = page(worked()).texts
    assert [text for text in texts if text.startswith("question ")] == [
        "question q2",
        "question q3",
        "question q1",
    ]
    assert any(text.startswith("4 questions are of the test half.") for text in texts)


HOSTILE = [
    "</bdi><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp;",
    "a\u202eb\u2066c\x1b[2J\x00d",
    "<!-- <style> </style> </html>",
    "]]> <svg onload=alert(1)>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text):
    def made(text):
        item = replace(gold("q1", CHIPS, answers=[text]), question=f"{text}?", id="q1")
        answer = answered(text, citations=[citation(*LASERS)], passages=hits(CHIPS))
        far = replace(gold("q2"), unanswerable=text)
        return page(run((item, answer), (far, declined(text, closest=[citation(0, 5, text)]))))

    hostile, plain = made(text), made("plain")
    assert hostile.tags == plain.tags
    assert hostile.attributes == plain.attributes
    shown = " ".join("".join(" " if c in "\u202e\u2066\x1b\x00" else c for c in text).split())
    assert f"{shown}?" in hostile.texts
    assert f"no answer: {shown}" in hostile.texts


def test_the_page_needs_nothing_but_itself():
    found = page(worked())
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(found.tags)
    assert not [value for _, value in found.attributes if re.match(r"(?:https?:)?//", value or "")]
    assert not {"href", "src"} & {name for name, _ in found.attributes}
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in found.attributes


EDGES = {
    "only unanswerable": [(gold("q1"), declined())],
    "only answerable, all refused": [(gold("q1", CHIPS), declined())],
    "one right": [(gold("q1", CHIPS), answered("Hefei", citations=[citation(*CHIPS)]))],
}


@pytest.mark.parametrize("pairs", EDGES.values(), ids=EDGES)
def test_whatever_there_is_makes_a_page(pairs):
    texts = page(run(*pairs)).texts
    assert texts[0].startswith("askai: 1 questions, ")
    assert "nan" not in " ".join(texts).split()


def test_of_nothing_there_is_no_page():
    with pytest.raises(ValueError, match="no question"):
        render(evaluate([], ask=lambda _: answered(), texts={}), about={})
