"""Values exchanged with redis-server by DUMP and RESTORE, and the same errors."""
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import servers  # noqa: E402
from cluster import Cluster  # noqa: E402
from resp import Error  # noqa: E402

if shutil.which("redis-server") is None:
    pytest.skip("redis-server is not installed: deps/install.sh installs it", allow_module_level=True)

VALUES = ["", "0", "-1", "127", "128", "-129", "32768", "-2147483648", "2147483648", "9223372036854775807", "007",
          "text", "a" * 20, "z" * 200, "ab" * 50000, "\x00\r\n#VOTE:1:1\r\n"]


@pytest.fixture(scope="module")
def ends():
    redis = servers.plain()
    with Cluster("dump", size=1) as cluster:
        with cluster.wait_leader().connect() as ours, redis.connect() as theirs:
            yield ours, theirs
    redis.close()


def both(ends, *command):
    one, other = (end.call(*command) for end in ends)
    same = str(one) == str(other) if isinstance(other, Error) else one == other
    assert same and isinstance(one, Error) == isinstance(other, Error), (command, one, other)
    return one


@pytest.mark.parametrize("direction", ["from redis", "to redis"])
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_travels(ends, direction, value):
    source, target = reversed(ends) if direction == "from redis" else ends
    source.call("SET", "k", value)
    target.call("DEL", "k")
    assert target.call("RESTORE", "k", "0", source.call("DUMP", "k")) == "OK"
    assert target.call("GET", "k") == source.call("GET", "k")
    assert target.call("OBJECT", "ENCODING", "k") == source.call("OBJECT", "ENCODING", "k")
    assert target.call("PTTL", "k") == -1


def test_times_and_replies_are_those_of_redis(ends):
    for end in ends:
        end.call("FLUSHALL")
    payload = both(ends, "SET", "k", "1") and both(ends, "DUMP", "k")
    assert both(ends, "DUMP", "none") is None
    both(ends, "RESTORE", "k", "0", payload)
    both(ends, "RESTORE", "k", "0", payload, "REPLACE")
    both(ends, "RESTORE", "k", "-1", payload, "REPLACE")
    both(ends, "RESTORE", "k", "x", payload, "REPLACE")
    both(ends, "RESTORE", "k", "0", payload, "NOTHING")
    both(ends, "RESTORE", "k", "0", payload, "REPLACE", "IDLETIME", "-1")
    both(ends, "RESTORE", "k", "0", payload, "REPLACE", "IDLETIME", "x")
    both(ends, "RESTORE", "k", "0", payload, "REPLACE", "IDLETIME", "1", "FREQ", "1")
    both(ends, "RESTORE", "k", "0", payload, "REPLACE", "FREQ", "256")
    both(ends, "RESTORE", "k", "0", payload, "REPLACE", "FREQ")
    both(ends, "RESTORE", "k", "0", payload, "REPLACE", "FREQ", "5")
    both(ends, "RESTORE", "k", "0", payload[:-1] + b"x", "REPLACE")
    both(ends, "RESTORE", "k", "0", b"", "REPLACE")
    both(ends, "RESTORE", "k", "0", b"too short", "REPLACE")
    both(ends, "RESTORE", "k")
    both(ends, "RESTORE", "t", "100000", payload)
    assert all(99000 < end.call("PTTL", "t") <= 100000 for end in ends)
    both(ends, "RESTORE", "t", "4000000000000", payload, "ABSTTL", "REPLACE")
    assert both(ends, "PEXPIRETIME", "t") == 4000000000000
    both(ends, "RESTORE", "t", "1", payload, "ABSTTL", "REPLACE")
    assert both(ends, "EXISTS", "t") == 0


def test_a_value_of_another_type_is_refused_in_words(ends):
    ours, theirs = ends
    theirs.call("DEL", "list")
    theirs.call("RPUSH", "list", "a", "b")
    reply = ours.call("RESTORE", "list", "0", theirs.call("DUMP", "list"))
    assert isinstance(reply, Error) and "type that is not supported" in str(reply)
