"""The evaluation gate: no measure of the development half may get worse than what was reached.

    {"schema": "askai.baseline/1", "split": "development",
     "measures": {"evidence@5": {"value": 0.95, "tolerance": 0.05}, …}}

A tolerance is in the measure's own unit. Measures that are better when lower, errors and areas of
risk, may not rise by more than it; all others may not fall.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from askai.errors import GoldError
from askai.evaluate import MEASURES, Evaluation, Measure

SCHEMA = "askai.baseline/1"
SPLIT = "development"  # the only one: the test half is not asked by a gate
_LEAST = 0.02  # of a tolerance: machines differ in the last bits of a vector
# Times depend on the machine, and the rest follows from these.
_HELD = (
    "evidence@1", "evidence@5", "evidence@10", "R@10", "RR@10", "nDCG@10", "answer_right",
    "token_f1", "citation_precision", "citation_recall", "citations_verbatim",
    "answers_per_sentence", "false_answers", "false_answers_near", "false_answers_far",
    "false_refusals", "aurc", "auroc",
)  # fmt: skip
_EXACT = frozenset({"citations_verbatim"})


@dataclass(frozen=True, slots=True)
class Limit:
    value: float
    tolerance: float


@dataclass(frozen=True, slots=True)
class Baseline:
    limits: dict[str, Limit]  # by measure


def load_baseline(path: Path) -> Baseline:
    """Raises GoldError saying what is wrong with the file."""
    try:
        data = json.loads(path.read_bytes())
        limits = {
            name: Limit(float(limit["value"]), float(limit["tolerance"]))
            for name, limit in data["measures"].items()
        }
        schema, split = data["schema"], data["split"]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise GoldError(
            f"{path} is no baseline ({type(error).__name__}: {error}); expected {SCHEMA}."
        ) from error
    if schema != SCHEMA or split != SPLIT or not limits:
        raise GoldError(
            f"{path} has schema {schema!r}, split {split!r} and {len(limits)} measures; "
            f"expected {SCHEMA!r}, {SPLIT!r}, and at least one measure."
        )
    unknown = [name for name in limits if name not in MEASURES]
    if unknown:
        raise GoldError(
            f"{path} has limits of {', '.join(unknown)}; there are {', '.join(MEASURES)}."
        )
    return Baseline(limits)


def regressions(evaluation: Evaluation, baseline: Baseline) -> list[str]:
    """A sentence for each measure that is worse than the baseline by more than its tolerance."""
    measures = _measures(evaluation)
    found = []
    for name, limit in baseline.limits.items():
        value = measures[name].value
        if value is None:
            found.append(f"{name} was not measured; the baseline has {limit.value:.3f}.")
            continue
        worse = value - limit.value if MEASURES[name].lower_is_better else limit.value - value
        if not worse <= limit.tolerance + 1e-9:
            found.append(
                f"{name} is {value:.3f}; the baseline is {limit.value:.3f}, "
                f"with a tolerance of {limit.tolerance:.3f}."
            )
    return found


def to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """The baseline that this evaluation is: its development half, with tolerances.

    A tolerance is what one question makes of the measure, and at least .02: one question may
    tip over where a library rounds otherwise, two may not. No citation may stop being verbatim.
    """
    measures = _measures(evaluation)
    return {
        "schema": SCHEMA,
        "split": SPLIT,
        "measures": {
            name: {"value": round(value, 4), "tolerance": _tolerance(name, measures[name])}
            for name in _HELD
            if (value := measures[name].value) is not None
        },
    }


def render(baseline: dict[str, Any]) -> str:
    """The file: one line a measure, so that a change of it reads well."""
    lines = [
        f"    {json.dumps(name)}: {json.dumps(limit)}"
        for name, limit in baseline["measures"].items()
    ]
    head = f'{{\n  "schema": "{SCHEMA}",\n  "split": "{SPLIT}",\n  "measures": {{\n'
    return head + ",\n".join(lines) + "\n  }\n}\n"


def _measures(evaluation: Evaluation) -> dict[str, Measure]:
    return next(part for part in evaluation.table if part.name == SPLIT).measures


def _tolerance(name: str, measure: Measure) -> float:
    """In thousandths, rounded up."""
    if name in _EXACT:
        return 0.0
    return math.ceil(1000 * max(_LEAST, 1 / measure.n) - 1e-9) / 1000
