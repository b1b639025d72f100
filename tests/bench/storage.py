#!/usr/bin/env python3
"""What storage costs: bytes on the disk, latency during a snapshot, the time of a restart.

usage: storage.py [--keys N] [--samples N] [--rounds N]     (environment: FLOTILLA_SERVER)

All of it with keys of 16 and values of 32 bytes. Redis is measured on the same files, or does the same work, right
before or after. The numbers say something about this machine in this hour only; the ratios are what to look at.
"""
import argparse
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "compat")]

from cluster import Cluster, Ports, spawn, temporary_folder  # noqa: E402
from counters import cpu_us  # noqa: E402
from resp import Closed, Connection  # noqa: E402
from servers import Redis  # noqa: E402
from waiting import wait_for  # noqa: E402

VALUE = b"v" * 32
BATCH = 1000


def command(number):
    return b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$32\r\n%b\r\n" % (number, VALUE)


def fill(port, keys):
    """Pipelines of SETs, the next ones while the replies to the last ones come in."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        expected = keys * len(b"+OK\r\n")

        def read():
            got = 0
            while got < expected:
                part = connection.recv(1 << 20)
                assert part and b"-" not in part, part[:200]
                got += len(part)
        reader = threading.Thread(target=read)
        reader.start()
        for start in range(0, keys, BATCH):
            connection.sendall(b"".join(map(command, range(start, min(start + BATCH, keys)))))
        reader.join()


def latencies(port, samples, busy=lambda: True):
    """Seconds of single SETs on one connection, of those that began while busy() said so."""
    taken = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = 0
        while len(taken) < samples:
            counts = busy()
            start = time.perf_counter()
            connection.sendall(command(number % BATCH))
            reply = connection.recv(100)
            if counts:
                taken.append(time.perf_counter() - start)
            assert reply == b"+OK\r\n", reply
            number += 1
    return sorted(taken)


def percentile(values, share):
    return values[min(int(len(values) * share), len(values) - 1)] * 1000


class Snapshots(threading.Thread):
    """One snapshot after the other on all nodes, until it is stopped; busy() while one is being written."""

    def __init__(self, ports):
        super().__init__(daemon=True)
        self.ports = ports
        self.stopping = False
        self.running = False

    def in_progress(self, connections):
        return any(b"rdb_bgsave_in_progress:1" in connection.call("INFO", "persistence")
                   for connection in connections)

    def run(self):
        connections = [Connection(port=port, timeout=60) for port in self.ports]
        while not self.stopping:
            self.running = True
            for connection in connections:
                connection.call("BGSAVE")
            while self.in_progress(connections):
                time.sleep(0.005)
            self.running = False
            time.sleep(0.05)
        for connection in connections:
            connection.close()

    def busy(self):
        return self.running

    def finish(self):
        self.stopping = True
        self.join()


def latency_with_and_without(port, ports, samples):
    """(p99.9 ms without, during snapshots)"""
    quiet = latencies(port, samples)
    snapshots = Snapshots(ports)
    snapshots.start()
    busy = latencies(port, samples, snapshots.busy)
    snapshots.finish()
    return [(percentile(one, 0.5), percentile(one, 0.999)) for one in (quiet, busy)]


def until_loaded(start, port, keys):
    """(seconds from the start until all keys are served, seconds of processor time in it)"""
    begun = time.perf_counter()
    process = start()

    def has_all():
        try:
            with Connection(port=port, timeout=60) as connection:
                return connection.call("DBSIZE") == keys
        except (OSError, Closed):
            return False
    wait_for(has_all, 120, "all keys are there", interval=0.002)
    took = time.perf_counter() - begun
    cpu = cpu_us([process.pid]) / 1e6
    process.kill()
    process.wait()
    return took, cpu


def restarts(node, keys, rounds):
    """Medians of what until_loaded() tells: this node's, and Redis' on a copy."""
    copy = temporary_folder("restart")
    ports = Ports()
    port = ports.take()

    def redis():
        return spawn(["redis-server", "--port", str(port), "--appendonly", "yes", "--save", "", "--dir", str(copy)],
                     copy / "log")

    def flotilla():
        node.start(wait=False)
        return node.process
    ours, theirs = [], []
    try:
        for _ in range(rounds):
            shutil.rmtree(copy / "appendonlydir", ignore_errors=True)
            shutil.copytree(node.data / "shard-0" / "appendonlydir", copy / "appendonlydir")
            subprocess.run(["sync"], check=True)
            ours.append(until_loaded(flotilla, node.port, keys))
            theirs.append(until_loaded(redis, port, keys))
    finally:
        ports.close()
        shutil.rmtree(copy, ignore_errors=True)
    return [[statistics.median(figures) for figures in zip(*rows)] for rows in (ours, theirs)]


def snapshot_is_in_use(node):
    """The manifest names one, and no entries behind it."""
    lines = (node.appendonly / "appendonly.aof.manifest").read_text().splitlines()
    types = [line.rsplit(" ", 1)[1] for line in lines]
    return types.count("b") == 1 and types.count("i") == 1


def measure_latency(keys, samples):
    cluster = Cluster("bench", **{"raft-snapshot-log-bytes": 0})
    redis = Redis("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
    try:
        cluster.start()
        leader = cluster.wait_leader()
        fill(leader.port, keys)
        fill(redis.port, keys)
        written = int(leader.info("persistence")["log_bytes_written"])
        wait_for(lambda: len({node.applied for node in cluster.nodes}) == 1, 60, "all have applied the same")
        ours = latency_with_and_without(leader.port, [node.port for node in cluster.nodes], samples)
        assert cluster.wait_leader() is leader, "leadership moved"
        theirs = latency_with_and_without(redis.port, [redis.port], samples)
    finally:
        cluster.close()
        redis.close()
    return written / keys, ours, theirs


def measure_restart(keys, rounds):
    """Of a single node, which need not wait for others: with a snapshot, and with all of it in the log."""
    results = []
    for log_bytes in ("64mb", 0):
        cluster = Cluster("bench", size=1, **{"raft-snapshot-log-bytes": log_bytes})
        try:
            cluster.start()
            node = cluster.nodes[0]
            fill(node.port, keys)
            if log_bytes:
                wait_for(lambda: node.call("SAVE") == "OK", 60, "no other snapshot goes on, and one is taken")
                wait_for(lambda: snapshot_is_in_use(node), 20, "the manifest names the snapshot")
            node.kill()
            results.append(restarts(node, keys, rounds))
        finally:
            cluster.close()
    return results


def row(name, ours, theirs, unit, ratio, goal):
    print(f"{name:44} {ours:>10,.3f} {unit:3} {theirs:>10,.3f} {unit:3} {ratio:>6.2f}  {goal}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1000000)
    parser.add_argument("--samples", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    bytes_per_set, ours, theirs = measure_latency(options.keys, options.samples)
    print(f"{'':44} {'flotilla':>14} {'redis':>14} {'ratio':>6}  goal")
    print(f"{'log bytes per SET':44} {bytes_per_set:>10.1f} {'':3} {'':14} {'':6}  <= 180")
    row("SET p50, no snapshot", ours[0][0], theirs[0][0], "ms", ours[0][0] / theirs[0][0], "")
    row("SET p99.9, no snapshot", ours[0][1], theirs[0][1], "ms", ours[0][1] / theirs[0][1], "")
    row("SET p99.9, during snapshots", ours[1][1], theirs[1][1], "ms", ours[1][1] / theirs[1][1], "")
    row("  the second to the first", ours[1][1] / ours[0][1], theirs[1][1] / theirs[0][1], "x",
        ours[1][1] / ours[0][1], "flotilla's <= 2")
    for name, (mine, other) in zip(("restart from a snapshot", "restart from the log"),
                                   measure_restart(options.keys, options.rounds)):
        row(name, mine[0], other[0], "s", mine[0] / other[0], "<= 0.5")
        row("  processor time", mine[1], other[1], "s", mine[1] / other[1], "<= 0.5")


if __name__ == "__main__":
    main()
