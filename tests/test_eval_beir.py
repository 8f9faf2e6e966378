"""`askai eval --beir` as a user types it: what is printed, what is written, what is refused."""

import json
import re

import ir_measures
import pytest

from beir_folder import beir_folder, write_lines
from conftest import ANSWER, QUESTION, check_failure

CORPUS = [
    {"_id": "cn/1", "title": "", "text": f"{ANSWER} It has 9 million people."},
    {"_id": "owl", "title": "Owls", "text": "An owl calls at dusk. It hears a mouse."},
    {"_id": "ice", "title": "", "text": "Harbin is known for its ice festival in winter."},
]
QUERIES = [
    {"_id": "q1", "text": QUESTION, "answers": [{"text": "capital of Jiangsu", "start": 15}]},
    {"_id": "q2", "text": "Is Harbin known for its ice festival in winter?"},
    {"_id": "q3", "text": "Who is the mayor of Shanghai?", "answerable": False},
    {"_id": "q4", "text": "Of another split."},
]  # fmt: skip
QRELS = [("q1", "cn/1", 1), ("q2", "ice", 1)]


@pytest.fixture
def folder(desk):
    return beir_folder(desk.folder / "bench", corpus=CORPUS, queries=QUERIES, qrels=QRELS)


def beir(desk, *options):
    return desk.run("eval", "--beir", "bench", *options)


def test_the_measures_are_printed(desk, folder):
    ran = beir(desk)
    assert ran.code == 0
    assert ran.err.splitlines() == ["Reading 3 …", "Embedding 7 …", "Words 16 …", "Asking 3 …"]
    assert re.sub(r"[\d.]+ \(built\), queries [\d.]+, \d+ ms", "…", ran.out) == (
        "bench: 3 documents in 3 passages, 3 queries, hashing, legs: both\n"
        "Not asked: 1 queries without a relevant document.\n"
        "\n"
        "documents (over 2 of 3 queries)\n"
        "  nDCG@10    R@5   R@10  RR@10  Success@1    P@5\n"
        "    1.000  1.000  1.000  1.000      1.000  0.200\n"
        "\n"
        "spans of the top 5 passages (over 1 of 3 queries)\n"
        "  recall  precision    iou\n"
        "   1.000      0.142  0.142\n"  # 18 characters of 59 + 21 + 47
        "\n"
        "seconds: index … each\n"
    )


def test_the_second_run_embeds_nothing_and_finds_the_same(desk, folder):
    first, second = (beir(desk, "--json").json for _ in range(2))
    assert (first["index"]["built"], second["index"]["built"]) == (True, False)
    assert first["items"] == second["items"]
    assert first["index"]["folder"].startswith(f"{desk.environment['ASKAI_CACHE']}/beir/")
    assert beir(desk).err == "Asking 3 …\n"
    assert sorted(p.name for p in desk.folder.iterdir()) == ["bench", "corpus"]


def test_an_index_may_be_named_before_and_after(desk, folder):
    assert beir(desk, "--index", "i1").code == 0
    assert desk.run("--index", "i2", "eval", "--beir", "bench").code == 0
    assert {"i1", "i2"} < {p.name for p in desk.folder.iterdir()}
    assert "kept" in beir(desk, "--index", "i1").out


def test_askais_own_index_is_not_written_over(indexed):
    beir_folder(indexed.folder / "bench", corpus=CORPUS, queries=QUERIES, qrels=QRELS)
    says = "index is the index of a folder of documents; name another with --index, or leave it"
    indexed.fails("eval", "--beir", "bench", "--index", "index", says=says, code=2)
    indexed.answers()
    assert beir(indexed).code == 0  # an index in askai.toml or the environment is not for this
    assert beir(indexed, "--model", "hashing").code == 0
    indexed.answers()


def test_a_trec_run_is_written(desk, folder):
    ran = beir(desk, "--run", "out.trec", "--json")
    lines = (desk.folder / "out.trec").read_text("utf-8").splitlines()
    assert lines[0].startswith("q1 Q0 cn/1 1 ")
    assert {line.split()[0] for line in lines} == {"q1", "q2", "q3"}
    assert {len(line.split()) for line in lines} == {6}
    # Another program that has the run and the qrels finds the same.
    qrels = [ir_measures.Qrel(q, d, s) for q, d, s in QRELS]
    run = list(ir_measures.read_trec_run(str(desk.folder / "out.trec")))
    names = [ir_measures.parse_measure(name) for name in ran.json["measures"]]
    found = ir_measures.calc_aggregate(names, qrels, run)
    assert {str(name): value for name, value in found.items()} == pytest.approx(
        {name: measure["value"] for name, measure in ran.json["measures"].items()}
    )


def test_answers_are_asked_for_and_written(desk, folder):
    ran = beir(desk, "--answers", "out.jsonl", "--json")
    assert ran.code == 0
    lines = (desk.folder / "out.jsonl").read_text("utf-8").splitlines()
    answers = [json.loads(line) for line in lines]
    assert [answer["query_id"] for answer in answers] == ["q1", "q2", "q3"]
    assert [answer["status"] for answer in answers] == ["answered", "answered", "abstained"]
    assert {answer["schema"] for answer in answers} == {"askai.answer/1"}
    cited = answers[0]["citations"][0]
    assert cited["source"] == "cn/1"
    assert CORPUS[0]["text"][cited["start"] : cited["end"]] == cited["quote"]
    found = ran.json["answers"]
    assert found["false_answers"] == {"value": 0.0, "n": 1}
    assert found["false_refusals"] == {"value": 0.0, "n": 2}
    assert found["answer_right"] == {"value": 1.0, "n": 2}
    assert found["aurc"]["n"] == 3
    confidences = {item["query_id"]: item["confidence"] for item in ran.json["items"]}
    assert confidences == {answer["query_id"]: answer["confidence"] for answer in answers}
    printed = beir(desk, "--answers", "out.jsonl")
    assert "answer right    1.000 of 2\nfalse answers   0.000 of 1\n" in printed.out
    assert "area under the risk–coverage curve of 3 (lower is better)\n" in printed.out
    assert printed.err == "Asking 3 …\n"


def test_a_limit_is_told(desk, folder):
    ran = beir(desk, "--limit", "1", "--run", "out.trec")
    assert "Only the first 1 queries (--limit): no figure for a table." in ran.out
    assert {x.split()[0] for x in (desk.folder / "out.trec").read_text().splitlines()} == {"q1"}
    assert beir(desk, "--limit", "1", "--json").json["queries"] == {
        "asked": 1, "limit": 1, "judged": 1, "unjudged": 1,
    }  # fmt: skip


def test_a_leg_alone(desk, folder):
    legs = {leg: beir(desk, "--legs", leg, "--json").json for leg in ("both", "dense", "lexical")}
    assert {found["legs"] for found in legs.values()} == set(legs)
    assert len({found["index"]["generation"] for found in legs.values()}) == 1


def test_passages_of_spans_are_counted(desk, folder):
    one = beir(desk, "--span-k", "1", "--json").json["spans"]
    assert one["k"] == 1
    assert one["precision"] == {"value": pytest.approx(18 / 59), "n": 1}


def test_another_split(desk):
    beir_folder(desk.folder / "bench", corpus=CORPUS, queries=QUERIES,
                qrels=[("q2", "owl", 1)], qrels_name="qrels/dev.tsv")  # fmt: skip
    ran = beir(desk, "--beir-split", "dev", "--json")
    assert [item["query_id"] for item in ran.json["items"]] == ["q2", "q3"]
    assert ran.json["queries"]["unjudged"] == 2


# --- what is refused --------------------------------------------------------------------------

USAGE = {
    "gold": (("--beir", "bench", "--gold", "g.jsonl"), "--gold cannot go with --beir DIR"),
    "half": (("--beir", "bench", "--split", "test"), "--split cannot go with --beir DIR"),
    "gate": (("--beir", "bench", "--gate", "b.json"), "--gate cannot go with --beir DIR"),
    "compare": (("--beir", "bench", "--compare", "b.json"), "--compare cannot go with --beir DIR"),
    "baseline": (
        ("--beir", "bench", "--write-baseline", "b.json"),
        "--write-baseline cannot go with --beir DIR",
    ),
    "corpus": (("--beir", "bench", "--corpus", "corpus"), "--corpus cannot go with --beir DIR"),
    "run": (("--run", "out.trec"), "--run needs --beir DIR; see `askai eval --help`."),
    "limit": (("--limit", "3"), "--limit needs --beir DIR"),
    "split": (("--beir-split", "dev"), "--beir-split needs --beir DIR"),
    "legs": (("--legs", "both"), "--legs needs --beir DIR"),
    "span k": (("--span-k", "5"), "--span-k needs --beir DIR"),
    "no legs": (("--beir", "bench", "--legs", "arms"), "No legs 'arms'; there are both, dense,"),
    "answers of a leg": (
        ("--beir", "bench", "--legs", "dense", "--answers", "a"), "--answers asks both legs",
    ),
    "one file for both": (
        ("--beir", "bench", "--run", "a", "--answers", "./a"), "--run and --answers both name a;",
    ),
    "a folder for a run": (("--beir", "bench", "--run", "corpus"), "corpus is no file; name one"),
    "no folder for a run": (
        ("--beir", "bench", "--run", "no/out.trec"), "no/out.trec cannot be written: No such file",
    ),
    "no folder for answers": (
        ("--beir", "bench", "--answers", "no/out"), "no/out cannot be written: No such file",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("options", "says"), USAGE.values(), ids=USAGE)
def test_wrong_usage_is_told_before_anything_is_embedded(desk, folder, options, says):
    desk.fails("eval", *options, says=says, code=2)
    assert not (desk.folder.parent / "cache" / "beir").exists()
    assert sorted(p.name for p in desk.folder.iterdir()) == ["bench", "corpus"]


def test_a_file_that_may_not_be_written_is_told_before_anything_is_embedded(
    desk, folder, powerless
):
    (desk.folder / "locked").mkdir(mode=0o500)
    (desk.folder.parent / "cache").mkdir(exist_ok=True)
    ran = desk.command("eval", "--beir", "bench", "--run", "locked/out.trec", prefix=powerless)
    check_failure(ran, says="locked/out.trec cannot be written: Permission denied.", code=2)


def lines(desk, *options):
    ran = beir(desk, *options)
    assert (ran.code, ran.out) == (1, "")
    assert not (desk.folder.parent / "cache" / "beir").exists()
    return ran.err.splitlines()


def test_each_thing_that_is_wrong_is_a_line(desk, folder):
    write_lines(folder / "corpus.jsonl", [*CORPUS, b"owl", {"_id": "owl", "text": "Twice"}])
    with (folder / "qrels.tsv").open("a", encoding="utf-8") as file:
        file.write("q9\towl\t1\nq2\tdodo\t1\n")
    assert lines(desk) == [
        "askai: bench/qrels.tsv:4: query-id 'q9' is not in queries.jsonl.",
        "bench/corpus.jsonl:4: it is not JSON (Expecting value, column 1).",
        "bench/corpus.jsonl:5: _id 'owl' was given to line 2 already.",
        "bench/qrels.tsv:5: corpus-id 'dodo' is not in corpus.jsonl.",
    ]


def test_a_folder_that_is_none(desk):
    (line,) = lines(desk)
    assert line == (
        "askai: bench is not there; expected a folder with corpus.jsonl, queries.jsonl, qrels.tsv."
    )


def test_questions_that_cannot_be_answered_are_named_before_anything_is_embedded(desk):
    queries = {"q": "Which fox?", "long": "Fox? " * 1000, "none": "?!"}
    qrels = [(name, "a", 1) for name in queries]
    beir_folder(desk.folder / "bench", queries=queries, qrels=qrels)
    first, second = lines(desk, "--answers", "out.jsonl")
    assert first.startswith("askai: Query 'long' cannot be answered: The question has 4999 chara")
    assert second == "Query 'none' cannot be answered: The question '?!' has no words in it."
    assert not (desk.folder / "out.jsonl").exists()
    assert beir(desk).code == 0  # to search for they are good enough


def test_what_a_trec_run_cannot_name(desk):
    beir_folder(desk.folder / "bench", corpus={"a b": "The fox."}, queries={"q\t1": "Which fox?"},
                qrels=[])  # fmt: skip
    write_lines(desk.folder / "bench" / "queries.jsonl",
                [{"_id": "q 1", "text": "Which fox?", "answerable": False}])  # fmt: skip
    assert lines(desk, "--run", "out.trec") == [
        "askai: A TREC run cannot name the query 'q 1': it has a blank.",
        "A TREC run cannot name the document 'a b': it has a blank.",
    ]


# --- files are whole or not there ------------------------------------------------------------


def test_an_old_file_is_replaced_and_a_link_kept(desk, folder):
    (desk.folder / "real.trec").write_text("old\n")
    (desk.folder / "out.trec").symlink_to("real.trec")
    assert beir(desk, "--run", "out.trec").code == 0
    assert (desk.folder / "out.trec").is_symlink()
    assert (desk.folder / "real.trec").read_text().startswith("q1 Q0 ")


def test_a_stop_while_asking_leaves_the_old_files_and_the_index(desk, folder):
    for name in ("out.trec", "out.jsonl"):
        (desk.folder / name).write_text("old\n")
    command = ("eval", "--beir", "bench", "--run", "out.trec", "--answers", "out.jsonl")
    # The catalogue is opened a second time once the index is made.
    happens = "os.kill(os.getpid(), signal.SIGINT)"
    ran = desk.hooked("sqlite3.connect|immutable", happens, *command, count=2)
    assert (ran.code, "Embedding" in ran.err) == (130, True), ran
    for name in ("out.trec", "out.jsonl"):
        assert (desk.folder / name).read_text() == "old\n"
    left = {p.name for p in desk.folder.iterdir()}
    assert left == {"bench", "corpus", "out.trec", "out.jsonl"}
