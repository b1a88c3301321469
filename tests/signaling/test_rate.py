"""Limits, with time as an argument."""

from __future__ import annotations

from core.clock import NS_PER_S
from signaling.rate import FloodGuard, LoginThrottle, TokenBucket
from signaling.worker_client import reconnect_delay_s


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    bucket = TokenBucket(rate=10, burst=20, now_ns=0)
    assert sum(bucket.take(1, 0) for _ in range(100)) == 20
    assert sum(bucket.take(1, NS_PER_S) for _ in range(100)) == 10
    assert sum(bucket.take(1, 100 * NS_PER_S) for _ in range(100)) == 20


def test_a_hundred_messages_a_second_may_go_on_for_ever_but_not_two_hundred() -> None:
    steady, flood = FloodGuard(0), FloodGuard(0)
    assert all(steady.allows(200, n * NS_PER_S // 100) for n in range(5000))
    assert not all(flood.allows(200, n * NS_PER_S // 200) for n in range(5000))


def test_large_messages_are_a_flood_as_well() -> None:
    guard = FloodGuard(0)
    assert not all(guard.allows(200_000, n * NS_PER_S // 20) for n in range(100))


def test_failures_cost_a_wait_that_doubles_up_to_a_bound() -> None:
    throttle = LoginThrottle(free=3, longest_wait_s=60)
    now_ns, waits = 0, []
    for _ in range(12):
        throttle.failed("k", now_ns)
        waits.append(throttle.wait_s("k", now_ns))
        now_ns += waits[-1] * NS_PER_S
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_other_keys_are_not_slowed_and_success_forgives() -> None:
    throttle = LoginThrottle(free=1)
    throttle.failed("a", 0)
    assert throttle.wait_s("a", 0) > 0
    assert throttle.wait_s("b", 0) == 0
    throttle.succeeded("a")
    assert throttle.wait_s("a", 0) == 0


def test_a_long_rest_forgives_too() -> None:
    throttle = LoginThrottle(free=2, longest_wait_s=10)
    for _ in range(5):
        throttle.failed("a", 0)
    later_ns = 100 * NS_PER_S
    throttle.failed("a", later_ns)
    assert throttle.wait_s("a", later_ns) == 0


def test_the_number_of_keys_remembered_is_bounded() -> None:
    throttle = LoginThrottle(free=1, max_keys=100)
    for n in range(1000):
        throttle.failed(str(n), n)
    assert throttle.wait_s("0", 1000) == 0
    assert throttle.wait_s("999", 1000) > 0


def test_a_restarting_worker_is_tried_often_and_one_that_stays_away_seldom() -> None:
    delays = [reconnect_delay_s(away_s) for away_s in (0, 1, 5, 10, 50, 1000)]
    assert delays == [0.05, 0.05, 0.05, 0.1, 0.5, 1.0]
