"""Draws the dashboard of template.yaml, with sample data, as docs/dashboard.svg.

    dashboard.py            draws it
    dashboard.py --check    fails where the picture is not that of the template

Only Python's own library is used, so the template is read as text.
"""

import json
import os
import random
import re
import sys
from html import escape

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PICTURE = os.path.join(ROOT, "docs", "dashboard.svg")

COLUMN, ROW, GAP = 44, 30, 6  # pixels of the grid
COLORS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22"]
POINTS = 72

# Sample data by metric, or by metric and what tells its series apart: level, how much it swings, and
# from where to where (of 1) it is there at all. What is not named is zero.
SAMPLES = {
    "Accepted": (24, 0.7, 0.05, 0.95),
    "NotFound": (3, 1, 0.3, 0.6),
    "Rejected": (2, 1, 0.1, 0.4),
    "Unconfirmed": (1, 0, 0.55, 0.565),
    "Retried sqs": (9, 0.8, 0.4, 0.75),
    "Retried apigateway-http": (2, 1, 0.45, 0.6),
    "DDSErrors conflict": (7, 0.8, 0.4, 0.75),
    "DDSErrors throttled": (4, 0.9, 0.6, 0.7),
    "DDSErrors unavailable": (2, 1, 0.45, 0.55),
    "DDSErrors not_found": (3, 1, 0.3, 0.6),
    "DDSErrors invalid": (2, 1, 0.1, 0.4),
    "DDSLatency p50": (140, 0.15, 0, 1),
    "DDSLatency p90": (260, 0.2, 0, 1),
    "DDSLatency p99": (520, 0.4, 0, 1),
    "DDSThrottles": (4, 0.9, 0.6, 0.7),
    "ApproximateNumberOfMessagesVisible RequestQueue": (14, 0.9, 0.05, 0.95),
    "ApproximateNumberOfMessagesNotVisible": (11, 0.6, 0.35, 0.8),
    "ApproximateAgeOfOldestMessage": (1900, 0.6, 0.35, 0.8),
    "Replayed": (2, 1, 0.5, 0.7),
    "Count": (9, 0.7, 0.1, 0.9),
    "4xx": (2, 1, 0.3, 0.6),
    "Invocations": (12, 0.6, 0.05, 0.95),
    "Duration p50": (290, 0.2, 0.05, 0.95),
    "Duration p99": (1400, 0.5, 0.05, 0.95),
    "Duration Maximum": (4200, 0.6, 0.05, 0.95),
    "ConcurrentExecutions": (2, 0.6, 0.05, 0.95),
    "ColdStarts": (0.7, 1, 0, 1),
}
SOURCES = ["sqs", "apigateway-http"]  # what the search by source would find
LOG = [
    ("12:41:07", "accepted", "8d9586c40b33449a815518d4635a2cd9br02", "3711e2ad-5787-49bc-a47f-3f0b066af9f5", "sqs", ""),
    ("12:41:07", "retry", "d2e3f4a5b6c74d8e9f0a1b2c3d4e5f10br02", "", "sqs", "conflict"),
    ("12:39:52", "not_found", "00000000000000000000000000000000br02", "", "apigateway-http", "not_found"),
    ("12:38:20", "rejected", "13f4a5b6c7d84e9f8a0b1c2d3e4f5a11br02", "", "sqs", "invalid"),
    ("12:36:11", "accepted", "2f0c1d7e9a4b4c1f8e55d0a3b6c7e801br02", "dd07e6d4-ac94-471a-918f-a1f258458f92", "direct", ""),
]


def definition():
    """The widgets, with the names of resources in place of what they are called once deployed."""
    with open(os.path.join(ROOT, "template.yaml"), encoding="utf-8") as source:
        text = source.read()
    block = re.search(r"^( +)DashboardBody: !Sub\n +- \|\n((?:\1    .*\n|\n)+)", text, re.M)
    if not block:
        sys.exit("template.yaml: no DashboardBody of the form that is looked for")

    def value(found):
        default = re.search(rf"^  {re.escape(found[1])}:\n(?:    .*\n)*?    Default: (\d+)\n", text, re.M)
        return default[1] if default else found[1]

    return json.loads(re.sub(r"\$\{([A-Za-z:.]+)\}", value, block[2]))["widgets"]


def series(properties):
    """The lines of a chart: label, colour and values."""
    rows, last = [], []
    for row in properties["metrics"]:
        options = row[-1] if isinstance(row[-1], dict) else {}
        parts = [p for p in row if isinstance(p, str)]
        if "expression" in options:
            name = re.search(r'MetricName="(\w+)"', options["expression"])[1]
            rows += [(source, name, source, {}) for source in SOURCES]
            continue
        if parts[0] == "...":
            parts = last[: len(last) - len(parts) + 1] + parts[1:]
        parts = [last[i] if p == "." else p for i, p in enumerate(parts)]
        last = parts
        tells = options.get("stat") or parts[-1].split(".")[0]
        rows.append((options.get("label", parts[1]), parts[1], tells, options))
    lines = []
    for i, (label, name, tells, options) in enumerate(rows):
        level, swing, begin, end = SAMPLES.get(f"{name} {tells}", SAMPLES.get(name, (0, 0, 0, 1)))
        dice = random.Random(f"{name} {tells}")
        values = [level * (1 - swing * dice.random()) if begin <= t / POINTS < end else 0 for t in range(POINTS)]
        lines.append((label, options.get("color", COLORS[i % len(COLORS)]), [round(v) for v in values]))
    return lines


def text(x, y, what, size=11, color="#444", anchor="start", weight="normal"):
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{color}" text-anchor="{anchor}" font-weight="{weight}">{escape(str(what))}</text>'


def chart(properties, x, y, w, h):
    """A chart, with its legend below it."""
    out, lines = [], series(properties)
    rows, at = [[]], 0
    for line in lines:  # the legend, broken into rows
        width = 18 + 6 * len(line[0])
        if at and at + width > w:
            rows.append([])
            at = 0
        rows[-1].append((at, line))
        at += width
    left, right, top, bottom = x + 34, x + w - 4, y + 4, y + h - 10 - 14 * len(rows)
    stacked, marks = properties.get("stacked", False), properties.get("annotations", {}).get("horizontal", [])
    sums = [sum(values) for values in zip(*(line[2] for line in lines))]
    most = max([1, *(sums if stacked else (v for line in lines for v in line[2])), *(m["value"] for m in marks)]) * 1.1
    step = (right - left) / (POINTS - 1)

    def up(v):
        return bottom - (bottom - top) * v / most

    for part in (0, 0.5, 1):
        v = most / 1.1 * part
        out.append(f'<path d="M{left:.0f} {up(v):.1f}H{right:.0f}" stroke="#e5e5e5"/>')
        out.append(text(left - 4, up(v) + 4, f"{v:.0f}" if most > 3 else f"{v:.1f}", 9, "#888", "end"))
    below = [0.0] * POINTS
    for _, color, values in lines:
        if properties["view"] == "bar":
            for i, v in enumerate(values):
                if v:
                    out.append(f'<path d="M{left + i * step:.1f} {bottom:.1f}V{up(v):.1f}" stroke="{color}" stroke-width="4"/>')
            continue
        tops = [b + v for b, v in zip(below, values)] if stacked else values
        points = " ".join(f"{left + i * step:.1f},{up(v):.1f}" for i, v in enumerate(tops))
        if stacked:
            back = " ".join(f"{left + i * step:.1f},{up(below[i]):.1f}" for i in reversed(range(POINTS)))
            out.append(f'<polygon points="{points} {back}" fill="{color}" fill-opacity="0.6"/>')
            below = tops
        else:
            out.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>')
    for mark in marks:
        out.append(f'<path d="M{left:.0f} {up(mark["value"]):.1f}H{right:.0f}" stroke="#d62728" stroke-dasharray="5 3"/>')
        out.append(text(right, up(mark["value"]) - 3, mark["label"], 9, "#d62728", "end"))
    for i, row in enumerate(rows):
        for at, (label, color, _) in row:
            line = y + h - 4 - 14 * (len(rows) - 1 - i)
            out.append(f'<rect x="{x + at + 2:.0f}" y="{line - 8:.0f}" width="9" height="9" fill="{color}"/>')
            out.append(text(x + at + 14, line, label, 10))
    return out


def alarms(properties, x, y, w, h):
    """A box for each alarm."""
    out, columns = [], 5
    box, high = w / columns, (h - 4) / -(-len(properties["alarms"]) // columns)
    for i, alarm in enumerate(properties["alarms"]):
        left, top = x + box * (i % columns), y + high * (i // columns)
        name = alarm.split(".")[0].removesuffix("Alarm")
        out.append(f'<rect x="{left + 2:.0f}" y="{top + 2:.0f}" width="{box - 4:.0f}" height="{high - 4:.0f}" rx="3" fill="#e9f5ea" stroke="#2ca02c"/>')
        out.append(text(left + 9, top + high / 2 + 4, name, 11))
        out.append(text(left + box - 9, top + high / 2 + 4, "OK", 11, "#2ca02c", "end", "bold"))
    return out


def numbers(properties, x, y, w, h):
    """One number for each metric."""
    out, lines = [], series(properties)
    for i, (label, _, values) in enumerate(lines):
        middle = x + w / len(lines) * (i + 0.5)
        out += [text(middle, y + h / 2, f"{sum(values):.0f}", 24, "#222", "middle"), text(middle, y + h / 2 + 20, label, 11, "#666", "middle")]
    return out


def table(properties, x, y, w, h):
    """The first rows of a log query."""
    out = []
    places = [0, 0.08, 0.18, 0.46, 0.76, 0.89]
    heads = ["@timestamp", "status", "backup_id", "job_id", "source", "class"]
    for i, row in enumerate([heads, *LOG]):
        line = y + 18 + 26 * i
        if line > y + h:
            break
        out += [text(x + w * place, line, cell, 11, "#222" if i else "#888") for place, cell in zip(places, row)]
        out.append(f'<path d="M{x:.0f} {line + 8:.0f}h{w:.0f}" stroke="#e5e5e5"/>')
    return out


def draw(widgets):
    wide = 24 * COLUMN + GAP
    high = max(w["y"] + w["height"] for w in widgets) * ROW + GAP + 20
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="Helvetica, Arial, sans-serif">',
        "<title>The dashboard of the stack, with sample data</title>",
        f'<rect width="{wide}" height="{high}" fill="#f2f3f3"/>',
    ]
    for widget in widgets:
        properties = widget["properties"]
        x, y = widget["x"] * COLUMN + GAP, widget["y"] * ROW + GAP
        w, h = widget["width"] * COLUMN - GAP, widget["height"] * ROW - GAP
        out.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="4" fill="#fff" stroke="#d5dbdb"/>')
        out.append(text(x + 10, y + 19, properties["title"], 13, "#16191f", weight="bold"))
        unit = properties.get("yAxis", {}).get("left", {}).get("label")
        if unit:
            out.append(text(x + w - 10, y + 19, unit, 11, "#888", "end"))
        kind = {"alarm": alarms, "log": table}.get(widget["type"]) or {"singleValue": numbers}.get(properties["view"], chart)
        out += kind(properties, x + 10, y + 26, w - 20, h - 32)
    out.append(text(wide - GAP, high - 8, "sample data", 11, "#888", "end"))
    return "\n".join(out) + "\n</svg>\n"


if __name__ == "__main__":
    picture = draw(definition())
    if sys.argv[1:] == ["--check"]:
        with open(PICTURE, encoding="utf-8") as drawn:
            if drawn.read() != picture:
                sys.exit("docs/dashboard.svg is not the dashboard of template.yaml; make dashboard draws it")
    else:
        with open(PICTURE, "w", encoding="utf-8") as drawn:
            drawn.write(picture)
