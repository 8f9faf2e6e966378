"""An index that is published answers as the folder does that it was published from."""

import json

import pytest

from conftest import QUESTION, made_desk, write_documents

QUESTIONS = [
    QUESTION,
    "What is Harbin known for?",
    "How many people live there?",
    "What is the stock code of Unitree?",
    "¿Por qué es conocida Harbin?",
    "哈尔滨以什么闻名？",
    "Wer weiß?",
]


@pytest.fixture
def desk(tmp_path, address, url):
    made = made_desk(tmp_path)
    write_documents(made)
    made.server = {"ASKAI_STORE": url, "ASKAI_STORE_SCHEMA": address.schema}
    return made


def asked(desk, question, *options, **environment):
    ran = desk.run("ask", question, "--json", *options, **environment)
    assert ran.code in (0, 3), ran
    found = json.loads(ran.out)
    found.pop("timings_ms")
    return found


def test_a_question_is_answered_from_the_server_as_from_the_folder(desk):
    ran = desk.run("index", **desk.server)
    assert ran.code == 0, ran.err
    assert "Published g-" in ran.err
    for question in QUESTIONS:
        assert asked(desk, question, **desk.server) == asked(desk, question)
    desk.index.rename(desk.folder / "elsewhere")
    desk.corpus.rename(desk.folder / "documents")
    alone = asked(desk, QUESTION, **desk.server)
    assert alone["status"] == "answered"
