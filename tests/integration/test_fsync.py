"""appendfsync always, everysec and no: what INFO tells of syncs, and that a kill -9 costs nothing in any of them."""
import pytest

from cluster import PATIENCE, RedirectingClient
from resp import Error
from waiting import wait_for

WRITES = 60


def total(cluster, field):
    return sum(int(node.info("persistence")[field]) for node in cluster.nodes)


def syncs(cluster):
    return total(cluster, "log_syncs")


def timed_syncs(cluster):
    """Those whose duration INFO raft tells."""
    fields = [dict(field.split("=") for field in node.raft()["raft_fsync_usec"].split(",")) for node in cluster.nodes]
    return sum(int(one["count"]) for one in fields)


def write_one_by_one(cluster, name, count=WRITES):
    client = RedirectingClient(cluster)
    try:
        for i in range(count):
            assert client.call("SET", f"{name}:{i}", f"value {i}") == "OK"
    finally:
        client.close()


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


def expect_each_write_synced(cluster, name):
    """By a majority before the answer; which nodes these are may differ, so all are counted."""
    before, timed = syncs(cluster), timed_syncs(cluster)
    write_one_by_one(cluster, name)
    assert syncs(cluster) >= before + 2 * WRITES
    assert timed_syncs(cluster) >= timed + 2 * WRITES


def expect_synced_once_a_second(cluster, name):
    before, written = syncs(cluster), total(cluster, "log_writes")
    write_one_by_one(cluster, name)
    assert total(cluster, "log_writes") >= written + 2 * WRITES
    assert syncs(cluster) < before + WRITES, "writes wait for syncs"
    wait_for(lambda: syncs(cluster) >= before + 2, 10 * PATIENCE, "a sync within a second or so")
    before = syncs(cluster)
    write_one_by_one(cluster, name + "-later", 5)
    wait_for(lambda: syncs(cluster) >= before + 3, 10 * PATIENCE, "a sync of the next writes on each node")


def expect_no_syncs(cluster, name):
    before, written = syncs(cluster), total(cluster, "log_writes")
    write_one_by_one(cluster, name)
    assert total(cluster, "log_writes") >= written + 2 * WRITES
    # One may have been under way on each node, of the mode before.
    assert syncs(cluster) <= before + len(cluster.nodes)


EXPECTATIONS = {"always": expect_each_write_synced, "everysec": expect_synced_once_a_second, "no": expect_no_syncs}


@pytest.mark.parametrize("mode", EXPECTATIONS)
def test_appendfsync_says_when_the_log_is_synced_and_a_kill_of_all_loses_nothing(make_cluster, mode):
    cluster = make_cluster(appendfsync=mode)
    for node in cluster.nodes:
        assert node.call("CONFIG", "GET", "appendfsync") == [b"appendfsync", mode.encode()]
    EXPECTATIONS[mode](cluster, "key")
    cluster.wait_equal()
    kill_all_and_start(cluster)
    expect_all(cluster, ["key"])
    cluster.wait_equal(nodes=cluster.nodes)
    write_one_by_one(cluster, "after")
    expect_all(cluster, ["key", "after"])


def test_appendfsync_changes_while_the_nodes_run(make_cluster):
    cluster = make_cluster()
    names = []
    for number, mode in enumerate(["everysec", "no", "always", "no", "everysec", "always"]):
        set_on_all(cluster, mode)
        names.append(f"{number}-{mode}")
        EXPECTATIONS[mode](cluster, names[-1])
    assert isinstance(cluster.nodes[0].call("CONFIG", "SET", "appendfsync", "sometimes"), Error)
    kill_all_and_start(cluster)
    expect_all(cluster, names)
    cluster.wait_equal(nodes=cluster.nodes)
