"""Operators change a running cluster: who votes, who takes whose place."""
import contextlib
import threading

import pytest

from cluster import PATIENCE, Cluster, Node
from resp import Closed, Error
from test_membership import assert_refused, fill, members, promote, silence_ms, state_of
from waiting import wait_for


# Elections but those that a test is about are rare, also on a busy machine.
PATIENT = {"raft_heartbeat_ms": 100, "raft_election_timeout_ms": 1500}
# What a machine that stands still for a while can do to a change: it is asked for once more.
PASSING = ("MOVED", "CLUSTERDOWN", "UNKNOWN", "ERR leadership has changed", "ERR another leader", "ERR another change",
           "ERR the leader has not committed")


@pytest.fixture
def cluster():
    with Cluster("changes", **PATIENT) as one:
        yield one


@pytest.fixture
def five():
    with Cluster("changes", size=5, **PATIENT) as one:
        yield one


def new_node(cluster, number):
    node = Node(cluster, number, cluster.ports.take())
    cluster.nodes.append(node)
    cluster.write_config(node)
    return node


def add(cluster, number):
    node = new_node(cluster, number)
    change(cluster, "ADD", number, node.address)
    return node.start()


def change(cluster, *args):
    """Asks whoever leads until it is done."""
    before = []

    def done():
        reply = cluster.wait_leader().call("RAFT.NODE", *map(str, args))
        if reply == "OK" or (before and ("already" in str(reply) or "is no member" in str(reply))):
            return True  # the second: it was done after all
        assert str(reply).startswith(PASSING), reply
        before.append(reply)
        return False
    wait_for(done, 60 * PATIENCE, f"RAFT.NODE {args}")
    return cluster.wait_leader()


def voters(leader):
    return sorted(id for id, member in members(leader).items() if member["state"] == b"voter")


def voters_are(cluster, *ids):
    wait_for(lambda: voters(cluster.wait_leader()) == sorted(ids), 60 * PATIENCE, f"the voters are {ids}")


def has_caught_up(leader, node):
    for name, value in leader.raft().items():
        fields = dict(pair.split("=", 1) for pair in value.split(",") if "=" in pair)
        if name.startswith("raft_node") and fields.get("id") == str(node.id):
            return fields.get("progress") == "replicate" and fields.get("lag") == "0"
    return False


def writable(cluster):
    leader = cluster.wait_leader()
    wait_for(lambda: leader.call("SET", "k", "v") == "OK", what="a write")
    return leader


def test_one_spare_waits_and_two_become_voters(cluster):
    fill(cluster)
    fourth = add(cluster, 4)
    wait_for(lambda: has_caught_up(cluster.wait_leader(), fourth), 60 * PATIENCE, "the spare has everything")
    leader = writable(cluster)  # it could have been promoted by now
    assert state_of(leader, fourth) == "spare" and voters(leader) == [1, 2, 3]
    add(cluster, 5)
    voters_are(cluster, 1, 2, 3, 4, 5)
    cluster.wait_equal()


def test_the_target_can_be_set_while_it_runs(cluster):
    leader = writable(cluster)
    for node in cluster.nodes:
        assert node.call("CONFIG", "SET", "raft-target-voters", "3") == "OK"
    spares = [add(cluster, number) for number in (4, 5)]
    wait_for(lambda: all(has_caught_up(cluster.wait_leader(), node) for node in spares), 60 * PATIENCE,
             "the spares have everything")
    leader = writable(cluster)
    assert voters(leader) == [1, 2, 3]
    for value in ("0", "17", "many"):
        assert isinstance(leader.call("CONFIG", "SET", "raft-target-voters", value), Error)
    for node in cluster.nodes[:3]:
        assert node.call("CONFIG", "SET", "raft-target-voters", "5") == "OK"
    voters_are(cluster, 1, 2, 3, 4, 5)


def test_a_demoted_voter_stays_a_learner_until_it_is_promoted(cluster):
    leader = fill(cluster)
    follower = cluster.followers()[0]
    leader = change(cluster, "DEMOTE", follower.id)
    assert state_of(leader, follower) == "learner"
    assert_refused(leader, "is a learner already", "DEMOTE", str(follower.id))
    assert leader.call("SET", "k", "v") == "OK"
    assert state_of(leader, follower) == "learner"
    promote(leader, follower)
    cluster.wait_equal()


def test_a_leader_demotes_and_removes_itself(cluster):
    for subcommand, state in (("DEMOTE", "learner"), ("REMOVE", None)):
        leader = writable(cluster)
        assert leader.call("RAFT.NODE", subcommand, str(leader.id)) == "OK"
        cluster.wait_leader(but=leader)
        after = cluster.leader()
        assert after is not leader and state_of(after, leader) == state
        if subcommand == "DEMOTE":
            promote(after, leader)
    leader.kill()
    assert after.call("SET", "k", "w") == "OK"


def test_what_cannot_be_promoted_or_demoted_is_refused_with_the_reason(cluster):
    leader = writable(cluster)
    for subcommand in ("PROMOTE", "DEMOTE", "REMOVE"):
        assert_refused(leader, "node 9 is no member", subcommand, "9")
        assert_refused(leader, "a number", subcommand, "nine")
        assert_refused(leader, "syntax error", subcommand, "2", "NOW")
        follower = cluster.followers()[0]
        assert str(follower.call("RAFT.NODE", subcommand, "9")) == f"MOVED 0 {leader.address}"
    assert_refused(leader, "is a voter already", "PROMOTE", str(leader.id))
    fourth = new_node(cluster, 4)
    assert leader.call("RAFT.NODE", "ADD", "4", fourth.address) == "OK"
    assert_refused(leader, "has not connected yet", "PROMOTE", "4")
    for number in range(5, 17):
        leader = change(cluster, "ADD", number, f"127.0.0.1:{number}")
    assert_refused(leader, "at most 16 members", "ADD", "17", "127.0.0.1:17")
    assert voters(leader) == [1, 2, 3]


def test_one_change_at_a_time(cluster):
    leader = writable(cluster)
    followers = cluster.followers()
    with leader.connect() as connection:
        for follower in followers:
            follower.pause()  # nothing is committed now
        connection.send("RAFT.NODE", "ADD", "4", "127.0.0.1:1234")
        wait_for(lambda: leader.raft()["raft_membership_state"] == "changing", what="the change has begun")
        assert_refused(leader, "another change of the members goes on", "ADD", "5", "127.0.0.1:1235")
        for follower in followers:
            follower.resume()
        reply = connection.read()
        assert reply == "OK" or "another leader was elected" in str(reply), reply


def test_a_change_that_leaves_the_dead_in_charge_has_to_be_forced(five):
    leader = writable(five)
    alive, _, *dead = five.followers()
    for node in dead:
        node.kill()
    wait_for(lambda: all(silence_ms(leader, node) > 3000 for node in dead), what="the dead nodes' silence")
    for subcommand in ("REMOVE", "DEMOTE"):
        assert_refused(leader, "have not been heard of", subcommand, str(alive.id))
    assert leader.call("SET", "k", "w") == "OK"
    replies = []
    thread = threading.Thread(target=lambda: replies.append(leader.call("RAFT.NODE", "REMOVE", str(alive.id), "FORCE")))
    thread.start()
    wait_for(lambda: state_of(leader, alive) in (None, "leaving", "voter")
             and leader.raft()["raft_membership_state"] == "joint", what="the change has begun")
    dead[0].start(wait=False)  # three of the four that are left
    thread.join(60)
    assert replies == ["OK"] or str(replies[0]).startswith(("UNKNOWN", "ERR another leader")), replies
    five.wait_leader()


def test_a_new_node_takes_the_place_of_a_voter_in_one_change(cluster):
    leader = fill(cluster)
    old = cluster.followers()[0]
    fourth = new_node(cluster, 4).start(wait=False)
    before = int(leader.raft()["raft_membership_index"])
    leader = change(cluster, "REPLACE", old.id, 4, fourth.address)
    assert voters(leader) == sorted({1, 2, 3, 4} - {old.id})
    assert sorted(members(leader)) == voters(leader)
    # The learner, its incarnation, the joint membership, what it leads to.
    assert int(leader.raft()["raft_membership_index"]) - before >= 4
    old.kill()
    cluster.nodes.remove(old)
    cluster.wait_equal()


def test_a_dead_voter_and_the_leader_are_replaced_too(cluster):
    fill(cluster)
    leader = cluster.wait_leader()
    dead = cluster.followers()[0]
    dead.kill()
    fourth = new_node(cluster, 4).start(wait=False)
    leader = change(cluster, "REPLACE", dead.id, 4, fourth.address)
    cluster.nodes.remove(dead)
    fifth = new_node(cluster, 5).start(wait=False)
    change(cluster, "REPLACE", leader.id, 5, fifth.address)
    after = cluster.wait_leader(but=leader)
    assert voters(after) == sorted({1, 2, 3, 4, 5} - {dead.id, leader.id})
    leader.kill()
    cluster.nodes.remove(leader)
    cluster.wait_equal()


def test_a_replacement_that_never_comes_replaces_nobody(cluster):
    leader = writable(cluster)
    old = cluster.followers()[0]
    fourth = new_node(cluster, 4)
    with leader.connect(timeout=30) as connection:
        reply = str(connection.call("RAFT.NODE", "REPLACE", str(old.id), "4", fourth.address))
    assert "has not caught up" in reply and "stays a learner" in reply, reply
    assert voters(leader) == [1, 2, 3] and state_of(leader, fourth) == "learner"
    fourth.start(wait=False)  # and again, now that it runs
    leader = change(cluster, "REPLACE", old.id, 4, fourth.address)
    assert voters(leader) == sorted({1, 2, 3, 4} - {old.id})


def test_what_cannot_be_replaced_is_refused_with_the_reason(cluster):
    leader = writable(cluster)
    a, b = cluster.followers()
    assert_refused(leader, "node 9 is no member", "REPLACE", "9", "4", "127.0.0.1:1234")
    assert_refused(leader, "is a voter already", "REPLACE", str(a.id), str(b.id), b.address)
    assert_refused(leader, "has the address", "REPLACE", str(a.id), "4", b.address)
    assert_refused(leader, "a number", "REPLACE", str(a.id), "four", "127.0.0.1:1234")
    assert_refused(leader, "syntax error", "REPLACE", str(a.id), "4", "127.0.0.1:1234", "SOON")
    assert str(a.call("RAFT.NODE", "REPLACE", "9", "4", "127.0.0.1:1234")) == f"MOVED 0 {leader.address}"
    assert sorted(members(leader)) == [1, 2, 3]


def node_names(node):
    """By id, in the order of the ports that CLUSTER NODES shows."""
    names = {}
    for line in node.call("CLUSTER", "NODES").decode().splitlines():
        name, address = line.split()[:2]
        names[int(address.split("@")[0].rsplit(":", 1)[1])] = name
    return names


def test_cluster_forget_at_the_leader_removes_a_node(cluster):
    leader = writable(cluster)
    gone, other = cluster.followers()
    names = node_names(leader)
    for node, name, why in ((leader, names[leader.port], "can't forget myself"), (other, names[leader.port], "my master"),
                            (leader, "0" * 40, f"Unknown node {'0' * 40}"),
                            (other, names[gone.port], f"MOVED 0 {leader.address}")):
        reply = node.call("CLUSTER", "FORGET", name)
        assert isinstance(reply, Error) and why in str(reply), reply
    assert sorted(members(leader)) == [1, 2, 3]
    assert leader.call("CLUSTER", "FORGET", names[gone.port]) == "OK"
    assert sorted(members(leader)) == sorted({leader.id, other.id})


def test_cluster_meet_and_reset_say_what_to_do(cluster):
    leader = writable(cluster)
    follower = cluster.followers()[0]
    assert leader.call("CLUSTER", "MEET", "127.0.0.1", str(follower.port)) == "OK"
    reply = str(leader.call("CLUSTER", "MEET", "10.1.2.3", "6379", "16379"))
    assert reply.startswith("ERR") and "the empty node at 10.1.2.3:6379 for RAFT.CLUSTER JOIN" in reply
    for port in ("0", "65536", "x"):
        assert "Invalid port" in str(leader.call("CLUSTER", "MEET", "127.0.0.1", port))
        assert "Invalid port" in str(leader.call("CLUSTER", "MEET", "127.0.0.1", "7000", port))
    assert "syntax error" in str(leader.call("CLUSTER", "MEET", "127.0.0.1", "7000", "17000", "x"))
    for options in ((), ("HARD",), ("soft",)):
        reply = str(follower.call("CLUSTER", "RESET", *options))
        assert reply.startswith("ERR") and f"RAFT.NODE REMOVE {follower.id}" in reply
    assert "syntax error" in str(follower.call("CLUSTER", "RESET", "softly"))
    assert sorted(members(leader)) == [1, 2, 3]


class Counter:
    """Counts at one node all the time: one INCR after the other, or so many in one piece."""

    def __init__(self, node, name, at_once=1):
        self.node = node
        self.name = name
        self.at_once = at_once
        self.count = 0
        self.wrong = []
        self.stopping = False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            with self.node.connect(timeout=60 * PATIENCE) as connection:
                while not self.stopping and not self.wrong:
                    replies = connection.pipeline([("INCR", self.name)] * self.at_once)
                    if replies != list(range(self.count + 1, self.count + 1 + self.at_once)):
                        self.wrong.append(replies)
                    self.count += self.at_once
        except (OSError, Closed) as error:
            self.wrong.append(error)

    def __enter__(self):
        self.thread.start()
        wait_for(lambda: self.count > 10 or self.wrong, 60 * PATIENCE, "some counts")
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join(90 * PATIENCE)
        assert not self.thread.is_alive() and not self.wrong, (self.name, self.wrong, self.count)


def replace(cluster, old, number):
    new = new_node(cluster, number).start(wait=False)
    change(cluster, "REPLACE", old.id, number, new.address)
    cluster.nodes.remove(old)
    cluster.wait_leader()
    old.kill()
    return new


def test_five_nodes_are_replaced_one_by_one_and_clients_of_those_that_stay_see_nothing(five):
    fill(five)
    old = list(five.nodes)
    leaders = 0
    stays = five.followers()[0]
    counters = []

    def count(stack, node, *args):
        counters.append(stack.enter_context(Counter(node, f"{node.id}-{len(counters)}", *args)))

    with contextlib.ExitStack() as all_the_time:
        with contextlib.ExitStack() as as_long_as_it_stays:
            count(as_long_as_it_stays, stays)
            count(as_long_as_it_stays, stays, 20)
            old.remove(stays)
            for number in (6, 7, 8, 9):
                leader = five.wait_leader()
                leaders += leader in old
                gone = leader if leader in old else old[0]
                old.remove(gone)
                count(all_the_time, replace(five, gone, number))
            assert leaders and five.nodes[0] is stays
        replace(five, stays, 10)
    assert sorted(members(five.wait_leader())) == [6, 7, 8, 9, 10]
    assert voters(five.leader()) == [6, 7, 8, 9, 10]
    for counter in counters:
        assert int(five.leader().call("GET", counter.name)) == counter.count
    five.wait_equal()
