"""make install, uninstall and dist: what they put where, whether it is right, and that all of it goes away again."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from cluster import SERVER, TOP, run_server, temporary_folder

CHECK = pathlib.Path(SERVER).resolve().parent / "flotilla-check"
INSTALLED = {
    "bin/flotilla-server": 0o755,
    "bin/flotilla-check": 0o755,
    "share/man/man1/flotilla-server.1": 0o644,
    "share/man/man1/flotilla-check.1": 0o644,
    "share/man/man5/flotilla.conf.5": 0o644,
    "share/bash-completion/completions/flotilla-server": 0o644,
    "share/bash-completion/completions/flotilla-check": 0o644,
    "lib/systemd/system/flotilla.service": 0o644,
    "lib/sysusers.d/flotilla.conf": 0o644,
    "lib/tmpfiles.d/flotilla.conf": 0o644,
    "share/doc/flotilla/redis.conf.example": 0o644,
    "share/doc/flotilla/README.md": 0o644,
    "share/doc/flotilla/LICENSE": 0o644,
}
EXAMPLE = (TOP / "redis.conf.example").read_text()
DIRECTIVES = sorted(set(re.findall(r"^([a-z][a-z-]*) ", EXAMPLE, re.M)))


def run(*command, **more):
    """Standard output of a command that has to succeed; a make that runs the tests does not reach into it."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120, check=False, text=True, **{"cwd": TOP, "env": environment} | more)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


def needs(tool):
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not there")


class Tree:
    """Programs that are built, and a folder into which they are installed."""

    def __init__(self, folder):
        self.build = folder / "build"
        self.dest = folder / "dest"
        self.build.mkdir()
        for program in (SERVER, CHECK):
            shutil.copy(program, self.build / pathlib.Path(program).name)

    def make(self, target, prefix="/usr", dest=None):
        programs = [self.build / "flotilla-server", self.build / "flotilla-check"]
        return run("make", "-s", *(word for program in programs for word in ("-o", program)), target,
                   f"BUILD={self.build}", f"DESTDIR={self.dest if dest is None else dest}", f"PREFIX={prefix}")

    def files(self):
        return {str(path.relative_to(self.dest)): path.stat().st_mode & 0o7777
                for path in self.dest.rglob("*") if not path.is_dir()}

    def read(self, name):
        return (self.dest / name).read_text()


@pytest.fixture
def tree():
    folder = temporary_folder("install")
    yield Tree(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def installed():
    folder = temporary_folder("installed")
    one = Tree(folder)
    one.make("install-server")
    yield one
    shutil.rmtree(folder)


@pytest.mark.parametrize("prefix, etc", [("/usr", "etc"), ("/usr/local", "usr/local/etc"), ("/opt/flotilla", "opt/flotilla/etc")])
def test_uninstall_takes_back_all_that_install_has_put_there(tree, prefix, etc):
    tree.make("install-server", prefix)
    expected = {f"{prefix[1:]}/{name}": mode for name, mode in INSTALLED.items()}
    assert tree.files() == expected | {f"{etc}/flotilla/redis.conf": 0o640}
    for name in expected:
        if "bin/" not in name:
            assert not re.search("@[A-Z]+@", tree.read(name)), f"{name} has a gap"
    assert f"ExecStart={prefix}/bin/flotilla-server /{etc}/flotilla/redis.conf " in \
        tree.read(f"{prefix[1:]}/lib/systemd/system/flotilla.service")
    tree.make("uninstall-server", prefix)
    assert tree.files() == {}
    assert not (tree.dest / etc / "flotilla").exists()


def test_a_changed_configuration_outlives_both(tree):
    tree.make("install-server")
    config = tree.dest / "etc/flotilla/redis.conf"
    config.write_text("port 7001\n")
    tree.make("install-server")
    assert config.read_text() == "port 7001\n"
    assert "kept" in tree.make("uninstall-server")
    assert tree.files() == {"etc/flotilla/redis.conf": 0o640}


def test_what_others_have_put_there_stays(tree):
    other = tree.dest / "usr/share/man/man1/other.1"
    other.parent.mkdir(parents=True)
    other.write_text("another page\n")
    tree.make("install-server")
    tree.make("uninstall-server")
    assert set(tree.files()) == {"usr/share/man/man1/other.1"}


def test_the_configuration_of_the_service_is_fine_and_open_to_this_machine_only(installed, tmp_path):
    text = installed.read("etc/flotilla/redis.conf")
    changed = set(text.splitlines()) - set(EXAMPLE.splitlines())
    assert changed == {"dir /var/lib/flotilla", "bind 127.0.0.1 -::1", "supervised auto"}
    status, said = run_server(installed.dest / "etc/flotilla/redis.conf", "--dir", tmp_path, "--port", "0",
                              "--unixsocket", tmp_path / "socket", "--check-config")
    assert status == 0 and "configuration is fine" in said, said


# --- man pages ---

PAGES = ["man1/flotilla-server.1", "man1/flotilla-check.1", "man5/flotilla.conf.5"]


@pytest.mark.parametrize("page", PAGES)
def test_mandoc_and_groff_find_nothing_wrong_with_a_page(installed, page):
    path = installed.dest / "usr/share/man" / page
    found = 0
    if shutil.which("mandoc"):
        assert run("mandoc", "-T", "lint", "-W", "warning", path) == ""
        found += 1
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-ww", "-mandoc", "-Tutf8", path], capture_output=True, check=True, timeout=60)
        assert done.stderr == b"" and len(done.stdout) > 1000
        found += 1
    if not found:
        pytest.skip("neither mandoc nor groff is there")


def test_each_directive_has_its_entry(installed):
    entries = re.findall(r"^\.It Ic (\S+) Ns", installed.read("usr/share/man/man5/flotilla.conf.5"), re.M)
    assert len(DIRECTIVES) > 80 and sorted(set(entries)) == DIRECTIVES


def help_options(program):
    text = run(program, "--help").replace("redis-cli --pipe", "")
    return set(re.findall(r"(?:^|[\s\[])(--[a-z][a-z-]+)", text))


def page_options(text):
    text = re.sub(r" \| ", " , ", text)
    return {f"--{word}" for line in text.splitlines() for group in re.findall(r"Fl Fl ((?:[a-z-]+(?: , (?=[a-z]))?)+)", line)
            for word in group.split(" , ")}


@pytest.mark.parametrize("name", ["flotilla-server", "flotilla-check"])
def test_a_page_has_the_options_of_the_program(installed, name):
    text = installed.read(f"usr/share/man/man1/{name}.1")
    options = help_options(SERVER if name.endswith("server") else CHECK)
    # Directives are examples of the usage.
    options -= {f"--{directive}" for directive in DIRECTIVES}
    assert len(options) >= 5 and options <= page_options(text), options - page_options(text)


# --- completion ---

def complete(installed, *words):
    function = "_" + words[0].replace("-", "_")
    script = f"source {installed.dest}/usr/share/bash-completion/completions/{words[0]} && shift && " \
             f"COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) && {function}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return set(run("bash", "-c", script, "bash", "-", *words).split())


def test_bash_completes_options_and_their_values(installed):
    needs("bash")
    everything = complete(installed, "flotilla-server", "--")
    assert {f"--{directive}" for directive in DIRECTIVES} <= everything
    assert {"--check-config", "--import", "--begin-cluster"} <= everything
    assert complete(installed, "flotilla-server", "--appendfs") == {"--appendfsync"}
    assert complete(installed, "flotilla-server", "--appendfsync", "") == {"always", "everysec", "no"}
    assert help_options(CHECK) == complete(installed, "flotilla-check", "--")
    assert complete(installed, "flotilla-check", "--format", "r") == {"resp"}


# --- systemd ---

def test_systemd_takes_the_unit_and_finds_it_hardened(tree):
    needs("systemd-analyze")
    prefix = tree.dest / "usr"
    tree.make("install-server", prefix, dest="")
    unit = prefix / "lib/systemd/system/flotilla.service"
    assert run("systemd-analyze", "verify", "--man=no", unit) == ""
    assert "OK" in run("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", unit)
    text = unit.read_text()
    assert "Type=notify\n" in text and "WatchdogSec=" in text


def test_systemd_makes_the_user_and_the_folders(installed):
    needs("systemd-sysusers")
    needs("systemd-tmpfiles")
    if os.geteuid() != 0:
        pytest.skip("needs root, for files of another user in a folder of its own")
    root = installed.dest
    run("systemd-sysusers", f"--root={root}")
    assert re.search("^flotilla:.*:/var/lib/flotilla:", installed.read("etc/passwd"), re.M)
    run("systemd-tmpfiles", f"--root={root}", "--create", root / "usr/lib/tmpfiles.d/flotilla.conf")
    user = int(re.search(r"^flotilla:[^:]*:(\d+):", installed.read("etc/passwd"), re.M)[1])
    data, folder, config = (os.stat(root / name) for name in ("var/lib/flotilla", "etc/flotilla", "etc/flotilla/redis.conf"))
    assert (data.st_uid, data.st_mode & 0o7777) == (user, 0o750)
    assert (folder.st_uid, folder.st_mode & 0o7777) == (0, 0o2770)
    assert (config.st_uid, config.st_mode & 0o7777) == (user, 0o640)


# --- equal bytes ---

def test_a_tarball_is_made_of_the_commit_and_of_nothing_else(tree):
    needs("git")
    if not (TOP / ".git").exists():
        pytest.skip("this is no clone")
    made = []
    for name in ("one", "another place"):
        clone = tree.dest / name
        run("git", "clone", "-q", TOP, clone)
        (clone / "notes.txt").write_text("not committed\n")
        run("make", "-s", "dist", cwd=clone, umask=0o077 if made else 0o022)
        [path] = (clone / "build").glob("flotilla-*.tar.gz")
        made.append(path)
    assert made[0].name == made[1].name and made[0].read_bytes() == made[1].read_bytes()
    names = run("tar", "tzf", made[0]).splitlines()
    top = made[0].name.removesuffix(".tar.gz")
    assert all(name.startswith(f"{top}/") for name in names)
    assert {f"{top}/Makefile", f"{top}/src/server/main.c", f"{top}/README.md"} <= set(names)
    assert f"{top}/notes.txt" not in names


def test_objects_do_not_know_where_they_were_built(tree):
    sources = ["src/base/buf.c", "src/platform/files.c", "src/server/supervisor.c"]
    made = []
    for name in ("one", "another-place-with-a-longer-name"):
        folder = tree.dest / name
        folder.mkdir(parents=True)
        for part in ("Makefile", "src", "lib", "cli", "deps", "deploy", "tests", "redis.conf.example", "README.md", "LICENSE"):
            (folder / part).symlink_to(TOP / part)
        objects = [f"build/obj/{source.removesuffix('.c')}.o" for source in sources]
        run("make", "-s", *objects, cwd=folder)
        made.append([(folder / one).read_bytes() for one in objects])
    assert made[0] == made[1]
    assert str(tree.dest).encode() not in b"".join(made[0])
    dated = subprocess.run(["grep", "-rnE", "__(DATE|TIME|TIMESTAMP)__", "src"], cwd=TOP, capture_output=True, check=False)
    assert dated.returncode == 1, dated.stdout
