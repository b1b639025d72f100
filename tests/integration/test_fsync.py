"""appendfsync always, everysec and no: what INFO tells of syncs, and that a kill -9 costs nothing in any of them."""
import pytest

from cluster import PATIENCE
from resp import Error
from waiting import wait_for

WRITES = 60


def syncs(node):
    return int(node.info("persistence")["log_syncs"])


def writes(node):
    return int(node.info("persistence")["log_writes"])


def write_one_by_one(connection, name, count=WRITES):
    for i in range(count):
        assert connection.call("SET", f"{name}:{i}", f"value {i}") == "OK"


def set_on_all(cluster, mode):
    for node in cluster.nodes:
        assert node.call("CONFIG", "SET", "appendfsync", mode) == "OK"
        assert node.call("CONFIG", "GET", "appendfsync") == [b"appendfsync", mode.encode()]


def expect_all(cluster, names, count=WRITES):
    with cluster.wait_leader().connect() as connection:
        for name in names:
            keys = [f"{name}:{i}" for i in range(count)]
            assert connection.call("MGET", *keys) == [f"value {i}".encode() for i in range(count)]


def kill_all_and_start(cluster):
    for node in cluster.nodes:
        node.process.kill()
    for node in cluster.nodes:
        node.kill()
    for node in cluster.nodes:
        node.start(wait=False)
    for node in cluster.nodes:
        node.wait_until_up()
    cluster.wait_leader()


def expect_each_write_synced(leader, name):
    before, fsyncs = syncs(leader), fsync_count(leader)
    with leader.connect() as connection:
        write_one_by_one(connection, name)
    assert syncs(leader) >= before + WRITES
    assert fsync_count(leader) >= fsyncs + WRITES


def fsync_count(node):
    """Of the durations in INFO raft."""
    fields = dict(field.split("=") for field in node.raft()["raft_fsync_usec"].split(","))
    return int(fields["count"])


def expect_synced_once_a_second(leader, name):
    before, written = syncs(leader), writes(leader)
    with leader.connect() as connection:
        write_one_by_one(connection, name)
        assert writes(leader) >= written + WRITES
        # Writes do not wait for syncs: these took less than a second or two, and not one sync each.
        assert syncs(leader) < before + WRITES // 2
        wait_for(lambda: syncs(leader) > before, 10 * PATIENCE, "a sync within a second or so")
        before = syncs(leader)
        write_one_by_one(connection, name + "-later", 5)
        wait_for(lambda: syncs(leader) > before, 10 * PATIENCE, "a sync of the next writes")


def expect_no_syncs(leader, name):
    before, written = syncs(leader), writes(leader)
    with leader.connect() as connection:
        write_one_by_one(connection, name)
    assert writes(leader) >= written + WRITES
    assert syncs(leader) == before


EXPECTATIONS = {"always": expect_each_write_synced, "everysec": expect_synced_once_a_second, "no": expect_no_syncs}


@pytest.mark.parametrize("mode", EXPECTATIONS)
def test_appendfsync_says_when_the_log_is_synced_and_a_kill_of_all_loses_nothing(make_cluster, mode):
    cluster = make_cluster(appendfsync=mode)
    for node in cluster.nodes:
        assert node.call("CONFIG", "GET", "appendfsync") == [b"appendfsync", mode.encode()]
    EXPECTATIONS[mode](cluster.wait_leader(), "key")
    digest = cluster.wait_equal()
    assert not isinstance(digest, Error)
    kill_all_and_start(cluster)
    expect_all(cluster, ["key"])
    cluster.wait_equal(nodes=cluster.nodes)
    with cluster.wait_leader().connect() as connection:
        write_one_by_one(connection, "after")
    expect_all(cluster, ["key", "after"])


def test_appendfsync_changes_while_the_nodes_run(make_cluster):
    cluster = make_cluster()
    names = []
    for number, mode in enumerate(["everysec", "no", "always", "no", "everysec", "always"]):
        set_on_all(cluster, mode)
        # What was written under the mode before may be synced once more.
        names.append(f"{number}-{mode}")
        with cluster.wait_leader().connect() as connection:
            write_one_by_one(connection, names[-1] + "-first", 3)
        EXPECTATIONS[mode](cluster.wait_leader(), names[-1])
    assert isinstance(cluster.nodes[0].call("CONFIG", "SET", "appendfsync", "sometimes"), Error)
    kill_all_and_start(cluster)
    expect_all(cluster, names)
    cluster.wait_equal(nodes=cluster.nodes)
