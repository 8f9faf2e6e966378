"""How sure it is that the documents answer a question, from what was found: a calibrated model.

Whether one sentence is near the question does not tell an answer from a near miss: the near miss
names real things of the corpus. So several features are weighed together by logistic regression,
trained by tools/train_gate.py on the development half of the gold questions, and on the same
questions with their evidence taken away.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from askai.asked import asked_for, gives
from askai.lexical import WordSearch
from askai.records import Evidence, Hit
from askai.retrieve import Query, View
from askai.tokens import tokens

_MODEL = "answerability.json"
_READ = 3  # passages whose hold on the question's terms is looked at
_AMONG = 10  # units that the best one is held against

FEATURES = (
    "score",  # of the best unit, without the reranker's part
    "dense",  # cosine of question and best unit
    "passage",  # fused score of the best unit's passage
    "margin",  # of the best unit's score above the mean of the first ten
    "coverage",  # share of the question's terms in the best unit and its headings
    "reach",  # the most that one of the first passages holds of them
    "uncovered",  # the rarest term that the best unit's passage lacks, 0..1
    "names",  # share of the question's names that the best unit's surroundings hold
    "numbers",  # the same of its numbers
    "asked",  # whether the best unit gives a number, or a date, where one is asked for
    "rerank",  # sigmoid of half the best unit's logit
    "unread",  # 1 where no reranker read the unit
    "length",  # terms of the question, as a logarithm
)


@dataclass(frozen=True, slots=True)
class Held:
    """What the best unit's surroundings hold of the question's constraints, 0..1; 1 of none."""

    names: float
    numbers: float


def features(
    query: Query,
    hits: Sequence[Hit],
    evidence: Sequence[Evidence],
    held: Held,
    lexical: WordSearch,
) -> dict[str, float]:
    """The features of a question whose evidence, best first, is not empty."""
    best = evidence[0]
    passage = next((hit.score for hit in hits if hit.chunk.id == best.chunk.id), best.score)
    scores = [unit.score for unit in evidence[:_AMONG]]
    asked = asked_for(query.text)
    read = best.rerank is not None
    return {
        "score": 0.5 * passage + 0.5 * best.dense + 0.15 * best.coverage,
        "dense": best.dense,
        "passage": passage,
        "margin": best.score - sum(scores) / len(scores),
        "coverage": best.coverage,
        "reach": max((_share(query.views, hit, lexical) for hit in hits[:_READ]), default=0.0),
        "uncovered": _uncovered(query.views, best, lexical),
        "names": held.names,
        "numbers": held.numbers,
        "asked": float(gives(best.quote, asked, question=query.text)) if asked else 1.0,
        "rerank": 1 / (1 + math.exp(-(best.rerank or 0.0) / 2)) if read else 0.0,
        "unread": float(not read),
        "length": math.log(1 + len(query.terms)),
    }


def _share(views: Sequence[View], hit: Hit, lexical: WordSearch) -> float:
    held = set(tokens(hit.chunk.embedded_text))
    return max(_weight(v, held, lexical) / (_weight(v, None, lexical) or 1.0) for v in views)


def _weight(view: View, held: set[str] | None, lexical: WordSearch) -> float:
    terms = (term for term in view if held is None or not held.isdisjoint(term))
    return math.fsum(lexical.idf(term) for term in terms)


def _uncovered(views: Sequence[View], unit: Evidence, lexical: WordSearch) -> float:
    """The idf of the rarest term that the unit's passage lacks, as a share of the highest idf."""
    held = set(tokens(unit.chunk.embedded_text))
    highest = math.log1p(len(lexical)) or 1.0
    return min(
        max((lexical.idf(term) / highest for term in view if held.isdisjoint(term)), default=0.0)
        for view in views
    )


@dataclass(frozen=True, slots=True)
class Answerability:
    """Logistic regression over standardised features."""

    weights: Mapping[str, float]
    means: Mapping[str, float]
    scales: Mapping[str, float]
    bias: float
    threshold: float  # the gate is shut below it

    def confidence(self, found: Mapping[str, float]) -> float:
        """The probability, 0..1, that the documents answer."""
        z = self.bias + math.fsum(
            weight * (found[name] - self.means[name]) / self.scales[name]
            for name, weight in self.weights.items()
        )
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, z))))


@cache
def trained() -> Answerability:
    """The model that the package carries."""
    data = json.loads(files("askai").joinpath(_MODEL).read_text("utf-8"))
    return Answerability(
        weights=data["weights"],
        means=data["means"],
        scales=data["scales"],
        bias=data["bias"],
        threshold=data["threshold"],
    )
