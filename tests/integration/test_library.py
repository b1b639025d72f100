"""libflotilla: its examples through the death of leaders and cuts, and what it shows of itself."""
import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest

from cluster import PATIENCE, SERVER, TOP, Cluster, Ports, spawn, temporary_folder
from waiting import wait_for

BUILD = pathlib.Path(SERVER).resolve().parent
EXAMPLES = BUILD / "examples"


def nodes_of(cluster):
    return ",".join(node.address for node in cluster.nodes)


def run(*command, timeout=120, **more):
    return subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout * PATIENCE, text=True, check=False, **more)


class Program:
    """An example that runs beside the test; its output is in a file."""

    def __init__(self, cluster, *command):
        self.output = cluster.dir / "output"
        self.process = spawn([*map(str, command)], self.output)

    def end(self, timeout=120):
        status = self.process.wait(timeout * PATIENCE)
        return status, self.output.read_text()


def value_of(cluster, key):
    return int(cluster.wait_leader().call("GET", key) or 0)


def kill_leaders(cluster, key, goal, program, at_least=4):
    """Kills the leader again and again while the counter grows."""
    kills = 0
    while program.process.poll() is None:
        before = value_of(cluster, key)
        if before >= goal:
            break
        victim = cluster.wait_leader()
        victim.kill()
        kills += 1
        wait_for(lambda: program.process.poll() is not None or value_of(cluster, key) > before, 60 * PATIENCE,
                 "the counter goes on")
        victim.start()
    assert kills >= at_least, f"only {kills} leaders were killed: count further"


@pytest.mark.parametrize("example,count", [("counter", 3000), ("async", 30000)])
def test_each_increment_counts_once_while_leaders_are_killed(make_cluster, example, count):
    cluster = make_cluster(size=3, leader_wait_ms=20000)
    program = Program(cluster, EXAMPLES / example, nodes_of(cluster), count)
    kill_leaders(cluster, example, count, program)
    status, output = program.end()
    assert status == 0, output
    expected = str(count) if example == "counter" else f"answered {count}, unknown 0, failed 0, highest {count}"
    assert output.strip() == expected
    assert value_of(cluster, example) == count
    cluster.wait_equal()


def test_increments_count_once_over_cuts_of_the_leader(make_cluster):
    cluster = make_cluster(size=3, links=True, leader_wait_ms=1000)
    count = 20000
    program = Program(cluster, EXAMPLES / "async", nodes_of(cluster), count)
    cuts = 0
    while program.process.poll() is None:
        before = value_of(cluster, "async")
        leader = cluster.wait_leader()
        cluster.cut([leader])
        cuts += 1
        wait_for(lambda: program.process.poll() is not None or
                 any(int(node.read_stale("GET", "async") or 0) > before + 200
                     for node in cluster.nodes if node is not leader), 60 * PATIENCE, "the counter goes on")
        cluster.heal()
        cluster.wait_leader()
    status, output = program.end()
    assert status == 0, output
    assert output.strip() == f"answered {count}, unknown 0, failed 0, highest {count}"
    assert cuts >= 2
    assert value_of(cluster, "async") == count
