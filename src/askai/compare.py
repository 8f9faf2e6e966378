"""Two evaluations of the same questions: what changed, and whether it is more than chance.

Questions are paired by id. Intervals are those of the paired bootstrap: each sample draws
questions, and takes the difference of the measure over the same questions before and after.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from askai.errors import GoldError
from askai.evaluate import MEASURES, SCHEMA, bootstrapped, measure
from askai.judge import Result, from_dict
from askai.measures import Interval, interval, resamples
from askai.records import GoldItem

_NAMED = 5  # ids that a message repeats


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure over the questions that both have; None where a side has none of it."""

    name: str
    before: float | None
    after: float | None
    interval: Interval | None  # of the difference

    @property
    def value(self) -> float | None:
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves out no difference at all."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


@dataclass(frozen=True, slots=True)
class Change:
    """What came of one question, before and after."""

    before: Result
    after: Result


@dataclass(frozen=True, slots=True)
class Comparison:
    questions: int  # that both have
    only_before: int
    only_after: int
    differences: tuple[Difference, ...]
    better: tuple[Change, ...]  # right is better than declined, and declined than wrong
    worse: tuple[Change, ...]
    evidence_earlier: tuple[Change, ...]  # by rank; whether or not the answer changed
    evidence_later: tuple[Change, ...]


def load_evaluation(path: Path) -> list[Result]:
    """What came of each question, from what `askai eval --json` printed; raises GoldError."""
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise GoldError(
            f"{path} cannot be read ({error.strerror}); expected the output of `askai eval --json`."
        ) from error
    except (ValueError, RecursionError) as error:
        raise GoldError(
            f"{path} is not JSON ({error}); expected the output of `askai eval --json`."
        ) from error
    problem = _problem(data)
    if problem:
        raise GoldError(
            f"{path} is no evaluation: {problem}. Expected the output of `askai eval --json`, "
            f"schema {SCHEMA!r}."
        )
    if not data["items"]:
        raise GoldError(f"{path} is an evaluation of no question; there is nothing to compare.")
    return [from_dict(item) for item in data["items"]]


def check_same_questions(before: Iterable[Result], items: Iterable[GoldItem], path: Path) -> None:
    """Raises GoldError where the evaluation of `path` is not about these questions."""
    known = {item.id: item for item in items}
    shared = [result.item for result in before if result.item.id in known]
    if not shared:
        raise GoldError(
            f"{path} is an evaluation of other questions: none of its ids is among the "
            f"{len(known)} asked now."
        )
    other = [item.id for item in shared if item != known[item.id]]
    if other:
        named = ", ".join(other[:_NAMED]) + (", …" if len(other) > _NAMED else "")
        raise GoldError(
            f"{path} is an evaluation of other questions: {len(other)} of them ask, expect or "
            f"prove something else ({named}). Evaluate again with the gold set of today."
        )


def compare(before: Sequence[Result], after: Sequence[Result]) -> Comparison:
    """The differences over the questions that both have, in the order of `after`."""
    old = {result.item.id: result for result in before}
    pairs = [Change(old[new.item.id], new) for new in after if new.item.id in old]
    return Comparison(
        questions=len(pairs),
        only_before=len(before) - len(pairs),
        only_after=len(after) - len(pairs),
        differences=_differences(pairs),
        better=tuple(p for p in pairs if _outcome(p.after) > _outcome(p.before)),
        worse=tuple(p for p in pairs if _outcome(p.after) < _outcome(p.before)),
        evidence_earlier=tuple(p for p in pairs if _place(p.after) < _place(p.before)),
        evidence_later=tuple(p for p in pairs if _place(p.after) > _place(p.before)),
    )


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """`comparison` of schemas/evaluation.json."""

    def ids(changes: Iterable[Change]) -> list[str]:
        return [change.after.item.id for change in changes]

    return {
        "questions": comparison.questions,
        "only_before": comparison.only_before,
        "only_after": comparison.only_after,
        "differences": [
            {
                "measure": found.name,
                "before": found.before,
                "after": found.after,
                "difference": found.value,
                "interval": None if found.interval is None else list(found.interval),
            }
            for found in comparison.differences
        ],
        "better": ids(comparison.better),
        "worse": ids(comparison.worse),
        "evidence_earlier": ids(comparison.evidence_earlier),
        "evidence_later": ids(comparison.evidence_later),
    }


def _differences(pairs: Sequence[Change]) -> tuple[Difference, ...]:
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    samples = resamples([result.answerable for result in after])
    return tuple(
        Difference(
            name,
            measure(name, before).value,
            measure(name, after).value,
            interval(bootstrapped(name, after, samples) - bootstrapped(name, before, samples)),
        )
        for name in MEASURES
    )


def _outcome(result: Result) -> int:
    """2: right; 1: declined; 0: wrong, or an answer where there is none."""
    if result.right:
        return 2
    return 0 if result.answered else 1


def _place(result: Result) -> float:
    return float("inf") if result.evidence_rank is None else result.evidence_rank


def _problem(data: Any) -> str:
    """What is wrong with the form of an evaluation; "" when nothing is."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  only `--compare` pays for it
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    if isinstance(data, dict) and data.get("schema") not in (None, SCHEMA):
        return f"its schema is {str(data['schema'])[:60]!r}"
    text = (resources.files("askai") / "schemas" / "evaluation.json").read_text("utf-8")
    error = best_match(Draft202012Validator(json.loads(text)).iter_errors(data))
    if error is None:
        ids = [item["id"] for item in data["items"]]
        return "" if len(set(ids)) == len(ids) else "an id stands in it twice"
    return f"{error.json_path}: {error.message[:120]}"
