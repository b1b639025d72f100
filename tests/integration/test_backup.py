"""Backups: what they hold, what is checked, what a client may name, what a crash and a full disk leave."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import every_type
from bad_disk import set_faults, shim
from cluster import PATIENCE, SERVER, die_with_parent, run_server, temporary_folder
from load import Incrementer, Setter
from resp import Error
from stock import redis_in
from waiting import wait_for

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


# --- RAFT.BACKUP ---

def pairs(reply):
    assert not isinstance(reply, Error), reply
    return {key.decode(): value.decode() if isinstance(value, bytes) else value
            for key, value in zip(reply[::2], reply[1::2])}


def start(node, *name):
    return pairs(node.call("RAFT.BACKUP", "START", *name))


def status(node):
    return pairs(node.call("RAFT.BACKUP", "STATUS"))


def listed(node):
    reply = node.call("RAFT.BACKUP", "LIST")
    assert not isinstance(reply, Error), reply
    return [pairs(one) for one in reply]


@pytest.fixture
def make_backed(make_cluster):
    """make_backed(size=3, directive=value ...): a cluster whose nodes share one folder of backups."""
    def make(start=True, **options):
        cluster = make_cluster(start=False, **options)
        cluster.backups = cluster.dir / "backups"
        for node in cluster.nodes:
            cluster.write_config(node, backup_dir=f'"{cluster.backups}"')
        return cluster.start() if start else cluster
    return make


def only_names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_names_its_entry_and_is_what_the_nodes_held_then(make_backed):
    cluster = make_backed()
    every_type.fill(cluster.wait_leader().port)
    digest = cluster.wait_equal()
    for node in cluster.nodes:
        done = start(node)
        assert done["index"] == node.applied
        assert done["digest"] == digest
        name = rf"backup-[0-9a-f]{{8}}-{node.id}-{done['index']:020}-\d{{8}}T\d{{6}}\.\d{{3}}Z\.rdb"
        assert re.fullmatch(name, done["file"])
        text = check("--verify", cluster.backups / done["file"])
        assert position(text) == done["index"]
        assert field(text, "Digest") == digest
        assert field(text, "Data digest") == node.raft()["raft_data_digest"]
        path = cluster.backups / done["file"]
        assert path.stat().st_size == done["bytes"]
        assert path.stat().st_mode & 0o777 == 0o600
        last = status(node)
        assert (last["state"], last["last-status"], last["last-file"]) == ("idle", "ok", done["file"])
        assert (last["last-index"], last["last-digest"], last["written"]) == (done["index"], digest, 1)
        info = node.info("persistence")
        assert (info["backup_in_progress"], info["backup_last_status"], info["backups_written"]) == ("0", "ok", "1")
        assert int(info["backup_last_index"]) == done["index"]
    (cluster.backups / "foreign.rdb").write_bytes(b"no backup")
    (cluster.backups / "notes.txt").write_bytes(b"")
    for node in cluster.nodes:
        files = listed(node)
        assert [one["file"] for one in files] == [name for name in only_names(cluster.backups) if name != "notes.txt"]
        assert all((one["index"], one["digest"]) == (done["index"], digest) for one in files[:3])
        assert (files[3]["index"], files[3]["digest"], files[3]["bytes"]) == (0, "", 9)


def test_a_backup_under_load_restores_to_a_new_cluster(make_backed, make_cluster):
    """The rehearsal: what was acknowledged before the backup began is in the new cluster, and nothing is otherwise than
    in the file."""
    cluster = make_backed()
    leader = cluster.wait_leader()
    every_type.fill(leader.port)
    with leader.connect() as connection:
        assert not isinstance(connection.call("CLIENT", "SESSION", "BEGIN"), Error)
    setters = [Setter(cluster, f"s{number}") for number in range(3)]
    counter = Incrementer(cluster)
    for worker in (*setters, counter):
        worker.start()
    backups = []
    for node in cluster.nodes:
        goals = [worker.done + 50 for worker in setters]
        wait_for(lambda: all(worker.done >= goal for worker, goal in zip(setters, goals)), 60 * PATIENCE, "clients write")
        before = [list(worker.written) for worker in setters], counter.acknowledged
        backups.append((start(node), before))
    for worker in (*setters, counter):
        worker.finish()
    assert any(done["index"] < leader.applied for done, _ in backups), "nothing was written during the backups"
    for done, (written, acknowledged) in backups:
        path = cluster.backups / done["file"]
        text = check("--verify", path)
        assert (position(text), field(text, "Digest")) == (done["index"], done["digest"])
        assert "1 sessions of clients" in text
        restored = make_cluster(start=False)
        for node in restored.nodes:
            node.start(False, "--import", path)
        for node in restored.nodes:
            node.wait_until_up()
        restored.wait_leader()
        restored.wait_equal()
        for node in restored.nodes:
            assert node.raft()["raft_data_digest"] == field(text, "Data digest")
        with restored.wait_leader().connect() as connection:
            for keys in written:
                assert connection.call("MGET", *keys) == [f"value of {key}".encode() for key in keys]
            assert int(connection.call("GET", "counter")) >= acknowledged
            assert connection.call("INCR", "counter") > acknowledged
        restored.close()


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
def test_redis_loads_a_backup(make_backed):
    cluster = make_backed(size=1)
    node = cluster.nodes[0]
    every_type.fill(node.port)
    with node.connect() as connection:
        own = every_type.contents(connection, exact=False)
    folder = temporary_folder("redis")
    shutil.copy(cluster.backups / start(node)["file"], folder / "dump.rdb")
    with redis_in(folder) as redis:
        every_type.assert_same(every_type.contents(redis, exact=False), own)


def test_a_node_that_was_cut_off_first_learns_what_was_acknowledged(make_backed):
    cluster = make_backed(links=True)
    follower = cluster.followers()[0]
    cluster.cut([follower])
    leader = cluster.wait_leader(but=follower)
    with leader.connect() as connection:
        replies = connection.pipeline([("SET", f"k{i}", i) for i in range(500)])
    assert set(replies) == {"OK"}
    index = leader.applied
    reply = follower.call("RAFT.BACKUP", "START")
    assert isinstance(reply, Error) and reply.code == "CLUSTERDOWN", reply
    assert status(follower)["last-status"] == "err"
    assert follower.info("persistence")["backups_failed"] == "1"
    assert only_names(cluster.backups) == []
    cluster.heal()
    done = wait_for(lambda: pairs_or_none(follower.call("RAFT.BACKUP", "START")), 30 * PATIENCE, "a backup is made")
    assert done["index"] >= index
    text = check("--verify", cluster.backups / done["file"])
    assert "500 keys" in text


def pairs_or_none(reply):
    return None if isinstance(reply, Error) else pairs(reply)


def test_the_newest_of_the_nodes_own_stay(make_backed):
    cluster = make_backed(size=1, backup_keep=2)
    node = cluster.nodes[0]
    named = start(node, "before-upgrade.rdb")
    assert named["file"] == "before-upgrade.rdb"
    first = start(node)
    # Those of another node, and of another cluster, which had come further.
    others = [re.sub(r"-1-0", "-2-0", first["file"], count=1), re.sub(r"^backup-........", "backup-00000000", first["file"]),
              ".other.tmp"]
    for name in others:
        (cluster.backups / name).write_bytes(b"REDIS")
    made = [first["file"]]
    for number in range(3):
        assert node.call("SET", "k", number) == "OK"
        done = start(node)
        made.append(done["file"])
        assert done["removed"] == (0 if number == 0 else 1)
        assert only_names(cluster.backups) == sorted(["before-upgrade.rdb", *others, *made[-2:]])
    made.append(start(node)["file"])  # of the same entry: a file of its own
    assert only_names(cluster.backups) == sorted(["before-upgrade.rdb", *others, *made[-2:]])


def test_all_stay_with_0(make_backed):
    cluster = make_backed(size=1, backup_keep=0)
    made = [start(cluster.nodes[0])["file"] for _ in range(9)]
    assert only_names(cluster.backups) == sorted(made)


HOSTILE = [
    b"/etc/cron.d/x.rdb", b"../x.rdb", b"..", b".", b"", b"a/b.rdb", b"./x.rdb", b"a/../x.rdb", b".hidden.rdb", b"x", b"x.so",
    b".rdb", b"x.rdb/", b"x.rdb\0", b"x\0.rdb", b"x y.rdb", b"x\n.rdb", b"\xff.rdb", b"a\\b.rdb", b"a" * 197 + b".rdb",
    b"backup-1.rdb", b"BACKUP/../../x.rdb",
]


def test_a_client_can_name_nothing_else(make_backed):
    cluster = make_backed(size=1)
    node = cluster.nodes[0]
    inside = str(cluster.backups)
    outside = cluster.dir / "outside.rdb"
    assert start(node, inside + "/absolute.rdb")["file"] == "absolute.rdb"
    (cluster.backups / "link.rdb").symlink_to(outside)
    (cluster.backups / "folder.rdb").mkdir()
    (cluster.backups / "there.rdb").write_bytes(b"precious")
    before = only_names(cluster.backups), only_names(cluster.dir), only_names(node.data)
    hostile = HOSTILE + [path.encode() for path in (
        inside, inside + "/", inside + "/../x.rdb", inside + "x.rdb", inside + "//x.rdb", str(cluster.dir / "x.rdb"),
        inside + "/backup-1.rdb", str(node.data / "x.rdb"))]
    with node.connect() as connection:
        for name in hostile:
            reply = connection.call("RAFT.BACKUP", "START", name)
            assert isinstance(reply, Error) and reply.code == "ERR", (name, reply)
        for name in ("there.rdb", "link.rdb", "folder.rdb"):
            reply = connection.call("RAFT.BACKUP", "START", name)
            assert isinstance(reply, Error) and "already exists" in str(reply), (name, reply)
        assert connection.call("RAFT.BACKUP", "START", "a.rdb", "b.rdb") == Error("ERR syntax error")
        for directive in ("backup-dir", "backup-keep"):
            reply = connection.call("CONFIG", "SET", directive, "/tmp" if directive == "backup-dir" else "1")
            assert isinstance(reply, Error) and "can't set protected config" in str(reply), reply
        assert connection.call("MULTI") == "OK"
        assert isinstance(connection.call("RAFT.BACKUP", "START"), Error)
    assert (only_names(cluster.backups), only_names(cluster.dir), only_names(node.data)) == before
    assert (cluster.backups / "there.rdb").read_bytes() == b"precious"
    assert not outside.exists()
    assert start(node, "a" * 196 + ".rdb")["index"] > 0


def test_one_backup_at_a_time_and_the_node_serves_meanwhile(make_backed):
    cluster = make_backed(size=1, raft_snapshot_bytes_per_second="1kb", hz=10)
    node = cluster.nodes[0]
    with node.connect() as connection:
        assert set(connection.pipeline([("SET", f"k{i}", "v" * 1000) for i in range(2000)])) == {"OK"}
    with node.connect() as first, node.connect() as other:
        name = first.call("CLIENT", "ID")
        first.send("RAFT.BACKUP", "START")
        wait_for(lambda: status(node)["state"] == "snapshot", 20 * PATIENCE, "the snapshot is being written")
        reply = other.call("RAFT.BACKUP", "START")
        assert isinstance(reply, Error) and "one at a time" in str(reply), reply
        assert node.info("persistence")["backup_in_progress"] == "1"
        assert other.call("SET", "meanwhile", "1") == "OK"
        assert other.call("RAFT.BACKUP", "LIST") == []
        assert other.call("CLIENT", "UNBLOCK", name) == 1
        reply = first.read()
        assert isinstance(reply, Error) and reply.code == "UNBLOCKED", reply
        assert status(node)["state"] == "snapshot", "it goes on without its client"
    assert only_names(cluster.backups) == []
    assert node.stop() == 0
    assert only_names(cluster.backups) == []


def test_a_backup_goes_on_when_its_client_has_gone(make_backed):
    cluster = make_backed(size=1)
    node = cluster.nodes[0]
    every_type.fill(node.port)
    with node.connect() as connection:
        connection.send("RAFT.BACKUP", "START", "alone.rdb")
        wait_for(lambda: status(node)["state"] != "idle" or status(node)["written"], 20 * PATIENCE, "it has begun")
    wait_for(lambda: status(node)["last-status"] == "ok", 30 * PATIENCE, "the backup is made")
    check("--verify", cluster.backups / "alone.rdb")


def test_many_clients_may_ask_for_the_list_at_once(make_backed):
    cluster = make_backed(size=1)
    node = cluster.nodes[0]
    name = start(node)["file"]
    connections = [node.connect() for _ in range(12)]
    try:
        for connection in connections:
            connection.send("RAFT.BACKUP", "LIST")
        replies = [connection.read() for connection in connections]
    finally:
        for connection in connections:
            connection.close()
    answered = [reply for reply in replies if not isinstance(reply, Error)]
    assert len(answered) >= 8
    assert all(pairs(reply[0])["file"] == name and len(reply) == 1 for reply in answered)
    assert all("too many clients" in str(reply) for reply in replies if isinstance(reply, Error))
    assert [one["file"] for one in listed(node)] == [name]


# --- disks that fail ---

@pytest.fixture
def shimmed(make_backed):
    """One node with data; set_faults() concerns its folder of backups alone."""
    cluster = make_backed(start=False, size=1, raft_disk_reserve_bytes="1mb")
    node = cluster.nodes[0]
    shim(node)
    cluster.start()
    with node.connect() as connection:
        assert set(connection.pipeline([("SET", f"k{i}", "v" * 1000) for i in range(1000)])) == {"OK"}
    return cluster, node


def assert_fails(cluster, node, text):
    reply = node.call("RAFT.BACKUP", "START")
    assert isinstance(reply, Error) and text in str(reply), reply
    assert only_names(cluster.backups) == []
    assert node.call("SET", "after", "1") == "OK"
    last = status(node)
    assert (last["state"], last["last-status"]) == ("idle", "err")
    assert text in last["last-error"]


def assert_works_again(cluster, node):
    set_faults(node)
    done = start(node)
    assert only_names(cluster.backups) == [done["file"]]
    check("--verify", cluster.backups / done["file"])


@pytest.mark.parametrize("room", [0, 1, 200000])
def test_a_full_disk_under_a_backup_loses_nothing(shimmed, room):
    cluster, node = shimmed
    set_faults(node, "path backups", f"room {room}")
    assert_fails(cluster, node, "no space left")
    assert_works_again(cluster, node)


def test_a_backup_leaves_the_reserve_free(shimmed):
    cluster, node = shimmed
    set_faults(node, "path backups", "left 1000000")
    assert_fails(cluster, node, "raft-disk-reserve-bytes free: no space left")
    assert_works_again(cluster, node)


def test_no_snapshot_is_begun_that_would_use_the_reserve(shimmed):
    """Of the other disk, that of the node: the backup needs a new snapshot there."""
    cluster, node = shimmed
    assert node.call("SAVE") == "OK"
    assert node.call("SET", "more", "1") == "OK"
    set_faults(node, f"path {node.data}/", "left 1500000")
    # A backup before that would have a snapshot made that serves the next ones as well.
    wait_for(lambda: int(node.raft()["raft_disk_free_bytes"]) <= 1500000, 20 * PATIENCE, "the room is measured")
    reply = node.call("RAFT.BACKUP", "START")
    assert isinstance(reply, Error) and "no room for the snapshot" in str(reply)
    assert node.call("SET", "after", "1") == "OK"
    set_faults(node)
    wait_for(lambda: pairs_or_none(node.call("RAFT.BACKUP", "START")), 20 * PATIENCE, "there is room again")


def test_a_disk_that_cannot_sync_costs_the_backup_alone(shimmed):
    cluster, node = shimmed
    set_faults(node, "path backups", "sync-eio 1")
    assert_fails(cluster, node, "cannot be synced: input/output error")
    set_faults(node, "path backups", "sync-eio 3")  # the file is synced, its folder is not
    assert_fails(cluster, node, "folder cannot be synced: input/output error")
    assert_works_again(cluster, node)


def test_a_damaged_snapshot_becomes_no_backup(shimmed):
    cluster, node = shimmed
    assert node.call("SAVE") == "OK"
    base, = wait_for(lambda: list(node.appendonly.glob("*.base.rdb")), 20 * PATIENCE, "the snapshot has its name")
    whole = base.read_bytes()
    with open(base, "r+b") as file:
        file.seek(len(whole) // 2)
        file.write(bytes([whole[len(whole) // 2] ^ 1]))
    reply = node.call("RAFT.BACKUP", "START")
    assert isinstance(reply, Error) and "its checksum is wrong: corrupt data" in str(reply), reply
    assert only_names(cluster.backups) == []
    assert node.call("SET", "after", "1") == "OK"
    start(node)  # there is something new, so there is a new snapshot


def test_a_folder_that_goes_away_is_said(shimmed):
    cluster, node = shimmed
    cluster.backups.rmdir()
    for command in ("START", "LIST"):
        reply = node.call("RAFT.BACKUP", command)
        assert isinstance(reply, Error) and "cannot be opened: not found" in str(reply), reply
    cluster.backups.mkdir()
    start(node)


# --- the configuration ---

def test_without_a_folder_there_are_no_backups(make_cluster):
    node = make_cluster(size=1).nodes[0]
    for command in ("START", "STATUS", "LIST"):
        assert "backup-dir is not set" in str(node.call("RAFT.BACKUP", command))
    assert "backup_in_progress" not in node.info("persistence")


def test_a_folder_that_cannot_serve_stops_the_start(make_cluster):
    cluster = make_cluster(start=False, size=1)
    node = cluster.nodes[0]
    (cluster.dir / "file").write_text("")
    (cluster.dir / "link").symlink_to(node.data)
    for folder, text in (
            (node.data, "is within dir"), (node.data / "backups", "is within dir"), (cluster.dir / "link", "is within dir"),
            (cluster.dir / "file", "cannot use backup-dir"), (cluster.dir / "file" / "below", "cannot use backup-dir")):
        cluster.write_config(node, backup_dir=f'"{folder}"')
        for more in (("--check-config",), ()):
            code, output = run_server(node.config, *more)
            assert code == 1 and text in output, (folder, more, code, output)
