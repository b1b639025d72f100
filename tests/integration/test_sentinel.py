"""The Sentinel port: what its clients ask for, and what they hear when the leader changes."""
import contextlib

import pytest

from cluster import SERVER, Cluster, run_server
from resp import Closed, Connection, Error
from waiting import wait_for

NULL = b"*-1\r\n"
CUT = 5  # seconds for what follows a cut


def with_sentinels(make_cluster, start=True, **options):
    """A cluster whose nodes have a Sentinel port each: node.sentinel_port."""
    cluster = make_cluster(start=False, **options)
    for node in cluster.nodes:
        node.sentinel_port = cluster.ports.take()
        cluster.write_config(node, sentinel_port=node.sentinel_port)
    return cluster.start() if start else cluster


@pytest.fixture(scope="module")
def cluster():
    one = Cluster("sentinel")
    for node in one.nodes:
        node.sentinel_port = one.ports.take()
        one.write_config(node, sentinel_port=node.sentinel_port)
    with one:
        yield one


def ask(node, *command):
    with Connection(port=node.sentinel_port) as connection:
        return connection.call(*command)


def fields(flat):
    return {key.decode(): value.decode() for key, value in zip(flat[::2], flat[1::2])}


def master_of(node):
    return fields(ask(node, "SENTINEL", "MASTERS")[0])


def names_leader(node, leader):
    return ask(node, "SENTINEL", "get-master-addr-by-name", "mymaster") == [b"127.0.0.1", str(leader.port).encode()]


def wait_until_named(nodes, leader):
    for node in nodes:
        wait_for(lambda: names_leader(node, leader), 20, f"node {node.id} names the leader")


def test_every_sentinel_names_the_leader(cluster):
    leader = cluster.wait_leader()
    wait_until_named(cluster.nodes, leader)
    for node in cluster.nodes:
        master = master_of(node)
        assert fields(ask(node, "SENTINEL", "MASTER", "mymaster"))["port"] == str(leader.port)
        assert (master["name"], master["ip"], master["port"]) == ("mymaster", "127.0.0.1", str(leader.port))
        assert (master["flags"], master["num-slaves"], master["quorum"]) == ("master", "2", "2")
        assert master["runid"] == leader.call("CLUSTER", "MYID").decode()
        assert master["config-epoch"] == node.raft()["raft_current_term"]


def test_replicas_are_the_other_nodes(cluster):
    leader = cluster.wait_leader()
    wait_until_named(cluster.nodes, leader)
    for node in cluster.nodes:
        for name in ("REPLICAS", "SLAVES"):
            replicas = [fields(one) for one in ask(node, "SENTINEL", name, "mymaster")]
            assert {int(one["port"]) for one in replicas} == {other.port for other in cluster.followers()}
            for one in replicas:
                assert one["name"] == f"127.0.0.1:{one['port']}"
                assert (one["flags"], one["master-link-status"]) == ("slave", "ok")
                assert (one["master-host"], one["master-port"]) == ("127.0.0.1", str(leader.port))
    assert all(int(fields(one)["slave-repl-offset"]) > 0 for one in ask(leader, "SENTINEL", "REPLICAS", "mymaster"))


def test_sentinels_are_the_other_nodes_that_have_the_port(cluster):
    for node in cluster.nodes:
        others = {other.sentinel_port for other in cluster.nodes if other is not node}
        wait_for(lambda: {int(fields(one)["port"]) for one in ask(node, "SENTINEL", "SENTINELS", "mymaster")} == others,
                 10, "the others are known")
        assert all(fields(one)["flags"] == "sentinel" for one in ask(node, "SENTINEL", "SENTINELS", "mymaster"))
        assert master_of(node)["num-other-sentinels"] == "2"
        assert ask(node, "SENTINEL", "MYID") == node.call("CLUSTER", "MYID")


def test_another_masters_name_is_unknown(cluster):
    node = cluster.nodes[0]
    with Connection(port=node.sentinel_port) as connection:
        assert connection.call_raw("SENTINEL", "get-master-addr-by-name", "other") == NULL
    for name in ("MASTER", "REPLICAS", "SENTINELS", "CKQUORUM"):
        assert ask(node, "SENTINEL", name, "other") == Error("ERR No such master with that name")


def test_role_info_and_hello_say_that_it_is_a_sentinel(cluster):
    leader = cluster.wait_leader()
    wait_until_named(cluster.nodes, leader)
    for node in cluster.nodes:
        assert ask(node, "ROLE") == [b"sentinel", [b"mymaster"]]
        text = ask(node, "INFO").decode()
        assert "redis_mode:sentinel\r\n" in text and f"tcp_port:{node.sentinel_port}\r\n" in text
        text = ask(node, "INFO", "sentinel").decode()
        wait_for(lambda: f"master0:name=mymaster,status=ok,address=127.0.0.1:{leader.port},slaves=2,sentinels=3"
                 in ask(node, "INFO", "sentinel").decode(), 10)
        assert text.startswith("# Sentinel\r\nsentinel_masters:1\r\n") and "# Server" not in text
        hello = ask(node, "HELLO", "3")
        assert hello[b"mode"] == b"sentinel" and b"role" not in hello


def test_no_data_is_reached_through_it(cluster):
    node = cluster.nodes[0]
    for command in (("GET", "a"), ("SET", "a", "1"), ("CONFIG", "GET", "*"), ("CLUSTER", "SLOTS"), ("SHUTDOWN",),
                    ("DEBUG", "SLEEP", "0"), ("RAFT.NODE", "LIST"), ("RAFT.HELLO", "2"), ("MULTI",), ("SELECT", "0")):
        assert str(ask(node, *command)).startswith("ERR unknown command"), command
    assert str(ask(node, "SENTINEL", "FAILOVER", "mymaster")).startswith("ERR unknown subcommand 'FAILOVER'")
    assert str(ask(node, "SENTINEL", "SET", "mymaster", "quorum", "1")).startswith("ERR unknown subcommand")


def test_every_command_has_an_answer_whatever_its_arguments(cluster):
    node = cluster.nodes[0]
    names = [name.decode().split("|") for name in ask(node, "COMMAND", "LIST")]
    assert ["sentinel", "masters"] in names and ["subscribe"] in names
    for name in names:
        for count in range(6):
            assert ask(node, *name, *["mymaster"] * count) != "", name
    assert ask(node, "PING") == "PONG"


def test_is_master_down_tells_the_truth_and_gives_no_vote(cluster):
    leader = cluster.wait_leader()
    wait_until_named(cluster.nodes, leader)
    runid = "0" * 40
    for node in cluster.nodes:
        for port in (leader.port, 1):
            assert ask(node, "SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", port, "1", runid) == [0, b"*", 0]
    assert ask(leader, "SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", "x", "1", "*") == Error(
        "ERR value is not an integer or out of range")


def listen(node, *channels, protocol=None):
    connection = Connection(port=node.sentinel_port)
    if protocol:
        connection.call("HELLO", protocol)
    for channel in channels:
        connection.call("PSUBSCRIBE" if "*" in channel else "SUBSCRIBE", channel)
    return connection


@pytest.mark.parametrize("protocol, first", [("2", b"*3\r\n"), ("3", b">3\r\n")])
def test_subscribers_hear_of_the_next_leader(make_cluster, protocol, first):
    cluster = with_sentinels(make_cluster)
    old = cluster.wait_leader()
    survivors = cluster.followers()
    wait_until_named(survivors, old)
    listeners = [listen(node, "+switch-master", protocol=protocol) for node in survivors]
    old.kill()
    new = cluster.wait_leader(but=old)
    for listener in listeners:
        raw = listener.read_raw()
        assert raw.startswith(first)
        assert raw.endswith(b"mymaster 127.0.0.1 %d 127.0.0.1 %d\r\n" % (old.port, new.port)), raw
        listener.close()
    wait_until_named(survivors, new)
    replicas = {int(fields(one)["port"]): fields(one) for one in ask(new, "SENTINEL", "REPLICAS", "mymaster")}
    assert replicas[old.port]["flags"] == "slave,s_down,disconnected"
    old.start()
    wait_until_named([old], new)


def heard(listener, wanted, what):
    """Waits for an event whose channel and text begin as wanted; all that came before it."""
    events = []
    while True:
        *_, channel, text = listener.read()
        events.append((channel.decode(), text.decode()))
        if events[-1][0] == wanted and events[-1][1].startswith(what):
            return events


def test_subscribers_hear_of_replicas_that_go_and_come(make_cluster):
    cluster = with_sentinels(make_cluster)
    leader, gone = cluster.wait_leader(), cluster.followers()[0]
    wait_until_named([leader], leader)
    wait_for(lambda: fields(ask(leader, "SENTINEL", "REPLICAS", "mymaster")[0])["flags"] == "slave", 10)
    with listen(leader, "*") as listener:
        gone.kill()
        event = f"slave 127.0.0.1:{gone.port} 127.0.0.1 {gone.port} @ mymaster 127.0.0.1 {leader.port}"
        heard(listener, "+sdown", event)
        gone.start()
        heard(listener, "-sdown", event)


def flags_at(node):
    replicas = [fields(one) for one in ask(node, "SENTINEL", "REPLICAS", "mymaster")]
    return {int(one["port"]): one["flags"] for one in replicas}


def test_a_sentinel_that_is_cut_off_names_no_leader(make_cluster):
    cluster = with_sentinels(make_cluster, links=True)
    alone, others = cluster.followers()[0], None
    others = [node for node in cluster.nodes if node is not alone]
    leader = cluster.wait_leader()
    wait_for(lambda: master_of(alone)["flags"] == "master", 10)
    assert ask(alone, "SENTINEL", "CKQUORUM", "mymaster") == (
        "OK 3 usable Sentinels. Quorum and failover authorization can be reached")
    with listen(alone, "+sdown", "-sdown") as listener:
        cluster.cut([alone])
        heard(listener, "+sdown", f"master mymaster 127.0.1.{leader.id} {leader.port}")
        with Connection(port=alone.sentinel_port) as connection:
            wait_for(lambda: connection.call_raw("SENTINEL", "get-master-addr-by-name", "mymaster") == NULL, 10)
        master = master_of(alone)
        assert master["flags"] == "master,s_down,o_down" and int(master["s-down-time"]) >= 0
        assert ask(alone, "SENTINEL", "IS-MASTER-DOWN-BY-ADDR", f"127.0.1.{leader.id}", leader.port, "0", "*")[0] == 1
        wait_for(lambda: str(ask(alone, "SENTINEL", "CKQUORUM", "mymaster")).startswith("NOQUORUM 1 usable Sentinels."),
                 10 + CUT, "the links are missed")
        assert "status=odown" in ask(alone, "INFO", "sentinel").decode()
        for node in others:
            assert master_of(node)["flags"] == "master"
        wait_for(lambda: flags_at(leader)[alone.port] == "slave,s_down,disconnected", 10, "no answers, no replica")
        cluster.heal()
        heard(listener, "-sdown", f"master mymaster 127.0.1.{leader.id} {leader.port}")
        wait_for(lambda: flags_at(leader)[alone.port] == "slave", 20, "the replica is back")
        assert master_of(alone)["flags"] == "master"


def test_before_there_was_a_leader_none_is_named(make_cluster):
    cluster = with_sentinels(make_cluster, start=False)
    one = cluster.nodes[0]
    one.start(wait=False)

    def answers():
        try:
            return ask(one, "PING") == "PONG"
        except (OSError, Closed):
            return False
    wait_for(answers, 20, "the Sentinel answers before the cluster has begun")
    with Connection(port=one.sentinel_port) as connection:
        assert connection.call("SENTINEL", "MASTERS") == []
        assert connection.call_raw("SENTINEL", "get-master-addr-by-name", "mymaster") == NULL
        for name in ("MASTER", "REPLICAS"):
            assert connection.call("SENTINEL", name, "mymaster").code == "CLUSTERDOWN"
        assert connection.call("ROLE") == [b"sentinel", []]
        assert connection.call("SENTINEL", "CKQUORUM", "mymaster").code == "NOQUORUM"


def test_the_masters_name_is_the_operators_choice(make_cluster):
    cluster = make_cluster(size=1, start=False)
    node, = cluster.nodes
    node.sentinel_port = cluster.ports.take()
    cluster.write_config(node, sentinel_port=node.sentinel_port, sentinel_master_name="cache-1")
    cluster.start()
    wait_for(lambda: ask(node, "SENTINEL", "get-master-addr-by-name", "cache-1"), 10)
    assert ask(node, "SENTINEL", "get-master-addr-by-name", "mymaster") is None
    assert ask(node, "ROLE") == [b"sentinel", [b"cache-1"]]


def test_the_announced_address_is_named(make_cluster):
    cluster = make_cluster(size=1, start=False)
    node, = cluster.nodes
    node.sentinel_port = cluster.ports.take()
    cluster.write_config(node, sentinel_port=node.sentinel_port, cluster_announce_ip="10.0.0.1",
                         cluster_announce_port="7001", cluster_announce_hostname="n.example")
    cluster.start()
    get = ("SENTINEL", "get-master-addr-by-name", "mymaster")
    wait_for(lambda: ask(node, *get) == [b"10.0.0.1", b"7001"], 10)
    with listen(node, "+switch-master") as listener:
        assert node.call("CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname") == "OK"
        assert listener.read()[2] == b"mymaster 10.0.0.1 7001 n.example 7001"
    assert ask(node, *get) == [b"n.example", b"7001"]


def test_the_password_of_the_node_guards_it(make_cluster):
    cluster = make_cluster(size=1, start=False, requirepass="pw")
    node, = cluster.nodes
    node.sentinel_port = cluster.ports.take()
    cluster.write_config(node, sentinel_port=node.sentinel_port)
    node.start()
    with Connection(port=node.sentinel_port) as connection:
        assert connection.call("SENTINEL", "MASTERS") == Error("NOAUTH Authentication required.")
        assert connection.call("AUTH", "pw") == "OK"
        wait_for(lambda: connection.call("SENTINEL", "MASTERS"), 10)


def test_an_address_of_ipv6_is_told_from_its_port(make_cluster):
    cluster = with_sentinels(make_cluster)
    leader, one = cluster.wait_leader(), cluster.followers()[0]
    wait_until_named([leader], leader)
    with listen(leader, "+sdown") as listener:
        assert one.call("CONFIG", "SET", "cluster-announce-ip", "fe80::7") == "OK"
        wait_for(lambda: fields(replica_of(leader, one.port))["name"] == f"[fe80::7]:{one.port}", 10)
        assert fields(replica_of(leader, one.port))["ip"] == "fe80::7"
        one.kill()
        assert listener.read()[2].decode().startswith(f"slave [fe80::7]:{one.port} fe80::7 {one.port} @ mymaster ")


def replica_of(node, port):
    return next(one for one in ask(node, "SENTINEL", "REPLICAS", "mymaster") if fields(one)["port"] == str(port))


def test_memory_of_its_clients_is_counted(make_cluster):
    cluster = with_sentinels(make_cluster, size=1)
    node, = cluster.nodes
    before = int(node.info("memory")["mem_clients_normal"])
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(Connection(port=node.sentinel_port))
            assert connection.call("SUBSCRIBE", "c" * 10000)[2] == 1
        assert int(node.info("memory")["mem_clients_normal"]) > before + 50 * 10000


def test_limits_that_change_hold_for_its_clients_too(make_cluster):
    cluster = with_sentinels(make_cluster, size=1)
    node, = cluster.nodes
    with Connection(port=node.sentinel_port) as first:
        assert first.call("PING") == "PONG"
        assert node.call("CONFIG", "SET", "maxclients", "1") == "OK"
        with Connection(port=node.sentinel_port) as second:
            assert second.read() == Error("ERR max number of clients reached")
        assert first.call("PING") == "PONG"


def test_each_port_has_its_share_of_the_descriptors(make_cluster):
    shares = {}
    for with_sentinel in (False, True):
        cluster = make_cluster(size=1, start=False, io_threads=1)
        node, = cluster.nodes
        node.sentinel_port = cluster.ports.take()
        cluster.write_config(node, sentinel_port=node.sentinel_port if with_sentinel else 0)
        node.program = ["prlimit", "--nofile=200:200", SERVER]
        node.start()
        shares[with_sentinel] = int(node.call("CONFIG", "GET", "maxclients")[1])
    assert shares[False] // 2 - 1 <= shares[True] <= shares[False] // 2
    crowd = []
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(Connection(port=node.port))
        wait_for(lambda: b"\r\nconnected_clients:1\r\n" in first.call("INFO", "clients"), what="earlier ones are gone")
        for port, already in ((node.sentinel_port, []), (node.port, [first])):
            crowd += already
            for _ in range(shares[True] + 5 - len(already)):
                crowd.append(stack.enter_context(Connection(port=port)))
        told = [str(connection.call("PING")) for connection in crowd[:shares[True]]]
        assert set(told) == {"PONG"}
        told = [str(one.call("PING")) for one in crowd[shares[True] + 5:2 * shares[True] + 5]]
        assert set(told) == {"PONG"}
        assert crowd[shares[True]].read() == Error("ERR max number of clients reached")


def test_a_port_in_use_stops_the_start(make_cluster):
    cluster = with_sentinels(make_cluster, size=1)
    node, = cluster.nodes
    port = cluster.ports.take()
    status, output = run_server("--port", port, "--bind", "127.0.0.1", "--dir", cluster.dir / "other",
                                "--sentinel-port", node.sentinel_port)
    assert status == 1 and f"could not bind 127.0.0.1:{node.sentinel_port}: address in use" in output
    status, output = run_server("--check-config", "--port", port, "--bind", "127.0.0.1", "--dir",
                                cluster.dir / "other", "--sentinel-port", node.sentinel_port)
    assert status == 1 and "address in use" in output, output
