"""The histogram's buckets are contiguous, narrow, and percentiles never understate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sfu.metrics import Histogram, Metrics, bucket_of, upper_bound_us


@given(st.integers(min_value=0, max_value=(1 << 27) - 1))
def test_a_value_lies_within_an_eighth_below_its_buckets_upper_bound(value_us: int) -> None:
    bound = upper_bound_us(bucket_of(value_us))
    assert value_us <= bound <= value_us + value_us // 8


def test_buckets_follow_each_other_without_gap() -> None:
    last = -1
    for value_us in range(100_000):
        bucket = bucket_of(value_us)
        assert bucket in (last, last + 1)
        last = bucket


def test_negative_and_absurd_durations_are_counted_not_raised() -> None:
    histogram = Histogram()
    histogram.add(-5)
    histogram.add(1 << 60)
    assert histogram.total == 2


def test_percentiles_of_a_known_distribution() -> None:
    histogram = Histogram()
    histogram.add(5, times=98)
    histogram.add(2_000, times=2)
    assert histogram.percentile_us(0.5) == 5
    assert 2_000 <= (histogram.percentile_us(0.99) or 0) < 2_300


def test_nothing_counted_has_no_percentile() -> None:
    assert Histogram().percentile_us(0.5) is None


def test_the_difference_of_two_readings_is_what_happened_between() -> None:
    metrics = Metrics()
    metrics.inside.add(50_000, times=1_000)
    before = metrics.snapshot()["inside_us"]["buckets"][:]
    metrics.inside.add(3)
    assert metrics.inside.since(before).percentile_us(0.99) == 3
