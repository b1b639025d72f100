"""flotilla-check: what it says of the folders of real nodes, whole, torn and damaged, and what Redis makes of its output."""
import contextlib
import hashlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess

import pytest

import every_type
import logs
from cluster import PATIENCE, SERVER, Ports, die_with_parent, spawn
from resp import Connection
from waiting import wait_for

CHECK = os.environ.get("FLOTILLA_CHECK", str(pathlib.Path(SERVER).with_name("flotilla-check")))
FINE, TORN, USAGE, CORRUPT, UNREADABLE = range(5)
needs_redis = pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
pytestmark = pytest.mark.skipif(not os.access(CHECK, os.X_OK), reason="flotilla-check is not built")

# Snapshots only when the test asks for them: a kill in the midst of one leaves temporary files.
SMALL = {
    "raft_snapshot_log_bytes": 0,
    "raft_snapshot_keep_bytes": "80kb",
    "raft_segment_bytes": "64kb",
}
FAR = 4102444800000  # a deadline in 2100


def check(*args, answer=b"", status=FINE):
    """Runs the tool: (standard output, standard error). A crash never is the status that was expected."""
    done = subprocess.run([CHECK, *map(str, args)], input=answer, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60 * PATIENCE, preexec_fn=die_with_parent, check=False)
    out, error = done.stdout, done.stderr.decode(errors="replace")
    assert done.returncode == status, (done.returncode, out[-2000:], error[-2000:])
    return out, error


def report(*args, **more):
    return check(*args, **more)[0].decode()


def digest_of(text):
    return re.search(r"^Digest +([0-9a-f]{40}) ", text, re.MULTILINE).group(1)


def sums(folder):
    """Of each file, with its time of change."""
    return {path.relative_to(folder): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for path in sorted(folder.rglob("*")) if path.is_file()}


def log_folder(folder):
    return folder / "shard-0" / "appendonlydir"


def segments(folder):
    names = log_folder(folder).glob("*.incr.aof")
    return sorted(names, key=lambda path: int(path.name.split(".")[2]))


class Reference:
    """What the last node held at its end."""

    def __init__(self, node):
        with node.connect() as connection:
            self.keys = sorted(connection.call("KEYS", "*"))
            self.values = connection.pipeline([("GET", key) for key in self.keys])
            self.deadlines = connection.pipeline([("PEXPIRETIME", key) for key in self.keys])
            self.digest = connection.call("DEBUG", "DIGEST")


def write_everything(connection, rounds):
    for number in range(rounds):
        connection.pipeline([("SET", f"k{i}", f"{number}:" + "v" * 90) for i in range(50)])
        connection.pipeline([("INCR", "counter"), ("APPEND", "text", "more "), ("SETRANGE", "range", number, "x"),
                             ("INCRBYFLOAT", "float", "0.1"), ("SET", "gone", "1"), ("DEL", "gone"),
                             ("SET", "dies", "1", "PX", 1), ("SET", "deadline", number, "PXAT", FAR + number)])
        connection.call("WATCH", "watched", "counter")
        if number % 2:
            connection.call("INCR", "watched")
        connection.call("MULTI")
        connection.call("APPEND", "by transaction", f"{number},")
        connection.call("INCR", "counter")
        connection.call("EXEC")
    connection.call("SET", b"binary \x00\r\n#VOTE:1:1\r\n", b"\xff\x00\r\n\"\\")


def take_snapshot(node, connection, number):
    connection.call("BGSAVE")
    wait_for(lambda: int(node.raft()["raft_snapshots"]) == number, 20 * PATIENCE, "the snapshot")


def stopped_folder(make_cluster, rounds=30, snapshots=0, **directives):
    """A node alone, killed: (its data folder, what it held). A snapshot stands before each of the last rounds."""
    cluster = make_cluster(size=1, **directives)
    node = cluster.wait_leader()
    with node.connect() as connection:
        for number in range(snapshots):
            write_everything(connection, rounds)
            take_snapshot(node, connection, number + 1)
        write_everything(connection, rounds)
        wait_for(lambda: connection.call("EXISTS", "dies") == 0 and settled(connection), 20 * PATIENCE, "all is quiet")
    reference = Reference(node)
    node.kill()
    return node.data, reference


def settled(connection):
    """What is past its deadline is removed by an entry of its own."""
    info = connection.call("INFO", "keyspace").decode()
    found = re.search(r"expires=(\d+)", info)
    return found and int(found.group(1)) == 1


@contextlib.contextmanager
def redis_server(folder, *options):
    ports = Ports()
    port = ports.take()
    redis = spawn(["redis-server", "--port", str(port), "--save", "", "--dir", str(folder), *options], folder / "redis.log")
    try:
        def answers():
            with contextlib.suppress(OSError):
                with Connection(port=port) as connection:
                    return connection.call("PING") == "PONG"
            return False
        wait_for(answers, 30 * PATIENCE, "redis-server answers")
        with Connection(port=port) as connection:
            yield connection, port
    finally:
        redis.kill()
        redis.wait(20)
        ports.close()


def assert_same(connection, reference):
    assert sorted(connection.call("KEYS", "*")) == reference.keys
    assert connection.pipeline([("GET", key) for key in reference.keys]) == reference.values
    assert connection.pipeline([("PEXPIRETIME", key) for key in reference.keys]) == reference.deadlines


# ---- whole folders ----

def test_the_digest_is_that_of_the_live_node(make_cluster, tmp_path):
    folder, reference = stopped_folder(make_cluster)
    before = sums(folder)
    text = report(folder)
    assert digest_of(text) == reference.digest
    assert text.splitlines()[-1].startswith("fine: ")
    assert "Snapshot      none" in text
    assert "15 of the transactions came to nothing" in text
    for path in (folder / "shard-0", log_folder(folder)):
        assert digest_of(report(path)) == reference.digest
    assert sums(folder) == before
    copy = tmp_path / "a copy of another name"
    shutil.copytree(log_folder(folder), copy)
    assert digest_of(report(copy)) == reference.digest


def test_snapshots_history_and_segments_are_reported(make_cluster):
    folder, reference = stopped_folder(make_cluster, rounds=20, snapshots=2, **SMALL)
    (log_folder(folder) / "temp-image-99.rdb").write_bytes(b"half")
    (log_folder(folder) / "appendonly.aof.98.incr.aof").write_bytes(b"")
    before = sums(folder)
    text = report(folder)
    assert digest_of(text) == reference.digest
    assert re.search(r"^Node +1 of cluster [0-9a-f]{40}$", text, re.MULTILINE)
    assert re.search(r"^Vote +term \d+, for node 1$", text, re.MULTILINE)
    assert re.search(r"^Snapshot +entry \d+, term \d+, \d+ bytes, checksum fine$", text, re.MULTILINE)
    assert "temp-image-99.rdb (a start removes it)" in text
    assert "appendonly.aof.98.incr.aof (a start removes it)" in text
    for path in log_folder(folder).iterdir():
        assert path.name.endswith(".manifest") or path.name in text
    assert re.search(r"\.base\.rdb +snapshot", text)
    assert re.search(r"\.incr\.aof +log +\d+ +\d+ +\d+", text)
    assert sums(folder) == before


def test_all_nodes_of_a_cluster_have_the_digest(make_cluster):
    cluster = make_cluster(raft_snapshot_log_bytes="100kb", raft_segment_bytes="64kb")
    with cluster.wait_leader().connect() as connection:
        write_everything(connection, 40)
        wait_for(lambda: connection.call("EXISTS", "dies") == 0 and settled(connection), 20 * PATIENCE, "all is quiet")
    digest = cluster.wait_equal()
    applied = cluster.nodes[0].applied
    for node in cluster.nodes:
        node.kill()
    for node in cluster.nodes:
        assert digest_of(report(node.data, "--to", applied)) == digest
        assert f"{node.id} of cluster" in report(node.data)


def test_a_running_node_is_left_alone(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.wait_leader()
    for path in (node.data, node.data / "shard-0", log_folder(node.data)):
        for option in ((), ("--repair", "--yes"), ("--dump",)):
            _, error = check(path, *option, status=UNREADABLE)
            assert f"in use by process {node.pid}" in error
    assert node.call("SET", "k", "v") == "OK"


def test_other_names_of_folder_and_file(make_cluster):
    folder, reference = stopped_folder(make_cluster, rounds=3, appenddirname="logs", appendfilename='"my.aof"')
    names = ("--appenddirname", "logs", "--appendfilename", "my.aof")
    assert digest_of(report(folder, *names)) == reference.digest
    assert digest_of(report(folder / "shard-0" / "logs", "--appendfilename", "my.aof")) == reference.digest
    check(folder, status=UNREADABLE)


# ---- torn ----

def tear(folder):
    """Half a record behind the last one, as a crash leaves it."""
    path = segments(folder)[-1]
    data = path.read_bytes()[:logs.end(path)]
    last = data[data.rindex(b"#RAFT:"):]
    half = re.sub(rb"^#RAFT:(\d+)", lambda m: b"#RAFT:%d" % (int(m.group(1)) + 1), last)[:-7]
    path.write_bytes(data + half)
    return path, len(data), len(half)


def test_a_torn_tail_is_found_and_only_cut_when_told(make_cluster):
    folder, reference = stopped_folder(make_cluster, rounds=5)
    path, offset, count = tear(folder)
    before = sums(folder)
    text = report(folder, status=TORN)
    assert f"{count} bytes at offset {offset} of {path}" in text
    assert text.splitlines()[-1].startswith("torn: ")
    assert digest_of(text) == reference.digest
    question = f"Cut {count} bytes at offset {offset} of {path}? [y/N]"
    for answer in (b"", b"\n", b"n\n", b"no, yes\n"):
        assert question in report(folder, "--repair", answer=answer, status=TORN)
        assert sums(folder) == before
    text = report(folder, "--repair", answer=b"y\n")
    assert question in text
    assert text.splitlines()[-1].startswith("fine: ")
    assert path.stat().st_size == offset
    assert {name for name, seen in sums(folder).items() if seen != before[name]} == {path.relative_to(folder)}
    assert digest_of(report(folder)) == reference.digest


def test_yes_is_an_answer_and_a_node_starts_from_what_was_repaired(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.wait_leader()
    with node.connect() as connection:
        write_everything(connection, 3)
        counter = connection.call("GET", "counter")
    node.kill()
    path, offset, _ = tear(node.data)
    report(node.data, "--repair", "--yes")
    assert path.stat().st_size == offset
    report(node.data, "--repair", "--yes")
    node.start()
    cluster.wait_leader()
    assert node.call("GET", "counter") == counter
    assert "was cut off" not in node.tail(1000)


# ---- damaged ----

def assert_corrupt(folder, *says):
    before = sums(folder)
    text = report(folder, status=CORRUPT)
    last = text.splitlines()[-1]
    assert last.startswith("corrupt: ")
    for one in says:
        assert one in last, (one, last)
    assert "empty" in text
    report(folder, "--repair", "--yes", status=CORRUPT)
    target = folder.parent / "never.rdb"
    report(folder, "--export", target, status=CORRUPT)
    assert not target.exists()
    assert sums(folder) == before


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_a_flipped_byte_is_corruption_with_file_and_offset(make_cluster):
    folder, _ = stopped_folder(make_cluster, rounds=20, snapshots=2, **SMALL)
    path = segments(folder)[-2]
    data = path.read_bytes()
    records = [match.start() for match in re.finditer(rb"#RAFT:\d+:\d+:C", data)]
    flip(path, records[len(records) // 2] + 60)
    assert_corrupt(folder, path.name, f"offset {records[len(records) // 2]}")


def test_a_flipped_byte_in_the_open_segment_before_a_mark_is_corruption(make_cluster):
    folder, _ = stopped_folder(make_cluster, rounds=20)
    path = segments(folder)[-1]
    data = path.read_bytes()
    at = data.index(b"#RAFT:5:")
    flip(path, at + 50)
    assert_corrupt(folder, path.name, f"offset {at}")


def test_a_flipped_byte_in_the_snapshot_is_corruption(make_cluster):
    folder, _ = stopped_folder(make_cluster, rounds=20, snapshots=2, **SMALL)
    base = next(log_folder(folder).glob("*.base.rdb"))
    flip(base, base.stat().st_size // 2)
    assert_corrupt(folder, base.name)


def test_a_missing_segment_and_a_missing_manifest_are_corruption(make_cluster, tmp_path):
    folder, _ = stopped_folder(make_cluster, rounds=20, snapshots=2, **SMALL)
    for number, pattern in enumerate(("*.incr.aof", "*.base.rdb", "*.manifest")):
        copy = tmp_path / str(number) / "data"
        shutil.copytree(folder, copy)
        path = next(log_folder(copy).glob(pattern))
        path.unlink()
        assert_corrupt(copy, path.name if number < 2 else "the manifest is missing")


def test_what_is_not_there_or_not_to_be_read(tmp_path):
    assert "No such file" in check(tmp_path / "nothing", status=UNREADABLE)[1]
    assert "there is no log" in check(tmp_path, status=UNREADABLE)[1]
    log = log_folder(tmp_path)
    log.mkdir(parents=True)
    assert "no manifest" in check(tmp_path, status=UNREADABLE)[1]
    (log / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    (log / "appendonly.aof.1.incr.aof").mkdir()
    check(tmp_path, status=UNREADABLE)
    (log / "appendonly.aof.1.incr.aof").rmdir()
    os.mkfifo(log / "appendonly.aof.1.incr.aof")
    check(tmp_path, status=UNREADABLE)


def test_hostile_files_never_crash_it(make_cluster, tmp_path):
    folder, _ = stopped_folder(make_cluster, rounds=6, snapshots=2, **SMALL)
    chance = random.Random(4)
    source = log_folder(folder)
    names = sorted(path.name for path in source.iterdir())
    for _ in range(120):
        copy = tmp_path / "hostile"
        shutil.copytree(source, copy)
        path = copy / chance.choice(names)
        data = bytearray(path.read_bytes())
        kind = chance.randrange(4)
        if kind == 0 and data:
            for _ in range(chance.randrange(1, 20)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        elif kind == 1:
            del data[chance.randrange(len(data) + 1):]
        elif kind == 2:
            at = chance.randrange(len(data) + 1)
            data[at:at] = chance.randbytes(chance.randrange(200))
        else:
            other = (copy / chance.choice(names)).read_bytes()
            at = chance.randrange(len(data) + 1)
            data[at:] = other[chance.randrange(len(other) + 1):]
        path.write_bytes(data)
        for options in ((), ("--dump",), ("--dump", "--format", "resp")):
            done = subprocess.run([CHECK, *options, str(copy)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=60 * PATIENCE, preexec_fn=die_with_parent, check=False)
            verdict = (done.stderr if options or done.returncode == UNREADABLE else done.stdout).splitlines()[-1]
            expected = {FINE: b"fine: ", TORN: b"torn: ", CORRUPT: b"corrupt: ", UNREADABLE: b"unreadable: "}
            assert verdict.startswith(expected.get(done.returncode, b"\n")), (done.returncode, done.stderr[-2000:])
        shutil.rmtree(copy)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def forge(line, payload=b""):
    """A record that no node wrote, with the checksum that it should have."""
    return b"%s:%08x\r\n%s" % (line, crc32c(line + b":" + payload), payload)


MOST = 2 ** 64 - 1
COMMAND = b"*1\r\n$3\r\nSET\r\n"


@pytest.mark.parametrize("records, status", [
    ([forge(b"#RAFT:1:1:N:0:0:0")], FINE),
    ([forge(b"#RAFT:1:1:N:-9223372036854775808:ffffffffffffffff:0")], FINE),
    ([forge(b"#RAFT:1:1:E:9223372036854775807:ffffffffffffffff:0")], FINE),
    ([forge(b"#RAFT:1:%d:N:0:0:0" % MOST), forge(b"#RAFT:2:%d:N:0:0:0" % MOST)], FINE),
    ([forge(b"#RAFT:1:1:C:0:0:%d" % len(COMMAND), COMMAND)], CORRUPT),
    ([forge(b"#RAFT:1:1:T:0:0:1", b"#")], CORRUPT),
    ([forge(b"#RAFT:1:1:M:0:0:0")], CORRUPT),
    ([forge(b"#RAFT:1:1:C:0:0:0"), forge(b"#RAFT:2:1:N:0:0:0")], CORRUPT),
    ([forge(b"#RAFT:3:1:N:0:0:0")], CORRUPT),
    ([forge(b"#RAFT:1:2:N:0:0:0"), forge(b"#RAFT:2:1:N:0:0:0")], CORRUPT),
    ([b"#RAFT:1:1:C:0:0:2147483647:00000000\r\nshort"], TORN),
    ([b"#RAFT:1:1:C:0:0:2147483647:00000000\r\nshort", forge(b"#SYNC:110:157")], CORRUPT),
    ([forge(b"#VOTE:%d:%d" % (MOST, MOST))], FINE),
])
@pytest.mark.parametrize("before", [0, MOST], ids=["first", "last"])
def test_forged_records_never_crash_it(tmp_path, records, status, before):
    log = tmp_path / "appendonlydir"
    log.mkdir()
    (log / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    header = [forge(b"#NODE:1:%s:1" % (b"a" * 40)), forge(b"#PREV:%d:0" % before), forge(b"#VOTE:0:0")]
    (log / "appendonly.aof.1.incr.aof").write_bytes(b"".join(header + records))
    expected = CORRUPT if before else status  # there is no snapshot that goes so far
    for options in ((), ("--dump",), ("--dump", "--format", "resp")):
        check(tmp_path, *options, status=expected)


# ---- the dump ----

def test_the_dump_has_a_line_for_each_entry(make_cluster):
    folder, _ = stopped_folder(make_cluster, rounds=3)
    lines = check(folder, "--dump")[0].decode().splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(1, len(lines) + 1))
    assert {line.split()[2] for line in lines} == {"no-op", "command", "transaction", "expiry"}
    assert all(re.match(r" *\d+ +\d+ [a-z-]+ +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z +\d+", line) for line in lines)
    assert any(line.endswith(r'"SET" "binary \x00\r\n#VOTE:1:1\r\n" "\xff\x00\r\n\"\\"') for line in lines)
    assert any("(void: a watched key had changed)" in line for line in lines)
    some = check(folder, "--dump", "--from", 3, "--to", 5)[0].decode().splitlines()
    assert some == lines[2:5]


@needs_redis
def test_the_dump_as_commands_gives_the_same_values(make_cluster, tmp_path):
    folder, reference = stopped_folder(make_cluster)
    commands, error = check(folder, "--dump", "--format", "resp")
    assert "fine: " in error
    with redis_server(tmp_path) as (connection, port):
        done = subprocess.run(["redis-cli", "-p", str(port), "--pipe"], input=commands, stdout=subprocess.PIPE,
                              timeout=60 * PATIENCE, check=False)
        assert b"errors: 0" in done.stdout
        wait_for(lambda: connection.call("EXISTS", "dies") == 0, 20 * PATIENCE, "Redis expires what is past its deadline")
        assert_same(connection, reference)


def test_a_dump_of_what_is_not_all_says_so(make_cluster):
    folder, _ = stopped_folder(make_cluster, rounds=5, snapshots=1, raft_snapshot_log_bytes=0, raft_snapshot_keep_bytes=0)
    assert "not all of the data" in check(folder, "--dump", "--format", "resp")[1]


# ---- the export ----

@needs_redis
@pytest.mark.parametrize("directives", [{}, {"snapshots": 2, **SMALL}], ids=["log", "snapshot"])
def test_redis_loads_the_export_with_the_same_values_and_deadlines(make_cluster, tmp_path, directives):
    folder, reference = stopped_folder(make_cluster, rounds=20, **directives)
    target = tmp_path / "dump.rdb"
    before = sums(folder)
    text = report(folder, "--export", target)
    assert f"exported: {len(reference.keys)} keys" in text
    assert "may not be committed" in text
    assert sums(folder) == before
    assert os.listdir(tmp_path) == ["dump.rdb"]
    assert subprocess.run(["redis-check-rdb", target], capture_output=True, timeout=60, check=False).returncode == 0
    with redis_server(tmp_path) as (connection, _):
        assert_same(connection, reference)


@needs_redis
@pytest.mark.parametrize("thresholds", every_type.THRESHOLDS)
@pytest.mark.parametrize("snapshot", [False, True], ids=["log", "snapshot"])
def test_redis_loads_the_export_of_every_type(make_cluster, tmp_path, thresholds, snapshot):
    node = make_cluster(size=1).wait_leader()
    every_type.fill(node.port, thresholds)
    with node.connect() as connection:
        if snapshot:
            take_snapshot(node, connection, 1)
        for command in every_type.changes():
            connection.call(*command)
        expected = every_type.contents(connection, exact=False)
    node.kill()
    assert "streams have what a file for Redis 5.0 has no place for" in report(
        node.data, "--export", tmp_path / "dump.rdb")
    assert subprocess.run(["redis-check-rdb", tmp_path / "dump.rdb"], capture_output=True, timeout=60,
                          check=False).returncode == 0
    with redis_server(tmp_path, "--sanitize-dump-payload", "yes") as (connection, _):
        every_type.assert_same(every_type.contents(connection, exact=False), expected)


@needs_redis
def test_an_export_for_a_newer_redis_is_exact(make_cluster, tmp_path):
    node = make_cluster(size=1).wait_leader()
    every_type.fill(node.port)
    with node.connect() as connection:
        for command in every_type.changes():
            connection.call(*command)
        expected = every_type.contents(connection)
    node.kill()
    for oldest in "7.0", "7.2":
        said = report(node.data, "--export", tmp_path / f"{oldest}.rdb", "--oldest-redis", oldest)
        assert "note: entries" in said and "streams" not in said
    os.rename(tmp_path / "7.0.rdb", tmp_path / "dump.rdb")
    with redis_server(tmp_path, "--sanitize-dump-payload", "yes") as (connection, _):
        every_type.assert_same(every_type.contents(connection), expected)
    other = make_cluster(start=False, size=1).nodes[0].start(True, "--import", tmp_path / "7.2.rdb")
    other.cluster.wait_leader()
    with other.connect() as connection:
        every_type.assert_same(every_type.contents(connection), expected)


@needs_redis
def test_an_export_keeps_deadlines_of_fields_for_an_import_alone(make_cluster, tmp_path):
    node = make_cluster(size=1).wait_leader()
    with node.connect() as connection:
        connection.call("HSET", "h", "a", "1", "b", "2")
        connection.call("HPEXPIREAT", "h", FAR, "FIELDS", "1", "b")
        connection.call("XADD", "x", "MAXLEN", "0", "5-5", "f", "v")
    node.kill()
    assert "fields of 1 hashes have deadlines" in report(node.data, "--export", tmp_path / "dump.rdb")
    with redis_server(tmp_path) as (connection, _):
        assert connection.call("HGETALL", "h") == [b"a", b"1", b"b", b"2"]
    other = make_cluster(start=False, size=1).nodes[0].start(True, "--import", tmp_path / "dump.rdb")
    other.cluster.wait_leader()
    assert other.call("HPEXPIRETIME", "h", "FIELDS", "2", "a", "b") == [-1, FAR]
    assert every_type.contents(other.connect())[b"x"][2][0][2] == 1  # entries-added


@needs_redis
def test_an_export_may_end_earlier(make_cluster, tmp_path):
    cluster = make_cluster(size=1)
    node = cluster.wait_leader()
    with node.connect() as connection:
        connection.call("SET", "k", "before")
        index = node.applied
        connection.call("SET", "k", "after")
        connection.call("SET", "other", "1")
        last = node.applied
    node.kill()
    report(node.data, "--export", tmp_path / "dump.rdb", "--to", index)
    with redis_server(tmp_path) as (connection, _):
        assert connection.call("KEYS", "*") == [b"k"]
        assert connection.call("GET", "k") == b"before"
    _, error = check(node.data, "--export", tmp_path / "more.rdb", "--to", last + 1, status=USAGE)
    assert f"the log ends with entry {last}" in error
    assert not (tmp_path / "more.rdb").exists()


def test_an_export_before_the_snapshot_is_refused(make_cluster, tmp_path):
    folder, _ = stopped_folder(make_cluster, rounds=20, snapshots=2, **SMALL)
    _, error = check(folder, "--export", tmp_path / "x.rdb", "--to", 2, status=USAGE)
    assert "is gone: the snapshot stands for entry" in error


def test_an_export_overwrites_only_when_told(make_cluster, tmp_path):
    folder, _ = stopped_folder(make_cluster, rounds=2)
    target = tmp_path / "x.rdb"
    target.write_text("precious")
    assert "--force" in check(folder, "--export", target, status=USAGE)[1]
    assert target.read_text() == "precious"
    report(folder, "--export", target, "--force")
    assert target.read_bytes().startswith(b"REDIS")
    check(folder, "--export", tmp_path / "no" / "x.rdb", status=UNREADABLE)
    assert os.listdir(tmp_path) == ["x.rdb"]


# ---- the command line ----

def test_the_command_line(tmp_path):
    text = report("--help")
    for option in ("--repair", "--compare", "--recover-quorum", "--yes", "--dump", "--from", "--to", "--format", "--export", "--force",
                   "--oldest-redis", "--appenddirname", "--appendfilename", "--version", "Exit status"):
        assert option in text
    assert re.match(r"Flotilla check v=\d", report("--version"))
    for wrong in ((), ("--bogus", tmp_path), (tmp_path, tmp_path), ("--from", "x", tmp_path), ("--from",),
                  ("--format", "xml", tmp_path), ("--from", 3, "--to", 2, tmp_path), ("--dump", "--repair", tmp_path),
                  ("--recover-quorum", "--repair", tmp_path), ("--recover-quorum", "--to", 3, tmp_path),
                  ("--recover-quorum", tmp_path, tmp_path), ("--compare", "--to", 3, tmp_path, tmp_path), ("--compare",),
                  ("--to", 0, tmp_path), ("--appendfilename", "a/b", tmp_path),
                  ("--oldest-redis", "6.2", "--export", tmp_path / "x", tmp_path), ("--oldest-redis", "7.0", tmp_path)):
        out, error = check(*wrong, status=USAGE)
        assert out == b"" and error.startswith("flotilla-check: "), (wrong, error)


def test_a_reader_that_goes_away_ends_it(make_cluster):
    folder, _ = stopped_folder(make_cluster, rounds=60)
    tool = subprocess.Popen([CHECK, "--dump", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            preexec_fn=die_with_parent)
    tool.stdout.readline()
    tool.stdout.close()
    assert tool.wait(60 * PATIENCE) in (-signal.SIGPIPE, UNREADABLE)
