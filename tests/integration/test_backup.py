"""Backups: what they hold, what is checked, what a client may name, what a crash and a full disk leave."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import every_type
from cluster import PATIENCE, SERVER, die_with_parent

CHECK = os.environ.get("FLOTILLA_CHECK", str(pathlib.Path(SERVER).with_name("flotilla-check")))
FINE, TORN, USAGE, CORRUPT, UNREADABLE = range(5)


def check(*args, status=FINE):
    """Runs the tool: what it says."""
    done = subprocess.run([CHECK, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60 * PATIENCE, preexec_fn=die_with_parent, check=False)
    text = done.stdout.decode(errors="replace")
    assert done.returncode == status, (done.returncode, text)
    return text


def field(text, name):
    return re.search(rf"^{name} +(\S+)", text, re.MULTILINE).group(1)


def position(text):
    """The entry that a report is of."""
    return int(re.search(r"^State +as of entry (\d+):", text, re.MULTILINE).group(1))


# --- flotilla-check --verify ---

@pytest.fixture
def snapshot(make_cluster):
    """Of a node with keys of every type: (the file, its entry, DEBUG DIGEST and raft_data_digest then)."""
    cluster = make_cluster(size=1)
    node = cluster.nodes[0]
    every_type.fill(node.port)
    with node.connect() as connection:
        assert connection.call("SELECT", "3") == "OK"
        assert set(connection.pipeline([("SET", f"k{i}", "v" * i, "PX", "100000000") for i in range(500)])) == {"OK"}
        assert connection.call("SAVE") == "OK"
        digest = connection.call("DEBUG", "DIGEST")
    raft = node.raft()
    assert node.stop() == 0
    file, = node.appendonly.glob("*.base.rdb")
    return file, int(raft["raft_last_applied_index"]), digest, raft["raft_data_digest"]


def test_verify_recomputes_what_the_file_says(snapshot):
    file, index, digest, data = snapshot
    text = check("--verify", file)
    assert position(text) == index
    assert field(text, "Digest") == digest
    assert field(text, "Data digest") == data
    assert f"fine: the keys are those that the file was written with, as of entry {index}\n" in text
    folder = check(file.parent.parent.parent)
    assert field(folder, "Data digest") == data


def test_verify_finds_each_kind_of_damage(snapshot, tmp_path):
    file = snapshot[0]
    whole = file.read_bytes()
    copy = tmp_path / "copy.rdb"
    for place in (0, 9, 40, len(whole) // 3, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        copy.write_bytes(damaged)
        assert "is no whole backup" in check("--verify", copy, status=CORRUPT)
    for content in (b"", whole[:5], whole[:-1], whole[:len(whole) // 2], whole + b"x"):
        copy.write_bytes(content)
        assert "is no whole backup" in check("--verify", copy, status=CORRUPT)


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
def test_verify_says_that_an_export_names_no_entry(snapshot, tmp_path):
    """A file that is whole, but no node wrote it as its state."""
    export = tmp_path / "dump.rdb"
    check("--export", export, snapshot[0].parent.parent.parent)
    assert "it does not say which entry it stands for" in check("--verify", export, status=CORRUPT)


def test_verify_takes_one_file_and_nothing_else(tmp_path):
    assert "cannot read" in check("--verify", tmp_path / "none.rdb", status=UNREADABLE)
    assert "cannot read" in check("--verify", tmp_path, status=UNREADABLE)
    assert "about one file" in check("--verify", tmp_path / "a.rdb", tmp_path, status=USAGE)
    assert "takes no --to" in check("--verify", tmp_path / "a.rdb", "--to", "3", status=USAGE)
    assert "one run each" in check("--verify", tmp_path / "a.rdb", "--repair", status=USAGE)
