"""Commands that ask: ask, search, show, verify."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from askai.cli.app import ABSTAINED, app
from askai.cli.console import Stopwatch, notify, print_json, show_text
from askai.cli.indexing import index_if_missing, update, warn_if_changed
from askai.cli.options import (
    CorpusOption,
    FreshOption,
    IndexOption,
    JsonOption,
    LanguageOption,
    ModelOption,
    NoRerankOption,
    SinceOption,
    SourceOption,
    TimingsOption,
    UntilOption,
    filters_of,
    settings_of,
    shown_by,
)
from askai.errors import UsageError
from askai.settings import Settings


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
    source: SourceOption = None,
    language: LanguageOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    fresh: FreshOption = False,
    timings: TimingsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Answers a question with citations, or says that the documents do not answer it, and why.

    Questions may be in English, Chinese, French or Spanish, whatever the documents are in. Exit
    code 3 means that there is no answer. Keep the JSON to prove the answer later with
    `askai verify`.
    """
    watch = Stopwatch()
    settings = settings_of(
        context,
        corpus=corpus,
        index=index,
        model=model,
        passages=k,
        writer=writer,
        reranker="none" if no_rerank else None,
    )
    from askai.answer import cleaned  # noqa: PLC0415

    # What is wrong by itself is refused before anything is built or loaded.
    cleaned(question)
    filters = filters_of(source, language, since, until)
    _prepare(settings, fresh=fresh)
    from askai import output, render  # noqa: PLC0415
    from askai.assemble import open_askai  # noqa: PLC0415

    watch.lap("load")
    shown = shown_by(settings)
    with open_askai(settings, notify=notify, asked=question, filters=filters, shown=shown) as askai:
        warn_if_changed(settings)
        watch.lap("open")
        found = askai.answerer.ask(question, k=settings.passages)
        watch.lap("answer", found.timings_ms)
        if as_json:
            print_json(
                output.answer_object(
                    found,
                    manifest=askai.manifest,
                    embedder=askai.embedder.name,
                    shown=shown,
                    scope=askai.retriever.scope,
                )
            )
        else:
            show_text(render.answer(found, shown=shown, scope=askai.retriever.scope))
        watch.lap("print")
    if timings:
        watch.tell()
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
    source: SourceOption = None,
    language: LanguageOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    fresh: FreshOption = False,
    timings: TimingsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Finds passages, best first, and with --explain says why they rank so."""
    watch = Stopwatch()
    settings = settings_of(context, corpus=corpus, index=index, model=model, passages=k)
    from askai.answer import cleaned  # noqa: PLC0415

    text = cleaned(query)
    filters = filters_of(source, language, since, until)
    _prepare(settings, fresh=fresh)
    from askai import narrowing, output, render  # noqa: PLC0415
    from askai.assemble import open_askai  # noqa: PLC0415

    watch.lap("load")
    shown = shown_by(settings)
    settings = replace(settings, reranker="none")  # it reads what is answered with alone
    with open_askai(settings, notify=notify, asked=text, filters=filters, shown=shown) as askai:
        warn_if_changed(settings)
        watch.lap("open")
        prepared = askai.retriever.query(text)
        watch.lap("question")
        hits = narrowing.search(askai.retriever, prepared, settings.passages)
        watch.lap("retrieve")
        if as_json:
            print_json(
                output.passages_object(
                    query,
                    hits,
                    manifest=askai.manifest,
                    embedder=askai.embedder.name,
                    shown=shown,
                    scope=askai.retriever.scope,
                )
            )
        else:
            scope = askai.retriever.scope
            show_text(render.passages(hits, shown=shown, explain=explain, scope=scope))
        watch.lap("print")
    if timings:
        watch.tell()


def _prepare(settings: Settings, *, fresh: bool) -> None:
    if fresh:
        update(settings)
    else:
        index_if_missing(settings)


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
    settings = settings_of(context, corpus=corpus)
    from askai import cite, output, render  # noqa: PLC0415
    from askai.recipes import open_corpus  # noqa: PLC0415

    opened = open_corpus(settings)
    try:
        path, fragment = cite.path_in(opened.folder, place), ""  # all of "C# notes.txt"
    except UsageError:
        source, fragment = cite.parse_place(place)
        path = cite.path_in(opened.folder, source)
    found = cite.show(opened.read(path), fragment)
    if as_json:
        print_json(output.context_object(found, shown=shown_by(settings)))
    else:
        show_text(render.context(found, shown=shown_by(settings)))


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
    settings = settings_of(context, corpus=corpus)
    from askai import output, render  # noqa: PLC0415
    from askai import verify as proving  # noqa: PLC0415
    from askai.recipes import open_corpus  # noqa: PLC0415

    answer = proving.load_answer(file)
    folders = (Path.cwd(), file.parent)
    found = proving.verify(answer, corpus=open_corpus(settings), folders=folders)
    if as_json:
        print_json(output.verification_object(found))
    else:
        show_text(render.verification(found))
    if not found.provable:
        raise typer.Exit(ABSTAINED)
