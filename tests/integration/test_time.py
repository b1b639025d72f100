"""Times to live under load and pauses, and leases of processes that stop."""
import re
import threading
import time

from resp import Error, encode
from waiting import wait_for

KEYS_PER_SECOND = 20000
SECONDS = 6


def keys_held(node):
    """Also those that are past their deadline, and not removed yet."""
    held = re.search(r"db0:keys=(\d+)", node.call("INFO", "keyspace").decode())
    return int(held.group(1)) if held else 0


def write_keys(connection, first, count):
    connection.send_raw(b"".join(encode(("SET", f"key{first + i}", "v", "PX", "1000")) for i in range(count)))
    for _ in range(count):
        assert connection.read() == "OK"


def test_keys_that_live_a_second_do_not_pile_up(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    written = 0
    begun = time.monotonic()
    with leader.connect() as connection:
        while time.monotonic() < begun + SECONDS:
            due = int((time.monotonic() - begun) * KEYS_PER_SECOND)
            if due - written >= 500:
                write_keys(connection, written, 500)
                written += 500
            else:
                time.sleep(0.005)
    # By far more than 5,120 keys a second have been written: what removes no more than that is seconds behind now.
    assert written > SECONDS * 8000, f"{written} keys were written"
    wait_for(lambda: keys_held(leader) == 0, 3, "all keys are removed")
    expired = re.search(r"expired_keys:(\d+)", leader.call("INFO", "stats").decode())
    assert int(expired.group(1)) == written


def test_paused_clients_do_not_stop_expiry(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    leader.call("SET", "key", "v", "PX", "300")
    leader.call("CLIENT", "PAUSE", "20000", "WRITE")
    assert keys_held(leader) == 1
    wait_for(lambda: keys_held(leader) == 0, 10, "the key is removed")


class Counter:
    def __init__(self, key):
        self.key = key
        self.acknowledged = 0

    def count(self, node, times):
        with node.connect(timeout=60) as connection:
            for _ in range(times):
                self.acknowledged = connection.call("INCR", self.key)


class Reader(threading.Thread):
    """Sends GET of the counter without waiting; notes for each batch what had been acknowledged when it was sent."""
    BATCH = 200

    def __init__(self, node, counter):
        super().__init__(daemon=True)
        self.connection = node.connect(timeout=60)
        self.counter = counter
        self.floors = []
        self.stopping = False

    def run(self):
        batch = encode(("GET", self.counter.key)) * self.BATCH
        while not self.stopping:
            self.floors.append(self.counter.acknowledged)
            self.connection.send_raw(batch)
            time.sleep(0.001)

    def stale(self):
        """The replies that are older than what had been acknowledged when their request was sent."""
        found = []
        for floor in self.floors:
            replies = [self.connection.read() for _ in range(self.BATCH)]
            found.extend((floor, reply) for reply in replies if not isinstance(reply, Error) and int(reply or 0) < floor)
        self.connection.close()
        return found


def test_a_leader_that_was_stopped_answers_nothing_stale_under_a_lease(make_cluster):
    """That a stop falls between a clock and a socket is rare here; the simulator makes every stop do so."""
    cluster = make_cluster(raft_lease_drift_percent=10)
    for turn in range(3):
        leader = cluster.wait_leader()
        counter = Counter(f"counter{turn}")
        readers = [Reader(leader, counter) for _ in range(3)]
        counter.count(leader, 3)
        for reader in readers:
            reader.start()
        time.sleep(0.1)
        leader.pause()
        counter.count(cluster.wait_leader(but=leader), 20)
        for reader in readers:
            reader.stopping = True
        leader.resume()
        for reader in readers:
            reader.join()
        stale = [pair for reader in readers for pair in reader.stale()]
        assert not stale, f"{len(stale)} stale replies: {stale[:5]}"


def test_time_has_microseconds_and_tells_none_twice(make_cluster):
    with make_cluster(size=1).wait_leader().connect() as connection:
        begun = time.time()
        told = connection.pipeline([("TIME",)] * 200 + [("MULTI",), ("SET", "k", "v"), ("TIME",), ("TIME",), ("EXEC",)])
        ended = time.time()
    replies = told[:200] + told[-1][1:]
    moments = [int(seconds) + int(us) / 1e6 for seconds, us in replies]
    assert moments == sorted(moments) and len({(seconds, us) for seconds, us in replies}) == len(replies)
    assert any(int(us) % 1000 for _, us in replies)
    assert begun - 0.1 < moments[0] and moments[-1] < ended + 0.1
