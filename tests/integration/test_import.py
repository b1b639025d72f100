"""New clusters that begin with the files of a real Redis."""
import contextlib
import os
import shutil
import signal
import subprocess
import time

import pytest

import every_type
from cluster import SERVER, Ports, run_server, spawn, temporary_folder
from resp import Connection, Error
from waiting import wait_for

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")

DAY_MS = 86_400_000


class Redis:
    """A real one, with a folder of its own."""

    def __init__(self, *directives):
        self.dir = temporary_folder("redis")
        self.ports = Ports()
        self.port = self.ports.take()
        self.process = spawn(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                              "--dir", str(self.dir), "--enable-debug-command", "yes", *directives],
                             self.dir / "log")
        wait_for(self.answers, 30, "redis-server answers")

    def answers(self):
        with contextlib.suppress(OSError):
            return self.call("PING") == "PONG"

    def call(self, *args):
        with Connection(port=self.port) as connection:
            reply = connection.call(*args)
        assert not isinstance(reply, Error), (args, reply)
        return reply

    @property
    def dump(self):
        return self.dir / "dump.rdb"

    @property
    def aof(self):
        return self.dir / "appendonlydir"

    def newest_increment(self):
        return max(self.aof.glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))

    def rewrite(self):
        self.call("BGREWRITEAOF")
        wait_for(lambda: b"aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0" in self.call("INFO", "persistence"),
                 30, "the rewriting is done")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def close(self):
        self.process.kill()
        self.process.wait(30)
        self.ports.close()
        shutil.rmtree(self.dir)


@pytest.fixture
def make_redis():
    made = []

    def make(*directives):
        made.append(Redis(*directives))
        return made[-1]

    yield make
    for one in made:
        one.close()


def strings():
    """Strings in every encoding and of every length class of the format."""
    values = {"int0": "0", "int8": "-100", "int16": "30000", "int32": "-2000000000", "int64": "9007199254740993",
              "embstr": "short", "raw": "x" * 45 + "abc", "lzf": "abcabcabc" * 1000, "empty": "", "like-int": "007",
              "binary": bytes(range(256)), "length14": os.urandom(300), "length32": os.urandom(20_000),
              b"key \xff\x00 with anything": "v", "{tag}1": "1"}
    return {(key if isinstance(key, bytes) else key.encode()): (value if isinstance(value, bytes) else value.encode())
            for key, value in values.items()}


def fill(redis):
    """What the keys are: {key: (value, deadline or None)}."""
    now = int(time.time() * 1000)
    expected = {}
    with Connection(port=redis.port) as connection:
        for number, (key, value) in enumerate(strings().items()):
            deadline = now + DAY_MS + number * 1000 if number % 2 else None
            assert connection.call("SET", key, value, *(["PXAT", str(deadline)] if deadline else [])) == "OK"
            expected[key] = (value, deadline)
        many = [(f"many{i}".encode(), (f"v{i}" * (i % 40)).encode()) for i in range(2000)]
        assert set(connection.pipeline([("SET", key, value) for key, value in many])) == {"OK"}
        expected.update({key: (value, None) for key, value in many})
        assert connection.call("APPEND", "edited", "abc") == 3
    expected[b"edited"] = (b"abc", None)
    return expected


def assert_serves(node, expected):
    with node.connect() as connection:
        assert connection.call("DBSIZE") == len(expected)
        keys = list(expected)
        assert connection.pipeline([("GET", key) for key in keys]) == [expected[key][0] for key in keys]
        deadlines = connection.pipeline([("PEXPIRETIME", key) for key in keys])
        assert deadlines == [expected[key][1] or -1 for key in keys]


def start_with(cluster, path):
    for node in cluster.nodes:
        node.start(False, "--import", path)
    for node in cluster.nodes:
        node.wait_until_up()
    return cluster.wait_leader()


def assert_imported(cluster, path, expected):
    """Three nodes begin with the file, write on, and come back without it."""
    leader = start_with(cluster, path)
    assert_serves(leader, expected)
    cluster.wait_equal()
    assert leader.call("SET", "after", "1") == "OK"
    assert leader.call("INCR", "int8") == -99
    expected = {**expected, b"after": (b"1", None), b"int8": (b"-99", expected[b"int8"][1])}
    cluster.wait_equal()
    for node in cluster.nodes:
        node.kill()
    for node in cluster.nodes:
        node.start(wait=False)
    for node in cluster.nodes:
        node.wait_until_up()
    assert_serves(cluster.wait_leader(), expected)
    cluster.wait_equal()


def refusal(node, path, *more):
    """The line that ends a start; nothing is left in the folder."""
    before = sorted(node.data.rglob("*"))
    status, text = run_server(node.config, *more, "--import", path, cwd=node.dir)
    assert status == 1, text
    lines = [line for line in text.splitlines() if line.startswith("flotilla-server: ")]
    assert len(lines) == 1, text
    assert sorted(node.data.rglob("*")) == before
    return lines[0]


def test_a_dump_becomes_a_cluster(make_cluster, make_redis):
    redis = make_redis()
    expected = fill(redis)
    redis.call("SAVE")
    assert_imported(make_cluster(start=False), redis.dump, expected)


def test_an_append_only_folder_becomes_a_cluster(make_cluster, make_redis):
    redis = make_redis("--appendonly", "yes", "--aof-timestamp-enabled", "yes")
    expected = fill(redis)
    redis.rewrite()
    expected[b"tick"] = (b"1", None)
    wait_for(lambda: redis.call("SET", "tick", "1") and b"#TS:" in redis.newest_increment().read_bytes(), 30,
             "Redis writes a time stamp")  # one a second at the most
    with Connection(port=redis.port) as connection:
        assert connection.call("MULTI") == "OK"
        connection.call("INCR", "int0")
        connection.call("SET", "in-transaction", "1", "EX", "86400")
        assert connection.call("EXEC") == [1, "OK"]
        connection.call("DEL", "embstr")
        connection.call("EXPIRE", "raw", "86400")
        connection.call("PERSIST", "int8")
        connection.call("RENAME", "edited", "renamed")
        for key in (b"int0", b"in-transaction", b"raw", b"int8"):
            deadline = connection.call("PEXPIRETIME", key)
            expected[key] = (connection.call("GET", key), deadline if deadline > 0 else None)
    del expected[b"embstr"]
    expected[b"renamed"] = expected.pop(b"edited")
    redis.stop()
    assert list(redis.aof.glob("*.base.rdb"))
    assert_imported(make_cluster(start=False), redis.aof, expected)


def test_an_append_only_folder_without_rdb_becomes_a_cluster(make_cluster, make_redis):
    redis = make_redis("--appendonly", "yes", "--aof-use-rdb-preamble", "no")
    expected = fill(redis)
    redis.rewrite()
    redis.call("SET", "more", "1")
    expected[b"more"] = (b"1", None)
    redis.stop()
    assert list(redis.aof.glob("*.base.aof"))
    assert_imported(make_cluster(start=False), redis.aof, expected)


def test_a_single_append_only_file_is_imported_with_and_without_an_rdb_beginning(make_cluster, make_redis):
    redis = make_redis("--appendonly", "yes")
    redis.call("SET", "a", "1")
    redis.rewrite()
    redis.call("INCR", "a")
    redis.stop()
    base = next(redis.aof.glob("*.base.rdb")).read_bytes()
    increment = redis.newest_increment().read_bytes()
    node = make_cluster(start=False, size=1).nodes[0]
    single = redis.dir / "appendonly.aof"
    for content, value in ((base + increment, b"2"), (increment, b"1")):
        single.write_bytes(content)
        node.start(True, "--import", single)
        node.cluster.wait_leader()
        assert node.call("GET", "a") == value
        node.kill()
        shutil.rmtree(node.data)


def start_alone(make_cluster, path):
    node = make_cluster(start=False, size=1).nodes[0]
    node.start(True, "--import", path)
    node.cluster.wait_leader()
    return node


def assert_holds(node, expected, exact=True):
    """What was imported, also after a restart without the file."""
    with node.connect() as connection:
        every_type.assert_same(every_type.contents(connection, exact), expected)
    node.kill()
    node.start()
    node.cluster.wait_leader()
    with node.connect() as connection:
        every_type.assert_same(every_type.contents(connection, exact), expected)


def contents_of(redis, exact=True):
    with Connection(port=redis.port) as connection:
        return every_type.contents(connection, exact)


@pytest.mark.parametrize("thresholds", every_type.THRESHOLDS)
def test_values_of_every_type_and_form_come_with_a_dump(make_cluster, make_redis, thresholds):
    redis = make_redis()
    every_type.fill(redis.port, thresholds)
    redis.call("CONFIG", "SET", "list-max-listpack-size", "-1")
    redis.call("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "1000")
    redis.call("RPUSH", "with plain nodes", "a", "b" * 2000, "c", "d" * 3000)
    redis.call("SAVE")
    assert_holds(start_alone(make_cluster, redis.dump), contents_of(redis))


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_values_of_every_type_come_with_an_append_only_folder(make_cluster, make_redis, preamble):
    redis = make_redis("--appendonly", "yes", "--aof-use-rdb-preamble", preamble)
    every_type.fill(redis.port)
    redis.rewrite()
    for command in every_type.changes():
        redis.call(*command)
    expected = contents_of(redis, exact=False)
    redis.stop()
    assert_holds(start_alone(make_cluster, redis.aof), expected, exact=False)


def test_values_of_every_type_come_with_a_single_append_only_file(make_cluster, make_redis):
    """As Redis before 7 wrote it: nothing but commands."""
    redis = make_redis("--appendonly", "yes", "--aof-use-rdb-preamble", "no")
    every_type.fill(redis.port)
    for command in every_type.changes():
        redis.call(*command)
    expected = contents_of(redis, exact=False)
    redis.stop()
    assert not list(redis.aof.glob("*.base.aof")) or not next(redis.aof.glob("*.base.aof")).read_bytes()
    single = redis.dir / "appendonly.aof"
    single.write_bytes(redis.newest_increment().read_bytes())
    assert_holds(start_alone(make_cluster, single), expected, exact=False)


def test_three_nodes_import_values_of_every_type(make_cluster, make_redis):
    redis = make_redis()
    every_type.fill(redis.port)
    redis.call("SAVE")
    cluster = make_cluster(start=False)
    leader = start_with(cluster, redis.dump)
    cluster.wait_equal()
    with leader.connect() as connection:
        for command in every_type.changes():
            assert not isinstance(connection.call(*command), Error), command
    cluster.wait_equal()


def test_keys_come_into_the_databases_that_they_are_in(make_cluster, make_redis):
    for how in ("dump", "aof"):
        redis = make_redis("--appendonly", "yes" if how == "aof" else "no")
        with Connection(port=redis.port) as connection:
            for database in (0, 3, 15):
                connection.pipeline([("SELECT", database), ("SET", "k", f"{database}"), ("RPUSH", "l", "a"),
                                     ("MULTI",), ("SET", "t", "1"), ("SELECT", "7"), ("INCR", "n"), ("EXEC",)])
            connection.pipeline([("SELECT", "3"), ("MOVE", "l", "4"), ("COPY", "k", "c", "DB", "5"), ("SWAPDB", "15", "14")])
            if how == "dump":
                connection.call("SAVE")
        redis.stop()
        cluster = make_cluster(start=False)
        start_with(cluster, redis.dump if how == "dump" else redis.aof)
        with cluster.followers()[0].connect() as connection:
            keys = {}
            for database in range(16):
                connection.call("SELECT", database)
                keys[database] = sorted(connection.call("KEYS", "*"))
                if b"k" in keys[database]:
                    assert connection.call("GET", "k") == {0: b"0", 3: b"3", 14: b"15"}[database]
        assert {database: found for database, found in keys.items() if found} == {
            0: [b"k", b"l", b"t"], 3: [b"k", b"t"], 4: [b"l"], 5: [b"c"], 7: [b"n"], 14: [b"k", b"l", b"t"]}
        cluster.wait_equal()


@pytest.mark.parametrize("how", ["dump", "aof of commands", "aof that begins with a dump"])
def test_values_of_every_type_come_into_their_databases(make_cluster, make_redis, how):
    redis = make_redis("--appendonly", "no" if how == "dump" else "yes",
                       "--aof-use-rdb-preamble", "no" if how == "aof of commands" else "yes")
    for database, thresholds in ((9, "tables"), (0, "default"), (15, "packed")):
        every_type.fill(redis.port, thresholds, database)
    if how == "aof that begins with a dump":
        redis.rewrite()
    with Connection(port=redis.port) as connection:
        for database in (15, 9):
            for args in (["SELECT", database], ["SWAPDB", "9", "2"], ["MOVE", "list: one", "3"], ["MULTI"], *every_type.changes(),
                         ["COPY", "zset", "copied", "DB", "4", "REPLACE"]):
                assert not isinstance(connection.call(*args), Error), args
            assert not any(isinstance(reply, Error) for reply in connection.call("EXEC"))
        assert connection.call("SWAPDB", "9", "2") == "OK"
        expected = every_type.contents_by_database(connection, exact=how == "dump")
    assert list(expected) == [0, 2, 3, 4, 15]
    if how == "dump":
        redis.call("SAVE")
    redis.stop()
    node = start_alone(make_cluster, redis.dump if how == "dump" else redis.aof)
    with node.connect() as connection:
        every_type.assert_same_databases(every_type.contents_by_database(connection, exact=how == "dump"), expected)


@pytest.mark.parametrize("how", ["dump", "aof"])
def test_keys_of_databases_that_the_configuration_leaves_out_are_listed(make_cluster, make_redis, how):
    redis = make_redis("--appendonly", "yes" if how == "aof" else "no")
    with Connection(port=redis.port) as connection:
        for args in (["SET", "fine", "1"], ["SELECT", "3"], ["SET", "fine too", "1"], ["SELECT", "4"], ["SET", "selected", "1"],
                     ["SELECT", "0"], ["SET", "moved", "1"], ["MOVE", "moved", "15"], ["COPY", "fine", "copied", "DB", "7"]):
            assert not isinstance(connection.call(*args), Error), args
        if how == "dump":
            connection.call("SAVE")
    redis.stop()
    path = redis.dump if how == "dump" else redis.aof
    cluster = make_cluster(start=False, size=1, databases=4)
    line = refusal(cluster.nodes[0], path)
    for part in ('1 in database 4: "selected"', '1 in database 7: "copied"', '1 in database 15: "moved"'):
        assert part in line, line
    assert "fine" not in line
    node = cluster.nodes[0].start(True, "--import", path, "--databases", "16")
    cluster.wait_leader()
    with node.connect() as connection:
        found = every_type.contents_by_database(connection)
    assert {database: list(keys) for database, keys in found.items()} == {
        0: [b"fine"], 3: [b"fine too"], 4: [b"selected"], 7: [b"copied"], 15: [b"moved"]}


def test_all_that_cannot_be_imported_is_listed_and_stops_the_start(make_cluster, make_redis):
    redis = make_redis("--databases", "32")
    for args in (["RPUSH", "fine too", "1"], ["SET", "fine", "1"],
                 ["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"]):
        redis.call(*args)
    with Connection(port=redis.port) as connection:
        connection.call("SELECT", "23")
        connection.call("SET", "elsewhere", "1")
        connection.call("SADD", "elsewhere too", "1")
    redis.call("SAVE")
    node = make_cluster(start=False, size=1).nodes[0]
    line = refusal(node, redis.dump)
    assert line.startswith("flotilla-server: cannot import: ")
    for part in ("1 of type function", "2 in database 23: ", '"elsewhere too"'):
        assert part in line, line
    assert "fine" not in line


def test_commands_that_cannot_be_imported_are_listed(make_cluster, make_redis):
    redis = make_redis("--appendonly", "yes", "--databases", "32")
    for args in (["SET", "a", "1"], ["MOVE", "a", "31"],
                 ["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"]):
        redis.call(*args)
    redis.stop()
    line = refusal(make_cluster(start=False, size=1).nodes[0], redis.aof)
    assert '1 with command MOVE (ERR DB index is out of range): "a"' in line and "1 with command FUNCTION" in line, line


def make_dump(redis, name, value):
    redis.call("SET", "k", value)
    redis.call("SAVE")
    path = redis.dir / name
    redis.dump.rename(path)
    return path


def waits_for_data(node, other):
    return f"waiting for node {other.id} at {other.address}, which was not given the same data" in node.tail(1000)


def test_nodes_that_were_given_different_files_do_not_begin(make_cluster, make_redis):
    redis = make_redis()
    one = make_dump(redis, "one.rdb", "1")
    other = make_dump(redis, "other.rdb", "2")
    cluster = make_cluster(start=False)
    cluster.nodes[0].start(False, "--import", one)
    cluster.nodes[1].start(False, "--import", one)
    stranger = cluster.nodes[2].start(False, "--import", other)
    for node in cluster.nodes[:2]:
        wait_for(lambda node=node: waits_for_data(node, stranger), 20, "the log says who has other data")
    wait_for(lambda: waits_for_data(stranger, cluster.nodes[0]), 20, "the stranger's log says so, too")
    reply = stranger.call("GET", "k")
    assert reply.code == "CLUSTERDOWN" and "which was not given the same data" in str(reply), reply
    stranger.kill()  # with the right file it begins
    stranger.start(True, "--import", one)
    cluster.wait_leader()
    cluster.wait_equal()
    assert stranger.read_stale("GET", "k") == b"1"


def test_a_node_without_the_file_keeps_the_cluster_from_beginning(make_cluster, make_redis):
    redis = make_redis()
    path = make_dump(redis, "one.rdb", "1")
    cluster = make_cluster(start=False)
    for node in cluster.nodes[:2]:
        node.start(False, "--import", path)
    empty = cluster.nodes[2].start(wait=False)
    for node in cluster.nodes[:2]:
        wait_for(lambda node=node: waits_for_data(node, empty), 20, "the log says who has no data")
    empty.kill()
    empty.start(True, "--import", path)
    cluster.wait_leader()
    cluster.wait_equal()
    assert empty.read_stale("GET", "k") == b"1"


def test_an_import_takes_the_configured_cluster_id(make_cluster, make_redis):
    path = make_dump(make_redis(), "one.rdb", "1")
    cluster = make_cluster(start=False, size=1)
    node = cluster.nodes[0].start(True, "--import", path, "--cluster-id", "a" * 40)
    cluster.wait_leader()
    assert node.call("GET", "k") == b"1"
    assert node.raft()["raft_dbid"] == "a" * 40


def test_importing_twice_is_refused_and_changes_nothing(make_cluster, make_redis):
    redis = make_redis()
    path = make_dump(redis, "one.rdb", "1")
    cluster = make_cluster(start=False, size=1)
    node = cluster.nodes[0].start(True, "--import", path)
    cluster.wait_leader()
    node.stop()
    assert "is not empty: --import is for a new cluster" in refusal(node, path)
    node.start()
    cluster.wait_leader()
    assert node.call("GET", "k") == b"1"


def test_an_empty_node_that_ran_on_its_own_is_not_overwritten(make_cluster, make_redis):
    path = make_dump(make_redis(), "one.rdb", "1")
    cluster = make_cluster(size=1)
    node = cluster.nodes[0]
    node.kill()
    assert "is not empty" in refusal(node, path)


def test_damage_is_refused_with_file_and_offset(make_cluster, make_redis):
    redis = make_redis("--appendonly", "yes")
    redis.call("SET", "value", "in the middle of it")
    redis.call("SET", "k", "1")
    redis.call("SAVE")
    redis.stop()
    node = make_cluster(start=False, size=1).nodes[0]
    dump = redis.dump.read_bytes()
    redis.dump.write_bytes(dump.replace(b"in the middle", b"in the muddle"))
    assert f"'{redis.dump}': a wrong checksum at byte {len(dump)}" in refusal(node, redis.dump)
    redis.dump.write_bytes(dump[:-12])
    assert f"'{redis.dump}': the RDB file ends too early, at byte {len(dump) - 12}" in refusal(node, redis.dump)
    increment = redis.newest_increment()
    content = increment.read_bytes()
    at = content.index(b"*3\r\n$3\r\nSET\r\n$1\r\nk")
    increment.write_bytes(content[:at] + b"!" + content[at + 1:])
    assert f"{increment.name}': no command begins at byte {at}" in refusal(node, redis.aof)
    increment.unlink()
    assert increment.name in refusal(node, redis.aof)


def test_a_torn_tail_is_left_out_if_the_configuration_allows_it(make_cluster, make_redis):
    redis = make_redis("--appendonly", "yes")
    redis.call("SET", "a", "1")
    redis.call("SET", "torn", "away")
    redis.stop()
    increment = redis.newest_increment()
    content = increment.read_bytes()
    at = content.rindex(b"*3")
    increment.write_bytes(content[:-3])
    node = make_cluster(start=False, size=1).nodes[0]
    assert f"the file ends within a command that begins at byte {at}" in refusal(node, redis.aof,
                                                                               "--aof-load-truncated", "no")
    node.start(True, "--import", redis.aof)
    node.cluster.wait_leader()
    assert node.call("MGET", "a", "torn") == [b"1", None]
    assert f"its last {len(content) - 3 - at} bytes are left out" in node.tail(1000)


def test_a_disk_that_is_full_ends_the_import_and_it_can_be_repeated(make_cluster, make_redis):
    redis = make_redis()
    redis.call("SET", "large", os.urandom(1_000_000))
    redis.call("SAVE")
    node = make_cluster(start=False, size=1).nodes[0]
    limited = subprocess.run(["prlimit", "--fsize=500000", SERVER, node.config, "--import", redis.dump],
                             cwd=node.dir, capture_output=True, timeout=60, check=False)
    assert limited.returncode == 1
    assert f"cannot write the imported data into '{node.data}/shard-0': no space left" in limited.stderr.decode()
    node.start(True, "--import", redis.dump)
    node.cluster.wait_leader()
    assert node.call("STRLEN", "large") == 1_000_000


def start_in_little_room(node, path):
    """The import ends in the middle, after the founders' record is stored."""
    limited = subprocess.run(["prlimit", "--fsize=500000", SERVER, node.config, "--import", path],
                             cwd=node.dir, capture_output=True, timeout=60, check=False)
    assert limited.returncode == 1 and b"no space left" in limited.stderr, limited.stderr


def test_a_founder_has_the_data_before_it_says_that_it_has_the_record(make_cluster, make_redis):
    redis = make_redis()
    redis.call("SET", "large", os.urandom(1_000_000))
    redis.call("SAVE")
    cluster = make_cluster(start=False)
    last = cluster.nodes[2]
    for node in cluster.nodes[:2]:
        node.start(False, "--import", redis.dump)
    start_in_little_room(last, redis.dump)
    wait_for(lambda: all(node.raft()["raft_begin"] == "founding" for node in cluster.nodes[:2]), 10,
             "the others have stored the record")
    start_in_little_room(last, redis.dump)  # had it said that it has the record, the cluster would have begun
    assert all(node.raft()["raft_begin"] == "founding" for node in cluster.nodes[:2])
    last.start(True, "--import", redis.dump)
    cluster.wait_leader()
    cluster.wait_equal()
    assert last.read_stale("STRLEN", "large") == 1_000_000


@pytest.mark.parametrize("again", [True, False])
def test_a_founder_that_stops_when_it_has_the_data_goes_on(make_cluster, make_redis, again):
    redis = make_redis()
    redis.call("SET", "large", os.urandom(1_000_000))
    redis.call("SAVE")
    cluster = make_cluster(start=False)
    one, two, three = cluster.nodes
    one.start(False, "--import", redis.dump)
    two.start(False, "--import", redis.dump)
    start_in_little_room(three, redis.dump)
    wait_for(lambda: two.raft()["raft_begin"] == "founding", 20)
    two.kill()
    two.start(True, *(["--import", redis.dump] if again else []))
    assert two.raft()["raft_begin"] == "founding"
    three.start(True, "--import", redis.dump)
    cluster.wait_leader()
    cluster.wait_equal()
    assert two.read_stale("STRLEN", "large") == 1_000_000


def test_what_makes_no_sense_is_refused(make_cluster, make_redis):
    redis = make_redis()
    path = make_dump(redis, "one.rdb", "1")
    node = make_cluster(start=False, size=1).nodes[0]
    folder = redis.dir / "folder"
    folder.mkdir()
    assert "no append-only folder of Redis 7" in refusal(node, folder)
    (folder / "a.aof.manifest").write_text("# nothing\n")
    assert "names no file with data" in refusal(node, folder)
    (folder / "a.aof.manifest").write_text("file ../one.rdb seq 1 type b\n")
    assert "line 1" in refusal(node, folder)
    text = redis.dir / "text"
    text.write_text("hello")
    assert "neither an RDB file nor an AOF" in refusal(node, text)
    assert "no such file" in refusal(node, redis.dir / "missing").lower() or \
        "not found" in refusal(node, redis.dir / "missing")
    status, output = run_server(node.config, "--import")
    assert status == 1 and "--import needs" in output


def test_check_config_reads_the_file_and_writes_nothing(make_cluster, make_redis):
    redis = make_redis("--databases", "32")
    path = make_dump(redis, "one.rdb", "1")
    node = make_cluster(start=False, size=1).nodes[0]
    status, text = run_server(node.config, "--import", path, "--check-config")
    assert status == 0 and "all of the data can be imported" in text, text
    assert not list(node.data.iterdir())
    with Connection(port=redis.port) as connection:
        connection.call("SELECT", "31")
        connection.call("RPUSH", "l", "1")
    redis.call("SAVE")
    assert '1 in database 31: "l"' in refusal(node, redis.dump, "--check-config")


def test_keys_past_their_deadline_are_removed_by_the_new_cluster(make_cluster, make_redis):
    redis = make_redis()
    redis.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    redis.call("SET", "past", "1", "PXAT", str(int(time.time() * 1000) + 50))
    redis.call("SET", "stays", "1")
    redis.call("SAVE")
    wait_for(lambda: redis.call("PTTL", "stays") == -1 and not redis.call("EXISTS", "past"), 10, "it has expired")
    leader = start_with(make_cluster(start=False), redis.dump)
    assert leader.call("GET", "past") is None
    wait_for(lambda: leader.call("DBSIZE") == 1, 20, "the log has removed it")
    leader.cluster.wait_equal()
