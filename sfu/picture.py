"""Pure: the size of the picture that begins in a packet, to compare layers with what is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from core.errors import ProtocolError
from rtp.keyframe import vp8_descriptor_bytes
from rtp.payload import h264_sps, vp8, vp9

_H264_SPS: Final = 7
_H264_STAP_A: Final = 24


def pixels_of(codec: str, payload: bytes) -> int:
    """Pixels of the frame that begins in this packet; 0 when it does not say, or not as we read it (AV1)."""
    reader = _READERS.get(codec)
    try:
        size = reader(payload) if reader is not None and payload else None
    except (ProtocolError, IndexError):
        return 0
    return 0 if size is None else size[0] * size[1]


def _h264(payload: bytes) -> tuple[int, int] | None:
    for unit in _units(payload):
        if unit and unit[0] & 0x1F == _H264_SPS:
            return h264_sps.picture_size(unit)
    return None


def _units(payload: bytes) -> Iterator[bytes]:
    """The whole NAL units of a packet (RFC 6184 §5.6, §5.7.1)."""
    if payload[0] & 0x1F != _H264_STAP_A:
        yield payload
        return
    position = 1
    while position + 2 <= len(payload):
        size = payload[position] << 8 | payload[position + 1]
        yield payload[position + 2 : position + 2 + size]
        position += 2 + size


def _vp8(payload: bytes) -> tuple[int, int] | None:
    return vp8.frame_size(payload[vp8_descriptor_bytes(payload) :])


def _vp9(payload: bytes) -> tuple[int, int] | None:
    return vp9.frame_size(payload[vp9.parse_descriptor(payload).size_bytes :])


_READERS: Final = {"H264": _h264, "VP8": _vp8, "VP9": _vp9}
