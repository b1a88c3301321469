"""When to probe, how fast, and what an answered probe says."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rtp.congestion import BandwidthEstimator, ProbeCluster, Prober
from rtp.twcc import PacketResult

MS_NS = 1_000_000
S_NS = 1_000 * MS_NS
M = 1_000_000


def ask(
    prober: Prober, at_ms: int, estimate_bps: int, wanted_bps: int = 20 * M, settled: bool = True
) -> ProbeCluster | None:
    return prober.wanted(
        at_ms * MS_NS,
        estimate_bps=estimate_bps,
        sent_bps=estimate_bps,
        wanted_bps=wanted_bps,
        settled=settled,
    )


def sent_in_time(probe: ProbeCluster | None, at_ms: int, tick_ms: int = 5) -> ProbeCluster | None:
    """The probe, with all of it sent."""
    while probe is not None and not probe.done:
        probe.sent(at_ms * MS_NS, probe.due_bytes(at_ms * MS_NS))
        at_ms += tick_ms
    return probe


def begun(
    prober: Prober, start_ms: int, end_ms: int, estimate_bps: int, tick_ms: int = 5
) -> list[tuple[int, ProbeCluster]]:
    """The probes begun, and when; each is sent on ticks of that length."""
    asked = ((at_ms, ask(prober, at_ms, estimate_bps)) for at_ms in range(start_ms, end_ms, 5))
    return [(at_ms, probe) for at_ms, probe in asked if sent_in_time(probe, at_ms, tick_ms) and probe]


def test_the_first_probe_is_at_three_times_the_start_and_the_next_follow_its_success() -> None:
    prober = Prober()
    first = ask(prober, 0, M)
    assert first is not None
    assert first.rate_bps == 3 * M
    assert ask(prober, 100, M) is None
    second = ask(prober, 200, 3 * M)
    assert second is not None
    assert second.rate_bps == 6 * M


def test_nothing_is_probed_when_the_estimate_suffices() -> None:
    assert ask(Prober(), 0, 5 * M, wanted_bps=5 * M) is None


def test_probes_end_a_little_above_what_is_wanted() -> None:
    probe = ask(Prober(), 0, 2 * M, wanted_bps=3 * M)
    assert probe is not None
    assert probe.rate_bps == pytest.approx(3.6 * M)


def test_nothing_is_probed_while_the_path_is_overused() -> None:
    assert ask(Prober(), 0, M, settled=False) is None


def test_a_probe_no_faster_than_what_is_sent_anyway_is_spared() -> None:
    prober = Prober()
    assert prober.wanted(0, estimate_bps=M, sent_bps=4 * M, wanted_bps=20 * M) is None
    assert prober.wanted(0, estimate_bps=M, sent_bps=2 * M, wanted_bps=20 * M) is not None


def test_probes_that_fail_become_rarer_but_never_rarer_than_two_and_a_half_seconds() -> None:
    times_ms = [at_ms for at_ms, _ in begun(Prober(), 0, 30_000, M)]
    gaps_ms = [after - before for before, after in pairwise(times_ms)]
    assert gaps_ms[0] < gaps_ms[1]
    assert max(gaps_ms) <= 2_500
    assert len(times_ms) >= 10


def test_a_probe_that_a_busy_machine_sent_too_slowly_is_soon_made_again() -> None:
    in_time = begun(Prober(), 0, 10_000, M)
    late = begun(Prober(), 0, 10_000, M, tick_ms=60)
    assert len(late) > 2 * len(in_time)


def test_a_fall_postpones_the_next_probe() -> None:
    prober = Prober()
    assert ask(prober, 0, 4 * M) is not None
    assert begun(prober, 100, 4_000, 2 * M)[0][0] >= 1_500


def test_a_probe_whose_raise_does_not_hold_makes_the_next_longer_and_up_to_three_seconds_later() -> None:
    prober, at_ms = Prober(), 0
    waits_ms, lengths_ms = [], []
    assert ask(prober, at_ms, 2 * M) is not None
    for _ in range(4):
        ask(prober, at_ms + 100, 4 * M)
        fell_ms = at_ms + 600
        asked = ((at, ask(prober, at, 2 * M)) for at in range(fell_ms, fell_ms + 4_000, 5))
        at_ms, probe = next((at, probe) for at, probe in asked if probe is not None)
        waits_ms.append(at_ms - fell_ms)
        lengths_ms.append(probe.size_bytes * 8_000 // probe.rate_bps)
    assert waits_ms == sorted(waits_ms)
    assert waits_ms[-1] > waits_ms[0]
    assert waits_ms[-1] <= 3_000
    assert lengths_ms[-1] >= 2 * lengths_ms[0]


def test_a_cluster_asks_for_its_rate_tick_by_tick_and_ends() -> None:
    probe, sent = ProbeCluster(8 * M, 20_000), []
    for tick in range(10):
        due_bytes = probe.due_bytes(tick * 5 * MS_NS)
        sent.append(due_bytes)
        probe.sent(tick * 5 * MS_NS, due_bytes)
    assert sent == [5_000, 5_000, 5_000, 5_000, 0, 0, 0, 0, 0, 0]
    assert probe.done


def test_a_late_tick_does_not_make_a_burst() -> None:
    probe = ProbeCluster(8 * M, 100_000)
    probe.sent(0, probe.due_bytes(0))
    assert probe.due_bytes(500 * MS_NS) <= 20_000


def answered(arrival_step_ns: int, lost: int = 0, tick_ms: int = 5) -> int:
    """The estimate after a probe at 8 Mbit/s of 20 packets, of which each takes that long to come through."""
    estimator = BandwidthEstimator(start_bps=M, min_bps=100_000, max_bps=50 * M)
    probe = ProbeCluster(8 * M, 20_000)
    estimator.on_probe(probe)
    results = []
    arrival_ns = 20 * MS_NS
    for number in range(20):
        sent_ns = number // 5 * tick_ms * MS_NS
        probe.sent(sent_ns, 1_000)
        arrival_ns = max(arrival_ns, sent_ns + 20 * MS_NS) + arrival_step_ns
        results.append(PacketResult(number, 1_000, sent_ns, None if number < lost else arrival_ns))
    estimator.on_results(results, 60 * MS_NS)
    return estimator.estimate_bps


def test_a_probe_that_comes_through_proves_its_rate() -> None:
    assert answered(50_000) == pytest.approx(8 * M, rel=0.05)


def test_a_probe_sent_on_late_ticks_proves_what_was_sent() -> None:
    assert answered(50_000, tick_ms=10) == pytest.approx(4 * M, rel=0.2)


def test_a_probe_that_queues_shows_what_the_path_carries() -> None:
    assert answered(2 * MS_NS) == pytest.approx(4 * M * 0.95, rel=0.05)


def test_a_probe_of_which_too_much_is_lost_proves_nothing() -> None:
    assert answered(50_000, lost=9) == M


def test_a_probe_never_lowers_the_estimate() -> None:
    assert answered(16 * MS_NS) == M
