"""What is at an address, as its manifest.json says it; written last, so that what has one is whole.

format        raised whenever what was written before could be misread
settings      of the index folder, with their fingerprint, as in its own manifest
parts         in the order of their documents
files         of what is no part: sources, skipped, words, shares, aliases
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from askai.errors import PartsError
from askai.generations import CURRENT, NAME
from askai.manifest import Counts, Manifest, settings_fingerprint
from askai.parts import FORMAT, Part, StoredFile
from askai.parts.address import Place

MANIFEST = "manifest.json"
KINDS = {"sources": "json", "skipped": "json", "words": "npz", "shares": "json", "aliases": "toml"}


@dataclass(frozen=True, slots=True)
class PartsManifest:
    """All that is needed to read the parts of one index."""

    askai: str  # version of the program
    created: str  # ISO 8601, UTC
    generation: str  # of the index folder
    settings: dict[str, Any]
    dim: int
    pace: float  # see `askai.manifest.Manifest`
    counts: Counts
    parts: tuple[Part, ...]
    files: dict[str, StoredFile]  # by KINDS

    @property
    def model(self) -> str:
        """The fingerprint of the embedder."""
        return str(self.settings["embedder"]["fingerprint"])


def manifest_of(
    index: Manifest, parts: Sequence[Part], files: Mapping[str, StoredFile], *, dim: int
) -> PartsManifest:
    """The manifest of an index folder's parts."""
    return PartsManifest(
        askai=version("askai"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        generation=index.generation,
        settings=index.settings,
        dim=dim,
        pace=index.pace,
        counts=index.counts,
        parts=tuple(parts),
        files=dict(files),
    )


def put_files(place: Place, contents: Mapping[str, bytes]) -> dict[str, StoredFile]:
    """Writes what is no part, each file under a name with its hash, by its kind."""
    there = place.names()
    files = {}
    for kind, content in contents.items():
        digest = sha256(content).hexdigest()
        file = StoredFile.of(f"{kind}-{digest[:16]}.{KINDS[kind]}", content)
        if file.name not in there or StoredFile.of(file.name, place.read(file.name)) != file:
            place.write(file.name, content)
        files[kind] = file
    return files


def put_manifest(place: Place, manifest: PartsManifest) -> None:
    value = {"format": FORMAT, "fingerprint": settings_fingerprint(manifest.settings)}
    content = json.dumps(value | asdict(manifest), ensure_ascii=False, indent=1)
    place.write(MANIFEST, content.encode("utf-8", "surrogatepass"))


def check_free(place: Place, index_dir: Path, *, own: str = "") -> None:
    """Raises PartsError when to write parts to `place` would overwrite what is none of them, or put
    them into the index folder, of which only the folder `own` is for parts."""
    if place.folder:
        folder, index = place.folder.resolve(), index_dir.resolve()
        if folder.is_relative_to(index) and not (own and folder == index / own):
            raise PartsError(f"{place.shown} is in the index folder {index_dir}: name another one.")
    there = place.names()
    if CURRENT in there or any(map(NAME.fullmatch, there)):
        raise PartsError(f"{place.shown} is the folder of an index: name another one.")
    if MANIFEST not in there:
        return
    try:
        ours = {"format", "parts", "files"} <= json.loads(place.read(MANIFEST)).keys()
    except (ValueError, AttributeError):
        ours = False
    if not ours:
        raise PartsError(
            f"{place.shown} has a {MANIFEST} that askai did not write, or that is damaged; it "
            "would be overwritten. Name another folder, or move that file away."
        )


def read_manifest(place: Place) -> PartsManifest:
    """Raises PartsError when there is none, or it is of a newer format, not whole, or its parts are
    of several models."""
    there = place.names()
    if MANIFEST not in there:
        unfinished = any(name.startswith(("documents-", "passages-", "part-")) for name in there)
        if unfinished:
            raise PartsError(
                f"{place.shown} holds parts of an index and no {MANIFEST}, which is written last: "
                "what wrote them did not come to its end. Run it again."
            )
        found = "is not there" if not there else "holds no exported index"
        raise PartsError(
            f"{place.shown} {found}; expected a folder with a {MANIFEST} that `askai export` wrote."
        )
    try:
        value = json.loads(place.read(MANIFEST))
        found_format = value["format"]
    except (ValueError, TypeError, KeyError) as error:
        raise place.damaged(MANIFEST, "it is not the manifest of an index") from error
    if found_format != FORMAT:
        newer = isinstance(found_format, int) and found_format > FORMAT
        raise PartsError(
            f"{place.shown} has format {found_format!r}, this askai ({version('askai')}) reads "
            f"format {FORMAT}: "
            + ("install a newer askai." if newer else "export the index again with this one.")
        )
    try:
        manifest = _parsed(value)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise place.damaged(MANIFEST, f"{type(error).__name__}: {error}") from error
    for part in manifest.parts:
        if part.model != manifest.model:
            _two_models(place, part, manifest)
    return manifest


def parsed_part(value: Mapping[str, Any]) -> Part:
    """What `Part.as_json` made; raises ValueError, TypeError or KeyError for anything else."""
    given = dict(value)
    if given.pop("format", FORMAT) != FORMAT:
        raise ValueError("its format is another one")
    documents, passages = map(_file, given.pop("files"))
    unread = tuple((str(path), str(reason)) for path, reason in given.pop("unread"))
    return Part(**given, files=(documents, passages), unread=unread)


def _parsed(value: dict[str, Any]) -> PartsManifest:
    given = {name: value[name] for name in PartsManifest.__dataclass_fields__}
    given["counts"] = Counts(**given["counts"])
    given["parts"] = tuple(map(parsed_part, given["parts"]))
    given["files"] = {kind: _file(given["files"][kind]) for kind in KINDS}
    manifest = PartsManifest(**given)
    if value["fingerprint"] != settings_fingerprint(manifest.settings):
        raise ValueError("its settings do not have its fingerprint")
    if not (isinstance(manifest.dim, int) and manifest.dim > 0 and manifest.model):
        raise ValueError("it does not say what vectors it has")
    counts, parts = manifest.counts, manifest.parts
    told = (counts.documents, counts.chunks, counts.texts - counts.chunks)
    if told != tuple(sum(getattr(part, name) for part in parts) for name in _COUNTED):
        raise ValueError("its parts are not as many documents and passages as it says")
    return manifest


_COUNTED = ("documents", "passages", "units")


def _file(value: Mapping[str, Any]) -> StoredFile:
    """Raises ValueError for a name that is not that of a file in the folder itself."""
    file = StoredFile(**value)
    if PurePosixPath(file.name).name != file.name or "\\" in file.name:
        raise ValueError(f"file {file.name!r} is outside of the folder")
    return file


def _two_models(place: Place, part: Part, manifest: PartsManifest) -> NoReturn:
    raise PartsError(
        f"{place.shown} has parts of two models: part-{part.name} is of {part.model}, the manifest "
        f"says {manifest.model}. Vectors of two models cannot be mixed: export the index again."
    )
