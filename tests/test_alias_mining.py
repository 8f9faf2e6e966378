"""Names that documents put side by side: what is suggested, and what is not."""

import tomllib

import pytest

from askai.alias_mining import suggestions
from askai.aliases import Aliases
from askai.records import Document, Source


def document(text, path="a.txt"):
    return Document(Source(path, "0" * 64, len(text), "text", "1"), text, ())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("CXMT (长鑫存储) is one of two.", [("CXMT", "长鑫存储")]),
        ("apart from Wuhan’s YMTC (长江存储), it", [("YMTC", "长江存储")]),
        ("by ChangXin Memory Technologies (CXMT) and", [("ChangXin Memory Technologies", "CXMT")]),
        ("The East Asian Institute (EAI) says", [("East Asian Institute", "EAI")]),
        ("Advanced Micro-Fabrication Equipment (AMEC),", []),
        ("中国的人工智能（AI）领域", [("人工智能", "AI")]),
        ("Unitree（宇树科技）", [("Unitree", "宇树科技")]),
        ("SenseTime (0020.HK), Tencent (Shenzhen) and Alibaba (DAMO Academy)", []),
        ("(长鑫存储) CXMT, robots (机器人", []),
        ("", []),
    ],
    ids=range(10),
)
def test_pairs(text, names):
    found = suggestions([document(text)], Aliases())
    assert [s.names for s in found] == names
    for suggestion in found:
        place = text[suggestion.start : suggestion.end]
        assert all(name in place for name in suggestion.names)


def test_what_a_group_has_is_not_suggested_and_each_pair_once():
    texts = [document("CXMT (长鑫存储)"), document("cxmt （长鑫存储） CXMT (长鑫存储)", "b.txt")]
    assert [s.path for s in suggestions(texts, Aliases())] == ["a.txt"]
    known = Aliases((("ChangXin", "cxmt", "长鑫存储"),))
    assert suggestions(texts, known) == []
    apart = Aliases((("CXMT", "x"), ("长鑫存储", "y")))
    assert len(suggestions(texts, apart)) == 1


def test_the_command_prints_what_aliases_toml_takes(desk):
    desk.write("b.txt", "Of Unitree (宇树科技) and the East Asian Institute (EAI) in turn.\n")
    ran = desk.run("aliases")
    assert (ran.code, ran.err) == (0, "")
    pairs = [["Unitree", "宇树科技"], ["East Asian Institute", "EAI"]]
    assert tomllib.loads(ran.out) == {"names": pairs}
    (desk.corpus / "aliases.toml").write_text(ran.out, "utf-8")
    assert desk.run("aliases").out.startswith("No names stand side by side")


def test_the_command_names_what_it_cannot_read(desk):
    desk.write("bad.txt", b"\x00\x01\x02\x00\xff" * 100)
    ran = desk.run("aliases")
    assert ran.code == 0
    assert ran.err.startswith("Not read: bad.txt: ")
