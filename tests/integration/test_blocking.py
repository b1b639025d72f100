"""Clients that wait for keys: in order of arrival over all nodes, one reply each, over deaths of leaders."""
import os
import threading
import time

import pytest

from cluster import PATIENCE, Cluster
from waiting import wait_for

redis = pytest.importorskip("redis", reason="redis-py is not installed: deps/install.sh installs it")

JOBS = int(os.environ.get("FLOTILLA_JOBS", "2000"))
KILLS = 2  # at least
BETWEEN_KILLS_SECONDS = 5 if JOBS >= 50000 else 1


def client_of(node):
    return redis.Redis(port=node.port, socket_timeout=60 * PATIENCE)


class Waiting(threading.Thread):
    """One command that waits; its reply or its error."""

    def __init__(self, node, *args, readonly=False):
        super().__init__(daemon=True)
        self.client, self.args, self.reply, self.error = client_of(node), args, None, None
        if readonly:
            self.client = redis.Redis(port=node.port, socket_timeout=60 * PATIENCE, single_connection_client=True)
            self.client.execute_command("READONLY")
        self.id = self.client.client_id()
        self.start()

    def run(self):
        try:
            self.reply = self.client.execute_command(*self.args)
        except redis.RedisError as error:
            self.error = error

    def end(self):
        self.join(30 * PATIENCE)
        assert not self.is_alive()
        return self.reply


def blocked(node):
    return int(node.info("clients")["blocked_clients"])


def wait_blocked(node, count):
    wait_for(lambda: blocked(node) == count, 20, f"{count} clients wait")


@pytest.fixture(scope="module")
def cluster():
    with Cluster("blocking") as started:
        yield started


def wait_in_turn(cluster, count, *args):
    """`count` clients on all nodes by turns, each of which waits before the next one comes."""
    waiting = []
    for number in range(count):
        node = cluster.nodes[number % len(cluster.nodes)]
        waiting.append(Waiting(node, *args))
        wait_blocked(node, number // len(cluster.nodes) + 1)
    return waiting


def test_who_came_first_on_whatever_node_is_served_first(cluster):
    waiting = wait_in_turn(cluster, 6, "BLPOP", "order", 0)
    client_of(cluster.nodes[1]).rpush("order", *range(6))
    assert [one.end()[1] for one in waiting] == [b"%d" % number for number in range(6)]


def test_who_waits_is_not_slow(cluster):
    """The node did nothing for its own clients for a while: that is nobody's time."""
    node, other = cluster.nodes[:2]
    waiting = Waiting(node, "BLPOP", "idle", 0)
    wait_blocked(node, 1)
    assert node.call("SLOWLOG", "RESET") == "OK"
    time.sleep(1)
    client_of(other).lpush("idle", "a")
    assert waiting.end()[1] == b"a"
    slow = [entry for entry in node.call("SLOWLOG", "GET", "-1") if entry[3][0].upper() == b"BLPOP"]
    assert all(entry[2] < 500_000 for entry in slow), slow


def test_a_chain_of_moves_ends_with_the_last_one(cluster):
    first = Waiting(cluster.nodes[0], "BLMOVE", "chain-1", "chain-2", "LEFT", "RIGHT", 0)
    second = Waiting(cluster.nodes[1], "BLMOVE", "chain-2", "chain-3", "LEFT", "RIGHT", 0)
    third = Waiting(cluster.nodes[2], "BLPOP", "chain-3", 0)
    for node in cluster.nodes:
        wait_blocked(node, 1)
    client_of(cluster.nodes[0]).rpush("chain-1", "job")
    assert (first.end(), second.end(), third.end()[1]) == (b"job", b"job", b"job")
    assert client_of(cluster.nodes[0]).exists("chain-1", "chain-2", "chain-3") == 0


def test_who_moves_to_a_key_does_not_stand_before_those_who_take_from_it(cluster):
    mover = Waiting(cluster.nodes[0], "BLMOVE", "from", "to", "LEFT", "RIGHT", 0)
    wait_blocked(cluster.nodes[0], 1)
    taker = Waiting(cluster.nodes[1], "BLPOP", "to", 0)
    wait_blocked(cluster.nodes[1], 1)
    client_of(cluster.nodes[2]).rpush("to", "first")
    assert taker.end()[1] == b"first"
    client_of(cluster.nodes[2]).rpush("from", "second")
    assert mover.end() == b"second"
    assert client_of(cluster.nodes[2]).lpop("to") == b"second"


def test_a_client_may_wait_for_many_keys(cluster):
    """Each key was compared with all others: the nodes were silent for ten seconds."""
    begin = time.monotonic()
    for node in cluster.nodes:
        keys = [f"many-{number}" for number in range(100000)]
        assert client_of(node).execute_command("BLPOP", *keys, 0.1) is None
    assert time.monotonic() - begin < 9 * PATIENCE


def test_a_readonly_connection_waits_for_what_its_node_applies(cluster):
    follower = cluster.followers()[0]
    one = Waiting(follower, "XREAD", "BLOCK", 0, "STREAMS", "here", "$", readonly=True)
    wait_blocked(follower, 1)
    client_of(cluster.nodes[0]).xadd("here", {"a": "b"}, id="1-1")
    assert "1-1" in repr(one.end())


def test_a_timeout_and_client_unblock_end_the_wait_and_take_nothing(cluster):
    for node in cluster.nodes:
        assert client_of(node).execute_command("BLPOP", "nothing", 0.05) is None
        one = Waiting(node, "BZPOPMIN", "nothing", 0)
        wait_blocked(node, 1)
        assert client_of(node).client_unblock(one.id)
        assert one.end() is None
        one = Waiting(node, "BLMPOP", 0, 1, "nothing", "LEFT")
        wait_blocked(node, 1)
        assert client_of(node).client_unblock(one.id, error=True)
        one.end()
        assert "UNBLOCKED" in repr(one.error)
        gone = Waiting(node, "BLPOP", "nothing", 0)
        wait_blocked(node, 1)
        client_of(node).client_kill_filter(_id=gone.id)
        wait_blocked(node, 0)
        client_of(node).rpush("nothing", "kept")
        assert client_of(node).lrange("nothing", 0, -1) == [b"kept"]
        client_of(node).delete("nothing")


def test_a_key_of_another_type_serves_nobody(cluster):
    one = Waiting(cluster.nodes[2], "BLPOP", "typed", 0)
    wait_blocked(cluster.nodes[2], 1)
    other = client_of(cluster.nodes[0])
    other.set("typed", "text")
    other.delete("typed")
    other.zadd("typed", {"member": 1})
    other.delete("typed")
    other.rpush("typed-source", "renamed")
    other.rename("typed-source", "typed")
    assert one.end()[1] == b"renamed"


def test_a_key_is_looked_at_behind_a_write_whose_time_was_made_absolute(cluster):
    """The write's arguments live until then. A new leader looks at no key for a heartbeat."""
    leader = cluster.wait_leader()
    waiting = wait_in_turn(cluster, 1, "BLPOP", "lists later", "0")
    with leader.connect() as connection:
        for _ in range(20):
            assert connection.call("MSETEX", "1", "lists later", "v", "EX", "1000") == 1
            time.sleep(0.02)
        assert connection.call("DEL", "lists later") == 1
        assert connection.call("RPUSH", "lists later", "a") == 1
    assert waiting[0].end() == (b"lists later", b"a")


def test_a_transaction_does_not_wait(cluster):
    pipe = client_of(cluster.nodes[1]).pipeline()
    pipe.execute_command("BLPOP", "absent", 0)
    pipe.execute_command("BLMOVE", "absent", "absent-2", "LEFT", "LEFT", 0)
    pipe.execute_command("XREAD", "BLOCK", 0, "STREAMS", "absent", "$")
    assert [not reply for reply in pipe.execute()] == [True, True, True]


def test_streams_are_read_where_the_client_is_and_groups_share(cluster):
    other = client_of(cluster.nodes[0])
    other.xgroup_create("stream", "group", mkstream=True)
    readers = [Waiting(node, "XREAD", "BLOCK", 0, "STREAMS", "stream", "$") for node in cluster.nodes]
    members = [Waiting(node, "XREADGROUP", "GROUP", "group", f"c{node.port}", "COUNT", 1, "BLOCK", 0,
                       "STREAMS", "stream", ">") for node in cluster.nodes]
    for node in cluster.nodes:
        wait_blocked(node, 2)
    for number in range(3):
        other.xadd("stream", {"n": number}, id=f"1-{number + 1}")
    for reader in readers:
        assert b"1-1" in repr(reader.end()).encode()
    got = sorted(repr(member.end()).split("1-")[1][0] for member in members)
    assert got == ["1", "2", "3"]


class Consumer(threading.Thread):
    """Takes jobs and notes them; begins anew where its node dies."""

    def __init__(self, node, over):
        super().__init__(daemon=True)
        self.node, self.over, self.jobs, self.errors = node, over, [], []
        self.start()

    def run(self):
        client = client_of(self.node)
        while not self.over.is_set():
            try:
                got = client.execute_command("BLPOP", "jobs", 1)
                if got:
                    self.jobs.append(int(got[1]))
            except redis.RedisError as error:
                self.errors.append(error)
                self.over.wait(0.05)


def test_who_waits_on_a_node_that_is_removed_hears_of_it(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    gone = cluster.followers()[0]
    wait_for(lambda: leader.call("SET", "k", "v") == "OK", what="a write")
    takes = Waiting(gone, "BLPOP", "k2", 0)
    reads = Waiting(gone, "XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    local = Waiting(gone, "XREAD", "BLOCK", 0, "STREAMS", "s", "$", readonly=True)
    wait_blocked(gone, 3)
    assert leader.call("RAFT.NODE", "REMOVE", str(gone.id)) == "OK"
    takes.end()
    reads.end()
    assert "UNKNOWN" in str(takes.error) and "CLUSTERDOWN" in str(reads.error)
    assert blocked(gone) == 1 and local.error is None


def kill_the_leader(cluster, survivor):
    victim = cluster.wait_leader()
    while victim is survivor:
        victim.call("RAFT.TRANSFER_LEADER")
        victim = cluster.wait_leader()
    victim.kill()
    return victim


def produce(survivor, done):
    client = client_of(survivor)
    for job in range(JOBS):
        client.rpush("jobs", job)
    done.set()


@pytest.mark.parametrize("everywhere", [False, True], ids=["of_the_survivor", "of_all_nodes"])
def test_each_job_is_delivered_once_while_leaders_are_killed(everywhere):
    with Cluster("blocking-kills", leader_wait_ms=int(30000 * PATIENCE)) as cluster:
        survivor = cluster.followers()[0]
        over, produced = threading.Event(), threading.Event()
        consumers = [Consumer(survivor, over) for _ in range(4)]
        others = [Consumer(node, over) for node in cluster.nodes if everywhere and node is not survivor
                  for _ in range(2)]
        threading.Thread(target=produce, args=(survivor, produced), daemon=True).start()
        begin, kills = time.monotonic(), 0
        while not produced.is_set() or kills < KILLS:
            wait_for(lambda: time.monotonic() >= begin + (kills + 1) * BETWEEN_KILLS_SECONDS or
                     (produced.is_set() and kills >= KILLS), 60, "the next kill is due")
            if produced.is_set() and kills >= KILLS:
                break
            victim = kill_the_leader(cluster, survivor)
            cluster.wait_leader(but=victim)
            victim.start()
            kills += 1
        wait_for(lambda: survivor.call("LLEN", "jobs") == 0, 60, "all jobs are taken")
        over.set()
        for consumer in consumers + others:
            consumer.join(30 * PATIENCE)
            assert not consumer.is_alive()
        taken = sorted(job for consumer in consumers + others for job in consumer.jobs)
        assert len(taken) == len(set(taken)), "a job was delivered twice"
        lost = JOBS - len(taken)
        print(f"{JOBS} jobs, {kills} leaders killed, {lost} on their way to a client of a node that died")
        # A job that was on its way to a client of a node that died is with that client.
        assert lost <= (len(others) // 2 * kills if everywhere else 0)
        assert not [error for consumer in consumers for error in consumer.errors]
        assert int(survivor.raft()["raft_unknown_outcomes"]) == 0
        cluster.wait_equal()
