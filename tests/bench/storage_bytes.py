"""Bytes that a write costs on the disk, by how writes come and whether the log is filled ahead; at one connection also
what one sync takes."""
import contextlib

import peers
import runs
from results import Table

FILLS = ("0", "512kb")
# label, arguments, requests
LOADS = [
    ("1 connection", ("--connections", 1), 2000),
    ("50 connections", ("--connections", 50), 20000),
    ("50 connections, pipelines of 16", ("--connections", 50, "--pipeline", 16), 100000),
    ("50 connections, values of 16 KB", ("--connections", 50, "--value-bytes", 16384), 2000),
]


def log_of(flotilla):
    """(bytes, syncs) of the logs of all nodes, as they count them themselves."""
    infos = [node.info("persistence") for node in flotilla.cluster.nodes]
    return [sum(int(info[field]) for info in infos) for field in ("log_bytes_written", "log_syncs")]


def add_sync_times(table, side):
    """As the nodes know them: only sound directly behind the runs with one connection."""
    for node in side.cluster.nodes:
        p50 = dict(field.split("=") for field in node.raft()["raft_fsync_usec"].split(","))["p50"]
        table.row("1 connection: p50 of the nodes' syncs", "us").add(side.name, float(p50))


def measure(bench, table, side, load):
    label, arguments, requests = load
    count = bench.counter and bench.counter(side.pids)
    before = log_of(side) if isinstance(side, peers.Flotilla) else None
    try:
        run = runs.load(side, "--requests", requests, "--keys", 10000, "--value-bytes", 32, *arguments)
    finally:
        counted = count.finish() if count else {}
    done = run["acknowledged"]
    if before:
        bytes_, syncs = (after - earlier for after, earlier in zip(log_of(side), before))
        table.row(f"{label}: bytes of the log, a node", "B").add(side.name, bytes_ / done / len(side.pids))
        table.row(f"{label}: writes in one sync", "").add(side.name, done * len(side.pids) / max(syncs, 1))
    if "disk_bytes" in counted:
        table.row(f"{label}: bytes to the disk, a node", "B").add(side.name, counted["disk_bytes"] / done / len(side.pids))
    if "syncs" in counted:
        table.row(f"{label}: syncs, a node", "").add(side.name, counted["syncs"] / done / len(side.pids))


def table_of(bench, without):
    """Every node and replica writes a record of its own, so that all figures are a node's share."""
    with contextlib.ExitStack() as stack:
        sides = []
        for fill in FILLS:
            side = peers.Flotilla(name=f"filler {fill}", **{"raft-fill-bytes": fill})
            stack.callback(side.close)
            sides.append(side)
        sides += peers.start_sides((), ("flotilla", "valkey", *without), bench.notes)
        stack.callback(peers.close_sides, sides[len(FILLS):])
        table = Table("storage", "a SET, of 32 bytes if not said otherwise", [side.name for side in sides], compared=())
        for load in LOADS:
            for number in range(bench.rounds):
                for side in sides[number % len(sides):] + sides[:number % len(sides)]:
                    runs.show_progress(f"storage: {load[0]}, {side.name}")
                    try:
                        measure(bench, table, side, load)
                    except runs.LoadFailed as error:
                        table.notes.append(f"{side.name}, {load[0]}: {error}")
            if load is LOADS[0]:
                for side in sides[:len(FILLS)]:
                    add_sync_times(table, side)
        runs.show_progress("")
    return table
