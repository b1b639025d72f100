"""The mesh (mesh.py) from outside: starts it, and says which ends do not reach which."""
import json
import pathlib
import subprocess
import sys
import threading

from cluster import die_with_parent

MODES = ["pass", "hold", "vanish", "refuse"]
USUAL_DELAY = (0.0002, 0.003)


class Network:
    """All links of a cluster and of its clients. Nodes are named by their number as text, clients "c1", "c2", …"""

    def __init__(self, seed, delay=USUAL_DELAY, log=None):
        self.lock = threading.Lock()
        with open(log or "/dev/null", "ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(pathlib.Path(__file__).with_name("mesh.py")), str(seed)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, preexec_fn=die_with_parent)
        self.delay = delay
        self.layers = []  # (directions, rule), one for each fault
        self.do("usually", delay=delay)

    def do(self, what, **arguments):
        with self.lock:
            self.process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the mesh ended with {self.process.wait()}")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(f"the mesh could not {what}: {reply['error']}")
        return reply["ok"]

    def listen(self, node, host, port, target):
        self.do("listen", node=str(node), host=host, port=port, target=target)

    def rule(self, pairs, **rule):
        """Lays a rule over these directions, beside those of other faults; lift() takes it away again."""
        self.layers.append((set(pairs), rule))
        self._apply()
        return self.layers[-1]

    def lift(self, layer):
        if any(one is layer for one in self.layers):
            self.layers = [one for one in self.layers if one is not layer]
            self._apply()

    def _apply(self):
        """Where rules lie over each other, the worst of each kind holds."""
        table = {}
        for pairs, rule in self.layers:
            for pair in pairs:
                sum_of = table.setdefault(pair, {"delay": self.delay, "loss": 0.0, "reset": 0.0, "mode": "pass"})
                sum_of["delay"] = max(tuple(sum_of["delay"]), tuple(rule.get("delay", (0.0, 0.0))))
                sum_of["loss"] = max(sum_of["loss"], rule.get("loss", 0.0))
                sum_of["reset"] = max(sum_of["reset"], rule.get("reset", 0.0))
                sum_of["mode"] = max(sum_of["mode"], rule.get("mode", "pass"), key=MODES.index)
        self.do("table", rules=[[one, other, rule] for (one, other), rule in sorted(table.items())])

    def reset(self, pairs):
        self.do("reset", pairs=sorted(pairs))

    def heal(self):
        """Everything passes again, with the usual delay."""
        self.layers = []
        self._apply()

    def stats(self):
        return self.do("stats")

    def close(self):
        if self.process:
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.process = None


# --- shapes of cuts: sets of (from, to) between which nothing passes ---

def both_ways(pairs):
    return set(pairs) | {(other, one) for one, other in pairs}


def between(some, others):
    """Separates two groups, both ways."""
    return both_ways({(one, other) for one in some for other in others if one != other})


def one_way(some, others):
    """What `some` send does not reach `others`; the way back is open."""
    return {(one, other) for one in some for other in others if one != other}


def ring(ends):
    """Each reaches its two neighbours alone. With three ends that is everybody: the ring is opened there."""
    count = len(ends)
    if count <= 3:
        return between([ends[0]], [ends[-1]])
    return {(ends[i], ends[j]) for i in range(count) for j in range(count)
            if i != j and (i - j) % count not in (1, count - 1)}


def bridge(ends, middle):
    """Two halves that reach each other through `middle` alone, which reaches everybody."""
    others = [end for end in ends if end != middle]
    half = len(others) // 2
    return between(others[:half], others[half:])
