"""Keys of every type in every form that Redis keeps and writes, and what a client sees of them."""
import itertools
from resp import Connection, Error

# What decides the form. The first are Redis' defaults; under the second, hardly anything is packed; under the third,
# nearly everything is.
THRESHOLDS = {
    "default": {},
    "tables": {"hash-max-listpack-entries": 0, "set-max-intset-entries": 0, "zset-max-listpack-entries": 0,
               "list-max-listpack-size": 2, "stream-node-max-entries": 2},
    "packed": {"hash-max-listpack-entries": 100000, "hash-max-listpack-value": 100000,
               "set-max-intset-entries": 100000, "zset-max-listpack-entries": 100000,
               "zset-max-listpack-value": 100000, "list-max-listpack-size": -5, "stream-node-max-entries": 0,
               "stream-node-max-bytes": 0},
}
NUMBERS = [0, 12, 13, -1, 127, -128, 128, 4095, -4096, 32767, -32768, 32768, 8388607, -8388608, 8388608, 2147483647,
           -2147483648, 2147483648, 9223372036854775807, -9223372036854775808]
TEXTS = ["", "a", "007", "-0", "x" * 63, "y" * 64, "z" * 5000, "lzf" * 100, b"\x00\xff\r\n*1\r\n#VOTE:1:1\r\n", *map(str, NUMBERS)]
FAR_MS = 4102444800000  # a deadline in 2100
DATABASES = 16


def _pairs(items):
    return itertools.chain.from_iterable(items)


def _collections():
    yield "list", ["RPUSH"], [[text] for text in TEXTS + TEXTS]
    yield "set", ["SADD"], [[text] for text in TEXTS]
    yield "ints", ["SADD"], [[number] for number in NUMBERS]
    yield "shorts", ["SADD"], [[number] for number in NUMBERS[:9]]
    yield "hash", ["HSET"], [[text, TEXTS[-i]] for i, text in enumerate(TEXTS)]
    yield "zset", ["ZADD"], [[score, text] for score, text in zip(itertools.cycle(
        ["1", "-inf", "inf", "2.5", "-0.1", "1e300", "5e-324", "3", "3", "17179869184.3"]), TEXTS)]
    yield "long list", ["RPUSH"], [[i % 50] for i in range(3000)]
    yield "large set", ["SADD"], [[f"member {i}"] for i in range(1500)]
    yield "large ints", ["SADD"], [[i * 1000] for i in range(1500)]
    yield "large hash", ["HSET"], [[f"field {i}", i] for i in range(1500)]
    yield "large zset", ["ZADD"], [[i / 8, f"member {i}"] for i in range(1500)]


def _stream_commands():
    for i in range(1, 250):
        yield ["XADD", "stream", f"{i}-{i % 3}", "sensor", i % 7, "value", "v" * (i % 40)]
    yield ["XADD", "stream", "300-0", "other", "fields"]
    yield from (["XDEL", "stream", f"{i}-{i % 3}"] for i in range(5, 250, 10))
    yield ["XGROUP", "CREATE", "stream", "readers", "0"]
    yield ["XGROUP", "CREATE", "stream", "nobody", "$"]
    yield ["XREADGROUP", "GROUP", "readers", "alice", "COUNT", "20", "STREAMS", "stream", ">"]
    yield ["XREADGROUP", "GROUP", "readers", "bob", "COUNT", "10", "STREAMS", "stream", ">"]
    yield ["XACK", "stream", "readers", "1-1", "2-2"]
    yield ["XCLAIM", "stream", "readers", "carol", "0", "3-0", "TIME", "1000000000000", "RETRYCOUNT", "7"]
    yield ["XGROUP", "CREATECONSUMER", "stream", "readers", "idle"]
    yield ["XADD", "trimmed", "5-0", "f", "v"]
    yield ["XADD", "trimmed", "MAXLEN", "1", "6-0", "f", "w"]
    yield ["XADD", "empty stream", "MAXLEN", "0", "9-9", "f", "v"]
    yield ["XGROUP", "CREATE", "only a group", "g", "$", "MKSTREAM"]


def _string_commands():
    for i, text in enumerate(TEXTS):
        yield ["SET", f"string {i}", text]
    yield ["SETBIT", "bits", "10000", "1"]
    yield ["PFADD", "log", *range(300)]


def commands():
    """All that fill a server."""
    for key, verb, elements in _collections():
        yield [*verb, key, *_pairs(elements)]
        yield [*verb, key + ": one", *elements[0]]
        yield [*verb, key + ": due", *_pairs(elements[:3])]
        yield ["PEXPIREAT", key + ": due", FAR_MS]
    yield from _stream_commands()
    yield from _string_commands()


def changes():
    """More commands, which Redis writes to its AOF in other words."""
    yield ["LPOP", "list", "2"]
    yield ["LMOVE", "list", "moved", "LEFT", "RIGHT"]
    yield ["LINSERT", "list", "AFTER", "a", "between"]
    yield ["LREM", "list", "0", "007"]
    yield ["LTRIM", "long list", "10", "-10"]
    yield ["LMPOP", "1", "long list", "RIGHT", "COUNT", "3"]
    yield ["SPOP", "large set", "20"]
    yield ["SPOP", "ints: one"]
    yield ["SMOVE", "set", "moved set", "a"]
    yield ["SUNIONSTORE", "union", "set", "ints"]
    yield ["HINCRBYFLOAT", "hash", "number", "10.25"]
    yield ["HINCRBY", "large hash", "field 7", "100"]
    yield ["HDEL", "large hash", *(f"field {i}" for i in range(100, 1400))]
    yield ["ZADD", "zset", "GT", "CH", "100", "a"]
    yield ["ZINCRBY", "large zset", "0.1", "member 9"]
    yield ["ZPOPMAX", "large zset", "5"]
    yield ["ZRANGESTORE", "range", "large zset", "5", "50"]
    yield ["XADD", "stream", "400-1", "sensor", "1", "value", "more"]
    yield ["XREADGROUP", "GROUP", "readers", "dora", "COUNT", "10", "STREAMS", "stream", ">"]
    yield ["XACK", "stream", "readers", "4-1"]
    yield ["XGROUP", "SETID", "stream", "nobody", "100-0"]
    yield ["XGROUP", "DELCONSUMER", "stream", "readers", "bob"]
    yield ["XTRIM", "stream", "MAXLEN", "100"]
    yield ["XSETID", "empty stream", "20-0"]
    yield ["COPY", "zset", "copied"]
    yield ["RENAME", "moved", "renamed"]
    yield ["EXPIRE", "union", "1000000000"]
    yield ["DEL", "large ints"]


def fill(port, thresholds="default", database=0):
    with Connection(port=port) as connection:
        assert connection.call("SELECT", str(database)) == "OK"
        for name, value in THRESHOLDS[thresholds].items():
            assert connection.call("CONFIG", "SET", name, value) == "OK", name
        for command in commands():
            reply = connection.call(*command)
            assert not isinstance(reply, Error), (command[:4], reply)


def _pairs_of(reply):
    return dict(zip(reply[::2], reply[1::2]))


def _consumer(reply, exact):
    fields = _pairs_of(reply)
    seen = fields[b"seen-time"] if exact else None
    return fields[b"name"], seen, fields[b"pel-count"], sorted(map(tuple, fields[b"pending"]))


def _group(reply, exact):
    fields = _pairs_of(reply)
    counts = [fields[b"entries-read"], fields[b"lag"]] if exact else None
    return (fields[b"name"], fields[b"last-delivered-id"], counts, fields[b"pel-count"],
            sorted(map(tuple, fields[b"pending"])), sorted(_consumer(one, exact) for one in fields[b"consumers"]))


def _stream(connection, key, exact):
    fields = _pairs_of(connection.call("XINFO", "STREAM", key, "FULL", "COUNT", "0"))
    names = [b"length", b"last-generated-id"]
    if exact:
        names += [b"entries-added", b"max-deleted-entry-id", b"recorded-first-entry-id"]
    return ([fields[name] for name in names], connection.call("XRANGE", key, "-", "+"),
            sorted(_group(one, exact) for one in fields[b"groups"]))


def _value(connection, key, kind, exact):
    if kind == "string":
        return connection.call("GET", key)
    if kind == "list":
        return connection.call("LRANGE", key, "0", "-1")
    if kind == "set":
        return sorted(connection.call("SMEMBERS", key))
    if kind == "zset":
        reply = connection.call("ZRANGE", key, "0", "-1", "WITHSCORES")
        return list(zip(reply[::2], map(float, reply[1::2])))  # Valkey prints scores in fewer digits
    if kind == "hash":
        return _pairs_of(connection.call("HGETALL", key))
    assert kind == "stream", kind
    return _stream(connection, key, exact)


def contents(connection, exact=True):
    """{key: (type, deadline, value)}. Not exact: without the numbers of streams that Redis 5's format lacks."""
    found = {}
    for key in connection.call("KEYS", "*"):
        kind = connection.call("TYPE", key)
        found[key] = (kind, connection.call("PEXPIRETIME", key), _value(connection, key, kind, exact))
    return found


def contents_by_database(connection, exact=True):
    """{number: contents} of those that hold keys. The connection is in the last one then."""
    found = {}
    for database in range(DATABASES):
        assert connection.call("SELECT", str(database)) == "OK"
        found[database] = contents(connection, exact)
    return {database: keys for database, keys in found.items() if keys}


def assert_same_databases(some, others):
    assert list(some) == list(others)
    for database, keys in some.items():
        assert_same(keys, others[database])


def assert_same(one, other):
    """A difference in words: the values are long."""
    assert sorted(one) == sorted(other)
    different = [key for key, value in one.items() if other[key] != value]
    assert not different, (different, str(one[different[0]])[:1500], str(other[different[0]])[:1500])
