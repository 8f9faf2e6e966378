"""Commands about the corpus and its index: index, status, aliases, models."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    shown_by,
)
from askai.errors import IndexMissing, ReadError, StoreUnreachable, UsageError
from askai.settings import Settings

if TYPE_CHECKING:
    from askai.catalog_reader import CatalogReader
    from askai.changes import Changes
    from askai.corpus import Corpus
    from askai.index_report import IndexReport
    from askai.records import Document
    from askai.servers import PublishedIndex


_SETTLED = 500  # milliseconds without a change before changes are looked at


@app.command()
def index(
    context: typer.Context,
    *,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    model: ModelOption = None,
    store: StoreOption = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build anew even if nothing has changed.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: follow the folder until Ctrl-C.")
    ] = False,
    on: Annotated[
        str,
        typer.Option(
            "--on",
            metavar="CLUSTER",
            help="Read and embed on a Ray cluster: ray://HOST:PORT, or ray for the one of this "
            "machine.",
        ),
    ] = "",
    parts: Annotated[
        str,
        typer.Option(
            "--parts",
            metavar="ADDRESS",
            help="With --on: where parts are kept, a folder or scheme://… [parts/ in the index].",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Builds the index of the corpus, or brings it up to date.

    Only what is new or has changed is read and embedded: files that were renamed, moved or copied
    keep their vectors, and deleted ones are gone from every answer. Nothing is done when nothing
    has changed. While it builds, the last index answers; whatever interrupts it, that one stays,
    and the next run goes on where this one stopped.
    """
    settings = settings_of(context, corpus=corpus, index=index, model=model, store=store)
    if parts and not on:
        raise UsageError("--parts is where --on keeps its parts; name a cluster, too: --on ray")
    _report(update(settings, rebuild=rebuild, on=on, parts=parts), settings, as_json=as_json)
    if watch:
        for report in _followed(settings, on=on, parts=parts):
            _report(report, settings, as_json=as_json)


def _followed(settings: Settings, *, on: str, parts: str) -> "Iterator[IndexReport]":
    """Brings the index up to date whenever files change, until Ctrl-C."""
    from watchfiles import watch  # noqa: PLC0415

    from askai.errors import AskaiError  # noqa: PLC0415

    folder = settings.corpus_dir
    notify(f"Following {folder}; Ctrl-C ends it.")
    inside = settings.index_dir.resolve()
    for changes in watch(
        folder, step=_SETTLED, watch_filter=lambda _, path: not Path(path).is_relative_to(inside)
    ):
        if not changes:
            continue
        try:
            yield update(settings, on=on, parts=parts)
        except AskaiError as error:  # no file can be read for now, another process is writing …
            notify(f"askai: {error}")


def _report(report: "IndexReport", settings: Settings, *, as_json: bool) -> None:
    from askai import output, render  # noqa: PLC0415

    names = {"corpus": str(settings.corpus_dir), "index": str(settings.index_dir)}
    if as_json:
        print_json(output.index_object(report, **names))
    else:
        show_text(render.index_report(report, **names))


@app.command()
def status(
    context: typer.Context,
    *,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    store: StoreOption = None,
    files: Annotated[
        bool, typer.Option("--files", help="List every file: reader, passages, pages, state.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prints what is indexed, from what, when, with which model, and what has changed since."""
    settings = settings_of(context, corpus=corpus, index=index, store=store)
    from askai import output, render  # noqa: PLC0415

    manifest, changes, left_out = _state(settings)
    listed = _file_statuses(settings, changes, left_out) if files else None
    names = {"corpus": str(settings.corpus_dir), "index": _where(settings)}
    if as_json:
        model = settings.model
        print_json(
            output.status_object(manifest, changes, left_out, model=model, files=listed, **names)
        )
    else:
        show_text(render.status(manifest, changes, left_out, files=listed, **names))


@app.command()
def aliases(
    context: typer.Context, *, corpus: CorpusOption = None, as_json: JsonOption = False
) -> None:
    """Suggests names for aliases.toml that the documents themselves put side by side.

    "CXMT (长鑫存储)" and the like, which no group of aliases.toml holds yet. Read them before you
    copy them: nothing is written.
    """
    settings = settings_of(context, corpus=corpus)
    from askai import output, render  # noqa: PLC0415
    from askai.alias_mining import suggestions  # noqa: PLC0415
    from askai.aliases import Aliases  # noqa: PLC0415
    from askai.corpus import ALIASES  # noqa: PLC0415
    from askai.recipes import open_corpus  # noqa: PLC0415

    opened = open_corpus(settings)
    known = Aliases.load(opened.folder / ALIASES)
    found = suggestions(_readable(opened), known)
    if as_json:
        print_json(output.suggestions_object(found, shown=shown_by(settings)))
    else:
        show_text(render.suggestions(found, shown=shown_by(settings)))


@app.command()
def models(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Lists the embedding models that are here or can be had: origin, size, licence, languages.

    Any sentence-transformers model can be set: a folder, a name listed here, or a name on the hub.
    """
    settings_of(context)
    from askai import output, render  # noqa: PLC0415
    from askai.embedders.models import available  # noqa: PLC0415

    if as_json:
        print_json(output.models_object(available()))
    else:
        show_text(render.models(available()))


def _readable(corpus: "Corpus") -> "Iterator[Document]":
    """The documents of a folder; what cannot be read is named."""
    listing = corpus.list()
    for skip in listing.skipped:
        notify(f"Not read: {skip.path}: {skip.reason}")
    for file in listing.files:
        try:
            yield corpus.read(file.path)
        except ReadError as error:
            notify(f"Not read: {file.path}: {error}")


def update(
    settings: Settings,
    *,
    rebuild: bool = False,
    full: bool = False,
    on: str = "",
    parts: str = "",
) -> "IndexReport":
    """Builds the index, or brings it up to date, with progress on stderr, and publishes it where a
    store is set; with `full` it is held against its checksums, and what is damaged is made anew.
    `on` is a Ray cluster, which keeps what it makes at the address `parts`."""
    if on:
        report = _built_on(settings, on, parts, rebuild=rebuild)
    else:
        report = _built(settings, rebuild=rebuild, full=full)
    if settings.server:
        from askai.cli.serving import publish  # noqa: PLC0415

        publish(settings, replace=rebuild)
    return report


def _built(settings: Settings, *, rebuild: bool, full: bool) -> "IndexReport":
    from askai.indexing import build  # noqa: PLC0415
    from askai.recipes import open_corpus, recipe  # noqa: PLC0415

    corpus = open_corpus(settings)
    with progress() as tell:
        return build(
            corpus,
            settings.index_dir,
            recipe(settings, notify=notify),
            rebuild=rebuild,
            full=full,
            progress=tell,
            announce=_announce,
        )


def _built_on(settings: Settings, on: str, parts: str, *, rebuild: bool) -> "IndexReport":
    from askai.recipes import build_on_ray  # noqa: PLC0415

    with progress() as tell:
        return build_on_ray(
            settings, on, parts=parts, rebuild=rebuild, notify=notify, progress=tell
        )


def _announce(reasons: tuple[str, ...], seconds: float) -> None:
    """What makes more than an update of it, before it begins."""
    for reason in reasons:
        notify(f"{reason[0].upper()}{reason[1:]}.")
    if seconds >= 1:
        about = f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{seconds:.0f} seconds"
        notify(f"By the pace of the last time this takes about {about}.")


def index_if_missing(settings: Settings) -> None:
    """The first question builds the index; later changes wait for `askai index`."""
    from askai.generations import read_manifest  # noqa: PLC0415

    try:
        read_manifest(settings.index_dir)
    except IndexMissing:
        notify(f"No index in {settings.index_dir} yet: indexing {settings.corpus_dir}.")
        update(settings)


def _where(settings: Settings) -> str:
    if not settings.read_server:
        return str(settings.index_dir)
    from askai.cli.serving import where  # noqa: PLC0415

    return where(settings)


def _file_statuses(settings: Settings, changes: Any, skipped: Any) -> Any:
    from askai.catalog import Catalog  # noqa: PLC0415
    from askai.changes import file_statuses  # noqa: PLC0415
    from askai.earlier import CATALOG  # noqa: PLC0415
    from askai.generations import open_generation  # noqa: PLC0415

    if settings.read_server:
        from askai.cli.serving import open_on_server  # noqa: PLC0415

        with open_on_server(settings) as index:
            return file_statuses(index.catalog(), changes, skipped)
    with (
        open_generation(settings.index_dir) as generation,
        Catalog.open(generation.path / CATALOG) as catalog,
    ):
        return file_statuses(catalog, changes, skipped)


def _state(settings: Settings) -> tuple[Any, Any, Any]:
    """(manifest, changes since, skipped files), with nothing heavy loaded; on a machine without the
    documents nothing has changed as far as anybody can tell."""
    from askai.changes import changes_since  # noqa: PLC0415
    from askai.corpus import Corpus  # noqa: PLC0415
    from askai.generations import open_generation  # noqa: PLC0415
    from askai.manifest import read_skipped  # noqa: PLC0415

    if settings.read_server:
        from askai.cli.serving import open_on_server  # noqa: PLC0415

        with open_on_server(settings) as index:
            found = replace(index.manifest, stores=index.stores())  # as they are found there
            return found, _changes(settings, index), index.skipped
    corpus = Corpus.open(
        settings.corpus_dir, max_bytes=settings.max_file_bytes, index=settings.index_dir
    )
    with open_generation(settings.index_dir) as generation:  # held: a writer may delete it
        skipped = read_skipped(generation.path)
        changes = changes_since(corpus, generation, skipped, corpus.list())
        return generation.manifest, changes, skipped


def _changes(settings: Settings, index: "PublishedIndex") -> "Changes":
    from askai.changes import Changes, changes_since  # noqa: PLC0415
    from askai.corpus import Corpus  # noqa: PLC0415

    if not settings.corpus_dir.is_dir():
        return Changes((), (), ())
    corpus = Corpus.open(
        settings.corpus_dir, max_bytes=settings.max_file_bytes, index=settings.index_dir
    )
    found = changes_since(corpus, index, index.skipped, corpus.list())
    if not index.partial:
        return found
    catalog = index.catalog()
    return replace(found, added=tuple(path for path in found.added if not _lost(catalog, path)))


def _lost(catalog: "CatalogReader", path: str) -> bool:
    """Whether a document, if it was published, is where nothing can be asked now."""
    try:
        catalog.source(path)
    except KeyError:
        return False
    except StoreUnreachable:
        return True
    return False


def warn_if_changed(settings: Settings) -> None:
    """Says by how many files the corpus is newer than the index."""
    if settings.read_server and not settings.corpus_dir.is_dir():
        return
    _, changes, _ = _state(settings)
    if changes.count:
        files = "file has" if changes.count == 1 else "files have"
        newer = f"{changes.count} {files} changed since the index was made"
        notify(f"{newer}; run `askai index`, or ask with --fresh.")
