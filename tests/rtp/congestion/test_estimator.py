"""The estimator's answers to single kinds of feedback."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.congestion import BandwidthEstimator, ProbeCluster
from rtp.twcc import PacketResult, RunResult
from rtp.twcc_codec import DELTA_NS

MS_NS = 1_000_000
S_NS = 1_000 * MS_NS
M = 1_000_000


def estimator(start_bps: int = M) -> BandwidthEstimator:
    return BandwidthEstimator(start_bps=start_bps, min_bps=100_000, max_bps=10 * M)


def feed(
    target: BandwidthEstimator,
    start_ms: int,
    end_ms: int,
    delay_ms: float = 20,
    growth: float = 0,
    lose_every: int = 0,
    offset_ns: int = 0,
) -> None:
    """A packet of 1,000 bytes each 4 ms (2 Mbit/s), feedback each 80 ms; `growth` in ms of delay per ms."""
    results = []
    for at_ms in range(start_ms, end_ms, 4):
        delay_ns = int((delay_ms + (at_ms - start_ms) * growth) * MS_NS)
        arrival_ns = at_ms * MS_NS + delay_ns + offset_ns
        lost = lose_every and at_ms // 4 % lose_every == 0
        results.append(PacketResult(at_ms // 4 & 0xFFFF, 1_000, at_ms * MS_NS, None if lost else arrival_ns))
        if at_ms % 80 == 76:
            target.on_results(results, at_ms * MS_NS + 40 * MS_NS)
            results = []


@pytest.mark.parametrize("bounds", [(0, 1, 2), (2, 1, 3), (1, 5, 3), (-1, 1, 1)])
def test_bounds_out_of_order_are_refused(bounds: tuple[int, int, int]) -> None:
    low, start, high = bounds
    with pytest.raises(ValueError, match="min ≤ start ≤ max"):
        BandwidthEstimator(start_bps=start, min_bps=low, max_bps=high)


def test_steady_delay_lets_the_estimate_rise() -> None:
    it = estimator()
    feed(it, 0, 4_000)
    assert it.usage == "normal"
    assert 1.5 * M <= it.estimate_bps <= 3 * M


def test_growing_delay_is_overuse_and_lowers_the_estimate_below_what_arrives() -> None:
    it = estimator(4 * M)
    feed(it, 0, 1_000)
    feed(it, 1_000, 1_480, growth=0.25)
    assert it.usage == "overuse" or not it.settled
    assert it.estimate_bps <= 0.9 * 2 * M


def test_a_queue_that_stands_is_overuse_though_it_does_not_grow() -> None:
    it = estimator(4 * M)
    feed(it, 0, 1_000)
    feed(it, 1_000, 2_000, delay_ms=150)
    assert it.estimate_bps < 2 * M


def test_another_clock_at_the_receiver_is_not_a_queue() -> None:
    it = estimator()
    feed(it, 0, 2_000)
    before_bps = it.estimate_bps
    feed(it, 2_000, 4_000, offset_ns=5_000 * S_NS)
    assert it.usage == "normal"
    assert it.estimate_bps >= before_bps


def test_a_receiver_whose_clock_is_slow_is_not_a_queue() -> None:
    it = estimator()
    feed(it, 0, 60_000, growth=0.0002)
    assert it.usage == "normal"
    assert it.queue_ms < 10


def test_loss_is_told() -> None:
    it = estimator()
    feed(it, 0, 2_000, lose_every=10)
    assert it.loss == pytest.approx(0.1, abs=0.03)


def test_a_receivers_limit_caps_the_estimate_until_it_is_no_longer_renewed() -> None:
    it = estimator(2 * M)
    feed(it, 0, 1_000)
    it.on_remb(500_000, 1_000 * MS_NS)
    assert it.estimate_bps == 500_000
    feed(it, 1_040, 2_000)
    assert it.estimate_bps == 500_000
    feed(it, 2_000, 13_040)
    assert it.estimate_bps > M


def test_a_peer_with_remb_alone_decides_itself() -> None:
    it = estimator()
    for second, limit_bps in enumerate((2 * M, 7 * M, 3 * M)):
        it.on_remb(limit_bps, second * S_NS)
        assert it.estimate_bps == limit_bps
    it.on_remb(100 * M, 4 * S_NS)
    assert it.estimate_bps == 10 * M
    it.on_remb(1, 5 * S_NS)
    assert it.estimate_bps == 100_000


def test_a_peer_with_remb_that_reports_heavy_loss_gets_less_than_it_asks_for() -> None:
    it = estimator()
    it.on_remb(4 * M, 0)
    for second in range(1, 5):
        it.on_loss_report(0.3, second * S_NS)
        it.on_remb(4 * M, second * S_NS)
    assert it.estimate_bps < 2.5 * M
    assert it.loss == 0.3


@pytest.mark.parametrize(("fraction", "direction"), [(0.0, 1), (0.05, 0), (0.2, -1)])
def test_receiver_reports_raise_hold_or_lower_the_estimate(fraction: float, direction: int) -> None:
    it = estimator()
    for second in range(5):
        it.on_loss_report(fraction, second * S_NS)
    change = it.estimate_bps - M
    assert (change > 0) - (change < 0) == direction


def test_receiver_reports_do_not_raise_the_estimate_beyond_what_is_sent() -> None:
    it = estimator()
    for second in range(100):
        it.on_loss_report(0.0, second * S_NS, sent_bps=M)
    assert it.estimate_bps <= 1.7 * M


def test_receiver_reports_do_not_count_beside_transport_wide_feedback() -> None:
    it = estimator()
    feed(it, 0, 1_000)
    before_bps = it.estimate_bps
    it.on_loss_report(0.5, 1_040 * MS_NS)
    assert it.estimate_bps == before_bps


def test_silence_lowers_the_estimate_to_a_quarter_and_the_first_feedback_brings_it_back() -> None:
    it = estimator(2 * M)
    feed(it, 0, 1_000)
    before_bps = it.estimate_bps
    for at_ms in range(1_000, 9_000, 50):
        it.on_silence(at_ms * MS_NS)
    assert it.estimate_bps == pytest.approx(before_bps / 4, rel=0.01)
    assert not it.settled
    feed(it, 9_040, 9_200)
    assert it.estimate_bps >= 0.7 * before_bps
    assert it.settled


def test_after_a_silence_in_which_nothing_was_lost_the_estimate_is_what_it_was() -> None:
    """Somebody read late: the path is as good as before, however often it happens."""
    it = estimator(2 * M)
    feed(it, 0, 1_000)
    before_bps = it.estimate_bps
    for at_ms in range(1_000, 20_000, 2_000):
        for silent_ms in range(0, 1_200, 50):
            it.on_silence((at_ms + silent_ms) * MS_NS)
        assert it.estimate_bps < before_bps
        assert it.lasting_bps >= before_bps
        feed(it, at_ms, at_ms + 2_000)
        assert it.estimate_bps >= before_bps


def test_after_a_silence_in_which_packets_were_lost_a_little_less_is_sent() -> None:
    it = estimator(2 * M)
    feed(it, 0, 1_000)
    before_bps = it.estimate_bps
    for at_ms in range(1_000, 9_000, 50):
        it.on_silence(at_ms * MS_NS)
    assert it.lasting_bps == it.estimate_bps, "for so long, nobody knows what comes after it"
    feed(it, 9_040, 9_200, lose_every=20)
    assert 0.75 * before_bps <= it.estimate_bps <= 0.85 * before_bps


def test_our_own_lateness_is_no_silence() -> None:
    it = estimator(2 * M)
    for at_ms in (0, 900, 1_800):
        it.on_silence(at_ms * MS_NS)
    assert it.estimate_bps == 2 * M


def test_a_short_silence_changes_nothing() -> None:
    it = estimator()
    for at_ms in range(0, 500, 5):
        it.on_silence(at_ms * MS_NS)
    assert it.estimate_bps == M


RUN = st.tuples(st.integers(0, 12), st.lists(st.integers(0, 40), min_size=1, max_size=20))
SEEN = ("estimate_bps", "lasting_bps", "usage", "loss", "queue_ms", "acknowledged_bps", "settled")


@given(st.lists(st.tuples(st.integers(1, 60), st.lists(RUN, max_size=6), st.booleans()), max_size=25))
def test_runs_tell_what_their_packets_would(
    told: list[tuple[int, list[tuple[int, list[int]]], bool]],
) -> None:
    by_runs, by_packets = (
        BandwidthEstimator(start_bps=1_000_000, min_bps=100_000, max_bps=20_000_000) for _ in range(2)
    )
    now_ns = sent_ns = 10**12
    number = 0
    for wait_ms, runs, probes in told:
        if probes:
            for one in (by_runs, by_packets):
                probe = ProbeCluster(2 * M, 10_000)
                probe.sent(sent_ns, 5_000)
                probe.sent(sent_ns + 20 * MS_NS, 5_000)
                one.on_probe(probe)
        found: list[RunResult] = []
        packets: list[PacketResult] = []
        for gap_ms, delays in runs:
            sent_ns += gap_ms * 1_000_000
            arrivals = [sent_ns // DELTA_NS + delay for delay in delays]
            sizes = [500 + delay for delay in delays]
            found.append(RunResult(sent_ns, sum(sizes), sizes, arrivals))
            for size, arrival in zip(sizes, arrivals, strict=True):
                packets.append(PacketResult(number & 0xFFFF, size, sent_ns, arrival * DELTA_NS))
                number += 1
        now_ns = max(now_ns, sent_ns) + wait_ms * 1_000_000
        by_runs.on_runs(found, now_ns)
        by_packets.on_results(packets, now_ns)
        for name in (
            "estimate_bps",
            "lasting_bps",
            "usage",
            "loss",
            "queue_ms",
            "acknowledged_bps",
            "settled",
        ):
            assert getattr(by_runs, name) == getattr(by_packets, name), name
        assert by_runs.remembered == by_packets.remembered
