"""What the folder of a sentence-transformers model says, read from its files without loading it."""

import json
import re
from pathlib import Path
from typing import Any

from askai.errors import ModelError

_NOT_VECTORS = {"askai-model.json", "data_config.json"}  # in the folder, without a say in vectors
_MODEL_SUFFIXES = {".json", ".txt", ".model", ".safetensors", ".bin", ".spm", ".vocab", ".bpe"}
_OTHER_BACKENDS = {"onnx", "openvino", "coreml", "tf"}  # folders with copies for other programs
_E5 = re.compile(r"(?<![a-z0-9])e5(?![a-z0-9])")


def is_model_folder(path: Path) -> bool:
    """Whether sentence-transformers could load it: its configuration and its weights are there."""
    if not any((path / name).is_file() for name in ("modules.json", "config.json")):
        return False
    return any(file.suffix in {".safetensors", ".bin"} for file in model_files(path))


def folder_dim(folder: Path) -> int | None:
    """Numbers in one vector, read from the configuration; None when it does not say."""
    for module in reversed(_json(folder / "modules.json", [])):
        config = _json(folder / str(module.get("path", "")) / "config.json", {})
        if "out_features" in config:
            return int(config["out_features"])
        width = config.get("embedding_dimension", config.get("word_embedding_dimension"))
        if width and str(module.get("type", "")).endswith("Pooling"):
            modes = config.get("pooling_mode", "")
            joined = len(modes) if isinstance(modes, list | tuple) else modes.count("+") + 1
            old_style = sum(v is True for k, v in config.items() if k.startswith("pooling_mode_"))
            return int(width) * max(joined, old_style)
    width = _json(folder / "config.json", {}).get("hidden_size")
    return int(width) if width else None


def folder_max_tokens(folder: Path) -> int | None:
    """Tokens that the model reads of one text, special tokens and prompt included."""
    own = _json(folder / "sentence_bert_config.json", {}).get("max_seq_length")
    if own:
        return int(own)
    limits = (
        _json(folder / "config.json", {}).get("max_position_embeddings"),
        _json(folder / "tokenizer_config.json", {}).get("model_max_length"),
    )
    known = [int(limit) for limit in limits if limit]
    return min(known) if known else None


def default_prompts(name: str) -> tuple[str, str]:
    """Prompts of question and passage for a model that brings none of its own.

    E5 models were trained with these (arXiv:2212.03533) and lose much without them; their
    "instruct" siblings want a task description instead.
    """
    lower = name.lower()
    if _E5.search(lower) and "instruct" not in lower:
        return ("query: ", "passage: ")
    return ("", "")


def model_files(folder: Path) -> list[Path]:
    """The files of a model folder that shape its vectors, sorted by relative path."""
    found = []
    for file in folder.rglob("*"):
        relative = file.relative_to(folder)
        shapes = file.suffix in _MODEL_SUFFIXES and file.name not in _NOT_VECTORS
        hidden = any(part.startswith(".") or part in _OTHER_BACKENDS for part in relative.parts)
        if shapes and not hidden and file.is_file():
            found.append(file)
    return sorted(found, key=lambda file: file.relative_to(folder).as_posix())


def _json(path: Path, default: Any) -> Any:
    """The content of a JSON file; `default` when it is missing, or raises ModelError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return default
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read: {error}. Expected JSON; fetch the model again."
        ) from error
