"""CLIENT SESSION: what a client numbers is carried out once, whatever happens to the client's own node."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import threading
import time

import pytest

from cluster import PATIENCE, SERVER, Cluster, Ports, spawn
from resp import Closed, Connection, Error
from waiting import wait_for

CHECK = os.environ.get("FLOTILLA_CHECK", str(pathlib.Path(SERVER).with_name("flotilla-check")))
LOST = (OSError, Closed)


@pytest.fixture(scope="module")
def cluster():
    with Cluster("session", leader_wait_ms=20000) as one:
        yield one


class Session:
    """What a client library does: it numbers its writes, and sends them again at the next node."""

    def __init__(self, nodes, *terms):
        self.nodes = nodes
        self.at = 0
        self.connection = None
        self.number = 0
        self.lowest = 1
        self.id = self.on_any_node(lambda connection: begin(connection, *terms))

    def close(self):
        if self.connection:
            self.connection.close()

    def on_any_node(self, do):
        """Goes on to the next node whenever the one that it is on is lost, and does all of it again there."""
        while True:
            try:
                if not self.connection:
                    node = self.nodes[self.at % len(self.nodes)]
                    self.at += 1
                    self.connection = Connection(port=node.port, timeout=60 * PATIENCE)
                    if self.number:
                        assert self.connection.call("CLIENT", "SESSION", "USE", self.id) == "OK"
                return do(self.connection)
            except LOST:
                if self.connection:
                    self.connection.close()
                self.connection = None
                time.sleep(0.01)

    def pipeline(self, requests):
        """Each request is a list of commands under one number: one of them, or MULTI … EXEC."""
        first = self.number + 1
        if first == 1:
            assert self.connection.call("CLIENT", "SESSION", "USE", self.id) == "OK"
        self.number += len(requests)
        commands = []
        for number, request in enumerate(requests, first):
            commands += [("CLIENT", "SESSION", "SEQ", str(number), "ACK", str(self.lowest))] + request
        replies = iter(self.on_any_node(lambda connection: connection.pipeline(commands)))
        results = []
        for request in requests:
            assert next(replies) == "OK"
            results.append([next(replies) for _ in request][-1])
        self.lowest = self.number + 1
        return results


def begin(connection, *terms):
    reply = connection.call("CLIENT", "SESSION", "BEGIN", *terms)
    if isinstance(reply, Error):
        raise AssertionError(str(reply))
    if isinstance(reply, dict):
        return reply[b"id"].decode()
    assert reply[::2] == [b"id", b"ttl-ms", b"replies-max", b"bytes-max"]
    return reply[1].decode()


def used(connection, session=None):
    session = session or begin(connection)
    assert connection.call("CLIENT", "SESSION", "USE", session) == "OK"
    return session


def numbered(connection, number, *command, ack=None):
    more = ("ACK", str(ack)) if ack else ()
    replies = connection.pipeline([("CLIENT", "SESSION", "SEQ", str(number), *more), command])
    assert replies[0] == "OK"
    return replies[1]


def test_a_number_counts_once_whatever_node_it_is_sent_to(cluster):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(node.connect()) for node in cluster.nodes]
        session = begin(clients[0])
        for client in clients:
            used(client, session)
        for number in range(1, 20):
            assert [numbered(client, number, "INCR", "once") for client in clients] == [number] * 3
        assert cluster.wait_leader().call("GET", "once") == b"19"


@pytest.mark.parametrize("depth", [1, 8])
def test_each_write_counts_once_while_the_clients_own_nodes_are_killed(make_cluster, depth):
    cluster = make_cluster(size=3, leader_wait_ms=20000)
    errors, counts, stopping = [], {}, threading.Event()

    def count(which):
        try:
            nodes = cluster.nodes[which % 3:] + cluster.nodes[:which % 3]
            session = Session(nodes)
            with contextlib.closing(session):
                replies = []
                counts[which] = replies
                while not stopping.is_set():
                    if len(replies) % 3 == 2:
                        request = [("MULTI",), ("INCR", f"n{which}"), ("EXEC",)]
                        replies += [reply[0] for reply in session.pipeline([request] * depth)]
                    else:
                        replies += session.pipeline([[("INCR", f"n{which}")]] * depth)
        except BaseException as error:  # raised below
            errors.append(error)

    threads = [threading.Thread(target=count, args=(which,), daemon=True) for which in range(6)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(counts) == 6 or errors, 30 * PATIENCE, "the clients begin")
    for number in range(9):
        goals = {which: len(replies) + 20 for which, replies in counts.items()}
        wait_for(lambda: errors or all(len(counts[which]) >= goal for which, goal in goals.items()),
                 60 * PATIENCE, "every client goes on")
        victim = cluster.wait_leader() if number % 3 == 0 else cluster.nodes[number % 3]
        victim.kill()
        victim.start()
    stopping.set()
    for thread in threads:
        thread.join(60 * PATIENCE)
    assert not errors, errors
    for which, replies in counts.items():
        assert replies == list(range(1, len(replies) + 1))
        assert cluster.wait_leader().call("GET", f"n{which}") == str(len(replies)).encode()
    cluster.wait_equal()


def test_a_transaction_is_one_number(cluster):
    with cluster.followers()[0].connect() as client, cluster.wait_leader().connect() as other:
        used(other, used(client))
        commands = [("CLIENT", "SESSION", "SEQ", "1"), ("MULTI",), ("INCR", "t"), ("APPEND", "u", "x"), ("EXEC",)]
        assert client.pipeline(commands)[-1] == [1, 1]
        assert other.pipeline(commands)[-1] == [1, 1]
        assert client.call("INCR", "t") == 2, "the number is used up"
        assert other.call("GET", "u") == b"x"


def test_a_transaction_that_was_aborted_stays_so(cluster):
    with cluster.followers()[0].connect() as client:
        used(client)
        client.call("SET", "w", "1")
        client.call("WATCH", "w")
        cluster.wait_leader().call("SET", "w", "2")
        commands = [("CLIENT", "SESSION", "SEQ", "1"), ("MULTI",), ("SET", "w", "3"), ("EXEC",)]
        assert client.pipeline(commands)[-1] is None
        assert client.pipeline(commands)[-1] is None
        assert client.call("GET", "w") == b"2"


@pytest.mark.parametrize("command", [("PING",), ("OBJECT", "IDLETIME", "k"), ("MEMORY", "USAGE", "k")])
def test_what_depends_on_the_node_is_in_no_numbered_transaction(cluster, command):
    with cluster.followers()[0].connect() as client:
        used(client)
        commands = [("CLIENT", "SESSION", "SEQ", "1"), ("MULTI",), ("SET", "k", "3"), command, ("EXEC",)]
        assert client.pipeline(commands)[-1].code == "EXECABORT"
        assert numbered(client, 1, "SET", "k", "4") == "OK"


def test_time_in_a_numbered_transaction_is_kept_too(cluster):
    with cluster.followers()[0].connect() as client, cluster.wait_leader().connect() as other:
        used(other, used(client))
        commands = [("CLIENT", "SESSION", "SEQ", "1"), ("MULTI",), ("SET", "k", "3"), ("TIME",), ("EXEC",)]
        first = client.pipeline(commands)[-1]
        assert first[0] == "OK" and len(first[1]) == 2
        assert other.pipeline(commands)[-1] == first
    cluster.wait_equal()


def test_without_a_session_nothing_is_executed(cluster):
    with cluster.followers()[0].connect() as client:
        used(client, "0" * 32)
        assert numbered(client, 1, "SET", "never", "1").code == "NOSESSION"
        assert client.call("CLIENT", "SESSION", "ACK", "1").code == "NOSESSION"
        assert client.call("CLIENT", "SESSION", "END").code == "NOSESSION"
        session = used(client)
        assert numbered(client, 1, "SET", "never", "1") == "OK"
        assert client.call("CLIENT", "SESSION", "END", session) == "OK"
        assert numbered(client, 2, "SET", "never", "2").code == "NOSESSION"
        replies = client.pipeline([("CLIENT", "SESSION", "SEQ", "3"), ("MULTI",), ("SET", "never", "3"), ("EXEC",)])
        assert replies[-1].code == "NOSESSION"
        assert client.call("GET", "never") == b"1"
        assert numbered(client, 4, "GET", "never") == b"1", "reads are answered"


def test_a_session_that_nobody_uses_is_over(cluster):
    leader = cluster.wait_leader()
    before = int(leader.raft()["raft_sessions"])
    with cluster.followers()[0].connect() as client, leader.connect() as other:
        session = begin(client, "TTL", "1000")
        used(client, session)
        assert numbered(client, 1, "SET", "expires", "1") == "OK"
        assert int(leader.raft()["raft_sessions"]) == before + 1
        wait_for(lambda: int(leader.raft()["raft_sessions"]) == before, 20 * PATIENCE, "the session ends")
        assert numbered(client, 1, "SET", "expires", "2").code == "NOSESSION"
        assert other.call("GET", "expires") == b"1"


@pytest.mark.parametrize("refused", [("SEQ",), ("SEQ", "0"), ("SEQ", "-1"), ("SEQ", "x"), ("SEQ", "1", "ACK"),
                                     ("SEQ", "1", "ACK", "x"), ("SEQ", "1", "BCK", "1"), ("SEQQ", "1"),
                                     ("SEQ", "18446744073709551616")])
def test_what_follows_a_number_that_was_refused_is_refused(cluster, refused):
    with cluster.followers()[0].connect() as client:
        used(client)
        client.call("SET", "r", "0")
        replies = client.pipeline([("CLIENT", "SESSION", *refused), ("INCR", "r"), ("INCR", "r")])
        assert [isinstance(reply, Error) for reply in replies] == [True, True, False]
        replies = client.pipeline([("CLIENT", "SESSION", *refused), ("MULTI",), ("INCR", "r"), ("EXEC",)])
        assert isinstance(replies[0], Error) and isinstance(replies[1], Error)
        assert replies[3].code == "EXECABORT"
        assert client.call("GET", "r") == b"1"


def test_a_number_of_no_session_is_refused(cluster):
    with cluster.followers()[0].connect() as client:
        client.call("SET", "r", "0")
        replies = client.pipeline([("CLIENT", "SESSION", "USE", "nonsense"), ("CLIENT", "SESSION", "SEQ", "1"),
                                   ("INCR", "r")])
        assert all(isinstance(reply, Error) for reply in replies)
        session = used(client)
        client.call("CLIENT", "SESSION", "SEQ", "1")
        used(client, session)
        assert isinstance(client.call("INCR", "r"), Error), "the number was given before the other session"
        used(client)
        client.call("CLIENT", "SESSION", "SEQ", "1")
        assert client.call("RESET") == "RESET"
        assert isinstance(client.pipeline([("CLIENT", "SESSION", "SEQ", "1"), ("INCR", "r")])[1], Error)
        assert client.call("GET", "r") == b"0"


def test_numbers_within_a_transaction_abort_it(cluster):
    with cluster.followers()[0].connect() as client:
        used(client)
        replies = client.pipeline([("MULTI",), ("CLIENT", "SESSION", "SEQ", "1"), ("SET", "in", "1"), ("EXEC",)])
        assert replies[-1].code == "EXECABORT"
        assert client.call("GET", "in") is None


def test_numbers_that_are_left_out_are_never_carried_out(cluster):
    with cluster.followers()[0].connect() as client:
        used(client)
        assert numbered(client, 5, "INCR", "gap") == 1
        assert numbered(client, 3, "INCR", "gap").code == "SESSIONSKIPPED"
        assert numbered(client, 7, "INCR", "gap") == 2
        assert numbered(client, 5, "INCR", "gap") == 1
        assert numbered(client, 6, "INCR", "gap").code == "SESSIONSKIPPED"
        assert client.call("GET", "gap") == b"2"


def test_replies_are_dropped_when_the_client_has_them(cluster):
    leader = cluster.wait_leader()
    with cluster.followers()[0].connect() as client:
        used(client)
        for number in range(1, 5):
            assert numbered(client, number, "INCR", "ack") == number
        assert numbered(client, 2, "INCR", "ack") == 2
        assert client.call("CLIENT", "SESSION", "ACK", "3") == "OK"
        assert numbered(client, 2, "INCR", "ack").code == "SESSIONPAST"
        assert numbered(client, 3, "INCR", "ack") == 3
        before = int(leader.raft()["raft_session_bytes"])
        assert numbered(client, 5, "INCR", "ack", ack=5) == 5
        assert numbered(client, 4, "INCR", "ack").code == "SESSIONPAST"
        assert int(leader.raft()["raft_session_bytes"]) < before
        assert client.call("GET", "ack") == b"5"


def test_a_session_keeps_as_much_as_it_began_with(cluster):
    leader = cluster.wait_leader()
    for name, value in (("session-replies-max", "3"), ("session-bytes-max", "100")):
        leader.call("CONFIG", "SET", name, value)
    try:
        with cluster.followers()[0].connect() as client:
            used(client)
            for number in range(1, 6):
                assert numbered(client, number, "INCR", "kept") == number
            assert [isinstance(numbered(client, number, "INCR", "kept"), Error) for number in range(1, 6)] == [
                True, True, False, False, False]
            client.call("SET", "long", "x" * 200)
            assert numbered(client, 6, "GETDEL", "long") == b"x" * 200
            assert numbered(client, 6, "GETDEL", "long").code == "SESSIONPAST"
            assert numbered(client, 5, "INCR", "kept") == 5, "a reply that is too long drops no other"
    finally:
        for name, value in (("session-replies-max", "128"), ("session-bytes-max", "16kb")):
            leader.call("CONFIG", "SET", name, value)
    cluster.wait_equal()


def test_there_are_so_many_sessions(cluster):
    leader = cluster.wait_leader()
    with cluster.followers()[0].connect() as client:
        session = begin(client)
        leader.call("CONFIG", "SET", "session-max", leader.raft()["raft_sessions"])
        try:
            assert "maximum number of sessions" in str(client.call("CLIENT", "SESSION", "BEGIN"))
            assert client.call("CLIENT", "SESSION", "END", session) == "OK"
            assert begin(client)
        finally:
            leader.call("CONFIG", "SET", "session-max", "1000")
        assert "session-ttl-ms" in str(client.call("CLIENT", "SESSION", "BEGIN", "TTL", "3600001"))
        for words in (("TTL",), ("TTL", "0"), ("TTL", "-1"), ("TTL", "x"), ("TTL", "1", "2"), ("LTT", "1")):
            assert isinstance(client.call("CLIENT", "SESSION", "BEGIN", *words), Error)


def test_a_reply_is_kept_in_the_form_of_its_connection(cluster):
    with cluster.nodes[0].connect() as client, cluster.nodes[1].connect() as other:
        assert other.call("HELLO", "3")
        session = used(other)
        used(client, session)
        assert numbered(other, 1, "GETDEL", "nothing") is None
        assert numbered(client, 1, "GETDEL", "nothing").code == "SESSIONPAST"
        assert numbered(other, 1, "GETDEL", "nothing") is None


def test_a_session_outlives_a_restart_of_all_nodes_and_snapshots(make_cluster):
    cluster = make_cluster(size=3)
    with cluster.followers()[0].connect() as client:
        session = used(client)
        assert numbered(client, 1, "APPEND", "a", "xyz") == 3
        assert numbered(client, 4, "INCR", "n") == 1
    for node in cluster.nodes:
        assert "Background saving started" in str(node.call("BGSAVE"))
        wait_for(lambda: node.info("persistence")["rdb_bgsave_in_progress"] == "0", 20 * PATIENCE, "the snapshot")
    with cluster.followers()[0].connect() as client:
        used(client, session)
        assert numbered(client, 6, "INCR", "n") == 2
    cluster.wait_equal()
    for node in cluster.nodes:
        node.kill()
    report = subprocess.run([CHECK, str(cluster.nodes[0].data)], capture_output=True, text=True, check=True).stdout
    assert "1 sessions of clients, with 12 bytes of replies" in report, report
    for node in cluster.nodes:
        node.start(wait=False)
    cluster.wait_leader()
    for node in cluster.nodes:
        with node.connect() as client:
            used(client, session)
            assert numbered(client, 1, "APPEND", "a", "xyz") == 3
            assert numbered(client, 3, "INCR", "n").code == "SESSIONSKIPPED"
            assert numbered(client, 4, "INCR", "n") == 1
            assert numbered(client, 6, "INCR", "n") == 2
            assert client.call("GET", "n") == b"2"


def test_a_node_that_gets_its_state_as_a_snapshot_knows_the_sessions(make_cluster):
    cluster = make_cluster(size=3, raft_snapshot_keep_bytes="0")
    victim = cluster.followers()[0]
    victim.kill()
    leader = cluster.wait_leader()
    with leader.connect() as client:
        session = used(client)
        assert numbered(client, 1, "INCR", "n") == 1
    for node in cluster.running:
        node.call("BGSAVE")
        wait_for(lambda: node.info("persistence")["rdb_bgsave_in_progress"] == "0", 20 * PATIENCE, "the snapshot")
    victim.start()
    wait_for(lambda: int(victim.raft()["raft_snapshots_installed"]) > 0, 20 * PATIENCE, "the snapshot is installed")
    cluster.wait_equal()
    assert victim.raft()["raft_sessions"] == "1"
    with victim.connect() as client:
        used(client, session)
        assert numbered(client, 1, "INCR", "n") == 1
        assert numbered(client, 2, "INCR", "n") == 2


def test_a_node_that_is_alone_has_sessions(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.nodes[0]
    with node.connect() as client:
        session = used(client)
        assert numbered(client, 1, "INCR", "n") == 1
    node.kill()
    node.start()
    with node.connect() as client:
        used(client, session)
        assert numbered(client, 1, "INCR", "n") == 1
        assert numbered(client, 2, "INCR", "n") == 2


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
def test_redis_loads_a_log_with_sessions(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.nodes[0]
    with node.connect() as client:
        session = used(client)
        for number in range(1, 11):
            assert numbered(client, number, "INCR", "n") == number
        client.pipeline([("CLIENT", "SESSION", "SEQ", "20"), ("MULTI",), ("SET", "t", "1"), ("EXEC",)])
        assert client.call("CLIENT", "SESSION", "ACK", "5") == "OK"
        node.call("BGSAVE")
        wait_for(lambda: node.info("persistence")["rdb_bgsave_in_progress"] == "0", 20 * PATIENCE, "the snapshot")
        assert numbered(client, 21, "INCR", "n") == 11
        assert client.call("CLIENT", "SESSION", "END", session) == "OK"
    node.stop()
    with contextlib.closing(Ports()) as ports:
        port = ports.take()
        redis = spawn(["redis-server", "--port", str(port), "--appendonly", "yes", "--save", "", "--dir",
                       str(node.data / "shard-0")], node.dir / "redis.log")
        try:
            def loaded():
                with contextlib.suppress(OSError, Closed), Connection(port=port) as connection:
                    return connection.call("PING") == "PONG"
                return False
            wait_for(loaded, 30 * PATIENCE, "redis-server has loaded the folder")
            with Connection(port=port) as connection:
                assert connection.call("GET", "n") == b"11"
                assert connection.call("GET", "t") == b"1"
        finally:
            redis.kill()
            redis.wait()
