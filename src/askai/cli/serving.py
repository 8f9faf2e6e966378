"""What commands do where the index is on a server: publish it, and read it without a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from askai import render
from askai.cli.console import notify, progress
from askai.errors import StoreUnreachable, UsageError
from askai.settings import Settings

if TYPE_CHECKING:
    from askai.records import Document
    from askai.servers import PublishedIndex


@contextmanager
def open_on_server(settings: Settings) -> Iterator["PublishedIndex"]:
    """What was published; raises as `assemble.open_askai`."""
    from askai.servers import server_at  # noqa: PLC0415

    server = server_at(settings.read_server, settings.store_schema)
    with server.open(partial=settings.store_partial) as index:
        if index.partial:
            notify(render.missing(index.partial))
        yield index


def where(settings: Settings) -> str:
    """Where the index is, for people."""
    if not settings.read_server:
        return str(settings.index_dir)
    from askai.servers import server_at  # noqa: PLC0415

    return server_at(settings.read_server, settings.store_schema).masked


def publish(settings: Settings, *, replace: bool = False, aliases: str | None = None) -> None:
    """Brings the server to what the index folder holds, with progress on stderr; `aliases` as in
    `recipes.publish`."""
    from askai import recipes  # noqa: PLC0415
    from askai.servers import server_at  # noqa: PLC0415

    with progress() as tell:
        done = recipes.publish(settings, replace=replace, aliases=aliases, progress=tell)
    to = server_at(settings.server, settings.store_schema).masked
    if done.changed:
        notify(
            f"Published {done.generation} to {to}: {done.documents} documents, {done.added} put "
            f"in, {done.removed} taken out."
        )
    else:
        verb = "has" if len(settings.servers) == 1 else "have"
        notify(f"{to} {verb} {done.generation} already.")


def document_of(index: "PublishedIndex", place: str, settings: Settings) -> tuple["Document", str]:
    """The document that a place names and the place in it; raises UsageError when there is none."""
    from askai.cite import parse_place  # noqa: PLC0415

    catalog = index.catalog()
    lost: StoreUnreachable | None = None
    for source, fragment in ((place, ""), parse_place(place)):  # all of "C# notes.txt" first
        for path in _paths(source, settings.corpus_dir):
            try:
                return catalog.document(path), fragment
            except KeyError:
                continue
            except StoreUnreachable as error:  # if there is such a document, its shard is lost
                lost = error
    if lost:
        raise lost
    source, _ = parse_place(place)
    raise UsageError(f"No source {source!r} in {index.where}; `askai status` says what is indexed.")


def _paths(source: str, corpus: Path) -> Iterator[str]:
    """What the corpus may call a source: as a user sees it, or as it is."""
    try:
        whole, top = Path(source).resolve(), corpus.resolve()
    except (OSError, ValueError, RuntimeError):  # what no file can be called
        pass
    else:
        if whole.is_relative_to(top):
            yield whole.relative_to(top).as_posix()
    yield source
