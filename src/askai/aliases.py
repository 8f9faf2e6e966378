"""Names of one thing in several languages and spellings, from the corpus folder's `aliases.toml`.

    names = [
      ["iFLYTEK", "科大讯飞", "Iflytek"],
    ]
    places = [
      ["Nanjing", "南京", "Nankin", "Nankín"],
    ]

The first name of a group is the one that askai prints. Matching is by whole words as `tokens`
makes them, so case and accents do not matter, and Han names are found inside a run.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from askai.errors import CorpusError
from askai.tokens import LATIN_LETTER, folded, is_han, tokens

_KEYS = ("places", "names")
_LATIN_LETTER = re.compile(LATIN_LETTER)


@dataclass(frozen=True, slots=True)
class Mention:
    """A name of a group, found in a question: `text[start:end]` of the folded question."""

    start: int
    end: int
    group: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Aliases:
    groups: tuple[tuple[str, ...], ...] = ()
    places: frozenset[str] = frozenset()  # the first names of the groups that are places

    @classmethod
    def load(cls, path: Path) -> "Aliases":
        """Raises CorpusError naming the entry that is wrong; no file means no aliases."""
        return cls.parse(read_aliases(path), path)

    @classmethod
    def parse(cls, text: str, path: Path) -> "Aliases":
        """What the content of `aliases.toml` says; `path` is for the message of CorpusError."""
        try:
            data = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise CorpusError(f"{path} cannot be read: {error}.") from error
        if unknown := set(data) - set(_KEYS):
            raise CorpusError(
                f"{path}: unknown key {min(unknown)!r}; expected {' or '.join(_KEYS)}."
            )
        lists = {key: data.get(key, []) for key in _KEYS}
        for key, groups in lists.items():
            if not isinstance(groups, list):
                raise CorpusError(
                    f"{path}: {key} is {groups!r}; expected a list of lists of names."
                )
        groups = _checked(path, [group for key in _KEYS for group in lists[key]])
        return cls(groups, frozenset(group[0] for group in lists["places"]))

    def mentions(self, text: str) -> list[Mention]:
        """The names of groups in a text, the longest first where two overlap, in order."""
        plain = folded(text)
        found = sorted(
            (
                Mention(start, end, group)
                for group in self.groups
                for name in group
                for start, end in occurrences(folded(name), plain)
            ),
            key=lambda mention: (mention.start - mention.end, mention.start),
        )
        kept: list[Mention] = []
        for mention in found:
            if all(mention.end <= k.start or mention.start >= k.end for k in kept):
                kept.append(mention)
        return sorted(kept, key=lambda mention: mention.start)


def read_aliases(path: Path) -> str:
    """The content of `aliases.toml`; "" where there is no such file. Raises CorpusError."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} cannot be read: {error}.") from error


def occurrences(name: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a name stands as a whole word; a Han name also inside a run. Both are folded."""
    start = text.find(name)
    while start >= 0:
        end = start + len(name)
        inside = _touches(text[start - 1 : start], name[0]) or _touches(
            text[end : end + 1], name[-1]
        )
        if not inside:
            yield start, end
        start = text.find(name, start + 1)


def _touches(outer: str, inner: str) -> bool:
    return bool(outer) and not is_han(inner) and bool(_LATIN_LETTER.match(outer))


def _checked(path: Path, groups: Iterable[Any]) -> tuple[tuple[str, ...], ...]:
    seen: dict[str, Sequence[str]] = {}
    for group in groups:
        if not (isinstance(group, list) and len(group) > 1 and _are_names(group)):
            raise CorpusError(f"{path}: {group!r} is no group; expected two or more names.")
        for name in {folded(name) for name in group}:
            if name in seen:
                raise CorpusError(f"{path}: {name!r} is in {seen[name]!r} and in {group!r}.")
            seen[name] = group
    return tuple(tuple(group) for group in groups)


def _are_names(group: Iterable[object]) -> bool:
    return all(isinstance(name, str) and tokens(name) for name in group)
