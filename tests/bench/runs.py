"""Runs of redis-benchmark."""
import csv
import io
import subprocess
import sys

KEYS = 100000


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
        print(f"\r{text:70}\r", end="", file=sys.stderr, flush=True)
