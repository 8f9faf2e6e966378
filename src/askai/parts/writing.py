"""Writes parts to their place: the two files, and then the note that they are whole."""

import json
import re
from collections.abc import Mapping, Sequence

from askai.parts import Part, PartContent, StoredFile
from askai.parts.address import Place, is_leftover
from askai.parts.manifest import KINDS, parsed_part
from askai.parts.tables import Piece, written_documents, written_passages


def content_of(
    name: str,
    pieces: Sequence[Piece],
    *,
    model: str,
    dim: int,
    unread: Sequence[tuple[str, str]] = (),
    stopped: int = 0,
    texts: int = 0,
) -> PartContent:
    """A part of these documents, by the embedder of the fingerprint `model`."""
    about = {"askai.part": name, "askai.model": model}
    contents = {
        f"documents-{name}.parquet": written_documents(pieces, about),
        f"passages-{name}.parquet": written_passages(pieces, dim, about),
    }
    documents, passages = (StoredFile.of(name, content) for name, content in contents.items())
    part = Part(
        name=name,
        model=model,
        documents=len(pieces),
        passages=sum(len(piece.chunks) for piece in pieces),
        units=sum(len(piece.units) for piece in pieces),
        files=(documents, passages),
        unread=tuple(unread),
        stopped=stopped,
        texts=texts,
    )
    return PartContent(part, contents)


def put_part(place: Place, content: PartContent) -> Part:
    """Writes a part; the note of its checksums comes last."""
    for name, written in content.files.items():
        place.write(name, written)
    note = json.dumps(content.part.as_json(), ensure_ascii=False)
    place.write(_note(content.part.name), note.encode("utf-8", "surrogatepass"))
    return content.part


def whole_part(place: Place, name: str, there: set[str], *, model: str) -> Part | None:
    """The part of this name, if it is there and its files have their checksums; else None."""
    if _note(name) not in there:
        return None
    try:
        part = parsed_part(json.loads(place.read(_note(name))))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if part.name != name or part.model != model:
        return None
    if not all(file.name in there for file in part.files):
        return None
    whole = (StoredFile.of(file.name, place.read(file.name)) == file for file in part.files)
    return part if all(whole) else None


def forget_others(place: Place, parts: Sequence[Part], files: Mapping[str, StoredFile]) -> None:
    """Deletes what other parts than these have left, in a folder that is askai's own."""
    kept = {file.name for part in parts for file in part.files} | {f.name for f in files.values()}
    kept |= {_note(part.name) for part in parts}
    for name in place.names() - kept:
        if _OURS.match(name) or is_leftover(name):
            place.remove(name)


_OURS = re.compile(rf"(documents|passages|part|{'|'.join(KINDS)})-[0-9a-f]+\.\w+$")


def _note(name: str) -> str:
    return f"part-{name}.json"
