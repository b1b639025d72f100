"""kill -9, restarts, and what was acknowledged."""
import time

import logs
from load import Incrementer, Setter
from waiting import wait_for


def more_than(worker, count):
    """A condition: the worker went on by `count` steps from now, or ended with an error."""
    goal = worker.done + count
    return lambda: worker.done >= goal or not worker.is_alive()


def test_a_killed_leader_loses_no_acknowledged_write(make_cluster):
    cluster = make_cluster()
    setters = [Setter(cluster, f"writer{i}") for i in range(4)]
    counter = Incrementer(cluster)
    for worker in [*setters, counter]:
        worker.start()
    wait_for(more_than(counter, 30), 30, "the load is running")

    leader = cluster.wait_leader()
    leader.kill()
    killed_at = time.monotonic()
    wait_for(more_than(counter, 1), 30, "writes are accepted again")
    took = time.monotonic() - killed_at
    wait_for(more_than(counter, 30), 30, "the load goes on")
    for worker in [*setters, counter]:
        worker.finish()

    with cluster.wait_leader().connect() as connection:
        value = int(connection.call("GET", counter.key))
        lost = [key for setter in setters for key in setter.lost(connection)]
    assert not lost
    assert counter.acknowledged <= value <= counter.attempted
    assert took < 20, f"writes stood still for {took:.1f} s"

    leader.start()
    cluster.wait_equal()


def test_repeated_kills_of_the_leader_lose_no_acknowledged_increment(make_cluster):
    cluster = make_cluster()
    counter = Incrementer(cluster)
    counter.start()
    for _ in range(4):
        wait_for(more_than(counter, 20), 30, "the counter goes on")
        leader = cluster.wait_leader()
        leader.kill()
        wait_for(more_than(counter, 5), 30, "the counter goes on without the old leader")
        leader.start()
    counter.finish()

    value = int(cluster.wait_leader().call("GET", counter.key))
    assert counter.acknowledged <= value <= counter.attempted
    assert value == counter.highest or counter.unknown
    cluster.wait_equal()


def test_a_restart_of_all_keeps_everything(make_cluster):
    cluster = make_cluster()
    setter = Setter(cluster, "kept")
    setter.start()
    wait_for(more_than(setter, 50), 30, "some writes")
    for node in cluster.nodes:  # in the middle of the load
        node.kill()
    setter.stopping.set()
    for node in cluster.nodes:
        node.start(wait=False)
    for node in cluster.nodes:
        node.wait_until_up()
    setter.finish()

    with cluster.wait_leader().connect() as connection:
        assert not setter.lost(connection)
        assert connection.call("SET", "after", "1") == "OK"
    cluster.wait_equal()


def test_expiry_survives_a_change_of_leader(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    with leader.connect() as connection:
        assert connection.call("SET", "short", "1", "PX", "600") == "OK"
        assert connection.call("SET", "long", "1", "EX", "1000") == "OK"
    leader.kill()
    new = cluster.wait_leader(but=leader)
    wait_for(lambda: new.call("EXISTS", "short") == 0, 10, "the key expires on the new leader")
    assert 900 < new.call("TTL", "long") <= 1000
    wait_for(lambda: new.call("DBSIZE") == 1, 10, "the expired key is removed")
    leader.start()
    cluster.wait_equal()


def test_a_torn_tail_is_cut_off_and_the_node_catches_up(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    with leader.connect() as connection:
        for i in range(50):
            assert connection.call("SET", f"k{i}", "v" * 100) == "OK"
    follower = cluster.followers()[0]
    cluster.wait_equal()
    follower.kill()
    logs.tear(follower.aof, 37)
    follower.start()
    cluster.wait_equal()
