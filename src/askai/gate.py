"""Whether the evidence found is enough to answer, decided before anything is written.

A question's names and numbers are constraints: each must be somewhere in the corpus, and one
passage must hold them together. What is left is judged by how near the best unit is.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from askai.aliases import Aliases
from askai.answerability import Answerability, Held, features
from askai.asked import Asked, asked_for, asks_meaning, gives, kind_of
from askai.lexical import WordSearch
from askai.lexicon import places, unknown_firms
from askai.records import Chunk, Evidence, Hit
from askai.retrieve import Query
from askai.sentences import split
from askai.tokens import content_tokens, is_han, tokens

# Acronyms are translated (IA, ONU, PIB), so one that is absent says nothing in another language.
_ACRONYM = 4
Form = tuple[str, ...]  # the tokens of one way to write a name

_LATIN = "A-Za-zÀ-ÖØ-öø-ÿ"
_WORD = re.compile(rf"[{_LATIN}][{_LATIN}0-9’'&+-]*|\d+(?:[.,]\d+)*[{_LATIN}]*")
_TITLE = re.compile(
    rf"(?=\b([A-ZÀ-Ý][{_LATIN}]+) (?:de|del|du|des)(?: la| las| los)? ([A-ZÀ-Ý][{_LATIN}]+))"
)
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
_ABSENT = 0.16
# A unit that gives a number, but is so much worse than the best one, gives another number.
_ASIDE = 0.12
# What is left of the confidence where a constraint is broken, or a name is nowhere in the corpus.
_UNKNOWN = 0.1

Reason = Literal[
    "",
    "missing",
    "apart",
    "silent",
    "quantity",
    "money",
    "time",
    "person",
    "place",
    "reason",
    "far",
]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A name or a number of the question, with all the ways to write it."""

    text: str
    forms: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`evidence` is empty when the gate is shut; `reason` says why."""

    evidence: tuple[Evidence, ...]
    reason: Reason = ""
    missing: tuple[str, ...] = ()
    confidence: float = 0.0  # 0..1, that the documents answer: also of a shut gate, for measuring


@dataclass(frozen=True, slots=True)
class Examined:
    """A question held against the evidence, best first; `features` are those of the first unit."""

    evidence: tuple[Evidence, ...]
    features: dict[str, float]
    unknown: tuple[str, ...]  # names and numbers that are nowhere in the corpus
    apart: tuple[str, ...]  # those that the first unit's surroundings lack
    held: tuple[str, ...]  # those that they have
    given: bool  # whether the first unit gives the kind of thing that is asked for


@dataclass(frozen=True, slots=True)
class Gate:
    lexical: WordSearch
    model: Answerability
    aliases: Aliases = field(default_factory=Aliases)

    def judge(self, query: Query, hits: Sequence[Hit], evidence: Sequence[Evidence]) -> Verdict:
        """Keeps the evidence that fulfils the question's constraints, or says what is missing."""
        if not evidence:
            unknown = self._unknown(self.constraints(query), hits)
            return Verdict((), "missing" if unknown else "far", unknown)
        found = self.examine(query, hits, evidence)
        confidence = self.model.confidence(found.features)
        if found.unknown:
            return Verdict((), "missing", found.unknown, confidence * _UNKNOWN)
        if _breaks(found):
            confidence *= _UNKNOWN
        if confidence < self.model.threshold:
            reason, names = _reason(query, found)
            return Verdict((), reason, names, confidence)
        return Verdict(found.evidence, confidence=confidence)

    def examine(self, query: Query, hits: Sequence[Hit], evidence: Sequence[Evidence]) -> Examined:
        """Orders evidence that is not empty by how it fulfils the question's constraints."""
        constraints = self.constraints(query)
        telling = [c for c in constraints if self._is_telling(c)]
        chunks = {hit.chunk.id: hit.chunk for hit in hits}
        ordered = sorted(evidence, key=lambda unit: -_fulfilment(unit, chunks, telling))
        asked = asked_for(query.text)
        ordered = _preferred(ordered, lambda unit: _has_enough(unit, chunks, telling), math.inf)
        ordered = _preferred(ordered, lambda unit: self._gives(unit, asked, query, chunks), _ASIDE)
        if asks_meaning(query.text):
            ordered = _first(ordered, lambda unit: unit.chunk.kind == "footnote", _ASIDE)
        around = _surroundings(ordered[0].chunk, chunks)
        return Examined(
            evidence=tuple(ordered),
            features=features(query, hits, ordered, _held(around, telling), self.lexical),
            unknown=self._unknown(constraints, hits),
            apart=tuple(c.text for c in telling if not _holds(around, c)),
            held=tuple(c.text for c in telling if _holds(around, c)),
            given=self._gives(ordered[0], asked, query, chunks),
        )

    def _gives(
        self, unit: Evidence, asked: Asked | None, query: Query, chunks: dict[str, Chunk]
    ) -> bool:
        """Whether a unit gives the kind of thing asked for: of places, one that the question does
        not name itself, in the unit, its last heading or what is tied to it."""
        if asked != "place" or not self.aliases.places:
            return gives(unit.quote, asked, question=query.text)
        chunk = unit.chunk
        tied = [chunks[other].text for other in chunk.related if other in chunks]
        text = " ".join((unit.quote, *chunk.heading[-1:], chunk.context, *tied))
        named = {mention.group for mention in self.aliases.mentions(text)} - set(query.groups)
        return any(group[0] in self.aliases.places and self.tells(group) for group in named)

    def tells(self, group: Sequence[str]) -> bool:
        """Whether a name, by all its spellings, is in the corpus and not all over it."""
        forms = (tuple(content_tokens(name)) for name in group)
        return self._is_telling(Constraint(group[0], tuple(form for form in forms if form)))

    def constraints(self, query: Query) -> list[Constraint]:
        """The names and numbers of a question, each once."""
        found = {name: Constraint(name, forms) for name, forms in query.names}
        known = {token for _, forms in query.names for form in forms for token in form}
        titles = _titles(query.text) if query.induced else set()
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
                near = query.induced.get(form[0], ()) if len(form) == 1 else ()
                if text in titles and not near and not self._has(form[0]):
                    continue  # Gallo de Oro is called otherwise in the documents' language
                found.setdefault(text, Constraint(text, (form, *((other,) for other in near))))
        for place, english in places(query.text):  # one that aliases name is among the names
            form = tuple(content_tokens(place))
            if not set(form) <= known:
                found.setdefault(place, Constraint(place, tuple(f for f in (form, english) if f)))
        return list(found.values())

    def _unknown(self, constraints: Sequence[Constraint], hits: Sequence[Hit]) -> tuple[str, ...]:
        top = [set(tokens(hit.chunk.embedded_text)) for hit in hits]
        return tuple(c.text for c in constraints if not self._is_known(c, top))

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
        """Whether the corpus has the name, and not all over: its commonest form decides."""
        idfs = [  # of each form, by its rarest token
            max(self._idf(token) for token in form)
            for form in constraint.forms
            if all(self._has(token) for token in form)
        ]
        return bool(idfs) and min(idfs) > _UBIQUITOUS_IDF


def _ways(token: str) -> list[str]:
    """How a number may be written: 112 is 112b elsewhere, and 28nm is 28 nm; a word is itself."""
    number = re.match(r"[\d.,]+", token)
    if number is None:
        return [token]
    unit = token[number.end() :]
    if not unit:
        return [token + more for more in _UNITS]
    return [token, number[0]] if unit in _UNITS else [token]


def _breaks(found: Examined) -> bool:
    """Whether the first unit cannot answer, whatever else speaks for it: it gives no number where
    one is asked for, or its surroundings lack a number of the question, or all of its names. That
    is so of none of the development half's answerable questions, and of a sixth of its near misses.
    """
    held = found.features
    return not found.given or held["numbers"] < 1.0 or held["names"] == 0.0


def _reason(query: Query, found: Examined) -> tuple[Reason, tuple[str, ...]]:
    """What a refusal gives as its reason, and the names in it: the first thing that is amiss."""
    if found.apart:
        return "apart", found.apart
    asked = asked_for(query.text)
    if asked and not found.given:
        return kind_of(asked), ()
    return ("silent", found.held) if found.held else ("far", ())


def _fulfilment(unit: Evidence, chunks: dict[str, Chunk], telling: Sequence[Constraint]) -> float:
    """A unit's score less a little for each name that its passage does not hold."""
    if not telling:
        return unit.score
    held = _surroundings(unit.chunk, chunks)
    return unit.score - _ABSENT * sum(not _holds(held, c) for c in telling) / len(telling)


def _preferred(
    units: list[Evidence], fits: Callable[[Evidence], bool], slack: float
) -> list[Evidence]:
    """The units that fit, unless none does or the best of them is too far behind."""
    fitting = [unit for unit in units if fits(unit)]
    if not fitting or fitting[0].score < units[0].score - slack:
        return units
    return fitting


def _first(units: list[Evidence], fits: Callable[[Evidence], bool], slack: float) -> list[Evidence]:
    """The units with the best that fits before the others, unless it is too far behind."""
    best = next((unit for unit in units if fits(unit)), None)
    if best is None or best.score < units[0].score - slack:
        return units
    return [best, *(unit for unit in units if unit is not best)]


def _held(around: set[str], telling: Sequence[Constraint]) -> Held:
    numbers = [_holds(around, c) for c in telling if c.text[0].isdigit()]
    names = [_holds(around, c) for c in telling if not c.text[0].isdigit()]
    shares = (sum(found) / len(found) if found else 1.0 for found in (names, numbers))
    return Held(*shares)


def _spelled(question: str, language: str) -> list[str]:
    """Names and numbers as written: capitals, digits, Latin words in Chinese, 《titles》."""
    found = [match[1] for match in _QUOTED.finditer(question)]
    found += unknown_firms(question)
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


def _titles(question: str) -> set[str]:
    """The capitalised words that "de" joins: of a title, and not of a person or a firm."""
    return {word for match in _TITLE.finditer(question) for word in match.groups()}


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
