"""The command line: the only place that prints. Each command loads what it needs and no more."""

import codecs
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import typer

from askai.errors import AskaiError, GoldError, IndexMissing, ReadError, UsageError
from askai.settings import Settings, load_settings

if TYPE_CHECKING:
    from askai.corpus import Corpus
    from askai.evaluate import Evaluation
    from askai.indexing import IndexReport, Progress
    from askai.records import Answer, Document, GoldItem

ABSTAINED = 3
INTERRUPTED = 130  # as a shell counts a process ended by Ctrl-C
_STOPPED = "Stopped. The index is as it was."

# The base of its errors of usage: Typer brings its own copy of Click or uses the installed one.
_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts in half the time
    help=(
        "Answers from a folder of documents, every sentence a verbatim, checkable quotation.\n\n"
        'Start with `askai ask "Who …?"`: it indexes the folder corpus/ the first time. '
        "Other folders: `askai --corpus DIR ask …`. Settings may also stand in askai.toml and in "
        "ASKAI_* variables.\n\n"
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no answer in the documents (ask) or no "
        "longer provable (verify)."
    ),
)

CorpusOption = Annotated[
    str | None, typer.Option("--corpus", metavar="DIR", help="Folder of documents [corpus/].")
]
IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="DIR",
        help="Folder of the index [index/ beside corpus/; else in the user's cache].",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Embedding model, see `askai models`."),
]
NoRerankOption = Annotated[
    bool, typer.Option("--no-rerank", help="Leave out the reranker, which reads English only.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.callback()
def _main(
    context: typer.Context,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    model: ModelOption = None,
) -> None:
    context.obj = {"corpus": corpus, "index": index, "model": model}


def _settings(context: typer.Context, **options: Any) -> Settings:
    """Settings by the options of the command, or else by those before it."""
    merged = {**context.obj, **{k: v for k, v in options.items() if v is not None}}
    return load_settings(folder=Path.cwd(), environment=os.environ, options=merged)


@app.command()
def index(
    context: typer.Context,
    *,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    model: ModelOption = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build anew even if nothing has changed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Builds the index of the corpus, or brings it up to date.

    Nothing is done when nothing has changed. While it builds, the last index answers; whatever
    interrupts it, that one stays.
    """
    settings = _settings(context, corpus=corpus, index=index, model=model)
    report = _index(settings, rebuild=rebuild)
    from askai import output, render  # noqa: PLC0415

    names = {"corpus": str(settings.corpus_dir), "index": str(settings.index_dir)}
    if as_json:
        _print_json(output.index_object(report, **names))
    else:
        _print(render.index_report(report, **names))


@app.command()
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    *,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    model: ModelOption = None,
    k: Annotated[
        int | None, typer.Option("-k", min=1, max=100, help="Passages given in the JSON [10].")
    ] = None,
    writer: Annotated[
        str | None, typer.Option("--writer", help="What words the answer [extractive].")
    ] = None,
    no_rerank: NoRerankOption = False,
    as_json: JsonOption = False,
) -> None:
    """Answers a question with citations, or says that the documents do not answer it, and why.

    Questions may be in English, Chinese, French or Spanish, whatever the documents are in. Exit
    code 3 means that there is no answer. Keep the JSON to prove the answer later with
    `askai verify`.
    """
    settings = _settings(
        context,
        corpus=corpus,
        index=index,
        model=model,
        passages=k,
        writer=writer,
        reranker="none" if no_rerank else None,
    )
    from askai.answer import cleaned  # noqa: PLC0415

    cleaned(question)  # a question that is none is refused before anything is built or loaded
    _index_if_missing(settings)
    from askai import output, render  # noqa: PLC0415
    from askai.assemble import open_askai  # noqa: PLC0415

    with open_askai(settings, notify=_notify) as askai:
        _warn_if_changed(settings)
        found = askai.answerer.ask(question, k=settings.passages)
        if as_json:
            _print_json(
                output.answer_object(
                    found,
                    manifest=askai.manifest,
                    embedder=askai.embedder.name,
                    shown=_shown(settings),
                )
            )
        else:
            _print(render.answer(found, shown=_shown(settings)))
    if found.status == "abstained":
        raise typer.Exit(ABSTAINED)


@app.command()
def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="A question or some words, in quotes.")],
    *,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    model: ModelOption = None,
    k: Annotated[
        int | None, typer.Option("-k", min=1, max=100, help="How many passages [10].")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the rank and score that each leg gave.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Finds passages, best first, and with --explain says why they rank so."""
    settings = _settings(context, corpus=corpus, index=index, model=model, passages=k)
    from askai.answer import cleaned  # noqa: PLC0415

    text = cleaned(query)
    _index_if_missing(settings)
    from askai import output, render  # noqa: PLC0415
    from askai.assemble import open_askai  # noqa: PLC0415

    with open_askai(settings, notify=_notify) as askai:
        _warn_if_changed(settings)
        hits = askai.retriever.search(askai.retriever.query(text), settings.passages)
        if as_json:
            _print_json(
                output.passages_object(
                    query,
                    hits,
                    manifest=askai.manifest,
                    embedder=askai.embedder.name,
                    shown=_shown(settings),
                )
            )
        else:
            _print(render.passages(hits, shown=_shown(settings), explain=explain))


@app.command()
def show(
    context: typer.Context,
    place: Annotated[
        str, typer.Argument(metavar="SOURCE[#char=A-B|#LABEL]", help="As an answer prints it.")
    ],
    *,
    corpus: CorpusOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prints a citation in its context, between » and «.

    For example: askai show "corpus/report.txt#char=120-180", or by label: "…#¶33", "…#note-13".
    """
    settings = _settings(context, corpus=corpus)
    from askai import cite, output, render  # noqa: PLC0415
    from askai.assemble import open_corpus  # noqa: PLC0415

    opened = open_corpus(settings)
    try:
        path, fragment = cite.path_in(opened.folder, place), ""  # all of "C# notes.txt"
    except UsageError:
        source, fragment = cite.parse_place(place)
        path = cite.path_in(opened.folder, source)
    found = cite.show(opened.read(path), fragment)
    if as_json:
        _print_json(output.context_object(found, shown=_shown(settings)))
    else:
        _print(render.context(found, shown=_shown(settings)))


@app.command()
def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="ANSWER.json", help="From `ask --json`.")],
    *,
    corpus: CorpusOption = None,
    as_json: JsonOption = False,
) -> None:
    """Proves an answer again: each quote same, moved, changed or gone; each sentence its quotes.

    Exit code 3 means that something can no longer be proved.
    """
    settings = _settings(context, corpus=corpus)
    from askai import output, render  # noqa: PLC0415
    from askai import verify as proving  # noqa: PLC0415
    from askai.assemble import open_corpus  # noqa: PLC0415

    answer = proving.load_answer(file)
    folders = (Path.cwd(), file.parent)
    found = proving.verify(answer, corpus=open_corpus(settings), folders=folders)
    if as_json:
        _print_json(output.verification_object(found))
    else:
        _print(render.verification(found))
    if not found.provable:
        raise typer.Exit(ABSTAINED)


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
    settings = _settings(context, corpus=corpus, index=index, model=model)
    from askai import baseline, scoreboard  # noqa: PLC0415
    from askai import compare as comparing  # noqa: PLC0415
    from askai import evaluate as evaluation  # noqa: PLC0415
    from askai import report as reporting  # noqa: PLC0415

    half = _half(split, development_only=bool(gate or write_baseline))
    held = baseline.load_baseline(gate) if gate else None
    before = comparing.load_evaluation(compare) if compare else None
    page = _made(report) / "index.html" if report else None
    for file in (write_baseline, answers, page):
        _check_writable(file)
    check = (
        partial(comparing.check_same_questions, before, path=compare)
        if compare and before
        else None
    )
    found, lines = _asked(settings, gold, half, check=check, keep=bool(answers))
    compared = comparing.compare(before, found.results) if before else None
    if answers:
        _write(answers, "".join(lines))
    if write_baseline:
        _write(write_baseline, baseline.render(baseline.to_dict(found)))
    keep_back = half != "test"
    if page:
        about = {"Questions": f"{gold}, {half or 'both halves'}", "Model": settings.model}
        _write(page, reporting.render(found, about=about, keep_back_test=keep_back))
        _notify(f"Written: {page}.")
    if as_json:
        comparison = comparing.to_dict(compared) if compared else None
        _print_json(evaluation.to_dict(found, comparison=comparison))
    elif compared:
        _print(scoreboard.comparison(compared, name=str(compare), keep_back_test=keep_back))
    else:
        _print(scoreboard.render(found, keep_back_test=keep_back))
    if held:
        worse = baseline.regressions(found, held)
        if worse:
            raise GoldError(f"Worse than {gate}: {' '.join(worse)}")
        _notify(f"As good as {gate}: {', '.join(held.limits)}.")


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
    _index_if_missing(settings)
    with open_askai(settings, notify=_notify) as askai:
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
            shown=_shown(settings),
        )

        def done(item: "GoldItem", answer: "Answer") -> None:
            tell("asking", next(count), len(items))
            if keep:
                lines.append(json.dumps({"query_id": item.id, **as_object(answer)}) + "\n")

        with _progress() as tell:
            found = evaluation.evaluate(
                items,
                ask=lambda question: askai.answerer.ask(question, k=evaluation.CUTOFFS[-1]),
                texts=texts,
                done=done,
            )
    return found, lines


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be a folder: {error.strerror}.") from error
    return folder


def _check_writable(file: Path | None) -> None:
    """Before anything is asked: a result that cannot be kept is a run that was for nothing."""
    if file is not None and (file.is_dir() or not file.parent.is_dir()):
        raise UsageError(f"{file} cannot be written; expected a file in a folder that is there.")


def _write(file: Path, text: str) -> None:
    from askai.files import write_durably  # noqa: PLC0415

    try:
        write_durably(file, text)
    except OSError as error:
        raise AskaiError(f"{file} cannot be written: {error.strerror}.") from error


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
    settings = _settings(context, model=model)
    from askai import bench_report  # noqa: PLC0415
    from askai.assemble import open_bench, recipe  # noqa: PLC0415
    from askai.beir import load_bench  # noqa: PLC0415
    from askai.bench import LEGS  # noqa: PLC0415
    from askai.bench_index import bench_index_dir, build_bench  # noqa: PLC0415
    from askai.files import replacing  # noqa: PLC0415

    if asking.legs not in LEGS:
        raise UsageError(f"No legs {asking.legs!r}; there are {', '.join(LEGS)}.")
    if asking.answers and asking.legs != "both":
        raise UsageError("--answers asks both legs; leave out --legs, or --answers.")
    if asking.run and asking.answers and asking.run.resolve() == asking.answers.resolve():
        raise UsageError(f"--run and --answers both name {asking.run}; name two files.")
    bench = load_bench(asking.folder, split=asking.split)
    parts = recipe(settings, notify=_notify)
    named = index or context.obj["index"]
    folder = Path(named).expanduser() if named else None
    with ExitStack() as stack:
        files = [
            stack.enter_context(replacing(path)) if path else None
            for path in (asking.run, asking.answers)
        ]
        bench_report.check_before(bench, run=bool(asking.run), answers=bool(asking.answers))
        tell = stack.enter_context(_progress())
        report = build_bench(bench, parts, folder, progress=tell)
        place = folder or bench_index_dir(bench, parts)
        opened = stack.enter_context(open_bench(settings, place, notify=_notify))
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
        _print_json(bench_report.to_dict(found))
    else:
        _print(bench_report.render(found))


@app.command()
def status(
    context: typer.Context,
    *,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prints what is indexed, from what, when, with which model, and what has changed since."""
    settings = _settings(context, corpus=corpus, index=index)
    from askai import output, render  # noqa: PLC0415

    manifest, changes, left_out = _state(settings)
    names = {"corpus": str(settings.corpus_dir), "index": str(settings.index_dir)}
    if as_json:
        _print_json(
            output.status_object(manifest, changes, left_out, model=settings.model, **names)
        )
    else:
        _print(render.status(manifest, changes, left_out, **names))


@app.command()
def aliases(
    context: typer.Context, *, corpus: CorpusOption = None, as_json: JsonOption = False
) -> None:
    """Suggests names for aliases.toml that the documents themselves put side by side.

    "CXMT (长鑫存储)" and the like, which no group of aliases.toml holds yet. Read them before you
    copy them: nothing is written.
    """
    settings = _settings(context, corpus=corpus)
    from askai import output, render  # noqa: PLC0415
    from askai.alias_mining import suggestions  # noqa: PLC0415
    from askai.aliases import Aliases  # noqa: PLC0415
    from askai.assemble import open_corpus  # noqa: PLC0415
    from askai.corpus import ALIASES  # noqa: PLC0415

    opened = open_corpus(settings)
    known = Aliases.load(opened.folder / ALIASES)
    found = suggestions(_readable(opened), known)
    if as_json:
        _print_json(output.suggestions_object(found, shown=_shown(settings)))
    else:
        _print(render.suggestions(found, shown=_shown(settings)))


@app.command()
def models(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Lists the embedding models that are here or can be had: origin, size, licence, languages.

    Any sentence-transformers model can be set: a folder, a name listed here, or a name on the hub.
    """
    _settings(context)
    from askai import output, render  # noqa: PLC0415
    from askai.embedders.models import available  # noqa: PLC0415

    if as_json:
        _print_json(output.models_object(available()))
    else:
        _print(render.models(available()))


def _readable(corpus: "Corpus") -> "Iterator[Document]":
    """The documents of a folder; what cannot be read is named."""
    listing = corpus.list()
    for skip in listing.skipped:
        _notify(f"Not read: {skip.path}: {skip.reason}")
    for file in listing.files:
        try:
            yield corpus.read(file.path)
        except ReadError as error:
            _notify(f"Not read: {file.path}: {error}")


def _index(settings: Settings, *, rebuild: bool) -> "IndexReport":
    from askai.assemble import open_corpus, recipe  # noqa: PLC0415
    from askai.indexing import build  # noqa: PLC0415

    corpus = open_corpus(settings)
    with _progress() as tell:
        return build(
            corpus,
            settings.index_dir,
            recipe(settings, notify=_notify),
            rebuild=rebuild,
            progress=tell,
        )


def _index_if_missing(settings: Settings) -> None:
    """The first question builds the index; later changes wait for `askai index`."""
    from askai.generations import read_manifest  # noqa: PLC0415

    try:
        read_manifest(settings.index_dir)
    except IndexMissing:
        _notify(f"No index in {settings.index_dir} yet: indexing {settings.corpus_dir}.")
        _index(settings, rebuild=False)


def _state(settings: Settings) -> tuple[Any, Any, Any]:
    """(manifest, changes since, skipped files), with nothing heavy loaded."""
    from askai.changes import changes_since  # noqa: PLC0415
    from askai.corpus import Corpus  # noqa: PLC0415
    from askai.generations import open_generation, read_skipped  # noqa: PLC0415

    with open_generation(settings.index_dir) as generation:  # held: a writer may delete it
        manifest, skipped = generation.manifest, read_skipped(generation.path)
    corpus = Corpus.open(
        settings.corpus_dir, max_bytes=settings.max_file_bytes, index=settings.index_dir
    )
    return manifest, changes_since(corpus, manifest, skipped, corpus.list()), skipped


def _warn_if_changed(settings: Settings) -> None:
    _, changes, _ = _state(settings)
    if changes.count:
        files = "file has" if changes.count == 1 else "files have"
        _notify(f"{changes.count} {files} changed since the index was made; run `askai index`.")


def _shown(settings: Settings) -> Callable[[str], str]:
    from askai.cite import shown_path  # noqa: PLC0415

    folder = Path.cwd()
    return lambda path: shown_path(path, corpus=settings.corpus_dir, folder=folder)


@contextmanager
def _progress() -> Iterator["Progress"]:
    """Bars with the time left on a terminal, a line for each stage elsewhere; on stderr."""
    if not sys.stderr.isatty():
        seen: set[str] = set()

        def tell_lines(stage: str, _: int, total: int) -> None:
            if stage not in seen:
                seen.add(stage)
                _notify(f"{stage.capitalize()} {total} …")

        yield tell_lines
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield tell


def _notify(text: str) -> None:
    print(text, file=sys.stderr)


def _print(text: str) -> None:
    try:
        print(text, flush=True)  # here, since Typer makes exit code 1 of a reader that is gone
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise AskaiError(f"The output cannot be written: {error.strerror}.") from error


def _print_json(value: object) -> None:
    # A quotation with question marks in it cannot be proved: \u escapes where there is no UTF-8.
    whole = codecs.lookup(sys.stdout.encoding).name == "utf-8"
    _print(json.dumps(value, ensure_ascii=not whole, indent=2))


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell: >&-
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        # A terminal without UTF-8 gets question marks, not a traceback.
        getattr(sys, name).reconfigure(errors="replace")


def main() -> NoReturn:
    """The console script: one line for each expected failure, and its exit code."""
    _prepare_streams()
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # Typer makes this of KeyboardInterrupt
            _notify(_STOPPED)
    except typer.Exit as stop:
        code = stop.exit_code
    except SystemExit as stop:  # Typer's, when nobody reads its help
        code = 0 if isinstance(stop.__context__, BrokenPipeError) else stop.code
    except (KeyboardInterrupt, typer.Abort):
        _notify(_STOPPED)
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except AskaiError as error:
        from askai.render import safe  # noqa: PLC0415

        lines = str(error).splitlines() if isinstance(error, GoldError) else [str(error)]
        _notify("askai: " + "\n".join(" ".join(safe(line).split()) for line in lines))
        code = error.exit_code
    except _USAGE_ERROR as error:
        error.show()  # type: ignore[attr-defined]
        code = error.exit_code  # type: ignore[attr-defined]
    except MemoryError:
        _notify("askai: not enough memory; close other programs or use smaller files.")
        code = 1
    raise SystemExit(code if isinstance(code, int) else 0)
