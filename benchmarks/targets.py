"""What the figures are held against: the targets of issue 5, as ratios to the plain script."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from benchmarks.measures import paired_ratio
from benchmarks.results import Results
from benchmarks.systems import PLAIN


@dataclass(frozen=True, slots=True)
class Target:
    """Something to reach, and something better to aim at."""

    what: str
    measured: Callable[[Results], float]  # raises ValueError where it was not measured
    must: float
    aim: float | None
    form: str
    least: bool = False  # whether more is better

    def verdict(self, value: float) -> str:
        def holds(bound: float) -> bool:
            return value >= bound if self.least else value <= bound

        if self.aim is not None and holds(self.aim):
            return "reached, and the aim"
        return "reached" if holds(self.must) else "missed"

    def bound(self, value: float | None) -> str:
        if value is None:
            return ""
        return f"{'≥' if self.least else '≤'} {self.form.format(value)}"


def _ratio(measure: str, system: str) -> Callable[[Results], float]:
    return lambda results: (
        paired_ratio(results.of(measure, system), results.of(measure, PLAIN)).median
    )


def _median(measure: str, system: str, times: float = 1.0) -> Callable[[Results], float]:
    def value(results: Results) -> float:
        found = results.of(measure, system)
        if not found:
            raise ValueError(measure)
        return times * median(found)

    return value


_COLD, _WARM = "cold seconds", "warm seconds"
TARGETS = (
    Target("`askai ask` from the shell, time", _ratio(_COLD, "askai ask"), 0.22, 0.12, "{:.2f} ×"),
    Target("the same, peak memory", _median("cold peak MB", "askai ask"), 400, None, "{:.0f} MB"),
    Target("`askai search`, time", _ratio(_COLD, "askai search"), 0.15, 0.08, "{:.2f} ×"),
    Target("warm answer", _median(_WARM, "askai ask", 1e3), 250, 100, "{:.0f} ms"),
    Target("warm search", _median(_WARM, "askai search", 1e3), 15, 5, "{:.1f} ms"),
    Target(
        "embedding, characters per second",
        _ratio("embedding characters per second", "askai"),
        2.0,
        4.0,
        "{:.2f} ×",
        least=True,
    ),
)
