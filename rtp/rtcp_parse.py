"""RTCP bytes → values. They come from the network: whatever is wrong with them is a `ProtocolError`."""

from __future__ import annotations

import struct
from typing import Final

from core.errors import ProtocolError
from rtp.rtcp_feedback import Nack, parse_feedback
from rtp.rtcp_types import (
    BYE,
    PSFB,
    RR,
    RTPFB,
    SDES,
    SDES_CNAME,
    SR,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    UnknownRtcp,
)
from rtp.twcc_codec import TransportFeedback

_BLOCK: Final = struct.Struct("!IIIIII")
_SENDER_INFO: Final = struct.Struct("!IQIII")


MAX_COMPOUND_BYTES: Final = 4096
"""Ends keep RTCP below the path's MTU; 64 KB in fragments are an attempt to keep us busy."""
MAX_NUMBERS: Final = 10_000
"""Sequence numbers all feedback of a compound may speak of: 36 bytes can say something of 10,000."""


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Plaintext compound, or reduced-size (RFC 5506), RTCP → its packets in order.

    Raises `ProtocolError` when anything in it is malformed, or it is impossibly much: a half-readable packet
    is not worth a guess.
    """
    packets: list[RtcpPacket] = []
    position, size, numbers = 0, len(data), 0
    if not 0 < size <= MAX_COMPOUND_BYTES:
        raise ProtocolError("RTCP packet is empty or too large")
    while position < size:
        if size - position < 4:
            raise ProtocolError("RTCP packet ends inside its header")
        first, packet_type = data[position], data[position + 1]
        end = position + 4 + 4 * (data[position + 2] << 8 | data[position + 3])
        if first >> 6 != 2 or end > size:
            raise ProtocolError("RTCP packet has a wrong version or length")
        body = data[position + 4 : end]
        if first & 0x20:
            body = _without_padding(body)
        packets.append(_parse_one(packet_type, first & 0x1F, body))
        if len(body) % 4 and not isinstance(packets[-1], TransportFeedback):
            raise ProtocolError("RTCP padding is not a multiple of four")
        numbers += _numbers(packets[-1])
        if numbers > MAX_NUMBERS:
            raise ProtocolError("RTCP feedback is about too many packets")
        position = end
    return packets


def _numbers(packet: RtcpPacket) -> int:
    """How many sequence numbers it speaks of."""
    if isinstance(packet, TransportFeedback):
        return len(packet.deltas)
    return len(packet.lost) if isinstance(packet, Nack) else 0


def _without_padding(body: bytes) -> bytes:
    """RFC 3550 §6.4.1 wants multiples of four, and only in the last packet of a compound. Browsers fill
    transport feedback up with one to three bytes, wherever it stands: three of four would be lost.
    """
    padding = body[-1] if body else 0
    if not 0 < padding <= len(body):
        raise ProtocolError("RTCP padding is impossible")
    return body[:-padding]


def _parse_one(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    if packet_type == SR:
        return _parse_sender_report(count, body)
    if packet_type == RR:
        return _parse_receiver_report(count, body)
    if packet_type == SDES:
        return _parse_source_description(count, body)
    if packet_type == BYE:
        return _parse_goodbye(count, body)
    if packet_type in (RTPFB, PSFB):
        feedback = parse_feedback(packet_type, count, body)
        if feedback is not None:
            return feedback
    return UnknownRtcp(packet_type, count, body)


def _parse_sender_report(count: int, body: bytes) -> SenderReport:
    if len(body) < _SENDER_INFO.size:
        raise ProtocolError("RTCP sender report is too short")
    ssrc, ntp_time, rtp_timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
    blocks = _parse_blocks(count, body, _SENDER_INFO.size)
    return SenderReport(ssrc, ntp_time, rtp_timestamp, packets, octets, blocks)


def _parse_receiver_report(count: int, body: bytes) -> ReceiverReport:
    if len(body) < 4:
        raise ProtocolError("RTCP receiver report is too short")
    return ReceiverReport(int.from_bytes(body[:4], "big"), _parse_blocks(count, body, 4))


def _parse_blocks(count: int, body: bytes, offset: int) -> tuple[ReportBlock, ...]:
    if len(body) < offset + count * _BLOCK.size:
        raise ProtocolError("RTCP report has fewer blocks than it says")
    return tuple([_parse_block(body, offset + i * _BLOCK.size) for i in range(count)])


def _parse_block(body: bytes, offset: int) -> ReportBlock:
    ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, offset)
    lost = loss & 0xFFFFFF
    if lost & 0x800000:
        lost -= 1 << 24
    return ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last_sr, delay)


def _parse_source_description(count: int, body: bytes) -> SourceDescription:
    cnames: list[tuple[int, str]] = []
    position = 0
    for _ in range(count):
        if position + 4 > len(body):
            raise ProtocolError("RTCP source description has fewer chunks than it says")
        ssrc = int.from_bytes(body[position : position + 4], "big")
        cname, position = _parse_sdes_items(body, position + 4)
        cnames.append((ssrc, cname))
    return SourceDescription(tuple(cnames))


def _parse_sdes_items(body: bytes, position: int) -> tuple[str, int]:
    """→ (CNAME, position of the next chunk)."""
    cname = ""
    while position < len(body):
        kind = body[position]
        if kind == 0:
            return cname, (position + 4) & ~3
        stop = position + 2 + (body[position + 1] if position + 1 < len(body) else len(body))
        if stop > len(body):
            break
        if kind == SDES_CNAME:
            cname = body[position + 2 : stop].decode("utf-8", "replace")
        position = stop
    raise ProtocolError("RTCP source description chunk does not end")


def _parse_goodbye(count: int, body: bytes) -> Goodbye:
    if len(body) < 4 * count:
        raise ProtocolError("RTCP goodbye has fewer sources than it says")
    ssrcs = struct.unpack_from(f"!{count}I", body)
    rest = body[4 * count :]
    if not rest:
        return Goodbye(ssrcs)
    if len(rest) < 1 + rest[0]:
        raise ProtocolError("RTCP goodbye reason runs over the packet")
    return Goodbye(ssrcs, rest[1 : 1 + rest[0]].decode("utf-8", "replace"))
