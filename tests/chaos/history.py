"""What clients did and saw: one Operation for each request, in memory and as a line in a file."""
import json
import threading

FOREVER = float("inf")

# Outcomes.
OK = "ok"            # answered: `result` holds the reply
UNKNOWN = "unknown"  # nobody learned whether it took effect; it may do so at any later time
FAILED = "failed"    # it certainly took no effect


class Operation:
    """One request of one client on one key. Times are those of one monotonic clock, in nanoseconds."""

    __slots__ = ("client", "kind", "key", "value", "expected", "call", "back", "outcome", "result")

    def __init__(self, client, kind, key, value=None, expected=None, call=0, back=FOREVER, outcome=UNKNOWN,
                 result=None):
        self.client = client
        self.kind = kind          # see linear.MODEL
        self.key = key
        self.value = value        # what is written
        self.expected = expected  # of cas: what was read before
        self.call = call
        self.back = back          # FOREVER while the outcome is not known
        self.outcome = outcome
        self.result = result

    def __repr__(self):
        back = "" if self.back == FOREVER else self.back
        value = "" if self.value is None else f" {self.value!r}"
        expected = "" if self.kind != "cas" else f" from {self.expected!r}"
        result = f" = {self.result!r}" if self.outcome == OK else f" = {self.outcome}"
        return f"{self.call}..{back} client {self.client}: {self.kind} {self.key}{expected}{value}{result}"

    def as_row(self):
        return [self.client, self.kind, self.key, self.value, self.expected, self.call,
                None if self.back == FOREVER else self.back, self.outcome, self.result]

    @classmethod
    def of_row(cls, row):
        client, kind, key, value, expected, call, back, outcome, result = row
        return cls(client, kind, key, value, expected, call, FOREVER if back is None else back, outcome, result)


class History:
    """All operations of a run, kept by key. Threads add to it."""

    def __init__(self, path=None):
        self.lock = threading.Lock()
        self.by_key = {}
        self.counts = {}
        self.file = open(path, "w", encoding="ascii") if path else None

    def add(self, operation):
        with self.lock:
            self.by_key.setdefault(operation.key, []).append(operation)
            name = (operation.kind, operation.outcome)
            self.counts[name] = self.counts.get(name, 0) + 1
            if self.file:
                self.file.write(json.dumps(operation.as_row()) + "\n")

    def close(self):
        if self.file:
            self.file.close()
            self.file = None

    @classmethod
    def load(cls, path):
        history = cls()
        with open(path, encoding="ascii") as lines:
            for line in lines:
                history.add(Operation.of_row(json.loads(line)))
        return history
