"""The figures of a run, every repetition, and the file that keeps them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchError

FORMAT = 1


class Results:
    """Figures by measure and by system, and what they were measured on.

    Written after each figure that took long, so that an interrupted run keeps what it has.
    """

    def __init__(
        self,
        about: Mapping[str, Any] | None = None,
        figures: Mapping[str, Mapping[str, list[float]]] | None = None,
    ) -> None:
        self.about: dict[str, Any] = {"complete": False, "notes": [], **(about or {})}
        self.figures: dict[str, dict[str, list[float]]] = {
            measure: {name: list(values) for name, values in found.items()}
            for measure, found in (figures or {}).items()
        }

    @property
    def complete(self) -> bool:
        return bool(self.about["complete"])

    def add(self, measure: str, system: str, value: float) -> None:
        """One more repetition."""
        self.figures.setdefault(measure, {}).setdefault(system, []).append(value)

    def of(self, measure: str, system: str) -> list[float]:
        """All repetitions; none where it was not measured."""
        return self.figures.get(measure, {}).get(system, [])

    def note(self, text: str) -> None:
        """Something that a reader of the figures has to know."""
        self.about["notes"].append(text)

    def save(self, file: Path) -> None:
        """Whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        rounded = {
            measure: {name: [_short(value) for value in values] for name, values in found.items()}
            for measure, found in self.figures.items()
        }
        text = _with_short_lists({"format": FORMAT, **self.about, "figures": rounded})
        beside = file.with_name(f"{file.name}.new")
        beside.write_text(text, "utf-8")
        beside.replace(file)

    @classmethod
    def load(cls, file: Path) -> "Results":
        """Raises BenchError where there are none, or ones of another form."""
        try:
            found = json.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            raise BenchError(f"{file} is not there yet: `make bench` measures it.") from None
        except (OSError, ValueError) as error:
            raise BenchError(f"{file} cannot be read: {error}.") from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise BenchError(f"{file} is not of form {FORMAT}; measure anew with `make bench`.")
        figures = found.pop("figures")
        del found["format"]
        return cls(found, figures)


def _short(value: float) -> float:
    """Six digits: more of a figure is noise."""
    return float(f"{value:.6g}")


def _with_short_lists(value: dict[str, Any]) -> str:
    """JSON, indented, with each list of numbers on one line."""
    lists: list[str] = []

    def marked(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: marked(inner) for key, inner in part.items()}
        if isinstance(part, list) and part and all(isinstance(n, int | float) for n in part):
            lists.append(json.dumps(part))
            return f"\0{len(lists) - 1}\0"
        return part

    text = json.dumps(marked(value), indent=2, ensure_ascii=False)
    for n, numbers in enumerate(lists):
        text = text.replace(f'"\\u0000{n}\\u0000"', numbers)
    return f"{text}\n"
