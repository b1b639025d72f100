#!/usr/bin/env python3
"""What an operation costs in counts that do not depend on how fast the machine is: instructions, system calls, bytes.

usage: counts.py [--renew]      (environment: FLOTILLA_SERVER, FLOTILLA_LOAD)

Prints what is counted beside what counts.txt expects; ends with 1 if something is outside of its tolerance. --renew
writes the new counts into counts.txt, each with the tolerance that it has there.

One client sends a fixed number of commands, one after the other or in pipelines of 16, so that what shares a batch does
not depend on time. Instructions are those of the whole server under valgrind's callgrind. It writes down what it has
counted whenever the server carries out LASTSAVE, and begins again from 0.
"""
import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "compat"), str(TESTS / "bench")]

import cluster as cluster_module  # noqa: E402
import counters  # noqa: E402
import runs  # noqa: E402
from cluster import SERVER, Cluster  # noqa: E402
from waiting import wait_for  # noqa: E402

EXPECTED = pathlib.Path(__file__).with_name("counts.txt")
MARK_FUNCTION = "server_lastsave"
# What is done by time, or asked for by the test: asks jemalloc for figures twice a second; INFO.
NOT_COUNTED = ("server_memory_tick", "server_info")
# Little but the client makes a node do something: few heartbeats, no election, no filler, no snapshot.
QUIET = {"raft-heartbeat-ms": 500, "raft-election-timeout-ms": 4000, "leader-wait-ms": 60000, "raft-fill-bytes": 0,
         "raft-snapshot-log-bytes": 0}
cluster_module.PATIENCE = max(cluster_module.PATIENCE, 3)  # valgrind takes its time
KEYS = 1000
# Differs by half from one run to another on a busy machine.
NOT_STEADY = re.compile(r"instructions, GET, (one by one, .*|.*follower) of 3|(bytes between nodes|system calls), GET.*")
# name, requests, arguments; requests are enough to make what happens once for all of them small
LOADS = [
    ("SET, pipelines of 16", 4000, ("--pipeline", 16)),
    ("GET, pipelines of 16", 4000, ("--pipeline", 16, "--reads", 100)),
    ("SET, one by one", 1000, ()),
    ("GET, one by one", 1000, ("--reads", 100)),
]
SECONDS = 60


class Client:
    """What flotilla-load is told."""

    protocol = "resp"

    def __init__(self, node):
        self.address = node.address


def run_load(node, requests, *arguments):
    run = runs.load(Client(node), "--requests", requests, "--keys", KEYS, "--distribution", "sequential", *arguments)
    assert run["acknowledged"] == requests and not run["reconnects"], run


def leader_first(cluster):
    leader = cluster.wait_leader(timeout=SECONDS)
    return [leader, *(node for node in cluster.nodes if node is not leader)]


def wait_equal(nodes):
    wait_for(lambda: len({node.applied for node in nodes}) == 1, SECONDS, "all have applied the same", interval=0.2)


def of_roles(values):
    """{role: value} of the leader's and the followers' values; those of followers as their mean."""
    shares = {"leader": values[0]}
    if len(values) > 1:
        shares["follower"] = sum(values[1:]) / (len(values) - 1)
    return shares


# --- instructions ---

def start_under_callgrind(size):
    cluster = Cluster("counts", size=size, **QUIET)
    for node in cluster.nodes:
        node.program = ["valgrind", "--tool=callgrind", "--compress-strings=no", f"--dump-before={MARK_FUNCTION}",
                        f"--callgrind-out-file={node.dir / 'callgrind'}", SERVER]
    return cluster


def instructions_in(text):
    """The sum of one file of callgrind, less what calls of NOT_COUNTED cost with all that they called."""
    total = int(re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE).group(1))
    calls = re.findall(r"^cfn=(.*)\ncalls=.*\n\S+ (\d+)$", text, re.MULTILINE)
    return total - sum(int(cost) for name, cost in calls if name.split("'")[0] in NOT_COUNTED)


def marked(node, number):
    """Instructions since the last mark, which was the one before this."""
    node.call("LASTSAVE")
    path = node.dir / f"callgrind.{number}"
    wait_for(lambda: path.exists() and "\ntotals: " in path.read_text(), SECONDS, f"callgrind meets {MARK_FUNCTION}()")
    return instructions_in(path.read_text())


def count_instructions(size):
    """{name: instructions of a node for an operation}"""
    counts = {}
    cluster = start_under_callgrind(size)
    try:
        cluster.start()
        nodes = leader_first(cluster)
        run_load(nodes[0], 2 * KEYS)  # each key is there, and what grows has grown
        wait_equal(nodes)
        for node in nodes:
            marked(node, 1)
        for number, (what, requests, arguments) in enumerate(LOADS, 2):
            run_load(nodes[0], requests, *arguments)
            wait_equal(nodes)
            for role, sum_ in of_roles([marked(node, number) for node in nodes]).items():
                where = "one node" if size == 1 else f"{role} of {size}"
                counts[f"instructions, {what}, {where}"] = sum_ / requests
        assert cluster.wait_leader() is nodes[0], "leadership moved: what was counted means nothing"
    finally:
        cluster.close()
    return counts


# --- system calls and bytes of three nodes ---

def log_of(node):
    info = node.info("persistence")
    return int(info["log_bytes_written"]), int(info["log_syncs"])


def count_calls_and_bytes(count_calls=None, **directives):
    """{name: of a node for an operation}. System calls are counted by such a class of counters.py, or not."""
    counts = {}
    with Cluster("counts", links=True, **{**QUIET, **directives}) as cluster:
        nodes = leader_first(cluster)
        run_load(nodes[0], 2 * KEYS)
        wait_equal(nodes)
        for what, requests, arguments in LOADS:
            passed, logs = bytes_passed(cluster), [log_of(node) for node in nodes]
            calls = [count_calls([node.pid]) for node in nodes] if count_calls else []
            try:
                run_load(nodes[0], requests, *arguments)
            finally:
                sums = [call.finish().get("syscalls") for call in calls]
            wait_equal(nodes)
            counts[f"bytes between nodes, {what}"] = (bytes_passed(cluster) - passed) / requests
            if what.startswith("SET"):
                differences = [(after[0] - before[0], after[1] - before[1])
                               for after, before in zip(map(log_of, nodes), logs)]
                for role, bytes_ in of_roles([bytes_ for bytes_, _ in differences]).items():
                    counts[f"bytes of the log, {what}, {role}"] = bytes_ / requests
                for role, syncs in of_roles([syncs for _, syncs in differences]).items():
                    counts[f"syncs, {what}, {role}"] = syncs / requests
            if sums and None not in sums:
                for role, sum_ in of_roles(sums).items():
                    counts[f"system calls, {what}, {role}"] = sum_ / requests
        assert cluster.wait_leader() is nodes[0], "leadership moved: what was counted means nothing"
    return counts


def bytes_passed(cluster):
    return sum(link.bytes_passed for link in cluster.links.values())


# --- what is expected ---

def read_expected(text):
    """{name: (count, tolerance in percent)} of lines such as "12345 10% name"; # begins a remark."""
    expected = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            count, tolerance, name = line.split(maxsplit=2)
            expected[name] = float(count), float(tolerance.rstrip("%"))
    return expected


def faults(expected, counts):
    """{name: what is wrong} of each count that is outside of its tolerance, either way; of each that nobody expects, and
    of each that is missing."""
    found = {}
    for name, count in counts.items():
        if name not in expected:
            found[name] = f"{name}: {count:,.2f}, and counts.txt does not have it"
            continue
        wanted, tolerance = expected[name]
        change = (count - wanted) / wanted * 100
        if abs(change) > tolerance:
            found[name] = f"{name}: {count:,.2f}, expected {wanted:,.2f} ± {tolerance:g} % ({change:+.1f} %)"
    for name in expected:
        if name not in counts:
            found[name] = f"{name}: was not counted"
    return found


ADVICE = ("If that is meant, write the new counts down with `make counts RENEW=yes` and say in the commit what they are "
          "for. If it is not, something costs more than it did, or less is done than has to be.")


def renewed(text, counts):
    """The same lines with new counts; new ones at the end, with 10 %."""
    lines, left = [], dict(counts)
    for line in text.splitlines():
        name = None if line.startswith("#") or not line else line.split(maxsplit=2)[2]
        if name in left:
            line = line_of(left.pop(name), line.split()[1], name)
        lines.append(line)
    lines += [line_of(count, "10%", name) for name, count in left.items()]
    return "\n".join(lines) + "\n"


def line_of(count, tolerance, name):
    digits = 0 if count >= 1000 else 1 if count >= 10 else 4
    return f"{count:<8.{digits}f} {tolerance:4} {name}"


def count_all():
    counts = {**count_instructions(1), **count_instructions(3), **count_calls_and_bytes(counters.counter()[0])}
    return {name: count for name, count in counts.items() if not NOT_STEADY.fullmatch(name)}


def main():
    counts = count_all()
    text = EXPECTED.read_text() if EXPECTED.exists() else ""
    expected = read_expected(text)
    for name, count in counts.items():
        wanted, tolerance = expected.get(name, (float("nan"), 0))
        print(f"{name:52} {count:>12,.2f} {wanted:>12,.2f} ± {tolerance:g} %")
    if "--renew" in sys.argv:
        EXPECTED.write_text(renewed(text, counts))
        return 0
    found = faults(expected, counts)
    print("\n".join([*found.values(), ADVICE] if found else ["all as expected"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
