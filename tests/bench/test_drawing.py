"""Five people drawing at once: the figures, what a blocked loop is, and a short run through a browser."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from bench.drawing import Report, cadence, run
from bench.loop_watch import LoopWatch, within_ms

BLOCK_S = 0.03


def test_frames_are_counted_by_the_time_they_took_and_those_left_out_by_the_gaps() -> None:
    steady = [number * 1000 / 60 for number in range(61)]
    rate, late = cadence(steady)
    assert (round(rate, 3), late) == (60.0, 0)
    rate, late = cadence([*steady[:20], *steady[23:]])
    assert (round(rate, 3), late) == (57.0, 1)
    assert cadence([1.0]) == (0.0, 0)


def test_a_run_fits_when_canvas_and_server_keep_up_and_nothing_was_refused() -> None:
    assert report().fits
    assert not report(frames=50.0).fits
    assert not report(steps=[5.1, 1.0]).fits
    assert not report(refused=1).fits


def test_only_what_kept_the_loop_while_it_was_measured_counts() -> None:
    assert within_ms([(10.0, 9.0), (20.0, 1.0), (25.0, 2.0), (40.0, 7.0)], 15.0, 30.0) == [2.0, 1.0]


async def test_work_that_keeps_the_loop_is_noticed_and_waiting_is_not() -> None:
    watch = LoopWatch()
    watching = asyncio.create_task(watch.run())
    await asyncio.sleep(0.01)
    watch.turns.clear()
    until = time.thread_time() + BLOCK_S
    while time.thread_time() < until:
        pass
    await asyncio.sleep(0.01)
    busy = max(length for _, length in watch.turns)
    watch.turns.clear()
    time.sleep(BLOCK_S)  # as a machine does that gives the CPU to somebody else
    await asyncio.sleep(0.01)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    assert busy >= 0.6 * BLOCK_S * 1e3
    assert max((length for _, length in watch.turns), default=0.0) < 0.5 * BLOCK_S * 1e3


def test_each_step_of_a_loop_is_timed_by_itself() -> None:
    def work() -> None:
        until = time.thread_time() + BLOCK_S
        while time.thread_time() < until:
            pass

    async def two_at_once() -> None:
        for _ in range(2):
            asyncio.get_running_loop().call_soon(work)
        await asyncio.sleep(0.01)

    watch = LoopWatch()
    with watch.timing_steps():
        asyncio.run(two_at_once())
    steps = [length for _, length in watch.steps if length > 10]
    assert len(steps) == 2
    assert all(1e3 * BLOCK_S <= length < 1.9e3 * BLOCK_S for length in steps)


@pytest.mark.browser
@pytest.mark.timeout(170)
def test_a_short_run_of_five_people_keeps_canvas_and_server_going() -> None:
    """Limits for a busy machine; `teleconsult bench drawing` has the real ones."""
    found = asyncio.run(run(4.0, 200))
    assert found.refused == 0
    assert found.frames >= 25
    assert found.drawn >= 50
    assert found.draw is not None
    assert found.draw.p50 <= 5.0
    assert max(found.steps, default=0.0) <= 25.0


def report(frames: float = 60.0, steps: list[float] | None = None, refused: int = 0) -> Report:
    return Report(
        marks=200, seconds=1, frames_before=60.0, frames=frames, late=0, drawn=50, draw=None,
        steps=steps or [1.0], turns=[9.0],
        refused=refused, idle_percent=20.0, load=1.0,
    )  # fmt: skip
