"""From a folder of documents to a generation of the index, its parts being made on a cluster.

What `indexing.build` does on one machine. Parts lie beside the index, or where they are asked to;
one that is there is not made again, so that what was interrupted goes on and an update makes only
the parts of what has changed. The index folder is then made of them as by an import.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Protocol

from askai import induced_lexicon
from askai.aliases import read_aliases
from askai.catalog import Catalog
from askai.corpus import ALIASES, Corpus
from askai.earlier import CATALOG, WORDS, Earlier, open_earlier
from askai.embedders.remembering import RememberingEmbedder
from askai.errors import CorpusError, StoredIndexError
from askai.generation_writer import Building, writing
from askai.generations import read_manifest
from askai.index_parts import Progress, Recipe
from askai.index_report import IndexReport, reported
from askai.indexing import few_collections, nothing, unchanged
from askai.manifest import Manifest, SourceState, read_skipped
from askai.parts import Part, PartContent
from askai.parts.address import Place
from askai.parts.exporting import other_files
from askai.parts.loading import Load, load
from askai.parts.making import Task
from askai.parts.manifest import check_free, manifest_of, put_files, put_manifest
from askai.parts.pace import Pace
from askai.parts.planning import Plan, Planner
from askai.parts.tables import arrow
from askai.parts.writing import forget_others, put_part, whole_part
from askai.records import Skipped

PARTS = "parts"  # beside the generations
_JOURNAL = ".embedded-words"

Notify = Callable[[str], None]


class Makers(Protocol):
    """Who makes parts; `ray_cluster.Cluster` is one."""

    processors: int
    nodes: int

    def made(self, tasks: Iterator[Task]) -> Iterator[tuple[str, PartContent]]:
        """The parts by name, as they come to an end; of tasks as many are taken as keep busy."""
        ...


Connect = Callable[[], AbstractContextManager[Makers]]


@dataclass(slots=True)
class _Made:
    """What has become of the files."""

    unread: list[Skipped]
    parts: dict[str, Part] = field(default_factory=dict)
    read: int = 0
    embedded: int = 0

    def note(self, plan: Plan, part: Part) -> None:
        self.parts[plan.name] = part
        files = {file.path: file for file in plan.files}
        for path, reason in part.unread:
            self.unread.append(Skipped(path, reason, files[path].bytes, files[path].ctime_ns))


def build_on(
    connect: Connect,
    corpus: Corpus,
    index_dir: Path,
    recipe: Recipe,
    *,
    model: str,
    place: Place | None = None,
    rebuild: bool = False,
    progress: Progress = lambda *_: None,
    notify: Notify = lambda _: None,
) -> IndexReport:
    """Builds a generation as `indexing.build`, its parts at `place` or beside the index.

    `model` is what workers find the embedder by. Raises what `indexing.build` raises, PartsError
    when parts cannot be kept, and ClusterError.
    """
    start = perf_counter()
    arrow()  # before anything is done
    settings = recipe.settings(corpus)
    listing = corpus.list()
    if not rebuild and (manifest := unchanged(corpus, index_dir, settings, listing, full=False)):
        folder = index_dir / manifest.generation
        return reported(manifest, folder, read_skipped(folder), start, built=False)
    if not listing.files:
        raise CorpusError(nothing(corpus, listing.skipped))
    kept = place or Place(str(index_dir / PARTS))
    check_free(kept, index_dir, own=PARTS)
    planner = Planner(corpus, recipe, model, settings)
    with few_collections(), writing(index_dir) as building:
        plans, closed = planner.plan(listing.files, progress)
        made = _Made(closed)
        _make(planner, plans, made, kept, connect, anew=rebuild, notify=notify)
        skipped = sorted((*made.unread, *listing.skipped), key=lambda skip: skip.path)
        parts = [made.parts[plan.name] for plan in plans]
        if not any(part.documents for part in parts):
            raise CorpusError(nothing(corpus, skipped))
        unread = {skip.path for skip in skipped}
        states = [s for plan in plans for s in plan.states() if s.path not in unread]
        loading = _Loading(planner, kept, index_dir, progress, anew=rebuild)
        manifest = loading.load(building, parts, states, skipped)
        report = reported(manifest, building.path, skipped, start, built=True)
        aliases = read_aliases(corpus.folder / ALIASES)
        files = put_files(kept, other_files(building.path, aliases))
        put_manifest(kept, manifest_of(manifest, parts, files, dim=recipe.embedder.dim))
        if place is None:
            forget_others(kept, parts, files)
    return replace(report, read=made.read, embedded=made.embedded)


def _make(
    planner: Planner,
    plans: Sequence[Plan],
    made: _Made,
    place: Place,
    connect: Connect,
    *,
    anew: bool,
    notify: Notify,
) -> None:
    """Makes the parts that are not there, or all of them `anew`; also those that lack a file whose
    reader was stopped, which the next build of one machine tries again, too."""
    there = set() if anew else place.names()
    fingerprint = planner.recipe.embedder.fingerprint
    missing = {}
    for plan in plans:
        part = whole_part(place, plan.name, there, model=fingerprint)
        if part and not part.stopped:
            made.note(plan, part)
        else:
            missing[plan.name] = plan
    if made.parts:
        notify(f"{len(made.parts)} of {len(plans)} parts are there already.")
    if not missing:
        return
    address = "" if place.is_here else place.address
    with connect() as makers:
        nodes = "1 node" if makers.nodes == 1 else f"{makers.nodes} nodes"
        parts = "1 part" if len(missing) == 1 else f"{len(missing)} parts"
        notify(f"Building {parts} on {nodes} with {makers.processors} processors.")
        pace = Pace(len(missing), sum(plan.bytes for plan in missing.values()), notify)
        tasks = (planner.task(plan, address=address) for plan in missing.values())
        for name, content in makers.made(tasks):
            plan = missing[name]
            part = put_part(place, content) if content.files else content.part
            made.note(plan, part)
            made.read += len(plan.files)
            made.embedded += part.texts
            pace.tell(plan.bytes, part.texts)


@dataclass(frozen=True, slots=True)
class _Loading:
    """Parts on their way into the index folder."""

    planner: Planner
    place: Place
    index_dir: Path
    progress: Progress
    anew: bool

    def load(
        self,
        building: Building,
        parts: Sequence[Part],
        states: Sequence[SourceState],
        skipped: Sequence[Skipped],
    ) -> Manifest:
        recipe = self.planner.recipe
        journal = RememberingEmbedder(recipe.embedder, self.index_dir / _JOURNAL)
        given = Load(
            place=self.place,
            parts=parts,
            dim=recipe.embedder.dim,
            settings=self.planner.settings,
            states={state.path: state for state in states},
            skipped=skipped,
            pace=self._pace_before(),
            write_words=lambda folder: self._write_words(folder, journal),
        )
        manifest = load(given, building, recipe, self.progress)
        journal.forget()
        return manifest

    def _write_words(self, folder: Path, embedder: RememberingEmbedder) -> None:
        """The words of the corpus are known when all of it is there; those of the generation before
        are not embedded again."""
        recipe = self.planner.recipe
        with Catalog.open(folder / CATALOG) as catalog:
            counts, languages = catalog.word_counts(), catalog.languages()
        classes = recipe.store_class, recipe.lexical_class
        with open_earlier(self.index_dir, self.planner.settings, *classes) as found:
            induced_lexicon.write(
                folder / WORDS,
                counts,
                languages,
                embedder,
                known=(Earlier() if self.anew else found).words,
                tell=lambda done, total: self.progress("words", done, total),
            )

    def _pace_before(self) -> float:
        """That of this machine, by its last build; what workers took says nothing about it."""
        try:
            return read_manifest(self.index_dir).pace
        except StoredIndexError:
            return 0.0
