"""Whether the evidence found is enough to answer, decided before anything is written.

A question's names and numbers are constraints: each must be somewhere in the corpus, and one
passage must hold them together. What is left is judged by how near the best unit is.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from askai.asked import asked_for, gives
from askai.lexical import LexicalIndex
from askai.records import Chunk, Evidence, Hit
from askai.retrieve import Query
from askai.sentences import split
from askai.tokens import content_tokens, is_han, tokens

# Acronyms are translated (IA, ONU, PIB), so one that is absent says nothing in another language.
_ACRONYM = 4
Form = tuple[str, ...]  # the tokens of one way to write a name

_LATIN = "A-Za-zÀ-ÖØ-öø-ÿ"
_WORD = re.compile(rf"[{_LATIN}][{_LATIN}0-9’'&+-]*|\d+(?:[.,]\d+)*[{_LATIN}]*")
_QUOTED = re.compile(r"[《「『]([^》」』]{2,40})[》」』]")
_ELIDED = frozenset("c d j l m n qu s t".split())  # noqa: SIM905  read as words
_CONTRACTED = frozenset("ve ll re".split())  # noqa: SIM905
_SHORTEST = 6  # letters of a name that can be taken for a misspelling of one that is there
# A unit that the documents carry no number for is written with one in a question: 112 billion is
# 112b here, and 28nm is 28 nm there.
_UNITS = ("", "m", "b", "bn", "k", "g", "tn", "nm", "mm", "km", "th", "st", "nd", "rd", "e", "er")
# A name in more than a fifth of the passages is what the corpus is about, and constrains nothing:
# BM25's idf of a term in that share of them, ln(1 + .8 / .2).
_UBIQUITOUS_IDF = math.log(5)


# What a unit loses when its passage holds none of the question's names.
_ABSENT = 0.08
# A unit that gives a number, but is so much worse than the best one, gives another number.
_ASIDE = 0.06
# The least score of a first unit that holds a tenth of the question's terms, and of one that holds
# none. Of the answerable questions of the development half all but one score .88 and more; with
# these, 8 of 400 questions of xquad and of French public-service sheets are answered from the home
# corpus, which says nothing of what they ask.
_NEAR, _NEAREST, _SOME = 0.83, 0.88, 0.1
# The step of score that is one unit of log-odds: it spreads the scores met over 0..1, no more.
_CONFIDENCE_SCALE = 0.05


@dataclass(frozen=True, slots=True)
class Constraint:
    """A name or a number of the question, with all the ways to write it."""

    text: str
    forms: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`evidence` is empty when the gate is shut; `reason` says why."""

    evidence: tuple[Evidence, ...]
    reason: str = ""  # "missing", "apart", "quantity", "time", "far"
    missing: tuple[str, ...] = ()
    confidence: float = 0.0  # 0..1, that the documents answer: also of a shut gate, for measuring


@dataclass(frozen=True, slots=True)
class Gate:
    lexical: LexicalIndex

    def judge(self, query: Query, hits: Sequence[Hit], evidence: Sequence[Evidence]) -> Verdict:
        """Keeps the evidence that fulfils the question's constraints, or says what is missing."""
        return replace(self._judge(query, hits, evidence), confidence=_confidence(evidence))

    def _judge(self, query: Query, hits: Sequence[Hit], evidence: Sequence[Evidence]) -> Verdict:
        constraints = self.constraints(query)
        top = [set(tokens(hit.chunk.embedded_text)) for hit in hits]
        missing = [c for c in constraints if not self._is_known(c, top)]
        if missing:
            return Verdict((), "missing", tuple(c.text for c in missing))
        if not evidence or not _is_near(evidence[0]):
            return Verdict((), "far")
        chunks = {hit.chunk.id: hit.chunk for hit in hits}
        telling = [c for c in constraints if self._is_telling(c)]
        ranked = sorted(
            (self._fulfilment(unit, chunks, telling) for unit in evidence),
            key=lambda pair: -pair[0],
        )
        held = [unit for _, unit in ranked if _has_enough(unit, chunks, telling)]
        if not held:
            return Verdict((), "apart", tuple(c.text for c in telling))
        asked = asked_for(query.text)
        fulfilling = tuple(unit for unit in held if gives(unit.quote, asked))
        if not fulfilling or (asked and fulfilling[0].score < held[0].score - _ASIDE):
            return Verdict((), asked or "far")
        return Verdict(fulfilling) if _is_near(fulfilling[0]) else Verdict((), "far")

    def _fulfilment(
        self, unit: Evidence, chunks: dict[str, Chunk], telling: Sequence[Constraint]
    ) -> tuple[float, Evidence]:
        """A unit's score less a little for each name that its passage does not hold."""
        held = _surroundings(unit.chunk, chunks)
        absent = sum(not _holds(held, c) for c in telling)
        return unit.score - (_ABSENT * absent / len(telling) if telling else 0.0), unit

    def constraints(self, query: Query) -> list[Constraint]:
        """The names and numbers of a question, each once."""
        found = {name: Constraint(name, forms) for name, forms in query.names}
        known = {token for _, forms in query.names for form in forms for token in form}
        for text in _spelled(query.text, query.language):
            if (
                query.language != "en"
                and len(text) <= _ACRONYM
                and text.isalpha()
                and text.isupper()
            ):
                continue
            # In two parts, not also joined: US-China is where US and China are.
            parts = re.sub(r"[-‐‑]", " ", text)
            form = tuple(content_tokens(parts))
            if form and not set(form) <= known:
                found.setdefault(text, Constraint(text, (form,)))
        return list(found.values())

    def _is_known(self, constraint: Constraint, top: Sequence[set[str]]) -> bool:
        """Whether the corpus has the name at all, or a passage near the question nearly does."""
        return any(
            all(self._has(token) or _resembles(token, top) for token in form)
            for form in constraint.forms
        )

    def _has(self, token: str) -> bool:
        return any(way in self.lexical for way in _ways(token))

    def _idf(self, token: str) -> float:
        return min(self.lexical.idf(way) for way in _ways(token) if way in self.lexical)

    def _is_telling(self, constraint: Constraint) -> bool:
        return any(
            all(self._has(token) for token in form)
            and max(self._idf(token) for token in form) > _UBIQUITOUS_IDF
            for form in constraint.forms
        )


def _ways(token: str) -> list[str]:
    """How a number may be written: 112 is 112b elsewhere, and 28nm is 28 nm; a word is itself."""
    number = re.match(r"[\d.,]+", token)
    if number is None:
        return [token]
    unit = token[number.end() :]
    if not unit:
        return [token + more for more in _UNITS]
    return [token, number[0]] if unit in _UNITS else [token]


def _confidence(evidence: Sequence[Evidence]) -> float:
    """0..1, rising with the best unit's score, .5 where its score alone just lets it through."""
    if not evidence:
        return 0.0
    best = max(unit.score for unit in evidence)
    return 1 / (1 + math.exp(min((_NEAREST - best) / _CONFIDENCE_SCALE, 700.0)))


def _is_near(unit: Evidence) -> bool:
    """The fewer words a unit shares with the question, the nearer its meaning must be."""
    share = min(unit.coverage, _SOME) / _SOME
    return unit.score >= _NEAREST + (_NEAR - _NEAREST) * share


def _spelled(question: str, language: str) -> list[str]:
    """Names and numbers as written: capitals, digits, Latin words in Chinese, 《titles》."""
    found = [match[1] for match in _QUOTED.finditer(question)]
    words = list(_WORD.finditer(question))
    letters = [w[0] for w in words if w[0][0].isalpha() and not is_han(w[0])]
    capitals = [w for w in letters if w[0].isupper()]
    shouted = len(letters) > 3 and len(capitals) > 0.6 * len(letters)
    chinese = language == "zh"
    starts = {start for start, _ in split(question)}
    for word in words:
        text = _without_apostrophe(word[0])
        begin = max((start for start in starts if start <= word.start()), default=0)
        first = not re.search(r"\w", question[begin : word.start()])
        if not is_han(text) and (chinese or _is_name(text, first=first, shouted=shouted)):
            found.append(text)
    return [text for text in found if len(text) > 1]  # a single digit is in any text


def _is_name(word: str, *, first: bool, shouted: bool) -> bool:
    inner = any(character.isupper() for character in word[1:])
    if word[0].isdigit() or (inner and not word.isupper()):
        return True  # 2040, DeepSeek, iFLYTEK
    return word[0].isupper() and not shouted and (inner or not first)


def _without_apostrophe(word: str) -> str:
    """l'Allemagne is Allemagne, Huawei's is Huawei, I've is I; Xi'an and O'Brien are themselves."""
    head, _, tail = word.replace("’", "'").partition("'")
    if head.casefold() in _ELIDED and tail:
        return tail
    return word if len(head) <= 2 and len(tail) > 1 and tail not in _CONTRACTED else head


def _resembles(token: str, top: Sequence[set[str]]) -> bool:
    """Whether a name stands misspelt in the question; Hunan is no misspelt Henan."""
    if len(token) < _SHORTEST or token[0].isdigit() or is_han(token):
        return False
    return any(_one_slip(token, other) for held in top[:5] for other in held)


def _one_slip(one: str, other: str) -> bool:
    """One letter more, less or other, or two neighbours swapped (Damerau 1964), after the first."""
    if one[0] != other[0] or abs(len(one) - len(other)) > 1:
        return False
    at = next((i for i, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1), -1)
    if at < 0:
        return True
    a, b = one[at:], other[at:]
    swapped = a[:2] == b[1::-1] and a[2:] == b[2:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or swapped


def _has_enough(unit: Evidence, chunks: dict[str, Chunk], telling: Sequence[Constraint]) -> bool:
    """Whether a passage holds the question's numbers, all of them, and one of its names."""
    held = _surroundings(unit.chunk, chunks)
    numbers = [c for c in telling if c.text[0].isdigit()]
    names = [c for c in telling if not c.text[0].isdigit()]
    return all(_holds(held, c) for c in numbers) and (
        not names or any(_holds(held, c) for c in names)
    )


def _surroundings(chunk: Chunk, chunks: dict[str, Chunk]) -> set[str]:
    """The tokens of a passage, its context and what is tied to it."""
    held = set(tokens(chunk.embedded_text))
    for other in chunk.related:
        if other in chunks:
            held |= set(tokens(chunks[other].text))
    return held


def _holds(held: set[str], constraint: Constraint) -> bool:
    return any(
        all(not held.isdisjoint(_ways(token)) or _resembles(token, [held]) for token in form)
        for form in constraint.forms
    )
