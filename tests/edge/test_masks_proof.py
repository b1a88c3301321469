"""No masked pixel leaves the process.

Shown by non-interference: two devices that differ only under the masks make, byte for byte, the same access
units of both encodings and the same frames for stills and tracking. What is sent and kept is decoded, too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.clock import SystemClock
from edge_agents.config import FeedConfig
from edge_agents.encoder import EncodedFrame, VideoEncoder
from edge_agents.layers import FULL, SMALL, Encoding
from edge_agents.masks import Mask, MaskProfile, Reference, write_profile
from edge_agents.pipeline import VideoPipeline
from edge_agents.sources import CapturedFrame, Instant, SourceError, open_raw, open_source
from edge_agents.sources.base import RawFrame
from edge_agents.sources.clip import read_clip
from edge_agents.sources.picture import planes_of
from edge_agents.sources.prepared import PreparedSource
from edge_agents.still import StillRing
from tests.edge.support import decode_units
from tests.edge.test_pipeline import Collected, open_x264

Image = NDArray[np.uint8]
FULL_SIZE = (960, 540)
PLAN = {
    FULL: Encoding(*FULL_SIZE, 30, 2_000_000, 2_000_000),
    SMALL: Encoding(640, 360, 30, 500_000, 500_000),
}
BURNED_IN = ((0, 0, 62, 34), (288, 8, 32, 145), (280, 195, 24, 14), (36, 224, 250, 16))
"""Where the real clip (320 × 240) has its text: logo and view, machine settings, depth, menu."""


@dataclass
class ScriptedDevice:
    """Shows these pictures, a thirtieth of a second apart, then waits for the end."""

    pictures: Sequence[av.VideoFrame]
    encoded: threading.Semaphore

    def frames(self, stop: threading.Event) -> Iterator[RawFrame]:
        for number, picture in enumerate(self.pictures):
            yield RawFrame(picture, Instant(number, number * 33_333_333))
            assert self.encoded.acquire(timeout=20)
        stop.wait()


@dataclass
class Left:
    """Everything that came out of a feed: sent, and held for stills and tracking."""

    units: list[EncodedFrame]
    held: list[CapturedFrame]
    ring: StillRing


def published(pictures: Sequence[av.VideoFrame], masks: MaskProfile | None) -> Left:
    """Run the box's pipeline, both encodings, as a feed does."""
    collected, ring, held = Collected(), StillRing(), list[CapturedFrame]()
    encoded = threading.Semaphore(0)

    def deliver(unit: EncodedFrame) -> None:
        collected.add(unit)
        if unit.rid == SMALL:
            encoded.release()

    def watch(frame: CapturedFrame) -> None:
        ring.put(frame)
        held.append(frame)

    device = ScriptedDevice(pictures, encoded)
    pipeline = VideoPipeline(
        "proof", lambda: PreparedSource(device, masks, *FULL_SIZE), open_x264, PLAN, deliver, watch
    )
    pipeline.start()
    collected.wait_for(lambda units: len(units) == len(pictures) * len(PLAN))
    pipeline.stop()
    return Left(list(collected.units), held, ring)


def clip_profile() -> MaskProfile:
    masks = tuple(Mask(x=x, y=y, width=w, height=h) for x, y, w, h in BURNED_IN)
    return MaskProfile(reference=Reference(width=320, height=240), masks=masks)


def as_frame(image: Image, pixels: str = "bgr24") -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
    return frame if pixels == "bgr24" else frame.reformat(format=pixels)


def with_other_text(image: Image) -> Image:
    """The same anatomy; under each mask something loud that is not what was there."""
    other = image.copy()
    for x, y, width, height in BURNED_IN:
        dice = np.random.default_rng(x)
        other[y : y + height, x : x + width] = dice.integers(0, 256, (height, width, 3))
    return other


def stroke_energy(luma: Image) -> float:
    """How much there is of what letters are made of."""
    return float(np.abs(cv2.Laplacian(luma, cv2.CV_32F)).max())


def seen_through(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[slice, slice]:
    """Where a rectangle of the clip is in a picture of 16:9, one pixel in from its edge."""
    x, y, width, height = box
    zoom = size[1] / 240
    left = (size[0] - 320 * zoom) / 2
    return (
        slice(int(y * zoom) + 2, int((y + height) * zoom) - 2),
        slice(int(left + x * zoom) + 2, int(left + (x + width) * zoom) - 2),
    )


def decoded(left: Left, rid: str) -> list[Image]:
    return [planes_of(picture).y for picture in decode_units(u for u in left.units if u.rid == rid)]


def test_of_the_real_clips_burned_in_text_nothing_is_sent_or_held() -> None:
    images = read_clip(None).images[:12]
    masked = published([as_frame(image) for image in images], clip_profile())
    plain = published([as_frame(image) for image in images], None)
    for rid, encoding in PLAN.items():
        size = (encoding.width, encoding.height)
        hidden, shown = decoded(masked, rid), decoded(plain, rid)
        assert len(hidden) == len(shown) == 12
        for box in BURNED_IN:
            place = seen_through(box, size)
            assert max(stroke_energy(luma[place]) for luma in shown) > 40, "the clip has text there"
            assert max(stroke_energy(luma[place]) for luma in hidden) < 12
            assert max(int(luma[place].max()) for luma in hidden) <= 24
    for number in range(12):
        png = np.frombuffer(masked.ring.still(number), np.uint8)
        still = np.asarray(cv2.imdecode(png, cv2.IMREAD_GRAYSCALE))
        assert all(still[seen_through(box, FULL_SIZE)].max() <= 1 for box in BURNED_IN)
        heart = still[100:400, 300:560]
        assert heart.max() > 100, "and the heart is still there"


def test_what_is_under_the_masks_changes_not_one_byte_of_what_is_sent_or_held() -> None:
    images = read_clip(None).images[:8]
    one = published([as_frame(image) for image in images], clip_profile())
    other = published([as_frame(with_other_text(image)) for image in images], clip_profile())
    assert [unit.data for unit in one.units] == [unit.data for unit in other.units]
    for number, (a, b) in enumerate(zip(one.held, other.held, strict=True)):
        assert same(a.picture, b.picture)
        assert one.ring.still(number) == other.ring.still(number)
    plain = published([as_frame(with_other_text(image)) for image in images], None)
    assert [unit.data for unit in one.units] != [unit.data for unit in plain.units]


def same(a: av.VideoFrame, b: av.VideoFrame) -> bool:
    return all(bool((x == y).all()) for x, y in zip(planes_of(a), planes_of(b), strict=True))


FORMATS = ("yuv420p", "yuvj422p", "nv12", "yuyv422", "bgr0", "bgr24", "yuv444p", "gray")


@st.composite
def devices(draw: st.DrawFn) -> tuple[MaskProfile, tuple[int, int], tuple[int, int], str, int]:
    """Masks, what the device sends, what the feed is, in which format, and a seed."""
    width, height = draw(st.integers(16, 160)) * 2, draw(st.integers(16, 100)) * 2
    zoom = draw(st.sampled_from([Fraction(1), Fraction(2), Fraction(3, 2), Fraction(1, 2), Fraction(8)]))
    reference = Reference(width=max(16, int(width * zoom)), height=max(16, int(height * zoom)))
    masks = []
    for _ in range(draw(st.integers(1, 4))):
        x = draw(st.integers(0, reference.width - 1))
        y = draw(st.integers(0, reference.height - 1))
        w = draw(st.integers(1, reference.width - x))
        h = draw(st.integers(1, reference.height - y))
        masks.append(Mask(x=x, y=y, width=w, height=h))
    feed = (draw(st.integers(32, 160)) * 2, draw(st.integers(32, 100)) * 2)
    profile = MaskProfile(reference=reference, masks=tuple(masks))
    return profile, (width, height), feed, draw(st.sampled_from(FORMATS)), draw(st.integers(0, 2**31))


@settings(max_examples=120, deadline=None)
@given(devices())
def test_whatever_the_sizes_masks_and_formats_masked_pixels_change_nothing(
    made: tuple[MaskProfile, tuple[int, int], tuple[int, int], str, int],
) -> None:
    profile, size, feed, pixels, seed = made
    if not profile.fits(*size):
        size = (profile.reference.width, profile.reference.height)
    one, other = pair_of_pictures(profile, size, pixels, seed)
    encoding = Encoding(*feed, 30, 500_000, 500_000)
    left = []
    for picture in (one, other):
        source = PreparedSource(OnePicture(picture), profile, *feed)
        frame = next(source.frames(threading.Event()))
        units = VideoEncoder("libx264", encoding).encode(frame, keyframe=True)
        left.append((planes_of(frame.picture).copy(), [unit.data for unit in units]))
    assert all((a == b).all() for a, b in zip(left[0][0], left[1][0], strict=True))
    assert left[0][1] == left[1][1]


@dataclass
class OnePicture:
    picture: av.VideoFrame

    def frames(self, stop: threading.Event) -> Iterator[RawFrame]:
        yield RawFrame(self.picture, Instant(0, 0))


def pair_of_pictures(
    profile: MaskProfile, size: tuple[int, int], pixels: str, seed: int
) -> tuple[av.VideoFrame, av.VideoFrame]:
    """Two random pictures of that size and format, equal but under the rectangles as they were drawn.

    Made in the device's own format: a pixel's colour sample counts as under a mask when any of its pixels is.
    """
    dice = np.random.default_rng(seed)
    drawn = np.zeros((size[1], size[0]), bool)
    for mask in profile.masks:
        across, down = size[0] / profile.reference.width, size[1] / profile.reference.height
        top, left = int(mask.y * down), int(mask.x * across)
        bottom = int(np.ceil((mask.y + mask.height) * down - 1e-9))
        right = int(np.ceil((mask.x + mask.width) * across - 1e-9))
        drawn[top:bottom, left:right] = True
    pictures = [av.VideoFrame(*size, pixels) for _ in range(2)]
    for plane, twin in zip(pictures[0].planes, pictures[1].planes, strict=True):
        rows = [np.frombuffer(memoryview(p), np.uint8).reshape(-1, p.line_size) for p in (plane, twin)]
        rows[0][:] = dice.integers(0, 256, rows[0].shape)
        rows[1][:] = rows[0]
        under = bytes_under(drawn, rows[0].shape[0], plane.height, cell_of(pixels, plane.width, size[0]))
        columns = under.shape[1]
        loud = dice.integers(0, 256, under.shape, np.uint8)
        target = rows[1][:, :columns]
        target[under] = loud[under]
    return pictures[0], pictures[1]


def cell_of(pixels: str, plane_width: int, width: int) -> tuple[int, int]:
    """(bytes in a row's cell, pixels it stands for) of a plane in that format."""
    packed = {"yuyv422": (4, 2), "bgr0": (4, 1), "bgr24": (3, 1)}
    if pixels in packed:
        return packed[pixels]
    subsampled = plane_width != width
    return (2, 2) if pixels == "nv12" and subsampled else (1, 2 if subsampled else 1)


def bytes_under(
    drawn: NDArray[np.bool_], rows: int, plane_height: int, cell: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which bytes of a plane belong to a pixel that is `drawn` over."""
    count, across = cell
    down = drawn.shape[0] // plane_height
    cells = drawn.reshape(plane_height, down, -1, across).any(axis=(1, 3))
    under = np.zeros((rows, cells.shape[1] * count), bool)
    under[:plane_height] = np.repeat(cells, count, axis=1)
    return under


def test_a_resolution_that_changes_is_masked_from_its_first_picture_on() -> None:
    """Seen by a device that changes to and fro, each picture white all over."""
    profile = MaskProfile(
        reference=Reference(width=640, height=360), masks=(Mask(x=320, y=0, width=320, height=360),)
    )
    sizes = [(640, 360), (1280, 720), (640, 360), (320, 180), (1920, 1080)]
    white = [as_frame(np.full((height, width, 3), 255, np.uint8)) for width, height in sizes]
    left = published(white, profile)
    for frame, size in zip(left.held, sizes, strict=True):
        luma = planes_of(frame.picture).y
        assert frame.source_size == size
        assert luma[:, 482:].max() <= 17
        assert luma[:, :476].min() >= 230
    for luma in decoded(left, FULL):
        assert luma[:, 490:].max() <= 24


@pytest.mark.parametrize("first", [True, False])
def test_a_picture_of_another_shape_than_the_masks_never_gets_out(first: bool) -> None:
    fitting, other = np.zeros((240, 320, 3), np.uint8), np.full((180, 320, 3), 255, np.uint8)
    pictures = [as_frame(other)] if first else [as_frame(fitting), as_frame(other)]
    device = ScriptedDevice(pictures, threading.Semaphore(5))
    got: list[CapturedFrame] = []
    with pytest.raises(SourceError, match="drawn on 320 × 240, the device sends 320 × 180"):
        got.extend(PreparedSource(device, clip_profile(), *FULL_SIZE).frames(threading.Event()))
    assert not first or got == []


def test_every_kind_of_source_is_opened_behind_its_masks(tmp_path: Path) -> None:
    path = tmp_path / "masks.toml"
    path.write_text(write_profile(clip_profile()))
    feed = FeedConfig.model_validate(
        {
            "name": "a",
            "source": {"kind": "clip", "screen": False},
            "width": 640,
            "height": 480,
            "masks": path,
        }
    )
    frame = next(open_source(feed, SystemClock()).frames(threading.Event()))
    raw = next(open_raw(feed, SystemClock()).frames(threading.Event()))
    assert raw.picture.reformat(format="gray").to_ndarray()[2:30, 2:60].max() > 100
    assert planes_of(frame.picture).y[4:60, 4:120].max() <= 17
