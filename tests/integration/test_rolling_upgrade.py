"""Nodes of an older version are replaced one after the other, while clients write. The older version is built from the
repository's own history: the last commit whose nodes know neither forwarded requests nor log entries with an origin,
and the last one that knows only strings. What was built stays beside the server for the next run."""
import os
import pathlib
import subprocess
import tempfile
import time

import pytest

from cluster import PATIENCE, SERVER, TOP, RedirectingClient
from load import Incrementer, Setter
from resp import Error
from waiting import wait_for

OLDER = "cbc2a4baa07d87a14abb15d5221b7660e9bfa0c6"
STRINGS_ONLY = "28a8ab00447de4616891956a3af9c62c4a59f262"
OLDEST, NEWEST = 2, 5
NOT_YET = "Not all nodes run a version that knows this command"
ONE_DATABASE = "Not all nodes run a version that knows databases other than 0"


def program_of(commit):
    """The server as of that commit; what the file at its path holds never changes. What it says and writes is the
    same without the optimiser, which takes half of the time that it takes to build it."""
    program = pathlib.Path(SERVER).resolve().parent / "older" / commit / "flotilla-server"
    if program.exists():
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that a finished program gets there in one step.
    with tempfile.TemporaryDirectory(prefix="build-", dir=program.parent) as folder:
        archive = subprocess.run(["git", "-C", str(TOP), "archive", commit], capture_output=True, check=False)
        if archive.returncode:
            pytest.skip(f"the history is not there: {archive.stderr.decode().strip()}")
        subprocess.run(["tar", "x", "-C", folder], input=archive.stdout, check=True)
        # Whatever this run of tests was built with, and where.
        built = subprocess.run(["make", "-C", folder, "-j2", "SILENT=1", "BUILD=build", "SANITIZE=", "FAILPOINTS=",
                                "CFLAGS=-O0", "build/flotilla-server"],
                               check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={key: value for key, value in os.environ.items() if key != "MAKEFLAGS"})
        assert built.returncode == 0, built.stdout.decode()
        os.replace(f"{folder}/build/flotilla-server", program)
    return program


@pytest.fixture(scope="module")
def older():
    """The program of the oldest version."""
    return program_of(OLDER)


@pytest.fixture(scope="module")
def strings_only():
    return program_of(STRINGS_ONLY)


@pytest.fixture
def old_cluster(make_cluster, older):
    """old_cluster(directive=value …): three nodes of the older version."""
    def make(**directives):
        cluster = make_cluster(start=False, **directives)
        for node in cluster.nodes:
            node.program = [older]
        return cluster.start()
    return make


def replace(node, program):
    """An orderly end, and a start of another program, until the node takes part again."""
    assert node.stop() == 0
    node.program = [program]
    node.start()
    wait_for(lambda: node.raft()["raft_leader_id"] != "0", 20 * PATIENCE, f"node {node.id} has a leader")
    leader = node.cluster.wait_leader()
    committed = int(leader.raft()["raft_commit_index"])
    wait_for(lambda: node.applied >= committed, 20 * PATIENCE, f"node {node.id} keeps up")


def others(raft):
    """What INFO raft says of the other members."""
    nodes = [raft[key] for key in sorted(raft) if key.startswith("raft_node") and key[len("raft_node"):].isdigit()]
    return [dict(field.split("=", 1) for field in node.split(",")) for node in nodes]


def speaks(node, version):
    """Whether the node is connected with all others, and all of them speak that version."""
    told = others(node.raft())
    return len(told) == 2 and all(one["state"] == "connected" and int(one["version"]) == version for one in told)


def forwards(node):
    raft = node.raft()
    return raft["raft_forwarding"] == "on" and int(raft["raft_version_agreed"]) == NEWEST


def wait_forwarding(nodes):
    wait_for(lambda: all(forwards(node) for node in nodes), 20 * PATIENCE, "all nodes forward")


def is_moved(reply):
    return isinstance(reply, Error) and reply.code == "MOVED"


def serves_itself(node):
    """A client that knows nothing of clusters, on a node that does not lead."""
    return wait_for(lambda: node.call("SET", f"through-{node.id}", "1") == "OK", 10 * PATIENCE, "it is served") and \
        node.call("GET", f"through-{node.id}") == b"1"


def test_nodes_are_replaced_one_after_the_other_under_load(old_cluster):
    cluster = old_cluster()
    counter = Incrementer(cluster)
    setter = Setter(cluster, "upgrade")
    workers = [counter, setter]
    for worker in workers:
        worker.start()
    leader = cluster.wait_leader()
    order = [node for node in cluster.nodes if node is not leader] + [leader]
    for number, node in enumerate(order, 1):
        before = counter.acknowledged
        replace(node, SERVER)
        wait_for(lambda: counter.acknowledged > before + 20, 20 * PATIENCE, "clients go on")
        if number == len(order):
            continue
        raft = node.raft()
        assert (int(raft["raft_version"]), int(raft["raft_version_agreed"])) == (NEWEST, OLDEST)
        assert raft["raft_forwarding"] == "off"
        told = wait_for(lambda node=node: [one for one in others(node.raft()) if one["version"] != "0"], 10 * PATIENCE)
        assert str(OLDEST) in [one["version"] for one in told]
        if not node.says_leader():
            assert is_moved(node.call("SET", "a", "1"))  # where nobody forwards, a client is sent on
            assert is_moved(node.call("GET", "a"))
        assert "refuses this node" not in node.tail(200)
    wait_forwarding(cluster.nodes)
    for node in cluster.followers():
        assert serves_itself(node)
    before = counter.acknowledged
    wait_for(lambda: counter.acknowledged > before + 20, 20 * PATIENCE, "clients go on")
    for worker in workers:
        worker.finish()
    leader = cluster.wait_leader()
    assert counter.acknowledged <= int(leader.call("GET", counter.key)) <= counter.attempted
    with leader.connect() as connection:
        assert setter.lost(connection) == []
    cluster.wait_equal()


def test_a_new_node_meets_old_ones_without_delay(old_cluster):
    """Their refusal of the newest version costs a round, not a backoff."""
    cluster = old_cluster()
    node = cluster.followers()[0]
    assert node.stop() == 0
    node.program = [SERVER]
    node.start()
    start = time.monotonic()
    wait_for(lambda: speaks(node, OLDEST), 20 * PATIENCE, "it is connected with the old nodes")
    assert time.monotonic() - start < 2 * PATIENCE
    refused = [int(other.raft()["peer_handshakes_refused"]) for other in cluster.nodes if other is not node]
    assert max(refused) <= 3 * (NEWEST - OLDEST), refused


def test_a_node_goes_back_while_there_are_old_ones(old_cluster, older):
    cluster = old_cluster()
    node = cluster.followers()[0]
    for program in (SERVER, older, SERVER, older):
        assert RedirectingClient(cluster).call("SET", "last", str(program)) == "OK"
        replace(node, program)
        wait_for(lambda: node.read_stale("GET", "last") == str(program).encode(), 20 * PATIENCE, "it follows")
    cluster.wait_equal()


def test_an_old_node_is_refused_once_all_were_new(make_cluster, older):
    cluster = make_cluster()
    wait_forwarding(cluster.nodes)
    for node in cluster.followers():
        assert serves_itself(node)
    node = cluster.followers()[0]
    assert node.stop() == 0
    node.program = [older]
    node.start(wait=False)
    assert node.wait_exit() != 0
    assert "was written by another version of Flotilla" in node.tail(10)
    # With an empty folder it is refused by the others.
    for path in sorted(node.data.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    node.start()
    wait_for(lambda: "needs a newer Flotilla" in node.tail(200), 20 * PATIENCE, "the others refuse it")
    assert node.stop() == 0
    node.program = [SERVER]
    node.start()
    wait_for(lambda: node.raft().get("raft_is_voting") == "yes" and forwards(node), 30 * PATIENCE, "it is taken in")
    assert serves_itself(cluster.followers()[0])


def test_what_was_agreed_outlives_a_restart_beside_a_dead_node(make_cluster):
    cluster = make_cluster()
    wait_forwarding(cluster.nodes)
    dead, *alive = cluster.nodes
    for node in cluster.nodes:
        node.kill()
    assert dead not in alive
    for node in alive:
        node.start(wait=False)
    for node in alive:
        node.wait_until_up()
    cluster.wait_leader()
    wait_forwarding(alive)
    assert all(serves_itself(node) for node in cluster.followers())


def test_values_of_other_types_wait_for_the_last_old_node(make_cluster, strings_only):
    cluster = make_cluster(start=False, leader_wait_ms=500)
    for node in cluster.nodes:
        node.program = [strings_only]
    cluster.start()
    assert RedirectingClient(cluster).call("SET", "string", "kept") == "OK"
    # What the old nodes wrote to their logs, and refused, comes to nothing on the new ones.
    assert "not allowed in cluster mode" in str(cluster.wait_leader().call("COPY", "string", "string2", "DB", "3"))
    *first, last = [node for node in cluster.nodes if not node.says_leader()] + [cluster.wait_leader()]
    for node in first:
        replace(node, SERVER)
    last.call("RAFT.TRANSFER_LEADER")
    wait_for(lambda: any(node.says_leader() for node in first), 20 * PATIENCE, "a new node leads")
    for node in first:
        for command in (("HSET", "h", "f", "v"), ("SET", "string", "other", "IFEQ", "kept"), ("BLPOP", "l", "1")):
            assert NOT_YET in str(wait_for(lambda node=node, command=command: refused(node, command), 20 * PATIENCE,
                                           "it is refused")), command
        for command in (("SWAPDB", "0", "1"), ("MOVE", "string", "1"), ("COPY", "string", "string", "DB", "1")):
            assert ONE_DATABASE in str(wait_for(lambda node=node, command=command: refused(node, command),
                                                20 * PATIENCE, "it is refused")), command
        with node.connect() as elsewhere:
            assert elsewhere.call("SELECT", "5") == "OK"
            assert elsewhere.call("GET", "string") is None
            assert ONE_DATABASE in str(elsewhere.call("SET", "string", "v"))
            replies = elsewhere.pipeline([("SELECT", "0"), ("MULTI",), ("SELECT", "5"), ("SET", "string", "v"), ("EXEC",)])
            assert ONE_DATABASE in str(replies[-1])
    replace(last, SERVER)
    for node in cluster.nodes:
        wait_for(lambda node=node: node.call("HSET", "h", f"f-{node.id}", "v") == 1, 20 * PATIENCE, "all know it")
    assert cluster.followers()[0].call("HLEN", "h") == 3
    assert cluster.followers()[0].call("SET", "string", "other", "IFEQ", "kept") == "OK"
    assert cluster.followers()[1].call("BLPOP", "l", "0.01") is None
    assert cluster.followers()[0].call("COPY", "string", "string", "DB", "5") == 1
    with cluster.followers()[1].connect() as elsewhere:
        assert elsewhere.pipeline([("SELECT", "3"), ("DBSIZE",)]) == ["OK", 0]
        assert elsewhere.pipeline([("SELECT", "5"), ("APPEND", "string", "!"), ("GET", "string")]) == ["OK", 6, b"other!"]
    cluster.wait_equal()


def refused(node, command):
    """The error, unless the node has no leader just now."""
    reply = node.call(*command)
    return reply if isinstance(reply, Error) and "no leader" not in str(reply) else None
