"""A device's picture comes, changes and goes: the room follows, and never looks at an old picture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from core.clock import SystemClock
from core.messages import FeedSignal
from edge_agents.layers import FULL, Encoding
from edge_agents.pipeline import VideoPipeline
from edge_agents.signal_watch import FIRST_PICTURE_S, SignalWatch
from edge_agents.sources import CapturedFrame, Instant, SourceError
from edge_agents.sources.base import RawFrame
from edge_agents.sources.picture import new_picture, planes_of
from edge_agents.sources.prepared import PreparedSource
from edge_agents.sources.slate import TROUBLES, Slate
from tests.edge.support import decode_units
from tests.edge.test_pipeline import Collected, open_x264

SIZE = (320, 180)
PLAN = {FULL: Encoding(*SIZE, 30, 500_000, 500_000)}
FOLLOWED_S = 2.0
DEADLINE_S = 20.0


@dataclass
class Switched:
    """A device that shows a grey level in some mode, nothing at all, or fails; set by the test."""

    mode: tuple[int, int, int] | None = (1920, 1080, 60)
    level: int = 120
    failure: SourceError | None = None
    opened: int = 0

    def frames(self, stop: threading.Event) -> Iterator[RawFrame]:
        self.opened += 1
        while not stop.wait(1 / (self.mode or (0, 0, 60))[2]):
            if self.failure is not None:
                raise self.failure
            if self.mode is not None:
                picture = new_picture(*self.mode[:2])
                planes = planes_of(picture)
                planes.y[:], planes.u[:], planes.v[:] = self.level, 128, 128
                yield RawFrame(picture, Instant.now(SystemClock()))


class Feed:
    """The pipeline of a feed as `edge_agents.feed` makes it, and what the room is told."""

    def __init__(self, device: Switched) -> None:
        self.told: list[FeedSignal] = []
        self.collected = Collected()
        self.held: list[CapturedFrame] = []
        self.pipeline = VideoPipeline(
            "test",
            lambda: PreparedSource(device, None, *SIZE),
            open_x264,
            PLAN,
            self.collected.add,
            self.held.append,
            SignalWatch(Slate(*SIZE, SystemClock()), self.told.append),
        )
        self.pipeline.start()

    def until(self, done: Callable[[], bool]) -> float:
        """How long it took."""
        began = time.monotonic()
        while not done():
            assert time.monotonic() - began < DEADLINE_S
            self.collected.poll(done)
        return time.monotonic() - began

    def shown(self) -> np.ndarray:
        """The newest picture, as a viewer decodes it."""
        return planes_of(decode_units(list(self.collected.units))[-1]).y


def looks_like(level: int) -> Callable[[np.ndarray], bool]:
    return lambda luma: bool(abs(int(np.median(luma)) - level) < 4 and luma.std() < 4)


def is_slate(luma: np.ndarray) -> bool:
    slate = planes_of(Slate(*SIZE, SystemClock()).draw("no_signal").picture).y
    body = slice(0, 150)  # its clock runs below
    return bool(np.abs(luma[body].astype(int) - slate[body]).mean() < 6)


def test_a_device_that_changes_mode_and_is_switched_off_and_on_is_followed_within_two_seconds() -> None:
    device = Switched()
    feed = Feed(device)
    try:
        feed.until(lambda: feed.told == [FeedSignal(width=1920, height=1080)])
        feed.until(lambda: len(feed.collected.units) > 3)
        assert looks_like(120)(feed.shown())

        device.level, device.mode = 60, (1280, 720, 50)
        assert feed.until(lambda: feed.told[-1] == FeedSignal(width=1280, height=720)) < FOLLOWED_S
        count = len(feed.collected.units)
        feed.until(lambda: len(feed.collected.units) > count + 3)
        assert looks_like(60)(feed.shown())

        device.mode = None
        lost = FeedSignal(state="none", trouble="no_signal")
        assert feed.until(lambda: feed.told[-1] == lost) < FOLLOWED_S
        count = len(feed.collected.units)
        feed.until(lambda: len(feed.collected.units) > count)
        assert is_slate(feed.shown())
        assert (planes_of(feed.held[-1].picture).y != 60).any(), "stills are of the slate, too"

        device.level, device.mode = 200, (1920, 1080, 60)
        assert feed.until(lambda: feed.told[-1] == FeedSignal(width=1920, height=1080)) < FOLLOWED_S
        count = len(feed.collected.units)
        feed.until(lambda: len(feed.collected.units) > count + 3)
        assert looks_like(200)(feed.shown())
    finally:
        feed.pipeline.stop()
    assert device.opened == 1
    assert [signal.state for signal in feed.told] == ["ok", "ok", "none", "ok"]


def test_a_source_that_fails_shows_why_at_once_and_comes_back_by_itself_within_two_seconds() -> None:
    device = Switched()
    feed = Feed(device)
    try:
        feed.until(lambda: len(feed.collected.units) > 3)
        device.failure = SourceError("unplugged", trouble="unplugged")
        gone = FeedSignal(state="failing", trouble="unplugged")
        assert feed.until(lambda: feed.told[-1] == gone) < 1.0
        feed.until(lambda: device.opened > 4)
        assert not looks_like(120)(feed.shown())
        device.failure = None
        assert feed.until(lambda: feed.told[-1].state == "ok") < FOLLOWED_S
    finally:
        feed.pipeline.stop()
    assert len(feed.told) == 3, "said when it changes, not at every try"


def test_a_picture_the_masks_do_not_fit_shows_the_slate_that_says_so() -> None:
    from edge_agents.sources.mask_painting import MaskMismatch

    device = Switched(failure=MaskMismatch("drawn on another"))
    feed = Feed(device)
    try:
        feed.until(lambda: feed.told[-1:] == [FeedSignal(state="failing", trouble="masks")])
        feed.until(lambda: bool(feed.collected.units))
        assert all(frame.source_size is None for frame in feed.held)
    finally:
        feed.pipeline.stop()


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("size", [(1920, 1080), (640, 480), (176, 144), (64, 64)])
def test_every_trouble_has_a_slate_of_every_size_that_is_no_empty_picture(
    trouble: str, size: tuple[int, int]
) -> None:
    slate = Slate(*size, SystemClock())
    luma = planes_of(slate.draw(trouble).picture).y  # type: ignore[arg-type]  # one of TROUBLES
    assert luma.shape == (size[1], size[0])
    assert int(luma.max()) - int(np.median(luma)) > 60
    others = [planes_of(slate.draw(other).picture).y for other in TROUBLES if other != trouble]
    assert size[0] < 640 or all((luma != other).any() for other in others)


def test_a_slates_clock_runs() -> None:
    class Ticking(SystemClock):
        now_ns = 0

        def unix_ns(self) -> int:
            self.now_ns += 1_000_000_000
            return self.now_ns

    slate = Slate(1920, 1080, Ticking())
    one, two = (planes_of(slate.draw("no_signal").picture).y for _ in range(2))
    changed = np.argwhere(one != two)
    assert len(changed)
    assert changed[:, 0].min() > 950


def test_slates_come_often_enough_for_who_joins_and_a_slow_source_is_not_called_silent() -> None:
    watch = SignalWatch(Slate(*SIZE, SystemClock()), fps=1)
    assert watch.patience_s == FIRST_PICTURE_S
    frame = CapturedFrame(new_picture(*SIZE), Instant(0, 0), SIZE)
    watch.arrived(frame)
    assert watch.patience_s is not None
    assert watch.patience_s > 2
    watch.failed("no_signal")
    assert watch.patience_s <= 0.25
    watch.arrived(frame)
    assert watch.patience_s > 2
    assert SignalWatch().patience_s is None, "without slates the encoder waits"
