"""The catalogue gives back, to the last code point, what was put into it."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from askai.catalog import Catalog
from askai.catalog_writer import CatalogWriter
from askai.errors import IndexDamaged, IndexMismatch
from askai.records import Chunk, Document, Mark, Source
from askai.units import unit_texts, vector_key
from askai.vocabulary import word_counts

HARD_TEXTS = {
    "nul": "a\0b\0",
    "lone carriage return": "a\rb\r\nc\n\r",
    "byte order mark": "\ufeffa\ufeff",
    "astral": "𝒜𠮷🇨🇳👩🏽\u200d🚀",
    "arabic": "ذكاء اصطناعي، ٢٠٢٦",
    "separators": "a\u2028b\u2029c\x85d\x1c\x0b",
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "looks like a number": "007",
    "empty": "",
}


def source(path="a.txt", **changes):
    return Source(path=path, sha256="0" * 64, bytes=3, reader="text", version="1", **changes)


def write(path, *documents):
    """`documents` are (document, chunks) pairs; the n-th file's time is n."""
    path.unlink(missing_ok=True)
    with CatalogWriter(path) as writer:
        for n, (document, chunks) in enumerate(documents):
            writer.add_document(document, chunks, mtime_ns=n)
    return Catalog.open(path)


def chunk(id_="c1", path="a.txt", text="abc", **changes):
    return Chunk(id=id_, path=path, start=0, end=len(text), text=text, context="", **changes)


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
maybe = st.none() | text
whole = st.integers(0, 2**63 - 1)
sources = st.builds(
    Source, path=text, sha256=text, bytes=whole, reader=text, version=text, encoding=text,
    title=maybe, publisher=maybe, author=maybe, published=maybe, language=maybe,
)  # fmt: skip
marks = st.builds(
    Mark, kind=st.sampled_from(["heading", "page", "table_row"]), start=whole, end=whole,
    label=text, level=st.integers(0, 9), continues=st.booleans(),
)  # fmt: skip
documents = st.builds(Document, source=sources, text=text, marks=st.lists(marks).map(tuple))
chunks = st.builds(
    Chunk, id=text, path=text, start=whole, end=whole, text=text, context=text,
    kind=st.sampled_from(["text", "table_row", "footnote"]), label=text,
    heading=st.lists(text, max_size=3).map(tuple), language=maybe,
    header=st.lists(text, max_size=3).map(tuple), related=st.lists(text, max_size=3).map(tuple),
    units=st.lists(st.tuples(whole, whole), max_size=3).map(tuple),
    beside=st.lists(text, max_size=2).map(tuple),
)  # fmt: skip


@given(
    documents=st.lists(documents, max_size=4, unique_by=lambda d: d.source.path),
    chunks=st.lists(chunks, max_size=6, unique_by=lambda c: c.id),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_everything_comes_back_as_it_went_in(tmp_path, documents, chunks):
    if not documents:
        chunks = []
    pairs = [(document, chunks[n :: len(documents)]) for n, document in enumerate(documents)]
    with write(tmp_path / "catalog.sqlite", *pairs) as catalog:
        assert [catalog.document(d.source.path) for d in documents] == documents
        assert [catalog.text(d.source.path) for d in documents] == [d.text for d in documents]
        assert catalog.sources() == [d.source for d in documents]
        assert [catalog.source(d.source.path) for d in documents] == catalog.sources()
        assert list(catalog.all_chunks()) == [c for _, some in pairs for c in some]
        assert catalog.chunks(c.id for c in chunks) == {c.id: c for c in chunks}
        assert catalog.mtimes() == {d.source.path: n for n, d in enumerate(documents)}
        assert {id_: (key, of) for id_, key, of in catalog.text_keys()} == {
            c.id: (
                vector_key(c.embedded_text, c.language),
                b"".join(vector_key(text, c.language) for _, text in unit_texts(c)),
            )
            for c in chunks
        }
        assert catalog.word_counts() == word_counts(c.embedded_text for c in chunks)
        assert catalog.languages() == Counter(c.language or "" for c in chunks)
        for c in chunks:
            assert c in catalog.chunks_of(c.path)
        assert (catalog.document_count(), catalog.chunk_count()) == (len(documents), len(chunks))


@pytest.mark.parametrize("hard", HARD_TEXTS.values(), ids=HARD_TEXTS)
def test_hard_texts_survive(tmp_path, hard):
    mark = Mark("heading", 0, len(hard), label=hard)
    document = Document(source(path=f"x{hard}", title=hard), hard, (mark,))
    piece = chunk(text=hard, label=hard, heading=(hard, hard))
    with write(tmp_path / "catalog.sqlite", (document, [piece])) as catalog:
        assert catalog.document(f"x{hard}") == document
        assert catalog.chunks(["c1"]) == {"c1": piece}


def test_ten_megabytes_survive(tmp_path):
    long = ("人工智能\0\r é𠮷" * 1_100_000)[:10_000_000]
    document = Document(source(), long, (Mark("paragraph", 0, len(long)),))
    with write(tmp_path / "catalog.sqlite", (document, [chunk(text=long)])) as catalog:
        assert catalog.document("a.txt").text == long
        assert catalog.chunks(["c1"])["c1"].text == long


def test_chunks_come_in_the_order_asked_for_and_unknown_ones_are_left_out(tmp_path):
    pieces = [chunk(f"c{n}") for n in range(1200)]
    document = Document(source(), "abc", ())
    with write(tmp_path / "catalog.sqlite", (document, pieces)) as catalog:
        wanted = ["c7", "unknown", "c3", "c7", "c900"]
        assert list(catalog.chunks(wanted)) == ["c7", "c3", "c900"]
        assert catalog.chunks([]) == {}
        everything = [f"c{n}" for n in reversed(range(1200))]
        assert list(catalog.chunks(everything)) == everything
        assert list(catalog.all_chunks()) == pieces


def test_a_key_is_of_the_text_and_its_language():
    key = sha256("en\0Title\né".encode()).digest()
    assert vector_key("Title\né", "en") == key
    assert vector_key("Title\né", None) == sha256("\0Title\né".encode()).digest()


def test_an_unknown_path_is_a_key_error(tmp_path):
    with write(tmp_path / "catalog.sqlite") as catalog:
        for ask in (catalog.document, catalog.source, catalog.text):
            with pytest.raises(KeyError, match="nowhere"):
                ask("nowhere")
        assert catalog.chunks_of("nowhere") == []


def test_the_same_path_or_chunk_twice_is_refused(tmp_path):
    document = Document(source(), "abc", ())
    with pytest.raises(ValueError, match=r"'a.txt' is already among the sources"):
        write(tmp_path / "1", (document, []), (document, []))
    with pytest.raises(ValueError, match="'c1' is already among the chunks"):
        write(tmp_path / "2", (document, [chunk(), chunk()]))


def test_a_catalogue_is_not_written_over(tmp_path):
    write(tmp_path / "catalog.sqlite").close()
    with pytest.raises(FileExistsError):
        CatalogWriter(tmp_path / "catalog.sqlite")


def test_many_threads_may_read(tmp_path):
    pieces = [chunk(f"c{n}", text=f"text {n}" * 50) for n in range(1500)]
    pairs = [(Document(source(f"{n}.txt"), f"text {n}" * 1000, ()), []) for n in range(20)]
    pairs[0] = (pairs[0][0], pieces)
    with write(tmp_path / "catalog.sqlite", *pairs) as catalog, ThreadPoolExecutor(8) as pool:

        def read(n):
            assert catalog.document(f"{n % 20}.txt") == pairs[n % 20][0]
            assert catalog.chunks([f"c{n}"])[f"c{n}"] == pieces[n]
            return list(catalog.all_chunks()) == pieces if n % 40 == 0 else True

        assert all(pool.map(read, range(400)))


def test_reading_leaves_the_folder_as_it_is_and_needs_no_right_to_write(tmp_path):
    folder = tmp_path / "odd ?#% 名前"
    folder.mkdir()
    write(folder / "catalog.sqlite", (Document(source(), "abc", ()), [chunk()])).close()
    folder.chmod(0o555)
    (folder / "catalog.sqlite").chmod(0o444)
    code = (
        "import os, sys; from pathlib import Path; from askai.catalog import Catalog\n"
        "path = Path('catalog.sqlite'); os.chdir(sys.argv[1])\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "assert not os.access('.', os.W_OK)\n"
        "with Catalog.open(path) as catalog: print(catalog.document('a.txt').text)"
    )
    # The folders above the test's own are closed to other users, hence the way over chdir.
    command = [sys.executable, "-c", code, str(folder)]
    for parent in [tmp_path, *tmp_path.parents][:4]:  # one more for a worker of pytest-xdist
        parent.chmod(parent.stat().st_mode | 0o055)
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    folder.chmod(0o755)
    assert (run.stdout, run.stderr) == ("abc\n", "")
    assert [file.name for file in folder.iterdir()] == ["catalog.sqlite"]


def damage(path, what):
    content = path.read_bytes()
    if what == "gone":
        path.unlink()
    elif what == "other tables":
        path.unlink()
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE sources (path)")
        other.close()
    else:
        path.write_bytes(
            {"empty": b"", "text": b"not a database " * 900, "half": content[: len(content) // 2]}[
                what
            ]
        )


@pytest.mark.parametrize("what", ["gone", "other tables", "empty", "text", "half"])
def test_damage_is_an_error_that_says_what_to_do(tmp_path, what):
    path = tmp_path / "catalog.sqlite"
    pieces = [chunk(f"c{n}", text="text" * 100) for n in range(500)]
    write(path, (Document(source(), "abc" * 9999, ()), pieces)).close()
    damage(path, what)
    with pytest.raises(IndexDamaged, match=r"catalog\.sqlite .* `askai index --rebuild`"):
        read_everything(path)


def read_everything(path):
    with Catalog.open(path) as catalog:
        return list(catalog.all_chunks()), [catalog.document(s.path) for s in catalog.sources()]


def test_the_tables_of_another_version_are_a_mismatch(tmp_path):
    path = tmp_path / "catalog.sqlite"
    write(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 7")
    with pytest.raises(IndexMismatch, match="has tables 00000007, this askai reads"):
        Catalog.open(path)


def test_a_full_disk_is_an_os_error(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(small)],
        capture_output=True,
        check=False,
    )
    if not mount or mount.returncode != 0:
        pytest.skip("no right to mount a small file system")
    try:
        text = os.urandom(300_000).hex()
        with pytest.raises(OSError, match="No space left") as caught:
            write(small / "catalog.sqlite", (Document(source(), text, ()), []))
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == str(small / "catalog.sqlite")
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_importing_the_catalogue_and_the_generations_is_light():
    code = (
        "import sys, askai.catalog, askai.generations\n"
        "print({'numpy', 'faiss', 'torch', 'scipy', 'filelock'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
