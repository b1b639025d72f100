"""Tables of figures: each has a sample of each round, and is shown as its median with the least and the greatest."""
import statistics


class Row:
    """One figure of all sides. `goals` are what the ratio of the first side to the side of that name should be."""

    def __init__(self, label, unit, goals=None):
        self.label, self.unit, self.goals = label, unit, goals or {}
        self.samples = {}

    def add(self, side, value):
        if value is not None:
            self.samples.setdefault(side, []).append(value)

    def median(self, side):
        return statistics.median(self.samples[side]) if self.samples.get(side) else None

    def ratio(self, first, other):
        ours, theirs = self.median(first), self.median(other)
        return ours / theirs if ours is not None and theirs else None

    def as_json(self, sides, compared):
        figures = {}
        for side in sides:
            if self.samples.get(side):
                figures[side] = {"median": self.median(side), "min": min(self.samples[side]),
                                 "max": max(self.samples[side]), "samples": self.samples[side]}
        ratios = {side: self.ratio(sides[0], side) for side in compared if self.ratio(sides[0], side) is not None}
        return {"label": self.label, "unit": self.unit, "sides": figures, "ratios": ratios, "goals": self.goals}


class Table:
    """Rows by label, sides in order. The first side is compared to the others, or to those in `compared`. `plotted` are
    the sides whose figures can be bars beside each other. `curves` are latencies over percentiles: {title: {side:
    [(percent, us), …]}}"""

    def __init__(self, name, title, sides, compared=None, plotted=None):
        self.name, self.title, self.sides, self.notes = name, title, list(sides), []
        self.compared = self.sides[1:] if compared is None else compared
        self.plotted = self.sides if plotted is None else plotted
        self.rows = []
        self.curves = {}

    def row(self, label, unit, goals=None):
        found = next((row for row in self.rows if row.label == label), None)
        if not found:
            found = Row(label, unit, goals)
            self.rows.append(found)
        return found

    def as_json(self):
        return {"name": self.name, "title": self.title, "sides": self.sides, "notes": self.notes,
                "rows": [row.as_json(self.sides, self.compared) for row in self.rows], "curves": self.curves}

    def _grid(self):
        """The words of the table: its head, then its rows."""
        yield [self.title, *self.sides, *(f"to {side}" for side in self.compared)]
        for row in self.rows:
            yield [row.label, *(self._cell(row, side) for side in self.sides),
                   *(self._ratio(row, side) for side in self.compared)]

    def lines(self):
        """As text: a median and its spread for each side, then ratios of the first side to others."""
        grid = list(self._grid())
        widths = [max(map(len, column)) for column in zip(*grid)]
        for words in grid:
            yield "  ".join([f"{words[0]:{widths[0]}}", *(f"{word:>{width}}" for word, width in zip(words[1:], widths[1:]))])
        yield from (f"  {note}" for note in self.notes)

    def markdown(self):
        for number, words in enumerate(self._grid()):
            yield "| " + " | ".join(words) + " |"
            if number == 0:
                yield "|---" * len(words) + "|"
        yield from (f"\n{note}" for note in self.notes)

    @staticmethod
    def _cell(row, side):
        samples = row.samples.get(side)
        if not samples:
            return "–"
        middle = f"{figure(row.median(side), row.unit)} {row.unit}".strip()
        if len(samples) == 1:
            return middle
        return f"{middle} ({figure(min(samples), row.unit)}–{figure(max(samples), row.unit)})"

    def _ratio(self, row, side):
        ratio = row.ratio(self.sides[0], side)
        if ratio is None:
            return "–"
        goal = row.goals.get(side)
        return f"{ratio:.2f}" + (f" ({goal})" if goal else "")


def figure(value, unit):
    """With as many digits as say something."""
    if unit in ("/s", "B") or abs(value) >= 1000 or isinstance(value, int):
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 1 or value == 0 else f"{value:.3f}"
