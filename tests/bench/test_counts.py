"""What an operation costs in instructions, system calls and bytes: as counts.txt expects, on any machine."""
import pathlib
import shutil
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / "compat")]

import counters  # noqa: E402
import counts  # noqa: E402

ATTEMPTS = 3
EXPECTED = counts.read_expected(counts.EXPECTED.read_text())


def faults_of(measure, wanted):
    """What is wrong each time. A busy machine can spoil one attempt; what costs more costs more in all."""
    expected = {name: count for name, count in EXPECTED.items() if wanted(name)}
    left = None
    for _ in range(ATTEMPTS):
        counted = {name: count for name, count in measure().items() if not counts.NOT_STEADY.fullmatch(name)}
        found = counts.faults(expected, counted)
        left = found if left is None else {name: found[name] for name in left if name in found}
        if not left:
            return []
    return list(left.values())


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is missing; deps/install.sh installs it")
@pytest.mark.parametrize("size", [1, 3])
def test_an_operation_takes_as_many_instructions_as_expected(size):
    where = ("one node",) if size == 1 else ("of 3",)
    found = faults_of(lambda: counts.count_instructions(size),
                      lambda name: name.startswith("instructions") and name.endswith(where))
    assert not found, "\n".join([*found, counts.ADVICE])


@pytest.mark.long
def test_an_operation_takes_as_many_calls_syncs_and_bytes_as_expected():
    count_calls, misses = counters.counter()
    found = faults_of(lambda: counts.count_calls_and_bytes(count_calls), lambda name: not name.startswith(
        ("instructions",) if count_calls else ("instructions", "system calls")))
    assert not found, "\n".join([*found, counts.ADVICE])
    if not count_calls:
        pytest.skip(misses)


@pytest.mark.long
def test_a_node_that_writes_more_is_found():
    """Filler is written behind the log: that many bytes more for a SET in a pipeline."""
    counted = counts.count_calls_and_bytes(**{"raft-fill-bytes": "512kb"})
    found = counts.faults(EXPECTED, counted)
    assert "bytes of the log, SET, pipelines of 16, leader" in found
    assert "bytes of the log, SET, pipelines of 16, follower" in found
    assert "syncs, SET, pipelines of 16, follower" not in found


EXAMPLE = "# a remark\n100.0    10%  instructions, SET\n2.0000   50%  system calls, SET\n"


def faults_in_example(**changes):
    counted = {"instructions, SET": 105, "system calls, SET": 2.5, **changes}
    return list(counts.faults(counts.read_expected(EXAMPLE), {key: value for key, value in counted.items() if value}))


def test_counts_within_their_tolerance_pass():
    assert faults_in_example() == []


def test_a_count_that_is_too_high_or_too_low_is_a_fault():
    assert faults_in_example(**{"instructions, SET": 111}) == ["instructions, SET"]
    assert faults_in_example(**{"instructions, SET": 89}) == ["instructions, SET"]


def test_a_count_that_nobody_expects_is_a_fault():
    assert faults_in_example(**{"syncs, SET": 1}) == ["syncs, SET"]


def test_a_count_that_is_missing_is_a_fault():
    assert faults_in_example(**{"system calls, SET": None}) == ["system calls, SET"]


def test_renewing_keeps_remarks_and_tolerances():
    text = counts.renewed(EXAMPLE, {"instructions, SET": 120, "system calls, SET": 3, "syncs, SET": 1})
    assert text == ("# a remark\n120.0    10%  instructions, SET\n3.0000   50%  system calls, SET\n"
                    "1.0000   10%  syncs, SET\n")


def test_what_callgrind_wrote_is_summed_without_what_time_does():
    text = ("fn=main\n12 100\ncfn=server_info\ncalls=2 34\n12 70\ncfn=server_drive\ncalls=1 5\n13 20\n"
            "cfn=server_memory_tick'2\ncalls=1 9\n+1 5\n\ntotals: 1000\n")
    assert counts.instructions_in(text) == 1000 - 70 - 5
