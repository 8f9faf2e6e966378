"""An index goes from a folder to a server, and from a server to a folder, through its parts."""

import shutil

import psycopg
import pytest

from conftest import QUESTION
from engines.test_pg_same import QUESTIONS, asked, check_same
from test_parts import rows


@pytest.fixture
def named(desk):
    desk.write("aliases.toml", 'names = [["Harbin", "Ice City"]]\n')
    return desk.indexed()


def test_an_import_is_published_with_its_aliases_where_no_document_is(named, server):
    assert named.run("export", "out").code == 0
    before = {q: asked(named, q) for q in (*QUESTIONS, "What is Ice City known for?")}
    shutil.rmtree(named.corpus)
    shutil.rmtree(named.index)
    ran = named.run("--index", "other", "import", "out", **server)
    assert (ran.code, "Published g-" in ran.err) == (0, True), ran
    for question, mine in before.items():
        its = asked(named, question, **server)
        mine["index"]["generation"] = its["index"]["generation"]
        assert its == mine


def test_a_server_is_exported_as_the_folder_that_was_published(named, server):
    assert named.run("index", **server).code == 0
    assert named.run("export", "of-folder").code == 0
    ran = named.run("export", "of-server", **server)
    assert (ran.code, ran.out.startswith("Exported g-")) == (0, True), ran
    assert {file.name: file.read_bytes() for file in (named.folder / "of-server").glob("p*")} == {
        file.name: file.read_bytes() for file in (named.folder / "of-folder").glob("p*")
    }
    assert named.run("--index", "other", "import", "of-server").code == 0
    assert rows(named.folder / "other") == rows(named.index)


def test_an_import_on_a_server_that_is_not_there_leaves_what_was_imported(named):
    assert named.run("export", "out").code == 0
    nowhere = {"ASKAI_STORE": "postgresql://127.0.0.1:9/x", "ASKAI_STORE_SCHEMA": "x"}
    ran = named.run("--index", "other", "import", "out", **nowhere)
    assert (ran.code, ran.out, "Traceback" in ran.err) == (1, "", False)
    *_, said, last = ran.err.splitlines()
    assert said.startswith("Imported to other/g-")
    assert "only its publication failed" in said
    assert last.startswith("askai: ")
    assert named.run("--index", "other", "ask", QUESTION).code == 0


def test_a_build_from_parts_is_published_as_any(named, server):
    assert named.run("export", "out").code == 0
    assert named.run("import", "out", **server).code == 0
    check_same(named, server)


def test_an_import_replaces_an_index_of_another_model_when_it_is_told_to(named, server, address):
    assert named.run("export", "out").code == 0
    assert named.run("index", **server).code == 0
    with psycopg.connect(server["ASKAI_STORE"]) as connection:
        changed = connection.execute(f"UPDATE {address.schema}.state SET model = 'another/1'")
        assert changed.rowcount == 1
    ran = named.run("import", "out", **server)
    assert (ran.code, ran.out) == (1, "")
    assert "holds vectors of the model" in ran.err.splitlines()[-1]
    assert "`askai import --rebuild` replaces" in ran.err
    ran = named.run("import", "out", "--rebuild", **server)
    assert (ran.code, "Published g-" in ran.err) == (0, True), ran
    check_same(named, server)
