"""Any node serves: a client stays where it is, whoever leads."""
import contextlib
import threading
import time

import pytest

from cluster import PATIENCE, Cluster
from resp import Closed, Connection, Error
from waiting import wait_for


@pytest.fixture(scope="module")
def cluster():
    with Cluster("forward") as one:
        yield one


@pytest.fixture
def follower(cluster):
    node = cluster.followers()[0]
    with node.connect() as connection:
        connection.node = node
        yield connection


def test_a_client_of_a_follower_writes_and_reads_its_writes(cluster, follower):
    for number in range(100):
        assert follower.call("SET", f"key{number % 7}", str(number)) == "OK"
        assert follower.call("GET", f"key{number % 7}") == str(number).encode()
        assert cluster.wait_leader().call("GET", f"key{number % 7}") == str(number).encode()
    assert int(follower.node.raft()["raft_forwarded_writes"]) >= 100


def test_a_read_of_any_node_sees_what_was_acknowledged_on_another(cluster):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(node.connect()) for node in cluster.nodes]
        for number in range(150):
            assert clients[number % 3].call("SET", "seen", str(number)) == "OK"
            assert clients[(number + 1) % 3].call("GET", "seen") == str(number).encode()


def test_a_pipeline_keeps_its_order(follower):
    follower.call("DEL", "n")
    commands, expected = [], []
    for number in range(1, 300):
        commands += [("INCR", "n"), ("GET", "n"), ("PING",), ("STRLEN", "n")]
        expected += [number, str(number).encode(), "PONG", len(str(number))]
    assert follower.pipeline(commands) == expected


def test_transactions_are_one_step(follower):
    assert follower.call("MULTI") == "OK"
    assert follower.call("SET", "t", "1") == "QUEUED"
    assert follower.call("PING") == "QUEUED"
    assert follower.call("INCR", "t") == "QUEUED"
    assert follower.call("EXEC") == ["OK", "PONG", 2]
    assert follower.call("MULTI") == "OK"
    assert follower.call("GET", "t") == "QUEUED"
    assert follower.call("EXEC") == [b"2"]


READING = [
    (("SORT", "r:l"), [b"1", b"2", b"3"]),
    (("SORT", "r:l", "BY", "r:w*", "GET", "#"), [b"3", b"2", b"1"]),
    (("GETEX", "r:s"), b"value"),
    (("HGETEX", "r:h", "FIELDS", "2", "f", "none"), [b"1", None]),
    (("BITFIELD", "r:s", "GET", "u8", "0"), [ord("v")]),
    (("GEORADIUS", "r:g", "15", "37", "200", "km"), [b"m"]),
    (("GEORADIUSBYMEMBER", "r:g", "m", "1", "km"), [b"m"]),
]


def writes_of(leader, follower):
    """Of their clients: proposed there, and forwarded from here."""
    return int(leader.raft()["raft_writes"]), int(follower.raft()["raft_forwarded_writes"])


def test_calls_that_only_read_become_no_entries(cluster, follower):
    leader = cluster.wait_leader()
    leader.call("RPUSH", "r:l", "3", "1", "2")
    leader.call("MSET", "r:w1", "9", "r:w2", "8", "r:w3", "7", "r:s", "value")
    leader.call("HSET", "r:h", "f", "1")
    leader.call("GEOADD", "r:g", "15", "37", "m")
    commands, expected = [command for command, _ in READING], [reply for _, reply in READING]
    cluster.wait_equal()
    before = writes_of(leader, follower.node)
    assert follower.call("WATCH", "r:s", "r:l") == "OK"
    with leader.connect() as direct:
        for connection in (direct, follower):
            assert connection.pipeline(commands) == expected
            assert connection.pipeline([("MULTI",), *commands, ("EXEC",)])[-1] == expected
    assert writes_of(leader, follower.node) == before
    # Behind a write of the same connection they see it.
    assert follower.pipeline([("SET", "r:s", "w"), ("GETEX", "r:s"), ("SET", "r:s", "x")]) == ["OK", b"w", "OK"]
    assert follower.call("SORT", "r:l", "STORE", "r:d") == 3
    assert writes_of(leader, follower.node) == (before[0], before[1] + 3)


IDLE = [
    (("LPOP", "i:none"), None),
    (("SPOP", "i:none", "2"), []),
    (("ZPOPMIN", "i:none"), []),
    (("DEL", "i:none", "i:nil"), 0),
    (("SET", "i:lock", "mine", "NX", "PX", "1000"), None),
    (("SADD", "i:set", "a"), 0),
    (("HDEL", "i:none", "f"), 0),
    (("EXPIRE", "i:none", "10"), 0),
    (("PERSIST", "i:lock"), 0),
]


def test_what_changes_nothing_becomes_no_entry(cluster, follower):
    leader = cluster.wait_leader()
    leader.call("SET", "i:lock", "theirs")
    leader.call("SADD", "i:set", "a", "b")
    cluster.wait_equal()
    before = writes_of(leader, follower.node)
    with leader.connect() as direct:
        for connection in (direct, follower):
            for command, reply in IDLE:
                assert connection.call(*command) == reply
            assert writes_of(leader, follower.node) == before
        # Pipelines are entries: nothing of theirs waits for a read first.
        assert follower.pipeline([command for command, _ in IDLE]) == [reply for _, reply in IDLE]
    assert writes_of(leader, follower.node) > before


def test_what_is_there_by_now_is_taken_once(cluster):
    """Pops that seem to find nothing, while elements come: none is lost, and none is taken twice."""
    gone, taken = threading.Event(), [[] for _ in cluster.nodes]

    def take(node, mine):
        with node.connect() as connection:
            while True:
                last = gone.is_set()
                element = connection.call("LPOP", "i:jobs")
                if element is not None:
                    mine.append(element)
                elif last:
                    return

    takers = [threading.Thread(target=take, args=pair) for pair in zip(cluster.nodes, taken)]
    for taker in takers:
        taker.start()
    with cluster.wait_leader().connect() as connection:
        for number in range(300):
            connection.call("RPUSH", "i:jobs", str(number))
    gone.set()
    for taker in takers:
        taker.join()
    assert sorted(int(element) for mine in taken for element in mine) == list(range(300))


def test_watch_notices_what_others_did_elsewhere(cluster, follower):
    leader = cluster.wait_leader()
    assert follower.call("SET", "w", "1") == "OK"
    assert follower.call("WATCH", "w") == "OK"
    assert leader.call("SET", "w", "2") == "OK"
    assert follower.pipeline([("MULTI",), ("SET", "w", "3"), ("EXEC",)]) == ["OK", "QUEUED", None]
    assert follower.call("GET", "w") == b"2"
    assert follower.call("WATCH", "w") == "OK"
    assert follower.pipeline([("GET", "w"), ("MULTI",), ("SET", "w", "3"), ("EXEC",)])[-1] == ["OK"]
    assert leader.call("GET", "w") == b"3"


def test_watch_on_a_node_that_is_behind_notes_what_was_acknowledged_before(make_cluster):
    cluster = make_cluster(links=True)
    leader, behind = cluster.wait_leader(), cluster.followers()[0]
    assert leader.call("SET", "w", "1") == "OK"
    cluster.wait_equal()
    with behind.connect() as connection:
        cluster.cut([behind])
        assert leader.call("SET", "w", "2") == "OK"
        connection.send("WATCH", "w")
        connection.send("GET", "w")
        cluster.heal()
        assert connection.read() == "OK"
        assert connection.read() == b"2"
        assert connection.pipeline([("MULTI",), ("SET", "w", "3"), ("EXEC",)])[-1] == ["OK"]


def test_exec_refuses_when_watch_could_not_be_carried_out(make_cluster):
    cluster = make_cluster(links=True)
    alone = cluster.followers()[0]
    with alone.connect() as connection:
        assert connection.call("SET", "w", "1") == "OK"
        cluster.cut([alone])
        wait_for(lambda: alone.raft()["raft_leader_id"] == "0", 30 * PATIENCE, "the node misses its leader")
        connection.send("WATCH", "w")
        reply = connection.read()
        assert isinstance(reply, Error) and reply.code == "CLUSTERDOWN"
        cluster.heal()
        wait_for(lambda: connection.call("GET", "w") == b"1", 30 * PATIENCE, "the node finds its leader")
        replies = connection.pipeline([("MULTI",), ("SET", "w", "2"), ("EXEC",)])
        assert isinstance(replies[-1], Error) and replies[-1].code == "EXECABORT"
        assert connection.pipeline([("MULTI",), ("SET", "w", "2"), ("EXEC",)])[-1] == ["OK"]


def test_compare_and_set_from_all_nodes_loses_nothing(cluster):
    cluster.wait_leader().call("SET", "cas", "0")
    errors = []

    def count(node):
        try:
            with node.connect() as connection:
                done = 0
                while done < 30:
                    connection.call("WATCH", "cas")
                    value = int(connection.call("GET", "cas"))
                    replies = connection.pipeline([("MULTI",), ("SET", "cas", str(value + 1)), ("EXEC",)])
                    done += replies[-1] == ["OK"]
        except BaseException as error:  # raised below
            errors.append(error)

    threads = [threading.Thread(target=count, args=(node,), daemon=True) for node in cluster.nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 * PATIENCE)
    assert not errors, errors
    assert cluster.wait_leader().call("GET", "cas") == b"90"


def test_what_has_expired_is_gone_on_every_node(cluster, follower):
    assert follower.call("SET", "e", "1", "PX", "300") == "OK"
    assert 0 < follower.call("PTTL", "e") <= 300
    wait_for(lambda: follower.call("GET", "e") is None, 20 * PATIENCE, "the key expires")
    for node in cluster.nodes:
        assert node.call("GET", "e") is None


def test_commands_without_keys_are_served(follower):
    assert follower.call("SET", "scanned", "1") == "OK"
    assert follower.call("DBSIZE") >= 1
    assert b"scanned" in follower.call("KEYS", "*")
    found, cursor = [], b"0"
    while True:
        cursor, keys = follower.call("SCAN", cursor)
        found += keys
        if cursor == b"0":
            break
    assert b"scanned" in found
    assert len(follower.call("TIME")) == 2
    assert follower.call("RANDOMKEY") is not None


def test_errors_are_those_of_the_leader(cluster, follower):
    follower.call("SET", "text", "x")
    assert str(follower.call("INCR", "text")) == "ERR value is not an integer or out of range"
    assert str(follower.call("SET", "text")).startswith("ERR wrong number of arguments")
    leader = cluster.wait_leader()
    leader.call("CONFIG", "SET", "maxmemory", "1")
    try:
        assert follower.call("SET", "text", "y") == Error("OOM command not allowed when used memory > 'maxmemory'.")
        assert follower.call("DEL", "nothing") == 0
        replies = follower.pipeline([("MULTI",), ("SET", "text", "z"), ("EXEC",)])
        assert replies[-1] == Error("EXECABORT Transaction discarded because of: OOM command not allowed when used "
                                    "memory > 'maxmemory'.")
    finally:
        leader.call("CONFIG", "SET", "maxmemory", "0")
    assert follower.call("GET", "text") == b"x"


def test_wait_counts_nodes_as_at_the_leader(cluster, follower):
    assert follower.call("SET", "waited", "1") == "OK"
    assert follower.call("WAIT", "2", "20000") == 2
    assert follower.call("WAIT", "0", "0") >= 1
    assert follower.call("WAIT", "5", "50") == 2


def test_silent_and_resp3_clients_are_the_same_on_every_node(cluster, follower):
    follower.send("CLIENT", "REPLY", "OFF")
    follower.send("INCR", "silent")
    follower.send("CLIENT", "REPLY", "ON")
    assert follower.read() == "OK"
    assert cluster.wait_leader().call("GET", "silent") == b"1"
    hello = follower.call("HELLO", "3")
    assert hello
    assert follower.call("GET", "nothing at all") is None
    assert follower.call("HELLO", "2")


def test_a_large_value_goes_through_a_follower(follower):
    value = b"v" * (16 << 20)
    assert follower.call("SET", "large", value) == "OK"
    assert follower.call("GET", "large") == value
    assert follower.call("DEL", "large") == 1


def test_who_has_asked_for_the_nodes_is_redirected(cluster):
    leader = cluster.wait_leader()
    node = cluster.followers()[0]
    for question in (("CLUSTER", "SLOTS"), ("CLUSTER", "SHARDS"), ("CLUSTER", "NODES"), ("READONLY",), ("ASKING",)):
        with node.connect() as connection:
            assert connection.call("SET", "a", "1") == "OK"
            connection.call(*question)
            assert str(connection.call("SET", "a", "1")) == f"MOVED 15495 {leader.address}"
    node.call("CONFIG", "SET", "follower-mode", "proxy")
    try:
        with node.connect() as connection:
            connection.call("CLUSTER", "SLOTS")
            assert connection.call("SET", "a", "1") == "OK"
    finally:
        node.call("CONFIG", "SET", "follower-mode", "auto")


class Counter(threading.Thread):
    """INCR of one key on one node, one after the other or in pipelines. Every reply is noted."""

    def __init__(self, node, key, depth):
        super().__init__(daemon=True)
        self.node = node
        self.key = key
        self.depth = depth
        self.replies = []
        self.stopping = threading.Event()
        self.error = None

    def run(self):
        try:
            with Connection(port=self.node.port, timeout=60 * PATIENCE) as connection:
                while not self.stopping.is_set():
                    self.replies += connection.pipeline([("INCR", self.key)] * self.depth)
        except BaseException as error:  # raised by finish()
            self.error = error

    def finish(self):
        self.stopping.set()
        self.join(60 * PATIENCE)
        assert not self.is_alive(), "a client hangs"
        if self.error:
            raise self.error


@pytest.mark.parametrize("depth", [1, 16])
def test_each_increment_counts_once_while_leaders_are_killed(make_cluster, depth):
    cluster = make_cluster(size=5, leader_wait_ms=20000)
    survivor = cluster.followers()[0]
    counters = [Counter(survivor, f"counter{number}", depth) for number in range(4)]
    for counter in counters:
        counter.start()
    for _ in range(5):
        goal = sum(len(counter.replies) for counter in counters) + 200
        wait_for(lambda: sum(len(counter.replies) for counter in counters) >= goal or any(c.error for c in counters),
                 60 * PATIENCE, "clients count")
        leader = cluster.wait_leader()
        if leader is survivor:
            break
        leader.kill()
        leader.start()
    for counter in counters:
        counter.finish()
        assert counter.replies == list(range(1, len(counter.replies) + 1))
        assert survivor.call("GET", counter.key) == str(len(counter.replies)).encode()
    assert int(survivor.raft()["raft_unknown_outcomes"]) == 0


def test_a_leader_that_stood_still_finds_out_what_became_of_its_clients_writes(make_cluster):
    """Its clients get each reply once: it lost its office meanwhile, and forwards what was lost."""
    cluster = make_cluster(size=3, leader_wait_ms=20000)
    leader = cluster.wait_leader()
    counters = [Counter(leader, f"counter{number}", 8) for number in range(3)]
    for counter in counters:
        counter.start()
    wait_for(lambda: all(len(counter.replies) > 50 for counter in counters), 30 * PATIENCE, "clients count")
    for _ in range(3):
        leader.pause()
        other = cluster.wait_leader(but=leader)
        assert other is not leader
        leader.resume()
        goal = sum(len(counter.replies) for counter in counters) + 100
        wait_for(lambda: sum(len(counter.replies) for counter in counters) >= goal or any(c.error for c in counters),
                 60 * PATIENCE, "clients go on")
        if cluster.wait_leader() is not leader:
            break
    for counter in counters:
        counter.finish()
        assert counter.replies == list(range(1, len(counter.replies) + 1))
        with contextlib.suppress(Closed):
            assert cluster.wait_leader().call("GET", counter.key) == str(len(counter.replies)).encode()


def test_the_outcome_is_unknown_only_when_the_wait_is_over(make_cluster):
    cluster = make_cluster(size=3, leader_wait_ms=500)
    follower, other = cluster.followers()
    with follower.connect(timeout=30 * PATIENCE) as connection:
        assert connection.call("SET", "a", "1") == "OK"
        leader = cluster.wait_leader()
        leader.pause()
        other.pause()
        connection.send("SET", "a", "2")
        begin = time.monotonic()
        reply = connection.read()
        assert isinstance(reply, Error) and reply.code in ("UNKNOWN", "CLUSTERDOWN"), reply
        assert time.monotonic() - begin >= 0.5
        leader.resume()
        other.resume()
        wait_for(lambda: connection.call("SET", "a", "3") == "OK", 30 * PATIENCE, "the cluster goes on")
        assert connection.call("GET", "a") == b"3"
