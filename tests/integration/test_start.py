"""What the server refuses to start with: one clear line, a non-zero status, and nothing touched."""
import contextlib
import os
import pathlib
import re
import socket

import pytest

from cluster import TOP, run_server, temporary_folder
from resp import Closed
from waiting import wait_for


def contents(folder):
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(pathlib.Path(folder).rglob("*"))}


def refusal(*args, stdin=b""):
    """The lines that the server printed before it refused to start."""
    status, text = run_server(*args, stdin=stdin)
    assert status not in (0, None) and status > 0, f"ended with {status}:\n{text}"
    assert "assertion failed" not in text, text
    return text


@pytest.fixture
def stopped(make_cluster):
    """A cluster with some data, stopped."""
    cluster = make_cluster()
    with cluster.wait_leader().connect() as connection:
        for i in range(100):
            assert connection.call("SET", f"key{i}", f"value{i}" * 5) == "OK"
    cluster.wait_equal()
    for node in cluster.nodes:
        node.kill()
    return cluster


def test_clients_hear_that_the_data_is_being_loaded(make_cluster):
    node = make_cluster(size=1).nodes[0]
    with node.cluster.wait_leader().connect() as connection:
        for i in range(40):
            assert connection.call("SET", f"key{i}", bytes(1 << 20)) == "OK"
    node.kill()
    node.start(wait=False)
    heard = []
    def is_up():
        with contextlib.suppress(OSError, Closed):
            with node.connect() as connection:
                heard.append(connection.call("PING"))
                info = connection.call("INFO", "persistence", "raft", "replication", "memory", "stats", "clients")
                assert b"loading:1" in info or b"loading:0" in info
                if b"loading:1" in info:
                    assert 0 <= float(re.search(rb"loading_loaded_perc:([0-9.]+)", info)[1]) <= 100
        return heard[-1:] == ["PONG"]
    wait_for(is_up, 30, "the node serves")
    assert set(map(str, heard)) <= {"PONG", "LOADING Redis is loading the dataset in memory"}
    assert re.search(r"data loaded: \d{8} bytes in", node.tail(50))


@pytest.fixture
def folder():
    import shutil
    path = temporary_folder("start")
    yield path
    shutil.rmtree(path)


def write_config(folder, text):
    path = folder / "redis.conf"
    path.write_text(text)
    return path


def test_a_flipped_byte_in_the_middle_of_the_log_is_refused(stopped):
    node = stopped.nodes[0]
    data = bytearray(node.aof.read_bytes())
    at = data.index(b"value50")
    data[at] ^= 0x20
    node.aof.write_bytes(data)
    before = contents(node.data)
    text = refusal(node.config)
    assert node.aof.name in text and "corrupt" in text.lower(), text
    assert contents(node.data) == before


def test_a_hole_in_the_middle_of_the_log_is_refused(stopped):
    node = stopped.nodes[0]
    data = bytearray(node.aof.read_bytes())
    at = data.index(b"value30")
    data[at:at + 400] = bytes(400)
    node.aof.write_bytes(data)
    before = contents(node.data)
    refusal(node.config)
    assert contents(node.data) == before


def test_a_missing_record_in_the_middle_of_the_log_is_refused(stopped):
    node = stopped.nodes[0]
    data = node.aof.read_bytes()
    start = data.rindex(b"#RAFT:", 0, data.index(b"value30"))
    end = data.index(b"#", start + 1)
    node.aof.write_bytes(data[:start] + data[end:])
    before = contents(node.data)
    refusal(node.config)
    assert contents(node.data) == before


def noted(node):
    """How much of the newest segment raft.synced says was synced."""
    lines = (node.aof.parent / "raft.synced").read_bytes().split(b"\r\n")
    ends = [int(line.split(b":")[2]) for line in lines if line.startswith(b"#HELD:")]
    return ends[-1] if ends else 0


def test_bytes_missing_from_a_log_are_damage(make_cluster):
    cluster = make_cluster()
    with cluster.wait_leader().connect() as connection:
        for i in range(100):
            assert connection.call("SET", f"key{i}", f"value{i}" * 5) == "OK"
    cluster.wait_equal()
    for node in cluster.nodes:
        wait_for(lambda node=node: noted(node) >= node.aof.read_bytes().index(b"value99"), 10,
                 "it is noted that the last value is synced")
        node.kill()
    whole = node.aof.read_bytes()
    damaged = (whole[:noted(node) // 2], whole[:noted(node) - 1],
               whole[:2000] + whole[2001:], whole[:2000] + whole[2600:])
    for data in damaged:
        node.aof.write_bytes(data)
        before = contents(node.data)
        text = refusal(node.config)
        assert node.aof.name in text and "corrupt" in text, text
        assert contents(node.data) == before
    node.aof.write_bytes(whole)
    node.start()


def test_the_folder_of_another_node_is_refused(stopped):
    one, two = stopped.nodes[:2]
    stopped.write_config(one, dir=f'"{two.data}"')
    before = contents(two.data)
    text = refusal(one.config)
    assert "node" in text and str(two.data) in text, text
    assert contents(two.data) == before


def test_the_folder_of_another_cluster_is_refused(stopped):
    node = stopped.nodes[0]
    stopped.write_config(node, cluster_id="0123456789" * 4)
    before = contents(node.data)
    text = refusal(node.config)
    assert "cluster" in text, text
    assert contents(node.data) == before


def test_a_folder_in_use_is_refused(make_cluster):
    cluster = make_cluster()
    node = cluster.nodes[0]
    text = refusal(node.config, "--port", cluster.ports.take())
    assert str(node.data) in text, text
    cluster.wait_equal()


def test_a_port_in_use_is_refused(stopped):
    node = stopped.nodes[0]
    before = contents(node.data)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", node.port))
        taken.listen()
        text = refusal(node.config)
    assert str(node.port) in text and "in use" in text.lower(), text
    assert contents(node.data) == before


def test_a_file_in_place_of_the_folder_is_refused(stopped, folder):
    node = stopped.nodes[0]
    in_the_way = folder / "file"
    in_the_way.write_text("not a folder")
    stopped.write_config(node, dir=f'"{in_the_way}"')
    text = refusal(node.config)
    assert str(in_the_way) in text, text
    assert in_the_way.read_text() == "not a folder"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_refused(stopped):
    node = stopped.nodes[0]
    node.data.chmod(0)
    try:
        assert str(node.data) in refusal(node.config)
    finally:
        node.data.chmod(0o700)


CLUSTER_LINES = "node-id 1\ncluster-nodes 1@127.0.0.1:7991,2@127.0.0.1:7992,3@127.0.0.1:7993\ncluster-secret 0123456789abcdef0123456789abcdef\n"


@pytest.mark.parametrize("line, expected", [
    ("appendfsnyc always", "appendfsync"),
    ("raft-heartbeet-ms 50", "raft-heartbeat-ms"),
    ("max-clients 10", "maxclients"),
])
def test_an_unknown_directive_is_refused_with_the_nearest_name(folder, line, expected):
    path = write_config(folder, CLUSTER_LINES + f"# a comment\n{line}\nport 7991\n")
    text = refusal(path)
    assert f"{path}:5" in text, text
    assert line.split()[0] in text and expected in text, text
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize("line", [
    "port seven",
    "port 70000",
    "appendfsync sometimes",
    "maxmemory 10 apples",
    'requirepass "no end',
    "node-id 4",
    "node-id -1",
    "node-id x",
    "cluster-nodes 1@127.0.0.1:7991,1@127.0.0.1:7992,3@127.0.0.1:7993",
    "cluster-nodes 1@127.0.0.1,2@127.0.0.1:7992,3@127.0.0.1:7993",
    "cluster-nodes nonsense",
    "raft-heartbeat-ms 0",
    "raft-election-timeout-ms 1",
    "include /nowhere/at/all.conf",
    "client-output-buffer-limit normal 1mb",
    "maxclients",
    "dir",
])
def test_a_wrong_value_is_refused(folder, line):
    path = write_config(folder, CLUSTER_LINES + line + "\n")
    text = refusal(path, "--check-config")
    assert line.split()[0] in text, text
    assert list(folder.iterdir()) == [path]


def test_a_missing_file_is_refused():
    assert "/nowhere/redis.conf" in refusal("/nowhere/redis.conf")


def test_a_fault_on_the_command_line_is_refused(folder):
    path = write_config(folder, CLUSTER_LINES)
    assert "no-such-thing" in refusal(path, "--check-config", "--no-such-thing", "1")
    assert "port" in refusal(path, "--check-config", "--port", "x")


def test_check_config_accepts_the_example(folder):
    status, text = run_server(TOP / "redis.conf.example", "--check-config", cwd=folder)
    assert status == 0, text
    assert list(folder.iterdir()) == []


def test_check_config_accepts_and_starts_nothing(folder):
    path = write_config(folder, CLUSTER_LINES + "port 7991\n")
    status, text = run_server(path, "--check-config", cwd=folder)
    assert status == 0, text
    status, text = run_server("--check-config", path, cwd=folder)
    assert status == 0, text
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize("line, expected", [
    ("dir {folder}/redis.conf/data", "cannot use data folder"),
    ("logfile {folder}/none/log", "cannot open logfile"),
    ("logfile {folder}", "cannot open logfile"),
    ("unixsocket {folder}/none/socket", "could not bind"),
    ("bind 192.0.2.1", "could not bind 192.0.2.1"),
    ("bind no-such-host.invalid", "could not bind no-such-host.invalid"),
])
def test_check_config_finds_what_a_start_would(folder, line, expected):
    path = write_config(folder, f"port 0\nunixsocket {folder}/socket\ndir {folder}/data\n" +
                        line.format(folder=folder) + ("\nport 7991\n" if "bind" in line else "\n"))
    checked, started = refusal(path, "--check-config"), refusal(path)
    assert expected in checked and "fine" not in checked, checked
    assert expected in started, started


def test_check_config_takes_a_folder_that_would_be_made(folder):
    path = write_config(folder, CLUSTER_LINES + f"port 7991\ndir {folder}/a/b\n")
    status, text = run_server(path, "--check-config")
    assert status == 0, text
    assert list(folder.iterdir()) == [path]


def test_check_config_knows_its_own_running_node_from_a_stranger(make_cluster):
    cluster = make_cluster(size=1)
    node = cluster.nodes[0]
    status, text = run_server(node.config, "--check-config")
    assert status == 0, text
    text = refusal(node.config, "--check-config", "--dir", cluster.dir / "other")
    assert str(node.port) in text and "in use" in text, text


def nodes_line(count, port=7991):
    return "cluster-nodes " + ",".join(f"{i + 1}@127.0.0.1:{port + i}" for i in range(count)) + "\n"


@pytest.mark.parametrize("lines, expected", [
    (nodes_line(2), "a cluster of two nodes survives the loss of neither"),
    (nodes_line(4), "a cluster of 4 nodes survives the loss of 1, as one of 3 nodes does; 5 nodes survive the loss of 2"),
    (nodes_line(3), None),
    (nodes_line(1), None),
    (nodes_line(3) + "port 7999\n", "cluster-nodes says that node 1 is reached at port 7991"),
    (nodes_line(3).replace("127.0.0.1:7991", "192.0.2.1:7991") + "bind 127.0.0.1 -::1\n",
     "cluster-nodes says that node 1 is reached at 192.0.2.1"),
])
def test_what_an_operator_should_know_is_said_by_check_config(folder, lines, expected):
    path = write_config(folder, "port 7991\ncluster-secret 0123456789abcdef0123456789abcdef\n" + lines)
    path.chmod(0o600)
    status, text = run_server(path, "--check-config", cwd=folder)
    assert status == 0, text
    if expected:
        assert expected in text, text
    else:
        assert text == "configuration is fine\n", text


def test_what_an_operator_should_know_is_in_the_log(make_cluster):
    cluster = make_cluster(size=2)
    for node in cluster.nodes:
        assert "a cluster of two nodes survives the loss of neither" in node.log.read_text()
        assert "is reached at port" not in node.log.read_text()


def test_background_process_is_up_when_its_parent_ends(make_cluster):
    cluster = make_cluster(start=False, size=1)
    node = cluster.nodes[0]
    status, text = run_server(node.config, "--daemonize", "yes", "--logfile", node.log)
    assert status == 0, text
    try:
        info = node.info("server")
        assert info["process_id"] != "1"
    finally:
        os.kill(int(node.info("server")["process_id"]), 15)
    wait_for(lambda: "bye" in node.log.read_text(), 20, "the node in the background has ended")


@pytest.mark.parametrize("line, expected", [
    ("bind 192.0.2.1", "could not bind 192.0.2.1"),
    ("logfile /none/log", "cannot open logfile '/none/log'"),
    ("dir /dev/null/data", "cannot use data folder"),
])
def test_background_start_that_fails_says_why(make_cluster, line, expected):
    node = make_cluster(start=False, size=1).nodes[0]
    node.config.write_text(node.config.read_text() + line + "\n")
    text = refusal(node.config, "--daemonize", "yes")
    assert expected in text, text


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_when_the_node_serves_and_stops(make_cluster, abstract):
    node = make_cluster(start=False, size=1, supervised="auto").nodes[0]
    name = f"{node.dir}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind("\0" + name if abstract else name)
        supervisor.settimeout(20)
        node.environment = {"NOTIFY_SOCKET": ("@" if abstract else "") + name}
        node.start(wait=False)
        assert b"READY=1" in supervisor.recv(1024).split(b"\n")
        assert node.call("PING") == "PONG"
        node.process.terminate()
        assert b"STOPPING=1" in supervisor.recv(1024).split(b"\n")
        assert node.wait_exit() == 0


def test_supervised_without_a_socket_is_warned_of(make_cluster):
    node = make_cluster(size=1, supervised="systemd").nodes[0]
    assert "NOTIFY_SOCKET is not set" in node.log.read_text()


def test_redis_directives_without_meaning_are_accepted_with_a_warning(folder):
    path = write_config(folder, CLUSTER_LINES + "save 900 1\nrdbcompression yes\n")
    status, text = run_server(path, "--check-config")
    assert status == 0, text
    assert "rdbcompression" in text and "save" in text, text


def test_version_and_help():
    for option in ("--version", "-v"):
        status, text = run_server(option)
        assert status == 0 and "flotilla" in text.lower() and "v=" in text, text
    for option in ("--help", "-h"):
        status, text = run_server(option)
        assert status == 0 and "redis.conf" in text and "--check-config" in text, text


def test_a_stopped_node_ends_with_status_0(make_cluster):
    cluster = make_cluster()
    for node in cluster.nodes:
        assert node.stop() == 0, node.tail()
