"""Pure: from one stream's RTP timestamps to the consultation's timeline of capture time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from rtp.sequence import timestamp_delta

US_PER_S: Final = 1_000_000
IMPLAUSIBLE_US: Final = 10 * US_PER_S
"""A capture time further than this from arrival means that the timestamps jumped: arrival is the better
guess.
"""
ARRIVAL_UNCERTAINTY_US: Final = 500_000
"""How much earlier than its arrival a frame may have been captured, while nobody has told."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a frame stands. `clock`: "capture" by the server's mapping, "arrival" by when it came."""

    us: int
    clock: Literal["capture", "arrival"]
    uncertainty_us: int


class Timeline:
    """`capture_clock` messages set the mapping; before the first one, arrival stands in for it."""

    def __init__(self, epoch_us: int, clock_rate: int) -> None:
        self._epoch_us = epoch_us
        self._clock_rate = clock_rate
        self._anchor: tuple[int, int] | None = None
        self._uncertainty_us = 0
        self._arrival_anchor: tuple[int, int] | None = None

    @property
    def mapped(self) -> bool:
        """True once the server has told the mapping."""
        return self._anchor is not None

    def set_clock(self, rtp_timestamp: int, capture_time_us: int, uncertainty_us: int) -> None:
        """`rtp_timestamp` was captured at `capture_time_us` (Unix)."""
        self._anchor = (rtp_timestamp, capture_time_us)
        self._uncertainty_us = uncertainty_us

    def position(self, rtp_timestamp: int, arrival_us: int) -> Position:
        """The frame's place, never before the epoch. `arrival_us`: Unix time of its last packet."""
        if self._anchor is not None:
            captured_us = self._follow(self._anchor, rtp_timestamp)
            if abs(captured_us - arrival_us) <= IMPLAUSIBLE_US:
                return Position(max(0, captured_us - self._epoch_us), "capture", self._uncertainty_us)
        return self._by_arrival(rtp_timestamp, arrival_us)

    def _by_arrival(self, rtp_timestamp: int, arrival_us: int) -> Position:
        """Anchored at one arrival, so that jitter does not shake the frames."""
        anchor = self._arrival_anchor
        if anchor is None or abs(self._follow(anchor, rtp_timestamp) - arrival_us) > IMPLAUSIBLE_US:
            anchor = self._arrival_anchor = (rtp_timestamp, arrival_us)
        came_us = self._follow(anchor, rtp_timestamp)
        return Position(max(0, came_us - self._epoch_us), "arrival", ARRIVAL_UNCERTAINTY_US)

    def _follow(self, anchor: tuple[int, int], rtp_timestamp: int) -> int:
        return anchor[1] + timestamp_delta(rtp_timestamp, anchor[0]) * US_PER_S // self._clock_rate
