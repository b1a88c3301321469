"""Pure: how points moved between two pictures (Lucas–Kanade, checked forwards and backwards), and the one
motion that most of them share (RANSAC)."""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from annotation.tissue_geometry import Matrix, Points

Grey = NDArray[np.uint8]
"""(height, width), 8 bits."""
Flags = NDArray[np.bool_]

WINDOW_PX: Final = (25, 25)
FEWEST: Final = 6
"""Points below which no motion is believed."""
CRITERIA: Final = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.02)


class Motion(NamedTuple):
    """`share`: of all points asked for, those that moved along."""

    matrix: Matrix
    share: float


def follow(
    before: Grey, after: Grey, points: Points, levels: int, tolerance_px: float
) -> tuple[Points, Flags]:
    """Where the points went, and which came back to within `tolerance_px` when followed the other way round.

    One call for the points of all marks: the pictures' pyramids are built once for all of them.
    """
    start = points.astype(np.float32).reshape(-1, 1, 2)
    ahead, found = _flow(before, after, start, levels)
    back, returned = _flow(after, before, ahead, levels)
    miss = np.linalg.norm((back - start).reshape(-1, 2), axis=1)
    good = found & returned & (miss <= tolerance_px)
    return ahead.reshape(-1, 2).astype(np.float64), good


def common_motion(before: Points, after: Points, good: Flags, tolerance_px: float) -> Motion | None:
    """What most of the good points did together; None when too few agree.

    A similarity: a shear, summed up from frame to frame, would not be seen by what corrects the place.
    """
    if np.count_nonzero(good) < FEWEST:
        return None
    source, target = before[good], after[good]
    matrix, inliers = cv2.estimateAffinePartial2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=tolerance_px, maxIters=200
    )
    if matrix is None:
        return None
    count = int(np.count_nonzero(inliers))
    return Motion(np.asarray(matrix, np.float64), count / len(before)) if count >= FEWEST else None


def _flow(
    before: Grey, after: Grey, points: NDArray[np.float32], levels: int
) -> tuple[NDArray[np.float32], Flags]:
    nowhere = np.zeros_like(points)
    ahead, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, points, nowhere, winSize=WINDOW_PX, maxLevel=levels, criteria=CRITERIA
    )
    return np.asarray(ahead, np.float32), np.asarray(found).ravel() == 1
