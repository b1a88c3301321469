"""Glass to glass: the figures, what is missing, and a short run through a real browser."""

from __future__ import annotations

import asyncio
import sys

import pytest

from bench.latency import Wanted, browser_path, playwright_api, run
from bench.latency_figures import Inside, Report, Sample, Spread, matching, notes, spreads
from core.errors import ConfigError
from teleconsult import cli


def frame(number: int, *, late_us: int = 0, feed: str = "a", shown_after_us: int = 50_000) -> Sample:
    """Frame `number` of 30 a second; `late_us`: by how much the picture on the canvas is a later one."""
    taken_us = 1_000_000 + number * 1_000_000 // 30
    return Sample(
        feed,
        capture_us=taken_us + late_us,
        shown_us=taken_us + shown_after_us,
        received_us=taken_us + 20_000,
        decoding_us=5_000,
        rtp_timestamp=(2**32 - 9_000 + number * 3_000) % 2**32,
    )


def test_a_percentile_is_the_smallest_value_that_so_many_are_not_above() -> None:
    spread = Spread.of([float(value) for value in range(100, 0, -1)])
    assert spread == Spread(100, 50.0, 95.0, 99.0, 100.0)
    assert Spread.of([7.0]) == Spread(1, 7.0, 7.0, 7.0, 7.0)
    assert Spread.of([]) is None


def test_a_reading_of_the_next_picture_is_left_out_also_when_the_media_time_wraps() -> None:
    samples = [frame(number, late_us=33_333 if number == 7 else 0) for number in range(20)]
    assert [sample.capture_us for sample in samples if sample not in matching(samples)] == [
        samples[7].capture_us
    ]


def test_each_feed_has_its_own_clock() -> None:
    clocks = (("a", 0), ("b", 77_000))
    samples = [frame(number, feed=feed, late_us=late) for feed, late in clocks for number in (1, 2)]
    assert matching(samples) == samples


def test_the_way_from_capture_to_screen_is_told_in_its_parts() -> None:
    found = spreads([frame(number) for number in range(10)])
    medians = {name: None if spread is None else round(spread.p50, 1) for name, spread in found.items()}
    assert medians == {"glass": 50.0, "received": 20.0, "after_receiving": 30.0, "decoding": 5.0}
    made = report(idle_percent=50.0, received=found["received"])
    assert made.before_sfu_p50_ms == pytest.approx(19.0)


def test_figures_of_a_busy_machine_say_so() -> None:
    assert "busy" not in " ".join(notes(report(idle_percent=50.0)))
    assert "busy" in " ".join(notes(report(idle_percent=2.0)))


def report(*, idle_percent: float, received: Spread | None = None) -> Report:
    return Report(
        feeds=1, seconds=1, frames=30, unreadable=0, moved_on=0, glass=None, received=received, decoding=None,
        after_receiving=None, inside=Inside(1.0, 2.0), joins=None, idle_percent=idle_percent, load=1.0,
    )  # fmt: skip


def test_without_a_browser_the_command_says_what_to_install_and_ends_with_two(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run(["bench", "latency", "--browser", "/nowhere/chromium"])
    assert ended.value.code == 2
    assert "/nowhere/chromium" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="--browser"):
        browser_path("/nowhere/chromium")


def test_without_playwright_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.async_api", None)
    with pytest.raises(ConfigError, match="playwright is not installed"):
        playwright_api()


@pytest.mark.browser
@pytest.mark.timeout(170)
def test_a_short_run_reads_the_time_off_the_pictures_of_a_real_browser() -> None:
    found = asyncio.run(run(Wanted(seconds=4, joins=2, small=True)))
    assert found.glass is not None
    assert found.received is not None
    assert found.after_receiving is not None
    assert found.glass.count >= 10
    assert found.unreadable <= found.glass.count / 10
    assert 0 < found.received.p50 < found.glass.p50 < 2_000
    assert found.inside.p50 is not None
    assert found.inside.p50 < found.received.p50
    assert found.joins is not None
    assert found.joins.count == 2
