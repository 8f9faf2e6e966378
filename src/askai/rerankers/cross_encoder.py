"""Any CrossEncoder of sentence-transformers that lies in a folder, by torch."""

import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from askai.embedders.sentence_transformers import quiet
from askai.errors import ModelError
from askai.tokens import encodable


class FolderCrossEncoder:
    """It is asked of every language: whoever sets a model knows what it speaks."""

    def __init__(self, folder: Path) -> None:
        """Reads nothing yet: torch is imported when the first text is scored."""
        self._folder = folder
        self._lock = threading.Lock()
        self._model: Any = None

    @property
    def name(self) -> str:
        return self._folder.name

    def speaks(self, language: str) -> bool:  # noqa: ARG002  see above
        return True

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        with self._lock:
            if self._model is None:
                self._model = self._open()
            pairs = [(encodable(question), encodable(text)) for text in texts]
            # As logits: a probability near 1 no longer tells good from better.
            identity = import_module("torch").nn.Identity()
            found = self._model.predict(pairs, activation_fn=identity, show_progress_bar=False)
        return [float(logit) for logit in found]

    def _open(self) -> Any:
        try:
            with quiet():
                module = import_module("sentence_transformers")
                return module.CrossEncoder(str(self._folder), local_files_only=True)
        except Exception as error:  # several libraries and a file of unknown origin
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelError(
                f"The reranker in {self._folder} cannot be loaded: {reason[:300]} Expected the "
                "folder of a sentence-transformers CrossEncoder; or ask with --no-rerank."
            ) from error
