"""Blackens rectangles of a captured picture, in the form in which the device delivered it.

This comes before scaling and colour conversion, so that no filter can carry a masked pixel across an edge.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from edge_agents.masks import Box, MaskProfile
from edge_agents.sources.base import SourceError

VIDEO_BLACK: Final = 16
NO_COLOUR: Final = 128


class MaskMismatch(SourceError):
    """The masks cannot be applied, or the picture has another shape than theirs: nothing may pass."""

    code = "mask_mismatch"

    def __init__(self, message: str) -> None:
        super().__init__(message, trouble="masks")


class _Plane(NamedTuple):
    """How one plane is laid out: `cell` bytes stand for `across` × `down` pixels; `black` is such a cell."""

    black: tuple[int, ...]
    across: int = 1
    down: int = 1


_LUMA: Final = _Plane((VIDEO_BLACK,))
_FULL_LUMA: Final = _Plane((0,))


def _planar(across: int, down: int, luma: _Plane = _LUMA) -> tuple[_Plane, ...]:
    chroma = _Plane((NO_COLOUR,), across, down)
    return (luma, chroma, chroma)


_LAYOUTS: Final[dict[str, tuple[_Plane, ...]]] = {
    "yuv420p": _planar(2, 2),
    "yuvj420p": _planar(2, 2, _FULL_LUMA),
    "yuv422p": _planar(2, 1),
    "yuvj422p": _planar(2, 1, _FULL_LUMA),
    "yuv444p": _planar(1, 1),
    "yuvj444p": _planar(1, 1, _FULL_LUMA),
    "nv12": (_LUMA, _Plane((NO_COLOUR, NO_COLOUR), 2, 2)),
    "nv21": (_LUMA, _Plane((NO_COLOUR, NO_COLOUR), 2, 2)),
    "gray": (_FULL_LUMA,),
    "yuyv422": (_Plane((VIDEO_BLACK, NO_COLOUR) * 2, 2),),
    "uyvy422": (_Plane((NO_COLOUR, VIDEO_BLACK) * 2, 2),),
    "gbrp": (_Plane((0,)),) * 3,
    **dict.fromkeys(("rgb24", "bgr24"), (_Plane((0,) * 3),)),
    **dict.fromkeys(("rgb0", "bgr0", "0rgb", "0bgr", "rgba", "bgra", "argb", "abgr"), (_Plane((0,) * 4),)),
}
"""By FFmpeg's name. What is not here is first converted, at the same size, to 4:4:4."""


class MaskPainter:
    """Applies one profile to a feed's pictures and follows changes of their size."""

    def __init__(self, profile: MaskProfile) -> None:
        self._profile = profile
        self._size: tuple[int, int] | None = None
        self._boxes: tuple[Box, ...] = ()

    def apply(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The masked picture. The one given is not touched where others (a decoder) still use it.

        Raises `MaskMismatch` when the picture's shape is not the profile's.
        """
        size = (picture.width, picture.height)
        if size != self._size:
            self._boxes = self._scaled(*size)
            self._size = size
        return paint(picture, self._boxes)

    def _scaled(self, width: int, height: int) -> tuple[Box, ...]:
        profile, reference = self._profile, self._profile.reference
        if not profile.fits(width, height):
            raise MaskMismatch(
                f"the masks were drawn on {reference.width} × {reference.height}, "
                f"the device sends {width} × {height}: nothing is sent"
            )
        return profile.boxes(width, height)


def paint(picture: av.VideoFrame, boxes: tuple[Box, ...]) -> av.VideoFrame:
    """`picture` with all `boxes` black."""
    layouts = _LAYOUTS.get(picture.format.name)
    if layouts is None:
        picture = _converted(picture)
        layouts = _LAYOUTS[picture.format.name]
    picture.make_writable()
    for plane, layout in zip(picture.planes, layouts, strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        for box in boxes:
            _blacken(rows, layout, box)
    return picture


def _blacken(rows: NDArray[np.uint8], layout: _Plane, box: Box) -> None:
    cell = len(layout.black)
    left, right = box.left // layout.across * cell, -(-box.right // layout.across) * cell
    top, bottom = box.top // layout.down, -(-box.bottom // layout.down)
    target = rows[top:bottom, left:right]
    target.reshape(target.shape[0], -1, cell)[:] = layout.black


def _converted(picture: av.VideoFrame) -> av.VideoFrame:
    in_colours = picture.format.is_rgb or picture.format.has_palette
    return picture.reformat(format="rgb24" if in_colours else "yuv444p")
