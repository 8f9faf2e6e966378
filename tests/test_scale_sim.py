"""The simulation of shards and replicas is held against what theory says of simple ones."""

import random

import numpy as np
import pytest
from benchmarks import scale_sim
from benchmarks.scale_sim import Cluster, simulate
from benchmarks.service_times import Measured, Times

MS = 10.0


def exponential(count=4000, shards=1):
    choose = random.Random(3)  # noqa: S311
    return [
        Times((tuple(choose.expovariate(1 / MS) for _ in range(shards)),), 0.0)
        for _ in range(count)
    ]


def mean_work(times):
    return float(np.mean([one.work for one in times]))


@pytest.mark.parametrize("use", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(
    "times", [[Times(((MS,),), 0.0)], exponential()], ids=["same", "exponential"]
)
def test_one_core_that_is_shared_takes_as_long_as_theory_says(times, use):
    """M/G/1 with processor sharing: S / (1 - use), whatever the distribution (Kleinrock 1976)."""
    mean = mean_work(times)
    found = simulate(Cluster.of(1, 1, cores=1), times, rate=1000 * use / mean)
    assert np.mean(found.ms) == pytest.approx(mean / (1 - use), rel=0.06)
    assert found.use == pytest.approx(use, rel=0.03)
    assert found.per_second == pytest.approx(1000 * use / mean, rel=0.03)


def test_two_cores_take_as_long_as_erlang_says():
    """M/M/2: S · (1 + use² / (1 - use²))."""
    times, use = exponential(), 0.6
    mean = mean_work(times)
    found = simulate(Cluster.of(1, 1, cores=2), times, rate=2000 * use / mean)
    assert np.mean(found.ms) == pytest.approx(mean / (1 - use**2), rel=0.06)


def test_an_answer_waits_for_the_slowest_shard_and_is_then_merged():
    times = [Times(((2.0,),), 5.0), Times(((30.0,), (10.0,)), 5.0)]
    idle = simulate(Cluster.of(8, 1, cores=4), times, rate=0.1, questions=2000)
    assert {round(ms, 6) for ms in idle.ms} == {7.0, 45.0}  # one question is the same on all
    mixed = [Times(((2.0, 40.0),), 5.0)]
    one, eight = (
        simulate(Cluster.of(n, 1, cores=4), mixed, rate=0.1, questions=2000).ms for n in (1, 8)
    )
    assert np.mean(np.isclose(one, 45)) == pytest.approx(0.5, abs=0.05)
    assert np.mean(np.isclose(eight, 45)) == pytest.approx(1 - 0.5**8, abs=0.01)


def test_each_round_waits_for_the_slowest_shard_of_the_one_before():
    times = [Times(((2.0, 40.0), (2.0, 40.0)), 5.0)]
    found = simulate(Cluster.of(16, 1, cores=4), times, rate=0.1, questions=1000).ms
    assert np.mean(np.isclose(found, 85)) > 0.99  # 40 twice, wherever each of them was


def test_replicas_share_the_questions_and_one_machine_has_them_all():
    times = [Times(((MS,),), 0.0)]
    rate = 0.8 * 1000 / MS
    one, four = (simulate(Cluster.of(1, n, cores=1), times, rate=rate) for n in (1, 4))
    assert four.use == pytest.approx(one.use / 4, rel=0.1)
    assert np.percentile(four.ms, 99) < np.percentile(one.ms, 99) / 2
    together = simulate(Cluster.on_one_machine(2, cores=2), times, rate=rate)
    assert together.use == pytest.approx(0.8, rel=0.03)


def test_the_table_has_each_combination_and_says_where_it_is_too_much(
    tmp_path, monkeypatch, capsys
):
    file = tmp_path / "times.json"
    held = Measured(1000, 2, 2, 0.5, [Times(((8.0, 8.0), (0.0, 4.0)), 5.0)])
    held.write(file)
    assert Measured.read(file) == held
    options = "--shards 1,4 --replicas 1,2 --rate 10,150 --cores 1 --price 0.5 --questions 3000"
    command = ["scale_sim", "--times", str(file), *options.split()]
    monkeypatch.setattr("sys.argv", command)
    assert scale_sim.main() == 0
    head, _, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("| shards × replicas | passages |")
    assert len(lines) == 8
    assert lines[0].startswith("| 1 × 1 | 1,000 | 10 | ")
    assert lines[1].startswith("| 1 × 1 | 1,000 | 150 | overloaded")
    assert lines[6].startswith("| 4 × 2 | 4,000 | 10 | ")
    assert "| 4.50 | 125.00 |" in lines[6]  # 4 × 2 servers and the asker's


def test_a_command_without_times_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["scale_sim"])
    with pytest.raises(SystemExit):
        scale_sim.main()
    assert "--times FILE, or --check ADDRESSES" in capsys.readouterr().err
