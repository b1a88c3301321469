"""Pure: drawings that move with the anatomy under them.

Every mark remembers the piece of the frame it was drawn on. From frame to frame its points are followed by
optical flow, checked forwards and backwards; the similarity that most of them share moves the mark;
then the piece itself is compared with what is there now, which corrects the place and says how sure we
are (`tissue_mark`). What is tracked on is the luma, reduced to `WIDTH_PX`: soft tissue is known by its
shapes, not by its grain. All marks' points go through the same two flow calls, which build its pyramids.

A budget bounds what a frame costs: looks that are not due wait for the next frame, then fewer points are
followed, and at last only every second frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np

from annotation.tissue_flow import Flags, Grey, common_motion, follow
from annotation.tissue_geometry import Affine, Points, apply, compose, is_plausible, normalised, to_pixels
from annotation.tissue_mark import Held, State
from annotation.tissue_template import MULTIPLE_PX, Box, cut

WIDTH_PX: Final = 480
BLUR_PX: Final = 0.8
"""Standard deviation: noise and speckle are no likeness."""
MAX_MARKS: Final = 16
BUDGET_NS: Final = 12_000_000
MARGIN: Final = 0.05
"""Of the picture's height: how much around the mark belongs to its piece."""
SMALLEST: Final = 0.15
LARGEST: Final = 0.45
FLOW_LEVELS: Final = 2
RETURN_PX: Final = 0.7
AGREE_PX: Final = 1.6
MOST_STEP: Final = 1.3
LATE_FRAMES: Final = 5
EASY_FRAMES: Final = 150
EASY: Final = 0.4
COARSEST: Final = 2
STILL_LEVELS: Final = 2
"""Grey levels: what varies by no more between frames is painted by the device, not seen by it."""
STILL_FRAMES: Final = (4, 8)
"""The fewest that tell, and as many as are looked at."""
MAX_CATCH_UP: Final = 20


class Transform(NamedTuple):
    """Where a mark has gone: `motion` moves its points (normalised) to the frame of `capture_time_us`."""

    mark_id: str
    capture_time_us: int
    motion: Affine
    confidence: float
    state: State


class Frame(NamedTuple):
    """A picture to track on, `WIDTH_PX` wide at most. Made by `reduce`."""

    grey: Grey
    capture_time_us: int


def reduce(luma: Grey, capture_time_us: int) -> Frame:
    """The full luma plane → what is tracked on."""
    height, width = luma.shape
    if width > WIDTH_PX:
        size = (WIDTH_PX, round(height * WIDTH_PX / width))
        luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Frame(np.asarray(cv2.GaussianBlur(luma, (5, 5), BLUR_PX), np.uint8), capture_time_us)


class Effort:
    """What frames have cost, and so what may be spent on the next: 0 all, 1 half the points, 2 every second
    frame, too."""

    def __init__(self, budget_ns: int) -> None:
        self.thrift = 0
        self.last_ns = 0
        self._budget_ns = budget_ns
        self._late, self._easy = 0, 0

    def spent(self, cost_ns: int) -> None:
        """Less after some frames that took too long; more again after many that took little."""
        self.last_ns = cost_ns
        self._late = self._late + 1 if cost_ns > self._budget_ns else 0
        self._easy = self._easy + 1 if cost_ns < self._budget_ns * EASY else 0
        if self._late >= LATE_FRAMES and self.thrift < COARSEST:
            self.thrift, self._late = self.thrift + 1, 0
        elif self._easy >= EASY_FRAMES and self.thrift > 0:
            self.thrift, self._easy = self.thrift - 1, 0


class TissueTracker:
    """All marks of one feed. `now_ns`: a clock that counts the time spent."""

    def __init__(self, now_ns: Callable[[], int], budget_ns: int = BUDGET_NS) -> None:
        self.effort = Effort(budget_ns)
        self._now_ns, self._budget_ns = now_ns, budget_ns
        self._marks: dict[str, Held] = {}
        self._last: Grey | None = None
        self._turn = 0

    @property
    def marks(self) -> frozenset[str]:
        return frozenset(self._marks)

    def add(self, mark_id: str, points: Points, drawn_on: Frame, since: Sequence[Frame] = ()) -> bool:
        """Follow a mark from now on. `points`: (n, 2), normalised. `since`: frames after the one it was drawn
        on, up to the newest that was stepped: it is followed through them at once, and they tell what never
        changes.

        False when there are `MAX_MARKS` already, or nothing around the mark that would be known again.
        """
        if len(self._marks) >= MAX_MARKS and mark_id not in self._marks:
            return False
        piece = cut(drawn_on.grey, box_around(points, drawn_on.grey), _unchanging([drawn_on, *since]))
        if not piece.can_be_followed:
            return False
        held = Held(piece, drawn_on.capture_time_us)
        before = drawn_on
        for frame in _spread(since, MAX_CATCH_UP):
            self._flow([held], before.grey, frame.grey)
            held.look(frame.grey, frame.capture_time_us)
            before = frame
        self._marks[mark_id] = held
        return True

    def rest(self, frame: Frame) -> None:
        """The frame from which the next step goes on: others were left out while there were no marks."""
        self._last = frame.grey

    def remove(self, mark_id: str) -> None:
        """Forget it; unknown ones are no error."""
        self._marks.pop(mark_id, None)

    def step(self, frame: Frame) -> list[Transform]:
        """Follow all marks to this frame. Nothing is told of frames that are left out for want of time."""
        began_ns = self._now_ns()
        self._turn += 1
        if self.effort.thrift >= COARSEST and self._turn % 2:
            return []
        last, self._last = self._last, frame.grey
        shown = [mark for mark in self._marks.values() if mark.state != "lost"]
        if last is not None and last.shape == frame.grey.shape and shown:
            self._flow(shown, last, frame.grey)
        self._look(frame, began_ns)
        self.effort.spent(self._now_ns() - began_ns)
        return self._told(frame)

    def _flow(self, marks: Sequence[Held], last: Grey, grey: Grey) -> None:
        """All points of all marks at once; then each mark by its own."""
        stride = 2 if self.effort.thrift else 1
        starts = [apply(mark.matrix, mark.piece.points_in_picture[::stride]) for mark in marks]
        ends, good = follow(last, grey, np.vstack(starts), FLOW_LEVELS, RETURN_PX)
        first = 0
        for mark, start in zip(marks, starts, strict=True):
            part = slice(first, first + len(start))
            first += len(start)
            motion = common_motion(start, ends[part], good[part], AGREE_PX)
            mark.astray = motion is None or not is_plausible(motion.matrix, MOST_STEP)
            if motion is not None and not mark.astray:
                mark.matrix = compose(motion.matrix, mark.matrix)

    def _look(self, frame: Frame, began_ns: int) -> None:
        """Compare pieces: another mark's first in every frame, and as many as there is time for."""
        marks = list(self._marks.values())
        for number in range(len(marks)):
            mark = marks[(self._turn + number) % len(marks)]
            if number and self._now_ns() - began_ns > self._budget_ns:
                mark.passed(frame.capture_time_us)
            elif mark.state == "lost":
                mark.seek(frame.grey, frame.capture_time_us)
            else:
                mark.look(frame.grey, frame.capture_time_us)

    def _told(self, frame: Frame) -> list[Transform]:
        height, width = frame.grey.shape
        return [
            Transform(
                mark_id,
                frame.capture_time_us,
                normalised(mark.matrix, width, height),
                round(mark.confidence, 3),
                mark.state,
            )
            for mark_id, mark in self._marks.items()
        ]


def box_around(points: Points, grey: Grey) -> Box:
    """The piece of the picture that a mark stands on: itself and some around it, inside the picture."""
    height, width = grey.shape
    pixels = to_pixels(np.clip(points, 0, 1), width, height)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    middle = (low + high) / 2
    size = np.clip(high - low + 2 * MARGIN * height, SMALLEST * height, LARGEST * height)
    size = size.astype(int) // MULTIPLE_PX * MULTIPLE_PX
    left, top = (int(value) for value in np.clip(middle - size / 2, 0, (width, height) - size))
    return Box(left, top, int(size[0]), int(size[1]))


def _unchanging(frames: Sequence[Frame]) -> Flags | None:
    """What did not change between the frames; None when there are too few to tell."""
    fewest, most = STILL_FRAMES
    if len(frames) < fewest:
        return None
    chosen = [frame.grey for frame in _spread(frames, most)]
    return np.asarray(np.ptp(np.stack(chosen), axis=0) <= STILL_LEVELS)


def _spread(frames: Sequence[Frame], most: int) -> list[Frame]:
    """At most so many of them, evenly, the last always among them."""
    if len(frames) <= most:
        return list(frames)
    return [frames[round(index)] for index in np.linspace(0, len(frames) - 1, most)]
