"""Translations by nearness of words, with vectors made by hand."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from askai import induced_lexicon
from askai.embedders import packaged_e5
from askai.errors import IndexDamaged
from askai.gate import Gate
from askai.induced_lexicon import InducedLexicon
from askai.vocabulary import latin_words, word_counts
from small import BY_HAND, filler, hit, passage, retriever, unit


def built(told, embedder):
    """From (text, language) pairs."""
    languages = Counter(language or "" for _, language in told)
    return InducedLexicon.build(word_counts(text for text, _ in told), languages, embedder)


# Axes: 0 is what all words share, each other one a meaning.
MEANINGS = {
    "companies": 1, "company": 1, "empresas": 1, "firms": 1, "network": 2, "red": 2, "robots": 3,
    "lake": 4, "lago": 4, "city": 5, "ciudad": 5, "unheard": 6,
    "gallo": 6, "oro": 6, "elon": 6, "musk": 6,
}  # fmt: skip
DIM = 8


class Words:
    """A word's vector leans to its meaning; other texts have a vector of their own."""

    name = fingerprint = "words"
    dim = DIM
    max_tokens = 512

    def __init__(self):
        self.asked = []

    def embed_query(self, text):
        self.asked.append(text)
        vector = np.zeros(DIM, dtype=np.float32)
        vector[0] = 1.0
        vector[MEANINGS.get(text, 7)] += 1.0
        return vector / np.linalg.norm(vector)

    def embed_passages(self, texts):
        found = [self.embed_query(text) for text in texts]
        return np.array(found, dtype=np.float32).reshape(len(texts), DIM)


ENGLISH = [("Companies build a network. Firms like robots.", "en"), ("A city by the lake", "en")]


@pytest.fixture
def lexicon():
    return built(ENGLISH, Words())


def test_it_holds_the_words_that_say_something_by_alphabet():
    texts = [
        ("Robots and robots, 机器人 2025 AI", "en"),
        ("The company; a Company of robots", "en"),
    ]
    found = built(texts, Words())
    assert found.stems == ("compani", "robot")
    assert found.vectors.shape == (2, DIM)
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-6)


def test_it_holds_no_more_words_than_it_may(monkeypatch):
    monkeypatch.setattr(induced_lexicon, "_WORDS", 1)
    assert built([("robots" * 1 + " robots lake", "en"), ("robots", "en")], Words()).stems == (
        "robot",
    )


@pytest.mark.parametrize(
    ("word", "stems"),
    [
        ("empresas", ("compani", "firm")),
        ("red", ("network",)),
        ("unheard", ()),
    ],
)
def test_a_word_is_translated_by_those_nearest_to_it(lexicon, word, stems):
    assert lexicon.translations(Words().embed_query(word)) == stems


def test_three_translations_are_the_most(monkeypatch):
    monkeypatch.setitem(MEANINGS, "houses", 1)
    monkeypatch.setitem(MEANINGS, "groups", 1)
    found = built([("companies firms houses groups", "en")], Words())
    assert len(found.translations(Words().embed_query("empresas"))) == 3


@pytest.mark.parametrize(
    ("language", "translates"), [("es", True), ("fr", True), ("en", False), ("zh", False)]
)
def test_a_question_in_the_corpus_s_language_or_in_chinese_is_not_translated(
    lexicon, language, translates
):
    assert lexicon.translates(language) == translates


@pytest.mark.parametrize("texts", [[], [("机器人产业", "zh")], [("Hoy hay redes", "zh")]])
def test_there_is_nothing_to_translate_into(texts):
    found = built(texts, Words())
    assert not found.translates("es")
    assert found.translations(Words().embed_query("red")) in {(), ("red",)} or not found.stems


def test_it_is_the_same_when_it_is_opened_again(lexicon, tmp_path):
    lexicon.save(tmp_path / "words.npz")
    again = InducedLexicon.open(tmp_path / "words.npz")
    assert (again.stems, again.language) == (lexicon.stems, "en")
    assert again.shares == lexicon.shares
    assert np.allclose(again.vectors, lexicon.vectors, atol=1e-3)
    for word in MEANINGS:
        vector = Words().embed_query(word)
        assert set(again.translations(vector)) == set(lexicon.translations(vector))


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]"])
def test_a_damaged_file_of_shares_is_named(lexicon, tmp_path, content):
    lexicon.save(tmp_path / "words.npz")
    (tmp_path / "words.json").unlink()
    if content is not None:
        (tmp_path / "words.json").write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"words\.npz cannot be used"):
        InducedLexicon.open(tmp_path / "words.npz")


@pytest.mark.parametrize("content", [None, b"", b"not a zip", b"PK\x03\x04 half"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "words.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"words\.npz cannot be used"):
        InducedLexicon.open(path)


def test_words_of_a_question_are_known_by_how_they_fold():
    assert latin_words("¿Qué trámite agiliza Shanghái? 机器人 de la IA") == {
        "tramite": "trámite",
        "agiliza": "agiliza",
        "shanghai": "Shanghái",
    }


def test_shares_of_the_languages_add_up():
    told = [("Network", "en"), ("Red", "es"), ("Company", "en"), ("机器人", None)]
    found = built(told, Words())
    assert found.shares == {"": 0.25, "en": 0.5, "es": 0.25}
    assert found.language == "en"


# --- in a question ----------------------------------------------------------------------------


@pytest.fixture
def parts(tmp_path, lexicon):
    chunks = [
        passage("firms", "Companies of the region grow"),
        passage("lake", "The lake district of the city rests"),
        *filler(20),
    ]
    found, _ = retriever(tmp_path, chunks, embedder=Words(), groups=(("Wuhan", "武汉"),))
    object.__setattr__(found, "induced", lexicon)
    yield found, {chunk.id: chunk for chunk in chunks}
    found.catalog.close()


def test_a_question_finds_the_corpus_s_words(parts):
    found, _ = parts
    query = found.query("¿Qué empresas de la región crecen?")
    assert query.language == "es"
    assert query.induced["empresa"] == ("compani", "firm")
    assert any("compani" in term for term in query.views[1])
    best = found.search(query, 1)[0]
    assert (best.chunk.id, best.lexical > 0.1) == ("firms", True)


def test_a_question_in_the_corpus_s_language_is_left_alone(parts):
    found, _ = parts
    query = found.query("Which companies of the region grow?")
    assert (len(query.views), query.induced) == (1, {})


def test_without_translation_there_is_none(parts):
    found, _ = parts
    object.__setattr__(found, "translates", False)
    assert found.query("¿Qué empresas de la región crecen?").induced == {}


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("¿Qué ciudad hay junto al Lago?", ()),
        ("¿Qué ciudad hay junto al Gallo de Oro?", ()),
        ("¿Qué ciudad hay junto al Gallo?", ("Gallo",)),
        ("¿Qué ciudad hay junto a Elon Musk?", ("Elon", "Musk")),
    ],
    ids=["translated", "a-title", "one-word", "a-person"],
)
def test_what_is_called_otherwise_in_the_documents_is_not_missing(parts, question, missing):
    found, chunks = parts
    gate = Gate(found.lexical, BY_HAND)
    lake = chunks["lake"]
    assert gate.judge(found.query(question), [hit(lake)], [unit(lake)]).missing == missing


@pytest.fixture
def summed_up(tmp_path):
    """summed_up(share of Spanish): a retriever with a Spanish summary and an English body."""
    made = []

    def build(share):
        chunks = [
            passage("summary", "Las empresas de la región crecen deprisa.", language="es"),
            passage("body", "Companies of the region grow fast today.", language="en"),
        ]
        folder = tmp_path / str(share)
        folder.mkdir()
        found, finder = retriever(folder, chunks, embedder=Words())
        told = [("Companies", "en")] * 9 + [("empresas", "es")] * 9
        lexicon = replace(built(told, Words()), shares={"en": 1 - share, "es": share})
        made.append(found)
        return replace(found, induced=lexicon), finder

    yield build
    for found in made:
        found.catalog.close()


@pytest.mark.parametrize(("share", "loss"), [(0.0, 0.06), (0.25, 0.045), (0.6, 0.0)])
def test_a_passage_in_the_question_s_language_loses_the_less_the_more_there_are(
    summed_up, share, loss
):
    found, finder = summed_up(share)
    query = found.query("¿Qué empresas crecen?")
    plain = replace(query, own_language_loss=0.0)
    scores = {hit.chunk.id: hit for hit in found.search(query, 5)}
    before = {hit.chunk.id: hit for hit in found.search(plain, 5)}
    assert before["summary"].dense - scores["summary"].dense == pytest.approx(loss)
    assert before["body"].dense == scores["body"].dense
    units = {unit.chunk.id: unit for unit in finder.find(query, list(scores.values()))}
    others = {unit.chunk.id: unit for unit in finder.find(plain, list(before.values()))}
    assert others["summary"].dense - units["summary"].dense == pytest.approx(loss)
    assert others["body"].dense == units["body"].dense


@pytest.mark.model
def test_many_words_at_once_have_nearly_the_vectors_of_one_by_one():
    embedder = packaged_e5.embedder()
    words = ["empresas", "network", "a", "réseau-monde"]
    together = embedder.embed_queries(words)
    assert together.shape == (4, embedder.dim)
    for word, vector in zip(words, together, strict=True):
        assert embedder.embed_query(word) @ vector > 0.999  # one question is rounded to 8 bits
    assert embedder.embed_queries([]).shape == (0, embedder.dim)


def test_a_word_that_becomes_common_enough_was_embedded_before(tmp_path, monkeypatch):
    monkeypatch.setattr(induced_lexicon, "_WORDS", 2)
    monkeypatch.setattr(induced_lexicon, "_SPARE", 1)
    embedder = Words()
    first = InducedLexicon.build({"lake": 3, "city": 2, "oro": 1, "red": 1}, {"en": 3}, embedder)
    assert first.words == ("city", "lake", "oro")
    assert len(first.stems) == 2
    first.save(tmp_path / "words.npz")
    known = induced_lexicon.KnownWords.open(tmp_path / "words.npz")
    embedded = []
    now = {"lake": 3, "oro": 2, "red": 1}
    later = InducedLexicon.build(
        now, {"en": 3}, embedder, known=known, tell=lambda *told: embedded.append(told)
    )
    anew = InducedLexicon.build(now, {"en": 3}, embedder)
    assert not embedded
    assert later.stems == anew.stems == ("lake", "oro")
    assert (later.vectors == anew.vectors).all()
    assert later.words == ("lake", "oro")
    assert anew.words == ("lake", "oro", "red")


@pytest.mark.parametrize(
    ("new", "ahead"),
    [(0, 0), (1, 3), (3, 1), (4, 2), (6, 3), (40, 5)],
    ids=["none", "one", "nearly a batch", "a batch", "more", "all"],
)
def test_an_update_embeds_few_words_ahead(tmp_path, monkeypatch, new, ahead):
    monkeypatch.setattr(induced_lexicon, "_WORDS", 50)
    monkeypatch.setattr(induced_lexicon, "_SPARE", 5)
    monkeypatch.setattr(induced_lexicon, "_BATCH", 4)
    names = [f"a{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(55)]
    before = dict.fromkeys(names[: 50 - new], 3)
    first = InducedLexicon.build(before, {"en": 1}, Words())
    first.save(tmp_path / "words.npz")
    told = []
    later = InducedLexicon.build(
        dict.fromkeys(names[:50], 3) | dict.fromkeys(names[50:], 1) | {names[54]: 2},
        {"en": 1},
        Words(),
        known=induced_lexicon.KnownWords.open(tmp_path / "words.npz"),
        tell=lambda *counts: told.append(counts),
    )
    assert len(later.words) == 50 + ahead
    assert (told[-1] if told else (0, 0)) == (new + ahead, new + ahead)
    assert not ahead or later.words[50] == names[54]  # the commonest of them
    assert later.vectors.shape[0] == 50


@pytest.mark.parametrize(
    ("counts", "linked"),
    [
        ({"lake": 2, "city": 5, "oro": 1, "new": 1}, True),
        ({"city": 2, "oro": 3, "lake": 1}, False),
        ({"lake": 2}, False),
    ],
    ids=["same words", "others", "fewer"],
)
def test_vectors_of_the_same_words_are_linked(tmp_path, monkeypatch, counts, linked):
    monkeypatch.setattr(induced_lexicon, "_WORDS", 2)
    first, later = tmp_path / "first" / "words.npz", tmp_path / "later" / "words.npz"
    for path in (first, later):
        path.parent.mkdir()
    before = {"lake": 3, "city": 2, "oro": 1}
    induced_lexicon.write(first, before, {"en": 3}, Words(), known=induced_lexicon.KnownWords())
    known = induced_lexicon.KnownWords.open(first)
    induced_lexicon.write(later, counts, {"en": 1, "fr": 3}, Words(), known=known)
    assert first.samefile(later) == linked
    found, anew = InducedLexicon.open(later), InducedLexicon.build(counts, {"en": 1}, Words())
    assert (found.stems, found.shares) == (anew.stems, {"en": 0.25, "fr": 0.75})
    assert np.array_equal(found.vectors, anew.vectors)
    assert np.array_equal(found.mean, anew.mean)
