"""The command that looks whether all is well: doctor."""

from typing import TYPE_CHECKING, Annotated

import typer

from askai.cli.app import app
from askai.cli.console import notify, print_json, show_text
from askai.cli.indexing import update
from askai.cli.options import (
    CorpusOption,
    IndexOption,
    JsonOption,
    ModelOption,
    StoreOption,
    settings_of,
)
from askai.settings import Settings

if TYPE_CHECKING:
    from askai.doctor import Patient
    from askai.servers import Server


@app.command()
def doctor(
    context: typer.Context,
    *,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    model: ModelOption = None,
    store: StoreOption = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make anew what is damaged, and no more.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Checks Python, packages, models, corpus, index, rights and disk, each with its remedy.

    Every file of the index is held against its checksum. Exit code 1 means that something is
    wrong; a warning is none.
    """
    settings = settings_of(context, corpus=corpus, index=index, model=model, store=store)
    from askai import output, render  # noqa: PLC0415
    from askai.doctor import examine  # noqa: PLC0415

    if repair:
        report = update(settings, full=True)
        what = f"Built {report.generation}." if report.built else "Nothing was damaged."
        notify(f"{what} Embedded {report.embedded} texts, read {report.read} files.")
    checks = list(examine(_patient(settings)))
    if as_json:
        print_json(output.checks_object(checks))
    else:
        show_text(render.checks(checks))
    if any(check.state == "wrong" for check in checks):
        raise typer.Exit(1)


def _patient(settings: Settings) -> "Patient":
    from askai.doctor import Patient  # noqa: PLC0415
    from askai.embedders.models import resolve  # noqa: PLC0415
    from askai.recipes import open_corpus, recipe  # noqa: PLC0415
    from askai.rerankers import resolve as reranker  # noqa: PLC0415

    return Patient(
        corpus=lambda: open_corpus(settings),
        embedder=lambda: resolve(settings.model, notify=notify),
        reranker=lambda: reranker(settings.reranker),
        settings=lambda corpus, _: recipe(settings, notify=notify).settings(corpus),
        index_dir=settings.index_dir,
        server=(lambda: _server_at(settings.read_server, settings))
        if settings.read_server
        else None,
        primary=(lambda: _server_at(settings.server, settings)) if settings.store_read else None,
    )


def _server_at(url: str, settings: Settings) -> "Server":
    from askai.servers import server_at  # noqa: PLC0415

    return server_at(url, settings.store_schema)
