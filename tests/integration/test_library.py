"""libflotilla: its examples through the death of leaders and cuts, and what it shows of itself."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from cases import first_and_long
from cluster import PATIENCE, SERVER, TOP, spawn, temporary_folder
from resp import Closed
from waiting import wait_for

BUILD = pathlib.Path(SERVER).resolve().parent
EXAMPLES = BUILD / "examples"


def nodes_of(cluster):
    return ",".join(node.address for node in cluster.nodes)


def run(*command, timeout=120, **more):
    return subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout * PATIENCE, text=True, check=False, **more)


class Program:
    """An example that runs beside the test; its output is in a file."""

    def __init__(self, cluster, *command):
        self.output = cluster.dir / "output"
        self.output.unlink(missing_ok=True)
        self.process = spawn([*map(str, command)], self.output)

    def end(self, timeout=120):
        status = self.process.wait(timeout * PATIENCE)
        return status, self.output.read_text()


def value_of(cluster, key):
    return int(cluster.wait_leader().call("GET", key) or 0)


def disturb(cluster, example, count, disturbances, once, again):
    """Runs an example again and again until it was disturbed so often. Each run counts `count`, all of them once each.
    `once(leader)` disturbs; when the counter has grown nevertheless, `again(leader)` makes it good."""
    total = value_of(cluster, example)
    done = 0
    while done < disturbances:
        program = Program(cluster, EXAMPLES / example, nodes_of(cluster), count)
        while done < disturbances and program.process.poll() is None:
            leader = cluster.wait_leader()
            before = value_of(cluster, example)
            once(leader)
            wait_for(lambda: program.process.poll() is not None or grown(cluster, leader, example, before), 60 * PATIENCE,
                     "the counter goes on")
            done += 1
            again(leader)
            wait_for(lambda: all(node.running for node in cluster.nodes), 20 * PATIENCE, "all run")
        status, output = program.end()
        total += count
        expected = f"answered {count}, unknown 0, failed 0, highest {total}" if example == "async" else str(total)
        assert (status, output.strip()) == (0, expected)
        assert value_of(cluster, example) == total
    cluster.wait_equal()


def grown(cluster, but, example, before):
    """As a node that is not disturbed has applied it."""
    for node in cluster.nodes:
        with contextlib.suppress(OSError, Closed, TypeError):
            if node is not but and int(node.read_stale("GET", example)) > before:
                return True
    return False


@pytest.mark.parametrize("example,count", first_and_long([("async", 30000), ("counter", 1000)]))
def test_each_increment_counts_once_while_leaders_are_killed(make_cluster, example, count):
    cluster = make_cluster(size=3, leader_wait_ms=20000)
    disturb(cluster, example, count, 5, lambda leader: leader.kill(), lambda leader: leader.start())


def test_increments_count_once_over_cuts_of_the_leader(make_cluster):
    cluster = make_cluster(size=3, links=True, leader_wait_ms=1000)
    disturb(cluster, "async", 10000, 3, lambda leader: cluster.cut([leader]), lambda _: cluster.heal())


def test_increments_count_once_while_leaders_stand_still(make_cluster):
    cluster = make_cluster(size=3)
    disturb(cluster, "async", 30000, 2, lambda leader: leader.pause(), lambda leader: leader.resume())


@pytest.mark.parametrize("example,count", first_and_long([("counter", 60), ("async", 2000)]))
def test_memory_is_used_as_it_should_be_while_a_leader_is_killed(make_cluster, example, count):
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is not here")
    cluster = make_cluster(size=3, leader_wait_ms=20000)
    program = Program(cluster, "valgrind", "--error-exitcode=9", "--leak-check=full", "-q", EXAMPLES / example,
                      nodes_of(cluster), count)
    wait_for(lambda: value_of(cluster, example) > count // 10, 60 * PATIENCE, "it counts")
    cluster.wait_leader().kill()
    status, output = program.end()
    assert status == 0, output
    assert value_of(cluster, example) == count


def test_a_deadline_holds_without_a_majority(make_cluster):
    cluster = make_cluster(size=3)
    for node in cluster.followers():
        node.kill()
    leader = cluster.running[0]
    wait_for(lambda: not leader.says_leader(), 30 * PATIENCE, "the leader gives up")
    command = [BUILD / "flotilla-cli", "-n", nodes_of(cluster), "-t", "700", "bench", "--once", "--requests", "3"]
    done = run(*command)
    # The session could not be begun, so that nothing was carried out.
    assert done.returncode == 3, done.stdout
    assert "before the deadline" in done.stdout
    leader.kill()
    assert run(*command).returncode == 3


def test_the_example_pipelines_values_of_any_bytes(make_cluster):
    cluster = make_cluster(size=3)
    for number in (1, 3):
        done = run(EXAMPLES / "pipeline", nodes_of(cluster))
        assert done.returncode == 0, done.stdout
        assert done.stdout.splitlines() == [f"7 bytes, picture number {number}", "2 replies of one transaction"]
    assert cluster.wait_leader().call("GET", "picture") == b"\x89PNG\0\r\n"
    assert cluster.wait_leader().call("GET", "pictures") == b"4"


def test_redirects_are_followed(make_cluster):
    cluster = make_cluster(size=3, follower_mode="redirect")
    for node in cluster.nodes:
        done = run(EXAMPLES / "counter", node.address, 5)
        assert done.returncode == 0, done.stdout
    assert value_of(cluster, "counter") == 15
    disturb(cluster, "counter", 500, 2, lambda leader: leader.kill(), lambda leader: leader.start())


def test_a_password_is_said(make_cluster):
    cluster = make_cluster(size=1, requirepass="sesame", start=False)
    cluster.nodes[0].start()
    cli = [BUILD / "flotilla-cli", "-n", nodes_of(cluster), "-t", "10000"]
    wait_for(lambda: run(*cli, "-a", "sesame", "members").returncode == 0, 30 * PATIENCE, "the node leads")
    done = run(*cli, "-a", "wrong", "members")
    assert done.returncode == 1 and "WRONGPASS" in done.stdout
    done = run(*cli, "members")
    assert done.returncode == 1 and "NOAUTH" in done.stdout
    assert run(*cli, "members", env={**os.environ, "FLOTILLA_PASSWORD": "sesame"}).returncode == 0


# --- what the library shows of itself ---

def symbols(*options):
    listed = subprocess.run(["nm", *map(str, options)], stdout=subprocess.PIPE, text=True, check=True)
    return {line.split()[-1] for line in listed.stdout.splitlines() if len(line.split()) == 3}


def declared():
    header = re.sub(r"/\*.*?\*/|typedef [^;]*;", "", (TOP / "lib/flotilla.h").read_text(), flags=re.S)
    return set(re.findall(r"\b(flotilla_\w+)\(", header))


def version():
    return re.search(r'FLOTILLA_VERSION "([\d.]+)"', (TOP / "lib/flotilla.h").read_text()).group(1)


def test_only_what_the_header_declares_is_seen():
    shared = BUILD / f"libflotilla.so.{version()}"
    assert symbols("-D", "--defined-only", "--extern-only", shared) == declared()
    assert symbols("--defined-only", "--extern-only", BUILD / "libflotilla.a") == declared()


def test_the_library_has_the_version_of_the_server_and_a_name_with_its_first_number():
    shared = BUILD / f"libflotilla.so.{version()}"
    assert f'"{version()}"' in (TOP / "src/base/version.h").read_text()
    dynamic = subprocess.run(["objdump", "-p", shared], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert f"SONAME               libflotilla.so.{version().split('.', maxsplit=1)[0]}\n" in dynamic


def test_the_library_prints_nothing_ends_nothing_and_has_no_writable_data():
    undefined = {line.split()[-1].split("@")[0] for line in subprocess.run(
        ["nm", "-u", BUILD / "libflotilla.a"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        if line.strip().startswith("U ")}
    assert "recv" in undefined and "snprintf" in undefined | {"snprintf"}
    forbidden = {"printf", "fprintf", "puts", "putchar", "perror", "stdout", "stderr", "exit", "_exit", "abort",
                 "signal", "sigaction", "raise", "kill", "syslog", "fork", "setlocale", "strtok", "srand", "rand"}
    assert not undefined & forbidden
    table = subprocess.run(["nm", "--defined-only", "--format=sysv", BUILD / "libflotilla.a"], stdout=subprocess.PIPE,
                           text=True, check=True).stdout
    rows = [[part.strip() for part in line.split("|")] for line in table.splitlines() if line.count("|") == 6]
    writable = {re.sub(r"\.\d+$", "", row[0]) for row in rows
                if re.match(r"\.(bss|data(?!\.rel\.ro))", row[6]) and not row[0].startswith((".", "__"))}
    assert writable <= {"functions"}  # hiredis takes its table without const


@pytest.fixture(scope="module")
def installed():
    folder = temporary_folder("installed")
    prefix = folder / "usr"
    done = run("make", "-s", "-C", TOP, "install", f"BUILD={BUILD}", f"PREFIX={prefix}", timeout=600)
    assert done.returncode == 0, done.stdout
    yield prefix
    shutil.rmtree(folder)


@pytest.mark.parametrize("compiler", [("gcc", "-std=c99"), ("clang", "-std=c17"), ("g++", "-std=c++11", "-x", "c++")])
def test_a_program_is_built_against_what_was_installed(installed, compiler):
    if not shutil.which(compiler[0]):
        pytest.skip(f"{compiler[0]} is not here")
    source = installed / "program.c"
    source.write_text('#include <flotilla.h>\n#include <stdio.h>\nint main(void)\n{\n'
                      "    struct flotilla_options options = FLOTILLA_OPTIONS;\n    struct flotilla_error error;\n"
                      '    options.nodes = "127.0.0.1:1";\n    options.timeout_ms = 50;\n'
                      "    struct flotilla *client = flotilla_new(&options, NULL, &error);\n"
                      '    struct flotilla_reply *reply = flotilla_do(client, &error, "GET", "k", (char *)NULL);\n'
                      '    printf("%d %s\\n", reply != NULL, flotilla_status_name(error.status));\n'
                      "    flotilla_free(client);\n    return 0;\n}\n")
    environment = {**os.environ, "PKG_CONFIG_PATH": str(installed / "lib/pkgconfig")}

    def flags(*what):
        return subprocess.run(["pkg-config", *what, "flotilla"], env=environment, stdout=subprocess.PIPE, text=True,
                              check=True).stdout.split()

    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    program = installed / "program"
    done = run(*compiler, *warnings, source, "-x", "none", *flags("--cflags", "--libs"), "-o", program)
    assert done.returncode == 0, done.stdout
    done = run(program, env={**os.environ, "LD_LIBRARY_PATH": str(installed / "lib")})
    assert (done.returncode, done.stdout) == (0, "0 TIMEOUT\n")


def test_a_program_holds_the_static_library(installed):
    source = installed / "static.c"
    source.write_text('#include <flotilla.h>\n#include <stdio.h>\n'
                      'int main(void) { puts(flotilla_version()); flotilla_free(NULL); return 0; }\n')
    environment = {**os.environ, "PKG_CONFIG_PATH": str(installed / "lib/pkgconfig")}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "--static", "flotilla"], env=environment,
                           stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    flags = [str(installed / "lib/libflotilla.a") if flag == "-lflotilla" else flag for flag in flags]
    done = run("gcc", source, *flags, "-o", installed / "static")
    assert done.returncode == 0, done.stdout
    assert run(installed / "static").stdout.strip() == version()


def test_what_is_installed_can_be_removed(installed):
    assert (installed / "bin/flotilla-cli").exists()
    assert (installed / "share/man/man3/flotilla.3").exists()
    where = [f"BUILD={BUILD}", f"DESTDIR={installed}/other", "PREFIX=/opt", "LIBDIR=/opt/lib64"]
    done = run("make", "-s", "-C", TOP, "install", *where, timeout=600)
    assert done.returncode == 0, done.stdout
    described = (installed / "other/opt/lib64/pkgconfig/flotilla.pc").read_text()
    assert "prefix=/opt\n" in described and "libdir=/opt/lib64\n" in described
    assert (installed / "other/opt/lib64/libflotilla.so").resolve().exists()
    done = run("make", "-s", "-C", TOP, "uninstall", *where, timeout=600)
    assert done.returncode == 0, done.stdout
    assert not [path for path in (installed / "other").rglob("*") if not path.is_dir()]


# --- manual pages ---

PAGES = sorted((TOP / "lib/man").glob("*.[137]"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_manual_page_is_well_formed(page):
    if shutil.which("mandoc"):
        done = run("mandoc", "-T", "lint", "-W", "warning", page)
    elif shutil.which("groff"):
        done = run("groff", "-ww", "-mandoc", "-Tascii", "-z", page)
    else:
        pytest.skip("neither mandoc nor groff is here")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_manual_page_names_every_function_and_status():
    text = (TOP / "lib/man/flotilla.3").read_text()
    header = re.sub(r"/\*.*?\*/", "", (TOP / "lib/flotilla.h").read_text(), flags=re.S)
    names = declared() | set(re.findall(r"\bFLOTILLA_[A-Z_]+\b(?=[,= ])", header.split("enum flotilla_status", 1)[1]
                                        .split("};", 1)[0]))
    names |= set(re.findall(r"(\w+);", header.split("struct flotilla_options {", 1)[1].split("};", 1)[0]))
    assert not [name for name in names if name not in text]


def test_the_manual_page_of_the_tool_names_every_option():
    text = (TOP / "lib/man/flotilla-cli.1").read_text()
    options = re.findall(r'\{"([a-z-]+)", (?:no|required)_argument', (TOP / "cli/main.c").read_text())
    assert len(options) == 15
    assert not [option for option in options if f"-{option}" not in text.replace("\\-", "-")]
