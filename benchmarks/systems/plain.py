"""The script that people write: sentence-transformers and a flat FAISS index."""

import json
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.errors import BenchError
from benchmarks.systems import PASSAGE, QUERY, Indexed, Passage


class Plain:
    """See `benchmarks.systems.System`."""

    def __init__(self, model: Path, folder: Path) -> None:
        self._folder = folder
        self._model_folder = model
        self._model: Any = None
        self._index: Any = None
        self._passages: list[Passage] = []

    def index(self, passages: Sequence[Passage]) -> Indexed:
        import faiss

        began = perf_counter()
        self._load()
        loaded = perf_counter()
        texts = [PASSAGE + passage.text for passage in passages]
        vectors = self._model.encode(texts, normalize_embeddings=True)
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        self._folder.mkdir(parents=True, exist_ok=True)
        faiss.write_index(index, str(self._folder / "vectors.faiss"))
        (self._folder / "passages.json").write_text(json.dumps(passages), "utf-8")
        done = perf_counter()
        characters = sum(len(passage.text) for passage in passages)
        return Indexed(loaded - began, done - loaded, len(texts), characters)

    def open(self) -> None:
        import faiss

        file = self._folder / "vectors.faiss"
        if not file.is_file():
            raise BenchError(f"There is no index in {self._folder}; index the documents first.")
        self._load()
        self._index = faiss.read_index(str(file))
        rows = json.loads((self._folder / "passages.json").read_text("utf-8"))
        self._passages = [Passage(*row) for row in rows]

    def answer(self, question: str, k: int, *, how: str) -> list[Passage]:
        del how  # it can only search
        vector = self._model.encode([QUERY + question], normalize_embeddings=True)
        _, rows = self._index.search(vector, k)
        return [self._passages[row] for row in rows[0] if row >= 0]

    def embed(self, texts: list[str]) -> None:
        """`encode` with its default arguments, as issue and table have it."""
        self._load()
        self._model.encode(texts)

    def _load(self) -> None:
        if self._model is None:
            from sentence_transformers import SentenceTransformer

            self._model = SentenceTransformer(str(self._model_folder))
