"""Memory: what counts against maxmemory, what is given back, and what INFO says of it."""
import contextlib

import pytest

from cluster import PATIENCE
from resp import Closed, Error
from waiting import wait_for

MEGABYTE = 1 << 20


def memory(node):
    return {key: int(value) for key, value in node.info("memory").items() if value.isdigit()}


def set_and_delete(connection, megabytes):
    assert connection.call("SET", "large", bytes(megabytes * MEGABYTE)) == "OK", megabytes
    assert connection.call("DEL", "large") == 1


def test_buffers_and_log_do_not_count_against_maxmemory(make_cluster):
    cluster = make_cluster(size=1, maxmemory="100mb")
    with cluster.wait_leader().connect() as connection:
        for megabytes in [20] * 5 + [30] * 5 + [40]:
            set_and_delete(connection, megabytes)
        assert connection.call("SET", "small", "1") == "OK"


def test_data_counts_against_maxmemory(make_cluster):
    cluster = make_cluster(size=1, maxmemory="20mb")
    with cluster.wait_leader().connect() as connection:
        def fill():
            for i in range(100):
                reply = connection.call("SET", f"key{i}", bytes(MEGABYTE))
                if isinstance(reply, Error):
                    return i, reply
            return 100, None
        count, reply = fill()
        assert reply is not None and reply.code == "OOM"
        assert 15 <= count <= 22
        assert connection.call("DEL", *[f"key{i}" for i in range(count // 2)]) == count // 2
        assert connection.call("SET", "again", bytes(MEGABYTE)) == "OK"


def test_large_values_leave_no_memory_behind(make_cluster):
    cluster = make_cluster(raft_election_timeout_ms=3000, raft_heartbeat_ms=100)
    leader = cluster.wait_leader()
    with leader.connect(timeout=60) as connection:
        for _ in range(6):
            set_and_delete(connection, 16)
    cluster.wait_equal()

    def is_small(node):
        figures = memory(node)
        return figures["used_memory"] < 12 * MEGABYTE and figures["used_memory_rss"] < 60 * MEGABYTE
    for node in cluster.nodes:
        wait_for(lambda node=node: is_small(node), 40 * PATIENCE, f"node {node.id} gives its memory back")


def test_peak_is_kept_without_info(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.wait_leader()
    with node.connect() as connection:
        assert connection.call("SET", "large", bytes(50 * MEGABYTE)) == "OK"
        with contextlib.suppress(Closed):
            connection.call("ECHO", "the next turns see the value")
    import time
    time.sleep(0.5)
    assert node.call("DEL", "large") == 1
    wait_for(lambda: memory(node)["used_memory"] < 10 * MEGABYTE, 40 * PATIENCE, "the memory is given back")
    assert memory(node)["used_memory_peak"] > 50 * MEGABYTE


def differences(figures, connection):
    """The names under which MEMORY STATS says something else than INFO."""
    reply = connection.call("MEMORY", "STATS")
    stats = dict(zip(reply[::2], reply[1::2]))
    assert stats[b"keys.count"] == 2000
    names = {b"dataset.bytes": "used_memory_dataset", b"overhead.total": "used_memory_overhead",
             b"startup.allocated": "used_memory_startup", b"total.allocated": "used_memory"}
    return [name for name, key in names.items() if stats[name] != pytest.approx(figures[key], abs=200000)]


def test_figures_of_memory_add_up(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.wait_leader()
    with node.connect() as connection:
        for i in range(2000):
            connection.send("SET", f"key{i}", "x" * 1000)
        for i in range(2000):
            assert connection.read() == "OK"
        figures = memory(node)
        assert figures["used_memory_dataset"] > 2000 * 1000
        assert figures["used_memory_dataset"] < 2000 * 1000 + 4 * MEGABYTE
        assert figures["used_memory_dataset"] + figures["used_memory_overhead"] == figures["used_memory"]
        assert figures["used_memory_startup"] + figures["mem_not_counted_for_evict"] == figures["used_memory_overhead"]
        assert figures["mem_clients_normal"] + figures["mem_cluster_links"] + figures["mem_aof_buffer"] + \
            figures["mem_raft_log"] == figures["mem_not_counted_for_evict"]
        # All of it is applied, and nobody else may want it.
        assert figures["mem_raft_entry_cache"] <= figures["mem_raft_log"] < MEGABYTE
        # Between two looks, buffers of the writes before are still being given back.
        wait_for(lambda: not differences(memory(node), connection), 20 * PATIENCE, "both say the same")
