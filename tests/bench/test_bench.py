"""The benchmark itself: what its tables, plots and counters say, and that it runs."""
import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / "compat")]

import counters  # noqa: E402
import gaps  # noqa: E402
import limits  # noqa: E402
import peers  # noqa: E402
import servers  # noqa: E402
import svg  # noqa: E402
from measure import Bench, Case  # noqa: E402
from results import Table  # noqa: E402

ALONE = ("--without", "redis", "--without", "valkey", "--without", "etcd")
BENCH = pathlib.Path(__file__).with_name("bench.py")


def example():
    table = Table("example", "an example", ["ours", "theirs"])
    row = table.row("SET", "/s", {"theirs": ">= 1.2"})
    for ours, theirs in ((3000, 1000), (1000, 2000), (2000, 1000)):
        row.add("ours", ours)
        row.add("theirs", theirs)
    table.row("GET", "us").add("ours", 1.5)
    table.curves["half & half"] = {"ours": [(0, 10.0), (50, 20.0), (99.9, 3000.0), (100, 4000.0)], "theirs": []}
    return table


# --- tables and plots ---

def test_a_table_shows_medians_their_spread_and_ratios():
    head, first, second = example().lines()
    assert head.split("  ")[-1] == "to theirs"
    assert "2,000 /s (1,000–3,000)" in first and "1,000 /s (1,000–2,000)" in first and first.endswith("2.00 (>= 1.2)")
    assert second.split() == ["GET", "1.50", "us", "–", "–"]


def test_json_has_every_sample():
    row = example().as_json()["rows"][0]
    assert row["sides"]["ours"] == {"median": 2000, "min": 1000, "max": 3000, "samples": [3000, 1000, 2000]}
    assert row["ratios"] == {"theirs": 2.0}


def test_markdown_has_a_cell_for_each_column():
    assert {line.count("|") for line in example().markdown()} == {5}


def test_plots_are_drawings_with_a_bar_for_each_side_and_a_line_for_each_curve(tmp_path):
    bars, curves = [xml.etree.ElementTree.parse(path).getroot() for path in svg.write(tmp_path, [example()])]
    space = "{http://www.w3.org/2000/svg}"
    assert len(bars.findall(f"{space}rect")) == 1 + 3  # the ground, and three bars
    lines = curves.findall(f"{space}polyline")
    assert [len(line.get("points").split()) for line in lines] == [4]
    first = float(bars.findall(f"{space}rect")[1].get("width"))
    assert first == pytest.approx(svg.WIDTH * 2 / 3, abs=0.1)  # the median of what reaches to the end


# --- counters ---

def test_blocks_of_writes_are_summed():
    assert counters.bytes_of_blocks("  254,0 WS 32990808 + 8 [server]\n 254,0 FWS 0 + 0 [server]\n 254,0 R 5 + 64 [server]\n"
                                    " 254,0 WSM 7 + 16 [server]\n") == 24 * 512


def test_the_table_of_strace_is_understood():
    table = ("% time seconds usecs/call calls errors syscall\n----- ----- ----- ----- ----- -----\n"
             " 60.00 0.1 2 100 3 read\n 40.00 0.1 2 7 fdatasync\n------\n100.00 0.2 2 107 3 total\n")
    assert counters.calls_of_strace(table) == {"syscalls": 107, "syncs": 7}


WRITER = """
import os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.pwrite(file, b"x" * 40960, 0)
os.fsync(file)
print("ready", flush=True)
sys.stdin.readline()
for number in range(10):
    os.pwrite(file, b"y" * 4096, number * 4096)
    os.fdatasync(file)
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("make", [counters.PerfCounter, counters.StraceCounter])
def test_what_a_process_does_is_counted(make, tmp_path):
    able, _ = counters.counter()
    if able is not make and (able is None or make is counters.PerfCounter):
        pytest.skip(f"{make.__name__} is not permitted here, or its program is missing")
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "file")], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdout.readline() == "ready\n"
        counting = make([process.pid])
        process.stdin.write("\n")
        assert process.stdout.readline() == "done\n"
        counted = counting.finish()
        process.stdin.write("\n")
    assert counted["syncs"] == 10
    assert 20 <= counted["syscalls"] <= 40
    if make is counters.PerfCounter and os.stat(tmp_path).st_dev >> 8 != 0:  # a real disk, not memory
        assert counted["disk_bytes"] >= 10 * 4096


def test_processor_time_of_a_process_that_works_grows():
    with subprocess.Popen(["yes"], stdout=subprocess.DEVNULL) as process:
        before = counters.cpu_us([process.pid])
        while counters.cpu_us([process.pid]) < before + 1000:
            assert process.poll() is None
        process.kill()


# --- what is measured ---

def test_the_longest_gap_is_one_that_had_not_ended_when_the_leader_was_killed():
    run = {"gaps": [[10.0, 500.0], [11.95, 100.0], [13.0, 20.0]]}
    assert gaps.longest_since(12.0, run) == 100.0
    assert gaps.longest_since(14.0, run) == 0


def test_limits_are_those_of_the_disk_and_of_the_processors(monkeypatch):
    monkeypatch.setattr(limits.os, "cpu_count", lambda: 4)
    disk, compare = Table("disk", "", ["p50 of three at once"]), Table("compare", "", ["flotilla", "redis"])
    disk.row(limits.SYNC[0], "").add(limits.SYNC[1], 150)
    for label, ours, theirs in (("SET, 1 connection, p50", 300, 200), ("GET, 1 connection, p50", 60, 20),
                                ("SET, 1 connection, syncs", None, None), ("SET, 1 connection, bytes to the disk", 15000, 1),
                                *((label, 1000, 1) for label in limits.THROUGHPUT),
                                *((f"{label}, processors busy with it and with the client", 2, 1) for label in
                                  limits.THROUGHPUT)):
        compare.row(label, "").add("flotilla", ours)
        compare.row(label, "").add("redis", theirs)
    table = limits.table_of(disk, compare)
    assert [row.ratio("flotilla", "limit") for row in table.rows] == [2.0, 1.5, 15000 / 12288, 0.5, 0.5, 0.5, 0.5]


def test_percentiles_of_few_samples_are_samples():
    assert gaps.percentile(range(1, 31), 99) == 30
    assert gaps.percentile(range(1, 31), 50) == 15


def test_a_side_that_fails_is_said_and_has_no_figure():
    class Dead:
        name, protocol, pids, address = "dead", "resp", (), "127.0.0.1:1"

    bench = Bench(1, 0.05, [])
    table = bench.table("t", "title", [Dead()], [Case("SET", ("--connect-within", 0.1), ["rate"])])
    assert not table.rows[0].samples
    assert any(note.startswith("dead, SET: ") for note in table.notes)


def test_what_is_not_installed_is_left_out_and_said(monkeypatch):
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)
    monkeypatch.setattr(peers, "valkey_program", lambda: None)
    notes = []
    assert peers.start_sides([], ["flotilla"], notes) == []
    assert [note.split(" is left out")[0] for note in notes] == ["redis", "valkey", "etcd"]


def run_bench(*arguments):
    return subprocess.run([sys.executable, str(BENCH), *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300, check=False)


def test_a_peer_that_does_not_answer_stops_it():
    done = run_bench("--only", "mix", *ALONE, "--peer", "127.0.0.1:1")
    assert done.returncode == 1
    assert "the peer '127.0.0.1:1' does not answer" in done.stdout


@pytest.mark.long
def test_it_measures_beside_a_named_peer_and_writes_all_down(tmp_path):
    redis = servers.plain()
    try:
        peer = f"127.0.0.1:{redis.port}"
        done = run_bench("--only", "rate", "--only", "storage", "--rates", "200", *ALONE, "--peer", peer, "--rounds", 1,
                         "--seconds", 0.1, "--json", tmp_path / "all.json", "--svg", tmp_path / "plots", "--markdown",
                         tmp_path / "all.md")
    finally:
        redis.close()
    assert done.returncode == 0, done.stdout
    written = json.loads((tmp_path / "all.json").read_text())
    rate, storage = written["tables"]
    assert rate["sides"] == ["flotilla", peer]
    assert all(row["sides"]["flotilla"]["samples"] and row["sides"][peer]["samples"] for row in rate["rows"])
    log_bytes = next(row for row in storage["rows"] if row["label"] == "1 connection: bytes of the log, a node")
    assert log_bytes["sides"]["filler 0"]["median"] >= 16 + 32
    assert written["versions"]["flotilla"].startswith("flotilla-server")
    assert len(list((tmp_path / "plots").iterdir())) == 3
    assert "a SET, of 32 bytes" in (tmp_path / "all.md").read_text()
