"""The Sentinel port beside a stock redis-sentinel: the same fields, errors and shapes of replies."""
import pathlib
import re
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import servers  # noqa: E402
from cluster import Cluster, spawn  # noqa: E402
from resp import Closed, Connection  # noqa: E402
from test_docs import texts  # noqa: E402
from waiting import wait_for  # noqa: E402

if shutil.which("redis-server") is None:
    pytest.skip("redis-server is not installed: deps/install.sh installs it", allow_module_level=True)


class Sentinels:
    """A primary, its replica and a redis-sentinel that knows both."""

    def __init__(self):
        self.primary = servers.plain()
        self.replica = servers.Redis("--replicaof", "127.0.0.1", str(self.primary.port))
        self.port = self.primary.ports.take()
        config = self.primary.dir / "sentinel.conf"
        config.write_text(f"port {self.port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 "
                          f"{self.primary.port} 1\n")
        self.process = spawn(["redis-server", str(config), "--sentinel"], self.primary.dir / "sentinel.log",
                             cwd=str(self.primary.dir))

    def close(self):
        self.process.kill()
        self.process.wait()
        self.replica.close()
        self.primary.close()


def call(port, *command):
    with Connection(port=port) as connection:
        return connection.call(*command)


def knows_replica(port):
    try:
        replicas = call(port, "SENTINEL", "REPLICAS", "mymaster")
        return replicas and all(b"ok" in replica for replica in replicas)
    except (OSError, Closed):
        return False


@pytest.fixture(scope="module")
def ports():
    """Of redis-sentinel and of the node that leads."""
    sentinels = Sentinels()
    cluster = Cluster("sentinels")
    for node in cluster.nodes:
        node.sentinel_port = cluster.ports.take()
        cluster.write_config(node, sentinel_port=node.sentinel_port)
    try:
        with cluster:
            ours = cluster.wait_leader().sentinel_port
            for port in (sentinels.port, ours):
                wait_for(lambda port=port: knows_replica(port), 40, "the replicas are known")
            yield sentinels.port, ours
    finally:
        sentinels.close()


def names(flat):
    return flat[::2]


@pytest.mark.parametrize("command", [("SENTINEL", "MASTERS"), ("SENTINEL", "REPLICAS", "mymaster"),
                                     ("SENTINEL", "SLAVES", "mymaster")])
def test_fields_are_those_of_redis_in_its_order(ports, command):
    theirs, ours = (call(port, *command) for port in ports)
    assert names(ours[0]) == names(theirs[0])
    assert [value for value in theirs[0][1::2] if not isinstance(value, bytes)] == []
    assert [value for value in ours[0][1::2] if not isinstance(value, bytes)] == []


@pytest.mark.parametrize("command", [
    ("SENTINEL", "get-master-addr-by-name", "other"), ("SENTINEL", "get-master-addr-by-name"),
    ("SENTINEL", "MASTER", "other"), ("SENTINEL", "REPLICAS", "other"), ("SENTINEL", "SENTINELS", "other"),
    ("SENTINEL", "CKQUORUM", "other"), ("SENTINEL", "CKQUORUM"), ("SENTINEL", "nonsense"), ("SENTINEL",),
    ("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", "1", "0", "*"),
    ("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", "x", "0", "*"),
    ("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", "1"),
    ("ROLE",), ("ROLE", "x"), ("PING",), ("PING", "x"), ("GET", "a"), ("SELECT", "0"), ("ECHO", "x"), ("RESET",),
    ("CLUSTER", "INFO"), ("CONFIG", "GET", "port"), ("AUTH", "x"), ("SUBSCRIBE",), ("CLIENT", "SETNAME", "a b"),
    ("CLIENT", "SETNAME", "me"), ("CLIENT", "GETNAME"), ("HELLO", "4"), ("MULTI",),
])
def test_replies_are_those_of_redis(ports, command):
    theirs, ours = ([], [])
    for port, into in zip(ports, (theirs, ours)):
        for protocol in ("2", "3"):
            with Connection(port=port) as connection:
                connection.call("HELLO", protocol)
                into.append(connection.call_raw(*command))
    assert ours == theirs


def test_subscriptions_are_answered_as_redis_does(ports):
    commands = ["SUBSCRIBE a b a", "PSUBSCRIBE x*", "PING", "PING hi", "PING a b", "INFO", "CLIENT ID", "UNSUBSCRIBE a",
                "UNSUBSCRIBE", "PUNSUBSCRIBE x*", "UNSUBSCRIBE", "PUNSUBSCRIBE", "UNSUBSCRIBE q r", "PING",
                "SUBSCRIBE a", "PING end"]
    answers = []
    for port in ports:
        for protocol in ("2", "3"):
            with Connection(port=port) as connection:
                connection.call("HELLO", protocol)
                asked = [c for c in commands if protocol == "2" or c not in ("INFO", "CLIENT ID")]
                connection.send_raw("".join(f"{command}\r\n" for command in asked).encode())
                answers.append([])
                while not answers[-1] or b"end" not in answers[-1][-1]:
                    answers[-1].append(connection.read_raw())
    assert answers[2:] == answers[:2]


def test_hello_and_info_have_the_fields_of_redis(ports):
    theirs, ours = (call(port, "HELLO", "3") for port in ports)
    assert list(ours) == list(theirs)
    theirs, ours = (call(port, "INFO", "sentinel").decode() for port in ports)
    assert re.findall("^([a-z0-9_]+):", ours, re.M) == re.findall("^([a-z0-9_]+):", theirs, re.M)
    pattern = "master0:name=mymaster,status=ok,address=127.0.0.1:[0-9]+,slaves=[0-9]+,sentinels=[0-9]+\r\n"
    assert re.search(pattern, ours) and re.search(pattern, theirs)


def test_its_commands_are_a_part_of_those_of_redis(ports):
    theirs, ours = ({name.decode() for name in call(port, "COMMAND", "LIST")} for port in ports)
    # Those of later versions; a redis-sentinel 7.0 has forgotten QUIT.
    assert ours - theirs <= {"client|setinfo", "quit"}


def test_its_commands_are_described_in_words_of_our_own(ports):
    theirs, ours = (texts(call(port, "COMMAND", "DOCS")) for port in ports)
    assert {text for text in ours.values() if len(text) > 6} & {text for text in theirs.values()} <= set()
