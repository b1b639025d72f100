"""Real nodes: processes of their own with folders of their own, gone at the end whatever happens."""
import contextlib
import ctypes
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from resp import Closed, Connection, Error
from waiting import wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
SERVER = os.environ.get("FLOTILLA_SERVER", str(TOP / "build" / "flotilla-server"))
# What a build with sanitizers needs more of everything.
PATIENCE = float(os.environ.get("FLOTILLA_PATIENCE", "1"))
# Of every node that a test does not give its own number: the same tests with I/O threads.
IO_THREADS = os.environ.get("FLOTILLA_IO_THREADS")
# What `make` builds for tests alone, beside the server.
TOOLS = pathlib.Path(SERVER).resolve().parent / "tests"
SLOTS = 16384
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


class Ports:
    """Ports that no other test uses at the same time: each is guarded by the UDP port of the same number."""

    def __init__(self):
        self.guards = []

    def take(self):
        while True:
            # Below the range from which the system takes the ports of outgoing connections.
            port = random.randrange(10000, 30000)
            guard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            probe = socket.socket()
            try:
                guard.bind(("127.0.0.1", port))
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
            except OSError:
                guard.close()
                continue
            finally:
                probe.close()
            self.guards.append(guard)
            return port

    def close(self):
        for guard in self.guards:
            guard.close()
        self.guards = []


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(command, log, **more):
    """A process that ends with this one. To be called from the main thread."""
    with open(log, "ab") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                preexec_fn=die_with_parent, **more)


def run_server(*args, stdin=b"", timeout=20, cwd=None):
    """Runs the server until it ends of itself: (status, standard output and error)."""
    done = subprocess.run([SERVER, *map(str, args)], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout * PATIENCE, cwd=cwd,
                          preexec_fn=die_with_parent, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def temporary_folder(name):
    name = re.sub(r"[^A-Za-z0-9]+", "-", name)[:16]
    return pathlib.Path(tempfile.mkdtemp(prefix=f"flotilla-{name}-"))


class Node:
    def __init__(self, cluster, number, port):
        self.cluster = cluster
        self.id = number
        self.host = "127.0.0.1"
        self.port = port
        self.dir = cluster.dir / f"node-{number}"
        self.dir.mkdir()
        self.config = self.dir / "redis.conf"
        self.log = self.dir / "log"
        self.data = self.dir / "data"
        self.data.mkdir()
        self.process = None
        self.paused = False
        self.program = [SERVER]  # what the next start runs, and with which additions to the environment
        self.environment = {}

    # --- the process ---

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, wait=True, *more):
        assert not self.running
        self.process = spawn([*map(str, self.program), str(self.config), *map(str, more)], self.log,
                             cwd=str(self.dir), env={**os.environ, **self.environment})
        if wait:
            self.wait_until_up()
        return self

    def wait_until_up(self):
        def up():
            if not self.running:
                raise AssertionError(f"node {self.id} ended with {self.process.returncode}:\n{self.tail(5)}")
            with contextlib.suppress(OSError, Closed):
                with self.connect(timeout=5) as connection:
                    return connection.call("PING") in ("PONG", Error("NOAUTH Authentication required."))
            return False
        wait_for(up, 20 * PATIENCE, f"node {self.id} answers")

    def kill(self):
        """kill -9."""
        if self.running:
            self.process.kill()
        if self.process:
            self.process.wait()
        self.paused = False

    def stop(self, timeout=20):
        """An orderly end; the exit status."""
        self.process.terminate()
        return self.process.wait(timeout * PATIENCE)

    def wait_exit(self, timeout=20):
        return self.process.wait(timeout * PATIENCE)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def tail(self, lines=40):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # --- the node ---

    @property
    def incarnation(self):
        """As the data folder has it; None if there is none yet."""
        with contextlib.suppress(OSError, ValueError):
            first = (self.data / "flotilla.identity").read_text().splitlines()[0]
            return int(first.rsplit(":", 1)[1], 16)
        return None

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def connect(self, timeout=None):
        return Connection(self.host, self.port, timeout=timeout or 15 * PATIENCE)

    def call(self, *args):
        with self.connect() as connection:
            return connection.call(*args)

    def read_stale(self, *args):
        with self.connect() as connection:
            assert connection.call("READONLY") == "OK"
            return connection.call(*args)

    def info(self, *sections):
        text = self.call("INFO", *sections)
        assert not isinstance(text, Error), text
        return dict(line.split(":", 1) for line in text.decode().splitlines()
                    if ":" in line and not line.startswith("#"))

    def raft(self):
        return self.info("raft")

    @property
    def applied(self):
        return int(self.raft()["raft_last_applied_index"])

    def says_leader(self):
        """True if the node takes itself for the leader; False too if it does not answer."""
        if not self.running or self.paused:
            return False
        with contextlib.suppress(OSError, Closed):
            return self.raft()["raft_role"] == "leader"
        return False

    @property
    def appendonly(self):
        return self.data / "shard-0" / "appendonlydir"

    @property
    def aof(self):
        return self.data / "shard-0" / "appendonlydir" / "appendonly.aof.1.incr.aof"


class Cluster:
    """`size` nodes. Directives are keyword arguments with '-' written as '_'. With links=True nodes reach each other
    at 127.0.1.N, where a proxy listens; see cut(), heal() and set_delay(). With seeds=True they know each other's
    addresses alone, and the cluster gives them their ids."""

    DEFAULTS = {
        "enable-debug-command": "yes",
        "raft-heartbeat-ms": 40,
        "raft-election-timeout-ms": 300,
        "leader-wait-ms": 3000,
    }

    def __init__(self, name="cluster", size=3, links=False, secret="a secret of the tests, long enough",
                 seeds=False, **directives):
        self.dir = temporary_folder(name)
        self.ports = Ports()
        self.secret = secret
        self.seeds = seeds
        self.size = size
        self.directives = dict(self.DEFAULTS)
        if IO_THREADS:
            self.directives["io-threads"] = IO_THREADS
        if PATIENCE > 1:
            self.directives["raft-heartbeat-ms"] = 100
            self.directives["raft-election-timeout-ms"] = 1000
        self.directives.update({key.replace("_", "-"): value for key, value in directives.items()})
        self.nodes = [Node(self, number, self.ports.take()) for number in range(1, size + 1)]
        self.proxy = None
        self.links = {}
        if links:
            self._make_links()
        for node in self.nodes:
            self.write_config(node)

    def _make_links(self):
        from proxy import Proxy
        self.proxy = Proxy(self._number_of if self.seeds else None)
        for node in self.nodes:
            others = [other.id for other in self.nodes if other is not node]
            for other, link in self.proxy.add(f"127.0.1.{node.id}", node.port, others).items():
                self.links[other, node.id] = link

    def _number_of(self, incarnation):
        return next((node.id for node in self.nodes if node.incarnation == incarnation), None)

    def seeds_of(self, nodes):
        return ",".join(f"127.0.1.{node.id}:{node.port}" if self.links else node.address for node in nodes)

    def add_node(self, **directives):
        """A node that is not started; with seeds, it knows all others."""
        node = Node(self, len(self.nodes) + 1, self.ports.take())
        self.nodes.append(node)
        self.write_config(node, **directives)
        return node

    def members_seen_by(self, node):
        """The same for all nodes."""
        host = "127.0.1.{}" if self.links else "127.0.0.1"
        return ",".join(f"{other.id}@{host.format(other.id)}:{other.port}" for other in self.nodes)

    def write_config(self, node, **more):
        directives = {
            "node-id": node.id,
            "cluster-nodes": self.members_seen_by(node),
            "cluster-seeds": self.seeds_of(self.nodes),
            "raft-bootstrap-expect": self.size,
            "cluster-secret": f'"{self.secret}"',
            "bind": node.host,
            "port": node.port,
            "dir": f'"{node.data}"',
        }
        for key in ("node-id", "cluster-nodes") if self.seeds else ("cluster-seeds", "raft-bootstrap-expect"):
            del directives[key]
        directives.update(self.directives)
        directives.update({key.replace("_", "-"): value for key, value in more.items()})
        node.config.write_text("".join(f"{key} {value}\n" for key, value in directives.items() if value is not None))
        node.config.chmod(0o600)  # it holds the secret

    # --- life ---

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close(keep_logs=True)
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait_until_up()
        self.wait_leader()
        self.wait_agreed()
        return self

    def wait_agreed(self):
        """All nodes use what the newest version brings. Nodes of an older version do not say so."""
        def agreed():
            return all(node.raft().get("raft_version_agreed") == node.raft().get("raft_version") for node in self.nodes)
        if len(self.nodes) > 1:
            wait_for(agreed, 20 * PATIENCE, "the nodes agree on their version")

    def close(self, keep_logs=False):
        for node in self.nodes:
            node.kill()
        if self.proxy:
            self.proxy.close()
            self.proxy = None
        self.ports.close()
        if keep_logs:
            print(self.logs())
        shutil.rmtree(self.dir, ignore_errors=True)

    def logs(self, lines=40):
        return "\n".join(f"--- node {node.id} ({node.address})\n{node.tail(lines)}" for node in self.nodes)

    # --- who leads ---

    @property
    def running(self):
        return [node for node in self.nodes if node.running and not node.paused]

    def leader(self):
        """The node that leads in the highest term; None if there is none."""
        best = None
        for node in self.running:
            with contextlib.suppress(OSError, Closed):
                raft = node.raft()
                if raft["raft_role"] == "leader" and (not best or int(raft["raft_current_term"]) > best[0]):
                    best = (int(raft["raft_current_term"]), node)
        return best and best[1]

    def wait_leader(self, but=None, timeout=20):
        """A leader that has answered a read: its leadership is confirmed."""
        def confirmed():
            node = self.leader()
            if not node or node is but:
                return None
            with contextlib.suppress(OSError, Closed):
                if not isinstance(node.call("EXISTS", "nothing"), Error):
                    return node
            return None
        return wait_for(confirmed, timeout * PATIENCE, "a leader")

    def followers(self):
        leader = self.wait_leader()
        return [node for node in self.running if node is not leader]

    def wait_equal(self, nodes=None, timeout=30):
        """Waits until all nodes have applied the same index, and compares what they hold then. The digest."""
        nodes = nodes or self.running

        def equal():
            before = [node.applied for node in nodes]
            if len(set(before)) != 1:
                return None
            digests = [node.call("DEBUG", "DIGEST") for node in nodes]
            if [node.applied for node in nodes] != before:
                return None
            return digests
        digests = wait_for(equal, timeout * PATIENCE, "all nodes have applied the same index")
        assert len(set(map(str, digests))) == 1, f"nodes differ at the same index: {digests}"
        assert not isinstance(digests[0], Error), digests[0]
        return digests[0]

    # --- links ---

    def links_between(self, some, others):
        pairs = [(a.id, b.id) for a in some for b in others] + [(b.id, a.id) for a in some for b in others]
        return [self.links[pair] for pair in pairs]

    def cut(self, some):
        """Separates `some` from all others."""
        self.proxy.cut(self.links_between(some, [node for node in self.nodes if node not in some]))

    def heal(self):
        self.proxy.heal(self.links.values())

    def set_delay(self, seconds):
        self.proxy.set_delay(self.links.values(), seconds)


class RedirectingClient:
    """What a cluster client does, in the simplest form: follows MOVED, tries the next node when one is gone.

    It never repeats a write whose outcome is not known: those raise Unknown."""

    class Unknown(Exception):
        pass

    def __init__(self, cluster, timeout=None):
        self.cluster = cluster
        self.ports = [node.port for node in cluster.nodes]
        self.timeout = timeout or 15 * PATIENCE
        self.connection = None
        self.turn = 0

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def _connect(self, port=None):
        self.close()
        for _ in range(1000):
            try:
                self.connection = Connection(port=port or self.ports[self.turn % len(self.ports)],
                                             timeout=self.timeout)
                return
            except OSError:
                port = None
                self.turn += 1
                time.sleep(0.005)
        raise TimeoutError("no node takes connections")

    def call(self, *args, deadline=30):
        end = time.monotonic() + deadline * PATIENCE
        while True:
            if time.monotonic() > end:
                raise TimeoutError(f"no answer to {args}")
            if not self.connection:
                self._connect()
            try:
                reply = self.connection.call(*args)
            except (Closed, OSError) as error:
                self.close()
                self.turn += 1
                raise self.Unknown(str(error)) from error
            if not isinstance(reply, Error):
                return reply
            if reply.code == "MOVED":
                self._connect(int(str(reply).rsplit(":", 1)[1]))
            elif reply.code == "CLUSTERDOWN":
                self.close()
                self.turn += 1
            elif reply.code == "UNKNOWN":
                raise self.Unknown(str(reply))
            else:
                return reply
