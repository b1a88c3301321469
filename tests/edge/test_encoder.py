"""What the encoder emits is decoded again and looked at."""

from __future__ import annotations

import numpy as np
import pytest
from av.video.frame import PictureType

from edge_agents import h264
from edge_agents.encoder import EncodedFrame, EncoderError, EncoderShelf, VideoEncoder, open_encoder, works
from edge_agents.layers import Encoding
from edge_agents.sources.base import Instant
from edge_agents.sources.clip import ClipSource
from edge_agents.sources.picture import planes_of
from edge_agents.sources.testcard import TestcardSource
from tests.edge.support import StepClock, decode_units

FULL_HD = Encoding(1920, 1080, 30, 4_500_000, 8_000_000)
SMALL = Encoding(320, 180, 30, 300_000, 1_000_000)
FRAME_NS = 33_333_333


def encode(
    source: ClipSource | TestcardSource,
    encoder: VideoEncoder,
    numbers: range,
    keyframes_at: tuple[int, ...] = (),
) -> list[EncodedFrame]:
    units = []
    for number in numbers:
        frame = source.draw(Instant(1_000_000 + number * 33_333, number * FRAME_NS))
        units += encoder.encode(frame, keyframe=number in keyframes_at)
    return units


def bits_per_second(units: list[EncodedFrame]) -> float:
    return sum(len(unit.data) for unit in units) * 8 / (len(units) / 30)


def small_card() -> TestcardSource:
    return TestcardSource(320, 180, 30, StepClock())


@pytest.mark.parametrize("source", ["clip", "testcard"])
def test_a_full_hd_picture_costs_at_least_4_mbit_of_real_slices(source: str) -> None:
    clock = StepClock()
    pictures = (
        ClipSource(None, 1920, 1080, 30, clock) if source == "clip" else TestcardSource(1920, 1080, 30, clock)
    )
    units = encode(pictures, VideoEncoder("libx264", FULL_HD), range(120))
    assert 4_000_000 <= bits_per_second(units) <= 5_200_000
    assert all(kind != 12 for unit in units for kind in h264.nal_types(unit.data)), (
        "filler data is no picture"
    )


def test_every_picture_comes_out_at_once_in_order_and_decodes() -> None:
    encoder, card = VideoEncoder("libx264", SMALL), small_card()
    for number in range(20):
        units = encode(card, encoder, range(number, number + 1))
        assert [unit.captured.monotonic_ns for unit in units] == [number * FRAME_NS]
    pictures = decode_units(encode(card, VideoEncoder("libx264", SMALL), range(20)))
    assert len(pictures) == 20
    wanted = planes_of(card.draw(Instant(1_000_000, 0)).picture).y.astype(int)
    error = np.abs(planes_of(pictures[0]).y.astype(int) - wanted).mean()
    assert error < 12


def test_a_keyframe_comes_when_asked_for_and_not_otherwise() -> None:
    units = encode(small_card(), VideoEncoder("libx264", SMALL), range(60), keyframes_at=(17, 41))
    assert [number for number, unit in enumerate(units) if unit.keyframe] == [0, 17, 41]
    for number in (0, 17, 41):
        kinds = list(h264.nal_types(units[number].data))
        assert kinds.index(h264.NAL_SPS) < kinds.index(h264.NAL_PPS) < kinds.index(h264.NAL_IDR)


def test_a_decoder_can_begin_at_a_requested_keyframe() -> None:
    units = encode(small_card(), VideoEncoder("libx264", SMALL), range(30), keyframes_at=(10,))
    assert len(decode_units(units[10:])) == 20


def test_there_are_no_b_frames_and_one_slice_per_picture() -> None:
    units = encode(small_card(), VideoEncoder("libx264", SMALL), range(40))
    kinds = {PictureType(picture.pict_type).name for picture in decode_units(units)}
    assert kinds == {"I", "P"}
    for unit in units:
        slices = [kind for kind in h264.nal_types(unit.data) if kind in (h264.NAL_SLICE, h264.NAL_IDR)]
        assert len(slices) == 1


def test_the_stream_says_the_profile_and_level_that_the_offer_says() -> None:
    unit = encode(TestcardSource(1920, 1080, 30, StepClock()), VideoEncoder("libx264", FULL_HD), range(1))[0]
    sps = unit.data[unit.data.index(b"\x00\x00\x01\x67") + 4 :]
    assert (sps[0], sps[2]) == (0x42, 40)
    assert sps[1] & 0x40, "constrained baseline"
    assert h264.profile_level_id(1920, 1080, 30) == "42e028"


def test_the_bitrate_follows_down_and_up_to_the_ceiling() -> None:
    settings = Encoding(640, 360, 30, 2_000_000, 3_000_000)
    encoder, card = VideoEncoder("libx264", settings), TestcardSource(640, 360, 30, StepClock())
    rates = []
    for index, wanted in enumerate((2_000_000, 500_000, 9_000_000)):
        encoder.set_rate(wanted, 30)
        units = encode(card, encoder, range(index * 120, index * 120 + 120))
        rates.append(bits_per_second(units[60:]))
    assert rates[0] == pytest.approx(2_000_000, rel=0.2)
    assert rates[1] == pytest.approx(500_000, rel=0.2)
    assert rates[2] == pytest.approx(3_000_000, rel=0.2)


@pytest.mark.parametrize("source", ["clip", "testcard"])
def test_a_full_hd_encoder_follows_a_changed_rate_within_half_a_second_both_ways(source: str) -> None:
    clock = StepClock()
    pictures = (
        ClipSource(None, 1920, 1080, 30, clock) if source == "clip" else TestcardSource(1920, 1080, 30, clock)
    )
    encoder = VideoEncoder("libx264", FULL_HD)
    encode(pictures, encoder, range(60))
    encoder.set_rate(1_200_000, 30)
    encode(pictures, encoder, range(60, 75))
    low = encode(pictures, encoder, range(75, 90))
    assert bits_per_second(low) <= 1_200_000 * 1.2
    encode(pictures, encoder, range(90, 120))
    encoder.set_rate(6_000_000, 30)
    encode(pictures, encoder, range(120, 135))
    high = encode(pictures, encoder, range(135, 150))
    assert bits_per_second(high) >= 6_000_000 * 0.7
    assert not any(unit.keyframe for unit in low + high)


def test_a_keyframe_at_a_lowered_rate_is_no_longer_than_its_buffer() -> None:
    card, encoder = TestcardSource(1920, 1080, 30, StepClock()), VideoEncoder("libx264", FULL_HD)
    encode(card, encoder, range(60))
    encoder.set_rate(1_200_000, 30)
    (unit,) = encode(card, encoder, range(60, 120), keyframes_at=(119,))[-1:]
    assert unit.keyframe
    assert len(unit.data) * 8 <= 1_200_000 * 0.2


def test_fewer_pictures_get_more_bits_each() -> None:
    settings = Encoding(640, 360, 30, 1_000_000, 3_000_000)
    encoder, card = VideoEncoder("libx264", settings), TestcardSource(640, 360, 30, StepClock())
    encoder.set_rate(1_000_000, 10)
    units = []
    for number in range(0, 240, 3):
        units += encode(card, encoder, range(number, number + 1))
    assert sum(len(unit.data) for unit in units[40:]) * 8 / 4 == pytest.approx(1_000_000, rel=0.2)


def test_a_picture_of_another_size_is_scaled() -> None:
    encoder = VideoEncoder("libx264", Encoding(320, 180, 30, 300_000, 300_000))
    (picture,) = decode_units(encode(TestcardSource(1280, 720, 30, StepClock()), encoder, range(1)))
    assert (picture.width, picture.height) == (320, 180)


def test_which_encoder_works_is_found_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def noting(name: str, settings: Encoding) -> bool:
        tried.append(name)
        return works(name, settings)

    monkeypatch.setattr("edge_agents.encoder.works", noting)
    shelf = EncoderShelf("libx264")
    assert [shelf.open(SMALL).name, shelf.open(FULL_HD).name] == ["libx264", "libx264"]
    assert tried == ["libx264"]


def test_only_encoders_that_encode_a_picture_are_used() -> None:
    assert works("libx264", SMALL)
    assert not works("h264_v4l2m2m", Encoding(64, 64, 30, 100_000, 100_000))
    assert open_encoder("libx264", SMALL).name == "libx264"
    with pytest.raises(EncoderError, match="h264_v4l2m2m"):
        open_encoder("h264_v4l2m2m", SMALL)


@pytest.mark.parametrize(
    ("size", "level"),
    [((1920, 1080, 30), 40), ((1920, 1080, 60), 42), ((1280, 720, 30), 31), ((3840, 2160, 30), 51)],
)
def test_the_level_is_the_lowest_that_allows_the_picture(size: tuple[int, int, int], level: int) -> None:
    assert h264.level_idc(*size) == level


def test_a_picture_beyond_every_level_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no H\.264 level"):
        h264.level_idc(7680, 4320, 60)
