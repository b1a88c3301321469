"""Pure: the ink of a pen's stroke: wide where it was pressed, thin where the pen went fast.

The web client draws strokes with the `perfect-freehand` library (`web_client/src/annotation/ink.ts`); this is
the same pen, written for itself after what that does: points drawn towards the line's course, a radius for
each from its pressure, or from the pen's speed where there was no pressure.
`tests/vectors/annotation/ink.json` has outlines made in the browser; how near to them this comes is tested.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

UNITS: Final = 1_000
"""Of the pen's own measure in a picture's height."""
FOLLOWS: Final = 0.15 + 0.85 * (1 - 0.25)
"""How far the line goes towards each new point."""
SLUGGISH: Final = 0.275
"""How quickly the pen's guess at the pressure follows its speed."""
TAIL_UNITS: Final = 3.0
"""Points nearer to the end than this are the hand's trembling."""
FIRST_POINTS: Final = 10
"""They say with what pressure a stroke begins."""
STEPS_OF_TWO: Final = 4
USUAL: Final = 0.5
"""Pressure, where nobody felt one."""


class Nib(NamedTuple):
    """The pen's tip at a place of its way, in heights of the picture: as long as from (x - across_x, y -
    across_y) to (x + across_x, y + across_y).

    A stroke is what the tip sweeps over between neighbours, and round spots at both ends and where the way
    `turns` sharply; after such a place the tip's ends have changed sides.
    """

    x: float
    y: float
    across_x: float
    across_y: float
    radius: float
    turns: bool


class _Pen(NamedTuple):
    size: float
    thinning: float
    feels: bool
    """There were pressures; else they are guessed."""

    def radius(self, pressure: float) -> float:
        return max(0.01, self.size * (0.5 - self.thinning * (0.5 - pressure)))


class _Spot(NamedTuple):
    x: float
    y: float
    pressure: float
    step: float
    """From the spot before."""
    ran: float
    """From the beginning."""
    back_x: float
    back_y: float
    """Towards the spot before, of length 1."""


def ink(points: Sequence[float], pressures: Sequence[float], width: float, aspect: float) -> list[Nib]:
    """`points`: normalised x, y, …; `width` in heights of a picture `aspect` times as wide as high."""
    return list(_ink(tuple(points), tuple(pressures), width, aspect))


@lru_cache(maxsize=512)
def _ink(points: tuple[float, ...], pressures: tuple[float, ...], width: float, aspect: float) -> list[Nib]:
    feels = len(pressures) > 0
    pen = _Pen(width * UNITS * (1.6 if feels else 1.2), 0.6 if feels else 0.25, feels)
    places = [(x * aspect * UNITS, y * UNITS) for x, y in zip(points[::2], points[1::2], strict=True)]
    spots = _spots(_enough(places, [*pressures] or [USUAL] * len(places)), pen)
    return _nibs(spots, pen)


def _enough(places: list[tuple[float, float]], felt: list[float]) -> list[tuple[float, float, float]]:
    """x, y, pressure. A dot is made of two points; a line of two is made of more, of the usual pressure."""
    if len(places) == 1:
        (x, y) = places[0]
        return [(x, y, felt[0]), (x + 1, y + 1, felt[0])]
    if len(places) != 2:
        return [(x, y, pressure) for (x, y), pressure in zip(places, felt, strict=True)]
    (x0, y0), (x1, y1) = places
    parts = [step / STEPS_OF_TWO for step in range(1, STEPS_OF_TWO + 1)]
    return [(x0, y0, felt[0]), *((x0 + (x1 - x0) * part, y0 + (y1 - y0) * part, USUAL) for part in parts)]


def _spots(places: list[tuple[float, float, float]], pen: _Pen) -> list[_Spot]:
    """The line's course. Its first steps are left out until they are as long as the line is wide."""
    spots = [_Spot(*places[0], 0.0, 0.0, 0.0, 0.0)]
    ran, begun = 0.0, False
    for at, (x, y, pressure) in enumerate(places[1:], start=1):
        last = spots[-1]
        here = (last.x + (x - last.x) * FOLLOWS, last.y + (y - last.y) * FOLLOWS)
        step = math.hypot(here[0] - last.x, here[1] - last.y)
        if step == 0:
            continue
        ran += step
        if not begun and at < len(places) - 1:
            if ran < pen.size:
                continue
            begun = True
        back = ((last.x - here[0]) / step, (last.y - here[1]) / step)
        spots.append(_Spot(*here, pressure, step, ran, *back))
    if len(spots) > 1:
        spots[0] = spots[0]._replace(back_x=spots[1].back_x, back_y=spots[1].back_y)
    return spots


def _guess(before: float, spot: _Spot, pen: _Pen) -> float:
    """The pressure of somebody who goes so fast."""
    speed = min(1.0, spot.step / pen.size)
    return min(1.0, before + (1 - speed - before) * speed * SLUGGISH)


def _begins_with(spots: list[_Spot], pen: _Pen) -> float:
    pressure = spots[0].pressure
    for spot in spots[:FIRST_POINTS]:
        now = spot.pressure if pen.feels else _guess(pressure, spot, pen)
        pressure = (pressure + now) / 2
    return pressure


def _nibs(spots: list[_Spot], pen: _Pen) -> list[Nib]:
    nibs: list[Nib] = []
    pressure, total, before, turned = _begins_with(spots, pen), spots[-1].ran, spots[0], False
    for spot, after in zip(spots, [*spots[1:], None], strict=True):
        if nibs and after is not None and total - spot.ran < TAIL_UNITS:
            continue
        now = spot.pressure if pen.feels else _guess(pressure, spot, pen)
        turns = (_agree(spot, before) < 0 and not turned) or (after is not None and _agree(spot, after) < 0)
        if turns:
            turned = turned or (after is not None and _agree(spot, after) < 0)
            nibs.append(_nib(spot, (before.back_x, before.back_y), pen.radius(now), turns))
            continue
        turned = False
        nibs.append(_nib(spot, _along(spot, after), pen.radius(now), turns))
        pressure, before = now, spot
    return nibs


def _agree(one: _Spot, other: _Spot) -> float:
    """1: they come from the same direction, -1: from opposite ones."""
    return one.back_x * other.back_x + one.back_y * other.back_y


def _along(spot: _Spot, after: _Spot | None) -> tuple[float, float]:
    """Between the directions in which the line comes and goes."""
    if after is None:
        return spot.back_x, spot.back_y
    part = _agree(spot, after)
    return (
        after.back_x + (spot.back_x - after.back_x) * part,
        after.back_y + (spot.back_y - after.back_y) * part,
    )


def _nib(spot: _Spot, along: tuple[float, float], radius: float, turns: bool) -> Nib:
    size = radius / UNITS
    return Nib(spot.x / UNITS, spot.y / UNITS, along[1] * size, -along[0] * size, size, turns)
