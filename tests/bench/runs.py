"""Runs of flotilla-load and redis-benchmark."""
import csv
import io
import json
import os
import pathlib
import subprocess
import sys

from cluster import SERVER, die_with_parent

KEYS = 100000
LOAD = os.environ.get("FLOTILLA_LOAD", str(pathlib.Path(SERVER).resolve().parent / "flotilla-load"))


class LoadFailed(RuntimeError):
    pass


def start_load(side, *arguments):
    """`side` has an address (or several, with commas) and a protocol."""
    return subprocess.Popen([LOAD, "--nodes", side.address, "--protocol", side.protocol, *map(str, arguments)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=die_with_parent)


def load_result(process, timeout=600):
    """What it printed; tests/bench/README.md says what each field means."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise LoadFailed(f"flotilla-load did not end within {timeout} s") from None
    if process.returncode:
        raise LoadFailed(err.strip() or f"flotilla-load: status {process.returncode}")
    return json.loads(out)


def load(side, *arguments):
    return load_result(start_load(side, *arguments))


def start(port, requests, *arguments):
    return subprocess.Popen(["redis-benchmark", "-p", str(port), "-n", str(requests), "-r", str(KEYS), "-d", "64",
                             "--csv", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process):
    """(requests per second, p50 ms, p99 ms)"""
    out, err = process.communicate(timeout=600)
    if process.returncode:
        raise RuntimeError(f"redis-benchmark: {err or out}")
    row = list(csv.DictReader(io.StringIO(out[out.index('"test"'):])))[-1]
    return float(row["rps"]), float(row["p50_latency_ms"]), float(row["p99_latency_ms"])


def benchmark(port, requests, *arguments):
    return result(start(port, requests, *arguments))


def show_progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:100}\r", end="", file=sys.stderr, flush=True)
