"""Threads of one feed: newest frame wins, failures are survived, keyframe requests coalesce."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from edge_agents.encoder import EncodedFrame, EncoderError, VideoEncoder
from edge_agents.layers import FULL, Encoding
from edge_agents.pipeline import VideoPipeline
from edge_agents.sources.base import CapturedFrame, Instant, SourceError
from edge_agents.sources.testcard import TestcardSource
from tests.edge.support import StepClock

SMALL = Encoding(192, 108, 30, 300_000, 300_000)
PLAN = {FULL: SMALL}
DEADLINE_S = 20


def open_x264(settings: Encoding) -> VideoEncoder:
    return VideoEncoder("libx264", settings)


class ScriptedSource:
    """Delivers what the test lets through, then waits for the end."""

    def __init__(self, count: int, before: Callable[[int], None] = lambda number: None) -> None:
        self._card = TestcardSource(192, 108, 30, StepClock())
        self._count, self._before = count, before

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        for number in range(self._count):
            self._before(number)
            yield self._card.draw(Instant(number, number * 33_333_333))
        stop.wait()


class Collected:
    """Thread-safe list one can wait on."""

    def __init__(self) -> None:
        self.units: list[EncodedFrame] = []
        self._changed = threading.Condition()

    def add(self, unit: EncodedFrame) -> None:
        with self._changed:
            self.units.append(unit)
            self._changed.notify_all()

    def poll(self, done: Callable[[], bool]) -> None:
        """Wait for something nobody notifies of."""
        with self._changed:
            for _ in range(DEADLINE_S * 200):
                if done():
                    return
                self._changed.wait(0.005)
        raise TimeoutError

    def wait_for(self, enough: Callable[[list[EncodedFrame]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: enough(self.units), DEADLINE_S)


def test_the_encoder_gets_the_newest_picture_and_the_rest_are_counted() -> None:
    all_captured, encoder_at_work, collected = threading.Event(), threading.Event(), Collected()

    def deliver(unit: EncodedFrame) -> None:
        collected.add(unit)
        encoder_at_work.set()
        assert all_captured.wait(DEADLINE_S)

    def before(number: int) -> None:
        if number == 1:
            assert encoder_at_work.wait(DEADLINE_S)

    class Source(ScriptedSource):
        def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
            yield from (frame for frame in super().frames(_Set(all_captured)))
            stop.wait()

    pipeline = VideoPipeline("test", lambda: Source(10, before), open_x264, PLAN, deliver)
    pipeline.start()
    collected.wait_for(lambda units: len(units) == 2)
    pipeline.stop()
    assert [unit.captured.unix_us for unit in collected.units] == [0, 9]
    assert pipeline.stats.dropped == 8
    assert pipeline.stats.captured == 10


class _Set(threading.Event):
    """An event whose `wait` sets another one: 'the source has delivered all it has'."""

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self._other = other

    def wait(self, timeout: float | None = None) -> bool:
        self._other.set()
        return True


@pytest.mark.parametrize(("at_once", "keyframes"), [(False, [0, 8]), (True, [0, 2])])
def test_many_keyframe_requests_cost_one_keyframe_a_quarter_second_after_the_last_unless_at_once(
    at_once: bool, keyframes: list[int]
) -> None:
    collected = Collected()
    gates = [threading.Event() for _ in range(12)]

    def before(number: int) -> None:
        assert gates[number].wait(DEADLINE_S)

    pipeline = VideoPipeline("test", lambda: ScriptedSource(12, before), open_x264, PLAN, collected.add)
    pipeline.start()
    for number, gate in enumerate(gates):
        if number == 2:
            for _ in range(5):
                pipeline.request_keyframe(at_once=at_once)
        gate.set()
        collected.wait_for(lambda units, count=number + 1: len(units) == count)
    pipeline.stop()
    assert [number for number, unit in enumerate(collected.units) if unit.keyframe] == keyframes


def test_keyframes_of_all_encodings_are_of_one_picture_the_full_one_first() -> None:
    """A connection that begins between a picture's two encodings must not begin with the small one."""
    collected = Collected()
    plan = {FULL: SMALL, "q": Encoding(96, 54, 30, 100_000, 100_000)}

    def deliver(unit: EncodedFrame) -> None:
        collected.add(unit)
        if (unit.captured.unix_us, unit.rid) == (1, FULL):
            pipeline.request_keyframe(at_once=True)
        taken.release()

    taken = threading.Semaphore(2)

    def before(number: int) -> None:
        for _ in plan:
            assert taken.acquire(timeout=DEADLINE_S)

    pipeline = VideoPipeline("test", lambda: ScriptedSource(4, before), open_x264, plan, deliver)
    pipeline.start()
    collected.wait_for(lambda units: len(units) == 8)
    pipeline.stop()
    made = [(unit.captured.unix_us, unit.rid) for unit in collected.units if unit.keyframe]
    assert made == [(0, FULL), (0, "q"), (2, FULL), (2, "q")]


def test_a_plan_set_while_running_reaches_the_encoder() -> None:
    collected = Collected()
    wanted: list[tuple[int, int]] = []
    gates = [threading.Event() for _ in range(3)]

    def before(number: int) -> None:
        assert gates[number].wait(DEADLINE_S)

    class Noting(VideoEncoder):
        def set_rate(self, bitrate_bps: int, fps: int) -> None:
            wanted.append((bitrate_bps, fps))
            super().set_rate(bitrate_bps, fps)

    pipeline = VideoPipeline(
        "test",
        lambda: ScriptedSource(3, before),
        lambda settings: Noting("libx264", settings),
        PLAN,
        collected.add,
    )
    pipeline.start()
    for number, gate in enumerate(gates):
        if number == 1:
            pipeline.set_plan({FULL: replace(SMALL, bitrate_bps=200_000)})
        gate.set()
        collected.wait_for(lambda units, count=number + 1: len(units) == count)
    pipeline.stop()
    assert wanted == [(200_000, 30)]
    assert not any(unit.keyframe for unit in collected.units[1:]), "only another size needs a new encoder"


def test_a_source_that_fails_is_opened_again() -> None:
    collected = Collected()
    opened: list[bool] = []

    def open_source() -> ScriptedSource:
        opened.append(True)
        if len(opened) == 1:
            raise SourceError("unplugged")
        return ScriptedSource(3)

    pipeline = VideoPipeline("test", open_source, open_x264, PLAN, collected.add)
    pipeline.start()
    collected.wait_for(lambda units: bool(units) and units[-1].captured.unix_us == 2)
    pipeline.stop()
    assert pipeline.stats.failures == 1


def test_an_encoder_that_fails_is_replaced_and_begins_with_a_keyframe() -> None:
    collected = Collected()
    opened: list[bool] = []
    broken = threading.Event()

    class Breaking(VideoEncoder):
        def encode(self, frame: CapturedFrame, *, keyframe: bool) -> list[EncodedFrame]:
            if len(opened) == 1 and frame.captured.unix_us == 1:
                broken.set()
                raise EncoderError("lost the device")
            return super().encode(frame, keyframe=keyframe)

    def before(number: int) -> None:
        if number == 1:
            collected.wait_for(lambda units: len(units) == 1)
        if number == 2:
            assert broken.wait(DEADLINE_S)

    def open_encoder(settings: Encoding) -> VideoEncoder:
        opened.append(True)
        return Breaking("libx264", settings)

    pipeline = VideoPipeline("test", lambda: ScriptedSource(3, before), open_encoder, PLAN, collected.add)
    pipeline.start()
    collected.wait_for(lambda units: len(units) == 2)
    pipeline.stop()
    assert collected.units[1].keyframe
    assert collected.units[1].captured.unix_us == 2


class Stepped:
    """A pipeline with two encodings whose pictures the test lets through one by one."""

    def __init__(self, count: int) -> None:
        self.collected = Collected()
        self._gates = [threading.Event() for _ in range(count)]
        self._next = 0
        self.pipeline = VideoPipeline(
            "test",
            lambda: ScriptedSource(count, self._before),
            open_x264,
            {"f": SMALL, "q": replace(SMALL, width=96, height=54)},
            self.collected.add,
        )
        self.pipeline.start()

    def _before(self, number: int) -> None:
        assert self._gates[number].wait(DEADLINE_S)

    def step(self) -> list[EncodedFrame]:
        """One picture → what became of it; there must be something."""
        seen = len(self.collected.units)
        self._gates[self._next].set()
        number, self._next = self._next, self._next + 1
        expected = len(self.pipeline.plan)
        self.collected.wait_for(lambda units: sum(u.captured.unix_us == number for u in units) == expected)
        return self.collected.units[seen:]

    def skip(self, skipped: Callable[[], bool]) -> None:
        """One picture that is not encoded."""
        self._gates[self._next].set()
        self._next += 1
        self.collected.poll(skipped)


def rids(units: list[EncodedFrame]) -> list[tuple[str, bool]]:
    return [(unit.rid, unit.keyframe) for unit in units]


def test_one_capture_becomes_two_encodings_of_the_same_moment() -> None:
    stepped = Stepped(2)
    assert rids(stepped.step()) == [("f", True), ("q", True)]
    units = stepped.step()
    assert rids(units) == [("f", False), ("q", False)]
    assert len({unit.captured for unit in units}) == 1
    stepped.pipeline.stop()


def test_a_keyframe_is_made_of_the_encoding_that_was_asked_for() -> None:
    stepped = Stepped(3)
    stepped.step()
    stepped.pipeline.request_keyframe("q", at_once=True)
    assert rids(stepped.step()) == [("f", False), ("q", True)]
    stepped.pipeline.request_keyframe(at_once=True)
    assert rids(stepped.step()) == [("f", True), ("q", True)]
    stepped.pipeline.stop()


def test_what_is_not_in_the_plan_rests_and_comes_back_with_a_keyframe() -> None:
    stepped = Stepped(4)
    stepped.step()
    both = stepped.pipeline.plan
    stepped.pipeline.set_plan({"q": both["q"]})
    assert rids(stepped.step()) == [("q", False)]
    stepped.pipeline.set_plan(both)
    assert rids(stepped.step()) == [("f", True), ("q", False)]
    stepped.pipeline.stop()


def test_while_too_much_waits_to_be_sent_pictures_are_dropped_before_they_are_encoded() -> None:
    stepped = Stepped(5)
    stepped.step()
    stepped.pipeline.set_congested(True)
    for held in (1, 2, 3):
        stepped.skip(lambda: stepped.pipeline.stats.held_back == held)  # noqa: B023  # called at once
    stepped.pipeline.set_congested(False)
    units = stepped.step()
    assert rids(units) == [("f", False), ("q", False)], "the stream goes on where it was"
    assert {unit.captured.unix_us for unit in units} == {4}
    stepped.pipeline.stop()


def test_stopping_ends_both_threads() -> None:
    before = threading.active_count()
    pipeline = VideoPipeline("test", lambda: ScriptedSource(2), open_x264, PLAN, lambda unit: None)
    pipeline.start()
    pipeline.stop()
    assert threading.active_count() == before
