"""What to do about the use of the path: rise, drain, fall (draft-ietf-rmcat-gcc-02 §5.5 and §6).

Beyond the draft, a fall aims below what arrives by as much as empties the queue within `DRAIN_NS`, and the
rate comes back close under the capacity as soon as the queue has gone: a standing queue shows the capacity
exactly.
"""

from __future__ import annotations

from typing import Final

from rtp.congestion.units import MS_NS, S_NS

FALL: Final = 0.85
MIN_FALL: Final = 0.5
REGAIN: Final = 0.93
DRAIN_NS: Final = 350 * MS_NS
DRAIN_DEADLINE_NS: Final = 1_500 * MS_NS
"""A queue that stands for so long, though we send less than goes through, is not ours."""
SMALL_FALL: Final = 0.7
SMALL_QUEUE_MS: Final = 40.0
"""A queue that never was longer may have been jitter: the rate comes back close under what it was."""
OBEYED: Final = 1.05
DRAINED_MS: Final = 10.0
PROVEN: Final = 0.9
"""Of what arrives without a queue, the rate is at least this: some senders cannot go lower than they do."""
RISE: Final = 0.08
"""Per second."""
PACKET_BITS: Final = 9_600
RESPONSE_NS: Final = 100 * MS_NS
"""Feedback and detection take so long on top of the round trip."""
NEAR_RISE: Final = 0.04
"""Per second, at most, near the capacity: one packet more is much on a slow path."""
NEAR: Final = 0.15
"""Within this of the capacity, the rate rises by packets, not by percent."""
ACKNOWLEDGED_FACTOR: Final = 1.5
ACKNOWLEDGED_SLACK_BPS: Final = 10_000.0


class RateControl:
    """Holds the rate between `min_bps` and `max_bps`."""

    __slots__ = (
        "_before_bps",
        "_changed_ns",
        "_drain_since_ns",
        "_fell_ns",
        "_peak_queue_ms",
        "_stands",
        "capacity_bps",
        "max_bps",
        "min_bps",
        "rate_bps",
        "rtt_ns",
    )

    def __init__(self, start_bps: float, min_bps: float, max_bps: float) -> None:
        self.min_bps = min_bps
        self.max_bps = max_bps
        self.rate_bps = min(max(start_bps, min_bps), max_bps)
        self.capacity_bps: float | None = None
        """What went through when it was last full."""
        self.rtt_ns = 100 * MS_NS
        self._changed_ns: int | None = None
        self._fell_ns = 0
        self._stands: tuple[int, float] | None = None
        """Since when the queue is no shorter than so many ms, though the rate is obeyed."""
        self._before_bps = self.rate_bps
        self._peak_queue_ms = 0.0
        self._drain_since_ns: int | None = None

    @property
    def draining(self) -> bool:
        """Whether a queue is being emptied."""
        return self._drain_since_ns is not None

    @property
    def packet_ms(self) -> float:
        """How long one packet takes at the capacity: so long it is late on a slow path without any queue."""
        return 0.0 if not self.capacity_bps else PACKET_BITS * 1_000.0 / max(self.capacity_bps, self.min_bps)

    def set(self, rate_bps: float) -> None:
        """Go to `rate_bps`, within the bounds."""
        self.rate_bps = min(max(rate_bps, self.min_bps), self.max_bps)

    def on_overuse(self, now_ns: int, arrives_bps: float, queue_ms: float) -> bool:
        """A queue grows or stands while `arrives_bps` come out of it; whether the rate fell now.

        It falls once per response time, so that each fall sees what the last one did.
        """
        if self._drain_since_ns is None:
            self._drain_since_ns = now_ns
            self._stands = None
            self._before_bps, self._peak_queue_ms = self.rate_bps, 0.0
        elif now_ns - self._fell_ns < self._response_ns:
            return False
        self._fell_ns = self._changed_ns = now_ns
        self._peak_queue_ms = max(self._peak_queue_ms, queue_ms)
        self.capacity_bps = arrives_bps
        share = min(FALL, max(MIN_FALL, 1.0 - queue_ms * MS_NS / DRAIN_NS))
        least_bps = self.rate_bps * SMALL_FALL if queue_ms < SMALL_QUEUE_MS else 0.0
        self.set(min(self.rate_bps, max(arrives_bps * share, least_bps)))
        return True

    def on_drained(self, now_ns: int) -> None:
        """The queue has gone."""
        if self._drain_since_ns is None:
            return
        self._drain_since_ns = None
        self._changed_ns = now_ns
        goal_bps = self.capacity_bps or 0.0
        if self._peak_queue_ms < SMALL_QUEUE_MS:
            goal_bps = self.capacity_bps = max(goal_bps, self._before_bps)
        self.set(max(self.rate_bps, goal_bps * REGAIN))

    @property
    def regained_bps(self) -> float:
        """The rate once the queue has gone, as far as is known by now."""
        goal_bps = self.capacity_bps or 0.0
        if self._peak_queue_ms < SMALL_QUEUE_MS:
            goal_bps = max(goal_bps, self._before_bps)
        return max(self.rate_bps, goal_bps * REGAIN)

    def drain_failed(
        self, now_ns: int, acknowledged_bps: float | None, queue_ms: float, *, lost: bool
    ) -> bool:
        """Whether what looks like our queue stays as it is, though no more is sent than the rate allows and
        nothing is lost.
        """
        obeyed = acknowledged_bps is not None and acknowledged_bps <= self.rate_bps * OBEYED
        if self._drain_since_ns is None or lost or not obeyed:
            self._stands = None
            return False
        if self._stands is None or queue_ms < self._stands[1] - DRAINED_MS:
            self._stands = (now_ns, queue_ms)
        return now_ns - self._stands[0] > DRAIN_DEADLINE_NS + self.rtt_ns

    def on_loss(self, now_ns: int, excess: float) -> None:
        """`excess` of the packets was lost because we send too much."""
        self.set(self.rate_bps * max(MIN_FALL, 1.0 - excess))
        self.capacity_bps = self.rate_bps
        self._changed_ns = now_ns

    def on_normal(self, now_ns: int, acknowledged_bps: float | None) -> None:
        """Nothing queues: rise, but not beyond what the application has shown to go through (§5.5)."""
        elapsed_s = 0.0 if self._changed_ns is None else min((now_ns - self._changed_ns) / S_NS, 1.0)
        self._changed_ns = now_ns
        if acknowledged_bps is not None:
            if self.capacity_bps is not None and acknowledged_bps > self.capacity_bps * (1 + NEAR):
                self.capacity_bps = None
            limit_bps = ACKNOWLEDGED_FACTOR * acknowledged_bps + ACKNOWLEDGED_SLACK_BPS
            if self.rate_bps < limit_bps:
                self.set(min(self._risen(elapsed_s), limit_bps))
            if self.rate_bps < acknowledged_bps * PROVEN:
                self.set(acknowledged_bps * PROVEN)

    def _risen(self, elapsed_s: float) -> float:
        capacity_bps = self.capacity_bps
        if capacity_bps is not None and self.rate_bps > capacity_bps * (1 - NEAR):
            step_bps = min(PACKET_BITS * S_NS / self._response_ns, capacity_bps * NEAR_RISE)
            return self.rate_bps + step_bps * elapsed_s
        return self.rate_bps * (1.0 + RISE * elapsed_s)

    @property
    def _response_ns(self) -> int:
        return self.rtt_ns + RESPONSE_NS
