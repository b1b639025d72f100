"""What processes use: processor time, context switches, system calls, syncs, and bytes given to the disk.

The first two are what the system has counted for each thread that there is now; what a thread counted that has ended
since is missing. The others are counted by perf, or but for the bytes by strace, while they are asked for: that costs
time, so it is never done while time is measured."""
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile

from waiting import wait_for

SYNCS = ("fdatasync", "fsync", "sync_file_range")


def _threads(pid):
    return pathlib.Path(f"/proc/{pid}/task").iterdir()


def cpu_us(pids):
    """Exact, where /proc/PID/stat counts ticks of 10 ms."""
    return sum(int((thread / "schedstat").read_text().split()[0]) for pid in pids for thread in _threads(pid)) / 1000


def cpu_us_of_children():
    """Of this process' own children that have ended, such as flotilla-load."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def switches(pids):
    """Context switches, voluntary or not."""
    lines = (line for pid in pids for thread in _threads(pid) for line in (thread / "status").read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


class _Perf:
    """One perf, whose events are off until it says that it has turned them on."""

    def __init__(self, arguments, pids):
        control_in, self.control = os.pipe()
        self.answers, answers_in = os.pipe()
        self.process = subprocess.Popen(
            ["perf", *arguments, "-D", "-1", "--control", f"fd:{control_in},{answers_in}", "-p", ",".join(map(str, pids))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=(control_in, answers_in))
        os.close(control_in)
        os.close(answers_in)
        self._say("enable")

    def _say(self, word):
        with contextlib.suppress(BrokenPipeError):
            os.write(self.control, f"{word}\n".encode())
            os.read(self.answers, 16)  # ends too when perf is gone

    def finish(self):
        """Whether it has worked."""
        self._say("disable")
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        os.close(self.control)
        os.close(self.answers)
        return self.process.returncode in (0, -signal.SIGINT, 128 + signal.SIGINT)


class PerfCounter:
    """Bytes are those of the requests that the processes themselves hand to block devices; what the file system's own
    threads write (its journal) is not among them. /proc/PID/io is no use: it counts whole folios as written."""

    def __init__(self, pids):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="flotilla-perf-"))
        events = ["raw_syscalls:sys_enter", *(f"syscalls:sys_enter_{name}" for name in SYNCS)]
        self.calls = _Perf(["stat", "-x", ",", "-o", str(self.dir / "calls"), "-e", ",".join(events)], pids)
        self.blocks = _Perf(["record", "-q", "-o", str(self.dir / "blocks"), "-e", "block:block_bio_queue"], pids)

    def finish(self):
        """{system calls, syncs, disk bytes}; what could not be counted is missing."""
        counted = {}
        try:
            if self.calls.finish():
                rows = [line.split(",") for line in (self.dir / "calls").read_text().splitlines()]
                counts = {row[2]: int(row[0]) for row in rows if len(row) > 2 and row[0].isdigit()}
                if "raw_syscalls:sys_enter" in counts:
                    counted["syscalls"] = counts.pop("raw_syscalls:sys_enter")
                    counted["syncs"] = sum(counts.values())
            if self.blocks.finish():
                script = subprocess.run(["perf", "script", "-i", str(self.dir / "blocks"), "-F", "trace"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
                if script.returncode == 0:
                    counted["disk_bytes"] = bytes_of_blocks(script.stdout)
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
        return counted


def bytes_of_blocks(script):
    """Of lines such as "254,0 WS 32990808 + 8 [name]": device, kind, sector, sectors of 512 bytes."""
    found = re.findall(r"^\s*\d+,\d+ (\w*W\w*) \d+ \+ (\d+) ", script, re.MULTILINE)
    return sum(int(sectors) for _, sectors in found) * 512


class StraceCounter:
    def __init__(self, pids):
        self.output = tempfile.NamedTemporaryFile(prefix="flotilla-strace-")  # gone when it is closed, in finish()
        targets = [word for pid in pids for word in ("-p", str(pid))]
        self.process = subprocess.Popen(["strace", "-c", "-f", "-qq", "-o", self.output.name, *targets],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for pid in pids:
            while self.process.poll() is None and not _is_traced(pid):
                pass

    def finish(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        with self.output:
            return calls_of_strace(pathlib.Path(self.output.name).read_text())


def _is_traced(pid):
    return all("TracerPid:\t0\n" not in (thread / "status").read_text() for thread in _threads(pid))


def calls_of_strace(text):
    """Of the table that `strace -c` prints: the fourth column counts, the last one names."""
    rows = [line.split() for line in text.splitlines()]
    calls = {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()}
    if "total" not in calls:
        return {}
    return {"syscalls": calls["total"], "syncs": sum(calls.get(name, 0) for name in SYNCS)}


def counter():
    """A class that counts from when it is made until finish(); None if nothing here can. With it, what it cannot do."""
    for make, tool, misses in ((PerfCounter, "perf", ""), (StraceCounter, "strace", "bytes to the disk")):
        if not shutil.which(tool):
            continue
        with subprocess.Popen(["yes"], stdout=subprocess.DEVNULL) as victim:
            try:
                counting = make([victim.pid])
                enough = cpu_us([victim.pid]) + 10000
                wait_for(lambda: cpu_us([victim.pid]) > enough, 10, "a process that runs")
                counted = counting.finish()
            finally:
                victim.kill()
        if "syscalls" in counted:
            if make is PerfCounter and "disk_bytes" not in counted:
                misses = "bytes to the disk"
            return make, misses
    return None, "system calls, syncs and bytes to the disk"
