"""VP8 over RTP (RFC 7741). Access units are VP8 frames as in WebM."""

from __future__ import annotations

from typing import Final, NamedTuple

from core.errors import ProtocolError
from rtp.keyframe import vp8_descriptor_bytes
from rtp.payload.assembler import AccessUnit, Depacketizer, equal_fragments, join

PICTURE_ID_AT: Final = 2
"""In a payload with picture numbers: where they begin."""
_KEYFRAME_START_CODE = b"\x9d\x01\x2a"


class Vp8Numbers(NamedTuple):
    """The counters of a payload descriptor, None where it has none. They follow each other in the payload
    from `PICTURE_ID_AT` on: PictureID, TL0PICIDX, then TID, Y and KEYIDX in one byte.
    """

    picture_id: int | None
    is_wide: bool
    """15 bits instead of 7."""
    tl0_index: int | None
    key_index: int | None
    layer_bits: int | None
    """TID and Y in their place, where their byte is there."""
    present: int
    """Which of the three counters it has: 1, 2, 4."""
    starts_frame: bool
    is_base_layer: bool
    is_keyframe: bool
    """Of a frame's first packet alone."""


def read_numbers(payload: bytes) -> Vp8Numbers | None:
    """The counters of an RTP payload (RFC 7741 §4.2); None where there is none, or it is truncated."""
    if len(payload) <= PICTURE_ID_AT or not payload[0] & 0x80 or not payload[1] & 0xF0:
        return None
    size = vp8_descriptor_bytes(payload)
    if size > len(payload):
        return None
    flags, at = payload[1], PICTURE_ID_AT
    picture_id, is_wide, tl0_index, key_index, layer_bits = None, False, None, None, None
    if flags & 0x80:
        is_wide = payload[at] & 0x80 != 0
        picture_id = int.from_bytes(payload[at : at + 2], "big") & 0x7FFF if is_wide else payload[at]
        at += 2 if is_wide else 1
    if flags & 0x40:
        tl0_index, at = payload[at], at + 1
    if flags & 0x30:
        layer_bits = payload[at] & (0xE0 if flags & 0x10 else 0xFF)
        key_index = payload[at] & 0x1F if flags & 0x10 else None
    present = (flags >> 7) | (flags >> 5 & 2) | (flags >> 2 & 4)
    starts = payload[0] & 0x17 == 0x10
    is_base = layer_bits is None or not flags & 0x20 or layer_bits & 0xC0 == 0
    is_key = starts and size < len(payload) and payload[size] & 0x01 == 0
    return Vp8Numbers(picture_id, is_wide, tl0_index, key_index, layer_bits, present, starts, is_base, is_key)


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
    width, height = (int.from_bytes(frame[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    if not width or not height:
        raise ProtocolError("VP8: a picture without width or height")
    return width, height


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
