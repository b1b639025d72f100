"""flotilla-cli: what it shows, what it changes, and with which status it ends."""
import json
import os
import pathlib
import subprocess

import pytest

from cluster import PATIENCE, SERVER, Cluster
from waiting import wait_for

CLI = pathlib.Path(SERVER).resolve().parent / "flotilla-cli"
TIMEOUT = str(int(10000 * PATIENCE))


@pytest.fixture(scope="module")
def cluster():
    with Cluster("cli") as one:
        yield one


def cli(nodes, *args, timeout=TIMEOUT, env=None):
    """(status, standard output, standard error)"""
    done = subprocess.run([str(CLI), "-n", nodes, "-t", timeout, *map(str, args)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120 * PATIENCE,
                          check=False, env=env)
    return done.returncode, done.stdout, done.stderr


def as_json(nodes, *args, **more):
    status, out, error = cli(nodes, "--json", *args, **more)
    return status, json.loads(out), error


def test_status_shows_all_nodes_though_one_is_named(cluster):
    leader = cluster.wait_leader()
    for node in cluster.nodes:
        status, shown, _ = as_json(node.address, "status")
        assert status == 0
        assert shown["leader"] == leader.id
        assert {row["node"]: row["address"] for row in shown["nodes"]} == {one.id: one.address
                                                                          for one in cluster.nodes}
        assert {row["node"] for row in shown["nodes"] if row["role"] == "leader"} == {leader.id}
        assert all(row["state"] == "up" and row["lag"] >= 0 and row["term"] >= 1 for row in shown["nodes"])


def test_a_table_has_a_row_for_each_node(cluster):
    status, out, error = cli(cluster.nodes[0].address, "status")
    assert (status, error) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["node", "address", "role", "term", "commit", "applied", "lag", "state"]
    assert len(lines) == 4
    assert all(line.index(node.address) == lines[0].index("address")
               for line, node in zip(lines[1:], sorted(cluster.nodes, key=lambda node: lines.index(
                   next(line for line in lines if node.address in line)))))


def test_members_are_listed(cluster):
    status, shown, _ = as_json(cluster.nodes[2].address, "members")
    assert status == 0
    assert {(row["node"], row["address"], row["state"]) for row in shown["members"]} == {
        (node.id, node.address, "voter") for node in cluster.nodes}


def test_leadership_is_handed_over(cluster):
    leader = cluster.wait_leader()
    for node in (cluster.followers()[0], leader):
        status, shown, error = as_json(cluster.followers()[0].address, "transfer", node.id)
        assert (status, shown, error) == (0, {"result": "leadership was handed over"}, "")
        assert cluster.wait_leader() is node
    assert cli(cluster.nodes[0].address, "transfer", 9)[0] == 1


def test_all_is_well(cluster):
    wait_for(lambda: cli(cluster.nodes[0].address, "check")[:2] == (0, "all is well\n"), 30 * PATIENCE, "all is well")
    assert as_json(cluster.nodes[0].address, "check")[:2] == (0, {"healthy": True, "problems": []})


def test_a_node_is_added_and_removed(make_cluster):
    cluster = make_cluster(size=3)
    payload = b"x" * 1000
    with cluster.wait_leader().connect() as client:
        assert set(client.pipeline([("SET", f"k{i}", payload) for i in range(2000)])) == {"OK"}
    first = cluster.nodes[0].address
    node = cluster.add_node()
    status, out, error = cli(first, "add", 4, node.address, "--wait", "300")
    assert (status, out) == (1, ""), "it is not started"
    assert error.splitlines()[0] == "node 4 is awaited" and "goes on by itself" in error.splitlines()[-1]
    node.start()
    status, out, error = cli(first, "add", 4, node.address)
    assert status == 1 and "member" in error
    wait_for(lambda: node.read_stale("GET", "k1999") == payload, 30 * PATIENCE, "it has all data")
    _, shown, _ = as_json(first, "members")
    assert shown["members"][3] == {"node": 4, "address": node.address, "state": "spare", "link": "connected"}
    assert cli(first, "remove", 4) == (0, "removed\n", "")
    assert cli(first, "remove", 4)[0] == 1
    node.kill()

    other = cluster.add_node()
    other.start(wait=False)
    status, out, error = cli(first, "add", 5, other.address)
    assert (status, out) == (0, "added, and it has all data\n"), error
    wait_for(lambda: other.read_stale("GET", "k1999") == payload, 30 * PATIENCE, "it has applied what it has")
    assert cli(first, "remove", 5)[0] == 0
    assert cli(first, "add", 6, "127.0.0.1:1", "--no-wait")[:2] == (0, "added\n")


@pytest.mark.parametrize("options", [(), ("--once",), ("--reads",)])
def test_the_bench_counts_and_leaves_nothing(cluster, options):
    leader = cluster.wait_leader()
    keys = leader.call("DBSIZE")
    before = int(leader.info("commandstats").get("cmdstat_set", "calls=0").split(",")[0][6:])
    status, shown, error = as_json(leader.address, "bench", "--requests", 3000, "--in-flight", 50, "--size", 10, *options)
    assert (status, error) == (0, "")
    assert (shown["requests"], shown["replies"], shown["failed"], shown["unknown"]) == (3000, 3000, 0, 0)
    assert 0 < shown["p50_us"] <= shown["p99_us"] <= shown["max_us"]
    after = int(leader.info("commandstats").get("cmdstat_set", "calls=0").split(",")[0][6:])
    assert after - before == (0 if "--reads" in options else 3000)
    assert leader.call("DBSIZE") == keys


@pytest.mark.long
def test_what_is_not_well_is_told(make_cluster):
    cluster = make_cluster(size=3)
    victim, other = cluster.followers()
    victim.kill()
    leader = cluster.wait_leader()
    wait_for(lambda: "not connected" in cli(leader.address, "check")[1], 30 * PATIENCE, "the leader notices")
    status, shown, _ = as_json(leader.address, "check", timeout="2000")
    assert (status, shown["healthy"]) == (1, False)
    assert f"the leader is not connected to node {victim.id}" in shown["problems"]
    assert "2 of 3 voters live: the loss of one more stops the cluster" in shown["problems"]
    assert any(problem.startswith(f"{victim.address} does not answer") for problem in shown["problems"])
    status, shown, _ = as_json(leader.address, "status", timeout="2000")
    assert status == 0
    assert {row["address"]: row["node"] for row in shown["nodes"]}[victim.address] is None
    other.kill()
    wait_for(lambda: not leader.says_leader(), 30 * PATIENCE, "the leader gives up")
    status, shown, _ = as_json(leader.address, "check", timeout="2000")
    assert status == 1 and "no node leads" in shown["problems"]
    status, out, error = cli(leader.address, "transfer", timeout="1000")
    assert (status, out) == (3, "") and "CLUSTERDOWN" in error


def test_without_a_node_nothing_is_done():
    for command in (("status",), ("check",), ("members",), ("transfer",), ("remove", "1"), ("bench", "--requests", "5")):
        status, _, _ = cli("127.0.0.1:1", *command, timeout="200")
        assert status == 3, command
    status, out, _ = as_json("127.0.0.1:1", "status", timeout="200")
    assert out["leader"] is None


@pytest.mark.parametrize("args", [(), ("nonsense",), ("status", "more"), ("remove",), ("add", "4"), ("-t", "0", "status"),
                                  ("-t", "x", "status"), ("--in-flight", "0", "bench"), ("--strange", "status"),
                                  ("-n", "nowhere", "members"), ("-n", "", "bench"), ("-u", "me", "members")])
def test_usage_is_told(args):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FLOTILLA_")}
    done = subprocess.run([str(CLI), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60 * PATIENCE, check=False, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


def test_nodes_and_password_come_from_the_environment(cluster):
    environment = {**os.environ, "FLOTILLA_NODES": cluster.nodes[0].address}
    done = subprocess.run([str(CLI), "members"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=60 * PATIENCE, check=False, env=environment)
    assert done.returncode == 0 and cluster.nodes[1].address in done.stdout


def test_output_that_cannot_be_written_is_an_error(cluster):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(CLI), "-n", cluster.nodes[0].address, "members"], stdin=subprocess.DEVNULL,
                              stdout=full, stderr=subprocess.PIPE, timeout=60 * PATIENCE, check=False)
    assert done.returncode == 1
