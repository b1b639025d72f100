"""redis-cli and redis-benchmark."""
import shutil
import subprocess

import pytest

from cluster import Cluster

if shutil.which("redis-cli") is None:
    pytest.skip("redis-cli is not installed: deps/install.sh installs it", allow_module_level=True)


@pytest.fixture(scope="module")
def cluster():
    with Cluster("tools", raft_election_timeout_ms=1000, raft_heartbeat_ms=50) as one:
        yield one


def run(*command, stdin=""):
    done = subprocess.run([str(word) for word in command], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    return done.stdout


def cli(node, *arguments, stdin=""):
    return run("redis-cli", "-p", node.port, *arguments, stdin=stdin)


def test_redis_cli_on_the_leader(cluster):
    leader = cluster.wait_leader()
    assert cli(leader, "SET", "a", "1") == "OK\n"
    assert cli(leader, "GET", "a") == "1\n"
    assert cli(leader, "INCR", "a") == "2\n"
    assert cli(leader, "GET", "nothing") == "\n"
    assert "ERR unknown command" in cli(leader, "NOPE")


def test_redis_cli_follows_redirects_from_every_node(cluster):
    for node in cluster.nodes:
        assert cli(node, "-c", "SET", f"key{node.id}", node.id).splitlines()[-1] == "OK"
        for other in cluster.nodes:
            assert cli(other, "-c", "GET", f"key{node.id}").splitlines()[-1] == str(node.id)


def test_redis_cli_speaks_resp3(cluster):
    leader = cluster.wait_leader()
    lines = cli(leader, "-3", "--no-raw", "HELLO").splitlines()
    assert any(line.endswith('"proto" => (integer) 3') for line in lines), lines
    assert cli(leader, "-3", "SET", "a", "3") == "OK\n"


def test_redis_cli_reads_commands_from_standard_input(cluster):
    leader = cluster.wait_leader()
    text = "DEL list1\nSET x \"a b\"\nGET x\nMULTI\nINCR list1\nEXEC\n"
    assert cli(leader, stdin=text).split("\n") == ["0", "OK", "a b", "OK", "QUEUED", "1", ""]


def test_redis_cli_pipes_bulk_data(cluster):
    leader = cluster.wait_leader()
    data = "".join(f"*3\r\n$3\r\nSET\r\n$8\r\nbulk{i:04}\r\n$1\r\nv\r\n" for i in range(2000))
    assert "errors: 0, replies: 2000" in cli(leader, "--pipe", stdin=data)


def test_redis_cli_scans(cluster):
    leader = cluster.wait_leader()
    cli(leader, "MSET", *[word for i in range(100) for word in (f"scan:{i}", i)])
    found = cli(leader, "--scan", "--pattern", "scan:*").split()
    assert sorted(found) == sorted(f"scan:{i}" for i in range(100))


def test_redis_cli_checks_the_cluster(cluster):
    text = cli(cluster.nodes[0], "--cluster", "check", cluster.nodes[0].address)
    assert "All 16384 slots covered." in text, text
    assert "[OK] All nodes agree about slots configuration." in text, text


def test_redis_cli_counts_the_keys_of_the_cluster(cluster):
    cluster.wait_leader().call("MSET", "counted:1", "1", "counted:2", "2")
    for node in cluster.nodes:
        text = cli(node, "--cluster", "info", node.address)
        keys = cluster.wait_leader().call("DBSIZE")
        assert f"[OK] {keys} keys in 1 masters." in text, text
        assert f"-> {keys} keys | 16384 slots | 2 slaves." in text, text


def benchmark(node, *arguments):
    text = run("redis-benchmark", "-p", node.port, "-q", *arguments)
    assert "ERR" not in text.upper().replace("WARNING", ""), text
    return text


def test_redis_benchmark_on_the_leader(cluster):
    text = benchmark(cluster.wait_leader(), "-t", "set,get,incr,mset", "-P", "16", "-n", "2000")
    for name in ("SET", "GET", "INCR", "MSET (10 keys)"):
        assert f"{name}: " in text.replace("\r", "\n"), text
    assert text.count("requests per second") == 4, text


def test_redis_benchmark_on_a_follower(cluster):
    text = benchmark(cluster.followers()[0], "-t", "set,get", "-n", "1000", "-c", "20")
    assert text.count("requests per second") == 2, text


def test_redis_benchmark_reads_the_cluster(cluster):
    """Its cluster mode wants two masters or more and says the same to a Redis Cluster of one: what can be tried is
    that it understands the topology, from any node."""
    for node in cluster.nodes:
        text = run("redis-benchmark", "-p", node.port, "-q", "--cluster", "-t", "set", "-n", "100")
        assert text == "Invalid cluster: 1 node(s).\n"
