"""A node that is none: it knows the secret, greets as wire/hello.h says, and then says what the test likes."""
import contextlib
import hashlib
import hmac
import os
import pathlib
import re
import socket
import struct
import threading

from resp import Closed, Connection, Error, encode

HEADER = pathlib.Path(__file__).resolve().parents[2] / "src/wire/hello.h"
VERSION = int(re.search(r"WIRE_VERSION = (\d+)", HEADER.read_text())[1])
DIALLER, ACCEPTOR = 0, 1
LANES = {"bulk": 0, "urgent": 1}
NO_CLUSTER = "0" * 40


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def record(index, term, kind="C", payload=b"", time_ms=1, seed=1):
    """An entry's record as wire/entry.h says, with the right checksum."""
    header = f"#RAFT:{index}:{term}:{kind}:{time_ms}:{seed:x}:{len(payload)}:".encode()
    return header + b"%08x\r\n" % crc32c(header + payload) + payload


def command(*args):
    """A command as the payload of an entry."""
    return encode(args)


class Greeting:
    """What both sides have said before one proves anything."""

    def __init__(self, hello, challenge):
        _, version, sender, receiver, incarnation, cluster_id, lane, nonce = (part.decode() for part in hello)
        self.version = int(version)
        _, other_incarnation, other_cluster_id, other_nonce = (part.decode() for part in challenge)
        self.hello = (int(sender), int(receiver), int(incarnation), cluster_id, lane, bytes.fromhex(nonce))
        self.challenge = (int(other_incarnation), other_cluster_id, bytes.fromhex(other_nonce))

    def transcript(self, role):
        sender, receiver, incarnation, cluster_id, lane, nonce = self.hello
        other_incarnation, other_cluster_id, other_nonce = self.challenge
        fields = [b"flotilla node handshake", self.version, role, LANES[lane], nonce, other_nonce, sender, receiver,
                  incarnation, other_incarnation, cluster_id.encode(), other_cluster_id.encode()]
        packed = (struct.pack(">Q", field) if isinstance(field, int) else field for field in fields)
        return b"".join(bytes([len(field)]) + field for field in packed)

    def proof(self, secret, role):
        return hmac.new(secret.encode(), self.transcript(role), hashlib.sha256).hexdigest()


class Refused(Exception):
    pass


class Link(Connection):
    """A connection on which the greeting is over."""

    def is_closed(self, timeout=5.0):
        """Whether the other side ends the connection; what it says before is dropped."""
        self.socket.settimeout(timeout)
        try:
            self.read_to_end()
        except (socket.timeout, OSError):
            return False
        return True


class Peer:
    """Node `node` of the cluster, which does not run."""

    def __init__(self, cluster, node, incarnation):
        self.secret = cluster.secret
        self.id = node.id
        self.port = node.port
        self.incarnation = incarnation

    # --- dialling ---

    def hello(self, to, cluster_id=NO_CLUSTER, lane="bulk"):
        return [part.encode() for part in ("RAFT.HELLO", str(VERSION), str(self.id), str(to.id), str(self.incarnation),
                                           cluster_id, lane, os.urandom(32).hex())]

    def greet(self, to, **more):
        """The connection and what was said on it, up to the challenge."""
        link = Link(port=to.port)
        hello = self.hello(to, **more)
        challenge = link.call(*hello)
        if isinstance(challenge, Error):
            link.close()
            raise Refused(str(challenge))
        return link, Greeting(hello, challenge)

    def dial(self, to, **more):
        link, greeting = self.greet(to, **more)
        welcome = link.call("RAFT.PROOF", greeting.proof(self.secret, DIALLER))
        if isinstance(welcome, Error):
            link.close()
            raise Refused(str(welcome))
        assert welcome == [b"RAFT.WELCOME", greeting.proof(self.secret, ACCEPTOR).encode()]
        return link

    # --- being dialled ---

    @contextlib.contextmanager
    def listening(self, cluster_id):
        """What the others send, as a list that grows."""
        heard = []
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.port))
            listener.listen()
            listener.settimeout(0.1)
            ends = threading.Event()
            thread = threading.Thread(target=self._accept, args=(listener, cluster_id, heard, ends))
            thread.start()
            try:
                yield heard
            finally:
                ends.set()
                thread.join()

    def _accept(self, listener, cluster_id, heard, ends):
        threads = []
        while not ends.is_set():
            with contextlib.suppress(socket.timeout):
                taken, _ = listener.accept()
                threads.append(threading.Thread(target=self._serve, args=(taken, cluster_id, heard, ends)))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def _serve(self, taken, cluster_id, heard, ends):
        link = Link.__new__(Link)
        link.socket = taken
        link.buffer = b""
        taken.settimeout(0.2)
        with contextlib.suppress(OSError, Closed, ValueError), taken:
            hello = link.read()
            challenge = [b"RAFT.CHALLENGE", str(self.incarnation).encode(), cluster_id.encode(),
                         os.urandom(32).hex().encode()]
            greeting = Greeting(hello, challenge)
            link.send(*challenge)
            assert link.read() == [b"RAFT.PROOF", greeting.proof(self.secret, DIALLER).encode()]
            link.send("RAFT.WELCOME", greeting.proof(self.secret, ACCEPTOR))
            while not ends.is_set():
                with contextlib.suppress(socket.timeout):
                    heard.append(link.read())
