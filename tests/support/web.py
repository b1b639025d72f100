"""HTTP to a node: one request and its response, or bytes as they are."""
import base64
import contextlib
import http.client
import json
import socket

from cluster import Cluster


@contextlib.contextmanager
def node_with_http(name):
    """One node that is started, its port for HTTP as node.web."""
    one = Cluster(name, size=1)
    try:
        one.nodes[0].web = one.ports.take()
        one.write_config(one.nodes[0], http_port=one.nodes[0].web)
        yield one.start().nodes[0]
    finally:
        one.close()


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The stable code of an error."""
        assert self.headers["content-type"] == "application/json", (self.status, self.body)
        return self.json()["error"]["code"]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body!r}"


def request(port, method, path, body=None, host="127.0.0.1", timeout=20, **headers):
    """Headers are keyword arguments with '-' written as '_'."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("content_type", "application/json")
        connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return Response(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Raw:
    """A connection on which a test writes what it likes."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def response(self, head=False):
        """The next response, or None where the connection has ended."""
        line = self.file.readline()
        if not line:
            return None
        version, status = line.split(b" ", 2)[:2]
        assert version == b"HTTP/1.1", line
        headers = {}
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        length = 0 if head else int(headers.get("content-length", 0))
        return Response(int(status), headers, self.file.read(length))

    def has_ended(self):
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True


def one_by_one(port, data):
    """The response to bytes as they are, and whether the connection has ended behind it."""
    with Raw(port) as raw:
        raw.send(data)
        return raw.response()
