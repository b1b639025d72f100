"""A plain client of a node that lives counts while leaders die: each INCR is answered once, and counts once."""
import os
import threading
import time

import pytest

from cluster import PATIENCE, Cluster
from waiting import wait_for

redis = pytest.importorskip("redis", reason="redis-py is not installed: deps/install.sh installs it")

COUNT = int(os.environ.get("FLOTILLA_COUNT", "1000"))
KILLS = 3  # at least
BETWEEN_KILLS_SECONDS = 2 if COUNT >= 20000 else 0.5


class Counter(threading.Thread):
    """INCR, one after the other: COUNT, and more until enough is set."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.enough = threading.Event()
        self.client = redis.Redis(port=node.port, socket_timeout=60 * PATIENCE)
        self.replies, self.error, self.longest = [], None, 0.0

    def run(self):
        try:
            while len(self.replies) < COUNT or not self.enough.is_set():
                begin = time.monotonic()
                self.replies.append(self.client.incr("n"))
                self.longest = max(self.longest, time.monotonic() - begin)
        except BaseException as error:  # looked at by the test
            self.error = error


def kill_the_leader(cluster, survivor):
    """Hands leadership over first where the survivor has it."""
    victim = cluster.wait_leader()
    while victim is survivor:
        victim.call("RAFT.TRANSFER_LEADER")
        victim = cluster.wait_leader()
    victim.kill()
    return victim


def test_every_increment_counts_once_while_leaders_are_killed():
    with Cluster("exactly-once", leader_wait_ms=int(30000 * PATIENCE)) as cluster:
        survivor = cluster.followers()[0]
        counter = Counter(survivor)
        begin, kills = time.monotonic(), 0
        counter.start()
        while counter.is_alive():
            wait_for(lambda: time.monotonic() >= begin + (kills + 1) * BETWEEN_KILLS_SECONDS or not counter.is_alive(),
                     60, "the next kill is due")
            if not counter.is_alive():
                break
            victim = kill_the_leader(cluster, survivor)
            cluster.wait_leader(but=victim)
            victim.start()
            kills += 1
            if kills == KILLS:
                counter.enough.set()
        seconds = time.monotonic() - begin
        print(f"{len(counter.replies)} INCR in {seconds:.1f} s, {kills} leaders killed, "
              f"longest wait {counter.longest * 1000:.0f} ms")
        assert counter.error is None
        assert counter.replies == list(range(1, len(counter.replies) + 1)) and len(counter.replies) >= COUNT
        assert survivor.call("GET", "n") == str(len(counter.replies)).encode()
        assert int(survivor.raft()["raft_unknown_outcomes"]) == 0
        cluster.wait_equal()
