"""Moving pictures whose points' ways are known: real ultrasound pictures, warped, made noisy, and covered.

All lengths are pixels of a picture of 1080 lines; a smaller scene is the same scene, smaller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import generate_frames

from edge_agents.sources.builtin import builtin_clip_path
from edge_agents.sources.clip import read_clip

FPS: Final = 30
LINES: Final = 1080
Grey = NDArray[np.uint8]
Points = NDArray[np.float64]
"""(n, 2) in pixels of the scene, whole numbers being middles."""
Way = Callable[[Points, float], Points]
"""Where points of the still picture are after so many seconds."""


@dataclass
class Scene:
    """`image`: what the tissue looks like at a frame before it is moved by `way`."""

    name: str
    image: Callable[[int], Grey]
    way: Way
    seconds: float
    noise: float = 4.0
    """Standard deviation in grey levels."""
    speckle: float = 0.12
    """Standard deviation of a factor."""
    gain: float = 0.25
    """Up and down by this factor, in seven seconds."""
    seed: int = 7
    _dice: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._dice = np.random.default_rng(self.seed)

    @property
    def frames(self) -> int:
        return round(self.seconds * FPS)

    def truth(self, points: Points, number: int) -> Points:
        """Where points of frame 0 are in frame `number`."""
        return self.way(self.inverse(points, 0.0), number / FPS)

    def inverse(self, points: Points, seconds: float) -> Points:
        """The point of the still picture that is at `points` now (by Newton's method without derivatives)."""
        guess = points.copy()
        for _ in range(12):
            guess = guess - (self.way(guess, seconds) - points)
        return guess

    def pictures(self) -> Iterator[Grey]:
        """Frame after frame."""
        fields = self._fields()
        for number in range(self.frames):
            seconds = number / FPS
            moved = self._moved(self.image(number), seconds)
            yield self._seen(moved, seconds, fields)

    def _moved(self, image: Grey, seconds: float) -> Grey:
        """Looked up on a coarse grid: the movement is smooth."""
        height, width = image.shape
        step = 24
        xs, ys = np.meshgrid(np.arange(0, width + step, step), np.arange(0, height + step, step))
        grid = np.column_stack([xs.ravel(), ys.ravel()]).astype(np.float64)
        source = self.inverse(grid, seconds).reshape(*xs.shape, 2).astype(np.float32)
        scale = np.array([[1 / step, 0, 0], [0, 1 / step, 0]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        full = [
            cv2.warpAffine(np.ascontiguousarray(source[..., axis]), scale, (width, height), flags=flags)
            for axis in (0, 1)
        ]
        return _grey(cv2.remap(image, full[0], full[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))

    def _fields(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        height, width = self.image(0).shape
        shape = (height + 128, width + 128)
        grain = self._dice.normal(0, 1, shape).astype(np.float32)
        coarse = cv2.GaussianBlur(self._dice.normal(0, 1, shape).astype(np.float32), (0, 0), height / 500)
        coarse = np.asarray(coarse / np.std(coarse), np.float32)
        return grain * self.noise, 1 + coarse * self.speckle

    def _seen(
        self, image: Grey, seconds: float, fields: tuple[NDArray[np.float32], NDArray[np.float32]]
    ) -> Grey:
        """Other noise in every frame: windows that jump about in larger fields."""
        height, width = image.shape
        (x, y), (u, v) = self._dice.integers(0, 128, (2, 2))
        gain = 1 + self.gain * math.sin(2 * math.pi * seconds / 7)
        seen = image.astype(np.float32) * gain * fields[1][y : y + height, x : x + width]
        return _grey(np.clip(seen + fields[0][v : v + height, u : u + width], 0, 255))


def covered(seen: Grey, kind: str, seconds: float, at: Points, dice: np.random.Generator) -> Grey:
    """The picture with something of that kind (`COVERS`) in front of the mark `at`."""
    x, y = at.mean(axis=0)
    height, width = seen.shape
    picture = seen.copy()
    size = round(0.42 * height)
    left = int(np.clip(x - size / 2, 0, width - size))
    top = int(np.clip(y - size / 2, 0, height - size))
    window = (slice(top, top + size), slice(left, left + size))
    match kind:
        case "black":
            picture[window] = 4
        case "no signal":
            picture[:] = 40
        case "instrument":
            bars = np.tile((np.arange(size) // (height // 60) % 2 * 90 + 120).astype(np.uint8), (size, 1))
            shake = round(6 * math.sin(9 * seconds))
            picture[window] = np.roll(bars, shake, axis=1)
        case "other tissue":
            other = np.roll(seen, (height // 3, width // 3), axis=(0, 1))
            picture[window] = other[window]
        case "probe lifted":
            picture[:] = (
                _grey(np.clip(dice.normal(14, 8, (height // 2, width // 2)), 0, 255))
                .repeat(2, 0)
                .repeat(2, 1)
            )
    return picture


COVERS: Final = ("black", "no signal", "instrument", "other tissue", "probe lifted")


def breathing(lines: int, width: int, *, affine_px: float = 60, soft_px: float = 18) -> Way:
    """Turning, growing and shifting, and a soft movement on top of it that is another one everywhere."""
    zoom = lines / LINES
    middle = np.array([width / 2, lines / 2])

    def way(points: Points, seconds: float) -> Points:
        turn = math.radians(4) * math.sin(2 * math.pi * seconds / 5)
        grow = 1 + 0.04 * math.sin(2 * math.pi * seconds / 4)
        linear = grow * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        push = (
            affine_px
            * zoom
            * np.array([math.sin(2 * math.pi * seconds / 4.3), 0.6 * math.sin(2 * math.pi * seconds / 3.7)])
        )
        moved = (points - middle) @ linear.T + middle + push
        phase = 2 * math.pi * points / (900 * zoom)
        breath = soft_px * zoom * math.sin(2 * math.pi * seconds / 4)
        soft = np.column_stack(
            [0.5 * np.sin(phase[:, 1]), np.cos(phase[:, 0] * 0.8 + 0.5) * np.cos(phase[:, 1] * 0.5)]
        )
        return np.asarray(moved + breath * soft)

    return way


def still(points: Points, seconds: float) -> Points:
    return points


def heart_frames(lines: int) -> list[Grey]:
    """The cardiac clip, each frame as large as the screen."""
    clip = read_clip(None)
    zoom = lines / clip.images[0].shape[0]
    return [_wide(_grey(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)), zoom, lines) for image in clip.images]


def lymph_node(lines: int) -> Grey:
    """A still of a linear probe, the part with tissue."""
    path = Path(builtin_clip_path()).with_name("examples_jpeg2k.dcm")
    data = next(iter(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1)))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    tissue = image[108:336, 12:628]
    return _grey(cv2.resize(_grey(tissue), (lines * 16 // 9, lines), interpolation=cv2.INTER_CUBIC))


def _wide(image: Grey, zoom: float, lines: int) -> Grey:
    scaled = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    width = lines * 16 // 9
    margin = (width - scaled.shape[1]) // 2
    return _grey(
        cv2.copyMakeBorder(
            scaled, 0, 0, margin, width - scaled.shape[1] - margin, cv2.BORDER_CONSTANT, value=8
        )
    )


def _grey(image: object) -> Grey:
    return np.asarray(image, np.uint8)
