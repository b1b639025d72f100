"""A stock redis-server that loads the folder of a node."""
import contextlib
import shutil
import subprocess

from cluster import Ports, spawn, temporary_folder
from resp import Connection
from waiting import wait_for


@contextlib.contextmanager
def loaded_by_redis(node):
    """A connection to a redis-server that has loaded a copy of the node's folder. redis-check-aof accepts it too."""
    folder = temporary_folder("redis")
    ports = Ports()
    port = ports.take()
    shutil.copytree(node.data / "shard-0" / "appendonlydir", folder / "appendonlydir")
    manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
    checked = subprocess.run(["redis-check-aof", manifest], capture_output=True, timeout=60)
    assert checked.returncode == 0, checked
    redis = spawn(["redis-server", "--port", str(port), "--appendonly", "yes", "--save", "", "--dir", str(folder)],
                  folder / "log")
    try:
        def loaded():
            assert redis.poll() is None, (folder / "log").read_text()[-2000:]
            with contextlib.suppress(OSError):
                with Connection(port=port) as connection:
                    return connection.call("PING") == "PONG"
            return False
        wait_for(loaded, 60, "redis-server has loaded the folder")
        with Connection(port=port) as connection:
            yield connection
    finally:
        redis.kill()
        redis.wait(20)
        ports.close()
        shutil.rmtree(folder)
