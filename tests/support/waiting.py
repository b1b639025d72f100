"""Waiting for conditions, never for time alone."""
import time


class TimedOut(AssertionError):
    pass


def wait_for(condition, timeout=20.0, what=None, interval=0.01):
    """The first true value of condition(); TimedOut names `what` and the last value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimedOut(f"not within {timeout} s: {what or condition.__name__} (last: {value!r})")
        time.sleep(interval)
