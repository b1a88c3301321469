"""Pure: the little an H.264 sender must know about its bitstream and its level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

NAL_SLICE: Final = 1
NAL_IDR: Final = 5
NAL_SPS: Final = 7
NAL_PPS: Final = 8
MACROBLOCK_PX: Final = 16

_LEVELS: Final = (
    # level_idc, macroblocks per frame, macroblocks per second (H.264 table A-1)
    (30, 1_620, 40_500),
    (31, 3_600, 108_000),
    (40, 8_192, 245_760),
    (42, 8_704, 522_240),
    (50, 22_080, 589_824),
    (51, 36_864, 983_040),
    (52, 36_864, 2_073_600),
)
_START_CODE: Final = b"\x00\x00\x01"


def level_idc(width: int, height: int, fps: int) -> int:
    """The lowest level that allows this picture: 40 for 1920×1080 at 30. Raises ValueError beyond 5.2."""
    macroblocks = -(-width // MACROBLOCK_PX) * -(-height // MACROBLOCK_PX)
    for level, per_frame, per_second in _LEVELS:
        if macroblocks <= per_frame and macroblocks * fps <= per_second:
            return level
    raise ValueError(f"no H.264 level allows {width}x{height} at {fps} frames/s")


def profile_level_id(width: int, height: int, fps: int) -> str:
    """Constrained baseline and the level, as SDP says it (RFC 6184 §8.1): '42e028' for 1080p30."""
    return f"42e0{level_idc(width, height, fps):02x}"


def nal_types(access_unit: bytes) -> Iterator[int]:
    """nal_unit_type of each NAL unit of an Annex B access unit, in order."""
    position = access_unit.find(_START_CODE)
    while 0 <= position < len(access_unit) - 3:
        yield access_unit[position + 3] & 0x1F
        position = access_unit.find(_START_CODE, position + 3)


def has_parameter_sets(access_unit: bytes) -> bool:
    """True when SPS and PPS precede the first slice."""
    seen = set()
    for kind in nal_types(access_unit):
        if kind in (NAL_SLICE, NAL_IDR):
            break
        seen.add(kind)
    return {NAL_SPS, NAL_PPS} <= seen
