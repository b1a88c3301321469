"""Retransmission in a stream of its own (RFC 4588)."""

from __future__ import annotations

from typing import Final

from core.errors import ProtocolError
from rtp.packet import RtpPacket

OSN_BYTES: Final = 2
"""The original sequence number in front of the payload."""


def wrap(packet: RtpPacket, *, ssrc: int, payload_type: int, sequence_number: int) -> RtpPacket:
    """An original packet → its retransmission, with the RTX stream's own SSRC, payload type and number.

    Timestamp, marker, CSRCs and extension are the original's (§4); padding is left out.
    """
    return RtpPacket(
        ssrc,
        payload_type,
        sequence_number,
        packet.timestamp,
        packet.marker,
        packet.csrcs,
        packet.extension_profile,
        packet.extension,
        packet.sequence_number.to_bytes(OSN_BYTES, "big") + packet.payload,
        0,
        packet.arrival_ns,
    )


def unwrap(packet: RtpPacket, *, ssrc: int, payload_type: int) -> RtpPacket | None:
    """A retransmission → the original of SSRC `ssrc` and of the payload type RTX is associated with (apt).

    None for a probe that carries only padding. Raises `ProtocolError` when there is no whole original number.
    """
    payload = packet.payload
    if not payload:
        return None
    if len(payload) < OSN_BYTES:
        raise ProtocolError("RTX packet has no original sequence number")
    return RtpPacket(
        ssrc,
        payload_type,
        payload[0] << 8 | payload[1],
        packet.timestamp,
        packet.marker,
        packet.csrcs,
        packet.extension_profile,
        packet.extension,
        payload[OSN_BYTES:],
        0,
        packet.arrival_ns,
    )
