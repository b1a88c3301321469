"""RTCP packets (RFC 3550 §6, RFC 4585, RFC 5104, RFC 5506) as values; bytes ↔ values in `parse_compound` and
`build_compound`."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from core.errors import ProtocolError
from rtp.rtcp_feedback import (
    Fir,
    FirRequest,
    Nack,
    Pli,
    Remb,
    build_feedback,
    parse_feedback,
)
from rtp.twcc_codec import TransportFeedback

__all__ = [
    "Fir",
    "FirRequest",
    "Goodbye",
    "Nack",
    "Pli",
    "ReceiverReport",
    "Remb",
    "ReportBlock",
    "RtcpPacket",
    "SenderReport",
    "SourceDescription",
    "TransportFeedback",
    "UnknownRtcp",
    "build_compound",
    "parse_compound",
]

_SR: Final = 200
_RR: Final = 201
_SDES: Final = 202
_BYE: Final = 203
_RTPFB: Final = 205
_PSFB: Final = 206
_SDES_CNAME: Final = 1
MAX_REPORT_BLOCKS: Final = 31
"""What one SR or RR holds."""

_BLOCK: Final = struct.Struct("!IIIIII")
_SENDER_INFO: Final = struct.Struct("!IQIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says about one SSRC (RFC 3550 §6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Of 256, since the last report."""
    cumulative_lost: int
    """Signed, 24 bits: duplicates may make it negative."""
    highest_sequence: int
    """Extended: cycles << 16 | number."""
    jitter: int
    """In timestamp units."""
    last_sr: int
    """Middle 32 bits of the last SR's NTP time; 0: none yet."""
    delay_since_last_sr: int
    """In 1/65536 s."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`ntp_time` is the 64-bit NTP time at which `rtp_timestamp` is taken."""

    ssrc: int
    ntp_time: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """(SSRC, CNAME) pairs; other items are skipped, a chunk without CNAME has an empty one."""

    cnames: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    ssrcs: tuple[int, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UnknownRtcp:
    """A packet we do not interpret (APP, XR, feedback formats), kept as it came; `count` has 5 bits."""

    packet_type: int
    count: int
    body: bytes


RtcpPacket = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | Nack
    | Pli
    | Fir
    | TransportFeedback
    | Remb
    | UnknownRtcp
)


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Plaintext compound, or reduced-size (RFC 5506), RTCP → its packets in order.

    Raises `ProtocolError` when anything in it is malformed: a half-readable packet is not worth a guess.
    """
    packets: list[RtcpPacket] = []
    position, size = 0, len(data)
    if not size:
        raise ProtocolError("RTCP packet is empty")
    while position < size:
        if size - position < 4:
            raise ProtocolError("RTCP packet ends inside its header")
        first, packet_type = data[position], data[position + 1]
        end = position + 4 + 4 * (data[position + 2] << 8 | data[position + 3])
        if first >> 6 != 2 or end > size:
            raise ProtocolError("RTCP packet has a wrong version or length")
        body = data[position + 4 : end]
        if first & 0x20:
            body = _without_padding(body, last=end == size)
        packets.append(_parse_one(packet_type, first & 0x1F, body))
        position = end
    return packets


def _without_padding(body: bytes, *, last: bool) -> bytes:
    padding = body[-1] if body else 0
    if not last or not 0 < padding <= len(body) or padding % 4:
        raise ProtocolError("RTCP padding is impossible")
    return body[:-padding]


def _parse_one(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    if packet_type == _SR:
        return _parse_sender_report(count, body)
    if packet_type == _RR:
        return _parse_receiver_report(count, body)
    if packet_type == _SDES:
        return _parse_source_description(count, body)
    if packet_type == _BYE:
        return _parse_goodbye(count, body)
    if packet_type in (_RTPFB, _PSFB):
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
        if kind == _SDES_CNAME:
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
        parts.insert(0, _framed(_RR, 0, parts[0][4:8]))
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
        return _SR, len(packet.reports), info + _build_blocks(packet.reports)
    if isinstance(packet, ReceiverReport):
        return _RR, len(packet.reports), packet.ssrc.to_bytes(4, "big") + _build_blocks(packet.reports)
    if isinstance(packet, SourceDescription):
        return _SDES, len(packet.cnames), b"".join([_build_chunk(*pair) for pair in packet.cnames])
    if isinstance(packet, Goodbye):
        return _BYE, len(packet.ssrcs), _build_goodbye(packet)
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
        chunk += bytes((_SDES_CNAME,)) + len(text).to_bytes(1, "big") + text
    return chunk + bytes(4 - len(chunk) % 4)


def _build_goodbye(packet: Goodbye) -> bytes:
    body = struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs)
    if packet.reason:
        text = packet.reason.encode("utf-8")
        body += len(text).to_bytes(1, "big") + text
    return body + bytes(-len(body) % 4)
