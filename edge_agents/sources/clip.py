"""A real ultrasound clip from a DICOM file, as a scanner would show it on its monitor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import JPEGBaseline8Bit

from core.clock import NS_PER_MS, Clock
from edge_agents.sources.base import CapturedFrame, Instant, RawFrame, SourceError, ticks
from edge_agents.sources.builtin import builtin_clip_path
from edge_agents.sources.picture import Planes, from_bgr, new_picture, planes_of
from edge_agents.sources.scanner import Box, DepthScale, ScannerScreen

DEFAULT_FRAME_TIME_MS: Final = 1000 / 30
MAX_PRERENDERED_BYTES: Final = 256 << 20
"""Frames beyond this much memory are left out of the loop."""

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """`images`: (height, width, 3) BGR each; `depth` None when the file does not say."""

    images: list[Image]
    frame_time_ns: int
    depth: DepthScale | None


class ClipSource:
    """Plays the clip in a loop. Each of its frames is scaled once."""

    def __init__(self, path: Path | None, width: int, height: int, fps: int, clock: Clock) -> None:
        self._width, self._height, self._fps, self._clock = width, height, fps, clock
        clip = read_clip(path)
        self._frame_time_ns = clip.frame_time_ns
        self._screen = ScannerScreen(width, height, clip.images[0].shape[:2], clip.depth)
        self._background = from_bgr(self._screen.draw_furniture())
        self._images = _fitting(clip.images, self._screen.picture)
        self._tiles: dict[int, Planes] = {}
        self._start_ns = clock.monotonic_ns()

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        for instant in ticks(self._fps, self._clock, stop):
            yield self.draw(instant)

    def draw(self, instant: Instant) -> CapturedFrame:
        """The screen at `instant`: the clip's frame of that moment and the clock."""
        shown = (instant.monotonic_ns - self._start_ns) // self._frame_time_ns % len(self._images)
        picture = new_picture(self._width, self._height)
        planes = planes_of(picture)
        planes.paint(self._background)
        planes.paint(self._tile(shown), self._screen.picture.x, self._screen.picture.y)
        clock = datetime.fromtimestamp(instant.unix_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-4]
        self._screen.draw_status(planes.y, f"{clock} UTC", f"{shown + 1}/{len(self._images)}")
        return CapturedFrame(picture, instant)

    def _tile(self, index: int) -> Planes:
        """The clip's frame scaled for the screen: done when it is first shown, then kept."""
        tile = self._tiles.get(index)
        if tile is None:
            size = (self._screen.picture.width, self._screen.picture.height)
            scaled = cv2.resize(self._images[index], size, interpolation=cv2.INTER_LANCZOS4)
            tile = self._tiles[index] = from_bgr(scaled.astype(np.uint8))
        return tile


class BareClip:
    """Plays nothing but the file's pictures, in their own size: a scanner whose screen is in the file."""

    def __init__(self, path: Path | None, fps: int, clock: Clock) -> None:
        clip = read_clip(path)
        self._images, self._frame_time_ns = clip.images, clip.frame_time_ns
        self._fps, self._clock, self._start_ns = fps, clock, clock.monotonic_ns()

    def frames(self, stop: threading.Event) -> Iterator[RawFrame]:
        for instant in ticks(self._fps, self._clock, stop):
            shown = (instant.monotonic_ns - self._start_ns) // self._frame_time_ns % len(self._images)
            yield RawFrame(av.VideoFrame.from_ndarray(self._images[shown], format="bgr24"), instant)


def _fitting(images: list[Image], picture: Box) -> list[Image]:
    """As many images as may be kept scaled."""
    tile_bytes = picture.width * picture.height * 3 // 2
    return images[: max(1, MAX_PRERENDERED_BYTES // tile_bytes)]


def read_clip(path: Path | None) -> Clip:
    """Read a multi-frame DICOM file. Raises `SourceError` when it cannot be read or decoded here."""
    path = path or builtin_clip_path()
    try:
        dataset = pydicom.dcmread(path)
        images = _images(dataset)
        frame_time_ms = float(dataset.get("FrameTime") or DEFAULT_FRAME_TIME_MS)
    except Exception as error:  # pydicom raises nearly anything on a file that is not what it says
        raise SourceError(f"{path}: not a clip that can be played: {type(error).__name__}") from error
    if not images or not frame_time_ms > 0:
        raise SourceError(f"{path}: no frames")
    return Clip(images, max(1, int(frame_time_ms * NS_PER_MS)), _depth_scale(dataset, images[0].shape[1]))


def _images(dataset: pydicom.Dataset) -> list[Image]:
    count = int(dataset.get("NumberOfFrames", 1))
    if dataset.file_meta.TransferSyntaxUID == JPEGBaseline8Bit:
        frames = generate_frames(dataset.PixelData, number_of_frames=count)
        return [_decode_jpeg(frame) for frame in frames]
    pixels = dataset.pixel_array.reshape(count, dataset.Rows, dataset.Columns, -1).astype(np.uint8)
    if str(dataset.PhotometricInterpretation).startswith("YBR"):
        pixels = convert_color_space(pixels, str(dataset.PhotometricInterpretation), "RGB")
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    return [np.ascontiguousarray(image[..., ::-1]) for image in pixels]


def _decode_jpeg(data: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("damaged JPEG frame")
    return image.astype(np.uint8)


def _depth_scale(dataset: pydicom.Dataset, columns: int) -> DepthScale | None:
    """The first region's scale. It may be given for a larger original (the built-in clip: 640 wide)."""
    try:
        region = dataset.SequenceOfUltrasoundRegions[0]
        if region.PhysicalUnitsYDirection != 3:  # 3: centimetres (DICOM PS3.3 C.8.5.5)
            return None
        shrunk = 1
        while region.RegionLocationMaxX1 >= columns * shrunk:
            shrunk *= 2
        top, bottom = region.RegionLocationMinY0 / shrunk, region.RegionLocationMaxY1 / shrunk
        return DepthScale(top, bottom, float(region.PhysicalDeltaY) * shrunk)
    except (AttributeError, IndexError, TypeError):
        return None
