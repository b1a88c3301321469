"""How well drawings stay where they were drawn, whether it is noticed when they cannot, and what it costs.

    teleconsult bench tissue [--seconds 10] [--json]

Real ultrasound pictures (from pydicom's wheel; no network), 1920 × 1080 at 30 frames/s:

* *warped*: a real picture, moved in a way that is known everywhere: turning, growing, shifting, and soft like
  breathing, with speckle, noise and changing gain, both other ones in every frame;
* *beating*: the real cardiac clip forwards and backwards. Every one of its frames comes again and again: a
  mark drawn on it must then be exactly where it was drawn, whatever happened in between. Of the frames in
  between, `HINGE` says where one landmark is, by eye;
* *covered*: the warped ones, with something in front of the mark for 0.7 s at a time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import cv2
import numpy as np
from rich.table import Table

from annotation.tissue import Frame, TissueTracker, Transform, reduce
from bench.tissue_scenes import (
    COVERS,
    FPS,
    LINES,
    Grey,
    Points,
    Scene,
    breathing,
    covered,
    heart_frames,
    lymph_node,
)
from bench.tissue_scenes import still as unmoved

US_PER_FRAME: Final = 1_000_000 // FPS
NOTICED_S: Final = 0.15
"""Within this time a covered mark must not be called held any more."""
COVER_S: Final = 0.7
PAUSE_S: Final = 1.3
BACK_S: Final = 1.0
SEED: Final = 3
DRAWN_ON: Final = (0, 6, 13, 24)
"""Frames of the clip on which marks are drawn."""
MEDIAN_PX, P95_PX, NOTICED = 4.0, 10.0, 0.95
UNHURRIED_NS: Final = 10**9
"""Accuracy is measured without the budget: it would say how busy the machine is."""
NATIVE: Final = (320, 240)
"""Of the clip; places in it are pixels."""
HEART_MARKS: Final = {"crux": (155, 135, 13), "septum": (150, 98, 13), "rear wall": (165, 180, 18)}
"""Middle and radius of a ring, in the clip's pixels."""
NODE_MARKS: Final = {"left": (0.26, 0.28, 0.06), "capsule": (0.5, 0.5, 0.08), "right": (0.78, 0.74, 0.06)}
"""Middle in shares of width and height, radius in heights."""
HINGE_MARK: Final = (157, 136, 9)
HINGE_AT: Final = (160.5, 132.5)
HINGE: Final[Mapping[int, tuple[int, int]]] = {
    2: (0, -2),
    3: (-1, -3),
    5: (-1, -4),
    6: (-1, -3),
    8: (0, 0),
    23: (6, 2),
    24: (6, -1),
    26: (5, -3),
    29: (4, -6),
}
"""By frame, where the mitral leaflet's hinge is against frame 0, by eye; pixels of the clip, ± 1."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Distances in pixels of a picture of 1080 lines, of all frames in which the mark was shown."""

    scene: str
    median_px: float
    p95_px: float
    held: float
    lost: float
    judged: int


@dataclass(frozen=True, slots=True)
class Occlusions:
    """`back`: how often the mark was held again, and in its place, 1 s after."""

    kind: str
    covered: int
    noticed: int
    back: int


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time of one frame. `per_mark_ms`: what each further mark adds."""

    marks: int
    frame_ms: float
    per_mark_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    accuracy: list[Accuracy]
    occlusions: list[Occlusions]
    cost: list[Cost]

    @property
    def noticed(self) -> float:
        return sum(row.noticed for row in self.occlusions) / max(
            1, sum(row.covered for row in self.occlusions)
        )

    @property
    def fits(self) -> bool:
        """Whether everything is within the targets."""
        near = all(row.median_px <= MEDIAN_PX and row.p95_px <= P95_PX for row in self.accuracy)
        return near and self.noticed >= NOTICED

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "noticed": round(self.noticed, 4), "fits": self.fits}


Judge = Callable[[int, Transform, Points], None]
"""Frame number, what the tracker said, where it puts the mark's points (pixels of the scene)."""


def follow_scene(scene: Scene, marks: Mapping[str, Points], judge: Judge) -> None:
    """Draw the marks on the scene's first frame and track them to its end."""
    tracker = TissueTracker(time.thread_time_ns, UNHURRIED_NS)
    for number, picture in enumerate(scene.pictures()):
        size = np.array(picture.shape[::-1], np.float64)
        frame = reduce(picture, number * US_PER_FRAME)
        if number == 0:
            for name, points in marks.items():
                assert tracker.add(name, (points + 0.5) / size, frame)
        for told in tracker.step(frame):
            judge(number, told, told.motion.apply((marks[told.mark_id] + 0.5) / size) * size - 0.5)


class Errors:
    """Collects distances."""

    def __init__(self, scene: str) -> None:
        self._scene = scene
        self._distances: list[float] = []
        self._states: list[str] = []

    def state(self, state: str) -> None:
        self._states.append(state)

    def add(self, there: Points, true: Points, lines: int) -> None:
        """The mean distance of a mark's points."""
        self._distances.append(distance_px(there, true, lines))

    def result(self) -> Accuracy:
        distances = self._distances or [float("inf")]
        median, p95 = np.percentile(distances, [50, 95])
        count = max(1, len(self._states))
        held, lost = self._states.count("held") / count, self._states.count("lost") / count
        return Accuracy(
            self._scene,
            round(float(median), 2),
            round(float(p95), 2),
            round(held, 3),
            round(lost, 3),
            len(distances),
        )


def warped(scene: Scene, marks: Mapping[str, Points]) -> Accuracy:
    """Against the known movement, frame by frame."""
    errors, lines = Errors(scene.name), scene.image(0).shape[0]

    def judge(number: int, told: Transform, there: Points) -> None:
        errors.state(told.state)
        if told.state != "lost":
            errors.add(there, scene.truth(marks[told.mark_id], number), lines)

    follow_scene(scene, marks, judge)
    return errors.result()


def beating(seconds: float, lines: int) -> list[Accuracy]:
    """The clip to and fro: whenever a mark's own frame comes again, and against the eye in between."""
    images = heart_frames(lines)
    order = to_and_fro(len(images))
    again = Errors("beating heart, a mark's own frame again")
    for start in DRAWN_ON:
        turn = order[order.index(start) :] + order[: order.index(start)]
        _again(_beating(images, turn, seconds), turn, again, lines)
    eye = Errors("beating heart, by eye, ± 4.5 px")
    _by_eye(_beating(images, order, seconds), order, eye, lines)
    return [again.result(), eye.result()]


def _beating(images: Sequence[Grey], turn: Sequence[int], seconds: float) -> Scene:
    def image(number: int) -> Grey:
        return images[turn[number % len(turn)]]

    return Scene("beating", image, unmoved, seconds, noise=1.5, speckle=0.03, gain=0.1)


def _again(scene: Scene, turn: Sequence[int], errors: Errors, lines: int) -> None:
    marks = {name: heart_ring(ring, lines) for name, ring in HEART_MARKS.items()}

    def judge(number: int, told: Transform, there: Points) -> None:
        errors.state(told.state)
        if told.state != "lost" and number and turn[number % len(turn)] == turn[0]:
            errors.add(there, marks[told.mark_id], lines)

    follow_scene(scene, marks, judge)


def _by_eye(scene: Scene, turn: Sequence[int], eye: Errors, lines: int) -> None:
    hinge, ring = heart_points(HINGE_AT, lines), heart_ring(HINGE_MARK, lines)

    def judge(number: int, told: Transform, there: Points) -> None:
        eye.state(told.state)
        seen = HINGE.get(turn[number % len(turn)])
        if seen is None or told.state == "lost":
            return
        to_there, *_ = np.linalg.lstsq(np.column_stack([ring, np.ones(len(ring))]), there, rcond=None)
        eye.add(np.column_stack([hinge, [1.0]]) @ to_there, hinge + np.array(seen) * lines / NATIVE[1], lines)

    follow_scene(scene, {"hinge": ring}, judge)


def occlusions(seconds: float, lines: int) -> list[Occlusions]:
    """Cover a mark again and again, in every way, while the picture moves."""
    heart, node = heart_frames(lines)[0], lymph_node(lines)
    pairs = [
        (heart, heart_ring(HEART_MARKS["crux"], lines)),
        (heart, heart_ring(HEART_MARKS["septum"], lines)),
        (node, node_ring(NODE_MARKS["capsule"], lines)),
    ]
    way = breathing(lines, lines * 16 // 9)
    runs = [_cover(Scene("covered", _always(image), way, seconds), mark) for image, mark in pairs]
    return [Occlusions(kind, *(sum(run[kind][n] for run in runs) for n in range(3))) for kind in COVERS]


def _cover(scene: Scene, mark: Points) -> dict[str, tuple[int, int, int]]:
    """One tracker for every kind of cover, all on the same pictures."""
    begins = np.arange(PAUSE_S, scene.seconds - COVER_S - BACK_S, COVER_S + PAUSE_S)
    trackers = {kind: TissueTracker(time.thread_time_ns, UNHURRIED_NS) for kind in COVERS}
    seen: dict[str, list[tuple[str, float]]] = {kind: [] for kind in COVERS}
    dice = np.random.default_rng(SEED)
    for number, picture in enumerate(scene.pictures()):
        seconds, lines = number / FPS, picture.shape[0]
        size = np.array(picture.shape[::-1], np.float64)
        true = scene.truth(mark, number)
        hidden = any(begin <= seconds + 1e-9 < begin + COVER_S for begin in begins)
        for kind, tracker in trackers.items():
            shown = covered(picture, kind, seconds, true, dice) if hidden else picture
            frame = reduce(shown, number * US_PER_FRAME)
            if number == 0:
                tracker.add(kind, (mark + 0.5) / size, frame)
            told = tracker.step(frame)[0]
            there = told.motion.apply((mark + 0.5) / size) * size - 0.5
            seen[kind].append((told.state, distance_px(there, true, lines)))
    return {kind: _noticed(row, begins.tolist()) for kind, row in seen.items()}


def _noticed(seen: Sequence[tuple[str, float]], begins: Sequence[float]) -> tuple[int, int, int]:
    noticed = back = 0
    for begin in begins:
        first, last = math.ceil((begin + NOTICED_S) * FPS), math.floor((begin + COVER_S) * FPS - 1e-6)
        noticed += all(state != "held" for state, _ in seen[first : last + 1])
        state, distance = seen[last + round(BACK_S * FPS)]
        back += state == "held" and distance <= P95_PX
    return len(begins), noticed, back


def costs(lines: int, frames: int = 90) -> list[Cost]:
    """CPU time with one and several marks, reducing the picture included; on one thread, as in the box."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return _costs(lines, frames)
    finally:
        cv2.setNumThreads(threads)


def _costs(lines: int, frames: int) -> list[Cost]:
    image, width = lymph_node(lines), lines * 16 // 9
    scene = Scene("cost", _always(image), breathing(lines, width), frames / FPS)
    pictures = list(scene.pictures())
    places = [(0.2 + 0.1 * (n % 4) * 2, 0.25 + 0.15 * (n // 4), 0.05) for n in range(16)]
    rows: list[Cost] = []
    for count in (1, 4, 8, 16):
        spent = _cost(pictures, [node_ring(place, lines) for place in places[:count]])
        per_mark = spent if not rows else (spent - rows[0].frame_ms) / (count - 1)
        rows.append(Cost(count, round(spent, 2), round(per_mark, 2)))
    return rows


def _cost(pictures: Sequence[Any], rings: Sequence[Points]) -> float:
    tracker = TissueTracker(time.thread_time_ns, UNHURRIED_NS)
    size = np.array(pictures[0].shape[::-1], np.float64)
    first: Frame = reduce(pictures[0], 0)
    for number, ring in enumerate(rings):
        tracker.add(str(number), (ring + 0.5) / size, first)
    each = []
    for number, picture in enumerate(pictures):
        began_ns = time.thread_time_ns()
        tracker.step(reduce(picture, number * US_PER_FRAME))
        each.append((time.thread_time_ns() - began_ns) / 1e6)
    return float(np.median(each))


def run(seconds: float, *, lines: int = LINES, tell: Callable[[str], None] = lambda text: None) -> Report:
    """All of it."""
    width = lines * 16 // 9
    node, heart = lymph_node(lines), heart_frames(lines)[0]
    way = breathing(lines, width)
    tell("warped pictures …")
    accuracy = [
        warped(
            Scene("warped lymph node", _always(node), way, seconds),
            {name: node_ring(ring, lines) for name, ring in NODE_MARKS.items()},
        ),
        warped(
            Scene("warped heart", _always(heart), way, seconds),
            {name: heart_ring(ring, lines) for name, ring in HEART_MARKS.items()},
        ),
    ]
    tell("the beating heart …")
    accuracy += beating(seconds, lines)
    tell("covering …")
    covered = occlusions(seconds, lines // 2)
    tell("costs …")
    return Report(accuracy, covered, costs(lines))


def distance_px(there: Points, true: Points, lines: int) -> float:
    """The mean of the points' distances, at 1080 lines."""
    return float(np.linalg.norm(there - true, axis=1).mean()) * LINES / lines


def _always(image: Grey) -> Callable[[int], Grey]:
    return lambda number: image


def heart_points(at: tuple[float, float], lines: int) -> Points:
    """A place in the clip (pixel edges) → pixels of the scene (middles)."""
    zoom = lines / NATIVE[1]
    margin = (lines * 16 // 9 - NATIVE[0] * zoom) // 2
    return np.array([[at[0] * zoom + margin - 0.5, at[1] * zoom - 0.5]])


def heart_ring(ring: tuple[int, int, int], lines: int) -> Points:
    x, y, radius = ring
    return heart_points((x + 0.5, y + 0.5), lines) + _circle(radius * lines / NATIVE[1])


def node_ring(ring: tuple[float, float, float], lines: int) -> Points:
    x, y, radius = ring
    return np.array([[x * lines * 16 / 9, y * lines]]) + _circle(radius * lines)


def to_and_fro(count: int) -> list[int]:
    """Numbers of frames: to the last and back, the ends once."""
    return [*range(count), *range(count - 2, 0, -1)]


def _circle(radius: float) -> Points:
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return radius * np.column_stack([np.cos(angles), np.sin(angles)])


def tables(report: Report) -> list[Table]:
    """For people."""
    near = Table("scene", "median", "95 %", "held", "lost", "judged", title="Distance, px at 1080 lines")
    for row in report.accuracy:
        near.add_row(
            row.scene,
            f"{row.median_px:.1f}",
            f"{row.p95_px:.1f}",
            f"{row.held:.0%}",
            f"{row.lost:.0%}",
            str(row.judged),
        )
    hidden = Table("cover", "covered", "noticed", "back after 1 s", title="Something in front of the mark")
    for hole in report.occlusions:
        hidden.add_row(hole.kind, str(hole.covered), str(hole.noticed), str(hole.back))
    dear = Table("marks", "ms per frame", "ms per further mark", title="CPU time, 1080p")
    for cost in report.cost:
        dear.add_row(str(cost.marks), f"{cost.frame_ms:.1f}", f"{cost.per_mark_ms:.2f}")
    return [near, hidden, dear]
