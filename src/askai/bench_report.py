"""`askai eval --beir`: the questions of a folder asked, and what is written and printed of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TextIO

from askai import output
from askai.answer import cleaned
from askai.assemble import OpenBench
from askai.beir import BeirQuery, Bench, entries, id_of
from askai.bench import (
    DOCUMENTS,
    MEASURES,
    Legs,
    Outcome,
    Ranker,
    Ranking,
    mean,
    outcomes,
    trec_lines,
    worth,
)
from askai.errors import GoldError, QuestionError
from askai.index_report import IndexReport
from askai.measures import LEVEL, Interval
from askai.records import Answer
from askai.spans import SpanScores

_SHOWN = 20  # problems named at once


@dataclass(frozen=True, slots=True)
class How:
    """The choices of a run."""

    index_dir: str
    legs: Legs
    span_k: int  # passages held against the spans
    limit: int | None  # queries asked, of those that there are


@dataclass(frozen=True, slots=True)
class BenchRun:
    """What was asked of a BEIR folder, how, and what came of it."""

    bench: Bench
    how: How
    index: IndexReport
    embedder: str
    outcomes: tuple[Outcome, ...]
    seconds: float  # of asking all the questions, after the index is built and opened

    @property
    def with_answers(self) -> bool:
        return any(outcome.answered is not None for outcome in self.outcomes)


def check_before(bench: Bench, *, run: bool, answers: bool) -> None:
    """Raises GoldError for what a run or answers could not be written of, before anything is."""
    problems = []
    if run:  # whose columns stand between blanks
        ids = [("query", query.id) for query in bench.queries]
        ids += [("document", entry.id) for entry in entries(bench)]
        for kind, name in ids:
            if len(name.split()) != 1 or name != name.strip():
                problems.append(f"A TREC run cannot name the {kind} {name!r}: it has a blank.")
    if answers:
        for query in bench.queries:
            try:
                cleaned(query.text)
            except QuestionError as error:
                problems.append(f"Query {query.id!r} cannot be answered: {error}")
    if len(problems) > _SHOWN:
        problems[_SHOWN:] = [f"… and {len(problems) - _SHOWN} more."]
    if problems:
        raise GoldError("\n".join(problems))


def run_bench(
    bench: Bench,
    opened: OpenBench,
    index: IndexReport,
    *,
    how: How,
    run_file: TextIO | None = None,
    answers_file: TextIO | None = None,
    done: Callable[[int, int], None] = lambda *_: None,
) -> BenchRun:
    """Asks the questions, writing as it goes; answers are asked for when there is a file for them.

    `done` is told how many of how many questions are done.
    """
    start = perf_counter()
    queries = bench.queries[: how.limit]
    ranker = Ranker(opened.retriever, how.legs, span_k=how.span_k)

    def ask(query: BeirQuery) -> Answer:
        answer = opened.answerer.ask(query.text)
        if answers_file is not None:
            answers_file.write(_answer_line(query, answer, opened))
        return answer

    def ranked(ranking: Ranking) -> None:
        if run_file is not None:
            run_file.write(trec_lines(ranking, how.legs))

    found = []
    for outcome in outcomes(
        queries,
        rank=lambda query: ranker.rank(query, documents=min(DOCUMENTS, bench.documents)),
        ask=ask if answers_file else None,
        span_k=how.span_k,
        ranked=ranked,
    ):
        found.append(outcome)
        done(len(found), len(queries))
    return BenchRun(
        bench=bench,
        how=how,
        index=index,
        embedder=opened.embedder.name,
        outcomes=tuple(found),
        seconds=perf_counter() - start,
    )


def _answer_line(query: BeirQuery, answer: Answer, opened: OpenBench) -> str:
    """The object of `askai ask --json` with `query_id`; its sources are corpus ids."""
    value = output.answer_object(
        answer, manifest=opened.manifest, embedder=opened.embedder.name, shown=id_of
    )
    return json.dumps({"query_id": query.id, **value}, ensure_ascii=False) + "\n"


def to_dict(run: BenchRun) -> dict[str, Any]:
    """The run in the form of schemas/beir.json, ready for JSON."""
    return {
        "schema": "askai.beir/1",
        "folder": str(run.bench.folder),
        "documents": run.bench.documents,
        "blank_documents": run.bench.blank,
        "passages": run.index.chunks,
        "embedder": run.embedder,
        "legs": run.how.legs,
        "queries": {
            "asked": len(run.outcomes),
            "limit": run.how.limit,
            "judged": sum(bool(outcome.measures) for outcome in run.outcomes),
            "unjudged": run.bench.unjudged,
        },
        "measures": {name: _value(_measured(run, name)) for name in MEASURES},
        "spans": {
            "k": run.how.span_k,
            **{name: _value(_spanned(run, name)) for name in SpanScores._fields},
        },
        "answers": _answers(run) if run.with_answers else None,
        "index": {
            "folder": run.how.index_dir,
            "generation": run.index.generation,
            "built": run.index.built,
        },
        "seconds": {"index": round(run.index.seconds, 2), "queries": round(run.seconds, 2)},
        "items": [_item(outcome) for outcome in run.outcomes],
    }


def render(run: BenchRun) -> str:
    """A few lines with every figure, and what each is over."""
    asked, bench = len(run.outcomes), run.bench
    first = f"{bench.folder}: {bench.documents} documents in {run.index.chunks} passages"
    lines = [f"{first}, {asked} queries, {run.embedder}, legs: {run.how.legs}"]
    if run.how.limit is not None:
        lines.append(f"Only the first {run.how.limit} queries (--limit): no figure for a table.")
    if bench.unjudged:
        lines.append(f"Not asked: {bench.unjudged} queries without a relevant document.")
    if bench.blank:
        lines.append(f"Never found: {bench.blank} documents without text.")
    lines += ["", _row("documents", {name: _measured(run, name) for name in MEASURES}, asked)]
    spans = {name: _spanned(run, name) for name in SpanScores._fields}
    if spans["recall"][1]:
        lines += ["", _row(f"spans of the top {run.how.span_k} passages", spans, asked)]
    if run.with_answers:
        lines += ["", *_answer_lines(run)]
    built = "built" if run.index.built else "kept"
    each = f", {1000 * run.seconds / asked:.0f} ms each" if asked else ""
    lines += [
        "",
        f"seconds: index {run.index.seconds:.1f} ({built}), queries {run.seconds:.1f}{each}",
    ]
    return "\n".join(lines)


def _measured(run: BenchRun, name: str) -> tuple[float | None, int]:
    return mean(outcome.measures.get(name) for outcome in run.outcomes)


def _spanned(run: BenchRun, name: str) -> tuple[float | None, int]:
    return mean(getattr(outcome.spans, name) if outcome.spans else None for outcome in run.outcomes)


def _answers(run: BenchRun) -> dict[str, Any]:
    found = worth(run.outcomes)
    return {
        **{name: _value(value) for name, value in _answer_measures(run.outcomes).items()},
        "aurc": None
        if found is None
        else {
            "n": found.n,
            "confidence": found.confidence,
            "cosine": found.cosine,
            "difference": found.difference,
            "interval": list(found.interval) if found.interval else None,
        },
    }


def _answer_measures(outcomes: Sequence[Outcome]) -> dict[str, tuple[float | None, int]]:
    answerable = [outcome for outcome in outcomes if outcome.query.answerable]
    others = [outcome for outcome in outcomes if not outcome.query.answerable]
    return {
        "answer_right": mean(_number(outcome.right) for outcome in answerable),
        "false_answers": mean(_number(outcome.answered) for outcome in others),
        "false_refusals": mean(_number(outcome.answered is False) for outcome in answerable),
    }


def _number(value: bool | None) -> float | None:  # noqa: FBT001  a value, not a switch
    return None if value is None else float(value)


def _answer_lines(run: BenchRun) -> list[str]:
    lines = [
        f"{name.replace('_', ' ').ljust(15)} {_shown(value)} of {n}"
        for name, (value, n) in _answer_measures(run.outcomes).items()
    ]
    found = worth(run.outcomes)
    if found is not None:
        lines.append(f"area under the risk–coverage curve of {found.n} (lower is better)")
        areas = f"by confidence {found.confidence:.3f}, by cosine {found.cosine:.3f}"
        lines.append(f"  {areas}: {found.difference:+.3f}{_between(found.interval)}")
    return lines


def _between(found: Interval | None) -> str:
    if found is None:
        return ""
    return f" ({LEVEL:.0%} interval {found.low:+.3f} to {found.high:+.3f})"


def _item(outcome: Outcome) -> dict[str, Any]:
    return {
        "query_id": outcome.query.id,
        "answerable": outcome.query.answerable,
        "measures": outcome.measures or None,
        "spans": outcome.spans._asdict() if outcome.spans else None,
        "answered": outcome.answered,
        "right": outcome.right,
        "confidence": outcome.confidence,
        "cosine": outcome.cosine,
    }


def _value(found: tuple[float | None, int]) -> dict[str, float | int | None]:
    return {"value": found[0], "n": found[1]}


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _row(title: str, found: dict[str, tuple[float | None, int]], asked: int) -> str:
    """Names over values; over how many queries, where it is not all."""
    n = max(n for _, n in found.values())
    over = f" (over {n} of {asked} queries)" if n != asked else ""
    values = [_shown(value) for value, _ in found.values()]
    widths = [max(len(name), len(value)) for name, value in zip(found, values, strict=True)]
    names = "  ".join(name.rjust(width) for name, width in zip(found, widths, strict=True))
    below = "  ".join(value.rjust(width) for value, width in zip(values, widths, strict=True))
    return f"{title}{over}\n  {names}\n  {below}"
