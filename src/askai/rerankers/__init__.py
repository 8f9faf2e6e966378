"""The reranker seam: question and text read together, for how well the one answers the other."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from askai.seams import load

DEFAULT = "ms-marco-MiniLM-L-12-v2"
RERANKERS = {
    "none": "askai.rerankers.none:NoReranker",
    DEFAULT: "askai.rerankers.packaged_minilm:reranker",
}


class Reranker(Protocol):
    """Slow and sharp: for the few texts among which it decides."""

    @property
    def name(self) -> str: ...

    def speaks(self, language: str) -> bool:
        """Whether it was trained on this language (ISO 639-1), of question and text."""
        ...

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """A logit for each text, any real number, higher for a better one; not comparable between
        models. Raises ModelError when the model cannot be loaded."""
        ...


def resolve(reference: str, *, notify: Callable[[str], None] = lambda _: None) -> Reranker:
    """The reranker that a setting names: one of RERANKERS or of a plug-in, or else the folder of a
    sentence-transformers CrossEncoder. Raises UsageError naming what there is.

    Without ONNX Runtime there is none in place of the packaged one, and `notify` is told so.
    """
    if reference not in RERANKERS and (Path(reference) / "config.json").is_file():
        from askai.rerankers.cross_encoder import FolderCrossEncoder  # noqa: PLC0415

        return FolderCrossEncoder(Path(reference))
    if reference == DEFAULT and find_spec("onnxruntime") is None:
        notify(
            "ONNX Runtime is not installed, so that no reranker reads the sentences again and "
            "answers may be worse. Run: pip install onnxruntime"
        )
        reference = "none"
    found: Reranker = load("reranker", RERANKERS, reference)()
    return found


def load_ahead(reranker: Reranker, language: str) -> None:
    """Begins to load a reranker that will be asked in this language, where it has `load_ahead`."""
    begin: Callable[[], None] | None = getattr(reranker, "load_ahead", None)
    if begin is not None and reranker.speaks(language):
        begin()
