"""An update equals a rebuild: the same passages, vectors, words and ranking, and nothing besides.

A corpus is changed at random (edited, added, renamed, moved, deleted, swapped, duplicated, touched)
and brought up to date; now and then it is also built anew, and the two are held side by side.
`ASKAI_LONG=1` does 300 operations, the default 60.
"""

import os
import random
import shutil
from contextlib import closing

import numpy as np
import pytest

from askai.catalog import Catalog
from askai.centring import Centring
from askai.corpus import Corpus
from askai.earlier import CATALOG, LEXICAL, UNITS, VECTORS, WORDS
from askai.embedders.hashing import HashingEmbedder
from askai.errors import IndexDamaged
from askai.generations import open_generation
from askai.index_parts import Recipe
from askai.indexing import build
from askai.induced_lexicon import InducedLexicon
from askai.lexical.bm25 import BM25Index
from askai.manifest import read_sources
from askai.stores.exact import ExactStore
from askai.stores.faiss_flat import FaissFlatStore
from askai.units import unit_texts

OPERATIONS = 300 if os.environ.get("ASKAI_LONG") else 60
EVERY = 10  # operations between two comparisons
CITIES = ["Suzhou", "Harbin", "Wuhan", "Hefei", "Xiamen", "Tianjin", "Jinan", "Chengdu"]
WORK = ["robots", "chips", "drones", "gardens", "festivals", "models", "networks", "satellites"]


class Counting(HashingEmbedder):
    """Counts the passages that it is asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def embed_passages(self, texts):
        self.asked += texts
        return super().embed_passages(texts)

    def embed_query(self, text):
        return HashingEmbedder().embed_query(text)


def recipe(embedder=None, *, store=FaissFlatStore, **changes):
    parts = {
        "embedder": embedder or HashingEmbedder(),
        "centring": Centring(),
        "store": store.__name__,
        "store_class": store,
        "lexical": "bm25",
        "lexical_class": BM25Index,
        "chunk_tokens": 64,
    }
    return Recipe(**parts | changes)


def corpus(folder):
    return Corpus.open(folder, max_bytes=1_000_000)


def sentence(dice):
    return f"{dice.choice(CITIES)} has {dice.randrange(2, 99)} {dice.choice(WORK)} in use."


def text(dice):
    paragraphs = (
        " ".join(sentence(dice) for _ in range(dice.randrange(1, 5)))
        for _ in range(dice.randrange(1, 4))
    )
    return f"# {dice.choice(CITIES)} {dice.randrange(9)}\n\n" + "\n\n".join(paragraphs) + "\n"


def change(folder, dice):
    """One random operation; returns its name."""
    files = sorted(path for path in folder.rglob("*.md"))
    operation = dice.choice(
        ["edit", "add", "rename", "move", "delete", "swap", "duplicate", "touch", "restore"]
    )
    one = dice.choice(files)
    other = dice.choice(files)
    new = folder / f"n{dice.randrange(10**6)}.md"
    if operation == "edit":
        one.write_text(one.read_text("utf-8") + sentence(dice) + "\n", "utf-8")
    elif operation == "add":
        new.write_text(text(dice), "utf-8")
    elif operation == "rename":
        one.rename(new)
    elif operation == "move":
        (folder / "sub").mkdir(exist_ok=True)
        one.rename(folder / "sub" / new.name)
    elif operation == "delete" and len(files) > 3:
        one.unlink()
    elif operation == "swap":
        contents = one.read_bytes(), other.read_bytes()
        other.write_bytes(contents[0])
        one.write_bytes(contents[1])
    elif operation == "duplicate":
        shutil.copy2(one, new)
    elif operation == "touch":
        os.utime(one, (dice.randrange(10**9), dice.randrange(10**9)))
    elif operation == "restore":  # another content of the same size under the old time
        before = one.stat()
        one.write_bytes(one.read_bytes().replace(b"Suzhou", b"Harbin"))
        os.utime(one, ns=(before.st_atime_ns, before.st_mtime_ns))
    return operation


def content(index, store):
    """All that an index holds, by its own ids."""
    with (
        open_generation(index, full=True) as generation,
        Catalog.open(generation.path / CATALOG) as catalog,
    ):
        chunks = list(catalog.all_chunks())
        passages, units = (store.open(generation.path / name) for name in (VECTORS, UNITS))
        lexical = BM25Index.open(generation.path / LEXICAL)
        words = InducedLexicon.open(generation.path / WORDS)
        ids = [chunk.id for chunk in chunks]
        unit_ids = [id_ for chunk in chunks for id_, _ in unit_texts(chunk)]
        assert (len(passages), len(units), len(lexical)) == (len(ids), len(unit_ids), len(ids))
        return {
            "chunks": chunks,
            "documents": [catalog.document(source.path) for source in catalog.sources()],
            "keys": catalog.text_keys(),
            "word_counts": catalog.word_counts(),
            "vectors": passages.vectors(ids),
            "units": units.vectors(unit_ids),
            "tokens": [lexical.tokens_of(id_) for id_ in ids],
            "ranking": [lexical.search([w, c.lower()], 10) for w in WORK for c in CITIES],
            "words": (words.stems, words.vectors, words.mean, dict(words.shares)),
            "sources": {(state.path, state.sha256) for state in read_sources(generation.path)},
        }


def same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        if name in {"vectors", "units"}:
            assert np.array_equal(value, other[name]), name
        elif name == "words":
            for mine, theirs in zip(value, other[name], strict=True):
                assert np.array_equal(mine, theirs) if hasattr(mine, "shape") else mine == theirs
        else:
            assert value == other[name], name


@pytest.fixture
def folder(tmp_path):
    dice = random.Random(7)  # noqa: S311
    made = tmp_path / "corpus"
    made.mkdir()
    for n in range(8):
        (made / f"f{n}.md").write_text(text(dice), "utf-8")
    return made


@pytest.mark.parametrize("store", [FaissFlatStore, ExactStore])
def test_an_update_equals_a_rebuild_after_any_operations(folder, tmp_path, store):
    dice = random.Random(os.environ.get("ASKAI_SEED", "11"))  # noqa: S311
    parts = recipe(store=store)
    index = tmp_path / "index"
    build(corpus(folder), index, parts)
    done = []
    for n in range(1, OPERATIONS + 1):
        done.append(change(folder, dice))
        if dice.random() < 0.5:
            continue  # several at once
        build(corpus(folder), index, parts)
        if n % EVERY == 0 or n == OPERATIONS:
            anew = tmp_path / f"anew{n}"
            build(corpus(folder), anew, parts)
            same(content(index, store), content(anew, store))
    assert len(set(done)) == 9
    build(corpus(folder), index, parts)
    paths = {state[0] for state in content(index, store)["sources"]}
    assert paths == {path.relative_to(folder).as_posix() for path in folder.rglob("*.md")}


def updated(folder, index, **changes):
    """(report, texts that were embedded) of bringing an index up to date."""
    embedder = Counting()
    report = build(corpus(folder), index, recipe(embedder, **changes))
    assert len(set(embedder.asked)) <= report.embedded
    return report, embedder.asked


@pytest.fixture
def index(folder, tmp_path):
    report, asked = updated(folder, tmp_path / "index")
    assert report.built
    assert report.read == 8
    assert report.embedded >= len(asked) > 8
    return tmp_path / "index"


def test_only_the_file_that_changed_is_read_and_only_its_new_texts_are_embedded(folder, index):
    with (folder / "f3.md").open("a", encoding="utf-8") as file:
        file.write("\nNanjing has 53 colleges.\n")
    report, asked = updated(folder, index)
    assert report.read == 1
    assert all("Nanjing" in text for text in asked)
    assert report.embedded == len(asked) in {1, 2}


@pytest.mark.parametrize("edit", ["rename", "move", "duplicate", "delete", "swap", "touch"])
def test_what_only_goes_elsewhere_is_not_embedded(folder, index, edit):
    one, other = folder / "f1.md", folder / "f2.md"
    if edit == "rename":
        one.rename(folder / "z.md")
    elif edit == "move":
        (folder / "deep").mkdir()
        one.rename(folder / "deep" / "f1.md")
    elif edit == "duplicate":
        shutil.copy(one, folder / "copy.md")
    elif edit == "delete":
        one.unlink()
    elif edit == "swap":
        contents = one.read_bytes(), other.read_bytes()
        one.write_bytes(contents[1])
        other.write_bytes(contents[0])
    else:
        os.utime(one)
    report, asked = updated(folder, index)
    assert (asked, report.embedded) == ([], 0)
    assert report.built == (edit != "touch")


def test_a_description_is_told_without_embedding(folder, index):
    (folder / "sources.toml").write_text('[[source]]\npath = "f1.md"\npublisher = "EAI"\n')
    report, asked = updated(folder, index)
    assert (report.built, report.read, asked) == (True, 8, [])


def test_other_passages_of_the_same_sentences_are_cut_anew(folder, index):
    report, asked = updated(folder, index, chunk_tokens=32)
    assert report.read == 8
    assert report.embedded == len(asked) < len(content(index, FaissFlatStore)["units"])


def test_another_store_embeds_anew(folder, index):
    report, _ = updated(folder, index, store=ExactStore)
    assert report.embedded == len(content(index, ExactStore)["chunks"]) + len(
        content(index, ExactStore)["units"]
    )


def test_what_makes_a_rebuild_is_announced(folder, index):
    said = []
    build(corpus(folder), index, recipe(chunk_tokens=32), announce=lambda *told: said.append(told))
    assert said == [(("passages are cut otherwise: all files are read again",), 0.0)]


def test_an_interrupted_build_is_taken_up_where_it_was(folder, tmp_path, monkeypatch):
    embedder = Counting()
    monkeypatch.setattr("askai.index_parts._BATCH", 4)
    whole = embedder.embed_passages

    def stops(texts):
        if len(embedder.asked) >= 12:
            raise KeyboardInterrupt
        return whole(texts)

    embedder.embed_passages = stops
    with pytest.raises(KeyboardInterrupt):
        build(corpus(folder), tmp_path / "index", recipe(embedder))
    first = set(embedder.asked)
    report, asked = updated(folder, tmp_path / "index")
    assert len(first) >= 12
    assert first.isdisjoint(asked)
    assert report.embedded > len(asked)
    assert min(path.name for path in (tmp_path / "index").iterdir()) == "CURRENT"


DAMAGE = {
    "vectors.faiss": lambda held: held["chunks"],
    "units.faiss": lambda held: held["units"],
    "lexical/terms.tables": lambda _: [],
    "words.npz": lambda _: [],
    "words.json": lambda _: [],
    "skipped.json": lambda _: [],
}


@pytest.mark.parametrize(("name", "lost"), DAMAGE.items(), ids=DAMAGE)
@pytest.mark.parametrize("full", [False, True], ids=["cut", "bit"])
def test_only_the_damaged_part_is_made_anew(folder, index, name, lost, full):
    """A bit that flips without a new time is found by the checksum alone."""
    before = content(index, FaissFlatStore)
    with open_generation(index) as generation:
        file = generation.path / name
    stat, data = file.stat(), bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data if full else data[:-4])
    if full:
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        if name != "skipped.json":  # which each look at the folder reads
            assert not build(corpus(folder), index, recipe()).built
    embedder = Counting()
    report = build(corpus(folder), index, recipe(embedder), full=full)
    assert (report.built, report.read, report.embedded) == (True, 0, len(lost(before)))
    same(content(index, FaissFlatStore), before)


@pytest.mark.parametrize("full", [False, True], ids=["cut", "bit"])
def test_without_its_sources_all_is_read_and_nothing_embedded(folder, index, full):
    before = content(index, FaissFlatStore)
    with open_generation(index) as generation:
        file = generation.path / "sources.json"
    stat, data = file.stat(), bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data if full else data[:-4])
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    report = build(corpus(folder), index, recipe(), full=full)
    assert (report.built, report.read, report.embedded) == (True, 8, 0)
    same(content(index, FaissFlatStore), before)


def test_without_its_catalogue_all_is_made_anew(folder, index):
    before = content(index, FaissFlatStore)
    with open_generation(index) as generation:
        (generation.path / CATALOG).unlink()
    report, _ = updated(folder, index)
    assert (report.read, report.embedded) == (8, len(before["chunks"]) + len(before["units"]))
    same(content(index, FaissFlatStore), before)


# --- files that two generations share ---------------------------------------------------------


def test_a_renamed_file_writes_no_vector_and_an_open_index_goes_on(folder, index):
    with (
        open_generation(index) as before,
        closing(FaissFlatStore.open(before.path / UNITS)) as reader,
    ):
        (folder / "f1.md").rename(folder / "z.md")
        updated(folder, index)
        with open_generation(index, full=True) as after:
            for name in (VECTORS, UNITS, WORDS):
                assert (before.path / name).samefile(after.path / name)
                assert before.manifest.files[name] == after.manifest.files[name]
            assert not [name for name in after.manifest.files if "added" in name]
        ids = list(reader.ids())
        vectors = reader.vectors(ids)
    (folder / "z.md").rename(folder / "y.md")
    updated(folder, index)
    assert not before.path.exists()
    assert len(vectors) == len(ids)
    with (
        open_generation(index) as after,
        closing(FaissFlatStore.open(after.path / UNITS)) as units,
    ):
        assert units.search(vectors[0], 1)[0][1] == pytest.approx(1.0)


@pytest.fixture
def many(tmp_path):
    """A folder of so many files that one of them is few, and its index."""
    made = tmp_path / "many"
    made.mkdir()
    for n in range(20):
        text = f"# City {n}\n\nCity {n} has {n + 3} robots. It has {n + 5} gardens in use too.\n"
        (made / f"f{n:02}.md").write_text(text, "utf-8")
    build(corpus(made), tmp_path / "index of many", recipe())
    return made, tmp_path / "index of many"


def test_an_edited_file_adds_its_vectors_alone(many):
    folder, index = many
    (folder / "f03.md").write_text("# City 3\n\nCity 3 is a village. It has but 3 gardens left.\n")
    report, _ = updated(folder, index)
    with open_generation(index) as generation:
        sizes = {name: state.bytes for name, state in generation.manifest.files.items()}
    assert report.embedded == 3
    assert 0 < sizes["vectors.added.faiss"] < sizes["vectors.faiss"] / 10
    assert 0 < sizes["units.added.faiss"] < sizes["units.faiss"] / 10
    anew = index.with_name("anew")
    build(corpus(folder), anew, recipe())
    same(content(index, FaissFlatStore), content(anew, FaissFlatStore))


SHARED = ["units.faiss", "units.added.faiss", "units.ids", "vectors.faiss"]


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("full", [False, True], ids=["cut", "bit"])
def test_damage_to_a_shared_file_is_found_and_made_anew(many, name, full):
    """A bit that flips under the same time goes into the next generation with the linked file, and
    under the checksum of before, so that it is found there."""
    folder, index = many
    (folder / "f03.md").write_text("# City 3\n\nCity 3 is a village. It has but 3 gardens left.\n")
    updated(folder, index)
    before = content(index, FaissFlatStore)
    with open_generation(index) as generation:
        file = generation.path / name
    stat, data = file.stat(), bytearray(file.read_bytes())
    data[-8] ^= 1
    file.write_bytes(data if full else data[:-4])
    if full:
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        if name.endswith("s.faiss"):
            (folder / "f05.md").rename(folder / "g05.md")
            updated(folder, index)
            with pytest.raises(IndexDamaged, match=name):
                open_generation(index, full=True)
            (folder / "g05.md").rename(folder / "f05.md")
    embedder = Counting()
    report = build(corpus(folder), index, recipe(embedder), full=full)
    kind = "units" if name.startswith("units") else "chunks"
    assert report.embedded == len(before[kind])
    same(content(index, FaissFlatStore), before)
