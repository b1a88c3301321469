"""The last seconds as they were captured: for a freeze at full quality, and to know what marks stand on."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from core.errors import NotFound, Unavailable
from edge_agents.sources.base import CapturedFrame

DEFAULT_BYTES: Final = 192 << 20
"""Two seconds of 1080p at 30 frames/s: uncompressed, for compressing each without loss would cost a core."""
MAX_FRAMES: Final = 240
EXACT_US: Final = 1_000
"""A time that went through RTP and back may be off by its rounding, never by half a frame."""
NEAR_US: Final = 8_000
"""The server names frames by its estimate of our clock, right within a few ms; at 60 a second half the time
between two frames.
"""
PNG_LEVEL: Final = 1
"""Of zlib: 1080p takes a fifth of the time of the default, and 15 % more bytes."""


class StillRing:
    """Holds the newest frames, at most `max_bytes` of them. Any thread may use it."""

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._frames: deque[CapturedFrame] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._paused = False

    def set_paused(self, paused: bool) -> None:
        """A privacy pause: everything is forgotten, and nothing kept until it is over."""
        with self._lock:
            self._paused = paused
            self._frames.clear()
            self._bytes = 0

    def put(self, frame: CapturedFrame) -> None:
        """Keep it; the oldest go. Nothing is copied: nobody paints into a captured picture."""
        with self._lock:
            if self._paused:
                return
            self._frames.append(frame)
            self._bytes += size_bytes(frame.picture)
            while self._frames and (self._bytes > self._max_bytes or len(self._frames) > MAX_FRAMES):
                self._bytes -= size_bytes(self._frames.popleft().picture)

    @property
    def held_bytes(self) -> int:
        return self._bytes

    def find(self, captured_us: int, within_us: int = EXACT_US) -> CapturedFrame | None:
        """The frame of that capture time (Unix µs); None when it is not held, not yet or no longer."""
        with self._lock:
            near = min(
                self._frames, key=lambda frame: abs(frame.captured.unix_us - captured_us), default=None
            )
        if near is None or abs(near.captured.unix_us - captured_us) > within_us:
            return None
        return near

    def since(self, captured_us: int) -> list[CapturedFrame]:
        """Those captured after it, oldest first."""
        with self._lock:
            return [frame for frame in self._frames if frame.captured.unix_us > captured_us + EXACT_US]

    def clear(self) -> None:
        """Forget everything: the feed has ended."""
        with self._lock:
            self._frames.clear()
            self._bytes = 0

    def still(self, captured_us: int) -> bytes:
        """The frame captured then (within `NEAR_US`) as PNG. Takes 0.1 s for 1080p: not on the event loop.

        Raises `NotFound` when it is not held, and what `png` raises.
        """
        frame = self.find(captured_us, NEAR_US)
        if frame is None:
            raise NotFound("this frame is not held any more", code="still_gone")
        return png(frame.picture)


def png(picture: av.VideoFrame) -> bytes:
    """A captured picture (BT.709, limited range) as an 8-bit RGB PNG. Raises `Unavailable`."""
    # With a converter of our own: a frame's own one must not be used by two threads at a time.
    shown = VideoReformatter().reformat(
        picture,
        format="bgr24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    )
    done, data = cv2.imencode(
        ".png", np.asarray(shown.to_ndarray()), [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL]
    )
    if not done:
        raise Unavailable("the picture cannot be written as PNG", code="still_failed")
    return data.tobytes()


def size_bytes(picture: av.VideoFrame) -> int:
    """What a picture occupies, its planes' padding included."""
    return sum(plane.buffer_size for plane in picture.planes)
