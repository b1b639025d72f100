"""How a cluster begins, and what a folder is after that."""
import re
import shutil

import pytest

from cluster import run_server
from resp import Error
from waiting import wait_for


def begin_of(node):
    return node.raft().get("raft_begin")


def votes(node):
    """By a committed membership: while a joint one is left, the majority of the last one is needed as well."""
    raft = node.raft()
    return raft.get("raft_is_voting") == "yes" and raft["raft_membership_state"] == "stable"


def restart(node, *more):
    node.kill()
    return node.start(True, *more)


def wipe(node):
    node.kill()
    shutil.rmtree(node.data)
    node.data.mkdir()


def refusal(node, *more):
    status, text = run_server(node.config, *more, cwd=node.dir)
    assert status == 1, text
    return text


def test_two_of_three_nodes_do_not_begin(make_cluster):
    cluster = make_cluster(start=False)
    one, two, three = cluster.nodes
    one.start()
    two.start()
    expected = f"the cluster has not begun: waiting for node 3 at {three.address}, which is not reached"
    for node in (one, two):
        wait_for(lambda node=node: expected in node.tail(1000), 10, "the log says for whom the node waits")
        reply = node.call("SET", "k", "v")
        assert isinstance(reply, Error) and str(reply) == f"CLUSTERDOWN {expected}", reply
        assert node.call("PING") == "PONG"
        assert b"cluster_state:fail" in node.call("CLUSTER", "INFO")
        assert node.call("CONFIG", "GET", "port") == [b"port", str(node.port).encode()]
        assert node.call("CONFIG", "SET", "leader-wait-ms", "3000") == "OK"
        assert begin_of(node) == "empty"
        assert node.tail(1000).count(expected) == 1
    wipe(one)  # neither does it help that one is empty again
    one.start()
    wait_for(lambda: expected in one.tail(3), 10)
    three.start()
    cluster.wait_leader()
    cluster.wait_equal()


def test_the_cluster_id_is_drawn_once_and_kept(make_cluster):
    cluster = make_cluster()
    drawn = {node.raft()["raft_dbid"] for node in cluster.nodes}
    assert len(drawn) == 1 and re.fullmatch("[0-9a-f]{40}", drawn.copy().pop())
    incarnations = [node.raft()["raft_incarnation"] for node in cluster.nodes]
    assert len(set(incarnations)) == 3
    for node in cluster.nodes:
        restart(node)
    cluster.wait_leader()
    assert {node.raft()["raft_dbid"] for node in cluster.nodes} == drawn
    assert [node.raft()["raft_incarnation"] for node in cluster.nodes] == incarnations
    assert make_cluster().nodes[0].raft()["raft_dbid"] not in drawn


def test_a_configured_cluster_id_is_used_and_compared_later(make_cluster):
    cluster = make_cluster(cluster_id="a" * 40)
    node = cluster.nodes[0]
    assert node.raft()["raft_dbid"] == "a" * 40
    node.kill()
    text = refusal(node, "--cluster-id", "b" * 40)
    assert f"belongs to cluster {'a' * 40}, cluster-id is {'b' * 40}: set it back, or leave it out" in text
    cluster.write_config(node)
    node.start()
    cluster.wait_equal()


@pytest.mark.parametrize("change", ["alone", "another address", "one more", "one less"])
def test_a_changed_list_of_nodes_is_refused(make_cluster, change):
    cluster = make_cluster()
    node = cluster.nodes[1]
    members = cluster.members_seen_by(node).split(",")
    lists = {
        "alone": members[1:2],
        "another address": [members[0], members[1], "3@127.0.0.1:1"],
        "one more": [*members, "4@127.0.0.1:1"],
        "one less": members[:2],
    }
    node.kill()
    text = refusal(node, "--cluster-nodes", ",".join(lists[change]))
    assert "cluster-nodes is not what the cluster has: " in text
    assert "RAFT.NODE ADD, REMOVE or ADDRESS" in text
    missing = set(members) - set(lists[change])
    assert not missing or any(f"'{member}' is missing" in text for member in missing), text
    text = refusal(node, "--cluster-nodes", ",".join(lists[change]), "--cluster-id",
                   cluster.nodes[0].raft()["raft_dbid"])
    assert "cluster-nodes is not what the cluster has: " in text
    node.start(True, "--cluster-nodes", ",".join(reversed(members)))  # the order means nothing
    cluster.wait_equal()


def test_lists_that_differ_keep_the_cluster_from_beginning(make_cluster):
    cluster = make_cluster(start=False)
    one, two, three = cluster.nodes
    right = cluster.members_seen_by(three)
    cluster.write_config(three, cluster_nodes=right.replace(f"1@127.0.0.1:{one.port}", f"1@localhost:{one.port}"))
    for node in cluster.nodes:
        node.start()
    wait_for(lambda: f"node 3 at {three.address}, whose cluster-nodes differ from this node's" in one.tail(), 10)
    three.kill()
    cluster.write_config(three)  # nothing was promised yet
    three.start()
    cluster.wait_leader()
    cluster.wait_equal()


def test_a_founder_that_stops_in_the_middle_goes_on(make_cluster):
    cluster = make_cluster(start=False)
    for _ in range(5):
        for node in cluster.nodes:
            if not node.running:
                node.start(wait=False)
        for node in cluster.nodes:
            node.kill()
    cluster.start()
    cluster.wait_equal()


def test_an_only_node_begins_without_a_list_and_moves_to_another_port(make_cluster):
    cluster = make_cluster(start=False, size=1)
    node = cluster.nodes[0]
    text = node.config.read_text()
    node.config.write_text("".join(line for line in text.splitlines(True) if not line.startswith("cluster-nodes")))
    node.start()
    cluster.wait_leader()
    assert node.call("SET", "k", "v") == "OK"
    node.kill()
    node.port = cluster.ports.take()
    node.start(True, "--port", node.port)
    cluster.wait_leader()
    assert node.call("GET", "k") == b"v"
    assert node.address.encode() in node.call("CLUSTER", "NODES")


def test_a_node_with_an_empty_folder_joins_and_is_taken_in(make_cluster):
    cluster = make_cluster()
    assert cluster.wait_leader().call("SET", "k", "v") == "OK"
    node = cluster.followers()[0]
    old = node.raft()
    wipe(node)
    node.start()
    wait_for(lambda: node.raft()["raft_dbid"] == old["raft_dbid"], 10, "it knows the cluster")
    assert node.raft()["raft_incarnation"] != old["raft_incarnation"]
    assert "has begun without this node: the leader will take it in" in node.tail()
    wait_for(lambda: votes(node), 20, "it votes again")
    cluster.wait_equal()
    cluster.wait_leader().kill()  # the two that are left need each other's votes
    assert cluster.wait_leader().call("GET", "k") == b"v"


def test_a_damaged_or_missing_identity_is_refused(make_cluster):
    cluster = make_cluster()
    node = cluster.followers()[0]
    node.kill()
    path = node.data / "flotilla.identity"
    text = path.read_bytes()
    path.write_bytes(text.replace(b"#STATE:begun", b"#STATE:bogun"))
    assert f"'{path}' is damaged; if the other nodes are well, move this data folder away" in refusal(node)
    path.write_bytes(text[:len(text) // 2])
    assert f"'{path}' is damaged" in refusal(node)
    path.unlink()
    assert "has a log and no flotilla.identity; if the other nodes are well, move the folder away" in refusal(node)
    path.write_bytes(text)
    node.start()
    cluster.wait_equal()


def test_begin_cluster_begins_with_one_node_and_only_once(make_cluster):
    cluster = make_cluster(start=False)
    one, two, three = cluster.nodes
    one.start(True, "--begin-cluster")
    cluster.wait_leader()
    assert one.call("SET", "k", "v") == "OK"
    one.kill()
    assert "--begin-cluster: data folder" in refusal(one, "--begin-cluster")
    one.start()
    for node in (two, three):
        node.start()
    wait_for(lambda: {node.raft()["raft_dbid"] for node in cluster.nodes} == {one.raft()["raft_dbid"]}, 10,
             "the others belong to it")
    wait_for(lambda: one.raft()["raft_num_voting_nodes"] == "3" and one.raft()["raft_membership_state"] == "stable",
             20, "they are taken in")
    one.kill()
    assert cluster.wait_leader().call("GET", "k") == b"v"
