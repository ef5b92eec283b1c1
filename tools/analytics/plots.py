"""The plots of README.md, as plain SVG drawn by hand: horizontal bars, readable in light and in dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

Answers = Mapping[str, tuple[Sequence[str], list[tuple[Any, ...]]]]

WIDTH, BAR, GAP, LEFT, RIGHT, TOP = 640, 18, 8, 190, 90, 44
FONT = 'font-family="sans-serif" font-size="12"'
COLOURS = ("#4477aa", "#ee9933", "#cc3355")


class Bar(NamedTuple):
    """A bar: what it is of, how long, in which colour, and what is written at its end."""

    label: str
    length: float
    colour: str
    told: str


def draw(answers: Answers, hosts: Mapping[str, str]) -> dict[str, str]:
    """Return each plot by the name of its file; `hosts` tells what hosts are called."""
    latency, names = _rows(answers, "Tail latency by host"), ("p50", "p95", "p99")
    tails = [
        Bar(f"{hosts.get(row['host'], row['host'])} {name}", row[f"{name}_s"], colour, f"{row[f'{name}_s']:.2f} s")
        for row in latency
        for name, colour in zip(names, COLOURS, strict=True)
    ]
    causes = [
        Bar(f"{row['cause']}, {hosts.get(row['host'], row['host'])}", row["attempts"], COLOURS[2], str(row["attempts"]))
        for row in _rows(answers, "Failure causes")
    ]
    return {
        "tail-latency.svg": bars("How long completed downloads took, by host", tails),
        "failure-causes.svg": bars("Attempts that came to nothing, by cause and host", causes),
    }


def _rows(answers: Answers, title: str) -> list[dict[str, Any]]:
    names, rows = answers[title]
    return [dict(zip(names, row, strict=True)) for row in rows]


def bars(title: str, found: Sequence[Bar]) -> str:
    """Return a plot of horizontal bars."""
    longest = max((bar.length for bar in found), default=0) or 1
    height = TOP + len(found) * (BAR + GAP) + GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{GAP * 2}" y="26" font-size="15">{escape(title)}</text>',
    ]
    for number, bar in enumerate(found):
        y = TOP + number * (BAR + GAP)
        length = max(1.0, bar.length / longest * (WIDTH - LEFT - RIGHT))
        lines += [
            f'<text x="{LEFT - GAP}" y="{y + 13}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{bar.colour}"/>',
            f'<text x="{LEFT + length + GAP:.1f}" y="{y + 13}">{escape(bar.told)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
