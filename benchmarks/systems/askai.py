"""askai itself: the passages as text files in a folder, and its own index of them."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from time import perf_counter
from typing import Any
from urllib.parse import quote, unquote

from benchmarks.errors import BenchError
from benchmarks.systems import Indexed, Passage

_DEPTH = 5  # passages asked for in place of one, since several may be of one document
_WARM = 32  # texts after which the embedder has loaded what it needs for many


class Askai:
    """See `benchmarks.systems.System`; `model` is what askai itself prepares."""

    def __init__(self, model: Path, folder: Path) -> None:
        del model
        self._corpus = folder / "corpus"
        self._index = folder / "index"
        self._stack = ExitStack()
        self._opened: dict[str, Any] = {}

    def index(self, passages: Sequence[Passage]) -> Indexed:
        from askai.indexing import build
        from askai.recipes import open_corpus, recipe

        write_corpus(self._corpus, passages)
        rmtree(self._index, ignore_errors=True)
        settings = self._settings()
        began = perf_counter()
        how = recipe(settings)
        counting = _Counting(how.embedder)
        counting.warm()
        loaded = perf_counter()
        report = build(open_corpus(settings), self._index, replace(how, embedder=counting))
        done = perf_counter()
        if report.skipped:
            raise BenchError(f"askai did not read {report.skipped[0].path}.")
        return Indexed(loaded - began, done - loaded, counting.texts, counting.characters)

    def open(self) -> None:
        from askai.assemble import open_askai
        from askai.errors import AskaiError

        settings = self._settings()
        for how, reranker in (("ask", settings.reranker), ("ask --no-rerank", "none")):
            try:
                opened = open_askai(replace(settings, reranker=reranker))
                self._opened[how] = self._stack.enter_context(opened)
            except AskaiError as error:
                raise BenchError(str(error)) from error

    def answer(self, question: str, k: int, *, how: str) -> list[Passage]:
        from askai import narrowing

        if how != "search":
            hits = self._opened[how].answerer.ask(question).passages
        else:  # as `askai search` does
            retriever = self._opened["ask"].retriever
            hits = narrowing.search(retriever, retriever.query(question), k)
        return distinct((hit.chunk.path, hit.chunk.text) for hit in hits)[:k]

    def ranked(self, question: str, k: int) -> list[Passage]:
        """The k best documents, each by its best passage."""
        retriever = self._opened["ask"].retriever
        hits = retriever.search(retriever.query(question), _DEPTH * k)
        return distinct((hit.chunk.path, hit.chunk.text) for hit in hits)[:k]

    def embed(self, texts: list[str]) -> None:
        """As `askai index` embeds passages."""
        if "embed" not in self._opened:
            from askai.recipes import recipe

            self._opened["embed"] = _Counting(recipe(self._settings()).embedder)
        self._opened["embed"].embed_passages(texts)

    def _settings(self) -> Any:
        from askai.settings import Settings

        return Settings(corpus=str(self._corpus), index=str(self._index))


class _Counting:
    """An embedder that counts what it is given."""

    def __init__(self, embedder: Any) -> None:
        self._embedder = embedder
        self.texts = 0
        self.characters = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def warm(self) -> None:
        """Loads the model: what is timed after it is embedding alone."""
        self._embedder.embed_passages([f"Text {n} to load the model." for n in range(_WARM)])

    def embed_passages(self, texts: Sequence[str]) -> Any:
        self._count(texts)
        return self._embedder.embed_passages(texts)

    def embed_queries(self, texts: Sequence[str]) -> Any:
        """The words of the documents, which are embedded as questions are."""
        from askai.embedders import queries

        self._count(texts)
        return queries(texts, self._embedder)

    def _count(self, texts: Sequence[str]) -> None:
        self.texts += len(texts)
        self.characters += sum(map(len, texts))


def write_corpus(folder: Path, passages: Iterable[Passage]) -> None:
    """One text file for each passage; those of an earlier run are removed."""
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for passage in passages:
        (folder / f"{quote(passage.id, safe='')}.txt").write_text(passage.text, "utf-8")


def distinct(found: Iterable[tuple[str, str]]) -> list[Passage]:
    """(path, text) of passages as passages of the set, the first of each document."""
    first: dict[str, str] = {}
    for path, text in found:
        first.setdefault(unquote(Path(path).stem), text)
    return [Passage(*item) for item in first.items()]
