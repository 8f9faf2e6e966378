"""A question to an answer whose every sentence is cited, or to an abstention that says why."""

import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

from askai.asked import asks_all, asks_place
from askai.catalog_reader import CatalogReader
from askai.cite import citation, page_at
from askai.conflicts import Stated, has_a_seat, stated_places
from askai.errors import QuestionError
from askai.evidence import EvidenceFinder
from askai.gate import Gate, Verdict
from askai.records import (
    Abstention,
    Answer,
    Chunk,
    Citation,
    Conflict,
    ConflictValue,
    Evidence,
    Hit,
    Sentence,
    Skipped,
)
from askai.refusals import refusal
from askai.retrieve import Query, Retriever
from askai.sentences import is_finished, joined
from askai.sub_questions import says_it, sub_questions
from askai.tokens import folded, tokens
from askai.writers import Drafted, Writer, printed

LONGEST_QUESTION = 4000  # characters
_SEARCHED = 20  # passages; what disagrees may stand further down
# Of score: one row for all parts is better than a unit for each that is better by so much; what is
# asked in three parts or more is what tables have in columns.
_NEARLY, _NEAR_ENOUGH = 0.06, 0.2
_ELSEWHERE = 2  # further documents quoted where all is asked that they say
_CLOSEST = 2  # citations that show what the documents do say
# Format characters that reorder or hide text: a question is read as it is seen.
_HIDDEN = frozenset("Cc Cf Cs Co Cn".split())  # noqa: SIM905  Unicode's own names


def cleaned(question: str) -> str:
    """The question without control and formatting characters; raises QuestionError."""
    visible = "".join(
        " " if unicodedata.category(c) == "Cc" else c
        for c in question
        if unicodedata.category(c) == "Cc" or unicodedata.category(c) not in _HIDDEN
    )
    text = " ".join(visible.split())
    if not text:
        raise QuestionError('The question is empty; ask something: askai ask "Who …?"')
    if len(text) > LONGEST_QUESTION:
        raise QuestionError(
            f"The question has {len(text)} characters; the most is {LONGEST_QUESTION}. "
            "Ask one thing at a time; documents belong in the corpus folder."
        )
    if not tokens(text):
        raise QuestionError(f"The question {text[:40]!r} has no words in it.")
    return text


@dataclass(frozen=True, slots=True)
class Answerer:
    """The whole way from a question to an answer."""

    retriever: Retriever
    finder: EvidenceFinder
    gate: Gate
    writer: Writer
    catalog: CatalogReader
    skipped: tuple[Skipped, ...] = ()

    def ask(self, question: str, *, k: int = 10) -> Answer:
        """The answer, with the k best passages; raises QuestionError for what is no question."""
        clock = _Clock()
        judged = self._judged(cleaned(question), clock, k)
        judged, drafted = self._parts(judged, clock, k)
        with clock("write"):
            stated = self._stated(judged)
            if stated:
                drafted = [(printed(one.unit), (one.unit,)) for one in stated]
            elif drafted and asks_all(judged.query.text):
                drafted += islice(self._elsewhere(judged, drafted), _ELSEWHERE)
            drafted = _once([self._whole(sentence) for sentence in drafted])
        sentences, citations = self._cited(drafted)
        return Answer(
            question=question,
            language=judged.query.language,
            sentences=sentences,
            citations=citations,
            passages=_led(judged.hits, drafted)[:k],
            abstention=None if drafted else self._abstention(judged),
            confidence=judged.verdict.confidence,
            conflicts=_conflicts(self._thing(judged.query), stated, citations),
            timings_ms=clock.read(),
        )

    def _judged(self, text: str, clock: "_Clock", k: int) -> "_Judged":
        with clock("question"):
            query = self.retriever.query(text)
        with clock("retrieve"):
            hits = self.retriever.search(query, max(k, _SEARCHED))
        with clock("evidence"):
            evidence = self.finder.find(query, hits)
        with clock("gate"):
            verdict = self.gate.judge(query, hits, evidence)
        return _Judged(query, hits, evidence, verdict)

    def _parts(self, whole: "_Judged", clock: "_Clock", k: int) -> tuple["_Judged", list[Drafted]]:
        """A question of several questions is answered in all of its parts or not at all."""
        texts = sub_questions(whole.query.text, whole.query.language)
        if len(texts) == 1 or whole.verdict.reason == "missing":
            return whole, self._drafted(whole)
        parts = [self._judged(self._in_context(t, texts, whole.query), clock, k) for t in texts]
        least = min(parts, key=lambda part: part.verdict.confidence)
        confidence = min(whole.verdict.confidence, least.verdict.confidence)
        if not least.verdict.evidence:
            verdict = replace(least.verdict, confidence=confidence)
            return replace(whole, verdict=verdict, evidence=least.evidence), []
        verdict = replace(whole.verdict, confidence=least.verdict.confidence)
        row = _row_of_all(parts, whole.query)
        if row is not None:
            return replace(whole, verdict=verdict), [(printed(row), (row,))]
        drafted = [sentence for part in parts for sentence in self._drafted(part)[:1]]
        return replace(whole, verdict=verdict), drafted

    def _in_context(self, text: str, parts: Sequence[str], whole: Query) -> str:
        """A part of a question with the names that its other parts give; one that says "it" of what
        has no name, with the first part, which says what."""
        if text != parts[0] and says_it(text) and not any(map(self.gate.tells, whole.groups)):
            return f"{text} ({parts[0]})"
        absent = [g[0] for g in whole.groups if not any(folded(n) in folded(text) for n in g)]
        return f"{text} ({', '.join(dict.fromkeys(absent))})" if absent else text

    def _drafted(self, judged: "_Judged") -> list[Drafted]:
        evidence = judged.verdict.evidence
        return self.writer.write(judged.query, evidence) if evidence else []

    def _stated(self, judged: "_Judged") -> list[Stated]:
        """The places that sources give for the thing whose place is asked for.

        One of them answers if the gate is open; several that differ do so in any case.
        """
        if not asks_place(judged.query.text) or judged.verdict.reason == "missing":
            return []
        thing = self._thing(judged.query)
        if not thing or not has_a_seat(thing, judged.query.text):
            return []
        found = stated_places(thing, judged.hits, self.retriever.aliases)
        return found if len(found) > 1 or judged.verdict.evidence else []

    def _elsewhere(self, judged: "_Judged", drafted: Sequence[Drafted]) -> Iterator[Drafted]:
        """What other documents say of the thing of which all is asked, the best of each."""
        group = self._thing(judged.query)
        if not group:
            return
        named = zip(judged.query.names, judged.query.groups, strict=True)
        thing = replace(judged.query, names=tuple(name for name, of in named if of == group))
        seen = {unit.chunk.path for _, units in drafted for unit in units}
        for unit in judged.evidence:
            if unit.chunk.path not in seen and _names(unit, thing):
                seen.add(unit.chunk.path)
                yield printed(unit), (unit,)

    def _thing(self, query: Query) -> tuple[str, ...]:
        """The names of the one thing that a question names beside places; none of several."""
        places = self.retriever.aliases.places
        named = dict.fromkeys(group for group in query.groups if not _is_common(group[0]))
        things = [group for group in named if group[0] not in places]
        return things[0] if len(things) == 1 else ()

    def _cited(
        self, drafted: Sequence[Drafted]
    ) -> tuple[tuple[Sentence, ...], tuple[Citation, ...]]:
        citations: list[Citation] = []
        sentences = []
        for text, units in drafted:
            numbers = []
            for unit in units:
                citations.append(self._citation(unit, n=len(citations) + 1))
                numbers.append(len(citations))
            sentences.append(Sentence(text, tuple(numbers)))
        return tuple(sentences), tuple(citations)

    def _citation(self, unit: Evidence, *, n: int) -> Citation:
        path = unit.chunk.path
        source = self.catalog.source(path)
        page = page_at(self.catalog.document(path).marks, unit.start) if source.pages else None
        return citation(unit, source, n=n, page=page)

    def _whole(self, drafted: Drafted) -> Drafted:
        """A sentence that a page end cut, with its other piece, each piece with its citation."""
        text, units = drafted
        if len(units) != 1 or units[0].chunk.kind == "table_row":
            return drafted
        unit = units[0]
        for other in self.catalog.chunks(unit.chunk.related).values():
            same = (other.kind, other.label) == (unit.chunk.kind, unit.chunk.label)
            if not (same and other.units):
                continue
            if other.start > unit.start and _is_cut(unit.chunk, unit.quote):
                piece = _piece(other, other.units[0], unit.score)
                return joined(text, printed(piece)), (unit, piece)
            last = _piece(other, other.units[-1], unit.score)
            first_here = unit.start == unit.chunk.units[0][0]
            if other.start < unit.start and first_here and _is_cut(other, last.quote):
                return joined(printed(last), text), (last, unit)
        return drafted

    def _abstention(self, judged: "_Judged") -> Abstention:
        verdict = judged.verdict
        closest = enumerate(judged.evidence[:_CLOSEST], 1)
        return Abstention(
            reason=refusal(verdict.reason, verdict.missing, language=judged.query.language),
            missing=verdict.missing if verdict.reason != "silent" else (),
            closest=tuple(self._citation(unit, n=n) for n, unit in closest),
            unreadable=tuple(skip.path for skip in self.skipped),
        )


@dataclass(frozen=True, slots=True)
class _Judged:
    """A question, what was found for it, and what the gate says of that."""

    query: Query
    hits: list[Hit]
    evidence: list[Evidence]
    verdict: Verdict


def _led(hits: Sequence[Hit], drafted: Sequence[Drafted]) -> tuple[Hit, ...]:
    """The passages that the answer quotes first, in its order; then the others, best first."""
    quoted = dict.fromkeys(unit.chunk.id for _, units in drafted for unit in units)
    places = {id_: n for n, id_ in enumerate(quoted)}
    ordered = sorted(hits, key=lambda hit: places.get(hit.chunk.id, len(places)))
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(ordered, 1))


def _row_of_all(parts: Sequence[_Judged], query: Query) -> Evidence | None:
    """The table row that answers each part about as well as anything does: what is asked of one
    thing in several parts is what a table has in several columns. It names what `query` names."""
    slack = _NEARLY if len(parts) == 2 else _NEAR_ENOUGH
    rows: list[set[tuple[str, int]]] = []
    for part in parts:
        units = part.verdict.evidence
        near = (unit for unit in units if unit.score >= units[0].score - slack)
        rows.append({_place(u) for u in near if u.chunk.kind == "table_row" and _names(u, query)})
    common = set.intersection(*rows)
    found = (unit for unit in parts[0].verdict.evidence if _place(unit) in common)
    return next(found, None)


def _names(unit: Evidence, query: Query) -> bool:
    """Whether a unit holds one of a question's names, if it has any."""
    held = set(tokens(unit.quote))
    named = [forms for name, forms in query.names if not _is_common(name)]
    return not named or any(held.issuperset(form) for forms in named for form in forms)


def _is_common(name: str) -> bool:
    """Whether an aliased name is a common noun ("artificial intelligence")."""
    return name.split(maxsplit=1)[0].islower()


def _place(unit: Evidence) -> tuple[str, int]:
    return unit.chunk.path, unit.start


def _conflicts(
    thing: tuple[str, ...], stated: Sequence[Stated], citations: Sequence[Citation]
) -> tuple[Conflict, ...]:
    if len(stated) < 2:
        return ()
    number = {(c.source.path, c.start): c.n for c in citations}
    values = (
        ConflictValue(one.value, number[one.unit.chunk.path, one.unit.start]) for one in stated
    )
    return (Conflict(f"{thing[0]}: location", tuple(values)),)


class _Clock:
    """Milliseconds by stage."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        spent = (time.perf_counter() - begin) * 1000
        self._stages[stage] = self._stages.get(stage, 0.0) + spent

    def read(self) -> dict[str, float]:
        total = (time.perf_counter() - self._start) * 1000
        return {name: round(ms, 1) for name, ms in (*self._stages.items(), ("total", total))}


def _once(drafted: Sequence[Drafted]) -> list[Drafted]:
    """Without what an earlier sentence holds already: both pieces of a cut one may be chosen."""
    seen: set[tuple[str, int]] = set()
    kept = []
    for text, units in drafted:
        spans = {(unit.chunk.path, unit.start) for unit in units}
        if not spans <= seen:
            kept.append((text, units))
            seen |= spans
    return kept


def _is_cut(chunk: Chunk, quote: str) -> bool:
    """Whether a quote is the unfinished end of its passage."""
    return chunk.text.endswith(quote) and not is_finished(quote)


def _piece(chunk: Chunk, span: tuple[int, int], score: float) -> Evidence:
    start, end = span
    return Evidence(chunk, start, end, chunk.text[start - chunk.start : end - chunk.start], score)
