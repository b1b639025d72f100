"""Clients that ask for more than they read: what a node keeps for them, whatever they ask for."""
import pytest

from cluster import PATIENCE
from resp import encode
from waiting import wait_for

MEGABYTE = 1 << 20
COUNT = 200
PAUSE = 8 * MEGABYTE  # client-output-buffer-pause as it is by default
LARGE = b"x" * MEGABYTE

READS = [
    ("GET", "string"), ("GETRANGE", "string", 0, -1), ("MGET", "string", "none"),
    ("HGET", "hash", "f"), ("HMGET", "hash", "f"), ("HGETALL", "hash"), ("HSCAN", "hash", 0), ("HRANDFIELD", "hash", 1, "WITHVALUES"),
    ("LINDEX", "list", 0), ("LRANGE", "list", 0, -1),
    ("SMEMBERS", "set"), ("SRANDMEMBER", "set"), ("SUNION", "set", "none"), ("SSCAN", "set", 0),
    ("ZRANGE", "zset", 0, -1), ("ZUNION", 1, "zset"), ("ZSCAN", "zset", 0),
    ("GEOSEARCH", "geo", "FROMLONLAT", 1, 1, "BYRADIUS", 10, "km"),
    ("XRANGE", "stream", "-", "+"), ("XREAD", "STREAMS", "stream", 0), ("XINFO", "STREAM", "stream"),
]
# These enter the log: they cannot wait when their entry is applied.
WRITES = [
    ("GETEX", "string"), ("HGETEX", "hash", "FIELDS", 1, "f"), ("LMOVE", "list", "list", "LEFT", "LEFT"), ("RPOPLPUSH", "list", "list"),
    ("GEORADIUS", "geo", 1, 1, 10, "km"), ("SORT", "list", "ALPHA"), ("XCLAIM", "stream", "g", "c", 0, "1-1"),
    ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", 0), ("XAUTOCLAIM", "stream", "g", "c", 0, 0),
]


def fill(connection):
    for command in [
        ("SET", "string", LARGE), ("HSET", "hash", "f", LARGE), ("RPUSH", "list", LARGE), ("SADD", "set", LARGE),
        ("ZADD", "zset", 1, LARGE), ("GEOADD", "geo", 1, 1, LARGE), ("XADD", "stream", "1-1", "f", LARGE),
        ("XGROUP", "CREATE", "stream", "g", 0), ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">"),
    ]:
        connection.call(*command)


class Memory:
    """How much more a process took at any time than at first."""

    def __init__(self, node):
        self.status = f"/proc/{node.pid}/status"
        with open(f"/proc/{node.pid}/clear_refs", "w") as file:
            file.write("5")  # the peak begins anew
        self.first = self._peak()

    def _peak(self):
        with open(self.status) as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))

    def grown(self):
        return self._peak() - self.first


def holds_much(node):
    return int(node.info("clients")["client_recent_max_output_buffer"]) > PAUSE // 2  # the socket has taken some


def held_reads(node):
    return int(node.raft()["raft_held_reads"])


def ask_and_read(node, command, count=COUNT):
    with node.connect(timeout=60) as client:
        client.send_raw(encode(command) * count)
        wait_for(lambda: holds_much(node), 20 * PATIENCE, f"replies to {command[0]} wait")
        for _ in range(count):
            client.read_raw()


@pytest.fixture(scope="module")
def filled():
    import cluster as cluster_module
    with cluster_module.Cluster(name="unread_replies") as cluster:
        with cluster.wait_leader().connect(timeout=60) as connection:
            fill(connection)
        cluster.wait_equal()
        yield cluster


@pytest.mark.parametrize("command", READS, ids=lambda command: command[0])
@pytest.mark.parametrize("role", ["leader", "follower"])
def test_pipeline_of_large_reads_takes_the_pause_and_a_reply(filled, role, command):
    node = filled.wait_leader() if role == "leader" else filled.followers()[0]
    term = node.raft()["raft_current_term"]
    memory = Memory(node)
    ask_and_read(node, command)
    assert memory.grown() < 40 * MEGABYTE
    assert node.raft()["raft_current_term"] == term


@pytest.mark.parametrize("command", WRITES, ids=lambda command: command[0])
def test_pipeline_of_writes_with_large_replies_is_bounded(filled, command):
    node = filled.wait_leader()
    memory = Memory(node)
    ask_and_read(node, command)
    assert memory.grown() < 60 * MEGABYTE


@pytest.mark.parametrize("command", [("HGET", "hash", "f"), ("GET", "string")], ids=lambda command: command[0])
def test_large_reads_between_writes_are_bounded(filled, command):
    node = filled.wait_leader()
    memory = Memory(node)
    with node.connect(timeout=60) as client:
        client.send_raw((encode(command) + encode(("SET", "other", "v"))) * COUNT)
        wait_for(lambda: holds_much(node), 20 * PATIENCE, "replies wait")
        for _ in range(2 * COUNT):
            client.read_raw()
    assert memory.grown() < 120 * MEGABYTE


def test_string_that_the_follower_has_not_applied_yet(make_cluster):
    """It takes the requests while the value is only on its way to it."""
    cluster = make_cluster(raft_election_timeout_ms=3000)
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    with follower.connect(timeout=60) as client:
        assert client.call("GET", "k") is None
        memory = Memory(follower)
        follower.pause()
        assert leader.call("SET", "k", LARGE) == "OK"
        client.send_raw(encode(("GET", "k")) * COUNT)
        follower.resume()
        wait_for(lambda: holds_much(follower), 20 * PATIENCE, "replies wait")
        for _ in range(COUNT):
            assert client.read() == LARGE
    assert memory.grown() < 40 * MEGABYTE


def test_replies_keep_their_order_and_see_the_writes_before_them(filled):
    node = filled.wait_leader()
    with node.connect(timeout=60) as client:
        requests = [("HGET", "hash", "f")] * 30 + [("SET", "n", 1), ("GET", "n"), ("PING",)]
        requests += [("HGET", "hash", "f")] * 30 + [("SET", "n", 2), ("GET", "n"), ("STRLEN", "string")]
        client.send_raw(b"".join(encode(request) for request in requests))
        wait_for(lambda: holds_much(node), 20 * PATIENCE, "replies wait")
        replies = [client.read() for _ in requests]
    assert replies == [LARGE] * 30 + ["OK", b"1", "PONG"] + [LARGE] * 30 + ["OK", b"2", MEGABYTE]


def test_node_ends_without_waiting_for_a_client_that_reads_nothing(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.wait_leader()
    with node.connect(timeout=60) as client:
        assert client.call("HSET", "hash", "f", LARGE) == 1
        client.send_raw(encode(("HGET", "hash", "f")) * COUNT)
        wait_for(lambda: holds_much(node), 20 * PATIENCE, "replies wait")
        assert held_reads(node) > 0
        assert node.stop(timeout=5) == 0


def test_clients_that_leave_take_their_held_reads_with_them(filled):
    node = filled.wait_leader()
    memory = Memory(node)
    for _ in range(10):
        with node.connect(timeout=60) as client:
            client.send_raw(encode(("HGET", "hash", "f")) * COUNT)
            wait_for(lambda: holds_much(node), 20 * PATIENCE, "replies wait")
        wait_for(lambda: not holds_much(node), 20 * PATIENCE, "the client has gone")
    assert memory.grown() < 60 * MEGABYTE
    wait_for(lambda: held_reads(node) == 0, 20 * PATIENCE, "its held reads have gone")
    assert node.call("PING") == "PONG"
