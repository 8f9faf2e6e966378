"""An evaluation as one HTML page to look at: figures, curves, bars by slice, and every miss.

The page needs nothing but itself. What it shows of questions and documents is hostile input: the
template escapes all of it, and what hides or reorders text is taken out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from askai.evaluate import (
    Estimate,
    Evaluation,
    Measure,
    Operation,
    Slice,
    bootstrapped,
    measure,
)
from askai.gold import ANSWERABLE_KINDS, UNANSWERABLE_KINDS
from askai.judge import Result
from askai.measures import aurc, interval, resamples, risk_coverage
from askai.render import safe
from askai.scoreboard import expected, faults, is_test, percent, tables, verdict

CURVE_TO = 10  # passages
_WIDTH, _HEIGHT = 300.0, 180.0  # of the field of a chart, in SVG units
_BAR, _ROW = 170.0, 22.0  # the longest bar, and from one bar to the next
_HEADLINES = {
    "evidence@5": "evidence in 5 passages",
    "evidence@1": "evidence in the first",
    "answer_right": "answered right",
    "citation_precision": "citations on the evidence",
    "false_refusals": "false refusals",
    "false_answers": "false answers",
    "false_answers_near": "false answers, near",
    "false_answers_far": "false answers, far",
}
_BARS = {
    "evidence@5": ("Evidence in 5 passages", ANSWERABLE_KINDS),
    "answer_right": ("Answered right", ANSWERABLE_KINDS),
    "false_refusals": ("False refusals", ANSWERABLE_KINDS),
    "false_answers": ("False answers", (*UNANSWERABLE_KINDS, "near")),
}


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    group: str
    text: str
    n: int
    length: float
    y: float


@dataclass(frozen=True, slots=True)
class Bars:
    title: str
    bars: tuple[Bar, ...]
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    style: str  # a class of the template
    points: str  # of an SVG polyline


def render(evaluation: Evaluation, *, about: Mapping[str, str], keep_back_test: bool = True) -> str:
    """The page; `about` says what was measured, for its head.

    With `keep_back_test`, questions of the test half are counted and not shown. Raises ValueError
    where nothing was asked.
    """
    if not evaluation.results:
        raise ValueError("An evaluation of no question has nothing to show.")
    shown = [r for r in evaluation.results if not (keep_back_test and is_test(r))]
    page = _environment().from_string(
        (resources.files("askai") / "templates" / "report.html").read_text("utf-8")
    )
    return page.render(
        about=about,
        whole=evaluation.table[0],
        headlines=_headlines(evaluation.results),
        bars=[_bars(name, evaluation.table) for name in _BARS],
        recall=_recall(evaluation.results),
        operation=_operating(evaluation.operation[0]),
        risk=_risk(evaluation.operation[0], evaluation.results),
        tables=list(tables(evaluation.table)),
        misses=_misses(shown),
        good={
            name: [r for r in shown if verdict(r) == name and not faults(r)]
            for name in ("right", "rightly declined")
        },
        kept_back=len(evaluation.results) - len(shown),
        field=(_WIDTH, _HEIGHT),
        widest=_BAR,
    )


def _environment() -> Environment:
    made = Environment(
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(percent=percent, expected=expected, faults=faults)
    return made


def _finalized(value: Any) -> Any:
    """Whatever is printed, without control characters and those that reorder text."""
    return value if isinstance(value, Markup | int | float) else safe(str(value))


def _headlines(results: Sequence[Result]) -> list[tuple[str, Estimate]]:
    samples = resamples([result.answerable for result in results])
    found = []
    for name, title in _HEADLINES.items():
        value = measure(name, results)
        spread = interval(bootstrapped(name, results, samples))
        found.append((title, Estimate(value.value, value.n, spread)))
    return found


def _bars(name: str, table: Iterable[Slice]) -> Bars:
    title, kinds = _BARS[name]
    chosen = [
        (part, part.measures[name])
        for part in table
        if (part.group in ("all", "split", "language") or part.name in kinds)
        and part.measures[name].n
    ]
    bars = tuple(_bar(part, found, n) for n, (part, found) in enumerate(chosen))
    return Bars(title, bars, _ROW * len(bars))


def _bar(part: Slice, found: Measure, n: int) -> Bar:
    value = found.value or 0.0
    return Bar(part.name, part.group, percent(value), found.n, _BAR * value, _ROW * n)


def _recall(results: Iterable[Result]) -> list[Line]:
    """By k: the share of what is needed that k passages bring, and of questions that have all."""
    chosen = [result for result in results if result.answerable]
    cutoffs = range(1, CURVE_TO + 1)

    def line(name: str, style: str, share: Callable[[Result, int], float]) -> Line:
        means = [sum(share(r, k) for r in chosen) / len(chosen) for k in cutoffs]
        ends = [((k - 1) / (CURVE_TO - 1), mean) for k, mean in zip(cutoffs, means, strict=True)]
        return Line(
            f"{name}: {means[0]:.0%} at 1, {means[-1]:.0%} at {CURVE_TO}", style, _path(ends)
        )

    if not chosen:
        return []
    return [
        line("R@k, the share of what is needed", "second", _needs_met),
        line("evidence@k, all that is needed", "first", lambda r, k: float(r.found_at(k))),
    ]


def _needs_met(result: Result, k: int) -> float:
    met = sum(rank is not None and rank <= k for rank in result.need_ranks)
    return met / len(result.need_ranks)


def _risk(operation: Operation, results: Sequence[Result]) -> list[Line]:
    errors = [result.would_err for result in results]
    ideal = risk_coverage([-float(wrong) for wrong in errors], errors)
    area = aurc([result.confidence for result in results], errors) or 0.0
    best = aurc([-float(wrong) for wrong in errors], errors) or 0.0
    base = sum(errors) / len(errors)
    return [
        Line(f"no order at all: {base:.1%} wrong", "base", _path([(0, base), (1, base)])),
        Line(f"the ideal order: area {best:.3f}", "ideal", _path(ideal)),
        Line(f"by confidence: area {area:.3f}", "first", _path(operation.curve)),
    ]


def _operating(operation: Operation) -> dict[str, Any]:
    here = operation.at[0]
    coverage, risk = here.coverage.value, here.risk.value
    point = None
    if coverage is not None and risk is not None:
        low, high = here.risk.interval or (risk, risk)
        point = {
            "x": _WIDTH * coverage,
            "y": _HEIGHT * (1 - risk),
            "top": _HEIGHT * (1 - high),
            "bottom": _HEIGHT * (1 - low),
            "says": f"the gate: {coverage:.1%} answered, {risk:.1%} of it wrong",
        }
    return {"found": operation, "point": point}


def _path(points: Iterable[tuple[float, float]]) -> str:
    """Points of the unit square as an SVG polyline; up is up."""
    return " ".join(f"{_WIDTH * x:.1f},{_HEIGHT * (1 - y):.1f}" for x, y in points)


def _misses(results: Iterable[Result]) -> dict[str, list[Result]]:
    """By the first of their faults, the gravest first."""
    found: dict[str, list[Result]] = {
        name: [] for name in ("false answer", "wrong answer", "false refusal")
    }
    for result in results:
        named = faults(result)
        if named:
            found.setdefault(named[0], []).append(result)
    return {name: missed for name, missed in found.items() if missed}
