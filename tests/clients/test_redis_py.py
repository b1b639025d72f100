"""redis-py, plain and in cluster mode."""
import threading

import pytest

from cluster import Cluster
from waiting import wait_for

redis = pytest.importorskip("redis", reason="redis-py is not installed: deps/install.sh installs it")


@pytest.fixture(scope="module")
def cluster():
    with Cluster("redis-py") as one:
        yield one


@pytest.fixture
def plain(cluster):
    client = redis.Redis(host="127.0.0.1", port=cluster.wait_leader().port, decode_responses=True)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def clustered(cluster):
    client = redis.cluster.RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port, decode_responses=True)
    yield client
    client.close()


def test_strings(plain):
    assert plain.set("a", 1) is True
    assert plain.get("a") == "1"
    assert plain.incr("a", 41) == 42
    assert plain.mset({"b": 2, "c": 3}) is True
    assert plain.mget("a", "b", "nothing") == ["42", "2", None]
    assert plain.set("a", 1, nx=True) is None
    assert plain.set("a", 7, xx=True, get=True) == "42"
    assert plain.incrbyfloat("f", 1.5) == 1.5
    assert plain.getex("a", ex=100) == "7"
    assert 98 < plain.ttl("a") <= 100
    assert plain.getdel("a") == "7"
    assert plain.append("t", "xy") == 2
    assert plain.lcs("b", "c") == "" if hasattr(plain, "lcs") else True


def test_keys(plain):
    plain.mset({f"key:{i}": i for i in range(50)})
    assert sorted(plain.scan_iter("key:*")) == sorted(f"key:{i}" for i in range(50))
    assert sorted(plain.keys("key:1?")) == [f"key:{i}" for i in range(10, 20)]
    assert plain.dbsize() == 50
    assert plain.exists("key:1", "key:2", "nothing") == 2
    assert plain.delete("key:1", "key:2") == 2
    assert plain.type("key:3") == "string"
    assert plain.expire("key:3", 100) is True
    assert plain.persist("key:3") is True


def test_pipelines_and_transactions(plain):
    with plain.pipeline(transaction=False) as pipe:
        for i in range(100):
            pipe.incr("n")
        assert pipe.execute() == list(range(1, 101))
    with plain.pipeline() as pipe:
        pipe.set("a", 1).incr("a").get("a")
        assert pipe.execute() == [True, 2, "2"]

    def add(pipe):
        value = int(pipe.get("a"))
        pipe.multi()
        pipe.set("a", value + 1)
    assert plain.transaction(add, "a") == [True]
    with plain.pipeline() as pipe:
        pipe.watch("a")
        plain.set("a", "meanwhile")
        pipe.multi()
        pipe.set("a", "never")
        with pytest.raises(redis.WatchError):
            pipe.execute()


def test_administration(plain):
    assert plain.ping() is True
    assert plain.info()["redis_mode"] in ("cluster", "standalone")
    assert plain.info()["role"] == "master"
    assert plain.config_get("maxmemory") == {"maxmemory": "0"}
    assert plain.config_set("timeout", 0) is True
    assert plain.client_setname("me") is True
    assert plain.client_getname() == "me"
    assert any(client["name"] == "me" for client in plain.client_list())
    assert isinstance(plain.time(), tuple)
    assert plain.command_count() > 70
    assert plain.wait(2, 5000) in (0, 1, 2)


def test_cluster_mode(clustered, cluster):
    for i in range(100):
        assert clustered.set(f"c:{i}", i) is True
    assert [clustered.get(f"c:{i}") for i in range(100)] == [str(i) for i in range(100)]
    assert clustered.incr("c:n") == 1
    assert clustered.cluster_keyslot("foo") == 12182 if hasattr(clustered, "cluster_keyslot") else True
    with clustered.pipeline() as pipe:
        for i in range(20):
            pipe.get(f"c:{i}")
        assert pipe.execute() == [str(i) for i in range(20)]
    assert len(clustered.get_nodes()) == len(cluster.nodes)
    assert clustered.delete("c:n") == 1


def test_cluster_mode_reads_from_followers(cluster):
    client = redis.cluster.RedisCluster(host="127.0.0.1", port=cluster.nodes[2].port, read_from_replicas=True)
    try:
        assert client.set("r", "1") is True
        for _ in range(10):
            wait_for(lambda: client.get("r") == b"1", 10, "the followers have it")
    finally:
        client.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # redis-py's own __del__
def test_cluster_mode_goes_on_when_the_leader_dies(make_cluster):
    cluster = make_cluster()
    acknowledged, stopping = [], threading.Event()

    def connect():
        return redis.cluster.RedisCluster(startup_nodes=[
            redis.cluster.ClusterNode("127.0.0.1", node.port) for node in cluster.nodes])

    def write():
        client, number = connect(), 0
        while not stopping.is_set():
            number += 1
            try:
                client = client or connect()
                client.set(f"w:{number}", number)
                acknowledged.append(number)
            except redis.exceptions.RedisClusterException:
                client = None  # redis-py 4.3 cannot read the topology a second time (a deepcopy of its locks)
            except (redis.RedisError, OSError):
                continue
        if client:
            client.close()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    wait_for(lambda: len(acknowledged) > 20, 20, "writes")
    old = cluster.wait_leader()
    old.kill()
    goal = len(acknowledged) + 20
    wait_for(lambda: len(acknowledged) >= goal, 60, "writes after the leader's death")
    stopping.set()
    thread.join(60)
    leader = cluster.wait_leader()
    assert [number for number in acknowledged if leader.call("GET", f"w:{number}") != str(number).encode()] == []
