"""What an earlier generation of the index holds that need not be made again.

A document whose bytes and reading are the same keeps its rows in the catalogue. A vector is kept
for a text, not for an id, see `kept_vectors`. The same goes for the words that a text was cut into.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from askai.catalog import Catalog, TextKeys
from askai.errors import StoredIndexError
from askai.generations import Generation, damaged_files, open_unchecked
from askai.induced_lexicon import KnownWords
from askai.lexical import LexicalIndex
from askai.manifest import NEAR, SOURCES, Manifest, SourceState, read_sources
from askai.stores import Store

CATALOG, VECTORS, UNITS, LEXICAL = "catalog.sqlite", "vectors.faiss", "units.faiss", "lexical"
WORDS = "words.npz"

# Settings that shape what is read and cut, what is embedded, and what a text is cut into.
_READING = ("readers", "chunking", "descriptions")
EMBEDDING = ("embedder", "centring", "store")
_CUTTING = ("lexical", "tokens")
_WORDS = ("embedder", "words")


@dataclass(frozen=True, slots=True)
class KnownVectors:
    """The vectors of a store, and the keys of the texts that they are of."""

    store: Store | None = None
    keys: Sequence[TextKeys] = ()


@dataclass(frozen=True, slots=True)
class Earlier:
    """Parts of the current generation that the next one can take over; empty: none."""

    manifest: Manifest | None = None
    catalog: Path | None = None  # whose documents are read as they would be now
    states: Mapping[str, SourceState] = field(default_factory=dict)  # of them, by path
    passages: KnownVectors = field(default_factory=KnownVectors)
    units: KnownVectors = field(default_factory=KnownVectors)
    words: KnownWords = field(default_factory=KnownWords)
    lexical: LexicalIndex | None = None
    cut: Mapping[bytes, str] = field(default_factory=dict)  # id in `lexical` by key of its text


@contextmanager
def open_earlier(
    index_dir: Path,
    settings: Mapping[str, Any],
    store_class: type[Store],
    lexical_class: type[LexicalIndex],
    *,
    full: bool = False,
) -> Iterator[Earlier]:
    """What the current generation holds that is whole, and still good by these settings.

    Damaged files give nothing, and without the catalogue nobody knows what the others are of.
    `full` holds every file against its checksum, and not only those whose time has changed.
    """
    with ExitStack() as stack:
        try:
            generation = stack.enter_context(open_unchecked(index_dir))
            damaged = damaged_files(generation, full=full)
            found = Earlier()
            if CATALOG not in damaged:
                classes = store_class, lexical_class
                found = _opened(stack, generation, damaged, settings, classes)
        except StoredIndexError:
            found = Earlier()
        yield found


def _opened(
    stack: ExitStack,
    generation: Generation,
    damaged: Collection[str],
    settings: Mapping[str, Any],
    classes: tuple[type[Store], type[LexicalIndex]],
) -> Earlier:
    folder, manifest = generation.path, generation.manifest
    store_class, lexical_class = classes

    def same(names: Sequence[str]) -> bool:
        return all(manifest.settings.get(name) == settings.get(name) for name in names)

    def whole(part: str) -> bool:
        stem = part.partition(".")[0]
        names = (name for name in damaged if not name.startswith(f"{stem}{NEAR}"))
        return not any(name.startswith((f"{stem}.", f"{stem}/")) for name in names)

    catalog = stack.enter_context(Catalog.open(folder / CATALOG))
    keys = catalog.text_keys()
    as_read = same(_READING) and SOURCES not in damaged
    passages = units = KnownVectors()
    lexical, cut = None, {}
    if same(EMBEDDING):
        passages, units = (
            _known(stack, store_class, folder / part, keys, damaged)
            if whole(part)
            else KnownVectors()
            for part in (VECTORS, UNITS)
        )
    if same(_CUTTING) and whole(LEXICAL):
        lexical = lexical_class.open(folder / LEXICAL)
        stack.callback(lexical.close)
        cut = {key: id_ for id_, key, _ in keys}
    return Earlier(
        manifest=manifest,
        catalog=folder / CATALOG if as_read else None,
        states={state.path: state for state in read_sources(folder)} if as_read else {},
        passages=passages,
        units=units,
        words=KnownWords.open(folder / WORDS) if same(_WORDS) and whole(WORDS) else KnownWords(),
        lexical=lexical,
        cut=cut,
    )


def _known(
    stack: ExitStack,
    store_class: type[Store],
    path: Path,
    keys: Sequence[TextKeys],
    damaged: Collection[str],
) -> KnownVectors:
    near = not any(name.startswith(f"{path.stem}{NEAR}") for name in damaged)
    store = store_class.open(path, near=near)
    stack.callback(store.close)
    return KnownVectors(store, keys)
