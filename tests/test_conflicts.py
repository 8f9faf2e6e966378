"""Two seats of one thing are a conflict, a branch and a presence are none.

What is stated is read from passages made by hand; whole answers come from folders, and from the
documents of the repository, with an embedder that only counts words.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from askai.aliases import Aliases
from askai.assemble import open_askai
from askai.conflicts import has_a_seat, stated_places
from askai.indexing import build
from askai.recipes import open_corpus, recipe
from askai.settings import Settings
from small import BY_HAND, hit, passage

REPOSITORY = Path(__file__).parent.parent
ORBITAL = ("Orbital", "轨道科技")
PLACES = (
    ("Beijing", "北京", "Pekín"),
    ("Shanghai", "上海"),
    ("Wuhan", "武汉"),
    ("Hong Kong", "香港"),
    ("China", "中国"),
)
ALIASES = Aliases((*PLACES, ORBITAL), frozenset(place[0] for place in PLACES))
HEADER = ("City", "Strengths", "Firms")


def row(text, header=HEADER, path="table.txt"):
    return passage(text, text, kind="table_row", header=header, path=path)


def prose(text, *heading, path="prose.txt"):
    return passage(text, text, heading=heading, path=path)


def stated(*chunks):
    """The places stated, in order of the passages."""
    hits = [hit(chunk, rank) for rank, chunk in enumerate(chunks, 1)]
    return [one.value for one in stated_places(ORBITAL, hits, ALIASES)]


# --- what one passage states --------------------------------------------------------------------

STATES = {
    "sentence": (prose("Orbital is headquartered in Wuhan."), "Wuhan"),
    "sentence-zh": (prose("轨道科技总部位于武汉。"), "Wuhan"),
    "sentence-es": (prose("Orbital tiene su sede en Pekín."), "Beijing"),
    "sentence-fr": (prose("Orbital a son siège à Wuhan."), "Wuhan"),
    "sentence-es-first": (prose("La sede de Orbital, en Pekín, es nueva."), "Beijing"),
    "home-to-beneath-the-city": (prose("Home to Orbital and others.", "2. Wuhan"), "Wuhan"),
    "the-heading-is-the-last": (prose("Home to Orbital.", "Beijing", "2. Wuhan"), "Wuhan"),
    "possessive-and-headquartered": (
        prose("Orbital's labs are headquartered here.", "Wuhan"), "Wuhan"),
    "row-under-its-city": (row("Wuhan\tRobots\tOrbital, Others"), "Wuhan"),
    "row-with-hq": (row("Wuhan\tRobots\tOrbital HQ"), "Wuhan"),
    "row-of-the-firm": (row("Orbital Group\tChips\tWuhan", ("Firm", "Field", "Location")), "Wuhan"),
    "city-in-brackets": (row("Wuhan–Beijing\tRobots\tOrbital (Beijing)"), "Beijing"),
    "column-zh": (row("武汉\t机器人\t轨道科技", ("城市", "优势", "企业")), "武汉"),
    "branch-hq": (row("Wuhan\tRobots\tOrbital East China HQ"), None),
    "presence-in-brackets": (row("Wuhan\tRobots\tOrbital (regional presence)"), None),
    "product": (row("Wuhan\tRobots\tOrbital Cloud"), None),
    "product-in-prose": (prose("Home to Orbital Cloud.", "Wuhan"), None),
    "branch-zh": (prose("轨道科技华东总部位于武汉。"), None),
    "possessive-not-headquartered": (prose("Home to Orbital's lab.", "Wuhan"), None),
    "another-word": (prose("Orbitals are headquartered in Wuhan."), None),
    "no-word-of-seat": (prose("Orbital sells robots in Wuhan."), None),
    "two-places": (prose("Orbital is based in Wuhan and Beijing."), None),
    "two-places-above": (prose("Home to Orbital.", "Wuhan and Beijing"), None),
    "no-place": (prose("Orbital is headquartered in a tower."), None),
    "no-column-of-places": (row("Wuhan\tRobots\tOrbital", ("Name", "Strengths", "Firms")), None),
    "short-row": (row("Orbital", ("Firm", "Location")), None),
}  # fmt: skip


@pytest.mark.parametrize(("chunk", "place"), STATES.values(), ids=STATES)
def test_what_a_passage_states_of_a_seat(chunk, place):
    assert stated(chunk) == ([place] if place else [])


# --- what several state together ----------------------------------------------------------------

WUHAN = prose("Orbital is headquartered in Wuhan.", path="a.txt")


def test_two_seats_in_two_documents_are_two():
    other = prose("Orbital is based in Beijing.", path="b.txt")
    assert stated(WUHAN, other) == ["Wuhan", "Beijing"]
    assert stated(other, WUHAN) == ["Beijing", "Wuhan"]


def test_the_same_seat_in_two_documents_and_languages_is_one():
    assert stated(WUHAN, prose("轨道科技总部位于武汉。", path="b.txt")) == ["Wuhan"]


def test_a_seat_that_is_one_of_two_agrees_with_either():
    both = row("Orbital\tRobots\tWuhan/Hong Kong", ("Firm", "Field", "Location"), path="b.txt")
    assert stated(WUHAN, both) == ["Wuhan"]


def test_what_one_table_lists_under_several_places_is_seated_in_none():
    several = (row("Wuhan\tRobots\tOrbital"), row("Beijing\tChips\tOrbital"))
    assert stated(*several) == []
    assert stated(WUHAN, *several) == ["Wuhan"]


def test_what_a_table_lists_once_is_seated_unless_its_document_says_otherwise():
    listed = row("Beijing\tChips\tOrbital", path="b.txt")
    assert stated(WUHAN, listed) == ["Wuhan", "Beijing"]
    assert stated(replace(WUHAN, path="b.txt"), listed) == ["Wuhan"]


@pytest.mark.parametrize(
    ("group", "question", "seated"),
    [
        (ORBITAL, "Where is Orbital?", True),
        (ORBITAL, "Where is Orbital HQ?", True),
        (ORBITAL, "Where is Orbital Group based?", True),
        (ORBITAL, "轨道科技的总部在哪里？", True),
        (ORBITAL, "WHERE IS ORBITAL BASED?", True),
        (ORBITAL, "Where Is Orbital Is Asked", True),
        (ORBITAL, "Where is Orbital Cloud based?", False),
        (ORBITAL, "Where is Orbital East China HQ?", False),
        (("Zhipu AI", "智谱", "Zhipu"), "Where is Zhipu AI?", True),
        (("iFLYTEK", "科大讯飞"), "Where is iFLYTEK?", True),
        (("artificial intelligence", "AI"), "Where are most AI headquarters?", False),
        (("embodied AI", "具身智能"), "具身智能在哪里？", False),
    ],
)
def test_a_question_must_name_what_can_have_a_seat(group, question, seated):
    assert has_a_seat(group, question) == seated


# --- answers ------------------------------------------------------------------------------------

FILES = {
    "a.md": "# Cities\n\n## Wuhan\n\nThe city is home to Orbital and to many others.\n",
    "b.txt": "The firm Orbital is headquartered in Beijing since its foundation.\n",
    "c.txt": "轨道科技总部位于上海，成立多年，员工很多。\n",
    "d.txt": "The firm Lunar is headquartered in Shanghai.\n",
    "aliases.toml": """
places = [["Beijing", "北京", "Pekín"], ["Shanghai", "上海"], ["Wuhan", "武汉"]]
names = [["Orbital", "轨道科技"], ["Lunar", "月球"], ["robotics", "机器人"]]
""",
} | {f"z{n}.txt": f"Elsewhere{n} nobody{n} sings{n} about{n}.\n" for n in range(12)}


def opened(folder, index):
    settings = Settings(
        corpus=str(folder), index=str(index), model="hashing", store="exact", reranker="none"
    )
    build(open_corpus(settings), settings.index_dir, recipe(settings))
    return open_askai(settings)


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """ask(question): the answer from the files, by a gate that can be computed by hand."""
    folder = tmp_path_factory.mktemp("conflicts")
    (folder / "corpus").mkdir()
    for name, text in FILES.items():
        (folder / "corpus" / name).write_text(text, "utf-8")
    with opened(folder / "corpus", folder / "index") as askai:
        gate = replace(askai.answerer.gate, model=BY_HAND)
        yield replace(askai.answerer, gate=gate).ask


def values(answer):
    return {value.value for conflict in answer.conflicts for value in conflict.values}


@pytest.mark.parametrize(
    "question",
    [
        "Where is Orbital headquartered?",
        "轨道科技的总部在哪个城市？",
        "¿Dónde está la sede de Orbital?",
        "Dans quelle ville est le siège d'Orbital ?",
        "Is Wuhan where Orbital is headquartered?",
    ],
    ids=["en", "zh", "es", "fr", "with-a-place"],
)
def test_sources_that_disagree_are_all_shown_each_with_its_citation(ask, question):
    answer = ask(question)
    (conflict,) = answer.conflicts
    assert conflict.about == "Orbital: location"
    assert values(answer) == {"Wuhan", "Beijing", "Shanghai"}
    assert len(answer.sentences) == 3
    path = {"Wuhan": "a.md", "Beijing": "b.txt", "Shanghai": "c.txt"}
    cited = {c.n: c.source.path for c in answer.citations}
    assert {v.value: cited[v.citation] for v in conflict.values} == path


@pytest.mark.parametrize(
    "question",
    [
        "Where is Lunar headquartered?",
        "Who leads Orbital?",
        "Where are Orbital and Lunar headquartered?",
        "Where is Orbital Cloud?",
        "Where is robotics based?",
        "Where is Atlantis, and Orbital?",
    ],
    ids=["one-seat", "no-place-asked", "two-things", "product", "common-noun", "missing"],
)
def test_what_is_no_conflict_is_not_called_one(ask, question):
    assert ask(question).conflicts == ()


# --- the documents of the repository --------------------------------------------------------------

SEATS = {
    "Pony.ai": {"Guangzhou", "Shanghai"},
    "Zhipu AI": {"Beijing", "Shenzhen"},
    "DAMO Academy": {"Hangzhou", "Shanghai"},
    "SenseTime": {"Beijing", "Shanghai/Hong Kong"},
    "Tencent": {"Shanghai", "Shenzhen"},
    "iFLYTEK": set(),
    "Baidu": set(),
    "Huawei": set(),
    "Alibaba": set(),
    "DeepSeek": set(),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with opened(REPOSITORY / "corpus", tmp_path_factory.mktemp("home") / "index") as askai:
        yield askai


@pytest.mark.parametrize(("name", "wanted"), SEATS.items(), ids=SEATS)
def test_where_the_documents_of_the_repository_disagree(home, name, wanted):
    assert values(home.answerer.ask(f"Where is {name} headquartered?")) == wanted


@pytest.mark.parametrize("name", SEATS)
def test_no_passage_anywhere_in_them_says_otherwise(home, name):
    """Whatever is found for a question: all passages are held against the name."""
    retriever = home.retriever
    hits = retriever.search(retriever.query(name), 10_000)
    (group,) = [group for group in retriever.aliases.groups if group[0] == name]
    found = {one.value for one in stated_places(group, hits, retriever.aliases)}
    assert (found if len(found) > 1 else set()) == SEATS[name]
