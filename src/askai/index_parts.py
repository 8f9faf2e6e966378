"""From a catalogue to what answers are found by: vectors and words."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

from askai import chunking, induced_lexicon, tokens
from askai.catalog import Catalog, TextKeys
from askai.centring import Centring
from askai.changes import description_digest
from askai.corpus import Corpus
from askai.earlier import CATALOG, LEXICAL, UNITS, VECTORS, WORDS, Earlier
from askai.embedders import Embedder, Vectors
from askai.kept_vectors import Kept, kept_passages, kept_units, unit_count
from askai.lexical import LexicalIndex
from askai.manifest import StoreState
from askai.readers import VERSIONS
from askai.stores import Store
from askai.units import chunk_of, unit_texts

_BATCH = 128  # passages embedded at a time
_MANY_CUT = 1000  # passages that take a while to cut into words
_MANY = 100  # texts embedded that tell the pace

# Told (stage, done, of how many) as the work goes on; stages are "reading",
# "counting" the words of many passages, "embedding" and "words".
Progress = Callable[[str, int, int], None]
Text = tuple[str, str, str | None]  # (id, text, language)
Words = tuple[str, list[str]]  # an id and the words of its text
Batch = tuple[Sequence[str], Vectors]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What builds an index, by name and by part."""

    embedder: Embedder
    centring: Centring
    store: str
    store_class: type[Store]
    lexical: str
    lexical_class: type[LexicalIndex]
    chunk_tokens: int

    def settings(self, corpus: Corpus) -> dict[str, Any]:
        """All that shapes an index besides the documents, as the manifest keeps it."""
        return {
            **self.parts,
            "readers": VERSIONS,
            "descriptions": description_digest(corpus),
            "passwords": _mark(corpus.passwords),
            "max_read_seconds": corpus.max_read_seconds,
        }

    @property
    def parts(self) -> dict[str, Any]:
        """What shapes an index of texts, wherever they come from."""
        return {
            "embedder": {"name": self.embedder.name, "fingerprint": self.embedder.fingerprint},
            "centring": self.centring.version,
            "store": self.store,
            "lexical": self.lexical,
            "chunking": {"version": chunking.VERSION, "tokens": self.chunk_tokens},
            "tokens": tokens.VERSION,
            "words": induced_lexicon.VERSION,
        }


def _mark(passwords: Mapping[str, str]) -> str:
    """Tells one table of passwords from another, and is too short to try guesses on."""
    text = json.dumps(sorted(passwords.items()))
    return sha256(text.encode()).hexdigest()[:4] if passwords else ""


@dataclass(frozen=True, slots=True)
class Parts:
    """What was made of a catalogue."""

    chunks: int
    texts: int  # passages and their units
    embedded: int  # of them, since no vector was kept
    seconds: float  # it took to embed them
    stores: Mapping[str, StoreState]  # how each finds what it holds

    @property
    def pace(self) -> float:
        """Seconds a text; 0 where too few were embedded to tell."""
        return self.seconds / self.embedded if self.embedded >= _MANY else 0.0


def write_parts(
    folder: Path, recipe: Recipe, progress: Progress, earlier: Earlier | None = None
) -> Parts:
    """Makes of the catalogue in `folder` what answers are found by."""
    known = earlier or Earlier()
    # While an update copies vectors, which is the disk's work, another thread weighs the words.
    with Catalog.open(folder / CATALOG) as catalog, ThreadPoolExecutor(1) as beside:
        keys = catalog.text_keys()
        cut = partial(_cut, catalog, progress)
        lexical = partial(_write_lexical, folder / LEXICAL, recipe, cut, keys, known)
        pending = beside.submit(lexical) if known.lexical else None
        if pending is None:  # before the model needs memory, too
            lexical()
        embedding = _Embedding(recipe, progress, len(keys) + unit_count(keys))
        kept = kept_passages(known.passages.keys, keys)
        embedding.run(
            kept, partial(_passages, catalog), folder / VECTORS, known.passages.store, len(keys)
        )
        kept = kept_units(known.units.keys, keys)
        embedding.run(
            kept, partial(_units, catalog), folder / UNITS, known.units.store, unit_count(keys)
        )
        induced_lexicon.write(
            folder / WORDS,
            catalog.word_counts(),
            catalog.languages(),
            recipe.embedder,
            known=known.words,
            tell=lambda done, total: progress("words", done, total),
        )
        if pending is not None:
            pending.result()
        return Parts(
            chunks=len(keys),
            texts=embedding.total,
            embedded=embedding.new,
            seconds=embedding.seconds,
            stores={
                "passages": _found_by(recipe, folder / VECTORS),
                "sentences": _found_by(recipe, folder / UNITS),
            },
        )


def _found_by(recipe: Recipe, path: Path) -> StoreState:
    with closing(recipe.store_class.open(path)) as store:
        return StoreState(**asdict(store.found_by()))


def _write_lexical(
    path: Path,
    recipe: Recipe,
    cut: Callable[[Sequence[str]], Iterator[Words]],
    keys: Sequence[TextKeys],
    known: Earlier,
) -> None:
    kept = {id_: known.cut[key] for id_, key, _ in keys if key in known.cut}
    new = cut([id_ for id_, _, _ in keys if id_ not in kept])
    recipe.lexical_class.build(path, new, earlier=known.lexical, kept=kept).close()


def _cut(catalog: Catalog, progress: Progress, ids: Sequence[str]) -> Iterator[Words]:
    """The words of passages; of many it is told how far it is."""
    tell = progress if len(ids) >= _MANY_CUT else lambda *_: None
    for done, (id_, text, _) in enumerate(_passages(catalog, ids)):
        tell("counting", done, len(ids))
        yield id_, tokens.content_tokens(text)
    tell("counting", len(ids), len(ids))


def _passages(catalog: Catalog, ids: Sequence[str]) -> Iterator[Text]:
    """The texts of passages, a few at a time."""
    for at in range(0, len(ids), _BATCH):
        for chunk in catalog.chunks(ids[at : at + _BATCH]).values():
            yield chunk.id, chunk.embedded_text, chunk.language


def _units(catalog: Catalog, ids: Sequence[str]) -> Iterator[Text]:
    """The texts of units, what an answer is picked from."""
    wanted = set(ids)
    passages = list(dict.fromkeys(map(chunk_of, ids)))
    for at in range(0, len(passages), _BATCH):
        for chunk in catalog.chunks(passages[at : at + _BATCH]).values():
            for id_, text in unit_texts(chunk):
                if id_ in wanted:
                    yield id_, text, chunk.language


@dataclass(slots=True)
class _Embedding:
    """Fills stores with vectors; counts as it goes."""

    recipe: Recipe
    progress: Progress
    total: int
    done: int = 0
    new: int = 0
    seconds: float = 0.0

    def run(
        self,
        kept: Kept,
        texts: Callable[[Sequence[str]], Iterator[Text]],
        path: Path,
        earlier: Store | None,
        total: int,
    ) -> None:
        """Writes a store of `total` vectors: those that are kept, then those of the others, whose
        `texts` are embedded a batch at a time."""
        self._did(total - len(kept.new))
        self.recipe.store_class.write(
            path,
            dim=self.recipe.embedder.dim,
            batches=self._embedded(texts(kept.new)),
            earlier=earlier,
            moves=kept.moves,
        )

    def _embedded(self, texts: Iterator[Text]) -> Iterator[Batch]:
        while batch := list(islice(texts, _BATCH)):
            ids, written, languages = zip(*batch, strict=True)
            start = perf_counter()
            found = self.recipe.embedder.embed_passages(written)
            self.seconds += perf_counter() - start
            yield ids, self.recipe.centring.passages(found, languages)
            self.new += len(batch)
            self._did(len(batch))

    def _did(self, count: int) -> None:
        self.done += count
        self.progress("embedding", self.done, self.total)
