"""The box follows marks on its raw frames, and hands out exact stills."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from typing import Any

import av
import cv2
import numpy as np
import pytest

from annotation.tissue import TissueTracker, Transform
from bench import tissue
from bench.tissue_scenes import Scene, breathing, lymph_node
from core.annotations import Change, Mark
from core.clock import SystemClock
from core.errors import NotFound
from core.messages import AnnotationDocument, AnnotationsChanged, AnnotationsSynced
from edge_agents.drawings import Drawings
from edge_agents.sources.base import CapturedFrame, Instant
from edge_agents.sources.picture import new_picture, planes_of
from edge_agents.sources.testcard import TestcardSource
from edge_agents.still import StillRing, png, size_bytes
from edge_agents.tissue import TissueWatch

LINES = 540
WIDTH = LINES * 16 // 9
WITHIN_S = 20.0


def mark(points: np.ndarray, captured_us: int, mark_id: str = "m1", **more: object) -> Mark:
    fields = {
        "feed": "ultrasound", "author": "p", "author_name": "P", "role": "specialist", "tool": "pen",
        "colour": "#e5484d", "width": 0.004, "anchor": "tissue", "changed_us": captured_us,
    }  # fmt: skip
    return Mark.model_validate(
        {**fields, "mark_id": mark_id, "points": points.ravel().tolist(), "captured_us": captured_us, **more}
    )


def captured(grey: np.ndarray, at_us: int) -> CapturedFrame:
    picture = new_picture(grey.shape[1], grey.shape[0])
    planes = planes_of(picture)
    planes.y[:] = grey
    planes.u[:] = planes.v[:] = 128
    return CapturedFrame(picture, Instant(at_us, at_us * 1_000))


class Watched:
    """A watch whose frames are put one by one, each when the one before was worked on."""

    def __init__(self) -> None:
        self.ring = StillRing()
        self.told: queue.Queue[Sequence[Transform]] = queue.Queue()
        self.watch = TissueWatch("ultrasound", self.ring, self.told.put)

    def put(self, frame: CapturedFrame) -> None:
        done = self.watch.stats.frames
        self.ring.put(frame)
        self.watch.put(frame)
        deadline = time.monotonic() + WITHIN_S
        while self.watch.stats.frames == done and self.watch._wanted and time.monotonic() < deadline:
            time.sleep(0.001)
        assert time.monotonic() < deadline, "the frame was never worked on"


@pytest.fixture
def watched() -> object:
    made = Watched()
    made.watch.start()
    yield made
    made.watch.stop()


def test_a_mark_drawn_on_a_past_frame_is_followed_on_the_raw_ones(watched: Watched) -> None:
    image, ring = lymph_node(LINES), tissue.node_ring(tissue.NODE_MARKS["capsule"], LINES)
    scene = Scene("node", lambda number: image, breathing(LINES, WIDTH), 1.2)
    size = np.array([WIDTH, LINES])
    for number, picture in enumerate(scene.pictures()):
        if number == 12:
            watched.watch.set_marks([mark((ring + 0.5) / size, 1_004_000)])  # as the server's clock names it
        watched.put(captured(picture, 1_000_000 + number * tissue.US_PER_FRAME))
    told = list(watched.told.queue)
    assert [one[0].capture_time_us for one in told] == [
        1_000_000 + number * tissue.US_PER_FRAME for number in range(12, scene.frames)
    ]
    for number, (one,) in zip(range(12, scene.frames), told, strict=True):
        there = one.motion.apply((ring + 0.5) / size) * size - 0.5
        assert one.state == "held"
        assert tissue.distance_px(there, scene.truth(ring, number), LINES) <= 6.0


def test_a_stroke_is_followed_while_it_grows_anew_now_and_then_and_whole_in_the_end(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, ring = lymph_node(LINES), tissue.node_ring(tissue.NODE_MARKS["capsule"], LINES)
    points = (ring + 0.5) / np.array([WIDTH, LINES])
    begun: list[int] = []
    add = TissueTracker.add

    def counted(self: TissueTracker, mark_id: str, drawn: np.ndarray, *frames: Any) -> bool:
        begun.append(len(drawn))
        return add(self, mark_id, drawn, *frames)

    monkeypatch.setattr(TissueTracker, "add", counted)
    for number in range(30):
        if number < len(points):
            watched.watch.set_marks([mark(points[: number + 1], 1_000_000)])
        watched.put(captured(image, 1_000_000 + number * tissue.US_PER_FRAME))
    assert len(watched.told.queue) == 30
    assert len(begun) <= 4
    assert begun[-1] == len(points)


def test_a_mark_whose_frame_is_gone_is_said_to_be_lost_twice_a_second(watched: Watched) -> None:
    image = lymph_node(LINES)
    watched.watch.set_marks([mark(np.array([[0.4, 0.4], [0.6, 0.6]]), 5)])
    for number in range(20):
        watched.put(captured(image, 10_000_000 + number * 100_000))
    told = [one for (one,) in watched.told.queue]
    assert {one.state for one in told} == {"lost"}
    assert 3 <= len(told) <= 5


def test_without_marks_frames_are_not_looked_at(watched: Watched) -> None:
    for number in range(5):
        watched.put(captured(np.zeros((LINES, WIDTH), np.uint8), number))
    assert watched.watch.stats.frames == 0


def test_a_mark_that_faded_or_was_removed_is_not_followed_any_more(watched: Watched) -> None:
    image = lymph_node(LINES)
    points = np.array([[0.4, 0.4], [0.6, 0.6]])
    watched.put(captured(image, 1_000_000))
    watched.watch.set_marks([mark(points, 1_000_000, fade_after_ms=500), mark(points, 1_000_000, "m2")])
    watched.put(captured(image, 1_033_000))
    watched.put(captured(image, 9_000_000))
    first, last = list(watched.told.queue)
    assert [one.mark_id for one in first] == ["m1", "m2"]
    assert [one.mark_id for one in last] == ["m2"]


def test_a_still_is_the_captured_frame_to_the_last_bit() -> None:
    ring = StillRing()
    source = TestcardSource(640, 360, 30, SystemClock())
    frames = [source.draw(Instant(1_000_000 + 33_333 * number, 0)) for number in range(5)]
    for frame in frames:
        ring.put(frame)
    wanted = frames[2]
    image = cv2.imdecode(np.frombuffer(ring.still(wanted.captured.unix_us + 3), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert ring.still(wanted.captured.unix_us) == png(wanted.picture)
    grey = av.VideoFrame.from_ndarray(np.asarray(image, np.uint8), format="bgr24").reformat(
        format="yuv420p", dst_colorspace="itu709"
    )
    difference = np.abs(planes_of(grey).y.astype(int) - planes_of(wanted.picture).y.astype(int))
    assert np.percentile(difference, 99) <= 2  # what remains is rounding, to RGB and back


def test_the_ring_holds_no_more_than_it_may_and_says_so_of_what_is_gone() -> None:
    frames = [captured(np.full((360, 640), number, np.uint8), number * 33_333) for number in range(10)]
    ring = StillRing(max_bytes=size_bytes(frames[0].picture) * 4)
    for frame in frames:
        ring.put(frame)
    assert ring.held_bytes <= size_bytes(frames[0].picture) * 4
    assert [frame.captured.unix_us for frame in ring.since(-1)] == [
        33_333 * number for number in range(6, 10)
    ]
    for gone in (0, 33_333 * 5, 33_333 * 8 + 15_000):
        with pytest.raises(NotFound):
            ring.still(gone)


def test_what_the_room_says_of_drawings_is_the_box_s_drawing() -> None:
    told: dict[str, list[str]] = {}
    drawings = Drawings(lambda feed, marks: told.update({feed: [one.mark_id for one in marks]}))
    first, second = (mark(np.array([[0.5, 0.5]]), 1, name) for name in ("m1", "m2"))
    whole = AnnotationDocument(feed="ultrasound", document_id="d", seq=3, marks=[first], last=False)
    assert drawings.told(whole) is None
    assert told == {}
    drawings.told(whole.model_copy(update={"marks": [second], "first": False, "last": True}))
    assert told == {"ultrasound": ["m1", "m2"]}

    def change(seq: int) -> AnnotationsChanged:
        done = Change(seq=seq, op="remove", op_id="o", author="p", at_us=5, removed=["m1"])
        return AnnotationsChanged(feed="ultrasound", document_id="d", changes=[done])

    assert drawings.told(change(4)) is None
    assert told == {"ultrasound": ["m2"]}
    missed = drawings.told(change(9))
    assert missed is not None
    assert [(seen.feed, seen.seq) for seen in missed.seen] == [("ultrasound", 4)]
    drawings.told(AnnotationsSynced(feeds=[]))
    assert told == {"ultrasound": []}
