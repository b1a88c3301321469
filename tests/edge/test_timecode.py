"""The time code is what latency is measured with: it must survive what pictures go through."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agents import timecode
from edge_agents.encoder import VideoEncoder
from edge_agents.layers import Encoding
from edge_agents.sources.base import CapturedFrame, Instant
from edge_agents.sources.picture import planes_of
from edge_agents.sources.testcard import TestcardSource
from tests.edge.support import StepClock, decode_units

START_US = 1_795_300_000_123_456


def painted(time_us: int, width: int = 1920, height: int = 1080) -> np.ndarray:
    luma = np.full((height, width), 100, np.uint8)
    timecode.encode(time_us, luma)
    return luma


@given(st.integers(0, 2**64 - 1), st.sampled_from([192, 320, 640, 854, 1000, 1280, 1920, 3840]))
@settings(max_examples=60, deadline=None)
def test_what_is_painted_is_read_at_any_width(time_us: int, width: int) -> None:
    assert timecode.decode(painted(time_us, width, width // 2)) == time_us


def test_the_documented_layout_is_what_is_painted() -> None:
    luma = painted(0x0123_4567_89AB_CDEF)
    bits = [int(luma[row * 40 + 20, column * 40 + 20] == 235) for row in range(2) for column in range(48)]
    assert int("".join(map(str, bits)), 2) >> 80 == 0xEB90
    assert int("".join(map(str, bits[16:80])), 2) == 0x0123_4567_89AB_CDEF
    assert (luma[80:] == 100).all()


def test_the_checksum_is_the_documented_one() -> None:
    import binascii

    assert binascii.crc_hqx(b"123456789", 0xFFFF) == 0x29B1


@given(st.integers(0, 2**64 - 1), st.integers(0, 95))
@settings(max_examples=60, deadline=None)
def test_one_wrong_block_is_refused(time_us: int, block: int) -> None:
    luma = painted(time_us, 960, 540)
    row, column = divmod(block, 48)
    area = luma[row * 20 : row * 20 + 20, column * 20 : column * 20 + 20]
    area[:] = 235 if area[10, 10] < 128 else 16
    assert timecode.decode(luma) is None


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((1080, 1920), np.uint8),
        np.full((1080, 1920, 3), 255, np.uint8),
        np.zeros((4, 1920), np.uint8),
        np.zeros((100, 100), np.uint8),
        np.zeros((0, 0), np.uint8),
        np.random.default_rng(1).integers(0, 255, (1080, 1920)).astype(np.uint8),
    ],
)
def test_a_picture_without_a_time_code_says_nothing(picture: np.ndarray) -> None:
    assert timecode.decode(picture) is None


def test_a_picture_mixed_from_two_moments_is_refused() -> None:
    torn = painted(START_US)
    torn[:, 960:] = painted(START_US + 33_333)[:, 960:]
    assert timecode.decode(torn) is None


@pytest.mark.parametrize("shape", [(1080, 100), (10, 1920)])
def test_a_picture_too_small_for_the_code_is_an_error(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="too small"):
        timecode.encode(1, np.zeros(shape, np.uint8))


def card_through_h264(bitrate_bps: int, count: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """Test card frames that went through a real encoder and decoder."""
    encoder = VideoEncoder("libx264", Encoding(1920, 1080, 30, bitrate_bps, bitrate_bps))
    card = TestcardSource(1920, 1080, 30, StepClock())
    units, times = [], []
    for number in range(count):
        instant = Instant(START_US + number * 33_333, number * 33_333_333)
        times.append(instant.unix_us)
        units += encoder.encode(card.draw(instant), keyframe=False)
    yield from zip(times, decode_units(units), strict=True)


def test_every_code_of_the_card_survives_h264_at_1_mbit_and_scaling_to_640() -> None:
    for time_us, picture in card_through_h264(1_000_000, 45):
        luma = planes_of(picture).y
        assert timecode.decode(luma) == time_us
        for method in (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_NEAREST):
            assert timecode.decode(cv2.resize(luma, (640, 360), interpolation=method)) == time_us


def test_a_colour_picture_is_read_too() -> None:
    _, picture = next(card_through_h264(4_500_000, 1))
    rgb = picture.reformat(width=640, height=360, format="rgb24").to_ndarray()
    assert timecode.decode(rgb) == START_US
    assert timecode.decode(np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])) == START_US


def test_the_card_carries_the_time_that_its_frame_says() -> None:
    instant = Instant(START_US, 5)
    frame: CapturedFrame = TestcardSource(1280, 720, 30, StepClock()).draw(instant)
    assert frame.captured == instant
    assert timecode.decode(planes_of(frame.picture).y) == START_US
    assert Fraction(frame.picture.width, frame.picture.height) == Fraction(16, 9)
