"""What clients are told about the nodes, beside a stock redis-server: CLUSTER, INFO replication, ROLE."""
import pathlib
import re
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import servers  # noqa: E402
from cluster import Cluster  # noqa: E402
from waiting import wait_for  # noqa: E402

if shutil.which("redis-server") is None:
    pytest.skip("redis-server is not installed: deps/install.sh installs it", allow_module_level=True)

# What differs between any two clusters: names of nodes, the port of the bus, epochs and offsets.
PARTICULARS = [(rb"[0-9a-f]{40}", b"NAME"), (rb"@\d+", b"@BUS"), (rb"- 0 \d+ \d+ connected", b"- 0 0 0 connected"),
               (rb"replication-offset\r\n:\d+", b"replication-offset\r\n:0"), (rb"^([$=])\d+", rb"\1LENGTH")]


def without_particulars(raw):
    for pattern, text in PARTICULARS:
        raw = re.sub(pattern, text, raw)
    return raw


@pytest.fixture(scope="module")
def both():
    redis = servers.clustered()
    with Cluster("discovery", size=1) as cluster:
        yield redis, cluster.nodes[0]
    redis.close()


@pytest.mark.parametrize("hostname", ["", "n.example"])
@pytest.mark.parametrize("kind", ["ip", "hostname", "unknown-endpoint"])
def test_announced_addresses_are_told_as_redis_does(both, kind, hostname):
    answers = []
    for server in both:
        with server.connect() as connection:
            assert connection.call("CONFIG", "SET", "cluster-announce-ip", "10.9.8.7", "cluster-announce-port", "7001",
                                   "cluster-announce-hostname", hostname, "cluster-preferred-endpoint-type",
                                   kind) == "OK"
            # redis-server takes the address over in its next beat.
            wait_for(lambda c=connection: b"10.9.8.7:7001@" in c.call("CLUSTER", "NODES"), 10)
            answers.append([])
            for protocol in ("2", "3"):
                connection.call("HELLO", protocol)
                for name in ("SLOTS", "SHARDS", "NODES"):
                    answers[-1].append(without_particulars(connection.call_raw("CLUSTER", name)))
    assert answers[1] == answers[0]


@pytest.mark.parametrize("directive, value", [
    ("cluster-announce-hostname", "a b"), ("cluster-announce-hostname", "a_b"),
    ("cluster-preferred-endpoint-type", "best"), ("cluster-announce-port", "70000"), ("cluster-announce-port", "x"),
])
def test_what_cannot_be_announced_is_refused_as_redis_does(both, directive, value):
    theirs, ours = (server.connect() for server in both)
    with theirs, ours:
        assert ours.call_raw("CONFIG", "SET", directive, value) == theirs.call_raw("CONFIG", "SET", directive, value)


@pytest.fixture(scope="module")
def pairs():
    """((their primary, their replica), (our leader, a follower)): each has connect()."""
    primary = servers.plain()
    replica = servers.Redis("--replicaof", "127.0.0.1", str(primary.port))
    with Cluster("pairs", size=2) as cluster:
        leader = cluster.wait_leader()
        ours = (leader, cluster.followers()[0])
        for server, other in ((primary, replica), ours):
            wait_for(lambda s=server: fields(s)["connected_slaves"] == "1" and "state=online" in fields(s)["slave0"], 20)
            wait_for(lambda o=other: fields(o)["master_link_status"] == "up", 20)
        yield (primary, replica), ours
    replica.close()
    primary.close()


def fields(server):
    with server.connect() as connection:
        text = connection.call("INFO", "replication").decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


@pytest.mark.parametrize("role", [0, 1], ids=["primary", "replica"])
def test_info_replication_has_the_fields_of_redis_in_its_order(pairs, role):
    theirs, ours = (fields(pair[role]) for pair in pairs)
    assert list(ours) == list(theirs)
    assert ours["role"] == theirs["role"]
    assert {name for name in ours if ours[name].isdigit()} >= {
        name for name in theirs if theirs[name].isdigit()}, "a number is a number"


def test_a_line_about_a_replica_has_the_fields_of_redis(pairs):
    theirs, ours = ([pair.split("=")[0] for pair in fields(both[0])["slave0"].split(",")] for both in pairs)
    assert ours == theirs


@pytest.mark.parametrize("role", [0, 1], ids=["primary", "replica"])
def test_role_has_the_shape_of_redis(pairs, role):
    def shape(value):
        return [shape(item) for item in value] if isinstance(value, list) else type(value)
    theirs, ours = (pair[role].connect() for pair in pairs)
    with theirs, ours:
        theirs, ours = theirs.call("ROLE"), ours.call("ROLE")
    assert shape(ours) == shape(theirs)
    assert ours[0] == theirs[0]
