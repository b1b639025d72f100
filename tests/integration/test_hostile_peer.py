"""A member that lies: it knows the secret, in the place of node 3, which is down.

What it says may cost the others their leader for a while. It ends no process, takes nothing that was acknowledged while
it does not lead, and leaves no folder that does not open."""
import random
import time

import pytest

from cluster import PATIENCE, RedirectingClient
from peer import Peer, Refused, command, record
from resp import Closed, Error, encode
from waiting import wait_for

BEYOND = "a term beyond all reason"
NO_MESSAGE = "bytes that are no message"
NOT_WRITTEN = "an entry that no node of this version writes"
SET = command("SET", "forged", "v")
MULTI, EXEC = command("MULTI"), command("EXEC")


class World:
    """Two nodes that run, the third one impersonated, and what was acknowledged."""

    def __init__(self, cluster):
        self.cluster = cluster
        leader = cluster.wait_leader()
        self.victim = next(node for node in cluster.nodes if node is not leader)
        self.honest = [node for node in cluster.nodes if node is not self.victim]
        cluster.wait_equal()
        self.victim.kill()
        raft = leader.raft()
        self.cluster_id = raft["raft_dbid"]
        self.evil = Peer(cluster, self.victim, self.incarnation(leader))
        self.written = 0
        self.since = time.monotonic()

    def incarnation(self, leader):
        for fields in leader.call("RAFT.NODE", "LIST"):
            pairs = dict(zip(fields[::2], fields[1::2]))
            if pairs[b"id"] == self.victim.id:
                return int(pairs[b"incarnation"], 16)
        raise AssertionError("the leader does not list the node")

    def write(self):
        """One more acknowledged write, whatever the lies have done to the leader."""
        self.written += 1
        name = f"key:{self.written}"
        client = RedirectingClient(self.cluster)
        client.ports = [node.port for node in self.honest]

        def done():
            try:
                return client.call("SET", name, "kept") == "OK"
            except RedirectingClient.Unknown:
                return False
        wait_for(done, 30 * PATIENCE, f"{name} is acknowledged")
        client.close()

    def assert_nothing_lost(self):
        client = RedirectingClient(self.cluster)
        client.ports = [node.port for node in self.cluster.running]
        for number in range(1, self.written + 1):
            assert client.call("GET", f"key:{number}") == b"kept", number
        client.close()

    def assert_unharmed(self):
        assert all(node.running for node in self.honest)
        self.write()
        self.assert_nothing_lost()

    def leader(self):
        return self.cluster.wait_leader()

    def follower(self):
        leader = self.leader()
        return next(node for node in self.honest if node is not leader)

    # --- messages ---

    def head(self, name, to, term, shard=0):
        return [name, self.cluster_id, shard, term, self.victim.id, to.id]

    def append(self, to, term, prev, prev_term, records=b"", count=None, commit=0, shard=0, **more):
        fields = {"context": 0, "sent": 1, "incarnation": 1, "acknowledged": 0, "time": 1, **more}
        if count is None:
            count = records.count(b"#RAFT:")
        return self.head("RAFT.APPEND", to, term, shard) + [prev, prev_term, commit, *fields.values(), count, records]

    def say(self, to, *messages):
        """Each on a connection of its own; whether the node ended it."""
        ends = []
        for message in messages:
            with self.evil.dial(to) as link:
                link.send(*message)
                ends.append(link.is_closed(5 * PATIENCE))
        return ends


@pytest.fixture(scope="module")
def world():
    from cluster import Cluster
    with Cluster("hostile") as cluster:
        yield World(cluster)


class State:
    """Where a node is: what a lie has to be close to."""

    def __init__(self, node):
        raft = node.raft()
        self.term = int(raft["raft_current_term"])
        self.commit = int(raft["raft_commit_index"])
        self.last = int(raft["raft_last_log_index"])
        self.last_term = self.term  # a leader begins its term with an entry


def forged_entry(world, to, at, payload, kind="C", **more):
    """The next leader appends one entry."""
    entry = record(at.last + 1, at.term + 1, kind, payload, **more)
    return world.append(to, at.term + 1, at.last, at.last_term, entry, commit=at.last + 1)


def payload_case(payload, kind="C", cause=NOT_WRITTEN, **more):
    return cause, lambda world, to, at: forged_entry(world, to, at, payload, kind, **more)


def vote(world, to, term, last, last_term):
    return world.head("RAFT.VOTE", to, term) + [0, 0, last, last_term]


def snapshot(world, to, term, index, index_term, offset, total, count, data):
    return world.head("RAFT.SNAPSHOT", to, term) + [index, index_term, offset, total, count, data]


# What is said to a follower, and the cause for which it is refused.
REFUSED = {
    "append of the last term there is": (BEYOND, lambda w, to, at: w.append(to, 2**64 - 1, 0, 0)),
    "append of the term of another leader": ("two leaders of one term",
                                             lambda w, to, at: w.append(to, at.term, at.last, at.last_term)),
    "append of no term": ("a leader of no term", lambda w, to, at: w.append(to, 0, 0, 0)),
    "another entry than a committed one": (
        "another entry than the one that is committed",
        lambda w, to, at: w.append(to, at.term + 1, 0, 0, record(1, at.term + 1, payload=SET))),
    "an index beyond all": ("an index beyond all reason",
                            lambda w, to, at: w.append(to, at.term + 1, 2**63, at.last_term)),
    "a commit index beyond all": ("an index beyond all reason",
                                  lambda w, to, at: w.append(to, at.term + 1, at.last, at.last_term, commit=2**64 - 1)),
    "a previous entry of a later term": ("an entry before the first one that cannot be",
                                         lambda w, to, at: w.append(to, at.term + 1, at.last, at.term + 2)),
    "a jump in the index": (NO_MESSAGE, lambda w, to, at: w.append(
        to, at.term + 1, at.last, at.last_term, record(at.last + 7, at.term + 1, payload=SET))),
    "entries of falling terms": (NO_MESSAGE, lambda w, to, at: w.append(
        to, at.term + 1, at.last, at.last_term, record(at.last + 1, at.last_term - 1, payload=SET))),
    "a wrong checksum": (NO_MESSAGE, lambda w, to, at: w.append(
        to, at.term + 1, at.last, at.last_term, record(at.last + 1, at.term + 1, payload=SET)[:-1] + b"x")),
    "a huge count": (NO_MESSAGE, lambda w, to, at: w.append(to, at.term + 1, at.last, at.last_term, count=2**64 - 1)),
    "a count of more than there is": (NO_MESSAGE, lambda w, to, at: w.append(
        to, at.term + 1, at.last, at.last_term, record(at.last + 1, at.term + 1, payload=SET), count=2)),
    "no command": payload_case(b""),
    "an inline command": payload_case(b"SET k v\r\n"),
    "half a command": payload_case(SET[:-4]),
    "two commands": payload_case(SET + SET),
    "an unknown command": payload_case(command("NONSENSE", "k")),
    "a command that is none of the data": payload_case(command("SHUTDOWN")),
    "a command with too few arguments": payload_case(command("SET", "k")),
    "a command of a huge count": payload_case(b"*2147483647\r\n$3\r\nSET\r\n"),
    "a transaction without a begin": payload_case(SET + EXEC, "T"),
    "a transaction without an end": payload_case(MULTI + SET, "T"),
    "something behind a transaction": payload_case(MULTI + SET + EXEC + SET, "T"),
    "a transaction with a broken watch": payload_case(b"#WATCH:x\r\n" + command("WATCH", "k") + MULTI + SET + EXEC, "T"),
    "a time that cannot be": payload_case(SET, cause="an entry of a time that cannot be", time_ms=2**62),
    "a membership that does not parse": payload_case(b"#MEMBER:1\r\n", "M", NO_MESSAGE),
    "a membership of nobody": payload_case(b"", "M", NO_MESSAGE),
    "a membership without voters": payload_case(b"#MEMBER:1:0:1:0:n1:1\r\n", "M", "a membership without voters"),
    "a candidate of the last term": (BEYOND, lambda w, to, at: vote(w, to, 2**64 - 1, at.last, at.last_term)),
    "a candidate with a log of the future": ("a last entry that cannot be",
                                             lambda w, to, at: vote(w, to, at.term + 1, at.last, at.term + 2)),
    "a vote that nobody asked for": ("a vote that was not asked for", lambda w, to, at:
                                     w.head("RAFT.VOTED", to, at.term + 5) + [0, 1, 0, 0, 0, 1, 1, 1, 1]),
    "a vote of a log beyond all reason": ("an index beyond all reason", lambda w, to, at:
                                          w.head("RAFT.VOTED", to, at.term) + [0, 0, 2**63, 0, 0, 1, 1, 1, 1]),
    "a witness of a log beyond all reason": ("an index beyond all reason", lambda w, to, at:
                                             w.head("RAFT.VOTED", to, at.term) + [0, 0, 0, 1, 2**63, 1, 1, 1, 1]),
    "a snapshot of nothing": (NO_MESSAGE, lambda w, to, at: snapshot(w, to, at.term + 1, 0, 1, 0, 9, 1, "x")),
    "a snapshot of a later term": ("a snapshot of an entry that cannot be", lambda w, to, at:
                                   snapshot(w, to, at.term + 1, at.last + 9, at.term + 2, 0, 9, 1, "x")),
    "a chunk behind the end": (NO_MESSAGE, lambda w, to, at:
                               snapshot(w, to, at.term + 1, at.last + 9, at.term, 10, 9, 1, "x")),
    "a chunk that unpacks to terabytes": (NO_MESSAGE, lambda w, to, at: snapshot(
        w, to, at.term + 1, at.last + 9, at.term, 0, 2**62, 2**42, "x" * 99)),
    "a snapshot of no bytes": ("a piece that is not of its snapshot",
                               lambda w, to, at: snapshot(w, to, at.term + 1, at.last + 9, at.term, 0, 0, 0, "")),
    "a message for another node": ("a message that is for another node, or says it is of another",
                                   lambda w, to, at: [*w.append(to, at.term, 0, 0)[:5], 77,
                                                      *w.append(to, at.term, 0, 0)[6:]]),
    "a digest of another cluster": ("a message that is for another node, or says it is of another", lambda w, to, at:
                                    ["RAFT.DIGEST", "f" * 40, 0, at.term, w.victim.id, to.id, 1, 1, 1, 0, 0]),
    "a digest with another verdict": (NO_MESSAGE, lambda w, to, at:
                                      w.head("RAFT.DIGEST", to, at.term) + [1, 1, 1, 0, 9]),
    "a wish to lead that is for another node": ("a message that is for another node, or says it is of another",
                                                lambda w, to, at: [*w.head("RAFT.HANDOVER", to, at.term)[:5], 77]),
    "a wish to lead with more behind it": (NO_MESSAGE, lambda w, to, at: w.head("RAFT.HANDOVER", to, at.term) + [1]),
    "a message of another language": ("a message that this version does not know", lambda w, to, at: ["RAFT.EVIL", 1]),
    "a founders' record of somebody else": ("a message that this version does not know", lambda w, to, at: [
        "RAFT.FOUND", w.victim.id, w.evil.incarnation + 1, "begun", "f" * 40, 0, 0, 1, ""]),
    "a founders' record that is none": ("a message that this version does not know", lambda w, to, at: [
        "RAFT.FOUND", w.victim.id, w.evil.incarnation, "founding", "f" * 40, 0, 0, 1, "#FOUNDERS:x"]),
    "a message for no shard": ("a message for no shard", lambda w, to, at: ["RAFT.APPEND", w.cluster_id, "x"]),
}

# The same to the leader.
REFUSED_BY_LEADER = {
    "append of its own term": ("another leader of the term that this node leads",
                               lambda w, to, at: w.append(to, at.term, at.last, at.last_term)),
    "an order to stand": ("another leader of the term that this node leads",
                          lambda w, to, at: w.head("RAFT.TIMEOUTNOW", to, at.term)),
    "an answer about entries that are not there": (
        "an answer about entries that this node does not have",
        lambda w, to, at: w.head("RAFT.APPENDED", to, at.term) + [1, at.last + 99, 0, 0, 0, 0, 0, 0, 1]),
    "an answer to a round that was not begun": (
        "an answer to a round that was not begun",
        lambda w, to, at: w.head("RAFT.APPENDED", to, at.term) + [1, 0, 2**40, 0, 0, 0, 0, 0, 1]),
    "an answer to what was not sent yet": (
        "an answer to what was not sent yet",
        lambda w, to, at: w.head("RAFT.APPENDED", to, at.term) + [1, 0, 0, 2**50, 0, 0, 0, 0, 1]),
}


def refused(node):
    return int(node.raft()["peer_messages_refused"])


def assert_said_once(world, node, cause):
    """Or once a minute."""
    lines = [line for line in node.log.read_text().splitlines() if f"sent what no correct node sends: {cause}" in line]
    assert 1 <= len(lines) <= 1 + (time.monotonic() - world.since) / 60, lines


@pytest.mark.parametrize("name", [*REFUSED, *REFUSED_BY_LEADER])
def test_what_no_member_says_is_refused_and_changes_nothing(world, name):
    cause, make = REFUSED.get(name) or REFUSED_BY_LEADER[name]
    node = world.follower() if name in REFUSED else world.leader()
    at = State(node)
    before = refused(node)
    message = make(world, node, at)
    assert world.say(node, message, message) == [True, True]
    assert refused(node) == before + 2
    assert_said_once(world, node, cause)
    assert State(node).term == at.term
    world.assert_unharmed()


def test_a_term_that_leaps_moves_nobody_further_than_a_step(world):
    node = world.follower()
    at = State(node)
    with world.evil.dial(node) as link:
        link.send(*world.append(node, at.term + 2**40, 0, 0))
        wait_for(lambda: State(node).term > at.term, 10 * PATIENCE, "the node follows")
    assert State(node).term < at.term + 2**33
    world.assert_unharmed()


def test_a_shard_that_a_node_does_not_have_is_no_offence(world):
    node = world.follower()
    at = State(node)
    before = int(node.raft()["peer_messages_without_shard"])
    with world.evil.dial(node) as link:
        link.send(*world.append(node, at.term, 0, 0, shard=7))
        link.send(*world.append(node, 2**64 - 1, 0, 0, shard=7))
        wait_for(lambda: int(node.raft()["peer_messages_without_shard"]) == before + 2, 10 * PATIENCE, "both are counted")
        assert not link.is_closed(0.1)
    world.assert_unharmed()


def test_answers_and_digests_that_nobody_asked_for_are_ignored(world):
    leader, follower = world.leader(), world.follower()
    at = State(leader)
    index = leader.applied
    for node in (leader, follower):
        before = refused(node)
        with world.evil.dial(node) as link:
            link.send(*world.head("RAFT.DIGESTED", node, at.term), index, 1, 2, 0, 0)
            link.send(*world.head("RAFT.DIGEST", node, at.term), index, 1, 2, 0, 2)  # says that a majority differs
            link.send(*world.head("RAFT.RECEIVED", node, at.term), 1, 1, 1)
            link.send("RAFT.FOUND", world.victim.id, world.evil.incarnation, "begun", "f" * 40, 0, 0, 1, "")
            link.send("RAFT.ALIVE", 0, 2**32 - 1)
            assert link.read()[0] == b"RAFT.FOUND"  # what came before it was taken
        assert refused(node) == before
    world.assert_unharmed()


def test_orders_to_stand_without_end_cost_no_write(world):
    for node in world.honest:
        term = State(node).term
        for first in range(0, 200, 10):
            with world.evil.dial(node) as link:
                link.send_raw(b"".join(encode(world.head("RAFT.TIMEOUTNOW", node, term + number))
                                       + encode(vote(world, node, term + number, 0, 0))
                                       for number in range(first, first + 10)))
                link.is_closed(0.02)
    world.assert_unharmed()


def test_snapshots_that_are_none_are_dropped(world):
    node = world.follower()
    for data in (b"x" * 9, b"REDIS0010" + b"\xff" * 90, b""):
        at = State(node)
        with world.evil.dial(node) as link:
            for offset in range(0, max(len(data), 1), 40):
                part = data[offset:offset + 40]
                link.send(*snapshot(world, node, at.term + 1, at.last + 9, at.term, offset, max(len(data), 9), len(part),
                                    part))
            link.is_closed(0.2)
        assert node.running
    world.assert_unharmed()


def mutated(message, draw):
    """Another byte, another number, one argument less, two swapped: still a message, as RESP."""
    args = list(message)
    at = draw.randrange(3, len(args)) if draw.random() < 0.9 else draw.randrange(len(args))
    how = draw.randrange(5)
    if how == 0:
        args[at] = str(draw.choice([0, 1, 2**31, 2**32, 2**62, 2**63, 2**64 - 1, draw.randrange(100)])).encode()
    elif how == 1 and args[at]:
        part = bytearray(args[at])
        part[draw.randrange(len(part))] ^= 1 << draw.randrange(8)
        args[at] = bytes(part)
    elif how == 2:
        del args[at]
    elif how == 3:
        args[at] = args[draw.randrange(len(args))]
    return args


def test_captured_messages_with_other_bytes_end_no_process(world):
    draw = random.Random(7)
    with world.evil.listening(world.cluster_id) as heard:
        world.write()
        wait_for(lambda: len({message[0] for message in heard}) >= 2 and len(heard) > 20, 20 * PATIENCE, "they speak")
    captured = [message for message in heard if message[0].startswith(b"RAFT.") and len(message) > 5]
    for node in world.honest:
        link = None
        for _ in range(150):
            message = list(draw.choice(captured))
            message[4:6] = [str(world.victim.id).encode(), str(node.id).encode()]
            try:
                link = link or world.evil.dial(node)
                link.send_raw(encode(mutated(message, draw)))
            except (Closed, OSError):
                link = None
        if link:
            link.close()
    world.assert_unharmed()


def test_without_the_proof_the_same_messages_get_nowhere(world):
    node = world.follower()
    at = State(node)
    before = refused(node)
    messages = [make(world, node, at) for _, make in REFUSED.values()]
    messages.append(world.append(node, at.term + 1, at.last, at.last_term))
    handshakes = int(node.raft()["peer_handshakes_refused"])
    for message in messages:
        with node.connect() as stranger:
            reply = stranger.call(*message)
            assert isinstance(reply, Error) and reply.code in ("NOPERM", "ERR"), message
    for message in messages[:10]:
        link, _ = world.evil.greet(node)
        with link:
            link.send(*message)  # in the place of the proof
            assert link.is_closed(5 * PATIENCE)
    stranger = Peer(world.cluster, world.victim, world.evil.incarnation)
    stranger.secret = "another secret, as long as it has to be"
    with pytest.raises(Refused, match="wrong cluster-secret"):
        stranger.dial(node)
    assert int(node.raft()["peer_handshakes_refused"]) == handshakes + 11
    assert refused(node) == before and State(node).term == at.term
    world.assert_unharmed()


def test_greetings_of_others_prove_nothing(world):
    """What one connection has proved is worth nothing on another one, nor in the other direction."""
    node = world.follower()
    _, old = (greeted := world.evil.greet(node))
    greeted[0].close()
    for answer in (lambda new: old.proof(world.evil.secret, 0), lambda new: new.proof(world.evil.secret, 1)):
        link, new = world.evil.greet(node)
        with link:
            reply = link.call("RAFT.PROOF", answer(new))
            assert isinstance(reply, Error) and "wrong cluster-secret" in str(reply)
        time.sleep(1)
    world.assert_unharmed()


def test_all_nodes_start_again_with_their_data(world):
    for node in world.honest:
        node.kill()
    for node in world.cluster.nodes:
        node.start(wait=False)
    for node in world.cluster.nodes:
        node.wait_until_up()
    world.leader()
    world.assert_nothing_lost()
    world.cluster.wait_equal()


def test_a_liar_that_leads_stops_a_node_with_the_cause_and_it_starts_again(make_cluster):
    """Who leads decides what the data is. He can say that a majority has other data: the node believes him, ends, and
    says why. Its folder opens again."""
    world = World(make_cluster())
    world.write()
    node = world.follower()
    at = State(node)
    index = wait_for(lambda: node.applied == at.commit and at.commit, 10 * PATIENCE, "all is applied")
    with world.evil.dial(node) as link:
        link.send(*world.append(node, at.term + 1, at.last, at.last_term))
        link.send(*world.head("RAFT.DIGEST", node, at.term + 1), index, 1, 2, 0, 2)
        node.wait_exit()
    assert "differs from that of a majority" in node.tail()
    node.start()
    world.assert_unharmed()
    world.assert_nothing_lost()
