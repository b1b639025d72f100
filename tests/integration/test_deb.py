"""make deb: what is in the package, what lintian says, and its life from installation to purge."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from cluster import SERVER, TOP, temporary_folder

NO_SYSTEM = 77
HERE = pathlib.Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(not all(map(shutil.which, ("dpkg-deb", "dpkg-shlibdeps", "strip"))),
                                reason="this is no Debian, or has no dpkg-dev")


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                          check=False, text=True, **{"cwd": TOP} | more)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


def build(folder):
    environment = os.environ | {"BUILD": str(folder), "PROGRAMS": str(pathlib.Path(SERVER).resolve().parent)}
    return pathlib.Path(run("deploy/debian/build", env=environment).splitlines()[-1])


@pytest.fixture(scope="module")
def folder():
    path = temporary_folder("deb")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def package(folder):
    return build(folder / "one")


def field(package, name):
    return run("dpkg-deb", "-f", package, name).strip()


def is_sanitized():
    return "asan" in run("ldd", SERVER)


def test_a_package_says_what_it_is_and_needs(package):
    assert field(package, "Package") == "flotilla"
    version = re.search('FLOTILLA_VERSION *"(.*)"', (TOP / "src/base/version.h").read_text())[1]
    assert field(package, "Version") == version
    assert field(package, "Architecture") == run("dpkg", "--print-architecture").strip()
    needed = {word.split()[0] for word in field(package, "Depends").split(",")}
    assert {"libc6", "adduser", "debconf"} <= needed and any(name.startswith("libevent") for name in needed)


def test_a_package_holds_what_make_install_installs(package, folder):
    run("dpkg-deb", "-x", package, folder / "content")
    names = {str(path.relative_to(folder / "content")) for path in (folder / "content").rglob("*") if path.is_file()}
    assert {"usr/bin/flotilla-server", "usr/bin/flotilla-check", "usr/lib/systemd/system/flotilla.service",
            "usr/share/man/man5/flotilla.conf.5.gz", "usr/share/doc/flotilla/copyright", "etc/flotilla/redis.conf"} <= names
    assert not [name for name in names if not name.startswith(("usr/", "etc/flotilla/"))]
    run("dpkg-deb", "-e", package, folder / "control")
    assert (folder / "control/conffiles").read_text() == "/etc/flotilla/redis.conf\n"
    run("md5sum", "-c", "--quiet", folder / "control/md5sums", cwd=folder / "content")
    # Where the licence of the copyright file is, is told by its first words.
    assert "Redistribution and use in source" in (folder / "content/usr/share/doc/flotilla/copyright").read_text()


def test_the_same_commit_gives_the_same_package(package, folder):
    assert build(folder / "another place").read_bytes() == package.read_bytes()


def test_lintian_finds_nothing(package):
    if not shutil.which("lintian"):
        pytest.skip("lintian is not there")
    if is_sanitized():
        pytest.skip("the programs have sanitizers in them")
    # What dpkg-buildflags asks of a compiler is not in programs that were built without it.
    assert run("lintian", "--no-cfg", "--allow-root", "--fail-on", "error,warning", "--suppress-tags",
               "hardening-no-bindnow,hardening-no-fortify-functions,hardening-no-pie", package) == ""


def test_the_life_of_a_package(package, folder):
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("redis-cli"):
        pytest.skip("needs root, unshare and redis-cli")
    if run("dpkg-query", "-W", "-f", "${Package} ${Status}\n").count("flotilla install ok"):
        pytest.skip("flotilla is installed here")
    if is_sanitized():
        pytest.skip("the programs have sanitizers in them")
    run("dpkg-deb", "-R", package, folder / "next")
    control = folder / "next/DEBIAN/control"
    control.write_text(re.sub("^Version: .*$", "Version: 9.9.9", control.read_text(), flags=re.M))
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", folder / "next", folder / "next.deb")
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", HERE / "deb_life.sh", package,
                           folder / "next.deb"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
                          text=True)
    if done.returncode == NO_SYSTEM or "unshare failed" in done.stdout:
        pytest.skip(f"no system that forgets can be made here: {done.stdout}")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("ok: ") == 19, done.stdout
