"""Finding out whether the path carries more than is sent: short runs of packets at a higher rate."""

from __future__ import annotations

from math import inf
from typing import Final

from rtp.congestion.units import MS_NS, S_NS, TICK_NS, bits_per_second

FIRST_FACTOR: Final = 3.0
FACTOR: Final = 2.0
HEADROOM: Final = 1.2
"""Over what is wanted: an estimate that only just reaches it would bind."""
SUCCESS: Final = 0.7
"""An estimate that reaches this part of what was probed asks for the next probe at once."""
DURATION_NS: Final = 20 * MS_NS
MIN_BYTES: Final = 6_000
RESULT_NS: Final = 500 * MS_NS
"""After this without an answer, a probe has failed."""
AFTER_FALL_NS: Final = 1_500 * MS_NS
MAX_AFTER_FALL_NS: Final = 2_500 * MS_NS
BLAME_NS: Final = 2 * S_NS
"""A fall so soon after a probe raised the estimate shows that the probe was wrong: beside other traffic, or a
bucket that is full, a short run of packets takes more than its share. The next one is longer, and later.
"""
MAX_DOUBT: Final = 2
CAUTIOUS_FACTOR: Final = 1.5
"""Longer probes are slower ones: what they put into a queue is about the same."""
BURST_NS: Final = 20 * MS_NS
"""What a late tick may make up for at once."""
SPOILED: Final = 0.8
SPOILED_NS: Final = 150 * MS_NS
"""A probe that went out slower than it should, or came in later and in less time than it was sent, because a
machine was busy, is soon made again.
"""
FIRST_INTERVAL_NS: Final = 500 * MS_NS
MAX_INTERVAL_NS: Final = 1 * S_NS
FALL: Final = 0.9
SATURATED: Final = 0.9
SATURATED_USE: Final = 0.95
MIN_ANSWERED: Final = 0.6
MIN_PACKETS: Final = 4
LEAST_SHARE: Final = 0.4
"""So much of a probe must be behind the packet that its rate is measured from."""
COMPRESSED: Final = 2.0
"""What comes so much faster than it was sent was held up until then: that says nothing."""


class ProbeCluster:
    """Packets to be sent at `rate_bps`, media and padding alike, until `size_bytes` have gone out."""

    __slots__ = ("first_ns", "last_ns", "rate_bps", "sent_bytes", "size_bytes", "spoiled")

    def __init__(self, rate_bps: int, size_bytes: int) -> None:
        self.rate_bps = rate_bps
        self.size_bytes = size_bytes
        self.sent_bytes = 0
        self.spoiled = False
        """It was held up by something else than the path's capacity."""
        self.first_ns: int | None = None
        self.last_ns: int | None = None

    def due_bytes(self, now_ns: int) -> int:
        """What has to go out now, on every tick of `TICK_NS`; what media does not fill is padding."""
        if self.done:
            return 0
        elapsed_ns = 0 if self.first_ns is None else now_ns - self.first_ns
        due_bytes = (elapsed_ns + TICK_NS) * self.rate_bps // (8 * S_NS) - self.sent_bytes
        burst_bytes = BURST_NS * self.rate_bps // (8 * S_NS)
        return max(0, min(due_bytes, burst_bytes, self.size_bytes - self.sent_bytes))

    def sent(self, now_ns: int, size_bytes: int) -> None:
        """`size_bytes` of media or padding were sent with this probe."""
        if self.first_ns is None:
            self.first_ns = now_ns
        self.last_ns = now_ns
        self.sent_bytes += size_bytes

    @property
    def done(self) -> bool:
        """Whether everything has gone out."""
        return self.sent_bytes >= self.size_bytes

    @property
    def sent_bps(self) -> float | None:
        """How fast it went out: each tick's part takes a tick. None before there are two."""
        if self.first_ns is None or self.last_ns is None or self.last_ns <= self.first_ns:
            return None
        return bits_per_second(self.sent_bytes, self.last_ns - self.first_ns + TICK_NS)


class Prober:
    """When to probe, and how fast: at the start, after a fall, and while more is wanted than is known to
    fit.
    """

    __slots__ = (
        "_cluster",
        "_doubt",
        "_estimate_bps",
        "_interval_ns",
        "_next_ns",
        "_raised_ns",
        "_result_by_ns",
        "_started",
    )

    def __init__(self) -> None:
        self._started = False
        self._estimate_bps = 0
        self._cluster: ProbeCluster | None = None
        """The latest."""
        self._result_by_ns: int | None = None
        self._interval_ns = FIRST_INTERVAL_NS
        self._doubt = 0
        """How often a raise did not hold."""
        self._raised_ns: int | None = None
        """When a probe last raised the estimate."""
        self._next_ns = 0

    def wanted(
        self, now_ns: int, *, estimate_bps: int, sent_bps: int, wanted_bps: int, settled: bool = True
    ) -> ProbeCluster | None:
        """The probe to begin now, if any. Ask on every tick or feedback while none is being sent.

        `sent_bps`: what goes out at present. `wanted_bps`: what the application could use. `settled`: the
        estimator's.
        """
        before_bps, self._estimate_bps = self._estimate_bps, estimate_bps
        if self._started and estimate_bps < before_bps * FALL:
            self._fell(now_ns)
        if self._result_by_ns is not None and not self._answered(now_ns):
            return None
        if not settled or now_ns < self._next_ns or estimate_bps >= wanted_bps:
            return None
        rate_bps = int(min(self._factor * estimate_bps, HEADROOM * wanted_bps))
        if rate_bps <= sent_bps:  # What goes out anyway proves as much.
            return None
        return self._begin(now_ns, rate_bps)

    @property
    def _factor(self) -> float:
        if not self._started:
            return FIRST_FACTOR
        return CAUTIOUS_FACTOR if self._doubt else FACTOR

    def _fell(self, now_ns: int) -> None:
        self._result_by_ns = None
        self._interval_ns = FIRST_INTERVAL_NS
        if self._raised_ns is not None and now_ns - self._raised_ns < BLAME_NS:
            self._raised_ns = None
            self._doubt = min(self._doubt + 1, MAX_DOUBT)
        elif now_ns >= self._next_ns:
            self._doubt = 0
        after_fall_ns = min(AFTER_FALL_NS << self._doubt, MAX_AFTER_FALL_NS)
        self._next_ns = max(self._next_ns, now_ns + after_fall_ns)

    def _answered(self, now_ns: int) -> bool:
        assert self._result_by_ns is not None
        assert self._cluster is not None
        if self._estimate_bps >= self._cluster.rate_bps * SUCCESS:
            self._next_ns = now_ns
            self._raised_ns = now_ns
            self._interval_ns = FIRST_INTERVAL_NS
        elif self._cluster.spoiled:
            self._next_ns = now_ns + SPOILED_NS
        elif now_ns >= self._result_by_ns:
            if (self._cluster.sent_bps or 0.0) < SPOILED * self._cluster.rate_bps:
                self._next_ns = now_ns + SPOILED_NS
            else:
                self._next_ns = now_ns + self._interval_ns
                self._interval_ns = min(2 * self._interval_ns, MAX_INTERVAL_NS)
        else:
            return False
        self._result_by_ns = None
        return True

    def _begin(self, now_ns: int, rate_bps: int) -> ProbeCluster:
        self._started = True
        self._result_by_ns = now_ns + RESULT_NS
        duration_ns = DURATION_NS << self._doubt
        self._cluster = ProbeCluster(rate_bps, max(MIN_BYTES, duration_ns * rate_bps // (8 * S_NS)))
        return self._cluster


class ProbeResult:
    """Collects what became of one cluster's packets, told by their send time."""

    __slots__ = ("_arrivals", "_bytes", "cluster")

    def __init__(self, cluster: ProbeCluster) -> None:
        self.cluster = cluster
        self._arrivals: list[tuple[int, int]] = []
        """When, and how many bytes."""
        self._bytes = 0

    def covers(self, sent_ns: int) -> bool:
        """Whether a packet sent then belongs to the probe."""
        first_ns, last_ns = self.cluster.first_ns, self.cluster.last_ns
        return first_ns is not None and last_ns is not None and first_ns <= sent_ns <= last_ns

    def add(self, size_bytes: int, arrival_ns: int) -> None:
        """A packet of the probe has arrived."""
        self._arrivals.append((arrival_ns, size_bytes))
        self._bytes += size_bytes

    def complete(self, last_sent_ns: int) -> bool:
        """Whether feedback has come past the probe."""
        cluster = self.cluster
        answered = self._bytes >= cluster.sent_bytes
        return cluster.done and cluster.last_ns is not None and (answered or last_sent_ns > cluster.last_ns)

    def bps(self) -> tuple[float, bool] | None:
        """(What the path carries at least, whether that is all); None when too little came back, or all of
        it at once.
        """
        cluster = self.cluster
        sent_bps = cluster.sent_bps
        if sent_bps is None or len(self._arrivals) < MIN_PACKETS:
            return None
        if self._bytes < MIN_ANSWERED * cluster.sent_bytes:
            return None
        arrived_bps = self._arrived_bps()
        cluster.spoiled = arrived_bps > COMPRESSED * sent_bps
        if cluster.spoiled:
            return None
        if arrived_bps < SATURATED * sent_bps:
            return arrived_bps * SATURATED_USE, True
        return sent_bps, False

    def _arrived_bps(self) -> float:
        """The least rate from one of the first packets on to the last: where the receiver read the first ones
        late, and so all at once, the others tell.
        """
        self._arrivals.sort()
        last_ns, left_bytes = self._arrivals[-1][0], self._bytes
        least_bps = inf
        for arrival_ns, size_bytes in self._arrivals:
            left_bytes -= size_bytes
            if left_bytes < LEAST_SHARE * self._bytes:
                break
            if arrival_ns < last_ns:
                least_bps = min(least_bps, bits_per_second(left_bytes, last_ns - arrival_ns))
        return least_bps
