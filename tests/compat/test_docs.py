"""COMMAND DOCS describes this server in its own words: none of redis-server's sentences is in it."""
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import servers  # noqa: E402
from cluster import Cluster  # noqa: E402

if shutil.which("redis-server") is None:
    pytest.skip("redis-server is not installed: deps/install.sh installs it", allow_module_level=True)

PROSE = ("summary", "complexity")


def pairs(reply):
    return dict(zip(reply[::2], reply[1::2]))


def texts(docs):
    """{(command, field): text} of all commands and subcommands, history included."""
    found = {}
    for name, fields in pairs(docs).items():
        fields = pairs(fields)
        for field in PROSE:
            text = fields.get(field.encode())
            if text is not None:
                found[name.decode(), field] = text.decode()
        for version, text in fields.get(b"history", []):
            found[name.decode(), f"history {version.decode()} {text.decode()}"] = text.decode()
        found.update(texts(fields.get(b"subcommands", [])))
    return found


@pytest.fixture(scope="module")
def both():
    redis = servers.plain()
    with Cluster("docs", size=1) as cluster:
        with cluster.wait_leader().connect() as ours, redis.connect() as theirs:
            yield texts(ours.call("COMMAND", "DOCS")), texts(theirs.call("COMMAND", "DOCS"))
    redis.close()


def test_no_sentence_of_redis_is_in_the_docs(both):
    ours, theirs = both
    sentences = {text.rstrip(".").lower() for text in theirs.values() if len(text.split()) > 2}
    assert len(sentences) > 200
    copied = {key: text for key, text in ours.items() if text.rstrip(".").lower() in sentences}
    assert not copied


def test_the_docs_speak_of_this_server(both):
    ours, _ = both
    assert not {key: text for key, text in ours.items() if "redis" in text.lower()}
