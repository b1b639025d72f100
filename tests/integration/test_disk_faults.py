"""Disks that fail, are slow, take little at a time, or are full: by a library between server and system, and by a tmpfs."""
import os
import shutil
import subprocess
import time

import pytest

from bad_disk import set_faults, shim
from cluster import PATIENCE, RedirectingClient, die_with_parent, run_server
from load import Rewriter
from resp import Error
from waiting import wait_for

SMALL = {
    "raft_snapshot_log_bytes": "130kb",
    "raft_snapshot_keep_bytes": "64kb",
    "raft_snapshot_chunk_bytes": "16kb",
    "raft_segment_bytes": "64kb",
}
KNOWS_FULL_DISKS = run_server("--raft-disk-reserve-bytes", "1mb", "--check-config")[0] == 0
full_disks = pytest.mark.skipif(not KNOWS_FULL_DISKS, reason="this server has no raft-disk-reserve-bytes")
RESERVE = {"raft_disk_reserve_bytes": "1mb"} if KNOWS_FULL_DISKS else {}


def met(node):
    return (node.dir / "faults.met").exists()


@pytest.fixture
def make_shimmed(make_cluster):
    def make(**options):
        cluster = make_cluster(start=False, **{**SMALL, **options})
        for node in cluster.nodes:
            shim(node)
        return cluster
    return make


class Writer(Rewriter):
    """Tries another node when one is full: that write did not happen, and must not show later."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.refused = set()
        self.accepted = 0
        self.slowest = 0.0

    def step(self):
        self.number += 1
        key = self.names[self.number % len(self.names)]
        before = self.attempted.get(key)
        self.attempted[key] = self.number
        begin = time.monotonic()
        try:
            reply = self.client.call("SET", key, f"{self.number}:{self.padding}")
        except RedirectingClient.Unknown:
            return
        if isinstance(reply, Error) and reply.code == "MISCONF":
            self.refused.add(self.number)
            if before is None:
                del self.attempted[key]
            else:
                self.attempted[key] = before
            self.client.close()
            self.client.turn += 1
            time.sleep(0.005)
            return
        assert reply == "OK", reply
        self.slowest = max(self.slowest, time.monotonic() - begin)
        self.acknowledged[key] = self.number
        self.accepted += 1

    def lost(self, connection):
        lost = super().lost(connection)
        for key in self.names:
            value = connection.call("GET", key)
            if value and int(value.split(b":")[0]) in self.refused:
                lost.append((key, "refused", value[:20]))
        return lost


class Load:
    def __init__(self, cluster, clients=2):
        self.cluster = cluster
        self.writers = [Writer(cluster, f"w{number}") for number in range(clients)]
        for writer in self.writers:
            writer.start()

    @property
    def written(self):
        return sum(writer.accepted for writer in self.writers)

    def wait_progress(self, count=100, what="clients write"):
        goal = self.written + count
        wait_for(lambda: self.written >= goal or any(writer.error for writer in self.writers), 30 * PATIENCE, what)

    def finish(self):
        for writer in self.writers:
            writer.finish()
        self.cluster.wait_equal()
        with self.cluster.wait_leader().connect() as connection:
            lost = [key for writer in self.writers for key in writer.lost(connection)]
        assert not lost, f"acknowledged writes are lost, or refused ones happened (key, least, found): {lost[:5]}"
        assert all(writer.acknowledged for writer in self.writers)


# --- a sync that fails ---

@pytest.mark.parametrize("where", ["incr.aof", "manifest", "base.rdb", "appendonlydir"])
@pytest.mark.parametrize("who", ["leader", "follower"])
def test_a_failed_sync_ends_the_process_and_nothing_is_lost(make_shimmed, who, where):
    if where == "base.rdb":
        where, who_says = "temp-image", None
    else:
        who_says = "the log could not be written"
    cluster = make_shimmed().start()
    load = Load(cluster)
    load.wait_progress()
    victim = cluster.wait_leader() if who == "leader" else cluster.followers()[0]
    set_faults(victim, f"path {where}", "sync-eio 1")
    if who_says is None:
        failed = int(victim.raft()["raft_snapshots_failed"])
        wait_for(lambda: int(victim.raft()["raft_snapshots_failed"]) > failed, 30 * PATIENCE, "a snapshot fails")
        assert met(victim)
        assert victim.running
        assert victim.info("persistence")["rdb_last_bgsave_status"] == "err"
        set_faults(victim)
        load.finish()
        return
    wait_for(lambda: not victim.running, 30 * PATIENCE, f"node {victim.id} ends")
    assert met(victim)
    assert victim.process.returncode != 0
    assert who_says in victim.tail(5)
    load.wait_progress(what="the others go on")
    set_faults(victim)
    victim.start()
    load.wait_progress()
    load.finish()


def test_a_disk_whose_syncs_fail_from_the_start_is_refused(make_shimmed):
    cluster = make_shimmed()
    node = cluster.nodes[0]
    for path in ("flotilla.identity", "appendonlydir"):  # before and after the cluster has begun
        set_faults(node, f"path {path}", "sync-eio 1")
        for one in cluster.nodes:
            if not one.running:
                one.start(wait=False)
        assert node.wait_exit() == 1
        assert "cannot" in node.tail(2)
        set_faults(node)
    node.start()
    cluster.wait_leader()
    cluster.wait_equal()


# --- writes that are taken in part ---

def test_short_writes_are_invisible(make_shimmed):
    cluster = make_shimmed()
    for node in cluster.nodes:
        set_faults(node, "short 97")
    cluster.start()
    load = Load(cluster)
    follower = cluster.followers()[0]
    follower.kill()
    leader = cluster.wait_leader()
    last = int(leader.raft()["raft_last_log_index"])
    wait_for(lambda: int(leader.raft()["raft_first_log_index"]) > last, 60 * PATIENCE, "the follower's log is purged")
    follower.start()
    wait_for(lambda: int(follower.raft()["raft_snapshots_installed"]) >= 1, 30 * PATIENCE, "it gets a snapshot")
    load.finish()
    for node in cluster.nodes:
        assert node.stop() == 0  # kill -9 may well tear a write that is taken in parts
        if shutil.which("redis-check-aof"):
            manifest = node.appendonly / "appendonly.aof.manifest"
            subprocess.run(["redis-check-aof", manifest], capture_output=True, timeout=60, check=True)
        node.start()
    cluster.wait_leader()
    cluster.wait_equal()


# --- slow syncs ---

def test_a_slow_disk_of_the_leader_holds_up_neither_heartbeats_nor_writes(make_shimmed):
    timeout = 600 * PATIENCE
    cluster = make_shimmed(raft_election_timeout_ms=int(timeout))
    cluster.start()
    leader = cluster.wait_leader()
    term = int(leader.raft()["raft_current_term"])
    load = Load(cluster)
    load.wait_progress()
    for writer in load.writers:
        writer.slowest = 0.0
    set_faults(leader, "path appendonlydir", f"sync-slow {int(timeout * 2)}")
    end = time.monotonic() + 6 * timeout / 1000
    while time.monotonic() < end:  # as long as several syncs take
        load.wait_progress(20)
    set_faults(leader)
    # The leader stays, or hands over once; nobody misses it.
    for node in cluster.nodes:
        assert int(node.raft()["raft_current_term"]) <= term + 1
    slowest = max(writer.slowest for writer in load.writers)
    assert slowest < 4 * timeout / 1000, f"a write took {slowest:.3f} s"
    load.finish()


def test_a_slow_disk_of_a_follower_is_not_felt(make_shimmed):
    """By clients of others: who is on the node itself waits for its disk."""
    cluster = make_shimmed(follower_mode="redirect")
    cluster.start()
    leader, follower = cluster.wait_leader(), cluster.followers()[0]
    load = Load(cluster)
    load.wait_progress()
    set_faults(follower, "path appendonlydir", "sync-slow 3000")
    for writer in load.writers:
        writer.slowest = 0.0
    load.wait_progress(2000)
    assert max(writer.slowest for writer in load.writers) < 2 * PATIENCE
    assert cluster.leader() is leader
    set_faults(follower)
    load.finish()


# --- full disks ---

class ShimDisks:
    def __init__(self, cluster, untold=False):
        self.lines = ["full", "untold"] if untold else ["full"]
        for node in cluster.nodes:
            shim(node)

    def fill(self, node):
        set_faults(node, "path appendonlydir", *self.lines)

    def almost_fill(self, node):
        """Less than the reserve is left."""
        set_faults(node, "path appendonlydir", f"left {768 << 10}")

    def free(self, node):
        set_faults(node)

    def close(self):
        pass


class UntoldDisks(ShimDisks):
    def __init__(self, cluster):
        super().__init__(cluster, untold=True)


class Tmpfs:
    """Each node's data folder is a small tmpfs, mounted where only the node sees it."""

    def __init__(self, cluster):
        self.holders = {}
        for node in cluster.nodes:
            script = f"mount -t tmpfs -o size=24m tmpfs '{node.data}' && echo mounted && exec sleep infinity"
            holder = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", script],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      preexec_fn=die_with_parent)
            self.holders[node] = holder
            said = holder.stdout.readline()
            if said != b"mounted\n":
                self.close()
                pytest.skip(f"no tmpfs can be mounted here: {said.decode().strip()}")
            node.program = ["nsenter", "-t", str(holder.pid), "-m", f"--wd={node.dir}", *node.program]

    def filler(self, node):
        return f"/proc/{self.holders[node].pid}/root{node.data}/filler"

    def fill(self, node):
        with open(self.filler(node), "ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    def almost_fill(self, node):
        with open(self.filler(node), "ab", buffering=0) as file:
            status = os.fstatvfs(file.fileno())
            os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - (768 << 10))

    def free(self, node):
        if os.path.exists(self.filler(node)):
            os.unlink(self.filler(node))

    def close(self):
        for holder in self.holders.values():
            holder.kill()
            holder.wait()
            holder.stdout.close()


@pytest.fixture(params=[ShimDisks, UntoldDisks, Tmpfs])
def disks(request, make_cluster):
    """(cluster, its disks)"""
    if request.param is Tmpfs and (os.geteuid() != 0 or not shutil.which("nsenter")):
        pytest.skip("mounting a tmpfs needs root and nsenter")
    cluster = make_cluster(start=False, **SMALL, **RESERVE)
    made = request.param(cluster)
    try:
        cluster.start()
        yield cluster, made
    finally:
        cluster.close(keep_logs=False)
        made.close()


def says_full(node):
    return node.raft()["raft_disk_full"] == "1" and node.info("persistence")["aof_last_write_status"] == "err"


def says_fine(node):
    return node.raft()["raft_disk_full"] == "0" and node.info("persistence")["aof_last_write_status"] == "ok"


@full_disks
def test_a_leader_with_a_full_disk_hands_over_and_comes_back_without_restart(disks):
    cluster, disk = disks
    leader = cluster.wait_leader()
    pid = leader.pid
    load = Load(cluster)
    load.wait_progress()
    disk.fill(leader)
    wait_for(lambda: says_full(leader), 20 * PATIENCE, "the leader says that its disk is full")
    cluster.wait_leader(but=leader)
    load.wait_progress(500, "clients write through another node")
    assert leader.call("PING") == "PONG"
    assert says_full(leader)
    disk.free(leader)
    wait_for(lambda: says_fine(leader), 20 * PATIENCE, "there is room again")
    load.finish()
    assert leader.pid == pid and leader.running


@full_disks
def test_a_follower_with_a_full_disk_serves_and_catches_up_without_restart(disks):
    cluster, disk = disks
    leader, follower = cluster.wait_leader(), cluster.followers()[0]
    pid = follower.pid
    load = Load(cluster)
    load.wait_progress()
    disk.fill(follower)
    wait_for(lambda: says_full(follower), 20 * PATIENCE, "the follower says that its disk is full")
    load.wait_progress(500)
    durable = int(follower.raft()["raft_durable_index"])
    load.wait_progress(500)
    assert int(follower.raft()["raft_durable_index"]) == durable, "a full disk acknowledges nothing"
    assert follower.read_stale("EXISTS", "w0:1") == 1
    assert cluster.leader() is leader
    disk.free(follower)
    wait_for(lambda: says_fine(follower), 20 * PATIENCE, "there is room again")
    load.finish()
    assert follower.pid == pid and follower.running


@full_disks
@pytest.mark.parametrize("disks", [ShimDisks, Tmpfs], indirect=True)
def test_a_cluster_of_full_disks_refuses_writes_reads_and_goes_on_without_restart(disks):
    cluster, disk = disks
    load = Load(cluster)
    load.wait_progress()
    for node in cluster.nodes:
        disk.almost_fill(node)
    for node in cluster.nodes:
        wait_for(lambda: says_full(node), 20 * PATIENCE, f"node {node.id} says that its disk is full")
    client = RedirectingClient(cluster)
    value = client.call("GET", "w0:1")
    assert isinstance(value, bytes)
    for command in (("SET", "w0:1", "never"), ("INCR", "never"), ("EXPIRE", "w0:1", "100")):
        reply = client.call(*command)
        assert isinstance(reply, Error) and str(reply).startswith("MISCONF "), reply
    assert client.call("EXISTS", "never") == 0
    assert client.call("DEL", "w0:1") == 1  # what deletes may use half of the reserve
    assert client.call("GET", "w0:1") is None
    client.close()
    for node in cluster.nodes:
        disk.free(node)
    load.wait_progress(200, "writes are accepted again")
    for node in cluster.nodes:
        wait_for(lambda: says_fine(node), 20 * PATIENCE, f"node {node.id} has room again")
    load.finish()


@full_disks
def test_a_cluster_without_a_byte_left_goes_on_without_restart(disks):
    """Not even a vote fits: nobody may be able to lead until there is room."""
    cluster, disk = disks
    pids = [node.pid for node in cluster.nodes]
    load = Load(cluster)
    load.wait_progress()
    for node in cluster.nodes:
        disk.fill(node)
    for node in cluster.nodes:
        wait_for(lambda: says_full(node), 20 * PATIENCE, f"node {node.id} says that its disk is full")
    assert all(node.call("PING") == "PONG" for node in cluster.nodes)
    for node in cluster.nodes:
        disk.free(node)
    load.wait_progress(200, "writes are accepted again")
    for node in cluster.nodes:
        wait_for(lambda: says_fine(node), 20 * PATIENCE, f"node {node.id} has room again")
    load.finish()
    assert [node.pid for node in cluster.running] == pids


@full_disks
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_node_that_ends_with_a_full_disk_starts_when_there_is_room(disks, end):
    cluster, disk = disks
    for victim in (cluster.followers()[0], cluster.wait_leader()):
        load = Load(cluster)
        load.wait_progress()
        disk.fill(victim)
        wait_for(lambda: says_full(victim), 20 * PATIENCE, "its disk is full")
        load.wait_progress(what="the others go on")
        if end == "kill":
            victim.kill()
        else:
            assert victim.stop() == 0
        disk.free(victim)
        victim.start()
        load.finish()


@full_disks
@pytest.mark.parametrize("room", [1_300_000, 1_500_000])
def test_a_disk_that_fills_up_by_writing_stops_in_time(make_cluster, room):
    """The reserve is met first: votes and terms still find room, nothing is torn."""
    cluster = make_cluster(start=False, **{**SMALL, "raft_snapshot_log_bytes": 0}, **RESERVE)
    for node in cluster.nodes:
        shim(node)
        set_faults(node, "path appendonlydir", f"room {room}")
    cluster.start()
    load = Load(cluster)
    for node in cluster.nodes:
        wait_for(lambda: says_full(node), 60 * PATIENCE, f"node {node.id} is full")
    assert not any(met(node) for node in cluster.nodes), "a write found no room, though there is a reserve"
    client = RedirectingClient(cluster)
    assert isinstance(client.call("DBSIZE"), int)
    client.close()
    for node in cluster.nodes:
        set_faults(node)
    load.wait_progress()
    load.finish()
