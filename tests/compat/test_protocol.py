"""Bytes that are no proper requests: the same replies as redis-server, and the same end of the connection."""
import concurrent.futures
import pathlib
import socket
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import servers  # noqa: E402
from cluster import Cluster  # noqa: E402
from resp import Closed  # noqa: E402

PING = b"*1\r\n$4\r\nPING\r\n"
INPUTS = {
    "a proper request": PING,
    "inline": b"PING\r\n",
    "inline with a bare newline": b"PING\nPING\n",
    "inline with blanks": b"   PING   hello  \r\n",
    "empty lines": b"\r\n\r\n\nPING\r\n",
    "inline quotes": b'SET "a b" \'c d\'\r\nGET "a b"\r\n',
    "inline escapes": b'ECHO "a\\x41\\n\\r\\t\\"\\\\"\r\n',
    "inline single quotes": b"ECHO 'a\\'b\\n'\r\n",
    "inline empty argument": b'ECHO ""\r\n',
    "inline quotes that do not end": b'SET "a b\r\n',
    "inline quotes followed by text": b'SET "a"b c\r\n',
    "inline single quotes that do not end": b"GET 'a\r\n",
    "inline of 64 KB": b"A" * 70000,
    "inline just below 64 KB": b"ECHO " + b"a" * 65000 + b"\r\n",
    "an empty array": b"*0\r\n" + PING,
    "a negative array": b"*-1\r\n" + PING,
    "a very negative array": b"*-2147483648\r\n" + PING,
    "more than a million arguments": b"*1048577\r\n$4\r\nPING\r\n",
    "as many arguments as can be": b"*2147483647\r\n$4\r\nPING\r\n",
    "too many arguments": b"*2147483648\r\n",
    "a count of more than 32 bits": b"*4294967297\r\n",
    "a count of more than 64 bits": b"*99999999999999999999\r\n",
    "a count that is no number": b"*abc\r\n",
    "an empty count": b"*\r\n",
    "a count with a plus": b"*+1\r\n$4\r\nPING\r\n",
    "a count with leading zero": b"*01\r\n$4\r\nPING\r\n",
    "a count with a blank": b"* 1\r\n$4\r\nPING\r\n",
    "a count without end": b"*" + b"1" * 70000,
    "an integer in place of a bulk": b"*1\r\n:1\r\n",
    "a simple string in place of a bulk": b"*1\r\n+PING\r\n",
    "an array in place of a bulk": b"*1\r\n*1\r\n$4\r\nPING\r\n",
    "an empty line in place of a bulk": b"*1\r\n\r\n",
    "a negative bulk": b"*2\r\n$4\r\nECHO\r\n$-1\r\n",
    "a bulk of 600 MB": b"*2\r\n$4\r\nECHO\r\n$629145600\r\n",
    "a bulk of more than 64 bits": b"*2\r\n$4\r\nECHO\r\n$99999999999999999999\r\n",
    "a bulk that is no number": b"*2\r\n$4\r\nECHO\r\n$x\r\n",
    "an empty bulk length": b"*2\r\n$4\r\nECHO\r\n$\r\n",
    "an empty bulk": b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    "a bulk length without end": b"*1\r\n$" + b"1" * 70000,
    "zero bytes": b"*2\r\n$4\r\nECHO\r\n$3\r\n\x00\x01\x02\r\n",
    "a bulk that is longer than it says": b"*1\r\n$4\r\nPINGPING\r\n",
    "an unknown command": b"*3\r\n$4\r\nNOPE\r\n$1\r\na\r\n$1\r\nb\r\n",
    "an unknown command with many arguments": b"*60\r\n" + b"$5\r\nabcde\r\n" * 60,
    "an unknown command with newlines": b"*2\r\n$4\r\nN\r\nE\r\n$3\r\na\r\n\r\n",
    "an unknown command with a long name": b"*1\r\n$300\r\n" + b"n" * 300 + b"\r\n",
    "an empty command name": b"*1\r\n$0\r\n\r\n",
    "HTTP's POST": b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP's Host": b"Host: localhost\r\n\r\n",
    "a pipeline": PING * 50,
    "a pipeline with a fault in the middle": PING * 3 + b"*x\r\n" + PING * 3,
    "QUIT in a pipeline": PING + b"QUIT\r\n" + PING,
    "lower case": b"*1\r\n$4\r\nping\r\n",
}

@pytest.fixture(scope="module")
def both():
    redis = servers.plain()
    with Cluster("protocol", raft_election_timeout_ms=2000, raft_heartbeat_ms=100) as one:
        yield redis, one.wait_leader()
    redis.close()


def conversation(server, data):
    """Everything the server says to these bytes, and whether it closes the connection of itself."""
    with server.connect(timeout=0.25) as connection:
        try:
            connection.send_raw(data)
        except Closed:
            pass
        try:
            return connection.read_to_end(), "closed"
        except socket.timeout:
            pass
        connection.socket.settimeout(10)
        connection.socket.shutdown(socket.SHUT_WR)
        return connection.read_to_end(), "open"


@pytest.mark.parametrize("name", INPUTS)
def test_bytes(name, both):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        expected, got = pool.map(lambda server: conversation(server, INPUTS[name]), both)
    assert got == expected


def test_a_pipeline_split_at_every_byte(both):
    _, leader = both
    data = b'*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nECHO "x y"\r\n'
    for at in range(1, len(data)):
        with leader.connect() as connection:
            connection.send_raw(data[:at])
            connection.send_raw(data[at:])
            assert [connection.read() for _ in range(3)] == ["OK", b"a\r\n", b"x y"]
