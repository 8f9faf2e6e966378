"""Joins settings to the parts that answer; parts get objects, never settings.

What indexes is joined in `recipes`, apart, since loading all that answers takes longer than finding
that nothing has changed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from askai.induced_lexicon import InducedLexicon, Translator
from askai.language import language_of
from askai.legs import Legs, in_turn, together
from askai.lexical import LEXICALS, WordSearch
from askai.manifest import Manifest, read_skipped
from askai.recipes import Notify, corpus_or_its_place, open_corpus
from askai.records import Partial, Skipped
from askai.rerankers import Reranker, load_ahead
from askai.rerankers import resolve as reranker
from askai.retrieve import Retriever
from askai.seams import load
from askai.settings import Settings
from askai.stores import STORES, VectorSearch
from askai.tokens import VERSION as TOKENS_VERSION
from askai.writers import WRITERS

if TYPE_CHECKING:
    from askai.changes import Indexed
    from askai.scope import Filters, Scope
    from askai.servers import PublishedIndex


@dataclass(frozen=True, slots=True)
class Askai:
    """An open index with all that answers from it."""

    manifest: Manifest
    corpus: Corpus
    catalog: CatalogReader
    embedder: Embedder
    retriever: Retriever
    answerer: Answerer
    partial: Partial | None = None  # which shards of the index were not asked


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
    pool: Any = None,
) -> Iterator[Askai]:
    """Opens the current generation; raises IndexMissing, IndexDamaged or IndexMismatch.

    From a server it is read by one snapshot, so a process that lives on opens it for each question,
    with a `pool` that it keeps (see `open_pool`). Raises StoreError when the server cannot be read.

    What the question `asked` needs is loaded in the meantime. With `filters` only what they leave
    is searched; raises UsageError when that is nothing, see `scope.scope_of`.
    """
    with ExitStack() as stack:
        # Before anything is loaded: there may be none.
        index = _opened(stack, settings, pool)
        reads = reranker(settings.reranker, notify=notify)
        if asked:
            load_ahead(reads, language_of(asked))
        in_folder = isinstance(index, Generation)
        corpus = open_corpus(settings) if in_folder else corpus_or_its_place(settings)
        embedder = resolve(settings.model, notify=notify)
        _check_made_with(index.manifest, embedder, index.where)
        if asked:
            load_question_encoder(embedder)
        if isinstance(index, Generation):
            parts = _in_folder(stack, index)
            aliases = Aliases.load(corpus.folder / ALIASES)
        else:
            parts = _on_server(index)
            aliases = Aliases.parse(index.aliases, Path(ALIASES))
        retriever = _retriever(parts, embedder, aliases)
        if filters:
            scope = _scope(filters, parts, corpus, shown)
            retriever = replace(retriever, scope=scope)
        answerer = _answerer(parts, retriever, reads, settings)
        yield Askai(
            parts.manifest, corpus, retriever.catalog, embedder, retriever, answerer,
            None if isinstance(index, Generation) else index.partial,
        )  # fmt: skip


@contextmanager
def open_bench(
    settings: Settings, index_dir: Path, *, notify: Notify = lambda _: None
) -> Iterator[OpenBench]:
    """Opens an index that `bench_index.build_bench` made; it has no aliases of names."""
    with ExitStack() as stack:
        generation = stack.enter_context(open_generation(index_dir))
        embedder = resolve(settings.model, notify=notify)
        _check_made_with(generation.manifest, embedder, generation.where)
        parts = _in_folder(stack, generation)
        retriever = _retriever(parts, embedder, Aliases(()))
        answerer = _answerer(parts, retriever, reranker(settings.reranker, notify=notify), settings)
        yield OpenBench(generation.manifest, embedder, retriever, answerer)


@contextmanager
def open_pool(settings: Settings) -> Iterator[Any]:
    """Connections for a process that asks much, for `open_askai`; None where the index is in a
    folder."""
    if not settings.read_server:
        yield None
        return
    from askai.servers import server_at  # noqa: PLC0415

    with server_at(settings.read_server, settings.store_schema).pool() as pool:
        yield pool


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a question reads, wherever it lies."""

    index: "Indexed"
    catalog: CatalogReader
    store: VectorSearch
    units: VectorSearch
    lexical: WordSearch
    induced: Translator
    skipped: Sequence[Skipped]
    legs: Legs = in_turn

    @property
    def manifest(self) -> Manifest:
        return self.index.manifest


def _in_folder(stack: ExitStack, generation: Generation) -> _Parts:
    path, made = generation.path, generation.manifest.settings
    store_class = load("store", STORES, made["store"])
    catalog = stack.enter_context(Catalog.open(path / CATALOG))
    store, units = (store_class.open(path / name) for name in (VECTORS, UNITS))
    stack.callback(store.close)
    stack.callback(units.close)
    lexical = load("lexical", LEXICALS, made["lexical"]).open(path / LEXICAL)
    stack.callback(lexical.close)
    induced = InducedLexicon.open(path / WORDS)
    skipped = read_skipped(path)
    return _Parts(generation, catalog, store, units, lexical, induced, skipped)


def _opened(stack: ExitStack, settings: Settings, pool: Any) -> "Generation | PublishedIndex":
    if not settings.read_server:
        return stack.enter_context(open_generation(settings.index_dir))
    # Whose index is in a folder never loads this.
    from askai.servers import server_at  # noqa: PLC0415

    server = server_at(settings.read_server, settings.store_schema)
    return stack.enter_context(server.open(pool, partial=settings.store_partial))


def _on_server(index: "PublishedIndex") -> _Parts:
    return _Parts(
        index=index,
        catalog=index.catalog(),
        store=index.vectors("passage_vectors"),
        units=index.vectors("unit_vectors"),
        lexical=index.words(),
        induced=index.induced(),
        skipped=index.skipped,
        legs=together if index.concurrent else in_turn,
    )


def _scope(
    filters: "Filters",
    parts: _Parts,
    corpus: Corpus,
    shown: Callable[[str], str],
) -> "Scope":
    """As `scope.scope_of`; an error says, too, when the folder has changed since."""
    from askai.changes import changes_since  # noqa: PLC0415
    from askai.scope import examples, scope_of  # noqa: PLC0415  few questions need it

    skipped = parts.skipped
    try:
        return scope_of(filters, parts.catalog, corpus=corpus.folder, shown=shown, skipped=skipped)
    except UsageError as error:
        if not corpus.folder.is_dir():  # asked from a machine without the documents
            raise
        changes = changes_since(corpus, parts.index, skipped, corpus.list())
        if not changes.count:
            raise
        new = f" (new: {examples(changes.added)})" if changes.added else ""
        raise UsageError(
            f"{error} The folder has changed since the index was made{new}: ask with --fresh, or "
            "run `askai index`."
        ) from error


def _retriever(parts: _Parts, embedder: Embedder, aliases: Aliases) -> Retriever:
    return Retriever(
        catalog=parts.catalog,
        store=parts.store,
        units=parts.units,
        lexical=parts.lexical,
        embedder=embedder,
        centring=centring_for(embedder),
        aliases=aliases,
        induced=parts.induced,
        legs=parts.legs,
    )


def _answerer(parts: _Parts, retriever: Retriever, reads: Reranker, settings: Settings) -> Answerer:
    return Answerer(
        retriever=retriever,
        finder=EvidenceFinder(retriever.units, retriever.lexical, reads),
        gate=Gate(retriever.lexical, trained(), retriever.aliases),
        writer=load("writer", WRITERS, settings.writer)(),
        catalog=retriever.catalog,
        skipped=tuple(parts.skipped),
    )


def _check_made_with(manifest: Manifest, embedder: Embedder, where: str) -> None:
    made = manifest.settings.get("embedder", {})
    if made.get("fingerprint") != embedder.fingerprint:
        raise IndexMismatch(
            f"The index in {where} was made with the model "
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
            f"The index in {where} was made by another version of askai "
            f"({manifest.askai}). Run `askai index` to rebuild it."
        )
