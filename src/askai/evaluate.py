"""How good askai is on a gold set: what it finds, what it answers, when it declines, what it cites.

Every measure is taken question by question and summed up over the questions it is about. Of
nothing there is no average: None with n = 0, never 0.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from statistics import fmean, median
from typing import Any

import numpy as np

from askai.gold import KINDS, LANGUAGES, NEAR_KINDS, SPLITS, split_of
from askai.judge import Result, judge
from askai.judge import to_dict as result_dict
from askai.measures import (
    RANKING_NAMES,
    Floats,
    Indexes,
    Interval,
    Point,
    aurc,
    auroc,
    excess_aurc,
    interval,
    resamples,
    risk_coverage,
)
from askai.records import Answer, GoldItem

SCHEMA = "askai.evaluation/2"
CUTOFFS = (1, 5, 10)  # of evidence@k, in passages
BASE_RATES = (0.1, 0.25, 0.5)  # shares of unanswerable questions to restate the risk for

Observe = Callable[[Result], Sequence[Any]]
Summarise = Callable[[Sequence[Any]], float | None]


@dataclass(frozen=True, slots=True)
class Measure:
    value: float | None  # None: n is 0
    n: int  # how many observations `value` summarises


@dataclass(frozen=True, slots=True)
class Definition:
    """How a measure is worked out."""

    observe: Observe  # what a question adds; nothing where the measure is not about it
    summarise: Summarise = fmean  # of one observation or more
    lower_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """The questions that have something in common, and every measure over them."""

    name: str  # "all", "test", "zh", "table_cell", "near", "zh unanswerable"
    group: str  # "all", "split", "language", "kind" or "language, answerable or not"
    questions: int
    answerable: int
    unanswerable: int
    answered: int
    abstained: int
    measures: dict[str, Measure]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure with its 95 % bootstrap interval."""

    value: float | None
    n: int
    interval: Interval | None  # None: n is 0


@dataclass(frozen=True, slots=True)
class AtBaseRate:
    """The operating point where this share of the questions is unanswerable."""

    unanswerable: float
    coverage: Estimate  # share of the questions that are answered
    risk: Estimate  # share of the answers that are wrong, or to an unanswerable question


@dataclass(frozen=True, slots=True)
class Operation:
    """What confidence is worth, and where the gate stands: over all questions, or a half."""

    name: str  # of the slice
    curve: tuple[Point, ...]  # risk at coverage, by confidence; not by what the gate did
    false_answers: Estimate
    false_refusals: Estimate
    at: tuple[AtBaseRate, ...]  # first for the base rate of the questions, then for BASE_RATES


@dataclass(frozen=True, slots=True)
class Evaluation:
    results: tuple[Result, ...]  # in the order of the gold set
    table: tuple[Slice, ...]  # all, then each split, language and kind, the empty ones too
    operation: tuple[Operation, ...]  # all, then each split; without those that have no questions


def evaluate(
    items: Iterable[GoldItem],
    *,
    ask: Callable[[str], Answer],
    texts: Mapping[str, str],
    done: Callable[[GoldItem, Answer], None] | None = None,
) -> Evaluation:
    """Asks every question and measures the answers; `done` is told each as it comes.

    `texts` maps a path relative to the corpus folder to the text of that document. Shares are
    from 0 to 1, over the slice's

    - `evidence@k`: answerable questions whose evidence is found in passages 1 to k, so `ask` has
      to return ten of them, abstaining or not. A quote is found when these passages together cover
      at least half of its characters, in any one place where it stands; `need` says whether one
      quote is enough ("any") or each must be found ("all").
    - `Success@k`, `R@k`, `RR@10`, `nDCG@10`: answerable questions; see `measures.ranking`.
    - `answer_right`: answerable questions that were answered with an accepted answer inside the
      text of the answer, compared by `gold.normalise`. A refusal is wrong.
    - `token_f1`: the same questions, with `measures.token_f1` against the accepted answer that
      is nearest. A refusal has 0.
    - `citation_precision`: answered answerable questions: the share of the citations printed that
      share a character with a place of the evidence. `citation_recall`: the share of what is
      needed that the citations cover half of. `citations_on_evidence`: those with any such
      citation.
    - `citations_verbatim`: citations, those of passages shown beside a refusal included, whose
      quote is the text of their source from start to end.
    - `answers_per_sentence`: sentences printed, of any question: right answers for each.
    - `false_answers`: unanswerable questions that were answered; `_near` and `_far` by how far
      they are from the documents (`gold.NEAR_KINDS`).
    - `false_refusals`: answerable questions that were not answered.
    - `aurc`, `e_aurc`: all questions, answered or not, by confidence; an error is a question
      that is unanswerable, or whose answer is wrong; the answer to a question that was refused is
      taken to be the quote that came closest. `auroc`: confidence of answerable against
      unanswerable questions. Without an answerable question there is none of them.

    `sentences_per_answer_…` are over what was answered, `total_ms_median` and `total_ms_p95`
    (nearest rank) are milliseconds over all questions whose answer tells its time.
    """
    results: list[Result] = []
    for item in items:
        answer = ask(item.question)
        results.append(judge(item, answer, texts))
        if done is not None:
            done(item, answer)
    return summed_up(results)


def summed_up(results: Iterable[Result]) -> Evaluation:
    """The measures of what came of each question."""
    whole = tuple(results)
    table = tuple(
        _slice(name, group, [r for r in whole if belongs(r)])
        for name, (group, belongs) in SLICES.items()
    )
    operation = tuple(
        _operation(name, chosen)
        for name in ("all", *SPLITS)
        if (chosen := [r for r in whole if SLICES[name][1](r)])
    )
    return Evaluation(whole, table, operation)


def measure(name: str, results: Iterable[Result]) -> Measure:
    """One measure over some questions."""
    observed = list(chain.from_iterable(map(MEASURES[name].observe, results)))
    value = MEASURES[name].summarise(observed) if observed else None
    return Measure(value, 0 if value is None else len(observed))


def bootstrapped(name: str, results: Sequence[Result], samples: Indexes) -> Floats:
    """A measure over each sample of the questions (`measures.resamples`); NaN where it has none."""
    definition = MEASURES[name]
    observed = [list(definition.observe(result)) for result in results]
    if definition.summarise is fmean:  # the same, all samples at once
        sums = np.array([sum(values) for values in observed], dtype=np.float64)
        counts = np.array([len(values) for values in observed], dtype=np.float64)
        totals = counts[samples].sum(axis=1)
        means = np.full(len(samples), np.nan)
        np.divide(sums[samples].sum(axis=1), totals, out=means, where=totals > 0)
        return means
    values = []
    for sample in samples:
        drawn = list(chain.from_iterable(observed[i] for i in sample))
        value = definition.summarise(drawn) if drawn else None
        values.append(np.nan if value is None else value)
    return np.array(values, dtype=np.float64)


def to_dict(evaluation: Evaluation, *, comparison: dict[str, Any] | None = None) -> dict[str, Any]:
    """The evaluation in the form of schemas/evaluation.json, ready for JSON.

    `comparison` is that of `compare.to_dict` with an earlier one.
    """
    return {
        "schema": SCHEMA,
        "slices": [asdict(part) for part in evaluation.table],
        "operation": [_operation_dict(part) for part in evaluation.operation],
        "comparison": comparison,
        "items": [result_dict(result) for result in evaluation.results],
    }


def _slice(name: str, group: str, chosen: Sequence[Result]) -> Slice:
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
        measures={name: measure(name, chosen) for name in MEASURES},
    )


def _operation(name: str, results: Sequence[Result]) -> Operation:
    """Where the gate stands, with intervals from samples that keep the base rate of the set."""
    samples = resamples([result.answerable for result in results])
    drawn = {rate: bootstrapped(rate, results, samples) for rate in _RATES}
    found = {rate: measure(rate, results) for rate in _RATES}
    points = {rate: np.array([_number(found[rate].value)]) for rate in _RATES}
    own = sum(not result.answerable for result in results) / len(results)

    def at(share: float) -> AtBaseRate:
        values, spreads = _at(share, points), _at(share, drawn)
        estimates = [
            _estimate(
                Measure(None if np.isnan(value[0]) else float(value[0]), len(results)), spread
            )
            for value, spread in zip(values, spreads, strict=True)
        ]
        return AtBaseRate(share, *estimates)

    return Operation(
        name=name,
        curve=tuple(risk_coverage([r.confidence for r in results], [r.would_err for r in results])),
        false_answers=_estimate(found["false_answers"], drawn["false_answers"]),
        false_refusals=_estimate(found["false_refusals"], drawn["false_refusals"]),
        at=tuple(at(share) for share in (own, *BASE_RATES)),
    )


def _at(share: float, rates: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Coverage and risk where this share of the questions is unanswerable; NaN: not known."""
    nobody = np.zeros_like(rates["answer_right"])  # a rate of no questions is not "not known"
    unfounded = share * rates["false_answers"] if share else nobody
    answered = (1 - share) * (1 - rates["false_refusals"]) if share < 1 else nobody
    right = (1 - share) * rates["answer_right"] if share < 1 else nobody
    coverage = np.clip(unfounded + answered, 0.0, 1.0)  # a sum of shares may miss by a rounding
    risk = np.full_like(coverage, np.nan)
    np.divide(coverage - right, coverage, out=risk, where=coverage > 0)
    return coverage, np.clip(risk, 0.0, 1.0)


def _estimate(found: Measure, spread: Floats) -> Estimate:
    return Estimate(found.value, 0 if found.value is None else found.n, interval(spread))


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _operation_dict(operation: Operation) -> dict[str, Any]:
    def estimate(found: Estimate) -> dict[str, Any]:
        return {
            "value": found.value,
            "n": found.n,
            "interval": None if found.interval is None else list(found.interval),
        }

    return {
        "name": operation.name,
        "curve": [{"coverage": point.coverage, "risk": point.risk} for point in operation.curve],
        "false_answers": estimate(operation.false_answers),
        "false_refusals": estimate(operation.false_refusals),
        "at": [
            {
                "unanswerable": found.unanswerable,
                "coverage": estimate(found.coverage),
                "risk": estimate(found.risk),
            }
            for found in operation.at
        ],
    }


def _p95(values: Sequence[float]) -> float:
    """The smallest value that 95 of 100 do not exceed (nearest rank)."""
    return sorted(values)[-(-95 * len(values) // 100) - 1]


def _confidence(result: Result) -> list[tuple[float, bool, bool]]:
    return [(result.confidence, result.would_err, result.answerable)]


def _area(
    measured: Callable[[list[float], list[bool]], float | None],
) -> Callable[[Sequence[tuple[float, bool, bool]]], float | None]:
    """An area under the curve; where no question is answerable it is 1 and says nothing: None."""

    def area(judged: Sequence[tuple[float, bool, bool]]) -> float | None:
        if not any(answerable for _, _, answerable in judged):
            return None
        return measured([c for c, _, _ in judged], [errs for _, errs, _ in judged])

    return area


def _discrimination(judged: Sequence[tuple[float, bool, bool]]) -> float | None:
    return auroc([c for c, _, _ in judged], [answerable for _, _, answerable in judged])


def _known(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _verbatim(result: Result) -> list[float]:
    wrong = result.citations - result.citations_verbatim
    return [1.0] * result.citations_verbatim + [0.0] * wrong


def _right_by_sentence(result: Result) -> list[float]:
    """One observation a sentence, of which a right answer is one's due."""
    return [float(bool(result.right)), *[0.0] * (result.sentences - 1)] if result.sentences else []


def _on_evidence(result: Result) -> list[float]:
    return [] if result.citation_precision is None else [float(result.citation_precision > 0)]


def _evidence_at(k: int) -> Observe:
    return lambda result: [float(result.found_at(k))] if result.answerable else []


def _ranked(name: str) -> Observe:
    return lambda result: [result.ranking[name]] if result.answerable else []


def _false_answers(*kinds: str) -> Observe:
    return lambda r: [float(r.answered)] if not r.answerable and r.item.kind in kinds else []


def _in_split(name: str) -> Callable[[Result], bool]:
    return lambda result: split_of(result.item.id) == name


def _in_language(name: str) -> Callable[[Result], bool]:
    return lambda result: result.item.language == name


def _of_kind(*names: str) -> Callable[[Result], bool]:
    return lambda result: result.item.kind in names


def _in_language_and(name: str, *, answerable: bool) -> Callable[[Result], bool]:
    return lambda result: (result.item.language, result.answerable) == (name, answerable)


_RATES = ("false_answers", "false_refusals", "answer_right")
# By name: the group, and whether a question belongs. A question is in several.
SLICES: dict[str, tuple[str, Callable[[Result], bool]]] = {
    "all": ("all", lambda _: True),
    **{name: ("split", _in_split(name)) for name in SPLITS},
    **{name: ("language", _in_language(name)) for name in LANGUAGES},
    **{name: ("kind", _of_kind(name)) for name in KINDS},
    "near": ("kind", _of_kind(*NEAR_KINDS)),
    **{
        f"{name} {'answerable' if is_so else 'unanswerable'}": (
            "language, answerable or not",
            _in_language_and(name, answerable=is_so),
        )
        for name in LANGUAGES
        for is_so in (True, False)
    },
}
MEASURES: dict[str, Definition] = {
    **{f"evidence@{k}": Definition(_evidence_at(k)) for k in CUTOFFS},
    **{name: Definition(_ranked(name)) for name in RANKING_NAMES},
    "answer_right": Definition(lambda r: _known(r.right)),
    "token_f1": Definition(lambda r: _known(r.token_f1)),
    "citation_precision": Definition(lambda r: _known(r.citation_precision)),
    "citation_recall": Definition(lambda r: _known(r.citation_recall)),
    "citations_on_evidence": Definition(_on_evidence),
    "citations_verbatim": Definition(_verbatim),
    "sentences_per_answer_mean": Definition(
        lambda r: [r.sentences] if r.answered else [], lower_is_better=True
    ),
    "sentences_per_answer_median": Definition(
        lambda r: [r.sentences] if r.answered else [], median, lower_is_better=True
    ),
    "answers_per_sentence": Definition(_right_by_sentence),
    "false_answers": Definition(_false_answers(*NEAR_KINDS, "far"), lower_is_better=True),
    "false_answers_near": Definition(_false_answers(*NEAR_KINDS), lower_is_better=True),
    "false_answers_far": Definition(_false_answers("far"), lower_is_better=True),
    "false_refusals": Definition(
        lambda r: [float(not r.answered)] if r.answerable else [], lower_is_better=True
    ),
    "aurc": Definition(_confidence, _area(aurc), lower_is_better=True),
    "e_aurc": Definition(_confidence, _area(excess_aurc), lower_is_better=True),
    "auroc": Definition(_confidence, _discrimination),
    "total_ms_median": Definition(lambda r: _known(r.total_ms), median, lower_is_better=True),
    "total_ms_p95": Definition(lambda r: _known(r.total_ms), _p95, lower_is_better=True),
}
