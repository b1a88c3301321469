"""The estimator, prober and pacer together on simulated links."""

from __future__ import annotations

import pytest

from tests.rtp.congestion.call import Call, CallProfile
from tests.rtp.congestion.link import LinkProfile, bursts

M = 1_000_000
SQUEEZE = ((0, 8 * M), (20, 3 * M // 2), (40, 8 * M))
SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("feedback_ms", [50, 100])
def test_a_squeezed_link_is_used_in_each_phase_and_its_queue_drains(seed: int, feedback_ms: int) -> None:
    profile = CallProfile(seed=seed, feedback_every_ms=feedback_ms)
    call = Call(LinkProfile(SQUEEZE, seed=seed), profile).run(60)
    assert call.delivered_bps(5, 20) >= 0.8 * 8 * M
    assert call.delivered_bps(25, 40) >= 0.8 * 1.5 * M
    assert call.delivered_bps(45, 60) >= 0.8 * 8 * M
    assert call.queue_settles_s(50, 20, 40) <= 1.5
    assert call.reaches_s(0.8 * 8 * M, 40) <= 5


def test_a_squeeze_is_mastered_on_a_long_path_with_jitter() -> None:
    jitter = bursts(height_ms=(20, 30), every_s=3, length_s=0.15)
    link = LinkProfile(SQUEEZE, delay_ms=50, jitter_ms=jitter)
    call = Call(link, CallProfile(feedback_delay_ms=50)).run(60)
    assert call.queue_settles_s(50, 20, 40) <= 1.5
    assert call.reaches_s(0.8 * 8 * M, 40) <= 5
    assert call.delivered_bps(25, 40) >= 0.75 * 1.5 * M


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("loss", "share"), [(0.05, 0.6), (0.1, 0.4)])
@pytest.mark.parametrize("capacity_bps", [2 * M, 8 * M])
def test_random_loss_does_not_collapse_the_rate(
    seed: int, loss: float, share: float, capacity_bps: int
) -> None:
    call = Call(LinkProfile([(0, capacity_bps)], loss=loss, seed=seed), CallProfile(seed=seed)).run(40)
    assert call.delivered_bps(5, 40) >= share * capacity_bps


@pytest.mark.parametrize("queue_ms", [20, 30, 50])
def test_a_short_queue_that_only_loses_is_not_overrun(queue_ms: int) -> None:
    call = Call(LinkProfile([(0, 3 * M)], queue_ms=queue_ms)).run(40)
    assert call.delivered_bps(10, 40) >= 0.7 * 3 * M
    assert call.lost_share(10, 40) <= 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_what_other_traffic_leaves_is_used_without_filling_the_queue(seed: int) -> None:
    call = Call(LinkProfile([(0, 8 * M)], cross_bps=4 * M, seed=seed), CallProfile(seed=seed)).run(40)
    assert call.delivered_bps(5, 40) >= 0.75 * 4 * M
    assert sum(sample.queue_ms > 100 for sample in call.between(5, 40)) <= 0.1 * 3500


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fast_link_is_found_by_probing_within_three_seconds(seed: int) -> None:
    profile = CallProfile(start_bps=M, wanted_bps=20 * M, seed=seed)
    assert Call(LinkProfile([(0, 20 * M)], seed=seed), profile).run(5).reaches_s(0.8 * 20 * M, 0) <= 3


def test_without_probing_the_same_link_takes_longer() -> None:
    call = Call(LinkProfile([(0, 20 * M)]), CallProfile(start_bps=M, probing=False)).run(5)
    assert call.reaches_s(0.8 * 20 * M, 0) > 3


def test_an_application_that_sends_little_does_not_let_the_estimate_run_away() -> None:
    profile = CallProfile(ceiling_bps=lambda _: M, probing=False)
    call = Call(LinkProfile([(0, 10 * M)]), profile).run(30)
    assert max(sample.estimate_bps for sample in call.samples) <= 2 * M


def test_an_application_that_sends_little_learns_by_probing_what_it_could_send() -> None:
    profile = CallProfile(ceiling_bps=lambda at_s: M if at_s < 20 else 3 * M, wanted_bps=3 * M)
    call = Call(LinkProfile([(0, 10 * M)]), profile).run(30)
    assert 3 * M <= call.between(19, 20)[0].estimate_bps <= 4 * M
    assert call.reaches_s(0.9 * 3 * M, 20) <= 1.5


def test_an_application_that_sent_little_meanwhile_recovers_after_a_squeeze() -> None:
    profile = CallProfile(ceiling_bps=lambda at_s: M // 2 if 20 <= at_s < 30 else 6 * M, wanted_bps=6 * M)
    call = Call(LinkProfile([(0, 8 * M), (20, M), (30, 8 * M)]), profile).run(40)
    assert call.reaches_s(0.9 * 6 * M, 30) <= 5


@pytest.mark.parametrize("seed", SEEDS)
def test_two_seconds_without_feedback_lower_the_rate_and_are_over_soon_after(seed: int) -> None:
    profile = CallProfile(feedback=lambda at_s: not 10 <= at_s < 12, seed=seed)
    call = Call(LinkProfile([(0, 8 * M)], seed=seed), profile).run(20)
    before_bps = call.between(9.9, 10)[0].estimate_bps
    assert call.between(11.9, 12)[0].estimate_bps <= 0.5 * before_bps
    assert call.reaches_s(0.7 * 8 * M, 12) <= 2
    assert call.delivered_bps(14, 20) >= 0.8 * 8 * M


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("length_s", [0.15, 0.5])
@pytest.mark.parametrize("capacity_bps", [3 * M, 8 * M])
def test_jitter_of_a_5g_cell_does_not_drive_the_rate_down(
    seed: int, length_s: float, capacity_bps: int
) -> None:
    jitter = bursts(height_ms=(20, 30), every_s=3, length_s=length_s)
    link = LinkProfile([(0, capacity_bps)], jitter_ms=jitter, seed=seed)
    assert Call(link, CallProfile(seed=seed)).run(40).delivered_bps(5, 40) >= 0.7 * capacity_bps


def test_a_longer_route_is_not_taken_for_a_queue() -> None:
    link = LinkProfile([(0, 8 * M)], jitter_ms=lambda at_s, _: 80.0 if at_s >= 15 else 0.0)
    call = Call(link).run(30)
    assert call.delivered_bps(20, 30) >= 0.75 * 8 * M


def test_a_peer_with_receiver_reports_only_finds_the_capacity_by_its_losses() -> None:
    call = Call(LinkProfile([(0, 3 * M)]), CallProfile(transport_wide=False)).run(60)
    assert call.delivered_bps(30, 60) >= 0.8 * 3 * M
    assert call.lost_share(30, 60) <= 0.12


def test_a_keyframe_leaves_the_pacer_in_bounded_time() -> None:
    call = Call(LinkProfile([(0, 4 * M)]), CallProfile(start_bps=3 * M, keyframe_every_s=2)).run(30)
    assert 20 <= call.pacer_delay_ms <= 150


@pytest.mark.parametrize("seed", SEEDS)
def test_a_relay_that_can_only_choose_between_layers_finds_the_one_that_fits(seed: int) -> None:
    link = LinkProfile([(0, 8 * M), (12, 3 * M // 2), (22, 8 * M)], seed=seed)
    profile = CallProfile(layers_bps=(M // 2, 2 * M, 6 * M), wanted_bps=6 * M, seed=seed)
    call = Call(link, profile).run(32)
    assert call.delivered_bps(5, 12) >= 0.9 * 6 * M
    assert 0.9 * M / 2 <= call.delivered_bps(15, 22) <= 1.5 * M / 2
    assert call.queue_settles_s(50, 12, 22) <= 1.5
    assert call.delivered_bps(27, 32) >= 0.9 * 6 * M


def test_a_slow_link_is_used_without_standing_in_its_own_queue() -> None:
    call = Call(LinkProfile([(0, M // 2)])).run(40)
    assert call.delivered_bps(5, 40) >= 0.8 * M / 2
    queues_ms = sorted(sample.queue_ms for sample in call.between(10, 40))
    assert queues_ms[len(queues_ms) // 2] <= 60


def test_a_sender_that_cannot_go_lower_is_told_what_still_goes_through() -> None:
    profile = CallProfile(layers_bps=(13 * M // 10,), wanted_bps=4 * M, start_bps=M // 2)
    call = Call(LinkProfile([(0, 3 * M // 2)]), profile).run(20)
    assert call.delivered_bps(10, 20) >= 1.2 * M
    assert call.between(10, 20)[-1].estimate_bps >= M
