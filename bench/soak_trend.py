"""Pure: does a series grow? By the median of all slopes, which no single outlier moves (Theil and Sen)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

WARM_UP: Final = 0.25
"""Share of the samples that is left out at the beginning: pools fill, caches warm."""
MIN_SAMPLES: Final = 4
MIN_AGREEMENT: Final = 0.3
"""Kendall's tau: how much the order of values agrees with the order of time, −1…1."""

Verdict = Literal["flat", "growing", "unknown"]


@dataclass(frozen=True)
class Tolerance:
    """Growth over the measured time that is no growth: a share of the median, and an amount."""

    share: float
    amount: float


@dataclass(frozen=True)
class Trend:
    """`median`, `slope_per_hour` and `growth` (over the time after the warm-up) in the series' unit."""

    median: float
    slope_per_hour: float
    growth: float
    agreement: float
    verdict: Verdict


def trend(times_s: Sequence[float], values: Sequence[float | None], tolerance: Tolerance) -> Trend:
    """Judge a series; `unknown` when too little of it is there."""
    skipped = int(len(times_s) * WARM_UP)
    known = [
        (time_s, value)
        for time_s, value in list(zip(times_s, values, strict=True))[skipped:]
        if value is not None
    ]
    if len(known) < MIN_SAMPLES:
        return Trend(0.0, 0.0, 0.0, 0.0, "unknown")
    pairs = [(one, two) for index, one in enumerate(known) for two in known[index + 1 :]]
    slope = statistics.median((two[1] - one[1]) / (two[0] - one[0]) for one, two in pairs)
    agreement = sum((two[1] > one[1]) - (two[1] < one[1]) for one, two in pairs) / len(pairs)
    median = statistics.median(value for _, value in known)
    growth = slope * (known[-1][0] - known[0][0])
    grows = growth > median * tolerance.share + tolerance.amount and agreement >= MIN_AGREEMENT
    return Trend(median, slope * 3_600, growth, agreement, "growing" if grows else "flat")
