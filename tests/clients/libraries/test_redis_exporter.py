"""redis_exporter shows what the alert rules that people run look at."""
import contextlib
import re
import urllib.error
import urllib.request

import pytest

import catalogue
from cluster import Cluster, spawn
from scenario import EXPECTED_REFUSALS, forget_refusals, refusals
from waiting import wait_for

MAXMEMORY = 512 * 1024 * 1024


@pytest.fixture(scope="module")
def library():
    library = catalogue.named("redis_exporter")
    problem = library.missing()
    if problem:
        pytest.skip(f"{library.name}: {problem}")
    return library


@pytest.fixture(scope="module")
def cluster(library):
    with Cluster("exporter", maxmemory=MAXMEMORY) as one:
        forget_refusals(one)
        one.wait_leader().call("MSET", *[word for n in range(10) for word in (f"key{n}", n)])
        one.wait_equal()
        yield one


@pytest.fixture
def exported(cluster, library):
    """exported(node): a function that scrapes it, {"name{labels}": value}."""
    processes = []

    def export(node):
        port = cluster.ports.take()
        command = [library.fill(library.command[0]), "-redis.addr", f"redis://{node.address}", "-is-cluster",
                   "-include-system-metrics", "-web.listen-address", f"127.0.0.1:{port}"]
        processes.append(spawn(command, cluster.dir / "exporter.log"))

        def scrape():
            with contextlib.suppress(urllib.error.URLError, OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                    return parsed(answer.read().decode())
            return None
        wait_for(scrape, 20, "the exporter answers")
        return scrape
    yield export
    for process in processes:
        process.kill()
        process.wait()


def parsed(text):
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def label(metrics, name, key):
    found = [re.search(f'{key}="([^"]*)"', metric)[1] for metric in metrics if metric.startswith(name + "{")]
    assert len(found) == 1, found
    return found[0]


def test_at_the_leader(cluster, exported):
    leader = cluster.wait_leader()
    metrics = exported(leader)()
    assert metrics["redis_up"] == 1
    assert metrics['redis_exporter_last_scrape_error{err=""}'] == 0
    assert label(metrics, "redis_instance_info", "role") == "master"
    assert label(metrics, "redis_instance_info", "redis_mode") == "cluster"
    assert metrics["redis_connected_slaves"] == 2
    assert metrics["redis_memory_max_bytes"] == MAXMEMORY
    assert 0 < metrics["redis_memory_used_bytes"] < MAXMEMORY
    assert metrics["redis_total_system_memory_bytes"] > MAXMEMORY
    assert metrics["redis_connected_clients"] >= 1
    assert metrics["redis_rejected_connections_total"] == 0
    assert metrics['redis_db_keys{db="db0"}'] == 10
    assert metrics['redis_commands_total{cmd="mset"}'] == 1
    assert metrics["redis_cluster_state"] == 1
    assert metrics["redis_cluster_known_nodes"] == 3
    assert metrics["redis_cluster_slots_ok"] == 16384
    assert refusals(cluster) - EXPECTED_REFUSALS == set()


def test_at_a_follower(cluster, exported):
    metrics = exported(cluster.followers()[0])()
    assert metrics["redis_up"] == 1
    assert label(metrics, "redis_instance_info", "role") == "slave"
    assert metrics['redis_db_keys{db="db0"}'] == 10
    assert [value for name, value in metrics.items() if name.startswith("redis_master_link_up")] == [1]


def test_a_snapshot_moves_the_time_of_the_last_one(cluster, exported):
    leader = cluster.wait_leader()
    scrape = exported(leader)
    before = scrape()["redis_rdb_last_save_timestamp_seconds"]
    wait_for(lambda: leader.call("SAVE") == "OK" and scrape()["redis_rdb_last_save_timestamp_seconds"] > before, 20,
             "a later time")


def test_the_exporter_notices_that_the_node_is_gone(cluster, exported):
    node = cluster.followers()[0]
    scrape = exported(node)
    leader = cluster.wait_leader()
    leading = exported(leader)
    node.kill()
    assert scrape()["redis_up"] == 0
    wait_for(lambda: leading()["redis_connected_slaves"] == 1, 20, "the leader misses it")
    node.start()
    wait_for(lambda: leading()["redis_connected_slaves"] == 2, 20, "the leader has it back")
    assert scrape()["redis_up"] == 1
