"""Datagrams on streams: however cut, the same datagrams; whatever comes, no more memory than a frame."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ProtocolError
from transport.framing import MAX_FRAME_BYTES, Rfc4571Framing, TurnFraming

CHANNEL = struct.pack("!HH", 0x4000, 5) + b"hello"
STUN = struct.pack("!HH", 0x0101, 8) + bytes(16) + bytes(8)
DATAGRAMS = st.lists(st.binary(min_size=1, max_size=200), max_size=8)
CUTS = st.lists(st.integers(min_value=1, max_value=50), max_size=40)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    found, position = [], 0
    for cut in cuts:
        found.append(stream[position : position + cut])
        position += cut
    return [*found, stream[position:]]


@given(DATAGRAMS, CUTS)
def test_datagrams_come_out_as_they_went_in_however_the_stream_is_cut(
    datagrams: list[bytes], cuts: list[int]
) -> None:
    receiver = Rfc4571Framing()
    stream = Rfc4571Framing().frame(datagrams)
    assert [found for piece in pieces(stream, cuts) for found in receiver.feed(piece)] == datagrams


@given(st.lists(st.sampled_from([CHANNEL, STUN]), max_size=8), CUTS)
def test_channel_data_and_messages_come_out_without_their_padding(
    messages: list[bytes], cuts: list[int]
) -> None:
    receiver = TurnFraming()
    stream = TurnFraming().frame(messages)
    assert len(stream) % 4 == 0
    assert [found for piece in pieces(stream, cuts) for found in receiver.feed(piece)] == messages


def test_empty_frames_are_skipped() -> None:
    assert Rfc4571Framing().feed(b"\x00\x00" * 3 + b"\x00\x01x") == [b"x"]


@pytest.mark.parametrize("framing", [Rfc4571Framing, TurnFraming])
@given(data=st.lists(st.binary(max_size=300), max_size=30))
def test_any_bytes_end_the_stream_or_wait_for_the_rest_of_one_frame(
    framing: type[Rfc4571Framing] | type[TurnFraming], data: list[bytes]
) -> None:
    receiver = framing()
    try:
        for piece in data:
            assert all(len(found) <= MAX_FRAME_BYTES for found in receiver.feed(piece))
            assert len(receiver._rest) <= MAX_FRAME_BYTES + 2
    except ProtocolError:
        pass


def test_what_announces_more_than_any_datagram_has_is_refused_before_it_comes() -> None:
    with pytest.raises(ProtocolError):
        Rfc4571Framing().feed(struct.pack("!H", MAX_FRAME_BYTES + 1))
    with pytest.raises(ProtocolError):
        TurnFraming().feed(struct.pack("!HH", 0x4000, MAX_FRAME_BYTES))
    with pytest.raises(ProtocolError):
        TurnFraming().feed(b"\xff\xff\x00\x00")
