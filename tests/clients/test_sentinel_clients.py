"""redis-py finds the leader through the nodes' own Sentinel ports and goes on when it dies. Other libraries: libraries/."""
import threading

import pytest

from cluster import PATIENCE
from waiting import wait_for

WRITES = 20  # before and after the leader's death


def with_sentinels(make_cluster):
    cluster = make_cluster(start=False)
    for node in cluster.nodes:
        node.sentinel_port = cluster.ports.take()
        cluster.write_config(node, sentinel_port=node.sentinel_port)
    return cluster.start()


@pytest.fixture
def cluster(make_cluster):
    return with_sentinels(make_cluster)


@pytest.fixture
def redis():
    return pytest.importorskip("redis", reason="redis-py is not installed: deps/install.sh installs it")


def sentinel_of(redis, cluster):
    import redis.sentinel
    return redis.sentinel.Sentinel([("127.0.0.1", node.sentinel_port) for node in cluster.nodes],
                                   socket_timeout=5 * PATIENCE)


def assert_kept(cluster, acknowledged):
    leader = cluster.wait_leader()
    assert [n for n in acknowledged if leader.call("GET", f"w:{n}") != str(n).encode()] == []


def kill_leader_under(cluster, acknowledged, end="kill"):
    """Ends the leader in the middle of the writes, and waits until they go on."""
    wait_for(lambda: len(acknowledged) > WRITES, 30 * PATIENCE, "writes")
    old = cluster.wait_leader()
    getattr(old, end)()
    goal = len(acknowledged) + WRITES
    wait_for(lambda: len(acknowledged) >= goal, 60 * PATIENCE, "writes after the leader's end")
    return old


def test_redis_py_finds_the_leader_and_the_replicas(redis, cluster):
    sentinel = sentinel_of(redis, cluster)
    leader = cluster.wait_leader()
    followers = {("127.0.0.1", node.port) for node in cluster.followers()}
    wait_for(lambda: set(sentinel.discover_slaves("mymaster")) == followers, 10, "all nodes are known")
    assert sentinel.discover_master("mymaster") == ("127.0.0.1", leader.port)
    with pytest.raises(redis.sentinel.MasterNotFoundError):
        sentinel.discover_master("other")
    state = sentinel.sentinels[0].sentinel_masters()["mymaster"]
    assert state["is_master"] and not state["is_sdown"] and not state["is_odown"]
    assert (state["num-slaves"], state["quorum"]) == (2, 2)
    wait_for(lambda: len(sentinel.sentinels[0].sentinel_sentinels("mymaster")) == 2, 10, "the others are known")
    assert sentinel.master_for("mymaster").set("a", 1) is True
    assert sentinel.slave_for("mymaster").execute_command("PING") is True


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_redis_py_goes_on_when_the_leader_ends(redis, cluster, end):
    acknowledged, stopping, strange = [], threading.Event(), []

    def write():
        client, number = sentinel_of(redis, cluster).master_for("mymaster"), 0
        while not stopping.is_set():
            number += 1
            try:
                client.set(f"w:{number}", number)
                acknowledged.append(number)
            except (redis.ConnectionError, redis.TimeoutError):
                continue
            except redis.RedisError as error:
                strange.append(error)
    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        kill_leader_under(cluster, acknowledged, end)
    finally:
        stopping.set()
        thread.join(60)
    assert_kept(cluster, acknowledged)
    # Of a write that was under way when a leader stopped, the node says that it does not know.
    assert [error for error in strange if "UNKNOWN" not in str(error)] == []


def test_redis_py_hears_of_the_next_leader(redis, cluster):
    old = cluster.wait_leader()
    survivor = cluster.followers()[0]
    listener = redis.Redis(port=survivor.sentinel_port, decode_responses=True).pubsub(ignore_subscribe_messages=True)
    listener.subscribe("+switch-master")
    wait_for(lambda: listener.subscribed, 10)
    listener.get_message(timeout=1)  # of the subscription itself
    old.kill()
    new = cluster.wait_leader(but=old)
    message = wait_for(lambda: listener.get_message(timeout=1), 20, "the message")
    assert message["data"] == f"mymaster 127.0.0.1 {old.port} 127.0.0.1 {new.port}"
    listener.close()
