#!/usr/bin/env python3
"""Flotilla and Redis side by side: three nodes here, a primary with two replicas there, both syncing every write.

usage: bench.py [--rounds N] [--requests N] [--changes N] [--only redis|any-node|gaps]…
                                                     (environment: FLOTILLA_SERVER)

Each round measures one after the other, in alternating order; the tables show medians. The numbers say something
about this machine in this hour only; the ratios are what to look at. A second table compares a follower to the
leader (any_node.py), a third one says for how long no write is answered when the leader changes (gaps.py).
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
from peers import RedisWithReplicas, default_timings  # noqa: E402
from runs import benchmark, show_progress  # noqa: E402

# name, arguments, share of --requests, which of the three numbers, its unit, what the ratio should be
MEASURES = [
    ("SET, 50 connections", ("-t", "set", "-c", "50"), 1, 0, "/s", ">= 0.7"),
    ("SET, 50 connections, pipelines of 16", ("-t", "set", "-c", "50", "-P", "16"), 4, 0, "/s", ">= 0.5"),
    ("GET, 50 connections", ("-t", "get", "-c", "50"), 2, 0, "/s", ">= 0.7"),
    ("GET, 50 connections, pipelines of 16", ("-t", "get", "-c", "50", "-P", "16"), 8, 0, "/s", ""),
    ("INCR, 50 connections", ("-t", "incr", "-c", "50"), 1, 0, "/s", ""),
    ("SET, 1 connection", ("-t", "set", "-c", "1"), 0.1, 0, "/s", ""),
    ("SET, 1 connection, p50", ("-t", "set", "-c", "1"), 0.1, 1, "ms", "<= 1.3"),
    ("SET, 1 connection, p99", ("-t", "set", "-c", "1"), 0.1, 2, "ms", ""),
    ("GET, 1 connection, p50", ("-t", "get", "-c", "1"), 0.1, 1, "ms", ""),
]


def measure(cluster, redis, rounds, requests):
    """{(arguments, who): [(rps, p50, p99), …]}"""
    results = {}
    runs = dict.fromkeys((arguments, share) for _, arguments, share, *_ in MEASURES)
    for number in range(rounds):
        for arguments, share in runs:
            sides = [("flotilla", cluster.wait_leader().port), ("redis", redis.port)]
            for who, port in sides if number % 2 == 0 else reversed(sides):
                show_progress(f"round {number + 1} of {rounds}: {' '.join(arguments)}, {who}")
                result = benchmark(port, max(int(requests * share), 100), *arguments)
                results.setdefault((arguments, who), []).append(result)
    show_progress("")
    return results


def print_table(results):
    print(f"{'':40} {'flotilla':>12} {'redis':>12} {'ratio':>7}  goal")
    for name, arguments, _, which, unit, goal in MEASURES:
        ours, theirs = (statistics.median(row[which] for row in results[arguments, who])
                        for who in ("flotilla", "redis"))
        digits = 0 if unit == "/s" else 3
        print(f"{name:40} {ours:>9,.{digits}f} {unit:2} {theirs:>9,.{digits}f} {unit:2} {ours / theirs:>7.2f}  {goal}")


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
    redis = None
    try:
        cluster.start()
        if "redis" in wanted:
            redis = RedisWithReplicas()
            print_table(measure(cluster, redis, options.rounds, options.requests))
            redis.close()
            redis = None
        if "any-node" in wanted:
            any_node.run(cluster, options.rounds, options.requests)
        if "gaps" in wanted:
            gaps.run(cluster, options.changes)
    finally:
        cluster.close()
        if redis:
            redis.close()


if __name__ == "__main__":
    main()
