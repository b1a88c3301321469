"""Marks stay on what they were drawn on; where they cannot, that is said."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from annotation.tissue import BUDGET_NS, LATE_FRAMES, Frame, TissueTracker, reduce
from annotation.tissue_geometry import IDENTITY, Affine, apply, normalised
from annotation.tissue_template import Box, check, cut
from bench import tissue
from bench.tissue_scenes import FPS, Scene, breathing, lymph_node

LINES = 540
NODE = {name: tissue.node_ring(ring, LINES) for name, ring in tissue.NODE_MARKS.items()}
SIZE = np.array([LINES * 16 // 9, LINES], np.float64)


@pytest.fixture(scope="module")
def breathing_node() -> Scene:
    image = lymph_node(LINES)
    return Scene("node", lambda number: image, breathing(LINES, LINES * 16 // 9), 3.0)


@pytest.fixture(scope="module")
def pictures(breathing_node: Scene) -> list[Frame]:
    frames = enumerate(breathing_node.pictures())
    return [reduce(picture, number * tissue.US_PER_FRAME) for number, picture in frames]


def test_marks_follow_a_known_movement_within_four_pixels(breathing_node: Scene) -> None:
    result = tissue.warped(breathing_node, NODE)
    assert result.median_px <= 3.0
    assert result.p95_px <= 6.0
    assert result.held == 1.0


def test_on_a_beating_heart_a_mark_is_back_in_its_place_whenever_its_frame_is() -> None:
    again, by_eye = tissue.beating(2.2, LINES)
    assert (again.median_px, again.p95_px) <= (1.0, 2.0)
    assert again.held > 0.6
    assert max(by_eye.median_px - 4.0, by_eye.p95_px - 10.0) <= 0  # the eye itself: ± 4.5


def test_what_is_beside_the_mark_counts_less_than_what_is_under_it() -> None:
    """A leaflet swings beside the hinge that is marked: the mark stays with the hinge."""
    picture = np.random.default_rng(1).integers(0, 255, (120, 160), np.uint8)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 2), np.uint8)
    beside = picture.copy()
    beside[:, 94:] = np.roll(picture, 2, axis=0)[:, 94:]
    seen = check(cut(picture, Box(60, 40, 40, 40)), beside, IDENTITY)
    off_px = np.abs(apply(seen.matrix, np.array([[80.0, 60.0]])) - [80.0, 60.0]).max()
    assert off_px <= 0.2  # 0.38 when all of the piece counts alike


def test_whatever_comes_in_front_is_noticed_and_the_mark_is_found_again() -> None:
    rows = tissue.occlusions(5.2, LINES // 2)
    covered, noticed = sum(row.covered for row in rows), sum(row.noticed for row in rows)
    assert covered >= 15
    assert noticed >= 0.95 * covered
    assert sum(row.back for row in rows) >= 0.9 * covered


def test_a_transform_names_the_frame_it_is_for_and_moves_normalised_points(pictures: list[Frame]) -> None:
    tracker = TissueTracker(time.thread_time_ns)
    assert tracker.add("m", (NODE["left"] + 0.5) / SIZE, pictures[0])
    (told,) = [tracker.step(frame) for frame in pictures[:4]][-1]
    assert (told.mark_id, told.capture_time_us) == ("m", pictures[3].capture_time_us)
    moved = told.motion.apply((NODE["left"] + 0.5) / SIZE)
    assert 0 < np.abs(moved - (NODE["left"] + 0.5) / SIZE).max() < 0.1


def test_a_mark_that_comes_late_is_followed_through_what_happened_since(
    breathing_node: Scene, pictures: list[Frame]
) -> None:
    tracker = TissueTracker(time.thread_time_ns)
    for frame in pictures[:25]:
        tracker.step(frame)
    tracker.add("late", (NODE["right"] + 0.5) / SIZE, pictures[0], pictures[1:25])
    (told,) = tracker.step(pictures[25])
    there = told.motion.apply((NODE["right"] + 0.5) / SIZE) * SIZE - 0.5
    assert tissue.distance_px(there, breathing_node.truth(NODE["right"], 25), LINES) <= 6.0
    assert told.state == "held"


def test_where_there_is_nothing_to_know_again_no_mark_is_followed() -> None:
    tracker = TissueTracker(time.thread_time_ns)
    flat = Frame(np.full((270, 480), 60, np.uint8), 0)
    assert not tracker.add("m", np.array([[0.4, 0.4], [0.6, 0.6]]), flat)
    assert tracker.marks == frozenset()


def test_more_marks_than_can_be_followed_are_refused(pictures: list[Frame]) -> None:
    tracker = TissueTracker(time.thread_time_ns)
    points = (NODE["left"] + 0.5) / SIZE
    taken = [tracker.add(str(number), points, pictures[0]) for number in range(17)]
    assert taken == [True] * 16 + [False]


def test_when_frames_take_too_long_less_is_done_and_later_all_of_it_again(pictures: list[Frame]) -> None:
    clock = itertools.count(0, BUDGET_NS)  # every look at the clock finds a whole budget gone
    tracker = TissueTracker(lambda: next(clock))
    points = (NODE["left"] + 0.5) / SIZE
    for number in range(4):
        tracker.add(str(number), points, pictures[0])
    told = [tracker.step(frame) for frame in itertools.islice(_again(pictures), 3 * LATE_FRAMES)]
    assert tracker.effort.thrift == 2
    assert [] in told[-2:]
    for _ in range(400):
        tracker.effort.spent(0)
    assert tracker.effort.thrift == 0


def test_text_that_the_device_paints_does_not_hold_a_mark_back(breathing_node: Scene) -> None:
    """Letters that stand still are the strongest corners there are."""
    tracker = TissueTracker(time.thread_time_ns)
    mark = NODE["capsule"]
    frames = [_with_text(picture, mark) for picture in itertools.islice(breathing_node.pictures(), 40)]
    since = [reduce(picture, number * tissue.US_PER_FRAME) for number, picture in enumerate(frames)]
    assert tracker.add("m", (mark + 0.5) / SIZE, since[0], since[1:30])
    for frame in since[29:]:
        (told,) = tracker.step(frame)
    there = told.motion.apply((mark + 0.5) / SIZE) * SIZE - 0.5
    assert tissue.distance_px(there, breathing_node.truth(mark, 39), LINES) <= 10.0


def test_pixels_and_normalised_coordinates_tell_the_same_motion() -> None:
    turned = np.array([[0.0, -1.0, 269.0], [1.0, 0.0, 0.0]])  # a quarter turn of 480 × 270
    motion = normalised(turned, 480, 270)
    corner = motion.apply(np.array([[0.0, 0.0]]))
    assert np.allclose(corner, [[270 / 480, 0.0]])
    assert Affine().apply(np.array([[0.3, 0.7]])).tolist() == [[0.3, 0.7]]


def _again(frames: list[Frame]) -> Iterator[Frame]:
    for number in itertools.count():
        yield Frame(frames[number % len(frames)].grey, number * 1_000_000 // FPS)


def _with_text(picture: np.ndarray, mark: np.ndarray) -> np.ndarray:
    x, y = mark.mean(axis=0).astype(int)
    shown = picture.copy()
    shown[y - 6 : y + 6, x - 40 : x + 40 : 4] = 250
    return shown
