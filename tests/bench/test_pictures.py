"""What the benches' publishers send looks like H.264 to whoever forwards it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.encoded_pictures import EncodedPictures
from bench.pictures import STAMP_BYTES, LayeredPictures, Pictures, SizedPictures
from rtp.keyframe import is_keyframe

MAKERS = [LayeredPictures, lambda: SizedPictures(4_000_000, 1)]


@pytest.mark.parametrize("make", MAKERS, ids=["layered", "sized"])
def test_keyframes_come_first_and_when_asked_for_in_every_encoding(make: Callable[[], Pictures]) -> None:
    pictures = make()
    seen = [pictures.next(keyframe_wanted=wanted, unix_ns=7) for wanted in (False, False, False, True, False)]
    for rid in pictures.rids or ("",):
        begins = [is_keyframe("H264", frame[rid][0]) for frame in seen]
        assert begins == [True, False, False, True, False]
        assert sum(map(len, seen[0][rid])) > 2 * sum(map(len, seen[1][rid]))


def test_pictures_of_a_camera_have_its_bit_rate_and_a_stamp_in_every_packet() -> None:
    pictures = SizedPictures(4_000_000, 1)
    seconds, stamp = 20, (1234).to_bytes(STAMP_BYTES, "big")
    sent = [
        payload
        for _ in range(seconds * pictures.fps)
        for payload in pictures.next(keyframe_wanted=False, unix_ns=1234)[""]
    ]
    assert sum(map(len, sent)) * 8 / seconds == pytest.approx(4_000_000, rel=0.1)
    assert all(payload.endswith(stamp) for payload in sent)
    assert max(map(len, sent)) <= SizedPictures.MAX_PAYLOAD_BYTES + STAMP_BYTES


def test_encoded_pictures_begin_anew_at_their_end_and_for_a_keyframe() -> None:
    units = [b"\0\0\0\1\x65\x88first", b"\0\0\0\1\x41\x9asecond", b"\0\0\0\1\x41\x9athird"]
    pictures = EncodedPictures(units)
    wanted = [False, False, True, False, False, False]
    seen = [pictures.next(keyframe_wanted=one, unix_ns=0)[""][0][2:] for one in wanted]
    assert seen == [b"first", b"second", b"first", b"second", b"third", b"first"]
