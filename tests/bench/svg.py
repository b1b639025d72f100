"""Plots as SVG, by hand: bars with their spread, and latency over percentiles."""
import math
import pathlib
import re
from xml.sax.saxutils import escape

from results import figure

COLOURS = ("#1b6ca8", "#c0392b", "#8e44ad", "#27ae60", "#d68910", "#5d6d7e", "#16a085")
BAR, GAP, LEFT, WIDTH, RIGHT = 16, 14, 130, 520, 190
TEXT = 'font-family="sans-serif" font-size="12"'


def _text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {TEXT} {more}>{escape(words)}</text>'


def _line(x1, y1, x2, y2, colour="#333", more=""):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" {more}/>'


def _document(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">\n<rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def bars(table):
    """For each row a panel with a scale of its own: a bar for each side, and a whisker from the least to the greatest."""
    parts, y = [_text(10, 20, table.title, 'font-weight="bold"')], 40
    for row in table.rows:
        sides = [side for side in table.plotted if row.samples.get(side)]
        if not sides:
            continue
        top = max(max(row.samples[side]) for side in sides) or 1
        parts.append(_text(10, y + 12, f"{row.label} ({row.unit})" if row.unit else row.label))
        y += 20
        for side in sides:
            colour = COLOURS[table.sides.index(side) % len(COLOURS)]
            low, middle, high = (value / top * WIDTH for value in (
                min(row.samples[side]), row.median(side), max(row.samples[side])))
            parts.append(_text(LEFT - 8, y + 12, side, 'text-anchor="end"'))
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{middle:.1f}" height="{BAR - 2}" fill="{colour}"/>')
            centre = y + BAR / 2 - 1
            parts.append(_line(LEFT + low, centre, LEFT + high, centre))
            parts += [_line(LEFT + end, centre - 4, LEFT + end, centre + 4) for end in (low, high)]
            parts.append(_text(LEFT + max(middle, high) + 8, y + 12, f"{figure(row.median(side), row.unit)} {row.unit}"))
            y += BAR
        y += GAP
    return _document(LEFT + WIDTH + RIGHT, y, parts)


def _place(percent):
    """0 % at 0, 90 % at 1, 99 % at 2, …"""
    return -math.log10(1 - min(percent, 99.9999) / 100)


def curves(title, lines):
    """`lines` is {side: [(percent, microseconds), …]}; both axes are logarithmic, that of percents toward 100."""
    height, x0, y0 = 340, 70, 40
    points = {side: [(percent, us) for percent, us in line if us > 0] for side, line in lines.items()}
    points = {side: line for side, line in points.items() if line}
    if not points:
        return _document(x0 + WIDTH + RIGHT, height + 90, [_text(10, 20, title)])
    far = max(_place(percent) for line in points.values() for percent, _ in line if percent < 100)
    least = math.floor(math.log10(min(us for line in points.values() for _, us in line)))
    most = max(math.ceil(math.log10(max(us for line in points.values() for _, us in line))), least + 1)

    def at(percent, us):
        return (x0 + min(_place(percent), far) / far * WIDTH,
                y0 + height - (math.log10(us) - least) / (most - least) * height)
    parts = [_text(10, 20, title, 'font-weight="bold"')]
    for power in range(least, most + 1):
        y = at(0, 10 ** power)[1]
        parts += [_line(x0, y, x0 + WIDTH, y, "#ccc"), _text(x0 - 8, y + 4, _duration(10 ** power), 'text-anchor="end"')]
    for percent in (0, 50, 90, 99, 99.9, 99.99, 99.999):
        if _place(percent) <= far:
            x = at(percent, 10 ** least)[0]
            parts += [_line(x, y0, x, y0 + height, "#ccc"),
                      _text(x, y0 + height + 18, f"{percent:g} %", 'text-anchor="middle"')]
    for number, (side, line) in enumerate(points.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(x0 + WIDTH + 12, y0 + 14 + 18 * number, side, f'fill="{colour}" font-weight="bold"'))
    return _document(x0 + WIDTH + RIGHT, height + 90, parts)


def _duration(us):
    return f"{us / 1e6:g} s" if us >= 1e6 else f"{us / 1e3:g} ms" if us >= 1e3 else f"{us:g} us"


def write(folder, tables):
    """One file of bars for each table, one for each of its sets of curves; the paths."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables:
        plots = [(table.name, bars(table))]
        plots += [(f"{table.name}-{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}", curves(title, lines))
                  for title, lines in table.curves.items()]
        for name, text in plots:
            written.append(folder / f"{name}.svg")
            written[-1].write_text(text, encoding="utf-8")
    return written
