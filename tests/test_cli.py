"""The commands as a user types them: where settings come from, what goes to which stream."""

import json
import re
import sys
from pathlib import Path

import pytest

from conftest import ANSWER, QUESTION, Desk

HOME = Path(__file__).parent.parent  # of the corpus that askai comes with


USAGE = {
    "unknown command": (("frob",), "No such command 'frob'."),
    "unknown option": (("ask", "--jsom", QUESTION), "No such option: --jsom"),
    "unknown option before": (("--frob", "ask", QUESTION), "No such option: --frob"),
    "no question": (("ask",), "Missing argument"),
    "two questions": (("ask", "Who", "is"), "Got unexpected extra argument"),
    "no number": (("search", "-k", "ten", "people"), "Invalid value for '-k'"),
    "none": (("search", "-k", "0", "people"), "Invalid value for '-k'"),
    "too many": (("search", "-k", "101", "people"), "Invalid value for '-k'"),
    "an option without its value": (("index", "--corpus"), "Option '--corpus' requires an arg"),
    "no file to verify": (("verify",), "Missing argument"),
}


@pytest.mark.parametrize(("command", "says"), USAGE.values(), ids=USAGE)
def test_wrong_usage_is_exit_code_2(desk, command, says):
    ran = desk.run(*command)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert "Error: " in ran.err
    assert not desk.index.exists()


def test_no_command_prints_the_help(desk):
    assert desk.run().code == 2
    for command in (("--help",), *((name, "--help") for name in COMMANDS)):
        ran = desk.run(*command)
        assert (ran.code, ran.err) == (0, "")
        assert re.search(r"Usage: \S+", ran.out)


COMMANDS = ["index", "ask", "search", "show", "verify", "eval", "status", "models"]


def test_the_console_script_answers(desk):
    ran = desk.command("ask", QUESTION)
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"{ANSWER} [1]")
    says = ["No index in index yet: indexing corpus.", "Reading 2 …", "Embedding 4 …", "Words 10 …"]
    assert ran.err.splitlines() == says


def test_timings_say_where_the_time_went_and_change_no_answer(indexed):
    for command, stages in (
        ("ask", "start load open question retrieve evidence gate write print"),
        ("search", "start load open question retrieve print"),
    ):
        plain = indexed.run(command, QUESTION)
        timed = indexed.run(command, QUESTION, "--timings")
        assert (timed.code, timed.out) == (plain.code, plain.out)
        (line,) = [line for line in timed.err.splitlines() if line.startswith("Seconds: ")]
        told = re.findall(r"(\w+) (\d+\.\d\d)", line)
        assert [name for name, _ in told] == [*stages.split(), "all"]
        *parts, total = (float(seconds) for _, seconds in told)
        assert abs(sum(parts) - total) < 0.1
        assert "Seconds" not in plain.err


def test_the_module_is_the_command(desk):
    with desk.start(sys.executable, "-m", "askai", "--help") as process:
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, "Usage: " in out) == (0, True)


def test_an_answer_is_printed_whole(indexed):
    ran = indexed.run("ask", QUESTION)
    assert ran.out == f"{ANSWER} [1]\n\n[1] corpus/a.txt#char=0-34\n"
    assert (ran.code, ran.err) == (0, "")


def test_an_abstention_is_exit_code_3_with_the_reason_on_stdout(indexed):
    ran = indexed.run("ask", "Who is the mayor of Shanghai?")
    assert (ran.code, ran.err) == (3, "")
    assert ran.out.splitlines()[0] == "Not in these documents: they nowhere mention “Shanghai”."


def gold(desk):
    item = {
        "id": "g1", "language": "en", "kind": "paragraph", "question": QUESTION,
        "answers": ["Nanjing"], "evidence": [{"source": "a.txt", "quote": ANSWER}],
        "need": "any", "unanswerable": None,
    }  # fmt: skip
    path = desk.folder / "gold.jsonl"
    path.write_text(json.dumps(item) + "\n", "utf-8")
    return path


JSON_COMMANDS = {
    "index": ("index",),
    "rebuild": ("index", "--rebuild"),
    "ask": ("ask", QUESTION),
    "abstain": ("ask", "Who is the mayor of Shanghai?"),
    "search": ("search", "people"),
    "explain": ("search", "people", "--explain"),
    "show": ("show", "corpus/a.txt#char=0-34"),
    "verify": ("verify", "answer.json"),
    "eval": ("eval", "--gold", "gold.jsonl"),
    "status": ("status",),
    "models": ("models",),
}


@pytest.mark.parametrize("command", JSON_COMMANDS.values(), ids=JSON_COMMANDS)
def test_json_is_one_document_on_stdout(indexed, command):
    gold(indexed)
    (indexed.folder / "answer.json").write_text(indexed.run("ask", QUESTION, "--json").out, "utf-8")
    indexed.write("c.txt", "Suzhou is known for its gardens.\n")  # something to warn of
    ran = indexed.run(*command, "--json")
    assert ran.code == (3 if "Shanghai" in str(command) else 0)
    assert ran.out.startswith("{\n")
    assert ran.json["schema"].startswith("askai.")
    told = indexed.run(*command)
    assert told.code == ran.code
    assert not told.out.startswith("{")
    warns = command[0] in {"ask", "search"}
    says = "1 file has changed since the index was made; run `askai index`, or ask with --fresh.\n"
    assert ran.err == (says if warns else ran.err)
    assert all(line.endswith(("…", "`.", "--fresh.")) for line in ran.err.splitlines())


@pytest.mark.parametrize(
    "command",
    [
        ("--corpus", "papers", "ask", QUESTION),
        ("ask", "--corpus", "papers", QUESTION),
        ("ask", QUESTION, "--corpus", "papers"),
        ("--corpus", "nowhere", "ask", QUESTION, "--corpus", "papers"),
    ],
    ids=["before", "after", "at the end", "the later counts"],
)
def test_the_corpus_may_be_named_before_and_after_the_command(desk, command):
    desk.corpus.rename(desk.folder / "papers")
    ran = desk.run(*command)
    assert (ran.code, ran.out) == (0, f"{ANSWER} [1]\n\n[1] papers/a.txt#char=0-34\n")
    assert re.search(r"No index in \S+/cache/indexes/papers-[0-9a-f]{8} yet: indexing pap", ran.err)
    assert sorted(p.name for p in desk.folder.iterdir()) == ["papers"]


def test_index_and_model_may_be_named_before_and_after(desk):
    assert desk.run("--index", "i1", "--model", "hashing", "index").code == 0
    assert desk.run("index", "--index", "i2", "--model", "hashing", ASKAI_MODEL="none").code == 0
    assert sorted(p.name for p in desk.folder.iterdir()) == ["corpus", "i1", "i2"]


@pytest.mark.parametrize("name", ["two words/corpus", "我的 文件/报告", "a'b\"c", "-x"])
@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
def test_a_corpus_at_any_path(desk, name, absolute):
    place = desk.folder / name
    place.parent.mkdir(exist_ok=True)
    desk.corpus.rename(place)
    corpus = str(place) if absolute else name
    asked = desk.run("--corpus", corpus, "ask", QUESTION, "--json")
    assert asked.code == 0
    cited = asked.json["citations"][0]
    assert cited["source"] == f"{name}/a.txt"
    (desk.folder / "answer.json").write_text(asked.out, "utf-8")
    assert desk.run("verify", "answer.json", "--corpus", corpus).code == 0
    shown = desk.run("show", "--corpus", corpus, "--", f"{name}/a.txt#char=0-34")
    assert shown.out.startswith(f"{name}/a.txt#char=0-34\n")
    assert desk.run("index", "--corpus", corpus, "--json").json["built"] is False


def test_a_corpus_elsewhere_is_cited_by_its_whole_path(desk, tmp_path):
    other = Desk(tmp_path / "other", desk.environment)
    other.folder.mkdir()
    asked = other.run("ask", "--corpus", desk.corpus, QUESTION, "--json")
    assert asked.json["citations"][0]["source"] == str(desk.corpus / "a.txt")
    (other.folder / "answer.json").write_text(asked.out, "utf-8")
    assert other.run("verify", "answer.json", "--corpus", desk.corpus).code == 0
    assert desk.run("status").code == 0  # the same index, found from there


def test_an_answer_is_proved_from_another_folder(indexed, tmp_path):
    asked = indexed.run("ask", QUESTION, "--json")
    (indexed.folder / "answer.json").write_text(asked.out, "utf-8")
    other = Desk(tmp_path / "other", indexed.environment)
    other.write("x.txt", "x")
    assert other.run("verify", indexed.folder / "answer.json").code == 0


def test_an_answer_outlives_an_edit_elsewhere_and_not_one_of_its_own(indexed):
    asked = indexed.run("ask", QUESTION, "--json")
    (indexed.folder / "answer.json").write_text(asked.out, "utf-8")
    text = (indexed.corpus / "a.txt").read_text("utf-8")
    for changed, code, says in (
        (text, 0, "[1] same    corpus/a.txt#char=0-34\nsentence 1 carried\nProved.\n"),
        (f"{text}More.\n", 0, ": the file has changed elsewhere, the quote stands\n"),
        (f"First. {text}", 0, "[1] moved   corpus/a.txt#char=0-34: the quote now stands at 7-41\n"),
        (text.replace("capital", "centre"), 3, "[1] changed corpus/a.txt#char=0-34: the source no"),
        (None, 3, "[1] gone    corpus/a.txt#char=0-34: corpus/a.txt: no such file\n"),
    ):
        if changed is None:
            (indexed.corpus / "a.txt").unlink()
        else:
            indexed.write("a.txt", changed)
        ran = indexed.run("verify", "answer.json")
        assert (ran.code, ran.err) == (code, "")
        assert says in ran.out


# --- the real model on the corpus that askai comes with ---------------------------------------


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """The city profile and Table 1 of this repository's corpus, indexed with the default model."""
    folder = tmp_path_factory.mktemp("home")
    desk = Desk(folder, {"ASKAI_CACHE": str(tmp_path_factory.getbasetemp() / "askai-cache")})
    corpus = HOME / "corpus"
    for name in ("aliases.toml", "nanjing-city-profile.txt"):
        desk.write(name, (corpus / name).read_bytes())
    brief = (corpus / "eai-brief-1863-china-ai-takes-off.txt").read_text("utf-8")
    desk.write("table.txt", brief[brief.index("TABLE 1") : brief.index("Source: WIN.")])
    return desk.indexed()


@pytest.mark.model
def test_a_fact_is_answered_and_proved(home):
    ran = home.run("ask", "How many colleges and universities does Nanjing have?", "--json")
    assert ran.code == 0
    assert "53 colleges and universities" in ran.json["answer"]
    (home.folder / "answer.json").write_text(ran.out, "utf-8")
    assert home.run("verify", "answer.json").out.endswith("Proved.\n")


@pytest.mark.model
def test_a_chinese_question_finds_the_english_cell(home):
    ran = home.run("ask", "科大讯飞的股票代码是多少？")
    assert ran.code == 0
    assert "002230.SZ" in ran.out


@pytest.mark.model
def test_what_the_documents_do_not_say_is_refused(home):
    ran = home.run("ask", "Qui a gagné la coupe du monde de football en 2022 ?")
    assert ran.code == 3
    assert ran.out.startswith("Pas dans ces documents")
