"""What gives way, in which order, and how it comes back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import NS_PER_MS, NS_PER_S
from edge_agents.adaptation import LEAST_BPS, SMALL_MIN_BPS, Adaptation
from edge_agents.config import FeedConfig
from edge_agents.layers import FULL, SMALL, Encoding

BOTH = frozenset({FULL, SMALL})
TICK_NS = 100 * NS_PER_MS


def feed(profile: str = "ultrasound", **changes: Any) -> FeedConfig:
    values = {"name": "feed", "source": {"kind": "testcard"}, "profile": profile, "bitrate_bps": 9_000_000}
    return FeedConfig.model_validate(values | changes)


class Path:
    """A path whose budget is set by hand; decisions every 100 ms."""

    def __init__(self, config: FeedConfig) -> None:
        self.adaptation = Adaptation(config)
        self.now_ns = NS_PER_S
        self.plan: dict[str, Encoding] = {}

    def carry(
        self, budget_bps: int, seconds: float = TICK_NS / NS_PER_S, wanted: frozenset[str] = BOTH
    ) -> list[dict[str, Encoding]]:
        plans = []
        for _ in range(round(seconds * NS_PER_S / TICK_NS)):
            self.now_ns += TICK_NS
            self.plan = self.adaptation.decide(budget_bps, wanted, self.now_ns)
            plans.append(self.plan)
        return plans

    @property
    def shape(self) -> tuple[int, int]:
        """Lines and frames per second of the full picture."""
        return self.plan[FULL].height, self.plan[FULL].fps


def test_with_room_for_all_everything_is_at_its_best() -> None:
    path = Path(feed())
    path.carry(20_000_000)
    assert (path.shape, path.plan[FULL].bitrate_bps) == ((1080, 30), 9_000_000)
    assert (path.plan[SMALL].width, path.plan[SMALL].height, path.plan[SMALL].bitrate_bps) == (
        640,
        360,
        300_000,
    )


def test_the_small_picture_gets_its_minimum_first_and_the_rest_goes_to_the_full_one() -> None:
    path = Path(feed())
    path.carry(1_200_000, 5)
    assert path.plan[SMALL].bitrate_bps == SMALL_MIN_BPS
    assert path.plan[FULL].bitrate_bps == 1_200_000 - SMALL_MIN_BPS


@pytest.mark.parametrize(("budget_bps", "lines"), [(5_000_000, 1080), (1_300_000, 720), (700_000, 540)])
def test_ultrasound_keeps_every_picture_and_lowers_its_size(budget_bps: int, lines: int) -> None:
    path = Path(feed("ultrasound"))
    path.carry(budget_bps, 5)
    assert path.shape == (lines, 30)


@pytest.mark.parametrize(
    ("budget_bps", "fps"), [(5_000_000, 30), (2_600_000, 20), (1_900_000, 15), (1_000_000, 10)]
)
def test_endoscopy_keeps_the_detail_and_shows_fewer_pictures(budget_bps: int, fps: int) -> None:
    path = Path(feed("endoscopy"))
    path.carry(budget_bps, 5)
    assert path.shape == (1080, fps)


def test_going_down_takes_one_step_at_once_and_a_deep_fall_all_of_them() -> None:
    path = Path(feed())
    path.carry(8_000_000, 2)
    path.carry(900_000)
    assert path.shape == (720, 30)
    path.carry(900_000, 1)
    assert path.shape == (540, 30) or path.plan[FULL].bitrate_bps >= 0.03 * 1280 * 720 * 30 * 0.8
    other = Path(feed())
    other.carry(8_000_000, 2)
    other.carry(450_000)
    assert other.shape == (540, 30)


def test_going_up_waits_until_the_better_step_has_fitted_for_a_while_with_a_margin() -> None:
    path = Path(feed())
    path.carry(1_000_000, 5)
    assert path.shape == (720, 30)
    path.carry(2_200_000, 10)
    assert path.shape == (720, 30), "it would only just fit"
    path.carry(2_900_000, 0.8)
    assert path.shape == (720, 30)
    path.carry(2_900_000, 0.5)
    assert path.shape == (1080, 30)


def test_with_plenty_the_picture_is_back_within_half_a_second() -> None:
    path = Path(feed())
    path.carry(1_000_000, 5)
    path.carry(7_000_000, 0.5)
    assert path.shape == (1080, 30)


def test_a_budget_that_swings_changes_the_picture_ever_more_rarely() -> None:
    path = Path(feed())
    changes = []
    for _ in range(4):
        shapes = []
        for _ in range(6):
            shapes += [plan[FULL].height for plan in path.carry(1_400_000, 1.5) + path.carry(2_900_000, 1.5)]
        changes.append(sum(a != b for a, b in pairwise(shapes)))
    assert changes[-1] <= 2
    assert changes[-1] < changes[0]


def test_what_nobody_watches_is_not_encoded() -> None:
    path = Path(feed())
    path.carry(8_000_000, wanted=frozenset({SMALL}))
    assert set(path.plan) == {SMALL}
    path.carry(8_000_000, wanted=frozenset({FULL}))
    assert set(path.plan) == {FULL}
    assert path.plan[FULL].bitrate_bps == 8_000_000
    path.carry(8_000_000, wanted=frozenset())
    assert path.plan == {}


def test_with_next_to_nothing_the_small_picture_goes_on_alone_until_there_is_clearly_more() -> None:
    path = Path(feed())
    path.carry(300_000, 1)
    assert set(path.plan) == {SMALL}
    path.carry(370_000, 1)
    assert set(path.plan) == {SMALL}
    path.carry(450_000, 1)
    assert set(path.plan) == {FULL, SMALL}


def test_a_picture_that_is_small_already_has_no_second_and_never_rests() -> None:
    path = Path(feed(width=640, height=360, bitrate_bps=800_000))
    path.carry(120_000, 3, wanted=frozenset({FULL}))
    assert set(path.plan) == {FULL}
    assert path.plan[FULL].bitrate_bps == 120_000


def test_a_low_configured_rate_is_no_reason_to_lower_the_picture() -> None:
    path = Path(feed(bitrate_bps=1_000_000))
    path.carry(1_200_000, 5)
    assert path.shape == (1080, 30)


def test_small_changes_upwards_are_not_told_and_every_fall_is() -> None:
    path = Path(feed())
    path.carry(4_000_000)
    told = path.plan[FULL].bitrate_bps
    path.carry(4_040_000)
    assert path.plan[FULL].bitrate_bps == told
    path.carry(3_990_000)
    assert path.plan[FULL].bitrate_bps < told


budgets = st.lists(st.integers(0, 15_000_000), min_size=1, max_size=60)
profiles = st.sampled_from(["ultrasound", "endoscopy", "microscope", "theatre", "testcard"])
sizes = st.sampled_from([(1920, 1080), (1280, 720), (3840, 2160), (640, 480), (320, 240), (1080, 1920)])


@given(budgets, profiles, sizes, st.sets(st.sampled_from([FULL, SMALL])))
def test_whatever_comes_the_plan_fits_and_the_profile_is_kept(
    path_bps: list[int], profile: str, size: tuple[int, int], wanted: set[str]
) -> None:
    config = feed(profile, width=size[0], height=size[1])
    path = Path(config)
    for budget_bps in path_bps:
        path.carry(budget_bps, wanted=frozenset(wanted))
        best = path.adaptation.best(frozenset(wanted))
        assert set(path.plan) <= set(best)
        assert bool(path.plan) == bool(best), "something is always shown to whoever watches"
        total_bps = sum(encoding.bitrate_bps for encoding in path.plan.values())
        assert total_bps <= max(budget_bps, LEAST_BPS * len(path.plan))
        for rid, encoding in path.plan.items():
            assert LEAST_BPS <= encoding.bitrate_bps <= encoding.ceiling_bps
            assert encoding.width % 2 == encoding.height % 2 == 0
            assert encoding.pixels_per_s <= best[rid].pixels_per_s
        if FULL in path.plan and profile in ("ultrasound", "theatre", "testcard"):
            assert path.plan[FULL].fps == config.fps
        elif FULL in path.plan:
            assert (path.plan[FULL].width, path.plan[FULL].height) == size


@given(budgets, profiles)
def test_a_better_step_never_comes_sooner_than_two_seconds_after_the_last_change(
    path_bps: list[int], profile: str
) -> None:
    path, last, changed_ns = Path(feed(profile)), 0, 0
    for budget_bps in path_bps:
        path.carry(budget_bps)
        step = path.adaptation.step
        if step < last:
            assert path.now_ns - changed_ns >= 2 * NS_PER_S
        if step != last:
            last, changed_ns = step, path.now_ns


@given(st.integers(0, 12_000_000), st.integers(0, 12_000_000), profiles)
def test_more_network_is_never_a_worse_picture(one_bps: int, other_bps: int, profile: str) -> None:
    less, more = Path(feed(profile)), Path(feed(profile))
    less.carry(min(one_bps, other_bps), 5)
    more.carry(max(one_bps, other_bps), 5)
    assert set(more.plan) >= set(less.plan)
    if FULL in less.plan:
        assert more.adaptation.step <= less.adaptation.step
    assert sum(e.bitrate_bps for e in more.plan.values()) >= sum(e.bitrate_bps for e in less.plan.values())
