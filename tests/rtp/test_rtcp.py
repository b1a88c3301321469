"""RTCP: every packet we send can be read back, every malformed one is refused as a whole."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ProtocolError
from rtp.rtcp import (
    Fir,
    FirRequest,
    Goodbye,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    UnknownRtcp,
    build_compound,
    parse_compound,
)

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
names = st.text(max_size=20)
blocks = st.lists(
    st.builds(ReportBlock, u32, u8, st.integers(-0x800000, 0x7FFFFF), u32, u32, u32, u32), max_size=31
).map(tuple)


def exact_bitrates() -> st.SearchStrategy[int]:
    return st.builds(
        lambda mantissa, exponent: mantissa << exponent, st.integers(0, 2**18 - 1), st.integers(0, 40)
    )


@st.composite
def nacks(draw: st.DrawFn) -> Nack:
    base = draw(u16)
    steps = draw(st.sets(st.integers(0, 5000), min_size=1, max_size=60))
    return Nack(draw(u32), draw(u32), tuple((base + step) & 0xFFFF for step in sorted(steps)))


rtcp_packets: st.SearchStrategy[RtcpPacket] = st.one_of(
    st.builds(SenderReport, u32, st.integers(0, 2**64 - 1), u32, u32, u32, blocks),
    st.builds(ReceiverReport, u32, blocks),
    st.builds(SourceDescription, st.lists(st.tuples(u32, names), max_size=31).map(tuple)),
    st.builds(Goodbye, st.lists(u32, max_size=31).map(tuple), names),
    nacks(),
    st.builds(Pli, u32, u32),
    st.builds(Fir, u32, st.lists(st.builds(FirRequest, u32, u8), min_size=1, max_size=5).map(tuple)),
    st.builds(Remb, u32, exact_bitrates(), st.lists(u32, max_size=10).map(tuple)),
    st.builds(UnknownRtcp, st.sampled_from([192, 204, 207, 223]), st.integers(0, 31), st.just(b"abcdefgh")),
)


@given(st.lists(rtcp_packets, min_size=1, max_size=5))
def test_what_is_built_is_parsed_again(packets: list[RtcpPacket]) -> None:
    data = build_compound(packets)
    assert len(data) % 4 == 0
    assert parse_compound(data) == packets


@given(st.binary(max_size=80))
def test_random_bytes_parse_or_raise_only_protocol_errors(data: bytes) -> None:
    try:
        parse_compound(data)
    except ProtocolError:
        return


@given(
    st.lists(
        st.tuples(st.integers(0x80, 0xBF), st.integers(192, 223), st.binary(max_size=60)),
        min_size=1,
        max_size=4,
    )
)
def test_well_framed_nonsense_parses_or_raises_only_protocol_errors(
    parts: list[tuple[int, int, bytes]],
) -> None:
    data = b""
    for first, kind, body in parts:
        body += bytes(-len(body) % 4)
        data += struct.pack("!BBH", first, kind, len(body) // 4) + body
    try:
        packets = parse_compound(data)
    except ProtocolError:
        return
    assert len(packets) == len(parts)


@given(st.lists(rtcp_packets, min_size=1, max_size=3), st.data())
def test_a_truncated_compound_is_refused(packets: list[RtcpPacket], data: st.DataObject) -> None:
    whole = build_compound(packets)
    boundaries = {len(build_compound(packets[: i + 1])) for i in range(len(packets))}
    cut = data.draw(st.integers(0, len(whole) - 1))
    if cut in boundaries:
        assert len(parse_compound(whole[:cut])) < len(packets)
    else:
        with pytest.raises(ProtocolError):
            parse_compound(whole[:cut])


def test_a_sender_report_has_the_wire_form_of_rfc_3550() -> None:
    block = ReportBlock(2, 0x40, -2, 0x00010005, 7, 8, 9)
    report = SenderReport(1, 0x1122334455667788, 3, 4, 5, (block,))
    assert build_compound([report]).hex() == (
        "81c8000c" + "00000001" + "1122334455667788" + "000000030000000400000005"
        "00000002" + "40fffffe" + "00010005" + "00000007" + "00000008" + "00000009"
    )


def test_a_nack_packs_sixteen_followers_into_one_item() -> None:
    lost = (65_534, 65_535, 0, 14, 15)
    data = build_compound([Nack(1, 2, lost)])
    assert data.hex() == "81cd0004" + "00000001" + "00000002" + "fffe8003" + "000f0000"
    assert parse_compound(data) == [Nack(1, 2, lost)]


def test_a_nack_given_in_disorder_comes_out_in_order_and_once() -> None:
    data = build_compound([Nack(1, 2, (3, 65_535, 3, 1))])
    assert parse_compound(data) == [Nack(1, 2, (65_535, 1, 3))]


def test_a_remb_has_an_exponent_and_eighteen_bits() -> None:
    data = build_compound([Remb(1, 4_000_000, (2,))])
    assert data.hex() == "8fce0005" + "00000001" + "00000000" + "52454d42" + "0113d090" + "00000002"
    (remb,) = parse_compound(build_compound([Remb(1, 4_000_001_234, ())]))
    assert isinstance(remb, Remb)
    assert 0 <= 4_000_001_234 - remb.bitrate_bps < 4_000_001_234 / 2**17


def test_padding_is_taken_off_and_impossible_padding_refused() -> None:
    padded = bytes.fromhex("a0c90002" + "00000001" + "00000004")
    plain = build_compound([ReceiverReport(2)])
    assert parse_compound(plain + padded) == [ReceiverReport(2), ReceiverReport(1)]
    for count in (0, 9):
        with pytest.raises(ProtocolError):
            parse_compound(padded[:-1] + bytes((count,)))


@pytest.mark.parametrize(
    ("sent", "base", "packets"),
    [
        ("afcd0008000000011859a6990086000c09005304200c84000000000000000e0000000002", 0x86, 12),
        ("afcd000600000001e714b8c60000000309004e0020032c0100000003", 0, 3),
        ("afcd000900000001e714b8c60d6500100900d27f2010c8000300000100000000000000003d000002", 0xD65, 16),
    ],
)
def test_chromiums_transport_feedback_is_read_though_its_padding_is_no_multiple_of_four(
    sent: str, base: int, packets: int
) -> None:
    """As Chromium 156 sent it; also in front of others in a compound."""
    wire = bytes.fromhex(sent)
    for compound in (wire, wire + build_compound([ReceiverReport(2)])):
        feedback = parse_compound(compound)[0]
        assert isinstance(feedback, TransportFeedback)
        assert feedback.base_sequence == base
        assert len(feedback.deltas) == packets


def test_for_peers_without_reduced_size_a_report_goes_first() -> None:
    full = build_compound([Pli(7, 8)], reduced_size=False)
    assert parse_compound(full) == [ReceiverReport(7), Pli(7, 8)]
    report = SenderReport(1, 2, 3, 4, 5)
    assert build_compound([report, Pli(7, 8)], reduced_size=False) == build_compound([report, Pli(7, 8)])


def test_other_items_of_a_source_description_are_passed_over() -> None:
    chunk = b"\0\0\0\5" + b"\2\3Bob" + b"\1\2cn" + b"\6\1x"
    chunk += bytes(4 - len(chunk) % 4)
    data = struct.pack("!BBH", 0x81, 202, len(chunk) // 4) + chunk
    assert parse_compound(data) == [SourceDescription(((5, "cn"),))]


def test_a_cname_that_is_no_text_does_not_break_the_report() -> None:
    chunk = b"\0\0\0\5" + b"\1\2\xff\xfe" + bytes(4)
    data = struct.pack("!BBH", 0x81, 202, len(chunk) // 4) + chunk
    (packet,) = parse_compound(data)
    assert isinstance(packet, SourceDescription)
    assert packet.cnames[0][0] == 5


@pytest.mark.parametrize(
    "packet",
    [
        Nack(1, 2, ()),
        Fir(1, ()),
        Pli(-1, 0),
        ReceiverReport(1, (ReportBlock(1, 0, 0, 0, 0, 0, 0),) * 32),
        Remb(1, -1, ()),
        Remb(1, 1 << 90, ()),
        SourceDescription(((1, "x" * 256),)),
        Goodbye((1,), "x" * 256),
        UnknownRtcp(204, 0, b"odd"),
        TransportFeedback(1, 2, 0, 0, 0, ()),
        TransportFeedback(1, 2, 0, 1 << 23, 0, (1,)),
        TransportFeedback(1, 2, 0, 0, 0, (40_000,)),
    ],
)
def test_values_that_do_not_fit_are_refused_when_writing(packet: RtcpPacket) -> None:
    with pytest.raises(ValueError, match=r"RTCP|REMB|feedback"):
        build_compound([packet])


def test_nothing_is_not_a_compound() -> None:
    with pytest.raises(ValueError, match="at least one"):
        build_compound([])
    with pytest.raises(ProtocolError):
        parse_compound(b"")


@pytest.mark.parametrize(
    "bomb",
    [
        [TransportFeedback(1, 2, 0, 0, 0, (None,) * 10_000)] * 2,
        [Nack(1, 2, tuple(range(10_001)))],
        [Pli(1, 2)] * 342,
    ],
    ids=["about 20,000 packets in 72 bytes", "10,001 packets", "4,104 bytes"],
)
def test_a_compound_that_would_keep_us_busy_is_refused(bomb: list[RtcpPacket]) -> None:
    parse_compound(build_compound(bomb[: len(bomb) // 2] or [Pli(1, 2)]))
    with pytest.raises(ProtocolError, match="too"):
        parse_compound(build_compound(bomb))
