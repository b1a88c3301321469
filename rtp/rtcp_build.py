"""Values → RTCP bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from rtp.rtcp_feedback import build_feedback
from rtp.rtcp_types import (
    BYE,
    RR,
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

_BLOCK: Final = struct.Struct("!IIIIII")
_SENDER_INFO: Final = struct.Struct("!IQIII")


def build_compound(items: Iterable[RtcpPacket], *, reduced_size: bool = True) -> bytes:
    """Values → one plaintext RTCP datagram.

    With `reduced_size=False` (the peer did not negotiate rtcp-rsize) a packet that does not begin with a
    report gets an empty receiver report in front (RFC 3550 §6.1). Raises `ValueError` for no items or a field
    out of range.
    """
    packets = list(items)
    if not packets:
        raise ValueError("an RTCP packet needs at least one item")
    parts = [_build_one(packet) for packet in packets]
    if not reduced_size and not isinstance(packets[0], SenderReport | ReceiverReport):
        parts.insert(0, _framed(RR, 0, parts[0][4:8]))
    return b"".join(parts)


def _build_one(packet: RtcpPacket) -> bytes:
    try:
        return _framed(*_build_body(packet))
    except (struct.error, OverflowError) as error:
        raise ValueError(f"an RTCP field is out of range: {error}") from error


def _framed(packet_type: int, count: int, body: bytes) -> bytes:
    words, rest = divmod(len(body), 4)
    if rest or words > 0xFFFF or not 0 <= count <= 31:
        raise ValueError("an RTCP packet is a multiple of 4 bytes with a count of at most 31")
    return struct.pack("!BBH", 0x80 | count, packet_type, words) + body


def _build_body(packet: RtcpPacket) -> tuple[int, int, bytes]:
    """→ (packet type, count, body)."""
    if isinstance(packet, SenderReport):
        info = _SENDER_INFO.pack(
            packet.ssrc, packet.ntp_time, packet.rtp_timestamp, packet.packet_count, packet.octet_count
        )
        return SR, len(packet.reports), info + _build_blocks(packet.reports)
    if isinstance(packet, ReceiverReport):
        return RR, len(packet.reports), packet.ssrc.to_bytes(4, "big") + _build_blocks(packet.reports)
    if isinstance(packet, SourceDescription):
        return SDES, len(packet.cnames), b"".join([_build_chunk(*pair) for pair in packet.cnames])
    if isinstance(packet, Goodbye):
        return BYE, len(packet.ssrcs), _build_goodbye(packet)
    if isinstance(packet, UnknownRtcp):
        return packet.packet_type, packet.count, packet.body
    return build_feedback(packet)


def _build_blocks(blocks: Sequence[ReportBlock]) -> bytes:
    return b"".join(
        [
            _BLOCK.pack(
                block.ssrc,
                block.fraction_lost << 24 | block.cumulative_lost & 0xFFFFFF,
                block.highest_sequence,
                block.jitter,
                block.last_sr,
                block.delay_since_last_sr,
            )
            for block in blocks
        ]
    )


def _build_chunk(ssrc: int, cname: str) -> bytes:
    text = cname.encode("utf-8")
    chunk = ssrc.to_bytes(4, "big")
    if text:
        chunk += bytes((SDES_CNAME,)) + len(text).to_bytes(1, "big") + text
    return chunk + bytes(4 - len(chunk) % 4)


def _build_goodbye(packet: Goodbye) -> bytes:
    body = struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs)
    if packet.reason:
        text = packet.reason.encode("utf-8")
        body += len(text).to_bytes(1, "big") + text
    return body + bytes(-len(body) % 4)
