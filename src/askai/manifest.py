"""What a generation of the index says of itself: how it was made, of what, and of which files.

manifest.json   the settings, the counts, and the checksum of each file
sources.json    the files of the corpus; not read while nothing has changed
skipped.json    those that were not read, and why
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, NoReturn

from askai.errors import IndexDamaged, IndexMismatch
from askai.files import write_durably
from askai.records import Skipped

if TYPE_CHECKING:
    from askai.corpus import CorpusFile

FORMAT: Final = 3  # raised whenever a generation written before could be misread

MANIFEST = "manifest.json"
NEAR = ".near."  # in names of what a store makes of its vectors, and can make again
SKIPPED = "skipped.json"
SOURCES = "sources.json"


@dataclass(frozen=True, slots=True)
class SourceState:
    """A file of the corpus as the generation knows it."""

    path: str
    sha256: str
    bytes: int
    mtime_ns: int
    ctime_ns: int  # 0: not known, so that a look at its content decides


@dataclass(frozen=True, slots=True)
class FileState:
    """A file of the generation."""

    sha256: str
    bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Counts:
    documents: int
    chunks: int
    skipped: int
    texts: int  # that have a vector: passages and their units


@dataclass(frozen=True, slots=True)
class StoreState:
    """How vectors are found, as `stores.Found` has it."""

    kind: str
    vectors: int
    recall: float
    sample: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """How a generation was made, and what it consists of; its size is not the corpus's."""

    format: int
    generation: str
    created: str  # ISO 8601, UTC
    askai: str  # version of the program
    fingerprint: str  # `settings_fingerprint(settings)`
    settings: dict[str, Any]  # all that shapes the index, as JSON
    listing: str  # `listing_digest` of the sources
    counts: Counts
    pace: float  # seconds to embed a text, by the last build that embedded many; 0: not known
    stores: dict[str, StoreState]  # by what they are of: "passages", "sentences"
    files: dict[str, FileState]  # by name relative to the generation, with forward slashes


def settings_fingerprint(settings: Mapping[str, Any]) -> str:
    """The SHA-256 of the settings as canonical JSON; raises TypeError for what JSON cannot hold."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256(text.encode()).hexdigest()


def parse_manifest(content: bytes, file: Path) -> Manifest:
    """The manifest that `content` holds; `file` is for the message.

    Raises IndexMismatch for another format, IndexDamaged for anything else that is not exactly a
    manifest.
    """
    try:
        value = json.loads(content)
        found = value["format"]
    except (ValueError, TypeError, KeyError) as error:
        unusable(file, "it is not the manifest of an index", cause=error)
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        advice = "install a newer askai, or run" if newer else "run"
        raise IndexMismatch(
            f"{file} has format {found!r}, this askai ({version('askai')}) reads format {FORMAT}: "
            f"{advice} `askai index --rebuild`."
        )
    try:
        return _manifest(value)
    except ValueError as error:
        unusable(file, str(error), cause=error)


def _manifest(value: Any) -> Manifest:
    top = _checked(value, Manifest, "the manifest")
    manifest = Manifest(
        **top
        | {
            "counts": Counts(**_checked(top["counts"], Counts, "counts")),
            "stores": {
                name: StoreState(**_checked(item, StoreState, f"store {name!r}"))
                for name, item in top["stores"].items()
            },
            "files": {
                name: FileState(**_checked(item, FileState, f"file {name!r}"))
                for name, item in top["files"].items()
            },
        }
    )
    for name in manifest.files:
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\\" in name:
            raise ValueError(f"file {name!r} is outside the generation")
    if manifest.fingerprint != settings_fingerprint(manifest.settings):
        raise ValueError("its settings do not have its fingerprint")
    return manifest


# As JSON gives them; a dict or a list is looked into by `_manifest`.
TYPES: Final[dict[str, type]] = {
    "format": int, "generation": str, "created": str, "askai": str, "fingerprint": str,
    "settings": dict, "listing": str, "counts": dict, "stores": dict, "files": dict,
    "path": str, "sha256": str, "bytes": int, "mtime_ns": int, "ctime_ns": int,
    "documents": int, "chunks": int, "skipped": int, "texts": int, "pace": float,
    "kind": str, "vectors": int, "recall": float, "sample": int,
}  # fmt: skip


def _checked(value: Any, record: Any, what: str) -> dict[str, Any]:
    """`value`, if it is a dict with exactly the fields of `record`; raises ValueError if not."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")  # noqa: TRY004 - one error for any bad JSON
    expected = set(record.__dataclass_fields__)
    if value.keys() != expected:
        raise ValueError(
            f"{what} lacks {sorted(expected - value.keys())} "
            f"and has unknown {sorted(value.keys() - expected)}"
        )
    for name, item in value.items():
        if type(item) is not TYPES[name]:
            raise ValueError(f"{name!r} of {what} is not of type {TYPES[name].__name__}")
    return value


def unusable(file: Path, found: str, *, cause: Exception | None = None) -> NoReturn:
    advice = "askai doctor --repair" if NEAR in file.name else "askai index --rebuild"
    raise IndexDamaged(f"{file} cannot be used: {found}. Run `{advice}`.") from cause


def listing_digest(files: "Iterable[SourceState | CorpusFile]") -> str:
    """The SHA-256 of what a folder's listing says of these files: one of the same digest as a
    generation's needs no look at its sources."""
    lines = sorted(f"{file.path}\0{file.bytes} {file.mtime_ns} {file.ctime_ns}" for file in files)
    return sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def write_sources(generation: Path, sources: Sequence[SourceState]) -> None:
    write_durably(generation / SOURCES, sources_json(sources))


def sources_json(sources: Sequence[SourceState]) -> str:
    """The content of sources.json."""
    rows = [[getattr(source, name) for name in SourceState.__dataclass_fields__]
            for source in sources]  # fmt: skip
    return json.dumps(rows, ensure_ascii=False)


def read_sources(generation: Path) -> list[SourceState]:
    """What a generation was made from; raises IndexDamaged when it cannot be read."""
    file = generation / SOURCES
    try:
        content = file.read_bytes()
    except OSError as error:
        unusable(file, str(error), cause=error)
    return parse_sources(content, file)


def parse_sources(content: bytes, file: Path) -> list[SourceState]:
    """What `content` says; `file` is for the message. Raises IndexDamaged."""
    try:
        names = list(SourceState.__dataclass_fields__)
        rows = [dict(zip(names, row, strict=True)) for row in json.loads(content)]
        return [SourceState(**_checked(row, SourceState, "a source")) for row in rows]
    except (ValueError, TypeError) as error:
        unusable(file, str(error), cause=error)


def write_skipped(generation: Path, skipped: Iterable[Skipped]) -> None:
    """Writes skipped.json into a generation's folder."""
    write_durably(generation / SKIPPED, skipped_json(skipped))


def skipped_json(skipped: Iterable[Skipped]) -> str:
    """The content of skipped.json."""
    return json.dumps([asdict(item) for item in skipped], ensure_ascii=False, indent=1)


def read_skipped(generation: Path) -> list[Skipped]:
    """Reads what `write_skipped` wrote; raises IndexDamaged when it cannot."""
    file = generation / SKIPPED
    try:
        content = file.read_bytes()
    except OSError as error:
        unusable(file, str(error), cause=error)
    return parse_skipped(content, file)


def parse_skipped(content: bytes, file: Path) -> list[Skipped]:
    """What `content` says; `file` is for the message. Raises IndexDamaged."""
    try:
        return [Skipped(path=row.pop("path"), **row) for row in json.loads(content)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        unusable(file, str(error), cause=error)
