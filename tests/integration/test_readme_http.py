"""Each curl of the README's section on HTTP does what it says there."""
import re
import shlex
import subprocess

import pytest

from cluster import TOP, Cluster


def section():
    text = (TOP / "README.md").read_text()
    return re.search(r"\n## HTTP\n(.*?)\n## ", text, re.S).group(1)


def examples():
    """(command, what it prints)"""
    lines = [line[4:] for line in section().splitlines() if line.startswith("    ")]
    starts = [at for at, line in enumerate(lines) if line.startswith("$ ")] + [len(lines)]
    return [(lines[at][2:], "\n".join(lines[at + 1:end])) for at, end in zip(starts, starts[1:])]


@pytest.fixture(scope="module")
def cluster():
    one = Cluster("readme-http")
    for node in one.nodes:
        node.web = one.ports.take()
        one.write_config(node, http_port=node.web)
    with one:
        yield one


def test_the_examples_do_what_they_say(cluster):
    assert len(examples()) >= 9
    for command, expected in examples():
        real = re.sub(r"127\.0\.0\.1:800([123])", lambda match: f"127.0.0.1:{cluster.nodes[int(match.group(1)) - 1].web}",
                      command)
        words = shlex.split(real)
        assert words[0] == "curl"
        done = subprocess.run(["curl", "-sS", "--max-time", "20", *words[1:]], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0 and done.stdout.decode().rstrip("\n") == expected, command


def test_every_route_is_shown():
    routes = (TOP / "src/http/routes.c").read_text()
    shown = section()
    for method, path in re.findall(r'\.method = "(\w+)",\s*\.path = "([^"]+)"', routes):
        assert method in shown and path in shown, (method, path)
