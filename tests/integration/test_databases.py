"""Databases of SELECT on a cluster: any node serves them, over changes of leader, restarts and snapshots."""
import threading

import pytest

from cluster import PATIENCE, Cluster
from resp import Connection, Error
from waiting import wait_for


@pytest.fixture(scope="module")
def cluster():
    with Cluster("databases") as started:
        yield started


def select(node, database, timeout=60):
    connection = Connection(port=node.port, timeout=timeout * PATIENCE)
    assert connection.call("SELECT", str(database)) == "OK"
    return connection


def follower_of(cluster):
    return next(node for node in cluster.nodes if node is not cluster.wait_leader())


def test_each_node_serves_each_database(cluster):
    leader = cluster.wait_leader()
    leader.call("FLUSHALL")
    for number, node in enumerate(cluster.nodes):
        with select(node, number + 5) as connection:
            assert connection.call("SET", "k", str(number)) == "OK"
            assert connection.call("INCRBY", "k", "100") == 100 + number
    for node in cluster.nodes:
        for number in range(len(cluster.nodes)):
            with select(node, number + 5) as connection:
                assert connection.call("GET", "k") == str(100 + number).encode()
                assert connection.call("DBSIZE") == 1
        assert node.call("GET", "k") is None
        keyspace = node.call("INFO", "keyspace").decode()
        assert [line.split(":")[0] for line in keyspace.split("\r\n") if line.startswith("db")] == ["db5", "db6", "db7"]


def test_a_pipeline_changes_database_between_any_two_requests(cluster):
    for node in cluster.nodes:
        node.call("FLUSHALL")
        with Connection(port=node.port, timeout=60 * PATIENCE) as connection:
            requests = []
            for number in range(300):
                requests += [("SELECT", str(number % 16)), ("INCR", "n"), ("GET", "n")]
            replies = connection.pipeline(requests)
            for number in range(300):
                count = number // 16 + 1
                assert replies[3 * number:3 * number + 3] == ["OK", count, str(count).encode()]


def test_what_follows_a_transaction_that_selects_is_in_the_database_that_it_chose(cluster):
    for node in cluster.nodes:
        node.call("FLUSHALL")
        with Connection(port=node.port, timeout=60 * PATIENCE) as connection:
            replies = connection.pipeline([
                ("WATCH", "free"), ("MULTI",), ("SET", "a", "0"), ("SELECT", "3"), ("SET", "a", "3"), ("EXEC",),
                ("SET", "b", "3"),                      # sent before EXEC was answered
                ("WATCH", "a"), ("SET", "a", "4"),      # makes the next EXEC fail, and its SELECT with it
                ("MULTI",), ("SELECT", "9"), ("SET", "c", "9"), ("EXEC",),
                ("SET", "d", "3"), ("MULTI",), ("SELECT", "99"), ("SET", "e", "3"), ("EXEC",)])
            assert replies[5] == ["OK", "OK", "OK"]
            assert replies[12] is None
            assert isinstance(replies[17][0], Error)
            assert "db=3" in connection.call("CLIENT", "INFO").decode()
        for database, keys in ((0, [b"a"]), (3, [b"a", b"b", b"d", b"e"]), (9, [])):
            with select(node, database) as connection:
                assert sorted(connection.call("KEYS", "*")) == keys


def test_keys_move_and_databases_change_places_at_once_on_all_nodes(cluster):
    leader, follower = cluster.wait_leader(), follower_of(cluster)
    leader.call("FLUSHALL")
    with select(follower, 1) as one, select(leader, 2) as two:
        one.call("SET", "k", "v", "EX", "1000")
        assert one.call("COPY", "k", "l", "DB", "2") == 1
        assert one.call("MOVE", "k", "2") == 1
        assert two.call("TTL", "k") > 900 and two.call("GET", "l") == b"v"
        assert follower.call("SWAPDB", "1", "2") == "OK"
        assert one.call("DBSIZE") == 2 and two.call("DBSIZE") == 0
        assert follower.call("SWAPDB", "1", "2") == "OK"
        assert two.call("FLUSHDB") == "OK"
        assert one.call("DBSIZE") == 0 and two.call("DBSIZE") == 0


def wait_for_key(node, database, replies):
    with select(node, database) as connection:
        replies.append(connection.call("BLPOP", "l", "0"))


@pytest.mark.parametrize("arrives", ["RPUSH", "MOVE", "COPY", "SWAPDB"])
def test_who_waits_in_a_database_gets_what_comes_to_it_there_alone(cluster, arrives):
    leader, follower = cluster.wait_leader(), follower_of(cluster)
    leader.call("FLUSHALL")
    replies = []
    waiting = threading.Thread(target=wait_for_key, args=(follower, 4, replies), daemon=True)
    waiting.start()
    wait_for(lambda: follower.info("clients")["blocked_clients"] == "1", 20 * PATIENCE, "one waits")
    with select(leader, 5) as other:
        assert other.call("RPUSH", "l", "x") == 1
        assert leader.call("RPUSH", "l", "y") == 1
        assert follower.info("clients")["blocked_clients"] == "1"
        if arrives == "RPUSH":
            with select(leader, 4) as there:
                there.call("RPUSH", "l", "x")
        elif arrives == "MOVE":
            assert other.call("MOVE", "l", "4") == 1
        elif arrives == "COPY":
            assert other.call("COPY", "l", "l", "DB", "4") == 1
        else:
            assert other.call("SWAPDB", "5", "4") == "OK"
    waiting.join(30 * PATIENCE)
    assert replies == [[b"l", b"x"]]
    assert leader.call("LLEN", "l") == 1


def test_databases_outlive_the_leader_and_a_restart_and_are_in_snapshots():
    with Cluster("databases-kept", raft_snapshot_log_bytes="256kb", raft_snapshot_keep_bytes=0) as cluster:
        follower = follower_of(cluster)
        for database in (0, 7, 15):
            with select(follower, database) as connection:
                connection.pipeline([("SET", f"k{number}", f"{database}" * 200) for number in range(300)])
        leader = cluster.wait_leader()
        leader.kill()
        with select(follower, 7) as connection:
            assert connection.call("SET", "after", "7") == "OK"
            assert connection.call("SWAPDB", "7", "8") == "OK"
            for round_ in range(40):
                connection.pipeline([("SET", f"k{number}", f"{round_}" * 200) for number in range(100)])
        leader.start()
        for node in cluster.nodes:
            for database, count in ((0, 300), (7, 100), (8, 301), (15, 300)):
                with select(node, database) as connection:
                    assert connection.call("DBSIZE") == count
            with select(node, 8) as connection:
                assert connection.call("GET", "k299") == b"7" * 200 and connection.call("GET", "after") == b"7"
        for node in cluster.nodes:
            assert node.stop() == 0
        for node in cluster.nodes:
            node.start(wait=False)
        cluster.wait_leader()
        with select(follower, 8) as connection:
            assert connection.call("DBSIZE") == 301
        wait_for(lambda: len({node.call("DEBUG", "DIGEST") for node in cluster.nodes}) == 1, 20 * PATIENCE,
                 "the nodes have the same data")


def test_fewer_databases_are_a_matter_of_the_node():
    with Cluster("databases-few", databases=2) as cluster:
        with Connection(port=cluster.nodes[0].port, timeout=60 * PATIENCE) as connection:
            assert connection.call("SELECT", "1") == "OK"
            assert str(connection.call("SELECT", "2")) == "ERR DB index is out of range"
            assert connection.call("CONFIG", "GET", "databases") == [b"databases", b"2"]
            assert connection.call("SET", "k", "v") == "OK"
            assert "db=1" in connection.call("CLIENT", "INFO").decode()
            assert connection.call("RESET") == "RESET"
            assert connection.call("GET", "k") is None
