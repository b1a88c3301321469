"""Does this packet begin a keyframe? Looks at a few bytes only: the SFU asks this of packets it forwards."""

from __future__ import annotations

from typing import Final

_H264_IDR: Final = 5
_H264_SPS: Final = 7
_H264_STAP_A: Final = 24
_H264_FU_A: Final = 28
_AV1_SEQUENCE_HEADER: Final = 1
_LEB128_MAX_BYTES: Final = 8


def is_keyframe(codec: str, payload: bytes, dependency_descriptor: bytes | None = None) -> bool:
    """True when the packet is the first of a keyframe, so that a decoder can begin with it.

    H.264 may say so twice in one frame (parameter sets, then the first slice): the timestamp tells.
    `codec`: "H264", "VP8", "VP9" or "AV1"; audio is never a keyframe. `dependency_descriptor` (AV1 RTP spec
    appendix A) helps where the payload cannot be read. Malformed payloads are no keyframes; never raises.
    """
    test = _TESTS.get(codec)
    if test is not None and len(payload) > 1 and test(payload):
        return True
    return dependency_descriptor is not None and _descriptor_has_structure(dependency_descriptor)


def _h264(payload: bytes) -> bool:
    """SPS, or an IDR picture's first slice; alone, in a STAP-A, or starting an FU-A (RFC 6184 §5)."""
    kind = payload[0] & 0x1F
    if kind == _H264_STAP_A:
        return _h264_aggregate(payload)
    if kind == _H264_FU_A:
        is_start = payload[1] & 0x80 != 0
        return is_start and _h264_starts(payload[1] & 0x1F, payload[2:3])
    return _h264_starts(kind, payload[1:2])


def _h264_starts(kind: int, first_byte: bytes) -> bool:
    if kind == _H264_SPS:
        return True
    # first_mb_in_slice = 0 is the single bit 1 (H.264 §7.3.3, ue(v)): later slices of an IDR do not count.
    return kind == _H264_IDR and bool(first_byte) and first_byte[0] & 0x80 != 0


def _h264_aggregate(payload: bytes) -> bool:
    position = 1
    while position + 3 <= len(payload):
        size = (payload[position] << 8) | payload[position + 1]
        if _h264_starts(payload[position + 2] & 0x1F, payload[position + 3 : position + 4]):
            return True
        position += 2 + size
    return False


def _vp8(payload: bytes) -> bool:
    """Start of partition 0 whose frame header has P = 0 (RFC 7741 §4.2, §4.3)."""
    first = payload[0]
    if first & 0x17 != 0x10:  # S = 1 and PID = 0
        return False
    header = vp8_descriptor_bytes(payload)
    return header < len(payload) and payload[header] & 0x01 == 0


def vp8_descriptor_bytes(payload: bytes) -> int:
    """Length of the VP8 payload descriptor; beyond the payload's end for a truncated one."""
    if not payload[0] & 0x80:
        return 1
    if len(payload) < 3:
        return 3
    flags, size = payload[1], 2
    if flags & 0x80:
        size += 2 if payload[2] & 0x80 else 1
    if flags & 0x40:
        size += 1
    return size + 1 if flags & 0x30 else size


def _vp9(payload: bytes) -> bool:
    """Start (B) of a frame without inter-picture prediction (P = 0), lowest spatial layer (RFC 9628 §4.2)."""
    first = payload[0]
    if first & 0x48 != 0x08:
        return False
    if not first & 0x20:
        return True
    position = 1
    if first & 0x80:
        position += 2 if payload[1] & 0x80 else 1
    return position < len(payload) and (payload[position] >> 1) & 0x07 == 0


def _av1(payload: bytes) -> bool:
    """N bit of the aggregation header, or a sequence header as the first OBU (AV1 RTP spec §4.4)."""
    aggregation = payload[0]
    if aggregation & 0x80:
        return False
    if aggregation & 0x08:
        return True
    position = 1
    if aggregation & 0x30 != 0x10:  # W = 1: the only element has no length
        position = _after_leb128(payload, 1)
    return position < len(payload) and (payload[position] >> 3) & 0x0F == _AV1_SEQUENCE_HEADER


def _after_leb128(payload: bytes, position: int) -> int:
    for index in range(position, min(position + _LEB128_MAX_BYTES, len(payload))):
        if not payload[index] & 0x80:
            return index + 1
    return len(payload)


def _descriptor_has_structure(descriptor: bytes) -> bool:
    """A frame's start that brings a template structure: only the first frame of a sequence does."""
    return len(descriptor) > 3 and descriptor[0] & 0x80 != 0 and descriptor[3] & 0x80 != 0


_TESTS: Final = {"H264": _h264, "VP8": _vp8, "VP9": _vp9, "AV1": _av1}
