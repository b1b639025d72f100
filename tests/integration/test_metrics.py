"""/metrics: the format, the numbers, and that INFO says the same."""
import re
import shutil
import subprocess

import pytest

from cluster import TOP, Cluster
from waiting import wait_for
from web import request

LINE = re.compile(r'^([a-z_][a-z0-9_]*)(\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})? (-?[0-9.e+-]+|\+Inf|NaN)$')
# What dashboards and alerts of redis_exporter look for.
OF_EXPORTER = """redis_up redis_instance_info redis_connected_clients redis_blocked_clients redis_max_clients
redis_memory_used_bytes redis_memory_max_bytes redis_memory_used_rss_bytes redis_memory_used_peak_bytes
redis_mem_fragmentation_ratio redis_commands_processed_total redis_connections_received_total
redis_rejected_connections_total redis_net_input_bytes_total redis_net_output_bytes_total redis_keyspace_hits_total
redis_keyspace_misses_total redis_expired_keys_total redis_db_keys redis_db_keys_expiring redis_db_avg_ttl_seconds
redis_commands_total redis_commands_duration_seconds_total redis_uptime_in_seconds redis_start_time_seconds
redis_cpu_sys_seconds_total redis_cpu_user_seconds_total redis_connected_slaves redis_master_repl_offset
redis_rdb_last_save_timestamp_seconds redis_rdb_changes_since_last_save redis_loading_dump_file""".split()


@pytest.fixture(scope="module")
def cluster():
    one = Cluster("metrics")
    for node in one.nodes:
        node.web = one.ports.take()
        one.write_config(node, http_port=node.web)
    with one:
        yield one


def text_of(node):
    answer = request(node.web, "GET", "/metrics")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.body.decode()


def numbers_of(node):
    """{name with its labels: number}"""
    found = {}
    for line in text_of(node).splitlines():
        if line.startswith("#"):
            continue
        match = LINE.match(line)
        assert match, line
        name = match.group(1) + (match.group(2) or "")
        assert name not in found, f"{name} stands twice"
        found[name] = float(match.group(3))
    return found


def test_every_family_has_its_help_and_type_once_and_stands_together(cluster):
    for node in cluster.nodes:
        seen, current = set(), None
        for line in text_of(node).splitlines():
            if line.startswith("# HELP "):
                current = line.split()[2]
                assert current not in seen, f"{current} stands twice"
                seen.add(current)
            elif line.startswith("# TYPE "):
                assert line.split()[2] == current and line.split()[3] in ("counter", "gauge", "histogram")
            else:
                name = re.match(r"[a-z0-9_]+", line).group(0)
                assert re.sub(r"_(bucket|sum|count)$", "", name) == current or name == current, line


def test_promtool_finds_nothing(cluster):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    for node in cluster.nodes:
        done = subprocess.run(["promtool", "check", "metrics"], input=text_of(node).encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        complaints = [line for line in done.stdout.decode().splitlines() if line]
        # The name is redis_exporter's.
        assert complaints in ([], ['redis_total_error_replies counter metrics should have "_total" suffix']), complaints


def test_histograms_grow_and_end_with_their_count(cluster):
    leader = cluster.wait_leader()
    before = numbers_of(leader)
    for number in range(50):
        leader.call("SET", "h", number)
    numbers = numbers_of(leader)
    for name in ("flotilla_raft_commit_seconds", "flotilla_disk_sync_seconds", "flotilla_loop_turn_seconds"):
        buckets = [(float(key.split('"')[1]), value) for key, value in numbers.items() if key.startswith(name + "_bucket")]
        assert buckets == sorted(buckets) and len(buckets) > 20
        assert [value for _, value in buckets] == sorted(value for _, value in buckets)
        assert buckets[-1] == (float("inf"), numbers[name + "_count"])
        assert numbers[name + "_sum"] > before[name + "_sum"] and numbers[name + "_count"] > before[name + "_count"]


def test_names_of_redis_exporter_are_there(cluster):
    text = text_of(cluster.wait_leader())
    assert [name for name in OF_EXPORTER if f"# TYPE {name} " not in text] == []


def rows():
    """Of the table: (name in INFO, name at /metrics, what the number is divided by)."""
    table = (TOP / "src/server/metrics_table.c").read_text()
    row = re.compile(r'ROW\(([A-Z_]+),\s*(NULL|"[^"]*"),\s*(NULL|"[^"]*"),\s*(NULL|"[^"]*"),\s*"([^"]*)"(.*?)\)\),', re.S)
    found = [(group, *(None if one == "NULL" else one.strip('"') for one in names), rest)
             for group, *names, _, rest in row.findall(table)]
    assert len(found) > 100
    return found


def test_info_and_metrics_say_the_same(cluster):
    """Where a number stands still; the others are only there in both."""
    node = cluster.followers()[0]
    info = node.info("everything")
    numbers = numbers_of(node)
    same = 0
    for group, of_info, name, exporter, _ in rows():
        assert (group == "NOT_IN_INFO") == (of_info is None)
        if of_info:
            assert of_info in info, of_info
        shown = [one for one in (name and "flotilla_" + name, exporter) if one]
        assert [one for one in shown if one not in numbers] == []
        if of_info and shown and of_info in ("maxclients", "maxmemory", "total_system_memory", "raft_snapshot_index",
                                             "raft_first_log_index", "raft_elections_won", "used_memory_startup",
                                             "rejected_connections", "raft_log_segments", "cluster_connections"):
            assert [numbers[one] for one in shown] == [float(info[of_info])] * len(shown), of_info
            same += 1
    assert same == 10


def test_conventions_of_names_and_units():
    for _, _, name, _, rest in rows():
        if name:
            assert name.endswith("_total") == ("COUNTER" in rest), name
            assert not re.search(r"_(ms|us|usec|kb|mb)(_|$)", name), name


def test_numbers_follow_what_happens(cluster):
    leader = cluster.wait_leader()
    before = numbers_of(leader)
    for number in range(20):
        leader.call("SET", f"n{number}", "x", "EX", 1000)
    leader.call("GET", "n1")
    leader.call("GET", "no such")
    leader.call("LPUSH", "n1", "x")
    after = numbers_of(leader)

    def grew(name):
        return after.get(name, 0) - before.get(name, 0)
    assert grew('redis_commands_total{cmd="set"}') == 20
    assert grew('flotilla_commands_total{cmd="set"}') == 20
    assert grew('redis_commands_failed_calls_total{cmd="lpush"}') == 1
    assert grew('redis_errors_total{err="WRONGTYPE"}') == 1
    assert grew("flotilla_raft_proposals_total") >= 20 and grew("flotilla_raft_commit_index") >= 20
    assert grew("redis_keyspace_hits_total") >= 1 and grew("redis_keyspace_misses_total") >= 1
    assert grew('redis_db_keys{db="db0"}') == 20 and grew('redis_db_keys_expiring{db="db0"}') == 20
    assert 900 < after['redis_db_avg_ttl_seconds{db="db0"}'] <= 1000
    assert grew("flotilla_http_requests_total") >= 1 and grew('flotilla_http_responses_total{code="2xx"}') >= 1
    request(leader.web, "GET", "/nothing")
    assert numbers_of(leader)['flotilla_http_responses_total{code="4xx"}'] >= 1


def test_who_leads_and_who_follows(cluster):
    leader = cluster.wait_leader()
    for node in cluster.nodes:
        numbers = numbers_of(node)
        assert numbers["flotilla_raft_is_leader"] == (node is leader)
        assert numbers["flotilla_raft_leader_id"] == leader.id and numbers["flotilla_raft_has_leader"] == 1
        assert numbers['flotilla_raft_role{role="leader"}'] == (node is leader)
        assert numbers["flotilla_raft_voters"] == numbers["flotilla_raft_voters_connected"] == 3
        role = "master" if node is leader else "slave"
        assert [name for name in numbers if name.startswith(f'redis_instance_info{{role="{role}"')]
        others = {other.id for other in cluster.nodes} - {node.id}
        assert all(numbers[f'flotilla_peer_connected{{peer="{other}"}}'] == 1 for other in others)
        assert (f'flotilla_peer_lag_entries{{peer="{min(others)}"}}' in numbers) == (node is leader)
    assert numbers_of(leader)["redis_connected_slaves"] == 2


def test_a_follower_that_is_gone_lags_and_is_missed(make_cluster):
    one = make_cluster(start=False)
    for node in one.nodes:
        node.web = one.ports.take()
        one.write_config(node, http_port=node.web)
    one.start()
    leader, gone = one.wait_leader(), one.followers()[0]
    gone.kill()
    for number in range(30):
        leader.call("SET", "k", number)
    wait_for(lambda: numbers_of(leader)["flotilla_raft_voters_connected"] == 2, 20, "one is missed")
    numbers = numbers_of(leader)
    assert numbers[f'flotilla_peer_connected{{peer="{gone.id}"}}'] == 0
    assert numbers[f'flotilla_peer_lag_entries{{peer="{gone.id}"}}'] >= 30
    assert numbers["redis_connected_slaves"] == 1
