"""What goes wrong in a run: kinds of faults, and the Nemesis that begins and ends them as its seed says.

A fault has begin() and end(), and between them it is active for a while. What concerns a process or a folder takes
its node for itself; faults of the network, of clocks and of disks come on top of everything."""
import json
import signal
import threading
import time

import network
from cluster import PATIENCE
from resp import Closed, Error

# A node that is told to end has so long: its own shutdown-timeout, and what the machine takes.
TERM_SECONDS = 15


class Timeline:
    """Who did what when: a line of JSON for each event, in the clock of the history."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="ascii")
        self.begin = time.monotonic_ns()

    def note(self, event, **more):
        at = time.monotonic_ns()
        self.file.write(json.dumps({"at": at, "second": round((at - self.begin) / 1e9, 3), "event": event, **more}) + "\n")
        self.file.flush()

    def close(self):
        self.file.close()


class Fault:
    """`longest`: seconds that it lasts at most. begin() returns what the timeline says of it, or None: not now."""

    longest = 3.0

    def __init__(self, nemesis):
        self.nemesis = nemesis
        self.cluster = nemesis.cluster
        self.network = nemesis.cluster.network
        self.rng = nemesis.rng

    @classmethod
    def name(cls):
        return "".join("-" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("-")

    def begin(self):
        raise NotImplementedError

    def turn(self):
        """Called several times a second while it is active."""

    def end(self):
        pass


# --- processes ---

class OneProcess(Fault):
    def begin(self):
        self.node = self.nemesis.take_node()
        if not self.node:
            return None
        more = self.strike()
        if more is None:
            self.nemesis.release(self.node)
            return None
        return {"node": self.node.id, **more}

    def strike(self):
        raise NotImplementedError

    def end(self):
        self.mend()
        self.nemesis.release(self.node)

    def mend(self):
        self.nemesis.start(self.node)


class Kill(OneProcess):
    def strike(self):
        self.node.kill()
        if self.rng.random() < 0.3:
            self.cluster.keep_copy(self.node)
        return {}


class Pause(OneProcess):
    def strike(self):
        self.node.pause()
        return {}

    def mend(self):
        self.node.resume()


class Flicker(OneProcess):
    """Stopped and continued again and again."""

    def strike(self):
        self.node.pause()
        return {}

    def turn(self):
        if self.rng.random() < 0.5:
            (self.node.resume if self.node.paused else self.node.pause)()

    def mend(self):
        self.node.resume()


class Stall(OneProcess):
    """The loop stands still in the middle of a turn: between the reading of a clock and that of the next socket. A
    shorter stop before it lets other sockets become ready for that turn."""

    def strike(self):
        seconds = self.rng.choice([0.1, 0.5, 1.0, 2.0])
        self.connections = []
        try:
            for _ in range(2):
                self.connections.append(self.node.connect(timeout=1))
            for connection, sleep in zip(self.connections, (0.03, seconds)):
                connection.send("DEBUG", "SLEEP", sleep)
        except (OSError, Closed):
            self.mend()
            return None
        return {"seconds": seconds}

    def mend(self):
        for connection in self.connections:
            connection.close()


class Terminate(OneProcess):
    """SIGTERM: it hands over and ends by itself."""

    def strike(self):
        self.was_young = time.monotonic() - self.nemesis.started.get(self.node, 0) < PATIENCE
        self.node.process.terminate()
        self.deadline = time.monotonic() + TERM_SECONDS * PATIENCE
        return {}

    def mend(self):
        status = self.nemesis.wait_exit(self.node, self.deadline)
        if status is None:
            self.nemesis.complain(f"node {self.node.id} does not end on SIGTERM")
            self.node.kill()
        elif status == -signal.SIGTERM and self.was_young:
            pass  # before it could say what a signal means to it
        elif status != 0 and not self.nemesis.disk_failed(self.node):
            self.nemesis.complain(f"node {self.node.id} ended with status {status} on SIGTERM")
        self.nemesis.start(self.node)


class KillMany(Fault):
    """kill -9 of a majority, or of all, within moments."""

    longest = 2.0

    def begin(self):
        wanted = self.rng.choice([len(self.cluster.nodes), len(self.cluster.nodes) // 2 + 1])
        self.nodes = [node for node in (self.nemesis.take_node() for _ in range(wanted)) if node]
        for node in self.nodes:
            node.kill()
        return {"nodes": [node.id for node in self.nodes]} if self.nodes else None

    def end(self):
        for node in self.nodes:
            self.nemesis.start(node)
            self.nemesis.release(node)


# --- folders ---

class Wipe(OneProcess):
    """The folder of a killed node is gone; it starts again empty, under its old id. Only while all others have all
    that was ever acknowledged: two lost disks of three would be more than anybody can bear."""

    longest = 4.0

    def strike(self):
        if not self.nemesis.may_lose_a_disk():
            return None
        self.nemesis.note_lost_disk(self.node)
        self.node.kill()
        self.cluster.wipe(self.node)
        return {}


class LoseDisk(Fault):
    """The hardest moment to lose a disk: of a majority that has acknowledged writes, while a minority lags behind. All
    of the majority are killed; one of them comes back with its disk emptied, or with an older copy, and meets those
    that lag, who together would be a majority. The others come back at the end."""

    longest = 5.0

    def begin(self):
        size = len(self.cluster.nodes)
        if self.nemesis.taken or not self.nemesis.may_lose_a_disk() or \
                not all(node.running and not node.paused for node in self.cluster.nodes):
            return None
        order = list(self.cluster.nodes)
        self.rng.shuffle(order)
        lagging, majority = order[:size // 2], order[size // 2:]
        self.nodes = majority
        self.nemesis.taken.update(majority)
        copy = self.rng.random() < 0.5
        lost = majority[0]
        if copy:
            lost.kill()
            self.cluster.keep_copy(lost)
            self.nemesis.start(lost)
            time.sleep(1)
        layer = self.network.rule(network.between([str(node.id) for node in lagging], self.cluster.names), mode="hold")
        time.sleep(self.rng.choice([0.5, 1, 2]) * PATIENCE)
        for node in majority:
            node.kill()
        self.network.lift(layer)
        self.nemesis.note_lost_disk(lost)
        (self.cluster.restore_copy if copy else self.cluster.wipe)(lost)
        self.nemesis.start(lost)
        return {"node": lost.id, "lagging": [node.id for node in lagging], "down": [node.id for node in majority[1:]],
                "becomes": "an older copy" if copy else "empty"}

    def end(self):
        for node in self.nodes:
            self.nemesis.start(node)
            self.nemesis.release(node)


class Restore(OneProcess):
    """A killed node gets an older copy of its folder."""

    longest = 4.0

    def strike(self):
        if not self.cluster.has_copy(self.node) or not self.nemesis.may_lose_a_disk():
            return None
        self.nemesis.note_lost_disk(self.node)
        self.node.kill()
        self.cluster.restore_copy(self.node)
        return {}


# --- disks ---

class DiskFault(Fault):
    lines = ()

    def begin(self):
        self.node = self.nemesis.draw_node()
        if self.node in self.nemesis.bad_disks:
            return None
        self.nemesis.bad_disks.add(self.node)
        lines = self.draw_lines()
        self.cluster.set_disk(self.node, *lines)
        return {"node": self.node.id, "disk": lines}

    def draw_lines(self):
        raise NotImplementedError

    def end(self):
        self.cluster.set_disk(self.node)
        self.nemesis.bad_disks.discard(self.node)


class DiskFull(DiskFault):
    def draw_lines(self):
        return self.rng.choice([["full"], ["left 0"], ["left 500000"], ["full", "untold"]])


class DiskSlow(DiskFault):
    def draw_lines(self):
        return [f"sync-slow {self.rng.choice([5, 30, 100, 400])}"]


class DiskShort(DiskFault):
    """Writes are taken in part."""

    def draw_lines(self):
        return [f"short {self.rng.choice([7, 97, 1000])}"]


class DiskFails(OneProcess):
    """A sync fails: the process has to end by itself, and says why. It starts again on a good disk."""

    def strike(self):
        if self.node in self.nemesis.bad_disks:
            return None
        self.nemesis.bad_disks.add(self.node)
        self.nemesis.note_failed_disk(self.node)
        self.cluster.set_disk(self.node, "sync-eio 1")
        return {}

    def mend(self):
        self.cluster.set_disk(self.node)
        self.nemesis.bad_disks.discard(self.node)
        if not self.node.running:
            self.nemesis.start(self.node)


# --- clocks ---

class ClockStep(Fault):
    """The wall clock of a node leaps, and leaps back at the end, or stays wrong."""

    longest = 8.0

    def begin(self):
        self.node = self.nemesis.draw_node()
        self.seconds = self.rng.choice([0.3, 2, 60, 3600, 5 * 3600]) * self.rng.choice([-1, 1])
        self.stays = self.rng.random() < 0.5
        self.cluster.step_clock(self.node, self.seconds)
        return {"node": self.node.id, "seconds": self.seconds, "stays": self.stays}

    def end(self):
        if not self.stays:
            self.cluster.step_clock(self.node, -self.seconds)


# --- the network ---

class Cut(Fault):
    """Directions between ends in which nothing passes: held back until the end, gone, or refused. It may begin with a
    reset of what is open: whoever takes that for the death of a process must not be wrong in what matters."""

    longest = 4.0
    modes = ("hold", "hold", "vanish", "refuse")

    def begin(self):
        pairs = self.pairs()
        self.rule = self.draw_rule()
        self.layer = self.network.rule(pairs, **self.rule)
        resets = self.rng.random() < 0.3
        if resets:
            self.network.reset(pairs)
        return {"from-to": sorted(map(list, pairs)), **self.rule, "resets": resets}

    def draw_rule(self):
        return {"mode": self.rng.choice(self.modes)}

    def pairs(self):
        raise NotImplementedError

    def end(self):
        self.network.lift(self.layer)

    def some_node(self):
        return str(self.nemesis.draw_node().id)

    def shuffled(self):
        names = list(self.cluster.names)
        self.rng.shuffle(names)
        return names


class CutOneNode(Cut):
    def pairs(self):
        return network.between([self.some_node()], self.cluster.names)


class CutOneFromAll(Cut):
    """From the clients, too."""

    def pairs(self):
        return network.between([self.some_node()], [*self.cluster.names, *self.nemesis.clients])


class CutOutgoing(Cut):
    def pairs(self):
        return network.one_way([self.some_node()], self.cluster.names)


class CutIncoming(Cut):
    def pairs(self):
        return network.one_way(self.cluster.names, [self.some_node()])


class CutHalves(Cut):
    def pairs(self):
        names = self.shuffled()
        some = self.rng.randrange(1, len(names) // 2 + 1)
        clients = [client for client in self.nemesis.clients if self.rng.random() < 0.5]
        return network.between(names[:some], names[some:] + clients)


class CutBridge(Cut):
    def pairs(self):
        return network.bridge(self.shuffled(), self.some_node())


class CutRing(Cut):
    def pairs(self):
        return network.ring(self.shuffled())


class CutChaos(Cut):
    """Any set of directions."""

    def pairs(self):
        names = self.cluster.names
        share = self.rng.random() * 0.7
        return {(one, other) for one in names for other in names if one != other and self.rng.random() < share} | \
            network.one_way(names[:1], names[1:2])


class CutClients(Cut):
    """Clients lose a node, in one direction or both."""

    def pairs(self):
        node = self.some_node()
        clients = [client for client in self.nemesis.clients if self.rng.random() < 0.6]
        pairs = self.rng.choice([network.between, network.one_way])(clients, [node])
        return pairs if self.rng.random() < 0.7 else {(other, one) for one, other in pairs}


class Flapping(CutOneNode):
    """A cut that comes and goes."""

    longest = 4.0

    def begin(self):
        more = super().begin()
        self.directions, _ = self.layer
        self.on = True
        return more

    def turn(self):
        if self.rng.random() < 0.6:
            self.on = not self.on
            if self.on:
                self.layer = self.network.rule(self.directions, **self.rule)
            else:
                self.network.lift(self.layer)


class Loss(Cut):
    def draw_rule(self):
        return {"loss": self.rng.choice([0.02, 0.1, 0.3]), "reset": self.rng.choice([0.0, 0.0, 0.005])}

    def pairs(self):
        ends = [*self.cluster.names, *self.nemesis.clients]
        return network.between(ends, ends) if self.rng.random() < 0.5 else \
            network.between([self.some_node()], ends)


class SlowLinks(Cut):
    def draw_rule(self):
        low = self.rng.choice([0.005, 0.02, 0.08])
        return {"delay": [low, low * self.rng.choice([1.1, 3])]}

    def pairs(self):
        names = self.cluster.names
        return network.between(names, names) if self.rng.random() < 0.5 else \
            network.between([self.some_node()], names)


class Resets(Fault):
    """All connections of a node are reset, several times."""

    longest = 2.0

    def begin(self):
        node = str(self.nemesis.draw_node().id)
        self.pairs = network.between([node], [*self.cluster.names, *self.nemesis.clients])
        self.network.reset(self.pairs)
        return {"node": int(node)}

    def turn(self):
        if self.rng.random() < 0.3:
            self.network.reset(self.pairs)


# --- members and leaders: what an operator asks for in the midst of it all ---

# What a request for a change may hear. Anything else is a fault of the server's.
ANSWERS = {"ERR", "MOVED", "CLUSTERDOWN", "UNKNOWN", "LOADING", "MISCONF"}


class Change(Fault):
    """plan() draws what is asked; act() asks, in a thread of its own, for answers take their time; settle() does what
    follows from the answers. One at a time, and not while a disk is lost: a change needs a majority of live voters, and
    the one that was lost counts as dead."""

    longest = 1.5
    patience = 3

    def begin(self):
        self.replies = []
        self.node = None
        if self.nemesis.change or not self.nemesis.all_disks_are_whole():
            return None
        more = self.plan()
        if more is None:
            return None
        self.nemesis.change = self
        self.thread = threading.Thread(target=self.act, daemon=True)
        self.thread.start()
        return more

    def end(self):
        self.thread.join()
        self.nemesis.change = None
        self.settle()
        for words, reply in self.replies:
            self.nemesis.timeline.note("asked", words=words, reply=str(reply))
            self.nemesis.count_answer(words, reply)

    def plan(self):
        return {}

    def act(self):
        raise NotImplementedError

    def settle(self):
        pass

    def ask(self, node, *words):
        """True: it is done. False: it is not, or nobody knows."""
        reply = None
        try:
            if node:
                with node.connect(timeout=self.patience * PATIENCE) as connection:
                    reply = connection.call(*map(str, words))
        except (OSError, Closed) as error:
            reply = error
        self.replies.append((list(map(str, words)), reply))
        return reply == "OK"

    def ask_leader(self, *words):
        return self.ask(self.cluster.guess_leader(), *words)

    def take_member(self):
        """A member that no other fault has, if enough voters stay without it."""
        members = self.cluster.membership() or {}
        voters = [id for id, state in members.items() if state == "voter"]
        free = [node for node in self.cluster.nodes
                if node.id in members and node not in self.nemesis.taken and node.running]
        if len(voters) < 3 or not free:
            return None
        leader = self.cluster.guess_leader()
        self.node = leader if leader in free and self.rng.random() < self.nemesis.likes_leaders else self.rng.choice(free)
        self.nemesis.taken.add(self.node)
        return self.node

    def take_new(self):
        """A node of the pool, running and empty."""
        if not self.cluster.pool:
            return None
        new = self.rng.choice(self.cluster.pool)
        self.nemesis.strangers.add(new)
        self.cluster.activate(new)
        self.nemesis.start(new)
        return new

    def let_go(self):
        if self.node:
            self.nemesis.release(self.node)


class Transfer(Change):
    """RAFT.TRANSFER_LEADER, to somebody or to whom the leader likes."""

    def plan(self):
        self.to = self.rng.choice([None, *self.cluster.nodes])
        return {"to": self.to and self.to.id}

    def act(self):
        self.ask_leader("RAFT.TRANSFER_LEADER", *([self.to.id] if self.to else []))


class Failover(Change):
    """CLUSTER FAILOVER at any node."""

    def plan(self):
        self.at = self.rng.choice(self.cluster.nodes)
        return {"node": self.at.id}

    def act(self):
        self.ask(self.at, "CLUSTER", "FAILOVER")


class Demote(Change):
    """A voter becomes a learner, and a voter again."""

    longest = 3.0

    def plan(self):
        self.pause = self.rng.choice([0, 0.1, 0.5])
        return {"node": self.node.id} if self.take_member() else None

    def act(self):
        if self.ask_leader("RAFT.NODE", "DEMOTE", self.node.id):
            time.sleep(self.pause)
        for _ in range(3):
            if self.ask_leader("RAFT.NODE", "PROMOTE", self.node.id):
                return
            time.sleep(0.3)

    def settle(self):
        self.nemesis.demoted.add(self.node)
        self.let_go()


class Leave(Change):
    """A member is removed, dead or alive. Its folder is emptied when that is known to be done."""

    def plan(self):
        if not self.take_member():
            return None
        self.nemesis.strangers.add(self.node)
        dies = self.rng.random() < 0.3
        if dies:
            self.node.kill()
        return {"node": self.node.id, "dead": dies}

    def act(self):
        self.gone = self.ask_leader("RAFT.NODE", "REMOVE", self.node.id)

    def settle(self):
        if self.gone:
            self.cluster.retire(self.node)
        else:
            self.nemesis.start(self.node)
        self.let_go()


class Join(Change):
    """A fresh node comes as a spare; it becomes a voter if the group wants one."""

    def plan(self):
        self.new = self.take_new()
        return {"node": self.new.id} if self.new else None

    def act(self):
        self.ask_leader("RAFT.NODE", "ADD", self.new.id, self.cluster.member_address(self.new))


class Replace(Change):
    """A fresh node takes the place of a voter in one step, once it has caught up."""

    longest = 5.0
    patience = 6

    def plan(self):
        if not self.cluster.pool or not self.take_member():
            return None
        self.new = self.take_new()
        self.nemesis.strangers.add(self.node)
        return {"old": self.node.id, "node": self.new.id}

    def act(self):
        self.gone = self.ask_leader("RAFT.NODE", "REPLACE", self.node.id, self.new.id,
                                    self.cluster.member_address(self.new))

    def settle(self):
        if self.gone:
            self.cluster.retire(self.node)
        self.let_go()


KINDS = {kind.name(): kind for kind in (
    Kill, KillMany, Pause, Flicker, Stall, Terminate, DiskFull, DiskSlow, DiskShort, DiskFails, ClockStep, CutOneNode,
    CutOneFromAll, CutOutgoing, CutIncoming, CutHalves, CutBridge, CutRing, CutChaos, CutClients, Flapping, Loss,
    SlowLinks, Resets, Wipe, Restore, LoseDisk, Transfer, Failover, Demote, Leave, Join, Replace)}


class Nemesis:
    """Begins faults at random and ends them; storms alternate with calms in which all is well."""

    def __init__(self, cluster, rng, timeline, clients, kinds):
        self.cluster = cluster
        self.rng = rng
        self.timeline = timeline
        self.clients = [f"c{number}" for number in range(1, clients + 1)]
        # Each seed has its own favourites, and kinds that it does without.
        self.weights = {kind: rng.choice([0, 1, 1, 2, 5]) for kind in kinds} if len(kinds) > 3 else dict.fromkeys(kinds, 1)
        if not any(self.weights.values()):
            self.weights = dict.fromkeys(kinds, 1)
        self.at_once = rng.choice([1, 2, 3, 4])
        self.likes_leaders = rng.choice([0.2, 0.5, 0.8])
        self.active = []  # (end, fault)
        self.taken = set()
        self.bad_disks = set()
        self.failed_disks = set()
        self.lost_disk = None
        self.change = None      # that is being asked for
        self.demoted = set()    # by a Demote, and perhaps not promoted again
        self.strangers = set(cluster.pool)  # may be no members, as far as is known
        self.answers = {}       # to requests for changes
        self.restarts = []  # when a node was started
        self.started = {}   # node: when, for the last time
        self.counts = {}
        self.complaints = []

    # --- what faults ask of it ---

    def draw_node(self):
        if self.rng.random() < self.likes_leaders:
            leader = self.cluster.guess_leader()
            if leader:
                return leader
        return self.rng.choice(self.cluster.nodes)

    def take_node(self):
        node = self.draw_node()
        if node in self.taken or not node.running:
            node = next((other for other in self.cluster.nodes if other not in self.taken and other.running), None)
        if node:
            self.taken.add(node)
        return node

    def release(self, node):
        self.taken.discard(node)

    def start(self, node):
        if not node.running:
            self.failed_disks.discard(node)
            self.started[node] = time.monotonic()
            self.restarts.append(time.monotonic_ns())
            node.start(wait=False)

    def wait_exit(self, node, deadline):
        while node.running and time.monotonic() < deadline:
            time.sleep(0.01)
        return None if node.running else node.process.returncode

    def complain(self, text):
        self.timeline.note("complaint", text=text)
        self.complaints.append(text)

    def note_failed_disk(self, node):
        self.failed_disks.add(node)

    def disk_failed(self, node):
        return node in self.failed_disks or node in self.bad_disks

    def note_lost_disk(self, node):
        self.lost_disk = node

    def all_disks_are_whole(self):
        """No disk is lost, or the node that lost it has all again and votes."""
        if self.lost_disk is None:
            return True
        if self.cluster.is_whole(self.lost_disk):
            self.lost_disk = None
        return self.lost_disk is None

    # --- members ---

    def may_lose_a_disk(self):
        """No disk is lost, and the members are so many and so settled that one may be."""
        if self.change or not self.all_disks_are_whole():
            return False
        members = self.cluster.membership() or {}
        return list(members.values()).count("voter") >= 3 and set(members) == {node.id for node in self.cluster.nodes}

    def count_answer(self, words, reply):
        name = " ".join(word for word in words if not word[0].isdigit())
        code = reply.code if isinstance(reply, Error) else str(reply) if reply == "OK" else "none"
        self.answers[f"{name} {code}"] = self.answers.get(f"{name} {code}", 0) + 1
        if isinstance(reply, Error) and reply.code not in ANSWERS:
            self.complain(f"unexpected reply to {' '.join(words)}: {reply}")

    def reconcile(self):
        """Processes run for the members, and for nobody else, and who was demoted votes again. False: not yet."""
        members = self.cluster.membership()
        if members is None:
            return False
        for node in [node for node in self.cluster.nodes if node.id not in members]:
            self.cluster.retire(node)
            self.strangers.add(node)
        for node in [node for node in self.cluster.pool if node.id in members]:
            self.cluster.activate(node)
            self.start(node)
        self.strangers -= {node for node in self.cluster.nodes if members[node.id] == "voter"}
        learners = [node for node in self.demoted if members.get(node.id) == "learner"]
        for node in learners:
            leader = self.cluster.guess_leader()
            try:
                if leader:
                    leader.call("RAFT.NODE", "PROMOTE", str(node.id))
            except (OSError, Closed):
                pass
        if learners:
            return False
        self.demoted.clear()
        return True

    # --- the course of a run ---

    def begin_one(self):
        kinds = [kind for kind, weight in self.weights.items() for _ in range(weight)]
        kind = self.rng.choice(kinds)
        fault = KINDS[kind](self)
        lasts = self.rng.choice([0.1, 0.3, 0.6, 1.0]) * fault.longest * (0.5 + self.rng.random() / 2)
        more = fault.begin()
        if more is None:
            return
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.timeline.note(f"begin {kind}", **more)
        self.active.append((time.monotonic() + lasts, fault))

    def end_due(self, everything=False):
        now = time.monotonic()
        for one in list(self.active):
            if everything or one[0] <= now:
                self.active.remove(one)
                one[1].end()
                self.timeline.note(f"end {one[1].name()}")

    def watch_processes(self):
        for node in self.cluster.nodes:
            if node in self.taken or node.process is None or node.running:
                continue
            status = node.process.returncode
            if self.disk_failed(node):
                self.timeline.note("ended over its disk", node=node.id, status=status)
            else:
                self.complain(f"node {node.id} ended by itself with status {status}: {node.tail(3)}")
            self.start(node)

    def turn(self):
        self.end_due()
        for _, fault in self.active:
            fault.turn()
        self.watch_processes()

    def storm(self, until):
        """Faults until then; the seconds between two are drawn from the seed."""
        while time.monotonic() < until:
            if len(self.active) < self.at_once:
                self.begin_one()
            pause = time.monotonic() + self.rng.choice([0.05, 0.2, 0.5, 1.0])
            while time.monotonic() < min(pause, until):
                self.turn()
                time.sleep(0.05)

    def calm(self, until):
        self.end_due(everything=True)
        if self.change is None and not self.taken:
            self.reconcile()
        while time.monotonic() < until:
            self.watch_processes()
            time.sleep(0.05)

    def rage(self, until):
        while time.monotonic() < until:
            self.storm(min(until, time.monotonic() + 2 + self.rng.random() * 8))
            if self.rng.random() < 0.7:
                self.calm(min(until, time.monotonic() + 0.5 + self.rng.random() * 2))
        self.heal()

    def heal(self):
        """Everything is well again, whatever it was."""
        self.end_due(everything=True)
        self.cluster.network.heal()
        for node in self.cluster.nodes:
            self.cluster.set_disk(node)
            if node.running and node.paused:
                node.resume()
        self.bad_disks.clear()
        self.watch_processes()
        for node in self.cluster.nodes:
            self.start(node)
        self.timeline.note("all is healed")
