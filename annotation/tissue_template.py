"""Pure: the piece of the frame a mark was drawn on, and where it is in a later one.

Every answer is measured against that piece, never against an earlier answer, so errors do not add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from annotation.tissue_flow import Flags, Grey
from annotation.tissue_geometry import IDENTITY, Matrix, Points, apply, compose, invert, is_plausible, shift

MAX_POINTS: Final = 36
FEWEST_POINTS: Final = 8
POINT_QUALITY: Final = 0.02
POINT_DISTANCE_PX: Final = 3
FLAT: Final = 1.5
"""Grey levels of deviation below which a piece looks like any other."""
NEAR: Final = 0.25
"""Standard deviation, in sides of the piece, of how much its pixels count: what is beside the mark may well
move otherwise, as a leaflet does beside its hinge.
"""
CELLS: Final = 4
"""A piece is compared in so many rows and columns of cells, too."""
CELL_LIKENESS: Final = 0.4
MOST_STRETCH: Final = 1.3
STEPS: Final = 5
SETTLED_PX: Final = 0.03
SEARCH_SHRINK: Final = 2
SEARCH_PX: Final = 60
"""How far around its last place a lost piece is looked for, in tracking pixels."""
SEARCH_LIKENESS: Final = 0.6
MULTIPLE_PX: Final = 8
"""A piece's sides: so that it can be halved and cut into cells."""

Values = NDArray[np.float32]


class Box(NamedTuple):
    """In tracking pixels."""

    left: int
    top: int
    width: int
    height: int


class Check(NamedTuple):
    """`likeness`: correlation of the piece with what is there now (−1…1). `share`: of its cells alike."""

    matrix: Matrix
    likeness: float
    share: float


@dataclass(frozen=True)
class Piece:
    """Made by `cut`. `points` in the piece's own pixels; `weights`: less the farther from its middle, 0 where
    the screen never changes.
    """

    box: Box
    grey: Values
    weights: Values
    points: Points

    @cached_property
    def contrast(self) -> float:
        seen = self.grey[self.weights > 0]
        return float(seen.std()) if seen.size else 0.0

    @property
    def can_be_followed(self) -> bool:
        """Whether there is anything in it that would be known again."""
        return len(self.points) >= FEWEST_POINTS and self.contrast >= FLAT

    @property
    def points_in_picture(self) -> Points:
        moved: Points = self.points + np.array([self.box.left, self.box.top])
        return moved

    @property
    def corners(self) -> Points:
        """In the picture it was cut from."""
        left, top, width, height = self.box
        return np.array([[left + x * width, top + y * height] for x in (0.0, 1.0) for y in (0.0, 1.0)])

    @property
    def middle(self) -> tuple[float, float]:
        """In the picture it was cut from."""
        return self.box.left + (self.box.width - 1) / 2, self.box.top + (self.box.height - 1) / 2

    @cached_property
    def fine(self) -> Aligner:
        return Aligner(self.grey, self.weights)

    @cached_property
    def coarse(self) -> Aligner:
        return Aligner(_halved(self.grey), _halved(self.weights))


class Aligner:
    """Finds the similarity that makes a piece fit best: Gauss–Newton on all its pixels, with gain and offset
    taken out, the derivatives being the piece's own and so computed once (Baker and Matthews' inverse
    compositional form)."""

    def __init__(self, grey: Values, weights: Values) -> None:
        height, width = grey.shape
        self._middle = ((width - 1) / 2, (height - 1) / 2)
        self._reach = float(np.hypot(width, height) / 4)
        self._weights = weights
        self._total = max(1.0, float(weights.sum()))
        self._target, self._power = self._levelled(grey)
        self._steepest, self._solver = self._prepare()

    def correction(self, seen: Values) -> tuple[Matrix, float]:
        """From the piece's pixels to where they are in `seen`, one step closer; and how far that moves its
        outer parts, in pixels."""
        level, power = self._levelled(seen)
        gain = (self._power / power) ** 0.5 if power > 0 else 1.0
        error = (level * np.float32(gain) - self._target) * self._weights
        turn, grow, x, y = (self._solver @ (self._steepest @ error.ravel())).tolist()
        far = (abs(turn) + abs(grow)) * self._reach + max(abs(x), abs(y))
        u, v = self._middle
        step = np.array(
            [[1 + grow, -turn, x - grow * u + turn * v], [turn, 1 + grow, y - turn * u - grow * v]]
        )
        return (invert(step), far) if far < self._reach else (IDENTITY, 0.0)

    def _levelled(self, grey: Values) -> tuple[Values, float]:
        level = grey - np.float32(float(np.vdot(grey, self._weights)) / self._total)
        return level, float(np.vdot(level * level, self._weights))

    def _prepare(self) -> tuple[Values, NDArray[np.float64]]:
        height, width = self._target.shape
        dy, dx = np.gradient(self._target)
        x = np.arange(width, dtype=np.float32) - np.float32(self._middle[0])
        y = (np.arange(height, dtype=np.float32) - np.float32(self._middle[1]))[:, None]
        rows = [-dx * y + dy * x, dx * x + dy * y, dx, dy]
        steepest = np.stack([row.ravel() for row in rows]).astype(np.float32)
        weighted = steepest * self._weights.ravel()
        hessian = (steepest @ weighted.T).astype(np.float64)
        # Turning and growing are held back where the piece says little about them.
        hessian += np.diag(np.diag(hessian) * (0.05, 0.05, 0.0, 0.0)) + np.eye(4) * 1e-3
        return steepest, np.linalg.inv(hessian).astype(np.float64)


def cut(picture: Grey, box: Box, still: Flags | None = None) -> Piece:
    """The piece in `box`; `still`: of the whole picture, what never changes (a scanner's text and scales)."""
    rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    grey = picture[rows, columns]
    moving = np.ones(grey.shape, np.uint8) if still is None else (~still[rows, columns]).astype(np.uint8)
    points = _corners(grey, moving)
    if len(points) < FEWEST_POINTS:
        moving = np.ones(grey.shape, np.uint8)
        points = _corners(grey, moving)
    return Piece(box, grey.astype(np.float32), moving * _window(*grey.shape), points)


def _window(height: int, width: int) -> Values:
    rows, columns = (np.linspace(-0.5, 0.5, side) / NEAR for side in (height, width))
    return np.exp(-(rows[:, None] ** 2 + columns**2) / 2).astype(np.float32)


def check(piece: Piece, picture: Grey, guess: Matrix) -> Check:
    """Correct `guess` (where the piece is in `picture`) and say how alike the two are then."""
    place = guess
    for aligner, shrink in ((piece.coarse, 2), (piece.fine, 1)):
        for _ in range(STEPS):
            step, far = aligner.correction(_seen(piece, picture, place, shrink))
            place = compose(place, _around(piece.box, step, shrink))
            if far < SETTLED_PX:
                break
        if not is_plausible(place, MOST_STRETCH) or _strayed(piece, guess, place):
            return Check(guess, *_alike(piece, _seen(piece, picture, guess)))
    return Check(place, *_alike(piece, _seen(piece, picture, place)))


def search(piece: Piece, picture: Grey, last: Matrix) -> Matrix | None:
    """The most similar place around where the piece was last; None when none is similar.

    It keeps how the piece was turned and stretched.
    """
    x, y = apply(last, np.array([piece.middle]))[0]
    left, top = round(x - piece.box.width / 2), round(y - piece.box.height / 2)
    x0, y0 = max(0, left - SEARCH_PX), max(0, top - SEARCH_PX)
    x1 = min(picture.shape[1], left + piece.box.width + SEARCH_PX)
    y1 = min(picture.shape[0], top + piece.box.height + SEARCH_PX)
    if x1 - x0 < piece.box.width + MULTIPLE_PX or y1 - y0 < piece.box.height + MULTIPLE_PX:
        return None
    scores = cv2.matchTemplate(
        _halved(picture[y0:y1, x0:x1].astype(np.float32)), _halved(piece.grey), cv2.TM_CCOEFF_NORMED
    )
    _, best, _, (column, row) = cv2.minMaxLoc(scores)
    if not best >= SEARCH_LIKENESS:
        return None
    moved = (x0 + column * SEARCH_SHRINK - left, y0 + row * SEARCH_SHRINK - top)
    return compose(shift(*moved), last)


def _alike(piece: Piece, seen: Values) -> tuple[float, float]:
    """Correlation of brightness, so that gain and offset do not count; and of how many cells."""
    whole = _correlation(piece.grey.ravel()[None], seen.ravel()[None], piece.weights.ravel()[None])
    cells = [_cells(values) for values in (piece.grey, seen, piece.weights)]
    single = _correlation(*cells)
    judged = ~np.isnan(single)
    share = float((single[judged] >= CELL_LIKENESS).mean()) if judged.any() else 0.0
    return (0.0 if np.isnan(whole[0]) else float(whole[0])), share


def _correlation(mine: Values, theirs: Values, weights: Values) -> NDArray[np.float64]:
    """Row by row; nan where the first is flat, 0 where only the second is."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    mine = mine - (mine * weights).sum(axis=1, keepdims=True) / total
    theirs = theirs - (theirs * weights).sum(axis=1, keepdims=True) / total
    flat = FLAT * FLAT * total[:, 0]
    own, other = (mine * mine * weights).sum(axis=1), (theirs * theirs * weights).sum(axis=1)
    together = (mine * theirs * weights).sum(axis=1)
    alike = np.where(other > flat / 16, together / np.sqrt(np.maximum(own * other, 1e-6)), 0.0)
    return np.where(own > flat, alike, np.nan).astype(np.float64)


def _cells(values: Values) -> Values:
    height, width = (side // CELLS for side in values.shape)
    blocks = values.reshape(CELLS, height, CELLS, width).swapaxes(1, 2)
    return blocks.reshape(CELLS * CELLS, height * width)


def _corners(grey: Grey, moving: NDArray[np.uint8]) -> Points:
    found = cv2.goodFeaturesToTrack(
        grey, MAX_POINTS, POINT_QUALITY, POINT_DISTANCE_PX, mask=moving, blockSize=5
    )
    return np.empty((0, 2)) if found is None else found.reshape(-1, 2).astype(np.float64)


def _seen(piece: Piece, picture: Grey, place: Matrix, shrink: int = 1) -> Values:
    """What `picture` shows where the piece would be, in the piece's own (possibly halved) pixels."""
    way = compose(place, _to_picture(piece.box, shrink))
    size = (piece.box.width // shrink, piece.box.height // shrink)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, way, size, flags=flags, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def _around(box: Box, step: Matrix, shrink: int) -> Matrix:
    """A correction in the piece's (possibly halved) pixels → in the picture's it was cut from."""
    way = _to_picture(box, shrink)
    return compose(way, compose(step, invert(way)))


def _to_picture(box: Box, shrink: int) -> Matrix:
    """From a piece's (possibly halved) pixels to those of the picture it was cut from."""
    edge = (shrink - 1) / 2
    return np.array([[shrink, 0.0, box.left + edge], [0.0, shrink, box.top + edge]])


def _strayed(piece: Piece, guess: Matrix, place: Matrix) -> bool:
    """A correction larger than a fifth of the piece found something else."""
    middle = np.array([piece.middle])
    return float(np.linalg.norm(apply(guess, middle) - apply(place, middle))) > min(piece.box[2:]) / 5


def _halved(values: Values) -> Values:
    size = (values.shape[1] // 2, values.shape[0] // 2)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
