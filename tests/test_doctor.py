"""`askai doctor`: what is wrong is named with its remedy, and --repair makes anew just that."""

import os
import shutil

import pytest


def states(desk, *arguments, code=0):
    ran = desk.run("doctor", *arguments, "--json")
    assert ran.code == code, ran
    assert ran.json["well"] == (code == 0)
    return {check["name"]: check for check in ran.json["checks"]}


NAMES = {
    "python", "packages", "model", "reranker", "corpus", "index", "corpus and index",
    "index folder", "disk of the index folder", "cache", "disk of the cache",
}  # fmt: skip


def test_all_is_well(indexed):
    found = states(indexed)
    assert set(found) == NAMES
    assert {check["state"] for check in found.values()} == {"good"}
    assert not any(check["remedy"] for check in found.values())
    told = indexed.run("doctor")
    assert (told.code, told.out.splitlines()[-1]) == (0, "All is well.")


def flip(file):
    """One bit, under the old time."""
    stat, data = file.stat(), bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize(
    "name", ["vectors.faiss", "units.faiss", "lexical/scores.npy", "words.npz", "catalog.sqlite"]
)
def test_a_flipped_bit_is_found_and_repaired(indexed, name):
    flip(indexed.generation / name)
    found = states(indexed, code=1)["index"]
    assert (found["state"], found["found"]) == ("wrong", f"damaged: {name}")
    assert found["remedy"] == "run `askai doctor --repair`"
    ran = indexed.run("doctor", "--repair")
    assert ran.code == 0, ran
    read = 2 if name == "catalog.sqlite" else 0
    assert f"read {read} files." in ran.err
    states(indexed)
    indexed.answers()


def test_repairing_what_is_whole_does_nothing(indexed):
    first = indexed.generation.name
    ran = indexed.run("doctor", "--repair")
    assert (ran.code, "Nothing was damaged." in ran.err) == (0, True)
    assert indexed.generation.name == first


WRONG = {
    "no index": (
        lambda d: shutil.rmtree(d.index), "index", "warning", "run `askai index`", 0,
    ),
    "no corpus": (
        lambda d: shutil.rmtree(d.corpus), "corpus", "wrong", "name another folder", 1,
    ),
    "an empty corpus": (
        lambda d: [p.unlink() for p in d.corpus.iterdir()], "corpus", "wrong", "put documents", 1,
    ),
    "a wrong sources.toml": (
        lambda d: d.write("sources.toml", "x = 1"), "corpus", "wrong", "name another", 1,
    ),
    "a changed file": (
        lambda d: d.write("b.md", "# New\n"), "corpus and index", "warning", "run `askai index`", 0,
    ),
    "no manifest": (
        lambda d: (d.generation / "manifest.json").unlink(), "index", "wrong", "--repair", 1,
    ),
    "a file in place of the index": (
        lambda d: (shutil.rmtree(d.index), d.index.write_text("x")), "index", "warning", "index", 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_its_remedy(indexed, case):
    harm, name, state, remedy, code = case
    harm(indexed)
    ran = indexed.run("doctor", "--json")
    found = {check["name"]: check for check in ran.json["checks"]}
    assert found[name]["state"] == state
    assert remedy in found[name]["remedy"]
    if "in place" not in str(found):
        assert ran.code in {code, 1}
    assert "Traceback" not in ran.err


def test_a_model_that_is_not_there(indexed):
    found = states(indexed, "--model", "./nowhere", code=1)
    assert (found["model"]["state"], found["model"]["remedy"]) == ("wrong", "see `askai models`")


def test_other_settings_than_the_index_s_are_named(indexed):
    (indexed.folder / "askai.toml").write_text("chunk_tokens = 64\n")
    assert states(indexed)["settings"]["found"] == "others than the index's: chunking"


def test_a_file_that_is_not_read_is_named(indexed):
    indexed.write("x.pdf", b"no")
    indexed.run("index")
    assert states(indexed)["files not read"]["found"] == "1: x.pdf"
