#!/usr/bin/env python3
"""Flotilla beside Redis, Valkey, etcd and whatever else is named: three nodes here, a primary with two replicas there,
all syncing each write.

usage: bench.py [--only TABLE]… [--peer HOST:PORT]… [--json FILE] [--svg FOLDER] …     (--help shows the others)

Each round measures one side after the other, and begins with another one. Tables show medians with the least and the
greatest. The numbers say something about this machine in this hour only; the ratios are what to look at.

compare      SET, GET, INCR: throughput, latency; processor time, switches, calls, syncs and bytes for a request
mix          reads and writes together, uniform and Zipf
rate         latency at fixed rates, from when a request was due
sizes        values of 16 bytes to 64 KB
connections  1 to 10,000
keys         10,000 to 1,000,000 (--keys 10000000 for more)
nodes        clusters of 1, 3, 5 and 7
any-node     a follower beside the leader
gaps         for how long no write is acknowledged when the leader changes
disk         what a sync takes on this disk, in which form; with compare, how far that is from the limits
storage      bytes that a write costs, with filler and without
"""
import argparse
import contextlib
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "compat")]
# Thousands of connections: servers inherit this.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

import any_node  # noqa: E402
import disk  # noqa: E402
import gaps  # noqa: E402
import limits  # noqa: E402
import peers  # noqa: E402
import runs  # noqa: E402
import svg  # noqa: E402
import tables  # noqa: E402
from cluster import TOP  # noqa: E402
from measure import Bench  # noqa: E402
from storage_bytes import table_of as storage_table  # noqa: E402

ALL = [*tables.BESIDE, "nodes", "any-node", "gaps", "disk", "storage"]


def numbers(text):
    return [int(word) for word in text.split(",")]


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ALL, help="this table; may be given several times")
    parser.add_argument("--peer", action="append", default=[], metavar="HOST:PORT", help="a Redis server that runs already")
    parser.add_argument("--without", action="append", default=[], choices=["redis", "valkey", "etcd"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each single run")
    parser.add_argument("--rates", type=numbers, default=[1000, 4000, 16000], help="of the table rate")
    parser.add_argument("--value-bytes", type=numbers, default=[16, 1024, 16384, 65536], help="of the table sizes")
    parser.add_argument("--connections", type=numbers, default=[1, 10, 100, 1000, 10000], help="of the table connections")
    parser.add_argument("--keys", type=numbers, default=[10000, 100000, 1000000], help="of the table keys")
    parser.add_argument("--nodes", type=numbers, default=[1, 3, 5, 7], help="of the table nodes")
    parser.add_argument("--kills", type=int, default=30, help="of the leader, in the table gaps")
    parser.add_argument("--changes", type=int, default=10, help="of the leader, of each other kind")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="writes all samples")
    parser.add_argument("--svg", type=pathlib.Path, metavar="FOLDER", help="writes plots")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="writes the tables as Markdown")
    return parser.parse_args(arguments)


def machine():
    model = "unknown"
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    commit = subprocess.run(["git", "-C", str(TOP), "describe", "--always", "--dirty"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"processor": model, "cores": os.cpu_count(), "memory_gib": round(memory, 1), "kernel": platform.release(),
            "load_before": os.getloadavg()[0], "commit": commit, "python": platform.python_version(),
            "when": time.strftime("%Y-%m-%d %H:%M")}


def run_tables(options, notes, versions):
    """Yields each table when it is complete."""
    wanted = options.only or ALL
    bench = Bench(options.rounds, options.seconds, notes)
    if "disk" in wanted:
        syncs = disk.table_of(options.rounds)
        yield syncs
    with contextlib.ExitStack() as stack:
        beside = [name for name in tables.BESIDE if name in wanted]
        if beside:
            sides = peers.start_sides(options.peer, options.without, notes)
            stack.callback(peers.close_sides, sides)
            versions.update({side.name: side.version for side in sides})
            for name in beside:
                table = tables.BESIDE[name](bench, sides, options)
                yield table
                if name == "compare" and "disk" in wanted:
                    yield limits.table_of(syncs, table)
    if "any-node" in wanted or "gaps" in wanted:
        with contextlib.closing(peers.Flotilla()) as flotilla:
            versions["flotilla"] = flotilla.version
            if "any-node" in wanted:
                yield from any_node.table_of(bench, flotilla)
            if "gaps" in wanted:
                yield gaps.table_of(flotilla, options.kills, options.changes)
    if "nodes" in wanted:
        yield tables.nodes(bench, options)
    if "storage" in wanted:
        yield storage_table(bench, options.without)


def main():
    options = options_of(sys.argv[1:])
    if not os.access(runs.LOAD, os.X_OK):
        sys.exit(f"{runs.LOAD} is missing; build it with: make")
    about, notes, versions, done = machine(), [], {}, []
    try:
        for table in run_tables(options, notes, versions):
            for line in table.lines():
                print(line)
            print(flush=True)
            done.append(table)
    except ConnectionError as error:
        sys.exit(f"bench.py: {error}")
    finally:
        about["load_after"] = os.getloadavg()[0]
        if options.json:
            options.json.write_text(json.dumps({"machine": about, "versions": versions, "notes": notes,
                                                "tables": [table.as_json() for table in done]}, indent=1))
        if options.markdown:
            options.markdown.write_text("\n\n".join("\n".join(table.markdown()) for table in done) + "\n")
        if options.svg:
            svg.write(options.svg, done)
    print("  ".join(f"{key}: {value}" for key, value in about.items()))
    for name, version in versions.items():
        print(f"{name}: {version}")
    for note in notes:
        print(f"note: {note}")


if __name__ == "__main__":
    main()
