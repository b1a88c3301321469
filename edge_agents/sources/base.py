"""What every source is: an iterator of frames that runs in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import av

from core.clock import NS_PER_S, NS_PER_US, Clock
from core.errors import Unavailable


class SourceError(Unavailable):
    """A source that cannot deliver now: unplugged, no signal, no such file. Trying again makes sense."""

    code = "source_unavailable"


class Instant(NamedTuple):
    """One moment on both clocks."""

    unix_us: int
    monotonic_ns: int

    @classmethod
    def now(cls, clock: Clock) -> Instant:
        return cls(clock.unix_ns() // NS_PER_US, clock.monotonic_ns())


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """A picture (yuv420p, the feed's size) and when the light fell in."""

    picture: av.VideoFrame
    captured: Instant


class Source(Protocol):
    """Delivers pictures in the feed's size and at most at its frame rate."""

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        """Capture until `stop` is set. Raises `SourceError` when the source fails or ends."""


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
