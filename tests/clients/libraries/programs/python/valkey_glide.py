"""valkey_glide.py MODE PORT…: Valkey GLIDE as scenario.py asks it to.

Its requests time out after 250 ms unless told otherwise, which is less than an election takes."""
import sys

from glide_sync import (Batch, ClusterBatch, ExpirySet, ExpiryType, GlideClient, GlideClientConfiguration,
                        GlideClusterClient, GlideClusterClientConfiguration, NodeAddress)

import protocol


class Client:
    def __init__(self, mode, ports):
        addresses = [NodeAddress("127.0.0.1", port) for port in ports]
        self.batch = ClusterBatch if mode == "cluster" else Batch
        if mode == "cluster":
            self.client = GlideClusterClient.create(GlideClusterClientConfiguration(addresses, request_timeout=10000))
        else:
            self.client = GlideClient.create(GlideClientConfiguration(addresses, request_timeout=10000))

    def incr(self, key):
        return [self.client.incr(key)]

    def pipeline(self, key, count):
        batch = self.batch(is_atomic=False)
        for _ in range(int(count)):
            batch.incr(key)
        return self.client.exec(batch, raise_on_error=True)

    def transaction(self, one, other):
        return self.client.exec(self.batch(is_atomic=True).incr(one).incr(other), raise_on_error=True)

    def set(self, key, value, milliseconds):
        return [self.client.set(key, value, expiry=ExpirySet(ExpiryType.MILLSEC, int(milliseconds)))]

    def get(self, key):
        return [self.client.get(key)]

    def watch(self, key):
        self.client.watch([key])
        return [self.client.get(key)]

    def exec(self, key, value):
        replies = self.client.exec(self.batch(is_atomic=True).set(key, value), raise_on_error=True)
        return [None] if replies is None else replies


protocol.serve(Client(sys.argv[1], [int(port) for port in sys.argv[2:]]))
