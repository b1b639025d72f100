"""A cluster whose nodes reach each other, and are reached, through the mesh alone; with wrong clocks and bad disks."""
import contextlib
import os
import shutil
import struct

from cluster import TOOLS, Cluster
from network import Network
from resp import Closed, Error

SECRET = "a secret of the chaos tests, long enough for everybody"
SMALL = {
    "raft-snapshot-log-bytes": "200kb",
    "raft-snapshot-keep-bytes": "64kb",
    "raft-snapshot-chunk-bytes": "16kb",
    "raft-segment-bytes": "64kb",
    "raft-disk-reserve-bytes": "1mb",
    "shutdown-timeout": 3,
}


class ChaosCluster(Cluster):
    """Nodes listen on 127.0.0.1; the list of nodes names 127.0.1.N with the same port, where the mesh listens. The list
    is the same on all nodes, and the tests' own questions (node.call) go past the mesh."""

    def __init__(self, seed, size=3, name="chaos", **directives):
        super().__init__(name=name, size=size, secret=SECRET, **{**SMALL, **directives})
        self.network = None
        try:
            self.network = Network(seed, log=str(self.dir / "mesh.log"))
            for node in self.nodes:
                self.network.listen(node.id, self.host(node), node.port, node.port)
                self.shim(node)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def host(node):
        return f"127.0.1.{node.id}"

    def members_seen_by(self, node):
        return ",".join(f"{other.id}@{self.host(other)}:{other.port}" for other in self.nodes)

    @property
    def addresses(self):
        """Where clients reach the nodes."""
        return [(self.host(node), node.port) for node in self.nodes]

    @property
    def names(self):
        """The nodes' names in the mesh."""
        return [str(node.id) for node in self.nodes]

    # --- clocks and disks ---

    def shim(self, node):
        node.ahead_ns = node.drift_ppm = 0
        self.write_clock(node)
        options = os.environ.get("ASAN_OPTIONS", "")
        node.environment = {
            "LD_PRELOAD": f"{TOOLS / 'clock.so'}:{TOOLS / 'disk_faults.so'}",
            "FLOTILLA_CLOCK": str(node.dir / "clock"),
            "FLOTILLA_DISK_FAULTS": str(node.dir / "faults"),
            "ASAN_OPTIONS": ":".join(filter(None, [options, "verify_asan_link_order=0"])),
        }

    @staticmethod
    def write_clock(node):
        """In place: the node has the file mapped."""
        path = node.dir / "clock"
        with open(path, "r+b" if path.exists() else "w+b") as file:
            file.write(struct.pack("=qq", node.ahead_ns, node.drift_ppm))

    def step_clock(self, node, seconds):
        node.ahead_ns += int(seconds * 1e9)
        self.write_clock(node)

    @staticmethod
    def set_disk(node, *lines):
        """What is wrong with the node's disk from now on (tests/shim/disk_faults.c); nothing without a line."""
        path = node.dir / "faults"
        if not lines:
            path.unlink(missing_ok=True)
            return
        new = node.dir / "faults.new"
        new.write_text("".join(f"{line}\n" for line in ["path appendonlydir", *lines]))
        new.rename(path)

    # --- folders of nodes that are down ---

    @staticmethod
    def wipe(node):
        shutil.rmtree(node.data)
        node.data.mkdir()

    @staticmethod
    def keep_copy(node):
        copy = node.dir / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(node.data, copy)

    @staticmethod
    def has_copy(node):
        return (node.dir / "copy").exists()

    def restore_copy(self, node):
        shutil.rmtree(node.data)
        (node.dir / "copy").rename(node.data)

    def is_whole(self, node):
        """It has all again that was ever acknowledged: it votes, by a membership that is committed and no joint one, and
        has applied what its leader had committed."""
        leader = self.guess_leader()
        if not leader or not node.running or node.paused or leader is node:
            return bool(leader and leader is node)
        try:
            told, raft = leader.raft(), node.raft()
            return (told["raft_membership_state"] == "stable" and raft["raft_is_voting"] == "yes" and
                    raft["raft_role"] == "follower" and
                    int(raft["raft_last_applied_index"]) >= int(told["raft_commit_index"]))
        except (OSError, Closed, KeyError, AssertionError):
            return False

    # --- who leads, asked in a hurry ---

    def guess_leader(self):
        best = None
        for node in self.running:
            with contextlib.suppress(OSError, Closed, KeyError):
                with node.connect(timeout=0.25) as connection:
                    reply = connection.call("INFO", "raft")
                if isinstance(reply, Error):
                    continue
                raft = dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)
                if raft["raft_role"] == "leader":
                    best = max(best or (0, 0), (int(raft["raft_current_term"]), node.id))
        return next((node for node in self.nodes if best and node.id == best[1]), None)

    def close(self, keep_logs=False, keep_folder=False):
        for node in self.nodes:
            if node.running:
                node.kill()
        if self.network:
            self.network.close()
            self.network = None
        if keep_folder:
            self.ports.close()
        else:
            super().close(keep_logs)
