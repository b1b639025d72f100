"""Leadership goes to another node because somebody asks for it. Whether that was the leader's doing shows in the
counters of who leads then: an election that a leader asked for has no PreVote before it."""
import contextlib

import pytest

from cluster import PATIENCE, Cluster
from resp import Error
from test_changes import PATIENT, Counter, new_node
from test_membership import silence_ms
from waiting import wait_for


@pytest.fixture
def fresh():
    with Cluster("handover", **PATIENT) as one:
        yield one


@pytest.fixture(scope="module")
def shared():
    with Cluster("handover", **PATIENT) as one:
        yield one


@pytest.fixture
def cluster(shared):
    """Three nodes that live and are empty. The tests that share them change no members and leave a leader in office:
    then nobody has to wait for an election."""
    for node in shared.nodes:
        if not node.running:
            node.start()
    wait_for(lambda: shared.wait_leader().call("FLUSHALL") == "OK", what="a write")
    shared.wait_equal()
    return shared


def counters(node):
    raft = node.raft()
    return int(raft["raft_prevotes_started"]), int(raft["raft_elections_started"])


@contextlib.contextmanager
def asked_for(cluster, *nodes):
    """One of the nodes is elected, in one election, at the leader's word."""
    before = {node.id: counters(node) for node in nodes}
    yield
    leader = cluster.wait_leader()
    assert leader in nodes, f"node {leader.id} leads"
    prevotes, elections = before[leader.id]
    assert counters(leader) == (prevotes, elections + 1)


def writable(cluster):
    leader = cluster.wait_leader()
    wait_for(lambda: leader.call("SET", "k", "v") == "OK", what="a write")
    return leader


def hand_over(cluster, target):
    """A disk that stands still for an election timeout ends one attempt; the next one may do."""
    def done():
        leader = cluster.wait_leader()
        reply = leader.call("RAFT.TRANSFER_LEADER", str(target.id)) if leader is not target else "OK"
        assert reply == "OK" or "did not catch up" in str(reply) or "not been heard of" in str(reply), reply
        return reply == "OK"
    wait_for(done, 60 * PATIENCE, f"node {target.id} leads")


def assert_error(reply, why):
    assert isinstance(reply, Error) and why in str(reply), reply


def test_leadership_goes_to_the_named_voter(cluster):
    leader = writable(cluster)
    for target in cluster.followers():
        with asked_for(cluster, target):
            hand_over(cluster, target)
            assert target.says_leader()
    assert not leader.says_leader()


def test_without_a_name_leadership_goes_to_any_voter(cluster):
    leader = writable(cluster)
    with asked_for(cluster, *cluster.followers()):
        assert leader.call("RAFT.TRANSFER_LEADER") == "OK"


def test_writes_during_a_transfer_are_neither_lost_nor_refused(cluster):
    leader = writable(cluster)
    target = cluster.followers()[0]
    with leader.connect() as connection:
        for number in range(100):
            connection.send("APPEND", "text", f"{number},")
        hand_over(cluster, target)
        replies = [connection.read() for _ in range(100)]
    assert not [reply for reply in replies if isinstance(reply, Error)], replies
    expected = "".join(f"{number}," for number in range(100)).encode()
    assert wait_for(lambda: target.call("GET", "text"), what="a read") == expected


def test_what_cannot_lead_is_refused_with_the_reason(fresh):
    leader = writable(fresh)
    follower, dead = fresh.followers()
    fourth = new_node(fresh, 4)
    assert leader.call("RAFT.NODE", "ADD", "4", fourth.address) == "OK"
    assert_error(leader.call("RAFT.TRANSFER_LEADER", str(leader.id)), "leads already")
    assert_error(leader.call("RAFT.TRANSFER_LEADER", "9"), "node 9 is no member")
    assert_error(leader.call("RAFT.TRANSFER_LEADER", "4"), "node 4 has no vote")
    for id in ("0", "-1", "two", "99999999999999999999999"):
        assert_error(leader.call("RAFT.TRANSFER_LEADER", id), "a number of 1 or more")
    assert_error(leader.call("RAFT.TRANSFER_LEADER", "1", "2"), "wrong number of arguments")
    assert str(follower.call("RAFT.TRANSFER_LEADER")) == f"MOVED 0 {leader.address}"
    dead.kill()
    wait_for(lambda: silence_ms(leader, dead) > 3000, what="the dead node's silence")
    assert_error(leader.call("RAFT.TRANSFER_LEADER", str(dead.id)), "has not been heard of")
    assert leader.says_leader() and leader.call("SET", "k", "w") == "OK"


def test_nobody_leads_a_cluster_of_one_instead():
    with Cluster("alone", size=1) as one:
        leader = writable(one)
        assert_error(leader.call("RAFT.TRANSFER_LEADER"), "no other voter can lead")
        assert leader.call("SET", "k", "v") == "OK"


def test_a_target_that_does_not_catch_up_leaves_the_leader_in_place(fresh):
    leader = writable(fresh)
    target, other = fresh.followers()
    target.pause()
    assert leader.call("SET", "k", "w") == "OK"
    reply = leader.call("RAFT.TRANSFER_LEADER", str(target.id))  # it may be taken for dead by now
    assert isinstance(reply, Error) and ("did not catch up" in str(reply) or "not been heard of" in str(reply)), reply
    assert leader.says_leader() and leader.call("SET", "k", "x") == "OK"
    target.resume()


def test_cluster_failover_makes_a_follower_the_leader(cluster):
    writable(cluster)
    for target in cluster.followers():
        with asked_for(cluster, target):
            assert target.call("CLUSTER", "FAILOVER") == "OK"
            assert target.call("ROLE")[0] == b"master"


def test_cluster_failover_is_refused_with_the_reason(fresh):
    leader = writable(fresh)
    follower = fresh.followers()[0]
    assert_error(leader.call("CLUSTER", "FAILOVER"), "You should send CLUSTER FAILOVER to a replica")
    for option in ("FORCE", "takeover"):
        assert_error(follower.call("CLUSTER", "FAILOVER", option), "takes neither FORCE nor TAKEOVER")
    assert_error(follower.call("CLUSTER", "FAILOVER", "now"), "syntax error")
    assert_error(follower.call("CLUSTER", "FAILOVER", "FORCE", "FORCE"), "syntax error")
    assert leader.call("RAFT.NODE", "DEMOTE", str(follower.id)) == "OK"
    wait_for(lambda: follower.raft()["raft_is_voting"] == "no", what="the learner knows that it is one")
    assert_error(follower.call("CLUSTER", "FAILOVER"), "has no vote")
    assert leader.says_leader()


def sigterm(node):
    assert node.stop() == 0, node.tail()


def shutdown(node):
    with node.connect() as connection:
        connection.send("SHUTDOWN")
        connection.read_to_end()
    assert node.wait_exit() == 0, node.tail()


def shutdown_now(node):
    with node.connect() as connection:
        connection.send("SHUTDOWN", "NOW")
        connection.read_to_end()
    assert node.wait_exit() == 0, node.tail()


@pytest.mark.parametrize("end", [sigterm, shutdown, shutdown_now])
def test_a_leader_that_shuts_down_hands_over_first(cluster, end):
    leader = writable(cluster)
    cluster.wait_equal()
    with asked_for(cluster, *cluster.followers()):
        end(leader)
    assert cluster.leader().call("SET", "k", "w") == "OK"


@pytest.mark.parametrize("end", [sigterm, shutdown])
def test_the_new_leader_is_there_before_the_old_one_ends(cluster, end):
    leader = writable(cluster)
    term = int(leader.raft()["raft_current_term"])
    end(leader)
    lines = leader.log.read_text().splitlines()
    known = [number for number, line in enumerate(lines)
             if f"follower in term {term + 1}, leader " in line and not line.endswith("leader 0")]
    assert known and known[0] < len(lines) - 1 and lines[-1].endswith("bye"), lines[-10:]


def test_with_one_of_three_dead_a_leader_that_shuts_down_votes_for_its_successor(fresh):
    leader = writable(fresh)
    dead, successor = fresh.followers()
    dead.kill()
    with leader.connect() as connection:
        assert connection.call("SET", "k", "w") == "OK"
    term = int(leader.raft()["raft_current_term"])
    sigterm(leader)
    assert f"leader in term {term + 1}, leader {successor.id}" in successor.tail(200)


def test_a_follower_that_shuts_down_leaves_the_leader_alone(cluster):
    leader = writable(cluster)
    term = leader.raft()["raft_current_term"]
    sigterm(cluster.followers()[0])
    assert leader.call("SET", "k", "w") == "OK"
    assert leader.raft()["raft_current_term"] == term


def test_a_leader_that_nobody_can_follow_ends_all_the_same(fresh):
    leader = writable(fresh)
    for follower in fresh.followers():
        follower.kill()
    sigterm(leader)
    with Cluster("alone", size=1) as one:
        sigterm(writable(one))


def test_clients_of_other_nodes_see_no_error_when_the_leader_shuts_down(cluster):
    leader = writable(cluster)
    follower = cluster.followers()[0]
    with follower.connect() as connection:
        assert connection.call("INCR", "n") == 1
        for _ in range(200):
            connection.send("INCR", "n")
        sigterm(leader)
        for _ in range(200):
            connection.send("INCR", "n")
        assert [connection.read() for _ in range(400)] == list(range(2, 402))


@pytest.mark.parametrize("subcommand", ["REMOVE", "DEMOTE"])
def test_a_leader_that_leaves_hands_over(fresh, subcommand):
    leader = writable(fresh)
    staying = fresh.followers()
    fresh.wait_equal()
    with Counter(staying[0], "n"), asked_for(fresh, *staying):
        assert leader.call("RAFT.NODE", subcommand, str(leader.id)) == "OK"
        wait_for(lambda: not leader.says_leader(), what="the leader that left is none")


def test_a_client_that_asked_hears_of_the_failover_before_its_reply(fresh):
    """CLIENT MAINT_NOTIFICATIONS: libraries give requests more time while a failover goes on."""
    leader = writable(fresh)
    with fresh.followers()[0].connect() as client:
        assert client.call("HELLO", "3")[b"proto"] == 3
        assert client.call("CLIENT", "MAINT_NOTIFICATIONS", "ON", "moving-endpoint-type", "none") == "OK"
        leader.kill()
        name, number, seconds = client.read()
        assert name == b"FAILING_OVER" and seconds * 1000 > Cluster.DEFAULTS["leader-wait-ms"]
        client.send("INCR", "told")
        said = [client.read(), client.read()]
        assert [b"FAILED_OVER", number + 1] in said and 1 in said, said
