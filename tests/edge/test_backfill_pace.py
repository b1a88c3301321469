"""What is delivered later goes beside live pictures, never before them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.clock import NS_PER_S
from edge_agents.backfill_pace import ALONE_BPS, MIN_BPS, SHARE, TIGHT_SHARE, Pacer, Uplink, allowed_bps

EASY = Uplink(6_000_000, congested=False, at_ease=True, queue_ms=0)
TIGHT = Uplink(6_000_000, congested=False, at_ease=False, queue_ms=0)
FULL = Uplink(6_000_000, congested=True, at_ease=True, queue_ms=0)
QUEUED = Uplink(6_000_000, congested=False, at_ease=True, queue_ms=80)
UPLINKS = st.lists(st.sampled_from([EASY, TIGHT, FULL, QUEUED]), min_size=1, max_size=3)


def test_it_takes_a_share_a_smaller_one_when_pictures_are_squeezed_and_none_when_they_wait() -> None:
    assert allowed_bps([EASY]) == int(6_000_000 * SHARE)
    assert allowed_bps([EASY, TIGHT]) == int(12_000_000 * TIGHT_SHARE)
    assert allowed_bps([EASY, FULL]) == allowed_bps([QUEUED]) == 0
    assert allowed_bps([]) == ALONE_BPS
    assert allowed_bps([Uplink(100_000, congested=False, at_ease=False, queue_ms=0)]) == MIN_BPS


@given(st.lists(st.tuples(UPLINKS, st.integers(0, 5 * NS_PER_S)), max_size=60))
def test_it_never_takes_more_than_the_pictures_have_and_stops_at_any_pressure(
    steps: list[tuple[list[Uplink], int]],
) -> None:
    pacer, now_ns = Pacer(), 0
    for uplinks, later_ns in steps:
        now_ns += later_ns
        rate_bps = pacer.rate_bps(uplinks, now_ns)
        assert rate_bps <= sum(one.estimate_bps for one in uplinks)
        if any(one.congested or one.queue_ms > 40 for one in uplinks):
            assert rate_bps == 0
            assert pacer.rate_bps([EASY], now_ns) == allowed_bps([EASY])


def test_undisturbed_it_grows_within_seconds() -> None:
    pacer = Pacer()
    rates = [pacer.rate_bps([EASY], second * NS_PER_S) for second in range(20)]
    assert rates == sorted(rates)
    assert rates[-1] == 6_000_000


def test_bytes_take_the_time_that_the_rate_gives_them_and_idleness_saves_nothing_up() -> None:
    pacer = Pacer()
    pacer.sent(1_000_000, 8_000_000, 0)
    assert pacer.delay_s(0) == 1.0
    assert pacer.delay_s(5 * NS_PER_S) == 0
    pacer.sent(1_000_000, 8_000_000, 5 * NS_PER_S)
    assert pacer.delay_s(5 * NS_PER_S) == 1.0
