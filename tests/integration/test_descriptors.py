"""Few descriptors: clients get what is left, the node keeps what it needs."""
import contextlib
import os
import pathlib
import resource
import subprocess

import pytest

from cluster import SERVER
from resp import Closed, Connection, Error
from waiting import wait_for

LIMIT = 100


def limited(node, limit=LIMIT):
    node.program = ["prlimit", f"--nofile={limit}:{limit}", SERVER]


def descriptors(node):
    return len(os.listdir(f"/proc/{node.pid}/fd"))


@pytest.fixture
def crowded(make_cluster):
    """Three nodes with few descriptors each, and more clients at the leader than it takes."""
    cluster = make_cluster(start=False, io_threads=1, raft_segment_bytes="64kb", raft_snapshot_log_bytes="256kb",
                           raft_snapshot_keep_bytes="64kb")
    for node in cluster.nodes:
        limited(node)
    cluster.start()
    leader = cluster.wait_leader()
    crowd = []
    with contextlib.ExitStack() as stack:
        for _ in range(3 * LIMIT):
            with contextlib.suppress(OSError):
                crowd.append(stack.enter_context(Connection(port=leader.port)))
        yield cluster, leader, crowd


def answers(connection):
    try:
        return connection.call("PING") == "PONG"
    except (OSError, Closed):
        return False


def test_a_crowd_of_clients_leaves_the_node_its_descriptors(crowded):
    cluster, leader, crowd = crowded
    served = [connection for connection in crowd if answers(connection)]
    assert 5 < len(served) < LIMIT
    assert descriptors(leader) < LIMIT - 10
    # Segments are begun and removed, snapshots written.
    client = served[0]
    for i in range(300):
        assert client.call("SET", f"key{i % 7}", "x" * 10000) == "OK"
    assert client.call("SAVE") == "OK"
    # Another node that comes back finds this one, and this one finds it.
    other = next(node for node in cluster.nodes if node is not leader)
    other.kill()
    other.start()
    wait_for(lambda: is_linked(client), 20, "both other nodes are connected")
    assert client.call("SET", "a", "1") == "OK"
    assert "too many open files" not in leader.log.read_text().lower()
    assert "input/output error" not in leader.log.read_text()


def is_linked(connection):
    nodes = connection.call("CLUSTER", "NODES")
    return not isinstance(nodes, Error) and nodes.count(b"\n") == 3 and b"disconnected" not in nodes


def test_more_clients_than_fit_are_refused_with_the_number_that_fits(make_cluster):
    cluster = make_cluster(start=False, size=1, io_threads=1)
    node = cluster.nodes[0]
    limited(node, 500)
    node.start()
    with node.connect() as connection:
        fits = int(connection.call("CONFIG", "GET", "maxclients")[1])
        assert 350 < fits < 500
        reply = connection.call("CONFIG", "SET", "maxclients", "20000", "timeout", "7")
        assert str(reply) == ("ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system "
                              f"is not able to handle the specified number of clients, try with {fits}")
        assert connection.call("CONFIG", "GET", "timeout")[1] == b"0"
        assert connection.call("CONFIG", "SET", "maxclients", str(fits)) == "OK"
        assert connection.call("CONFIG", "SET", "maxclients", "100") == "OK"
        assert connection.call("CONFIG", "SET", "maxclients", str(fits)) == "OK"
    assert "maxclients 10000 needs more descriptors than the system allows" in node.log.read_text()


def test_the_limit_is_raised_as_far_as_the_system_allows(make_cluster):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 3000:
        pytest.skip("the hard limit is too low")
    cluster = make_cluster(start=False, size=1, maxclients=100, io_threads=1)
    node = cluster.nodes[0]
    node.program = ["prlimit", "--nofile=60:3000", SERVER]
    node.start()
    limits = pathlib.Path(f"/proc/{node.pid}/limits")
    before = int([line for line in limits.read_text().splitlines() if "open files" in line][0].split()[3])
    assert before >= 160
    with node.connect() as connection:
        assert connection.call("CONFIG", "SET", "maxclients", "2500") == "OK"
        assert isinstance(connection.call("CONFIG", "SET", "maxclients", "3000"), Error)
    after = int([line for line in limits.read_text().splitlines() if "open files" in line][0].split()[3])
    assert after >= 2560


def test_a_start_without_room_for_one_client_is_refused(make_cluster):
    cluster = make_cluster(start=False, size=1, io_threads=1)
    node = cluster.nodes[0]
    done = subprocess.run(["prlimit", "--nofile=40:40", SERVER, str(node.config)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=20, check=False)
    assert done.returncode == 1
    assert b"too few descriptors: the node needs" in done.stdout


def test_save_without_a_descriptor_says_so(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.nodes[0]
    with cluster.wait_leader().connect() as connection:
        assert connection.call("SET", "a", "1") == "OK"
        taken = {int(name) for name in os.listdir(f"/proc/{node.pid}/fd")}
        free = min(set(range(len(taken) + 1)) - taken)
        hard = resource.prlimit(node.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(node.pid, resource.RLIMIT_NOFILE, (free, hard))
        assert str(connection.call("SAVE")) == "ERR the snapshot could not be written: too many open files"
        assert "snapshot failed: too many open files" in node.log.read_text()
        resource.prlimit(node.pid, resource.RLIMIT_NOFILE, (hard, hard))
        assert connection.call("SAVE") == "OK"
