"""The options that several commands have, and the settings that they make."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from askai.settings import Settings, load_settings

if TYPE_CHECKING:
    from askai.scope import Filters

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
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="ADDRESS",
        help="postgresql://… or milvus://… of a server that holds the index; without its password, "
        "which belongs into PGPASSFILE or MILVUS_TOKEN; of several shards in quotes, with blanks "
        "between [in the index folder].",
    ),
]
NoRerankOption = Annotated[
    bool, typer.Option("--no-rerank", help="Leave out the reranker, which reads English only.")
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Bring the index up to date first.")]
TimingsOption = Annotated[bool, typer.Option("--timings", help="Say where the time went.")]
SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="PATH",
        help="Only documents of this path, folder or pattern (with * and ?, in quotes), from the "
        "corpus on or from the working directory; several times for several.",
    ),
]
LanguageOption = Annotated[
    list[str] | None,
    typer.Option(
        "--language",
        metavar="CODE",
        help="Only passages in this language (en, zh, fr …); several times for several.",
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="DATE",
        help="Only documents from YYYY, YYYY-MM or YYYY-MM-DD on; one known by its year alone is "
        "in every span that touches that year, one without a date is left out.",
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="DATE",
        help="Only documents up to the end of this day, month or year; see --since.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def settings_of(context: typer.Context, **options: Any) -> Settings:
    """Settings by the options of the command, or else by those before it."""
    merged = {**context.obj, **{k: v for k, v in options.items() if v is not None}}
    return load_settings(folder=Path.cwd(), environment=os.environ, options=merged)


def filters_of(
    source: list[str] | None, language: list[str] | None, since: str | None, until: str | None
) -> "Filters":
    """What was asked for; raises UsageError where that can be told without an index.

    An empty word, as an unset variable of the shell leaves it, is wrong, and not no filter.
    """
    from askai.scope import Filters  # noqa: PLC0415

    filters = Filters(tuple(source or ()), tuple(language or ()), since, until)
    filters.check()
    return filters


def shown_by(settings: Settings) -> Callable[[str], str]:
    from askai.cite import shown_path  # noqa: PLC0415

    folder = Path.cwd()
    return lambda path: shown_path(path, corpus=settings.corpus_dir, folder=folder)
