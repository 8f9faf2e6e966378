"""A catalogue written on top of an earlier one holds what one written anew would hold."""

from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askai import catalog_writer
from askai.catalog import Catalog
from askai.catalog_writer import CatalogWriter, Taken
from askai.errors import IndexDamaged
from askai.records import Chunk, Document, Source

PATHS = [f"{letter}.txt" for letter in "abcdefghijklmnop"]
# Of each file the words that it holds now; another file of the same name is another list.
corpora = st.lists(
    st.dictionaries(
        st.sampled_from(PATHS),
        st.lists(st.sampled_from(["robots", "chips", "drones"]), min_size=1, max_size=3),
        min_size=1,
    ),
    min_size=1,
    max_size=5,
)


def document(path, words):
    text = " ".join(words)
    source = Source(path=path, sha256=text, bytes=len(text), reader="text", version="1")
    chunks = [
        Chunk(id=f"{path} {n} {word}", path=path, start=0, end=9, text=word, context="")
        for n, word in enumerate(words)
    ]
    return Document(source, text, ()), chunks


def write(path, corpus, time, taken=None):
    """The documents in the order of their paths, without those that are taken."""
    with CatalogWriter(path, taken) as writer:
        for name in sorted(corpus):
            if taken is None or name not in taken.documents:
                writer.add_document(*document(name, corpus[name]), mtime_ns=time)
    return Catalog.open(path)


def update(path, earlier, before, corpus, time):
    kept = {name: time for name, words in corpus.items() if before.get(name) == words}
    return write(path, corpus, time, Taken(earlier, kept, sorted(corpus)))


def content(catalog):
    return {
        "documents": [catalog.document(source.path) for source in catalog.sources()],
        "chunks": list(catalog.all_chunks()),
        "keys": catalog.text_keys(),
        "words": catalog.word_counts(),
        "times": catalog.mtimes(),
        "counts": (catalog.document_count(), catalog.chunk_count(), catalog.chunk_counts()),
    }


@given(steps=corpora)
@settings(max_examples=60, deadline=None)
def test_updates_after_updates_equal_a_catalogue_written_anew(steps, tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogues")
    before, last = {}, folder / "first"
    write(last, {}, 0).close()
    for n, corpus in enumerate(steps, start=1):
        path = folder / str(n)
        with (
            closing(update(path, last, before, corpus, n)) as updated,
            closing(write(folder / f"anew{n}", corpus, n)) as anew,
        ):
            assert content(updated) == content(anew)
        before, last = corpus, path


def many(count=40):
    return {f"{n:03}.txt": [f"word{'abcdefghij'[n % 10] * 9}"] for n in range(count)}


def positions(path):
    with closing(Catalog.open(path)) as catalog:
        return dict(catalog._rows("SELECT path, position FROM sources ORDER BY position"))


@pytest.fixture
def first(tmp_path):
    write(tmp_path / "first", many(), 1).close()
    return tmp_path / "first"


def test_what_stays_is_not_moved_and_what_is_new_comes_between(tmp_path, first):
    before, corpus = many(), many()
    del corpus["010.txt"]
    corpus |= {"004 new.txt": ["x"], "004 newer.txt": ["y"], "zzz.txt": ["z"], "005.txt": ["edit"]}
    update(tmp_path / "next", first, before, corpus, 2).close()
    there, here = positions(first), positions(tmp_path / "next")
    assert list(here) == sorted(corpus)
    edited = {"005.txt", "010.txt"}
    assert {p: here[p] for p in before if p not in edited} == {
        p: at for p, at in there.items() if p not in edited
    }


def test_where_there_is_no_more_room_all_positions_are_given_anew(tmp_path, first):
    corpus, last = many(), first
    for n in range(12):  # each time in the same place, which halves the room
        before = dict(corpus)
        corpus[f"010 {99 - n}.txt"] = ["new"]
        with closing(update(tmp_path / str(n), last, before, corpus, n)) as catalog:
            assert [source.path for source in catalog.sources()] == sorted(corpus)
        last = tmp_path / str(n)
    assert positions(last)["001.txt"] == 2 * catalog_writer.APART


def test_positions_end_where_numbers_do(tmp_path, first, monkeypatch):
    monkeypatch.setattr(catalog_writer, "LAST", 41 * catalog_writer.APART)
    corpus = many() | {"zz.txt": ["new"]}
    with closing(update(tmp_path / "next", first, many(), corpus, 2)) as catalog:
        assert [source.path for source in catalog.sources()] == sorted(corpus)


def test_a_deleted_text_is_gone_from_the_file(tmp_path, first):
    corpus = many() | {"005.txt": ["unmistakable"]}
    update(tmp_path / "next", first, many(), corpus, 2).close()
    assert b"unmistakable" in (tmp_path / "next").read_bytes()
    update(tmp_path / "last", tmp_path / "next", corpus, many(), 3).close()
    assert b"unmistakable" not in (tmp_path / "last").read_bytes()


def test_the_room_of_what_is_gone_is_given_back_when_it_is_much(tmp_path):
    corpus = {f"{n:03}.txt": [f"{n} " + "word " * 3000] for n in range(20)}
    write(tmp_path / "first", corpus, 1).close()
    few = dict(list(corpus.items())[:12])
    update(tmp_path / "few", tmp_path / "first", corpus, few, 2).close()
    assert (tmp_path / "few").stat().st_size < 0.7 * (tmp_path / "first").stat().st_size
    less = dict(list(corpus.items())[:16])  # a fifth is gone, and then a little more
    update(tmp_path / "less", tmp_path / "first", corpus, less, 2).close()
    assert (tmp_path / "less").stat().st_size == (tmp_path / "first").stat().st_size
    least = dict(list(less.items())[:14])
    update(tmp_path / "least", tmp_path / "less", less, least, 3).close()
    last = dict(list(least.items())[:13])
    update(tmp_path / "last", tmp_path / "least", least, last, 4).close()
    assert (tmp_path / "last").stat().st_size < 0.7 * (tmp_path / "first").stat().st_size


def test_a_new_time_is_written(tmp_path, first):
    update(tmp_path / "next", first, many(), many(), 7).close()
    with closing(Catalog.open(tmp_path / "next")) as catalog:
        assert set(catalog.mtimes().values()) == {7}


def test_a_document_that_is_not_there_cannot_be_taken(tmp_path, first):
    with pytest.raises(KeyError, match="unknown"):
        CatalogWriter(tmp_path / "next", Taken(first, {"unknown": 1}, ["unknown"]))


def test_an_earlier_file_that_is_no_catalogue_is_named(tmp_path, first):
    first.write_bytes(b"nonsense" * 1000)
    with pytest.raises(IndexDamaged, match="first cannot be used"):
        CatalogWriter(tmp_path / "next", Taken(first, {}, []))


def test_words_that_are_no_json_are_damage(tmp_path, first):
    import sqlite3

    with closing(sqlite3.connect(first)) as database:
        database.execute("UPDATE texts SET words = '{'")
        database.commit()
    with pytest.raises(IndexDamaged, match="first cannot be used"):
        update(tmp_path / "next", first, many(), {"001.txt": ["other"], **many(39)}, 2)


def test_the_earlier_file_stays_as_it_is(tmp_path, first):
    before = first.read_bytes()
    update(tmp_path / "next", first, many(), many(35) | {"new.txt": ["x"]}, 2).close()
    assert first.read_bytes() == before
