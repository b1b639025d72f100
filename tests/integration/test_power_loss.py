"""A power loss at any moment of a recorded run: the node starts from what is left, with all it had claimed to be synced.

kill -9 proves nothing of it: what the process wrote survives in the system's cache. So a library records each write,
sync, cut, renaming and removal of a real node, and tests/shim/power_loss.c starts from what any moment of it could
have left. FLOTILLA_POWER_LOSS_SECONDS: for each recording, on top of the steps that are tried in any case."""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import threading

import pytest

from cluster import PATIENCE, SERVER, TOOLS, RedirectingClient
from resp import Closed
from waiting import wait_for

SECONDS = float(os.environ.get("FLOTILLA_POWER_LOSS_SECONDS", "3"))
SEED = os.environ.get("FLOTILLA_POWER_LOSS_SEED", str(random.randrange(1 << 32)))
SMALL = {
    "raft_snapshot_log_bytes": "130kb",
    "raft_snapshot_keep_bytes": "64kb",
    "raft_snapshot_chunk_bytes": "4kb",
    "raft_segment_bytes": "64kb",
}


class Recording:
    """What one node does to its disk from its next start on, and what it claims meanwhile."""

    def __init__(self, node):
        self.node = node
        self.journal = node.dir / "journal"
        self.claims = node.dir / "claims"
        self.lines = []
        self.term = 0  # surely on the disk
        self.next_term = (0, 0)  # in memory, and the end of the log when that was seen first
        options = os.environ.get("ASAN_OPTIONS", "")
        node.environment = {
            "LD_PRELOAD": str(TOOLS / "disk_record.so"),
            "FLOTILLA_RECORD": str(self.journal),
            "FLOTILLA_RECORD_FOLDER": str(node.data),
            "ASAN_OPTIONS": ":".join(filter(None, [options, "verify_asan_link_order=0"])),
        }

    def kill(self):
        """kill -9, but not between what is done and its being written down: the journal would lack it."""
        busy = self.journal.with_name(self.journal.name + ".busy")
        for _ in range(1000):
            os.kill(self.node.pid, signal.SIGSTOP)
            wait_for(self._is_stopped, 20 * PATIENCE, "the node is stopped", interval=0.0005)
            if busy.read_bytes() == b"\0":
                self.node.kill()
                return
            os.kill(self.node.pid, signal.SIGCONT)
        raise AssertionError("the node is always busy with its disk")

    def _is_stopped(self):
        tasks = pathlib.Path(f"/proc/{self.node.pid}/task").iterdir()
        return all(task.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] == "T" for task in tasks)

    def claim(self, connection):
        """What is committed and synced now, at the end that the journal has then at the latest."""
        text = connection.call("INFO", "raft").decode()
        raft = dict(line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))
        durable = int(raft["raft_durable_index"])
        index = min(int(raft["raft_commit_index"]), durable)
        # A term is promised to nobody before it is synced: it is when an entry behind it is.
        term, end = self.next_term
        if int(raft["raft_current_term"]) != term:
            self.next_term = (int(raft["raft_current_term"]), int(raft["raft_last_log_index"]))
        elif durable > end:
            self.term = term
        self.lines.append(f"{self.journal.stat().st_size} {index} {self.term}\n")
        return index

    def claim_acknowledged(self, index, term):
        """Of a node alone: its reply says that its own sync is done."""
        self.lines.append(f"{self.journal.stat().st_size} {index} {term}\n")

    def run(self, seconds=SECONDS):
        """(exit status, what was said)"""
        self.claims.write_text("".join(self.lines))
        command = [TOOLS / "power_loss", self.journal, self.claims, self.node.data / "shard-0", str(seconds), SEED]
        done = subprocess.run(command, capture_output=True, timeout=(seconds + 200) * PATIENCE, check=False)
        said = done.stdout.decode() + done.stderr.decode()
        print(said)
        return done.returncode, said

    def check(self):
        status, said = self.run()
        if status and os.environ.get("FLOTILLA_POWER_LOSS_KEEP"):
            shutil.copytree(self.node.dir, os.environ["FLOTILLA_POWER_LOSS_KEEP"], dirs_exist_ok=True)
        assert status == 0, f"seed {SEED}: {said}"
        numbers = said.splitlines()[-1].split()
        return int(numbers[4]), int(numbers[6])  # moments, starts


class Claims(threading.Thread):
    """Asks the node again and again, also while it starts."""

    def __init__(self, recording):
        super().__init__(daemon=True)
        self.recording = recording
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(0.001):
            try:
                with self.recording.node.connect(timeout=5) as connection:
                    while not self.stopping.wait(0.001):
                        self.recording.claim(connection)
            except (OSError, Closed):
                continue

    def finish(self):
        self.stopping.set()
        self.join(20)


def test_a_power_loss_at_any_moment_leaves_what_a_node_acknowledged(make_cluster):
    cluster = make_cluster(start=False, size=1, **SMALL)
    node = cluster.nodes[0]
    recording = Recording(node)
    for start in range(2):
        cluster.start()
        with node.connect() as connection:
            base = recording.claim(connection)
            term = node.raft()["raft_current_term"]
            written = 0

            def write():
                nonlocal written
                written += 1
                assert connection.call("SET", f"k{written % 20}", f"{written}:" + "v" * 400) == "OK"
                recording.claim_acknowledged(base + written, term)

            while int(node.raft()["raft_snapshots"]) < 3:
                for _ in range(25):
                    write()
            replies = connection.pipeline([("SET", f"p{i}", "w" * 3000) for i in range(20)])  # several a write
            assert set(replies) == {"OK"}
            written += 20
            recording.claim_acknowledged(base + written, term)
            write()
            assert recording.claim(connection) == base + written
        recording.kill()
    moments, starts = recording.check()
    assert moments >= 300 and starts >= 3000


def test_a_power_loss_at_any_moment_leaves_what_a_follower_acknowledged(make_cluster):
    """The whole life of a follower: first start, replication, an install, a cut log, a term and a vote."""
    cluster = make_cluster(start=False, **SMALL)
    node = cluster.nodes[2]
    recording = Recording(node)
    claims = Claims(recording)
    cluster.start()
    claims.start()
    client = RedirectingClient(cluster)

    def write(rounds, size=300):
        for number in range(rounds):
            try:
                assert client.call("SET", f"k{number % 20}", f"{number}:" + "v" * size) == "OK"
            except RedirectingClient.Unknown:
                continue

    write(150)
    # It leads alone: what it appends is cut off again, over several segments.
    others = [other for other in cluster.nodes if other is not node]
    for other in others:
        other.kill()
        cluster.write_config(other, raft_election_timeout_ms=2000)
    cluster.write_config(node, raft_election_timeout_ms=300)
    recording.kill()
    for other in [*others, node]:
        other.start()
    wait_for(node.says_leader, 20 * PATIENCE, "the recorded node leads")
    write(30)
    last = int(node.raft()["raft_last_log_index"])
    for other in others:
        other.kill()
    with node.connect() as connection:
        for number in range(4):
            connection.send("SET", f"orphan:{number}", "o" * 50000)
        wait_for(lambda: int(node.raft()["raft_durable_index"]) >= last + 3, 20 * PATIENCE, "entries of its own")
    recording.kill()
    for other in others:
        cluster.write_config(other, raft_election_timeout_ms=300)
        other.start()
    cluster.wait_leader()
    write(5)
    node.start()
    cluster.wait_equal()
    # It gets a snapshot.
    recording.kill()
    leader = cluster.wait_leader()
    end = int(leader.raft()["raft_last_log_index"])
    while int(leader.raft()["raft_first_log_index"]) <= end:
        write(50, size=1000)
    node.start()
    wait_for(lambda: int(node.raft()["raft_snapshots_installed"]) >= 1, 20 * PATIENCE, "the snapshot is installed")
    while int(node.raft()["raft_snapshots"]) < 1:  # one of its own
        write(50, size=1000)
    cluster.wait_equal()
    claims.finish()
    with node.connect() as connection:
        recording.claim(connection)
    recording.kill()
    client.close()
    assert recording.term >= 2
    names = recording.journal.read_bytes()
    for step in (b"temp-install-", b"temp-image-", b"raft.vote.tmp", b".manifest.tmp"):
        assert step in names, f"the run had no {step}"
    moments, starts = recording.check()
    assert moments >= 300 and starts >= 3000


def test_a_power_loss_shows_that_a_node_does_not_sync(make_cluster):
    """Nothing would ever fail if the check had no eyes."""
    cluster = make_cluster(start=False, size=1, appendfsync="no")
    node = cluster.nodes[0]
    recording = Recording(node)
    cluster.start()
    with node.connect() as connection:
        for number in range(50):
            assert connection.call("SET", "k", number) == "OK"
            recording.claim(connection)
    node.kill()
    status, said = recording.run(seconds=0.2)
    assert status == 1
    assert "was claimed, the log ends with" in said
