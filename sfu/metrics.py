"""Pure: counters of one worker and a histogram of the time packets spend inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

_SUB_BITS: Final = 3
_SUB_BUCKETS: Final = 1 << _SUB_BITS
_BUCKETS: Final = 26 * _SUB_BUCKETS
"""Eight buckets per doubling (12 % wide), up to 2²⁸ µs: a packet never stays longer."""

LIMITS_US: Final = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000)
"""What dashboards are told: few buckets, at round numbers."""


@dataclass(slots=True)
class Counters:
    """Counted since the worker started."""

    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    batches: int = 0
    unknown_ssrc: int = 0
    """RTP whose SSRC, MID and payload type name no track: dropped."""
    malformed: int = 0
    nacks_received: int = 0
    keyframe_requests_received: int = 0
    session_errors: int = 0
    events_dropped: int = 0


class Histogram:
    """Microseconds in buckets of constant relative width; percentiles are upper bounds of their bucket."""

    def __init__(self, counts: Sequence[int] | None = None) -> None:
        self.counts = list(counts) if counts is not None else [0] * _BUCKETS

    def add(self, value_us: int, times: int = 1) -> None:
        """Count a duration `times` times; negative (a stepped clock) counts as 0."""
        self.counts[bucket_of(value_us)] += times

    def since(self, before: Sequence[int]) -> Histogram:
        """What was counted after `before` was taken from `counts`."""
        return Histogram([now - then for now, then in zip(self.counts, before, strict=True)])

    @property
    def total(self) -> int:
        return sum(self.counts)

    def percentile_us(self, fraction: float) -> int | None:
        """Upper bound of the bucket that holds this fraction; None when nothing was counted."""
        total = self.total
        if not total:
            return None
        wanted, seen = fraction * total, 0
        for index, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return upper_bound_us(index)
        return upper_bound_us(_BUCKETS - 1)

    def at_most(self, limits_us: Sequence[int]) -> list[int]:
        """How many were no longer than each limit (a bucket counts once all of it is)."""
        return [
            sum(count for index, count in enumerate(self.counts) if upper_bound_us(index) <= limit)
            for limit in limits_us
        ]


def bucket_of(value_us: int) -> int:
    """Index of the bucket that counts `value_us`."""
    if value_us < _SUB_BUCKETS:
        return max(value_us, 0)
    shift = value_us.bit_length() - 1 - _SUB_BITS
    return min((shift << _SUB_BITS) + (value_us >> shift), _BUCKETS - 1)


def upper_bound_us(index: int) -> int:
    """Greatest value counted in bucket `index`."""
    if index < 2 * _SUB_BUCKETS:
        return index
    shift = (index >> _SUB_BITS) - 1
    return (((index & (_SUB_BUCKETS - 1)) + _SUB_BUCKETS + 1) << shift) - 1


class Metrics:
    """All a worker counts."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.inside = Histogram()
        """Kernel receive stamp → last copy handed to the kernel, once per packet received."""

    def snapshot(self) -> dict[str, Any]:
        """JSON-ready: counters, percentiles, and raw bucket counts for readers that want differences."""
        return {
            "counters": asdict(self.counters),
            "inside_us": {
                "p50": self.inside.percentile_us(0.5),
                "p99": self.inside.percentile_us(0.99),
                "count": self.inside.total,
                "buckets": self.inside.counts,
                "limits": list(LIMITS_US),
                "at_most": self.inside.at_most(LIMITS_US),
            },
        }
