"""Any decoded picture → yuv420p in the feed's size: scaled to fit, black bars where the shape differs."""

from __future__ import annotations

import av
from av.filter import Graph


class Fitter:
    """Follows changes of the input's size and format, which capture devices make when the signal changes."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._input: tuple[int, int, str] | None = None
        self._graph: Graph | None = None

    def fit(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return a picture that shares nothing with `frame` but may be the same when it fits already."""
        shape = (frame.width, frame.height, frame.format.name)
        if shape == (self._width, self._height, "yuv420p"):
            return frame
        if shape != self._input or self._graph is None:
            self._graph, self._input = self._build(frame), shape
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _build(self, frame: av.VideoFrame) -> Graph:
        graph = Graph()
        size = f"w={self._width}:h={self._height}"
        nodes = [
            graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
            ),
            graph.add(
                "scale",
                f"{size}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=bilinear"
                ":out_color_matrix=bt709:out_range=tv",
            ),
            graph.add("pad", f"{size}:x=-1:y=-1:color=black"),
            graph.add("format", "pix_fmts=yuv420p"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        return graph
