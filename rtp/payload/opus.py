"""Opus over RTP (RFC 7587): one packet is one Opus packet."""

from __future__ import annotations

from typing import Final

from core.errors import ProtocolError
from rtp.payload.assembler import AccessUnit

CLOCK_RATE_HZ: Final = 48_000
_MAX_PACKET_SAMPLES: Final = 5_760  # RFC 6716 §3.2.5, rule R5: 120 ms

# RFC 6716 table 2: samples at 48 kHz per frame of each TOC configuration.
_FRAME_SAMPLES: Final = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4


def packetize(access_unit: bytes, max_payload_bytes: int) -> list[bytes]:
    """One Opus packet → its one RTP payload. Raises `ValueError` when it is empty or does not fit."""
    if not 0 < len(access_unit) <= max_payload_bytes:
        raise ValueError(f"an Opus packet must have 1 to {max_payload_bytes} bytes")
    return [access_unit]


def duration_samples(packet: bytes) -> int:
    """How long a packet plays, in samples at 48 kHz (RFC 6716 §3.1, §3.2). Raises `ProtocolError`."""
    if not packet:
        raise ProtocolError("opus: the packet is empty")
    code = packet[0] & 0x03
    if code == 3 and len(packet) < 2:
        raise ProtocolError("opus: the frame count is missing")
    frames = (1, 2, 2, packet[1] & 0x3F if code == 3 else 0)[code]
    samples = _FRAME_SAMPLES[packet[0] >> 3] * frames
    if not 0 < samples <= _MAX_PACKET_SAMPLES:
        raise ProtocolError("opus: the packet has no frame or plays longer than 120 ms")
    return samples


class OpusDepacketizer:
    """RTP payloads → access units; every packet stands for itself (the marker only starts a talk spurt)."""

    codec = "opus"

    def __init__(self) -> None:
        self.dropped_frames = 0
        self._after_loss = False

    def gap(self) -> None:
        """Packets are missing before the next one."""
        self._after_loss = True

    def push(self, payload: bytes, marker: bool, timestamp: int) -> AccessUnit | None:
        """One packet → one access unit; None for padding. Raises `ProtocolError` for a malformed one."""
        if not payload:
            return None
        try:
            duration_samples(payload)
        except ProtocolError:
            self.dropped_frames += 1
            self._after_loss = True
            raise
        after_loss, self._after_loss = self._after_loss, False
        return AccessUnit(payload, timestamp, keyframe=True, after_loss=after_loss)
