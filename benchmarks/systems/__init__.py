"""The seam: what is measured, each behind the same three methods.

A system runs in the Python that it is installed in and is reached through `benchmarks.worker`, so
none of these modules may import another one's packages. Heavy imports are inside the methods: they
belong to what is measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol

SHOWN = 5  # passages that a question prints

QUERY, PASSAGE = "query: ", "passage: "  # the prompts that E5 was trained with


class Passage(NamedTuple):
    """A document of the bench set, or one that was found."""

    id: str
    text: str


class Indexed(NamedTuple):
    """What indexing took, the loading of the model apart."""

    load_seconds: float
    seconds: float
    texts: int  # embedded
    characters: int  # embedded


class System(Protocol):
    """Made with the folder of the model and the folder of its index."""

    def index(self, passages: Sequence[Passage]) -> Indexed:
        """Embeds the passages whole, and writes an index that `open` reads."""
        ...

    def open(self) -> None:
        """Loads model and index; raises BenchError where there is no index."""
        ...

    def answer(self, question: str, k: int, *, how: str) -> list[Passage]:
        """The k best passages, best first; `how` is a way of asking that the system has."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A system as the run knows it."""

    name: str
    place: str  # "module:class"
    packages: tuple[str, ...]  # whose versions are recorded; empty: askai's own environment
    ways: tuple[str, ...] = ("search",)

    @property
    def is_peer(self) -> bool:
        """Whether it runs in the environment of the peers."""
        return bool(self.packages)


PLAIN, ASKAI = "plain", "askai"
KINDS = (
    Kind(PLAIN, "benchmarks.systems.plain:Plain", ("sentence-transformers", "faiss-cpu")),
    Kind("txtai", "benchmarks.systems.txtai:Txtai", ("txtai",)),
    Kind(
        "llamaindex",
        "benchmarks.systems.llamaindex:LlamaIndex",
        (
            "llama-index-core",
            "llama-index-embeddings-huggingface",
            "llama-index-vector-stores-faiss",
        ),
    ),
    Kind(ASKAI, "benchmarks.systems.askai:Askai", (), ("search", "ask", "ask --no-rerank")),
)


def made(name: str, model: Path, folder: Path) -> System:
    """The system of that name, with nothing loaded yet."""
    place = next(kind.place for kind in KINDS if kind.name == name)
    module, _, attribute = place.partition(":")
    system: System = getattr(import_module(module), attribute)(model, folder)
    return system
