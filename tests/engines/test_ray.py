"""Building on a Ray cluster: the index of a build on one machine, whatever is killed meanwhile."""

import os
import random
import re
import signal
import sys
import time

import pytest

from conftest import SCRIPT, Ran, made_desk
from engines.ray_nodes import RayNodes
from test_parts import rows

CITIES = ["Suzhou", "Harbin", "Wuhan", "Hefei", "Xiamen", "Tianjin", "Jinan", "Chengdu"]
WORK = ["robots", "chips", "drones", "gardens", "festivals", "models", "networks", "satellites"]
_WAIT = 120.0  # seconds for a build


@pytest.fixture(scope="module")
def nodes(cache, request):
    """The cluster, for all tests of this module; the last one kills a node of it."""
    cluster = RayNodes({"ASKAI_CACHE": str(cache)})
    told = "two nodes in network namespaces" if cluster.two else f"one node, {cluster.why_one}"
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nRay: {told}")  # noqa: T201 - which of the two it was is part of the result
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def built(tmp_path_factory, cache):
    """Documents that take workers a while, and the index that one machine makes of them."""
    desk = made_desk(tmp_path_factory.mktemp("ray"))
    desk.environment["ASKAI_CACHE"] = str(cache)
    dice = random.Random(7)  # noqa: S311
    for n in range(24):
        lines = (f"{dice.choice(CITIES)} has {dice.randrange(9999)} {dice.choice(WORK)} in use."
                 for _ in range(600))  # fmt: skip
        text = "\n\n".join(" ".join(next(lines) for _ in range(6)) for _ in range(100))
        desk.write(f"{n:02}.md", f"# Report {n}\n\n{text}\n")
    desk.write("broken.pdf", b"%PDF-1.4 is not one")
    desk.write("table.csv", "firm,city\nUnitree,Hangzhou\n")
    return desk.indexed()


def started(desk, nodes, index, *options, on="ray"):
    """`askai index --on` as a process on the head's host."""
    return desk.start(
        *nodes.prefix, SCRIPT, "--index", index, "index", "--on", on, *options,
        environment=nodes.environment | ({"RAY_ADDRESS": nodes.address} if on == "ray" else {}),
    )  # fmt: skip


def ended(process):
    out, err = process.communicate(timeout=_WAIT)
    return Ran(process.returncode, out, err)


def wait_for_parts(folder, count):
    until = time.monotonic() + _WAIT
    while time.monotonic() < until:
        if len(list(folder.glob("part-*.json"))) >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"There were no {count} parts after {_WAIT} s.")


def kill_a_worker(nodes, node):
    until = time.monotonic() + _WAIT
    while time.monotonic() < until:
        for pid in nodes.workers(node):
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.02)
    raise AssertionError("No worker made a part.")


def check_same(desk, index):
    mine, its = rows(desk.index), rows(desk.folder / index)
    for name in mine:
        assert its[name] == mine[name], name


def test_an_interrupted_build_goes_on_by_another_way_to_the_cluster(built, nodes):
    """Its parts are written by the workers, to an address that all of them reach."""
    shared = built.folder / "shared"
    address = f"file://{shared}"
    process = started(built, nodes, "stopped", "--parts", address)
    wait_for_parts(shared, 3)
    process.send_signal(signal.SIGINT)
    stopped = ended(process)
    assert (stopped.code, stopped.err.splitlines()[-1]) == (130, "Stopped. The index is as it was.")
    assert not (built.folder / "stopped" / "CURRENT").exists()
    ran = ended(started(built, nodes, "stopped", "--parts", address, on=nodes.client_address))
    assert ran.code == 0, ran.err
    kept, of = map(int, re.search(r"(\d+) of (\d+) parts are there already", ran.err).groups())
    assert 3 <= kept < of
    assert f"Building {of - kept} parts on {len(nodes.hosts)} node" in ran.err
    assert "broken.pdf: " in ran.out
    check_same(built, "stopped")
    assert built.run("--index", "copy", "import", "shared").code == 0
    check_same(built, "copy")


ANOTHER = """
import sys
from pathlib import Path
from dataclasses import replace
from askai.corpus import Corpus
from askai.errors import ClusterError
from askai.parts.planning import Planner
from askai.parts.ray_cluster import connected
from askai.recipes import recipe
from askai.settings import Settings
corpus, made = Corpus.open(Path("corpus"), max_bytes=1_000_000), recipe(Settings(model="hashing"))
planner = Planner(corpus, made, "hashing", made.settings(corpus))
plans, _ = planner.plan(corpus.list().files[:1], lambda *_: None)
task = planner.task(plans[0], address="")
with connected("ray") as cluster:
    (whole,) = cluster.made(iter([task]))
    print(whole[0] == plans[0].name)
    try:
        list(cluster.made(iter([replace(task, shaping={**task.shaping, "tokens": "0"})])))
    except ClusterError as error:
        print(error)
"""


def test_a_node_with_another_askai_is_named(built, nodes):
    process = built.start(
        *nodes.prefix, sys.executable, "-c", ANOTHER,
        environment={**nodes.environment, "RAY_ADDRESS": nodes.address},
    )  # fmt: skip
    ran = ended(process)
    assert ran.out.splitlines()[0] == "True", ran.err
    assert ran.out.splitlines()[1].startswith("A node of the cluster has another askai or model")


def test_a_worker_and_a_node_are_killed_and_the_result_is_the_same(built, nodes):
    process = started(built, nodes, "killed")
    parts = built.folder / "killed" / "parts"
    wait_for_parts(parts, 1)
    kill_a_worker(nodes, 0)
    wait_for_parts(parts, 2)
    kill_a_worker(nodes, len(nodes.hosts) - 1)
    if nodes.two:
        wait_for_parts(parts, 3)
        nodes.kill_node(1)
    made = len(list(parts.glob("part-*.json")))
    ran = ended(process)
    assert ran.code == 0, ran.err
    of = int(re.search(r"Building (\d+) parts", ran.err)[1])
    assert made < of, "nothing was left to make when the node was killed"
    check_same(built, "killed")


def test_a_cluster_that_is_not_there_is_named(built):
    ran = built.command("--index", "none", "index", "--on", "ray://127.0.0.1:9")
    assert ran.code == 1
    assert "askai: No Ray cluster answers at ray://127.0.0.1:9" in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err
