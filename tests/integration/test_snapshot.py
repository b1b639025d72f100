"""Snapshots of running nodes: the log stays bounded, who was away gets one, Redis reads the folder."""
import shutil
import subprocess

import pytest

from cluster import Ports, spawn, temporary_folder
from load import Setter
from resp import Connection
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


def test_a_follower_that_was_down_during_three_snapshots_catches_up_while_clients_write(make_cluster):
    cluster = make_cluster(**SMALL)
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    follower.kill()
    before = snapshots(leader)
    setter = Setter(cluster, "meanwhile")
    setter.start()
    with leader.connect() as connection:
        for _ in range(200):
            write(connection, 1)
            if snapshots(leader) >= before + 3:
                break
        assert snapshots(leader) >= before + 3
        follower.start()
        wait_for(lambda: int(follower.raft()["raft_snapshots_installed"]) >= 1, 60, "the snapshot is installed")
    goal = setter.done + 20
    wait_for(lambda: setter.done >= goal or not setter.is_alive(), 30, "clients write meanwhile")
    setter.finish()
    cluster.wait_equal()


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
    folder = temporary_folder("redis")
    ports = Ports()
    port = ports.take()
    shutil.copytree(node.data / "shard-0" / "appendonlydir", folder / "appendonlydir")
    manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
    assert subprocess.run(["redis-check-aof", manifest], capture_output=True, timeout=60).returncode == 0
    redis = spawn(["redis-server", "--port", str(port), "--appendonly", "yes", "--save", "", "--dir", str(folder)],
                  folder / "log")
    try:
        def loaded():
            try:
                with Connection(port=port) as connection:
                    return connection.call("PING") == "PONG"
            except OSError:
                return False
        wait_for(loaded, 60, "redis-server has loaded the folder")
        with Connection(port=port) as connection:
            assert connection.call("DBSIZE") == len(keys)
            assert connection.pipeline([("GET", key) for key in keys]) == values
    finally:
        redis.kill()
        redis.wait(20)
        ports.close()
        shutil.rmtree(folder)
