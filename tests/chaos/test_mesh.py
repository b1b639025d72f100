"""The proxy itself: who is who, and what each rule does to the bytes between them."""
import random
import socket
import threading
import time

import pytest

import mesh
import network
from cluster import Ports
from resp import encode
from waiting import wait_for


class Echo(threading.Thread):
    """Sends back whatever arrives."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(one,), daemon=True).start()

    @staticmethod
    def serve(one):
        try:
            while data := one.recv(1 << 16):
                one.sendall(data)
        except OSError:
            pass
        one.close()


class Wired:
    def __init__(self, tmp_path):
        self.ports = Ports()
        self.echo = Echo()
        self.port = self.ports.take()
        self.network = network.Network(1, delay=(0.0, 0.001), log=str(tmp_path / "mesh.log"))
        self.network.listen(1, "127.0.1.1", self.port, self.echo.port)

    def dial(self, number=1):
        one = socket.socket()
        one.bind((f"127.0.2.{number}", 0))
        one.settimeout(10)
        one.connect(("127.0.1.1", self.port))
        return one

    def close(self):
        self.network.close()
        self.echo.listener.close()
        self.ports.close()


@pytest.fixture
def wired(tmp_path):
    one = Wired(tmp_path)
    yield one
    one.close()


def receive(one, count):
    data = b""
    while len(data) < count:
        more = one.recv(1 << 16)
        if not more:
            break
        data += more
    return data


def nothing_comes(one, seconds=0.2):
    one.settimeout(seconds)
    try:
        return not one.recv(1)
    except socket.timeout:
        return True
    finally:
        one.settimeout(10)


def test_the_sender_is_found_in_both_forms_of_the_greeting():
    old = encode(["RAFT.HELLO", "1", "f" * 40, "a secret", "3", "1"])
    new = encode(["RAFT.HELLO", "2", "3", "1", "123456789", "0" * 40, "bulk", "ab" * 32])
    for data in (old, new):
        assert mesh.sender_of(mesh.first_command(data)) == "3"
        for cut in range(len(data)):
            assert mesh.first_command(data[:cut]) is None
    assert mesh.sender_of(mesh.first_command(encode(["GET", "a"]))) is None


def test_bytes_pass_in_order_and_whole(wired):
    one = wired.dial()
    data = random.Random(1).randbytes(3_000_000)
    sender = threading.Thread(target=one.sendall, args=(data,))
    sender.start()
    assert receive(one, len(data)) == data
    sender.join()
    one.close()


def test_a_delay_delays(wired):
    wired.network.rule({("c1", "1")}, delay=(0.2, 0.2))
    one = wired.dial()
    begin = time.monotonic()
    one.sendall(b"x")
    assert one.recv(1) == b"x"
    assert time.monotonic() - begin >= 0.19


def test_what_is_held_back_comes_when_the_cut_is_healed(wired):
    one, other = wired.dial(1), wired.dial(2)
    cut = wired.network.rule({("c1", "1")}, mode="hold")
    one.sendall(b"abc")
    other.sendall(b"x")
    assert other.recv(1) == b"x"
    assert nothing_comes(one)
    wired.network.lift(cut)
    assert receive(one, 3) == b"abc"


def test_a_one_way_cut_lets_the_other_way_pass(wired):
    one = wired.dial()
    one.sendall(b"a")
    assert one.recv(1) == b"a"
    wired.network.rule({("1", "c1")}, mode="hold")
    one.sendall(b"b")
    assert nothing_comes(one)
    before = wired.network.stats()["bytes"]
    assert before >= 4  # b reached the node, and its echo the mesh
    wired.network.heal()
    assert one.recv(1) == b"b"


def test_a_half_open_connection_ends_only_when_the_rule_does(wired):
    one = wired.dial()
    one.sendall(b"a")
    assert one.recv(1) == b"a"
    wired.network.rule(network.both_ways({("c1", "1")}), mode="vanish")
    one.sendall(b"b")
    assert nothing_comes(one)
    wired.network.heal()
    with pytest.raises(ConnectionResetError):
        one.recv(1)
    assert wired.network.stats()["vanished"] >= 1


def test_a_reset_reaches_the_client(wired):
    one, other = wired.dial(1), wired.dial(2)
    for end in (one, other):
        end.sendall(b"a")
        assert end.recv(1) == b"a"
    wired.network.reset({("c1", "1")})
    with pytest.raises(ConnectionResetError):
        one.recv(1)
    other.sendall(b"b")
    assert other.recv(1) == b"b"


def test_a_refusing_rule_resets_old_and_new_connections(wired):
    one, other = wired.dial(1), wired.dial(2)
    for end in (one, other):
        end.sendall(b"a")
        assert end.recv(1) == b"a"
    cut = wired.network.rule({("c1", "1")}, mode="refuse")
    with pytest.raises(ConnectionResetError):
        one.recv(1)
    with pytest.raises(ConnectionResetError):
        wired.dial(1).recv(1)
    other.sendall(b"b")
    assert other.recv(1) == b"b"
    wired.network.lift(cut)
    one = wired.dial(1)
    one.sendall(b"c")
    assert one.recv(1) == b"c"


def test_a_node_that_does_not_listen_refuses(wired):
    wired.echo.listener.shutdown(socket.SHUT_RDWR)
    wired.echo.listener.close()
    with pytest.raises(ConnectionResetError):
        wired.dial().recv(1)


def test_lost_chunks_come_late_and_in_order(wired):
    wired.network.rule({("c1", "1")}, loss=0.5)
    one = wired.dial()
    for number in range(20):
        one.sendall(b"%02d" % number)
        wait_for(lambda: wired.network.stats()["bytes"] >= 2 * number + 2, 5)
    assert receive(one, 40) == b"".join(b"%02d" % number for number in range(20))
    assert wired.network.stats()["retransmitted"] > 0


def test_rules_that_lie_over_each_other_are_lifted_one_by_one(wired):
    one = wired.dial()
    cuts = [wired.network.rule({("c1", "1")}, mode="hold") for _ in range(2)]
    one.sendall(b"a")
    wired.network.lift(cuts[0])
    assert nothing_comes(one)
    wired.network.lift(cuts[1])
    assert one.recv(1) == b"a"


def test_a_table_of_many_rules_is_taken(wired):
    ends = [f"c{number}" for number in range(1, 60)]
    layer = wired.network.rule(network.between(ends, ends), delay=[0.001, 0.002])
    wired.network.lift(layer)
    assert wired.network.stats()["bytes"] == 0


def test_shapes_of_cuts():
    assert network.between("1", "23") == {("1", "2"), ("1", "3"), ("2", "1"), ("3", "1")}
    assert network.one_way("1", "123") == {("1", "2"), ("1", "3")}
    assert len(network.ring("12345")) == 10
    assert network.bridge("123", "2") == {("1", "3"), ("3", "1")}
    assert ("1", "2") not in network.ring("12345")
    assert not any("3" in pair for pair in network.bridge("12345", "3"))
