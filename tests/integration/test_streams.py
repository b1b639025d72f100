"""Streams on nodes that keep them in nodes of other sizes: all hold the same, also after a snapshot."""
import random

from resp import Error

SIZES = ("100", "3", "17")
COUNT = 4000


def commands(chance):
    """Commands on one stream and two groups; IDs and times are the cluster's own."""
    yield from (["XGROUP", "CREATE", "s", group, "0", "MKSTREAM"] for group in "gh")
    for number in range(COUNT):
        group, consumer = chance.choice("gh"), chance.choice("abc")
        yield chance.choice([
            ["XADD", "s", "*", "n", str(number), "text", "x" * chance.randrange(60)],
            ["XADD", "s", "MAXLEN", "~", "1000", "*", "n", str(number)],
            ["XREADGROUP", "GROUP", group, consumer, "COUNT", str(chance.randrange(1, 9)), "STREAMS", "s", ">"],
            ["XREADGROUP", "GROUP", group, consumer, "COUNT", "3", "STREAMS", "s", "0"],
            ["XAUTOCLAIM", "s", group, consumer, "5", "-", "COUNT", "4"],
            ["XTRIM", "s", "MAXLEN", str(chance.randrange(500, 2000))],
            ["XINFO", "STREAM", "s", "FULL", "COUNT", "3"],
        ])


def run(connection, some):
    for at in range(0, len(some), 100):
        replies = connection.pipeline(some[at:at + 100])
        assert not [reply for reply in replies if isinstance(reply, Error)]
    last = connection.call("XREVRANGE", "s", "+", "-", "COUNT", "20")
    assert connection.call("XDEL", "s", *(entry[0] for entry in last[::2])) == len(last[::2])


def test_nodes_of_other_sizes_hold_the_same(make_cluster):
    cluster = make_cluster()
    for node, size in zip(cluster.nodes, SIZES):
        assert node.call("CONFIG", "SET", "stream-node-max-entries", size) == "OK"
    some = list(commands(random.Random(4)))
    with cluster.wait_leader().connect(timeout=60) as connection:
        run(connection, some[:COUNT // 2])
        cluster.wait_equal()
        for node in cluster.nodes:
            assert "started" in str(node.call("BGSAVE"))
        run(connection, some[COUNT // 2:])
        before = connection.call("XINFO", "STREAM", "s", "FULL", "COUNT", "0")
    cluster.wait_equal()
    for node in cluster.nodes:
        node.kill()
    for node in cluster.nodes:
        node.start(wait=False)
    for node in cluster.nodes:
        node.wait_until_up()
    with cluster.wait_leader().connect(timeout=60) as connection:
        assert connection.call("XINFO", "STREAM", "s", "FULL", "COUNT", "0") == before
        cluster.wait_equal()
        run(connection, some[2:200])
        assert connection.call("XLEN", "s") > 0
    cluster.wait_equal()
