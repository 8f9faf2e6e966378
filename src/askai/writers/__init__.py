"""The writer seam: a question and evidence in, sentences with their evidence out."""

import re
from collections.abc import Sequence
from typing import Protocol

from askai.records import Evidence
from askai.retrieve import Query
from askai.tables import render_row

_SPACE = re.compile(r"\s+")

WRITERS = {"extractive": "askai.writers.extractive:ExtractiveWriter"}

# A sentence with the units that carry it.
Drafted = tuple[str, tuple[Evidence, ...]]


class Writer(Protocol):
    """Says only what the evidence it returns says."""

    def write(self, query: Query, evidence: Sequence[Evidence]) -> list[Drafted]:
        """The sentences of an answer, in order; `evidence` comes best first and is not empty."""
        ...


def printed(unit: Evidence) -> str:
    """A unit as an answer prints it: runs of blanks are one, a row is its cells with columns."""
    if unit.chunk.kind == "table_row":
        return render_row(unit.quote, _columns(unit))
    return _SPACE.sub(" ", unit.quote)


def _columns(unit: Evidence) -> tuple[str, ...]:
    """The header from the column that the quote begins at: a unit leaves out empty first cells."""
    skipped = unit.chunk.text[: unit.start - unit.chunk.start].count("\t")
    return unit.chunk.header[skipped:]
