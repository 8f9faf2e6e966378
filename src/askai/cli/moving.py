"""Commands that move an index as parts: export and import."""

from typing import TYPE_CHECKING, Annotated

import typer

from askai.cli.app import app
from askai.cli.console import notify, print_json, progress, show_text
from askai.cli.options import (
    CorpusOption,
    IndexOption,
    JsonOption,
    ModelOption,
    StoreOption,
    settings_of,
)
from askai.errors import AskaiError
from askai.settings import Settings

if TYPE_CHECKING:
    from askai.parts.importing import Imported

AddressArgument = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="A folder, or scheme://… that fsspec opens.")
]


@app.command("export")
def export_command(
    context: typer.Context,
    address: AddressArgument,
    *,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Writes the index as Parquet files, from which it can be made again without the documents.

    Texts, marks, passages, their words and vectors, the model and the settings. What is there
    already is not written again. Of an index on a server (--store) the same.
    """
    settings = settings_of(context, corpus=corpus, index=index, store=store)
    from askai import output, recipes  # noqa: PLC0415

    with progress() as tell:
        manifest = recipes.export(settings, address, progress=tell)
    if as_json:
        from askai.parts.address import without_user  # noqa: PLC0415

        print_json(output.export_object(manifest, address=without_user(address)))
        return
    counts = manifest.counts
    show_text(
        f"Exported {manifest.generation}: {counts.documents} documents, {counts.chunks} passages, "
        f"in {len(manifest.parts)} {'part' if len(manifest.parts) == 1 else 'parts'}."
    )


@app.command("import")
def import_command(
    context: typer.Context,
    address: AddressArgument,
    *,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    model: ModelOption = None,
    store: StoreOption = None,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Replace what a server holds, of another model or shards."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Makes the index of what `askai export` wrote, and publishes it where a store is set.

    No document is read and no text embedded. Everything is checked first: until then, and after an
    error, the index that is there answers.
    """
    settings = settings_of(context, corpus=corpus, index=index, model=model, store=store)
    from askai import output, recipes  # noqa: PLC0415

    with progress() as tell:
        done = recipes.import_parts(settings, address, notify=notify, progress=tell)
    report, where = done.report, str(settings.index_dir)
    if settings.server:
        _publish(settings, done, replace=rebuild)
    else:
        _tell_of_documents(settings, done.aliases)
    if as_json:
        print_json(output.index_object(report, corpus=str(settings.corpus_dir), index=where))
    else:
        show_text(
            f"Imported {report.documents} documents as {report.chunks} passages in "
            f"{report.seconds:.1f} s: {where}/{report.generation}"
        )


def _publish(settings: Settings, done: "Imported", *, replace: bool) -> None:
    """Raises what a publication raises, and says that the import stands."""
    from askai.cli.serving import publish  # noqa: PLC0415

    try:
        publish(settings, replace=replace, aliases=done.aliases)
    except AskaiError:
        notify(
            f"Imported to {settings.index_dir}/{done.report.generation}; only its publication "
            "failed. Run the same command again when the cause is gone; where the server holds "
            "another model or other shards, `askai import --rebuild` replaces what it holds."
        )
        raise


def _tell_of_documents(settings: Settings, aliases: str) -> None:
    """An index in a folder is asked beside its documents, and with the names of their aliases."""
    from askai.aliases import read_aliases  # noqa: PLC0415
    from askai.corpus import ALIASES  # noqa: PLC0415

    folder = settings.corpus_dir
    if not folder.is_dir():
        notify(
            f"There is no folder {folder} here: questions need it, and `askai verify` looks there "
            f"for the documents. Copy them, with {ALIASES}; an index on a server (--store) needs "
            "none."
        )
    elif read_aliases(folder / ALIASES) != aliases:
        notify(
            f"{folder / ALIASES} is not the one that the index was exported with: copy that one, "
            "or names in other languages may be found otherwise."
        )
