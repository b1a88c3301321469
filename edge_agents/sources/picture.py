"""Pictures as PyAV frames: planes as arrays, painting into them, conversion from BGR drawings."""

from __future__ import annotations

from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

Plane = NDArray[np.uint8]


class Planes(NamedTuple):
    """Y (height, width), U and V (height/2, width/2), 8 bits, BT.709 limited range."""

    y: Plane
    u: Plane
    v: Plane

    def paint(self, other: Planes, x: int = 0, y: int = 0) -> None:
        """Copy `other` into this with its top left corner at (x, y), both even."""
        for mine, theirs, scale in zip(self, other, (1, 2, 2), strict=True):
            rows, columns = theirs.shape
            top, left = y // scale, x // scale
            mine[top : top + rows, left : left + columns] = theirs

    def copy(self) -> Planes:
        """The same pixels in memory of their own."""
        return Planes(self.y.copy(), self.u.copy(), self.v.copy())

    @property
    def nbytes(self) -> int:
        return sum(plane.nbytes for plane in self)


def new_picture(width: int, height: int) -> av.VideoFrame:
    """An unpainted yuv420p frame, BT.709, limited range."""
    picture = av.VideoFrame(width, height, "yuv420p")
    picture.colorspace, picture.color_range = Colorspace.ITU709, ColorRange.MPEG
    return picture


def planes_of(picture: av.VideoFrame) -> Planes:
    """Writable views of the three planes; they keep the frame alive."""
    views = []
    for plane in picture.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        views.append(rows[: plane.height, : plane.width])
    return Planes(*views)


def from_bgr(drawing: NDArray[np.uint8]) -> Planes:
    """(height, width, 3) BGR, full range → planes of their own."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(drawing), format="bgr24")
    converted = frame.reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
    return planes_of(converted).copy()
