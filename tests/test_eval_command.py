"""`askai eval` as a person runs it: what it asks, prints, keeps and refuses before it asks."""

import json

import pytest

from askai.gold import split_of
from conftest import ANSWER, QUESTION

# By the CRC-32 of the id.
DEVELOPMENT, TEST = ["q1", "q2", "q3"], ["q4", "q5"]
ITEM = {
    "language": "en", "kind": "paragraph", "question": QUESTION, "answers": ["Nanjing"],
    "evidence": [{"source": "a.txt", "quote": ANSWER}], "need": "any", "unanswerable": None,
}  # fmt: skip
FAR = ITEM | {
    "kind": "far", "question": "Who is the mayor of Shanghai?", "answers": [], "evidence": [],
    "unanswerable": "Shanghai is not in the documents.",
}  # fmt: skip
HARBIN = ITEM | {  # always refused: no document has the name
    "question": "What is Heilongjiang known for?", "answers": ["# Harbin"],
    "evidence": [{"source": "b.md", "quote": "# Harbin"}],
}  # fmt: skip


@pytest.fixture
def desk(indexed):
    """Of each half one question answered and one refused; and one more rightly declined."""
    written = dict(zip([*DEVELOPMENT, *TEST], (ITEM, FAR, HARBIN, ITEM, HARBIN), strict=True))
    write(indexed, written)
    return indexed


def write(desk, items):
    lines = [json.dumps({"id": id_, **item}) for id_, item in items.items()]
    (desk.folder / "gold.jsonl").write_text("\n".join(lines))


def evaluate(desk, *arguments):
    return desk.run("eval", "--gold", "gold.jsonl", *arguments)


def keep(desk, name, *arguments):
    """The JSON of an evaluation, kept in a file."""
    (desk.folder / name).write_text(evaluate(desk, "--json", *arguments).out, "utf-8")


def test_the_ids_are_of_the_halves_they_are_taken_for():
    assert {split_of(id_) for id_ in DEVELOPMENT} == {"development"}
    assert {split_of(id_) for id_ in TEST} == {"test"}


def test_all_are_asked_and_misses_of_the_test_half_kept_back(desk):
    ran = evaluate(desk)
    assert (ran.code, ran.err) == (0, "Asking 5 …\n")
    assert ran.out.startswith("5 questions: 2 answered, 3 declined\n")
    assert "\nmisses: 2, 1 of them in the test half, kept back" in ran.out
    assert ("\nq3  " in ran.out, "\nq5  " in ran.out) == (True, False)


def test_the_test_half_is_shown_when_it_is_asked_for(desk):
    ran = evaluate(desk, "--split", "test")
    assert ran.err == "Asking 2 …\n"
    assert "\nmisses: 1\n\nq5  en  paragraph  false refusal" in ran.out


def test_the_gate_asks_the_development_half_only(desk):
    ran = evaluate(desk, "--write-baseline", "baseline.json")
    assert (ran.code, ran.err) == (0, "Asking 3 …\n")
    ran = evaluate(desk, "--gate", "baseline.json")
    assert ran.code == 0
    assert ran.err.startswith("Asking 3 …\nAs good as baseline.json: evidence@1, evidence@5, ")
    assert "q5" not in ran.out
    assert "test half" not in ran.out
    path = desk.folder / "baseline.json"
    baseline = json.loads(path.read_text())
    baseline["measures"] = {"answer_right": {"value": 0.9, "tolerance": 0.1}}
    path.write_text(json.dumps(baseline))
    ran = evaluate(desk, "--gate", "baseline.json")
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == (
        "askai: Worse than baseline.json: answer_right is 0.500; the baseline is 0.900, with a "
        "tolerance of 0.100."
    )


def test_answers_are_kept_one_a_line_with_the_id_of_their_question(desk):
    assert evaluate(desk, "--answers", "answers.jsonl").code == 0
    lines = (desk.folder / "answers.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert [answer["query_id"] for answer in found] == [*DEVELOPMENT, *TEST]
    assert [answer["schema"] for answer in found] == ["askai.answer/1"] * 5
    assert found[0]["answer"] == f"{ANSWER} [1]"
    assert found[0]["citations"][0]["source"] == "corpus/a.txt"


def test_what_changed_since_is_told(desk):
    keep(desk, "old.json")
    ran = evaluate(desk, "--compare", "old.json")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "compared with old.json: 5 questions")
    assert ran.out.endswith("better: 0\n\nworse: 0\n\nevidence earlier: 0\n\nevidence later: 0\n")
    found = evaluate(desk, "--compare", "old.json", "--json").json
    assert found["comparison"]["questions"] == 5
    assert found["comparison"]["better"] == []
    keep(desk, "new.json", "--compare", "old.json")  # what compares can be compared with
    assert evaluate(desk, "--compare", "new.json", "--split", "development").code == 0


def test_a_page_is_written_into_a_folder_made_for_it(desk):
    ran = evaluate(desk, "--report", "out/page")
    assert (ran.code, ran.err) == (0, "Asking 5 …\nWritten: out/page/index.html.\n")
    page = (desk.folder / "out" / "page" / "index.html").read_text("utf-8")
    assert "Questions: gold.jsonl, both halves. Model: hashing." in page
    assert (">q3 · " in page, ">q5 · " in page) == (True, False)
    evaluate(desk, "--report", "out/page", "--split", "test")
    assert ">q5 · " in (desk.folder / "out" / "page" / "index.html").read_text("utf-8")


REFUSED = {
    "no half": (("--split", "dev"), 2, "No half 'dev'; there are development and test."),
    "a baseline of the test half": (
        ("--gate", "baseline.json", "--split", "test"),
        2,
        "A baseline is of the development half; leave out --split test.",
    ),
    "no baseline": (("--gate", "none.json"), 1, "none.json is no baseline (FileNotFoundError"),
    "no old evaluation": (("--compare", "none.json"), 1, "none.json cannot be read (No such file"),
    "answers into no folder": (
        ("--answers", "none/answers.jsonl"),
        2,
        "none/answers.jsonl cannot be written; expected a file in a folder that is there.",
    ),
    "a baseline in place of a folder": (("--write-baseline", "corpus"), 2, "corpus cannot be writ"),
    "a page into a file": (
        ("--report", "gold.jsonl"),
        2,
        "gold.jsonl cannot be a folder: File exists.",
    ),
    "no gold": (("--gold", "none.jsonl"), 1, "No file none.jsonl; name the gold questions with"),
}


@pytest.mark.parametrize(("arguments", "code", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_refused_before_anything_is_asked(desk, arguments, code, says):
    ran = evaluate(desk, *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith(f"askai: {says}")


def test_other_questions_are_refused_before_anything_is_asked(desk):
    keep(desk, "old.json")
    write(desk, {"q1": FAR})
    ran = evaluate(desk, "--compare", "old.json")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "askai: old.json is an evaluation of other questions: 1 of them ask, expect or prove "
        "something else (q1). Evaluate again with the gold set of today.\n"
    )


def test_a_half_without_questions_is_refused(desk):
    write(desk, {"q1": ITEM})
    ran = evaluate(desk, "--split", "test")
    assert (ran.code, ran.err) == (1, "askai: gold.jsonl has no question in its test half.\n")


def test_every_bad_line_is_named_and_nothing_is_asked(desk):
    write(desk, {"q1": ITEM | {"kind": "x"}, "q2": ITEM | {"need": "x"}, "q3": ITEM})
    ran = evaluate(desk)
    assert (ran.code, ran.out) == (1, "")
    head, *lines = ran.err.splitlines()
    assert head == "askai: gold.jsonl has 2 bad lines; correct and run again:"
    assert [line.split('"')[0].strip() for line in lines] == ["line 1 (q1):", "line 2 (q2):"]
