"""Nodes that know only addresses: they found one cluster, or join the one that is there."""
import contextlib
import random
import re
import shutil
import socket
import subprocess
import threading

import pytest

from cases import first_and_long
from cluster import PATIENCE, TOOLS, run_server
from peer import Peer, Refused
from resp import Closed, Error
from waiting import wait_for

NO_CLUSTER = "0" * 40


def cluster_id(node):
    """None: it belongs to none yet."""
    with contextlib.suppress(OSError, Closed):
        raft = node.raft()
        if raft["raft_state"] == "up":
            return raft["raft_dbid"]
    return None


def members(node):
    """As the node knows them, by id."""
    listed = node.call("RAFT.NODE", "LIST")
    assert not isinstance(listed, Error), listed
    pairs = [dict(zip(member[::2], member[1::2])) for member in listed]
    return {member[b"id"]: {key.decode(): value.decode() if isinstance(value, bytes) else value
                            for key, value in member.items()} for member in pairs}


def absence(node):
    """For what an empty node waits, as its clients see it."""
    reply = node.call("GET", "k")
    return str(reply) if isinstance(reply, Error) else ""


def wait_says(node, part, timeout=15):
    wait_for(lambda: part in absence(node) or None, timeout * PATIENCE, f"it waits: {part}; {absence(node)}")


def wait_logs(node, part, timeout=15):
    wait_for(lambda: part in node.tail(1000), timeout * PATIENCE, f"the log says: {part}")


def wait_one_cluster(nodes, timeout=30):
    """All of them serve, and belong to the same cluster."""
    ids = wait_for(lambda: all(ids := [cluster_id(node) for node in nodes]) and ids, timeout * PATIENCE,
                   "all nodes belong to a cluster")
    assert len(set(ids)) == 1, ids
    return ids[0]


def own_entry(node):
    """What the node knows of itself as a member; empty as long as it knows nothing."""
    with contextlib.suppress(AssertionError):
        return members(node).get(int(node.raft()["raft_node_id"]), {})
    return {}


def wait_member(node, state, timeout=20):
    def is_member():
        entry = own_entry(node)
        return entry.get("state") == state and entry["id"]
    return wait_for(is_member, timeout * PATIENCE, f"node {node.id} is a {state}")


def wipe(node):
    node.kill()
    shutil.rmtree(node.data)
    node.data.mkdir()


@pytest.fixture
def seeds(make_cluster):
    def make(start=False, **options):
        return make_cluster(start=start, seeds=True, **options)
    return make


# --- founding ---


@pytest.mark.parametrize("order", first_and_long([[0, 1, 2], [1, 0, 2], [2, 0, 1]]))
def test_three_fresh_nodes_with_nothing_but_seeds_become_one_cluster(seeds, order):
    cluster = seeds()
    for at in order:
        cluster.nodes[at].start()
    wait_one_cluster(cluster.nodes)
    leader = cluster.wait_leader()
    assert leader.call("SET", "k", "v") == "OK"
    cluster.wait_equal()
    by_id = members(leader)
    assert sorted(by_id) == [1, 2, 3]
    assert {member["state"] for member in by_id.values()} == {"voter"}
    listed = [member["address"] for _, member in sorted(by_id.items())]
    assert listed == sorted(node.address for node in cluster.nodes)
    for node in cluster.nodes:  # what was given stays
        own = node.raft()["raft_node_id"]
        node.kill()
        node.start()
        assert node.raft()["raft_node_id"] == own
    cluster.wait_leader()
    cluster.wait_equal()


def test_two_of_three_wait_and_say_for_whom(seeds):
    cluster = seeds()
    one, two, three = cluster.nodes
    one.start()
    two.start()
    expected = f"waiting for seed {three.address}, which cannot be reached: Connection refused"
    for node in (one, two):
        wait_says(node, expected)
        wait_logs(node, expected)
        raft = node.raft()
        assert raft["raft_begin"] == "empty" and raft["raft_node_id"] == "0" and raft["raft_seeds"] == "3"
        assert raft["raft_seed_addresses_reached"] == "2"
        assert isinstance(node.call("CLUSTER", "MYID"), Error)
        assert b"cluster_state:fail" in node.call("CLUSTER", "INFO")
        assert node.call("PING") == "PONG"
    wipe(one)  # neither does it help that one is empty again
    one.start()
    wait_says(one, expected)
    three.start()
    wait_one_cluster(cluster.nodes)


def test_fewer_and_more_than_expected_do_not_begin(seeds):
    cluster = seeds(size=4, raft_bootstrap_expect=3)
    one, two, three, four = cluster.nodes
    for node in (one, two, three):
        cluster.write_config(node, cluster_seeds=cluster.seeds_of([one, two, three]))
    four.start()
    one.start()
    two.start()
    # Four knows all of the others, and makes itself known to those that know three.
    wait_says(one, f"waiting for seed {three.address}")
    three.start()
    for node in cluster.nodes:
        wait_says(node, "waiting for fewer empty nodes: raft-bootstrap-expect is 3, and here are 4:")
    wipe(four)
    wait_one_cluster([one, two, three])
    four.start()  # and it joins
    wait_one_cluster(cluster.nodes)
    wait_member(four, "spare")
    assert sorted(members(four)) == [1, 2, 3, 4]


def test_seed_lists_that_overlap_make_one_cluster(seeds):
    cluster = seeds()
    one, two, three = cluster.nodes
    cluster.write_config(one, cluster_seeds=cluster.seeds_of([one, two]))
    cluster.write_config(two, cluster_seeds=cluster.seeds_of([three]))
    cluster.write_config(three, cluster_seeds=cluster.seeds_of([two, three]))
    for node in cluster.nodes:
        node.start()
    wait_one_cluster(cluster.nodes)
    assert sorted(members(one)) == [1, 2, 3]


def test_the_first_node_needs_no_seeds(seeds):
    cluster = seeds()
    one, two, three = cluster.nodes
    cluster.write_config(one, cluster_seeds='""')
    for node in (two, three):
        cluster.write_config(node, cluster_seeds=cluster.seeds_of([one]))
    one.start()
    wait_says(one, "waiting for RAFT.CLUSTER INIT or JOIN, or for another node that calls")
    two.start()
    wait_says(two, f"raft-bootstrap-expect is 3, and here are 2: ")
    three.start()
    wait_one_cluster(cluster.nodes)


def test_nodes_that_are_killed_while_they_found_become_one_cluster(seeds):
    cluster = seeds()
    chance = random.Random(7)
    for _ in range(12):
        for node in cluster.nodes:
            if not node.running:
                node.start(wait=False)
        victim = chance.choice(cluster.nodes)
        until = chance.random() * 0.5
        with contextlib.suppress(AssertionError):
            wait_for(lambda: False, until)  # any moment
        victim.kill()
    for node in cluster.nodes:
        if not node.running:
            node.start(wait=False)
    wait_one_cluster(cluster.nodes)
    cluster.wait_leader()
    cluster.wait_equal()


@pytest.mark.parametrize("pair", first_and_long([[0, 1], [0, 2], [1, 2]]))
def test_a_cut_between_any_two_founders_delays_the_begin(seeds, pair):
    cluster = seeds(links=True)
    some, other = (cluster.nodes[at] for at in pair)
    cluster.proxy.cut(cluster.links_between([some], [other]))
    for node in cluster.nodes:
        node.start()
    for node in (some, other):
        wait_logs(node, "the cluster has not begun: waiting for seed")
        assert node.raft()["raft_begin"] == "empty"
    cluster.heal()
    wait_one_cluster(cluster.nodes)


def test_a_founder_that_loses_its_disk_after_the_begin_comes_back_under_its_id(seeds):
    cluster = seeds()
    for node in cluster.nodes:
        node.start()
    before = wait_one_cluster(cluster.nodes)
    assert cluster.wait_leader().call("SET", "k", "v") == "OK"
    node = cluster.followers()[0]
    own = node.raft()["raft_node_id"]
    wipe(node)
    node.start()
    assert wait_one_cluster(cluster.nodes) == before
    assert node.raft()["raft_node_id"] == own
    wait_member(node, "voter")
    assert sorted(members(node)) == [1, 2, 3]
    cluster.wait_equal()


def test_wiped_nodes_do_not_found_anew_beside_one_that_has_history(seeds):
    cluster = seeds()
    for node in cluster.nodes:
        node.start()
    before = wait_one_cluster(cluster.nodes)
    one, two, three = cluster.nodes
    fresh = cluster.add_node(raft_bootstrap_expect=3)
    for node in (one, two):
        wipe(node)
    for node in (one, two, fresh):  # three empty nodes, and a seed that is not
        node.start()
    for node in (one, two, fresh):
        wait_says(node, f"waiting for the leader of cluster {before}")
        assert node.raft()["raft_begin"] == "empty"


def test_a_wish_for_an_id_is_granted(seeds):
    cluster = seeds()
    one, two, three = cluster.nodes
    cluster.write_config(one, node_id=7)
    cluster.write_config(two, node_id=2)
    for node in cluster.nodes:
        node.start()
    wait_one_cluster(cluster.nodes)
    assert [node.raft()["raft_node_id"] for node in cluster.nodes] == ["7", "2", "1"]
    one.kill()
    status, text = run_server(one.config, "--node-id", "8", cwd=one.dir)
    assert status == 1 and "belongs to node 7, node-id is 8" in text
    cluster.write_config(one)  # the folder knows it
    one.start()
    assert one.raft()["raft_node_id"] == "7"


def test_two_wishes_for_one_id_are_said_and_wait(seeds):
    cluster = seeds(node_id=5)
    for node in cluster.nodes:
        node.start()
    wait_says(cluster.nodes[0], "two of the empty nodes have the same node-id")


@pytest.mark.parametrize("kind", ["expect", "id", "secret"])
def test_founders_that_differ_wait_and_say_so(seeds, kind):
    cluster = seeds()
    one, two, three = cluster.nodes
    more = {"expect": {"raft_bootstrap_expect": 2}, "id": {"cluster_id": "a" * 40},
            "secret": {"cluster_secret": '"another secret that is long enough to be one"'}}[kind]
    said = {"expect": "whose raft-bootstrap-expect is 2 and not 3", "id": "whose cluster-id differs from this node's",
            "secret": "wrong cluster-secret"}[kind]
    cluster.write_config(three, **more)
    for node in cluster.nodes:
        node.start()
    wait_says(one, said)
    assert all(node.raft()["raft_begin"] == "empty" for node in cluster.nodes)
    three.kill()
    cluster.write_config(three)
    three.start()
    wait_one_cluster(cluster.nodes)


# --- joining ---


@pytest.fixture
def running(seeds):
    cluster = seeds()
    for node in cluster.nodes:
        node.start()
    wait_one_cluster(cluster.nodes)
    cluster.wait_leader()
    return cluster


def test_a_fresh_node_joins_and_votes_when_it_is_wanted(running):
    assert running.wait_leader().call("SET", "k", "v") == "OK"
    four = running.add_node(cluster_seeds=running.seeds_of(running.nodes[:1])).start()
    wait_one_cluster(running.nodes)
    wait_member(four, "spare")  # three of five voters, and a fourth would make it even
    assert members(four)[4]["address"] == four.address
    five = running.add_node(cluster_seeds=running.seeds_of([four])).start()
    wait_member(five, "voter")
    wait_member(four, "voter")
    running.wait_equal()
    assert sum(int(node.raft()["raft_nodes_joined"]) for node in running.nodes) == 2


def test_a_node_that_dies_while_it_joins_becomes_one_member(running):
    four = running.add_node()
    chance = random.Random(11)
    for _ in range(8):
        four.start(wait=False)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: False, chance.random() * 0.4)
        four.kill()
    four.start()
    wait_one_cluster(running.nodes)
    wait_member(four, "spare")
    assert sorted(members(four)) == [1, 2, 3, 4]
    wipe(four)  # and neither does a lost disk make a second one
    four.start()
    wait_one_cluster(running.nodes)
    assert wait_for(lambda: four.raft()["raft_node_id"] == "4", 10 * PATIENCE)
    wait_for(lambda: own_entry(four).get("incarnation") == f"{four.incarnation:x}", 15 * PATIENCE, "it is taken in anew")
    assert sorted(members(four)) == [1, 2, 3, 4]


def test_an_id_that_was_removed_is_not_given_again(running):
    four = running.add_node().start()
    wait_member(four, "spare")
    assert running.wait_leader().call("RAFT.NODE", "REMOVE", "4") == "OK"
    four.kill()
    five = running.add_node().start()
    wait_member(five, "spare")
    assert five.raft()["raft_node_id"] == "5"


def test_an_id_in_use_is_refused(running):
    four = running.add_node(node_id=2).start()
    wait_says(four, "it refuses: node-id 2 is in use, by the node at ")
    leader = running.wait_leader()
    wait_logs(leader, f"the node at {four.address} is not taken in: node-id 2 is in use")
    assert int(leader.raft()["raft_joins_refused"]) > 0
    assert sorted(members(leader)) == [1, 2, 3]


def test_an_address_in_use_is_refused(running):
    leader = running.wait_leader()
    other = running.followers()[0]
    four = running.add_node(cluster_announce_ip="127.0.0.1", cluster_announce_port=other.port).start()
    wait_says(four, "is alive at that address")
    assert sorted(members(leader)) == [1, 2, 3]


def test_a_new_leader_gives_away_no_place_before_the_member_had_time_to_answer(seeds):
    cluster = seeds(raft_election_timeout_ms=5000)
    for node in cluster.nodes:
        node.start()
    wait_one_cluster(cluster.nodes)
    leader = cluster.wait_leader()
    next_leader, silent = cluster.followers()
    four = cluster.add_node(cluster_seeds=cluster.seeds_of([leader, next_leader]),
                            cluster_announce_ip="127.0.0.1", cluster_announce_port=silent.port).start()
    wait_says(four, "is alive at that address")
    next_id = next_leader.raft()["raft_node_id"]
    silent.pause()
    assert leader.call("RAFT.TRANSFER_LEADER", next_id) == "OK"
    wait_for(lambda: int(next_leader.raft()["raft_joins_refused"]) > 0, 15 * PATIENCE, "the new leader refuses it too")
    silent.resume()
    assert four.raft()["raft_begin"] == "empty"
    assert sorted(members(cluster.wait_leader())) == [1, 2, 3]


def test_a_joiner_of_another_cluster_is_refused(running, seeds):
    node = running.add_node(cluster_id="b" * 40).start()
    wait_says(node, f"belongs to cluster {running.nodes[0].raft()['raft_dbid']}, which this node cannot join")
    others = seeds(size=1)
    others.nodes[0].start()
    wait_one_cluster(others.nodes)
    between = running.add_node(cluster_seeds=running.seeds_of([running.nodes[0], others.nodes[0]])).start()
    wait_says(between, "its seeds belong to different clusters")
    for leader in (running.wait_leader(), others.nodes[0]):  # and neither keeps a member that never comes
        assert between.address not in addresses(leader)


def test_a_joiner_without_the_secret_is_refused(running):
    four = running.add_node(cluster_secret='"another secret that is long enough to be one"').start()
    wait_says(four, "wrong cluster-secret")
    assert int(four.raft()["raft_seeds_refused"]) > 0
    assert any(int(node.raft()["peer_handshakes_refused"]) > 0 for node in running.nodes)
    assert sorted(members(running.wait_leader())) == [1, 2, 3]


def test_a_seed_that_is_a_redis_server_is_named(seeds):
    if not shutil.which("redis-server"):
        pytest.skip("there is no redis-server")
    cluster = seeds(size=1)
    port = cluster.ports.take()
    redis = subprocess.Popen(["redis-server", "--port", str(port), "--save", "", "--dir", str(cluster.dir)],
                             stdout=subprocess.DEVNULL)
    try:
        node = cluster.nodes[0]
        cluster.write_config(node, cluster_seeds=f"127.0.0.1:{port}")
        node.start()
        wait_says(node, f"waiting for seed 127.0.0.1:{port}, which is no node of Flotilla: it answers as a Redis")
        assert int(node.raft()["raft_seeds_refused"]) > 0
    finally:
        redis.kill()
        redis.wait()


def test_a_seed_that_talks_nonsense_does_no_harm(seeds):
    cluster = seeds(size=1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ends = threading.Event()

        def babble():
            listener.settimeout(0.1)
            while not ends.is_set():
                with contextlib.suppress(OSError):
                    taken, _ = listener.accept()
                    with taken:
                        taken.sendall(b"*4\r\n$14\r\nRAFT.CHALLENGE\r\n$1\r\nx\r\n" + b"\xff" * 4000)
        thread = threading.Thread(target=babble)
        thread.start()
        try:
            node = cluster.nodes[0]
            port = listener.getsockname()[1]
            cluster.write_config(node, cluster_seeds=f"127.0.0.1:{port}")
            node.start()
            wait_says(node, f"waiting for seed 127.0.0.1:{port}, which answers in another language")
        finally:
            ends.set()
            thread.join()


def test_a_name_that_nobody_knows_is_said(seeds):
    cluster = seeds(size=1)
    node = cluster.nodes[0]
    cluster.write_config(node, cluster_seeds="no-such-host.invalid:6379")
    node.start()
    wait_says(node, "waiting for seed no-such-host.invalid, which cannot be found")


def test_an_older_greeting_version_is_refused(running):
    class Old(Peer):
        def hello(self, to, cluster_id=NO_CLUSTER, lane="bulk"):
            parts = super().hello(to, cluster_id, lane)
            parts[1], parts[2], parts[3] = b"2", b"0", b"0"
            return parts
    running.wait_agreed()
    before = sum(int(node.raft()["peer_handshakes_refused"]) for node in running.nodes)
    with pytest.raises(Refused, match="speak a later version: that node needs a newer Flotilla"):
        Old(running, running.nodes[0], 99).dial(running.nodes[1])
    assert sum(int(node.raft()["peer_handshakes_refused"]) for node in running.nodes) == before + 1


@pytest.mark.parametrize("words", [
    ["RAFT.SEEK"],
    ["RAFT.SEEK", *["x"] * 14],
    ["RAFT.SEEK", *["x"] * 60],
    ["RAFT.APPEND", "0", "1"],
    ["RAFT.SEEK", "0", "99", "empty", NO_CLUSTER, "0", "0", "1", "", "3", "no address", NO_CLUSTER, "0", "", ""],
    ["RAFT.SEEK", "0", "98", "empty", NO_CLUSTER, "0", "0", "1", "", "3", "a:1", NO_CLUSTER, "0", "", ""],
    ["RAFT.SEEK", "0", "99", "begun", NO_CLUSTER, "0", "0", "1", "", "3", "a:1", NO_CLUSTER, "0", "", ""],
    ["RAFT.SEEK", "0", "99", "empty", NO_CLUSTER, "0", "0", "1", "", "99", "a:1", NO_CLUSTER, "0", "", ""],
    ["RAFT.SEEK", "0", "99", "empty", NO_CLUSTER, "0", "0", "1", "", "3", "a:1", NO_CLUSTER, "0", "a\nb", ""],
    ["RAFT.SEEK", "0", "99", "empty", NO_CLUSTER, "0", "0", "1", "", "3", "a:1", NO_CLUSTER, "0", "", "a:1,,b"],
])
def test_malformed_questions_are_refused(running, words):
    class Caller(Peer):
        def hello(self, to, cluster_id=NO_CLUSTER, lane="bulk"):
            parts = super().hello(to, cluster_id, lane)
            parts[2] = parts[3] = b"0"
            return parts
    node = running.nodes[0]
    before = int(node.raft()["peer_messages_refused"])
    link = Caller(running, running.nodes[1], 99).dial(node)
    link.send(*words)
    assert link.is_closed()
    assert int(node.raft()["peer_messages_refused"]) == before + 1
    assert sorted(members(running.wait_leader())) == [1, 2, 3]


def test_a_repeated_request_has_the_same_answer(running):
    class Caller(Peer):
        def hello(self, to, cluster_id=NO_CLUSTER, lane="bulk"):
            parts = super().hello(to, cluster_id, lane)
            parts[2] = parts[3] = b"0"
            return parts
    leader = running.wait_leader()
    own = leader.raft()["raft_dbid"]
    address = f"127.0.0.1:{running.ports.take()}"
    question = ["RAFT.SEEK", "0", "99", "empty", NO_CLUSTER, "0", "0", "1", "", "0", address, own, "0", "", ""]

    def given():
        with Caller(running, running.nodes[0], 99).dial(leader) as link:
            return int(link.call(*question)[12])
    for _ in range(2):
        assert wait_for(given, 10 * PATIENCE, "it is given an id") == 4
    assert sorted(members(leader)) == [1, 2, 3, 4]


# --- by command ---


def test_init_and_join_by_command(seeds):
    cluster = seeds(cluster_seeds='""')
    one, two, three = cluster.nodes
    for node in cluster.nodes:
        node.start()
    wait_says(one, "waiting for RAFT.CLUSTER INIT or JOIN")
    assert one.call("RAFT.CLUSTER", "INIT") == "OK"
    cluster.wait_leader()
    assert one.call("SET", "k", "v") == "OK"
    assert two.call("RAFT.CLUSTER", "JOIN", one.address) == "OK"
    assert three.call("RAFT.CLUSTER", "JOIN", two.address, one.address) == "OK"
    assert len({cluster_id(node) for node in cluster.nodes}) == 1
    for node in cluster.nodes:
        wait_member(node, "voter")
    cluster.wait_equal()
    for words in (["INIT"], ["JOIN", one.address]):
        reply = two.call("RAFT.CLUSTER", *words)
        assert isinstance(reply, Error) and str(reply).startswith("ERR this node belongs to cluster "), reply
    one.kill()
    assert cluster.wait_leader().call("GET", "k") == b"v"


def test_join_answers_with_the_reason_when_nobody_is_there(seeds):
    cluster = seeds(size=1, cluster_seeds='""', raft_bootstrap_expect=2)
    node = cluster.nodes[0].start()
    port = cluster.ports.take()
    reply = node.call("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{port}")
    assert isinstance(reply, Error)
    assert str(reply).startswith("ERR not done within 10000 ms, and it goes on: waiting for seed "), reply
    for bad in ("nothing", "a:0", "::1:7000", "a:1,", "[::1]"):
        assert isinstance(node.call("RAFT.CLUSTER", "JOIN", bad), Error)
    assert isinstance(node.call("RAFT.CLUSTER", "JOIN"), Error)
    assert isinstance(node.call("RAFT.CLUSTER", "INIT", "x"), Error)


def test_init_is_refused_beside_a_cluster_and_with_a_list(running, make_cluster):
    four = running.add_node(cluster_id="b" * 40).start()
    wait_says(four, "which this node cannot join")
    reply = four.call("RAFT.CLUSTER", "INIT")
    assert isinstance(reply, Error) and "one of its seeds belongs to a cluster" in str(reply)
    reply = four.call("RAFT.CLUSTER", "JOIN", "a:1")
    assert isinstance(reply, Error) and "cluster-seeds is set" in str(reply)
    listed = make_cluster(start=False)
    node = listed.nodes[0].start()
    reply = node.call("RAFT.CLUSTER", "INIT")
    assert isinstance(reply, Error) and "cluster-nodes names the nodes" in str(reply)


def test_bad_configurations_are_refused(seeds):
    cluster = seeds(size=1)
    node = cluster.nodes[0]
    for more, part in (
            (("--cluster-seeds", "a"), "cluster-seeds: 'a' has no port between 1 and 65535 behind the ':'"),
            (("--cluster-seeds", "::1:7"), "has an IPv6 address that is not in [brackets]"),
            (("--cluster-seeds", "a:1,,b:1"), "has no port"),
            (("--cluster-seeds", "a:1,"), "is followed by a ',' and no address"),
            (("--cluster-nodes", "1@a:1"), "'cluster-seeds': 'cluster-nodes' names the nodes already"),
            (("--raft-bootstrap-expect", "17"), "argument must be between 0 and 16"),
            (("--cluster-seeds", "a:1", "--cluster-secret", ""), "cluster-secret is not set: with seeds on other"),
            (("--cluster-seeds", ",".join(f"a:{port}" for port in range(1, 35))), "is one address too many")):
        status, text = run_server(node.config, *more, cwd=node.dir)
        assert status == 1 and part in text, text


# --- addresses ---


def move(cluster, node):
    """To another port, of which nobody is told."""
    node.kill()
    node.port = cluster.ports.take()


def addresses(node):
    return sorted(member["address"] for member in members(node).values())


def wait_moved(cluster):
    def known():
        with contextlib.suppress(OSError, Closed, AssertionError):
            return all(addresses(node) == sorted(other.address for other in cluster.nodes) for node in cluster.nodes)
        return False
    wait_for(known, 30 * PATIENCE, "all nodes know where all are")


def test_a_node_that_has_moved_says_so(running):
    leader = running.wait_leader()
    assert leader.call("SET", "k", "v") == "OK"
    node = running.followers()[0]
    move(running, node)
    running.write_config(node)
    node.start()
    wait_moved(running)
    running.wait_equal()
    wait_for(lambda: node.address.encode() in running.wait_leader().call("CLUSTER", "NODES"), 10 * PATIENCE)
    for one in running.nodes:  # the log has it
        one.kill()
        one.start()
    running.wait_leader()
    assert addresses(node) == sorted(one.address for one in running.nodes)


def test_all_nodes_move_at_once_and_find_each_other_by_seeds(running):
    assert running.wait_leader().call("SET", "k", "v") == "OK"
    for node in running.nodes:
        move(running, node)
    for node in running.nodes:
        running.write_config(node)
    for node in running.nodes:
        node.start()
    assert running.wait_leader(timeout=40).call("GET", "k") == b"v"
    wait_moved(running)
    running.wait_equal()


def test_a_changed_announcement_changes_the_address(running):
    node = running.followers()[0]
    node.kill()
    running.write_config(node, cluster_announce_hostname="localhost")
    node.start()
    wait_for(lambda: f"localhost:{node.port}" in addresses(running.wait_leader()), 20 * PATIENCE,
             "the leader has the announced name")
    running.wait_equal()


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="the machine has no IPv6")
def test_ipv6_everywhere(seeds):
    cluster = seeds(bind="127.0.0.1 ::1")
    listed = ",".join(f"[::1]:{node.port}" for node in cluster.nodes)
    for node in cluster.nodes:
        cluster.write_config(node, cluster_seeds=listed, sentinel_port=cluster.ports.take())
        node.start()
    wait_one_cluster(cluster.nodes)
    leader = cluster.wait_leader()
    assert addresses(leader) == sorted(listed.split(","))
    follower = cluster.followers()[0]
    with follower.connect() as connection:
        slots = connection.call("CLUSTER", "SLOTS")
        assert [b"::1", leader.port] == slots[0][2][:2]
        moved = connection.call("GET", "k")
        assert isinstance(moved, Error) and re.fullmatch(rf"MOVED \d+ ::1:{leader.port}", str(moved)), moved
        shards = connection.call("CLUSTER", "SHARDS")
        assert b"::1" in shards[0][3][0]
        # As in Redis without brackets: clients take the port behind the last colon.
        assert f" ::1:{leader.port}@{leader.port} ".encode() in connection.call("CLUSTER", "NODES")
    four = cluster.add_node()
    cluster.write_config(four, cluster_seeds=f"[::1]:{follower.port}", cluster_announce_ip="::1")
    four.start()
    wait_member(four, "spare")
    assert f"[::1]:{four.port}" in addresses(leader)
    reply = leader.call("RAFT.NODE", "ADD", "9", "::1:7000")
    assert isinstance(reply, Error) and "[address]:port for IPv6" in str(reply)
    assert leader.call("RAFT.NODE", "ADD", "9", "[::1]:7000") == "OK"
    assert leader.call("CLUSTER", "MEET", "::1", "7000") == "OK"
    assert leader.call("RAFT.NODE", "REMOVE", "9") == "OK"


@pytest.mark.skipif(not has_ipv6(), reason="the machine has no IPv6")
def test_another_spelling_of_an_ipv6_address_makes_no_second_member(seeds):
    cluster = seeds(bind="127.0.0.1 ::1")
    for node in cluster.nodes:
        cluster.write_config(node, cluster_seeds=",".join(f"[0:0:0:0:0:0:0:1]:{one.port}" for one in cluster.nodes))
        node.start()
    wait_one_cluster(cluster.nodes)
    expected = sorted(f"[::1]:{node.port}" for node in cluster.nodes)
    leader = cluster.wait_leader()
    assert addresses(leader) == expected
    node = cluster.followers()[0]
    wipe(node)
    cluster.write_config(node, cluster_seeds=f"[::1]:{leader.port}", cluster_announce_ip="0::1")
    node.start()
    wait_member(node, "voter")
    assert addresses(cluster.wait_leader()) == expected


def test_host_names_everywhere(seeds):
    cluster = seeds()
    listed = ",".join(f"localhost:{node.port}" for node in cluster.nodes)
    for node in cluster.nodes:
        cluster.write_config(node, cluster_seeds=listed)
        node.start()
    wait_one_cluster(cluster.nodes)
    leader = cluster.wait_leader()
    assert all(re.fullmatch(r"(localhost|127\.0\.0\.1):\d+", address) for address in addresses(leader))
    four = cluster.add_node()
    cluster.write_config(four, cluster_seeds=f"localhost:{leader.port}", cluster_announce_hostname="localhost")
    four.start()
    wait_member(four, "spare")
    assert f"localhost:{four.port}" in addresses(leader)
    cluster.wait_equal()


@pytest.mark.parametrize("host", ["[::1]", "localhost"])
def test_a_static_list_with_names_and_ipv6(make_cluster, host):
    if host == "[::1]" and not has_ipv6():
        pytest.skip("the machine has no IPv6")
    cluster = make_cluster(start=False, bind="127.0.0.1 ::1" if host == "[::1]" else "127.0.0.1")
    listed = ",".join(f"{node.id}@{host}:{node.port}" for node in cluster.nodes)
    for node in cluster.nodes:
        cluster.write_config(node, cluster_nodes=listed)
    cluster.start()
    assert addresses(cluster.nodes[0]) == sorted(f"{host}:{node.port}" for node in cluster.nodes)
    cluster.wait_equal()


def name_nodes(cluster, text):
    """The resolver of all nodes, from now on."""
    names = cluster.dir / "names"
    names.write_text(text)
    for node in cluster.nodes:
        node.environment = {"LD_PRELOAD": str(TOOLS / "names.so"), "FLOTILLA_NAMES": str(names)}
    return names


def test_a_name_stands_for_all_of_its_addresses(seeds):
    cluster = seeds()
    port = cluster.nodes[0].port
    for node in cluster.nodes:
        node.host, node.port = f"127.0.2.{node.id}", port
        cluster.write_config(node, cluster_seeds=f"all.example:{port}")
    names = name_nodes(cluster, "all.example 127.0.2.1\nall.example 127.0.2.2\n")
    one, two, three = cluster.nodes
    one.start()
    wait_says(one, f"waiting for seed 127.0.2.2:{port}")
    two.start()
    wait_says(two, "raft-bootstrap-expect is 3, and here are 2: ")
    three.start()  # it knows the others by the name, and they hear of it
    wait_one_cluster(cluster.nodes)
    assert addresses(one) == sorted(node.address for node in cluster.nodes)
    four = cluster.add_node()
    four.host, four.port, four.environment = "127.0.2.4", port, one.environment
    names.write_text("all.example 127.0.2.1\nall.example 127.0.2.2\nall.example 127.0.2.9\n")
    cluster.write_config(four, cluster_seeds=f"all.example:{port}")
    four.start()  # one of its seeds is enough to join
    wait_member(four, "spare")


@pytest.mark.skipif(not has_ipv6(), reason="the machine has no IPv6")
def test_of_a_name_with_both_kinds_of_addresses_one_kind_is_enough(seeds):
    cluster = seeds()
    listed = ",".join(f"here.example:{node.port}" for node in cluster.nodes)
    name_nodes(cluster, "here.example 127.0.0.1\nhere.example ::1\n")
    for node in cluster.nodes:
        cluster.write_config(node, cluster_seeds=listed)
    one, two, three = cluster.nodes
    one.start()
    two.start()
    wait_says(one, f"waiting for seed 127.0.0.1:{three.port}")
    three.start()
    wait_one_cluster(cluster.nodes)
