# ruff: noqa: INP001, T201
"""Trains src/askai/answerability.json on the development half of the gold questions.

    python tools/train_gate.py [--write]

Each question is asked as a user would ask it. An answerable one is also asked with its evidence
taken away, which makes a near miss of it. Logistic regression with a ridge penalty (scikit-learn);
what is printed is by cross-validation over questions, so no question judges itself. The test half
is never asked.
"""

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from askai.answerability import FEATURES
from askai.assemble import open_askai
from askai.gold import load_gold, places, split_of
from askai.records import Chunk, GoldItem
from askai.settings import Settings

ROOT = Path(__file__).parent.parent
FALSE_REFUSALS = 0.05  # of the development half, by cross-validation
WEIGHT_TAKEN = 0.2  # of a question with its evidence taken away: other places may answer it
PENALTIES = (0.03, 0.1, 0.3, 1.0)


def observed() -> tuple[list[dict[str, float]], list[bool], list[float], list[str], list[str]]:
    """(features, answerable, weight, question id, kind) of every question and its variant."""
    rows: list[tuple[dict[str, float], bool, float, str, str]] = []
    with open_askai(Settings(corpus=str(ROOT / "corpus"))) as askai:
        texts = {s.path: askai.catalog.document(s.path).text for s in askai.catalog.sources()}
        retriever, finder, gate = askai.retriever, askai.answerer.finder, askai.answerer.gate
        for item in load_gold(ROOT / "evals/gold.jsonl", texts=texts):
            if split_of(item.id) != "development":
                continue
            query = retriever.query(item.question)
            hits = retriever.search(query, 20)
            found = gate.examine(query, hits[:10], finder.find(query, hits[:10]))
            answerable = item.unanswerable is None
            rows.append((found.features, answerable, 1.0, item.id, item.kind))
            if answerable:
                left = [hit for hit in hits if not _holds(item, hit.chunk, texts)][:10]
                found = gate.examine(query, left, finder.find(query, left))
                rows.append((found.features, False, WEIGHT_TAKEN, item.id, "taken"))
    return tuple(map(list, zip(*rows, strict=True)))  # type: ignore[return-value]


def _holds(item: GoldItem, chunk: Chunk, texts: dict[str, str]) -> bool:
    return any(
        chunk.path == quote.path and chunk.start < end and start < chunk.end
        for quote in item.evidence
        for start, end in places(quote, texts)
    )


def main() -> None:
    found, answerable, weights, ids, kinds = observed()
    x = np.array([[row[name] for name in FEATURES] for row in found])
    y, w = np.array(answerable), np.array(weights)
    means, scales = x.mean(axis=0), x.std(axis=0)
    scales[scales < 1e-6] = 1.0
    z = (x - means) / scales
    real = np.array([kind != "taken" for kind in kinds])
    near = real & np.array([kind != "far" for kind in kinds])
    print(f"{real.sum()} questions, {y.sum()} answerable, {(~real).sum()} with evidence taken away")
    for i, name in enumerate(FEATURES):
        print(f"  {name:10} AUROC alone {roc_auc_score(y[near], x[near, i]):.3f}")
    best = max(PENALTIES, key=lambda c: roc_auc_score(y[near], _crossed(z, y, w, ids, c)[near]))
    p = _crossed(z, y, w, ids, best)
    print(f"C {best}: AUROC {roc_auc_score(y[real], p[real]):.3f}", end="")
    print(f", near misses {roc_auc_score(y[near], p[near]):.3f}")
    for share in (0.02, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15):
        t = float(np.quantile(p[real & y], share))
        said = {k: p[[a == k for a in kinds]] >= t for k in sorted({*kinds})}
        false = {k: round(float(v.mean()), 2) for k, v in said.items() if k in _UNANSWERABLE}
        print(f"  false refusals {share:.2f}: threshold {t:.3f}, false answers {false}")
    threshold = float(np.quantile(p[real & y], FALSE_REFUSALS))
    model = LogisticRegression(C=best, max_iter=5000).fit(z, y, sample_weight=w)
    coefficients = dict(zip(FEATURES, model.coef_[0], strict=True))
    print({name: round(float(value), 2) for name, value in coefficients.items()})
    if "--write" in sys.argv:
        path = ROOT / "src/askai/answerability.json"
        content = {
            "weights": {n: round(float(v), 4) for n, v in coefficients.items()},
            "means": {n: round(float(v), 4) for n, v in zip(FEATURES, means, strict=True)},
            "scales": {n: round(float(v), 4) for n, v in zip(FEATURES, scales, strict=True)},
            "bias": round(float(model.intercept_[0]), 4),
            "threshold": round(threshold, 4),
        }
        path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        print(path)


_UNANSWERABLE = ("near_miss", "false_premise", "half_answered", "far", "taken")


def _crossed(z: np.ndarray, y: np.ndarray, w: np.ndarray, ids: list[str], c: float) -> np.ndarray:
    """Probabilities of each row by a model that has not seen its question."""
    p = np.zeros(len(y))
    for train, test in GroupKFold(10).split(z, y, ids):
        model = LogisticRegression(C=c, max_iter=5000)
        model.fit(z[train], y[train], sample_weight=w[train])
        p[test] = model.predict_proba(z[test])[:, 1]
    return p


if __name__ == "__main__":
    main()
