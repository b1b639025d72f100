"""redis_py.py MODE PORT…: redis-py as scenario.py asks it to."""
import sys

import redis
import redis.cluster
import redis.sentinel

import protocol


class Client:
    def __init__(self, mode, ports):
        if mode == "cluster":
            nodes = [redis.cluster.ClusterNode("127.0.0.1", port) for port in ports]
            self.client = redis.cluster.RedisCluster(startup_nodes=nodes)
        elif mode == "sentinel":
            sentinels = redis.sentinel.Sentinel([("127.0.0.1", port) for port in ports], socket_timeout=5)
            self.client = sentinels.master_for("mymaster")
        else:
            self.client = redis.Redis(port=ports[0])
        self.client.ping()
        self.watching = None

    def incr(self, key):
        return [self.client.incr(key)]

    def pipeline(self, key, count):
        with self.client.pipeline(transaction=False) as pipe:
            for _ in range(int(count)):
                pipe.incr(key)
            return pipe.execute()

    def transaction(self, one, other):
        with self.client.pipeline(transaction=True) as pipe:
            pipe.incr(one)
            pipe.incr(other)
            return pipe.execute()

    def set(self, key, value, milliseconds):
        return [self.client.set(key, value, px=int(milliseconds))]

    def get(self, key):
        return [self.client.get(key)]

    def watch(self, key):
        self.watching = self.client.pipeline(transaction=True)
        self.watching.watch(key)
        return [self.watching.get(key)]

    def exec(self, key, value):
        with self.watching as pipe:
            pipe.multi()
            pipe.set(key, value)
            try:
                return pipe.execute()
            except redis.WatchError:
                return [None]


protocol.serve(Client(sys.argv[1], [int(port) for port in sys.argv[2:]]))
