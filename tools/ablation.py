# ruff: noqa: INP001, T201
"""What each part of the way to an answer gives on the development half, and what it costs.

    python tools/ablation.py

One variant a line; parts are taken away one at a time. Vectors are those of the index, so what
shapes them (centring, context) needs an index of its own and is told of in docs/retrieval.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from askai.aliases import Aliases
from askai.answer import Answerer
from askai.answerability import trained
from askai.assemble import open_askai
from askai.evaluate import evaluate
from askai.gold import load_gold, split_of
from askai.rerankers.none import NoReranker
from askai.settings import Settings

ROOT = Path(__file__).parent.parent
MEASURES = (
    "evidence@1",
    "evidence@5",
    "answer_right",
    "citation_precision",
    "citation_recall",
    "false_refusals",
    "false_answers_near",
    "total_ms_median",
)


def variants(whole: Answerer) -> Iterator[tuple[str, Callable[[], Answerer]]]:
    retriever, finder, gate = whole.retriever, whole.finder, whole.gate
    yield "all", lambda: whole
    yield "no lexical leg", lambda: replace(whole, retriever=replace(retriever, lexical_weight=0.0))
    yield (
        "lexical leg x 4",
        lambda: replace(whole, retriever=replace(retriever, lexical_weight=1.0)),
    )
    yield "no sentences", lambda: replace(whole, retriever=replace(retriever, unit_share=0.0))
    yield "no translation", lambda: replace(whole, retriever=replace(retriever, translates=False))
    yield "no aliases", lambda: replace(whole, retriever=replace(retriever, aliases=Aliases()))
    yield "no reranker", lambda: replace(whole, finder=replace(finder, reranker=NoReranker()))
    open_gate = replace(trained(), threshold=0.0)
    yield "gate open", lambda: replace(whole, gate=replace(gate, model=open_gate))


def main() -> None:
    settings = Settings(corpus=str(ROOT / "corpus"), index=str(ROOT / "index"))
    print("| variant |", " | ".join(MEASURES), "|")
    print("|---" * (len(MEASURES) + 1) + "|")
    with open_askai(settings) as askai:
        texts = {s.path: askai.catalog.document(s.path).text for s in askai.catalog.sources()}
        items = load_gold(ROOT / "evals/gold.jsonl", texts=texts)
        items = [item for item in items if split_of(item.id) == "development"]
        for name, make in variants(askai.answerer):
            ask = make().ask
            found = evaluate(items, ask=lambda question, ask=ask: ask(question, k=10), texts=texts)
            measures = found.table[0].measures
            values = (measures[measure].value or 0.0 for measure in MEASURES)
            print(f"| {name} |", " | ".join(f"{v:.3g}" for v in values), "|", flush=True)


if __name__ == "__main__":
    main()
