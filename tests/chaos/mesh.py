"""The network between clients and nodes: a process of its own through which every connection goes.

Run as a program it reads one JSON object a line from standard input and answers each with a line: see network.py,
which starts it. It listens at the address that the list of nodes names for each node, and passes connections on to
where the node really listens.

A connection's two ends have names: "1", "2", ... for nodes, "c1", "c2", ... for clients. Who dials is told by the
source address 127.0.2.N (clients bind to it) or by the sender's number in RAFT.HELLO, the first message of a node.

Each direction between two ends obeys one rule:

    delay [LOW, HIGH]   seconds that each chunk takes longer, drawn anew for each; the order is kept
    loss P              with this probability a chunk comes only after a retransmission, RETRANSMIT seconds later
    reset P             with this probability a chunk ends its connection with a reset instead
    mode "pass"
         "hold"         nothing passes; what was sent comes when the rule is taken back, as after a short cut
         "vanish"       nothing passes, and the end of the connection is not told either (half-open). TCP cannot lose
                        bytes in the middle, so a connection that lost some ends with a reset when the rule is changed
         "refuse"       connections are reset, and new ones as well
"""
import asyncio
import collections
import json
import random
import socket
import struct
import sys

RETRANSMIT = 0.2
QUEUED_MAX = 4 << 20   # a direction with more bytes in it is not read
HELLO_MAX = 8 << 10    # within so many bytes a dialler has said who it is
COMMAND_MAX = 64 << 20  # a table of rules between many ends is long
CLIENT_PREFIX = "127.0.2."
END, RESET = object(), object()


def first_command(data):
    """The arguments of the RESP command at the start of `data`; None if more is needed; ValueError if it is none."""
    args, at = [], 0

    def number(kind):
        nonlocal at
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        if data[at:at + 1] != kind:
            raise ValueError(data[:32])
        value, at = int(data[at + 1:end]), end + 2
        return value

    count = number(b"*") if data else None
    if count is None:
        return None
    for _ in range(count):
        size = number(b"$")
        if size is None or len(data) < at + size + 2:
            return None
        args.append(data[at:at + size])
        at += size + 2
    return args


def sender_of(args):
    """The number of the node that says RAFT.HELLO, whatever its version: <version> <from> <to> … since version 2,
    before it <version> <cluster id> <secret> <from> <to>."""
    if not args or args[0].upper() != b"RAFT.HELLO":
        return None
    for place in (2, 4):
        if len(args) > place and args[place].isdigit() and len(args[place]) < 20:
            return args[place].decode()
    return None


class Rule:
    def __init__(self, delay=(0.0, 0.0), loss=0.0, reset=0.0, mode="pass"):
        self.delay = tuple(delay)
        self.loss = loss
        self.reset = reset
        self.mode = mode


class Pipe:
    """One direction of a connection."""

    def __init__(self, mesh, source, sink, ends):
        self.mesh = mesh
        self.source = source
        self.sink = sink
        self.ends = ends
        self.queue = collections.deque()  # (when it is due, bytes or END or RESET)
        self.queued = 0
        self.latest = 0.0
        self.timer = None
        self.blocked = False  # the sink's own buffer is full
        self.has_hole = False

    @property
    def rule(self):
        return self.mesh.rules.get(self.ends, self.mesh.usual)

    def push(self, data):
        rule, rng, now = self.rule, self.mesh.rng, self.mesh.loop.time()
        self.mesh.bytes += len(data) if isinstance(data, bytes) else 0
        if rule.mode == "vanish" or self.has_hole:
            self.has_hole = True
            self.mesh.vanished += 1
            return
        if rule.reset and rng.random() < rule.reset:
            data = RESET
            self.mesh.resets += 1
        due = now + rng.uniform(*rule.delay)
        if rule.loss and rng.random() < rule.loss:
            due += RETRANSMIT
            self.mesh.lost += 1
        self.latest = max(self.latest, due)
        self.queue.append((self.latest, data))
        self.queued += len(data) if isinstance(data, bytes) else 0
        if self.queued > QUEUED_MAX and self.source.transport:
            self.source.transport.pause_reading()
        self.flush()

    def flush(self):
        if self.timer:
            self.timer.cancel()
            self.timer = None
        while self.queue and not self.blocked and self.rule.mode == "pass":
            due, data = self.queue[0]
            wait = due - self.mesh.loop.time()
            if wait > 0.0002:
                self.timer = self.mesh.loop.call_later(wait, self.flush)
                return
            self.queue.popleft()
            if data is END or data is RESET:
                self.sink.connection.end(with_reset=data is RESET)
                return
            self.queued -= len(data)
            if self.sink.transport:
                self.sink.transport.write(data)
        if self.queued <= QUEUED_MAX // 2 and self.source.transport and not self.source.transport.is_closing():
            self.source.transport.resume_reading()

    def rule_changed(self):
        if self.rule.mode == "refuse" or (self.has_hole and self.rule.mode != "vanish"):
            self.sink.connection.end(with_reset=True)
        else:
            self.flush()


class End(asyncio.Protocol):
    """One end of a connection; bytes that arrive here go into `pipe`."""

    def __init__(self, connection):
        self.connection = connection
        self.transport = None
        self.pipe = None
        self.other_pipe = None  # whose sink this is

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.made(self)

    def data_received(self, data):
        if self.pipe:
            self.pipe.push(data)
        else:
            self.connection.hello(data)

    def eof_received(self):
        return False

    def connection_lost(self, error):
        self.transport = None
        if self.pipe:
            self.pipe.push(RESET if error else END)
        else:
            self.connection.end()

    def pause_writing(self):
        if self.other_pipe:
            self.other_pipe.blocked = True

    def resume_writing(self):
        if self.other_pipe:
            self.other_pipe.blocked = False
            self.other_pipe.flush()


class Connection:
    def __init__(self, mesh, node, target):
        self.mesh = mesh
        self.node = node
        self.target = target
        self.near = End(self)  # the dialler's
        self.far = None
        self.begun = b""
        self.source = None
        self.ended = False
        mesh.connections.add(self)

    def made(self, end):
        if end is not self.near:
            return
        host = end.transport.get_extra_info("peername")[0]
        if host.startswith(CLIENT_PREFIX):
            self.known_as("c" + host[len(CLIENT_PREFIX):])

    def hello(self, data):
        self.begun += data
        try:
            args = first_command(self.begun)
        except ValueError:
            args = []
        if args is None and len(self.begun) < HELLO_MAX:
            return
        self.known_as(sender_of(args or []) or "?")

    def known_as(self, source):
        self.source = source
        if any(self.mesh.mode(*ends) == "refuse" for ends in ((source, self.node), (self.node, source))):
            self.end(with_reset=True)
            return
        near, far = self.near, End(self)
        self.far = far
        near.pipe = Pipe(self.mesh, near, far, (source, self.node))
        far.pipe = Pipe(self.mesh, far, near, (self.node, source))
        near.other_pipe, far.other_pipe = far.pipe, near.pipe
        if self.begun:
            near.pipe.push(self.begun)
        near.pipe.blocked = True  # until the node's end is there
        task = self.mesh.loop.create_task(self.dial())
        self.mesh.tasks.add(task)
        task.add_done_callback(self.mesh.tasks.discard)

    async def dial(self):
        try:
            await self.mesh.loop.create_connection(lambda: self.far, "127.0.0.1", self.target)
        except OSError:
            # The refusal takes its way back as everything else does.
            self.far.pipe.push(RESET)
            return
        if self.ended:
            self.far.transport.abort()
            return
        self.near.pipe.blocked = False
        self.near.pipe.flush()

    def end(self, with_reset=False):
        if self.ended:
            return
        self.ended = True
        self.mesh.connections.discard(self)
        for end in (self.near, self.far):
            if not end:
                continue
            if end.pipe:
                end.pipe.queue.clear()
                if end.pipe.timer:
                    end.pipe.timer.cancel()
            if not end.transport:
                continue
            if with_reset:
                end.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                                  struct.pack("ii", 1, 0))
                end.transport.abort()
            else:
                end.transport.close()

    def pipes(self):
        return [end.pipe for end in (self.near, self.far) if end and end.pipe]


class Mesh:
    def __init__(self, loop, seed):
        self.loop = loop
        self.rng = random.Random(seed)
        self.usual = Rule()
        self.rules = {}
        self.connections = set()
        self.tasks = set()
        self.bytes = self.lost = self.resets = self.vanished = self.accepted = 0

    # --- commands; each answers with what json can hold ---

    async def listen(self, node, host, port, target):
        def accept():
            self.accepted += 1
            return Connection(self, node, target).near
        await self.loop.create_server(accept, host, port, backlog=256)

    async def usually(self, **rule):
        self.usual = Rule(**rule)
        self._changed()

    async def table(self, rules):
        """All rules but the usual one, in place of those that there were: [from, to, rule]."""
        self.rules = {(one, other): Rule(**rule) for one, other, rule in rules}
        self._changed()

    async def reset(self, pairs):
        """Every open connection between these ends is reset, at both ends."""
        wanted = set(map(tuple, pairs))
        for connection in list(self.connections):
            if {(connection.source, connection.node), (connection.node, connection.source)} & wanted:
                connection.end(with_reset=True)

    async def stats(self):
        return {"connections": self.accepted, "bytes": self.bytes, "retransmitted": self.lost, "reset": self.resets,
                "vanished": self.vanished}

    def mode(self, one, other):
        return self.rules.get((one, other), self.usual).mode

    def _changed(self):
        for connection in list(self.connections):
            for pipe in connection.pipes():
                if not connection.ended:
                    pipe.rule_changed()


async def serve(seed):
    loop = asyncio.get_running_loop()
    mesh = Mesh(loop, seed)
    lines = asyncio.StreamReader(limit=COMMAND_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        request = json.loads(line)
        try:
            reply = {"ok": await getattr(mesh, request.pop("do"))(**request)}
        except Exception as error:  # told to who asked, and raised there
            reply = {"error": repr(error)}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
