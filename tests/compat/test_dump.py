"""Values exchanged with redis-server by DUMP and RESTORE, and the same errors."""
import pathlib
import random
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import every_type  # noqa: E402
import servers  # noqa: E402
from cluster import Cluster  # noqa: E402
from payload import with_footer  # noqa: E402
from resp import Error  # noqa: E402

if shutil.which("redis-server") is None:
    pytest.skip("redis-server is not installed: deps/install.sh installs it", allow_module_level=True)

VALUES = ["", "0", "-1", "127", "128", "-129", "32768", "-2147483648", "2147483648", "9223372036854775807", "007",
          "text", "a" * 20, "z" * 200, "ab" * 50000, "\x00\r\n#VOTE:1:1\r\n"]


DEFAULTS = {"hash-max-listpack-entries": 512, "hash-max-listpack-value": 64, "set-max-intset-entries": 512,
            "zset-max-listpack-entries": 128, "zset-max-listpack-value": 64, "list-max-listpack-size": -2,
            "stream-node-max-entries": 100, "stream-node-max-bytes": 4096}


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


def random_texts(count):
    chance = random.Random(1)
    for _ in range(count):
        alphabet = bytes(range(97, 97 + chance.randrange(1, 26)))
        words = [bytes(chance.choices(alphabet, k=chance.randrange(1, 30))) for _ in range(chance.randrange(1, 9))]
        yield b"".join(chance.choices(words, k=chance.choice([1, 2, 5, 40, 400])))


def test_strings_are_dumped_byte_for_byte(ends):
    """Compressed too: that is why redis-server's rules of compressing are followed."""
    ours, theirs = ends
    texts = [*(text.encode() for text in VALUES), *(b"a" * length for length in range(300)), *random_texts(1000)]
    for text in texts:
        both(ends, "SET", "k", text)
        assert ours.call("DUMP", "k") == theirs.call("DUMP", "k"), text


def test_streams_are_dumped_byte_for_byte(ends):
    """Nodes end at the same entries. Deleted ones are marked in those of Redis, and gone here."""
    chance = random.Random(2)
    for end in ends:
        end.call("DEL", "k", "l")
    for number in range(1, 700):
        fields = [b"a", b"%d" % number] if number % 3 else [b"b", b"x" * chance.randrange(300), b"", b"-%d" % number]
        both(ends, "XADD", "k", f"{number // 7}-{number}", *fields)
    both(ends, "XSETID", "k", "1000-5", "ENTRIESADDED", "70000", "MAXDELETEDID", "5-5")
    both(ends, "XGROUP", "CREATE", "k", "g", "0")
    both(ends, "XGROUP", "CREATE", "k", "12", "77-5", "ENTRIESREAD", "12345678901")
    ours, theirs = ends
    assert ours.call("DUMP", "k") == theirs.call("DUMP", "k")


@pytest.mark.parametrize("direction", ["from redis", "to redis"])
def test_a_stream_travels_with_its_counters(ends, direction):
    source, target = reversed(ends) if direction == "from redis" else ends
    for end in ends:
        end.call("DEL", "k")
    for number in range(1, 9):
        source.call("XADD", "k", f"{number}-1", "a", "1")
    source.call("XDEL", "k", "3-1")
    source.call("XGROUP", "CREATE", "k", "g", "0")
    source.call("XGROUP", "CREATE", "k", "h", "2-1", "ENTRIESREAD", "2")
    source.call("XREADGROUP", "GROUP", "g", "c", "COUNT", "5", "STREAMS", "k", ">")
    assert target.call("RESTORE", "k", "0", source.call("DUMP", "k")) == "OK"
    for question in (["XINFO", "STREAM", "k"], ["XINFO", "GROUPS", "k"], ["XPENDING", "k", "g"]):
        assert target.call(*question) == source.call(*question)


def set_thresholds(end, thresholds):
    for name, value in {**DEFAULTS, **every_type.THRESHOLDS[thresholds]}.items():
        assert end.call("CONFIG", "SET", name, value) == "OK"


@pytest.mark.parametrize("direction", ["from redis", "to redis"])
@pytest.mark.parametrize("thresholds", every_type.THRESHOLDS)
def test_values_of_every_type_travel(ends, direction, thresholds):
    source, target = reversed(ends) if direction == "from redis" else ends
    for end in ends:
        end.call("FLUSHALL")
        set_thresholds(end, "default")
    set_thresholds(source, thresholds)
    for command in every_type.commands():
        assert not isinstance(source.call(*command), Error), command[:3]
    keys = source.call("KEYS", "*")
    for key in keys:
        deadline = max(source.call("PEXPIRETIME", key), 0)
        assert target.call("RESTORE", key, deadline, source.call("DUMP", key), "ABSTTL") == "OK", key
    every_type.assert_same(every_type.contents(target), every_type.contents(source))
    for end in ends:
        set_thresholds(end, "default")


@pytest.mark.skipif(not servers.valkey_program(), reason="there is no valkey-server")
@pytest.mark.parametrize("direction", ["from valkey", "to valkey"])
def test_hashes_whose_fields_have_deadlines_travel(ends, direction):
    """Redis 7 knows nothing of them, and refuses the payload."""
    ours, theirs = ends
    valkey = servers.valkey()
    with valkey.connect() as other:
        source, target = (other, ours) if direction == "from valkey" else (ours, other)
        for end in (ours, other):
            end.call("FLUSHALL")
        source.call("HSET", "h", "a", "1", "b", "text" * 100, "c", "-7")
        source.call("HPEXPIREAT", "h", every_type.FAR_MS, "FIELDS", "1", "b")
        payload = source.call("DUMP", "h")
        assert target.call("RESTORE", "h", "0", payload) == "OK"
        assert every_type.contents(target) == every_type.contents(source)
        assert target.call("HPEXPIRETIME", "h", "FIELDS", "3", "a", "b", "c") == [-1, every_type.FAR_MS, -1]
        assert "version or checksum" in str(theirs.call("RESTORE", "h", "0", payload))
        for command in every_type.commands():
            source.call(*command)
        for key in source.call("KEYS", "*"):
            deadline = max(source.call("PEXPIRETIME", key), 0)
            assert target.call("RESTORE", key, deadline, source.call("DUMP", key), "ABSTTL", "REPLACE") == "OK", key
        every_type.assert_same(every_type.contents(target), every_type.contents(source))
    valkey.close()


BAD = [b"", b"\x00", b"\x00\x40\x64v", b"\x06\x01", b"\x08\x01", b"\x14\x00", b"\x63\x01", b"\xfa\x01x\x01y", b"\x01\x00",
       b"\x02\x00", b"\x04\x00", b"\x05\x00", b"\x01\x02\x01a", b"\x02\x02\x01m\x01m",
       b"\x0b\x03int", b"\x0a\x03zip", b"\x10\x02lp", b"\x12\x01\x03\x01x", b"\x12\x01\x02\x01x"]


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
def test_what_is_no_value_is_refused_in_the_same_words(ends, body):
    for end in ends:
        end.call("DEL", "k")
    reply = both(ends, "RESTORE", "k", "0", with_footer(body))
    assert isinstance(reply, Error) and both(ends, "EXISTS", "k") == 0


def test_a_time_to_live_beyond_all_times_has_passed(ends):
    for end in ends:
        end.call("DEL", "k", "l")
    payload = both(ends, "SET", "k", "1") and both(ends, "DUMP", "k")
    both(ends, "RESTORE", "l", str(2**63 - 1), payload)
    both(ends, "EXISTS", "l")
    both(ends, "RESTORE", "k", str(2**63 - 1), payload, "REPLACE")
    both(ends, "EXISTS", "k")
    both(ends, "RESTORE", "k", str(2**63), payload)


def test_the_idle_time_is_that_of_the_payload(ends):
    for end in ends:
        end.call("DEL", "k")
    ours, theirs = ends
    both(ends, "SADD", "k", "1", "2")
    payload = theirs.call("DUMP", "k")
    assert ours.call("RESTORE", "k", "0", ours.call("DUMP", "k"), "REPLACE") == "OK"
    both(ends, "RESTORE", "k", "0", payload, "REPLACE", "IDLETIME", "1000")
    assert all(1000 <= end.call("OBJECT", "IDLETIME", "k") <= 1010 for end in ends)
    both(ends, "RESTORE", "k", "0", payload, "REPLACE")
    assert all(end.call("OBJECT", "IDLETIME", "k") <= 10 for end in ends)
