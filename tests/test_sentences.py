"""Where a sentence ends, in four languages: a quotation is cut here, so the cut is exact."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askai.sentences import is_finished, split
from strategies import documents

# The expected sentences, in full; "|" stands between them.
CASES = {
    "number-abbreviated": "EAI Background Brief No. 1863 is out.| Read it.",
    "number-emphasised": "EAI Background Brief No. **1863**, which is out.| Read it.",
    "inc-and": "Baidu, Inc. and Tencent lead.| They do.",
    "inc-at-the-end": "He works at Baidu, Inc.| Tencent is next.",
    "us-export": "It limits U.S. export rules.| China reacts.",
    "titles-and-initials": "Dr. Li Yao is here.| So is J. K. Rowling.| Yes.",
    "decimals": "It grew by 3.5% in 2024.| Then 10.25 more.",
    "figure-reference": "See Fig. 3 and pp. 4–5 of it.| Vol. 4 is out.",
    "latin-abbreviations": "Chips, e.g. Ascend, i.e. its own, vs. others.| Done.",
    "doctorate": "He has a Ph.D. degree.| She too.",
    "curly-quote-after-stop": "“It is clear.”| Then he left.| ‘Yes.’| So.",
    "straight-quote-after-stop": 'He said "it is clear."| Then he left.',
    "bracket-after-stop": "(He left.)| Then she did.",
    "note-after-stop": "It is so.¹³| The next one.",
    "note-after-bracket": "In Technologies (CXMT).¹⁵| Together, they lead.",
    "note-inside-sentence": "Its “six dragons”¹³ of AI; Hefei²⁴ anchors.| Next.",
    "ellipsis-goes-on": "He paused … then went on.| He left...| Then he came.",
    "url": "See https://a.example/b.c.html?d=1.2 for it.| Then www.gov.cn too.",
    "name-with-dot": "Pony.ai is in KOOL.US.| Where?| There!",
    "stacked-marks": "Really?!| No!!| Maybe.",
    "lower-case-name": "First.| 2. deepSeek",
    "line-break": "One is here.\n| Two is here.\r\n| Three",
    "chinese": "中国的 AI 崛起。|真的吗？|是的！|好",
    "chinese-semicolon": "上游是算力；|下游是应用。",
    "chinese-quote": "他说：“很好。”|然后走了。",
    "chinese-title-mark": "通过了《规划》。|《报告》提出。",
    "chinese-decimal": "增长3.5%，达到GPT-4.5的水平。|完。",
    "chinese-note": "国产存储。¹⁵|另一家。",
    "french": "Le M. Dupont est là.| Vraiment ?| Oui !| Fin.",
    "french-guillemets": "Il dit « c'est clair. »| Puis il part.",
    "spanish": "El Sr. López llegó.| ¿Dónde?| ¡Aquí!| Fin.",
    "spanish-usa": "Las normas de EE.UU. limitan.| ¿No?",
    "no-stop": "A heading without a stop",
    "blank": "",
}


def _pieces(text):
    return [text[start:end] for start, end in split(text)]


@pytest.mark.parametrize("marked", CASES.values(), ids=CASES.keys())
def test_sentences(marked):
    expected = [piece.strip() for piece in marked.split("|") if piece.strip()]
    assert _pieces(marked.replace("|", "")) == expected


# Words that are abbreviations before a number only.
WORDS_THAT_END = {
    "english-no": "The answer is no.| Then he left.",
    "english-art": "It is state of the art.| China leads.",
    "french-est": "Le calcul se fait à l'Est.| Puis à l'Ouest.",
    "spanish-mar": "Está junto al mar.| Luego sube.",
    "spanish-no": "Dijo que no.| Luego salió.",
}


@pytest.mark.parametrize("marked", WORDS_THAT_END.values(), ids=WORDS_THAT_END.keys())
def test_a_word_that_is_also_an_abbreviation_ends_a_sentence(marked):
    assert _pieces(marked.replace("|", "")) == [piece.strip() for piece in marked.split("|")]


@given(st.one_of(documents(), st.text(), st.text('aA .。!?…"”»)¹²\n\t中1')))
@settings(max_examples=200, deadline=None)
def test_spans_are_ordered_disjoint_and_hold_all_but_blanks(text):
    at = 0
    for start, end in split(text):
        assert at <= start < end <= len(text)
        assert not text[at:start].strip()
        assert text[start:end] == text[start:end].strip()
        at = end
    assert not text[at:].strip()


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("It is so.", True),
        ("It is so.¹³", True),
        ("It is “so.”", True),
        ("它是。", True),
        ("它是。”", True),
        ("Vraiment ?", True),
        ("It is so. ", True),
        ("It is not", False),
        ("chips, basic software,", False),
        ("as follows:", False),
        ("", False),
    ],
)
def test_finished(text, finished):
    assert is_finished(text) is finished


@pytest.mark.parametrize("run", [".", "…", ".)", "?!"], ids=["dots", "ellipses", "both", "marks"])
def test_a_long_run_of_marks_takes_linear_time(run):
    text = "Contents " + run * 8_000 + "12"
    began = time.perf_counter()
    assert _pieces(text) == [text]
    assert time.perf_counter() - began < 0.5
