"""The watchdog of systemd hears that the event loop turns, and nothing else."""
import itertools
import socket
import struct
import time

import pytest

SO_TIMESTAMP = 29  # the kernel notes when a message was sent


class Watchdog:
    """What systemd is to a service: a socket for its messages, and variables that ask for some."""

    def __init__(self, node, **environment):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"{node.dir}/notify")
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
        self.socket.settimeout(20)
        node.environment = {"NOTIFY_SOCKET": f"{node.dir}/notify"} | environment

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()

    def next(self):
        """The next message, and when it was sent."""
        text, [(_, _, stamp)], _, _ = self.socket.recvmsg(1024, socket.CMSG_SPACE(16))
        seconds, microseconds = struct.unpack("qq", stamp)
        return text, seconds + microseconds / 1e6

    def until(self, what):
        messages = [self.next()]
        while what not in messages[-1][0]:
            messages.append(self.next())
        return [text for text, _ in messages]


def test_a_watchdog_notices_that_the_event_loop_hangs(make_cluster):
    node = make_cluster(start=False, size=1, supervised="systemd", enable_debug_command="yes").nodes[0]
    with Watchdog(node, WATCHDOG_USEC="100000") as watchdog:
        node.start(wait=False)
        watchdog.until(b"READY=1")
        assert [watchdog.next()[0] for _ in range(5)] == [b"WATCHDOG=1\n"] * 5
        sent = [watchdog.next()[1]]
        with node.connect() as connection:
            assert connection.call("DEBUG", "SLEEP", "1.5") == "OK"
        answered = time.time()
        while sent[-1] < answered:
            sent.append(watchdog.next()[1])
        assert max(after - before for before, after in itertools.pairwise(sent)) > 1.4


def test_a_watchdog_hears_of_a_node_that_waits_for_its_cluster(make_cluster):
    node = make_cluster(start=False, size=3, supervised="systemd").nodes[0]
    with Watchdog(node, WATCHDOG_USEC="100000") as watchdog:
        node.start(wait=False)
        watchdog.until(b"READY=1")
        assert [watchdog.next()[0] for _ in range(5)] == [b"WATCHDOG=1\n"] * 5


def test_a_watchdog_hears_of_data_that_is_loaded(make_cluster):
    node = make_cluster(size=1, supervised="systemd").nodes[0]
    with node.cluster.wait_leader().connect() as connection:
        for i in range(40):
            assert connection.call("SET", f"key{i}", bytes(1 << 20)) == "OK"
    node.kill()
    with Watchdog(node, WATCHDOG_USEC="2000") as watchdog:
        node.start(wait=False)
        assert b"WATCHDOG=1\n" in watchdog.until(b"READY=1")


@pytest.mark.parametrize("supervised, environment", [
    ("systemd", {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}),
    ("systemd", {"WATCHDOG_USEC": "0"}),
    ("systemd", {"WATCHDOG_USEC": "soon"}),
    ("systemd", {}),
])
def test_no_watchdog_hears_what_it_did_not_ask_for(make_cluster, supervised, environment):
    node = make_cluster(start=False, size=1, supervised=supervised).nodes[0]
    with Watchdog(node, **environment) as watchdog:
        node.start(wait=False)
        watchdog.until(b"READY=1")
        assert node.call("PING") == "PONG"
        node.process.terminate()
        assert len(watchdog.until(b"STOPPING=1")) == 1
        assert node.wait_exit() == 0
    wanted = environment.get("WATCHDOG_USEC") in ("0", "soon")
    assert ("no number of microseconds" in node.log.read_text()) == wanted


@pytest.mark.parametrize("size", [1, 3])
def test_an_idle_node_wakes_up_for_its_watchdog(make_cluster, size):
    node = make_cluster(start=False, size=size, supervised="systemd", raft_heartbeat_ms=1000,
                        raft_election_timeout_ms=5000).nodes[0]
    with Watchdog(node, WATCHDOG_USEC="20000") as watchdog:
        node.start(wait=False)
        watchdog.until(b"READY=1")
        gaps = []
        # Half of the 20 ms, and what a busy machine makes of that; nothing else wakes it that often.
        while len(gaps) < 10 or sorted(gaps)[4] > 0.04:
            before = watchdog.next()[1]
            gaps.append(watchdog.next()[1] - before)
            assert len(gaps) < 200, sorted(gaps)[:10]
