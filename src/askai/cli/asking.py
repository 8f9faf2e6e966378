"""Commands that ask: ask, search, show, verify."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    StoreOption,
    TimingsOption,
    UntilOption,
    filters_of,
    settings_of,
    shown_by,
)
from askai.errors import UsageError
from askai.settings import Settings

if TYPE_CHECKING:
    from askai.records import Document
    from askai.verify import Verification


@app.command()
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    *,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    model: ModelOption = None,
    store: StoreOption = None,
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
        store=store,
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
                    partial=askai.partial,
                )
            )
        else:
            scope = askai.retriever.scope
            show_text(render.answer(found, shown=shown, scope=scope, partial=askai.partial))
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
    store: StoreOption = None,
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
    settings = settings_of(
        context, corpus=corpus, index=index, model=model, passages=k, store=store
    )
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
                    partial=askai.partial,
                )
            )
        else:
            scope, partial = askai.retriever.scope, askai.partial
            show_text(
                render.passages(hits, shown=shown, explain=explain, scope=scope, partial=partial)
            )
        watch.lap("print")
    if timings:
        watch.tell()


def _prepare(settings: Settings, *, fresh: bool) -> None:
    if fresh:
        update(settings)
    elif not settings.read_server:  # a server says itself that it has none
        index_if_missing(settings)


@app.command()
def show(
    context: typer.Context,
    place: Annotated[
        str, typer.Argument(metavar="SOURCE[#char=A-B|#LABEL]", help="As an answer prints it.")
    ],
    *,
    corpus: CorpusOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prints a citation in its context, between » and «.

    For example: askai show "corpus/report.txt#char=120-180", or by label: "…#¶33", "…#note-13".
    """
    settings = settings_of(context, corpus=corpus, store=store)
    from askai import cite, output, render  # noqa: PLC0415

    found = cite.show(*_shown_document(settings, place))
    if as_json:
        print_json(output.context_object(found, shown=shown_by(settings)))
    else:
        show_text(render.context(found, shown=shown_by(settings)))


def _shown_document(settings: Settings, place: str) -> "tuple[Document, str]":
    """What a place names: in the folder, or where a server has the index as that has it."""
    if settings.read_server:
        from askai.cli.serving import document_of, open_on_server  # noqa: PLC0415

        with open_on_server(settings) as index:
            return document_of(index, place, settings)
    from askai import cite  # noqa: PLC0415
    from askai.recipes import open_corpus  # noqa: PLC0415

    opened = open_corpus(settings)
    try:
        path, fragment = cite.path_in(opened.folder, place), ""  # all of "C# notes.txt"
    except UsageError:
        source, fragment = cite.parse_place(place)
        path = cite.path_in(opened.folder, source)
    return opened.read(path), fragment


@app.command()
def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="ANSWER.json", help="From `ask --json`.")],
    *,
    corpus: CorpusOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Proves an answer again: each quote same, moved, changed or gone; each sentence its quotes.

    Exit code 3 means that something can no longer be proved.
    """
    settings = settings_of(context, corpus=corpus, store=store)
    from askai import output, render  # noqa: PLC0415
    from askai import verify as proving  # noqa: PLC0415

    answer = proving.load_answer(file)
    folders = (Path.cwd(), file.parent)
    found = _proved(settings, answer, folders)
    if as_json:
        print_json(output.verification_object(found))
    else:
        show_text(render.verification(found))
    if not found.provable:
        raise typer.Exit(ABSTAINED)


def _proved(
    settings: Settings, answer: dict[str, Any], folders: tuple[Path, ...]
) -> "Verification":
    """Against the files, and where a server has the index, against its texts where a file is not on
    this machine."""
    from askai import verify as proving  # noqa: PLC0415
    from askai.recipes import corpus_or_its_place, open_corpus  # noqa: PLC0415

    if not settings.read_server:
        return proving.verify(answer, corpus=open_corpus(settings), folders=folders)
    from askai.cli.serving import document_of, open_on_server  # noqa: PLC0415

    with open_on_server(settings) as index:

        def published(source: str) -> "Document | None":
            try:
                return document_of(index, source, settings)[0]
            except UsageError:
                return None

        corpus = corpus_or_its_place(settings)
        return proving.verify(answer, corpus=corpus, folders=folders, published=published)
