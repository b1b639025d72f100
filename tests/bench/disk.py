#!/usr/bin/env python3
"""What it takes this disk to make one write durable, by the form of the file and the way of the write.

usage: disk.py [--rounds N] [--writes N] [--folder FOLDER]

A write of one client has to wait for one of these; so do all writes that share it.
"""
import argparse
import contextlib
import mmap
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "compat")]

from counters import PerfCounter, counter  # noqa: E402
from results import Table  # noqa: E402

FILE_BYTES = 16 << 20
RECORD, BLOCK = 128, 4096  # what a small SET is in the log; what a disk writes at least


def growing(file):
    """An empty file: each write makes it longer."""
    os.ftruncate(file, 0)


def reserved(file):
    """Has blocks, but none that was written: each first write to one changes metadata."""
    os.ftruncate(file, 0)
    os.posix_fallocate(file, 0, FILE_BYTES)


def filled(file):
    """Every block was written before."""
    os.ftruncate(file, 0)
    for at in range(0, FILE_BYTES, 1 << 20):
        os.pwrite(file, b"#" * (1 << 20), at)
    os.fsync(file)


def write_and_fdatasync(file, bytes_, at):
    os.pwrite(file, bytes_, at)
    os.fdatasync(file)


def write_through(file, bytes_, at):
    os.pwritev(file, [bytes_], at, os.RWF_DSYNC)


TIMES = ["p50", "p99", "p50 of three at once"]
# label, how the file is made, its flags, bytes of a write, how it is made durable
FORMS = [
    ("growing file, 128 bytes, fdatasync", growing, 0, RECORD, write_and_fdatasync),
    ("reserved file, 128 bytes, fdatasync", reserved, 0, RECORD, write_and_fdatasync),
    ("filled file, 128 bytes, fdatasync", filled, 0, RECORD, write_and_fdatasync),
    ("filled file, 128 bytes, RWF_DSYNC", filled, 0, RECORD, write_through),
    ("filled file, 4 KB, fdatasync", filled, 0, BLOCK, write_and_fdatasync),
    ("filled file, 4 KB, RWF_DSYNC", filled, 0, BLOCK, write_through),
    ("filled file, 4 KB, O_DIRECT and fdatasync", filled, os.O_DIRECT, BLOCK, write_and_fdatasync),
    ("filled file, 4 KB, O_DIRECT and RWF_DSYNC", filled, os.O_DIRECT, BLOCK, write_through),
    ("reserved file, 4 KB, O_DIRECT and RWF_DSYNC", reserved, os.O_DIRECT, BLOCK, write_through),
]


@contextlib.contextmanager
def opened(folder, make, flags):
    path = pathlib.Path(folder) / f"file-{threading.get_ident()}"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        make(file)
        os.fsync(file)
        os.close(file)
        file = os.open(path, os.O_RDWR | flags)
        yield file
    finally:
        os.close(file)
        path.unlink()


def seconds_of(folder, form, writes):
    """Of each single write, in order. O_DIRECT wants memory at the start of a page."""
    _, make, flags, size, write = form
    with mmap.mmap(-1, BLOCK) as page, opened(folder, make, flags) as file:
        page[:] = b"r" * BLOCK
        with memoryview(page) as whole, whole[:size] as bytes_:
            taken = []
            for number in range(writes):
                begin = time.perf_counter()
                write(file, bytes_, number * size % FILE_BYTES)
                taken.append(time.perf_counter() - begin)
    return taken


def seconds_of_three(folder, form, writes):
    """The same by three at once, as three nodes on one disk do."""
    taken = []
    threads = [threading.Thread(target=lambda: taken.extend(seconds_of(folder, form, writes))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def bytes_of(folder, form, writes):
    """To the disk for each write, of this process; None if nothing here can count them."""
    make, _ = counter()
    if make is not PerfCounter:
        return None
    _, prepare, flags, size, write = form
    with mmap.mmap(-1, BLOCK) as page, opened(folder, prepare, flags) as file:
        with memoryview(page) as whole, whole[:size] as bytes_:
            counting = make([os.getpid()])
            for number in range(writes):
                write(file, bytes_, number * size)
            counted = counting.finish()
    return counted["disk_bytes"] / writes if "disk_bytes" in counted else None


def percentile(samples, share):
    return sorted(samples)[min(int(len(samples) * share), len(samples) - 1)]


def table_of(rounds, writes=500, folder=None):
    table = Table("disk", "one durable write: us, bytes", TIMES + ["bytes"], compared=(), plotted=TIMES)
    for form in FORMS:
        table.row(form[0], "")
    with tempfile.TemporaryDirectory(prefix="flotilla-disk-", dir=folder) as place:
        for number in range(rounds):
            for form in FORMS[number % len(FORMS):] + FORMS[:number % len(FORMS)]:
                try:
                    alone, three = seconds_of(place, form, writes), seconds_of_three(place, form, writes // 3)
                except OSError as error:
                    note = f"{form[0]}: {error.strerror}"
                    if note not in table.notes:
                        table.notes.append(note)
                    continue
                figures = statistics.median(alone), percentile(alone, 0.99), statistics.median(three)
                for name, seconds in zip(TIMES, figures):
                    table.row(form[0], "").add(name, seconds * 1e6)
        for form in FORMS:
            with contextlib.suppress(OSError):
                table.row(form[0], "").add("bytes", bytes_of(place, form, writes))
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--writes", type=int, default=500)
    parser.add_argument("--folder", help="on the disk that is asked about (default: that of temporary files)")
    options = parser.parse_args()
    for line in table_of(options.rounds, options.writes, options.folder).lines():
        print(line)


if __name__ == "__main__":
    main()
