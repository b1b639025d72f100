"""What a client gets at a follower, compared to the leader; what forwarding costs the leader; reads on all nodes."""
import os

import runs
from results import Table

KEYS = ("--keys", 10000)
C1, C50, P16, GET = ("--connections", 1), ("--connections", 50), ("--pipeline", 16), ("--reads", 100)
# label, arguments, figure, goal of the ratio to the leader, of the leader's processor time
CASES = [
    ("SET, 50 connections", C50, "rate", ">= 0.7", "<= 1.0"),
    ("SET, 50 connections, pipelines of 16", C50 + P16, "rate", None, "<= 1.0"),
    ("GET, 50 connections", C50 + GET, "rate", ">= 0.7", None),
    ("GET, 50 connections, pipelines of 16", C50 + P16 + GET, "rate", None, None),
    ("SET, 1 connection, p50", C1, "p50_us", None, None),
    ("GET, 1 connection, p50", C1 + GET, "p50_us", None, None),
]
READERS = 3


class At:
    """One node, as flotilla-load is told of it. Processor time is the leader's, wherever the client is."""

    protocol = "resp"

    def __init__(self, name, node, leader):
        self.name, self.address, self.pids = name, node.address, [leader.pid]


def reads_of(nodes, seconds):
    """GETs a second of as many clients as nodes."""
    clients = [runs.start_load(At("", node, node), "--seconds", seconds, *C50, *GET, *KEYS) for node in nodes]
    return sum(runs.load_result(client)["rate"] for client in clients)


def measure(bench, cluster, number, table):
    leader = cluster.wait_leader()
    places = [At("follower", cluster.followers()[number % 2], leader), At("leader", leader, leader)]
    for label, arguments, figure, goal, cpu_goal in CASES:
        for place in places if number % 2 == 0 else reversed(places):
            runs.show_progress(f"any-node, round {number + 1} of {bench.rounds}: {label} at the {place.name}")
            run = bench.timed(place, KEYS + arguments)
            value = run["rate"] if figure == "rate" else run["all"][figure]
            table.row(label, "/s" if figure == "rate" else "us", goal and {"leader": goal}).add(place.name, value)
            if cpu_goal:
                table.row(f"  processor time of the leader, {label}", "us", {"leader": cpu_goal}).add(place.name, run["cpu"])


def table_of(bench, flotilla):
    cluster = flotilla.cluster
    bench.fill(flotilla, KEYS[1])
    table = Table("any-node", "at any node", ["follower", "leader"])
    cores = os.cpu_count()
    goal = ">= 1.5" if cores >= 2 * READERS else f">= 1.5 where cores allow; {2 * READERS} processes share {cores}"
    spread = Table("any-node-reads", "GET by three clients", ["on three nodes", "on one follower"])
    for number in range(bench.rounds):
        measure(bench, cluster, number, table)
        runs.show_progress(f"any-node, round {number + 1} of {bench.rounds}: reads on all nodes")
        places = [("on three nodes", cluster.nodes[:READERS]), ("on one follower", [cluster.followers()[0]] * READERS)]
        for name, nodes in places if number % 2 else reversed(places):
            spread.row("GET, 150 connections", "/s", {"on one follower": goal}).add(name, reads_of(nodes, bench.seconds))
    runs.show_progress("")
    return [table, spread]
