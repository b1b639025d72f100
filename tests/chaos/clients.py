"""A client that knows what each answer promises: that nothing happened, that it happened, or that nobody knows.

It follows -MOVED, tries another node after an answer that says that nothing was executed, and never sends a write
again whose outcome is not known."""
import socket
import time

from resp import Closed, Connection, Error, encode

# Nothing was executed: README.md, "What is guaranteed".
HARMLESS = {"MOVED", "CLUSTERDOWN", "LOADING", "MISCONF", "OOM", "TRYAGAIN", "EXECABORT"}


class Unknown(Exception):
    """It may or may not have taken effect, now or later."""


class NothingHappened(Exception):
    """It certainly took no effect, and will not."""


class Stopped(Exception):
    """The run ends; what was last attempted took no effect."""


class Unexpected(AssertionError):
    """A reply that no situation calls for."""


class MeshConnection(Connection):
    """From the client's own address, so that the mesh knows who it is."""

    def __init__(self, number, address, timeout):  # pylint: disable=super-init-not-called
        self.socket = socket.create_connection(address, timeout, source_address=(f"127.0.2.{number}", 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""


class Client:
    def __init__(self, addresses, number, rng, timeout=1.5, stopping=None):
        self.addresses = addresses
        self.number = number
        self.rng = rng
        self.timeout = timeout
        self.stopping = stopping
        self.connection = None
        self.turn = number
        self.counts = {}

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def go_elsewhere(self):
        self.close()
        self.turn += 1

    def check_stop(self):
        if self.stopping and self.stopping.is_set():
            raise Stopped

    def connect(self, address=None):
        self.close()
        while True:
            self.check_stop()
            try:
                self.connection = MeshConnection(
                    self.number, address or self.addresses[self.turn % len(self.addresses)], self.timeout)
                return
            except OSError:
                self.count("not connected")
                address = None
                self.turn += 1
                time.sleep(0.005 + self.rng.random() * 0.02)

    def exchange(self, commands, on_reply=None):
        """Sends them in one piece and returns the replies. Unknown if not all arrive, with those that did in its
        `replies`. on_reply(number, reply) is called as each arrives."""
        if not self.connection:
            self.connect()
        replies = []
        try:
            self.connection.send_raw(b"".join(map(encode, commands)))
            for number in range(len(commands)):
                replies.append(self.connection.read())
                if on_reply:
                    on_reply(number, replies[-1])
        except (Closed, OSError) as error:
            self.count("timeout" if isinstance(error, socket.timeout) else "connection lost")
            self.go_elsewhere()
            unknown = Unknown(str(error))
            unknown.replies = replies
            raise unknown from error
        return replies

    def react(self, error):
        """Goes where an error reply sends it. NothingHappened, Unknown or Unexpected."""
        self.count(error.code)
        if error.code == "MOVED":
            host, _, port = str(error).split(" ")[2].rpartition(":")
            self.connect((host, int(port)))
        elif error.code in HARMLESS:
            self.go_elsewhere()
            time.sleep(0.002 + self.rng.random() * 0.02)
        elif error.code == "UNKNOWN":
            raise Unknown(str(error))
        else:
            raise Unexpected(str(error))
        raise NothingHappened(str(error))

    def call(self, *args):
        """The reply, after as many harmless answers as it takes. Unknown, Stopped, or Unexpected."""
        while True:
            self.check_stop()
            reply = self.exchange([args])[0]
            if not isinstance(reply, Error):
                return reply
            try:
                self.react(reply)
            except NothingHappened:
                pass

    def transaction(self, commands):
        """MULTI … EXEC on this connection: the replies, or None if a watched key changed. NothingHappened or Unknown
        else; nothing is tried again, for what was watched and read belongs to this connection."""
        replies = self.exchange([("MULTI",), *commands, ("EXEC",)])
        if isinstance(replies[-1], list) or replies[-1] is None:
            for reply in replies[-1] or []:
                if isinstance(reply, Error):
                    raise Unexpected(f"in EXEC: {reply}")
            return replies[-1]
        # The first error says more than EXEC's: -MOVED rather than -EXECABORT.
        self.react(next((reply for reply in replies if isinstance(reply, Error)
                         and reply.code != "EXECABORT" and replies[-1].code == "EXECABORT"), replies[-1]))
        raise AssertionError("not reached")
