"""What processes have used so far, of all threads that they have now. It is what the system has counted for each
thread; what a thread counted that has ended since is missing."""
import pathlib


def _threads(pid):
    return pathlib.Path(f"/proc/{pid}/task").iterdir()


def cpu_us(pids):
    """Exact, where /proc/PID/stat counts ticks of 10 ms."""
    return sum(int((thread / "schedstat").read_text().split()[0]) for pid in pids for thread in _threads(pid)) / 1000


def switches(pids):
    """Context switches, voluntary or not."""
    lines = (line for pid in pids for thread in _threads(pid) for line in (thread / "status").read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
