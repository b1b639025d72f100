"""Segments of the log, seen from outside."""
import os


def end(path):
    """Where the filler behind the log begins."""
    data = path.read_bytes()
    return len(data.rstrip(b"#\n")) + 1


def tear(path, count):
    """Takes the last bytes of the log away, and the filler behind them."""
    os.truncate(path, end(path) - count)
