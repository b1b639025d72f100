"""How far Flotilla's figures are from what this machine allows."""
import os

from results import Table

BLOCK = 4096  # what a disk writes at least
NODES = 3
SYNC = ("filled file, 128 bytes, fdatasync", "p50 of three at once")
THROUGHPUT = ["SET, 50 connections", "SET, 50 connections, pipelines of 16", "GET, 50 connections",
              "GET, 50 connections, pipelines of 16"]


def _row(table, label):
    return next(row for row in table.rows if row.label == label)


def table_of(disk, compare):
    """Of those two tables, measured one after the other."""
    table = Table("limits", "flotilla and its limits here", ["flotilla", "limit"])

    def add(label, unit, limit, why):
        ours = _row(compare, label).median("flotilla")
        if ours is not None and limit:
            row = table.row(f"{label} ({why})", unit)
            row.add("flotilla", ours)
            row.add("limit", limit)

    add("SET, 1 connection, p50", "us", _row(disk, SYNC[0]).median(SYNC[1]), "one sync, three at once on this disk")
    others = [_row(compare, "GET, 1 connection, p50").median(side) for side in compare.sides[1:]]
    trip = min((us for us in others if us), default=None)
    add("GET, 1 connection, p50", "us", trip and 2 * trip, "two round trips: to the leader, from there to a follower")
    add("SET, 1 connection, syncs", "", NODES, "one of each node")
    add("SET, 1 connection, bytes to the disk", "B", NODES * BLOCK, "one block of each node")
    for label in THROUGHPUT:
        busy, rate = _row(compare, f"{label}, processors busy with it and with the client"), _row(compare, label)
        if busy.median("flotilla") and rate.median("flotilla"):
            add(label, "/s", rate.median("flotilla") * os.cpu_count() / busy.median("flotilla"),
                "all processors busy with it and the client")
    return table
