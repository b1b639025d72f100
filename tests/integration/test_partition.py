"""Nodes that do not reach each other, and what clients may be told then."""
import socket
import time

from cluster import PATIENCE
from load import Incrementer, Reader
from resp import Closed, Error
from waiting import wait_for


def answer(node, *args, timeout):
    """The reply, or None if there is none within the time."""
    with node.connect(timeout=timeout) as connection:
        try:
            return connection.call(*args)
        except (socket.timeout, Closed):
            return None


def test_a_minority_takes_no_writes_and_answers_no_reads(make_cluster):
    cluster = make_cluster(leader_wait_ms=500, replica_max_lag_ms=60000)
    leader = cluster.wait_leader()
    assert leader.call("SET", "a", "1") == "OK"
    cluster.wait_equal()
    survivor = cluster.followers()[0]
    for node in cluster.nodes:
        if node is not survivor:
            node.kill()

    wait_for(lambda: survivor.raft()["raft_leader_id"] in ("0", "-1"), 20, "the node knows that it is alone")
    start = time.monotonic()
    reply = survivor.call("SET", "a", "2")
    took = time.monotonic() - start
    assert reply.code == "CLUSTERDOWN"
    assert 0.3 < took < 5 * PATIENCE
    assert survivor.call("GET", "a").code == "CLUSTERDOWN"
    assert survivor.call("PING") == "PONG"

    for node in cluster.nodes:
        if not node.running:
            node.start(wait=False)
    wait_for(lambda: cluster.leader(), 20, "a leader")
    assert cluster.wait_leader().call("GET", "a") == b"1"


def test_readonly_connections_read_from_a_follower(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    assert leader.call("SET", "a", "1") == "OK"
    for follower in cluster.followers():
        wait_for(lambda: follower.read_stale("GET", "a") == b"1", 10, "the follower has it")
        with follower.connect() as connection:
            connection.call("READONLY")
            assert connection.call("SET", "a", "2").code == "MOVED"
            connection.call("READWRITE")
            assert connection.call("GET", "a").code == "MOVED"


def test_readonly_reads_end_when_the_follower_is_too_far_behind(make_cluster):
    cluster = make_cluster(leader_wait_ms=200, replica_max_lag_ms=500)
    assert cluster.wait_leader().call("SET", "a", "1") == "OK"
    cluster.wait_equal()
    survivor = cluster.followers()[0]
    for node in cluster.nodes:
        if node is not survivor:
            node.kill()
    wait_for(lambda: isinstance(survivor.read_stale("GET", "a"), Error), 20, "the read is refused")
    assert survivor.read_stale("GET", "a").code == "CLUSTERDOWN"


def test_a_leader_that_is_cut_off_answers_no_read_with_old_data(make_cluster):
    cluster = make_cluster(links=True, leader_wait_ms=1000)
    cluster.set_delay(0.01)
    old = cluster.wait_leader()
    assert old.call("SET", "a", "old") == "OK"
    cluster.cut([old])
    # At once, while it may still take itself for the leader.
    assert isinstance(answer(old, "GET", "a", timeout=0.05), (Error, type(None), bytes))
    others = [node for node in cluster.nodes if node is not old]
    new = wait_for(lambda: next((node for node in others if node.says_leader()), None), 20 * PATIENCE, "a new leader")
    assert new.call("SET", "a", "new") == "OK"
    for _ in range(5):
        reply = answer(old, "GET", "a", timeout=3 * PATIENCE)
        assert reply is None or isinstance(reply, Error), f"a stale read: {reply!r}"
        write = answer(old, "SET", "b", "lost?", timeout=3 * PATIENCE)
        assert write is None or isinstance(write, Error), f"acknowledged without a majority: {write!r}"
    wait_for(lambda: not old.says_leader(), 20, "the old leader steps down without hearing of the new one")
    cluster.heal()
    cluster.wait_equal()
    assert cluster.wait_leader().call("GET", "a") == b"new"


def test_a_write_under_way_when_the_leader_is_cut_off_has_an_unknown_outcome(make_cluster):
    cluster = make_cluster(links=True)
    old = cluster.wait_leader()
    assert old.call("SET", "n", "0") == "OK"
    with old.connect(timeout=60 * PATIENCE) as connection:
        cluster.cut([old])
        connection.send("INCR", "n")
        reply = connection.read()
    assert reply.code == "UNKNOWN", reply
    cluster.heal()
    cluster.wait_equal()
    assert cluster.wait_leader().call("GET", "n") in (b"0", b"1")


def test_no_read_is_stale_while_leaders_come_and_go(make_cluster):
    cluster = make_cluster(links=True, leader_wait_ms=300)
    cluster.set_delay(0.01)
    counter = Incrementer(cluster)
    counter.client.timeout = 1.0  # a write on the wrong side is given up as unknown
    readers = [Reader(cluster, counter) for _ in range(3)]
    for i, reader in enumerate(readers):
        reader.client.turn = i
        reader.client.timeout = 1.0
    for worker in [counter, *readers]:
        worker.start()
    for _ in range(3):
        goal = counter.acknowledged + 20
        wait_for(lambda: counter.acknowledged >= goal or counter.error, 30 * PATIENCE, "writes go on")
        cluster.cut([cluster.wait_leader()])
        goal = counter.acknowledged + 10
        wait_for(lambda: counter.acknowledged >= goal or counter.error, 30 * PATIENCE,
                 "writes go on without the old leader")
        cluster.heal()
    for worker in [counter, *readers]:
        worker.finish()
    assert min(reader.done for reader in readers) > 10
    value = int(cluster.wait_leader().call("GET", counter.key))
    assert counter.acknowledged <= value <= counter.attempted
    cluster.wait_equal()


def test_a_follower_that_is_cut_off_does_not_disturb_the_others_when_it_returns(make_cluster):
    cluster = make_cluster(links=True)
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    term = leader.raft()["raft_current_term"]
    cluster.cut([follower])
    wait_for(lambda: follower.raft()["raft_leader_id"] in ("0", "-1"), 20 * PATIENCE, "the follower is alone")
    assert leader.call("SET", "a", "1") == "OK"
    cluster.heal()
    cluster.wait_equal()
    assert cluster.wait_leader() is leader
    assert leader.raft()["raft_current_term"] == term


def test_connections_that_are_reset_are_made_again(make_cluster):
    cluster = make_cluster(links=True)
    counter = Incrementer(cluster)
    counter.start()
    for _ in range(5):
        goal = counter.acknowledged + 20
        wait_for(lambda: counter.acknowledged >= goal or counter.error, 30 * PATIENCE, "writes go on")
        cluster.proxy.reset(cluster.links.values())
    counter.finish()
    value = int(cluster.wait_leader().call("GET", counter.key))
    assert counter.acknowledged <= value <= counter.attempted
    cluster.wait_equal()
