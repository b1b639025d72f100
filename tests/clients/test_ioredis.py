"""ioredis, plain and in cluster mode. It comes from npm: where there is none, this is skipped."""
import os
import pathlib
import shutil
import subprocess

import pytest

from cluster import SERVER, TOP, Cluster

FOLDER = pathlib.Path(SERVER).parent / "ioredis"
VERSION = "5"


def npm_install():
    """Into the build folder, once."""
    if (FOLDER / "node_modules" / "ioredis").is_dir():
        return None
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "package.json").write_text("{}\n")
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"ioredis@{VERSION}"],
                              cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                              check=False)
    except subprocess.TimeoutExpired:
        return "npm did not answer"
    return None if done.returncode == 0 else done.stdout[-200:]


@pytest.fixture(scope="module")
def ioredis():
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    problem = npm_install()
    if problem:
        pytest.skip(f"npm has no ioredis: {problem}")
    return {**os.environ, "NODE_PATH": str(FOLDER / "node_modules")}


def test_ioredis(ioredis):
    with Cluster("ioredis") as cluster:
        ports = [str(cluster.wait_leader().port), *(str(node.port) for node in cluster.nodes)]
        done = subprocess.run(["node", str(TOP / "tests" / "clients" / "ioredis.js"), *ports], env=ioredis,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout
        assert done.stdout.endswith("ok\n"), done.stdout
