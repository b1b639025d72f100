"""Who belongs to a running cluster, and how that changes."""
import contextlib
import shutil
import time

import pytest

from resp import Error
from waiting import wait_for


@pytest.fixture
def cluster():
    from cluster import Cluster
    with Cluster("membership") as one:
        yield one


def members(node):
    """By id, as this node knows them."""
    listed = {}
    for fields in node.call("RAFT.NODE", "LIST"):
        pairs = dict(zip(fields[::2], fields[1::2]))
        listed[pairs[b"id"]] = {key.decode(): value for key, value in pairs.items()}
    return listed


def silence_ms(leader, node):
    for name, value in leader.raft().items():
        fields = dict(pair.split("=", 1) for pair in value.split(",") if "=" in pair)
        if name.startswith("raft_node") and fields.get("id") == str(node.id):
            return int(fields["last_contact_ms"])
    raise AssertionError(f"the leader does not know node {node.id}")


def assert_refused(node, why, *args):
    reply = node.call("RAFT.NODE", *args)
    assert isinstance(reply, Error) and why in str(reply), reply


def test_every_node_lists_the_members(cluster):
    cluster.wait_leader()
    for node in cluster.nodes:
        listed = members(node)
        assert sorted(listed) == [1, 2, 3]
        for other in cluster.nodes:
            assert listed[other.id]["address"].decode() == other.address
            assert listed[other.id]["state"] == b"voter"
            assert int(listed[other.id]["incarnation"], 16) != 0
        assert listed[node.id]["link"] == b"self"


def test_a_node_that_does_not_lead_names_the_leader(cluster):
    leader = cluster.wait_leader()
    for follower in cluster.followers():
        reply = follower.call("RAFT.NODE", "REMOVE", "3")
        assert str(reply) == f"MOVED 0 {leader.address}"


def test_what_makes_no_sense_is_refused_with_the_reason(cluster):
    leader = cluster.wait_leader()
    wait_for(lambda: leader.call("SET", "k", "v") == "OK", what="a write")
    assert_refused(leader, "is a member already", "ADD", "2", "127.0.0.1:1234")
    assert_refused(leader, "host:port", "ADD", "4", "somewhere")
    assert_refused(leader, "a number", "ADD", "four", "127.0.0.1:1234")
    assert_refused(leader, "has the address", "ADD", "4", cluster.nodes[0].address)
    assert_refused(leader, "is no member", "REMOVE", "9")
    assert_refused(leader, "is no member", "ADDRESS", "9", "127.0.0.1:1234")
    assert sorted(members(leader)) == [1, 2, 3]


def test_a_removed_follower_is_gone_when_that_is_answered(cluster):
    leader = cluster.wait_leader()
    wait_for(lambda: leader.call("SET", "k", "v") == "OK", what="a write")
    gone = cluster.followers()[0]
    assert leader.call("RAFT.NODE", "REMOVE", str(gone.id)) == "OK"
    assert sorted(members(leader)) == sorted({1, 2, 3} - {gone.id})
    gone.kill()
    assert leader.call("SET", "k", "w") == "OK"


def test_a_voter_among_dead_ones_is_not_removed(cluster):
    leader = cluster.wait_leader()
    wait_for(lambda: leader.call("SET", "k", "v") == "OK", what="a write")
    dead, alive = cluster.followers()
    dead.kill()
    wait_for(lambda: silence_ms(leader, dead) > 3000, what="the dead node's silence")
    assert_refused(leader, "have not been heard of", "REMOVE", str(alive.id))
    assert leader.call("SET", "k", "w") == "OK"


def test_a_change_that_cannot_be_committed_is_not_reported_as_done(cluster):
    leader = cluster.wait_leader()
    wait_for(lambda: leader.call("SET", "k", "v") == "OK", what="a write")
    followers = cluster.followers()
    for follower in followers:
        follower.pause()
    with leader.connect(timeout=30) as connection:
        reply = str(connection.call("RAFT.NODE", "ADDRESS", "2", "127.0.0.1:1234"))
    assert reply.startswith("UNKNOWN") and "may still take effect" in reply, reply
    for follower in followers:
        follower.resume()


def incarnation(leader, node):
    return members(leader)[node.id]["incarnation"]


def wipe(node):
    """A new disk in the place of the old one."""
    shutil.rmtree(node.data)
    node.data.mkdir()


def fill(cluster, count=200):
    leader = cluster.wait_leader()
    with leader.connect() as connection:
        for i in range(count):
            assert connection.call("SET", f"key-{i}", f"value-{i}") == "OK"
    return leader


def assert_filled(cluster, count=200):
    leader = cluster.wait_leader()
    with leader.connect() as connection:
        for i in range(count):
            assert connection.call("GET", f"key-{i}") == f"value-{i}".encode()


def test_a_node_that_lost_its_disk_is_taken_in_by_itself(cluster):
    leader = fill(cluster)
    lost = cluster.followers()[0]
    before = incarnation(leader, lost)
    lost.kill()
    wipe(lost)
    lost.start()
    leader = cluster.wait_leader()
    wait_for(lambda: incarnation(leader, lost) != before and members(leader)[lost.id]["state"] == b"voter",
             what="a voter with a new incarnation")
    cluster.wait_equal()
    # From here on it counts: the other follower is not needed any more.
    other = next(node for node in cluster.nodes if node not in (leader, lost))
    other.kill()
    assert leader.call("SET", "k", "v") == "OK"
    other.start()
    assert_filled(cluster)


def test_a_wiped_node_elects_nobody_who_lacks_what_was_acknowledged(cluster):
    leader = cluster.wait_leader()
    lagging, holder = cluster.followers()
    lagging.kill()
    leader = fill(cluster)
    for node in (leader, holder):
        node.kill()
    wipe(holder)
    holder.start(wait=False)
    lagging.start(wait=False)
    time.sleep(3)
    assert not cluster.leader()
    leader.start(wait=False)
    assert_filled(cluster)


def test_with_two_of_three_disks_lost_nothing_happens_by_itself(cluster):
    leader = fill(cluster)
    lost = cluster.followers()
    for node in lost:
        node.kill()
        wipe(node)
    for node in lost:
        node.start(wait=False)
    time.sleep(3)
    assert not cluster.leader()
    with contextlib.ExitStack() as stack:  # each waits for a leader, all of them at the same time
        connections = [stack.enter_context(node.connect()) for node in cluster.nodes]
        for connection in connections:
            connection.send("SET", "k", "v")
        for connection in connections:
            assert isinstance(connection.read(), Error)
    assert len(members(leader)) == 3


def state_of(leader, node):
    member = members(leader).get(node.id)
    return member and member["state"].decode()


def promote(leader, node):
    """An even number of voters has to be asked for."""
    wait_for(lambda: leader.call("RAFT.NODE", "PROMOTE", str(node.id)) == "OK", what=f"node {node.id} is a voter")
    assert state_of(leader, node) == "voter"


def test_a_fourth_node_joins_and_votes(cluster):
    from cluster import Node
    leader = fill(cluster)
    fourth = Node(cluster, 4, cluster.ports.take())
    assert leader.call("RAFT.NODE", "ADD", "4", fourth.address) == "OK"
    assert state_of(leader, fourth) == "spare"
    cluster.nodes.append(fourth)
    cluster.write_config(fourth)
    fourth.start()
    promote(leader, fourth)
    cluster.wait_equal()
    for node in cluster.nodes:
        assert sorted(members(node)) == [1, 2, 3, 4]
    # Three of four are needed now, and it is one of them.
    next(node for node in cluster.nodes[:3] if node is not leader).kill()
    assert leader.call("SET", "k", "v") == "OK"
    assert_filled(cluster)


def test_a_node_that_moved_is_found_at_its_new_address(cluster):
    leader = fill(cluster)
    moved = cluster.followers()[0]
    port = cluster.ports.take()
    assert leader.call("RAFT.NODE", "ADDRESS", str(moved.id), f"127.0.0.1:{port}") == "OK"
    # Its own log has to name the address before it can start there: a membership is in force before it is on the disk.
    last = int(leader.raft()["raft_last_log_index"])
    wait_for(lambda: int(moved.raft()["raft_durable_index"]) >= last, what="the entry on the disk")
    assert members(moved)[moved.id]["address"].decode() == f"127.0.0.1:{port}"
    moved.kill()
    moved.port = port
    cluster.write_config(moved)
    moved.start()
    cluster.wait_equal()
    other = next(node for node in cluster.nodes if node not in (leader, moved))
    other.kill()
    assert leader.call("SET", "k", "v") == "OK"


def copy_files(source, target):
    """Into the same folders: nothing but the files' contents tells that they are older."""
    for old in [path for path in target.rglob("*") if path.is_file()]:
        if not (source / old.relative_to(target)).exists():
            old.unlink()
    for path in [path for path in source.rglob("*") if path.is_file()]:
        (target / path.relative_to(source)).write_bytes(path.read_bytes())


def set_back(cluster, node):
    """To what it was before more was written; it is a voter again at the end."""
    leader = cluster.wait_leader()
    before = incarnation(leader, node)
    node.kill()
    copy = cluster.dir / "copy"
    shutil.copytree(node.data, copy)
    node.start()
    leader = fill(cluster)
    cluster.wait_equal()
    node.kill()
    copy_files(copy, node.data)
    node.start()
    wait_for(lambda: incarnation(leader, node) != before and members(leader)[node.id]["state"] == b"voter",
             what="a voter with a new incarnation")


def test_a_folder_set_back_under_a_living_leader_begins_anew(cluster):
    fill(cluster, 50)
    cluster.wait_equal()
    restored = cluster.followers()[0]
    set_back(cluster, restored)
    assert "less than this node acknowledged" in restored.tail(200)
    cluster.wait_equal()
    assert_filled(cluster)


def test_a_node_that_began_anew_says_who_it_is(cluster):
    """An empty node hears of the cluster from it alone."""
    leader = fill(cluster, 50)
    cluster.wait_equal()
    restored, other = cluster.followers()
    set_back(cluster, restored)
    leader.pause()
    other.kill()
    wipe(other)
    other.start()
    wait_for(lambda: "has begun without this node" in other.tail(200), what="the empty node hears of the cluster")
    leader.resume()
    cluster.wait_equal()
    assert_filled(cluster)


@pytest.mark.parametrize("wiped", [False, True])
def test_a_node_that_was_away_hears_a_leader_that_was_added_meanwhile(cluster, wiped):
    from cluster import Node
    leader = fill(cluster)
    away = cluster.followers()[0]
    away.kill()
    fourth = Node(cluster, 4, cluster.ports.take())
    assert leader.call("RAFT.NODE", "ADD", "4", fourth.address) == "OK"
    cluster.nodes.append(fourth)
    cluster.write_config(fourth)
    fourth.start()
    promote(leader, fourth)
    for _ in range(20):
        if leader is fourth:
            break
        leader.kill()
        leader.start()
        leader = cluster.wait_leader()
    if wiped:
        wipe(away)
    away.start()  # its list and its log name three nodes
    wait_for(lambda: "raft_last_applied_index" in away.raft(), what="the node that was away knows the cluster")
    cluster.wait_equal()
    wait_for(lambda: state_of(leader, away) == "voter", what="the node that was away is a voter")
    assert_filled(cluster)


def test_a_folder_set_back_after_the_leaders_death_begins_anew(cluster):
    leader = fill(cluster, 50)
    cluster.wait_equal()
    restored = cluster.followers()[0]
    before = incarnation(leader, restored)
    restored.kill()
    copy = cluster.dir / "copy"
    shutil.copytree(restored.data, copy)
    restored.start()
    leader = fill(cluster)
    assert leader is not restored
    witness = next(node for node in cluster.nodes if node not in (leader, restored))
    cluster.wait_equal()
    time.sleep(2)  # the others hear what each has acknowledged
    leader.kill()
    restored.kill()
    copy_files(copy, restored.data)
    restored.start()
    wait_for(lambda: "less than this node acknowledged" in restored.tail(200), what="a new incarnation")
    leader.start()
    wait_for(lambda: incarnation(witness, restored) != before and members(witness)[restored.id]["state"] == b"voter",
             what="a voter with a new incarnation")
    cluster.wait_equal()
    assert_filled(cluster)
