"""H.264 payloads: aggregation, fragmentation, parameter sets (RFC 6184)."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ProtocolError
from rtp.payload.h264 import H264Depacketizer, packetize, split_annex_b
from rtp.payload.h264_sps import picture_size

START = b"\x00\x00\x00\x01"
AUD, SPS, PPS, SEI = b"\x09\xf0", b"\x67\x42\xe0\x1f\xda", b"\x68\xce\x3c\x80", b"\x06\x05\x01\x80"


def unit(kind: int, size: int, *, first: bool = True) -> bytes:
    return bytes((0x60 | kind, 0x88 if first else 0x48)) + bytes(1 + index % 255 for index in range(size - 2))


def annex_b(*units: bytes) -> bytes:
    return b"".join(START + data for data in units)


def test_small_units_share_one_aggregate_with_the_highest_priority_inside() -> None:
    assert packetize(annex_b(AUD, SPS, PPS), 100) == [
        b"\x78\x00\x02" + AUD + b"\x00\x05" + SPS + b"\x00\x04" + PPS,
    ]


def test_a_single_unit_goes_as_it_is() -> None:
    assert packetize(annex_b(unit(1, 50)), 100) == [unit(1, 50)]


def test_start_codes_of_three_and_four_bytes_and_trailing_zeros_are_no_content() -> None:
    assert split_annex_b(b"\x00\x00\x01" + SPS + START + PPS + b"\x00\x00\x00\x01" + SEI + b"\x00\x00") == [
        SPS,
        PPS,
        SEI,
    ]


@pytest.mark.parametrize("size", [101, 102, 199, 200, 1_000, 4_999, 40_000])
def test_fragments_have_one_size_but_the_last_which_is_not_longer(size: int) -> None:
    payloads = packetize(annex_b(unit(5, size)), 100)
    sizes = [len(payload) for payload in payloads]
    assert len(set(sizes[:-1])) == 1
    assert sizes[-1] <= sizes[0] <= 100
    assert len(payloads) == -(-(size - 1) // 98)


@given(st.integers(101, 40_000), st.integers(0, 40))
def test_a_frame_whose_first_header_is_longer_still_makes_packets_of_one_size(size: int, less: int) -> None:
    access_unit = annex_b(unit(1, size))
    payloads = packetize(access_unit, 100, less)
    sizes = [len(payloads[0]) + less, *map(len, payloads[1:])]
    assert max(sizes) <= 100
    assert len(set(sizes[:-1])) == 1
    assert sizes[-1] <= sizes[0]
    assert b"".join(payload[2:] for payload in payloads) == split_annex_b(access_unit)[0][1:]


def test_fragments_carry_type_priority_start_and_end() -> None:
    payloads = packetize(annex_b(unit(5, 300)), 102)
    assert [payload[:2].hex() for payload in payloads] == ["7c85", "7c05", "7c45"]


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 5, 6, 7, 8, 9]), st.integers(2, 400)),
        min_size=1,
        max_size=12,
    ),
    st.integers(20, 300),
)
@settings(deadline=None)
def test_any_units_survive_any_payload_limit(shape: list[tuple[int, int]], limit: int) -> None:
    units = [unit(kind, size) for kind, size in shape]
    payloads = packetize(annex_b(*units), limit)
    assert max(map(len, payloads)) <= limit
    depacketizer = H264Depacketizer()
    results = [depacketizer.push(data, index == len(payloads) - 1, 9) for index, data in enumerate(payloads)]
    assert results[:-1] == [None] * (len(payloads) - 1)
    assert results[-1] is not None
    assert results[-1].data == annex_b(*units)
    assert results[-1].keyframe is any(kind == 5 for kind, _ in shape)


def test_an_access_unit_without_units_is_refused() -> None:
    with pytest.raises(ValueError, match="NAL"):
        packetize(b"\x01\x02\x03", 100)


def test_parameter_sets_come_with_the_access_unit() -> None:
    depacketizer = H264Depacketizer()
    result = None
    for index, payload in enumerate(payloads := packetize(annex_b(SPS, PPS, unit(5, 500)), 100)):
        result = depacketizer.push(payload, index == len(payloads) - 1, 0)
    assert result is not None
    assert result.parameter_sets == (SPS, PPS)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"\xe1\x80", id="forbidden bit"),
        pytest.param(b"\x00\x01", id="type 0"),
        pytest.param(b"\x79\x00\x00\x00", id="STAP-B"),
        pytest.param(b"\x7d\x80\x00", id="FU-B"),
        pytest.param(b"\x78\x00\x00", id="empty unit in a STAP-A"),
        pytest.param(b"\x78\x00\x05\x67", id="truncated STAP-A"),
        pytest.param(b"\x78\x00", id="truncated length in a STAP-A"),
        pytest.param(b"\x7c\x85", id="empty FU-A"),
        pytest.param(b"\x7c\xc5\x88", id="FU-A that starts and ends"),
    ],
)
def test_malformed_payloads_are_protocol_errors_and_cost_the_frame(payload: bytes) -> None:
    depacketizer = H264Depacketizer()
    assert depacketizer.push(unit(1, 10), False, 5) is None
    with pytest.raises(ProtocolError):
        depacketizer.push(payload, False, 5)
    assert depacketizer.push(unit(1, 10), True, 5) is None
    assert depacketizer.dropped_frames == 1
    after = depacketizer.push(unit(1, 10), True, 6)
    assert after is not None
    assert after.after_loss


def test_a_fragment_without_its_end_is_noticed_at_the_next_unit() -> None:
    depacketizer = H264Depacketizer()
    for payload in packetize(annex_b(unit(1, 300)), 102)[:-1]:
        assert depacketizer.push(payload, False, 0) is None
    assert depacketizer.push(unit(1, 10), True, 0) is None
    assert depacketizer.dropped_frames == 1


def test_after_a_gap_a_frame_that_may_lack_its_first_slice_is_dropped() -> None:
    depacketizer = H264Depacketizer()
    assert depacketizer.push(unit(1, 10), True, 0) is not None
    depacketizer.gap()
    assert depacketizer.push(unit(1, 10, first=False), True, 3000) is None
    following = depacketizer.push(unit(1, 10), True, 6000)
    assert following is not None
    assert following.after_loss


def test_after_a_gap_a_frame_that_shows_its_first_slice_is_whole() -> None:
    depacketizer = H264Depacketizer()
    depacketizer.gap()
    result = depacketizer.push(unit(1, 10), True, 3000)
    assert result is not None
    assert result.after_loss


def _encoded_sps(width: int, height: int, profile: str, pix_fmt: str, params: str) -> bytes:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, pix_fmt
    context.time_base, context.thread_count = Fraction(1, 30), 1
    context.options = {"preset": "ultrafast", "profile": profile, "x264-params": params}
    frame = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24")
    frame = frame.reformat(format=pix_fmt)
    frame.pts = 0
    stream = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    return next(data for data in split_annex_b(stream) if data[0] & 0x1F == 7)


@pytest.mark.parametrize("size", [(1920, 1080), (640, 480), (322, 182), (16, 16), (720, 576)])
@pytest.mark.parametrize(
    ("profile", "pix_fmt", "params"),
    [
        ("baseline", "yuv420p", "ref=1"),
        ("high", "yuv420p", "cqm=jvt:ref=4:bframes=2"),
        ("high422", "yuv422p", "ref=2"),
        ("high444", "yuv444p", "ref=1"),
    ],
)
def test_the_picture_size_is_read_from_real_parameter_sets(
    size: tuple[int, int], profile: str, pix_fmt: str, params: str
) -> None:
    assert picture_size(_encoded_sps(*size, profile, pix_fmt, params)) == size


@pytest.mark.parametrize("size", [(720, 576), (1920, 1080)])
def test_the_picture_size_of_interlaced_video_counts_both_fields(size: tuple[int, int]) -> None:
    assert picture_size(_encoded_sps(*size, "main", "yuv420p", "interlaced=1")) == size


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_any_bytes_as_parameter_set_give_a_size_or_a_protocol_error(data: bytes) -> None:
    try:
        width, height = picture_size(b"\x67" + data)
    except ProtocolError:
        return
    assert width > 0
    assert height > 0
