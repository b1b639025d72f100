"""redis.conf, the command line, CONFIG."""
import socket

import pytest

from cluster import SERVER, Ports, spawn
from resp import Connection, Error
from waiting import wait_for


def config_get(connection, name):
    reply = connection.call("CONFIG", "GET", name)
    return dict(zip(reply[::2], reply[1::2])).get(name.encode())


def test_includes_quoting_and_the_command_line(make_cluster):
    cluster = make_cluster(start=False)
    node = cluster.nodes[0]
    (node.dir / "more-1.conf").write_text("timeout 11\ntcp-keepalive 60\n")
    (node.dir / "more-2.conf").write_text("TIMEOUT 12\n")
    node.config.write_text(node.config.read_text() + "\n  # indented comment\n"
                           f"include {node.dir}/more-*.conf\n"
                           'requirepass "a b\\x41\\n\\"c\\""\n'
                           "maxmemory 1gb\nmaxclients 100\n")
    node.start(True, "--maxclients", "77", "--loglevel", "warning")
    with node.connect() as connection:
        assert connection.call("PING").code == "NOAUTH"
        assert connection.call("AUTH", "wrong").code == "WRONGPASS"
        assert connection.call("AUTH", 'a bA\n"c"') == "OK"
        assert config_get(connection, "timeout") == b"12"
        assert config_get(connection, "tcp-keepalive") == b"60"
        assert config_get(connection, "maxclients") == b"77"
        assert config_get(connection, "loglevel") == b"warning"
        assert config_get(connection, "maxmemory") == str(1 << 30).encode()


def test_configuration_from_standard_input(make_cluster):
    import subprocess
    from cluster import die_with_parent
    cluster = make_cluster(start=False)
    node = cluster.nodes[0]
    with open(node.log, "wb") as log:
        node.process = subprocess.Popen([SERVER, "-", "--maxclients", "55"], stdin=subprocess.PIPE, stdout=log,
                                        stderr=log, preexec_fn=die_with_parent)
    node.process.stdin.write(node.config.read_bytes())
    node.process.stdin.close()
    node.wait_until_up()
    with node.connect() as connection:
        assert config_get(connection, "maxclients") == b"55"
        assert config_get(connection, "port") == str(node.port).encode()


def test_config_set_and_rewrite_survive_a_restart(make_cluster):
    cluster = make_cluster()
    node = cluster.followers()[0]
    node.config.write_text("# kept comment\n" + node.config.read_text() + "\n# timeout comes below\ntimeout 5\n")
    node.kill()
    node.start()
    with node.connect() as connection:
        assert connection.call("CONFIG", "SET", "timeout", "3600", "maxclients", "123") == "OK"
        assert config_get(connection, "timeout") == b"3600"
        assert connection.call("CONFIG", "REWRITE") == "OK"
    text = node.config.read_text()
    assert text.startswith("# kept comment\n")
    assert "# timeout comes below\ntimeout 3600\n" in text
    assert "maxclients 123" in text
    node.kill()
    node.start()
    with node.connect() as connection:
        assert config_get(connection, "timeout") == b"3600"
        assert config_get(connection, "maxclients") == b"123"
    cluster.wait_equal()


def test_rewrite_keeps_mode_and_finds_the_data_from_another_folder(make_cluster):
    cluster = make_cluster(start=False, size=1)
    node = cluster.nodes[0]
    node.config.write_text("# mine\n" + node.config.read_text().replace(f'dir "{node.data}"', "dir ./data"))
    node.config.chmod(0o640)
    node.start()
    cluster.wait_leader()
    assert node.call("SET", "a", "1") == "OK"
    assert node.call("CONFIG", "SET", "timeout", "3600") == "OK"
    assert node.call("CONFIG", "REWRITE") == "OK"
    assert node.config.stat().st_mode & 0o7777 == 0o640
    text = node.config.read_text()
    assert text.startswith("# mine\n") and f"dir {node.data}\n" in text and "timeout 3600" in text
    node.kill()
    node.process = spawn([SERVER, str(node.config)], node.log, cwd="/")
    node.wait_until_up()
    cluster.wait_leader()
    assert node.call("GET", "a") == b"1"


def test_secret_in_a_file_that_all_may_read_is_warned_of(make_cluster):
    cluster = make_cluster(start=False, size=1)
    node = cluster.nodes[0]
    more = node.dir / "more.conf"
    more.write_text("requirepass x\n")
    more.chmod(0o644)
    node.config.write_text(node.config.read_text() + f"include {more}\nlogfile {node.dir}/own-log\n")
    node.config.chmod(0o600)
    node.start()
    said = f"{more}: it holds a secret, and every user of this machine may read it"
    assert said in node.log.read_text()
    assert said in (node.dir / "own-log").read_text()
    assert f"{node.config}: it holds" not in node.log.read_text()


@pytest.fixture(scope="module")
def cluster():
    from cluster import Cluster
    with Cluster("config") as one:
        yield one


def test_config_set_takes_all_or_nothing(cluster):
    with cluster.nodes[0].connect() as connection:
        before = config_get(connection, "timeout")
        assert isinstance(connection.call("CONFIG", "SET", "timeout", "7", "maxclients", "x"), Error)
        assert config_get(connection, "timeout") == before
        assert isinstance(connection.call("CONFIG", "SET", "timeout", "7", "no-such-thing", "1"), Error)
        assert config_get(connection, "timeout") == before
        assert isinstance(connection.call("CONFIG", "SET", "port", "1"), Error) or \
            config_get(connection, "port") != b"1"
        assert isinstance(connection.call("CONFIG", "SET", "node-id", "2"), Error)


def address_of_this_machine():
    """One that is not a loopback address, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


def test_debug_is_for_whom_the_file_says(make_cluster):
    cluster = make_cluster(start=False, size=1, bind="*", protected_mode="no", enable_debug_command="local")
    node = cluster.nodes[0]
    node.start()
    assert node.call("DEBUG", "SLEEP", "0") == "OK"
    assert node.call("CONFIG", "SET", "enable-debug-command", "yes").code == "ERR"
    address = address_of_this_machine()
    if address:
        with Connection(host=address, port=node.port) as connection:
            assert "DEBUG command not allowed" in str(connection.call("DEBUG", "SLEEP", "0"))
    node.kill()
    node.start(True, "--enable-debug-command", "no")
    assert "DEBUG command not allowed" in str(node.call("DEBUG", "DIGEST"))


def test_config_get_takes_patterns_and_several_names(cluster):
    with cluster.nodes[0].connect() as connection:
        reply = connection.call("CONFIG", "GET", "raft-*", "MAXCLIENTS")
        names = [name.decode() for name in reply[::2]]
        assert "raft-heartbeat-ms" in names and "MAXCLIENTS" in names
        assert len(names) == len(set(names))
        everything = connection.call("CONFIG", "GET", "*")
        assert len(everything) // 2 > 30
        assert connection.call("CONFIG", "GET", "nothing-like-this") == []


def test_what_the_log_says_about_fsync(make_cluster):
    for mode in ("everysec", "no"):
        cluster = make_cluster(appendfsync=mode)
        assert cluster.wait_leader().call("SET", "a", "1") == "OK"
        assert "appendfsync" in cluster.nodes[0].log.read_text()
        cluster.close()


def test_logfile_pidfile_and_daemonize(make_cluster):
    import os
    import signal
    cluster = make_cluster(start=False)
    node = cluster.nodes[0]
    pidfile, logfile = node.dir / "pid", node.dir / "server.log"
    cluster.write_config(node, daemonize="yes", pidfile=f'"{pidfile}"', logfile=f'"{logfile}"')
    process = spawn([SERVER, str(node.config)], node.log)
    assert process.wait(20) == 0
    pid = int(wait_for(lambda: pidfile.exists() and pidfile.read_text().strip(), 10, "the pidfile"))
    try:
        wait_for(lambda: node.call("PING") == "PONG" if can_connect(node.port) else False, 10, "the node answers")
        assert logfile.stat().st_size > 0
        assert node.info("server")["process_id"] == str(pid)
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not can_connect(node.port), 20, "the node is gone")
    wait_for(lambda: not pidfile.exists(), 10, "the pidfile is removed")


def can_connect(port):
    try:
        Connection(port=port, timeout=1).close()
    except OSError:
        return False
    return True


def test_ports_are_given_once():
    ports = Ports()
    try:
        assert len({ports.take() for _ in range(20)}) == 20
    finally:
        ports.close()


def test_shutdown_of_a_follower_and_of_the_leader(make_cluster):
    cluster = make_cluster()
    follower = cluster.followers()[0]
    leader = cluster.wait_leader()
    with follower.connect() as connection:
        connection.send("SHUTDOWN")
        assert connection.read_to_end() == b""
    assert follower.wait_exit() == 0
    follower.start()
    cluster.wait_equal()
    with leader.connect() as connection:
        assert connection.call("SET", "a", "1") == "OK"
        connection.send("SHUTDOWN", "NOSAVE")
        assert connection.read_to_end() == b""
    assert leader.wait_exit() == 0
    assert cluster.wait_leader(but=leader).call("GET", "a") == b"1"
    assert isinstance(cluster.wait_leader().call("SHUTDOWN", "WHENEVER"), Error)
