"""Runs random commands on two servers, compares all they say, and makes what differs small.

    python3 tests/compat/random_compare.py [--commands 1000000] [--seed 1] [--valkey] [--keep-going]

starts both servers itself, and counts what ran without a difference."""
import argparse
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import random_known as known  # noqa: E402
import servers  # noqa: E402
from cluster import Cluster  # noqa: E402
from random_commands import DATABASES, KEYS, Lapse, Maker, read_docs  # noqa: E402
from resp import Closed, encode  # noqa: E402

MARK = b"the end of these replies"
MARK_REPLY = b"$%d\r\n%s\r\n" % (len(MARK), MARK)
IN_ONE_GO = 20  # sequences


def ending():
    """What shows all that a sequence has left."""
    yield [b"DISCARD"]
    yield [b"UNWATCH"]
    for database in reversed(DATABASES):  # the next sequence begins in the first
        yield [b"SELECT", database]
        yield [b"KEYS", b"*"]
        for key in KEYS:
            for before, after in ((b"TYPE", b""), (b"OBJECT ENCODING", b""), (b"PEXPIRETIME", b""), (b"GET", b""),
                                  (b"LRANGE", b"0 -1"), (b"SMEMBERS", b""), (b"ZRANGE", b"0 -1 WITHSCORES"), (b"HGETALL", b""),
                                  (b"XRANGE", b"- +"), (b"XINFO STREAM", b"FULL")):
                yield [*before.split(), key, *after.split()]


ENDING = list(ending())


class Side:
    def __init__(self, connect, protocol):
        self.connect = connect
        self.protocol = protocol
        self.connection = None

    def run(self, data):
        """All bytes that answer. `data`: pieces with a pause between them, in which nothing is left to run."""
        if self.connection is None:
            self.connection = self.connect()
            self.connection.call_raw("HELLO", str(self.protocol))
        said = b""
        try:
            for piece in data[:-1]:
                said += self.say(piece)
                time.sleep(0.02)
            return said + self.say(data[-1])
        except (Closed, OSError) as reason:
            said += self.connection.buffer + b"-(closed: %s)\r\n" % type(reason).__name__.encode()
            self.close()
            return said

    def say(self, piece):
        """All bytes that answer it; then all of it has run."""
        self.connection.send_raw(piece + encode([b"ECHO", MARK]))
        while not self.connection.buffer.endswith(MARK_REPLY):
            self.connection._more()  # pylint: disable=protected-access
        said = self.connection.buffer[:-len(MARK_REPLY)]
        self.connection.buffer = b""
        return said

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


def pieces(commands):
    made = [b""]
    for command in commands:
        if isinstance(command, Lapse):
            made[-1] += b"".join(map(encode, command))
            made.append(b"")
        else:
            made[-1] += encode(command)
    return made


def replies(raw):
    found, at = [], 0
    while at < len(raw):
        try:
            end = known.tree(raw, at)[1]
        except ValueError:
            end = len(raw)
        found.append(raw[at:end])
        at = end
    return found


class Difference(Exception):
    def __init__(self, command, theirs, ours):
        super().__init__()
        self.command, self.theirs, self.ours = command, theirs, ours

    def signature(self):
        return (self.command[0].upper(), known.tree(self.theirs)[0][0], known.tree(self.ours)[0][0],
                self.theirs[:30] if self.theirs[:1] == b"-" else b"", self.ours[:30] if self.ours[:1] == b"-" else b"")


def judge(commands, theirs, ours, long, valkey):
    """Raises the first Difference between the replies to these commands."""
    queued = None  # between MULTI and EXEC
    commands = [one for command in commands for one in (command if isinstance(command, Lapse) else [command])]
    theirs, ours = replies(theirs), replies(ours)
    for at, command in enumerate(commands):
        one = theirs[at] if at < len(theirs) else b"-(nothing)\r\n"
        other = ours[at] if at < len(ours) else b"-(nothing)\r\n"
        name = command[0].upper() if command else b""
        if one != other and not known.same(known.Place(command, commands, long, valkey), one, other):
            if name != b"EXEC" or not queued or one[:1] != b"*" or other[:1] != b"*":
                raise Difference(command, one, other)
            judge_exec(queued, one, other, long, valkey)
        if name == b"MULTI" and one == b"+OK\r\n":
            queued = []
        elif name in (b"EXEC", b"DISCARD"):
            queued = None
        elif queued is not None and one == b"+QUEUED\r\n":
            queued.append(command)


def judge_exec(queued, theirs, ours, long, valkey):
    inside = [raw[raw.index(b"\r\n") + 2:] for raw in (theirs, ours)]
    if len(replies(inside[0])) != len(queued):
        raise Difference([b"EXEC"], theirs, ours)
    judge(queued, *inside, long, valkey)


class Pair:
    """The two servers, with the commands that the table of ours describes."""

    def __init__(self, theirs, ours, valkey=False, protocol=2):
        self.valkey = valkey
        self.theirs, self.ours = Side(theirs, protocol), Side(ours, protocol)
        with ours() as connection:
            self.commands = read_docs(connection.call("COMMAND", "DOCS"))
        with theirs() as connection:
            self.payloads = payloads(connection)
            stock = {command.name for command in read_docs(connection.call("COMMAND", "DOCS"))}
        self.newest = (9, 1, 99) if valkey else (7, 0, 99)
        self.commands = [command for command in self.commands if command.name in stock]
        if not valkey:  # since 7.2 it looks at the newest deleted entry, too
            self.commands = [command for command in self.commands if command.name != "xsetid"]
        if valkey:
            self.commands = [command for command in self.commands if is_new(command)] * 3 + [
                command for command in self.commands if command.name in BASIC]

    def close(self):
        self.theirs.close()
        self.ours.close()

    def maker(self, seed):
        return Maker(self.commands, seed, self.newest, self.payloads)

    def both(self, commands):
        data = pieces([[b"DISCARD"], [b"UNWATCH"], [b"FLUSHALL"], *commands])
        return self.theirs.run(data), self.ours.run(data)

    def difference(self, sequence, long):
        """The first one that a sequence shows alone, or None."""
        commands = sequence + ENDING
        try:
            judge([[b"DISCARD"], [b"UNWATCH"], [b"FLUSHALL"], *commands], *self.both(commands), long, self.valkey)
        except Difference as found:
            return found
        return None

    def smaller(self, sequence, long):
        """Without all that the difference does not need."""
        size = max(1, len(sequence) // 2)
        while True:
            at, removed = 0, False
            while at < len(sequence):
                less = sequence[:at] + sequence[at + size:]
                if less != sequence and self.difference(less, long):
                    sequence, removed = less, True
                else:
                    at += size
            if size > 1:
                size //= 2
            elif not removed:
                return sequence

    def check(self, seeds):
        """(commands that ran, [(seed, smallest sequence, Difference)]) of the sequences of these seeds."""
        made = [(seed, *self.maker(seed).sequence()) for seed in seeds]
        found, ran = [], 0
        while made:
            several = []
            while made and len(several) < IN_ONE_GO:
                several.append(made.pop(0))
            ran += sum(len(commands) for _, commands, _ in several)
            together = [one for _, commands, _ in several for one in ([b"FLUSHALL"], *commands, *ENDING)]
            theirs, ours = self.both(together)
            if theirs == ours:
                continue
            for seed, commands, long in several if len(several) > 1 else several:
                if self.difference(commands, long) and self.difference(commands, long):
                    less = self.smaller(commands, long)
                    last = self.difference(less, long) or self.difference(commands, long)
                    if last:
                        found.append((seed, less, last))
        return ran, found


BASIC = set("set get del hset hgetall hdel expire persist zadd zrem rename copy hincrby hincrbyfloat hmset hsetnx hget "
            "xadd xdel xtrim xsetid xreadgroup xack xclaim xautoclaim xgroup|create xgroup|setid xgroup|createconsumer".split())


def is_new(command):
    """To Redis 7.0, or an argument of it is."""
    def new(arguments):
        return any(one.since > (7, 0, 99) or new(one.parts) for one in arguments)
    return command.since > (7, 0, 99) or new(command.arguments)


def payloads(connection):
    """What DUMP gives for small values of each type."""
    made = []
    for fill in ("SET a 12", "SET a text", "RPUSH a 1 b c", "SADD a 1 2 3", "SADD a x y", "HSET a f v g 1", "ZADD a 1 x 2.5 y",
                 "XADD a 1-1 f v", "PFADD a x y"):
        connection.call("FLUSHALL")
        connection.call(*fill.split())
        made.append(connection.call("DUMP", "a"))
    return made


def quoted(command):
    if isinstance(command, Lapse):
        return "; ".join(map(quoted, command)) + " (and 20 ms pass)"
    return " ".join('"' + "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word) + '"'
                    if not word.isalnum() else word.decode() for word in command)


def report(protocol, seed, sequence, difference):
    lines = [f"seed {seed}, RESP{protocol}: {quoted(difference.command)}", *(f"    {quoted(command)}" for command in sequence),
             f"  expected {difference.theirs[:1500]!r}", f"  got      {difference.ours[:1500]!r}"]
    return "\n".join(lines)


def search(connects, commands, seed, valkey, tell):
    """Runs about so many commands; how many ran without a difference, and signatures of what differed."""
    pairs = [Pair(*connects, valkey=valkey, protocol=protocol) for protocol in (2, 3)]
    ran, signatures = 0, {}
    while ran < commands:
        pair = pairs[seed // 100 % 2]
        some, found = pair.check(range(seed, seed + 100))
        ran, seed = ran + some, seed + 100
        for its, sequence, difference in found:
            signature = difference.signature()
            signatures[signature] = signatures.get(signature, 0) + 1
            if signatures[signature] <= 2:
                tell(report(pair.ours.protocol, its, sequence, difference))
    for pair in pairs:
        pair.close()
    return ran, signatures


def start_stock(valkey):
    """hz: it looks at the time of blocked clients so many times a second."""
    return servers.Redis("--hz", "500", program=servers.valkey_program() if valkey else "redis-server")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--valkey", action="store_true")
    options = parser.parse_args()
    stock = start_stock(options.valkey)
    started = time.monotonic()
    with Cluster("random", size=1, appendfsync="no") as cluster:
        leader = cluster.wait_leader()
        ran, signatures = search((stock.connect, leader.connect), options.commands, options.seed, options.valkey,
                                 lambda text: print(text, flush=True))
    stock.close()
    print(f"{ran} commands in {time.monotonic() - started:.1f} s, {sum(signatures.values())} sequences differ")
    for signature, count in signatures.items():
        print(count, signature)
    sys.exit(bool(signatures))


if __name__ == "__main__":
    main()
