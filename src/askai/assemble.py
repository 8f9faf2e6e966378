"""Joins settings to the parts that answer; parts get objects, never settings.

What indexes is joined in `recipes`, apart, since loading all that answers takes longer than finding
that nothing has changed.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from askai.aliases import Aliases
from askai.answer import Answerer
from askai.answerability import trained
from askai.catalog import Catalog
from askai.catalog_reader import CatalogReader
from askai.centring import centring_for
from askai.corpus import ALIASES, Corpus
from askai.earlier import CATALOG, LEXICAL, UNITS, VECTORS, WORDS
from askai.embedders import Embedder
from askai.embedders import load_ahead as load_question_encoder
from askai.embedders.models import resolve
from askai.errors import IndexMismatch, UsageError
from askai.evidence import EvidenceFinder
from askai.gate import Gate
from askai.generations import Generation, open_generation
from askai.induced_lexicon import VERSION as WORDS_VERSION
from askai.induced_lexicon import InducedLexicon
from askai.language import language_of
from askai.lexical import LEXICALS
from askai.manifest import Manifest, read_skipped
from askai.recipes import Notify, open_corpus
from askai.rerankers import Reranker, load_ahead
from askai.rerankers import resolve as reranker
from askai.retrieve import Retriever
from askai.seams import load
from askai.settings import Settings
from askai.stores import STORES
from askai.tokens import VERSION as TOKENS_VERSION
from askai.writers import WRITERS

if TYPE_CHECKING:
    from askai.scope import Filters, Scope


@dataclass(frozen=True, slots=True)
class Askai:
    """An open index with all that answers from it."""

    manifest: Manifest
    corpus: Corpus
    catalog: CatalogReader
    embedder: Embedder
    retriever: Retriever
    answerer: Answerer


@dataclass(frozen=True, slots=True)
class OpenBench:
    """An open index of a BEIR folder."""

    manifest: Manifest
    embedder: Embedder
    retriever: Retriever
    answerer: Answerer


@contextmanager
def open_askai(
    settings: Settings,
    *,
    notify: Notify = lambda _: None,
    asked: str = "",
    filters: "Filters | None" = None,
    shown: Callable[[str], str] = str,
) -> Iterator[Askai]:
    """Opens the current generation; raises IndexMissing, IndexDamaged or IndexMismatch.

    What the question `asked` needs is loaded in the meantime. With `filters` only what they leave
    is searched; raises UsageError when that is nothing, see `scope.scope_of`.
    """
    with ExitStack() as stack:
        generation = stack.enter_context(open_generation(settings.index_dir))
        reads = reranker(settings.reranker, notify=notify)
        if asked:
            load_ahead(reads, language_of(asked))
        corpus = open_corpus(settings)
        embedder = resolve(settings.model, notify=notify)
        _check_made_with(generation.manifest, embedder, settings)
        if asked:
            load_question_encoder(embedder)
        aliases = Aliases.load(corpus.folder / ALIASES)
        retriever = _retriever(stack, generation, embedder, aliases)
        if filters:
            scope = _scope(filters, retriever.catalog, generation, corpus, shown)
            retriever = replace(retriever, scope=scope)
        answerer = _answerer(generation, retriever, reads, settings)
        yield Askai(generation.manifest, corpus, retriever.catalog, embedder, retriever, answerer)


@contextmanager
def open_bench(
    settings: Settings, index_dir: Path, *, notify: Notify = lambda _: None
) -> Iterator[OpenBench]:
    """Opens an index that `bench_index.build_bench` made; it has no aliases of names."""
    with ExitStack() as stack:
        generation = stack.enter_context(open_generation(index_dir))
        embedder = resolve(settings.model, notify=notify)
        _check_made_with(generation.manifest, embedder, replace(settings, index=str(index_dir)))
        retriever = _retriever(stack, generation, embedder, Aliases(()))
        answerer = _answerer(
            generation, retriever, reranker(settings.reranker, notify=notify), settings
        )
        yield OpenBench(generation.manifest, embedder, retriever, answerer)


def _scope(
    filters: "Filters",
    catalog: CatalogReader,
    generation: Generation,
    corpus: Corpus,
    shown: Callable[[str], str],
) -> "Scope":
    """As `scope.scope_of`; an error says, too, when the folder has changed since."""
    from askai.changes import changes_since  # noqa: PLC0415
    from askai.scope import examples, scope_of  # noqa: PLC0415  few questions need it

    skipped = read_skipped(generation.path)
    try:
        return scope_of(filters, catalog, corpus=corpus.folder, shown=shown, skipped=skipped)
    except UsageError as error:
        changes = changes_since(corpus, generation, skipped, corpus.list())
        if not changes.count:
            raise
        new = f" (new: {examples(changes.added)})" if changes.added else ""
        raise UsageError(
            f"{error} The folder has changed since the index was made{new}: ask with --fresh, or "
            "run `askai index`."
        ) from error


def _retriever(
    stack: ExitStack, generation: Generation, embedder: Embedder, aliases: Aliases
) -> Retriever:
    path, made = generation.path, generation.manifest.settings
    catalog = stack.enter_context(Catalog.open(path / CATALOG))
    store_class = load("store", STORES, made["store"])
    store, units = (store_class.open(path / name) for name in (VECTORS, UNITS))
    stack.callback(store.close)
    stack.callback(units.close)
    lexical = load("lexical", LEXICALS, made["lexical"]).open(path / LEXICAL)
    stack.callback(lexical.close)
    return Retriever(
        catalog=catalog,
        store=store,
        units=units,
        lexical=lexical,
        embedder=embedder,
        centring=centring_for(embedder),
        aliases=aliases,
        induced=InducedLexicon.open(path / WORDS),
    )


def _answerer(
    generation: Generation, retriever: Retriever, reads: Reranker, settings: Settings
) -> Answerer:
    return Answerer(
        retriever=retriever,
        finder=EvidenceFinder(retriever.units, retriever.lexical, reads),
        gate=Gate(retriever.lexical, trained(), retriever.aliases),
        writer=load("writer", WRITERS, settings.writer)(),
        catalog=retriever.catalog,
        skipped=tuple(read_skipped(generation.path)),
    )


def _check_made_with(manifest: Manifest, embedder: Embedder, settings: Settings) -> None:
    made = manifest.settings.get("embedder", {})
    if made.get("fingerprint") != embedder.fingerprint:
        raise IndexMismatch(
            f"The index in {settings.index_dir} was made with the model "
            f"{made.get('name')!r} ({made.get('fingerprint')}), but {embedder.name!r} "
            f"({embedder.fingerprint}) is set. Run `askai index` to rebuild it, or set the model."
        )
    ours = {
        "tokens": TOKENS_VERSION,
        "centring": centring_for(embedder).version,
        "words": WORDS_VERSION,
    }
    if any(manifest.settings.get(key) != version for key, version in ours.items()):
        raise IndexMismatch(
            f"The index in {settings.index_dir} was made by another version of askai "
            f"({manifest.askai}). Run `askai index` to rebuild it."
        )
