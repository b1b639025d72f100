"""flotilla-load says what happened: to servers that behave, and to ones that were made up to misbehave."""
import collections
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / "compat")]

import peers  # noqa: E402
import runs  # noqa: E402
import servers  # noqa: E402

SECONDS = 60


class Server:
    """Answers each request as answer(number) says, the number counting over all its connections: bytes; None closes the
    connection, and () says nothing."""

    def __init__(self, answer, request_ends=b"\r\n$64\r\n"):
        self.answer, self.request_ends = answer, request_ends
        self.requests = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            rest = b""
            while True:
                try:
                    data = connection.recv(1 << 16)
                    if not data:
                        return
                    *whole, rest = (rest + data).split(self.request_ends)
                    for _ in whole:
                        self.requests += 1
                        reply = self.answer(self.requests)
                        if reply is None:
                            return
                        for part in reply if isinstance(reply, (list, tuple)) else [reply]:
                            connection.sendall(part)
                except OSError:
                    return


def run_of(address, *arguments, protocol="resp"):
    done = subprocess.run([runs.LOAD, "--nodes", address, "--protocol", protocol, *map(str, arguments)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal_of(*arguments):
    done = subprocess.run([runs.LOAD, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=SECONDS, check=False)
    assert not done.stdout
    return done.returncode, done.stderr


@pytest.fixture
def redis():
    server = servers.plain()
    server.address, server.protocol = f"127.0.0.1:{server.port}", "resp"
    yield server
    server.close()


# --- latency ---

def stalls_once(at, seconds):
    def answer(number):
        if number == at:
            time.sleep(seconds)
        return b"+OK\r\n"
    return answer


def test_a_stall_counts_for_every_request_that_was_due_meanwhile():
    """Of 1,000 requests, 600 were due while the server stood still; each waited for what was left of that."""
    run = run_of(Server(stalls_once(200, 0.6)).address, "--rate", 1000, "--seconds", 1)
    assert run["acknowledged"] == run["sent"] == 1000
    assert dict(run["all"]["percentiles"])[60] >= 100_000
    assert run["all"]["max_us"] >= 590_000
    assert run["late"]["max_us"] >= 500_000


def test_without_a_rate_a_stall_counts_once():
    run = run_of(Server(stalls_once(200, 0.6)).address, "--requests", 1000)
    assert run["acknowledged"] == 1000
    slow = [percent for percent, us in run["all"]["percentiles"] if us >= 590_000]
    assert min(slow) >= 99.9
    assert run["late"]["count"] == 0


def test_the_longest_time_without_an_acknowledged_write_is_told():
    before = time.monotonic()
    run = run_of(Server(stalls_once(50, 0.4)).address, "--requests", 100, "--gap-ms", 300)
    begin, milliseconds = run["longest_gap"]
    assert milliseconds >= 400
    assert before <= begin <= time.monotonic()
    assert [begin, milliseconds] in run["gaps"]


def test_what_is_under_way_at_the_end_is_waited_for_and_then_told():
    """A server that never answers: one request was sent, the others were due and could not be."""
    run = run_of(Server(lambda _: ()).address, "--rate", 100, "--seconds", 0.5, "--drain", 0.1)
    assert (run["sent"], run["acknowledged"], run["unanswered"], run["unsent"]) == (50, 0, 1, 49)


def test_a_warm_up_is_not_counted():
    server = Server(lambda _: b"+OK\r\n")
    run = run_of(server.address, "--rate", 500, "--warmup", 0.4, "--seconds", 0.2)
    assert run["acknowledged"] == run["sent"] == 100
    assert server.requests == 300


# --- replies and connections ---

def test_replies_may_come_in_pieces():
    pieces = [bytes([byte]) for byte in b"+OK\r\n"]
    run = run_of(Server(lambda _: pieces).address, "--requests", 50, "--pipeline", 10)
    assert run["acknowledged"] == 50 and not run["errors"]


def test_errors_count_by_their_first_word_and_are_no_success():
    run = run_of(Server(lambda number: b"-OOM no room\r\n" if number % 5 == 0 else b"+OK\r\n").address, "--requests", 20)
    assert (run["acknowledged"], run["errors"], run["error_replies"]) == (16, {"OOM": 4}, 4)


def test_a_request_whose_connection_breaks_is_lost_and_the_client_goes_on_at_the_next_node():
    breaks, works = Server(lambda number: None if number == 3 else b"+OK\r\n"), Server(lambda _: b"+OK\r\n")
    run = run_of(f"{breaks.address},{works.address}", "--requests", 20)
    assert (run["acknowledged"], run["lost"], run["reconnects"]) == (19, 1, 1)
    assert (breaks.requests, works.requests) == (3, 17)


def test_a_redirected_request_is_sent_again_and_counts_once():
    works = Server(lambda _: b"+OK\r\n")
    moves = Server(lambda _: f"-MOVED 7 {works.address}\r\n".encode())
    run = run_of(moves.address, "--requests", 20, "--pipeline", 5)
    assert (run["sent"], run["acknowledged"], run["redirects"], run["lost"]) == (20, 20, 5, 0)
    assert (moves.requests, works.requests) == (5, 20)


def test_a_node_that_serves_nobody_is_left():
    down, works = Server(lambda _: b"-CLUSTERDOWN no leader\r\n"), Server(lambda _: b"+OK\r\n")
    run = run_of(f"{down.address},{works.address}", "--requests", 20)
    assert (run["acknowledged"], run["errors"]) == (19, {"CLUSTERDOWN": 1})
    assert down.requests == 1


def test_bytes_that_are_no_reply_end_the_run():
    assert refusal_of("--nodes", Server(lambda _: b"what?\r\n").address, "--requests", 5)[0] == 1


def test_nobody_who_can_be_reached_ends_the_run():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    status, text = refusal_of("--nodes", address, "--connect-within", 0.1)
    assert (status, "0 of 1 connections" in text) == (1, True)


@pytest.mark.parametrize("arguments, what", [
    ((), "'--nodes' is missing"), (("--nodes", "a:1", "--bogus", "1"), "'--bogus' is no option"),
    (("--nodes", "a:1", "--rate"), "has no value"), (("--nodes", "a:1", "--rate", "fast"), "'fast' is no number"),
    (("--nodes", "a:1", "--connections", "10001"), "from 1 to 10000"), (("--nodes", "a:1", "--keys", "1.5"), "no whole"),
    (("--nodes", "a:1", "--value-bytes", "9-3"), "ends before it begins"),
    (("--nodes", "a:1", "--distribution", "pareto"), "none of its values"),
    (("--nodes", "a:1", "--protocol", "etcd", "--write", "incr"), "etcd has no INCR"),
])
def test_wrong_options_are_refused(arguments, what):
    status, text = refusal_of(*arguments)
    assert (status, what in text) == (2, True), text


def test_an_address_without_a_port_is_refused():
    assert refusal_of("--nodes", "localhost") == (1, "flotilla-load: 'localhost' is no host:port\n")


# --- requests, as redis-server understands them ---

def test_each_key_comes_up_once_in_order(redis):
    run = run_of(redis.address, "--requests", 1000, "--keys", 1000, "--distribution", "sequential", "--value-bytes", "5-9",
                 "--pipeline", 16, "--connections", 3)
    assert run["acknowledged"] == 1000
    with redis.connect() as connection:
        assert connection.call("DBSIZE") == 1000
        lengths = collections.Counter(connection.call("STRLEN", f"key:{number:012}") for number in range(1000))
    assert set(lengths) == {5, 6, 7, 8, 9} and min(lengths.values()) > 150


def test_zipf_draws_a_key_in_proportion_to_its_place(redis):
    run_of(redis.address, "--requests", 40000, "--keys", 1000, "--distribution", "zipf", "--write", "incr", "--pipeline",
           100)
    with redis.connect() as connection:
        drawn = [int(connection.call("GET", f"key:{number:012}") or 0) for number in range(1000)]
    whole = sum(1 / rank ** 0.99 for rank in range(1, 1001))
    assert sum(drawn) == 40000
    for first, last in ((1, 1), (2, 2), (3, 10), (11, 100), (101, 1000)):
        share = sum(1 / rank ** 0.99 for rank in range(first, last + 1)) / whole
        assert sum(drawn[first - 1:last]) == pytest.approx(40000 * share, rel=0.05)


def test_reads_are_as_many_as_asked_for_and_those_of_missing_keys_are_told(redis):
    run = run_of(redis.address, "--requests", 20000, "--reads", 75, "--keys", 1000000, "--pipeline", 50)
    assert run["reads"]["count"] == pytest.approx(15000, rel=0.02)
    assert run["reads"]["count"] + run["writes"]["count"] == 20000
    assert run["missing"] > 14000


def test_large_values_come_and_go_on_thousands_of_connections(redis):
    arguments = "--connections", 2000, "--keys", 10, "--value-bytes", 65536
    assert run_of(redis.address, *arguments, "--requests", 4000)["acknowledged"] == 4000
    read = run_of(redis.address, *arguments, "--requests", 4000, "--reads", 100)
    assert (read["reads"]["count"], read["missing"]) == (4000, 0)


def test_a_password_is_given_first(redis):
    with redis.connect() as connection:
        assert connection.call("CONFIG", "SET", "requirepass", "secret") == "OK"
    assert run_of(redis.address, "--requests", 10, "--password", "secret")["acknowledged"] == 10
    assert run_of(redis.address, "--requests", 10)["errors"] == {"NOAUTH": 10}
    assert refusal_of("--nodes", redis.address, "--password", "wrong", "--requests", 10)[0] == 1


# --- etcd ---

HEADER = b'{"header":{"revision":"2"}'


def http(body, status=b"200 OK", chunks=False):
    if not chunks:
        return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    return b"HTTP/1.1 %b\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (status, parts)


@pytest.mark.parametrize("chunks", [False, True])
def test_etcd_answers_are_understood(chunks):
    answers = [http(HEADER + b',"kvs":[{"key":"aaaa"}]}', chunks=chunks), http(HEADER + b"}", chunks=chunks),
               http(b'{"error":"too many requests"}', b"503 Service Unavailable", chunks)]
    server = Server(lambda number: [bytes([byte]) for byte in answers[number % 3]], request_ends=b'"}')
    run = run_of(server.address, "--requests", 30, "--reads", 100, protocol="etcd")
    assert (run["acknowledged"], run["missing"], run["errors"]) == (20, 10, {"HTTP_503": 10})


@pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is missing; deps/install.sh --bench installs it")
@pytest.mark.parametrize("value_bytes", ["64", "65-67", "20000"])
def test_etcd_itself_is_written_and_read(value_bytes):
    etcd = peers.Etcd(size=1)
    try:
        arguments = ("--requests", 50, "--keys", 50, "--distribution", "sequential", "--value-bytes", value_bytes)
        assert runs.load(etcd, *arguments)["acknowledged"] == 50
        read = runs.load(etcd, *arguments, "--reads", 100)
        assert (read["reads"]["count"], read["missing"], read["errors"]) == (50, 0, {})
    finally:
        etcd.close()
