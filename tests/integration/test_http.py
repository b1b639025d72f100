"""HTTP: keys, commands, batches, and who may ask."""
import contextlib
import http.client
import json
import subprocess
import threading
import urllib.parse

import pytest

from cluster import SERVER, Cluster, run_server
from resp import Connection, Error
from waiting import wait_for
from web import Raw, basic, request

ODD_KEYS = [b"a b", b"a/b", b"\x00\xff\r\n", "ü€".encode(), b"%", b"?#&=+", bytes(range(256))]


def with_http(cluster, **directives):
    for node in cluster.nodes:
        node.web = cluster.ports.take()
        cluster.write_config(node, http_port=node.web, **directives)
    return cluster.start()


@pytest.fixture(scope="module")
def cluster():
    one = Cluster("http")
    try:
        yield with_http(one)
    finally:
        one.close()


@pytest.fixture
def single(make_cluster):
    """make_single(directive=value …): one node with HTTP."""
    def make(**directives):
        return with_http(make_cluster(size=1, start=False), **directives).nodes[0]
    return make


def path_of(key):
    return "/kv/" + urllib.parse.quote_from_bytes(key, safe="")


def command(node, *args, **headers):
    return request(node.web, "POST", "/command", list(args), **headers)


def batch(node, operations, **more):
    return request(node.web, "POST", "/batch", {"operations": operations, **more})


# --- keys ---

def test_a_key_written_at_one_node_is_read_at_each(cluster):
    for writer in cluster.nodes:
        assert request(writer.web, "PUT", "/kv/shared", f"by {writer.id}").status == 200
        for reader in cluster.nodes:
            assert request(reader.web, "GET", "/kv/shared").json()["value"] == f"by {writer.id}"


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_any_bytes_are_a_key(cluster, key):
    node = cluster.nodes[0]
    assert request(node.web, "PUT", path_of(key), b"v" + key).status == 200
    assert node.call("GET", key) == b"v" + key
    got = request(node.web, "GET", path_of(key), accept="application/octet-stream")
    assert (got.status, got.body) == (200, b"v" + key)
    assert request(node.web, "DELETE", path_of(key)).json() == {"deleted": True}
    assert node.call("EXISTS", key) == 0


def test_slashes_stand_for_themselves_in_a_key(cluster):
    node = cluster.nodes[0]
    assert request(node.web, "PUT", "/kv/a/b/c", "x").status == 200
    assert node.call("GET", "a/b/c") == b"x"


def test_a_value_is_json_or_bytes(cluster):
    node = cluster.nodes[0]
    assert request(node.web, "PUT", "/kv/j", {"value": "a\u0000\u00fc\"\\\n"}).status == 200
    assert node.call("GET", "j") == "a\0ü\"\\\n".encode()
    assert request(node.web, "GET", "/kv/j").json()["value"] == "a\0ü\"\\\n"
    assert request(node.web, "PUT", "/kv/j", {"value": {"base64": "/wD+"}}).status == 200
    assert node.call("GET", "j") == b"\xff\x00\xfe"
    assert request(node.web, "GET", "/kv/j").json()["value"] == {"base64": "/wD+"}
    assert request(node.web, "PUT", "/kv/j", '{"value":"x"}').status == 200  # not said to be JSON
    assert node.call("GET", "j") == b'{"value":"x"}'
    assert request(node.web, "PUT", "/kv/j", b"").status == 200
    assert node.call("GET", "j") == b""


@pytest.mark.parametrize("text", ["", "f", "fo", "foo", "foob", "fooba", "foobar", "\xff" * 100])
def test_bytes_that_are_no_utf_8_come_as_base64(cluster, text):
    import base64
    node = cluster.nodes[0]
    value = b"\xff" + text.encode("latin-1")
    node.call("SET", "b", value)
    assert base64.b64decode(request(node.web, "GET", "/kv/b").json()["value"]["base64"]) == value


@pytest.mark.parametrize("value", [b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"\xf8\x88\x80\x80\x80"])
def test_what_looks_like_utf_8_and_is_not_is_no_string(cluster, value):
    node = cluster.nodes[0]
    node.call("SET", "b", value)
    assert "base64" in request(node.web, "GET", "/kv/b").json()["value"]


def test_a_time_to_live_is_set_kept_and_removed(cluster):
    node = cluster.nodes[0]
    assert request(node.web, "PUT", "/kv/t?ttl=100", "1").status == 200
    assert 99000 < node.call("PTTL", "t") <= 100000
    assert request(node.web, "PUT", "/kv/t?ttl=keep", "2").status == 200
    assert 90000 < node.call("PTTL", "t") <= 100000
    assert request(node.web, "PUT", "/kv/t?ttl=0.25", "3").status == 200
    wait_for(lambda: request(node.web, "GET", "/kv/t").status == 404, 10, "it expires")
    request(node.web, "PUT", "/kv/t?ttl=100", "1")
    request(node.web, "PUT", "/kv/t", "1")
    assert node.call("PTTL", "t") == -1


@pytest.mark.parametrize("ttl", ["", "0", "0.000", "-1", "1.", ".5", "1.0001", "1e3", "x", "1" * 13, "10%", "%zz"])
def test_a_bad_time_to_live_writes_nothing(cluster, ttl):
    node = cluster.nodes[0]
    node.call("DEL", "t")
    answer = request(node.web, "PUT", "/kv/t?ttl=" + ttl, "1")
    assert answer.status == 400 and answer.code in ("bad_parameter", "bad_encoding")
    assert node.call("EXISTS", "t") == 0


def test_databases_are_apart(cluster):
    node = cluster.nodes[0]
    assert request(node.web, "PUT", "/kv/d?db=3", "three").status == 200
    assert request(node.web, "GET", "/kv/d").status == 404
    assert request(node.web, "GET", "/kv/d?db=3").json()["value"] == "three"
    assert request(node.web, "POST", "/command?db=3", ["GET", "d"]).json() == {"reply": "three"}
    assert request(node.web, "DELETE", "/kv/d?db=3").status == 200
    for bad in ("16", "-1", "x", "99999"):
        assert request(node.web, "GET", "/kv/d?db=" + bad).status == 400


def test_parameters_that_are_unknown_or_stand_twice_are_refused(cluster):
    node = cluster.nodes[0]
    for query in ("?tll=5", "?ttl=5&ttl=6", "?db=1&db=1", "?ttl"):
        assert request(node.web, "PUT", "/kv/q" + query, "1").code == "bad_parameter"
    assert request(node.web, "GET", "/kv/q?ttl=5").code == "bad_parameter"
    assert node.call("EXISTS", "q") == 0


def test_what_is_not_there_and_what_is_no_string(cluster):
    node = cluster.nodes[0]
    node.call("DEL", "list", "none")
    node.call("RPUSH", "list", "a")
    assert request(node.web, "GET", "/kv/none").code == "no_such_key"
    assert request(node.web, "DELETE", "/kv/none").code == "no_such_key"
    answer = request(node.web, "GET", "/kv/list")
    assert (answer.status, answer.code) == (409, "wrong_type")
    assert request(node.web, "DELETE", "/kv/list").status == 200


# --- conditions ---

def test_only_a_new_key_is_written(cluster):
    node = cluster.nodes[1]
    node.call("DEL", "new")
    assert request(node.web, "PUT", "/kv/new", "1", if_none_match="*").status == 200
    answer = request(node.web, "PUT", "/kv/new", "2", if_none_match="*")
    assert (answer.status, answer.code) == (412, "precondition_failed")
    assert node.call("GET", "new") == b"1"


def test_only_the_revision_that_was_seen_is_replaced_and_deleted(cluster):
    node, other = cluster.nodes[:2]
    old = request(node.web, "PUT", "/kv/r", "one").headers["etag"]
    assert request(other.web, "GET", "/kv/r").headers["etag"] == old
    new = request(other.web, "PUT", "/kv/r?ttl=50", "two", if_match=old).headers["etag"]
    assert new != old and 0 < node.call("TTL", "r") <= 50
    for tag in (old, "W/" + new, '"x"', new.strip('"'), ""):
        assert request(node.web, "PUT", "/kv/r", "three", if_match=tag).code == "precondition_failed"
        assert request(node.web, "DELETE", "/kv/r", if_match=tag).code == "precondition_failed"
    assert node.call("GET", "r") == b"two"
    assert request(node.web, "DELETE", "/kv/r", if_match=f'"x" , {new}').status == 200
    assert node.call("EXISTS", "r") == 0
    assert request(node.web, "PUT", "/kv/r", "three", if_match=new).code == "precondition_failed"
    assert request(node.web, "PUT", "/kv/r", "three", if_match="*").code == "precondition_failed"
    assert request(node.web, "DELETE", "/kv/r", if_match="*").code == "precondition_failed"
    node.call("SET", "r", "four")
    assert request(node.web, "PUT", "/kv/r", "five", if_match="*").status == 200
    assert request(node.web, "DELETE", "/kv/r", if_match="*").status == 200


def test_a_reader_that_has_the_value_is_not_sent_it_again(cluster):
    node = cluster.nodes[0]
    tag = request(node.web, "PUT", "/kv/c", "cached").headers["etag"]
    for header in (tag, "W/" + tag, "*", '"x", ' + tag):
        answer = request(node.web, "GET", "/kv/c", if_none_match=header)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    assert request(node.web, "GET", "/kv/c", if_none_match='"x"').json()["value"] == "cached"
    assert request(node.web, "GET", "/kv/c", if_match='"x"').status == 412


def test_conditions_that_mean_nothing_write_nothing(cluster):
    node = cluster.nodes[0]
    node.call("DEL", "c")
    for headers in ({"if_none_match": '"x"'}, {"if_none_match": "*", "if_match": '"x"'}):
        assert request(node.web, "PUT", "/kv/c", "1", **headers).code == "bad_condition"
    assert request(node.web, "DELETE", "/kv/c", if_none_match="*").code == "bad_condition"
    assert node.call("EXISTS", "c") == 0


def test_no_update_is_lost_between_writers_at_all_nodes(cluster):
    """Each adds 1 by reading, and writing with If-Match."""
    each, writers = 8, 6
    cluster.nodes[0].call("SET", "count", "0")
    failures = []

    def add(node):
        try:
            done = 0
            while done < each:
                got = request(node.web, "GET", "/kv/count")
                value = str(int(got.json()["value"]) + 1)
                answer = request(node.web, "PUT", "/kv/count", value, if_match=got.headers["etag"])
                assert answer.status == 200 or answer.code in ("precondition_failed", "conflict"), answer
                done += answer.status == 200
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)
    threads = [threading.Thread(target=add, args=(cluster.nodes[i % 3],)) for i in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert cluster.nodes[0].call("GET", "count") == str(each * writers).encode()


# --- commands ---

def test_commands_and_their_replies(cluster):
    node = cluster.nodes[2]
    node.call("DEL", "h", "n", "bin")
    assert command(node, "INCRBY", "n", 5).json() == {"reply": 5}
    assert command(node, "HSET", "h", "f", "v").json() == {"reply": 1}
    assert command(node, "HGETALL", "h").json() == {"reply": ["f", "v"]}
    assert command(node, "GET", "none").json() == {"reply": None}
    assert command(node, "SET", "bin", {"base64": "/w=="}).json() == {"reply": "OK"}
    assert command(node, "GET", "bin").json() == {"reply": {"base64": "/w=="}}
    assert command(node, "PING").json() == {"reply": "PONG"}
    assert command(node, "COMMAND", "INFO", "get").json()["reply"][0][0] == "get"


def test_errors_of_commands_have_a_stable_code(cluster):
    node = cluster.nodes[0]
    node.call("SET", "s", "text")
    for args, status, code in ((["LPUSH", "s", "x"], 409, "wrong_type"), (["INCR", "s"], 400, "command_failed"),
                               (["NOSUCH"], 400, "command_failed"), (["GET"], 400, "command_failed")):
        answer = command(node, *args)
        assert (answer.status, answer.code) == (status, code), args
    assert "not an integer" in command(node, "INCR", "s").json()["error"]["message"]


REFUSED = ["SUBSCRIBE x", "PSUBSCRIBE x", "MONITOR", "BLPOP x 0", "BRPOPLPUSH x y 0", "BZPOPMIN x 0", "BLMOVE a b LEFT LEFT 0",
           "XREAD BLOCK 0 STREAMS s $", "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", "WAIT 1 0", "SELECT 1", "MULTI", "EXEC",
           "DISCARD", "WATCH x", "UNWATCH", "CLIENT REPLY OFF", "client setname x", "CLIENT SESSION x", "HELLO 3", "AUTH x",
           "RESET", "QUIT", "READONLY", "READWRITE", "ASKING", "RAFT.HELLO 1", "raft.append x", "CLIENT NO-EVICT ON"]


@pytest.mark.parametrize("text", REFUSED)
def test_what_would_wait_or_concerns_a_connection_is_refused(cluster, text):
    node = cluster.nodes[0]
    args = text.split()
    answer = command(node, *args)
    if isinstance(answer.json().get("error", {}).get("message"), str) and "unknown" in answer.json()["error"]["message"]:
        assert answer.code == "command_failed"  # this server does not know it at all
    else:
        assert (answer.status, answer.code) == (400, "command_not_allowed")
    refused = batch(node, [{"op": "set", "key": "never", "value": "1"}, {"op": "command", "args": args}])
    assert refused.status in (200, 400)
    if answer.code == "command_not_allowed":
        assert refused.code == "bad_operation" and node.call("EXISTS", "never") == 0
    node.call("DEL", "never")
    assert command(node, "PING").json() == {"reply": "PONG"}


def test_xread_without_block_is_a_command_like_others(cluster):
    node = cluster.nodes[0]
    node.call("DEL", "st")
    node.call("XADD", "st", "1-1", "f", "v")
    assert command(node, "XREAD", "STREAMS", "st", "0").json() == {"reply": [["st", [["1-1", ["f", "v"]]]]]}


@pytest.mark.parametrize("body", ["[]", "{}", '[["GET"]]', "[null]", "[1.5]", "[true]", '[{"base64":"x"}]',
                                  '[{"base64":"/x=="}]', '[{"base64":"AA==","b":1}]'])
def test_what_is_no_command_is_refused(cluster, body):
    answer = request(cluster.nodes[0].web, "POST", "/command", body, content_type="application/json")
    assert (answer.status, answer.code) == (400, "bad_command")


# --- batches ---

def test_a_batch_runs_in_order(cluster):
    node = cluster.nodes[1]
    node.call("DEL", "b", "bl")
    answer = batch(node, [{"op": "set", "key": "b", "value": "1", "ttl": 100},
                          {"op": "set", "key": "b", "value": "2", "if_absent": True},
                          {"op": "command", "args": ["INCR", "b"]},
                          {"op": "command", "args": ["LPUSH", "b", "x"]},
                          {"op": "get", "key": {"base64": "Yg=="}},
                          {"op": "delete", "key": "b"}, {"op": "delete", "key": "b"}, {"op": "get", "key": "b"}])
    results = answer.json()["results"]
    assert results[3]["error"]["code"] == "wrong_type"
    del results[3]
    assert results == [{"set": True}, {"set": False}, {"reply": 2}, {"value": "2"}, {"deleted": True},
                       {"deleted": False}, {"value": None}]


def test_an_atomic_batch_is_seen_whole_or_not_at_all(cluster):
    """One client sets two keys alike, again and again; another one never sees them differ."""
    writer, reader = cluster.followers()[0], cluster.wait_leader()
    stop = threading.Event()
    failures = []

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            answer = batch(writer, [{"op": "set", "key": key, "value": str(number)} for key in ("x1", "x2")], atomic=True)
            if answer.status != 200:
                failures.append(answer)
                return
    thread = threading.Thread(target=write)
    thread.start()
    try:
        with Connection(port=reader.port) as connection:
            seen = set()
            while len(seen) < 20 and not failures:
                one, other = connection.call("MGET", "x1", "x2")
                assert one == other
                seen.add(one)
    finally:
        stop.set()
        thread.join()
    assert not failures


def test_an_atomic_batch_that_cannot_be_queued_does_nothing(cluster):
    node = cluster.nodes[0]
    node.call("DEL", "a1")
    answer = batch(node, [{"op": "set", "key": "a1", "value": "1"}, {"op": "command", "args": ["NOSUCH"]}], atomic=True)
    assert (answer.status, answer.code) == (400, "command_failed")
    assert node.call("EXISTS", "a1") == 0
    answer = batch(node, [{"op": "set", "key": "a1", "value": "1"}, {"op": "command", "args": ["NOSUCH"]}])
    assert answer.status == 200 and node.call("GET", "a1") == b"1"


BAD_BATCHES = [[], {}, {"operations": []}, {"operations": {}}, {"operations": [{"op": "get", "key": "k"}], "more": 1},
               {"operations": [{"op": "get", "key": "k"}], "atomic": "yes"}]
BAD_OPERATIONS = [5, [], {}, {"op": "put"}, {"op": "get"}, {"op": "get", "key": 5}, {"op": "get", "key": "k", "value": "v"},
                  {"op": "set", "key": "k"}, {"op": "set", "key": "k", "value": None},
                  {"op": "set", "key": "k", "value": "v", "ttl": 0}, {"op": "set", "key": "k", "value": "v", "ttl": -1},
                  {"op": "set", "key": "k", "value": "v", "ttl": "5"}, {"op": "set", "key": "k", "value": "v", "ttl": 1e300},
                  {"op": "set", "key": "k", "value": "v", "if_absent": 1}, {"op": "command"}, {"op": "command", "args": []},
                  {"op": "command", "args": ["GET", "k"], "key": "k"}, {"op": "delete", "key": "k", "x": 1}]


@pytest.mark.parametrize("body", BAD_BATCHES, ids=range(len(BAD_BATCHES)))
def test_what_is_no_batch_is_refused(cluster, body):
    answer = request(cluster.nodes[0].web, "POST", "/batch", body)
    assert (answer.status, answer.code) == (400, "bad_batch")


@pytest.mark.parametrize("operation", BAD_OPERATIONS, ids=range(len(BAD_OPERATIONS)))
def test_one_bad_operation_keeps_the_others_from_being_carried_out(cluster, operation):
    node = cluster.nodes[0]
    node.call("DEL", "first")
    answer = batch(node, [{"op": "set", "key": "first", "value": "1"}, operation])
    assert (answer.status, answer.code) == (400, "bad_operation")
    assert answer.json()["error"]["message"].startswith("operation 1: ")
    assert node.call("EXISTS", "first") == 0


# --- rights ---

def test_a_password_guards_all_but_health(single):
    node = single()
    web = node.web
    node.call("CONFIG", "SET", "requirepass", "secret")
    guarded = [("GET", "/kv/k", None), ("PUT", "/kv/k", "v"), ("DELETE", "/kv/k", None), ("POST", "/command", ["GET", "k"]),
               ("POST", "/batch", {"operations": [{"op": "get", "key": "k"}]}), ("GET", "/metrics", None),
               ("GET", "/status", None), ("GET", "/stats", None), ("GET", "/cluster/info", None)]
    for method, path, body in guarded:
        for headers in ({}, {"authorization": basic("default", "wrong")}, {"authorization": "Bearer wrong"},
                        {"authorization": basic("somebody", "secret")}, {"authorization": "Basic !"},
                        {"authorization": "Digest x"}, {"authorization": "Basic"}, {"authorization": ""}):
            answer = request(web, method, path, body, **headers)
            assert (answer.status, answer.code) == (401, "unauthorized"), (method, path, headers)
            assert answer.headers["www-authenticate"].startswith("Basic")
    for authorization in (basic("default", "secret"), basic("", "secret"), "Bearer secret", "bearer  secret"):
        assert request(web, "PUT", "/kv/k", "v", authorization=authorization).status == 200
        for method, path, body in guarded[3:]:
            assert request(web, method, path, body, authorization=authorization).status == 200, (path, authorization)
        assert request(web, "GET", "/kv/k").status == 401  # the connection behind it forgets who asked last
    assert request(web, "GET", "/health").status == 200
    assert request(web, "GET", "/ready").status == 200
    with node.connect() as connection:
        connection.call("AUTH", "secret")
        assert connection.call("EXISTS", "k") == 1


def test_a_password_that_is_set_later_counts_at_once(single):
    node = single()
    assert request(node.web, "GET", "/status").status == 200
    with node.connect() as connection:
        connection.call("CONFIG", "SET", "requirepass", "later")
    assert request(node.web, "GET", "/status").status == 401
    assert request(node.web, "GET", "/status", authorization="Bearer later").status == 200
    assert request(node.web, "GET", "/health").status == 200


def test_pages_of_other_origins_are_refused(cluster):
    node = cluster.nodes[0]
    node.call("DEL", "x")
    own = f"http://127.0.0.1:{node.web}"
    for origin in ("http://evil.example", "null", "", own + ".evil.example", "https://127.0.0.1", "127.0.0.1"):
        answer = request(node.web, "POST", "/command", ["SET", "x", "1"], origin=origin)
        assert (answer.status, answer.code) == (403, "cross_origin"), origin
        assert request(node.web, "GET", "/kv/x", origin=origin).status == 403
    for site in ("cross-site", "same-site", "x"):
        assert request(node.web, "PUT", "/kv/x", "1", sec_fetch_site=site).code == "cross_origin"
    assert node.call("EXISTS", "x") == 0
    assert request(node.web, "PUT", "/kv/x", "1", origin=own, sec_fetch_site="same-origin").status == 200
    assert request(node.web, "PUT", "/kv/x", "1", sec_fetch_site="none").status == 200
    answer = request(node.web, "OPTIONS", "/command", origin="http://evil.example",
                     access_control_request_method="POST")
    assert answer.status == 403 and "access-control-allow-origin" not in answer.headers


def test_a_simple_form_of_a_page_is_no_command(cluster):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"):
        answer = request(cluster.nodes[0].web, "POST", "/command", '["PING"]', content_type=kind)
        assert (answer.status, answer.code) == (415, "not_json")
    for kind in ("application/json", "Application/JSON; charset=utf-8"):
        assert request(cluster.nodes[0].web, "POST", "/command", '["PING"]', content_type=kind).status == 200


def test_a_name_that_was_rebound_is_refused(single):
    node = single(http_hosts="cache.example,other.example", cluster_announce_hostname="n1.example")
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "[::1", "a:b", ":80",
                 "127.0.0.1:", "cache.example,other.example", "cache"):
        answer = request(node.web, "GET", "/status", host="127.0.0.1", **{"Host": host})
        assert (answer.status, answer.code) == (421, "unknown_host"), host
    for host in ("127.0.0.1", "localhost", f"LOCALHOST:{node.web}", "[::1]:1", "10.1.2.3", "cache.example",
                 "Other.Example:8001", "n1.example"):
        assert request(node.web, "GET", "/status", **{"Host": host}).status == 200, host


# --- life ---

def test_clients_of_http_are_recognised(cluster):
    node = cluster.nodes[0]
    command(node, "PING")
    lines = node.call("CLIENT", "LIST").decode().splitlines()
    assert any("addr=http:0 laddr=http:0" in line for line in lines)


def test_killed_clients_of_http_are_replaced(cluster):
    node = cluster.nodes[0]
    for _ in range(3):
        assert command(node, "PING").status == 200
        assert request(node.web, "GET", "/health").status == 200
        node.call("CLIENT", "KILL", "TYPE", "normal")
        wait_for(lambda: request(node.web, "GET", "/health").status == 200, 10, "health comes back")


def test_http_is_served_where_redirects_are_configured(make_cluster):
    one = with_http(make_cluster(start=False), follower_mode="redirect")
    for node in one.followers():
        assert request(node.web, "PUT", "/kv/k", str(node.id)).status == 200
        assert request(node.web, "GET", "/kv/k").json()["value"] == str(node.id)
        assert request(node.web, "GET", "/health").status == 200


def test_health_follows_what_a_node_can_do(make_cluster):
    one = with_http(make_cluster(start=False, leader_wait_ms=500))
    for node in one.nodes:
        wait_for(lambda: request(node.web, "GET", "/health").status == 200, 10, "healthy")
        assert request(node.web, "GET", "/ready").json() == {"status": "ready"}
    survivor = one.followers()[0]
    for node in one.nodes:
        if node is not survivor:
            node.kill()
    wait_for(lambda: request(survivor.web, "GET", "/health").status == 503, 20, "unhealthy without a majority")
    wait_for(lambda: request(survivor.web, "GET", "/ready").status == 503, 20, "not ready without a leader")
    assert request(survivor.web, "GET", "/health").code == "unhealthy"
    answer = request(survivor.web, "PUT", "/kv/k", "v")
    assert (answer.status, answer.code) == (503, "no_leader")
    assert request(survivor.web, "GET", "/metrics").status == 200
    for node in one.nodes:
        if node is not survivor:
            node.start()
    wait_for(lambda: request(survivor.web, "GET", "/health").status == 200, 20, "healthy again")


def test_a_paused_majority_makes_a_leader_unhealthy(make_cluster):
    """The leader does not know yet that nobody follows: only a read that is really tried tells."""
    one = with_http(make_cluster(start=False), raft_election_timeout_ms=3000)
    leader = one.wait_leader()
    for node in one.nodes:
        if node is not leader:
            node.pause()
    try:
        assert request(leader.web, "GET", "/health").status == 503
    finally:
        for node in one.nodes:
            if node is not leader:
                node.resume()


def test_a_node_that_waits_for_others_shows_its_state(make_cluster):
    one = make_cluster(start=False)
    for node in one.nodes:
        node.web = one.ports.take()
        one.write_config(node, http_port=node.web)
    node = one.nodes[0]
    node.start(wait=False)
    wait_for(lambda: node.log.exists() and "waiting for node" in node.log.read_text(), 20, "it waits")
    assert request(node.web, "GET", "/ready").code == "not_ready"
    assert request(node.web, "GET", "/health").code == "unhealthy"
    assert request(node.web, "GET", "/status").json()["state"] == "beginning"
    assert b"redis_up 1" in request(node.web, "GET", "/metrics").body
    assert request(node.web, "GET", "/kv/x").code == "no_leader"


def test_requests_in_flight_survive_the_death_of_the_leader(make_cluster):
    one = with_http(make_cluster(start=False))
    node = one.followers()[0]
    leader = one.wait_leader()
    done = [0]
    failures = []
    stop = threading.Event()

    def add():
        while not stop.is_set():
            answer = command(node, "INCR", "n")
            if answer.status != 200:
                failures.append(answer)
                return
            done[0] += 1
    thread = threading.Thread(target=add)
    thread.start()
    try:
        wait_for(lambda: done[0] > 10, 20, "it goes on")
        leader.kill()
        at = done[0]
        wait_for(lambda: done[0] > at + 10 or failures, 20, "it goes on after the leader's death")
    finally:
        stop.set()
        thread.join()
    assert not failures
    assert int(node.call("GET", "n")) == done[0]


def test_connections_and_requests_end_with_the_node(single):
    node = single()
    with Raw(node.web) as idle:
        idle.send(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.response().status == 200
        assert node.stop() == 0
        assert idle.has_ended()


def test_shutdown_over_http_ends_the_node(single):
    node = single()
    with contextlib.suppress(OSError, http.client.HTTPException):  # nothing is left that could answer
        command(node, "SHUTDOWN")
    assert node.wait_exit() == 0


# --- configuration ---

def test_a_port_that_is_taken_stops_the_start(make_cluster):
    one = make_cluster(size=1, start=False)
    node = one.nodes[0]
    port = one.ports.take()
    import socket
    with socket.create_server(("127.0.0.1", port)):
        one.write_config(node, http_port=port)
        status, text = run_server(node.config)
        assert status == 1 and f"could not bind 127.0.0.1:{port}" in text
        status, text = run_server(node.config, "--check-config")
        assert status == 1 and f"could not bind 127.0.0.1:{port}" in text


def test_without_a_port_there_is_no_http(make_cluster):
    node = make_cluster(size=1).nodes[0]
    assert node.call("CONFIG", "GET", "http-port") == [b"http-port", b"0"]
    assert "http:0" not in node.call("CLIENT", "LIST").decode()


def test_descriptors_are_kept_for_http(make_cluster):
    one = make_cluster(size=1, start=False)
    node = one.nodes[0]
    one.write_config(node, http_port=one.ports.take(), maxclients=100, http_max_connections=100)
    done = subprocess.run(["bash", "-c", f"ulimit -n 300 && exec {SERVER} {node.config}"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=20, check=False)
    assert done.returncode == 1 and b"too few descriptors" in done.stdout


def test_other_machines_need_a_password_or_leave(make_cluster):
    """The address of this machine that is not loopback, if it has one."""
    addresses = subprocess.run(["hostname", "-I"], stdout=subprocess.PIPE, check=False).stdout.decode().split()
    address = next((one for one in addresses if "." in one and not one.startswith("127.")), None)
    if not address:
        pytest.skip("this machine has no other address than loopback")
    one = make_cluster(size=1, start=False)
    node = one.nodes[0]
    node.web = one.ports.take()
    one.write_config(node, http_port=node.web, bind=f"127.0.0.1 {address}", enable_debug_command="local")
    one.start()
    answer = request(node.web, "GET", "/health", host=address)
    assert (answer.status, answer.code) == (403, "protected_mode")
    assert request(node.web, "GET", "/health").status == 200
    assert command(node, "DEBUG", "DIGEST").status == 200
    node.call("CONFIG", "SET", "protected-mode", "no")
    assert request(node.web, "GET", "/health", host=address).status == 200
    answer = request(node.web, "POST", "/command", ["DEBUG", "DIGEST"], host=address)
    assert answer.status == 400 and "not allowed" in answer.json()["error"]["message"]
    assert isinstance(node.call("PING"), (bytes, str)) and not isinstance(node.call("PING"), Error)


def test_large_values_come_and_go(single):
    node = single(http_max_body_bytes="32mb")
    value = bytes(range(256)) * (16 * 4096)  # 16 MiB
    assert request(node.web, "PUT", "/kv/large", value).status == 200
    assert request(node.web, "GET", "/kv/large", accept="application/octet-stream").body == value
    assert json.loads(request(node.web, "GET", "/kv/large").body)["value"]["base64"]


def test_directives_are_changed_while_the_node_runs(single):
    node = single()
    for name, value in (("http-max-body-bytes", b"2048"), ("http-timeout", b"7"), ("http-hosts", b"a.example")):
        assert node.call("CONFIG", "SET", name, value) == "OK"
        assert node.call("CONFIG", "GET", name) == [name.encode(), value]
    assert request(node.web, "PUT", "/kv/k", b"x" * 2049).code == "body_too_large"
    assert request(node.web, "GET", "/status", **{"Host": "a.example"}).status == 200
    for name in ("http-port", "http-max-connections"):
        assert isinstance(node.call("CONFIG", "SET", name, "5"), Error)


def test_a_response_that_is_sent_is_sent_whole_before_the_end(single):
    node = single()
    size = 24 << 20
    node.call("SET", "large", "x" * size)
    with Raw(node.web) as raw:
        raw.send(b"GET /kv/large HTTP/1.1\r\nHost: localhost\r\nAccept: application/octet-stream\r\n\r\n")
        assert raw.file.readline() == b"HTTP/1.1 200 OK\r\n"
        node.process.terminate()
        wait_for(lambda: "shutting down" in node.tail(), 10, "it was asked to end")
        rest = raw.file.read()  # to the end: the node closes the connection then
        assert len(rest.partition(b"\r\n\r\n")[2]) == size
    assert node.wait_exit() == 0
