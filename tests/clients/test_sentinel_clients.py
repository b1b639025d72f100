"""Clients of Sentinel find the leader through the nodes' own Sentinel ports and go on when it dies.

Those of other languages come from their registries: each is a program of its own in sentinel/."""
import os
import pathlib
import shutil
import subprocess
import threading

import pytest

from cluster import PATIENCE, SERVER, TOP
from waiting import wait_for

PROGRAMS = TOP / "tests" / "clients" / "sentinel"
FOLDER = pathlib.Path(SERVER).parent / "clients"
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tests</groupId><artifactId>tests</artifactId><version>1</version><dependencies><dependency>
<groupId>redis.clients</groupId><artifactId>jedis</artifactId><version>8.0.2</version></dependency></dependencies>
</project>
"""
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


# --- other languages ---

def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def run_once(folder, command, timeout=120):
    """Runs what fetches or builds a library, unless an earlier run did; skips if it cannot be had."""
    done = folder / "done"
    if done.exists():
        return
    try:
        ended = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command[0]} did not answer within {timeout} s")
    if ended.returncode != 0:
        pytest.skip(f"{command[0]}: {ended.stdout[-200:]}")
    done.touch()


def folder_of(name):
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def with_npm(package, program):
    need("node", "npm")
    folder = folder_of(package)
    (folder / "package.json").write_text("{}\n")
    run_once(folder, ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", package])
    return ["node", str(PROGRAMS / program)], {"NODE_PATH": str(folder / "node_modules")}


def ioredis():
    return with_npm("ioredis@6", "ioredis.js")


def node_redis():
    return with_npm("redis@6", "node_redis.js")


def only_if_asked():
    if os.environ.get("FLOTILLA_CLIENTS") != "all":
        pytest.skip("takes minutes to build: set FLOTILLA_CLIENTS=all")


def go_redis():
    need("go")
    only_if_asked()
    folder = folder_of("go-redis")
    shutil.copy(PROGRAMS / "go_redis.go", folder / "main.go")
    (folder / "go.mod").write_text("module tests\n")
    run_once(folder, ["sh", "-c", "go get github.com/redis/go-redis/v9@v9.23.0 && go build -o client ."], 600)
    return [str(folder / "client")], {}


def jedis():
    need("java", "mvn")
    only_if_asked()
    folder = folder_of("jedis")
    (folder / "pom.xml").write_text(POM)
    run_once(folder, ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"], 300)
    return ["java", "-cp", f"{folder}/lib/*", str(PROGRAMS / "Jedis8.java")], {}


@pytest.mark.parametrize("library", [ioredis, node_redis, go_redis, jedis])
def test_a_client_of_another_language_goes_on_when_the_leader_dies(make_cluster, library):
    command, environment = library()
    cluster = with_sentinels(make_cluster)
    command += [str(node.sentinel_port) for node in cluster.nodes]
    acknowledged = []
    errors = cluster.dir / "errors"
    with open(errors, "wb") as stderr:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=stderr, text=True)

    def read():
        for line in process.stdout:
            acknowledged.append(int(line))
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        kill_leader_under(cluster, acknowledged)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{errors.read_text()}") from error
    finally:
        process.kill()
        process.wait()
        thread.join(60)
    assert_kept(cluster, acknowledged)
