"""For how long no write is acknowledged when the leader changes: clients send at a fixed rate meanwhile."""
import math
import signal
import time

import runs
from results import Table
from waiting import wait_for

CHANGE_SECONDS = 60
ARGUMENTS = ("--connections", 30, "--pipeline", 100, "--rate", 2000, "--keys", 1000, "--seconds", CHANGE_SECONDS,
             "--gap-ms", 1)


class Clients:
    """Clients of some nodes, who write until they are stopped."""

    protocol = "resp"

    def __init__(self, cluster, nodes):
        self.cluster = cluster
        self.address = ",".join(node.address for node in nodes)
        self.process = runs.start_load(self, *ARGUMENTS)

    def wait_for_writes(self, count=200):
        """Until the one that leads now has committed so many more."""
        leader = self.cluster.wait_leader()
        goal = self._committed(leader) + count

        def committed():
            if self.process.poll() is not None:
                raise runs.LoadFailed(f"flotilla-load ended: {self.process.communicate()}")
            return self._committed(leader) >= goal
        wait_for(committed, CHANGE_SECONDS, "writes are committed")

    @staticmethod
    def _committed(node):
        return int(node.raft()["raft_commit_index"])

    def finish(self):
        self.process.send_signal(signal.SIGINT)
        return runs.load_result(self.process, CHANGE_SECONDS)


def longest_since(moment, run):
    """Milliseconds, of the gaps that had not ended at that moment; 0 if all are shorter than what is listed."""
    return max((ms for begin, ms in run["gaps"] if begin + ms / 1000 >= moment), default=0)


def gap(cluster, change, restore, on_all):
    """(milliseconds, what flotilla-load says)"""
    old = cluster.wait_leader()
    cluster.wait_equal()
    stays, successor = cluster.followers()
    clients = Clients(cluster, [old, stays, successor] if on_all else [stays, successor])
    try:
        clients.wait_for_writes()
        moment = time.monotonic()
        change(old, successor)
        cluster.wait_leader(but=old)
        clients.wait_for_writes()
        run = clients.finish()
    finally:
        clients.process.kill()
        clients.process.wait()
    restore(old)
    return longest_since(moment, run), run


def terminate(old, _):
    old.process.terminate()


def start_again(old):
    old.wait_exit()
    old.start()


def kill(old, _):
    old.kill()


def start(old):
    old.start()


# what happens, how, what is done afterwards, whether the old leader has clients too, (of the median, of the worst) in ms
CHANGES = [
    ("kill -9", kill, start, False, (50, 300)),
    ("kill -9, a third of the clients on it", kill, start, True, (50, 300)),
    ("SIGTERM", terminate, start_again, False, (20, 20)),
    ("RAFT.TRANSFER_LEADER", lambda old, to: old.call("RAFT.TRANSFER_LEADER", str(to.id)), lambda _: None, False, (20, 20)),
    ("SIGSTOP, 1.5 election timeouts", lambda old, _: old.pause(), lambda old: old.resume(), False, (450, 450)),
]


def percentile(samples, percent):
    """The sample that `percent` of all do not exceed."""
    return sorted(samples)[max(math.ceil(len(samples) * percent / 100) - 1, 0)]


def table_of(flotilla, kills, others):
    table = Table("gaps", "no write acknowledged, in ms", ["median (least–greatest)", "p99", "no answer", "broken"],
                  compared=(), plotted=["median (least–greatest)", "p99"])
    for name, change, restore, on_all, (median_goal, worst_goal) in CHANGES:
        times = kills if change is kill else others
        row = table.row(f"{name} ({times} times)", "")
        gaps, unanswered, broken = [], 0, 0
        for number in range(times):
            runs.show_progress(f"{name}: {number + 1} of {times}")
            milliseconds, run = gap(flotilla.cluster, change, restore, on_all)
            row.add("median (least–greatest)", milliseconds)
            gaps.append(milliseconds)
            unanswered += run["error_replies"] + run["unanswered"] + run["unsent"]
            broken += run["lost"]
        row.add("p99", percentile(gaps, 99))
        row.add("no answer", unanswered)
        row.add("broken", broken)
        table.notes.append(f"{name}: goal of the median <= {median_goal}, of the worst <= {worst_goal}")
    table.notes.append("no answer: error replies and what was not answered or not sent in time. broken: requests under way "
                       "on a connection that broke, whose fate their client does not know")
    runs.show_progress("")
    return table
