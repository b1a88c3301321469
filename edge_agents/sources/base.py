"""What every source is: an iterator of frames that runs in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import av

from core.clock import NS_PER_S, NS_PER_US, Clock
from core.errors import Unavailable
from core.messages import SignalTrouble


class SourceError(Unavailable):
    """A source that cannot deliver now: unplugged, no signal, no such file. Trying again makes sense."""

    code = "source_unavailable"

    def __init__(self, message: str, *, trouble: SignalTrouble = "failed") -> None:
        super().__init__(message)
        self.trouble = trouble
        """What the room is told."""


class Instant(NamedTuple):
    """One moment on both clocks."""

    unix_us: int
    monotonic_ns: int

    @classmethod
    def now(cls, clock: Clock) -> Instant:
        return cls(clock.unix_ns() // NS_PER_US, clock.monotonic_ns())


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A picture as the device delivers it, patient data and all, and when the light fell in.

    It goes nowhere but into `sources.prepared`, which masks it.
    """

    picture: av.VideoFrame
    captured: Instant


@dataclass(frozen=True, slots=True)
class CapturedFrame(RawFrame):
    """A masked picture (yuv420p, BT.709, limited range, the feed's size)."""

    source_size: tuple[int, int] | None = None
    """Width and height of what the device sent; None for what does not come from it."""


class RawSource(Protocol):
    """A device: delivers pictures of any size and format, at most at the feed's frame rate."""

    def frames(self, stop: threading.Event) -> Iterator[RawFrame]:
        """Capture until `stop` is set. Raises `SourceError` when the source fails or ends."""


class Source(Protocol):
    """Delivers masked pictures in the feed's size and at most at its frame rate."""

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        """As `RawSource.frames`."""


def ticks(fps: int, clock: Clock, stop: threading.Event) -> Iterator[Instant]:
    """When a synthetic source draws. A tick that is already over is skipped, never made up for."""
    period_ns = NS_PER_S // fps
    due_ns = clock.monotonic_ns()
    while not stop.wait(max(0, due_ns - clock.monotonic_ns()) / NS_PER_S):
        yield Instant.now(clock)
        due_ns += period_ns
        late_ns = clock.monotonic_ns() - due_ns
        if late_ns > 0:
            due_ns += -(-late_ns // period_ns) * period_ns
