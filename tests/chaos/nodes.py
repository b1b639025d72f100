"""A cluster whose nodes reach each other, and are reached, through the mesh alone; with wrong clocks and bad disks; and
with a pool of nodes that are no members, and may become some."""
import contextlib
import os
import shutil
import struct

from cluster import TOOLS, Cluster, Node
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
POOL = 2  # nodes beside the founders


class ChaosCluster(Cluster):
    """Nodes listen on 127.0.0.1; the list of nodes names 127.0.1.N with the same port, where the mesh listens. The list
    is the same on all nodes, and the tests' own questions (node.call) go past the mesh."""

    def __init__(self, seed, size=3, name="chaos", **directives):
        self.founders = []
        self.seen_by = {}
        super().__init__(name=name, size=size, secret=SECRET, **{**SMALL, **directives})
        self.network = None
        self.founders = list(self.nodes)
        self.pool = [Node(self, number, self.ports.take()) for number in range(size + 1, size + 1 + POOL)]
        try:
            self.network = Network(seed, log=str(self.dir / "mesh.log"))
            for node in self.everybody:
                if node in self.pool:
                    self.see_members(node)
                self.network.listen(node.id, self.host(node), node.port, node.port)
                self.shim(node)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def host(node):
        return f"127.0.1.{node.id}"

    def member_address(self, node):
        return f"{self.host(node)}:{node.port}"

    def members_seen_by(self, node):
        """The founders, until its folder is emptied: an operator names those that there are then, so that it finds
        somebody."""
        return ",".join(f"{other.id}@{self.member_address(other)}" for other in self.seen_by.get(node, self.founders or self.nodes))

    @property
    def everybody(self):
        return sorted(self.nodes + self.pool, key=lambda node: node.id)

    @property
    def addresses(self):
        """Where clients reach the nodes, also those that are no members now."""
        return [(self.host(node), node.port) for node in self.everybody]

    @property
    def names(self):
        """The nodes' names in the mesh."""
        return [str(node.id) for node in self.nodes]

    # --- clocks and disks ---

    def shim(self, node):
        node.ahead_ns = node.drift_ppm = 0
        node.has_served = False  # a loyal client, from the folder that it has
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

    def wipe(self, node):
        shutil.rmtree(node.data)
        node.data.mkdir()
        node.has_served = False
        self.see_members(node)

    def see_members(self, node):
        self.seen_by[node] = [other for other in self.everybody if other is node or other in self.nodes]
        self.write_config(node)

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
        node.has_served = False

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

    # --- nodes that come and go; `nodes` has those whose processes are to run ---

    def activate(self, node):
        self.see_members(node)
        self.pool = [other for other in self.pool if other is not node]
        self.nodes = sorted([*self.nodes, node], key=lambda node: node.id)

    def retire(self, node):
        """It is no member any more: whoever takes its id next begins with nothing."""
        node.kill()
        self.set_disk(node)
        self.wipe(node)
        shutil.rmtree(node.dir / "copy", ignore_errors=True)
        self.nodes = [other for other in self.nodes if other is not node]
        self.pool = [*self.pool, node]

    def membership(self):
        """({id: state}) that the group has agreed on; None if nobody can say."""
        leader = self.guess_leader()
        try:
            with leader.connect(timeout=1) as connection:
                listed = connection.call("RAFT.NODE", "LIST")
                text = connection.call("INFO", "raft").decode()
                if isinstance(connection.call("EXISTS", "nothing"), Error):
                    return None  # it does not lead any more, or is not sure
        except (OSError, Closed, AttributeError):
            return None
        raft = dict(line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))
        if raft["raft_membership_state"] != "stable" or \
                int(raft["raft_membership_index"]) > int(raft["raft_commit_index"]):
            return None
        members = [dict(zip(fields[::2], fields[1::2])) for fields in listed]
        return {int(member[b"id"]): member[b"state"].decode() for member in members}

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
        for node in self.everybody:
            if node.running:
                node.kill()
        if self.network:
            self.network.close()
            self.network = None
        if keep_folder:
            self.ports.close()
        else:
            super().close(keep_logs)
