"""Makes one part of the bytes of some files: what a worker does, on whatever machine it is.

Reads, chunks, cuts into words and embeds with the functions of the local build.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from askai import chunking, tokens
from askai.centring import Centring, centring_for
from askai.corpus import Corpus, Description
from askai.embedders import Embedder, Vectors
from askai.embedders.models import resolve
from askai.errors import ClusterError, ReadError, ReaderStopped
from askai.parts import PartContent
from askai.parts.address import Place
from askai.parts.tables import Piece
from askai.parts.writing import content_of, put_part
from askai.readers import VERSIONS
from askai.records import Chunk, Document
from askai.units import unit_texts

_BATCH = 128  # texts embedded at a time, as `index_parts` does
# Of an index's settings those that shape a part; `sources.toml` and the passwords among them.
SHAPING = ("embedder", "centring", "chunking", "tokens", "readers", "descriptions", "passwords",
           "max_read_seconds")  # fmt: skip
_OWN = SHAPING[:5]  # that a worker can tell of itself

Text = tuple[str, str | None]  # and its language


@dataclass(frozen=True, slots=True)
class FileBytes:
    """A file to read."""

    path: str
    data: bytes = field(repr=False)
    described: Description | None
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Task:
    """A part to make."""

    name: str
    model: str  # what `resolve` finds the embedder by
    chunk_tokens: int
    shaping: Mapping[str, Any]
    files: Sequence[FileBytes]
    max_read_seconds: float
    address: str = ""  # where the part is written; "": nowhere, it is returned


def make_part(task: Task) -> PartContent:
    """Raises ClusterError where this machine would make another part than the one asked for."""
    embedder, centring = _loaded(task.model)
    _check_same(task, embedder, centring)
    corpus = Corpus(
        folder=Path(),
        max_bytes=0,
        described={f.path: f.described for f in task.files if f.described is not None},
        passwords={f.path: f.password for f in task.files},
        max_read_seconds=task.max_read_seconds,
    )
    read: list[tuple[Document, list[Chunk]]] = []
    unread: list[tuple[str, str]] = []
    stopped = 0
    for file in task.files:
        try:
            document = corpus.document(file.path, file.data)
        except ReadError as error:
            unread.append((file.path, str(error)))
            stopped += isinstance(error, ReaderStopped)
            continue
        read.append((document, list(chunking.chunk(document, budget=task.chunk_tokens))))
    embedding = _Embedding(embedder, centring)
    passages = embedding.of([(c.embedded_text, c.language) for _, held in read for c in held])
    of_units = [[(t, c.language) for c in held for _, t in unit_texts(c)] for _, held in read]
    units = embedding.of([text for texts in of_units for text in texts])
    pieces, at, unit_at = [], 0, 0
    for (document, held), texts in zip(read, of_units, strict=True):
        words = [tokens.content_tokens(chunk.embedded_text) for chunk in held]
        mine = passages[at : at + len(held)], units[unit_at : unit_at + len(texts)]
        pieces.append(Piece(document, held, words, *mine))
        at, unit_at = at + len(held), unit_at + len(texts)
    content = content_of(
        task.name, pieces, model=embedder.fingerprint, dim=embedder.dim, unread=unread,
        stopped=stopped, texts=embedding.new,
    )  # fmt: skip
    if not task.address:
        return content
    return PartContent(put_part(Place(task.address), content))


@lru_cache(1)
def _loaded(model: str) -> tuple[Embedder, Centring]:
    """Once for each process, which makes many parts."""
    embedder = resolve(model)
    return embedder, centring_for(embedder)


def _check_same(task: Task, embedder: Embedder, centring: Centring) -> None:
    mine = {
        "embedder": {"name": embedder.name, "fingerprint": embedder.fingerprint},
        "centring": centring.version,
        "chunking": {"version": chunking.VERSION, "tokens": task.chunk_tokens},
        "tokens": tokens.VERSION,
        "readers": VERSIONS,
    }
    for name in _OWN:
        if task.shaping[name] != mine[name]:
            raise ClusterError(
                f"A node of the cluster has another askai or model (askai {version('askai')}, "
                f"{name} {mine[name]}; expected {task.shaping[name]}): install there what is here."
            )


@dataclass(slots=True)
class _Embedding:
    """Embeds texts, each once."""

    embedder: Embedder
    centring: Centring
    new: int = 0

    def of(self, texts: Sequence[Text]) -> Vectors:
        """Vectors of shape (n, dim)."""
        different = list(dict.fromkeys(text for text, _ in texts))
        rows = {text: row for row, text in enumerate(different)}
        batches = (different[at : at + _BATCH] for at in range(0, len(different), _BATCH))
        none = np.empty((0, self.embedder.dim), dtype=np.float32)
        found = [none, *map(self.embedder.embed_passages, batches)]
        self.new += len(different)
        whole: Vectors = np.concatenate(found)[[rows[text] for text, _ in texts]]
        return self.centring.passages(whole, [language for _, language in texts])


def file_key(path: str, data: bytes) -> bytes:
    """What a file adds to the name of its part."""
    return path.encode("utf-8", "surrogatepass") + b"\0" + sha256(data).digest()
