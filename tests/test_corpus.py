"""The folder of documents: what is read, and what is left out by name and with the reason."""

import os
import socket
from pathlib import Path

import pytest

from askai.corpus import read_bytes, read_document
from askai.errors import ReadError
from askai.readers import READERS, Reading
from askai.records import Mark
from conftest import ANSWER, QUESTION, check_failure

CHINESE = "南京是江苏的省会。人工智能产业在这里发展很快，企业和大学很多。\n" * 4
FRENCH = "Nankin est la capitale du Jiangsu. L’été, la forêt est très fréquentée à Nankin.\n" * 4


def skipped(ran):
    """Path to reason, of the files that a command did not read."""
    return {skip["path"]: skip["reason"] for skip in ran.json["skipped"]}


# --- the folder as a whole --------------------------------------------------------------------


def remake(desk, content):
    for path in desk.corpus.iterdir():
        path.unlink()
    for name, data in content.items():
        desk.write(name, data)


NOTHING = {
    "empty folder": (
        {},
        "corpus holds no documents; put PDF, HTML, Word, text or Markdown files in it.",
    ),
    "only hidden files": ({".a.txt": "a"}, "corpus holds no documents; put PDF, HTML"),
    "only askai's own files": ({"sources.toml": ""}, "corpus holds no documents"),
    "only unknown suffixes": (
        {"a.jpg": "a"},
        "No file of corpus could be read (a.jpg: no reader for .jpg; read are .csv, .docx, ",
    ),
    "only empty files": (
        {"a.txt": "", "b.txt": " \n\t\n", "c.md": b"\0\1\2\3" * 99, "d.txt": ""},
        (
            "No file of corpus could be read (a.txt: the file is empty; b.txt: the file holds "
            "nothing but blanks; c.md: the file is binary, not text; and 1 more)."
        ),
    ),
}


@pytest.mark.parametrize(("content", "says"), NOTHING.values(), ids=NOTHING)
def test_a_folder_of_nothing_keeps_the_index_that_is_there(indexed, content, says):
    generation = indexed.generation
    remake(indexed, content)
    indexed.fails("index", says=says)
    indexed.fails("index", "--rebuild", says=says)
    assert indexed.generation == generation
    indexed.answers()


@pytest.mark.parametrize("command", [("index",), ("ask", QUESTION), ("search", "people")])
def test_no_corpus_folder(desk, command):
    desk.corpus.rename(desk.folder / "elsewhere")
    desk.fails(
        *command,
        says="No folder corpus. Make it and put documents in it, or name another: "
        "askai --corpus DIR …",
    )


def test_a_corpus_that_is_a_file(indexed):
    says = "corpus/a.txt is a file; expected a folder of documents."
    indexed.fails("index", "--corpus", "corpus/a.txt", says=says)
    indexed.answers()


def test_a_corpus_that_may_not_be_listed(indexed, powerless):
    indexed.corpus.chmod(0)
    try:
        for command in (("index",), ("status",), ("ask", QUESTION)):
            ran = indexed.command(*command, prefix=powerless)
            check_failure(ran, says="cannot be ")
            assert "permission denied" in ran.err.lower()
    finally:
        indexed.corpus.chmod(0o755)
    indexed.answers()


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("show", "x" * 300), id="show"),
        pytest.param(("index", "--corpus", "x" * 300), id="index"),
    ],
)
def test_a_name_longer_than_any_is_refused(indexed, command):
    ran = indexed.command(*command)
    assert "Traceback" not in ran.err
    assert ran.code in {1, 2}


# --- files that are not read ------------------------------------------------------------------

UNREAD = {
    "empty": ("x.txt", b"", "the file is empty"),
    "blank": ("x.txt", b"\xef\xbb\xbf \n", "the file holds nothing but blanks"),
    "binary": ("x.txt", bytes(range(256)) * 20, "the file is binary, not text"),
    "zip": ("x.md", b"PK\3\4\0\0" + os.urandom(2000), ""),
    "cut UTF-8": (
        "x.txt",
        CHINESE.encode()[:-2],
        "the file begins as utf-8 but byte 372 is not; save it as UTF-8",
    ),
    "damaged UTF-8": (
        "x.txt",
        CHINESE.encode()[:30] + b"\xff" + CHINESE.encode()[30:],
        "the file begins as utf-8 but byte 30 is not; save it as UTF-8",
    ),
    "damaged UTF-16": (
        "x.txt",
        b"\xff\xfe\x00\xd8" + "ab".encode("utf-16-le"),
        "the file begins as utf-16 but byte 2 is not; save it as UTF-8",
    ),
    "suffix": ("x.odt", b"PK", "no reader for .odt; read are .csv, .docx, .epub, .htm, "),
    "no suffix": ("x", b"text", "no reader for a name without suffix; read are .csv, .docx"),
}


@pytest.mark.parametrize(("name", "content", "reason"), UNREAD.values(), ids=UNREAD)
def test_a_file_that_cannot_be_read_is_named_and_the_others_are_indexed(
    desk, name, content, reason
):
    desk.write(name, content)
    ran = desk.run("index", "--json")
    assert ran.code == 0
    assert list(skipped(ran)) == [name]
    assert reason in skipped(ran)[name]
    assert (ran.json["documents"], ran.json["built"]) == (2, True)
    again = desk.run("index", "--json")
    assert (again.json["built"], skipped(again)) == (False, skipped(ran))
    assert skipped(desk.run("status", "--json")) == skipped(ran)
    assert desk.run("status", "--json").json["up_to_date"]
    abstained = desk.run("ask", "Who founded Zhipu?", "--json")
    assert abstained.code == 3
    assert abstained.json["abstention"]["unreadable"] == [f"corpus/{name}"]
    desk.answers()


@pytest.mark.parametrize(
    ("encoding", "text", "question"),
    [
        pytest.param("gb18030", CHINESE, "江苏的省会是哪里？", id="GB18030"),
        pytest.param("utf-16", CHINESE, "江苏的省会是哪里？", id="UTF-16 with a mark"),
        pytest.param("utf-16-le", FRENCH, "capitale du Jiangsu", id="UTF-16 without"),
        pytest.param("cp1252", FRENCH, "forêt fréquentée", id="Latin-1"),
        pytest.param("utf-8-sig", FRENCH, "forêt fréquentée", id="UTF-8 with a mark"),
    ],
)
def test_another_encoding_is_read_right_and_said(desk, encoding, text, question):
    desk.write("x.txt", text.encode(encoding))
    assert desk.run("index", "--json").json["skipped"] == []
    shown = desk.run("show", "corpus/x.txt", "--json").json
    assert shown["quote"].removeprefix("\ufeff") == text
    passages = desk.run("search", question, "--json").json["passages"]
    assert passages[0]["source"] == "corpus/x.txt"
    assert passages[0]["text"].lstrip("\ufeff").rstrip() in text
    asked = desk.run("ask", question, "--json").json
    cited = [*asked["citations"], *(asked["abstention"] or {}).get("closest", [])]
    named = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16-le"}.get(encoding, encoding)
    assert {c["encoding"] for c in cited if c["source"] == "corpus/x.txt"} == {named}


LIMITS = {
    "set": ("2000", "0.001", "0.0 MB is over the limit of 0.001 MB"),
    "default": ("50000000", "32", "50.0 MB is over the limit of 32 MB"),
}


@pytest.mark.parametrize(("size", "limit", "says"), LIMITS.values(), ids=LIMITS)
def test_a_line_over_the_limit_is_named_with_the_limit(desk, size, limit, says):
    with desk.write("long.txt", "x").open("wb") as file:
        file.truncate(int(size))
    found = skipped(desk.run("index", "--json", ASKAI_MAX_FILE_MB=limit))
    assert found == {"long.txt": f"{says}; split it, or raise max_file_mb in askai.toml"}
    desk.answers()


def test_the_reason_given_is_that_of_now(desk):
    file = desk.write("long.txt", "x" * 2_000_000)
    assert "2.0 MB is" in desk.run("index", ASKAI_MAX_FILE_MB="1").out
    file.write_text("x" * 3_000_000)
    assert "3.0 MB is" in desk.run("index", ASKAI_MAX_FILE_MB="1").out


def test_the_limit_decides_each_time(desk):
    desk.write("long.txt", "Suzhou has gardens. " * 5_000)
    for limit, documents in (("0.09", 2), ("0.11", 3), ("0.09", 2)):
        ran = desk.run("index", "--json", ASKAI_MAX_FILE_MB=limit)
        assert (ran.json["documents"], len(ran.json["skipped"])) == (documents, 3 - documents)


def test_files_of_other_kinds_are_named(desk):
    os.mkfifo(desk.corpus / "fifo.txt")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(desk.corpus)
        server.bind("socket.txt")
        found = skipped(desk.run("index", "--json"))
    assert found == dict.fromkeys(("fifo.txt", "socket.txt"), "it is not a regular file")
    assert desk.run("status").code == 0
    desk.fails("show", "corpus/fifo.txt", says="No source 'corpus/fifo.txt' in corpus", code=2)
    desk.answers()


LINKS = {
    "out of the corpus": ("../outside.txt", "out of the corpus; put the file itself here"),
    "to a folder outside": ("..", "a symbolic link out of the corpus; put the file itself here"),
    "to nothing": ("nowhere.txt", "a symbolic link to nothing"),
    "to itself": ("link.txt", "a symbolic link in a loop"),
    "to a file inside": ("a.txt", "a place in the corpus, which is read under its own name"),
    "to the corpus": (".", "a place in the corpus, which is read under its own name"),
}


@pytest.mark.parametrize(("target", "reason"), LINKS.values(), ids=LINKS)
def test_a_symbolic_link_is_named_and_not_followed(desk, target, reason):
    (desk.folder / "outside.txt").write_text("Suzhou has a secret garden.\n")
    (desk.corpus / "link.txt").symlink_to(target)
    ran = desk.run("index", "--json")
    assert list(skipped(ran)) == ["link.txt"]
    assert reason in skipped(ran)["link.txt"]
    assert ran.json["documents"] == 2
    assert "secret" not in desk.run("search", "Suzhou secret garden").out
    desk.answers()


def test_a_corpus_that_is_itself_a_link_is_read(desk):
    desk.corpus.rename(desk.folder / "papers")
    desk.corpus.symlink_to("papers")
    assert desk.run("index", "--json").json["documents"] == 2
    asked = desk.run("ask", QUESTION)
    assert asked.out.startswith(ANSWER)


NAMES = {
    "newline": "one\ntwo.txt",
    "emoji": "🚀 rocket 👩‍🚀.txt",
    "255 bytes": f"{'名' * 83}xx.txt",
    "blanks and quotes": "  'a' \"b\" $(c).txt",
    "a dash": "-k.txt",
    "escape sequence": "\x1b[2Jred\x07.txt",
    "Chinese in a folder": "报告/二〇二五/报 告.txt",
    "upper-case suffix": "X.TXT",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_file_of_any_name_is_read_and_shown_and_proved(desk, name):
    desk.write(name, "Suzhou is known for its gardens.\n")
    assert desk.run("index", "--json").json["documents"] == 3
    asked = desk.run("ask", "Is Suzhou known for its gardens?", "--json")
    found = next(p for p in asked.json["passages"] if p["source"] == f"corpus/{name}")
    place = f"{found['source']}#char={found['start']}-{found['end']}"
    assert desk.run("show", place, "--json").json["quote"] == "Suzhou is known for its gardens."
    (desk.folder / "answer.json").write_text(asked.out, "utf-8")
    assert desk.run("verify", "answer.json").code == 0
    for command in (
        ("ask", "Is Suzhou known for its gardens?"),
        ("search", "Suzhou"),
        ("show", place),
    ):
        printed = desk.run(*command).out
        assert not any(c in printed for c in "\x1b\x07\u200d")
        assert "gardens" in printed


@pytest.mark.parametrize(
    "fragment",
    [
        pytest.param("#char=3-9", id="span"),
        pytest.param("#¶1", id="label"),
        pytest.param("", id="whole"),
    ],
)
def test_a_hash_in_a_name_is_no_fragment(desk, fragment):
    desk.write("C# notes.txt", "1. Suzhou is known for its gardens.\n\n2. It has canals.\n")
    ran = desk.run("show", f"corpus/C# notes.txt{fragment}")
    assert (ran.code, "Suzhou" in ran.out) == (0, True)


def test_a_name_that_is_not_unicode_is_named(desk):
    (Path(os.fsdecode(bytes(desk.corpus) + b"/bad\xff.txt"))).write_text("Suzhou")
    ran = desk.run("index", "--json")
    assert skipped(ran) == {"bad\ufffd.txt": "its name is not valid Unicode; rename it"}
    assert skipped(desk.run("status", "--json")) == skipped(ran)
    desk.answers()


def test_a_failure_is_one_line_whatever_the_files_are_called(desk):
    remake(desk, {"evil\x1b[31m\nname.txt": ""})
    line = desk.fails("index", says="the file is empty")
    assert "\x1b" not in line


# --- files that change meanwhile --------------------------------------------------------------

MEANWHILE = {
    "gone": ("os.unlink('corpus/b.md')", "the file is gone"),
    "a folder by now": (
        "os.unlink('corpus/b.md'); os.mkdir('corpus/b.md')",
        "it cannot be read: is a directory",
    ),
    "longer": (
        "open('corpus/b.md', 'a').write('more\\n')",
        "the file changed while it was read; run `askai index` again",
    ),
}


@pytest.mark.parametrize(("happens", "reason"), MEANWHILE.values(), ids=MEANWHILE)
def test_a_file_that_changes_while_it_is_read_is_named(desk, happens, reason):
    """The moment of its opening, after the folder was listed."""
    ran = desk.hooked("open|corpus/b.md", f"wanted[0] = ''; {happens}", "index", "--json")
    assert (ran.code, skipped(ran)) == (0, {"b.md": reason})
    assert ran.json["documents"] == 1
    desk.answers()
    if "changed" in reason:
        assert desk.run("status", "--json").json["changes"]["added"] == ["b.md"]
        assert desk.run("index", "--json").json["documents"] == 2


def test_a_file_that_was_gone_or_empty_is_not_reported_for_ever(desk):
    gone = [desk.write(name, "") for name in ("x.txt", "x.pdf")]
    assert len(skipped(desk.run("index", "--json"))) == 2
    for file in gone:
        file.unlink()
    assert skipped(desk.run("index", "--json")) == {}


def test_a_file_without_the_right_to_read_it_is_named(desk, powerless):
    desk.write("locked.txt", "Suzhou is known for its gardens.\n").chmod(0)
    (desk.corpus / "locked").mkdir(mode=0)
    ran = desk.command("index", "--json", prefix=powerless)
    assert (ran.code, skipped(ran)) == (
        0,
        {
            "locked.txt": "it cannot be read: permission denied",
            "locked/": "the folder cannot be listed: permission denied",
        },
    )
    desk.answers()


def test_a_file_that_may_be_read_now_is_read(desk, powerless):
    """chmod changes neither size nor mtime."""
    file = desk.write("locked.txt", "Suzhou is known for its gardens.\n")
    file.chmod(0)
    assert len(skipped(desk.command("index", "--json", prefix=powerless))) == 1
    file.chmod(0o644)
    assert desk.run("index", "--json").json["documents"] == 3


def test_a_file_that_is_a_pipe_by_now_is_not_waited_for(desk):
    os.mkfifo(desk.corpus / "x.txt")
    with pytest.raises(ReadError, match="a pipe"):
        read_bytes(desk.corpus / "x.txt")


def test_a_sources_toml_that_is_a_pipe_is_not_waited_for(indexed):
    os.mkfifo(indexed.corpus / "sources.toml")
    indexed.fails("index", says="corpus/sources.toml is a pipe; expected a file.")


def test_a_file_that_took_too_long_is_read_when_there_is_more_time(desk):
    desk.write("x.html", "<p>Suzhou has gardens.</p>")
    settings = desk.folder / "askai.toml"
    settings.write_text("max_read_seconds = 0.001\n")
    assert "max_read_seconds" in skipped(desk.run("index", "--json"))["x.html"]
    settings.write_text("max_read_seconds = 120\n")
    assert skipped(desk.run("index", "--json")) == {}


HALVES = {
    "x.md": '---\nauthor: "\\ud83d"\n---\n\nSuzhou has gardens.\n',
    "x.html": (
        '<script type="application/ld+json">{"headline": "a", "author": "\\ud83d"}</script>'
        "<p>Suzhou has gardens.</p>"
    ),
}


@pytest.mark.parametrize("name", HALVES)
def test_half_a_character_stops_nothing(desk, name):
    """JSON and YAML can name it, and no index can hold it."""
    desk.write(name, HALVES[name])
    ran = desk.run("index", "--json")
    assert (ran.code, ran.json["documents"]) == (0, 3)


class Halves:
    name, version = "halves", "1"

    def read(self, data, *, password=""):  # noqa: ARG002
        marks = (Mark("heading", 0, 3, "a\ud83d", 1),)
        return Reading("a\ud83d b", "utf-8", marks, title="\udc00", url="\ud83d\ude00")


def test_half_a_character_of_a_text_is_another_one_in_its_place(monkeypatch):
    monkeypatch.setitem(READERS, "halves", f"{__name__}:Halves")
    document = read_document(b"", "x", reader="halves")
    assert document.text == "a\ufffd b"
    assert document.marks == (Mark("heading", 0, 3, "a\ufffd", 1),)
    assert (document.source.title, document.source.url) == ("\ufffd", "\ufffd\ufffd")


# --- sources.toml -----------------------------------------------------------------------------

WRONG_SOURCES = {
    "not TOML": (b"exclude", "corpus/sources.toml cannot be read: Expected '='"),
    "not UTF-8": (b"# \xff", "corpus/sources.toml cannot be read: 'utf-8' codec can't decode"),
    "unknown key": (b"excluded = []", "unknown key 'excluded'; expected exclude and [[source]]."),
    "text for a list": (b"exclude = 'a'", "exclude is 'a'; expected a list of names."),
    "number in a list": (b"exclude = [1]", "exclude is [1]; expected a list of names."),
    "one table": (b"source = {path = 'a.txt'}", "expected each source as [[source]]."),
    "no path": (b"[[source]]\ntitle = 'A'", "a [[source]] has no path; expected one relative to"),
    "unknown field": (
        b"[[source]]\npath = 'a.txt'\ntitel = 'A'",
        "unknown key 'titel' of a.txt; expected author, language, published, publisher, title.",
    ),
    "a bare date": (
        b"[[source]]\npath = 'a.txt'\npublished = 2026-01-08",
        "published of a.txt is datetime.date(2026, 1, 8); expected a string in quotes.",
    ),
}


@pytest.mark.parametrize(("content", "says"), WRONG_SOURCES.values(), ids=WRONG_SOURCES)
def test_a_wrong_sources_toml_is_named(indexed, content, says):
    generation = indexed.generation
    file = indexed.write("sources.toml", content)
    for command in (("index",), ("status",), ("ask", QUESTION)):
        indexed.fails(*command, says=says)
    file.unlink()
    assert indexed.generation == generation
    indexed.answers()


def test_what_sources_toml_says_is_shown_and_its_change_is_a_change(indexed):
    title = "[[source]]\npath = 'a.txt'\ntitle = 'On Nanjing'\npublished = '2026-01-08'\n"
    indexed.write("sources.toml", title)
    assert "  changed: sources.toml\n" in indexed.run("status").out
    assert indexed.run("index", "--json").json["built"]
    assert "    On Nanjing · 2026-01-08\n" in indexed.run("ask", QUESTION).out
    indexed.write("sources.toml", f'exclude = ["b.*"]\n{title}')
    ran = indexed.run("index", "--json")
    assert (ran.json["documents"], ran.json["skipped"]) == (1, [])
