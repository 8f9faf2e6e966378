"""benchmarks/: its arithmetic, its tables, its errors; and, where its environment is, the run."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import ir_measures
import pytest
from benchmarks import command, machine
from benchmarks.errors import BenchError
from benchmarks.measure import Processes, environment, folder_bytes
from benchmarks.measures import ndcg_at_10, paired_ratio, quantile, success_at_1
from benchmarks.plan import WAYS, Clock, column, turned
from benchmarks.plot import svg
from benchmarks.report import BEGIN, END, LABELS, rewritten, tables
from benchmarks.results import Results
from benchmarks.sets import BenchSet, load_sets
from benchmarks.systems import KINDS, Passage, made
from benchmarks.systems.askai import distinct, write_corpus
from benchmarks.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".venv-bench"


def write_set(folder, *, texts=("Nanjing is old.", "Harbin is cold."), skip=""):
    folder.mkdir(parents=True, exist_ok=True)
    rows = {
        "corpus.jsonl": [{"_id": f"d{n}", "title": "", "text": t} for n, t in enumerate(texts)],
        "queries.jsonl": [
            {"_id": f"q{n}", "text": f"Which one is {t.split()[-1]}"} for n, t in enumerate(texts)
        ],
    }
    for name, found in rows.items():
        (folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in found), "utf-8")
    lines = ["query-id\tcorpus-id\tscore", *(f"q{n}\td{n}\t1" for n in range(len(texts)))]
    (folder / "qrels.tsv").write_text("\n".join(lines), "utf-8")
    if skip:
        (folder / skip).unlink()
    return folder


def measured(**about):
    """Figures that are easy to work out: the plain script takes 4 s, askai 1 s."""
    results = Results({"complete": True, "sets": ["s"], "documents": 2, "characters": 100, **about})
    for name in LABELS:
        for seconds in (4.0, 8.0, 4.0):
            share = 0.25 if name.startswith("askai") else 1.0
            results.add("cold seconds", name, seconds * share)
            results.add("cold peak MB", name, 800 * share)
            results.add("warm seconds", name, seconds / 100 * share)
    for name in ("plain", "askai"):
        results.add("indexing characters per second", name, 100 if name == "plain" else 50)
        results.add("embedded characters", name, 100 if name == "plain" else 300)
        results.add("embedded texts", name, 2)
        results.add("index bytes", name, 2e6)
        results.add("embedding characters per second", name, 100 if name == "plain" else 250)
        results.add("nDCG@10 s", name, 0.5)
    return results


# Statistics


def test_a_ratio_is_the_median_of_the_pairs_and_not_the_ratio_of_the_medians():
    ratio = paired_ratio([1.0, 9.0, 2.0], [2.0, 9.0, 8.0])
    assert ratio == (0.5, 0.25, 1.0)  # the medians would say 2 / 8


def test_what_has_no_partner_is_left_out_of_a_ratio():
    assert paired_ratio([1.0, 2.0, 100.0], [2.0, 4.0]).high == 0.5
    with pytest.raises(ValueError, match="no pair"):
        paired_ratio([1.0], [])


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 10), (0.95, 19), (0.951, 20), (1.0, 20), (0.0, 1)]
)
def test_quantiles_are_by_nearest_rank(share, expected):
    assert quantile(range(20, 0, -1), share) == expected


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdefghijklm"), st.integers(0, 3), min_size=1),
    st.permutations("abcdefghijklmnop"),
)
def test_quality_is_what_ir_measures_makes_of_it(relevant, ranked):
    run = {"q": {name: -float(n) for n, name in enumerate(ranked)}}
    wanted = [ir_measures.nDCG @ 10, ir_measures.Success @ 1]
    found = ir_measures.calc_aggregate(wanted, {"q": relevant}, run)
    assert ndcg_at_10(relevant, ranked) == pytest.approx(found[wanted[0]])
    assert success_at_1(relevant, ranked) == found[wanted[1]]


def test_nothing_found_is_worth_nothing():
    assert (ndcg_at_10({"a": 1}, []), success_at_1({"a": 1}, [])) == (0.0, 0.0)


def test_nobody_is_always_first():
    assert [turned("abc", n)[0] for n in range(4)] == ["a", "b", "c", "a"]


def test_rounds_end_before_the_time_is_over():
    now, cut = [0.0], []
    clock = Clock(1, now=lambda: now[0])
    done = []
    for n in clock.rounds(9, 0.5, cut.append):
        done.append(n)
        now[0] += 12
    assert (done, cut) == ([0, 1], [2])  # a third would have ended at 36 s of 30


def test_the_first_rounds_always_run():
    now, cut = [0.0], []
    clock = Clock(1, now=lambda: now[0])
    for _ in clock.rounds(9, 0.5, cut.append, least=3):
        now[0] += 100
    assert cut == [3]
    assert list(clock.rounds(2, 1.0, cut.append, least=0, expected=1)) == []


# Tables, markers, plot


def test_the_tables_give_ratios_with_the_median_in_brackets():
    shown = tables(measured())
    assert "| `askai ask` | 0.25 × (1.00 s) | 0.25 × (200 MB) | 0.25 × (10.0 ms) |" in shown
    assert "| plain script | 1.00 × (4.00 s) |" in shown
    assert "| askai | 0.50 × (50 characters/s) | 2 texts, 3.0 × the characters | 1.50 × |" in shown
    assert "2.50 × the characters per second of `SentenceTransformer.encode`" in shown
    assert "Partial" not in shown


def test_what_was_not_measured_is_a_dash_and_the_run_is_called_partial():
    shown = tables(Results({"sets": ["s"], "notes": ["cold start: 1 of 7 rounds"]}))
    assert "**Partial: the run was stopped before its end.**" in shown
    assert "Cut short: cold start: 1 of 7 rounds." in shown
    assert "| txtai | – | – | – | – |" in shown
    assert shown.count("not measured") == len(TARGETS)


def test_every_row_has_as_many_cells_as_its_head():
    for table in re.findall(r"(?:^\|.*\n?)+", tables(measured()), re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_targets_are_reached_or_missed():
    verdicts = {target.what: target.verdict(target.measured(measured())) for target in TARGETS}
    assert verdicts["`askai ask` from the shell, time"] == "missed"
    assert verdicts["the same, peak memory"] == "reached"
    assert verdicts["warm search"] == "reached"
    assert verdicts["warm answer"] == "reached, and the aim"
    assert verdicts["embedding, characters per second"] == "reached"


def test_the_page_keeps_all_but_what_is_between_its_markers():
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nMore.\n"
    once = rewritten(page, "new")
    assert once == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nMore.\n"
    assert rewritten(once, "new") == once


@pytest.mark.parametrize("page", ["", f"{BEGIN}", f"{END} {BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_page_without_its_markers_is_refused(page):
    with pytest.raises(BenchError, match="once each"):
        rewritten(page, "new")


def test_the_page_of_the_repository_shows_the_results_of_the_repository():
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    results = Results.load(ROOT / "benchmarks" / "results.json")
    assert rewritten(page, tables(results)) == page
    assert (ROOT / "docs" / "benchmarks.svg").read_text("utf-8") == svg(results)


def test_the_plot_has_a_bar_for_each_way_of_asking():
    bars = etree.fromstring(svg(measured())).findall(".//{*}rect")
    assert len(bars) == 3 * len(LABELS)
    assert etree.fromstring(svg(Results())).findall(".//{*}rect") == []


def test_every_way_of_asking_has_a_label():
    assert {column(kind, way) for kind, way in WAYS} == set(LABELS)


# Results


def test_results_are_read_as_they_were_written(tmp_path):
    results, file = measured(commit="abc"), tmp_path / "new" / "results.json"
    results.save(file)
    found = Results.load(file)
    assert (found.about, found.figures) == (results.about, results.figures)
    assert "[1.0, 2.0, 1.0]" in file.read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "not there yet"), ("{", "cannot be read"), ("[]", "form 1"), ('{"format": 0}', "form")],
)
def test_results_that_are_none_are_refused(tmp_path, content, says):
    file = tmp_path / "results.json"
    if content is not None:
        file.write_text(content, "utf-8")
    with pytest.raises(BenchError, match=says):
        Results.load(file)


# Sets


def test_a_set_is_read_with_the_questions_that_are_judged(tmp_path):
    folder = write_set(tmp_path / "one")
    with (folder / "queries.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"_id": "q9", "text": "Why?"}\n')
    (found,) = load_sets([folder])
    assert found.passages == (("d0", "Nanjing is old."), ("d1", "Harbin is cold."))
    assert [question.relevant for question in found.questions] == [{"d0": 1}, {"d1": 1}]
    assert [question.id for question in found.first(1).questions] == ["q0"]
    assert (found.characters, found.holding(15, least=1), found.holding(0, least=9)) == (30, 1, 2)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels.tsv"])
def test_a_set_that_is_missing_is_named(tmp_path, name):
    with pytest.raises(BenchError, match=rf"is missing: there is no {name} in it.*--bench DIR"):
        load_sets([write_set(tmp_path / "one", skip=name)])


def test_sets_of_different_documents_are_refused(tmp_path):
    sets = [write_set(tmp_path / "one"), write_set(tmp_path / "two", texts=("Other text.",))]
    with pytest.raises(BenchError, match="one and two have different documents"):
        load_sets(sets)


def test_questions_are_spread_over_the_whole_set():
    (found,) = [BenchSet("s", (), tuple(range(10)))]
    assert found.spread(3) == (0, 3, 6)
    assert found.spread(99) == tuple(range(10))


# Machine and processes


def test_versions_are_held_against_the_pins():
    pins = machine.pins("# a comment==1\nSome_Thing==1.2\ntorch==2.0  # why\n")
    assert pins == {"some-thing": "1.2", "torch": "2.0"}
    machine.check_installed({"some-thing": "1.2", "torch": "2.0+cpu"}, pins)
    with pytest.raises(BenchError, match=r"torch is not installed.*`make bench`"):
        machine.check_installed({"torch": None}, pins)
    with pytest.raises(BenchError, match=r"torch is 2\.1 .* says 2\.0"):
        machine.check_installed({"torch": "2.1"}, pins)


def test_every_package_that_is_measured_is_pinned():
    pins = machine.pins((ROOT / "benchmarks" / "requirements.txt").read_text("utf-8"))
    assert {name for kind in KINDS for name in kind.packages} <= set(pins)


def test_what_both_environments_have_is_of_one_version():
    ours, theirs = (
        machine.pins((ROOT / name).read_text("utf-8"))
        for name in ("constraints.txt", "benchmarks/requirements.txt")
    )
    assert {n: v for n, v in theirs.items() if ours.get(n, v) != v} == {}


def test_processes_get_no_settings_and_no_numbers_of_threads():
    given = {"ASKAI_MODEL": "x", "ASKAI_CACHE": "c", "OMP_NUM_THREADS": "1", "HOME": "h",
             "OPENBLAS_NUM_THREADS": "2", "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    found = environment(Path("/r"), given)
    assert set(found) == {
        "ASKAI_CACHE", "HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "PYTHONPATH"
    }  # fmt: skip
    assert found["PYTHONPATH"] == f"/r/src{os.pathsep}/r"


@pytest.fixture
def processes(tmp_path):
    return Processes(tmp_path, environment(ROOT, os.environ))


MEASURED = """
import sys
from pathlib import Path
from benchmarks.measure import Processes
processes = Processes(Path(sys.argv[1]), {})
for code in ("print('done')", "b'x' * 200_000_000; import time; time.sleep(.2)"):
    ran = processes.run((sys.executable, "-c", code))
    print(ran.megabytes, ran.seconds, ran.code, ran.out.strip())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is that of Linux")
def test_a_process_is_measured(tmp_path):
    """From a small one, as `make bench` is: a child's memory is counted from its parent's up."""
    command = [sys.executable, "-c", MEASURED, str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    small, large = (line.split() for line in ran.stdout.splitlines())
    assert small[2:] == ["0", "done"]
    assert large[2:] == ["0"]
    assert 200 < float(large[0]) < 250
    assert float(large[1]) > 0.2


def test_a_process_that_fails_is_named_with_its_last_line(processes):
    wrong = (sys.executable, "-c", "import sys; sys.exit('why')")
    with pytest.raises(BenchError, match="exit code 1: why"):
        processes.run(wrong)
    assert processes.run(wrong, fine=(0, 1)).code == 1


def test_a_server_that_ends_is_named_with_its_last_line(processes):
    with (
        processes.serve("x", (sys.executable, "-c", "import sys; sys.exit('why')")) as server,
        pytest.raises(BenchError, match="exit code 1: why"),
    ):
        server.ask("open")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.is_peer])
def test_a_system_says_that_there_is_no_index(processes, tmp_path, kind):
    command = (sys.executable, "-m", "benchmarks.worker", kind.name, "search", "m", str(tmp_path))
    with pytest.raises(BenchError, match=r"exit code 1: .*[Nn]o index"):
        processes.run((*command, "Why?"))


def test_askai_finds_a_document_by_the_first_of_its_passages(tmp_path):
    passages = [Passage("a/b.c", "one"), Passage("…", "two")]
    write_corpus(tmp_path / "corpus", passages)
    files = sorted((tmp_path / "corpus").iterdir(), key=lambda file: file.read_text("utf-8"))
    assert distinct([(str(file), file.read_text("utf-8")) for file in files] * 2) == passages


def test_what_a_folder_holds_is_counted(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"1")
    assert folder_bytes(tmp_path) == 6


# The command


def test_a_missing_set_and_a_missing_environment_are_one_line(tmp_path, capsys):
    assert command.main(["--bench", str(tmp_path / "none")]) == 1
    assert "is missing: there is no corpus.jsonl in it" in capsys.readouterr().err
    folder = str(write_set(tmp_path / "one"))
    where = ["--peers", str(tmp_path / "none"), "--work", str(tmp_path / "work")]
    assert command.main(["--bench", folder, *where]) == 1
    assert "There is no environment of the peers in" in capsys.readouterr().err


def peers_missing():
    try:
        python = str(PEERS / "bin" / "python")
        names = [name for kind in KINDS for name in kind.packages]
        pins = machine.pins((ROOT / "benchmarks" / "requirements.txt").read_text("utf-8"))
        machine.check_installed(machine.versions(python, names), pins)
    except BenchError as error:
        return str(error)
    return ""


needs_peers = pytest.mark.skipif(
    not PEERS.is_dir() or bool(peers_missing()), reason="`make bench` has not made .venv-bench here"
)
TEXTS = [f"Report {n} is about the river of number {n} and its bridges." for n in range(14)]


def quick(tmp_path, **options):
    folder = write_set(tmp_path / "tiny", texts=TEXTS)
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "--quick", "--bench", str(folder), "--work",
         str(tmp_path / "work")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", **options,
    )  # fmt: skip


@needs_peers
@pytest.mark.model
def test_a_quick_run_measures_everything_of_everybody(tmp_path):
    before = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    with quick(tmp_path) as process:
        out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    results = Results.load(tmp_path / "work" / "results.json")
    assert results.complete
    assert "Partial" not in out
    assert "| – |" not in out
    assert set(results.figures["cold seconds"]) == set(LABELS)
    assert set(results.figures["nDCG@10 tiny"]) == {kind.name for kind in KINDS}
    assert (ROOT / "docs" / "benchmarks.md").read_text("utf-8") == before


@needs_peers
@pytest.mark.model
def test_ctrl_c_keeps_what_was_measured(tmp_path):
    with quick(tmp_path, start_new_session=True) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "txtai" in line)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False), said + err
    assert "**Partial: the run was stopped before its end.**" in out
    assert "is kept in" in err
    kept = Results.load(tmp_path / "work" / "results.partial.json")
    assert list(kept.figures["indexing characters per second"]) == ["plain"]


def test_a_system_is_found_by_its_name(tmp_path):
    for kind in KINDS:
        assert made(kind.name, tmp_path, tmp_path)
