"""Questions, answers, aliases, streams and terminals as nobody would wish them."""

import copy
import json
import os
import resource
import sys
import time

import pytest

from conftest import ANSWER, QUESTION, SCRIPT, check_failure

# --- questions --------------------------------------------------------------------------------

NO_QUESTIONS = {
    "empty": ("", 'The question is empty; ask something: askai ask "Who …?"'),
    "blank": (" \t\n\u3000", "The question is empty"),
    "only control characters": ("\x01\x1b\x7f\x9b", "The question is empty"),
    "only right-to-left marks": ("\u200f\u202e\u2067\u200b", "The question is empty"),
    "only punctuation": ("?!… ——", "The question '?!… ——' has no words in it."),
    "only emoji": ("🚀🚀", "The question '🚀🚀' has no words in it."),
    "100 kB": ("Who? " * 20_000, "has 99999 characters; the most is 4000. Ask one thing at a time"),
    "not text": (os.fsdecode(b"\xff\xfe"), "The question is empty"),
}


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize(("question", "says"), NO_QUESTIONS.values(), ids=NO_QUESTIONS)
def test_what_is_no_question_is_refused_before_anything_is_built(desk, command, question, says):
    desk.fails(command, question, says=says, code=2)
    assert not desk.index.exists()


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(f"\u202e{QUESTION}\u202c\x1b\x07", id="reordered and coloured"),
        pytest.param("\u200fIs  Nanjing\r\n\tthe capital\u200b of Jiangsu?", id="blanks"),
        pytest.param(os.fsdecode(QUESTION.encode() + b" \xff"), id="not UTF-8"),
    ],
)
def test_characters_that_hide_or_reorder_are_not_part_of_a_question(indexed, question):
    ran = indexed.run("ask", question)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(ANSWER)
    printed = indexed.run("ask", question, "--json")
    assert json.loads(printed.out)["status"] == "answered"
    assert "\x1b" not in printed.out


def test_a_question_of_the_most_characters_is_asked(indexed):
    ran = indexed.run("ask", f"{'Nanjing ' * 500}"[:4000], "--json")
    assert ran.code in {0, 3}
    assert ran.json["schema"] == "askai.answer/1"


# --- answers to be proved ---------------------------------------------------------------------


@pytest.fixture
def answer(indexed):
    """A good answer, as JSON, for changing."""
    return indexed.run("ask", QUESTION, "--json").json


def nested(depth):
    return f'{{"answer": {"[" * depth}{"]" * depth}}}'.encode()


NO_ANSWERS = {
    "empty": (b"", "is not JSON (Expecting value: line 1 column 1 (char 0)); expected what"),
    "binary": (bytes(range(256)) * 9, "is not JSON"),
    "not UTF-8": (b'{"a": "\xff"}', "is not JSON ('utf-8' codec can't decode byte 0xff"),
    "text": (b"Nanjing [1]", "is not JSON (Expecting value"),
    "two documents": (b"{}{}", "is not JSON (Extra data"),
    "deep": (nested(100_000), "is not JSON (maximum recursion depth exceeded"),
    "nested": (nested(900), "is no answer: at "),
    "a list": (b"[]", "is no answer: at the top: [] is not of type 'object'."),
    "an empty object": (b"{}", "is no answer: at the top: 'schema' is a required property."),
    "a huge number": (b"9" * 5000, "is not JSON"),
    "not a number": (b"NaN", "is no answer: at the top: nan is not of type 'object'"),
}


@pytest.mark.parametrize(("content", "says"), NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_file_that_holds_no_answer_is_refused(desk, content, says):
    (desk.folder / "answer.json").write_bytes(content)
    line = desk.fails("verify", "answer.json", says=f"answer.json {says}")
    assert len(line) < 400


def test_no_depth_of_nesting_ends_in_a_traceback(desk):
    """Between the depth that JSON cannot read and that which can be printed."""
    for depth in range(880, 1000):
        (desk.folder / "answer.json").write_bytes(nested(depth))
        desk.fails("verify", "answer.json", says="answer.json is no")


@pytest.mark.parametrize(
    ("name", "says"),
    [("none.json", "No file none.json; expected what"), ("corpus", "cannot be read: Is a direct")],
    ids=["gone", "a folder"],
)
def test_an_answer_that_is_no_file(desk, name, says):
    desk.fails("verify", name, says=says)


WRONG_CITATIONS = {
    "negative": ({"start": -1}, "at citations/0/start: -1 is less than the minimum of 0."),
    "reversed": ({"start": 9, "end": 3}, "citation 1 is from 9 to 3."),
    "nothing": ({"start": 9, "end": 9}, "citation 1 is from 9 to 9."),
    "text": ({"start": "9"}, "at citations/0/start: '9' is not of type 'integer'."),
    "no source": ({"source": ""}, "at citations/0/source: '' should be non-empty."),
    "no quote": ({"quote": ""}, "at citations/0/quote: '' should be non-empty."),
    "true": ({"n": True}, "at citations/0/n: True is not of type 'integer'."),
}


@pytest.mark.parametrize(("change", "says"), WRONG_CITATIONS.values(), ids=WRONG_CITATIONS)
def test_a_citation_of_a_wrong_form_is_named(indexed, answer, change, says):
    answer["citations"][0] |= change
    (indexed.folder / "answer.json").write_text(json.dumps(answer))
    indexed.fails("verify", "answer.json", says=says)


DISPROVED = {
    "beyond the end": ({"start": 10**30, "end": 10**30 + 1}, 0, "moved"),
    "another place": ({"start": 3, "end": 37}, 0, "moved"),
    "another quote": ({"quote": "Suzhou is the capital of Jiangsu."}, 3, "changed"),
    "half a character": ({"quote": "\ud800"}, 3, "changed"),
    "no such file": ({"source": "corpus/none.txt"}, 3, "gone"),
    "a folder": ({"source": "corpus"}, 3, "gone"),
    "a NUL in the name": ({"source": "a\0b"}, 3, "gone"),
    "no text for a name": ({"source": "\ud800"}, 3, "gone"),
    "no such reader": ({"reader": "pdf/9"}, 3, "gone"),
    "another version": ({"reader": "text/0"}, 3, "gone"),
    "another file": ({"sha256": "0" * 64}, 0, "same"),
}


@pytest.mark.parametrize(("change", "code", "status"), DISPROVED.values(), ids=DISPROVED)
def test_a_citation_that_does_not_hold(indexed, answer, change, code, status):
    answer["citations"][0] |= change
    (indexed.folder / "answer.json").write_text(json.dumps(answer))
    proved = indexed.run("verify", "answer.json", "--json")
    assert (proved.code, proved.json["provable"]) == (code, code == 0)
    assert [c["status"] for c in proved.json["citations"]] == [status]
    printed = indexed.run("verify", "answer.json")
    assert (printed.code, printed.err) == (code, "")
    assert printed.out.splitlines()[-1] == ("Proved." if code == 0 else "No longer provable.")


@pytest.mark.parametrize(
    "change",
    [{"start": 0.0}, {"end": 34.0}, {"source": "x" * 300}],
    ids=["start", "end", "a name too long"],
)
def test_no_citation_ends_in_a_traceback(indexed, answer, change):
    answer["citations"][0] |= change
    (indexed.folder / "answer.json").write_text(json.dumps(answer))
    assert indexed.run("verify", "answer.json").code in {0, 1, 3}


def test_a_sentence_of_many_rows_is_proved_in_bounded_time(indexed, answer):
    """Each row can be printed in two ways; a sentence of 26 of them must not take 2^26 steps."""
    rows = "".join(f"R{n}\tvalue {n}\n" for n in range(26))
    indexed.write("table.txt", f"Table 1: Things\nName\tValue\n{rows}")
    made = indexed.run("show", "corpus/table.txt", "--json").json
    whole = made["quote"]
    citations = []
    for n in range(26):
        quote = f"R{n}\tvalue {n}"
        at = whole.index(quote + "\n")
        citations.append(
            answer["citations"][0]
            | {"n": n + 1, "source": "corpus/table.txt", "sha256": made["sha256"]}
            | {"start": at, "end": at + len(quote), "quote": quote}
        )
    numbers = [c["n"] for c in citations]
    answer |= {"citations": citations, "sentences": [{"text": "x", "citations": numbers}]}
    (indexed.folder / "answer.json").write_text(json.dumps(answer))

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (3, 3))

    assert indexed.command("verify", "answer.json", preexec_fn=limit).code == 3


def test_an_answer_with_a_mark_or_in_utf_16_is_read(indexed, answer):
    for encoding in ("utf-8-sig", "utf-16"):
        (indexed.folder / "answer.json").write_text(json.dumps(answer), encoding)
        assert indexed.run("verify", "answer.json").code == 0


def test_sentences_that_are_not_their_quotes_are_not_proved(indexed, answer):
    for change, says in (
        ({"sentences": []}, "it has no sentences"),
        ({"answer": "Suzhou is. [1]"}, "its answer is not its sentences"),
        ({"sentences": [{"text": "Suzhou is.", "citations": [1]}]}, "NOT CARRIED: it says some"),
        ({"sentences": [{"text": ANSWER, "citations": []}]}, "NOT CARRIED: it has no citation"),
        ({"sentences": [{"text": ANSWER, "citations": [7]}]}, "its citation 7 is not given"),
    ):
        (indexed.folder / "answer.json").write_text(json.dumps(copy.deepcopy(answer) | change))
        ran = indexed.run("verify", "answer.json")
        assert (ran.code, says in ran.out) == (3, True)


# --- places to be shown -----------------------------------------------------------------------

NO_PLACES = {
    "no file": (
        "corpus/none.txt#char=0-3",
        "No source 'corpus/none.txt' in corpus; `askai status`",
    ),
    "outside": ("../corpus.txt", "No source '../corpus.txt' in corpus"),
    "absolute": ("/etc/passwd", "No source '/etc/passwd' in corpus"),
    "no source": ("#char=0-3", "'#char=0-3' names no source; expected SOURCE#char=A-B or"),
    "empty": ("", "'' names no source"),
    "beyond": ("corpus/a.txt#char=0-999", "a.txt has 61 characters; char=0-999 is no part of it."),
    "reversed": ("corpus/a.txt#char=9-3", "char=9-3 is no part of it."),
    "no digits": ("corpus/a.txt#char=a-b", "a.txt has no 'char=a-b'."),
    "no page": ("corpus/a.txt#page=3", "a.txt has no '3'."),
    "no label": ("corpus/b.md#¶9", "b.md has no '¶9'. It has, among others: Harbin."),
    "escape sequence": ("corpus/\x1b[2J", r"No source 'corpus/\x1b[2J' in corpus"),
}


@pytest.mark.parametrize(("place", "says"), NO_PLACES.values(), ids=NO_PLACES)
def test_a_place_that_is_not_there(desk, place, says):
    desk.fails("show", place, says=says, code=2)


def test_a_source_that_cannot_be_read_is_not_shown(desk):
    desk.write("x.txt", "")
    desk.fails("show", "corpus/x.txt", says="the file is empty")


# --- aliases ----------------------------------------------------------------------------------

WRONG_ALIASES = {
    "not TOML": (b"names", "corpus/aliases.toml cannot be read: Expected '='"),
    "not UTF-8": (b"# \xff", "corpus/aliases.toml cannot be read: 'utf-8' codec"),
    "unknown key": (b"name = []", "unknown key 'name'; expected places or names."),
    "text": (b"names = 'a'", "names is 'a'; expected a list of lists of names."),
    "a flat list": (b"names = ['a', 'b']", "'a' is no group; expected two or more names."),
    "one name": (b"names = [['a']]", "['a'] is no group; expected two or more names."),
    "an empty entry": (b"places = [[]]", "[] is no group; expected two or more names."),
    "a place that is a name": (
        b"names = [['a', 'b']]\nplaces = [['c', 'A']]",
        "'a' is in ['c', 'A'] and in ['a', 'b'].",
    ),
    "a number": (b"names = [['a', 1]]", "['a', 1] is no group"),
    "a blank": (b"names = [['a', ' ']]", "['a', ' '] is no group"),
    "a name twice": (
        b"names = [['a', 'b'], ['A', 'c']]",
        "'a' is in ['a', 'b'] and in ['A', 'c'].",
    ),
}


@pytest.mark.parametrize(("content", "says"), WRONG_ALIASES.values(), ids=WRONG_ALIASES)
def test_a_wrong_aliases_toml_is_named(indexed, content, says):
    file = indexed.write("aliases.toml", content)
    for command in (("ask", QUESTION), ("search", "people")):
        indexed.fails(*command, says=says)
    file.unlink()
    indexed.answers()


def test_aliases_of_a_thousand_brackets_are_refused(indexed):
    indexed.write("aliases.toml", f"names = {'[' * 5000}{']' * 5000}")
    indexed.fails("ask", QUESTION, says="corpus/aliases.toml cannot be read")


def test_an_alias_without_words_ends_in_no_traceback(indexed):
    indexed.write("aliases.toml", "names = [['★', 'star']]")
    for question in ("What is a star?", "What is a ★ city?"):
        assert indexed.run("ask", question).code in {1, 3}


def test_an_alias_is_known_at_the_next_question(indexed):
    """格里吉 is in no dictionary, so that nothing else leads from it to Nanjing."""
    assert indexed.run("search", "格里吉", "--json").json["passages"][0]["scores"]["lexical"] == 0
    indexed.write("aliases.toml", "names = [['Nanjing', '格里吉']]")
    first = indexed.run("search", "格里吉", "--json").json["passages"][0]
    assert (first["source"], first["scores"]["lexical"] > 0) == ("corpus/a.txt", True)


# --- streams and terminals --------------------------------------------------------------------


def test_a_document_cannot_reach_the_terminal(desk):
    """Colours, a cleared screen, a new title, 8-bit sequences, right-to-left overrides, bells."""
    evil = "\x1b[31m\x1b[2J\x1b]0;owned\x07\x9b1m\u202edetcerider\u2066"
    desk.write(f"e{evil[:5]}.md", f"# Suzhou {evil}\n\nSuzhou is known {evil} for gardens.\n")
    desk.write("sources.toml", '[[source]]\npath = "a.txt"\ntitle = "\\u001b[31mred"\n')
    desk.indexed()
    question = "Is Suzhou known for gardens?"
    (desk.folder / "answer.json").write_text(desk.run("ask", question, "--json").out, "utf-8")
    place = next(desk.corpus.glob("e*"))
    for command in (
        ("ask", question), ("ask", QUESTION), ("search", "Suzhou", "--explain"), ("status",),
        ("show", str(place)), ("verify", "answer.json"), ("index", "--rebuild"),
        ("ask", "Who is the mayor of Shanghai \x1b[31m?"),
    ):  # fmt: skip
        ran = desk.run(*command)
        assert ran.code in {0, 3}
        both = ran.out + ran.err
        assert {c for c in both if not c.isprintable()} <= {"\n"}, both
    shown = desk.run("show", str(place), "--json")
    assert shown.json["quote"] == place.read_text("utf-8")
    assert "\x1b" not in shown.out


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("search", "people"), id="little"),
        pytest.param(("models", "--json"), id="JSON"),
        pytest.param(("show", "corpus/long.txt"), id="more than a pipe holds"),
        pytest.param(("--help",), id="help"),
    ],
)
def test_a_reader_that_has_seen_enough_ends_it_quietly(indexed, command):
    """As `askai search … | head -1`; the pipe is closed before anything is written."""
    indexed.write("long.txt", "Suzhou has gardens.\n" * 20_000)
    indexed.write("sources.toml", "exclude = ['long.txt']")
    assert indexed.run("index").code == 0
    read, write = os.pipe()
    os.close(read)
    ran = indexed.command(*command, stdout=write)
    os.close(write)
    assert (ran.code, ran.err) == (0, "")


def test_head_gets_its_line(indexed):
    command = ["sh", "-c", f"{SCRIPT} search 'people Harbin' | head -1"]
    with indexed.start(*command) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out.count("\n"), err) == (0, 1, "")


@pytest.mark.parametrize("stream", ["full", "closed"])
def test_output_that_cannot_be_written_is_explained(indexed, stream):
    """To a full disk, as `askai search … > file` would be; and `askai search … >&-`."""
    if stream == "full":
        with open("/dev/full", "w") as full:  # noqa: PTH123
            ran = indexed.command("search", "people", stdout=full)
        check_failure(ran, says="No space left on device")
    else:
        ran = indexed.command("search", "people", preexec_fn=lambda: os.close(1), stdout=None)
        assert "Traceback" not in ran.err


TERMINALS = {
    "LANG=C": {"LC_ALL": "C"},
    "C without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
}


@pytest.mark.parametrize("environment", TERMINALS.values(), ids=TERMINALS)
def test_a_terminal_without_utf_8_gets_question_marks(desk, environment):
    desk.write("a.txt", "Nanjing 南京 is the capital of Jiangsu.\n")
    desk.indexed()
    ran = desk.command("search", "Nanjing", environment=environment)
    assert (ran.code, ran.err) == (0, "")
    assert ("南京" if environment == {"LC_ALL": "C"} else "Nanjing ??") in ran.out


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param(TERMINALS["LANG=C"], id="LANG=C"),
        pytest.param(TERMINALS["ascii"], id="ascii"),
    ],
)
def test_an_answer_for_programs_can_be_proved_in_whatever_encoding(desk, environment):
    desk.write("a.txt", "Nanjing 南京 is the capital of Jiangsu.\n")
    desk.indexed()
    ran = desk.command("ask", QUESTION, "--json", environment=environment)
    (desk.folder / "answer.json").write_text(ran.out, "utf-8")
    assert desk.run("verify", "answer.json").out.endswith("Proved.\n")


# --- size -------------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x", id="one letter"),
        pytest.param("南京是江苏的省会", id="Chinese"),
        pytest.param("Suzhou has gardens ", id="words"),
    ],
)
def test_one_long_line_takes_time_and_memory_in_proportion(desk, text, capsys):
    """Half a megabyte here. 50 MB, measured once on two busy cores: of one letter 112 s, 0.3 GB;
    of Chinese without a full stop 130 s, 0.6 GB; of 411 000 sentences 282 s, 2.6 GB.
    """
    line = text * (500_000 // len(text.encode()))
    desk.write("long.txt", line)
    # Not getrusage: its peak is that of the process that started this one, if that is higher.
    code = (
        "import re, sys\nfrom askai import cli\ntry:\n    cli.main()\nfinally:\n"
        "    status = open('/proc/self/status').read()\n"
        "    print(re.search(r'VmHWM:\\s+(\\d+)', status)[1], file=sys.stderr)\n"
    )
    begin = time.perf_counter()
    with desk.start(sys.executable, "-c", code, "index", "--json") as process:
        out, err = process.communicate(timeout=120)
    seconds, megabytes = time.perf_counter() - begin, int(err.split()[-1]) / 1024
    with capsys.disabled():
        print(f"\n0.5 MB line: {seconds:.1f} s, {megabytes:.0f} MB")  # noqa: T201 - wanted each time
    assert json.loads(out)["documents"] == 3
    assert seconds < 30
    assert megabytes < 500
    desk.answers()
