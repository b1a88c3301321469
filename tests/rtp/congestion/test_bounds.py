"""Whatever a peer claims, the estimate stays within its bounds and nothing raises."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rtp.congestion import BandwidthEstimator, Prober
from rtp.twcc import PacketResult

MIN_BPS, MAX_BPS = 100_000, 5_000_000
ARRIVALS = st.one_of(
    st.none(),
    st.integers(-(10**9), 10**9),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 2**62, 10**400]),
)
NOWS = st.integers(-(10**9), 10**12)


@st.composite
def feedbacks(draw: st.DrawFn) -> list[PacketResult]:
    """Send times are ours, though not always in order; arrivals are the peer's."""
    count = draw(st.integers(0, 40))
    sent_ns = draw(st.integers(0, 10**11))
    return [
        PacketResult(
            number, draw(st.integers(1, 1500)), sent_ns + draw(st.integers(-(10**7), 10**8)), draw(ARRIVALS)
        )
        for number in range(count)
    ]


EVENTS = st.one_of(
    st.tuples(st.just("on_results"), st.tuples(feedbacks(), NOWS)),
    st.tuples(st.just("on_loss_report"), st.tuples(st.floats(), NOWS)),
    st.tuples(st.just("on_remb"), st.tuples(st.integers(-(2**80), 2**80), NOWS)),
    st.tuples(st.just("on_silence"), st.tuples(NOWS)),
    st.tuples(st.just("set_rtt"), st.tuples(st.integers(-(2**70), 2**70))),
)


@given(st.lists(EVENTS, max_size=30))
def test_no_feedback_takes_the_estimate_out_of_its_bounds(events: list[tuple[str, tuple[Any, ...]]]) -> None:
    estimator = BandwidthEstimator(start_bps=1_000_000, min_bps=MIN_BPS, max_bps=MAX_BPS)
    for name, arguments in events:
        getattr(estimator, name)(*arguments)
        assert MIN_BPS <= estimator.estimate_bps <= MAX_BPS
        assert 0.0 <= estimator.loss <= 1.0
        assert estimator.usage in ("normal", "overuse", "underuse")
        assert math.isfinite(estimator.queue_ms)
        assert estimator.acknowledged_bps >= 0


@given(st.lists(st.tuples(st.integers(0, 10**8), st.lists(ARRIVALS, min_size=1, max_size=20)), max_size=60))
def test_a_lying_probe_answer_stays_within_the_bounds(turns: list[tuple[int, list[int | None]]]) -> None:
    estimator = BandwidthEstimator(start_bps=1_000_000, min_bps=MIN_BPS, max_bps=MAX_BPS)
    prober, now_ns, probe = Prober(), 0, None
    for elapsed_ns, arrivals_ns in turns:
        now_ns += elapsed_ns
        if probe is None or probe.done:
            probe = prober.wanted(
                now_ns, estimate_bps=estimator.estimate_bps, sent_bps=0, wanted_bps=10 * MAX_BPS
            )
            if probe is not None:
                estimator.on_probe(probe)
        results = []
        for number, arrival_ns in enumerate(arrivals_ns):
            if probe is not None and not probe.done:
                probe.sent(now_ns, 1200)
            results.append(PacketResult(number, 1200, now_ns, arrival_ns))
        estimator.on_results(results, now_ns)
        assert MIN_BPS <= estimator.estimate_bps <= MAX_BPS


@given(st.lists(feedbacks(), min_size=1, max_size=30))
def test_memory_stays_bounded(told: list[list[PacketResult]]) -> None:
    estimator = BandwidthEstimator(start_bps=1_000_000, min_bps=MIN_BPS, max_bps=MAX_BPS)
    for turn, results in enumerate(told * 5):
        estimator.on_results(results, turn * 50_000_000)
        assert estimator.remembered <= 300
