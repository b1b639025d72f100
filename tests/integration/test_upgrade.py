"""Folders of the first version, which knew no incarnations, and folders that were copied or moved."""
import shutil

from cluster import PATIENCE, run_server
from test_check import CORRUPT, FINE, check, forge, report
from waiting import wait_for

OLD_ID = b"0123456789abcdef0123456789abcdef00000000"
TIME = 1790000000000


def command(*args):
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(arg), arg) for arg in args)


def write_first_version(node, keys):
    """What a node of that version left: a vote, a no-op, and a SET for each key."""
    log = node.data / "shard-0" / "appendonlydir"
    log.mkdir(parents=True)
    records = [forge(b"#NODE:1:%s:%d" % (OLD_ID, node.id)), forge(b"#PREV:0:0"), forge(b"#VOTE:1:1"),
               forge(b"#RAFT:1:1:N:%d:0:0" % TIME)]
    for index, key in enumerate(keys, 2):
        payload = command(b"SET", key, b"value of " + key)
        records.append(forge(b"#RAFT:%d:1:C:%d:0:%d" % (index, TIME, len(payload)), payload))
    (log / "appendonly.aof.1.incr.aof").write_bytes(b"".join(records))
    (log / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    (node.data / "flotilla.lock").touch()


def refusal(node):
    status, text = run_server(node.config, cwd=node.dir)
    assert status == 1, text
    return text


def test_three_folders_of_the_first_version_become_a_cluster(make_cluster):
    cluster = make_cluster(start=False)
    keys = [b"a", b"b", b"c"]
    for node in cluster.nodes:
        write_first_version(node, keys)
    assert "flotilla-check --upgrade" in refusal(cluster.nodes[0])
    for node in cluster.nodes:
        assert "nothing was changed" in report("--upgrade", node.data, answer=b"n\n")
        assert "flotilla-check --upgrade" in refusal(node)
        assert "upgraded" in report("--upgrade", "--yes", node.data)
        assert "nothing to upgrade" in report("--upgrade", "--yes", node.data)
    cluster.start()
    leader = cluster.wait_leader()
    assert leader.raft()["raft_dbid"] == OLD_ID.decode()
    for key in keys:
        assert leader.call("GET", key) == b"value of " + key
    assert leader.call("SET", "new", "1") == "OK"
    cluster.wait_equal()
    for node in cluster.nodes:
        node.kill()
        assert "its cluster has begun" in report(node.data)
        node.start(wait=False)
    cluster.wait_leader()
    cluster.wait_equal()


def waits(node, why):
    """The node says in its log for whom it waits, and nobody leads."""
    wait_for(lambda: why in node.tail(50), 10 * PATIENCE, f"node {node.id} says what it waits for: {why}")
    assert not any(other.says_leader() for other in node.cluster.nodes)


def test_one_upgraded_node_with_empty_others_does_not_lead(make_cluster):
    cluster = make_cluster(start=False)
    old = cluster.nodes[0]
    write_first_version(old, [b"a"])
    report("--upgrade", "--yes", old.data)
    for node in cluster.nodes:
        node.start()
    waits(old, "waiting for")


def test_upgraded_folders_with_different_lists_do_not_begin(make_cluster):
    """They have one cluster id, so two lists would make two leaders of one term."""
    cluster = make_cluster(start=False)
    for node in cluster.nodes:
        write_first_version(node, [b"a"])
        assert "upgraded" in report("--upgrade", "--yes", node.data)
    one, two, three = cluster.nodes
    cluster.write_config(one, cluster_nodes=f"1@127.0.0.1:{one.port},2@127.0.0.1:{two.port}")
    for node in cluster.nodes:
        node.start()
    for node in cluster.nodes:
        waits(node, "waiting for")


def test_a_damaged_folder_is_not_upgraded(make_cluster):
    node = make_cluster(start=False).nodes[0]
    write_first_version(node, [b"a"])
    log = node.data / "shard-0" / "appendonlydir" / "appendonly.aof.1.incr.aof"
    log.write_bytes(log.read_bytes().replace(b"#PREV:0:0", b"#PREV:0:1"))
    check("--upgrade", "--yes", node.data, status=CORRUPT)
    assert not (node.data / "flotilla.identity").exists()


def copy_folder(node):
    """The folder is another one under the same name."""
    moved = node.data.with_name("moved")
    shutil.copytree(node.data, moved)
    shutil.rmtree(node.data)
    moved.rename(node.data)


def test_a_copied_folder_is_a_new_incarnation_that_the_leader_takes_in(make_cluster):
    cluster = make_cluster()
    assert cluster.wait_leader().call("SET", "k", "v") == "OK"
    node = cluster.followers()[0]
    before = node.raft()["raft_incarnation"]
    node.kill()
    copy_folder(node)
    node.start()
    assert node.raft()["raft_incarnation"] != before
    assert "was copied or moved: this node has no vote until the leader takes it in anew" in node.tail()
    wait_for(lambda: node.raft()["raft_is_voting"] == "yes", 20, "it is taken in")
    cluster.wait_equal()


def test_a_folder_that_was_moved_keeps_its_vote_where_that_is_said(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.nodes[0]
    cluster.wait_leader()
    before = node.raft()["raft_incarnation"]
    node.kill()
    assert "was not moved" in report("--moved", "--yes", node.data)
    copy_folder(node)
    node.start()  # nobody is there to take it in
    wait_for(lambda: "was copied or moved" in node.tail(), 10)
    assert node.raft()["raft_is_voting"] == "no"
    node.kill()
    assert f"it had incarnation {before} before" in report(node.data)
    assert f"the node is incarnation {before}" in report("--moved", "--yes", node.data)
    node.start()
    cluster.wait_leader()
    assert node.raft()["raft_incarnation"] == before


def test_a_folder_without_a_log_is_told(make_cluster):
    node = make_cluster(start=False).nodes[0]
    node.start()
    node.kill()
    text = report(node.data, status=FINE)
    assert "node 1, incarnation " in text and "its cluster has not begun" in text and "no log yet" in text
