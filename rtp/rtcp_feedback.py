"""RTCP feedback: NACK, PLI, FIR, REMB and transport-wide feedback (RFC 4585, RFC 5104, two drafts)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.errors import ProtocolError
from rtp.sequence import seq_delta
from rtp.twcc_codec import TransportFeedback, build_transport_feedback, parse_transport_feedback

_RTPFB: Final = 205
_PSFB: Final = 206
_FMT_NACK: Final = 1
_FMT_TRANSPORT: Final = 15
_FMT_PLI: Final = 1
_FMT_FIR: Final = 4
_FMT_APPLICATION: Final = 15
_SSRCS: Final = struct.Struct("!II")
_NACK_ITEM: Final = struct.Struct("!HH")
_FIR_ITEM: Final = struct.Struct("!IB3x")
_REMB_MANTISSA_BITS: Final = 18


@dataclass(frozen=True, slots=True)
class Nack:
    """Generic NACK: sequence numbers asked for again (RFC 4585 §6.2.1)."""

    sender_ssrc: int
    media_ssrc: int
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pli:
    """Picture loss: a keyframe is wanted (RFC 4585 §6.3.1)."""

    sender_ssrc: int
    media_ssrc: int


@dataclass(frozen=True, slots=True)
class FirRequest:
    """`sequence_number` (8 bits) counts requests; a repeated one is the same request."""

    ssrc: int
    sequence_number: int


@dataclass(frozen=True, slots=True)
class Fir:
    """Full intra request (RFC 5104 §4.3.1)."""

    sender_ssrc: int
    requests: tuple[FirRequest, ...]


@dataclass(frozen=True, slots=True)
class Remb:
    """Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03)."""

    sender_ssrc: int
    bitrate_bps: int
    ssrcs: tuple[int, ...]


Feedback = Nack | Pli | Fir | Remb | TransportFeedback


def parse_feedback(packet_type: int, fmt: int, body: bytes) -> Feedback | None:
    """Body behind the RTCP header → value, None for a format we do not know. Raises `ProtocolError`."""
    if len(body) < _SSRCS.size:
        raise ProtocolError("RTCP feedback is too short")
    sender, media = _SSRCS.unpack_from(body)
    control = body[_SSRCS.size :]
    if packet_type == _RTPFB:
        if fmt == _FMT_NACK:
            return Nack(sender, media, _parse_nack(control))
        if fmt == _FMT_TRANSPORT:
            return parse_transport_feedback(sender, media, control)
        return None
    if fmt == _FMT_PLI:
        return Pli(sender, media)
    if fmt == _FMT_FIR:
        return Fir(sender, _parse_fir(control))
    if fmt == _FMT_APPLICATION and control[:4] == b"REMB":
        return _parse_remb(sender, control)
    return None


def _parse_nack(control: bytes) -> tuple[int, ...]:
    if not control or len(control) % _NACK_ITEM.size:
        raise ProtocolError("RTCP NACK is not a list of (PID, BLP)")
    lost: list[int] = []
    for pid, blp in _NACK_ITEM.iter_unpack(control):
        lost.append(pid)
        lost += [(pid + 1 + bit) & 0xFFFF for bit in range(16) if blp >> bit & 1]
    return tuple(lost)


def _parse_fir(control: bytes) -> tuple[FirRequest, ...]:
    if not control or len(control) % _FIR_ITEM.size:
        raise ProtocolError("RTCP FIR is not a list of requests")
    return tuple([FirRequest(ssrc, number) for ssrc, number in _FIR_ITEM.iter_unpack(control)])


def _parse_remb(sender: int, control: bytes) -> Remb:
    if len(control) < 8 or len(control) < 8 + 4 * control[4]:
        raise ProtocolError("RTCP REMB is too short")
    value = int.from_bytes(control[5:8], "big")
    bitrate = (value & ((1 << _REMB_MANTISSA_BITS) - 1)) << (value >> _REMB_MANTISSA_BITS)
    return Remb(sender, bitrate, struct.unpack_from(f"!{control[4]}I", control, 8))


def build_feedback(packet: Feedback) -> tuple[int, int, bytes]:
    """→ (packet type, FMT, body). Raises `ValueError` for a list that must not be empty."""
    if isinstance(packet, Nack):
        head = _SSRCS.pack(packet.sender_ssrc, packet.media_ssrc)
        return _RTPFB, _FMT_NACK, head + _build_nack(packet.lost)
    if isinstance(packet, Pli):
        return _PSFB, _FMT_PLI, _SSRCS.pack(packet.sender_ssrc, packet.media_ssrc)
    if isinstance(packet, Fir):
        items = [_FIR_ITEM.pack(request.ssrc, request.sequence_number) for request in packet.requests]
        if not items:
            raise ValueError("an RTCP FIR needs a request")
        return _PSFB, _FMT_FIR, _SSRCS.pack(packet.sender_ssrc, 0) + b"".join(items)
    if isinstance(packet, Remb):
        return _PSFB, _FMT_APPLICATION, _build_remb(packet)
    body = _SSRCS.pack(packet.sender_ssrc, packet.media_ssrc) + build_transport_feedback(packet)
    return _RTPFB, _FMT_TRANSPORT, body


def _build_nack(lost: Sequence[int]) -> bytes:
    """Each (PID, BLP) takes its first number and all of the 16 behind it; order is that of the sequence
    circle.
    """
    if not lost:
        raise ValueError("an RTCP NACK needs a sequence number")
    anchor = lost[0]
    numbers = sorted({seq_delta(number, anchor) for number in lost})
    items: list[bytes] = []
    position = 0
    while position < len(numbers):
        pid = numbers[position]
        blp = 0
        position += 1
        while position < len(numbers) and numbers[position] - pid <= 16:
            blp |= 1 << (numbers[position] - pid - 1)
            position += 1
        items.append(_NACK_ITEM.pack((anchor + pid) & 0xFFFF, blp))
    return b"".join(items)


def _build_remb(packet: Remb) -> bytes:
    exponent = max(0, packet.bitrate_bps.bit_length() - _REMB_MANTISSA_BITS)
    if exponent > 63 or packet.bitrate_bps < 0:
        raise ValueError("a REMB bitrate has at most 81 bits")
    value = exponent << _REMB_MANTISSA_BITS | packet.bitrate_bps >> exponent
    head = _SSRCS.pack(packet.sender_ssrc, 0) + b"REMB"
    count = len(packet.ssrcs).to_bytes(1, "big")
    return head + count + value.to_bytes(3, "big") + struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs)
