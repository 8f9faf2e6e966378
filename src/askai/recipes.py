"""Joins settings to the parts that index; `assemble` joins those that answer."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any

from askai.aliases import read_aliases
from askai.catalog import Catalog
from askai.centring import centring_for
from askai.corpus import ALIASES, Corpus
from askai.earlier import CATALOG, LEXICAL, UNITS, VECTORS, WORDS
from askai.embedders.models import resolve
from askai.generations import Generation, open_generation
from askai.index_parts import Progress, Recipe
from askai.lexical import LEXICALS
from askai.manifest import SKIPPED, skipped_json, sources_json
from askai.seams import load
from askai.settings import Settings
from askai.stores import STORES

if TYPE_CHECKING:
    from askai.index_report import IndexReport
    from askai.parts.address import Place
    from askai.parts.importing import Imported
    from askai.parts.manifest import PartsManifest
    from askai.publication import LocalIndex, Published

Notify = Callable[[str], None]


def open_corpus(settings: Settings) -> Corpus:
    return Corpus.open(
        settings.corpus_dir,
        max_bytes=settings.max_file_bytes,
        index=settings.index_dir,
        passwords=settings.passwords,
        max_read_seconds=settings.max_read_seconds,
    )


def corpus_or_its_place(settings: Settings) -> Corpus:
    """The folder of documents; where it is not on this machine, only its name: an index that is on
    a server needs no more."""
    if settings.corpus_dir.is_dir():
        return open_corpus(settings)
    return Corpus(settings.corpus_dir, settings.max_file_bytes)


def recipe(settings: Settings, *, notify: Notify = lambda _: None) -> Recipe:
    """What builds an index by these settings."""
    embedder = resolve(settings.model, notify=notify)
    return Recipe(
        embedder=embedder,
        centring=centring_for(embedder),
        store=settings.local_store,
        store_class=load("store", STORES, settings.local_store),
        lexical=settings.lexical,
        lexical_class=load("lexical", LEXICALS, settings.lexical),
        chunk_tokens=settings.chunk_tokens,
    )


def publish(
    settings: Settings,
    *,
    replace: bool = False,
    aliases: str | None = None,
    progress: Progress = lambda *_: None,
) -> "Published":
    """Brings the server that the settings name to what the index folder holds; see
    `servers.Server.publish`. `aliases` is the content of aliases.toml, where it does not lie with
    the documents."""
    # Whose index is in a folder never loads this.
    from askai.servers import server_at  # noqa: PLC0415

    server = server_at(settings.server, settings.store_schema)
    with opened_local(settings) as local:
        given = local if aliases is None else replaced(local, aliases=aliases)
        return server.publish(given, replace=replace, progress=progress)


@contextmanager
def opened_local(settings: Settings) -> Iterator["LocalIndex"]:
    """The current generation of the index folder, as a server is told of it."""
    from askai.publication import LocalIndex  # noqa: PLC0415

    with _current(settings) as (generation, parts):
        path = generation.path
        yield LocalIndex(
            manifest=generation.manifest,
            **parts,
            states=generation.sources(),
            skipped=(path / SKIPPED).read_text("utf-8"),
            shares=(path / WORDS).with_suffix(".json").read_text("utf-8"),
            words=(path / WORDS).read_bytes(),
            aliases=read_aliases(settings.corpus_dir / ALIASES),
        )


@contextmanager
def _current(settings: Settings) -> Iterator[tuple[Generation, dict[str, Any]]]:
    """The current generation of the index folder, with what is read of it by name."""
    with ExitStack() as stack:
        generation = stack.enter_context(open_generation(settings.index_dir))
        path, made = generation.path, generation.manifest.settings
        store_class = load("store", STORES, made["store"])
        store, units = (
            stack.enter_context(closing(store_class.open(path / name))) for name in (VECTORS, UNITS)
        )
        lexical = load("lexical", LEXICALS, made["lexical"]).open(path / LEXICAL)
        stack.callback(lexical.close)
        catalog = stack.enter_context(Catalog.open(path / CATALOG))
        yield generation, {"catalog": catalog, "store": store, "units": units, "lexical": lexical}


def export(
    settings: Settings, address: str, *, progress: Progress = lambda *_: None
) -> "PartsManifest":
    """Writes the index, from the server if one is set, as parts; see `parts.exporting.export`."""
    from askai.parts.address import Place  # noqa: PLC0415
    from askai.parts.exporting import OpenIndex, other_files  # noqa: PLC0415
    from askai.parts.exporting import export as write  # noqa: PLC0415
    from askai.parts.manifest import check_free  # noqa: PLC0415

    place = Place(address)
    check_free(place, settings.index_dir)
    if settings.read_server:
        return _export_published(settings, place, progress)
    with _current(settings) as (generation, parts):
        aliases = read_aliases(settings.corpus_dir / ALIASES)
        index = OpenIndex(
            manifest=generation.manifest, **parts, files=other_files(generation.path, aliases)
        )
        return write(index, place, progress=progress)


def _export_published(settings: Settings, place: "Place", progress: Progress) -> "PartsManifest":
    from askai.parts.exporting import OpenIndex  # noqa: PLC0415
    from askai.parts.exporting import export as write  # noqa: PLC0415
    from askai.servers import server_at  # noqa: PLC0415

    with server_at(settings.read_server, settings.store_schema).open() as found:
        words = found.induced()
        index = OpenIndex(
            manifest=found.manifest,
            catalog=found.catalog(),
            store=found.vectors("passage_vectors"),
            units=found.vectors("unit_vectors"),
            lexical=found.words(),
            files={
                "sources": sources_json(found.sources()).encode(),
                "skipped": skipped_json(found.skipped).encode(),
                "words": words.fetch(),
                "shares": json.dumps(words.shares).encode(),
                "aliases": found.aliases.encode(),
            },
        )
        return write(index, place, progress=progress)


def import_parts(
    settings: Settings,
    address: str,
    *,
    notify: Notify = lambda _: None,
    progress: Progress = lambda *_: None,
) -> "Imported":
    """Makes the index folder of parts; see `parts.importing.import_parts`."""
    from askai.parts.address import Place  # noqa: PLC0415
    from askai.parts.importing import import_parts as read  # noqa: PLC0415

    made = recipe(settings, notify=notify)
    return read(Place(address), settings.index_dir, made, progress=progress)


def build_on_ray(
    settings: Settings,
    on: str,
    *,
    parts: str = "",
    rebuild: bool = False,
    notify: Notify = lambda _: None,
    progress: Progress = lambda *_: None,
) -> "IndexReport":
    """Builds the index folder by the cluster at `on`; see `parts.building.build_on`."""
    from askai.parts.address import Place, check_shared  # noqa: PLC0415
    from askai.parts.building import build_on  # noqa: PLC0415
    from askai.parts.ray_cluster import check_address, connected  # noqa: PLC0415

    check_address(on)
    check_shared(parts)
    return build_on(
        lambda: connected(on),
        open_corpus(settings),
        settings.index_dir,
        recipe(settings, notify=notify),
        model=settings.model,
        place=Place(parts) if parts else None,
        rebuild=rebuild,
        notify=notify,
        progress=progress,
    )
