"""Which payloads begin a keyframe: hand-made ones, field by field."""

from __future__ import annotations

import pytest

from rtp.keyframe import is_keyframe


@pytest.mark.parametrize(
    ("codec", "payload", "expected"),
    [
        pytest.param("H264", "6588", True, id="IDR slice, first of its picture"),
        pytest.param("H264", "6548", False, id="IDR slice, not the first of its picture"),
        pytest.param("H264", "6188", False, id="non-IDR slice"),
        pytest.param("H264", "6742e01f", True, id="SPS alone"),
        pytest.param("H264", "68ce3c80", False, id="PPS alone"),
        pytest.param("H264", "78000568ce3c800100", False, id="STAP-A without SPS or IDR"),
        pytest.param("H264", "780002090f00046742e01f", True, id="STAP-A with an SPS behind the AUD"),
        pytest.param("H264", "7800", False, id="truncated STAP-A"),
        pytest.param("H264", "7c8588", True, id="FU-A, start of an IDR"),
        pytest.param("H264", "7c0588", False, id="FU-A, middle of an IDR"),
        pytest.param("H264", "7c8548", False, id="FU-A, start of a later slice of an IDR"),
        pytest.param("H264", "7c8188", False, id="FU-A, start of a non-IDR slice"),
        pytest.param("H264", "7c87", True, id="FU-A, start of an SPS"),
        pytest.param("VP8", "1050000000", True, id="first partition, P = 0"),
        pytest.param("VP8", "1051000000", False, id="first partition, P = 1"),
        pytest.param("VP8", "0050000000", False, id="not the start of a partition"),
        pytest.param("VP8", "1150000000", False, id="another partition"),
        pytest.param("VP8", "9080015000", True, id="7-bit picture id"),
        pytest.param("VP8", "908081015000", True, id="15-bit picture id"),
        pytest.param("VP8", "90e0810100205000", True, id="picture id, TL0PICIDX and TID"),
        pytest.param("VP8", "90f0810100205000", True, id="all of the descriptor"),
        pytest.param("VP8", "90f08101002051", False, id="all of the descriptor, P = 1"),
        pytest.param("VP9", "0882", True, id="start, not predicted"),
        pytest.param("VP9", "4882", False, id="start, predicted"),
        pytest.param("VP9", "0082", False, id="not the start"),
        pytest.param("VP9", "8a0182", True, id="7-bit picture id, no layers"),
        pytest.param("VP9", "aa80010000", True, id="15-bit picture id, spatial layer 0"),
        pytest.param("VP9", "aa80010300", False, id="spatial layer 1 of a keyframe"),
        pytest.param("VP9", "a80003", False, id="spatial layer 1, 7-bit picture id"),
        pytest.param("AV1", "180a01", True, id="new sequence"),
        pytest.param("AV1", "100a0b", True, id="no N bit, sequence header first"),
        pytest.param("AV1", "1032", False, id="frame"),
        pytest.param("AV1", "98", False, id="one byte"),
        pytest.param("AV1", "980a01", False, id="continuation"),
        pytest.param("AV1", "00030a0b00", True, id="element with length, sequence header"),
        pytest.param("AV1", "00ff", False, id="truncated length"),
        pytest.param("opus", "fc00", False, id="audio"),
        pytest.param("H264", "", False, id="empty"),
    ],
)
def test_a_payload_begins_a_keyframe(codec: str, payload: str, expected: bool) -> None:
    assert is_keyframe(codec, bytes.fromhex(payload)) is expected


@pytest.mark.parametrize(
    ("descriptor", "expected"),
    [("80000180", True), ("80000100", False), ("00000180", False), ("c00001", False)],
)
def test_a_dependency_descriptor_with_a_structure_at_a_frame_start_is_a_keyframe(
    descriptor: str, expected: bool
) -> None:
    assert is_keyframe("AV1", bytes.fromhex("1032"), bytes.fromhex(descriptor)) is expected
