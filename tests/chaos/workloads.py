"""What clients do while nodes fail: each workload is a thread with a client of its own and writes a history."""
import collections
import random
import select
import threading
import time
import zlib

import checks
from clients import HARMLESS, Client, NothingHappened, Stopped, Unexpected, Unknown
from cluster import PATIENCE
from history import FAILED, OK, UNKNOWN, Operation
from resp import Closed, Error

ACCOUNTS = [f"account:{number}" for number in range(8)]
EACH_BEGINS_WITH = 1000


def now():
    return time.monotonic_ns()


def text(value):
    return None if value is None else value.decode("latin-1")


def short(value):
    """What the history keeps of a value: long ones by their begin, length and checksum."""
    if value is None or len(value) <= 64:
        return value
    return f"{value[:24]}~{len(value)}~{zlib.crc32(value.encode('latin-1')):08x}"


def seen(reply):
    return short(text(reply))


class Keys:
    """Names of keys that several threads use for a while: one retires after so many operations, and a new one follows.
    Short histories cost the checker little, and each begins with an absent key."""

    def __init__(self, prefix, count, operations):
        self.lock = threading.Lock()
        self.prefix = prefix
        self.operations = operations
        self.number = 0
        self.left = {}
        for _ in range(count):
            self._new()

    def _new(self):
        self.number += 1
        self.left[f"{self.prefix}:{self.number}"] = self.operations
        return self.number

    def pick(self, rng, counted=True):
        with self.lock:
            name = rng.choice(sorted(self.left))
            self.left[name] -= counted
            if self.left[name] <= 0:
                del self.left[name]
                self._new()
            return name

    def all(self):
        return [f"{self.prefix}:{number}" for number in range(1, self.number + 1)]


class Workload(threading.Thread):
    """step() again and again until the run stops. `complaints` are violations that show at once."""

    def __init__(self, run, number):
        super().__init__(daemon=True, name=f"client {number}")
        self.run_of = run
        self.number = number
        self.rng = random.Random(f"{run.seed} client {number}")
        self.history = run.history
        self.client = Client(run.cluster.addresses, number, self.rng, self.rng.choice([0.2, 0.5, 1.5, 3.0]),
                             run.stopping)
        self.complaints = []
        self.values = 0
        self.done = 0

    def step(self):
        raise NotImplementedError

    def run(self):
        while not self.run_of.stopping.is_set():
            try:
                if self.rng.random() < 0.02:
                    self.client.go_elsewhere()
                self.step()
                self.done += 1
            except Stopped:
                break
            except Unexpected as error:
                self.complaints.append(f"client {self.number}: unexpected reply: {error}")
                self.client.close()
            except Exception as error:  # a fault of the tests' own, told with the violations
                self.complaints.append(f"client {self.number}: {error!r}")
                break
            time.sleep(self.rng.random() * self.run_of.pause)
        self.client.close()

    def new_value(self):
        self.values += 1
        chance = self.rng.random()
        longest = 600_000 if chance < 0.002 else 4000 if chance < 0.02 else 1
        return f"{self.number}-{self.values}" + "." * self.rng.randrange(longest)

    def perform(self, operation, act):
        """Records the operation with what act() returns. False if nobody knows what became of it."""
        operation.call = now()
        try:
            result = act()
        except Unknown:
            self.history.add(operation)
            return False
        except (NothingHappened, Stopped) as error:
            operation.outcome, operation.back = FAILED, now()
            self.history.add(operation)
            if isinstance(error, Stopped):
                raise
            return False
        operation.outcome, operation.back, operation.result = OK, now(), result
        self.history.add(operation)
        return True

    keep = staticmethod(short)  # what the history keeps of a reply

    def get(self, key):
        operation = Operation(self.number, "get", key)
        self.perform(operation, lambda: self.keep(text(self.client.call("GET", key))))
        return operation


class Registers(Workload):
    """Single keys with whole values: the checker's main food."""

    def __init__(self, run, number, keys, presence=False):
        super().__init__(run, number)
        self.keys = keys
        self.presence = presence  # also what depends on whether there is a key at all

    def step(self):
        key = self.keys.pick(self.rng)
        kinds = ["get"] * 9 + ["set"] * 5 + ["getset"] * 2 + ["cas"] * 4 + ["setnx", "del"] * 2 * self.presence
        getattr(self, self.rng.choice(kinds))(key)

    def set(self, key):
        value = self.new_value()
        self.perform(Operation(self.number, "set", key, short(value)), lambda: self.client.call("SET", key, value) == "OK")

    def getset(self, key):
        value = self.new_value()
        self.perform(Operation(self.number, "getset", key, short(value)),
                     lambda: seen(self.client.call("SET", key, value, "GET")))

    def setnx(self, key):
        value = self.new_value()
        self.perform(Operation(self.number, "setnx", key, short(value)), lambda: self.client.call("SETNX", key, value))

    def delete(self, key):
        self.perform(Operation(self.number, "del", key), lambda: self.client.call("DEL", key))

    def cas(self, key):
        """WATCH, GET, then SET by a transaction. The value was watched before it was read."""
        operation = Operation(self.number, "get", key)
        operation.call = now()
        try:
            watched, value = self.client.exchange([("WATCH", key), ("GET", key)])
        except Unknown:
            return
        for reply in (watched, value):
            if isinstance(reply, Error):
                try:
                    self.client.react(reply)
                except (NothingHappened, Unknown):
                    return
        operation.back, operation.outcome, operation.result = now(), OK, seen(value)
        self.history.add(operation)
        time.sleep(self.rng.random() * 0.005)
        new = self.new_value()
        self.perform(Operation(self.number, "cas", key, short(new), operation.result),
                     lambda: self.client.transaction([("SET", key, new)]) is not None)


setattr(Registers, "del", Registers.delete)


class Faithful(Registers):
    """Stays with one node, whatever it answers: where that is a leader that was deposed and does not know it yet, it is
    here that a stale read shows."""

    def __init__(self, run, number, keys, node):
        super().__init__(run, number, keys)
        self.client.addresses = [self.client.addresses[node]]
        self.client.timeout = self.rng.choice([0.3, 4.0])

    def step(self):
        key = self.keys.pick(self.rng, counted=False)
        kind = "get" if self.rng.random() < 0.9 else "set"
        value = self.new_value() if kind == "set" else None
        refused = self.perform_once(Operation(self.number, kind, key, short(value)), value)
        time.sleep(self.rng.random() * self.run_of.pause * (5 if refused else 1))

    def perform_once(self, operation, value):
        def act():
            words = [operation.kind.upper(), operation.key] + ([value] if value else [])
            reply = self.client.exchange([words])[0]
            if not isinstance(reply, Error):
                return seen(reply) if operation.kind == "get" else reply == "OK"
            self.client.count(reply.code)
            if reply.code == "UNKNOWN":
                raise Unknown(str(reply))
            if reply.code in HARMLESS:
                raise NothingHappened(str(reply))
            raise Unexpected(str(reply))

        self.perform(operation, act)
        return operation.outcome == FAILED


class Pipelines(Registers):
    """Several requests in one piece. They count as called together; replies come in order."""

    def step(self):
        operations, sent = [], []
        for _ in range(self.rng.randrange(2, 9)):
            key = self.keys.pick(self.rng)
            if self.rng.random() < 0.6:
                operations.append(Operation(self.number, "get", key))
                sent.append(("GET", key))
            else:
                value = self.new_value()
                operations.append(Operation(self.number, "set", key, short(value)))
                sent.append(("SET", key, value))
        if not self.client.connection:
            self.client.connect()
        call = now()
        for operation in operations:
            operation.call = call
        errors = []

        def note(number, reply):
            operation = operations[number]
            if isinstance(reply, Error):
                errors.append(reply)
                if reply.code != "UNKNOWN":
                    operation.outcome, operation.back = FAILED, now()
                return
            operation.outcome, operation.back = OK, now()
            operation.result = seen(reply) if operation.kind == "get" else reply == "OK"

        try:
            self.client.exchange(sent, note)
        except Unknown:
            pass
        for operation in operations:
            self.history.add(operation)
        # What is unexpected among them is told; the first of the others says where to go.
        for error in sorted(errors, key=lambda error: error.code in HARMLESS or error.code == "UNKNOWN")[:1]:
            try:
                self.client.react(error)
            except (NothingHappened, Unknown):
                pass


class Flood(Registers):
    """Hundreds of reads of one key in one piece: they keep a node's loop busy in the middle of a turn. All count as
    called together, so of a row of equal replies the first says it all, and it alone is recorded."""

    def step(self):
        key = self.keys.pick(self.rng, counted=False)
        call, replies = now(), []

        def note(_, reply):
            if isinstance(reply, Error):
                return
            if not replies or replies[-1].result != seen(reply):
                replies.append(Operation(self.number, "get", key, None, None, call, now(), OK, seen(reply)))

        answers = []
        try:
            answers = self.client.exchange([("GET", key)] * self.rng.choice([20, 100, 400]), note)
        except Unknown:
            pass
        for operation in replies:
            self.history.add(operation)
        for error in [reply for reply in answers if isinstance(reply, Error)][:1]:
            try:
                self.client.react(error)
            except (NothingHappened, Unknown):
                pass


class Impatient(Registers):
    """Asks one node again and again without waiting for answers: what it asks while the node's process stands still is
    answered by a process that may take the time for earlier than it is."""

    def __init__(self, run, number, keys, node):
        super().__init__(run, number, keys)
        self.client.addresses = [self.client.addresses[node]]

    def step(self):
        self.client.close()
        self.client.connect()
        connection, waiting, refused = self.client.connection, collections.deque(), False
        while waiting or not refused:
            self.client.check_stop()
            if not refused and len(waiting) < 300:
                operation = Operation(self.number, "get", self.keys.pick(self.rng, counted=False), call=now())
                try:
                    connection.send("GET", operation.key)
                except (OSError, Closed):
                    return
                waiting.append(operation)
            refused |= self.take(connection, waiting)
            time.sleep(self.rng.random() * 0.01)
        time.sleep(self.rng.random() * 0.1)

    def take(self, connection, waiting):
        """Takes the answers that are there. True: the node is no leader, or is gone."""
        refused = False
        try:
            while waiting and (connection.buffer or select.select([connection.socket], [], [], 0)[0]):
                reply, operation = connection.read(), waiting.popleft()
                if isinstance(reply, Error):
                    refused = True
                    self.client.count(reply.code)
                    continue
                operation.back, operation.outcome, operation.result = now(), OK, seen(reply)
                self.history.add(operation)
        except (OSError, Closed):
            waiting.clear()  # reads that nobody saw tell nothing
            return True
        if waiting and now() - waiting[0].call > 6 * 10**9:
            waiting.clear()
            return True
        return refused


class Counters(Workload):
    KEYS = ["counter:1", "counter:2"]

    def step(self):
        key = self.rng.choice(self.KEYS)
        if self.rng.random() < 0.2:
            self.get(key)
        else:
            self.perform(Operation(self.number, "incr", key), lambda: self.client.call("INCR", key))


class Appends(Workload):
    """Each token is written once; `keys` retire before they are long."""

    keep = staticmethod(lambda value: value)

    def __init__(self, run, number, keys):
        super().__init__(run, number)
        self.keys = keys

    def step(self):
        key = self.keys.pick(self.rng)
        if self.rng.random() < 0.3:
            self.get(key)
            return
        self.values += 1
        token = f"{self.number}-{self.values};"
        self.perform(Operation(self.number, "append", key, token), lambda: self.client.call("APPEND", key, token))


class Transfers(Workload):
    """Moves amounts between accounts, and looks at all of them at once: the sum never changes."""

    def step(self):
        chance = self.rng.random()
        if chance < 0.35:
            self.look()
            return
        one, other = self.rng.sample(ACCOUNTS, 2)
        amount = self.rng.randrange(1, 20)
        operation = Operation(self.number, "transfer", "accounts", [one, other, amount])
        if chance < 0.7:
            self.perform(operation, lambda: self.client.transaction(
                [("DECRBY", one, amount), ("INCRBY", other, amount)]) is not None)
        else:
            self.watched(operation, one, other, amount)

    def watched(self, operation, one, other, amount):
        try:
            replies = self.client.exchange([("WATCH", one, other), ("MGET", one, other)])
        except Unknown:
            return
        for reply in replies:
            if isinstance(reply, Error):
                try:
                    self.client.react(reply)
                except (NothingHappened, Unknown):
                    return
        if None in replies[1]:
            self.complaints.append(f"client {self.number}: an account is gone: {one}, {other}: {replies[1]}")
            return
        left, right = map(int, replies[1])
        self.perform(operation, lambda: self.client.transaction(
            [("SET", one, left - amount), ("SET", other, right + amount)]) is not None)

    def look(self):
        operation = Operation(self.number, "look", "accounts")
        if self.rng.random() < 0.5:
            self.perform(operation, lambda: [text(value) for value in self.client.call("MGET", *ACCOUNTS)])
        else:
            self.perform(operation, self.look_in_a_transaction)

    def look_in_a_transaction(self):
        values = self.client.transaction([("GET", account) for account in ACCOUNTS])
        if values is None:  # a watch of this connection, left over
            raise NothingHappened
        return list(map(text, values))


class Expiring(Workload):
    """SET PX of a key that is never written again, read by several clients until some time after it is gone."""

    def __init__(self, run, number, living):
        super().__init__(run, number)
        self.living = living  # shared: [key, when to forget it]

    def step(self):
        if len(self.living) < 6:
            self.values += 1
            life = self.rng.choice([200, 500, 1000, 3000])
            operation = Operation(self.number, "expiring", f"expiring:{self.number}-{self.values}",
                                  f"{self.number}-{self.values}", life)
            self.perform(operation, lambda: self.client.call("SET", operation.key, operation.value, "PX", life) == "OK")
            if operation.outcome != FAILED:
                self.living.append((operation.key, now() + life * 1_100_000 + self.rng.randrange(4 * 10**9)))
            return
        key, until = self.rng.choice(self.living)
        self.get(key)
        if now() > until and (key, until) in self.living:
            self.living.remove((key, until))


class Ladder(Workload):
    """One writer counts a key up, for those who read it on followers. A count without an answer may come late."""

    KEY = "ladder"

    def __init__(self, run, number):
        super().__init__(run, number)
        self.attempted = 0

    def step(self):
        self.attempted += 1
        try:
            self.client.call("INCR", self.KEY)
        except Unknown:
            pass


class Climbers(Workload):
    """Reads the ladder on READONLY connections, from whatever node: possibly late, never backwards, never ahead."""

    def __init__(self, run, number, ladder):
        super().__init__(run, number)
        self.ladder = ladder
        self.judged = 0

    def step(self):
        self.client.turn = self.rng.randrange(len(self.client.addresses))
        self.client.connect()
        try:
            if isinstance(self.client.exchange([("READONLY",)])[0], Error):
                self.client.close()
                return
            self.climb()
        except Unknown:
            pass

    def climb(self):
        highest = 0
        for _ in range(self.rng.randrange(5, 200)):
            self.client.check_stop()
            reply = self.client.exchange([("GET", Ladder.KEY)])[0]
            if isinstance(reply, Error):
                self.client.count(reply.code)
                if reply.code not in ("CLUSTERDOWN", "MOVED", "LOADING", "MASTERDOWN", "MISCONF"):
                    raise Unexpected(str(reply))
                return
            value = int(reply or 0)
            self.judged += 1
            if value < highest:
                self.complaints.append(f"client {self.number}: a READONLY connection read {highest}, then {value}")
            if value > self.ladder.attempted:
                self.complaints.append(f"client {self.number}: {value} was read before it was written")
            highest = max(highest, value)
            time.sleep(self.rng.random() * self.run_of.pause * 4)


class Loyal(Workload):
    """Counts a key of its own at one node, past the mesh, with all the patience there is. While that node's process
    lives and is a member, each number comes once and in order, and no error but those that the README names: an outcome
    is unknown, or a command without effect for lack of a leader, when leader-wait-ms have passed, and not before."""

    # Nothing was executed, for reasons that have nothing to do with who leads.
    EXCUSED = {"LOADING", "MISCONF", "OOM"}
    DRIFT = 0.95  # clocks of nodes are slow by 2 %

    def __init__(self, run, number, node):
        super().__init__(run, number)
        self.node = node
        self.key = f"loyal:{node.id}"
        self.numbers = checks.ExactlyOnce()
        self.connection = None
        self.process = None  # to which the connection leads: by the next step the node may run as another one
        self.installed = 0

    def step(self):
        if not self.connection and not self.connect():
            time.sleep(0.05)
            return
        process, call = self.process, time.monotonic()
        try:
            self.connection.send("INCR", self.key)
            reply = self.read()
        except (OSError, Closed) as error:
            self.numbers.lose()
            self.drop()
            if not self.has_died(process):
                self.complain(f"its node lives and has closed the connection: {error}")
            return
        if isinstance(reply, Error):
            self.take_error(reply, time.monotonic() - call, process)
        else:
            self.client.count("exactly once")
            self.node.has_served = True
            self.told(self.numbers.take(reply))

    def connect(self):
        self.drop()
        self.process = self.node.process
        try:
            self.connection = self.node.connect(timeout=5 * PATIENCE)
            self.installed = self.snapshots_installed()
        except (OSError, Closed):
            self.drop()
        if self.connection and self.node.process is not self.process:
            self.drop()
        return self.connection is not None

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def read(self):
        """Waits as long as it takes; a while, once all is healed."""
        deadline = None
        while not select.select([self.connection.socket], [], [], 0.2)[0]:
            if self.run_of.stopping.is_set():
                deadline = deadline or time.monotonic() + 20 * PATIENCE
            if deadline and time.monotonic() > deadline:
                self.complaints.append(f"client {self.number}: an INCR of {self.key} is not answered")
                raise Stopped
        return self.connection.read()

    def snapshots_installed(self):
        with self.node.connect(timeout=5 * PATIENCE) as connection:
            reply = connection.call("INFO", "raft")
        if isinstance(reply, Error):
            return 0
        lines = [line.split(":") for line in reply.decode().splitlines() if line.startswith("raft_snapshots_installed:")]
        return int(lines[0][1]) if lines else 0

    def has_died(self, process):
        """The end of a connection shows before the end of the process."""
        deadline = time.monotonic() + 3 * PATIENCE
        while time.monotonic() < deadline:
            if self.node.process is not process or not self.node.running or self.is_stranger():
                return True
            time.sleep(0.01)
        return False

    def is_stranger(self):
        return self.node in self.run_of.nemesis.strangers

    def has_installed(self):
        try:
            before, self.installed = self.installed, self.snapshots_installed()
        except (OSError, Closed):
            return True  # it is dying
        return self.installed != before

    def knows_nothing(self, reply):
        """It began with an empty folder, and has not got the log yet: not even what the members speak."""
        return not self.node.has_served and (reply.code == "MOVED" or "has not begun" in str(reply))

    def take_error(self, reply, seconds, process):
        self.client.count(f"exactly once: {reply.code}")
        if reply.code == "UNKNOWN":
            self.numbers.lose()
        if reply.code in self.EXCUSED or self.is_stranger():
            time.sleep(0.02)
            return
        if self.knows_nothing(reply):
            time.sleep(0.02)
            return
        waited = seconds * 1000 >= self.run_of.leader_wait_ms * self.DRIFT
        if reply.code in ("UNKNOWN", "CLUSTERDOWN") and (waited or self.has_installed()):
            time.sleep(0.02)
            return
        if self.node.process is process and not self.is_stranger():
            self.complain(f"after {seconds:.3f} s, with leader-wait-ms {self.run_of.leader_wait_ms}: {reply}")
        time.sleep(0.02)

    def told(self, complaint):
        if complaint:
            self.complain(complaint)

    def complain(self, text):
        self.complaints.append(f"client {self.number} at node {self.node.id}, {self.key}, at {now()}: {text}")


def make_all(run, clients):
    """So many clients, with the numbers from 1 on, two more for each node, and one. Their links may be cut."""
    whole = Keys("register", 5, 250)
    present = Keys("presence", 2, 60)
    appended = Keys("appended", 2, 150)
    living = []
    ladder = Ladder(run, 1)
    made = [ladder, Climbers(run, 2, ladder)]
    makers = [lambda n: Registers(run, n, whole), lambda n: Transfers(run, n), lambda n: Counters(run, n),
              lambda n: Pipelines(run, n, whole), lambda n: Expiring(run, n, living), lambda n: Appends(run, n, appended),
              lambda n: Registers(run, n, present, True), lambda n: Registers(run, n, whole),
              lambda n: Appends(run, n, appended), lambda n: Transfers(run, n), lambda n: Expiring(run, n, living), lambda n: Counters(run, n)]
    for number in range(3, clients + 1):
        made.append(makers[(number - 3) % len(makers)](number))
    for node in range(run.size):
        made.append(Faithful(run, clients + 1 + node, whole, node))
        made.append(Impatient(run, clients + 1 + run.size + node, whole, node))
    made.append(Flood(run, clients + 1 + 2 * run.size, whole))
    return made


def make_loyal(run, first):
    return [Loyal(run, number, node) for number, node in enumerate(run.cluster.everybody, start=first)]
