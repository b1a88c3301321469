"""Which encodings a feed has, how pictures are left out, how many there really are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import NS_PER_S
from edge_agents.config import FeedConfig
from edge_agents.layers import FULL, SMALL, FrameRate, FrameThinner, full_plan


def feed(**values: Any) -> FeedConfig:
    return FeedConfig.model_validate({"name": "feed", "source": {"kind": "testcard"}} | values)


def test_a_full_hd_picture_has_a_small_companion_of_its_shape() -> None:
    plan = full_plan(feed())
    assert list(plan) == [FULL, SMALL]
    assert (plan[SMALL].width, plan[SMALL].height, plan[SMALL].bitrate_bps) == (640, 360, 300_000)


@pytest.mark.parametrize(("profile", "fps"), [("ultrasound", 30), ("theatre", 30), ("endoscopy", 15)])
def test_the_small_picture_keeps_the_frame_rate_where_the_profile_prefers_that(
    profile: str, fps: int
) -> None:
    assert full_plan(feed(profile=profile))[SMALL].fps == fps


def test_a_picture_of_640_pixels_has_none() -> None:
    assert list(full_plan(feed(width=640, height=360))) == [FULL]
    assert list(full_plan(feed(width=720, height=576))) == [FULL, SMALL]


@pytest.mark.parametrize(
    ("source_fps", "fps", "wanted"), [(30, 20, 20), (30, 15, 15), (30, 30, 30), (25, 30, 25)]
)
def test_pictures_are_left_out_evenly(source_fps: int, fps: int, wanted: int) -> None:
    thinner = FrameThinner()
    times_ns = [n * NS_PER_S // source_fps for n in range(source_fps * 4)]
    admitted = [at_ns for at_ns in times_ns if thinner.admits(at_ns, fps)]
    assert len(admitted) == pytest.approx(wanted * 4, abs=1)
    gaps_ns = [b - a for a, b in pairwise(admitted)]
    assert max(gaps_ns) <= 2 * NS_PER_S // min(fps, source_fps) + 1


@given(st.lists(st.integers(0, 12_000_000), min_size=90, max_size=90))
def test_jitter_of_capture_times_costs_no_picture(jitter_ns: list[int]) -> None:
    thinner = FrameThinner()
    times_ns = sorted(n * NS_PER_S // 30 + wander for n, wander in enumerate(jitter_ns))
    assert sum(thinner.admits(at_ns, 30) for at_ns in times_ns) >= 80


def test_a_pause_is_not_made_up_for() -> None:
    thinner = FrameThinner()
    assert thinner.admits(0, 10)
    late_ns = [10 * NS_PER_S + n * NS_PER_S // 30 for n in range(30)]
    assert sum(thinner.admits(at_ns, 10) for at_ns in late_ns) <= 12


@pytest.mark.parametrize(("source_fps", "reckoned"), [(30, 30), (24, 24), (20, 20), (5, 15), (60, 30)])
def test_the_frame_rate_reckoned_with_is_the_real_one_within_bounds(source_fps: int, reckoned: int) -> None:
    rate = FrameRate()
    for number in range(source_fps * 3):
        known = rate.count(number * NS_PER_S // source_fps, 30)
    assert known == pytest.approx(reckoned, rel=0.1)
