"""The pen of films and stills is the one of the web client: its ink lies where the browser's outline is."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from annotation import render
from annotation.ink import ink
from annotation.shapes import Pointer, Shown, pointer_colour
from annotation.tissue_geometry import Affine
from tests.annotation.test_export import HEIGHT, WIDTH, mark, picture

STROKES: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "annotation" / "ink.json").read_text()
)
PICTURE_HEIGHT: Final = 1080
OUTSIDE_PX: Final = 0.5
"""How far the browser's outline may lie outside of our ink, at 1080 lines."""


def filled(outline: NDArray[np.float64], height: int) -> NDArray[np.bool_]:
    """As a canvas fills it: whatever the outline goes around, however often (nonzero winding)."""
    width = round(height * 16 / 9)
    winding = np.zeros((height, width), np.int32)
    columns, middles = np.arange(width) + 0.5, np.arange(height) + 0.5
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        rows = np.flatnonzero((middles > min(y0, y1)) & (middles <= max(y0, y1)))
        crossing = x0 + (middles[rows] - y0) / (y1 - y0) * (x1 - x0) if len(rows) else rows
        for row, at in zip(rows, crossing, strict=True):
            winding[row] += (columns > at) * (1 if y1 > y0 else -1)
    around: NDArray[np.bool_] = winding != 0
    return around


def our_ink(stroke: dict[str, Any], height: int) -> NDArray[np.bool_]:
    drawn = mark("pen", *stroke["points"], pressures=stroke["pressures"], width=stroke["width"])
    black = np.zeros((height, round(height * stroke["aspect"]), 3), np.uint8)
    inked: NDArray[np.bool_] = render.burn_in(black, [Shown(drawn)])[..., 2] > 127
    return inked


def farthest_outside_px(stroke: dict[str, Any]) -> float:
    outline = np.array(stroke["outline"]).reshape(-1, 2)
    nibs = np.array(ink(stroke["points"], stroke["pressures"], stroke["width"], stroke["aspect"]))
    blobs = nibs[:, [0, 1, 4]]
    nearest = np.full(len(outline), np.inf)
    for before, after in pairwise(blobs):
        way = after[:2] - before[:2]
        part = np.clip((outline - before[:2]) @ way / max(way @ way, 1e-12), 0, 1)[:, None]
        spots = before + part * (after - before)
        nearest = np.minimum(nearest, np.hypot(*(outline - spots[:, :2]).T) - spots[:, 2])
    return float(nearest.max()) * PICTURE_HEIGHT


@pytest.mark.parametrize("stroke", STROKES, ids=lambda stroke: stroke["name"])
def test_the_browser_s_outline_is_the_edge_of_our_ink(stroke: dict[str, Any]) -> None:
    assert farthest_outside_px(stroke) < OUTSIDE_PX


@pytest.mark.parametrize("stroke", STROKES, ids=lambda stroke: stroke["name"])
def test_what_is_painted_is_what_the_browser_fills(stroke: dict[str, Any]) -> None:
    outline = np.array(stroke["outline"]).reshape(-1, 2) * PICTURE_HEIGHT
    theirs, ours = filled(outline, PICTURE_HEIGHT), our_ink(stroke, PICTURE_HEIGHT)
    assert not (ours & ~grown(theirs)).any()
    assert not (theirs & ~grown(ours)).any()


def grown(inked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """By one pixel of 1080 lines, on all sides."""
    wider: NDArray[np.bool_] = cv2.dilate(inked.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return wider


def test_ink_swells_with_the_pressure() -> None:
    points = [value for step in range(40) for value in (0.1 + step / 50, 0.5)]
    image = render.burn_in(
        picture(), [Shown(mark("pen", *points, pressures=[step / 39 for step in range(40)], width=0.03))]
    )
    thickness = [(image[:, round(x * WIDTH), 2] > 200).sum() for x in (0.2, 0.5, 0.8)]
    assert thickness[0] < 0.7 * thickness[1] < 0.5 * thickness[2]


def test_what_moves_with_the_tissue_grows_with_it() -> None:
    points = [value for step in range(20) for value in (0.1 + step / 100, 0.2)]
    line = mark("pen", *points, pressures=[0.5] * 20, width=0.02)
    still = render.burn_in(picture(), [Shown(line)])
    grown = render.burn_in(picture(), [Shown(line, motion=Affine(2, 0, 0, 2, 0, 0))])
    assert (grown[:, round(0.4 * WIDTH), 2] > 200).sum() > 1.7 * (still[:, round(0.2 * WIDTH), 2] > 200).sum()


def test_a_mark_that_nobody_is_sure_of_says_so() -> None:
    line = mark("arrow", 0.2, 0.2, 0.3, 0.3)
    sure, unsure = (render.burn_in(picture(), [Shown(line, unsure=one)]) for one in (False, True))
    beside = (
        slice(round(0.18 * HEIGHT), round(0.22 * HEIGHT)),
        slice(round(0.24 * WIDTH), round(0.3 * WIDTH)),
    )
    assert (sure[beside] == 90).all()
    assert not (unsure[beside] == 90).all()


def test_pointers_are_painted_in_their_person_s_colour() -> None:
    image = render.burn_in(picture(), [], [Pointer("u_wang", "Wang 王", 0.5, 0.5)])
    red, green, blue = (int(pointer_colour("u_wang")[at : at + 2], 16) for at in (1, 3, 5))
    assert image[HEIGHT // 2, WIDTH // 2].tolist() == [blue, green, red]
    assert (image[:, round(0.54 * WIDTH) : round(0.6 * WIDTH)] != 90).any()
