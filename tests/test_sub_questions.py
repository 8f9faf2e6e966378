"""Which questions ask several things, and where one ends."""

import pytest

from askai.sub_questions import says_it, sub_questions

SPLIT = [
    ("en", "Where is Huawei, and how many people work there?",
     ("Where is Huawei", "how many people work there?")),
    ("en", "Which firms are in Beijing and which strategy supports them?",
     ("Which firms are in Beijing", "which strategy supports them?")),
    ("en", "In which city is DAMO and in which is Pony.ai?",
     ("In which city is DAMO", "in which is Pony.ai?")),
    ("en", "Who leads it? Where is it?", ("Who leads it", "Where is it?")),
    ("en", "What is it made of; when did it start?",
     ("What is it made of", "when did it start?")),
    ("fr", "Où est Huawei et combien de personnes y travaillent ?",
     ("Où est Huawei", "combien de personnes y travaillent ?")),
    ("fr", "De quelle ville vient Huawei et à quelle date ?",
     ("De quelle ville vient Huawei", "à quelle date ?")),
    ("fr", "Où est Huawei ? Qui la dirige ?", ("Où est Huawei", "Qui la dirige ?")),
    ("es", "¿Dónde está Huawei y cuántas personas trabajan allí?",
     ("¿Dónde está Huawei", "cuántas personas trabajan allí?")),
    ("es", "¿Quién dirige Huawei? ¿Dónde está?", ("¿Quién dirige Huawei", "Dónde está?")),
    ("en", "Guizhou: what is it good at, which firms are there, who backs it?",
     ("Guizhou: what is it good at", "which firms are there", "who backs it?")),
    ("fr", "Tencent : quel code boursier, quelle ville et quelle place sur le marché ?",
     ("Tencent : quel code boursier", "quelle ville", "quelle place sur le marché ?")),
    ("es", "que empresas chinas hacen memoria y a que precio la venden",
     ("que empresas chinas hacen memoria", "a que precio la venden")),
    ("es", "quienes son y cuantos son", ("quienes son", "cuantos son")),
    ("zh", "华为总部在哪里，有多少员工？", ("华为总部在哪里", "有多少员工？")),
    ("zh", "华为在哪里？有多少员工？", ("华为在哪里", "有多少员工？")),
    ("de", "Where is Huawei, and how many cities rank?",
     ("Where is Huawei", "how many cities rank?")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "question", "parts"), SPLIT, ids=[f"{s[0]}-{n}" for n, s in enumerate(SPLIT)]
)
def test_a_question_of_several_questions_is_split_before_each(language, question, parts):
    assert sub_questions(question, language) == parts


WHOLE = {
    "joined-nouns-en": ("en", "Who leads research and development in Beijing?"),
    "no-question-before-and": ("en", "Beijing and which other city lead?"),
    "an-order-before-and": ("en", "Name the dragons and how many there are"),
    "two-words-of-asking": ("en", "When and where is the conference?"),
    "a-clause-after-a-comma": ("en", "Which firm, which is in Beijing, leads?"),
    "part-too-short": ("en", "Where is Huawei, and how?"),
    "an-order-after": ("en", "Who leads Huawei? Tell me."),
    "word-inside-a-word": ("en", "Who leads Huawei and whatever else?"),
    "joined-nouns-fr": ("fr", "Quelles entreprises et institutions sont à Pékin ?"),
    "two-words-fr": ("fr", "Quand et où a lieu la conférence ?"),
    "joined-nouns-es": ("es", "¿Qué empresas y universidades hay en Pekín?"),
    "two-words-es": ("es", "¿Cuándo y dónde es la conferencia?"),
    "two-long-words-fr": ("fr", "Pourquoi et comment la Chine investit-elle ?"),
    "two-long-words-es": ("es", "¿Por qué y cómo invierte China?"),
    "list-zh": ("zh", "北京、上海和深圳有哪些企业？"),
    "no-question-before-the-comma": ("zh", "在北京，有哪些企业？"),
    "none": ("zh", "?"),
    "empty": ("en", ""),
}


@pytest.mark.parametrize(("language", "question"), WHOLE.values(), ids=WHOLE)
def test_a_question_of_one_question_is_itself(language, question):
    assert sub_questions(question, language) == (question,)


IT = [
    ("who runs it?", True),
    ("qui la dirige ?", False),
    ("elle dirige quoi ?", True),
    ("它卖多少？", True),
    ("what share did it really reach?", False),
    ("who runs the fund?", False),
]


@pytest.mark.parametrize(("part", "says"), IT, ids=[part for part, _ in IT])
def test_a_part_that_says_it_and_little_else(part, says):
    assert says_it(part) == says
