"""What every client library has to pass, written once. Each has a small program in programs/ that does with the
library what this file asks of it.

    program MODE PORT…        MODE: plain (at the first port), cluster, sentinel (then these are Sentinel ports)

It says "ready" when it is connected. Then it reads requests, one a line, and answers each with lines and a ".":

    incr KEY COUNT            so many INCR, one after the other
    pipeline KEY COUNT        so many INCR in one pipeline
    transaction KEY KEY       MULTI, INCR of both, EXEC
    set KEY VALUE MS          SET PX
    get KEY
    watch KEY                 WATCH KEY, GET KEY
    exec KEY VALUE            on the connection of watch: MULTI, SET, EXEC

"= TEXT" is a reply (nil: none), "! TEXT" an error that the library has raised. Programs use the library's defaults, but where they say why not."""
import os
import queue
import re
import subprocess
import tempfile
import threading

import pytest

import catalogue
from cluster import PATIENCE, Cluster, die_with_parent
from waiting import wait_for

ACKNOWLEDGED = 40  # writes between two faults
LIFE_MS = 300
# What a node may have refused a library without anybody noticing: the redirections of a cluster.
EXPECTED_REFUSALS = {"errorstat_MOVED"}


class Program:
    def __init__(self, library, mode, ports):
        self.errors = tempfile.TemporaryFile()
        environment = {name: library.fill(value) for name, value in library.environment.items()}
        self.process = subprocess.Popen([*map(library.fill, library.command), mode, *map(str, ports)], text=True,
                                        env={**os.environ, **environment}, bufsize=1, preexec_fn=die_with_parent,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.lines = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def said_about_errors(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def send(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def line(self):
        try:
            line = self.lines.get(timeout=40 * PATIENCE)
        except queue.Empty:
            line = None
        assert line is not None, f"the program has ended or hangs:\n{self.said_about_errors()}"
        return line

    def ask(self, *words):
        self.send(*words)
        lines = list(iter(self.line, "."))
        assert not [line for line in lines if not line.startswith("= ")], lines
        return [line[2:] for line in lines]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()


class Counting(threading.Thread):
    """A stream of INCR of one key, until stop(). Two requests are always on their way."""

    def __init__(self, program, key):
        super().__init__(daemon=True)
        self.program, self.key = program, key
        self.stopping = threading.Event()
        self.values, self.errors, self.failure = [], [], None

    def run(self):
        try:
            under_way = 0
            while under_way or not self.stopping.is_set():
                while under_way < 2 and not self.stopping.is_set():
                    self.program.send("incr", self.key, 10)
                    under_way += 1
                line = self.program.line()
                if line == ".":
                    under_way -= 1
                elif line.startswith("= "):
                    self.values.append(int(line[2:]))
                else:
                    self.errors.append(line)
        except BaseException as error:  # raised by stop()
            self.failure = error

    def lost(self):
        """Numbers that no reply had, up to the last one."""
        values = list(self.values)
        return values[-1] - len(values)

    def go_on(self):
        """Waits for more replies."""
        goal = len(self.values) + ACKNOWLEDGED
        try:
            wait_for(lambda: len(self.values) >= goal or self.failure, 40 * PATIENCE, "replies")
        except AssertionError as error:
            raise AssertionError(f"{error}; errors: {len(self.errors)}, the last: {self.errors[-3:]}") from error

    def stop(self):
        self.stopping.set()
        self.join(60 * PATIENCE)
        assert not self.is_alive(), "the program hangs"
        if self.failure:
            raise self.failure


class Scenario:
    """To be inherited by a test class that names a library of the catalogue."""

    name = None

    @pytest.fixture(scope="class")
    def library(self):
        library = catalogue.named(self.name)
        problem = library.missing()
        if problem:
            pytest.skip(f"{library.name}: {problem}")
        return library

    @pytest.fixture(scope="class")
    def cluster(self, library):
        one = Cluster(library.name, raft_election_timeout_ms=int(300 * PATIENCE))
        for node in one.nodes:
            node.sentinel_port = one.ports.take()
            one.write_config(node, sentinel_port=node.sentinel_port)
        with one:
            yield one

    @pytest.fixture
    def started(self, library, cluster):
        programs = []

        def start(mode, ports):
            if mode not in library.modes:
                pytest.skip(f"{library.name} is no client of this kind: {mode}")
            forget_refusals(cluster)
            programs.append(Program(library, mode, ports))
            assert programs[-1].line() == "ready"
            return programs[-1]
        yield start
        for program in programs:
            program.close()

    def test_at_a_follower(self, library, cluster, started):
        if library.wants_primary:
            pytest.skip(f"{library.name} refuses a node that says that it is a replica")
        node = cluster.followers()[0]
        program = started(catalogue.PLAIN, [node.port])
        do_what_all_can(library, cluster, program)
        keep_counting(cluster, program, "at-a-follower", own_node=node)

    def test_at_the_leader(self, library, cluster, started):
        program = started(catalogue.PLAIN, [cluster.wait_leader().port])
        do_what_all_can(library, cluster, program)
        keep_counting(cluster, program, "at-the-leader")

    def test_in_cluster_mode(self, library, cluster, started):
        program = started(catalogue.CLUSTER, [node.port for node in cluster.nodes])
        do_what_all_can(library, cluster, program)
        keep_counting(cluster, program, "in-cluster-mode")

    def test_with_sentinel(self, library, cluster, started):
        program = started(catalogue.SENTINEL, [node.sentinel_port for node in cluster.nodes])
        do_what_all_can(library, cluster, program)
        keep_counting(cluster, program, "with-sentinel", lost_at_handover=int(library.breaks_off))


def forget_refusals(cluster):
    for node in cluster.nodes:
        assert node.call("CONFIG", "RESETSTAT") == "OK"


def refusals(cluster):
    """The kinds of errors that any node has answered."""
    return {name for node in cluster.nodes for name in node.info("errorstats")}


def do_what_all_can(library, cluster, program):
    key = f"{{{library.name}}}:"
    cluster.wait_leader().call("FLUSHALL")
    assert program.ask("pipeline", key + "n", 100) == [str(n) for n in range(1, 101)]
    assert program.ask("transaction", key + "n", key + "m") == ["101", "1"]
    assert program.ask("transaction", key + "n", key + "m") == ["102", "2"]
    notice_a_change_of_what_is_watched(cluster, program, key + "w")
    see_a_key_expire(cluster, program, key + "e")
    said = program.said_about_errors().splitlines()
    assert [line for line in said if not re.search(library.says or "^$", line)] == []
    assert refusals(cluster) - EXPECTED_REFUSALS == set()


def notice_a_change_of_what_is_watched(cluster, program, key):
    assert program.ask("watch", key) == ["nil"]
    assert cluster.followers()[-1].call("SET", key, "theirs") == "OK"
    assert program.ask("exec", key, "mine") == ["nil"]
    assert program.ask("get", key) == ["theirs"]
    assert program.ask("watch", key) == ["theirs"]
    assert program.ask("exec", key, "mine") == ["OK"]
    assert cluster.wait_leader().call("GET", key) == b"mine"


def see_a_key_expire(cluster, program, key):
    assert program.ask("set", key, "value", 100000) == ["OK"]
    assert program.ask("get", key) == ["value"]
    assert 0 < cluster.wait_leader().call("PTTL", key) <= 100000
    assert program.ask("set", key, "value", LIFE_MS) == ["OK"]
    wait_for(lambda: program.ask("get", key) == ["nil"], 20 * PATIENCE, "the key expires")


def hand_over(cluster, to=None):
    """RAFT.TRANSFER_LEADER; asked again where a busy machine held another election meanwhile."""
    def done():
        leader = cluster.wait_leader()
        return leader is to or leader.call("RAFT.TRANSFER_LEADER", *([to.id] if to else [])) == "OK"
    wait_for(done, 30 * PATIENCE, "leadership is handed over")


def keep_counting(cluster, program, key, own_node=None, lost_at_handover=0):
    """A stream of INCR while leadership is handed over and back, and the leader is killed. A client at another node
    than the killed one loses nothing at all. Where the client's own connection breaks, the reply of the one INCR that
    was under way may be lost; never one that was acknowledged, and none is counted twice."""
    leader = cluster.wait_leader()
    counting = Counting(program, key)
    counting.start()
    try:
        counting.go_on()
        hand_over(cluster)
        counting.go_on()
        hand_over(cluster, to=leader)
        counting.go_on()
        assert counting.errors == [], "leadership was handed over"
        assert counting.lost() <= 2 * lost_at_handover, "leadership was handed over"
        kill_the_leader(cluster, counting, own_node)
    finally:
        counting.stop()
    if own_node:
        assert counting.errors == []
    assert counting.values == sorted(set(counting.values)), "a reply came twice, or went back"
    total = int(cluster.wait_leader().call("GET", key))
    assert total >= counting.values[-1]
    may_be_lost = 2 * lost_at_handover + (0 if own_node else 1)
    assert total - len(counting.values) <= may_be_lost, f"of {total} INCR {len(counting.values)} were acknowledged"
    cluster.wait_equal()


def kill_the_leader(cluster, counting, own_node):
    victim = cluster.wait_leader()
    if victim is own_node:
        hand_over(cluster, to=next(node for node in cluster.nodes if node is not own_node))
        victim = cluster.wait_leader()
    victim.kill()
    cluster.wait_leader(but=victim)
    if own_node:
        counting.go_on()
    victim.start()
    counting.go_on()
