"""Payload formats: access units ↔ RTP payloads. `packetize` is in each codec's module, receiving is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from rtp.payload.assembler import AccessUnit, Depacketizer
from rtp.payload.av1 import Av1Depacketizer
from rtp.payload.h264 import H264Depacketizer
from rtp.payload.opus import OpusDepacketizer
from rtp.payload.vp8 import Vp8Depacketizer
from rtp.payload.vp9 import Vp9Depacketizer

__all__ = ["AccessUnit", "AnyDepacketizer", "Depacketizer", "depacketizer_for"]


class AnyDepacketizer(Protocol):
    """What every codec's depacketizer offers."""

    codec: str
    dropped_frames: int

    def gap(self) -> None:
        """Packets are missing between the last one pushed and the next one."""

    def push(self, payload: bytes, marker: bool, timestamp: int) -> AccessUnit | None:
        """Take the next packet in order; return the frame it completes. Raises `ProtocolError`."""


_DEPACKETIZERS: Final[dict[str, Callable[[], AnyDepacketizer]]] = {
    "H264": H264Depacketizer,
    "VP8": Vp8Depacketizer,
    "VP9": Vp9Depacketizer,
    "AV1": Av1Depacketizer,
    "opus": OpusDepacketizer,
}


def depacketizer_for(codec: str) -> AnyDepacketizer:
    """A new depacketizer for "H264", "VP8", "VP9", "AV1" or "opus". Raises `ValueError` for other names."""
    if codec not in _DEPACKETIZERS:
        raise ValueError(f"no depacketizer for {codec}")
    return _DEPACKETIZERS[codec]()
