"""Clients that write while nodes die, and remember what was acknowledged."""
import threading
import time

from cluster import RedirectingClient


class Worker(threading.Thread):
    """Calls step() again and again until stopped; an exception in it is raised again by finish()."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.client = RedirectingClient(cluster)
        self.stopping = threading.Event()
        self.error = None
        self.done = 0

    def step(self):
        raise NotImplementedError

    def run(self):
        try:
            while not self.stopping.is_set():
                self.step()
                self.done += 1
        except BaseException as error:  # reported by finish()
            self.error = error
        finally:
            self.client.close()

    def finish(self):
        self.stopping.set()
        self.join(120)
        assert not self.is_alive(), "a client hangs"
        if self.error:
            raise self.error


class Incrementer(Worker):
    """INCR of one counter. acknowledged <= the counter's end value <= attempted."""

    def __init__(self, cluster, key="counter"):
        super().__init__(cluster)
        self.key = key
        self.acknowledged = 0
        self.attempted = 0
        self.unknown = 0
        self.highest = 0

    def step(self):
        self.attempted += 1
        try:
            value = self.client.call("INCR", self.key)
        except RedirectingClient.Unknown:
            self.unknown += 1
            return
        assert isinstance(value, int), value
        assert value > self.highest, f"the counter went back from {self.highest} to {value}"
        self.highest = value
        self.acknowledged += 1


class Setter(Worker):
    """SET of a new key each time; `written` holds what was acknowledged."""

    def __init__(self, cluster, name):
        super().__init__(cluster)
        self.name = name
        self.number = 0
        self.written = []

    def step(self):
        self.number += 1
        key = f"{self.name}:{self.number}"
        try:
            reply = self.client.call("SET", key, f"value of {key}")
        except RedirectingClient.Unknown:
            return
        assert reply == "OK", reply
        self.written.append(key)

    def lost(self, connection):
        """Acknowledged keys that are not there."""
        lost = []
        for start in range(0, len(self.written), 500):
            keys = self.written[start:start + 500]
            for key, value in zip(keys, connection.call("MGET", *keys)):
                if value != f"value of {key}".encode():
                    lost.append(key)
        return lost


class Rewriter(Worker):
    """SET of few keys again and again, each time to a higher number: the data stays small, the log grows."""

    def __init__(self, cluster, name, keys=10, padding=300):
        super().__init__(cluster)
        self.names = [f"{name}:{number}" for number in range(keys)]
        self.padding = "." * padding
        self.number = 0
        self.attempted = {}
        self.acknowledged = {}

    def step(self):
        self.number += 1
        key = self.names[self.number % len(self.names)]
        self.attempted[key] = self.number
        try:
            reply = self.client.call("SET", key, f"{self.number}:{self.padding}")
        except RedirectingClient.Unknown:
            return
        assert reply == "OK", reply
        self.acknowledged[key] = self.number

    def lost(self, connection):
        """Keys whose number is not between the last one acknowledged and the last one attempted."""
        lost = []
        for key, least in self.acknowledged.items():
            value = connection.call("GET", key)
            number = int(value.split(b":")[0]) if value else 0
            if not least <= number <= self.attempted[key]:
                lost.append((key, least, number))
        return lost


class Reader(Worker):
    """Reads the counter: never less than what was acknowledged before the read began."""

    def __init__(self, cluster, incrementer):
        super().__init__(cluster)
        self.incrementer = incrementer

    def step(self):
        least = self.incrementer.highest
        try:
            value = int(self.client.call("GET", self.incrementer.key) or 0)
        except RedirectingClient.Unknown:
            return  # the node died under the read
        assert value >= least, f"stale read: {value}, though {least} was acknowledged before"
        time.sleep(0.001)
