"""Names and numbers of a question decide whether it may be answered, before anything is written.

The model is one that can be computed by hand; units are given scores for which it is open, or one
for which it is shut.
"""

import pytest

from askai.aliases import Aliases
from askai.gate import Gate
from askai.records import Chunk
from small import BY_HAND, filler, hit, passage, retriever, unit

CAMBRICON = ("Cambricon", "寒武纪")
ACADEMY = ("Academy of Sciences", "科学院")
NEAR, FAR = 2.0, -1.0
TEXTS = {
    "cambricon": "Cambricon designs chips in Beijing since 2016",
    "deepseek": "DeepSeek trains models in Hangzhou with 112b parameters",
    "lines": "A 28 nm line and one of 14nm stand in Wuhan, with 1,200 workers",
    "ai": "AI models of Hangzhou are open source",
    "germany": "Germany and Spain buy robots from Huawei",
    "academy": "The Academy of Sciences is old",
}


@pytest.fixture
def judge(tmp_path):
    """judge(question, *ids): the verdict where those passages are found, in that order."""
    chunks = [passage(id_, text) for id_, text in TEXTS.items()]
    by_id = {chunk.id: chunk for chunk in chunks}
    finder, _ = retriever(tmp_path, [*chunks, *filler(40)], groups=(CAMBRICON, ACADEMY))

    def judged(question, *ids, score=NEAR, coverage=1.0, extra=()):
        found = [by_id[id_] for id_ in ids] + list(extra)
        hits = [hit(chunk, rank) for rank, chunk in enumerate(found, 1)]
        evidence = [unit(c, score - 0.001 * n, coverage) for n, c in enumerate(found)]
        return Gate(finder.lexical, BY_HAND).judge(finder.query(question), hits, evidence)

    def constraints(question):
        return [c.text for c in Gate(finder.lexical, BY_HAND).constraints(finder.query(question))]

    judged.constraints = constraints
    yield judged
    finder.catalog.close()


def answers(verdict):
    return [evidence.chunk.id for evidence in verdict.evidence]


# --- which words of a question are constraints ------------------------------------------------

CONSTRAINTS = [
    ("name", "Where is Cambricon?", ["Cambricon"]),
    ("alias-has-its-printed-name", "寒武纪在哪里？", ["Cambricon"]),
    ("no-alias", "Where is Atlantis?", ["Atlantis"]),
    ("two-names", "Does DeepSeek work with Huawei?", ["DeepSeek", "Huawei"]),
    ("possessive", "Where is Huawei's factory?", ["Huawei"]),
    ("curly-possessive", "Where is Huawei’s factory?", ["Huawei"]),
    ("each-once", "Is Huawei what Huawei says?", ["Huawei"]),
    ("number", "Which line has 28 nm?", ["28"]),
    ("number-with-unit", "Which line has 14nm?", ["14nm"]),
    ("year", "What happens by 2040?", ["2040"]),
    ("inner-capital", "who owns iFLYTEK", ["iFLYTEK"]),
    ("first-word", "Compare the models", []),
    ("first-word-after-a-mark", "¿Compara los modelos?", []),
    ("first-word-with-inner-capital", "DeepSeek is where?", ["DeepSeek"]),
    ("first-word-in-capitals", "NASA is where?", ["NASA"]),
    ("first-word-is-a-number", "2040 is when?", ["2040"]),
    ("word-of-asking", "so Where Is It", []),
    ("one-letter", "What is X in the model?", []),
    ("shouted", "WHERE IS THE HUAWEI FACTORY", []),
    ("shouted-alias", "WHERE IS THE CAMBRICON FACTORY", ["Cambricon"]),
    ("shouted-number", "WHO MOVES TO THE CITY IN 2040", ["2040"]),
    ("acronym-en", "Who leads the NATO?", ["NATO"]),
    ("acronym-fr", "Qui dirige une ONU nouvelle ?", []),
    ("acronym-es", "¿Cuál es el PIB de la ciudad?", []),
    ("long-acronym-fr", "Qui dirige une UNESCO nouvelle ?", ["UNESCO"]),
    ("name-fr", "Où se trouve Berlin ?", ["Berlin"]),
    ("name-es", "¿Dónde está Berlín?", ["Berlín"]),
    ("elided-alias", "Que fait l'Academy of Sciences ?", ["Academy of Sciences"]),
    ("small-elision", "Qu'est-ce que c'est, s'il vous plaît ?", []),
    ("latin-in-chinese", "Atlantis在哪里？", ["Atlantis"]),
    ("small-latin-in-chinese", "什么是 atlantis？", ["atlantis"]),
    ("number-in-chinese", "2040年会怎样？", ["2040"]),
    ("title-in-chinese", "《红楼梦》说了什么？", ["红楼梦"]),
    ("quoted-in-chinese", "「红楼梦」说了什么？", ["红楼梦"]),
    ("han-alone", "红楼梦说了什么？", []),
]


@pytest.mark.parametrize(
    ("question", "wanted"), [c[1:] for c in CONSTRAINTS], ids=[c[0] for c in CONSTRAINTS]
)
def test_constraints(judge, question, wanted):
    assert judge.constraints(question) == wanted


@pytest.mark.parametrize("question", ["Que fait l'Allemagne ?", "Et d’Allemagne, quoi ?"])
def test_an_elided_name_is_a_constraint(judge, question):
    (found,) = judge.constraints(question)
    assert found.endswith("Allemagne")
    assert judge(question, "germany").reason == "missing"
    assert not judge(question.replace("Allemagne", "Huawei"), "germany").reason


# --- what no document mentions ----------------------------------------------------------------

MISSING = [
    ("name", "Where is Atlantis?", ("Atlantis",)),
    ("only-one-of-two", "Does Atlantis work with Huawei?", ("Atlantis",)),
    ("two", "Does Atlantis work with Lemuria?", ("Atlantis", "Lemuria")),
    ("year", "What does Huawei do by 2040?", ("2040",)),
    ("other-number", "What has 113 billion parameters?", ("113",)),
    ("part-of-a-number", "What has 11 parameters?", ("11",)),
    ("latin-in-chinese", "Atlantis在哪里？", ("Atlantis",)),
    ("french", "Où se trouve Zorglub ?", ("Zorglub",)),
    ("acronym-en", "Who leads the NATO?", ("NATO",)),
]


@pytest.mark.parametrize(
    ("question", "names"), [c[1:] for c in MISSING], ids=[c[0] for c in MISSING]
)
def test_a_name_that_no_document_holds_is_named(judge, question, names):
    verdict = judge(question, *TEXTS)
    assert (verdict.evidence, verdict.reason, verdict.missing) == ((), "missing", names)


def test_a_missing_name_is_named_even_when_nothing_was_found(judge):
    assert judge("Where is Atlantis?").missing == ("Atlantis",)


PRESENT = [
    ("name", "Where is Huawei?", "germany"),
    ("case", "Where is HUAWEI now?", "germany"),
    ("accents", "Où est Húawei ?", "germany"),
    ("alias", "寒武纪在哪里？", "cambricon"),
    ("year", "Who designs since 2016?", "cambricon"),
    ("joining-word-in-alias", "Where is the Academy of Sciences?", "academy"),
    ("billion-is-b", "Which model has 112 billion parameters?", "deepseek"),
    ("unit-apart-in-the-question", "Which line has 14 nm?", "lines"),
    ("unit-apart-in-both", "Which line has 28 nm?", "lines"),
    ("thousands", "Where are 1200 workers?", "lines"),
    ("thousands-with-comma", "Where are 1,200 workers?", "lines"),
    ("misspelt", "Where is Hangzou now?", "deepseek"),
    ("misspelt-inside", "Where is DeapSeek now?", "deepseek"),
    ("acronym-fr", "Qui cite une ONU nouvelle ?", "germany"),
    ("acronym-es", "¿Cuál es el PIB de Huawei?", "germany"),
    ("shouted", "WHERE IS THE ATLANTIS FACTORY OF HUAWEI", "germany"),
    ("first-word", "Describe the models", "ai"),
    ("han-in-one-language", "在中国有什么？", "ai"),
]


@pytest.mark.parametrize(("question", "id_"), [c[1:] for c in PRESENT], ids=[c[0] for c in PRESENT])
def test_what_a_passage_holds_is_not_missing(judge, question, id_):
    assert answers(judge(question, id_)) == [id_]


def test_a_misspelt_name_must_resemble_one_that_was_found(judge):
    assert judge("Where is Hangzou now?", "germany").missing == ("Hangzou",)


@pytest.mark.parametrize("name", ["Hxxgzhxu", "Deutschland", "Hang"])
def test_another_name_is_no_misspelling(judge, name):
    assert judge(f"Where is {name} now?", "deepseek").missing == (name,)


def test_a_number_is_never_a_misspelling(judge):
    held = passage("held", "The plant has 123456 machines")
    assert judge("Which plant has 123457 machines?", extra=[held]).missing == ("123457",)
    assert judge("Who designs since 2017?", "cambricon").missing == ("2017",)


# --- what one passage holds together ------------------------------------------------------------


def test_names_that_stand_in_other_passages_do_not_answer(judge):
    verdict = judge("What does Cambricon do?", "deepseek", "germany")
    assert (verdict.reason, verdict.missing) == ("apart", ("Cambricon",))


def test_a_passage_with_one_of_the_names_will_do_and_comes_first_with_more(judge):
    verdict = judge("Do Huawei and DeepSeek and Germany agree?", "deepseek", "germany", "ai")
    assert answers(verdict) == ["germany", "deepseek"]


def test_every_number_must_be_held(judge):
    assert judge("Does Huawei sell since 2016?", "germany").reason == "apart"
    assert answers(judge("Who designs since 2016?", "germany", "cambricon")) == ["cambricon"]


def test_what_the_whole_corpus_is_about_constrains_nothing(tmp_path):
    chunks = [passage(f"p{n}", f"Nanjing fact{n}") for n in range(20)]
    chunks.append(passage("other", "The river is long"))
    finder, _ = retriever(tmp_path, chunks)
    query = finder.query("How long is the river of Nanjing?")
    verdict = Gate(finder.lexical, BY_HAND).judge(query, [hit(chunks[-1])], [unit(chunks[-1])])
    finder.catalog.close()
    assert answers(verdict) == ["other"]


def test_the_heading_above_a_passage_holds_names_too(judge):
    note = Chunk(
        id="note",
        path="note.txt",
        start=0,
        end=19,
        text="It stands on a hill",
        context="Cambricon",
        units=((0, 19),),
    )
    assert answers(judge("Where does Cambricon stand?", extra=[note])) == ["note"]


def test_what_a_passage_is_tied_to_holds_names_too_when_it_was_found(judge):
    tied = passage("tied", "It stands on a hill", related=("cambricon",))
    question = "Where does Cambricon stand?"
    assert judge(question, extra=[tied]).reason == "apart"
    assert set(answers(judge(question, "cambricon", extra=[tied]))) == {"cambricon", "tied"}


# --- what kind of thing is asked for ------------------------------------------------------------

KINDS = [
    ("how-many", "How many robots does Germany buy?", "germany", "quantity"),
    ("how-many-held", "How many workers does the line have?", "lines", ""),
    ("how-many-is-no-year", "How many chips does Cambricon design?", "cambricon", "quantity"),
    ("when", "When does Germany buy robots?", "germany", "time"),
    ("when-held", "Since when does Cambricon design chips?", "cambricon", ""),
    ("when-is-no-count", "When did the line get workers?", "lines", "time"),
    ("fr", "Combien de robots Huawei vend-il ?", "germany", "quantity"),
    ("es", "¿Cuántos robots vende Huawei?", "germany", "quantity"),
    ("zh", "寒武纪设计了多少芯片？", "cambricon", "quantity"),
    ("zh-when", "寒武纪是哪一年成立的？", "cambricon", ""),
    ("neither", "Where does Germany buy robots?", "germany", ""),
]


@pytest.mark.parametrize(
    ("question", "id_", "reason"), [c[1:] for c in KINDS], ids=[c[0] for c in KINDS]
)
def test_how_many_and_when_are_answered_with_a_number_or_a_date(judge, question, id_, reason):
    verdict = judge(question, id_)
    assert verdict.reason == reason
    assert bool(verdict.evidence) == (not reason)


# --- constraints that no confidence outweighs ---------------------------------------------------

BROKEN = [
    ("no-name-held", "What does Cambricon do?", "deepseek", "apart"),
    ("not-every-number", "Does Huawei sell since 2016?", "germany", "apart"),
    ("no-quantity", "How many robots does Germany buy?", "germany", "quantity"),
    ("no-sum", "How much money does Germany spend?", "germany", "money"),
    ("no-date", "When does Germany buy robots?", "germany", "time"),
]


@pytest.mark.parametrize(
    ("question", "id_", "reason"), [c[1:] for c in BROKEN], ids=[c[0] for c in BROKEN]
)
def test_a_broken_constraint_leaves_a_tenth_of_the_confidence(judge, question, id_, reason):
    verdict = judge(question, id_)
    assert (verdict.evidence, verdict.reason) == ((), reason)
    assert verdict.confidence == pytest.approx(0.1, abs=0.001)


def test_one_name_of_several_is_enough_for_a_confidence_that_stands(judge):
    assert judge("Do Huawei and DeepSeek agree?", "germany").confidence > 0.99


# --- how near ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "reason", "names"),
    [
        ("Where do they go?", "far", ()),
        ("Where is Huawei?", "silent", ("Huawei",)),
        ("Where is Huawei and Cambricon?", "apart", ("Cambricon",)),
        ("How many robots are there?", "quantity", ()),
    ],
    ids=["no-name", "name-held", "name-apart", "kind"],
)
def test_what_is_far_does_not_answer(judge, question, reason, names):
    verdict = judge(question, "germany", score=FAR)
    assert (verdict.evidence, verdict.reason, verdict.missing) == ((), reason, names)


def test_nothing_found_is_far(judge):
    assert judge("Where do they go?").reason == "far"


def test_a_missing_name_is_the_reason_before_distance(judge):
    assert judge("Where is Atlantis?", "germany", score=FAR).reason == "missing"


def test_a_unit_without_words_of_the_question_must_be_nearer(judge):
    nearest = {
        coverage: min(
            score / 100
            for score in range(200)
            if judge("Where do they go?", "germany", score=score / 100, coverage=coverage).evidence
        )
        for coverage in (0.0, 0.05, 1.0)
    }
    assert nearest[0.0] > nearest[0.05] > nearest[1.0]


def test_evidence_is_given_best_first(judge):
    assert answers(judge("What do they do?", "ai", "lines", "germany")) == [
        "ai",
        "lines",
        "germany",
    ]


# --- known defects ------------------------------------------------------------------------------

DEFECTS = [
    ("unit-joined-in-the-question", "Which line has 28nm?", "lines"),
    ("latin-words-beside-a-han-alias", "Where is 寒武纪 now?", "cambricon"),
    ("latin-words-beside-a-han-name", "What does 等效五纳米 mean for Huawei?", "germany"),
    ("contraction", "Where have I've seen Huawei?", "germany"),
    ("second-sentence", "I read the report. Describe Huawei.", "germany"),
    ("elided-acronym-fr", "Que dit l'ONU de Huawei ?", "germany"),
    ("hyphenated", "Is there Germany-Spain trade in robots?", "germany"),
]


@pytest.mark.parametrize(("question", "id_"), [c[1:] for c in DEFECTS], ids=[c[0] for c in DEFECTS])
def test_what_should_not_be_missing(judge, question, id_):
    assert answers(judge(question, id_)) == [id_]


def test_a_number_is_named_without_the_comma_after_it(judge):
    assert judge("In 2040, what happens?", "ai").missing == ("2040",)


@pytest.mark.parametrize("question", ["¿Qué es el 9G?", "Que vaut une H800 ?"])
def test_a_number_with_a_unit_is_no_acronym(judge, question):
    assert judge(question, "germany").reason == "missing"


def test_a_number_held_with_its_unit_elsewhere_is_apart(judge):
    assert judge("Does Huawei have 112 billion?", "germany").reason == "apart"


@pytest.mark.parametrize(("asked", "held"), [("Hunan", "Henan"), ("Austria", "Australia")])
def test_a_neighbouring_name_is_another_name(judge, asked, held):
    other = passage("other", f"Factories of {held} make phones")
    assert judge(f"Which factories are in {asked}?", extra=[other]).reason == "missing"


def test_confidence_rises_with_the_score_whatever_the_gate_decides(judge):
    """The score that the model weighs is half the passage's .9, half the unit's, and .15."""
    asked = "Does Huawei sell robots?"
    scores = (-500.0, 0.1, 0.2, 0.4, 2.0)
    found = [judge(asked, "germany", score=score).confidence for score in scores]
    assert found == sorted(found)
    assert found[2:4] == pytest.approx([0.5, 0.7310586])
    assert 0 <= min(found) < max(found) <= 1
    missing = judge("Where is Atlantis?", "germany", score=0.4).confidence
    assert missing == pytest.approx(0.1 * 0.7310586)
    assert judge(asked).confidence == 0.0


# --- names and offices ------------------------------------------------------------------------

UBIQUITOUS = ("China", "Chine", "中国")


def test_a_name_that_is_all_over_in_one_spelling_says_nothing_in_a_rare_one(tmp_path):
    chunks = [passage(f"c{n}", f"China has plan{n} for chips{n}") for n in range(20)]
    chunks += [passage("rare", "La Chine a des robots"), passage("wuhan", "Wuhan in China rests")]
    finder, _ = retriever(tmp_path, [*chunks, *filler(20)], groups=(UBIQUITOUS,))
    gate = Gate(finder.lexical, BY_HAND)
    found = gate.examine(
        finder.query("Which share of China's plans comes from Wuhan?"),
        [hit(chunks[0])],
        [unit(chunks[0])],
    )
    assert (found.held, found.apart) == ((), ("Wuhan",))
    finder.catalog.close()


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Who founded DeepSeek?", "person"),
        ("Why was DeepSeek founded?", "reason"),
        ("Who trains models with DeepSeek?", ""),
    ],
)
def test_who_holds_an_office_or_why_is_not_said_where_it_is_not(judge, question, reason):
    assert judge(question, "deepseek").reason == reason


def test_a_chinese_city_that_is_in_no_document_is_missing(judge):
    verdict = judge("青岛在人工智能方面以什么见长？", "deepseek")
    assert (verdict.reason, verdict.missing) == ("missing", ("青岛",))


def test_a_chinese_firm_that_is_in_no_document_is_missing(judge):
    verdict = judge("旷视科技的总部在哪里？", "deepseek")
    assert (verdict.reason, verdict.missing) == ("missing", ("旷视",))


# --- what a thing is ----------------------------------------------------------------------------

BODY = "Embodied robots are a frontier of the plan"
NOTE = "Embodied robots are robots that have a body"


@pytest.mark.parametrize(
    ("question", "note_score", "first"),
    [
        ("What are embodied robots?", NEAR - 0.1, "note"),
        ("What are embodied robots?", NEAR - 0.2, "body"),
        ("Where are embodied robots of the plan built?", NEAR - 0.1, "body"),
    ],
    ids=["asked", "too-far-behind", "something-else-asked"],
)
def test_a_note_says_what_a_thing_is(tmp_path, question, note_score, first):
    chunks = [passage("body", BODY), passage("note", NOTE, kind="footnote", label="note 1")]
    finder, _ = retriever(tmp_path, [*chunks, *filler(40)])
    evidence = [unit(chunks[0], NEAR), unit(chunks[1], note_score)]
    gate = Gate(finder.lexical, BY_HAND)
    found = gate.examine(finder.query(question), [hit(c) for c in chunks], evidence)
    assert [e.chunk.id for e in found.evidence] == sorted(
        ["body", "note"], key=lambda i: i != first
    )
    finder.catalog.close()


# --- which place --------------------------------------------------------------------------------

CONFERENCE = "The robot conference paired the plan with a proposal of China"
PLACES = (("Suzhou", "苏州"), ("Wuhan", "武汉"), ("China", "中国"))


@pytest.fixture
def placed(tmp_path):
    """placed(question, id): whether that passage gives what is asked for."""
    chunks = [
        passage("nowhere", CONFERENCE),
        passage("quote", f"{CONFERENCE} in Suzhou"),
        passage("heading", CONFERENCE, heading=("Trends", "Suzhou")),
        passage("above", CONFERENCE, heading=("Suzhou", "Trends")),
        passage("row", CONFERENCE, kind="table_row", context="City: Suzhou"),
        *(passage(f"f{n}", f"China has plan{n}") for n in range(30)),
    ]
    finder, _ = retriever(tmp_path, chunks, places=PLACES)
    by_id = {chunk.id: chunk for chunk in chunks}

    def given(question, id_, *, aliases=finder.aliases):
        gate = Gate(finder.lexical, BY_HAND, aliases)
        chunk = by_id[id_]
        return gate.examine(finder.query(question), [hit(chunk)], [unit(chunk)]).given

    yield given
    finder.catalog.close()


@pytest.mark.parametrize(
    ("question", "id_", "given"),
    [
        ("In which city was the robot conference?", "nowhere", False),
        ("In which city was the robot conference?", "quote", True),
        ("In which city was the robot conference?", "heading", True),
        ("In which city was the robot conference?", "above", False),
        ("In which city was the robot conference?", "row", True),
        ("Where in Suzhou was the robot conference?", "quote", False),
        ("What did the robot conference propose?", "nowhere", True),
    ],
)
def test_a_place_is_given_where_one_is_named_that_the_question_does_not_name(
    placed, question, id_, given
):
    assert placed(question, id_) == given


def test_without_places_among_the_aliases_none_is_missed(placed):
    assert placed("In which city was the robot conference?", "nowhere", aliases=Aliases())


def test_a_refusal_for_want_of_a_place_says_so(tmp_path):
    common = [passage(f"f{n}", f"China has plan{n}") for n in range(30)]
    chunks = [passage("nowhere", CONFERENCE), *common]
    finder, _ = retriever(tmp_path, chunks, places=PLACES)
    gate = Gate(finder.lexical, BY_HAND, finder.aliases)
    query = finder.query("In which city was the robot conference?")
    verdict = gate.judge(query, [hit(chunks[0])], [unit(chunks[0])])
    assert (verdict.reason, verdict.evidence) == ("place", ())
    finder.catalog.close()
