"""Draws marks into pictures: for films with the drawings burnt in, and for stills.

The same shapes as on the web client's canvas (`annotation/shapes.py`, `annotation/ink.py`), with the dark
edge that makes them seen on any picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Images
from PIL import ImageDraw, ImageFont

from annotation.ink import Nib, ink
from annotation.shapes import Pointer, Shown, lines, places, pointer_colour, ruler_words
from annotation.tissue_geometry import Points

Image = NDArray[np.uint8]
"""(height, width, 3), BGR."""
Mask = NDArray[np.uint8]

HALO_OPACITY: Final = 0.55
HALO_SHARE: Final = 0.7
"""Of a line's width, on top of it."""
UNSURE: Final = "place unsure · 位置不确定"
"""Beside a mark of which nobody is sure where it is; a film has no language of its own."""
POINTER_RADIUS: Final = 0.011
POINTER_EDGE: Final = 0.003
POINTER_LETTERS: Final = 0.028
POINTER_GAP: Final = 0.022
RULER_LETTERS: Final = 0.032
"""In heights of the picture."""
RULER_GAP: Final = 0.015
LINE_HEIGHT: Final = 1.2
SUBPIXEL_BITS: Final = 4
SMOOTHING_PX: Final = 0.5
"""OpenCV's smooth edges lie so far outside of what they surround."""
FAR_PX: Final = 20_000
"""What lies beyond is nowhere near the picture."""
FONTS: Final = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf",
)
"""The first that is there; without any, letters other than Latin are boxes."""


def burn_in(image: Image, shown: Sequence[Shown], pointers: Sequence[Pointer] = ()) -> Image:
    """A copy of the picture with the marks in it, the first lowest, and the pointers on top."""
    picture = image.copy()
    for one in shown:
        _draw(picture, one)
    for pointer in pointers:
        _point(picture, pointer)
    return picture


def png(image: Image) -> bytes:
    """As an 8-bit RGB PNG."""
    done, data = cv2.imencode(".png", image)
    assert done
    return data.tobytes()


def _draw(picture: Image, shown: Shown) -> None:
    height, width = picture.shape[:2]
    mark, colour = shown.mark, _bgr(shown.mark.colour)
    if mark.tool == "pen":
        _draw_ink(picture, shown)
    else:
        _draw_lines(picture, shown)
    if mark.tool == "text":
        _write(
            picture, mark.text, places(shown, width, height)[0], mark.width * height, colour, shown.opacity
        )
    elif mark.tool == "ruler":
        ends = places(shown, width, height)
        right = ends[int(ends[1, 0] >= ends[0, 0])] + (RULER_GAP * height, 0)
        _write(picture, ruler_words(mark), right, RULER_LETTERS * height, colour, shown.opacity)
    if shown.unsure:
        at = places(shown, width, height)[0]
        _write(picture, UNSURE, at, RULER_LETTERS * height, colour, shown.opacity)


def _draw_lines(picture: Image, shown: Shown) -> None:
    height, width = picture.shape[:2]
    thick = max(1.0, shown.mark.width * height)
    drawn = [line for line in lines(shown, width, height) if np.abs(line).max(initial=0) < FAR_PX]
    for line in drawn:
        edge = _line_mask(picture, line, thick * (1 + HALO_SHARE))
        _blend(picture, edge, (0, 0, 0), HALO_OPACITY * shown.opacity)
    for line in drawn:
        _blend(picture, _line_mask(picture, line, thick), _bgr(shown.mark.colour), shown.opacity)


def _draw_ink(picture: Image, shown: Shown) -> None:
    height, width = picture.shape[:2]
    mark = shown.mark
    stroke = _moved(ink(mark.points, mark.pressures, mark.width, width / height), shown, width, height)
    if np.abs(stroke.places).max(initial=0) >= FAR_PX:
        return
    edge = mark.width * height * HALO_SHARE / 2
    _blend(picture, _ink_mask(picture, stroke, edge), (0, 0, 0), HALO_OPACITY * shown.opacity)
    _blend(picture, _ink_mask(picture, stroke), _bgr(mark.colour), shown.opacity)


@dataclass(frozen=True, slots=True)
class _Stroke:
    """In pixels. `across`: from a place to the tip's end; `turns`: where the ends change sides."""

    places: Points
    across: Points
    radii: NDArray[np.float64]
    turns: NDArray[np.bool_]


def _moved(nibs: Sequence[Nib], shown: Shown, width: int, height: int) -> _Stroke:
    """Where the tissue has taken it."""
    made = np.array(nibs, np.float64)
    size, shape, motion = np.array([width, height]), np.array([height / width, 1]), shown.motion
    places = motion.apply(made[:, :2] * shape) * size
    ends = motion.apply((made[:, :2] + made[:, 2:4]) * shape) * size
    grown = math.sqrt(abs(motion.a * motion.d - motion.b * motion.c))
    return _Stroke(places, ends - places, made[:, 4] * height * grown, made[:, 5] > 0)


def _ink_mask(picture: Image, stroke: _Stroke, more: float = 0.0) -> tuple[Mask, int, int]:
    """All that the tip sweeps over, as a mask of a part of the picture: (mask, left, top). `more`: on all
    sides.
    """
    mask, left, top = _empty_mask(picture, stroke.places, float(stroke.radii.max()) + more)
    if not mask.size:
        return mask, left, top
    wider = more - SMOOTHING_PX
    places = stroke.places - (left + 0.5, top + 0.5)
    lengths = np.maximum(np.hypot(*stroke.across.T), 1e-6)[:, None]
    across = stroke.across / lengths * np.maximum(lengths + wider, 0)
    round_ones = stroke.turns.copy()
    round_ones[[0, -1]] = True
    radii = np.maximum(stroke.radii + wider, 0)
    spots = _fixed(np.column_stack([places, radii])[round_ones])
    for x, y, radius in spots.tolist():
        cv2.circle(mask, (x, y), radius, 255, cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)
    sides = np.where(stroke.turns[:, None], -across, across)[:-1]
    corners = [places[:-1] - sides, places[1:] - across[1:], places[1:] + across[1:], places[:-1] + sides]
    for swept in _fixed(np.stack(corners, axis=1)):
        cv2.fillPoly(mask, [swept], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    return mask, left, top


def _point(picture: Image, pointer: Pointer) -> None:
    height, width = picture.shape[:2]
    at = np.array([pointer.x * width, pointer.y * height])
    colour = _bgr(pointer_colour(pointer.person))
    dot = _Stroke(at[None], np.zeros((1, 2)), np.array([POINTER_RADIUS * height]), np.array([True]))
    _blend(picture, _ink_mask(picture, dot, POINTER_EDGE * height), (0, 0, 0), HALO_OPACITY)
    _blend(picture, _ink_mask(picture, dot), colour, 1.0)
    beside = at + np.array([POINTER_GAP * height, 0])
    _write(picture, pointer.name, beside, POINTER_LETTERS * height, colour, 1.0)


def _empty_mask(picture: Image, places: Points, reach: float) -> tuple[Mask, int, int]:
    """For the part of the picture that these places, and so many pixels around, lie in: (mask, left, top)."""
    pad = int(reach) + 2
    left, top = np.floor(np.maximum(places.min(axis=0) - pad, 0)).astype(int)
    right, bottom = np.ceil(np.minimum(places.max(axis=0) + pad, picture.shape[1::-1])).astype(int)
    return np.zeros((max(0, bottom - top), max(0, right - left)), np.uint8), int(left), int(top)


def _fixed(values: Points) -> NDArray[np.int32]:
    return np.round(values * (1 << SUBPIXEL_BITS)).astype(np.int32)


def _line_mask(picture: Image, line: Points, thick: float) -> tuple[Mask, int, int]:
    mask, left, top = _empty_mask(picture, line, thick)
    if mask.size:
        fixed = _fixed(line - (left + 0.5, top + 0.5)).tolist()
        for start, end in zip(fixed[:-1] or fixed, fixed[1:] or fixed, strict=True):
            cv2.line(mask, start, end, 255, max(1, round(thick)), cv2.LINE_AA, SUBPIXEL_BITS)
    return mask, left, top


def _blend(
    picture: Image, where: tuple[Mask, int, int], colour: tuple[int, int, int], opacity: float
) -> None:
    mask, left, top = where
    if not mask.size:
        return
    part = picture[top : top + mask.shape[0], left : left + mask.shape[1]]
    share = mask[..., None].astype(np.float32) * (opacity / 255)
    part[:] = np.round(part * (1 - share) + np.array(colour, np.float32) * share).astype(np.uint8)


def _write(
    picture: Image, words: str, at: Points, size: float, colour: tuple[int, int, int], opacity: float
) -> None:
    """Letters `size` pixels high, the first line's middle at the height of `at`."""
    rows = words.split("\n")
    font, edge = _font(max(6, round(size))), max(1, round(size / 8))
    wide = round(max(font.getlength(row) for row in rows)) + 2 * edge + 2
    high = round(size * (LINE_HEIGHT * len(rows) + 0.5)) + 2 * edge
    for stroke, paint, share in ((edge, (0, 0, 0), HALO_OPACITY * opacity), (0, colour, opacity)):
        drawn = Images.new("L", (wide, high))
        pen = ImageDraw.Draw(drawn)
        for number, row in enumerate(rows):
            middle = (edge, size * (LINE_HEIGHT * number + 0.75) + edge)
            pen.text(middle, row, fill=255, font=font, anchor="lm", stroke_width=stroke)
        mask = np.asarray(drawn, np.uint8)
        _blend(
            picture,
            _clipped(mask, picture, round(at[0]) - edge, round(at[1] - size * 0.75) - edge),
            paint,
            share,
        )


def _clipped(mask: Mask, picture: Image, left: int, top: int) -> tuple[Mask, int, int]:
    height, width = picture.shape[:2]
    inside = mask[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
    return inside, max(0, left), max(0, top)


def _bgr(colour: str) -> tuple[int, int, int]:
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for path in FONTS:
        if Path(path).exists():
            return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)
