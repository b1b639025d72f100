"""Followers that lag, stop and come back."""
import threading

from cluster import PATIENCE
from load import Incrementer, Setter
from resp import Error
from waiting import wait_for


def test_a_follower_that_was_down_catches_up(make_cluster):
    cluster = make_cluster()
    follower = cluster.followers()[0]
    follower.kill()
    with cluster.wait_leader().connect() as connection:
        for start in range(0, 3000, 300):
            replies = connection.pipeline([("SET", f"k{i}", "v" * 200) for i in range(start, start + 300)])
            assert set(replies) == {"OK"}
        connection.call("DEL", "k0", "k1")
        connection.call("SET", "t", "1", "EX", "1000")
        connection.call("INCRBYFLOAT", "f", "1.5")
    follower.start()
    cluster.wait_equal()
    assert follower.read_stale("STRLEN", "k2999") == 200
    assert follower.read_stale("EXISTS", "k0") == 0


def test_all_nodes_hold_the_same_after_every_kind_of_write(make_cluster):
    cluster = make_cluster()
    with cluster.wait_leader().connect() as connection:
        commands = [
            ("SET", "a", "1"), ("INCR", "a"), ("APPEND", "a", "x"), ("SETRANGE", "r", "5", "abc"),
            ("MSET", "b", "2", "c", "3"), ("SET", "gone", "1", "PX", "1"), ("GETEX", "b", "EX", "100"),
            ("EXPIRE", "c", "100"), ("PERSIST", "c"), ("RENAME", "c", "d"), ("COPY", "d", "e"),
            ("INCRBYFLOAT", "f", "0.1"), ("INCRBYFLOAT", "f", "0.2"), ("GETDEL", "d"), ("SETEX", "s", "50", "v"),
        ]
        for command in commands:
            reply = connection.call(*command)
            assert not isinstance(reply, Error), (command, reply)
        connection.call("MULTI")
        connection.call("INCR", "in a transaction")
        connection.call("SET", "b", "other")
        assert connection.call("EXEC") == [1, "OK"]
        wait_for(lambda: connection.call("EXISTS", "gone") == 0, 10, "the key expires")
    one = cluster.wait_equal()
    with cluster.wait_leader().connect() as connection:
        connection.call("SET", "a", "another")
    assert cluster.wait_equal() != one


def test_the_leader_compares_the_digests_of_all_nodes(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    with leader.connect() as connection:
        for number in range(50):
            connection.call("SET", f"key:{number}", "x" * number)

        def compared():
            info = connection.call("INFO", "raft").decode()
            fields = dict(line.split(":", 1) for line in info.split("\r\n") if ":" in line)
            assert fields["raft_digest_disputed"] == "0"
            return int(fields["raft_digests_compared"]) >= 2 and int(fields["raft_digest_agreed_index"]) >= 50

        wait_for(compared, 10, "both followers have answered")


def test_wait_tells_the_true_number_of_nodes(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    followers = cluster.followers()
    with leader.connect() as connection:
        assert connection.call("SET", "a", "1") == "OK"
        assert connection.call("WAIT", "2", "10000") == 2
        followers[0].kill()
        assert connection.call("SET", "a", "2") == "OK"
        assert connection.call("WAIT", "1", "10000") == 1
        assert connection.call("WAIT", "2", "300") == 1
        followers[0].start()
        assert connection.call("WAIT", "2", "20000") == 2


def test_a_paused_follower_comes_back_without_disturbing_the_leader(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    term = leader.raft()["raft_current_term"]
    follower.pause()
    counter = Incrementer(cluster)
    counter.client.ports = [leader.port]
    counter.start()
    timeout_ms = cluster.directives["raft-election-timeout-ms"]
    threading.Event().wait(3 * timeout_ms / 1000)  # the point of the test: a pause longer than the timeout
    assert counter.done > 0
    follower.resume()
    goal = counter.done + 20
    wait_for(lambda: counter.done >= goal or not counter.is_alive(), 30, "the counter goes on")
    counter.finish()
    cluster.wait_equal()
    assert counter.unknown == 0
    assert cluster.wait_leader() is leader
    assert leader.raft()["raft_current_term"] == term


def test_a_paused_leader_is_replaced_and_acknowledges_nothing_false(make_cluster):
    cluster = make_cluster()
    old = cluster.wait_leader()
    assert old.call("SET", "n", "10") == "OK"
    waiting = [old.connect(timeout=60 * PATIENCE) for _ in range(5)]
    old.pause()
    for connection in waiting:
        connection.send("INCR", "n")
    new = cluster.wait_leader(but=old)
    assert new.call("INCR", "n") == 11
    old.resume()
    replies = [connection.read() for connection in waiting]
    for connection in waiting:
        connection.close()

    errors = [reply for reply in replies if isinstance(reply, Error)]
    assert {error.code for error in errors} <= {"UNKNOWN", "MOVED", "CLUSTERDOWN"}
    acknowledged = [reply for reply in replies if not isinstance(reply, Error)]
    cluster.wait_equal()
    value = int(cluster.wait_leader().call("GET", "n"))
    unknown = sum(error.code == "UNKNOWN" for error in errors)
    assert 11 + len(acknowledged) <= value <= 11 + len(acknowledged) + unknown
    wait_for(lambda: not old.says_leader() or old is cluster.leader(), 20, "the old leader knows")


def test_pipelines_through_a_change_of_leader_get_one_reply_each_in_order(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    with leader.connect() as connection:
        for i in range(200):
            connection.send("ECHO", f"before {i}")
            connection.send("INCR", "n")
            connection.send("GET", "n")
        last = 0
        for i in range(200):
            assert connection.read() == f"before {i}".encode()
            assert connection.read() == last + 1
            last += 1
            assert connection.read() == str(last).encode()


def test_many_writers_end_with_equal_nodes(make_cluster):
    cluster = make_cluster(links=True)
    cluster.set_delay(0.005)
    setters = [Setter(cluster, f"w{i}") for i in range(6)]
    for setter in setters:
        setter.start()
    wait_for(lambda: min(setter.done for setter in setters) > 20, 30, "the load is running")
    for setter in setters:
        setter.finish()
    cluster.wait_equal()
