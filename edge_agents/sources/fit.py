"""Any picture → yuv420p, BT.709, limited range, in the feed's size; black bars where the shape differs."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

import av
from av.filter import Graph
from av.video.reformatter import ColorRange, Colorspace

HD_MIN_LINES: Final = 720
_MATRIX: Final[dict[int, str]] = {
    Colorspace.ITU709: "bt709",
    Colorspace.FCC: "fcc",
    Colorspace.ITU601: "bt601",
    6: "bt601",  # SMPTE 170M, the same numbers
    Colorspace.SMPTE240M: "smpte240m",
    Colorspace.BT2020: "bt2020",
}


class _Shape(NamedTuple):
    """What a filter graph is built for."""

    width: int
    height: int
    format: str
    matrix: str
    full_range: bool
    interlaced: bool


class Fitter:
    """Follows changes of the input's size and format, which capture devices make when the signal changes."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._ready = _Shape(width, height, "yuv420p", "bt709", full_range=False, interlaced=False)
        self._input: _Shape | None = None
        self._graph: Graph | None = None

    def fit(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return a picture that shares nothing with `frame` but may be the same when it fits already."""
        shape = _shape_of(frame)
        if shape == self._ready:
            return frame
        if shape != self._input or self._graph is None:
            self._graph, self._input = self._build(frame, shape), shape
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _build(self, frame: av.VideoFrame, shape: _Shape) -> Graph:
        graph = Graph()
        size = f"w={self._width}:h={self._height}"
        colours = f"in_range={'pc' if shape.full_range else 'tv'}:out_color_matrix=bt709:out_range=tv"
        if not frame.format.is_rgb:
            colours += f":in_color_matrix={shape.matrix}"
        nodes = [
            graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base or Fraction(1, 1000),
            )
        ]
        if shape.interlaced:
            # One field, without the delay that weaving two would cost; half its lines are made up.
            nodes += [graph.add("field", "type=top"), graph.add("scale", f"w={frame.width}:h={frame.height}")]
        if shape.format == "yuv420p" and shape.matrix != "bt709":
            # Of one format and size, pictures would be passed on as they are, whatever their colours mean.
            nodes += [graph.add("scale", colours), graph.add("format", "pix_fmts=gbrp")]
            colours = "in_range=pc:out_color_matrix=bt709:out_range=tv"
        nodes += [
            graph.add(
                "scale",
                f"{size}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=bilinear:{colours}",
            ),
            graph.add("pad", f"{size}:x=-1:y=-1:color=black"),
            graph.add("format", "pix_fmts=yuv420p"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        return graph


def _shape_of(frame: av.VideoFrame) -> _Shape:
    name = frame.format.name
    return _Shape(
        frame.width,
        frame.height,
        name,
        matrix_of(frame),
        full_range=frame.format.is_rgb or name.startswith("yuvj") or frame.color_range == ColorRange.JPEG,
        interlaced=frame.interlaced_frame,
    )


def matrix_of(frame: av.VideoFrame) -> str:
    """Which matrix the picture's colours are meant for.

    What does not say is taken as receivers do: JPEG as BT.601 (JFIF), else BT.709 from 720 lines on.
    """
    told = _MATRIX.get(int(frame.colorspace))
    if told is not None:
        return told
    jpeg = frame.format.name.startswith("yuvj")
    return "bt709" if frame.height >= HD_MIN_LINES and not jpeg else "bt601"
