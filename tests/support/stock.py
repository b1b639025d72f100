"""A stock redis-server that loads what a node has written."""
import contextlib
import shutil
import subprocess

from cluster import Ports, spawn, temporary_folder
from resp import Connection
from waiting import wait_for


@contextlib.contextmanager
def redis_in(folder, *directives):
    """A connection to a redis-server that has loaded what is in the folder, which goes with it."""
    ports = Ports()
    port = ports.take()
    redis = spawn(["redis-server", "--port", str(port), "--save", "", "--dir", str(folder), *directives], folder / "log")
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


@contextlib.contextmanager
def loaded_by_redis(node):
    """The same with a copy of the node's folder. redis-check-aof accepts it too."""
    folder = temporary_folder("redis")
    shutil.copytree(node.data / "shard-0" / "appendonlydir", folder / "appendonlydir")
    manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
    checked = subprocess.run(["redis-check-aof", manifest], capture_output=True, timeout=60, check=False)
    assert checked.returncode == 0, checked
    with redis_in(folder, "--appendonly", "yes") as connection:
        yield connection


@contextlib.contextmanager
def loaded_dump(path):
    """The same with an RDB file."""
    folder = temporary_folder("redis")
    shutil.copy(path, folder / "dump.rdb")
    with redis_in(folder) as connection:
        yield connection
