"""Whatever was written to a node: a stock redis-server 7.0 loads the node's folder, with the same values."""
import contextlib
import itertools
import os
import pathlib
import shutil
import subprocess

import pytest

import every_type
import logs
from cluster import PATIENCE, SERVER
from payload import with_footer
from resp import Closed, Error, encode
from stock import loaded_by_redis, loaded_dump
from waiting import wait_for

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")

CHECK = os.environ.get("FLOTILLA_CHECK", str(pathlib.Path(SERVER).with_name("flotilla-check")))
FAR_MS = every_type.FAR_MS
BINARY = bytes(range(256)) + b"\r\n#VOTE:1:1\r\n*1\r\n$4\r\nPING\r\n:=%"
LONG = "l" * 5000

# Values as Redis 7.2 dumps them: a string, a packed set and a stream. Redis 7.0 reads none of these payloads.
NEW_STRING = with_footer(b"\x00\x03abc", 11)
NEW_SET = with_footer(bytes.fromhex("14" "0d" "0d000000" "0200" "816102" "816202" "ff"), 11)
NEW_STREAM = with_footer(bytes.fromhex(
    "15" "01" "1000000000000000010000000000000001" "28" "280000000f0001010101010181660200010301000100018176020401020100"
    "0101018177020401ff" "01" "0102" "0102" "0101" "02" "00"), 11)

# Commands that the examples need, by the keys' first letters.
BEFORE = """
SET s:text abc
SET s:number 10
RPUSH l:a a b c d e f
RPUSH l:b a b c d e f
SADD set:a a b c d
SADD set:b c d e
ZADD z:a 1 a 2 b 3 c 4 d
ZADD z:b 3 c 4 d 5 e 6 f
HSET h a 1 b 2 c 3 d 4 e 5 f 6 g 7
XADD x 1-1 f v
XADD x 1-2 f v
XADD x 1-3 f v
XGROUP CREATE x g 0
XGROUP CREATE x gone 0
PFADD p:a a b c
PFADD p:b c d e
GEOADD geo:a 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
"""

# At least one for each command that writes; the key of an example is a new one unless the command needs another.
EXAMPLES = f"""
APPEND s:text def
BITFIELD bf SET u8 0 255 INCRBY u4 8 3
BITOP XOR bo s:text s:number
BLMOVE l:a l:moved LEFT RIGHT 1
BLMPOP 1 1 l:a LEFT
BLPOP l:a 1
BRPOP l:a 1
BRPOPLPUSH l:a l:moved 1
BZMPOP 1 1 z:a MAX
BZPOPMAX z:a 1
BZPOPMIN z:a 1
COPY s:text s:copy
DECR s:number
DECRBY s:number 5
SET del 1
DEL del
SET delifeq:1 same
SET delifeq:2 other
DELIFEQ delifeq:1 same
DELIFEQ delifeq:2 same
SET e:1 v
SET e:2 v
SET e:3 v
SET e:4 v
EXPIRE e:1 1000000
EXPIREAT e:2 4102444800
PEXPIRE e:3 1000000000
PEXPIREAT e:4 {FAR_MS}
PERSIST e:1
FLUSHDB
FLUSHALL
!BEFORE
GEOADD geo:b 13.361389 38.115556 Palermo
GEORADIUS geo:a 15 37 200 km STORE geo:r
GEORADIUSBYMEMBER geo:a Palermo 500 km STORE geo:m
GEOSEARCHSTORE geo:s geo:a FROMLONLAT 15 37 BYRADIUS 200 km
SET gd v
GETDEL gd
GETEX s:text PX 100000000
GETSET s:getset 1
HDEL h a
HINCRBY h b 5
HINCRBYFLOAT h c 1.5
HMSET h m 1
HSET h n 1
HSETNX h o 1
HEXPIRE h 1000000 FIELDS 1 b
HPEXPIRE h 1000000000 NX FIELDS 2 c d
HEXPIREAT h 4102444800 FIELDS 1 e
HPEXPIREAT h {FAR_MS} FIELDS 1 f
HPEXPIREAT h 1 FIELDS 1 g
HPEXPIREAT h 1 GT FIELDS 1 b
HEXPIRE h 0 LT FIELDS 1 d
HPERSIST h FIELDS 2 b c
HGETEX h FIELDS 1 b
HGETEX h PX 100000000 FIELDS 1 b
HGETEX h PERSIST FIELDS 1 b
HGETEX h PXAT 1 FIELDS 1 m
HGETDEL h FIELDS 2 n missing
HSETEX h FIELDS 2 q 1 r 2
HSETEX h EX 100000 FIELDS 1 t 3
HSETEX h KEEPTTL FIELDS 1 t 4
HSETEX h PXAT 1 FIELDS 2 q 1 new 2
HSETEX h FNX PX 10000000 FIELDS 2 u 1 v 2
HSETEX h FNX FIELDS 2 u 3 w 2
HSETEX h FXX FIELDS 2 u 4 v 5
HSETEX h FXX FIELDS 2 u 6 missing 7
HSETEX h NX FIELDS 1 u 7
HSETEX h XX FIELDS 1 u 8
HSETEX h:new NX FIELDS 1 u 9
HSETEX h:newer XX FIELDS 1 u 10
HSETEX h XX FNX FIELDS 1 only 1
HSETEX h XX FXX PXAT 1 FIELDS 1 only 1
INCR s:number
INCRBY s:number 5
INCRBYFLOAT s:float 1.25
LINSERT l:a BEFORE d x
LMOVE l:a l:b LEFT RIGHT
LMPOP 1 l:b LEFT
LPOP l:b
LPUSH l:b z
LPUSHX l:b y
LREM l:b 1 c
LSET l:b 0 changed
LTRIM l:b 0 3
RPOP l:b
RPOPLPUSH l:b l:c
RPUSH l:b z
RPUSHX l:b y
MSET ms:1 1 ms:2 2
MSETNX mx:1 1 mx:2 2
MSETEX 2 me:1 1 me:2 2
MSETEX 2 me:3 1 me:4 2 EX 1000000
MSETEX 2 me:1 new me:5 new NX
MSETEX 2 me:5 new me:6 new NX PX 100000000
MSETEX 2 me:1 xx me:7 xx XX
MSETEX 2 me:3 xx me:4 xx XX KEEPTTL
PFADD p:a d
PFMERGE p:m p:a p:b
PFDEBUG TODENSE p:m
PSETEX psetex 100000000 v
SET rename v
RENAME rename renamed
SET renamenx v
RENAMENX renamenx renamednx
SADD set:a x
SDIFFSTORE set:d set:a set:b
SINTERSTORE set:i set:a set:b
SUNIONSTORE set:u set:a set:b
SMOVE set:a set:b a
SREM set:a b
SPOP set:a 100
SET s:1 v
SET s:2 v EX 1000000 NX GET
SET s:2 w KEEPTTL XX
SET s:1 met IFEQ v
SET s:1 not-met IFEQ v
SET s:1 late IFEQ met PX 100000000
SET s:1 kept KEEPTTL IFEQ late
SET s:1 got IFEQ kept GET EXAT 4102444800
SETBIT bit 100 1
SETEX setex 1000000 v
SETNX setnx v
SETRANGE s:1 1 xyz
SORT z:b ALPHA STORE sorted
SET ul v
UNLINK ul
XADD x * f by-time
XADD x NOMKSTREAM MAXLEN 100 * f by-time g again
XADD x:new * f by-time
XADD x:auto 5-* f by-sequence
XADD x 99999999999999-1 f given
XGROUP CREATE x:g g $ MKSTREAM
XGROUP CREATECONSUMER x:g g c
XGROUP CREATECONSUMER x:g g d
XGROUP DELCONSUMER x:g g d
XGROUP SETID x:g g 0
XGROUP DESTROY x gone
XREADGROUP GROUP g c COUNT 2 STREAMS x >
XCLAIM x g d 0 1-1 TIME 1000000000000 RETRYCOUNT 3
XAUTOCLAIM x g e 0 1-2 COUNT 1
XACK x g 1-2
XDEL x 1-3
XSETID x 199999999999999-1
XTRIM x MAXLEN = 4
ZADD z:a 5 e
ZDIFFSTORE z:d 2 z:a z:b
ZINCRBY z:a 1.5 a
ZINTERSTORE z:i 2 z:a z:b
ZMPOP 1 z:a MIN
ZPOPMAX z:b
ZPOPMIN z:b
ZRANGESTORE z:r z:b 0 1
ZUNIONSTORE z:u 2 z:a z:b
ZREM z:u a
ZREMRANGEBYLEX z:i - (b
ZREMRANGEBYRANK z:u 0 0
ZREMRANGEBYSCORE z:u 100 200
"""


def lines_of(text):
    return [line.split(" ") for line in text.strip().splitlines()]


def examples():
    before = lines_of(BEFORE)
    yield from before
    for line in lines_of(EXAMPLES):
        if line == ["!BEFORE"]:
            yield from before
        else:
            yield line
    yield ["SET", "to move", "v"]
    yield ["MOVE", "to move", "9"]
    yield ["SWAPDB", "9", "8"]
    yield ["SET", "to restore", LONG]
    yield ["RESTORE", "restored:string", "0", NEW_STRING]
    yield ["RESTORE", "restored:set", "100000000", NEW_SET]
    yield ["RESTORE", "restored:stream", str(FAR_MS), NEW_STREAM, "ABSTTL", "REPLACE"]
    yield ["RESTORE", "restored:string", "0", NEW_SET, "REPLACE"]
    yield ["RESTORE", "restored:hash", "0", NEW_HASH]
    # What has no newline or NUL in the log's lines, and is longer than one of them.
    yield ["SET", "binary", BINARY]
    yield ["SET", "binary", BINARY + b"2", "IFEQ", BINARY]
    yield ["SET", "binary", BINARY, "IFEQ", BINARY]
    yield ["HSETEX", BINARY, "PX", "100000000", "FIELDS", "2", BINARY, BINARY, LONG, LONG]
    yield ["HSETEX", BINARY, "FNX", "PX", "100000000", "FIELDS", "2", BINARY, LONG, LONG, BINARY]
    yield ["HPEXPIRE", BINARY, "1000000000", "FIELDS", "2", BINARY, LONG]
    yield ["MSETEX", "2", BINARY + b"a", LONG, BINARY + b"b", BINARY, "EX", "1000000"]
    yield ["HPERSIST", BINARY, "FIELDS", "301", LONG, *(f"field {i}" for i in range(300))]
    yield ["HGETDEL", BINARY, "FIELDS", "1", BINARY]


NEW_HASH = with_footer(b"\x16\x02" b"\x01f\x01v" + FAR_MS.to_bytes(8, "little") + b"\x01g\x01w" + b"\xff" * 8, 80)


def call_all(connection, commands):
    for command in commands:
        reply = connection.call(*command)
        replies = reply if command == ["EXEC"] else [reply]
        assert not any(isinstance(one, Error) for one in replies), (command[:6], reply)


def name_of(command):
    return "|".join(command[:2]).lower() if command[0] == "XGROUP" else command[0].lower()


def writing(connection):
    names = [name.decode() for name in connection.call("COMMAND", "LIST")]
    infos = connection.call("COMMAND", "INFO", *names)
    return {name for name, info in zip(names, infos) if "write" in info[2]}


def test_every_command_that_writes_has_an_example(make_cluster):
    with make_cluster(size=1).wait_leader().connect() as connection:
        names = writing(connection)
    assert "hsetex" in names and "xgroup|create" in names
    assert names - {name_of(command) for command in examples()} == set()


def in_transactions(commands):
    """Three of them in each, with what only the connection's node answers between them."""
    commands = list(commands)
    for at in range(0, len(commands), 3):
        yield ["MULTI"]
        yield ["PING"]
        yield from commands[at:at + 3]
        yield ["EXEC"]


def numbered(connection, commands):
    session = connection.call("CLIENT", "SESSION", "BEGIN")
    session = session["id"] if isinstance(session, dict) else dict(zip(session[::2], session[1::2]))[b"id"]
    yield ["CLIENT", "SESSION", "USE", session]
    for number, command in enumerate(commands, 1):
        if not command[0].startswith(("BL", "BR", "BZ")):  # what may wait has no number
            yield ["CLIENT", "SESSION", "SEQ", str(number), "ACK", str(number)]
        yield command


@pytest.mark.parametrize("how", ["alone", "in transactions", "numbered"])
def test_redis_loads_all_of_them_with_the_same_values(make_cluster, how):
    node = make_cluster(size=1).wait_leader()
    with node.connect() as connection:
        commands = examples()
        if how == "in transactions":
            commands = in_transactions(commands)
        elif how == "numbered":
            commands = numbered(connection, commands)
        call_all(connection, commands)
        assert connection.call("HPTTL", "h", "FIELDS", "1", "t")[0] > 0
        expected = every_type.contents(connection, exact=False)
    assert len(expected) > 50
    node.kill()
    with loaded_by_redis(node) as connection:
        every_type.assert_same(every_type.contents(connection, exact=False), expected)
    node.start()
    with node.connect() as connection:
        every_type.assert_same(every_type.contents(connection, exact=False), expected)
        assert connection.call("HPTTL", "h", "FIELDS", "1", "t")[0] > 0


def databases_in(connection):
    return every_type.contents_by_database(connection, exact=False)


def assert_loads(node, expected):
    with loaded_by_redis(node) as connection:
        every_type.assert_same_databases(databases_in(connection), expected)


def test_redis_loads_each_database_with_the_same_values(make_cluster, tmp_path):
    node = make_cluster(size=1, raft_segment_bytes="64kb").wait_leader()
    with node.connect() as connection:
        for database in (0, 15, 3):
            assert connection.call("SELECT", str(database)) == "OK"
            call_all(connection, lines_of(BEFORE) if database in (15, 3) else examples())
            call_all(connection, [
                ["MULTI"], ["SET", "t", "1"], ["SELECT", "4"], ["INCR", "n"], ["EXEC"], ["SET", "behind", "4"], ["WATCH", "n"],
                ["SELECT", str(database)], ["MULTI"], ["INCR", "m"], ["EXEC"], ["COPY", "m", "copy", "DB", "11", "REPLACE"],
                ["SWAPDB", "11", "12"]])
        expected = databases_in(connection)
    assert list(expected) == [0, 3, 4, 8, 11, 12, 15]
    node.kill()
    assert_loads(node, expected)
    export = tmp_path / "dump.rdb"
    subprocess.run([CHECK, "--export", export, node.data], capture_output=True, timeout=60, check=True)
    node.start()
    with node.connect() as connection:
        every_type.assert_same_databases(databases_in(connection), expected)
    with loaded_dump(export) as connection:
        every_type.assert_same_databases(databases_in(connection), expected)


def files_with(node, text):
    return [path.name for path in node.appendonly.iterdir() if path.suffix == ".aof" and text in path.read_bytes()]


def between_databases(number):
    """Other keys for each number. They begin and end in other databases."""
    yield ["SELECT", str(number % 16)]
    yield ["SET", f"k{number}", "v" * 200]
    yield ["RPUSH", "l", str(number)]
    yield ["SET", "goes", "v"]
    yield ["DEL", "comes"]
    yield ["MULTI"]
    yield ["INCR", "n"]
    yield ["SELECT", str((number + 5) % 16)]
    yield ["INCR", "n"]
    yield ["COPY", "n", f"copy {number % 3}", "DB", str((number + 7) % 16), "REPLACE"]
    yield ["EXEC"]
    yield ["SWAPDB", str(number % 16), str((number + 1) % 16)]
    yield ["RENAME", "n", "comes"]
    yield ["MOVE", "comes", str((number + 9) % 16)]
    yield ["SET", "n", "0"]


def test_redis_loads_databases_from_a_snapshot_and_the_segments_behind_it(make_cluster):
    node = make_cluster(size=1, raft_segment_bytes="64kb", raft_snapshot_keep_bytes=0).wait_leader()
    with node.connect() as connection:
        for part in range(3):
            for number in range(part * 100, part * 100 + 100):
                call_all(connection, between_databases(number))
            if part < 2:
                before = int(node.raft()["raft_snapshots"])
                assert "started" in str(connection.call("BGSAVE"))
                call_all(connection, between_databases(1000 + part))  # the snapshot may be under way
                wait_for(lambda before=before: int(node.raft()["raft_snapshots"]) > before, 30, "there is a snapshot")
        expected = databases_in(connection)
    assert len(expected) == 16
    node.kill()
    names = [path.name for path in node.appendonly.iterdir()]
    assert any(name.endswith(".base.rdb") for name in names) and sum(name.endswith(".incr.aof") for name in names) > 1, names
    assert_loads(node, expected)
    node.start()
    with node.connect() as connection:
        every_type.assert_same_databases(databases_in(connection), expected)


def test_redis_loads_databases_of_a_log_whose_end_another_leader_replaced(make_cluster):
    # The client of the leader that is cut off is gone before that gives up: nothing is asked of the next one.
    cluster = make_cluster(links=True, raft_segment_bytes="64kb", raft_election_timeout_ms="2000")
    old = cluster.wait_leader()
    with old.connect() as connection:
        for number in range(20):
            call_all(connection, between_databases(number))
        cluster.cut([old])
        with contextlib.suppress(Closed, OSError):
            for number in range(400, 600):  # in other databases than the last
                connection.send("SELECT", str(number % 16))
                connection.send("SET", f"lost {number}", "v" * 1000)
        # It has written them, over the end of a segment; now they have to go. A connection that is closed with
        # replies unread would take what the node has not read yet with it.
        wait_for(lambda: len(files_with(old, b"lost ")) > 1, 20, "the old leader has what will be lost in two segments")
    others = [node for node in cluster.nodes if node is not old]
    new = wait_for(lambda: next((node for node in others if node.says_leader()), None), 20 * PATIENCE, "a new leader")
    with new.connect() as connection:
        for number in range(20, 50):
            call_all(connection, between_databases(number))
        expected = databases_in(connection)
    assert not any(key.startswith(b"lost") for keys in expected.values() for key in keys)
    cluster.heal()
    cluster.wait_equal()
    # A node may apply what a majority has before its own disk has done all.
    wait_for(lambda: all(int(node.raft()["raft_durable_index"]) >= node.applied for node in cluster.nodes), 20,
             "every disk has what is applied")
    wait_for(lambda: not files_with(old, b"lost "), 20, "the old leader has removed what is lost")
    for node in cluster.nodes:
        node.kill()
    for node in cluster.nodes:
        assert_loads(node, expected)


@pytest.mark.parametrize("cut", [1, 30, 60, 90, 140, 400])
def test_redis_loads_databases_behind_a_tail_that_was_torn(make_cluster, cut):
    node = make_cluster(size=1).wait_leader()
    with node.connect() as connection:
        for number in range(20):
            call_all(connection, between_databases(number))
    node.kill()
    logs.tear(node.aof, cut)
    node.start()
    node.cluster.wait_leader()
    with node.connect() as connection:
        call_all(connection, between_databases(30))
        expected = databases_in(connection)
    node.kill()
    assert_loads(node, expected)


def test_followers_have_the_deadlines_that_redis_does_not_see(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    with cluster.followers()[0].connect() as connection:
        call_all(connection, examples())
    cluster.wait_equal()
    expected = leader.call("HPEXPIRETIME", "h", "FIELDS", "2", "t", "f")
    assert expected[0] > 0
    for node in cluster.nodes:
        assert node.read_stale("HPEXPIRETIME", "restored:hash", "FIELDS", "2", "f", "g") == [FAR_MS, -1]
        assert node.read_stale("HPEXPIRETIME", "h", "FIELDS", "2", "t", "f") == expected


def test_the_checker_shows_what_was_run(make_cluster):
    node = make_cluster(size=1).wait_leader()
    with node.connect() as connection:
        call_all(connection, [
            ["HSETEX", "h", "PXAT", str(FAR_MS), "FIELDS", "1", "f", "v"],
            ["HPERSIST", "h", "FIELDS", "1", "f"],
            ["WATCH", "h"], ["MULTI"], ["HGETDEL", "h", "FIELDS", "1", "f"], ["EXEC"]])
    node.kill()
    shown = subprocess.run([CHECK, "--dump", node.data], capture_output=True, timeout=60, check=True).stdout.decode()
    assert f'"HSETEX" "h" "PXAT" "{FAR_MS}" "FIELDS" "1" "f" "v"\n' in shown
    assert '"HPERSIST" "h" "FIELDS" "1" "f"\n' in shown
    assert '"WATCH" "h" ; "MULTI" ; "HGETDEL" "h" "FIELDS" "1" "f" ; "EXEC"\n' in shown
    commands = subprocess.run([CHECK, "--dump", "--format", "resp", node.data], capture_output=True, timeout=60, check=True)
    assert commands.stdout == b"".join(map(encode, [
        ["HSETEX", "h", "PXAT", str(FAR_MS), "FIELDS", "1", "f", "v"], ["HPERSIST", "h", "FIELDS", "1", "f"], ["MULTI"],
        ["HGETDEL", "h", "FIELDS", "1", "f"], ["EXEC"]]))


def test_redis_loads_a_command_of_more_than_a_million_arguments(make_cluster):
    node = make_cluster(size=1).wait_leader()
    members = [b"%d" % i for i in range(1_100_000)]
    with node.connect(timeout=120) as connection:
        assert connection.call("SADD", "many", *members) == len(members)
        pairs = itertools.chain.from_iterable((member, b"v") for member in members[:530_000])
        assert connection.call("MSETEX", "530000", *pairs, "EX", "1000000", "NX") == 1
        assert connection.call("SREM", "many", *members[1:]) == len(members) - 1
    node.kill()
    with loaded_by_redis(node) as connection:
        assert connection.call("SMEMBERS", "many") == [b"0"]
        assert connection.call("DBSIZE") == 530_001
