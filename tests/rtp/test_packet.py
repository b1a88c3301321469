"""RTP packets: every legal form survives parsing and serializing, everything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ProtocolError
from rtp.packet import RtpPacket, header_length, is_rtcp, is_rtp, parse_rtp

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)


@st.composite
def packets(draw: st.DrawFn) -> RtpPacket:
    has_extension = draw(st.booleans())
    return RtpPacket(
        ssrc=draw(u32),
        payload_type=draw(st.integers(0, 127)),
        sequence_number=draw(u16),
        timestamp=draw(u32),
        marker=draw(st.booleans()),
        csrcs=tuple(draw(st.lists(u32, max_size=15))),
        extension_profile=draw(u16) if has_extension else None,
        extension=draw(st.binary(max_size=10)).ljust(12, b"\0") if has_extension else b"",
        payload=draw(st.binary(max_size=60)),
        padding_bytes=draw(st.integers(0, 255)),
    )


@given(packets())
def test_serializing_and_parsing_gives_the_same_packet(packet: RtpPacket) -> None:
    data = packet.serialize()
    assert parse_rtp(data) == packet
    assert header_length(data) == len(packet.header())
    assert data == packet.header() + packet.body()


@given(st.binary(max_size=80))
def test_random_bytes_parse_or_raise_only_protocol_errors(data: bytes) -> None:
    try:
        packet = parse_rtp(data)
    except ProtocolError:
        return
    again = parse_rtp(packet.serialize())
    assert again == packet


@given(packets(), st.data())
def test_a_truncated_header_is_refused(packet: RtpPacket, data: st.DataObject) -> None:
    header = packet.header()
    cut = data.draw(st.integers(0, len(header) - 1))
    with pytest.raises(ProtocolError):
        header_length(header[:cut])


def test_the_wire_form_is_that_of_rfc_3550() -> None:
    packet = RtpPacket(
        ssrc=0x01020304,
        payload_type=96,
        sequence_number=0xABCD,
        timestamp=0x11223344,
        marker=True,
        csrcs=(5,),
        extension_profile=0xBEDE,
        extension=b"\x10a\0\0",
        payload=b"xy",
        padding_bytes=3,
    )
    assert packet.serialize().hex() == (
        "b1e0abcd11223344010203040000000" + "5" + "bede0001" + "10610000" + "7879" + "000003"
    )


def test_padding_with_any_content_is_read_and_its_count_checked() -> None:
    head = bytes.fromhex("a060000100000002" + "00000003")
    assert parse_rtp(head + b"ab\xff\x02").payload == b"ab"
    for body in (b"", b"ab\x00", b"ab\x04"):
        with pytest.raises(ProtocolError):
            parse_rtp(head + body)


def test_only_version_two_is_rtp() -> None:
    good = RtpPacket(payload=b"x").serialize()
    for version in (0, 1, 3):
        with pytest.raises(ProtocolError):
            parse_rtp(bytes((version << 6,)) + good[1:])


def test_the_arrival_time_is_carried_but_is_no_part_of_identity() -> None:
    data = RtpPacket(payload=b"x").serialize()
    assert parse_rtp(data, 7).arrival_ns == 7
    assert parse_rtp(data, 7) == parse_rtp(data, 8)


def test_fields_that_do_not_fit_are_refused_when_writing() -> None:
    for wrong in (
        RtpPacket(payload_type=128),
        RtpPacket(sequence_number=0x10000),
        RtpPacket(timestamp=-1),
        RtpPacket(csrcs=(0,) * 16),
        RtpPacket(padding_bytes=256),
        RtpPacket(extension_profile=1, extension=b"abc"),
    ):
        with pytest.raises(ValueError, match="RTP"):
            wrong.serialize()


def test_demultiplexing_follows_rfc_7983_and_5761() -> None:
    rtp = RtpPacket(payload_type=96, marker=True).serialize()
    rtcp = bytes.fromhex("80c90001") + bytes(4)
    stun, dtls = b"\0\1" + bytes(18), b"\x16" + bytes(20)
    assert is_rtp(rtp)
    assert not is_rtcp(rtp)
    assert is_rtcp(rtcp + bytes(8))
    assert not is_rtp(rtcp + bytes(8))
    for other in (stun, dtls, b"", rtp[:11]):
        assert not is_rtp(other)
        assert not is_rtcp(other)
    for packet_type, expected in ((191, False), (192, True), (223, True), (224, False)):
        assert is_rtcp(bytes((0x80, packet_type)) + bytes(10)) is expected
