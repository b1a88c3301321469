"""VP8 over RTP (RFC 7741). Access units are VP8 frames as in WebM."""

from __future__ import annotations

from core.errors import ProtocolError
from rtp.keyframe import vp8_descriptor_bytes
from rtp.payload.assembler import AccessUnit, Depacketizer, equal_fragments, join

_KEYFRAME_START_CODE = b"\x9d\x01\x2a"


def packetize(frame: bytes, max_payload_bytes: int) -> list[bytes]:
    """VP8 frame → RTP payloads with the one-byte descriptor. Raises `ValueError` for an empty frame."""
    if not frame:
        raise ValueError("the frame is empty")
    pieces = equal_fragments(frame, max_payload_bytes - 1)
    return [(b"\x10" if index == 0 else b"\x00") + piece for index, piece in enumerate(pieces)]


def frame_size(frame: bytes) -> tuple[int, int] | None:
    """(width, height) of a keyframe, None for other frames (RFC 6386 §9.1). Raises `ProtocolError`."""
    if frame[0] & 0x01:
        return None
    if len(frame) < 10 or frame[3:6] != _KEYFRAME_START_CODE:
        raise ProtocolError("VP8: the keyframe header is malformed")
    return int.from_bytes(frame[6:8], "little") & 0x3FFF, int.from_bytes(frame[8:10], "little") & 0x3FFF


class Vp8Depacketizer(Depacketizer):
    """RTP payloads → VP8 frames."""

    codec = "VP8"

    def __init__(self) -> None:
        super().__init__()
        self._reset()

    def _reset(self) -> None:
        self._parts: list[bytes] = []

    def _surely_starts(self, payload: bytes) -> bool:
        return payload[0] & 0x17 == 0x10  # S = 1, PID = 0

    def _add(self, payload: bytes) -> bool:
        header = vp8_descriptor_bytes(payload)
        if header >= len(payload):
            raise ProtocolError("VP8: the payload is truncated")
        if self._surely_starts(payload) != (not self._parts):
            return False
        self._parts.append(payload[header:])
        return True

    def _finish(self, timestamp: int, after_loss: bool) -> AccessUnit | None:
        frame = join(self._parts)
        size = frame_size(frame)
        return AccessUnit(frame, timestamp, size is not None, after_loss, size)
