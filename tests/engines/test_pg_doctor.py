"""`askai doctor` names what is wrong on a server."""

import json

import pytest


def checks(desk, server):
    ran = desk.run("doctor", "--json", **server)
    assert "Traceback" not in ran.err
    return ran.code, {c["name"]: c for c in json.loads(ran.out)["checks"]}


def test_a_server_that_is_well(published, server, address):
    code, found = checks(published, server)
    assert code == 0, found
    assert "pgvector 0.8" in found["server"]["found"]
    assert f"schema {address.schema}" in found["server"]["found"]
    assert "2 documents, " in found["index on the server"]["found"]
    assert "passage vectors: all are looked at" in found["recall on the server"]["found"]


DAMAGES = {
    "a vector is gone": ("DELETE FROM {0}.passage_vectors", "index on the server",
                         "passages' vectors are"),
    "a document is gone": ("DELETE FROM {0}.sources WHERE path = 'a.txt'", "index on the server",
                           "documents are 1, expected are 2"),
    "postings are gone": ("DELETE FROM {0}.postings WHERE term = 0", "index on the server",
                          "postings are"),
    "no index was made": (
        """UPDATE {0}.state SET found_by = replace(found_by, 'flat', 'hnsw')""",
        "recall on the server", "passage_vectors_near_0 is not there"),
    "other tables": ("INSERT INTO {0}.migrations (version, by) VALUES (9, 'x')", "server",
                     "install a newer askai"),
    "nothing": ("DELETE FROM {0}.state", "server", "No index in the schema"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_damaged_is_named_with_its_remedy(published, server, address, query, damage):
    statement, name, says = damage
    query(statement.format(address.schema))
    code, found = checks(published, server)
    assert code == 1
    assert found[name]["state"] == "wrong"
    assert says in found[name]["found"]
    assert found[name]["remedy"]


def test_a_server_that_is_not_there_is_one_check_of_many(published):
    code, found = checks(published, {"ASKAI_STORE": "postgresql://127.0.0.1:1/x"})
    assert (code, found["server"]["state"]) == (1, "wrong")
    assert "nothing listens there" in found["server"]["found"]
    assert found["index"]["state"] == "good"


def test_a_machine_without_the_documents_is_well(published, server):
    published.corpus.rename(published.folder / "documents")
    code, found = checks(published, server)
    assert (code, found["corpus"]["state"]) == (0, "warning")
