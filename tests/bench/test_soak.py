"""A soak tells growth from noise, and its room really lives."""

from __future__ import annotations

import random

import pytest

from bench.soak import run, show
from bench.soak_probe import Sample
from bench.soak_trend import Tolerance, trend

HOUR_S = 3_600.0
TIMES_S = [60.0 * minute for minute in range(1, 121)]
MEMORY = Tolerance(0.04, 3.0)


def noisy(values: list[float], seed: int = 1) -> list[float | None]:
    chance = random.Random(seed)
    return [value + chance.gauss(0, 1.0) for value in values]


def test_a_leak_of_ten_megabytes_an_hour_is_found_under_noise() -> None:
    found = trend(TIMES_S, noisy([100 + 10 * at_s / HOUR_S for at_s in TIMES_S]), MEMORY)
    assert found.verdict == "growing"
    assert found.slope_per_hour == pytest.approx(10, abs=1)
    assert found.growth == pytest.approx(15, abs=1.5)


def test_what_fills_at_the_beginning_and_stays_is_flat() -> None:
    assert trend(TIMES_S, noisy([min(130.0, 80 + at_s / 20) for at_s in TIMES_S]), MEMORY).verdict == "flat"


def test_single_outliers_at_the_end_are_no_growth() -> None:
    values = noisy([100.0] * len(TIMES_S))
    values[-8:] = [180.0] * 8
    assert trend(TIMES_S, values, MEMORY).verdict == "flat"


def test_what_falls_is_flat_and_what_is_hardly_known_is_unknown() -> None:
    falling = [150.0 - minute / 4 for minute in range(len(TIMES_S))]
    assert trend(TIMES_S, falling, MEMORY).verdict == "flat"
    assert trend(TIMES_S, [None] * len(TIMES_S), MEMORY).verdict == "unknown"
    assert trend([], [], MEMORY).verdict == "unknown"


@pytest.mark.timeout(400)
async def test_a_compressed_soak_is_flat_and_every_viewer_sees(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Sample] = []
    report = await run(30 / HOUR_S, sample_s=2.5, act_every_s=1.0, on_sample=seen.append)
    assert report.problems == []
    assert report.verdict == "flat"
    assert seen == report.samples
    assert len(report.samples) == 12
    assert report.frames > 30 * 25  # of two viewers
    assert sum(report.acts.values()) >= 8
    show(report, as_json=False)
    assert "verdict: flat" in capsys.readouterr().out
