"""Snapshots of running nodes: the log stays bounded, who was away gets one, Redis reads the folder."""
import shutil
import threading
import time

import pytest

import every_type
from cluster import PATIENCE
from load import Setter
from resp import Connection, Error
from stock import loaded_by_redis
from waiting import wait_for

SMALL = {
    "raft_snapshot_log_bytes": "200kb",
    "raft_snapshot_keep_bytes": "50kb",
    "raft_snapshot_chunk_bytes": "10kb",
    "raft_segment_bytes": "64kb",
}


def write(connection, rounds, keys=500):
    for number in range(rounds):
        replies = connection.pipeline([("SET", f"k{i}", f"{number}:" + "v" * 100) for i in range(keys)])
        assert set(replies) == {"OK"}


def snapshots(node):
    return int(node.raft()["raft_snapshots"])


def test_the_log_stays_bounded_and_everything_survives_the_kill_of_all(make_cluster):
    cluster = make_cluster(**SMALL)
    with cluster.wait_leader().connect() as connection:
        for _ in range(100):
            write(connection, 1)
            if all(snapshots(node) >= 3 for node in cluster.nodes):
                break
        assert connection.call("SET", "last", "1", "PX", "100000000") == "OK"
        keys = connection.call("DBSIZE")
    digest = cluster.wait_equal()
    for node in cluster.nodes:
        assert snapshots(node) >= 3
        assert int(node.raft()["raft_log_bytes"]) < 2_000_000
        assert int(node.raft()["raft_first_log_index"]) > 1
        node.kill()
    for node in cluster.nodes:
        node.start()
    leader = cluster.wait_leader()
    assert leader.call("DBSIZE") == keys
    assert leader.call("GET", "last") == b"1"
    cluster.wait_equal()
    assert digest


class Asker(threading.Thread):
    """A client of one node that redirects: others than READONLY reads are, and those as well until the node has caught
    up for the first time; none of them is kept waiting for long. Its errors are raised by finish()."""

    def __init__(self, node, key):
        super().__init__(daemon=True)
        self.node = node
        self.key = key
        self.stopping = threading.Event()
        self.error = None
        self.redirected = 0
        self.answered = 0
        self.slowest = 0.0

    def ask(self, plain, stale):
        start = time.monotonic()
        reply = plain.call("GET", self.key)
        assert isinstance(reply, Error) and reply.code in ("MOVED", "CLUSTERDOWN"), reply
        self.redirected += reply.code == "MOVED"
        reply = stale.call("GET", self.key)
        assert not isinstance(reply, Error) or (reply.code in ("MOVED", "CLUSTERDOWN") and self.answered == 0), reply
        self.answered += not isinstance(reply, Error)
        self.slowest = max(self.slowest, time.monotonic() - start)

    def run(self):
        try:
            with self.node.connect() as plain, self.node.connect() as stale:
                assert stale.call("READONLY") == "OK"
                while not self.stopping.is_set():
                    self.ask(plain, stale)
        except BaseException as error:  # raised by finish()
            self.error = error

    def finish(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive(), "a client of the node hangs"
        if self.error:
            raise self.error


def test_a_follower_that_was_down_during_three_snapshots_catches_up_while_clients_write(make_cluster):
    cluster = make_cluster(**SMALL, follower_mode="redirect")
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    with leader.connect() as connection:
        write(connection, 1)
    cluster.wait_equal()
    known = follower.applied
    follower.kill()
    setters = [Setter(cluster, name) for name in ("one", "two")]
    for setter in setters:
        setter.start()

    def all_write(times):
        goals = [(setter, setter.done + times) for setter in setters]
        wait_for(lambda: all(setter.done >= goal or not setter.is_alive() for setter, goal in goals), 30 * PATIENCE,
                 "clients write")
        assert all(setter.is_alive() for setter in setters)

    before = snapshots(leader)
    with leader.connect() as connection:
        for _ in range(400):
            write(connection, 1)
            if snapshots(leader) >= before + 3 and int(leader.raft()["raft_first_log_index"]) > known + 1:
                break
    assert snapshots(leader) >= before + 3
    assert int(leader.raft()["raft_first_log_index"]) > known + 1, "what the follower needs is still in the log"
    follower.start()
    asker = Asker(follower, "k1")
    asker.start()
    wait_for(lambda: int(follower.raft()["raft_snapshots_installed"]) >= 1, 60 * PATIENCE, "the snapshot is installed")
    all_write(20)
    # Caught up while the clients go on: it has what the leader had a moment ago, again and again.
    for _ in range(5):
        goal = leader.applied
        wait_for(lambda: follower.applied >= goal, 30 * PATIENCE, "the follower keeps up")
        all_write(5)
    redirected, answered = asker.redirected, asker.answered
    wait_for(lambda: not asker.is_alive() or (asker.redirected > redirected and asker.answered > answered),
             30 * PATIENCE, "clients are redirected, READONLY ones answered")
    asker.finish()
    assert asker.slowest < 5 * PATIENCE
    for setter in setters:
        setter.finish()
    cluster.wait_equal(nodes=cluster.nodes)
    for node in cluster.nodes:
        with node.connect() as connection:
            assert connection.call("READONLY") == "OK"
            assert not any(setter.lost(connection) for setter in setters)


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
def test_redis_loads_snapshot_and_log_with_the_same_values(make_cluster):
    cluster = make_cluster(**SMALL)
    leader = cluster.wait_leader()
    with leader.connect() as connection:
        while snapshots(leader) < 2:
            write(connection, 1)
        connection.call("SET", "number", "12")
        connection.call("INCR", "number")
        connection.call("SET", "binary", "\x00#VOTE:1:1\r\n")
        keys = connection.call("KEYS", "*")
        values = connection.pipeline([("GET", key) for key in keys])
    cluster.wait_equal()
    node = cluster.followers()[0]
    for one in cluster.nodes:
        one.kill()
    with loaded_by_redis(node) as connection:
        assert connection.call("DBSIZE") == len(keys)
        assert connection.pipeline([("GET", key) for key in keys]) == values


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
@pytest.mark.parametrize("thresholds", every_type.THRESHOLDS)
def test_redis_loads_a_snapshot_and_a_log_of_every_type(make_cluster, thresholds):
    """Of the log, what depends on no time of execution and on no chance."""
    node = make_cluster(size=1).wait_leader()
    every_type.fill(node.port, thresholds)
    with node.connect() as connection:
        assert connection.call("BGSAVE")
        wait_for(lambda: snapshots(node) == 1, 30, "the snapshot")
        for command in every_type.changes():
            if command[0] not in ("SPOP", "XREADGROUP"):
                connection.call(*command)
        expected = every_type.contents(connection, exact=False)
    node.kill()
    with loaded_by_redis(node) as connection:
        every_type.assert_same(every_type.contents(connection, exact=False), expected)
