"""Threads that read and write for clients (io-threads), and what a client costs that says nothing."""
import contextlib
import pathlib
import random
import threading

import pytest

from cluster import PATIENCE, run_server
from resp import Closed, Error, encode
from waiting import wait_for

MEGABYTE = 1 << 20
IDLE_BYTES = 8 * 1024


def threads_of(node):
    tasks = pathlib.Path(f"/proc/{node.pid}/task")
    return sorted((task / "comm").read_text().strip() for task in tasks.iterdir())


def io_threads_of(node):
    return [name for name in threads_of(node) if name.startswith("io-")]


@pytest.fixture
def node(make_cluster):
    return make_cluster(size=1, io_threads=4).wait_leader()


@pytest.mark.parametrize("value, cause", [("0", "between 1 and 128 inclusive"), ("129", "between 1 and 128 inclusive"),
                                          ("-1", "between 1 and 128 inclusive"), ("many", "integer")])
def test_a_number_that_is_none_is_refused(value, cause):
    status, said = run_server("--io-threads", value)
    assert status == 1
    assert "'io-threads': argument" in said and cause in said, said


def test_as_many_threads_as_were_asked_for(node, make_cluster):
    assert io_threads_of(node) == ["io-1", "io-2", "io-3"]
    assert node.call("CONFIG", "GET", "io-threads") == [b"io-threads", b"4"]
    assert isinstance(node.call("CONFIG", "SET", "io-threads", "2"), Error)
    assert node.info("server")["io_threads_active"] == "1"
    alone = make_cluster(size=1, io_threads=1).wait_leader()
    assert io_threads_of(alone) == []
    assert alone.info("server")["io_threads_active"] == "0"


def test_threads_do_the_reading_and_writing(node):
    with node.connect() as connection:
        before = {key: int(value) for key, value in node.info("stats").items() if key.startswith("io_")}
        for i in range(100):
            assert connection.call("SET", "key", i) == "OK"
        after = {key: int(value) for key, value in node.info("stats").items() if key.startswith("io_")}
    # The first command comes before the connection moves.
    assert after["io_threaded_reads_processed"] - before["io_threaded_reads_processed"] >= 99
    assert after["io_threaded_writes_processed"] - before["io_threaded_writes_processed"] >= 99
    assert float(node.info("cpu")["used_cpu_user_main_thread"]) >= 0


def test_clients_are_shared_out(make_cluster):
    node = make_cluster(size=1, io_threads=3).wait_leader()
    connections = [node.connect() for _ in range(20)]
    for connection in connections:
        assert connection.call("PING") == "PONG"

    def sockets(count):
        """Those epolls that wait for so many descriptors."""
        found = []
        for path in pathlib.Path(f"/proc/{node.pid}/fdinfo").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                if path.read_text(errors="replace").count("tfd:") == count:
                    found.append(path)
        return found
    # Ten connections and its eventfd.
    wait_for(lambda: len(sockets(11)) == 2, 10 * PATIENCE, "each thread has ten sockets")
    for connection in connections:
        connection.close()
    wait_for(lambda: len(sockets(1)) == 2, 10 * PATIENCE, "the threads have closed them")


class Storm(threading.Thread):
    """Pipelines, some of which are left before they are answered. Each reply has to be that of its request."""

    def __init__(self, node, seed):
        super().__init__()
        self.node = node
        self.random = random.Random(seed)
        self.answered = 0
        self.failure = None

    def run(self):
        try:
            for _ in range(40):
                self.one_connection()
        except (AssertionError, OSError) as failure:
            self.failure = failure

    def one_connection(self):
        count = self.random.randrange(1, 200)
        requests = [("ECHO", f"{self.ident}-{i}") if i % 3 else ("SET", f"{self.ident}", i) for i in range(count)]
        data = b"".join(encode(request) for request in requests)
        try:
            with self.node.connect() as connection:
                step = self.random.randrange(1, len(data) + 1)
                for at in range(0, len(data), step):
                    connection.socket.sendall(data[at:at + step])
                if self.random.random() < 0.3:
                    return  # the replies find nobody
                for request in requests:
                    expected = request[1].encode() if request[0] == "ECHO" else "OK"
                    assert connection.read() == expected, request
                    self.answered += 1
        except (Closed, ConnectionError):
            pass  # killed by the others


def test_clients_that_come_leave_and_are_killed(node):
    storms = [Storm(node, seed) for seed in range(8)]
    for storm in storms:
        storm.start()
    killed = 0
    with node.connect() as killer:
        while any(storm.is_alive() for storm in storms):
            for line in killer.call("CLIENT", "LIST").decode().splitlines():
                fields = dict(field.split("=", 1) for field in line.split(" ") if "=" in field)
                if fields["cmd"] == "echo" and int(fields["id"]) % 5 == 0:
                    killed += killer.call("CLIENT", "KILL", "ID", fields["id"]) == 1
        for storm in storms:
            storm.join()
            assert storm.failure is None
        assert sum(storm.answered for storm in storms) > 1000
        wait_for(lambda: int(node.info("clients")["connected_clients"]) == 2, 10 * PATIENCE, "all are gone")
    assert node.running


def test_an_orderly_end_joins_all_threads(node):
    connections = [node.connect() for _ in range(10)]
    for number, connection in enumerate(connections):
        connection.call("PING")
        connection.socket.sendall(b"".join(encode(("SET", f"key{number}", i)) for i in range(1000)))
    for connection in connections:
        assert connection.read() == "OK"
    assert node.stop() == 0
    for connection in connections:
        read = 1
        try:
            for read in range(1, 1000):
                assert connection.read() == "OK"
        except (Closed, ConnectionError):
            pass  # what was not carried out by then is not answered
        assert connection.buffer == b"", f"half a reply behind {read} whole ones"
        connection.close()


def test_a_pipeline_that_reads_nothing_is_held_back_and_goes_on(node):
    with node.connect() as connection:
        assert connection.call("SET", "value", b"x" * MEGABYTE) == "OK"
        connection.socket.sendall(encode(("GET", "value")) * 200)
        with node.connect() as other:
            def unread():
                lines = other.call("CLIENT", "LIST").decode().splitlines()
                return max(int(line.split(" omem=")[1].split(" ")[0]) for line in lines)
            wait_for(lambda: unread() > 4 * MEGABYTE, 10 * PATIENCE, "half of the pause is unread")
            assert unread() < 12 * MEGABYTE  # client-output-buffer-pause and what one turn adds
        for _ in range(200):
            assert len(connection.read()) == MEGABYTE


# --- idle clients ---

def idle_crowd(node, count, ask):
    crowd = []
    for _ in range(count):
        connection = node.connect()
        ask(connection)
        crowd.append(connection)
    return crowd


def ask_one(connection):
    assert connection.call("SET", "key", "value") == "OK"


def ask_much(connection):
    assert connection.call("SET", "large", b"x" * MEGABYTE) == "OK"
    assert len(connection.call("GET", "large")) == MEGABYTE
    assert connection.call("MULTI") == "OK"
    assert connection.call("SET", "key", b"x" * 4000) == "QUEUED"
    assert connection.call("EXEC") == ["OK"]
    # Requests that are longer than what is read at once, and replies that fill a tail.
    connection.socket.sendall(encode(("ECHO", b"y" * 12000)) * 20)
    for _ in range(20):
        assert len(connection.read()) == 12000


@pytest.mark.parametrize("io_threads", [1, 3])
@pytest.mark.parametrize("ask, count", [(ask_one, 1000), (ask_much, 200)], ids=["little", "much"])
def test_an_idle_client_costs_less_than_8_kilobytes(make_cluster, io_threads, ask, count):
    node = make_cluster(size=1, io_threads=io_threads).wait_leader()
    first = idle_crowd(node, 20, ask)  # what they need is not the others'
    with node.connect() as observer:
        def figures():
            text = observer.call("INFO", "memory").decode()
            found = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
            return int(found["mem_clients_normal"]), int(found["allocator_allocated"])

        def tot_mem():
            lines = observer.call("CLIENT", "LIST").decode().splitlines()
            fields = [dict(field.split("=", 1) for field in line.split(" ") if "=" in field) for line in lines]
            return [int(one["tot-mem"]) for one in fields if one["cmd"] != "client|list"]

        def settled():
            return max(tot_mem()) < IDLE_BYTES
        wait_for(settled, 20 * PATIENCE, "the first clients have given back their buffers")
        clients_before, allocated_before = figures()
        crowd = idle_crowd(node, count, ask)
        wait_for(settled, 20 * PATIENCE, "all clients have given back their buffers")
        clients, allocated = figures()
        assert clients - clients_before < count * IDLE_BYTES
        if allocated:
            # Values that were written are in the log's cache until it is cut.
            log = MEGABYTE * 4
            assert allocated - allocated_before < count * IDLE_BYTES + log
        for connection in first + crowd:
            connection.close()
