"""A bare client: bytes out, whole replies in. It follows no redirects and repeats nothing."""
import socket


class Error(Exception):
    """An error reply. Returned by Connection.call(), not raised."""

    def __eq__(self, other):
        return isinstance(other, Error) and str(self) == str(other)

    def __hash__(self):
        return hash(str(self))

    @property
    def code(self):
        return str(self).split(" ")[0]


class Closed(Exception):
    """The server closed the connection."""


def encode(args):
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        if not isinstance(arg, bytes):
            arg = str(arg).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(parts)


class Incomplete(Exception):
    pass


def _line(data, at):
    end = data.find(b"\r\n", at)
    if end < 0:
        raise Incomplete
    return data[at:end], end + 2


def parse(data, at=0):
    """(value, position behind it) of the reply at `at`; Incomplete if more bytes are needed."""
    line, after = _line(data, at)
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest.decode("latin-1"), after
    if kind == b"-":
        return Error(rest.decode("latin-1")), after
    if kind in b":(":
        return int(rest), after
    if kind == b",":
        return float(rest), after
    if kind == b"#":
        return rest == b"t", after
    if kind == b"_":
        return None, after
    if kind in b"$=!":
        length = int(rest)
        if length < 0:
            return None, after
        if len(data) < after + length + 2:
            raise Incomplete
        value = data[after:after + length]
        if kind == b"!":
            value = Error(value.decode("latin-1"))
        elif kind == b"=":
            value = value[4:]
        return value, after + length + 2
    if kind in b"*~>%|":
        count = int(rest)
        if count < 0:
            return None, after
        items = []
        for _ in range(count * 2 if kind in b"%|" else count):
            item, after = parse(data, after)
            items.append(item)
        if kind == b"|":
            return parse(data, after)
        if kind == b"%":
            return {_hashable(k): v for k, v in zip(items[::2], items[1::2])}, after
        return items, after
    raise ValueError(f"not a reply: {line!r}")


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value


class Connection:
    def __init__(self, host="127.0.0.1", port=None, path=None, timeout=10.0):
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(path)
        else:
            self.socket = socket.create_connection((host, port), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed(str(error)) from error

    def send(self, *args):
        self.send_raw(encode(args))

    def _more(self):
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("end of the stream")
        self.buffer += data

    def read_raw(self):
        """The bytes of the next reply."""
        while True:
            try:
                _, end = parse(self.buffer)
            except Incomplete:
                self._more()
                continue
            raw, self.buffer = self.buffer[:end], self.buffer[end:]
            return raw

    def read(self):
        return parse(self.read_raw())[0]

    def read_to_end(self):
        """Everything until the server closes the connection."""
        while True:
            try:
                self._more()
            except Closed:
                rest, self.buffer = self.buffer, b""
                return rest

    def call(self, *args):
        self.send(*args)
        return self.read()

    def call_raw(self, *args):
        self.send(*args)
        return self.read_raw()

    def pipeline(self, commands):
        self.send_raw(b"".join(encode(command) for command in commands))
        return [self.read() for _ in commands]
