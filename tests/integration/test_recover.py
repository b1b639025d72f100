"""After the loss of a majority: flotilla-check --recover-quorum goes on from one folder, under another cluster id."""
import os
import re
import shutil
import signal
import struct
import subprocess

import pytest

from cluster import PATIENCE, TOOLS, Node
from resp import Error
from test_changes import has_caught_up
from test_check import CHECK, CORRUPT, TORN, UNREADABLE, USAGE, check, report, sums, tear
from test_failpoints import die_at, disarm
from test_membership import fill, members, wipe
from waiting import wait_for

pytestmark = pytest.mark.skipif(not os.access(CHECK, os.X_OK), reason="flotilla-check is not built")
CHECK_FAILPOINTS = TOOLS / "flotilla-check-failpoints"
needs_failpoints = pytest.mark.skipif(not os.access(CHECK_FAILPOINTS, os.X_OK), reason="failpoints are not built")
KEYS = 50


def recover(node, *args, **more):
    return report("--recover-quorum", "--yes", *args, node.data, **more)


def identity_of(node):
    return (node.data / "flotilla.identity").read_text(encoding="ascii")


def cluster_id(node):
    return identity_of(node).split(":", 3)[2]


def newest(text):
    return tuple(map(int, re.search(r"^Newest entry +(\d+) of term (\d+)", text, re.MULTILINE).groups()))


def values(node):
    with node.connect() as connection:
        return connection.pipeline([("GET", f"key-{i}") for i in range(KEYS)])


FILLED = [f"value-{i}".encode() for i in range(KEYS)]


def leads(node):
    return wait_for(lambda: node.says_leader() and not isinstance(node.call("EXISTS", "x"), Error), 20 * PATIENCE,
                    "the node leads")


def stopped(make_cluster, **options):
    """A cluster with data whose nodes are all dead."""
    cluster = make_cluster(**options)
    fill(cluster, KEYS)
    cluster.wait_equal()
    for node in cluster.nodes:
        node.kill()
    return cluster


# ---- what it does ----

def test_a_minority_goes_on_with_its_data_and_the_others_come_back_empty(make_cluster):
    cluster = stopped(make_cluster)
    first, *others = cluster.nodes
    old = cluster_id(first)
    text = recover(first)
    assert "EVERY ACKNOWLEDGED WRITE THAT IS NOT IN THIS FOLDER" in text and old in text
    assert "node 2 at" in text and "node 3 at" in text
    new = cluster_id(first)
    assert new != old and f"the cluster is {new}" in text
    index, term = newest(text)
    assert f"#SUPERSEDED:{old}:{index}:{term}" in identity_of(first)
    assert "the next start makes this node the only member" in report(first.data)
    first.start()
    leads(first)
    assert values(first) == FILLED
    listed = members(first)
    assert list(listed) == [1] and listed[1]["state"] == b"voter"
    assert first.call("SET", "after", "1") == "OK"
    assert first.raft()["raft_version_agreed"] == first.raft()["raft_version"]
    # Those with the folders of the old cluster are refused, and both sides say what to do.
    others[0].start(wait=False)
    wait_for(lambda: "has been superseded" in others[0].tail(1000), 20 * PATIENCE, "the refused node says why")
    assert "empty its data folder" in others[0].tail(1000)
    assert "a cluster that this one has superseded: empty its data folder" in first.tail(1000)
    assert list(members(first)) == [1]
    others[0].kill()
    # Emptied and added they are members.
    for node in others:
        wipe(node)
        assert first.call("RAFT.NODE", "ADD", node.id, node.address) == "OK"
    for node in others:
        node.start()
    wait_for(lambda: [m["state"] for m in members(first).values()] == [b"voter"] * 3, 30 * PATIENCE, "all vote")
    cluster.wait_equal()
    assert {cluster_id(node) for node in cluster.nodes} == {new}
    first.kill()
    leader = cluster.wait_leader()
    assert values(leader) == FILLED and leader.call("GET", "after") == b"1"
    first.start()
    cluster.wait_equal()


def test_an_added_node_with_the_old_folder_is_named_in_the_log_of_the_one_that_dials_it(make_cluster):
    cluster = stopped(make_cluster)
    first, second, _ = cluster.nodes
    recover(first)
    first.start()
    leads(first)
    assert first.call("RAFT.NODE", "ADD", second.id, second.address) == "OK"
    second.start(wait=False)
    wait_for(lambda: "belongs to a cluster that this one has superseded" in first.tail(1000), 20 * PATIENCE,
             "the dialler says why")
    wait_for(lambda: "has been superseded" in second.tail(1000), 20 * PATIENCE, "the other node hears why")
    assert members(first)[2]["state"] != b"voter"


def test_entries_that_nobody_saw_committed_are_kept(make_cluster):
    """A write that reached one follower alone, whose leader died: it takes effect."""
    cluster = make_cluster(links=True)
    leader = fill(cluster, KEYS)
    cluster.wait_equal()
    one, other = cluster.followers()
    cluster.cut([other])
    with leader.connect() as connection:
        one.pause()
        connection.send("SET", "unseen", "1")
        wait_for(lambda: int(leader.raft()["raft_last_log_index"]) > int(leader.raft()["raft_commit_index"]),
                 20 * PATIENCE, "an entry that is not committed")
        for node in cluster.nodes:
            node.kill()
    text = recover(leader)
    assert "the folder cannot say whether they were committed" in text
    leader.start()
    leads(leader)
    assert leader.call("GET", "unseen") == b"1"


def test_a_snapshot_tells_what_was_committed_and_the_members_of_it_are_replaced(make_cluster):
    cluster = make_cluster(raft_snapshot_log_bytes=0)
    leader = fill(cluster, KEYS)
    leader.call("BGSAVE")
    manifest = leader.appendonly / "appendonly.aof.manifest"
    wait_for(lambda: "type b" in manifest.read_text(encoding="ascii"), 20 * PATIENCE, "the snapshot")
    for node in cluster.nodes:
        node.kill()
    text = recover(leader)
    found = int(re.search(r"entries up to (\d+) for certain", text).group(1))
    assert found >= KEYS
    leader.start()
    leads(leader)
    assert values(leader) == FILLED
    assert list(members(leader)) == [leader.id]


def test_it_can_happen_again(make_cluster):
    cluster = stopped(make_cluster)
    first, second, _ = cluster.nodes
    ids = [cluster_id(first)]
    recover(first)
    ids.append(cluster_id(first))
    first.start()
    leads(first)
    wipe(second)
    assert first.call("RAFT.NODE", "ADD", 2, second.address) == "OK"
    second.start()
    assert first.call("SET", "between", "1") == "OK"
    wait_for(lambda: has_caught_up(first, second), 20 * PATIENCE, "the second has all")
    with first.connect() as connection:
        wait_for(lambda: connection.call("RAFT.NODE", "PROMOTE", "2") == "OK"
                 or members(first)[2]["state"] == b"voter", 20 * PATIENCE, "two voters")
    first.kill()
    second.kill()
    recover(second)
    assert "SUPERSEDED:" + ids[1] in identity_of(second)
    recover(first)
    ids.append(cluster_id(first))
    assert re.findall(r"#SUPERSEDED:(\w+)", identity_of(first)) == ids[:2]
    for node in (first, second):  # two recoveries are two clusters
        node.start()
        leads(node)
        assert values(node) == FILLED and node.call("GET", "between") == b"1", (node.id, report_when_stopped(node), node.tail(40))
        assert list(members(node)) == [node.id]
    text = report_when_stopped(first)
    assert "Supersedes" in text and "the next start" not in text


def test_a_torn_tail_of_a_recovered_folder_is_cut(make_cluster):
    cluster = stopped(make_cluster)
    node = cluster.nodes[0]
    recover(node)
    node.start()
    leads(node)
    assert node.call("SET", "after", "1") == "OK"
    node.kill()
    tear(node.data)
    assert report("--repair", "--yes", node.data).splitlines()[-1].startswith("fine: ")
    node.start()
    leads(node)
    assert values(node) == FILLED and node.call("GET", "after") == b"1"


def report_when_stopped(node):
    node.kill()
    text = report(node.data)
    assert text.splitlines()[-1].startswith("fine: ")
    return text


def test_a_learner_can_go_on_too(make_cluster):
    cluster = make_cluster()
    leader = fill(cluster, KEYS)
    spare = Node(cluster, 4, cluster.ports.take())
    cluster.nodes.append(spare)
    cluster.write_config(spare)
    assert leader.call("RAFT.NODE", "ADD", 4, spare.address) == "OK"
    spare.start()
    wait_for(lambda: has_caught_up(leader, spare), 20 * PATIENCE, "it has all")
    for node in cluster.nodes:
        node.kill()
    assert "node 4 at" in recover(spare)
    spare.start()
    leads(spare)
    assert values(spare) == FILLED


def test_a_copy_elsewhere_can_go_on(make_cluster):
    cluster = stopped(make_cluster)
    node = cluster.nodes[0]
    copy = node.dir / "copy"
    shutil.copytree(node.data, copy)
    shutil.rmtree(node.data)
    copy.rename(node.data)
    recover(node)
    node.start()
    leads(node)
    assert values(node) == FILLED
    assert "was copied or moved" not in node.tail(1000)


def test_a_copy_of_what_was_recovered_has_no_vote(make_cluster):
    """It would be a second cluster under the same id."""
    cluster = stopped(make_cluster)
    node, other = cluster.nodes[:2]
    recover(node)
    shutil.rmtree(other.data)
    shutil.copytree(node.data, other.data)
    cluster.write_config(other, node_id=1)
    other.start()
    wait_for(lambda: "was copied or moved" in other.tail(1000), 20 * PATIENCE, "it sees that it is a copy")
    assert other.raft()["raft_role"] == "follower"
    assert int(other.raft()["raft_last_log_index"]) == newest_of(other)
    node.start()
    leads(node)


def newest_of(node):
    return int(re.search(r"#SUPERSEDED:\w+:(\d+):", identity_of(node)).group(1))


# ---- what it refuses ----

def assert_refused(node, status, why):
    before = sums(node.data)
    _, error = check("--recover-quorum", "--yes", node.data, status=status)
    assert why in error, error
    assert sums(node.data) == before


def test_it_asks_and_changes_nothing_without_a_yes(make_cluster):
    cluster = stopped(make_cluster)
    node = cluster.nodes[0]
    before = sums(node.data)
    for answer in (b"", b"\n", b"n\n"):
        text = report("--recover-quorum", node.data, answer=answer)
        assert "Recover from this folder? [y/N]" in text and "nothing was changed" in text
        assert sums(node.data) == before
    assert "recovered: the cluster is" in report("--recover-quorum", node.data, answer=b"y\n")
    changed = {str(name) for name, seen in sums(node.data).items() if before.get(name) != seen}
    assert changed == {"flotilla.identity"}


def test_a_folder_in_use_is_refused(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.nodes[0]
    _, error = check("--recover-quorum", "--yes", node.data, status=UNREADABLE)
    assert "is in use by process" in error


def test_damage_is_refused(make_cluster):
    cluster = stopped(make_cluster)
    torn, corrupt, bare = cluster.nodes
    tear(torn.data)
    assert_refused(torn, TORN, "use --repair first")
    report("--repair", "--yes", torn.data)
    recover(torn)
    path = corrupt.aof
    data = bytearray(path.read_bytes())
    data[data.index(b"#RAFT:5:") + 50] ^= 1
    path.write_bytes(data)
    assert_refused(corrupt, CORRUPT, "the folder is damaged")
    identity = bare.data / "flotilla.identity"
    kept = identity.read_bytes()
    identity.unlink()
    assert_refused(bare, CORRUPT, "no flotilla.identity")
    identity.write_bytes(kept[:-3])
    assert_refused(bare, CORRUPT, "is damaged")
    identity.write_bytes((torn.data / "flotilla.identity").read_bytes())
    assert_refused(bare, CORRUPT, "of different nodes")


def test_who_never_was_a_member_is_refused(make_cluster):
    cluster = make_cluster(start=False)
    waiting = cluster.nodes[0].start(wait=False)
    wait_for(lambda: (waiting.data / "flotilla.identity").exists(), 20 * PATIENCE, "it waits for the others")
    waiting.kill()
    assert_refused(waiting, USAGE, "never was a member")


def test_a_removed_node_is_refused(make_cluster):
    cluster = make_cluster()
    leader = fill(cluster, KEYS)
    assert leader.call("RAFT.NODE", "REMOVE", str(leader.id)) == "OK"
    for node in cluster.nodes:
        node.kill()
    assert_refused(leader, USAGE, "no member of its cluster")


def test_a_node_that_needs_no_others_is_left_as_it_is(make_cluster):
    cluster = stopped(make_cluster, size=1)
    node = cluster.nodes[0]
    before = sums(node.data)
    assert "nothing to recover" in recover(node)
    assert sums(node.data) == before


def test_a_second_run_changes_nothing(make_cluster):
    cluster = stopped(make_cluster)
    node = cluster.nodes[0]
    recover(node)
    before = sums(node.data)
    assert "nothing to recover" in recover(node)
    assert sums(node.data) == before
    node.start()
    leads(node)
    node.kill()
    assert "nothing to recover" in recover(node)


def test_a_log_that_lost_what_was_recovered_is_refused(make_cluster):
    cluster = stopped(make_cluster)
    node = cluster.nodes[0]
    saved = node.dir / "saved"
    shutil.copytree(node.appendonly, saved)
    node_log = node.aof.read_bytes()
    recover(node)
    last = node_log.rindex(b"#RAFT:")
    node.aof.write_bytes(node_log[:last])
    (node.appendonly / "raft.synced").unlink(missing_ok=True)
    node.start(wait=False)
    assert node.wait_exit() != 0
    assert "data is missing" in node.tail(5)
    # The operator may go on from what is left.
    text = recover(node)
    assert identity_of(node).count("#SUPERSEDED:") == 2 and "recovered" in text
    node.start()
    leads(node)


# ---- which folder ----

def test_folders_are_compared(make_cluster):
    cluster = make_cluster()
    leader = fill(cluster, KEYS)
    cluster.wait_equal()
    behind, ahead = cluster.followers()
    behind.kill()
    shutil.copytree(behind.data, behind.dir / "copy")
    assert f"as much as the one below: {behind.dir / 'copy'}" in report("--compare", behind.data, behind.dir / "copy")
    assert leader.call("SET", "more", "1") == "OK"
    cluster.wait_equal([leader, ahead])
    leader.kill()
    ahead.kill()
    text = report("--compare", behind.data, ahead.data)
    assert "as much" not in text and text.splitlines()[-1] == f"the one that has most: {ahead.data}"
    assert text.splitlines()[-1] == report("--compare", ahead.data, behind.data).splitlines()[-1]
    tear(ahead.data)
    assert "use --repair on it first" in report("--compare", behind.data, ahead.data)
    (behind.data / "flotilla.identity").write_text("#NODE:2:x\r\n", encoding="ascii")
    text = report("--compare", behind.data, leader.data)
    assert "no flotilla.identity that can be read" in text and f"most: {leader.data}" in text
    shutil.rmtree(behind.appendonly)
    text = check("--compare", behind.data, leader.data)[0].decode()
    assert "unreadable" in text and f"most: {leader.data}" in text
    check("--compare", behind.data, status=CORRUPT)
    check("--compare", status=USAGE)
    recover(leader)
    leader.start()
    leads(leader)
    leader.kill()
    assert "of different clusters" in report("--compare", ahead.data, leader.data, status=USAGE)


def test_a_higher_term_counts_more_than_a_longer_log(make_cluster):
    cluster = make_cluster(links=True)
    leader = fill(cluster, KEYS)
    cluster.wait_equal()
    others = cluster.followers()
    cluster.cut([leader])
    with leader.connect() as connection:
        for number in range(20):  # nobody else has these
            connection.send("SET", f"alone-{number}", "1")
        wait_for(lambda: int(leader.raft()["raft_last_log_index"]) > int(leader.raft()["raft_commit_index"]) + 15
                 or not leader.says_leader(), 20 * PATIENCE, "entries of its own")
        new = cluster.wait_leader(but=leader)
    assert new in others
    for node in cluster.nodes:
        node.kill()
    assert report("--compare", leader.data, new.data).splitlines()[-1].endswith(str(new.data))


# ---- interrupted ----

# Each step in which the tool replaces flotilla.identity; the new cluster is there from the renaming on.
STEPS = {"replace:before-write": False, "replace:after-write": False, "replace:after-sync": False,
         "replace:after-rename": True, "replace:after-folder-sync": True}


@needs_failpoints
def test_the_tool_killed_at_any_step_leaves_the_old_or_the_new_cluster(make_cluster):
    cluster = stopped(make_cluster)
    node = cluster.nodes[0]
    identity = node.data / "flotilla.identity"
    kept = identity.read_bytes()
    for step, is_new in STEPS.items():
        identity.write_bytes(kept)
        done = subprocess.run([CHECK_FAILPOINTS, "--recover-quorum", "--yes", node.data], stdout=subprocess.DEVNULL,
                              env={**os.environ, "FLOTILLA_FAILPOINT": f"{step}:abort@1"}, check=False)
        assert done.returncode == -signal.SIGKILL, step
        assert (identity.read_bytes() != kept) == is_new and ("SUPERSEDED" in identity_of(node)) == is_new, step
        assert report(node.data).splitlines()[-1].startswith("fine: ")
        assert ("nothing to recover" if is_new else "recovered: ") in recover(node), step
    node.start()
    leads(node)
    assert values(node) == FILLED


@needs_failpoints
def test_a_first_start_killed_at_any_step_is_made_up_for(make_cluster):
    cluster = stopped(make_cluster)
    node = cluster.nodes[0]
    kept = node.dir / "kept"
    recover(node)
    shutil.copytree(node.data, kept)
    for name, passage in (("append:before-write", 1), ("append:after-write", 1), ("append:after-sync", 1),
                          ("append:before-write", 2), ("append:after-write", 2), ("append:after-sync", 2),
                          ("replace:before-write", 1), ("replace:after-rename", 1), ("replace:after-folder-sync", 2),
                          ("recover:after-truncate", 1)):
        copy_into(kept, node.data)
        die_at(node, name, passage)
        disarm(node)
        node.start()
        leads(node)
        assert values(node) == FILLED, (name, passage)
        assert list(members(node)) == [1], (name, passage)
        index = newest_of(node)
        node.kill()
        dumped = report("--dump", "--from", index + 1, node.data)
        assert dumped.count("membership") == 1, (name, passage, dumped)


def copy_into(source, target):
    """The folders of the target stay the same ones."""
    for path in sorted(target.rglob("*")):
        if path.is_file():
            path.unlink()
    for path in source.rglob("*"):
        if path.is_file():
            shutil.copyfile(path, target / path.relative_to(source))


def journal(path):
    """What disk_record.so wrote down: (event, name of the file)."""
    data, at, events = path.read_bytes(), 0, []
    while at < len(data):
        _, kind, _, _, length, path_length, _ = struct.unpack_from("=IIQQQII", data, at)
        at += 40
        events.append((kind, data[at:at + path_length].rstrip(b"\0").decode().rsplit("/", 1)[-1]))
        at += path_length + length
    return events


def test_the_log_is_synced_before_the_new_cluster_rests_on_it(make_cluster):
    """A node that was killed may have written what a power loss would take."""
    cluster = stopped(make_cluster)
    node = cluster.nodes[0]
    sync, sync_folder, rename = 4, 5, 6  # tests/shim/record.h
    options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS", ""), "verify_asan_link_order=0"]))
    subprocess.run([CHECK, "--recover-quorum", "--yes", node.data], stdout=subprocess.DEVNULL, check=True,
                   env={**os.environ, "LD_PRELOAD": str(TOOLS / "disk_record.so"), "ASAN_OPTIONS": options,
                        "FLOTILLA_RECORD": str(node.dir / "journal"), "FLOTILLA_RECORD_FOLDER": str(node.data)})
    events = journal(node.dir / "journal")
    at = next(i for i, (kind, name) in enumerate(events) if kind == rename and name.startswith("flotilla.identity"))
    before = events[:at]
    assert (sync, node.aof.name) in before and (sync_folder, "appendonlydir") in before, events
