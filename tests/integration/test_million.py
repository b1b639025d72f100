"""A million keys: snapshots, more writes, the kill of all nodes, and the same data afterwards, also in redis-server.

FLOTILLA_MILLION_KEYS says how many there are; 100000 without it."""
import os
import shutil
import signal
import subprocess

import pytest

from cluster import PATIENCE, Ports, spawn, temporary_folder
from resp import Connection, Error, encode
from waiting import wait_for

KEYS = int(os.environ.get("FLOTILLA_MILLION_KEYS", "100000"))
BATCH = 5000
SECONDS = (30 + KEYS / 10000) * PATIENCE
FAR = 4102444800000  # the year 2100
# DEBUG DIGEST looks at all keys in one go: at a million that must not pass for the leader's death.
ELECTION_MS = int((300 + KEYS // 400) * PATIENCE)


def first_value(i):
    """Numbers, text, nothing, bytes that look like RESP and annotations, and a longer one now and then."""
    kind = i % 8
    if kind == 0:
        return b"%d" % i
    if kind == 1:
        return b"\x00#VOTE:1:1\r\n*1\r\n%d" % i
    if kind == 2 and i % 1000 == 2:
        return b"%d " % i * 100
    if kind == 3:
        return b""
    return b"value of key %d" % i


class Model:
    """What the keys hold. Key i is key:<i>; every tenth is written again, every 97th removed."""

    def __init__(self):
        self.size = KEYS
        self.later = False

    def value(self, i):
        if not self.later:
            return first_value(i)
        if i % 97 == 0:
            return None
        if i % 10 == 0:
            return b"%d" % (i + 1) if i % 8 == 0 else b"again %d" % i
        return first_value(i)

    def count(self):
        return self.size - (len(range(0, self.size, 97)) if self.later else 0)


def first_writes():
    for i in range(KEYS):
        if i % 16 == 5:
            yield (b"SET", b"key:%d" % i, first_value(i), b"PXAT", b"%d" % (FAR + i)), b"+OK\r\n"
        else:
            yield (b"SET", b"key:%d" % i, first_value(i)), b"+OK\r\n"


def later_writes():
    for i in range(KEYS):
        key = b"key:%d" % i
        if i % 97 == 0:
            yield (b"DEL", key), b":1\r\n"
        elif i % 10 == 0 and i % 8 == 0:
            yield (b"INCR", key), b":%d\r\n" % (i + 1)
        elif i % 10 == 0:
            yield (b"SET", key, b"again %d" % i), b"+OK\r\n"


def read_exactly(connection, expected):
    """The next bytes of the stream are these."""
    parts, left = [], len(expected)
    while left:
        data = connection.socket.recv(min(left, 1 << 20))
        assert data, "the server closed the connection"
        parts.append(data)
        left -= len(data)
    got = b"".join(parts)
    if got != expected:
        at = next(i for i, (a, b) in enumerate(zip(got, expected)) if a != b)
        raise AssertionError(f"{got[max(0, at - 40):at + 80]!r} instead of {expected[max(0, at - 40):at + 80]!r}")


def pour(connection, commands):
    """Sends commands in big pipelines; each reply is as expected. How many there were."""
    count = 0
    requests, replies = [], []

    def flush():
        connection.send_raw(b"".join(requests))
        read_exactly(connection, b"".join(replies))
        requests.clear()
        replies.clear()
    for command, reply in commands:
        requests.append(encode(command))
        replies.append(reply)
        count += 1
        if len(requests) == BATCH:
            flush()
    if requests:
        flush()
    return count


def bulk(value):
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


def compare_all(connection, model):
    """Every key has the value of the model, and there are no others."""
    assert connection.call("DBSIZE") == model.count()

    def reads():
        for start in range(0, model.size, 500):
            some = range(start, min(start + 500, model.size))
            yield ((b"MGET", *(b"key:%d" % i for i in some)),
                   b"*%d\r\n" % len(some) + b"".join(bulk(model.value(i)) for i in some))
    for command, reply in reads():
        connection.send(*command)
        read_exactly(connection, reply)


def kill_at_once(nodes):
    for node in nodes:
        node.process.send_signal(signal.SIGKILL)
    for node in nodes:
        node.kill()


def save(cluster):
    """A snapshot on each node, no older than now."""
    goals = {node.id: node.applied for node in cluster.nodes}
    for node in cluster.nodes:
        reply = node.call("BGSAVE", "SCHEDULE")
        assert not isinstance(reply, Error), reply

    def saved():
        for node in cluster.nodes:
            persistence = node.info("persistence")
            if persistence["rdb_bgsave_in_progress"] != "0":
                return False
            assert persistence["rdb_last_bgsave_status"] == "ok"
            if int(node.raft()["raft_snapshot_index"]) < goals[node.id]:
                return False
        return True
    wait_for(saved, SECONDS, "a snapshot on each node", interval=0.05)


def check_files(folder):
    """Redis' own tools accept the folder."""
    for command in (["redis-check-aof", folder / "appendonly.aof.manifest"],
                    ["redis-check-rdb", next(folder.glob("*.base.rdb"))]):
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, (command, done.stdout[-500:])


def compare_with_redis(node, model, port):
    folder = temporary_folder("redis")
    redis = None
    try:
        shutil.copytree(node.data / "shard-0" / "appendonlydir", folder / "appendonlydir")
        check_files(folder / "appendonlydir")
        redis = spawn(["redis-server", "--port", str(port), "--appendonly", "yes", "--save", "", "--dir", str(folder),
                       "--auto-aof-rewrite-percentage", "0", "--appendfsync", "no"], folder / "log")

        def loaded():
            assert redis.poll() is None, (folder / "log").read_text()[-2000:]
            try:
                with Connection(port=port) as connection:
                    return connection.call("PING") == "PONG"
            except OSError:
                return False
        wait_for(loaded, SECONDS, "redis-server has loaded the folder")
        with Connection(port=port, timeout=SECONDS) as connection:
            compare_all(connection, model)
            assert connection.call("PEXPIRETIME", "key:21") == FAR + 21
    finally:
        if redis:
            redis.kill()
            redis.wait(20)
        shutil.rmtree(folder)


def test_a_snapshot_and_the_kill_of_all_nodes_keep_every_key_also_for_redis(make_cluster):
    cluster = make_cluster(raft_segment_bytes="8mb", raft_election_timeout_ms=ELECTION_MS)
    model = Model()
    with cluster.wait_leader().connect(timeout=SECONDS) as connection:
        assert pour(connection, first_writes()) == KEYS
    digest = cluster.wait_equal(timeout=SECONDS)
    save(cluster)
    with cluster.wait_leader().connect(timeout=SECONDS) as connection:
        assert pour(connection, later_writes()) > KEYS // 10
        model.later = True
    cluster.wait_equal(timeout=SECONDS)
    kill_at_once(cluster.nodes)
    # Alone a node knows of nothing behind its snapshot that is committed.
    cluster.nodes[0].start()
    assert cluster.nodes[0].call("DEBUG", "DIGEST") == digest
    for node in cluster.nodes[1:]:
        node.start(wait=False)
    cluster.wait_leader(timeout=SECONDS)
    cluster.wait_equal(nodes=cluster.nodes, timeout=SECONDS)
    for node in cluster.nodes:
        with node.connect(timeout=SECONDS) as connection:
            assert connection.call("READONLY") == "OK"
            compare_all(connection, model)
    kill_at_once(cluster.nodes)
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed: the folders were not compared with it")
    ports = Ports()
    try:
        port = ports.take()
        for node in cluster.nodes:
            compare_with_redis(node, model, port)
    finally:
        ports.close()
