"""Rounds: each case on each side, one after the other, each round beginning with another side."""
import counters
import runs
from results import Table

COUNTED_SECONDS = 0.5


class Case:
    """A run of flotilla-load, and which figures of it are rows of the table. `figures` are names of FIGURES."""

    def __init__(self, label, arguments, figures, goals=None, seconds=None):
        self.label, self.arguments, self.figures, self.seconds = label, arguments, figures, seconds
        self.goals = goals or {}  # {figure: {side: what the ratio should be}}


# name: (what is added to the label, unit, of what flotilla-load says and what was counted)
FIGURES = {
    "rate": ("", "/s", lambda run: run["rate"]),
    "p50": (", p50", "us", lambda run: run["all"]["p50_us"]),
    "p99": (", p99", "us", lambda run: run["all"]["p99_us"]),
    "p99.9": (", p99.9", "us", lambda run: run["all"]["p99.9_us"]),
    "max": (", longest", "us", lambda run: run["all"]["max_us"]),
    "unsent": (", not sent in time", "", lambda run: run["unsent"] + run["unanswered"]),
    "cpu": (", processor time", "us", lambda run: run.get("cpu")),
    "cores": (", processors busy with it and with the client", "", lambda run: run.get("cores")),
    "switches": (", context switches", "", lambda run: run.get("switches")),
    "syscalls": (", system calls", "", lambda run: run.get("syscalls")),
    "syncs": (", syncs", "", lambda run: run.get("syncs")),
    "disk_bytes": (", bytes to the disk", "B", lambda run: run.get("disk_bytes")),
}
COUNTED = ("syscalls", "syncs", "disk_bytes")


class Bench:
    """How things are measured, for all tables."""

    def __init__(self, rounds, seconds, notes):
        self.rounds, self.seconds, self.notes = rounds, seconds, notes
        self.counter, misses = counters.counter()
        if misses:
            self.note(f"{misses}: left out, because neither perf nor strace is there and permitted")

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def fill(self, side, keys, value_bytes=64):
        """Every key once."""
        runs.show_progress(f"{keys:,} keys for {side.name}")
        run = runs.load(side, "--connections", 20, "--pipeline", 50 if side.protocol == "resp" else 1, "--requests", keys,
                        "--keys", keys, "--distribution", "sequential", "--value-bytes", value_bytes)
        self.check(side, run)

    def check(self, side, run):
        """Errors are no figures: they are said."""
        for what in ("errors", "lost", "redirects", "reconnects", "unanswered", "unsent"):
            if run[what]:
                self.note(f"{side.name}: {what} {run[what]} of {run['sent']:,} requests")

    def timed(self, side, arguments, seconds=None):
        """What flotilla-load says, with processor time and context switches for a request if the processes are known."""
        cpu, switched, client = counters.cpu_us(side.pids), counters.switches(side.pids), counters.cpu_us_of_children()
        run = runs.load(side, "--seconds", seconds or self.seconds, *arguments)
        self.check(side, run)
        answered = run["acknowledged"]
        if not answered:
            raise runs.LoadFailed("no request that was sent in this time was answered")
        if side.pids:
            run["cpu"] = (counters.cpu_us(side.pids) - cpu) / answered
            run["switches"] = (counters.switches(side.pids) - switched) / answered
            client_us = (counters.cpu_us_of_children() - client) / answered
            run["cores"] = (run["cpu"] + client_us) * run["rate"] / 1e6
        return run

    def counted(self, side, arguments):
        """System calls, syncs and bytes for a request; nothing if nothing here can count."""
        if not self.counter or not side.pids:
            return {}
        counter = self.counter(side.pids)
        try:
            run = runs.load(side, "--seconds", COUNTED_SECONDS, *arguments)
        finally:
            sums = counter.finish()
        return {name: value / run["acknowledged"] for name, value in sums.items()} if run["acknowledged"] else {}

    def table(self, name, title, sides, cases, curve=False, compared=None):
        """`curve` keeps latency over percentiles, of the middle round."""
        table = Table(name, title, [side.name for side in sides], compared)
        for case in cases:
            for figure in case.figures:
                label, unit, _ = FIGURES[figure]
                table.row(case.label + label, unit, case.goals.get(figure))
        runs_of = {}
        for number in range(self.rounds):
            for case in cases:
                for side in sides[number % len(sides):] + sides[:number % len(sides)]:
                    runs.show_progress(f"{name}, round {number + 1} of {self.rounds}: {case.label}, {side.name}")
                    run = self._try(table, side, case, lambda s=side, c=case: self.timed(s, c.arguments, c.seconds))
                    runs_of.setdefault((case.label, side.name), []).append(run)
                    self._add(table, case, side, run, lambda figure: figure not in COUNTED)
        for case in cases:
            for side in sides if set(case.figures) & set(COUNTED) else ():
                runs.show_progress(f"{name}, counting: {case.label}, {side.name}")
                run = self._try(table, side, case, lambda s=side, c=case: self.counted(s, c.arguments))
                self._add(table, case, side, run, lambda figure: figure in COUNTED)
            if curve:
                table.curves[f"{table.title}: {case.label}"] = {
                    side.name: middle["all"]["percentiles"] for side in sides
                    if (middle := _middle(runs_of[case.label, side.name]))}
        runs.show_progress("")
        return table

    def _try(self, table, side, case, run):
        try:
            return run()
        except runs.LoadFailed as error:
            note = f"{side.name}, {case.label}: {error}"
            if note not in table.notes:
                table.notes.append(note)
            return None

    def _add(self, table, case, side, run, wanted):
        for figure in case.figures:
            if wanted(figure):
                label, unit, of = FIGURES[figure]
                table.row(case.label + label, unit).add(side.name, of(run) if run else None)


def _middle(all_runs):
    """The run whose p99 is the median."""
    there = sorted((run for run in all_runs if run and run["acknowledged"]), key=lambda run: run["all"]["p99_us"])
    return there[len(there) // 2] if there else None
