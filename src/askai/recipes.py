"""Joins settings to the parts that index; `assemble` joins those that answer."""

from collections.abc import Callable

from askai.centring import centring_for
from askai.corpus import Corpus
from askai.embedders.models import resolve
from askai.index_parts import Recipe
from askai.lexical import LEXICALS
from askai.seams import load
from askai.settings import Settings
from askai.stores import STORES

Notify = Callable[[str], None]


def open_corpus(settings: Settings) -> Corpus:
    return Corpus.open(
        settings.corpus_dir,
        max_bytes=settings.max_file_bytes,
        index=settings.index_dir,
        passwords=settings.passwords,
        max_read_seconds=settings.max_read_seconds,
    )


def recipe(settings: Settings, *, notify: Notify = lambda _: None) -> Recipe:
    """What builds an index by these settings."""
    embedder = resolve(settings.model, notify=notify)
    return Recipe(
        embedder=embedder,
        centring=centring_for(embedder),
        store=settings.store,
        store_class=load("store", STORES, settings.store),
        lexical=settings.lexical,
        lexical_class=load("lexical", LEXICALS, settings.lexical),
        chunk_tokens=settings.chunk_tokens,
    )
