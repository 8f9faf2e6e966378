"""From what `export` wrote to the index folder."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from askai.earlier import WORDS
from askai.errors import IndexDamaged, IndexMismatch
from askai.files import write_durably
from askai.generation_writer import writing
from askai.index_parts import Progress, Recipe
from askai.index_report import IndexReport, reported
from askai.manifest import SKIPPED, SOURCES, SourceState, parse_skipped, parse_sources
from askai.parts.address import Place
from askai.parts.loading import Load, load
from askai.parts.manifest import PartsManifest, read_manifest
from askai.parts.tables import arrow
from askai.records import Skipped

# Of another version of these, the index would be refused by every question.
_READ_BY = ("centring", "tokens", "words")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    report: IndexReport
    aliases: str  # the content of the aliases.toml that the index was exported with


def import_parts(
    place: Place, index_dir: Path, recipe: Recipe, *, progress: Progress = lambda *_: None
) -> Imported:
    """Makes what lies at `place` the current generation of `index_dir`.

    Everything is checked before, and the generation that is there answers until then, also after an
    error. Raises PartsError when the parts are not whole, IndexMismatch when they are of another
    model than the recipe's, or made by another version, and IndexLocked.
    """
    start = perf_counter()
    arrow()
    given = read_manifest(place)
    _check_settings(given, recipe, place)
    contents = {kind: place.content(file) for kind, file in given.files.items()}
    states, skipped = _lists(contents, place)

    def write_words(folder: Path) -> None:
        write_durably(folder / WORDS, contents["words"])
        write_durably((folder / WORDS).with_suffix(".json"), contents["shares"])

    plan = Load(
        place=place,
        parts=given.parts,
        dim=given.dim,
        settings=given.settings,
        states={state.path: state for state in states},
        skipped=skipped,
        pace=given.pace,
        write_words=write_words,
    )
    with writing(index_dir) as building:
        manifest = load(plan, building, recipe, progress)
        report = reported(manifest, building.path, skipped, start, built=True)
    return Imported(report, contents["aliases"].decode())


def _check_settings(given: PartsManifest, recipe: Recipe, place: Place) -> None:
    made, mine = given.settings["embedder"], recipe.parts
    if made["fingerprint"] != mine["embedder"]["fingerprint"]:
        raise IndexMismatch(
            f"{place.shown} was made with the model {made['name']!r} ({made['fingerprint']}), but "
            f"{mine['embedder']['name']!r} ({mine['embedder']['fingerprint']}) is set: import it "
            "with --model, or set the model."
        )
    if other := [name for name in _READ_BY if given.settings.get(name) != mine[name]]:
        raise IndexMismatch(
            f"{place.shown} was made by another version of askai ({given.askai}), which differs in "
            f"{', '.join(other)}: export it with the same version, or index the documents."
        )


def _lists(contents: dict[str, bytes], place: Place) -> tuple[list[SourceState], list[Skipped]]:
    try:
        states = parse_sources(contents["sources"], Path(SOURCES))
        return states, parse_skipped(contents["skipped"], Path(SKIPPED))
    except IndexDamaged as error:
        raise place.damaged("sources or skipped", error) from error
