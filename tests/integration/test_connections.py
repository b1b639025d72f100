"""Clients that misbehave, and the limits that hold them."""
import collections
import contextlib
import os
import random
import re
import socket
import threading
import time

import pytest

from cluster import PATIENCE, TOOLS, RedirectingClient
from peer import VERSION
from resp import Closed, Connection, Error, encode
from waiting import wait_for


@pytest.fixture(scope="module")
def cluster():
    from cluster import Cluster
    with Cluster("connections") as one:
        yield one


@pytest.fixture
def leader(cluster):
    return cluster.wait_leader()


@pytest.mark.parametrize("data", [
    b"*3\r\n$3\r\nSET\r\n$-5\r\n",
    b"*-5\r\n*2147483648\r\n",
    b"*1\r\n$99999999999999999999\r\n",
    b"*1\r\n$9223372036854775807\r\n",
    b"*1\r\n:1\r\n",
    b"*x\r\n",
    b"\x00\xff\xfe\r\n" * 3,
    b"*2147483647\r\n",
    b"A" * 70000,
    b'GET "unbalanced\r\n',
    random.Random(1).randbytes(5000) + b"\r\n",
], ids=lambda data: repr(data[:12]))
def test_malformed_input_hurts_only_its_connection(leader, data):
    with leader.connect() as witness, leader.connect(timeout=5) as connection:
        try:
            connection.send_raw(data + b"*1\r\n$4\r\nPING\r\n")
            connection.socket.shutdown(1)
            connection.read_to_end()
        except (Closed, OSError):
            pass
        assert witness.call("PING") == "PONG"
    assert leader.running


def test_a_request_in_single_bytes(leader):
    with leader.connect() as connection:
        for byte in encode(("SET", "slow", "value\r\n\x00")) + b"GET slow\r\n":
            connection.send_raw(bytes([byte]))
        assert connection.read() == "OK"
        assert connection.read() == b"value\r\n\x00"


def test_large_values_pass(cluster):
    value = os.urandom(1 << 20) * 16
    client = RedirectingClient(cluster, timeout=60)

    def written():
        """On a slow machine the leadership may change under so large a message: it is written again then."""
        try:
            return client.call("SET", "large", value) == "OK"
        except RedirectingClient.Unknown:
            return False
    wait_for(written, 60, "a value of 16 MB is written")
    assert client.call("GET", "large") == value
    assert client.call("DEL", "large") == 1
    client.close()


LARGE = [int(size) for size in os.environ.get("FLOTILLA_LARGE_MEBIBYTES", "64").split(",")]


@pytest.mark.parametrize("mebibytes", LARGE)
def test_a_large_value_costs_no_leader_its_office(make_cluster, mebibytes):
    """Copies and checksums of a large value stop the loop for longer than an election timeout."""
    cluster = make_cluster(proto_max_bulk_len="512mb")
    leader = cluster.wait_leader()
    term = leader.raft()["raft_current_term"]
    with leader.connect(timeout=120) as client:
        assert client.call("SET", "large", b"x" * (mebibytes << 20)) == "OK"
    cluster.wait_equal()
    for node in cluster.nodes:
        assert node.read_stale("STRLEN", "large") == mebibytes << 20
        assert node.raft()["raft_current_term"] == term
    assert leader.says_leader()


def test_a_value_that_becomes_large_costs_no_leader_its_office(make_cluster):
    cluster = make_cluster(proto_max_bulk_len="512mb")
    leader = cluster.wait_leader()
    term = leader.raft()["raft_current_term"]
    with leader.connect(timeout=120) as client:
        assert client.call("SETRANGE", "large", (512 << 20) - 1, "x") == 512 << 20
        assert client.call("GETRANGE", "large", -1, -1) == b"x"
        assert client.call("COPY", "large", "copy") == 1
        assert client.call("DEL", "large", "copy") == 2
    cluster.wait_equal()
    for node in cluster.nodes:
        assert node.raft()["raft_current_term"] == term
    assert leader.says_leader()


def test_messages_of_nodes_are_refused_from_clients(cluster):
    for node in cluster.nodes:
        for command in (("RAFT.HELLO", "1", "x" * 40, "wrong", "1", "2"), ("RAFT.PROOF", ""),
                        ("RAFT.APPEND", "x"), ("RAFT.VOTE",), ("RAFT.ANYTHING", "1", "2")):
            reply = node.call(*command)
            assert isinstance(reply, Error) and reply.code == "NOPERM", (command, reply)


def test_a_node_with_another_secret_is_not_heard(make_cluster):
    cluster = make_cluster()
    good, stranger = cluster.nodes[:2], cluster.nodes[2]
    cluster.write_config(stranger, cluster_secret='"another secret that is as long as it has to be"')
    stranger.kill()
    stranger.start()
    leader = cluster.wait_leader()
    assert leader in good
    assert leader.call("SET", "a", "1") == "OK"
    term = leader.raft()["raft_current_term"]
    time.sleep(3 * cluster.directives["raft-election-timeout-ms"] / 1000)  # time for the stranger to try
    assert leader.raft()["raft_current_term"] == term
    assert stranger.applied < leader.applied
    assert not stranger.says_leader()


def test_a_client_that_asks_for_much_costs_no_leader_its_office(make_cluster):
    cluster = make_cluster(raft_election_timeout_ms=3000)
    leader = cluster.wait_leader()
    term = leader.raft()["raft_current_term"]
    with leader.connect(timeout=60) as client:
        for name in ("a", "b"):
            assert client.call("SET", name, os.urandom(5600)) == "OK"
        assert client.call("SET", "large", b"x" * (1 << 20)) == "OK"
        assert client.call("SET", "a" * 100000, "1") == "OK"

        reply = client.call("KEYS", "*" + "a" * 50000 + "b")
        assert isinstance(reply, Error) and "would take too long" in str(reply)
        reply = client.call("MGET", *["large"] * 2000)
        assert isinstance(reply, Error) and "512 MB" in str(reply)
        for write in ([], [("SET", "c", "1")]):
            client.pipeline([("MULTI",), *write, *[("LCS", "a", "b", "LEN")] * 100])
            replies = client.call("EXEC")[len(write):]
            assert not isinstance(replies[0], Error)
            assert "took too long" in str(replies[-1])
        replies = client.pipeline([("LCS", "a", "b", "LEN")] * 100)
        assert not any(isinstance(reply, Error) for reply in replies)
    assert leader.raft()["raft_current_term"] == term
    assert cluster.wait_equal()


class Crowd:
    """Strangers at all nodes that say what `words` are, again and again, from the address that the nodes share."""

    def __init__(self, nodes, words):
        self.ends = threading.Event()
        self.words = words
        self.threads = [threading.Thread(target=self.run, args=(node,)) for node in nodes]

    def run(self, node):
        kept = collections.deque(maxlen=100)
        while not self.ends.wait(0.005):
            with contextlib.suppress(OSError):
                stranger = socket.create_connection(("127.0.0.1", node.port), 5)
                kept.append(stranger)
                for words in self.words:
                    stranger.sendall(encode(words))
                    stranger.recv(1000)

    def __enter__(self):
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("guesses", [True, False])
def test_a_crowd_at_their_address_keeps_no_node_out(make_cluster, guesses):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    hello = [["RAFT.HELLO", VERSION, leader.id, node.id, 1, leader.raft()["raft_dbid"], "bulk", "0" * 64]
             for node in cluster.nodes]
    assert leader.call(*hello[0][:3], leader.id, *hello[0][4:])[0] == b"RAFT.CHALLENGE"
    proof = [["RAFT.PROOF", "0" * 64]] if guesses else []
    with contextlib.ExitStack() as crowds:
        for node, words in zip(cluster.nodes, hello):
            crowds.enter_context(Crowd([node], [words, *proof]))
        time.sleep(2)
        leader.kill()
        leader.start()
        cluster.wait_leader()
        assert RedirectingClient(cluster).call("SET", "a", "1") == "OK"
        cluster.wait_equal(timeout=15)


def test_a_secret_that_can_be_guessed_is_refused_at_start(make_cluster):
    cluster = make_cluster(start=False)
    node = cluster.nodes[0]
    cluster.write_config(node, cluster_secret="short")
    node.start(wait=False)
    assert node.wait_exit() != 0
    assert "'cluster-secret': 5 characters can be guessed; use 32 or more" in node.tail()


def test_without_a_secret_a_password_ends_the_ring(make_cluster):
    """Nobody else may speak as a node where clients need a password."""
    cluster = make_cluster(start=False, secret="")
    cluster.start()
    leader = cluster.wait_leader()
    assert leader.call("SET", "a", "1") == "OK"
    with leader.connect() as client:
        assert client.call("CONFIG", "SET", "requirepass", "x" * 20) == "OK"
        assert client.call("AUTH", "x" * 20) == "OK"
        wait_for(lambda: dict(line.split(":", 1) for line in client.call("INFO", "raft").decode().splitlines()
                              if ":" in line)["raft_role"] != "leader", 20, "the leader has lost the others")
        assert "a password guards the data, but cluster-secret is not set" in leader.tail()
        assert client.call("CONFIG", "SET", "requirepass", "") == "OK"
    cluster.wait_leader()
    cluster.wait_equal()


def test_a_wrong_secret_is_logged_once_with_its_cause(make_cluster):
    cluster = make_cluster()
    good, stranger = cluster.nodes[:2], cluster.nodes[2]
    cluster.write_config(stranger, cluster_secret='"another secret that is as long as it has to be"')
    stranger.kill()
    stranger.start()
    cluster.wait_leader()
    wait_for(lambda: all(int(node.raft()["peer_handshakes_refused"]) >= 2 for node in good), 30,
             "the stranger has tried")
    for node in good:
        lines = [line for line in node.tail(1000).splitlines() if "has another cluster-secret" in line]
        assert len(lines) == 1 and "from 127.0.0.1:" in lines[0] and "node 3" in lines[0], lines
    for node in good:
        lines = [line for line in stranger.tail(1000).splitlines()
                 if f"node {node.id} at" in line and "wrong cluster-secret" in line]
        assert len(lines) == 1, stranger.tail(1000)


def test_a_dead_node_is_logged_once_and_so_is_its_return(make_cluster):
    cluster = make_cluster()
    dead, witness = cluster.followers()
    dead.kill()
    address = f"node {dead.id} at 127.0.0.1:{dead.port}"

    def since():
        _, lost, after = witness.tail(1000).rpartition(f"{address} is not connected any more")
        return lost + after if lost else ""
    wait_for(lambda: "cannot be reached: Connection refused" in since(), 10 * PATIENCE)
    time.sleep(2)  # for more attempts, which are counted and not logged
    dead.start()
    back = rf"{re.escape(address)} is connected, after (\d+) attempts that failed"
    wait_for(lambda: re.search(back, since()), 10 * PATIENCE, "the log says that the node is back")
    assert int(re.search(back, since())[1]) > 1
    assert since().count(f"node {dead.id} at") == 3, since()


def test_a_node_that_has_moved_is_found_under_its_name(make_cluster):
    """The names' addresses change while the nodes run: they are looked up at each dial."""
    cluster = make_cluster(start=False)
    names = cluster.dir / "names"
    names.write_text("".join(f"node-{node.id}.test 127.0.0.1\n" for node in cluster.nodes))
    members = ",".join(f"{node.id}@node-{node.id}.test:{node.port}" for node in cluster.nodes)
    for node in cluster.nodes:
        cluster.write_config(node, cluster_nodes=members)
        node.environment = {"LD_PRELOAD": str(TOOLS / "names.so"), "FLOTILLA_NAMES": str(names)}
    cluster.start()
    moved, witness = cluster.followers()
    moved.kill()
    names.write_text("".join(f"node-{node.id}.test 127.0.0.1\n" for node in cluster.nodes if node is not moved))
    wait_for(lambda: f"node {moved.id} at node-{moved.id}.test:{moved.port} cannot be found" in witness.tail(1000), 10,
             "a name that is gone is logged")
    names.write_text("".join(f"node-{node.id}.test {'127.0.0.2' if node is moved else '127.0.0.1'}\n"
                             for node in cluster.nodes))
    cluster.write_config(moved, cluster_nodes=members, bind="127.0.0.1 127.0.0.2")
    moved.start()
    connected = f"node {moved.id} at node-{moved.id}.test:{moved.port} is connected, after"
    for node in cluster.nodes:
        if node is not moved:
            wait_for(lambda node=node: connected in node.tail(1000), 10, "the node is found where it is now")
    cluster.wait_equal()


def test_maxclients(leader):
    with leader.connect() as control:
        limit = int(control.call("CONFIG", "GET", "maxclients")[1])
        connected = int(leader.info("clients")["connected_clients"])
        assert control.call("CONFIG", "SET", "maxclients", connected + 5) == "OK"
        many = []
        try:
            replies = []
            for _ in range(12):
                connection = leader.connect()
                many.append(connection)
                try:
                    replies.append(connection.call("PING"))
                except Closed:
                    replies.append(None)
            assert replies.count("PONG") >= 3
            refused = [reply for reply in replies if reply != "PONG"]
            assert refused and all(str(reply) == "ERR max number of clients reached" for reply in refused)
        finally:
            for connection in many:
                connection.close()
            assert control.call("CONFIG", "SET", "maxclients", limit) == "OK"
    wait_for(lambda: leader.call("PING") == "PONG", 10, "new clients are served")


def test_idle_clients_are_closed(cluster):
    follower = cluster.followers()[0]
    assert follower.call("CONFIG", "SET", "timeout", "1") == "OK"
    try:
        with follower.connect(timeout=20) as connection:
            assert connection.call("PING") == "PONG"
            start = time.monotonic()
            assert connection.read_to_end() == b""
            assert time.monotonic() - start > 0.5
    finally:
        assert follower.call("CONFIG", "SET", "timeout", "0") == "OK"
    cluster.wait_equal()


def test_a_client_that_reads_nothing_is_closed_at_its_output_limit(leader):
    with leader.connect() as control:
        assert control.call("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0") == "OK"
        assert control.call("SET", "half", b"x" * 500000) == "OK"
        try:
            with leader.connect() as glutton:
                with pytest.raises(Closed):
                    glutton.send_raw(encode(("GET", "half")) * 100)
                    glutton.read_to_end()
                    raise Closed  # the server closed it
            count = wait_for(lambda: int(leader.info("stats").get("client_output_buffer_limit_disconnections", 0)), 10)
            assert count >= 1
        finally:
            assert control.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0") == "OK"
        control.call("DEL", "half")


def test_unix_socket(make_cluster):
    cluster = make_cluster(start=False, size=3)
    node = cluster.nodes[0]
    path = node.dir / "s"
    cluster.write_config(node, unixsocket=f'"{path}"', unixsocketperm="700")
    cluster.start()
    with Connection(path=str(path)) as connection:
        assert connection.call("PING") == "PONG"
    assert path.stat().st_mode & 0o777 == 0o700
    node.stop()
    assert not path.exists()


def test_protected_mode_lets_local_clients_in(leader):
    assert leader.call("CONFIG", "GET", "protected-mode") == [b"protected-mode", b"yes"]
    assert leader.call("PING") == "PONG"


def test_client_list_and_kill(leader):
    with leader.connect() as one, leader.connect() as two:
        assert one.call("CLIENT", "SETNAME", "victim") == "OK"
        number = one.call("CLIENT", "ID")
        assert "name=victim" in two.call("CLIENT", "LIST", "ID", number).decode()
        assert two.call("CLIENT", "KILL", "ID", number) == 1
        with pytest.raises(Closed):
            one.call("PING")
            one.call("PING")


def test_a_flood_of_connections_is_survived(leader):
    connections = [leader.connect() for _ in range(300)]
    try:
        for connection in connections:
            connection.send("INCR", "flood")
        values = sorted(connection.read() for connection in connections)
        assert values == list(range(1, 301))
    finally:
        for connection in connections:
            connection.close()


def test_many_watchers_let_one_transaction_win(leader):
    with leader.connect() as setup:
        setup.call("SET", "balance", "10")
    connections = [leader.connect() for _ in range(10)]
    for connection in connections:
        assert connection.call("WATCH", "balance") == "OK"
        assert connection.call("MULTI") == "OK"
        assert connection.call("DECR", "balance") == "QUEUED"
    for connection in connections:
        connection.send("EXEC")
    replies = [connection.read() for connection in connections]
    for connection in connections:
        connection.close()
    assert replies.count([9]) == 1 and replies.count(None) == 9
    with leader.connect() as check:
        assert check.call("GET", "balance") == b"9"


def ask_without_reading(node, request, count, seconds=6):
    """A connection that sends `count` times `request` and reads nothing; it is closed by the caller."""
    connection = node.connect()
    connection.socket.setblocking(False)
    data = encode(request) * count
    sent, until = 0, time.monotonic() + seconds
    while sent < len(data) and time.monotonic() < until:
        try:
            sent += connection.socket.send(data[sent:])
        except BlockingIOError:
            time.sleep(0.01)
    assert sent == len(data), "the pipeline was not taken"
    return connection


def resident(node):
    with open(f"/proc/{node.pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_client_that_reads_no_large_values_costs_neither_the_office_nor_memory(cluster):
    leader = cluster.wait_leader()
    term = leader.raft()["raft_current_term"]
    assert leader.call("SET", "megabyte", b"x" * (1 << 20)) == "OK"
    before = resident(leader)
    glutton = ask_without_reading(leader, ("GET", "megabyte"), 2000)
    late = 0
    for _ in range(100):
        start = time.monotonic()
        assert leader.call("SET", "other", "1") == "OK"
        late = max(late, time.monotonic() - start)
        time.sleep(0.01)
    assert resident(leader) - before < 64 << 20
    assert late < 1
    assert cluster.wait_leader() is leader
    assert leader.raft()["raft_current_term"] == term
    glutton.socket.setblocking(True)
    left = 2000 * len(encode(("x" * (1 << 20),))[4:])  # all of it comes when it is read
    while left:
        got = len(glutton.socket.recv(1 << 20))
        assert got, f"closed with {left} bytes to come"
        left -= got
    glutton.close()
    assert leader.raft()["raft_current_term"] == term
    leader.call("DEL", "megabyte")


def test_slow_commands_are_kept_with_their_clients(leader):
    with leader.connect() as slow:
        assert slow.call("CLIENT", "SETNAME", "snail") == "OK"
        assert slow.call("CONFIG", "SET", "slowlog-log-slower-than", "0") == "OK"
        assert slow.call("SLOWLOG", "RESET") == "OK"
        assert slow.call("SET", "k", "v") == "OK"
        assert slow.call("GET", "k") == b"v"
        assert slow.call("CONFIG", "SET", "slowlog-log-slower-than", "10000") == "OK"
        entries = {entry[3][0].upper(): entry for entry in slow.call("SLOWLOG", "GET", "-1")}
        for command in (b"SET", b"GET"):
            number, at, took, args, address, name = entries[command]
            assert abs(at - time.time()) < 60 and 0 <= took < 1_000_000, entries[command]
            assert args[1] == b"k" and name == b"snail" and address.startswith(b"127.0.0.1:"), entries[command]
        assert slow.call("SLOWLOG", "RESET") == "OK"
        assert slow.call("SLOWLOG", "LEN") == 0
