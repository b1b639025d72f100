"""How clients find the nodes and learn which one leads: CLUSTER, -MOVED, INFO replication, ROLE."""
import pytest

from peer import Peer
from resp import Connection
from waiting import wait_for


@pytest.fixture(scope="module")
def cluster():
    from cluster import Cluster
    with Cluster("discovery", follower_mode="redirect") as one:
        yield one


def topology(node, *command):
    with node.connect() as connection:
        connection.call("HELLO", "3")
        return connection.call(*command)


def in_slots(node):
    """{port: (endpoint, metadata)} of CLUSTER SLOTS."""
    return {entry[1]: (entry[0], entry[3]) for entry in topology(node, "CLUSTER", "SLOTS")[0][2:]}


def in_shards(node):
    return {entry[b"port"]: entry for entry in topology(node, "CLUSTER", "SHARDS")[0][b"nodes"]}


def in_nodes(node):
    return {line.split()[1] for line in node.call("CLUSTER", "NODES").decode().splitlines()}


def cluster_info(node):
    return dict(line.split(":", 1) for line in node.call("CLUSTER", "INFO").decode().splitlines())


def test_cluster_info_names_what_raft_knows(cluster):
    leader = cluster.wait_leader()
    name = leader.call("CLUSTER", "MYID").decode()
    for node in cluster.nodes:
        info, raft = cluster_info(node), node.raft()
        assert info["cluster_raft_role"] == ("leader" if node is leader else "follower")
        assert info["cluster_raft_current_term"] == raft["raft_current_term"]
        assert info["cluster_raft_leader"] == name
    with leader.connect() as connection:
        connection.call("SET", "a", "1")
    before = cluster_info(leader)
    assert leader.call("SET", "a", "2") == "OK"
    after = cluster_info(leader)
    for field in ("cluster_raft_commit_index", "cluster_raft_last_applied"):
        assert int(after[field]) > int(before[field])


def test_cluster_nodes_names_the_port_on_which_nodes_talk(cluster):
    assert in_nodes(cluster.nodes[0]) == {f"127.0.0.1:{node.port}@{node.port}" for node in cluster.nodes}


def test_offsets_of_primary_and_replicas_move(cluster):
    leader = cluster.wait_leader()
    before = leader.info("replication")
    assert before["role"] == "master" and before["connected_slaves"] == "2"
    assert leader.call("SET", "a", "1") == "OK"

    def caught_up():
        info = leader.info("replication")
        slaves = [dict(pair.split("=") for pair in info[f"slave{i}"].split(",")) for i in range(2)]
        assert {int(slave["port"]) for slave in slaves} == {node.port for node in cluster.followers()}
        assert all(slave["state"] == "online" and int(slave["lag"]) <= 5 for slave in slaves)
        return all(slave["offset"] == info["master_repl_offset"] for slave in slaves) and info
    info = wait_for(caught_up, 10, "the replicas have what the primary has")
    assert int(info["master_repl_offset"]) > int(before["master_repl_offset"])
    for node in cluster.followers():
        wait_for(lambda: node.info("replication")["slave_repl_offset"] == info["master_repl_offset"], 10)
        own = node.info("replication")
        assert (own["role"], own["master_link_status"]) == ("slave", "up")
        assert (own["master_host"], own["master_port"]) == ("127.0.0.1", str(leader.port))
        assert 0 <= int(own["master_last_io_seconds_ago"]) <= 5
        assert own["connected_slaves"] == "0" and "slave0" not in own


def test_role_says_the_same_as_info(cluster):
    leader = cluster.wait_leader()
    role = leader.call("ROLE")
    assert role[0] == b"master" and role[1] >= 1
    assert {int(entry[1]) for entry in role[2]} == {node.port for node in cluster.followers()}
    assert all(0 < int(entry[2]) <= role[1] for entry in role[2])
    for node in cluster.followers():
        role = node.call("ROLE")
        assert role[:4] == [b"slave", b"127.0.0.1", leader.port, b"connected"] and role[4] >= 1


def test_a_replica_that_is_gone_is_not_counted(make_cluster):
    cluster = make_cluster()
    leader, gone = cluster.wait_leader(), cluster.followers()[0]
    gone.kill()
    wait_for(lambda: leader.info("replication")["connected_slaves"] == "1", 10, "one replica is left")
    info = leader.info("replication")
    assert f"port={gone.port}," not in info["slave0"] and "slave1" not in info
    assert len(leader.call("ROLE")[2]) == 1


def test_a_replica_without_a_primary_says_since_when(make_cluster):
    cluster = make_cluster()
    left = cluster.followers()[0]
    for node in cluster.nodes:
        if node is not left:
            node.kill()

    def alone():
        info = left.info("replication")
        return info["master_link_status"] == "down" and info
    info = wait_for(alone, 20, "the leader is missed")
    assert info["role"] == "slave" and info["master_last_io_seconds_ago"] == "-1"
    assert int(info["master_link_down_since_seconds"]) >= 0
    assert cluster_info(left)["cluster_raft_leader"] == ""


def announce(node, **directives):
    pairs = [text for key, value in directives.items() for text in (key.replace("_", "-"), value)]
    assert node.call("CONFIG", "SET", *pairs) == "OK"


def test_what_a_node_announces_is_what_all_nodes_tell(make_cluster):
    cluster = make_cluster(start=False, follower_mode="redirect")
    for node in cluster.nodes:
        cluster.write_config(node, cluster_announce_ip=f"10.0.0.{node.id}", cluster_announce_port=7000 + node.id,
                             cluster_announce_hostname=f"n{node.id}.example")
    cluster.start()
    leader = cluster.wait_leader()
    for node in cluster.nodes:
        wait_for(lambda: in_slots(node) == {7000 + other.id: (b"10.0.0.%d" % other.id,
                                                              {b"hostname": b"n%d.example" % other.id})
                                            for other in cluster.nodes}, 10, "all announcements are there")
        shards = in_shards(node)
        assert {port: (e[b"ip"], e[b"endpoint"], e[b"hostname"]) for port, e in shards.items()} == {
            7000 + other.id: (b"10.0.0.%d" % other.id, b"10.0.0.%d" % other.id, b"n%d.example" % other.id)
            for other in cluster.nodes}
        assert in_nodes(node) == {f"10.0.0.{o.id}:{7000 + o.id}@{o.port},n{o.id}.example" for o in cluster.nodes}
    for node in cluster.followers():
        assert str(node.call("GET", "a")).endswith(f" 10.0.0.{leader.id}:{7000 + leader.id}")
        info = node.info("replication")
        assert (info["master_host"], info["master_port"]) == (f"10.0.0.{leader.id}", str(7000 + leader.id))
    assert f"ip=10.0.0.{cluster.followers()[0].id},port=" in leader.info("replication")["slave0"]


def test_an_announcement_changes_while_the_node_runs(make_cluster):
    cluster = make_cluster()
    one, others = cluster.nodes[0], cluster.nodes[1:]
    announce(one, cluster_announce_port="7001")
    for node in cluster.nodes:
        wait_for(lambda: 7001 in in_slots(node), 10, "the new port is known")
    announce(one, cluster_announce_port="0")
    for node in cluster.nodes:
        wait_for(lambda: one.port in in_slots(node), 10, "the announcement is taken back")
    assert all(set(in_slots(node)) == {n.port for n in cluster.nodes} for node in others)


def test_what_a_node_announced_before_its_restart_is_forgotten(make_cluster):
    cluster = make_cluster()
    one = cluster.followers()[0]
    announce(one, cluster_announce_port="7001")
    leader = cluster.wait_leader()
    wait_for(lambda: 7001 in in_slots(leader), 10, "the announcement is known")
    one.kill()
    one.start()
    wait_for(lambda: one.port in in_slots(cluster.wait_leader()), 10, "the node announces nothing any more")


def test_announcements_outlive_a_change_of_the_members(make_cluster):
    cluster = make_cluster()
    leader, (one, other) = cluster.wait_leader(), cluster.followers()
    for node in (leader, one):
        announce(node, cluster_announce_port=str(7000 + node.id))
    told = {7000 + leader.id, 7000 + one.id}
    for node in (leader, one):
        wait_for(lambda: told < set(in_slots(node)), 10, "the ports are known")
    assert leader.call("RAFT.NODE", "REMOVE", other.id) == "OK"
    for node in (leader, one):
        wait_for(lambda: len(in_slots(node)) == 2, 10, "the member is gone")
        assert set(in_slots(node)) == told


def test_the_endpoint_is_of_the_preferred_type(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.nodes[0]

    def told():
        (endpoint, metadata), = in_slots(node).values()
        (shard,) = in_shards(node).values()
        assert shard[b"ip"] == b"10.0.0.1"
        return endpoint, metadata, shard[b"endpoint"]
    announce(node, cluster_announce_ip="10.0.0.1", cluster_preferred_endpoint_type="hostname")
    assert told() == (b"?", {b"ip": b"10.0.0.1"}, b"?")
    announce(node, cluster_announce_hostname="n.example")
    assert told() == (b"n.example", {b"ip": b"10.0.0.1"}, b"n.example")
    announce(node, cluster_preferred_endpoint_type="unknown-endpoint")
    assert told() == (None, {b"ip": b"10.0.0.1", b"hostname": b"n.example"}, b"")
    announce(node, cluster_preferred_endpoint_type="ip")
    assert told() == (b"10.0.0.1", {b"hostname": b"n.example"}, b"10.0.0.1")


@pytest.mark.parametrize("kind, wanted", [("ip", "127.0.0.1"), ("hostname", "?"), ("unknown-endpoint", "")])
def test_moved_names_the_preferred_endpoint(cluster, kind, wanted):
    leader, follower = cluster.wait_leader(), cluster.followers()[0]
    announce(follower, cluster_preferred_endpoint_type=kind)
    try:
        for command in (("GET", "a"), ("RAFT.NODE", "REMOVE", "9")):
            assert str(follower.call(*command)).split(" ")[2] == f"{wanted}:{leader.port}"
    finally:
        announce(follower, cluster_preferred_endpoint_type="ip")


@pytest.mark.parametrize("directive, value, why", [
    ("cluster-announce-hostname", "a_b", "Hostnames may only contain alphanumeric characters, hyphens or dots"),
    ("cluster-announce-ip", "10.0.0.1 x", "an address may only contain"),
    ("cluster-announce-port", "70000", "argument must be between 0 and 65535 inclusive"),
    ("cluster-preferred-endpoint-type", "best", "must be one of the following: ip, hostname, unknown-endpoint"),
])
def test_what_cannot_be_announced_is_refused(cluster, directive, value, why):
    with Connection(port=cluster.nodes[0].port) as connection:
        assert why in str(connection.call("CONFIG", "SET", directive, value))


# --- what nodes say to each other about it ---

@pytest.fixture
def impostor(make_cluster):
    """(cluster, a Peer in the place of a follower that was killed, a node that lives, the cluster's id)."""
    cluster = make_cluster()
    leader, victim = cluster.wait_leader(), cluster.followers()[0]
    cluster.wait_equal()
    members = [dict(zip(entry[::2], entry[1::2])) for entry in leader.call("RAFT.NODE", "LIST")]
    incarnation = next(int(member[b"incarnation"], 16) for member in members if member[b"id"] == victim.id)
    victim.kill()
    return cluster, Peer(cluster, victim, incarnation), leader, leader.raft()["raft_dbid"]


def test_a_node_that_announces_nothing_says_nothing(impostor):
    _, peer, _, cluster_id = impostor
    with peer.listening(cluster_id) as heard:
        wait_for(lambda: len(heard) > 5, 20, "the others speak")
    assert not [message for message in heard if message[0] == b"RAFT.ANNOUNCE"]


def test_an_announcement_comes_before_everything_else(impostor):
    cluster, peer, _, cluster_id = impostor
    for node in cluster.running:
        announce(node, cluster_announce_port=str(7000 + node.id))
    with peer.listening(cluster_id) as heard:
        wait_for(lambda: len(heard) > 10, 20, "the others speak")
    assert heard[0][:3] == [b"RAFT.ANNOUNCE", b"", b""]


@pytest.mark.parametrize("args", [
    ("10.0.0.1 x", "", "0", "0"), ("", "a\nb", "0", "0"), ("", "", "65536", "0"), ("", "", "", "0"), ("", "", "0"), (),
    ("a" * 46, "", "0", "0"), ("", "a" * 256, "0", "0"),
])
def test_a_malformed_announcement_ends_the_connection(impostor, args):
    _, peer, node, cluster_id = impostor
    before = int(node.raft()["peer_messages_refused"])
    with peer.dial(node, cluster_id=cluster_id) as link:
        link.send("RAFT.ANNOUNCE", *args)
        assert link.is_closed()
    assert int(node.raft()["peer_messages_refused"]) == before + 1
    assert peer.port in in_slots(node)


def test_an_announcement_lasts_until_its_node_connects_anew(impostor):
    _, peer, node, cluster_id = impostor
    with peer.dial(node, cluster_id=cluster_id) as link:
        link.send("RAFT.ANNOUNCE", "10.0.0.9", "", "7009", "0", "", "of a later version")
        wait_for(lambda: in_slots(node).get(7009) == (b"10.0.0.9", {}), 10, "it was heard")
    assert 7009 in in_slots(node)
    with peer.dial(node, cluster_id=cluster_id):
        wait_for(lambda: peer.port in in_slots(node), 10, "it is forgotten")
