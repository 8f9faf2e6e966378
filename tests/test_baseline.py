"""The gate holds each measure of the development half in its own direction, and no other half."""

import json

import pytest

from askai.baseline import Baseline, Limit, load_baseline, regressions, render, to_dict
from askai.errors import GoldError
from test_evaluate import CHIPS, answered, citation, declined, gold, hits, run

# Of the development half: q1, q2 and q3 (CRC-32), one right, one refused, one answered wrongly.
FOUND = run(
    (gold("q1", CHIPS), answered("Hefei.", citations=[citation(*CHIPS)], passages=hits(CHIPS))),
    (gold("q2", CHIPS), declined()),
    (gold("q3"), answered("Wuhan.")),
    (gold("q4", CHIPS), declined()),  # of the test half: counts for nothing
)


def limits(**values):
    return Baseline({name: Limit(*pair) for name, pair in values.items()})


HELD = {
    "as good": ("answer_right", (0.5, 0), None),
    "better": ("answer_right", (0.4, 0), None),
    "worse within the tolerance": ("answer_right", (0.55, 0.05), None),
    "worse": (
        "answer_right",
        (0.6, 0.05),
        "answer_right is 0.500; the baseline is 0.600, with a tolerance of 0.050.",
    ),
    "an error within the tolerance": ("false_refusals", (0.45, 0.05), None),
    "an error more": (
        "false_refusals",
        (0.4, 0.05),
        "false_refusals is 0.500; the baseline is 0.400, with a tolerance of 0.050.",
    ),
    "fewer errors": ("false_answers_far", (1.0, 0), None),
    "an area of risk": (
        "aurc",
        (0.1, 0),
        "aurc is 0.667; the baseline is 0.100, with a tolerance of 0.000.",
    ),
    "nothing to measure": (
        "false_answers_near",
        (0.1, 1),
        "false_answers_near was not measured; the baseline has 0.100.",
    ),
    "not a number": (
        "answer_right",
        (float("nan"), 0),
        "answer_right is 0.500; the baseline is nan, with a tolerance of 0.000.",
    ),
}


@pytest.mark.parametrize(("name", "limit", "sentence"), HELD.values(), ids=HELD)
def test_a_measure_is_held(name, limit, sentence):
    found = regressions(FOUND, limits(**{name: limit}))
    assert found == ([] if sentence is None else [sentence])


def test_a_baseline_is_written_with_tolerances_and_holds_what_it_was_made_of(tmp_path):
    path = tmp_path / "baseline.json"
    path.write_text(render(to_dict(FOUND)))
    written = json.loads(path.read_text())
    assert (written["schema"], written["split"]) == ("askai.baseline/1", "development")
    assert written["measures"]["answer_right"] == {"value": 0.5, "tolerance": 0.5}  # one question
    assert written["measures"]["aurc"] == {"value": 0.6667, "tolerance": 0.334}
    assert written["measures"]["citations_verbatim"] == {"value": 1.0, "tolerance": 0.0}
    assert "false_answers_near" not in written["measures"]  # nothing to measure
    assert not {"total_ms_median", "total_ms_p95"} & set(written["measures"])
    assert regressions(FOUND, load_baseline(path)) == []


def test_a_tolerance_is_two_hundredths_at_least():
    many = [(gold(f"q{n}"), declined()) for n in range(300)]
    assert to_dict(run(*many))["measures"]["false_answers"]["tolerance"] == 0.02


def test_the_file_reads_a_measure_a_line():
    lines = render(to_dict(FOUND)).split("\n")
    assert lines[:4] == [
        "{",
        '  "schema": "askai.baseline/1",',
        '  "split": "development",',
        '  "measures": {',
    ]
    assert lines[4] == '    "evidence@1": {"value": 0.5, "tolerance": 0.5},'


MEASURES = {"evidence@1": {"value": 0.8, "tolerance": 0.05}}
GOOD = {"schema": "askai.baseline/1", "split": "development", "measures": MEASURES}
BAD = {
    "no file": (None, "is no baseline (FileNotFoundError: "),
    "no JSON": ("{", "is no baseline (JSONDecodeError: "),
    "no object": ("[]", "is no baseline (TypeError: "),
    "no measures": (json.dumps(GOOD | {"measures": {}}), "and 0 measures; expected "),
    "no tolerance": (
        json.dumps(GOOD | {"measures": {"evidence@1": {"value": 1}}}),
        "is no baseline (KeyError: 'tolerance'); expected askai.baseline/1.",
    ),
    "another schema": (json.dumps(GOOD | {"schema": "x"}), "has schema 'x', split 'development'"),
    "the test half": (json.dumps(GOOD | {"split": "test"}), "split 'test' and 1 measures; expect"),
    "a measure there is not": (
        json.dumps(GOOD | {"measures": {"evidence@7": {"value": 1, "tolerance": 0}}}),
        "has limits of evidence@7; there are evidence@1, evidence@5, ",
    ),
}


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD)
def test_what_is_no_baseline_is_refused(tmp_path, text, says):
    path = tmp_path / "baseline.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(GoldError) as caught:
        load_baseline(path)
    assert str(caught.value).startswith(f"{path} ")
    assert says in str(caught.value)
