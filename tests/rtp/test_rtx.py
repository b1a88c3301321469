"""Retransmission packets."""

from __future__ import annotations

import pytest
from hypothesis import given

from core.errors import ProtocolError
from rtp.packet import RtpPacket
from rtp.rtx import unwrap, wrap
from tests.rtp.test_packet import packets


@given(packets())
def test_unwrapping_a_retransmission_gives_the_original(packet: RtpPacket) -> None:
    wrapped = wrap(packet, ssrc=99, payload_type=97, sequence_number=5)
    assert (wrapped.ssrc, wrapped.payload_type, wrapped.sequence_number) == (99, 97, 5)
    packet.padding_bytes = 0
    assert unwrap(wrapped, ssrc=packet.ssrc, payload_type=packet.payload_type) == packet


def test_the_original_number_stands_before_the_payload() -> None:
    wrapped = wrap(
        RtpPacket(sequence_number=0xABCD, payload=b"x"), ssrc=1, payload_type=97, sequence_number=0
    )
    assert wrapped.payload == b"\xab\xcdx"


def test_a_padding_probe_carries_no_original() -> None:
    assert unwrap(RtpPacket(payload=b"", padding_bytes=200), ssrc=1, payload_type=96) is None


def test_half_an_original_number_is_refused() -> None:
    with pytest.raises(ProtocolError):
        unwrap(RtpPacket(payload=b"\x01"), ssrc=1, payload_type=96)
