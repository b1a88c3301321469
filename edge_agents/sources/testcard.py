"""A test card that moves, costs real bits, and says in a machine-readable way when it was drawn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.clock import Clock
from edge_agents import timecode
from edge_agents.sources.base import CapturedFrame, Instant, ticks
from edge_agents.sources.picture import Planes, from_bgr, new_picture, planes_of

BARS_BGR: Final = (
    (191, 191, 191),
    (0, 191, 191),
    (191, 191, 0),
    (0, 191, 0),
    (191, 0, 191),
    (0, 0, 191),
    (191, 0, 0),
)
"""75 % bars: white, yellow, cyan, green, magenta, red, blue."""
SWEEP_US: Final = 2_000_000
"""The white marker crosses the picture in this time."""
GRAIN_SEED: Final = 2026
GRAIN_SIGMA: Final = 14.0
GRAIN_MARGIN_PX: Final = 64
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


class TestcardSource:
    """Draws the card at `fps`. The frame's capture time, the code and the text are the same moment."""

    __test__ = False

    def __init__(self, width: int, height: int, fps: int, clock: Clock, *, label: str = "TEST CARD") -> None:
        self._width, self._height, self._fps, self._clock = width, height, fps, clock
        self._rows = _Rows(width, height)
        self._background = from_bgr(_background(width, height, self._rows, label))
        self._grain = _grain(width, self._rows.grain[1] - self._rows.grain[0])
        self._dice = np.random.default_rng(GRAIN_SEED)

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        for instant in ticks(self._fps, self._clock, stop):
            yield self.draw(instant)

    def draw(self, instant: Instant) -> CapturedFrame:
        """The card as it looks at `instant`."""
        picture = new_picture(self._width, self._height)
        planes = planes_of(picture)
        planes.paint(self._background)
        self._draw_grain(planes)
        self._draw_marker(planes, instant.unix_us)
        self._draw_time(planes, instant.unix_us)
        if self._rows.code:
            timecode.encode(instant.unix_us, planes.y)
        return CapturedFrame(picture, instant)

    def _draw_grain(self, planes: Planes) -> None:
        """Sensor noise: a window that jumps about in a larger field, so no motion search can predict it."""
        top, bottom = self._rows.grain
        x, y = self._dice.integers(0, GRAIN_MARGIN_PX, 2)
        planes.y[top:bottom] = self._grain[y : y + bottom - top, x : x + self._width]

    def _draw_marker(self, planes: Planes, unix_us: int) -> None:
        top, bottom = self._rows.marker
        size = bottom - top
        left = (self._width - size) * (unix_us % SWEEP_US) // SWEEP_US
        planes.y[top:bottom, left : left + size] = timecode.WHITE

    def _draw_time(self, planes: Planes, unix_us: int) -> None:
        text = datetime.fromtimestamp(unix_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
        scale = self._height / 1080
        origin = (round(480 * self._width / 1920), self._rows.text_baseline)
        cv2.putText(planes.y, text, origin, FONT, 1.6 * scale, timecode.WHITE, max(1, round(3 * scale)))


class _Rows:
    """Which rows of the picture hold what: (first, one past the last), even numbers."""

    def __init__(self, width: int, height: int) -> None:
        code = timecode.strip_height(width)
        self.code = width >= timecode.MIN_WIDTH_PX and code * 4 <= height
        top = (code + code % 2) if self.code else 0
        rest = height - top

        def row(share: float) -> int:
            return top + int(rest * share) // 2 * 2

        self.bars = (top, row(0.48))
        self.text_baseline = row(0.57)
        self.marker = (row(0.61), row(0.67))
        self.grain = (row(0.70), height)


def _background(width: int, height: int, rows: _Rows, label: str) -> NDArray[np.uint8]:
    drawing = np.full((height, width, 3), 32, np.uint8)
    drawing[: rows.bars[0]] = 0
    edges = [round(index * width / len(BARS_BGR)) for index in range(len(BARS_BGR) + 1)]
    for colour, left, right in zip(BARS_BGR, edges, edges[1:], strict=False):
        drawing[rows.bars[0] : rows.bars[1], left:right] = colour
    scale = height / 1080
    origin = (round(40 * width / 1920), rows.text_baseline)
    cv2.putText(
        drawing, label, origin, FONT, 1.6 * scale, (0, 200, 255), max(1, round(3 * scale)), cv2.LINE_AA
    )
    drawing[rows.grain[0] :] = 110
    return drawing


def _grain(width: int, height: int) -> NDArray[np.uint8]:
    dice = np.random.default_rng(GRAIN_SEED)
    field = dice.normal(0, 1, (height + GRAIN_MARGIN_PX, width + GRAIN_MARGIN_PX)).astype(np.float32)
    soft = cv2.GaussianBlur(field, (0, 0), 1.0)
    levels = np.clip(np.asarray(soft) * (GRAIN_SIGMA / float(np.std(soft))) + 110, 16, 235)
    grain: NDArray[np.uint8] = levels.astype(np.uint8)
    return grain
