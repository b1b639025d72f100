"""kill -9 at each step of persistence: the server with failpoints dies there, the server without them comes back.

FLOTILLA_FAILPOINTS=all runs every case; without it each place is met once."""
import os
import shutil
import signal
import subprocess

import pytest

from cluster import PATIENCE, SERVER, TOOLS
from load import Rewriter
from resp import Closed, Error
from waiting import wait_for

PROGRAM = TOOLS / "flotilla-server-failpoints"
ALL = os.environ.get("FLOTILLA_FAILPOINTS") == "all"
SMALL = {
    "raft_snapshot_log_bytes": "130kb",
    "raft_snapshot_keep_bytes": "64kb",
    "raft_snapshot_chunk_bytes": "16kb",
    "raft_segment_bytes": "64kb",
}

# The places by what has to happen for a node to pass them: (name, passages to die at; the first one always,
# the others with FLOTILLA_FAILPOINTS=all).
WRITING = {
    "append:before-write": (7, 1, 40, 200),
    "append:after-write": (8, 1, 41, 201),
    "append:after-sync": (9, 1, 42, 202),
    "replace:before-write": (1, 2, 3),
    "replace:after-write": (2, 1, 3),
    "replace:after-sync": (1, 2, 3),
    "replace:after-rename": (2, 1, 3),
    "replace:after-folder-sync": (1, 2, 3),
    "rename:before-rename": (1, 2),
    "rename:after-rename": (1, 2),
    "rename:after-folder-sync": (2, 1),
    "remove:before": (2, 1, 3),
    "remove:after": (1, 2, 3),
    "folder:before-sync": (1, 2),
    "folder:after-sync": (2, 1),
    "image:before-write": (1, 2),
    "image:after-write": (2, 1),
    "image:after-sync": (1, 2),
}
# When a node that was away gets a snapshot.
INSTALLING = {
    "append:before-write": (3, 1, 5),
    "append:after-sync": (4, 2, 6),
    "rename:before-rename": (1,),
    "rename:after-rename": (1,),
    "rename:after-folder-sync": (1,),
    "replace:before-write": (1,),
    "replace:after-sync": (1,),
    "replace:after-rename": (1,),
    "remove:before": (1, 2),
    "remove:after": (1, 2),
}
# When a node that led has entries that the others have not: the vote goes to its file, segments out of the manifest,
# the rest is cut off.
CONFLICT = {
    "truncate:before-cut": (1,),
    "truncate:after-cut": (1,),
    "truncate:after-sync": (1,),
    "replace:after-rename": (1, 2),
    "replace:after-sync": (2, 1),
    "remove:before": (1,),
    "remove:after": (1, 2),
}
FIRST_START = {
    "mkdir:after-mkdir": (1, 2),
    "mkdir:after-folder-sync": (2, 1),
    "recover:before-replace": (1, 2),
    "recover:after-replace": (1, 2),
    "replace:before-write": (2, 1),
    "replace:after-write": (1, 2),
    "replace:after-rename": (2, 1),
}
# flotilla.identity is written four times: empty, with the record, begun, with a log.
BEGIN = {
    "replace:before-write": (2, 1, 3, 4),
    "replace:after-write": (3, 1, 2, 4),
    "replace:after-rename": (2, 1, 3, 4),
    "replace:after-folder-sync": (2, 1, 3, 4),
}
RESTART = {
    "recover:before-truncate": (1,),
    "recover:after-truncate": (1,),
    "recover:before-remove": (1, 2),
    "recover:after-remove": (1, 2),
    "recover:before-folder-sync": (1,),
    "recover:after-folder-sync": (1,),
}
# A second backup, with backup-keep 1.
BACKUP = {
    "backup:before-write": (2, 1),
    "backup:after-write": (1, 2),
    "backup:before-sync": (1,),
    "backup:after-sync": (1,),
    "backup:after-rename": (1,),
    "backup:after-folder-sync": (1,),
    "backup:after-removal": (1,),
}
HAPPENINGS = (WRITING, INSTALLING, CONFLICT, FIRST_START, BEGIN, RESTART, BACKUP)


def cases(happening):
    return [(name, n) for name, passages in happening.items() for n in (passages if ALL else passages[:1])]


def arm(node, *points):
    node.program = [PROGRAM]
    node.environment = {"FLOTILLA_FAILPOINT": ",".join(points)}


def disarm(node):
    node.program = [SERVER]
    node.environment = {}


def wait_killed(node, what, timeout=20):
    wait_for(lambda: not node.running, timeout * PATIENCE, f"node {node.id} dies at {what}", interval=0.002)
    assert node.process.returncode == -signal.SIGKILL, f"{what}: {node.process.returncode}\n{node.tail(5)}"


def assert_redis_accepts(node, what):
    manifest = node.appendonly / "appendonly.aof.manifest"
    if not manifest.exists() or not shutil.which("redis-check-aof"):
        return
    done = subprocess.run(["redis-check-aof", manifest], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, f"{what}: {done.stdout[-600:]}"


def die_at(node, name, passage, wait=False):
    """Starts the node that dies at the place; what stays on the disk is fine by Redis, too."""
    point = f"{name}:abort@{passage}"
    arm(node, point)
    node.start(wait=wait)
    wait_killed(node, point)
    assert_redis_accepts(node, point)


class Load:
    """Writes of several clients, each remembers what was acknowledged."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.writers = [Rewriter(cluster, f"w{number}") for number in range(3)]
        for writer in self.writers:
            writer.start()

    def finish(self):
        for writer in self.writers:
            writer.finish()
        self.cluster.wait_equal()
        with self.cluster.wait_leader().connect() as connection:
            lost = [key for writer in self.writers for key in writer.lost(connection)]
        assert not lost, f"{len(lost)} acknowledged writes are lost (key, least, found): {lost[:5]}"
        assert all(writer.acknowledged for writer in self.writers)


def fill(connection, rounds=10, size=8000):
    for _ in range(rounds):
        replies = connection.pipeline([("SET", f"filler:{i}", "v" * size) for i in range(10)])
        assert set(replies) == {"OK"}, replies


def test_each_failpoint_is_met_by_a_case():
    done = subprocess.run([PROGRAM], env={**os.environ, "FLOTILLA_FAILPOINT": "list"}, capture_output=True,
                          timeout=20, check=True)
    names = set(done.stdout.decode().split())
    assert names == {name for happening in HAPPENINGS for name in happening}


@pytest.mark.parametrize("point", ["nowhere:abort@1", "append:after-sync:abort@0", "append:after-sync", "x"])
def test_a_failpoint_that_does_not_exist_is_refused(point):
    done = subprocess.run([PROGRAM, "--version"], env={**os.environ, "FLOTILLA_FAILPOINT": point},
                          capture_output=True, timeout=20, check=False)
    assert done.returncode == 1
    assert point in done.stderr.decode()


def test_a_server_without_failpoints_takes_no_notice_of_the_variable():
    done = subprocess.run([SERVER, "--version"], env={**os.environ, "FLOTILLA_FAILPOINT": "list"},
                          capture_output=True, timeout=20, check=True)
    assert done.stdout.startswith(b"Flotilla server")


def test_a_node_that_is_killed_at_each_step_of_writing_loses_nothing(make_cluster):
    cluster = make_cluster(**SMALL)
    load = Load(cluster)
    for number, (name, passage) in enumerate(cases(WRITING)):
        victim = cluster.nodes[number % 3]
        victim.kill()
        die_at(victim, name, passage)
        disarm(victim)
        victim.start()
    load.finish()


def test_a_leader_that_is_killed_between_write_and_sync_loses_nothing(make_cluster):
    cluster = make_cluster(**SMALL)
    names = ("append:after-write", "append:after-sync", "append:before-write", "replace:after-rename")
    for name in names if ALL else names[:2]:
        victim = cluster.followers()[0]
        for node in cluster.nodes:  # the victim is the first one to miss a leader
            node.kill()
            cluster.write_config(node, raft_election_timeout_ms=400 if node is victim else 3000)
        point = f"{name}:abort@{3 if name.startswith('replace') else 60}"
        arm(victim, point)
        cluster.start()
        assert cluster.leader() is victim
        load = Load(cluster)
        wait_killed(victim, point)
        assert_redis_accepts(victim, point)
        disarm(victim)
        victim.start()
        load.finish()


def test_a_node_that_is_killed_within_an_image_leaves_nothing_of_it(make_cluster):
    cluster = make_cluster(**SMALL)
    load = Load(cluster)
    victim = cluster.followers()[0]
    victim.kill()
    arm(victim, "image:after-write:pause@1")
    victim.start()
    temporary = wait_for(lambda: list(victim.appendonly.glob("temp-image-*")), 20 * PATIENCE, "an image is begun")
    victim.kill()
    disarm(victim)
    victim.start()
    assert not any(path.exists() for path in temporary)
    load.finish()


def test_a_node_that_is_killed_at_each_step_of_an_install_gets_it_in_the_end(make_cluster):
    cluster = make_cluster(**SMALL)
    load = Load(cluster)
    for name, passage in cases(INSTALLING):
        leader = cluster.wait_leader()
        victim = cluster.followers()[0]
        victim.kill()
        first = int(leader.raft()["raft_last_log_index"])
        with leader.connect() as connection:
            def purged():
                fill(connection, 1)
                return int(leader.raft()["raft_first_log_index"]) > first
            wait_for(purged, 20 * PATIENCE, "what the victim needs is purged")
        die_at(victim, name, passage)
        disarm(victim)
        victim.start()
        wait_for(lambda: victim.applied >= first, 20 * PATIENCE, f"{name}@{passage}: node {victim.id} is back")
    load.finish()


def append_what_nobody_else_has(cluster):
    """The leader has entries, over several segments, that it could not give to the others. It is dead then."""
    leader = cluster.wait_leader()
    others = cluster.followers()
    before = int(leader.raft()["raft_last_log_index"])
    for node in others:
        node.kill()
    with leader.connect() as connection:
        for number in range(6):
            connection.send("SET", f"orphan:{number}", "o" * 50000)
        wait_for(lambda: int(leader.raft()["raft_last_log_index"]) >= before + 4, 10 * PATIENCE, "entries of its own")
        wait_for(lambda: int(leader.raft()["raft_durable_index"]) >= before + 4, 10 * PATIENCE, "they are durable")
    leader.kill()
    for node in others:
        node.start()
    cluster.wait_leader()
    return leader


def test_a_node_that_is_killed_at_each_step_of_cutting_its_log_gives_way_to_the_others(make_cluster):
    cluster = make_cluster(**{**SMALL, "raft_snapshot_log_bytes": "10mb"})
    acknowledged = {}
    for number, (name, passage) in enumerate(cases(CONFLICT)):
        with cluster.wait_leader().connect() as connection:
            for i in range(5):
                acknowledged[f"k{number}.{i}"] = str(i)
                assert connection.call("SET", f"k{number}.{i}", i) == "OK"
        cluster.wait_equal()
        victim = append_what_nobody_else_has(cluster)
        die_at(victim, name, passage)
        disarm(victim)
        victim.start()
        cluster.wait_equal()
        with cluster.wait_leader().connect() as connection:
            assert connection.call("EXISTS", *[f"orphan:{i}" for i in range(6)]) == 0
    with cluster.wait_leader().connect() as connection:
        for key, value in acknowledged.items():
            assert connection.call("GET", key) == value.encode()


def test_a_node_that_is_killed_at_each_step_of_its_first_start_starts(make_cluster):
    """A node that is its own cluster goes through all steps of a begin at once."""
    cluster = make_cluster(start=False, size=1)
    node = cluster.nodes[0]
    for name, passage in cases(FIRST_START):
        node.kill()
        shutil.rmtree(node.data, ignore_errors=True)
        node.data.mkdir()
        die_at(node, name, passage)
        disarm(node)
        node.start()
        cluster.wait_leader()
        assert node.call("SET", "k", "v") == "OK"


def test_a_founder_that_is_killed_at_each_step_of_the_begin_goes_on_with_it(make_cluster):
    cluster = make_cluster(start=False)
    for number, (name, passage) in enumerate(cases(BEGIN)):
        for node in cluster.nodes:
            node.kill()
            shutil.rmtree(node.data, ignore_errors=True)
            node.data.mkdir()
        victim = cluster.nodes[number % 3]
        for node in cluster.nodes:
            if node is not victim:
                node.start(wait=False)
        die_at(victim, name, passage)
        disarm(victim)
        victim.start()
        with cluster.wait_leader().connect() as connection:
            assert connection.call("SET", "k", "v") == "OK"
        cluster.wait_equal()


def test_a_node_that_is_killed_at_each_step_of_recovery_starts_the_next_time(make_cluster):
    cluster = make_cluster(**SMALL)
    load = Load(cluster)
    for number, (name, passage) in enumerate(cases(RESTART)):
        victim = cluster.nodes[number % 3]
        victim.kill()
        for leftover in range(2):  # of an install that was broken off, and an image
            kind = ("install", "image")[leftover]
            (victim.appendonly / f"temp-{kind}-{900000 + leftover}.rdb").write_bytes(b"REDIS0009 unfinished")
        die_at(victim, name, passage)
        disarm(victim)
        victim.start()
        assert not list(victim.appendonly.glob("temp-*-90000?.rdb"))
    load.finish()


def test_a_node_that_is_killed_at_each_step_of_a_backup_leaves_only_whole_ones(make_cluster):
    cluster = make_cluster(start=False, size=1)
    node = cluster.nodes[0]
    folder = cluster.dir / "backups"
    cluster.write_config(node, backup_dir=f'"{folder}"', backup_keep=1)
    node.start()
    check = str(SERVER).replace("flotilla-server", "flotilla-check")
    for name, passage in cases(BACKUP):
        with cluster.wait_leader().connect() as connection:
            fill(connection, rounds=1, size=30000)
            old = connection.call("RAFT.BACKUP", "START")
            assert not isinstance(old, Error), old
            assert connection.call("INCR", "counter") >= 1
        node.kill()
        point = f"{name}:abort@{passage}"
        arm(node, point)
        node.start()
        cluster.wait_leader()
        with pytest.raises((Closed, ConnectionError)):
            node.call("RAFT.BACKUP", "START")
        wait_killed(node, point)
        whole = sorted(folder.glob("*.rdb"))
        assert whole, "the old one is there until the new one is"
        for path in whole:
            done = subprocess.run([check, "--verify", path], capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, f"{point}: {done.stdout[-600:]}"
        disarm(node)
        node.start()
        cluster.wait_leader()
        wait_for(lambda: not list(folder.glob(".*")), 20 * PATIENCE, "what is not complete goes at the start")
        new = node.call("RAFT.BACKUP", "START")
        assert not isinstance(new, Error), new
        assert sorted(path.name.encode() for path in folder.iterdir()) == [new[1]]
