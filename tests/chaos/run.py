"""Chaos with real processes: nodes, clients and faults for a while; then everything heals, and all is judged.

    tests/chaos/run.py [--minutes M | --seconds S] [--seed N] [--nodes 3|5] [--faults kind,kind…] …

A run is a row of rounds, each with a fresh cluster and a seed of its own, counted up from the first. --seed alone
plays the round of that seed again: the same faults at the same times, as far as real processes can be told."""
import argparse
import contextlib
import os
import pathlib
import random
import secrets
import shutil
import signal
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import checks  # noqa: E402
import jobs  # noqa: E402
import linear  # noqa: E402
from clients import Client, NothingHappened, Unknown  # noqa: E402
from cluster import PATIENCE, TOP  # noqa: E402
from faults import KINDS, Nemesis, Timeline  # noqa: E402
from history import UNKNOWN, History  # noqa: E402
from nodes import ChaosCluster  # noqa: E402
from resp import Closed, Error  # noqa: E402
from waiting import TimedOut, wait_for  # noqa: E402
from workloads import ACCOUNTS, EACH_BEGINS_WITH, Climbers, Counters, Loyal, Workload, make_all, make_loyal, text  # noqa: E402

ROUND_SECONDS = 40
WORKERS = 3
HEALED_SECONDS = 30  # within so many there is a leader that takes writes, once all is healed


class Round:
    """One cluster, its clients and its faults. complaints: {check: [text…]}."""

    def __init__(self, seed, nodes=None, seconds=ROUND_SECONDS, clients=12, kinds=None, leases=False):
        self.seed = seed
        self.rng = random.Random(f"{seed} round")
        self.size = nodes or self.rng.choice([3, 3, 5])
        self.seconds = seconds
        self.client_count = clients
        self.kinds = kinds or list(KINDS)
        self.leases = leases or self.rng.choice([False, False, True])
        self.pause = 0.008
        self.stopping = threading.Event()
        self.complaints = {}
        self.passed = []
        self.configurations = 0
        self.judged = {}
        timeout = self.rng.choice([300, 500, 800])
        self.leader_wait_ms = self.rng.choice([0, 300, 2000, 60000])
        self.cluster = ChaosCluster(seed, self.size, f"chaos-{seed}", **{
            "raft-election-timeout-ms": int(timeout * PATIENCE), "raft-heartbeat-ms": int(timeout * PATIENCE / 8),
            "leader-wait-ms": self.leader_wait_ms})
        if self.leases:
            self.cluster.directives["raft-lease-drift-percent"] = 10
            for node in self.cluster.everybody:
                self.cluster.write_config(node)
        for node in self.cluster.everybody:
            node.drift_ppm = self.rng.choice([0, 0, -20000, 20000])
            node.ahead_ns = int(self.rng.choice([0, 0, 2, -2, 3600]) * 1e9)
            self.cluster.write_clock(node)
        self.history = History(self.cluster.dir / "history")
        self.timeline = Timeline(self.cluster.dir / "timeline")
        self.nemesis = Nemesis(self.cluster, random.Random(f"{seed} faults"), self.timeline,
                               clients + 2 * self.size + 1 + WORKERS, self.kinds)
        self.workloads = []

    # --- the course ---

    def play(self):
        try:
            self.begin()
            self.nemesis.rage(time.monotonic() + self.seconds)
            self.judge()
        finally:
            self.stopping.set()
            self.history.close()
            self.timeline.close()
        return not self.complaints

    def begin(self):
        self.timeline.note("begin", seed=self.seed, nodes=self.size)
        self.cluster.start()
        self.final_client = Client(self.cluster.addresses, 100, self.rng, 5 * PATIENCE)
        assert self.final_client.call("MSET", *[word for account in ACCOUNTS for word in (account, EACH_BEGINS_WITH)]) == "OK"
        jobs.begin(self.final_client.call)
        self.workloads = make_all(self, self.client_count)
        for _ in range(WORKERS):
            self.workloads.append(jobs.Jobs(self, self.workloads[-1].number + 1))
        self.workloads += make_loyal(self, self.workloads[-1].number + 1)
        for workload in self.workloads:
            workload.start()

    def record(self, check, complaints):
        if complaints:
            self.complaints[check] = complaints
        else:
            self.passed.append(check)

    # --- the judgement ---

    def judge(self):
        self.recover()
        self.stop_clients()
        if "recovery" not in self.complaints:
            self.compare_nodes()
            self.judge_keys()
        self.judge_searched()
        self.judge_processes()

    def recover(self):
        """All nodes run; there is a leader; it takes writes."""
        complaints = []
        try:
            self.cluster.wait_leader(timeout=HEALED_SECONDS)
            wait_for(self.nemesis.reconcile, HEALED_SECONDS * PATIENCE, "the members are known, and none is demoted")
            wait_for(self.all_up, HEALED_SECONDS * PATIENCE, "all nodes run and answer")
            wait_for(self.takes_writes, HEALED_SECONDS * PATIENCE, "a write is acknowledged")
        except TimedOut as error:
            complaints.append(str(error))
        self.record("recovery", complaints)

    def all_up(self):
        self.nemesis.watch_processes()
        for node in self.cluster.nodes:
            with contextlib.suppress(OSError, Closed):
                reply = node.call("INFO", "raft")  # one that has not begun has applied nothing
                if not isinstance(reply, Error) and b"raft_last_applied_index" in reply:
                    continue
            return False
        return True

    def takes_writes(self):
        try:
            return self.final_client.call("SET", "healed", self.seed) == "OK"
        except Unknown:
            return False

    def stop_clients(self):
        self.stopping.set()
        deadline = time.monotonic() + 30 * PATIENCE
        for workload in self.workloads:
            workload.join(max(0, deadline - time.monotonic()))
        hanging = [f"client {one.number} hangs" for one in self.workloads if one.is_alive()]
        loyal = [one for one in self.workloads if isinstance(one, Loyal)]
        self.record("clients", hanging + [text for one in self.workloads if one not in loyal for text in one.complaints])
        self.record("exactly once", [text for one in loyal for text in one.complaints])

    def compare_nodes(self):
        complaints = []
        try:
            self.cluster.wait_equal(timeout=HEALED_SECONDS)
        except AssertionError as error:
            complaints.append(str(error))
        self.record("equal nodes", complaints)

    def final(self, *command):
        while True:
            try:
                return self.final_client.call(*command)
            except Unknown:
                pass  # a read

    def judge_keys(self):
        by_key = self.history.by_key
        complaints = []
        for key in Counters.KEYS:
            operations = by_key.get(key, [])
            found = checks.counter(operations, int(self.final("GET", key) or 0))
            complaints += [f"{key}: {one}" for one in found]
            self.count_judged("counters", operations)
        self.record("counters", complaints)
        loyal = [one for one in self.workloads if isinstance(one, Loyal)]
        complaints = [(one, one.numbers.end(int(self.final("GET", one.key) or 0))) for one in loyal]
        self.record("exactly once, at the end", [f"{one.key}: {text}" for one, text in complaints if text])
        self.judged["increments of loyal clients"] = sum(one.numbers.answered for one in loyal)
        complaints = []
        for key in [key for key in by_key if key.startswith("appended:")]:
            complaints += [f"{key}: {one}" for one in checks.appended(by_key[key], text(self.final("GET", key)))]
            self.count_judged("appends", by_key[key])
        self.record("appends", complaints)
        complaints = []
        for key in [key for key in by_key if key.startswith("expiring:")]:
            complaints += [f"{key}: {one}" for one in checks.expiry(by_key[key], self.nemesis.restarts)]
            self.count_judged("expiring", by_key[key])
        self.record("expiry", complaints)
        self.judge_jobs()
        operations = by_key.get("accounts", [])
        self.record("accounts", checks.accounts(operations, list(map(text, self.final("MGET", *ACCOUNTS)))))
        self.count_judged("transfers", operations)
        for key in [key for key in by_key if key.startswith(("register:", "presence:"))]:
            reader = Workload(self, 100)
            reader.client = self.final_client
            while reader.get(key).outcome == UNKNOWN:
                pass
        self.judged["reads of followers"] = sum(one.judged for one in self.workloads if isinstance(one, Climbers))

    def final_transaction(self, commands):
        while True:
            try:
                return self.final_client.transaction(commands)
            except (Unknown, NothingHappened):
                pass  # reads

    def judge_jobs(self):
        left, done = jobs.left(self.final, self.final_transaction)
        complaints = []
        for key, waiting in left.items():
            operations = self.history.by_key.get(key, [])
            complaints += [f"{key}: {one}" for one in checks.queue(operations, waiting, key != jobs.SCORES)]
            self.count_judged("jobs", operations)
        complaints += [f"{jobs.DONE}: {one}" for one in checks.moved(self.history.by_key.get(jobs.MOVED, []), done)]
        self.record("jobs", complaints)

    def count_judged(self, name, operations):
        self.judged[name] = self.judged.get(name, 0) + len(operations)

    def judge_searched(self):
        complaints = []
        for key, operations in self.history.by_key.items():
            if not key.startswith(("register:", "presence:")):
                continue
            report = linear.check(operations)
            self.configurations += report.configurations
            self.count_judged("registers", operations)
            if report.verdict == linear.GAVE_UP:
                self.judged["keys given up"] = self.judged.get("keys given up", 0) + 1
            elif report.verdict != linear.OKAY:
                complaints.append(report.text)
        self.record("registers", complaints)

    def judge_processes(self):
        """No node has ended by itself, each ends in order, and no log tells of an assertion."""
        complaints = list(self.nemesis.complaints)
        self.nemesis.watch_processes()
        for node in self.cluster.nodes:
            if node.running:
                node.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 20 * PATIENCE
        for node in self.cluster.nodes:
            status = self.nemesis.wait_exit(node, deadline)
            if status is None:
                complaints.append(f"node {node.id} does not end on SIGTERM")
                node.kill()
            elif status != 0:
                complaints.append(f"node {node.id} ended with status {status} on SIGTERM: {node.tail(3)}")
            complaints += self.read_log(node)
        for node in self.cluster.pool:
            complaints += self.read_log(node)
        complaints += self.processes_left()
        self.record("processes", complaints)

    def processes_left(self):
        """Those that name this cluster's folder in their command line."""
        left = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(self.cluster.dir).encode() in path.read_bytes():
                    left.append(f"process {path.parent.name} is left: {path.read_bytes()!r}")
        return left

    @staticmethod
    def read_log(node):
        if not node.log.exists():
            return []
        bad = ("assertion failed", "differs from that of a majority", "no majority says who is right", "Sanitizer",
               "runtime error", "stack smashing", "double free")
        lines = node.log.read_text(errors="replace").splitlines()
        return [f"the log of node {node.id} says: {line}" for line in lines if any(word in line for word in bad)][:5]

    def close(self, keep_folder=False):
        self.stopping.set()
        self.cluster.close(keep_folder=keep_folder)


class Summary:
    def __init__(self):
        self.rounds = self.passed = self.failed = 0
        self.faults, self.operations, self.judged, self.answers, self.network = {}, {}, {}, {}, {}
        self.changes = {}
        self.configurations = 0

    @staticmethod
    def add(to, counts):
        for name, count in counts.items():
            to[name] = to.get(name, 0) + count

    def take(self, one):
        self.rounds += 1
        self.passed += len(one.passed)
        self.failed += len(one.complaints)
        self.configurations += one.configurations
        self.add(self.faults, one.nemesis.counts)
        self.add(self.changes, one.nemesis.answers)
        self.add(self.operations, {f"{kind} {outcome}": n for (kind, outcome), n in one.history.counts.items()})
        self.add(self.judged, one.judged)
        if one.cluster.network:
            self.add(self.network, one.cluster.network.stats())
        for workload in one.workloads:
            self.add(self.answers, workload.client.counts)

    def print(self):
        def row(name, counts):
            print(f"{name}: " + (", ".join(f"{what} {n}" for what, n in sorted(counts.items())) or "none"))
        row(f"faults ({sum(self.faults.values())})", self.faults)
        row("network", self.network)
        row("answers to changes", self.changes)
        row("operations", self.operations)
        row("answers on the way", self.answers)
        row("judged", {**self.judged, "configurations": self.configurations})
        print(f"{self.rounds} rounds; {self.passed} passed, {self.failed} failed", flush=True)


def report(one, options):
    folder = one.cluster.dir
    print(f"seed {one.seed}: FAILED")
    for check, complaints in one.complaints.items():
        for text in complaints[:6]:
            print(f"  {check}: " + text.replace("\n", "\n    "))
    print(f"  the folder is kept: {folder} (timeline, history, node-*/log)")
    faults = f" FAULTS={options.faults}" if options.faults else ""
    print(f"  again: make chaos SEED={one.seed} NODES={one.size} SECONDS={one.seconds:g}{faults}", flush=True)


def chosen_kinds(options):
    if not options.faults:
        return list(KINDS)
    kinds = options.faults.split(",")
    for kind in kinds:
        if kind not in KINDS:
            sys.exit(f"chaos: no fault is called '{kind}'; known: {', '.join(KINDS)}")
    return kinds


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="rounds for so long")
    parser.add_argument("--seconds", type=float, default=ROUND_SECONDS, help="of faults in a round")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--nodes", type=int, choices=[3, 5], help="drawn from the seed if not given")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--faults", help=f"only these: {','.join(KINDS)}")
    parser.add_argument("--leases", action="store_true", help="reads under leases")
    parser.add_argument("--stop", action="store_true", help="no further round after one that failed")
    parser.add_argument("--keep", action="store_true", help="keep the folders of good rounds as well")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupt)
    seed = options.seed if options.seed is not None else secrets.randbelow(10**6)
    end = time.monotonic() + 60 * (options.minutes or 0)
    summary = Summary()
    print(f"chaos: seed {seed}, {os.path.relpath(os.environ.get('FLOTILLA_SERVER', TOP / 'build/flotilla-server'))}", flush=True)
    while True:
        begin = time.monotonic()
        one = Round(seed, options.nodes, options.seconds, options.clients, chosen_kinds(options), options.leases)
        good = False
        try:
            good = one.play()
            summary.take(one)
            if good:
                print(f"seed {seed}: {one.size} nodes, {sum(one.nemesis.counts.values())} faults, "
                      f"{sum(one.history.counts.values())} operations, {time.monotonic() - begin:.0f} s: fine", flush=True)
            else:
                report(one, options)
        except BaseException:
            print(f"seed {seed}: broke off; the folder is kept: {one.cluster.dir}", flush=True)
            raise
        finally:
            one.close(keep_folder=options.keep or not good)
        seed += 1
        if (options.stop and not good) or time.monotonic() + options.seconds > end:
            break
    summary.print()
    return summary.failed > 0


if __name__ == "__main__":
    sys.exit(main())
