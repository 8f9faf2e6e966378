"""txtai: an embeddings database, with its defaults and with the texts in it."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.errors import BenchError
from benchmarks.systems import PASSAGE, QUERY, Indexed, Passage


class Txtai:
    """See `benchmarks.systems.System`."""

    def __init__(self, model: Path, folder: Path) -> None:
        self._folder = folder
        self._model_folder = model
        self._embeddings: Any = None

    def index(self, passages: Sequence[Passage]) -> Indexed:
        from txtai import Embeddings

        began = perf_counter()
        embeddings = Embeddings(
            path=str(self._model_folder),
            content=True,
            instructions={"query": QUERY, "data": PASSAGE},
        )
        loaded = perf_counter()
        embeddings.index((passage.id, passage.text, None) for passage in passages)
        embeddings.save(str(self._folder))
        done = perf_counter()
        characters = sum(len(passage.text) for passage in passages)
        return Indexed(loaded - began, done - loaded, len(passages), characters)

    def open(self) -> None:
        from txtai import Embeddings

        if not (self._folder / "embeddings").exists():
            raise BenchError(f"There is no index in {self._folder}; index the documents first.")
        self._embeddings = Embeddings()
        self._embeddings.load(str(self._folder))

    def answer(self, question: str, k: int, *, how: str) -> list[Passage]:
        del how  # it can only search
        return [
            Passage(found["id"], found["text"]) for found in self._embeddings.search(question, k)
        ]
