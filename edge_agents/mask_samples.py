"""Pictures to draw masks on: the first of a file, a DICOM clip or a feed; and what masks do to them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from core.clock import SystemClock
from core.errors import ConfigError
from edge_agents.config import FeedConfig
from edge_agents.masks import Box, MaskProfile
from edge_agents.sources import open_raw
from edge_agents.sources.clip import read_clip
from edge_agents.sources.mask_painting import paint

MAX_PICTURES: Final = 30
SPREAD: Final = 4
"""Every so manieth picture is looked at: neighbours are too alike to tell noise from what stays."""
SAMPLE_TIMEOUT_S: Final = 15.0
DICOM_MAGIC: Final = b"DICM"
OUTLINE_BGR: Final = (0, 0, 255)
WHITE_BGR: Final = (255, 255, 255)

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """(height, width, 3) BGR pictures of one size; `left_out`: of another size, not looked at."""

    images: list[Image]
    left_out: int = 0

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.images[0].shape[:2]
        return width, height


def sample_file(path: Path) -> Sample:
    """A picture, a video or a DICOM file. Raises `ConfigError` when there is no picture in it."""
    try:
        if _is_dicom(path):
            return _alike(iter(read_clip(path).images))
        with av.open(str(path)) as container:
            return _alike(_decoded(container))
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(f"{path}: no picture can be read from it: {reason}") from None


def sample_feed(feed: FeedConfig) -> Sample:
    """What a configured source delivers just now, unmasked, for the technician beside it.

    Raises `SourceError`, or `ConfigError` when nothing comes in time.
    """
    stop = threading.Event()
    timer = threading.Timer(SAMPLE_TIMEOUT_S, stop.set)
    timer.start()
    try:
        with contextlib.closing(_raw(feed, stop)) as pictures:
            return _alike(pictures)
    finally:
        timer.cancel()


def before_and_after(sample: Sample, profile: MaskProfile) -> Image:
    """Above as the device shows it with the masks outlined, below as it would be sent."""
    image = sample.images[-1]
    boxes = profile.boxes(*sample.size)
    outlined = image.copy()
    for number, box in enumerate(boxes, 1):
        _outline(outlined, box, str(number))
    hidden = paint(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24"), boxes)
    return np.vstack([outlined, np.asarray(hidden.to_ndarray(format="bgr24"))]).astype(np.uint8)


def _outline(image: Image, box: Box, label: str) -> None:
    thick = max(1, image.shape[0] // 500)
    cv2.rectangle(image, (box.left, box.top), (box.right - 1, box.bottom - 1), OUTLINE_BGR, thick)
    place = (box.left + 2, max(10, box.top - 3))
    cv2.putText(image, label, place, cv2.FONT_HERSHEY_SIMPLEX, max(0.35, thick * 0.35), OUTLINE_BGR, thick)


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == DICOM_MAGIC


def _decoded(container: InputContainer) -> Iterator[Image]:
    if not container.streams.video:
        return
    for frame in container.decode(container.streams.video[0]):
        yield _bgr(frame)


def _raw(feed: FeedConfig, stop: threading.Event) -> Generator[Image, None, None]:
    for frame in open_raw(feed, SystemClock()).frames(stop):
        yield _bgr(frame.picture)


def _bgr(frame: av.VideoFrame) -> Image:
    return np.asarray(frame.to_ndarray(format="bgr24")).astype(np.uint8)


def _alike(pictures: Iterator[Image]) -> Sample:
    """The first pictures, spread out where there are enough, all of the first one's size."""
    taken = list(islice(pictures, MAX_PICTURES * SPREAD))
    if not taken:
        raise ConfigError("the sample holds no picture")
    fitting = [image for image in taken if image.shape == taken[0].shape]
    step = SPREAD if len(fitting) >= 2 * MAX_PICTURES else 1
    return Sample(_firsts(fitting[::step]), len(taken) - len(fitting))


def _firsts(images: Sequence[Image]) -> list[Image]:
    return list(images[:MAX_PICTURES])
