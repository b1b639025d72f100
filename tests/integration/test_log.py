"""Where messages go, and in which form."""
import json
import os
import re
import signal
import syslog

from cluster import TOOLS
from waiting import wait_for

TEXT = re.compile(r"\d+:M \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} [.*#-] .+")
def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


def one_node(make_cluster, **directives):
    """A node that writes its own log file, and the file."""
    node = make_cluster(size=1, start=False, logfile="own.log", **directives).nodes[0]
    node.start()
    node.cluster.wait_leader()
    return node, node.data / "own.log" if (node.data / "own.log").exists() else node.dir / "own.log"


def test_lines_are_those_of_redis(make_cluster):
    _, log = one_node(make_cluster)
    assert lines_of(log)
    for line in lines_of(log):
        assert TEXT.fullmatch(line), line


def test_lines_can_be_json(make_cluster):
    node, log = one_node(make_cluster, log_format="json")
    node.stop()
    objects = [json.loads(line) for line in lines_of(log)]
    assert len(objects) > 3
    for one in objects:
        assert list(one) == ["time", "level", "pid", "message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["time"])
        assert one["level"] in ("verbose", "notice", "warning")
    assert objects[-1]["message"] == "bye"


def test_the_form_can_be_changed_while_the_node_runs(make_cluster):
    node, log = one_node(make_cluster)
    with node.connect() as connection:
        assert connection.call("CONFIG", "SET", "log-format", "json") == "OK"
    node.stop()
    lines = lines_of(log)
    assert TEXT.fullmatch(lines[0])
    assert json.loads(lines[-1])["message"] == "bye"


def test_a_log_is_rotated_by_renaming_it(make_cluster):
    node, log = one_node(make_cluster)
    pid = node.pid
    log.rename(log.with_suffix(".1"))
    for number in (signal.SIGHUP, signal.SIGUSR1):
        os.kill(pid, number)
    with node.connect() as connection:
        assert connection.call("PING") == "PONG"
        assert connection.call("SET", "a", "b") == "OK"
    assert node.pid == pid
    node.stop()
    assert lines_of(log)[-1].endswith("bye")
    assert not any(line.endswith("bye") for line in lines_of(log.with_suffix(".1")))


def test_messages_go_to_the_log_of_the_system_too(make_cluster):
    cluster = make_cluster(size=1, start=False, syslog_enabled="yes", syslog_ident="a-cache", syslog_facility="local3")
    node = cluster.nodes[0]
    seen = node.dir / "syslog"
    options = os.environ.get("ASAN_OPTIONS", "")
    node.environment = {"LD_PRELOAD": str(TOOLS / "syslog.so"), "FLOTILLA_SYSLOG": str(seen),
                        "ASAN_OPTIONS": ":".join(filter(None, [options, "verify_asan_link_order=0"]))}
    node.start()
    cluster.wait_leader()
    wait_for(lambda: len(lines_of(seen)) > 3, 20, "lines in the log of the system")
    node.stop()
    priorities = set()
    for line in lines_of(seen):
        number, name, message = line.split(" ", 2)
        assert name == "a-cache" and message
        assert int(number) & ~7 == syslog.LOG_LOCAL3
        priorities.add(int(number) & 7)
    assert lines_of(seen)[-1].endswith(" bye")
    assert syslog.LOG_NOTICE in priorities and priorities <= {syslog.LOG_NOTICE, syslog.LOG_WARNING, syslog.LOG_INFO}


def test_a_message_that_is_no_text_is_json_all_the_same(make_cluster):
    """The folder's name holds what is no UTF-8, what JSON escapes, and characters of two to four bytes."""
    node = make_cluster(size=1, start=False, log_format="json").nodes[0]
    folder = str(node.data).encode() + b"\xff\xc3(\xed\xa0\x80\xf4\x90\x80\x80" + "'é€😀\t".encode()
    os.mkdir(folder)
    node.config.write_bytes(node.config.read_bytes().replace(b'"' + str(node.data).encode() + b'"',
                                                             b'"' + folder + b'"'))
    node.start()
    node.cluster.wait_leader()
    node.stop()
    messages = [json.loads(line)["message"] for line in lines_of(node.log)]
    expected = f"{node.data}\ufffd\ufffd(" + "\ufffd" * 7 + "'é€😀\t"
    assert any(expected in message for message in messages), messages
