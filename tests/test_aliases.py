"""Names of one thing: which of them a question uses, and what is wrong with a file of them."""

from itertools import pairwise
from pathlib import Path

import pytest

from askai.aliases import Aliases, Mention
from askai.errors import CorpusError
from askai.tokens import folded, tokens

REPOSITORY = Path(__file__).parent.parent
NANJING = ("Nanjing", "南京", "Nankin", "Nankín")
UNIVERSITY = ("Nanjing University", "南京大学")
AI = ("artificial intelligence", "AI", "人工智能", "IA")
STATES = ("United States", "US", "美国", "États-Unis")
HYNIX = ("SK Hynix", "SK海力士")
ALIASES = Aliases((NANJING, UNIVERSITY, AI, STATES, HYNIX))


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("Where is Nanjing?", [NANJING]),
        ("WHERE IS NANJING?", [NANJING]),
        ("où est Nankin", [NANJING]),
        ("¿Dónde está Nankin?", [NANJING]),
        ("Nanjing's firms", [NANJING]),
        ("l'IA de Nankin", [AI, NANJING]),
        ("南京在哪里", [NANJING]),
        ("请问南京有人工智能吗", [NANJING, AI]),
        ("Nanjing University", [UNIVERSITY]),
        ("南京大学在南京", [UNIVERSITY, NANJING]),
        ("the etats-unis and the US", [STATES, STATES]),
        ("SK海力士", [HYNIX]),
        ("Nanjingese, AIX, pAIn and plus", []),
        ("", []),
    ],
    ids=[
        "name", "shouted", "french", "without-accent", "possessive", "elision", "han-in-a-run",
        "two-han", "longest-wins", "longest-wins-in-han", "twice", "two-scripts", "inside-words",
        "empty",
    ],
)  # fmt: skip
def test_mentions(text, groups):
    assert [mention.group for mention in ALIASES.mentions(text)] == groups


def test_a_mention_is_a_span_of_the_folded_question():
    text = "Straße nach NANKÍN"
    assert ALIASES.mentions(text) == [Mention(13, 19, NANJING)]
    assert folded(text)[13:19] == "nankin"


def test_mentions_do_not_overlap_and_come_in_order():
    found = ALIASES.mentions("美国 南京大学 人工智能 Nanjing University US 南京")
    assert [m.group for m in found] == [STATES, UNIVERSITY, AI, UNIVERSITY, STATES, NANJING]
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_characters_of_patterns_mean_themselves():
    aliases = Aliases((("C++ (language)", "Pony.ai"),))
    assert aliases.mentions("PonyXai") == []
    assert len(aliases.mentions("pony.ai and c++ (language)")) == 2


def write(folder, text):
    path = folder / "aliases.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_file_gives_its_groups_in_order(tmp_path):
    path = write(tmp_path, 'names = [["B", "乙"], ["A", "甲", "a"]]')
    assert Aliases.load(path).groups == (("B", "乙"), ("A", "甲", "a"))


def test_places_are_names_that_are_known_to_be_places(tmp_path):
    path = write(tmp_path, 'names = [["A", "甲"]]\nplaces = [["B", "乙"], ["C", "丙"]]')
    found = Aliases.load(path)
    assert set(found.groups) == {("A", "甲"), ("B", "乙"), ("C", "丙")}
    assert found.places == {"B", "C"}


def test_places_are_groups_like_others_and_known_by_their_first_names(tmp_path):
    path = write(tmp_path, 'names = [["B", "乙"]]\nplaces = [["A", "甲"], ["C", "c2"]]')
    found = Aliases.load(path)
    assert set(found.groups) == {("A", "甲"), ("B", "乙"), ("C", "c2")}
    assert found.places == {"A", "C"}
    assert [mention.group for mention in found.mentions("甲 乙")] == [("A", "甲"), ("B", "乙")]


def test_no_file_and_an_empty_one_are_no_aliases(tmp_path):
    assert Aliases.load(tmp_path / "aliases.toml") == Aliases()
    assert Aliases.load(write(tmp_path, "")) == Aliases()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = []", "{path}: unknown key 'name'; expected places or names."),
        ("names = 3", "{path}: names is 3; expected a list of lists of names."),
        ("places = 3", "{path}: places is 3; expected a list of lists of names."),
        (
            'names = [["A", "B"]]\nplaces = [["C", "A"]]',
            "{path}: 'a' is in ['C', 'A'] and in ['A', 'B'].",
        ),
        ('names = ["A"]', "{path}: 'A' is no group; expected two or more names."),
        ('names = [["A"]]', "{path}: ['A'] is no group; expected two or more names."),
        ('names = [["A", 3]]', "{path}: ['A', 3] is no group; expected two or more names."),
        ('names = [["A", " "]]', "{path}: ['A', ' '] is no group; expected two or more names."),
        (
            'names = [["A", "B"], ["C", "Á"]]',
            "{path}: 'a' is in ['A', 'B'] and in ['C', 'Á'].",
        ),
        ("names = [[]]", "{path}: [] is no group; expected two or more names."),
        ('places = ["A"]', "{path}: 'A' is no group; expected two or more names."),
        ('places = [["A"]]', "{path}: ['A'] is no group; expected two or more names."),
        (
            'names = [["A", "B"]]\nplaces = [["C", "b"]]',
            "{path}: 'b' is in ['C', 'b'] and in ['A', 'B'].",
        ),
        (
            "names = [",
            "{path} cannot be read: Invalid value (at end of document).",
        ),
    ],
    ids=[
        "key",
        "no-list",
        "no-list-of-places",
        "name-and-place",
        "no-group",
        "one-name",
        "number",
        "blank",
        "twice",
        "empty",
        "places-no-group",
        "one-place",
        "place-and-name",
        "no-toml",
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(CorpusError) as error:
        Aliases.load(path)
    assert str(error.value) == message.format(path=path)


def test_a_file_in_another_encoding_and_a_folder_are_named(tmp_path):
    with pytest.raises(CorpusError, match=r"aliases\.toml cannot be read: 'utf-8' codec can't"):
        Aliases.load(write(tmp_path, 'names = [["A", "Pékin"]]'.encode("latin-1")))
    with pytest.raises(CorpusError, match=r"cannot be read: .*directory"):
        Aliases.load(tmp_path)


def test_the_aliases_of_the_repository_load_and_each_name_is_found_by_itself():
    aliases = Aliases.load(REPOSITORY / "corpus" / "aliases.toml")
    assert len(aliases.groups) > 50
    for group in aliases.groups:
        for name in group:
            assert tokens(name)
            assert [m.group for m in aliases.mentions(f"¿ {name} ?")] == [group]


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("AI在哪里", [AI]),
        ("南京有哪些AI企业？", [NANJING, AI]),
        ("在US的SK Hynix的总部", [STATES, HYNIX]),
    ],
    ids=["at-the-front", "in-the-middle", "two"],
)
def test_latin_names_are_found_between_han_characters(text, groups):
    assert [mention.group for mention in ALIASES.mentions(text)] == groups


@pytest.mark.parametrize("name", ["!", "³", "\u0301", "的"], ids=ascii)
def test_a_name_without_words_is_refused(tmp_path, name):
    with pytest.raises(CorpusError):
        Aliases.load(write(tmp_path, f'names = [["Yahoo", "{name}"]]'))
