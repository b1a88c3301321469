"""Pictures of an exported film: tiles on a canvas, and slates where there is nothing to show."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import av
import av.error
import cv2
import numpy as np
import numpy.typing as npt

from archive.entries import GapEntry
from archive.export_order import Part, in_order

WIDTH: Final = 1920
HEIGHT: Final = 1080
BAR: Final = 40
"""Height of the line with the time, in pixels."""
HOLD_US: Final = 1_000_000
"""How long a picture stays without a newer one."""
US_PER_S: Final = 1_000_000
_GREY: Final = (64, 64, 64)
_WHITE: Final = (255, 255, 255)
Image = npt.NDArray[np.uint8]


Paint = Callable[[int, Image, int], Image]
"""(moment, BGR picture, when that was captured) → the picture with what is to be seen on it then."""


class Picture:
    """One track. Ask for moments in ascending order."""

    def __init__(
        self,
        track: str,
        parts: Sequence[Part],
        gaps: Sequence[GapEntry],
        paint: Paint | None = None,
    ) -> None:
        self.track = track
        self._paint = paint
        self._gaps = gaps
        self._frames = in_order(parts, _decode)
        self._next: tuple[int, av.VideoFrame] | None = next(self._frames, None)
        self._shown: tuple[int, av.VideoFrame] | None = None
        self._tile: tuple[tuple[int, int], Image] | None = None

    def tile(self, at_us: int, width: int, height: int) -> Image:
        """What this track showed at that moment, or a slate that says why there is nothing."""
        while self._next is not None and self._next[0] <= at_us:
            self._shown, self._next = self._next, next(self._frames, None)
        reason = self._missing(at_us)
        if reason is not None or self._shown is None:
            return slate(self.track, reason or "not begun", width, height)
        key = (self._shown[0], 0 if self._paint is None else at_us)
        if self._tile is None or self._tile[0] != key:
            self._tile = key, _fit(self._shown[1], width, height, self._painter(at_us, self._shown[0]))
        return self._tile[1]

    def _painter(self, at_us: int, shown_us: int) -> Callable[[Image], Image] | None:
        paint = self._paint
        return None if paint is None else lambda image: paint(at_us, image, shown_us)

    def _missing(self, at_us: int) -> str | None:
        """Why the last picture may not be shown any more; None: it may."""
        shown_us = None if self._shown is None else self._shown[0]
        for gap in self._gaps:
            if gap.begin_us <= at_us < gap.end_us and (shown_us is None or shown_us <= gap.begin_us):
                return f"no picture: {gap.reason}"
        if shown_us is None:
            return "no picture yet"
        return "no picture" if at_us - shown_us > HOLD_US else None


class Canvas:
    """Tiles in rows under a line with the time."""

    def __init__(self, pictures: Sequence[Picture], epoch_us: int) -> None:
        self._pictures = pictures
        self._epoch_us = epoch_us
        self._columns = max(1, math.ceil(math.sqrt(len(pictures))))
        self._rows = max(1, math.ceil(len(pictures) / self._columns))

    def at(self, at_us: int) -> Image:
        """The whole picture at a moment of the timeline."""
        image = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
        width, height = WIDTH // self._columns & ~1, (HEIGHT - BAR) // self._rows & ~1
        for number, picture in enumerate(self._pictures):
            row, column = divmod(number, self._columns)
            top, left = BAR + row * height, column * width
            image[top : top + height, left : left + width] = picture.tile(at_us, width, height)
        _write(image, self._time(at_us), (12, BAR - 12), 0.7)
        return image

    def _time(self, at_us: int) -> str:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=self._epoch_us + at_us)
        seconds, rest = divmod(at_us, US_PER_S)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        ran = f"{hours}:{minutes:02d}:{seconds:02d}.{rest // 100_000}"
        return f"{ran}   {moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC   copy, not evidence"


def slate(track: str, reason: str, width: int, height: int) -> Image:
    """A grey tile with the track's name and a reason."""
    image: Image = np.full((height, width, 3), _GREY, dtype=np.uint8)
    scale = max(0.4, min(1.0, width / 1000))
    _write(image, track, (16, height // 2 - 12), scale)
    _write(image, reason, (16, height // 2 + int(36 * scale)), scale)
    return image


def _write(image: Image, text: str, place: tuple[int, int], scale: float) -> None:
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, _WHITE, 1, cv2.LINE_AA)


def _fit(
    frame: av.VideoFrame, width: int, height: int, paint: Callable[[Image], Image] | None = None
) -> Image:
    """Scaled to fit and painted on, with black around it."""
    factor = min(width / frame.width, height / frame.height)
    wide, high = max(2, int(frame.width * factor) & ~1), max(2, int(frame.height * factor) & ~1)
    image: Image = np.zeros((height, width, 3), dtype=np.uint8)
    top, left = (height - high) // 2, (width - wide) // 2
    scaled = np.asarray(frame.reformat(width=wide, height=high, format="bgr24").to_ndarray(), np.uint8)
    image[top : top + high, left : left + wide] = scaled if paint is None else paint(scaled)
    return image


def _decode(path: Path) -> Iterator[tuple[int, av.VideoFrame]]:
    """What cannot be decoded is shown as missing."""
    with contextlib.suppress(av.error.FFmpegError), av.open(str(path)) as reading:
        for frame in reading.decode(video=0):
            if frame.pts is not None and frame.time_base is not None:
                yield int(frame.pts * frame.time_base * US_PER_S), frame
