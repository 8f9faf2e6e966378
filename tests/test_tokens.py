"""A question and a passage that use the same words have the same tokens, however written."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from askai.tokens import (
    FUNCTION_WORDS,
    content_tokens,
    folded,
    han_parts,
    is_han,
    stemmed,
    tokens,
    words,
)

CASES = [
    ("case", "DeepSeek iFLYTEK", ["deepseek", "iflytek"]),
    ("accents", "Élan vital à Pékin, ñandú", ["elan", "vital", "a", "pekin", "nandu"]),
    ("decomposed-accents", "Pe\u0301kin", ["pekin"]),
    ("sharp-s", "Straße", ["strass"]),
    ("full-width", "ＡＩ ２０２５", ["ai", "2025"]),
    ("ligature", "oﬃce", ["offic"]),
    ("elision", "l'Allemagne d’Huawei", ["l", "allemagn", "d", "huawei"]),
    ("underscore", "snake_case", ["snake", "case"]),
    ("number", "5 and 90%", ["5", "and", "90"]),
    ("decimal", "3.14 or 3,14", ["3.14", "or", "3,14"]),
    ("thousands", "1,000 10,000 1,234,567", ["1000", "10000", "1234567"]),
    ("no-thousands", "1,00 12,3456 2021,2025", ["1,00", "12,3456", "2021,2025"]),
    ("end-of-sentence", "In 2040. By 2035, then", ["in", "2040", "by", "2035", "then"]),
    ("unit", "28nm 5G 112B 1,200km", ["28nm", "5g", "112b", "1200km"]),
    ("number-and-han", "2025年 14亿", ["2025", "年", "14", "亿"]),
    ("letters-then-digits", "H100 GPT4 GPT 4", ["h100", "gpt4", "gpt", "4"]),
    ("note-mark", "Guideline³ operationalises", ["guidelin", "operationalis"]),
    ("note-marks", "dragons¹³ of 2025¹", ["dragon", "of", "2025"]),
    ("note-mark-in-han", "计划¹³南京", ["计划", "南京"]),
    ("han", "南京大学", ["南京", "京大", "大学"]),
    ("one-han", "中", ["中"]),
    ("han-and-latin", "深圳AI企业", ["深圳", "ai", "企业"]),
    ("traditional", "中國", ["中国"]),
    ("traditional-asking-words", "什麼是中國的計劃嗎", ["中国", "计划"]),
    ("lone-surrogate", "\ud800中國 AI\udfff", ["中国", "ai"]),
    ("nul", "中國\0計劃 AI", ["中国", "计划", "ai"]),
    (
        "stems",
        "The firms competed, competing companies",
        ["the", "firm", "compet", "compet", "compani"],
    ),
    ("stems-not-of-short-words", "gas was ate", ["gas", "was", "ate"]),
    ("stems-not-of-names-with-digits", "chips3 28nms", ["chips3", "28nms"]),
    ("stems-of-joined-words", "start-ups", ["start", "ups", "startup"]),
    ("no-stem-in-another-script", "роботы", ["роботы"]),
    ("asking-words", "什么是南京的大学吗", ["南京", "大学"]),
    ("which-firms", "深圳有哪些企业", ["深圳", "圳有", "企业"]),
    ("beyond-the-plane", "𠮷野家", ["𠮷野", "野家"]),
    ("cyrillic", "Москва", ["москва"]),
    ("emoji", "😀 AI 🤖", ["ai"]),
    ("nothing", "", []),
    ("blanks", " \t\n\u3000", []),
    ("punctuation", "… — ?!。", []),
    ("only-asking", "谁是谁", []),
    ("long", "x" * 100, ["x" * 64]),
    ("long-number", "9" * 100, ["9" * 64]),
]


@pytest.mark.parametrize(("text", "wanted"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_tokens(text, wanted):
    assert tokens(text) == wanted


SAME = [
    ("case", "NANJING", "Nanjing"),
    ("accent", "Pékin", "Pekin"),
    ("composition", "Cantón", "Canto\u0301n"),
    ("apostrophe", "l'Allemagne", "l’Allemagne"),
    ("thousands", "10,000", "10000"),
    ("width", "ＡＩ＋", "AI+"),
    ("note", "dragons", "dragons¹³"),
    ("traditional", "繁體中文的機器人計劃", "繁体中文的机器人计划"),
    ("plural", "robots", "robot"),
    ("form-of-a-verb", "The plan supports it", "The plan supported it"),
    ("french-plural", "les entreprises chinoises", "les entreprise chinoise"),
]


@pytest.mark.parametrize(("one", "other"), [c[1:] for c in SAME], ids=[c[0] for c in SAME])
def test_two_ways_to_write_one_thing(one, other):
    assert tokens(one) == tokens(other)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Where is the headquarters of Pony.ai?", ["headquart", "poni", "ai"]),
        ("Où se trouve l'Académie DAMO ?", ["academi", "damo"]),
        ("¿Dónde está la sede de Huawei?", ["sede", "huawei"]),
        ("Which US firms?", ["us", "firm"]),
        ("in the South: sur", ["south", "sur"]),
        ("南京在哪里？", ["南京"]),
        ("Who is it?", []),
    ],
    ids=["en", "fr", "es", "us-is-a-name", "sur-is-the-south", "zh", "nothing-left"],
)
def test_content_tokens_are_without_the_words_of_asking(text, wanted):
    assert content_tokens(text) == wanted


def test_words_are_what_tokens_are_stems_of():
    text = "Robots in 中國: 1,000 start-ups"
    assert words(text) == ["robots", "in", "中国", "1000", "start", "ups", "startups"]
    assert tokens(text) == [stemmed(word) for word in words(text)]


def test_function_words_are_written_as_words_are():
    assert [word for word in FUNCTION_WORDS if words(word) != [word]] == []


@pytest.mark.parametrize(
    ("token", "han"),
    [
        ("南京", True),
        ("𠮷", True),
        ("か", True),
        ("한", True),
        ("ai", False),
        ("25", False),
        ("", False),
    ],
    ids=["han", "rare-han", "kana", "hangul", "latin", "digits", "empty"],
)
def test_scripts_that_are_cut_into_bigrams(token, han):
    assert is_han(token) is han


def test_han_parts_are_what_stands_between_the_words_of_asking():
    assert han_parts("請問DeepSeek在中國的哪裡？計劃") == ["中国", "计划"]


# Han characters that none of the words of asking is made of.
han_text = st.text("南京大学人工智能产业中国深圳机器计划算力网络𠮷", min_size=2, max_size=12)
ASKING = ["什么", "哪里", "有没有", "如何", "为什么", "吗", "呢", "请问", "谁", "的", "是"]


@given(name=han_text, before=st.sampled_from(ASKING), after=st.sampled_from(ASKING))
def test_asking_words_around_a_han_name_change_no_token_of_it(name, before, after):
    assert tokens(before + name + after) == tokens(name)


@given(name=han_text, before=han_text, after=han_text)
def test_a_han_question_shares_all_its_bigrams_with_a_passage_that_holds_it(name, before, after):
    question, passage = set(tokens(f"{name}在哪里？")), set(tokens(before + name + after))
    assert question
    assert question <= passage


@given(text=st.text(max_size=60))
def test_tokens_are_words_without_case(text):
    for token in tokens(text):
        assert token
        assert len(token) <= 64
        assert token == token.casefold()
        assert not any(character.isspace() for character in token)


@given(text=st.text("aàçéß’'.,-1²³¹⁰南京AÉ ", max_size=40))
def test_folding_is_done_once_for_all(text):
    assert folded(folded(text)) == folded(text)
    assert tokens(folded(text)) == tokens(text)


@given(word=st.text("abcdeéñ", min_size=1, max_size=20), mark=st.text("¹²³⁴⁵⁶⁷⁸⁹⁰", min_size=1))
def test_the_mark_of_a_note_is_no_digit(word, mark):
    assert tokens(word + mark) == tokens(word)
    assert tokens(f"2025{mark}") == ["2025"]


@given(number=st.integers(1000, 10**15))
def test_thousands_are_written_with_commas_or_without(number):
    assert tokens(f"{number:,}") == tokens(str(number)) == [str(number)]


@given(front=st.text(max_size=30), back=st.text(max_size=30))
def test_tokens_do_not_cross_a_line(front, back):
    assume(not front.endswith("\r"))
    assert tokens(f"{front}\n{back}") == tokens(front) + tokens(back)


def test_plain_ascii_folds_as_the_long_way_does():
    plain = "".join(map(chr, range(128)))
    assert folded(plain) == folded(f"{plain}é")[:-1] == plain.lower()
