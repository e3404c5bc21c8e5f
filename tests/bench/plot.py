# SPDX-License-Identifier: MIT
"""Throughput over distance as SVG: a panel for each server, a line for each implementation."""

from __future__ import annotations

import math
from collections.abc import Callable

from figures import Runs

WIDTH, HEIGHT = 880, 380
TOP, BOTTOM = 60, 320
PANEL, GAP, LEFT = 270, 160, 60
# Mid-tones, which stand out on white and on black; the style below only makes text crisper.
COLOURS = {
    "pump": "#8b949e",
    "ibbfs": "#d9480f",
    "gloox": "#2f9e44",
    "slixmpp": "#4c8dff",
    "qxmpp": "#b266d9",
}
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #768390; }
.title { font-size: 15px; font-weight: 600; fill: #768390; }
.grid { stroke: #8b949e; stroke-opacity: 0.25; }
.line { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: light) { text { fill: #57606a; } .title { fill: #24292f; } }
@media (prefers-color-scheme: dark) { text { fill: #9ea7b3; } .title { fill: #c9d1d9; } }"""


def spread_out(wanted: list[float], distance: float) -> list[float]:
    """The same places in the same order, moved so that none is nearer to the next."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places = list(wanted)
    for before, after in zip(order, order[1:]):
        places[after] = max(places[after], places[before] + distance)
    return places


def panel(runs: Runs, labels: dict[str, str], left: int, y: Callable[[float], float]) -> list[str]:
    delays = sorted({run.delay_ms for run in runs})
    step = PANEL / max(1, len(delays) - 1)
    x = {delay: left + step * i for i, delay in enumerate(delays)}
    parts = [
        f'<text x="{x[d]:.0f}" y="{BOTTOM + 20}" text-anchor="middle">{d} ms</text>' for d in delays
    ]
    ends: list[tuple[str, float, float]] = []
    for name, colour in COLOURS.items():
        points = []
        for delay in delays:
            speed = runs.where(implementation=name, delay_ms=delay).median("mb_s")
            if speed:
                points.append((x[delay], y(speed)))
        if not points:
            continue
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        style = f'class="line" stroke="{colour}"'
        if name == "pump":
            style += ' stroke-dasharray="5 4"'
        elif name == "ibbfs":
            style += ' style="stroke-width: 3.5"'
        parts.append(f'<polyline points="{path}" {style}/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in points]
        last = runs.where(implementation=name).where(delay_ms=delays[-1]).median("mb_s")
        ends.append((name, points[-1][1], last or 0))
    places = spread_out([end[1] for end in ends], 16)
    for (name, _, speed), place in zip(ends, places):
        shown = f"{labels[name]} {speed:.2g}"
        style = f'style="fill: {COLOURS[name]}; font-weight: {600 if name == "ibbfs" else 400}"'
        parts.append(f'<text x="{left + PANEL + 10}" y="{place + 4:.1f}" {style}>{shown}</text>')
    return parts


def svg(runs: Runs, labels: dict[str, str]) -> str:
    speeds = runs.values("mb_s") or [1]
    low = math.floor(math.log10(min(speeds)))
    high = max(low + 1, math.ceil(math.log10(max(speeds))))

    def y(speed: float) -> float:
        return BOTTOM - (math.log10(speed) - low) / (high - low) * (BOTTOM - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" role="img">',
        "<title>Throughput over distance, MB/s, blocks of 4096 bytes, TLS</title>",
        f"<style>{STYLE}</style>",
    ]
    for index, server in enumerate(dict.fromkeys(run.server for run in runs)):
        left = LEFT + index * (PANEL + GAP)
        title = f"{labels[server]}, MB/s"
        parts.append(f'<text class="title" x="{left}" y="{TOP - 26}">{title}</text>')
        for power in range(low, high + 1):
            at, shown = y(10**power), f"{10.0**power:g}"
            parts.append(
                f'<path class="grid" d="M{left},{at:.1f} h{PANEL}"/>'
                f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{shown}</text>'
            )
        parts += panel(runs.where(server=server), labels, left, y)
    caption = "delay between each client and the server, one way; blocks of 4096 bytes, TLS"
    parts.append(f'<text x="{LEFT}" y="{BOTTOM + 46}">{caption}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
