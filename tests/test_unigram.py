"""Tokens by mapped tables: the ids of the `tokenizers` library, without its second of parsing."""

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from askai.embedders import packaged_e5
from askai.embedders.unigram import UnigramTokenizer

_MOST = 64

_TEXTS = [
    "",
    " ",
    "query: How many AI companies does Wuhan have?",
    "passage: 长鑫存储（CXMT）于2016年在合肥成立，是中国最大的DRAM厂商。",
    "Quelles villes ont reçu l’appui de l'État ?",
    "¿Cuántas empresas de IA hay en Cantón?",
    "  two   blanks\tand a tab\nand a line  ",
    "ｆｕｌｌ ｗｉｄｔｈ １２３ ﬁne ½ ™ ① ㎏",
    "e\u0301 is é; \u200bzero\u200bwidth\u200e marks\ufeff",
    "▁▁ the mark itself ▁x",
    "🤖🦾 𓀀𓀁 unknown 𓀂 and 😀😀😀",
    "x" * 300,
    "Ελληνικά русский العربية עברית हिन्दी 한국어 ไทย",
    "\x01\x7f control \x0b characters",
]


@pytest.fixture(scope="module")
def file(model_folder):
    return model_folder / "tokenizer.json"


@pytest.fixture(scope="module")
def model_folder():
    return packaged_e5.model_folder()


@pytest.fixture(scope="module")
def mapped(file):
    return UnigramTokenizer.open(file)


@pytest.fixture(scope="module")
def library(file):
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MOST)
    return tokenizer


@pytest.mark.parametrize("text", _TEXTS)
def test_ids_are_those_of_the_library(mapped, library, text):
    assert mapped.encode(text, max_tokens=_MOST) == library.encode(text).ids


# What both know: Python's Unicode is newer than the library's, and folds what that does not know.
_OLD = unicodedata.ucd_3_2_0
_CHARACTERS = st.characters(exclude_categories=["Cs", "Cn", "Co"]).filter(
    lambda c: _OLD.category(c) != "Cn"
)


@settings(max_examples=400, deadline=None)
@given(st.text(_CHARACTERS, max_size=60))
def test_ids_are_those_of_the_library_for_any_text(mapped, library, text):
    assert mapped.encode(text, max_tokens=_MOST) == library.encode(text).ids


def test_every_character_is_normalised_as_the_library_does(mapped, library):
    known = filter(
        lambda c: _OLD.category(c) not in ("Cn", "Cs", "Co"), map(chr, range(1, 0x11000))
    )
    texts = [f"a{character}b" for character in known]
    wrong = [
        text for text in texts if mapped.encode(text, max_tokens=_MOST) != library.encode(text).ids
    ]
    assert wrong == []


def test_a_special_token_written_out_is_left_to_the_library(mapped):
    with pytest.raises(ValueError, match="special token"):
        mapped.encode("what does </s> mean", max_tokens=_MOST)


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": {"type": "NFC"}},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"model": {"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "a"}},
    ],
)
def test_a_tokenizer_of_another_form_is_refused(file, tmp_path, monkeypatch, change):
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path / "cache"))
    content = json.loads(file.read_text("utf-8"))
    content["model"]["vocab"] = content["model"]["vocab"][:10]
    other = tmp_path / "tokenizer.json"
    other.write_text(json.dumps(content | change), "utf-8")
    with pytest.raises(ValueError, match="form"):
        UnigramTokenizer.open(other)
