"""An evaluation as a person reads it in a terminal: tables of 100 columns, then every miss."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from askai.compare import Change, Comparison
from askai.evaluate import CUTOFFS, Estimate, Evaluation, Measure, Operation, Slice
from askai.gold import UNANSWERABLE_KINDS, split_of
from askai.judge import Result
from askai.measures import LEVEL, RESAMPLES
from askai.render import safe

_CAME = 120  # characters of what came

Format = Callable[[Measure], str]


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def render(evaluation: Evaluation, *, keep_back_test: bool = True) -> str:
    """Tables for a terminal, then every miss with what was expected and what came.

    Misses of the test half are counted and, with `keep_back_test`, not shown: who has read them
    can no longer test on them.
    """
    whole = evaluation.table[0]
    return "\n\n".join(
        [
            f"{whole.questions} questions: {whole.answered} answered, {whole.abstained} declined",
            *[grid([table.head, *table.rows]) for table in tables(evaluation.table)],
            *[_operation(part) for part in evaluation.operation[:1]],
            _citations_and_time(whole.measures),
            _misses(evaluation.results, keep_back_test=keep_back_test),
        ]
    )


def comparison(found: Comparison, *, name: str, keep_back_test: bool = True) -> str:
    """Each measure before and after, then the questions that got better and worse."""
    rows = [["measure", "before", "after", "difference", f"{LEVEL:.0%} interval", ""]]
    for each in found.differences:
        low, high = each.interval or (None, None)
        between = "–" if low is None else f"{_signed(low)} to {_signed(high)}"
        sides = (_plain(each.before), _plain(each.after), _signed(each.value), between)
        rows.append([each.name, *sides, "*" if each.is_sure else ""])
    others = f", {found.only_before} only there, {found.only_after} only here"
    some = others if found.only_before or found.only_after else ""
    parts = [
        f"compared with {safe(name)}: {found.questions} questions{some}",
        f"{grid(rows)}\n(* the interval leaves out 0)",
    ]
    for title, changes in {"better": found.better, "worse": found.worse}.items():
        shown = [c for c in changes if not (keep_back_test and is_test(c.after))]
        parts += [_counted(title, changes, kept=len(changes) - len(shown)), *map(_change, shown)]
    moved = {"earlier": found.evidence_earlier, "later": found.evidence_later}
    for title, changes in moved.items():
        shown = [c for c in changes if not (keep_back_test and is_test(c.after))]
        head = _counted(f"evidence {title}", changes, kept=len(changes) - len(shown))
        parts.append("\n".join([head, *map(_moved, shown)]))
    return "\n\n".join(parts)


def is_test(result: Result) -> bool:
    """Whether a question is of the half that nothing is tuned on."""
    return split_of(result.item.id) == "test"


def faults(result: Result) -> list[str]:
    """What went wrong, in words; where the evidence stood, when something did."""
    found = {
        "false answer": not result.answerable and result.answered,
        "false refusal": result.answerable and not result.answered,
        "wrong answer": result.right is False and result.answered,
        "evidence not cited": result.citation_precision == 0,
        "citation not verbatim": result.citations_verbatim < result.citations,
        f"evidence not in the top {CUTOFFS[-1]}": result.answerable
        and not result.found_at(CUTOFFS[-1]),
    }
    named = [fault for fault, is_so in found.items() if is_so]
    if named and result.found_at(CUTOFFS[-1]):
        named.append(f"evidence at rank {result.evidence_rank}")
    return named


def verdict(result: Result) -> str:
    """What came of a question, in two words."""
    if result.answerable:
        wrong = "wrong answer" if result.answered else "false refusal"
        return "right" if result.right else wrong
    return "false answer" if result.answered else "rightly declined"


def expected(result: Result) -> str:
    """What a right answer says, or why there is none."""
    item = result.item
    if item.unanswerable is not None:
        return f"no answer: {item.unanswerable}"
    return " | ".join(" + ".join(answer) for answer in item.answers)


def came(result: Result) -> str:
    """The beginning of what was said, on one line."""
    said = " ".join(result.said.split())[:_CAME]
    return said if result.answered else f"no answer: {said}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def grid(rows: Sequence[Sequence[str]]) -> str:
    """Columns, the first flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )


def tables(table: Sequence[Slice]) -> Iterable[Table]:
    """What was found, what was answered, what was declined; without slices of no questions."""
    plain = [part for part in table if part.group != "language, answerable or not"]
    answerable = [part for part in plain if part.answerable]
    yield _table("found", _FOUND, answerable, counts={"n": "answerable"})
    yield _table("answered", _ANSWERED, answerable, counts={"n": "answerable"})
    refused = [
        part
        for part in plain
        if part.questions and (part.group != "kind" or part.name in (*UNANSWERABLE_KINDS, "near"))
    ]
    yield _table("declined", _DECLINED, refused, counts=_COUNTS)


def _table(
    title: str,
    columns: Mapping[str, tuple[str, Format]],
    table: Iterable[Slice],
    *,
    counts: Mapping[str, str],
) -> Table:
    """One row a slice: its name, its counts of questions, its measures."""
    rows = [
        (
            part.name,
            *[str(getattr(part, count)) for count in counts.values()],
            *[how(part.measures[name]) for name, how in columns.values()],
        )
        for part in table
    ]
    return Table(title, (title, *counts, *columns), tuple(rows))


def _share(measure: Measure) -> str:
    return percent(measure.value)


def _decimal(measure: Measure) -> str:
    return "–" if measure.value is None else f"{measure.value:.3f}"


def _number(measure: Measure) -> str:
    return "–" if measure.value is None else f"{measure.value:.1f}"


_FOUND: dict[str, tuple[str, Format]] = {
    **{f"E@{k}": (f"evidence@{k}", _share) for k in CUTOFFS},
    "Success@1": ("Success@1", _share),
    "Success@5": ("Success@5", _share),
    "R@5": ("R@5", _decimal),
    "R@10": ("R@10", _decimal),
    "RR@10": ("RR@10", _decimal),
    "nDCG@10": ("nDCG@10", _decimal),
}
_ANSWERED: dict[str, tuple[str, Format]] = {
    "right": ("answer_right", _share),
    "token F1": ("token_f1", _decimal),
    "cited: precision": ("citation_precision", _decimal),
    "recall": ("citation_recall", _decimal),
    "right/sentence": ("answers_per_sentence", _decimal),
    "false refusals": ("false_refusals", _share),
}
_COUNTS = {"n": "questions", "no answer": "unanswerable"}
_DECLINED: dict[str, tuple[str, Format]] = {
    "false answers": ("false_answers", _share),
    "near": ("false_answers_near", _share),
    "far": ("false_answers_far", _share),
    "false refusals": ("false_refusals", _share),
    "AURC": ("aurc", _decimal),
    "E-AURC": ("e_aurc", _decimal),
    "AUROC": ("auroc", _decimal),
}


def _operation(operation: Operation) -> str:
    """The operating point of the gate, with its intervals, and what it means at other rates."""
    between = f"{LEVEL:.0%} interval"
    rates = [
        ["operating point", "value", between, "n"],
        ["false answers", *_estimate(operation.false_answers)],
        ["false refusals", *_estimate(operation.false_refusals)],
    ]
    shares = [["unanswerable", "answered", between, "of these wrong", between]]
    for n, found in enumerate(operation.at):
        share = f"{found.unanswerable:.1%}{'' if n else ', as here'}"
        shares.append([share, *_estimate(found.coverage)[:2], *_estimate(found.risk)[:2]])
    samples = f"({RESAMPLES} bootstrap samples of the questions, each with their base rate)"
    return f"{grid(rates)}\n\n{grid(shares)}\n{samples}"


def _estimate(found: Estimate) -> list[str]:
    low, high = found.interval or (None, None)
    between = "–" if found.value is None else f"{percent(low)} to {percent(high)}"
    return [percent(found.value), between, str(found.n)]


def _citations_and_time(measures: Mapping[str, Measure]) -> str:
    verbatim, on_evidence = measures["citations_verbatim"], measures["citations_on_evidence"]
    mean, middle = measures["sentences_per_answer_mean"], measures["sentences_per_answer_median"]
    time, p95 = measures["total_ms_median"], measures["total_ms_p95"]
    rows = {
        "citations verbatim": f"{_share(verbatim)} of {verbatim.n} citations",
        "citations on evidence": (
            f"{_share(on_evidence)} of {on_evidence.n} answers to answerable questions"
        ),
        "sentences per answer": (
            f"median {_number(middle)}, mean {_number(mean)} over {mean.n} answers"
        ),
        "milliseconds": f"median {_number(time)}, p95 {_number(p95)} over {time.n} questions",
    }
    return "\n".join(f"{name:<21}  {said}" for name, said in rows.items())


def _misses(results: Iterable[Result], *, keep_back_test: bool) -> str:
    missed = [result for result in results if faults(result)]
    shown = [result for result in missed if not (keep_back_test and is_test(result))]
    head = _counted("misses", missed, kept=len(missed) - len(shown))
    return "\n\n".join([head, *map(_miss, shown)])


def _counted(title: str, found: Sequence[object], *, kept: int) -> str:
    if not kept:
        return f"{title}: {len(found)}"
    return (
        f"{title}: {len(found)}, {kept} of them in the test half, kept back "
        "(--split test shows them)"
    )


def _change(change: Change) -> str:
    head = f"{verdict(change.before)} → {verdict(change.after)}"
    return _entry(change.after, head, before=came(change.before), now=came(change.after))


def _moved(change: Change) -> str:
    before, after = (
        "none" if rank is None else str(rank)
        for rank in (change.before.evidence_rank, change.after.evidence_rank)
    )
    return f"  {safe(change.after.item.id)}  rank {before} → {after}"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 3) + 0.0:+.3f}"


def _miss(result: Result) -> str:
    return _entry(result, ", ".join(faults(result)), came=came(result))


def _entry(result: Result, head: str, **said: str) -> str:
    item = result.item
    lines = {"question": item.question, "expected": expected(result), **said}
    return safe(
        "\n".join(
            [
                f"{item.id}  {item.language}  {item.kind}  {head}",
                *[f"  {name:<8}  {' '.join(text.split())}" for name, text in lines.items()],
            ]
        )
    )
