"""Pure: what marks look like, as lines in pixels of a picture, and when they are to be seen.

The web client's `annotation/geometry.ts` and `visible.ts` do the same: whoever changes one changes both. Both
are run on `tests/vectors/annotation/replay.json`.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from annotation.tissue_geometry import Affine, Points
from core.annotations import Mark, MarkMotion

FADING_MS: Final = 1_000
"""At the end of its life a mark fades for so long, or for half of it."""
FRAME_TOLERANCE_US: Final = 34_000
"""± 1 frame of 30 a second."""
SAME_FRAME_US: Final = 8_000
"""A word about a frame this near is about that very frame: frames of 60 a second are 16,667 apart."""
MOTION_LIVES_US: Final = 100_000
"""Without a word about the frame that is shown, a mark stays for so long, and fades for as long."""
ANSWER_US: Final = 1_000_000
"""The box has not answered yet: it may take so long."""
UNSURE_OPACITY: Final = 0.4
BARB_ANGLE: Final = 2.6
"""Radians between an arrow's direction and its barbs."""
ELLIPSE_POINTS: Final = 72
UNMOVED: Final = Affine()
COLOURS: Final = (
    "#ffd60a",
    "#34c7ff",
    "#ff6b5e",
    "#5be37d",
    "#ff8ad8",
    "#ffa43a",
    "#b79cff",
    "#ffffff",
)
"""Of people, as in the web client's `annotation/toolbox.ts`."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A mark as it is to be seen in one frame. `motion`: where the tissue has taken it. `unsure`: nobody is
    sure that it is there.
    """

    mark: Mark
    opacity: float = 1.0
    motion: Affine = UNMOVED
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Pointer:
    """Somebody points there, in normalised coordinates."""

    person: str
    name: str
    x: float
    y: float


def shown_marks(
    marks: Sequence[Mark],
    *,
    captured_us: int,
    now_us: int,
    motions: Mapping[str, tuple[int, MarkMotion]] | None = None,
) -> list[Shown]:
    """Those to be seen on the frame of `captured_us` at `now_us`, in their order.

    `motions`: by mark, the newest word about where it was, and in the frame of which capture time.
    """
    found = [_shown(mark, captured_us, now_us, (motions or {}).get(mark.mark_id)) for mark in marks]
    return [one for one in found if one is not None and one.opacity > 0]


def _shown(mark: Mark, captured_us: int, now_us: int, told: tuple[int, MarkMotion] | None) -> Shown | None:
    opacity = opacity_of(mark, now_us)
    if mark.anchor == "screen":
        return Shown(mark, opacity)
    if mark.captured_us is None:
        return None
    if mark.anchor == "frame":
        near = abs(captured_us - mark.captured_us) <= FRAME_TOLERANCE_US
        return Shown(mark, opacity) if near else None
    if told is None:
        return _unanswered(mark, captured_us, now_us, opacity)
    return _moved(mark, opacity, told[1], captured_us - told[0])


def _unanswered(mark: Mark, captured_us: int, now_us: int, opacity: float) -> Shown | None:
    """While it is drawn, the box cannot know yet where it goes."""
    if abs(captured_us - (mark.captured_us or 0)) <= MOTION_LIVES_US:
        return Shown(mark, opacity)
    waits = now_us - mark.changed_us <= ANSWER_US
    return Shown(mark, opacity * UNSURE_OPACITY, unsure=True) if waits else None


def _moved(mark: Mark, opacity: float, motion: MarkMotion, age_us: int) -> Shown | None:
    left = min(1.0, max(0.0, 2 - age_us / MOTION_LIVES_US))
    if motion.state == "lost" or left == 0:
        return None
    sure = UNSURE_OPACITY if motion.state == "unsure" else 1.0
    unsure = motion.state == "unsure" or left < 1
    return Shown(mark, opacity * sure * left, Affine(*motion.motion), unsure)


def word_about(told: Sequence[tuple[int, MarkMotion]], captured_us: int) -> tuple[int, MarkMotion] | None:
    """The word about that very frame, else the last one before it. `told`: oldest frame first."""
    after = bisect.bisect_right(told, captured_us, key=lambda pair: pair[0])
    before = told[after - 1] if after > 0 else None
    later = told[after] if after < len(told) else None
    if later is None or later[0] - captured_us > SAME_FRAME_US:
        return before
    if before is not None and captured_us - before[0] < later[0] - captured_us:
        return before
    return later


def pointer_colour(person: str) -> str:
    """The same person has the same colour everywhere."""
    total = 7
    for letter in person:
        total = (total * 31 + ord(letter)) % 65_521
    return COLOURS[total % len(COLOURS)]


def opacity_of(mark: Mark, now_us: int) -> float:
    """0…1 at that moment of the server's clock."""
    if mark.fade_after_ms is None:
        return 1.0
    left_ms = mark.fade_after_ms - (now_us - mark.changed_us) / 1_000
    return min(1.0, max(0.0, left_ms / min(FADING_MS, mark.fade_after_ms / 2)))


def places(shown: Shown, width: int, height: int) -> Points:
    """The mark's points in pixels, from the picture's top left edge."""
    points = np.array(shown.mark.points, np.float64).reshape(-1, 2)
    return shown.motion.apply(points) * (width, height)


def lines(shown: Shown, width: int, height: int) -> list[Points]:
    """Everything of a mark that is a line, in pixels; shapes are made first and moved then."""
    mark = shown.mark
    still = np.array(mark.points, np.float64).reshape(-1, 2) * (width, height)
    made = _made(mark, still, height)
    size = np.array([width, height])
    return [shown.motion.apply(line / size) * size for line in made]


def _made(mark: Mark, points: Points, height: int) -> list[Points]:
    match mark.tool:
        case "text":
            return []
        case "pen":
            return [points]
        case "rectangle":
            (left, top), (right, bottom) = points
            return [np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])]
        case "ellipse":
            angles = np.linspace(0, 2 * math.pi, ELLIPSE_POINTS + 1)
            middle, half = points.mean(axis=0), np.abs(points[1] - points[0]) / 2
            return [middle + half * np.column_stack([np.cos(angles), np.sin(angles)])]
        case "arrow":
            return _arrow(points[0], points[1], mark.width * height, height)
        case "ruler":
            return [points, *_ticks(points[0], points[1], mark.width * height, height)]


def _arrow(start: Points, tip: Points, width: float, height: int) -> list[Points]:
    length = float(np.hypot(*(tip - start)))
    if length == 0:
        return []
    barb = min(max(6 * width, 0.02 * height), 0.6 * length)
    angle = math.atan2(tip[1] - start[1], tip[0] - start[0])
    ends = [
        tip + barb * np.array([math.cos(angle + turn), math.sin(angle + turn)])
        for turn in (BARB_ANGLE, -BARB_ANGLE)
    ]
    return [np.array([start, tip]), np.array([ends[0], tip, ends[1]])]


def _ticks(start: Points, end: Points, width: float, height: int) -> list[Points]:
    length = float(np.hypot(*(end - start)))
    if length == 0:
        return []
    half = max(3 * width, 0.012 * height)
    across = np.array([-(end - start)[1], (end - start)[0]]) / length * half
    return [np.array([place - across, place + across]) for place in (start, end)]


def ruler_mm(mark: Mark) -> float | None:
    """How long a ruler is; None without a scale. By the picture's shape when the scale was measured."""
    if mark.scale is None or len(mark.points) != 4:
        return None
    x0, y0, x1, y1 = mark.points
    return math.hypot((x1 - x0) * mark.scale.aspect, y1 - y0) * mark.scale.mm_per_height


def ruler_words(mark: Mark) -> str:
    """What stands beside a ruler."""
    length_mm = ruler_mm(mark)
    return "? mm" if length_mm is None else f"{length_mm:.1f} mm"
