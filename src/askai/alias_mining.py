"""Names that the documents themselves put side by side: suggestions for `aliases.toml`.

"CXMT (长鑫存储)", "ChangXin Memory Technologies (CXMT)", "人工智能（AI）": a name with another one
behind it in brackets. An acronym must be made of the name's initials (after Schwartz and Hearst
2003), and a Han name before a bracket is the longest entry of the dictionary that ends there.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from askai.aliases import Aliases
from askai.lexicon import is_word
from askai.records import Document
from askai.tokens import FUNCTION_WORDS, folded

_WORD = r"[A-Z][\w.&’'-]*"
_NAME = rf"{_WORD}(?: (?:of|the|and|for|de|du|des|la|y|et) {_WORD}| {_WORD}){{0,6}}"
_HAN = r"[\u3400-\u9fff]"
_LATIN_HAN = re.compile(rf"({_NAME})\s*[(（]\s*({_HAN}{{2,12}})\s*[)）]")
_LATIN_ACRONYM = re.compile(rf"({_NAME})\s*[(（]\s*([A-Z][A-Za-z]{{1,7}})\s*[)）]")
_HAN_LATIN = re.compile(rf"({_HAN}{{2,12}})\s*[(（]\s*([A-Za-z][\w .+&-]{{1,40}}?)\s*[)）]")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two names of one thing, and where a document has them so."""

    names: tuple[str, str]
    path: str
    start: int  # of the place, in code points of the document's text; half open
    end: int


def suggestions(documents: Iterable[Document], known: Aliases) -> list[Suggestion]:
    """Pairs that no group of `known` holds, each once, in the order of the documents."""
    grouped = [{folded(name) for name in group} for group in known.groups]
    seen: set[frozenset[str]] = set()
    found = []
    for document in documents:
        for names, start, end in _pairs(document.text):
            pair = frozenset(map(folded, names))
            if len(pair) == 2 and pair not in seen and not any(pair <= g for g in grouped):
                seen.add(pair)
                found.append(Suggestion(names, document.source.path, start, end))
    return found


def _pairs(text: str) -> Iterator[tuple[tuple[str, str], int, int]]:
    matches = [
        (match, pair)
        for pattern, read in _PATTERNS
        for match in pattern.finditer(text)
        if (pair := read(match)) is not None
    ]
    for match, pair in sorted(matches, key=lambda found: found[0].start()):
        yield pair, match.end() - len(match[0]) + match[0].find(pair[0]), match.end()


def _as_written(match: re.Match[str]) -> tuple[str, str] | None:
    owned = re.split(r"['’]s ", match[1])  # of "Wuhan's YMTC" the name is the latter
    words = owned[-1].split()
    while len(words) > 1 and words[0].casefold() in FUNCTION_WORDS:  # "Of Unitree (宇树科技)"
        words = words[1:]
    return " ".join(words), match[2]


def _abbreviated(match: re.Match[str]) -> tuple[str, str] | None:
    """The shortest end of the name whose words begin with the acronym's letters, in order."""
    words = match[1].split()
    letters = match[2].casefold()
    for start in range(len(words) - 1, -1, -1):
        if words[start][0].isupper() and _initials(words[start:], letters):
            return " ".join(words[start:]), match[2]
    return None


def _initials(words: list[str], letters: str) -> bool:
    parts = [part.casefold() for word in words for part in word.split("-") if part]
    if not parts or parts[0][0] != letters[0] or len(parts) > 2 * len(letters):
        return False
    at = 0
    for part in parts:  # each part gives its first letter, and may give more of its own
        if at < len(letters) and part[0] == letters[at]:
            at += 1
            while at < len(letters) and letters[at] in part[1:] and len(letters) > len(parts):
                at += 1
    return at == len(letters) and len(words) > 1


def _han_word(match: re.Match[str]) -> tuple[str, str] | None:
    run = match[1]
    word = next((run[i:] for i in range(len(run) - 1) if is_word(run[i:])), None)
    return (word, match[2]) if word else None


_PATTERNS = (
    (_LATIN_HAN, _as_written),
    (_LATIN_ACRONYM, _abbreviated),
    (_HAN_LATIN, _han_word),
)
