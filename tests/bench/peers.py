"""What Flotilla is measured beside, and Flotilla as a user starts it."""
from servers import Redis, valkey_program
from waiting import wait_for

SYNC = ("--appendonly", "yes", "--appendfsync", "always")


class RedisWithReplicas:
    """The asynchronous replication that Redis has: the primary acknowledges before a replica knows."""

    def __init__(self, program="redis-server"):
        self.primary = Redis(*SYNC, program=program)
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
    def pids(self):
        return [one.pid for one in [self.primary, *self.replicas]]

    def close(self):
        for one in [*self.replicas, self.primary]:
            one.close()


def with_replicas():
    """{name: a primary with two replicas}, of each server that is there."""
    peers = {"redis": RedisWithReplicas()}
    if valkey_program():
        peers["valkey"] = RedisWithReplicas(valkey_program())
    return peers


def default_timings(cluster):
    """Those that a user has, not those of the tests."""
    for name in ("raft-heartbeat-ms", "raft-election-timeout-ms", "leader-wait-ms"):
        del cluster.directives[name]
    for node in cluster.nodes:
        cluster.write_config(node)
