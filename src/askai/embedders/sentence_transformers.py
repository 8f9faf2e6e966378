"""Any sentence-transformers model that lies in a folder.

Name, dimension and fingerprint are read from the folder's files; torch and transformers (5 s) are
imported when the first vector is asked for, and not at all where `bert_onnx` knows the model; for
a question's vector only where neither `bert_numpy` knows it nor an `exported` graph is kept. No
method of this module touches the network.
"""

import hashlib
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from platform import machine
from typing import Any

import numpy as np

from askai.embedders import Vector, Vectors
from askai.embedders.bert_graph import NotInFourBits
from askai.embedders.bert_numpy import BertEncoder
from askai.embedders.bert_onnx import OnnxBertEncoder
from askai.embedders.exported import ExportedEncoder, export, open_exported
from askai.embedders.model_folder import (
    default_prompts,
    folder_dim,
    folder_max_tokens,
    model_files,
)
from askai.errors import ModelError
from askai.files import stamped_sha256
from askai.tokens import encodable

Location = Path | str | Callable[[], Path]  # a folder, or what prepares it when first needed

_FEW = 24  # texts that NumPy or an exported graph has embedded before torch is loaded
_SLICE = 64  # texts in one call of the encoder, which costs something by itself


class SentenceTransformerEmbedder:
    """A model folder behind the embedder seam; several threads may share one."""

    def __init__(
        self,
        location: Location,
        *,
        name: str | None = None,
        fingerprint: str | None = None,
        dim: int | None = None,
        max_tokens: int | None = None,
        batch_size: int = 8,  # the least CPU time of 8, 16 and 32, as measured
        plain_bert: bool = False,
        by_torch: bool = False,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Reads nothing yet.

        What is known beforehand (name, fingerprint, dim, max_tokens) need not be read from the
        folder, which then is asked for only with the first vector. `plain_bert` is for a BERT
        with mean pooling that is known to give the same vectors by `OnnxBertEncoder` and
        `BertEncoder`; `notify` is told when the former should run and does not. With `by_torch`
        nothing else is tried.
        """
        self._location = location
        self._name = name
        self._fingerprint = fingerprint
        self._dim = dim
        self._max_tokens = max_tokens
        self._batch_size = batch_size
        self._plain_bert = plain_bert
        self._by_torch = by_torch
        self._notify = notify
        self._model: Any = None
        self._encoder: OnnxBertEncoder | BertEncoder | None = None
        self._exported: ExportedEncoder | None = None
        self._folder: Path | None = None
        self._lock = threading.RLock()

    @property
    def name(self) -> str:
        return self._name or self.folder.name

    @property
    def folder(self) -> Path:
        """Where the model lies, prepared if need be; raises ModelError."""
        with self._lock:
            if self._folder is None:
                place = self._location
                self._folder = place() if callable(place) else Path(place)
        return self._folder

    @property
    def dim(self) -> int:
        """Numbers in one vector."""
        if self._dim is None:
            self._dim = folder_dim(self.folder) or len(self._loaded().encode(""))
        return self._dim

    @property
    def max_tokens(self) -> int:
        """Tokens that the model reads of one text; two special ones and the prompt count."""
        if self._max_tokens is None:
            known = folder_max_tokens(self.folder)
            self._max_tokens = known or int(self._loaded().max_seq_length)
        return self._max_tokens

    @property
    def fingerprint(self) -> str:
        """The (name, SHA-256) pairs of the files that shape a vector, and the default prompts."""
        if self._fingerprint is None:
            digest = hashlib.sha256(repr(default_prompts(self.name)).encode())
            for file in model_files(self.folder):
                relative = file.relative_to(self.folder).as_posix()
                digest.update(f"\n{relative} {stamped_sha256(file)}".encode())
            self._fingerprint = f"sentence-transformers/{digest.hexdigest()[:16]}/fp32/1"
        return self._fingerprint

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (n, dim); raises ModelError when the model cannot be loaded.

        By whichever way a text is embedded, its vector is the same: to 1e-5, and to 1e-4 of a model
        that was exported.
        """
        quick = self._quick_vectors(texts, role="document")
        if quick is not None:
            return quick
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        # Neighbours of like length waste no padding; the longest first, so that a batch that is
        # too much for the machine fails at once and not after an hour.
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        for start in range(0, len(order), _SLICE):
            rows = order[start : start + _SLICE]
            vectors[rows] = self._encode([texts[i] for i in rows], role="document")
        return vectors

    def embed_query(self, text: str) -> Vector:
        """A vector of shape (dim,); raises ModelError when the model cannot be loaded."""
        if self._plain_bert:
            return self._opened_encoder().encode(self._prompted(text, role="query"))
        exported = self._exported_encoder()
        if exported is not None:
            return exported.encode(encodable(text), role="query")
        vector: Vector = self._encode([text], role="query")[0]
        return vector

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (n, dim), near to those that `embed_query` gives one by one."""
        quick = self._quick_vectors(texts, role="query")
        if quick is not None:
            return quick
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(texts), _SLICE):
            part = list(texts[start : start + _SLICE])
            vectors[start : start + len(part)] = self._encode(part, role="query")
        return vectors

    def load_ahead(self) -> None:
        """Begins to load what a question needs, in a thread of its own; what fails is told by
        `embed_query`."""
        if self._plain_bert:
            threading.Thread(target=self._try_open).start()

    def _try_open(self) -> None:
        with suppress(ModelError):
            self._opened_encoder()

    def _quick_vectors(self, texts: Sequence[str], *, role: str) -> Vectors | None:
        """Vectors that need no torch: of a plain BERT any number by ONNX Runtime, few by NumPy, and
        few of another model that was exported; else None. Many are for torch where there is a GPU.
        """
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        few = self._model is None and len(texts) <= _FEW
        if not self._plain_bert:
            exported = self._exported_encoder() if few else None
            if exported is None:
                return None
            return np.stack([exported.encode(encodable(text), role=role) for text in texts])
        encoder = None if len(texts) > _FEW and has_gpu() else self._opened_encoder()
        prompted = [self._prompted(text, role=role) for text in texts]
        if isinstance(encoder, OnnxBertEncoder):
            return encoder.encode_all(prompted)
        if encoder is not None and few:
            return np.stack([encoder.encode(text) for text in prompted])
        return None

    def _prompted(self, text: str, *, role: str) -> str:
        return default_prompts(self.name)[role != "query"] + encodable(text)

    def _opened_encoder(self) -> OnnxBertEncoder | BertEncoder:
        with self._lock:
            if self._encoder is None:
                self._encoder = _open_encoder(
                    self.folder, self.name, self.max_tokens, notify=self._notify
                )
        return self._encoder

    def _exported_encoder(self) -> ExportedEncoder | None:
        """None where torch is loaded already, or has to do it."""
        with self._lock:
            if self._exported is None and self._model is None and not self._by_torch:
                self._exported = open_exported(
                    self.folder,
                    name=self.name,
                    fingerprint=self.fingerprint,
                    max_tokens=self.max_tokens,
                )
        return self._exported

    def _encode(self, texts: list[str], *, role: str) -> Vectors:
        with self._lock:  # a fast tokenizer refuses a second thread: "Already borrowed"
            model = self._loaded()
            encode = model.encode_query if role == "query" else model.encode_document
            found = encode(
                [encodable(text) for text in texts],
                prompt=_prompt(model.prompts, self.name, role),
                batch_size=self._batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        vectors = np.ascontiguousarray(found, dtype=np.float32)
        if vectors.shape != (len(texts), self.dim) or not np.isfinite(vectors).all():
            raise ModelError(
                f"The model {self.name!r} gave {vectors.shape[-1]} numbers a text, or numbers "
                f"that are not finite; expected {self.dim} finite ones. Its folder {self.folder} "
                "may be damaged: fetch it again."
            )
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                self._model = _load(self.folder, self.name)
                if not (self._plain_bert or self._by_torch):
                    self._export(self._model)
        return self._model

    def _export(self, model: Any) -> None:
        """So that the next question need not load torch."""
        reason = export(
            model,
            self.folder,
            name=self.name,
            fingerprint=self.fingerprint,
            max_tokens=self.max_tokens,
            prompts={role: _full_prompt(model, self.name, role) for role in ("query", "document")},
            encode=lambda texts, role: self._encode(list(texts), role=role),
        )
        if reason:
            self._notify(
                f"The model {self.name} cannot be exported to ONNX ({reason}): each question loads "
                "torch."
            )


def has_gpu() -> bool:
    """Whether torch may find one, as far as can be told without loading it: of NVIDIA, of AMD, of
    either behind Windows' Linux, of Apple."""
    if sys.platform == "darwin":
        return machine() == "arm64"
    return any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg"))


def _prompt(prompts: dict[str, str], name: str, role: str) -> str | None:
    """The prompt to ask for; None leaves the choice to the model's configuration.

    sentence-transformers adds an empty "document" prompt to every model and then prefers it to
    the "passage" prompt that the model brings.
    """
    keys = ["query"] if role == "query" else ["document", "passage", "corpus"]
    for key in keys:
        if prompts.get(key):
            return prompts[key]
    if any(prompts.values()):
        return None
    return default_prompts(name)[0 if role == "query" else 1] or None


def _full_prompt(model: Any, name: str, role: str) -> str:
    """What sentence-transformers puts before a text when it is given `_prompt`: without one, the
    prompt of its own for the role, which is empty then."""
    return _prompt(model.prompts, name, role) or ""


def _open_encoder(
    folder: Path, name: str, max_tokens: int, *, notify: Callable[[str], None]
) -> OnnxBertEncoder | BertEncoder:
    """The quickest that the model and the machine allow."""
    amiss: Exception
    try:
        return OnnxBertEncoder(folder, name=name, max_tokens=max_tokens)
    except Exception as error:  # noqa: BLE001  a missing library, a full disk, what they raise
        amiss = error
    try:
        encoder = BertEncoder(folder, max_tokens=max_tokens)
    except Exception as error:  # the tokenizer and the weights raise their own, of Rust
        raise _unloadable(folder, name, error) from error
    if not isinstance(amiss, NotInFourBits):
        notify(
            f"ONNX Runtime does not run the model {name} ({_reason(amiss)}): its vectors come from "
            "NumPy and torch, which takes longer. `askai doctor` tells what is not installed."
        )
    return encoder


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]


def _unloadable(folder: Path, name: str, error: Exception) -> ModelError:
    return ModelError(
        f"The model {name!r} in {folder} cannot be loaded: {_reason(error)} "
        "Expected a sentence-transformers folder with all its files; fetch it again, or "
        "install sentence-transformers if that is what is missing."
    )


def _load(folder: Path, name: str) -> Any:
    try:
        with quiet():
            module = import_module("sentence_transformers")
            model = module.SentenceTransformer(
                str(folder), local_files_only=True, trust_remote_code=False
            )
            return model.float()  # half precision makes a vector depend on its batch
    except Exception as error:  # four libraries and a file of unknown origin fail in many ways
        raise _unloadable(folder, name, error) from error


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and advice on stderr while a model loads; settings are then put back."""
    loggers = [logging.getLogger(name) for name in ("transformers", "sentence_transformers")]
    levels = [logger.level for logger in loggers]
    transformers_logging = import_module("transformers.utils.logging")
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if bars:
            transformers_logging.enable_progress_bar()
