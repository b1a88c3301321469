"""Values of header extensions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ProtocolError
from rtp.extensions import (
    AbsoluteCaptureTime,
    AudioLevel,
    decode_abs_capture_time,
    decode_abs_send_time,
    decode_audio_level,
    decode_playout_delay,
    decode_token,
    decode_transport_number,
    encode_abs_capture_time,
    encode_abs_send_time,
    encode_audio_level,
    encode_playout_delay,
    encode_token,
    encode_transport_number,
)

UNIX_2026_NS = 1_780_000_000_123_456_789


@given(st.integers(0, 4_000_000_000 * 10**9 // 2), st.none() | st.integers(-(10**18), 10**18))
def test_capture_time_survives_to_two_nanoseconds(capture_ns: int, offset_ns: int | None) -> None:
    decoded = decode_abs_capture_time(encode_abs_capture_time(AbsoluteCaptureTime(capture_ns, offset_ns)))
    assert abs(decoded.capture_ns - capture_ns) <= 2
    assert (decoded.clock_offset_ns is None) == (offset_ns is None)
    assert abs((decoded.clock_offset_ns or 0) - (offset_ns or 0)) <= 2


def test_send_time_is_six_bits_of_seconds_and_eighteen_of_fraction() -> None:
    assert encode_abs_send_time(1_500_000_000) == bytes.fromhex("060000")
    assert encode_abs_send_time(64_000_000_000 + 1_500_000_000) == bytes.fromhex("060000")
    assert decode_abs_send_time(bytes.fromhex("060000")) == 1_500_000_000
    decoded = decode_abs_send_time(encode_abs_send_time(UNIX_2026_NS))
    assert abs(decoded - UNIX_2026_NS % 64_000_000_000) < 4000


def test_playout_delay_is_in_steps_of_ten_milliseconds() -> None:
    assert encode_playout_delay(0, 100) == bytes.fromhex("00000a")
    assert decode_playout_delay(encode_playout_delay(40, 40_950)) == (40, 40_950)
    for low, high in ((-10, 0), (20, 10), (0, 40_960)):
        with pytest.raises(ValueError, match="playout"):
            encode_playout_delay(low, high)


def test_audio_level_has_a_voice_bit() -> None:
    assert encode_audio_level(AudioLevel(30, True)) == b"\x9e"
    assert decode_audio_level(b"\x1e") == AudioLevel(30, False)
    assert decode_audio_level(b"\x9e\0") == AudioLevel(30, True)
    with pytest.raises(ValueError, match="level"):
        encode_audio_level(AudioLevel(128, False))


def test_transport_numbers_wrap_at_sixteen_bits() -> None:
    assert encode_transport_number(65_537) == b"\0\1"
    assert decode_transport_number(b"\xff\xfe") == 65_534
    assert decode_transport_number(b"\xff\xfe\0\0") == 65_534


@given(st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=16))
def test_mid_and_rid_survive(text: str) -> None:
    assert decode_token(encode_token(text)) == text
    assert decode_token(encode_token(text) + b"\0\0") == text


@pytest.mark.parametrize("text", ["", "é", "x" * 256])
def test_impossible_mids_are_refused_when_writing(text: str) -> None:
    with pytest.raises(ValueError, match="mid"):
        encode_token(text)


DECODERS: list[Callable[[bytes], object]] = [
    decode_abs_capture_time,
    decode_abs_send_time,
    decode_audio_level,
    decode_playout_delay,
    decode_token,
    decode_transport_number,
]


@given(st.sampled_from(DECODERS), st.binary(max_size=20))
def test_random_values_decode_or_raise_only_protocol_errors(
    decode: Callable[[bytes], object], value: bytes
) -> None:
    try:
        decode(value)
    except ProtocolError:
        return


def test_a_playout_delay_whose_minimum_is_above_its_maximum_is_refused() -> None:
    with pytest.raises(ProtocolError):
        decode_playout_delay((5 << 12 | 4).to_bytes(3, "big"))


@pytest.mark.parametrize("decode", DECODERS)
def test_an_empty_value_is_refused(decode: Callable[[bytes], object]) -> None:
    with pytest.raises(ProtocolError):
        decode(b"")
