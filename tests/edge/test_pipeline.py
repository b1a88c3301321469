"""Threads of one feed: newest frame wins, failures are survived, keyframe requests coalesce."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from edge_agents.encoder import EncodedFrame, EncoderError, EncoderSettings, VideoEncoder
from edge_agents.pipeline import VideoPipeline
from edge_agents.sources.base import CapturedFrame, Instant, SourceError
from edge_agents.sources.testcard import TestcardSource
from tests.edge.support import StepClock

SMALL = EncoderSettings(192, 108, 30, 300_000, 300_000)
DEADLINE_S = 20


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

    pipeline = VideoPipeline(
        "test", lambda: Source(10, before), lambda: VideoEncoder("libx264", SMALL), deliver
    )
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

    pipeline = VideoPipeline(
        "test", lambda: ScriptedSource(12, before), lambda: VideoEncoder("libx264", SMALL), collected.add
    )
    pipeline.start()
    for number, gate in enumerate(gates):
        if number == 2:
            for _ in range(5):
                pipeline.request_keyframe(at_once)
        gate.set()
        collected.wait_for(lambda units, count=number + 1: len(units) == count)
    pipeline.stop()
    assert [number for number, unit in enumerate(collected.units) if unit.keyframe] == keyframes


def test_a_bitrate_set_while_running_reaches_the_encoder() -> None:
    collected, wanted = Collected(), []

    class Noting(VideoEncoder):
        def set_bitrate(self, bitrate_bps: int) -> None:
            wanted.append(bitrate_bps)
            super().set_bitrate(bitrate_bps)

    pipeline = VideoPipeline(
        "test", lambda: ScriptedSource(3), lambda: Noting("libx264", SMALL), collected.add
    )
    pipeline.set_bitrate(200_000)
    pipeline.start()
    collected.wait_for(lambda units: bool(units) and units[-1].captured.unix_us == 2)
    pipeline.stop()
    assert wanted == [200_000]


def test_a_source_that_fails_is_opened_again() -> None:
    collected, opened = Collected(), []

    def open_source() -> ScriptedSource:
        opened.append(True)
        if len(opened) == 1:
            raise SourceError("unplugged")
        return ScriptedSource(3)

    pipeline = VideoPipeline("test", open_source, lambda: VideoEncoder("libx264", SMALL), collected.add)
    pipeline.start()
    collected.wait_for(lambda units: bool(units) and units[-1].captured.unix_us == 2)
    pipeline.stop()
    assert pipeline.stats.failures == 1


def test_an_encoder_that_fails_is_replaced_and_begins_with_a_keyframe() -> None:
    collected, opened = Collected(), []
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

    def open_encoder() -> VideoEncoder:
        opened.append(True)
        return Breaking("libx264", SMALL)

    pipeline = VideoPipeline("test", lambda: ScriptedSource(3, before), open_encoder, collected.add)
    pipeline.start()
    collected.wait_for(lambda units: len(units) == 2)
    pipeline.stop()
    assert collected.units[1].keyframe
    assert collected.units[1].captured.unix_us == 2


def test_stopping_ends_both_threads() -> None:
    before = threading.active_count()
    pipeline = VideoPipeline(
        "test", lambda: ScriptedSource(2), lambda: VideoEncoder("libx264", SMALL), lambda unit: None
    )
    pipeline.start()
    pipeline.stop()
    assert threading.active_count() == before
