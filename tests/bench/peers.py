"""What is measured, and beside what: three nodes of Flotilla, a primary with two replicas, three nodes of etcd, and any
server that the user names. All sync each write."""
import contextlib
import json
import resource
import shutil
import urllib.error
import urllib.request

from cluster import Cluster, Ports, spawn, temporary_folder
from resp import Closed, Connection
from servers import Redis, valkey_program
from waiting import wait_for

SYNC = ("--appendonly", "yes", "--appendfsync", "always")
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
MAX_CLIENTS = min(12000, max(FILES - 1000, 100)) if FILES != resource.RLIM_INFINITY else 12000


class Flotilla:
    """A cluster as a user starts it. Clients are sent to the leader."""

    protocol = "resp"

    def __init__(self, size=3, name="flotilla", **directives):
        self.name = name
        self.cluster = Cluster("bench", size=size, maxclients=MAX_CLIENTS, **directives)
        default_timings(self.cluster)
        try:
            self.cluster.start()
        except BaseException:
            self.cluster.close()
            raise

    @property
    def address(self):
        return self.cluster.wait_leader().address

    @property
    def pids(self):
        return [node.pid for node in self.cluster.nodes]

    @property
    def version(self):
        return f"flotilla-server {self.cluster.nodes[0].info('server').get('flotilla_version', '')}".strip()

    def close(self):
        self.cluster.close()


class RedisWithReplicas:
    """The asynchronous replication that Redis has: the primary acknowledges before a replica knows."""

    protocol = "resp"

    def __init__(self, program="redis-server", name="redis"):
        self.name = name
        self.primary = Redis(*SYNC, "--maxclients", str(MAX_CLIENTS), program=program)
        self.replicas = []
        for _ in range(2):
            self.replicas.append(Redis(*SYNC, "--replicaof", f"127.0.0.1 {self.primary.port}", program=program))
        wait_for(self._in_sync, 60, "the replicas are in sync", interval=0.1)

    def _in_sync(self):
        with self.primary.connect() as connection:
            return connection.call("INFO", "replication").count(b"state=online") == 2

    @property
    def port(self):
        return self.primary.port

    @property
    def address(self):
        return f"127.0.0.1:{self.primary.port}"

    @property
    def pids(self):
        return [one.pid for one in [self.primary, *self.replicas]]

    @property
    def version(self):
        return version_of(self.address)

    def close(self):
        for one in [*self.replicas, self.primary]:
            one.close()


class Etcd:
    """Three nodes, reached through the leader's HTTP gateway: JSON, which costs more than etcd's own gRPC."""

    name, protocol = "etcd", "etcd"

    def __init__(self, size=3):
        self.dir = temporary_folder("etcd")
        self.ports = Ports()
        self.clients = [f"127.0.0.1:{self.ports.take()}" for _ in range(size)]
        peers = [f"http://127.0.0.1:{self.ports.take()}" for _ in range(size)]
        members = ",".join(f"n{number}={peer}" for number, peer in enumerate(peers))
        self.processes = []
        for number, peer in enumerate(peers):
            client = f"http://{self.clients[number]}"
            self.processes.append(spawn(
                ["etcd", "--name", f"n{number}", "--data-dir", str(self.dir / f"n{number}"),
                 "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                 "--initial-advertise-peer-urls", peer, "--initial-cluster", members, "--log-level", "error"],
                self.dir / "log"))
        try:
            wait_for(self._leader, 60, "etcd has a leader", interval=0.1)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _status(client):
        with contextlib.suppress(OSError, urllib.error.URLError):
            request = urllib.request.Request(f"http://{client}/v3/maintenance/status", b"{}")
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        return {}

    def _leader(self):
        for client in self.clients:
            status = self._status(client)
            if status.get("leader", "0") == status.get("header", {}).get("member_id"):
                return client
        return None

    @property
    def address(self):
        return wait_for(self._leader, 60, "etcd has a leader", interval=0.1)

    @property
    def pids(self):
        return [process.pid for process in self.processes]

    @property
    def version(self):
        return f"etcd {self._status(self.clients[0]).get('version')}"

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.ports.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Stranger:
    """A server that the user runs: host:port. Nobody knows its processes, nor how it keeps what it acknowledges."""

    protocol, pids = "resp", ()

    def __init__(self, address):
        self.name = self.address = address
        host, _, port = address.rpartition(":")
        try:
            with Connection(host, int(port), timeout=5) as connection:
                connection.call("PING")
        except (OSError, ValueError, Closed) as error:
            raise ConnectionError(f"the peer '{address}' does not answer: {error}") from error

    @property
    def version(self):
        return version_of(self.address)

    def close(self):
        pass


def version_of(address):
    host, _, port = address.rpartition(":")
    with Connection(host, int(port)) as connection:
        info = connection.call("INFO", "server")
    fields = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line) if isinstance(
        info, bytes) else {}
    if "valkey_version" in fields:
        return f"valkey-server {fields['valkey_version']}"
    return f"redis-server {fields['redis_version']}" if "redis_version" in fields else "unknown"


def start_sides(addresses, without=(), notes=None):
    """Flotilla first; then what is installed and what the user named. `notes` gets a line for each that is left out."""
    makers = [("flotilla", lambda: Flotilla()), ("redis", lambda: RedisWithReplicas()),
              ("valkey", lambda: RedisWithReplicas(valkey_program(), "valkey")), ("etcd", lambda: Etcd())]
    installed = {"redis": shutil.which("redis-server"), "valkey": valkey_program(), "etcd": shutil.which("etcd")}
    makers += [(address, lambda address=address: Stranger(address)) for address in addresses]
    sides = []
    try:
        for name, make in makers:
            if name in without:
                continue
            if name in installed and not installed[name]:
                notes.append(f"{name} is left out: it is not installed (deps/install.sh --bench)")
                continue
            sides.append(make())
    except BaseException:
        close_sides(sides)
        raise
    return sides


def close_sides(sides):
    while sides:
        sides.pop().close()


def default_timings(cluster):
    """Those that a user has, not those of the tests."""
    for name in ("raft-heartbeat-ms", "raft-election-timeout-ms", "leader-wait-ms"):
        del cluster.directives[name]
    for node in cluster.nodes:
        cluster.write_config(node)
