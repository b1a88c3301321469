"""A squeezed uplink in simulated time: what must hold whatever the machine is doing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.clock import NS_PER_S
from edge_agents.config import FeedConfig
from edge_agents.layers import FULL
from tests.edge.simulation import Simulation
from tests.support.link import Impairment

WIDE_BPS, NARROW_BPS = 8_000_000, 1_500_000
WAY = Impairment(delay_ms=20, jitter_ms=5, rate_bps=WIDE_BPS, queue_ms=200)


def simulation(profile: str, seed: int) -> Simulation:
    values = {"name": "feed", "source": {"kind": "testcard"}, "profile": profile, "bitrate_bps": 9_000_000}
    return Simulation(FeedConfig.model_validate(values), WAY, seed)


class Phase:
    """Runs a simulation at one rate and says what happened."""

    def __init__(self, run: Simulation, rate_bps: int, seconds: float) -> None:
        run.link.impairment = replace(WAY, rate_bps=rate_bps)
        self._run, self._rate_bps = run, rate_bps
        self.begun_ns = run.now_ns
        run.run(seconds)
        self.end_ns = run.now_ns

    def used(self, settle_s: float) -> float:
        from_ns = self.begun_ns + int(settle_s * NS_PER_S)
        return self._run.bits(from_ns, self.end_ns) * NS_PER_S / (self.end_ns - from_ns) / self._rate_bps

    def freeze_s(self, settle_s: float = 0) -> float:
        return self._run.shown.longest_gap_s(self.begun_ns + int(settle_s * NS_PER_S), self.end_ns)

    def recovery_s(self) -> float:
        """Until a second's average uses 80 % of the link."""
        for tenth in range(10, int((self.end_ns - self.begun_ns) / NS_PER_S * 10)):
            to_ns = self.begun_ns + tenth * NS_PER_S // 10
            if self._run.bits(to_ns - NS_PER_S, to_ns) >= 0.8 * self._rate_bps:
                return tenth / 10
        return float("inf")


@pytest.mark.parametrize(("profile", "lowered"), [("ultrasound", (720, 30)), ("endoscopy", (1080, 10))])
def test_the_link_is_used_in_each_phase_and_the_picture_goes_on(
    profile: str, lowered: tuple[int, int]
) -> None:
    run = simulation(profile, 1)
    first = Phase(run, WIDE_BPS, 7)
    assert (run.plan[FULL].height, run.plan[FULL].fps) == (1080, 30)
    narrow = Phase(run, NARROW_BPS, 10)
    assert (run.plan[FULL].height, run.plan[FULL].fps) == lowered
    wide = Phase(run, WIDE_BPS, 9)
    assert (run.plan[FULL].height, run.plan[FULL].fps) == (1080, 30)
    assert min(first.used(4), narrow.used(2), wide.used(5)) >= 0.8
    assert narrow.freeze_s() <= 1.5
    assert max(narrow.freeze_s(2), wide.freeze_s(), first.freeze_s(1)) <= 0.5
    assert wide.recovery_s() <= 5


def test_loss_that_is_not_congestion_is_repaired_and_costs_no_quality() -> None:
    run = simulation("ultrasound", 4)
    Phase(run, WIDE_BPS, 5)
    run.link.impairment = replace(WAY, loss=0.02)
    lossy_ns = run.now_ns
    run.run(10)
    assert run.shown.longest_gap_s(lossy_ns, run.now_ns) <= 0.5
    assert run.bits(lossy_ns, run.now_ns) >= 0.7 * WIDE_BPS * 10
    assert run.plan[FULL].height == 1080


def test_a_path_that_is_gone_for_three_seconds_is_used_again_at_once() -> None:
    run = simulation("ultrasound", 5)
    Phase(run, WIDE_BPS, 5)
    run.link.impairment = replace(WAY, cut=True)
    run.run(3)
    run.link.impairment = WAY
    back_ns = run.now_ns
    run.run(5)
    assert next(at_ns for at_ns in run.shown.shown_ns if at_ns > back_ns) - back_ns <= NS_PER_S
    assert run.bits(run.now_ns - 2 * NS_PER_S, run.now_ns) >= 0.7 * WIDE_BPS * 2
