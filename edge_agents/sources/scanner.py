"""What surrounds the picture on an ultrasound scanner's screen, marked DEMO: grey bar, depth scale, clock."""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

PICTURE_SHARE: Final = 0.88
"""Of the screen's height."""
FRAME_BGR: Final = (26, 22, 20)
LINE_BGR: Final = (90, 84, 78)
TEXT_BGR: Final = (210, 205, 200)
DEMO_BGR: Final = (60, 170, 255)
STATUS_LUMA: Final = 200
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX

Drawing = NDArray[np.uint8]


class Box(NamedTuple):
    """A rectangle on the screen in pixels; all numbers even, as 4:2:0 chroma needs."""

    x: int
    y: int
    width: int
    height: int


class DepthScale(NamedTuple):
    """Rows of the clip's image between which depth is meant, and centimetres per row (> 0)."""

    top_row: float
    bottom_row: float
    cm_per_row: float


class ScannerScreen:
    """Places a clip of `image_shape` (rows, columns) on a screen and draws what is around it."""

    def __init__(
        self, width: int, height: int, image_shape: tuple[int, ...], depth: DepthScale | None
    ) -> None:
        self.width, self.height = width, height
        rows, columns = image_shape
        zoom = min(height * PICTURE_SHARE / rows, width * 0.7 / columns)
        size = (_even(columns * zoom), _even(rows * zoom))
        left, top = _even((width - size[0]) / 2), _even((height - size[1]) * 0.6)
        self.picture = Box(left, top, *size)
        self._zoom, self._depth = zoom, depth
        self._unit = height / 1080

    def draw_furniture(self) -> Drawing:
        """Everything that does not move, (height, width, 3) BGR."""
        drawing = np.full((self.height, self.width, 3), FRAME_BGR, np.uint8)
        box = self.picture
        cv2.rectangle(
            drawing, (box.x - 2, box.y - 2), (box.x + box.width + 1, box.y + box.height + 1), LINE_BGR, 1
        )
        self._text(drawing, "DEMO", (self._px(40), self._px(54)), 1.4, DEMO_BGR, 3)
        self._text(
            drawing, "not a patient - not for diagnosis", (self._px(190), self._px(52)), 0.8, TEXT_BGR, 2
        )
        self._draw_labels(drawing)
        self._draw_grey_bar(drawing)
        self._draw_depth_scale(drawing)
        return drawing

    def draw_status(self, luma: Drawing, clock: str, frame: str) -> None:
        """The parts that move: clock and frame counter, straight into the Y plane."""
        self._text(luma, clock, (self.width - self._px(560), self._px(52)), 0.9, STATUS_LUMA, 2)
        origin = (self._right(), self.picture.y + self.picture.height - self._px(12))
        self._text(luma, frame, origin, 0.8, STATUS_LUMA, 2)

    def _draw_labels(self, drawing: Drawing) -> None:
        lines = ("B-mode", "2D  THI", "P21", "Sector")
        for index, line in enumerate(lines):
            origin = (self._right(), self.picture.y + self._px(40 + 44 * index))
            self._text(drawing, line, origin, 0.8, TEXT_BGR, 2)

    def _draw_grey_bar(self, drawing: Drawing) -> None:
        top, bottom = self.picture.y + self._px(20), self.picture.y + self._px(420)
        left, right = self._px(60), self._px(100)
        ramp = np.linspace(255, 0, bottom - top).astype(np.uint8)
        drawing[top:bottom, left:right] = ramp[:, None, None]
        cv2.rectangle(drawing, (left - 1, top - 1), (right, bottom), LINE_BGR, 1)

    def _draw_depth_scale(self, drawing: Drawing) -> None:
        if self._depth is None:
            return
        depth = self._depth
        right = self.picture.x - self._px(14)
        for cm in range(int((depth.bottom_row - depth.top_row) * depth.cm_per_row) + 1):
            y = self.picture.y + round((depth.top_row + cm / depth.cm_per_row) * self._zoom)
            length = self._px(26 if cm % 5 == 0 else 12)
            cv2.line(drawing, (right - length, y), (right, y), TEXT_BGR, max(1, self._px(2)))
            if cm % 5 == 0:
                self._text(drawing, f"{cm} cm", (right - self._px(120), y + self._px(8)), 0.7, TEXT_BGR, 1)

    def _text(
        self,
        drawing: Drawing,
        text: str,
        origin: tuple[int, int],
        size: float,
        colour: tuple[int, int, int] | int,
        weight: int,
    ) -> None:
        paint = colour if isinstance(colour, tuple) else (colour,)
        thickness = max(1, self._px(weight))
        cv2.putText(drawing, text, origin, FONT, size * self._unit, paint, thickness, cv2.LINE_AA)

    def _right(self) -> int:
        return self.picture.x + self.picture.width + self._px(24)

    def _px(self, at_1080: float) -> int:
        return round(at_1080 * self._unit)


def _even(value: float) -> int:
    return int(value) // 2 * 2
