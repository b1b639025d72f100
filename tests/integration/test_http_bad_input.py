"""HTTP from those who do not keep to it: a JSON error, nothing done, and the node serves on."""
import json
import random
import socket
import time

import pytest

from waiting import wait_for
from web import Raw, node_with_http, one_by_one, request

SET = b'["SET","smuggled","1"]'


@pytest.fixture(scope="module")
def node():
    with node_with_http("http-bad") as one:
        yield one


@pytest.fixture
def limited(make_cluster):
    """One node with small limits."""
    one = make_cluster(size=1, start=False)
    one.nodes[0].web = one.ports.take()
    one.write_config(one.nodes[0], http_port=one.nodes[0].web, http_timeout=1, http_max_body_bytes=2048,
                     http_max_connections=4)
    return one.start().nodes[0]


def post(*headers, body=SET, target=b"/command", version=b"HTTP/1.1"):
    lines = [b"POST " + target + b" " + version, b"Host: localhost", b"Content-Type: application/json", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


LENGTH = b"Content-Length: %d" % len(SET)
CHUNKS = b"%x\r\n" % len(SET) + SET + b"\r\n0\r\n\r\n"

SMUGGLED = {
    "two lengths": post(LENGTH, b"Content-Length: 5"),
    "the same length twice": post(LENGTH, LENGTH),
    "length and chunks": post(LENGTH, b"Transfer-Encoding: chunked", body=CHUNKS),
    "chunks and length": post(b"Transfer-Encoding: chunked", LENGTH, body=CHUNKS),
    "two encodings": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKS),
    "a length with a sign": post(b"Content-Length: +%d" % len(SET)),
    "a negative length": post(b"Content-Length: -1"),
    "a length in hexadecimal": post(b"Content-Length: 0x10"),
    "an empty length": post(b"Content-Length:"),
    "a list of lengths": post(b"Content-Length: %d, %d" % (len(SET), len(SET))),
    "a length beyond 64 bits": post(b"Content-Length: 18446744073709551617"),
    "a blank before the colon": post(b"Content-Length : %d" % len(SET)),
    "a folded header": post(b"X: a\r\n b", LENGTH),
    "a header without a colon": post(b"nothing", LENGTH),
    "a header without a name": post(b": x", LENGTH),
    "a control character": post(b"X: a\x00b", LENGTH),
    "a lone CR": post(b"X: a\rContent-Length: 0", LENGTH),
    "a lone LF": post(b"X: a\nY: b", LENGTH),
    "chunks in HTTP/1.0": post(b"Transfer-Encoding: chunked", body=CHUNKS, version=b"HTTP/1.0"),
    "two hosts": post(b"Host: localhost", LENGTH),
    "no host": b"POST /command HTTP/1.1\r\nContent-Type: application/json\r\n" + LENGTH + b"\r\n\r\n" + SET,
    "a blank in the target": post(LENGTH, target=b"/command x"),
    "an absolute target": post(LENGTH, target=b"http://localhost/command"),
    "no target": b"POST HTTP/1.1\r\nHost: localhost\r\n" + LENGTH + b"\r\n\r\n" + SET,
    "a blank first": b" POST /command HTTP/1.1\r\nHost: localhost\r\n" + LENGTH + b"\r\n\r\n" + SET,
    "a fragment": post(LENGTH, target=b"/command#x"),
    "a chunk size with a sign": post(b"Transfer-Encoding: chunked", body=b"+" + CHUNKS),
    "a chunk size with 0x": post(b"Transfer-Encoding: chunked", body=b"0x" + CHUNKS),
    "a chunk that is longer": post(b"Transfer-Encoding: chunked", body=b"5\r\n" + SET + b"\r\n0\r\n\r\n"),
    "a chunk size that overflows": post(b"Transfer-Encoding: chunked", body=b"ffffffffffffffff1\r\n" + SET + b"\r\n0\r\n\r\n"),
    "a trailer": post(b"Transfer-Encoding: chunked", body=CHUNKS[:-2] + b"X: y\r\n\r\n"),
    "a chunk line without CR": post(b"Transfer-Encoding: chunked", body=CHUNKS.replace(b"\r\n", b"\n")),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_what_two_programs_could_read_differently_is_refused(node, name):
    node.call("DEL", "smuggled")
    behind = post(LENGTH)  # what would be a second request to whoever reads the first one otherwise
    with Raw(node.web) as raw:
        raw.send(SMUGGLED[name] + behind)
        answer = raw.response()
        assert answer.status == 400 and answer.code == "bad_request", answer
        assert answer.headers["connection"] == "close"
        assert raw.has_ended()
    assert node.call("EXISTS", "smuggled") == 0


def test_other_encodings_versions_and_expectations_are_refused(node):
    node.call("DEL", "smuggled")
    for data, status, code in (
            (post(b"Transfer-Encoding: gzip, chunked", body=CHUNKS), 501, "encoding_not_supported"),
            (post(b"Transfer-Encoding: xchunked", body=CHUNKS), 501, "encoding_not_supported"),
            (post(LENGTH, version=b"HTTP/2.0"), 505, "version_not_supported"),
            (post(LENGTH, version=b"HTTP/0.9"), 505, "version_not_supported"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version_not_supported"),
            (post(LENGTH, b"Expect: tea"), 417, "expectation_failed")):
        answer = one_by_one(node.web, data)
        assert (answer.status, answer.code) == (status, code)
    assert node.call("EXISTS", "smuggled") == 0


def test_chunks_are_a_body_like_another(node):
    node.call("DEL", "smuggled")
    body = b"".join(b"%X;x=y\r\n" % 1 + SET[i:i + 1] + b"\r\n" for i in range(len(SET))) + b"000\r\n\r\n"
    assert one_by_one(node.web, post(b"Transfer-Encoding: Chunked", body=body)).json() == {"reply": "OK"}
    assert node.call("GET", "smuggled") == b"1"


def test_a_request_may_come_in_any_pieces(node):
    whole = post(LENGTH) + post(b"Transfer-Encoding: chunked", body=CHUNKS)
    for at in range(1, len(whole)):
        with Raw(node.web) as raw:
            raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.send(whole[:at])
            raw.send(whole[at:])
            assert raw.response().json() == {"reply": "OK"}
            assert raw.response().json() == {"reply": "OK"}


def test_pipelined_requests_are_answered_in_order(node):
    node.call("DEL", "p")
    count = 500
    body = b'["INCR","p"]'
    one = post(b"Content-Length: %d" % len(body), body=body)
    with Raw(node.web) as raw:
        raw.send(one * count)
        assert [raw.response().json()["reply"] for _ in range(count)] == list(range(1, count + 1))


def test_connections_are_kept_and_closed_as_the_client_says(node):
    for version, header, closes in ((b"HTTP/1.1", b"", False), (b"HTTP/1.1", b"Connection: close\r\n", True),
                                    (b"HTTP/1.1", b"Connection: te, Close\r\n", True), (b"HTTP/1.0", b"", True),
                                    (b"HTTP/1.0", b"Connection: keep-alive\r\n", False)):
        with Raw(node.web) as raw:
            for _ in range(1 if closes else 3):
                raw.send(b"GET /ready " + version + b"\r\nHost: localhost\r\n" + header + b"\r\n")
                answer = raw.response()
                assert answer.status == 200 and ("connection" in answer.headers) == closes
            if closes:
                assert raw.has_ended()


def test_head_is_get_without_its_body(node):
    node.call("SET", "k", "value")
    for path, status in (("/kv/k", 200), ("/metrics", 200), ("/kv/none", 404), ("/ready", 200)):
        with Raw(node.web) as raw:
            raw.send(b"HEAD " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = raw.response(head=True)
            assert answer.status == status and int(answer.headers["content-length"]) > 0
            assert raw.has_ended()


def test_methods_that_are_not_known_or_not_here(node):
    for method, path, status, code, allow in (("BREW", "/kv/k", 501, "method_not_implemented", None),
                                              ("get", "/kv/k", 501, "method_not_implemented", None),
                                              ("OPTIONS", "/kv/k", 405, "method_not_allowed", "GET, HEAD, PUT, DELETE"),
                                              ("TRACE", "/ready", 405, "method_not_allowed", "GET, HEAD"),
                                              ("PATCH", "/none", 404, "not_found", None),
                                              ("POST", "/kv/k", 405, "method_not_allowed", "GET, HEAD, PUT, DELETE"),
                                              ("PUT", "/command", 405, "method_not_allowed", "POST"),
                                              ("DELETE", "/metrics", 405, "method_not_allowed", "GET, HEAD")):
        answer = request(node.web, method, path)
        assert (answer.status, answer.code, answer.headers.get("allow")) == (status, code, allow)


@pytest.mark.parametrize("path", ["/", "/kv", "/kv/", "/command/", "/Metrics", "/status/x", "//status", "/../status", "/%73tatus"])
def test_paths_that_are_not_there(node, path):
    answer = request(node.web, "GET", path)
    assert (answer.status, answer.code) == (404, "not_found")


def test_a_body_where_none_belongs_is_refused(node):
    node.call("SET", "k", "v")
    for method, path in (("GET", "/kv/k"), ("DELETE", "/kv/k"), ("GET", "/metrics")):
        answer = request(node.web, method, path, b"body")
        assert (answer.status, answer.code) == (400, "unexpected_body")
    assert node.call("EXISTS", "k") == 1


@pytest.mark.parametrize("escape", ["%", "%1", "%zz", "%0g", "a%", "%%", "%u0041", "% 1".replace(" ", "+")])
def test_bad_percent_encoding_writes_nothing(node, escape):
    before = node.call("DBSIZE")
    for path in ("/kv/" + escape, "/kv/k?db=" + escape):
        answer = request(node.web, "PUT", path, "v")
        assert answer.status == 400 and answer.code == "bad_encoding"
    assert node.call("DBSIZE") == before


BAD_JSON = [b"", b"{", b"[1,]", b"nul", b'["SET","a","b"', b'["SET","a","b"] x', b'["\xff"]', b'["\\ud800"]', b'["SET"\x00]',
            b'{"value":"1","value":"2"}', b"[" * 100000, b'{"a":' * 100000, b"[1e999]", b"\xef\xbb\xbf[]", b"[99999999999999999999]"]


@pytest.mark.parametrize("body", BAD_JSON, ids=range(len(BAD_JSON)))
def test_bad_json_does_nothing(node, body):
    before = node.call("DBSIZE")
    for method, path in (("POST", "/command"), ("POST", "/batch"), ("PUT", "/kv/bad")):
        answer = request(node.web, method, path, body, content_type="application/json")
        assert (answer.status, answer.code) == (400, "bad_json"), answer
    assert node.call("DBSIZE") == before


@pytest.mark.parametrize("body", [{}, [], {"value": 5}, {"value": None}, {"value": {"base64": 5}}, {"value": {"base64": "A"}},
                                  {"value": {"base64": "AA=A"}}, {"value": {"base64": "AB=="}}, {"value": {"base64": "AAA"}},
                                  {"value": {}}, {"value": "x", "more": 1}, {"values": "x"}])
def test_json_that_is_no_value_writes_nothing(node, body):
    node.call("DEL", "bad")
    answer = request(node.web, "PUT", "/kv/bad", body)
    assert (answer.status, answer.code) == (400, "bad_value")
    assert node.call("EXISTS", "bad") == 0


def test_a_body_of_a_gigabyte_is_refused_before_it_comes(node):
    for header in (b"Content-Length: 1073741824", b"Content-Length: 9999999999999999999"):
        with Raw(node.web) as raw:
            raw.send(post(header, body=b"["))
            answer = raw.response()
            assert (answer.status, answer.code) == (413, "body_too_large")
            assert raw.has_ended()


def test_a_body_beyond_the_limit_is_refused(limited):
    web = limited.web
    assert request(web, "PUT", "/kv/k", b"x" * 2048).status == 200
    answer = request(web, "PUT", "/kv/k", b"y" * 2049)
    assert (answer.status, answer.code) == (413, "body_too_large")
    with Raw(web) as raw:  # in chunks, whose end is never said
        raw.send(b"PUT /kv/k HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"y" * 1024 + b"\r\n"
                 + b"400\r\n" + b"y" * 1024 + b"\r\n" + b"1\r\n")
        answer = raw.response()
        assert (answer.status, answer.code) == (413, "body_too_large")
    assert limited.call("GET", "k") == b"x" * 2048
    limited.call("CONFIG", "SET", "http-max-body-bytes", "4kb")
    assert request(web, "PUT", "/kv/k", b"y" * 2049).status == 200


def test_a_client_is_told_to_go_on_with_its_body(node):
    with Raw(node.web) as raw:
        raw.send(post(LENGTH, b"Expect: 100-continue", body=b""))
        assert raw.file.readline() == b"HTTP/1.1 100 Continue\r\n" and raw.file.readline() == b"\r\n"
        raw.send(SET)
        assert raw.response().json() == {"reply": "OK"}
    with Raw(node.web) as raw:  # or not to
        raw.send(post(b"Content-Length: 1073741824", b"Expect: 100-continue", body=b""))
        assert raw.response().status == 413


def test_headers_beyond_the_limits_are_refused(node):
    for lines in ([b"X: " + b"x" * 16400], [b"X%d: y" % i for i in range(70)], [b"X: " + b"x" * 5000] * 4):
        answer = one_by_one(node.web, post(LENGTH, *lines))
        assert (answer.status, answer.code) == (431, "headers_too_large")
    with Raw(node.web) as raw:  # and no end in sight
        raw.send(b"GET /" + b"x" * 20000)
        assert raw.response().status == 431
    assert one_by_one(node.web, post(LENGTH, b"X: " + b"x" * 16000)).status == 200


@pytest.mark.parametrize("begin", [b"G", b"GET /ready HTTP/1.1\r\nHost: localhost\r\n",
                                   post(b"Content-Length: 100", body=b"["), post(b"Transfer-Encoding: chunked", body=b"5\r\nab")],
                         ids=range(4))
def test_a_request_that_drips_is_given_up(limited, begin):
    """One byte at a time keeps nothing open: what counts is when the whole request is there."""
    started = time.monotonic()
    with Raw(limited.web) as raw:
        raw.send(begin)
        raw.socket.settimeout(0.05)
        data = b""
        while b"\r\n\r\n" not in data:
            try:
                data += raw.socket.recv(4096)
            except socket.timeout:
                raw.send(b"x")
            assert time.monotonic() - started < 20
        assert data.startswith(b"HTTP/1.1 408 ") and b"Connection: close" in data
    assert request(limited.web, "GET", "/ready").status == 200


def test_an_idle_connection_is_closed(limited):
    with Raw(limited.web) as raw:
        assert raw.has_ended()
    with Raw(limited.web) as raw:
        raw.send(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.response().status == 200
        assert raw.has_ended()


def test_a_client_that_reads_nothing_is_given_up(limited):
    limited.call("SET", "large", "x" * (64 << 20))
    with Raw(limited.web) as raw:
        raw.send(b"GET /kv/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_for(lambda: limited.call("INFO", "memory") and
                 int(limited.info("memory")["mem_http"]) > 1 << 20, 10, "the response waits")
        wait_for(lambda: int(limited.info("memory")["mem_http"]) < 1 << 20, 20, "it is given up")


def test_one_connection_too_many_hears_of_it(limited):
    held = [Raw(limited.web) for _ in range(4)]
    try:
        for raw in held:
            raw.send(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.response().status == 200
        with Raw(limited.web) as raw:
            answer = raw.response()
            assert (answer.status, answer.code) == (503, "too_many_connections")
    finally:
        for raw in held:
            raw.close()
    wait_for(lambda: request(limited.web, "GET", "/ready").status == 200, 10, "there is room again")


def test_who_leaves_before_the_answer_leaves_nothing_behind(node):
    before = len(node.call("CLIENT", "LIST").splitlines())
    for _ in range(200):
        with Raw(node.web) as raw:
            raw.send(post(LENGTH))
    wait_for(lambda: len(node.call("CLIENT", "LIST").splitlines()) <= before + 16, 10, "connections are given back")
    wait_for(lambda: b"flotilla_http_connections 1\n" in request(node.web, "GET", "/metrics").body, 10, "all are gone")
    assert request(node.web, "GET", "/health").status == 200


def test_bytes_by_chance_leave_the_node_alive(node):
    chance = random.Random(11)
    seeds = [post(LENGTH), post(b"Transfer-Encoding: chunked", body=CHUNKS), b"GET /kv/a%20b?db=1 HTTP/1.1\r\nHost: [::1]:8001\r\n"
             b"Authorization: Basic OmE=\r\nIf-Match: \"x\"\r\n\r\n", json.dumps({"operations": []}).encode()]
    for _ in range(600):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(data))
            what = chance.randrange(3)
            if what == 0:
                data[at] = chance.randrange(256)
            elif what == 1:
                del data[at:at + chance.randrange(1, 8)]
            else:
                data[at:at] = data[chance.randrange(len(data)):][:chance.randrange(1, 40)]
            if not data:
                break
        with Raw(node.web) as raw:
            raw.send(bytes(data))
            raw.socket.shutdown(socket.SHUT_WR)
            while raw.file.read(4096):
                pass
    assert request(node.web, "GET", "/health").status == 200
