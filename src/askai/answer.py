"""A question to an answer whose every sentence is cited, or to an abstention that says why."""

import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from askai.catalog import Catalog
from askai.cite import citation
from askai.errors import QuestionError
from askai.evidence import EvidenceFinder
from askai.gate import Gate, Verdict
from askai.records import Abstention, Answer, Chunk, Citation, Evidence, Sentence, Skipped
from askai.refusals import refusal
from askai.retrieve import Query, Retriever
from askai.sentences import is_finished, joined
from askai.tokens import tokens
from askai.writers import Drafted, Writer, printed

LONGEST_QUESTION = 4000  # characters
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
    catalog: Catalog
    skipped: tuple[Skipped, ...] = ()

    def ask(self, question: str, *, k: int = 10) -> Answer:
        """The answer, with the k best passages; raises QuestionError for what is no question."""
        clock = _Clock()
        with clock("question"):
            query = self.retriever.query(cleaned(question))
        with clock("retrieve"):
            hits = self.retriever.search(query, max(k, 10))
        with clock("evidence"):
            evidence = self.finder.find(query, hits)
        with clock("gate"):
            verdict = self.gate.judge(query, hits, evidence)
        with clock("write"):
            drafted = self.writer.write(query, verdict.evidence) if verdict.evidence else []
            drafted = _once([self._whole(sentence) for sentence in drafted])
        sentences, citations = self._cited(drafted)
        return Answer(
            question=question,
            language=query.language,
            sentences=sentences,
            citations=citations,
            passages=tuple(hits[:k]),
            abstention=None if drafted else self._abstention(query, verdict, evidence),
            confidence=verdict.confidence,
            timings_ms=clock.read(),
        )

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
        return citation(unit, self.catalog.source(unit.chunk.path), n=n)

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

    def _abstention(
        self, query: Query, verdict: Verdict, evidence: Sequence[Evidence]
    ) -> Abstention:
        closest = tuple(self._citation(unit, n=n) for n, unit in enumerate(evidence[:_CLOSEST], 1))
        return Abstention(
            reason=refusal(verdict.reason, verdict.missing, language=query.language),
            missing=verdict.missing,
            closest=closest,
            unreadable=tuple(skip.path for skip in self.skipped),
        )


class _Clock:
    """Milliseconds by stage."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self._stages[stage] = (time.perf_counter() - begin) * 1000

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
