"""Payload descriptors as browsers write them: picture ids, layers, element counts."""

from __future__ import annotations

import av
import pytest
from av.bitstream import BitStreamFilterContext

from core.errors import ProtocolError
from rtp.payload import av1, depacketizer_for
from rtp.payload.av1 import Av1Depacketizer
from rtp.payload.bits import read_leb128, write_leb128
from rtp.payload.vp9 import parse_descriptor, superframe
from tests.rtp.media_samples import video


def test_vp8_with_picture_id_and_layer_fields_gives_the_same_frame() -> None:
    frame = video("VP8")[0].data
    depacketizer = depacketizer_for("VP8")
    assert depacketizer.push(bytes.fromhex("90f081230720") + frame[:500], False, 9) is None
    unit = depacketizer.push(bytes.fromhex("80f081230720") + frame[500:], True, 9)
    assert unit is not None
    assert (unit.data, unit.keyframe) == (frame, True)


def test_a_vp8_picture_without_width_is_malformed() -> None:
    frame = bytes.fromhex("d04100 9d012a 0000 b600") + bytes(20)
    with pytest.raises(ProtocolError):
        depacketizer_for("VP8").push(b"\x10" + frame, True, 9)


def test_a_vp8_packet_with_nothing_behind_its_descriptor_is_malformed() -> None:
    with pytest.raises(ProtocolError):
        depacketizer_for("VP8").push(bytes.fromhex("90f08123"), False, 9)


@pytest.mark.parametrize(
    ("descriptor", "inter", "start", "end", "layer"),
    [
        ("8c05", False, True, True, 0),  # 7-bit picture id
        ("c88123", True, True, False, 0),  # 15-bit picture id
        ("a481230207", False, False, True, 1),  # spatial layer 1, TL0PICIDX
        ("f88123020304", True, True, False, 1),  # flexible mode, two references
        # scalability structure: one layer with its size, two pictures, the second with one reference
        ("8a05" + "18" + "014000b4" + "02" + "00" + "0401", False, True, False, 0),
    ],
)
def test_vp9_descriptors_are_read_to_their_end(
    descriptor: str, inter: bool, start: bool, end: bool, layer: int
) -> None:
    data = bytes.fromhex(descriptor)
    found = parse_descriptor(data + b"payload")
    assert found.size_bytes == len(data)
    assert (found.inter_predicted, found.starts_frame, found.ends_frame, found.spatial_layer) == (
        inter,
        start,
        end,
        layer,
    )
    for length in range(len(data)):
        with pytest.raises(ProtocolError):
            parse_descriptor(data[:length])


def test_vp9_layers_of_one_picture_become_a_superframe_that_ffmpeg_splits_again() -> None:
    base, upper = video("VP9")[0].data, video("VP9")[1].data
    depacketizer = depacketizer_for("VP9")
    packets = [
        (bytes.fromhex("ac05" + "0001") + base, False),
        (bytes.fromhex("e805" + "0301") + upper[:100], False),
        (bytes.fromhex("e405" + "0301") + upper[100:], True),
    ]
    unit = [depacketizer.push(payload, marker, 9) for payload, marker in packets][-1]
    assert unit is not None
    assert unit.keyframe
    assert unit.data == superframe([base, upper])
    split = BitStreamFilterContext("vp9_superframe_split", av.Codec("vp9", "r"))
    assert [bytes(packet) for packet in split.filter(av.Packet(unit.data))] == [base, upper]


def test_losing_an_upper_layer_costs_the_picture() -> None:
    base, upper = video("VP9")[0].data, video("VP9")[1].data
    depacketizer = depacketizer_for("VP9")
    assert depacketizer.push(bytes.fromhex("ac050001") + base, False, 9) is None
    assert depacketizer.push(bytes.fromhex("e4050301") + upper[100:], True, 9) is None
    assert depacketizer.dropped_frames == 1


def _sized(obu: bytes) -> bytes:
    return bytes((obu[0] | 0x02,)) + write_leb128(len(obu) - 1) + obu[1:]


def test_av1_elements_may_be_counted_carry_sizes_and_include_a_delimiter() -> None:
    sequence, *frames = av1.split_obus(video("AV1")[0].data)[1:]
    expected = b"".join(map(_sized, (sequence, *frames)))
    body = b"".join(frames)
    assert len(frames) == 1
    counted = bytes((0x28,)) + write_leb128(len(sequence)) + sequence + body
    delimited = (
        bytes((0x38,)) + b"\x02\x12\x00" + write_leb128(len(_sized(sequence))) + _sized(sequence) + body
    )
    for payload in (counted, delimited):
        unit = Av1Depacketizer().push(payload, True, 9)
        assert unit is not None
        assert unit.data == expected
        assert unit.keyframe
        assert unit.parameter_sets == (_sized(sequence),)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("20" + "0512", id="truncated element"),
        pytest.param("30" + "0132" + "0132", id="fewer elements than counted"),
        pytest.param("10", id="no element"),
        pytest.param("10" + "b200", id="forbidden bit"),
        pytest.param("10" + "320412", id="size beyond the element"),
        pytest.param("10" + "32001234", id="stray bytes behind the OBU"),
        pytest.param("00" + "ffffffffffffffffff", id="endless length"),
    ],
)
def test_malformed_av1_is_a_protocol_error(payload: str) -> None:
    with pytest.raises(ProtocolError):
        Av1Depacketizer().push(bytes.fromhex(payload), True, 0)


def test_after_a_gap_av1_goes_on_at_a_frame_of_the_lowest_layer_only() -> None:
    upper, lowest = bytes.fromhex("10" + "3408" + "10"), bytes.fromhex("10" + "3400" + "10")
    for payload, whole in ((upper, False), (lowest, True)):
        depacketizer = Av1Depacketizer()
        depacketizer.gap()
        assert (depacketizer.push(payload, True, 0) is not None) is whole


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32 - 1])
def test_leb128_numbers_survive(value: int) -> None:
    assert read_leb128(b"x" + write_leb128(value), 1) == (value, 1 + len(write_leb128(value)))


def test_leb128_beyond_32_bits_is_malformed() -> None:
    with pytest.raises(ProtocolError):
        read_leb128(write_leb128(2**32), 0)
