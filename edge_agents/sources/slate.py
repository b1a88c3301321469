"""What the room sees of a silent device: a pictogram and words in both languages, never an old picture."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from typing import Final, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from core.clock import Clock
from core.messages import SignalTrouble
from edge_agents.sources.base import CapturedFrame, Instant
from edge_agents.sources.picture import Planes, from_bgr, new_picture, planes_of

BACKGROUND_BGR: Final = (58, 46, 38)
LINE_BGR: Final = (200, 190, 180)
CROSS_BGR: Final = (80, 110, 235)
CLOCK_LUMA: Final = 150
TROUBLES: Final[tuple[SignalTrouble, ...]] = tuple(trouble for trouble in get_args(SignalTrouble) if trouble)

Drawing = NDArray[np.uint8]


class Slate:
    """Slates of a feed's size. Each is drawn once; its clock runs: the line to the room is alive."""

    def __init__(self, width: int, height: int, clock: Clock) -> None:
        self._width, self._height, self._clock = width, height, clock
        self._drawn: dict[SignalTrouble, Planes] = {}

    def draw(self, trouble: SignalTrouble) -> CapturedFrame:
        """The slate of now."""
        background = self._drawn.get(trouble)
        if background is None:
            background = self._drawn[trouble] = from_bgr(_drawing(self._width, self._height, trouble))
        instant = Instant.now(self._clock)
        picture = new_picture(self._width, self._height)
        planes = planes_of(picture)
        planes.paint(background)
        self._tell_time(planes.y, instant)
        return CapturedFrame(picture, instant)

    def _tell_time(self, luma: Drawing, instant: Instant) -> None:
        text = datetime.fromtimestamp(instant.unix_us / 1e6, UTC).strftime("%H:%M:%S UTC")
        scale = self._height / 1080
        origin = (round(40 * scale), self._height - round(40 * scale))
        cv2.putText(luma, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, CLOCK_LUMA, max(1, round(2 * scale)))


def _drawing(width: int, height: int, trouble: SignalTrouble) -> Drawing:
    drawing = np.full((height, width, 3), BACKGROUND_BGR, np.uint8)
    unit = min(width / 1920, height / 1080)
    _draw_screen(drawing, (width // 2, round(height * 0.36)), unit)
    words = _words(trouble)
    size = (max(1, round(words.shape[1] * unit * 1.3)), max(1, round(words.shape[0] * unit * 1.3)))
    scaled = np.asarray(cv2.resize(words, size, interpolation=cv2.INTER_AREA))
    top, left = round(height * 0.6), (width - size[0]) // 2
    place = drawing[top : top + size[1], left : left + size[0]]
    strength = scaled[: place.shape[0], : place.shape[1], None] / 255
    place[:] = (place * (1 - strength) + 255 * strength).astype(np.uint8)
    return drawing


def _draw_screen(drawing: Drawing, centre: tuple[int, int], unit: float) -> None:
    """A monitor with a cross on it."""

    def at(x: float, y: float) -> tuple[int, int]:
        return centre[0] + round(x * unit), centre[1] + round(y * unit)

    thick = max(1, round(14 * unit))
    cv2.rectangle(drawing, at(-230, -150), at(230, 130), LINE_BGR, thick)
    cv2.line(drawing, at(0, 130), at(0, 185), LINE_BGR, thick)
    cv2.line(drawing, at(-110, 190), at(110, 190), LINE_BGR, thick)
    for side in (-1, 1):
        cv2.line(drawing, at(-75 * side, -85), at(75 * side, 65), CROSS_BGR, thick, cv2.LINE_AA)


def _words(trouble: SignalTrouble) -> Drawing:
    """White on black, drawn by `scripts/slate-words`."""
    data = (resources.files(__package__) / "words" / f"{trouble}.png").read_bytes()
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"damaged installation: the words of {trouble}")
    return image.astype(np.uint8)
