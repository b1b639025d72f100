"""What a node that does not lead tells its clients where it redirects them."""
import binascii

import pytest

from resp import Connection


def slot_of(key):
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1:end]
    return binascii.crc_hqx(key, 0) % 16384


@pytest.fixture(scope="module")
def cluster():
    from cluster import Cluster
    with Cluster("redirect", follower_mode="redirect") as one:
        yield one


@pytest.mark.parametrize("key", [b"a", b"foo", b"{user}.name", b"{}x", b"a{b}c{d}", b"\x00\xff", b""])
def test_moved_names_the_keys_true_slot_and_the_leader(cluster, key):
    leader = cluster.wait_leader()
    for follower in cluster.followers():
        for command in (("GET", key), ("SET", key, "v"), ("DEL", key, "other")):
            assert str(follower.call(*command)) == f"MOVED {slot_of(key)} {leader.address}"


def test_a_follower_redirects_transactions_at_exec(cluster):
    leader = cluster.wait_leader()
    with cluster.followers()[0].connect() as connection:
        replies = [connection.call(*command) for command in (("MULTI",), ("SET", "a", "1"), ("EXEC",))]
    moved = [str(reply) for reply in replies if str(reply).startswith("MOVED")]
    assert moved and set(moved) == {f"MOVED {slot_of(b'a')} {leader.address}"}, replies


def test_every_node_answers_what_concerns_only_the_connection(cluster):
    for node in cluster.nodes:
        assert node.call("PING") == "PONG"
        assert node.call("ECHO", "x") == b"x"
        assert node.call("CLUSTER", "KEYSLOT", "foo") == 12182
        assert node.call("SELECT", "0") == "OK"


def test_all_nodes_agree_on_the_topology_with_the_leader_first(cluster):
    leader = cluster.wait_leader()
    names = {node.port: node.call("CLUSTER", "MYID").decode() for node in cluster.nodes}
    assert len(set(names.values())) == 3
    for node in cluster.nodes:
        slots = node.call("CLUSTER", "SLOTS")
        assert [entry[:2] for entry in slots] == [[0, 16383]]
        told = slots[0][2:]
        assert told[0][1] == leader.port
        assert sorted(entry[1] for entry in told) == sorted(names)
        assert all(entry[2].decode() == names[entry[1]] for entry in told)
        info = node.call("CLUSTER", "INFO").decode()
        assert "cluster_state:ok" in info
        assert "cluster_slots_assigned:16384" in info
        lines = node.call("CLUSTER", "NODES").decode().splitlines()
        assert len(lines) == 3
        assert sum("master" in line.split()[2] for line in lines) == 1
        myself = next(line for line in lines if "myself" in line.split()[2])
        assert myself.startswith(names[node.port])


def test_info_tells_the_role(cluster):
    leader = cluster.wait_leader()
    for node in cluster.nodes:
        assert node.info("replication")["role"] == ("master" if node is leader else "slave")
        raft = node.raft()
        assert int(raft["raft_leader_id"]) == leader.id
        assert raft["raft_role"] == ("leader" if node is leader else "follower")
        assert int(raft["raft_num_nodes"]) == 3


def test_a_client_waits_for_the_next_leader(make_cluster):
    cluster = make_cluster(leader_wait_ms=10000)
    old = cluster.wait_leader()
    others = cluster.followers()
    old.kill()
    with Connection(port=others[0].port, timeout=30) as connection:
        reply = connection.call("SET", "a", "1")
    assert reply == "OK", reply
