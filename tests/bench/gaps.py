"""For how long no write is answered when the leader changes: a client on a follower sends one after the other."""
import statistics
import threading
import time

import runs
from waiting import wait_for

CHANGE_SECONDS = 30


class Writer(threading.Thread):
    """The longest time between two answers, since it was asked last."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.connection = node.connect(timeout=CHANGE_SECONDS)
        self.stops = False
        self.written = self.errors = 0
        self.longest = 0.0
        self.start()

    def run(self):
        last = time.monotonic()
        while not self.stops:
            self.errors += self.connection.call("INCR", "gaps") != self.written + 1
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            last = now
            self.written += 1
        self.connection.close()

    def goes_on(self, writes=100):
        goal = self.written + writes
        wait_for(lambda: self.written >= goal or not self.is_alive(), CHANGE_SECONDS, "the writer goes on")


def gap(cluster, change, restore):
    """(milliseconds, wrong or missing answers)"""
    old = cluster.wait_leader()
    cluster.wait_equal()
    old.call("DEL", "gaps")
    stays, successor = cluster.followers()
    writer = Writer(stays)
    writer.goes_on()
    writer.longest = 0.0
    change(old, successor)
    cluster.wait_leader(but=old)
    writer.goes_on()
    writer.stops = True
    writer.join()
    restore(old)
    return writer.longest * 1000, writer.errors


def terminate(old, _):
    old.process.terminate()


def start_again(old):
    old.wait_exit()
    old.start()


# what happens, how, what is done afterwards, (of the median, of the worst) in milliseconds
CHANGES = [
    ("kill -9", lambda old, _: old.kill(), lambda old: old.start(), (50, 300)),
    ("SIGTERM", terminate, start_again, (20, 20)),
    ("RAFT.TRANSFER_LEADER", lambda old, to: old.call("RAFT.TRANSFER_LEADER", str(to.id)), lambda _: None, (20, 20)),
    ("SIGSTOP, 1.5 election timeouts", lambda old, _: old.pause(), lambda old: old.resume(), (450, 450)),
]


def run(cluster, changes):
    print(f"\n{'no write answered, in ms':40} {'p50':>9} {'worst':>9} {'errors':>9}  goal (of {changes})")
    for name, change, restore, (median_goal, worst_goal) in CHANGES:
        results = []
        for number in range(changes):
            runs.show_progress(f"{name}: {number + 1} of {changes}")
            results.append(gap(cluster, change, restore))
        runs.show_progress("")
        gaps = [milliseconds for milliseconds, _ in results]
        print(f"{name:40} {statistics.median(gaps):>9,.1f} {max(gaps):>9,.1f} {sum(errors for _, errors in results):>9}"
              f"  <= {median_goal}, <= {worst_goal}")
