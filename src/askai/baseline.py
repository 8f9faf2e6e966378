"""The evaluation gate: no measure of the development half may fall below what was reached before.

    {"schema": "askai.baseline/1", "split": "development",
     "measures": {"evidence@5": {"value": 0.95, "tolerance": 0.05}, …}}

A tolerance is in the measure's own unit. Measures of errors (false_answers, false_refusals) may
not rise by more than it; all others may not fall.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from askai.errors import GoldError
from askai.evaluate import Evaluation
from askai.gold import SPLITS

SCHEMA = "askai.baseline/1"
_ERRORS = frozenset({"false_answers", "false_refusals"})


@dataclass(frozen=True, slots=True)
class Limit:
    value: float
    tolerance: float


@dataclass(frozen=True, slots=True)
class Baseline:
    split: str
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
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise GoldError(
            f"{path} is no baseline ({type(error).__name__}: {error}); expected {SCHEMA}."
        ) from error
    if schema != SCHEMA or split not in SPLITS or not limits:
        raise GoldError(
            f"{path} has schema {schema!r}, split {split!r} and {len(limits)} measures; "
            f"expected {SCHEMA!r}, one of {', '.join(SPLITS)}, and at least one measure."
        )
    return Baseline(split, limits)


def regressions(evaluation: Evaluation, baseline: Baseline) -> list[str]:
    """A sentence for each measure that is worse than the baseline by more than its tolerance."""
    measures = next(s for s in evaluation.table if s.name == baseline.split).measures
    found = []
    for name, limit in baseline.limits.items():
        if name not in measures or measures[name].value is None:
            found.append(f"{name} was not measured; the baseline has {limit.value:.3f}.")
            continue
        value = measures[name].value or 0.0
        worse = value - limit.value if name in _ERRORS else limit.value - value
        if worse > limit.tolerance + 1e-9:
            found.append(
                f"{name} is {value:.3f}; the baseline is {limit.value:.3f}, "
                f"with a tolerance of {limit.tolerance:.3f}."
            )
    return found
