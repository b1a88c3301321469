"""From RTP timestamps to capture time in our own clock, with an honest bound on the error."""

from __future__ import annotations

from collections import deque
from typing import Final

from core.clock import NS_PER_MS, NS_PER_S, NS_PER_US, ntp_to_unix_ns
from rtp.extensions import AbsoluteCaptureTime
from rtp.sequence import timestamp_delta

OFFSET_SAMPLES: Final = 64
"""Sender reports remembered for the clock offset: a minute and more at their usual pace."""
STEP_NS: Final = 500 * NS_PER_MS
"""A publisher's clock that is off by more than this, three times running, was set."""
STEADY_NS: Final = NS_PER_MS
"""The mapping stays as it is while it is right within this, so that a frame keeps its name."""
UNKNOWN_DELAY_NS: Final = 100 * NS_PER_MS
"""Error assumed of a one-way delay nobody measured."""
ENCODING_DELAY_NS: Final = 50 * NS_PER_MS
"""Error assumed when only capture times, no sender reports, tell of the publisher's clock."""
ARRIVAL_ONLY_NS: Final = 200 * NS_PER_MS
"""Error assumed while arrival stands in for capture."""
ENOUGH_REPORTS: Final = 8
"""Until then capture times, too, tell how far apart the clocks can be: the first reports may have waited
while everything began, and would date frames late by as much.
"""
IMPLAUSIBLE_NS: Final = 10 * NS_PER_S
_CAPTURE_TIME_FRESH_NS: Final = 5 * NS_PER_S
_STEPPED_SAMPLES: Final = 3
_FOLLOW_NS: Final = 60 * NS_PER_S
ANCHOR_LEAD_S: Final = 10
"""`anchor` lies this long in the past, so that frames still under way come after it."""


class _ClockOffset:
    """Our clock minus the publisher's: the least (arrival − departure) of late, less the least delay."""

    __slots__ = ("_outliers", "_rtt_ns", "_samples", "least_ns")

    def __init__(self) -> None:
        self._samples: deque[int] = deque(maxlen=OFFSET_SAMPLES)
        self._rtt_ns: int | None = None
        self._outliers = 0
        self.least_ns = 0
        """No offset is larger than this: nothing arrives before it departs. Of no meaning without samples."""

    def add(self, departure_ns: int, arrival_ns: int, rtt_ns: int | None) -> None:
        sample = arrival_ns - departure_ns
        if self._samples and abs(sample - self.least_ns) > STEP_NS:
            self._outliers += 1
            if self._outliers < _STEPPED_SAMPLES:
                return
            self._samples.clear()
        self._outliers = 0
        self._samples.append(sample)
        self.least_ns = min(self._samples)  # kept: it is asked for with every frame
        if rtt_ns is not None:
            self._rtt_ns = rtt_ns if self._rtt_ns is None else min(rtt_ns, self._rtt_ns)

    def __len__(self) -> int:
        """Samples held."""
        return len(self._samples)

    @property
    def half_rtt_ns(self) -> int:
        return (self._rtt_ns or 0) // 2

    @property
    def uncertainty_ns(self) -> int:
        """The way there and the way back share the round trip in a proportion we cannot see."""
        return UNKNOWN_DELAY_NS if self._rtt_ns is None else self._rtt_ns // 2


class CaptureClock:
    """Capture time of one SSRC's frames, in Unix time of our clock.

    Best known from abs-capture-time, else from sender reports, else (until the first of them) from arrival.
    The mapping is a straight line at the nominal clock rate through one anchor; `revision` grows whenever the
    anchor moves.
    """

    __slots__ = (
        "_anchor_ns",
        "_anchor_timestamp",
        "_capture_time_seen_ns",
        "_capture_times",
        "_clock_rate",
        "_mapping_uncertainty_ns",
        "_reports",
        "revision",
    )

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self.revision = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new SSRC, or a new publisher."""
        self._reports = _ClockOffset()
        self._capture_times = _ClockOffset()
        self._capture_time_seen_ns: int | None = None
        self._anchor_timestamp = 0
        self._anchor_ns: int | None = None
        self._mapping_uncertainty_ns = ARRIVAL_ONLY_NS

    def on_sender_report(
        self, ntp_time: int, rtp_timestamp: int, arrival_ns: int, rtt_ns: int | None = None
    ) -> None:
        """An SR of this SSRC; `arrival_ns` is Unix time, `rtt_ns` the present round trip, when known."""
        sender_ns = ntp_to_unix_ns(ntp_time)
        self._reports.add(sender_ns, arrival_ns, rtt_ns)
        if len(self._reports) == ENOUGH_REPORTS:
            self._capture_times = _ClockOffset()  # out of date once the publisher's clock is set
        seen = self._capture_time_seen_ns
        if seen is None or arrival_ns - seen > _CAPTURE_TIME_FRESH_NS:
            self._offer(rtp_timestamp, sender_ns, 0)

    def on_capture_time(
        self, rtp_timestamp: int, value: AbsoluteCaptureTime, arrival_ns: int, rtt_ns: int | None = None
    ) -> None:
        """abs-capture-time of the frame with `rtp_timestamp`."""
        sender_ns = value.capture_ns - (value.clock_offset_ns or 0)
        self._capture_time_seen_ns = arrival_ns
        if len(self._reports) < ENOUGH_REPORTS:
            self._capture_times.add(sender_ns, arrival_ns, rtt_ns)
        self._offer(rtp_timestamp, sender_ns, 0 if self._reports else ENCODING_DELAY_NS)

    def _offer(self, rtp_timestamp: int, sender_ns: int, extra_uncertainty_ns: int) -> None:
        """A frame's capture time in the publisher's clock: move the anchor if it says something new."""
        offset = self._reports or self._capture_times
        if not offset:
            return
        capture_ns = sender_ns + self._least_ns(offset) - offset.half_rtt_ns
        uncertainty_ns = offset.uncertainty_ns + extra_uncertainty_ns
        present_ns = self._capture_ns(rtp_timestamp)
        if (
            present_ns is None
            or abs(present_ns - capture_ns) > STEADY_NS
            or uncertainty_ns < self._mapping_uncertainty_ns // 2
        ):
            self._move(rtp_timestamp, capture_ns, uncertainty_ns)
        else:
            self._mapping_uncertainty_ns = uncertainty_ns
            self._follow(rtp_timestamp, present_ns)

    def _least_ns(self, offset: _ClockOffset) -> int:
        return min(offset.least_ns, self._capture_times.least_ns) if self._capture_times else offset.least_ns

    def _follow(self, rtp_timestamp: int, capture_ns: int) -> None:
        """Take the anchor along its own line, long before 2³¹ ticks lie between it and the present."""
        if abs(capture_ns - (self._anchor_ns or 0)) > _FOLLOW_NS:
            self._anchor_timestamp = rtp_timestamp
            self._anchor_ns = capture_ns

    def _move(self, rtp_timestamp: int, capture_ns: int, uncertainty_ns: int) -> None:
        self._anchor_timestamp = rtp_timestamp
        self._anchor_ns = capture_ns
        self._mapping_uncertainty_ns = uncertainty_ns
        self.revision += 1

    def _capture_ns(self, rtp_timestamp: int) -> int | None:
        if self._anchor_ns is None:
            return None
        ticks = timestamp_delta(rtp_timestamp, self._anchor_timestamp)
        return self._anchor_ns + ticks * NS_PER_S // self._clock_rate

    def capture_time_us(self, rtp_timestamp: int, arrival_ns: int | None = None) -> int | None:
        """Unix µs at which the frame was captured; None while nothing is known.

        With `arrival_ns` of one of its packets the answer is checked: a frame cannot be captured after it
        came, nor long before. If it seems so the timestamps have jumped, and the mapping begins anew from
        arrival.
        """
        capture_ns = self._capture_ns(rtp_timestamp)
        if arrival_ns is not None and (capture_ns is None or self._is_implausible(capture_ns, arrival_ns)):
            self._move(rtp_timestamp, arrival_ns, ARRIVAL_ONLY_NS)
            capture_ns = arrival_ns
        return None if capture_ns is None else capture_ns // NS_PER_US

    def _is_implausible(self, capture_ns: int, arrival_ns: int) -> bool:
        early_ns = STEP_NS + self._mapping_uncertainty_ns
        return not arrival_ns - IMPLAUSIBLE_NS <= capture_ns <= arrival_ns + early_ns

    @property
    def uncertainty_us(self) -> int | None:
        """Bound on the error of `capture_time_us`; None while nothing is known."""
        if self._anchor_ns is None:
            return None
        return (self._mapping_uncertainty_ns + STEADY_NS) // NS_PER_US

    @property
    def anchor(self) -> tuple[int, int] | None:
        """(RTP timestamp, its capture time in Unix µs): with the clock rate, the whole mapping."""
        if self._anchor_ns is None:
            return None
        timestamp = (self._anchor_timestamp - ANCHOR_LEAD_S * self._clock_rate) & 0xFFFFFFFF
        return timestamp, self._anchor_ns // NS_PER_US - ANCHOR_LEAD_S * 1_000_000
