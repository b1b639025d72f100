#!/usr/bin/env python3
"""Every data type: processor time, throughput and memory beside redis-server.

usage: values.py [--rounds N] [--requests N] [--elements N] [--only speed|nodes|memory|resident|large]…
                                                                                (environment: FLOTILLA_SERVER)

speed     One node alone beside one redis-server alone, without syncs: processor time of the whole process for a
          command, because that is what many clients have to share. Redis' figure is divided by ours, so that more
          than 1 means that ours is cheaper.
nodes     Three nodes beside a redis-server with two replicas, all syncing every write: commands per second.
memory    One beside one: MEMORY USAGE of values, and what a process counts for many keys.
resident  One beside one: what the system says that a process grew by, for many values.
large     One beside one: commands on values of ten million elements. A cliff would show.
"""
import argparse
import contextlib
import pathlib
import statistics
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "compat")]

from cluster import Cluster  # noqa: E402
from counters import cpu_us  # noqa: E402
from peers import RedisWithReplicas, default_timings  # noqa: E402
from runs import benchmark, show_progress  # noqa: E402
from servers import Redis  # noqa: E402

TABLES = ["speed", "nodes", "memory", "resident", "large"]
BATCH = 1000
PLAIN = ("PING_MBULK", "SET", "GET", "INCR", "LPUSH", "RPUSH", "LPOP", "RPOP", "SADD", "HSET", "SPOP", "ZADD", "ZPOPMIN",
         "LRANGE_100", "LRANGE_300", "LRANGE_500", "LRANGE_600", "MSET")
# name, commands that prepare (a pattern with {} for a number, and how many), the command
OTHERS = [
    ("HSET h:… f v", None, ("HSET", "h:__rand_int__", "f", "v")),
    ("HGETALL of 50", ("HSET h f{} v{}", 50), ("HGETALL", "h")),
    ("ZADD z …", None, ("ZADD", "z", "__rand_int__", "m:__rand_int__")),
    ("ZRANGEBYSCORE of 10", ("ZADD zs {} m{}", 10000), ("ZRANGEBYSCORE", "zs", "5000", "5009")),
    ("ZRANK in a million", ("ZADD zm {} m{}", 1000000), ("ZRANK", "zm", "m543210")),
    ("SINTER of 100 and 1,000", ("SADD s1 m{}", 100, "SADD s2 m{}", 1000), ("SINTER", "s1", "s2")),
    ("LRANGE of 100", ("RPUSH l e{}", 1000), ("LRANGE", "l", "0", "99")),
    ("XADD x MAXLEN ~ 1000", None, ("XADD", "x", "MAXLEN", "~", "1000", "*", "f", "v")),
    ("XREADGROUP", ("XGROUP CREATE xg g 0 MKSTREAM", 1, "XADD xg {}-1 f v", 200000),
     ("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "xg", ">")),
    ("PFADD", None, ("PFADD", "hll", "e:__rand_int__")),
    ("BITCOUNT of 64 KB", ("SETBIT b 524287 1", 1), ("BITCOUNT", "b")),
    ("GEOSEARCH of 10,000", ("GEOADD g {geo} p{}", 10000),
     ("GEOSEARCH", "g", "FROMLONLAT", "10", "10", "BYRADIUS", "100", "km", "COUNT", "10")),
    ("SORT of 100", ("RPUSH so {}", 100), ("SORT", "so")),
]
# name, a command for each element, elements
VALUES = [
    ("hash of 100 fields", "HSET k field:{} value:{}", 100),
    ("list of 1,000", "RPUSH k element:{}", 1000),
    ("set of 1,000 integers", "SADD k {}", 1000),
    ("set of 1,000 strings", "SADD k member:{}", 1000),
    ("sorted set of 10,000", "ZADD k {} member:{}", 10000),
    ("stream of 10,000", "XADD k {}-1 field value:{}", 10000),
]
RESIDENT_BYTES = 60_000_000  # of values of each kind; what a process needs besides is then small beside it
LARGE = [
    ("ZRANK", "ZADD k {} m{}", ("ZRANK", "k", "m{}")),
    ("ZRANGE", "ZADD k {} m{}", ("ZRANGE", "k", "{}", "{}")),
    ("SPOP", "SADD k m{}", ("SPOP", "k")),
    ("HSCAN", "HSET k f{} v", ("HSCAN", "k", "{}")),
    ("LINDEX", "RPUSH k e{}", ("LINDEX", "k", "{}")),
]


def fill(connection, pattern, count):
    """Pipelines of the command with the numbers from 1 on."""
    for first in range(1, count + 1, BATCH):
        batch = []
        for number in range(first, min(first + BATCH, count + 1)):
            place = f"{number % 170 - 85 + number / 1e5} {number % 160 - 80 + number / 1e5}"
            batch.append(pattern.replace("{geo}", place).replace("{}", str(number)).split())
        connection.pipeline(batch)


class Side:
    def __init__(self, name, server):
        self.name, self.port, self.pid = name, server.port, server.pid
        self.connect = lambda: server.connect(600)


def cpu_of(side, requests, *command):
    before = cpu_us([side.pid])
    benchmark(side.port, requests, "-c", "50", *command)
    return (cpu_us([side.pid]) - before) / requests


def rate_of(side, requests, *command):
    return benchmark(side.port, requests, "-c", "50", *command)[0]


def measure(sides, rounds, requests, figure_of):
    """Yields (name, our median, theirs) of each row."""
    rows = [(name, None, ("-t", name.lower())) for name in PLAIN] + OTHERS
    for name, prepare, command in rows:
        figures = {side.name: [] for side in sides}
        for side in sides:
            with side.connect() as connection:
                connection.call("FLUSHALL")
                for at in range(0, len(prepare or ()), 2):
                    fill(connection, prepare[at], prepare[at + 1])
        for number in range(rounds):
            for side in sides if number % 2 == 0 else reversed(sides):
                show_progress(f"{name}, {side.name}")
                figures[side.name].append(figure_of(side, requests, *command))
        yield name, *(statistics.median(figures[side.name]) for side in sides)


def speed(sides, rounds, requests):
    print(f"{'':28} {'flotilla':>12} {'redis':>12} {'redis/ours':>10}  goal")
    for name, ours, theirs in measure(sides, rounds, requests, cpu_of):
        print(f"{name:28} {ours:>9.2f} us {theirs:>9.2f} us {theirs / ours:>10.2f}  >= 0.95", flush=True)


def nodes(rounds, requests):
    cluster = Cluster("bench-values")
    default_timings(cluster)
    redis = RedisWithReplicas()
    try:
        cluster.start()
        leader = cluster.wait_leader()
        sides = [Side("flotilla", leader), Side("redis", redis.primary)]
        print(f"{'three nodes':28} {'flotilla':>12} {'redis':>12} {'ours/redis':>10}  goal")
        for name, ours, theirs in measure(sides, rounds, requests, rate_of):
            print(f"{name:28} {ours:>10,.0f}/s {theirs:>10,.0f}/s {ours / theirs:>10.2f}  >= 0.8", flush=True)
    finally:
        redis.close()
        cluster.close()


def used(connection, field):
    info = connection.call("INFO", "memory").decode()
    return next((int(line.split(":")[1]) for line in info.split("\r\n") if line.startswith(field + ":")), 0)


def memory(sides):
    print(f"{'':28} {'flotilla':>12} {'redis':>12} {'ours/redis':>10}  goal")
    for name, pattern, count in VALUES:
        bytes_of = []
        for side in sides:
            with side.connect() as connection:
                connection.call("FLUSHALL")
                fill(connection, pattern.replace(" k ", " key "), count)
                bytes_of.append(connection.call("MEMORY", "USAGE", "key", "SAMPLES", "0"))
        print(f"{name:28} {bytes_of[0]:>12,} {bytes_of[1]:>12,} {bytes_of[0] / bytes_of[1]:>10.2f}  <= 1.0", flush=True)
    keys = 300000
    grown = []
    for side in sides:
        with side.connect() as connection:
            connection.call("FLUSHALL")
            # What a process needs besides its data counts for neither.
            before = used(connection, "used_memory_dataset") + used(connection, "used_memory_overhead")
            overhead = used(connection, "used_memory_overhead")
            fill(connection, "SET key:{}:aaaaaaaa " + "v" * 32, keys)
            after = used(connection, "used_memory_dataset") + (
                used(connection, "used_memory_overhead") if side.name == "redis" else overhead)
            grown.append((after - before) / keys)
    print(f"{'a key of ~16, a value of 32':28} {grown[0]:>12.1f} {grown[1]:>12.1f} {grown[0] / grown[1]:>10.2f}  <= 0.75")


def resident(side):
    """Bytes of memory that are not a file's."""
    with open(f"/proc/{side.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))


def resident_of_values():
    print(f"{'resident bytes of each':28} {'flotilla':>12} {'redis':>12} {'ours/redis':>10}  goal")
    for name, pattern, elements in VALUES:
        grown = []
        with alone() as sides:  # processes that have freed nothing yet
            for side in sides:
                show_progress(f"{name}, {side.name}")
                with side.connect() as connection:
                    fill(connection, pattern.replace(" k ", " key "), elements)
                    values = RESIDENT_BYTES // connection.call("MEMORY", "USAGE", "key", "SAMPLES", "0")
                    before = resident(side)
                    for number in range(values):
                        fill(connection, pattern.replace(" k ", f" key:{number} "), elements)
                    grown.append((resident(side) - before) / values)
        print(f"{name:28} {grown[0]:>12,.0f} {grown[1]:>12,.0f} {grown[0] / grown[1]:>10.2f}  <= 1.0", flush=True)


def large(sides, count):
    print(f"{f'of {count:,} elements':28} {'flotilla':>12} {'redis':>12}")
    for name, pattern, command in LARGE:
        took = []
        for side in sides:
            show_progress(f"{name}, {side.name}")
            with side.connect() as connection:
                connection.call("FLUSHALL")
                fill(connection, pattern, count)
                begin, calls = time.monotonic(), 2000
                for call in range(calls):
                    number = str(call * 7919 % count + 1)
                    connection.call(*(word.replace("{}", number) for word in command))
                took.append((time.monotonic() - begin) / calls * 1e6)
        print(f"{name:28} {took[0]:>9.1f} us {took[1]:>9.1f} us", flush=True)


@contextlib.contextmanager
def alone():
    """One node and one redis-server, both without syncs."""
    cluster = Cluster("bench-types", size=1)
    cluster.directives["appendfsync"] = "no"
    for node in cluster.nodes:
        cluster.write_config(node)
    redis = Redis("--appendonly", "yes", "--appendfsync", "no")
    try:
        cluster.start()
        yield [Side("flotilla", cluster.wait_leader()), Side("redis", redis)]
    finally:
        cluster.close()
        redis.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=30000)
    parser.add_argument("--elements", type=int, default=10_000_000)
    parser.add_argument("--only", action="append", choices=TABLES)
    options = parser.parse_args()
    wanted = options.only or TABLES
    if {"speed", "memory", "large"} & set(wanted):
        with alone() as sides:
            if "speed" in wanted:
                speed(sides, options.rounds, options.requests)
            if "memory" in wanted:
                memory(sides)
            if "large" in wanted:
                large(sides, options.elements)
    if "nodes" in wanted:
        nodes(options.rounds, options.requests)
    if "resident" in wanted:
        resident_of_values()


if __name__ == "__main__":
    main()
