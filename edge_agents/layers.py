"""Pure: which encodings of a feed are sent, and what they are when the network carries everything."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from core.clock import NS_PER_S
from edge_agents.config import PROFILES, FeedConfig

FULL: Final = "f"
SMALL: Final = "q"
SMALL_MAX_WIDTH_PX: Final = 640
SMALL_BITRATE_BPS: Final = 300_000
RATE_WINDOW_NS: Final = 1 * NS_PER_S
MIN_PICTURES: Final = 6
RATE_TOLERANCE: Final = 0.1
EARLY_FRAMES: Final = 4
"""A picture may come a quarter of a frame before it is due: capture times jitter."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """What one encoder shall deliver. `ceiling_bps`: the most it may be asked for at this picture size."""

    width: int
    height: int
    fps: int
    bitrate_bps: int
    ceiling_bps: int

    @property
    def pixels_per_s(self) -> int:
        return self.width * self.height * self.fps


Plan = Mapping[str, Encoding]
"""By rid; what is not in it is not encoded."""


def full_plan(feed: FeedConfig) -> dict[str, Encoding]:
    """Every encoding of the feed at its best, `f` first. A picture that is small already has no second."""
    full = Encoding(feed.width, feed.height, feed.fps, feed.bitrate_bps, feed.ceiling_bps)
    if feed.width <= SMALL_MAX_WIDTH_PX:
        return {FULL: full}
    width, height = scaled(feed, Fraction(SMALL_MAX_WIDTH_PX, feed.width))
    halved = PROFILES[feed.profile].prefers == "detail"
    fps = max(1, feed.fps // 2) if halved else feed.fps
    return {FULL: full, SMALL: Encoding(width, height, fps, SMALL_BITRATE_BPS, SMALL_BITRATE_BPS)}


def scaled(feed: FeedConfig, factor: Fraction) -> tuple[int, int]:
    """The feed's size times `factor`, even numbers of pixels, none below 2."""
    return _even(feed.width * factor), _even(feed.height * factor)


def _even(pixels: Fraction) -> int:
    return max(2, int(pixels / 2) * 2)


class FrameRate:
    """How many pictures a second there really are: a source or an encoder may be slower than configured."""

    def __init__(self) -> None:
        self._recent_ns: deque[int] = deque()
        self._known_fps = 0

    def count(self, captured_ns: int, nominal_fps: int) -> int:
        """One more picture → the rate to reckon with, between half and all of the nominal one."""
        recent_ns = self._recent_ns
        recent_ns.append(captured_ns)
        while captured_ns - recent_ns[0] > RATE_WINDOW_NS:
            recent_ns.popleft()
        measured = float(nominal_fps)
        if len(recent_ns) >= MIN_PICTURES:
            measured = (len(recent_ns) - 1) * NS_PER_S / max(1, captured_ns - recent_ns[0])
        measured = min(float(nominal_fps), max(nominal_fps / 2, measured))
        if abs(measured - self._known_fps) > self._known_fps * RATE_TOLERANCE:
            self._known_fps = max(1, round(measured))
        return self._known_fps


class FrameThinner:
    """Lets through as many pictures as `fps` asks for, evenly; a source that is slower loses none."""

    def __init__(self) -> None:
        self._due_ns: int | None = None

    def admits(self, captured_ns: int, fps: int) -> bool:
        """True when this picture is to be encoded; to be asked once per picture, in order."""
        period_ns = NS_PER_S // fps
        early_ns = period_ns // EARLY_FRAMES
        if self._due_ns is not None and captured_ns < self._due_ns - early_ns:
            return False
        due_ns = captured_ns if self._due_ns is None else max(self._due_ns, captured_ns - period_ns)
        self._due_ns = due_ns + period_ns
        return True
