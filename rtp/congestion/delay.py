"""How long packets queue on the way: trend of the one-way delay, and how far it is above its floor
(draft-ietf-rmcat-gcc-02 §5).

The draft filters differences of the delay between groups of packets; this fits a line through the delays
themselves, as implementations came to do. A group's delay is that of its luckiest packet: it tells what was
queued before the group came, not how long the group itself took, which for a frame sent at once depends on
the frame's size.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import mul, sub
from typing import Final, Literal

from rtp.congestion.units import MS_NS, S_NS

Usage = Literal["normal", "overuse", "underuse"]

Ignored = Callable[[int], bool]

GROUP_NS: Final = 5 * MS_NS
"""Packets sent within this of each other are one group (§5.2)."""
WINDOW_MS: Final = 500.0
MIN_SAMPLES: Final = 5
MAX_SAMPLES: Final = 60
RECENT_SAMPLES: Final = 3
GAIN_MS: Final = 240.0
"""The trend (ms of delay per ms) times this is compared with the threshold, so that it starts at 5 %."""
THRESHOLD_MS: Final = 12.5
MIN_THRESHOLD_MS: Final = 6.0
MAX_THRESHOLD_MS: Final = 600.0
THRESHOLD_UP: Final = 0.0087
THRESHOLD_DOWN: Final = 0.0018
"""Per ms. The draft's 0.00018 keeps a path that jittered once insensitive for minutes."""
OUTLIER_MS: Final = 15.0
"""What exceeds the threshold by more does not move it (§5.4)."""
STANDING_QUEUE_MS: Final = 60.0
"""A queue this long is overuse even when it no longer grows: a full drop-tail queue has no trend."""
NO_QUEUE_MS: Final = 10.0
LASTING_MS: Final = 150.0
"""A queue is one when packets keep coming out of it for so long and none of them found it empty. A receiver
that reads late gets in no time what came meanwhile, the last of it undelayed.
"""
FLOOR_BUCKET_MS: Final = 10_000.0
"""The floor is the least delay of this bucket and the one before: clocks drift, routes change."""
JUMP_NS: Final = 3 * S_NS
"""A delay that changes by more is another clock: everything starts anew."""


class DelayTrend:
    """One-way delays in, use of the path out. Delays are differences of two clocks; only their change
    matters.
    """

    __slots__ = (
        "_adapted_ns",
        "_bucket_end_ms",
        "_busy_since_ms",
        "_delays_ms",
        "_floor_ms",
        "_fresh",
        "_group_ns",
        "_last_ns",
        "_older_floor_ms",
        "_origin_ns",
        "_sent_ms",
        "_started",
        "_threshold_ms",
        "_zero_ns",
        "queue_ms",
        "trend",
        "usage",
    )

    def __init__(self) -> None:
        self._threshold_ms = THRESHOLD_MS
        self._adapted_ns = 0
        self._last_ns = 0
        self._group_ns = -JUMP_NS
        self.usage: Usage = "normal"
        self._start(0, 0)
        self._started = False

    def _start(self, sent_ns: int, delay_ns: int) -> None:
        self._zero_ns = delay_ns
        self._started = True
        self._fresh = 0
        self._origin_ns = sent_ns
        self._sent_ms: list[float] = []
        self._delays_ms: list[float] = []
        self._floor_ms = self._older_floor_ms = 0.0
        self._bucket_end_ms = FLOOR_BUCKET_MS
        self._busy_since_ms: float | None = None
        """Since which arrival every packet has been queued."""
        self.queue_ms = 0.0
        """How far the latest delays are above the floor."""
        self.trend = 0.0
        """Milliseconds of delay gained per millisecond."""

    def add(self, sent_ns: Sequence[int], arrivals_ns: Sequence[int], ignored: Ignored | None = None) -> None:
        """Take packets in order of sending; groups sent at an `ignored` time count for the floor alone.

        One pass over the groups: this is most of what a feedback costs.
        """
        start, count, group_ns, last_ns = 0, len(sent_ns), self._group_ns, self._last_ns
        while start < count:
            first_ns = sent_ns[start]
            end = bisect_right(sent_ns, first_ns + GROUP_NS, start)
            if first_ns > group_ns + GROUP_NS or first_ns < group_ns:
                group_ns = first_ns
                delay_ns = _least_delay_ns(sent_ns, arrivals_ns, start, end)
                if not -JUMP_NS < delay_ns - last_ns < JUMP_NS or not self._started:
                    self._start(first_ns, delay_ns)
                last_ns = delay_ns
                delay_ms = (delay_ns - self._zero_ns) / MS_NS
                if ignored is None or not ignored(first_ns):
                    self._sent_ms.append((first_ns - self._origin_ns) / MS_NS)
                    self._delays_ms.append(delay_ms)
                    self._fresh += 1
                elif delay_ms < self._floor_ms:
                    self._floor_ms = delay_ms
            start = end
        self._group_ns, self._last_ns = group_ns, last_ns

    def add_runs(self, runs: Sequence[tuple[int, int]]) -> None:
        """As `add`, of runs sent at once: when, and the least arrival."""
        group_ns, last_ns, start = self._group_ns, self._last_ns, 0
        while start < len(runs):
            first_ns, least_ns = runs[start]
            delay_ns = least_ns - first_ns
            start += 1
            while start < len(runs) and runs[start][0] <= first_ns + GROUP_NS:
                delay_ns = min(delay_ns, runs[start][1] - runs[start][0])
                start += 1
            if group_ns <= first_ns <= group_ns + GROUP_NS:
                continue
            group_ns = first_ns
            if not -JUMP_NS < delay_ns - last_ns < JUMP_NS or not self._started:
                self._start(first_ns, delay_ns)
            last_ns = delay_ns
            self._sent_ms.append((first_ns - self._origin_ns) / MS_NS)
            self._delays_ms.append((delay_ns - self._zero_ns) / MS_NS)
            self._fresh += 1
        self._group_ns, self._last_ns = group_ns, last_ns

    @property
    def remembered(self) -> int:
        """Samples held."""
        return len(self._delays_ms)

    @property
    def growing(self) -> bool:
        """Whether the delay still rises, beyond the threshold."""
        return self.trend * GAIN_MS > self._threshold_ms

    def queued_from(self, sent_ns: Sequence[int], arrivals_ns: Sequence[int]) -> int:
        """From which of these packets on, to the last, all found a queue: the path was busy all that time."""
        floor_ms = min(self._floor_ms, self._older_floor_ms) + NO_QUEUE_MS
        queued_ns = self._zero_ns + int(floor_ms * MS_NS)
        index = len(sent_ns)
        while index and arrivals_ns[index - 1] - sent_ns[index - 1] > queued_ns:
            index -= 1
        return index

    def rebase(self) -> None:
        """Take the delay as it is now for the floor: what stands there does not drain, so it is not our
        queue.
        """
        if self._delays_ms:
            self._floor_ms = self._older_floor_ms = min(self._delays_ms)
            self.queue_ms = 0.0

    def forget_trend(self) -> None:
        """The rate has changed: what the delay did before says nothing about now."""
        del self._sent_ms[:-1]
        del self._delays_ms[:-1]

    def evaluate(self, now_ns: int) -> Usage:
        """The use of the path after all that was added."""
        sent_ms, delays_ms = self._sent_ms, self._delays_ms
        if not self._fresh:
            return self.usage
        self._note_floor(sent_ms[-1], min(delays_ms[-self._fresh :]))
        self._note_busy()
        self._fresh = 0
        self._trim()
        recent_ms = min(delays_ms[-RECENT_SAMPLES:])
        self.queue_ms = recent_ms - min(self._floor_ms, self._older_floor_ms)
        if self.queue_ms <= NO_QUEUE_MS:  # The usual case: whatever the trend is, nothing queues.
            self.trend = 0.0
            self.usage = "normal"
        else:
            self.trend = _slope(sent_ms, delays_ms) if len(sent_ms) >= MIN_SAMPLES else 0.0
            self.usage = self._judge(self.trend * GAIN_MS)
        self._adapt(abs(self.trend) * GAIN_MS, now_ns)
        return self.usage

    def _note_floor(self, at_ms: float, delay_ms: float) -> None:
        if at_ms > self._bucket_end_ms:
            self._bucket_end_ms = at_ms + FLOOR_BUCKET_MS
            self._older_floor_ms, self._floor_ms = self._floor_ms, delay_ms
        elif delay_ms < self._floor_ms:
            self._floor_ms = delay_ms

    def _note_busy(self) -> None:
        empty_ms = min(self._floor_ms, self._older_floor_ms) + NO_QUEUE_MS
        sent_ms, delays_ms = self._sent_ms, self._delays_ms
        if delays_ms[-1] <= empty_ms:
            self._busy_since_ms = None
            return
        first = len(delays_ms) - self._fresh
        for index in range(len(delays_ms) - 1, first - 1, -1):
            if delays_ms[index] <= empty_ms:
                self._busy_since_ms = None
                first = index + 1
                break
        if self._busy_since_ms is None:
            self._busy_since_ms = sent_ms[first] + delays_ms[first]

    @property
    def _busy_ms(self) -> float:
        """For how long packets have come out of a queue that was never empty."""
        if self._busy_since_ms is None:
            return 0.0
        return self._sent_ms[-1] + self._delays_ms[-1] - self._busy_since_ms

    def _trim(self) -> None:
        sent_ms = self._sent_ms
        oldest_ms = sent_ms[-1] - WINDOW_MS
        if sent_ms[0] >= oldest_ms and len(sent_ms) <= MAX_SAMPLES:
            return
        excess = max(0, len(sent_ms) - MAX_SAMPLES)
        while sent_ms[excess] < oldest_ms:
            excess += 1
        if excess:
            del sent_ms[:excess]
            del self._delays_ms[:excess]

    def _judge(self, gained_ms: float) -> Usage:
        if gained_ms < -self._threshold_ms:
            return "underuse"
        if self._busy_ms < LASTING_MS:
            return "normal"
        standing_ms = max(STANDING_QUEUE_MS, self._threshold_ms)
        return "overuse" if gained_ms > self._threshold_ms or self.queue_ms > standing_ms else "normal"

    def _adapt(self, gained_ms: float, now_ns: int) -> None:
        """§5.4: paths whose delay varies by itself get a higher threshold."""
        elapsed_ms = min((now_ns - self._adapted_ns) / MS_NS, 100.0)
        self._adapted_ns = now_ns
        over_ms = gained_ms - self._threshold_ms
        if over_ms > OUTLIER_MS:
            return
        factor = THRESHOLD_UP if over_ms > 0 else THRESHOLD_DOWN
        threshold_ms = self._threshold_ms + factor * over_ms * elapsed_ms
        self._threshold_ms = min(max(threshold_ms, MIN_THRESHOLD_MS), MAX_THRESHOLD_MS)


def _least_delay_ns(sent_ns: Sequence[int], arrivals_ns: Sequence[int], start: int, end: int) -> int:
    if sent_ns[end - 1] == sent_ns[start]:
        return min(arrivals_ns[start:end]) - sent_ns[start]
    least_ns: int = min(map(sub, arrivals_ns[start:end], sent_ns[start:end]))
    return least_ns


def _slope(x: list[float], y: list[float]) -> float:
    """Of the least-squares line; 0 where all x are the same."""
    count, sum_x = len(x), sum(x, 0.0)
    spread: float = sum(map(mul, x, x), 0.0) - sum_x * sum_x / count
    if spread < 1.0:
        return 0.0
    together: float = sum(map(mul, x, y), 0.0) - sum_x * sum(y, 0.0) / count
    return together / spread
