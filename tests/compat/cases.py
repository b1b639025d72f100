"""Reads tests/compat/*.txt. A file is a list of cases:

    # a comment
    [name of the case]
    SET key "a value\\r\\n"
    |near 100| PTTL key
    |2| GET key

Every line is a command with redis-cli's quoting. Words between bars say how the replies are compared:

    (none)    byte for byte
    near N    two integers that differ by at most N
    sorted    arrays whose order is nobody's business
    kind      the same types of reply in the same shape
    code      errors with the same first word
    any       not at all: the command is only run
    waits     not yet: the command is sent, and the next one is not until both servers say that this client waits.
              A line without a command, |2| say, then reads what it is answered; known.txt calls it (the reply)
    2 .. 9    on a connection of its own (the default is 1)

A file whose first line is "# server: cluster" is compared with a Redis that has cluster-enabled yes, one with
"# server: valkey" with Valkey.
"""
import pathlib
import re

HERE = pathlib.Path(__file__).parent
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


class Line:
    def __init__(self, text, args, connection, rule, number):
        self.text = text
        self.args = args
        self.connection = connection
        self.rule = rule
        self.number = number


class Case:
    def __init__(self, file, name, server):
        self.file = file
        self.name = name
        self.server = server
        self.lines = []

    @property
    def id(self):
        return f"{self.file}: {self.name}"


def split(text):
    """redis-cli's quoting: "…" with escapes, '…' without."""
    data = text.encode()
    args, at = [], 0
    while True:
        while at < len(data) and data[at:at + 1].isspace():
            at += 1
        if at == len(data):
            return args
        arg = b""
        while at < len(data) and not data[at:at + 1].isspace():
            quote = data[at:at + 1]
            if quote not in (b'"', b"'"):
                arg += quote
                at += 1
                continue
            at += 1
            while data[at:at + 1] != quote:
                if at >= len(data):
                    raise ValueError(f"unbalanced quotes: {text}")
                if data[at:at + 1] == b"\\" and quote == b'"':
                    found = re.match(rb"\\x([0-9a-fA-F]{2})", data[at:])
                    if found:
                        arg += bytes([int(found.group(1), 16)])
                        at += 4
                    else:
                        arg += ESCAPES.get(data[at + 1:at + 2], data[at + 1:at + 2])
                        at += 2
                else:
                    arg += data[at:at + 1]
                    at += 1
            at += 1
        args.append(arg)


def read_line(text, number):
    rule, connection = [], 1
    found = re.match(r"\|([^|]*)\|\s*(.*)$", text)
    if found:
        words, text = found.groups()
        for word in words.split():
            if word.isdigit() and not (rule and rule[-1] == "near"):
                connection = int(word)
            else:
                rule.append(word)
    return Line(text or "(the reply)", split(text), connection, rule, number)


def read(path):
    server, case, cases = "plain", None, []
    for number, text in enumerate(path.read_text().splitlines(), 1):
        if text in ("# server: cluster", "# server: valkey"):
            server = text.split()[-1]
        elif text.startswith("[") and text.endswith("]"):
            case = Case(path.stem, text[1:-1], server)
            cases.append(case)
        elif text.strip() and not text.startswith("#"):
            case.lines.append(read_line(text.strip(), number))
    return cases


def read_all():
    return [case for path in sorted(HERE.glob("*.txt")) if path.name != "known.txt" for case in read(path)]


class Known:
    """Differences that are meant. Blocks of known.txt:

        case id :: command
          reply: "escaped bytes of our reply"     (or: any)
          because: why
    """

    def __init__(self):
        self.entries = {}
        self.used = set()
        key = None
        for text in (HERE / "known.txt").read_text().splitlines():
            if not text.strip() or text.startswith("#"):
                continue
            if not text.startswith(" "):
                key = text.strip()
                self.entries[key] = {}
            else:
                field, value = text.strip().split(": ", 1)
                self.entries[key][field] = value

    def reply(self, case, line):
        """None: no entry. b"" stands for any reply."""
        for key in (f"{case.id} :: {line.text}", f"* :: {line.text}"):
            if key in self.entries:
                self.used.add(key)
                value = self.entries[key]["reply"]
                return b"" if value == "any" else split(value)[0]
        return None
