"""How good askai is on a gold set: what it finds, what it answers, when it declines, what it cites.

Every measure is taken question by question and averaged over the questions it is about. Of
nothing there is no average: None with n = 0, never 0.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any, Literal

from askai.gold import (
    KINDS,
    LANGUAGES,
    SPLITS,
    UNANSWERABLE_KINDS,
    normalise,
    places,
    spans,
    split_of,
)
from askai.records import Answer, Citation, GoldItem, Hit

CUTOFFS = (1, 5, 10)  # of evidence@k, in passages


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one question."""

    item: GoldItem
    status: Literal["answered", "abstained"]
    said: str  # the answer with its citation numbers, or the reason for abstaining
    evidence_rank: int | None  # from 1: the first k of evidence@k; None: not found
    right: bool | None  # None: the question is unanswerable
    citations: int
    citations_verbatim: int
    on_evidence: bool | None  # None: the question is unanswerable, or was not answered
    sentences: int
    total_ms: float | None  # None: the answer does not say

    @property
    def answerable(self) -> bool:
        return self.item.unanswerable is None

    @property
    def answered(self) -> bool:
        return self.status == "answered"

    def found_at(self, k: int) -> bool:
        """Whether the first `k` passages hold the evidence."""
        return self.evidence_rank is not None and self.evidence_rank <= k


@dataclass(frozen=True, slots=True)
class Measure:
    value: float | None  # None: n is 0
    n: int  # how many observations `value` summarises


@dataclass(frozen=True, slots=True)
class Slice:
    """The questions that have something in common, and every measure over them."""

    name: str  # "all", "test", "zh", "table_cell"
    group: str  # "all", "split", "language" or "kind"
    questions: int
    answerable: int
    unanswerable: int
    answered: int
    abstained: int
    measures: dict[str, Measure]


@dataclass(frozen=True, slots=True)
class Evaluation:
    results: tuple[Result, ...]  # in the order of the gold set
    table: tuple[Slice, ...]  # all, then each split, language and kind, the empty ones too


def evaluate(
    items: Iterable[GoldItem],
    *,
    ask: Callable[[str], Answer],
    texts: Mapping[str, str],
    done: Callable[[int], None] | None = None,
) -> Evaluation:
    """Asks every question and measures the answers; `done` is told how many are done so far.

    `texts` maps a path relative to the corpus folder to the text of that document. Shares are
    from 0 to 1, over the slice's

    - `evidence@k`: answerable questions whose evidence is found in passages 1 to k, so `ask` has
      to return ten of them, abstaining or not. A quote is found when these passages together cover
      at least half of its characters, in any one place where it stands; `need` says whether one
      quote is enough ("any") or each must be found ("all").
    - `answer_right`: answerable questions that were answered with an accepted answer inside the
      text of the answer, compared by `gold.normalise`. A refusal is wrong.
    - `false_answers`: unanswerable questions that were answered.
    - `false_refusals`: answerable questions that were not.
    - `citations_verbatim`: citations, those of passages shown beside a refusal included, whose
      quote is the text of their source from start to end.
    - `citations_on_evidence`: answered answerable questions with a citation that shares a character
      with a place of the evidence.

    `sentences_per_answer` is a mean over what was answered, `total_ms_median` and `total_ms_p95`
    (nearest rank) are milliseconds over all questions whose answer tells its time.
    """
    results: list[Result] = []
    for item in items:
        results.append(_judge(item, ask(item.question), texts))
        if done is not None:
            done(len(results))
    table = tuple(_slice(name, group, results) for name, group in _SLICES.items())
    return Evaluation(tuple(results), table)


def to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation in the form of schemas/evaluation.json, ready for JSON."""
    return {
        "schema": "askai.evaluation/1",
        "slices": [asdict(part) for part in evaluation.table],
        "items": [_item_dict(result) for result in evaluation.results],
    }


def render(evaluation: Evaluation) -> str:
    """Tables for a terminal, then every miss with what was expected and what came."""
    whole = evaluation.table[0]
    answerable = [part for part in evaluation.table if part.name not in UNANSWERABLE_KINDS]
    unanswerable = [
        part for part in evaluation.table if part.group != "kind" or part.name in UNANSWERABLE_KINDS
    ]
    columns = {f"E@{k}": f"evidence@{k}" for k in CUTOFFS}
    columns |= {"right": "answer_right", "false refusals": "false_refusals"}
    return "\n\n".join(
        [
            f"{whole.questions} questions: {whole.answered} answered, {whole.abstained} declined",
            _grid("answerable", columns, answerable),
            _grid("unanswerable", {"false answers": "false_answers"}, unanswerable),
            _citations_and_time(whole.measures),
            _misses(evaluation.results),
        ]
    )


def _judge(item: GoldItem, answer: Answer, texts: Mapping[str, str]) -> Result:
    abstention = answer.abstention
    answerable, answered = item.unanswerable is None, abstention is None
    cited = answer.citations if abstention is None else answer.citations + abstention.closest
    on_evidence = _on_evidence(answer.citations, spans(item, texts))
    return Result(
        item=item,
        status=answer.status,
        said=(answer.text or "") if abstention is None else abstention.reason,
        evidence_rank=_evidence_rank(item, answer.passages, texts),
        right=_is_right(item, answer) if answerable else None,
        citations=len(cited),
        citations_verbatim=sum(_is_verbatim(citation, texts) for citation in cited),
        on_evidence=on_evidence if answerable and answered else None,
        sentences=len(answer.sentences),
        total_ms=answer.timings_ms.get("total"),
    )


def _evidence_rank(item: GoldItem, passages: Sequence[Hit], texts: Mapping[str, str]) -> int | None:
    """The smallest k whose top k passages hold the evidence that the item needs."""
    ranked = sorted(passages, key=lambda hit: hit.rank)
    ranks: list[int] = []
    for quote in item.evidence:
        found = [_span_rank(quote.path, *place, ranked) for place in places(quote, texts)]
        best = min((rank for rank in found if rank is not None), default=None)
        if best is not None:
            ranks.append(best)
        elif item.need == "all":
            return None
    if not ranks:
        return None
    return max(ranks) if item.need == "all" else min(ranks)


def _span_rank(path: str, start: int, end: int, ranked: Sequence[Hit]) -> int | None:
    """The rank at which half of the characters of a span are covered."""
    covered: set[int] = set()
    for hit in ranked:
        if hit.chunk.path == path:
            covered.update(range(max(start, hit.chunk.start), min(end, hit.chunk.end)))
        if 2 * len(covered) >= end - start:
            return hit.rank
    return None


def _is_right(item: GoldItem, answer: Answer) -> bool:
    said = normalise(answer.text or "")
    return any(normalise(accepted) in said for accepted in item.answers)


def _is_verbatim(citation: Citation, texts: Mapping[str, str]) -> bool:
    text = texts.get(citation.source.path)
    return text is not None and text[citation.start : citation.end] == citation.quote


def _on_evidence(citations: Iterable[Citation], evidence: Iterable[tuple[str, int, int]]) -> bool:
    wanted = list(evidence)
    return any(
        citation.source.path == path and citation.start < end and start < citation.end
        for citation in citations
        for path, start, end in wanted
    )


def _slice(name: str, group: str, results: Iterable[Result]) -> Slice:
    chosen = [
        result
        for result in results
        if name in ("all", split_of(result.item.id), result.item.language, result.item.kind)
    ]
    answerable = sum(result.answerable for result in chosen)
    answered = sum(result.answered for result in chosen)
    return Slice(
        name=name,
        group=group,
        questions=len(chosen),
        answerable=answerable,
        unanswerable=len(chosen) - answerable,
        answered=answered,
        abstained=len(chosen) - answered,
        measures={measure: _measure(measure, chosen) for measure in _MEASURES},
    )


def _measure(name: str, results: Iterable[Result]) -> Measure:
    observe, summarise = _MEASURES[name]
    observed = [value for result in results for value in observe(result)]
    return Measure(summarise(observed) if observed else None, len(observed))


def _p95(values: Sequence[float]) -> float:
    """The smallest value that 95 of 100 do not exceed (nearest rank)."""
    return sorted(values)[-(-95 * len(values) // 100) - 1]


def _total_ms(result: Result) -> list[float]:
    return [] if result.total_ms is None else [result.total_ms]


def _verbatim(result: Result) -> list[float]:
    wrong = result.citations - result.citations_verbatim
    return [1.0] * result.citations_verbatim + [0.0] * wrong


def _evidence_at(k: int) -> Callable[[Result], list[float]]:
    return lambda result: [result.found_at(k)] if result.answerable else []


_SLICES = {
    "all": "all",
    **dict.fromkeys(SPLITS, "split"),
    **dict.fromkeys(LANGUAGES, "language"),
    **dict.fromkeys(KINDS, "kind"),
}
# What a question adds to a measure, nothing where it is not about it; and how that is summed up.
_MEASURES: dict[str, tuple[Callable[[Result], list[float]], Callable[[Sequence[float]], float]]] = {
    **{f"evidence@{k}": (_evidence_at(k), fmean) for k in CUTOFFS},
    "answer_right": (lambda r: [] if r.right is None else [r.right], fmean),
    "false_answers": (lambda r: [] if r.answerable else [r.answered], fmean),
    "false_refusals": (lambda r: [not r.answered] if r.answerable else [], fmean),
    "citations_verbatim": (_verbatim, fmean),
    "citations_on_evidence": (lambda r: [] if r.on_evidence is None else [r.on_evidence], fmean),
    "sentences_per_answer": (lambda r: [r.sentences] if r.answered else [], fmean),
    "total_ms_median": (_total_ms, median),
    "total_ms_p95": (_total_ms, _p95),
}


def _item_dict(result: Result) -> dict[str, Any]:
    item = result.item
    return {
        "id": item.id,
        "language": item.language,
        "kind": item.kind,
        "split": split_of(item.id),
        "question": item.question,
        "answers": list(item.answers),
        "unanswerable": item.unanswerable,
        "status": result.status,
        "said": result.said,
        "evidence_rank": result.evidence_rank,
        "right": result.right,
        "citations": result.citations,
        "citations_verbatim": result.citations_verbatim,
        "on_evidence": result.on_evidence,
        "sentences": result.sentences,
        "total_ms": result.total_ms,
    }


def _grid(title: str, columns: Mapping[str, str], table: Iterable[Slice]) -> str:
    """One row a slice; each row's shares are of its n, the number of `title` questions."""
    rows = [[title, "n", *columns]]
    for part in table:
        measures = [part.measures[name] for name in columns.values()]
        rows.append([part.name, str(measures[0].n), *map(_percent, measures)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def _percent(measure: Measure) -> str:
    return "–" if measure.value is None else f"{measure.value:.1%}"


def _number(measure: Measure) -> str:
    return "–" if measure.value is None else f"{measure.value:.1f}"


def _citations_and_time(measures: Mapping[str, Measure]) -> str:
    verbatim, on_evidence = measures["citations_verbatim"], measures["citations_on_evidence"]
    sentences = measures["sentences_per_answer"]
    middle, p95 = _number(measures["total_ms_median"]), _number(measures["total_ms_p95"])
    timed = measures["total_ms_median"].n
    rows = {
        "citations verbatim": f"{_percent(verbatim)} of {verbatim.n} citations",
        "citations on evidence": (
            f"{_percent(on_evidence)} of {on_evidence.n} answers to answerable questions"
        ),
        "sentences per answer": f"{_number(sentences)} over {sentences.n} answers",
        "milliseconds": f"median {middle}, p95 {p95} over {timed} questions",
    }
    return "\n".join(f"{name:<21}  {said}" for name, said in rows.items())


def _misses(results: Iterable[Result]) -> str:
    missed = [_miss(result, faults) for result in results if (faults := _faults(result))]
    return "\n\n".join([f"misses: {len(missed)}", *missed])


def _miss(result: Result, faults: Sequence[str]) -> str:
    item = result.item
    expected = f"no answer: {item.unanswerable}" if item.unanswerable else " | ".join(item.answers)
    came = " ".join(result.said.split())[:120]
    return "\n".join(
        [
            f"{item.id}  {item.language}  {item.kind}  {', '.join(faults)}",
            f"  question  {item.question}",
            f"  expected  {expected}",
            f"  came      {came if result.answered else f'no answer: {came}'}",
        ]
    )


def _faults(result: Result) -> list[str]:
    """What went wrong, in words; where the evidence stood, when something did."""
    found = {
        "false answer": not result.answerable and result.answered,
        "false refusal": result.answerable and not result.answered,
        "wrong answer": result.right is False and result.answered,
        "evidence not cited": result.on_evidence is False,
        "citation not verbatim": result.citations_verbatim < result.citations,
        f"evidence not in the top {CUTOFFS[-1]}": result.answerable
        and not result.found_at(CUTOFFS[-1]),
    }
    faults = [fault for fault, is_so in found.items() if is_so]
    if faults and result.found_at(CUTOFFS[-1]):
        faults.append(f"evidence at rank {result.evidence_rank}")
    return faults
