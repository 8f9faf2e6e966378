"""Which files go into which part, and what the part is called, before any is made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from askai.corpus import Corpus, CorpusFile, read_bytes
from askai.errors import CorpusError, ReadError
from askai.index_parts import Progress, Recipe
from askai.manifest import SourceState
from askai.parts import grouped, part_name
from askai.parts.making import SHAPING, FileBytes, Task, file_key
from askai.records import Skipped

_PARTS = 256  # of a large folder, about
_FILES = (4, 256)  # in a part, at least and at most
_BYTES = (1 << 15, 1 << 26)  # of the files of a part, at least and at most
_DIGEST = 32  # bytes at the end of a file's key


@dataclass(frozen=True, slots=True)
class Plan:
    """A part before it is made."""

    name: str
    files: tuple[CorpusFile, ...]
    keys: tuple[bytes, ...]  # of each file

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    def states(self) -> Iterator[SourceState]:
        """The files as a generation knows them."""
        for file, key in zip(self.files, self.keys, strict=True):
            digest = key[-_DIGEST:].hex()
            yield SourceState(file.path, digest, file.bytes, file.mtime_ns, file.ctime_ns)


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans parts of a folder, and the work that makes them."""

    corpus: Corpus
    recipe: Recipe
    model: str  # what workers find the embedder by
    settings: Mapping[str, Any]

    @property
    def shaping(self) -> dict[str, Any]:
        """What makes another part of the same files."""
        return {name: self.settings[name] for name in SHAPING}

    def plan(
        self, files: Sequence[CorpusFile], progress: Progress
    ) -> tuple[list[Plan], list[Skipped]]:
        """The parts in the order of their files, and the files that cannot be opened."""
        keyed: list[tuple[CorpusFile, bytes]] = []
        skipped: list[Skipped] = []
        for done, file in enumerate(files):
            progress("looking at", done, len(files))
            try:
                data = read_bytes(self.corpus.folder / file.path)
            except ReadError as error:
                skipped.append(Skipped(file.path, str(error), file.bytes, file.ctime_ns))
                continue
            keyed.append((file, file_key(file.path, data)))
        progress("looking at", len(files), len(files))
        count = _share(len(files), *_FILES)
        most = _share(sum(file.bytes for file in files), *_BYTES)
        items = ((file.path, file.bytes, (file, key)) for file, key in keyed)
        plans = []
        for group in grouped(items, least=most // 4, most=most, count=count):
            of, keys = zip(*group, strict=True)
            plans.append(Plan(part_name(self.shaping, keys), of, keys))
        return plans, skipped

    def task(self, plan: Plan, *, address: str) -> Task:
        """What makes a part and writes it to `address`, or returns it if that is empty.

        Raises CorpusError when a file is no longer what it was.
        """
        return Task(
            name=plan.name,
            model=self.model,
            chunk_tokens=self.recipe.chunk_tokens,
            shaping=self.shaping,
            files=[self._file(f.path, key) for f, key in zip(plan.files, plan.keys, strict=True)],
            max_read_seconds=self.corpus.max_read_seconds,
            address=address,
        )

    def _file(self, path: str, key: bytes) -> FileBytes:
        try:
            data = read_bytes(self.corpus.folder / path)
        except ReadError as error:
            raise CorpusError(
                f"{path} changed while the index was made: {error}. Run `askai index` again."
            ) from error
        if file_key(path, data) != key:
            raise CorpusError(f"{path} changed while the index was made: run `askai index` again.")
        return FileBytes(path, data, self.corpus.described.get(path), self.corpus.password(path))


def _share(total: int, least: int, most: int) -> int:
    """Of a part; a power of two, so that a few files more do not move the ends of all parts."""
    wanted = max(least, min(most, total // _PARTS))
    return 1 << (wanted.bit_length() - 1)
