"""deploy/local-cluster, the work behind make run, make status and make stop."""
import os
import shutil
import signal
import subprocess

import pytest

from cluster import SERVER, TOP, Ports, run_server, temporary_folder
from waiting import wait_for


class Local:
    def __init__(self):
        self.ports = Ports()
        self.dir = temporary_folder("local")
        self.port = self.free_ports()

    def free_ports(self):
        """Three in a row, of which the first one is guarded."""
        return self.ports.take()

    def run(self, what):
        done = subprocess.run([str(TOP / "deploy" / "local-cluster"), what], cwd=self.dir, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, check=False,
                              env={**os.environ, "PORT": str(self.port), "SERVER": SERVER})
        return done.returncode, done.stdout.decode()

    def pid(self, node):
        return int((self.dir / "data" / f"node-{node}" / "flotilla.pid").read_text())

    def kill(self, node):
        pid = self.pid(node)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not os.path.exists(f"/proc/{pid}") or ") Z " in open(f"/proc/{pid}/stat").read(), 10)


@pytest.fixture
def local():
    one = Local()
    yield one
    one.run("stop")
    one.ports.close()
    shutil.rmtree(one.dir)


def test_it_works_from_nothing_and_after_kill_9(local):
    status, text = local.run("start")
    assert status == 0 and text.count(" up\n") == 3, text
    for node in (1, 2, 3):
        local.kill(node)
    status, text = local.run("start")
    assert status == 0 and text.count(" up\n") == 3, text


def test_it_says_for_whom_a_node_waits(local):
    status, text = local.run("start")
    assert status == 0, text
    for node in (1, 2, 3):
        local.kill(node)
        for name in ("flotilla.identity", "flotilla.pid"):
            (local.dir / "data" / f"node-{node}" / name).unlink()
        subprocess.run(["rm", "-r", str(local.dir / "data" / f"node-{node}" / "shard-0")], check=True)
    for node in (1, 2):
        assert run_server(local.dir / "data" / f"node-{node}" / "redis.conf")[0] == 0
    expected = f"waiting for node 3 at 127.0.0.1:{local.port + 2}, which is not reached"
    wait_for(lambda: local.run("status")[1].count(expected) == 2, 20, "status says for whom")
    assert local.run("start")[0] == 0
    assert "waiting" not in local.run("status")[1]
