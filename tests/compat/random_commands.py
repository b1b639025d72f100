"""Random sequences of commands. What a command may look like comes from the server's own table (COMMAND DOCS); which
values are worth a try stands here. Equal seeds give equal sequences."""
import random

# Groups of the table whose commands work on data.
GROUPS = ("string", "bitmap", "hash", "list", "set", "sorted-set", "stream", "hyperloglog", "geo", "generic")
# They tell times, memory or random keys, or wait for other nodes.
LEFT_OUT = {"wait", "waitaof", "pfdebug", "pfselftest", "randomkey", "object|help", "xgroup|help", "xinfo|help",
            "migrate", "object|freq", "object|idletime", "object|refcount"}
KEYS = [b"a", b"b", b"c", b"d", b"", b"k\x00\r\n\xff{x}"]
FAR_S = 4102444800  # 2100
# The databases that sequences use; others are only named.
DATABASES = [b"0", b"1", b"2", b"15"]
NO_DATABASES = [b"16", b"-1", b"x", b"", b"1.5", b"01"]

BIG = [str(number).encode() for number in (
    2**31 - 1, 2**31, -2**31, 2**32, 2**63 - 1, 2**63 - 2, -2**63, 1 - 2**63, 2**63, -2**63 - 1, 2**64 - 1, 2**64, 10**30)]
NO_INTEGERS = [b"", b"x", b"1.5", b" 1", b"1 ", b"+1", b"01", b"-0", b"1e3", b"0x10", b"1\x00", b"--1", b"-"]
NO_DOUBLES = [b"", b"x", b"nan", b"-nan", b"1e400", b"-1e400", b" 1", b"1 ", b"1,5", b"(1", b"[1", b"0x1p3", b"1e", b"\x001"]
DOUBLES = [b"0", b"-0", b"0.1", b"-0.1", b"3.0", b"1e3", b"1e-7", b"1e17", b"1e21", b"123456789012345678", b"5e-324", b"1.7976931348623157e308",
           b"inf", b"-inf", b"+inf", b"Infinity", b"0.30000000000000004", b".5", b"5.", b"17179869184.3"]
TEXTS = [b"", b"a", b"b", b"c", b"ab", b"abc", b"hello world", b"1", b"2", b"10", b"-5", b"007", b"3.5", b"1e2", b"inf",
         b"9223372036854775807", b"-9223372036854775808", b"\x00\xff\r\n\x80", b"\xff\xf0\x0f"]
LONG_TEXTS = [b"x" * 44, b"x" * 45, b"y" * 64, b"z" * 65, b"w" * 300, b"\x00" * 100]
MEMBERS = [b"a", b"b", b"c", b"d", b"e", b"m1", b"m2", b"1", b"2", b"3", b"-7", b"100000", b"", b"\x00\xff"]
IDS = [b"0", b"0-0", b"0-1", b"1", b"1-0", b"1-1", b"1-2", b"2", b"2-1", b"3-0", b"3-3", b"4", b"5-1", b"7-*", b"1-*", b"9-9",
       b"18446744073709551615", b"18446744073709551615-18446744073709551615", b"18446744073709551614-5"]
NO_IDS = [b"$", b">", b"-", b"+", b"x", b"", b"1-", b"-1", b"1-x", b"1-1-1", b"18446744073709551616", b"1--1", b"(1-1", b"*-1", b"01-1"]
GROUP_NAMES = [b"g", b"h", b"nobody"]
CONSUMERS = [b"alice", b"bob", b""]
PATTERNS = [b"*", b"a*", b"?", b"[a-c]", b"", b"nosort", b"w_*", b"a", b"*->a", b"b->*", b"#", b"\\*", b"[^a]", b"**", b"[", b"w_*->m1"]
ENCODINGS = [b"u8", b"i8", b"u1", b"i1", b"u63", b"i64", b"u64", b"i65", b"u0", b"i16", b"u5", b"x8", b"u", b"I8", b"u08"]
PLACES = [(b"13.361389", b"38.115556"), (b"15.087269", b"37.502669"), (b"0", b"0"), (b"-179.9", b"85"), (b"179.9", b"-85"),
          (b"180.1", b"1"), (b"1", b"85.1"), (b"nan", b"1"), (b"x", b"1"), (b"2.35", b"48.85"), (b"-0.12", b"51.5"), (b"-74.0", b"40.7")]
# Options whose version the documentation does not tell.
NEWER = {("zrank", "withscore"): (7, 2, 0), ("zrevrank", "withscore"): (7, 2, 0)}
# What may give members of one sorted set several scores, besides ZADD.
OTHER_SCORES = {"zincrby", "zunionstore", "zinterstore", "zdiffstore", "restore", "geoadd", "georadius", "georadiusbymember", "geosearchstore"}
# A command whose choice is random: so many elements that there is nothing to choose.
ALL_OF_THEM = [b"1000", b"1000", b"0", b"-9223372036854775808", b"9223372036854775808", b"x", b""]


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2])) if isinstance(flat, list) else flat


class Lapse(list):
    """In a sequence: commands that set short deadlines, which then pass."""


class Argument:
    def __init__(self, fields):
        fields = pairs(fields)
        self.type = fields[b"type"].decode()
        self.name = fields[b"name"].decode()
        self.token = fields.get(b"token")
        flags = {str(flag) for flag in fields.get(b"flags", [])}
        self.optional = "optional" in flags
        self.multiple = "multiple" in flags
        self.multiple_token = "multiple_token" in flags
        self.since = version(fields.get(b"since", b"0"))
        self.parts = [Argument(part) for part in fields.get(b"arguments", [])]


class Command:
    def __init__(self, name, fields, group):
        self.words = name.encode().split(b"|")
        self.name = name
        self.group = group
        self.since = version(fields[b"since"])
        self.arguments = [Argument(one) for one in fields.get(b"arguments", [])]
        for one in self.arguments:
            one.since = NEWER.get((name, one.name), one.since)


def version(text):
    return tuple(map(int, text.split(b".")))


def read_docs(reply):
    """The commands on data of a reply to COMMAND DOCS, subcommands among them."""
    found = []
    for name, fields in pairs(reply).items():
        fields = pairs(fields)
        group = fields[b"group"].decode()
        if group not in GROUPS:
            continue
        below = pairs(fields.get(b"subcommands", []))
        if not below:
            below = {name: fields}
        for full, its in below.items():
            command = Command(full.decode(), pairs(its), group)
            if command.name not in LEFT_OUT:
                found.append(command)
    return sorted(found, key=lambda command: command.name)


class Maker:
    """Sequences of one seed. `newest`: options of later versions are left out. `payloads`: {type: [results of DUMP]}."""

    def __init__(self, commands, seed, newest, payloads):
        self.commands = commands
        self.by_group = {group: [command for command in commands if command.group == group] for group in GROUPS}
        self.random = random.Random(seed)
        self.newest = newest
        self.payloads = payloads
        self.long = self.lex = False
        self.homes = {}

    # --- sequences ---

    def sequence(self):
        """(commands, long): whether values are long enough that Redis does not pack them."""
        r = self.random
        self.long = r.random() < 0.3
        focus = r.sample([group for group in GROUPS if self.by_group[group]], r.choice([1, 1, 2, 3]))
        # What Redis says of a HyperLogLog whose bytes were changed depends on the bytes behind it.
        left_out = r.choice([("pfadd", "pfcount", "pfmerge"), ("append", "setrange", "setbit", "bitfield", "bitop")])
        # In alphabetical order are only members of one score. Redis' reply for others depends on how it searches.
        self.lex = r.random() < 0.3
        self.by_group = {group: [command for command in self.commands if command.group == group and command.name not in left_out
                                 and (command.name not in OTHER_SCORES if self.lex else "bylex" not in command.name and command.name != "zlexcount")]
                         for group in GROUPS}
        focus = [group for group in focus if self.by_group[group]] or ["string"]
        self.homes = {key: r.choice(focus) for key in KEYS}
        made = []
        for key in KEYS:
            if r.random() < 0.5:
                made.extend(self.small(key))
        if self.long and r.random() < 0.15:
            made.extend(self.large(r.choice(KEYS)))
        for _ in range(r.choice([10, 30, 60, 100])):
            kind = r.random()
            if kind < 0.75:
                group = r.choice(focus)
            else:
                group = "generic" if kind < 0.9 else r.choice(GROUPS)
            made.extend(self.commands_of(group))
        if r.random() < 0.4:
            for _ in range(r.choice([2, 5, 10, 20])):
                at = r.randrange(len(made) + 1)
                # What belongs together stays in one database.
                if not (at and made[at - 1][1:2] == [b"CREATECONSUMER"] or made[at:at + 1] and made[at][0] == b"DEL"):
                    made.insert(at, self.about_databases())
        for _ in range(r.choice([0, 0, 1, 2 if self.newest < (8,) else 1])):  # one in another, too
            self.wrap(made)
        if r.random() < 0.02:
            made.insert(0, Lapse([b"PEXPIRE", key, b"1"] for key in r.sample(KEYS, 3)))
            made[:0] = [one for _ in range(10) for one in self.commands_of(r.choice(focus))]
        return made, self.long

    def small(self, key):
        """Commands that give most commands something to work on."""
        r = self.random
        home, some = self.homes[key], r.sample(MEMBERS, 5)
        if home == "stream":
            ids = sorted(r.sample([b"1-1", b"1-2", b"2-1", b"3-0", b"3-3", b"4-0", b"5-1", b"9-9"], 5))
            made = [[b"XADD", key, one, b"f", r.choice(TEXTS)] for one in ids]
            if r.random() < 0.8:
                made.insert(r.randrange(5) if self.newest > (7, 2) else 1, [b"XGROUP", b"CREATE", key, b"g", r.choice([b"0", b"1-2", b"$"])])
                made.append([b"XGROUP", b"CREATECONSUMER", key, b"g", b"alice"])
                made.append([b"XREADGROUP", b"GROUP", b"g", b"alice", b"COUNT", b"2", b"STREAMS", key, b">"])
            return made
        if home == "sorted-set":
            return [[b"ZADD", key, *(word for one in some for word in (b"0" if self.lex else b"%d" % r.randrange(9), one))]]
        if home == "geo" and not self.lex:
            return [[b"GEOADD", key, *(word for place, one in zip(PLACES[9:] + PLACES[:2], some) for word in (*place, one))]]
        return {"hash": [[b"HSET", key, *some, b"5"]], "list": [[b"RPUSH", key, *some]], "set": [[b"SADD", key, *some]],
                "hyperloglog": [[b"PFADD", key, *some]]}.get(home, [[b"SET", key, r.choice(TEXTS)]])

    def large(self, key):
        """Commands that make a value with more elements than Redis packs."""
        r = self.random
        home, count = self.homes[key], r.choice([120, 130, 200, 520, 700])
        numbers = [b"%d" % (number * 7 % count - 3) for number in range(count)]
        if home == "stream":
            ids = [b"%d-%d" % (number // 3, number % 3 + 1) for number in range(count)]
            return [[b"XADD", key, one, b"f" if r.random() < 0.9 else b"other", b"v"] for one in ids]
        if home in ("sorted-set", "geo"):
            scores = [b"0" if self.lex else b"%d" % r.randrange(2**52 if home == "geo" else 50) for _ in numbers]
            return [[b"ZADD", key, *(word for pair in zip(scores, numbers) for word in pair)]]
        if home == "hash":
            return [[b"HSET", key, *(word for one in numbers for word in (b"m" + one, one))]]
        if home in ("list", "set"):
            return [[b"RPUSH" if home == "list" else b"SADD", key, *numbers]]
        return [[b"PFADD", key, *numbers]] if home == "hyperloglog" else [[b"SET", key, b"".join(numbers)]]

    def commands_of(self, group):
        made = self.command(self.random.choice(self.by_group[group] or self.commands))
        name = made[0].lower()
        # What it leaves is random, or is as late as the clock: nothing is left.
        if name == b"spop" and len(made) == 2 or name == b"xadd" and b"*" in made:
            return [made, [b"DEL", made[1] if len(made) > 1 else b"a"]]
        # Redis keeps the count in the value, here a command that reads changes nothing.
        if name == b"pfcount" and len(made) == 2:
            return [made, [b"DEL", made[1]]]
        # Before 7.2, a consumer that gets nothing is not made.
        if self.newest < (7, 2) and name in (b"xclaim", b"xautoclaim") and len(made) > 3:
            return [[b"XGROUP", b"CREATECONSUMER", *made[1:4]], made]
        if self.newest < (7, 2) and name == b"xreadgroup":
            return [[b"XGROUP", b"CREATECONSUMER", key, group, consumer] for key in KEYS for group in GROUP_NAMES[:2]
                    for consumer in CONSUMERS if consumer in made and group in made and key in made] + [made]
        return [made]

    def database(self):
        r = self.random
        return r.choice(DATABASES) if r.random() < 0.85 else r.choice(NO_DATABASES + BIG)

    def about_databases(self):
        kind = self.random.random()
        if kind < 0.6:
            return [b"SELECT", self.database()]
        if kind < 0.8:
            return [b"MOVE", self.random.choice(KEYS), self.database()]
        if kind < 0.97:
            return [b"SWAPDB", self.database(), self.database()]
        return [self.random.choice([b"FLUSHDB", b"FLUSHDB", b"FLUSHALL"])]

    def wrap(self, made):
        """MULTI and EXEC around some; they do not wait there."""
        at = self.random.randrange(len(made) + 1)
        if made[at:at + 1] and made[at][0] == b"DEL":  # it may belong to what is before it
            at += 1
        end = min(len(made), at + self.random.randrange(12))
        if self.newest < (7, 2) and any(one[1:2] == [b"CREATECONSUMER"] for one in made[at:end]):
            return  # what comes later counts on the consumer
        made.insert(end, [self.random.choice([b"EXEC", b"EXEC", b"EXEC", b"exec", b"DISCARD"])])
        made.insert(at, [b"MULTI"])
        if self.random.random() < 0.3:
            # Of streams, Redis does not take all changes of groups for changes of the key.
            watched = [key for key in KEYS if self.homes[key] != "stream"]
            begin = self.random.choice([0, at])  # in whatever database is selected there
            # SWAPDB lets EXEC refuse more than Redis does (known.txt), and nothing behind it is comparable.
            if watched and not any(one[0] == b"SWAPDB" for one in made[begin:at]):
                made.insert(begin, [b"WATCH", self.random.choice(watched)])

    # --- one command ---

    def command(self, command):
        r = self.random
        words = [self.letters(word) for word in command.words]
        rest = []
        self.fill(command.arguments, command, rest, {})
        fate = 1 if self.lex and command.name == "zadd" else r.random()
        if fate < 0.03 and rest:
            rest.pop()
        elif fate < 0.05:
            rest.append(r.choice(TEXTS))
        elif fate < 0.06 and rest:
            rest[r.randrange(len(rest))] = r.choice([b"", b"x", b"*", b"-1", b"\x00\xff"] + BIG)
        elif fate < 0.07 and len(rest) > 1:
            one, other = r.sample(range(len(rest)), 2)
            rest[one], rest[other] = rest[other], rest[one]
        elif fate < 0.075:
            rest = rest[:r.randrange(len(rest) + 1)]
        return self.harmless(command, words + rest)

    def harmless(self, command, made):
        """Nothing that waits long, answers by chance in a way that shows later, or takes gigabytes."""
        name = command.name
        if name in ("srandmember", "hrandfield", "zrandmember") and len(made) > 2 and made[2] not in ALL_OF_THEM:
            made[2] = self.random.choice(ALL_OF_THEM)
        if name == "spop" and len(made) > 2 and made[2] not in ALL_OF_THEM:
            made[2] = self.random.choice(ALL_OF_THEM)
        if name in ("scan", "sscan", "hscan", "zscan"):  # all at once: cursors are each server's own
            made = [b"0" if one in BIG or self.newest > (8,) and at == 2 and not one.isdigit() else one for at, one in enumerate(made)]
            if name == "scan" and made[1:2] == [b"-1"]:  # a cursor that no SCAN gave (known.txt)
                made[1] = b"0"
            if not any(one.upper() == b"COUNT" for one in made):
                made += [b"COUNT", b"1000"]
        if name in ("zrange", "zrangestore") and not self.lex:
            made = [b"ByScore" if one.upper() == b"BYLEX" else one for one in made]
        if command.group == "geo" and any(one.upper()[:5] == b"STORE" for one in made + [name[9:].encode()]):
            made = [b"ASC" if one.upper() == b"COUNT" else one for one in made]  # of those that are as far, any may be stored
        if name == "xautoclaim" and self.newest > (8,):  # Valkey takes memory for as many as COUNT says
            made = [b"9" if one in BIG and made[at - 1].upper() == b"COUNT" else one for at, one in enumerate(made)]
        if name in ("hgetex", "hsetex") and made[1:2] and made[1].upper() == b"FIELDS":  # Valkey does not take it for the key
            made[1] = b"a"
        if name == "hsetex":  # numbers that overflow in Valkey
            made = [b"-1" if one in BIG and made[at - 1].upper() == b"FIELDS" else one for at, one in enumerate(made)]
        if name == "sort" and b"BY" in map(bytes.upper, made):  # what is alike keeps the order of the set
            made = [b"limit" if one.upper() == b"STORE" else one for one in made]
        if name in ("zrank", "zrevrank") and self.newest < (7, 2):
            del made[3:]
        if name in ("setbit", "setrange", "bitfield"):
            made = [b"77" if one.lstrip(b"#+").isdigit() and 100000 < int(one.lstrip(b"#+")) < 2**32 and at > 1
                    and not (name == "setrange" and at > 2) else one for at, one in enumerate(made)]
        if name == "bitfield" and b"SAT" in map(bytes.upper, made):  # the least numbers saturate otherwise: known.txt
            made = [b"-9" if one.startswith(b"-92233720368547") else one for one in made]
        if command.words[0][:1] == b"b" and command.group in ("list", "sorted-set") or name in ("xread", "xreadgroup"):
            made = self.short_wait(name, made)
        return made

    def short_wait(self, name, made):
        waits = [b"0.001", b"0.001", b"0.001", b"-1", b"x", b"nan", b"1e400"]
        if name in ("xread", "xreadgroup"):
            at = [i + 1 for i, one in enumerate(made[:-1]) if one.upper() == b"BLOCK"]
        elif name in ("blmpop", "bzmpop"):
            at = [1]
        else:
            at = [len(made) - 1]
        for one in at:
            if 0 < one < len(made) and made[one] not in waits:
                made[one] = b"1" if name in ("xread", "xreadgroup") else b"0.001"
        return made

    def letters(self, word):
        return self.random.choice([word.upper(), word.upper(), word.lower(), word.lower(), word.title()])

    def fill(self, arguments, command, out, counts):
        r = self.random
        arguments = [one for one in arguments if one.since <= self.newest]
        at = 0
        while at < len(arguments):
            run = [arguments[at]]
            while arguments[at].optional and at + 1 < len(arguments) and arguments[at + 1].optional:
                at += 1
                run.append(arguments[at])
            at += 1
            if len(run) > 1 and r.random() < 0.3:
                r.shuffle(run)
            for one in run:
                if one.optional and r.random() < (0.65 if len(run) > 2 else 0.5):
                    continue
                self.argument(one, command, out, counts)
                if one.optional and r.random() < 0.02:
                    self.argument(one, command, out, counts)

    def argument(self, one, command, out, counts):
        r = self.random
        times = 1
        if one.multiple:
            times = r.choice([1, 1, 2, 3, 3, 5, 8])
            waiting = counts.pop("at", None)
            if waiting is not None and r.random() < 0.95:
                out[waiting] = b"%d" % times
        elif "at" in counts and one.type != "pure-token":
            counts.pop("at")
        for turn in range(times):
            if one.token is not None and (turn == 0 or one.multiple_token):
                out.append(self.letters(one.token) if one.token else b'')
                if one.token == b"":
                    out.pop()
            if one.type == "pure-token":
                continue
            if one.type == "oneof":
                choices = [part for part in one.parts if part.since <= self.newest]
                if choices:
                    self.argument(r.choice(choices), command, out, counts)
            elif one.type == "block":
                if [part.name for part in one.parts[:2]] == ["longitude", "latitude"]:
                    out.extend(self.place(command))
                    self.fill(one.parts[2:], command, out, counts)
                else:
                    self.fill(one.parts, command, out, counts)
            else:
                if one.name in ("numkeys", "numfields"):
                    counts["at"] = len(out)
                out.append(self.value(one, command))

    # --- values ---

    def key(self, group):
        r = self.random
        home = [key for key in KEYS if self.homes[key] == group or {self.homes[key], group} in (
            {"string", "bitmap"}, set())]
        return r.choice(home) if home and r.random() < 0.85 else r.choice(KEYS)

    def value(self, one, command):
        r, name = self.random, one.name
        if one.type == "key":
            return self.key(command.group)
        if one.type == "unix-time":
            return self.moment(name)
        if one.type == "pattern":
            return r.choice(PATTERNS)
        if one.type == "double" or name in ("weight",) or command.name == "zincrby" and name == "increment":
            return self.double(name, command)
        if one.type == "integer":
            return self.integer(name, command)
        return self.text(one, command)

    def place(self, command):
        """No two that are added are as far from a third, because Redis leaves open which of them comes first."""
        longitude, latitude = self.random.choice(PLACES)
        if command.name == "geoadd" and b"." in longitude and b"." in latitude:
            latitude = b"%.6f" % (float(latitude) + self.random.uniform(-0.3, 0.3))
        return longitude, latitude

    def moment(self, name):
        r = self.random
        if r.random() < 0.2:
            return r.choice(BIG + NO_INTEGERS + [b"0", b"1", b"-1"])
        moment = FAR_S + r.randrange(10)
        return b"%d" % (moment * 1000 if "milli" in name else moment)

    def double(self, name, command):
        r = self.random
        if name == "timeout":
            return b"0.001"
        if self.lex and command.name == "zadd":
            return b"0"
        if name in ("longitude", "latitude"):
            return r.choice(PLACES)[name == "latitude"]
        if name in ("radius", "width", "height"):
            return r.choice([b"0", b"1", b"100", b"200.5", b"5000", b"1000000", b"40000000", b"-1", b"nan", b"x", b"inf", b"1e300"])
        if command.name in ("incrbyfloat", "hincrbyfloat") and not self.long:  # up to 5000 digits
            return r.choice([b"0.1", b"-0", b"3.0", b"1e17", b"1.5", b"-2.25", b"5e-324", b"inf", b"x", b"nan", b" 1", b"1 ", b"0x1p3", b"100", b"1e5000"])
        if self.newest > (8,):  # Valkey reads and prints other doubles otherwise than Redis
            return r.choice([b"0", b"1", b"2", b"-3", b"2.5", b"x", b"nan"])
        kind = r.random()
        if kind < 0.1:
            return r.choice(NO_DOUBLES)
        number = b"%d" % r.randrange(-5, 10) if kind < 0.6 else r.choice(DOUBLES) if kind < 0.9 else repr(r.uniform(-100, 100)).encode()
        return b"(" + number if name in ("min", "max") and r.random() < 0.3 else number

    def integer(self, name, command):
        r = self.random
        if name in ("seconds", "milliseconds"):  # relative: no two alike, and none soon
            return r.choice([b"%d" % r.randrange(10**8, 10**9)] * 12 + [b"0", b"-1"] + NO_INTEGERS + BIG)
        if name in ("destination-db", "db"):
            return self.database()
        if name == "cursor":
            return r.choice([b"0"] * 8 + [b"x", b"1x"])
        if name == "ttl":
            return r.choice([b"0", b"0", b"0", b"-1", b"x", b"%d" % (FAR_S * 1000), b"%d" % (10**10 + r.randrange(10**9))])
        if name == "count" and command.name in ("scan", "sscan", "hscan", "zscan"):
            return r.choice([b"1000", b"1000", b"1000", b"1000", b"0", b"-1", b"x"])
        if command.group == "bitmap" and name in ("offset", "bit", "value"):
            few = [b"0", b"1"] if name != "offset" else [b"0", b"1", b"2", b"7", b"8", b"31", b"100"]
            return r.choice(few) if r.random() < 0.8 else r.choice([b"#1", b"#2", b"-1", b"255", b"x"] + BIG)
        kind = r.random()
        if kind < 0.75:
            return b"%d" % r.randrange(-4, 12)
        return r.choice(BIG) if kind < 0.9 else r.choice(NO_INTEGERS)

    def text(self, one, command):
        r, name = self.random, one.name
        if name == "serialized-value":
            return self.payload()
        if command.group == "stream" and (name in ("id", "last-id", "start", "end", "max_deleted_entry_id") or name == "threshold" and r.random() < 0.4):
            if command.name in ("xread", "xreadgroup") and r.random() < 0.5:
                return r.choice([b">", b"$", b"0"])
            if name in ("start", "end") and r.random() < 0.4:
                return b"-" if (name == "start") != (command.name == "xrevrange") else b"+"
            return r.choice(IDS) if r.random() < 0.85 else r.choice(NO_IDS)
        if name in ("threshold", "min-idle-time"):
            return r.choice([b"0", b"0", b"1000000", b"-1", b"x"] + BIG if "idle" in name else [b"0", b"1", b"2", b"5", b"-1", b"x"] + BIG)
        if name in ("group", "groupname"):
            return r.choice(GROUP_NAMES + [b"g"] * 4)
        if name in ("consumer", "consumername"):
            return r.choice(CONSUMERS)
        if name in ("start", "stop") and not self.lex and r.random() < 0.7:
            return b"%d" % r.randrange(-5, 9)
        if name in ("min", "max", "start", "stop"):
            return r.choice([b"-", b"+", b"[a", b"(a", b"[b", b"(c", b"[m2", b"[", b"a", b"", b"0", b"1", b"-1", b"(1", b"-inf", b"inf", b"2"])
        if name == "encoding":
            return r.choice(ENCODINGS)
        if name == "type":
            return r.choice([b"string", b"list", b"set", b"zset", b"hash", b"stream", b"HASH", b"x"])
        if name in ("operation",):
            return r.choice([b"AND", b"or", b"XOR", b"NOT", b"x"])
        if name in ("member", "field", "member1", "member2", "element", "pivot"):
            kind = r.random()
            if kind < 0.85:
                return r.choice(MEMBERS)
            return r.choice(LONG_TEXTS) if self.long and kind < 0.95 else b"%d" % r.randrange(-40, 40)
        if self.long and r.random() < 0.15:
            return r.choice(LONG_TEXTS)
        return r.choice(TEXTS) if r.random() < 0.8 else b"%d" % r.randrange(-1000, 1000)

    def payload(self):
        r = self.random
        bytes_of = r.choice(self.payloads) if self.payloads else b""
        if bytes_of and r.random() < 0.1:
            at = r.randrange(len(bytes_of))
            bytes_of = bytes_of[:at] + bytes([r.randrange(256)]) + bytes_of[at + 1:]
        return bytes_of
