"""How large a layer's pictures are, read from the packets that say so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.payload import h264, vp8, vp9
from sfu.picture import pixels_of
from tests.rtp.media_samples import HEIGHT, WIDTH, video

PIXELS = WIDTH * HEIGHT
MTU_BYTES = 1_100


def packets(codec: str, index: int) -> list[bytes]:
    """Payloads of a frame of a real encoder; every fifth is a keyframe."""
    frame = video(codec)[index]
    if codec == "H264":
        return h264.packetize(frame.data, MTU_BYTES)
    if codec == "VP8":
        return vp8.packetize(frame.data, MTU_BYTES)
    return vp9.packetize(frame.data, MTU_BYTES, keyframe=frame.keyframe)


@pytest.mark.parametrize("codec", ["H264", "VP8", "VP9"])
def test_the_packet_that_begins_a_keyframe_says_how_large_it_is(codec: str) -> None:
    assert pixels_of(codec, packets(codec, 0)[0]) == PIXELS


@pytest.mark.parametrize("codec", ["H264", "VP8", "VP9"])
def test_other_frames_say_nothing(codec: str) -> None:
    assert [pixels_of(codec, payload) for payload in packets(codec, 1)] == [0] * len(packets(codec, 1))


def test_codecs_we_cannot_read_say_nothing() -> None:
    assert pixels_of("AV1", b"\x08\x0a\x0b") == 0
    assert pixels_of("opus", b"\xfc\xff") == 0


@given(st.sampled_from(["H264", "VP8", "VP9", "AV1"]), st.binary(max_size=60), st.integers(0, 40))
def test_no_bytes_trouble_it(codec: str, noise: bytes, cut: int) -> None:
    assert pixels_of(codec, noise) >= 0
    if codec != "AV1":
        assert pixels_of(codec, packets(codec, 0)[0][:cut] + noise) >= 0
