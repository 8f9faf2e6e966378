"""Bench sets: folders in the form of BEIR (corpus.jsonl, queries.jsonl, qrels.tsv)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchError
from benchmarks.systems import Passage

FILES = ("corpus.jsonl", "queries.jsonl", "qrels.tsv")


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    text: str
    relevant: dict[str, int]  # grade by document id, never empty


@dataclass(frozen=True, slots=True)
class BenchSet:
    """Documents, and the questions that they answer."""

    name: str
    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]

    @property
    def characters(self) -> int:
        return sum(len(passage.text) for passage in self.passages)

    def first(self, count: int) -> "BenchSet":
        """The first documents, and the questions that are answered by them."""
        kept = self.passages[:count]
        ids = {passage.id for passage in kept}
        questions = tuple(q for q in self.questions if set(q.relevant) <= ids)
        return replace(self, passages=kept, questions=questions)

    def holding(self, characters: int, *, least: int) -> int:
        """How many of the first documents have so many characters together, `least` or more."""
        sums = accumulate(len(passage.text) for passage in self.passages)
        count = sum(total <= characters for total in sums)
        return min(max(count, least), len(self.passages))

    def spread(self, count: int) -> "tuple[Question, ...]":
        """So many questions, evenly over the set; all where there are fewer."""
        step = max(1.0, len(self.questions) / count)
        return tuple(self.questions[int(n * step)] for n in range(min(count, len(self.questions))))


def load_sets(folders: Sequence[Path]) -> list[BenchSet]:
    """The sets; raises BenchError where a file is missing or the documents are not the same."""
    found = [_load(folder) for folder in folders]
    for other in found[1:]:
        if other.passages != found[0].passages:
            raise BenchError(
                f"The sets {found[0].name} and {other.name} have different documents; expected "
                "sets of the same documents with other questions. Run the benchmark once for each."
            )
    return found


def _load(folder: Path) -> BenchSet:
    for name in FILES:
        if not (folder / name).is_file():
            raise BenchError(
                f"The bench set {folder} is missing: there is no {name} in it. Expected a folder "
                f"in the form of BEIR with {', '.join(FILES)}; name one with --bench DIR."
            )
    relevant: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            relevant.setdefault(query, {})[document] = int(grade)
    passages = tuple(
        Passage(row["_id"], "\n\n".join(part for part in (row.get("title"), row["text"]) if part))
        for row in _rows(folder / "corpus.jsonl")
    )
    questions = tuple(
        Question(row["_id"], row["text"], relevant[row["_id"]])
        for row in _rows(folder / "queries.jsonl")
        if row["_id"] in relevant
    )
    if not passages or not questions:
        raise BenchError(f"The bench set {folder} has no document or no question with an answer.")
    return BenchSet(folder.resolve().name, passages, questions)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)
