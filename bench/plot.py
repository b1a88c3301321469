"""Pure: what happened over time as SVG, panel below panel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, NamedTuple

WIDTH: Final = 960
LEFT, RIGHT, TOP, BETWEEN, BOTTOM = 60, 20, 40, 30, 30
GREY: Final = "#444"
_CHARACTER, _MARK = 7, 30
"""Width of a letter of a legend, and of what stands before it."""


class Line(NamedTuple):
    """`points`: (seconds, value); values above the panel's highest are drawn at it."""

    name: str
    colour: str
    points: Iterable[tuple[float, float]]


class Panel(NamedTuple):
    """`marks`: values with a line and a number. Lines without a name are not in the legend."""

    name: str
    height: int
    highest: float
    marks: Sequence[int]
    lines: Sequence[Line]


def plot(title: str, panels: Sequence[Panel], end_s: float) -> str:
    """All panels from 0 to `end_s` seconds."""
    parts, top = [], TOP
    for panel in panels:
        parts += [
            *_frame(panel, top),
            *_legend(panel, top),
            *(_line(panel, one, top, end_s) for one in panel.lines),
        ]
        top += panel.height + BETWEEN
    height = top - BETWEEN + BOTTOM
    return "\n".join([*_head(title, height), *parts, *_seconds(end_s, height), "</svg>"]) + "\n"


def _head(title: str, height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
    ]


def _x(at_s: float, end_s: float) -> float:
    return LEFT + at_s / end_s * (WIDTH - LEFT - RIGHT)


def _line(panel: Panel, line: Line, top: int, end_s: float) -> str:
    drawn = " ".join(
        f"{_x(at_s, end_s):.1f},{top + panel.height * (1 - min(1.0, value / panel.highest)):.1f}"
        for at_s, value in line.points
    )
    return f'<polyline fill="none" stroke="{line.colour}" stroke-width="1.5" points="{drawn}"/>'


def _frame(panel: Panel, top: int) -> list[str]:
    parts = [f'<text x="{LEFT}" y="{top - 5}" fill="{GREY}">{escape(panel.name)}</text>']
    for mark in panel.marks:
        y = top + panel.height * (1 - mark / panel.highest)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{GREY}">{mark}</text>')
    return parts


def _legend(panel: Panel, top: int) -> list[str]:
    parts, x = [], LEFT + 210
    for name, colour, _ in panel.lines:
        if name:
            parts.append(f'<rect x="{x}" y="{top - 13}" width="12" height="4" fill="{colour}"/>')
            parts.append(f'<text x="{x + 16}" y="{top - 6}">{escape(name)}</text>')
            x += _MARK + _CHARACTER * len(name)
    return parts


def _seconds(end_s: float, height: int) -> list[str]:
    return [
        f'<text x="{_x(at, end_s):.1f}" y="{height - 8}" text-anchor="middle" fill="{GREY}">{at} s</text>'
        for at in range(0, int(end_s) + 1, 5)
    ]
