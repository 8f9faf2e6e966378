"""The command that measures: eval, on gold questions or on a BEIR folder."""

import itertools
import json
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from askai.cli.app import app
from askai.cli.console import (
    check_writable,
    made_folder,
    notify,
    print_json,
    progress,
    show_text,
    write_file,
)
from askai.cli.indexing import index_if_missing
from askai.cli.options import (
    CorpusOption,
    IndexOption,
    JsonOption,
    ModelOption,
    settings_of,
    shown_by,
)
from askai.errors import GoldError, UsageError
from askai.settings import Settings

if TYPE_CHECKING:
    from askai.evaluate import Evaluation
    from askai.records import Answer, GoldItem


@app.command("eval")
def evaluate(
    context: typer.Context,
    *,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    model: ModelOption = None,
    gold: Annotated[Path, typer.Option("--gold", metavar="FILE", help="Gold questions.")] = Path(
        "evals/gold.jsonl"
    ),
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="HALF", help="Only the development or the test half."),
    ] = None,
    gate: Annotated[
        Path | None,
        typer.Option("--gate", metavar="FILE", help="Fail when worse than this baseline."),
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option("--write-baseline", metavar="FILE", help="Make this the baseline."),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option("--answers", metavar="FILE", help="Keep the answers, as JSON Lines."),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", metavar="OLD.json", help="Say what changed since that --json."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="DIR", help="Write a page to look at: DIR/index.html."),
    ] = None,
    beir: Annotated[
        Path | None,
        typer.Option("--beir", metavar="DIR", help="Measure on a BEIR folder instead."),
    ] = None,
    beir_split: Annotated[
        str | None,
        typer.Option("--beir-split", metavar="NAME", help="Judgements: qrels/NAME.tsv [test]."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="FILE", help="Write the ranking as a TREC run (--beir)."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="Only the first N queries (--beir)."),
    ] = None,
    legs: Annotated[
        str, typer.Option("--legs", metavar="LEGS", help="Rank by dense, lexical or both (--beir).")
    ] = "both",
    span_k: Annotated[
        int,
        typer.Option(
            "--span-k", metavar="K", min=1, max=100, help="Passages held against spans (--beir)."
        ),
    ] = 5,
    as_json: JsonOption = False,
) -> None:
    """Asks the gold questions and prints what was found, answered, refused and cited.

    By language, by kind and by half. Nothing is tuned on the test half: its misses are kept back
    unless --split test asks for them. --gate and --write-baseline ask the development half.

    With --beir DIR it measures on any folder in the form of BEIR (corpus.jsonl, queries.jsonl,
    qrels.tsv or qrels/test.tsv): nDCG@10, R@5, R@10, RR@10, Success@1 and P@5 of documents, and
    recall, precision and IoU of spans where the folder has them. Its index is kept in the cache,
    or in --index DIR, so that the next run embeds nothing. --answers also asks for answers, and
    tells false ones and false refusals.
    """
    _check_eval_options(context, has_beir=beir is not None)
    if beir is not None:
        asking = _BenchOptions(beir, beir_split, run, answers, limit, legs, span_k, as_json)
        _evaluate_beir(context, asking, index=index, model=model)
        return
    settings = settings_of(context, corpus=corpus, index=index, model=model)
    from askai import baseline, scoreboard  # noqa: PLC0415
    from askai import compare as comparing  # noqa: PLC0415
    from askai import evaluate as evaluation  # noqa: PLC0415
    from askai import report as reporting  # noqa: PLC0415

    half = _half(split, development_only=bool(gate or write_baseline))
    held = baseline.load_baseline(gate) if gate else None
    before = comparing.load_evaluation(compare) if compare else None
    page = made_folder(report) / "index.html" if report else None
    for file in (write_baseline, answers, page):
        check_writable(file)
    check = (
        partial(comparing.check_same_questions, before, path=compare)
        if compare and before
        else None
    )
    found, lines = _asked(settings, gold, half, check=check, keep=bool(answers))
    compared = comparing.compare(before, found.results) if before else None
    if answers:
        write_file(answers, "".join(lines))
    if write_baseline:
        write_file(write_baseline, baseline.render(baseline.to_dict(found)))
    keep_back = half != "test"
    if page:
        about = {"Questions": f"{gold}, {half or 'both halves'}", "Model": settings.model}
        write_file(page, reporting.render(found, about=about, keep_back_test=keep_back))
        notify(f"Written: {page}.")
    if as_json:
        comparison = comparing.to_dict(compared) if compared else None
        print_json(evaluation.to_dict(found, comparison=comparison))
    elif compared:
        show_text(scoreboard.comparison(compared, name=str(compare), keep_back_test=keep_back))
    else:
        show_text(scoreboard.render(found, keep_back_test=keep_back))
    if held:
        worse = baseline.regressions(found, held)
        if worse:
            raise GoldError(f"Worse than {gate}: {' '.join(worse)}")
        notify(f"As good as {gate}: {', '.join(held.limits)}.")


def _half(split: str | None, *, development_only: bool) -> str | None:
    """The half of the gold questions that is asked; None: both."""
    from askai.baseline import SPLIT  # noqa: PLC0415
    from askai.gold import SPLITS  # noqa: PLC0415

    if split is not None and split not in SPLITS:
        raise UsageError(f"No half {split!r}; there are {' and '.join(SPLITS)}.")
    if development_only and split not in (None, SPLIT):
        raise UsageError(f"A baseline is of the {SPLIT} half; leave out --split {split}.")
    return SPLIT if development_only else split


def _asked(
    settings: Settings,
    gold: Path,
    half: str | None,
    *,
    check: Callable[[list["GoldItem"]], None] | None,
    keep: bool,
) -> tuple["Evaluation", list[str]]:
    """What came of the gold questions; with `keep` also each answer, as a line of JSON."""
    from askai import evaluate as evaluation  # noqa: PLC0415
    from askai import output  # noqa: PLC0415
    from askai.assemble import open_askai  # noqa: PLC0415
    from askai.gold import load_gold, split_of  # noqa: PLC0415

    if not gold.is_file():
        raise GoldError(f"No file {gold}; name the gold questions with --gold FILE.")
    if not settings.read_server:
        index_if_missing(settings)
    with open_askai(settings, notify=notify) as askai:
        texts = {s.path: askai.catalog.document(s.path).text for s in askai.catalog.sources()}
        items = [i for i in load_gold(gold, texts=texts) if half in (None, split_of(i.id))]
        if not items:
            raise GoldError(f"{gold} has no question in its {half} half.")
        if check:
            check(items)
        lines: list[str] = []
        count = itertools.count(1)
        as_object = partial(
            output.answer_object,
            manifest=askai.manifest,
            embedder=askai.embedder.name,
            shown=shown_by(settings),
            partial=askai.partial,
        )

        def done(item: "GoldItem", answer: "Answer") -> None:
            tell("asking", next(count), len(items))
            if keep:
                lines.append(json.dumps({"query_id": item.id, **as_object(answer)}) + "\n")

        with progress() as tell:
            found = evaluation.evaluate(
                items,
                ask=lambda question: askai.answerer.ask(question, k=evaluation.CUTOFFS[-1]),
                texts=texts,
                done=done,
            )
    return found, lines


_GOLD_OPTIONS = {"gold", "split", "gate", "write_baseline", "compare", "report", "corpus"}
_BEIR_OPTIONS = {"beir_split", "run", "limit", "legs", "span_k"}


class _BenchOptions(NamedTuple):
    """The options of `askai eval --beir`."""

    folder: Path
    split: str | None
    run: Path | None
    answers: Path | None
    limit: int | None
    legs: str
    span_k: int
    as_json: bool


def _check_eval_options(context: typer.Context, *, has_beir: bool) -> None:
    """Gold questions and a BEIR folder are two things, each with options of its own."""
    wrong = _GOLD_OPTIONS if has_beir else _BEIR_OPTIONS
    for name in sorted(wrong):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            with_or_without = "cannot go with" if has_beir else "needs"
            raise UsageError(f"{option} {with_or_without} --beir DIR; see `askai eval --help`.")


def _evaluate_beir(
    context: typer.Context, asking: _BenchOptions, *, index: str | None, model: str | None
) -> None:
    settings = settings_of(context, model=model)
    from askai import bench_report  # noqa: PLC0415
    from askai.assemble import open_bench  # noqa: PLC0415
    from askai.beir import load_bench  # noqa: PLC0415
    from askai.bench import LEGS  # noqa: PLC0415
    from askai.bench_index import bench_index_dir, build_bench  # noqa: PLC0415
    from askai.files import replacing  # noqa: PLC0415
    from askai.recipes import recipe  # noqa: PLC0415

    if asking.legs not in LEGS:
        raise UsageError(f"No legs {asking.legs!r}; there are {', '.join(LEGS)}.")
    if asking.answers and asking.legs != "both":
        raise UsageError("--answers asks both legs; leave out --legs, or --answers.")
    if asking.run and asking.answers and asking.run.resolve() == asking.answers.resolve():
        raise UsageError(f"--run and --answers both name {asking.run}; name two files.")
    bench = load_bench(asking.folder, split=asking.split)
    parts = recipe(settings, notify=notify)
    named = index or context.obj["index"]
    folder = Path(named).expanduser() if named else None
    with ExitStack() as stack:
        files = [
            stack.enter_context(replacing(path)) if path else None
            for path in (asking.run, asking.answers)
        ]
        bench_report.check_before(bench, run=bool(asking.run), answers=bool(asking.answers))
        tell = stack.enter_context(progress())
        report = build_bench(bench, parts, folder, progress=tell)
        place = folder or bench_index_dir(bench, parts)
        opened = stack.enter_context(open_bench(settings, place, notify=notify))
        found = bench_report.run_bench(
            bench,
            opened,
            report,
            how=bench_report.How(str(place), asking.legs, asking.span_k, asking.limit),
            run_file=files[0],
            answers_file=files[1],
            done=lambda n, total: tell("asking", n, total),
        )
    if asking.as_json:
        print_json(bench_report.to_dict(found))
    else:
        show_text(bench_report.render(found))
