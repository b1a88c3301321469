"""Lines of the events track."""

from __future__ import annotations

import json

from core.annotations import MarkMotion
from core.control import Pressed
from core.messages import (
    AnnotationsSynced,
    CheckCode,
    ControlChanged,
    ControlPressed,
    MarksMoved,
    PausedChanged,
)
from recorder.events import EventLog

EPOCH_US = 1_700_000_000_000_000


def test_every_line_is_dated_on_the_timeline_whatever_the_server_says_about_the_time() -> None:
    log = EventLog(EPOCH_US)
    said = PausedChanged(paused=True, by="dr-li", at_us=EPOCH_US + 4_900_000)
    log.add_message(said, EPOCH_US + 5_000_000, 0)
    job = log.take()
    assert job is not None
    line = json.loads(job.lines[0])
    assert (line["at_us"], line["said_at_us"]) == (5_000_000, EPOCH_US + 4_900_000)
    assert line["type"] == "paused_changed"


def moved(captured_us: int, feed: str = "ultrasound") -> MarksMoved:
    motion = MarkMotion(mark_id="m", motion=[1, 0, 0, 1, 0.5, 0], confidence=1, state="held")
    return MarksMoved(feed=feed, captured_us=captured_us, marks=[motion])


def test_where_marks_have_moved_is_kept_once_for_each_frame_of_a_feed() -> None:
    log = EventLog(EPOCH_US)
    frame, next_frame = EPOCH_US + 1_000_000, EPOCH_US + 1_016_667
    for message in (moved(frame), moved(frame + 900), moved(frame, "theatre"), moved(next_frame)):
        log.add_message(message, EPOCH_US + 1_100_000, 0)
    log.add_message(moved(frame - 5_000_000), EPOCH_US + 1_200_000, 0)  # the box's clock was set back
    job = log.take()
    assert job is not None
    kept = [(line["feed"], line["captured_us"]) for line in map(json.loads, job.lines)]
    assert kept == [
        ("ultrasound", frame), ("theatre", frame), ("ultrasound", next_frame),
        ("ultrasound", frame - 5_000_000),
    ]  # fmt: skip


def test_which_feeds_have_drawings_when_the_recorder_comes_in_is_kept() -> None:
    """A replay knows then that what was drawn on the others before is gone."""
    log = EventLog(EPOCH_US)
    log.add_message(AnnotationsSynced(feeds=["ultrasound"]), EPOCH_US, 0)
    job = log.take()
    assert job is not None
    assert json.loads(job.lines[0])["feeds"] == ["ultrasound"]


def test_every_input_to_a_controlled_device_is_kept_and_no_code_is() -> None:
    log = EventLog(EPOCH_US)
    for message in (
        CheckCode(control_id="c_1", code="482913"),
        ControlPressed(
            control_id="c_1",
            feed="ultrasound",
            participant_id="p_1",
            pressed=Pressed(keys=("KeyA",)),
            at_us=EPOCH_US,
        ),
        ControlChanged(feed="ultrasound", control_id="c_1", reason="stopped", by="dr-li", at_us=EPOCH_US),
    ):
        log.add_message(message, EPOCH_US, 0)
    job = log.take()
    assert job is not None
    assert b"482913" not in b"".join(job.lines)
    pressed, over = map(json.loads, job.lines)
    assert (pressed["type"], pressed["pressed"]["keys"]) == ("control_pressed", ["KeyA"])
    assert (over["type"], over["control"], over["reason"]) == ("control_changed", None, "stopped")
