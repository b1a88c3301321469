"""Pure: the little an H.264 sender must know about its bitstream and its level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

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


class Colours(NamedTuple):
    """What a stream says of its numbers' meaning (H.264 annex E): code points of ISO/IEC 23091-2."""

    full_range: bool
    primaries: int
    transfer: int
    matrix: int


BT709: Final = Colours(full_range=False, primaries=1, transfer=1, matrix=1)
_HIGH_PROFILES: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128})
_EXTENDED_SHAPE: Final = 255


def colours(access_unit: bytes) -> Colours | None:
    """What the first parameter set says; None when it says nothing."""
    for unit in nal_units(access_unit):
        if unit[0] & 0x1F == NAL_SPS:
            return _sps_colours(_Bits(unit[1:].replace(b"\x00\x00\x03", b"\x00\x00")))
    return None


def nal_units(access_unit: bytes) -> Iterator[bytes]:
    """Each NAL unit without its start code."""
    position = access_unit.find(_START_CODE)
    while 0 <= position < len(access_unit) - 3:
        begin = position + 3
        position = access_unit.find(_START_CODE, begin)
        yield access_unit[begin : position if position >= 0 else len(access_unit)]


class _Bits:
    """Reads bits, most significant first; Exp-Golomb codes (H.264 §9.1). Ends in zeros."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            byte = self._data[self._at >> 3] if self._at >> 3 < len(self._data) else 0
            value = value << 1 | byte >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def golomb(self) -> int:
        zeros = 0
        while not self.take(1) and zeros < 32:
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def _sps_colours(bits: _Bits) -> Colours | None:
    """Walk through a parameter set (H.264 §7.3.2.1.1) to its usability information (annex E.1.1)."""
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    if profile in _HIGH_PROFILES and not _skip_high(bits):
        return None
    bits.golomb()
    _skip_order(bits)
    bits.golomb()
    bits.take(1)
    bits.golomb()
    bits.golomb()
    if not bits.take(1):  # fields
        bits.take(1)
    bits.take(1)
    if bits.take(1):  # cropping
        for _ in range(4):
            bits.golomb()
    return _vui_colours(bits) if bits.take(1) else None


def _skip_high(bits: _Bits) -> bool:
    """False for scaling matrices, which no encoder here writes."""
    if bits.golomb() == 3:
        bits.take(1)
    bits.golomb()
    bits.golomb()
    bits.take(1)
    return not bits.take(1)


def _skip_order(bits: _Bits) -> None:
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.take(1)
        for _ in range(2):
            bits.golomb()
        for _ in range(min(255, bits.golomb())):
            bits.golomb()


def _vui_colours(bits: _Bits) -> Colours | None:
    if bits.take(1) and bits.take(8) == _EXTENDED_SHAPE:
        bits.take(32)
    if bits.take(1):
        bits.take(1)
    if not bits.take(1):
        return None
    bits.take(3)
    full = bool(bits.take(1))
    if not bits.take(1):
        return None
    return Colours(full, bits.take(8), bits.take(8), bits.take(8))


def has_parameter_sets(access_unit: bytes) -> bool:
    """True when SPS and PPS precede the first slice."""
    seen = set()
    for kind in nal_types(access_unit):
        if kind in (NAL_SLICE, NAL_IDR):
            break
        seen.add(kind)
    return {NAL_SPS, NAL_PPS} <= seen
