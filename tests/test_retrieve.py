"""Two legs, fused: by vectors that the test states, and by words."""

import math
from dataclasses import replace

import numpy as np
import pytest

from askai.aliases import Aliases
from askai.centring import Centring
from askai.embedders.hashing import HashingEmbedder
from askai.retrieve import LEXICAL_WEIGHT
from small import filler, passage, passages, retriever

IFLYTEK = ("iFLYTEK", "科大讯飞", "Iflytek Co")
NANJING = ("Nanjing", "南京", "Nankín")


class Axes:
    """Each word of `AXES` is an axis, and a text is the sum of its own, scaled to length 1."""

    name = "axes"
    dim = 3
    max_tokens = 1000
    fingerprint = "axes/1"
    AXES = ("chips", "robots", "芯片")  # 芯片 is chips, to this model

    def embed_query(self, text):
        counts = [text.count(axis) for axis in self.AXES]
        vector = np.array([counts[0] + counts[2], counts[1], 0.1], dtype=np.float32)
        return vector / np.linalg.norm(vector)

    def embed_passages(self, texts):
        vectors = [self.embed_query(text) for text in texts]
        return np.array(vectors, dtype=np.float32).reshape(-1, self.dim)


@pytest.fixture
def search(tmp_path):
    """search(passages, question, k=10): the hits of a retriever over those passages."""
    opened = []

    def found(chunks, question, *, k=10, groups=(), embedder=None):
        finder, _ = retriever(tmp_path, chunks, groups=groups, embedder=embedder or Axes())
        opened.append(finder.catalog)
        return finder.search(finder.query(question), k)

    yield found
    for catalog in opened:
        catalog.close()


def ids(hits):
    return [hit.chunk.id for hit in hits]


# --- fusion -----------------------------------------------------------------------------------


def test_the_score_is_the_cosine_and_a_share_of_the_words(search):
    chunks = passages(
        both="The chips are of Hefei.",
        meaning="The chips are small.",
        word="Hefei is a city.",
        none="Paris is a city.",
    )
    hits = {hit.chunk.id: hit for hit in search(chunks, "Hefei chips")}
    # The question is (1, 0, .1); so is a passage with chips. One without is (0, 0, 1).
    near, far = 1.0, 0.1 / math.hypot(1, 0.1)
    assert hits["both"].dense == pytest.approx(near, abs=1e-6)
    assert hits["word"].dense == pytest.approx(far, abs=1e-6)
    assert hits["both"].lexical > hits["word"].lexical > 0
    assert hits["none"].lexical == 0
    for hit in hits.values():
        assert hit.score == pytest.approx(hit.dense + LEXICAL_WEIGHT * hit.lexical)
        assert 0 <= hit.lexical <= 1
        assert hit.rerank is None


def test_ranks_of_each_leg_and_of_both(search):
    chunks = passages(a="chips of Hefei", b="Hefei", c="chips", d="robots")
    found = search(chunks, "chips Hefei")
    assert [hit.rank for hit in found] == [1, 2, 3, 4]
    ranks = {hit.chunk.id: (hit.dense_rank, hit.lexical_rank) for hit in found}
    assert ranks == {"a": (1, 1), "c": (2, 3), "b": (3, 2), "d": (4, None)}
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def test_the_lexical_leg_says_nothing_when_it_matches_nothing(search):
    chunks = passages(a="The chips are new.", b="The robots are new.", c="Paris is old.")
    hits = search(chunks, "superchips zzz")
    assert ids(hits) == ["a", "c", "b"]
    assert {(hit.lexical, hit.lexical_rank) for hit in hits} == {(0.0, None)}
    assert [hit.score for hit in hits] == [hit.dense for hit in hits]


def test_a_question_of_words_of_asking_alone_has_no_lexical_leg(search):
    assert {hit.lexical for hit in search(passages(a="who is it", b="robots"), "Who is it?")} == {0}


def test_words_that_nothing_holds_lower_the_share_of_those_that_are_held(tmp_path):
    finder, _ = retriever(tmp_path, [*passages(a="hefei robots"), *filler(10)])
    known = finder.search(finder.query("hefei"), 1)[0]
    partly = finder.search(finder.query("hefei unheard"), 1)[0]
    assert known.chunk.id == partly.chunk.id == "a"
    assert partly.lexical < known.lexical / 2
    finder.catalog.close()


LONG = (
    "Nanjing has fifty colleges, sixty institutes, ninety academicians, a million students, two "
    "airports, a river port, many chips, old walls, parks and theatres beside its great library"
)


def test_what_a_better_passage_says_already_fills_no_place(search):
    chunks = passages(
        a=LONG, b=f"Contents and other headings. {LONG}.", c="chips", d="chips", e="robots"
    )
    found = search(chunks, "colleges chips of Nanjing")
    assert len({"a", "b"} & set(ids(found))) == 1
    assert {"c", "d", "e"} <= set(ids(found)), "a few words are no repetition"
    assert [hit.rank for hit in found] == [1, 2, 3, 4]


def test_one_number_of_its_own_makes_another_passage(search):
    chunks = passages(a=f"{LONG} of 1907.", b=f"{LONG} of 1908.")
    assert len(search(chunks, "colleges chips of Nanjing")) == 2


def test_a_word_moves_a_passage_above_its_equals(search):
    chunks = passages(a="chips", b="chips hefei", c="chips")
    assert ids(search(chunks, "chips of hefei")) == ["b", "a", "c"]


@pytest.mark.parametrize("order", [1, -1], ids=["as-added", "reversed"])
def test_ties_are_in_order_of_id(search, order):
    chunks = passages(c="chips", a="chips", b="chips", d="chips")[::order]
    hits = search(chunks, "chips", k=3)
    assert ids(hits) == ["a", "b", "c"]
    assert len({hit.score for hit in hits}) == 1


@pytest.mark.parametrize(("k", "count"), [(1, 1), (3, 3), (4, 4), (10, 4)])
def test_k_passages_or_all(search, k, count):
    hits = search(passages(a="chips", b="robots", c="hefei", d="paris"), "chips", k=k)
    assert [hit.rank for hit in hits] == list(range(1, count + 1))


def test_what_only_words_find_is_found_behind_any_number_of_near_vectors(search):
    chunks = [passage(f"n{i:03}", "paris") for i in range(120)]  # as near as "Hefei" to this model
    chunks.append(passage("word", "Hefei"))
    first = search(chunks, "Hefei")[0]
    assert (first.chunk.id, first.dense_rank, first.lexical_rank) == ("word", None, 1)


def test_a_hundred_passages_when_a_hundred_are_asked_for(search):
    assert len(search([passage(f"n{i:03}", "chips") for i in range(120)], "chips", k=100)) == 100


# --- languages --------------------------------------------------------------------------------


# --- sentences --------------------------------------------------------------------------------


def two(id_, first, second):
    """A passage of two sentences."""
    text = f"{first} {second}"
    middle = len(first)
    return passage(id_, text, units=((0, middle), (middle + 1, len(text))))


def test_the_vector_of_a_sentence_lifts_its_passage(search):
    """By half of what it is nearer than the passage."""
    chunks = [two("mixed", "Many chips are made.", "The robots robots walk."), *filler(2)]
    hit = search(chunks, "chips")[0]
    asked, whole, sentence = (vector(*counts) for counts in ((1, 0), (1, 2), (1, 0)))
    assert hit.chunk.id == "mixed"
    assert sentence @ asked > whole @ asked
    assert hit.dense == pytest.approx((whole @ asked + sentence @ asked) / 2, abs=1e-6)


def test_a_sentence_lowers_nothing(search):
    """Where the passage says it in two sentences together, it is as near as it is."""
    chunks = [two("both", "Many chips are made.", "The robots walk."), *filler(2)]
    [hit, *_] = search(chunks, "chips robots")
    assert hit.dense == pytest.approx(1, abs=1e-6)


def test_a_passage_is_found_by_its_sentence_behind_any_number_of_near_passages(search):
    chunks = [passage(f"n{i:03}", "The chips robots robots walk.") for i in range(120)]
    chunks.append(two("deep", "Many chips are made.", "The robots robots robots walk."))
    asked, near, deep = (vector(*counts) for counts in ((1, 0), (1, 2), (1, 3)))
    assert near @ asked > deep @ asked
    first = search(chunks, "Where are chips?")[0]
    assert first.dense == pytest.approx((1 + deep @ asked) / 2, abs=1e-6)
    assert (first.chunk.id, first.dense_rank) == ("deep", 1)


def vector(chips, robots):
    """Of a text with so many chips and robots."""
    return np.array([chips, robots, 0.1]) / np.linalg.norm([chips, robots, 0.1])


@pytest.mark.parametrize(
    "text",
    ["https://example.org/chips", "<https://chips.example.org> chips", "Follow chips", "Chips:"],
    ids=["address", "address-and-more", "button", "label"],
)
def test_a_passage_that_says_nothing_is_behind_those_that_do(search, text):
    chunks = passages(a=text, b="Paris and robots are old cities, it is said.")
    hits = {hit.chunk.id: hit for hit in search(chunks, "chipsets of Rome")}
    assert hits["a"].score == pytest.approx(hits["a"].dense - 0.2)
    assert hits["b"].score == hits["b"].dense
    assert hits["a"].dense > hits["b"].dense


def test_a_row_always_says_something(search):
    [hit] = search([passage("row", "chips", kind="table_row", header=("what",))], "zzz")
    assert hit.score == hit.dense


# --- languages --------------------------------------------------------------------------------

CENTRING = Centring(
    passage_means={"en": np.array([0, 0, 0.9], dtype=np.float32)},
    query_means={
        "en": np.array([0, 0.8, 0], dtype=np.float32),
        "zh": np.array([0.8, 0, 0], dtype=np.float32),
    },
)


@pytest.mark.parametrize(
    ("question", "language", "off"),
    [("Where are the chips?", "en", [0, 0.4, 0]), ("芯片在哪里？", "zh", [0.4, 0, 0])],
)
def test_a_question_is_centred_by_its_language(tmp_path, question, language, off):
    plain, _ = retriever(tmp_path, passages(a="chips"), embedder=Axes())
    seen = replace(plain, centring=CENTRING).query(question)
    plain.catalog.close()
    wanted = vector(1, 0) - off
    assert seen.language == language
    assert seen.vector == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-6)


PLAN = "The android plan of Hefei names three goals for its industry."


def test_a_chinese_question_finds_an_english_passage_by_its_translation(search):
    """By words alone: these vectors know no meanings."""
    chunks = [*filler(30), *passages(plan=PLAN, other="The robots of Hefei are sold in Paris.")]
    first, *others = search(chunks, "机器人计划有哪些目标？", embedder=HashingEmbedder())
    assert (first.chunk.id, first.lexical_rank) == ("plan", 1)
    assert first.lexical > 2 * max(hit.lexical for hit in others)


def test_a_chinese_question_is_seen_in_both_languages(query):
    seen = query("机器人的计划在哪里？", "A plan for robots")
    assert seen.views == (
        (("机器",), ("器人",), ("计划",)),
        (("robot", "android"), ("plan", "project", "program", "map")),
    )


def test_a_name_and_latin_words_are_in_the_translation_too(query):
    seen = query("南京的AI企业是哪些？", "Nanjing is old", "南京很古老", "AI firms")
    [own, translated] = seen.views
    assert own == (("南京", "nanj"), ("ai",), ("企业",))
    assert set(translated) == {
        ("nanj", "南京"), ("ai",), ("compani", "firm", "enterpris", "corpor"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "question",
    ["Where are the robots?", "谁在哪里？", "格里吉", "Où est 科大讯飞 ?"],
    ids=["english", "only-asking", "in-no-dictionary", "an-aliased-name"],
)
def test_what_cannot_be_translated_is_seen_once(query, question):
    assert len(query(question, "Hefei").views) == 1


def test_the_better_of_two_views_counts(tmp_path):
    """And not their sum: a passage in one language is as good as one in the other."""
    chunks = [
        *passages(en="A plan for robots is here.", zh="机器人计划", half="A plan is here."),
        *filler(20),
    ]
    found, _ = retriever(tmp_path, chunks)
    query = found.query("机器人计划")
    hits = {hit.chunk.id: hit for hit in found.search(query, 50)}
    shares = [
        {id_: score / found.lexical.ceiling(view) for id_, score in found.lexical.search(view, 50)}
        for view in query.views
    ]
    found.catalog.close()
    assert [sorted(share) for share in shares] == [["zh"], ["en", "half"]]
    for id_, hit in hits.items():
        wanted = max(share.get(id_, 0) for share in shares)
        assert hit.lexical == pytest.approx(wanted, abs=1e-6)
    ranks = {id_: hit.lexical_rank for id_, hit in hits.items() if hit.lexical}
    assert ranks["half"] == 3
    assert sorted(ranks.values()) == [1, 2, 3]


def test_a_passage_in_both_languages_has_no_more_than_one_share(search):
    chunks = [*passages(both="机器人计划: robots, a plan."), *filler(20)]
    [first, *_] = search(chunks, "机器人计划")
    assert first.lexical <= 1


# --- names ------------------------------------------------------------------------------------


@pytest.fixture
def query(tmp_path):
    """query(question, *texts): how a question is seen by an index of those texts."""
    opened = []

    def seen(question, *texts, groups=(IFLYTEK, NANJING)):
        chunks = [passage(f"p{n}", text) for n, text in enumerate(texts)]
        finder, _ = retriever(tmp_path, [*chunks, *filler(3)], groups=groups)
        opened.append(finder.catalog)
        return finder.query(question)

    yield seen
    for catalog in opened:
        catalog.close()


def test_terms_are_the_words_of_the_subject_each_once(query):
    seen = query("Where do the robots and the chips and robots go?")
    assert seen.terms == (("robot",), ("chip",), ("go",))
    assert seen.views == (seen.terms,)
    assert seen.dense_text == seen.text
    assert seen.names == ()


def test_a_name_that_the_corpus_spells_otherwise_is_added_to_what_is_embedded(query):
    seen = query("科大讯飞在哪里？", "iFLYTEK is in Hefei")
    assert seen.language == "zh"
    assert seen.dense_text == "科大讯飞在哪里？ (iFLYTEK)"
    assert seen.terms == (("iflytek",),)
    assert seen.names[0][0] == "iFLYTEK"
    assert ("iflytek",) in seen.names[0][1]
    assert ("科大", "大讯", "讯飞") in seen.names[0][1]


def test_a_name_that_the_corpus_spells_alike_is_left_alone(query):
    seen = query("Where is iFLYTEK?", "iFLYTEK is in Hefei")
    assert seen.dense_text == "Where is iFLYTEK?"
    assert seen.terms == (("iflytek",),)


def test_a_name_in_two_scripts_is_one_term(query):
    seen = query("Where is Nanjing?", "Nanjing is old", "南京很古老")
    assert seen.terms == (("nanj", "南京"),)


def test_a_name_that_the_corpus_does_not_have_keeps_its_own_words(query):
    seen = query("Where is Nankín now?", "Hefei is old")
    assert seen.terms == (("nankin",), ("now",))
    assert seen.dense_text == "Where is Nankín now?"


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("科大讯飞在哪里？", "The firm iFLYTEK stands in Hefei"),
        ("Where is iFLYTEK?", "科大讯飞位于合肥"),
        ("¿Dónde está Nankín?", "Nanjing lies on the river"),
    ],
    ids=["zh-to-en", "en-to-zh", "es-to-en"],
)
def test_aliases_reach_a_passage_in_another_language(tmp_path, question, text):
    chunks = [passage("that", text), *filler(20), *passages(other="Hefei and Paris")]
    with_names, _ = retriever(tmp_path, chunks, groups=(IFLYTEK, NANJING))
    first = with_names.search(with_names.query(question), 3)[0]
    without = replace(with_names, aliases=Aliases())
    blind = {hit.chunk.id: hit for hit in without.search(without.query(question), 100)}
    with_names.catalog.close()
    assert (first.chunk.id, first.lexical_rank) == ("that", 1)
    assert blind["that"].lexical_rank is None


ACADEMY = ("Academy of Sciences", "科学院")


def test_a_name_with_a_word_of_joining_is_known(query):
    seen = query("科学院在哪里？", "The Academy of Sciences is in Hefei", groups=(ACADEMY,))
    assert seen.dense_text == "科学院在哪里？ (Academy of Sciences)"
    assert ("of",) not in seen.terms


def test_a_name_without_words_does_no_harm(query):
    assert query("Yahoo! is where?", groups=(("Yahoo", "!"),)).terms == (("yahoo",),)
