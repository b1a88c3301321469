"""Pure: where a picture seems to have burned-in text. A suggestion: a person looks at it before it is used.

Text is made of thin strokes with sharp edges that stand out from what is behind them, side by side in lines,
and it stays where it is while anatomy and noise move. It need not be read to be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agents.masks import MAX_MASKS, Box, Mask, MaskProfile, Reference

Image = NDArray[np.uint8]

MIN_CONTRAST: Final = 14
"""Of a stroke against its surroundings, of 255. Faded menus of a scanner have about 40."""
MIN_CONTRAST_FEW: Final = 34
"""With too few pictures to tell noise from what stays."""
ENOUGH_PICTURES: Final = 6
EDGE_SHARE: Final = 0.6
"""Of the least contrast: the steepest step to a neighbouring pixel. Speckle and tissue are softer."""
MIN_SHARP_SHARE: Final = 0.5
"""Of a line's strokes, so many must have such an edge."""
MIN_TEXT_PX: Final = 5
MAX_LINE_SHARE: Final = 0.1
"""Of the picture's height: what is straight for longer is a frame or a scale, no letter."""
MIN_FILL: Final = 0.35
MAX_WASTE: Final = 1.2
MARGIN_SHARE: Final = 0.006
"""Of the picture's height, at least 2 pixels: compression by the device smears a letter's edges."""


def suggest(pictures: Sequence[Image]) -> MaskProfile | None:
    """Masks for (height, width, 3) pictures of one size, all of one device; None when there is no text."""
    height, width = pictures[0].shape[:2]
    boxes = text_boxes(pictures)
    if not boxes:
        return None
    masks = tuple(
        Mask(x=box.left, y=box.top, width=box.right - box.left, height=box.bottom - box.top) for box in boxes
    )
    return MaskProfile(reference=Reference(width=width, height=height), masks=masks)


def text_boxes(pictures: Sequence[Image]) -> list[Box]:
    """Rectangles around what seems to be text, top to bottom, at most `MAX_MASKS`."""
    bright, dark, edges = _lasting(pictures)
    sharp = edges >= EDGE_SHARE * _least_contrast(pictures)
    return _merged(_boxes(bright, sharp) + _boxes(dark, sharp))


def _least_contrast(pictures: Sequence[Image]) -> int:
    return MIN_CONTRAST if len(pictures) >= ENOUGH_PICTURES else MIN_CONTRAST_FEW


def _boxes(strokes: Image, sharp: NDArray[np.bool_]) -> list[Box]:
    """Rectangles around lines of such strokes."""
    height, width = strokes.shape
    lines = _join(strokes, max(3, round(height * 0.03)))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    margin = max(2, round(height * MARGIN_SHARE))
    found = []
    for label in range(1, count):
        x, y, across, down = (int(value) for value in stats[label][:4])
        here = (slice(y, y + down), slice(x, x + across))
        region = labels[here] == label
        if _looks_like_text((strokes[here] > 0) & region, sharp[here]):
            found += [_widened(box, margin, width, height) for box in _tight(region, x, y)]
    return found


def _tight(region: NDArray[np.bool_], x: int, y: int) -> list[Box]:
    """Rectangles around a region, cut in halves while it fills too little of them."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if not len(rows):
        return []
    region = region[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    x, y = x + int(columns[0]), y + int(rows[0])
    height, width = region.shape
    if region.mean() >= MIN_FILL or max(height, width) < 4 * MIN_TEXT_PX:
        return [Box(x, y, x + width, y + height)]
    if height >= width:
        half = height // 2
        return _tight(region[:half], x, y) + _tight(region[half:], x, y + half)
    half = width // 2
    return _tight(region[:, :half], x, y) + _tight(region[:, half:], x + half, y)


def _widened(box: Box, margin: int, width: int, height: int) -> Box:
    return Box(
        max(0, box.left - margin),
        max(0, box.top - margin),
        min(width, box.right + margin),
        min(height, box.bottom + margin),
    )


def uncovered(boxes: Iterable[Box], profile: MaskProfile, size: tuple[int, int]) -> list[Box]:
    """Those of `boxes` that the profile's masks do not wholly cover in a picture of that size."""
    covered = np.zeros((size[1], size[0]), bool)
    for mask in profile.boxes(*size):
        covered[mask.top : mask.bottom, mask.left : mask.right] = True
    return [box for box in boxes if not covered[box.top : box.bottom, box.left : box.right].all()]


def _lasting(pictures: Sequence[Image]) -> tuple[Image, Image, Image]:
    """(bright strokes that are in every picture, dark ones, how sharp the softest of their edges is)."""
    height = pictures[0].shape[0]
    size = max(5, round(height * 0.025)) | 1
    thin = cv2.getStructuringElement(cv2.MORPH_RECT, (size, size))
    near = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
    kinds = ((cv2.MORPH_TOPHAT, thin), (cv2.MORPH_BLACKHAT, thin), (cv2.MORPH_GRADIENT, near))
    least: list[Image] = []
    for picture in pictures:
        light = np.asarray(picture.max(axis=2))
        found = [np.asarray(cv2.morphologyEx(light, kind, shape)).astype(np.uint8) for kind, shape in kinds]
        least = [np.minimum(a, b) for a, b in zip(least, found, strict=True)] if least else found
    contrast = _least_contrast(pictures)
    bright, dark = ((part >= contrast).astype(np.uint8) for part in least[:2])
    longest = round(height * MAX_LINE_SHARE)
    return _without_lines(bright, longest), _without_lines(dark, longest), least[2]


def _without_lines(strokes: Image, length: int) -> Image:
    lines = np.zeros_like(strokes)
    for shape in ((length, 1), (1, length)):
        straight = cv2.getStructuringElement(cv2.MORPH_RECT, shape)
        lines |= np.asarray(cv2.morphologyEx(strokes, cv2.MORPH_OPEN, straight)).astype(np.uint8)
    return strokes & ~lines


def _join(strokes: Image, reach: int) -> Image:
    """Letters of one line become one piece."""
    beside = cv2.getStructuringElement(cv2.MORPH_RECT, (reach | 1, 1 + 2 * (reach // 6)))
    return np.asarray(cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, beside)).astype(np.uint8)


def _looks_like_text(strokes: NDArray[np.bool_], sharp: NDArray[np.bool_]) -> bool:
    height, width = strokes.shape
    if height < MIN_TEXT_PX or width < 3:
        return False
    amount = int(strokes.sum())
    if amount < 2 * MIN_TEXT_PX or amount > 0.95 * strokes.size:
        return False
    return float(sharp[strokes].mean()) >= MIN_SHARP_SHARE


def _merged(boxes: list[Box]) -> list[Box]:
    """What overlaps becomes one, unless much else would be covered; of too many, the nearest do."""
    merged = sorted(boxes, key=lambda box: (box.top, box.left))
    while (pair := _closest(merged)) is not None:
        first, second = pair
        rest = [box for box in merged if box not in pair]
        merged = [*rest, _around(first, second)]
    return sorted(merged, key=lambda box: (box.top, box.left))


def _closest(boxes: list[Box]) -> tuple[Box, Box] | None:
    """Two to be merged next: any that overlap; while there are too many, those that waste least."""
    pairs = [(one, other) for index, one in enumerate(boxes) for other in boxes[index + 1 :]]
    touching = next((pair for pair in pairs if _overlap(*pair)), None)
    if touching is not None or len(boxes) <= MAX_MASKS:
        return touching
    return min(pairs, key=lambda pair: _area(_around(*pair)) - _area(pair[0]) - _area(pair[1]))


def _overlap(a: Box, b: Box) -> bool:
    touching = a.left <= b.right and b.left <= a.right and a.top <= b.bottom and b.top <= a.bottom
    return touching and _area(_around(a, b)) <= MAX_WASTE * (_area(a) + _area(b))


def _around(a: Box, b: Box) -> Box:
    return Box(min(a.left, b.left), min(a.top, b.top), max(a.right, b.right), max(a.bottom, b.bottom))


def _area(box: Box) -> int:
    return (box.right - box.left) * (box.bottom - box.top)
