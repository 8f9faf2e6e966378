"""Which language a question is in: the answer, and a refusal, are written in it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askai.language import LANGUAGES, language_of, parts
from askai.records import Mark
from strategies import documents

QUESTIONS = [
    ("Where is Pony.ai?", "en"),
    ("Who founded DeepSeek?", "en"),
    ("Which city ranks sixth?", "en"),
    ("How many AI headquarters are in Beijing?", "en"),
    ("Où se trouve Pony.ai ?", "fr"),
    ("Qui a fondé DeepSeek ?", "fr"),
    ("Quel est l'objectif ?", "fr"),
    ("Combien de sièges à Pékin ?", "fr"),
    ("¿Dónde está Pony.ai?", "es"),
    ("¿Quién fundó DeepSeek?", "es"),
    ("¿Cuántas sedes hay en Pekín?", "es"),
    ("Qué ciudades?", "es"),
    ("Pony.ai 在哪里？", "zh"),
    ("深圳有哪些AI企业？", "zh"),
    ("DeepSeek 是什么", "zh"),
    ("中國的AI城市有哪些？", "zh"),
    ("中", "zh"),
]
MIXED = [
    ("Zhipu AI的总部在哪里", "zh"),
    ("What is the Chinese name 长鑫存储 of CXMT?", "en"),
    ("Que signifie 长鑫存储 dans la note sur CXMT ?", "fr"),
    ("¿Qué significa 长鑫存储 en la nota sobre CXMT?", "es"),
    ("https://www.gov.cn/zhengce/content 是什么？", "zh"),
]
NOTHING_TO_TELL = ["", "   ", "\n", "?", "2025", "90 %", "1863 / 220", "😀", "—"]


def _by_text(cases):
    return pytest.mark.parametrize(("text", "language"), cases, ids=[text for text, _ in cases])


@_by_text(QUESTIONS)
def test_short_questions(text, language):
    assert language_of(text) == language


@_by_text(MIXED)
def test_mixed_scripts(text, language):
    assert language_of(text) == language


@_by_text([("¿Qué es la IA+?", "es"), ("¿Y Nanjing?", "es"), ("¡Compara Pekín!", "es")])
def test_an_inverted_mark_is_spanish(text, language):
    assert language_of(text) == language


@_by_text([("What does 等效五纳米 mean?", "en"), ("Que veut dire 等效五纳米 ?", "fr")])
def test_a_question_about_a_chinese_word_is_in_its_own_language(text, language):
    assert language_of(text) == language


@pytest.mark.parametrize("text", NOTHING_TO_TELL, ids=repr)
def test_english_where_nothing_can_be_told(text):
    assert language_of(text) == "en"


@given(st.one_of(documents(), st.text()))
@settings(max_examples=50, deadline=None)
def test_any_text_has_one_of_the_four_languages(text):
    assert language_of(text) in LANGUAGES


def test_parts_meet_and_short_blocks_follow_their_neighbours():
    french = "La mise en œuvre sera pilotée au niveau national par les lignes directrices."
    chinese = "中国国内层面的落实将由行动计划统筹推进。"
    lines = [french, "(1)", "AI", chinese, "AI", french]
    marks, at = [], 0
    for line in lines:
        marks.append(Mark("paragraph", at, at + len(line)))
        at += len(line) + 1
    found = parts("\n".join(lines), marks)
    assert [mark.label for mark in found] == ["fr", "zh", "fr"]
    assert found[0].start == 0
    assert [(m.start, m.end) for m in found] == [
        (marks[0].start, marks[2].end),
        (marks[3].start, marks[4].end),
        (marks[5].start, marks[5].end),
    ]


def _marks(lines):
    marks, at = [], 0
    for line in lines:
        marks.append(Mark("paragraph", at, at + len(line)))
        at += len(line) + 1
    return "\n".join(lines), marks


FRENCH = "La mise en œuvre sera pilotée au niveau national par les lignes directrices."
ENGLISH = "The plan was released by the State Council, and it is for all of the provinces."
NAMES = "Cambricon Technologies, Horizon Robotics, Moore Threads, Biren"


def test_a_list_of_names_has_the_language_of_its_document(monkeypatch):
    def never(_):
        raise AssertionError("lingua was asked")

    monkeypatch.setattr("askai.language._by_lingua", never)
    found = parts(*_marks([FRENCH, NAMES, FRENCH]))
    assert [mark.label for mark in found] == ["fr"]


def test_where_blocks_are_in_two_languages_lingua_is_asked(monkeypatch):
    asked = []
    monkeypatch.setattr("askai.language._by_lingua", lambda text: asked.append(text) or "es")
    found = parts(*_marks([FRENCH, NAMES, ENGLISH]))
    assert asked == [NAMES]
    assert [mark.label for mark in found] == ["fr", "es", "en"]


def test_where_few_blocks_are_clear_lingua_is_asked(monkeypatch):
    asked = []
    monkeypatch.setattr("askai.language._by_lingua", lambda text: asked.append(text) or "en")
    parts(*_marks([FRENCH, NAMES]))
    assert asked == [NAMES]


def test_one_clear_block_does_not_decide_for_another(monkeypatch):
    """An English paragraph in a Chinese document says nothing of a French title in it."""
    chinese = "中国国内层面的落实将由行动计划统筹推进。"
    monkeypatch.setattr("askai.language._by_lingua", lambda _: "fr")
    title = "Plan national intelligence artificielle, villes pilotes"
    found = parts(*_marks([chinese, ENGLISH, title, chinese]))
    assert [mark.label for mark in found] == ["zh", "en", "fr", "zh"]
