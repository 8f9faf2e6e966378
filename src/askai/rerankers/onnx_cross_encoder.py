"""A cross-encoder (Nogueira and Cho 2019, arXiv:1901.04085) from an ONNX file, by ONNX Runtime.

ONNX Runtime rewrites a model's graph before it runs it, which takes four times as long as reading
the result: so that is kept in askai's cache, for this version of the program.
"""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from askai.errors import ModelError
from askai.files import stamped_sha256
from askai.kept_graphs import graph_path, is_kept, keep, runtime, session
from askai.tokens import encodable

_LONGEST = 512  # tokens of question and text together


class OnnxCrossEncoder:
    """`model.onnx` and `tokenizer.json` of a folder; several threads may share one.

    The model takes input_ids, attention_mask and token_type_ids and gives logits of shape
    (texts, 1).
    """

    def __init__(
        self, folder: Callable[[], Path], *, name: str, languages: tuple[str, ...]
    ) -> None:
        """Reads nothing yet; `folder` is asked when the first text is scored."""
        self._folder = folder
        self._name = name
        self._languages = languages
        self._lock = threading.Lock()
        self._session: Any = None
        self._tokenizer: Any = None

    @property
    def name(self) -> str:
        return self._name

    def speaks(self, language: str) -> bool:
        return language in self._languages

    def load_ahead(self) -> None:
        """Begins to load the model, in a thread of its own; what fails is told by `score`."""
        threading.Thread(target=self._try_open).start()  # waited for: its library is not to be cut

    def _try_open(self) -> None:
        with self._lock, suppress(ModelError):
            self._open()

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        with self._lock:
            self._open()
            pairs = [self._tokenizer.encode(encodable(question), encodable(text)) for text in texts]
        # A run for each text: int8 scales are taken over a batch, and a text's score would depend
        # on the texts beside it (-1.06 alone, -1.20 with another). So the processors share the
        # texts, the longest first, and not the products of one: two threads that do so wait for
        # each other.
        longest_first = sorted(range(len(pairs)), key=lambda n: -len(pairs[n].ids))
        logits = [0.0] * len(pairs)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            found = pool.map(self._logit, (pairs[n] for n in longest_first))
            for n, logit in zip(longest_first, found, strict=True):
                logits[n] = logit
        return logits

    def _logit(self, encoded: Any) -> float:
        inputs = {
            "input_ids": [encoded.ids],
            "attention_mask": [encoded.attention_mask],
            "token_type_ids": [encoded.type_ids],
        }
        arrays = {name: np.array(rows, dtype=np.int64) for name, rows in inputs.items()}
        return float(self._session.run(["logits"], arrays)[0][0, 0])

    def _open(self) -> None:
        if self._session is not None:
            return
        folder = self._folder()
        try:
            from tokenizers import Tokenizer  # noqa: PLC0415

            session = _session(folder / "model.onnx")
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except ImportError as error:
            raise ModelError(
                f"The reranker {self._name!r} needs ONNX Runtime and tokenizers, which cannot be "
                f"loaded: {error}. Run: pip install --force-reinstall onnxruntime tokenizers, or "
                "ask with --no-rerank."
            ) from error
        except Exception as error:  # two libraries, each with errors of its own
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelError(
                f"The reranker {self._name!r} in {folder} cannot be loaded: {reason[:300]} "
                "Expected model.onnx and tokenizer.json; install it again, or ask with "
                "--no-rerank."
            ) from error
        # The text is cut; of a question longer than half of it all, the question as well.
        tokenizer.enable_truncation(_LONGEST, strategy="longest_first")
        tokenizer.no_padding()
        self._session, self._tokenizer = session, tokenizer


def _session(model: Path) -> Any:
    """An inference session, from the rewritten graph where there is one."""
    made_of = f"{runtime().__version__} {stamped_sha256(model)}"
    rewritten = graph_path(model.parent.name, made_of)
    if is_kept(rewritten):
        return session(rewritten, threads=1)
    # Not ENABLE_ALL, whose layouts are those of one kind of processor.
    opened = session(model, level="ENABLE_EXTENDED", threads=1)
    with suppress(Exception):  # a cache that cannot be written costs the time and nothing else
        keep(rewritten, lambda to: session(model, level="ENABLE_EXTENDED", rewritten_to=to))
    return opened
